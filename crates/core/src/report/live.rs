//! The live line on a terminal: what netready waits for, since when, and how much time is left. The line is written
//! again once a second, for the present width of the terminal.

use core::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::escape::escape;
use crate::gate_state::Phase;
use crate::moment::Moment;
use crate::report::status::{NAMED, all_missing, missing_of_any};
use crate::report::{Span, item};
use crate::verdict::{Outcome, Reason, Verdict};

/// On a terminal with fewer columns, the line omits the program's name and the time of past attempts, so that there
/// is room for the reason.
const ROOM_FOR_ALL: usize = 60;

/// How many columns stay free at the end of the line. The terminal itself may write `^C` or `^Z` there, and starts
/// a new row after a character in the last column. netready could not erase a line with two rows.
const FREE: usize = 3;

/// The content of the line, apart from the present time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLine {
    doing: Doing,
    /// When the wait began.
    since: Moment,
    /// When the wait ends at the latest. `None` if it has no end.
    until: Option<Moment>,
    /// The reasons, the most important one first. They are safe to print, and there is at least one.
    reasons: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Doing {
    Waiting,
    /// Probes were started, and their answers are missing.
    Asking,
    /// The wait is for the next attempt, such as `2 of 9`.
    NextAttempt(String),
}

impl LiveLine {
    /// Makes the line about a gate. `until` is when the phase ends if nothing changes.
    pub fn of_gate(verdict: &Verdict, phase: Phase, since: Moment, until: Option<Moment>) -> LiveLine {
        let reasons = match phase {
            Phase::Grace { .. } => {
                let wanted = missing_of_any(verdict);
                wanted.into_iter().map(|reason| format!("wanted: {reason}")).collect()
            }
            Phase::Settling { .. } => vec!["all met, must hold".to_owned()],
            Phase::Waiting
            | Phase::Ready { .. }
            | Phase::Opened { .. }
            | Phase::Lost { .. }
            | Phase::GaveUp { .. } => all_missing(verdict),
        };
        LiveLine::new(Doing::Waiting, since, until, &reasons)
    }

    /// The line of a `check` that is still running. It names the probes that have no answer yet. If there are none, it
    /// says that the kernel's state is being read.
    pub fn of_check(verdict: &Verdict, since: Moment) -> LiveLine {
        let mut asked: Vec<String> = Vec::new();
        for (_, row) in verdict.rows() {
            if let Outcome::Unmet(Reason::NotTried { begun: true, .. }) = &row.outcome {
                let item = item(row);
                if !asked.contains(&item) {
                    asked.push(item);
                }
            }
        }
        if asked.is_empty() {
            let kernel = "the kernel's state is being read".to_owned();
            return LiveLine::new(Doing::Waiting, since, None, &[kernel]);
        }
        LiveLine::new(Doing::Asking, since, None, &asked)
    }

    /// Makes the line about a pause. `next` is the attempt that follows, such as `2 of 9`; `why` is why the last
    /// one failed. `since` is when the first attempt began.
    pub fn of_pause(next: &str, why: &str, since: Moment, until: Moment) -> LiveLine {
        LiveLine::new(Doing::NextAttempt(next.to_owned()), since, Some(until), &[why.to_owned()])
    }

    fn new(doing: Doing, since: Moment, until: Option<Moment>, reasons: &[String]) -> LiveLine {
        let reasons = reasons.iter().map(|reason| escape(reason).into_owned()).collect();
        LiveLine { doing, since, until, reasons }
    }

    /// Writes the line for a terminal with this many columns. `FREE` of them stay free.
    pub fn text(&self, now: Moment, columns: usize) -> String {
        let room = columns.saturating_sub(FREE);
        let head = match columns < ROOM_FOR_ALL {
            true => format!("{}: ", self.head(now, false)),
            false => format!("netready: {}: ", self.head(now, true)),
        };
        let most = self.reasons.len().min(NAMED);
        let fits = (1..=most).rev().map(|count| format!("{head}{}", self.first(count)));
        let mut fitting = fits.filter(|line| line.width() <= room);
        fitting.next().unwrap_or_else(|| {
            let leading = self.reasons.first().map_or("", String::as_str);
            cut(&format!("{head}{leading}"), room)
        })
    }

    /// Returns when the line's text changes if nothing happens: after at most a second.
    pub fn due(&self, now: Moment) -> Moment {
        const SECOND: Duration = Duration::from_secs(1);
        // If there is an end, the time left is the more important figure. So change the line when this figure
        // changes.
        match self.until.map(|until| until - now).filter(|left| *left > Duration::ZERO) {
            Some(left) => now + fraction(left).unwrap_or(SECOND),
            None => now + SECOND.saturating_sub(fraction(now - self.since).unwrap_or_default()),
        }
    }

    fn head(&self, now: Moment, all: bool) -> String {
        let elapsed = whole((now - self.since).as_secs());
        let left = self.until.map(|until| until - now);
        // Round the time left up to whole seconds.
        let left = left.map(|left| whole(left.as_secs() + u64::from(fraction(left).is_some())));
        match (&self.doing, left) {
            (Doing::Waiting, Some(left)) => format!("waiting {elapsed} ({left} left)"),
            (Doing::Waiting, None) => format!("waiting {elapsed}"),
            (Doing::Asking, _) => format!("waiting {elapsed} for an answer"),
            (Doing::NextAttempt(next), Some(left)) if all => {
                format!("attempt {next} in {left} ({elapsed} so far)")
            }
            (Doing::NextAttempt(next), Some(left)) => format!("attempt {next} in {left}"),
            (Doing::NextAttempt(next), None) => format!("attempt {next} is next"),
        }
    }

    /// Joins the first reasons, and says how many more there are.
    fn first(&self, count: usize) -> String {
        let mut parts: Vec<&str> = self.reasons.iter().take(count).map(String::as_str).collect();
        let rest = self.reasons.len().saturating_sub(count);
        let more = format!("and {rest} more");
        if rest > 0 {
            parts.push(&more);
        }
        parts.join("; ")
    }
}

/// Returns the fraction of a second in a span. `None` if the span is whole seconds.
fn fraction(span: Duration) -> Option<Duration> {
    (span.subsec_nanos() > 0).then(|| Duration::from_nanos(u64::from(span.subsec_nanos())))
}

fn whole(seconds: u64) -> String {
    if seconds == 0 { "0s".to_owned() } else { Span(Duration::from_secs(seconds)).to_string() }
}

/// Cuts a text so that it fits into this many columns. An ellipsis marks the cut.
fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut columns = 0;
    for character in text.chars() {
        columns += character.width().unwrap_or_default();
        // The ellipsis takes one column.
        if columns >= room {
            break;
        }
        kept.push(character);
    }
    if room > 0 {
        kept.push('…');
    }
    kept
}
