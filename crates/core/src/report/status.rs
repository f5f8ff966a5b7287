//! Writes the status line, which is always up to date: STATUS= has it, and `systemctl status` shows it.

use core::time::Duration;

use crate::account::{Stretch, Times};
use crate::escape::escape;
use crate::gate_state::{Came, GaveUp, OpenedBy, Phase};
use crate::report::{About, Noun, PastSentence, Sentence, Span, Took};
use crate::requirement::Gate;
use crate::verdict::{ClauseVerdict, Evidence, Outcome, Row, Tally, Verdict};

/// How many reasons a line names. The others are only counted.
pub(super) const NAMED: usize = 3;

/// What the status line needs in addition to the verdict.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The present phase of the gate.
    pub phase: Phase,
    /// The time of day at which the phase began, with the date if that was another day. It is used for a gate that
    /// is lost, or that is ready but not for the first time.
    pub since: &'a str,
    /// What held the gate shut and for how long.
    pub times: Times<'a>,
    /// What earlier `run`s of this boot came to, if the last one gave up and the gate was not ready since.
    pub earlier: Option<&'a Earlier>,
}

/// Earlier `run`s of this boot, the last of which gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The time of day at which the last one gave up.
    pub gave_up_at: String,
    /// How long the gate was waited for before this `run`: from the start of the first one that gave up.
    pub waited: Duration,
}

/// Writes the status line. It is safe to print and begins with `Waiting`, `Ready` or `NOT ready`.
pub fn status(gate: &Gate, verdict: &Verdict, standing: Standing<'_>) -> String {
    escape(&line(gate, verdict, standing)).into_owned()
}

fn line(gate: &Gate, verdict: &Verdict, standing: Standing<'_>) -> String {
    match standing.phase {
        Phase::Waiting => {
            format!("Waiting{}: {}", bound(gate, standing), missing(verdict))
        }
        Phase::Grace { .. } => format!(
            "Waiting{}: everything required is met; waiting a little longer for: {}",
            bound(gate, standing),
            first_few(missing_of_any(verdict), "; ")
        ),
        Phase::Settling { .. } => {
            format!("Waiting{}: all met, must hold for {} more", bound(gate, standing), Span(gate.settle))
        }
        Phase::Ready { came } => {
            let without = without(verdict);
            let without = if without.is_empty() { without } else { format!(" (without: {without})") };
            // Say what meets the gate now. It may differ from what met the gate before a loss.
            let came = match came {
                Came::First { after } => format!("after {}{}", standing.took(after), standing.way()),
                Came::Again { .. } => format!("again since {}{}", standing.since, losses(standing.times)),
                Came::Reloaded { .. } => format!("since {} by the gate as reloaded", standing.since),
            };
            format!("Ready {came}: {}{without}", evidence(verdict))
        }
        Phase::Opened { after, by } => {
            let missing = missing(verdict);
            match by {
                OpenedBy::Timeout(why) => {
                    format!("NOT ready after {}, opened anyway: {missing}", within(gate, why, after))
                }
                OpenedBy::Request => {
                    format!("NOT ready after {}, opened by hand: {missing}", standing.took(after))
                }
                OpenedBy::KernelLine => format!(
                    "NOT ready after {}, opened by the kernel command line (netready.open): {missing}",
                    standing.took(after)
                ),
                OpenedBy::Reload => format!("NOT ready by the gate as reloaded: {missing}"),
            }
        }
        Phase::Lost { .. } => {
            let held = standing.times.held.map(|held| format!(" for {}", About(held))).unwrap_or_default();
            format!("NOT ready since {}: {} (was ready{held})", standing.since, missing(verdict))
        }
        Phase::GaveUp { why: GaveUp::Lost, .. } => {
            format!("NOT ready since {}, ending: {}", standing.since, missing(verdict))
        }
        Phase::GaveUp { after, why: why @ (GaveUp::Timeout | GaveUp::NoCarrier) } => {
            format!("NOT ready after {}, given up: {}", within(gate, why, after), missing(verdict))
        }
    }
}

impl Standing<'_> {
    /// How long the gate was waited for, given how long this `run` waited for it.
    fn took(self, after: Duration) -> Took {
        Took(after.saturating_add(self.earlier.map_or(Duration::ZERO, |earlier| earlier.waited)))
    }

    /// What took long on the way to ready. The reasons of earlier runs are not known here, so what took longest in
    /// this one would mislead.
    fn way(self) -> String {
        match self.earlier {
            Some(earlier) => format!(" (gave up at {})", earlier.gave_up_at),
            None => longest(self.times),
        }
    }
}

/// Summarises a verdict without the time: what is missing, or what meets the gate. The text is safe to print.
pub fn summary(verdict: &Verdict) -> String {
    escape(&if verdict.ready() { evidence(verdict) } else { missing(verdict) }).into_owned()
}

/// Returns the limit that was reached, as it was configured.
fn within(gate: &Gate, why: GaveUp, after: core::time::Duration) -> String {
    match why {
        GaveUp::Timeout => {
            let by = if gate.forced.bounded { " (netready.timeout of the kernel command line)" } else { "" };
            format!("{}{by}", Span(gate.timeout.unwrap_or(after)))
        }
        GaveUp::NoCarrier => format!("{} without carrier", Span(gate.no_carrier_timeout.unwrap_or(after))),
        GaveUp::Lost => Span(after).to_string(),
    }
}

