//! Writes verdicts as text. STATUS=, `check`, the journal, the message at the timeout and JSON all show the same
//! value, and every text of a reason is made here.
//!
//! Link names, the names and sources of gates, and the answers of servers are text of others. Texts for people are
//! escaped here as a whole. JSON has the values unchanged.

mod change;
mod durations;
mod json;
mod live;
mod next_step;
mod status;
mod table;

pub use change::{Change, Changes, Turn};
pub use durations::{About, Span, Took};
pub use json::{error_json, json_text, state_word, verdict_json};
pub use live::LiveLine;
pub use next_step::of_reason as next_step_of;
pub use status::{Earlier, Standing, status, summary};
pub use table::{Details, Paint, Tone, paint_none, table, unmet_lines, unmet_with_advice};

use core::fmt::{self, Display};

use crate::escape::escape;
use crate::model::{Carrierless, Operstate, Question, RouteKind};
use crate::requirement::{AddressSpec, Destination, Family, RouteSpec, TABLE_MAIN, Table};
use crate::verdict::{
    AddressRef, Dead, Evidence, Outcome, PastaFault, Reason, RouteRef, Row, Unreached, Unusable, Warning,
};

/// Returns what meets a row, or why the row is unmet. The text is safe to print.
pub fn outcome(row: &Row) -> String {
    escape(&behind(row)).into_owned()
}

/// Returns what a row asks for. The text is safe to print.
pub fn item(row: &Row) -> String {
    escape(&row.item.to_string()).into_owned()
}

/// Returns what meets a row, or why the row is unmet. Texts of others are not escaped.
fn behind(row: &Row) -> String {
    match &row.outcome {
        Outcome::Met(evidence) => evidence.to_string(),
        Outcome::Unmet(reason) => reason.to_string(),
        Outcome::NotPresent => "not there, does not count".to_owned(),
        Outcome::NotAsked => "not tried, does not count".to_owned(),
    }
}

/// Returns an error and its causes on one line.
pub fn chain(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Link { ifname, .. } => f.write_str(ifname),
            Evidence::Address(address) => address.fmt(f),
            Evidence::Route { route, .. } => route.fmt(f),
            Evidence::Lookup { target, route, source } => {
                write!(f, "{target}")?;
                if let Some(gateway) = route.gateway {
                    write!(f, " via {gateway}")?;
                }
                write!(f, " dev {}", route.ifname)?;
                if route.table != TABLE_MAIN {
                    write!(f, " table {}", route.table)?;
                }
                write!(f, " src {}", source.address)
            }
            Evidence::Pasta(taken) => joined(f, taken, ", "),
            Evidence::Nameserver(server) => f.write_str(server),
            Evidence::Answer { answer, .. } => f.write_str(answer),
        }
    }
}

impl Display for AddressRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.address, self.ifname)
    }
}

impl Display for RouteRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.destination.prefix_len() {
            0 => f.write_str("default")?,
            _ => self.destination.fmt(f)?,
        }
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        write!(f, " dev {}", self.ifname)?;
        match self.table {
            TABLE_MAIN => Ok(()),
            table => write!(f, " table {table}"),
        }
    }
}

/// Writes the reason in full, with its subject: `va0: no carrier`.
impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Carrier { ifname, why } => write!(f, "{ifname}: {}", Predicate::short(why)),
            Reason::NoAddress { ifname: Some(ifname), disabled: true, .. } => {
                write!(f, "{ifname}: no IPv6 address: IPv6 disabled on {ifname}")
            }
            Reason::NoAddress { spec, ifname: Some(ifname), link_local, .. } => {
                write!(f, "{ifname}: no {}", AddressNoun(*spec))?;
                only_link_local(f, link_local)
            }
            Reason::Unusable { address, why } => {
                write!(f, "{address}: {}", Predicate::of_address(*why, Tense::Present))
            }
            Reason::DeadRoute { route, why: Dead::Link(why) } => {
                write!(f, "{route}: {}", LinkIs(&route.ifname, why, Tense::Present))
            }
            Reason::ProbeFailed { question: Question::Probe(_), why } => f.write_str(why),
            Reason::NotTried { begun: true, .. } => f.write_str("no answer yet"),
            Reason::NotTried { begun: false, .. } => f.write_str("not tried: waits for the others"),
            Reason::Absent { .. }
            | Reason::NoVrf { .. }
            | Reason::TooFew { .. }
            | Reason::NoUplink { .. }
            | Reason::NoAddress { ifname: None, .. }
            | Reason::NoRoute { .. }
            | Reason::DeadRoute {
                why: Dead::Flagged | Dead::Expired | Dead::LeadsNowhere | Dead::Port(_),
                ..
            }
            | Reason::RefusingRoute { .. }
            | Reason::HiddenRoute { .. }
            | Reason::WrongLink { .. }
            | Reason::NoSource { .. }
            | Reason::Unreachable { .. }
            | Reason::Broadcast { .. }
            | Reason::NotReached { .. }
            | Reason::Unread
            | Reason::Pasta { .. }
            | Reason::NoNameserver(_)
            | Reason::NoProbeProgram(_)
            | Reason::ProbeFailed { question: Question::Neighbour { .. }, .. } => Sentence(self).fmt(f),
        }
    }
}

