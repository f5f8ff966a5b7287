//! Decides whether a command that failed is run again, and when: exponential backoff with full jitter.
//!
//! The module is pure: callers pass the time and the random number. [`classify`] decides what a failure means.

pub mod classify;

use core::time::Duration;

use crate::moment::Moment;

/// How long after boot an ambiguous failure counts as temporary. Half of this would be too short for real hosts
/// with a slow DHCP server and a first time synchronisation. With twice as much, a misspelled name would be tried
/// for twenty minutes.
const AT_BOOT: Duration = Duration::from_secs(600);

/// The shortest delay after a registry's rate limit. Docker Hub counts requests per hours, quay.io per seconds.
/// With half of this, the retries themselves would keep the limit active.
const LIMITED_LEAST: Duration = Duration::from_secs(30);

/// The longest delay after a rate limit of unknown length.
const LIMITED_MOST: Duration = Duration::from_secs(600);

/// What a failure says about another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retryability {
    /// The failure can pass at any time, so another attempt may succeed.
    Later,
    /// The server limits the rate of requests. The duration is the wait that it asks for, if it gives one.
    Limited(Option<Duration>),
    /// The failure can pass while the host is still starting: DNS, the clock, a captive portal.
    AtBootOnly,
    /// The failure will not pass by itself.
    Never,
}

impl Retryability {
    /// Returns the word for scripts, as in the journal's field NETREADY_CODE.
    pub fn as_str(self) -> &'static str {
        match self {
            Retryability::Later => "try-again",
            Retryability::Limited(_) => "rate-limited",
            Retryability::AtBootOnly => "boot-only",
            Retryability::Never => "final",
        }
    }
}

/// Delays that double after each failure, up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest delay after the first failure.
    pub base: Duration,
    /// The longest delay after any failure.
    pub cap: Duration,
}

impl Backoff {
    /// Returns the longest delay after a failure. `failures` is how many failures came before it.
    pub fn ceiling(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures).map(|times| self.base.saturating_mul(times));
        doubled.unwrap_or(Duration::MAX).min(self.cap)
    }

    /// Returns a delay with full jitter: a random part of the ceiling, by `chance` in 0..1. So hosts that failed at
    /// the same time do not retry at the same time.
    pub fn delay(&self, failures: u32, chance: f64) -> Duration {
        part(self.ceiling(failures), chance)
    }
}

/// The limits for all attempts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often the command is run again. `None` means no limit.
    pub retries: Option<u32>,
    /// The longest time since the start of the first attempt. `None` means no limit.
    pub max_elapsed: Option<Duration>,
}

/// What happens after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Another attempt starts after this delay.
    After(Duration),
    /// There is no other attempt, for this reason.
    GiveUp(GiveUp),
}

/// Why there is no other attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// The failure will not pass by itself.
    Final,
    /// All retries are used up.
    NoMoreRetries,
    /// The time is over, or would be before the next attempt.
    TimeUp,
}

/// The attempts to run one command.
#[derive(Debug, Clone)]
pub struct Attempts {
    backoff: Backoff,
    limits: Limits,
    started: Moment,
    failures: u32,
    /// How many of these failures were rate limits. Rate limits have a backoff of their own.
    limited: u32,
    /// Whether the last failure was one that can pass at any time.
    passing: bool,
}

impl Attempts {
    /// Starts to count. The first attempt begins at `now`.
    pub fn new(backoff: Backoff, limits: Limits, now: Moment) -> Attempts {
        Attempts { backoff, limits, started: now, failures: 0, limited: 0, passing: false }
    }

    /// Returns the number of the attempt that is running or that comes next. The first attempt is 1.
    pub fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// Returns the number of the last possible attempt. `None` if there is no limit.
    pub fn last_attempt(&self) -> Option<u32> {
        self.limits.retries.map(|retries| retries.saturating_add(1))
    }

    /// Returns when the time is over.
    pub fn deadline(&self) -> Option<Moment> {
        self.limits.max_elapsed.map(|elapsed| self.started + elapsed)
    }

    /// Counts a failed attempt and decides what follows. `chance`, from 0 up to 1, selects the delay below its
    /// ceiling.
    pub fn failed(&mut self, again: Retryability, now: Moment, chance: f64) -> RetryDecision {
        let others = self.failures - self.limited;
        let delay = match again {
            Retryability::Never => return RetryDecision::GiveUp(GiveUp::Final),
            // This does not apply after a failure that can pass, because this failure may be a part of the same
            // disturbance. A resolver was seen to report `no such host` when one of its two questions was refused
            // and the other one was answered a moment later.
            Retryability::AtBootOnly if now.since_boot() >= AT_BOOT && !self.passing => {
                return RetryDecision::GiveUp(GiveUp::Final);
            }
            Retryability::Later | Retryability::AtBootOnly => self.backoff.delay(others, chance),
            // Never retry earlier than the registry asks. Add jitter, because other hosts may have got the same
            // answer.
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

/// Returns this part of a duration. If the product is not a valid duration, returns all of it.
fn part(whole: Duration, chance: f64) -> Duration {
    Duration::try_from_secs_f64(whole.as_secs_f64() * chance.clamp(0.0, 1.0)).unwrap_or(whole).min(whole)
}

#[cfg(test)]
mod tests;
