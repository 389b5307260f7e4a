//! The time, as an argument: nothing in the engine reads a clock.

/// One reading of both clocks, taken by the caller once for each batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, in microseconds since 1970. It may step; expiry follows it, as in Redis.
    pub unix_us: i64,
    /// A clock that never goes back, in microseconds from any start. Timeouts and idle times follow it.
    pub monotonic_us: u64,
}

impl Now {
    /// The wall clock in milliseconds.
    pub fn unix_ms(self) -> i64 {
        self.unix_us.div_euclid(1000)
    }

    /// The wall clock in seconds.
    pub fn unix_s(self) -> i64 {
        self.unix_us.div_euclid(1_000_000)
    }

    /// The steady clock in seconds, as access clocks keep it.
    pub fn monotonic_s(self) -> u32 {
        (self.monotonic_us / 1_000_000) as u32
    }

    /// Both clocks moved ahead: for tests and simulations.
    #[must_use]
    pub fn after_ms(self, milliseconds: u64) -> Self {
        Self {
            unix_us: self.unix_us + milliseconds as i64 * 1000,
            monotonic_us: self.monotonic_us + milliseconds * 1000,
        }
    }
}
