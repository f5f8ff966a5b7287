//! When transitions happen: settle, grace, the two timeouts, loss.

use super::super::{Came, Effect, GateState, GaveUp, OpenedBy, Phase};
use super::{START, at, carrierless, clause, seconds, state, terms, unread, verdict, with_grace};
use crate::requirement::{Gate, OnLoss, OnTimeout};
use crate::verdict::Verdict;

const OPEN: Option<Effect> = Some(Effect::Open);
const END: Option<Effect> = Some(Effect::End);

#[test]
fn without_a_settle_it_opens_at_once() {
    let mut state = state(&terms(Some(90), 0));
    assert_eq!(state.observe(&verdict(false), false, at(1)), None);
    assert_eq!(state.observe(&verdict(true), true, at(4)), OPEN);
    assert_eq!(state.phase(), Phase::Ready { came: Came::First { after: seconds(4) } });
    assert_eq!(state.observe(&verdict(true), false, at(5)), None, "once");
}

#[test]
fn settle_counts_from_the_last_interruption() {
    let mut state = state(&terms(Some(90), 10));
    assert_eq!(state.observe(&verdict(true), false, at(1)), None);
    assert_eq!(state.phase(), Phase::Settling { until: at(11) });
    assert_eq!(state.observe(&verdict(true), true, at(6)), None);
    assert_eq!(state.deadline(), Some(at(16)));
    assert_eq!(state.observe(&verdict(true), false, at(15)), None);
    assert_eq!(state.observe(&verdict(false), false, at(15)), None);
    assert_eq!(state.observe(&verdict(true), false, at(15)), None);
    assert_eq!(state.observe(&verdict(true), false, at(24)), None);
    assert_eq!(state.observe(&verdict(true), false, at(25)), OPEN);
}

#[test]
fn an_unread_table_does_not_count_as_held_time() {
    let mut state = state(&terms(Some(90), 10));
    state.observe(&verdict(true), false, at(0));
    assert_eq!(state.observe(&unread(), false, at(10)), None);
    assert_eq!(state.observe(&verdict(true), false, at(11)), None);
    assert_eq!(state.phase(), Phase::Settling { until: at(21) });
}

#[test]
fn grace_runs_from_the_moment_when_all_that_is_required_is_met() {
    let mut state = state(&terms(Some(90), 0));
    assert_eq!(state.observe(&verdict(false), false, at(20)), None);
    assert_eq!(state.observe(&with_grace(false, 5), false, at(30)), None);
    assert_eq!(state.phase(), Phase::Grace { until: at(35) });
    assert_eq!(state.observe(&with_grace(false, 5), false, at(34)), None);
    assert!(!state.let_go(&with_grace(false, 5).clauses[1], at(34)));
    assert!(state.let_go(&with_grace(false, 5).clauses[1], at(35)));
    assert_eq!(state.observe(&with_grace(false, 5), false, at(35)), OPEN);
}

#[test]
fn losing_a_required_clause_restarts_the_grace() {
    let mut state = state(&terms(Some(90), 0));
    state.observe(&with_grace(false, 5), false, at(30));
    state.observe(&verdict(false), false, at(33));
    assert_eq!(state.observe(&with_grace(false, 5), false, at(34)), None);
    assert_eq!(state.deadline(), Some(at(39)));
}

#[test]
fn a_clause_with_a_grace_that_is_met_opens_at_once() {
    let mut state = state(&terms(Some(90), 0));
    state.observe(&with_grace(false, 60), false, at(1));
    assert_eq!(state.observe(&with_grace(true, 60), false, at(2)), OPEN);
}

#[test]
fn the_longest_grace_of_those_unmet_is_waited_for() {
    let three = |met: [bool; 3]| {
        let graces = [2, 7, 60].map(|grace| Some(seconds(grace)));
        let mut clauses: Vec<_> =
            met.into_iter().zip(graces).map(|(met, grace)| clause(met, grace)).collect();
        clauses.push(clause(true, None));
        Verdict { clauses, ..verdict(true) }
    };
    let mut state = state(&terms(Some(90), 0));
    state.observe(&three([false, false, true]), false, at(0));
    assert_eq!(state.phase(), Phase::Grace { until: at(7) });
    assert_eq!(state.observe(&three([false, true, true]), false, at(1)), None);
    assert_eq!(state.phase(), Phase::Grace { until: at(2) });
    assert_eq!(state.observe(&three([false, true, true]), false, at(2)), OPEN);
}

