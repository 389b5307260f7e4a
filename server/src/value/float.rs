//! Doubles as Redis 7.0 reads and prints them.

use std::ops::Bound;

use super::extended::Extended;

/// The text of a score: `%.17g`.
///
/// ```
/// use server::value::float::format;
///
/// assert_eq!(format(3.0), "3");
/// assert_eq!(format(0.1), "0.10000000000000001");
/// assert_eq!(format(1e21), "1e+21");
/// assert_eq!(format(f64::NEG_INFINITY), "-inf");
/// ```
pub fn format(value: f64) -> String {
    const DIGITS: usize = 17;
    // Integers of up to 15 digits are the most frequent scores by far.
    if value.abs() < 1e15 && (value as i64 as f64).to_bits() == value.to_bits() {
        return (value as i64).to_string();
    }
    if !value.is_finite() {
        return if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .to_owned();
    }
    let text = std::format!("{value:.precision$e}", precision = DIGITS - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..DIGITS as i32).contains(&exponent) {
        let decimals = (DIGITS as i32 - 1 - exponent) as usize;
        return trimmed(std::format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    std::format!(
        "{}e{sign}{:02}",
        trimmed(mantissa.to_owned()),
        exponent.abs()
    )
}

/// The text of a coordinate or a score that GEO commands print: `%.17Lf` without the zeros at the
/// end.
pub fn format_fixed(value: f64) -> String {
    let text = trimmed(std::format!("{value:.17}"));
    if text == "-0" { "0".to_owned() } else { text }
}

/// Takes zeros at the end off the decimals, and the point with the last of them.
fn trimmed(mut text: String) -> String {
    if text.contains('.') {
        let len = text.trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(len);
    }
    text
}

/// Reads a double: decimal, hexadecimal, `inf` or `infinity`, with a sign if need be.
///
/// Refused, as Redis refuses them: blanks, NaN, what is too large for a double or so small that it
/// would become zero.
pub fn parse(text: &[u8]) -> Option<f64> {
    if let Some(value) = parse_digits(text) {
        return Some(value);
    }
    let value = parse_saturating(text)?;
    let unsigned = text
        .strip_prefix(b"-")
        .or(text.strip_prefix(b"+"))
        .unwrap_or(text);
    let says_infinite = unsigned
        .first()
        .is_some_and(|byte| byte.eq_ignore_ascii_case(&b'i'));
    let significand = unsigned
        .split(|byte| byte.eq_ignore_ascii_case(&b'e'))
        .next();
    let says_zero =
        || significand.is_some_and(|digits| !digits.iter().any(|byte| matches!(byte, b'1'..=b'9')));
    if value.is_infinite() && !says_infinite || value == 0.0 && !says_zero() {
        return None;
    }
    Some(value)
}

/// Reads a bound of a score range, which `(` excludes: as [`parse`], but too large is infinite, too
/// small is zero, blanks may stand in front, and nothing is zero.
pub fn parse_bound(text: &[u8]) -> Option<Bound<f64>> {
    let (exclusive, text) = match text {
        [b'(', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let value = match text {
        [] => 0.0,
        _ => parse_saturating(text.trim_ascii_start())?,
    };
    Some(if exclusive {
        Bound::Excluded(value)
    } else {
        Bound::Included(value)
    })
}

/// A number of digits alone, as scores mostly are, and few enough for a double to hold it exactly.
fn parse_digits(text: &[u8]) -> Option<f64> {
    const EXACT_DIGITS: usize = 15;
    if !(1..=EXACT_DIGITS).contains(&text.len()) {
        return None;
    }
    let mut value = 0_u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value as f64)
}

/// `strtod`, but for NaN.
fn parse_saturating(text: &[u8]) -> Option<f64> {
    if text.iter().any(|byte| matches!(byte, b'x' | b'X')) {
        return Extended::parse(text).map(Extended::to_f64);
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

/// Why [`sum`] has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumError {
    /// The value is not a number.
    Value,
    /// The increment is not a number.
    Increment,
    /// The sum is infinite.
    Infinite,
}

/// The sum of two numbers as INCRBYFLOAT and HINCRBYFLOAT compute and print it: with 64 bits of
/// precision, and as `%.17Lf` without the zeros at the end.
///
/// ```
/// use server::value::float::sum;
///
/// assert_eq!(sum(b"10.5", b"0.1").as_deref(), Ok("10.6"));
/// assert_eq!(sum(b"5.0e3", b"200").as_deref(), Ok("5200"));
/// ```
///
/// # Errors
///
/// When either is not a number, or they have no finite sum.
pub fn sum(value: &[u8], increment: &[u8]) -> Result<String, SumError> {
    let value = Operand::parse(value).ok_or(SumError::Value)?;
    let increment = Operand::parse(increment).ok_or(SumError::Increment)?;
    match (value, increment) {
        (Operand::Finite(value), Operand::Finite(increment)) => value
            .add(increment)
            .map(Extended::to_text)
            .ok_or(SumError::Infinite),
        _ => Err(SumError::Infinite),
    }
}

enum Operand {
    Finite(Extended),
    Infinite,
}

impl Operand {
    fn parse(text: &[u8]) -> Option<Self> {
        // Redis reads at most this much.
        if text.len() >= 5 * 1024 {
            return None;
        }
        let unsigned = text
            .strip_prefix(b"-")
            .or(text.strip_prefix(b"+"))
            .unwrap_or(text);
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Some(Self::Infinite);
        }
        Extended::parse(text).map(Self::Finite)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::{SumError, format, format_fixed, parse, parse_bound, sum};

    /// What Redis 7.0.15 answers to ZADD and ZSCORE.
    #[test]
    fn prints_scores_as_redis_does() {
        let cases = [
            ("0", "0"),
            ("-0", "-0"),
            ("0.1", "0.10000000000000001"),
            ("-1.5", "-1.5"),
            ("1e16", "10000000000000000"),
            ("1e17", "1e+17"),
            ("123456789012345680", "1.2345678901234568e+17"),
            ("1e21", "1e+21"),
            ("0.0001", "0.0001"),
            ("0.00001", "1.0000000000000001e-05"),
            ("5e-324", "4.9406564584124654e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("999999999999999.9", "999999999999999.88"),
            ("000000000012345", "12345"),
            ("999999999999999", "999999999999999"),
            ("0x1p3", "8"),
            ("0x.8", "0.5"),
            ("+Inf", "inf"),
            ("-infinity", "-inf"),
        ];
        for (text, printed) in cases {
            assert_eq!(
                parse(text.as_bytes()).map(format).as_deref(),
                Some(printed),
                "{text}"
            );
        }
        assert_eq!(format_fixed(13.361_389_338_970_184), "13.36138933897018433");
        assert_eq!(format_fixed(-0.0), "0");
    }

    #[test]
    fn refuses_what_is_no_double() {
        let others = [
            "", " 1", "1 ", "nan", "1e400", "-1e400", "1e-400", "1e", "0x", "1.2.3", "infinit",
            "(1",
        ];
        for text in others {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"0e400"), Some(0.0));
        assert_eq!(parse_bound(b"(1.5"), Some(Bound::Excluded(1.5)));
        assert_eq!(parse_bound(b"1e400"), Some(Bound::Included(f64::INFINITY)));
        assert_eq!(parse_bound(b" 1"), Some(Bound::Included(1.0)));
        assert_eq!(parse_bound(b""), Some(Bound::Included(0.0)));
        assert_eq!(parse_bound(b"((1"), None);
        assert_eq!(parse_bound(b"nan"), None);
    }

    /// What Redis 7.0.15 answers to INCRBYFLOAT on x86-64.
    #[test]
    fn sums_as_redis_does() {
        let cases = [
            ("3.0", "1", "4"),
            ("1", "-1", "0"),
            ("-0.0", "0", "0"),
            ("1", "0x1p-2", "1.25"),
            ("0", "1e-18", "0"),
            ("0", "1e-17", "0.00000000000000001"),
            ("17179869184", "0.1", "17179869184.09999999962747097"),
            ("3", "1.1", "4.1"),
        ];
        for (value, increment, printed) in cases {
            assert_eq!(
                sum(value.as_bytes(), increment.as_bytes()).as_deref(),
                Ok(printed)
            );
        }
        assert_eq!(sum(b"a", b"1"), Err(SumError::Value));
        assert_eq!(sum(b"1", b"1e4933"), Err(SumError::Increment));
        assert_eq!(sum(b"1", b"1e-4960"), Err(SumError::Increment));
        assert_eq!(sum(b"1", b"-inf"), Err(SumError::Infinite));
        assert_eq!(sum(b"1.1e4932", b"1.1e4932"), Err(SumError::Infinite));
    }
}
