//! Bytes of rtnetlink → [`Message`]s. Nothing above this module knows a wire type.
//!
//! A message that cannot be decoded is never dropped silently: its fixed header says what it spoke of, and
//! so what must be read again. Routes are decoded by netlink-packet-route. Links and addresses are not: it
//! refuses a whole message for one text that is no UTF-8.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the kernel's vocabulary grows; what is unknown is passed here"
)]

mod link;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use netlink_packet_core::{NetlinkBuffer, NetlinkDeserializable, NetlinkHeader, NlasIterator};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RoutePreference, RouteType,
    RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::model::{
    Address, Link, Lookup, Message, NextHop, Preference, Route, RouteChange, RouteKind, Stale,
};
use crate::moment::Moment;
use crate::requirement::Family;

/// Types of messages, of linux/rtnetlink.h.
const RTM_NEWLINK: u16 = libc::RTM_NEWLINK;
const RTM_DELLINK: u16 = libc::RTM_DELLINK;
const RTM_NEWADDR: u16 = libc::RTM_NEWADDR;
const RTM_DELADDR: u16 = libc::RTM_DELADDR;
const RTM_NEWROUTE: u16 = libc::RTM_NEWROUTE;
const RTM_DELROUTE: u16 = libc::RTM_DELROUTE;
const RTM_NEWRULE: u16 = libc::RTM_NEWRULE;
const RTM_DELRULE: u16 = libc::RTM_DELRULE;
pub const RTM_NEWNEXTHOP: u16 = 104;
pub const RTM_DELNEXTHOP: u16 = 105;
/// linux/nexthop.h: the size of struct nhmsg, and the attribute that holds the number of the object.
pub const NHMSG: usize = 8;
pub const NHA_ID: u16 = 1;
const RTM_NEWNETCONF: u16 = libc::RTM_NEWNETCONF;
/// The attributes of linux/netconf.h that hold the number of the link, and the setting.
const NETCONFA_IFINDEX: u16 = 1;
const NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: u16 = 6;

/// The kernel counts a route's lifetime in clock ticks of 10 ms (USER_HZ), whatever its own.
const TICK: Duration = Duration::from_millis(10);

/// One netlink message of a datagram, undecoded.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The type of the message (nlmsg_type).
    pub kind: u16,
    /// The flags of the message (nlmsg_flags).
    pub flags: u16,
    /// The sequence number (nlmsg_seq): that of the request for an answer, 0 for a notification.
    pub sequence: u32,
    /// nlmsg_pid: whom the kernel answers
    pub port: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// What a message of the event socket means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something of interest changed.
    Message(Message),
    /// A message that no requirement depends on.
    Irrelevant,
    /// The message could not be decoded, so this must be read again.
    Undecodable(Stale),
}

/// The framing of a datagram is broken, so it is unknown what it announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenFraming;

/// The messages of a datagram.
pub fn frames(datagram: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, BrokenFraming>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = rest;
        let Ok(buffer) = NetlinkBuffer::new_checked(whole) else {
            rest = &[];
            return Some(Err(BrokenFraming));
        };
        let length = buffer.length() as usize;
        // NLMSG_ALIGN of linux/netlink.h; the last one may lack its padding.
        rest = whole.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(match whole.get(16..length) {
            Some(payload) => Ok(Frame {
                kind: buffer.message_type(),
                flags: buffer.flags(),
                sequence: buffer.sequence_number(),
                port: buffer.port_number(),
                payload,
            }),
            None => {
                rest = &[];
                Err(BrokenFraming)
            }
        })
    })
}

