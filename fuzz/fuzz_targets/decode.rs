//! Any bytes decode to what the naive decoder finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(
    tests::properties::decode,
    case
));
