//! Decides when `run` writes an entry, and which.
//!
//! An entry about the first opening of a gate or about giving up is written at once. Entries about losses and
//! returns are written at once too, but not more than ten in a row and then one a second. Between them, a new
//! leading reason is written at most once a second. A later entry replaces an entry that is held back: it tells the
//! state at that time and how many changes came before it. So the last state is always written, and nothing more is
//! due after the gate is quiet.

use core::time::Duration;

use crate::gate_state::Phase;
use crate::journal::{Entry, Kind};
use crate::moment::Moment;
use crate::report::unmet_lines;
use crate::requirement::Gate;
use crate::verdict::{Reason, Verdict, Warning};

/// The least time between two entries about the reason. With half of it, a link that flaps fills a page in a
/// minute. With twice the time, an administrator at a terminal sees the effect of a change late.
const SPACING: Duration = Duration::from_secs(1);

/// How many losses and returns may be written in a row without a pause.
const BURST: u32 = 10;

/// How many warnings are remembered, so that each is written once. With half as many, a host with a few dozen
/// addresses could write a warning twice. Twice as many would use memory without a benefit.
const WRITTEN: usize = 64;

/// The present state of the gate.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The gate that the entries are about.
    pub gate: &'a Gate,
    /// The present verdict of the gate.
    pub verdict: &'a Verdict,
    /// The present phase of the gate.
    pub phase: Phase,
    /// The status line of this state.
    pub status: &'a str,
}

/// The state that an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Opened,
    Lost,
    GaveUp,
}

/// Decides which entries are due, and limits their rate. The module says how.
#[derive(Debug, Default)]
pub struct Policy {
    /// What the last entry was about.
    written: Option<Known>,
    /// The last state that was seen.
    seen: Option<Known>,
    /// When the last entry was written.
    at: Option<Moment>,
    bucket: Bucket,
    held: Option<Held>,
}

/// A state with its leading reason.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    state: State,
    reason: Option<Reason>,
}

/// An entry that is held back.
#[derive(Debug)]
struct Held {
    until: Moment,
    entry: Entry,
    /// The number of changes that the entry stands for.
    changes: u64,
    /// Whether the state changed, not only its reason.
    moved: bool,
}

/// Counts the losses and returns that may be written now.
#[derive(Debug, Default)]
struct Bucket {
    used: u32,
    /// The time from which the next entry's second counts.
    since: Moment,
}

impl Policy {
    /// Takes the present state of the gate, and returns the entry that is due.
    pub fn see(&mut self, seen: Seen<'_>, now: Moment) -> Option<Entry> {
        let state = State::of(seen.phase);
        let leading = if state == State::Ready { None } else { seen.verdict.leading() };
        let known = |known: &Known| known.state == state && known.reason.as_ref() == leading;
        if self.seen.as_ref().is_some_and(known) {
            return self.tick(now);
        }
        let before = self.seen.replace(Known { state, reason: leading.cloned() });
        let moved = before.is_none_or(|before| before.state != state);
        let held = self.held.take();
        let moved_since = moved || held.as_ref().is_some_and(|held| held.moved);
        let changes = held.as_ref().map_or(1, |held| held.changes.saturating_add(1));
        let kind = self.kind(state, moved_since);
        let entry = entry(kind, seen, leading, now);
        let Some(until) = self.wait(state, moved_since, now) else {
            return Some(self.write(entry, changes, moved_since, now));
        };
        self.held = Some(Held { until, entry, changes, moved: moved_since });
        None
    }

    /// Takes the time, and returns the entry that is due.
    pub fn tick(&mut self, now: Moment) -> Option<Entry> {
        let held = self.held.take_if(|held| held.until <= now)?;
        Some(self.write(held.entry, held.changes, held.moved, now))
    }

    /// Returns when the entry that is held back is due.
    pub fn deadline(&self) -> Option<Moment> {
        self.held.as_ref().map(|held| held.until)
    }

