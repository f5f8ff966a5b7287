//! What is cut or garbled: never a panic, and never silence where something may have changed.

use netlink_packet_core::NLA_HEADER_SIZE;

use super::super::{Event, event};
use super::super::{RTM_DELNEXTHOP, RTM_NEWNEXTHOP};
use super::{NOW, all, one_frame, recorded};
use crate::model::Stale;

const HEADER: usize = 16;
const AF_BRIDGE: u8 = 7;
const AF_MPLS: u8 = 28;
const RTNL_FAMILY_IPMR: u8 = 128;

/// What a message of this type makes stale where it cannot be decoded; nothing for one that is not decoded.
fn stale_of(kind: u16) -> Option<Stale> {
    match kind {
        libc::RTM_NEWLINK | libc::RTM_DELLINK | libc::RTM_NEWADDR | libc::RTM_DELADDR => Some(Stale::ALL),
        libc::RTM_NEWROUTE | libc::RTM_DELROUTE | RTM_NEWNEXTHOP | RTM_DELNEXTHOP => Some(Stale::ROUTES),
        libc::RTM_NEWRULE | libc::RTM_DELRULE => Some(Stale::ROUTES),
        _ => None,
    }
}

/// Whatever the octets: the outcome is one of those that are allowed for its type.
fn check(octets: &[u8], what: &dyn Fn() -> String) {
    let frame = one_frame(octets);
    let stale = stale_of(frame.kind);
    match (event(frame, NOW), stale) {
        (Event::Undecodable(found), Some(stale)) => assert_eq!(found, stale, "{}", what()),
        (Event::Undecodable(found), None) => panic!("{}: {found:?}", what()),
        (Event::Message(_) | Event::Irrelevant, _) => {}
    }
}

#[test]
fn every_truncation_is_decoded_or_told_of() {
    for (name, octets) in all() {
        let kind = u16::from_ne_bytes([octets[4], octets[5]]);
        for length in HEADER..octets.len() {
            let mut cut = octets[..length].to_vec();
            cut[..4].copy_from_slice(&u32::try_from(length).unwrap().to_ne_bytes());
            check(&cut, &|| format!("{name}, {length} octets"));
            // Less than the fixed header: of links 16 octets, of addresses and nexthop objects 8, of routes 12. Of a rule, only the family counts.
            let fixed = match kind {
                16 | 17 => 16,
                20 | 21 | RTM_NEWNEXTHOP | RTM_DELNEXTHOP => 8,
                24 | 25 => 12,
                libc::RTM_NEWRULE | libc::RTM_DELRULE => 1,
                _ => 0,
            };
            // Of no interest by its first octet, the family.
            let bridge = octets[HEADER] == AF_BRIDGE && length > HEADER;
            if length < HEADER + fixed && !bridge && octets[HEADER] != RTNL_FAMILY_IPMR {
                let found = event(one_frame(&cut), NOW);
                assert!(matches!(found, Event::Undecodable(_)), "{name}, {length} octets: {found:?}");
            }
        }
    }
}

#[test]
fn every_corruption_of_an_octet_is_decoded_or_told_of() {
    for (name, octets) in all() {
        let mut garbled = octets.clone();
        // The length is the framing's business.
        for at in 4..octets.len() {
            for value in [0, 0xff, octets[at] ^ 1, octets[at] ^ 0x80, octets[at].wrapping_add(4)] {
                garbled[at] = value;
                check(&garbled, &|| format!("{name}, octet {at} = {value}"));
            }
            garbled[at] = octets[at];
        }
    }
}

/// Where the attributes of a message begin.
fn attributes_of(kind: u16) -> usize {
    HEADER
        + match kind {
            libc::RTM_NEWLINK | libc::RTM_DELLINK => 16,
            libc::RTM_NEWADDR | libc::RTM_DELADDR | RTM_NEWNEXTHOP | RTM_DELNEXTHOP => 8,
            _ => 12,
        }
}

#[test]
fn one_broken_attribute_is_told_of() {
    for (name, octets) in recorded() {
        let kind = u16::from_ne_bytes([octets[4], octets[5]]);
        let Some(stale) = stale_of(kind) else { continue };
        // Of a rule, no attribute is read.
        if octets[HEADER] == AF_BRIDGE || matches!(kind, libc::RTM_NEWRULE | libc::RTM_DELRULE) {
            continue;
        }
        let at = attributes_of(kind);
        // A length that is shorter than an attribute's header, or longer than the message.
        for length in [0, NLA_HEADER_SIZE - 1, 0xffff] {
            let mut broken = octets.clone();
            broken[at..at + 2].copy_from_slice(&u16::try_from(length).unwrap().to_ne_bytes());
            let found = event(one_frame(&broken), NOW);
            assert_eq!(found, Event::Undecodable(stale), "{name}, nla_len {length}");
        }
    }
}

#[test]
fn a_value_of_the_wrong_size_is_told_of() {
    // RTA_TABLE of two octets; IFLA_LINK likewise; IFA_ADDRESS of three.
    for (name, wanted, size) in [
        ("IPv4 default", libc::RTA_TABLE, 2_u16),
        ("veth", libc::IFLA_LINK, 2),
        ("IPv4 address", libc::IFA_ADDRESS, 3),
    ] {
        let (_, mut octets) = recorded().into_iter().find(|(known, _)| *known == name).unwrap();
        let kind = u16::from_ne_bytes([octets[4], octets[5]]);
        let mut at = attributes_of(kind);
        let word = |octets: &[u8], at: usize| u16::from_ne_bytes([octets[at], octets[at + 1]]);
        while word(&octets, at + 2) != wanted {
            at += usize::from(word(&octets, at)).next_multiple_of(4);
        }
        octets[at..at + 2].copy_from_slice(&(4 + size).to_ne_bytes());
        assert_eq!(event(one_frame(&octets), NOW), Event::Undecodable(stale_of(kind).unwrap()), "{name}");
    }
}

/// A bridge tells of its ports in link messages of its own, and there are routes of other families: one that
/// cannot be decoded must not cost a reading of everything.
#[test]
fn a_broken_message_of_another_family_is_of_no_interest() {
    for (name, families) in [
        ("veth", &[AF_BRIDGE, 10][..]),
        ("IPv4 default", &[AF_MPLS, RTNL_FAMILY_IPMR, 0]),
        ("IPv4 address", &[12]),
    ] {
        let (_, mut broken) = recorded().into_iter().find(|(known, _)| *known == name).unwrap();
        let at = attributes_of(u16::from_ne_bytes([broken[4], broken[5]]));
        broken[at..at + 2].copy_from_slice(&1_u16.to_ne_bytes());
        assert!(matches!(event(one_frame(&broken), NOW), Event::Undecodable(_)), "{name}");
        for family in families {
            broken[HEADER] = *family;
            assert_eq!(event(one_frame(&broken), NOW), Event::Irrelevant, "{name}, family {family}");
        }
    }
}
