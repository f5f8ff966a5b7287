//! Checks a [`WrittenGate`] and makes the [`Gate`] that it means.

use core::time::Duration;

use super::Problem;
use super::duration::{self, DurationLimit};
use super::interface::{self, Count};
use super::items;
use super::keys::{self, AskedOf, Key, Refinements, Role, ValueType};
use super::places::{ClausePlaces, Place, Places};
use super::probes;
use super::suggest;
use super::written::{Written, WrittenClause, WrittenGate, WrittenKeys};
use crate::kernel_line::Forced;
use crate::requirement::{AddressSpec, Clause, Gate, Item, OnLoss, OnTimeout, Presence, Subject, Table};

/// The timeout of a gate that does not set one.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(90);

/// Makes the gate. Fails if this function finds a problem, or if `problems` already has one.
pub fn gate(
    name: &str,
    source: &str,
    written: &WrittenGate,
    mut problems: Vec<Problem>,
) -> Result<Gate, Vec<Problem>> {
    let keys = &written.keys;
    let all = &mut problems;
    let (clauses, of_clauses) = written.clauses.iter().filter_map(|written| clause(written, all)).unzip();
    let gate = Gate {
        name: name.to_owned(),
        source: source.to_owned(),
        timeout: optional(keys.one(&keys::TIMEOUT), all, timeout).unwrap_or(Some(DEFAULT_TIMEOUT)),
        no_carrier_timeout: optional(keys.one(&keys::NO_CARRIER_TIMEOUT), all, timeout).unwrap_or_default(),
        settle: optional(keys.one(&keys::SETTLE), all, finite).unwrap_or_default(),
        on_timeout: optional(keys.one(&keys::ON_TIMEOUT), all, on_timeout).unwrap_or(OnTimeout::Fail),
        on_loss: optional(keys.one(&keys::ON_LOSS), all, on_loss).unwrap_or(OnLoss::Report),
        forced: Forced::default(),
        clauses,
        places: Places { keys: keys.places(), clauses: of_clauses },
    };
    let too_short = gate.timeout.filter(|timeout| *timeout < gate.settle);
    if let (Some(settle), Some(timeout)) = (keys.one(&keys::SETTLE), too_short) {
        problems.push(settle.problem(format!(
            "is longer than the timeout ({}): this gate could never open",
            duration::text(timeout)
        )));
    }
    if written.clauses.is_empty() && !keys.incomplete {
        problems.push(Problem {
            origin: source.to_owned(),
            line: None,
            message: "the gate is empty: write at least one [[require]], for example with \
                      route = \"default\" below it"
                .to_owned(),
        });
    }
    if problems.is_empty() { Ok(gate) } else { Err(problems) }
}

// Values of the gate's keys.

fn optional<T>(
    written: Option<&Written>,
    problems: &mut Vec<Problem>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let written = written?;
    match read(&written.value) {
        Ok(meant) => Some(meant),
        Err(message) => {
            problems.push(written.problem(message));
            None
        }
    }
}

/// Reads a timeout. `None` means that there is no limit.
fn timeout(text: &str) -> Result<Option<Duration>, String> {
    match duration::parse(text)? {
        DurationLimit::Infinite => Ok(None),
        DurationLimit::Finite(Duration::ZERO) => {
            Err("is too short; for no limit write \"infinity\", and to look once use netready check"
                .to_owned())
        }
        DurationLimit::Finite(span) => Ok(Some(span)),
    }
}

fn finite(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        DurationLimit::Infinite => Err("never ends; only a timeout can be infinity".to_owned()),
        DurationLimit::Finite(span) => Ok(span),
    }
}

/// Reads the pause between two tries of a probe that has succeeded.
fn pause(text: &str) -> Result<Duration, String> {
    match finite(text)? {
        pause if pause < Duration::from_secs(1) => Err("is too often; write at least 1s".to_owned()),
        pause => Ok(pause),
    }
}

fn on_timeout(text: &str) -> Result<OnTimeout, String> {
    match text {
        "fail" => Ok(OnTimeout::Fail),
        "open" => Ok(OnTimeout::Open),
        _ => Err(suggest::not_one_of(text, &["fail", "open"])),
    }
}

