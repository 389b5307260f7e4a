//! Values and bytes make the way there and back.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(
    tests::properties::roundtrip,
    case
));
