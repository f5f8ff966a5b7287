//! `pull`, the generator and `doctor --fix`: what they write is whole or is not there, whatever fails, and they say what
//! they could not do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::campaign::{End, Running, Trial, campaign, is_honest_error};
use crate::interposer::Fault;
use crate::stage::{Stage, anew};

/// Writes a script. Another process writes it: while this process has a file open for writing, a child of another test
/// may inherit the descriptor, and then nobody can execute the file (ETXTBSY).
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let write = ["-c", "printf '#!/bin/sh\\n%s' \"$1\" >\"$0\" && chmod 755 \"$0\""];
    assert!(Command::new("sh").args(write).arg(path).arg(text).status().unwrap().success());
}

/// The first attempt fails, the second one pulls.
#[test]
#[ignore = "needs a network namespace"]
fn pull() {
    const REFUSED: &str = "Error: initializing source docker://r.example/a:1: pinging container registry r.example: \
        Get \"https://r.example/v2/\": dial tcp 192.0.2.7:443: connect: connection refused";
    let stage = Stage::new();
    let (pulled, tmp) = (stage.path("pulled"), stage.path("tmp"));
    // The shell's own calls are failed as well, so it has few of them.
    script(
        &stage.path("podman"),
        &format!(
            "case $1 in image) exit 1;; esac\nif test -e {n}; then echo x >{pulled}; exit; fi\n\
             echo x >{n}\necho '{REFUSED}' >&2\nexit 125\n",
            n = stage.path("n").display(),
            pulled = pulled.display(),
        ),
    );
    campaign("pull", &[(libc::SYS_waitid, libc::EINTR)], &|trial| {
        anew(&tmp);
        for file in ["n", "pulled"] {
            let _ = fs::remove_file(stage.path(file));
        }
        let mut command =
            stage.netready(&["pull", "--delay=5ms", "--gate=none", "--stall-timeout=4s", "r.example/a:1"]);
        command.arg("--tool").arg(stage.path("podman")).env("TMPDIR", &tmp);
        let mut running = trial.start(command);
        let end = running.end()?;
        match end {
            End::Code(0) if pulled.exists() => {}
            // A shell that cannot read its script ends as if the script were empty: the stand-in says that it has the image.
            End::Code(0) if matches!(trial.failing(), Some((call, _)) if call.number == libc::SYS_read) => {}
            End::Code(0) => return Err("exit code 0, and nothing was pulled".to_owned()),
            // The stand-in itself was failed: its exit code is passed on.
            end => is_honest_error(end, &[1, 2, 124, 125, 126, 127, 137], &running.said(), trial)?,
        }
        // The guardian outlives a netready that its runtime ends at once, and removes the folder a moment later.
        if matches!(end, End::Signal(_)) {
            trial.until_all_have_ended();
        }
        let left: Vec<_> = fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().path()).collect();
        let said = running.stderr();
        if left.is_empty() || said.contains("could not be removed") || trial.may_leave() {
            Ok(())
        } else {
            Err(format!("temporary files are left, and nobody says so: {left:?}"))
        }
    });
}

fn written(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(written(&path));
        } else {
            files.insert(path.display().to_string(), fs::read_to_string(&path).unwrap());
        }
    }
    files
}

