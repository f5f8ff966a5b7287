//! Messages of kinds that the recording kernel lacks, made by netlink-packet-route's own emitter: bond and
//! its port, team and its port, vlan, vrf and its member, ipvlan, ipvtap, macsec, dummy, wireguard; and
//! messages that are awkward to cause.

use netlink_packet_core::{DefaultNla, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::{
    InfoBondPort, InfoData, InfoIpVlan, InfoKind, InfoPortData, InfoPortKind, InfoTeamPort, InfoVlan, InfoVrf,
    IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteType,
};
use netlink_packet_route::rule::RuleMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::said;

pub(super) fn octets(message: RouteNetlinkMessage) -> Vec<u8> {
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
    message.finalize();
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    octets
}

fn link(index: u32, name: &str, attributes: Vec<LinkAttribute>) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up | LinkFlags::LowerUp | LinkFlags::Running;
    message.attributes = vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::OperState(State::Up)];
    message.attributes.extend(attributes);
    octets(RouteNetlinkMessage::NewLink(message))
}

fn kind(index: u32, name: &str, infos: Vec<LinkInfo>) -> Vec<u8> {
    link(index, name, vec![LinkAttribute::LinkInfo(infos)])
}

fn stacked(index: u32, name: &str, infos: Vec<LinkInfo>) -> Vec<u8> {
    link(index, name, vec![LinkAttribute::Link(7), LinkAttribute::LinkInfo(infos)])
}

fn port(index: u32, name: &str, kind: InfoPortKind, data: InfoPortData) -> Vec<u8> {
    let infos = vec![LinkInfo::PortKind(kind), LinkInfo::PortData(data)];
    link(index, name, vec![LinkAttribute::Controller(9), LinkAttribute::LinkInfo(infos)])
}

fn route(family: AddressFamily, length: u8, attributes: Vec<RouteAttribute>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.destination_prefix_length = length;
    message.header.table = 254;
    message.header.kind = RouteType::Unicast;
    message.attributes = attributes;
    message
}

fn v4(text: &str) -> RouteAddress {
    RouteAddress::Inet(text.parse().unwrap())
}

fn rule(family: AddressFamily) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message
}