/// A message of the event socket. `now` is what a route's remaining lifetime counts from.
pub fn event(frame: Frame<'_>, now: Moment) -> Event {
    let stale = match frame.kind {
        RTM_NEWLINK | RTM_DELLINK | RTM_NEWADDR | RTM_DELADDR => Stale::ALL,
        RTM_NEWROUTE | RTM_DELROUTE => Stale::ROUTES,
        RTM_NEWRULE | RTM_DELRULE => return rule(frame.payload),
        RTM_NEWNEXTHOP | RTM_DELNEXTHOP => {
            let gone = frame.kind == RTM_DELNEXTHOP;
            let message = if gone { Message::NexthopGone } else { Message::Nexthop };
            return nexthop(frame.payload)
                .map_or(Event::Undecodable(Stale::ROUTES), |id| Event::Message(message(id)));
        }
        RTM_NEWNETCONF => {
            let setting = linkdown_setting(frame.payload).map(Message::IgnoreLinkdown);
            return setting.map_or(Event::Irrelevant, Event::Message);
        }
        _ => return Event::Irrelevant,
    };
    if of_no_interest(&frame) || (frame.kind == RTM_NEWLINK && link::is_of_wireless_extensions(frame.payload))
    {
        return Event::Irrelevant;
    }
    let of_payload = match frame.kind {
        RTM_NEWLINK => link::link(frame.payload).map(|link| Message::Link(Box::new(link))),
        RTM_DELLINK => link::link_gone(frame.payload).map(Message::LinkGone),
        RTM_NEWADDR => link::address(frame.payload).map(Message::Address),
        RTM_DELADDR => link::address(frame.payload).map(Message::AddressGone),
        _ => return route_event(frame, now),
    };
    of_payload.map_or(Event::Undecodable(stale), Event::Message)
}

fn route_event(frame: Frame<'_>, now: Moment) -> Event {
    let stale = Stale::ROUTES;
    let Ok(decoded) = decode(frame) else { return Event::Undecodable(stale) };
    let message = match decoded {
        RouteNetlinkMessage::NewRoute(message) | RouteNetlinkMessage::DelRoute(message)
            if !of_a_table(&message) =>
        {
            return Event::Irrelevant;
        }
        RouteNetlinkMessage::NewRoute(message) => {
            let has = |flag: i32| i32::from(frame.flags) & flag != 0;
            let change = if has(libc::NLM_F_REPLACE) {
                RouteChange::Replaced
            } else if has(libc::NLM_F_APPEND) {
                RouteChange::Appended
            } else {
                RouteChange::Added
            };
            route(message, now).map(|route| Message::Route(route, change))
        }
        RouteNetlinkMessage::DelRoute(message) => {
            route(message, now).map(|route| Message::Route(route, RouteChange::Gone))
        }
        _ => return Event::Irrelevant,
    };
    message.map_or(Event::Undecodable(stale), Event::Message)
}

/// Of a rule, only the family matters, which is the first octet (struct fib_rule_hdr of linux/fib_rules.h). The rules of
/// multicast routing (RTNL_FAMILY_IPMR, RTNL_FAMILY_IP6MR) are announced to the same groups.
fn rule(payload: &[u8]) -> Event {
    match payload.first().map(|family| i32::from(*family)) {
        Some(libc::AF_INET) => Event::Message(Message::Rule(Family::V4)),
        Some(libc::AF_INET6) => Event::Message(Message::Rule(Family::V6)),
        Some(_) => Event::Irrelevant,
        None => Event::Undecodable(Stale::ROUTES),
    }
}

/// By the fixed header alone, which stands even where the rest cannot be decoded: a bridge speaks of its
/// ports in link messages of its own family; routes of other families (MPLS) and cached clones are none.
fn of_no_interest(frame: &Frame<'_>) -> bool {
    let family = frame.payload.first().map(|family| i32::from(*family));
    match frame.kind {
        RTM_NEWLINK | RTM_DELLINK => family.is_some_and(|family| family != libc::AF_UNSPEC),
        _ => family.is_some_and(|family| family != libc::AF_INET && family != libc::AF_INET6),
    }
}

/// The link whose ignore_routes_with_linkdown a netconf message tells of; `Some(None)` stands for all links. A malformed
/// message may tell of all. (netlink-packet-route cannot decode these.)
fn linkdown_setting(payload: &[u8]) -> Option<Option<u32>> {
    /// struct netconfmsg of linux/netconf.h, with its padding.
    const NETCONFMSG: usize = 4;
    let Some(attributes) = payload.get(NETCONFMSG..) else { return Some(None) };
    let (mut tells, mut link) = (false, None);
    for attribute in NlasIterator::new(attributes) {
        let Ok(attribute) = attribute else { return Some(None) };
        match attribute.kind() {
            // -1 is all links, and -2 is links to come.
            NETCONFA_IFINDEX => {
                let number = attribute.value().try_into().map(i32::from_ne_bytes).ok();
                link = number.and_then(|number| u32::try_from(number).ok());
            }
            NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN => tells = true,
            _ => {}
        }
    }
    tells.then_some(link)
}

