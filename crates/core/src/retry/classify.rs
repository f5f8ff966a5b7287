//! Decides what a failure of Podman, skopeo or buildah means, given the end of its output on stderr.
//!
//! Podman's exit code is 125 for every failed pull, so only the text tells the cause. Its meaning depends on who
//! wrote a part of it: the registry's own words, a name server's failure and this host's own faults stand in known
//! positions. `table` lists the positions and the words. `text` finds them.

mod table;
mod text;

use core::time::Duration;

use table::{LIMITED, Position, RULES, Rule};
use text::{Chain, Extract, begins};

use crate::escape::escape;
use crate::retry::Retryability;

/// What a failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// Whether another attempt makes sense.
    pub again: Retryability,
    /// What failed, in a few words. For an unknown text it is the end of the text.
    pub why: String,
}

/// How many characters of the text's own words a reason shows.
const WORDS: usize = 150;

/// The longest wait that a registry can ask for. netready asks the registry again after this time.
const TOLD_MOST: Duration = Duration::from_secs(600);

/// Decides what the end of stderr means. An unknown failure counts as temporary, because attempts are limited.
pub fn classify(stderr: &str) -> Meaning {
    let text = text::plain(stderr);
    let found = match text::said(&text) {
        // `podman pull A B` needs both images, so the most serious error decides.
        Extract::Errors(errors) => errors.iter().map(|error| of_error(error)).max_by_key(Found::gravity),
        Extract::Lines(lines) => {
            let mut found = lines.iter().map(|line| of_part("", line));
            let last = found.next();
            match &last {
                Some(Found { row: None, .. }) => found.find(|found| found.row.is_some()).or(last),
                Some(_) | None => last,
            }
        }
    };
    match found {
        Some(Found { again: LIMITED, why, .. }) => {
            Meaning { again: Retryability::Limited(told_to_wait(&text)), why }
        }
        Some(Found { again, why, .. }) => Meaning { again, why },
        None => Meaning { again: Retryability::Later, why: String::new() },
    }
}

/// The meaning of one error of one registry, and the rule that it follows from.
#[derive(Debug)]
struct Found {
    row: Option<&'static Rule>,
    again: Retryability,
    why: String,
}

impl Found {
    /// Ranks errors that must all pass: the error with the highest number decides. An unknown error has the lowest,
    /// because a rule says more.
    fn gravity(&self) -> u8 {
        match (self.row, self.again) {
            (None, _) => 0,
            (Some(_), Retryability::Later) => 1,
            (Some(_), Retryability::Limited(_)) => 2,
            (Some(_), Retryability::AtBootOnly) => 4,
            (Some(_), Retryability::Never) => 5,
        }
    }

    /// Ranks the errors of registries of which one is enough: the error with the lowest number decides. An unknown
    /// error can pass, but may never do so.
    fn hope(&self) -> u8 {
        if self.row.is_some() { self.gravity() } else { 3 }
    }
}

/// Returns the meaning of an error. If the error lists several registries or mirrors, one that may still answer is
/// enough.
fn of_error(error: &str) -> Found {
    let found = text::parts(error).iter().map(|(head, part)| of_part(head, part)).min_by_key(Found::hope);
    found.unwrap_or(Found { row: None, again: Retryability::Later, why: String::new() })
}

/// Returns the meaning of one registry's error. `head` is what the tool wrote before a list of errors.
fn of_part(head: &str, part: &str) -> Found {
    let text = format!("{head}{part}");
    let chain = Chain::new(&text);
    let Some(Sign { row, index, status }) = sign(&chain) else {
        return Found { row: None, again: Retryability::Later, why: ending(part) };
    };
    let start =
        chain.links.get(index).map_or(0, |(start, end)| if row.0 == Position::Code { *end } else { *start });
    let said = text.get(start..).unwrap_or_default();
    let again = match row.2 {
        Retryability::Limited(_) => Retryability::Limited(retry_after(said)),
        again @ (Retryability::Later | Retryability::AtBootOnly | Retryability::Never) => again,
    };
    let why = match (row.3.strip_suffix(':'), status) {
        (Some(why), _) => match words(said) {
            said if said.is_empty() => why.to_owned(),
            said => format!("{why}: {said}"),
        },
        (None, Some(status)) => row.3.replace("{status}", &status.to_string()),
        (None, None) => row.3.to_owned(),
    };
    Found { row: Some(row), again, why }
}

