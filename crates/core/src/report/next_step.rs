//! Advice about a reason, and the line of a gate file that asks for what is missing.

use crate::config::{Place, nearest};
use crate::escape::escape;
use crate::model::{Carrierless, Network, Question};
use crate::report::RouteRef;
use crate::requirement::{Family, Gate};
use crate::verdict::{ClauseVerdict, Dead, Outcome, PastaFault, Reason, Row, Unreached, Unusable};

/// Returns what to do next about an unmet row. `None` if the user can only wait, or if no advice helps in most
/// cases. In `network`, if given, the function looks for a link that the user probably meant.
///
/// Commands in the advice can be pasted into a shell. They contain no link name that a shell would not read as a
/// plain word.
pub(super) fn next_step(row: &Row, network: Option<&Network>) -> Option<String> {
    match &row.outcome {
        Outcome::Unmet(reason) => of_reason(reason, network),
        Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => None,
    }
}

/// Returns the line of a gate file that asks for a row: `/etc/netready/nas.toml:3`. `clause` is the index of the
/// row's clause, from 0. `None` for a row that an option or a built-in gate asks for. The text is not escaped.
pub(super) fn place(gate: &Gate, clause: usize, row: &Row) -> Option<String> {
    let place = asked_by(gate, clause, row)?;
    place.is_in_a_file().then(|| place.to_string())
}

fn asked_by<'a>(gate: &'a Gate, clause: usize, row: &Row) -> Option<&'a Place> {
    gate.places.of_item(clause, gate.clauses.get(clause)?, &row.item)
}

/// Returns the next step and the place as one line for people. The line is safe to print. With `every_place`, the
/// place is also given for rows that are met and for options.
pub(super) fn advice(
    gate: &Gate,
    clause: usize,
    row: &Row,
    network: Option<&Network>,
    every_place: bool,
) -> Option<String> {
    let place = match (every_place, &row.outcome) {
        (true, _) => asked_by(gate, clause, row),
        (false, Outcome::Unmet(_)) => asked_by(gate, clause, row).filter(|place| place.is_in_a_file()),
        (false, Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked) => None,
    };
    // An option has no line number.
    let place = place.map(|place| match place.line {
        Some(_) => format!("asked for in {place}"),
        None => format!("asked for by {place}"),
    });
    let text = match (next_step(row, network), place) {
        (Some(step), Some(place)) => format!("next: {step} ({place})"),
        (Some(step), None) => format!("next: {step}"),
        (None, Some(place)) => place,
        (None, None) => return None,
    };
    Some(escape(&text).into_owned())
}

/// Returns each row of a verdict with the index of its clause, from 0.
pub(super) fn numbered<'a>(
    clauses: impl IntoIterator<Item = &'a ClauseVerdict>,
) -> impl Iterator<Item = (usize, &'a ClauseVerdict, &'a Row)> {
    let clauses = clauses.into_iter().enumerate();
    clauses.flat_map(|(number, clause)| clause.rows.iter().map(move |row| (number, clause, row)))
}

