//! Operations in the words of ip(8): what the kernel checks, and the work that it plans.

use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use super::{Entry, IFA_F_DEPRECATED, IFA_F_NODAD, IFA_F_PERMANENT, IFA_F_SECONDARY, IFA_F_TENTATIVE};
use super::{Kernel, RT_SCOPE_HOST, Refused, Rule, Work};
use crate::model::{Address, NextHop, Preference, Route, RouteChange, RouteKind};
use crate::requirement::{Family, TABLE_MAIN};

/// The words of a line.
struct Words<'a>(&'a [&'a str]);

impl<'a> Words<'a> {
    /// The word that follows this one.
    fn after(&self, key: &str) -> Option<&'a str> {
        self.0.iter().position(|word| *word == key).and_then(|at| self.0.get(at + 1)).copied()
    }

    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    fn number(&self, key: &str) -> Option<u32> {
        self.after(key)?.parse().ok()
    }
}

impl Kernel {
    /// What is to be done for this line.
    pub(super) fn plan(&mut self, line: &str) -> Result<Vec<Work>, Refused> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["link", "add", ifname, rest @ ..] => self.plan_link(ifname, &Words(rest)),
            ["link", "del", ifname] => {
                let ifindex = self.device(ifname)?.ifindex;
                let up = self.device(ifname)?.admin_up;
                let closing = if up { Self::closing(ifindex) } else { Vec::new() };
                Ok([closing, vec![Work::Unregister(ifindex), Work::TellLinkGone(ifindex)]].concat())
            }
            ["link", "set", ifname, "up"] => self.plan_up(ifname),
            ["link", "set", ifname, "down"] => {
                let device = self.device(ifname)?;
                Ok(if device.admin_up { Self::closing(device.ifindex) } else { Vec::new() })
            }
            ["link", "set", ifname, "name", new] => {
                let ifindex = self.device(ifname)?.ifindex;
                if self.device(new).is_ok() {
                    return Err(Refused);
                }
                let mut work = vec![Work::Rename(ifindex, (*new).to_owned()), Work::TellLink(ifindex)];
                // Their labels change with the name.
                let labelled =
                    self.addresses.iter().filter(|held| held.ifindex == ifindex && held.local.is_ipv4());
                work.extend(labelled.map(|held| Work::TellAddress(ifindex, held.local)));
                Ok(work)
            }
            ["cable", ifname, way @ ("in" | "out")] => {
                Ok(vec![Work::Cable(self.device(ifname)?.ifindex, *way == "in")])
            }
            ["duplicate", address] => {
                self.taken.insert(address.parse().map_err(|_| Refused)?);
                Ok(Vec::new())
            }
            ["addr", verb, prefix, "dev", ifname, rest @ ..] => {
                self.plan_address(verb, prefix, ifname, &Words(rest))
            }
            [family @ ("-4" | "-6"), "route", verb, rest @ ..] => {
                let family = if *family == "-4" { Family::V4 } else { Family::V6 };
                self.plan_route(family, verb, rest)
            }
            ["nexthop", verb, "id", id, rest @ ..] => {
                self.plan_nexthop(verb, id.parse().map_err(|_| Refused)?, &Words(rest))
            }
            ["-6", "rule", verb, "pref", preference, "to", to, action @ ..]
            | ["rule", verb, "pref", preference, "to", to, action @ ..] => {
                self.plan_rule(verb, preference, to, action)
            }
            ["sysctl", setting] => self.plan_sysctl(setting),
            _ => panic!("{line}?"),
        }
    }

    fn plan_link(&mut self, ifname: &str, words: &Words<'_>) -> Result<Vec<Work>, Refused> {
        let ifindex = words.number("index");
        if self.device(ifname).is_ok() || ifindex.is_some_and(|index| self.devices.contains_key(&index)) {
            return Err(Refused);
        }
        let ifindex = self.add_device(ifname, ifindex, words.has("hardware"));
        Ok(vec![Work::TellLink(ifindex)])
    }

    fn plan_up(&mut self, ifname: &str) -> Result<Vec<Work>, Refused> {
        let device = self.device(ifname)?;
        let ifindex = device.ifindex;
        if device.admin_up {
            return Ok(Vec::new());
        }
        Ok(vec![Work::Open(ifindex), Work::TellLink(ifindex), Work::Up4(ifindex), Work::Ready6(ifindex)])
    }

    /// The kernel announces that a link is set down before it flushes the routes.
    fn closing(ifindex: u32) -> Vec<Work> {
        vec![
            Work::Close(ifindex),
            Work::TellLink(ifindex),
            Work::Down4(ifindex),
            Work::Nexthops(ifindex),
            Work::Down6(ifindex),
        ]
    }

    fn plan_address(
        &mut self,
        verb: &str,
        prefix: &str,
        ifname: &str,
        words: &Words<'_>,
    ) -> Result<Vec<Work>, Refused> {
        let ifindex = self.device(ifname)?.ifindex;
        let prefix: IpNet = prefix.parse().map_err(|_| Refused)?;
        let local = prefix.addr();
        let known = self
            .addresses
            .iter()
            .find(|held| {
                held.ifindex == ifindex && held.local == local && held.prefix_len == prefix.prefix_len()
            })
            .cloned();
        match (verb, known) {
            // An IPv4 address that is to be changed is added if it is not there.
            ("add" | "change", None) if verb == "add" || local.is_ipv4() => {
                let mut flags = match words.number("preferred_lft") {
                    None => IFA_F_PERMANENT,
                    Some(0) => IFA_F_DEPRECATED,
                    Some(_) => 0,
                };
                if local.is_ipv6() {
                    flags |=
                        if words.has("nodad") || local.is_loopback() { IFA_F_NODAD } else { IFA_F_TENTATIVE };
                }
                let scope = if local.is_loopback() { RT_SCOPE_HOST } else { 0 };
                let prefix_len = prefix.prefix_len();
                let mut address = Address { ifindex, local, remote: local, prefix_len, scope, flags };
                if self.addresses.iter().any(|held| held.shares_subnet4(&address)) {
                    address.flags |= IFA_F_SECONDARY;
                }
                Ok(match local {
                    IpAddr::V4(_) => vec![
                        Work::Insert(address.clone()),
                        Work::TellAddress(ifindex, local),
                        Work::Attach4(address),
                    ],
                    IpAddr::V6(_) => vec![
                        Work::Insert(address.clone()),
                        Work::Prefix6(address),
                        Work::TellAddress(ifindex, local),
                        Work::Detect(ifindex, local),
                    ],
                })
            }
            ("change", Some(known)) => {
                let deprecated = words.number("preferred_lft") == Some(0);
                // A lifetime was given, so the address is no longer permanent.
                let flags = known.flags & !IFA_F_DEPRECATED & !IFA_F_PERMANENT;
                let flags = if deprecated { flags | IFA_F_DEPRECATED } else { flags };
                Ok(vec![Work::Flags(ifindex, local, flags), Work::TellAddress(ifindex, local)])
            }
            ("del", Some(known)) => Ok(match local {
                IpAddr::V4(_) => self.plan_removal4(known),
                IpAddr::V6(_) => vec![
                    Work::Remove(known.clone()),
                    Work::TellAddressGone(known.clone()),
                    Work::Detach6(known),
                ],
            }),
            _ => Err(Refused),
        }
    }

    /// With a primary address its secondary ones go, one after the other, unless the first of them takes its place.
    /// Then their local routes go and come again, because these name the primary address.
    fn plan_removal4(&self, address: Address) -> Vec<Work> {
        let removal = |address: &Address| {
            let address = || address.clone();
            [Work::Remove(address()), Work::TellAddressGone(address()), Work::Detach4(address())]
        };
        let behind = |held: &&Address| held.shares_subnet4(&address) && address.flags & IFA_F_SECONDARY == 0;
        let secondaries: Vec<&Address> = self.addresses.iter().filter(behind).collect();
        let promotes = self.devices.get(&address.ifindex).is_some_and(|device| device.promotes);
        let Some(first) = secondaries.first().filter(|_| promotes) else {
            return secondaries.into_iter().chain([&address]).flat_map(removal).collect();
        };
        let mut work: Vec<Work> =
            secondaries.iter().map(|held| Work::DetachLocal4((*held).clone())).collect();
        work.extend(removal(&address));
        work.extend([Work::Promote((*first).clone()), Work::TellAddress(first.ifindex, first.local)]);
        let primary = Address { flags: first.flags & !IFA_F_SECONDARY, ..(*first).clone() };
        let others = secondaries.iter().skip(1).map(|held| (*held).clone());
        work.extend([primary].into_iter().chain(others).map(Work::Attach4));
        work
    }

    fn plan_route(&mut self, family: Family, verb: &str, words: &[&str]) -> Result<Vec<Work>, Refused> {
        let (kind, words) = match words {
            ["unreachable", rest @ ..] => (RouteKind::Unreachable, rest),
            ["blackhole", rest @ ..] => (RouteKind::Blackhole, rest),
            ["prohibit", rest @ ..] => (RouteKind::Prohibit, rest),
            _ => (RouteKind::Unicast, words),
        };
        let [destination, words @ ..] = words else { return Err(Refused) };
        let words = Words(words);
        let destination = match *destination {
            "default" => family.default_prefix(),
            prefix => prefix.parse::<IpNet>().map_err(|_| Refused)?,
        };
        let nexthop = words.number("nhid");
        let metric = words.number("metric").unwrap_or(if family == Family::V6 { 1024 } else { 0 });
        let table = words.number("table").unwrap_or(TABLE_MAIN);
        if verb == "del" {
            let is = |entry: &&Entry| {
                let route = &entry.route;
                (route.destination, route.table) == (destination, table)
                    // Without a kind, a route of any kind is removed. IPv6 does not look at the kind.
                    && (family == Family::V6 || kind == RouteKind::Unicast || route.kind == kind)
                    && words.number("metric").is_none_or(|metric| route.metric == metric)
                    && words.after("dev").is_none_or(|dev| self.leaves_by(route, dev))
            };
            let entry = self.entries.iter().find(is).ok_or(Refused)?.clone();
            return Ok(vec![Work::RemoveRoute(entry.clone()), Work::TellRoute(entry, RouteChange::Gone)]);
        }
        let prefsrc =
            words.after("src").map(|word| word.parse::<IpAddr>().map_err(|_| Refused)).transpose()?;
        if prefsrc.is_some_and(|source| !self.has_local_route(source)) {
            return Err(Refused);
        }
        let hops = match nexthop {
            _ if kind != RouteKind::Unicast => self.no_hop(family),
            Some(id) => vec![self.nexthops.get(&id).ok_or(Refused)?.clone()],
            None => self.hops(words.0)?,
        };
        let route = Route {
            destination,
            source: None,
            table,
            metric,
            preference: match words.after("pref") {
                Some("high") => Preference::High,
                Some("low") => Preference::Low,
                _ => Preference::Medium,
            },
            tos: 0,
            kind,
            hops,
            prefsrc,
            expires: words.number("expires").map(|seconds| self.now() + Duration::from_secs(seconds.into())),
            nexthop,
        };
        self.plan_insertion(verb, Entry { route })
    }

    fn plan_insertion(&mut self, verb: &str, entry: Entry) -> Result<Vec<Work>, Refused> {
        let same = self.entries.iter().find(|other| other.stands_beside(&entry));
        let is_there = || self.entries.iter().any(|other| other.is_same_as(&entry));
        let change = match (verb, same) {
            ("add", Some(_)) => return Err(Refused),
            // The kernel does nothing, and announces nothing.
            ("replace", Some(same)) if same.is_same_as(&entry) && entry.route.family() == Family::V4 => {
                return Ok(Vec::new());
            }
            // The first route would become the same as another one (fib_table_insert).
            ("replace", Some(_)) if entry.route.family() == Family::V4 && is_there() => return Err(Refused),
            // The kernel refuses the very same route.
            ("append", Some(_)) if is_there() => return Err(Refused),
            ("append", Some(_)) => RouteChange::Appended,
            ("replace", Some(_)) => RouteChange::Replaced,
            _ => RouteChange::Added,
        };
        let mut work = vec![Work::InsertRoute(entry.clone(), change), Work::TellRoute(entry.clone(), change)];
        if let Some(expires) = entry.route.expires {
            work.push(Work::CollectAt(expires));
        }
        Ok(work)
    }

    /// A route that refuses leaves through the loopback link if it is an IPv6 one.
    fn no_hop(&self, family: Family) -> Vec<NextHop> {
        match family {
            Family::V4 => Vec::new(),
            Family::V6 => {
                vec![NextHop { ifindex: 1, gateway: None, dead: false, linkdown: false, onlink: false }]
            }
        }
    }

    /// The next hops of a route, each `nexthop via G dev X`, or the only one without `nexthop`.
    fn hops(&self, words: &[&str]) -> Result<Vec<NextHop>, Refused> {
        if !words.contains(&"nexthop") {
            return Ok(vec![self.hop(&Words(words))?]);
        }
        words
            .split(|word| *word == "nexthop")
            .skip(1)
            .map(|words| self.hop(&Words(words)))
            .collect::<Result<Vec<NextHop>, Refused>>()
    }

    /// The kernel takes a next hop only if its link is up, and the gateway is in a prefix of that link.
    fn hop(&self, words: &Words<'_>) -> Result<NextHop, Refused> {
        let device = self.device(words.after("dev").ok_or(Refused)?)?;
        if !device.admin_up {
            return Err(Refused);
        }
        let gateway = words.after("via").map(|word| word.parse().map_err(|_| Refused)).transpose()?;
        if gateway.is_some_and(|gateway| !self.is_on_link(gateway, device.ifindex)) {
            return Err(Refused);
        }
        let linkdown = !device.carrier;
        Ok(NextHop { ifindex: device.ifindex, gateway, dead: false, linkdown, onlink: false })
    }

    fn plan_nexthop(&mut self, verb: &str, id: u32, words: &Words<'_>) -> Result<Vec<Work>, Refused> {
        match verb {
            "replace" => {
                let hop = self.hop(words)?;
                // Unlike a route, a nexthop object needs carrier.
                if hop.linkdown {
                    return Err(Refused);
                }
                Ok(vec![Work::SetNexthop(id, hop), Work::TellNexthop(id)])
            }
            "del" => {
                self.nexthops.get(&id).ok_or(Refused)?;
                Ok(vec![Work::RemoveNexthop(id), Work::TellNexthopGone(id), Work::FlushNexthop(id)])
            }
            verb => panic!("nexthop {verb}?"),
        }
    }

    fn plan_rule(
        &mut self,
        verb: &str,
        preference: &str,
        to: &str,
        action: &[&str],
    ) -> Result<Vec<Work>, Refused> {
        let rule = Rule {
            preference: preference.parse().map_err(|_| Refused)?,
            to: to.parse().map_err(|_| Refused)?,
            table: Words(action).number("lookup"),
        };
        let known = self.rules.contains(&rule);
        let family = Family::of(rule.to.addr());
        match (verb, known) {
            ("add", false) => Ok(vec![Work::AddRule(rule), Work::TellRule(family)]),
            ("del", true) => Ok(vec![Work::RemoveRule(rule), Work::TellRule(family)]),
            _ => Err(Refused),
        }
    }

    fn plan_sysctl(&mut self, setting: &str) -> Result<Vec<Work>, Refused> {
        let (name, value) = setting.split_once('=').ok_or(Refused)?;
        let on = value == "1";
        let parts: Vec<&str> = name.split('.').collect();
        let ["net", family, "conf", ifname, key] = parts.as_slice() else { panic!("{setting}?") };
        let family = if *family == "ipv4" { Family::V4 } else { Family::V6 };
        let link = if *ifname == "all" { None } else { Some(self.device(ifname)?.ifindex) };
        match (*key, link) {
            ("ignore_routes_with_linkdown", _) if self.ignores_linkdown.contains(&(family, link)) != on => {
                Ok(vec![Work::IgnoreLinkdown(family, link, on), Work::TellIgnoreLinkdown(link)])
            }
            ("ignore_routes_with_linkdown", _) => Ok(Vec::new()),
            ("keep_addr_on_down", Some(link)) => Ok(vec![Work::KeepAddresses(link, on)]),
            ("promote_secondaries", Some(link)) => Ok(vec![Work::Promotes(link, on)]),
            _ => panic!("{setting}?"),
        }
    }

    fn leaves_by(&self, route: &Route, ifname: &str) -> bool {
        let device = self.device(ifname);
        device.is_ok_and(|device| route.hops.iter().any(|hop| hop.ifindex == device.ifindex))
    }
}
