//! Nexthop objects (`ip nexthop`), by their number. If net.ipv4.nexthop_compat_mode is 0, the kernel names only the
//! number of the object in a route, and not what the object consists of.
//!
//! netlink-packet-route does not know these messages. Formats: struct nhmsg and struct nexthop_grp of
//! linux/nexthop.h.

use std::net::IpAddr;

use netlink_packet_core::NlasIterator;

use crate::model::NextHop;
use crate::netlink::decode::{Frame, NHA_ID, NHMSG, RTM_NEWNEXTHOP};

const RTM_GETNEXTHOP: u16 = 106;
/// The size of struct nexthop_grp, in bytes.
const MEMBER: usize = 8;
const NHA_GROUP: u16 = 2;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const RTNH_F_DEAD: u32 = 1;
const RTNH_F_ONLINK: u32 = 4;
const RTNH_F_LINKDOWN: u32 = 16;

/// What a nexthop object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A next hop.
    Hop(NextHop),
    /// A group of the objects with these numbers.
    Group(Vec<u32>),
}

/// The request for the object with this number. It has no sequence number yet.
pub fn question(id: u32) -> Vec<u8> {
    /// struct nlmsghdr of linux/netlink.h, and the attribute with its header.
    const LENGTH: u32 = 16 + NHMSG as u32 + 8;
    let mut octets = LENGTH.to_ne_bytes().to_vec();
    octets.extend(RTM_GETNEXTHOP.to_ne_bytes());
    octets.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    octets.extend([0; 8 + NHMSG]);
    octets.extend(8_u16.to_ne_bytes());
    octets.extend(NHA_ID.to_ne_bytes());
    octets.extend(id.to_ne_bytes());
    octets
}

/// The object of an answer. `None` if it has no next hop (`blackhole`) or cannot be decoded.
pub fn object(frame: Frame<'_>) -> Option<Object> {
    if frame.kind != RTM_NEWNEXTHOP {
        return None;
    }
    let flags = u32::from_ne_bytes(*frame.payload.get(4..NHMSG)?.first_chunk()?);
    let (mut ifindex, mut gateway) = (None, None);
    for attribute in NlasIterator::new(frame.payload.get(NHMSG..)?) {
        let attribute = attribute.ok()?;
        let value = attribute.value();
        match attribute.kind() {
            NHA_GROUP => return Some(Object::Group(value.chunks_exact(MEMBER).filter_map(number).collect())),
            NHA_OIF => ifindex = number(value),
            NHA_GATEWAY => gateway = ip(value),
            _ => {}
        }
    }
    let has = |flag| flags & flag != 0;
    Some(Object::Hop(NextHop {
        ifindex: ifindex?,
        gateway,
        dead: has(RTNH_F_DEAD),
        linkdown: has(RTNH_F_LINKDOWN),
        onlink: has(RTNH_F_ONLINK),
    }))
}

/// The number at the begin of these octets.
fn number(octets: &[u8]) -> Option<u32> {
    octets.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

/// The gateway may be of another family than the route.
fn ip(octets: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(octets).map(IpAddr::from);
    v4().or_else(|_| v6()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(flags: u32, attributes: &[(u16, &[u8])]) -> Option<Object> {
        let mut payload = vec![2, 0, 0, 0];
        payload.extend(flags.to_ne_bytes());
        for (kind, value) in attributes {
            payload.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            payload.extend(kind.to_ne_bytes());
            payload.extend(*value);
        }
        object(Frame { kind: RTM_NEWNEXTHOP, flags: 0, sequence: 0, port: 0, payload: &payload })
    }

    #[test]
    fn an_object_is_a_next_hop_or_a_group() {
        let hop = |gateway: Option<&str>, flags: u32| {
            Some(Object::Hop(NextHop {
                ifindex: 7,
                gateway: gateway.map(|text| text.parse().unwrap()),
                dead: flags & 1 != 0,
                linkdown: flags & 16 != 0,
                onlink: flags & 4 != 0,
            }))
        };
        let oif = &7_u32.to_ne_bytes()[..];
        let v6 = "fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        assert_eq!(answer(0, &[(NHA_ID, oif), (NHA_OIF, oif)]), hop(None, 0));
        assert_eq!(answer(4, &[(NHA_OIF, oif), (NHA_GATEWAY, &[192, 0, 2, 1])]), hop(Some("192.0.2.1"), 4));
        assert_eq!(answer(17, &[(NHA_OIF, oif), (NHA_GATEWAY, &v6)]), hop(Some("fe80::1"), 17));
        let members = [&1_u32.to_ne_bytes()[..], &[0; 4], &2_u32.to_ne_bytes()[..], &[9; 4]].concat();
        assert_eq!(answer(0, &[(NHA_GROUP, &members)]), Some(Object::Group(vec![1, 2])));
        assert_eq!(answer(0, &[(4, &[])]), None, "a blackhole has no next hop");
        let cut = Frame { kind: RTM_NEWNEXTHOP, flags: 0, sequence: 0, port: 0, payload: &[2, 0, 0] };
        assert_eq!(object(cut), None);
        assert_eq!(object(Frame { kind: 24, payload: &[0; 32], ..cut }), None, "a route");
    }

    #[test]
    fn a_question_is_a_whole_message() {
        let octets = question(7);
        assert_eq!(octets.len(), 32);
        assert_eq!(octets[..6], [&32_u32.to_ne_bytes()[..], &106_u16.to_ne_bytes()[..]].concat());
        assert_eq!(
            octets[24..],
            [&8_u16.to_ne_bytes()[..], &1_u16.to_ne_bytes(), &7_u32.to_ne_bytes()].concat()
        );
    }
}
