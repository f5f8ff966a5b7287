//! Shows how a gate became ready, from the events of one `run`: what was in which state, and from when until when.
//!
//! [`Timeline::of`] takes events ([`history`](crate::history)) and makes lanes from them: one for each link,
//! address, route, requirement and probe, one for the gate, and one for each unit that waited for the gate. A lane
//! has stretches of time, each with a state. Events may be missing (a record that was cut, too many events at
//! once). Then there is a gap between the stretches.
//!
//! Texts of events come from others. The texts for people that this module makes from them are escaped.

mod lanes;
mod panels;
mod table;
#[cfg(test)]
mod tests;
mod words;

use core::time::Duration;

use crate::escape::escape;
use crate::history::{By, Event, GateWord, Start, What};
use crate::moment::Moment;
use crate::report::Took;

pub use lanes::{Lane, LaneKind, Stretch, Tone};
pub use panels::Panel;
pub use table::{Glyphs, columns, cut, one_line, table};
pub use words::{past, sentence};

/// How many reasons are counted separately before the gate is ready. With half as many, links that flap in turn
/// could hide the longest reason. No boot has twice as many.
const MOST_HOLDERS: usize = 64;

/// Returns the local date and the local time of day of a moment, as in `2026-11-27` and `02:14:07`.
pub type WallClock<'a> = &'a dyn Fn(Moment) -> (String, String);

/// The events of one `run`, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The name of the gate. It is not escaped.
    pub gate: String,
    /// The first event that says which gate is kept. `None` if it is missing.
    pub begin: Option<Start>,
    /// When netready began to keep the gate, or the time of the first event if that is unknown.
    pub start: Moment,
    /// The end of the known time.
    pub end: Moment,
    /// Whether the run goes on after the last event.
    pub goes_on: bool,
    /// How the gate opened, or why it did not.
    pub way: Way,
    /// The losses after that.
    pub losses: Vec<Loss>,
    /// The lanes, which show what was in which state.
    pub lanes: Vec<Lane>,
    /// The events in words.
    pub steps: Vec<Step>,
    /// How many events are missing because there were too many at once.
    pub dropped: u64,
}

/// The time from the start until the gate opened or gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// When the wait ended. If it did not end, this is the end of the known time.
    pub end: Moment,
    /// How the wait for the gate ended.
    pub result: Ending,
    /// How many runs gave up before that, if the events are those of several runs.
    pub gave_up: usize,
    /// What met the gate, or why it is not met. The text is not escaped.
    pub by: Option<String>,
    /// What held the gate shut longest, with all its times together.
    pub longest: Option<Held>,
}

/// How the wait for a gate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The gate became ready.
    Ready,
    /// The gate opened, although it was not ready.
    Opened(Option<By>),
    /// The gate gave up.
    GaveUp(Option<By>),
    /// netready was told to end before the gate was ready.
    Stopped,
    /// The gate is still waiting, or nothing more is known.
    Waiting,
    /// The events about the end are missing.
    Missing,
}

/// What held a gate shut, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The reason or the phase that took this time.
    pub by: Holder,
    /// How long it held the gate shut, with all its times together.
    pub lasted: Duration,
}

/// What can hold a gate shut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A reason that kept the gate shut. Its text is not escaped.
    Reason {
        /// The code of the reason.
        code: String,
        /// The reason as a sentence in the present tense.
        text: String,
        /// The link that causes the reason, if it is one link.
        link: Option<String>,
    },
    /// Every clause was met, and had to stay met for the time `settle`.
    Settle,
    /// The gate waited for an unknown reason.
    Unknown,
}

/// The time from the loss of a gate until it was ready again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// When the gate was lost.
    pub from: Moment,
    /// When the gate was ready again. `None` if it was not.
    pub to: Option<Moment>,
    /// The first reason of the loss. The text is not escaped.
    pub why: Option<String>,
}

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When the event was seen.
    pub at: Moment,
    /// What happened. The text is safe to print.
    pub text: String,
}

/// A unit that is ordered after the gate's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// The name of the unit, not escaped.
    pub unit: String,
    /// When systemd began to start the unit.
    pub started: Moment,
    /// When the unit was active. `None` if it is not active yet.
    pub active: Option<Moment>,
}

