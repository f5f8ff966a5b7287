//! What is known of the kernel's network state: links, addresses, the routes that somebody wants.
//!
//! Links and addresses are kept from their messages. Routes are not: the kernel removes IPv4 routes
//! without a word (`ip link set X down`, `ip link del X`, the removal of a link's last address,
//! `ip nexthop del`) and flags them `linkdown` without one. So a message only tells that the routes
//! that were read are [stale](Stale), and they are read again.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::moment::Moment;
use crate::requirement::{Family, Probe, RouteTo, TABLE_MAIN, Table};
use crate::wants::Wants;

/// A network device (RTM_NEWLINK, rtnetlink(7)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Its number, which a rename does not change.
    pub ifindex: u32,
    /// Its name now, [spelled](crate::ifname) so that it can be printed.
    pub ifname: String,
    /// Alternative names (IFLA_PROP_LIST), spelled likewise.
    pub altnames: Vec<String>,
    /// IFF_* of linux/if.h.
    pub flags: u32,
    /// RFC 2863 state.
    pub operstate: Operstate,
    /// What software made it (IFLA_INFO_KIND); empty for hardware.
    pub kind: String,
    /// The link that it is a port or a member of (IFLA_MASTER).
    pub master: Option<u32>,
    /// What it is to its master (IFLA_INFO_SLAVE_KIND), where the kernel says so.
    pub port_kind: Option<String>,
    /// Of a [stacked](Link::stacked) link, the one below it in this namespace (IFLA_LINK without
    /// IFLA_LINK_NETNSID).
    pub lower: Option<u32>,
    /// IFLA_PERM_ADDRESS, else IFLA_ADDRESS; empty where it has none.
    pub hardware_address: Vec<u8>,
    /// It is IFLA_PERM_ADDRESS: the card's own, at the next boot too.
    pub permanent_address: bool,
    /// How often carrier was lost (IFLA_CARRIER_DOWN_COUNT).
    pub carrier_down_count: u32,
    /// net.ipv6.conf.LINK.disable_ipv6.
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

/// linux/if.h
const IFF_UP: u32 = 1 << 0;
const IFF_LOOPBACK: u32 = 1 << 3;
const IFF_RUNNING: u32 = 1 << 6;
const IFF_LOWER_UP: u32 = 1 << 16;

/// linux/if_addr.h
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_PERMANENT: u32 = 0x80;

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
/// The kernel's limit for links on links (MAX_NEST_DEV of netdevice.h): a chain that is longer is no chain.
const MAX_NEST: u32 = 8;

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

    /// IFF_LOOPBACK
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

/// An address of a link (RTM_NEWADDR).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The link's number.
    pub ifindex: u32,
    /// The host's own address (IFA_LOCAL, else IFA_ADDRESS).
    pub local: IpAddr,
    /// The address whose prefix is on the link (IFA_ADDRESS): the peer on a point-to-point link, else `local`.
    pub remote: IpAddr,
    /// Length of the on-link prefix, in bits.
    pub prefix_len: u8,
    /// RT_SCOPE_* of linux/rtnetlink.h.
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
    fn can_be_kept(&self) -> bool {
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

    fn key(&self) -> AddressKey {
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

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct AddressKey {
    ifindex: u32,
    local: IpAddr,
    rest: Option<(u8, IpAddr)>,
}

/// fe80::/10 or 169.254.0.0/16.
pub fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// A route (RTM_NEWROUTE).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub destination: IpNet,
    /// The source prefix that it is for (`from`, RFC 8043).
    pub source: Option<IpNet>,
    /// The table it stands in (RTA_TABLE).
    pub table: u32,
    /// RTA_PRIORITY
    pub metric: u32,
    /// The router preference of an IPv6 route (RTA_PREF, RFC 4191).
    pub preference: Preference,
    /// The TOS, or DSCP, that an IPv4 route is for (rtm_tos); 0 where it is for all traffic.
    pub tos: u8,
    /// RTN_* of linux/rtnetlink.h.
    pub kind: RouteKind,
    /// Its ways out; empty for unreachable and the like.
    pub hops: Vec<NextHop>,
    /// The source address that it asks for (RTA_PREFSRC).
    pub prefsrc: Option<IpAddr>,
    /// When it ends; it stays in the table for up to 30 s after that, dead.
    pub expires: Option<Moment>,
}

/// One way out of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// The link that it leaves through.
    pub ifindex: u32,
    /// The router there; none where the destination is on the link. May be of the other family (RFC 8950).
    pub gateway: Option<IpAddr>,
    /// RTNH_F_DEAD: the kernel passes it over. It says so of a link without carrier, too, where
    /// ignore_routes_with_linkdown is set.
    pub dead: bool,
    /// RTNH_F_LINKDOWN: the link has no carrier. Without `dead` the kernel uses the next hop all the same.
    pub linkdown: bool,
    /// RTNH_F_ONLINK
    pub onlink: bool,
}

