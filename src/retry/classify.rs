//! What the failure of Podman or skopeo means, from the end of what it said on stderr.
//!
//! Podman's exit code is 125 for all of it, so the text is all there is. It is read from the outside in:
//! Go's errors wrap (`pinging registry: Get: dial tcp: …`), and what a registry wrote itself stands
//! innermost. So the leftmost sign decides, and quotes, JSON and HTML, which are the registry's own words,
//! are taken out before. A failed DNS lookup has a table of its own: the texts of a refused connection and
//! of an unreachable network stand in there too, and are the name server's.

use std::time::Duration;

use crate::retry::Again;

/// What a failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// Whether another attempt makes sense.
    pub again: Again,
    /// What failed, in a few words; of a text that is not known, its end.
    pub why: String,
}

/// A sign in the text, what it says, and in which words.
struct Row(&'static str, Again, &'static str);

use Again::{AtBootOnly, Later, Never};
const LIMITED: Again = Again::Limited(None);

/// Ends a failed lookup's name.
const LOOKUP: &str = ": lookup ";

/// Signs after `: lookup `. The Go resolver names the server it asked, glibc's does not.
const DNS: &[Row] = &[
    Row(": no such host", AtBootOnly, "DNS: no such host"),
    Row(": Name or service not known", AtBootOnly, "DNS: no such host"),
    Row(": No address associated with hostname", AtBootOnly, "DNS: no address"),
    Row(": server misbehaving", Later, "DNS: the server fails"),
    Row(": Temporary failure in name resolution", Later, "DNS: temporary failure"),
    Row(": dial udp ", Later, "DNS: server unreachable"),
    Row(": read udp ", Later, "DNS: server does not answer"),
    Row(": dial tcp ", Later, "DNS: server unreachable"),
    Row(": read tcp ", Later, "DNS: server does not answer"),
    Row(": i/o timeout", Later, "DNS: timeout"),
    Row("", Later, "DNS lookup failed"),
];

