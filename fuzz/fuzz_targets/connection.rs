//! Whole connections over sockets in memory, cut anywhere, answer what the engine alone answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(
    tests::properties::connection,
    case
));
