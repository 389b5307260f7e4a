//! The typed cursor over a command's arguments.

use crate::fault::Fault;
use crate::value::float;

/// The arguments of one call: a cursor that starts behind the command's name (and subcommand).
///
/// Arity is checked before a handler runs, so running out of arguments means a malformed option list and is answered
/// as a syntax error.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    all: &'a [&'a [u8]],
    position: usize,
    end: usize,
}

impl<'a> Args<'a> {
    /// A cursor over `all` (the name included) that starts at `position`.
    pub fn new(all: &'a [&'a [u8]], position: usize) -> Self {
        Self {
            all,
            position,
            end: all.len(),
        }
    }

    /// Every argument from the command's name on, wherever the cursor stands.
    pub fn all(&self) -> &'a [&'a [u8]] {
        self.all
    }

    /// The arguments not consumed yet.
    pub fn remaining(&self) -> &'a [&'a [u8]] {
        self.all.get(self.position..self.end).unwrap_or_default()
    }

    /// How many arguments are not consumed yet.
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.position)
    }

    /// Whether every argument is consumed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next argument without consuming it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.remaining().first().copied()
    }

    /// The next argument, or `None` at the end.
    pub fn pop(&mut self) -> Option<&'a [u8]> {
        let next = self.peek()?;
        self.position += 1;
        Some(next)
    }

    /// The next argument.
    ///
    /// # Errors
    /// [`Fault::SYNTAX`] where there is none.
    pub fn next_bytes(&mut self) -> Result<&'a [u8], Fault> {
        self.pop().ok_or(Fault::SYNTAX)
    }

    /// The next argument as a signed 64-bit decimal in Redis' strict form.
    ///
    /// # Errors
    /// [`Fault::NOT_INTEGER`], or [`Fault::SYNTAX`] where there is none.
    pub fn next_i64(&mut self) -> Result<i64, Fault> {
        parse_i64(self.next_bytes()?).ok_or(Fault::NOT_INTEGER)
    }

    /// The next argument as a signed 32-bit decimal, such as the number of a database.
    ///
    /// # Errors
    /// [`Fault::NOT_INTEGER`], [`Fault::NOT_I32`], or [`Fault::SYNTAX`] where there is none.
    pub fn next_i32(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.next_i64()?).map_err(|_| Fault::NOT_I32)
    }

    /// The next argument as a decimal that must be within `range`; `fault` answers one outside it.
    ///
    /// # Errors
    /// [`Fault::NOT_INTEGER`], `fault`, or [`Fault::SYNTAX`] where there is none.
    pub fn next_i64_in(
        &mut self,
        range: impl std::ops::RangeBounds<i64>,
        fault: Fault,
    ) -> Result<i64, Fault> {
        let number = self.next_i64()?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(fault)
        }
    }

    /// The next argument as a double; infinities are legal, NaN is not.
    ///
    /// # Errors
    /// [`Fault::NOT_FLOAT`], or [`Fault::SYNTAX`] where there is none.
    pub fn next_f64(&mut self) -> Result<f64, Fault> {
        parse_f64(self.next_bytes()?).ok_or(Fault::NOT_FLOAT)
    }

    /// A blocking command's timeout in seconds, as a span in milliseconds; zero means for ever (`None`).
    ///
    /// # Errors
    /// [`Fault::TIMEOUT_NOT_FLOAT`] or [`Fault::TIMEOUT_NEGATIVE`].
    pub fn next_timeout(&mut self) -> Result<Option<u64>, Fault> {
        timeout(self.next_bytes()?)
    }

    /// As [`next_timeout`](Self::next_timeout), of the last argument (BLPOP's stands behind its keys).
    ///
    /// # Errors
    /// As [`next_timeout`](Self::next_timeout).
    pub fn next_timeout_back(&mut self) -> Result<Option<u64>, Fault> {
        timeout(self.next_back()?)
    }

    /// The next argument as the count of keys that follows it; the keys themselves are consumed too.
    ///
    /// # Errors
    /// [`Fault::NUMKEYS_NOT_POSITIVE`] for no positive number, [`Fault::SYNTAX`] where fewer arguments follow.
    pub fn next_keys(&mut self) -> Result<&'a [&'a [u8]], Fault> {
        let count = parse_i64(self.next_bytes()?)
            .filter(|count| *count > 0)
            .ok_or(Fault::NUMKEYS_NOT_POSITIVE)?;
        let count = usize::try_from(count).map_err(|_| Fault::SYNTAX)?;
        self.take(count)
    }

    /// The next `count` arguments.
    ///
    /// # Errors
    /// [`Fault::SYNTAX`] where fewer are left; nothing is consumed then.
    pub fn take(&mut self, count: usize) -> Result<&'a [&'a [u8]], Fault> {
        let taken = self.remaining().get(..count).ok_or(Fault::SYNTAX)?;
        self.position += count;
        Ok(taken)
    }

    /// Consumes the last argument and gives it (BLPOP's timeout stands behind its keys).
    ///
    /// # Errors
    /// [`Fault::SYNTAX`] where none is left.
    pub fn next_back(&mut self) -> Result<&'a [u8], Fault> {
        let last = self.remaining().last().copied().ok_or(Fault::SYNTAX)?;
        self.end -= 1;
        Ok(last)
    }

    /// Consumes the next argument if it is `keyword` in any case.
    pub fn keyword(&mut self, keyword: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|next| next.eq_ignore_ascii_case(keyword.as_bytes()));
        self.position += usize::from(found);
        found
    }

    /// Consumes the next argument if it is one of `keywords` in any case and gives that keyword's index.
    pub fn one_of(&mut self, keywords: &[&str]) -> Option<usize> {
        let next = self.peek()?;
        let found = keywords
            .iter()
            .position(|keyword| next.eq_ignore_ascii_case(keyword.as_bytes()))?;
        self.position += 1;
        Some(found)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`Fault::SYNTAX`] where something is.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Fault::SYNTAX)
        }
    }
}

