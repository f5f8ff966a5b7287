//! One line that is always true: what STATUS= says, and `systemctl status` shows.

use crate::escape::escape;
use crate::gate_state::{Came, GaveUp, OpenedBy, Phase};
use crate::report::{Noun, Sentence, Span};
use crate::requirement::Gate;
use crate::verdict::{Evidence, Outcome, Reason, Row, Verdict};

/// How many reasons a line names before it counts the rest.
pub(super) const NAMED: usize = 3;

/// What the line needs besides the verdict.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Where the gate stands.
    pub phase: Phase,
    /// The time of day since when the phase lasts, of a gate that is lost, or ready though not for the first
    /// time.
    pub since: &'a str,
    /// The time of day at which an earlier `run` of this boot gave up.
    pub gave_up_at: Option<&'a str>,
}

/// The line, safe to print. It begins with `Waiting`, `Ready` or `NOT ready`.
pub fn status(gate: &Gate, verdict: &Verdict, standing: Standing<'_>) -> String {
    escape(&line(gate, verdict, standing)).into_owned()
}

fn line(gate: &Gate, verdict: &Verdict, standing: Standing<'_>) -> String {
    match standing.phase {
        Phase::Waiting => {
            format!("Waiting{}: {}", bound(gate, standing), missing(verdict))
        }
        Phase::Grace { .. } => format!(
            "Waiting{}: all that is required is met, waiting a little for: {}",
            bound(gate, standing),
            first_few(missing_of_any(verdict), "; ")
        ),
        Phase::Settling { .. } => {
            format!("Waiting{}: all met, must hold for {} more", bound(gate, standing), Span(gate.settle))
        }
        Phase::Ready { came } => {
            let without = without(verdict);
            let without = if without.is_empty() { without } else { format!(" (without: {without})") };
            // What meets it now need not be what met it before a loss.
            let came = match came {
                Came::First { after } => format!("after {}", Span(after)),
                Came::Again { .. } => format!("again since {}", standing.since),
                Came::Reloaded { .. } => format!("since {} by the gate as reloaded", standing.since),
            };
            format!("Ready {came}: {}{without}", evidence(verdict))
        }
        Phase::Opened { after, by } => {
            let missing = missing(verdict);
            match by {
                OpenedBy::Timeout(why) => {
                    format!("NOT ready after {}, opened all the same: {missing}", within(gate, why, after))
                }
                OpenedBy::Request => {
                    format!("NOT ready after {}, opened by hand: {missing}", Span(after))
                }
                OpenedBy::KernelLine => format!(
                    "NOT ready after {}, opened by the kernel command line (netready.open): {missing}",
                    Span(after)
                ),
                OpenedBy::Reload => format!("NOT ready by the gate as reloaded: {missing}"),
            }
        }
        Phase::Lost { .. } => {
            format!("NOT ready since {}: {} (was ready)", standing.since, missing(verdict))
        }
        Phase::GaveUp { why: GaveUp::Lost, .. } => {
            format!("NOT ready since {}, ending: {}", standing.since, missing(verdict))
        }
        Phase::GaveUp { after, why: why @ (GaveUp::Timeout | GaveUp::NoCarrier) } => {
            format!("NOT ready after {}, given up: {}", within(gate, why, after), missing(verdict))
        }
    }
}

/// What a verdict comes to, without the time: what is missing, or what meets it; safe to print.
pub fn summary(verdict: &Verdict) -> String {
    escape(&if verdict.ready() { evidence(verdict) } else { missing(verdict) }).into_owned()
}

/// The bound that was reached, said as it was written.
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
    match (standing.gave_up_at, gate.timeout) {
        (Some(at), _) => format!(" (gave up at {at})"),
        (None, Some(timeout)) if gate.forced.bounded => {
            format!(" (up to {} by netready.timeout)", Span(timeout))
        }
        (None, Some(timeout)) => format!(" (up to {})", Span(timeout)),
        (None, None) => String::new(),
    }
}

fn missing(verdict: &Verdict) -> String {
    first_few(all_missing(verdict), "; ")
}

/// What holds the gate shut: of required clauses where any is unmet, else of those with a grace. There is at least
/// one part; it is not safe to print.
pub(super) fn all_missing(verdict: &Verdict) -> Vec<String> {
    let unmet = |required: bool| {
        let clauses = verdict.clauses.iter().filter(move |clause| clause.grace.is_none() == required);
        clauses.filter(|clause| !clause.met).flat_map(|clause| &clause.rows)
    };
    let mut sentences = sentences(unmet(true));
    if sentences.is_empty() && !verdict.unread.is_empty() {
        sentences.push("routing tables are being read".to_owned());
    }
    if sentences.is_empty() {
        sentences = self::sentences(unmet(false));
    }
    if sentences.is_empty() {
        sentences.push("all met".to_owned());
    }
    sentences
}

/// What is missing of any clause. It is not safe to print.
pub(super) fn missing_of_any(verdict: &Verdict) -> Vec<String> {
    sentences(verdict.clauses.iter().filter(|clause| !clause.met).flat_map(|clause| &clause.rows))
}

fn sentences<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
    let mut sentences = Vec::new();
    for row in rows {
        if let Outcome::Unmet(reason) = &row.outcome {
            if let Reason::NotTried { begun: false, .. } = reason {
                // What it waits for is said.
                continue;
            }
            let sentence = Sentence(reason).to_string();
            // One cause is said once: a link without carrier costs its routes too.
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
    }
    sentences
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
        // pasta's routes are often those that other requirements name too.
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