/// What to do next about a reason, in one line: often a command. `None` if there is no good advice.
pub fn of_reason(reason: &Reason, network: Option<&Network>) -> Option<String> {
    match reason {
        Reason::Absent { name } => absent(name, network),
        Reason::NoVrf { .. } => Some("ip -br link show type vrf".to_owned()),
        Reason::Carrier { ifname, why } => of_link(ifname, why),
        Reason::NoAddress { ifname: Some(ifname), disabled: true, .. } => {
            plain(ifname).map(|ifname| format!("sysctl -w net/ipv6/conf/{ifname}/disable_ipv6=0"))
        }
        Reason::Unusable { address, why } => match why {
            Unusable::DadFailed => Some(format!(
                "another host has {}: give one of the two another address",
                address.address
            )),
            Unusable::NoCarrier | Unusable::TentativeNoCarrier => {
                plain(&address.ifname).map(check_the_cable)
            }
            Unusable::Deprecated | Unusable::Tentative => None,
        },
        Reason::DeadRoute { route, why: Dead::Link(why) } => of_link(&route.ifname, why),
        Reason::HiddenRoute { linkdown: true, hidden, .. } => Some(format!(
            "sysctl -w net.{}.conf.all.ignore_routes_with_linkdown=1",
            match family_of(hidden) {
                Family::V4 => "ipv4",
                Family::V6 => "ipv6",
            }
        )),
        Reason::HiddenRoute { taken, linkdown: false, .. } => of_reason(taken, network),
        Reason::Unreachable { wanted, .. } if wanted.zone.is_none() => {
            let from = wanted.from.map_or(String::new(), |from| format!(" from {from}"));
            let vrf = match wanted.vrf.as_deref().map(plain) {
                None => String::new(),
                Some(vrf) => format!(" vrf {}", vrf?),
            };
            Some(format!("ip route get {}{from}{vrf}", wanted.target))
        }
        Reason::NotReached { route, why } => {
            let ip = match family_of(route) {
                Family::V4 => "ip",
                Family::V6 => "ip -6",
            };
            Some(match why {
                Unreached::ByRules => format!("{ip} rule"),
                Unreached::ByRoutes => format!("{ip} route"),
                Unreached::ForOtherSources(_) => format!("{ip} route; {ip} address; {ip} rule"),
            })
        }
        Reason::Pasta { route: Some(route), why: PastaFault::Carrier(why), .. } => of_link(&route.ifname, why),
        Reason::NoNameserver(_) => {
            Some("write a nameserver line to /etc/resolv.conf, or start the service that writes it".to_owned())
        }
        Reason::ProbeFailed { question: Question::Neighbour { address, ifname, .. }, .. } => {
            plain(ifname).map(|ifname| format!("ip neigh show {address} dev {ifname}"))
        }
        Reason::TooFew { .. }
        | Reason::NoUplink { .. }
        | Reason::NoAddress { .. }
        | Reason::NoRoute { .. }
        | Reason::DeadRoute { .. }
        | Reason::RefusingRoute { .. }
        | Reason::WrongLink { .. }
        | Reason::NoSource { .. }
        | Reason::Unreachable { .. }
        | Reason::Broadcast { .. }
        | Reason::Unread
        | Reason::Pasta { .. }
        | Reason::ProbeFailed { .. }
        // The text of this reason already says what to do.
        | Reason::NoProbeProgram(_)
        | Reason::NotTried { .. } => None,
    }
}

/// Returns a link that exists and has a similar name, or else the command that lists the links.
fn absent(name: &str, network: Option<&Network>) -> Option<String> {
    let links = network.into_iter().flat_map(Network::links);
    let names = links.flat_map(|link| core::iter::once(&link.ifname).chain(&link.altnames));
    let is_name = !crate::config::is_glob(name) && !name.starts_with("mac:");
    let near = if is_name { nearest(name, names.map(String::as_str)) } else { None };
    Some(match near {
        Some(near) => format!("did you mean the link {near}?"),
        None => "ip -br link".to_owned(),
    })
}

fn of_link(ifname: &str, why: &Carrierless) -> Option<String> {
    match why {
        Carrierless::AdminDown => plain(ifname).map(|ifname| format!("ip link set {ifname} up")),
        Carrierless::NoCarrier(_) => plain(ifname).map(check_the_cable),
        Carrierless::NoPort(bridge) => {
            plain(bridge).map(|bridge| format!("ip -br link show master {bridge}"))
        }
        Carrierless::Lower(lower) => plain(lower).map(|lower| format!("ip -br link show {lower}")),
        Carrierless::Dormant => {
            Some("the link waits for its supplicant, for example wpa_supplicant for 802.1X".to_owned())
        }
    }
}

fn check_the_cable(ifname: &str) -> String {
    format!("check what {ifname} is connected to: a cable, a switch port, an access point or a peer")
}

fn family_of(route: &RouteRef) -> Family {
    Family::of(route.destination.addr())
}

/// Returns a link's name if shells and option parsers read it as a plain word.
fn plain(ifname: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    let is_option = ifname.starts_with('-');
    Some(ifname).filter(|_| !is_option && !ifname.is_empty() && ifname.bytes().all(is_plain))
}
