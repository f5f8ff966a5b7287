//! Decides when netready looks at a running command, and when and why it ends the command. All times are arguments.

use std::time::Duration;

use crate::attempt::{AttemptEnd, Bounds};
use crate::moment::Moment;

/// How long a command has to end after SIGTERM, before its group is killed.
const TO_END: Duration = Duration::from_secs(10);

/// The longest time between two looks at whether the command is active.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The deadlines of one run.
#[derive(Debug)]
pub(super) struct Deadlines {
    attempt: Option<(Moment, Duration)>,
    until: Option<Moment>,
    stall: Option<Stall>,
    /// When the command is killed if it has not ended by then.
    kill_at: Option<Moment>,
    /// Why the command is being ended, if it is.
    because: Option<AttemptEnd>,
}

/// The limit for an inactive command.
#[derive(Debug)]
struct Stall {
    limit: Duration,
    active_at: Moment,
    looked_at: Moment,
}

impl Stall {
    fn look_at(&self) -> Moment {
        self.looked_at + (self.limit / 4).min(LOOK_EVERY)
    }
}

impl Deadlines {
    /// The deadlines of a run that starts now.
    pub(super) fn new(bounds: Bounds, now: Moment) -> Deadlines {
        Deadlines {
            attempt: bounds.attempt.map(|limit| (now + limit, limit)),
            until: bounds.until,
            stall: bounds.stall.map(|limit| Stall { limit, active_at: now, looked_at: now }),
            kill_at: None,
            because: None,
        }
    }

    /// Why the command is being ended, if it is.
    pub(super) fn because(&self) -> Option<AttemptEnd> {
        self.because
    }

    /// The time since the last look, if another one is due.
    pub(super) fn look(&mut self, now: Moment) -> Option<Duration> {
        let stall = self.stall.as_mut().filter(|stall| self.because.is_none() && stall.look_at() <= now)?;
        let span = now - stall.looked_at;
        stall.looked_at = now;
        Some(span)
    }

    /// Notes that the look found the command active.
    pub(super) fn active(&mut self, now: Moment) {
        if let Some(stall) = &mut self.stall {
            stall.active_at = now;
        }
    }

    /// Whether a limit is reached for the first time. If so, the command must be ended.
    pub(super) fn expire(&mut self, now: Moment) -> bool {
        if self.because.is_some() {
            return false;
        }
        let too_long = self.attempt.map(|(at, limit)| (at, AttemptEnd::TookTooLong(limit)));
        let time_up = self.until.map(|at| (at, AttemptEnd::TimeUp));
        let stalled = self
            .stall
            .as_ref()
            .map(|stall| (stall.active_at + stall.limit, AttemptEnd::Stalled(stall.limit)));
        let due = [too_long, time_up, stalled].into_iter().flatten().find(|(at, _)| *at <= now);
        let Some((_, why)) = due else { return false };
        self.because = Some(why);
        self.kill_at = Some(now + TO_END);
        true
    }

    /// Notes that netready was told to end the command. The time that the command has to end counts from the first
    /// such call, or from the limit that was reached before.
    pub(super) fn signalled(&mut self, signal: i32, now: Moment) {
        self.because = Some(AttemptEnd::Signalled(signal, 0));
        self.kill_at = self.kill_at.or(Some(now + TO_END));
    }

    /// Whether the command must be killed now. Returns true only once.
    pub(super) fn kill(&mut self, now: Moment) -> bool {
        self.kill_at.take_if(|at| *at <= now).is_some()
    }

    /// Moves the limits, because the run was stopped for `span`: the command could not do anything during that time.
    /// The limit for all attempts stays.
    pub(super) fn stopped_for(&mut self, span: Duration) {
        self.attempt = self.attempt.map(|(at, limit)| (at + span, limit));
        if let Some(stall) = &mut self.stall {
            stall.active_at = stall.active_at + span;
            stall.looked_at = stall.looked_at + span;
        }
    }

