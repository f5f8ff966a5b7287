//! What a `run` leaves behind for others to read: which gate it keeps, and how it stands. Nothing
//! depends on it; where it cannot be written, nothing is.
//!
//! Others may have written what is read here, and may have prepared the place that is written to. So a record is
//! read only from folders that root or the caller owns, as a regular file of bounded size, and is made safe to
//! print; it is written only into a folder that nobody else writes to, as a new file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tracing::debug;

use crate::escape::escape;
use crate::files::Folder;
use crate::gate_state::Phase;
use crate::identity::Identity;
use crate::report::state_word;

/// Where `run` keeps its record.
#[derive(Debug)]
pub struct Record {
    place: Option<Folder>,
    name: String,
    /// Started by a service manager, which may have started an earlier one.
    of_unit: bool,
}

/// Another `run`'s record; its texts are safe to print.
#[derive(Debug, PartialEq, Eq)]
pub struct GateRecord {
    /// The name of the gate.
    pub gate: String,
    /// Where it was read.
    pub source: String,
    /// What STATUS= said last.
    pub status: String,
    /// Whether the gate is ready. `None` in a record of an earlier version, which does not tell.
    pub ready: Option<bool>,
    /// The time of day at which a `run` of it gave up in this boot.
    pub gave_up_at: Option<String>,
}

/// The folder of all records, below /run or $XDG_RUNTIME_DIR.
pub const FOLDER: &str = "netready-record";

/// No record comes near.
const LARGEST: u64 = 64 << 10;

/// No host has so many gates.
const MOST: usize = 256;

/// The word for the phase `Ready` in the field `state`.
const READY: &str = "ready";

impl Record {
    /// `$RUNTIME_DIRECTORY/GATE.json` in a unit, else in the folder of all records, which is made where there is
    /// none.
    pub fn of(gate: &str) -> Record {
        let of_unit = std::env::var_os("RUNTIME_DIRECTORY").and_then(|list| {
            // systemd.exec(5): several are separated by colons.
            let mut directories = std::env::split_paths(&list).collect::<Vec<_>>().into_iter();
            directories.find(|path| path.components().any(|part| part.as_os_str() == FOLDER))
        });
        let place = match &of_unit {
            Some(path) => Folder::open_own(path).map_err(|error| debug!("{}: {error}", path.display())).ok(),
            None => base().and_then(|base| {
                let made = Folder::open_own(&base).and_then(|folder| folder.make(FOLDER.as_ref()));
                let opened = made.and_then(|()| Folder::open_own(&base.join(FOLDER)));
                opened.map_err(|error| debug!("{}: {error}", base.join(FOLDER).display())).ok()
            }),
        };
        Record { place, name: format!("{}.json", gate.replace('/', "-")), of_unit: of_unit.is_some() }
    }

    /// The time of day at which the last `run` of this unit gave up, if it did so since boot.
    pub fn gave_up_at(&self) -> Option<String> {
        let place = self.place.as_ref().filter(|_| self.of_unit)?;
        let record = read(place, self.name.as_ref())?;
        let this_boot = record.get("boot-id").and_then(Value::as_str)? == boot_id()?;
        let at = record.get("gave-up-at").and_then(Value::as_str)?;
        this_boot.then(|| escape(at).into_owned())
    }

    /// Writes how it stands.
    pub fn write(&self, gate: &str, source: &str, phase: Phase, status: &str, gave_up_at: Option<&str>) {
        let Some(place) = &self.place else { return };
        let record = json!({
            "gate": gate,
            "source": source,
            "pid": std::process::id(),
            "boot-id": boot_id(),
            "state": state_word(phase),
            "status": status,
            "gave-up-at": gave_up_at,
        });
        if let Err(error) = place.replace(self.name.as_ref(), record.to_string().as_bytes()) {
            debug!("{}: {error}", self.name);
        }
    }
}

/// What the caller's own netready.service keeps, if it runs.
pub fn of_service() -> Option<GateRecord> {
    let records = read_all(&base()?.join(FOLDER), Some(OsStr::new("netready")));
    records.iter().find_map(|record| {
        let pid = record.get("pid").and_then(Value::as_u64)?;
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (comm.trim_end() == "netready").then(|| kept(record)).flatten()
    })
}

/// The records of this boot in a folder of all records.
pub fn of_this_boot(folder: &Path) -> Vec<GateRecord> {
    let boot = boot_id();
    let records = read_all(folder, None);
    let fresh =
        records.iter().filter(|record| record.get("boot-id").and_then(Value::as_str) == boot.as_deref());
    fresh.filter_map(kept).collect()
}

/// The records in a folder of all records: those of a unit, or all, in the order of their paths.
fn read_all(path: &Path, unit: Option<&OsStr>) -> Vec<Value> {
    let Ok(folder) = Folder::open(path) else { return Vec::new() };
    if !folder.is_trusted() {
        return Vec::new();
    }
    let mut names = match unit {
        Some(unit) => vec![unit.to_owned()],
        None => folder.names(MOST).unwrap_or_default(),
    };
    names.sort();
    let mut records = Vec::new();
    for name in names {
        if unit.is_none() && is_record(&name) {
            records.extend(read(&folder, &name));
            continue;
        }
        // A unit's, made by the service manager, which has it belong to whatever user the unit has (DynamicUser=).
        let Ok(of_unit) = Folder::open(&path.join(&name)) else { continue };
        if !of_unit.only_its_owner_writes() {
            continue;
        }
        let mut names = of_unit.names(MOST).unwrap_or_default();
        names.retain(|name| is_record(name));
        names.sort();
        records.extend(names.iter().filter_map(|name| read(&of_unit, name)));
    }
    records
}

