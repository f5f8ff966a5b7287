//! The kernel's network state as a whole, and how its messages change it.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::AddressKey;
use super::{Address, Carrierless, Link, Lookup, Operstate, Question, Route, RouteQuery, Routes, Tried};
use crate::moment::Moment;
use crate::requirement::{Family, RouteTo, Table};
use crate::wants::Wants;

/// Tests count how often links are looked at.
#[cfg(test)]
use super::tests::scale::look;
#[cfg(not(test))]
fn look() {}

/// The kernel's limit for links that are stacked on links (MAX_NEST_DEV of linux/netdevice.h).
const MAX_NEST: u32 = 8;

/// The relevant content of resolv.conf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Nameservers {
    /// The file was not read, because no requirement asks about it.
    #[default]
    Unread,
    /// The file names this server first.
    First(String),
    /// The file names no nameserver.
    None,
    /// The file does not exist or cannot be read, for this reason.
    Unreadable(String),
}

/// The kernel's network state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    links: BTreeMap<u32, Link>,
    /// The master and the number of each link that has a master. Without it, each bridge would search all links for its
    /// ports.
    ports: BTreeSet<(u32, u32)>,
    addresses: BTreeMap<AddressKey, Address>,
    /// How many of the addresses are duplicates of another host's address.
    duplicates: usize,
    /// The routes that were read.
    pub routes: Routes,
    /// The answers of lookups for the targets of `route-to`.
    pub lookups: BTreeMap<RouteTo, Lookup>,
    /// What resolv.conf says, if a requirement asks about it.
    pub nameservers: Nameservers,
    /// The result of the last try of each probe.
    pub answers: BTreeMap<Question, Tried>,
}

/// One message of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A link was added or has changed.
    Link(Box<Link>),
    /// The link with this number is gone.
    LinkGone(u32),
    /// An address was added or has changed.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// A route changed in this way.
    Route(Route, RouteChange),
    /// A policy rule of this family changed. It applies to packets of this family only.
    Rule(Family),
    /// The nexthop object with this number is there, or has changed (`ip nexthop`). A group of nexthop objects changes
    /// when a member is removed.
    Nexthop(u32),
    /// The nexthop object with this number was removed. Its routes are removed with it, without an announcement.
    NexthopGone(u32),
    /// The setting ignore_routes_with_linkdown of this link changed, or of all links if it is `None` (RTM_NEWNETCONF).
    /// So the kernel skips other routes than before. A new link sends this before its first RTM_NEWLINK.
    IgnoreLinkdown(Option<u32>),
}

/// What happened to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteChange {
    /// The route was added. There was no route with the same destination and metric.
    Added,
    /// The route was added next to a route with the same destination and metric (NLM_F_APPEND).
    Appended,
    /// The route replaced the route with the same destination and metric (NLM_F_REPLACE).
    Replaced,
    /// The route was removed.
    Gone,
}

/// The parts of the state that must be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stale {
    /// All links and all addresses.
    pub links: bool,
    /// The routes that the gate asks about.
    pub routes: bool,
    /// The answers to lookups for `route-to`.
    pub lookups: bool,
}

impl Stale {
    /// Everything is stale.
    pub const ALL: Stale = Stale { links: true, routes: true, lookups: true };
    /// Routes are stale, and lookups too because they depend on routes.
    pub const ROUTES: Stale = Stale { links: false, routes: true, lookups: true };

    /// Whether anything is stale.
    pub fn any(self) -> bool {
        self.links || self.routes || self.lookups
    }

    /// Returns what is stale here and not in the other value.
    pub fn without(self, other: Stale) -> Stale {
        Stale {
            links: self.links && !other.links,
            routes: self.routes && !other.routes,
            lookups: self.lookups && !other.lookups,
        }
    }

    /// Returns what is stale in one of the two values.
    pub fn or(self, other: Stale) -> Stale {
        Stale {
            links: self.links || other.links,
            routes: self.routes || other.routes,
            lookups: self.lookups || other.lookups,
        }
    }
}

