//! The result of an evaluation, as data: which requirements are met and by what, which are unmet and why.
//! The module [`report`](crate::report) turns it into text.

mod code;

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::model::{Carrierless, Message, Network, NextHop, Question, Route, RouteChange, RouteKind};
use crate::moment::Moment;
use crate::requirement::{AddressSpec, Family, Item, Probe, RouteSpec, RouteTo, TABLE_MAIN};
use crate::wants::SHORT;

pub use code::ReasonCode;

/// The result of evaluating a gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// One entry per clause of the gate, in the gate's order.
    pub clauses: Vec<ClauseVerdict>,
    /// Whether a wanted link has carrier. It is `false` if the gate has no `no-carrier-timeout`, because nothing
    /// else uses it.
    pub carrier: bool,
    /// The reason that none of the host's uplinks has carrier, if the host lacks an address or a route that any
    /// link could bring. `None` if an uplink has carrier, if there is no uplink, or if nothing of that kind is
    /// unmet.
    pub no_uplink: Option<Box<Reason>>,
    /// Routing tables that must be read first, by family and number. The gate is not ready until then.
    pub unread: BTreeSet<(Family, u32)>,
    /// The questions for probes. Each has the time (`recheck`) after which it is asked again once it was answered.
    /// There are no questions while a required item that is not a probe is unmet.
    pub questions: BTreeMap<Question, Option<Duration>>,
    /// Faults that keep no requirement from being met.
    pub warnings: Vec<Warning>,
}

/// The result of evaluating a clause.
#[derive(Debug, Clone, PartialEq)]
pub struct ClauseVerdict {
    /// Whether all rows hold. A clause that does not count is met.
    pub met: bool,
    /// The clause's `grace`: how long a gate that is otherwise ready waits for the clause.
    pub grace: Option<Duration>,
    /// How many links satisfy the clause, if it names links.
    pub tally: Option<Tally>,
    /// One row per item that counts, for each link that counts. There is at least one row.
    pub rows: Vec<Row>,
}

/// How many links satisfy a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many links satisfy the clause now.
    pub met: usize,
    /// How many links must satisfy the clause.
    pub needed: usize,
    /// How many links are counted, including those that are missing by their name.
    pub of: usize,
}

/// One item of a clause, checked for one link or for the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The item that was checked.
    pub item: Item,
    /// The name of the link. `None` if the item was checked for the host, or if a pattern matches no link.
    pub link: Option<String>,
    /// Whether the item is met.
    pub outcome: Outcome,
}

/// Whether an item is met.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The item is met by this.
    Met(Evidence),
    /// The item is unmet for this reason.
    Unmet(Reason),
    /// The item does not count, because its link or family is not there (`if-present`).
    NotPresent,
    /// The item does not count, because probes are switched off (`--no-probes`).
    NotAsked,
}

/// What meets an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A link that has carrier.
    Link {
        /// The kernel's number of the link (ifindex).
        ifindex: u32,
        /// The link's name at this moment.
        ifname: String,
    },
    /// An address that a program can use.
    Address(AddressRef),
    /// A route in a table.
    Route {
        /// The route, by the next hop that is usable.
        route: RouteRef,
        /// The address that packets on this route leave from.
        source: AddressRef,
    },
    /// The kernel's answer to a route lookup.
    Lookup {
        /// The address that was looked up.
        target: IpAddr,
        /// The path to the target. Its destination is only the target, because a lookup does not tell the prefix.
        route: RouteRef,
        /// The address that a connection to the target leaves from.
        source: AddressRef,
    },
    /// The routes that pasta would copy, of each family that has one.
    Pasta(Vec<RouteRef>),
    /// The first nameserver in resolv.conf.
    Nameserver(String),
    /// The answer to a probe.
    Answer {
        /// The probe that was answered.
        probe: Probe,
        /// The answer in words, for the report.
        answer: String,
    },
}

/// An address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRef {
    /// The address, without its prefix length.
    pub address: IpAddr,
    /// The kernel's number of the link (ifindex).
    pub ifindex: u32,
    /// The link's name at this moment.
    pub ifname: String,
}

