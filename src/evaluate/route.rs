//! Routes: whether one that stands in a table leads anywhere, and what the kernel's lookup says.

use std::net::IpAddr;

use crate::evaluate::Judge;
use crate::evaluate::address::usable;
use crate::model::{Link, Lookup, NextHop, Route, RouteKind, link_local};
use crate::requirement::{AddressSpec, Family, Links, RouteSpec, TABLE_MAIN};
use crate::verdict::{AddressRef, Dead, Evidence, Outcome, Reason, RouteRef};

impl<'a> Judge<'a> {
    /// A wanted route; through a given link, where one is given.
    pub(super) fn route(&mut self, spec: &RouteSpec, through: Option<&Link>) -> Outcome {
        let network = self.network;
        let Some(table) = network.table_id(&spec.table) else {
            let name = spec.table.to_string();
            return Outcome::Unmet(Reason::NoVrf { name });
        };
        let wanted = |route: &&Route| {
            route.table == table && spec.destination.prefixes().any(|prefix| prefix == route.destination)
        };
        let mut reason = None;
        for route in network.routes.known.iter().filter(wanted) {
            match self.usable(spec, route, through) {
                Ok(evidence) => return Outcome::Met(evidence),
                // The first one is the one that the kernel would take.
                Err(why) if reason.as_ref().is_none_or(|known| telling(&why) > telling(known)) => {
                    reason = Some(why);
                }
                Err(_) => {}
            }
        }
        for prefix in spec.destination.prefixes() {
            self.must_be_read(Family::of(prefix.addr()), table);
        }
        Outcome::Unmet(reason.unwrap_or_else(|| Reason::NoRoute {
            spec: spec.clone(),
            ifname: through.map(|link| link.ifname.clone()),
        }))
    }

    /// Unicast, not expired, with a live next hop through a link with carrier, and a source.
    fn usable(&self, spec: &RouteSpec, route: &Route, through: Option<&Link>) -> Result<Evidence, Reason> {
        if route.kind != RouteKind::Unicast {
            return Err(Reason::RefusingRoute { spec: spec.clone(), kind: route.kind });
        }
        let mut reason = None;
        for hop in &route.hops {
            match self.usable_hop(route, hop, through) {
                Ok(evidence) => return Ok(evidence),
                Err(why) if reason.as_ref().is_none_or(|known| telling(&why) > telling(known)) => {
                    reason = Some(why);
                }
                Err(_) => {}
            }
        }
        Err(reason.unwrap_or_else(|| Reason::NoRoute {
            spec: spec.clone(),
            ifname: through.map(|link| link.ifname.clone()),
        }))
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
        self.link_carries(hop.ifindex).map_err(&dead)?;
        if hop.dead || hop.linkdown {
            return Err(dead(Dead::Flagged));
        }
        match self.source(route, hop.ifindex, through.is_none()) {
            Some(source) => Ok(Evidence::Route { route: summary, source }),
            None => Err(Reason::NoSource { route: summary, source: route.prefsrc }),
        }
    }

    pub(super) fn link_carries(&self, ifindex: u32) -> Result<(), Dead> {
        match self.network.link(ifindex) {
            Some(link) => self.network.carrier(link).map_err(Dead::Link),
            // Deleted, and the route with it: its message is still to come.
            None => Err(Dead::Flagged),
        }
    }

    /// The address that packets on this route would leave from: what the route asks for, or one of its
    /// link, or one of a loopback or dummy link (BGP-unnumbered hosts). Another link's counts for IPv6
    /// only, and only `host_wide`.
    fn source(&self, route: &Route, ifindex: u32, host_wide: bool) -> Option<AddressRef> {
        if let Some(prefsrc) = route.prefsrc {
            return self.usable_exact(prefsrc);
        }
        let family = route.family();
        let spec = match route.source {
            Some(from) => AddressSpec::Prefix(from),
            None => AddressSpec::Family(family),
        };
        let homes = self.network.links().filter(|link| link.loopback() || link.kind == "dummy");
        let mut places = std::iter::once(ifindex).chain(homes.map(|link| link.ifindex));
        places
            .find_map(|place| self.usable_on(place, spec))
            .or_else(|| {
                link_local(route.destination.addr())
                    .then(|| self.usable_on(ifindex, AddressSpec::LinkLocal(family)))
                    .flatten()
            })
            .or_else(|| host_wide.then(|| self.source_of_another_link(route, ifindex, spec)).flatten())
    }

