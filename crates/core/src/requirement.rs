//! What a gate asks for: the types that a gate file and the options are parsed into, and the kinds of requirement.
//!
//! [`config`](crate::config) makes only valid values of these types: a gate has at least one clause, a clause has at
//! least one item, and a quorum can be reached.
//!
//! Each kind of requirement has a file below this one. It holds all that is particular to the kind: its rows of the
//! table of keys (with the option and its help text), what must be read to judge it, and how it is judged, by itself
//! or by a call into [`evaluate`](mod@crate::evaluate). [`Item`] and the `KINDS` behind it are the registry.

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

/// The rows of the table of keys that are called by name elsewhere.
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
    /// The clauses, at least one. The gate is met if every clause is met.
    pub clauses: Vec<Clause>,
    /// Where it was written; no part of what is asked.
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
    /// Say so in STATUS= and the journal.
    Report,
    /// End `run` with exit code 1 once the loss has lasted `settle`.
    Fail,
}

/// A clause of a gate: what one link, or the host, must have (`[[require]]`).
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

/// One thing asked for: a variant for each kind of requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The link has carrier (only of links).
    Carrier,
    /// There is a usable address of this kind.
    Address(AddressSpec),
    /// A live route in a table.
    Route(RouteSpec),
    /// The kernel's own lookup finds a usable way there.
    RouteTo(RouteTo),
    /// What pasta would copy into a container is usable (only of the host).
    Pasta,
    /// resolv.conf names a server (only of the host).
    Nameserver,
    /// Somebody else answers (only of the host).
    Probe(Probe),
    /// The default gateway, either family's or this one's, answers (only of the host).
    Gateway(Gateway),
}

/// The keys of each kind: what asks for it, and what refines that. In this order kinds are reported and written.
///
/// A new kind has a line here, one in [`Item`], and one in `Item::requirement`.
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
    /// What its kind brings.
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

    /// Whether something is sent to find out. All else is read from the kernel and resolv.conf.
    pub fn is_active(&self) -> bool {
        self.requirement().key().asks() == Some(AskedOf::Others)
    }

    /// The family that it asks for; `None` if either will do or none is meant.
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

#[cfg(test)]
mod tests;
