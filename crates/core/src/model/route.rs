//! Routes, the results of lookups, and what was read of the routing tables.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use ipnet::IpNet;

use super::link_local;
use crate::moment::Moment;
use crate::requirement::{Family, TABLE_MAIN};
use crate::wants::Wants;

/// A route of a routing table, as an RTM_NEWROUTE message describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destination prefix. The default route has the prefix of length 0.
    pub destination: IpNet,
    /// The source prefix that the route is limited to (`from`, RFC 8043). `None` for all sources.
    pub source: Option<IpNet>,
    /// The number of its table (RTA_TABLE).
    pub table: u32,
    /// The metric (RTA_PRIORITY). The kernel prefers a lower one.
    pub metric: u32,
    /// The router preference of an IPv6 route (RTA_PREF, RFC 4191).
    pub preference: Preference,
    /// The TOS, or DSCP, that an IPv4 route is limited to (rtm_tos). 0 for all traffic.
    pub tos: u8,
    /// The type of the route (RTN_* of linux/rtnetlink.h).
    pub kind: RouteKind,
    /// The next hops. Empty for unreachable and similar routes.
    pub hops: Vec<NextHop>,
    /// The preferred source address of the route (RTA_PREFSRC).
    pub prefsrc: Option<IpAddr>,
    /// When the route expires. It stays in the table for up to 30 s after that, but is not used.
    pub expires: Option<Moment>,
    /// The nexthop object that the route is made of (RTA_NH_ID). When that object is removed, the route goes with it.
    pub nexthop: Option<u32>,
}

/// One next hop of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// The number of the link that packets leave through.
    pub ifindex: u32,
    /// The router. `None` if the destination is on the link. The router may be of the other family (RFC 8950).
    pub gateway: Option<IpAddr>,
    /// RTNH_F_DEAD: the kernel skips the next hop. If ignore_routes_with_linkdown is set, the kernel also sets this
    /// flag for a link without carrier.
    pub dead: bool,
    /// RTNH_F_LINKDOWN: the link has no carrier. The kernel still uses the next hop unless it is `dead` too.
    pub linkdown: bool,
    /// RTNH_F_ONLINK: the gateway is on the link even if no prefix of the link covers it.
    pub onlink: bool,
}

/// The type of a route: RTN_* of linux/rtnetlink.h, as far as netready distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kernel's own words")]
pub enum RouteKind {
    Unicast,
    Local,
    Broadcast,
    Anycast,
    Multicast,
    Unreachable,
    Blackhole,
    Prohibit,
    Throw,
    Other,
}

/// How much a router wants to be preferred to other routers (RFC 4191), in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[allow(missing_docs, reason = "RFC 4191's own words")]
pub enum Preference {
    Low,
    #[default]
    Medium,
    High,
}

impl Route {
    /// Returns the destination and the table of the route.
    fn place(&self) -> (IpNet, u32) {
        (self.destination, self.table)
    }

    /// Returns the family of the destination.
    pub fn family(&self) -> Family {
        Family::of(self.destination.addr())
    }

    /// Whether the route has expired.
    pub fn expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A query for the kernel's route lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteQuery {
    /// The address to reach (RTA_DST).
    pub target: IpAddr,
    /// The source address, which is one of this host's (RTA_SRC). `None` lets the kernel choose.
    pub from: Option<IpAddr>,
    /// The link to leave through, or the device of the VRF to search in (RTA_OIF).
    pub oif: Option<u32>,
}

impl RouteQuery {
    /// Makes the query of a program that binds neither an address nor a link.
    pub fn target(target: IpAddr) -> RouteQuery {
        RouteQuery { target, from: None, oif: None }
    }
}

/// The kernel's answer to a route lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The kernel would send the packet on this path.
    Path {
        /// The number of the link that the packet leaves through.
        ifindex: u32,
        /// The router. `None` if the target is on the link.
        gateway: Option<IpAddr>,
        /// The source address that a connection would use.
        source: Option<IpAddr>,
        /// When the route expires.
        expires: Option<Moment>,
        /// Whether the target is this host itself (RTN_LOCAL, RTN_ANYCAST).
        local: bool,
    },
    /// The target is a broadcast address, which connect(2) refuses.
    Broadcast,
    /// The kernel has no path. The value is its error, an errno(3) number.
    None(i32),
}

impl Lookup {
    /// Returns when the route of the path expires.
    pub(crate) fn expires(&self) -> Option<Moment> {
        match self {
            Lookup::Path { expires, .. } => *expires,
            Lookup::Broadcast | Lookup::None(_) => None,
        }
    }
}

/// What pasta would select in one family's main table, given the order of the dump (see nl_get_ext_if in pasta's
/// sources).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PastaView {
    /// The first default route.
    pub default: Option<Route>,
    /// The first other route, for the case that there is no default route.
    pub other: Option<Route>,
    /// Whether a lookup finds the default route's gateway on the default route's link.
    pub gateway_on_link: bool,
}

impl PastaView {
    /// Takes the next route of the dump. Returns `true` if no later route can change the result.
    pub fn see(&mut self, route: &Route) -> bool {
        const LOOPBACK_IFINDEX: u32 = 1;
        if self.default.is_some() {
            return true;
        }
        let leads_out = route.hops.iter().any(|hop| hop.ifindex != LOOPBACK_IFINDEX);
        if route.table != TABLE_MAIN || route.kind != RouteKind::Unicast || !leads_out {
            return false;
        }
        if route.destination.prefix_len() == 0 {
            self.default = Some(route.clone());
        } else if self.other.is_none() && !link_local(route.destination.addr()) {
            self.other = Some(route.clone());
        }
        self.default.is_some()
    }

