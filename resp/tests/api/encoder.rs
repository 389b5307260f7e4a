//! The encoder: each element in both versions, to each output.

// A method's path names one lifetime of the encoder, and `writes` needs any.
#![allow(clippy::redundant_closure_for_method_calls)]

use bytes::BytesMut;
use resp::{Encoder, Frame, Length, Output, Protocol, Segments, frame_len, request_len};

/// Writes in RESP3 and in RESP2.
#[track_caller]
fn writes(write: impl Fn(&mut Encoder<'_, Vec<u8>>), resp3: &str, resp2: &str) {
    for (protocol, expected) in [(Protocol::Resp3, resp3), (Protocol::Resp2, resp2)] {
        let mut output = Vec::new();
        let mut encoder = Encoder::new(&mut output, protocol);
        assert_eq!(encoder.protocol(), protocol);
        write(&mut encoder);
        assert_eq!(
            output.escape_ascii().to_string(),
            expected.escape_default().to_string()
        );
    }
}

/// A frame in RESP3 and in RESP2, and its length in both.
#[track_caller]
fn frame(frame: &Frame, resp3: &str, resp2: &str) {
    writes(
        |encoder| encoder.frame(Frame::detach(frame).as_ref()),
        resp3,
        resp2,
    );
    assert_eq!(frame_len(frame.as_ref(), Protocol::Resp3), resp3.len());
    assert_eq!(frame_len(frame.as_ref(), Protocol::Resp2), resp2.len());
}

#[test]
fn every_element_in_both_versions() {
    writes(|e| e.simple_string("OK"), "+OK\r\n", "+OK\r\n");
    writes(|e| e.simple_error("ERR x"), "-ERR x\r\n", "-ERR x\r\n");
    writes(|e| e.integer(-42), ":-42\r\n", ":-42\r\n");
    writes(|e| e.bulk_string("abc"), "$3\r\nabc\r\n", "$3\r\nabc\r\n");
    writes(
        |e| e.bulk_string_copy(b"abc"),
        "$3\r\nabc\r\n",
        "$3\r\nabc\r\n",
    );
    writes(|e| e.null(), "_\r\n", "$-1\r\n");
    writes(|e| e.null_bulk_string(), "$-1\r\n", "$-1\r\n");
    writes(|e| e.null_array(), "*-1\r\n", "*-1\r\n");
    writes(|e| e.boolean(true), "#t\r\n", ":1\r\n");
    writes(|e| e.boolean(false), "#f\r\n", ":0\r\n");
    writes(|e| e.double(-1.5), ",-1.5\r\n", "$4\r\n-1.5\r\n");
    writes(
        |e| e.big_number("+12").unwrap(),
        "(+12\r\n",
        "$3\r\n+12\r\n",
    );
    writes(|e| e.bulk_error("E\r\nx"), "!4\r\nE\r\nx\r\n", "-E  x\r\n");
    writes(
        |e| e.verbatim_string(*b"txt", "a\n"),
        "=6\r\ntxt:a\n\r\n",
        "$2\r\na\n\r\n",
    );
    writes(|e| e.array(3), "*3\r\n", "*3\r\n");
    writes(|e| e.set(3), "~3\r\n", "*3\r\n");
    writes(|e| e.push(3), ">3\r\n", "*3\r\n");
    writes(|e| e.map(3), "%3\r\n", "*6\r\n");
    writes(
        |e| assert_eq!(e.attribute(3), e.protocol() == Protocol::Resp3),
        "|3\r\n",
        "",
    );
}

#[test]
fn line_breaks_become_spaces() {
    writes(
        |e| e.simple_string("a\r\n:1\r\n"),
        "+a  :1  \r\n",
        "+a  :1  \r\n",
    );
    writes(|e| e.simple_error(b"\n"), "- \r\n", "- \r\n");
    writes(|e| e.bulk_error("\r"), "!1\r\n\r\r\n", "- \r\n");
}

#[test]
fn what_is_no_big_number_is_not_written() {
    writes(|e| assert!(e.big_number("1\r\n:2").is_err()), "", "");
}

#[test]
fn frames_in_both_versions() {
    let nested = Frame::map([
        (
            Frame::simple_string("a"),
            Frame::set([true.into(), Frame::null()]),
        ),
        ("b".into(), Frame::map([(1.into(), 0.5.into())])),
    ]);
    frame(
        &nested,
        "%2\r\n+a\r\n~2\r\n#t\r\n_\r\n$1\r\nb\r\n%1\r\n:1\r\n,0.5\r\n",
        "*4\r\n+a\r\n*2\r\n:1\r\n$-1\r\n$1\r\nb\r\n*2\r\n:1\r\n$3\r\n0.5\r\n",
    );
    let described = Frame::push([
        Frame::from(1).with_attributes([(Frame::from(vec![7]), Frame::null())]),
        Frame::bulk_error("E\n"),
        Frame::big_number("12").unwrap(),
        Frame::verbatim_string(*b"txt", "v"),
        Frame::null_array(),
        Frame::null_bulk_string(),
        Frame::simple_error("E"),
        false.into(),
    ])
    .with_attributes([(2.into(), 3.into())]);
    frame(
        &described,
        "|1\r\n:2\r\n:3\r\n>8\r\n|1\r\n*1\r\n:7\r\n_\r\n:1\r\n!2\r\nE\n\r\n(12\r\n=5\r\ntxt:v\r\n*-1\r\n$-1\r\n-E\r\n#f\r\n",
        "*8\r\n:1\r\n-E \r\n$2\r\n12\r\n$1\r\nv\r\n*-1\r\n$-1\r\n-E\r\n:0\r\n",
    );
    let wire = "*?\r\n$?\r\n;2\r\nab\r\n;1\r\nc\r\n;0\r\n|0\r\n|1\r\n:1\r\n%0\r\n~?\r\n.\r\n%?\r\n:1\r\n:+2\r\n.\r\n.\r\n";
    let streamed = Frame::from_wire(wire.into(), resp::Limits::client());
    frame(
        &streamed.unwrap().unwrap(),
        wire,
        "*3\r\n$3\r\nabc\r\n*0\r\n*2\r\n:1\r\n:2\r\n",
    );
}

#[test]
fn requests_and_their_length() {
    writes(
        |e| e.request(&["SET", "key", ""]),
        "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n",
        "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n",
    );
    writes(|e| e.request::<&str>(&[]), "*0\r\n", "*0\r\n");
    assert_eq!(request_len::<&str>(&[]), 4);
    for count in [1, 9, 10, 11, 99, 100, 101] {
        for len in [0, 1, 9, 10, 11, 99, 100, 999, 1000] {
            let arguments = vec![vec![b'x'; len]; count];
            let mut output = Vec::new();
            Encoder::new(&mut output, Protocol::Resp2).request(&arguments);
            assert_eq!(request_len(&arguments), output.len());
            assert!(output.starts_with(format!("*{count}\r\n${len}\r\n").as_bytes()));
        }
    }
    for len in 0..=120 {
        let text = "x".repeat(len);
        let wire = format!("*2\r\n$1\r\na\r\n${len}\r\n{text}\r\n");
        writes(|e| e.request(&["a", &text[..]]), &wire, &wire);
        writes(
            |e| e.array(len),
            &format!("*{len}\r\n"),
            &format!("*{len}\r\n"),
        );
    }
}

#[test]
fn many_bulk_strings_at_once_are_an_array_of_them() {
    let texts: Vec<String> = (0..200).map(|length| "x".repeat(length)).collect();
    for count in [0, 1, 9, 10, 200] {
        let (mut at_once, mut one_by_one) = (Vec::new(), Vec::new());
        Encoder::new(&mut at_once, Protocol::Resp3).bulk_strings(&texts[..count]);
        let mut encoder = Encoder::new(&mut one_by_one, Protocol::Resp3);
        encoder.array(count);
        for text in &texts[..count] {
            encoder.bulk_string(text);
        }
        assert_eq!(at_once, one_by_one);
    }
}

#[test]
fn a_request_takes_no_more_than_its_length() {
    let arguments = ["SET", "key", "value"];
    let mut output = Vec::new();
    Encoder::new(&mut output, Protocol::Resp2).request(&arguments);
    let mut exact = Vec::with_capacity(request_len(&arguments));
    let start = exact.as_ptr();
    Encoder::new(&mut exact, Protocol::Resp2).request(&arguments);
    assert_eq!((exact.as_ptr(), exact), (start, output));
}

#[test]
fn an_encoder_appends() {
    let mut vec = b"before".to_vec();
    Encoder::new(&mut vec, Protocol::Resp2).integer(1);
    assert_eq!(vec, b"before:1\r\n");
    let mut buffer = BytesMut::from(&b"before"[..]);
    Encoder::new(&mut buffer, Protocol::Resp3).null();
    assert_eq!(buffer, "before_\r\n");
    let mut length = Length::default();
    assert_eq!(length.bytes(), 0);
    Encoder::new(&mut length, Protocol::Resp3).null();
    Encoder::new(&mut length, Protocol::Resp3).integer(10);
    assert_eq!(length.bytes(), 8);
    assert_eq!(Protocol::default(), Protocol::Resp2);
}

#[test]
fn segments_leave_large_payloads_where_they_are() {
    let large = vec![b'x'; 10];
    let small = vec![b'y'; 9];
    let mut segments = Segments::new(10);
    assert!(segments.is_empty());
    assert_eq!(segments.iter().count(), 0);
    let mut encoder = Encoder::new(&mut segments, Protocol::Resp3);
    encoder.bulk_string(&large);
    encoder.bulk_string(&small);
    encoder.verbatim_string(*b"txt", &large);
    encoder.bulk_error(&large);
    encoder.bulk_string_copy(&large);
    let slices: Vec<&[u8]> = segments.iter().collect();
    assert_eq!(
        slices,
        [
            &b"$10\r\n"[..],
            &large,
            b"\r\n$9\r\nyyyyyyyyy\r\n=14\r\ntxt:",
            &large,
            b"\r\n!10\r\n",
            &large,
            b"\r\n$10\r\nxxxxxxxxxx\r\n",
        ]
    );
    for (index, slice) in slices.iter().enumerate() {
        let same = std::ptr::eq(slice.as_ptr(), large.as_ptr());
        assert_eq!(same, index % 2 == 1);
    }
    assert_eq!(segments.len(), slices.concat().len());
    assert!(!segments.is_empty());

    let mut only_large = Segments::new(1);
    only_large.put_payload(&large);
    only_large.put_payload(&large);
    assert!(!only_large.is_empty());
    assert_eq!(only_large.len(), 20);
    assert_eq!(only_large.iter().collect::<Vec<_>>(), [&large[..], &large]);
}

#[test]
fn segments_of_frames() {
    let text = "z".repeat(20);
    let frame = Frame::array([
        Frame::from(&text[..]),
        Frame::big_number("1".repeat(20)).unwrap(),
    ]);
    let mut segments = Segments::new(20);
    Encoder::new(&mut segments, Protocol::Resp2).frame(frame.as_ref());
    let slices: Vec<&[u8]> = segments.iter().collect();
    assert_eq!(slices.len(), 5);
    assert_eq!(
        slices.concat().len(),
        frame_len(frame.as_ref(), Protocol::Resp2)
    );
    let mut segments = Segments::new(20);
    Encoder::new(&mut segments, Protocol::Resp3).frame(frame.as_ref());
    assert_eq!(segments.iter().collect::<Vec<_>>(), [frame.wire()]);
}

/// An output of somebody else's, with what it must have only.
#[derive(Default)]
struct Pieces(Vec<Vec<u8>>);

impl Output<'_> for Pieces {
    fn put(&mut self, bytes: &[u8]) {
        self.0.push(bytes.to_vec());
    }
}

#[test]
fn any_output_will_do() {
    let mut pieces = Pieces::default();
    let output: &mut dyn Output<'_> = &mut pieces;
    Encoder::new(output, Protocol::Resp3).request(&["GET", "k"]);
    assert_eq!(pieces.0.concat(), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
}