#[test]
fn settle_begins_when_the_grace_is_over() {
    let mut state = state(&terms(Some(90), 10));
    state.observe(&with_grace(false, 5), false, at(0));
    assert_eq!(state.observe(&with_grace(false, 5), false, at(5)), None);
    assert_eq!(state.phase(), Phase::Settling { until: at(15) });
    assert_eq!(state.observe(&with_grace(false, 5), false, at(15)), OPEN);
}

#[test]
fn a_clause_that_was_let_go_is_no_loss() {
    let mut state = state(&Gate { on_loss: OnLoss::Fail, ..terms(Some(90), 0) });
    state.observe(&with_grace(true, 5), false, at(0));
    assert_eq!(state.observe(&with_grace(false, 5), false, at(1)), None);
    assert_eq!(state.phase(), Phase::Ready { came: Came::First { after: seconds(0) } });
}

#[test]
fn the_timeout_lets_graces_go_and_a_settle_finish() {
    let mut state = state(&terms(Some(90), 10));
    state.observe(&with_grace(false, 60), false, at(85));
    assert_eq!(state.deadline(), Some(at(90)), "the timeout comes before the grace's end");
    assert_eq!(state.observe(&with_grace(false, 60), false, at(90)), None);
    assert_eq!(state.phase(), Phase::Settling { until: at(100) });
    assert_eq!(state.observe(&with_grace(false, 60), false, at(100)), OPEN);
}

#[test]
fn an_interruption_after_the_timeout_ends_it() {
    for interrupted in [false, true] {
        let mut state = state(&terms(Some(90), 10));
        state.observe(&verdict(true), false, at(85));
        let effect = state.observe(&verdict(interrupted), interrupted, at(92));
        assert_eq!(effect, END);
        assert_eq!(state.phase(), Phase::GaveUp { after: seconds(92), why: GaveUp::Timeout });
    }
}

#[test]
fn the_timeout_runs_from_the_start_and_ends_or_opens() {
    for (on_timeout, effect) in [(OnTimeout::Fail, END), (OnTimeout::Open, OPEN)] {
        let mut state = state(&Gate { on_timeout, ..terms(Some(90), 0) });
        assert_eq!(state.observe(&verdict(false), false, at(89)), None);
        assert_eq!(state.deadline(), Some(at(90)));
        assert_eq!(state.observe(&verdict(false), false, at(90)), effect);
        assert_eq!(state.tick(at(91)), None, "once");
        assert_eq!(state.deadline(), None);
    }
    let mut forever = state(&terms(None, 0));
    assert_eq!(forever.observe(&verdict(false), false, at(1_000_000_000)), None);
    assert_eq!(forever.deadline(), None);
}

/// Only the first time says how long the gate waited.
#[test]
fn ready_again_is_ready_since_then() {
    let ready = |came| Phase::Ready { came };
    let mut state = state(&terms(Some(90), 3));
    state.observe(&verdict(true), false, at(1));
    assert_eq!(state.observe(&verdict(true), false, at(4)), OPEN);
    assert_eq!(state.phase(), ready(Came::First { after: seconds(4) }));
    state.observe(&verdict(true), true, at(5));
    assert_eq!(state.phase(), ready(Came::First { after: seconds(4) }), "it was not seen to be lost");
    for loss in [10, 20] {
        assert_eq!(state.observe(&verdict(false), false, at(loss)), None);
        assert_eq!(state.phase(), Phase::Lost { since: at(loss) });
        assert_eq!(state.observe(&verdict(true), false, at(loss + 2)), None);
        assert_eq!(state.observe(&verdict(true), false, at(loss + 3)), None);
        assert_eq!(state.phase(), ready(Came::Again { since: at(loss + 2) }));
    }
    // After a reload of another gate file, this gate may never have been met before.
    state.reload(&terms(Some(90), 0), at(40));
    assert_eq!(state.observe(&verdict(true), false, at(41)), None);
    assert_eq!(state.phase(), ready(Came::Reloaded { since: at(41) }));
}