/// Writes a reason as a part of a sentence, the root cause first: `va0 has no carrier`.
pub struct Sentence<'a>(pub &'a Reason);

impl Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Told(self.0, Tense::Present).fmt(f)
    }
}

/// Writes a reason that is over, as a part of a sentence: `va0 had no carrier`.
pub struct PastSentence<'a>(pub &'a Reason);

impl Display for PastSentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Told(self.0, Tense::Past).fmt(f)
    }
}

/// Whether a reason holds or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tense {
    Present,
    Past,
}

impl Tense {
    fn is(self) -> &'static str {
        self.either("is", "was")
    }

    fn are(self) -> &'static str {
        self.either("are", "were")
    }

    fn has(self) -> &'static str {
        self.either("has", "had")
    }

    fn either(self, present: &'static str, past: &'static str) -> &'static str {
        match self {
            Tense::Present => present,
            Tense::Past => past,
        }
    }
}

/// Writes a reason as a part of a sentence, in this tense.
struct Told<'a>(&'a Reason, Tense);

impl Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told(reason, tense) = *self;
        let (is, has) = (tense.is(), tense.has());
        match reason {
            Reason::Absent { name } if name.contains(['*', '?', '[']) => {
                write!(f, "no link {} {name}", tense.either("matches", "matched"))
            }
            Reason::Absent { name } => match tense {
                Tense::Present => write!(f, "{name}: no such link"),
                Tense::Past => write!(f, "there was no link {name}"),
            },
            Reason::NoVrf { name } => write!(f, "{}no VRF {name}", tense.either("", "there was ")),
            Reason::TooFew { there, needed } => {
                write!(f, "only {there} of {needed} links {} there", tense.are())
            }
            Reason::Carrier { ifname, why } => LinkIs(ifname, why, tense).fmt(f),
            Reason::NoUplink { links, more } => {
                write!(f, "no link {has} carrier (")?;
                joined(f, links, ", ")?;
                and_more(f, *more)?;
                f.write_str(")")
            }
            Reason::NoAddress { ifname: Some(ifname), disabled: true, .. } => {
                write!(f, "IPv6 {}disabled on {ifname}", tense.either("", "was "))
            }
            Reason::NoAddress { spec, ifname, link_local, .. } => {
                match ifname {
                    Some(ifname) => write!(f, "{ifname} {has} no {}", AddressNoun(*spec))?,
                    None => write!(f, "no {}", AddressNoun(*spec))?,
                }
                only_link_local(f, link_local)
            }
            Reason::Unusable { address, why: Unusable::NoCarrier } => {
                write!(f, "{} {is} on {}, which {has} no carrier", address.address, address.ifname)
            }
            Reason::Unusable { address, why } => {
                write!(f, "{address} {is} {}", Predicate::of_address(*why, tense))
            }
            Reason::NoRoute { spec, ifname } => {
                write!(f, "no {}", RouteNoun(spec))?;
                match ifname {
                    Some(ifname) => write!(f, " through {ifname}"),
                    None => Ok(()),
                }
            }
            Reason::DeadRoute { route, why: Dead::Link(why) } => LinkIs(&route.ifname, why, tense).fmt(f),
            Reason::DeadRoute { route, why: Dead::Flagged } => write!(f, "{route} {is} dead"),
            Reason::DeadRoute { route, why: Dead::Expired } => write!(f, "{route} {has} expired"),
            Reason::DeadRoute { route, why: Dead::Port(master) } => {
                let (is, receives) = (tense.is(), tense.either("receives", "received"));
                write!(
                    f,
                    "{route} {is} of no use: {} {is} a port of {master}, which {receives} the answers",
                    route.ifname
                )
            }
            Reason::DeadRoute { route, why: Dead::LeadsNowhere } => {
                write!(f, "{route} {} leave this host", tense.either("does not", "did not"))
            }
            Reason::HiddenRoute { taken, linkdown, hidden } => {
                hidden_route(f, taken, *linkdown, &WithMetric(hidden), tense)
            }
            Reason::RefusingRoute { spec, kind, .. } => {
                write!(f, "the {} {is} {}", RouteNoun(spec), kind_noun(*kind))
            }
            Reason::WrongLink { route, wanted } => write!(f, "{route}: not through {wanted}"),
            Reason::NoSource { route, source: Some(source) } => {
                write!(f, "{route}: its source address {source} {is} not usable")
            }
            Reason::NoSource { route, source: None } => {
                let family = Family::of(route.destination.addr());
                write!(f, "{route}: no usable {family} address on {} to send from", route.ifname)
            }
            Reason::Unreachable { wanted, errno } => match refusing(*errno) {
                Some(kind) => {
                    let article = if kind == RouteKind::Unreachable { "an" } else { "a" };
                    let kind = kind_word(kind);
                    write!(
                        f,
                        "{article} {kind} route or rule {} traffic to {wanted}",
                        tense.either("refuses", "refused")
                    )
                }
                None => write!(f, "no route to {wanted}: {}", errno_words(*errno)),
            },
            Reason::NotReached { route, why } => {
                let keep = tense.either("keep", "kept");
                match why {
                    Unreached::ByRules => f.write_str("policy rules or other routes")?,
                    Unreached::ByRoutes => f.write_str("routes that refuse a part of all addresses each")?,
                    Unreached::ForOtherSources(source) => {
                        write!(f, "policy rules, or a source address outside {source},")?;
                    }
                }
                write!(f, " {keep} all traffic from using {}", WithMetric(route))
            }
            Reason::Broadcast { target } => {
                write!(f, "{target} {is} a broadcast address, and so the address of no host")
            }
            Reason::Unread => f.write_str("not read yet"),
            Reason::Pasta { route, default, why } => pasta(f, route.as_ref(), *default, why, tense),
            Reason::NoNameserver(None) => {
                write!(f, "resolv.conf {} no nameserver", tense.either("names", "named"))
            }
            Reason::NoNameserver(Some(why)) => write!(f, "no nameserver: resolv.conf: {why}"),
            Reason::ProbeFailed { question: Question::Probe(probe), why } => write!(f, "{probe}: {why}"),
            Reason::ProbeFailed { question: Question::Neighbour { address, ifname, .. }, why } => {
                write!(f, "gateway {address} on {ifname} {why}")
            }
            Reason::NoProbeProgram(why) => {
                write!(f, "probes {} be tried: {why}", tense.either("cannot", "could not"))
            }
            Reason::NotTried { item, .. } => write!(f, "{item}: {reason}"),
        }
    }
}