/// The number of the nexthop object that a message is about. (netlink-packet-route cannot decode these.)
fn nexthop(payload: &[u8]) -> Option<u32> {
    let mut id = None;
    for attribute in NlasIterator::new(payload.get(NHMSG..)?) {
        let attribute = attribute.ok()?;
        if attribute.kind() == NHA_ID {
            id = attribute.value().try_into().map(u32::from_ne_bytes).ok();
        }
    }
    id
}

/// A route of a dump; `None` where it cannot be decoded or is none of its table's.
pub fn dumped<T>(frame: Frame<'_>, convert: impl FnOnce(RouteNetlinkMessage) -> Option<T>) -> Option<T> {
    decoded(frame).and_then(convert)
}

/// A message that answers a question. `None` if it cannot be decoded.
pub fn decoded(frame: Frame<'_>) -> Option<RouteNetlinkMessage> {
    decode(frame).ok()
}

/// A link of a dump.
pub fn dumped_link(frame: Frame<'_>) -> Option<Link> {
    let is_link = frame.kind == RTM_NEWLINK && !of_no_interest(&frame);
    if is_link { link::link(frame.payload) } else { None }
}

/// An address of a dump.
pub fn dumped_address(frame: Frame<'_>) -> Option<Address> {
    let is_address = frame.kind == RTM_NEWADDR && !of_no_interest(&frame);
    if is_address { link::address(frame.payload) } else { None }
}

/// The number of the link that an entry of a dump of links or addresses is about; none where the entry is of
/// no interest.
pub fn link_of_entry(frame: Frame<'_>) -> Option<u32> {
    if of_no_interest(&frame) { None } else { link::ifindex(frame.payload) }
}

/// A route of a dump or of a lookup with RTM_F_FIB_MATCH.
pub fn dumped_route(message: RouteNetlinkMessage, now: Moment) -> Option<Route> {
    match message {
        RouteNetlinkMessage::NewRoute(message) if of_a_table(&message) => route(message, now),
        _ => None,
    }
}

/// The number of the nexthop object that a route uses.
pub fn nexthop_object(message: &RouteNetlinkMessage) -> Option<u32> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::NhId(id) => Some(*id),
        _ => None,
    })
}

/// The answer to a lookup. `None` if the message does not tell it.
pub fn lookup(message: &RouteMessage) -> Option<Lookup> {
    // The errors that the kernel gives for such routes, where it gives them as errors (fib_props).
    let kind = route_kind(message.header.kind);
    match kind {
        RouteKind::Unicast | RouteKind::Local | RouteKind::Anycast => {}
        RouteKind::Broadcast => return Some(Lookup::Broadcast),
        RouteKind::Blackhole => return Some(Lookup::None(libc::EINVAL)),
        RouteKind::Prohibit => return Some(Lookup::None(libc::EACCES)),
        RouteKind::Unreachable => return Some(Lookup::None(libc::EHOSTUNREACH)),
        RouteKind::Multicast | RouteKind::Throw | RouteKind::Other => {
            return Some(Lookup::None(libc::ENETUNREACH));
        }
    }
    let mut way = None;
    let mut gateway = None;
    let mut source = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(ifindex) => way = Some(*ifindex),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Via(via) => gateway = via_ip(via),
            RouteAttribute::PrefSource(address) => source = ip(address),
            _ => {}
        }
    }
    let local = kind != RouteKind::Unicast;
    way.map(|ifindex| Lookup::Path { ifindex, gateway, source, expires: None, local })
}

fn decode(frame: Frame<'_>) -> Result<RouteNetlinkMessage, netlink_packet_core::DecodeError> {
    let mut header = NetlinkHeader::default();
    header.message_type = frame.kind;
    header.flags = frame.flags;
    RouteNetlinkMessage::deserialize(&header, frame.payload)
}

/// Not a cached clone, and of a family that is known here.
fn of_a_table(message: &RouteMessage) -> bool {
    !message.header.flags.contains(RouteFlags::Cloned)
        && matches!(message.header.address_family, AddressFamily::Inet | AddressFamily::Inet6)
}

