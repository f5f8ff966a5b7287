//! The live line of a terminal: what is waited for, since when, and what time is left. It is made anew once a second,
//! for the width that the terminal has at that moment.

use core::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::escape::escape;
use crate::gate_state::Phase;
use crate::moment::Moment;
use crate::report::status::{NAMED, all_missing, missing_of_any};
use crate::report::{Span, item};
use crate::verdict::{Outcome, Reason, Verdict};

/// A terminal of fewer columns shows the line without the program's name and what is said of past attempts, so that
/// there is room for the reason.
const ROOM_FOR_ALL: usize = 60;

/// The terminal itself writes `^C` or `^Z` behind the line, and goes on to the next row when something stands in the
/// last column. A line that has two rows could not be taken away.
const FREE: usize = 3;

/// What the line tells, apart from the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLine {
    doing: Doing,
    /// When the wait began.
    since: Moment,
    /// When it ends, if nothing ends it earlier.
    until: Option<Moment>,
    /// Why, the most important reason first; safe to print. There is at least one.
    reasons: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Doing {
    Waiting,
    /// Probes were begun, and their answers are waited for.
    Asking,
    /// The next attempt, such as `2 of 9`.
    NextAttempt(String),
}

impl LiveLine {
    /// Of a gate that is waited for. `until` is the moment at which the phase ends though nothing changes.
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

    /// Of a pause before the attempt with this number, such as `2 of 9`. `since` is when the first one began.
    pub fn of_pause(next: &str, why: &str, since: Moment, until: Moment) -> LiveLine {
        LiveLine::new(Doing::NextAttempt(next.to_owned()), since, Some(until), &[why.to_owned()])
    }

    fn new(doing: Doing, since: Moment, until: Option<Moment>, reasons: &[String]) -> LiveLine {
        let reasons = reasons.iter().map(|reason| escape(reason).into_owned()).collect();
        LiveLine { doing, since, until, reasons }
    }

    /// The line, for a terminal of so many columns. It leaves `FREE` of them free.
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

    /// When the line says something else though nothing happens: in at most a second.
    pub fn due(&self, now: Moment) -> Moment {
        const SECOND: Duration = Duration::from_secs(1);
        // While time is left it is the more important figure, so it is the one that is always exact.
        match self.until.map(|until| until - now).filter(|left| *left > Duration::ZERO) {
            Some(left) => now + fraction(left).unwrap_or(SECOND),
            None => now + SECOND.saturating_sub(fraction(now - self.since).unwrap_or_default()),
        }
    }

    fn head(&self, now: Moment, all: bool) -> String {
        let elapsed = whole((now - self.since).as_secs());
        let left = self.until.map(|until| until - now);
        // A second that has begun counts as one that is left.
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

    /// The first reasons, and how many more there are.
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

/// The part of a second that a span has, if it has one.
fn fraction(span: Duration) -> Option<Duration> {
    (span.subsec_nanos() > 0).then(|| Duration::from_nanos(u64::from(span.subsec_nanos())))
}

fn whole(seconds: u64) -> String {
    if seconds == 0 { "0s".to_owned() } else { Span(Duration::from_secs(seconds)).to_string() }
}

/// As much of a text as fits into so many columns, with an ellipsis where the rest was.
fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut columns = 0;
    for character in text.chars() {
        columns += character.width().unwrap_or_default();
        // The ellipsis takes one.
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
