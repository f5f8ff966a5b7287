//! The record that a `run` keeps for others to read: which gate it is, the gate's state, and its events. No decision
//! depends on the record. If it cannot be written, `run` goes on without it.
//!
//! Each gate has two files: `GATE.json` has its current state ([`Record`]), and `GATE.events` has what happened in
//! this boot ([`events`]). Earlier boots are read back from the journal ([`journalctl`]).
//!
//! Other users may have written the files that are read here, and may have prepared the place to which a record is
//! written. So netready reads a record only if root or the caller owns its folder, and only if it is a regular file
//! of bounded size, and makes its texts safe to print. netready writes a record only into a folder to which nobody
//! else can write, and never through a link.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tracing::{debug, warn};

use crate::clock::LocalTime;
use crate::escape::{escape, escape_bytes};
use crate::files::Folder;
use crate::identity::Identity;
use crate::moment::Moment;
use crate::snapshot::Snapshot;

pub mod events;
pub mod journalctl;
pub mod kept;

/// The record of one gate, as its `run` writes it.
#[derive(Debug)]
pub struct Record {
    place: Place,
}

/// What a later `run` of the same unit and boot continues from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// When an earlier run last gave up, if the gate was not ready since.
    pub gave_up: Option<Moment>,
    /// When an earlier run last gave up, even if the gate was ready since.
    pub last_gave_up: Option<Moment>,
    /// When the first of the runs began that gave up one after the other. `None` if the last one was ready before it
    /// gave up, or if it did not give up.
    pub awaited_since: Option<Moment>,
    /// How often the gate was lost in this boot.
    pub losses: u64,
}

/// The record of another `run`. Its texts are escaped for printing.
#[derive(Debug, PartialEq, Eq)]
pub struct GateRecord {
    /// The name of the gate.
    pub gate: String,
    /// The file from which the gate was read.
    pub source: String,
    /// The last STATUS= text.
    pub status: String,
    /// Whether the gate is ready. `None` if an earlier version of netready wrote the record, which does not have this
    /// field.
    pub ready: Option<bool>,
    /// When a `run` of the gate gave up in this boot: local time, with the date if that was another day.
    pub gave_up_at: Option<String>,
    /// Whether the gate was ready after that time.
    pub ready_later: bool,
}

/// The events of a gate in this boot.
#[derive(Debug, PartialEq, Eq)]
pub struct GateHistory {
    /// The name of the gate, as in the file; escape it for printing.
    pub gate: String,
    /// Whether the gate is the system's or the caller's.
    pub scope: Scope,
    /// The unit that runs the gate, without `.service`. `None` if somebody started `run` by hand.
    pub unit: Option<String>,
    /// All `run`s of the gate, the first one first. There are several if a unit gave up and was started again.
    pub runs: Vec<events::Run>,
    /// Whether events are missing between the first ones and the latest ones.
    pub truncated: bool,
}

/// Whether records are the system's or a user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Records of the system's gates.
    System,
    /// Records of the caller's own gates.
    User,
}

/// The events of all gates that the caller can read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Histories {
    /// The histories of the system's gates first.
    pub gates: Vec<GateHistory>,
    /// Units whose events the caller may not read, without `.service`; escaped for printing.
    pub hidden: Vec<String>,
}

/// The name of the folder of all records, which is in /run or $XDG_RUNTIME_DIR.
pub const FOLDER: &str = "netready-record";

/// The largest record that is read, in bytes. A real record is far smaller.
const LARGEST: u64 = 64 << 10;

/// The most names that are read from a folder. No host has so many gates.
const MOST: usize = 256;

/// The word for the phase `Ready` in the field `state`.
const READY: &str = "ready";

/// The place to which a `run` writes.
#[derive(Debug)]
struct Place {
    folder: Option<Folder>,
    /// Why there is no folder, if that is a fault.
    problem: Option<String>,
    /// The start of the files' names: the name of the gate.
    stem: String,
    /// Whether a service manager started this `run`; it may have started an earlier one too.
    of_unit: bool,
}

impl Place {
    /// In a unit: `$RUNTIME_DIRECTORY`. Otherwise: the folder of all records, which is made if it does not exist.
    fn of(gate: &str) -> Place {
        let of_unit = std::env::var_os("RUNTIME_DIRECTORY").and_then(|list| {
            // systemd.exec(5): colons separate several directories.
            let mut directories = std::env::split_paths(&list).collect::<Vec<_>>().into_iter();
            directories.find(|path| path.components().any(|part| part.as_os_str() == FOLDER))
        });
        let (folder, problem) = match Place::folder(of_unit.as_deref()) {
            Ok(folder) => (folder, None),
            Err(problem) => (None, Some(problem)),
        };
        Place { folder, problem, stem: gate.replace('/', "-"), of_unit: of_unit.is_some() }
    }

