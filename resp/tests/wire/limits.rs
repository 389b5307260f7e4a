//! Each bound on frames, one below, at, and one above.

use super::*;

#[test]
fn line() {
    let limits = Limits {
        line_bytes: 20,
        ..Limits::client()
    };
    let line = |length| format!("+{}\r\n", "x".repeat(length));
    frames_within(
        limits,
        line(20),
        &[&format!("simple \"{}\"", "x".repeat(20))],
    );
    fails_within(limits, line(21), Kind::LineTooLong, 0);
    fails_within(limits, format!("*1\r\n{}", line(21)), Kind::LineTooLong, 4);
    // Without an end, the first byte too many is enough.
    fails_within(limits, &line(30)[..22], Kind::LineTooLong, 0);
    let (_, _, error) = decode([&line(30).as_bytes()[..21]], limits);
    assert_eq!(error, None);
}

#[test]
fn a_line_has_room_for_every_short_number() {
    let limits = Limits {
        line_bytes: 0,
        ..Limits::client()
    };
    frames_within(
        limits,
        ":123456789012345678\r\n",
        &["integer 123456789012345678"],
    );
    frames_within(
        limits,
        ":-1\r\n+123456789012345678\r\n",
        &["integer -1", "simple \"123456789012345678\""],
    );
    fails_within(limits, ":1234567890123456789\r\n", Kind::LineTooLong, 0);
    request_within(limits, "*1\r\n$1\r\na\r\n", &[r#"["a"]"#]);
}

#[test]
fn bulk() {
    let limits = Limits {
        bulk_bytes: 3,
        ..Limits::client()
    };
    frames_within(limits, "$3\r\nabc\r\n", &[r#"bulk "abc""#]);
    fails_within(limits, "$4\r\n", Kind::BulkTooLong, 0);
    fails_within(limits, "!4\r\n", Kind::BulkTooLong, 0);
    fails_within(limits, "=4\r\n", Kind::BulkTooLong, 0);
    fails_within(limits, "$?\r\n;3\r\nabc\r\n;4\r\n", Kind::BulkTooLong, 13);
}

#[test]
fn elements() {
    let limits = Limits {
        elements: 3,
        ..Limits::client()
    };
    frames_within(
        limits,
        "*3\r\n_\r\n_\r\n_\r\n",
        &["array [null, null, null]"],
    );
    fails_within(limits, "*4\r\n", Kind::TooManyElements, 0);
    fails_within(limits, "~4\r\n", Kind::TooManyElements, 0);
    fails_within(limits, ">4\r\n", Kind::TooManyElements, 0);
    frames_within(limits, "%1\r\n_\r\n_\r\n", &["map {null: null}"]);
    fails_within(limits, "%2\r\n", Kind::TooManyElements, 0);
    fails_within(limits, "|2\r\n", Kind::TooManyElements, 0);
}

#[test]
fn elements_of_the_whole_frame() {
    let limits = Limits {
        frame_elements: 4,
        ..Limits::client()
    };
    // The outermost one counts.
    frames_within(
        limits,
        "*3\r\n_\r\n_\r\n_\r\n*1\r\n*2\r\n_\r\n_\r\n",
        &["array [null, null, null]", "array [array [null, null]]"],
    );
    fails_within(limits, "*4\r\n", Kind::FrameTooManyElements, 0);
    fails_within(limits, "*2\r\n*2\r\n", Kind::FrameTooManyElements, 4);
    fails_within(limits, "|2\r\n", Kind::FrameTooManyElements, 0);
    frames_within(
        limits,
        "|1\r\n_\r\n_\r\n_\r\n",
        &["attribute {null: null} null"],
    );
    frames_within(
        limits,
        "*?\r\n_\r\n_\r\n_\r\n.\r\n",
        &["array [null, null, null]"],
    );
    fails_within(
        limits,
        "*?\r\n_\r\n_\r\n_\r\n_\r\n.\r\n",
        Kind::FrameTooManyElements,
        13,
    );
    fails_within(
        limits,
        "$?\r\n;1\r\na\r\n;1\r\na\r\n;1\r\na\r\n;1\r\na\r\n",
        Kind::FrameTooManyElements,
        25,
    );
    // A streamed aggregate's element counts where it starts, not where what is in it ends.
    fails_within(
        limits,
        "*?\r\n_\r\n_\r\n_\r\n*1\r\n$1\r\na\r\n",
        Kind::FrameTooManyElements,
        13,
    );
    fails_within(
        limits,
        "*?\r\n*2\r\n_\r\n_\r\n_\r\n",
        Kind::FrameTooManyElements,
        14,
    );
    fails_within(limits, "%?\r\n_\r\n*2\r\n", Kind::FrameTooManyElements, 7);
    let none = Limits {
        frame_elements: 0,
        ..Limits::client()
    };
    fails_within(none, "_\r\n", Kind::FrameTooManyElements, 0);
    fails_within(none, "+OK\r\n", Kind::FrameTooManyElements, 0);
    // An attribute's value counts once, with what holds it.
    let three = Limits {
        frame_elements: 3,
        ..Limits::client()
    };
    frames_within(
        three,
        "|1\r\n_\r\n_\r\n_\r\n*2\r\n|0\r\n_\r\n_\r\n",
        &[
            "attribute {null: null} null",
            "array [attribute {} null, null]",
        ],
    );
}

#[test]
fn bytes_of_the_whole_frame() {
    let limits = Limits {
        frame_bytes: 9,
        ..Limits::client()
    };
    frames_within(
        limits,
        "$3\r\nabc\r\n*1\r\n+a\r\n",
        &[r#"bulk "abc""#, r#"array [simple "a"]"#],
    );
    fails_within(limits, "$4\r\n", Kind::FrameTooLong, 0);
    fails_within(limits, "+abcdefg\r\n", Kind::FrameTooLong, 0);
    fails_within(limits, "+abcdefgh", Kind::FrameTooLong, 0);
    fails_within(limits, "*2\r\n+ab\r\n+a\r\n", Kind::FrameTooLong, 9);
    fails_within(limits, "*2\r\n$1\r\n", Kind::FrameTooLong, 4);
    // Each frame has the bound for itself.
    frames_within(limits, "+OK\r\n".repeat(5), &[r#"simple "OK""#; 5]);
    fails_within(limits, "+OK\r\n+abcdefg\r\n", Kind::FrameTooLong, 5);
}

#[test]
fn a_bare_break_on_the_last_byte_of_a_frame_is_told_whatever_the_cut() {
    let limits = Limits {
        frame_bytes: 5,
        ..Limits::client()
    };
    fails_within(limits, "+abc\n", Kind::BareLineBreak, 4);
    fails_within(limits, "+abc\r", Kind::FrameTooLong, 0);
    fails_within(limits, "+abcd", Kind::FrameTooLong, 0);
}