/// Not a draft of one, which is hidden.
fn is_record(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".json") && !name.starts_with(b".")
}

fn kept(record: &Value) -> Option<GateRecord> {
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(|text| escape(text).into_owned());
    Some(GateRecord {
        gate: text("gate")?,
        source: text("source")?,
        status: text("status").unwrap_or_default(),
        ready: record.get("state").and_then(Value::as_str).map(|state| state == READY),
        gave_up_at: text("gave-up-at"),
    })
}

/// The directory in which the folder of all records is.
fn base() -> Option<PathBuf> {
    let identity = Identity::of_process();
    if identity.is_user() { identity.runtime } else { Some(PathBuf::from("/run")) }
}

fn read(folder: &Folder, name: &OsStr) -> Option<Value> {
    serde_json::from_slice(&folder.read(name, LARGEST).ok()?).ok()
}

fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use super::*;
    use crate::gate_state::{Came, GaveUp, OpenedBy};

    /// A record of this boot, as its text.
    fn record(gate: &str) -> String {
        json!({"gate": gate, "source": "/s", "pid": 1, "boot-id": boot_id(), "status": "Ready\nREADY=1"})
            .to_string()
    }

    fn gates(folder: &Path) -> Vec<String> {
        of_this_boot(folder).into_iter().map(|kept| kept.gate).collect()
    }

    #[test]
    fn what_is_no_record_is_passed_over() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("unit")).unwrap();
        fs::write(at("unit/a.json"), record("of-unit")).unwrap();
        fs::write(at("b.json"), record("b")).unwrap();
        fs::write(at(".c.json.1f"), record("draft")).unwrap();
        fs::write(at(".c.json"), record("hidden")).unwrap();
        fs::write(at("d.txt"), record("other")).unwrap();
        symlink("b.json", at("link.json")).unwrap();
        symlink("/dev/zero", at("zero.json")).unwrap();
        nix::unistd::mkfifo(&at("fifo.json"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        fs::write(at("deep.json"), "[".repeat(60_000)).unwrap();
        fs::write(at("huge.json"), format!("{}{}", record("huge"), " ".repeat(64 << 10))).unwrap();
        fs::write(at("half.json"), r#"{"gate": "half""#).unwrap();
        fs::write(at("list.json"), "[1, 2]").unwrap();
        fs::write(at("old.json"), record("old").replace(&boot_id().unwrap(), "another")).unwrap();
        fs::write(at("number.json"), record("x").replace("\"x\"", "7")).unwrap();
        assert_eq!(gates(place.path()), ["b", "of-unit"]);
    }

    #[test]
    fn texts_of_a_record_are_safe_to_print() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.json"), record("a\n\u{1b}[2J\u{202e}")).unwrap();
        let kept = of_this_boot(place.path());
        assert_eq!(kept[0].gate, r"a\x0a\x1b[2J\u{202e}");
        assert_eq!(kept[0].status, r"Ready\x0aREADY=1");
        assert_eq!(kept[0].ready, None, "a text is not believed to tell the state");
    }

    #[test]
    fn a_record_tells_whether_the_gate_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = Some(Folder::open_own(folder.path()).unwrap());
        let record = Record { place, name: "a.json".to_owned(), of_unit: false };
        let (after, now) = (std::time::Duration::ZERO, crate::clock::now());
        for (phase, ready) in [
            (Phase::Waiting, false),
            (Phase::Ready { came: Came::First { after } }, true),
            (Phase::Opened { after, by: OpenedBy::Request }, false),
            (Phase::Lost { since: now }, false),
            (Phase::GaveUp { after, why: GaveUp::Timeout }, false),
        ] {
            record.write("a", "/s", phase, "Ready, says this text", None);
            let records = of_this_boot(folder.path());
            assert_eq!(records[0].ready, Some(ready), "{phase:?}");
        }
    }

    #[test]
    fn a_folder_of_others_is_not_believed() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("unit")).unwrap();
        fs::write(at("a.json"), record("a")).unwrap();
        fs::write(at("unit/b.json"), record("b")).unwrap();
        assert_eq!(gates(place.path()), ["a", "b"]);
        fs::set_permissions(at("unit"), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(gates(place.path()), ["a"], "everybody writes in the unit's folder");
        fs::set_permissions(at("unit"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(gates(place.path()).is_empty(), "everybody writes in the folder");
    }

    #[test]
    #[ignore = "needs root"]
    fn what_another_user_owns_is_not_believed() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("unit")).unwrap();
        fs::write(at("a.json"), record("a")).unwrap();
        fs::write(at("unit/b.json"), record("b")).unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // As systemd does with DynamicUser=: a link of root's to a folder of that user's.
        fs::rename(at("unit"), at("private")).unwrap();
        chown(at("private"), Some(61184), None).unwrap();
        chown(at("private/b.json"), Some(61184), None).unwrap();
        fs::rename(at("private"), place.path().with_extension("private")).unwrap();
        symlink(place.path().with_extension("private"), at("unit")).unwrap();
        assert_eq!(gates(place.path()), ["a", "b"]);
        lchown(at("unit"), Some(65534), None).unwrap();
        assert_eq!(gates(place.path()), ["a"], "a link of another user's is followed");
        chown(at("a.json"), Some(65534), None).unwrap();
        assert!(gates(place.path()).is_empty(), "another user's file is believed");
        chown(at("a.json"), Some(0), None).unwrap();
        chown(place.path(), Some(65534), None).unwrap();
        assert!(gates(place.path()).is_empty(), "another user's folder is believed");
        fs::remove_dir_all(place.path().with_extension("private")).unwrap();
    }
}
