//! Random sequences, compared with a separate model of what the manual allows.

use alloc::collections::BTreeSet;
use core::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::{Effect, GateState, GaveUp, OpenedBy, Phase};
use super::{START, clause, terms};
use crate::moment::Moment;
use crate::requirement::{Family, Gate, OnLoss, OnTimeout, TABLE_MAIN};
use crate::verdict::Verdict;

#[derive(Debug, Clone)]
enum Op {
    Verdict {
        required: bool,
        graces: [bool; 2],
        carrier: bool,
        unread: bool,
    },
    /// The next verdict follows an interruption.
    Interrupt,
    Advance(u64),
    Tick,
    Open,
    Reload(Box<Gate>),
}

fn a_gate() -> impl Strategy<Value = Gate> {
    let times = (option::of(1_u64..20), option::of(1_u64..20), 0_u64..5);
    (times, any::<bool>(), any::<bool>()).prop_map(|((timeout, no_carrier, settle), open, fail)| Gate {
        no_carrier_timeout: no_carrier.map(Duration::from_secs),
        on_timeout: if open { OnTimeout::Open } else { OnTimeout::Fail },
        on_loss: if fail { OnLoss::Fail } else { OnLoss::Report },
        // A settle longer than the timeout is not a valid gate.
        ..terms(timeout.map(|timeout| timeout.max(settle)), settle)
    })
}

fn an_op() -> impl Strategy<Value = Op> {
    let verdict = (any::<bool>(), any::<[bool; 2]>(), any::<bool>(), prop::bool::weighted(0.1));
    prop_oneof![
        6 => verdict.prop_map(|(required, graces, carrier, unread)| Op::Verdict { required, graces, carrier, unread }),
        // The clauses are met more often than not, because otherwise nothing would ever settle.
        6 => verdict.prop_map(|(_, graces, carrier, _)| Op::Verdict { required: true, graces, carrier, unread: false }),
        1 => Just(Op::Interrupt),
        8 => (0_u64..4000).prop_map(Op::Advance),
        2 => Just(Op::Tick),
        1 => Just(Op::Open),
        1 => a_gate().prop_map(|gate| Op::Reload(Box::new(gate))),
    ]
}

/// The model: what must be true, computed without the state machine.
struct Driver {
    state: GateState,
    gate: Gate,
    graces: [Duration; 2],
    now: Moment,
    interrupted: bool,
    opened: u32,
    ended: bool,
    /// The time since which every verdict had all required clauses met.
    required_since: Option<Moment>,
    /// The time since which every clause has been met, or given up after its grace, without an interruption.
    held_since: Option<Moment>,
    /// The time since which no carrier was seen.
    dark_since: Option<Moment>,
    /// Whether the gate as loaded was ready before. `lost_since` is the time since which it is not.
    was_ready: bool,
    lost_since: Option<Moment>,
}

impl Driver {
    fn new(gate: Gate, graces: [u64; 2]) -> Driver {
        Driver {
            state: GateState::new(&gate, START),
            gate,
            graces: graces.map(Duration::from_secs),
            now: START,
            interrupted: false,
            opened: 0,
            ended: false,
            required_since: None,
            held_since: None,
            dark_since: Some(START),
            was_ready: false,
            lost_since: None,
        }
    }

    fn timed_out(&self) -> bool {
        self.gate.timeout.is_some_and(|timeout| START + timeout <= self.now)
    }

    /// Whether the settle that a gate may have beyond its timeout is over.
    fn settled_out(&self) -> bool {
        self.gate.timeout.is_some_and(|timeout| START + timeout + self.gate.settle <= self.now)
    }

    fn shut(&self) -> bool {
        self.opened == 0 && !self.ended
    }

    fn dark_too_long(&self) -> bool {
        let dark = self.dark_since.zip(self.gate.no_carrier_timeout);
        dark.is_some_and(|(since, timeout)| since + timeout <= self.now)
    }

    fn due(&self) -> Option<GaveUp> {
        match (self.timed_out(), self.dark_too_long()) {
            (true, _) => Some(GaveUp::Timeout),
            (false, true) => Some(GaveUp::NoCarrier),
            (false, false) => None,
        }
    }

