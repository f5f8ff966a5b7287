//! The only clock and the only timer of the shell.

use std::io;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::descriptor::{self, Descriptor};
use crate::moment::Moment;

/// The current time of CLOCK_BOOTTIME, which also counts the time in suspend.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Moment {
    let elapsed = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from);
    // An error cannot happen on Linux 2.6.39 or later.
    Moment::after_boot(elapsed.unwrap_or_default())
}

/// The local time of a moment. It is computed once, so a later step of the wall clock does not change it.
#[derive(Debug, Clone)]
pub struct LocalTime(jiff::Zoned);

impl LocalTime {
    /// The local time of this moment, which may be in the future.
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn of(moment: Moment) -> LocalTime {
        let (before, after) = (now(), jiff::Zoned::now());
        let span = |duration| jiff::SignedDuration::try_from(duration).unwrap_or_default();
        let then = after.checked_add(span(moment - before) - span(before - moment));
        LocalTime(then.unwrap_or(after))
    }

    /// As in `08:15:30`; with the date if that is not today, as in `2026-11-25 08:15:30`.
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn text(&self) -> String {
        self.text_on(jiff::Zoned::now().date())
    }

    /// As in `2026-11-25 08:15:30`.
    pub fn date_and_time(&self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The date as in `2026-11-25`, and the time of day as in `08:15:30`.
    pub fn date_then_time(&self) -> (String, String) {
        let part = |format| self.0.strftime(format).to_string();
        (part("%Y-%m-%d"), part("%H:%M:%S"))
    }

    fn text_on(&self, today: jiff::civil::Date) -> String {
        let format = if self.0.date() == today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        self.0.strftime(format).to_string()
    }

    /// The local time of day with milliseconds, as in `08:15:30.123`.
    pub fn with_milliseconds(&self) -> String {
        self.0.strftime("%H:%M:%S%.3f").to_string()
    }

    /// With the date and the offset from UTC, as in `2026-03-01 08:15:30.123 +01:00`.
    pub fn with_date(&self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S%.3f %:z").to_string()
    }

    /// For scripts, in microseconds (RFC 3339), as in `2026-03-01T08:15:30.123456+01:00`.
    pub fn rfc3339(&self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string()
    }
}

/// The wall clock of a boot: gives the local time of a moment of that boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootClock {
    /// When the boot began, in microseconds since 1970.
    zero: i64,
}

impl BootClock {
    /// The clock of this boot, as the wall clock is set now.
    pub fn of_this_boot() -> BootClock {
        BootClock { zero: i64::try_from(boot_time().as_micros()).unwrap_or(i64::MAX) }
    }

    /// The clock of a boot in which the wall clock was `realtime_usec` (microseconds since 1970) at the moment `at`.
    pub fn by(at: Moment, realtime_usec: u64) -> BootClock {
        let usec = i64::try_from(realtime_usec).unwrap_or(i64::MAX);
        BootClock { zero: usec.saturating_sub(micros(at)) }
    }

    /// The wall-clock time of a moment, in microseconds since 1970.
    pub fn usec(self, at: Moment) -> i64 {
        self.zero.saturating_add(micros(at))
    }

    /// The local time of a moment. A time that is out of the calendar's range gives 1970.
    pub fn at(self, at: Moment) -> LocalTime {
        let timestamp = jiff::Timestamp::from_microsecond(self.usec(at)).unwrap_or_default();
        LocalTime(timestamp.to_zoned(jiff::tz::TimeZone::system()))
    }
}

fn micros(at: Moment) -> i64 {
    i64::try_from(at.since_boot().as_micros()).unwrap_or(i64::MAX)
}

/// When the host was started, as time since 1970, as the wall clock is set now.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn boot_time() -> Duration {
    let since_1970 = Duration::try_from(jiff::Timestamp::now().as_duration()).unwrap_or_default();
    since_1970.saturating_sub(now().since_boot())
}

/// A timer (timerfd_create(2)) on CLOCK_BOOTTIME. Timers of tokio are not used because they do not count suspend.
pub struct Timer {
    timer: AsyncFd<Descriptor<TimerFd>>,
    set_to: Option<Moment>,
}

impl Timer {
    /// Makes a timer that is not set.
    ///
    /// # Errors
    /// Fails if timerfd_create(2) fails.
    pub fn new() -> io::Result<Timer> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?;
        let timer = descriptor::watch(timer, Interest::READABLE)?;
        Ok(Timer { timer, set_to: None })
    }

    /// Sets the timer, or stops it with `None`. If the moment has passed, the timer fires at once.
    ///
    /// # Errors
    /// Fails if timerfd_settime(2) fails.
    pub fn set(&mut self, at: Option<Moment>) -> io::Result<()> {
        if at == self.set_to {
            return Ok(());
        }
        let timer = &self.timer.get_ref().0;
        match at {
            // A time of zero would stop the timer.
            Some(at) => {
                let at = at.since_boot().max(Duration::from_nanos(1));
                let expiration = Expiration::OneShot(TimeSpec::from(at));
                timer.set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
            None => timer.unset()?,
        }
        self.set_to = at;
        Ok(())
    }

    /// Waits until the timer fires. Afterwards the timer is not set.
    ///
    /// # Errors
    /// Fails if epoll(7) fails.
    pub async fn fired(&mut self) -> io::Result<()> {
        self.timer.readable().await?.clear_ready();
        self.set(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LocalTime, now};

    #[test]
    fn a_moment_may_be_in_the_past_or_in_the_future() {
        let moments = [super::Moment::default(), now(), now() + Duration::from_secs(3600)];
        let [boot, now, later] = moments.map(|moment| LocalTime::of(moment).0);
        assert!(boot < now && now < later, "{boot} {now} {later}");
    }

    #[test]
    fn the_wall_clock_is_that_of_the_host() {
        let boot = super::boot_time();
        let made_now = tempfile::tempfile().unwrap().metadata().unwrap().modified().unwrap();
        let now = made_now.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!((boot + super::now().since_boot()).abs_diff(now) < Duration::from_secs(60));
        let said: jiff::Timestamp = super::LocalTime::of(super::now()).rfc3339().parse().unwrap();
        assert!(said.as_second().abs_diff(now.as_secs() as i64) < 60, "{said}");
    }

    #[test]
    fn the_clock_of_a_boot_gives_the_time_of_its_moments() {
        let clock =
            super::BootClock::by(super::Moment::after_boot(Duration::from_secs(5)), 1_795_718_388_000_000);
        assert_eq!(clock.usec(super::Moment::default()), 1_795_718_383_000_000);
        let at = clock.at(super::Moment::after_boot(Duration::from_micros(1_000_250)));
        assert_eq!(at.0.timestamp().to_string(), "2026-11-26T18:39:44.00025Z");
        assert!(at.rfc3339().contains(":44.000250"), "{}", at.rfc3339());
        let late = super::BootClock::by(super::Moment::default(), u64::MAX);
        assert_eq!(late.at(super::Moment::default()).0.timestamp().as_second(), 0);
        let (one, other) = (LocalTime::of(now()).0, super::BootClock::of_this_boot().at(now()).0);
        assert!(one.duration_until(&other).abs().as_secs() < 60, "{one} {other}");
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let then: jiff::Zoned = "2026-11-25T23:59:59+01:00[+01:00]".parse().unwrap();
        let then = LocalTime(then);
        assert_eq!(then.text_on(jiff::civil::date(2026, 11, 25)), "23:59:59");
        for day in [24, 26] {
            assert_eq!(then.text_on(jiff::civil::date(2026, 11, day)), "2026-11-25 23:59:59");
        }
    }
}
