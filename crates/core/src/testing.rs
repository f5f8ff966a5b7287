//! A small language for networks and gates, so that a case is a line.
//!
//! A network is statements, separated by `;`. It has `lo` (number 1) with 127.0.0.1/8 and ::1/128 in any
//! case; other links are numbered from 2 in the order in which they are written.
//!
//! ```text
//! eth0: up kind=bridge master=br0 port=vrf on=eth1 alt=lan0 mac=02:…/none card vrf=100 noipv6 losses=3
//! addr eth0 192.0.2.10/24 peer 192.0.2.1 tentative optimistic dadfailed deprecated permanent temporary noprefixroute
//! addr eth0 192.0.2.10/24 link/site/host
//! route default4 via 192.0.2.1 dev eth0 metric 100 table 100 src 192.0.2.10 from 2001:db8::/56 expires 5 nhid 7
//! route 10.0.0.0/8 nexthop via 192.0.2.1 dev eth0 linkdown nexthop dev eth1
//! route default4 unreachable          route default4 tos 16 dev eth0          route default6 pref high dev eth0
//! chosen default4 via 192.0.2.1 dev eth0      a route that is there, and that the kernel's lookup takes
//! lookup 198.51.100.7 via 192.0.2.1 dev eth0 src 192.0.2.10          lookup 198.51.100.7 errno 101 / broadcast
//! lookup 198.51.100.7 of 192.0.2.10 in vrf0 dev eth0 …               with route-to's from, and its VRF
//! pasta4 default4 via …     one route of the main table's dump; alone: the table was read, and is empty
//! gateway4                  the gateway of pasta's default was looked up, and is on the link
//! ns 192.0.2.53 / ns none / ns unreadable WHY
//! says tcp 192.0.2.7:22 = TEXT / fails tcp 192.0.2.7:22 = WHY      the answer to a probe (dns, tcp, http, ping)
//! says gateway 192.0.2.1 eth0 / fails gateway 192.0.2.1 eth0        a gateway's
//! unread4 / unread6         the main table was not read (else it was); read4 100: that table was
//! refusing4 / refusing6     the main table has a route of a short prefix that refuses
//! unreached4 / unreached6     the kernel refuses ordinary traffic before it comes to the main table's default route
//! preferred default4 via 192.0.2.1 dev eth0 table 200      the kernel takes this one instead of the main table's default
//! ```
//!
//! A gate is the keys of one `[[require]]`, separated by `;`; clauses are separated by `|`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests only, of this crate and of others"
)]

pub mod kernel;
pub mod operations;

use alloc::collections::BTreeMap;
use core::time::Duration;

use ipnet::IpNet;

use crate::config::keys::{self, CommandLineOption};
use crate::config::{self, Options};
use crate::model::{
    Address, Link, Lookup, Message, Nameservers, Network, NextHop, Operstate, PastaView, Preference,
    Question, Route, RouteKind,
};
use crate::moment::Moment;
use crate::requirement::{Family, Gate, RouteTo, TABLE_MAIN};
use crate::wants::Wants;

/// The moment at which cases are judged; `expires` counts seconds since boot as well.
pub const NOW: Moment = Moment::after_boot(Duration::from_secs(100));

/// The flag IFF_UP of linux/if.h: the administrator wants the link up.
pub const IFF_UP: u32 = 1;
/// The flag IFF_LOOPBACK of linux/if.h: a loopback link.
pub const IFF_LOOPBACK: u32 = 8;
/// The flag IFF_RUNNING of linux/if.h: the link is operational.
pub const IFF_RUNNING: u32 = 1 << 6;
/// The flag IFF_LOWER_UP of linux/if.h: the driver sees a carrier.
pub const IFF_LOWER_UP: u32 = 1 << 16;
/// Of a link that carries traffic.
pub const CARRIER: u32 = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;

/// A gate of these clauses; the error is the configuration's.
pub fn try_gate(text: &str) -> Result<Gate, String> {
    let clauses = text.split('|').map(|clause| format!("[[require]]\n{}\n", clause.replace(';', "\n")));
    config::parse("test", "test.toml", &clauses.collect::<String>()).map_err(|error| error.to_string())
}

/// A gate of these clauses.
#[track_caller]
pub fn gate(text: &str) -> Gate {
    match try_gate(text) {
        Ok(gate) => gate,
        Err(error) => panic!("{text}: {error}"),
    }
}

