//! Integers and doubles read as the wire has them.

/// Why a text is not the integer or double it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotANumber {
    /// The byte at this index cannot stand there (or is missing, when it is the text's length).
    Invalid(usize),
    /// Well formed, but beyond 64 bits.
    OutOfRange,
}

/// `[+-] 1*DIGIT`; `canonical` refuses a plus sign, a leading zero and minus zero.
pub(crate) fn parse_i64(text: &[u8], canonical: bool) -> Result<i64, NotANumber> {
    let (negative, digits) = sign(text);
    let first = text.len() - digits.len();
    if canonical {
        match (first, text) {
            (1, [b'+', ..]) | (0, [b'0', _, ..]) => return Err(NotANumber::Invalid(0)),
            (1, [b'-', b'0', ..]) => return Err(NotANumber::Invalid(1)),
            _ => {}
        }
    }
    if let Some(at) = digits.iter().position(|byte| !byte.is_ascii_digit()) {
        return Err(NotANumber::Invalid(first + at));
    }
    if digits.is_empty() {
        return Err(NotANumber::Invalid(first));
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = i64::from(byte - b'0');
        value = value
            .checked_mul(10)
            .and_then(|tens| {
                if negative {
                    tens.checked_sub(digit)
                } else {
                    tens.checked_add(digit)
                }
            })
            .ok_or(NotANumber::OutOfRange)?;
    }
    Ok(value)
}

/// `[+-] 1*DIGIT [. 1*DIGIT] [(e / E) [+-] 1*DIGIT]`, `[+-] inf`, or any of the ways to print a NaN.
pub(crate) fn parse_f64(text: &[u8]) -> Result<f64, NotANumber> {
    let (negative, rest) = sign(text);
    if rest.eq_ignore_ascii_case(b"inf") {
        return Ok(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    if is_nan(rest) {
        return Ok(f64::NAN);
    }
    let mut at = text.len() - rest.len();
    at = some_digits(text, at).map_err(NotANumber::Invalid)?;
    if text.get(at) == Some(&b'.') {
        at = some_digits(text, at + 1).map_err(NotANumber::Invalid)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = some_digits(text, at + 1 + signed).map_err(NotANumber::Invalid)?;
    }
    if at < text.len() {
        return Err(NotANumber::Invalid(at));
    }
    let value: f64 = core::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(NotANumber::Invalid(0))?;
    if value.is_infinite() {
        Err(NotANumber::OutOfRange)
    } else {
        Ok(value)
    }
}

/// `[+-] 1*DIGIT`, of any length; the index of the first byte that cannot stand there otherwise.
pub(crate) fn check_big_number(text: &[u8]) -> Result<(), usize> {
    let (_, digits) = sign(text);
    let first = text.len() - digits.len();
    match some_digits(text, first)? {
        end if end == text.len() => Ok(()),
        at => Err(at),
    }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Servers before 7.2 print what their libc prints: `nan`, `-nan`, `NAN`, `nan(0x1)`.
fn is_nan(text: &[u8]) -> bool {
    match text.split_at_checked(3) {
        Some((name, rest)) if name.eq_ignore_ascii_case(b"nan") => match rest {
            [] => true,
            [b'(', inner @ .., b')'] => inner
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
            _ => false,
        },
        _ => false,
    }
}

/// The index after one or more digits that start at `from`; `from` itself where there is none.
fn some_digits(text: &[u8], from: usize) -> Result<usize, usize> {
    let digits = text.get(from..).unwrap_or_default();
    let count = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if count == 0 {
        Err(from)
    } else {
        Ok(from + count)
    }
}
