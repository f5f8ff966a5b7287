//! What the kernel answers to the questions of a plan, and what can be asked of it besides to know the truth.

use core::net::IpAddr;

use ipnet::IpNet;

use super::fib::Taken;
use super::{IFA_F_DEPRECATED, Kernel};
use crate::model::{
    Address, Link, Lookup, Operstate, PastaView, Route, RouteKind, RouteQuery, TableRoutes, link_local,
};
use crate::moment::Moment;
use crate::refresh::{Found, Read, ReadTable};
use crate::requirement::{Family, TABLE_MAIN};

impl Kernel {
    /// All links, as a dump has them.
    pub fn links(&self) -> Vec<Link> {
        self.devices.values().map(super::Device::link).collect()
    }

    /// All addresses, as a dump has them.
    pub fn addresses(&self) -> Vec<Address> {
        self.addresses.clone()
    }

    /// All routes of a table and family, as a dump has them.
    pub fn table(&self, family: Family, id: u32) -> Vec<Route> {
        let here = |route: &Route| route.family() == family && route.table == id;
        self.entries.iter().filter(|entry| here(&entry.route)).map(|entry| self.shown(entry)).collect()
    }

    /// The route that the tables give for an address (RTM_F_FIB_MATCH).
    pub fn matching(&self, target: IpAddr) -> Option<Route> {
        match self.look_up(target) {
            Taken::Route(entry, _) => Some(self.shown(entry)),
            // A lookup that is refused is an error, and names no route.
            Taken::Refused(..) | Taken::Nothing => None,
        }
    }

    /// The answer to a read. It takes no time, and waits for nobody: see [`Read`] for what takes the RTNL lock.
    pub fn answer(&self, read: &Read) -> Found {
        match read {
            Read::Barrier => Found::Passed,
            Read::Links => Found::Links(self.links(), self.addresses()),
            Read::Path { asked, .. } => Found::Path(Some(self.path(asked))),
            Read::Matching { probes, .. } => {
                Found::Route(probes.front().and_then(|target| self.matching(*target)))
            }
            Read::Ordinary { addresses, .. } => {
                Found::Route(addresses.front().and_then(|target| self.matching(*target)))
            }
            Read::Gateway { gateway, .. } => Found::Route(self.matching(*gateway)),
            Read::Table(table) => Found::Table(self.dump(table)),
        }
    }

    fn dump(&self, table: &ReadTable) -> TableRoutes {
        let routes = self.table(table.family, table.id);
        let pasta = table.pasta.then(|| {
            let mut view = PastaView::default();
            for route in &routes {
                view.see(route);
            }
            view
        });
        let wanted = |route: &Route| table.destinations.contains(&route.destination);
        TableRoutes {
            family: table.family,
            id: table.id,
            routes: routes.into_iter().filter(wanted).collect(),
            pasta,
            refuses: false,
        }
    }

    /// Whether packets can pass this link now. `told`: as far as linkwatch has told.
    pub fn carries(&self, ifname: &str, told: bool) -> bool {
        self.device(ifname).is_ok_and(|device| {
            let state = if told { device.operstate == Operstate::Up } else { device.carrier };
            device.admin_up && (device.loopback || state)
        })
    }

    /// Whether linkwatch has still to tell of a carrier, even if it is what it was.
    pub fn is_to_tell_of_carrier(&self) -> bool {
        self.devices.values().any(|device| device.watched)
    }

    /// When each of the routes ends that do.
    pub fn ends(&self) -> impl Iterator<Item = Moment> {
        self.entries.iter().filter_map(|entry| entry.route.expires)
    }

    /// Whether a route by this next hop has ended.
    pub fn has_ended(&self, ifindex: u32, gateway: Option<IpAddr>) -> bool {
        self.entries.iter().any(|entry| {
            let by_hop = entry.route.hops.iter().any(|hop| (hop.ifindex, hop.gateway) == (ifindex, gateway));
            by_hop && entry.route.expires.is_some_and(|end| end <= self.now)
        })
    }

    /// The number of the link with this name.
    pub fn ifindex(&self, ifname: &str) -> Option<u32> {
        self.device(ifname).ok().map(|device| device.ifindex)
    }