/// RTN_* of linux/rtnetlink.h, as far as they differ here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kernel's own words")]
pub enum RouteKind {
    Unicast,
    Local,
    Unreachable,
    Blackhole,
    Prohibit,
    Throw,
    Other,
}

/// How much a router wants to be preferred to others, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[allow(missing_docs, reason = "RFC 4191's own words")]
pub enum Preference {
    Low,
    #[default]
    Medium,
    High,
}

impl Route {
    /// The family of its destination.
    pub fn family(&self) -> Family {
        Family::of(self.destination.addr())
    }

    /// Whether its lifetime is over.
    pub fn expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A question for the kernel's lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteQuery {
    /// Where to (RTA_DST).
    pub target: IpAddr,
    /// From which address of the host's (RTA_SRC).
    pub from: Option<IpAddr>,
    /// Through which link, or in the VRF of which device (RTA_OIF).
    pub oif: Option<u32>,
}

impl RouteQuery {
    /// Of a program that binds nothing.
    pub fn target(target: IpAddr) -> RouteQuery {
        RouteQuery { target, from: None, oif: None }
    }
}

/// The kernel's answer to "how would one get there".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// This way.
    Path {
        /// The link that it leaves through.
        ifindex: u32,
        /// The router; none where the target is on the link.
        gateway: Option<IpAddr>,
        /// The source address that a connection would get.
        source: Option<IpAddr>,
        /// When its route ends.
        expires: Option<Moment>,
        /// It is this host itself (RTN_LOCAL).
        local: bool,
    },
    /// Not at all: the kernel's error as an errno(3) value.
    None(i32),
}

/// What pasta would take from one family's main table (its nl_get_ext_if), in dump order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PastaView {
    /// The first default route.
    pub default: Option<Route>,
    /// Without one: the first other route.
    pub other: Option<Route>,
    /// Whether a lookup of the default's gateway finds it on the default's link.
    pub gateway_on_link: bool,
}

impl PastaView {
    /// Sees the next route of the dump; true once no later one can change the answer.
    pub fn see(&mut self, route: &Route) -> bool {
        const LOOPBACK_IFINDEX: u32 = 1;
        if self.default.is_some() {
            return true;
        }
        let leads_out = route.hops.iter().any(|hop| hop.ifindex != LOOPBACK_IFINDEX);
        if route.table != TABLE_MAIN || route.kind != RouteKind::Unicast || !leads_out {
            return false;
        }
        if route.destination.prefix_len() == 0 {
            self.default = Some(route.clone());
        } else if self.other.is_none() && !link_local(route.destination.addr()) {
            self.other = Some(route.clone());
        }
        self.default.is_some()
    }

    /// The route taken.
    pub fn taken(&self) -> Option<&Route> {
        self.default.as_ref().or(self.other.as_ref())
    }
}

/// What was read of the routing tables since they went stale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// Routes to wanted destinations in wanted tables, in the kernel's order.
    pub known: Vec<Route>,
    /// What the kernel's own lookup takes for a wanted destination in a wanted table, where it says so.
    pub chosen: BTreeMap<(IpNet, u32), Route>,
    /// Tables that were read whole: `known` has all there is of them.
    pub complete: BTreeSet<(Family, u32)>,
    /// What pasta would take, where it was read.
    pub pasta: BTreeMap<Family, PastaView>,
}

