//! The evaluation: compares a gate's requirements with the kernel's state.
//!
//! It is pure: the same network, gate and moment give the same verdict. Every unmet requirement has a reason.
//! If a table that was not read could turn a "no" into a "yes", the verdict names the table.
//!
//! ```text
//! item ─▶ Judged { outcome, needs, warnings } ─┐
//! item ─▶ Judged …                            ─┴▶ clause: which rows count? ─┐
//!                                                                    clause ─┴▶ may probes ask? ─▶ Verdict
//! ```
//!
//! Each item is evaluated once, into a value (`evaluate/judged.rs`). A clause drops the rows that it does not
//! need, and their needs and warnings with them. The verdict joins what is left.

mod address;
mod choice;
pub(crate) mod judged;
mod links;
mod pasta;
mod presence;
mod probe;
mod route;

use alloc::collections::{BTreeMap, BTreeSet};

use crate::model::{Link, Network};
use crate::moment::Moment;
use crate::requirement::{Clause, Family, Gate, Item, Links, Subject};
use crate::verdict::{ClauseVerdict, Outcome, Row, Verdict};
use judged::{Evaluated, Judged};

/// Evaluates a gate against the network: whether each requirement is met, by what, or why not.
pub fn evaluate(gate: &Gate, network: &Network, now: Moment) -> Verdict {
    let judge = Judge { network, now };
    let clauses: Vec<Evaluated<Vec<Row>>> = gate.clauses.iter().map(|clause| judge.clause(clause)).collect();
    let mut each = gate.clauses.iter().zip(&clauses);
    let wait = each.any(|(clause, evaluated)| holds_probes_back(clause, &evaluated.asked));
    let mut verdict = Verdict {
        clauses: Vec::with_capacity(clauses.len()),
        carrier: gate.no_carrier_timeout.is_some() && judge.wanted_carrier(gate),
        no_uplink: None,
        unread: BTreeSet::new(),
        questions: BTreeMap::new(),
        warnings: Vec::new(),
    };
    for (clause, evaluated) in gate.clauses.iter().zip(clauses) {
        verdict.add(clause, if wait { evaluated.while_waiting() } else { evaluated.asked });
    }
    if verdict.unmet().any(|clause| clause.reasons().any(|reason| clause.asks_for_an_uplink(reason))) {
        verdict.no_uplink = judge.no_uplink().map(Box::new);
    }
    verdict
}

impl Verdict {
    /// Appends the result of a clause.
    fn add(&mut self, clause: &Clause, judged: Judged<Vec<Row>>) {
        let Judged { outcome: rows, mut needs, warnings } = judged;
        let met = all_hold(&rows);
        self.clauses.push(ClauseVerdict {
            met,
            grace: clause.grace,
            tally: links::tally(clause, &rows),
            rows,
        });
        self.unread.append(&mut needs.unread);
        for question in needs.questions {
            // If several clauses ask the same question, the shortest recheck of them applies.
            let recheck = self.questions.entry(question).or_insert(clause.recheck);
            *recheck = [*recheck, clause.recheck].into_iter().flatten().min();
        }
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

/// Whether probes must wait because of this clause. They wait if the clause has no grace, is unmet, and lacks
/// something that does not depend on a probe. They also wait while a table was not read that may change the result.
fn holds_probes_back(clause: &Clause, judged: &Judged<Vec<Row>>) -> bool {
    let rows = &judged.outcome;
    let passive = |row: &&Row| match &row.outcome {
        Outcome::Unmet(reason) => !reason.is_of_a_probe(),
        Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => false,
    };
    let dispensable = match clause.subject {
        Subject::Host { needed } => rows.len().saturating_sub(needed),
        Subject::Links(_) => 0,
    };
    let lacks =
        clause.grace.is_none() && !all_hold(rows) && rows.iter().filter(passive).count() > dispensable;
    lacks || !judged.needs.unread.is_empty()
}

fn all_hold(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.outcome.holds())
}

/// Whether a link that the gate waits for has carrier.
pub fn sees_carrier(gate: &Gate, network: &Network) -> bool {
    Judge { network, now: Moment::default() }.wanted_carrier(gate)
}

/// Returns the links that a clause names at present.
pub fn matching<'a>(links: &Links, network: &'a Network) -> Vec<&'a Link> {
    Judge { network, now: Moment::default() }.matching(links).collect()
}

/// Whether a clause names a link by one of its names, even if something else keeps a pattern from matching it.
pub(crate) fn is_named(links: &Links, link: &Link) -> bool {
    links::is_named(links, link)
}

/// The input of an evaluation. An evaluation cannot change it.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) network: &'a Network,
    now: Moment,
}

impl<'a> Judge<'a> {
    fn clause(&self, clause: &Clause) -> Evaluated<Vec<Row>> {
        if let Some(needs) = self.left_out(clause) {
            let not_present =
                |item: &Item| Row { item: item.clone(), link: None, outcome: Outcome::NotPresent };
            let rows = clause.items.iter().map(not_present).collect();
            return Judged { outcome: rows, needs, warnings: Vec::new() }.into();
        }
        match &clause.subject {
            Subject::Host { needed } => self.host(&clause.items, *needed),
            Subject::Links(links) => self.links(links, &clause.items).into(),
        }
    }

    /// Evaluates a clause about the host: each item by itself.
    fn host(&self, items: &[Item], needed: usize) -> Evaluated<Vec<Row>> {
        let rows: Vec<Evaluated<Row>> = items.iter().map(|item| self.host_item(item).row(item)).collect();
        let active = rows.iter().any(|row| row.waiting.is_some());
        let waiting = active.then(|| rows.iter().cloned().map(Evaluated::while_waiting).collect());
        let asked = rows.into_iter().map(|row| row.asked).collect();
        Evaluated {
            asked: enough_or_all(asked, needed),
            waiting: waiting.map(|waiting| enough_or_all(waiting, needed)),
        }
    }

    fn host_item(&self, item: &Item) -> Evaluated {
        #[cfg(test)]
        tests::once::count(item, None);
        item.requirement().of_host(self)
    }

    /// Returns this table if it was not read.
    fn not_read(&self, family: Family, table: u32) -> Option<(Family, u32)> {
        let read = self.network.routes.complete.contains(&(family, table));
        (!read).then_some((family, table))
    }

    /// Whether a wanted link has carrier: a link that a clause names or, for clauses about the host, a link that
    /// could be an uplink.
    fn wanted_carrier(&self, gate: &Gate) -> bool {
        gate.clauses.iter().any(|clause| match &clause.subject {
            Subject::Links(links) => self.matching(links).any(|link| self.network.carrier(link).is_ok()),
            Subject::Host { .. } => self.uplink_carries(),
        })
    }
}

/// Returns only the rows that are met if they are enough. Otherwise returns all rows.
fn enough_or_all(mut rows: Vec<Judged<Row>>, needed: usize) -> Judged<Vec<Row>> {
    let met = |row: &Judged<Row>| row.outcome.outcome.holds();
    if rows.iter().filter(|row| met(row)).count() >= needed {
        rows.retain(met);
    }
    rows.into_iter().collect()
}

#[cfg(test)]
pub(crate) mod tests;