    /// A router with a delegated prefix has a link-local address on its uplink and the prefix on another
    /// link. For a destination in the internet the kernel then takes an address of that other link
    /// (RFC 6724: scope comes before the outgoing link). It looks at the links of the same VRF only.
    fn source_of_another_link(&self, route: &Route, ifindex: u32, spec: AddressSpec) -> Option<AddressRef> {
        let network = self.network;
        let internet = |address: IpAddr| match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => v6.octets()[0] >> 5 == 0b001,
        };
        let destination = route.destination;
        let default = destination == Family::V6.default_prefix();
        if !default && !(destination.prefix_len() >= 3 && internet(destination.addr())) {
            return None;
        }
        let vrf = |link: &Link| match link.kind.as_str() {
            "vrf" => Some(link.ifindex),
            _ => link.master.filter(|it| network.link(*it).is_some_and(|master| master.kind == "vrf")),
        };
        let uplink = network.link(ifindex)?;
        let others = network.links().filter(|link| {
            link.ifindex != ifindex && vrf(link) == vrf(uplink) && network.carrier(link).is_ok()
        });
        others.flat_map(|link| network.addresses_of(link.ifindex)).find_map(|address| {
            let wanted = internet(address.local) && spec.covers(address) && usable(spec, address);
            wanted.then(|| self.address_ref(address))
        })
    }

    /// What the kernel's own lookup says of a target; in a clause with links, the way must leave through
    /// one of those that satisfy the rest of it.
    pub(super) fn route_to(&mut self, target: IpAddr, within: Option<(&Links, &[&'a Link])>) -> Outcome {
        let (ifindex, gateway, source, expired) = match self.network.lookups.get(&target) {
            None => return Outcome::Unmet(Reason::Unread),
            Some(Lookup::None(errno)) => {
                return Outcome::Unmet(Reason::Unreachable { target, errno: *errno });
            }
            Some(Lookup::Way { ifindex, gateway, source, expires }) => {
                (*ifindex, *gateway, *source, expires.is_some_and(|at| at <= self.now))
            }
        };
        let family = Family::of(target);
        let bits = if family == Family::V4 { 32 } else { 128 };
        let route = RouteRef {
            destination: ipnet::IpNet::new(target, bits).unwrap_or(family.default_prefix()),
            gateway,
            ifindex,
            ifname: self.network.ifname(ifindex),
            table: TABLE_MAIN,
            metric: 0,
        };
        if let Some((links, fit)) = within {
            if !fit.iter().any(|link| link.ifindex == ifindex) {
                let names: Vec<String> = links.entries.iter().map(ToString::to_string).collect();
                return Outcome::Unmet(Reason::WrongLink { route, wanted: names.join(", ") });
            }
        }
        let live = if expired { Err(Dead::Expired) } else { self.link_carries(ifindex) };
        if let Err(why) = live {
            return Outcome::Unmet(Reason::DeadRoute { route, why });
        }
        let spec = |source| match link_local(target) || target.is_loopback() {
            true => AddressSpec::Exact(source),
            // Of wider scope than the link: else the answer would not find back.
            false => AddressSpec::Family(family),
        };
        let usable = source.filter(|source| {
            self.network.addresses().any(|address| address.local == *source && spec(*source).covers(address))
        });
        match usable.and_then(|source| self.usable_exact(source)) {
            Some(source) => Outcome::Met(Evidence::Lookup { target, route, source }),
            None => Outcome::Unmet(Reason::NoSource { route, source }),
        }
    }

    pub(super) fn route_ref(&self, route: &Route, hop: &NextHop) -> RouteRef {
        RouteRef {
            destination: route.destination,
            gateway: hop.gateway,
            ifindex: hop.ifindex,
            ifname: self.network.ifname(hop.ifindex),
            table: route.table,
            metric: route.metric,
        }
    }
}

/// How much a reason tells the administrator: a route that leads where it is wanted and is dead more than
/// one that leads elsewhere, and that more than one that refuses.
fn telling(reason: &Reason) -> u8 {
    match reason {
        Reason::RefusingRoute { .. } => 0,
        Reason::WrongLink { .. } => 1,
        Reason::DeadRoute { .. }
        | Reason::NoSource { .. }
        | Reason::NoRoute { .. }
        | Reason::Absent { .. }
        | Reason::NoVrf { .. }
        | Reason::TooFew { .. }
        | Reason::Carrier { .. }
        | Reason::NoAddress { .. }
        | Reason::Unusable { .. }
        | Reason::Unreachable { .. }
        | Reason::Unread
        | Reason::Pasta { .. }
        | Reason::NoNameserver(_)
        | Reason::ProbeFailed { .. }
        | Reason::NotTried { .. } => 2,
    }
}