impl Routes {
    /// Adds a route unless it is known.
    pub fn add(&mut self, route: Route) {
        if !self.known.contains(&route) {
            self.known.push(route);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Route> {
        let pasta = self.pasta.values().filter_map(PastaView::taken);
        self.known.iter().chain(self.chosen.values()).chain(pasta)
    }

    fn touches(&self, ifindex: u32) -> bool {
        self.all().any(|route| route.hops.iter().any(|hop| hop.ifindex == ifindex))
    }
}

/// What was read of one routing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRoutes {
    /// The family of its routes.
    pub family: Family,
    /// Its number.
    pub id: u32,
    /// Its routes to wanted destinations, in the kernel's order.
    pub routes: Vec<Route>,
    /// What pasta would take of it, where that is wanted.
    pub pasta: Option<PastaView>,
}

impl TableRoutes {
    /// Puts them in the place of what lookups said.
    pub fn put_into(self, known: &mut Routes) {
        known.known.retain(|route| route.table != self.id || route.family() != self.family);
        known.known.extend(self.routes);
        known.complete.insert((self.family, self.id));
        if let Some(view) = self.pasta {
            known.pasta.insert(self.family, view);
        }
    }
}

/// resolv.conf, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Nameservers {
    /// It was not read: nobody asked.
    #[default]
    Unread,
    /// It names this one first.
    First(String),
    /// It names none.
    None,
    /// It is not there or cannot be read; why.
    Unreadable(String),
}

/// The kernel's network state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    links: BTreeMap<u32, Link>,
    addresses: BTreeMap<AddressKey, Address>,
    /// What was read of the routing tables.
    pub routes: Routes,
    /// Answers for `route-to` targets.
    pub lookups: BTreeMap<RouteTo, Lookup>,
    /// resolv.conf.
    pub nameservers: Nameservers,
    /// What became of the last try of each probe.
    pub answers: BTreeMap<Question, Tried>,
}

/// What is asked of others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// As a gate has it.
    Probe(Probe),
    /// Does this gateway answer neighbour discovery?
    Neighbour {
        /// The gateway.
        address: IpAddr,
        /// The number of its link.
        ifindex: u32,
        /// The link's name.
        ifname: String,
    },
}

/// What met a probe, or why it failed.
pub type Answer = Result<String, String>;

/// What became of a try of a probe.
pub type Tried = Result<String, NoAnswer>;

/// Why a try of a probe has no good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// It was tried, and this is why it failed.
    Failed(String),
    /// It could not be tried, so this says nothing of whom it asks: netready-probe does not run here.
    NoProgram(String),
}

/// One message of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A link is there, or has changed.
    Link(Box<Link>),
    /// The link of this number is gone.
    LinkGone(u32),
    /// An address is there, or has changed.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// A route changed.
    Route(Route, RouteChange),
    /// A policy rule changed.
    Rule,
    /// A nexthop object changed (`ip nexthop`); its routes go with it, unannounced.
    Nexthop,
    /// ignore_routes_with_linkdown changed, of a link or of all (RTM_NEWNETCONF): the kernel passes over
    /// other routes than before.
    IgnoreLinkdown,
}

/// What happened to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteChange {
    /// It was added: until then there was none with the same destination and metric.
    Added,
    /// It was added beside one with the same destination and metric (NLM_F_APPEND).
    Appended,
    /// It took the place of the one with the same destination and metric (NLM_F_REPLACE).
    Replaced,
    /// It is gone.
    Gone,
}

/// What has to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stale {
    /// Links and addresses.
    pub links: bool,
    /// Wanted routes.
    pub routes: bool,
    /// `route-to` answers.
    pub lookups: bool,
}

impl Stale {
    /// Everything.
    pub const ALL: Stale = Stale { links: true, routes: true, lookups: true };
    /// What depends on routes.
    pub const ROUTES: Stale = Stale { links: false, routes: true, lookups: true };

    /// Whether anything has.
    pub fn any(self) -> bool {
        self.links || self.routes || self.lookups
    }

    /// Both.
    pub fn or(self, other: Stale) -> Stale {
        Stale {
            links: self.links || other.links,
            routes: self.routes || other.routes,
            lookups: self.lookups || other.lookups,
        }
    }
}

