//! Reads earlier boots from the journal: netready's own entries, through `journalctl -o json`.
//!
//! Any user can write an entry with netready's fields. But only journald sets the fields whose names begin with `_`,
//! so these say who wrote an entry. An entry counts only if root, the caller or one of netready's system units wrote
//! it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netready_core::journal::{Kind, field};
use serde_json::Value;

use crate::doctor::programs::{ProgramError, Programs};
use crate::escape::escape;
use crate::files;
use crate::moment::Moment;

/// The fields set by journald that are requested. All of them would make the output ten times as long.
const OWN: [&str; 3] = ["_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "_UID"];

/// A boot that is in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// 0 for this boot, -1 for the previous one, and so on.
    pub offset: i64,
    /// The boot's identifier, without dashes, as the journal has it.
    pub id: String,
}

/// An entry that netready wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The kind of event that the entry reports.
    pub kind: Kind,
    /// The time of the entry, in microseconds since 1970.
    pub realtime_usec: u64,
    /// The time of the entry on CLOCK_MONOTONIC.
    pub monotonic: Duration,
    /// The time of the event. `None` if the entry does not have it.
    pub at: Option<Moment>,
    /// The unit that wrote the entry: a system unit or a user's unit.
    pub unit: Option<String>,
    /// Whether the unit is run by a user's service manager.
    pub of_user: bool,
    /// netready's own fields, by the names in [`field`]. Others may have written them: escape what is printed of
    /// them.
    pub fields: BTreeMap<&'static str, String>,
}

impl Found {
    /// The value of the field with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// netready's entries of one boot.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// The entries, in the journal's order.
    pub entries: Vec<Found>,
    /// Whether there were more entries than are kept, so that the last ones are missing.
    pub cut: bool,
    /// Whether the caller may not read the system's journal, so that these are only the caller's own entries.
    pub own_only: bool,
}

/// Why the journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// journalctl could not be run, or did not end in time.
    #[error(transparent)]
    Ask(#[from] ProgramError),
    /// journalctl failed with this text.
    #[error("journalctl: {0}")]
    Failed(String),
    /// The caller may not read the system's journal.
    #[error(
        "this user may not read the system's journal: join the group systemd-journal or adm, or use root"
    )]
    Hidden,
}

/// The boots that are in the journal, the earliest one first.
///
/// # Errors
/// Fails if the journal cannot be read: see [`JournalError`].
pub fn boots(programs: &Programs) -> Result<Vec<Boot>, JournalError> {
    let said = ask(programs, &["--list-boots"])?;
    Ok(said.0.lines().filter_map(boot).collect())
}

/// Parses a line such as `-1 2f2b… Mon 2026-11-23 08:15:30 UTC—Mon 2026-11-23 09:00:00 UTC`. Some versions also print
/// a heading, which gives `None`. The list is not requested as JSON because only systemd 255 and later can do that.
fn boot(line: &str) -> Option<Boot> {
    let mut words = line.split_whitespace();
    let offset = words.next()?.parse().ok().filter(|offset| *offset <= 0)?;
    let id = words.next()?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| Boot { offset, id: id.to_owned() })
}

/// netready's entries of a boot, of all gates or of one.
///
/// # Errors
/// Fails if the journal cannot be read: see [`JournalError`].
pub fn entries(programs: &Programs, boot: &Boot, gate: Option<&str>) -> Result<Entries, JournalError> {
    let arguments = arguments(boot, gate);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (said, cut) = ask(programs, &arguments)?;
    let uid = nix::unistd::geteuid().as_raw();
    let entries = said.lines().filter_map(|line| entry(line, uid)).collect();
    Ok(Entries { entries, cut, own_only: is_hidden() })
}

fn arguments(boot: &Boot, gate: Option<&str>) -> Vec<String> {
    let fields = field::ALL.iter().chain(&OWN).copied().collect::<Vec<_>>().join(",");
    let mut arguments = vec![
        format!("--boot={}", boot.id),
        "--output=json".to_owned(),
        // Without this option, journalctl prints null for a field of more than 4096 bytes.
        "--all".to_owned(),
        format!("--output-fields={fields}"),
    ];
    arguments.extend(Kind::ALL.iter().map(|kind| format!("{}={}", field::MESSAGE_ID, kind.message_id())));
    arguments.extend(gate.map(|gate| format!("{}={}", field::GATE, escape(gate))));
    arguments
}

