//! The kernel's network state as a whole, and how its messages change it.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::AddressKey;
use super::{Address, Carrierless, Link, Lookup, Operstate, Question, Route, RouteQuery, Routes, Tried};
use crate::moment::Moment;
use crate::requirement::{RouteTo, Table};
use crate::wants::Wants;

/// The kernel's limit for links on links (MAX_NEST_DEV of netdevice.h): a chain that is longer is no chain.
const MAX_NEST: u32 = 8;

/// resolv.conf, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Nameservers {
    /// It was not read: nobody asked.
    #[default]
    Unread,
    /// It names this one first.
    First(String),
    /// The file names no nameserver.
    None,
    /// It is not there or cannot be read; why.
    Unreadable(String),
}

/// The kernel's network state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    links: BTreeMap<u32, Link>,
    addresses: BTreeMap<AddressKey, Address>,
    /// What was read of the routing tables.
    pub routes: Routes,
    /// Answers for `route-to` targets.
    pub lookups: BTreeMap<RouteTo, Lookup>,
    /// What resolv.conf says, if a requirement asks about it.
    pub nameservers: Nameservers,
    /// What became of the last try of each probe.
    pub answers: BTreeMap<Question, Tried>,
}

/// One message of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A link is there, or has changed.
    Link(Box<Link>),
    /// The link of this number is gone.
    LinkGone(u32),
    /// An address is there, or has changed.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// This happened to this route.
    Route(Route, RouteChange),
    /// A policy rule changed.
    Rule,
    /// A nexthop object changed (`ip nexthop`); its routes go with it, unannounced.
    Nexthop,
    /// ignore_routes_with_linkdown changed, of a link or of all (RTM_NEWNETCONF): the kernel passes over
    /// other routes than before.
    IgnoreLinkdown,
}

/// What happened to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteChange {
    /// It was added: until then there was none with the same destination and metric.
    Added,
    /// It was added beside one with the same destination and metric (NLM_F_APPEND).
    Appended,
    /// It took the place of the one with the same destination and metric (NLM_F_REPLACE).
    Replaced,
    /// The route was removed.
    Gone,
}

/// What has to be read again.
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
    /// All of it is stale.
    pub const ALL: Stale = Stale { links: true, routes: true, lookups: true };
    /// What depends on routes.
    pub const ROUTES: Stale = Stale { links: false, routes: true, lookups: true };

    /// Whether anything is stale.
    pub fn any(self) -> bool {
        self.links || self.routes || self.lookups
    }

    /// What is stale in one or the other.
    pub fn or(self, other: Stale) -> Stale {
        Stale {
            links: self.links || other.links,
            routes: self.routes || other.routes,
            lookups: self.lookups || other.lookups,
        }
    }
}

impl Network {
    /// Takes a message in; says what it makes stale of the things that `wants` asks for.
    pub fn apply(&mut self, message: &Message, wants: &Wants) -> Stale {
        let stale = match message {
            Message::Link(link) => {
                let stale = self.link_event(link.ifindex);
                // A new name can be the VRF that a table is named by.
                let named = wants.names_vrf() && self.links.get(&link.ifindex) != Some(&**link);
                let links = self.restarts_detection(link);
                self.links.insert(link.ifindex, (**link).clone());
                // A link that can be used again may bring back a route that the kernel had passed over,
                // and that stands before the one it took until now. (This is not seen in the links that
                // were kept: the flags are announced before the routes have changed, and again after.)
                let brings_back = wants.choice && link.admin_up() && (link.lower_up() || link.running());
                Stale { links, routes: stale.routes || named || brings_back, ..stale }
            }
            Message::LinkGone(ifindex) => {
                self.links.remove(ifindex);
                let of_link = Self::keys_of(*ifindex);
                while let Some((key, _)) = self.addresses.range(of_link.clone()).next() {
                    let key = key.clone();
                    self.addresses.remove(&key);
                }
                self.link_event(*ifindex)
            }
            Message::Address(address) => {
                self.addresses.insert(address.key(), address.clone());
                // A new address takes no route away; it may change which source a lookup names.
                Stale { lookups: true, ..Stale::default() }
            }
            Message::AddressGone(address) => {
                self.addresses.remove(&address.key());
                self.link_event(address.ifindex)
            }
            Message::Route(route, _) => Stale {
                links: false,
                routes: self.routes.depend_on(route, wants),
                lookups: wants.route_to.iter().any(|wanted| route.destination.contains(&wanted.target)),
            },
            Message::Rule | Message::Nexthop | Message::IgnoreLinkdown => Stale::ROUTES,
        };
        Stale {
            links: stale.links,
            routes: stale.routes && wants.any_table(),
            lookups: stale.lookups && !wants.route_to.is_empty(),
        }
    }

