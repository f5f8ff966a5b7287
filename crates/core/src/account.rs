//! Where the time went: how long each reason held the gate shut, and what became of it after it was ready.

use core::time::Duration;

use crate::gate_state::Phase;
use crate::moment::Moment;
use crate::verdict::{Reason, Verdict};

/// How many reasons are kept apart while a gate waits. At half of it, a gate whose reasons alternate (a link that
/// flaps while others come) could forget the longest; double would cost memory for nothing.
const KEPT: usize = 16;

/// What held a gate shut for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// This reason was the leading one.
    Reason(Reason),
    /// Everything was met and had to hold (`settle`).
    Settle,
}

/// How long each reason held a gate shut, and its losses. The module says how it counts.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What holds the gate shut now, and since when.
    current: Option<(Stretch, Moment)>,
    /// For how long each did, all its times together.
    lasted: Vec<(Stretch, Duration)>,
    /// Since when the gate is ready.
    ready_since: Option<Moment>,
    /// Since when it is lost.
    lost_since: Option<Moment>,
    /// How long it was ready before the last loss.
    held: Option<Duration>,
    /// How long the last loss lasted.
    lost_for: Duration,
    losses: u64,
}

/// What an account comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times<'a> {
    /// What held the gate shut longest, and for how long in all.
    pub longest: Option<(&'a Stretch, Duration)>,
    /// How long it was ready before the last loss.
    pub held: Option<Duration>,
    /// How long the last loss lasted that is over.
    pub lost_for: Duration,
    /// How often it was lost since boot.
    pub losses: u64,
}

impl Account {
    /// An account of a gate that was lost this often already since boot.
    pub fn new(losses: u64) -> Account {
        Account { losses, ..Account::default() }
    }

