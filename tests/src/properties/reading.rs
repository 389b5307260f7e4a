//! Properties of what reads: against the naive decoders, whole and in pieces, by every engine.

use arbitrary::{Result, Unstructured};
use bytes::{Buf, BytesMut};
use resp::grammar::element;
use resp::{
    ClientCodec, CodecError, Decoder, Error, ErrorKind, Frame, FrameRef, Limits, Request,
    RequestDecoder, ServerCodec,
};
use tokio_util::codec::{Decoder as _, Encoder as _};

use crate::naive::{self, Value};
use crate::{generate, model, naive_request};

/// What a stream held, how much of it that took, and the error that ended it.
#[derive(Debug, PartialEq)]
struct Outcome<T> {
    values: Vec<T>,
    consumed: usize,
    error: Option<(ErrorKind, usize)>,
}

impl<T> Default for Outcome<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            consumed: 0,
            error: None,
        }
    }
}

impl<T> Outcome<T> {
    fn fail(&mut self, error: Error) {
        self.error = Some((error.kind, error.offset as usize));
    }
}

/// What a decoder may wait for before it tells an error, while a frame is known to lack as much.
const AWAITED: [u8; 4096] = [b'x'; 4096];

/// Any bytes decode to what the naive decoder finds, or fail with the same error at the same byte.
pub fn decode(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = generate::limits(u)?;
    let bytes = generate::frame_bytes(u)?;
    let expected = naive_frames(&bytes, &limits);
    let found = frames(Engine::Whole, [&bytes[..]].into_iter(), &limits);
    assert_eq!(found, expected, "{} {limits:?}", bytes.escape_ascii());
    elements_fill(&bytes[..expected.consumed], &limits);
    Ok(())
}

/// However bytes are cut, and by whichever engine they are read, they give the same frames and the same error.
pub fn split(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = generate::limits(u)?;
    let engine = Engine::ALL[usize::from(generate::choice(u, 3)?)];
    let sizes = generate::cut(u)?;
    let bytes = generate::frame_bytes(u)?;
    let whole = frames(Engine::Whole, [&bytes[..]].into_iter(), &limits);
    let pieces = || generate::pieces(&bytes, &sizes);
    let mut cut = frames(engine, pieces(), &limits);
    if cut.error.is_none() && whole.error.is_some() {
        cut = frames(engine, pieces().chain([&AWAITED[..]]), &limits);
    }
    assert_eq!(
        cut,
        whole,
        "{} {engine:?} {sizes:?} {limits:?}",
        bytes.escape_ascii()
    );
    Ok(())
}

/// Any bytes, however cut, are read as the requests that the naive reader finds, or fail with the same error.
pub fn request(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = generate::limits(u)?;
    let shared = generate::choice(u, 2)? == 1;
    let sizes = generate::cut(u)?;
    let bytes = generate::request_bytes(u)?;
    let expected = naive_requests(&bytes, &limits);
    let found = requests(shared, generate::pieces(&bytes, &sizes), &limits);
    assert_eq!(
        found,
        expected,
        "{} {sizes:?} {limits:?}",
        bytes.escape_ascii()
    );
    if u.is_empty() {
        return Ok(());
    }
    let (arguments, bytes) = generate::request(u)?;
    let read = naive_requests(&bytes, &Limits::server());
    assert_eq!((read.values, read.consumed), (vec![arguments], bytes.len()));
    Ok(())
}

/// The tokio-util codecs read what the decoders read, and what one writes the other reads.
pub fn codec(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = generate::limits(u)?;
    let sizes = generate::cut(u)?;
    if generate::choice(u, 2)? == 0 {
        let bytes = generate::frame_bytes(u)?;
        let mut client = ClientCodec::new(limits);
        let plain = frames(Engine::Whole, [&bytes[..]].into_iter(), &limits);
        let pieces = || generate::pieces(&bytes, &sizes);
        let (mut read, mut error) = all(&mut client, pieces());
        if error.is_none() && plain.error.is_some() {
            client = ClientCodec::new(limits);
            (read, error) = all(&mut client, pieces().chain([&AWAITED[..]]));
        }
        let read: Vec<Value> = read
            .iter()
            .map(|frame| model::value(frame.as_ref()))
            .collect();
        assert_eq!((read, error), (plain.values, plain.error));
    } else {
        let bytes = generate::request_bytes(u)?;
        let mut server = ServerCodec::new(limits);
        let plain = requests(false, [&bytes[..]].into_iter(), &limits);
        let (read, error) = all(&mut server, generate::pieces(&bytes, &sizes));
        let read: Vec<Vec<Vec<u8>>> = read.iter().map(arguments).collect();
        assert_eq!((read, error), (plain.values, plain.error));
    }
    written_is_read(u)
}

