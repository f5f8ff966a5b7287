//! The recorder: compares what the session receives with the known state, and notes the changes.
//!
//! It compares each message and each complete read with the network as known before, so it keeps no copy of the
//! network. A note is a value without text. [`Recorder::take`] makes events from the notes. This takes time, so the
//! driver calls it only after it has reported everything.
//!
//! Links and addresses are noted if the gate may depend on them. Routes are not noted from their messages, because
//! there may be a hundred thousand of them. Instead, the routes that the session has read are compared at each
//! verdict.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::evaluate::is_named;
use crate::gate_state::{Came, GaveUp, OpenedBy, Phase};
use crate::history::{
    AddressChange, AddressWord, By, Cause, Code, Event, GateChange, GateWord, LinkChange, LinkWord,
    ProbeChange, ProbeWord, RequirementChange, RequirementWord, RouteChange, RouteWord, Start, StartClause,
    What,
};
use crate::model::{Address, Link, Message, Network, NextHop, NoAnswer, Operstate, Question, Tried};
use crate::moment::Moment;
use crate::report::Sentence;
use crate::requirement::{AddressSpec, Family, Gate, Item, Links, Quorum, Subject};
use crate::verdict::{Evidence, Outcome, Reason, Row, Verdict};

/// How many notes of the beginning and of the end are kept until they are taken. The notes between them are only
/// counted. A boot has some dozens of notes. With half as many, a host with ten links and two families would lose
/// some. With twice as many, a host with a storm of changes would need another 30 KiB.
const FIRST: usize = 128;
const LAST: usize = 128;

/// The most routes that are compared. A gate wants few routes, but one of them may have many next hops.
const MOST_ROUTES: usize = 64;

/// How long a note waits to be taken while the gate waits. With half of this time, a boot would write twice as
/// often without a benefit. With twice as much, a crash would lose two seconds of the history.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many things that meet a gate an event names.
const NAMED: usize = 3;

/// Compares successive states of the network and makes events of the differences. The module says how.
#[derive(Debug, Clone)]
pub struct Recorder {
    notes: Notes,
    watched: Watched,
    /// The state that was noted last, with its leading reason.
    gate: Option<(GateWord, Option<By>, Option<Reason>)>,
    /// Whether the requirements were noted since the gate was read.
    requirements: bool,
    /// The routes, and whether each is dead.
    routes: Vec<(RouteKey, bool)>,
    /// The result of the last try of each probe.
    probes: BTreeMap<Question, Tried>,
    /// Whether notes were taken before.
    taken: bool,
}

/// Something that happened, without text.
#[derive(Debug, Clone)]
enum Note {
    Start { gate: Box<Gate>, reloaded: bool },
    Gate { state: GateWord, by: Option<By>, reason: Option<Reason>, met_by: Vec<Evidence> },
    Requirement { clause: usize, row: Row },
    NotNeeded { clause: usize, item: Item, link: Option<String> },
    Link(LinkChange),
    Address(AddressChange),
    Route { key: RouteKey, link: Option<String>, state: RouteWord },
    Probe { question: Question, tried: Tried },
    Dropped(u64),
}

/// A route with one of its next hops. A route that refuses has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RouteKey {
    destination: IpNet,
    table: u32,
    metric: u32,
    hop: Option<(u32, Option<IpAddr>)>,
}

/// The notes that were not taken yet: the first ones and the last ones.
#[derive(Debug, Clone, Default)]
struct Notes {
    first: Vec<(Moment, Note)>,
    last: VecDeque<(Moment, Note)>,
    dropped: u64,
    /// When the last note was dropped.
    dropped_at: Moment,
}

impl Notes {
    fn push(&mut self, at: Moment, note: Note) {
        if self.first.len() < FIRST {
            self.first.push((at, note));
            return;
        }
        if self.last.len() >= LAST {
            if let Some((at, _)) = self.last.pop_front() {
                self.dropped = self.dropped.saturating_add(1);
                self.dropped_at = at;
            }
        }
        self.last.push_back((at, note));
    }

