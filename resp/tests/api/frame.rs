//! Frames: built, read, compared, shared.

use std::borrow::Cow;
use std::fmt::Write;

use bytes::{Bytes, BytesMut};
use resp::{Decoder, ErrorKind, Frame, FrameRef, Limits, TypeError, Value};

/// The one frame that these bytes are.
#[track_caller]
fn read(wire: impl AsRef<[u8]>) -> Frame {
    let wire = Bytes::copy_from_slice(wire.as_ref());
    Frame::from_wire(wire, Limits::client()).unwrap().unwrap()
}

/// One frame of each type, with its bytes, its text and its type's name.
fn every_type() -> Vec<(Frame, &'static [u8], &'static str, &'static str)> {
    vec![
        (
            Frame::simple_string("OK"),
            b"+OK\r\n",
            r#"simple "OK""#,
            "a simple string",
        ),
        (
            Frame::simple_error("ERR x"),
            b"-ERR x\r\n",
            r#"error "ERR x""#,
            "a simple error",
        ),
        (Frame::integer(42), b":42\r\n", "integer 42", "an integer"),
        (
            Frame::bulk_string(b"a\xff\n\"\\"),
            b"$5\r\na\xff\n\"\\\r\n",
            r#"bulk "a\xff\n\"\\""#,
            "a bulk string",
        ),
        (
            Frame::null_bulk_string(),
            b"$-1\r\n",
            "null bulk",
            "a null bulk string",
        ),
        (
            Frame::null_array(),
            b"*-1\r\n",
            "null array",
            "a null array",
        ),
        (Frame::null(), b"_\r\n", "null", "a null"),
        (Frame::boolean(true), b"#t\r\n", "boolean true", "a boolean"),
        (
            Frame::boolean(false),
            b"#f\r\n",
            "boolean false",
            "a boolean",
        ),
        (Frame::double(1.5), b",1.5\r\n", "double 1.5", "a double"),
        (
            Frame::big_number("-12").unwrap(),
            b"(-12\r\n",
            "bignumber -12",
            "a big number",
        ),
        (
            Frame::bulk_error("ERR\r\nx"),
            b"!6\r\nERR\r\nx\r\n",
            r#"bulkerror "ERR\r\nx""#,
            "a bulk error",
        ),
        (
            Frame::verbatim_string(*b"mkd", "# x"),
            b"=7\r\nmkd:# x\r\n",
            r##"verbatim mkd "# x""##,
            "a verbatim string",
        ),
        (
            Frame::array([Frame::from("a"), Frame::from(1)]),
            b"*2\r\n$1\r\na\r\n:1\r\n",
            r#"array [bulk "a", integer 1]"#,
            "an array",
        ),
        (Frame::array([]), b"*0\r\n", "array []", "an array"),
        (
            Frame::set([1.into(), 2.into()]),
            b"~2\r\n:1\r\n:2\r\n",
            "set [integer 1, integer 2]",
            "a set",
        ),
        (
            Frame::push(["a".into(), 1.into()]),
            b">2\r\n$1\r\na\r\n:1\r\n",
            r#"push [bulk "a", integer 1]"#,
            "a push",
        ),
        (
            Frame::map([("k".into(), 1.into()), ("l".into(), Frame::array([]))]),
            b"%2\r\n$1\r\nk\r\n:1\r\n$1\r\nl\r\n*0\r\n",
            r#"map {bulk "k": integer 1, bulk "l": array []}"#,
            "a map",
        ),
        (Frame::map([]), b"%0\r\n", "map {}", "a map"),
        (
            Frame::integer(3).with_attributes([(Frame::simple_string("ttl"), 3600.into())]),
            b"|1\r\n+ttl\r\n:3600\r\n:3\r\n",
            r#"attribute {simple "ttl": integer 3600} integer 3"#,
            "an attribute",
        ),
        (
            read("$?\r\n;2\r\na\"\r\n;1\r\n\n\r\n;0\r\n"),
            b"$?\r\n;2\r\na\"\r\n;1\r\n\n\r\n;0\r\n",
            r#"bulk "a\"\n""#,
            "a streamed string",
        ),
    ]
}