/// A route, with one of its next hops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteRef {
    /// The prefix that the route is for.
    pub destination: IpNet,
    /// The router. `None` if the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The kernel's number of the link that packets leave by (oif).
    pub ifindex: u32,
    /// That link's name at this moment.
    pub ifname: String,
    /// The number of the routing table.
    pub table: u32,
    /// The route's metric. The kernel prefers a low one.
    pub metric: u32,
    /// The nexthop object that the route is made of. A lookup for a target does not tell it.
    pub nexthop: Option<u32>,
}

/// Why an item is unmet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No link has this name, matches this pattern, or has this hardware address.
    Absent {
        /// The name, pattern or hardware address as written.
        name: String,
    },
    /// The table is that of a VRF, but no link has this name, or the link is not a VRF.
    NoVrf {
        /// The name as written.
        name: String,
    },
    /// The clause needs more links than there are.
    TooFew {
        /// How many links match.
        there: usize,
        /// How many links the quorum needs.
        needed: usize,
    },
    /// The link cannot carry traffic.
    Carrier {
        /// The link's name at this moment.
        ifname: String,
        /// What keeps the link from carrying traffic.
        why: Carrierless,
    },
    /// None of several links that could be an uplink can carry traffic.
    NoUplink {
        /// The names of the first three links.
        links: Vec<String>,
        /// How many more links there are.
        more: usize,
    },
    /// There is no such address.
    NoAddress {
        /// The address that the requirement asks for.
        spec: AddressSpec,
        /// The only link that counts. `None` if any link of the host counts.
        ifname: Option<String>,
        /// A link-local address, if there are no other addresses of the family.
        link_local: Option<IpAddr>,
        /// Whether an IPv6 address is wanted and IPv6 is disabled on the link.
        disabled: bool,
    },
    /// The address is there but cannot be used.
    Unusable {
        /// The address that is nearest to being usable, or the one whose fault the administrator must mend.
        address: AddressRef,
        /// What keeps the address from being used.
        why: Unusable,
    },
    /// There is no such route.
    NoRoute {
        /// The route that the requirement asks for.
        spec: RouteSpec,
        /// The only link that counts. `None` if any link of the host counts.
        ifname: Option<String>,
    },
    /// The route exists but carries no traffic.
    DeadRoute {
        /// The route, by the next hop that `why` is about.
        route: RouteRef,
        /// What keeps the route from carrying traffic.
        why: Dead,
    },
    /// The route exists but refuses: unreachable, blackhole, prohibit, throw.
    RefusingRoute {
        /// The route that the requirement asks for.
        spec: RouteSpec,
        /// The way in which the route refuses.
        kind: RouteKind,
        /// The refusing route's metric.
        metric: u32,
    },
    /// The kernel selects a route that is unusable. A usable one stands behind it and is not used.
    HiddenRoute {
        /// Why the route that the kernel selects is unusable.
        taken: Box<Reason>,
        /// Whether the link of the selected route has no carrier, and the kernel is not told to skip such
        /// routes (`ignore_routes_with_linkdown`).
        linkdown: bool,
        /// The usable route behind it.
        hidden: RouteRef,
    },
    /// The route exists but leaves through another link.
    WrongLink {
        /// The route through the other link.
        route: RouteRef,
        /// The link or links that it should leave through.
        wanted: String,
    },
    /// The route exists, but there is no usable source address.
    NoSource {
        /// The route without a source.
        route: RouteRef,
        /// The unusable address that the route asks for or that the kernel would use, if there is one.
        source: Option<IpAddr>,
    },
    /// The kernel refuses the lookup.
    Unreachable {
        /// What was looked up.
        wanted: RouteTo,
        /// The kernel's error, as in errno(3).
        errno: i32,
    },
    /// The target of a lookup is a broadcast address.
    Broadcast {
        /// The address that was looked up.
        target: IpAddr,
    },
    /// No packet comes to a default route that is usable.
    NotReached {
        /// The usable route.
        route: RouteRef,
        /// What keeps packets from it.
        why: Unreached,
    },
    /// The answer to a lookup, or resolv.conf, was not read yet.
    Unread,
    /// What pasta would copy does not give a container a working network.
    Pasta {
        /// The route that pasta would select. `None` if there is no route.
        route: Option<RouteRef>,
        /// Whether the route is a default route.
        default: bool,
        /// What is wrong with the selection.
        why: PastaFault,
    },
    /// resolv.conf names no server. If it cannot be read, the error says why.
    NoNameserver(Option<String>),
    /// The last try of a probe failed.
    ProbeFailed {
        /// The question that the probe asked.
        question: Question,
        /// The failure in words, for the report.
        why: String,
    },
    /// Probes cannot be tried, because netready's own program for them does not run. The error says why.
    NoProbeProgram(String),
    /// A probe was not tried yet, or its first try is not over.
    NotTried {
        /// The item that asks for the probe.
        item: Item,
        /// Whether the first try runs or is about to. If not, the probe waits until all passive requirements
        /// are met.
        begun: bool,
    },
}

