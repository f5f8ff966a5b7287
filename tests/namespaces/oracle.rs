//! Tests a property with an oracle. After any sequence of link, address and route operations, three results must
//! agree: that of `check`, that of every `run` that saw all operations, and that of the oracle. The oracle follows
//! only the text of the manual. It reads iproute2's JSON and asks the kernel: which route it selects (`ip route get
//! fibmatch`), and whether connect(2) and bind(2) succeed. It uses no code of netready.
//!
//! `cargo test` tries the same sequences each time. `make oracle` tries others: `NETREADY_ORACLE_SEED=…` is the first
//! one, which repeats a failed sequence, and `NETREADY_ORACLE_SEQUENCES=…` is how many follow.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Netns, Process};
use crate::netns;

/// The splitmix64 generator. A seed determines the whole sequence.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Family {
    V4,
    V6,
}

/// A snapshot of the kernel's state, as iproute2 prints it.
pub struct Oracle {
    links: Vec<Value>,
    /// Each address with the name of its link.
    addresses: Vec<(String, Value)>,
    routes: HashMap<&'static str, Vec<Value>>,
    lookups: HashMap<&'static str, Option<Value>>,
    /// The routes that the kernel selects, as they stand in the table (RTM_F_FIB_MATCH).
    matches: HashMap<&'static str, Option<Value>>,
}

const LOOKED_UP: [&str; 3] = ["203.0.113.7", "198.18.0.7", "2001:db8:7::7"];

/// The addresses with which the kernel is asked for the route to a destination in the main table. (More specific
/// routes and policy rules may answer for each of them.)
const ASKED: &[(&str, &str, &[&str])] = &[
    ("4", "default", &["8.8.8.8", "192.88.99.9"]),
    ("6", "default", &["2606:4700::1", "3fff::9"]),
    ("4", "203.0.113.0/24", &["203.0.113.3", "203.0.113.203"]),
    ("4", "192.0.2.0/24", &["192.0.2.203"]),
    ("6", "2001:db8:7::/48", &["2001:db8:7:ffff::9"]),
];