fn route(message: RouteMessage, now: Moment) -> Option<Route> {
    let family = match message.header.address_family {
        AddressFamily::Inet => Family::V4,
        AddressFamily::Inet6 => Family::V6,
        _ => return None,
    };
    let mut route = Route {
        destination: family.default_prefix(),
        source: None,
        table: u32::from(message.header.table),
        metric: 0,
        preference: Preference::default(),
        tos: message.header.tos,
        kind: route_kind(message.header.kind),
        hops: Vec::new(),
        prefsrc: None,
        expires: None,
        nexthop: None,
    };
    // RTNH_F_* stand in rtm_flags where there is one next hop.
    let mut hop = NextHop {
        ifindex: 0,
        gateway: None,
        dead: message.header.flags.contains(RouteFlags::Dead),
        linkdown: message.header.flags.contains(RouteFlags::Linkdown),
        onlink: message.header.flags.contains(RouteFlags::Onlink),
    };
    let unspecified = family.default_prefix().addr();
    let mut destination = unspecified;
    let mut source = unspecified;
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(&address)?,
            RouteAttribute::Source(address) => source = ip(&address)?,
            RouteAttribute::Table(table) => route.table = table,
            RouteAttribute::Priority(metric) => route.metric = metric,
            RouteAttribute::Preference(preference) => route.preference = router_preference(preference),
            RouteAttribute::PrefSource(address) => route.prefsrc = ip(&address),
            RouteAttribute::Oif(ifindex) => hop.ifindex = ifindex,
            RouteAttribute::Gateway(address) => hop.gateway = ip(&address),
            RouteAttribute::Via(via) => hop.gateway = via_ip(&via),
            RouteAttribute::MultiPath(hops) => route.hops = hops.into_iter().map(next_hop).collect(),
            RouteAttribute::CacheInfo(info) => route.expires = expiry(info.expires, now),
            RouteAttribute::NhId(id) => route.nexthop = Some(id),
            _ => {}
        }
    }
    if hop.ifindex != 0 && route.hops.is_empty() {
        route.hops.push(hop);
    }
    route.destination = IpNet::new(destination, message.header.destination_prefix_length).ok()?.trunc();
    if message.header.source_prefix_length != 0 {
        route.source = Some(IpNet::new(source, message.header.source_prefix_length).ok()?.trunc());
    }
    Some(route)
}

/// rta_expires is signed in truth; negative after the end, 0 where there is none. It is rounded down,
/// and so is the kernel's own count: two ticks later the route has ended for certain, while one that is
/// read again just before its end would show 0.
fn expiry(ticks: u32, now: Moment) -> Option<Moment> {
    match i32::from_ne_bytes(ticks.to_ne_bytes()) {
        0 => None,
        ticks @ 1.. => Some(now + TICK * ticks.unsigned_abs().saturating_add(2)),
        i32::MIN..0 => Some(now),
    }
}

fn next_hop(hop: RouteNextHop) -> NextHop {
    use netlink_packet_route::route::RouteNextHopFlags as Flags;
    let gateway = hop.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        RouteAttribute::Via(via) => via_ip(via),
        _ => None,
    });
    NextHop {
        ifindex: hop.interface_index,
        gateway,
        dead: hop.flags.contains(Flags::Dead),
        linkdown: hop.flags.contains(Flags::Linkdown),
        onlink: hop.flags.contains(Flags::Onlink),
    }
}

fn route_kind(kind: RouteType) -> RouteKind {
    match kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::Local => RouteKind::Local,
        RouteType::Broadcast => RouteKind::Broadcast,
        RouteType::Anycast => RouteKind::Anycast,
        RouteType::Multicast => RouteKind::Multicast,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::BlackHole => RouteKind::Blackhole,
        RouteType::Prohibit => RouteKind::Prohibit,
        RouteType::Throw => RouteKind::Throw,
        _ => RouteKind::Other,
    }
}

fn router_preference(preference: RoutePreference) -> Preference {
    match preference {
        RoutePreference::Low => Preference::Low,
        RoutePreference::High => Preference::High,
        _ => Preference::Medium,
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

fn via_ip(via: &RouteVia) -> Option<IpAddr> {
    match via {
        RouteVia::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteVia::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
