//! Every row of the table of requests, and the bounds on them.

use super::*;

#[test]
fn multibulk() {
    request(
        "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n",
        &[r#"["GET", "k"]"#, r#"["PING"]"#],
    );
    request(
        "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$2\r\nkk\r\n$1\r\nv\r\nPING\r\n",
        &[r#"["GET", "k"]"#, r#"["SET", "kk", "v"]"#, r#"["PING"]"#],
    );
    request(
        b"*3\r\n$0\r\n\r\n$2\r\n\r\n\r\n$1\r\n\xff\r\n",
        &[r#"["", "\r\n", "\xff"]"#],
    );
}

#[test]
fn empty_requests_are_ignored_and_leave_a_clean_parser() {
    for nothing in ["*0\r\n", "*-1\r\n", "*-5\r\n", "\r\n", "\n", "   \r\n"] {
        request(nothing, &[]);
        request(format!("{nothing}PING\r\n"), &[r#"["PING"]"#]);
        request(
            format!("*1\r\n$4\r\nPING\r\n{nothing}*1\r\n$4\r\nPING\r\n"),
            &[r#"["PING"]"#, r#"["PING"]"#],
        );
    }
}

#[test]
fn an_argument_is_a_bulk_string() {
    let kind = Kind::ExpectedBulkString;
    refused("*3\r\n:1\r\n", "expected '$', got ':'", kind(b':'), 4);
    refused("*1\r\n*", "expected '$', got '*'", kind(b'*'), 4);
    refused(
        "*2\r\n$1\r\na\r\nx",
        "expected '$', got 'x'",
        kind(b'x'),
        11,
    );
    refused("*1\r\n\r\n", "expected '$', got ' '", kind(b'\r'), 4);
    refused("*1\r\n\n", "expected '$', got ' '", kind(b'\n'), 4);
    refused("*1\r\n\0", "expected '$', got '\\x00'", kind(0), 4);
    refused(b"*1\r\n\xff", "expected '$', got '\\xff'", kind(0xff), 4);
    refused("*1\r\n\x7f", "expected '$', got '\\x7f'", kind(0x7f), 4);
    refused("*1\r\n~", "expected '$', got '~'", kind(b'~'), 4);
    refused("*1\r\n ", "expected '$', got ' '", kind(b' '), 4);
}

#[test]
fn counts_of_arguments() {
    let kind = Kind::InvalidMultibulkLength;
    for count in [
        "abc",
        "2147483648",
        "9223372036854775808",
        "",
        "03",
        "+1",
        "-0",
        "1 ",
        " 1",
        "1\rx",
        "?",
    ] {
        refused(format!("*{count}\r\n"), "invalid multibulk length", kind, 0);
    }
    refused("*1\n", "invalid multibulk length", kind, 0);
    refused("*3000000000\r\n", "invalid multibulk length", kind, 0);
    let outcome = however_cut(b"*2147483647\r\n", |pieces| {
        read_requests(pieces, Limits::server())
    });
    assert_eq!(outcome, (Vec::new(), 0, None));
    let unbounded = Limits {
        elements: usize::MAX,
        ..Limits::server()
    };
    refused_within(
        unbounded,
        "*2147483648\r\n",
        "invalid multibulk length",
        kind,
        0,
    );
    let few = Limits {
        elements: 2,
        ..Limits::server()
    };
    refused_within(few, "*3\r\n", "invalid multibulk length", kind, 0);
    request_within(few, "*2\r\n$1\r\na\r\n$1\r\nb\r\n", &[r#"["a", "b"]"#]);
}

#[test]
fn what_was_searched_of_one_line_says_nothing_of_the_next() {
    let limits = Limits {
        bulk_bytes: 16,
        ..Limits::server()
    };
    let bytes = b"*3\r\n$14\r\n12345678901234\r\n$3\r\nabc\r\n$19\r\n";
    for (first, second) in (1..10).flat_map(|first| (1..10).map(move |second| (first, second))) {
        let (mut rest, mut pieces, mut turn) = (&bytes[..], Vec::new(), first);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(turn.min(rest.len()));
            pieces.push(piece);
            rest = after;
            turn = if turn == first { second } else { first };
        }
        let (_, _, error) = read_requests(pieces, limits);
        assert_eq!(
            error,
            Some((Kind::InvalidBulkLength, 34)),
            "{first} {second}"
        );
    }
}

#[test]
fn lengths_of_arguments() {
    let kind = Kind::InvalidBulkLength;
    for length in ["-1", "abc", "536870913", "", "03", "+3", "-0", "1 ", "?"] {
        refused(
            format!("*1\r\n${length}\r\n"),
            "invalid bulk length",
            kind,
            4,
        );
    }
    refused("*1\r\n$1\n", "invalid bulk length", kind, 4);
    refused(
        "*1\r\n$9223372036854775808\r\n",
        "invalid bulk length",
        kind,
        4,
    );
    let outcome = however_cut(b"*1\r\n$536870912\r\n", |pieces| {
        read_requests(pieces, Limits::server())
    });
    assert_eq!(outcome, (Vec::new(), 0, None));
}

#[test]
fn the_terminator_of_an_argument_is_compared() {
    let text = "expected CRLF after the payload";
    refused("*1\r\n$1\r\nabc", text, Kind::MissingTerminator, 9);
    refused("*1\r\n$1\r\na\rc", text, Kind::MissingTerminator, 10);
}

#[test]
fn lines_without_an_end() {
    let limit = 64 * 1024;
    let line = |start: &str, length| format!("{start}{}", "1".repeat(length - start.len()));
    refuses_long_line(
        &line("a", limit + 1),
        "too big inline request",
        Kind::TooBigInlineRequest,
    );
    refuses_long_line(
        &line("*", limit + 1),
        "too big mbulk count string",
        Kind::TooBigMultibulkCount,
    );
    let mut decoder = RequestDecoder::new(Limits::server());
    for bytes in [
        line("a", limit),
        line("*", limit),
        format!("*1\r\n{}", line("$", limit)),
    ] {
        decoder.reset();
        assert!(decoder.decode(bytes.as_bytes()).unwrap().is_empty());
    }
    let argument = format!("*1\r\n{}", line("$", limit + 1));
    decoder.reset();
    let error = decoder.decode(argument.as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.offset), (Kind::TooBigBulkCount, 4));
    assert_eq!(
        error.server_text().to_string(),
        "Protocol error: too big bulk count string"
    );
    // An end that comes too late changes nothing.
    let late = line("a", limit + 1) + "\r\n";
    decoder.reset();
    let error = decoder.decode(late.as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.offset), (Kind::TooBigInlineRequest, 0));
    let in_time = line("a", limit) + "\n";
    decoder.reset();
    assert_eq!(decoder.decode(in_time.as_bytes()).unwrap().len(), 1);
}

#[track_caller]
fn refuses_long_line(bytes: &str, text: &str, kind: Kind) {
    for size in [usize::MAX, 1000] {
        let pieces = bytes.as_bytes().chunks(size.min(bytes.len()));
        let (_, _, error) = read_requests(pieces, Limits::server());
        assert_eq!(error, Some((kind, 0)));
    }
    assert_eq!(kind.to_string(), format!("Protocol error: {text}"));
}

#[test]
fn short_lines_in_small_limits() {
    let limits = Limits {
        line_bytes: 20,
        ..Limits::server()
    };
    let ones = "1".repeat(30);
    for cut in [20, 21, 30] {
        let bytes = &ones[..cut];
        let (_, _, error) = however_cut(bytes.as_bytes(), |pieces| read_requests(pieces, limits));
        let expected = (cut > 20).then_some((Kind::TooBigInlineRequest, 0));
        assert_eq!(error, expected);
    }
}

#[test]
fn before_authentication() {
    let limits = Limits::unauthenticated();
    refused_within(
        limits,
        "*11\r\n",
        "unauthenticated multibulk length",
        Kind::UnauthenticatedMultibulkLength,
        0,
    );
    refused_within(
        limits,
        "*1\r\n$16385\r\n",
        "unauthenticated bulk length",
        Kind::UnauthenticatedBulkLength,
        4,
    );
    refused_within(
        limits,
        "*2147483648\r\n",
        "invalid multibulk length",
        Kind::InvalidMultibulkLength,
        0,
    );
    refused_within(
        limits,
        "*1\r\n$-1\r\n",
        "invalid bulk length",
        Kind::InvalidBulkLength,
        4,
    );
    let ten = format!("*10\r\n{}", "$1\r\na\r\n".repeat(10));
    request_within(
        limits,
        ten,
        &[r#"["a", "a", "a", "a", "a", "a", "a", "a", "a", "a"]"#],
    );
    let outcome = read_requests([&b"*1\r\n$16384\r\n"[..]], limits);
    assert_eq!(outcome, (Vec::new(), 0, None));
}

#[test]
fn bytes_of_the_whole_request() {
    let limits = Limits {
        frame_bytes: 12,
        ..Limits::server()
    };
    request_within(limits, "*1\r\n$2\r\nab\r\n", &[r#"["ab"]"#]);
    let text = "frame too long";
    refused_within(limits, "*1\r\n$3\r\n", text, Kind::FrameTooLong, 4);
    refused_within(
        limits,
        "PING\r\n*2\r\n$1\r\na\r\n$",
        text,
        Kind::FrameTooLong,
        17,
    );
    refused_within(limits, "a b c d e f g", text, Kind::FrameTooLong, 0);
    request_within(
        limits,
        "a b c d e f\n",
        &[r#"["a", "b", "c", "d", "e", "f"]"#],
    );
}

#[test]
fn inline() {
    request("PING\n", &[r#"["PING"]"#]);
    request("PING\r\n", &[r#"["PING"]"#]);
    request("  SET  k\tv \r\n", &[r#"["SET", "k", "v"]"#]);
    request(
        "a\nb\r\n*1\r\n$1\r\nc\r\nd\n",
        &[r#"["a"]"#, r#"["b"]"#, r#"["c"]"#, r#"["d"]"#],
    );
    request("$1\r\n", &[r#"["$1"]"#]);
    request(b"\xff\x00 \x0ba\x0bb\n", &[r#"["\xff\x00", "a\x0bb"]"#]);
}

#[test]
fn double_quotes() {
    request(
        r#""\x41\xfF\n\r\t\b\a\\\"\q""#.to_owned() + "\r\n",
        &[r#"["A\xff\n\r\t\x08\x07\\\"q"]"#],
    );
    request("\"a b\" \"\"\r\n", &[r#"["a b", ""]"#]);
    request("\"\\xg1\\x4\"\n", &[r#"["xg1x4"]"#]);
    request("he\"llo\"\r\n", &[r#"["hello"]"#]);
    request("\"it's\"\n", &[r#"["it\'s"]"#]);
}

#[test]
fn single_quotes() {
    request(
        r"'a b' '\'' '\n' 'a\\b' ''".to_owned() + "\n",
        &[r#"["a b", "\'", "\\n", "a\\\\b", ""]"#],
    );
    request("he'l\"lo'\r\n", &[r#"["hel\"lo"]"#]);
}

#[test]
fn unbalanced_quotes() {
    let text = "unbalanced quotes in request";
    let kind = Kind::UnbalancedQuotes;
    refused("\"foo\"bar\r\n", text, kind, 5);
    refused("'foo'bar\r\n", text, kind, 5);
    refused("\"foo\"\"bar\"\r\n", text, kind, 5);
    refused("a \"foo\r\n", text, kind, 2);
    refused("a 'foo\r\n", text, kind, 2);
    refused("a 'foo\\'\n", text, kind, 2);
    refused("\"foo\\\n", text, kind, 0);
    refused("PING\r\n \"\n", text, kind, 7);
}

#[test]
fn a_header_that_was_cut_leaves_nothing_to_the_headers_behind_it() {
    // Up to four bytes of the first header have been searched for its end, and none of the shorter one behind it.
    let bytes = b"*2\r\n$10\r\n0123456789\r\n$x\r\n";
    for cut in 4..bytes.len() {
        let (left, right) = bytes.split_at(cut);
        let (_, _, error) = read_requests([left, right], Limits::server());
        assert_eq!(error, Some((Kind::InvalidBulkLength, 21)), "cut at {cut}");
    }
}
