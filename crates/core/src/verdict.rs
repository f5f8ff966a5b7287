//! The evaluation of a gate against the kernel's state, as data: what is met and by what, what is unmet
//! and why. How it is said is [`report`](crate::report)'s business.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::model::{Carrierless, Message, Network, Question, Route, RouteChange, RouteKind};
use crate::requirement::{AddressSpec, Family, Item, Probe, RouteSpec, RouteTo};

/// A gate evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// One for each of the gate's clauses, in their order.
    pub clauses: Vec<ClauseVerdict>,
    /// Whether some wanted link has carrier (for `no-carrier-timeout`).
    pub carrier: bool,
    /// Tables that must be read before this verdict can be trusted; not ready until then.
    pub unread: BTreeSet<(Family, u32)>,
    /// What is to be asked of others, and how long after it was met again. None while something passive
    /// that is required is unmet.
    pub questions: BTreeMap<Question, Option<Duration>>,
    /// What is met but deserves a word.
    pub warnings: Vec<Warning>,
}

/// A clause evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct ClauseVerdict {
    /// Whether it holds. True of a clause that does not count.
    pub met: bool,
    /// The clause's grace.
    pub grace: Option<Duration>,
    /// One for each thing looked at. Where the clause is met all of them are, where not, one is not.
    pub rows: Vec<Row>,
}

/// One requirement of one link, or of the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What was asked.
    pub item: Item,
    /// Of which link.
    pub link: Option<String>,
    /// With what result.
    pub outcome: Outcome,
}

/// Whether a requirement holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It does, by this.
    Met(Evidence),
    /// It does not, for this.
    Unmet(Reason),
    /// It does not count: what it speaks of is not there (`if-present`).
    NotPresent,
    /// It does not count: nobody is to be asked (`--no-probes`).
    NotAsked,
}

/// What meets a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A link with carrier.
    Link {
        /// Its number.
        ifindex: u32,
        /// Its name.
        ifname: String,
    },
    /// An address.
    Address(AddressRef),
    /// A route, and the address that its packets leave from.
    Route {
        /// The route.
        route: RouteRef,
        /// Its source.
        source: AddressRef,
    },
    /// A lookup's answer.
    Lookup {
        /// What was looked up.
        target: IpAddr,
        /// The way.
        route: RouteRef,
        /// The source that a connection would get.
        source: AddressRef,
    },
    /// What pasta would take, for each family.
    Pasta(Vec<RouteRef>),
    /// A nameserver in resolv.conf.
    Nameserver(String),
    /// Somebody answered.
    Answer {
        /// To what.
        probe: Probe,
        /// What.
        answer: String,
    },
}

/// An address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRef {
    /// The address.
    pub address: IpAddr,
    /// The link's number.
    pub ifindex: u32,
    /// The link's name.
    pub ifname: String,
}

/// A route by one of its next hops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRef {
    /// Where it leads.
    pub destination: IpNet,
    /// The router.
    pub gateway: Option<IpAddr>,
    /// The link's number.
    pub ifindex: u32,
    /// The link's name.
    pub ifname: String,
    /// Its table.
    pub table: u32,
    /// Its metric.
    pub metric: u32,
}