    /// Whether what this message says of a link can have made an address of it tentative again. Where
    /// net.ipv6.conf.LINK.keep_addr_on_down is 1, `ip link set LINK down` keeps static IPv6 addresses and
    /// makes them tentative, and so does putting the link into a VRF or taking it out; no RTM_NEWADDR tells
    /// (seen on Linux 6.18). Only the end of the next duplicate address detection is announced.
    pub fn restarts_detection(&self, link: &Link) -> bool {
        let Some(known) = self.links.get(&link.ifindex) else { return false };
        (known.admin_up() != link.admin_up() || known.master != link.master)
            && self.addresses_of(link.ifindex).any(Address::can_be_kept)
    }

    /// Whether a message tells something that a probe may depend on: more than a lifetime or a counter.
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
            | Message::Rule
            | Message::Nexthop
            | Message::IgnoreLinkdown => true,
        }
    }

    /// A link changed or lost an address: its routes may be gone or flagged without a word.
    fn link_event(&self, ifindex: u32) -> Stale {
        Stale { links: false, routes: self.routes.touches(ifindex), lookups: true }
    }

    /// Puts what a dump said in the place of what was kept. Returns the links that have lost carrier
    /// since, even if it is back.
    pub fn replace_links(&mut self, links: Vec<Link>, addresses: Vec<Address>) -> Vec<u32> {
        let lost_carrier = |link: &&Link| {
            let known = self.links.get(&link.ifindex);
            known.is_some_and(|known| known.carrier_down_count < link.carrier_down_count)
        };
        let flapped = links.iter().filter(lost_carrier).map(|link| link.ifindex).collect();
        self.links = links.into_iter().map(|link| (link.ifindex, link)).collect();
        self.addresses = addresses.into_iter().map(|address| (address.key(), address)).collect();
        flapped
    }

    /// All links, by number.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The link of this number.
    pub fn link(&self, ifindex: u32) -> Option<&Link> {
        self.links.get(&ifindex)
    }

    /// A link's name for a report, `if7` where it is not known.
    pub fn ifname(&self, ifindex: u32) -> String {
        match self.link(ifindex) {
            Some(link) => link.ifname.clone(),
            None => format!("if{ifindex}"),
        }
    }

    /// All addresses, by link and value.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.values()
    }

    /// A link's addresses, by value, IPv4 first.
    pub fn addresses_of(&self, ifindex: u32) -> impl Iterator<Item = &Address> {
        self.addresses.range(Self::keys_of(ifindex)).map(|(_, address)| address)
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

    /// Whether a link can carry traffic; where not, the link at fault: itself, or one below it.
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
        // A fresh bridge says LOWER_UP, operstate UNKNOWN, and leads nowhere.
        if link.kind == "bridge" {
            let carries = |port: &Link| self.carrier_within(port, depth).is_ok();
            let mut ports = self.links().filter(|port| port.master == Some(link.ifindex));
            if !ports.any(carries) {
                return Err(Carrierless::NoPort(link.ifname.clone()));
            }
        }
        if link.stacked() {
            // One that is not known cannot be a bridge that misleads: the flags stand.
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

    /// The number of a table, where it is known: a VRF that is not there has none.
    pub fn table_id(&self, table: &Table) -> Option<u32> {
        match table {
            Table::Id(id) => Some(*id),
            Table::Vrf(name) => self.vrf(name)?.vrf_table,
        }
    }

    /// The VRF device of this name.
    pub fn vrf(&self, name: &str) -> Option<&Link> {
        self.links().find(|link| link.named(name)).filter(|link| link.vrf_table.is_some())
    }

    /// The VRF device that a link belongs to, itself included: a program outside of that VRF has neither
    /// the link's addresses nor its routes.
    pub fn vrf_of(&self, link: &Link) -> Option<u32> {
        let is_vrf = |ifindex: &u32| self.link(*ifindex).is_some_and(|link| link.vrf_table.is_some());
        Some(link.ifindex).filter(is_vrf).or_else(|| link.master.filter(is_vrf))
    }

    /// The link that a zone names (RFC 4007, 11.2), as if_nametoindex(3) finds it, else by its number.
    pub fn zone(&self, zone: &str) -> Option<&Link> {
        let named = self.links().find(|link| link.named(zone));
        named.or_else(|| self.link(zone.parse().ok()?))
    }

    /// What the kernel is asked about a way; nothing while a link that it names is not there.
    pub fn route_query(&self, wanted: &RouteTo) -> Option<RouteQuery> {
        let link = match (&wanted.zone, &wanted.vrf) {
            (Some(zone), _) => Some(self.zone(zone)?),
            (None, Some(vrf)) => Some(self.vrf(vrf)?),
            (None, None) => None,
        };
        Some(RouteQuery { target: wanted.target, from: wanted.from, oif: link.map(|link| link.ifindex) })
    }

    /// When the next route that is kept expires.
    pub fn next_expiry(&self, now: Moment) -> Option<Moment> {
        let routes = self.routes.all().filter_map(|route| route.expires);
        let ways = self.lookups.values().filter_map(|lookup| match lookup {
            Lookup::Path { expires, .. } => *expires,
            Lookup::None(_) => None,
        });
        routes.chain(ways).filter(|at| *at > now).min()
    }
}