fn written_is_read(u: &mut Unstructured<'_>) -> Result<()> {
    let (arguments_written, _) = generate::request(u)?;
    let mut buffer = BytesMut::new();
    let mut client = ClientCodec::default();
    let outcome = match u.int_in_range(0..=2)? {
        0 => client.encode(Request::new(&arguments_written), &mut buffer),
        1 => client.encode(&arguments_written[..], &mut buffer),
        _ => client.encode(arguments_written.clone(), &mut buffer),
    };
    assert!(outcome.is_ok(), "{outcome:?}");
    let mut server = ServerCodec::default();
    let read = server.decode(&mut buffer);
    assert!(
        matches!(&read, Ok(Some(request)) if arguments(request) == arguments_written),
        "{read:?} {arguments_written:?}"
    );
    assert!(buffer.is_empty());

    let written = generate::value(u)?;
    server.set_protocol(resp::Protocol::Resp3);
    let outcome = server.encode(model::frame(&written), &mut buffer);
    assert!(outcome.is_ok(), "{outcome:?}");
    let read = client.decode(&mut buffer);
    assert!(
        matches!(&read, Ok(Some(frame)) if model::value(frame.as_ref()) == written),
        "{read:?} {written:?}"
    );
    assert!(buffer.is_empty());
    Ok(())
}

/// Everything that a codec reads from a connection, up to its first error.
fn all<'b, C>(
    codec: &mut C,
    pieces: impl Iterator<Item = &'b [u8]>,
) -> (Vec<C::Item>, Option<(ErrorKind, usize)>)
where
    C: tokio_util::codec::Decoder<Error = CodecError>,
{
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    // A bound of 0 elements or bytes is exceeded before the first byte.
    for piece in [&b""[..]].into_iter().chain(pieces) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(CodecError::Protocol(error)) => {
                    return (items, Some((error.kind, error.offset as usize)));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    (items, None)
}

/// The elements of whole frames follow one another from the first byte to the last.
fn elements_fill(frames: &[u8], limits: &Limits) {
    let mut rest = frames;
    while !rest.is_empty() {
        match element(rest, limits) {
            Ok((after, _)) => rest = after,
            Err(error) => panic!("{error:?} in {}", frames.escape_ascii()),
        }
    }
}

fn naive_frames(bytes: &[u8], limits: &Limits) -> Outcome<Value> {
    naive_outcome(bytes, |rest| naive::decode_within(rest, limits))
}

fn naive_requests(bytes: &[u8], limits: &Limits) -> Outcome<Vec<Vec<u8>>> {
    let mut outcome = naive_outcome(bytes, |rest| naive_request::read(rest, limits));
    outcome.values.retain(|arguments| !arguments.is_empty());
    if outcome.error.is_some() {
        // Whether what a server skips counts as consumed before an error depends on the cut, and matters to nobody.
        outcome.consumed = 0;
    }
    outcome
}

fn naive_outcome<T>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> std::result::Result<Option<(T, usize)>, (ErrorKind, usize)>,
) -> Outcome<T> {
    let mut outcome = Outcome::default();
    loop {
        match read(&bytes[outcome.consumed..]) {
            Ok(Some((value, length))) => {
                outcome.consumed += length;
                outcome.values.push(value);
            }
            Ok(None) => return outcome,
            Err((kind, offset)) => {
                outcome.error = Some((kind, outcome.consumed + offset));
                return outcome;
            }
        }
    }
}

/// A way to ask a decoder for frames.
#[derive(Clone, Copy, Debug)]
enum Engine {
    Whole,
    One,
    Shared,
}

impl Engine {
    const ALL: [Self; 3] = [Self::Whole, Self::One, Self::Shared];
}

/// Reads frames as a connection does, and checks what the decoder says about itself on the way.
fn frames<'b>(
    engine: Engine,
    pieces: impl Iterator<Item = &'b [u8]>,
    limits: &Limits,
) -> Outcome<Value> {
    let mut decoder = Decoder::new(*limits);
    let mut buffer = BytesMut::new();
    let mut outcome = Outcome::default();
    // No frame is whole before the stream has come so far.
    let mut promised = 0;
    for piece in [&b""[..]].into_iter().chain(pieces) {
        buffer.extend_from_slice(piece);
        loop {
            let arrived = outcome.consumed + buffer.len();
            match some_frames(engine, &mut decoder, &mut buffer) {
                Ok(values) if values.is_empty() => break,
                Ok(values) => {
                    assert!(arrived >= promised);
                    outcome.values.extend(values);
                    outcome.consumed = arrived - buffer.len();
                }
                Err(error) => {
                    outcome.fail(error);
                    stays_in_error_until_reset(&mut decoder, &buffer, error);
                    return outcome;
                }
            }
        }
        assert_eq!(decoder.offset(), outcome.consumed as u64);
        promised = outcome.consumed + buffer.len() + decoder.missing(&buffer);
    }
    outcome
}