    /// Another gate was read, so the next state is written.
    pub fn reload(&mut self) {
        self.written = None;
        self.seen = None;
        self.held = None;
    }

    /// Returns until when an entry is held back. `None` means that it is due now.
    fn wait(&self, state: State, moved: bool, now: Moment) -> Option<Moment> {
        let last = self.at?;
        let Some(written) = &self.written else { return None };
        if !moved {
            return Some(last + SPACING).filter(|until| *until > now);
        }
        match (written.state, state) {
            (State::Ready | State::Lost, State::Ready | State::Lost) => self.bucket.wait(now),
            _ => None,
        }
    }

    fn kind(&self, state: State, moved: bool) -> Kind {
        let written = self.written.as_ref().map(|written| written.state);
        match state {
            _ if !moved => Kind::Reason,
            State::Waiting => Kind::Waiting,
            State::Ready if matches!(written, Some(State::Lost | State::Ready)) => Kind::Again,
            State::Ready => Kind::Ready,
            State::Opened => Kind::Opened,
            State::Lost => Kind::Lost,
            State::GaveUp => Kind::GaveUp,
        }
    }

    fn write(&mut self, mut entry: Entry, changes: u64, moved: bool, now: Moment) -> Entry {
        // Only these entries say how many changes they stand for. The record has the whole history of an opening
        // and of giving up.
        let sums_up = matches!(entry.kind, Kind::Reason | Kind::Lost | Kind::Again);
        if sums_up && changes > 1 {
            entry.message.push_str(&format!(" ({changes} changes since the last entry)"));
        }
        if moved {
            self.bucket.take(now);
        }
        self.written.clone_from(&self.seen);
        self.at = Some(now);
        entry
    }
}

/// Decides which warnings are written, and when: each new one, but not more than ten in a row and then one a
/// second. If a route is replaced all the time by one with another faulty next hop, each replacement has a new
/// warning.
#[derive(Debug, Default)]
pub struct Warnings {
    /// The warnings of the last verdict.
    current: Vec<Warning>,
    /// The warnings that were written, the oldest first.
    written: Vec<Warning>,
    bucket: Bucket,
    held: Option<Moment>,
}

impl Warnings {
    /// Takes the warnings of a verdict. Call [`next`](Warnings::next) after that.
    pub fn see(&mut self, warnings: &[Warning]) {
        if self.current != warnings {
            self.current = warnings.to_vec();
        }
    }

    /// Returns the next warning that must be written now.
    pub fn next(&mut self, now: Moment) -> Option<Warning> {
        self.held = None;
        let warning = self.current.iter().find(|warning| !self.written.contains(warning))?;
        self.held = self.bucket.wait(now);
        if self.held.is_some() {
            return None;
        }
        self.bucket.take(now);
        let warning = warning.clone();
        self.written.push(warning.clone());
        if self.written.len() > WRITTEN {
            // Forget one that does not hold any more. If netready forgot one that still holds, it would write it
            // again.
            let gone = self.written.iter().position(|written| !self.current.contains(written));
            gone.map(|index| self.written.remove(index));
        }
        Some(warning)
    }

    /// Returns when the warning that is held back is due.
    pub fn deadline(&self) -> Option<Moment> {
        self.held
    }
}

impl State {
    fn of(phase: Phase) -> State {
        match phase {
            // A gate that flaps goes through grace and settle again and again. STATUS= shows these states.
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } => State::Waiting,
            Phase::Ready { .. } => State::Ready,
            Phase::Opened { .. } => State::Opened,
            Phase::Lost { .. } => State::Lost,
            Phase::GaveUp { .. } => State::GaveUp,
        }
    }
}

impl Bucket {
    /// Returns when the next entry may be written. `None` means now.
    fn wait(&self, now: Moment) -> Option<Moment> {
        let (used, since) = self.now(now);
        (used >= BURST).then(|| since + SPACING)
    }

    fn take(&mut self, now: Moment) {
        let (used, since) = self.now(now);
        self.since = if used == 0 { now } else { since };
        self.used = used.saturating_add(1);
    }