/// Writes `en0 has no carrier, but default via 192.0.2.1 dev en0 metric 100 is still preferred
/// (ignore_routes_with_linkdown=0): default via 198.51.100.1 dev wl0 metric 600 is not used`.
fn hidden_route(
    f: &mut fmt::Formatter<'_>,
    taken: &Reason,
    linkdown: bool,
    hidden: &WithMetric<'_>,
    tense: Tense,
) -> fmt::Result {
    let is = tense.is();
    if let Reason::RefusingRoute { spec, kind, metric } = taken {
        let noun = RouteNoun(spec);
        write!(f, "the {} {noun} of metric {metric} {is} preferred", kind_word(*kind))?;
    } else if let Reason::DeadRoute { route, why } = taken {
        write!(f, "{}, but ", Told(taken, tense))?;
        match why {
            Dead::Link(_) => write!(f, "{} {is} ", WithMetric(route))?,
            Dead::Flagged | Dead::Expired | Dead::LeadsNowhere | Dead::Port(_) => write!(f, "it {is} ")?,
        }
        f.write_str("still preferred")?;
        if linkdown {
            f.write_str(" (ignore_routes_with_linkdown=0)")?;
        }
    } else {
        write!(f, "{}, and it {is} preferred", Told(taken, tense))?;
    }
    write!(f, ": {hidden} {is} not used")
}

/// Writes a route with its metric. The metric distinguishes it from another route to the same destination.
struct WithMetric<'a>(&'a RouteRef);

impl Display for WithMetric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        match self.0.metric {
            0 => Ok(()),
            metric => write!(f, " metric {metric}"),
        }
    }
}

fn dead_hop(f: &mut fmt::Formatter<'_>, route: &RouteRef, why: &Dead, used: bool) -> fmt::Result {
    write!(f, "{route}, one of several next hops, is dead")?;
    if let Dead::Link(why) = why {
        write!(f, ": {}", LinkIs(&route.ifname, why, Tense::Present))?;
    }
    match used {
        true => f.write_str("; a part of the connections is still sent there"),
        false => f.write_str("; the kernel passes it over"),
    }
}