#[test]
fn opened_at_the_timeout_it_can_become_ready_and_only_then_be_lost() {
    let gate = Gate { on_timeout: OnTimeout::Open, on_loss: OnLoss::Fail, ..terms(Some(90), 0) };
    let mut state = state(&gate);
    assert_eq!(state.observe(&verdict(false), false, at(90)), OPEN);
    let by = OpenedBy::Timeout(GaveUp::Timeout);
    assert_eq!(state.phase(), Phase::Opened { after: seconds(90), by });
    assert_eq!(state.observe(&verdict(false), false, at(100)), None, "it was never ready");
    assert_eq!(state.observe(&verdict(true), false, at(110)), None, "READY=1 was said");
    assert_eq!(state.phase(), Phase::Ready { came: Came::First { after: seconds(110) } });
    assert_eq!(state.observe(&verdict(false), false, at(111)), END);
}

fn without_carrier(no_carrier_timeout: u64) -> GateState {
    state(&Gate { no_carrier_timeout: Some(seconds(no_carrier_timeout)), ..terms(Some(90), 0) })
}

#[test]
fn without_carrier_all_that_time_it_gives_up_earlier() {
    let mut state = without_carrier(15);
    assert!(state.misses_carrier());
    assert_eq!(state.observe(&carrierless(), false, at(14)), None);
    assert_eq!(state.deadline(), Some(at(15)));
    assert_eq!(state.observe(&carrierless(), false, at(15)), END);
    assert_eq!(state.phase(), Phase::GaveUp { after: seconds(15), why: GaveUp::NoCarrier });
}

#[test]
fn the_time_without_carrier_is_counted_only_where_the_gate_limits_it() {
    let counted = |gate: &Gate, seen: &Verdict| {
        let mut state = state(gate);
        state.observe(seen, false, at(0));
        state.misses_carrier()
    };
    let limited = Gate { no_carrier_timeout: Some(seconds(30)), ..terms(Some(90), 0) };
    assert!(counted(&limited, &carrierless()));
    assert!(!counted(&terms(Some(90), 0), &carrierless()), "no limit");
    assert!(!counted(&limited, &verdict(false)), "there is carrier");
    assert!(!counted(&limited, &Verdict { carrier: false, ..verdict(true) }), "the gate is open");
    assert!(
        !counted(&limited, &Verdict { carrier: false, ..with_grace(false, 5) }),
        "a grace has its own end"
    );
}

#[test]
fn carrier_that_comes_and_goes_begins_the_count_anew() {
    let mut state = without_carrier(15);
    assert_eq!(state.observe(&verdict(false), false, at(10)), None);
    assert!(!state.misses_carrier());
    assert_eq!(state.deadline(), Some(at(90)));
    assert_eq!(state.observe(&carrierless(), false, at(20)), None);
    assert_eq!(state.deadline(), Some(at(35)));
    // Carrier was seen for a moment between two verdicts.
    state.saw_carrier(false, at(29));
    assert_eq!(state.deadline(), Some(at(35)));
    state.saw_carrier(true, at(30));
    assert_eq!(state.deadline(), Some(at(45)));
    assert_eq!(state.tick(at(44)), None);
    assert_eq!(state.tick(at(45)), END);
}

#[test]
fn a_clause_can_be_met_without_carrier() {
    // The gate has carrier = false and an address on loopback.
    let mut state = without_carrier(15);
    assert_eq!(state.observe(&Verdict { carrier: false, ..verdict(true) }, false, at(20)), OPEN);
}

#[test]
fn the_no_carrier_timeout_opens_where_the_timeout_would() {
    let gate = Gate { no_carrier_timeout: Some(seconds(15)), on_timeout: OnTimeout::Open, ..terms(None, 0) };
    let mut state = state(&gate);
    assert_eq!(state.observe(&carrierless(), false, at(15)), OPEN);
    let by = OpenedBy::Timeout(GaveUp::NoCarrier);
    assert_eq!(state.phase(), Phase::Opened { after: seconds(15), by });
}

#[test]
fn on_loss_fail_ends_when_the_loss_has_lasted_settle() {
    let mut state = state(&Gate { on_loss: OnLoss::Fail, ..terms(Some(90), 10) });
    state.observe(&verdict(true), false, at(0));
    assert_eq!(state.observe(&verdict(true), false, at(10)), OPEN);
    assert_eq!(state.deadline(), None);
    assert_eq!(state.observe(&verdict(false), false, at(20)), None);
    assert_eq!(state.deadline(), Some(at(30)));
    assert_eq!(state.observe(&verdict(false), false, at(29)), None);
    assert_eq!(state.phase(), Phase::Lost { since: at(20) });
    // The gate is ready again and then lost again. The time of the loss starts again.
    assert_eq!(state.observe(&verdict(true), false, at(29)), None);
    assert_eq!(state.observe(&verdict(false), false, at(40)), None);
    assert_eq!(state.observe(&unread(), false, at(50)), None, "not known to be lost");
    assert_eq!(state.observe(&verdict(false), false, at(51)), END);
    assert_eq!(state.phase(), Phase::GaveUp { after: seconds(51), why: GaveUp::Lost });
}

