//! When each probe is tried: side by side, again with backoff until it is met, at once where the network
//! changed. Pure: the time and the chance are passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Question;
use crate::moment::Moment;
use crate::retry::Backoff;

/// How long a try may take. At half of it a lookup that lost one packet fails (resolv.conf(5)'s own
/// timeout is 5 s); at double, what is wrong is named late.
pub const LIMIT: Duration = Duration::from_secs(5);

/// As much for a gateway: the kernel asks for a neighbour that it knew only after 5 s
/// (delay_first_probe_time), and then thrice.
const GATEWAY_LIMIT: Duration = Duration::from_secs(10);

/// How long this may take.
pub fn limit(question: &Question) -> Duration {
    match question {
        Question::Probe(_) => LIMIT,
        Question::Neighbour { .. } => GATEWAY_LIMIT,
    }
}

/// How many tries run at once; the others wait for their turn. Each is a process of some MB for as long as
/// it runs: at half of it a gate's ten hanging probes hold each other up.
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
    /// The last try was cut short, so the next one is not.
    cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TryState {
    /// To be tried then.
    Due(Moment),
    /// Being tried; whether the network changed since.
    Running { news: bool },
    /// Met, or not to be tried before something happens.
    Resting,
}

impl Schedule {
    /// Follows what a verdict asks for. `repeat`: what failed is tried again; else only when the network
    /// changes. Returns the tries that nobody wants any more.
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
        // Who waited longest is first.
        due.sort_by_key(|(_, probe)| probe.began);
        let begun = due.into_iter().take(room).map(|(question, probe)| {
            probe.state = TryState::Running { news: false };
            probe.began = Some(now);
            question.clone()
        });
        begun.collect()
    }

    /// A try is over.
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

    /// When to look again though nothing happens.
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
    /// At once, but for the spacing.
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
