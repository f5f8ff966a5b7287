//! The evaluation: a gate's requirements against the kernel's state.
//!
//! Pure: the same network, gate and moment give the same verdict. Every "no" gets a reason; where only a
//! table that was not read could turn a "no" into a "yes", the verdict says which.

mod address;
mod choice;
mod links;
mod pasta;
mod probe;
mod route;

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::model::{Link, Nameservers, Network, Question, RouteKind};
use crate::moment::Moment;
use crate::requirement::{Clause, Family, Gate, Item, Links, Presence, Subject, TABLE_MAIN};
use crate::verdict::{ClauseVerdict, Evidence, Outcome, Reason, Row, Verdict, Warning};

/// Judges a gate.
pub fn evaluate(gate: &Gate, network: &Network, now: Moment) -> Verdict {
    let verdict = judge(gate, network, now, true);
    let mut clauses = gate.clauses.iter().zip(&verdict.clauses);
    let waits = !verdict.unread.is_empty()
        || clauses.any(|(clause, judged)| misses_something_passive(clause, judged));
    if waits && gate.clauses.iter().flat_map(|clause| &clause.items).any(Item::is_active) {
        return judge(gate, network, now, false);
    }
    verdict
}

fn judge(gate: &Gate, network: &Network, now: Moment, ask: bool) -> Verdict {
    let mut judge = Judge::new(network, now, ask);
    let clauses = gate.clauses.iter().map(|clause| judge.clause(clause)).collect();
    let carrier = judge.wanted_carrier(gate);
    Verdict { clauses, carrier, unread: judge.unread, questions: judge.questions, warnings: judge.warnings }
}

/// It is required and unmet, whatever probes may find out.
fn misses_something_passive(clause: &Clause, judged: &ClauseVerdict) -> bool {
    let unmet = |row: &&Row| match &row.outcome {
        Outcome::Unmet(reason) => !reason.is_of_a_probe(),
        Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => false,
    };
    let dispensable = match clause.subject {
        Subject::Host { needed } => judged.rows.len().saturating_sub(needed),
        Subject::Links(_) => 0,
    };
    clause.grace.is_none() && !judged.met && judged.rows.iter().filter(unmet).count() > dispensable
}

/// The links that a clause names, as they are now.
pub fn matching<'a>(links: &Links, network: &'a Network) -> Vec<&'a Link> {
    Judge::new(network, Moment::default(), false).matching(links)
}

/// What the judging of one gate goes by, and what it collects on its way.
struct Judge<'a> {
    network: &'a Network,
    now: Moment,
    /// Whether it is the probes' turn.
    ask: bool,
    /// The clause's.
    recheck: Option<Duration>,
    unread: BTreeSet<(Family, u32)>,
    questions: BTreeMap<Question, Option<Duration>>,
    warnings: Vec<Warning>,
}