    fn take(&mut self) -> impl Iterator<Item = (Moment, Note)> + use<> {
        let Notes { first, last, dropped, dropped_at } = core::mem::take(self);
        let dropped = (dropped > 0).then_some((dropped_at, Note::Dropped(dropped)));
        first.into_iter().chain(dropped).chain(last)
    }
}

impl Recorder {
    /// Makes a recorder for this gate, which netready begins to keep now.
    pub fn new(gate: &Gate, now: Moment) -> Recorder {
        let mut recorder = Recorder {
            notes: Notes::default(),
            watched: Watched::by(gate),
            gate: None,
            requirements: false,
            routes: Vec::new(),
            probes: BTreeMap::new(),
            taken: false,
        };
        recorder.notes.push(now, Note::Start { gate: Box::new(gate.clone()), reloaded: false });
        recorder
    }

    /// Notes that netready keeps another gate from now on.
    pub fn reload(&mut self, gate: &Gate, now: Moment) {
        self.watched = Watched::by(gate);
        self.gate = None;
        self.requirements = false;
        self.notes.push(now, Note::Start { gate: Box::new(gate.clone()), reloaded: true });
    }

    /// Takes a message before it changes the network.
    pub fn message(&mut self, message: &Message, network: &Network, now: Moment) {
        match message {
            Message::Link(link) => {
                let known = network.link(link.ifindex);
                self.link(known, Some(link), now);
                if known.is_none() {
                    self.addresses_of_new(link, network, now);
                }
            }
            Message::LinkGone(ifindex) => {
                let Some(known) = network.link(*ifindex) else { return };
                for address in network.addresses_of(*ifindex) {
                    self.address(Some(address), None, network, now);
                }
                self.link(Some(known), None, now);
            }
            Message::Address(address) => self.address(network.address(address), Some(address), network, now),
            Message::AddressGone(address) => self.address(network.address(address), None, network, now),
            Message::Route(..)
            | Message::Rule(_)
            | Message::Nexthop(_)
            | Message::NexthopGone(_)
            | Message::IgnoreLinkdown(_) => {}
        }
    }

    /// Takes a complete read before it replaces the known state.
    pub fn read(&mut self, links: &[Link], addresses: &[Address], network: &Network, now: Moment) {
        let keys: BTreeSet<_> = addresses.iter().map(Address::key).collect();
        for known in network.addresses().filter(|known| !keys.contains(&known.key())) {
            self.address(Some(known), None, network, now);
        }
        let there: BTreeSet<u32> = links.iter().map(|link| link.ifindex).collect();
        for known in network.links().filter(|known| !there.contains(&known.ifindex)) {
            self.link(Some(known), None, now);
        }
        for link in links {
            self.link(network.link(link.ifindex), Some(link), now);
        }
        let by_number: BTreeMap<u32, &Link> = links.iter().map(|link| (link.ifindex, link)).collect();
        for address in addresses {
            let link = by_number.get(&address.ifindex).copied();
            // An address that was announced before its link was not noted.
            let known = network.address(address);
            let noted = known.filter(|known| self.watched.address(known, network.link(known.ifindex)));
            self.address_of(link, noted, Some(address), now);
        }
    }

    /// Notes the addresses of a link that were announced before the link, and were not noted then. Messages between
    /// them may have been lost.
    fn addresses_of_new(&mut self, link: &Link, network: &Network, now: Moment) {
        for address in network.addresses_of(link.ifindex) {
            if !self.watched.address(address, None) {
                self.address_of(Some(link), None, Some(address), now);
            }
        }
    }

