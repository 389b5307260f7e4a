//! The decoder of requests: what it says of itself, its state between calls; requests as values.

use bytes::BytesMut;
use resp::{ErrorKind, Limits, Request, RequestBatch, RequestDecoder};

#[test]
fn requests_of_one_call() {
    let mut decoder = RequestDecoder::new(Limits::server());
    let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nSET \"a b\" c\r\n*1\r\n$4\r\nPI";
    let mut requests = decoder.decode(bytes).unwrap();
    assert_eq!((requests.len(), requests.is_empty()), (2, false));
    assert_eq!(requests.consumed(), 33);
    assert_eq!(
        format!("{requests:?}"),
        r#"[["GET", "k"], ["SET", "a b", "c"]]"#
    );
    assert_eq!((&requests).into_iter().count(), 2);
    assert_eq!(requests.iter().count(), 2);
    assert_eq!(requests.size_hint(), (2, Some(2)));
    let get = requests.next().unwrap();
    assert_eq!(get.len(), 2);
    assert_eq!(
        (get.get(0), get.get(1), get.get(2)),
        (Some(&b"GET"[..]), Some(&b"k"[..]), None)
    );
    assert_eq!(get.get(1).unwrap().as_ptr(), bytes[17..].as_ptr());
    let set = requests.next().unwrap();
    let backwards: Vec<&[u8]> = set.iter().rev().collect();
    assert_eq!(backwards, [&b"c"[..], b"a b", b"SET"]);
    assert_eq!(set.iter().len(), 3);
    assert_eq!(requests.size_hint(), (0, Some(0)));
    assert!(requests.next().is_none());
    assert!(requests.is_empty());
    assert_eq!(decoder.offset(), 33);
    assert_eq!(decoder.missing(&bytes[33..]), 4);
}

#[test]
fn what_is_missing_at_least() {
    let mut decoder = RequestDecoder::new(Limits::server());
    let mut missing = |bytes: &[u8]| {
        decoder.reset();
        let consumed = decoder.decode(bytes).unwrap().consumed();
        decoder.missing(&bytes[consumed..])
    };
    assert_eq!(missing(b""), 1);
    assert_eq!(missing(b"PING"), 1);
    assert_eq!(missing(b"*1\r\n"), 1);
    assert_eq!(missing(b"*1\r\n$10\r\n"), 12);
    assert_eq!(missing(b"*1\r\n$10\r\nabc"), 9);
    assert_eq!(missing(b"*1\r\n$1\r\na\r"), 1);
    assert_eq!(missing(b"*0\r\n*1\r\n$1\r\n"), 3);
    assert_eq!(missing(b"PING\r\n"), 1);
    decoder.reset();
    assert_eq!(decoder.missing(b"PIN"), 1);
}

#[test]
fn requests_before_an_error_come_first() {
    let mut decoder = RequestDecoder::new(Limits::server());
    let requests = decoder.decode(b"PING\r\n*x\r\n").unwrap();
    assert_eq!((requests.len(), requests.consumed()), (1, 6));
    let error = decoder.decode(b"*x\r\n").unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (ErrorKind::InvalidMultibulkLength, 6)
    );
    assert_eq!(decoder.decode(b"PING\r\n").unwrap_err(), error);
    let mut buffer = BytesMut::from(&b"PING\r\n"[..]);
    assert_eq!(decoder.decode_shared(&mut buffer).unwrap_err(), error);
    decoder.reset();
    assert_eq!(decoder.limits(), &Limits::server());
    assert_eq!(decoder.offset(), 0);
    assert_eq!(decoder.decode(b"PING\r\n").unwrap().len(), 1);
}