impl Network {
    /// Applies a message. Returns what becomes stale by it, as far as `wants` asks for it.
    pub fn apply(&mut self, message: &Message, wants: &Wants) -> Stale {
        let stale = match message {
            Message::Link(link) => {
                let stale = self.link_event(link.ifindex);
                // A link with a new name may be the VRF whose name the gate uses for a table.
                let named = wants.names_vrf() && self.links.get(&link.ifindex) != Some(&**link);
                let links = self.restarts_detection(link);
                self.put_link((**link).clone());
                // When a link becomes usable again, the kernel may return to a route that it had skipped, and that
                // precedes the route that it uses now. The links that are known do not show this: the kernel
                // announces the flags before the routes have changed, and again afterwards.
                let brings_back = wants.choice && link.admin_up() && (link.lower_up() || link.running());
                Stale { links, routes: stale.routes || named || brings_back, ..stale }
            }
            Message::LinkGone(ifindex) => {
                if let Some(master) = self.links.remove(ifindex).and_then(|known| known.master) {
                    self.ports.remove(&(master, *ifindex));
                }
                let of_link = Self::keys_of(*ifindex);
                while let Some((key, _)) = self.addresses.range(of_link.clone()).next() {
                    let key = key.clone();
                    self.forget(&key);
                }
                self.link_event(*ifindex)
            }
            Message::Address(address) => {
                let is_new = self.addresses.get(&address.key()) != Some(address);
                let selects = is_new && self.may_select_another_source(address, wants);
                self.forget(&address.key());
                self.duplicates += usize::from(address.dadfailed());
                self.addresses.insert(address.key(), address.clone());
                // A new address removes no route, but it may change the source address that a lookup returns. The first
                // IPv4 address of a link makes dead next hops usable again. The kernel announces no route for that.
                let revives = address.local.is_ipv4() && self.routes.has_dead_hop(address.ifindex);
                Stale { links: false, routes: revives || selects, lookups: true }
            }
            Message::AddressGone(address) => {
                let selects = self.may_select_another_source(address, wants);
                self.forget(&address.key());
                let stale = self.link_event(address.ifindex);
                Stale { routes: stale.routes || selects, ..stale }
            }
            Message::Route(route, _) => Stale {
                links: false,
                routes: self.routes.depend_on(route, wants),
                lookups: wants.route_to.iter().any(|wanted| route.destination.contains(&wanted.target)),
            },
            Message::Rule(_) | Message::Nexthop(_) | Message::NexthopGone(_) | Message::IgnoreLinkdown(_) => {
                Stale::ROUTES
            }
        };
        Stale {
            links: stale.links,
            routes: stale.routes && wants.any_table(),
            lookups: stale.lookups && !wants.route_to.is_empty(),
        }
    }

    /// Whether a connection that takes a default route may have another source address than before, now that this
    /// address came, changed or went. Policy rules by source, or IPv6 routes for one source prefix, may then lead it
    /// elsewhere.
    fn may_select_another_source(&self, address: &Address, wants: &Wants) -> bool {
        let family = Family::of(address.local);
        // IPv6 selects the route first, unless that fails, and then the address.
        let by_source = |route: &Route| family == Family::V4 || route.source.is_some();
        wants.defaults().any(|wanted| wanted == family)
            && self.routes.all().any(|route| route.family() == family && by_source(route))
    }

    /// Whether a message about a link means that an address of the link may have become tentative again. If
    /// net.ipv6.conf.LINK.keep_addr_on_down is 1, `ip link set LINK down` keeps static IPv6 addresses and makes
    /// them tentative. Moving the link into a VRF or out of it does the same. The kernel sends no RTM_NEWADDR for
    /// this (seen on Linux 6.18); it announces only the end of the next duplicate address detection.
    pub fn restarts_detection(&self, link: &Link) -> bool {
        let Some(known) = self.links.get(&link.ifindex) else { return false };
        (known.admin_up() != link.admin_up() || known.master != link.master)
            && self.addresses_of(link.ifindex).any(Address::can_be_kept)
    }

