//! Decides when each probe is tried: in parallel with the others, again with backoff until it is met, and at
//! once after a change of the network. Pure: the time and the chance are arguments.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Question;
use crate::moment::Moment;
use crate::retry::Backoff;

/// How long a try may take. With half of it, a DNS lookup that lost one packet would fail, because the
/// timeout of resolv.conf(5) is 5 s. With double, the reason of a failure would be reported late.
pub const LIMIT: Duration = Duration::from_secs(5);

/// How long the try of a gateway may take. The kernel verifies a known neighbour only after 5 s
/// (delay_first_probe_time), and then asks three times.
const GATEWAY_LIMIT: Duration = Duration::from_secs(10);

/// How long a try of this question may take.
pub fn limit(question: &Question) -> Duration {
    match question {
        Question::Probe(_) => LIMIT,
        Question::Neighbour { .. } => GATEWAY_LIMIT,
    }
}

/// How many tries run at the same time. The others wait. Each one is a process of some MB while it runs. With
/// half as many, ten hanging probes of a gate would delay each other.
pub const AT_ONCE: usize = 16;

/// The least time from one try of a probe to the next, however much the network changes.
const SPACING: Duration = Duration::from_millis(250);

const BACKOFF: Backoff = Backoff { base: SPACING, cap: Duration::from_secs(10) };

/// All probes of a gate.
#[derive(Debug, Default)]
pub struct Schedule {
    probes: BTreeMap<Question, ProbeState>,
}

/// What is known of the tries of one probe.
#[derive(Debug)]
struct ProbeState {
    recheck: Option<Duration>,
    state: TryState,
    met: bool,
    failures: u32,
    /// When the last try began.
    began: Option<Moment>,
    /// Whether the last try was cut short. Then the next one is not.
    cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TryState {
    /// The probe is tried at this moment.
    Due(Moment),
    /// The probe is being tried. `news` says whether the network has changed since the try began.
    Running { news: bool },
    /// The probe is met, or is not tried again before something happens.
    Resting,
}

impl Schedule {
    /// Plans according to the questions that a verdict asks. With `repeat`, a failed probe is tried again
    /// after a delay; otherwise only when the network changes. Returns the running tries that are no longer
    /// needed.
    pub fn follow(
        &mut self,
        questions: &BTreeMap<Question, Option<Duration>>,
        repeat: bool,
        now: Moment,
    ) -> Vec<Question> {
        let mut unwanted = Vec::new();
        self.probes.retain(|question, probe| {
            let wanted = questions.contains_key(question);
            if !wanted && matches!(probe.state, TryState::Running { .. }) {
                unwanted.push(question.clone());
            }
            wanted
        });
        for (question, recheck) in questions {
            let probe = self.probes.entry(question.clone()).or_insert(ProbeState {
                recheck: *recheck,
                state: TryState::Due(now),
                met: false,
                failures: 0,
                began: None,
                cut: false,
            });
            probe.recheck = *recheck;
            match (probe.state, probe.met, repeat) {
                (TryState::Resting, false, true) => probe.state = TryState::Due(probe.soon(now)),
                (TryState::Due(_), false, false) if probe.failures > 0 => probe.state = TryState::Resting,
                (TryState::Due(_) | TryState::Running { .. } | TryState::Resting, ..) => {}
            }
        }
        unwanted
    }

    /// The network changed: what failed is tried at once. A try that runs may wait for an answer to what
    /// was sent the old way, so it is cut short, though not twice in a row: changes that go on and on shall
    /// not keep it from ever ending. Returns those.
    pub fn news(&mut self, now: Moment) -> Vec<Question> {
        let mut cut = Vec::new();
        for (question, probe) in &mut self.probes {
            probe.failures = 0;
            match probe.state {
                TryState::Due(at) if !probe.met => probe.state = TryState::Due(probe.soon(now).min(at)),
                TryState::Resting if !probe.met => probe.state = TryState::Due(probe.soon(now)),
                TryState::Running { .. } if !probe.cut && probe.soon(now) <= now => {
                    probe.cut = true;
                    probe.state = TryState::Due(now);
                    cut.push(question.clone());
                }
                TryState::Running { .. } => probe.state = TryState::Running { news: true },
                TryState::Due(_) | TryState::Resting => {}
            }
        }
        cut
    }

    /// The tries that are to begin now; they count as begun.
    pub fn begin(&mut self, now: Moment) -> Vec<Question> {
        let running = |probe: &&ProbeState| matches!(probe.state, TryState::Running { .. });
        let room = AT_ONCE.saturating_sub(self.probes.values().filter(running).count());
        let mut due: Vec<(&Question, &mut ProbeState)> = self
            .probes
            .iter_mut()
            .filter(|(_, probe)| matches!(probe.state, TryState::Due(at) if at <= now))
            .collect();
        // The probe that has waited longest is first.
        due.sort_by_key(|(_, probe)| probe.began);
        let begun = due.into_iter().take(room).map(|(question, probe)| {
            probe.state = TryState::Running { news: false };
            probe.began = Some(now);
            question.clone()
        });
        begun.collect()
    }

    /// Takes the end of a try in, and plans the next one.
    pub fn ended(&mut self, question: &Question, met: bool, repeat: bool, now: Moment, chance: f64) {
        let Some(probe) = self.probes.get_mut(question) else { return };
        let news = matches!(probe.state, TryState::Running { news: true });
        probe.met = met;
        probe.cut = false;
        probe.state = if met {
            probe.failures = 0;
            probe.recheck.map_or(TryState::Resting, |pause| TryState::Due(now + pause))
        } else if news {
            TryState::Due(probe.soon(now))
        } else {
            let delay = BACKOFF.delay(probe.failures, chance);
            probe.failures = probe.failures.saturating_add(1);
            if repeat { TryState::Due(now + delay) } else { TryState::Resting }
        };
    }

    /// The tries whose time is up.
    pub fn overdue(&self, now: Moment) -> Vec<Question> {
        let all =
            self.probes.iter().filter(|(question, probe)| probe.ends(question).is_some_and(|end| end <= now));
        all.map(|(question, _)| question.clone()).collect()
    }

    /// When to call again if nothing happens before.
    pub fn deadline(&self) -> Option<Moment> {
        let due = self.probes.iter().filter_map(|(question, probe)| match probe.state {
            TryState::Due(at) => Some(at),
            TryState::Running { .. } => probe.ends(question),
            TryState::Resting => None,
        });
        due.min()
    }

    /// Whether nothing is being tried or will be before something happens.
    pub fn is_at_rest(&self) -> bool {
        self.probes.values().all(|probe| probe.state == TryState::Resting || probe.met)
    }
}

impl ProbeState {
    /// The earliest moment for the next try that keeps the spacing.
    fn soon(&self, now: Moment) -> Moment {
        self.began.map_or(now, |began| (began + SPACING).max(now))
    }

    fn ends(&self, question: &Question) -> Option<Moment> {
        match self.state {
            TryState::Running { .. } => self.began.map(|began| began + limit(question)),
            TryState::Due(_) | TryState::Resting => None,
        }
    }
}

#[cfg(test)]
mod tests;