impl Network {
    /// Takes a message in; says what it makes stale of the things that `wants` asks for.
    pub fn apply(&mut self, message: &Message, wants: &Wants) -> Stale {
        let stale = match message {
            Message::Link(link) => {
                let stale = self.link_event(link.ifindex);
                // A new name can be the VRF that a table is named by.
                let named = wants.names_vrf() && self.links.get(&link.ifindex) != Some(&**link);
                let links = self.restarts_detection(link);
                self.links.insert(link.ifindex, (**link).clone());
                // A link that can be used again may bring back a route that the kernel had passed over,
                // and that stands before the one it took until now. (This is not seen in the links that
                // were kept: the flags are announced before the routes have changed, and again after.)
                let brings_back = wants.choice && link.admin_up() && (link.lower_up() || link.running());
                Stale { links, routes: stale.routes || named || brings_back, ..stale }
            }
            Message::LinkGone(ifindex) => {
                self.links.remove(ifindex);
                let of_link = Self::keys_of(*ifindex);
                while let Some((key, _)) = self.addresses.range(of_link.clone()).next() {
                    let key = key.clone();
                    self.addresses.remove(&key);
                }
                self.link_event(*ifindex)
            }
            Message::Address(address) => {
                self.addresses.insert(address.key(), address.clone());
                // A new address takes no route away; it may change which source a lookup names.
                Stale { lookups: true, ..Stale::default() }
            }
            Message::AddressGone(address) => {
                self.addresses.remove(&address.key());
                self.link_event(address.ifindex)
            }
            Message::Route(route, _) => Stale {
                links: false,
                routes: wants.concerns(route, &self.routes),
                lookups: wants.route_to.iter().any(|wanted| route.destination.contains(&wanted.target)),
            },
            Message::Rule | Message::Nexthop | Message::IgnoreLinkdown => Stale::ROUTES,
        };
        Stale {
            links: stale.links,
            routes: stale.routes && wants.any_table(),
            lookups: stale.lookups && !wants.route_to.is_empty(),
        }
    }

    /// Whether what this message says of a link can have made an address of it tentative again. Where
    /// net.ipv6.conf.LINK.keep_addr_on_down is 1, `ip link set LINK down` keeps static IPv6 addresses and
    /// makes them tentative, and so does putting the link into a VRF or taking it out; no RTM_NEWADDR tells
    /// (seen on Linux 6.18). Only the end of the next duplicate address detection is announced.
    pub fn restarts_detection(&self, link: &Link) -> bool {
        let Some(known) = self.links.get(&link.ifindex) else { return false };
        (known.admin_up() != link.admin_up() || known.master != link.master)
            && self.addresses_of(link.ifindex).any(Address::can_be_kept)
    }

    /// Whether a message tells something that a probe may depend on: more than a lifetime or a counter.
    pub fn is_news(&self, message: &Message) -> bool {
        match message {
            Message::Link(link) => self.links.get(&link.ifindex).is_none_or(|known| {
                let said = |link: &Link| (link.admin_up(), link.lower_up(), link.running(), link.master);
                said(known) != said(link)
            }),
            Message::Address(address) => self.addresses.get(&address.key()) != Some(address),
            Message::LinkGone(_)
            | Message::AddressGone(_)
            | Message::Route(..)
            | Message::Rule
            | Message::Nexthop
            | Message::IgnoreLinkdown => true,
        }
    }

    /// A link changed or lost an address: its routes may be gone or flagged without a word.
    fn link_event(&self, ifindex: u32) -> Stale {
        Stale { links: false, routes: self.routes.touches(ifindex), lookups: true }
    }

    /// Puts what a dump said in the place of what was kept. Returns the links that have lost carrier
    /// since, even if it is back.
    pub fn replace_links(&mut self, links: Vec<Link>, addresses: Vec<Address>) -> Vec<u32> {
        let lost_carrier = |link: &&Link| {
            let known = self.links.get(&link.ifindex);
            known.is_some_and(|known| known.carrier_down_count < link.carrier_down_count)
        };
        let flapped = links.iter().filter(lost_carrier).map(|link| link.ifindex).collect();
        self.links = links.into_iter().map(|link| (link.ifindex, link)).collect();
        self.addresses = addresses.into_iter().map(|address| (address.key(), address)).collect();
        flapped
    }

    /// All links, by number.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The link of this number.
    pub fn link(&self, ifindex: u32) -> Option<&Link> {
        self.links.get(&ifindex)
    }

    /// A link's name for a report, `if7` where it is not known.
    pub fn ifname(&self, ifindex: u32) -> String {
        match self.link(ifindex) {
            Some(link) => link.ifname.clone(),
            None => format!("if{ifindex}"),
        }
    }