/// Why an address cannot be used. The order matters: of several unusable addresses, the report names the one
/// with the greatest fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    /// The link of the address has no carrier.
    NoCarrier,
    /// The preferred lifetime of the address is over.
    Deprecated,
    /// Duplicate address detection has not finished.
    Tentative,
    /// Duplicate address detection cannot begin, because the link has no carrier.
    TentativeNoCarrier,
    /// Duplicate address detection found the address in use by another host.
    DadFailed,
}

/// What keeps all packets from a default route of the main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// A policy rule refuses, or no rule leads to the main table, or a rule leads to a table that refuses.
    ByRules,
    /// Routes of short prefixes in the main table refuse, such as `blackhole 0.0.0.0/1`.
    ByRoutes,
    /// The route is for this source prefix, and the kernel selects a source address outside it.
    ForOtherSources(IpNet),
}

/// Why a route carries no traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dead {
    /// The link of the route cannot carry traffic.
    Link(Carrierless),
    /// The kernel flags the next hop `dead` or `linkdown`, or the link is gone.
    Flagged,
    /// The lifetime of the route is over.
    Expired,
    /// The link of the route is a loopback or dummy link, and no packet leaves the host through such a link.
    LeadsNowhere,
    /// The link of the route is a port of the bridge, bond or team with this name. That one receives all packets, also the
    /// answers to ARP, so the kernel finds no gateway on the port (seen on Linux 6.18 with a bridge).
    Port(String),
}

/// What is wrong with the route that pasta would select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PastaFault {
    /// The link of the route has no carrier. Its routes are flagged `linkdown`, and pasta dies when it copies them.
    Carrier(Carrierless),
    /// The route is flagged `linkdown` although its link has carrier.
    Linkdown,
    /// There is no route in either family.
    Nothing,
    /// The route is not a default route. The container would have no default route for its whole life.
    NoDefault,
    /// The link of the route is a loopback or dummy link.
    LeadsNowhere,
    /// The link of the route has no address of the family that pasta could copy.
    NoAddress,
    /// The gateway of the route is not on the link.
    GatewayOffLink,
    /// The route is flagged `dead`, or its lifetime is over.
    Dead,
}

/// A fault that keeps no requirement from being met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// This address failed duplicate address detection. Another address meets the requirement.
    DadFailed(AddressRef),
    /// A next hop carries no traffic. Another next hop of the same route meets the requirement.
    DeadHop {
        /// The route by the faulty next hop.
        route: RouteRef,
        /// What keeps the next hop from carrying traffic.
        why: Dead,
        /// Whether the kernel still sends packets to the faulty next hop.
        used: bool,
    },
    /// pasta drops a multipath default route over several links, so the container will have no default route.
    PastaMultipath(RouteRef),
}

impl Carrierless {
    /// The code of this reason, for scripts.
    pub fn code(&self) -> ReasonCode {
        match self {
            Carrierless::AdminDown => ReasonCode::AdminDown,
            Carrierless::Dormant => ReasonCode::Dormant,
            Carrierless::NoCarrier(_) | Carrierless::NoPort(_) | Carrierless::Lower(_) => {
                ReasonCode::NoCarrier
            }
        }
    }
}

impl Reason {
    /// Whether a probe gave this reason, or waits to be tried. Everything else is passive.
    pub fn is_of_a_probe(&self) -> bool {
        matches!(self, Reason::ProbeFailed { .. } | Reason::NoProbeProgram(_) | Reason::NotTried { .. })
    }

