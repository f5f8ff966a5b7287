//! Links (network devices) and what the kernel says of them.

/// A network device (RTM_NEWLINK, rtnetlink(7)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Its number, which a rename does not change.
    pub ifindex: u32,
    /// Its name now, [spelled](crate::ifname) so that it can be printed.
    pub ifname: String,
    /// Alternative names (IFLA_PROP_LIST), spelled likewise.
    pub altnames: Vec<String>,
    /// The flags of the link: IFF_* of linux/if.h.
    pub flags: u32,
    /// The operational state (RFC 2863).
    pub operstate: Operstate,
    /// The kind of a link that software makes (IFLA_INFO_KIND), such as `bridge`. Empty for hardware.
    pub kind: String,
    /// The link that it is a port or a member of (IFLA_MASTER).
    pub master: Option<u32>,
    /// The kind of the master that it is a port of (IFLA_INFO_SLAVE_KIND), if the kernel tells it.
    pub port_kind: Option<String>,
    /// Of a [stacked](Link::stacked) link, the one below it in this namespace (IFLA_LINK without
    /// IFLA_LINK_NETNSID).
    pub lower: Option<u32>,
    /// The hardware address: IFLA_PERM_ADDRESS, else IFLA_ADDRESS. Empty if the link has none.
    pub hardware_address: Vec<u8>,
    /// Whether `hardware_address` is IFLA_PERM_ADDRESS: the card's own address, which it keeps at the next
    /// boot.
    pub permanent_address: bool,
    /// How often carrier was lost (IFLA_CARRIER_DOWN_COUNT).
    pub carrier_down_count: u32,
    /// Whether net.ipv6.conf.LINK.disable_ipv6 is set: the link can have no IPv6 address.
    pub ipv6_disabled: bool,
    /// A VRF's table (IFLA_VRF_TABLE).
    pub vrf_table: Option<u32>,
}

/// IF_OPER_* of linux/if.h (RFC 2863).
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

/// The flags of a link that are read, from linux/if.h.
const IFF_UP: u32 = 1 << 0;
const IFF_LOOPBACK: u32 = 1 << 3;
const IFF_RUNNING: u32 = 1 << 6;
const IFF_LOWER_UP: u32 = 1 << 16;

/// Kinds of links that stand on the link that IFLA_LINK names. (A veth's IFLA_LINK is its peer.)
const STACKED: [&str; 6] = ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"];
/// Kinds of links that have ports.
const MASTERS: [&str; 4] = ["bridge", "bond", "team", "vrf"];
/// Kinds of links that carry packets inside of other packets, through some other link.
const TUNNELS: [&str; 17] = [
    "vxlan",
    "geneve",
    "gre",
    "gretap",
    "erspan",
    "ip6gre",
    "ip6gretap",
    "ip6erspan",
    "ipip",
    "sit",
    "ip6tnl",
    "vti",
    "vti6",
    "xfrm",
    "bareudp",
    "gtp",
    "amt",
];

impl Link {
    /// IFF_UP: the administrator wants it up.
    pub fn admin_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    /// IFF_LOWER_UP: the driver sees a carrier.
    pub fn lower_up(&self) -> bool {
        self.flags & IFF_LOWER_UP != 0
    }

    /// IFF_RUNNING: operstate UP, or UNKNOWN (tun, wireguard, vxlan, ppp).
    pub fn running(&self) -> bool {
        self.flags & IFF_RUNNING != 0
    }

    /// IFF_LOOPBACK: packets sent through the link come back to this host.
    pub fn loopback(&self) -> bool {
        self.flags & IFF_LOOPBACK != 0
    }

    /// Whether nothing beyond this host can be reached through it: a loopback or dummy link.
    pub fn leads_nowhere(&self) -> bool {
        self.loopback() || self.kind == "dummy"
    }

    /// Whether it is a tunnel or an overlay that the kernel itself makes packets for. (`tun` and `wireguard`
    /// links are not meant.)
    pub fn is_tunnel(&self) -> bool {
        TUNNELS.contains(&self.kind.as_str())
    }

    /// Whether this is the spelling of its ifname or of one of its altnames.
    pub fn named(&self, name: &str) -> bool {
        self.ifname == name || self.altnames.iter().any(|altname| altname == name)
    }

    /// Whether it stands on another link (vlan, macvlan, …).
    pub fn stacked(&self) -> bool {
        STACKED.contains(&self.kind.as_str())
    }

    /// Whether it is of a kind that has ports.
    pub fn is_master(&self) -> bool {
        MASTERS.contains(&self.kind.as_str())
    }
}

/// Why a link cannot carry traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrierless {
    /// The link is set down: it has no IFF_UP.
    AdminDown,
    /// No IFF_LOWER_UP, or no IFF_RUNNING; with its operstate.
    NoCarrier(Operstate),
    /// IF_OPER_DORMANT: waits for something, as for 802.1X.
    Dormant,
    /// This bridge, itself or below it, has no port with carrier.
    NoPort(String),
    /// This link below it has none.
    Lower(String),
}
