//! Verdicts for people: `check`'s table, and what is unmet at the timeout.

use core::fmt::Write;

use crate::escape::escape;
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

/// The first line says the verdict, the others each requirement with what is behind it.
pub fn table(gate: &Gate, verdict: &Verdict, ready: bool, paint: Paint) -> String {
    let headline = match ready {
        true => paint(Tone::Good, "Ready"),
        false => paint(Tone::Bad, "NOT ready"),
    };
    let mut text = format!("{headline}: gate {} ({})\n", escape(&gate.name), escape(&gate.source));
    let lines: Vec<[String; 3]> = verdict
        .rows()
        .map(|(clause, row)| [outcome_word(clause, row).to_owned(), item(row), outcome(row)])
        .collect();
    let words = lines.iter().map(|line| line[0].len()).max().unwrap_or(0).max("unmet".len());
    let items = lines.iter().map(|line| line[1].len()).max().unwrap_or(0);
    for [word, item, behind] in &lines {
        let pad = " ".repeat(words - word.len());
        let _ = writeln!(text, "  {}{pad}  {item:items$}  {behind}", paint(tone_of(word), word));
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

/// A line for each unmet requirement, for the end of a wait.
pub fn unmet_lines(verdict: &Verdict) -> Vec<String> {
    let unmet = verdict.rows().filter(|(_, row)| !row.outcome.holds());
    unmet
        .map(|(clause, row)| {
            let word = if clause.grace.is_some() { "wanted" } else { "unmet" };
            format!("{word}  {}  {}", item(row), outcome(row))
        })
        .collect()
}
