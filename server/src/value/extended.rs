//! Numbers of the 80-bit format that INCRBYFLOAT computes in: 64 bits of precision.
//!
//! Only what that command needs: reading decimal and hexadecimal text, a sum, and printing; each
//! rounded to nearest, ties to even.

/// `mantissa * 2^exponent`: the highest bit of the mantissa is set unless the number is zero or
/// below the smallest normal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extended {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

/// The exponent of the least numbers, which have fewer bits of precision.
const MIN_EXPONENT: i32 = -16445;

/// The exponent of the greatest numbers.
const MAX_EXPONENT: i32 = 16320;

/// Digits behind the point that are printed.
const FRACTION_DIGITS: u32 = 17;

const FRACTION: u128 = 10u128.pow(FRACTION_DIGITS);

impl Extended {
    /// Reads `[sign] (digits [. digits] [e [sign] digits] | 0x …)`. Refused: anything else, and what is
    /// too large, or so small that it would become zero.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let number = if let [b'0', b'x' | b'X', rest @ ..] = text {
            Literal::parse(rest, 16)?.hexadecimal()
        } else {
            Literal::parse(text, 10)?.decimal()
        };
        number.map(|number| Self { negative, ..number })
    }

    /// The sum, or `None` if it is too large.
    pub(super) fn add(self, other: Self) -> Option<Self> {
        let key = |number: &Self| (number.exponent, number.mantissa);
        let (large, small) = match (self.mantissa, other.mantissa) {
            (0, 0) => {
                return Some(Self {
                    negative: self.negative && other.negative,
                    ..self
                });
            }
            (_, 0) => return Some(self),
            (0, _) => return Some(other),
            _ if key(&self) >= key(&other) => (self, other),
            _ => (other, self),
        };
        // 62 more bits below the larger number; what falls off below them is kept as one bit that
        // is set, which is enough to round by.
        let high = u128::from(large.mantissa) << 62;
        let low = u128::from(small.mantissa) << 62;
        let low = match large.exponent.abs_diff(small.exponent) {
            by @ 0..128 => low >> by | u128::from(low & ((1 << by) - 1) != 0),
            _ => 1,
        };
        let sum = if large.negative == small.negative {
            high + low
        } else {
            high - low
        };
        if sum == 0 {
            return Some(Self {
                negative: false,
                mantissa: 0,
                exponent: 0,
            });
        }
        let sum = round(sum, large.exponent - 62)?;
        Some(Self {
            negative: large.negative,
            ..sum
        })
    }

    /// The nearest double.
    pub(super) fn to_f64(self) -> f64 {
        // In two steps, for neither power alone need be a double.
        let half = self.exponent / 2;
        let magnitude = self.mantissa as f64 * 2f64.powi(half) * 2f64.powi(self.exponent - half);
        if self.negative { -magnitude } else { magnitude }
    }

    /// The text with 17 digits behind the point, less the zeros at the end: `%.17Lf` as Redis trims
    /// it.
    pub(super) fn to_text(self) -> String {
        let digits = if self.exponent >= 0 {
            let mut whole = Natural::from(self.mantissa);
            whole.shift_left(self.exponent as usize);
            whole.to_text()
        } else {
            // At most 64 + 57 bits.
            let scaled = u128::from(self.mantissa) * FRACTION;
            let shift = self.exponent.unsigned_abs();
            let parts = if shift < 128 {
                divide_by_power(scaled, shift)
            } else {
                0
            };
            let (whole, fraction) = (parts / FRACTION, parts % FRACTION);
            let width = FRACTION_DIGITS as usize;
            let text = format!("{whole}.{fraction:0width$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        let sign = if self.negative && digits != "0" {
            "-"
        } else {
            ""
        };
        format!("{sign}{digits}")
    }
}

