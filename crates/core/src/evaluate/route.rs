//! Decides whether a route of a table is usable, and whether the kernel's answer to a lookup is.

use core::net::IpAddr;

use crate::evaluate::Judge;
use crate::evaluate::address::{can_be_source, fault};
use crate::evaluate::choice::{self, Choice, choices};
use crate::evaluate::judged::{Judged, Needs};
use crate::model::{Address, Carrierless, Link, Lookup, NextHop, Route, RouteKind, link_local};
use crate::requirement::{AddressSpec, Family, Links, RouteSpec, RouteTo, Table};
use crate::verdict::{AddressRef, Dead, Evidence, Outcome, Reason, RouteRef, Unreached, Warning};

impl<'a> Judge<'a> {
    /// Evaluates a wanted route. With `through`, this link must have one.
    pub(crate) fn route(&self, spec: &RouteSpec, through: Option<&Link>) -> Judged {
        let table = match self.table(&spec.table) {
            Ok(table) => table,
            Err(why) => return why.into(),
        };
        let judged = match through {
            Some(link) => self.route_of_link(spec, table, link).map(|evidence| (evidence, Vec::new())),
            None => self.route_of_host(spec, table),
        };
        match judged {
            Ok((evidence, warnings)) => {
                Judged { outcome: Outcome::Met(evidence), needs: Needs::default(), warnings }
            }
            Err(reason) => {
                let prefixes = spec.destination.prefixes();
                let unread = prefixes.filter_map(|prefix| self.not_read(Family::of(prefix.addr()), table));
                Judged {
                    outcome: Outcome::Unmet(reason.unwrap_or_else(|| no_route(spec, through))),
                    needs: Needs { unread: unread.collect(), ..Needs::default() },
                    warnings: Vec::new(),
                }
            }
        }
    }

    /// Whether this link has such a route that is usable. The kernel may prefer another one.
    fn route_of_link(&self, spec: &RouteSpec, table: u32, link: &Link) -> Result<Evidence, Option<Reason>> {
        let routes = spec.destination.prefixes().flat_map(|prefix| self.network.routes.to(prefix, table));
        let mut reason = None;
        for route in routes.filter(|route| choice::counts(route)) {
            match self.usable(spec, route, Some(link)) {
                Ok(evidence) => return Ok(evidence),
                Err(why) => keep_telling(&mut reason, why),
            }
        }
        Err(reason)
    }

    /// Whether the route that the kernel selects is usable. Routes behind it do not count, because no packet
    /// takes them.
    fn route_of_host(
        &self,
        spec: &RouteSpec,
        table: u32,
    ) -> Result<(Evidence, Vec<Warning>), Option<Reason>> {
        let mut reason = None;
        for prefix in spec.destination.prefixes() {
            for choice in choices(&self.network.routes, prefix, table, self.now) {
                match self.usable_choice(spec, &choice).and_then(|found| self.reached(spec, prefix, found)) {
                    Ok((route, evidence)) => return Ok((evidence, self.dead_hops(route))),
                    Err(why) => {
                        let hides = why.as_ref().is_some_and(hides_sources);
                        if let Some(why) = why {
                            keep_telling(&mut reason, why);
                        }
                        if hides && choice.taken.is_some_and(|taken| taken.source.is_none()) {
                            break;
                        }
                    }
                }
            }
        }
        Err(reason)
    }

    /// Whether packets come to a default route of the main table. They do not if policy rules or other routes refuse
    /// them first, or if all routes that they take instead are dead: the default route of another table, or routes of
    /// short prefixes.
    fn reached<'r>(
        &self,
        spec: &RouteSpec,
        prefix: ipnet::IpNet,
        (route, evidence): (&'r Route, Evidence),
    ) -> Result<(&'r Route, Evidence), Option<Reason>> {
        let Evidence::Route { route: found, .. } = &evidence else { return Ok((route, evidence)) };
        let routes = &self.network.routes;
        if spec.table != Table::MAIN {
            return Ok((route, evidence));
        }
        if routes.unreached.contains(&prefix) {
            let why = match route.source {
                Some(source) => Unreached::ForOtherSources(source),
                None if routes.refusing.contains(&route.family()) => Unreached::ByRoutes,
                None => Unreached::ByRules,
            };
            return Err(Some(Reason::NotReached { route: found.clone(), why }));
        }
        let mut dead = None;
        for taken in routes.preferred.get(&prefix).into_iter().flatten() {
            match self.usable(spec, taken, None) {
                Err(why @ Reason::DeadRoute { .. }) => drop(dead.get_or_insert((taken, why))),
                Ok(_) | Err(_) => return Ok((route, evidence)),
            }
        }
        match dead {
            Some((taken, why)) => Err(Some(hidden(taken, why, found.clone()))),
            None => Ok((route, evidence)),
        }
    }

