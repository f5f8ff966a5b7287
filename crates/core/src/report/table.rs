//! Writes verdicts for people: the table of `check`, and what is unmet at the timeout.

use core::fmt::Write;

use crate::escape::escape;
use crate::model::Network;
use crate::report::next_step::{advice, numbered};
use crate::report::{item, outcome};
use crate::requirement::Gate;
use crate::verdict::{ClauseVerdict, Outcome, Row, Verdict};

/// A function that gives a word a colour, or returns it unchanged.
pub type Paint = fn(Tone, &str) -> String;

/// The meaning of a word, which selects its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The word says that all is well.
    Good,
    /// The word says that something is wrong.
    Bad,
    /// The word is unimportant.
    Dim,
}

/// Leaves the word as it is, without colour.
pub fn paint_none(_tone: Tone, word: &str) -> String {
    word.to_owned()
}

/// What a table shows in addition to the verdict.
#[derive(Clone, Copy, Default)]
pub struct Details<'a> {
    /// The known network state. It is searched for a link that the user probably meant.
    pub network: Option<&'a Network>,
    /// Whether every row shows the line or option that asks for it. Otherwise only unmet rows do.
    pub every_place: bool,
}

/// Writes a table. The first line has the verdict. Each following line has a requirement with its explanation.
/// Below an unmet requirement there is a line with the next step and with the line of the gate file that asks for
/// it, if these are known.
pub fn table(gate: &Gate, verdict: &Verdict, ready: bool, details: Details<'_>, paint: Paint) -> String {
    let headline = match ready {
        true => paint(Tone::Good, "Ready"),
        false => paint(Tone::Bad, "NOT ready"),
    };
    let mut text = format!("{headline}: gate {} ({})\n", escape(&gate.name), escape(&gate.source));
    let lines: Vec<([String; 3], Option<String>)> = numbered(&verdict.clauses)
        .map(|(number, clause, row)| {
            let columns = [outcome_word(clause, row).to_owned(), item(row), outcome(row)];
            (columns, advice(gate, number, row, details.network, details.every_place))
        })
        .collect();
    let words = lines.iter().map(|(line, _)| line[0].len()).max().unwrap_or(0).max("unmet".len());
    let items = lines.iter().map(|(line, _)| line[1].len()).max().unwrap_or(0);
    for ([word, item, behind], advice) in &lines {
        let pad = " ".repeat(words - word.len());
        let _ = writeln!(text, "  {}{pad}  {item:items$}  {behind}", paint(tone_of(word), word));
        if let Some(advice) = advice {
            let _ = writeln!(text, "  {:words$}  {advice}", "");
        }
    }
    for warning in &verdict.warnings {
        let _ = writeln!(text, "warning: {}", escape(&warning.to_string()));
    }
    text
}

/// Returns the outcome of a row as one word.
pub(super) fn outcome_word(clause: &ClauseVerdict, row: &Row) -> &'static str {
    match &row.outcome {
        Outcome::Met(_) => "met",
        Outcome::Unmet(_) if clause.grace.is_some() => "wanted",
        Outcome::Unmet(_) => "unmet",
        Outcome::NotPresent => "absent",
        Outcome::NotAsked => "skipped",
    }
}

/// Returns the meaning of that word.
pub(super) fn tone_of(word: &str) -> Tone {
    match word {
        "met" => Tone::Good,
        "unmet" => Tone::Bad,
        _ => Tone::Dim,
    }
}

/// Returns the lines of [`unmet_lines`]. After each there may be a line with the next step and with the line of the
/// gate file that asks for it.
pub fn unmet_with_advice(gate: &Gate, verdict: &Verdict, network: Option<&Network>) -> Vec<String> {
    let unmet = numbered(&verdict.clauses).filter(|(_, _, row)| !row.outcome.holds());
    let lines = unmet.flat_map(|(number, clause, row)| {
        let advice = advice(gate, number, row, network, false).map(|advice| format!("       {advice}"));
        core::iter::once(unmet_line(clause, row)).chain(advice)
    });
    lines.collect()
}

/// Returns a line for each unmet requirement, for the end of a wait.
pub fn unmet_lines(verdict: &Verdict) -> Vec<String> {
    let unmet = verdict.rows().filter(|(_, row)| !row.outcome.holds());
    unmet.map(|(clause, row)| unmet_line(clause, row)).collect()
}

fn unmet_line(clause: &ClauseVerdict, row: &Row) -> String {
    format!("{}  {}  {}", outcome_word(clause, row), item(row), outcome(row))
}
