//! The decoder of frames: what it says of itself, its state between calls, its limits.

use bytes::BytesMut;
use resp::{Batch, Decoder, ErrorKind, Frame, FrameRef, Limits};

#[test]
fn frames_of_one_call() {
    let mut decoder = Decoder::new(Limits::client());
    let frames = decoder.decode(b"+OK\r\n:1\r\n*1\r\n").unwrap();
    assert_eq!(frames.len(), 2);
    assert!(!frames.is_empty());
    assert_eq!(frames.consumed(), 9);
    assert_eq!(format!("{frames:?}"), r#"[simple "OK", integer 1]"#);
    let texts: Vec<String> = (&frames)
        .into_iter()
        .map(|frame| frame.to_string())
        .collect();
    assert_eq!(texts, [r#"simple "OK""#, "integer 1"]);
    assert_eq!(frames.into_iter().len(), 2);
    let frames = decoder.decode(b"*1\r\n").unwrap();
    assert_eq!(
        (frames.len(), frames.is_empty(), frames.consumed()),
        (0, true, 0)
    );
}

#[test]
fn one_frame_at_a_time() {
    let mut decoder = Decoder::new(Limits::client());
    let bytes = b"*1\r\n:1\r\n_\r\n+O";
    let first = decoder.decode_one(bytes).unwrap().unwrap();
    assert_eq!(first.wire(), b"*1\r\n:1\r\n");
    let second = decoder.decode_one(&bytes[8..]).unwrap().unwrap();
    assert_eq!(second.wire(), b"_\r\n");
    assert!(decoder.decode_one(&bytes[11..]).unwrap().is_none());
    assert_eq!(decoder.offset(), 11);
    // Those that come by the million, too.
    decoder.reset();
    let bytes = b"+OK\r\n+OK\r\n:1\r\n:2\r\n$1\r\na\r\n";
    let mut at = 0;
    for text in [
        r#"simple "OK""#,
        r#"simple "OK""#,
        "integer 1",
        "integer 2",
        r#"bulk "a""#,
    ] {
        let frame = decoder.decode_one(&bytes[at..]).unwrap().unwrap();
        assert_eq!(frame.to_string(), text);
        at += frame.wire().len();
        assert_eq!(decoder.offset(), at as u64);
    }
}

#[test]
fn what_is_missing_at_least() {
    let mut decoder = Decoder::new(Limits::client());
    let mut missing = |bytes: &[u8]| {
        decoder.reset();
        let consumed = decoder.decode(bytes).unwrap().consumed();
        decoder.missing(&bytes[consumed..])
    };
    assert_eq!(missing(b""), 1);
    assert_eq!(missing(b"+"), 1);
    assert_eq!(missing(b"+OK\r"), 1);
    assert_eq!(missing(b"$10\r\n"), 12);
    assert_eq!(missing(b"$10\r\nabc"), 9);
    assert_eq!(missing(b"$10\r\n0123456789\r"), 1);
    assert_eq!(missing(b"*2\r\n:1\r\n"), 1);
    assert_eq!(missing(b"*2\r\n:1\r\n$100\r\n"), 102);
    assert_eq!(missing(b"+OK\r\n"), 1);
    assert_eq!(missing(b"+OK\r\n$3\r\n"), 5);
    assert_eq!(missing(b"$536870912\r\n"), 536_870_914);
    // Before the first call, and with bytes that were not yet decoded.
    decoder.reset();
    assert_eq!(decoder.missing(b""), 1);
    assert_eq!(decoder.missing(b"+OK"), 1);
}

#[test]
fn a_frame_that_lacks_much_is_looked_at_by_portions() {
    let mut decoder = Decoder::new(Limits::client());
    let mut bytes = b"*100000\r\n".to_vec();
    assert!(decoder.decode(&bytes).unwrap().is_empty());
    // A fault waits for as many bytes as were said to be missing.
    bytes.resize(9 + 4095, b'@');
    assert!(decoder.decode(&bytes).unwrap().is_empty());
    assert_eq!(decoder.missing(&bytes), 1);
    bytes.push(b'@');
    let error = decoder.decode(&bytes).unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::UnknownType, 9));
}

#[test]
fn what_lacks_much_is_known_by_what_was_announced() {
    let mut decoder = Decoder::new(Limits::client());
    let mut missing = |bytes: &[u8]| {
        decoder.reset();
        assert!(decoder.decode(bytes).unwrap().is_empty());
        decoder.missing(bytes)
    };
    // Each element takes three bytes, or more, and the first one of those that are missing is looked at in any case.
    assert_eq!(missing(b"*1366\r\n"), 4096);
    assert_eq!(missing(b"*1365\r\n"), 1);
    assert_eq!(missing(b"*1366\r\n:1\r\n"), 1);
    assert_eq!(missing(b"*67108863\r\n$3\r\nab"), 4096);
    assert_eq!(missing(b"*67108863\r\n$10000\r\nab"), 10_000);
    assert_eq!(missing(b"%683\r\n"), 4096);
    assert_eq!(missing(b"|683\r\n"), 4096);
    assert_eq!(missing(b"~1366\r\n"), 4096);
    assert_eq!(missing(b">1366\r\n"), 4096);
    // In the outermost aggregate and in the innermost one, together.
    assert_eq!(missing(b"*1000\r\n*368\r\n"), 4096);
    assert_eq!(missing(b"*1000\r\n*366\r\n"), 1);
    assert_eq!(missing(b"*1367\r\n*1\r\n*1\r\n"), 4096);
    assert_eq!(missing(b"*1\r\n*1\r\n*1366\r\n"), 4096);
    assert_eq!(missing(b"*?\r\n*1366\r\n"), 4096);
    assert_eq!(missing(b"*1367\r\n*?\r\n"), 4096);
    assert_eq!(missing(b"*1367\r\n$?\r\n"), 4096);
    // Nothing is known of what a streamed aggregate lacks.
    let mut streamed = b"*?\r\n".to_vec();
    streamed.extend_from_slice(&b":1\r\n".repeat(1367));
    assert_eq!(missing(&streamed), 1);
}

#[test]
fn a_frame_that_is_too_long_is_not_waited_for() {
    let mut decoder = Decoder::new(Limits {
        frame_bytes: 100,
        ..Limits::client()
    });
    let mut bytes = b"*2000\r\n".to_vec();
    assert!(decoder.decode(&bytes).unwrap().is_empty());
    assert_eq!(decoder.missing(&bytes), 93);
    bytes.resize(99, b'_');
    assert!(decoder.decode(&bytes).unwrap().is_empty());
    bytes.push(b'_');
    let error = decoder.decode(&bytes).unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::FrameTooLong, 7));
}

