//! A point in time, as a value that is passed in.

use core::ops::{Add, Sub};
use core::time::Duration;

/// Time since boot, suspend included (CLOCK_BOOTTIME, clock_gettime(2)): what a boot-time gate
/// means by "90 seconds", and untouched by wall-clock steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The moment this long after boot.
    pub const fn after_boot(elapsed: Duration) -> Moment {
        Moment(elapsed)
    }

    /// How long after boot this is.
    pub fn since_boot(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    /// Saturating: a sum past the end of time is never reached.
    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(duration))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// Zero where `earlier` is not earlier.
    fn sub(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