    fn link(&mut self, known: Option<&Link>, link: Option<&Link>, now: Moment) {
        let is_watched = |link: &&Link| self.watched.link(link);
        let Some(named) = link.filter(is_watched).or(known.filter(is_watched)) else { return };
        let was = known.map(link_word);
        let flaps = match (known, link) {
            (Some(known), Some(link)) => flaps(known, link),
            _ => 0,
        };
        let state = link.map_or(LinkWord::Gone, link_word);
        let renamed = known.zip(link).is_some_and(|(known, link)| known.ifname != link.ifname);
        if was == Some(state) && flaps == 0 && !renamed {
            return;
        }
        // Use the new name, even if only the old name is watched.
        let name = link.unwrap_or(named).ifname.clone();
        let change = LinkChange { link: name, ifindex: named.ifindex, state, was, flaps };
        self.notes.push(now, Note::Link(change));
    }

    fn address(
        &mut self,
        known: Option<&Address>,
        address: Option<&Address>,
        network: &Network,
        now: Moment,
    ) {
        let Some(any) = address.or(known) else { return };
        self.address_of(network.link(any.ifindex), known, address, now);
    }

    fn address_of(
        &mut self,
        link: Option<&Link>,
        known: Option<&Address>,
        address: Option<&Address>,
        now: Moment,
    ) {
        let state = address.map_or(AddressWord::Gone, address_word);
        let same = |known: &Address| {
            let moved = |address: &Address| (address.prefix_len, address.remote);
            address_word(known) == state && address.is_none_or(|address| moved(known) == moved(address))
        };
        let Some(any) = address.or(known) else { return };
        if known.is_some_and(same) || !self.watched.address(any, link) {
            return;
        }
        let Ok(net) = IpNet::new(any.local, any.prefix_len) else { return };
        self.notes.push(
            now,
            Note::Address(AddressChange {
                link: link.map_or_else(|| format!("if{}", any.ifindex), |link| link.ifname.clone()),
                ifindex: any.ifindex,
                address: net,
                peer: Some(any.remote).filter(|remote| *remote != any.local),
                state,
            }),
        );
    }

    /// Takes the result of one try of a probe.
    pub fn answer(&mut self, question: &Question, tried: &Tried, now: Moment) {
        let same = match (self.probes.get(question), tried) {
            // An answer may have a different text each time.
            (Some(Ok(_)), Ok(_)) => true,
            (known, tried) => known == Some(tried),
        };
        if same {
            return;
        }
        self.probes.insert(question.clone(), tried.clone());
        self.notes.push(now, Note::Probe { question: question.clone(), tried: tried.clone() });
    }

    /// Takes a verdict that has replaced the last one.
    pub fn judged(&mut self, last: &Verdict, verdict: &Verdict, network: &Network, now: Moment) {
        self.routes(network, now);
        self.probes.retain(|question, _| verdict.questions.contains_key(question));
        let first = !core::mem::replace(&mut self.requirements, true);
        if !first && last.clauses == verdict.clauses {
            return;
        }
        for (clause, judged) in verdict.clauses.iter().enumerate() {
            let known: &[Row] = match last.clauses.get(clause) {
                Some(last) if !first => &last.rows,
                _ => &[],
            };
            for (place, row) in judged.rows.iter().enumerate() {
                let before = same_row(known, place, row);
                if before.is_none_or(|before| is_news(&before.outcome, &row.outcome)) {
                    self.notes.push(now, Note::Requirement { clause, row: row.clone() });
                }
            }
            let gone = |(place, row): &(usize, &Row)| same_row(&judged.rows, *place, row).is_none();
            for (_, row) in known.iter().enumerate().filter(gone) {
                let (item, link) = (row.item.clone(), row.link.clone());
                self.notes.push(now, Note::NotNeeded { clause, item, link });
            }
        }
    }

