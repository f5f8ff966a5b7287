//! A point in time, as a value that callers pass.

use core::ops::{Add, Sub};
use core::time::Duration;

/// The time since boot, including suspend (CLOCK_BOOTTIME, clock_gettime(2)). Changes of the wall clock do not
/// affect it. A boot-time gate means this time by "90 seconds".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(Duration);

impl Moment {
    /// Makes the moment this long after boot.
    pub const fn after_boot(elapsed: Duration) -> Moment {
        Moment(elapsed)
    }

    /// Returns the moment without its nanoseconds, as records have it.
    #[must_use]
    pub fn in_micros(self) -> Moment {
        let nanos = self.0.subsec_nanos() % 1000;
        Moment(self.0.saturating_sub(Duration::from_nanos(u64::from(nanos))))
    }

    /// Returns how long after boot the moment is.
    pub fn since_boot(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    /// Adds a duration. The sum stops at the largest value, which no clock ever reaches.
    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(duration))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// Returns the time since `earlier`, or zero if `earlier` is not earlier.
    fn sub(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