/// `value * 2^exponent` rounded to the format; `None` if it is too large.
fn round(value: u128, exponent: i32) -> Option<Extended> {
    let bits = (u128::BITS - value.leading_zeros()) as i32;
    let shift = (bits - 64).max(MIN_EXPONENT - exponent);
    let mut exponent = exponent + shift;
    let mut rounded = match u32::try_from(shift) {
        Ok(shift @ 0..128) => divide_by_power(value, shift),
        Ok(_) => 0,
        Err(_) => value << shift.unsigned_abs(),
    };
    if rounded >> 64 != 0 {
        rounded >>= 1;
        exponent += 1;
    }
    (exponent <= MAX_EXPONENT).then_some(Extended {
        negative: false,
        mantissa: rounded as u64,
        exponent,
    })
}

/// `value / 2^shift` to the nearest integer, ties to even.
const fn divide_by_power(value: u128, shift: u32) -> u128 {
    if shift == 0 {
        return value;
    }
    let (quotient, rest, half) = (value >> shift, value & ((1 << shift) - 1), 1 << (shift - 1));
    if rest > half || rest == half && quotient & 1 == 1 {
        quotient + 1
    } else {
        quotient
    }
}

/// The digits of a number, and the power of ten, or of two, to multiply them by.
struct Literal {
    digits: Vec<u8>,
    exponent: i64,
}

/// Beyond this, an exponent makes any number too large or too small.
const EXPONENT_BOUND: i64 = 1 << 40;

impl Literal {
    fn parse(text: &[u8], radix: u32) -> Option<Self> {
        let (marker, digit_exponent) = if radix == 16 { (b'p', 4) } else { (b'e', 1) };
        let mut digits = Vec::new();
        let (mut point, mut any) = (false, false);
        let mut exponent = 0;
        let mut rest = text;
        while let [byte, behind @ ..] = rest {
            if *byte == b'.' && !point {
                point = true;
            } else if let Some(digit) = char::from(*byte).to_digit(radix) {
                any = true;
                if digit != 0 || !digits.is_empty() {
                    digits.push(digit as u8);
                }
                exponent -= if point { digit_exponent } else { 0 };
            } else {
                break;
            }
            rest = behind;
        }
        if let [byte, behind @ ..] = rest
            && byte.to_ascii_lowercase() == marker
        {
            exponent += parse_exponent(behind)?;
            rest = &[];
        }
        (any && rest.is_empty()).then_some(Self { digits, exponent })
    }

    fn hexadecimal(&self) -> Option<Extended> {
        let mut value: u128 = 0;
        let mut exponent = self.exponent;
        for digit in &self.digits {
            if value >> 124 == 0 {
                value = value << 4 | u128::from(*digit);
            } else {
                value |= u128::from(*digit != 0);
                exponent += 4;
            }
        }
        self.rounded(value, exponent)
    }

    fn decimal(&self) -> Option<Extended> {
        let magnitude = self.exponent + self.digits.len() as i64;
        if self.digits.is_empty() || !(-5000..=5000).contains(&magnitude) {
            return self.rounded(0, 0);
        }
        let mut value = Natural::default();
        // Nine digits at a time are the most that 32 bits hold.
        for digits in self.digits.chunks(9) {
            let (factor, summand) = digits.iter().fold((1, 0), |(factor, summand), digit| {
                (factor * 10, summand * 10 + u32::from(*digit))
            });
            value.multiply_add(factor, summand);
        }
        if self.exponent >= 0 {
            value.multiply_by_power_of_ten(self.exponent.unsigned_abs());
            let (value, exponent) = value.top_bits();
            return self.rounded(value, exponent as i64);
        }
        let mut divisor = Natural::from(1);
        divisor.multiply_by_power_of_ten(self.exponent.unsigned_abs());
        let (value, exponent) = value.divide(divisor);
        self.rounded(value, exponent)
    }

    /// Rounds `value`; a zero that the digits do not say is too small a number or too large a one.
    fn rounded(&self, value: u128, exponent: i64) -> Option<Extended> {
        let exponent = exponent.clamp(-(1 << 20), 1 << 20) as i32;
        match round(value, exponent) {
            _ if self.digits.is_empty() => Some(Extended {
                negative: false,
                mantissa: 0,
                exponent: 0,
            }),
            rounded => rounded.filter(|rounded| rounded.mantissa != 0),
        }
    }
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    let value = digits.iter().try_fold(0i64, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some((value * 10 + i64::from(digit)).min(EXPONENT_BOUND))
    })?;
    (!digits.is_empty()).then_some(sign * value)
}

