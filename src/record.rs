//! What a `run` leaves behind for others to read: which gate it keeps, and how it stands. Nothing
//! depends on it; where it cannot be written, nothing is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tracing::debug;

/// Where `run` keeps its record.
#[derive(Debug)]
pub struct Record {
    path: Option<PathBuf>,
    /// Started by a service manager, which may have started an earlier one.
    of_unit: bool,
}

/// Another `run`'s record.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    /// The gate.
    pub gate: String,
    /// Where it was read.
    pub source: String,
    /// What STATUS= said last.
    pub status: String,
    /// The time of day at which a `run` of it gave up in this boot.
    pub gave_up_at: Option<String>,
}

/// The folder of all records, below /run or $XDG_RUNTIME_DIR.
pub const FOLDER: &str = "netready-record";

impl Record {
    /// `$RUNTIME_DIRECTORY/GATE.json` in a unit, else in the folder of all records.
    pub fn of(gate: &str) -> Record {
        let directory = std::env::var_os("RUNTIME_DIRECTORY").and_then(|list| {
            // systemd.exec(5): several are separated by colons.
            let mut directories = std::env::split_paths(&list).collect::<Vec<_>>().into_iter();
            directories.find(|path| path.components().any(|part| part.as_os_str() == FOLDER))
        });
        let of_unit = directory.is_some();
        let directory = directory.or_else(folder);
        let name = format!("{}.json", gate.replace('/', "-"));
        Record { path: directory.map(|directory| directory.join(name)), of_unit }
    }

    /// The time of day at which the last `run` of this unit gave up, if it did so since boot.
    pub fn gave_up_at(&self) -> Option<String> {
        let path = self.path.as_ref().filter(|_| self.of_unit)?;
        let record = read(path)?;
        let this_boot = record.get("boot-id").and_then(Value::as_str)? == boot_id()?;
        let at = record.get("gave-up-at").and_then(Value::as_str)?;
        this_boot.then(|| at.to_owned())
    }

    /// Writes how it stands.
    pub fn write(&self, gate: &str, source: &str, status: &str, gave_up_at: Option<&str>) {
        let Some(path) = &self.path else { return };
        let record = json!({
            "gate": gate,
            "source": source,
            "pid": std::process::id(),
            "boot-id": boot_id(),
            "status": status,
            "gave-up-at": gave_up_at,
        });
        if let Err(error) = replace(path, &record.to_string()) {
            debug!("{}: {error}", path.display());
        }
    }
}

/// What the caller's own netready.service keeps, if it runs.
pub fn of_service() -> Option<Kept> {
    let folder = folder()?.join("netready");
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let mut records = entries.filter_map(|entry| read(&entry.path()));
    records.find_map(|record| {
        let pid = record.get("pid").and_then(Value::as_u64)?;
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (comm.trim_end() == "netready").then(|| kept(&record)).flatten()
    })
}

/// The records of this boot in a folder of all records.
pub fn of_this_boot(folder: &Path) -> Vec<Kept> {
    let boot = boot_id();
    let of =
        |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = of(folder.to_owned())
        .flat_map(|path| match path.is_dir() {
            true => of(path).collect(),
            false => vec![path],
        })
        .collect();
    paths.sort();
    let records = paths.iter().filter_map(|path| read(path));
    let fresh = records.filter(|record| record.get("boot-id").and_then(Value::as_str) == boot.as_deref());
    fresh.filter_map(|record| kept(&record)).collect()
}

fn kept(record: &Value) -> Option<Kept> {
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Kept {
        gate: text("gate")?,
        source: text("source")?,
        status: text("status").unwrap_or_default(),
        gave_up_at: text("gave-up-at"),
    })
}

fn folder() -> Option<PathBuf> {
    match nix::unistd::geteuid().is_root() && std::env::var_os("MANAGERPID").is_none() {
        true => Some(Path::new("/run").join(FOLDER)),
        false => std::env::var_os("XDG_RUNTIME_DIR").map(|path| Path::new(&path).join(FOLDER)),
    }
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// All or nothing: a reader never sees half of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, text)?;
    std::fs::rename(temporary, path)
}

fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_owned())
}