/// A network of these statements.
#[track_caller]
pub fn network(text: &str) -> Network {
    let mut builder = Builder::new();
    let text = format!("lo: unknown loopback mac=none; {text}");
    let statements = || text.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    // Links first: others name them.
    for statement in statements() {
        if let Some((name, rest)) = statement.split_once(": ") {
            builder.number(name);
            builder.links_text.push((name.to_owned(), rest.to_owned()));
        }
    }
    builder.links();
    builder.statement("addr lo 127.0.0.1/8 host");
    builder.statement("addr lo ::1/128 host");
    for statement in statements().filter(|statement| !statement.contains(": ")) {
        builder.statement(statement);
    }
    builder.network
}

/// The options that these words are, as `-i va0 --any`; each value is a word of its own.
#[track_caller]
pub fn options(words: &str) -> Options {
    let (options, left_over) = options_among(words);
    assert_eq!(left_over, [""; 0], "no options");
    options
}

/// The options among these words, and the words that are none.
#[track_caller]
pub fn options_among(words: &str) -> (Options, Vec<&str>) {
    let mut options = Options::default();
    let mut left_over = Vec::new();
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        let is_it = |option: &CommandLineOption| {
            word == option.typed() || option.short.is_some_and(|short| word == format!("-{short}"))
        };
        let Some((key, option)) = keys::options().find(|(_, option)| is_it(option)) else {
            left_over.push(word);
            continue;
        };
        let value = option.value_name.map_or(Some("true"), |_| words.next());
        let value = value.unwrap_or_else(|| panic!("{word}: no value")).to_owned();
        let mut values = match key.takes.is_list() && option.value_name.is_some() {
            true => options.values(key).to_vec(),
            false => Vec::new(),
        };
        values.push(value);
        options.set(option, values);
    }
    (options, left_over)
}

struct Builder {
    numbers: BTreeMap<String, u32>,
    links_text: Vec<(String, String)>,
    network: Network,
}

impl Builder {
    fn new() -> Builder {
        let mut network = Network::default();
        network.routes.complete = Family::BOTH.map(|family| (family, TABLE_MAIN)).into();
        network.routes.pasta = Family::BOTH.map(|family| (family, PastaView::default())).into();
        Builder { numbers: BTreeMap::new(), links_text: Vec::new(), network }
    }

    fn number(&mut self, name: &str) {
        let next = u32::try_from(self.numbers.len()).unwrap() + 1;
        self.numbers.insert(name.to_owned(), next);
    }

    /// A link's number; a number that is written stands for a link that is not known.
    fn index(&self, name: &str) -> u32 {
        let known = self.numbers.get(name).copied();
        known.or_else(|| name.parse().ok()).unwrap_or_else(|| panic!("no link {name}"))
    }

    fn apply(&mut self, message: &Message) {
        self.network.apply(message, &Wants::default());
    }

    fn links(&mut self) {
        for (name, text) in self.links_text.clone() {
            let link = self.link(&name, &text);
            self.apply(&Message::Link(Box::new(link)));
        }
    }

