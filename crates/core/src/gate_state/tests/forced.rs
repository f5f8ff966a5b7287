//! Gates that the kernel command line opens (`netready.open`): every input to every shut phase.

use super::super::{Came, Effect, GateState, OpenedBy, Phase};
use super::{START, at, seconds, state, terms, unread, verdict, with_grace};
use crate::kernel_line::Forced;
use crate::requirement::{Gate, OnLoss};

const OPEN: Option<Effect> = Some(Effect::Open);

fn forced(gate: Gate) -> Gate {
    Gate { forced: Forced { open: true, bounded: false }, ..gate }
}

fn begun() -> GateState {
    state(&forced(terms(Some(90), 10)))
}

fn opened(after: u64) -> Phase {
    Phase::Opened { after: seconds(after), by: OpenedBy::KernelLine }
}

#[test]
fn the_first_verdict_opens_it_whatever_it_says() {
    let ready = Phase::Ready { came: Came::First { after: seconds(1) } };
    for (verdict, phase) in [
        (verdict(false), opened(1)),
        (unread(), opened(1)),
        // The gate waits neither for a settle nor for a grace.
        (verdict(true), ready),
        (with_grace(false, 5), ready),
    ] {
        for interrupted in [false, true] {
            let mut state = begun();
            assert_eq!(state.observe(&verdict, interrupted, at(1)), OPEN, "{verdict:?}");
            assert_eq!(state.phase(), phase, "{verdict:?}");
            assert_eq!(state.deadline(), None);
        }
    }
}

#[test]
fn a_forced_gate_opens_without_a_verdict() {
    let mut state = begun();
    assert_eq!(state.deadline(), Some(START), "it is due at once");
    assert_eq!(state.tick(at(0)), OPEN);
    assert_eq!(state.phase(), opened(0));
    assert_eq!(state.tick(at(90)), None, "once");
}

#[test]
fn it_opens_once_and_is_watched_afterwards() {
    let mut state = state(&forced(Gate { on_loss: OnLoss::Fail, ..terms(Some(90), 10) }));
    assert_eq!(state.observe(&verdict(false), false, at(1)), OPEN);
    assert_eq!(state.observe(&verdict(false), false, at(90)), None, "it neither opens again nor gives up");
    assert_eq!(state.phase(), opened(1));
    assert_eq!(state.observe(&verdict(true), false, at(91)), None);
    assert_eq!(state.phase(), Phase::Ready { came: Came::First { after: seconds(91) } });
    assert_eq!(state.observe(&verdict(false), false, at(92)), None);
    assert_eq!(state.phase(), Phase::Lost { since: at(92) });
    assert_eq!(state.observe(&verdict(false), false, at(102)), Some(Effect::End), "on-loss stays as it is");
}

#[test]
fn other_ways_to_open_it_stay() {
    let mut state = begun();
    assert_eq!(state.open(at(1)), OPEN, "SIGUSR1 came before the first verdict");
    assert_eq!(state.observe(&verdict(false), false, at(2)), None);
    assert_eq!(state.phase(), Phase::Opened { after: seconds(1), by: OpenedBy::Request });
}
