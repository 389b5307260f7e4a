//! Properties of what writes: values to bytes to values, and nothing written that can't be read.

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::{Bytes, BytesMut};
use resp::{Decoder, Encoder, Frame, Length, Limits, Output, Protocol, Segments, frame_len};

use crate::naive::{self, Value};
use crate::{generate, model, naive_encoder};

/// Value to bytes to value; canonical bytes to value to bytes; every strict prefix is incomplete.
pub fn roundtrip(u: &mut Unstructured<'_>) -> Result<()> {
    let value = generate::value(u)?;
    let canonical = naive_encoder::encode(&value, Protocol::Resp3);
    let built = model::frame(&value);
    assert_eq!(
        built.wire().escape_ascii().to_string(),
        canonical.escape_ascii().to_string()
    );
    let read = read_whole(&canonical);
    assert_eq!(model::value(read.as_ref()), value);
    assert_eq!(read, built);

    let loose = generate::loose(&value, u)?;
    let read = read_whole(&loose);
    assert_eq!(
        model::value(read.as_ref()),
        value,
        "{}",
        loose.escape_ascii()
    );
    assert_eq!(read, built, "{}", loose.escape_ascii());
    assert_eq!(read.to_string(), built.to_string());
    assert_eq!(read.detach(), read);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let expected = match protocol {
            Protocol::Resp2 => naive_encoder::encode(&value, protocol),
            Protocol::Resp3 => loose.clone(),
        };
        writes(&expected, protocol, u, |output| {
            Encoder::new(output, protocol).frame(read.as_ref());
        })?;
        assert_eq!(frame_len(read.as_ref(), protocol), expected.len());
    }
    prefixes_are_incomplete(&loose);
    Ok(())
}

/// The one frame that these bytes are, through either door; another byte behind it is left alone.
fn read_whole(bytes: &[u8]) -> Frame {
    let frame = Frame::from_wire(Bytes::copy_from_slice(bytes), Limits::client());
    let frame = match frame {
        Ok(Some(frame)) => frame,
        other => panic!("{other:?} from {}", bytes.escape_ascii()),
    };
    let longer = [bytes, b"?"].concat();
    let mut decoder = Decoder::new(Limits::client());
    match decoder.decode(&longer) {
        Ok(frames) => {
            assert_eq!((frames.len(), frames.consumed()), (1, bytes.len()));
            assert!(frames.iter().all(|other| frame == other));
        }
        Err(error) => panic!("{error} in {}", longer.escape_ascii()),
    }
    frame
}

fn prefixes_are_incomplete(bytes: &[u8]) {
    // Byte by byte through one decoder; the end of each prefix is where `split` cuts.
    let mut decoder = Decoder::new(Limits::client());
    for end in 0..bytes.len() {
        match decoder.decode_one(&bytes[..end]) {
            Ok(None) => {}
            other => panic!("{other:?} from {}", bytes[..end].escape_ascii()),
        }
    }
    assert!(matches!(decoder.decode_one(bytes), Ok(Some(_))));
}

/// Whatever is written, in either version and to any output, is what the naive encoder writes, and can be read.
pub fn encode(u: &mut Unstructured<'_>) -> Result<()> {
    let protocol = if bool::arbitrary(u)? {
        Protocol::Resp3
    } else {
        Protocol::Resp2
    };
    let mut values = Vec::new();
    for _ in 0..=u.int_in_range(0..=3)? {
        values.push(match u.int_in_range(0..=4)? {
            // Texts with line breaks, which must not end the line.
            0 => Value::SimpleString(generate::payload(u)?),
            1 => Value::SimpleError(generate::payload(u)?),
            2 => {
                Value::SimpleError([&b"ERR "[..], &generate::payload(u)?, b"\r\n+OK\r\n"].concat())
            }
            _ => generate::value(u)?,
        });
    }
    let expected: Vec<u8> = values
        .iter()
        .flat_map(|value| naive_encoder::encode(value, protocol))
        .collect();
    writes(&expected, protocol, u, |output| {
        let mut encoder = Encoder::new(output, protocol);
        assert_eq!(encoder.protocol(), protocol);
        for value in &values {
            emit(&mut encoder, value);
        }
    })?;
    can_be_read(&expected, values.len(), protocol);

    let (arguments, _) = generate::request(u)?;
    let items = arguments.iter().cloned().map(Value::BulkString).collect();
    let expected = naive_encoder::encode(&Value::Array(items), protocol);
    writes(&expected, protocol, u, |output| {
        Encoder::new(output, protocol).request(&arguments);
    })?;
    assert_eq!(resp::request_len(&arguments), expected.len());
    Ok(())
}

