//! Long lines, of which the decoder remembers how far it has searched them.

use super::*;

/// Every two pieces, the first of which is long enough to be remembered, and every third byte as a further cut.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    (0..bytes.len()).flat_map(move |first| {
        (first..bytes.len())
            .step_by(3)
            .map(move |second| vec![&bytes[..first], &bytes[first..second], &bytes[second..]])
    })
}

#[test]
fn a_line_in_three_pieces() {
    let line = "x".repeat(150);
    let wire = format!("*2\r\n:1\r\n-{line}\r\n+OK\r\n");
    let texts = [
        format!("array [integer 1, error \"{line}\"]"),
        r#"simple "OK""#.to_owned(),
    ];
    for pieces in cuts(wire.as_bytes()) {
        let outcome = decode(pieces, Limits::client());
        assert_eq!(outcome, (texts.to_vec(), wire.len(), None));
    }
}

#[test]
fn a_bare_break_is_told_as_soon_as_it_is_one() {
    let line = "x".repeat(100);
    // In the last two, what follows the CR decides.
    for wire in [
        format!("+{line}\n"),
        format!("*1\r\n+{line}\n"),
        format!("+{line}\ry"),
        format!("*1\r\n-{line}\r\r"),
    ] {
        let at = wire.find("x\n").or(wire.find("x\r")).unwrap() as u64 + 1;
        for pieces in cuts(wire.as_bytes()) {
            let (_, _, error) = decode(pieces, Limits::client());
            assert_eq!(error, Some((Kind::BareLineBreak, at)), "{wire:?}");
        }
    }
}

#[test]
fn a_long_payload_is_no_line() {
    let payload = "x".repeat(100);
    for before in ["", "*1\r\n"] {
        let wire = format!("{before}$100\r\n{payload}yz");
        for pieces in cuts(wire.as_bytes()) {
            let (_, _, error) = decode(pieces, Limits::client());
            let at = wire.len() as u64 - 2;
            assert_eq!(error, Some((Kind::MissingTerminator, at)));
        }
    }
}

#[test]
fn a_line_or_a_frame_is_refused_as_soon_as_it_is_too_long() {
    let line = |length| format!("+{}", "x".repeat(length));
    let short_lines = Limits {
        line_bytes: 100,
        ..Limits::client()
    };
    let short_frames = Limits {
        frame_bytes: 102,
        ..Limits::client()
    };
    for (limits, kind) in [
        (short_lines, Kind::LineTooLong),
        (short_frames, Kind::FrameTooLong),
    ] {
        for before in ["", "+OK\r\n"] {
            let within = format!("{before}{}", line(100));
            for pieces in cuts(within.as_bytes()) {
                let (_, _, error) = decode(pieces, limits);
                assert_eq!(error, None);
            }
            let beyond = format!("{before}{}", line(101));
            for pieces in cuts(beyond.as_bytes()) {
                let (_, _, error) = decode(pieces, limits);
                assert_eq!(error, Some((kind, before.len() as u64)));
            }
        }
    }
}

/// A line that was searched again from its start with each byte would take minutes.
#[test]
fn a_line_of_a_mebibyte_byte_by_byte() {
    for (before, first) in [("", 1), ("", 100), ("*1\r\n", 1), ("*1\r\n", 100)] {
        let wire = format!("{before}+{}\r\n", "x".repeat(1 << 20));
        let mut decoder = Decoder::new(Limits::client());
        for end in first..wire.len() {
            assert!(decoder.decode(&wire.as_bytes()[..end]).unwrap().is_empty());
        }
        assert_eq!(decoder.decode(wire.as_bytes()).unwrap().len(), 1);
    }
}
