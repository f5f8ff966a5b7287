//! Links (network devices) and their state in the kernel.

/// A network device (RTM_NEWLINK, rtnetlink(7)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// The number of the link, which a rename does not change.
    pub ifindex: u32,
    /// The present name, [spelled](crate::ifname) so that it can be printed.
    pub ifname: String,
    /// The alternative names (IFLA_PROP_LIST), spelled in the same way.
    pub altnames: Vec<String>,
    /// The flags of the link: IFF_* of linux/if.h.
    pub flags: u32,
    /// The operational state (RFC 2863).
    pub operstate: Operstate,
    /// The kind of a link that software makes (IFLA_INFO_KIND), such as `bridge`. Empty for hardware.
    pub kind: String,
    /// The link that this link is a port or a member of (IFLA_MASTER).
    pub master: Option<u32>,
    /// The kind of the master that this link is a port of (IFLA_INFO_SLAVE_KIND). `None` if the kernel does not
    /// send it.
    pub port_kind: Option<String>,
    /// For a [stacked](Link::stacked) link, the link below it in this namespace (IFLA_LINK without
    /// IFLA_LINK_NETNSID).
    pub lower: Option<u32>,
    /// The hardware address: IFLA_PERM_ADDRESS, or IFLA_ADDRESS if there is none. Empty if the link has neither.
    pub hardware_address: Vec<u8>,
    /// Whether `hardware_address` is IFLA_PERM_ADDRESS. This is the card's own address, which stays the same at the
    /// next boot.
    pub permanent_address: bool,
    /// How often carrier was lost (IFLA_CARRIER_DOWN_COUNT).
    pub carrier_down_count: u32,
    /// Whether net.ipv6.conf.LINK.disable_ipv6 is set, so that the link can have no IPv6 address.
    pub ipv6_disabled: bool,
    /// The table of a VRF (IFLA_VRF_TABLE).
    pub vrf_table: Option<u32>,
}

/// The operational state of a link: IF_OPER_* of linux/if.h (RFC 2863).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the kernel's own words")]
pub enum Operstate {
    #[default]
    Unknown,
    NotPresent,
    Down,
    LowerLayerDown,
    Testing,
    Dormant,
    Up,
}

/// The flags of a link that netready reads, from linux/if.h.
const IFF_UP: u32 = 1 << 0;
const IFF_LOOPBACK: u32 = 1 << 3;
const IFF_RUNNING: u32 = 1 << 6;
const IFF_LOWER_UP: u32 = 1 << 16;

impl Link {
    /// Whether IFF_UP is set: the administrator wants the link up.
    pub fn admin_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    /// Whether IFF_LOWER_UP is set: the driver sees a carrier.
    pub fn lower_up(&self) -> bool {
        self.flags & IFF_LOWER_UP != 0
    }

    /// Whether IFF_RUNNING is set: the operstate is UP, or UNKNOWN (tun, wireguard, vxlan, ppp).
    pub fn running(&self) -> bool {
        self.flags & IFF_RUNNING != 0
    }

    /// Whether IFF_LOOPBACK is set: packets sent through the link come back to this host.
    pub fn loopback(&self) -> bool {
        self.flags & IFF_LOOPBACK != 0
    }

    /// Whether no other host can be reached through the link, because it is a loopback or dummy link.
    pub fn leads_nowhere(&self) -> bool {
        self.loopback() || self.kind == "dummy"
    }

    /// Whether the link is a tunnel or an overlay whose packets the kernel itself makes: it wraps packets into other
    /// packets and sends these through another link. (`tun` and `wireguard` links are not included.)
    pub fn is_tunnel(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "vxlan"
                | "geneve"
                | "gre"
                | "gretap"
                | "erspan"
                | "ip6gre"
                | "ip6gretap"
                | "ip6erspan"
                | "ipip"
                | "sit"
                | "ip6tnl"
                | "vti"
                | "vti6"
                | "xfrm"
                | "bareudp"
                | "gtp"
                | "amt"
        )
    }

    /// Whether `name` is the spelling of the link's ifname or of one of its altnames.
    pub fn named(&self, name: &str) -> bool {
        self.ifname == name || self.altnames.iter().any(|altname| altname == name)
    }

    /// Whether the link is of a kind that is stacked on the link that IFLA_LINK names. (The IFLA_LINK of a veth is its
    /// peer.)
    pub fn stacked(&self) -> bool {
        matches!(self.kind.as_str(), "vlan" | "macvlan" | "macvtap" | "ipvlan" | "ipvtap" | "macsec")
    }

    /// Whether the link is of a kind that has ports.
    pub fn is_master(&self) -> bool {
        matches!(self.kind.as_str(), "bridge" | "bond" | "team" | "vrf")
    }
}

/// Why a link cannot carry traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrierless {
    /// The link is set down: it has no IFF_UP.
    AdminDown,
    /// The link has no IFF_LOWER_UP or no IFF_RUNNING. The value is its operstate.
    NoCarrier(Operstate),
    /// IF_OPER_DORMANT: the link waits for something, for example for 802.1X.
    Dormant,
    /// The bridge with this name has no port with carrier. It is the link itself or a link below it.
    NoPort(String),
    /// The link with this name, which is below the link, has no carrier.
    Lower(String),
}