fn bound(gate: &Gate, standing: Standing<'_>) -> String {
    match (standing.earlier, gate.timeout) {
        (Some(earlier), _) => format!(" (gave up at {})", earlier.gave_up_at),
        (None, Some(timeout)) if gate.forced.bounded => {
            format!(" (up to {} by netready.timeout)", Span(timeout))
        }
        (None, Some(timeout)) => format!(" (up to {})", Span(timeout)),
        (None, None) => String::new(),
    }
}

/// Says what held a gate shut longest before it was ready. Below a second it says nothing, because the kernel and
/// the network manager always need some milliseconds.
fn longest(times: Times<'_>) -> String {
    let long = |(_, lasted): &(&Stretch, Duration)| *lasted >= Duration::from_secs(1);
    let Some((stretch, lasted)) = times.longest.filter(long) else { return String::new() };
    match stretch {
        Stretch::Reason(reason) => format!(" ({} of it: {})", Took(lasted), PastSentence(reason)),
        Stretch::Settle => format!(" ({} of it: all met, had to hold)", Took(lasted)),
    }
}

fn losses(times: Times<'_>) -> String {
    let losses = match times.losses {
        1 => "1 loss".to_owned(),
        losses => format!("{losses} losses"),
    };
    format!(" (lost for {}; {losses} since boot)", About(times.lost_for))
}

fn missing(verdict: &Verdict) -> String {
    first_few(all_missing(verdict), "; ")
}

/// Returns what holds the gate shut. If a required clause is unmet, only required clauses count; otherwise the
/// clauses with a grace count. There is at least one part. The parts are not safe to print.
pub(super) fn all_missing(verdict: &Verdict) -> Vec<String> {
    let mut parts = parts(verdict, verdict.unmet());
    if parts.is_empty() {
        let rest = if verdict.unread.is_empty() { "all met" } else { "routing tables are being read" };
        parts.push(rest.to_owned());
    }
    parts
}

/// Returns what is missing of any clause. The parts are not safe to print.
pub(super) fn missing_of_any(verdict: &Verdict) -> Vec<String> {
    parts(verdict, verdict.clauses.iter().filter(|clause| !clause.met))
}

/// Returns what these clauses lack, the root cause first. The same cause is named once, because a link without
/// carrier also lacks its routes.
fn parts<'a>(verdict: &Verdict, clauses: impl Iterator<Item = &'a ClauseVerdict>) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut add = |part: String| {
        if !parts.contains(&part) {
            parts.push(part);
        }
    };
    for clause in clauses {
        if let Some(text) = clause.tally.and_then(|tally| counted(tally, &clause.rows)) {
            add(text);
            continue;
        }
        for reason in clause.reasons() {
            if let Some(root) = verdict.root(clause, reason) {
                add(Sentence(root).to_string());
            }
            add(Sentence(reason).to_string());
        }
    }
    parts
}

/// Describes a clause that needs several links or checks many: how many links satisfy it, and the first fault of
/// each other link: `1 of 2 links; missing: eth1: no carrier`.
fn counted(tally: Tally, rows: &[Row]) -> Option<String> {
    let head = match tally.needed {
        needed if tally.met >= needed => return None,
        0 | 1 if tally.of <= NAMED => return None,
        0 | 1 => format!("none of {} links", tally.of),
        needed => format!("{} of {needed} links", tally.met),
    };
    let mut links: Vec<&str> = Vec::new();
    let mut faults: Vec<String> = Vec::new();
    for (row, reason) in rows.iter().filter_map(|row| Some((row, row.reason()?))) {
        // A row without a link stands for a link that does not exist.
        let link = row.link.as_deref();
        if link.is_none_or(|link| !links.contains(&link)) {
            links.extend(link);
            faults.push(reason.to_string());
        }
    }
    Some(format!("{head}; missing: {}", first_few_and(faults)))
}

/// Joins at most three parts, and says how many more there are: `a, b, c and 57 more`.
fn first_few_and(mut parts: Vec<String>) -> String {
    let rest = parts.len().saturating_sub(NAMED);
    parts.truncate(NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    parts.join(", ") + &more
}

fn without(verdict: &Verdict) -> String {
    let clauses = verdict.clauses.iter().filter(|clause| !clause.met && clause.grace.is_some());
    let rows = clauses.flat_map(|clause| &clause.rows).filter(|row| !row.outcome.holds());
    first_few(rows.map(|row| Noun(row).to_string()).collect(), ", ")
}

fn evidence(verdict: &Verdict) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (_, row) in verdict.rows() {
        let Outcome::Met(evidence) = &row.outcome else { continue };
        // pasta's routes are often the routes of other requirements, so name each text only once.
        let said = match evidence {
            Evidence::Pasta(taken) => taken.iter().map(ToString::to_string).collect(),
            Evidence::Answer { probe, .. } => vec![probe.to_string()],
            Evidence::Link { .. }
            | Evidence::Address(_)
            | Evidence::Route { .. }
            | Evidence::Lookup { .. }
            | Evidence::Nameserver(_) => vec![evidence.to_string()],
        };
        for part in said {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    if parts.is_empty() {
        return "nothing more is waited for".to_owned();
    }
    first_few(parts, "; ")
}

fn first_few(mut parts: Vec<String>, separator: &str) -> String {
    let rest = parts.len().saturating_sub(NAMED);
    parts.truncate(NAMED);
    if rest > 0 {
        parts.push(format!("and {rest} more"));
    }
    parts.join(separator)
}
