//! Reads one text of `dns`, `tcp`, `http`, `expect`, `ping` or `gateway`.
//!
//! Each error is the message for the author of the text. The caller adds the place of the text.

use core::net::{IpAddr, Ipv6Addr};

use super::{items, suggest, zones};
use crate::requirement::{Endpoint, Family, Probe, Request, Url};

/// Reads one entry of `dns`.
pub fn dns(text: &str) -> Result<Probe, String> {
    let address = text.trim_matches(['[', ']']).split('%').next().unwrap_or_default();
    if address.parse::<IpAddr>().is_ok() {
        return Err("is an address, and needs no DNS; write a name, or use tcp, ping or route-to".to_owned());
    }
    name(text)?;
    Ok(Probe::Dns(text.to_owned()))
}

/// Reads one entry of `tcp`.
pub fn tcp(text: &str) -> Result<Probe, String> {
    if text.contains("://") {
        return Err("is a URL; write http = \"…\" for a request, or HOST:PORT for a connection".to_owned());
    }
    Ok(Probe::Tcp(endpoint(text, None, None)?))
}

/// Reads one entry of `http`. `expect` are the expected status codes.
pub fn http(text: &str, expect: &[u16]) -> Result<Probe, String> {
    Ok(Probe::Http(Box::new(Request { url: url(text)?, expect: expect.to_vec() })))
}

/// Reads one entry of `expect`.
pub fn status(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(code @ 100..=599) => Ok(code),
        Ok(_) | Err(_) => Err("is not an HTTP status; a status is a number from 100 to 599".to_owned()),
    }
}

/// Reads one entry of `ping`.
pub fn ping(text: &str) -> Result<Probe, String> {
    let address = text.split('%').next().unwrap_or_default();
    if address.parse::<IpAddr>().is_err() && !text.contains('/') {
        return Err(
            "is not an address; use tcp, http or dns for names, or write for example 192.0.2.1".to_owned()
        );
    }
    let (address, zone) = items::host(text)?;
    Ok(Probe::Ping { address, zone })
}

/// Reads one entry of `gateway`. `None` means any family.
pub fn gateway(text: &str) -> Result<Option<Family>, String> {
    match text {
        "any" => Ok(None),
        "ipv4" => Ok(Some(Family::V4)),
        "ipv6" => Ok(Some(Family::V6)),
        _ if text.split('%').next().is_some_and(|address| address.parse::<IpAddr>().is_ok()) => {
            Err("is an address; the gateway is read from the default route: \"any\", \"ipv4\" or \"ipv6\" \
                 (one host: ping)"
                .to_owned())
        }
        _ => Err(suggest::not_one_of(text, &["any", "ipv4", "ipv6"])),
    }
}

/// Reads an http or https URL.
pub fn url(text: &str) -> Result<Url, String> {
    url_from(text, None)
}

/// Reads a URL that a server sent, for example in a redirect. `zone` is the link through which the server was
/// reached. A server does not know how its client names that link, so a link-local address without a zone belongs
/// to the same link.
pub fn url_from(text: &str, zone: Option<&str>) -> Result<Url, String> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || !c.is_ascii();
    if text.contains(bad) {
        return Err(
            "has characters that a URL cannot have; write a space as %20, and others likewise".to_owned()
        );
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("is not a URL; did you mean \"https://{}\"?", suggest::shown(text)));
    };
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err("is not an http:// or https:// URL".to_owned()),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    if authority.contains('@') {
        return Err(
            "has a user name in it; leave it out: a probe sends none, and accepts the answer 401".to_owned()
        );
    }
    let endpoint = endpoint(authority, Some(Url::default_port(tls)), zone)?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { tls, endpoint, path })
}