/// A rule that matches, the index of its link in the chain, and the HTTP status there.
struct Sign {
    row: &'static Rule,
    index: usize,
    status: Option<u16>,
}

/// Finds the sign that decides.
fn sign(chain: &Chain) -> Option<Sign> {
    let (mut helper, mut otherwise) = (None, None);
    // `answer`: whether the previous link says that the registry's answer follows. `request`: whether it is a
    // request.
    let (mut answer, mut request) = (false, false);
    for index in 0..chain.links.len() {
        let (link, rest) = (chain.link(index), chain.from(index));
        if begins(link, "lookup ") {
            return Some(Sign { row: lookup(chain, index + 1)?, index, status: None });
        }
        let status = status(chain, index);
        let asks = is_one_of(REQUEST, link);
        let transports = asks || is_one_of(TRANSPORT, link);
        // Podman writes several codes of one answer after `errors:`.
        let heads = link == "errors";
        let fits = |row: &&Rule| match row.0 {
            Position::Begins => begins_with(chain, index, row.1),
            Position::Is | Position::Code => link.eq_ignore_ascii_case(row.1),
            Position::Within => contains(link, row.1),
            Position::Status => status.is_some_and(|status| is_status(status, row.1)),
            Position::Phrase => request && is_phrase(link, row.1),
            Position::Answer => answer && !transports && !heads && begins(rest, row.1),
            Position::Helper | Position::Otherwise | Position::Lookup => false,
        };
        if let Some(row) = RULES.iter().find(fits) {
            return Some(Sign { row, index, status });
        }
        if helper.is_none() && begins(link, "getting credentials - err") {
            let fits = |row: &&Rule| row.0 == Position::Helper && contains(rest, row.1);
            helper = RULES.iter().find(fits).map(|row| Sign { row, index, status: None });
        }
        let fits = |row: &&Rule| row.0 == Position::Otherwise && begins(rest, row.1);
        otherwise = otherwise.or_else(|| Some(Sign { row: RULES.iter().find(fits)?, index, status: None }));
        answer = answers(link) || (answer && heads);
        request = asks;
    }
    helper.or(otherwise)
}

/// Whether the text begins with a sign at this link. In a sign, `…: ` stands for the rest of its link, and `…` before
/// other text stands for any text of the same link.
fn begins_with(chain: &Chain, index: usize, sign: &str) -> bool {
    let link = chain.link(index);
    match sign.split_once('…') {
        Some((start, after)) => match (begins(link, start), after.strip_prefix(": ")) {
            (false, _) => false,
            (true, Some(next)) => begins(chain.from(index + 1), next),
            (true, None) => contains(link.get(start.len()..).unwrap_or_default(), after),
        },
        None => begins(chain.from(index), sign),
    }
}

/// Whether a link is the text of a status line, or this text and words in parentheses.
fn is_phrase(link: &str, phrase: &str) -> bool {
    begins(link, phrase)
        && link.get(phrase.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
}

fn contains(text: &str, sign: &str) -> bool {
    text.to_ascii_lowercase().contains(&sign.to_ascii_lowercase())
}

/// Finds the rule about a failed lookup, starting at the link after the lookup.
fn lookup(chain: &Chain, from: usize) -> Option<&'static Rule> {
    let rows = || RULES.iter().filter(|row| row.0 == Position::Lookup);
    let known = (from..chain.links.len())
        .find_map(|index| rows().find(|row| !row.1.is_empty() && begins(chain.from(index), row.1)));
    known.or_else(|| rows().find(|row| row.1.is_empty()))
}

/// Whether Podman quotes the registry's answer after this link.
fn answers(link: &str) -> bool {
    is_one_of(ANSWER, link) || (begins(link, "reading manifest ") && link.contains(" in "))
}

