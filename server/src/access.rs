//! Access clocks: when a key was used last (LRU), or how often (LFU), in three bytes.

use crate::time::Now;

/// The clock of one key.
///
/// LRU: seconds of the steady clock (24 bits: 194 days, after which they begin again, as in Redis). LFU: minutes of the
/// steady clock (16 bits) and a logarithmic counter (8 bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessClock(u32);

/// How counters of uses grow and fade (LFU).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// `lfu-log-factor`: the higher, the more uses it takes to raise a counter.
    pub log_factor: u32,
    /// `lfu-decay-time`: minutes without use that lower a counter by one; 0 for never.
    pub decay_minutes: u32,
}

/// What fits an access clock.
const MASK: u32 = 0xff_ffff;

/// What a new key's counter starts with, so that it is not evicted at once.
const INITIAL_COUNT: u32 = 5;

impl AccessClock {
    /// The clock of a key made now.
    pub fn new(now: Now, counts: bool) -> Self {
        if counts {
            Self(minutes(now) << 8 | INITIAL_COUNT)
        } else {
            Self(now.monotonic_s() & MASK)
        }
    }

    /// The clock that the lower 24 bits of a word hold.
    pub(crate) const fn from_low_bits(word: u32) -> Self {
        Self(word & MASK)
    }

    /// A word with its lower 24 bits replaced by this clock.
    pub(crate) const fn in_low_bits_of(self, word: u32) -> u32 {
        word & !MASK | self.0
    }

    /// The clock after one more access.
    #[must_use]
    pub fn touched(self, now: Now, counting: Option<Counting>) -> Self {
        let Some(counting) = counting else {
            return Self(now.monotonic_s() & MASK);
        };
        let count = self.frequency(now, counting);
        let above = count.saturating_sub(INITIAL_COUNT);
        // A cheap hash of the time decides; its low bits are as good as random from call to call.
        let roll = (now.monotonic_us as u32).wrapping_mul(0x9e37_79b9) >> 8;
        let odds = u64::from(above) * u64::from(counting.log_factor) + 1;
        let raise = count < 255 && u64::from(roll).saturating_mul(odds) < 1 << 24;
        Self(minutes(now) << 8 | (count + u32::from(raise)))
    }

    /// Seconds since the last access (LRU).
    pub fn idle_s(self, now: Now) -> u32 {
        now.monotonic_s().wrapping_sub(self.0) & MASK
    }

    /// The counter, lowered for the time without access (LFU).
    pub fn frequency(self, now: Now, counting: Counting) -> u32 {
        let idle_minutes = minutes(now).wrapping_sub(self.0 >> 8) & 0xffff;
        let faded = idle_minutes.checked_div(counting.decay_minutes);
        (self.0 & 0xff).saturating_sub(faded.unwrap_or_default())
    }
}

fn minutes(now: Now) -> u32 {
    (now.monotonic_s() / 60) & 0xffff
}

#[cfg(test)]
mod tests {
    use super::{AccessClock, MASK};
    use crate::time::Now;

    #[test]
    fn idle_time_goes_on_where_the_clock_begins_again() {
        let before = Now {
            unix_us: 0,
            monotonic_us: u64::from(MASK) * 1_000_000,
        };
        let after = before.after_ms(5_000);
        let clock = AccessClock::new(before, false);
        assert_eq!((clock.idle_s(before), clock.idle_s(after)), (0, 5));
        let kept = clock.touched(after, None).in_low_bits_of(u32::MAX);
        assert_eq!(kept >> 24, 0xff);
        assert_eq!(AccessClock::from_low_bits(kept).idle_s(after), 0);
    }
}
