//! What the kernel says, and the program that it runs for us.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use ipnet::IpNet;
use socket2::SockRef;

use super::Choices;
use crate::model::{Message, Stale};
use crate::moment::Moment;
use crate::netlink::decode::{self, Event};
use crate::netlink::filter::program;
use crate::requirement::{RouteTo, Table};
use crate::wants::Wants;

const NOW: Moment = Moment::after_boot(Duration::from_secs(1000));

/// A datagram of the event socket, or of an answer: what is of interest and cannot be decoded is told of.
pub fn netlink(data: &[u8]) {
    for frame in decode::frames(data) {
        let Ok(frame) = frame else { continue };
        let stale = match frame.kind {
            libc::RTM_NEWLINK | libc::RTM_DELLINK | libc::RTM_NEWADDR | libc::RTM_DELADDR => Some(Stale::ALL),
            libc::RTM_NEWROUTE | libc::RTM_DELROUTE => Some(Stale::ROUTES),
            decode::RTM_NEWNEXTHOP | decode::RTM_DELNEXTHOP => Some(Stale::ROUTES),
            _ => None,
        };
        match decode::event(frame, NOW) {
            Event::Undecodable(found) => assert_eq!(Some(found), stale, "{frame:?}"),
            Event::Message(_) | Event::Irrelevant => {}
        }
        let _ = decode::dumped_link(frame);
        let _ = decode::dumped_address(frame);
        let _ = decode::link_of_entry(frame);
        if let Some(message) = decode::decoded(frame) {
            let _ = decode::dumped_route(message, NOW);
        }
    }
}

fn address(choices: &mut Choices<'_>) -> IpAddr {
    match choices.octet() % 2 {
        0 => IpAddr::from(choices.octets::<4>()),
        _ => IpAddr::from(choices.octets::<16>()),
    }
}

/// Whether a route message has an attribute twice. The kernel writes none twice, so nobody says which of the two counts:
/// the filter finds the first, and the decoder keeps the last.
fn repeats_an_attribute(message: &[u8]) -> bool {
    const HEADERS: usize = 16 + 12; // struct nlmsghdr, struct rtmsg
    let mut rest = message.get(HEADERS..).unwrap_or_default();
    let mut seen = BTreeSet::new();
    while let [low, high, kind_low, kind_high, ..] = *rest {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let kind = u16::from_ne_bytes([kind_low, kind_high]) & libc::NLA_TYPE_MASK as u16;
        if length < 4 || !seen.insert(kind) {
            return length >= 4;
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// Any message, against the filter of any gate, in the kernel: what is wanted passes, as far as the decoder can tell.
pub fn filter(data: &[u8]) {
    let mut choices = Choices(data);
    let mut wants = Wants { pasta: choices.octet() % 4 == 0, ..Wants::default() };
    for _ in 0..choices.octet() % 6 {
        let address = address(&mut choices);
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = IpNet::new(address, choices.octet() % (bits + 1)).unwrap();
        wants.routes.insert((prefix.trunc(), Table::MAIN));
    }
    for _ in 0..choices.octet() % 4 {
        wants.route_to.insert(RouteTo::target(address(&mut choices)));
    }
    let message = choices.0;
    if message.is_empty() || message.len() > 2048 || repeats_an_attribute(message) {
        return;
    }
    let passes = passes(&wants, message);
    let wanted = match decode::frames(message).next() {
        Some(Ok(frame)) => match decode::event(frame, NOW) {
            Event::Message(Message::Route(route, _)) => is_wanted(&wants, &route),
            // Other route messages are of no interest, or of a kind that the decoder does not know.
            Event::Message(_) => true,
            Event::Irrelevant | Event::Undecodable(_) => false,
        },
        Some(Err(_)) | None => false,
    };
    assert!(passes || !wanted, "{wants:?} does not get {message:?}");
}

fn is_wanted(wants: &Wants, route: &crate::model::Route) -> bool {
    let same_family = |address: &IpAddr| address.is_ipv4() == route.destination.addr().is_ipv4();
    let target = |wanted: &RouteTo| same_family(&wanted.target) && route.destination.contains(&wanted.target);
    wants.destination(&route.destination.trunc()) || wants.route_to.iter().any(target)
}

fn passes(wants: &Wants, message: &[u8]) -> bool {
    let (near, far) = UnixDatagram::pair().unwrap();
    SockRef::from(&far).attach_filter(&program(wants)).unwrap();
    far.set_nonblocking(true).unwrap();
    near.send(message).unwrap();
    match far.recv(&mut [0; 4096]) {
        Ok(length) => {
            assert_eq!(length, message.len(), "whole");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            false
        }
    }
}
