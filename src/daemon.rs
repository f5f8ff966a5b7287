//! The one loop: `run`, `wait` and `monitor` are it with different mouths.
//!
//! ```text
//! drain ─▶ stale? ─▶ read again ─▶ drain …   until nothing more came
//!       └▶ evaluate ─▶ keeper ─▶ say it ─▶ begin probes ─▶ sleep until something happens
//! ```
//!
//! It alone owns the clock, the timer and the signals. While it reads again, and the kernel may keep it
//! waiting for that, signals and timeouts are served; a gate is opened only where a verdict rests on all
//! that was announced.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::clock::{self, Timer};
use crate::config::ConfigError;
use crate::evaluate::evaluate;
use crate::keeper::{Came, Effect, Keeper, Phase};
use crate::model::Message;
use crate::moment::Moment;
use crate::netlink::{Drained, Glimpse, ObserveError, Observer};
use crate::notify::NotifyError;
use crate::probe::Prober;
use crate::report::{Standing, status};
use crate::requirement::Gate;
use crate::verdict::Verdict;

/// How often a gate that is due is looked at while the kernel's answer is still to come.
const KEPT_WAITING: Duration = Duration::from_millis(100);

/// What is said of a gate at one moment.
pub struct View<'a> {
    /// The gate.
    pub gate: &'a Gate,
    /// Its evaluation.
    pub verdict: &'a Verdict,
    /// Where it stands.
    pub phase: Phase,
    /// The line that says so.
    pub status: &'a str,
}