/// Returns the source address that connect(2) gives a datagram socket. Nothing is sent.
fn connection(target: IpAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = if target.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((target, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// Whether bind(2) accepts the address.
fn binds(address: &str) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

impl Oracle {
    pub fn read(ns: &Netns) -> Oracle {
        let links = ns.ip_json("link show");
        let mut addresses = Vec::new();
        for link in ns.ip_json("addr show") {
            let name = link["ifname"].as_str().unwrap_or_default().to_owned();
            for address in link["addr_info"].as_array().into_iter().flatten() {
                if address["local"].is_string() {
                    addresses.push((name.clone(), address.clone()));
                }
            }
        }
        let mut routes = HashMap::new();
        routes.insert("4", ns.ip_json("-4 route show table main"));
        routes.insert("6", ns.ip_json("-6 route show table main"));
        routes.insert("4/100", ns.ip_json("-4 route show table 100"));
        routes.insert("6/100", ns.ip_json("-6 route show table 100"));
        let lookups = LOOKED_UP.iter().map(|target| (*target, way(ns, target))).collect();
        let matches = ASKED
            .iter()
            .flat_map(|(_, _, addresses)| *addresses)
            .map(|address| (*address, ns.ip_json(&format!("route get fibmatch {address}")).pop()));
        Oracle { links, addresses, routes, lookups, matches: matches.collect() }
    }

    fn link(&self, name: &str) -> Option<&Value> {
        self.links.iter().find(|l| l["ifname"] == name)
    }

    /// "IFF_UP, IFF_LOWER_UP and IFF_RUNNING". If a link is up and lacks RUNNING, iproute2 prints NO-CARRIER.
    fn flags_say_carrier(link: &Value) -> bool {
        let has = |flag: &str| link["flags"].as_array().is_some_and(|flags| flags.iter().any(|f| f == flag));
        has("UP") && has("LOWER_UP") && !has("NO-CARRIER")
    }

    fn carrier(&self, name: &str) -> bool {
        let Some(link) = self.link(name) else { return false };
        if !Self::flags_say_carrier(link) {
            return false;
        }
        let kind = link["linkinfo"]["info_kind"].as_str().unwrap_or_default();
        if kind == "bridge" {
            return self
                .links
                .iter()
                .any(|port| port["master"] == name && self.carrier(port["ifname"].as_str().unwrap()));
        }
        if ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"].contains(&kind) {
            // In these tests every lower link is in this namespace.
            return link["link"].as_str().is_some_and(|lower| self.carrier(lower));
        }
        true
    }

    fn is_loopback(&self, name: &str) -> bool {
        self.link(name).is_some_and(|l| l["link_type"] == "loopback")
    }

    fn is_port(&self, name: &str) -> bool {
        let master = self.link(name).and_then(|l| l["master"].as_str());
        master.and_then(|m| self.link(m)).is_some_and(|m| m["linkinfo"]["info_kind"] == "bridge")
    }

    fn usable(address: &Value) -> bool {
        let is = |flag: &str| address[flag] == true;
        (!is("tentative") || is("optimistic")) && !is("dadfailed")
    }

    /// "an address of that family of global or site scope and not in 127/8, 169.254/16, ::1, fe80::/10"; it is
    /// usable and preferred.
    fn meets_family(address: &Value, family: Family) -> bool {
        Self::is_source(address, family) && address["deprecated"] != true
    }

    /// The same, but it may be deprecated.
    fn is_source(address: &Value, family: Family) -> bool {
        let ip: IpAddr = address["local"].as_str().unwrap().parse().unwrap();
        let scope = address["scope"].as_str().unwrap_or_default();
        let (right, special) = match ip {
            IpAddr::V4(ip) => (family == Family::V4, ip.is_loopback() || ip.is_link_local()),
            IpAddr::V6(ip) => (family == Family::V6, ip.is_loopback() || ip.is_unicast_link_local()),
        };
        right && !special && ["global", "site"].contains(&scope) && Self::usable(address)
    }

    fn family_on(&self, link: &str, family: Family) -> bool {
        self.addresses.iter().any(|(on, address)| on == link && Self::meets_family(address, family))
    }

    fn family_anywhere(&self, family: Family) -> bool {
        self.links
            .iter()
            .map(|l| l["ifname"].as_str().unwrap())
            .any(|name| self.carrier(name) && !self.is_loopback(name) && self.family_on(name, family))
    }

    fn exact_on(&self, link: Option<&str>, wanted: &str) -> bool {
        self.addresses.iter().any(|(on, address)| {
            link.is_none_or(|link| on == link) && address["local"] == wanted && Self::usable(address)
        })
    }

    fn prefix_anywhere(&self, contains: impl Fn(IpAddr) -> bool) -> bool {
        self.addresses.iter().any(|(on, address)| {
            contains(address["local"].as_str().unwrap().parse().unwrap())
                && Self::usable(address)
                && address["deprecated"] != true
                && self.carrier(on)
                && !self.is_loopback(on)
        })
    }

    /// Whether a route to `destination` counts. For a clause with an interface, it must leave through that one.
    /// Otherwise it must be the route that the kernel selects, for packets from any source or for those from a
    /// prefix.
    fn route(&self, table: &'static str, destination: &'static str, through: Option<&str>) -> bool {
        let family = if table.starts_with('4') { Family::V4 } else { Family::V6 };
        if through.is_some() {
            return self.standing(table, destination).any(|route| self.leads_out(route, family, through));
        }
        match self.taken(table, destination) {
            Some(route) => self.leads_out(&route, family, None),
            None => false,
        }
    }

    /// Returns the routes in the kernel's order, without routes for one TOS only.
    fn standing<'a>(&'a self, table: &str, destination: &'a str) -> impl Iterator<Item = &'a Value> {
        self.routes[table].iter().filter(move |route| route["dst"] == destination && route["tos"].is_null())
    }

    /// Returns the selected route: by the kernel's own lookup if it reaches the table, otherwise by the kernel's
    /// rules.
    fn taken(&self, table: &'static str, destination: &'static str) -> Option<Value> {
        self.asked(table, destination)
            .map(|(_, route)| route.clone())
            .or_else(|| self.by_rule(table, destination))
    }

    /// Returns the first lookup that this destination's route answers.
    fn asked(&self, table: &str, destination: &str) -> Option<(IpAddr, &Value)> {
        let (_, _, addresses) = ASKED.iter().find(|(t, d, _)| *t == table && *d == destination)?;
        addresses.iter().find_map(|address| {
            let answer = self.matches[address].as_ref()?;
            let right = answer["dst"] == destination && answer["table"].as_str().is_none_or(|t| t == "main");
            right.then(|| (address.parse().unwrap(), answer))
        })
    }

    fn by_rule(&self, table: &str, destination: &str) -> Option<Value> {
        let all: Vec<&Value> = self.standing(table, destination).collect();
        let live: Vec<&Value> = all.iter().copied().filter(|route| !Self::passed_over(route)).collect();
        if table.starts_with('4') {
            return live.first().map(|route| (*route).clone());
        }
        let metric = |route: &Value| route["metric"].as_i64().unwrap_or(0);
        let best = all.iter().map(|route| metric(route)).min()?;
        let preferred = |routes: Vec<&Value>| {
            let worth = |route: &Value| match route["pref"].as_str() {
                Some("high") => 2,
                Some("low") => 0,
                _ => 1,
            };
            let most = routes.iter().map(|route| worth(route)).max()?;
            routes.into_iter().find(|route| worth(route) == most).cloned()
        };
        let of_best = live.iter().copied().filter(|route| metric(route) == best).collect();
        preferred(of_best).or_else(|| preferred(live))
    }

    fn passed_over(route: &Value) -> bool {
        let expired = route["expires"].as_i64().is_some_and(|e| e <= 0);
        let hops = Self::hops(route);
        let dead = hops.iter().all(|hop| Self::flagged(hop, "dead"));
        expired || (route["type"] == "unicast" && !hops.is_empty() && dead)
    }

    fn hops(route: &Value) -> Vec<Value> {
        route["nexthops"].as_array().cloned().unwrap_or_else(|| vec![route.clone()])
    }

    fn flagged(hop: &Value, flag: &str) -> bool {
        hop["flags"].as_array().is_some_and(|flags| flags.iter().any(|one| one == flag))
    }

    fn leads_out(&self, route: &Value, family: Family, through: Option<&str>) -> bool {
        if route["type"] != "unicast" || route["expires"].as_i64().is_some_and(|e| e <= 0) {
            return false;
        }
        Self::hops(route).iter().any(|hop| {
            let Some(dev) = hop["dev"].as_str() else { return false };
            through.map_or_else(|| !self.is_loopback(dev), |through| through == dev)
                && !Self::flagged(hop, "dead")
                && !Self::flagged(hop, "linkdown")
                && self.carrier(dev)
                && self.has_source(route, dev, family, through.is_none())
        })
    }

    fn has_source(&self, route: &Value, dev: &str, family: Family, host_wide: bool) -> bool {
        if let Some(source) = route["prefsrc"].as_str() {
            return self.exact_on(None, source);
        }
        let of_link = |link: &str| {
            self.addresses.iter().any(|(on, address)| on == link && Self::is_source(address, family))
        };
        of_link(dev)
            || self
                .links
                .iter()
                .map(|l| l["ifname"].as_str().unwrap())
                .any(|l| self.is_loopback(l) && of_link(l))
            || (host_wide && self.source_of_another_link(dev, family))
    }

    /// Whether another link's address can be the source, as on a router with a delegated prefix, or with an unnumbered
    /// uplink. (Every IPv6 destination here is in 2000::/3.)
    fn source_of_another_link(&self, dev: &str, family: Family) -> bool {
        let ip = |address: &Value| -> IpAddr { address["local"].as_str().unwrap().parse().unwrap() };
        let numbered = self.addresses.iter().any(|(on, address)| on == dev && ip(address).is_ipv4());
        self.addresses.iter().any(|(on, address)| {
            let fits = match ip(address) {
                IpAddr::V4(_) => !numbered,
                IpAddr::V6(ip) => ip.octets()[0] >> 5 == 1,
            };
            fits && Self::is_source(address, family) && self.carrier(on)
        })
    }

    /// Reports where the routes that the oracle reads in tables differ from the kernel's lookups.
    pub fn disagrees_with_the_kernel(&self) -> String {
        let mut text = String::new();
        for (table, destination, _) in ASKED {
            let Some((address, asked)) = self.asked(table, destination) else { continue };
            let read = self.by_rule(table, destination);
            let same = |key: &str| read.as_ref().is_some_and(|read| read[key] == asked[key]);
            if !["dev", "gateway", "metric", "type"].iter().all(|key| same(key)) {
                let _ = writeln!(
                    text,
                    "{destination}: the kernel takes {asked}, and by the rules it is {read:?}"
                );
            }
            // Then a connection is possible, with a usable source address.
            if self.route(table, destination, None) {
                let usable = |source: IpAddr| {
                    self.addresses
                        .iter()
                        .any(|(_, held)| held["local"] == source.to_string() && Self::usable(held))
                };
                match connection(address) {
                    Ok(source) if usable(source) => {}
                    other => {
                        let _ =
                            writeln!(text, "{destination} is met, but a connection to {address}: {other:?}");
                    }
                }
            }
        }
        for target in LOOKED_UP {
            if self.route_to(target, None) {
                if let Err(error) = connection(target.parse().unwrap()) {
                    let _ = writeln!(text, "route-to {target} is met, but a connection: {error}");
                }
            }
        }
        text
    }

    fn route_to(&self, target: &str, through: Option<&str>) -> bool {
        let Some(answer) = &self.lookups[target] else { return false };
        let (Some(dev), Some(source)) = (answer["dev"].as_str(), answer["prefsrc"].as_str()) else {
            return false;
        };
        let unicast = answer["type"].as_str().is_none_or(|t| t == "unicast");
        let fit = self.addresses.iter().any(|(_, address)| {
            let narrow = match source.parse().unwrap() {
                IpAddr::V4(ip) => ip.is_link_local() || ip.is_loopback(),
                IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_loopback(),
            };
            let wide = ["global", "site"].contains(&address["scope"].as_str().unwrap_or_default());
            address["local"] == source && Self::usable(address) && wide && !narrow
        });
        // No target is an address of this host, so a route through loopback leads nowhere.
        unicast && fit && through.map_or(dev != "lo", |t| t == dev) && self.carrier(dev)
    }

    /// Whether a clause is met that names a link and has no items.
    fn link_alone(&self, name: &str) -> bool {
        let addressed = || self.family_on(name, Family::V4) || self.family_on(name, Family::V6);
        self.carrier(name) && (self.is_port(name) || addressed())
    }

    fn glob_va(&self) -> impl Iterator<Item = &str> {
        self.links
            .iter()
            .filter_map(|l| l["ifname"].as_str())
            .filter(|name| name.starts_with("va") && !self.is_port(name))
    }
}

/// The way of a connection. For IPv4, connect(2) looks up the route again with the source that the first lookup selected:
/// of the next hops of a multipath route, the second lookup can take another one.
fn way(ns: &Netns, target: &str) -> Option<Value> {
    let first = ns.ip_json(&format!("route get {target}")).pop()?;
    let source = match first["prefsrc"].as_str() {
        Some(source) if !target.contains(':') => source.to_owned(),
        _ => return Some(first),
    };
    let mut second = ns.ip_json(&format!("route get {target} from {source}")).pop()?;
    second["prefsrc"] = source.into();
    Some(second)
}

/// A gate in TOML, and the oracle's result for it.
pub type Gate = (&'static str, fn(&Oracle) -> bool);

pub const GATES: &[Gate] = &[
    ("interface = \"va0\"", |o| o.link_alone("va0")),
    ("interface = \"va1\"\ncarrier = true", |o| o.carrier("va1")),
    ("interface = \"br0\"", |o| o.link_alone("br0")),
    ("interface = \"mv0\"\naddress = \"ipv4\"", |o| o.carrier("mv0") && o.family_on("mv0", Family::V4)),
    ("interface = \"va*\"\naddress = \"ip\"", |o| {
        o.glob_va().any(|l| o.carrier(l) && (o.family_on(l, Family::V4) || o.family_on(l, Family::V6)))
    }),
    ("interface = \"va*\"\ncarrier = true\nquorum = \"all\"", |o| {
        o.glob_va().count() > 0 && o.glob_va().all(|l| o.carrier(l))
    }),
    ("interface = [\"va0\", \"va1\", \"br0\"]\ncarrier = true\nquorum = 2", |o| {
        ["va0", "va1", "br0"].iter().filter(|l| o.carrier(l)).count() >= 2
    }),
    ("interface = [\"va0\", \"va1\"]\nquorum = \"any\"\naddress = [\"ipv4\", \"ipv6\"]", |o| {
        ["va0", "va1"]
            .iter()
            .any(|l| o.carrier(l) && o.family_on(l, Family::V4) && o.family_on(l, Family::V6))
    }),
    ("address = \"ipv4\"", |o| o.family_anywhere(Family::V4)),
    ("address = \"ipv6\"", |o| o.family_anywhere(Family::V6)),
    ("address = \"192.0.2.7\"", |_| binds("192.0.2.7")),
    ("interface = \"va0\"\ncarrier = false\naddress = \"2001:db8::7\"", |o| {
        o.exact_on(Some("va0"), "2001:db8::7")
    }),
    ("address = \"198.51.100.0/24\"", |o| {
        o.prefix_anywhere(|ip| matches!(ip, IpAddr::V4(ip) if ip.octets()[..3] == [198, 51, 100]))
    }),
    ("route = \"default\"", |o| o.route("4", "default", None) || o.route("6", "default", None)),
    ("route = \"default-ipv4\"", |o| o.route("4", "default", None)),
    ("route = \"default-ipv6\"", |o| o.route("6", "default", None)),
    ("interface = \"va0\"\nroute = \"default-ipv4\"", |o| {
        o.carrier("va0") && o.route("4", "default", Some("va0"))
    }),
    ("interface = \"va1\"\nroute = \"default\"", |o| {
        o.carrier("va1") && (o.route("4", "default", Some("va1")) || o.route("6", "default", Some("va1")))
    }),
    ("route = \"203.0.113.0/24\"", |o| o.route("4", "203.0.113.0/24", None)),
    ("interface = \"va0\"\nroute = \"203.0.113.0/24\"", |o| {
        o.carrier("va0") && o.route("4", "203.0.113.0/24", Some("va0"))
    }),
    ("route = \"192.0.2.0/24\"", |o| o.route("4", "192.0.2.0/24", None)),
    ("route = \"2001:db8:7::/48\"", |o| o.route("6", "2001:db8:7::/48", None)),
    ("route = \"default-ipv4\"\ntable = 100", |o| o.route("4/100", "default", None)),
    ("route = \"default-ipv6\"\ntable = 100", |o| o.route("6/100", "default", None)),
    ("interface = \"va1\"\nroute = \"default-ipv4\"\ntable = 100", |o| {
        o.carrier("va1") && o.route("4/100", "default", Some("va1"))
    }),
    ("route-to = \"203.0.113.7\"", |o| o.route_to("203.0.113.7", None)),
    ("route-to = [\"198.18.0.7\", \"2001:db8:7::7\"]\nquorum = \"any\"", |o| {
        o.route_to("198.18.0.7", None) || o.route_to("2001:db8:7::7", None)
    }),
    ("interface = \"va0\"\nroute-to = \"203.0.113.7\"", |o| {
        o.carrier("va0") && o.route_to("203.0.113.7", Some("va0"))
    }),
    ("interface = \"va1\"\ncarrier = true\nif-present = true", |o| {
        o.link("va1").is_none() || o.carrier("va1")
    }),
];

pub const SETUP: &str = "link set lo up; link add va0 type veth peer name vb0; link add va1 type veth peer name vb1; \
                     link set vb0 up; link set va0 up; link set vb1 up; link set va1 up; \
                     addr add 192.0.2.1/24 dev va0; addr add 198.51.100.1/24 dev va1; addr add 2001:db8::1/64 dev va0 nodad";

pub fn operation(random: &mut Random) -> String {
    const LINKS: &[&str] = &["va0", "va1", "vb0", "vb1", "va0", "va1", "br0", "mv0"];
    const NEAR: &[&str] = &["va0", "va0", "va1", "br0", "mv0"];
    const ADDRESSES: &[&str] = &[
        "192.0.2.1/24",
        "192.0.2.1/24",
        "192.0.2.2/24",
        "192.0.2.7/24",
        "192.0.2.7/32",
        "198.51.100.1/24",
        "198.51.100.7/24",
        "169.254.1.1/16",
        "2001:db8::1/64",
        "2001:db8::1/64",
        "2001:db8::7/64",
        "2001:db8:1::1/64",
    ];
    const GATEWAYS: &[&str] = &[
        "via 192.0.2.254 dev va0",
        "via 192.0.2.254",
        "via 198.51.100.254",
        "via 198.51.100.254 dev va1",
        "dev va0",
        "dev va1",
        "via 192.0.2.253 dev va0",
        "dev br0",
        "via inet6 fe80::9 dev va1",
        "dev lo",
    ];
    const GATEWAYS6: &[&str] = &[
        "via 2001:db8::fe dev va0",
        "via fe80::9 dev va0",
        "via fe80::9 dev va1",
        "via 2001:db8:1::fe",
        "dev va1",
        "via fe80::9 dev va1 pref high",
        "via fe80::8 dev va0 pref low",
    ];
    const IGNORE: &str = "ignore_routes_with_linkdown";
    const METRICS: &[&str] = &["", "", "metric 10", "metric 20", "metric 300"];
    const DESTINATIONS: &[&str] = &[
        "203.0.113.0/24",
        "203.0.113.0/25",
        "203.0.113.128/25",
        "198.18.0.0/15",
        "203.0.113.0/24",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "203.0.113.7/32",
    ];
    let verb =
        |random: &mut Random| random.pick(&["add", "add", "replace", "replace", "append", "del", "del"]);
    match random.below(42) {
        0..=2 => format!("link set {} up", random.pick(LINKS)),
        3..=4 => format!("link set {} down", random.pick(LINKS)),
        5 => format!("link set {} down; link set {} up", "va0", "va0"),
        6..=7 => {
            let address = random.pick(ADDRESSES);
            let nodad = if address.contains(':') { "nodad" } else { "" };
            format!("addr add {address} dev {} {nodad}", random.pick(NEAR))
        }
        8..=9 => format!("addr del {} dev {}", random.pick(ADDRESSES), random.pick(NEAR)),
        10 => {
            let address = random.pick(ADDRESSES);
            let nodad = if address.contains(':') { "nodad" } else { "" };
            format!(
                "addr replace {address} dev {} {nodad} valid_lft 900 preferred_lft {}",
                random.pick(NEAR),
                random.pick(&["0", "0", "800"])
            )
        }
        11 => format!("addr flush dev {} scope global", random.pick(NEAR)),
        12..=15 => {
            format!("-4 route {} default {} {}", verb(random), random.pick(GATEWAYS), random.pick(METRICS))
        }
        16..=17 => {
            format!("-6 route {} default {} {}", verb(random), random.pick(GATEWAYS6), random.pick(METRICS))
        }
        18 => format!(
            "-4 route {} default {} src {}",
            verb(random),
            random.pick(GATEWAYS),
            random.pick(&["192.0.2.7", "192.0.2.1", "198.51.100.7"])
        ),
        19 => format!(
            "{} route {} {} default {}",
            random.pick(&["-4", "-6"]),
            random.pick(&["add", "del"]),
            random.pick(&["unreachable", "blackhole", "prohibit", "throw"]),
            random.pick(METRICS)
        ),
        20 => format!(
            "route {} {} {}",
            random.pick(&["add", "del"]),
            random.pick(&["unreachable", "blackhole"]),
            random.pick(DESTINATIONS)
        ),
        21..=22 => format!(
            "-4 route {} {} {} {}",
            verb(random),
            random.pick(DESTINATIONS),
            random.pick(GATEWAYS),
            random.pick(METRICS)
        ),
        23 => format!(
            "-6 route {} {} {}",
            verb(random),
            random.pick(&["2001:db8:7::/48", "2001:db8:7::/64", "::/1"]),
            random.pick(GATEWAYS6)
        ),
        24 => format!("-4 route {} default {} table 100", verb(random), random.pick(GATEWAYS)),
        25 => format!(
            "nexthop {} id {} {}",
            random.pick(&["replace", "replace", "del"]),
            random.pick(&["7", "8"]),
            random.pick(&["via 192.0.2.254 dev va0", "via 198.51.100.254 dev va1", "dev va1"])
        ),
        26 => random
            .pick(&[
                "nexthop replace id 9 group 7/8",
                "nexthop del id 9",
                "nexthop del id 7",
                "nexthop del id 8",
            ])
            .to_owned(),
        27 => format!(
            "-4 route replace {} nhid {}",
            random.pick(&["default", "default metric 10", "203.0.113.0/24"]),
            random.pick(&["7", "8", "9"])
        ),
        28 => format!(
            "-4 route replace {} {} nexthop via 192.0.2.254 dev va0 nexthop via 198.51.100.254 dev va1",
            random.pick(&["default", "203.0.113.0/24"]),
            random.pick(METRICS)
        ),
        29 => random
            .pick(&[
                "link add br0 type bridge; link set br0 up; addr add 192.0.2.7/24 dev br0",
                "link del br0",
                "link set va1 master br0",
                "link set va1 nomaster",
                "link set va0 master br0",
                "link set va0 nomaster",
            ])
            .to_owned(),
        30 => random
            .pick(&[
                "link add mv0 link br0 type macvlan mode bridge; link set mv0 up",
                "link add mv0 link va0 type macvlan mode bridge; link set mv0 up",
                "link del mv0",
                "addr add 192.0.2.2/24 dev mv0",
            ])
            .to_owned(),
        31 => random
            .pick(&[
                "link del va1",
                "link del va0",
                "link add va1 type veth peer name vb1; link set vb1 up; link set va1 up",
                "link add va0 type veth peer name vb0; link set vb0 up; link set va0 up",
            ])
            .to_owned(),
        32..=35 => format!(
            "sysctl net.{}.conf.{}.{IGNORE}={}",
            random.pick(&["ipv4", "ipv6"]),
            random.pick(&["all", "va0", "va1", "default"]),
            random.pick(&["0", "1", "1"])
        ),
        36 => format!(
            "-4 route {} {} {} tos {} {}",
            random.pick(&["add", "del"]),
            random.pick(&["default", "203.0.113.0/24"]),
            random.pick(GATEWAYS),
            random.pick(&["0x10", "0x04"]),
            random.pick(METRICS)
        ),
        37 => format!(
            "-6 route {} default {} nexthop via fe80::9 dev va0 nexthop via fe80::9 dev va1",
            random.pick(&["replace", "add"]),
            random.pick(METRICS)
        ),
        38 => format!(
            "{} route {} {} table 100 {}",
            random.pick(&["-4", "-6"]),
            random.pick(&["add", "del"]),
            random.pick(&["throw default", "blackhole default", "default dev va1", "default dev va0"]),
            random.pick(METRICS)
        ),
        39 => format!("link set {} {}", random.pick(&["vb0", "vb1"]), random.pick(&["down", "down", "up"])),
        40 => random
            .pick(&[
                "link set va1 name lan0",
                "link set lan0 name va1",
                "link set vb0 name va7",
                "link set va7 name vb0",
            ])
            .to_owned(),
        _ => random
            .pick(&[
                "rule add pref 100 to 198.18.0.0/15 lookup 100",
                "rule del pref 100",
                "rule add pref 99 to 203.0.113.0/24 unreachable",
                "rule del pref 99",
                "addr add 203.0.113.99/32 dev lo",
                "addr del 203.0.113.99/32 dev lo",
            ])
            .to_owned(),
    }
}

/// Compares the results of the gates' processes, of `check` and of the oracle. The text is empty if they agree.
fn disagreements(ns: &Netns, paths: &[String], runs: &[Process]) -> String {
    let oracle = Oracle::read(ns);
    let mut text = oracle.disagrees_with_the_kernel();
    for (((clause, truth), path), run) in GATES.iter().zip(paths).zip(runs) {
        let truth = truth(&oracle);
        let check = ns.check(&[path]);
        let status = run.last_status();
        if check.ready() != truth {
            let _ = writeln!(
                text,
                "`{}`: the oracle says {truth}, check says {:#}",
                clause.replace('\n', "; "),
                check.json
            );
        }
        if status.starts_with("Ready") != truth {
            let _ = writeln!(
                text,
                "`{}`: the oracle says {truth}, run says {status}",
                clause.replace('\n', "; ")
            );
        }
        assert!(!run.has_exited(), "{}", run.transcript());
    }
    text
}

/// Switches off duplicate address detection and router solicitations. For links that come and go they would only
/// add to the load of the machine.
pub fn keep_ipv6_quiet(ns: &Netns) {
    ns.ip("sysctl net.ipv6.conf.all.accept_dad=0; sysctl net.ipv6.conf.default.accept_dad=0");
    ns.ip("sysctl net.ipv6.conf.default.router_solicitations=0");
}

/// Returns how many of the operation's commands the kernel accepted. It refuses many random commands, such as an address
/// on a link that does not exist. This is expected.
pub fn try_operation(ns: &Netns, operation: &str) -> usize {
    let accepted = |part: &&str| match part.trim().strip_prefix("sysctl ").and_then(|s| s.split_once('=')) {
        // The link of the setting may not exist.
        Some((name, value)) => std::fs::write(format!("/proc/sys/{}", name.replace('.', "/")), value).is_ok(),
        None => ns.try_ip(part).status.success(),
    };
    operation.split(';').filter(accepted).count()
}

/// Returns the kernel's state as `ip` prints it.
pub fn state(ns: &Netns) -> String {
    ["-br link", "-br addr", "-d -4 route show table all", "-d -6 route show table main", "nexthop", "rule"]
        .iter()
        .map(|what| String::from_utf8_lossy(&ns.try_ip(what).stdout).into_owned())
        .collect()
}

fn sequence(seed: u64, steps: usize, options: &[&str]) {
    let ns = netns!();
    keep_ipv6_quiet(&ns);
    ns.ip(SETUP);
    let paths: Vec<String> = GATES
        .iter()
        .map(|(clause, _)| ns.gate(&format!("timeout = \"infinity\"\n[[require]]\n{clause}\n")))
        .collect();
    let runs: Vec<Process> = paths.iter().map(|path| ns.run(&[&[path.as_str()], options].concat())).collect();
    for run in &runs {
        run.expect_status_where("anything", |_| true);
    }
    let mut random = Random::new(seed);
    let mut done = Vec::new();
    for _ in 0..steps {
        for _ in 0..=random.below(4) {
            let operation = operation(&mut random);
            try_operation(&ns, &operation);
            done.push(operation);
        }
        // The kernel itself finishes a carrier change a moment later, and on a busy machine everything takes longer.
        let last = Instant::now();
        // (There one comparison alone can take seconds, and its beginning is outdated when it ends.)
        let mut wrong = disagreements(&ns, &paths, &runs);
        let mut looks = 1;
        while !wrong.is_empty() && (last.elapsed() < Duration::from_secs(20) || looks < 10) {
            std::thread::sleep(Duration::from_millis(30));
            wrong = disagreements(&ns, &paths, &runs);
            looks += 1;
        }
        if !wrong.is_empty() {
            let state = state(&ns);
            panic!(
                "NETREADY_ORACLE_SEED={seed} (options {options:?}), after\n  {SETUP}\n  {}\n{wrong}\n{state}",
                done.join("\n  ")
            );
        }
    }
}

pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn seeds(first: u64) -> Vec<u64> {
    let sequences = number("NETREADY_ORACLE_SEQUENCES");
    match number("NETREADY_ORACLE_SEED") {
        Some(seed) => (seed..seed + sequences.unwrap_or(1)).collect(),
        None => (first..first + sequences.unwrap_or(5)).collect(),
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn random_operations() {
    for seed in seeds(1000) {
        sequence(seed, 20, &[]);
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn random_operations_through_four_kilobytes() {
    for seed in seeds(2000) {
        sequence(seed, 20, &["--receive-buffer", "4096"]);
    }
}
