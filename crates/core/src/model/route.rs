//! Routes, what a lookup answers, and what was read of the routing tables.

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
    /// The prefix of the addresses that it leads to. The default route has the prefix of length 0.
    pub destination: IpNet,
    /// The source prefix that it is for (`from`, RFC 8043).
    pub source: Option<IpNet>,
    /// The table it stands in (RTA_TABLE).
    pub table: u32,
    /// The metric (RTA_PRIORITY). The kernel prefers a lower one.
    pub metric: u32,
    /// The router preference of an IPv6 route (RTA_PREF, RFC 4191).
    pub preference: Preference,
    /// The TOS, or DSCP, that an IPv4 route is for (rtm_tos); 0 where it is for all traffic.
    pub tos: u8,
    /// The type of the route (RTN_* of linux/rtnetlink.h).
    pub kind: RouteKind,
    /// Its ways out; empty for unreachable and the like.
    pub hops: Vec<NextHop>,
    /// The source address that it asks for (RTA_PREFSRC).
    pub prefsrc: Option<IpAddr>,
    /// When it ends; it stays in the table for up to 30 s after that, dead.
    pub expires: Option<Moment>,
}

/// One way out of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// The link that it leaves through.
    pub ifindex: u32,
    /// The router there; none where the destination is on the link. May be of the other family (RFC 8950).
    pub gateway: Option<IpAddr>,
    /// RTNH_F_DEAD: the kernel passes it over. It says so of a link without carrier, too, where
    /// ignore_routes_with_linkdown is set.
    pub dead: bool,
    /// RTNH_F_LINKDOWN: the link has no carrier. Without `dead` the kernel uses the next hop all the same.
    pub linkdown: bool,
    /// RTNH_F_ONLINK: the gateway is on the link even if no prefix of the link covers it.
    pub onlink: bool,
}

/// RTN_* of linux/rtnetlink.h, as far as they differ here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kernel's own words")]
pub enum RouteKind {
    Unicast,
    Local,
    Unreachable,
    Blackhole,
    Prohibit,
    Throw,
    Other,
}

/// How much a router wants to be preferred to others, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[allow(missing_docs, reason = "RFC 4191's own words")]
pub enum Preference {
    Low,
    #[default]
    Medium,
    High,
}

impl Route {
    /// Where the route leads, and the table that it is in.
    fn place(&self) -> (IpNet, u32) {
        (self.destination, self.table)
    }

    /// The family of its destination.
    pub fn family(&self) -> Family {
        Family::of(self.destination.addr())
    }

    /// Whether its lifetime is over.
    pub fn expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A question for the kernel's lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteQuery {
    /// The address to reach (RTA_DST).
    pub target: IpAddr,
    /// From which address of the host's (RTA_SRC).
    pub from: Option<IpAddr>,
    /// Through which link, or in the VRF of which device (RTA_OIF).
    pub oif: Option<u32>,
}

impl RouteQuery {
    /// Of a program that binds nothing.
    pub fn target(target: IpAddr) -> RouteQuery {
        RouteQuery { target, from: None, oif: None }
    }
}

/// The kernel's answer to "how would one get there".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The kernel would send the packet on this path.
    Path {
        /// The link that it leaves through.
        ifindex: u32,
        /// The router; none where the target is on the link.
        gateway: Option<IpAddr>,
        /// The source address that a connection would get.
        source: Option<IpAddr>,
        /// When its route ends.
        expires: Option<Moment>,
        /// It is this host itself (RTN_LOCAL).
        local: bool,
    },
    /// Not at all: the kernel's error as an errno(3) value.
    None(i32),
}

/// What pasta would take from one family's main table (its nl_get_ext_if), in dump order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PastaView {
    /// The first default route.
    pub default: Option<Route>,
    /// Without one: the first other route.
    pub other: Option<Route>,
    /// Whether a lookup of the default's gateway finds it on the default's link.
    pub gateway_on_link: bool,
}

impl PastaView {
    /// Sees the next route of the dump; true once no later one can change the answer.
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

    /// The route that pasta would take: the first default route, else the first other route.
    pub fn taken(&self) -> Option<&Route> {
        self.default.as_ref().or(self.other.as_ref())
    }
}

/// What was read of the routing tables since they went stale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// Routes to wanted destinations in wanted tables, ordered by these; those to one destination in one table are in the
    /// kernel's order.
    pub known: Vec<Route>,
    /// What the kernel's own lookup takes for a wanted destination in a wanted table, where it says so.
    pub chosen: BTreeMap<(IpNet, u32), Route>,
    /// Tables that were read whole: `known` has all there is of them.
    pub complete: BTreeSet<(Family, u32)>,
    /// What pasta would take, where it was read.
    pub pasta: BTreeMap<Family, PastaView>,
}

impl Routes {
    /// Adds a route unless it is known.
    pub fn add(&mut self, route: Route) {
        if !self.to(route.destination, route.table).contains(&route) {
            let place = self.known.partition_point(|known| known.place() <= route.place());
            self.known.insert(place, route);
        }
    }

    /// The known routes to a destination in a table, in the kernel's order.
    pub fn to(&self, destination: IpNet, table: u32) -> &[Route] {
        let begin = self.known.partition_point(|known| known.place() < (destination, table));
        let end = self.known.partition_point(|known| known.place() <= (destination, table));
        self.known.get(begin..end).unwrap_or_default()
    }

    /// All routes that were read.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Route> {
        let pasta = self.pasta.values().filter_map(PastaView::taken);
        self.known.iter().chain(self.chosen.values()).chain(pasta)
    }

    /// Whether one of these routes leaves through the link of this number.
    pub(super) fn touches(&self, ifindex: u32) -> bool {
        self.all().any(|route| route.hops.iter().any(|hop| hop.ifindex == ifindex))
    }

    /// Whether a change of `route` can change what was read of the tables for `wants`.
    pub fn depend_on(&self, route: &Route, wants: &Wants) -> bool {
        wants.destination(&route.destination) || (wants.pasta && self.pasta_depends_on(route))
    }

    /// Once pasta has a default route to take, no other route can change its choice, unless it leaves through
    /// the same link, where it may be the route to the gateway.
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

/// What was read of one routing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRoutes {
    /// The family of its routes.
    pub family: Family,
    /// The number of the table (RTA_TABLE).
    pub id: u32,
    /// Its routes to wanted destinations, in the kernel's order.
    pub routes: Vec<Route>,
    /// What pasta would take of it, where that is wanted.
    pub pasta: Option<PastaView>,
}

impl TableRoutes {
    /// Puts them in the place of what lookups said.
    pub fn put_into(self, known: &mut Routes) {
        known.known.retain(|route| route.table != self.id || route.family() != self.family);
        known.known.extend(self.routes);
        known.known.sort_by_key(Route::place);
        known.complete.insert((self.family, self.id));
        if let Some(view) = self.pasta {
            known.pasta.insert(self.family, view);
        }
    }
}