/// Runs journalctl. Returns its stdout, and whether that was cut off.
fn ask(programs: &Programs, arguments: &[&str]) -> Result<(String, bool), JournalError> {
    let arguments = [&["--no-pager", "--quiet"], arguments].concat();
    let said = programs.ask("journalctl", &arguments)?;
    let cut = said.cut;
    let answer = said.success().map_err(|error| match is_hidden() {
        true => JournalError::Hidden,
        false => JournalError::Failed(error),
    })?;
    match answer.trim().is_empty() && is_hidden() {
        true => Err(JournalError::Hidden),
        false => Ok((answer, cut)),
    }
}

/// Whether the system has a journal that the caller may not read. journalctl says this too, but only in a text.
fn is_hidden() -> bool {
    let Ok(id) = files::read_bounded(Path::new("/etc/machine-id"), 64) else { return false };
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    let file = |base: &str| PathBuf::from(base).join(&id).join("system.journal");
    let (kept, volatile) = (file("/var/log/journal"), file("/run/log/journal"));
    is_hidden_at(&[&kept, &volatile])
}

fn is_hidden_at(files: &[&Path]) -> bool {
    let denied = |path: &&&Path| {
        let opened = std::fs::File::open(path);
        opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    let readable = |path: &&&Path| std::fs::File::open(path).is_ok();
    files.iter().any(|path| denied(&path)) && !files.iter().any(|path| readable(&path))
}

/// Parses an entry of one line. Returns `None` if it is not netready's, or if its writer is not trusted.
fn entry(line: &str, uid: u32) -> Option<Found> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name).and_then(text);
    let number = |name: &str| text(name)?.parse::<u64>().ok();
    let (unit, user_unit) = (text("_SYSTEMD_UNIT"), text("_SYSTEMD_USER_UNIT"));
    let writer = number("_UID");
    let own = writer == Some(uid.into()) || writer == Some(0);
    if !own && !unit.as_deref().is_some_and(is_ours) {
        return None;
    }
    let fields: BTreeMap<&'static str, String> =
        field::ALL.iter().filter_map(|name| Some((*name, text(name)?))).collect();
    Some(Found {
        kind: Kind::of_message_id(fields.get(field::MESSAGE_ID)?)?,
        realtime_usec: number("__REALTIME_TIMESTAMP")?,
        monotonic: Duration::from_micros(number("__MONOTONIC_TIMESTAMP")?),
        at: number(field::USEC).map(|usec| Moment::after_boot(Duration::from_micros(usec))),
        of_user: user_unit.is_some(),
        unit: user_unit.or(unit),
        fields,
    })
}

/// Whether this is one of netready's system units.
fn is_ours(unit: &str) -> bool {
    let Some(name) = unit.strip_suffix(".service") else { return false };
    name == "netready" || name.strip_prefix("netready@").is_some_and(|gate| !gate.is_empty())
}

/// A field's value as text. journalctl prints a list of bytes if the value is not UTF-8, and a list of values if
/// there are several; then the first one counts.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => match values.first()? {
            Value::Number(_) => {
                let octet = |value: &Value| value.as_u64().and_then(|octet| u8::try_from(octet).ok());
                let octets: Option<Vec<u8>> = values.iter().map(octet).collect();
                Some(String::from_utf8_lossy(&octets?).into_owned())
            }
            first @ (Value::String(_) | Value::Array(_)) => text(first),
            Value::Null | Value::Bool(_) | Value::Object(_) => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Parses a line of journalctl's output as root would. For the fuzzer.