/// What each message says.
fn says() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let perm = vec![2, 0, 0, 0, 0, 0xee];
    let bond_port = InfoPortData::BondPort(vec![InfoBondPort::LinkFailureCount(3)]);
    let hop = |ifindex, flags| {
        let mut hop = RouteNextHop::default();
        hop.interface_index = ifindex;
        hop.flags = flags;
        hop
    };
    let mut cloned = route(AddressFamily::Inet, 32, vec![RouteAttribute::Destination(v4("192.0.2.1"))]);
    cloned.header.flags = RouteFlags::Cloned;
    let mut wireless = LinkMessage::default();
    wireless.header.index = 38;
    wireless.header.flags = LinkFlags::Up | LinkFlags::LowerUp | LinkFlags::Running;
    let event = DefaultNla::new(libc::IFLA_WIRELESS, vec![0; 24]);
    wireless.attributes = vec![LinkAttribute::IfName("wlan0".to_owned()), LinkAttribute::Other(event)];
    let mut dead = route(AddressFamily::Inet, 0, vec![RouteAttribute::Oif(7)]);
    dead.header.flags = RouteFlags::Dead | RouteFlags::Linkdown;
    let through = vec![hop(7, RouteNextHopFlags::Dead), hop(8, RouteNextHopFlags::Linkdown), hop(9, RouteNextHopFlags::empty())];
    vec![
        ("bond", kind(20, "bond0", vec![LinkInfo::Kind(InfoKind::Bond), LinkInfo::Data(InfoData::Bond(vec![]))]), "link 20 bond0 UP LOWER_UP RUNNING Up kind bond"),
        ("bond port", port(21, "p0", InfoPortKind::Bond, bond_port), "link 21 p0 UP LOWER_UP RUNNING Up master 9 port bond"),
        ("team", kind(22, "team0", vec![LinkInfo::Kind(InfoKind::Other("team".to_owned()))]), "link 22 team0 UP LOWER_UP RUNNING Up kind team"),
        ("team port", port(23, "p1", InfoPortKind::Team, InfoPortData::TeamPort(vec![InfoTeamPort::Other(DefaultNla::new(1, vec![0; 4]))])), "link 23 p1 UP LOWER_UP RUNNING Up master 9 port team"),
        ("vlan", stacked(24, "v0", vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(5)]))]), "link 24 v0 UP LOWER_UP RUNNING Up kind vlan on 7"),
        ("vrf", kind(25, "vrf0", vec![LinkInfo::Kind(InfoKind::Vrf), LinkInfo::Data(InfoData::Vrf(vec![InfoVrf::TableId(1001)]))]), "link 25 vrf0 UP LOWER_UP RUNNING Up kind vrf vrf 1001"),
        // A member's table is no VRF's.
        ("vrf member", port(26, "m0", InfoPortKind::Vrf, InfoPortData::VrfPort(vec![InfoVrf::TableId(1001)])), "link 26 m0 UP LOWER_UP RUNNING Up master 9 port vrf"),
        ("ipvlan", stacked(27, "i0", vec![LinkInfo::Kind(InfoKind::IpVlan), LinkInfo::Data(InfoData::IpVlan(vec![InfoIpVlan::Mode(IpVlanMode::L2)]))]), "link 27 i0 UP LOWER_UP RUNNING Up kind ipvlan on 7"),
        ("ipvtap", stacked(28, "i1", vec![LinkInfo::Kind(InfoKind::IpVtap)]), "link 28 i1 UP LOWER_UP RUNNING Up kind ipvtap on 7"),
        ("macsec", stacked(29, "ms0", vec![LinkInfo::Kind(InfoKind::MacSec), LinkInfo::Data(InfoData::MacSec(vec![]))]), "link 29 ms0 UP LOWER_UP RUNNING Up kind macsec on 7"),
        ("dummy", kind(30, "d0", vec![LinkInfo::Kind(InfoKind::Dummy)]), "link 30 d0 UP LOWER_UP RUNNING Up kind dummy"),
        ("wireguard", kind(31, "wg0", vec![LinkInfo::Kind(InfoKind::Wireguard)]), "link 31 wg0 UP LOWER_UP RUNNING Up kind wireguard"),
        ("a kind of tomorrow", kind(32, "q0", vec![LinkInfo::Kind(InfoKind::Other("quux".to_owned())), LinkInfo::Data(InfoData::Other(vec![1, 2, 3]))]), "link 32 q0 UP LOWER_UP RUNNING Up kind quux"),
        // What the card was made with, not what it was given.
        ("permanent address", link(33, "x0", vec![LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]), LinkAttribute::PermAddress(perm)]), "link 33 x0 UP LOWER_UP RUNNING Up mac 02:00:00:00:00:ee"),
        ("an address of zeros", link(34, "x1", vec![LinkAttribute::Address(vec![0; 6])]), "link 34 x1 UP LOWER_UP RUNNING Up"),
        ("no master", link(35, "x2", vec![LinkAttribute::Controller(0), LinkAttribute::Link(0)]), "link 35 x2 UP LOWER_UP RUNNING Up"),
        ("a link below, elsewhere", link(36, "x3", vec![LinkAttribute::LinkNetNsId(4), LinkAttribute::Link(7), LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::MacVlan)])]), "link 36 x3 UP LOWER_UP RUNNING Up kind macvlan"),
        ("a link below", link(37, "x4", vec![LinkAttribute::Link(7), LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::MacVlan)])]), "link 37 x4 UP LOWER_UP RUNNING Up kind macvlan on 7"),
        // wireless_send_event: the link's number, flags and name, and the event (here SIOCGIWAP, a new access point).
        ("an event of the wireless extensions", octets(RouteNetlinkMessage::NewLink(wireless)), "irrelevant"),
        ("a link without a name", octets(RouteNetlinkMessage::NewLink(LinkMessage::default())), "undecodable Stale { links: true, routes: true, lookups: true }"),
        ("a cached route", octets(RouteNetlinkMessage::NewRoute(cloned)), "irrelevant"),
        ("a multicast router's route", octets(RouteNetlinkMessage::NewRoute(route(AddressFamily::Other(128), 0, vec![]))), "irrelevant"),
        ("an IPv6 rule", octets(RouteNetlinkMessage::NewRule(rule(AddressFamily::Inet6))), "IPv6 rule"),
        ("an IPv6 rule that went", octets(RouteNetlinkMessage::DelRule(rule(AddressFamily::Inet6))), "IPv6 rule"),
        ("a multicast router's rule", octets(RouteNetlinkMessage::NewRule(rule(AddressFamily::Other(129)))), "irrelevant"),
        ("a dead route", octets(RouteNetlinkMessage::NewRoute(dead)), "route Unicast 0.0.0.0/0 dev 7 dead linkdown table 254 metric 0"),
        ("next hops that died", octets(RouteNetlinkMessage::NewRoute(route(AddressFamily::Inet, 0, vec![RouteAttribute::MultiPath(through)]))), "route Unicast 0.0.0.0/0 dev 7 dead and dev 8 linkdown and dev 9 table 254 metric 0"),
        ("a prefix with bits to the right", octets(RouteNetlinkMessage::NewRoute(route(AddressFamily::Inet, 8, vec![RouteAttribute::Destination(v4("10.1.2.3"))]))), "route Unicast 10.0.0.0/8 table 254 metric 0"),
        ("a prefix that is too long", octets(RouteNetlinkMessage::NewRoute(route(AddressFamily::Inet, 33, vec![RouteAttribute::Destination(v4("10.1.2.3"))]))), "undecodable Stale { links: false, routes: true, lookups: true }"),
        // A neighbour, and whatever else may come.
        ("a neighbour", octets(RouteNetlinkMessage::NewNeighbour(netlink_packet_route::neighbour::NeighbourMessage::default())), "irrelevant"),
    ]
}

