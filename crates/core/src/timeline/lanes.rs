//! Makes lanes: what was in which state, and from when until when.

use crate::escape::escape;
use crate::history::{
    AddressWord, Event, GateChange, GateWord, LinkWord, ProbeWord, RequirementWord, RouteWord, What,
};
use crate::moment::Moment;
use crate::report::Span;
use crate::timeline::Waiter;
use crate::timeline::words::{
    address_state, because, link_state, requirement_name, requirement_state, route_name,
};

/// One thing that has a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The kind of thing that the lane shows.
    pub kind: LaneKind,
    /// The name of the thing. It is safe to print.
    pub name: String,
    /// The states of the thing, in order. They do not overlap. There may be gaps.
    pub stretches: Vec<Stretch>,
}

/// The kinds of lanes, in the order in which they are shown. Each kind depends on those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaneKind {
    /// The lane shows a link.
    Link,
    /// The lane shows an address of a link.
    Address,
    /// The lane shows a route.
    Route,
    /// The lane shows an item of a clause.
    Requirement,
    /// The lane shows the results of a probe.
    Probe,
    /// The lane shows the state of the gate.
    Gate,
    /// The lane shows a unit that waited for the gate.
    Unit,
}

impl LaneKind {
    /// All kinds, in this order.
    pub const ALL: [LaneKind; 7] = [
        LaneKind::Link,
        LaneKind::Address,
        LaneKind::Route,
        LaneKind::Requirement,
        LaneKind::Probe,
        LaneKind::Gate,
        LaneKind::Unit,
    ];

    /// Returns the word for this kind, in the singular or the plural.
    pub fn noun(self, count: usize) -> &'static str {
        match (self, count) {
            (LaneKind::Link, 1) => "link",
            (LaneKind::Link, _) => "links",
            (LaneKind::Address, 1) => "address",
            (LaneKind::Address, _) => "addresses",
            (LaneKind::Route, 1) => "route",
            (LaneKind::Route, _) => "routes",
            (LaneKind::Requirement, 1) => "requirement",
            (LaneKind::Requirement, _) => "requirements",
            (LaneKind::Probe, 1) => "probe",
            (LaneKind::Probe, _) => "probes",
            (LaneKind::Gate, _) => "gate",
            (LaneKind::Unit, 1) => "waiting unit",
            (LaneKind::Unit, _) => "waiting units",
        }
    }
}

/// A state that lasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// When this part of the lane begins.
    pub from: Moment,
    /// When this part of the lane ends.
    pub to: Moment,
    /// The state that the colour or character stands for.
    pub tone: Tone,
    /// The state in words. The text is safe to print.
    pub text: String,
}

/// What a state means for the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Usable, met or ready.
    Good,
    /// Not usable yet, but on its way.
    Pending,
    /// Unusable, unmet or waiting.
    Bad,
    /// The state does not count.
    Idle,
}

impl Tone {
    /// Every tone, in the order of the legend.
    pub const ALL: [Tone; 4] = [Tone::Good, Tone::Pending, Tone::Bad, Tone::Idle];

    /// Returns the meaning of the colour, for the legend.
    pub fn meaning(self) -> &'static str {
        match self {
            Tone::Good => "usable, met or ready",
            Tone::Pending => "on its way",
            Tone::Bad => "unusable, unmet or waiting",
            Tone::Idle => "does not count",
        }
    }
}

/// The tone of a state, and the state in words.
type State = (Tone, String);

/// Distinguishes a lane from the other lanes.
type Key = (LaneKind, String);

/// A lane whose last stretch has not ended.
#[derive(Debug)]
struct Growing {
    key: Key,
    lane: Lane,
    current: Option<(Moment, Tone, String)>,
}

impl Growing {
    /// Sets the state from `at` on. `None` means that the thing does not exist any more.
    fn becomes(&mut self, at: Moment, state: Option<State>) {
        if let (Some((_, tone, text)), Some((new, words))) = (&self.current, &state) {
            if tone == new && text == words {
                return;
            }
        }
        if let Some((from, tone, text)) = self.current.take() {
            if at > from {
                self.lane.stretches.push(Stretch { from, to: at, tone, text });
            }
        }
        self.current = state.map(|(tone, text)| (at, tone, text));
    }
}

/// Makes the lanes of these events. They are sorted by kind and, within a kind, by their first event.
pub(super) fn of(
    events: &[Event],
    gate: &str,
    (start, end): (Moment, Moment),
    waiters: &[Waiter],
) -> Vec<Lane> {
    let mut growing: Vec<Growing> = Vec::new();
    for event in events {
        let Some((key, name, state)) = state(&event.what, gate) else { continue };
        let at = match growing.iter().position(|known| known.key == key) {
            Some(at) => at,
            None => {
                let lane = Lane { kind: key.0, name: String::new(), stretches: Vec::new() };
                growing.push(Growing { key, lane, current: None });
                growing.len() - 1
            }
        };
        let Some(lane) = growing.get_mut(at) else { continue };
        // A link may have been renamed, so use the latest name.
        lane.lane.name = escape(&name).into_owned();
        let state = state.map(|(tone, text)| (tone, escape(&text).into_owned()));
        lane.becomes(event.at, state);
    }
    let mut lanes: Vec<Lane> = growing
        .into_iter()
        .map(|mut lane| {
            lane.becomes(end, None);
            lane.lane
        })
        .collect();
    lanes.retain(|lane| !lane.stretches.is_empty());
    lanes.extend(waiters.iter().map(|waiter| unit(waiter, start, end)));
    lanes.sort_by_key(|lane| lane.kind);
    lanes
}

