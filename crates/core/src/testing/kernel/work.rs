//! What the kernel does, one piece at a time. The order of the pieces is the order in which Linux does them.

use core::net::IpAddr;

use super::{DETECTION, Entry, GARBAGE, Kernel, RT_SCOPE_LINK, Rule, TABLE_LOCAL, Timer};
use super::{IFA_F_DADFAILED, IFA_F_NODAD, IFA_F_PERMANENT, IFA_F_SECONDARY, IFA_F_TENTATIVE};
use crate::model::{
    Address, Message, NextHop, Operstate, Preference, Route, RouteChange, RouteKind, link_local,
};
use crate::moment::Moment;
use crate::requirement::{Family, TABLE_MAIN};

/// One piece of work. The names that begin with `Tell` announce something and change nothing.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each name says what is done, and `work_on` how")]
#[allow(private_interfaces, reason = "who looks at the work in hand looks only at the names")]
pub enum Work {
    Open(u32),
    Close(u32),
    Rename(u32, String),
    Cable(u32, bool),
    /// Routes that an IPv4 link gets when it is set up.
    Up4(u32),
    /// IPv4 routes go without a message.
    Down4(u32),
    Down6(u32),
    /// The link is up and has carrier, so its IPv6 addresses can be detected.
    Ready6(u32),
    /// Linkwatch sees the carrier of a link, and flags the routes.
    Linkwatch(u32),
    /// Nexthop objects of a link that cannot be used go without a message.
    Nexthops(u32),
    Unregister(u32),
    Insert(Address),
    Remove(Address),
    Flags(u32, IpAddr, u32),
    /// The local and the connected route of an IPv4 address.
    Attach4(Address),
    Detach4(Address),
    /// The local route of an IPv4 address goes, although the address stays.
    DetachLocal4(Address),
    /// A secondary address becomes a primary one.
    Promote(Address),
    Prefix6(Address),
    Detach6(Address),
    Detect(u32, IpAddr),
    Detected(u32, IpAddr),
    InsertRoute(Entry, RouteChange),
    RemoveRoute(Entry),
    CollectAt(Moment),
    /// Expired routes are removed.
    Collect,
    SetNexthop(u32, NextHop),
    RemoveNexthop(u32),
    FlushNexthop(u32),
    AddRule(Rule),
    RemoveRule(Rule),
    IgnoreLinkdown(Family, Option<u32>, bool),
    KeepAddresses(u32, bool),
    Promotes(u32, bool),
    TellLink(u32),
    TellLinkGone(u32),
    TellAddress(u32, IpAddr),
    TellAddressGone(Address),
    TellRoute(Entry, RouteChange),
    TellNexthop(u32),
    TellNexthopGone(u32),
    TellRule(Family),
    TellIgnoreLinkdown(Option<u32>),
}