    /// Whether a message reports a change that may matter to a probe. A new lifetime or counter does not matter.
    pub fn is_news(&self, message: &Message) -> bool {
        match message {
            Message::Link(link) => self.links.get(&link.ifindex).is_none_or(|known| {
                let said = |link: &Link| (link.admin_up(), link.lower_up(), link.running(), link.master);
                said(known) != said(link)
            }),
            Message::Address(address) => self.addresses.get(&address.key()) != Some(address),
            Message::LinkGone(_)
            | Message::AddressGone(_)
            | Message::Route(..)
            | Message::Rule(_)
            | Message::Nexthop(_)
            | Message::NexthopGone(_)
            | Message::IgnoreLinkdown(_) => true,
        }
    }

    /// Returns what becomes stale when a link changes or loses an address. The kernel may remove or flag the link's
    /// routes without announcing it.
    fn link_event(&self, ifindex: u32) -> Stale {
        Stale { links: false, routes: self.routes.touches(ifindex), lookups: true }
    }

    /// Replaces all links and addresses with those of a dump. Returns the numbers of the links that have lost
    /// carrier since the last dump, or that [need](Network::needs_link) such a link, even if it has carrier again.
    pub fn replace_links(&mut self, links: Vec<Link>, addresses: Vec<Address>) -> Vec<u32> {
        let lost_carrier = |link: &&Link| {
            let known = self.links.get(&link.ifindex);
            known.is_some_and(|known| known.carrier_down_count < link.carrier_down_count)
        };
        let flapped: Vec<u32> = links.iter().filter(lost_carrier).map(|link| link.ifindex).collect();
        self.ports = links.iter().filter_map(|link| Some((link.master?, link.ifindex))).collect();
        self.links = links.into_iter().map(|link| (link.ifindex, link)).collect();
        self.addresses = addresses.into_iter().map(|address| (address.key(), address)).collect();
        self.duplicates = self.addresses().filter(|address| address.dadfailed()).count();
        if flapped.is_empty() { flapped } else { self.with_needing(&flapped) }
    }

    /// Returns these links and all links that [need](Network::needs_link) one of them. It climbs from each of these links
    /// to the links above it, and goes on from those that need it: nothing above the others can need it.
    fn with_needing(&self, lowers: &[u32]) -> Vec<u32> {
        let mut stacked: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for link in self.links() {
            if let Some(lower) = link.lower.filter(|_| link.stacked()) {
                stacked.entry(lower).or_default().push(link.ifindex);
            }
        }
        let mut found = BTreeSet::new();
        for lower in lowers {
            let mut needing = BTreeSet::from([*lower]);
            let mut climbing = vec![*lower];
            while let Some(below) = climbing.pop() {
                let master = self.link(below).and_then(|link| link.master);
                for above in stacked.get(&below).into_iter().flatten().copied().chain(master) {
                    if !needing.contains(&above) && self.needs_link(above, *lower) {
                        needing.insert(above);
                        climbing.push(above);
                    }
                }
            }
            found.append(&mut needing);
        }
        found.into_iter().collect()
    }

    fn put_link(&mut self, link: Link) {
        let (master, ifindex) = (link.master, link.ifindex);
        let known = self.links.insert(ifindex, link).and_then(|known| known.master);
        if known == master {
            return;
        }
        if let Some(known) = known {
            self.ports.remove(&(known, ifindex));
        }
        if let Some(master) = master {
            self.ports.insert((master, ifindex));
        }
    }

