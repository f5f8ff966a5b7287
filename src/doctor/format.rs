//! Prints a report as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::users::UserSide;
use super::{DoctorReport, Finding};
use crate::escape::escape;
use crate::ipam::HeldAddress;
use crate::quadlet::Manager;
use crate::report::{Paint, Tone};

/// The report as text: each finding in several lines, then what could not be examined. With `quiet`, only one line
/// for each finding.
pub fn text(
    report: &DoctorReport,
    users: &[UserSide],
    manager: Manager,
    quiet: bool,
    paint: Paint,
) -> String {
    let mut text = String::new();
    of_side(report, None, quiet, paint, &mut text);
    for UserSide { user, report } in users {
        of_side(report, Some(user), quiet, paint, &mut text);
    }
    if !quiet {
        last_line(report, users, manager, paint, &mut text);
    }
    text
}

/// The report about one side. `user` is the name of that side's user; `None` for the caller's side.
fn of_side(report: &DoctorReport, user: Option<&str>, quiet: bool, paint: Paint, text: &mut String) {
    let of = user.map(|user| format!("user {user}: ")).unwrap_or_default();
    for finding in &report.findings {
        let code = paint(Tone::Bad, finding.code.as_str());
        let _ = writeln!(text, "{code}  {of}{}: {}", finding.subject, finding.what);
        if !quiet {
            details(finding, user, text);
        }
    }
    if quiet {
        return;
    }
    for unseen in &report.unseen {
        let _ = writeln!(text, "not looked at: {of}{}, because {}", unseen.what, unseen.because);
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {of}{note}");
    }
}

/// The last line: the number of findings, and the sides. It says "Nothing found" only of what was examined.
fn last_line(report: &DoctorReport, users: &[UserSide], manager: Manager, paint: Paint, text: &mut String) {
    let reports = || std::iter::once(report).chain(users.iter().map(|user| &user.report));
    let all_seen = reports().all(|report| report.unseen.is_empty());
    let own = match manager {
        Manager::System => "the system's side of this host",
        Manager::User => "this user's side of this host",
    };
    let own = (!report.left_out).then(|| own.to_owned());
    let users = users.iter().map(|side| format!("user {}", side.user));
    let sides: Vec<String> = own.into_iter().chain(users).collect();
    let side = if sides.is_empty() { "no side of this host".to_owned() } else { sides.join(", ") };
    let _ = match reports().map(|report| report.findings.len()).sum() {
        0 if sides.is_empty() => writeln!(text, "{}: {side}", paint(Tone::Bad, "Nothing was looked at")),
        0 if all_seen => writeln!(text, "{}: {side}", paint(Tone::Good, "Nothing found")),
        0 => writeln!(text, "{}: {side}", paint(Tone::Good, "Nothing found in what was looked at")),
        1 => writeln!(text, "{}: {side}", paint(Tone::Bad, "1 finding")),
        count => writeln!(text, "{}: {side}", paint(Tone::Bad, &format!("{count} findings"))),
    };
}

fn details(finding: &Finding, user: Option<&str>, text: &mut String) {
    let _ = writeln!(text, "  why   {}", finding.code.why());
    for error in finding.code.error_texts() {
        let _ = writeln!(text, "  error {error}");
    }
    let _ = writeln!(text, "  seen  {}", finding.seen);
    if let Some(user) = user {
        let _ = writeln!(text, "  as    user {user}");
    }
    for (index, line) in finding.mend.iter().enumerate() {
        let _ = writeln!(text, "  {}  {line}", if index == 0 { "do  " } else { "    " });
    }
    text.push('\n');
}

/// The report as JSON: `{side, findings: […], not_looked_at: […], notes: […], users: […], freed: […]}`, where `freed`
/// exists only with `--fix`. Later versions may add fields, but never remove one.
pub fn json(
    report: &DoctorReport,
    users: &[UserSide],
    manager: Manager,
    freed: Option<&[HeldAddress]>,
) -> Value {
    let held = |held: &HeldAddress| {
        json!({
            "network": escape(&held.network),
            "address": held.address.to_string(),
            "container": escape(&held.container),
        })
    };
    let freed = freed.map(|freed| ("freed".to_owned(), freed.iter().map(held).collect::<Value>()));
    let mut object = json_of_side(report);
    let side = match manager {
        Manager::System => "system",
        Manager::User => "user",
    };
    let users = users.iter().map(|UserSide { user, report }| {
        let mut object = json_of_side(report);
        if let Some(object) = object.as_object_mut() {
            object.insert("user".to_owned(), user.as_str().into());
        }
        object
    });
    let users: Value = users.collect();
    if let Some(object) = object.as_object_mut() {
        object.insert("side".to_owned(), side.into());
        object.insert("users".to_owned(), users);
        object.extend(freed);
    }
    object
}

