//! The history of a `run`: its status and journal lines contain times, and its events are in the record.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::*;
use crate::netns;

/// Returns the lines of the events of a run without their times, as far as a test can predict them.
fn events(record: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(record).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut last = 0;
    let words = lines.filter(|line| line.get("event").is_some()).map(|line| {
        let usec = line["usec"].as_u64().unwrap();
        assert!(usec >= last, "{line}");
        last = usec;
        let word = |name: &str| {
            line.get(name).and_then(Value::as_str).map(|word| format!(" {word}")).unwrap_or_default()
        };
        ["event", "link", "address", "destination", "requirement", "state", "was", "by", "text"]
            .map(word)
            .concat()
    });
    words.collect()
}

#[test]
#[ignore = "needs a network namespace"]
fn the_cable_comes_late_and_goes_and_comes() {
    let ns = netns!();
    ns.ip(&format!("{DARK0}; addr add 192.0.2.1/24 dev va0"));
    let folder = ns.scratch().join("netready-record");
    std::fs::create_dir(&folder).unwrap();
    let gate = ns.gate("[[require]]\ninterface = \"va0\"\naddress = \"ipv4\"\n");
    let start = || ns.command(&["run", &gate]).env("RUNTIME_DIRECTORY", folder.to_str().unwrap()).spawn();
    let run = start();
    run.expect_stderr("Waiting");
    let records = || {
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|end| end == "events")).collect::<Vec<_>>()
    };
    ns.until("events of a gate that waits", || !records().is_empty());
    let record = records().remove(0);
    // The status names only a reason that lasted for at least a second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    ns.ip("link set vb0 up");
    let status = run.expect_now_ready();
    assert!(status.starts_with("Ready after ") && status.contains("s of it: va0 had no carrier"), "{status}");
    ns.ip("link set vb0 down");
    let status = run.expect_lost();
    assert!(status.contains(": va0 has no carrier") && status.contains("(was ready for "), "{status}");
    ns.ip("link set vb0 up");
    let status = run.expect_now_ready();
    assert!(status.contains("; 1 loss since boot): "), "{status}");
    run.expect_stderr("Ready again since");
    run.signal(Signal::SIGTERM);
    assert_eq!(run.expect_exit(), Exit::Code(0));
    let events = events(&record);
    let expected = [
        " link va0 no-carrier",
        " gate waiting va0 has no carrier",
        " link va0 carrier no-carrier",
        " requirement va0 carrier met",
        " gate ready",
        " link va0 no-carrier carrier",
        " gate lost va0 has no carrier",
        " link va0 carrier no-carrier",
        " gate ready",
        " gate stopped",
    ];
    let mut rest = events.iter();
    for expected in expected {
        assert!(
            rest.any(|event| event.starts_with(expected)),
            "{expected} is not there, or not in its place: {events:#?}"
        );
    }
    assert!(events[0].starts_with(" start"), "{events:#?}");
    // Another run of the unit continues the count.
    let run = start();
    run.expect_ready();
    ns.ip("link set vb0 down");
    run.expect_lost();
    ns.ip("link set vb0 up");
    let status = run.expect_now_ready();
    assert!(status.contains("; 2 losses since boot): "), "{status}");
}

#[test]
#[ignore = "needs a network namespace"]
fn after_a_run_that_gave_up_the_time_until_ready_counts_from_its_start() {
    let ns = netns!();
    ns.ip(&format!("{DARK0}; addr add 192.0.2.1/24 dev va0"));
    let folder = ns.scratch().join("netready-record");
    std::fs::create_dir(&folder).unwrap();
    let gate = ns.gate("timeout = \"1100ms\"\n[[require]]\ninterface = \"va0\"\naddress = \"ipv4\"\n");
    let start = || ns.command(&["run", &gate]).env("RUNTIME_DIRECTORY", folder.to_str().unwrap()).spawn();
    assert_eq!(start().expect_exit(), Exit::Code(1));
    ns.ip("link set vb0 up");
    let run = start();
    let status = run.expect_now_ready();
    let after = status.strip_prefix("Ready after ").and_then(|rest| rest.split_once("s (gave up at "));
    assert!(after.is_some_and(|(after, _)| after.parse::<f64>().unwrap() >= 1.1), "{status}");
    run.signal(Signal::SIGTERM);
    assert_eq!(run.expect_exit(), Exit::Code(0));
    // The gate was ready, so a later start is a new one.
    let status = start().expect_now_ready();
    assert!(status.starts_with("Ready after ") && !status.contains("gave up"), "{status}");
}

