//! The state machine that decides when a gate opens: Waiting → Settling → Ready ⇄ Lost, or given up.
//!
//! It sees verdicts and the time, and answers with what is to be done. It reads no clock and says
//! nothing itself. Two things only can open a gate: a verdict that held long enough, seen by
//! [`GateState::observe`], and what the user decided should open it all the same.

use core::time::Duration;

use crate::moment::Moment;
use crate::requirement::{Gate, OnLoss, OnTimeout};
use crate::verdict::{ClauseVerdict, Verdict};

/// The state of one gate.
#[derive(Debug, Clone)]
pub struct GateState {
    terms: Terms,
    started: Moment,
    phase: Phase,
    /// Since when no wanted link has had carrier.
    carrierless_since: Option<Moment>,
    /// Since when every clause without a grace is met.
    required_since: Option<Moment>,
    /// Since when nothing more is waited for.
    held_since: Option<Moment>,
}

/// The parts of a gate that concern time.
#[derive(Debug, Clone, Copy)]
struct Terms {
    timeout: Option<Duration>,
    no_carrier_timeout: Option<Duration>,
    settle: Duration,
    on_timeout: OnTimeout,
    on_loss: OnLoss,
    /// The kernel command line opens it at once.
    forced_open: bool,
}

/// Where a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Something required is unmet.
    Waiting,
    /// All that is required is met; a clause with a grace is waited for until then.
    Grace {
        /// When the last grace ends.
        until: Moment,
    },
    /// Nothing more is waited for; it must hold until then.
    Settling {
        /// When the settle ends.
        until: Moment,
    },
    /// Open, and every required clause is met.
    Ready {
        /// For how long it has been, and after what.
        came: Came,
    },
    /// Open, though it never was ready.
    Opened {
        /// How long it took.
        after: Duration,
        /// What opened the gate although it was not ready.
        by: OpenedBy,
    },
    /// Open, was ready by this gate file, is not any more.
    Lost {
        /// When that was seen.
        since: Moment,
    },
    /// Shut, and it will not open any more.
    GaveUp {
        /// How long it took.
        after: Duration,
        /// Why it gave up.
        why: GaveUp,
    },
}

/// How a gate came to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// For the first time.
    First {
        /// How long it took.
        after: Duration,
    },
    /// It became ready again after a loss.
    Again {
        /// When that was seen.
        since: Moment,
    },
    /// It was open when this gate file was read, and is ready by it.
    Reloaded {
        /// When that was seen.
        since: Moment,
    },
}

/// Who opened a gate that was not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedBy {
    /// The timeout, because the gate has `on-timeout = "open"`.
    Timeout(GaveUp),
    /// An administrator, by the signal SIGUSR1.
    Request,
    /// It was open already when another gate file was read.
    Reload,
    /// `netready.open` on the kernel command line
    KernelLine,
}

/// Why a gate was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// The gate's `timeout` passed.
    Timeout,
    /// No wanted link had carrier for `no-carrier-timeout`.
    NoCarrier,
    /// It was lost, and `on-loss = "fail"`.
    Lost,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Say READY=1. At most once.
    Open,
    /// End, with exit code 1.
    End,
}

impl GateState {
    /// The state of this gate; the timeout runs from `now`.
    pub fn new(gate: &Gate, now: Moment) -> GateState {
        GateState {
            terms: Terms::of(gate),
            started: now,
            phase: Phase::Waiting,
            carrierless_since: Some(now),
            required_since: None,
            held_since: None,
        }
    }

    /// Where the gate stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether an interruption would count: something has to hold.
    pub fn holding(&self) -> bool {
        self.held_since.is_some() && !self.is_open()
    }

    /// Whether the time without carrier is counted, and running.
    pub fn misses_carrier(&self) -> bool {
        self.phase == Phase::Waiting
            && self.terms.no_carrier_timeout.is_some()
            && self.carrierless_since.is_some()
    }

    /// Between two verdicts a wanted link had carrier, if only for a moment: the count begins anew.
    pub fn saw_carrier(&mut self, seen: bool, now: Moment) {
        if seen && self.misses_carrier() {
            self.carrierless_since = Some(now);
        }
    }

    /// Whether the settle is over, so that the next verdict may open the gate.
    pub fn has_settled(&self, now: Moment) -> bool {
        matches!(self.phase, Phase::Settling { until } if until <= now)
    }