/// Reads HOST:PORT. With `usual` the text comes from a URL: the port may be left out and is then `usual`, and the
/// zone is percent-encoded. A link-local address without a zone gets the zone `implied`.
fn endpoint(text: &str, usual: Option<u16>, implied: Option<&str>) -> Result<Endpoint, String> {
    if let Some(advice) = without_brackets(text) {
        return Err(advice);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else {
                return Err("has an opening bracket and no closing one".to_owned());
            };
            (address, port.strip_prefix(':').or(port.is_empty().then_some("")))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("")),
        },
    };
    let port = match (port, usual) {
        (Some(""), Some(usual)) if !text.ends_with(':') => usual,
        (Some(""), None) if !text.ends_with(':') => {
            return Err(format!("has no port; write {}:443 or another one", suggest::shown(text)));
        }
        (Some(port), _) => match port.parse() {
            Ok(port @ 1..) => port,
            Ok(0) | Err(_) => return Err("has no valid port; a port is a number from 1 to 65535".to_owned()),
        },
        (None, _) => return Err("has something other than :PORT after its bracket".to_owned()),
    };
    let (host, zone) = match host.split_once('%') {
        Some((host, zone)) if usual.is_some() => (host, Some(zones::of_url(zone))),
        Some((host, zone)) => (host, Some(zone.to_owned())),
        None => (host, None),
    };
    let zone = match (host.parse::<IpAddr>(), zone) {
        (Ok(IpAddr::V4(_)) | Err(_), _) if text.starts_with('[') => {
            return Err("has brackets around something that is not an IPv6 address".to_owned());
        }
        (Ok(address), _) if address.is_multicast() => {
            return Err("is a multicast address: no host has it".to_owned());
        }
        (Ok(IpAddr::V6(address)), Some(zone)) => Some(zones::check(address, &zone)?),
        (Ok(address), None) => match (zones::refuse_without(address), implied) {
            (Ok(()), _) => None,
            (Err(_), Some(implied)) => Some(implied.to_owned()),
            (Err(why), None) => return Err(why),
        },
        (Ok(IpAddr::V4(_)) | Err(_), Some(_)) => {
            return Err("has a zone, which only link-local addresses have".to_owned());
        }
        (Err(_), None) => {
            name(host)?;
            None
        }
    };
    Ok(Endpoint { host: host.to_owned(), zone, port })
}

/// Returns advice for an IPv6 address without brackets. If a port follows, the advice is only possible if the
/// address has a zone, because otherwise the port cannot be told from the address.
fn without_brackets(text: &str) -> Option<String> {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    address.parse::<Ipv6Addr>().ok()?;
    let zone = zone.and_then(|zone| zone.split(':').next()).map_or(String::new(), |zone| format!("%{zone}"));
    Some(format!("is an IPv6 address without brackets; write [{address}{}]:PORT", suggest::shown(&zone)))
}

