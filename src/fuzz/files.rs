//! Files that others may have written: quadlets, and what `run` and the journal keep.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use netready_core::snapshot::Snapshot;
use netready_core::{history, overview, timeline};

use super::assert_printable;
use crate::generator::{self as generators, UnitPaths};
use crate::moment::Moment;
use crate::overview::{KeptGate, Overview};
use crate::quadlet::{self as quadlets, Directory, Manager, Plan, QuadletInput, Source, WaitUnit};
use crate::record::{events, journalctl};

const NOW: Moment = Moment::after_boot(std::time::Duration::from_secs(1000));

/// Files in a text. A line `== PATH` begins a file, and `== PATH -> TARGET` is a symbolic link.
fn tree(data: &[u8]) -> Vec<(String, Option<String>, Vec<u8>)> {
    let mut files: Vec<(String, Option<String>, Vec<u8>)> = Vec::new();
    for line in data.split_inclusive(|octet| *octet == b'\n') {
        if let Some(path) = line.strip_prefix(b"== ") {
            let path = String::from_utf8_lossy(path).trim_end().to_owned();
            let (path, target) = match path.split_once(" -> ") {
                Some((path, target)) => (path.to_owned(), Some(target.to_owned())),
                None => (path, None),
            };
            files.push((path, target, Vec::new()));
        } else if let Some((_, _, text)) = files.last_mut() {
            text.extend(line);
        }
    }
    files
}

/// What is written is a unit file, of a name that stays in its folder.
fn assert_sound(plan: &Plan) {
    let mut names = BTreeSet::new();
    for drop_in in &plan.drop_ins {
        let path = drop_in.path();
        assert!(names.insert(path.clone()), "{path} twice");
        assert!(!path.starts_with(['/', '.']) && path.split('/').count() == 2, "{path}");
        assert!(drop_in.text.starts_with("# Made by netready-generator"), "{}", drop_in.text);
        assert_printable(&drop_in.text);
        let read = quadlets::unit_file::read("d", &drop_in.text);
        assert!(read.is_ok(), "{}", drop_in.text);
        for entry in read.unwrap().entries {
            let known =
                ["Wants", "After", "PartOf", "ExecStartPre", "ExecStart", "TimeoutStartSec", "NotifyAccess"];
            assert!(known.contains(&entry.key.as_str()), "{}", drop_in.text);
        }
    }
    for unit in &plan.units {
        assert!(names.insert(unit.name.clone()) && !unit.name.contains('/'), "{}", unit.name);
        assert!(quadlets::unit_file::read("u", &unit.text).is_ok(), "{}", unit.text);
    }
    plan.problems.iter().for_each(|problem| assert_printable(&problem.to_string()));
}

/// A folder of quadlets, without a disk. The first octet says for whom.
pub fn quadlet(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let mut directory = Directory::default();
    for (path, _, text) in tree(rest) {
        let source = Source { path: path.clone(), text: String::from_utf8_lossy(&text).into_owned() };
        match path.split_once('/') {
            Some((folder, name)) => {
                directory.drop_ins.entry(folder.to_owned()).or_default().insert(name.to_owned(), source);
            }
            None if quadlets::Kind::of(&path).is_some() => {
                directory.quadlets.insert(path, source);
            }
            None => {}
        }
    }
    let wait_unit = [WaitUnit::Absent, WaitUnit::Gated, WaitUnit::Replaced][usize::from(choice / 2 % 3)];
    let input = QuadletInput {
        manager: if choice % 2 == 0 { Manager::User } else { Manager::System },
        wait_unit,
        netready: "/usr/bin/netready".to_owned(),
        directories: vec![directory],
        taken: BTreeSet::new(),
        waiting: Vec::new(),
    };
    let plan = quadlets::plan(&input);
    assert_sound(&plan);
    assert_eq!(quadlets::plan(&input), plan);
}

/// A path below the folder, whatever the text says.
fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    let steps = Path::new(path).components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let path: PathBuf = steps.take(6).collect();
    (!path.as_os_str().is_empty() && !path.to_str()?.contains('\0')).then(|| folder.join(path))
}

