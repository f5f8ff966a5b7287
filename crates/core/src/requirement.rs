//! What a gate asks for: the types that gate files and options are parsed into, and the kinds of requirement.
//!
//! [`config`](crate::config) makes only valid values of these types: a gate has at least one clause, a clause has at
//! least one item, and a quorum can be reached.
//!
//! Each kind of requirement has a file in the folder `requirement`. The file has everything about the kind: its
//! rows of the table of keys (with the option and its help text), what must be read for it, and its evaluation,
//! which may call functions of [`evaluate`](mod@crate::evaluate). [`Item`] and `KINDS` are the registry.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::config::Places;
use crate::ifname::Pattern;
use crate::kernel_line::Forced;

mod address;
mod carrier;
mod gateway;
pub(crate) mod key;
mod kind;
mod nameserver;
mod pasta;
mod probe;
mod route;
mod route_to;

use key::{AskedOf, Key};
pub(crate) use kind::Whom;
use kind::{Requirement, Shown};

pub use address::AddressSpec;
pub use gateway::Gateway;
pub use probe::{Endpoint, Probe, Request, Url};
pub use route::{Destination, RouteSpec, TABLE_MAIN, Table};
pub use route_to::RouteTo;

/// Rows of the table of keys that other modules use by name.
pub(crate) mod rows {
    pub use super::address::{ADDRESS, IPV4, IPV6};
    pub use super::carrier::CARRIER;
    pub use super::probe::EXPECT;
    pub use super::route::{ROUTE, TABLE};
    pub use super::route_to::{FROM, ROUTE_TO};
}

/// A named set of requirements with a timeout.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The name of the gate. It is `options` for a gate made of command-line options only.
    pub name: String,
    /// Where the gate was read: a path, `built-in`, `command line`.
    pub source: String,
    /// The gate gives up after this time. `None` is `infinity`.
    pub timeout: Option<Duration>,
    /// The gate gives up after no wanted link has had carrier for this time.
    pub no_carrier_timeout: Option<Duration>,
    /// How long all clauses must stay met, without a break, before the gate opens.
    pub settle: Duration,
    /// What happens at the timeout.
    pub on_timeout: OnTimeout,
    /// What happens when readiness is lost after READY=1.
    pub on_loss: OnLoss,
    /// What the kernel command line says about the gate. The gate file has no part in it.
    pub forced: Forced,
    /// The clauses, at least one. The gate is met if every clause is met.
    pub clauses: Vec<Clause>,
    /// Where the parts of the gate were written. This does not change what the gate asks for.
    pub places: Places,
}

/// What happens when a gate's timeout passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// End with exit code 1.
    Fail,
    /// Send READY=1 anyway, and say what is missing in STATUS=.
    Open,
}

/// What happens when readiness is lost after READY=1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLoss {
    /// Report the loss in STATUS= and in the journal.
    Report,
    /// End `run` with exit code 1 after the loss has lasted for the time `settle`.
    Fail,
}

/// A clause of a gate: what one link, or the host, must have (`[[require]]`).
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// Who must have the items: links or the host.
    pub subject: Subject,
    /// The items. There is at least one.
    pub items: Vec<Item>,
    /// After everything else is met, the gate waits at most this long for this clause.
    pub grace: Option<Duration>,
    /// The clause counts only while this exists.
    pub if_present: Option<Presence>,
    /// The clause's probes are tried again this long after they were met.
    pub recheck: Option<Duration>,
}

/// Who must have the items of a clause.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// The host. Each item is evaluated by itself, for any link. `needed` of the items must be met.
    Host {
        /// How many of the items must be met, from 1 to all.
        needed: usize,
    },
    /// Links. One link must have all items.
    Links(Links),
}

/// The links that a clause names.
#[derive(Debug, Clone, PartialEq)]
pub struct Links {
    /// Names, altnames, globs and hardware addresses. There is at least one.
    pub entries: Vec<LinkName>,
    /// The entries `!glob`: links that are excluded.
    pub exclude: Vec<Pattern>,
    /// How many of the links must satisfy the items.
    pub quorum: Quorum,
    /// Whether the items were implied instead of written. Then a port of a bridge, bond or team only needs carrier,
    /// because the addresses belong to its master.
    pub implied: bool,
}

