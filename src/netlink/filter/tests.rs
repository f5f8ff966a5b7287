//! The program, run by the kernel on a pair of sockets, beside a plain account of what must pass.

mod kernel;
mod oracle;

use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;

use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use socket2::SockRef;

use super::program;
use crate::requirement::{RouteTo, TABLE_MAIN, Table};
use crate::wants::Wants;

/// A socket with the filter, and its other end. The helper that finds an attribute works on any datagram.
struct Filtered {
    near: UnixDatagram,
    far: UnixDatagram,
}

impl Filtered {
    fn new(wants: &Wants) -> Filtered {
        let (near, far) = UnixDatagram::pair().unwrap();
        SockRef::from(&far).attach_filter(&program(wants)).unwrap();
        far.set_nonblocking(true).unwrap();
        Filtered { near, far }
    }

    fn passes(&self, message: &[u8]) -> bool {
        self.near.send(message).unwrap();
        let mut buffer = [0; 4096];
        match self.far.recv(&mut buffer) {
            Ok(length) => {
                assert_eq!(&buffer[..length], message, "whole");
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                false
            }
        }
    }
}

fn wants(prefixes: &[&str], targets: &[&str]) -> Wants {
    Wants {
        routes: prefixes.iter().map(|prefix| (prefix.parse().unwrap(), Table::MAIN)).collect(),
        route_to: targets.iter().map(|target| RouteTo::target(target.parse().unwrap())).collect(),
        ..Wants::default()
    }
}

/// A unicast route of the main table.
fn route(prefix: &str) -> RouteMessage {
    let prefix: ipnet::IpNet = prefix.parse().unwrap();
    let mut message = RouteMessage::default();
    message.header.address_family = match prefix.addr() {
        IpAddr::V4(_) => netlink_packet_route::AddressFamily::Inet,
        IpAddr::V6(_) => netlink_packet_route::AddressFamily::Inet6,
    };
    message.header.destination_prefix_length = prefix.prefix_len();
    message.header.table = u8::try_from(TABLE_MAIN).unwrap();
    message.header.kind = netlink_packet_route::route::RouteType::Unicast;
    message.attributes.push(RouteAttribute::Table(TABLE_MAIN));
    if prefix.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(prefix.addr().into()));
    }
    message
}

fn octets(message: RouteNetlinkMessage) -> Vec<u8> {
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
    message.finalize();
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    octets
}

fn added(prefix: &str) -> Vec<u8> {
    octets(RouteNetlinkMessage::NewRoute(route(prefix)))
}

#[track_caller]
fn passing(wants: &Wants, passes: &[&str], dropped: &[&str]) {
    let filtered = Filtered::new(wants);
    for (prefixes, pass) in [(passes, true), (dropped, false)] {
        for prefix in prefixes {
            assert_eq!(filtered.passes(&added(prefix)), pass, "{prefix} added, {wants:?}");
            let gone = octets(RouteNetlinkMessage::DelRoute(route(prefix)));
            assert_eq!(filtered.passes(&gone), pass, "{prefix} gone, {wants:?}");
        }
    }
}

#[test]
fn wanted_prefixes_pass_and_no_others() {
    passing(
        &wants(&["0.0.0.0/0"], &[]),
        &["0.0.0.0/0"],
        &["::/0", "0.0.0.0/1", "10.0.0.0/8", "2001:db8::/32"],
    );
    passing(&wants(&["::/0"], &[]), &["::/0"], &["0.0.0.0/0", "::/1", "2001:db8::/32"]);
    passing(
        &wants(&["10.0.0.0/8", "2001:db8::/32"], &[]),
        &["10.0.0.0/8", "2001:db8::/32"],
        &["10.0.0.0/9", "10.0.0.0/7", "11.0.0.0/8", "2001:db9::/32", "2001:db8::/33", "0.0.0.0/0", "::/0"],
    );
    // Each word of the address is looked at.
    passing(
        &wants(&["2001:db8:0:1:0:2:0:3/128"], &[]),
        &["2001:db8:0:1:0:2:0:3/128"],
        &[
            "2001:db9:0:1:0:2:0:3/128",
            "2001:db8:0:2:0:2:0:3/128",
            "2001:db8:0:1:0:3:0:3/128",
            "2001:db8:0:1:0:2:0:4/128",
        ],
    );
    passing(&Wants::default(), &[], &["0.0.0.0/0", "::/0", "10.0.0.0/8"]);
}

#[test]
fn whatever_covers_a_target_passes() {
    passing(
        &wants(&[], &["198.51.100.7"]),
        &["0.0.0.0/0", "128.0.0.0/1", "198.51.100.0/24", "198.51.100.6/31", "198.51.100.7/32"],
        &["0.0.0.0/1", "198.51.101.0/24", "198.51.100.8/29", "198.51.100.6/32", "::/0", "2001:db8::/32"],
    );
    passing(
        &wants(&[], &["2001:db8:1:2:3:4:5:6"]),
        &[
            "::/0",
            "2000::/3",
            "2001:db8::/32",
            "2001:db8:0::/33",
            "2001:db8:1:2::/64",
            "2001:db8:1:2::/65",
            "2001:db8:1:2:3:4::/96",
            "2001:db8:1:2:3:4::/97",
            "2001:db8:1:2:3:4:5:6/127",
            "2001:db8:1:2:3:4:5:6/128",
        ],
        &[
            "8000::/1",
            "2001:db9::/32",
            "2001:db8:8000::/33",
            "2001:db8:1:3::/64",
            "2001:db8:1:2:8000::/65",
            "2001:db8:1:2:3:5::/96",
            "2001:db8:1:2:3:4:8000::/97",
            "2001:db8:1:2:3:4:5:4/127",
            "2001:db8:1:2:3:4:5:7/128",
            "0.0.0.0/0",
        ],
    );
}