#[test]
fn on_loss_report_says_so_and_goes_on() {
    let mut state = state(&terms(Some(90), 0));
    assert_eq!(state.observe(&verdict(true), false, at(0)), OPEN);
    assert_eq!(state.observe(&verdict(false), false, at(20)), None);
    assert_eq!(state.deadline(), None, "no timer while it is lost");
    assert_eq!(state.observe(&verdict(false), false, at(2000)), None);
    assert_eq!(state.phase(), Phase::Lost { since: at(20) });
}

#[test]
fn a_reload_keeps_the_start_and_an_open_gate() {
    let mut shut = state(&terms(Some(90), 10));
    shut.observe(&verdict(true), false, at(50));
    shut.reload(&terms(Some(60), 10), at(55));
    assert_eq!(shut.observe(&verdict(true), false, at(55)), None);
    assert_eq!(shut.phase(), Phase::Settling { until: at(65) }, "another gate holds from now on");
    let mut waiting = state(&terms(Some(90), 10));
    waiting.observe(&verdict(false), false, at(50));
    waiting.reload(&terms(Some(60), 10), at(55));
    assert_eq!(waiting.deadline(), Some(at(60)), "the timeout still runs from the start");

    let mut open = state(&Gate { on_loss: OnLoss::Fail, ..terms(Some(90), 0) });
    assert_eq!(open.observe(&verdict(true), false, at(1)), OPEN);
    open.reload(&Gate { on_loss: OnLoss::Fail, ..terms(Some(90), 0) }, at(100));
    assert_eq!(open.phase(), Phase::Opened { after: seconds(100), by: OpenedBy::Reload });
    assert_eq!(open.observe(&verdict(false), false, at(101)), None, "the new gate was never ready");
    assert_eq!(open.observe(&verdict(true), false, at(102)), None);
    assert_eq!(open.observe(&verdict(false), false, at(103)), END);
}

#[test]
fn an_administrator_can_open_a_shut_gate() {
    let mut state = state(&terms(Some(90), 10));
    assert_eq!(state.open(at(3)), OPEN);
    assert_eq!(state.phase(), Phase::Opened { after: seconds(3), by: OpenedBy::Request });
    assert_eq!(state.open(at(4)), None);
    assert_eq!(state.observe(&verdict(false), false, at(90)), None, "no timeout any more");
}

#[test]
fn the_end_of_time_is_never_reached() {
    let mut state = state(&Gate { timeout: Some(core::time::Duration::MAX), ..terms(None, 0) });
    assert_eq!(state.observe(&verdict(false), false, at(1)), None);
    assert!(state.deadline().is_some_and(|deadline| deadline > START));
}

/// While the kernel blocks the netlink requests (RTNL is held), the driver calls only `tick`.
#[test]
fn without_a_verdict_grace_and_settle_end_with_the_timeout_and_its_settle() {
    let mut settling = state(&terms(Some(90), 10));
    settling.observe(&verdict(true), false, at(85));
    assert_eq!(settling.tick(at(95)), None, "it finishes its settle");
    assert_eq!(settling.tick(at(99)), None, "as one would that began at the timeout");
    assert_eq!(settling.tick(at(100)), END);
    let mut graced = state(&terms(Some(90), 0));
    graced.observe(&with_grace(false, 60), false, at(85));
    assert_eq!(graced.tick(at(89)), None);
    assert_eq!(graced.tick(at(90)), END);
}

/// The driver calls `tick` at a deadline, and then rarely again while no verdict is possible.
#[test]
fn without_a_verdict_repeated_ticks_lead_to_the_end() {
    for last in [verdict(false), verdict(true), with_grace(false, 60)] {
        let mut state = state(&terms(Some(90), 10));
        let mut now = at(85);
        state.observe(&last, false, now);
        let effect = loop {
            let deadline = state.deadline().expect("something is due");
            now = deadline.max(now + seconds(1));
            assert!(now <= at(100), "{:?}", state.phase());
            if let Some(effect) = state.tick(now) {
                break effect;
            }
        };
        assert_eq!(effect, Effect::End);
    }
}
