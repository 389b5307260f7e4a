//! A compact Redis-compatible server on the `resp` codec.
//!
//! [`engine::Engine`] is the server without sockets and clocks: requests and the time go in, replies come out.
//! [`connection`] and [`listener`] put it behind sockets.

#![forbid(unsafe_code)]

pub mod access;
mod accounting;
pub mod args;
mod batch;
pub mod blocked;
pub mod changes;
mod client_limits;
pub mod client_state;
pub mod command;
#[expect(
    clippy::unnecessary_wraps,
    reason = "every handler has the one signature of the table"
)]
pub mod commands;
pub mod config;
pub mod connection;
pub mod daemon;
mod directives;
mod dispatch;
pub mod effects;
pub mod engine;
pub mod entry;
mod eviction;
pub mod fault;
mod garbage;
pub mod host;
pub mod ids;
mod invalidation;
pub mod keyspace;
pub mod latency;
pub mod listener;
pub mod listening;
pub mod log;
pub mod metrics;
mod monitor;
pub mod output;
mod parameters;
pub mod pubsub;
pub mod reply;
pub mod shared;
pub mod slowlog;
pub mod state;
pub mod stats;
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tracking;
pub mod usage;
pub mod value;

/// The Redis version whose behaviour is followed; clients and test suites decide by it what to use.
pub const REDIS_VERSION: &str = "7.2.4";
