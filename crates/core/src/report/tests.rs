//! The texts: STATUS= in every phase, the table of `check`, JSON, and spans of time.

#[rustfmt::skip] // tables: a line is a case
mod changes;
#[rustfmt::skip] // tables: a line is a case
mod lines;
#[rustfmt::skip] // tables: a line is a case
mod live;
mod next_steps;
#[rustfmt::skip] // tables: a line is a case
mod tables;

use core::time::Duration;

use super::Standing;
use crate::account::Times;
use crate::evaluate::evaluate;
use crate::gate_state::Phase;
use crate::requirement::Gate;
use crate::testing::{NOW, gate, network};
use crate::verdict::Verdict;

/// Returns a gate, and its verdict on a network. Both are in the language of [`testing`](crate::testing).
fn judged(gate_text: &str, network_text: &str) -> (Gate, Verdict) {
    let gate = gate(gate_text);
    let verdict = evaluate(&gate, &network(network_text), NOW);
    (gate, verdict)
}

fn standing(phase: Phase) -> Standing<'static> {
    Standing { phase, since: "08:15:30", times: Times::default(), earlier: None }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
