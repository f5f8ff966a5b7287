//! Prints a report as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{DoctorReport, Finding};
use crate::escape::escape;
use crate::ipam::HeldAddress;
use crate::quadlet::Manager;
use crate::report::{Paint, Tone};

/// Each finding in a few lines, then what could not be looked at. `quiet`: a line for each finding, no more.
pub fn text(report: &DoctorReport, manager: Manager, quiet: bool, paint: Paint) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let code = paint(Tone::Bad, finding.code.as_str());
        let _ = writeln!(text, "{code}  {}: {}", finding.subject, finding.what);
        if !quiet {
            details(finding, &mut text);
        }
    }
    if quiet {
        return text;
    }
    for unseen in &report.unseen {
        let _ = writeln!(text, "not looked at: {}, because {}", unseen.what, unseen.because);
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let side = match manager {
        Manager::System => "the system's side of this host",
        Manager::User => "this user's side of this host",
    };
    let _ = match report.findings.len() {
        0 => writeln!(text, "{}: {side}", paint(Tone::Good, "Nothing found")),
        1 => writeln!(text, "{}: {side}", paint(Tone::Bad, "1 finding")),
        count => writeln!(text, "{}: {side}", paint(Tone::Bad, &format!("{count} findings"))),
    };
    text
}

fn details(finding: &Finding, text: &mut String) {
    let _ = writeln!(text, "  why   {}", finding.code.why());
    let _ = writeln!(text, "  seen  {}", finding.seen);
    for (index, line) in finding.mend.iter().enumerate() {
        let _ = writeln!(text, "  {}  {line}", if index == 0 { "do  " } else { "    " });
    }
    text.push('\n');
}

/// `{side, findings: […], not_looked_at: […], notes: […], freed: […]}`, the last with `--fix`. Fields are only ever
/// added.
pub fn json(report: &DoctorReport, manager: Manager, freed: Option<&[HeldAddress]>) -> Value {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "code": finding.code.as_str(),
            "subject": finding.subject,
            "what": finding.what,
            "why": finding.code.why(),
            "seen": finding.seen,
            "mend": finding.mend,
        })
    });
    let unseen = report.unseen.iter().map(|unseen| json!({ "what": unseen.what, "because": unseen.because }));
    let held = |held: &HeldAddress| {
        json!({
            "network": escape(&held.network),
            "address": held.address.to_string(),
            "container": escape(&held.container),
        })
    };
    let freed = freed.map(|freed| ("freed".to_owned(), freed.iter().map(held).collect::<Value>()));
    let mut object = json!({
        "side": match manager { Manager::System => "system", Manager::User => "user" },
        "findings": findings.collect::<Vec<_>>(),
        "not_looked_at": unseen.collect::<Vec<_>>(),
        "notes": report.notes,
    });
    if let Some(object) = object.as_object_mut() {
        object.extend(freed);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{FindingCode, Unseen};
    use crate::report::paint_none;

    fn report() -> DoctorReport {
        let mut report = DoctorReport::default();
        report.findings.push(Finding {
            code: FindingCode::LingerOff,
            subject: "user a".to_owned(),
            what: "does not linger".to_owned(),
            seen: "no file".to_owned(),
            mend: vec!["first".to_owned(), "then".to_owned()],
        });
        report
            .unseen
            .push(Unseen { what: "pasta".to_owned(), because: "podman was not found in PATH".to_owned() });
        report.notes.push("x0: not there now".to_owned());
        report
    }

    #[test]
    fn as_text() {
        let why = FindingCode::LingerOff.why();
        assert_eq!(
            text(&report(), Manager::User, false, paint_none),
            format!(
                "linger-off  user a: does not linger\n  why   {why}\n  seen  no file\n  do    first\n        then\n\n\
                 not looked at: pasta, because podman was not found in PATH\nnote: x0: not there now\n\
                 1 finding: this user's side of this host\n"
            )
        );
        assert_eq!(text(&report(), Manager::User, true, paint_none), "linger-off  user a: does not linger\n");
        assert_eq!(
            text(&DoctorReport::default(), Manager::System, false, paint_none),
            "Nothing found: the system's side of this host\n"
        );
    }

    #[test]
    fn codes_are_words_of_their_own() {
        let words: std::collections::BTreeSet<&str> =
            FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), FindingCode::ALL.len());
    }
}
