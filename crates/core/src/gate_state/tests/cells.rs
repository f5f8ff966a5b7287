//! The transition function as one table: each phase and each input, without a wildcard.

use super::super::{Effect, GateState, Phase};
use super::{at, state, terms, unread, verdict, with_grace};
use crate::moment::Moment;

const TIMEOUT: u64 = 90;
const SETTLE: u64 = 10;
const GRACE: u64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    Waiting,
    Grace,
    Settling,
    Ready,
    Opened,
    Lost,
    GaveUp,
}

impl In {
    const ALL: [In; 7] = [In::Waiting, In::Grace, In::Settling, In::Ready, In::Opened, In::Lost, In::GaveUp];

    fn of(phase: Phase) -> In {
        match phase {
            Phase::Waiting => In::Waiting,
            Phase::Grace { .. } => In::Grace,
            Phase::Settling { .. } => In::Settling,
            Phase::Ready { .. } => In::Ready,
            Phase::Opened { .. } => In::Opened,
            Phase::Lost { .. } => In::Lost,
            Phase::GaveUp { .. } => In::GaveUp,
        }
    }

    /// Makes a state in this phase. Returns it with the number of seconds that this took.
    fn reached(self) -> (GateState, u64) {
        let mut state = state(&terms(Some(TIMEOUT), SETTLE));
        let after = match self {
            In::Waiting => {
                state.observe(&verdict(false), false, at(0));
                0
            }
            In::Grace => {
                state.observe(&with_grace(false, GRACE), false, at(0));
                0
            }
            In::Settling => {
                state.observe(&verdict(true), false, at(0));
                0
            }
            In::Ready | In::Lost => {
                state.observe(&verdict(true), false, at(0));
                state.observe(&verdict(true), false, at(SETTLE));
                if self == In::Lost {
                    state.observe(&verdict(false), false, at(SETTLE + 1));
                }
                SETTLE + 1
            }
            In::Opened => {
                state.open(at(0));
                0
            }
            In::GaveUp => {
                state.observe(&verdict(false), false, at(TIMEOUT));
                TIMEOUT
            }
        };
        assert_eq!(In::of(state.phase()), self, "the way there");
        (state, after)
    }
}

/// An input comes a second later. A `Late` input comes after the timeout and after every settle and grace.
#[derive(Debug, Clone, Copy)]
enum Input {
    Unmet,
    Met,
    /// All required clauses are met, but a clause with a grace is not.
    GraceUnmet,
    Unread,
    Interrupted,
    Tick,
    Open,
    Reload,
    LateUnmet,
    LateMet,
    LateGraceUnmet,
    LateUnread,
    LateInterrupted,
    LateTick,
}

impl Input {
    const ALL: [Input; 14] = [
        Input::Unmet,
        Input::Met,
        Input::GraceUnmet,
        Input::Unread,
        Input::Interrupted,
        Input::Tick,
        Input::Open,
        Input::Reload,
        Input::LateUnmet,
        Input::LateMet,
        Input::LateGraceUnmet,
        Input::LateUnread,
        Input::LateInterrupted,
        Input::LateTick,
    ];

    fn give(self, state: &mut GateState, early: Moment, late: Moment) -> Option<Effect> {
        match self {
            Input::Unmet => state.observe(&verdict(false), false, early),
            Input::Met => state.observe(&verdict(true), false, early),
            Input::GraceUnmet => state.observe(&with_grace(false, GRACE), false, early),
            Input::Unread => state.observe(&unread(), false, early),
            Input::Interrupted => state.observe(&verdict(true), true, early),
            Input::Tick => state.tick(early),
            Input::Open => state.open(early),
            Input::Reload => {
                state.reload(&terms(Some(TIMEOUT), SETTLE), early);
                None
            }
            Input::LateUnmet => state.observe(&verdict(false), false, late),
            Input::LateMet => state.observe(&verdict(true), false, late),
            Input::LateGraceUnmet => state.observe(&with_grace(false, GRACE), false, late),
            Input::LateUnread => state.observe(&unread(), false, late),
            Input::LateInterrupted => state.observe(&verdict(true), true, late),
            Input::LateTick => state.tick(late),
        }
    }
}

