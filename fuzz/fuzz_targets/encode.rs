//! What is written is what the naive encoder writes, and can be read.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(
    tests::properties::encode,
    case
));