    fn routes(&mut self, network: &Network, now: Moment) {
        let mut routes: Vec<(RouteKey, bool)> = Vec::with_capacity(self.routes.len());
        for route in network.routes.all() {
            let of = |hop| RouteKey {
                destination: route.destination,
                table: route.table,
                metric: route.metric,
                hop,
            };
            let hops = route.hops.iter().map(|hop| (Some((hop.ifindex, hop.gateway)), is_dead(hop, network)));
            let none = route.hops.is_empty().then_some((None, false));
            for (hop, dead) in hops.chain(none) {
                let key = of(hop);
                if routes.len() < MOST_ROUTES && !routes.iter().any(|(known, _)| *known == key) {
                    routes.push((key, dead));
                }
            }
        }
        let known = core::mem::replace(&mut self.routes, routes);
        if known == self.routes {
            return;
        }
        for (key, _) in known.iter().filter(|(key, _)| !self.routes.iter().any(|(now, _)| now == key)) {
            let same = |other: &RouteKey| other.destination == key.destination && other.table == key.table;
            let complete = network.routes.complete.contains(&(Family::of(key.destination.addr()), key.table));
            let replaced = !complete && self.routes.iter().any(|(other, _)| same(other));
            let state = if replaced { RouteWord::Replaced } else { RouteWord::Gone };
            self.notes.push(now, key.note(network, state));
        }
        for (key, dead) in self.routes.iter().filter(|route| !known.contains(route)) {
            let state = if *dead { RouteWord::Dead } else { RouteWord::Added };
            self.notes.push(now, key.note(network, state));
        }
    }

    /// Takes the present state of the gate, which may have changed.
    pub fn observe(&mut self, phase: Phase, verdict: &Verdict, now: Moment) {
        let (state, by) = words(phase);
        let reason = if state == GateWord::Ready { None } else { verdict.leading() };
        if self.gate.as_ref().is_some_and(|(s, b, r)| (*s, *b, r.as_ref()) == (state, by, reason)) {
            return;
        }
        self.gate = Some((state, by, reason.cloned()));
        let named = if state == GateWord::Ready { NAMED + 1 } else { 0 };
        let mut met_by: Vec<Evidence> = Vec::new();
        for evidence in verdict.evidence() {
            if met_by.len() >= named {
                break;
            }
            // One thing may meet several requirements.
            if !met_by.contains(evidence) {
                met_by.push(evidence.clone());
            }
        }
        self.notes.push(now, Note::Gate { state, by, reason: reason.cloned(), met_by });
    }

    /// Notes that netready is about to end.
    pub fn stop(&mut self, now: Moment) {
        self.notes
            .push(now, Note::Gate { state: GateWord::Stopped, by: None, reason: None, met_by: Vec::new() });
    }

    /// Returns when the notes must be taken. The notes of the first look at the network are due at once. After
    /// that, while the gate waits, they are due a second after the first of them. So nothing is written in the
    /// milliseconds in which the network becomes ready.
    pub fn due(&self, waits: bool) -> Option<Moment> {
        let (first, _) = self.notes.first.first()?;
        Some(if waits && self.taken { *first + PATIENCE } else { *first })
    }

    /// Returns the events since the last call.
    pub fn take(&mut self) -> Vec<Event> {
        self.taken = true;
        self.notes.take().map(|(at, note)| Event { at, what: note.what() }).collect()
    }
}

impl RouteKey {
    fn note(self, network: &Network, state: RouteWord) -> Note {
        Note::Route { key: self, link: self.hop.map(|(ifindex, _)| network.ifname(ifindex)), state }
    }
}

/// Whether nothing gets through here. A link that is not there any more takes its routes with it.
fn is_dead(hop: &NextHop, network: &Network) -> bool {
    let no_carrier = network.link(hop.ifindex).is_some_and(|link| network.carrier(link).is_err());
    hop.dead || hop.linkdown || no_carrier
}

/// Finds the row of the same item and link. In most cases it is at the same place as before.
fn same_row<'a>(rows: &'a [Row], place: usize, wanted: &Row) -> Option<&'a Row> {
    let same = |row: &&Row| row.link == wanted.link && row.item == wanted.item;
    rows.get(place).filter(same).or_else(|| rows.iter().find(same))
}

fn is_news(before: &Outcome, now: &Outcome) -> bool {
    match (before, now) {
        // An answer may have a different text each time.
        (Outcome::Met(Evidence::Answer { .. }), Outcome::Met(Evidence::Answer { .. })) => false,
        (before, now) => before != now,
    }
}

