//! Examines, as root, the sides of all users who have linger. A process with the rights of that user examines each
//! side. The user can choose what that process says, so its report is checked and escaped like any text of others.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{DoctorReport, Finding, FindingCode, Unseen};
use crate::clock;
use crate::config::duration_text;
use crate::escape::escape_bytes;
use crate::files::Folder;
use crate::platform::child::{Captured, OtherUser, Output, capture};

/// The folder in which logind has a file for each user who has linger.
const LINGER: &str = "/var/lib/systemd/linger";

/// This program, independent of its path: the user may not be able to reach the path, and nobody can replace this
/// program.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// The time limit for one user's side. A single run of Podman or systemctl may take 15 s.
const LONGEST: Duration = Duration::from_secs(90);

/// The time limit for all users together.
const ALL_TOGETHER: Duration = Duration::from_secs(300);

/// The most users that are examined. No host has so many users with linger.
const MOST: usize = 256;

/// The largest report about one user, in bytes.
const LARGEST: usize = 1 << 20;

/// A user's side of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSide {
    /// The user's name, escaped for printing.
    pub user: String,
    /// What was found on that side, and what was not examined.
    pub report: DoctorReport,
}

/// Examines the side of each user who has linger. Users whose side cannot be examined are named in `report`.
pub fn look(report: &mut DoctorReport) -> Vec<UserSide> {
    let names = match lingering(Path::new(LINGER)) {
        Ok(names) => names,
        Err(error) => {
            report.unseen("the users who have linger", format!("{LINGER}: {error}"));
            return Vec::new();
        }
    };
    let until = clock::now() + ALL_TOGETHER;
    let mut sides = Vec::new();
    for name in names {
        let user = escape_bytes(name.as_encoded_bytes()).into_owned();
        let limit = LONGEST.min(until - clock::now());
        match side(&name.to_string_lossy(), limit) {
            Ok(report) => sides.push(UserSide { user, report }),
            Err(because) => report.unseen(format!("user {user}"), because),
        }
    }
    sides
}

/// The names of the users who have linger.
fn lingering(folder: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    let mut names = match Folder::open(folder) {
        Ok(folder) if folder.is_trusted() => folder.names(MOST)?,
        Ok(_) => return Err(std::io::Error::other("users other than root can write there")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    names.sort();
    Ok(names)
}

/// The report about a user's side, or why there is none.
fn side(name: &str, limit: Duration) -> Result<DoctorReport, String> {
    if limit.is_zero() {
        return Err(format!("the users before this one took longer than {}", duration_text(ALL_TOGETHER)));
    }
    let user = match OtherUser::named(name) {
        Ok(Some(user)) => user,
        Ok(None) => return Err("there is no user of that name".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let mut command = user.command(Path::new(THIS_PROGRAM));
    command.args(["doctor", "--json", "--side", "users"]);
    match capture(&mut command, limit, LARGEST) {
        Ok(Captured::Ended(output)) => of_output(&output),
        Ok(Captured::Late) => Err(format!("it did not end within {}", duration_text(limit))),
        Ok(Captured::Signalled) => Err("it was ended by a signal to netready".to_owned()),
        Err(error) => Err(format!("it cannot be run: {error}")),
    }
}

fn of_output(output: &Output) -> Result<DoctorReport, String> {
    if output.cut {
        return Err("it printed too much".to_owned());
    }
    let value = serde_json::from_slice(&output.stdout).ok();
    let Some(mut report) = value.as_ref().and_then(of_json) else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(match stderr.lines().find(|line| !line.trim().is_empty()) {
            Some(first) => format!("it said: {first}"),
            None => "netready does not understand its output".to_owned(),
        });
    };
    report.escape();
    Ok(report)
}

/// Parses a report as [`json`](super::json) writes it. `None` if it is not a report.
fn of_json(value: &Value) -> Option<DoctorReport> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let texts = |value: &Value, name: &str| -> Option<Vec<String>> {
        value.get(name)?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let list = |name: &str| value.get(name).and_then(Value::as_array);
    let finding = |value: &Value| {
        Some(Finding {
            code: FindingCode::of(value.get("code")?.as_str()?)?,
            subject: text(value, "subject")?,
            what: text(value, "what")?,
            seen: text(value, "seen")?,
            mend: texts(value, "mend")?,
        })
    };
    let unseen =
        |value: &Value| Some(Unseen { what: text(value, "what")?, because: text(value, "because")? });
    Some(DoctorReport {
        findings: list("findings")?.iter().map(finding).collect::<Option<_>>()?,
        unseen: list("not_looked_at")?.iter().map(unseen).collect::<Option<_>>()?,
        notes: texts(value, "notes")?,
        ..DoctorReport::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::json;
    use crate::quadlet::Manager;

    fn output(stdout: &str, stderr: &str, cut: bool) -> Output {
        Output { code: Some(1), stdout: stdout.into(), stderr: stderr.into(), cut }
    }

    #[test]
    fn a_report_is_read_back_and_escaped() {
        let mut report = DoctorReport::default();
        report.findings.push(Finding {
            code: FindingCode::LingerOff,
            subject: "user a".to_owned(),
            what: "x\u{1b}[2J".to_owned(),
            seen: "no file".to_owned(),
            mend: vec!["first".to_owned(), "then\n".to_owned()],
        });
        report.unseen("pasta", "podman was not found in PATH");
        report.notes.push("x0: not there now".to_owned());
        let said = json(&report, &[], Manager::User, None).to_string();
        let back = of_output(&output(&said, "", false)).unwrap();
        report.escape();
        assert_eq!(back, report);
    }

    #[test]
    fn output_that_is_not_a_report_is_an_error() {
        let well = r#"{"findings":[],"not_looked_at":[],"notes":[]}"#;
        assert!(of_output(&output(well, "", false)).is_ok());
        let other_code = r#"{"findings":[{"code":"other","subject":"","what":"","seen":"","mend":[]}],"not_looked_at":[],"notes":[]}"#;
        for (stdout, cut) in [
            (well, true),
            ("", false),
            ("[]", false),
            ("{}", false),
            (r#"{"findings":7,"not_looked_at":[],"notes":[]}"#, false),
            (r#"{"findings":[{}],"not_looked_at":[],"notes":[]}"#, false),
            (r#"{"findings":[],"not_looked_at":[],"notes":[7]}"#, false),
            (other_code, false),
            (&"[".repeat(100_000), false),
        ] {
            assert!(of_output(&output(stdout, "netready: error: x\nmore", cut)).is_err(), "{stdout:.80}");
        }
        let error = of_output(&output("", "\nnetready: error: x\nmore", false)).unwrap_err();
        assert_eq!(error, "it said: netready: error: x");
    }
}
