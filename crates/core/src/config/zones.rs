//! Reads addresses with a zone, such as `fe80::1%eth0`. A zone names the link that a link-local address is on (RFC
//! 4007).
//!
//! Each error is the message for the author of the text. The caller adds the place of the text.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{interface, suggest};
use crate::ifname;

/// The length of the longest zone, in bytes (IFNAMSIZ − 1 of linux/if.h). Programs find the link of a zone with
/// if_nametoindex(3), which accepts no longer name, although an altname can be longer.
const LONGEST: usize = 15;

/// Splits `ADDR%ZONE` into the address and the zone. Returns `None` if the text before the % is not an address.
pub fn split(text: &str) -> Option<Result<(Ipv6Addr, String), String>> {
    let (address, zone) = text.split_once('%')?;
    if address.parse::<Ipv4Addr>().is_ok() {
        return Some(Err(only_link_local()));
    }
    let address = address.parse::<Ipv6Addr>().ok()?;
    Some(check(address, zone).map(|zone| (address, zone)))
}

/// Returns the zone in the spelling that netready compares, if the address can have a zone and the text can be one.
pub fn check(address: Ipv6Addr, zone: &str) -> Result<String, String> {
    if address.is_multicast() {
        return Err("is a multicast address: no host has it".to_owned());
    }
    if !address.is_unicast_link_local() {
        return Err(only_link_local());
    }
    if zone.is_empty() {
        return Err(format!("has no link behind its %; write for example {address}%eth0"));
    }
    let bad = |why: &str| format!("has the zone \"{}\", which {why}", suggest::shown(zone));
    if zone.bytes().all(|byte| byte == b'0') {
        // The kernel uses 0 for "no link".
        return Err(bad("is not the number of a link; these begin at 1"));
    }
    if ifname::bytes(zone).len() > LONGEST {
        return Err(bad(&format!("is longer than {LONGEST} bytes; link names are not")));
    }
    interface::link_name(zone).map_err(|why| bad(&why))
}

/// Refuses a link-local IPv6 address without a zone, because the kernel does not connect to it.
pub fn refuse_without(address: IpAddr) -> Result<(), String> {
    match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            Err(format!("is link-local: on which link? Write for example {address}%eth0"))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(()),
    }
}

fn only_link_local() -> String {
    "has a zone, which only link-local addresses have".to_owned()
}

/// Decodes the zone of a URL, given the text behind the `%` inside the brackets. RFC 6874 writes `%25eth0`, with
/// special characters percent-encoded. Many people write `%eth0`. curl accepts both, and so does netready.
pub fn of_url(text: &str) -> String {
    // `%25` with nothing behind it is the link number 25. curl reads it the same way.
    let Some(encoded) = text.strip_prefix("25").filter(|rest| !rest.is_empty()) else {
        return text.to_owned();
    };
    let mut octets = Vec::new();
    let mut rest = encoded.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.split_at_checked(2)).flatten();
        let octet = hex.and_then(|(hex, after)| {
            let digits = hex.iter().all(u8::is_ascii_hexdigit);
            let hex = core::str::from_utf8(hex).ok().filter(|_| digits)?;
            Some((u8::from_str_radix(hex, 16).ok()?, after))
        });
        let (octet, after) = octet.unwrap_or((*first, after));
        octets.push(octet);
        rest = after;
    }
    ifname::spell(&octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_have_a_zone_and_others_have_none() {
        for (text, read) in [
            ("fe80::1%eth0", Some(Ok("eth0"))),
            ("fe80::1%3", Some(Ok("3"))),
            ("fe80::1%eth0.100", Some(Ok("eth0.100"))),
            ("febf::1%br-0123456789a", Some(Ok("br-0123456789a"))),
            ("fe80::1%", Some(Err("has no link behind its %; write for example fe80::1%eth0"))),
            (
                "fe80::1%0",
                Some(Err("has the zone \"0\", which is not the number of a link; these begin at 1")),
            ),
            (
                "fe80::1%0123456789abcdef",
                Some(Err(
                    "has the zone \"0123456789abcdef\", which is longer than 15 bytes; link names are not",
                )),
            ),
            ("fe80::1%a/b", Some(Err("has the zone \"a/b\", which has a slash in it; link names have none"))),
            (
                "fe80::1%a b",
                Some(Err("has the zone \"a b\", which has white space in it; link names have none")),
            ),
            ("2001:db8::1%eth0", Some(Err("has a zone, which only link-local addresses have"))),
            ("fec0::1%eth0", Some(Err("has a zone, which only link-local addresses have"))),
            ("::1%lo", Some(Err("has a zone, which only link-local addresses have"))),
            ("192.0.2.1%eth0", Some(Err("has a zone, which only link-local addresses have"))),
            ("169.254.1.1%eth0", Some(Err("has a zone, which only link-local addresses have"))),
            ("ff02::1%eth0", Some(Err("is a multicast address: no host has it"))),
            ("fe80::1", None),
            ("nas%eth0", None),
            ("fe80::1%a\u{202e}b", Some(Ok("a\\xe2\\x80\\xaeb"))),
        ] {
            let got = split(text).map(|read| read.map(|(_, zone)| zone));
            assert_eq!(got, read.map(|read| read.map(str::to_owned).map_err(str::to_owned)), "{text}");
        }
        for (address, needs) in
            [("fe80::1", true), ("fec0::1", false), ("::1", false), ("169.254.1.1", false)]
        {
            assert_eq!(refuse_without(address.parse().unwrap()).is_err(), needs, "{address}");
        }
    }

    #[test]
    fn a_url_writes_its_zone_encoded() {
        for (text, zone) in [
            ("25eth0", "eth0"),
            ("eth0", "eth0"),
            ("25", "25"),
            ("2525", "25"),
            ("25eth0%2e100", "eth0.100"),
            ("25a%40b", "a@b"),
            ("25a%4", "a%4"),
            ("25a%+1", "a%+1"),
            // A link's name is bytes. It is shown with escapes, so that it can be printed.
            ("25a%ffb", "a\\xffb"),
        ] {
            assert_eq!(of_url(text), zone, "{text}");
        }
    }
}
