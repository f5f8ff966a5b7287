//! The history of a `run`: its status and journal lines tell of time, and its events are in the record.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::*;
use crate::netns;

/// The lines of the events that a run has left, without their times, as far as a test can foretell them.
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
    // Only a reason that lasts for a second is worth a word.
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
    // Another run of the unit goes on counting.
    let run = start();
    run.expect_ready();
    ns.ip("link set vb0 down");
    run.expect_lost();
    ns.ip("link set vb0 up");
    let status = run.expect_now_ready();
    assert!(status.contains("; 2 losses since boot): "), "{status}");
}