fn on_loss(text: &str) -> Result<OnLoss, String> {
    match text {
        "report" => Ok(OnLoss::Report),
        "fail" => Ok(OnLoss::Fail),
        _ => Err(suggest::not_one_of(text, &["report", "fail"])),
    }
}

// Clauses.

/// An item with the place that asks for it.
type PlacedItem = (Item, Place);

fn clause(written: &WrittenClause, problems: &mut Vec<Problem>) -> Option<(Clause, ClausePlaces)> {
    let keys = &written.keys;
    let before = problems.len();
    let grace = optional(keys.one(&keys::GRACE), problems, finite);
    let recheck = optional(keys.one(&keys::RECHECK), problems, pause);
    let refinements = refinements(keys, problems);
    let mut items = items(keys, |of| of == AskedOf::Any, &refinements, problems);
    let of_host = self::items(keys, is_of_host, &refinements, problems);
    // If something could not be read, do not report what is missing: it may have been in the unreadable part.
    let whole = problems.len() == before && !keys.incomplete;
    let subject = if keys.has(&keys::INTERFACE) {
        of_links(written, &mut items, whole, problems)
    } else {
        items.extend(of_host);
        host(written, items.len(), whole, problems)
    };
    if problems.len() > before || keys.incomplete {
        return None;
    }
    let subject = subject?;
    let (items, of_items): (Vec<Item>, Vec<Place>) = items.into_iter().unzip();
    let if_present = match keys.one(&keys::IF_PRESENT) {
        Some(written) if written.is_true() => match presence(&subject, &items) {
            Ok(presence) => Some(presence),
            Err(message) => {
                problems.push(written.problem(message));
                return None;
            }
        },
        Some(_) | None => None,
    };
    let places = ClausePlaces { first: written.place.clone(), keys: keys.places(), items: of_items };
    Some((Clause { subject, items, grace, if_present, recheck }, places))
}

/// Reads the keys that refine other keys, and reports those without a key to refine.
fn refinements(keys: &WrittenKeys, problems: &mut Vec<Problem>) -> Refinements {
    let table = optional(keys.one(&keys::TABLE), problems, items::table);
    let by_number = matches!(table, Some(Table::Id(_)));
    let refinements = Refinements {
        table: table.unwrap_or(Table::MAIN),
        from: optional(keys.one(&keys::FROM), problems, items::source),
        expect: keys
            .all(&keys::EXPECT)
            .iter()
            .filter_map(|written| optional(Some(written), problems, probes::status))
            .collect(),
    };
    if keys.incomplete {
        return refinements;
    }
    for key in keys::all() {
        if let (Role::Refines { refined, alone }, Some(written)) = (&key.role, keys.one(key)) {
            if !keys::all().any(|other| refined(other) && keys.has(other)) {
                problems.push(written.problem(alone));
            }
        }
    }
    let route_to_alone = keys.has(&keys::ROUTE_TO) && !keys.has(&keys::ROUTE);
    if let Some(written) = keys.one(&keys::TABLE).filter(|_| by_number && route_to_alone) {
        problems.push(written.problem(
            "sets the table of routes, but there is no route; with route-to, the policy rules choose \
             the table, and only the name of a VRF can be given",
        ));
    }
    refinements
}

/// Returns what the keys of the wanted kinds ask for, in the order of reports. An item that is written twice is
/// kept once, so that a quorum counts different items.
fn items(
    keys: &WrittenKeys,
    wanted: fn(AskedOf) -> bool,
    refinements: &Refinements,
    problems: &mut Vec<Problem>,
) -> Vec<PlacedItem> {
    let mut items: Vec<PlacedItem> = Vec::new();
    for key in keys::all() {
        let read = match &key.role {
            Role::Asks { of, read } if wanted(*of) => read,
            Role::Asks { .. } | Role::Gate | Role::Clause | Role::Refines { .. } => continue,
        };
        for written in asked(keys, key) {
            let item = optional(Some(written), problems, |text| read(text, refinements));
            if let Some(item) = item.filter(|item| items.iter().all(|(known, _)| known != item)) {
                items.push((item, written.place.clone()));
            }
        }
    }
    items
}

/// Returns the values of a key that ask for something: all values except a flag's `false`.
fn asked<'a>(keys: &'a WrittenKeys, key: &Key) -> impl Iterator<Item = &'a Written> {
    let flag = key.takes == ValueType::Flag;
    keys.all(key).iter().filter(move |written| !flag || written.is_true())
}

