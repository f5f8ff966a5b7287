//! Finds the link that the zone of a link-local address names.

use crate::ifname;

/// The number of the link: the zone is a name or an altname, or otherwise the number itself (RFC 4007, 11.2).
///
/// It is looked up for each try, because the link may appear later, or another link may get the name.
pub fn scope(zone: &str) -> Result<u32, String> {
    if let Ok(ifindex) = nix::net::if_::if_nametoindex(ifname::bytes(zone).as_slice()) {
        return Ok(ifindex);
    }
    let number = zone.parse().ok().filter(|number| name(*number).is_some());
    number.ok_or_else(|| format!("no link {zone}"))
}

/// The name of the link with this number, for a report.
pub fn name(ifindex: u32) -> Option<String> {
    let name = nix::net::if_::if_indextoname(ifindex).ok()?;
    // nix 0.31 turns a failure of if_indextoname(3), a null pointer, into an empty name.
    Some(ifname::spell(name.as_bytes())).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::scope;

    #[test]
    fn a_zone_is_a_name_or_a_number() {
        let lo = scope("lo");
        assert!(lo.is_ok(), "{lo:?}");
        assert_eq!(scope(&lo.clone().unwrap().to_string()), lo);
        assert_eq!(scope("no-such-link"), Err("no link no-such-link".to_owned()));
        assert_eq!(scope("2147483647"), Err("no link 2147483647".to_owned()));
    }
}