    /// Returns the network without everything that may have been away between the known links and addresses and those of a
    /// dump: it has only what both have, and with the faults of both.
    pub(crate) fn in_between(&self, links: &[Link], addresses: &[Address]) -> Network {
        let link = |link: &Link| {
            let known = self.link(link.ifindex)?;
            // The flags are virtues: up, LOWER_UP and RUNNING.
            Some(Link { flags: known.flags & link.flags, ..link.clone() })
        };
        let address = |address: &Address| {
            let known = self.address(address)?;
            // The flags are faults: tentative, DADFAILED and deprecated.
            Some(Address { flags: known.flags | address.flags, ..address.clone() })
        };
        let mut common = self.clone();
        common.replace_links(
            links.iter().filter_map(link).collect(),
            addresses.iter().filter_map(address).collect(),
        );
        common
    }

    fn forget(&mut self, address: &AddressKey) {
        let known = self.addresses.remove(address);
        self.duplicates -= usize::from(known.is_some_and(|known| known.dadfailed()));
    }

    /// Whether an address of this host is a duplicate of another host's address (DADFAILED).
    pub fn has_duplicates(&self) -> bool {
        self.duplicates > 0
    }

    /// Returns all links in the order of their numbers.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values().inspect(|_| look())
    }

    /// Returns the ports of a bridge, bond or team, and the members of a VRF, in the order of their numbers.
    fn ports_of(&self, master: u32) -> impl Iterator<Item = &Link> {
        let of_master = (master, u32::MIN)..=(master, u32::MAX);
        self.ports.range(of_master).filter_map(|(_, port)| self.link(*port))
    }

    /// Returns the link with this number.
    pub fn link(&self, ifindex: u32) -> Option<&Link> {
        look();
        self.links.get(&ifindex)
    }

    /// Returns the name of a link for a report. An unknown link with the number 7 is `if7`.
    pub fn ifname(&self, ifindex: u32) -> String {
        match self.link(ifindex) {
            Some(link) => link.ifname.clone(),
            None => format!("if{ifindex}"),
        }
    }

    /// Returns the known state of an address that is the same one for the kernel.
    pub(crate) fn address(&self, same: &Address) -> Option<&Address> {
        self.addresses.get(&same.key())
    }

    /// Returns all addresses in the order of links and values.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.values()
    }

    /// Returns a link's addresses in the order of their values, IPv4 first.
    pub fn addresses_of(&self, ifindex: u32) -> impl Iterator<Item = &Address> {
        self.addresses.range(Self::keys_of(ifindex)).map(|(_, address)| address)
    }

    /// Returns the secondary addresses of this IPv4 address. If the primary address is removed, its secondary addresses go
    /// too. But with net.ipv4.conf.LINK.promote_secondaries the kernel keeps them: it removes their local routes, announces
    /// that the primary address is gone, and adds the local routes again. Between that, bind(2) refuses them
    /// (__inet_del_ifa of net/ipv4/devinet.c). The kernel announces only the first of them again.
    pub(crate) fn secondaries_of(&self, primary: &Address) -> impl Iterator<Item = IpAddr> {
        let known = self.addresses_of(primary.ifindex);
        known.filter(|held| primary.is_primary_of(held)).map(|held| held.local)
    }

    fn keys_of(ifindex: u32) -> core::ops::RangeInclusive<AddressKey> {
        let first = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let last = IpAddr::V6(Ipv6Addr::from_bits(u128::MAX));
        AddressKey { ifindex, local: first, rest: None }..=AddressKey {
            ifindex,
            local: last,
            rest: Some((u8::MAX, last)),
        }
    }

    /// Whether a link is a port of a bridge, bond or team. (A member of a VRF is not.)
    pub fn is_port(&self, link: &Link) -> bool {
        let Some(master) = link.master else { return false };
        match &link.port_kind {
            Some(kind) => kind != "vrf",
            None => self.link(master).is_none_or(|master| master.kind != "vrf"),
        }
    }

    /// Checks whether a link can carry traffic. The error says why not. If a link below it is the cause, the error
    /// names that link.
    pub fn carrier(&self, link: &Link) -> Result<(), Carrierless> {
        self.carrier_within(link, MAX_NEST)
    }

    fn carrier_within(&self, link: &Link, depth: u32) -> Result<(), Carrierless> {
        if !link.admin_up() {
            return Err(Carrierless::AdminDown);
        }
        if !link.lower_up() || !link.running() {
            let dormant = link.operstate == Operstate::Dormant && link.lower_up();
            let no_carrier = Carrierless::NoCarrier(link.operstate);
            return Err(if dormant { Carrierless::Dormant } else { no_carrier });
        }
        let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
        // A new bridge without ports has LOWER_UP and operstate UNKNOWN although no traffic can pass.
        if link.kind == "bridge" {
            let carries = |port: &Link| self.carrier_within(port, depth).is_ok();
            if !self.ports_of(link.ifindex).any(carries) {
                return Err(Carrierless::NoPort(link.ifname.clone()));
            }
        }
        if link.stacked() {
            // If the link below is not known, trust the flags of this link.
            if let Some(lower) = link.lower.and_then(|lower| self.link(lower)) {
                self.carrier_within(lower, depth).map_err(|why| match why {
                    Carrierless::NoPort(bridge) => Carrierless::NoPort(bridge),
                    Carrierless::AdminDown
                    | Carrierless::NoCarrier(_)
                    | Carrierless::Dormant
                    | Carrierless::Lower(_) => Carrierless::Lower(lower.ifname.clone()),
                })?;
            }
        }
        Ok(())
    }

    /// Whether a message tells that a link, or another link that it [needs](Network::needs_link), lost its carrier, was set
    /// down or is gone. It counts even if that link carries traffic again.
    pub fn stops_carrying(&self, ifindex: u32, message: &Message) -> bool {
        let stopped = match message {
            Message::Link(link) => {
                let stops = |known: &Link| {
                    known.carrier_down_count < link.carrier_down_count
                        || (known.admin_up() && !link.admin_up())
                };
                self.link(link.ifindex).is_some_and(stops).then_some(link.ifindex)
            }
            Message::LinkGone(gone) => Some(*gone),
            Message::Address(_)
            | Message::AddressGone(_)
            | Message::Route(..)
            | Message::Rule(_)
            | Message::Nexthop(_)
            | Message::NexthopGone(_)
            | Message::IgnoreLinkdown(_) => None,
        };
        stopped.is_some_and(|stopped| self.needs_link(ifindex, stopped))
    }

    /// Returns the link that a message is about, if the link carried no traffic before. The kernel may use routes again that
    /// lead out of it, and does not announce that: next hops that were dead, and routes that it skipped because
    /// ignore_routes_with_linkdown is set.
    pub fn may_bring_back(&self, message: &Message) -> Option<u32> {
        let Message::Link(link) = message else { return None };
        let known = self.link(link.ifindex)?;
        self.carrier(known).is_err().then_some(known.ifindex)
    }

    /// Whether a link carries no traffic while the other one has no carrier: it is the same link, is stacked on it, or is a
    /// bridge and no other port of it has carrier. A short loss of the other link's carrier is not counted on this link,
    /// because the kernel tells it only of a loss that lasts.
    pub fn needs_link(&self, upper: u32, lower: u32) -> bool {
        self.needs_within(upper, lower, MAX_NEST)
    }

    fn needs_within(&self, upper: u32, lower: u32, depth: u32) -> bool {
        let (Some(link), Some(depth)) = (self.link(upper), depth.checked_sub(1)) else {
            return upper == lower;
        };
        let needs = |upper: u32| self.needs_within(upper, lower, depth);
        let ports = || self.ports_of(upper);
        upper == lower
            || (link.stacked() && link.lower.is_some_and(needs))
            || (link.kind == "bridge"
                // First what ends at the first other port, in most cases.
                && !ports().any(|port| !needs(port.ifindex) && self.carrier(port).is_ok())
                && ports().any(|port| needs(port.ifindex)))
    }

    /// Whether no other host can be reached through a link: a loopback or dummy link, or a link that is stacked on one, or
    /// a bridge, bond or team none of whose ports with carrier leads out. LXD, for example, gives a bridge a dummy port to
    /// set its MTU, and the bridge has carrier by that port alone.
    pub fn leads_nowhere(&self, link: &Link) -> bool {
        self.leads_nowhere_within(link, MAX_NEST)
    }

    fn leads_nowhere_within(&self, link: &Link, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        if link.stacked() {
            let lower = link.lower.and_then(|lower| self.link(lower));
            return lower.is_some_and(|lower| self.leads_nowhere_within(lower, depth));
        }
        if !matches!(link.kind.as_str(), "bridge" | "bond" | "team") {
            return link.leads_nowhere();
        }
        let mut carry = self.ports_of(link.ifindex).filter(|port| self.carrier(port).is_ok()).peekable();
        carry.peek().is_some() && carry.all(|port| self.leads_nowhere_within(port, depth))
    }

    /// Returns the number of a table. `None` if the table is that of a VRF that does not exist.
    pub fn table_id(&self, table: &Table) -> Option<u32> {
        match table {
            Table::Id(id) => Some(*id),
            Table::Vrf(name) => self.vrf(name)?.vrf_table,
        }
    }

    /// Returns the VRF device with this name.
    pub fn vrf(&self, name: &str) -> Option<&Link> {
        self.links().find(|link| link.named(name)).filter(|link| link.vrf_table.is_some())
    }

    /// Returns the number of the VRF device that a link belongs to. A VRF device belongs to itself. A program
    /// outside that VRF can use neither the link's addresses nor its routes.
    pub fn vrf_of(&self, link: &Link) -> Option<u32> {
        let is_vrf = |ifindex: &u32| self.link(*ifindex).is_some_and(|link| link.vrf_table.is_some());
        Some(link.ifindex).filter(is_vrf).or_else(|| link.master.filter(is_vrf))
    }

    /// Returns the link of a zone (RFC 4007, 11.2): the link with this name, as if_nametoindex(3) finds it, or the
    /// link with this number.
    pub fn zone(&self, zone: &str) -> Option<&Link> {
        let named = self.links().find(|link| link.named(zone));
        named.or_else(|| self.link(zone.parse().ok()?))
    }

    /// Makes the query to the kernel for a `route-to` requirement. `None` while a link that the requirement names
    /// does not exist.
    pub fn route_query(&self, wanted: &RouteTo) -> Option<RouteQuery> {
        let link = match (&wanted.zone, &wanted.vrf) {
            (Some(zone), _) => Some(self.zone(zone)?),
            (None, Some(vrf)) => Some(self.vrf(vrf)?),
            (None, None) => None,
        };
        Some(RouteQuery { target: wanted.target, from: wanted.from, oif: link.map(|link| link.ifindex) })
    }

    /// Returns when the path to a target of `route-to` ends.
    pub(crate) fn lookup_ends(&self, target: IpAddr) -> Option<Moment> {
        let of_target = self.lookups.iter().filter(|(wanted, _)| wanted.target == target);
        of_target.filter_map(|(_, lookup)| lookup.expires()).min()
    }

    /// Whether an IPv6 route or path that was read has no end, as far as the kernel shows it.
    pub(crate) fn has_endless_route(&self) -> bool {
        let endless = |route: &Route| route.family() == Family::V6 && route.expires.is_none();
        let path = |(wanted, lookup): (&RouteTo, &Lookup)| {
            wanted.target.is_ipv6() && matches!(lookup, Lookup::Path { expires: None, .. })
        };
        self.routes.all().any(endless) || self.lookups.iter().any(path)
    }

    /// Returns when the next route or lookup result expires.
    pub fn next_expiry(&self, now: Moment) -> Option<Moment> {
        let routes = self.routes.all().filter_map(|route| route.expires);
        let ways = self.lookups.values().filter_map(Lookup::expires);
        routes.chain(ways).filter(|at| *at > now).min()
    }
}
