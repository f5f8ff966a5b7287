//! Addresses of links.

use core::net::IpAddr;

use ipnet::IpNet;

/// The flags of an address that netready reads, from linux/if_addr.h.
const IFA_F_SECONDARY: u32 = 0x01;
const IFA_F_TEMPORARY: u32 = IFA_F_SECONDARY;
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_PERMANENT: u32 = 0x80;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;

/// An address of a link (RTM_NEWADDR).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The number of the link that has the address.
    pub ifindex: u32,
    /// The host's own address (IFA_LOCAL, or IFA_ADDRESS if there is none).
    pub local: IpAddr,
    /// The address whose prefix is on the link (IFA_ADDRESS). It is the peer on a point-to-point link, and
    /// otherwise equal to `local`.
    pub remote: IpAddr,
    /// The length of the on-link prefix, in bits.
    pub prefix_len: u8,
    /// The scope of the address: one of RT_SCOPE_* of linux/rtnetlink.h.
    pub scope: u8,
    /// IFA_F_* of linux/if_addr.h. They are from the attribute IFA_FLAGS if the message has it.
    pub flags: u32,
}

impl Address {
    const RT_SCOPE_UNIVERSE: u8 = 0;
    const RT_SCOPE_SITE: u8 = 200;
    const RT_SCOPE_LINK: u8 = 253;

    /// Whether duplicate address detection has not finished and the address cannot be used until then.
    pub fn tentative(&self) -> bool {
        self.flags & IFA_F_TENTATIVE != 0 && self.flags & IFA_F_OPTIMISTIC == 0
    }

    /// Whether duplicate address detection has found another host with the address (RFC 4862, 5.4).
    pub fn dadfailed(&self) -> bool {
        self.flags & IFA_F_DADFAILED != 0
    }

    /// Whether the preferred lifetime of the address is over (RFC 4862, 5.5.4).
    pub fn deprecated(&self) -> bool {
        self.flags & IFA_F_DEPRECATED != 0
    }

    /// Whether the lifetime of the address is infinite, so that nobody leased it.
    pub fn permanent(&self) -> bool {
        self.flags & IFA_F_PERMANENT != 0
    }

    /// Whether this is a privacy address (RFC 8981). For IPv4 the kernel's flag has another meaning.
    pub fn temporary(&self) -> bool {
        self.local.is_ipv6() && self.flags & IFA_F_TEMPORARY != 0
    }

    /// Whether the address is a usable static IPv6 address. When its link is set down, the kernel may keep such an
    /// address and make it tentative (addrconf_ifdown of net/ipv6/addrconf.c).
    pub(super) fn can_be_kept(&self) -> bool {
        self.local.is_ipv6() && self.permanent() && !self.tentative() && !link_local(self.local)
    }

    /// Whether the address has global or site scope and is neither a loopback nor a link-local nor a multicast
    /// address. The kernel gives 169.254/16 global scope, and a wait that accepted such an address as an uplink's
    /// was wrong in practice. A multicast address on a link (`ip address add 239.1.1.1/32 dev eth0 autojoin`) only
    /// joins the group; no packet is sent from it.
    pub fn global(&self) -> bool {
        matches!(self.scope, Self::RT_SCOPE_UNIVERSE | Self::RT_SCOPE_SITE)
            && !self.local.is_loopback()
            && !link_local(self.local)
            && !self.local.is_multicast()
    }

    /// Whether the address has site scope.
    pub(crate) fn of_site(&self) -> bool {
        self.scope == Self::RT_SCOPE_SITE
    }

    /// Whether the address is good enough to be the source of packets to a target in its own prefix.
    pub fn reaches_on_link(&self, target: IpAddr) -> bool {
        self.scope <= Self::RT_SCOPE_LINK && self.on_link().is_some_and(|prefix| prefix.contains(&target))
    }

    /// Whether the address, if it is on a loopback link, makes its whole prefix addresses of this host, so that
    /// bind(2) accepts `wanted`: 127.0.0.1/8 does so for 127.0.0.53 (fib_add_ifaddr of the kernel's
    /// net/ipv4/fib_frontend.c). IPv6 has nothing like it.
    pub(crate) fn owns(&self, wanted: IpAddr) -> bool {
        self.local.is_ipv4()
            && self.flags & IFA_F_NOPREFIXROUTE == 0
            && self.on_link().is_some_and(|prefix| prefix.contains(&wanted))
    }

    /// Whether the other address is another IPv4 address in the same subnet of the same link.
    pub(crate) fn shares_subnet4(&self, other: &Address) -> bool {
        self.local.is_ipv4()
            && self.ifindex == other.ifindex
            && self.local != other.local
            && self.prefix_len == other.prefix_len
            && self.on_link() == other.on_link()
    }

    /// Whether this is the primary IPv4 address of a subnet, and the other address is in that subnet. The first address of
    /// a subnet is the primary one. The kernel marks all others as secondary.
    pub(crate) fn is_primary_of(&self, other: &Address) -> bool {
        self.shares_subnet4(other) && self.flags & IFA_F_SECONDARY == 0
    }

    /// Returns the prefix that the address puts on its link.
    pub fn on_link(&self) -> Option<IpNet> {
        IpNet::new(self.remote, self.prefix_len).ok().map(|net| net.trunc())
    }

    /// Returns the key that distinguishes this address from the host's other addresses.
    pub(crate) fn key(&self) -> AddressKey {
        AddressKey {
            ifindex: self.ifindex,
            local: self.local,
            // For the kernel, an IPv4 address with another prefix or peer is a separate address. An IPv6 address
            // stays the same one when its peer changes.
            rest: match self.local {
                IpAddr::V4(_) => Some((self.prefix_len, self.remote)),
                IpAddr::V6(_) => None,
            },
        }
    }
}

/// Distinguishes an address from the host's other addresses. Keys are ordered by link, then by value, IPv4 first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AddressKey {
    pub(super) ifindex: u32,
    pub(super) local: IpAddr,
    /// The prefix length and the peer of an IPv4 address. `None` for IPv6.
    pub(super) rest: Option<(u8, IpAddr)>,
}

/// Whether an address is link-local: in fe80::/10 or 169.254.0.0/16.
pub fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
