//! Links and addresses, from the octets of their messages.
//!
//! Only the attributes that matter are read. Each is read by its own size alone: a text that is no UTF-8 (an
//! alias, an address's label) or an attribute of a kind that is not known here hides no link.

use std::net::IpAddr;

use crate::ifname;
use crate::model::{Address, Link, Operstate};

const AF_INET: u8 = libc::AF_INET as u8;
const AF_INET6: u8 = libc::AF_INET6 as u8;
/// The attribute of linux/if_link.h that holds the number of a VRF's table.
const IFLA_VRF_TABLE: u16 = 1;
const IFLA_INET6_CONF: u16 = 2;
/// linux/ipv6.h: the place of disable_ipv6 in IFLA_INET6_CONF.
const DEVCONF_DISABLE_IPV6: usize = 26;
/// Size of struct ifinfomsg (linux/rtnetlink.h) and of struct ifaddrmsg (linux/if_addr.h).
const IFINFOMSG: usize = 16;
const IFADDRMSG: usize = 8;

/// The number of the link that a message about a link or an address speaks of; in both headers it stands at
/// the same place.
pub fn ifindex(payload: &[u8]) -> Option<u32> {
    payload.get(4..8).and_then(number)
}

/// The link of an RTM_NEWLINK; `None` where it cannot be decoded.
pub fn link(payload: &[u8]) -> Option<Link> {
    let mut link =
        Link { ifindex: ifindex(payload)?, flags: payload.get(8..12).and_then(number)?, ..Link::default() };
    let mut lower = None;
    let mut elsewhere = false;
    let mut current_address = Vec::new();
    for attribute in attributes(payload.get(IFINFOMSG..)?) {
        let (kind, value) = attribute?;
        match kind {
            libc::IFLA_IFNAME => link.ifname = ifname::spell(text(value)),
            libc::IFLA_PROP_LIST => link.altnames = altnames(value)?,
            libc::IFLA_OPERSTATE => link.operstate = operstate(*value.first()?),
            libc::IFLA_MASTER => link.master = Some(number(value)?).filter(|master| *master != 0),
            libc::IFLA_LINK => lower = Some(number(value)?).filter(|ifindex| *ifindex != 0),
            libc::IFLA_LINK_NETNSID => elsewhere = true,
            libc::IFLA_ADDRESS => current_address = value.to_vec(),
            libc::IFLA_PERM_ADDRESS => link.hardware_address = value.to_vec(),
            libc::IFLA_CARRIER_DOWN_COUNT => link.carrier_down_count = number(value)?,
            libc::IFLA_LINKINFO => link_info(&mut link, value)?,
            libc::IFLA_AF_SPEC => link.ipv6_disabled = ipv6_disabled(value)?,
            _ => {}
        }
    }
    // A veth's is its peer, which the kernel tells of one end and not of the other.
    link.lower = lower.filter(|_| link.stacked() && !elsewhere);
    link.permanent_address = !link.hardware_address.is_empty();
    if link.hardware_address.is_empty() {
        link.hardware_address = current_address;
    }
    // tun, ppp: an address of no octets, or of zeros, is none.
    if link.hardware_address.iter().all(|octet| *octet == 0) {
        link.hardware_address.clear();
        link.permanent_address = false;
    }
    Some(link).filter(|link| !link.ifname.is_empty())
}

/// Whether an RTM_NEWLINK is an event of the wireless extensions (wireless_send_event of the kernel's wext-core.c). It
/// names its link and says nothing else of it, so it must not take the place of what is known.
pub fn is_of_wireless_extensions(payload: &[u8]) -> bool {
    let attributes = payload.get(IFINFOMSG..).unwrap_or_default();
    matches!(find(attributes, libc::IFLA_WIRELESS), Some(Some(_)))
}

/// The number of the link that an RTM_DELLINK speaks of.
pub fn link_gone(payload: &[u8]) -> Option<u32> {
    let sound = attributes(payload.get(IFINFOMSG..)?).all(|attribute| attribute.is_some());
    ifindex(payload).filter(|_| sound)
}

