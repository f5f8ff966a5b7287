//! The state machine: every cell of phase × input, the times that the manual names, and random sequences.

mod cells;
mod forced;
mod sequences;
mod times;

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::GateState;
use crate::kernel_line::Forced;
use crate::moment::Moment;
use crate::requirement::{Family, Gate, Item, OnLoss, OnTimeout, TABLE_MAIN};
use crate::verdict::{ClauseVerdict, Evidence, Outcome, Reason, Row, Verdict};

/// The moment at which the states of these tests begin.
const START: Moment = Moment::after_boot(Duration::from_secs(1000));

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The moment this many seconds after the start.
fn at(after: u64) -> Moment {
    START + seconds(after)
}

/// A gate with these times. Its clauses do not matter, because the tests make the verdicts.
fn terms(timeout: Option<u64>, settle: u64) -> Gate {
    Gate {
        name: "test".to_owned(),
        source: "test".to_owned(),
        timeout: timeout.map(seconds),
        no_carrier_timeout: None,
        settle: seconds(settle),
        on_timeout: OnTimeout::Fail,
        on_loss: OnLoss::Report,
        forced: Forced::default(),
        clauses: Vec::new(),
        places: Default::default(),
    }
}

fn state(gate: &Gate) -> GateState {
    GateState::new(gate, START)
}

fn clause(met: bool, grace: Option<Duration>) -> ClauseVerdict {
    let outcome = match met {
        true => Outcome::Met(Evidence::Nameserver("192.0.2.53".to_owned())),
        false => Outcome::Unmet(Reason::NoNameserver(None)),
    };
    ClauseVerdict { met, grace, tally: None, rows: vec![Row { item: Item::Nameserver, link: None, outcome }] }
}

/// A verdict with one required clause, and with carrier.
fn verdict(required: bool) -> Verdict {
    Verdict {
        clauses: vec![clause(required, None)],
        carrier: true,
        no_uplink: None,
        unread: BTreeSet::new(),
        questions: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

/// A verdict whose required clause is met, with a second clause that has this grace.
fn with_grace(met: bool, grace: u64) -> Verdict {
    let mut verdict = verdict(true);
    verdict.clauses.push(clause(met, Some(seconds(grace))));
    verdict
}

/// All clauses hold, but a table must be read before the verdict is final.
fn unread() -> Verdict {
    Verdict { unread: BTreeSet::from([(Family::V4, TABLE_MAIN)]), ..verdict(true) }
}

fn carrierless() -> Verdict {
    Verdict { carrier: false, ..verdict(false) }
}
