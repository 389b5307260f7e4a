//! The public surface, item by item.
#![cfg(feature = "codec")]
// Exact doubles are the point, here and there.
#![allow(clippy::float_cmp)]

mod codec;
mod decoder;
mod encoder;
mod errors;
mod frame;
mod grammar;
mod large;
mod requests;