/// What one call gives, its bytes dropped from the buffer.
fn some_frames(
    engine: Engine,
    decoder: &mut Decoder,
    buffer: &mut BytesMut,
) -> std::result::Result<Vec<Value>, Error> {
    match engine {
        Engine::Whole => {
            let frames = decoder.decode(buffer)?;
            let values: Vec<_> = frames.iter().map(model::value).collect();
            assert_eq!(
                (frames.len(), frames.is_empty()),
                (values.len(), values.is_empty())
            );
            let consumed = frames.consumed();
            let wire: Vec<&[u8]> = frames.iter().map(FrameRef::wire).collect();
            assert_eq!(wire.concat(), buffer[..consumed]);
            buffer.advance(consumed);
            Ok(values)
        }
        Engine::One => {
            let Some(frame) = decoder.decode_one(buffer)? else {
                return Ok(Vec::new());
            };
            let value = model::value(frame);
            let consumed = frame.wire().len();
            buffer.advance(consumed);
            Ok(vec![value])
        }
        Engine::Shared => {
            let batch = decoder.decode_shared(buffer)?;
            let count = batch.len();
            let frames: Vec<Frame> = batch.collect();
            assert_eq!(frames.len(), count);
            Ok(frames
                .iter()
                .map(|frame| model::value(frame.as_ref()))
                .collect())
        }
    }
}

fn stays_in_error_until_reset(decoder: &mut Decoder, buffer: &[u8], error: Error) {
    assert_eq!(decoder.decode(buffer).err(), Some(error));
    assert_eq!(decoder.decode(b"").err(), Some(error));
    decoder.set_limits(Limits::client());
    decoder.reset();
    let fresh = decoder.decode(b"*1\r\n+OK\r\n");
    assert!(matches!(fresh, Ok(frames) if frames.consumed() == 9));
}

/// Reads requests as a connection does.
fn requests<'b>(
    shared: bool,
    pieces: impl Iterator<Item = &'b [u8]>,
    limits: &Limits,
) -> Outcome<Vec<Vec<u8>>> {
    let mut decoder = RequestDecoder::new(*limits);
    let mut buffer = BytesMut::new();
    let mut outcome = Outcome::default();
    let mut promised = 0;
    for piece in [&b""[..]].into_iter().chain(pieces) {
        buffer.extend_from_slice(piece);
        loop {
            let arrived = outcome.consumed + buffer.len();
            match some_requests(shared, &mut decoder, &mut buffer) {
                Ok(values) => {
                    assert!(values.is_empty() || arrived >= promised);
                    outcome.values.extend(values);
                    let consumed = arrived - buffer.len();
                    if consumed == outcome.consumed {
                        break;
                    }
                    outcome.consumed = consumed;
                }
                Err(error) => {
                    outcome.fail(error);
                    outcome.consumed = 0;
                    assert_eq!(decoder.decode(&buffer).err(), Some(error));
                    decoder.set_limits(Limits::server());
                    decoder.reset();
                    let fresh = decoder.decode(b"PING\r\n");
                    assert!(matches!(fresh, Ok(requests) if requests.len() == 1));
                    return outcome;
                }
            }
        }
        assert_eq!(decoder.offset(), outcome.consumed as u64);
        promised = outcome.consumed + buffer.len() + decoder.missing(&buffer);
    }
    outcome
}

fn some_requests(
    shared: bool,
    decoder: &mut RequestDecoder,
    buffer: &mut BytesMut,
) -> std::result::Result<Vec<Vec<Vec<u8>>>, Error> {
    if shared {
        let batch = decoder.decode_shared(buffer)?;
        let count = batch.len();
        let values: Vec<_> = batch.map(|request| arguments(&request)).collect();
        assert_eq!(values.len(), count);
        return Ok(values);
    }
    let requests = decoder.decode(buffer)?;
    let values: Vec<Vec<Vec<u8>>> = requests
        .iter()
        .map(|request| request.iter().map(<[u8]>::to_vec).collect())
        .collect();
    assert_eq!(
        (requests.len(), requests.is_empty()),
        (values.len(), values.is_empty())
    );
    let taken = requests.consumed();
    buffer.advance(taken);
    Ok(values)
}

/// The arguments of a request, each of which can be shared.
fn arguments(request: &Request) -> Vec<Vec<u8>> {
    let arguments: Vec<Vec<u8>> = request.as_ref().iter().map(<[u8]>::to_vec).collect();
    for (index, argument) in arguments.iter().enumerate() {
        assert_eq!(request.share(index).as_deref(), Some(&argument[..]));
    }
    assert_eq!(request.share(arguments.len()), None);
    arguments
}
