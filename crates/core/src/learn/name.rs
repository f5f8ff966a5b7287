//! Chooses a name for a link by which it is found again after a reboot.

use crate::model::{Link, Network};
use crate::requirement::LinkName;

/// Prefixes of names that the kernel numbers in the order in which drivers start. Another order gives other names.
const COUNTED: [&str; 6] = ["eth", "wlan", "wwan", "usb", "ib", "wpan"];
/// Prefixes of names that udev makes from the place of a card (systemd.net-naming-scheme(7)).
const PLACED: [&str; 5] = ["en", "ib", "sl", "wl", "ww"];
/// The letter that follows such a prefix, the most stable first: on board, in a slot, by its bus path, by its
/// address.
const KINDS: [char; 7] = ['o', 's', 'p', 'P', 'b', 'c', 'x'];

/// Returns the link's name if the name is stable. Otherwise returns an altname, the permanent address, or the
/// unstable name, in this order.
pub fn lasting(network: &Network, link: &Link) -> LinkName {
    let own = LinkName::Exact(link.ifname.clone());
    // A configured link (a bond, a VLAN) is named by its configuration. Only links of drivers get the next free
    // number.
    if !(link.kind.is_empty() && counted(&link.ifname)) {
        return own;
    }
    let mut altnames: Vec<&String> = link.altnames.iter().filter(|name| placed(name).is_some()).collect();
    altnames.sort_by_key(|name| placed(name));
    let altname = altnames.first().map(|name| LinkName::Exact((*name).clone()));
    altname.or_else(|| address(network, link)).unwrap_or(own)
}

/// Whether the name is a prefix and a number that the kernel gave.
pub fn counted(name: &str) -> bool {
    COUNTED.iter().any(|prefix| {
        let number = name.strip_prefix(prefix).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Returns how stable a name of udev's is, from 0 for the most stable. `None` for any other name.
fn placed(name: &str) -> Option<usize> {
    let rest = PLACED.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let mut rest = rest.chars();
    let kind = rest.next()?;
    let kind = KINDS.iter().position(|known| *known == kind)?;
    rest.all(|c| c.is_ascii_alphanumeric()).then_some(kind)
}

/// Returns the permanent address, if `mac:…` matches this link and no other.
fn address(network: &Network, link: &Link) -> Option<LinkName> {
    let alike = |other: &&Link| {
        other.hardware_address == link.hardware_address && !other.stacked() && !other.is_master()
    };
    let alone = network.links().filter(alike).count() == 1;
    (link.permanent_address && alone).then(|| LinkName::Mac(link.hardware_address.clone()))
}
