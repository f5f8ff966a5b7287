//! The session: the one state machine behind `run`, `wait`, `monitor`, `check` and the network watch of
//! `retry`. It is pure. [`Session::step`] takes one [`Input`] and the time, and says what to do.
//!
//! ```text
//!            ┌──────────── notifications ────────────┐
//!            ▼                                       │
//!   Drain ──(dry)──▶ stale? ──▶ Read ──(all found)──▶ Drain ──(dry, nothing stale)──▶ judge ──▶ Sleep
//!                                                                                       │
//!                                                             gate state ◀── verdict ◀──┘
//! ```
//!
//! In this order nothing is lost and nothing is early: a verdict counts only if, after everything that was
//! announced had been taken in, everything that went stale had been read again.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::account::{Account, Times};
use crate::continuity::Continuity;
use crate::evaluate::{evaluate, sees_carrier};
use crate::gate_state::{Effect, GateState, Phase};
use crate::history::{Event, Recorder};
use crate::model::{Message, Nameservers, Network, Question, Stale, Tried};
use crate::moment::Moment;
use crate::refresh::{Found, Read, Refresh};
use crate::requirement::Gate;
use crate::verdict::{ClauseVerdict, Verdict};
use crate::wants::Wants;

/// After so many notifications without a wait or a pause, timers and signals are served before the next one.
const BATCH: u32 = 4096;

/// While the kernel keeps a read waiting, deadlines that have passed are looked at again this often.
const OVERDUE: Duration = Duration::from_millis(100);

/// A `check` begins reading anew this often where the network changes meanwhile, and then says what it has.
const LOOKS: u32 = 4;

/// What the session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `run` and `monitor`: keep watching after the gate has opened.
    Watch,
    /// `wait`: end when the gate opens.
    UntilOpen,
    /// `check`: judge once. `probes`: try each probe once first.
    Once {
        /// Whether probes are tried.
        probes: bool,
    },
    /// `retry` between two attempts: end whenever something has become better. Probes do not count: they
    /// were met when the gate opened, and stay so until something passive is lost.
    Improvement,
}

/// One event that the session has to take in.
#[derive(Debug, Clone)]
pub enum Input {
    /// Nothing in particular: begin, or a timer fired, or notifications may be there.
    Wake,
    /// The kernel announced a change.
    Message(Message),
    /// Notifications were lost, or could not be read; they may have told of this.
    Lost(Stale),
    /// No more notifications are there.
    Dry,
    /// What the read that was asked for has found.
    Found(Found),
    /// What became of a try of a probe.
    Answer(Question, Tried),
    /// resolv.conf was read. `news`: it says something else.
    Nameservers {
        /// What resolv.conf says now.
        nameservers: Nameservers,
        /// Whether a lookup by name may have another result now.
        news: bool,
    },
    /// The gate was read again (SIGHUP).
    Reload(Gate),
    /// Open the gate now (SIGUSR1).
    Open,
}

/// What to do next to get the next input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Take the next notification, without waiting.
    Drain,
    /// Serve timers and signals, without waiting; then wake.
    Pause,
    /// Read this, and serve everything but notifications meanwhile.
    Read(Read),
    /// Go on with the read that is under way.
    Reading,
    /// Wait for the next event.
    Sleep,
    /// Nothing: the session is over, for now.
    End(Ended),
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The gate opened, and that was all that was asked for.
    Opened(Phase),
    /// The gate was given up, or lost.
    GaveUp,
    /// `check`: the verdict is there.
    Judged,
    /// Something has become better. Another step goes on.
    Better,
}

/// The answer to an input. It is to be carried out: what it says is said once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// READY=1 is due. It is true at most once in a session's life.
    pub open: bool,
    /// Whether the verdict or the phase may have changed.
    pub judged: bool,
    /// Which probes to follow from now on, if that was decided.
    pub probes: Option<Probes>,
    /// How to get the next input.
    pub next: Next,
}

/// What is to be asked of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probes {
    /// Each question, and how long after its last success it is asked again.
    pub questions: BTreeMap<Question, Option<Duration>>,
    /// The network changed, so what failed is tried at once.
    pub news: bool,
    /// What failed is tried again by itself.
    pub repeat: bool,
}