    /// Sees where the gate stands from now on, and why.
    pub fn observe(&mut self, phase: Phase, verdict: &Verdict, now: Moment) {
        let leading = || verdict.leading();
        let (reason, settling) = match phase {
            Phase::Waiting | Phase::Grace { .. } | Phase::Opened { .. } => (leading(), false),
            Phase::Settling { .. } => (None, true),
            Phase::Ready { .. } | Phase::Lost { .. } | Phase::GaveUp { .. } => (None, false),
        };
        self.shut(reason, settling, now);
        match phase {
            Phase::Ready { .. } => self.ready(now),
            Phase::Lost { since } => self.lost(since),
            // Another gate was read: what it was ready by is no loss of this one's.
            Phase::Opened { .. } => self.ready_since = None,
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } | Phase::GaveUp { .. } => {}
        }
    }

    fn shut(&mut self, reason: Option<&Reason>, settling: bool, now: Moment) {
        let same = match &self.current {
            Some((Stretch::Reason(current), _)) => reason == Some(current),
            Some((Stretch::Settle, _)) => settling,
            None => reason.is_none() && !settling,
        };
        if same {
            return;
        }
        if let Some((stretch, since)) = self.current.take() {
            self.add(stretch, now - since);
        }
        let stretch = if settling { Some(Stretch::Settle) } else { reason.cloned().map(Stretch::Reason) };
        self.current = stretch.map(|stretch| (stretch, now));
    }

    fn add(&mut self, stretch: Stretch, duration: Duration) {
        if let Some((_, lasted)) = self.lasted.iter_mut().find(|(known, _)| *known == stretch) {
            *lasted = lasted.saturating_add(duration);
            return;
        }
        if self.lasted.len() >= KEPT {
            let shortest = self.lasted.iter().enumerate().min_by_key(|(_, (_, lasted))| *lasted);
            if let Some(at) = shortest.map(|(at, _)| at) {
                self.lasted.swap_remove(at);
            }
        }
        self.lasted.push((stretch, duration));
    }

    fn ready(&mut self, now: Moment) {
        if self.ready_since.is_some() {
            return;
        }
        self.ready_since = Some(now);
        if let Some(since) = self.lost_since.take() {
            self.lost_for = now - since;
        }
        // The rest is not needed any more.
        let longest = self.lasted.iter().max_by_key(|(_, lasted)| *lasted).cloned();
        self.lasted = longest.into_iter().collect();
    }

    fn lost(&mut self, since: Moment) {
        if self.lost_since.is_some() {
            return;
        }
        self.held = self.ready_since.take().map(|ready| since - ready);
        self.lost_since = Some(since);
        self.losses = self.losses.saturating_add(1);
    }

    /// What it comes to now.
    pub fn times(&self) -> Times<'_> {
        let longest = self.lasted.iter().max_by_key(|(_, lasted)| *lasted);
        Times {
            longest: longest.map(|(stretch, lasted)| (stretch, *lasted)),
            held: self.held,
            lost_for: self.lost_for,
            losses: self.losses,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluate;
    use crate::gate_state::{Came, GaveUp, OpenedBy};
    use crate::testing::{NOW, gate, network};

    fn at(millis: u64) -> Moment {
        NOW + Duration::from_millis(millis)
    }

    /// The verdict whose leading reason is that this link has no carrier, or none.
    fn verdict(dark: Option<&str>) -> Verdict {
        let state = |name: &str| if dark == Some(name) { "nocarrier" } else { "up" };
        let links = ["a", "b"].map(|name| format!("{name}: {}", state(name))).join("; ");
        evaluate(&gate("interface='a'; carrier=true | interface='b'; carrier=true"), &network(&links), NOW)
    }

    const READY: Phase = Phase::Ready { came: Came::First { after: Duration::ZERO } };
    const SETTLING: Phase = Phase::Settling { until: NOW };

    /// The longest stretch, in words, and its milliseconds.
    fn longest(account: &Account) -> Option<(String, u128)> {
        account.times().longest.map(|(stretch, lasted)| {
            let words = match stretch {
                Stretch::Reason(reason) => reason.link().unwrap_or("?").to_owned(),
                Stretch::Settle => "settle".to_owned(),
            };
            (words, lasted.as_millis())
        })
    }

    #[test]
    fn the_times_of_a_reason_are_added_up() {
        let mut account = Account::default();
        let steps = [
            (0, Phase::Waiting, Some("a")),
            (30, Phase::Waiting, Some("b")),
            (70, Phase::Waiting, Some("a")),
            (90, Phase::Waiting, Some("a")),
            (95, SETTLING, None),
            (105, READY, None),
        ];
        for (millis, phase, dark) in steps {
            account.observe(phase, &verdict(dark), at(millis));
        }
        assert_eq!(longest(&account), Some(("a".to_owned(), 55)), "30 ms, and again 25 ms");
        assert_eq!(account.lasted.len(), 1, "nothing else is kept once it is ready");
        account.observe(Phase::Lost { since: at(200) }, &verdict(Some("b")), at(200));
        account.observe(READY, &verdict(None), at(9000));
        assert_eq!(longest(&account), Some(("a".to_owned(), 55)), "a loss is no part of the way to ready");
    }

    #[test]
    fn a_settle_and_the_time_after_the_gate_was_opened_count() {
        let mut account = Account::default();
        account.observe(SETTLING, &verdict(None), at(0));
        account.observe(Phase::Waiting, &verdict(Some("a")), at(40));
        assert_eq!(longest(&account), Some(("settle".to_owned(), 40)));
        let opened = Phase::Opened { after: Duration::ZERO, by: OpenedBy::Timeout(GaveUp::Timeout) };
        account.observe(opened, &verdict(Some("a")), at(60));
        account.observe(READY, &verdict(None), at(90));
        assert_eq!(longest(&account), Some(("a".to_owned(), 50)));
    }

    #[test]
    fn losses_are_counted_and_measured() {
        let mut account = Account::new(2);
        let lost = |millis| Phase::Lost { since: at(millis) };
        account.observe(READY, &verdict(None), at(10));
        account.observe(READY, &verdict(None), at(50));
        assert_eq!(account.times().held, None);
        account.observe(lost(110), &verdict(Some("a")), at(110));
        account.observe(lost(110), &verdict(Some("b")), at(150));
        let times = account.times();
        assert_eq!((times.held, times.losses), (Some(Duration::from_millis(100)), 3));
        account.observe(READY, &verdict(None), at(410));
        let times = account.times();
        assert_eq!((times.lost_for, times.losses), (Duration::from_millis(300), 3));
        account.observe(lost(500), &verdict(Some("a")), at(500));
        assert_eq!(account.times().held, Some(Duration::from_millis(90)), "since it was ready again");
    }

    /// A gate that is read anew is lost only after it was ready itself.
    #[test]
    fn being_ready_by_another_gate_does_not_count() {
        let mut account = Account::default();
        account.observe(READY, &verdict(None), at(0));
        account.observe(
            Phase::Opened { after: Duration::ZERO, by: OpenedBy::Reload },
            &verdict(Some("a")),
            at(50),
        );
        account.observe(READY, &verdict(None), at(60));
        account.observe(Phase::Lost { since: at(90) }, &verdict(Some("a")), at(90));
        assert_eq!(account.times().held, Some(Duration::from_millis(30)));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_longest_stays() {
        let mut account = Account::default();
        let reason = |name: String| Stretch::Reason(Reason::Absent { name });
        account.add(reason("longest".to_owned()), Duration::from_secs(9));
        for number in 0..1000 {
            account.add(reason(number.to_string()), Duration::from_millis(number));
        }
        assert_eq!(account.lasted.len(), KEPT);
        assert_eq!(longest(&account), Some(("longest".to_owned(), 9000)));
    }
}