/// After these links, and after `reading manifest X in Y`, Podman writes the registry's answer or why there is
/// none.
const ANSWER: &[&str] = &[
    "pinging container registry ",
    "pinging docker registry",
    "Requesting bear",
    "fetching blob",
    "fetching partial blob",
];

/// The beginnings of links that describe a request. The failure of the request follows.
const REQUEST: &[&str] = &["Get ", "Head ", "Post ", "Put ", "Patch ", "proxyconnect "];

/// The beginnings of other links that are not an answer of a registry.
const TRANSPORT: &[&str] = &[
    "dial ",
    "read",
    "write",
    "connect",
    "net/http",
    "http",
    "tls",
    "local error",
    "remote error",
    "context ",
    "operation ",
    "decoding bearer token",
];

fn is_one_of(words: &[&str], link: &str) -> bool {
    words.iter().any(|word| begins(link, word))
}

/// Returns the HTTP status that a link names. The number may be in the link itself or at the beginning of the next.
fn status(chain: &Chain, index: usize) -> Option<u16> {
    let link = chain.link(index);
    let lower = link.to_ascii_lowercase();
    let named = ["status", "http "].iter().filter_map(|word| Some(lower.find(word)? + word.len())).min();
    if let Some(after) = named {
        let own = link.get(after..).unwrap_or_default().split_whitespace().find_map(http_status);
        return own.or_else(|| http_status(chain.link(index + 1).split_whitespace().next()?));
    }
    // The form `500 (Internal Server Error)`.
    let (number, phrase) = link.split_once(' ')?;
    if phrase.starts_with('(') { http_status(number) } else { None }
}

fn http_status(word: &str) -> Option<u16> {
    let word = word.trim_end_matches(',');
    let number = if word.len() == 3 { word.parse().ok() } else { None };
    number.filter(|number| (300..600).contains(number))
}

fn is_status(status: u16, pattern: &str) -> bool {
    let status = status.to_string();
    status.len() == pattern.len() && status.chars().zip(pattern.chars()).all(|(s, p)| p == 'x' || s == p)
}

/// Returns how long Podman waits because the registry asked for it. Podman writes this only with `--log-level
/// debug`.
fn told_to_wait(text: &str) -> Option<Duration> {
    let (_, rest) = text.rsplit_once(": sleeping for ")?;
    let (seconds, _) = rest.split_once(" seconds before next attempt")?;
    Some(Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?.min(TOLD_MOST))
}

/// Returns how long the registry's own message asks to wait: `retry-after: 985.86µs`, or a number of seconds.
fn retry_after(message: &str) -> Option<Duration> {
    const MARK: &str = "retry-after";
    let at = message.to_ascii_lowercase().find(MARK)?;
    let mut rest = message.get(at + MARK.len()..)?.trim_start_matches([':', '=', ' ']);
    let mut total: Option<Duration> = None;
    loop {
        let (number, after) =
            rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "" | "s" => 1.0,
            "ms" => 1e-3,
            "µs" | "μs" | "us" => 1e-6,
            "ns" => 1e-9,
            _ => break,
        };
        let Ok(number) = number.parse::<f64>() else { break };
        let part = Duration::try_from_secs_f64(number * factor).unwrap_or(TOLD_MOST);
        total = Some(total.unwrap_or_default().saturating_add(part));
        if unit.is_empty() {
            break;
        }
        rest = after;
    }
    total.map(|total| total.min(TOLD_MOST))
}

/// Returns the text's own words on one line.
fn words(said: &str) -> String {
    let line = said.trim_start_matches([':', ' ']).lines().next().unwrap_or_default();
    let line = escape(line.trim());
    match line.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.into_owned(),
    }
}

/// Returns the end of an unknown text, short enough for a status line.
fn ending(part: &str) -> String {
    let line = part.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.trim_start_matches("* ");
    let line = escape(line.strip_prefix("Error: ").unwrap_or(line));
    let skipped = line.chars().count().saturating_sub(WORDS);
    let end: String = line.chars().skip(skipped).collect();
    if skipped > 0 { format!("…{end}") } else { end }
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
