//! The tokio-util codecs read what the decoders read.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| tests::properties::check(tests::properties::codec, case));