/// Signs everywhere else.
const SIGNS: &[Row] = &[
    // The way to the registry.
    Row(": connect: connection refused", Later, "connection refused"),
    Row(": connect: network is unreachable", Later, "network unreachable"),
    Row(": connect: no route to host", Later, "no route to host"),
    Row(": connect: connection reset by peer", Later, "connection reset"),
    Row(": connect: ", Later, "cannot connect"),
    Row(": connection reset by peer", Later, "connection reset"),
    Row(": broken pipe", Later, "connection broken"),
    Row(": i/o timeout", Later, "timeout"),
    Row("net/http: TLS handshake timeout", Later, "timeout of the TLS handshake"),
    Row("context deadline exceeded", Later, "timeout"),
    Row("Client.Timeout exceeded", Later, "timeout"),
    Row(": unexpected EOF", Later, "cut off"),
    Row(": EOF", Later, "connection closed"),
    Row("http2: ", Later, "HTTP/2 connection broken"),
    Row(": stream error: ", Later, "HTTP/2 stream broken"),
    Row("Digest did not match", Later, "wrong content"),
    // What the registry answered, by its status.
    Row(": received unexpected HTTP status: 500 ", Later, "HTTP 500"),
    Row(": received unexpected HTTP status: 501 ", Later, "HTTP 501"),
    Row(": received unexpected HTTP status: 502 ", Later, "HTTP 502"),
    Row(": received unexpected HTTP status: 503 ", Later, "HTTP 503"),
    Row(": received unexpected HTTP status: 504 ", Later, "HTTP 504"),
    Row(": received unexpected HTTP status: 5", Later, "HTTP 5xx"),
    Row(": received unexpected HTTP status: 408 ", Later, "HTTP 408"),
    Row(": received unexpected HTTP status: 425 ", Later, "HTTP 425"),
    Row(": received unexpected HTTP status: 429 ", LIMITED, "rate limit (HTTP 429)"),
    Row(": received unexpected HTTP status: 3", AtBootOnly, "redirected (a captive portal?)"),
    Row(": received unexpected HTTP status: ", Never, "the registry refuses"),
    Row(": invalid status code from registry 5", Later, "HTTP 5xx"),
    Row(": invalid status code from registry 429 ", LIMITED, "rate limit (HTTP 429)"),
    Row(": invalid status code from registry ", Never, "the registry refuses"),
    Row("StatusCode: 5", Later, "HTTP 5xx"),
    Row("StatusCode: 408,", Later, "HTTP 408"),
    Row("StatusCode: 429,", LIMITED, "rate limit (HTTP 429)"),
    Row("StatusCode: 3", AtBootOnly, "redirected (a captive portal?)"),
    // Where TLSVerify=false, Podman asks without TLS when it failed with it, and tells of that answer only.
    Row("StatusCode: 400,", AtBootOnly, "HTTP 400 (asked without TLS?)"),
    Row("StatusCode: ", Never, "the registry refuses"),
    // What the registry answered, by the codes of the distribution specification.
    Row(": toomanyrequests", LIMITED, "rate limit"),
    Row("too many requests to registry", LIMITED, "rate limit"),
    Row(": unauthorized", Never, "not authorized"),
    Row(": authentication required", Never, "authentication required"),
    Row(": unable to retrieve auth token: invalid username/password", Never, "wrong user or password"),
    Row(": requested access to the resource is denied", Never, "access denied"),
    Row(": denied", Never, "access denied"),
    Row(": manifest unknown", Never, "no such manifest"),
    Row(": name unknown", Never, "no such repository"),
    Row(": repository name not known to registry", Never, "no such repository"),
    // A registry that is being written to, or a cache before it, has the manifest before the blob.
    Row(": blob unknown to registry", Later, "blob not there yet"),
    Row(": unavailable", Later, "registry unavailable"),
    Row(": unknown: ", Later, "registry in trouble"),
    // TLS.
    Row(
        "x509: certificate has expired or is not yet valid",
        AtBootOnly,
        "certificate not valid now (the clock?)",
    ),
    Row("x509: ", Never, "certificate not accepted"),
    Row("server gave HTTP response to HTTPS client", Never, "no TLS at the other end"),
    Row("tls: first record does not look like a TLS handshake", Never, "no TLS at the other end"),
    Row("remote error: tls: ", Never, "TLS refused"),
    // Instead of the registry something else answers.
    Row(
        ": invalid character '<' looking for beginning of value",
        AtBootOnly,
        "HTML instead of JSON (a captive portal?)",
    ),
    // What is asked for, and where it is to be put.
    Row("parsing reference ", Never, "bad image name"),
    Row("invalid reference format", Never, "bad image name"),
    Row("repository name must be lowercase", Never, "bad image name"),
    Row("Invalid image name", Never, "bad image name"),
    Row("short-name ", Never, "short name that is not resolved"),
    Row("no image found in ", Never, "no image for this platform"),
    Row("no image found in manifest list", Never, "no image for this platform"),
    Row(": no space left on device", Never, "no space left"),
    Row(": disk quota exceeded", Never, "disk quota exceeded"),
    Row(": read-only file system", Never, "read-only file system"),
    Row(": permission denied", Never, "permission denied"),
    Row("is rejected by policy", Never, "rejected by policy"),
    Row("is blocked in ", Never, "registry blocked"),
    Row("A signature was required", Never, "no signature"),
    Row("unknown flag: ", Never, "unknown option"),
    Row("unknown shorthand flag: ", Never, "unknown option"),
    Row("unrecognized command ", Never, "unknown command"),
];

/// What the end of stderr means. A text that is not known can pass: attempts are bounded.
pub fn classify(stderr: &str) -> Meaning {
    let error = trusted(&last_error(&without_escapes(stderr)));
    let again = parts(&error).into_iter().filter_map(|part| sign(part).map(|row| (row.1, row.2)));
    let hopeful = again.min_by_key(|(again, _)| hope(*again));
    match hopeful {
        Some((Again::Limited(_), why)) => {
            Meaning { again: Again::Limited(told_to_wait(stderr)), why: why.to_owned() }
        }
        Some((again @ (Later | AtBootOnly | Never), why)) => Meaning { again, why: why.to_owned() },
        None => Meaning { again: Later, why: ending(&error) },
    }
}

