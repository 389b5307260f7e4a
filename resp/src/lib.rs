//! The Redis serialization protocol, RESP2 and RESP3: a zero-copy, resumable parser and an encoder.
//!
//! This crate knows bytes and nothing else: it does no I/O and reads no clock, so it fits into clients, proxies
//! and servers of any runtime. Nothing is allocated from a length that a peer announces, nothing recurses over
//! the input, and decoding is linear in the bytes received, however they are cut.
//!
//! # Reading
//!
//! The grammar is one core with a level for each need:
//!
//! - [`grammar`]: single elements, straight from the nom parsers, without any allocator.
//! - [`Decoder`]: whole frames as they arrive, as views ([`FrameRef`]) into the caller's buffer. A view is the
//!   frame's wire bytes and a flat index of its elements; [`FrameRef::value`] matches on one level,
//!   [`FrameRef::as_str`] and its like take values out.
//! - [`Decoder::decode_shared`]: the same frames to keep ([`Frame`]), sharing the received buffer.
//! - [`RequestDecoder`]: what a server reads, multibulk and inline, many requests in one call.
//!
//! ```
//! use resp::{Decoder, Limits, Value};
//!
//! let mut decoder = Decoder::new(Limits::client());
//! let frames = decoder.decode(b"*2\r\n$3\r\nkey\r\n:42\r\n+half of a li")?;
//! let mut total = 0;
//! for frame in &frames {
//!     let Value::Array(items) = frame.value() else { continue };
//!     total += items.filter_map(|item| item.as_i64().ok()).sum::<i64>();
//! }
//! assert_eq!(total, 42);
//! assert_eq!(frames.consumed(), 18);
//! # Ok::<(), resp::Error>(())
//! ```
//!
//! # Writing
//!
//! [`Encoder`] writes elements, frames and requests to any [`Output`], as RESP3 or as the RESP2 form of it.
//! [`Segments`] is an output for vectored writes, [`Length`] one that only counts.
//!
//! ```
//! use resp::{Encoder, Protocol};
//!
//! let mut output = Vec::new();
//! Encoder::new(&mut output, Protocol::Resp2).request(&["GET", "key"]);
//! assert_eq!(output, b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
//! ```
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `codec` | yes | [`ClientCodec`] and [`ServerCodec`] for tokio-util's `Framed`; needs `std` |
//! | `std` | yes | faster searches, chosen by what the processor has; needs `alloc` |
//! | `alloc` | with `std` | frames, decoders, the encoder: everything but [`grammar`] |
//!
//! Without any of them the crate is `no_std` and needs no allocator.
//!
//! # References
//!
//! [The RESP3 specification](https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md) and
//! [Redis' page on the protocol](https://redis.io/docs/latest/develop/reference/protocol-spec/).

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod grammar;

#[cfg(feature = "codec")]
mod codec;
#[cfg(feature = "alloc")]
mod decimal;
#[cfg(feature = "alloc")]
mod decoder;
#[cfg(feature = "alloc")]
mod display;
#[cfg(feature = "alloc")]
mod encoder;
mod error;
#[cfg(feature = "alloc")]
mod frame;
#[cfg(feature = "alloc")]
mod inline;
mod limits;
mod number;
#[cfg(feature = "alloc")]
mod owned;
#[cfg(feature = "alloc")]
mod owned_request;
#[cfg(feature = "alloc")]
mod request;

#[cfg(feature = "codec")]
pub use codec::{ClientCodec, CodecError, ServerCodec};
#[cfg(feature = "alloc")]
pub use decoder::{Decoder, Frames};
#[cfg(feature = "alloc")]
pub use encoder::{
    Encoder, Length, NotABigNumber, Output, Protocol, Segments, frame_len, request_len,
};
pub use error::{Error, ErrorKind};
#[cfg(feature = "alloc")]
pub use frame::{Chunks, FrameRef, Items, Pairs, TypeError, Value};
pub use limits::Limits;
#[cfg(feature = "alloc")]
pub use owned::{Batch, Frame};
#[cfg(feature = "alloc")]
pub use owned_request::{Request, RequestBatch};
#[cfg(feature = "alloc")]
pub use request::{RequestDecoder, RequestRef, Requests};

/// The project's README, whose Rust code is tested like the documentation's.
#[cfg(all(doctest, feature = "codec"))]
#[doc = include_str!("../../README.md")]
pub struct Readme;
