//! Reads one text of `address`, `route`, `route-to` or `table`.
//!
//! Each error is the message for the author of the text. The caller adds the place of the text.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use ipnet::IpNet;

use super::{interface, suggest, zones};
use crate::model::link_local;
use crate::requirement::{AddressSpec, Destination, Family, RouteTo, Table};

const ADDRESS_WORDS: [&str; 5] = ["ip", "ipv4", "ipv6", "link-local-ipv4", "link-local-ipv6"];
const ROUTE_WORDS: [&str; 3] = ["default", "default-ipv4", "default-ipv6"];

/// Reads one entry of `address`.
pub fn address(text: &str) -> Result<AddressSpec, String> {
    match text {
        "ip" => return Ok(AddressSpec::Either),
        "ipv4" => return Ok(AddressSpec::Family(Family::V4)),
        "ipv6" => return Ok(AddressSpec::Family(Family::V6)),
        "link-local-ipv4" => return Ok(AddressSpec::LinkLocal(Family::V4)),
        "link-local-ipv6" => return Ok(AddressSpec::LinkLocal(Family::V6)),
        _ => {}
    }
    if let Some(meant) = other_address_word(text) {
        return Err(format!("is not valid; did you mean {meant:?}?"));
    }
    match network(text)? {
        Some(Network::Address(address)) => {
            refuse_for_a_host(address)?;
            Ok(AddressSpec::Exact(address))
        }
        Some(Network::Prefix(net)) => {
            if net.addr().is_multicast() {
                return Err("is multicast: no link has such an address".to_owned());
            }
            without_host_bits(net).map(AddressSpec::Prefix)
        }
        None => Err(not_valid(text, &ADDRESS_WORDS, &["an address", "a prefix (192.0.2.0/24)"])),
    }
}

/// Reads one entry of `route`.
pub fn destination(text: &str) -> Result<Destination, String> {
    match text {
        "default" => return Ok(Destination::Default),
        "default-ipv4" => return Ok(Destination::DefaultOf(Family::V4)),
        "default-ipv6" => return Ok(Destination::DefaultOf(Family::V6)),
        "ip" | "any" => return Err("is not valid; did you mean \"default\"?".to_owned()),
        "ipv4" => return Err("is not valid; did you mean \"default-ipv4\"?".to_owned()),
        "ipv6" => return Err("is not valid; did you mean \"default-ipv6\"?".to_owned()),
        _ => {}
    }
    let net = match network(text)? {
        Some(Network::Address(address)) => IpNet::from(address),
        Some(Network::Prefix(net)) => without_host_bits(net)?,
        None => return Err(not_valid(text, &ROUTE_WORDS, &["a prefix (192.0.2.0/24)"])),
    };
    // A prefix of length 0 is a default route: store it as such, so that reports use one name for both.
    Ok(match Family::of(net.addr()) {
        family if net.prefix_len() == 0 => Destination::DefaultOf(family),
        Family::V4 | Family::V6 => Destination::Prefix(net),
    })
}

/// Reads one entry of `route-to` without a zone.
pub fn target(text: &str) -> Result<IpAddr, String> {
    match network(text)? {
        Some(Network::Address(address)) => {
            refuse_for_a_host(address)?;
            Ok(address)
        }
        Some(Network::Prefix(net)) => Err(format!(
            "is a prefix, but a lookup needs one address; write {}, or route = \"{}\" to require the route itself",
            net.addr(),
            net.trunc()
        )),
        None => {
            Err("is not an address; names are not looked up here, write for example 198.51.100.7".to_owned())
        }
    }
}

/// Reads the address of one host. A link-local address needs a zone; others have none.
pub fn host(text: &str) -> Result<(IpAddr, Option<String>), String> {
    if let Some(zoned) = zones::split(text) {
        return zoned.map(|(address, zone)| (address.into(), Some(zone)));
    }
    let address = target(text)?;
    zones::refuse_without(address)?;
    Ok((address, None))
}