/// Watches the network for one gate. The description of the module tells how.
#[cfg_attr(test, derive(Debug, Clone))]
pub struct Session {
    mode: Mode,
    gate: Gate,
    network: Network,
    refresh: Refresh,
    state: GateState,
    continuity: Continuity,
    account: Account,
    /// Notes what happens, if somebody wants to know.
    recorder: Option<Recorder>,
    verdict: Verdict,
    /// The verdict that the recorder saw last, once another one has taken its place.
    recorded: Option<Verdict>,
    /// The verdict counts, and the recorder has not seen it.
    unrecorded: bool,
    /// For [`Mode::Improvement`]: resolv.conf when the verdict was made. `None` before the first verdict.
    nameservers: Option<Nameservers>,
    /// A probe may have another result now.
    news: bool,
    /// Everything was read once more at the end of the settle.
    confirmed: bool,
    reading: Option<Reading>,
    /// Notifications since the last wait or pause.
    drained: u32,
    /// How often a `check` has begun to read.
    looks: u32,
    /// When the last step was.
    stepped: Moment,
}

/// A read that is under way.
#[derive(Debug, Clone)]
struct Reading {
    read: Read,
    began: Moment,
    /// The gate that it was for was not replaced meanwhile.
    wanted: bool,
}

impl Session {
    /// A session of this gate. Subscribe to the kernel's notifications before the first step.
    pub fn new(mode: Mode, gate: Gate, now: Moment) -> Session {
        let network = Network::default();
        Session {
            mode,
            refresh: Refresh::new(&gate, now),
            state: GateState::new(&gate, now),
            continuity: Continuity::default(),
            account: Account::default(),
            recorder: None,
            verdict: evaluate(&gate, &network, now),
            network,
            gate,
            recorded: None,
            unrecorded: false,
            nameservers: None,
            news: false,
            confirmed: false,
            reading: None,
            drained: 0,
            looks: 0,
            stepped: now,
        }
    }

    /// The gate that is watched now.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The result of the last evaluation of the gate.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Where the gate stands.
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Notes what happens from the start of the session on. Call this before the first input.
    pub fn record(&mut self) {
        self.recorder = Some(Recorder::new(&self.gate, self.state.started()));
    }

    /// The events that are due to be written.
    pub fn take_events(&mut self, now: Moment) -> Vec<Event> {
        let waits = self.waits();
        match &mut self.recorder {
            Some(recorder) if recorder.due(waits).is_some_and(|at| at <= now) => recorder.take(),
            Some(_) | None => Vec::new(),
        }
    }

    /// Notes that netready was told to end. All events that are left.
    pub fn stop(&mut self, now: Moment) -> Vec<Event> {
        let Some(recorder) = &mut self.recorder else { return Vec::new() };
        recorder.stop(now);
        recorder.take()
    }

