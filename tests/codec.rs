//! Drives every property of the codec, of the engine and of connections: with random bytes, and with the committed seeds of the fuzz targets.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::prop_oneof;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use tests::properties::{
    ALL, Property, check, codec, connection, decode, differential, encode, engine, request,
    roundtrip, split,
};
use tests::random::Random;

/// Cases for each property. What a case costs varies: all of them together take seconds, not minutes.
const CASES: u32 = 4096;

/// Cases for the engine, each of some dozen calls.
const ENGINE_CASES: usize = 40;

/// Cases for connections, each of some dozen pipelines.
const CONNECTION_CASES: usize = 60;

/// What frames and requests are made of.
const ALPHABET: &[u8] = b"0123\r\n\r\n\r\n0011$*:+-,#_(!=%~>|;.? tfe\"\\'x";

/// Random bytes, half of them such as RESP has.
fn hold(property: Property) {
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // Always the same cases: what random ones find belongs to the fuzz targets.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let byte = prop_oneof![any::<u8>(), select(ALPHABET)];
    let outcome = runner.run(&vec(byte, 0..400), |case| {
        check(property, &case);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn any_bytes_decode_as_the_naive_decoder_decodes_them() {
    hold(decode);
}

#[test]
fn any_cut_gives_the_same_frames_and_the_same_error() {
    hold(split);
}

#[test]
fn values_and_bytes_make_the_way_there_and_back() {
    hold(roundtrip);
}

#[test]
fn any_bytes_are_the_requests_that_the_naive_reader_finds() {
    hold(request);
}

#[test]
fn what_is_written_can_be_read() {
    hold(encode);
}

#[test]
fn the_codecs_read_what_the_decoders_read() {
    hold(codec);
}

#[test]
fn other_codecs_find_the_same_values() {
    hold(differential);
}

#[test]
fn the_engine_answers_whatever_is_asked() {
    // Structured cases need more bytes than frames do, and cost more.
    let mut random = Random::new(1);
    for _ in 0..ENGINE_CASES {
        let mut case = random.bytes(6_000);
        case[..2].copy_from_slice(&[b'0', b'0' + random.byte() % 2]);
        check(engine, &case);
    }
}

#[test]
fn connections_answer_what_the_engine_answers_however_bytes_are_cut() {
    let mut random = Random::new(2);
    for _ in 0..CONNECTION_CASES {
        let mut case = random.bytes(3_000);
        case[0] = b'1';
        check(connection, &case);
    }
}

#[test]
fn every_seed_holds() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    for (name, property) in ALL {
        let folder = seeds.join(name);
        let entries = fs::read_dir(&folder).expect("each target has seeds");
        let mut count = 0;
        for entry in entries {
            let path = entry.expect("a folder's entry").path();
            println!("{}", path.display());
            check(*property, &fs::read(&path).expect("a seed is readable"));
            count += 1;
        }
        assert!(count > 0, "{name} has no seed");
    }
}