    /// Whether READY=1 was said.
    pub fn is_open(&self) -> bool {
        match self.phase {
            Phase::Ready { .. } | Phase::Opened { .. } | Phase::Lost { .. } => true,
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } | Phase::GaveUp { .. } => false,
        }
    }

    /// Whether a clause that is unmet is waited for no longer: its grace is over.
    pub fn let_go(&self, clause: &ClauseVerdict, now: Moment) -> bool {
        let ends = |since: Moment| clause.grace.map(|grace| since + grace);
        !clause.met && self.required_since.and_then(ends).is_some_and(|end| end <= now || self.timed_out(now))
    }

    /// Sees a verdict that rests on all that the kernel had announced. `interrupted`: since the last
    /// one, something that it rests on was taken away, even if it is back.
    pub fn observe(&mut self, verdict: &Verdict, interrupted: bool, now: Moment) -> Option<Effect> {
        if self.is_open() {
            return self.observe_open(verdict, now);
        }
        if let Phase::GaveUp { .. } = self.phase {
            return None;
        }
        if self.terms.forced_open {
            return Some(self.force(verdict.ready(), now));
        }
        self.carrierless_since = if verdict.carrier { None } else { self.carrierless_since.or(Some(now)) };
        if !verdict.ready() {
            self.required_since = None;
            self.held_since = None;
            self.phase = Phase::Waiting;
            return self.give_up_if_due(now);
        }
        let required_since = *self.required_since.get_or_insert(now);
        let waited_for = |clause: &&ClauseVerdict| !clause.met && !self.let_go(clause, now);
        let graces = verdict.clauses.iter().filter(waited_for).filter_map(|clause| clause.grace);
        if let Some(grace) = graces.max() {
            self.held_since = None;
            self.phase = Phase::Grace { until: required_since + grace };
            return None;
        }
        if interrupted && self.held_since.is_some() && !self.terms.settle.is_zero() {
            if self.timed_out(now) {
                // It was given its settle beyond the timeout, and did not hold.
                return self.give_up_if_due(now);
            }
            self.held_since = Some(now);
        }
        let until = *self.held_since.get_or_insert(now) + self.terms.settle;
        if now < until {
            self.phase = Phase::Settling { until };
            return None;
        }
        self.phase = self.ready(now);
        Some(Effect::Open)
    }

    fn observe_open(&mut self, verdict: &Verdict, now: Moment) -> Option<Effect> {
        if !verdict.unread.is_empty() {
            // A table is being read again: not known to be lost.
            return None;
        }
        let ready = verdict.ready();
        self.phase = match self.phase {
            Phase::Lost { .. } | Phase::Opened { .. } if ready => self.ready(now),
            Phase::Ready { .. } if !ready => Phase::Lost { since: now },
            phase @ (Phase::Waiting
            | Phase::Grace { .. }
            | Phase::Settling { .. }
            | Phase::Ready { .. }
            | Phase::Opened { .. }
            | Phase::Lost { .. }
            | Phase::GaveUp { .. }) => phase,
        };
        let lasted = |since: Moment| since + self.terms.settle <= now;
        match (self.phase, self.terms.on_loss) {
            (Phase::Lost { since }, OnLoss::Fail) if lasted(since) => Some(self.end(GaveUp::Lost, now)),
            (_, OnLoss::Fail | OnLoss::Report) => None,
        }
    }

    fn ready(&self, now: Moment) -> Phase {
        let came = match self.phase {
            Phase::Lost { .. } => Came::Again { since: now },
            Phase::Opened { by: OpenedBy::Reload, .. } => Came::Reloaded { since: now },
            Phase::Opened { by: OpenedBy::Timeout(_) | OpenedBy::Request | OpenedBy::KernelLine, .. }
            | Phase::Waiting
            | Phase::Grace { .. }
            | Phase::Settling { .. }
            | Phase::Ready { .. }
            | Phase::GaveUp { .. } => Came::First { after: now - self.started },
        };
        Phase::Ready { came }
    }

    /// Opens the gate because the kernel command line says so; what is met is not asked to hold or waited for.
    fn force(&mut self, ready: bool, now: Moment) -> Effect {
        self.phase = match ready {
            true => self.ready(now),
            false => Phase::Opened { after: now - self.started, by: OpenedBy::KernelLine },
        };
        Effect::Open
    }

    /// Sees that time has passed while no verdict could be had: gives up where that is due, and never opens
    /// a gate because it is met.
    pub fn tick(&mut self, now: Moment) -> Option<Effect> {
        match self.phase {
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } if self.terms.forced_open => {
                Some(self.force(false, now))
            }
            Phase::Waiting => self.give_up_if_due(now),
            // It would have been given its settle beyond the timeout, and not more.
            Phase::Grace { .. } | Phase::Settling { .. } if self.settled_out(now) => self.give_up_if_due(now),
            Phase::Grace { .. }
            | Phase::Settling { .. }
            | Phase::Ready { .. }
            | Phase::Opened { .. }
            | Phase::Lost { .. }
            | Phase::GaveUp { .. } => None,
        }
    }

    /// Opens a gate that is shut, because somebody said so.
    pub fn open(&mut self, now: Moment) -> Option<Effect> {
        match self.phase {
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } => {
                self.phase = Phase::Opened { after: now - self.started, by: OpenedBy::Request };
                Some(Effect::Open)
            }
            Phase::Ready { .. } | Phase::Opened { .. } | Phase::Lost { .. } | Phase::GaveUp { .. } => None,
        }
    }

    /// Keeps another gate from now on. One that is open stays open, and can be lost once the new gate
    /// has been ready. The timeout still runs from the start.
    pub fn reload(&mut self, gate: &Gate, now: Moment) {
        self.terms = Terms::of(gate);
        self.required_since = None;
        self.held_since = None;
        self.carrierless_since = None;
        if self.is_open() {
            self.phase = Phase::Opened { after: now - self.started, by: OpenedBy::Reload };
        }
    }

    /// When to look again though nothing happens.
    pub fn deadline(&self) -> Option<Moment> {
        let timeout = self.terms.timeout.map(|timeout| self.started + timeout);
        match self.phase {
            // Due since the start: it opens as soon as there is a verdict, or time is seen to pass without one.
            Phase::Waiting if self.terms.forced_open => Some(self.started),
            Phase::Waiting => earliest([timeout, self.no_carrier_deadline()]),
            Phase::Grace { until } => earliest([timeout, Some(until)]),
            Phase::Settling { until } => Some(until),
            Phase::Lost { since } => match self.terms.on_loss {
                OnLoss::Fail => Some(since + self.terms.settle),
                OnLoss::Report => None,
            },
            Phase::Ready { .. } | Phase::Opened { .. } | Phase::GaveUp { .. } => None,
        }
    }

    fn no_carrier_deadline(&self) -> Option<Moment> {
        Some(self.carrierless_since? + self.terms.no_carrier_timeout?)
    }

    fn timed_out(&self, now: Moment) -> bool {
        self.terms.timeout.is_some_and(|timeout| self.started + timeout <= now)
    }

    fn settled_out(&self, now: Moment) -> bool {
        self.terms.timeout.is_some_and(|timeout| self.started + timeout + self.terms.settle <= now)
    }

    fn give_up_if_due(&mut self, now: Moment) -> Option<Effect> {
        let why = if self.timed_out(now) {
            GaveUp::Timeout
        } else if self.no_carrier_deadline().is_some_and(|deadline| deadline <= now) {
            GaveUp::NoCarrier
        } else {
            return None;
        };
        match self.terms.on_timeout {
            OnTimeout::Fail => Some(self.end(why, now)),
            OnTimeout::Open => {
                self.phase = Phase::Opened { after: now - self.started, by: OpenedBy::Timeout(why) };
                Some(Effect::Open)
            }
        }
    }

    fn end(&mut self, why: GaveUp, now: Moment) -> Effect {
        self.phase = Phase::GaveUp { after: now - self.started, why };
        Effect::End
    }
}

impl Terms {
    fn of(gate: &Gate) -> Terms {
        Terms {
            timeout: gate.timeout,
            no_carrier_timeout: gate.no_carrier_timeout,
            settle: gate.settle,
            on_timeout: gate.on_timeout,
            on_loss: gate.on_loss,
            forced_open: gate.forced.open,
        }
    }
}

fn earliest(moments: [Option<Moment>; 2]) -> Option<Moment> {
    moments.into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
