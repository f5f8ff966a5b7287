//! What bytes mean: messages of a real kernel, messages of kinds that the recording kernel has not, and
//! what is broken.

mod broken;
mod framing;
#[rustfmt::skip] // tables: a line is a case
mod made;
#[rustfmt::skip] // tables: a line is a case
mod recorded;

use std::time::Duration;

use super::{Event, Frame, event, frames};
use crate::model::{Address, Link, Message, NextHop, Preference, Route, RouteChange};
use crate::moment::Moment;

/// When messages arrive here; lifetimes count from it.
const NOW: Moment = Moment::after_boot(Duration::from_secs(1000));

/// `record.py` made it; see there.
const RECORDED: &str = include_str!("messages.txt");

/// All recorded messages, by name.
fn recorded() -> Vec<(&'static str, Vec<u8>)> {
    let mut lines = RECORDED.lines();
    assert_eq!(lines.next(), Some("octets little-endian"));
    let messages = lines.map(|line| {
        let (name, hex) = line.rsplit_once(' ').unwrap();
        let octet = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (name, (0..hex.len()).step_by(2).map(octet).collect())
    });
    messages.collect()
}

/// All there are, recorded and made.
fn all() -> Vec<(String, Vec<u8>)> {
    let recorded = recorded().into_iter().map(|(name, octets)| (name.to_owned(), octets));
    recorded.chain(made::all()).collect()
}

fn one_frame(octets: &[u8]) -> Frame<'_> {
    frames(octets).next().unwrap().unwrap()
}

/// What a message says, as a line.
fn said(octets: &[u8]) -> String {
    match event(one_frame(octets), NOW) {
        Event::Irrelevant => "irrelevant".to_owned(),
        Event::Undecodable(stale) => format!("undecodable {stale:?}"),
        Event::Message(message) => match message {
            Message::Link(link) => of_link(&link),
            Message::LinkGone(ifindex) => format!("link {ifindex} gone"),
            Message::Address(address) => format!("address {}", of_address(&address)),
            Message::AddressGone(address) => format!("address gone {}", of_address(&address)),
            Message::Route(route, RouteChange::Added) => format!("route {}", of_route(&route)),
            Message::Route(route, RouteChange::Appended) => format!("route appended {}", of_route(&route)),
            Message::Route(route, RouteChange::Replaced) => format!("route replaced {}", of_route(&route)),
            Message::Route(route, RouteChange::Gone) => format!("route gone {}", of_route(&route)),
            Message::Rule(family) => format!("{family} rule"),
            Message::Nexthop(id) => format!("nexthop {id}"),
            Message::NexthopGone(id) => format!("nexthop {id} gone"),
            Message::IgnoreLinkdown(link) => format!("ignore-linkdown {link:?}"),
        },
    }
}

fn of_link(link: &Link) -> String {
    let mut text = format!("link {} {}", link.ifindex, link.ifname);
    for (flag, word) in [
        (link.admin_up(), "UP"),
        (link.lower_up(), "LOWER_UP"),
        (link.running(), "RUNNING"),
        (link.loopback(), "LOOPBACK"),
    ] {
        if flag {
            text += &format!(" {word}");
        }
    }
    text += &format!(" {:?}", link.operstate);
    if !link.kind.is_empty() {
        text += &format!(" kind {}", link.kind);
    }
    for altname in &link.altnames {
        text += &format!(" alt {altname}");
    }
    let numbers = [("master", link.master), ("on", link.lower), ("vrf", link.vrf_table)];
    for (word, number) in numbers {
        if let Some(number) = number {
            text += &format!(" {word} {number}");
        }
    }
    if let Some(kind) = &link.port_kind {
        text += &format!(" port {kind}");
    }
    match link.hardware_address.as_slice() {
        [] => {}
        chosen @ [2, 0, ..] => text += &format!(" mac {}", crate::requirement::MacText(chosen)),
        _ => text += " mac random",
    }
    if link.ipv6_disabled {
        text += " noipv6";
    }
    text
}

fn of_address(address: &Address) -> String {
    let mut text = format!("{}/{}", address.local, address.prefix_len);
    if address.remote != address.local {
        text += &format!(" peer {}", address.remote);
    }
    text += &format!(" dev {} scope {}", address.ifindex, address.scope);
    for (flag, word) in [
        (address.tentative(), "tentative"),
        (address.dadfailed(), "dadfailed"),
        (address.deprecated(), "deprecated"),
    ] {
        if flag {
            text += &format!(" {word}");
        }
    }
    text
}

fn of_hop(hop: &NextHop) -> String {
    let mut text = String::new();
    if let Some(gateway) = hop.gateway {
        text += &format!(" via {gateway}");
    }
    text += &format!(" dev {}", hop.ifindex);
    for (flag, word) in [(hop.dead, "dead"), (hop.linkdown, "linkdown"), (hop.onlink, "onlink")] {
        if flag {
            text += &format!(" {word}");
        }
    }
    text
}

fn of_route(route: &Route) -> String {
    let mut text = format!("{:?} {}", route.kind, route.destination);
    let hops: Vec<String> = route.hops.iter().map(of_hop).collect();
    text += &hops.join(" and");
    if let Some(source) = route.source {
        text += &format!(" from {source}");
    }
    if let Some(prefsrc) = route.prefsrc {
        text += &format!(" src {prefsrc}");
    }
    text += &format!(" table {} metric {}", route.table, route.metric);
    if route.tos != 0 {
        text += &format!(" tos {}", route.tos);
    }
    if route.preference != Preference::Medium {
        text += &format!(" preference {:?}", route.preference);
    }
    if let Some(id) = route.nexthop {
        text += &format!(" nexthop {id}");
    }
    if let Some(expires) = route.expires {
        text += &format!(" expires in {}s", (expires - NOW).as_secs());
    }
    text
}