#[test]
fn what_was_seen_is_not_looked_at_again() {
    let mut decoder = Decoder::new(Limits::client());
    assert!(
        decoder
            .decode(b"*2\r\n$3\r\nabc\r\n$4\r\nde")
            .unwrap()
            .is_empty()
    );
    let frames = decoder
        .decode(b"*2\r\n$3\r\nabc\r\n$4\r\ndefg\r\n+")
        .unwrap();
    assert_eq!(
        format!("{frames:?}"),
        r#"[array [bulk "abc", bulk "defg"]]"#
    );
    assert_eq!(frames.consumed(), 23);
    assert!(decoder.decode(b"+").unwrap().is_empty());
    assert_eq!(decoder.decode(b"+OK\r\n").unwrap().len(), 1);
    assert_eq!(decoder.offset(), 28);
}

#[test]
fn a_shorter_buffer_than_before_is_no_panic() {
    let mut decoder = Decoder::new(Limits::client());
    assert!(decoder.decode(b"*3\r\n:1\r\n:2\r\n").unwrap().is_empty());
    assert!(decoder.decode(b"*3").unwrap().is_empty());
    assert!(decoder.decode(b"").unwrap().is_empty());
    assert_eq!(decoder.missing(b""), 13);
}

#[test]
fn frames_before_an_error_come_first() {
    let mut decoder = Decoder::new(Limits::client());
    let frames = decoder.decode(b"+OK\r\n:1\r\n@").unwrap();
    assert_eq!((frames.len(), frames.consumed()), (2, 9));
    let error = decoder.decode(b"@").unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::UnknownType, 9));
    assert_eq!(decoder.decode(b"+OK\r\n").unwrap_err(), error);
    assert_eq!(decoder.decode_one(b"+OK\r\n").unwrap_err(), error);
    let mut buffer = BytesMut::from(&b"+OK\r\n"[..]);
    assert_eq!(decoder.decode_shared(&mut buffer).unwrap_err(), error);
    assert_eq!(buffer, "+OK\r\n");
    assert_eq!(decoder.offset(), 9);
    decoder.reset();
    assert_eq!(decoder.offset(), 0);
    assert_eq!(decoder.decode(b"+OK\r\n").unwrap().len(), 1);
}

#[test]
fn reset_forgets_the_frame_under_way() {
    let mut decoder = Decoder::new(Limits::client());
    assert!(
        decoder
            .decode(b"*2\r\n*?\r\n+a long line without")
            .unwrap()
            .is_empty()
    );
    decoder.reset();
    assert_eq!(decoder.limits(), &Limits::client());
    let frames = decoder.decode(b":1\r\n").unwrap();
    assert_eq!(format!("{frames:?}"), "[integer 1]");
}