/// Quadlets of a user, with gates of their own, and a unit that waits for Podman's wait unit.
#[test]
#[ignore = "needs a network namespace"]
fn generator() {
    let stage = Stage::new();
    let quadlets = stage.path("home/.config/containers/systemd");
    for (name, text) in [
        ("app.container", "[Container]\nImage=docker.io/library/app:1\n"),
        ("web@.container", "[Container]\nImage=docker.io/library/web:1\n[X-Netready]\nGate=options\n"),
        ("sub/db.container", "[Container]\nImage=docker.io/library/db:1\nNetwork=none\n"),
        ("app.container.d/10.conf", "[X-Netready]\nPullRetry=3\n"),
        ("all.pod", "[Pod]\n"),
    ] {
        let path = quadlets.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for (name, text) in [
        ("podman-user-wait-network-online.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
        (
            "own.service",
            "[Unit]\nAfter=podman-user-wait-network-online.service\n[Service]\nExecStart=/bin/true\n",
        ),
    ] {
        fs::create_dir_all(stage.path("units")).unwrap();
        fs::write(stage.path("units").join(name), text).unwrap();
    }
    let normal = stage.path("normal");
    let start = |trial: &mut Trial| {
        anew(&normal);
        let mut command = Command::new(env!("CARGO_BIN_EXE_netready-generator"));
        command
            .args([&normal, &stage.path("early"), &stage.path("late")])
            .env_clear()
            .env("SYSTEMD_SCOPE", "user")
            .env("HOME", stage.path("home"))
            .env("XDG_RUNTIME_DIR", stage.path("run"))
            .env("SYSTEMD_UNIT_PATH", format!("{}:{}", normal.display(), stage.path("units").display()));
        trial.start(command)
    };
    let wanted = std::cell::OnceCell::new();
    campaign(
        "generator",
        &[(libc::SYS_openat, libc::EIO), (libc::SYS_getdents64, libc::EIO), (libc::SYS_readlink, libc::EIO)],
        &|trial| {
            let mut running: Running = start(trial);
            match running.end()? {
                End::Code(0) => {}
                // It ended before it began.
                end => return is_honest_error(end, &[], &running.said(), trial),
            }
            let files = written(&normal);
            // The first telling is the one without a fault.
            let wanted = wanted.get_or_init(|| files.clone());
            assert!(wanted.len() > 1, "{wanted:?}");
            for (path, text) in &files {
                if !text.starts_with("# Made by netready-generator") || !text.ends_with('\n') {
                    return Err(format!("{path} is not whole: {text:?}"));
                }
            }
            // What is not there, or cannot be read by the service manager either, is no error.
            let is_absence = matches!(
                trial.failing(),
                Some((_, Fault::Error(libc::ENOENT | libc::EACCES | libc::ELOOP | libc::EROFS)))
            );
            if files != *wanted && running.stderr().is_empty() && !is_absence {
                let lost: Vec<_> =
                    wanted.iter().filter(|(path, text)| files.get(*path) != Some(text)).collect();
                return Err(format!("without a word it wrote something else: {lost:#?} became {files:#?}"));
            }
            Ok(())
        },
    );
}

/// Podman 5.4.2's: six containers on two networks, and one lease that leaked at boot.
const NETWORKS: &[u8] = include_bytes!("../../../src/ipam/tests/networks.db");
/// Those of the six that exist.
const EXIST: [&str; 4] = [
    "0eebf4178c8cea329b06ce7ee3380dbb819560f6a4ff3bba7d478e69e5eb4e89",
    "1c2831ff572d378dc5c4eedf5ca8678ff9ad27ed35487879101067b3d07f87f2",
    "c213160a45a98098dac6d604f0a347d3d8c1620af1449d7484394744663c555a",
    "d5b8f22bfc111e981072827956e47efc7946c18f5862276f1d04ab4b74c3d743",
];

/// The database of root's leases; /run is the stage's own.
const DATABASE: &str = "/run/containers/networks/ipam.db";

/// Afterwards the database is the one from before, or the mended one: never a damaged one.
#[test]
#[ignore = "needs a network namespace"]
fn doctor_fix() {
    let stage = Stage::new();
    stage.up();
    let database = Path::new(DATABASE);
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    let list = EXIST.map(|id| format!("{{\"Id\":\"{id}\",\"Names\":[\"{id:.4}\"],\"State\":\"running\"}}"));
    script(
        &stage.path("bin/podman"),
        &format!(
            "case $2 in info) echo false false /run/containers ;; ps) echo '[{}]' ;; esac\n",
            list.join(",")
        ),
    );
    // In a process namespace of its own it looks only through its own processes, whatever else runs on this machine.
    let doctor = |words: &[&str]| {
        let mut command = Command::new("/usr/bin/unshare");
        command
            .args(["--pid", "--fork", "--mount-proc", "--", env!("CARGO_BIN_EXE_netready"), "doctor"])
            .args(words)
            .env_clear()
            .env("HOME", stage.path("home"))
            .env("PATH", stage.path("bin"));
        command
    };
    let mended = std::cell::OnceCell::new();
    campaign("doctor --fix", &[(libc::SYS_flock, libc::EWOULDBLOCK)], &|trial| {
        fs::write(database, NETWORKS).unwrap();
        let mut running = trial.start(doctor(&["--fix", "--yes", "--json"]));
        let end = running.end()?;
        if end != End::Code(0) {
            // 126: unshare(1) could not execute it.
            is_honest_error(end, &[1, 2, 3, 4, 126], &running.said(), trial)?;
        }
        // unshare(1) may have ended before doctor did.
        trial.until_all_have_ended();
        // As the telling without a fault has left it, or as it was, and doctor says so.
        let after = fs::read(database).unwrap();
        if mended.get() == Some(&after) || (after == NETWORKS && end != End::Code(0)) {
            return Ok(());
        }
        // Otherwise, without a fault: what is there now? That takes doctor a second.
        let look = doctor(&["-q"]).output().unwrap();
        let found = String::from_utf8_lossy(&look.stdout).into_owned();
        let leaked = found.lines().filter(|line| line.starts_with("lease-leaked")).count();
        if leaked != 3 && after == NETWORKS {
            return Err(format!("the look does not see what is in the file: {found}"));
        }
        if trial.failing().is_none() {
            mended.get_or_init(|| after);
        }
        match (end, leaked, found.contains("leases-damaged")) {
            (_, _, true) => Err(format!("the database is damaged: {found}")),
            (End::Code(0), 0, _) => Ok(()),
            // Where there is no database or no Podman, there is nothing to free.
            (End::Code(0), 3, _) if trial.is_absence() => Ok(()),
            (End::Code(0), leaked, _) => Err(format!("exit code 0, and {leaked} networks are as before")),
            // All or nothing.
            (_, 0 | 3, _) => Ok(()),
            (_, leaked, _) => Err(format!("half of it was done: {leaked} of 3 networks are as before")),
        }
    });
}
