//! Writes verdicts as JSON for scripts. New versions only add fields.

use core::fmt::Write;

use serde_json::{Map, Value, json};

use crate::escape::is_unsafe;
use crate::gate_state::Phase;
use crate::history::gate_words;
use crate::model::Network;
use crate::report::next_step::{next_step, numbered, place};
use crate::report::{Span, behind};
use crate::requirement::Gate;
use crate::verdict::{AddressRef, ClauseVerdict, Evidence, Outcome, Reason, ReasonCode, RouteRef, Verdict};

/// Returns the value of the field `state` for a gate in this phase. It is the same word as in the history.
pub fn state_word(phase: Phase) -> &'static str {
    let (state, _) = gate_words(phase);
    state.as_str()
}

/// Makes the object that `docs/schema/verdict.json` describes. `state` is the word of [`state_word`]; for a
/// `check`, which does not wait, it is `ready` or `waiting`. `network` has the same meaning as in
/// [`table`](super::table()).
pub fn verdict_json(
    gate: &Gate,
    verdict: &Verdict,
    ready: bool,
    state: &str,
    network: Option<&Network>,
) -> Map<String, Value> {
    let requirements = numbered(&verdict.clauses).map(|(index, clause, row)| {
        let (met, code) = match &row.outcome {
            Outcome::Met(_) => (true, None),
            Outcome::Unmet(reason) => (false, Some(reason.code().as_str())),
            Outcome::NotPresent => (false, Some(ReasonCode::NotPresent.as_str())),
            Outcome::NotAsked => (false, Some(ReasonCode::NotTried.as_str())),
        };
        json!({
            "requirement": row.item.to_string(),
            "met": met,
            "required": clause.grace.is_none() && !matches!(row.outcome, Outcome::NotPresent | Outcome::NotAsked),
            "code": code,
            "reason": behind(row),
            "interface": row.link,
            "grace": clause.grace.map(|grace| Span(grace).to_string()),
            "clause": index + 1,
            "evidence": evidence(&row.outcome),
            "next": next_step(row, network),
            "place": place(gate, index, row),
        })
    });
    let mut object = Map::new();
    object.insert("ready".to_owned(), ready.into());
    object.insert("gate".to_owned(), gate.name.as_str().into());
    object.insert("source".to_owned(), gate.source.as_str().into());
    object.insert("requirements".to_owned(), requirements.collect());
    let warnings = verdict.warnings.iter().map(|warning| Value::from(warning.to_string()));
    object.insert("warnings".to_owned(), warnings.collect());
    object.insert("state".to_owned(), state.into());
    object.insert("clauses".to_owned(), verdict.clauses.iter().map(clause_json).collect());
    if gate.forced.is_some() {
        let timeout = gate.timeout.filter(|_| gate.forced.bounded).map(|timeout| Span(timeout).to_string());
        let forced = json!({ "open": gate.forced.open, "timeout": timeout });
        object.insert("kernel_command_line".to_owned(), forced);
    }
    object
}

/// Makes the object of a clause: how many links satisfy it, how many must, and how many there are.
fn clause_json(clause: &ClauseVerdict) -> Value {
    let quorum =
        clause.tally.map(|tally| json!({ "met": tally.met, "needed": tally.needed, "of": tally.of }));
    json!({ "met": clause.met, "required": clause.grace.is_none(), "quorum": quorum })
}

/// Returns the link, address or route that meets an item or that the reason is about. `null` if there is none.
fn evidence(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Met(evidence) => met_by(evidence),
        Outcome::Unmet(reason) => about(reason),
        Outcome::NotPresent | Outcome::NotAsked => Value::Null,
    }
}

fn met_by(evidence: &Evidence) -> Value {
    match evidence {
        Evidence::Link { ifindex, ifname } => json!({ "link": ifname, "ifindex": ifindex }),
        Evidence::Address(address) => address_json(address),
        Evidence::Route { route, source } => with_source(route_json(route), source),
        Evidence::Lookup { route, source, .. } => with_source(route_json(route), source),
        Evidence::Pasta(routes) => json!({ "routes": routes.iter().map(route_json).collect::<Vec<_>>() }),
        Evidence::Nameserver(server) => json!({ "nameserver": server }),
        Evidence::Answer { probe, answer } => json!({ "probe": probe.to_string(), "answer": answer }),
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "most reasons are about no link, address or route")]
fn about(reason: &Reason) -> Value {
    match reason {
        Reason::Absent { name } | Reason::NoVrf { name } => json!({ "link": name }),
        Reason::Carrier { ifname, .. }
        | Reason::NoAddress { ifname: Some(ifname), .. }
        | Reason::NoRoute { ifname: Some(ifname), .. } => json!({ "link": ifname }),
        Reason::Unusable { address, .. } => address_json(address),
        Reason::DeadRoute { route, .. }
        | Reason::WrongLink { route, .. }
        | Reason::NoSource { route, .. }
        | Reason::HiddenRoute { hidden: route, .. }
        | Reason::Pasta { route: Some(route), .. } => route_json(route),
        Reason::RefusingRoute { metric, .. } => json!({ "metric": metric }),
        _ => Value::Null,
    }
}

fn address_json(address: &AddressRef) -> Value {
    json!({ "link": address.ifname, "ifindex": address.ifindex, "address": address.address.to_string() })
}

fn route_json(route: &RouteRef) -> Value {
    json!({
        "link": route.ifname,
        "ifindex": route.ifindex,
        "destination": route.destination.to_string(),
        "gateway": route.gateway.map(|gateway| gateway.to_string()),
        "table": route.table,
        "metric": route.metric,
    })
}

fn with_source(mut route: Value, source: &AddressRef) -> Value {
    if let Some(route) = route.as_object_mut() {
        route.insert("address".to_owned(), source.address.to_string().into());
    }
    route
}

/// Makes the object that `--json` prints instead of a verdict at exit codes 2 and 3.
pub fn error_json(error: &str) -> Value {
    json!({ "error": error })
}

/// Writes JSON on one line. Its values may contain texts of others. Characters that could affect a terminal are
/// written as `\uNNNN`.
pub fn json_text(value: &Value) -> String {
    // A value can always be written. Its Display would write it piece by piece through a formatter.
    let json = serde_json::to_string(value).unwrap_or_default();
    // Most texts are printable ASCII, which is safe, and a byte is compared faster than a character.
    if json.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !json.contains(is_unsafe) {
        return json;
    }
    let mut text = String::new();
    // Such characters occur only in strings, and serde_json has already escaped those below U+0020.
    for character in json.chars() {
        if !is_unsafe(character) {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}
