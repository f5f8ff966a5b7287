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
    courses: BTreeMap<Question, Course>,
}

/// One probe's tries.
#[derive(Debug)]
struct Course {
    recheck: Option<Duration>,
    state: State,
    met: bool,
    failures: u32,
    /// When the last try began.
    began: Option<Moment>,
    /// The last try was cut short, so the next one is not.
    cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
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
        self.courses.retain(|question, course| {
            let wanted = questions.contains_key(question);
            if !wanted && matches!(course.state, State::Running { .. }) {
                unwanted.push(question.clone());
            }
            wanted
        });
        for (question, recheck) in questions {
            let course = self.courses.entry(question.clone()).or_insert(Course {
                recheck: *recheck,
                state: State::Due(now),
                met: false,
                failures: 0,
                began: None,
                cut: false,
            });
            course.recheck = *recheck;
            match (course.state, course.met, repeat) {
                (State::Resting, false, true) => course.state = State::Due(course.soon(now)),
                (State::Due(_), false, false) if course.failures > 0 => course.state = State::Resting,
                (State::Due(_) | State::Running { .. } | State::Resting, ..) => {}
            }
        }
        unwanted
    }

    /// The network changed: what failed is tried at once. A try that runs may wait for an answer to what
    /// was sent the old way, so it is cut short, though not twice in a row: changes that go on and on shall
    /// not keep it from ever ending. Returns those.
    pub fn news(&mut self, now: Moment) -> Vec<Question> {
        let mut cut = Vec::new();
        for (question, course) in &mut self.courses {
            course.failures = 0;
            match course.state {
                State::Due(at) if !course.met => course.state = State::Due(course.soon(now).min(at)),
                State::Resting if !course.met => course.state = State::Due(course.soon(now)),
                State::Running { .. } if !course.cut && course.soon(now) <= now => {
                    course.cut = true;
                    course.state = State::Due(now);
                    cut.push(question.clone());
                }
                State::Running { .. } => course.state = State::Running { news: true },
                State::Due(_) | State::Resting => {}
            }
        }
        cut
    }

    /// The tries that are to begin now; they count as begun.
    pub fn begin(&mut self, now: Moment) -> Vec<Question> {
        let running = |course: &&Course| matches!(course.state, State::Running { .. });
        let room = AT_ONCE.saturating_sub(self.courses.values().filter(running).count());
        let mut due: Vec<(&Question, &mut Course)> = self
            .courses
            .iter_mut()
            .filter(|(_, course)| matches!(course.state, State::Due(at) if at <= now))
            .collect();
        // Who waited longest is first.
        due.sort_by_key(|(_, course)| course.began);
        let begun = due.into_iter().take(room).map(|(question, course)| {
            course.state = State::Running { news: false };
            course.began = Some(now);
            question.clone()
        });
        begun.collect()
    }

    /// A try is over.
    pub fn ended(&mut self, question: &Question, met: bool, repeat: bool, now: Moment, chance: f64) {
        let Some(course) = self.courses.get_mut(question) else { return };
        let news = matches!(course.state, State::Running { news: true });
        course.met = met;
        course.cut = false;
        course.state = if met {
            course.failures = 0;
            course.recheck.map_or(State::Resting, |pause| State::Due(now + pause))
        } else if news {
            State::Due(course.soon(now))
        } else {
            let delay = BACKOFF.delay(course.failures, chance);
            course.failures = course.failures.saturating_add(1);
            if repeat { State::Due(now + delay) } else { State::Resting }
        };
    }

    /// The tries whose time is up.
    pub fn overdue(&self, now: Moment) -> Vec<Question> {
        let all = self
            .courses
            .iter()
            .filter(|(question, course)| course.ends(question).is_some_and(|end| end <= now));
        all.map(|(question, _)| question.clone()).collect()
    }

    /// When to look again though nothing happens.
    pub fn deadline(&self) -> Option<Moment> {
        let due = self.courses.iter().filter_map(|(question, course)| match course.state {
            State::Due(at) => Some(at),
            State::Running { .. } => course.ends(question),
            State::Resting => None,
        });
        due.min()
    }

    /// Whether nothing is being tried or will be before something happens.
    pub fn is_at_rest(&self) -> bool {
        self.courses.values().all(|course| course.state == State::Resting || course.met)
    }
}

impl Course {
    /// At once, but for the spacing.
    fn soon(&self, now: Moment) -> Moment {
        self.began.map_or(now, |began| (began + SPACING).max(now))
    }

    fn ends(&self, question: &Question) -> Option<Moment> {
        match self.state {
            State::Running { .. } => self.began.map(|began| began + limit(question)),
            State::Due(_) | State::Resting => None,
        }
    }
}

#[cfg(test)]
mod tests;
