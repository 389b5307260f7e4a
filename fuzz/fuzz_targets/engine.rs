//! Any calls, straight into the engine, are answered as they should be.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(
    tests::properties::engine,
    case
));