/// Checks that a resolver can look up the name.
fn name(text: &str) -> Result<(), String> {
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len()) && label.chars().all(plain)
    };
    let whole = text.strip_suffix('.').unwrap_or(text);
    if whole.is_empty() || whole.len() > 253 || !whole.split('.').all(label) {
        return Err("is not a host name".to_owned());
    }
    // inet_aton(3) reads 127.1 and 1.2.3 as addresses. For most people they are typing errors.
    if whole.rsplit('.').next().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit())) {
        return Err("is neither a host name nor a complete address".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_what_is_shown() {
        for (text, read) in [
            ("dns registry.example.org", dns("registry.example.org")),
            ("dns nas", dns("nas")),
            ("dns _srv.example.org.", dns("_srv.example.org.")),
            ("tcp nas:3260", tcp("nas:3260")),
            ("tcp 192.0.2.7:22", tcp("192.0.2.7:22")),
            ("tcp [2001:db8::7]:22", tcp("[2001:db8::7]:22")),
            ("http http://example.org/", http("http://example.org", &[])),
            ("http http://example.org/", http("HTTP://example.org:80/", &[])),
            ("http http://example.org:443/", http("http://example.org:443/", &[])),
            ("http https://[2001:db8::7]/v2/?n=1", http("https://[2001:db8::7]:443/v2/?n=1#top", &[])),
            ("http https://example.org:8443/?a", http("https://example.org:8443?a", &[])),
            ("http https://example.org/ expect 200, 401", http("https://example.org", &[200, 401])),
            ("ping 192.0.2.1", ping("192.0.2.1")),
            ("ping fe80::1%eth0", ping("fe80::1%eth0")),
            ("tcp [fe80::1%eth0]:80", tcp("[fe80::1%eth0]:80")),
            ("tcp [fe80::1%3]:80", tcp("[fe80::1%3]:80")),
            ("http http://[fe80::1%25eth0]/", http("http://[fe80::1%25eth0]", &[])),
            ("http http://[fe80::1%25eth0.7]:8080/a", http("http://[fe80::1%eth0.7]:8080/a", &[])),
            ("http https://[fe80::1%2525]/", http("https://[fe80::1%25]/", &[])),
            ("http http://[fe80::1%25a%40b%23]/", http("http://[fe80::1%25a%40b%23]/", &[])),
        ] {
            assert_eq!(read.map(|probe| probe.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(gateway("any"), Ok(None));
        assert_eq!(gateway("ipv6"), Ok(Some(Family::V6)));
    }

    #[test]
    fn bad_probes_are_explained() {
        for (read, said) in [
            (dns("192.0.2.1"), "is an address, and needs no DNS; write a name, or use tcp, ping or route-to"),
            (
                dns("2001:db8::7"),
                "is an address, and needs no DNS; write a name, or use tcp, ping or route-to",
            ),
            (dns(""), "is not a host name"),
            (dns("a b"), "is not a host name"),
            (dns("a..b"), "is not a host name"),
            (dns("192.0.2"), "is neither a host name nor a complete address"),
            (tcp("nas"), "has no port; write nas:443 or another one"),
            (tcp("nas:"), "has no valid port; a port is a number from 1 to 65535"),
            (tcp("nas:0"), "has no valid port; a port is a number from 1 to 65535"),
            (tcp("nas:65536"), "has no valid port; a port is a number from 1 to 65535"),
            (tcp("nas:http"), "has no valid port; a port is a number from 1 to 65535"),
            (tcp(":80"), "is not a host name"),
            (tcp("2001:db8::7"), "is an IPv6 address without brackets; write [2001:db8::7]:PORT"),
            (tcp("[2001:db8::7"), "has an opening bracket and no closing one"),
            (tcp("[192.0.2.1]:80"), "has brackets around something that is not an IPv6 address"),
            (tcp("[::1]x"), "has something other than :PORT after its bracket"),
            (
                tcp("https://example.org"),
                "is a URL; write http = \"…\" for a request, or HOST:PORT for a connection",
            ),
            (http("example.org", &[]), "is not a URL; did you mean \"https://example.org\"?"),
            (http("ftp://example.org", &[]), "is not an http:// or https:// URL"),
            (http("http://", &[]), "is not a host name"),
            (
                http("http://me@example.org", &[]),
                "has a user name in it; leave it out: a probe sends none, and accepts the answer 401",
            ),
            (
                http("http://example.org/a b", &[]),
                "has characters that a URL cannot have; write a space as %20, and others likewise",
            ),
            (
                ping("example.org"),
                "is not an address; use tcp, http or dns for names, or write for example 192.0.2.1",
            ),
            (ping("fe80::1%"), "has no link behind its %; write for example fe80::1%eth0"),
            (ping("ff02::1%eth0"), "is a multicast address: no host has it"),
            (ping("192.0.2.1%eth0"), "has a zone, which only link-local addresses have"),
            (tcp("[fe80::1]:80"), "is link-local: on which link? Write for example fe80::1%eth0"),
            (tcp("fe80::1%eth0:80"), "is an IPv6 address without brackets; write [fe80::1%eth0]:PORT"),
            (tcp("fe80::1%eth0"), "is an IPv6 address without brackets; write [fe80::1%eth0]:PORT"),
            (tcp("[2001:db8::1%eth0]:80"), "has a zone, which only link-local addresses have"),
            (tcp("[192.0.2.1%eth0]:80"), "has brackets around something that is not an IPv6 address"),
            (tcp("192.0.2.1%eth0:80"), "has a zone, which only link-local addresses have"),
            (tcp("nas%eth0:80"), "has a zone, which only link-local addresses have"),
            (tcp("[ff02::1%eth0]:80"), "is a multicast address: no host has it"),
            (tcp("[ff02::1]:80"), "is a multicast address: no host has it"),
            (tcp("[fe80::1%]:80"), "has no link behind its %; write for example fe80::1%eth0"),
            (
                tcp("[fe80::1%0123456789abcdef]:80"),
                "has the zone \"0123456789abcdef\", which is longer than 15 bytes; link names are not",
            ),
            (http("http://[fe80::1]/", &[]), "is link-local: on which link? Write for example fe80::1%eth0"),
            (http("http://[2001:db8::1%25eth0]/", &[]), "has a zone, which only link-local addresses have"),
            (http("http://192.0.2.1%25eth0/", &[]), "has a zone, which only link-local addresses have"),
            (tcp("[fe80::1%a/b]:80"), "has the zone \"a/b\", which has a slash in it; link names have none"),
            (
                dns("fe80::1%eth0"),
                "is an address, and needs no DNS; write a name, or use tcp, ping or route-to",
            ),
            (ping("fe80::1"), "is link-local: on which link? Write for example fe80::1%eth0"),
            (ping("2001:db8::1%eth0"), "has a zone, which only link-local addresses have"),
            (ping("0.0.0.0"), "is the unspecified address: no host has it"),
        ] {
            assert_eq!(read, Err(said.to_owned()));
        }
        assert_eq!(
            status("99"),
            Err("is not an HTTP status; a status is a number from 100 to 599".to_owned())
        );
        assert!(gateway("fe80::1%eth0").unwrap_err().starts_with("is an address"));
        // A server on a link redirects to a neighbour on the same link.
        let moved = |text| url_from(text, Some("eth0")).map(|url| url.to_string());
        assert_eq!(moved("http://[fe80::2]/"), Ok("http://[fe80::2%25eth0]/".to_owned()));
        assert_eq!(moved("http://[2001:db8::2]/"), Ok("http://[2001:db8::2]/".to_owned()));
        assert_eq!(gateway("ipv5"), Err("is not valid; did you mean \"ipv4\"?".to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-0-9a-f:./%@#?\\[\\]]{0,24}|\\PC{0,24}|https?://\\PC{0,24}") {
            let _ = (dns(&text), tcp(&text), http(&text, &[]), ping(&text), gateway(&text), status(&text));
        }
    }
}
