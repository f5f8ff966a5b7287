//! The manual's statements about each requirement, as tables: one case a line.
//!
//! A case has a gate, a network and the expected result, in the small language of [`testing`](crate::testing).

#[rustfmt::skip] // tables: a line is a case
mod address;
#[rustfmt::skip] // tables: a line is a case
mod carrier;
#[rustfmt::skip] // tables: a line is a case
mod lookup;
#[rustfmt::skip] // tables: a line is a case
pub(crate) mod once;
mod oracle;
#[rustfmt::skip] // tables: a line is a case
mod pasta;
#[rustfmt::skip] // tables: a line is a case
mod presence;
#[rustfmt::skip] // tables: a line is a case
mod probe;
#[rustfmt::skip] // tables: a line is a case
mod property;
#[rustfmt::skip] // tables: a line is a case
mod quorum;
#[rustfmt::skip] // tables: a line is a case
mod reasons;
#[rustfmt::skip] // tables: a line is a case
mod route;
#[rustfmt::skip] // tables: a line is a case
mod unread;

use crate::evaluate::{evaluate, is_named, matching};
use crate::model::Network;
use crate::requirement::{Gate, Subject};
use crate::testing::{NOW, gate, network};
use crate::verdict::{ClauseVerdict, Outcome, Reason, Row, Verdict};

/// Returns the result of a case, clause by clause, separated by ` | `:
///
/// * `met`, or `met by EVIDENCE; EVIDENCE` if the case asks for the evidence;
/// * `not-present` if the clause does not count;
/// * otherwise the link and the code of each unmet row: `eth0 no-carrier, eth0 no-address`.
///
/// If tables must be read, they follow: `+ unread IPv4 254`.
fn outcome(verdict: &Verdict, with_evidence: bool) -> String {
    let clauses: Vec<String> =
        verdict.clauses.iter().map(|clause| of_clause(clause, with_evidence)).collect();
    let mut text = clauses.join(" | ");
    for (family, table) in &verdict.unread {
        text += &format!(" + unread {family} {table}");
    }
    text
}

fn of_clause(clause: &ClauseVerdict, with_evidence: bool) -> String {
    let unmet = clause.rows.iter().filter_map(|row| match &row.outcome {
        Outcome::Unmet(reason) => {
            let link = row.link.as_ref().map(|link| format!("{link} ")).unwrap_or_default();
            Some(format!("{link}{}", reason.code().as_str()))
        }
        Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => None,
    });
    let unmet: Vec<String> = unmet.collect();
    if !clause.met {
        return unmet.join(", ");
    }
    let evidence = clause.rows.iter().filter_map(|row| match &row.outcome {
        Outcome::Met(evidence) => Some(evidence.to_string()),
        Outcome::Unmet(_) | Outcome::NotPresent | Outcome::NotAsked => None,
    });
    let evidence: Vec<String> = evidence.collect();
    match (evidence.is_empty(), with_evidence) {
        (true, _) => "not-present".to_owned(),
        (false, true) => format!("met by {}", evidence.join("; ")),
        (false, false) => "met".to_owned(),
    }
}

#[test]
fn the_links_that_a_clause_names_whatever_it_asks_of_them() {
    let host = network("eth0: down alt=lan0; eth1: up; br0: up kind=bridge; eth2: up master=br0");
    for (interface, expected) in [
        ("'eth1'", &["eth1"][..]),
        ("'lan0'", &["eth0"]),
        ("'eth*'", &["eth0", "eth1"]),
        ("'eth2'", &["eth2"]),
        ("['*', '!eth0']", &["eth1", "br0"]),
        ("'eth7'", &[]),
    ] {
        let gate = gate(&format!("interface={interface}; carrier=true"));
        let Subject::Links(links) = &gate.clauses[0].subject else { panic!("{gate:?}") };
        let found: Vec<&str> = matching(links, &host).into_iter().map(|link| link.ifname.as_str()).collect();
        assert_eq!(found, *expected, "{interface}");
    }
}

/// The history notes a link if a clause names it, even if a pattern does not match it, for example a port.
#[test]
fn the_links_that_an_entry_of_a_clause_names() {
    let host = network(
        "eth0: up alt=lan0; eth1: up master=br0; br0: up kind=bridge; eth2: up mac=02:00:00:00:00:77",
    );
    for (interface, expected) in [
        ("'eth0'", &["eth0"][..]),
        ("'lan0'", &["eth0"]),
        ("'eth*'", &["eth0", "eth1", "eth2"]),
        ("['eth*', '!eth1']", &["eth0", "eth2"]),
        ("'*'", &["eth0", "eth1", "br0", "eth2"]),
        ("'lo'", &["lo"]),
        ("'mac:02:00:00:00:00:77'", &["eth2"]),
        ("'eth7'", &[]),
    ] {
        let gate = gate(&format!("interface={interface}; carrier=true"));
        let Subject::Links(links) = &gate.clauses[0].subject else { panic!("{gate:?}") };
        let found: Vec<&str> =
            host.links().filter(|link| is_named(links, link)).map(|link| link.ifname.as_str()).collect();
        assert_eq!(found, *expected, "{interface}");
    }
}

/// Checks what must be true of every verdict.
fn check_invariants(gate: &Gate, network: &Network, verdict: &Verdict) {
    assert_eq!(verdict.clauses.len(), gate.clauses.len());
    for clause in &verdict.clauses {
        let unmet = clause.rows.iter().filter(|row| matches!(row.outcome, Outcome::Unmet(_))).count();
        assert_eq!(clause.met, unmet == 0, "met says what its rows say: {clause:?}");
        assert!(!clause.rows.is_empty(), "somebody must be told something: {gate:?}");
    }
    if verdict.ready() {
        assert!(verdict.unread.is_empty());
    }
    let waits = |row: &Row| matches!(row.outcome, Outcome::Unmet(Reason::NotTried { begun: false, .. }));
    if verdict.clauses.iter().flat_map(|clause| &clause.rows).any(waits) {
        assert!(verdict.questions.is_empty(), "nobody is asked while probes wait: {verdict:?}");
        assert!(!verdict.ready() || verdict.clauses.iter().any(|clause| clause.grace.is_some()));
    }
    let without = verdict.clone().without_probes();
    assert!(without.questions.is_empty());
    assert!(!verdict.ready() || without.ready(), "probes only ever hold back: {verdict:?}");
    for (family, table) in &verdict.unread {
        assert!(!network.routes.complete.contains(&(*family, *table)), "what was read is not unread");
    }
}

/// Evaluates all cases, and reports all that differ.
#[track_caller]
fn table(cases: &[(&str, &str, &str)]) {
    let mut wrong = String::new();
    for (gate_text, network_text, expected) in cases {
        let (gate, network) = (gate(gate_text), network(network_text));
        let verdict = evaluate(&gate, &network, NOW);
        check_invariants(&gate, &network, &verdict);
        let found = outcome(&verdict, expected.contains("met by"));
        if found != *expected {
            wrong += &format!(
                "\n  gate     {gate_text}\n  network  {network_text}\n  expected {expected}\n  found    {found}\n"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
