//! Decides when each probe is tried: in parallel with the others, again with backoff until it is met, and at once
//! after a change of the network. This module is pure: time and randomness are arguments.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Question;
use crate::moment::Moment;
use crate::retry::Backoff;

/// The time limit of a try. With half of it, a DNS lookup that lost one packet would fail, because the timeout in
/// resolv.conf(5) is 5 s. With double, the reason of a failure would be reported late.
pub const LIMIT: Duration = Duration::from_secs(5);

/// The time limit of a try of a gateway. The kernel verifies a known neighbour only after 5 s
/// (delay_first_probe_time), and then sends three requests.
const GATEWAY_LIMIT: Duration = Duration::from_secs(10);

/// The time limit of a try of this question.
pub fn limit(question: &Question) -> Duration {
    match question {
        Question::Probe(_) => LIMIT,
        Question::Neighbour { .. } => GATEWAY_LIMIT,
    }
}

/// How many tries run at the same time; the others wait. Each try is a process of some MB. With half as many, ten
/// probes of a gate that get no answer would delay each other.
pub const AT_ONCE: usize = 16;

/// The least time between the starts of two tries of a probe, however often the network changes.
const SPACING: Duration = Duration::from_millis(250);

const BACKOFF: Backoff = Backoff { base: SPACING, cap: Duration::from_secs(10) };

/// All probes of a gate.
#[derive(Debug, Default)]
pub struct Schedule {
    probes: BTreeMap<Question, ProbeState>,
}

/// The state of one probe.
#[derive(Debug)]
struct ProbeState {
    /// The time after which a met probe is tried again, if the gate file sets one.
    recheck: Option<Duration>,
    state: TryState,
    met: bool,
    failures: u32,
    /// When the last try began.
    began: Option<Moment>,
    /// Whether the last try was cut short. If so, the next one is not cut short.
    cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TryState {
    /// The probe is to be tried at this moment.
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

    /// Acts on a change of the network: failed probes are tried at once. A running try is cut short, because it may
    /// wait for an answer to a packet that was sent before the change. It is not cut short twice in a row, because
    /// otherwise repeated changes could keep every try from ending. Returns the tries that are cut short.
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

    /// Returns the tries that must begin now, and marks them as running.
    pub fn begin(&mut self, now: Moment) -> Vec<Question> {
        let running = |probe: &&ProbeState| matches!(probe.state, TryState::Running { .. });
        let room = AT_ONCE.saturating_sub(self.probes.values().filter(running).count());
        let mut due: Vec<(&Question, &mut ProbeState)> = self
            .probes
            .iter_mut()
            .filter(|(_, probe)| matches!(probe.state, TryState::Due(at) if at <= now))
            .collect();
        // The probe that has waited longest comes first.
        due.sort_by_key(|(_, probe)| probe.began);
        let begun = due.into_iter().take(room).map(|(question, probe)| {
            probe.state = TryState::Running { news: false };
            probe.began = Some(now);
            question.clone()
        });
        begun.collect()
    }

    /// Notes the end of a try, and plans the next one.
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

    /// The tries that have reached their time limit.
    pub fn overdue(&self, now: Moment) -> Vec<Question> {
        let all =
            self.probes.iter().filter(|(question, probe)| probe.ends(question).is_some_and(|end| end <= now));
        all.map(|(question, _)| question.clone()).collect()
    }

    /// The next moment at which something must be done.
    pub fn deadline(&self) -> Option<Moment> {
        let due = self.probes.iter().filter_map(|(question, probe)| match probe.state {
            TryState::Due(at) => Some(at),
            TryState::Running { .. } => probe.ends(question),
            TryState::Resting => None,
        });
        due.min()
    }

    /// Whether nothing is tried now, and no failed probe will be tried before the network changes.
    pub fn is_at_rest(&self) -> bool {
        self.probes.values().all(|probe| probe.state == TryState::Resting || probe.met)
    }
}

impl ProbeState {
    /// The earliest moment for the next try that keeps the least time between tries.
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
