//! How long things took: a histogram for each command, and the events that LATENCY keeps.

use std::collections::{BTreeMap, VecDeque};

/// Buckets for each doubling of the duration, so that a bucket is at most 1/32 wide.
const STEPS: usize = 32;

/// Doublings above the exact range; longer durations, above half an hour, count as the longest.
const DOUBLINGS: usize = 26;

/// Counts of durations in microseconds: exact below 32 µs, within 3 % above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Empty until the first duration comes.
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts a duration that was measured `times`.
    pub fn add(&mut self, took_us: u64, times: u64) {
        if self.counts.is_empty() {
            self.counts.resize(STEPS * (DOUBLINGS + 1), 0);
        }
        if let Some(count) = self.counts.get_mut(bucket(took_us)) {
            *count += times;
        }
        self.total += times;
    }

    /// How many durations were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that `percent` of all do not exceed, in microseconds.
    pub fn percentile_us(&self, percent: f64) -> u64 {
        let wanted = ((percent / 100.0 * self.total as f64) + 0.5) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return highest_us(index);
            }
        }
        0
    }

    /// Bounds that double from 1 µs on, each with the number of durations up to it, where that number grew.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let mut bounds = Vec::new();
        let (mut index, mut seen) = (0, 0);
        let mut nanoseconds: u64 = 1024;
        while seen < self.total && nanoseconds < u64::MAX / 2 {
            // The upper end of the bucket that the bound falls into where buckets are 1/128 wide, as Redis has them.
            let bound_us = (nanoseconds + nanoseconds / 128 - 1) / 1000;
            let before = seen;
            while let Some(count) = self.counts.get(index)
                && lowest_us(index) <= bound_us
            {
                seen += count;
                index += 1;
            }
            if seen > before {
                bounds.push((bound_us, seen));
            }
            nanoseconds *= 2;
        }
        bounds
    }
}

fn bucket(took_us: u64) -> usize {
    if took_us < STEPS as u64 {
        return took_us as usize;
    }
    let doublings = took_us.ilog2() as usize - STEPS.ilog2() as usize;
    let step = (took_us >> doublings) as usize - STEPS;
    (STEPS * (doublings + 1) + step).min(STEPS * (DOUBLINGS + 1) - 1)
}

fn lowest_us(bucket: usize) -> u64 {
    let (doublings, step) = (bucket / STEPS, bucket % STEPS);
    match doublings {
        0 => step as u64,
        _ => ((STEPS + step) as u64) << (doublings - 1),
    }
}

fn highest_us(bucket: usize) -> u64 {
    lowest_us(bucket + 1) - 1
}

/// Samples kept for each event.
const KEPT_SAMPLES: usize = 160;

/// One spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, in unix seconds.
    pub unix_s: i64,
    /// How long, in milliseconds.
    pub took_ms: u64,
}

/// The spikes of one kind of event.
#[derive(Clone, Debug, Default)]
pub struct Event {
    samples: VecDeque<Sample>,
    max_ms: u64,
}

impl Event {
    /// The samples kept, the oldest first; at most one for each second.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// The longest ever.
    pub fn max_ms(&self) -> u64 {
        self.max_ms
    }
}

/// Events that took at least `latency-monitor-threshold`, by name.
#[derive(Debug, Default)]
pub struct Monitor {
    events: BTreeMap<&'static str, Event>,
}

impl Monitor {
    /// Notes that `event` took so long; of several in one second the longest is kept.
    pub fn add(&mut self, event: &'static str, unix_s: i64, took_ms: u64) {
        let event = self.events.entry(event).or_default();
        event.max_ms = event.max_ms.max(took_ms);
        match event.samples.back_mut() {
            Some(last) if last.unix_s == unix_s => last.took_ms = last.took_ms.max(took_ms),
            _ => {
                if event.samples.len() == KEPT_SAMPLES {
                    event.samples.pop_front();
                }
                event.samples.push_back(Sample { unix_s, took_ms });
            }
        }
    }

    /// The events that were noted, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Event)> {
        self.events.iter().map(|(name, event)| (*name, event))
    }

    /// One event.
    pub fn event(&self, name: &[u8]) -> Option<(&'static str, &Event)> {
        self.iter().find(|(known, _)| known.as_bytes() == name)
    }

    /// Forgets one event; whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let before = self.events.len();
        self.events.retain(|known, _| known.as_bytes() != name);
        self.events.len() < before
    }

    /// Forgets all; how many there were.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.events).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_contiguous_and_within_a_thirtysecond() {
        for index in 0..STEPS * (DOUBLINGS + 1) - 1 {
            let (low, high) = (lowest_us(index), highest_us(index));
            assert_eq!((bucket(low), bucket(high)), (index, index));
            assert!((high - low) as f64 <= low as f64 / STEPS as f64);
        }
        assert_eq!(bucket(u64::MAX), STEPS * (DOUBLINGS + 1) - 1);
    }

    #[test]
    fn percentiles_and_bounds_count_every_duration() {
        let mut histogram = Histogram::default();
        for took in [0, 1, 1, 3, 20, 5_000_000] {
            histogram.add(took, 1);
        }
        assert_eq!(histogram.percentile_us(0.0), 0);
        assert_eq!(histogram.percentile_us(50.0), 1);
        assert!(histogram.percentile_us(100.0).abs_diff(5_000_000) < 5_000_000 / 32);
        let bounds = histogram.cumulative();
        assert_eq!(&bounds[..3], &[(1, 3), (4, 4), (33, 5)]);
        assert_eq!(bounds.last().map(|(_, count)| *count), Some(6));
        assert_eq!(Histogram::default().cumulative(), []);
    }

    #[test]
    fn the_longest_of_a_second_is_kept() {
        let mut monitor = Monitor::default();
        for (second, took) in [(1, 5), (1, 9), (1, 7), (2, 3)] {
            monitor.add("command", second, took);
        }
        let (_, event) = monitor.event(b"command").expect("noted");
        let samples: Vec<_> = event.samples().map(|s| (s.unix_s, s.took_ms)).collect();
        assert_eq!((samples, event.max_ms()), (vec![(1, 9), (2, 3)], 9));
    }
}
