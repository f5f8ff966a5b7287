//! Adds up how long each reason held the gate shut, and how long the gate was ready and lost afterwards.

use core::time::Duration;

use crate::gate_state::Phase;
use crate::moment::Moment;
use crate::verdict::{Reason, Verdict};

/// How many reasons are counted separately while a gate waits. With half as many, a gate with alternating reasons
/// (a link that flaps while others come up) could forget the reason that lasted longest. Twice as many would use
/// memory without a benefit.
const KEPT: usize = 16;

/// What held a gate shut for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// This reason was the first one of the verdict.
    Reason(Reason),
    /// Every clause was met, and had to stay met for the time `settle`.
    Settle,
}

/// How long each reason held a gate shut, and how often the gate was lost. The module says how the times are
/// counted.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What holds the gate shut now, and the start of this stretch.
    current: Option<(Stretch, Moment)>,
    /// For each reason, the sum of its stretches that are over.
    lasted: Vec<(Stretch, Duration)>,
    /// When the gate became ready. `None` while it is not ready.
    ready_since: Option<Moment>,
    /// When the gate was lost. `None` while it is not lost.
    lost_since: Option<Moment>,
    /// How long the gate was ready before the last loss.
    held: Option<Duration>,
    /// How long the last loss lasted.
    lost_for: Duration,
    losses: u64,
}

/// The times that an account has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times<'a> {
    /// What held the gate shut longest, and for how long in all.
    pub longest: Option<(&'a Stretch, Duration)>,
    /// How long the gate was ready before the last loss.
    pub held: Option<Duration>,
    /// How long the last loss lasted that is over.
    pub lost_for: Duration,
    /// How often the gate was lost since boot.
    pub losses: u64,
}

impl Account {
    /// Starts the account of a gate that was lost `losses` times since boot.
    pub fn new(losses: u64) -> Account {
        Account { losses, ..Account::default() }
    }

    /// Notes the phase of the gate from now on, and its verdict.
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
            // The gate was read again. That the previous gate was ready before is not counted as a loss of this
            // gate.
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
        // Only the longest is needed from now on.
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

    /// Returns the times as counted so far.
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

    /// A verdict whose leading reason is that the link `dark` has no carrier; without `dark`, one without a reason.
    fn verdict(dark: Option<&str>) -> Verdict {
        let state = |name: &str| if dark == Some(name) { "nocarrier" } else { "up" };
        let links = ["a", "b"].map(|name| format!("{name}: {}", state(name))).join("; ");
        evaluate(&gate("interface='a'; carrier=true | interface='b'; carrier=true"), &network(&links), NOW)
    }

    const READY: Phase = Phase::Ready { came: Came::First { after: Duration::ZERO } };
    const SETTLING: Phase = Phase::Settling { until: NOW };

    /// The longest stretch as a word, and its length in milliseconds.
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

    /// After a reload, the gate can only be lost after it was ready itself.
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
    fn the_account_is_bounded_and_keeps_the_longest() {
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