/// Checks that a connection to the target can be made from the source address, and in the VRF.
pub fn fits_together(wanted: &RouteTo) -> Result<(), String> {
    if let (Some(_), Some(vrf)) = (&wanted.zone, &wanted.vrf) {
        return Err(format!(
            "has a zone, which names the link, so it cannot be combined with the table of {vrf}; \
             move it to a [[require]] of its own"
        ));
    }
    let Some(from) = wanted.from else { return Ok(()) };
    let (family, of_source) = (Family::of(wanted.target), Family::of(from));
    if family != of_source {
        return Err(format!("is {family}, but from {from} is {of_source}"));
    }
    if from.is_loopback() && !wanted.target.is_loopback() {
        return Err(format!("is not loopback, but from {from} is: nothing of it leaves this host"));
    }
    if link_local(from) && !link_local(wanted.target) {
        return Err(format!("is not link-local, but from {from} is: no answer would come back"));
    }
    Ok(())
}

/// Reads the value of `from`.
pub fn source(text: &str) -> Result<IpAddr, String> {
    if zones::split(text).is_some() {
        return Err("has a zone; leave it out here, the addresses of route-to have it".to_owned());
    }
    match network(text)? {
        Some(Network::Address(address)) => refuse_for_a_host(address).map(|()| address),
        Some(Network::Prefix(net)) => {
            Err(format!("is a prefix; write one address, for example {}", net.addr()))
        }
        None => Err("is not an address; write an address of this host, for example 192.0.2.10".to_owned()),
    }
}

/// Reads the value of `table`.
pub fn table(text: &str) -> Result<Table, String> {
    if text == "main" {
        return Ok(Table::MAIN);
    }
    if text == "local" || text == "default" {
        let id = if text == "local" { 255 } else { 253 };
        return Err(format!("could be the kernel's table {id} or a VRF's name; write the number"));
    }
    if text.starts_with(['-', '+']) || text.chars().all(|c| c.is_ascii_digit()) && !text.is_empty() {
        return match text.parse::<u32>() {
            Ok(0) | Err(_) => Err(format!("is not a table; tables have numbers from 1 to {}", u32::MAX)),
            Ok(id) => Ok(Table::Id(id)),
        };
    }
    if interface::is_glob(text) {
        return Err("is a glob; a table is a number or the name of one VRF".to_owned());
    }
    interface::link_name(text).map(Table::Vrf)
}

/// An address or a prefix.
enum Network {
    Address(IpAddr),
    /// A prefix, in which bits after the prefix length may be set.
    Prefix(IpNet),
}

/// Reads an address or a prefix. Returns `None` if the text is neither, and an error if it is nearly one.
fn network(text: &str) -> Result<Option<Network>, String> {
    let zone = text.split_once('%').filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok());
    if let Some((_, zone)) = zone {
        return Err(format!(
            "has a zone; leave it out and name the link: interface = \"{}\"",
            suggest::shown(zone)
        ));
    }
    let found = match text.split_once('/') {
        None => text.parse().ok().map(Network::Address),
        Some((address, length)) => match (IpAddr::from_str(address), IpNet::from_str(text)) {
            (Ok(_), Ok(net)) => Some(Network::Prefix(net)),
            (Ok(address), Err(_)) => return Err(bad_length(address, length)),
            (Err(_), Ok(_) | Err(_)) => None,
        },
    };
    match &found {
        Some(Network::Address(IpAddr::V6(address))) => refuse_mapped(*address)?,
        Some(Network::Prefix(IpNet::V6(net))) if net.prefix_len() >= 96 => {
            refuse_mapped(net.addr())?;
        }
        Some(Network::Address(IpAddr::V4(_)) | Network::Prefix(IpNet::V4(_) | IpNet::V6(_))) | None => {}
    }
    Ok(found)
}

/// Refuses IPv4-mapped addresses (::ffff:0:0/96). The kernel uses them only for sockets; links and routing tables
/// have the IPv4 address.
fn refuse_mapped(address: Ipv6Addr) -> Result<(), String> {
    match address.to_ipv4_mapped() {
        Some(inside) => Err(format!("is an IPv4 address within an IPv6 one; write it as IPv4 ({inside})")),
        None => Ok(()),
    }
}

fn refuse_for_a_host(address: IpAddr) -> Result<(), String> {
    if address.is_unspecified() {
        Err("is the unspecified address: no host has it".to_owned())
    } else if address.is_multicast() {
        Err("is a multicast address: no host has it".to_owned())
    } else {
        Ok(())
    }
}

/// Refuses a prefix with host bits. `192.0.2.7/24` may mean the prefix or the address; after a wrong guess netready
/// would wait for the wrong thing.
fn without_host_bits(net: IpNet) -> Result<IpNet, String> {
    if net == net.trunc() {
        return Ok(net);
    }
    Err(format!(
        "has bits set after its /{}; write {} for the prefix, or {} for this one address",
        net.prefix_len(),
        net.trunc(),
        net.addr()
    ))
}