#[test]
fn limits_change_on_a_live_connection() {
    let narrow = Limits {
        bulk_bytes: 2,
        depth: 1,
        ..Limits::client()
    };
    let mut decoder = Decoder::new(narrow);
    assert_eq!(decoder.limits(), &narrow);
    assert_eq!(decoder.decode(b"$2\r\nab\r\n").unwrap().len(), 1);
    decoder.set_limits(Limits::client());
    assert_eq!(decoder.limits(), &Limits::client());
    assert!(decoder.decode(b"*2\r\n$3\r\nabc\r\n").unwrap().is_empty());
    // For the frame under way they hold from its next element on.
    decoder.set_limits(narrow);
    let error = decoder.decode(b"*2\r\n$3\r\nabc\r\n$3\r\n").unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::BulkTooLong, 21));
}

#[test]
fn the_budget_of_elements_changes_with_the_next_frame() {
    let mut decoder = Decoder::new(Limits::client());
    assert!(decoder.decode(b"*4\r\n").unwrap().is_empty());
    decoder.set_limits(Limits {
        frame_elements: 2,
        ..Limits::client()
    });
    let frames = decoder.decode(b"*4\r\n_\r\n_\r\n_\r\n_\r\n*2\r\n").unwrap();
    assert_eq!(frames.consumed(), 16);
    let error = decoder.decode(b"*2\r\n").unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (ErrorKind::FrameTooManyElements, 16)
    );
}

#[test]
fn many_frames_then_few() {
    // More nodes than the decoder keeps memory for, twice.
    let many = ":1\r\n".repeat(100_000);
    let mut decoder = Decoder::new(Limits::client());
    for _ in 0..2 {
        let frames = decoder.decode(many.as_bytes()).unwrap();
        assert_eq!((frames.len(), frames.consumed()), (100_000, many.len()));
        assert_eq!(decoder.decode(b"*1\r\n:2\r\n").unwrap().len(), 1);
    }
    assert_eq!(decoder.offset(), 2 * (many.len() as u64 + 8));
}

#[test]
fn a_batch_shares_its_buffer() {
    let mut buffer = BytesMut::from(&b"+OK\r\n*1\r\n:1\r\n$5\r\nhel"[..]);
    let start = buffer.as_ptr();
    let mut decoder = Decoder::new(Limits::client());
    let mut batch = decoder.decode_shared(&mut buffer).unwrap();
    assert_eq!(format!("{batch:?}"), r#"[simple "OK", array [integer 1]]"#);
    assert_eq!(batch.size_hint(), (2, Some(2)));
    let views: Vec<&[u8]> = (&batch).into_iter().map(FrameRef::wire).collect();
    assert_eq!(views, [&b"+OK\r\n"[..], b"*1\r\n:1\r\n"]);
    assert_eq!(buffer, "$5\r\nhel");
    let first = batch.next().unwrap();
    assert_eq!(batch.iter().count(), 1);
    assert_eq!(first.wire().as_ptr(), start);
    assert_eq!(first.wire(), b"+OK\r\n");
    assert_eq!(batch.size_hint(), (1, Some(1)));
    assert_eq!(batch.next(), Some(Frame::from(vec![1])));
    assert_eq!(batch.next(), None);
    assert_eq!(batch.size_hint(), (0, Some(0)));
    buffer.extend_from_slice(b"lo\r\n");
    let rest: Vec<Frame> = decoder.decode_shared(&mut buffer).unwrap().collect();
    assert_eq!(rest, [Frame::from("hello")]);
    assert_eq!(Batch::default().next(), None);
    assert_eq!(Batch::default().iter().count(), 0);
    assert_eq!(decoder.decode_shared(&mut buffer).unwrap().len(), 0);
}

#[test]
fn debug_tells_the_state_and_no_payload() {
    let mut decoder = Decoder::new(Limits::client());
    assert!(decoder.decode(b"*1\r\n*1\r\n+secret").unwrap().is_empty());
    let text = format!("{decoder:?}");
    let limits = format!("{:?}", Limits::client());
    assert_eq!(
        text,
        format!("Decoder {{ limits: {limits}, offset: 0, depth: 2, error: None, .. }}")
    );
}

#[test]
fn a_view_is_copied_freely() {
    let mut decoder = Decoder::new(Limits::client());
    let frames = decoder.decode(b"*2\r\n:1\r\n:2\r\n").unwrap();
    let frame: FrameRef<'_> = frames.iter().next().unwrap();
    let copy = frame;
    assert_eq!(copy, frame);
    assert_eq!(frame.as_items().unwrap().count(), 2);
}