    /// Returns how many entries are used up now, and from when the next one's second counts.
    fn now(&self, now: Moment) -> (u32, Moment) {
        let back = u32::try_from((now - self.since).as_millis() / SPACING.as_millis()).unwrap_or(u32::MAX);
        (self.used.saturating_sub(back), self.since + SPACING.saturating_mul(back))
    }
}

fn entry(kind: Kind, seen: Seen<'_>, leading: Option<&Reason>, now: Moment) -> Entry {
    Entry {
        kind,
        priority: kind.priority(),
        message: seen.status.to_owned(),
        details: if matches!(kind, Kind::GaveUp | Kind::Opened) {
            unmet_lines(seen.verdict)
        } else {
            Vec::new()
        },
        gate: seen.gate.name.clone(),
        code: leading.map(|reason| reason.code().as_str()),
        link: leading.and_then(Reason::link).map(str::to_owned),
        at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluate;
    use crate::gate_state::{Came, GaveUp, OpenedBy};
    use crate::testing::{NOW, gate, network};
    use crate::verdict::AddressRef;

    fn at(millis: u64) -> Moment {
        NOW + Duration::from_millis(millis)
    }

    /// Shows the policy a gate in a phase. The letter behind the phase is the link without carrier, which is the
    /// leading reason; without a letter all links are up.
    fn see(policy: &mut Policy, word: &str, millis: u64) -> String {
        let (phase, dark) = word.split_once(' ').unwrap_or((word, "-"));
        let links: Vec<String> = ["a", "b", "c"]
            .map(|name| format!("{name}: {}", if name == dark { "nocarrier" } else { "up" }))
            .into();
        let clauses = ["a", "b", "c"].map(|name| format!("interface='{name}'; carrier=true"));
        let gate = gate(&clauses.join(" | "));
        let verdict = evaluate(&gate, &network(&links.join("; ")), NOW);
        let phase = match phase {
            "waiting" => Phase::Waiting,
            "settling" => Phase::Settling { until: NOW },
            "ready" => Phase::Ready { came: Came::First { after: Duration::ZERO } },
            "lost" => Phase::Lost { since: NOW },
            "opened" => Phase::Opened { after: Duration::ZERO, by: OpenedBy::Timeout(GaveUp::Timeout) },
            "gave-up" => Phase::GaveUp { after: Duration::ZERO, why: GaveUp::Timeout },
            other => panic!("{other}"),
        };
        let seen = Seen { gate: &gate, verdict: &verdict, phase, status: word };
        said(policy.see(seen, at(millis)))
    }

    #[test]
    fn warnings_are_written_once_and_not_all_at_once() {
        let warning = |number: u32| {
            let address = number.to_be_bytes().into();
            Warning::DadFailed(AddressRef { address, ifindex: 1, ifname: "a".to_owned() })
        };
        let mut warnings = Warnings::default();
        let mut written = |range: core::ops::Range<u32>, millis: u64| {
            warnings.see(&range.map(warning).collect::<Vec<_>>());
            let count = core::iter::from_fn(|| warnings.next(at(millis))).count();
            (count, warnings.deadline().map(|until| until - NOW))
        };
        let due = |millis| Some(Duration::from_millis(millis));
        assert_eq!(written(0..3, 0), (3, None));
        assert_eq!(written(0..3, 10), (0, None));
        assert_eq!(written(0..12, 20), (7, due(1000)), "ten in a row");
        assert_eq!(written(0..12, 999), (0, due(1000)));
        assert_eq!(written(0..12, 1000), (1, due(2000)), "then one a second");
        assert_eq!(written(0..11, 1500), (0, None), "the last one was held back, and does not hold any more");
        assert_eq!(written(0..1, 9000), (0, None));
        for number in 100..300 {
            assert_eq!(written(number..number + 1, u64::from(number) * 1000), (1, None));
        }
        assert_eq!(written(298..300, 900_000), (0, None));
        let many = (0..100).map(|n| written(0..100, 1_000_000 + n * 1000).0).sum::<usize>();
        assert_eq!(many, 100, "each once, however many there are");
        assert_eq!(written(0..100, 2_000_000), (0, None));
        assert!(warnings.written.len() <= 101, "{}", warnings.written.len());
    }

    fn said(entry: Option<Entry>) -> String {
        entry.map_or(String::new(), |entry| format!("{}: {}", entry.kind, entry.message))
    }

    /// Each step has the millisecond, what the policy sees then, and the entry that it writes. `tick` is a
    /// deadline.
    #[track_caller]
    fn check(steps: &[(u64, &str, &str)]) {
        let mut policy = Policy::default();
        for (millis, word, expected) in steps {
            let entry = match *word {
                "tick" => {
                    assert_eq!(policy.deadline(), Some(at(*millis)), "{steps:?}");
                    assert_eq!(policy.tick(at(*millis - 1)), None, "not before");
                    said(policy.tick(at(*millis)))
                }
                "reload" => {
                    policy.reload();
                    String::new()
                }
                word => see(&mut policy, word, *millis),
            };
            assert_eq!(entry, *expected, "{millis} {word} of {steps:?}");
        }
        assert_eq!(policy.deadline(), None, "a quiet gate wakes nobody: {steps:?}");
    }

    #[test]
    fn each_change_that_is_alone_is_written_at_once() {
        check(&[
            (0, "waiting a", "waiting: waiting a"),
            (10, "waiting a", ""),
            (5000, "waiting b", "reason-changed: waiting b"),
            (6000, "waiting c", "reason-changed: waiting c"),
            (6500, "ready", "ready: ready"),
            (6600, "ready", ""),
            (7000, "lost a", "lost: lost a"),
            (9000, "lost b", "reason-changed: lost b"),
            (9001, "ready", "ready-again: ready"),
        ]);
        check(&[(0, "ready", "ready: ready")]);
        check(&[(0, "waiting a", "waiting: waiting a"), (90_000, "gave-up a", "gave-up: gave-up a")]);
    }

    #[test]
    fn a_burst_of_reasons_is_summed_up() {
        check(&[
            (0, "waiting a", "waiting: waiting a"),
            (100, "waiting b", ""),
            (200, "waiting c", ""),
            (1000, "tick", "reason-changed: waiting c (2 changes since the last entry)"),
            (1999, "waiting a", ""),
            (2000, "tick", "reason-changed: waiting a"),
        ]);
        // A change and its reversal are two changes.
        check(&[
            (0, "waiting a", "waiting: waiting a"),
            (100, "waiting b", ""),
            (200, "waiting a", ""),
            (1000, "tick", "reason-changed: waiting a (2 changes since the last entry)"),
        ]);
        // A held entry is written when the policy sees something after its deadline, even if the timer is late.
        check(&[
            (0, "waiting a", "waiting: waiting a"),
            (100, "waiting b", ""),
            (1200, "waiting b", "reason-changed: waiting b"),
        ]);
    }

    #[test]
    fn entries_about_opening_and_giving_up_are_never_held_back() {
        for (word, kind) in [("ready", "ready"), ("opened a", "opened"), ("gave-up a", "gave-up")] {
            let said = format!("{kind}: {word}");
            check(&[(0, "waiting a", "waiting: waiting a"), (1, "waiting b", ""), (2, word, &said)]);
        }
        check(&[
            (0, "opened a", "opened: opened a"),
            (1, "ready", "ready: ready"),
            (2, "lost b", "lost: lost b"),
            (3, "gave-up b", "gave-up: gave-up b"),
        ]);
    }

    #[test]
    fn grace_and_settle_are_not_written() {
        check(&[
            (0, "waiting a", "waiting: waiting a"),
            (2000, "settling", "reason-changed: settling"),
            (2500, "ready", "ready: ready"),
        ]);
    }

    #[test]
    fn another_gate_is_written_whatever_was_before() {
        check(&[
            (0, "ready", "ready: ready"),
            (1, "reload", ""),
            (2, "ready", "ready: ready"),
            (3, "reload", ""),
            (4, "opened a", "opened: opened a"),
        ]);
        check(&[
            (0, "waiting a", "waiting: waiting a"),
            (1, "waiting b", ""),
            (2, "reload", ""),
            (3, "waiting b", "waiting: waiting b"),
        ]);
    }

    /// The policy writes ten entries at once and then one a second. It always writes the last one.
    #[test]
    fn a_gate_that_flaps_is_summed_up() {
        let mut policy = Policy::default();
        see(&mut policy, "ready", 0);
        let mut written = Vec::new();
        let mut ticks = Vec::new();
        for turn in 0..1000_u64 {
            let millis = 1 + turn * 10;
            let word = if turn % 2 == 0 { "lost a" } else { "ready" };
            if policy.deadline().is_some_and(|due| due <= at(millis)) {
                ticks.push(said(policy.tick(at(millis))));
            }
            written.push(see(&mut policy, word, millis));
        }
        let at_once = written.iter().filter(|said| !said.is_empty()).count();
        // The entry before the loop was one of the ten.
        assert_eq!((at_once, ticks.len()), (9, 9), "{ticks:?}");
        assert!(ticks.iter().all(|said| said.contains("changes since the last entry")), "{ticks:?}");
        let due = policy.deadline().unwrap();
        assert!(said(policy.tick(due)).starts_with("ready-again: ready ("));
        assert_eq!(policy.deadline(), None);
    }

    /// Ten entries are used up at once. Each comes back a second after the one before, counted from the first.
    #[test]
    fn an_entry_comes_back_each_second_since_the_first_was_used() {
        let mut policy = Policy::default();
        for turn in 0..10_u64 {
            let word = if turn % 2 == 0 { "ready" } else { "lost a" };
            assert_ne!(see(&mut policy, word, turn * 50), "", "{turn}");
        }
        assert_eq!(see(&mut policy, "ready", 600), "");
        assert_eq!(policy.deadline(), Some(at(1000)));
        assert_eq!(said(policy.tick(at(1000))), "ready-again: ready");
        assert_eq!(see(&mut policy, "lost a", 1100), "");
        assert_eq!(policy.deadline(), Some(at(2000)));
        // Two and a half seconds after the first, one entry is free. After a long rest, all are.
        assert_eq!(see(&mut policy, "lost b", 2500), "lost: lost b (2 changes since the last entry)");
        assert_eq!(see(&mut policy, "ready", 2600), "");
        assert_eq!(policy.deadline(), Some(at(3000)));
        assert_eq!(said(policy.tick(at(3000))), "ready-again: ready");
        for turn in 0..10_u64 {
            let word = if turn % 2 == 0 { "lost a" } else { "ready" };
            assert_ne!(see(&mut policy, word, 60_500 + turn), "", "{turn}");
        }
        assert_eq!(see(&mut policy, "lost a", 60_600), "");
        assert_eq!(policy.deadline(), Some(at(61_500)), "a second after the first of them");
    }

    #[test]
    fn an_entry_says_what_it_is_about() {
        let mut policy = Policy::default();
        let gate = gate("interface='a'; carrier=true");
        let verdict = evaluate(&gate, &network("a: nocarrier"), NOW);
        let phase = Phase::GaveUp { after: Duration::ZERO, why: GaveUp::Timeout };
        let seen = Seen { gate: &gate, verdict: &verdict, phase, status: "NOT ready" };
        let expected = Entry {
            kind: Kind::GaveUp,
            priority: crate::journal::Priority::Error,
            message: "NOT ready".to_owned(),
            details: vec!["unmet  carrier  a: no carrier".to_owned()],
            gate: "test".to_owned(),
            code: Some("no-carrier"),
            link: Some("a".to_owned()),
            at: at(7),
        };
        assert_eq!(policy.see(seen, at(7)), Some(expected));
    }
}