fn bad_length(address: IpAddr, length: &str) -> String {
    let netmask = length.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    if let Some(net) = netmask.and_then(|mask| IpNet::with_netmask(address, mask).ok()) {
        return format!("has a netmask; write {}", net.trunc());
    }
    let family = Family::of(address);
    let longest = family.default_prefix().max_prefix_len();
    format!("has no valid length; for {family} it is a number from 0 to {longest}")
}

/// Returns netready's word for a family's addresses, given the word of another tool.
fn other_address_word(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "any" | "yes" | "both" | "either" => Some("ip"),
        "v4" | "4" | "inet" | "ip4" => Some("ipv4"),
        "v6" | "6" | "inet6" | "ip6" => Some("ipv6"),
        "link-local" | "linklocal" => Some("link-local-ipv6"),
        _ => None,
    }
}

fn not_valid(text: &str, valid: &[&str], forms: &[&str]) -> String {
    match suggest::nearest(&text.to_lowercase(), valid.iter().copied()) {
        Some(near) => format!("is not valid; did you mean {near:?}?"),
        None => {
            let mut all: Vec<String> = valid.iter().map(|word| format!("{word:?}")).collect();
            all.extend(forms.iter().map(ToString::to_string));
            format!("is not valid; write {}", suggest::alternatives(&all))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn valid_addresses_are_read() {
        for (text, meant) in [
            ("ip", AddressSpec::Either),
            ("ipv4", AddressSpec::Family(Family::V4)),
            ("ipv6", AddressSpec::Family(Family::V6)),
            ("link-local-ipv4", AddressSpec::LinkLocal(Family::V4)),
            ("link-local-ipv6", AddressSpec::LinkLocal(Family::V6)),
            ("192.0.2.7", AddressSpec::Exact(ip("192.0.2.7"))),
            ("2001:DB8::7", AddressSpec::Exact(ip("2001:db8::7"))),
            ("fe80::1", AddressSpec::Exact(ip("fe80::1"))),
            ("127.0.0.1", AddressSpec::Exact(ip("127.0.0.1"))),
            ("192.0.2.7/32", AddressSpec::Prefix(net("192.0.2.7/32"))),
            ("192.0.2.0/24", AddressSpec::Prefix(net("192.0.2.0/24"))),
            ("2001:db8::/32", AddressSpec::Prefix(net("2001:db8::/32"))),
            ("0.0.0.0/0", AddressSpec::Prefix(net("0.0.0.0/0"))),
            ("::/0", AddressSpec::Prefix(net("::/0"))),
        ] {
            assert_eq!(address(text), Ok(meant), "{text}");
        }
    }

    #[test]
    fn bad_addresses_are_explained() {
        for (text, said) in [
            (
                "",
                "is not valid; write \"ip\", \"ipv4\", \"ipv6\", \"link-local-ipv4\", \"link-local-ipv6\", an address or a prefix (192.0.2.0/24)",
            ),
            ("IPv4", "is not valid; did you mean \"ipv4\"?"),
            ("inet6", "is not valid; did you mean \"ipv6\"?"),
            ("any", "is not valid; did you mean \"ip\"?"),
            ("link-local", "is not valid; did you mean \"link-local-ipv6\"?"),
            ("linklocal-ipv4", "is not valid; did you mean \"link-local-ipv4\"?"),
            (
                "192.0.2.7/24",
                "has bits set after its /24; write 192.0.2.0/24 for the prefix, or 192.0.2.7 for this one address",
            ),
            (
                "2001:db8::7/64",
                "has bits set after its /64; write 2001:db8::/64 for the prefix, or 2001:db8::7 for this one address",
            ),
            ("192.0.2.0/33", "has no valid length; for IPv4 it is a number from 0 to 32"),
            ("2001:db8::/129", "has no valid length; for IPv6 it is a number from 0 to 128"),
            ("192.0.2.0/", "has no valid length; for IPv4 it is a number from 0 to 32"),
            ("192.0.2.0/255.255.255.0", "has a netmask; write 192.0.2.0/24"),
            ("fe80::1%eth0", "has a zone; leave it out and name the link: interface = \"eth0\""),
            ("::ffff:192.0.2.7", "is an IPv4 address within an IPv6 one; write it as IPv4 (192.0.2.7)"),
            ("::ffff:192.0.2.0/120", "is an IPv4 address within an IPv6 one; write it as IPv4 (192.0.2.0)"),
            ("0.0.0.0", "is the unspecified address: no host has it"),
            ("::", "is the unspecified address: no host has it"),
            ("224.0.0.1", "is a multicast address: no host has it"),
            ("ff02::/16", "is multicast: no link has such an address"),
        ] {
            assert_eq!(address(text), Err(said.to_owned()), "{text}");
        }
    }

    #[test]
    fn valid_routes_are_read() {
        for (text, meant) in [
            ("default", Destination::Default),
            ("default-ipv4", Destination::DefaultOf(Family::V4)),
            ("default-ipv6", Destination::DefaultOf(Family::V6)),
            ("0.0.0.0/0", Destination::DefaultOf(Family::V4)),
            ("::/0", Destination::DefaultOf(Family::V6)),
            ("192.0.2.0/24", Destination::Prefix(net("192.0.2.0/24"))),
            ("192.0.2.7", Destination::Prefix(net("192.0.2.7/32"))),
            ("2001:db8::7", Destination::Prefix(net("2001:db8::7/128"))),
            ("224.0.0.0/4", Destination::Prefix(net("224.0.0.0/4"))),
        ] {
            assert_eq!(destination(text), Ok(meant), "{text}");
        }
    }

    #[test]
    fn bad_routes_are_explained() {
        for (text, said) in [
            ("defualt", "is not valid; did you mean \"default\"?"),
            ("default-v4", "is not valid; did you mean \"default-ipv4\"?"),
            ("ipv6", "is not valid; did you mean \"default-ipv6\"?"),
            (
                "gateway0",
                "is not valid; write \"default\", \"default-ipv4\", \"default-ipv6\" or a prefix (192.0.2.0/24)",
            ),
            (
                "10.1.2.3/8",
                "has bits set after its /8; write 10.0.0.0/8 for the prefix, or 10.1.2.3 for this one address",
            ),
            ("10.0.0.0/40", "has no valid length; for IPv4 it is a number from 0 to 32"),
            ("::ffff:10.0.0.0/104", "is an IPv4 address within an IPv6 one; write it as IPv4 (10.0.0.0)"),
        ] {
            assert_eq!(destination(text), Err(said.to_owned()), "{text}");
        }
    }

    #[test]
    fn targets() {
        assert_eq!(target("198.51.100.7"), Ok(ip("198.51.100.7")));
        assert_eq!(target("2001:db8::7"), Ok(ip("2001:db8::7")));
        for (text, said) in [
            (
                "example.org",
                "is not an address; names are not looked up here, write for example 198.51.100.7",
            ),
            (
                "198.51.100.0/24",
                "is a prefix, but a lookup needs one address; write 198.51.100.0, or route = \"198.51.100.0/24\" to require the route itself",
            ),
            ("0.0.0.0", "is the unspecified address: no host has it"),
            ("ff02::1", "is a multicast address: no host has it"),
            ("", "is not an address; names are not looked up here, write for example 198.51.100.7"),
        ] {
            assert_eq!(target(text), Err(said.to_owned()), "{text}");
        }
    }

    #[test]
    fn tables() {
        for (text, meant) in [
            ("main", Table::MAIN),
            ("254", Table::MAIN),
            ("1", Table::Id(1)),
            ("4294967295", Table::Id(u32::MAX)),
            ("vrf-blue", Table::Vrf("vrf-blue".to_owned())),
        ] {
            assert_eq!(table(text), Ok(meant), "{text}");
        }
        for (text, said) in [
            ("0", "is not a table; tables have numbers from 1 to 4294967295"),
            ("-1", "is not a table; tables have numbers from 1 to 4294967295"),
            ("4294967296", "is not a table; tables have numbers from 1 to 4294967295"),
            ("local", "could be the kernel's table 255 or a VRF's name; write the number"),
            ("default", "could be the kernel's table 253 or a VRF's name; write the number"),
            ("vrf-*", "is a glob; a table is a number or the name of one VRF"),
            ("", "is empty; write a link's name"),
            ("a b", "has white space in it; link names have none"),
        ] {
            assert_eq!(table(text), Err(said.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-0-9a-f:./%v]{0,24}|\\PC{0,24}") {
            let _ = (address(&text), destination(&text), target(&text), table(&text));
        }
    }
}