impl Kernel {
    #[allow(clippy::wildcard_enum_match_arm, reason = "all other work is to tell something")]
    pub(super) fn work_on(&mut self, work: Work) {
        match work {
            Work::Open(ifindex) => {
                let cable = self.device_mut(ifindex).is_some_and(|device| {
                    device.admin_up = true;
                    device.cable
                });
                self.set_carrier(ifindex, cable);
            }
            Work::Close(ifindex) => {
                if let Some(device) = self.device_mut(ifindex) {
                    device.admin_up = false;
                }
                self.set_carrier(ifindex, false);
            }
            Work::Rename(ifindex, name) => {
                if let Some(device) = self.device_mut(ifindex) {
                    device.ifname = name;
                }
            }
            Work::Cable(ifindex, cable) => {
                let open = self.device_mut(ifindex).is_some_and(|device| {
                    device.cable = cable;
                    device.admin_up
                });
                if open {
                    self.set_carrier(ifindex, cable);
                }
            }
            Work::Up4(ifindex) => self.up4(ifindex),
            Work::Down4(ifindex) => self.flush4(ifindex, false),
            Work::Down6(ifindex) => self.down6(ifindex),
            Work::Ready6(ifindex) => self.ready6(ifindex),
            Work::Linkwatch(ifindex) => self.linkwatch(ifindex),
            Work::Nexthops(ifindex) => self.flush_nexthops(ifindex),
            Work::Unregister(ifindex) => self.unregister(ifindex),
            Work::Insert(address) => self.addresses.push(address),
            Work::Remove(address) => self.addresses.retain(|held| held.key() != address.key()),
            Work::Flags(ifindex, local, flags) => {
                if let Some(address) = self.address_mut(ifindex, local) {
                    address.flags = flags;
                }
            }
            Work::Attach4(address) => self.attach4(&address),
            Work::Detach4(address) => self.detach4(&address),
            Work::DetachLocal4(address) => {
                let local = self.own_route(&address, TABLE_LOCAL, 0);
                self.remove_told(|entry| entry.is_same_as(&local));
            }
            Work::Promote(mut address) => {
                self.addresses.retain(|held| held.key() != address.key());
                address.flags &= !IFA_F_SECONDARY;
                self.addresses.push(address);
            }
            Work::Prefix6(address) => self.prefix6(&address),
            Work::Detach6(address) => self.detach6(&address),
            Work::Detect(ifindex, local) => self.detect(ifindex, local),
            Work::Detected(ifindex, local) => self.detected(ifindex, local),
            Work::InsertRoute(entry, change) => self.insert_route(entry, change),
            Work::RemoveRoute(entry) => self.entries.retain(|other| !other.is_same_as(&entry)),
            Work::CollectAt(expires) => self.timers.push((expires + GARBAGE, Timer::Collect)),
            Work::Collect => {
                let now = self.now;
                self.remove_told(|entry| entry.route.expires.is_some_and(|at| at + GARBAGE <= now));
            }
            Work::SetNexthop(..) | Work::RemoveNexthop(_) | Work::FlushNexthop(_) => self.nexthop_work(work),
            Work::AddRule(rule) => {
                self.rules.push(rule);
                self.rules.sort_by_key(|rule| rule.preference);
            }
            Work::RemoveRule(rule) => self.rules.retain(|other| *other != rule),
            Work::IgnoreLinkdown(family, link, on) => {
                match on {
                    true => self.ignores_linkdown.insert((family, link)),
                    false => self.ignores_linkdown.remove(&(family, link)),
                };
            }
            Work::KeepAddresses(ifindex, on) => {
                if let Some(device) = self.device_mut(ifindex) {
                    device.keeps_addresses = on;
                }
            }
            Work::Promotes(ifindex, on) => {
                if let Some(device) = self.device_mut(ifindex) {
                    device.promotes = on;
                }
            }
            tell @ (Work::TellLink(_)
            | Work::TellLinkGone(_)
            | Work::TellAddress(..)
            | Work::TellAddressGone(_)
            | Work::TellRoute(..)
            | Work::TellNexthop(_)
            | Work::TellNexthopGone(_)
            | Work::TellRule(_)
            | Work::TellIgnoreLinkdown(_)) => self.tell(tell),
        }
    }

    /// Announces something.
    #[allow(clippy::wildcard_enum_match_arm, reason = "all other work was done by the caller")]
    fn tell(&mut self, work: Work) {
        let message = match work {
            Work::TellLink(ifindex) => {
                self.devices.get(&ifindex).map(|device| Message::Link(Box::new(device.link())))
            }
            Work::TellLinkGone(ifindex) => Some(Message::LinkGone(ifindex)),
            Work::TellAddress(ifindex, local) => {
                self.address_mut(ifindex, local).map(|address| Message::Address(address.clone()))
            }
            Work::TellAddressGone(address) => Some(Message::AddressGone(address)),
            Work::TellRoute(entry, change) => Some(Message::Route(self.shown(&entry), change)),
            Work::TellNexthop(id) => Some(Message::Nexthop(id)),
            Work::TellNexthopGone(id) => Some(Message::NexthopGone(id)),
            Work::TellRule(family) => Some(Message::Rule(family)),
            Work::TellIgnoreLinkdown(link) => Some(Message::IgnoreLinkdown(link)),
            other => panic!("{other:?} tells nothing"),
        };
        self.announced.extend(message);
    }

    fn address_mut(&mut self, ifindex: u32, local: IpAddr) -> Option<&mut Address> {
        self.addresses.iter_mut().find(|address| address.ifindex == ifindex && address.local == local)
    }

