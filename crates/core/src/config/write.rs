//! From a gate to the text of a gate file that means it: for `cat` of options, and for `learn`.

use core::fmt::Write;
use core::time::Duration;

use super::duration;
use super::options::Options;
use crate::requirement::{
    Clause, Gate, GatewayWord, Item, LinkName, Links, OnLoss, OnTimeout, Probe, Quorum, Subject, Table,
};

/// A whole gate file; read again it is the same gate.
///
/// The grammar has one `table` and one `from` for a whole clause, so a clause made elsewhere must have too.
pub fn gate(gate: &Gate) -> String {
    let mut out = String::new();
    pair(&mut out, "timeout", &limit(gate.timeout));
    if gate.no_carrier_timeout.is_some() {
        pair(&mut out, "no-carrier-timeout", &limit(gate.no_carrier_timeout));
    }
    if !gate.settle.is_zero() {
        pair(&mut out, "settle", &quoted(&duration::text(gate.settle)));
    }
    match gate.on_timeout {
        OnTimeout::Fail => {}
        OnTimeout::Open => pair(&mut out, "on-timeout", "\"open\""),
    }
    match gate.on_loss {
        OnLoss::Report => {}
        OnLoss::Fail => pair(&mut out, "on-loss", "\"fail\""),
    }
    clauses(&mut out, &gate.clauses);
    out
}

/// The drop-in that options are to a gate: what they replaced, and the clauses after the gate's own.
pub fn drop_in(options: &Options, gate: &Gate, own_clauses: usize) -> String {
    let mut out = String::new();
    if options.timeout.is_some() {
        pair(&mut out, "timeout", &limit(gate.timeout));
    }
    if options.no_carrier_timeout.is_some() {
        pair(&mut out, "no-carrier-timeout", &limit(gate.no_carrier_timeout));
    }
    if options.settle.is_some() {
        pair(&mut out, "settle", &quoted(&duration::text(gate.settle)));
    }
    clauses(&mut out, gate.clauses.get(own_clauses..).unwrap_or_default());
    out
}

fn clauses(out: &mut String, clauses: &[Clause]) {
    for written in clauses {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&clause(written));
    }
}

/// One `[[require]]`.
pub fn clause(clause: &Clause) -> String {
    let mut out = "[[require]]\n".to_owned();
    let has_carrier = clause.items.contains(&Item::Carrier);
    let implied = match &clause.subject {
        Subject::Host { needed } => {
            if *needed < clause.items.len() {
                pair(&mut out, "quorum", &at_least(*needed));
            }
            false
        }
        Subject::Links(links) => {
            interface(&mut out, links);
            let asks_more = clause.items.len() > usize::from(has_carrier);
            if !has_carrier {
                pair(&mut out, "carrier", "false");
            } else if !asks_more {
                pair(&mut out, "carrier", "true");
            }
            links.implied
        }
    };
    if !implied {
        items(&mut out, &clause.items);
    }
    if let Some(recheck) = clause.recheck {
        pair(&mut out, "recheck", &quoted(&duration::text(recheck)));
    }
    if clause.if_present.is_some() {
        pair(&mut out, "if-present", "true");
    }
    if let Some(grace) = clause.grace {
        pair(&mut out, "grace", &quoted(&duration::text(grace)));
    }
    out
}

fn interface(out: &mut String, links: &Links) {
    let wanted = links.entries.iter().map(|name| match name {
        LinkName::Exact(name) => literally(name),
        LinkName::Glob(_) | LinkName::Mac(_) => name.to_string(),
    });
    let unwanted = links.exclude.iter().map(|pattern| format!("!{}", pattern.as_str()));
    pair(out, "interface", &list(wanted.chain(unwanted)));
    match links.quorum {
        Quorum::Each => {}
        Quorum::AtLeast(number) => pair(out, "quorum", &at_least(number)),
        Quorum::All => pair(out, "quorum", "\"all\""),
    }
}

fn items(out: &mut String, items: &[Item]) {
    let mut address = Vec::new();
    let mut route = Vec::new();
    let mut table = Table::MAIN;
    let mut route_to = Vec::new();
    let mut from = None;
    let mut of_the_host = Vec::new();
    let (mut dns, mut tcp, mut http, mut ping, mut gateway) = (vec![], vec![], vec![], vec![], vec![]);
    let mut expect: &[u16] = &[];
    for item in items {
        match item {
            Item::Carrier => {}
            Item::Address(spec) => address.push(spec.to_string()),
            Item::Route(spec) => {
                route.push(spec.destination.to_string());
                table = spec.table.clone();
            }
            Item::RouteTo(wanted) => {
                let zone = wanted.zone.as_ref().map_or(String::new(), |zone| format!("%{zone}"));
                route_to.push(format!("{}{zone}", wanted.target));
                from = wanted.from;
                if let Some(name) = &wanted.vrf {
                    table = Table::Vrf(name.clone());
                }
            }
            Item::Pasta => of_the_host.push("pasta"),
            Item::Nameserver => of_the_host.push("nameserver"),
            Item::Probe(Probe::Dns(name)) => dns.push(name.clone()),
            Item::Probe(Probe::Tcp(endpoint)) => tcp.push(endpoint.to_string()),
            Item::Probe(Probe::Http(request)) => {
                http.push(request.url.to_string());
                expect = &request.expect;
            }
            Item::Probe(Probe::Ping { address, zone }) => {
                let zone = zone.as_ref().map_or(String::new(), |zone| format!("%{zone}"));
                ping.push(format!("{address}{zone}"));
            }
            Item::Gateway(family) => gateway.push(GatewayWord(*family).to_string()),
        }
    }
    for (key, values) in [("address", address), ("route", route)] {
        if !values.is_empty() {
            pair(out, key, &list(values));
        }
    }
    match table {
        Table::MAIN => {}
        Table::Id(id) => pair(out, "table", &id.to_string()),
        Table::Vrf(name) => pair(out, "table", &quoted(&name)),
    }
    if !route_to.is_empty() {
        pair(out, "route-to", &list(route_to));
    }
    if let Some(from) = from {
        pair(out, "from", &quoted(&from.to_string()));
    }
    for key in of_the_host {
        pair(out, key, "true");
    }
    for (key, values) in [("dns", dns), ("tcp", tcp), ("http", http), ("ping", ping), ("gateway", gateway)] {
        if !values.is_empty() {
            pair(out, key, &list(values));
        }
    }
    if !expect.is_empty() {
        let codes: Vec<String> = expect.iter().map(ToString::to_string).collect();
        pair(out, "expect", &format!("[{}]", codes.join(", ")));
    }
}

fn pair(out: &mut String, key: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{key} = {value}");
}

fn limit(span: Option<Duration>) -> String {
    quoted(&span.map_or("infinity".to_owned(), duration::text))
}

fn at_least(number: usize) -> String {
    if number == 1 { "\"any\"".to_owned() } else { number.to_string() }
}

/// A name as an `interface` entry that means it alone. The kernel allows `*` and `!` in names; written as
/// bytes they are no pattern and no exclusion.
fn literally(name: &str) -> String {
    let special = |(at, c): (usize, char)| match c {
        '*' | '?' | '[' => true,
        '!' => at == 0,
        _ => false,
    };
    let spelled = |(at, c): (usize, char)| match special((at, c)) {
        true => format!("\\x{:02x}", u32::from(c)),
        false => c.to_string(),
    };
    name.char_indices().map(spelled).collect()
}

fn list(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| quoted(&value)).collect();
    match values.as_slice() {
        [one] => one.clone(),
        _ => format!("[{}]", values.join(", ")),
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
