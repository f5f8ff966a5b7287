//! What changed from one verdict to the next. `monitor` prints it.

use core::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::escape::escape;
use crate::report::table::{outcome_word, tone_of};
use crate::report::{Paint, Tone, item, outcome, summary};
use crate::verdict::Verdict;

/// What an evaluation did to the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The first verdict is "not ready".
    Waiting,
    /// The first verdict is "ready".
    Ready,
    /// The verdict is "not ready", and was never "ready".
    StillWaiting,
    /// The verdict is "ready" for the first time.
    NowReady,
    /// The verdict is "ready", as it was before.
    StillReady,
    /// The verdict is "not ready" after it was "ready".
    Lost,
    /// The verdict is still "not ready" after a loss.
    StillLost,
    /// The verdict is "ready" after a loss.
    ReadyAgain,
}

impl Turn {
    /// The width of the longest text in this column: `still waiting`.
    const COLUMNS: usize = 13;

    /// Returns the turn that follows `last` with this verdict.
    pub fn after(last: Option<Turn>, ready: bool) -> Turn {
        match (last, ready) {
            (None, true) => Turn::Ready,
            (None, false) => Turn::Waiting,
            (Some(Turn::Waiting | Turn::StillWaiting), true) => Turn::NowReady,
            (Some(Turn::Waiting | Turn::StillWaiting), false) => Turn::StillWaiting,
            (Some(Turn::Lost | Turn::StillLost), true) => Turn::ReadyAgain,
            (Some(Turn::Lost | Turn::StillLost), false) => Turn::StillLost,
            (Some(Turn::Ready | Turn::NowReady | Turn::StillReady | Turn::ReadyAgain), true) => {
                Turn::StillReady
            }
            (Some(Turn::Ready | Turn::NowReady | Turn::StillReady | Turn::ReadyAgain), false) => Turn::Lost,
        }
    }

    /// Returns the word in JSON. With spaces instead of hyphens it is the text for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Turn::Waiting => "waiting",
            Turn::Ready => "ready",
            Turn::StillWaiting => "still-waiting",
            Turn::NowReady => "now-ready",
            Turn::StillReady => "still-ready",
            Turn::Lost => "lost",
            Turn::StillLost => "still-lost",
            Turn::ReadyAgain => "ready-again",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Turn::Ready | Turn::NowReady | Turn::ReadyAgain => Tone::Good,
            Turn::Waiting | Turn::Lost => Tone::Bad,
            Turn::StillWaiting | Turn::StillReady | Turn::StillLost => Tone::Dim,
        }
    }
}

/// The difference between a verdict and the previous one. Its texts are safe to print.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// What the evaluation did to the verdict.
    pub turn: Turn,
    /// The indexes of the rows that are new or have changed, in the verdict's order.
    pub rows: Vec<usize>,
    lines: Vec<Line>,
    /// `Ready: …` or `NOT ready: …`, if it differs from the last text.
    verdict: Option<String>,
}

/// The line of a requirement or of a warning: a word, the item, and the explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    word: &'static str,
    item: String,
    behind: String,
}

/// The last texts, so that only changes are printed.
#[derive(Debug, Default)]
pub struct Changes {
    turn: Option<Turn>,
    /// Each row with its link.
    rows: Vec<(Option<String>, Line)>,
    warnings: Vec<Line>,
    verdict: String,
    /// The width of the widest word and of the widest item so far, in columns.
    words: usize,
    items: usize,
}

impl Changes {
    /// Returns the difference between this verdict and the verdict of the previous call.
    pub fn take(&mut self, verdict: &Verdict) -> Change {
        let turn = Turn::after(self.turn, verdict.ready());
        self.turn = Some(turn);
        let rows: Vec<(Option<String>, Line)> = verdict
            .rows()
            .map(|(clause, row)| {
                let word = outcome_word(clause, row);
                (row.link.clone(), Line { word, item: item(row), behind: outcome(row) })
            })
            .collect();
        let new = |(_, row): &(usize, &(Option<String>, Line))| !self.rows.contains(row);
        let (places, mut lines): (Vec<usize>, Vec<Line>) =
            rows.iter().enumerate().filter(new).map(|(place, (_, line))| (place, line.clone())).unzip();
        // Report the rows of a link that is gone. (A pattern had matched the link.)
        let is_there =
            |link: &Option<String>, item: &str| rows.iter().any(|(l, row)| l == link && row.item == item);
        let gone = self.rows.iter().filter(|(link, row)| link.is_some() && !is_there(link, &row.item));
        lines.extend(gone.map(|(link, row)| Line {
            word: "gone",
            item: row.item.clone(),
            behind: format!("{} is not matched any more", escape(link.as_deref().unwrap_or_default())),
        }));
        let warnings: Vec<Line> = verdict
            .warnings
            .iter()
            .map(|warning| Line {
                word: "warning",
                item: String::new(),
                behind: escape(&warning.to_string()).into_owned(),
            })
            .collect();
        lines.extend(warnings.iter().filter(|line| !self.warnings.contains(line)).cloned());
        let said = match verdict.ready() {
            true => format!("Ready: {}", summary(verdict)),
            false => format!("NOT ready: {}", summary(verdict)),
        };
        let verdict = (self.verdict != said).then(|| said.clone());
        let widest = |width: fn(&Line) -> usize| lines.iter().map(width).max().unwrap_or(0);
        self.words = widest(|line| line.word.len()).max(self.words).max("unmet".len());
        self.items = widest(|line| line.item.width()).max(self.items);
        (self.rows, self.warnings, self.verdict) = (rows, warnings, said);
        Change { turn, rows: places, lines, verdict }
    }

    /// Writes the lines of the last change, each with the time before it and a line end after it.
    pub fn lines(&self, change: &Change, time: &str, paint: Paint) -> String {
        let turn = change.turn.as_str().replace('-', " ");
        let pad = " ".repeat(Turn::COLUMNS.saturating_sub(turn.len()));
        let before = format!("{}  {}{pad}  ", paint(Tone::Dim, time), paint(change.turn.tone(), &turn));
        let mut text = String::new();
        for Line { word, item, behind } in &change.lines {
            let pad = " ".repeat(self.words.saturating_sub(word.len()));
            let word = paint(tone_of(word), word);
            let _ = match item.is_empty() {
                true => writeln!(text, "{before}{word}{pad}  {behind}"),
                false => {
                    let items = " ".repeat(self.items.saturating_sub(item.width()));
                    writeln!(text, "{before}{word}{pad}  {item}{items}  {behind}")
                }
            };
        }
        if let Some(verdict) = &change.verdict {
            let _ = writeln!(text, "{before}{verdict}");
        }
        text
    }
}