/// The events of the last run, and of those right before it that gave up: from the moment since which the gate was
/// waited for.
pub fn with_given_up(runs: &[Vec<Event>]) -> Vec<Event> {
    let Some((_, before)) = runs.split_last() else { return Vec::new() };
    let gave_up = |run: &&Vec<Event>| {
        let timeline = Timeline::of(run, None, &[]);
        timeline.is_some_and(|timeline| matches!(timeline.way.result, Ending::GaveUp(_)))
    };
    let given_up = before.iter().rev().take_while(gave_up).count();
    runs.iter().skip(before.len() - given_up).flatten().cloned().collect()
}

/// Divides the events of a boot into those of each `run`. A run begins with a start that is not a reload.
pub fn runs(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut runs: Vec<Vec<Event>> = Vec::new();
    for event in events {
        let begins = matches!(&event.what, What::Start(start) if !start.reloaded);
        match runs.last_mut() {
            Some(run) if !begins => run.push(event),
            _ => runs.push(vec![event]),
        }
    }
    runs
}

impl Timeline {
    /// Makes the timeline of one run, or of the [runs that gave up](with_given_up) and the run after them. Returns
    /// `None` if there are no events. If `end` is given and later than the last event, the timeline ends there, because
    /// the last state of a run that is still running goes on until now.
    pub fn of(events: &[Event], end: Option<Moment>, waiters: &[Waiter]) -> Option<Timeline> {
        let first = events.first()?;
        let starts = || events.iter().filter_map(|event| started(event).map(|start| (event.at, start)));
        let begin = starts().find(|(_, start)| !start.reloaded);
        let gate = starts().next_back().map(|(_, start)| start.gate.clone()).unwrap_or_default();
        let start = begin.map_or(first.at, |(at, _)| at.min(first.at));
        let last = events.iter().map(|event| event.at).max().unwrap_or(start);
        let stopped = events.iter().any(|event| is_state(event, GateWord::Stopped));
        let now = end.filter(|_| !stopped);
        let end = now.map_or(last, |now| now.max(last)).max(start);
        Some(Timeline {
            begin: begin.map(|(_, start)| start.clone()),
            start,
            end,
            goes_on: now.is_some(),
            way: way(events, start, end),
            losses: losses(events),
            lanes: lanes::of(events, &gate, (start, end), waiters),
            steps: events.iter().map(step).collect(),
            gate,
            dropped: events.iter().filter_map(dropped).fold(0, u64::saturating_add),
        })
    }

    /// Returns how long the gate waited.
    pub fn took(&self) -> Duration {
        self.way.end - self.start
    }

    /// Returns how the wait ended, such as `ready after 5.98s`. The text is safe to print.
    pub fn outcome(&self) -> String {
        let took = Took(self.took());
        let outcome = match self.way.result {
            Ending::Ready => format!("ready after {took}"),
            Ending::Opened(by) => format!("opened after {took} without being ready{}", words::because(by)),
            Ending::GaveUp(by) => format!("given up after {took}{}", words::because(by)),
            Ending::Stopped => format!("netready was ended after {took}, before the gate was ready"),
            Ending::Waiting if self.goes_on => format!("not ready after {took}"),
            Ending::Waiting => format!("not ready {took} after the start, and the record ends there"),
            Ending::Missing => "the events that tell how it opened are missing".to_owned(),
        };
        match self.way.gave_up {
            0 => outcome,
            1 => format!("{outcome} (gave up once before)"),
            times => format!("{outcome} (gave up {times} times before)"),
        }
    }

    /// Returns the longest stretch as a sentence: `The longest stretch, 5.90s of 5.98s: e0 had no carrier`. The
    /// text is safe to print. `None` if nothing took time.
    pub fn longest(&self) -> Option<String> {
        let held = self.way.longest.as_ref()?;
        let of = Took(self.took());
        Some(format!("The longest stretch, {} of {of}: {}", Took(held.lasted), held.by.text()))
    }

    /// Returns a sentence about how often the gate was lost, and about the latest loss with its date and time. The
    /// text is safe to print. `None` if the gate was not lost.
    pub fn lost(&self, wall_clock: WallClock<'_>) -> Option<String> {
        let last = self.losses.last()?;
        let why = last.why.as_deref().map(|why| format!(": {}", escape(why))).unwrap_or_default();
        let count = match self.losses.len() {
            1 => "Lost once afterwards, at".to_owned(),
            count => format!("Lost {count} times afterwards, last at"),
        };
        let (date, time) = wall_clock(last.from);
        let at = format!("{date} {time} ({} after the start)", Took(last.from - self.start));
        Some(match last.to {
            Some(to) => format!("{count} {at}, for {}{why}", Took(to - last.from)),
            None => format!("{count} {at}, and not ready since{why}"),
        })
    }
}

