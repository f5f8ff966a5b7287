//! Verdicts for people: `check`'s table, and what is unmet at the timeout.

use core::fmt::Write;

use crate::escape::escape;
use crate::model::Network;
use crate::report::next_step::{advice, numbered};
use crate::report::{item, outcome};
use crate::requirement::Gate;
use crate::verdict::{ClauseVerdict, Outcome, Row, Verdict};

/// Puts colour on a word, or does not.
pub type Paint = fn(Tone, &str) -> String;

/// What a word tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The word says that all is well.
    Good,
    /// The word says that something is wrong.
    Bad,
    /// It does not matter.
    Dim,
}

/// Leaves the word as it is, without colour.
pub fn paint_none(_tone: Tone, word: &str) -> String {
    word.to_owned()
}

/// What a table says beside the verdict.
#[derive(Clone, Copy, Default)]
pub struct Details<'a> {
    /// What is known of the kernel's state, to find a link that was probably meant.
    pub network: Option<&'a Network>,
    /// Tell of each row by which line or option it is asked for, and not of unmet ones alone.
    pub every_place: bool,
}

/// The first line says the verdict, the others each requirement with what is behind it. Below an unmet one stands what
/// to do next and which line of a gate file asks for it, if there is something to say.
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

/// What became of a row, in one word.
pub(super) fn outcome_word(clause: &ClauseVerdict, row: &Row) -> &'static str {
    match &row.outcome {
        Outcome::Met(_) => "met",
        Outcome::Unmet(_) if clause.grace.is_some() => "wanted",
        Outcome::Unmet(_) => "unmet",
        Outcome::NotPresent => "absent",
        Outcome::NotAsked => "skipped",
    }
}

/// What that word tells.
pub(super) fn tone_of(word: &str) -> Tone {
    match word {
        "met" => Tone::Good,
        "unmet" => Tone::Bad,
        _ => Tone::Dim,
    }
}

/// The lines of [`unmet_lines`], each followed by what to do next and which line of a gate file asks for it.
pub fn unmet_with_advice(gate: &Gate, verdict: &Verdict, network: Option<&Network>) -> Vec<String> {
    let unmet = numbered(&verdict.clauses).filter(|(_, _, row)| !row.outcome.holds());
    let lines = unmet.flat_map(|(number, clause, row)| {
        let advice = advice(gate, number, row, network, false).map(|advice| format!("       {advice}"));
        core::iter::once(unmet_line(clause, row)).chain(advice)
    });
    lines.collect()
}

/// A line for each unmet requirement, for the end of a wait.
pub fn unmet_lines(verdict: &Verdict) -> Vec<String> {
    let unmet = verdict.rows().filter(|(_, row)| !row.outcome.holds());
    unmet.map(|(clause, row)| unmet_line(clause, row)).collect()
}

fn unmet_line(clause: &ClauseVerdict, row: &Row) -> String {
    format!("{}  {}  {}", outcome_word(clause, row), item(row), outcome(row))
}