/// Every output takes the same bytes.
fn writes<'p>(
    expected: &[u8],
    protocol: Protocol,
    u: &mut Unstructured<'_>,
    write: impl Fn(&mut dyn Output<'p>),
) -> Result<()> {
    let mut vec = b"before".to_vec();
    write(&mut vec);
    assert_eq!(
        vec[6..].escape_ascii().to_string(),
        expected.escape_ascii().to_string(),
        "{protocol:?}"
    );
    let mut buffer = BytesMut::new();
    write(&mut buffer);
    assert_eq!(buffer, expected);
    let mut length = Length::default();
    write(&mut length);
    assert_eq!(length.bytes(), expected.len());
    let mut segments = Segments::new(usize::from(u8::arbitrary(u)?) % 20);
    write(&mut segments);
    let slices: Vec<&[u8]> = segments.iter().collect();
    assert!(slices.iter().all(|slice| !slice.is_empty()));
    assert_eq!(slices.concat(), expected);
    assert_eq!(
        (segments.len(), segments.is_empty()),
        (expected.len(), expected.is_empty())
    );
    Ok(())
}

/// The decoder finds so many values and nothing else; in RESP2, only the types of RESP2.
fn can_be_read(bytes: &[u8], count: usize, protocol: Protocol) {
    let mut decoder = Decoder::new(Limits::client());
    let frames = decoder.decode(bytes).expect("what the encoder wrote");
    assert_eq!((frames.len(), frames.consumed()), (count, bytes.len()));
    let mut rest = bytes;
    while let Ok(Some((value, length))) = naive::decode(rest) {
        assert!(protocol == Protocol::Resp3 || is_resp2(&value), "{value:?}");
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
}

fn is_resp2(value: &Value) -> bool {
    match value {
        Value::SimpleString(_)
        | Value::SimpleError(_)
        | Value::Integer(_)
        | Value::BulkString(_)
        | Value::NullBulkString
        | Value::NullArray => true,
        Value::Array(items) => items.iter().all(is_resp2),
        _ => false,
    }
}

/// Writes a value element by element.
fn emit<'p>(encoder: &mut Encoder<'_, dyn Output<'p> + '_>, value: &'p Value) {
    match value {
        Value::SimpleString(text) => encoder.simple_string(text),
        Value::SimpleError(text) => encoder.simple_error(text),
        Value::Integer(integer) => encoder.integer(*integer),
        // Both doors, by a rule that the input decides.
        Value::BulkString(text) if text.len() % 2 == 0 => encoder.bulk_string_copy(text),
        Value::BulkString(text) => encoder.bulk_string(text),
        Value::NullBulkString => encoder.null_bulk_string(),
        Value::NullArray => encoder.null_array(),
        Value::Null => encoder.null(),
        Value::Boolean(boolean) => encoder.boolean(*boolean),
        Value::Double(double) => encoder.double(*double),
        Value::BigNumber(digits) => encoder.big_number(digits).expect("digits"),
        Value::BulkError(text) => encoder.bulk_error(text),
        Value::VerbatimString(format, text) => encoder.verbatim_string(*format, text),
        Value::Array(items) => {
            encoder.array(items.len());
            for item in items {
                emit(encoder, item);
            }
        }
        Value::Set(items) => {
            encoder.set(items.len());
            for item in items {
                emit(encoder, item);
            }
        }
        Value::Push(items) => {
            encoder.push(items.len());
            for item in items {
                emit(encoder, item);
            }
        }
        Value::Map(pairs) => {
            encoder.map(pairs.len());
            emit_pairs(encoder, pairs);
        }
        Value::Attributed(attributes, described) => {
            for pairs in attributes {
                if encoder.attribute(pairs.len()) {
                    emit_pairs(encoder, pairs);
                }
            }
            emit(encoder, described);
        }
    }
}

fn emit_pairs<'p>(encoder: &mut Encoder<'_, dyn Output<'p> + '_>, pairs: &'p [(Value, Value)]) {
    for (key, value) in pairs {
        emit(encoder, key);
        emit(encoder, value);
    }
}