/// Returns the kind of route, or of policy rule, that refuses with this error (fib_props of the kernel's net/ipv4, and its
/// net/ipv6/route.c).
fn refusing(errno: i32) -> Option<RouteKind> {
    match errno {
        EINVAL => Some(RouteKind::Blackhole),
        EACCES => Some(RouteKind::Prohibit),
        EHOSTUNREACH => Some(RouteKind::Unreachable),
        _ => None,
    }
}

fn pasta(
    f: &mut fmt::Formatter<'_>,
    route: Option<&RouteRef>,
    default: bool,
    why: &PastaFault,
    tense: Tense,
) -> fmt::Result {
    let Some(route) = route else { return f.write_str("no default route for pasta to take") };
    let (is, has) = (tense.is(), tense.has());
    write!(f, "pasta {} {} (", tense.either("would take", "would have taken"), route.ifname)?;
    match default {
        true => write!(f, "default metric {}), ", route.metric)?,
        false => write!(f, "{}, as there is no default route), ", route.destination)?,
    }
    let family = Family::of(route.destination.addr());
    match why {
        PastaFault::Carrier(Carrierless::NoCarrier(_) | Carrierless::NoPort(_) | Carrierless::Lower(_)) => {
            write!(f, "which {has} no carrier")
        }
        PastaFault::Carrier(why @ (Carrierless::AdminDown | Carrierless::Dormant)) => {
            write!(f, "which {is} {}", Predicate::short(why))
        }
        PastaFault::Nothing | PastaFault::NoDefault => write!(f, "which {has} no default route"),
        PastaFault::LeadsNowhere => {
            let can = tense.either("can", "could");
            write!(f, "through which nothing beyond this host {can} be reached")
        }
        PastaFault::NoAddress => write!(f, "which {has} no usable {family} address"),
        PastaFault::GatewayOffLink => match route.gateway {
            Some(gateway) => write!(f, "whose gateway {gateway} {is} not on the link"),
            None => write!(f, "whose gateway {is} not on the link"),
        },
        PastaFault::Linkdown => write!(f, "whose route {is} still flagged linkdown"),
        PastaFault::Dead => write!(f, "whose default route {is} dead"),
    }
}

impl Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::DadFailed(address) => write!(f, "{address} is dadfailed: another host has it"),
            Warning::DeadHop { route, why, used } => dead_hop(f, route, why, *used),
            Warning::PastaMultipath(route) => {
                write!(
                    f,
                    "{route} is one of several next hops, which pasta drops: containers get no default route"
                )
            }
        }
    }
}

/// Writes a link and its fault as a clause: `va0 has no carrier`.
struct LinkIs<'a>(&'a str, &'a Carrierless, Tense);

impl Display for LinkIs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LinkIs(ifname, why, tense) = self;
        let verb = match why {
            Carrierless::AdminDown | Carrierless::Dormant => tense.is(),
            Carrierless::NoCarrier(_) | Carrierless::NoPort(_) | Carrierless::Lower(_) => tense.has(),
        };
        write!(f, "{ifname} {verb} {}", Predicate::of_link(why, *tense))
    }
}

/// The fault of a link or an address, without the subject.
struct Predicate(String);

impl Predicate {
    fn short(why: &Carrierless) -> Predicate {
        Predicate::of_link(why, Tense::Present)
    }

    fn of_link(why: &Carrierless, tense: Tense) -> Predicate {
        let has = tense.has();
        Predicate(match why {
            Carrierless::AdminDown => "administratively down".to_owned(),
            Carrierless::Dormant => "dormant".to_owned(),
            // DOWN says nothing more than "no carrier". Any other state does, so write it.
            Carrierless::NoCarrier(Operstate::Down) => "no carrier".to_owned(),
            Carrierless::NoCarrier(state) => format!("no carrier ({})", operstate_word(*state)),
            Carrierless::NoPort(bridge) => format!("no carrier: bridge {bridge} {has} no port with carrier"),
            Carrierless::Lower(lower) => format!("no carrier: {lower} below it {has} none"),
        })
    }

    fn of_address(why: Unusable, tense: Tense) -> Predicate {
        let has = tense.has();
        Predicate(match why {
            Unusable::NoCarrier => "no carrier".to_owned(),
            Unusable::Deprecated => "deprecated".to_owned(),
            Unusable::Tentative => "tentative".to_owned(),
            Unusable::TentativeNoCarrier => {
                format!("tentative (duplicate address detection {has} not begun: no carrier)")
            }
            Unusable::DadFailed => format!("dadfailed (another host {has} it)"),
        })
    }
}

