//! What is legal on the wire and what is an error, row by row: each read whole, byte by byte, and in every two pieces.

#![cfg(feature = "alloc")]

mod frames;
mod limits;
mod lines;
mod requests;

use resp::{Decoder, ErrorKind, ErrorKind as Kind, Limits, RequestDecoder};

/// The frames as texts, the bytes they took, and the kind and offset of the error behind them.
type Outcome = (Vec<String>, usize, Option<(ErrorKind, u64)>);

fn decode<'b>(pieces: impl IntoIterator<Item = &'b [u8]>, limits: Limits) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let (mut buffer, mut texts, mut consumed) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&buffer) {
                Ok(frames) if frames.is_empty() => break,
                Ok(frames) => {
                    texts.extend(frames.iter().map(|frame| frame.to_string()));
                    consumed += frames.consumed();
                    let taken = frames.consumed();
                    assert!(taken > 0, "frames of no bytes");
                    buffer.drain(..taken);
                }
                Err(error) => return (texts, consumed, Some((error.kind, error.offset))),
            }
        }
    }
    (texts, consumed, None)
}

fn read_requests<'b>(pieces: impl IntoIterator<Item = &'b [u8]>, limits: Limits) -> Outcome {
    let mut decoder = RequestDecoder::new(limits);
    let (mut buffer, mut texts, mut consumed) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&buffer) {
                Ok(found) if found.consumed() == 0 => break,
                Ok(found) => {
                    texts.extend(found.iter().map(|request| format!("{request:?}")));
                    consumed += found.consumed();
                    let taken = found.consumed();
                    buffer.drain(..taken);
                }
                Err(error) => return (texts, consumed, Some((error.kind, error.offset))),
            }
        }
    }
    (texts, consumed, None)
}

/// Whole, byte by byte, and in every two pieces.
#[track_caller]
fn however_cut(bytes: &[u8], read: impl Fn(Vec<&[u8]>) -> Outcome) -> Outcome {
    let whole = read(vec![bytes]);
    assert_eq!(
        read(bytes.chunks(1).collect()),
        whole,
        "{}",
        bytes.escape_ascii()
    );
    // A long input is cut where it begins and where it ends.
    for at in (0..bytes.len()).filter(|at| *at < 600 || bytes.len() - at < 100) {
        let (left, right) = bytes.split_at(at);
        assert_eq!(
            read(vec![left, right]),
            whole,
            "{} | {}",
            left.escape_ascii(),
            right.escape_ascii()
        );
    }
    whole
}

/// These bytes are these frames, all of them.
#[track_caller]
fn frames_within(limits: Limits, bytes: impl AsRef<[u8]>, texts: &[&str]) {
    let bytes = bytes.as_ref();
    let outcome = however_cut(bytes, |pieces| decode(pieces, limits));
    let texts = texts.iter().copied().map(str::to_owned).collect();
    assert_eq!(outcome, (texts, bytes.len(), None));
}

#[track_caller]
fn are_frames(bytes: impl AsRef<[u8]>, texts: &[&str]) {
    frames_within(Limits::client(), bytes, texts);
}

#[track_caller]
fn frame(bytes: impl AsRef<[u8]>, text: &str) {
    are_frames(bytes, &[text]);
}

/// No frame, no error, all of it kept.
#[track_caller]
fn incomplete(bytes: impl AsRef<[u8]>) {
    let outcome = however_cut(bytes.as_ref(), |pieces| decode(pieces, Limits::client()));
    assert_eq!(outcome, (Vec::new(), 0, None));
}

#[track_caller]
fn fails_within(limits: Limits, bytes: impl AsRef<[u8]>, kind: ErrorKind, offset: u64) {
    let bytes = bytes.as_ref();
    let (_, _, error) = however_cut(bytes, |pieces| decode(pieces, limits));
    assert_eq!(error, Some((kind, offset)), "{}", bytes.escape_ascii());
}

#[track_caller]
fn fails(bytes: impl AsRef<[u8]>, kind: ErrorKind, offset: u64) {
    fails_within(Limits::client(), bytes, kind, offset);
}

fn strict() -> Limits {
    Limits {
        strict: true,
        ..Limits::client()
    }
}

#[track_caller]
fn request_within(limits: Limits, bytes: impl AsRef<[u8]>, texts: &[&str]) {
    let bytes = bytes.as_ref();
    let outcome = however_cut(bytes, |pieces| read_requests(pieces, limits));
    let texts = texts.iter().copied().map(str::to_owned).collect();
    assert_eq!(outcome, (texts, bytes.len(), None));
}

#[track_caller]
fn request(bytes: impl AsRef<[u8]>, texts: &[&str]) {
    request_within(Limits::server(), bytes, texts);
}

#[track_caller]
fn refused_within(limits: Limits, bytes: impl AsRef<[u8]>, text: &str, kind: Kind, offset: u64) {
    let bytes = bytes.as_ref();
    let (_, _, error) = however_cut(bytes, |pieces| {
        let (texts, _, error) = read_requests(pieces, limits);
        // Whether what a server skips counts as consumed before an error depends on the cut, and matters to nobody.
        (texts, 0, error)
    });
    assert_eq!(error, Some((kind, offset)), "{}", bytes.escape_ascii());
    let mut decoder = RequestDecoder::new(limits);
    while let Ok(found) = decoder.decode(bytes) {
        // Requests before the error come first; an error needs no more bytes than there are.
        assert!(!found.is_empty());
    }
    let error = decoder.decode(bytes).unwrap_err();
    assert_eq!(
        error.server_text().to_string(),
        format!("Protocol error: {text}")
    );
}

#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, text: &str, kind: ErrorKind, offset: u64) {
    refused_within(Limits::server(), bytes, text, kind, offset);
}