    fn run(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Advance(millis) => self.now = self.now + Duration::from_millis(*millis),
            Op::Interrupt => self.interrupted = true,
            Op::Verdict { required, graces, carrier, unread } => {
                self.observe(*required, *graces, *carrier, *unread)?
            }
            Op::Tick => {
                let gives_up = self.state.phase() == Phase::Waiting || (self.shut() && self.settled_out());
                let effect = self.state.tick(self.now);
                self.count(effect)?;
                if gives_up {
                    self.given_up(effect)?;
                } else {
                    prop_assert_eq!(effect, None, "what is met is not given up before its settle is over");
                }
            }
            Op::Open => {
                let was_shut = self.shut();
                let effect = self.state.open(self.now);
                self.count(effect)?;
                prop_assert_eq!(effect, was_shut.then_some(Effect::Open));
            }
            Op::Reload(gate) => {
                self.state.reload(gate, self.now);
                self.gate = (**gate).clone();
                (self.required_since, self.held_since, self.dark_since) = (None, None, None);
                (self.was_ready, self.lost_since) = (false, None);
            }
        }
        prop_assert_eq!(self.state.is_open(), self.opened > 0 && !self.ended);
        Ok(())
    }

    fn count(&mut self, effect: Option<Effect>) -> Result<(), TestCaseError> {
        prop_assert!(effect.is_none() || !self.ended, "nothing after the end");
        match effect {
            Some(Effect::Open) => self.opened += 1,
            Some(Effect::End) => self.ended = true,
            None => {}
        }
        prop_assert!(self.opened <= 1, "READY=1 is said once");
        Ok(())
    }

    /// Checks a shut gate with an unmet clause: it gives up exactly when that is due.
    fn given_up(&self, effect: Option<Effect>) -> Result<(), TestCaseError> {
        let Some(why) = self.due() else {
            prop_assert_eq!(effect, None);
            prop_assert_eq!(self.state.phase(), Phase::Waiting);
            return Ok(());
        };
        let after = self.now - START;
        let (due, phase) = match self.gate.on_timeout {
            OnTimeout::Fail => (Effect::End, Phase::GaveUp { after, why }),
            OnTimeout::Open => (Effect::Open, Phase::Opened { after, by: OpenedBy::Timeout(why) }),
        };
        prop_assert_eq!(effect, Some(due));
        prop_assert_eq!(self.state.phase(), phase);
        Ok(())
    }

    fn observe(
        &mut self,
        required: bool,
        met: [bool; 2],
        carrier: bool,
        unread: bool,
    ) -> Result<(), TestCaseError> {
        let graces = [0, 1].map(|at| clause(met[at], Some(self.graces[at])));
        let verdict = Verdict {
            clauses: core::iter::once(clause(required, None)).chain(graces).collect(),
            carrier,
            no_uplink: None,
            unread: BTreeSet::from_iter(unread.then_some((Family::V6, TABLE_MAIN))),
            questions: alloc::collections::BTreeMap::new(),
            warnings: Vec::new(),
        };
        let was_open = self.opened > 0;
        let was_over = self.ended;
        let interrupted = core::mem::take(&mut self.interrupted);
        let effect = self.state.observe(&verdict, interrupted, self.now);
        self.count(effect)?;
        if was_over {
            return Ok(());
        }
        match was_open {
            true => self.observed_open(required, unread, effect),
            false => self.observed_shut(required && !unread, met, carrier, interrupted, effect),
        }
    }

    fn observed_open(
        &mut self,
        required: bool,
        unread: bool,
        effect: Option<Effect>,
    ) -> Result<(), TestCaseError> {
        if unread {
            prop_assert_eq!(effect, None, "not known to be lost");
            return Ok(());
        }
        if required {
            (self.was_ready, self.lost_since) = (true, None);
            prop_assert!(matches!(self.state.phase(), Phase::Ready { .. }), "ready");
        } else if self.was_ready {
            self.lost_since.get_or_insert(self.now);
        }
        let lasted = self.lost_since.is_some_and(|since| since + self.gate.settle <= self.now);
        let ends = lasted && self.gate.on_loss == OnLoss::Fail;
        prop_assert_eq!(effect, ends.then_some(Effect::End), "a loss that lasts settle, and no other");
        Ok(())
    }

    fn observed_shut(
        &mut self,
        ready: bool,
        met: [bool; 2],
        carrier: bool,
        interrupted: bool,
        effect: Option<Effect>,
    ) -> Result<(), TestCaseError> {
        self.dark_since = if carrier { None } else { self.dark_since.or(Some(self.now)) };
        if !ready {
            (self.required_since, self.held_since) = (None, None);
            return self.given_up(effect);
        }
        let since = *self.required_since.get_or_insert(self.now);
        let waited = |(met, grace): (bool, Duration)| !met && since + grace > self.now && !self.timed_out();
        if met.into_iter().zip(self.graces).any(waited) {
            self.held_since = None;
            prop_assert_eq!(effect, None, "a grace is waited for");
            prop_assert!(
                matches!(self.state.phase(), Phase::Grace { until } if until > self.now),
                "until its end"
            );
            return Ok(());
        }
        if interrupted && self.held_since.is_some() && !self.gate.settle.is_zero() {
            if self.timed_out() {
                self.held_since = None;
                prop_assert!(effect.is_some(), "beyond the timeout nothing begins anew");
                prop_assert!(!matches!(self.state.phase(), Phase::Ready { .. }), "and nothing is ready");
                return Ok(());
            }
            self.held_since = Some(self.now);
        }
        let held = *self.held_since.get_or_insert(self.now);
        let opens = held + self.gate.settle <= self.now;
        prop_assert_eq!(effect, opens.then_some(Effect::Open), "settle, not sooner and not later");
        self.was_ready = opens;
        Ok(())
    }

    /// Repeats the last verdict at the deadlines of the state machine, and checks that this comes to an end.
    fn drive(&mut self, last: &Op) -> Result<(), TestCaseError> {
        let Op::Verdict { required, graces, carrier, unread: _ } = last else { return Ok(()) };
        let last = Op::Verdict { required: *required, graces: *graces, carrier: *carrier, unread: false };
        for _ in 0..8 {
            self.run(&last)?;
            let Some(deadline) = self.state.deadline() else { return Ok(()) };
            prop_assert!(
                deadline > self.now,
                "a deadline that was served is in the past: {:?}",
                self.state.phase()
            );
            self.now = deadline;
        }
        Err(TestCaseError::fail(format!("it never comes to an end: {:?}", self.state)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_opens_early_or_twice_or_never_ends(
        gate in a_gate(), graces in any::<[u8; 2]>(), ops in vec(an_op(), 1..40), last in an_op(),
    ) {
        let mut driver = Driver::new(gate, graces.map(|grace| u64::from(grace % 6)));
        for op in &ops {
            driver.run(op)?;
        }
        driver.drive(&last)?;
    }
}
