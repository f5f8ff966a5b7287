//! Whether a command that failed is run again, and when: exponential backoff with full jitter.
//!
//! Pure: the time and the chance are passed in. What a failure means is said by [`classify`].

pub mod classify;

use core::time::Duration;

use crate::moment::Moment;

/// For how long after boot an ambiguous failure passes. At half of it a slow DHCP server and a first time
/// synchronisation are cut off on real hosts; at double, a typing error in a name is tried for twenty minutes.
const AT_BOOT: Duration = Duration::from_secs(600);

/// The least that a registry's rate limit is left alone. Docker Hub counts by hours, quay.io by seconds: at
/// half of it the requests themselves keep the limit up.
const LIMITED_LEAST: Duration = Duration::from_secs(30);

/// The most that is waited at once for a rate limit of unknown length.
const LIMITED_MOST: Duration = Duration::from_secs(600);

/// What a failure says about another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retryability {
    /// The failure can pass at any time, so another attempt may succeed.
    Later,
    /// The other side counts requests; it says for how long, or it does not.
    Limited(Option<Duration>),
    /// It can pass while the host is still coming up: DNS, the clock, a captive portal.
    AtBootOnly,
    /// It stays as it is.
    Never,
}

impl Retryability {
    /// The word for scripts, as in the journal's field NETREADY_CODE.
    pub fn as_str(self) -> &'static str {
        match self {
            Retryability::Later => "try-again",
            Retryability::Limited(_) => "rate-limited",
            Retryability::AtBootOnly => "boot-only",
            Retryability::Never => "final",
        }
    }
}

/// Delays that double up to a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest delay after the first failure.
    pub base: Duration,
    /// The longest delay after any.
    pub cap: Duration,
}

impl Backoff {
    /// The longest delay after this many failures before this one.
    pub fn ceiling(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures).map(|times| self.base.saturating_mul(times));
        doubled.unwrap_or(Duration::MAX).min(self.cap)
    }

    /// Full jitter: anything up to the ceiling, by `chance` in 0..1. Hosts that failed together do not
    /// come back together.
    pub fn delay(&self, failures: u32, chance: f64) -> Duration {
        part(self.ceiling(failures), chance)
    }
}

/// What bounds all attempts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often it is run again; `None`: without end.
    pub retries: Option<u32>,
    /// From the first attempt on; `None`: without end.
    pub max_elapsed: Option<Duration>,
}

/// What is done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Another attempt after this long.
    After(Duration),
    /// There is no other attempt, for this reason.
    GiveUp(GiveUp),
}

/// Why there is no other attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// The failure stays as it is.
    Final,
    /// All retries are used up.
    NoMoreRetries,
    /// The time is up, or would be before the next attempt.
    TimeUp,
}

/// All attempts at one command.
#[derive(Debug, Clone)]
pub struct Attempts {
    backoff: Backoff,
    limits: Limits,
    started: Moment,
    failures: u32,
    /// Of those, how many were rate limits: they back off by themselves.
    limited: u32,
    /// The last of them could pass whenever it comes.
    passing: bool,
}

impl Attempts {
    /// The first attempt begins now.
    pub fn new(backoff: Backoff, limits: Limits, now: Moment) -> Attempts {
        Attempts { backoff, limits, started: now, failures: 0, limited: 0, passing: false }
    }

    /// The number of the attempt that runs, or comes next: 1 is the first.
    pub fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// The number of the last attempt there can be.
    pub fn last_attempt(&self) -> Option<u32> {
        self.limits.retries.map(|retries| retries.saturating_add(1))
    }

    /// When the time is up.
    pub fn deadline(&self) -> Option<Moment> {
        self.limits.max_elapsed.map(|elapsed| self.started + elapsed)
    }

    /// Counts a failed attempt and decides what follows. `chance`, from 0 up to 1, picks the delay below its
    /// ceiling.
    pub fn failed(&mut self, again: Retryability, now: Moment, chance: f64) -> RetryDecision {
        let others = self.failures - self.limited;
        let delay = match again {
            Retryability::Never => return RetryDecision::GiveUp(GiveUp::Final),
            // Not where it follows upon one that can pass, and may be the end of it. A resolver was seen to say
            // `no such host` because one of its two questions was refused and the other, a moment later, answered.
            Retryability::AtBootOnly if now.since_boot() >= AT_BOOT && !self.passing => {
                return RetryDecision::GiveUp(GiveUp::Final);
            }
            Retryability::Later | Retryability::AtBootOnly => self.backoff.delay(others, chance),
            // Never before it; and not all who were told the same at the same moment.
            Retryability::Limited(Some(told)) => {
                told.saturating_add(part(told / 10 + self.backoff.base, chance))
            }
            Retryability::Limited(None) => {
                let backoff = Backoff { base: LIMITED_LEAST, cap: LIMITED_MOST - LIMITED_LEAST };
                LIMITED_LEAST + backoff.delay(self.limited, chance)
            }
        };
        if self.limits.retries.is_some_and(|retries| self.failures >= retries) {
            return RetryDecision::GiveUp(GiveUp::NoMoreRetries);
        }
        if self.deadline().is_some_and(|deadline| now + delay >= deadline) {
            return RetryDecision::GiveUp(GiveUp::TimeUp);
        }
        self.failures = self.failures.saturating_add(1);
        self.passing = again != Retryability::AtBootOnly;
        if let Retryability::Limited(_) = again {
            self.limited = self.limited.saturating_add(1);
        }
        RetryDecision::After(delay)
    }
}

/// This part of a duration; all of it where the product is none.
fn part(whole: Duration, chance: f64) -> Duration {
    Duration::try_from_secs_f64(whole.as_secs_f64() * chance.clamp(0.0, 1.0)).unwrap_or(whole).min(whole)
}

#[cfg(test)]
mod tests;