    /// Whether the host lacks an address or a route that any link could bring. Then the root cause may be that no
    /// uplink has carrier.
    fn asks_for_an_uplink(&self) -> bool {
        match self {
            Reason::NoAddress { spec, ifname: None, disabled: false, .. } => {
                !matches!(spec, AddressSpec::Exact(_))
            }
            Reason::NoRoute { ifname: None, .. } => true,
            Reason::Pasta { route: None, .. } => true,
            Reason::Unreachable { wanted, .. } => wanted.zone.is_none() && wanted.vrf.is_none(),
            Reason::Absent { .. }
            | Reason::NoVrf { .. }
            | Reason::TooFew { .. }
            | Reason::Carrier { .. }
            | Reason::NoUplink { .. }
            | Reason::NoAddress { .. }
            | Reason::Unusable { .. }
            | Reason::NoRoute { .. }
            | Reason::DeadRoute { .. }
            | Reason::RefusingRoute { .. }
            | Reason::HiddenRoute { .. }
            | Reason::WrongLink { .. }
            | Reason::NoSource { .. }
            | Reason::Broadcast { .. }
            | Reason::NotReached { .. }
            | Reason::Unread
            | Reason::Pasta { .. }
            | Reason::NoNameserver(_)
            | Reason::ProbeFailed { .. }
            | Reason::NoProbeProgram(_)
            | Reason::NotTried { .. } => false,
        }
    }

    /// Returns the link that causes the reason, if it is one link.
    pub fn link(&self) -> Option<&str> {
        match self {
            // The name must not be a pattern or a hardware address.
            Reason::Absent { name } => {
                Some(name.as_str()).filter(|name| !name.contains(['*', '?', '[', ':']))
            }
            Reason::Carrier { ifname, .. } => Some(ifname),
            Reason::NoAddress { ifname, .. } | Reason::NoRoute { ifname, .. } => ifname.as_deref(),
            Reason::Unusable { address, .. } => Some(&address.ifname),
            Reason::DeadRoute { route, .. }
            | Reason::WrongLink { route, .. }
            | Reason::NoSource { route, .. }
            | Reason::NotReached { route, .. } => Some(&route.ifname),
            Reason::HiddenRoute { taken, .. } => taken.link(),
            Reason::Pasta { route, .. } => route.as_ref().map(|route| route.ifname.as_str()),
            Reason::ProbeFailed { question: Question::Neighbour { ifname, .. }, .. } => Some(ifname),
            Reason::NoVrf { .. }
            | Reason::TooFew { .. }
            | Reason::NoUplink { .. }
            | Reason::RefusingRoute { .. }
            | Reason::Unreachable { .. }
            | Reason::Broadcast { .. }
            | Reason::Unread
            | Reason::NoNameserver(_)
            | Reason::ProbeFailed { question: Question::Probe(_), .. }
            | Reason::NoProbeProgram(_)
            | Reason::NotTried { .. } => None,
        }
    }

    /// The code of this reason, for scripts.
    pub fn code(&self) -> ReasonCode {
        match self {
            Reason::Absent { .. } | Reason::NoVrf { .. } | Reason::TooFew { .. } => ReasonCode::Absent,
            Reason::Carrier { why, .. } => why.code(),
            Reason::NoUplink { .. } => ReasonCode::NoCarrier,
            Reason::NoAddress { .. } => ReasonCode::NoAddress,
            Reason::Unusable { why, .. } => match why {
                Unusable::NoCarrier => ReasonCode::NoCarrier,
                Unusable::Deprecated => ReasonCode::Deprecated,
                Unusable::Tentative | Unusable::TentativeNoCarrier => ReasonCode::Tentative,
                Unusable::DadFailed => ReasonCode::DadFailed,
            },
            Reason::NoRoute { .. } | Reason::RefusingRoute { .. } => ReasonCode::NoRoute,
            Reason::DeadRoute { .. } => ReasonCode::RouteDead,
            Reason::HiddenRoute { .. } | Reason::NotReached { .. } => ReasonCode::RouteHidden,
            Reason::NoSource { .. } => ReasonCode::NoSource,
            Reason::WrongLink { .. } => ReasonCode::WrongLink,
            Reason::Unreachable { .. } | Reason::Broadcast { .. } => ReasonCode::Unreachable,
            Reason::Unread => ReasonCode::NotRead,
            Reason::Pasta { why, .. } => match why {
                PastaFault::Carrier(why) => why.code(),
                PastaFault::Nothing | PastaFault::NoDefault => ReasonCode::NoRoute,
                PastaFault::NoAddress => ReasonCode::NoAddress,
                PastaFault::LeadsNowhere
                | PastaFault::GatewayOffLink
                | PastaFault::Linkdown
                | PastaFault::Dead => ReasonCode::RouteDead,
            },
            Reason::NoNameserver(_) => ReasonCode::NoNameserver,
            Reason::ProbeFailed { .. } => ReasonCode::ProbeFailed,
            Reason::NoProbeProgram(_) => ReasonCode::ProbeProgram,
            Reason::NotTried { .. } => ReasonCode::NotTried,
        }
    }
}