/// A journal socket of the test, for programs whose stderr goes to the journal.
struct TestJournal(std::os::unix::net::UnixDatagram);

impl TestJournal {
    /// Makes the socket in the test's own /run.
    fn new() -> TestJournal {
        std::fs::create_dir_all("/run/systemd/journal").unwrap();
        let socket = std::os::unix::net::UnixDatagram::bind("/run/systemd/journal/socket").unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(80))).unwrap();
        TestJournal(socket)
    }

    /// Returns a command that starts netready as a service manager does.
    fn command(arguments: &str) -> std::process::Command {
        let netready = env!("CARGO_BIN_EXE_netready");
        let script =
            format!("JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec {netready} {arguments} 2>&2");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script]).env_remove("NOTIFY_SOCKET").stderr(std::process::Stdio::piped());
        command
    }

    /// Waits for the next entry of this kind.
    #[track_caller]
    fn expect(&self, kind: &str) -> String {
        let mut octets = vec![0; 1 << 20];
        loop {
            let length = self.0.recv(&mut octets).unwrap_or_else(|error| panic!("no {kind}: {error}"));
            let text = String::from_utf8_lossy(&octets[..length]).into_owned();
            if text.contains(&format!("NETREADY_EVENT={kind}\n")) {
                return text;
            }
        }
    }
}

/// What `timeline` reads back after a later boot: for how long this one waited.
#[test]
#[ignore = "needs a network namespace"]
fn a_wait_that_is_ended_is_an_entry_in_the_journal() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{DARK0}; addr add 192.0.2.1/24 dev va0"));
    let journal = TestJournal::new();
    let gate = ns.gate("timeout = \"infinity\"\n[[require]]\ninterface = \"va0\"\naddress = \"ipv4\"\n");
    let mut run = TestJournal::command(&format!("run {gate}")).spawn().unwrap();
    journal.expect("waiting");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(run.id()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    let stopped = journal.expect("stopped");
    for part in [
        "MESSAGE=NOT ready when stopped after ",
        ": va0 has no carrier",
        "NETREADY_CODE=no-carrier\n",
        "NETREADY_LINK=va0\n",
        r#""event":"gate","state":"stopped""#,
    ] {
        assert!(stopped.contains(part), "{part} is not in {stopped}");
    }
    run.wait().unwrap();
}

/// `doctor` reads this entry after a later boot.
#[test]
#[ignore = "needs a network namespace"]
fn a_family_that_comes_after_ready_is_an_entry_in_the_journal() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0"));
    let journal = TestJournal::new();
    let gate = ns.gate("[[require]]\nroute = \"default\"\n");
    let mut run = TestJournal::command(&format!("run {gate}")).spawn().unwrap();
    let ready = journal.expect("ready");
    assert!(ready.contains(r#""destination":"0.0.0.0/0""#), "{ready}");
    ns.ip("addr add 2001:db8::1/64 dev va0 nodad; route add default via 2001:db8::ff dev va0");
    let late = [journal.expect("late"), journal.expect("late")].concat();
    assert!(late.contains("the first IPv6 default route came "), "{late}");
    assert!(late.contains(r#""destination":"::/0""#), "{late}");
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_pull_that_is_tried_again_is_an_entry_in_the_journal() {
    let ns = netns!().with_private_etc();
    ns.ip(UP0);
    let journal = TestJournal::new();
    let podman = ns.scratch().join("podman");
    let script =
        "#!/bin/sh\n[ \"$1\" = image ] && exit 1\necho 'Error: dial tcp: connection refused' >&2\nexit 125\n";
    write_program(&podman, script);
    let line =
        format!("pull --gate none --retries 1 --delay 1ms --tool {} registry.example/a:1", podman.display());
    let output = TestJournal::command(&line).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let entry = journal.expect("pull-retry");
    assert!(entry.starts_with("MESSAGE=pull of registry.example/a:1: attempt 1 of 2 failed: "), "{entry}");
    assert!(entry.contains("NETREADY_CODE=try-again\n") && !entry.contains("NETREADY_GATE"), "{entry}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("attempt 1 of 2 failed"), "it is said twice");
}
