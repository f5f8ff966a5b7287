//! The gates that `run`s on this host keep: the record of each, brought up to date by later events, and whether its
//! process is alive.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::geteuid;
use serde_json::Value;

use super::{SUFFIX, Scope, all_folders, boot_id, events, folders, names, read};
use crate::files::Folder;
use crate::history;
use crate::overview::KeptGate;
use crate::platform::proc;
use crate::snapshot::Snapshot;

/// The gates of this boot, of the system and of the caller.
#[derive(Debug, Default)]
pub struct Kept {
    /// The system's gates first, sorted by name. Among gates of the same name, one whose process lives comes first,
    /// and then a unit's before one that was started by hand.
    pub gates: Vec<KeptGate>,
    /// Units whose records the caller may not read, without `.service`; escaped for printing.
    pub hidden: Vec<String>,
}

/// Reads all records that the caller may read.
pub fn kept() -> Kept {
    let mut kept = Kept::default();
    for (path, scope) in all_folders() {
        kept_in(&path, scope, &boot_id().unwrap_or_default(), &mut kept);
    }
    kept
}

fn kept_in(path: &Path, scope: Scope, boot: &str, kept: &mut Kept) {
    let found = folders(path, None);
    kept.hidden.extend(found.hidden);
    let user = match scope {
        Scope::System => None,
        Scope::User => Some(geteuid().as_raw()),
    };
    for (unit, folder) in &found.folders {
        for name in names(folder, SUFFIX) {
            let Some((snapshot, pid)) = snapshot(folder, &name, boot) else { continue };
            let running = proc::is_running(pid, snapshot.started);
            kept.gates.push(KeptGate { snapshot, user, unit: unit.clone(), pid, running });
        }
    }
    kept.gates.sort_by(|one, other| {
        let key =
            |gate: &KeptGate| (gate.user, gate.snapshot.gate.clone(), !gate.running, gate.unit.is_none());
        key(one).cmp(&key(other))
    });
}

/// Reads a record of this boot and applies the events that its process wrote after it. Also returns the number of
/// that process.
fn snapshot(folder: &Folder, name: &OsStr, boot: &str) -> Option<(Snapshot, u32)> {
    let record = read(folder, name)?;
    if record.get("boot-id").and_then(Value::as_str) != Some(boot) {
        return None;
    }
    let mut snapshot = Snapshot::read(&record)?;
    let pid = u32::try_from(record.get("pid").and_then(Value::as_u64)?).ok()?;
    let mut events = OsString::from(OsStr::from_bytes(name.as_bytes().strip_suffix(SUFFIX.as_bytes())?));
    events.push(events::SUFFIX);
    let octets = folder.read(&events, events::LARGEST).unwrap_or_default();
    let (runs, _) = events::runs(&octets);
    let of_process = runs.iter().rev().find(|run| run.header.boot == boot && run.header.pid == pid);
    for event in of_process.iter().flat_map(|run| &run.lines).filter_map(|line| history::read(line)) {
        snapshot.follow(&event);
    }
    Some((snapshot, pid))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::clock;
    use crate::history::{Cause, Code, Event, GateChange, GateWord, What};
    use crate::moment::Moment;
    use crate::verdict::ReasonCode;

    fn found(path: &Path) -> Vec<String> {
        let mut kept = Kept::default();
        kept_in(path, Scope::System, "this", &mut kept);
        let lines = kept.gates.iter().map(|gate| {
            let unit = gate.unit.as_deref().unwrap_or("by hand");
            format!("{} {unit} {} {}", gate.snapshot.gate, gate.state().as_str(), gate.snapshot.what)
        });
        lines.collect()
    }

    #[test]
    fn a_record_is_brought_up_to_date_by_the_events_of_its_process() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let me = std::process::id();
        let write = |folder: &Path, name: &str, pid: u32, boot: &str| {
            let gate = crate::config::parse(name, "/s", "[[require]]\nroute = \"default\"\n").unwrap();
            let mut record = Snapshot::new(&gate, "0", 0, None, clock::now()).fields();
            record.insert("pid".to_owned(), pid.into());
            record.insert("boot-id".to_owned(), boot.into());
            fs::write(folder.join(format!("{name}.json")), Value::Object(record).to_string()).unwrap();
        };
        let unit = place.path().join("netready@a");
        fs::create_dir(&unit).unwrap();
        write(place.path(), "a", me, "this");
        write(&unit, "a", me, "this");
        write(place.path(), "b", me, "another");
        write(place.path(), "c", 0, "this");
        fs::write(place.path().join("d.json"), "{}").unwrap();
        assert_eq!(
            found(place.path()),
            ["a netready@a waiting ", "a by hand waiting ", "c by hand stopped "]
        );

        let noted = |pid: u32, boot: &str, text: &str| {
            let header = events::Header {
                boot: boot.to_owned(),
                gate: "a".to_owned(),
                pid,
                version: "0".to_owned(),
                since: Moment::default(),
            };
            let text = text.to_owned();
            let reason = Some(Cause { code: Code::Known(ReasonCode::Absent), text, link: None });
            let change = GateChange { state: GateWord::Settling, by: None, reason, met_by: None };
            let event = Event { at: clock::now() + Duration::from_secs(1), what: What::Gate(change) };
            let folder = Some(Folder::open_own(place.path()).unwrap());
            let place = super::super::Place { folder, problem: None, stem: "a".to_owned(), of_unit: false };
            events::Writer::at(place, header, None).append(&history::line(&event));
        };
        noted(me, "this", "of this process");
        noted(me + 1, "this", "of a later one");
        assert_eq!(
            found(place.path()),
            ["a netready@a waiting ", "a by hand settling of this process", "c by hand stopped "]
        );
    }
}