impl Outcome {
    /// Whether the clause can be met with this outcome. Items that do not count hold too.
    pub fn holds(&self) -> bool {
        !matches!(self, Outcome::Unmet(_))
    }
}

impl ClauseVerdict {
    /// Returns why rows of the clause are unmet. It leaves out probes that wait for other requirements, because
    /// these have reasons of their own.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.rows.iter().filter_map(Row::reason)
    }

    pub(crate) fn asks_for_an_uplink(&self, reason: &Reason) -> bool {
        self.tally.is_none() && reason.asks_for_an_uplink()
    }
}

impl Row {
    /// Returns why the row is unmet. `None` for a probe that waits for other requirements.
    pub(crate) fn reason(&self) -> Option<&Reason> {
        match &self.outcome {
            Outcome::Unmet(Reason::NotTried { begun: false, .. }) => None,
            Outcome::Unmet(reason) => Some(reason),
            Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => None,
        }
    }
}

impl Verdict {
    /// Whether no table must be read and every clause without a grace is met. The state machine of
    /// the gate decides how long to wait for clauses with a grace.
    pub fn ready(&self) -> bool {
        self.unread.is_empty() && self.clauses.iter().all(|clause| clause.met || clause.grace.is_some())
    }

    /// Returns the verdict for the case that probes are switched off. Probes keep their rows but do not count.
    pub fn without_probes(mut self) -> Verdict {
        self.questions.clear();
        for clause in &mut self.clauses {
            let mut active: Vec<&mut Row> = clause
                .rows
                .iter_mut()
                .filter(|row| row.item.is_active() && row.outcome != Outcome::NotPresent)
                .collect();
            for row in &mut active {
                row.outcome = Outcome::NotAsked;
            }
            if !active.is_empty() {
                clause.met = clause.rows.iter().all(|row| row.outcome.holds());
            }
        }
        self
    }

    /// Returns the rows of all clauses, each with its clause.
    pub fn rows(&self) -> impl Iterator<Item = (&ClauseVerdict, &Row)> {
        self.clauses.iter().flat_map(|clause| clause.rows.iter().map(move |row| (clause, row)))
    }

    /// Returns the clauses that hold the gate shut, in the gate's order. If a required clause is unmet, these are
    /// the required ones; otherwise they are the clauses with a grace.
    pub fn unmet(&self) -> impl Iterator<Item = &ClauseVerdict> {
        let required = !self.ready();
        self.clauses.iter().filter(move |clause| clause.grace.is_none() == required && !clause.met)
    }

    /// Returns the reason that stands for all: the first reason, or its root cause. `None` if nothing is unmet, or
    /// if only tables must be read.
    pub fn leading(&self) -> Option<&Reason> {
        let (clause, first) = self.unmet().find_map(|clause| Some((clause, clause.reasons().next()?)))?;
        self.root(clause, first).or(Some(first))
    }

    /// Returns the root cause of a reason of a clause: that no uplink has carrier.
    pub(crate) fn root(&self, clause: &ClauseVerdict, reason: &Reason) -> Option<&Reason> {
        self.no_uplink.as_deref().filter(|_| clause.asks_for_an_uplink(reason))
    }