#[cfg(any(test, fuzzing))]
pub(crate) fn understand(line: &str) {
    let _ = (entry(line, 0), boot(line));
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::{Child, Command};

    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    use serde_json::json;

    use super::*;
    use crate::journal::{Entry, Journal};

    /// The directory of message catalogs of systemd.
    const CATALOG: &str = "/usr/lib/systemd/catalog";

    /// A systemd-journald in a mount namespace of this thread. It is ended when this is dropped.
    struct Journald(Child);

    impl Journald {
        fn start() -> Journald {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            for path in ["/run", "/var/log", "/var/lib/systemd", CATALOG] {
                mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
            }
            for path in ["/run/systemd/journal", "/run/log/journal", "/var/lib/systemd/catalog"] {
                std::fs::create_dir_all(path).unwrap();
            }
            let ready = UnixDatagram::bind("/run/ready").unwrap();
            ready.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let mut journald = Command::new("/lib/systemd/systemd-journald");
            let journald = Journald(journald.env("NOTIFY_SOCKET", "/run/ready").spawn().unwrap());
            let mut octets = [0; 4096];
            loop {
                let length = ready.recv(&mut octets).unwrap();
                if octets[..length].starts_with(b"READY=1") {
                    break;
                }
            }
            journald
        }

        fn journalctl(arguments: &[&str]) -> String {
            let output = Command::new("journalctl").args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        }
    }

    impl Drop for Journald {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Entries that netready sends can be read back unchanged, and journalctl explains them from the catalog.
    #[test]
    #[ignore = "needs root and systemd-journald"]
    fn entries_come_back_from_a_journal() {
        let journald = Journald::start();
        let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/journal/netready.catalog");
        std::fs::copy(catalog, Path::new(CATALOG).join("netready.catalog")).unwrap();
        Journald::journalctl(&["--update-catalog"]);
        let journal = Journal::at(Path::new("/run/systemd/journal/socket")).unwrap();
        let events = format!("{{\"text\":\"{}\"}}\n{{}}", "x".repeat(300 << 10));
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            let entry = Entry {
                kind,
                priority: kind.priority(),
                message: format!("message {number}"),
                details: vec!["  detail".to_owned()],
                gate: if number == 0 { "other".to_owned() } else { "default\n".to_owned() },
                code: Some("no-carrier"),
                link: None,
                at: Moment::after_boot(Duration::from_micros(number as u64)),
            };
            // The first entry is too large for a datagram.
            let events = if number == 0 { &*events } else { "" };
            // The socket holds ten datagrams (net.unix.max_dgram_qlen) that journald has not read yet.
            while let Err(error) = journal.send(&entry, events) {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                Journald::journalctl(&["--sync"]);
            }
        }
        Journald::journalctl(&["--sync"]);
        let programs = Programs::from_process(None);
        let boots = boots(&programs).unwrap();
        assert_eq!((boots.len(), boots[0].offset), (1, 0));
        let all = entries(&programs, &boots[0], None).unwrap();
        assert!(!all.cut && !all.own_only);
        assert_eq!(all.entries.iter().map(|found| found.kind).collect::<Vec<_>>(), Kind::ALL);
        let first = &all.entries[0];
        assert_eq!(first.get(field::EVENTS), Some(&*events));
        assert_eq!(first.get(field::MESSAGE), Some("message 0\n  detail"));
        assert_eq!(first.get(field::CODE), Some("no-carrier"));
        assert_eq!(first.get(field::LINK), None);
        let one = entries(&programs, &boots[0], Some("default\n")).unwrap();
        assert_eq!(one.entries, all.entries[1..]);
        let explained = Journald::journalctl(&["-x", "MESSAGE_ID=91bfd495930244c0af96df9ede95499a"]);
        assert!(explained.contains("Gate other waits for the network"), "{explained}");
        assert!(explained.contains("netready check other"), "{explained}");
        drop(journald);
    }

    #[test]
    fn boots_are_read_with_and_without_a_heading() {
        let id = "61f693338aa545d68d3b234dd9d58203";
        for (line, expected) in [
            (format!(" -1 {id} Thu 2026-11-26 18:39:47 UTC—Thu 2026-11-26 18:39:48 UTC"), Some(-1)),
            (format!("  0 {id} Thu 2026-11-26 18:39:47 UTC Thu 2026-11-26 18:39:48 UTC"), Some(0)),
            (format!("-12 {id}"), Some(-12)),
            ("IDX BOOT ID                          FIRST ENTRY                 LAST ENTRY".to_owned(), None),
            (format!("1 {id}"), None),
            (format!("-1 {}", &id[1..]), None),
            (format!("-1 {}x", &id[1..]), None),
            (format!("-1 --{}", &id[2..]), None),
            ("-1".to_owned(), None),
            (String::new(), None),
        ] {
            let expected = expected.map(|offset| Boot { offset, id: id.to_owned() });
            assert_eq!(boot(&line), expected, "{line}");
        }
    }

    /// An entry as `journalctl -o json --all` of systemd 252 prints it.
    fn lost() -> Value {
        json!({
            "__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1795718388000000", "__MONOTONIC_TIMESTAMP": "5980200",
            "_BOOT_ID": "61f693338aa545d68d3b234dd9d58203", "_UID": "61184", "_SYSTEMD_UNIT": "netready.service",
            "MESSAGE": "NOT ready", "MESSAGE_ID": "ed8be7372f6b415aae923b8e7bfa881b", "PRIORITY": "4",
            "NETREADY_GATE": "default", "NETREADY_EVENT": "lost", "NETREADY_USEC": "5980123",
        })
    }

    fn with(name: &str, value: Value) -> Option<Found> {
        let mut line = lost();
        line[name] = value;
        entry(&line.to_string(), 1000)
    }

    #[test]
    fn an_entry_is_read() {
        let found = entry(&lost().to_string(), 1000).unwrap();
        assert_eq!(found.kind, Kind::Lost);
        assert_eq!(found.realtime_usec, 1_795_718_388_000_000);
        assert_eq!(found.monotonic, Duration::from_micros(5_980_200));
        assert_eq!(found.at, Some(Moment::after_boot(Duration::from_micros(5_980_123))));
        assert_eq!((found.unit.as_deref(), found.of_user), (Some("netready.service"), false));
        assert_eq!(found.get(field::GATE), Some("default"));
        assert_eq!(found.get(field::LINK), None);
        assert_eq!(found.fields.len(), 6);
    }

    #[test]
    fn a_value_may_be_bytes_a_list_or_missing() {
        for (value, expected) in [
            (json!("e0"), Some("e0")),
            (json!([101, 48, 255]), Some("e0\u{fffd}")),
            (json!(["first", "second"]), Some("first")),
            (json!([[101, 48], "second"]), Some("e0")),
            (json!(null), None),
            (json!([]), None),
            (json!([256]), None),
            (json!([null]), None),
            (json!({}), None),
            (json!(7), None),
        ] {
            let found = with(field::LINK, value.clone()).unwrap();
            assert_eq!(found.get(field::LINK), expected, "{value}");
        }
        assert_eq!(with(field::USEC, json!("x")).unwrap().at, None);
        let large = "x".repeat(1 << 20);
        assert_eq!(with(field::EVENTS, json!(large)).unwrap().get(field::EVENTS), Some(&*large));
    }

    #[test]
    fn lines_that_are_not_entries_are_skipped() {
        for (name, value) in [
            ("MESSAGE_ID", json!("0")),
            ("MESSAGE_ID", json!(null)),
            ("__REALTIME_TIMESTAMP", json!("x")),
            ("__MONOTONIC_TIMESTAMP", json!(null)),
        ] {
            assert_eq!(with(name, value), None, "{name}");
        }
        let whole = lost().to_string();
        for line in ["", "{}", "[]", "x", "\u{0}", &whole[..whole.len() - 1], &"[".repeat(100_000)] {
            assert_eq!(entry(line, 1000), None);
        }
    }

    /// Each row: system unit, user unit, user number, and whether the entry counts. The caller is user 1000.
    #[test]
    fn only_entries_of_trusted_writers_count() {
        for (unit, user_unit, uid, believed) in [
            (Some("netready.service"), None, "61184", true),
            (Some("netready@nas.service"), None, "61184", true),
            (Some("netready@.service"), None, "61184", false),
            (Some("netready-evil.service"), None, "61184", false),
            (Some("user@1001.service"), Some("netready.service"), "1001", false),
            (Some("user@1000.service"), Some("netready.service"), "1000", true),
            (Some("session-1.scope"), None, "1001", false),
            (Some("session-1.scope"), None, "1000", true),
            (Some("session-1.scope"), None, "0", true),
            (None, None, "1001", false),
            (None, None, "", false),
        ] {
            let mut line = lost();
            line["_SYSTEMD_UNIT"] = json!(unit);
            line["_SYSTEMD_USER_UNIT"] = json!(user_unit);
            line["_UID"] = json!(uid);
            let found = entry(&line.to_string(), 1000);
            assert_eq!(found.is_some(), believed, "{unit:?} {uid}");
            let Some(found) = found else { continue };
            assert_eq!((found.unit.as_deref(), found.of_user), (user_unit.or(unit), user_unit.is_some()));
        }
    }

    #[test]
    fn a_boot_is_asked_for_by_its_id_and_a_gate_by_its_field() {
        let boot = Boot { offset: -1, id: "61f693338aa545d68d3b234dd9d58203".to_owned() };
        let all = arguments(&boot, None);
        assert_eq!(all[0], "--boot=61f693338aa545d68d3b234dd9d58203");
        let kinds = all.iter().filter(|argument| argument.starts_with("MESSAGE_ID=")).count();
        assert_eq!(kinds, Kind::ALL.len());
        let one = arguments(&boot, Some("a\nb"));
        assert_eq!(one[..all.len()], all);
        assert_eq!(one[all.len()..], [r"NETREADY_GATE=a\x0ab"]);
    }

    #[test]
    #[ignore = "needs root"]
    fn a_journal_that_cannot_be_read_is_distinguished_from_a_missing_one() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let at = |name: &str| place.path().join(name);
        for (name, mode) in [("closed", 0o600), ("open", 0o644)] {
            std::fs::write(at(name), "").unwrap();
            std::fs::set_permissions(at(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        let (closed, open, gone) = (at("closed"), at("open"), at("gone"));
        // This changes the user of this thread only.
        nix::unistd::setfsuid(65534.into());
        let hidden = [[&*closed, &*gone], [&*gone, &*gone], [&*closed, &*open], [&*gone, &*open]]
            .map(|files| is_hidden_at(&files));
        nix::unistd::setfsuid(0.into());
        assert_eq!(hidden, [true, false, false, false]);
    }
}