#[test]
fn every_type_has_its_bytes_its_text_and_its_name() {
    for (frame, wire, text, name) in every_type() {
        assert_eq!(frame.wire(), wire, "{text}");
        assert_eq!(frame.to_string(), text);
        assert_eq!(format!("{frame:?}"), text);
        assert_eq!(format!("{:?}", frame.as_ref()), text);
        assert_eq!(frame.as_ref().to_string(), text);
        assert_eq!(frame.as_ref().type_name(), name);
        assert_eq!(read(wire), frame);
        assert_eq!(frame.as_ref().wire(), wire);
    }
}

/// Takes so many bytes and then nothing more.
struct Room(usize);

impl Write for Room {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(std::fmt::Error)?;
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_ends_the_text_wherever_it_fails() {
    for (frame, _, text, _) in every_type() {
        for room in 0..text.len() {
            assert!(write!(Room(room), "{frame}").is_err(), "{room} of {text}");
        }
        assert!(write!(Room(text.len()), "{frame}").is_ok());
    }
}

#[test]
fn frames_of_two_types_differ() {
    let frames = every_type();
    for (at, (a, ..)) in frames.iter().enumerate() {
        for (other, (b, ..)) in frames.iter().enumerate() {
            assert_eq!(a == b, at == other, "{a} {b}");
            assert_eq!(*a == b.as_ref(), at == other, "{a} {b}");
            assert_eq!(a.as_ref() == b.as_ref(), at == other, "{a} {b}");
        }
    }
}

#[test]
fn values_become_frames() {
    assert_eq!(Frame::from(-7).wire(), b":-7\r\n");
    assert_eq!(Frame::from(true).wire(), b"#t\r\n");
    assert_eq!(Frame::from(0.25).wire(), b",0.25\r\n");
    assert_eq!(Frame::from("text").wire(), b"$4\r\ntext\r\n");
    assert_eq!(Frame::from(&b"\xff\x00"[..]).wire(), b"$2\r\n\xff\x00\r\n");
    assert_eq!(Frame::from(None::<i64>).wire(), b"_\r\n");
    assert_eq!(Frame::from(Some(1)).wire(), b":1\r\n");
    assert_eq!(
        Frame::from(vec!["a", "b"]).wire(),
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    );
    assert_eq!(
        Frame::from(vec![Some(1), None]).wire(),
        b"*2\r\n:1\r\n_\r\n"
    );
}

#[test]
fn numbers_are_written_in_their_shortest_form() {
    for (integer, text) in [
        (0, ":0\r\n"),
        (9, ":9\r\n"),
        (10, ":10\r\n"),
        (-1, ":-1\r\n"),
        (999_999_999_999_999, ":999999999999999\r\n"),
        (i64::MAX, ":9223372036854775807\r\n"),
        (i64::MIN, ":-9223372036854775808\r\n"),
    ] {
        assert_eq!(Frame::integer(integer).wire(), text.as_bytes());
        assert_eq!(Frame::integer(integer).as_i64(), Ok(integer));
    }
    for (double, text) in [
        (0.0, ",0\r\n"),
        (-0.0, ",-0\r\n"),
        (0.1, ",0.1\r\n"),
        (-3.0, ",-3\r\n"),
        (1e-5, ",0.00001\r\n"),
        (9e-6, ",9e-6\r\n"),
        (-9e-6, ",-9e-6\r\n"),
        (12_345_678_901_234_568.0, ",12345678901234568\r\n"),
        (1e17, ",1e17\r\n"),
        (f64::MAX, ",1.7976931348623157e308\r\n"),
        (f64::MIN, ",-1.7976931348623157e308\r\n"),
        (-5e-324, ",-5e-324\r\n"),
        (f64::INFINITY, ",inf\r\n"),
        (f64::NEG_INFINITY, ",-inf\r\n"),
        (f64::NAN, ",nan\r\n"),
        (-f64::NAN, ",nan\r\n"),
        (-1.234_567_890_123_456_8e-5, ",-0.000012345678901234568\r\n"),
    ] {
        assert_eq!(
            Frame::double(double).wire().escape_ascii().to_string(),
            text.escape_default().to_string()
        );
        let read = Frame::double(double).as_f64().unwrap();
        assert!(read == double || (read.is_nan() && double.is_nan()));
    }
}

#[test]
fn no_text_ends_its_line() {
    assert_eq!(Frame::simple_string("a\r\n:1").wire(), b"+a  :1\r\n");
    assert_eq!(Frame::simple_error("\nERR\r").wire(), b"- ERR \r\n");
    assert_eq!(Frame::simple_string("").wire(), b"+\r\n");
    for text in ["", "-", "1\r\n:2", "1.5", "0x1", " 1"] {
        let error = Frame::big_number(text).unwrap_err();
        assert_eq!(error.to_string(), "not an integer of decimal digits");
    }
}

#[test]
fn a_push_within_another_frame_becomes_an_array() {
    let push = Frame::push([1.into()]);
    let with_attribute = push.with_attributes([("a".into(), 2.into())]);
    assert_eq!(
        with_attribute.wire(),
        b"|1\r\n$1\r\na\r\n:2\r\n>1\r\n:1\r\n"
    );
    assert_eq!(
        Frame::array([push.clone(), 7.into(), with_attribute.clone()]).wire(),
        b"*3\r\n*1\r\n:1\r\n:7\r\n|1\r\n$1\r\na\r\n:2\r\n*1\r\n:1\r\n"
    );
    assert_eq!(
        Frame::map([(push.clone(), push.clone())]).wire(),
        b"%1\r\n*1\r\n:1\r\n*1\r\n:1\r\n"
    );
    assert_eq!(
        push.with_attributes([(push.clone(), push.clone())]).wire(),
        b"|1\r\n*1\r\n:1\r\n*1\r\n:1\r\n>1\r\n:1\r\n"
    );
    // One that came in a batch with others.
    let mut buffer = BytesMut::from(&b"+OK\r\n|0\r\n>1\r\n:1\r\n"[..]);
    let mut batch = Decoder::new(Limits::client())
        .decode_shared(&mut buffer)
        .unwrap();
    let push = batch.nth(1).unwrap();
    assert_eq!(Frame::set([push]).wire(), b"~1\r\n|0\r\n*1\r\n:1\r\n");
}

#[test]
fn the_wire_is_kept_as_received() {
    for wire in [
        &b":+05\r\n"[..],
        b",1E+5\r\n",
        b",-nan\r\n",
        b"*?\r\n$?\r\n;1\r\na\r\n;0\r\n|0\r\n_\r\n.\r\n",
    ] {
        assert_eq!(read(wire).wire(), wire);
        assert_eq!(read(wire).detach().wire(), wire);
    }
    let all = b"*3\r\n:1\r\n*?\r\n:2\r\n.\r\n$?\r\n;1\r\na\r\n;0\r\n";
    let frame = read(all);
    let wires: Vec<&[u8]> = frame.as_items().unwrap().map(FrameRef::wire).collect();
    assert_eq!(
        wires,
        [
            &b":1\r\n"[..],
            b"*?\r\n:2\r\n.\r\n",
            b"$?\r\n;1\r\na\r\n;0\r\n"
        ]
    );
}

#[test]
fn from_wire_takes_one_whole_frame() {
    let from_wire = |wire: &'static [u8]| Frame::from_wire(wire.into(), Limits::client());
    assert_eq!(from_wire(b"+OK\r\n"), Ok(Some(Frame::simple_string("OK"))));
    assert_eq!(from_wire(b"+OK\r\n+"), Ok(None));
    assert_eq!(from_wire(b"+OK\r"), Ok(None));
    assert_eq!(from_wire(b""), Ok(None));
    let error = from_wire(b"*1\r\n@").unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::UnknownType, 4));
}

