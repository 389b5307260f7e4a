//! However bytes are cut, they give the same frames and the same error.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(tests::properties::split, case));
