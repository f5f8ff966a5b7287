//! Limits how often something expensive is done. The module is pure: the caller passes the time.

use core::time::Duration;

use crate::model::Stale;
use crate::moment::Moment;

/// Limits the reading of tables to a tenth of the time.
///
/// Credit grows with time, and each read takes its duration from the credit. While the credit is below zero, the
/// next read has to wait. Small tables never bring it below zero. A table of a million routes takes a quarter of a
/// second to read, so it is read at most every 2.5 s. No wait is longer than ten seconds, however long reads took.
#[derive(Debug, Clone)]
pub struct Budget {
    /// The remaining time for reading, in nanoseconds.
    credit: i64,
    at: Moment,
}

/// Reading may take one part in this many of the time.
const SHARE: u32 = 10;
/// The most credit that can be saved. It is enough for a burst of changes on a host with a table of usual size.
/// Twice as much would let a large table be read twice in a row.
const MOST: Duration = Duration::from_millis(50);
/// What one read costs at most, and what the reads of one pass do together: the time that four million routes take. If a
/// read took longer, the host was suspended or busy with something else meanwhile. Half of this would let a table of that
/// size be read about a fifth of the time; twice as much could open a gate twenty seconds late.
const DEAREST: Duration = Duration::from_secs(1);

impl Budget {
    /// A budget from which nothing has been taken.
    pub fn new(now: Moment) -> Budget {
        Budget { credit: nanoseconds(MOST), at: now }
    }

    /// Returns when the next read may be done. `None` means that it may be done now.
    pub fn wait(&mut self, now: Moment) -> Option<Moment> {
        self.refill(now);
        let missing = u64::try_from(-self.credit).ok().filter(|missing| *missing > 0)?;
        Some(now + Duration::from_nanos(missing) * SHARE)
    }

    /// Takes the time that reading took from the budget.
    pub fn spent(&mut self, cost: Duration, now: Moment) {
        self.refill(now);
        // One pass may read several tables.
        self.credit = self.credit.saturating_sub(nanoseconds(cost.min(DEAREST))).max(-nanoseconds(DEAREST));
    }

    fn refill(&mut self, now: Moment) {
        let grown = nanoseconds((now - self.at) / SHARE);
        self.credit = self.credit.saturating_add(grown).min(nanoseconds(MOST));
        self.at = now;
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Spaces out complete reads after lost notifications. The first read is done at once, the next ones after 10 ms,
/// 20 ms and so on up to 100 ms. After a second without losses the next read is done at once again. Without
/// spacing, netready would do nothing but dump while a storm of changes overruns the buffer.
#[derive(Debug, Clone, Default)]
pub struct Spacing {
    last: Option<Moment>,
    gap: Duration,
    owed: Stale,
}

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_secs(1);

impl Spacing {
    /// Returns when `stale` may be read again: `None` means now. Otherwise it is noted as owed until that time.
    pub fn next(&mut self, stale: Stale, now: Moment) -> Option<Moment> {
        match self.last {
            Some(last) if now < last + self.gap => {
                self.owed = self.owed.or(stale);
                Some(last + self.gap)
            }
            Some(last) if now < last + QUIET => {
                self.gap = (self.gap * 2).clamp(SHORTEST, LONGEST);
                self.last = Some(now);
                None
            }
            Some(_) | None => {
                self.gap = SHORTEST;
                self.last = Some(now);
                None
            }
        }
    }

    /// Notes what has to be read again, in addition to what is noted already.
    pub fn owe(&mut self, stale: Stale) {
        self.owed = self.owed.or(stale);
    }

    /// Whether anything has to be read again.
    pub fn owes(&self) -> bool {
        self.owed.any()
    }

    /// Takes what has to be read again, if it is due now.
    pub fn take_owed(&mut self) -> Stale {
        core::mem::take(&mut self.owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::after_boot(Duration::from_millis(1_000_000 + millis))
    }

    #[test]
    fn a_large_table_is_read_a_tenth_of_the_time() {
        let mut budget = Budget::new(at(0));
        assert_eq!(budget.wait(at(0)), None);
        budget.spent(Duration::from_millis(250), at(250));
        // 50 + 25 - 250 ms would count the growth during the read, but the credit was full: 50 - 250 = -200 ms,
        // which takes 2 s to grow back.
        assert_eq!(budget.wait(at(250)), Some(at(2250)));
        assert_eq!(budget.wait(at(2250)), None);
    }

    #[test]
    fn a_small_table_is_read_at_once_every_time() {
        let mut budget = Budget::new(at(0));
        for millis in 0..500 {
            assert_eq!(budget.wait(at(millis)), None);
            budget.spent(Duration::from_micros(90), at(millis));
        }
    }

    #[test]
    fn a_read_that_a_suspend_prolonged_is_no_reason_to_wait_for_long() {
        for (millis, until) in
            [(999, 999 + 9490), (1000, 1000 + 9500), (1001, 1001 + 9500), (3_600_000, 3_609_500)]
        {
            let mut budget = Budget::new(at(0));
            budget.spent(Duration::from_millis(millis), at(millis));
            assert_eq!(budget.wait(at(millis)), Some(at(until)), "{millis}");
        }
    }

    /// As the tables of a gate that needs several.
    #[test]
    fn reads_in_a_row_make_no_wait_longer_than_ten_seconds() {
        let mut budget = Budget::new(at(0));
        for _ in 0..4 {
            budget.spent(Duration::from_millis(900), at(0));
        }
        assert_eq!(budget.wait(at(0)), Some(at(10_000)));
    }

    #[test]
    fn several_tables_of_one_pass_cost_no_more_than_one() {
        let mut budget = Budget::new(at(0));
        for millis in [900, 1800, 2700] {
            budget.spent(Duration::from_millis(900), at(millis));
        }
        assert_eq!(budget.wait(at(2700)), Some(at(12_700)));
    }

    #[test]
    fn losses_are_answered_at_once_and_then_ever_later() {
        let mut spacing = Spacing::default();
        assert_eq!(spacing.next(Stale::ALL, at(0)), None);
        assert_eq!(spacing.next(Stale::ALL, at(3)), Some(at(10)));
        assert!(spacing.owes());
        assert_eq!(spacing.take_owed(), Stale::ALL);
        assert!(!spacing.owes());
        assert_eq!(spacing.next(Stale::ALL, at(10)), None);
        assert_eq!(spacing.next(Stale::ROUTES, at(11)), Some(at(30)));
        assert_eq!(spacing.next(Stale::ROUTES, at(40)), None);
        assert_eq!(spacing.next(Stale::ROUTES, at(41)), Some(at(80)));
        // A whole second after the last read counts as a second without losses.
        assert_eq!(spacing.next(Stale::ALL, at(1040)), None);
        assert_eq!(spacing.next(Stale::ALL, at(1041)), Some(at(1050)));
        assert_eq!(spacing.next(Stale::ALL, at(2039)), None);
        assert_eq!(spacing.next(Stale::ALL, at(2040)), Some(at(2059)));
        assert_eq!(spacing.next(Stale::ALL, at(4000)), None);
        assert_eq!(spacing.next(Stale::ALL, at(4001)), Some(at(4010)));
    }
}