    /// Returns what meets the gate's requirements, in the gate's order.
    pub(crate) fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.rows().filter_map(|(_, row)| match &row.outcome {
            Outcome::Met(evidence) => Some(evidence),
            Outcome::Unmet(_) | Outcome::NotPresent | Outcome::NotAsked => None,
        })
    }

    /// Returns the routes that pasta would copy. If they change, the settle time starts again.
    pub fn pasta_choice(&self) -> Option<&[RouteRef]> {
        self.evidence().find_map(|evidence| match evidence {
            Evidence::Pasta(taken) => Some(taken.as_slice()),
            Evidence::Link { .. }
            | Evidence::Address(_)
            | Evidence::Route { .. }
            | Evidence::Lookup { .. }
            | Evidence::Nameserver(_)
            | Evidence::Answer { .. } => None,
        })
    }

    /// Whether a requirement is met by this link's carrier, or by an address or route of the link.
    pub fn rests_on_link(&self, ifindex: u32) -> bool {
        self.links().any(|link| link == ifindex)
    }

    /// Returns the links whose carrier, address or route meets a requirement.
    pub fn links(&self) -> impl Iterator<Item = u32> {
        self.evidence().flat_map(Evidence::links)
    }

    /// Whether a requirement is met by a route.
    pub fn rests_on_routes(&self) -> bool {
        self.evidence().any(|evidence| !evidence.routes().is_empty())
    }

    /// Returns the routes that meet requirements.
    pub fn routes(&self) -> impl Iterator<Item = &RouteRef> {
        self.evidence().flat_map(Evidence::routes)
    }

    /// Whether this route meets a requirement.
    pub fn rests_on_route(&self, route: &RouteRef) -> bool {
        self.routes().any(|held| held == route)
    }

    /// Returns the routes that meet requirements and have a lifetime, and when each of them ends, as the network knows it.
    pub fn ends(&self, network: &Network, now: Moment) -> BTreeMap<RouteRef, Moment> {
        let end = |evidence: &Evidence, route: &RouteRef| match evidence {
            Evidence::Lookup { target, .. } => network.lookup_ends(*target).filter(|end| *end > now),
            Evidence::Route { .. }
            | Evidence::Pasta(_)
            | Evidence::Link { .. }
            | Evidence::Address(_)
            | Evidence::Nameserver(_)
            | Evidence::Answer { .. } => {
                let known = network.routes.all().filter(|known| route.is_by_hop_of(known));
                known.filter_map(|known| known.expires).filter(|end| *end > now).min()
            }
        };
        let all =
            self.evidence().flat_map(|evidence| evidence.routes().iter().map(move |route| (evidence, route)));
        all.filter_map(|(evidence, route)| Some((route.clone(), end(evidence, route)?))).collect()
    }

    /// Returns the links of a route that was added, if the kernel may take it instead of one that meets a requirement.
    /// `before` is the network without the message.
    pub fn links_of_a_better_route(&self, message: &Message, before: &Network) -> BTreeSet<u32> {
        match message {
            Message::Route(added, RouteChange::Added | RouteChange::Appended)
                if self.evidence().any(|evidence| evidence.may_be_behind(added, before)) =>
            {
                added.hops.iter().map(|hop| hop.ifindex).collect()
            }
            Message::Route(..)
            | Message::Link(_)
            | Message::LinkGone(_)
            | Message::Address(_)
            | Message::AddressGone(_)
            | Message::Rule(_)
            | Message::Nexthop(_)
            | Message::NexthopGone(_)
            | Message::IgnoreLinkdown(_) => BTreeSet::new(),
        }
    }

    /// Returns the links of the routes that ordinary traffic takes instead of a default route that meets a requirement.
    pub fn links_taken_instead(&self, network: &Network) -> impl Iterator<Item = u32> {
        let held = self.evidence().flat_map(Evidence::routes).filter(|route| route.is_default_of_main());
        let taken = held.filter_map(|route| network.routes.preferred.get(&route.destination)).flatten();
        taken.flat_map(|route| route.hops.iter().map(|hop| hop.ifindex))
    }

    /// Whether a link or an address that meets a requirement has other flags in another state of the network, or is not
    /// there.
    pub(crate) fn is_touched(&self, known: &Network, other: &Network) -> bool {
        let link = |network: &Network, ifindex| network.link(ifindex).map(|link| link.flags);
        let address = |network: &Network, held: &AddressRef| {
            let mut addresses = network.addresses_of(held.ifindex);
            addresses.find(|address| address.local == held.address).map(|address| address.flags)
        };
        self.links().any(|ifindex| link(known, ifindex) != link(other, ifindex))
            || self
                .evidence()
                .filter_map(Evidence::address)
                .any(|held| address(known, held) != address(other, held))
    }

    /// Whether a requirement is met by this address, or by a route that has it as the source.
    pub fn rests_on_address(&self, address: IpAddr) -> bool {
        self.evidence().filter_map(Evidence::address).any(|held| held.address == address)
    }

    /// Whether this message removes, replaces or interrupts something that meets a requirement. It counts even
    /// if a later message restores it. `before` is the network without the message.
    pub fn interrupted_by(&self, message: &Message, before: &Network) -> bool {
        self.evidence().any(|evidence| evidence.interrupted_by(message, before))
    }
}