/// Where there are mirrors, one that may yet answer is enough.
fn hope(again: Again) -> u8 {
    match again {
        Later => 0,
        Again::Limited(_) => 1,
        AtBootOnly => 2,
        Never => 3,
    }
}

/// The sign that stands furthest to the left; of several there, the first of the table.
fn sign(text: &str) -> Option<&'static Row> {
    let at = |row: &Row, text: &str| text.find(row.0);
    let found = SIGNS.iter().filter_map(|row| Some((at(row, text)?, row))).min_by_key(|(at, _)| *at);
    match (text.find(LOOKUP), found) {
        (Some(lookup), found) if found.is_none_or(|(sign, _)| lookup < sign) => {
            let rest = text.get(lookup + LOOKUP.len()..).unwrap_or_default();
            // The empty sign stands everywhere: it is for when there is no other.
            DNS.iter()
                .filter(|row| !row.0.is_empty())
                .filter_map(|row| Some((at(row, rest)?, row)))
                .min_by_key(|(at, _)| *at)
                .map(|(_, row)| row)
                .or(DNS.last())
        }
        (_, found) => found.map(|(_, row)| row),
    }
}

/// Each mirror's error, and the registry's own.
fn parts(error: &str) -> Vec<&str> {
    let Some((_, rest)) = error.split_once("(Mirrors also failed: [") else { return vec![error] };
    let (mirrors, own) = rest.rsplit_once("]): ").unwrap_or((rest, ""));
    mirrors.split("]\n[").chain(std::iter::once(own)).filter(|part| !part.is_empty()).collect()
}

/// From the last line on that begins an error: Podman's, or a fatal line of the log, which is skopeo's.
fn last_error(text: &str) -> String {
    let mut start = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("Error: ") || (line.starts_with("time=") && line.contains(" level=fatal ")) {
            start = Some(offset);
        }
        offset += line.len();
    }
    let Some(error) = start.and_then(|start| text.get(start..)) else {
        // No such line: what was said last, which is a few lines at most.
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        return lines.into_iter().rev().collect::<Vec<_>>().join("\n");
    };
    match error.split_once(" msg=\"") {
        Some((head, quoted)) if head.starts_with("time=") => unquoted(quoted),
        Some(_) | None => error.to_owned(),
    }
}

/// What stands up to the closing quote of a log line's message.
fn unquoted(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => {}
            },
            other => plain.push(other),
        }
    }
    plain
}

/// Without what the other side may have written: quoted text, JSON, markup. One that does not end takes the
/// rest with it.
fn trusted(text: &str) -> String {
    let mut kept = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                while let Some(quoted) = chars.next() {
                    if quoted == '"' {
                        break;
                    }
                    if quoted == '\\' {
                        chars.next();
                    }
                }
                kept.push_str("\"\"");
            }
            '{' => {
                let mut depth = 1;
                for inner in chars.by_ref() {
                    depth += match inner {
                        '{' => 1,
                        '}' => -1,
                        _ => 0,
                    };
                    if depth == 0 {
                        break;
                    }
                }
                kept.push_str("{}");
            }
            // Go's own `invalid character '<'` is no markup.
            '<' if !kept.ends_with('\'') => break,
            other => kept.push(other),
        }
    }
    kept
}

/// A terminal's colours and cursor movements, and its overwritten lines.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                if chars.next_if_eq(&'[').is_some() {
                    // Parameters, up to the letter that ends it.
                    while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
                } else {
                    chars.next();
                }
            }
            '\r' => plain.push('\n'),
            other => plain.push(other),
        }
    }
    plain
}

/// How long Podman was told to wait; it says so with `--log-level debug` only.
fn told_to_wait(stderr: &str) -> Option<Duration> {
    let (_, rest) = stderr.rsplit_once(": sleeping for ")?;
    let (seconds, _) = rest.split_once(" seconds before next attempt")?;
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}

/// The end of a text that is not known, short enough for a status line.
fn ending(error: &str) -> String {
    const SHORT: usize = 120;
    let line = error.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.strip_prefix("Error: ").unwrap_or(line);
    let skipped = line.chars().count().saturating_sub(SHORT);
    let end: String = line.chars().skip(skipped).collect();
    if skipped > 0 { format!("…{end}") } else { end }
}

#[cfg(test)]
mod tests;