fn timeout(text: &[u8]) -> Result<Option<u64>, Fault> {
    let seconds = parse_f64(text).ok_or(Fault::TIMEOUT_NOT_FLOAT)?;
    let milliseconds = (seconds * 1000.0).ceil();
    // Too long is negative too: Redis converts it before it looks.
    if milliseconds < 0.0 || milliseconds >= i64::MAX as f64 {
        return Err(Fault::TIMEOUT_NEGATIVE);
    }
    Ok((milliseconds > 0.0).then_some(milliseconds as u64))
}

/// A signed 64-bit decimal in the one form that prints back the same: no `+`, no leading zero, no space.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude = 0_u64;
    for digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        // 19 digits stay below 10^19 < 2^64.
        magnitude = magnitude * 10 + u64::from(value);
    }
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// An unsigned 64-bit decimal.
fn parse_u64(text: &[u8]) -> Option<u64> {
    if !matches!(text, [b'0'..=b'9', ..]) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A cursor of SCAN as `strtoul` reads it, but without blanks: nothing is zero, and a sign is legal.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    match text {
        [] => Some(0),
        [b'-', digits @ ..] => parse_u64(digits).map(u64::wrapping_neg),
        [b'+', digits @ ..] | digits => parse_u64(digits),
    }
}

/// The integer at the start of an argument, as C's `atoi` reads it; 0 where there is none.
pub(crate) fn atoi(text: &[u8]) -> i32 {
    let (is_negative, digits) = match text.trim_ascii_start() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0_i64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    // As on every 64-bit machine, only the lower half of a `long` is kept.
    (if is_negative { -number } else { number }) as i32
}

/// A double as `strtod` reads it, the whole argument; NaN is refused.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    float::parse(text)
}