    fn link(&self, name: &str, text: &str) -> Link {
        let ifindex = self.index(name);
        let octet = u8::try_from(ifindex).unwrap();
        let mut link = Link {
            ifindex,
            ifname: name.to_owned(),
            hardware_address: vec![2, 0, 0, 0, 0, octet],
            ..Link::default()
        };
        for word in text.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let state = |flags, operstate| (link.flags | flags, operstate);
            (link.flags, link.operstate) = match key {
                "up" => state(CARRIER, Operstate::Up),
                // tun, wireguard, vxlan, a fresh bridge.
                "unknown" => state(CARRIER, Operstate::Unknown),
                "down" => state(0, Operstate::Down),
                "nocarrier" => state(IFF_UP, Operstate::Down),
                // veth, its peer down.
                "lowerlayerdown" => state(IFF_UP, Operstate::LowerLayerDown),
                "dormant" => state(IFF_UP | IFF_LOWER_UP, Operstate::Dormant),
                // Just after carrier came: LOWER_UP, not yet RUNNING.
                "starting" => state(IFF_UP | IFF_LOWER_UP, Operstate::Down),
                // linkwatch lags the driver: RUNNING still, LOWER_UP no more.
                "losing" => state(IFF_UP | IFF_RUNNING, Operstate::Up),
                "loopback" => state(IFF_LOOPBACK, link.operstate),
                _ => (link.flags, link.operstate),
            };
            match key {
                "kind" => value.clone_into(&mut link.kind),
                "master" => link.master = Some(self.index(value)),
                "port" => link.port_kind = Some(value.to_owned()),
                "on" => link.lower = Some(self.index(value)),
                "alt" => link.altnames.push(value.to_owned()),
                "mac" if value == "none" => link.hardware_address.clear(),
                "mac" => {
                    let octets = value.split(':').map(|octet| u8::from_str_radix(octet, 16).unwrap());
                    link.hardware_address = octets.collect();
                }
                "vrf" => link.vrf_table = Some(value.parse().unwrap()),
                "losses" => link.carrier_down_count = value.parse().unwrap(),
                "noipv6" => link.ipv6_disabled = true,
                // Its hardware address is a card's own.
                "card" => link.permanent_address = true,
                "up" | "unknown" | "down" | "nocarrier" | "lowerlayerdown" | "dormant" | "starting"
                | "losing" | "loopback" => {}
                _ => panic!("{name}: {word}?"),
            }
        }
        link
    }

    fn statement(&mut self, statement: &str) {
        let mut words = statement.split_whitespace();
        let first = words.next().unwrap();
        let words: Vec<&str> = words.collect();
        let (verb, digit) = first.split_at(first.len() - 1);
        let family = if digit == "4" { Family::V4 } else { Family::V6 };
        match (first, verb) {
            ("addr", _) => {
                let address = self.address(&words);
                self.apply(&Message::Address(address));
            }
            ("route", _) => {
                let route = self.route(&words);
                self.network.routes.add(route);
            }
            ("chosen", _) => {
                let route = self.route(&words);
                self.network.routes.add(route.clone());
                self.network.routes.chosen.insert((route.destination, route.table), route);
            }
            ("lookup", _) => self.lookup(&words),
            ("ns", _) => {
                self.network.nameservers = match words[0] {
                    "none" => Nameservers::None,
                    "unreadable" => Nameservers::Unreadable(words[1..].join(" ")),
                    server => Nameservers::First(server.to_owned()),
                }
            }
            ("says" | "fails", _) => {
                let (words, text) = statement.split_once(" = ").unwrap_or((statement, "no"));
                let question = self.question(&words.split_whitespace().skip(1).collect::<Vec<&str>>());
                let answer = if first == "says" {
                    Ok(text.to_owned())
                } else {
                    Err(crate::model::NoAnswer::Failed(text.to_owned()))
                };
                self.network.answers.insert(question, answer);
            }
            (_, "pasta") => {
                let route = (!words.is_empty()).then(|| self.route(&words));
                let view = self.network.routes.pasta.entry(family).or_default();
                if let Some(route) = route {
                    view.see(&route);
                }
            }
            (_, "gateway") => {
                self.network.routes.pasta.get_mut(&family).unwrap().gateway_on_link = true;
            }
            (_, "unread") => {
                self.network.routes.complete.remove(&(family, TABLE_MAIN));
                self.network.routes.pasta.remove(&family);
            }
            (_, "refusing") => {
                self.network.routes.refusing.insert(family);
            }
            (_, "unreached") => {
                self.network.routes.unreached.insert(family.default_prefix());
            }
            ("preferred", _) => {
                let route = self.route(&words);
                self.network.routes.prefer(route.family().default_prefix(), route);
            }
            (_, "read") => {
                self.network.routes.complete.insert((family, words[0].parse().unwrap()));
            }
            _ => panic!("{statement}?"),
        }
    }

    fn question(&self, words: &[&str]) -> Question {
        let probe = match words {
            ["dns", name] => config::parse_dns(name),
            ["tcp", endpoint] => config::parse_tcp(endpoint),
            ["http", url] => config::parse_http(url, &[]),
            ["ping", address] => config::parse_ping(address),
            ["gateway", address, link] => {
                let (address, ifname) = (address.parse().unwrap(), (*link).to_owned());
                return Question::Neighbour { address, ifindex: self.index(link), ifname };
            }
            _ => panic!("{words:?}?"),
        };
        Question::Probe(probe.unwrap())
    }

    fn address(&self, words: &[&str]) -> Address {
        let prefix: IpNet = words[1].parse().unwrap();
        let mut address = Address {
            ifindex: self.index(words[0]),
            local: prefix.addr(),
            remote: prefix.addr(),
            prefix_len: prefix.prefix_len(),
            scope: 0,
            flags: 0,
        };
        let mut rest = words[2..].iter();
        while let Some(word) = rest.next() {
            match *word {
                "peer" => address.remote = rest.next().unwrap().parse().unwrap(),
                "site" => address.scope = 200,
                "link" => address.scope = 253,
                "host" => address.scope = 254,
                "temporary" => address.flags |= 0x01,
                "permanent" => address.flags |= 0x80,
                "optimistic" => address.flags |= 0x04,
                "dadfailed" => address.flags |= 0x08,
                "deprecated" => address.flags |= 0x20,
                "tentative" => address.flags |= 0x40,
                "noprefixroute" => address.flags |= 0x200,
                word => panic!("{word}?"),
            }
        }
        address
    }

    fn route(&self, words: &[&str]) -> Route {
        let destination = match words[0] {
            "default4" => Family::V4.default_prefix(),
            "default6" => Family::V6.default_prefix(),
            prefix => prefix.parse().unwrap(),
        };
        let mut route = Route {
            destination,
            source: None,
            table: TABLE_MAIN,
            metric: 0,
            preference: Preference::default(),
            tos: 0,
            kind: RouteKind::Unicast,
            hops: Vec::new(),
            prefsrc: None,
            expires: None,
            nexthop: None,
        };
        let mut hop = None;
        let fresh = || NextHop { ifindex: 0, gateway: None, dead: false, linkdown: false, onlink: false };
        let mut rest = words[1..].iter();
        while let Some(word) = rest.next() {
            let mut value = || *rest.next().unwrap();
            match *word {
                "metric" => route.metric = value().parse().unwrap(),
                "tos" => route.tos = value().parse().unwrap(),
                "pref" => {
                    route.preference = match value() {
                        "low" => Preference::Low,
                        "medium" => Preference::Medium,
                        "high" => Preference::High,
                        word => panic!("pref {word}?"),
                    };
                }
                "table" => route.table = value().parse().unwrap(),
                "src" => route.prefsrc = Some(value().parse().unwrap()),
                "nhid" => route.nexthop = Some(value().parse().unwrap()),
                "from" => route.source = Some(value().parse().unwrap()),
                "expires" => {
                    route.expires = Some(Moment::after_boot(Duration::from_secs(value().parse().unwrap())));
                }
                "local" => route.kind = RouteKind::Local,
                "unreachable" => route.kind = RouteKind::Unreachable,
                "blackhole" => route.kind = RouteKind::Blackhole,
                "prohibit" => route.kind = RouteKind::Prohibit,
                "throw" => route.kind = RouteKind::Throw,
                "broadcast" => route.kind = RouteKind::Broadcast,
                "multicast" => route.kind = RouteKind::Multicast,
                "nexthop" => route.hops.extend(hop.take()),
                "via" => hop.get_or_insert_with(fresh).gateway = Some(value().parse().unwrap()),
                "dev" => hop.get_or_insert_with(fresh).ifindex = self.index(value()),
                "dead" => hop.get_or_insert_with(fresh).dead = true,
                "linkdown" => hop.get_or_insert_with(fresh).linkdown = true,
                "onlink" => hop.get_or_insert_with(fresh).onlink = true,
                word => panic!("{word}?"),
            }
        }
        route.hops.extend(hop);
        route
    }

    fn lookup(&mut self, words: &[&str]) {
        let (target, zone) = words[0].split_once('%').map_or((words[0], None), |(a, zone)| (a, Some(zone)));
        let mut wanted = RouteTo::target(target.parse().unwrap());
        wanted.zone = zone.map(str::to_owned);
        let mut words = &words[1..];
        while let [key @ ("of" | "in"), value, rest @ ..] = words {
            match *key {
                "of" => wanted.from = Some(value.parse().unwrap()),
                _ => wanted.vrf = Some((*value).to_owned()),
            }
            words = rest;
        }
        let lookup = if words[0] == "errno" {
            Lookup::None(words[1].parse().unwrap())
        } else if words[0] == "broadcast" {
            Lookup::Broadcast
        } else {
            let route = self.route(&[&["default4"], words].concat());
            let hop = &route.hops[0];
            let (ifindex, gateway) = (hop.ifindex, hop.gateway);
            let local = route.kind == RouteKind::Local;
            Lookup::Path { ifindex, gateway, source: route.prefsrc, expires: route.expires, local }
        };
        self.network.lookups.insert(wanted, lookup);
    }
}
