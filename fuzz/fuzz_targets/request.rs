//! Any bytes, however cut, are the requests that the naive reader finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(
    tests::properties::request,
    case
));