#[test]
fn one_level_to_match() {
    let frame = Frame::simple_string("OK");
    assert!(matches!(frame.value(), Value::SimpleString(b"OK")));
    let frame = Frame::simple_error("ERR");
    assert!(matches!(frame.value(), Value::SimpleError(b"ERR")));
    assert!(matches!(Frame::integer(-3).value(), Value::Integer(-3)));
    assert!(matches!(Frame::from("a").value(), Value::BulkString(b"a")));
    assert!(matches!(
        Frame::null_bulk_string().value(),
        Value::NullBulkString
    ));
    assert!(matches!(Frame::null_array().value(), Value::NullArray));
    assert!(matches!(Frame::null().value(), Value::Null));
    assert!(matches!(Frame::from(false).value(), Value::Boolean(false)));
    assert!(matches!(Frame::from(2.5).value(), Value::Double(2.5)));
    let frame = Frame::big_number("+9").unwrap();
    assert!(matches!(frame.value(), Value::BigNumber(b"+9")));
    let frame = Frame::bulk_error("E");
    assert!(matches!(frame.value(), Value::BulkError(b"E")));
    let frame = Frame::verbatim_string(*b"txt", "a");
    assert!(matches!(
        frame.value(),
        Value::VerbatimString([b't', b'x', b't'], b"a")
    ));
    let frame = Frame::from(vec![1, 2]);
    assert!(matches!(frame.value(), Value::Array(items) if items.len() == 2));
    let frame = Frame::set([1.into()]);
    assert!(matches!(frame.value(), Value::Set(items) if items.len() == 1));
    let frame = Frame::push([]);
    assert!(matches!(frame.value(), Value::Push(items) if items.len() == 0));
    let frame = Frame::map([(1.into(), 2.into())]);
    assert!(matches!(frame.value(), Value::Map(pairs) if pairs.len() == 1));
    let frame = Frame::from("v").with_attributes([(1.into(), 2.into()), (3.into(), 4.into())]);
    let Value::Attribute(pairs, described) = frame.value() else {
        panic!("{frame}");
    };
    assert_eq!(pairs.len(), 2);
    assert_eq!(Frame::from("v"), described);
    assert_eq!(described.wire(), b"$1\r\nv\r\n");
}

