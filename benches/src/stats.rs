//! Repeated measurements, and how they are taken so that the programs compared share the machine's moods.

use std::fmt;
use std::io;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// At least one duration, sorted.
pub struct Samples(Vec<Duration>);

impl Samples {
    /// None where there is not one.
    pub fn new(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort_unstable();
        (!durations.is_empty()).then_some(Self(durations))
    }

    pub fn p10(&self) -> Duration {
        self.quantile(0.10)
    }

    pub fn p90(&self) -> Duration {
        self.quantile(0.90)
    }

    pub fn min(&self) -> Duration {
        self.0[0]
    }

    pub fn p50(&self) -> Duration {
        self.quantile(0.50)
    }

    pub fn p99(&self) -> Duration {
        self.quantile(0.99)
    }

    fn quantile(&self, q: f64) -> Duration {
        self.0[((self.0.len() - 1) as f64 * q).round() as usize]
    }
}

/// `min / p50 / p99 unit`, in the unit that suits the median.
impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, per_second) = match self.p50().as_secs_f64() {
            s if s < 1e-3 => ("µs", 1e6),
            s if s < 1.0 => ("ms", 1e3),
            _ => ("s", 1.0),
        };
        let [min, p50, p99] = [self.min(), self.p50(), self.p99()].map(|d| d.as_secs_f64() * per_second);
        write!(f, "{} / **{}** / {} {unit}", significant(min), significant(p50), significant(p99))
    }
}

/// Three digits that mean something.
fn significant(value: f64) -> String {
    let decimals = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// Amounts of memory in KiB, sorted; none where nothing was measured.
#[derive(Clone, Default)]
pub struct Memory(Vec<u64>);

impl Memory {
    pub fn add(&mut self, kib: u64) {
        let place = self.0.partition_point(|known| *known < kib);
        self.0.insert(place, kib);
    }

    pub fn p50(&self) -> Option<u64> {
        self.0.get(self.0.len() / 2).copied()
    }

    /// The least, the median and the most.
    pub fn spread(&self) -> Option<[u64; 3]> {
        Some([*self.0.first()?, self.p50()?, *self.0.last()?])
    }

    /// Whether the median is so much at most; none where nothing was measured.
    pub fn is_at_most(&self, mb: u64) -> Option<bool> {
        self.p50().map(|kib| kib <= mb * 1024)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spread() {
            Some([least, middle, most]) => write!(f, "{least} / **{middle}** / {most} KiB"),
            None => f.write_str("n/a"),
        }
    }
}

/// What came out of the trials of one program; the text says why nothing did.
pub type Measured = Result<Samples, String>;

pub fn cell(measured: &Measured) -> String {
    match measured {
        Ok(samples) => samples.to_string(),
        Err(reason) => format!("n/a ({reason})"),
    }
}

/// The ratio of the medians, where both were measured.
pub fn ratio(numerator: &Measured, denominator: &Measured) -> Option<f64> {
    let (Ok(numerator), Ok(denominator)) = (numerator, denominator) else { return None };
    Some(numerator.p50().as_secs_f64() / denominator.p50().as_secs_f64())
}

/// [`interleave_all`] of so many subjects.
pub fn interleave<T, const N: usize>(
    rounds: u32,
    mut subjects: [T; N],
    trial: impl FnMut(&mut T) -> io::Result<Duration>,
) -> [Measured; N] {
    let mut results = interleave_all(rounds, &mut subjects, trial).into_iter();
    std::array::from_fn(|_| results.next().unwrap_or_else(|| Err("not measured".to_owned())))
}

/// Takes the trials in turns, after a warm-up that does not count. A subject is out after its first failure.
///
/// Every other round runs backwards (A B C, C B A, …): who comes right after a relative finds warm caches.
pub fn interleave_all<T>(
    rounds: u32,
    subjects: &mut [T],
    mut trial: impl FnMut(&mut T) -> io::Result<Duration>,
) -> Vec<Measured> {
    let count = subjects.len();
    let warm_up = rounds.div_ceil(10).min(10);
    let mut results: Vec<Result<Vec<Duration>, String>> = vec![Ok(Vec::new()); count];
    for round in 0..warm_up + rounds {
        for place in 0..count {
            let index = if round % 2 == 0 { place } else { count - 1 - place };
            let Ok(durations) = &mut results[index] else { continue };
            match trial(&mut subjects[index]) {
                Ok(duration) if round >= warm_up => durations.push(duration),
                Ok(_) => {}
                Err(error) => results[index] = Err(error.to_string()),
            }
        }
    }
    results.into_iter().map(|result| Samples::new(result?).ok_or_else(|| "not measured".to_owned())).collect()
}

/// While it lives, this process and what it starts share one CPU.
///
/// A wake-up on another, sleeping CPU costs more than the work that is measured, and as much for one program
/// as for the other: it would flatter every ratio.
pub struct OneCpu {
    before: CpuSet,
}

impl OneCpu {
    pub fn pin() -> io::Result<Self> {
        let this_process = Pid::from_raw(0);
        let before = sched_getaffinity(this_process)?;
        let last = (0..CpuSet::count()).rev().find(|&cpu| before.is_set(cpu).unwrap_or(false));
        let mut one = CpuSet::new();
        one.set(last.ok_or_else(|| io::Error::other("no CPU to run on"))?)?;
        sched_setaffinity(this_process, &one)?;
        Ok(Self { before })
    }
}

impl Drop for OneCpu {
    fn drop(&mut self) {
        // What was allowed before is allowed again; a CPU that went offline meanwhile costs a less even
        // figure.
        let _ = sched_setaffinity(Pid::from_raw(0), &self.before);
    }
}