    /// When this object must be asked next, if ever.
    pub(super) fn next(&self) -> Option<Moment> {
        let limits = [self.attempt.map(|(at, _)| at), self.until, self.stall.as_ref().map(Stall::look_at)];
        limits.into_iter().flatten().filter(|_| self.because.is_none()).chain(self.kill_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Moment {
        Moment::after_boot(Duration::from_secs(seconds))
    }

    #[test]
    fn the_first_limit_that_is_reached_ends_the_command() {
        let (attempt, stall) = (Some(20 * SECOND), Some(8 * SECOND));
        for (bounds, reached, why) in [
            (Bounds { attempt, ..Bounds::default() }, 120, AttemptEnd::TookTooLong(20 * SECOND)),
            (Bounds { stall, ..Bounds::default() }, 108, AttemptEnd::Stalled(8 * SECOND)),
            (Bounds { until: Some(at(105)), ..Bounds::default() }, 105, AttemptEnd::TimeUp),
            (Bounds { attempt, stall, until: Some(at(105)) }, 105, AttemptEnd::TimeUp),
            (Bounds { attempt, stall, until: Some(at(300)) }, 108, AttemptEnd::Stalled(8 * SECOND)),
        ] {
            let mut deadlines = Deadlines::new(bounds, at(100));
            assert!(!deadlines.expire(at(reached - 1)), "{bounds:?}");
            assert!(deadlines.expire(at(reached)), "{bounds:?}");
            assert_eq!(deadlines.because(), Some(why));
            // A limit is reported once. Then the command has time to end.
            assert!(!deadlines.expire(at(reached)) && !deadlines.kill(at(reached + 9)));
            assert_eq!(deadlines.next(), Some(at(reached + 10)));
            assert!(deadlines.kill(at(reached + 10)) && !deadlines.kill(at(reached + 10)));
            assert_eq!((deadlines.next(), deadlines.look(at(1000))), (None, None));
        }
        assert_eq!(Deadlines::new(Bounds::default(), at(100)).next(), None);
    }

    #[test]
    fn an_active_command_is_looked_at_again_and_never_ended() {
        let bounds = Bounds { stall: Some(8 * SECOND), ..Bounds::default() };
        let mut deadlines = Deadlines::new(bounds, at(100));
        assert_eq!(deadlines.look(at(101)), None);
        for now in (102..200).step_by(2) {
            assert_eq!(deadlines.next(), Some(at(now)));
            assert_eq!(deadlines.look(at(now)), Some(2 * SECOND));
            deadlines.active(at(now));
            assert!(!deadlines.expire(at(now)));
        }
        // netready looks at the command every 5 seconds at least.
        let bounds = Bounds { stall: Some(60 * SECOND), ..Bounds::default() };
        assert_eq!(Deadlines::new(bounds, at(100)).next(), Some(at(105)));
    }

    #[test]
    fn the_time_for_which_the_run_was_stopped_does_not_count() {
        let (attempt, stall) = (Some(20 * SECOND), Some(8 * SECOND));
        for (bounds, reached) in [
            (Bounds { attempt, ..Bounds::default() }, 130),
            (Bounds { stall, ..Bounds::default() }, 118),
            // The limit for all attempts stays.
            (Bounds { until: Some(at(105)), ..Bounds::default() }, 105),
        ] {
            let mut deadlines = Deadlines::new(bounds, at(100));
            deadlines.stopped_for(10 * SECOND);
            assert!(!deadlines.expire(at(reached - 1)) && deadlines.expire(at(reached)), "{bounds:?}");
        }
    }

    #[test]
    fn a_signal_after_a_limit_gives_no_more_time() {
        let bounds = Bounds { until: Some(at(105)), ..Bounds::default() };
        let mut deadlines = Deadlines::new(bounds, at(100));
        assert!(deadlines.expire(at(105)));
        deadlines.signalled(15, at(110));
        assert_eq!(deadlines.because(), Some(AttemptEnd::Signalled(15, 0)));
        assert_eq!(deadlines.next(), Some(at(115)));
    }
}