    fn addresses_on(&self, ifindex: u32, family: Family) -> Vec<Address> {
        let here = |address: &&Address| address.ifindex == ifindex && Family::of(address.local) == family;
        self.addresses.iter().filter(here).cloned().collect()
    }

    fn up4(&mut self, ifindex: u32) {
        for address in self.addresses_on(ifindex, Family::V4) {
            self.attach4(&address);
        }
        self.sync_up(ifindex);
    }

    /// Next hops of this link can be used again.
    fn sync_up(&mut self, ifindex: u32) {
        let (up, carrier) = match self.devices.get(&ifindex) {
            Some(device) => (device.admin_up, device.carrier),
            None => return,
        };
        let hops = self.entries.iter_mut().flat_map(|entry| &mut entry.route.hops);
        for hop in hops.filter(|hop| hop.ifindex == ifindex && up) {
            hop.dead = false;
            hop.linkdown = hop.linkdown && !carrier;
        }
    }

    /// IPv4 routes of a link go without a message. A route with another next hop stays, and this one is dead.
    /// `all`: also the local ones.
    fn flush4(&mut self, ifindex: u32, all: bool) {
        for entry in &mut self.entries {
            if entry.route.family() == Family::V4 && (all || entry.route.table != TABLE_LOCAL) {
                for hop in entry.route.hops.iter_mut().filter(|hop| hop.ifindex == ifindex) {
                    hop.dead = true;
                    hop.linkdown = true;
                }
            }
        }
        let gone = |entry: &Entry| {
            let hops = &entry.route.hops;
            entry.route.family() == Family::V4 && !hops.is_empty() && hops.iter().all(|hop| hop.dead)
        };
        self.entries.retain(|entry| !gone(entry));
    }

    fn down6(&mut self, ifindex: u32) {
        let keeps = self.device_mut(ifindex).is_some_and(|device| {
            device.ipv6_ready = false;
            device.keeps_addresses
        });
        self.remove_told(|entry| {
            let route = &entry.route;
            route.family() == Family::V6 && route.hops.iter().any(|hop| hop.ifindex == ifindex)
        });
        for mut address in self.addresses_on(ifindex, Family::V6) {
            self.timers.retain(|(_, timer)| *timer != Timer::Detected(ifindex, address.local));
            let kept = keeps && address.flags & IFA_F_PERMANENT != 0 && !link_local(address.local);
            if kept {
                // The kernel says nothing of it.
                if address.flags & IFA_F_NODAD == 0 {
                    address.flags |= IFA_F_TENTATIVE;
                }
                let (local, flags) = (address.local, address.flags);
                if let Some(known) = self.address_mut(ifindex, local) {
                    known.flags = flags;
                }
            } else {
                self.addresses.retain(|held| held.key() != address.key());
                self.announced.push(Message::AddressGone(address));
            }
        }
    }

    fn ready6(&mut self, ifindex: u32) {
        let Some(device) = self.device_mut(ifindex) else { return };
        if !device.admin_up || !device.carrier || core::mem::replace(&mut device.ipv6_ready, true) {
            return;
        }
        for address in self.addresses_on(ifindex, Family::V6) {
            self.prefix6(&address);
            self.detect(ifindex, address.local);
        }
    }

    fn linkwatch(&mut self, ifindex: u32) {
        let now = self.now;
        let Some(device) = self.device_mut(ifindex) else { return };
        device.watched = false;
        device.told = Some(now);
        device.told_down = !device.carrier;
        device.operstate = if device.carrier { Operstate::Up } else { Operstate::LowerLayerDown };
        let (up, carrier) = (device.admin_up, device.carrier);
        if !up {
            return;
        }
        let hops = self.entries.iter_mut().flat_map(|entry| &mut entry.route.hops);
        for hop in hops.filter(|hop| hop.ifindex == ifindex) {
            hop.linkdown = !carrier;
        }
        if carrier {
            self.ready6(ifindex);
        } else {
            self.flush_nexthops(ifindex);
        }
        self.tell(Work::TellLink(ifindex));
    }

    fn flush_nexthops(&mut self, ifindex: u32) {
        let of_link = |hop: &NextHop| hop.ifindex == ifindex;
        let gone: Vec<u32> =
            self.nexthops.iter().filter(|(_, hop)| of_link(hop)).map(|(id, _)| *id).collect();
        for id in gone {
            self.nexthops.remove(&id);
            self.entries.retain(|entry| entry.route.nexthop != Some(id));
        }
    }