#[test]
fn chunks_of_a_streamed_string() {
    let frame = read("$?\r\n;2\r\nab\r\n;1\r\nc\r\n;0\r\n");
    let Value::StreamedString(mut chunks) = frame.value() else {
        panic!("{frame}");
    };
    assert_eq!(chunks.len(), 2);
    assert_eq!(format!("{chunks:?}"), r#"["ab", "c"]"#);
    assert_eq!(chunks.next(), Some(&b"ab"[..]));
    assert_eq!(chunks.size_hint(), (1, Some(1)));
    assert_eq!(chunks.next(), Some(&b"c"[..]));
    assert_eq!(chunks.next(), None);
    assert_eq!(
        frame.as_bytes().unwrap(),
        Cow::<[u8]>::Owned(b"abc".to_vec())
    );
    assert_eq!(frame.as_str().unwrap(), "abc");
}

#[test]
fn iterators_know_their_length() {
    let frame = Frame::array([1.into(), Frame::from(vec![2, 3]), "x".into()]);
    let mut items = frame.as_items().unwrap();
    assert_eq!(
        format!("{items:?}"),
        r#"[integer 1, array [integer 2, integer 3], bulk "x"]"#
    );
    for left in [3, 2, 1] {
        assert_eq!(items.size_hint(), (left, Some(left)));
        assert!(items.next().is_some());
    }
    assert_eq!(items.size_hint(), (0, Some(0)));
    assert!(items.next().is_none());

    let frame = Frame::map([(1.into(), 2.into()), (3.into(), 4.into())]);
    let mut pairs = frame.as_pairs().unwrap();
    assert_eq!(
        format!("{pairs:?}"),
        "{integer 1: integer 2, integer 3: integer 4}"
    );
    assert_eq!(pairs.size_hint(), (2, Some(2)));
    let (key, value) = pairs.next().unwrap();
    assert_eq!((key.as_i64(), value.as_i64()), (Ok(1), Ok(2)));
    assert_eq!(pairs.size_hint(), (1, Some(1)));
    assert!(pairs.next().is_some());
    assert!(pairs.next().is_none());
}

/// Each way to take a value out, over one frame of each type: the text of the value, or of what was found.
#[test]
fn typed_extraction_says_what_it_found() {
    type Extract = fn(&Frame) -> Result<String, TypeError>;
    let table: [(&str, Extract, &[&str]); 6] = [
        (
            "a string",
            |frame| Ok(frame.as_bytes()?.escape_ascii().to_string()),
            &[
                "a simple string",
                "a bulk string",
                "a verbatim string",
                "a streamed string",
            ],
        ),
        (
            "a boolean",
            |frame| frame.as_bool().map(|value| value.to_string()),
            &["a boolean"],
        ),
        (
            "an array",
            |frame| frame.as_items().map(|items| format!("{items:?}")),
            &["an array", "a set", "a push"],
        ),
        (
            "a map",
            |frame| frame.as_pairs().map(|pairs| format!("{pairs:?}")),
            &["a map", "an array"],
        ),
        (
            "an integer",
            |frame| frame.as_i64().map(|value| value.to_string()),
            &[
                "an integer",
                "a simple string",
                "a bulk string",
                "a big number",
            ],
        ),
        (
            "a double",
            |frame| frame.as_f64().map(|value| value.to_string()),
            &["a double", "an integer", "a simple string", "a bulk string"],
        ),
    ];
    for (expected, extract, accepted) in table {
        for (frame, _, _, name) in every_type() {
            // An attribute is transparent: what is seen is the integer that it describes.
            let name = if name == "an attribute" {
                "an integer"
            } else {
                name
            };
            match extract(&frame) {
                Ok(_) => assert!(accepted.contains(&name), "{expected} from {frame}"),
                Err(error) => {
                    assert_eq!(error.expected, expected);
                    assert!(!accepted.contains(&name) || error.found == "other text");
                    if !accepted.contains(&name) {
                        assert_eq!(
                            error.to_string(),
                            format!("expected {expected}, found {name}")
                        );
                    }
                }
            }
        }
    }
}

fn mismatch(expected: &'static str, found: &'static str) -> String {
    format!("expected {expected}, found {found}")
}

#[test]
fn as_bytes_and_as_str() {
    for frame in [
        Frame::simple_string("text"),
        Frame::from("text"),
        Frame::verbatim_string(*b"txt", "text"),
        read("$?\r\n;1\r\nt\r\n;3\r\next\r\n;0\r\n"),
        Frame::from("text").with_attributes([]),
    ] {
        assert_eq!(frame.as_bytes().unwrap(), &b"text"[..]);
        assert_eq!(frame.as_str().unwrap(), "text");
    }
    assert!(matches!(
        Frame::from("a").as_bytes(),
        Ok(Cow::Borrowed(b"a"))
    ));
    let error = Frame::from(&b"\xff"[..]).as_str().unwrap_err();
    assert_eq!(
        error.to_string(),
        mismatch("a string in UTF-8", "other bytes")
    );
    let error = read(b"$?\r\n;1\r\n\xff\r\n;0\r\n").as_str().unwrap_err();
    assert_eq!(
        error.to_string(),
        mismatch("a string in UTF-8", "other bytes")
    );
    let error = Frame::null().as_str().unwrap_err();
    assert_eq!(error.to_string(), mismatch("a string", "a null"));
}

#[test]
fn as_i64() {
    for frame in [
        Frame::from(-42),
        Frame::from("-42"),
        Frame::simple_string("-42"),
        Frame::big_number("-42").unwrap(),
        Frame::from(-42).with_attributes([(1.into(), 2.into())]),
    ] {
        assert_eq!(frame.as_i64(), Ok(-42));
    }
    for text in ["", "4 2", "42x", "9223372036854775808", "1.0"] {
        let error = Frame::from(text).as_i64().unwrap_err();
        assert_eq!(error.to_string(), mismatch("an integer", "other text"));
    }
    let error = Frame::from(1.0).as_i64().unwrap_err();
    assert_eq!(error.to_string(), mismatch("an integer", "a double"));
}

#[test]
fn as_f64() {
    for frame in [
        Frame::from(2.0),
        Frame::from(2),
        Frame::from("2e0"),
        Frame::simple_string("2.0"),
    ] {
        assert_eq!(frame.as_f64(), Ok(2.0));
    }
    for text in ["", "x", "1e400", "0x1"] {
        let error = Frame::from(text).as_f64().unwrap_err();
        assert_eq!(error.to_string(), mismatch("a double", "other text"));
    }
    let error = Frame::from(true).as_f64().unwrap_err();
    assert_eq!(error.to_string(), mismatch("a double", "a boolean"));
}

#[test]
fn as_bool() {
    assert_eq!(Frame::from(true).as_bool(), Ok(true));
    assert_eq!(Frame::from(false).as_bool(), Ok(false));
    assert_eq!(Frame::from(1).as_bool(), Ok(true));
    assert_eq!(Frame::from(0).as_bool(), Ok(false));
    let error = Frame::from(2).as_bool().unwrap_err();
    assert_eq!(error.to_string(), mismatch("a boolean", "an integer"));
}

#[test]
fn as_pairs_of_an_array() {
    let pairs: Vec<(i64, i64)> = Frame::from(vec![1, 2, 3, 4])
        .as_pairs()
        .unwrap()
        .map(|(key, value)| (key.as_i64().unwrap(), value.as_i64().unwrap()))
        .collect();
    assert_eq!(pairs, [(1, 2), (3, 4)]);
    let error = Frame::from(vec![1, 2, 3]).as_pairs().unwrap_err();
    assert_eq!(error.to_string(), mismatch("a map", "an array"));
}

#[test]
fn errors_nulls_and_pushes() {
    assert_eq!(Frame::simple_error("ERR x").as_error(), Some(&b"ERR x"[..]));
    assert_eq!(Frame::bulk_error("E\n").as_error(), Some(&b"E\n"[..]));
    assert_eq!(Frame::simple_string("ERR").as_error(), None);
    let described = Frame::simple_error("E").with_attributes([]);
    assert_eq!(described.as_error(), Some(&b"E"[..]));
    for (frame, _, _, name) in every_type() {
        assert_eq!(frame.is_null(), name.starts_with("a null"), "{frame}");
        assert_eq!(frame.as_ref().is_push(), name == "a push", "{frame}");
    }
    assert!(Frame::null().with_attributes([]).is_null());
    assert!(Frame::push([]).with_attributes([]).as_ref().is_push());
}

#[test]
fn equal_whatever_the_spelling() {
    for (a, b) in [
        (":5\r\n", ":+5\r\n"),
        (":0\r\n", ":-0\r\n"),
        (",1e5\r\n", ",100000\r\n"),
        (",nan\r\n", ",-nan\r\n"),
        (",0\r\n", ",-0\r\n"),
        ("$2\r\nab\r\n", "$?\r\n;2\r\nab\r\n;0\r\n"),
        (
            "$?\r\n;1\r\na\r\n;1\r\nb\r\n;0\r\n",
            "$?\r\n;2\r\nab\r\n;0\r\n",
        ),
        ("$?\r\n;1\r\na\r\n;1\r\nb\r\n;0\r\n", "$2\r\nab\r\n"),
        ("*1\r\n:1\r\n", "*?\r\n:1\r\n.\r\n"),
        ("~0\r\n", "~?\r\n.\r\n"),
        // As many elements as it takes to tell the bytes behind the header apart.
        (
            "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
            "*4\r\n:+1\r\n:2\r\n:3\r\n:4\r\n",
        ),
        (
            "~4\r\n:1\r\n:2\r\n:3\r\n:4\r\n",
            "~4\r\n:+1\r\n:2\r\n:3\r\n:4\r\n",
        ),
        (
            "%4\r\n:1\r\n_\r\n:2\r\n_\r\n:3\r\n_\r\n:4\r\n_\r\n",
            "%4\r\n:+1\r\n_\r\n:2\r\n_\r\n:3\r\n_\r\n:4\r\n_\r\n",
        ),
        (
            "%1\r\n:1\r\n*1\r\n:2\r\n",
            "%?\r\n:1\r\n*?\r\n:2\r\n.\r\n.\r\n",
        ),
    ] {
        assert_eq!(read(a), read(b));
        assert_eq!(read(b), read(a));
    }
}

#[test]
fn unequal_in_whatever_they_say() {
    for (a, b) in [
        ("+a\r\n", "+b\r\n"),
        ("+a\r\n", "$1\r\na\r\n"),
        ("-a\r\n", "!1\r\na\r\n"),
        (":1\r\n", ":2\r\n"),
        (":1\r\n", ",1\r\n"),
        (":1\r\n", "(1\r\n"),
        ("(1\r\n", "(+1\r\n"),
        (",1\r\n", ",2\r\n"),
        (",1\r\n", ",nan\r\n"),
        (",nan\r\n", ",1\r\n"),
        (",inf\r\n", ",-inf\r\n"),
        ("#t\r\n", "#f\r\n"),
        ("_\r\n", "$-1\r\n"),
        ("$-1\r\n", "*-1\r\n"),
        ("_\r\n", "*-1\r\n"),
        ("$2\r\nab\r\n", "$?\r\n;2\r\nac\r\n;0\r\n"),
        ("$2\r\nab\r\n", "$?\r\n;1\r\na\r\n;0\r\n"),
        ("$?\r\n;2\r\nab\r\n;0\r\n", "$?\r\n;2\r\nac\r\n;0\r\n"),
        ("=5\r\ntxt:a\r\n", "=5\r\nmkd:a\r\n"),
        ("=5\r\ntxt:a\r\n", "=5\r\ntxt:b\r\n"),
        ("*0\r\n", "~0\r\n"),
        ("*0\r\n", ">0\r\n"),
        ("*0\r\n", "*-1\r\n"),
        ("*1\r\n:1\r\n", "*1\r\n:2\r\n"),
        ("*1\r\n:1\r\n", "*2\r\n:1\r\n:1\r\n"),
        ("*2\r\n*1\r\n:1\r\n:1\r\n", "*2\r\n*2\r\n:1\r\n:1\r\n:1\r\n"),
        ("*2\r\n*0\r\n:1\r\n", "*1\r\n*1\r\n:1\r\n"),
        ("%1\r\n:1\r\n:2\r\n", "*2\r\n:1\r\n:2\r\n"),
        ("%1\r\n:1\r\n:2\r\n", "%1\r\n:1\r\n:3\r\n"),
        ("%1\r\n%0\r\n:2\r\n", "%0\r\n"),
        ("|0\r\n:1\r\n", ":1\r\n"),
        ("|1\r\n:1\r\n:2\r\n:3\r\n", "|0\r\n:3\r\n"),
        ("|1\r\n:1\r\n:2\r\n:3\r\n", "|1\r\n:1\r\n:9\r\n:3\r\n"),
    ] {
        assert_ne!(read(a), read(b));
        assert_ne!(read(b), read(a));
    }
}

#[test]
fn a_part_is_shared_or_copied() {
    let mut buffer = BytesMut::from(&b"+OK\r\n*2\r\n*2\r\n:1\r\n$5\r\nhello\r\n_\r\n:9\r\n"[..]);
    let start = buffer.as_ptr();
    let frames: Vec<Frame> = Decoder::new(Limits::client())
        .decode_shared(&mut buffer)
        .unwrap()
        .collect();
    let array = &frames[1];
    assert_eq!(array.wire().as_ptr(), start.wrapping_add(5));
    let inner = array.as_items().unwrap().next().unwrap();
    let shared = array.share(inner).unwrap();
    assert_eq!(shared.to_string(), r#"array [integer 1, bulk "hello"]"#);
    assert_eq!(shared.wire().as_ptr(), inner.wire().as_ptr());
    let text = inner.as_items().unwrap().nth(1).unwrap();
    let shared_text = shared
        .share(shared.as_items().unwrap().nth(1).unwrap())
        .unwrap();
    assert_eq!(shared_text.wire().as_ptr(), text.wire().as_ptr());
    assert_eq!(shared_text, text);
    assert_eq!(array.share(array.as_ref()).unwrap(), *array);
    let scalar = &frames[0];
    assert_eq!(scalar.share(scalar.as_ref()).unwrap(), *scalar);

    // What is no part of a frame.
    assert_eq!(scalar.share(array.as_ref()), None);
    assert_eq!(shared.share(frames[2].as_ref()), None);
    assert_eq!(shared.share(array.as_ref()), None);
    assert_eq!(array.share(frames[2].as_ref()), None);
    assert_eq!(Frame::from(vec![1, 2]).share(inner), None);

    let bytes = array.share_bytes(&text.as_bytes().unwrap()).unwrap();
    assert_eq!(bytes, "hello");
    assert_eq!(bytes.as_ptr(), text.as_bytes().unwrap().as_ptr());
    assert_eq!(array.share_bytes(b"hello"), None);
    let detached = array.detach();
    assert_eq!(detached, *array);
    assert_ne!(detached.wire().as_ptr(), array.wire().as_ptr());
    assert_eq!(array.share_bytes(detached.wire()), None);
    assert_eq!(
        detached.share_bytes(detached.wire()).unwrap(),
        detached.wire()
    );
    let copy = inner.to_frame();
    assert_eq!(copy, inner);
    assert_eq!(copy.wire(), b"*2\r\n:1\r\n$5\r\nhello\r\n");
    assert_eq!(
        copy.as_items().unwrap().nth(1).unwrap().as_str().unwrap(),
        "hello"
    );
    assert_eq!(text.to_frame().wire(), b"$5\r\nhello\r\n");
}

#[test]
fn deep_frames_need_no_stack() {
    const DEPTH: usize = 200_000;
    let limits = Limits {
        depth: DEPTH,
        ..Limits::client()
    };
    let wire = "*1\r\n".repeat(DEPTH) + "*0\r\n";
    let frame = Frame::from_wire(wire.clone().into(), limits)
        .unwrap()
        .unwrap();
    assert_eq!(frame.detach(), frame.clone());
    assert_eq!(frame.to_string().len(), 8 * (DEPTH + 1));
    let mut output = Vec::new();
    resp::Encoder::new(&mut output, resp::Protocol::Resp2).frame(frame.as_ref());
    assert_eq!(output, wire.as_bytes());
}