impl Evidence {
    fn interrupted_by(&self, message: &Message, before: &Network) -> bool {
        match message {
            Message::Link(link) => before.restarts_detection(link) && self.rests_on_link(link.ifindex),
            // Continuity looks at all links that the hold has rested on.
            Message::LinkGone(_) => false,
            Message::AddressGone(gone) => {
                let is = |held: &AddressRef| {
                    held.ifindex == gone.ifindex
                        && (held.address == gone.local
                            || before.secondaries_of(gone).any(|secondary| secondary == held.address))
                };
                self.address().is_some_and(is)
            }
            Message::Route(_, RouteChange::Appended) => false,
            // The kernel adds a route that already existed. So the route was gone in between; the kernel does not
            // announce every removal.
            Message::Route(changed, RouteChange::Added) => match self {
                Evidence::Route { route, .. } => {
                    // A route of a nexthop object can go again without a message.
                    let may_interrupt = leads_nowhere(changed) || changed.nexthop.is_some();
                    route.is(changed) || (may_interrupt && route.may_be_behind(changed, before))
                }
                Evidence::Pasta(taken) => taken.iter().any(|route| route.is(changed)),
                // A better route may have come after it.
                Evidence::Lookup { target, .. } => {
                    leads_nowhere(changed) && changed.destination.contains(target)
                }
                Evidence::Link { .. }
                | Evidence::Address(_)
                | Evidence::Nameserver(_)
                | Evidence::Answer { .. } => false,
            },
            Message::Route(changed, RouteChange::Replaced | RouteChange::Gone) => match self {
                // If the other route stood before this one, it may have led nowhere.
                Evidence::Route { route, .. } => route.is(changed) || route.may_be_behind(changed, before),
                Evidence::Pasta(taken) => taken.iter().any(|route| route.is(changed)),
                // A lookup does not tell which route it used. It may have been the one that was replaced or removed.
                // Or that one came after the lookup, and led nowhere while it was there.
                Evidence::Lookup { target, .. } => changed.destination.contains(target),
                Evidence::Link { .. }
                | Evidence::Address(_)
                | Evidence::Nameserver(_)
                | Evidence::Answer { .. } => false,
            },
            // While the rule was there, or was not, the target may have been out of reach, or every host.
            Message::Rule(family) => match self {
                Evidence::Route { route, .. } => {
                    route.is_default_of_main() && Family::of(route.destination.addr()) == *family
                }
                Evidence::Lookup { target, .. } => Family::of(*target) == *family,
                Evidence::Link { .. }
                | Evidence::Address(_)
                | Evidence::Pasta(_)
                | Evidence::Nameserver(_)
                | Evidence::Answer { .. } => false,
            },
            Message::Address(_) => false,
            // The routes of a nexthop object that changed, and of a group that lost a member, are not always announced
            // (net.ipv4.nexthop_compat_mode).
            Message::Nexthop(id) => self.routes().iter().any(|route| route.nexthop == Some(*id)),
            // Which routes went with it is not told. They may be back before that is announced. What a lookup used is not
            // known.
            Message::NexthopGone(id) => {
                matches!(self, Evidence::Lookup { .. })
                    || self.routes().iter().any(|route| route.nexthop == Some(*id))
            }
            // Meanwhile the kernel may have taken a dead route. A new link has no routes.
            Message::IgnoreLinkdown(link) => {
                let known = link.is_none_or(|link| before.link(link).is_some());
                known && matches!(self, Evidence::Route { .. } | Evidence::Lookup { .. })
            }
        }
    }