    /// Returns the route that pasta would select: the first default route, or the first other route if there is
    /// none.
    pub fn taken(&self) -> Option<&Route> {
        self.default.as_ref().or(self.other.as_ref())
    }
}

/// The routing tables as they were read after they became stale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// The routes to wanted destinations in wanted tables, ordered by destination and table. Routes with the same
    /// destination and table are in the kernel's order.
    pub known: Vec<Route>,
    /// The route that the kernel's own lookup selects for a wanted destination in a wanted table, if the lookup
    /// tells it.
    pub chosen: BTreeMap<(IpNet, u32), Route>,
    /// The wanted default destinations in the main table that no packet comes to: every lookup was refused, although
    /// the table has such a route. A policy rule refuses, or no rule leads to the table, or other routes refuse first, or
    /// the route is for other source addresses than the one that the kernel selects.
    pub unreached: BTreeSet<IpNet>,
    /// The routes that ordinary traffic takes instead of the default route of the main table: the default route of
    /// another table, by a policy rule; routes of short prefixes, such as 0.0.0.0/1; and an IPv6 default route for one
    /// source prefix. Empty if some traffic comes to the default route.
    pub preferred: BTreeMap<IpNet, Vec<Route>>,
    /// The families whose main table has a route of a short prefix that refuses, such as `blackhole 0.0.0.0/1`.
    pub refusing: BTreeSet<Family>,
    /// The tables that were read completely: `known` has all their wanted routes.
    pub complete: BTreeSet<(Family, u32)>,
    /// What pasta would select in each family, if it was read.
    pub pasta: BTreeMap<Family, PastaView>,
}

impl Routes {
    /// Adds a route, unless it is already known.
    pub fn add(&mut self, route: Route) {
        if !self.to(route.destination, route.table).contains(&route) {
            let place = self.known.partition_point(|known| known.place() <= route.place());
            self.known.insert(place, route);
        }
    }

    /// Notes a route that the kernel's own lookup selects. Rules and routes that lead other addresses elsewhere are
    /// only for those addresses.
    pub(crate) fn choose(&mut self, route: Route) {
        if route.table == TABLE_MAIN {
            self.preferred.remove(&route.destination);
        }
        self.chosen.insert((route.destination, route.table), route);
    }

    /// Notes a route that the kernel takes instead of the main table's default route.
    pub(crate) fn prefer(&mut self, default: IpNet, route: Route) {
        let preferred = self.preferred.entry(default).or_default();
        if !preferred.contains(&route) {
            preferred.push(route);
        }
    }

    /// Returns the known routes to a destination in a table, in the kernel's order.
    pub fn to(&self, destination: IpNet, table: u32) -> &[Route] {
        let begin = self.known.partition_point(|known| known.place() < (destination, table));
        let end = self.known.partition_point(|known| known.place() <= (destination, table));
        self.known.get(begin..end).unwrap_or_default()
    }

    /// Returns all routes that were read.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Route> {
        let pasta = self.pasta.values().filter_map(PastaView::taken);
        self.known.iter().chain(self.chosen.values()).chain(self.preferred.values().flatten()).chain(pasta)
    }

    /// Whether one of these routes leaves through the link with this number.
    pub(super) fn touches(&self, ifindex: u32) -> bool {
        self.all().any(|route| route.hops.iter().any(|hop| hop.ifindex == ifindex))
    }

    /// Whether one of these routes has a dead next hop on the link of this number.
    pub(super) fn has_dead_hop(&self, ifindex: u32) -> bool {
        self.all().any(|route| route.hops.iter().any(|hop| hop.ifindex == ifindex && hop.dead))
    }

    /// Whether a change of `route` can change what was read for `wants`.
    pub fn depend_on(&self, route: &Route, wants: &Wants) -> bool {
        wants.destination(&route.destination)
            || (wants.refusals_of(&route.destination))
            || (wants.pasta && self.pasta_depends_on(route))
    }

    /// Whether a change of `route` can change what pasta would select. After a default route was found, only two
    /// kinds of routes can: other default routes, and routes through the same link, which may lead to the gateway.
    fn pasta_depends_on(&self, route: &Route) -> bool {
        if route.table != TABLE_MAIN || route.kind != RouteKind::Unicast {
            return false;
        }
        let taken = self.pasta.get(&route.family()).and_then(|view| view.default.as_ref());
        match taken {
            Some(taken) => {
                let shares_link = |hop: &NextHop| taken.hops.iter().any(|other| hop.ifindex == other.ifindex);
                route.destination.prefix_len() == 0 || route.hops.iter().any(shares_link)
            }
            None => true,
        }
    }
}

/// One routing table as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRoutes {
    /// The family of the table's routes.
    pub family: Family,
    /// The number of the table (RTA_TABLE).
    pub id: u32,
    /// The routes to wanted destinations, in the kernel's order.
    pub routes: Vec<Route>,
    /// What pasta would select in this table, if that is wanted.
    pub pasta: Option<PastaView>,
    /// Whether this is the main table and a route of a short prefix refuses, such as `blackhole 0.0.0.0/1`.
    pub refuses: bool,
}

impl TableRoutes {
    /// Replaces what is known about this table.
    pub fn put_into(self, known: &mut Routes) {
        known.known.retain(|route| route.table != self.id || route.family() != self.family);
        known.known.extend(self.routes);
        known.known.sort_by_key(Route::place);
        known.complete.insert((self.family, self.id));
        if self.refuses {
            known.refusing.insert(self.family);
        }
        if let Some(view) = self.pasta {
            known.pasta.insert(self.family, view);
        }
    }
}
