use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bolt::Database;
use super::leases::{Container, held, judge, lasting, without};
use super::podman::{self, containers, database};
use super::*;
use crate::doctor::programs::Programs;

const LEAK: &[u8] = include_bytes!("tests/leak.db");
const NETWORKS: &[u8] = include_bytes!("tests/networks.db");

/// One line for each lease: `NETWORK ADDRESS FIRST-DIGITS-OF-THE-ID`.
fn text<'a>(all: impl IntoIterator<Item = &'a HeldAddress>) -> String {
    let line = |held: &HeldAddress| format!("{} {} {:.4}\n", held.network, held.address, held.container);
    all.into_iter().map(line).collect()
}

#[test]
fn recorded_leases() {
    let read = |data| held(&Database::parse(data).unwrap().root).unwrap();
    assert_eq!(text(&read(LEAK)), "systemd-seed 172.21.0.2 7c62\n");
    let all = read(NETWORKS);
    assert_eq!(all.len(), 19);
    let mine = all.iter().filter(|held| held.container.starts_with("d5b8"));
    assert_eq!(text(mine), "dual 10.77.0.7 d5b8\ndual fd00:77::7 d5b8\none 10.89.0.7 d5b8\n");
}

#[test]
fn only_what_leaked_is_taken_out() {
    let mut root = Database::parse(NETWORKS).unwrap().root;
    let before = held(&root).unwrap();
    let leaked: BTreeSet<HeldAddress> = before
        .iter()
        .filter(|held| held.container.starts_with("d5b8") && held.network == "dual")
        .cloned()
        .collect();
    let mut other = leaked.first().unwrap().clone();
    other.container = "f".repeat(64);
    let asked = leaked.iter().cloned().chain([other]).collect();
    assert_eq!(without(&mut root, &asked), leaked, "what another holds by now stays");
    assert_eq!(held(&root).unwrap(), before.difference(&leaked).cloned().collect());
    let debug = format!("{root:?}");
    assert_eq!(
        debug.matches("Bucket(").count(),
        format!("{:?}", Database::parse(NETWORKS).unwrap().root).matches("Bucket(").count()
    );
    assert_eq!(without(&mut root, &asked), BTreeSet::new(), "a second time there is nothing to do");
}

#[test]
fn verdicts() {
    let id = "0eebf4178c8cea329b06ce7ee3380dbb819560f6a4ff3bba7d478e69e5eb4e89";
    let build = "buildah-buildah2837482913";
    let judged = |container: &str, listed: Option<&str>, running: bool| {
        let held =
            HeldAddress { network: "n".into(), address: [10, 0, 0, 2].into(), container: container.into() };
        let containers: BTreeMap<String, Container> = listed
            .map(|state| (container.to_owned(), Container { name: "web".into(), state: state.into() }))
            .into_iter()
            .collect();
        judge([held].into(), &containers, |_| running)[0].state
    };
    for (container, listed, running, expected) in [
        (id, Some("running"), true, LeaseState::InUse),
        (id, Some("running"), false, LeaseState::InUse),
        (id, Some("paused"), true, LeaseState::InUse),
        (id, Some("stopping"), true, LeaseState::InUse),
        (id, Some("a state of tomorrow"), false, LeaseState::InUse),
        (id, Some("created"), false, LeaseState::Idle),
        (id, Some("exited"), false, LeaseState::Idle),
        (id, Some("exited"), true, LeaseState::InUse),
        (id, None, false, LeaseState::Leaked),
        (id, None, true, LeaseState::Elsewhere),
        (build, None, false, LeaseState::Elsewhere),
    ] {
        assert_eq!(judged(container, listed, running), expected, "{container} {listed:?} {running}");
    }
}

#[test]
fn a_container_that_is_just_starting_is_not_amiss() {
    let lease = |last: u8, state| Lease {
        held: HeldAddress {
            network: "n".into(),
            address: [10, 0, 0, last].into(),
            container: "a".repeat(64),
        },
        name: None,
        state,
    };
    let first = [lease(2, LeaseState::Leaked), lease(3, LeaseState::InUse), lease(4, LeaseState::Idle)];
    let second = vec![
        lease(2, LeaseState::Leaked),
        lease(3, LeaseState::Leaked),
        lease(4, LeaseState::Leaked),
        lease(5, LeaseState::Idle),
        lease(6, LeaseState::Elsewhere),
    ];
    let states: Vec<LeaseState> = lasting(&first, second).iter().map(|lease| lease.state).collect();
    assert_eq!(
        states,
        [LeaseState::Leaked, LeaseState::InUse, LeaseState::InUse, LeaseState::InUse, LeaseState::Elsewhere]
    );
}