/// Returns the lane that an event belongs to, the lane's name, and the state from then on.
fn state(what: &What, name: &str) -> Option<(Key, String, Option<State>)> {
    let (key, name, state) = match what {
        What::Start(_) | What::Dropped(_) => return None,
        What::Gate(change) => {
            ((LaneKind::Gate, String::new()), format!("gate {name}").trim_end().to_owned(), gate(change))
        }
        What::Requirement(change) => {
            let name = requirement_name(&change.requirement, change.link.as_deref());
            let tone = match change.state {
                RequirementWord::Met => Tone::Good,
                RequirementWord::Unmet => Tone::Bad,
                RequirementWord::NotPresent | RequirementWord::NotAsked | RequirementWord::NotNeeded => {
                    Tone::Idle
                }
            };
            let key = (LaneKind::Requirement, format!("{} {name}", change.clause));
            (key, name, Some((tone, requirement_state(change))))
        }
        What::Link(change) => {
            let tone = match change.state {
                LinkWord::Down | LinkWord::NoCarrier => Some(Tone::Bad),
                LinkWord::Dormant => Some(Tone::Pending),
                LinkWord::Carrier => Some(Tone::Good),
                LinkWord::Gone => None,
            };
            let key = (LaneKind::Link, change.ifindex.to_string());
            (key, change.link.clone(), tone.map(|tone| (tone, link_state(change.state).to_owned())))
        }
        What::Address(change) => {
            let tone = match change.state {
                AddressWord::Usable => Some(Tone::Good),
                AddressWord::Tentative => Some(Tone::Pending),
                AddressWord::Duplicate | AddressWord::Deprecated => Some(Tone::Bad),
                AddressWord::Gone => None,
            };
            let key = (LaneKind::Address, format!("{} {}", change.ifindex, change.address.addr()));
            let name = format!("{} {}", change.link, change.address);
            (key, name, tone.map(|tone| (tone, address_state(change.state).to_owned())))
        }
        What::Route(change) => {
            let name = route_name(change);
            let state = match change.state {
                // It refuses traffic.
                RouteWord::Added if change.link.is_none() => Some((Tone::Bad, "refuses".to_owned())),
                RouteWord::Added => Some((Tone::Good, "there".to_owned())),
                RouteWord::Dead => Some((Tone::Bad, "there, but dead or without carrier".to_owned())),
                RouteWord::Replaced | RouteWord::Gone => None,
            };
            ((LaneKind::Route, name.clone()), name, state)
        }
        What::Probe(change) => {
            let state = match change.state {
                ProbeWord::Answered => (Tone::Good, format!("answered: {}", change.text)),
                ProbeWord::Failed => (Tone::Bad, format!("fails: {}", change.text)),
            };
            ((LaneKind::Probe, change.probe.clone()), change.probe.clone(), Some(state))
        }
    };
    Some((key, name, state))
}

fn gate(change: &GateChange) -> Option<State> {
    let with = |word: &str, more: Option<&str>| match more {
        Some(more) => format!("{word}: {more}"),
        None => word.to_owned(),
    };
    let why = change.reason.as_ref().map(|cause| cause.text.as_str());
    Some(match change.state {
        GateWord::Waiting => (Tone::Bad, with("waiting", why)),
        GateWord::Grace => (Tone::Pending, with("waiting a little", why)),
        GateWord::Settling => (Tone::Pending, "settling".to_owned()),
        GateWord::Ready => (Tone::Good, with("ready", change.met_by.as_deref())),
        GateWord::Opened => (Tone::Pending, with(&format!("opened{}", because(change.by)), why)),
        GateWord::Lost => (Tone::Bad, with("lost", why)),
        GateWord::GaveUp => (Tone::Bad, with(&format!("given up{}", because(change.by)), why)),
        GateWord::Stopped => return None,
    })
}

fn unit(waiter: &Waiter, start: Moment, end: Moment) -> Lane {
    let mut stretches = Vec::new();
    let mut add = |from: Moment, to: Moment, tone, text: &str| {
        if to > from {
            stretches.push(Stretch { from, to, tone, text: text.to_owned() });
        }
    };
    let active = waiter.active.map(|active| active.max(waiter.started));
    add(start, waiter.started, Tone::Bad, "waits for the gate");
    add(waiter.started, active.unwrap_or(end), Tone::Pending, "starts");
    if let Some(active) = active {
        let took = Span(active - waiter.started);
        add(active, end, Tone::Good, &format!("up, {took} after its start"));
    }
    Lane { kind: LaneKind::Unit, name: escape(&waiter.unit).into_owned(), stretches }
}