    /// All addresses, by link and value.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.values()
    }

    /// A link's addresses, by value, IPv4 first.
    pub fn addresses_of(&self, ifindex: u32) -> impl Iterator<Item = &Address> {
        self.addresses.range(Self::keys_of(ifindex)).map(|(_, address)| address)
    }

    fn keys_of(ifindex: u32) -> core::ops::RangeInclusive<AddressKey> {
        let first = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let last = IpAddr::V6(Ipv6Addr::from_bits(u128::MAX));
        AddressKey { ifindex, local: first, rest: None }..=AddressKey {
            ifindex,
            local: last,
            rest: Some((u8::MAX, last)),
        }
    }

    /// Whether a link is a port of a bridge, bond or team. (A member of a VRF is not.)
    pub fn is_port(&self, link: &Link) -> bool {
        let Some(master) = link.master else { return false };
        match &link.port_kind {
            Some(kind) => kind != "vrf",
            None => self.link(master).is_none_or(|master| master.kind != "vrf"),
        }
    }

    /// Whether a link can carry traffic; where not, the link at fault: itself, or one below it.
    pub fn carrier(&self, link: &Link) -> Result<(), Carrierless> {
        self.carrier_within(link, MAX_NEST)
    }

    fn carrier_within(&self, link: &Link, depth: u32) -> Result<(), Carrierless> {
        if !link.admin_up() {
            return Err(Carrierless::AdminDown);
        }
        if !link.lower_up() || !link.running() {
            let dormant = link.operstate == Operstate::Dormant && link.lower_up();
            let no_carrier = Carrierless::NoCarrier(link.operstate);
            return Err(if dormant { Carrierless::Dormant } else { no_carrier });
        }
        let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
        // A fresh bridge says LOWER_UP, operstate UNKNOWN, and leads nowhere.
        if link.kind == "bridge" {
            let carries = |port: &Link| self.carrier_within(port, depth).is_ok();
            let mut ports = self.links().filter(|port| port.master == Some(link.ifindex));
            if !ports.any(carries) {
                return Err(Carrierless::NoPort(link.ifname.clone()));
            }
        }
        if link.stacked() {
            // One that is not known cannot be a bridge that misleads: the flags stand.
            if let Some(lower) = link.lower.and_then(|lower| self.link(lower)) {
                self.carrier_within(lower, depth).map_err(|why| match why {
                    Carrierless::NoPort(bridge) => Carrierless::NoPort(bridge),
                    Carrierless::AdminDown
                    | Carrierless::NoCarrier(_)
                    | Carrierless::Dormant
                    | Carrierless::Lower(_) => Carrierless::Lower(lower.ifname.clone()),
                })?;
            }
        }
        Ok(())
    }

    /// The number of a table, where it is known: a VRF that is not there has none.
    pub fn table_id(&self, table: &Table) -> Option<u32> {
        match table {
            Table::Id(id) => Some(*id),
            Table::Vrf(name) => self.vrf(name)?.vrf_table,
        }
    }

    /// The VRF device of this name.
    pub fn vrf(&self, name: &str) -> Option<&Link> {
        self.links().find(|link| link.named(name)).filter(|link| link.vrf_table.is_some())
    }

    /// The VRF device that a link belongs to, itself included: a program outside of that VRF has neither
    /// the link's addresses nor its routes.
    pub fn vrf_of(&self, link: &Link) -> Option<u32> {
        let is_vrf = |ifindex: &u32| self.link(*ifindex).is_some_and(|link| link.vrf_table.is_some());
        Some(link.ifindex).filter(is_vrf).or_else(|| link.master.filter(is_vrf))
    }

    /// The link that a zone names (RFC 4007, 11.2), as if_nametoindex(3) finds it, else by its number.
    pub fn zone(&self, zone: &str) -> Option<&Link> {
        let named = self.links().find(|link| link.named(zone));
        named.or_else(|| self.link(zone.parse().ok()?))
    }

    /// What the kernel is asked about a way; nothing while a link that it names is not there.
    pub fn route_query(&self, wanted: &RouteTo) -> Option<RouteQuery> {
        let link = match (&wanted.zone, &wanted.vrf) {
            (Some(zone), _) => Some(self.zone(zone)?),
            (None, Some(vrf)) => Some(self.vrf(vrf)?),
            (None, None) => None,
        };
        Some(RouteQuery { target: wanted.target, from: wanted.from, oif: link.map(|link| link.ifindex) })
    }

    /// When the next route that is kept expires.
    pub fn next_expiry(&self, now: Moment) -> Option<Moment> {
        let routes = self.routes.all().filter_map(|route| route.expires);
        let ways = self.lookups.values().filter_map(|lookup| match lookup {
            Lookup::Path { expires, .. } => *expires,
            Lookup::None(_) => None,
        });
        routes.chain(ways).filter(|at| *at > now).min()
    }
}

/// Why a link cannot carry traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrierless {
    /// Not IFF_UP.
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

#[cfg(test)]
mod tests;