    fn unregister(&mut self, ifindex: u32) {
        self.down6(ifindex);
        for family in Family::BOTH {
            for address in self.addresses_on(ifindex, family) {
                self.addresses.retain(|held| held.key() != address.key());
                self.announced.push(Message::AddressGone(address.clone()));
                if family == Family::V4 {
                    self.detach4(&address);
                }
            }
        }
        self.flush4(ifindex, true);
        self.flush_nexthops(ifindex);
        self.devices.remove(&ifindex);
        self.ignores_linkdown.retain(|(_, link)| *link != Some(ifindex));
        let of_link = |timer: &Timer| match timer {
            Timer::Linkwatch(of) | Timer::Detected(of, _) => *of == ifindex,
            Timer::Collect => false,
        };
        self.timers.retain(|(_, timer)| !of_link(timer));
    }

    /// A route that the kernel makes itself for an address.
    fn own_route(&self, address: &Address, table: u32, metric: u32) -> Entry {
        let whole = address.on_link();
        let host = ipnet::IpNet::from(address.local);
        let linkdown = self.devices.get(&address.ifindex).is_some_and(|device| !device.carrier);
        let hop = NextHop { ifindex: address.ifindex, gateway: None, dead: false, linkdown, onlink: false };
        let local = table == TABLE_LOCAL;
        let route = Route {
            destination: if local { host } else { whole.unwrap_or(host) },
            source: None,
            table,
            metric,
            preference: Preference::default(),
            tos: 0,
            kind: if local { RouteKind::Local } else { RouteKind::Unicast },
            hops: vec![hop],
            prefsrc: address.local.is_ipv4().then(|| self.primary4(address).local),
            expires: None,
            nexthop: None,
        };
        Entry { route }
    }

    /// The primary address of an address's subnet, whose secondary addresses it sends for.
    fn primary4<'a>(&'a self, address: &'a Address) -> &'a Address {
        let primary = |held: &&Address| held.shares_subnet4(address) && held.flags & IFA_F_SECONDARY == 0;
        let secondary = address.flags & IFA_F_SECONDARY != 0;
        self.addresses.iter().find(primary).filter(|_| secondary).unwrap_or(address)
    }

    /// The kernel appends its own routes, so each link with the same address has one.
    fn insert_own(&mut self, entry: Entry) {
        if self.entries.iter().any(|other| other.is_same_as(&entry)) {
            return;
        }
        let beside = self.entries.iter().any(|other| other.stands_beside(&entry));
        let change = if beside { RouteChange::Appended } else { RouteChange::Added };
        self.insert_route(entry.clone(), change);
        self.tell(Work::TellRoute(entry, change));
    }

    fn attach4(&mut self, address: &Address) {
        self.insert_own(self.own_route(address, TABLE_LOCAL, 0));
        let up = self.devices.get(&address.ifindex).is_some_and(|device| device.admin_up);
        let primary = address.flags & IFA_F_SECONDARY == 0;
        if up && primary && address.prefix_len < 32 && address.scope < RT_SCOPE_LINK {
            self.insert_own(self.own_route(address, TABLE_MAIN, 0));
        }
        self.sync_up(address.ifindex);
    }

    fn detach4(&mut self, address: &Address) {
        if address.flags & IFA_F_SECONDARY == 0 {
            let prefix = self.own_route(address, TABLE_MAIN, 0);
            self.remove_told(|entry| entry.is_same_as(&prefix));
        }
        let local = self.own_route(address, TABLE_LOCAL, 0);
        self.remove_told(|entry| entry.is_same_as(&local));
        let elsewhere = self.addresses.iter().any(|held| held.local == address.local);
        if !elsewhere {
            self.remove_told(|entry| entry.route.prefsrc == Some(address.local));
        }
        if self.addresses_on(address.ifindex, Family::V4).is_empty() {
            self.flush4(address.ifindex, true);
        }
    }

    fn prefix6(&mut self, address: &Address) {
        let up = self.devices.get(&address.ifindex).is_some_and(|device| device.admin_up);
        if up && address.prefix_len < 128 {
            self.insert_own(self.own_route(address, TABLE_MAIN, 256));
        }
    }

