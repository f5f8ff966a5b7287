//! What to do about a reason, and which line of a gate file asks for what is missing.

use crate::config::{Place, nearest};
use crate::escape::escape;
use crate::model::{Carrierless, Network, Question};
use crate::report::RouteRef;
use crate::requirement::{Family, Gate};
use crate::verdict::{ClauseVerdict, Dead, Outcome, PastaFault, Reason, Row, Unusable};

/// What to do next about an unmet row; `None` if there is nothing but to wait, or nothing that helps in most cases.
/// `network`, if it is known, is searched for a link that was probably meant.
///
/// A command that is named here can be pasted into a shell: names that a shell would read as more than a name are in
/// none.
pub(super) fn next_step(row: &Row, network: Option<&Network>) -> Option<String> {
    match &row.outcome {
        Outcome::Unmet(reason) => of_reason(reason, network),
        Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => None,
    }
}

/// The line of a gate file that asks for a row: `/etc/netready/nas.toml:3`. `clause` is the number of the row's clause,
/// from 0. `None` for what options ask for, and for the text of a built-in gate. Text of others, as it is.
pub(super) fn place(gate: &Gate, clause: usize, row: &Row) -> Option<String> {
    let place = asked_by(gate, clause, row)?;
    place.is_in_a_file().then(|| place.to_string())
}

fn asked_by<'a>(gate: &'a Gate, clause: usize, row: &Row) -> Option<&'a Place> {
    gate.places.of_item(clause, gate.clauses.get(clause)?, &row.item)
}

/// The next step and the place in one line for people; safe to print. `every_place`: the place is told of rows that
/// are met too, and if it is an option.
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
    // An option has no line.
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

/// Each row of a verdict with the number of its clause, from 0.
pub(super) fn numbered<'a>(
    clauses: impl IntoIterator<Item = &'a ClauseVerdict>,
) -> impl Iterator<Item = (usize, &'a ClauseVerdict, &'a Row)> {
    let clauses = clauses.into_iter().enumerate();
    clauses.flat_map(|(number, clause)| clause.rows.iter().map(move |row| (number, clause, row)))
}

fn of_reason(reason: &Reason, network: Option<&Network>) -> Option<String> {
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
        | Reason::Unread
        | Reason::Pasta { .. }
        | Reason::ProbeFailed { .. }
        // Its text says what to do.
        | Reason::NoProbeProgram(_)
        | Reason::NotTried { .. } => None,
    }
}

/// A link that is there and has nearly this name, else the command that lists them.
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

/// A link's name, if no shell and no option parser reads it as anything else.
fn plain(ifname: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    let is_option = ifname.starts_with('-');
    Some(ifname).filter(|_| !is_option && !ifname.is_empty() && ifname.bytes().all(is_plain))
}
