//! Other codecs find the same frames where they are known to be right.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(
    tests::properties::differential,
    case
));