    fn rests_on_link(&self, ifindex: u32) -> bool {
        self.links().any(|link| link == ifindex)
    }

    /// Whether the kernel may take this new route instead of the one that meets the requirement.
    fn may_be_behind(&self, added: &Route, before: &Network) -> bool {
        match self {
            // A lookup does not tell which route it used.
            Evidence::Lookup { target, .. } => added.destination.contains(target),
            Evidence::Route { route, .. } => route.is(added) || route.may_be_behind(added, before),
            // pasta reads the main table only, and copies what it finds there.
            Evidence::Pasta(taken) => taken.iter().any(|route| route.is(added) || route.is_behind(added)),
            Evidence::Link { .. }
            | Evidence::Address(_)
            | Evidence::Nameserver(_)
            | Evidence::Answer { .. } => false,
        }
    }

    /// The links whose carrier, address or route this is.
    fn links(&self) -> impl Iterator<Item = u32> {
        let link = if let Evidence::Link { ifindex, .. } = self { Some(*ifindex) } else { None };
        let own = link.or(self.address().map(|address| address.ifindex));
        own.into_iter().chain(self.routes().iter().map(|route| route.ifindex))
    }

    /// The address that this is, or the source of the route.
    fn address(&self) -> Option<&AddressRef> {
        match self {
            Evidence::Address(held) => Some(held),
            Evidence::Route { source, .. } | Evidence::Lookup { source, .. } => Some(source),
            Evidence::Link { .. }
            | Evidence::Pasta(_)
            | Evidence::Nameserver(_)
            | Evidence::Answer { .. } => None,
        }
    }

    /// The routes that this is made of.
    pub(crate) fn routes(&self) -> &[RouteRef] {
        match self {
            Evidence::Route { route, .. } | Evidence::Lookup { route, .. } => core::slice::from_ref(route),
            Evidence::Pasta(taken) => taken,
            Evidence::Link { .. }
            | Evidence::Address(_)
            | Evidence::Nameserver(_)
            | Evidence::Answer { .. } => &[],
        }
    }
}

/// Whether a route refuses, or none of its next hops can be used.
fn leads_nowhere(route: &Route) -> bool {
    route.kind != RouteKind::Unicast || route.hops.iter().all(|hop| hop.dead || hop.linkdown)
}

impl RouteRef {
    /// Whether a message is about this route. For the kernel, destination, table and metric identify a route.
    fn is(&self, route: &Route) -> bool {
        self.destination == route.destination
            && self.table == route.table
            && self.metric == route.metric
            && route.tos == 0
    }

    /// Whether this is the route, and it has this next hop. Two routers can have a route of the same metric each.
    fn is_by_hop_of(&self, route: &Route) -> bool {
        let same = |hop: &NextHop| (hop.ifindex, hop.gateway) == (self.ifindex, self.gateway);
        self.is(route) && route.hops.iter().any(same)
    }

    /// Whether this is a default route of the main table.
    fn is_default_of_main(&self) -> bool {
        self.destination.prefix_len() == 0 && self.table == TABLE_MAIN
    }

    /// Whether a message is about a route to the same destination that the kernel prefers to this one.
    fn is_behind(&self, route: &Route) -> bool {
        self.destination == route.destination
            && self.table == route.table
            && self.metric > route.metric
            && route.tos == 0
    }

    /// Whether a message is about a route that the kernel may take before it comes to this one. For a default route of
    /// the main table, this can also be a default route of another table, by a policy rule, or a route of a short prefix
    /// such as 0.0.0.0/1. Only packets of a VRF take the routes of its table.
    fn may_be_behind(&self, route: &Route, before: &Network) -> bool {
        let default = route.destination.prefix_len() == 0;
        let takes_ordinary_traffic = self.is_default_of_main()
            && Family::of(self.destination.addr()) == route.family()
            && route.destination.prefix_len() <= SHORT
            && !(default && route.table == TABLE_MAIN)
            && route.tos == 0;
        let of_vrf = || before.links().any(|link| link.vrf_table == Some(route.table));
        self.is_behind(route) || (takes_ordinary_traffic && !of_vrf())
    }
}

#[cfg(test)]
mod tests;
