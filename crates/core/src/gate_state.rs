//! The state machine that decides when a gate opens: Waiting → Settling → Ready ⇄ Lost, or gives up.
//!
//! It gets verdicts and the time, and returns what to do. It reads no clock and prints nothing. Only two things can
//! open a gate: a verdict that held long enough, which [`GateState::observe`] sees, or a decision of the user to
//! open the gate although it is not ready.

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
    /// When the time without carrier began: no wanted link has had carrier since then.
    carrierless_since: Option<Moment>,
    /// When every clause without a grace became met. `None` while one is unmet.
    required_since: Option<Moment>,
    /// When the hold began. Since then every clause is met or its grace is over, without an interruption.
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
    /// Whether the kernel command line opens the gate at once.
    forced_open: bool,
}

/// The state that a gate is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A required clause is unmet.
    Waiting,
    /// All required clauses are met. A clause with a grace is unmet, and the gate waits for it until its grace
    /// ends.
    Grace {
        /// The end of the last grace.
        until: Moment,
    },
    /// The gate waits for no clause any more. The clauses must stay met until the settle ends.
    Settling {
        /// The end of the settle.
        until: Moment,
    },
    /// The gate is open, and every required clause is met.
    Ready {
        /// How the gate became ready, and when.
        came: Came,
    },
    /// The gate is open, although it was never ready.
    Opened {
        /// How long the gate waited before it opened.
        after: Duration,
        /// What opened the gate although it was not ready.
        by: OpenedBy,
    },
    /// The gate is open. It was ready by this gate file, and is not ready any more.
    Lost {
        /// When the loss was seen.
        since: Moment,
    },
    /// The gate is shut, and will not open any more.
    GaveUp {
        /// How long the gate waited before it gave up.
        after: Duration,
        /// Why the gate gave up.
        why: GaveUp,
    },
}

/// How a gate came to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The gate is ready for the first time.
    First {
        /// How long the gate waited before it was ready.
        after: Duration,
    },
    /// The gate became ready again after a loss.
    Again {
        /// When the gate became ready.
        since: Moment,
    },
    /// The gate was open when this gate file was read, and became ready by this file.
    Reloaded {
        /// When the gate became ready.
        since: Moment,
    },
}

/// What opened a gate that was not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedBy {
    /// The timeout, because the gate has `on-timeout = "open"`.
    Timeout(GaveUp),
    /// An administrator, by the signal SIGUSR1.
    Request,
    /// The gate was already open when another gate file was read.
    Reload,
    /// The parameter `netready.open` of the kernel command line.
    KernelLine,
}

/// Why a gate gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// The gate's `timeout` passed.
    Timeout,
    /// No wanted link had carrier for `no-carrier-timeout`.
    NoCarrier,
    /// The gate was lost, and it has `on-loss = "fail"`.
    Lost,
}

/// What the caller must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send READY=1. This happens at most once.
    Open,
    /// End the program with exit code 1.
    End,
}

impl GateState {
    /// Makes the state of this gate. Its timeout starts at `now`.
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

    /// Returns when the wait for the gate began.
    pub fn started(&self) -> Moment {
        self.started
    }

    /// Returns the state that the gate is in.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether an interruption matters, because the clauses have to stay met until the gate opens.
    pub fn holding(&self) -> bool {
        self.held_since.is_some() && !self.is_open()
    }

    /// Whether the gate has a `no-carrier-timeout` and counts the time without carrier at present.
    pub fn misses_carrier(&self) -> bool {
        self.phase == Phase::Waiting
            && self.terms.no_carrier_timeout.is_some()
            && self.carrierless_since.is_some()
    }

    /// Notes that a wanted link had carrier between two verdicts, if only for a moment. The time without carrier
    /// starts again.
    pub fn saw_carrier(&mut self, seen: bool, now: Moment) {
        if seen && self.misses_carrier() {
            self.carrierless_since = Some(now);
        }
    }

    /// Whether the settle has ended, so that the next verdict may open the gate.
    pub fn has_settled(&self, now: Moment) -> bool {
        // After a reload, nothing is held yet for the new gate.
        self.held_since.is_some() && matches!(self.phase, Phase::Settling { until } if until <= now)
    }

    /// Whether the gate has opened, so that READY=1 was sent.
    pub fn is_open(&self) -> bool {
        match self.phase {
            Phase::Ready { .. } | Phase::Opened { .. } | Phase::Lost { .. } => true,
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } | Phase::GaveUp { .. } => false,
        }
    }

    /// Whether the gate waits no longer for an unmet clause, because the clause's grace is over.
    pub fn let_go(&self, clause: &ClauseVerdict, now: Moment) -> bool {
        let ends = |since: Moment| clause.grace.map(|grace| since + grace);
        !clause.met && self.required_since.and_then(ends).is_some_and(|end| end <= now || self.timed_out(now))
    }

    /// Notes that the clauses without a grace are met, although the gate may not open at this moment. The grace of the other
    /// clauses begins.
    pub fn begin_grace(&mut self, now: Moment) {
        self.required_since.get_or_insert(now);
    }

    /// Takes a verdict that rests on everything that the kernel has announced. `interrupted` says that something
    /// that the previous verdict rests on was taken away since then, even if it is back now.
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
                // The settle could last beyond the timeout, but it did not hold: give up now.
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
            // A table is being read again, so it is not known whether the gate is lost.
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

    /// Opens the gate because the kernel command line says so. It does not wait for clauses or for the settle.
    fn force(&mut self, ready: bool, now: Moment) -> Effect {
        self.phase = match ready {
            true => self.ready(now),
            false => Phase::Opened { after: now - self.started, by: OpenedBy::KernelLine },
        };
        Effect::Open
    }

    /// Notes the time while no verdict is possible. It gives up if that is due. It never opens a gate for being
    /// met.
    pub fn tick(&mut self, now: Moment) -> Option<Effect> {
        match self.phase {
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } if self.terms.forced_open => {
                Some(self.force(false, now))
            }
            Phase::Waiting => self.give_up_if_due(now),
            // The settle may last beyond the timeout, but not longer.
            Phase::Grace { .. } | Phase::Settling { .. } if self.settled_out(now) => self.give_up_if_due(now),
            Phase::Grace { .. }
            | Phase::Settling { .. }
            | Phase::Ready { .. }
            | Phase::Opened { .. }
            | Phase::Lost { .. }
            | Phase::GaveUp { .. } => None,
        }
    }

    /// Opens a gate that is shut, because an administrator asked for it.
    pub fn open(&mut self, now: Moment) -> Option<Effect> {
        match self.phase {
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } => {
                self.phase = Phase::Opened { after: now - self.started, by: OpenedBy::Request };
                Some(Effect::Open)
            }
            Phase::Ready { .. } | Phase::Opened { .. } | Phase::Lost { .. } | Phase::GaveUp { .. } => None,
        }
    }

    /// Changes to another gate. If the gate is open it stays open, and can be lost after the new gate has been
    /// ready. The timeout still counts from the start.
    pub fn reload(&mut self, gate: &Gate, now: Moment) {
        self.terms = Terms::of(gate);
        self.required_since = None;
        self.held_since = None;
        self.carrierless_since = None;
        if self.is_open() {
            self.phase = Phase::Opened { after: now - self.started, by: OpenedBy::Reload };
        }
    }

    /// Returns when to evaluate again even if no event arrives.
    pub fn deadline(&self) -> Option<Moment> {
        let timeout = self.terms.timeout.map(|timeout| self.started + timeout);
        match self.phase {
            // This is due since the start: the gate opens at the next verdict, or at the next tick without one.
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