/// Why a requirement is unmet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is no such link, or none that the pattern matches.
    Absent {
        /// The name, pattern or hardware address as written.
        name: String,
    },
    /// A VRF that a table is named by is not there, or the link of that name is no VRF.
    NoVrf {
        /// The name as written.
        name: String,
    },
    /// Fewer links are there than must be met.
    TooFew {
        /// How many are there.
        there: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A link cannot carry traffic.
    Carrier {
        /// Its name.
        ifname: String,
        /// What is the matter.
        why: Carrierless,
    },
    /// No such address, here (or anywhere).
    NoAddress {
        /// What was asked for.
        spec: AddressSpec,
        /// Of which link.
        ifname: Option<String>,
        /// A link-local address is all there is of the family.
        link_local: Option<IpAddr>,
        /// IPv6 is disabled on the link.
        disabled: bool,
    },
    /// An address is there but cannot be used.
    Unusable {
        /// Which and where.
        address: AddressRef,
        /// What is the matter.
        why: Unusable,
    },
    /// No such route.
    NoRoute {
        /// What was asked for.
        spec: RouteSpec,
        /// Through which link.
        ifname: Option<String>,
    },
    /// A route is there but leads nowhere.
    DeadRoute {
        /// Which.
        route: RouteRef,
        /// What is the matter.
        why: Dead,
    },
    /// A route is there that refuses: unreachable, blackhole, prohibit, throw.
    RefusingRoute {
        /// What was asked for.
        spec: RouteSpec,
        /// How.
        kind: RouteKind,
        /// Its metric.
        metric: u32,
    },
    /// The route that the kernel takes is of no use, and so one behind it that would be is not used.
    HiddenRoute {
        /// What is the matter with the route that the kernel takes.
        taken: Box<Reason>,
        /// Its link has no carrier, and ignore_routes_with_linkdown is not set.
        linkdown: bool,
        /// The one behind it.
        hidden: RouteRef,
    },
    /// A route is there but goes through another link.
    WrongLink {
        /// Which.
        route: RouteRef,
        /// What it is asked to leave through.
        wanted: String,
    },
    /// A route is there, and no usable address to send from.
    NoSource {
        /// Which.
        route: RouteRef,
        /// The address that it asks for, where it does, or that the kernel would use.
        source: Option<IpAddr>,
    },
    /// The kernel's lookup says no.
    Unreachable {
        /// What was looked up.
        wanted: RouteTo,
        /// As an errno(3) value.
        errno: i32,
    },
    /// The kernel's answer, or a table, was not read yet.
    Unread,
    /// What pasta would take is not fit to be taken.
    Pasta {
        /// What it would take; nothing where no route is there.
        route: Option<RouteRef>,
        /// Whether it is a default route.
        default: bool,
        /// What is the matter with it.
        why: PastaFault,
    },
    /// resolv.conf names no server; why, where it could not be read.
    NoNameserver(Option<String>),
    /// The last try of a probe failed.
    ProbeFailed {
        /// What was asked.
        question: Question,
        /// What happened.
        why: String,
    },
    /// Probes cannot be tried: netready's own program for them does not run; why.
    NoProbeProgram(String),
    /// A probe was not tried, or its first try is not over.
    NotTried {
        /// Which.
        item: Item,
        /// It is being tried; else it waits until all passive requirements are met.
        begun: bool,
    },
}

/// Why an address cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    /// Its link has no carrier.
    NoCarrier,
    /// Its preferred lifetime is over.
    Deprecated,
    /// Duplicate address detection is not done.
    Tentative,
    /// Duplicate address detection cannot begin: no carrier.
    TentativeNoCarrier,
    /// Somebody else has it.
    DadFailed,
}

/// Why a route leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dead {
    /// Its link cannot carry traffic.
    Link(Carrierless),
    /// The kernel flags it dead or linkdown.
    Flagged,
    /// Its lifetime is over.
    Expired,
    /// Its link is a loopback or dummy link, which no packet leaves the host by.
    LeadsNowhere,
}

/// What is wrong with pasta's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PastaFault {
    /// The link taken has no carrier: pasta copies its routes, flagged linkdown, and dies.
    Carrier(Carrierless),
    /// The route taken is flagged linkdown although its link has carrier.
    Linkdown,
    /// No route at all, in either family.
    Nothing,
    /// No default route: the container would have none for its whole life.
    NoDefault,
    /// The link is a loopback or dummy link.
    LeadsNowhere,
    /// The link has no address of the family to copy.
    NoAddress,
    /// The gateway is not on the link.
    GatewayOffLink,
    /// The default route is dead or expired.
    Dead,
}

/// What deserves a word although it holds nothing back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Another address serves, but this one failed duplicate address detection.
    DadFailed(AddressRef),
    /// Another next hop of a route serves, but this one is dead.
    DeadHop {
        /// The route by this next hop.
        route: RouteRef,
        /// What is the matter with it.
        why: Dead,
        /// Whether the kernel uses it all the same.
        used: bool,
    },
    /// pasta drops a multipath default over several links: the container will have no default route.
    PastaMultipath(RouteRef),
}

/// The stable names of reasons, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "as_str says it, the manual explains it")]
pub enum Code {
    Absent,
    AdminDown,
    NoCarrier,
    Dormant,
    NoAddress,
    Tentative,
    DadFailed,
    Deprecated,
    NoRoute,
    RouteDead,
    RouteHidden,
    NoSource,
    WrongLink,
    Unreachable,
    NoNameserver,
    NotPresent,
    NotRead,
    ProbeFailed,
    ProbeProgram,
    NotTried,
}

