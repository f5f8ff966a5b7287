//! The unit files, as systemd itself reads and judges them.
//!
//! Each is copied with ExecStart= pointing at the built binary and checked in a unit path of its own, so
//! that nothing of the machine's other units is reported here.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at what it did not expect, its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const INSTALLED: &str = "/usr/bin/netready";
const BUILT: &str = env!("CARGO_BIN_EXE_netready");

/// Units that ours name or systemd implies, empty: all that verify needs to know is that they exist.
const NEIGHBOURS: [&str; 5] =
    ["basic.target", "network-online.target", "network-pre.target", "shutdown.target", "sysinit.target"];

#[derive(Clone, Copy, PartialEq)]
enum Manager {
    System,
    User,
}

struct Unit {
    manager: Manager,
    name: &'static str,
    /// At most this, as `systemd-analyze security` counts.
    exposure: f64,
}

const UNITS: [Unit; 4] = [
    Unit { manager: Manager::System, name: "netready.service", exposure: 1.6 },
    Unit { manager: Manager::System, name: "netready@.service", exposure: 1.6 },
    Unit { manager: Manager::User, name: "netready.service", exposure: 2.0 },
    Unit { manager: Manager::User, name: "netready@.service", exposure: 2.0 },
];

impl Unit {
    fn text(&self) -> String {
        let folder = match self.manager {
            Manager::System => "systemd/system",
            Manager::User => "systemd/user",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(self.name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn lines(&self) -> Vec<String> {
        let text = self.text();
        text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
    }
}

/// A unit path with this unit, its neighbours and a runtime directory; gone when dropped.
struct Sandbox {
    folder: tempfile::TempDir,
    unit: PathBuf,
}

impl Sandbox {
    fn of(unit: &Unit) -> Sandbox {
        let folder = tempfile::tempdir().unwrap();
        for neighbour in NEIGHBOURS {
            fs::write(folder.path().join(neighbour), format!("[Unit]\nDescription={neighbour}\n")).unwrap();
        }
        let text = unit.text();
        let changed = text.replace(INSTALLED, BUILT);
        assert_ne!(changed, text, "{}: ExecStart= is not {INSTALLED}", unit.name);
        let path = folder.path().join(unit.name);
        fs::write(&path, changed).unwrap();
        Sandbox { folder, unit: path }
    }

    fn analyze(&self, manager: Manager, arguments: &[&str]) -> Output {
        let mut command = Command::new("systemd-analyze");
        command.env("SYSTEMD_UNIT_PATH", self.folder.path()).env("LC_ALL", "C.UTF-8");
        if manager == Manager::User {
            command.arg("--user").env("XDG_RUNTIME_DIR", self.folder.path());
        }
        command.args(arguments).arg(&self.unit).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// An unknown setting is only a printed line, so any line is a failure.
#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_understands_every_line() {
    for unit in &UNITS {
        let sandbox = Sandbox::of(unit);
        // Without --man=no it asks man(1) for the pages of Documentation=, which are installed later.
        let output = sandbox.analyze(unit.manager, &["verify", "--man=no"]);
        assert!(
            output.status.success() && said(&output).is_empty(),
            "{}: {}\n{}",
            sandbox.unit.display(),
            output.status,
            said(&output)
        );
    }
}

/// That the test above would see a bad line.
#[test]
#[ignore = "needs systemd-analyze"]
fn verify_reports_what_systemd_does_not_know() {
    for unit in &UNITS {
        let sandbox = Sandbox::of(unit);
        let text = fs::read_to_string(&sandbox.unit).unwrap();
        fs::write(&sandbox.unit, text.replace("[Service]\n", "[Service]\nNoSuchSetting=yes\n")).unwrap();
        let output = sandbox.analyze(unit.manager, &["verify"]);
        assert!(said(&output).contains("NoSuchSetting"), "{}", said(&output));
    }
}

#[test]
#[ignore = "needs systemd-analyze"]
fn the_sandbox_is_tight() {
    for unit in &UNITS {
        let sandbox = Sandbox::of(unit);
        // The judgement of a file, not of what this machine's manager has loaded; always the system
        // view, which counts a user unit as root's.
        let output = sandbox.analyze(Manager::System, &["security", "--offline=true", "--no-pager"]);
        let said = said(&output);
        let left: Vec<&str> = said.lines().filter(|line| line.starts_with('✗')).collect();
        let overall = said.lines().find(|line| line.contains("Overall exposure level"));
        let exposure = overall
            .and_then(|line| line.split_whitespace().find_map(|word| word.parse::<f64>().ok()))
            .unwrap_or_else(|| panic!("no exposure level in:\n{said}"));
        println!("{}: exposure {exposure}; what is left:\n{}", sandbox.unit.display(), left.join("\n"));
        assert!(
            exposure <= unit.exposure,
            "{}: exposure {exposure}, at most {} is allowed",
            sandbox.unit.display(),
            unit.exposure
        );
    }
}

/// Each drop-in of a page in docs/how-to, over a service of that name, with the gates' units beside it.
#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_understands_the_drop_ins_of_the_pages() {
    let mut tried = 0;
    for (page, block) in ini_blocks() {
        let Some((path, text)) = block.strip_prefix("# ").and_then(|rest| rest.split_once('\n')) else {
            continue;
        };
        let Some(path) = path.strip_prefix("/etc/systemd/system/") else { continue };
        let (folder, _) = path.split_once('/').unwrap();
        let unit = folder.strip_suffix(".d").unwrap_or_else(|| panic!("{page}: {path} is no drop-in"));
        let sandbox = Sandbox::of(&UNITS[1]);
        let service = match unit.ends_with(".mount") {
            true => "[Mount]\nWhat=nas\nWhere=/srv/nas\nType=nfs\n",
            false => "[Service]\nExecStart=/bin/true\n",
        };
        for neighbour in ["system.slice", "-.mount", "srv.mount", "remote-fs-pre.target", "umount.target"] {
            fs::write(sandbox.folder.path().join(neighbour), "").unwrap();
        }
        fs::write(sandbox.folder.path().join(unit), service).unwrap();
        fs::create_dir(sandbox.folder.path().join(folder)).unwrap();
        fs::write(sandbox.folder.path().join(path), text).unwrap();
        let output = Command::new("systemd-analyze")
            .env("SYSTEMD_UNIT_PATH", sandbox.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .args(["verify", "--man=no"])
            .arg(sandbox.folder.path().join(unit))
            .output()
            .unwrap();
        assert!(output.status.success() && said(&output).is_empty(), "{page}: {path}\n{}", said(&output));
        tried += 1;
    }
    assert!(tried >= 8, "the pages show only {tried} drop-ins");
}

/// The blocks of systemd's syntax in the pages, with the page's name.
fn ini_blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for page in glob::glob(docs.join("**/*.md").to_str().unwrap()).unwrap() {
        let page = page.unwrap();
        let text = fs::read_to_string(&page).unwrap();
        let found = text.split("\n```ini\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
        let name = page.strip_prefix(&docs).unwrap().display().to_string();
        blocks.extend(found.map(|block| (name.clone(), block)));
    }
    blocks
}

/// The line for /etc/fstab makes of the mount what the page shows.
#[test]
#[ignore = "needs systemd-analyze"]
fn the_line_for_fstab_makes_the_mount_wait_for_its_gate() {
    let generator = "/usr/lib/systemd/system-generators/systemd-fstab-generator";
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/how-to/mounts.md");
    let page = fs::read_to_string(page).unwrap();
    let line = page.lines().find(|line| line.contains(" nfs ")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let fstab = folder.path().join("fstab");
    fs::write(&fstab, format!("{line}\n")).unwrap();
    let output = Command::new(generator)
        .env("SYSTEMD_FSTAB", &fstab)
        .env("SYSTEMD_PROC_CMDLINE", "")
        .args([folder.path(), folder.path(), folder.path()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let made = fs::read_to_string(folder.path().join("srv-nas.mount")).unwrap();
    let shown = page.split("```console\n$ systemctl cat srv-nas.mount\n").nth(1).unwrap();
    for line in shown.split("```").next().unwrap().lines().filter(|line| line.contains("netready@")) {
        assert!(made.lines().any(|made| made == line), "the mount has no {line}:\n{made}");
    }
}

/// What must stay as it is, whatever else changes in the units.
#[test]
fn the_promises_hold() {
    for unit in &UNITS {
        let lines = unit.lines();
        let has = |line: &str| lines.iter().any(|other| other == line);
        let starts = |start: &str| lines.iter().any(|line| line.starts_with(start));
        for promise in [
            "Documentation=man:netready(1) man:netready.toml(5)",
            "Type=notify",
            "Restart=on-failure",
            "RestartSec=1s",
            "RestartPreventExitStatus=2",
            "StartLimitIntervalSec=0",
            "RuntimeDirectory=netready-record/%N",
            "RestrictAddressFamilies=AF_NETLINK AF_UNIX AF_INET AF_INET6",
        ] {
            assert!(has(promise), "{}: {promise} is missing", unit.name);
        }
        assert!(starts("ExecReload="), "{}: no ExecReload=", unit.name);
        // They pull in mounts and tmpfiles, which may not be there yet.
        for never in ["PrivateTmp=", "StateDirectory=", "CacheDirectory=", "LogsDirectory="] {
            assert!(!starts(never), "{}: {never}", unit.name);
        }
        let system = unit.manager == Manager::System;
        // With a dynamic user, a directory that is kept can be read by root only. A user's own can be kept.
        assert_eq!(starts("RuntimeDirectoryPreserve=yes"), !system, "{}", unit.name);
        for line in ["FileDescriptorStoreMax=1", "Environment=FDSTORE=1"] {
            assert_eq!(has(line), system, "{}: {line}", unit.name);
        }
        if system {
            assert!(has("DefaultDependencies=no"), "{}", unit.name);
            assert!(has("Conflicts=shutdown.target"), "{}", unit.name);
            assert!(has("After=network-pre.target"), "{}", unit.name);
        }
        let gate = match (unit.manager, unit.name) {
            (Manager::System, "netready.service") => "",
            (Manager::User, "netready.service") => " podman",
            _ => " %i",
        };
        assert!(has(&format!("ExecStart={INSTALLED} run{gate}")), "{}: gate{gate}", unit.name);
    }
    let [system, template, ..] = &UNITS;
    let has = |unit: &Unit, line: &str| unit.lines().iter().any(|other| other == line);
    assert!(has(system, "Before=network-online.target shutdown.target"));
    assert!(has(system, "WantedBy=network-online.target"));
    assert!(has(template, "Before=shutdown.target"));
}
