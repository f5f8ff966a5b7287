//! The options of run, wait, check, monitor and cat: as typed → the same raw gate as a file makes.

use alloc::rc::Rc;

use super::Problem;
use super::raw::{Place, RawClause, RawGate, Written};
use crate::requirement::Family;

/// What was typed, every value still a text; see `netready --help` for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `--interface`
    pub interface: Vec<String>,
    /// `-4`
    pub ipv4: bool,
    /// `-6`
    pub ipv6: bool,
    /// `--address`
    pub address: Vec<String>,
    /// `--route`
    pub route: Vec<String>,
    /// `--table`
    pub table: Option<String>,
    /// `--route-to`
    pub route_to: Vec<String>,
    /// `--from`
    pub from: Option<String>,
    /// `--any`
    pub any: bool,
    /// `--quorum`
    pub quorum: Option<String>,
    /// `--nameserver`
    pub nameserver: bool,
    /// `--dns`
    pub dns: Vec<String>,
    /// `--tcp`
    pub tcp: Vec<String>,
    /// `--http`
    pub http: Vec<String>,
    /// `--ping`
    pub ping: Vec<String>,
    /// `--gateway`
    pub gateway: Vec<String>,
    /// `--timeout`
    pub timeout: Option<String>,
    /// `--no-carrier-timeout`
    pub no_carrier_timeout: Option<String>,
    /// `--settle`
    pub settle: Option<String>,
}

impl Options {
    /// Whether something is required by them; the durations alone only change a gate.
    pub fn require_something(&self) -> bool {
        self.nameserver || self.probe() || self.make_a_clause()
    }

    fn probe(&self) -> bool {
        [&self.dns, &self.tcp, &self.http, &self.ping, &self.gateway].iter().any(|list| !list.is_empty())
    }

    fn make_a_clause(&self) -> bool {
        let Options {
            interface,
            ipv4,
            ipv6,
            address,
            route,
            table,
            route_to,
            from,
            any,
            quorum,
            nameserver: _,
            dns: _,
            tcp: _,
            http: _,
            ping: _,
            gateway: _,
            timeout: _,
            no_carrier_timeout: _,
            settle: _,
        } = self;
        let lists = [interface, address, route, route_to];
        lists.iter().any(|list| !list.is_empty())
            || *ipv4
            || *ipv6
            || *any
            || table.is_some()
            || from.is_some()
            || quorum.is_some()
    }

    /// Whether `-4` and `-6` stand alone, so that they ask for their default routes; where those stand and
    /// how many are enough may be said beside them.
    fn are_families_alone(&self) -> bool {
        let others =
            Options { ipv4: false, ipv6: false, table: None, any: false, quorum: None, ..self.clone() };
        !others.require_something()
    }

    fn families(&self) -> impl Iterator<Item = Family> {
        let given = [(self.ipv4, Family::V4), (self.ipv6, Family::V6)];
        given.into_iter().filter_map(|(given, family)| given.then_some(family))
    }
}

/// The gate that the options make: their durations, and a clause or two.
pub fn read(options: &Options, problems: &mut Vec<Problem>) -> RawGate {
    let mut gate = RawGate {
        timeout: value("--timeout", options.timeout.as_ref()),
        no_carrier_timeout: value("--no-carrier-timeout", options.no_carrier_timeout.as_ref()),
        settle: value("--settle", options.settle.as_ref()),
        ..RawGate::default()
    };
    if options.make_a_clause() {
        gate.clauses.push(clause(options, problems));
    }
    if options.nameserver {
        let place = place("--nameserver");
        let mut clause = RawClause::at(place.clone());
        clause.nameserver = Some(Written { value: true, place, name: String::new() });
        gate.clauses.push(clause);
    }
    if options.probe() {
        let mut clause = RawClause::at(place("command line"));
        clause.dns = values("--dns", &options.dns);
        clause.tcp = values("--tcp", &options.tcp);
        clause.http = values("--http", &options.http);
        clause.ping = values("--ping", &options.ping);
        clause.gateway = values("--gateway", &options.gateway);
        gate.clauses.push(clause);
    }
    gate
}

fn clause(options: &Options, problems: &mut Vec<Problem>) -> RawClause {
    let mut clause = RawClause::at(place("command line"));
    clause.interface = values("--interface", &options.interface);
    clause.address = values("--address", &options.address);
    clause.route = values("--route", &options.route);
    clause.table = value("--table", options.table.as_ref());
    clause.route_to = values("--route-to", &options.route_to);
    clause.from = value("--from", options.from.as_ref());
    clause.quorum = value("--quorum", options.quorum.as_ref());
    if options.any {
        let any = Written { value: "any".to_owned(), place: place("--any"), name: String::new() };
        if let Some(quorum) = &clause.quorum {
            problems.push(
                any.problem(format!("and {} exclude each other: --any is --quorum 1", quorum.place.origin)),
            );
        }
        clause.quorum = Some(any);
    }
    need_families(options, &mut clause);
    clause
}

/// `-4` and `-6`: what they need depends on what stands beside them.
fn need_families(options: &Options, clause: &mut RawClause) {
    let alone = options.are_families_alone();
    let families: Vec<Family> = options.families().collect();
    if !families.is_empty() {
        // Every `default` is the families' own.
        let routes = core::mem::take(&mut clause.route);
        for route in routes {
            if route.value == "default" {
                clause.route.extend(
                    families
                        .iter()
                        .map(|family| Written { value: default_of(*family).to_owned(), ..route.clone() }),
                );
            } else {
                clause.route.push(route);
            }
        }
    }
    for family in families {
        let (flag, address) = match family {
            Family::V4 => ("-4", "ipv4"),
            Family::V6 => ("-6", "ipv6"),
        };
        let written =
            |value: &str| Written { value: value.to_owned(), place: place(flag), name: String::new() };
        let has_default = clause.route.iter().any(|route| route.value == default_of(family));
        if alone {
            clause.route.push(written(default_of(family)));
        } else if !clause.interface.is_empty() || !has_default {
            clause.address.push(written(address));
        }
    }
}

fn default_of(family: Family) -> &'static str {
    match family {
        Family::V4 => "default-ipv4",
        Family::V6 => "default-ipv6",
    }
}

fn place(origin: &str) -> Place {
    Place { origin: Rc::from(origin), line: None }
}

fn value(option: &str, value: Option<&String>) -> Option<Written<String>> {
    value.map(|value| written(option, value))
}

fn values(option: &str, values: &[String]) -> Vec<Written<String>> {
    values.iter().map(|value| written(option, value)).collect()
}

/// The option and its value are the place, so a message needs no other name.
fn written(option: &str, value: &str) -> Written<String> {
    Written {
        value: value.to_owned(),
        place: place(&format!("{option} {}", super::words::shown(value))),
        name: String::new(),
    }
}