/// The expected next phase and effect of each cell.
fn expected(phase: In, input: Input) -> (In, Option<Effect>) {
    use Input::*;
    const OPEN: Option<Effect> = Some(Effect::Open);
    const END: Option<Effect> = Some(Effect::End);
    match phase {
        In::Waiting => match input {
            Unmet | Unread | Tick | Reload => (In::Waiting, None),
            Met | Interrupted => (In::Settling, None),
            GraceUnmet => (In::Grace, None),
            Open => (In::Opened, OPEN),
            LateUnmet | LateUnread | LateTick => (In::GaveUp, END),
            // The clauses are met just as the timeout passes. The gate still gets its settle.
            LateMet | LateInterrupted | LateGraceUnmet => (In::Settling, None),
        },
        In::Grace => match input {
            Unmet | Unread => (In::Waiting, None),
            Met | Interrupted => (In::Settling, None),
            GraceUnmet | Tick | Reload => (In::Grace, None),
            Open => (In::Opened, OPEN),
            LateUnmet | LateUnread => (In::GaveUp, END),
            LateMet | LateInterrupted | LateGraceUnmet => (In::Settling, None),
            LateTick => (In::Grace, None),
        },
        In::Settling => match input {
            Unmet | Unread => (In::Waiting, None),
            Met | Interrupted | Tick | Reload => (In::Settling, None),
            GraceUnmet => (In::Grace, None),
            Open => (In::Opened, OPEN),
            // The interruption comes after the timeout. The gate had its settle and did not hold.
            LateUnmet | LateUnread | LateInterrupted => (In::GaveUp, END),
            LateMet | LateGraceUnmet => (In::Ready, OPEN),
            LateTick => (In::Settling, None),
        },
        In::Ready => match input {
            Unmet | LateUnmet => (In::Lost, None),
            Met | GraceUnmet | Interrupted | LateMet | LateGraceUnmet | LateInterrupted => (In::Ready, None),
            Unread | LateUnread | Tick | LateTick | Open => (In::Ready, None),
            Reload => (In::Opened, None),
        },
        In::Opened => match input {
            Met | GraceUnmet | Interrupted | LateMet | LateGraceUnmet | LateInterrupted => (In::Ready, None),
            Unmet | LateUnmet | Unread | LateUnread | Tick | LateTick | Open | Reload => (In::Opened, None),
        },
        In::Lost => match input {
            Met | GraceUnmet | Interrupted | LateMet | LateGraceUnmet | LateInterrupted => (In::Ready, None),
            Unmet | LateUnmet | Unread | LateUnread | Tick | LateTick | Open => (In::Lost, None),
            Reload => (In::Opened, None),
        },
        In::GaveUp => match input {
            Unmet | Met | GraceUnmet | Unread | Interrupted | Tick | Open | Reload | LateUnmet | LateMet
            | LateGraceUnmet | LateUnread | LateInterrupted | LateTick => (In::GaveUp, None),
        },
    }
}

#[test]
fn every_phase_and_input() {
    for phase in In::ALL {
        for input in Input::ALL {
            let (mut state, after) = phase.reached();
            let effect = input.give(&mut state, at(after + 1), at(TIMEOUT));
            assert_eq!((In::of(state.phase()), effect), expected(phase, input), "{phase:?}, {input:?}");
        }
    }
}

#[test]
fn the_phases_in_which_a_gate_is_open() {
    for phase in In::ALL {
        let (state, _) = phase.reached();
        let open = matches!(phase, In::Ready | In::Opened | In::Lost);
        assert_eq!(state.is_open(), open, "{phase:?}");
        assert_eq!(state.holding(), phase == In::Settling, "{phase:?}");
    }
}
