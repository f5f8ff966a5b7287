//! `timeline`: shows how a gate became ready, as `run` recorded it.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{DARK0, Exit, Netns, Process, Said, Signal};
use crate::netns;
use crate::schema::assert_valid;

const GATE: &str =
    "timeout = \"1h\"\n[[require]]\ninterface = \"va0\"\naddress = \"ipv4\"\nroute = \"default\"\n";

/// Starts a run of the gate `default`, which writes into this test's own /run.
fn run(ns: &Netns) -> Process {
    std::fs::create_dir_all("/etc/netready").unwrap();
    std::fs::write("/etc/netready/default.toml", GATE).unwrap();
    ns.command(&["run"]).by_hand().spawn()
}

fn timeline(ns: &Netns, arguments: &[&str]) -> Said {
    ns.command(&[&["timeline"], arguments].concat()).by_hand().output()
}

/// Waits until the record contains this text so many times. netready writes the record after its other reports.
#[track_caller]
fn recorded(ns: &Netns, text: &str, times: usize) {
    ns.until(text, || {
        let record = std::fs::read_to_string("/run/netready-record/default.events").unwrap_or_default();
        record.matches(text).count() >= times
    });
}

#[track_caller]
fn assert_in_order(text: &str, expected: &[&str]) {
    let mut rest = text;
    for words in expected {
        let at = rest
            .find(words)
            .unwrap_or_else(|| panic!("{words:?} is not there, or not in its order:\n{text}"));
        rest = &rest[at + words.len()..];
    }
}