#[test]
fn any_of_several_wants_is_enough() {
    passing(
        &wants(&["0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32"], &["198.51.100.7", "2001:db8:1::1"]),
        &["0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32", "198.51.100.0/24", "2001:db8:1::/48", "::/0"],
        &["10.0.0.0/9", "198.51.101.0/24", "2001:db8:2::/48"],
    );
}

#[test]
fn with_pasta_unicast_routes_of_the_main_table_pass() {
    let filtered = Filtered::new(&Wants { pasta: true, ..Wants::default() });
    assert!(filtered.passes(&added("10.0.0.0/8")));
    assert!(filtered.passes(&added("2001:db8::/32")));
    let mut unreachable = route("10.0.0.0/8");
    unreachable.header.kind = netlink_packet_route::route::RouteType::Unreachable;
    assert!(!filtered.passes(&octets(RouteNetlinkMessage::NewRoute(unreachable))));
    let mut elsewhere = route("10.0.0.0/8");
    elsewhere.header.table = 100;
    assert!(!filtered.passes(&octets(RouteNetlinkMessage::NewRoute(elsewhere))));
    // RT_TABLE_COMPAT: a table above 255.
    let mut high = route("10.0.0.0/8");
    high.header.table = 252;
    high.attributes[0] = RouteAttribute::Table(51820);
    assert!(!filtered.passes(&octets(RouteNetlinkMessage::NewRoute(high))));
}

#[test]
fn a_wanted_prefix_passes_whatever_its_table_and_type() {
    let filtered = Filtered::new(&wants(&["0.0.0.0/0", "10.0.0.0/8"], &[]));
    for prefix in ["0.0.0.0/0", "10.0.0.0/8"] {
        let mut message = route(prefix);
        message.header.table = 252;
        message.header.kind = netlink_packet_route::route::RouteType::Unreachable;
        assert!(filtered.passes(&octets(RouteNetlinkMessage::NewRoute(message))), "{prefix}");
    }
}

#[test]
fn what_is_no_route_passes() {
    let filtered = Filtered::new(&Wants::default());
    // Everything that has a header, in its shortest form and in a longer one.
    for kind in (0..=130_u16).filter(|kind| ![libc::RTM_NEWROUTE, libc::RTM_DELROUTE].contains(kind)) {
        for length in [16, 20, 28, 1200] {
            let mut message = vec![0xff; length];
            message[..4].copy_from_slice(&u32::try_from(length).unwrap().to_ne_bytes());
            message[4..6].copy_from_slice(&kind.to_ne_bytes());
            assert!(filtered.passes(&message), "type {kind}, {length} octets");
        }
    }
}

#[test]
fn a_route_with_a_length_and_no_destination_cannot_be_judged_and_passes() {
    for wants in [wants(&["10.0.0.0/8"], &[]), wants(&[], &["10.1.2.3"])] {
        let filtered = Filtered::new(&wants);
        let mut message = route("10.0.0.0/8");
        message.attributes.truncate(1);
        assert!(filtered.passes(&octets(RouteNetlinkMessage::NewRoute(message.clone()))));
        message.attributes.clear();
        assert!(filtered.passes(&octets(RouteNetlinkMessage::NewRoute(message))));
        // An attribute before it that is broken hides it.
        let mut broken = added("10.0.0.0/8");
        broken[28..30].copy_from_slice(&1_u16.to_ne_bytes());
        assert!(filtered.passes(&broken));
    }
}

#[test]
fn a_route_whose_destination_is_cut_passes() {
    let filtered = Filtered::new(&wants(&["2001:db8::/32"], &["2001:db8:1::1"]));
    let whole = added("2001:db8::/32");
    let cut = &whole[..whole.len() - 8];
    assert!(filtered.passes(cut));
}

/// The kernel takes at most 4096 instructions (BPF_MAXINSNS).
#[test]
fn a_gate_that_wants_more_than_a_program_holds_is_told_of_everything() {
    let targets: Vec<String> = (0..60).map(|at| format!("2001:db8::{at:x}")).collect();
    for (count, all_pass) in [(40, false), (60, true)] {
        let targets: Vec<&str> = targets.iter().take(count).map(String::as_str).collect();
        let filtered = Filtered::new(&wants(&["::/0"], &targets));
        for prefix in ["::/0", "2001:db8::1/128", "2001:db8::/64"] {
            assert!(filtered.passes(&added(prefix)), "{prefix}, {count} targets");
        }
        assert_eq!(filtered.passes(&added("2001:db9::/32")), all_pass, "{count} targets");
        assert_eq!(filtered.passes(&added("0.0.0.0/0")), all_pass, "{count} targets");
    }
}