pub(super) fn all() -> Vec<(String, Vec<u8>)> {
    says().into_iter().map(|(name, octets, _)| (format!("made: {name}"), octets)).collect()
}

#[test]
fn each_made_message_says_what_was_put_in() {
    for (name, octets, says) in says() {
        assert_eq!(said(&octets), says, "{name}");
    }
}

#[test]
fn an_expiry_is_of_signed_ticks() {
    use super::super::expiry;
    use super::NOW;
    use std::time::Duration;
    assert_eq!(expiry(0, NOW), None, "for ever");
    // Rounded down, on both sides: two ticks later it has ended for certain.
    let after = |ticks: u32| Some(NOW + Duration::from_millis(10 * (u64::from(ticks) + 2)));
    assert_eq!(expiry(1, NOW), after(1));
    assert_eq!(expiry(30_000, NOW), after(30_000));
    assert_eq!(expiry(0x7fff_ffff, NOW), after(0x7fff_ffff));
    assert_eq!(expiry(u32::MAX, NOW), Some(NOW), "it ended a tick ago");
    assert_eq!(expiry(0x8000_0000, NOW), Some(NOW));
}

#[test]
fn a_lookup_s_answer_is_a_way_or_a_refusal() {
    use crate::model::Lookup;
    let answer = |kind, attributes| {
        let mut message = route(AddressFamily::Inet, 32, attributes);
        message.header.kind = kind;
        super::super::lookup(&message)
    };
    let way = |local, gateway: Option<&str>, source: Option<&str>| {
        let ip = |text: &str| text.parse().unwrap();
        Some(Lookup::Path { ifindex: 7, gateway: gateway.map(ip), source: source.map(ip), expires: None, local })
    };
    let oif = RouteAttribute::Oif(7);
    let full = vec![RouteAttribute::Gateway(v4("192.0.2.1")), oif.clone(), RouteAttribute::PrefSource(v4("192.0.2.10"))];
    assert_eq!(answer(RouteType::Unicast, full), way(false, Some("192.0.2.1"), Some("192.0.2.10")));
    let via = RouteAttribute::Via(netlink_packet_route::route::RouteVia::Inet6("fe80::1".parse().unwrap()));
    assert_eq!(answer(RouteType::Unicast, vec![oif.clone(), via]), way(false, Some("fe80::1"), None));
    assert_eq!(answer(RouteType::Local, vec![oif.clone()]), way(true, None, None), "this host itself");
    assert_eq!(answer(RouteType::Unreachable, vec![oif.clone()]), Some(Lookup::None(libc::EHOSTUNREACH)));
    assert_eq!(answer(RouteType::BlackHole, vec![oif.clone()]), Some(Lookup::None(libc::EINVAL)));
    assert_eq!(answer(RouteType::Prohibit, vec![oif.clone()]), Some(Lookup::None(libc::EACCES)));
    assert_eq!(answer(RouteType::Broadcast, vec![oif.clone()]), Some(Lookup::Broadcast));
    assert_eq!(answer(RouteType::Anycast, vec![oif.clone()]), way(true, None, None), "this host is one of several");
    assert_eq!(answer(RouteType::Multicast, vec![oif]), Some(Lookup::None(libc::ENETUNREACH)));
    assert_eq!(answer(RouteType::Unicast, vec![]), None, "no way to tell");
}