fn is_of_host(of: AskedOf) -> bool {
    match of {
        AskedOf::Host { .. } | AskedOf::Others => true,
        AskedOf::Links | AskedOf::Any => false,
    }
}

fn of_links(
    clause: &WrittenClause,
    items: &mut Vec<PlacedItem>,
    whole: bool,
    problems: &mut Vec<Problem>,
) -> Option<Subject> {
    let keys = &clause.keys;
    for key in keys::all() {
        let Some(written) = asked(keys, key).next() else { continue };
        match key.asks() {
            Some(AskedOf::Host { about }) => problems.push(written.problem(format!(
                "asks about {about}, which belongs to no link: write it in a [[require]] of its own, without \
                 interface"
            ))),
            Some(AskedOf::Others) => problems.push(
                written
                    .problem("is not about a link: write it in a [[require]] of its own, without interface"),
            ),
            Some(AskedOf::Links | AskedOf::Any) | None => {}
        }
    }
    let carrier = keys.one(&keys::CARRIER);
    let implied = items.is_empty() && carrier.is_none();
    // A clause with links implies `carrier = true`. The place of this item is the `interface` key.
    let named = keys.one(&keys::INTERFACE).map_or(&clause.place, |written| &written.place);
    match carrier {
        Some(written) if !written.is_true() => {
            if items.is_empty() && whole {
                problems.push(written.problem(
                    "leaves nothing to ask for: write what the links need (address = \"ip\", \
                     route = \"default\"), or carrier = true",
                ));
            }
        }
        Some(written) => items.insert(0, (Item::Carrier, written.place.clone())),
        None => {
            if implied {
                items.push((Item::Address(AddressSpec::Either), named.clone()));
            }
            items.insert(0, (Item::Carrier, named.clone()));
        }
    }
    interface::links(clause, implied, problems).map(Subject::Links)
}

fn host(clause: &WrittenClause, items: usize, whole: bool, problems: &mut Vec<Problem>) -> Option<Subject> {
    let keys = &clause.keys;
    let carrier = keys.one(&keys::CARRIER);
    if !whole {
        return None;
    }
    if let Some(written) = carrier {
        problems.push(written.problem("is about links: name them with interface"));
    }
    let Some(written) = keys.one(&keys::QUORUM) else {
        if items == 0 && carrier.is_none() {
            problems.push(clause.place.problem(
                "this requirement asks for nothing; write what must be there, for example \
                 route = \"default\" or interface = \"eth0\"",
            ));
        }
        return Some(Subject::Host { needed: items });
    };
    let mut asking = keys::all().filter(|key| key.asks().is_some() && asked(keys, key).next().is_some());
    let is_one_list = asking.next().is_some_and(|key| key.takes.is_list()) && asking.next().is_none();
    let needed = match interface::count(&written.value) {
        Err(message) => Err(message),
        Ok(_) if !is_one_list => {
            Err("counts links, or the entries of a list: name the links with interface, or ask for \
             one list and nothing else"
                .to_owned())
        }
        Ok(Count::All) => Ok(items),
        Ok(Count::AtLeast(number)) if number > items => Err(format!(
            "can never be reached: the list has {}",
            match items {
                1 => "one entry".to_owned(),
                entries => format!("{entries} entries"),
            }
        )),
        Ok(Count::AtLeast(number)) => Ok(number),
    };
    match needed {
        Ok(needed) => Some(Subject::Host { needed }),
        Err(message) => {
            problems.push(written.problem(message));
            None
        }
    }
}

/// Returns what must be present for a clause with `if-present` to count.
fn presence(subject: &Subject, items: &[Item]) -> Result<Presence, String> {
    match subject {
        Subject::Links(_) => return Ok(Presence::Link),
        Subject::Host { .. } => {}
    }
    let mut families = items.iter().map(Item::family);
    let first = families.next().flatten();
    match first.filter(|first| families.all(|family| family == Some(*first))) {
        Some(family) => Ok(Presence::Family(family)),
        None => Err("needs something that can be absent: an interface list, or addresses and routes of \
             one family (\"ipv6\", \"default-ipv6\", 2001:db8::/32)"
            .to_owned()),
    }
}