impl Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes what an item asks for, as a noun: `IPv6 default route`.
pub struct Noun<'a>(pub &'a Row);

impl Display for Noun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.item.requirement().noun())?;
        match (&self.0.link, &self.0.outcome) {
            (Some(link), _) => write!(f, " of {link}"),
            (None, Outcome::Unmet(Reason::Absent { name })) => write!(f, " of {name}"),
            (None, Outcome::Unmet(_) | Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked) => Ok(()),
        }
    }
}

/// Returns a wanted route as a noun.
pub(crate) fn route_noun(spec: &RouteSpec) -> String {
    match spec.destination {
        Destination::DefaultOf(family) if spec.table == Table::MAIN => format!("{family} default route"),
        Destination::Default | Destination::DefaultOf(_) | Destination::Prefix(_) => {
            RouteNoun(spec).to_string()
        }
    }
}

/// Writes a wanted address as a noun.
pub(crate) struct AddressNoun(pub AddressSpec);

impl Display for AddressNoun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AddressSpec::Either => f.write_str("IP address"),
            AddressSpec::Family(family) => write!(f, "{family} address"),
            AddressSpec::LinkLocal(family) => write!(f, "link-local {family} address"),
            AddressSpec::Exact(address) => write!(f, "address {address}"),
            AddressSpec::Prefix(net) => write!(f, "address in {net}"),
        }
    }
}

struct RouteNoun<'a>(&'a RouteSpec);

impl Display for RouteNoun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.destination {
            Destination::Default => f.write_str("default route")?,
            Destination::DefaultOf(family) => write!(f, "default {family} route")?,
            Destination::Prefix(net) => write!(f, "route to {net}")?,
        }
        if self.0.table == Table::MAIN {
            return Ok(());
        }
        write!(f, " in table {}", self.0.table)
    }
}

fn only_link_local(f: &mut fmt::Formatter<'_>, address: &Option<core::net::IpAddr>) -> fmt::Result {
    match address {
        Some(address) => write!(f, " (only link-local {address})"),
        None => Ok(()),
    }
}

fn operstate_word(state: Operstate) -> &'static str {
    match state {
        Operstate::Unknown => "UNKNOWN",
        Operstate::NotPresent => "NOTPRESENT",
        Operstate::Down => "DOWN",
        Operstate::LowerLayerDown => "LOWERLAYERDOWN",
        Operstate::Testing => "TESTING",
        Operstate::Dormant => "DORMANT",
        Operstate::Up => "UP",
    }
}

fn kind_word(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Unicast => "unicast",
        RouteKind::Local => "local",
        RouteKind::Unreachable => "unreachable",
        RouteKind::Blackhole => "blackhole",
        RouteKind::Prohibit => "prohibit",
        RouteKind::Throw => "throw",
        RouteKind::Broadcast => "broadcast",
        RouteKind::Anycast => "anycast",
        RouteKind::Multicast => "multicast",
        RouteKind::Other => "of another type",
    }
}

/// The kind of a route that refuses, as a noun.
fn kind_noun(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Blackhole => "a blackhole",
        RouteKind::Unreachable => "an unreachable route",
        RouteKind::Prohibit => "a prohibit route",
        RouteKind::Throw => "a throw route",
        RouteKind::Local => "a local route",
        RouteKind::Broadcast => "a broadcast route",
        RouteKind::Anycast => "an anycast route",
        RouteKind::Multicast => "a multicast route",
        RouteKind::Unicast | RouteKind::Other => "a route of another type",
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[impl Display], separator: &str) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        part.fmt(f)?;
    }
    Ok(())
}

/// Writes how many entries of a list were left out: ` and 57 more`.
fn and_more(f: &mut fmt::Formatter<'_>, more: usize) -> fmt::Result {
    match more {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

/// The errno(3) values of Linux that a route lookup can return.
const EACCES: i32 = 13;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const EADDRNOTAVAIL: i32 = 99;
const ENETDOWN: i32 = 100;
const ENETUNREACH: i32 = 101;
const EHOSTUNREACH: i32 = 113;

/// Returns the text of strerror(3) for such a value.
fn errno_words(errno: i32) -> String {
    let words = match errno {
        EACCES => "Permission denied",
        ENODEV => "No such device",
        EINVAL => "Invalid argument",
        EADDRNOTAVAIL => "Cannot assign requested address",
        ENETDOWN => "Network is down",
        ENETUNREACH => "Network is unreachable",
        EHOSTUNREACH => "No route to host",
        other => return format!("error {other}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests;