/// How an `interface` list entry names links.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkName {
    /// Exactly one ifname or altname, in its [spelling](crate::ifname).
    Exact(String),
    /// A shell pattern for ifnames and altnames. It never matches loopback and ports.
    Glob(Pattern),
    /// A hardware address: IFLA_PERM_ADDRESS, or IFLA_ADDRESS if the link has none.
    Mac(Vec<u8>),
}

/// How many of a clause's links must satisfy it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// Every entry. A name needs its link; a glob needs at least one of its links.
    Each,
    /// This many links in all. Each link counts once.
    AtLeast(usize),
    /// Every entry, and every link that a glob matches.
    All,
}

/// What must exist for a clause with `if-present` to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A link that the clause's interface list matches.
    Link,
    /// A family: a default route of the family, or an address of the family with global scope on a link that has a
    /// default route.
    Family(Family),
}

/// One thing that a gate asks for. Each kind of requirement has a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The link has carrier (only for links).
    Carrier,
    /// There is a usable address of this kind.
    Address(AddressSpec),
    /// There is a live route in a table.
    Route(RouteSpec),
    /// The kernel's own lookup finds a usable route to the target.
    RouteTo(RouteTo),
    /// What pasta would copy into a container is usable (only for the host).
    Pasta,
    /// resolv.conf names a server (only for the host).
    Nameserver,
    /// Another host answers (only for the host).
    Probe(Probe),
    /// The default gateway of one family, or of either, answers (only for the host).
    Gateway(Gateway),
}

/// The keys of each kind: the key that asks for it, and the keys that refine it. Kinds are reported and written in
/// this order.
///
/// A new kind needs a line here, one in [`Item`], and one in `Item::requirement`.
pub(crate) static KINDS: &[&[&Key]] = &[
    &[&carrier::CARRIER],
    &[&address::ADDRESS],
    &[&route::ROUTE, &route::TABLE],
    &[&route_to::ROUTE_TO, &route_to::FROM],
    &[&pasta::PASTA],
    &[&nameserver::NAMESERVER],
    &[&probe::DNS],
    &[&probe::TCP],
    &[&probe::HTTP, &probe::EXPECT],
    &[&probe::PING],
    &[&gateway::GATEWAY],
];

impl Item {
    /// Returns the implementation of the item's kind.
    pub(crate) fn requirement(&self) -> &dyn Requirement {
        match self {
            Item::Carrier => &carrier::Carrier,
            Item::Address(spec) => spec,
            Item::Route(spec) => spec,
            Item::RouteTo(wanted) => wanted,
            Item::Pasta => &pasta::Pasta,
            Item::Nameserver => &nameserver::Nameserver,
            Item::Probe(probe) => probe,
            Item::Gateway(gateway) => gateway,
        }
    }

    /// Whether the item sends something to find out. All other items are read from the kernel and resolv.conf.
    pub fn is_active(&self) -> bool {
        self.requirement().key().asks() == Some(AskedOf::Others)
    }

    /// Returns the family that the item asks for. `None` if either family is enough, or if the item has no family.
    pub fn family(&self) -> Option<Family> {
        self.requirement().family()
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(self.requirement()).fmt(f)
    }
}

/// An address family: IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, which the kernel calls AF_INET.
    V4,
    /// IPv6, which the kernel calls AF_INET6.
    V6,
}

impl Family {
    /// Both families, in the order in which reports show them.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// Returns the family's prefix of length 0.
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

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkName::Exact(name) => f.write_str(name),
            LinkName::Glob(pattern) => f.write_str(pattern.as_str()),
            LinkName::Mac(octets) => write!(f, "mac:{}", MacText(octets)),
        }
    }
}

/// Writes a hardware address as `ip link` does.
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

#[cfg(test)]
mod tests;
