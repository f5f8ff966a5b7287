//! Addresses of links.

use core::net::IpAddr;

use ipnet::IpNet;

/// The flags of an address that are read, from linux/if_addr.h.
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_PERMANENT: u32 = 0x80;

/// An address of a link (RTM_NEWADDR).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The number of the link that has the address.
    pub ifindex: u32,
    /// The host's own address (IFA_LOCAL, else IFA_ADDRESS).
    pub local: IpAddr,
    /// The address whose prefix is on the link (IFA_ADDRESS): the peer on a point-to-point link, else `local`.
    pub remote: IpAddr,
    /// Length of the on-link prefix, in bits.
    pub prefix_len: u8,
    /// The scope of the address: one of RT_SCOPE_* of linux/rtnetlink.h.
    pub scope: u8,
    /// IFA_F_* of linux/if_addr.h, from IFA_FLAGS where it is there.
    pub flags: u32,
}

impl Address {
    const RT_SCOPE_UNIVERSE: u8 = 0;
    const RT_SCOPE_SITE: u8 = 200;

    /// Duplicate address detection is not done, and the address may not be used meanwhile.
    pub fn tentative(&self) -> bool {
        self.flags & IFA_F_TENTATIVE != 0 && self.flags & IFA_F_OPTIMISTIC == 0
    }

    /// Somebody else has the address (RFC 4862, 5.4).
    pub fn dadfailed(&self) -> bool {
        self.flags & IFA_F_DADFAILED != 0
    }

    /// Its preferred lifetime is over (RFC 4862, 5.5.4).
    pub fn deprecated(&self) -> bool {
        self.flags & IFA_F_DEPRECATED != 0
    }

    /// Its lifetime is infinite: nobody leased it.
    pub fn permanent(&self) -> bool {
        self.flags & IFA_F_PERMANENT != 0
    }

    /// A privacy address (RFC 8981). The kernel's bit means something else for IPv4.
    pub fn temporary(&self) -> bool {
        self.local.is_ipv6() && self.flags & IFA_F_TEMPORARY != 0
    }

    /// A usable IPv6 address that the kernel may keep, as tentative, when its link is set down: a static one
    /// (addrconf_ifdown of net/ipv6/addrconf.c).
    pub(super) fn can_be_kept(&self) -> bool {
        self.local.is_ipv6() && self.permanent() && !self.tentative() && !link_local(self.local)
    }

    /// Global or site scope, and neither of loopback's nor of the link-local prefixes: 169.254/16 has
    /// global scope to the kernel, and a wait that took it for an uplink was wrong in the field.
    pub fn global(&self) -> bool {
        matches!(self.scope, Self::RT_SCOPE_UNIVERSE | Self::RT_SCOPE_SITE)
            && !self.local.is_loopback()
            && !link_local(self.local)
    }

    /// The prefix that it puts on its link.
    pub fn on_link(&self) -> Option<IpNet> {
        IpNet::new(self.remote, self.prefix_len).ok().map(|net| net.trunc())
    }

    /// What tells this address from others of the host.
    pub(crate) fn key(&self) -> AddressKey {
        AddressKey {
            ifindex: self.ifindex,
            local: self.local,
            // To the kernel an IPv4 address with another prefix or peer is another address;
            // an IPv6 one can be given another peer in place.
            rest: match self.local {
                IpAddr::V4(_) => Some((self.prefix_len, self.remote)),
                IpAddr::V6(_) => None,
            },
        }
    }
}

/// What tells an address from others of the host: ordered by link, then by value, IPv4 first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AddressKey {
    pub(super) ifindex: u32,
    pub(super) local: IpAddr,
    /// Prefix length and peer of an IPv4 address. `None` for IPv6.
    pub(super) rest: Option<(u8, IpAddr)>,
}

/// Whether an address is link-local: in fe80::/10 or 169.254.0.0/16.
pub fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
