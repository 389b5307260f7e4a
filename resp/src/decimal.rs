//! Integers and doubles written as the wire has them.

use core::fmt::Write;

/// The text of a number on the stack, with room for a type byte before it and with CRLF after it.
#[derive(Clone, Copy)]
pub(crate) struct Decimal {
    bytes: [u8; 32],
    start: u8,
    end: u8,
}

impl Decimal {
    /// The number's text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..usize::from(self.end)]
    }

    /// The element of this type: the type byte, the text, CRLF.
    #[inline]
    pub(crate) fn element(&mut self, kind: u8) -> &[u8] {
        let from = usize::from(self.start) - 1;
        self.bytes[from] = kind;
        &self.bytes[from..usize::from(self.end) + 2]
    }
}

/// Writes from left to right, after the room for the type byte.
impl Write for Decimal {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let from = usize::from(self.end);
        let room = self
            .bytes
            .get_mut(from..from + text.len())
            .ok_or(core::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.end += text.len() as u8;
        Ok(())
    }
}

/// `value` in decimal digits, after a minus sign if it is negative.
#[inline]
pub(crate) fn format_i64(value: i64) -> Decimal {
    let mut decimal = format_u64(value.unsigned_abs());
    if value.is_negative() {
        decimal.start -= 1;
        decimal.bytes[usize::from(decimal.start)] = b'-';
    }
    decimal
}

/// `value` in decimal digits.
#[inline]
pub(crate) fn format_u64(mut value: u64) -> Decimal {
    const END: usize = 30;
    let mut bytes = [0; 32];
    bytes[END] = b'\r';
    bytes[END + 1] = b'\n';
    let mut at = END;
    while value >= 10 {
        at -= 2;
        let pair = 2 * (value % 100) as usize;
        bytes[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        value /= 100;
    }
    if value > 0 || at == END {
        at -= 1;
        bytes[at] = b'0' + value as u8;
    }
    Decimal {
        bytes,
        start: at as u8,
        end: END as u8,
    }
}

/// `00` to `99`: half the divisions.
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut value = 0;
    while value < 100 {
        pairs[2 * value] = b'0' + (value / 10) as u8;
        pairs[2 * value + 1] = b'0' + (value % 10) as u8;
        value += 1;
    }
    pairs
};

/// The shortest text that [`parse_f64`](crate::number::parse_f64) reads back as `value`: plain digits near 1, an exponent far from it.
pub(crate) fn format_f64(value: f64) -> Decimal {
    let mut decimal = Decimal {
        bytes: [0; 32],
        start: 1,
        end: 1,
    };
    let magnitude = value.abs();
    let written = if value.is_nan() {
        decimal.write_str("nan")
    } else if value.is_infinite() {
        decimal.write_str(if value.is_sign_negative() {
            "-inf"
        } else {
            "inf"
        })
    } else if magnitude == 0.0 || (1e-5..1e17).contains(&magnitude) {
        write!(decimal, "{value}")
    } else {
        write!(decimal, "{value:e}")
    };
    let end = decimal.end;
    let ended = decimal.write_str("\r\n");
    debug_assert!(
        written.and(ended).is_ok(),
        "17 digits, a sign, zeros, a point and an exponent fit"
    );
    decimal.end = end;
    decimal
}
