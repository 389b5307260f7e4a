//! Every row of the table of frames.

use super::*;

#[test]
fn every_type() {
    frame("+OK\r\n", r#"simple "OK""#);
    frame("-ERR x\r\n", r#"error "ERR x""#);
    frame(":42\r\n", "integer 42");
    frame("$3\r\nabc\r\n", r#"bulk "abc""#);
    frame("*2\r\n$1\r\na\r\n:1\r\n", r#"array [bulk "a", integer 1]"#);
    frame("_\r\n", "null");
    frame("#t\r\n", "boolean true");
    frame("#f\r\n", "boolean false");
    frame(",1.5\r\n", "double 1.5");
    frame("(12\r\n", "bignumber 12");
    frame("!5\r\nERR x\r\n", r#"bulkerror "ERR x""#);
    frame("=7\r\ntxt:abc\r\n", r#"verbatim txt "abc""#);
    frame("%1\r\n$1\r\nk\r\n:1\r\n", r#"map {bulk "k": integer 1}"#);
    frame("~2\r\n:1\r\n:2\r\n", "set [integer 1, integer 2]");
    frame(">2\r\n$1\r\na\r\n:1\r\n", r#"push [bulk "a", integer 1]"#);
    frame(
        "|1\r\n+ttl\r\n:3600\r\n:3\r\n",
        r#"attribute {simple "ttl": integer 3600} integer 3"#,
    );
}

#[test]
fn an_unknown_type_is_told_at_its_first_byte() {
    for byte in [b'?', b'\r', b'\n', b'a', b' ', b'@', b'&', 0, 0x7f, 0xff] {
        fails([byte], Kind::UnknownType, 0);
        fails([b"*1\r\n", &[byte][..]].concat(), Kind::UnknownType, 4);
        fails([b"+OK\r\n", &[byte][..]].concat(), Kind::UnknownType, 5);
    }
}

#[test]
fn a_map_counts_pairs() {
    incomplete("%2\r\n$3\r\nkey\r\n$5\r\nvalue\r\n");
    frame(
        "%1\r\n$3\r\nkey\r\n$5\r\nvalue\r\n",
        r#"map {bulk "key": bulk "value"}"#,
    );
}

#[test]
fn integers_with_sign_and_zeros_are_lenient_by_default() {
    are_frames(
        ":+5\r\n:-0\r\n:007\r\n:-007\r\n:00\r\n:+0\r\n",
        &[
            "integer 5",
            "integer 0",
            "integer 7",
            "integer -7",
            "integer 0",
            "integer 0",
        ],
    );
}

#[test]
fn integers_with_sign_and_zeros_are_errors_in_strict_mode() {
    fails_within(strict(), ":+5\r\n", Kind::InvalidInteger, 1);
    fails_within(strict(), ":-0\r\n", Kind::InvalidInteger, 2);
    fails_within(strict(), ":-05\r\n", Kind::InvalidInteger, 2);
    fails_within(strict(), ":007\r\n", Kind::InvalidInteger, 1);
    fails_within(strict(), ":00\r\n", Kind::InvalidInteger, 1);
    fails_within(strict(), "*1\r\n:007\r\n", Kind::InvalidInteger, 5);
    frames_within(
        strict(),
        ":0\r\n:10\r\n:-10\r\n",
        &["integer 0", "integer 10", "integer -10"],
    );
}

#[test]
fn what_is_no_integer() {
    fails(":\r\n", Kind::InvalidInteger, 1);
    fails(":-\r\n", Kind::InvalidInteger, 2);
    fails(":+\r\n", Kind::InvalidInteger, 2);
    fails(": 5\r\n", Kind::InvalidInteger, 1);
    fails(":5 \r\n", Kind::InvalidInteger, 2);
    fails(":1.0\r\n", Kind::InvalidInteger, 2);
    fails(":+-5\r\n", Kind::InvalidInteger, 2);
    fails(":12a\r\n", Kind::InvalidInteger, 3);
    fails(":1/\r\n", Kind::InvalidInteger, 2);
    fails(":1:\r\n", Kind::InvalidInteger, 2);
}

#[test]
fn integers_take_64_bits_and_no_more() {
    are_frames(
        ":9223372036854775807\r\n:-9223372036854775808\r\n",
        &[
            "integer 9223372036854775807",
            "integer -9223372036854775808",
        ],
    );
    are_frames(
        ":999999999999999999\r\n:1000000000000000000\r\n:000000000000000000000012\r\n",
        &[
            "integer 999999999999999999",
            "integer 1000000000000000000",
            "integer 12",
        ],
    );
    fails(":9223372036854775808\r\n", Kind::IntegerOutOfRange, 0);
    fails(":-9223372036854775809\r\n", Kind::IntegerOutOfRange, 0);
    fails(
        "*1\r\n:99999999999999999999999\r\n",
        Kind::IntegerOutOfRange,
        4,
    );
}

#[test]
fn two_nulls_of_resp2_and_no_other_negative_length() {
    are_frames("$-1\r\n*-1\r\n", &["null bulk", "null array"]);
    for kind in ["%", "~", ">", "|", "=", "!"] {
        fails(format!("{kind}-1\r\n"), Kind::InvalidLength, 1);
    }
    for kind in ["$", "*", "%", "~", ">", "|", "=", "!"] {
        fails(format!("{kind}-2\r\n"), Kind::InvalidLength, 1);
        fails(format!("{kind}-10\r\n"), Kind::InvalidLength, 1);
    }
    fails("$?\r\n;-1\r\n", Kind::InvalidLength, 5);
}

#[test]
fn lengths_are_not_integers() {
    for kind in ["$", "*", "%", "~", ">", "|", "=", "!"] {
        fails(format!("{kind}03\r\n"), Kind::InvalidLength, 1);
        fails(format!("{kind}00\r\n"), Kind::InvalidLength, 1);
        fails(format!("{kind}+3\r\n"), Kind::InvalidLength, 1);
        fails(format!("{kind}-0\r\n"), Kind::InvalidLength, 2);
        fails(format!("{kind}-01\r\n"), Kind::InvalidLength, 2);
        fails(format!("{kind}\r\n"), Kind::InvalidLength, 1);
        fails(format!("{kind}-\r\n"), Kind::InvalidLength, 2);
        fails(format!("{kind}3 \r\n"), Kind::InvalidLength, 2);
        fails(format!("{kind} 3\r\n"), Kind::InvalidLength, 1);
        fails(format!("{kind}1a\r\n"), Kind::InvalidLength, 2);
        fails(format!("{kind}?1\r\n"), Kind::InvalidLength, 1);
        fails(format!("{kind}-1x\r\n"), Kind::InvalidLength, 3);
    }
    fails("$?\r\n;03\r\n", Kind::InvalidLength, 5);
    // Nor where the payload is there.
    fails("$03\r\nabc\r\n", Kind::InvalidLength, 1);
    fails("*1\r\n$03\r\nabc\r\n", Kind::InvalidLength, 5);
}

#[test]
fn the_terminator_is_compared_and_not_skipped() {
    fails("$3\r\nabcXY", Kind::MissingTerminator, 7);
    fails("$3\r\nabc\rX", Kind::MissingTerminator, 8);
    fails("$3\r\nabc\nX", Kind::MissingTerminator, 7);
    fails("$3\r\nabc\n\r", Kind::MissingTerminator, 7);
    fails("$2\r\nabc\r\n", Kind::MissingTerminator, 6);
    fails("!1\r\nabcd", Kind::MissingTerminator, 5);
    fails("=5\r\ntxt:abc", Kind::MissingTerminator, 9);
    fails("$?\r\n;1\r\nabc", Kind::MissingTerminator, 9);
    incomplete("$3\r\nabcX");
    incomplete("$3\r\nabc\r");
}

#[test]
fn empty_values() {
    frame("$0\r\n\r\n", r#"bulk """#);
    frame("*0\r\n", "array []");
    frame("%0\r\n", "map {}");
    frame("~0\r\n", "set []");
    frame(">0\r\n", "push []");
    frame("=4\r\ntxt:\r\n", r#"verbatim txt """#);
    frame("!0\r\n\r\n", r#"bulkerror """#);
    frame("+\r\n", r#"simple """#);
    frame("-\r\n", r#"error """#);
    frame("|0\r\n+x\r\n", r#"attribute {} simple "x""#);
}

#[test]
fn nulls_and_booleans_have_no_other_spelling() {
    fails("_x\r\n", Kind::InvalidNull, 1);
    fails("_ \r\n", Kind::InvalidNull, 1);
    fails("#T\r\n", Kind::InvalidBoolean, 1);
    fails("#true\r\n", Kind::InvalidBoolean, 2);
    fails("#f \r\n", Kind::InvalidBoolean, 2);
    fails("#\r\n", Kind::InvalidBoolean, 1);
    fails("#1\r\n", Kind::InvalidBoolean, 1);
}

#[test]
fn doubles() {
    are_frames(
        ",inf\r\n,-inf\r\n,+inf\r\n,INF\r\n",
        &["double inf", "double -inf", "double inf", "double inf"],
    );
    are_frames(
        ",10\r\n,1e5\r\n,1E+5\r\n,-0.5\r\n,+1.25\r\n,-0\r\n,1.5e-3\r\n,1e-400\r\n,00.5\r\n",
        &[
            "double 10",
            "double 100000",
            "double 100000",
            "double -0.5",
            "double 1.25",
            "double -0",
            "double 0.0015",
            "double 0",
            "double 0.5",
        ],
    );
    are_frames(
        ",1.7976931348623157e308\r\n,5e-324\r\n",
        &["double 1.7976931348623157e308", "double 5e-324"],
    );
}

#[test]
fn what_is_no_double() {
    fails(",.5\r\n", Kind::InvalidDouble, 1);
    fails(",-.5\r\n", Kind::InvalidDouble, 2);
    fails(",5.\r\n", Kind::InvalidDouble, 3);
    fails(",5.e1\r\n", Kind::InvalidDouble, 3);
    fails(",\r\n", Kind::InvalidDouble, 1);
    fails(",-\r\n", Kind::InvalidDouble, 2);
    fails(",1e\r\n", Kind::InvalidDouble, 3);
    fails(",1e+\r\n", Kind::InvalidDouble, 4);
    fails(",0x1\r\n", Kind::InvalidDouble, 2);
    fails(",1_0\r\n", Kind::InvalidDouble, 2);
    fails(",1.5x\r\n", Kind::InvalidDouble, 4);
    fails(",1e5.5\r\n", Kind::InvalidDouble, 4);
    fails(",infinity\r\n", Kind::InvalidDouble, 1);
    fails(",--1\r\n", Kind::InvalidDouble, 2);
    fails(",1 \r\n", Kind::InvalidDouble, 2);
    fails(",1e400\r\n", Kind::DoubleOutOfRange, 0);
    fails("*1\r\n,-1e400\r\n", Kind::DoubleOutOfRange, 4);
}

#[test]
fn nan_as_libc_prints_it() {
    for text in [
        "nan",
        "-nan",
        "+nan",
        "NAN",
        "nan(0x1)",
        "nan(char_sequence)",
        "nan()",
    ] {
        frame(format!(",{text}\r\n"), "double nan");
    }
    for text in ["nan(", "nan)", "nan(0x1", "nan(-)", "nanx", "na"] {
        fails(format!(",{text}\r\n"), Kind::InvalidDouble, 1);
    }
}

#[test]
fn big_numbers() {
    are_frames(
        "(-1\r\n(+1\r\n(0\r\n(3492890328409238509324850943850943825024385\r\n",
        &[
            "bignumber -1",
            "bignumber +1",
            "bignumber 0",
            "bignumber 3492890328409238509324850943850943825024385",
        ],
    );
    fails("(\r\n", Kind::InvalidBigNumber, 1);
    fails("(-\r\n", Kind::InvalidBigNumber, 2);
    fails("(12a\r\n", Kind::InvalidBigNumber, 3);
    fails("(a\r\n", Kind::InvalidBigNumber, 1);
    fails("(1.5\r\n", Kind::InvalidBigNumber, 2);
}

#[test]
fn verbatim_strings() {
    frame(
        "=15\r\ntxt:Some string\r\n",
        r#"verbatim txt "Some string""#,
    );
    frame("=8\r\nxml:abcd\r\n", r#"verbatim xml "abcd""#);
    for length in 0..4 {
        fails(format!("={length}\r\n"), Kind::InvalidVerbatimString, 1);
    }
    fails("=4\r\nabcd\r\n", Kind::InvalidVerbatimString, 7);
    fails("=8\r\ntxt;abcd\r\n", Kind::InvalidVerbatimString, 7);
    fails("=?\r\n", Kind::InvalidLength, 1);
}

#[test]
fn a_line_holds_neither_cr_nor_lf() {
    fails("+a\rb\r\n", Kind::BareLineBreak, 2);
    fails("+a\nb\r\n", Kind::BareLineBreak, 2);
    fails("-a\rb\r\n", Kind::BareLineBreak, 2);
    fails("+OK\n", Kind::BareLineBreak, 3);
    fails("+OK\r\r\n", Kind::BareLineBreak, 3);
    fails(":1\n", Kind::BareLineBreak, 2);
    fails("$3\nabc\r\n", Kind::BareLineBreak, 2);
    fails("*1\n", Kind::BareLineBreak, 2);
    fails("_\n", Kind::BareLineBreak, 1);
    fails("#t\n", Kind::BareLineBreak, 2);
    fails(".\n", Kind::UnexpectedEnd, 0);
    fails("*?\r\n.\n", Kind::BareLineBreak, 5);
    let long = format!("+{}\nx", "a".repeat(100));
    fails(long, Kind::BareLineBreak, 101);
}

#[test]
fn the_first_break_counts_wherever_it_stands() {
    for before in 0..10 {
        for between in 0..10 {
            for bare in ["\n", "\rx"] {
                let (before, between) = ("a".repeat(before), "b".repeat(between));
                let line = format!("+{before}{bare}{between}\r\n:12345678\r\n");
                fails(line, Kind::BareLineBreak, 1 + before.len() as u64);
            }
        }
    }
}

#[test]
fn every_other_byte_is_text() {
    for byte in (0..=u8::MAX).filter(|byte| !matches!(byte, b'\r' | b'\n')) {
        for before in 0..8 {
            let text = [vec![b'a'; before], vec![byte; 2]].concat();
            let wire = [b"+", &text[..], b"\r\n_\r\n"].concat();
            let text = format!("simple \"{}\"", text.escape_ascii());
            are_frames(wire, &[&text, "null"]);
        }
    }
}

#[test]
fn a_bare_lf_at_the_end_of_the_input_is_told_at_once() {
    fails(",2.5\n", Kind::BareLineBreak, 4);
    fails("+a long line of text\n", Kind::BareLineBreak, 20);
}

#[test]
fn payloads_are_bytes() {
    frame(b"+\xff\xfe\r\n", r#"simple "\xff\xfe""#);
    frame(b"$3\r\n\x00\xff\"\r\n", r#"bulk "\x00\xff\"""#);
    frame("$4\r\n\r\n\r\n\r\n", r#"bulk "\r\n\r\n""#);
    frame(b"=6\r\n\xff\x00a:\r\n\r\n", r#"verbatim \xff\x00a "\r\n""#);
    frame(b"!2\r\n\r\n\r\n", r#"bulkerror "\r\n""#);
}

#[test]
fn aggregates_as_keys() {
    frame(
        "%1\r\n*1\r\n:1\r\n:2\r\n",
        "map {array [integer 1]: integer 2}",
    );
    frame("~1\r\n%0\r\n", "set [map {}]");
}

#[test]
fn order_and_duplicates_are_kept() {
    frame(
        "%2\r\n+b\r\n:2\r\n+b\r\n:1\r\n",
        r#"map {simple "b": integer 2, simple "b": integer 1}"#,
    );
    frame(
        "~3\r\n:2\r\n:1\r\n:2\r\n",
        "set [integer 2, integer 1, integer 2]",
    );
}

#[test]
fn an_attribute_belongs_to_the_value_behind_it() {
    frame(
        "*2\r\n:1\r\n|1\r\n+ttl\r\n:3600\r\n:3\r\n",
        r#"array [integer 1, attribute {simple "ttl": integer 3600} integer 3]"#,
    );
    frame(
        "|1\r\n+ttl\r\n:3600\r\n_\r\n",
        r#"attribute {simple "ttl": integer 3600} null"#,
    );
    frame(
        "|1\r\n+a\r\n:1\r\n*1\r\n:2\r\n",
        r#"attribute {simple "a": integer 1} array [integer 2]"#,
    );
    frame(
        "|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n:2\r\n:3\r\n",
        r#"attribute {simple "a": integer 1} attribute {simple "b": integer 2} integer 3"#,
    );
    frame(
        "%1\r\n|0\r\n+k\r\n|0\r\n+v\r\n",
        r#"map {attribute {} simple "k": attribute {} simple "v"}"#,
    );
    frame(
        "|1\r\n|0\r\n+a\r\n*?\r\n.\r\n+x\r\n",
        r#"attribute {attribute {} simple "a": array []} simple "x""#,
    );
    incomplete("|1\r\n+ttl\r\n:3600\r\n");
    fails("*?\r\n|0\r\n.\r\n", Kind::UnexpectedEnd, 8);
}

#[test]
fn a_push_stands_at_top_level_only() {
    fails("*1\r\n>1\r\n+x\r\n", Kind::NestedPush, 4);
    fails("%1\r\n>", Kind::NestedPush, 4);
    fails("~1\r\n>", Kind::NestedPush, 4);
    fails(">1\r\n>", Kind::NestedPush, 4);
    fails("*?\r\n>", Kind::NestedPush, 4);
    fails("|1\r\n>", Kind::NestedPush, 4);
    fails("|1\r\n+k\r\n>", Kind::NestedPush, 8);
    fails("*1\r\n|0\r\n>", Kind::NestedPush, 8);
    frame(
        "|1\r\n+k\r\n+v\r\n>1\r\n+x\r\n",
        r#"attribute {simple "k": simple "v"} push [simple "x"]"#,
    );
    frame("|0\r\n|0\r\n>0\r\n", "attribute {} attribute {} push []");
    are_frames(
        ">1\r\n+x\r\n+OK\r\n",
        &[r#"push [simple "x"]"#, r#"simple "OK""#],
    );
}

#[test]
fn streamed_strings() {
    frame("$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n", r#"bulk "Hello""#);
    frame("$?\r\n;0\r\n", r#"bulk """#);
    frame(
        "*2\r\n$?\r\n;1\r\na\r\n;0\r\n:1\r\n",
        r#"array [bulk "a", integer 1]"#,
    );
    fails("$?\r\n$1\r\na\r\n", Kind::ExpectedChunk, 4);
    fails("$?\r\n.", Kind::ExpectedChunk, 4);
    fails("$?\r\n>", Kind::ExpectedChunk, 4);
    fails("$?\r\n@", Kind::ExpectedChunk, 4);
    fails("$?\r\n;1\r\na\r\n:", Kind::ExpectedChunk, 11);
    fails("$?\r\n;?\r\n", Kind::InvalidLength, 5);
    // After the last chunk the string is over: what follows is the next frame.
    fails("$?\r\n;0\r\n\r\n", Kind::UnknownType, 8);
    for kind in ["!", "=", ">", "|"] {
        fails(format!("{kind}?\r\n"), Kind::InvalidLength, 1);
    }
}

#[test]
fn streamed_aggregates() {
    frame("*?\r\n:1\r\n:2\r\n.\r\n", "array [integer 1, integer 2]");
    frame("*?\r\n.\r\n", "array []");
    frame(
        "~?\r\n+a\r\n-e\r\n$1\r\nb\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,1.5\r\n(1\r\n!1\r\ne\r\n=5\r\ntxt:v\r\n.\r\n",
        r#"set [simple "a", error "e", bulk "b", null bulk, null array, null, boolean true, double 1.5, bignumber 1, bulkerror "e", verbatim txt "v"]"#,
    );
    frame("~?\r\n:1\r\n.\r\n", "set [integer 1]");
    frame("%?\r\n.\r\n", "map {}");
    frame(
        "%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n",
        r#"map {simple "a": integer 1, simple "b": integer 2}"#,
    );
    frame(
        "*?\r\n%?\r\n+a\r\n*?\r\n.\r\n.\r\n$?\r\n;1\r\nx\r\n;0\r\n.\r\n",
        r#"array [map {simple "a": array []}, bulk "x"]"#,
    );
    frame(
        "*?\r\n*1\r\n*1\r\n:1\r\n|0\r\n:2\r\n.\r\n",
        "array [array [array [integer 1]], attribute {} integer 2]",
    );
}

#[test]
fn stray_parts_of_streams() {
    fails("%?\r\n:1\r\n.\r\n", Kind::OddMap, 8);
    fails("%?\r\n:1\r\n:2\r\n:3\r\n.", Kind::OddMap, 16);
    fails(".\r\n", Kind::UnexpectedEnd, 0);
    fails("*1\r\n.\r\n", Kind::UnexpectedEnd, 4);
    fails("*?\r\n.x\r\n", Kind::UnexpectedEnd, 5);
    fails("%1\r\n:1\r\n.\r\n", Kind::UnexpectedEnd, 8);
    fails("*?\r\n.\r\n.", Kind::UnexpectedEnd, 7);
    fails(";1\r\na\r\n", Kind::UnexpectedChunk, 0);
    fails("*?\r\n;1\r\na\r\n", Kind::UnexpectedChunk, 4);
    fails(";0\r\n", Kind::UnexpectedChunk, 0);
}

#[test]
fn depth_is_bounded_in_constant_stack() {
    for header in [
        "*1\r\n", "%1\r\n", "~1\r\n", "|1\r\n", "|0\r\n", "*?\r\n", "%?\r\n",
    ] {
        let bytes = header.repeat(1_000_000);
        let outcome = decode([bytes.as_bytes()], Limits::client());
        assert_eq!(outcome.2, Some((Kind::TooDeep, 4 * 128)), "{header:?}");
    }
    let deepest = "*1\r\n".repeat(128) + "*0\r\n";
    frame(&deepest, &("array [".repeat(129) + &"]".repeat(129)));
    let at = |depth| Limits {
        depth,
        ..Limits::client()
    };
    frames_within(at(0), "*0\r\n:1\r\n", &["array []", "integer 1"]);
    fails_within(at(0), "*1\r\n", Kind::TooDeep, 0);
    fails_within(at(0), "$?\r\n", Kind::TooDeep, 0);
    fails_within(at(0), "|0\r\n", Kind::TooDeep, 0);
    fails_within(at(1), "*2\r\n:1\r\n*1\r\n", Kind::TooDeep, 8);
    fails_within(at(1), "|0\r\n|0\r\n", Kind::TooDeep, 4);
    frames_within(
        at(1),
        "*2\r\n:1\r\n*0\r\n*1\r\n:1\r\n",
        &["array [integer 1, array []]", "array [integer 1]"],
    );
}

#[test]
fn nothing_hangs_on_an_announced_length() {
    incomplete("*67108863\r\n");
    incomplete("$536870912\r\n");
    incomplete("%33554431\r\n");
    incomplete("*1000000\r\n*1000000\r\n*1000000\r\n*1000000\r\n");
    fails("*1000000000\r\n", Kind::TooManyElements, 0);
    fails("%33554433\r\n", Kind::TooManyElements, 0);
    fails("$536870913\r\n", Kind::BulkTooLong, 0);
    fails("*67108864\r\n", Kind::FrameTooManyElements, 0);
    // What lacks so much is looked at again when 4 KiB have come, if it is cut.
    let awaited = "_\r\n".repeat(1366);
    fails(
        &("*67000000\r\n*100000\r\n%5000\r\n".to_owned() + &awaited),
        Kind::FrameTooManyElements,
        20,
    );
}

#[test]
fn lengths_beyond_every_integer() {
    fails("$9223372036854775807\r\n", Kind::BulkTooLong, 0);
    fails("*9223372036854775807\r\n", Kind::TooManyElements, 0);
    fails("%9223372036854775807\r\n", Kind::TooManyElements, 0);
    fails("$9223372036854775808\r\n", Kind::InvalidLength, 1);
    fails("$18446744073709551616\r\n", Kind::InvalidLength, 1);
    fails("$999999999999999999\r\n", Kind::BulkTooLong, 0);
    let unbounded = Limits {
        bulk_bytes: usize::MAX,
        elements: usize::MAX,
        frame_bytes: usize::MAX,
        ..Limits::client()
    };
    fails_within(unbounded, "$9223372036854775807\r\n", Kind::FrameTooLong, 0);
    // A count that 32 bits can't hold is never cut down to one that they can.
    let countless = Limits {
        frame_elements: usize::MAX,
        ..unbounded
    };
    for header in ["*4294967297", "%2147483649", "~4294967296", ">2147483648"] {
        fails_within(
            countless,
            format!("{header}\r\n"),
            Kind::FrameTooManyElements,
            0,
        );
    }
    fails_within(
        unbounded,
        "%9223372036854775807\r\n",
        Kind::FrameTooManyElements,
        0,
    );
    fails_within(
        unbounded,
        "|9223372036854775807\r\n",
        Kind::FrameTooManyElements,
        0,
    );
}