#[test]
fn reset_forgets_the_request_under_way() {
    let mut decoder = RequestDecoder::new(Limits::server());
    assert!(
        decoder
            .decode(b"*2\r\n$1\r\na\r\n$5\r\nx")
            .unwrap()
            .is_empty()
    );
    decoder.reset();
    let requests = decoder.decode(b"*1\r\n$1\r\nb\r\n").unwrap();
    assert_eq!(format!("{requests:?}"), r#"[["b"]]"#);
}

#[test]
fn a_shorter_buffer_than_before_is_no_panic() {
    let mut decoder = RequestDecoder::new(Limits::server());
    assert!(decoder.decode(b"*2\r\n$1\r\na\r\n").unwrap().is_empty());
    assert!(decoder.decode(b"*2").unwrap().is_empty());
    assert!(decoder.decode(b"").unwrap().is_empty());
    assert_eq!(decoder.missing(b""), 12);
}

#[test]
fn limits_change_from_the_next_argument_on() {
    let mut decoder = RequestDecoder::new(Limits::unauthenticated());
    assert_eq!(decoder.decode(b"AUTH secret\r\n").unwrap().len(), 1);
    decoder.set_limits(Limits::server());
    assert_eq!(decoder.limits(), &Limits::server());
    assert!(decoder.decode(b"*11\r\n$20000\r\n").unwrap().is_empty());
    // The argument under way is the next one.
    decoder.set_limits(Limits::unauthenticated());
    let bytes = format!("*11\r\n$20000\r\n{}\r\n", "x".repeat(20_000));
    let error = decoder.decode(bytes.as_bytes()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnauthenticatedBulkLength);
    assert_eq!(error.offset, 13 + 5);
}

#[test]
fn many_requests_then_few() {
    let many = "*1\r\n$1\r\na\r\nb c\r\n".repeat(50_000);
    let mut decoder = RequestDecoder::new(Limits::server());
    for _ in 0..2 {
        let requests = decoder.decode(many.as_bytes()).unwrap();
        assert_eq!((requests.len(), requests.consumed()), (100_000, many.len()));
        assert!(
            requests
                .iter()
                .all(|request| matches!(request.len(), 1 | 2))
        );
        let few = decoder.decode(b"x y\r\n").unwrap();
        assert_eq!(format!("{few:?}"), r#"[["x", "y"]]"#);
    }
}

#[test]
fn a_request_of_many_arguments_in_pieces() {
    let mut wire = b"PING\r\n*1000\r\n".to_vec();
    wire.extend_from_slice("$3\r\nabc\r\n".repeat(1000).as_bytes());
    let mut decoder = RequestDecoder::new(Limits::server());
    let mut buffer = Vec::new();
    let mut lens = Vec::new();
    for piece in wire.chunks(7) {
        buffer.extend_from_slice(piece);
        let requests = decoder.decode(&buffer).unwrap();
        lens.extend(requests.iter().map(|request| {
            assert!(request.len() == 1 || request.iter().all(|argument| argument == b"abc"));
            request.len()
        }));
        let consumed = requests.consumed();
        buffer.drain(..consumed);
    }
    assert_eq!(lens, [1, 1000]);
    assert!(buffer.is_empty());
}

#[test]
fn a_request_as_a_value() {
    let request = Request::new(&["SET", "k", ""]);
    assert_eq!(format!("{request:?}"), r#"["SET", "k", ""]"#);
    assert_eq!(request, request.clone());
    assert_ne!(request, Request::new(&["SET", "k", "v"]));
    assert_ne!(request, Request::new(&["SET", "k"]));
    assert_ne!(Request::new(&["ab", "c"]), Request::new(&["a", "bc"]));
    assert_eq!(request.as_ref(), request.clone().as_ref());
    assert_eq!(request.share(0).unwrap(), "SET");
    assert_eq!(request.share(2).unwrap(), "");
    assert_eq!(request.share(3), None);
}

#[test]
#[should_panic(expected = "a request has a command's name")]
fn a_request_is_not_empty() {
    let _ = Request::new::<&str>(&[]);
}

#[test]
fn a_batch_shares_its_buffer() {
    let mut buffer = BytesMut::from(&b"*1\r\n$4\r\nPING\r\nGET 'a b' \"\"\r\n*0\r\n*1\r\n"[..]);
    let start = buffer.as_ptr();
    let mut decoder = RequestDecoder::new(Limits::server());
    let mut batch = decoder.decode_shared(&mut buffer).unwrap();
    assert_eq!(buffer, "*1\r\n");
    assert_eq!(batch.size_hint(), (2, Some(2)));
    let ping = batch.next().unwrap();
    assert_eq!(ping, Request::new(&["PING"]));
    assert_eq!(ping.share(0).unwrap().as_ptr(), start.wrapping_add(8));
    assert_eq!(batch.size_hint(), (1, Some(1)));
    let get = batch.next().unwrap();
    assert_eq!(get, Request::new(&["GET", "a b", ""]));
    assert_eq!(get.share(1).unwrap(), "a b");
    assert_eq!(get.share(2).unwrap(), "");
    assert_eq!(batch.size_hint(), (0, Some(0)));
    assert_eq!(batch.next(), None);
    buffer.extend_from_slice(b"$1\r\nx\r\n");
    let rest: Vec<Request> = decoder.decode_shared(&mut buffer).unwrap().collect();
    assert_eq!(rest, [Request::new(&["x"])]);
    assert_eq!(RequestBatch::default().next(), None);
}

#[test]
fn what_is_skipped_leaves_the_buffer_too() {
    let mut buffer = BytesMut::from(&b"*0\r\n\r\n*1\r"[..]);
    let mut decoder = RequestDecoder::new(Limits::server());
    assert_eq!(decoder.decode_shared(&mut buffer).unwrap().len(), 0);
    assert_eq!(buffer, "*1\r");
    assert_eq!(decoder.offset(), 6);
}

#[test]
fn debug_tells_the_state_and_no_argument() {
    let mut decoder = RequestDecoder::new(Limits::server());
    assert!(
        decoder
            .decode(b"*3\r\n$6\r\nsecret\r\n")
            .unwrap()
            .is_empty()
    );
    let limits = format!("{:?}", Limits::server());
    assert_eq!(
        format!("{decoder:?}"),
        format!("RequestDecoder {{ limits: {limits}, offset: 0, left: 2, error: None, .. }}")
    );
}