#[test]
fn a_list_of_containers() {
    let json = r#"[{"Id":"aa","Names":["web"],"State":"running","IsInfra":false},{"Id":"bb","Names":null,"State":"created"}]"#;
    let list = containers(json).unwrap();
    assert_eq!(list["aa"], Container { name: "web".into(), state: "running".into() });
    assert_eq!(list["bb"].name, "");
    assert!(containers("[]").unwrap().is_empty());
    for wrong in ["", "null", "{}", r#"[{"Id":"aa"}]"#, r#"[{"Id":7,"State":"running"}]"#] {
        assert_eq!(containers(wrong), None, "{wrong}: none of them must be taken for gone");
    }
}

#[test]
fn where_the_database_is() {
    let at =
        |said: &str| database(said).map(|path| path.display().to_string()).map_err(|error| error.to_string());
    assert_eq!(
        at("false true /run/user/1000/containers\n").unwrap(),
        "/run/user/1000/containers/networks/ipam.db"
    );
    assert_eq!(at("false true /tmp/with a space\n").unwrap(), "/tmp/with a space/networks/ipam.db");
    assert_eq!(at("false false /run/containers/storage\n").unwrap(), "/run/containers/networks/ipam.db");
    assert_eq!(
        at("true true /run/user/1000/containers\n").unwrap_err(),
        podman::PodmanError::Remote.to_string()
    );
    for wrong in ["", "false", "false true", "false true relative", "<no value> true /run"] {
        assert_eq!(at(wrong).unwrap_err(), podman::PodmanError::Answer("info").to_string(), "{wrong}");
    }
}

/// Looks twice, without the pause between the looks.
fn seen(podman: &Podman) -> Result<LeaseList, LeaseError> {
    look_twice(podman, || ())
}

/// A fake Podman with these containers, and a database.
struct Stage {
    folder: tempfile::TempDir,
    podman: Podman,
    /// Lets one test run at a time: the code reads the machine's processes, and one test starts a process that counts.
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    fn new(database: &[u8], ps: &str) -> Stage {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("networks")).unwrap();
        std::fs::write(at("networks/ipam.db"), database).unwrap();
        std::fs::write(at("ps"), ps).unwrap();
        let podman = Podman { programs: Programs::from_process(None), program: at("podman") };
        let stage = Stage { podman, folder, _alone: alone };
        let here = stage.folder.path().display();
        stage.says(&format!("case \"$2\" in info) echo false true {here};; ps) cat {here}/ps;; esac"));
        stage
    }

    /// Writes the fake `podman`. Another process writes it: while this process has the file open for writing, a child
    /// of another test may inherit the descriptor, and then nobody can execute the file (ETXTBSY).
    fn says(&self, script: &str) {
        let write = ["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$0\" && chmod 755 \"$0\""];
        let done = Command::new("sh").args(write).arg(&self.podman.program).arg(script).status().unwrap();
        assert!(done.success());
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("networks/ipam.db")
    }

    fn held(&self) -> String {
        text(&held(&Database::parse(&std::fs::read(self.database()).unwrap()).unwrap().root).unwrap())
    }
}

/// One of the seven containers runs, one is stopped, and five no longer exist.
#[test]
fn looked_at_and_freed() {
    let [running, stopped] = [
        "d5b8f22bfc111e981072827956e47efc7946c18f5862276f1d04ab4b74c3d743",
        "c213160a45a98098dac6d604f0a347d3d8c1620af1449d7484394744663c555a",
    ];
    let ps = format!(
        r#"[{{"Id":"{running}","Names":["a"],"State":"running"}},{{"Id":"{stopped}","Names":["b"],"State":"exited"}}]"#
    );
    let stage = Stage::new(NETWORKS, &ps);
    let leases = seen(&stage.podman).unwrap().leases;
    let count = |state| leases.iter().filter(|lease| lease.state == state).count();
    assert_eq!(
        [LeaseState::InUse, LeaseState::Idle, LeaseState::Leaked, LeaseState::Elsewhere].map(count),
        [3, 3, 13, 0]
    );
    assert_eq!(std::fs::read(stage.database()).unwrap(), NETWORKS, "a look changes nothing");

    let kept = "dual 10.77.0.5 c213\ndual 10.77.0.7 d5b8\ndual fd00:77::5 c213\ndual fd00:77::7 d5b8\n\
                one 10.89.0.5 c213\none 10.89.0.7 d5b8\n";
    let (asked, rest): (Vec<Lease>, Vec<Lease>) =
        leases.iter().cloned().partition(|lease| lease.held.network != "systemd-seed");
    assert_eq!(free(&stage.podman, &asked).unwrap().len(), 12);
    assert_eq!(stage.held(), format!("{kept}systemd-seed 172.21.0.2 7c62\n"));
    assert_eq!(free(&stage.podman, &asked).unwrap(), [], "they are free by now");
    assert_eq!(text(&free(&stage.podman, &rest).unwrap()), "systemd-seed 172.21.0.2 7c62\n");
    assert_eq!(stage.held(), kept);
}