    fn ifname(&self, ifindex: u32) -> Option<&str> {
        self.devices.get(&ifindex).map(|device| device.ifname.as_str())
    }

    /// Whether some link that leads out of this host carries packets and has a usable address of this family.
    pub fn has_address(&self, family: Family, told: bool) -> bool {
        self.addresses.iter().any(|address| {
            let here = Family::of(address.local) == family && !link_local(address.local);
            here && address.flags & IFA_F_DEPRECATED == 0
                && self.binds(address.local)
                && self.leads_out(address.ifindex, told)
        })
    }

    fn leads_out(&self, ifindex: u32, told: bool) -> bool {
        ifindex != 1 && self.ifname(ifindex).is_some_and(|name| self.carries(name, told))
    }

    /// Whether the route that the kernel takes of a table for this destination leads out, with an address to send
    /// from.
    pub fn routes(&self, destination: IpNet, table: u32, told: bool) -> bool {
        match self.taken(destination, table) {
            Taken::Route(entry, _) => self.leads_route_out(&entry.route, None, told),
            Taken::Refused(..) | Taken::Nothing => false,
        }
    }

    /// Whether a link has a route to this destination that leads out, whatever stands before it.
    pub fn link_routes(&self, ifname: &str, destination: IpNet, told: bool) -> bool {
        let Some(ifindex) = self.ifindex(ifname) else { return false };
        self.entries.iter().any(|entry| {
            let route = &entry.route;
            let live = route.expires.is_none_or(|end| end > self.now);
            route.destination == destination
                && route.table == TABLE_MAIN
                && live
                && self.leads_route_out(route, Some(ifindex), told)
        })
    }

    /// Of several next hops one that is alive is enough. `told`: a carrier that is not told of yet counts as before.
    fn leads_route_out(&self, route: &Route, through: Option<u32>, told: bool) -> bool {
        route.kind == RouteKind::Unicast
            && route.hops.iter().any(|hop| {
                let wanted = through.is_none_or(|link| link == hop.ifindex);
                wanted
                    && !hop.dead
                    && !hop.linkdown
                    && self.leads_out(hop.ifindex, told)
                    && self.has_source(route, hop.ifindex, through.is_none(), told)
            })
    }

    /// Routes use an address of their link. They use one of another link with carrier too, in IPv4 only if their link
    /// has none.
    fn has_source(&self, route: &Route, ifindex: u32, host_wide: bool, told: bool) -> bool {
        if let Some(source) = route.prefsrc {
            return self.sends_from(source);
        }
        let family = route.family();
        let unnumbered =
            !self.addresses.iter().any(|held| held.ifindex == ifindex && Family::of(held.local) == family);
        self.addresses.iter().any(|held| {
            Family::of(held.local) == family
                && !link_local(held.local)
                && !held.local.is_loopback()
                && self.sends_from(held.local)
                && (held.ifindex == ifindex
                    || (host_wide
                        && (family == Family::V6 || unnumbered)
                        && self.leads_out(held.ifindex, told)))
        })
    }

    /// Whether a connection to this address leaves by a live link, from an address that can be used.
    pub fn connects(&self, target: IpAddr, told: bool) -> bool {
        match self.path(&RouteQuery::target(target)) {
            Lookup::Path { local: true, .. } => true,
            Lookup::Path { ifindex, source, .. } => {
                self.leads_out(ifindex, told)
                    && source.is_some_and(|source| !source.is_loopback() && self.sends_from(source))
            }
            Lookup::Broadcast | Lookup::None(_) => false,
        }
    }

    /// Whether a connection can leave from this address, which the kernel has selected. An IPv4 address needs no local
    /// route for that: while an address is added or promoted, bind(2) refuses it and connect(2) takes it (seen on Linux
    /// 6.18 without the local route).
    fn sends_from(&self, source: IpAddr) -> bool {
        match source {
            IpAddr::V4(_) => self.addresses.iter().any(|held| held.local == source),
            IpAddr::V6(_) => self.binds(source),
        }
    }
}