/// Who says it: the service manager's mouth, the terminal's, a script's.
pub trait Mouth {
    /// The verdict or what is said of it changed.
    ///
    /// # Errors
    /// Where there is nobody left to hear it.
    fn changed(&mut self, view: &View<'_>, now: Moment) -> Result<(), Failure>;

    /// The gate opens. Said before `changed` says anything of it.
    ///
    /// # Errors
    /// Where it could not be said to whom it matters.
    fn opened(&mut self, _view: &View<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Another gate was read in this one's place.
    fn reloaded(&mut self, _gate: &Gate, _open: bool) {}

    /// Time passed; what is due is done.
    fn tick(&mut self, _now: Moment) {}

    /// When `tick` is due next.
    fn deadline(&self) -> Option<Moment> {
        None
    }

    /// Ready once something was sent that had to wait, because the other end had no room for it.
    ///
    /// # Errors
    /// Where it cannot be sent any more, and it matters.
    fn poll_unsent(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Pending
    }
}

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The gate opened, and that was all that was asked.
    Opened(Phase),
    /// It was given up, or lost.
    GaveUp,
    /// A signal came; whether the gate was open.
    Signalled(i32, bool),
}

/// Why the loop failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The kernel's state cannot be observed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The service manager cannot be told.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// stdout is closed.
    #[error("stdout")]
    Closed(#[source] io::Error),
    /// A gate of netready's own is refused.
    #[error("built-in")]
    Hints(#[source] ConfigError),
    /// Signals or timers are not to be had.
    #[error("cannot wait for events")]
    Events(#[source] io::Error),
}

/// What the loop is to do.
pub struct Task<'a> {
    /// The gate to keep.
    pub gate: Gate,
    /// Octets of the event socket's receive buffer.
    pub receive_buffer: usize,
    /// Whether it is over once the gate opens.
    pub until_open: bool,
    /// Whether signals are its business; else they do what they do by default.
    pub signals: bool,
    /// Reads the gate again.
    pub reload: &'a dyn Fn() -> Result<Gate, ConfigError>,
    /// The time of day at which an earlier `run` gave up.
    pub gave_up_at: Option<String>,
}

/// Keeps a gate.
///
/// # Errors
/// See [`Failure`].
pub async fn keep(task: Task<'_>, mouth: &mut dyn Mouth) -> Result<Ended, Failure> {
    let started = clock::now();
    let mut gate = task.gate;
    let mut observer = Observer::open(&gate, task.receive_buffer)?;
    let mut keeper = Keeper::new(&gate, started);
    let mut timer = Timer::new().map_err(Failure::Events)?;
    let mut signals = Signals::new(task.signals).map_err(Failure::Events)?;
    let mut said = Said { gave_up_at: task.gave_up_at, ..Said::default() };
    let mut verdict = evaluate(&gate, observer.network(), started);
    let mut prober = Prober::default();
    let mut news = false;
    let mut interrupted = false;
    let mut confirmed = false;
    let mut reload = false;
    loop {
        let now = clock::now();
        if std::mem::take(&mut reload) {
            match (task.reload)() {
                Ok(new) => {
                    gate = new;
                    keeper.reload(&gate, now);
                    observer.rewant(&gate)?;
                    verdict = evaluate(&gate, observer.network(), now);
                    mouth.reloaded(&gate, keeper.is_open());
                }
                Err(error) => {
                    for problem in error.problems {
                        tracing::error!("the gate is kept as it was: {problem}");
                    }
                }
            }
        }
        let drained = observer.drain(&mut |glimpse| match glimpse {
            Glimpse::Before(network, message) => {
                news = news || network.is_news(message);
                interrupted |= keeper.holding() && verdict.interrupted_by(message, network);
            }
            Glimpse::After(network, message) => {
                if keeper.holding() && !interrupted {
                    interrupted = worse(&verdict, &evaluate(&gate, network, now));
                } else if keeper.misses_carrier() && gains_carrier(message) {
                    let seen = evaluate(&gate, network, now).carrier;
                    keeper.saw_carrier(seen, now);
                }
            }
            Glimpse::Lost => {
                news = true;
                interrupted |= keeper.holding();
            }
        })?;
        let mut effect = None;
        if drained == Drained::More {
            effect = keeper.tick(now);
            tokio::task::yield_now().await;
        } else if observer.stale() {
            let mut caught_up = Box::pin(observer.catch_up(&gate));
            loop {
                // What is due and cannot be judged now is looked at again: rarely, and only while the
                // kernel keeps us waiting.
                let again = clock::now() + KEPT_WAITING;
                let due = keeper.deadline().map(|at| at.max(again));
                set(&mut timer, &[keeper.deadline(), due, mouth.deadline()], clock::now())?;
                let wake = tokio::select! {
                    done = &mut caught_up => { done?; break }
                    fired = timer.fired() => { fired.map_err(Failure::Events)?; None }
                    sent = poll_fn(|context| mouth.poll_unsent(context)) => { sent?; None }
                    signal = signals.next() => Some(signal),
                };
                let now = clock::now();
                mouth.tick(now);
                effect = match wake {
                    None => keeper.tick(now),
                    Some(Request::Reload) => {
                        reload = true;
                        None
                    }
                    Some(Request::Open) => keeper.open(now),
                    Some(Request::End(signal)) => return Ok(Ended::Signalled(signal, keeper.is_open())),
                };
                if effect.is_some() {
                    break;
                }
            }
            if effect.is_none() {
                continue;
            }
            drop(caught_up);
            observer.distrust();
        } else if observer.owes() {
            // Something was lost and is not read again yet: what is known may be wrong.
            effect = keeper.tick(now);
        } else if keeper.has_settled(now) && !std::mem::replace(&mut confirmed, true) {
            // That nothing was announced does not mean that nothing happened.
            observer.read_all_next();
            continue;
        } else {
            let flapped = observer.take_flapped();
            interrupted |= keeper.holding() && flapped.iter().any(|link| verdict.rests_on_link(*link));
            let before = std::mem::replace(&mut verdict, evaluate(&gate, observer.network(), now));
            if !verdict.unread.is_empty() {
                // What met a requirement is gone, and only a table can tell whether something else does.
                observer.read_tables_next();
                continue;
            }
            // Still met, but pasta would take another link: what it would take must stay the same.
            interrupted |= keeper.holding() && verdict.pasta_choice() != before.pasta_choice();
            effect = keeper.observe(&verdict, std::mem::take(&mut interrupted), now);
            confirmed = false;
            observer.forget_answers(&verdict.questions);
            let repeat = !matches!(keeper.phase(), Phase::Ready { .. });
            prober.follow(&verdict.questions, std::mem::take(&mut news), repeat, now);
        }
        if let Some(ended) = said.say(mouth, &gate, &verdict, &keeper, effect, task.until_open, now)? {
            return Ok(ended);
        }
        if drained == Drained::More || observer.stale() {
            continue;
        }
        mouth.tick(now);
        observer.ask_apart()?;
        prober.tick(now);
        let deadlines = [keeper.deadline(), observer.deadline(), mouth.deadline(), prober.deadline()];
        set(&mut timer, &deadlines, now)?;
        let wake = tokio::select! {
            changed = observer.changed() => { news |= changed?; None }
            (question, answer) = prober.answer() => { observer.answered(question, answer); None }
            fired = timer.fired() => { fired.map_err(Failure::Events)?; None }
            sent = poll_fn(|context| mouth.poll_unsent(context)) => { sent?; None }
            signal = signals.next() => Some(signal),
        };
        match wake {
            None => {}
            Some(Request::Reload) => reload = true,
            Some(Request::End(signal)) => return Ok(Ended::Signalled(signal, keeper.is_open())),
            Some(Request::Open) => {
                let now = clock::now();
                let effect = keeper.open(now);
                let ended = said.say(mouth, &gate, &verdict, &keeper, effect, task.until_open, now)?;
                if let Some(ended) = ended {
                    return Ok(ended);
                }
            }
        }
    }
}

/// What was said last, so that it is not said again.
#[derive(Default)]
struct Said {
    status: String,
    verdict: Option<Verdict>,
    /// The moment of the last loss or return, and its time of day: a step of the clock afterwards changes no
    /// line.
    since: Option<(Moment, String)>,
    gave_up_at: Option<String>,
}

impl Said {
    #[allow(clippy::too_many_arguments, reason = "all that there is to say")]
    fn say(
        &mut self,
        mouth: &mut dyn Mouth,
        gate: &Gate,
        verdict: &Verdict,
        keeper: &Keeper,
        effect: Option<Effect>,
        until_open: bool,
        now: Moment,
    ) -> Result<Option<Ended>, Failure> {
        let phase = keeper.phase();
        if let Phase::Lost { since }
        | Phase::Ready { came: Came::Again { since } | Came::Reloaded { since } } = phase
        {
            if self.since.as_ref().is_none_or(|(known, _)| *known != since) {
                self.since = Some((since, clock::time_of_day(since)));
            }
        }
        let standing = Standing {
            phase,
            since: self.since.as_ref().map_or("", |(_, text)| text.as_str()),
            gave_up_at: self.gave_up_at.as_deref(),
        };
        let line = status(gate, verdict, standing);
        let changed = line != self.status || self.verdict.as_ref() != Some(verdict);
        let view = View { gate, verdict, phase, status: &line };
        if effect == Some(Effect::Open) {
            mouth.opened(&view)?;
        }
        if changed {
            mouth.changed(&view, now)?;
            self.verdict = Some(verdict.clone());
        }
        self.status = line;
        Ok(match effect {
            Some(Effect::End) => Some(Ended::GaveUp),
            Some(Effect::Open) if until_open => Some(Ended::Opened(phase)),
            Some(Effect::Open) | None => None,
        })
    }
}

/// A clause that was met is not any more.
fn worse(before: &Verdict, after: &Verdict) -> bool {
    before.clauses.iter().zip(&after.clauses).any(|(before, after)| before.met && !after.met)
}

fn gains_carrier(message: &Message) -> bool {
    matches!(message, Message::Link(link) if link.lower_up())
}

/// To the earliest; one that has passed was served, and waits for something else to happen.
fn set(timer: &mut Timer, deadlines: &[Option<Moment>], now: Moment) -> Result<(), Failure> {
    let next = deadlines.iter().flatten().filter(|at| **at > now).min();
    timer.set(next.copied()).map_err(Failure::Events)
}

enum Request {
    Reload,
    Open,
    End(i32),
}

/// SIGTERM, SIGINT, SIGHUP and SIGUSR1, or none of them.
struct Signals(Option<[Stream; 4]>);

impl Signals {
    fn new(wanted: bool) -> io::Result<Signals> {
        if !wanted {
            return Ok(Signals(None));
        }
        Ok(Signals(Some([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::user_defined1())?,
        ])))
    }

    async fn next(&mut self) -> Request {
        let Some([terminate, interrupt, hangup, user1]) = &mut self.0 else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => Request::End(libc::SIGTERM),
            _ = interrupt.recv() => Request::End(libc::SIGINT),
            _ = hangup.recv() => Request::Reload,
            _ = user1.recv() => Request::Open,
        }
    }
}
