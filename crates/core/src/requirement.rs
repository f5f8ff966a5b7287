//! What a gate asks for, as meant: the types that a gate file or the command line is parsed into.
//!
//! Nothing here reads anything or decides anything; [`evaluate`](crate::evaluate) does the judging.
//! Values of these types are valid by construction in [`config`](crate::config): a gate has at least
//! one clause, a clause at least one item, a quorum can be reached.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::ifname::Pattern;
use crate::kernel_line::Forced;

mod probe;

pub use probe::{Endpoint, Probe, Request, Url};

/// A named set of requirements with a timeout.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The name that users call it by; `options` for a gate made of command-line options only.
    pub name: String,
    /// Where it was read: a path, `built-in`, `command line`.
    pub source: String,
    /// Give up after this long; `None` is `infinity`.
    pub timeout: Option<Duration>,
    /// Give up when no wanted link has had carrier for this long.
    pub no_carrier_timeout: Option<Duration>,
    /// Everything must have held this long, uninterrupted.
    pub settle: Duration,
    /// What happens at the timeout.
    pub on_timeout: OnTimeout,
    /// What happens when readiness is lost after READY=1.
    pub on_loss: OnLoss,
    /// What the kernel command line says to it; no part of what is written.
    pub forced: Forced,
    /// Never empty.
    pub clauses: Vec<Clause>,
}

/// What happens when a gate's timeout passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// End with exit code 1.
    Fail,
    /// Say READY=1 all the same, and what is missing in STATUS=.
    Open,
}

/// What happens when readiness is lost after READY=1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLoss {
    /// Say so in STATUS= and the journal.
    Report,
    /// End `run` with exit code 1 once the loss has lasted `settle`.
    Fail,
}

/// One `[[require]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// Whom the items are asked of.
    pub subject: Subject,
    /// What is asked; never empty.
    pub items: Vec<Item>,
    /// Once everything else is met, wait at most this long for this clause.
    pub grace: Option<Duration>,
    /// The clause counts only while what it speaks of is there.
    pub if_present: Option<Presence>,
    /// Its probes are tried again this long after they were met.
    pub recheck: Option<Duration>,
}

/// Whom a clause asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// The host: each item on its own, of any link; `needed` of the items must be met.
    Host {
        /// How many of the items must be met, 1 to all.
        needed: usize,
    },
    /// Links: every item of the same link.
    Links(Links),
}

/// The links that a clause names.
#[derive(Debug, Clone, PartialEq)]
pub struct Links {
    /// Names, altnames, globs and hardware addresses; never empty.
    pub entries: Vec<LinkName>,
    /// `!glob` entries: links that are taken out.
    pub exclude: Vec<Pattern>,
    /// How many of them must satisfy the items.
    pub quorum: Quorum,
    /// The items were not written but implied, so a port (of a bridge, bond or team) is asked for
    /// carrier alone: addresses belong to its master.
    pub implied: bool,
}

/// How an `interface` list entry names links.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkName {
    /// An ifname or an altname, exactly: its [spelling](crate::ifname).
    Exact(String),
    /// A shell pattern over ifnames and altnames; loopback and ports never match.
    Glob(Pattern),
    /// A permanent hardware address (IFLA_PERM_ADDRESS, else IFLA_ADDRESS).
    Mac(Vec<u8>),
}

/// How many of a clause's links must satisfy it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// Every entry: a name by its link, a glob by at least one of its links.
    Each,
    /// This many links in all, each counted once.
    AtLeast(usize),
    /// Every entry, and every link that a glob matches.
    All,
}

/// What a clause with `if-present` speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A link that the clause's interface list matches.
    Link,
    /// A family: an address of global scope on a link with a default route, or a default route.
    Family(Family),
}

/// One thing asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The link has carrier (only of links).
    Carrier,
    /// A usable address.
    Address(AddressSpec),
    /// A live route in a table.
    Route(RouteSpec),
    /// The kernel's own lookup finds a usable way there.
    RouteTo(RouteTo),
    /// What pasta would take is fit to be taken (only of the host).
    Pasta,
    /// resolv.conf names a server (only of the host).
    Nameserver,
    /// Somebody answers (only of the host).
    Probe(Probe),
    /// The default gateway, either family's or this one's, answers (only of the host).
    Gateway(Option<Family>),
}

impl Item {
    /// Whether something is sent to find out. All else is read from the kernel and resolv.conf.
    pub fn is_active(&self) -> bool {
        match self {
            Item::Probe(_) | Item::Gateway(_) => true,
            Item::Carrier
            | Item::Address(_)
            | Item::Route(_)
            | Item::RouteTo(_)
            | Item::Pasta
            | Item::Nameserver => false,
        }
    }
}

/// Which addresses satisfy an address item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSpec {
    /// `ip`: either family, global or site scope, no loopback, no link-local.
    Either,
    /// `ipv4`, `ipv6`: that family, otherwise as `ip`.
    Family(Family),
    /// `link-local-ipv4` (169.254.0.0/16), `link-local-ipv6` (fe80::/10).
    LinkLocal(Family),
    /// Exactly this one, wherever it stands: bind(2) takes it.
    Exact(IpAddr),
    /// Any address in the prefix.
    Prefix(IpNet),
}