/// A folder that is removed with all that is in it. The crate tempfile is there for tests only.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        // In memory, if there is such a folder: a disk is twenty times as slow.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = folder.join(format!("netready-fuzz-{:x}", crate::chance::chance().to_bits()));
        fs::create_dir(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A whole tree on the disk, as the generator finds it. It changes nothing but its output, and says the same twice.
pub fn generator(data: &[u8]) {
    let scratch = Scratch::new();
    let config = scratch.0.join("config");
    let quadlets = config.join("containers/systemd");
    fs::create_dir_all(&quadlets).unwrap();
    fs::create_dir_all(scratch.0.join("units")).unwrap();
    for (path, target, text) in tree(data).into_iter().take(64) {
        let unit = path.strip_prefix("units/").map(|name| below(&scratch.0.join("units"), name));
        let Some(path) = unit.unwrap_or_else(|| below(&quadlets, &path)) else { continue };
        // What is in the way stays: the tree is as odd as the text.
        let _ = fs::create_dir_all(path.parent().unwrap());
        let _ = match target.and_then(|target| below(&quadlets, &target)) {
            Some(target) => std::os::unix::fs::symlink(target, path),
            None => fs::write(path, text),
        };
    }
    let paths = UnitPaths {
        manager: Manager::User,
        uid: nix::unistd::geteuid().as_raw(),
        netready: "/usr/bin/netready".to_owned(),
        runtime: None,
        config: Some(config),
        units_above: Vec::new(),
        units_below: vec![scratch.0.join("units")],
    };
    let normal = scratch.0.join("normal");
    let before = state(&quadlets);
    let plan = quadlets::plan(&generators::input(&paths, &mut assert_printable));
    assert_sound(&plan);
    for _ in 0..2 {
        generators::write(&plan, &normal, &mut |message| panic!("{message}"));
    }
    assert_eq!(state(&quadlets), before, "nothing of others is changed");
    for (path, text) in generators::files(&plan) {
        assert_eq!(fs::read_to_string(normal.join(&path)).unwrap(), text, "{path}");
    }
}

/// The names and sizes of all that is below a folder.
fn state(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let meta = entry.path().symlink_metadata().unwrap();
        if meta.is_dir() {
            found.extend(state(&entry.path()));
        }
        found.push((entry.path(), meta.len()));
    }
    found.sort();
    found
}

/// A file of events, its lines, and a record.
pub fn record(data: &[u8]) {
    let (runs, _) = events::runs(data);
    let _ = events::past(data, "boot");
    let lines = runs.iter().flat_map(|run| run.lines.iter().map(String::as_str));
    let text = String::from_utf8_lossy(data);
    let events: Vec<history::Event> = lines.chain(text.lines()).filter_map(history::read).collect();
    for event in &events {
        let line = history::line(event);
        assert!(line.ends_with('\n') && line.lines().count() == 1, "{line:?}");
        let again = history::read(line.trim_end());
        assert_eq!(again.as_ref().map(history::line), Some(line), "{event:?}");
    }
    for run in timeline::runs(events) {
        if let Some(timeline) = timeline::Timeline::of(&run, None, &[]) {
            let _ = (timeline.outcome(), timeline.longest(), timeline.lost(&|_| Default::default()));
        }
    }
    if let Some(snapshot) = serde_json::from_slice(data).ok().as_ref().and_then(Snapshot::read) {
        let gate = KeptGate { snapshot, user: None, unit: None, pid: 1, running: true };
        let overview = Overview { gates: vec![gate], ..Overview::default() };
        assert_printable(&overview::status_table(&overview, NOW, &|_| "then".to_owned(), |_, word| {
            word.to_owned()
        }));
        let _ = overview::status_json(&overview, &|_| "then".to_owned());
    }
}

/// What journalctl prints.
pub fn journal(data: &[u8]) {
    for line in String::from_utf8_lossy(data).lines() {
        journalctl::understand(line);
    }
}
