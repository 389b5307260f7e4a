//! What always holds of the codec, of the engine and of connections, as plain functions that panic where it doesn't.
//!
//! Each reads its case from an [`Unstructured`]. `cargo test` calls them with random bytes and with the committed seeds, a
//! fuzz target of the same name with whatever reaches new code.

// To panic is what a property is for, and its one error is that the input makes no case.
#![allow(clippy::missing_errors_doc, clippy::missing_panics_doc)]

mod connection;
mod differential;
mod engine;
mod reading;
mod writing;

use arbitrary::{Result, Unstructured};

pub use connection::connection;
pub use differential::differential;
pub use engine::engine;
pub use reading::{codec, decode, request, split};
pub use writing::{encode, roundtrip};

/// A property; `Err` means that the bytes make no case.
pub type Property = fn(&mut Unstructured<'_>) -> Result<()>;

/// Every property, under the name of its fuzz target and of its seeds.
pub const ALL: &[(&str, Property)] = &[
    ("decode", decode),
    ("split", split),
    ("roundtrip", roundtrip),
    ("request", request),
    ("encode", encode),
    ("codec", codec),
    ("differential", differential),
    ("engine", engine),
    ("connection", connection),
];

/// Holds a property against the bytes of one case.
pub fn check(property: Property, case: &[u8]) {
    // A case that ends early is none.
    let _ = property(&mut Unstructured::new(case));
}