    /// Opens the folder. `None` if no folder is known, because neither a unit nor a session has one.
    fn folder(of_unit: Option<&Path>) -> Result<Option<Folder>, String> {
        if let Some(path) = of_unit {
            return Folder::open_own(path).map(Some).map_err(|error| unusable(path, &error));
        }
        let Some(base) = base() else { return Ok(None) };
        let path = base.join(FOLDER);
        let parent = Folder::open_own(&base).map_err(|error| unusable(&base, &error))?;
        let opened = parent.make(FOLDER.as_ref()).and_then(|()| Folder::open_own(&path));
        opened.map(Some).map_err(|error| unusable(&path, &error))
    }

    fn name(&self, suffix: &str) -> OsString {
        format!("{}{suffix}", self.stem).into()
    }

    /// The content of one of the gate's files, if the file has at most `limit` bytes.
    fn read(&self, suffix: &str, limit: u64) -> Option<Vec<u8>> {
        self.folder.as_ref()?.read(&self.name(suffix), limit).ok()
    }

    /// Opens one of the gate's files for writing.
    fn open(&self, suffix: &str) -> io::Result<File> {
        let Some(folder) = &self.folder else { return Err(ErrorKind::NotFound.into()) };
        folder.open_to_write(&self.name(suffix))
    }
}

/// Says why no record can be kept in this folder.
fn unusable(folder: &Path, error: &io::Error) -> String {
    let rule = if error.kind() == ErrorKind::PermissionDenied {
        " (it must belong to this user, and nobody else may be able to write there)"
    } else {
        ""
    };
    format!("{}: {error}{rule}", folder.display())
}

impl Record {
    /// The record `GATE.json` in `$RUNTIME_DIRECTORY` if this is a unit, and otherwise in the folder of all records,
    /// which is made if it does not exist. Warns if there can be no record: without the warning, `status` would seem to
    /// say that no `run` is there.
    pub fn of(gate: &str) -> Record {
        let place = Place::of(gate);
        if let Some(problem) = &place.problem {
            warn!(
                "status and timeline cannot show this gate, because its record cannot be kept: {}",
                escape(problem)
            );
        }
        Record { place }
    }

    /// Writes the current state.
    pub fn write(&self, snapshot: &Snapshot, status: &str) {
        let Some(folder) = &self.place.folder else { return };
        let mut record = snapshot.fields();
        record.insert("pid".to_owned(), std::process::id().into());
        record.insert("boot-id".to_owned(), boot_id().into());
        record.insert("status".to_owned(), status.into());
        let Ok(text) = serde_json::to_vec(&record) else { return };
        if let Err(error) = folder.replace(&self.place.name(SUFFIX), &text) {
            debug!("{}{SUFFIX}: {error}", self.place.stem);
        }
    }
}

/// The end of a record's file name, after the gate's name.
const SUFFIX: &str = ".json";

/// The record of the caller's own netready.service, if that service runs.
pub fn of_service() -> Option<GateRecord> {
    let records = read_all(&base()?.join(FOLDER), Some(OsStr::new("netready")));
    records.iter().find_map(|record| {
        let pid = record.get("pid").and_then(Value::as_u64)?;
        runs(u32::try_from(pid).ok()?).then(|| kept(record)).flatten()
    })
}

/// Whether the process with this number is a netready.
pub fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == "netready")
}

/// The records of this boot in a folder of all records.
pub fn of_this_boot(folder: &Path) -> Vec<GateRecord> {
    let boot = boot_id();
    let records = read_all(folder, None);
    let fresh =
        records.iter().filter(|record| record.get("boot-id").and_then(Value::as_str) == boot.as_deref());
    fresh.filter_map(kept).collect()
}

/// The events of this boot, of the system's gates and of the caller's own. With `gate`, only of gates with that name.
pub fn histories(gate: Option<&str>) -> Histories {
    let mut all = Histories::default();
    for (path, scope) in all_folders() {
        histories_in(&path, scope, &boot_id().unwrap_or_default(), &mut all);
    }
    all.gates.retain(|history| gate.is_none_or(|gate| history.gate == gate));
    all
}

/// The folders of all records: the system's, and the caller's.
fn all_folders() -> impl Iterator<Item = (PathBuf, Scope)> {
    let system = (PathBuf::from("/run"), Scope::System);
    let own = base().filter(|base| *base != system.0).map(|base| (base, Scope::User));
    std::iter::once(system).chain(own).map(|(base, scope)| (base.join(FOLDER), scope))
}

