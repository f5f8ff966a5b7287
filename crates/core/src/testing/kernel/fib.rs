//! What the kernel's tables answer: which route it takes, and which address it selects.

use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use super::{
    Entry, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_SECONDARY, IFA_F_TENTATIVE, Kernel, TABLE_LOCAL,
};
use crate::model::{Address, Lookup, NextHop, Route, RouteKind, RouteQuery, link_local};
use crate::requirement::{Family, TABLE_MAIN};

/// errno(3): no route to the network.
pub const ENETUNREACH: i32 = 101;
const EHOSTUNREACH: i32 = 113;
const EINVAL: i32 = 22;
const EACCES: i32 = 13;

/// The kernel shows the rest of a lifetime in ticks of this length.
const TICK: Duration = Duration::from_millis(10);

/// What a lookup in the tables came to.
pub(super) enum Taken<'a> {
    /// This route, by this next hop.
    Route(&'a Entry, &'a NextHop),
    /// A route or a rule refuses.
    Refused(i32),
    Nothing,
}

impl Kernel {
    /// A route as the kernel shows it: a link without carrier makes a next hop dead where the setting says so, and
    /// lifetimes are counted in ticks.
    pub(super) fn shown(&self, entry: &Entry) -> Route {
        let mut route = entry.route.clone();
        let family = route.family();
        for hop in &mut route.hops {
            hop.dead = hop.dead || (hop.linkdown && self.ignores_linkdown(family, hop.ifindex));
        }
        route.expires = route.expires.and_then(|end| {
            let ticks = (end - self.now).as_millis() / TICK.as_millis();
            let shown = u32::try_from(ticks).unwrap_or(u32::MAX);
            match shown {
                // It is over, or nearly so. Just at its end, it looks as if it never ended.
                0 if self.now >= end + TICK => Some(self.now),
                0 => None,
                ticks => Some(self.now + TICK * ticks.saturating_add(2)),
            }
        });
        route
    }

    pub(super) fn ignores_linkdown(&self, family: Family, ifindex: u32) -> bool {
        [None, Some(ifindex)].iter().any(|link| self.ignores_linkdown.contains(&(family, *link)))
    }

    pub(super) fn is_on_link(&self, gateway: IpAddr, ifindex: u32) -> bool {
        let covers = |address: &Address| {
            address.ifindex == ifindex
                && address.local != gateway
                && address.on_link().is_some_and(|prefix| {
                    prefix.prefix_len() < prefix.max_prefix_len() && prefix.contains(&gateway)
                })
        };
        (gateway.is_ipv6() && link_local(gateway)) || self.addresses.iter().any(covers)
    }

    pub(super) fn has_local_route(&self, source: IpAddr) -> bool {
        match source {
            IpAddr::V4(_) => self.entries.iter().any(|entry| {
                entry.route.table == TABLE_LOCAL && entry.route.destination == IpNet::from(source)
            }),
            IpAddr::V6(_) => self.addresses.iter().any(|address| address.local == source),
        }
    }