/// Returns the word for a phase, and the word for what opened the gate or why it gave up.
pub(crate) fn words(phase: Phase) -> (GateWord, Option<By>) {
    let why = |why| match why {
        GaveUp::Timeout => By::Timeout,
        GaveUp::NoCarrier => By::NoCarrier,
        GaveUp::Lost => By::Loss,
    };
    match phase {
        Phase::Waiting => (GateWord::Waiting, None),
        Phase::Grace { .. } => (GateWord::Grace, None),
        Phase::Settling { .. } => (GateWord::Settling, None),
        Phase::Ready { came: Came::First { .. } | Came::Again { .. } } => (GateWord::Ready, None),
        Phase::Ready { came: Came::Reloaded { .. } } => (GateWord::Ready, Some(By::Reload)),
        Phase::Opened { by: OpenedBy::Timeout(gave_up), .. } => (GateWord::Opened, Some(why(gave_up))),
        Phase::Opened { by: OpenedBy::Request, .. } => (GateWord::Opened, Some(By::Request)),
        Phase::Opened { by: OpenedBy::Reload, .. } => (GateWord::Opened, Some(By::Reload)),
        Phase::Opened { by: OpenedBy::KernelLine, .. } => (GateWord::Opened, Some(By::KernelLine)),
        Phase::Lost { .. } => (GateWord::Lost, None),
        Phase::GaveUp { why: gave_up, .. } => (GateWord::GaveUp, Some(why(gave_up))),
    }
}

fn link_word(link: &Link) -> LinkWord {
    match (link.admin_up(), link.lower_up(), link.running()) {
        (false, _, _) => LinkWord::Down,
        (true, true, true) => LinkWord::Carrier,
        (true, true, false) if link.operstate == Operstate::Dormant => LinkWord::Dormant,
        (true, _, _) => LinkWord::NoCarrier,
    }
}

/// Returns how often carrier was lost, without the loss that the two states already show.
fn flaps(known: &Link, link: &Link) -> u64 {
    let lost = link.carrier_down_count.saturating_sub(known.carrier_down_count);
    let told = link_word(known) == LinkWord::Carrier && link_word(link) != LinkWord::Carrier;
    u64::from(lost.saturating_sub(u32::from(told)))
}

fn address_word(address: &Address) -> AddressWord {
    match address {
        address if address.dadfailed() => AddressWord::Duplicate,
        address if address.tentative() => AddressWord::Tentative,
        address if address.deprecated() => AddressWord::Deprecated,
        _ => AddressWord::Usable,
    }
}

/// The part of the network that a gate may depend on.
#[derive(Debug, Clone)]
struct Watched {
    /// Whether a clause is about the host. Then every link that leads out of it is watched.
    host: bool,
    /// The links that clauses name.
    links: Vec<Links>,
    /// Addresses that count on any link.
    exact: Vec<IpAddr>,
}

impl Watched {
    fn by(gate: &Gate) -> Watched {
        let mut watched = Watched { host: false, links: Vec::new(), exact: Vec::new() };
        for clause in &gate.clauses {
            match &clause.subject {
                Subject::Host { .. } => watched.host = true,
                Subject::Links(links) => watched.links.push(links.clone()),
            }
            for item in &clause.items {
                if let Item::Address(AddressSpec::Exact(address)) = item {
                    watched.exact.push(*address);
                }
            }
        }
        watched
    }

    /// Whether changes of the link are noted. The result depends only on what never changes for a link, and on its
    /// name. So if the arrival of a link was noted, its end is noted too.
    fn link(&self, link: &Link) -> bool {
        let may_be_uplink = self.host && !link.leads_nowhere() && !link.is_tunnel();
        // A card may be a port of a link that a clause names.
        let card = link.kind.is_empty() && !link.loopback();
        may_be_uplink || card || self.links.iter().any(|links| is_named(links, link))
    }

    fn address(&self, address: &Address, link: Option<&Link>) -> bool {
        self.exact.contains(&address.local) || link.is_some_and(|link| self.link(link))
    }
}