impl Code {
    /// All of them.
    pub const ALL: [Code; 20] = [
        Code::Absent,
        Code::AdminDown,
        Code::NoCarrier,
        Code::Dormant,
        Code::NoAddress,
        Code::Tentative,
        Code::DadFailed,
        Code::Deprecated,
        Code::NoRoute,
        Code::RouteDead,
        Code::RouteHidden,
        Code::NoSource,
        Code::WrongLink,
        Code::Unreachable,
        Code::NoNameserver,
        Code::NotPresent,
        Code::NotRead,
        Code::ProbeFailed,
        Code::ProbeProgram,
        Code::NotTried,
    ];

    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Absent => "absent",
            Code::AdminDown => "admin-down",
            Code::NoCarrier => "no-carrier",
            Code::Dormant => "dormant",
            Code::NoAddress => "no-address",
            Code::Tentative => "tentative",
            Code::DadFailed => "dadfailed",
            Code::Deprecated => "deprecated",
            Code::NoRoute => "no-route",
            Code::RouteDead => "route-dead",
            Code::RouteHidden => "route-hidden",
            Code::NoSource => "no-source",
            Code::WrongLink => "wrong-link",
            Code::Unreachable => "unreachable",
            Code::NoNameserver => "no-nameserver",
            Code::NotPresent => "not-present",
            Code::NotRead => "not-read",
            Code::ProbeFailed => "probe-failed",
            Code::ProbeProgram => "probe-program",
            Code::NotTried => "not-tried",
        }
    }
}

impl Carrierless {
    /// Its stable name.
    pub fn code(&self) -> Code {
        match self {
            Carrierless::AdminDown => Code::AdminDown,
            Carrierless::Dormant => Code::Dormant,
            Carrierless::NoCarrier(_) | Carrierless::NoPort(_) | Carrierless::Lower(_) => Code::NoCarrier,
        }
    }
}

impl Reason {
    /// Whether a probe may mend it.
    pub fn is_of_a_probe(&self) -> bool {
        matches!(self, Reason::ProbeFailed { .. } | Reason::NoProbeProgram(_) | Reason::NotTried { .. })
    }

    /// Its stable name.
    pub fn code(&self) -> Code {
        match self {
            Reason::Absent { .. } | Reason::NoVrf { .. } | Reason::TooFew { .. } => Code::Absent,
            Reason::Carrier { why, .. } => why.code(),
            Reason::NoAddress { .. } => Code::NoAddress,
            Reason::Unusable { why, .. } => match why {
                Unusable::NoCarrier => Code::NoCarrier,
                Unusable::Deprecated => Code::Deprecated,
                Unusable::Tentative | Unusable::TentativeNoCarrier => Code::Tentative,
                Unusable::DadFailed => Code::DadFailed,
            },
            Reason::NoRoute { .. } | Reason::RefusingRoute { .. } => Code::NoRoute,
            Reason::DeadRoute { .. } => Code::RouteDead,
            Reason::HiddenRoute { .. } => Code::RouteHidden,
            Reason::NoSource { .. } => Code::NoSource,
            Reason::WrongLink { .. } => Code::WrongLink,
            Reason::Unreachable { .. } => Code::Unreachable,
            Reason::Unread => Code::NotRead,
            Reason::Pasta { why, .. } => match why {
                PastaFault::Carrier(why) => why.code(),
                PastaFault::Nothing | PastaFault::NoDefault => Code::NoRoute,
                PastaFault::NoAddress => Code::NoAddress,
                PastaFault::LeadsNowhere
                | PastaFault::GatewayOffLink
                | PastaFault::Linkdown
                | PastaFault::Dead => Code::RouteDead,
            },
            Reason::NoNameserver(_) => Code::NoNameserver,
            Reason::ProbeFailed { .. } => Code::ProbeFailed,
            Reason::NoProbeProgram(_) => Code::ProbeProgram,
            Reason::NotTried { .. } => Code::NotTried,
        }
    }
}

impl Outcome {
    /// Whether it holds nothing back.
    pub fn holds(&self) -> bool {
        !matches!(self, Outcome::Unmet(_))
    }
}

impl Verdict {
    /// Every clause that must be met is, and nothing is left to be read. Clauses with a grace hold
    /// nothing back here: how long to wait for them is the business of the gate's state.
    pub fn ready(&self) -> bool {
        self.unread.is_empty() && self.clauses.iter().all(|clause| clause.met || clause.grace.is_some())
    }

    /// The same without probes: they are shown and do not count.
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

    /// The rows of all clauses, each with its clause.
    pub fn rows(&self) -> impl Iterator<Item = (&ClauseVerdict, &Row)> {
        self.clauses.iter().flat_map(|clause| clause.rows.iter().map(move |row| (clause, row)))
    }

    fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.rows().filter_map(|(_, row)| match &row.outcome {
            Outcome::Met(evidence) => Some(evidence),
            Outcome::Unmet(_) | Outcome::NotPresent | Outcome::NotAsked => None,
        })
    }

    /// What pasta would take: as long as it stays the same, a settle goes on.
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

    /// Whether it rests on a link: on its carrier, an address or a route of it.
    pub fn rests_on_link(&self, ifindex: u32) -> bool {
        self.evidence().any(|evidence| evidence.rests_on_link(ifindex))
    }

    /// Whether this message takes away, replaces or interrupts something that the verdict rests on,
    /// whatever heals it afterwards. `before` is the state to which the message was not yet applied.
    pub fn interrupted_by(&self, message: &Message, before: &Network) -> bool {
        self.evidence().any(|evidence| evidence.interrupted_by(message, before))
    }
}

impl Evidence {
    fn interrupted_by(&self, message: &Message, before: &Network) -> bool {
        match message {
            Message::Link(link) => {
                let known = before.link(link.ifindex);
                let flapped = known.is_some_and(|old| old.carrier_down_count < link.carrier_down_count);
                (flapped || before.restarts_detection(link)) && self.rests_on_link(link.ifindex)
            }
            Message::LinkGone(ifindex) => self.rests_on_link(*ifindex),
            Message::AddressGone(gone) => {
                let is = |held: &AddressRef| held.ifindex == gone.ifindex && held.address == gone.local;
                match self {
                    Evidence::Address(held) => is(held),
                    Evidence::Route { source, .. } | Evidence::Lookup { source, .. } => is(source),
                    Evidence::Link { .. }
                    | Evidence::Pasta(_)
                    | Evidence::Nameserver(_)
                    | Evidence::Answer { .. } => false,
                }
            }
            Message::Route(_, RouteChange::Appended) => false,
            // One that is added that was there: it was gone in between, which is not always announced.
            Message::Route(changed, RouteChange::Added) => match self {
                Evidence::Route { route, .. } => route.is(changed) || route.is_hidden_by(changed),
                Evidence::Pasta(taken) => taken.iter().any(|route| route.is(changed)),
                Evidence::Link { .. }
                | Evidence::Address(_)
                | Evidence::Lookup { .. }
                | Evidence::Nameserver(_)
                | Evidence::Answer { .. } => false,
            },
            Message::Route(changed, change @ (RouteChange::Replaced | RouteChange::Gone)) => match self {
                Evidence::Route { route, .. } => route.is(changed) || route.is_hidden_by(changed),
                Evidence::Pasta(taken) => taken.iter().any(|route| route.is(changed)),
                // Which route the way is made of is not known; one that was replaced may have been.
                Evidence::Lookup { target, route, .. } => {
                    let same_link = || changed.hops.iter().any(|hop| hop.ifindex == route.ifindex);
                    changed.destination.contains(target) && (*change == RouteChange::Replaced || same_link())
                }
                Evidence::Link { .. }
                | Evidence::Address(_)
                | Evidence::Nameserver(_)
                | Evidence::Answer { .. } => false,
            },
            Message::Address(_) | Message::Rule | Message::Nexthop | Message::IgnoreLinkdown => false,
        }
    }

    fn rests_on_link(&self, ifindex: u32) -> bool {
        match self {
            Evidence::Link { ifindex: held, .. } => *held == ifindex,
            Evidence::Address(address) => address.ifindex == ifindex,
            Evidence::Route { route, source } | Evidence::Lookup { route, source, .. } => {
                route.ifindex == ifindex || source.ifindex == ifindex
            }
            Evidence::Pasta(taken) => taken.iter().any(|route| route.ifindex == ifindex),
            Evidence::Nameserver(_) | Evidence::Answer { .. } => false,
        }
    }
}

impl RouteRef {
    /// Whether it is the route that a message speaks of: the kernel's identity of a route is its
    /// destination, table and metric.
    fn is(&self, route: &Route) -> bool {
        self.destination == route.destination
            && self.table == route.table
            && self.metric == route.metric
            && route.tos == 0
    }

    /// Whether a route that a message speaks of refuses what this one would carry, and stands before it.
    fn is_hidden_by(&self, route: &Route) -> bool {
        route.kind != RouteKind::Unicast
            && self.destination == route.destination
            && self.table == route.table
            && self.metric > route.metric
            && route.tos == 0
    }
}

#[cfg(test)]
mod tests;