/// The address of an RTM_NEWADDR or RTM_DELADDR; `None` where it cannot be decoded.
pub fn address(payload: &[u8]) -> Option<Address> {
    let [family, prefix_len, flags, scope] = *payload.first_chunk::<4>()?;
    let mut local = None;
    let mut remote = None;
    // The octet of the header has the lower eight; IFA_FLAGS has all of them.
    let mut flags = u32::from(flags);
    for attribute in attributes(payload.get(IFADDRMSG..)?) {
        let (kind, value) = attribute?;
        match kind {
            libc::IFA_LOCAL => local = Some(ip(family, value)?),
            libc::IFA_ADDRESS => remote = Some(ip(family, value)?),
            libc::IFA_FLAGS => flags = number(value)?,
            _ => {}
        }
    }
    let local = local.or(remote)?;
    Some(Address {
        ifindex: ifindex(payload)?,
        local,
        remote: remote.unwrap_or(local),
        prefix_len,
        scope,
        flags,
    })
}

fn altnames(properties: &[u8]) -> Option<Vec<String>> {
    let mut altnames = Vec::new();
    for property in attributes(properties) {
        let (kind, value) = property?;
        if kind == libc::IFLA_ALT_IFNAME {
            altnames.push(ifname::spell(text(value)));
        }
    }
    Some(altnames)
}

fn link_info(link: &mut Link, infos: &[u8]) -> Option<()> {
    let kind_of = |value| String::from_utf8_lossy(text(value)).into_owned();
    let mut settings: &[u8] = &[];
    for info in attributes(infos) {
        let (kind, value) = info?;
        match kind {
            libc::IFLA_INFO_KIND => link.kind = kind_of(value),
            libc::IFLA_INFO_SLAVE_KIND => link.port_kind = Some(kind_of(value)),
            libc::IFLA_INFO_DATA => settings = value,
            _ => {}
        }
    }
    if link.kind == "vrf" {
        link.vrf_table = find(settings, IFLA_VRF_TABLE)?.and_then(number);
    }
    Some(())
}

fn ipv6_disabled(families: &[u8]) -> Option<bool> {
    let Some(of_ipv6) = find(families, u16::from(AF_INET6))? else { return Some(false) };
    let Some(settings) = find(of_ipv6, IFLA_INET6_CONF)? else { return Some(false) };
    let disabled = settings.chunks_exact(4).nth(DEVCONF_DISABLE_IPV6).and_then(number);
    Some(disabled.is_some_and(|disabled| disabled != 0))
}

/// The operational state that a number of linux/if.h (IF_OPER_*) stands for.
fn operstate(state: u8) -> Operstate {
    match state {
        1 => Operstate::NotPresent,
        2 => Operstate::Down,
        3 => Operstate::LowerLayerDown,
        4 => Operstate::Testing,
        5 => Operstate::Dormant,
        6 => Operstate::Up,
        _ => Operstate::Unknown,
    }
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => value.try_into().ok().map(|octets: [u8; 4]| IpAddr::from(octets)),
        AF_INET6 => value.try_into().ok().map(|octets: [u8; 16]| IpAddr::from(octets)),
        _ => None,
    }
}

/// A number of 32 bits, and nothing else.
fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_ne_bytes)
}

/// A text up to its NUL.
fn text(value: &[u8]) -> &[u8] {
    value.split(|octet| *octet == 0).next().unwrap_or_default()
}

/// The first attribute of a kind among others; the outer `None` where they are broken.
#[allow(clippy::option_option, reason = "broken, and not there, are two things")]
fn find(all: &[u8], wanted: u16) -> Option<Option<&[u8]>> {
    let mut found = None;
    for attribute in attributes(all) {
        let (kind, value) = attribute?;
        if kind == wanted && found.is_none() {
            found = Some(value);
        }
    }
    Some(found)
}

/// Netlink attributes (struct nlattr of linux/netlink.h): the kind of each, without its flags, and its value.
/// `None` ends them where one is broken.
fn attributes(octets: &[u8]) -> impl Iterator<Item = Option<(u16, &[u8])>> {
    const HEADER: usize = 4;
    let mut rest = octets;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = std::mem::take(&mut rest);
        let header = whole.first_chunk::<HEADER>();
        let attribute = header.and_then(|[length_low, length_high, kind_low, kind_high]| {
            let length = usize::from(u16::from_ne_bytes([*length_low, *length_high]));
            let kind = u16::from_ne_bytes([*kind_low, *kind_high]) & libc::NLA_TYPE_MASK as u16;
            let value = whole.get(HEADER..length)?;
            // NLA_ALIGN; the last one may lack its padding.
            rest = whole.get(length.next_multiple_of(4)..).unwrap_or_default();
            Some((kind, value))
        });
        Some(attribute)
    })
}