fn json_of_side(report: &DoctorReport) -> Value {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "code": finding.code.as_str(),
            "subject": finding.subject,
            "what": finding.what,
            "why": finding.code.why(),
            "error_texts": finding.code.error_texts(),
            "seen": finding.seen,
            "mend": finding.mend,
        })
    });
    let unseen = report.unseen.iter().map(|unseen| json!({ "what": unseen.what, "because": unseen.because }));
    json!({
        "findings": findings.collect::<Vec<_>>(),
        "not_looked_at": unseen.collect::<Vec<_>>(),
        "notes": report.notes,
    })
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
            what: "has no linger".to_owned(),
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
    fn a_report_as_text() {
        let why = FindingCode::LingerOff.why();
        assert_eq!(
            text(&report(), &[], Manager::User, false, paint_none),
            format!(
                "linger-off  user a: has no linger\n  why   {why}\n  seen  no file\n  do    first\n        then\n\n\
                 not looked at: pasta, because podman was not found in PATH\nnote: x0: not there now\n\
                 1 finding: this user's side of this host\n"
            )
        );
        assert_eq!(
            text(&report(), &[], Manager::User, true, paint_none),
            "linger-off  user a: has no linger\n"
        );
        assert_eq!(
            text(&DoctorReport::default(), &[], Manager::System, false, paint_none),
            "Nothing found: the system's side of this host\n"
        );
    }

    #[test]
    fn reports_about_users_as_text_and_json() {
        let users = [
            UserSide { user: "a".to_owned(), report: report() },
            UserSide { user: "b".to_owned(), report: DoctorReport::default() },
        ];
        let system = DoctorReport::default();
        let said = text(&system, &users, Manager::System, false, paint_none);
        for line in [
            "linger-off  user a: user a: has no linger",
            "  as    user a",
            "not looked at: user a: pasta, because podman was not found in PATH",
            "note: user a: x0: not there now",
            "1 finding: the system's side of this host, user a, user b",
        ] {
            assert!(said.lines().any(|of| of == line), "{line}\n{said}");
        }
        let object = json(&system, &users, Manager::System, None);
        assert_eq!(object["findings"], json!([]));
        assert_eq!(object["users"][0]["user"], "a");
        assert_eq!(object["users"][0]["findings"][0]["code"], "linger-off");
        assert_eq!(object["users"][1]["not_looked_at"], json!([]));
    }

    /// Each row: whether something was not examined, whether the caller's side was left out, the users, and the last
    /// line.
    #[test]
    fn the_last_line_speaks_only_of_what_was_examined() {
        let user = UserSide { user: "a".to_owned(), report: DoctorReport::default() };
        for (unseen, left_out, users, expected) in [
            (false, false, &[][..], "Nothing found: the system's side of this host\n"),
            (true, false, &[], "Nothing found in what was looked at: the system's side of this host\n"),
            (false, true, std::slice::from_ref(&user), "Nothing found: user a\n"),
            (false, true, &[], "Nothing was looked at: no side of this host\n"),
            (true, true, &[], "Nothing was looked at: no side of this host\n"),
        ] {
            let mut report = DoctorReport { left_out, ..DoctorReport::default() };
            if unseen {
                report.unseen("x", "y");
            }
            let said = text(&report, users, Manager::System, false, paint_none);
            assert!(said.ends_with(expected), "{said}");
        }
    }

    #[test]
    fn an_error_text_is_quoted() {
        let mut report = report();
        report.findings[0].code = FindingCode::PastaUnfit;
        let said = text(&report, &[], Manager::User, false, paint_none);
        assert!(said.contains("\n  error Couldn't set IPv4 route(s) in guest: Invalid argument\n"), "{said}");
    }

    #[test]
    fn each_code_has_a_different_word() {
        let words: std::collections::BTreeSet<&str> =
            FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), FindingCode::ALL.len());
    }
}