    fn usable_choice<'r>(
        &self,
        spec: &RouteSpec,
        choice: &Choice<'r>,
    ) -> Result<(&'r Route, Evidence), Option<Reason>> {
        let Some(taken) = choice.taken else {
            let mut reason = None;
            for route in &choice.others {
                if let Err(why) = self.usable(spec, route, None) {
                    keep_telling(&mut reason, why);
                }
            }
            return Err(reason);
        };
        let why = match self.usable(spec, taken, None) {
            Ok(evidence) => return Ok((taken, evidence)),
            Err(why) => why,
        };
        let usable = choice.others.iter().find_map(|route| match self.usable(spec, route, None) {
            Ok(Evidence::Route { route, .. }) => Some(route),
            Ok(_) | Err(_) => None,
        });
        Err(Some(match usable {
            Some(usable) => hidden(taken, why, usable),
            None => why,
        }))
    }

    /// The next hops of a usable route that are dead. If it has only one, that one is alive.
    fn dead_hops(&self, route: &Route) -> Vec<Warning> {
        if route.hops.len() == 1 {
            return Vec::new();
        }
        let warning = |hop: &NextHop| {
            let why = self.live_hop(hop, None).err()?;
            Some(Warning::DeadHop { route: self.route_ref(route, hop), why, used: !hop.dead })
        };
        route.hops.iter().filter_map(warning).collect()
    }

    /// A route is usable if it is unicast, has not expired, and has a next hop that is alive on a link with carrier
    /// and has a source address.
    fn usable(&self, spec: &RouteSpec, route: &Route, through: Option<&Link>) -> Result<Evidence, Reason> {
        if route.kind != RouteKind::Unicast {
            return Err(Reason::RefusingRoute { spec: spec.clone(), kind: route.kind, metric: route.metric });
        }
        let mut reason = None;
        for hop in &route.hops {
            match self.usable_hop(route, hop, through) {
                Ok(evidence) => return Ok(evidence),
                Err(why) => keep_telling(&mut reason, why),
            }
        }
        Err(reason.unwrap_or_else(|| no_route(spec, through)))
    }

    fn usable_hop(&self, route: &Route, hop: &NextHop, through: Option<&Link>) -> Result<Evidence, Reason> {
        let summary = self.route_ref(route, hop);
        if let Some(wanted) = through.filter(|link| link.ifindex != hop.ifindex) {
            return Err(Reason::WrongLink { route: summary, wanted: wanted.ifname.clone() });
        }
        let dead = |why: Dead| Reason::DeadRoute { route: summary.clone(), why };
        if route.expired(self.now) {
            return Err(dead(Dead::Expired));
        }
        self.live_hop(hop, through).map_err(&dead)?;
        match self.source(route, hop.ifindex, through.is_none()) {
            Some(source) => Ok(Evidence::Route { route: summary, source }),
            None => Err(Reason::NoSource { route: summary, source: route.prefsrc }),
        }
    }

    fn live_hop(&self, hop: &NextHop, through: Option<&Link>) -> Result<(), Dead> {
        self.link_carries(hop.ifindex)?;
        if hop.dead || hop.linkdown {
            return Err(Dead::Flagged);
        }
        // The clause names this link, so the link counts even if it leads nowhere.
        if through.is_none() { self.leads_somewhere(hop.ifindex) } else { Ok(()) }
    }

    fn leads_somewhere(&self, ifindex: u32) -> Result<(), Dead> {
        let Some(link) = self.network.link(ifindex) else { return Ok(()) };
        match link.master.filter(|_| self.network.is_port(link)) {
            Some(master) => Err(Dead::Port(self.network.ifname(master))),
            None if self.network.leads_nowhere(link) => Err(Dead::LeadsNowhere),
            None => Ok(()),
        }
    }

    pub(super) fn link_carries(&self, ifindex: u32) -> Result<(), Dead> {
        match self.network.link(ifindex) {
            Some(link) => self.network.carrier(link).map_err(Dead::Link),
            // The link was deleted, and its routes with it. The message about the routes is still to come.
            None => Err(Dead::Flagged),
        }
    }

    /// Returns the source address of packets on this route. If the route has a preferred source, it is that
    /// address. Otherwise it is an address of its link, or of a loopback or dummy link (as on BGP-unnumbered
    /// hosts). An address of another link counts only if `host_wide`.
    fn source(&self, route: &Route, ifindex: u32, host_wide: bool) -> Option<AddressRef> {
        if let Some(prefsrc) = route.prefsrc {
            return self.usable_exact(prefsrc);
        }
        let family = route.family();
        let spec = match route.source {
            Some(from) => AddressSpec::Prefix(from),
            None => AddressSpec::Family(family),
        };
        // The kernel takes no address of another VRF. The device of a VRF is the loopback link of that VRF.
        let vrf = self.network.link(ifindex).and_then(|link| self.network.vrf_of(link));
        let homes = self.network.links().filter(|link| {
            let home = link.leads_nowhere() || link.vrf_table.is_some();
            home && self.network.vrf_of(link) == vrf
        });
        let mut places = core::iter::once(ifindex).chain(homes.map(|link| link.ifindex));
        places
            .find_map(|place| self.source_on(place, spec))
            .or_else(|| {
                link_local(route.destination.addr())
                    .then(|| self.source_on(ifindex, AddressSpec::LinkLocal(family)))
                    .flatten()
            })
            .or_else(|| host_wide.then(|| self.source_of_another_link(route, ifindex, spec)).flatten())
    }

    /// A router with a delegated prefix has only a link-local address on its uplink, and the prefix on another
    /// link. For a destination in the internet, the kernel then selects an address of that other link (RFC 6724
    /// compares scopes before outgoing links). An unnumbered link has no IPv4 address, and the kernel then takes one
    /// of another link for every destination (inet_select_addr). The kernel looks only at links of the same VRF.
    fn source_of_another_link(&self, route: &Route, ifindex: u32, spec: AddressSpec) -> Option<AddressRef> {
        let network = self.network;
        // In IPv4, the destination and the scope of the address do not matter.
        let of_the_internet = |address: IpAddr| match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(v6) => v6.octets()[0] >> 5 == 0b001,
        };
        let (destination, length) = (route.destination.addr(), route.destination.prefix_len());
        if length != 0 && !(of_the_internet(destination) && (length >= 3 || destination.is_ipv4())) {
            return None;
        }
        let uplink = network.link(ifindex)?;
        // The kernel takes an IPv4 address of the link before one of another link, even one of 169.254.0.0/16.
        let own = |address: &Address| address.local.is_ipv4();
        if route.family() == Family::V4 && network.addresses_of(ifindex).any(own) {
            return None;
        }
        let others = network.links().filter(|link| {
            link.ifindex != ifindex
                && network.vrf_of(link) == network.vrf_of(uplink)
                && network.carrier(link).is_ok()
        });
        others.flat_map(|link| network.addresses_of(link.ifindex)).find_map(|address| {
            let wanted = of_the_internet(address.local) && spec.covers(address) && can_be_source(address);
            wanted.then(|| self.address_ref(address))
        })
    }

    /// Returns the number of a table. The table of a VRF counts only if the VRF's device is up. If the device is
    /// down, programs in the VRF get ENETUNREACH, whatever the table contains.
    fn table(&self, table: &Table) -> Result<u32, Reason> {
        match table {
            Table::Id(id) => Ok(*id),
            Table::Vrf(name) => {
                let no_vrf = || Reason::NoVrf { name: name.clone() };
                let vrf = self.network.vrf(name).ok_or_else(no_vrf)?;
                if !vrf.admin_up() {
                    return Err(Reason::Carrier { ifname: vrf.ifname.clone(), why: Carrierless::AdminDown });
                }
                vrf.vrf_table.ok_or_else(no_vrf)
            }
        }
    }

    /// Evaluates the kernel's answer to a lookup. In a clause that names links, the route must leave through one of
    /// the links that satisfy the rest of the clause.
    pub(crate) fn route_to(&self, wanted: &RouteTo, within: Option<(&Links, &[&'a Link])>) -> Judged {
        match self.way(wanted, within) {
            Ok(evidence) => Outcome::Met(evidence).into(),
            Err(why) => why.into(),
        }
    }

    fn way(&self, wanted: &RouteTo, within: Option<(&Links, &[&'a Link])>) -> Result<Evidence, Reason> {
        let target = wanted.target;
        let vrf = wanted.vrf.clone().map_or(Table::MAIN, Table::Vrf);
        let table = self.table(&vrf)?;
        if let Some(zone) = wanted.zone.as_ref().filter(|zone| self.network.zone(zone).is_none()) {
            return Err(Reason::Absent { name: zone.clone() });
        }
        let from = wanted.from.map(|from| self.bound(from, wanted)).transpose()?;
        let (ifindex, gateway, source, expired, local) = match self.network.lookups.get(wanted) {
            None => return Err(Reason::Unread),
            Some(Lookup::Broadcast) => return Err(Reason::Broadcast { target }),
            Some(Lookup::None(errno)) => {
                return Err(Reason::Unreachable { wanted: wanted.clone(), errno: *errno });
            }
            Some(Lookup::Path { ifindex, gateway, source, expires, local }) => {
                (*ifindex, *gateway, *source, expires.is_some_and(|at| at <= self.now), *local)
            }
        };
        let family = Family::of(target);
        let bits = if family == Family::V4 { 32 } else { 128 };
        let route = RouteRef {
            destination: ipnet::IpNet::new(target, bits).unwrap_or(family.default_prefix()),
            gateway,
            ifindex,
            ifname: self.network.ifname(ifindex),
            table,
            metric: 0,
            nexthop: None,
        };
        if let Some((links, fit)) = within {
            if !fit.iter().any(|link| link.ifindex == ifindex) {
                let names: Vec<String> = links.entries.iter().map(ToString::to_string).collect();
                return Err(Reason::WrongLink { route, wanted: names.join(", ") });
            }
        }
        let live = if expired { Err(Dead::Expired) } else { self.link_carries(ifindex) };
        // A target on this host needs no link that leads out, and a link that the clause names counts in any case.
        let beyond = if local || within.is_some() { Ok(()) } else { self.leads_somewhere(ifindex) };
        if let Err(why) = live.and(beyond) {
            return Err(Reason::DeadRoute { route, why });
        }
        let source_of_lookup = match (from, local) {
            (Some(from), _) => Some(from),
            (None, true) => self.source_within(source.unwrap_or(target), &route),
            (None, false) => source.and_then(|source| self.source_towards(target, gateway, source)),
        };
        match source_of_lookup {
            Some(source) => Ok(Evidence::Lookup { target, route, source }),
            None => Err(Reason::NoSource { route, source }),
        }
    }

    /// Returns the source of packets to this host itself. Any of its addresses will do, whatever its scope. A local
    /// route can also make a prefix this host's without an address (`ip route add local 192.0.2.0/24 dev lo`).
    fn source_within(&self, source: IpAddr, route: &RouteRef) -> Option<AddressRef> {
        let spec = AddressSpec::Exact(source);
        let held = self.network.addresses().any(|address| self.covers(spec, address));
        let without = AddressRef { address: source, ifindex: route.ifindex, ifname: route.ifname.clone() };
        if held { self.usable_exact(source) } else { Some(without) }
    }

    /// Returns the source of packets to another host, if the answer finds its way back to it. For that the source
    /// needs a wider scope than the link, unless the target is on the link itself.
    fn source_towards(&self, target: IpAddr, gateway: Option<IpAddr>, source: IpAddr) -> Option<AddressRef> {
        let anywhere = AddressSpec::Family(Family::of(target));
        let returns = |address: &Address| {
            link_local(target)
                || anywhere.covers(address)
                || (gateway.is_none() && address.reaches_on_link(target))
        };
        let mut addresses = self.network.addresses();
        addresses
            .any(|address| address.local == source && returns(address))
            .then(|| self.usable_exact(source))
            .flatten()
    }

    /// Returns the address that a program binds with bind(2) before it connects. A program in a VRF can bind only
    /// addresses of links in that VRF. Any other program can bind only addresses of links in no VRF. A link-local
    /// IPv6 address must be on the link of the zone.
    fn bound(&self, from: IpAddr, wanted: &RouteTo) -> Result<AddressRef, Reason> {
        let network = self.network;
        let zone = wanted.zone.as_ref().and_then(|zone| network.zone(zone));
        let device = wanted.vrf.as_ref().and_then(|vrf| network.vrf(vrf));
        let vrf = zone.or(device).and_then(|link| network.vrf_of(link));
        let spec = AddressSpec::Exact(from);
        let here = |address: &&Address| {
            let on_link =
                !from.is_ipv6() || !link_local(from) || zone.is_none_or(|z| z.ifindex == address.ifindex);
            let within = network.link(address.ifindex).is_some_and(|link| network.vrf_of(link) == vrf);
            self.covers(spec, address) && on_link && within
        };
        let mut unusable = None;
        for address in network.addresses().filter(here) {
            match fault(spec, address, self.link_carries(address.ifindex).is_ok()) {
                None => return Ok(self.held(spec, address)),
                Some(why) => unusable = Some(Reason::Unusable { address: self.held(spec, address), why }),
            }
        }
        let ifname = zone.or(device).map(|link| link.ifname.clone());
        Err(unusable.unwrap_or(Reason::NoAddress { spec, ifname, link_local: None, disabled: false }))
    }

    pub(super) fn route_ref(&self, route: &Route, hop: &NextHop) -> RouteRef {
        RouteRef {
            destination: route.destination,
            gateway: hop.gateway,
            ifindex: hop.ifindex,
            ifname: self.network.ifname(hop.ifindex),
            table: route.table,
            metric: route.metric,
            nexthop: route.nexthop,
        }
    }
}

/// Whether a route for any source that is unusable because of `why` hides the IPv6 routes for one source prefix. The kernel
/// selects a route before it selects the source address, so it takes a dead route (seen on Linux 6.18). If the route
/// refuses, the kernel selects an address and tries again.
fn hides_sources(why: &Reason) -> bool {
    let reason = if let Reason::HiddenRoute { taken, .. } = why { taken } else { why };
    matches!(reason, Reason::DeadRoute { .. })
}

/// The reason that the kernel selects the route `taken`, which is unusable because of `why`, and not a usable one.
fn hidden(taken: &Route, why: Reason, usable: RouteRef) -> Reason {
    let linkdown = taken.hops.iter().any(|hop| hop.linkdown && !hop.dead);
    Reason::HiddenRoute { taken: Box::new(why), linkdown, hidden: usable }
}

fn no_route(spec: &RouteSpec, through: Option<&Link>) -> Reason {
    Reason::NoRoute { spec: spec.clone(), ifname: through.map(|link| link.ifname.clone()) }
}

/// Keeps the reason that tells more. If both tell as much, keeps the first.
fn keep_telling(kept: &mut Option<Reason>, reason: Reason) {
    if kept.as_ref().is_none_or(|known| telling(&reason) > telling(known)) {
        *kept = Some(reason);
    }
}

/// How much a reason tells the administrator. A dead route on the right link tells most. A route on another link
/// tells less, and a route that refuses tells least.
fn telling(reason: &Reason) -> u8 {
    if matches!(reason, Reason::RefusingRoute { .. }) {
        0
    } else if matches!(reason, Reason::WrongLink { .. }) {
        1
    } else {
        2
    }
}