impl<'a> Judge<'a> {
    fn new(network: &'a Network, now: Moment, ask: bool) -> Judge<'a> {
        let (unread, questions) = (BTreeSet::new(), BTreeMap::new());
        Judge { network, now, ask, recheck: None, unread, questions, warnings: Vec::new() }
    }

    fn clause(&mut self, clause: &Clause) -> ClauseVerdict {
        if !self.counts(clause) {
            let rows = clause.items.iter().map(|item| Row {
                item: item.clone(),
                link: None,
                outcome: Outcome::NotPresent,
            });
            return ClauseVerdict { met: true, grace: clause.grace, rows: rows.collect() };
        }
        self.recheck = clause.recheck;
        let rows = match &clause.subject {
            Subject::Host { needed } => self.host(&clause.items, *needed),
            Subject::Links(links) => self.links(links, &clause.items),
        };
        let met = rows.iter().all(|row| row.outcome.holds());
        ClauseVerdict { met, grace: clause.grace, rows }
    }

    /// Host-wide: each item on its own. Where fewer than all are needed and enough are met, the others
    /// are left out.
    fn host(&mut self, items: &[Item], needed: usize) -> Vec<Row> {
        let warned = self.warnings.len();
        let unread = self.unread.clone();
        let questions = self.questions.clone();
        let mut rows: Vec<Row> = items
            .iter()
            .map(|item| Row { item: item.clone(), link: None, outcome: self.host_item(item) })
            .collect();
        let met = rows.iter().filter(|row| row.outcome.holds()).count();
        if met >= needed && met < rows.len() {
            rows.retain(|row| row.outcome.holds());
            // Nothing hangs on the others any more.
            self.unread = unread;
            self.warnings.truncate(warned);
            self.questions = questions;
            for row in &rows {
                self.host_item(&row.item);
            }
        }
        rows
    }

    fn host_item(&mut self, item: &Item) -> Outcome {
        match item {
            // The configuration lets nobody ask it; carrier of nothing in particular is not met.
            Item::Carrier => Outcome::Unmet(Reason::TooFew { there: 0, needed: 1 }),
            Item::Address(spec) => self.address_anywhere(*spec),
            Item::Route(spec) => self.route(spec, None),
            Item::RouteTo(wanted) => self.route_to(wanted, None),
            Item::Pasta => self.pasta(),
            Item::Nameserver => match &self.network.nameservers {
                Nameservers::First(server) => Outcome::Met(Evidence::Nameserver(server.clone())),
                Nameservers::None => Outcome::Unmet(Reason::NoNameserver(None)),
                Nameservers::Unreadable(why) => Outcome::Unmet(Reason::NoNameserver(Some(why.clone()))),
                Nameservers::Unread => Outcome::Unmet(Reason::Unread),
            },
            Item::Probe(probe) => self.probe(probe),
            Item::Gateway(family) => self.gateway(*family),
        }
    }

    /// Whether a clause with `if-present` counts now.
    fn counts(&mut self, clause: &Clause) -> bool {
        match (clause.if_present, &clause.subject) {
            (None, _) => true,
            (Some(Presence::Link), Subject::Links(links)) => !self.matching(links).is_empty(),
            // The configuration does not make one; a clause counts in doubt.
            (Some(Presence::Link), Subject::Host { .. }) => true,
            (Some(Presence::Family(family)), _) => self.family_present(family),
        }
    }

    /// A default route of the family stands, or a link with a default route of either family has an
    /// address of it of global scope, tentative ones included: the family is on its way. Defaults through
    /// loopback and dummy links tell of no network.
    ///
    /// Not where a default route that refuses hides the family's own one: somebody blocks that family (leak
    /// guards of VPNs do), and nothing more of it is to come.
    fn family_present(&mut self, family: Family) -> bool {
        if self.blocked(family) {
            return false;
        }
        let mut defaults = self
            .network
            .routes
            .known
            .iter()
            .filter(|route| route.table == TABLE_MAIN && route.destination.prefix_len() == 0)
            .filter(|route| route.kind == RouteKind::Unicast && choice::counts(route));
        let present = defaults.any(|route| {
            let addressed = |ifindex| {
                self.network
                    .addresses_of(ifindex)
                    .any(|address| Family::of(address.local) == family && address.global())
            };
            let mut ways = route
                .hops
                .iter()
                .map(|hop| hop.ifindex)
                .filter(|ifindex| !self.network.link(*ifindex).is_some_and(Link::leads_nowhere));
            ways.any(|ifindex| route.family() == family || addressed(ifindex))
        });
        if !present {
            for family in Family::BOTH {
                self.must_be_read(family, TABLE_MAIN);
            }
        }
        present
    }

    /// Whether the kernel takes a default route of this family that refuses, though another one stands.
    fn blocked(&self, family: Family) -> bool {
        let choices = choice::choices(&self.network.routes, family.default_prefix(), TABLE_MAIN, self.now);
        choices.first().is_some_and(|choice| {
            choice.taken.is_some_and(|taken| taken.kind != RouteKind::Unicast)
                && choice.others.iter().any(|other| other.kind == RouteKind::Unicast)
        })
    }

    /// A "no" that the rest of a table might turn into a "yes".
    fn must_be_read(&mut self, family: Family, table: u32) {
        if !self.network.routes.complete.contains(&(family, table)) {
            self.unread.insert((family, table));
        }
    }

    /// Whether some link has carrier that the gate's clauses name or, for host-wide ones, that could be
    /// an uplink.
    fn wanted_carrier(&self, gate: &Gate) -> bool {
        let carries = |link: &&Link| self.network.carrier(link).is_ok();
        gate.clauses.iter().any(|clause| match &clause.subject {
            Subject::Links(links) => self.matching(links).iter().any(carries),
            Subject::Host { .. } => self.uplinks().iter().any(carries),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