impl Holder {
    /// Returns the reason in the past tense, as a part of a sentence. The text is safe to print.
    pub fn text(&self) -> String {
        match self {
            Holder::Reason { text, link, .. } => escape(&past(text, link.as_deref())).into_owned(),
            Holder::Settle => "everything was met and had to hold".to_owned(),
            Holder::Unknown => "it waited, and the record does not say why".to_owned(),
        }
    }
}

fn started(event: &Event) -> Option<&Start> {
    if let What::Start(start) = &event.what { Some(start) } else { None }
}

fn dropped(event: &Event) -> Option<u64> {
    if let What::Dropped(count) = event.what { Some(count) } else { None }
}

fn is_state(event: &Event, state: GateWord) -> bool {
    matches!(&event.what, What::Gate(change) if change.state == state)
}

fn step(event: &Event) -> Step {
    Step { at: event.at, text: escape(&sentence(&event.what)).into_owned() }
}

/// Follows the states of the gate up to the first one that ends the wait. A run that gave up
/// ends it only if no run follows.
fn way(events: &[Event], start: Moment, end: Moment) -> Way {
    let mut holders: Vec<Held> = Vec::new();
    let mut current: Option<(Holder, Moment)> = None;
    let begins = |event: &Event| started(event).is_some_and(|start| !start.reloaded);
    let last_run = events.iter().rposition(begins).unwrap_or_default();
    let mut gave_up = 0;
    // Before the first state of a run nothing but the look at the network passed.
    let mut begun = Some(start);
    for (index, event) in events.iter().enumerate() {
        if gave_up > 0 && begins(event) {
            begun = Some(event.at);
        }
        let What::Gate(change) = &event.what else { continue };
        if let Some((holder, since)) = current.take() {
            add(&mut holders, holder, event.at - since);
        }
        let result = match change.state {
            GateWord::Waiting | GateWord::Grace | GateWord::Settling => None,
            GateWord::Ready => Some(Ending::Ready),
            GateWord::Opened => Some(Ending::Opened(change.by)),
            GateWord::GaveUp if index < last_run => {
                gave_up += 1;
                continue;
            }
            GateWord::GaveUp => Some(Ending::GaveUp(change.by)),
            GateWord::Stopped => Some(Ending::Stopped),
            GateWord::Lost => Some(Ending::Missing),
        };
        let reason = change.reason.as_ref();
        if let Some(result) = result {
            let by = if result == Ending::Ready {
                change.met_by.clone()
            } else {
                reason.map(|cause| cause.text.clone())
            };
            return Way { end: event.at, result, gave_up, by, longest: longest(holders) };
        }
        let holder = match (change.state, reason) {
            (GateWord::Settling, _) => Holder::Settle,
            (_, Some(cause)) => Holder::Reason {
                code: cause.code.as_str().to_owned(),
                text: cause.text.clone(),
                link: cause.link.clone(),
            },
            (_, None) => Holder::Unknown,
        };
        current = Some((holder, begun.take().unwrap_or(event.at)));
    }
    let by = current.as_ref().and_then(|(holder, _)| match holder {
        Holder::Reason { text, .. } => Some(text.clone()),
        Holder::Settle | Holder::Unknown => None,
    });
    if let Some((holder, since)) = current {
        add(&mut holders, holder, end - since);
    }
    Way { end, result: Ending::Waiting, gave_up, by, longest: longest(holders) }
}

fn add(holders: &mut Vec<Held>, by: Holder, lasted: Duration) {
    if let Some(held) = holders.iter_mut().find(|held| held.by == by) {
        held.lasted = held.lasted.saturating_add(lasted);
    } else if holders.len() < MOST_HOLDERS {
        holders.push(Held { by, lasted });
    }
}

/// Returns the first of those that held longest.
fn longest(holders: Vec<Held>) -> Option<Held> {
    let most = holders.iter().map(|held| held.lasted).max().filter(|most| !most.is_zero())?;
    holders.into_iter().find(|held| held.lasted == most)
}

fn losses(events: &[Event]) -> Vec<Loss> {
    let mut losses: Vec<Loss> = Vec::new();
    for event in events {
        let What::Gate(change) = &event.what else { continue };
        let open = losses.last_mut().filter(|loss| loss.to.is_none());
        match (change.state, open) {
            (GateWord::Lost, None) => losses.push(Loss {
                from: event.at,
                to: None,
                why: change.reason.as_ref().map(|cause| cause.text.clone()),
            }),
            (GateWord::Ready, Some(loss)) => loss.to = Some(event.at),
            (_, _) => {}
        }
    }
    losses
}