#[test]
fn what_exists_again_is_not_freed() {
    let stage = Stage::new(LEAK, "[]");
    let leases = seen(&stage.podman).unwrap().leases;
    assert_eq!(leases[0].state, LeaseState::Leaked);
    let id = &leases[0].held.container;
    std::fs::write(stage.folder.path().join("ps"), format!(r#"[{{"Id":"{id}","State":"created"}}]"#))
        .unwrap();
    assert_eq!(free(&stage.podman, &leases).unwrap(), []);
    assert_eq!(std::fs::read(stage.database()).unwrap(), LEAK);
}

/// Podman writes the lease before it lists the container.
#[test]
fn a_container_that_is_listed_at_the_second_look_has_just_started() {
    let stage = Stage::new(LEAK, "[]");
    let id = "7c62d2bfb262240647c11f255fb559439133b51c551c4e421f493bff1faf9865";
    let starts = || {
        let listed = format!(r#"[{{"Id":"{id}","State":"running"}}]"#);
        std::fs::write(stage.folder.path().join("ps"), listed).unwrap();
    };
    let leases = look_twice(&stage.podman, starts).unwrap().leases;
    assert_eq!(leases[0].state, LeaseState::InUse);
}

/// A container of another storage is not in Podman's list: only its processes can be seen.
#[test]
fn what_a_process_runs_for_is_not_leaked() {
    // Every test sees this process, so the container is not that of the other tests.
    let id = "5eedf4178c8cea329b06ce7ee3380dbb819560f6a4ff3bba7d478e69e5eb4e90";
    let others = b"7c62d2bfb262240647c11f255fb559439133b51c551c4e421f493bff1faf9865";
    let mut database = LEAK.to_vec();
    for at in 0..=database.len() - others.len() {
        if database[at..].starts_with(others) {
            database[at..at + id.len()].copy_from_slice(id.as_bytes());
        }
    }
    let stage = Stage::new(&database, "[]");
    let mut conmon = Command::new("sh")
        .args(["-c", "read line", "conmon", "-c", id])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let leases = seen(&stage.podman).unwrap().leases;
    conmon.kill().unwrap();
    conmon.wait().unwrap();
    assert_eq!(leases[0].state, LeaseState::Elsewhere);
    assert_eq!(free(&stage.podman, &leases).unwrap(), []);
}

#[test]
fn what_cannot_be_looked_at() {
    let says = |stage: &Stage| {
        let error = seen(&stage.podman).unwrap_err();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let folder = stage.folder.path().display().to_string();
        format!("{error}: {}", cause.unwrap_or_default()).replace(&folder, "RUNROOT")
    };
    let podman = |script: &str| {
        let stage = Stage::new(LEAK, "[]");
        stage.says(script);
        says(&stage)
    };
    assert_eq!(says(&Stage::new(b"SQLite format 3", "[]")), "RUNROOT/networks/ipam.db: not a bbolt database");
    assert_eq!(
        says(&Stage::new(&LEAK[..20000], "[]")),
        "RUNROOT/networks/ipam.db: truncated: 20000 bytes of 28672"
    );
    assert_eq!(says(&Stage::new(LEAK, "{}")), "podman ps: netready does not understand the answer: ");
    assert_eq!(podman("echo Error: no >&2; exit 125"), "podman info: Error: no (exit code 125): ");
    assert_eq!(podman("echo true false /run"), "podman is the client of a service elsewhere: ");

    assert_eq!(
        seen(&Stage::new(b"", "[]").podman).unwrap().leases,
        [],
        "Podman starts anew with such a file"
    );
    let stage = Stage::new(LEAK, "[]");
    std::fs::remove_file(stage.database()).unwrap();
    assert_eq!(seen(&stage.podman).unwrap().leases, [], "no container has had an address yet");
    std::fs::create_dir(stage.database()).unwrap();
    assert_eq!(says(&stage), "RUNROOT/networks/ipam.db: not a regular file");
}
