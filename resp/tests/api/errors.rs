//! Errors and limits: their texts and their figures.

use std::collections::HashSet;
use std::error::Error as _;

use resp::{Decoder, ErrorKind, Limits, RequestDecoder};

#[test]
fn every_fault_has_a_text_of_its_own_on_one_line() {
    let texts: HashSet<String> = ErrorKind::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), ErrorKind::ALL.len());
    assert_eq!(ErrorKind::ALL.len(), 31);
    for byte in 0..=u8::MAX {
        let text = ErrorKind::ExpectedBulkString(byte).to_string();
        assert!(
            text.starts_with("Protocol error: expected '$', got '"),
            "{text}"
        );
        assert!(
            text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{text}"
        );
    }
    for text in texts {
        assert!(text.starts_with("Protocol error: "), "{text}");
        assert!(!text.contains(['\r', '\n']), "{text}");
    }
}

#[test]
fn texts_of_faults_in_frames() {
    for (kind, text) in [
        (ErrorKind::UnknownType, "unknown type byte"),
        (
            ErrorKind::MissingTerminator,
            "expected CRLF after the payload",
        ),
        (ErrorKind::BareLineBreak, "CR or LF inside a line"),
        (ErrorKind::InvalidInteger, "invalid integer"),
        (ErrorKind::InvalidLength, "invalid length"),
        (ErrorKind::TooDeep, "nested too deeply"),
        (
            ErrorKind::ExpectedBulkString(b'\''),
            "expected '$', got '''",
        ),
    ] {
        assert_eq!(kind.to_string(), format!("Protocol error: {text}"));
    }
}

#[test]
fn an_error_is_small_and_tells_where() {
    let error = Decoder::new(Limits::client())
        .decode(b"*1\r\n@")
        .unwrap_err();
    let copy = error;
    assert_eq!(copy, error);
    assert_eq!(
        error.to_string(),
        "Protocol error: unknown type byte at byte 4"
    );
    assert_eq!(error.server_text(), ErrorKind::UnknownType);
    assert!(error.source().is_none());
    assert!(size_of_val(&error) <= 16);
    let error = RequestDecoder::new(Limits::server())
        .decode(b"*1\r\n:")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Protocol error: expected '$', got ':' at byte 4"
    );
}

#[test]
fn presets() {
    assert_eq!(
        Limits::client(),
        Limits {
            depth: 128,
            line_bytes: 1_048_576,
            bulk_bytes: 536_870_912,
            elements: 67_108_864,
            frame_elements: 67_108_864,
            frame_bytes: 1_073_741_824,
            strict: false,
            unauthenticated: false,
        }
    );
    assert_eq!(
        Limits::server(),
        Limits {
            depth: 32,
            line_bytes: 65_536,
            bulk_bytes: 536_870_912,
            elements: 2_147_483_647,
            frame_elements: 2_147_483_647,
            frame_bytes: 1_073_741_824,
            strict: false,
            unauthenticated: false,
        }
    );
    assert_eq!(
        Limits::unauthenticated(),
        Limits {
            depth: 32,
            line_bytes: 65_536,
            bulk_bytes: 16_384,
            elements: 10,
            frame_elements: 10,
            frame_bytes: 1_048_576,
            strict: false,
            unauthenticated: true,
        }
    );
    assert_eq!(Limits::default(), Limits::client());
}