#[test]
fn a_dump_s_entries_are_of_its_sort() {
    use super::super::{dumped, dumped_address, dumped_link, dumped_route};
    use super::{NOW, one_frame, recorded};
    let of = |name: &str| recorded().into_iter().find(|(known, _)| *known == name).unwrap().1;
    let (veth, bridge, address, route) = (of("dumped veth"), of("of a bridge port, AF_BRIDGE"), of("IPv4 address"), of("IPv4 default"));
    assert_eq!(dumped_link(one_frame(&veth)).map(|link| link.ifname).as_deref(), Some("ve0"));
    assert_eq!(dumped_link(one_frame(&bridge)), None);
    assert_eq!(dumped_link(one_frame(&route)), None);
    assert!(dumped_address(one_frame(&address)).is_some());
    assert_eq!(dumped_address(one_frame(&veth)), None);
    assert!(dumped(one_frame(&route), |message| dumped_route(message, NOW)).is_some());
    assert_eq!(dumped(one_frame(&address), |message| dumped_route(message, NOW)), None);
    assert_eq!(dumped_address(super::Frame { payload: &[2, 24], ..one_frame(&address) }), None, "cut");
}

#[test]
fn an_address_s_flags_are_the_long_ones_where_they_are_there() {
    use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
    let says = |short, long: Option<AddressFlags>| {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet6;
        message.header.prefix_len = 64;
        message.header.index = 7;
        message.header.flags = short;
        message.attributes = vec![AddressAttribute::Address("2001:db8::10".parse().unwrap())];
        message.attributes.extend(long.map(AddressAttribute::Flags));
        said(&octets(RouteNetlinkMessage::NewAddress(message)))
    };
    let (none, tentative) = ("address 2001:db8::10/64 dev 7 scope 0", "address 2001:db8::10/64 dev 7 scope 0 tentative");
    assert_eq!(says(AddressHeaderFlags::Tentative, None), tentative);
    assert_eq!(says(AddressHeaderFlags::Tentative, Some(AddressFlags::Noprefixroute)), none);
    assert_eq!(says(AddressHeaderFlags::empty(), Some(AddressFlags::Tentative)), tentative);
    assert_eq!(says(AddressHeaderFlags::empty(), None), none);
}

/// One attribute, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut octets = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// netlink-packet-route refuses a message for a text that is no UTF-8: an alias, a name, an altname, the
/// label of an address.
#[test]
fn a_text_that_is_no_utf8_hides_nothing() {
    const IFLA_IFALIAS: u16 = 20;
    const IFA_LABEL: u16 = 3;
    let with = |message: Vec<u8>, attributes: &[Vec<u8>]| {
        let mut octets = [message, attributes.concat()].concat();
        let length = u32::try_from(octets.len()).unwrap();
        octets[..4].copy_from_slice(&length.to_ne_bytes());
        said(&octets)
    };
    let veth = || link(7, "ve0", vec![]);
    assert_eq!(with(veth(), &[attribute(IFLA_IFALIAS, b"B\xfcro\0")]), "link 7 ve0 UP LOWER_UP RUNNING Up");
    let altname = attribute(libc::IFLA_ALT_IFNAME, b"lan\xff\0");
    let altnames = attribute(libc::IFLA_PROP_LIST | libc::NLA_F_NESTED as u16, &altname);
    assert_eq!(with(veth(), &[altnames]), r"link 7 ve0 UP LOWER_UP RUNNING Up alt lan\xff");
    // A later name counts, so this one has the second.
    let name = attribute(libc::IFLA_IFNAME, b"B\xfcro\0");
    assert_eq!(with(veth(), &[name]), r"link 7 B\xfcro UP LOWER_UP RUNNING Up");
    let address = || {
        let (_, octets) = super::recorded().into_iter().find(|(name, _)| *name == "IPv4 address").unwrap();
        octets
    };
    assert_eq!(with(address(), &[attribute(IFA_LABEL, b"B\xfcro\0")]), said(&address()));
}
