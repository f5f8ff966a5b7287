//! From a gate as written to the gate that is meant, once, with every check.

use core::time::Duration;

use super::Problem;
use super::duration::{self, Span};
use super::items;
use super::links::{self, Count};
use super::probes;
use super::raw::{RawClause, RawGate, Written};
use super::words;
use crate::kernel_line::Forced;
use crate::model::link_local;
use crate::requirement::{
    AddressSpec, Clause, Destination, Family, Gate, Item, OnLoss, OnTimeout, Presence, Probe, RouteSpec,
    RouteTo, Subject, Table,
};

/// The timeout of a gate that names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(90);

/// The gate that is meant; an error when there was a problem, now or before.
pub fn gate(
    name: &str,
    source: &str,
    raw: &RawGate,
    mut problems: Vec<Problem>,
) -> Result<Gate, Vec<Problem>> {
    let reader = &mut problems;
    let gate = Gate {
        name: name.to_owned(),
        source: source.to_owned(),
        timeout: optional(raw.timeout.as_ref(), reader, timeout).unwrap_or(Some(DEFAULT_TIMEOUT)),
        no_carrier_timeout: optional(raw.no_carrier_timeout.as_ref(), reader, timeout).unwrap_or_default(),
        settle: optional(raw.settle.as_ref(), reader, finite).unwrap_or_default(),
        on_timeout: optional(raw.on_timeout.as_ref(), reader, on_timeout).unwrap_or(OnTimeout::Fail),
        on_loss: optional(raw.on_loss.as_ref(), reader, on_loss).unwrap_or(OnLoss::Report),
        forced: Forced::default(),
        clauses: raw.clauses.iter().filter_map(|raw| clause(raw, reader)).collect(),
    };
    let too_short = gate.timeout.filter(|timeout| *timeout < gate.settle);
    if let (Some(settle), Some(timeout)) = (&raw.settle, too_short) {
        problems.push(settle.problem(format!(
            "is longer than the timeout ({}): this gate could never open",
            duration::text(timeout)
        )));
    }
    if raw.clauses.is_empty() && !raw.incomplete {
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

// The gate's keys.

fn optional<T>(
    written: Option<&Written<String>>,
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

/// `None` is for ever.
fn timeout(text: &str) -> Result<Option<Duration>, String> {
    match duration::parse(text)? {
        Span::Infinite => Ok(None),
        Span::Finite(Duration::ZERO) => {
            Err("is no time to wait; for ever is \"infinity\", and one look is netready check".to_owned())
        }
        Span::Finite(span) => Ok(Some(span)),
    }
}

fn finite(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Span::Infinite => Err("never ends; only a timeout can be infinity".to_owned()),
        Span::Finite(span) => Ok(span),
    }
}

/// Between two tries of a probe that is met.
fn pause(text: &str) -> Result<Duration, String> {
    match finite(text)? {
        pause if pause < Duration::from_secs(1) => Err("is too often; it is at least 1s".to_owned()),
        pause => Ok(pause),
    }
}

fn on_timeout(text: &str) -> Result<OnTimeout, String> {
    match text {
        "fail" => Ok(OnTimeout::Fail),
        "open" => Ok(OnTimeout::Open),
        _ => Err(words::not_one_of(text, &["fail", "open"])),
    }
}

fn on_loss(text: &str) -> Result<OnLoss, String> {
    match text {
        "report" => Ok(OnLoss::Report),
        "fail" => Ok(OnLoss::Fail),
        _ => Err(words::not_one_of(text, &["report", "fail"])),
    }
}

// Clauses.

fn clause(raw: &RawClause, problems: &mut Vec<Problem>) -> Option<Clause> {
    let before = problems.len();
    let grace = optional(raw.grace.as_ref(), problems, finite);
    let mut items = passive_items(raw, problems);
    let active = active_items(raw, problems);
    let recheck = optional(raw.recheck.as_ref(), problems, pause);
    if let (Some(written), true) = (&raw.recheck, active.is_empty() && !raw.incomplete) {
        problems.push(written.problem("says how often probes are tried again, but there is no probe"));
    }
    // Where something could not be read, what is missing or too little proves nothing.
    let whole = problems.len() == before && !raw.incomplete;
    let subject = if raw.interface.is_empty() {
        host(raw, &mut items, active, whole, problems)
    } else {
        of_links(raw, &mut items, whole, problems)
    };
    if problems.len() > before || raw.incomplete {
        return None;
    }
    let subject = subject?;
    let if_present = match &raw.if_present {
        Some(written) if written.value => match presence(&subject, &items) {
            Ok(presence) => Some(presence),
            Err(message) => {
                problems.push(written.problem(message));
                return None;
            }
        },
        Some(_) | None => None,
    };
    Some(Clause { subject, items, grace, if_present, recheck })
}

/// What can be asked of links and of the host, in the order in which it is reported.
fn passive_items(raw: &RawClause, problems: &mut Vec<Problem>) -> Vec<Item> {
    let table = optional(raw.table.as_ref(), problems, items::table);
    if let (Some(written), true) = (&raw.table, raw.route.is_empty() && !raw.incomplete) {
        match &table {
            Some(Table::Id(_)) if !raw.route_to.is_empty() => problems.push(written.problem(
                "says where routes must stand, but there is no route; with route-to, the policy rules choose \
                 the table, and only the name of a VRF can be given",
            )),
            Some(Table::Vrf(_)) if !raw.route_to.is_empty() => {}
            Some(_) | None => {
                problems.push(written.problem("says where routes must stand, but there is no route"));
            }
        }
    }
    let table = table.unwrap_or(Table::MAIN);
    let vrf = match &table {
        Table::Id(_) => None,
        Table::Vrf(name) => Some(name.clone()),
    };
    let from = optional(raw.from.as_ref(), problems, items::source);
    if let (Some(written), true) = (&raw.from, raw.route_to.is_empty() && !raw.incomplete) {
        problems.push(written.problem("says from which address route-to is asked, but there is no route-to"));
    }
    let route_to = |text: &str| {
        let (target, zone) = items::host(text)?;
        let wanted = RouteTo { target, zone, from, vrf: vrf.clone() };
        fits_together(&wanted).map(|()| Item::RouteTo(wanted))
    };
    let route = |text: &str| {
        items::destination(text)
            .map(|destination| Item::Route(RouteSpec { destination, table: table.clone() }))
    };
    let mut items = Vec::new();
    for (list, read) in [
        (&raw.address, &(|text: &str| items::address(text).map(Item::Address)) as &dyn Fn(&str) -> _),
        (&raw.route, &route),
        (&raw.route_to, &route_to),
    ] {
        for written in list {
            let item: Option<Item> = optional(Some(written), problems, read);
            // Said twice is asked once, so that a quorum counts what differs.
            if let Some(item) = item.filter(|item| !items.contains(item)) {
                items.push(item);
            }
        }
    }
    items
}

/// Whether a connection there can be made from that address, and in that VRF.
fn fits_together(wanted: &RouteTo) -> Result<(), String> {
    if let (Some(_), Some(vrf)) = (&wanted.zone, &wanted.vrf) {
        return Err(format!(
            "has a zone, which names the link, beside the table of {vrf}: give it a [[require]] of its own"
        ));
    }
    let Some(from) = wanted.from else { return Ok(()) };
    let (family, of_source) = (Family::of(wanted.target), Family::of(from));
    if family != of_source {
        return Err(format!("is {family}, but from {from} is {of_source}"));
    }
    if from.is_loopback() && !wanted.target.is_loopback() {
        return Err(format!("is not loopback, but from {from} is: nothing of it leaves this host"));
    }
    if link_local(from) && !link_local(wanted.target) {
        return Err(format!("is not link-local, but from {from} is: no answer would come back"));
    }
    Ok(())
}

/// What is asked of others, in the order in which it is reported.
fn active_items(raw: &RawClause, problems: &mut Vec<Problem>) -> Vec<Item> {
    let expect: Vec<u16> =
        raw.expect.iter().filter_map(|written| optional(Some(written), problems, probes::status)).collect();
    if let (Some(written), true) = (raw.expect.first(), raw.http.is_empty() && !raw.incomplete) {
        problems.push(written.problem("says which answers to http will do, but there is no http"));
    }
    let mut items = Vec::new();
    for (list, read) in [
        (&raw.dns, &(|text: &str| probes::dns(text).map(Item::Probe)) as &dyn Fn(&str) -> _),
        (&raw.tcp, &|text: &str| probes::tcp(text).map(Item::Probe)),
        (&raw.http, &|text: &str| probes::http(text, &expect).map(Item::Probe)),
        (&raw.ping, &|text: &str| probes::ping(text).map(Item::Probe)),
        (&raw.gateway, &|text: &str| probes::gateway(text).map(Item::Gateway)),
    ] {
        for written in list {
            let item: Option<Item> = optional(Some(written), problems, read);
            if let Some(item) = item.filter(|item| !items.contains(item)) {
                items.push(item);
            }
        }
    }
    items
}

fn of_links(
    raw: &RawClause,
    items: &mut Vec<Item>,
    whole: bool,
    problems: &mut Vec<Problem>,
) -> Option<Subject> {
    for (asked, what) in [(&raw.pasta, "what pasta takes"), (&raw.nameserver, "what resolv.conf names")] {
        if let Some(written) = asked.as_ref().filter(|written| written.value) {
            problems.push(written.problem(format!(
                "asks about {what}, which is no link's: give it a [[require]] of its own, without \
                 interface"
            )));
        }
    }
    for list in [&raw.dns, &raw.tcp, &raw.http, &raw.ping, &raw.gateway] {
        if let Some(written) = list.first() {
            problems.push(written.problem(
                "is asked by the host, not by a link: give it a [[require]] of its own, without interface",
            ));
        }
    }
    let implied = items.is_empty() && raw.carrier.is_none();
    match &raw.carrier {
        Some(written) if !written.value => {
            if items.is_empty() && whole {
                problems.push(written.problem(
                    "leaves nothing to ask for: write what the links need (address = \"ip\", \
                     route = \"default\"), or carrier = true",
                ));
            }
        }
        Some(_) => items.insert(0, Item::Carrier),
        None => {
            if implied {
                items.push(Item::Address(AddressSpec::Either));
            }
            items.insert(0, Item::Carrier);
        }
    }
    links::links(raw, implied, problems).map(Subject::Links)
}

fn host(
    raw: &RawClause,
    items: &mut Vec<Item>,
    active: Vec<Item>,
    whole: bool,
    problems: &mut Vec<Problem>,
) -> Option<Subject> {
    if let Some(written) = raw.carrier.as_ref().filter(|_| whole) {
        problems.push(written.problem("is asked of links: name them with interface"));
    }
    let listed = items.len();
    for (asked, item) in [(&raw.pasta, Item::Pasta), (&raw.nameserver, Item::Nameserver)] {
        if asked.as_ref().is_some_and(|written| written.value) {
            items.push(item);
        }
    }
    let flagged = items.len() > listed;
    items.extend(active);
    if !whole {
        return None;
    }
    let Some(written) = &raw.quorum else {
        if items.is_empty() && raw.carrier.is_none() {
            problems.push(raw.place.problem(
                "this requirement asks for nothing; write what must be there, for example \
                 route = \"default\" or interface = \"eth0\"",
            ));
        }
        return Some(Subject::Host { needed: items.len() });
    };
    let passive = [&raw.address, &raw.route, &raw.route_to];
    let active = [&raw.dns, &raw.tcp, &raw.http, &raw.ping, &raw.gateway];
    let lists = passive.into_iter().chain(active);
    let one_list = lists.filter(|list| !list.is_empty()).count() == 1;
    let needed = match links::count(&written.value) {
        Err(message) => Err(message),
        Ok(_) if !one_list || flagged => {
            Err("counts links (name them with interface), or the entries of one list where there is \
             no interface and nothing else"
                .to_owned())
        }
        Ok(Count::All) => Ok(items.len()),
        Ok(Count::AtLeast(number)) if number > items.len() => Err(format!(
            "can never be reached: the list has {}",
            match items.len() {
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

/// What must be there for the clause to count.
fn presence(subject: &Subject, items: &[Item]) -> Result<Presence, String> {
    match subject {
        Subject::Links(_) => return Ok(Presence::Link),
        Subject::Host { .. } => {}
    }
    let mut families = items.iter().map(family);
    let first = families.next().flatten();
    match first.filter(|first| families.all(|family| family == Some(*first))) {
        Some(family) => Ok(Presence::Family(family)),
        None => Err("needs something whose presence counts: an interface list, or addresses and routes of \
             one family (\"ipv6\", \"default-ipv6\", 2001:db8::/32)"
            .to_owned()),
    }
}

/// The family that an item names.
fn family(item: &Item) -> Option<Family> {
    match item {
        Item::Address(AddressSpec::Family(family) | AddressSpec::LinkLocal(family)) => Some(*family),
        Item::Address(AddressSpec::Exact(address)) => Some(Family::of(*address)),
        Item::RouteTo(wanted) => Some(Family::of(wanted.target)),
        Item::Address(AddressSpec::Prefix(net)) => Some(Family::of(net.addr())),
        Item::Route(route) => match route.destination {
            Destination::DefaultOf(family) => Some(family),
            Destination::Prefix(net) => Some(Family::of(net.addr())),
            Destination::Default => None,
        },
        Item::Probe(Probe::Ping { address, .. }) => Some(Family::of(*address)),
        Item::Gateway(family) => *family,
        Item::Probe(Probe::Dns(_) | Probe::Tcp(_) | Probe::Http(_))
        | Item::Carrier
        | Item::Address(AddressSpec::Either)
        | Item::Pasta
        | Item::Nameserver => None,
    }
}