/// Which routes satisfy a route item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteSpec {
    /// The destination, which must stand in the table as such.
    pub destination: Destination,
    /// The table it must stand in.
    pub table: Table,
}

/// The destination of a wanted route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// `default`: either family's.
    Default,
    /// `default-ipv4`, `default-ipv6`.
    DefaultOf(Family),
    /// A prefix.
    Prefix(IpNet),
}

/// The way that a program's connection would take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteTo {
    /// Where to.
    pub target: IpAddr,
    /// Of a link-local target: the link, by name or number.
    pub zone: Option<String>,
    /// The host's address that the program binds first; else the kernel selects one.
    pub from: Option<IpAddr>,
    /// The VRF that the program runs in, by the name of its device.
    pub vrf: Option<String>,
}

impl RouteTo {
    /// Of a program that binds nothing.
    pub fn target(target: IpAddr) -> RouteTo {
        RouteTo { target, zone: None, from: None, vrf: None }
    }
}

/// A routing table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// By number; main is 254 (RT_TABLE_MAIN).
    Id(u32),
    /// The table of the VRF link of this name, [spelled](crate::ifname).
    Vrf(String),
}

/// RT_TABLE_MAIN of linux/rtnetlink.h.
pub const TABLE_MAIN: u32 = 254;

impl Table {
    /// The main table.
    pub const MAIN: Table = Table::Id(TABLE_MAIN);
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// AF_INET
    V4,
    /// AF_INET6
    V6,
}

impl Family {
    /// Both, in the order in which they are shown.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The prefix of length 0.
    pub fn default_prefix(self) -> IpNet {
        match self {
            Family::V4 => IpNet::V4(ipnet::Ipv4Net::default()),
            Family::V6 => IpNet::V6(ipnet::Ipv6Net::default()),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

impl Destination {
    /// The prefixes that would satisfy it: one, or `default`'s two.
    pub fn prefixes(self) -> impl Iterator<Item = IpNet> {
        let (first, second) = match self {
            Destination::Default => (Family::V4.default_prefix(), Some(Family::V6.default_prefix())),
            Destination::DefaultOf(family) => (family.default_prefix(), None),
            Destination::Prefix(net) => (net, None),
        };
        core::iter::once(first).chain(second)
    }
}

// The words of gate files, options and reports.

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Carrier => f.write_str("carrier"),
            Item::Address(spec) => write!(f, "address {spec}"),
            Item::Route(spec) => write!(f, "route {spec}"),
            Item::RouteTo(wanted) => write!(f, "route-to {wanted}"),
            Item::Pasta => f.write_str("pasta"),
            Item::Nameserver => f.write_str("nameserver"),
            Item::Probe(probe) => probe.fmt(f),
            Item::Gateway(family) => write!(f, "gateway {}", GatewayWord(*family)),
        }
    }
}

/// A value of `gateway`.
pub struct GatewayWord(pub Option<Family>);

impl fmt::Display for GatewayWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "any",
            Some(Family::V4) => "ipv4",
            Some(Family::V6) => "ipv6",
        })
    }
}

impl fmt::Display for AddressSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressSpec::Either => f.write_str("ip"),
            AddressSpec::Family(Family::V4) => f.write_str("ipv4"),
            AddressSpec::Family(Family::V6) => f.write_str("ipv6"),
            AddressSpec::LinkLocal(Family::V4) => f.write_str("link-local-ipv4"),
            AddressSpec::LinkLocal(Family::V6) => f.write_str("link-local-ipv6"),
            AddressSpec::Exact(address) => address.fmt(f),
            AddressSpec::Prefix(net) => net.fmt(f),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Default => f.write_str("default"),
            Destination::DefaultOf(Family::V4) => f.write_str("default-ipv4"),
            Destination::DefaultOf(Family::V6) => f.write_str("default-ipv6"),
            Destination::Prefix(net) => net.fmt(f),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Table::Id(TABLE_MAIN) => f.write_str("main"),
            Table::Id(id) => id.fmt(f),
            Table::Vrf(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for RouteSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.destination.fmt(f)?;
        if self.table == Table::MAIN {
            return Ok(());
        }
        write!(f, " table {}", self.table)
    }
}

impl fmt::Display for RouteTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)?;
        if let Some(zone) = &self.zone {
            write!(f, "%{zone}")?;
        }
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        match &self.vrf {
            Some(vrf) => write!(f, " table {vrf}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkName::Exact(name) => f.write_str(name),
            LinkName::Glob(pattern) => f.write_str(pattern.as_str()),
            LinkName::Mac(octets) => write!(f, "mac:{}", MacText(octets)),
        }
    }
}

/// A hardware address as `ip link` writes it.
pub struct MacText<'a>(pub &'a [u8]);

impl fmt::Display for MacText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, octet) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(":")?;
            }
            write!(f, "{octet:02x}")?;
        }
        Ok(())
    }
}