    fn waits(&self) -> bool {
        matches!(self.phase(), Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. })
    }

    /// Where the time went.
    pub fn times(&self) -> Times<'_> {
        self.account.times()
    }

    /// The gate was lost this often since boot, before this session.
    pub fn remember_losses(&mut self, losses: u64) {
        self.account = Account::new(losses);
    }

    /// Whether the network is current as far as is known. While something is read, it is not.
    pub fn is_current(&self) -> bool {
        self.refresh.current(&self.network).is_some()
    }

    /// Whether the network was current at least once, and the last verdict says ready.
    pub fn is_ready(&self) -> bool {
        self.refresh.was_current() && self.verdict.ready()
    }

    /// Whether READY=1 was said.
    pub fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// The network as it is known.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What is worth reading.
    pub fn wants(&self) -> &Wants {
        self.refresh.wants()
    }

    /// Whether an error of reading is waited out: whoever waits for a gate waits out an error that passes.
    pub fn waits_out_errors(&self) -> bool {
        self.refresh.was_current()
    }

    /// When to wake though nothing happens. What was due at the last step was done then; if it could not be
    /// done, it waits for something else to happen.
    pub fn deadline(&self) -> Option<Moment> {
        let state = self.phase_ends();
        if self.reading.is_some() {
            return state.map(|at| if at <= self.stepped { self.stepped + OVERDUE } else { at });
        }
        let events = self.recorder.as_ref().and_then(|recorder| recorder.due(self.waits()));
        let due = state.into_iter().chain(events).filter(|at| *at > self.stepped);
        due.chain(self.refresh.deadline()).min()
    }

    /// When the phase ends though nothing changes, if it does: the timeout, or the end of a grace or a settle.
    pub fn phase_ends(&self) -> Option<Moment> {
        if self.keeps_a_gate() { self.state.deadline() } else { None }
    }

    /// Whether a gate opens and is lost, or only a verdict is wanted.
    fn keeps_a_gate(&self) -> bool {
        match self.mode {
            Mode::Watch | Mode::UntilOpen => true,
            Mode::Once { .. } | Mode::Improvement => false,
        }
    }

    /// Takes in what resolv.conf says. The driver calls it between two steps: at the beginning, and after another gate
    /// was loaded. Nothing is decided here.
    pub fn learn_nameservers(&mut self, nameservers: Nameservers, news: bool) {
        // A verdict that was made before knows nothing of it.
        self.refresh.take_judged();
        self.network.nameservers = nameservers;
        self.news |= news;
    }

    /// Takes one input in, and says what the driver has to do.
    #[must_use = "READY=1 and the end of a session are said once, in a step"]
    pub fn step(&mut self, input: Input, now: Moment) -> Step {
        self.stepped = now;
        // The verdict of the reading that the last input ended. It counts if nothing comes between.
        let judged = self.refresh.take_judged();
        self.refresh.wake(now);
        match input {
            Input::Message(message) => return self.take_in(&message, now),
            Input::Lost(stale) => return self.lose(stale, now),
            Input::Dry => return self.dry(judged, now),
            Input::Found(found) => return self.found(found, now),
            Input::Open => {
                let effect = self.state.open(now);
                return self.done(effect, self.awaiting());
            }
            Input::Reload(gate) => self.reload(gate, now),
            Input::Answer(question, answer) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.answer(&question, &answer, now);
                }
                self.network.answers.insert(question, answer);
            }
            Input::Nameservers { nameservers, news } => self.learn_nameservers(nameservers, news),
            Input::Wake => self.drained = 0,
        }
        // While a read is under way nothing can be judged; what is due without a verdict is done.
        let effect = if self.reading.is_some() { self.tick(now) } else { None };
        self.done(effect, self.awaiting())
    }

    /// Notes what the last step has decided, for [`Session::times`] and for the events. Call it after each step that has
    /// judged, and only after READY=1 was said, so that READY=1 does not wait for it.
    pub fn note(&mut self, now: Moment) {
        let last = if core::mem::take(&mut self.unrecorded) { self.recorded.take() } else { None };
        if !self.keeps_a_gate() {
            return;
        }
        let phase = self.phase();
        self.account.observe(phase, &self.verdict, now);
        if let Some(recorder) = &mut self.recorder {
            if let Some(last) = last {
                recorder.judged(&last, &self.verdict, &self.network, now);
            }
            recorder.observe(phase, &self.verdict, now);
        }
    }

    fn take_in(&mut self, message: &Message, now: Moment) -> Step {
        self.news = self.news || self.network.is_news(message);
        let holding = self.state.holding();
        if holding {
            let last = last_observed(self.recorded.as_ref(), self.unrecorded, &self.verdict);
            self.continuity.before(message, &self.network, last);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.message(message, &self.network, now);
        }
        self.refresh.take_in(message, &mut self.network);
        if holding {
            let judge = || evaluate(&self.gate, &self.network, now);
            self.continuity.after(&self.verdict, judge);
        } else if self.state.misses_carrier() && gains_carrier(message) {
            let seen = sees_carrier(&self.gate, &self.network);
            self.state.saw_carrier(seen, now);
        }
        self.drained(now)
    }

    fn lose(&mut self, stale: Stale, now: Moment) -> Step {
        self.news = true;
        if self.state.holding() {
            self.continuity.lost();
        }
        self.refresh.lost(stale, now);
        self.drained(now)
    }

    fn drained(&mut self, now: Moment) -> Step {
        self.drained += 1;
        if self.drained < BATCH {
            return Step::to(Next::Drain);
        }
        self.drained = 0;
        let effect = self.tick(now);
        self.done(effect, Next::Pause)
    }

    fn dry(&mut self, judged: Option<Verdict>, now: Moment) -> Step {
        self.refresh.drained();
        let enough = matches!(self.mode, Mode::Once { .. }) && self.looks >= LOOKS;
        match if enough { None } else { self.read_next(now) } {
            Some(read) => {
                self.looks = self.looks.saturating_add(1);
                Step::to(Next::Read(read))
            }
            None => {
                let judged = self.refresh.take_judged().or(judged);
                self.judge(judged, enough, now)
            }
        }
    }

    fn read_next(&mut self, now: Moment) -> Option<Read> {
        let read = self.refresh.next(&self.gate, &mut self.network, now)?;
        self.reading = Some(Reading { read: read.clone(), began: now, wanted: true });
        Some(read)
    }

    fn found(&mut self, found: Found, now: Moment) -> Step {
        if let Some(reading) = self.reading.take().filter(|reading| reading.wanted) {
            if let (Some(recorder), Found::Links(links, addresses)) = (&mut self.recorder, &found) {
                recorder.read(links, addresses, &self.network, now);
            }
            if let (true, Found::Links(links, addresses)) = (self.state.holding(), &found) {
                // A list does not tell in which order things have changed.
                let between = self.network.in_between(links, addresses);
                if self.verdict.is_touched(&self.network, &between) {
                    self.continuity.after(&self.verdict, || evaluate(&self.gate, &between, now));
                }
            }
            self.refresh.found(reading.read, found, &mut self.network, reading.began, now);
        }
        // Notifications that came meanwhile wait until the plan is carried out.
        Step::to(self.read_next(now).map_or(Next::Drain, Next::Read))
    }

    /// No notifications are left, and nothing more can be read now. `judged`: the verdict, if it was made since the
    /// network changed last. `enough`: a `check` takes the network as it is.
    fn judge(&mut self, judged: Option<Verdict>, enough: bool, now: Moment) -> Step {
        let current = match enough {
            true => Some(self.refresh.as_it_is(&self.network)),
            false => self.refresh.current(&self.network),
        };
        let Some(current) = current else {
            // Something was lost and is not read again yet: what is known may be wrong.
            let effect = self.tick(now);
            return self.done(effect, Next::Sleep);
        };
        if self.state.has_settled(now) && !core::mem::replace(&mut self.confirmed, true) {
            self.refresh.read_all();
            return Step::to(Next::Drain);
        }
        let verdict = judged.unwrap_or_else(|| current.judge(&self.gate, now));
        if !verdict.unread.is_empty() && !enough {
            // What met a requirement is gone, and only a table can tell whether something else does.
            let last = core::mem::replace(&mut self.verdict, verdict);
            self.recorded.get_or_insert(last);
            self.refresh.read_tables();
            return Step::to(Next::Drain);
        }
        if !enough && verdict.ready() && self.refresh.must_finish(&verdict) {
            return Step::to(Next::Drain);
        }
        let settled =
            || self.state.has_settled(now) && !self.continuity.is_broken(&verdict, &self.network, now);
        let may_open = self.keeps_a_gate() && !self.is_open() && (self.gate.settle.is_zero() || settled());
        if may_open && verdict.ready() && self.refresh.is_near_expiry() {
            // The gate may rest on a route that has ended. It is read again in a moment. Links are too, at the end of a
            // settle: one may lose its carrier for a moment until then.
            self.confirmed = false;
            self.state.begin_grace(now);
            let effect = self.tick(now);
            return self.done(effect, Next::Sleep);
        }
        match self.mode {
            Mode::Watch | Mode::UntilOpen => self.keep(verdict, now),
            Mode::Once { probes } => self.once(if probes { verdict } else { verdict.without_probes() }),
            Mode::Improvement => self.improve(verdict.without_probes()),
        }
    }

    /// `run`, `wait` and `monitor`: the gate's state sees the verdict.
    fn keep(&mut self, verdict: Verdict, now: Moment) -> Step {
        let last = core::mem::replace(&mut self.verdict, verdict);
        let flapped = self.refresh.take_flapped();
        if self.state.holding() {
            let last = last_observed(self.recorded.as_ref(), self.unrecorded, &last);
            self.continuity.judged(last, &self.verdict, &self.network, &flapped, now);
        } else {
            self.continuity.release();
        }
        self.recorded.get_or_insert(last);
        self.unrecorded = true;
        let effect = self.state.observe(&self.verdict, self.continuity.take_broken(), now);
        if self.state.holding() {
            let unsure = self.refresh.is_near_expiry();
            self.continuity.expect(&self.verdict, &self.network, unsure, now);
        }
        self.confirmed = false;
        let news = core::mem::take(&mut self.news);
        let repeat = !matches!(self.phase(), Phase::Ready { .. });
        let probes = Some(self.probes(news, repeat));
        Step { judged: true, probes, ..self.done(effect, Next::Sleep) }
    }

    /// `check`: the first verdict for which every probe was tried is the last.
    fn once(&mut self, verdict: Verdict) -> Step {
        self.verdict = verdict;
        let mut questions = self.verdict.questions.keys();
        let next = match questions.all(|question| self.network.answers.contains_key(question)) {
            true => Next::End(Ended::Judged),
            false => Next::Sleep,
        };
        if next == Next::Sleep {
            // What is asked of others takes its time: then the network is looked at anew.
            self.looks = 0;
        }
        let probes = Some(self.probes(false, false));
        Step { judged: true, probes, ..Step::to(next) }
    }

    /// `retry`: whether something is there that was not.
    fn improve(&mut self, verdict: Verdict) -> Step {
        let last = core::mem::replace(&mut self.verdict, verdict);
        let nameservers = self.nameservers.replace(self.network.nameservers.clone());
        let gained = |(before, now): (&ClauseVerdict, &ClauseVerdict)| !before.met && now.met;
        let better = nameservers.is_some_and(|before| {
            let another_server = matches!(self.network.nameservers, Nameservers::First(_));
            last.clauses.iter().zip(&self.verdict.clauses).any(gained)
                || (another_server && before != self.network.nameservers)
        });
        let next = if better { Next::End(Ended::Better) } else { Next::Sleep };
        Step { judged: true, ..Step::to(next) }
    }

    /// What the verdict asks of others. The answers to withdrawn questions are dropped: asked again, a probe
    /// is tried again.
    fn probes(&mut self, news: bool, repeat: bool) -> Probes {
        let questions = self.verdict.questions.clone();
        self.network.answers.retain(|question, _| questions.contains_key(question));
        Probes { questions, news, repeat }
    }

    /// Time has passed, and no verdict can be had.
    fn tick(&mut self, now: Moment) -> Option<Effect> {
        if self.keeps_a_gate() { self.state.tick(now) } else { None }
    }

    fn reload(&mut self, gate: Gate, now: Moment) {
        self.state.reload(&gate, now);
        self.refresh.rewant(&gate);
        if let Some(reading) = &mut self.reading {
            reading.wanted = false;
        }
        self.verdict = evaluate(&gate, &self.network, now);
        if let Some(recorder) = &mut self.recorder {
            recorder.reload(&gate, now);
        }
        self.gate = gate;
    }

    /// Where the next input comes from where nothing else is decided.
    fn awaiting(&self) -> Next {
        if self.reading.is_some() { Next::Reading } else { Next::Drain }
    }

    fn done(&mut self, effect: Option<Effect>, next: Next) -> Step {
        let open = effect == Some(Effect::Open);
        let next = match effect {
            Some(Effect::End) => Next::End(Ended::GaveUp),
            Some(Effect::Open) if self.mode == Mode::UntilOpen => Next::End(Ended::Opened(self.phase())),
            Some(Effect::Open) | None => next,
        };
        Step { open, judged: effect.is_some(), probes: None, next }
    }
}

impl Step {
    fn to(next: Next) -> Step {
        Step { open: false, judged: false, probes: None, next }
    }
}

/// The last verdict that the gate's state has seen. It is the recorded one while the verdict that took its place
/// waits for a table.
fn last_observed<'a>(recorded: Option<&'a Verdict>, unrecorded: bool, verdict: &'a Verdict) -> &'a Verdict {
    recorded.filter(|_| !unrecorded).unwrap_or(verdict)
}

fn gains_carrier(message: &Message) -> bool {
    matches!(message, Message::Link(link) if link.lower_up())
}

#[cfg(test)]
mod tests;
