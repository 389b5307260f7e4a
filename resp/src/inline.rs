//! Inline requests: a line of words, some of them quoted.

use alloc::vec::Vec;

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while, take_while_m_n};
use nom::combinator::{map, value};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// Splits a line into its words, as redis-cli's and redis.conf's lines are split: appends the words' bytes to
/// `words` and tells `place` where each begins there and how long it is.
///
/// # Errors
/// The index of a quote that is not closed, or of what follows a closing quote instead of a space.
pub(crate) fn split_arguments(
    line: &[u8],
    words: &mut Vec<u8>,
    mut place: impl FnMut(usize, usize),
) -> Result<(), usize> {
    let mut rest = spaces(line);
    while !rest.is_empty() {
        let start = words.len();
        rest = word(rest, words).map_err(|at| line.len() - at)?;
        place(start, words.len() - start);
        rest = spaces(rest);
    }
    Ok(())
}

/// `word = *( OCTET except space and quotes ) [ double-quoted / single-quoted ]`
///
/// Fails with the number of bytes left where a quote is out of place.
fn word<'a>(input: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], usize> {
    let (rest, plain) = plain(input).unwrap_or((input, &[]));
    words.extend_from_slice(plain);
    let after = match rest {
        [b'"', quoted @ ..] => until(b'"', double_quoted, quoted, words).ok_or(rest.len())?,
        [b'\'', quoted @ ..] => until(b'\'', single_quoted, quoted, words).ok_or(rest.len())?,
        _ => return Ok(rest),
    };
    match after.first() {
        Some(next) if !is_space(*next) => Err(after.len()),
        _ => Ok(after),
    }
}

/// `*( element ) quote`: appends the elements; the rest after the quote, or nothing when there is no quote.
fn until<'a>(
    quote: u8,
    element: fn(&'a [u8]) -> IResult<&'a [u8], u8>,
    mut input: &'a [u8],
    words: &mut Vec<u8>,
) -> Option<&'a [u8]> {
    loop {
        if let [first, rest @ ..] = input
            && *first == quote
        {
            return Some(rest);
        }
        let (rest, byte) = element(input).ok()?;
        words.push(byte);
        input = rest;
    }
}

/// `plain = *( OCTET except space and quotes )`
fn plain(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte| !is_word_end(byte) && !matches!(byte, b'"' | b'\'')).parse(input)
}

/// `double-quoted = "\x" 2HEXDIG / "\" OCTET / OCTET`, one byte
fn double_quoted(input: &[u8]) -> IResult<&[u8], u8> {
    let hex = preceded(
        tag(&b"\\x"[..]),
        map(
            take_while_m_n(2, 2, |byte: u8| byte.is_ascii_hexdigit()),
            |digits: &[u8]| {
                digits.iter().fold(0, |byte, digit| {
                    16 * byte + char::from(*digit).to_digit(16).unwrap_or_default() as u8
                })
            },
        ),
    );
    let escape = preceded(
        tag(&b"\\"[..]),
        alt((
            value(b'\n', tag(&b"n"[..])),
            value(b'\r', tag(&b"r"[..])),
            value(b'\t', tag(&b"t"[..])),
            value(0x08, tag(&b"b"[..])),
            value(0x07, tag(&b"a"[..])),
            octet,
        )),
    );
    alt((hex, escape, octet)).parse(input)
}

/// `single-quoted = "\'" / OCTET`, one byte
fn single_quoted(input: &[u8]) -> IResult<&[u8], u8> {
    alt((value(b'\'', tag(&b"\\'"[..])), octet)).parse(input)
}

fn octet(input: &[u8]) -> IResult<&[u8], u8> {
    map(take(1_usize), |bytes: &[u8]| bytes[0]).parse(input)
}

fn spaces(input: &[u8]) -> &[u8] {
    let length = input.iter().take_while(|byte| is_space(**byte)).count();
    &input[length..]
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What ends a word outside quotes: not all that separates words.
fn is_word_end(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}
