//! Time of small pieces of code.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::BytesMut;

/// Something to read or write, and those who do it.
pub(crate) struct Workload {
    /// What a figure is given for: a request, an element.
    pub(crate) unit: &'static str,
    /// How many of them one run has.
    pub(crate) units: usize,
    /// The first is what the others are compared with.
    pub(crate) contestants: Vec<Contestant>,
}

pub(crate) struct Contestant {
    pub(crate) name: String,
    /// What this one is to reach, as a multiple of the first one's time.
    pub(crate) reach: Option<f64>,
    /// Whether a run takes seconds.
    pub(crate) slow: bool,
    run: Run,
}

/// One run over the workload, and how many units it found.
enum Run {
    Borrowing(Box<dyn FnMut() -> usize>),
    /// Takes a buffer of these bytes, which is made and freed outside the measured time.
    Taking(&'static [u8], Box<dyn FnMut(&mut BytesMut) -> usize>),
    /// Another program: the nanoseconds of a run, the fastest of so many samples of so many runs.
    External(Box<dyn FnMut(usize, usize) -> (f64, usize)>),
}

/// The time of one sample: short enough to fall between two interruptions.
const SAMPLE: Duration = Duration::from_micros(200);

/// The memory of the buffers made for one sample.
const BUFFERS: usize = 4 << 20;

impl Contestant {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut() -> usize + 'static) -> Self {
        Self::of(name, Run::Borrowing(Box::new(run)))
    }

    pub(crate) fn taking(
        name: impl Into<String>,
        wire: &'static [u8],
        run: impl FnMut(&mut BytesMut) -> usize + 'static,
    ) -> Self {
        Self::of(name, Run::Taking(wire, Box::new(run)))
    }

    pub(crate) fn external(
        name: impl Into<String>,
        run: impl FnMut(usize, usize) -> (f64, usize) + 'static,
    ) -> Self {
        Self::of(name, Run::External(Box::new(run)))
    }

    fn of(name: impl Into<String>, run: Run) -> Self {
        Self {
            name: name.into(),
            reach: None,
            slow: false,
            run,
        }
    }

    pub(crate) fn reach(mut self, ratio: f64) -> Self {
        self.reach = Some(ratio);
        self
    }

    pub(crate) fn slow(mut self, slow: bool) -> Self {
        self.slow = slow;
        self
    }

    /// Runs so many times: the nanoseconds of one run on average, and the units that the last one found.
    pub(crate) fn run(&mut self, times: usize) -> (f64, usize) {
        let (elapsed, units) = match &mut self.run {
            Run::Borrowing(run) => repeat(&mut vec![(); times], &mut |()| run()),
            Run::Taking(wire, run) => repeat(&mut vec![BytesMut::from(*wire); times], run),
            Run::External(run) => return run(times, 1),
        };
        (elapsed.as_nanos() as f64 / times as f64, units)
    }

    /// Runs in one sample.
    fn times(&mut self) -> usize {
        self.run(1);
        let (once, _) = self.run(1);
        let most = match &self.run {
            Run::Taking(wire, _) => BUFFERS / wire.len(),
            _ => 10_000,
        };
        ((SAMPLE.as_nanos() as f64 / once) as usize).clamp(1, most.max(1))
    }
}

/// What is measured: on the clock, or by callgrind, which counts from where this function begins to where it ends.
#[inline(never)]
fn repeat<T>(inputs: &mut [T], run: &mut dyn FnMut(&mut T) -> usize) -> (Duration, usize) {
    let mut units = 0;
    let start = Instant::now();
    for input in inputs {
        units = black_box(run(input));
    }
    (start.elapsed(), units)
}

impl Workload {
    /// Nanoseconds for each unit, of each contestant: the fastest of many samples, taken by turns so that a busy
    /// machine slows all of them down.
    pub(crate) fn time(&mut self, budget: Duration) -> Vec<f64> {
        let mut plans: Vec<(usize, f64)> = Vec::new();
        let mut least = Duration::ZERO;
        for contestant in &mut self.contestants {
            if contestant.slow {
                let (ns, _) = contestant.run(1);
                plans.push((0, ns));
                continue;
            }
            let times = contestant.times();
            if let Run::External(run) = &mut contestant.run {
                // Spread over the same time as the others take together.
                let (ns, _) = run(times, 1);
                let samples = budget.as_nanos() as f64 / (ns * times as f64);
                plans.push((0, run(times, (samples as usize).max(3)).0));
            } else {
                plans.push((times, f64::INFINITY));
                least += budget;
            }
        }
        let start = Instant::now();
        let mut rounds = 0;
        while rounds < 3 || start.elapsed() < least {
            for (contestant, (times, best)) in self.contestants.iter_mut().zip(&mut plans) {
                if *times > 0 {
                    *best = best.min(contestant.run(*times).0);
                }
            }
            rounds += 1;
        }
        plans
            .iter()
            .map(|(_, best)| best / self.units as f64)
            .collect()
    }
}
