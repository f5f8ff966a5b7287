//! What the failure of Podman, skopeo or buildah means, from the end of what it said on stderr.
//!
//! Podman's exit code is 125 for every failed pull, so the text is all there is. The text is read by who
//! says what: a registry's own words, a name server's failure and this host's own faults stand in known
//! places of it. `table` has the places and the words, `text` finds them.

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
    /// What failed, in a few words; of a text that is not known, its end.
    pub why: String,
}

/// As much as a reason shows of the text's own words.
const WORDS: usize = 150;

/// The longest wait that a registry can ask for. After it the registry is asked again.
const TOLD_MOST: Duration = Duration::from_secs(600);

/// What the end of stderr means. A text that is not known can pass, because attempts are bounded.
pub fn classify(stderr: &str) -> Meaning {
    let text = text::plain(stderr);
    let found = match text::said(&text) {
        // `podman pull A B` needs both, so the least hopeful error counts.
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

/// What one error of one registry means, and by which row.
#[derive(Debug)]
struct Found {
    row: Option<&'static Rule>,
    again: Retryability,
    why: String,
}

impl Found {
    /// Of errors that must all pass, the one with the highest number decides. What is not known comes first,
    /// because a row says more.
    fn gravity(&self) -> u8 {
        match (self.row, self.again) {
            (None, _) => 0,
            (Some(_), Retryability::Later) => 1,
            (Some(_), Retryability::Limited(_)) => 2,
            (Some(_), Retryability::AtBootOnly) => 4,
            (Some(_), Retryability::Never) => 5,
        }
    }

    /// Of registries of which one is enough, the one with the lowest number decides. What is not known can
    /// pass, but may never do so.
    fn hope(&self) -> u8 {
        if self.row.is_some() { self.gravity() } else { 3 }
    }
}

/// Where several registries or mirrors were tried, one that may yet answer is enough.
fn of_error(error: &str) -> Found {
    let found = text::parts(error).iter().map(|(head, part)| of_part(head, part)).min_by_key(Found::hope);
    found.unwrap_or(Found { row: None, again: Retryability::Later, why: String::new() })
}

/// One registry's error; the head is what the tool put before a list of them.
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

/// A row that fits, at which link, and the HTTP status there.
struct Sign {
    row: &'static Rule,
    index: usize,
    status: Option<u16>,
}

/// The sign that decides.
fn sign(chain: &Chain) -> Option<Sign> {
    let mut otherwise = None;
    // Whether the link before this one says that the registry's answer follows, or the answer to a request.
    let (mut answer, mut request) = (false, false);
    for index in 0..chain.links.len() {
        let (link, rest) = (chain.link(index), chain.from(index));
        if begins(link, "lookup ") {
            return Some(Sign { row: lookup(chain, index + 1)?, index, status: None });
        }
        let status = status(chain, index);
        let asks = is_one_of(REQUEST, link);
        let transports = asks || is_one_of(TRANSPORT, link);
        // Podman lists several codes of one answer after `errors:`.
        let heads = link == "errors";
        let fits = |row: &&Rule| match row.0 {
            Position::Begins => begins(rest, row.1),
            Position::Is | Position::Code => link.eq_ignore_ascii_case(row.1),
            Position::Within => link.to_ascii_lowercase().contains(&row.1.to_ascii_lowercase()),
            Position::Status => status.is_some_and(|status| is_status(status, row.1)),
            Position::Phrase => request && link.eq_ignore_ascii_case(row.1),
            Position::Answer => answer && !transports && !heads && begins(rest, row.1),
            Position::Otherwise | Position::Lookup => false,
        };
        if let Some(row) = RULES.iter().find(fits) {
            return Some(Sign { row, index, status });
        }
        let fits = |row: &&Rule| row.0 == Position::Otherwise && begins(rest, row.1);
        otherwise = otherwise.or_else(|| Some(Sign { row: RULES.iter().find(fits)?, index, status: None }));
        answer = answers(link) || (answer && heads);
        request = asks;
    }
    otherwise
}

/// Why a lookup failed, from the link after it on.
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

/// After these links, and after `reading manifest X in Y`, stands the registry's answer, or why there is none.
const ANSWER: &[&str] =
    &["pinging container registry ", "pinging docker registry", "Requesting bear", "fetching blob"];

/// The links that tell of a request, after which its failure stands.
const REQUEST: &[&str] = &["Get ", "Head ", "Post ", "Put ", "Patch ", "proxyconnect "];

/// Other links that are no answer of a registry.
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
];

fn is_one_of(words: &[&str], link: &str) -> bool {
    words.iter().any(|word| begins(link, word))
}

/// The HTTP status that a link names, itself or by the number that the next link begins with.
fn status(chain: &Chain, index: usize) -> Option<u16> {
    let link = chain.link(index);
    let lower = link.to_ascii_lowercase();
    let named = ["status", "http "].iter().filter_map(|word| Some(lower.find(word)? + word.len())).min();
    if let Some(after) = named {
        let own = link.get(after..).unwrap_or_default().split_whitespace().find_map(http_status);
        return own.or_else(|| http_status(chain.link(index + 1).split_whitespace().next()?));
    }
    // `500 (Internal Server Error)`
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

/// How long Podman was told to wait; it says so with `--log-level debug` only.
fn told_to_wait(text: &str) -> Option<Duration> {
    let (_, rest) = text.rsplit_once(": sleeping for ")?;
    let (seconds, _) = rest.split_once(" seconds before next attempt")?;
    Some(Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?.min(TOLD_MOST))
}

/// How long the registry's own message asks to wait: `retry-after: 985.86µs`, or a number of seconds.
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

/// The text's own words, in one line.
fn words(said: &str) -> String {
    let line = said.trim_start_matches([':', ' ']).lines().next().unwrap_or_default();
    let line = escape(line.trim());
    match line.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.into_owned(),
    }
}

/// The end of a text that is not known, short enough for a status line.
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