fn histories_in(path: &Path, scope: Scope, boot: &str, all: &mut Histories) {
    let found = folders(path, None);
    all.hidden.extend(found.hidden);
    for (unit, folder) in &found.folders {
        for name in names(folder, events::SUFFIX) {
            let Ok(octets) = folder.read(&name, events::LARGEST) else { continue };
            let (mut runs, truncated) = events::runs(&octets);
            runs.retain(|run| run.header.boot == boot);
            let Some(last) = runs.last() else { continue };
            let (gate, unit) = (last.header.gate.clone(), unit.clone());
            all.gates.push(GateHistory { gate, scope, unit, runs, truncated });
        }
    }
}

/// The folders that have records.
#[derive(Default)]
struct Folders {
    /// The folder of all records (`None`), and the folders of units inside it, each with the unit's name.
    folders: Vec<(Option<String>, Folder)>,
    /// Units whose folders the caller may not open.
    hidden: Vec<String>,
}

/// Opens a folder of all records: with everything in it, or only the folder of one unit in it.
fn folders(path: &Path, unit: Option<&OsStr>) -> Folders {
    let mut found = Folders::default();
    let Some(all) = Folder::open(path).ok().filter(Folder::is_trusted) else { return found };
    let mut names = match unit {
        Some(unit) => vec![unit.to_owned()],
        None => all.names(MOST).unwrap_or_default(),
    };
    names.sort();
    if unit.is_none() {
        found.folders.push((None, all));
    }
    for name in names {
        let unit = escape_bytes(name.as_encoded_bytes()).into_owned();
        // This is a unit's folder. The service manager has made it, for whatever user the unit runs as
        // (DynamicUser=).
        match Folder::open(&path.join(&name)) {
            Ok(folder) if folder.only_its_owner_writes() => found.folders.push((Some(unit), folder)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => found.hidden.push(unit),
            // Skip it: it is a record of a `run` that was started by hand, or a file that is not netready's.
            Ok(_) | Err(_) => {}
        }
    }
    found
}

/// The files in a folder whose names have this suffix. Drafts, whose names begin with a dot, are left out.
fn names(folder: &Folder, suffix: &str) -> Vec<OsString> {
    let mut names = folder.names(MOST).unwrap_or_default();
    names.retain(|name| {
        let name = name.as_encoded_bytes();
        name.ends_with(suffix.as_bytes()) && !name.starts_with(b".")
    });
    names.sort();
    names
}

/// The records in a folder of all records: of one unit, or of all.
fn read_all(path: &Path, unit: Option<&OsStr>) -> Vec<Value> {
    let found = folders(path, unit);
    let records = found
        .folders
        .iter()
        .flat_map(|(_, folder)| names(folder, SUFFIX).into_iter().filter_map(|name| read(folder, &name)));
    records.collect()
}

fn kept(record: &Value) -> Option<GateRecord> {
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(|text| escape(text).into_owned());
    let moment = |key: &str| {
        let micros = record.get(key).and_then(Value::as_u64)?;
        Some(Moment::after_boot(Duration::from_micros(micros)))
    };
    let (gave_up, last) = (moment("gave-up-usec"), moment("last-gave-up-usec"));
    Some(GateRecord {
        gate: text("gate")?,
        source: text("source")?,
        status: text("status").unwrap_or_default(),
        ready: record.get("state").and_then(Value::as_str).map(|state| state == READY),
        gave_up_at: gave_up.or(last).map(|at| LocalTime::of(at).text()),
        ready_later: gave_up.is_none() && last.is_some(),
    })
}

/// The directory that has the folder of all records.
fn base() -> Option<PathBuf> {
    let identity = Identity::of_process();
    if identity.is_user() { identity.runtime } else { Some(PathBuf::from("/run")) }
}

fn read(folder: &Folder, name: &OsStr) -> Option<Value> {
    serde_json::from_slice(&folder.read(name, LARGEST).ok()?).ok()
}

/// The identifier of this boot, as records have it.
pub fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use serde_json::json;

    use super::*;
    use crate::history::GateWord;

    /// The text of a record of this boot.
    fn record(gate: &str) -> String {
        json!({"gate": gate, "source": "/s", "pid": 1, "boot-id": boot_id(), "status": "Ready\nREADY=1"})
            .to_string()
    }

    fn gates(folder: &Path) -> Vec<String> {
        of_this_boot(folder).into_iter().map(|kept| kept.gate).collect()
    }

    /// Writes a file with one event of a gate.
    fn events(folder: &Path, gate: &str, boot: &str) {
        let header = events::Header {
            boot: boot.to_owned(),
            gate: gate.to_owned(),
            pid: 1,
            version: "0".to_owned(),
            since: crate::moment::Moment::default(),
        };
        let folder = Some(Folder::open_own(folder).unwrap());
        let place = Place { folder, problem: None, stem: gate.to_owned(), of_unit: true };
        events::Writer::at(place, header, None).append("{}\n");
    }

    fn found(path: &Path) -> (Vec<(Option<String>, String)>, Vec<String>) {
        let mut all = Histories::default();
        histories_in(path, Scope::System, "this", &mut all);
        let gates = all.gates.iter().map(|gate| (gate.unit.clone(), gate.gate.clone())).collect();
        (gates, all.hidden)
    }

    #[test]
    fn events_are_read_of_units_and_of_runs_by_hand() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("netready@b")).unwrap();
        events(place.path(), "a", "this");
        events(&at("netready@b"), "b", "this");
        events(place.path(), "old", "other");
        symlink("a.events", at("link.events")).unwrap();
        nix::unistd::mkfifo(&at("fifo.events"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        fs::write(at("huge.events"), vec![b'x'; 1 << 20]).unwrap();
        fs::copy(at("a.events"), at(".hidden.events")).unwrap();
        let a = (None, "a".to_owned());
        let b = (Some("netready@b".to_owned()), "b".to_owned());
        assert_eq!(found(place.path()), (vec![a.clone(), b], vec![]));
        fs::set_permissions(at("netready@b"), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(found(place.path()), (vec![a], vec![]), "everybody can write to the unit's folder");
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(found(place.path()), (vec![], vec![]));
    }

    #[test]
    #[ignore = "needs root"]
    fn a_unit_whose_folder_cannot_be_opened_is_listed_as_hidden() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // systemd makes this layout if a unit has DynamicUser= and a runtime directory that is preserved.
        let private = place.path().join("private");
        fs::create_dir_all(private.join("netready")).unwrap();
        fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
        events(&private.join("netready"), "default", "this");
        let all = place.path().join("all");
        fs::create_dir(&all).unwrap();
        symlink("../private/netready", all.join("netready")).unwrap();
        let unit = "netready".to_owned();
        assert_eq!(found(&all), (vec![(Some(unit.clone()), "default".to_owned())], vec![]));
        // This changes the user of this thread only.
        nix::unistd::setfsuid(65534.into());
        let of_another_user = found(&all);
        nix::unistd::setfsuid(0.into());
        assert_eq!(of_another_user, (vec![], vec![unit]));
    }

    #[test]
    fn files_that_are_not_records_are_skipped() {
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
        assert_eq!(kept[0].ready, None, "the state is not derived from a text");
    }

    #[test]
    fn a_record_tells_whether_the_gate_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let own = Some(Folder::open_own(folder.path()).unwrap());
        let record =
            Record { place: Place { folder: own, problem: None, stem: "a".to_owned(), of_unit: false } };
        let gate = crate::config::parse("a", "/s", "[[require]]\nroute = \"default\"\n").unwrap();
        let mut snapshot = Snapshot::new(&gate, "0", 0, None, crate::clock::now());
        for state in GateWord::ALL {
            snapshot.state = *state;
            let ready = *state == GateWord::Ready;
            record.write(&snapshot, "Ready, says this text");
            let records = of_this_boot(folder.path());
            assert_eq!(records[0].ready, Some(ready), "{state:?}");
        }
        let at = Some(crate::clock::now());
        for (gave_up, last, told, later) in
            [(None, None, false, false), (at, at, true, false), (None, at, true, true)]
        {
            (snapshot.gave_up, snapshot.last_gave_up) = (gave_up, last);
            record.write(&snapshot, "");
            let found = &of_this_boot(folder.path())[0];
            assert_eq!((found.gave_up_at.is_some(), found.ready_later), (told, later));
        }
    }

    #[test]
    fn records_in_a_folder_that_others_can_write_to_are_ignored() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("unit")).unwrap();
        fs::write(at("a.json"), record("a")).unwrap();
        fs::write(at("unit/b.json"), record("b")).unwrap();
        assert_eq!(gates(place.path()), ["a", "b"]);
        fs::set_permissions(at("unit"), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(gates(place.path()), ["a"], "everybody can write to the unit's folder");
        fs::set_permissions(at("unit"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(gates(place.path()).is_empty(), "everybody can write to the folder");
    }

    #[test]
    #[ignore = "needs root"]
    fn records_that_another_user_owns_are_ignored() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("unit")).unwrap();
        fs::write(at("a.json"), record("a")).unwrap();
        fs::write(at("unit/b.json"), record("b")).unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // systemd does this for DynamicUser=: root owns the link, and the unit's user owns the folder.
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