impl Note {
    fn what(self) -> What {
        match self {
            Note::Start { gate, reloaded } => What::Start(start(&gate, reloaded)),
            Note::Gate { state, by, reason, met_by } => What::Gate(GateChange {
                state,
                by,
                reason: reason.as_ref().map(Cause::of),
                met_by: (!met_by.is_empty()).then(|| first_evidence(&met_by)),
            }),
            Note::Requirement { clause, row } => What::Requirement(requirement(clause, row)),
            Note::NotNeeded { clause, item, link } => What::Requirement(RequirementChange {
                clause: number(clause),
                requirement: item.to_string(),
                link,
                state: RequirementWord::NotNeeded,
                met_by: None,
                reason: None,
            }),
            Note::Link(change) => What::Link(change),
            Note::Address(change) => What::Address(change),
            Note::Route { key: RouteKey { destination, table, metric, hop }, link, state } => {
                let gateway = hop.and_then(|(_, gateway)| gateway);
                What::Route(RouteChange { destination, link, gateway, table, metric, state })
            }
            Note::Probe { question, tried } => {
                let (state, text) = match tried {
                    Ok(answer) => (ProbeWord::Answered, answer),
                    Err(NoAnswer::Failed(why) | NoAnswer::NoProgram(why)) => (ProbeWord::Failed, why),
                };
                let probe = match question {
                    Question::Probe(probe) => probe.to_string(),
                    Question::Neighbour { address, ifname, .. } => format!("gateway {address} on {ifname}"),
                };
                What::Probe(ProbeChange { probe, state, text })
            }
            Note::Dropped(count) => What::Dropped(count),
        }
    }
}

impl Cause {
    /// Puts a reason into words.
    pub fn of(reason: &Reason) -> Cause {
        Cause {
            code: Code::Known(reason.code()),
            text: Sentence(reason).to_string(),
            link: reason.link().map(str::to_owned),
        }
    }
}

fn start(gate: &Gate, reloaded: bool) -> Start {
    let clauses = gate.clauses.iter().map(|clause| StartClause {
        links: match &clause.subject {
            Subject::Host { .. } => Vec::new(),
            Subject::Links(links) => {
                let excluded = links.exclude.iter().map(|pattern| format!("!{}", pattern.as_str()));
                links.entries.iter().map(ToString::to_string).chain(excluded).collect()
            }
        },
        requirements: clause.items.iter().map(ToString::to_string).collect(),
        quorum: match &clause.subject {
            Subject::Host { needed } if *needed == clause.items.len() => "all".to_owned(),
            Subject::Host { needed } => needed.to_string(),
            Subject::Links(links) => match links.quorum {
                Quorum::Each => "each".to_owned(),
                Quorum::All => "all".to_owned(),
                Quorum::AtLeast(needed) => needed.to_string(),
            },
        },
        grace: clause.grace,
    });
    Start {
        gate: gate.name.clone(),
        source: gate.source.clone(),
        reloaded,
        timeout: gate.timeout,
        settle: gate.settle,
        clauses: clauses.collect(),
        more_clauses: 0,
    }
}

fn requirement(clause: usize, row: Row) -> RequirementChange {
    let (state, met_by, reason) = match &row.outcome {
        Outcome::Met(evidence) => (RequirementWord::Met, Some(evidence.to_string()), None),
        Outcome::Unmet(reason) => (RequirementWord::Unmet, None, Some(Cause::of(reason))),
        Outcome::NotPresent => (RequirementWord::NotPresent, None, None),
        Outcome::NotAsked => (RequirementWord::NotAsked, None, None),
    };
    let Row { item, link, outcome: _ } = row;
    RequirementChange { clause: number(clause), requirement: item.to_string(), link, state, met_by, reason }
}

fn number(clause: usize) -> u64 {
    clause as u64 + 1
}

/// Names the first three, and says whether there are more. Equal texts are named once.
fn first_evidence(evidence: &[Evidence]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in evidence.iter().take(NAMED).map(ToString::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    if evidence.len() > NAMED {
        texts.push("…".to_owned());
    }
    texts.join("; ")
}