    /// Whether bind(2) takes this address.
    pub fn binds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.has_local_route(address),
            IpAddr::V6(_) => self.addresses.iter().any(|held| held.local == address && Self::is_usable(held)),
        }
    }

    pub(super) fn is_usable(address: &Address) -> bool {
        address.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) == 0
    }

    /// What all tables give for an address, in the order of the rules.
    pub(super) fn look_up(&self, target: IpAddr) -> Taken<'_> {
        let rules = self.rules.iter().filter(|rule| rule.to.contains(&target)).map(|rule| rule.table);
        let tables = core::iter::once(Some(TABLE_LOCAL)).chain(rules).chain([Some(TABLE_MAIN)]);
        for table in tables {
            let Some(table) = table else { return Taken::Refused(EHOSTUNREACH) };
            match self.look_up_in(table, target) {
                Taken::Nothing => {}
                taken @ (Taken::Route(..) | Taken::Refused(..)) => return taken,
            }
        }
        Taken::Nothing
    }

    fn look_up_in(&self, table: u32, target: IpAddr) -> Taken<'_> {
        let covers = |entry: &&Entry| entry.route.table == table && entry.route.destination.contains(&target);
        let mut prefixes: Vec<IpNet> =
            self.entries.iter().filter(covers).map(|entry| entry.route.destination).collect();
        prefixes.sort_by_key(|prefix| core::cmp::Reverse(prefix.prefix_len()));
        prefixes.dedup();
        for prefix in prefixes {
            match self.taken(prefix, table) {
                // A less specific route is tried.
                Taken::Nothing => {}
                taken @ (Taken::Route(..) | Taken::Refused(..)) => return taken,
            }
        }
        Taken::Nothing
    }

    /// What the kernel takes of the routes of one table to one destination.
    pub(super) fn taken(&self, destination: IpNet, table: u32) -> Taken<'_> {
        let here = |entry: &&Entry| entry.route.destination == destination && entry.route.table == table;
        let entries: Vec<&Entry> = self.entries.iter().filter(here).collect();
        let first = match Family::of(destination.addr()) {
            Family::V4 => entries.iter().find_map(|entry| self.way(entry)),
            Family::V6 => {
                let best = entries.iter().map(|entry| entry.route.metric).min();
                let live = |all: bool| {
                    let candidates =
                        entries.iter().filter(move |entry| all || Some(entry.route.metric) == best);
                    let ways = candidates.filter_map(|entry| self.way(entry));
                    ways.fold(None, |known: Option<(&Entry, _)>, next| match known {
                        Some(known) if known.0.route.preference >= next.0.route.preference => Some(known),
                        _ => Some(next),
                    })
                };
                live(false).or_else(|| live(true))
            }
        };
        match first {
            None => Taken::Nothing,
            Some((entry, Some(hop))) => Taken::Route(entry, hop),
            Some((entry, None)) => {
                let errno = match entry.route.kind {
                    RouteKind::Blackhole => EINVAL,
                    RouteKind::Prohibit => EACCES,
                    RouteKind::Unicast
                    | RouteKind::Local
                    | RouteKind::Broadcast
                    | RouteKind::Anycast
                    | RouteKind::Multicast
                    | RouteKind::Unreachable
                    | RouteKind::Throw
                    | RouteKind::Other => EHOSTUNREACH,
                };
                Taken::Refused(errno)
            }
        }
    }

    /// The next hop by which this route leaves; no next hop if it refuses. `None` if the kernel passes over it.
    fn way<'a>(&self, entry: &'a Entry) -> Option<(&'a Entry, Option<&'a NextHop>)> {
        let route = &entry.route;
        if route.expires.is_some_and(|end| end <= self.now) {
            return None;
        }
        if !matches!(route.kind, RouteKind::Unicast | RouteKind::Local) {
            return Some((entry, None));
        }
        let ignores = |hop: &NextHop| hop.linkdown && self.ignores_linkdown(route.family(), hop.ifindex);
        let hop = route.hops.iter().find(|hop| !hop.dead && !ignores(hop))?;
        Some((entry, Some(hop)))
    }

    /// The address that the kernel selects for a packet on this route.
    pub(super) fn source(&self, route: &Route, hop: &NextHop, target: IpAddr) -> Option<IpAddr> {
        if route.prefsrc.is_some() {
            return route.prefsrc;
        }
        match target {
            IpAddr::V4(_) => self.source4(hop.ifindex, hop.gateway.unwrap_or(target)),
            IpAddr::V6(_) => self.source6(hop.ifindex, target),
        }
    }

    /// inet_select_addr: the first address of the link, or one in the subnet of the gateway. Else the first address
    /// of another link.
    fn source4(&self, ifindex: u32, towards: IpAddr) -> Option<IpAddr> {
        let primary = |address: &&Address| address.flags & IFA_F_SECONDARY == 0;
        let v4 = || {
            let v4 = self.addresses.iter().filter(|address| address.local.is_ipv4() && address.scope == 0);
            v4.filter(primary)
        };
        let mut here = v4().filter(|address| address.ifindex == ifindex);
        let near = |address: &&Address| address.on_link().is_some_and(|prefix| prefix.contains(&towards));
        let first = here.clone().next();
        let chosen = here.find(near).or(first);
        let mut elsewhere: Vec<&Address> = v4().collect();
        elsewhere.sort_by_key(|address| address.ifindex);
        chosen.or_else(|| elsewhere.first().copied()).map(|address| address.local)
    }

    /// RFC 6724, as far as it matters here: scope, not deprecated, the outgoing link, the longest common prefix.
    fn source6(&self, ifindex: u32, target: IpAddr) -> Option<IpAddr> {
        let common = |address: &Address| match (address.local, target) {
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let same = (a.to_bits() ^ b.to_bits()).leading_zeros();
                same.min(u32::from(address.prefix_len))
            }
            _ => 0,
        };
        let rank = |address: &&Address| {
            (
                !address.local.is_loopback(),
                !link_local(address.local),
                address.flags & IFA_F_DEPRECATED == 0,
                address.ifindex == ifindex,
                common(address),
            )
        };
        // ::1 is better than nothing.
        let candidates = self.addresses.iter().filter(|held| held.local.is_ipv6());
        let usable = candidates.filter(|held| Self::is_usable(held));
        let local = usable.filter(|held| !link_local(held.local) || held.ifindex == ifindex);
        local
            .reduce(|known, next| if rank(&next) > rank(&known) { next } else { known })
            .map(|held| held.local)
    }

    /// What connect(2) makes of this question.
    pub fn path(&self, asked: &RouteQuery) -> Lookup {
        match self.look_up(asked.target) {
            Taken::Nothing => Lookup::None(ENETUNREACH),
            Taken::Refused(errno) => Lookup::None(errno),
            Taken::Route(entry, hop) => {
                let local = entry.route.kind == RouteKind::Local;
                Lookup::Path {
                    // The way to an address of this host is the loopback link.
                    ifindex: if local { 1 } else { hop.ifindex },
                    gateway: hop.gateway,
                    source: asked.from.or_else(|| self.source(&entry.route, hop, asked.target)),
                    expires: if asked.target.is_ipv6() { self.shown(entry).expires } else { None },
                    local,
                }
            }
        }
    }
}