    fn detach6(&mut self, address: &Address) {
        let prefix = self.own_route(address, TABLE_MAIN, 256);
        let shared = self
            .addresses_on(address.ifindex, Family::V6)
            .iter()
            .any(|held| held.on_link() == address.on_link());
        if !shared {
            self.remove_told(|entry| entry.stands_beside(&prefix) && entry.route.hops == prefix.route.hops);
        }
    }

    fn detect(&mut self, ifindex: u32, local: IpAddr) {
        let ready = self.devices.get(&ifindex).is_some_and(|device| device.ipv6_ready);
        let now = self.now;
        let tentative = self.address_mut(ifindex, local).is_some_and(|address| {
            address.flags & IFA_F_TENTATIVE != 0 && address.flags & IFA_F_DADFAILED == 0
        });
        if ready && tentative {
            self.timers.push((now + DETECTION, Timer::Detected(ifindex, local)));
        }
    }

    fn detected(&mut self, ifindex: u32, local: IpAddr) {
        let duplicate = self.taken.contains(&local);
        let Some(address) = self.address_mut(ifindex, local) else { return };
        if address.flags & IFA_F_TENTATIVE == 0 {
            return;
        }
        match duplicate {
            true => address.flags |= IFA_F_DADFAILED,
            false => address.flags &= !IFA_F_TENTATIVE,
        }
        self.tell(Work::TellAddress(ifindex, local));
    }

    /// Removes these routes, and then announces it.
    fn remove_told(&mut self, gone: impl Fn(&Entry) -> bool) {
        let (gone, stay): (Vec<Entry>, Vec<Entry>) =
            core::mem::take(&mut self.entries).into_iter().partition(|entry| gone(entry));
        self.entries = stay;
        for entry in gone {
            self.tell(Work::TellRoute(entry, RouteChange::Gone));
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "the caller passes work on nexthop objects only")]
    fn nexthop_work(&mut self, work: Work) {
        match work {
            Work::SetNexthop(id, hop) => {
                self.nexthops.insert(id, hop.clone());
                let mut told = Vec::new();
                for entry in self.entries.iter_mut().filter(|entry| entry.route.nexthop == Some(id)) {
                    entry.route.hops = vec![hop.clone()];
                    told.push(Work::TellRoute(entry.clone(), RouteChange::Replaced));
                }
                // After the object's own announcement, which is the next piece.
                for (at, tell) in told.into_iter().enumerate() {
                    self.work.insert((at + 1).min(self.work.len()), tell);
                }
            }
            Work::RemoveNexthop(id) => {
                self.nexthops.remove(&id);
            }
            Work::FlushNexthop(id) => self.entries.retain(|entry| entry.route.nexthop != Some(id)),
            other => panic!("{other:?} is no nexthop's"),
        }
    }

    /// The place of a route: IPv4 routes to one destination are in the order of their metrics.
    fn insert_route(&mut self, entry: Entry, change: RouteChange) {
        if change == RouteChange::Replaced {
            if let Some(known) = self.entries.iter_mut().find(|other| other.stands_beside(&entry)) {
                *known = entry;
                return;
            }
        }
        let before = |other: &Entry| {
            other.route.destination == entry.route.destination
                && other.route.table == entry.route.table
                && other.route.metric > entry.route.metric
        };
        let at = self.entries.iter().position(before).unwrap_or(self.entries.len());
        self.entries.insert(at, entry);
    }
}

impl Entry {
    /// The kernel takes one of both to be the other: the same destination, table and metric.
    pub(super) fn stands_beside(&self, other: &Entry) -> bool {
        let key =
            |entry: &Entry| (entry.route.destination, entry.route.table, entry.route.metric, entry.route.tos);
        key(self) == key(other)
    }

    /// It is this very route, whatever its flags are.
    pub(super) fn is_same_as(&self, other: &Entry) -> bool {
        let ways = |entry: &Entry| -> Vec<(u32, Option<IpAddr>)> {
            entry.route.hops.iter().map(|hop| (hop.ifindex, hop.gateway)).collect()
        };
        self.stands_beside(other)
            && self.route.kind == other.route.kind
            && self.route.prefsrc == other.route.prefsrc
            && self.route.nexthop == other.route.nexthop
            && ways(self) == ways(other)
    }
}
