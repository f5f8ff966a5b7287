//! What a link is called so that it is found again after a reboot.

use crate::model::{Link, Network};
use crate::requirement::LinkName;

/// Prefixes with a number that the kernel counts up as drivers come: another order, another name.
const COUNTED: [&str; 6] = ["eth", "wlan", "wwan", "usb", "ib", "wpan"];
/// Names that udev makes of where a card is (systemd.net-naming-scheme(7)).
const PLACED: [&str; 5] = ["en", "ib", "sl", "wl", "ww"];
/// What follows the prefix, the steadiest first: on board, in a slot, by its bus path, by its address.
const KINDS: [char; 7] = ['o', 's', 'p', 'P', 'b', 'c', 'x'];

/// Its name where that stays, else an altname, else its permanent address, else its name all the same.
pub fn lasting(network: &Network, link: &Link) -> LinkName {
    let own = LinkName::Exact(link.ifname.clone());
    // What made a link by its configuration names it too; only drivers take the next number.
    if !(link.kind.is_empty() && counted(&link.ifname)) {
        return own;
    }
    let mut altnames: Vec<&String> = link.altnames.iter().filter(|name| placed(name).is_some()).collect();
    altnames.sort_by_key(|name| placed(name));
    let altname = altnames.first().map(|name| LinkName::Exact((*name).clone()));
    altname.or_else(|| address(network, link)).unwrap_or(own)
}

/// Whether the kernel made the name of a prefix and the next number.
pub fn counted(name: &str) -> bool {
    COUNTED.iter().any(|prefix| {
        let number = name.strip_prefix(prefix).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// How steady a name of udev's is, 0 the most; none of any other name.
fn placed(name: &str) -> Option<usize> {
    let rest = PLACED.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let mut rest = rest.chars();
    let kind = rest.next()?;
    let kind = KINDS.iter().position(|known| *known == kind)?;
    rest.all(|c| c.is_ascii_alphanumeric()).then_some(kind)
}

/// Its permanent address, where `mac:…` finds this link and no other.
fn address(network: &Network, link: &Link) -> Option<LinkName> {
    let alike = |other: &&Link| {
        other.hardware_address == link.hardware_address && !other.stacked() && !other.is_master()
    };
    let alone = network.links().filter(alike).count() == 1;
    (link.permanent_address && alone).then(|| LinkName::Mac(link.hardware_address.clone()))
}