/// A natural number of any size: words from the least significant on, none of them zero at the end.
#[derive(Debug, Default)]
struct Natural(Vec<u32>);

impl From<u64> for Natural {
    fn from(value: u64) -> Self {
        let mut number = Self(vec![value as u32, (value >> 32) as u32]);
        number.trim();
        number
    }
}

impl Natural {
    fn bits(&self) -> usize {
        let top = self
            .0
            .last()
            .map_or(32, |word| word.leading_zeros() as usize);
        (self.0.len() * 32 + if self.0.is_empty() { 32 } else { 0 }) - top
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for word in &mut self.0 {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        self.0.push(carry as u32);
        self.trim();
    }

    fn multiply_by_power_of_ten(&mut self, power: u64) {
        for _ in 0..power / 9 {
            self.multiply_add(1_000_000_000, 0);
        }
        self.multiply_add(10u32.pow((power % 9) as u32), 0);
    }

    fn shift_left(&mut self, by: usize) {
        let bits = by % 32;
        let mut carry = 0;
        for word in &mut self.0 {
            let shifted = u64::from(*word) << bits | carry;
            *word = shifted as u32;
            carry = shifted >> 32;
        }
        self.0.push(carry as u32);
        self.0.splice(..0, std::iter::repeat_n(0, by / 32));
        self.trim();
    }

    fn is_below(&self, other: &Self) -> bool {
        let order = self.0.len().cmp(&other.0.len());
        order
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
            .is_lt()
    }

    /// Subtracts a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (index, word) in self.0.iter_mut().enumerate() {
            let (difference, first) =
                word.overflowing_sub(other.0.get(index).copied().unwrap_or(0));
            let (difference, second) = difference.overflowing_sub(u32::from(borrow));
            *word = difference;
            borrow = first || second;
        }
        self.trim();
    }

    /// The four highest words, the lowest bit set if there is anything below them, and their
    /// exponent.
    fn top_bits(&self) -> (u128, usize) {
        let below = self.0.len().saturating_sub(4);
        let (low, high) = self.0.split_at(below);
        let top = high
            .iter()
            .rev()
            .fold(0, |top: u128, word| top << 32 | u128::from(*word));
        (
            top | u128::from(!low.is_empty() && low.iter().any(|word| *word != 0)),
            below * 32,
        )
    }

    /// `self / divisor`, neither of them zero, as at least 66 bits, the lowest one set if there is a
    /// rest, and their exponent.
    fn divide(mut self, mut divisor: Self) -> (u128, i64) {
        let shift = divisor.bits() as i64 + 66 - self.bits() as i64;
        let by = shift.unsigned_abs() as usize;
        if shift > 0 {
            self.shift_left(by);
        } else {
            divisor.shift_left(by);
        }
        // The quotient is below 2^67: one bit of it for each turn.
        divisor.shift_left(67);
        let mut quotient = 0;
        for _ in 0..68 {
            quotient <<= 1;
            if !self.is_below(&divisor) {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.shift_left(1);
        }
        (quotient | u128::from(!self.0.is_empty()), -shift)
    }

    fn to_text(&self) -> String {
        let mut words = self.0.clone();
        let mut parts = Vec::new();
        while !words.is_empty() {
            let mut rest = 0;
            for word in words.iter_mut().rev() {
                let value = rest << 32 | u64::from(*word);
                *word = (value / 1_000_000_000) as u32;
                rest = value % 1_000_000_000;
            }
            parts.push(rest);
            while words.last() == Some(&0) {
                words.pop();
            }
        }
        let first = parts.pop().unwrap_or(0).to_string();
        parts
            .iter()
            .rev()
            .fold(first, |text, part| format!("{text}{part:09}"))
    }
}