/// Carrier comes late, then the address, then the route. The gate is lost and ready again.
#[test]
#[ignore = "needs a network namespace"]
fn what_came_when_is_shown_in_order() {
    let ns = netns!().with_private_etc();
    ns.ip(DARK0);
    let gate = run(&ns);
    recorded(&ns, "\"waiting\"", 1);
    // The history is about time that passes, so let some pass: more than the steps that follow take on a busy machine.
    std::thread::sleep(Duration::from_secs(2));
    ns.ip("link set vb0 up");
    // The gate waits for another reason.
    recorded(&ns, "\"waiting\"", 2);
    ns.ip("addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0");
    let status = gate.expect_now_ready();
    let took =
        status.strip_prefix("Ready after ").and_then(|rest| rest.split([' ', ':']).next()).expect(&status);
    recorded(&ns, "\"ready\"", 1);

    let way = [
        "netready waits for gate default (/etc/netready/default.toml), at most 1h",
        "va0 is there, up without carrier",
        "the gate waits: va0 has no carrier",
        "va0 has carrier",
        "the gate waits: ",
        "va0 has address 192.0.2.1/24",
        "route default via 192.0.2.254 dev va0 is there",
        "the gate is ready: ",
    ];
    let said = timeline(&ns, &[]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(
        said.stdout.starts_with(&format!("Gate default: ready after {took}")),
        "{status}\n{}",
        said.stdout
    );
    assert!(said.stdout.contains("The longest stretch, "), "{}", said.stdout);
    assert!(said.stdout.contains(": va0 had no carrier"), "{}", said.stdout);
    assert_in_order(&said.stdout, &way);
    assert!(!said.stdout.contains("Lost once"), "{}", said.stdout);

    ns.ip("link set vb0 down");
    gate.expect_lost();
    ns.ip("link set vb0 up");
    recorded(&ns, "\"lost\"", 1);
    // The kernel may have removed the route together with the carrier. This does not matter here.
    let _ = ns.try_ip("route add default via 192.0.2.254 dev va0");
    gate.expect_now_ready();
    recorded(&ns, "\"ready\"", 2);
    let said = timeline(&ns, &["default"]);
    assert!(said.stdout.contains("Lost once afterwards, at 20"), "{}", said.stdout);
    let after = [
        "va0 lost carrier",
        "the gate is lost: va0 has no carrier",
        "va0 has carrier",
        "the gate is ready: ",
    ];
    assert_in_order(&said.stdout, &[&way[..], &after].concat());

    let json = timeline(&ns, &["--json"]);
    let value: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_valid("timeline", &value);
    assert_eq!((&value["state"], &value["longest"]["code"]), (&"ready".into(), &"no-carrier".into()));
    assert_eq!(value["losses"].as_array().unwrap().len(), 1, "{value:#}");
    assert!(value["losses"][0]["lasted"].is_number(), "{value:#}");
    assert!(value["longest"]["lasted"].as_f64().unwrap() >= 2.0, "{value:#}");
    let line = timeline(&ns, &["--last", "1", "--json"]).stdout;
    assert_eq!(line.lines().count(), 1);
    assert_valid("timeline", &serde_json::from_str(&line).unwrap());
    let line = timeline(&ns, &["--last", "1"]).stdout;
    assert!(line.starts_with("   0  20") && line.contains("of it: va0 had no carrier"), "{line}");

    let svg = timeline(&ns, &["--svg"]).stdout;
    let xml = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> =
        xml.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect();
    for expected in ["va0", "va0 192.0.2.1/24", "up without carrier", "gate default"] {
        assert!(texts.iter().any(|text| text.contains(expected)), "{expected}: {texts:?}");
    }
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
    assert_in_order(&timeline(&ns, &[]).stdout, &["the gate is ready: ", "netready ends"]);
}

#[test]
#[ignore = "needs a network namespace"]
fn a_unit_that_was_started_again_has_several_runs() {
    let ns = netns!().with_private_etc();
    ns.ip(DARK0);
    for count in 1..=2 {
        let gate = run(&ns);
        recorded(&ns, "\"event\":\"start\"", count);
        recorded(&ns, "\"waiting\"", count);
        gate.signal(Signal::SIGTERM);
        gate.expect_exit();
    }
    let last = timeline(&ns, &[]).stdout;
    assert!(last.contains("This is run 2 of 2."), "{last}");
    assert!(last.contains("before the gate was ready"), "{last}");
    let first = timeline(&ns, &["--run", "1", "--json"]).stdout;
    let value: Value = serde_json::from_str(&first).unwrap();
    assert_valid("timeline", &value);
    assert_eq!((&value["run"], &value["state"]), (&1.into(), &"stopped".into()));
    let third = timeline(&ns, &["--run", "3"]);
    assert_eq!((third.code, third.stdout.as_str()), (3, ""));
    assert!(third.stderr.contains("there is no run 3; in that boot there were 2"), "{}", third.stderr);
}

/// Without a history, the message says what is needed. It is never an empty table.
#[test]
#[ignore = "needs a network namespace"]
fn without_a_history_it_says_what_is_needed() {
    let ns = netns!().with_private_etc();
    let none = timeline(&ns, &[]);
    assert_eq!((none.code, none.stdout.as_str()), (3, ""));
    for expected in ["nothing is recorded of gate default in this boot", "`netready run`"] {
        assert!(none.stderr.contains(expected), "{}", none.stderr);
    }
    ns.ip(DARK0);
    let gate = run(&ns);
    recorded(&ns, "\"waiting\"", 1);
    let other = timeline(&ns, &["other"]);
    assert!(
        other.stderr.contains("this boot has a record of: default; try: netready timeline default"),
        "{}",
        other.stderr
    );
    let earlier = timeline(&ns, &["--boot", "-1"]);
    assert_eq!((earlier.code, earlier.stdout.as_str()), (3, ""));
    assert!(earlier.stderr.contains("mkdir -p /var/log/journal"), "{}", earlier.stderr);
    let json = timeline(&ns, &["--boot=-1", "--json"]);
    assert_valid("error", &serde_json::from_str(&json.stdout).unwrap());
    // The gate is still waiting, and its timeline is shown.
    let waiting = timeline(&ns, &["/etc/netready/default.toml"]).stdout;
    assert!(waiting.starts_with("Gate default: not ready after "), "{waiting}");
    gate.signal(Signal::SIGTERM);
    gate.expect_exit();
}
