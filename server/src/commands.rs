//! The command families: one file each, its table on top, one function for each command below.
//!
//! A new family is a file with `pub(super) const COMMANDS: &[Command]` and a line in [`FAMILIES`].

use std::sync::LazyLock;

use crate::command::{Commands, Family};
use crate::keyspace::Keyspace;
use crate::state::State;
use crate::time::Now;

mod bits;
mod cluster;
mod config;
mod connection;
mod debug;
mod geo;
mod hashes;
mod hyperloglog;
mod info;
mod introspection;
mod keys;
mod lists;
mod memory;
mod observability;
mod pubsub;
mod sampling;
mod server;
mod sets;
mod sort;
mod sorted_set_algebra;
mod sorted_set_ranges;
mod sorted_sets;
mod strings;
mod tracking;
mod transactions;
mod wait;

/// The one table, built at its first use.
pub static COMMANDS: LazyLock<Commands> = LazyLock::new(|| Commands::new(FAMILIES));

/// Every section of INFO.
pub(crate) fn info(state: &State, keyspace: &Keyspace, now: Now) -> String {
    info::everything(state, keyspace, now)
}

/// Every family.
pub static FAMILIES: &[Family] = &[
    Family {
        group: "connection",
        category: "connection",
        commands: connection::COMMANDS,
    },
    Family {
        group: "server",
        category: "",
        commands: introspection::COMMANDS,
    },
    Family {
        group: "server",
        category: "",
        commands: config::COMMANDS,
    },
    Family {
        group: "server",
        category: "",
        commands: server::COMMANDS,
    },
    Family {
        group: "server",
        category: "",
        commands: debug::COMMANDS,
    },
    Family {
        group: "server",
        category: "",
        commands: observability::COMMANDS,
    },
    Family {
        group: "server",
        category: "",
        commands: memory::COMMANDS,
    },
    Family {
        group: "server",
        category: "",
        commands: info::COMMANDS,
    },
    Family {
        group: "cluster",
        category: "",
        commands: cluster::CLUSTER,
    },
    Family {
        group: "cluster",
        category: "connection",
        commands: cluster::CONNECTION,
    },
    Family {
        group: "generic",
        category: "keyspace",
        commands: keys::COMMANDS,
    },
    Family {
        group: "server",
        category: "keyspace",
        commands: keys::DATABASES,
    },
    Family {
        group: "generic",
        category: "",
        commands: sort::COMMANDS,
    },
    Family {
        group: "generic",
        category: "connection",
        commands: wait::COMMANDS,
    },
    Family {
        group: "string",
        category: "string",
        commands: strings::COMMANDS,
    },
    Family {
        group: "bitmap",
        category: "bitmap",
        commands: bits::COMMANDS,
    },
    Family {
        group: "list",
        category: "list",
        commands: lists::COMMANDS,
    },
    Family {
        group: "hash",
        category: "hash",
        commands: hashes::COMMANDS,
    },
    Family {
        group: "set",
        category: "set",
        commands: sets::COMMANDS,
    },
    Family {
        group: "sorted-set",
        category: "sortedset",
        commands: sorted_sets::COMMANDS,
    },
    Family {
        group: "sorted-set",
        category: "sortedset",
        commands: sorted_set_ranges::COMMANDS,
    },
    Family {
        group: "sorted-set",
        category: "sortedset",
        commands: sorted_set_algebra::COMMANDS,
    },
    Family {
        group: "hyperloglog",
        category: "hyperloglog",
        commands: hyperloglog::COMMANDS,
    },
    Family {
        group: "geo",
        category: "geo",
        commands: geo::COMMANDS,
    },
    Family {
        group: "stream",
        category: "stream",
        commands: &[],
    },
    Family {
        group: "scripting",
        category: "scripting",
        commands: &[],
    },
    Family {
        group: "transactions",
        category: "transaction",
        commands: transactions::COMMANDS,
    },
    Family {
        group: "pubsub",
        category: "",
        commands: pubsub::COMMANDS,
    },
];
