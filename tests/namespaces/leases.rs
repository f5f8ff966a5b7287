//! `doctor --fix` with recorded databases of Podman, and with a Podman that lists what the test says.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use crate::harness::{Netns, Said, UP0, UserManager, write_program};
use crate::netns;

/// A database of Podman 5.4.2: six containers on two networks, and one lease that leaked at boot.
const NETWORKS: &[u8] = include_bytes!("../../src/ipam/tests/networks.db");
/// The containers of these six that exist.
const EXIST: [&str; 4] = [
    "0eebf4178c8cea329b06ce7ee3380dbb819560f6a4ff3bba7d478e69e5eb4e89",
    "1c2831ff572d378dc5c4eedf5ca8678ff9ad27ed35487879101067b3d07f87f2",
    "c213160a45a98098dac6d604f0a347d3d8c1620af1449d7484394744663c555a",
    "d5b8f22bfc111e981072827956e47efc7946c18f5862276f1d04ab4b74c3d743",
];

struct Stage {
    ns: Netns,
    manager: UserManager,
}

impl Stage {
    fn new(ns: Netns) -> Stage {
        let ns = ns.with_private_etc();
        ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0"));
        let manager = UserManager::new(&ns);
        let stage = Stage { ns, manager };
        for folder in ["bin", "run/containers/networks"] {
            fs::create_dir_all(stage.ns.scratch().join(folder)).unwrap();
        }
        fs::write(stage.database(), NETWORKS).unwrap();
        let list =
            EXIST.map(|id| format!("{{\"Id\":\"{id}\",\"Names\":[\"{id:.4}\"],\"State\":\"running\"}}"));
        let runroot = stage.ns.scratch().join("run/containers");
        let script = format!(
            "#!/bin/sh\ncase $2 in info) echo false true {} ;; ps) echo '[{}]' ;; esac\n",
            runroot.display(),
            list.join(",")
        );
        write_program(&stage.ns.scratch().join("bin/podman"), &script);
        stage
    }

    fn database(&self) -> PathBuf {
        self.ns.scratch().join("run/containers/networks/ipam.db")
    }

    /// Returns the environment of a user whose only Podman is the test's.
    fn environment(&self) -> [(&'static str, String); 3] {
        let path = |name: &str| self.ns.scratch().join(name).display().to_string();
        [("MANAGERPID", self.manager.pid()), ("XDG_RUNTIME_DIR", path("run")), ("PATH", path("bin"))]
    }

    /// Runs `doctor` without the harness's time limit, because it reads twice and waits for a lock.
    fn doctor(&self, options: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netready"));
        command.arg("doctor").args(options).env_clear().envs(self.environment()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Does the same on a terminal, on which a user types.
    fn on_a_terminal(&self, options: &str, typed: &str) -> String {
        let netready = format!("{} doctor {options}", env!("CARGO_BIN_EXE_netready"));
        let mut child = Command::new("/usr/bin/script")
            .args(["-qec", &netready, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .envs(self.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        format!("{}exit code {}", String::from_utf8_lossy(&output.stdout), output.status.code().unwrap())
    }

    fn unchanged(&self) -> bool {
        fs::read(self.database()).unwrap() == NETWORKS
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn leaked_addresses_are_listed_and_freed() {
    let stage = Stage::new(netns!());
    let said = stage.doctor(&["-q"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(
        said.stdout,
        "lease-leaked  network dual: 4 addresses are held for containers that do not exist: \
         10.77.0.4, 10.77.0.6, fd00:77::4, fd00:77::6\n\
         lease-leaked  network one: 2 addresses are held for containers that do not exist: 10.89.0.4, 10.89.0.6\n\
         lease-leaked  network systemd-seed: 172.21.0.2 is held for container 7c62d2bfb262, which does not exist\n"
    );
    assert!(stage.unchanged(), "a look changes nothing");
    for options in [&["--fix"][..], &["--fix", "--json"]] {
        let said = stage.doctor(options);
        assert!(said.code == 2 && format!("{said:?}").contains("add --yes"), "{said:?}");
        assert!(stage.unchanged(), "nobody has agreed");
    }
    let said = stage.doctor(&["--fix", "--yes", "--json"]);
    assert_eq!(said.code, 0, "all that was found is mended: {said:?}");
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["freed"].as_array().unwrap().len(), 7);
    assert_eq!(report["freed"][0]["address"], "10.77.0.4");
    let said = stage.doctor(&["--fix", "--yes"]);
    assert!(said.code == 0 && said.stdout.contains("nothing to free"), "{said:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn asked_on_a_terminal() {
    let stage = Stage::new(netns!());
    for no in ["n\n", "\n", "\u{4}"] {
        let said = stage.on_a_terminal("--fix", no);
        assert!(said.contains("172.21.0.2  network systemd-seed, container 7c62d2bfb262"), "{said}");
        assert!(said.contains("[y/N]") && said.ends_with("Nothing was changed.\r\nexit code 1"), "{said}");
        assert!(stage.unchanged());
    }
    let said = stage.on_a_terminal("--fix", "y\n");
    assert!(
        said.contains("Freed 172.21.0.2 of network systemd-seed\r\n") && said.ends_with("exit code 0"),
        "{said}"
    );
    assert!(!stage.unchanged());
}

#[test]
#[ignore = "needs a network namespace"]
fn doctor_frees_nothing_if_it_is_not_safe() {
    let stage = Stage::new(netns!());
    let held = Flock::lock(File::open(stage.database()).unwrap(), FlockArg::LockExclusive).unwrap();
    let said = stage.doctor(&["--fix", "--yes"]);
    assert!(said.code == 3 && format!("{said:?}").contains("locked by another process"), "{said:?}");
    assert!(stage.unchanged());
    drop(held);

    fs::write(stage.database(), &NETWORKS[..30_000]).unwrap();
    let said = stage.doctor(&["--fix", "--yes"]);
    assert!(said.code == 3 && said.stdout.contains("leases-damaged  "), "{said:?}");
    assert!(
        said.stderr.contains("nothing was changed: ") && said.stderr.contains("truncated: 30000 bytes"),
        "{said:?}"
    );
    assert_eq!(fs::read(stage.database()).unwrap(), &NETWORKS[..30_000]);

    let said = stage.doctor(&[]);
    let way = format!("mv {0} {0}.damaged", stage.database().display());
    assert!(said.code == 1 && said.stdout.contains(&way), "{said:?}");
}

/// Podman makes a new database if there is no file, if the file is empty, and if the database has no buckets.
#[test]
#[ignore = "needs a network namespace"]
fn an_empty_database_is_no_damage() {
    let stage = Stage::new(netns!());
    fs::write(stage.database(), "").unwrap();
    assert_eq!(stage.doctor(&[]).code, 0);
    fs::remove_file(stage.database()).unwrap();
    assert_eq!(stage.doctor(&[]).code, 0);
    for damage in [&[0; 32_768][..], &NETWORKS[..100], b"SQLite format 3\0"] {
        fs::write(stage.database(), damage).unwrap();
        let said = stage.doctor(&["-q"]);
        assert!(said.code == 1 && said.stdout.starts_with("leases-damaged"), "{said:?}");
    }
}
