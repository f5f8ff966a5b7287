//! `netready.open` and `netready.timeout` on the kernel command line.

use serde_json::json;

use crate::harness::{Exit, Signal, UP0};
use crate::netns;

const GATE: &str = "settle = \"30s\"\n[[require]]\ninterface = \"va0\"\ncarrier = true\n";
const OPENED: &str = "opened by the kernel command line (netready.open): va0: no such link";

#[test]
#[ignore = "needs a network namespace"]
fn a_gate_that_is_opened_says_so_and_is_watched_afterwards() {
    let ns = netns!().with_kernel_line(&["quiet", "netready.open"]);
    let gate = ns.run_gate(GATE);
    gate.expect_ready();
    gate.expect_stderr(OPENED);
    assert!(gate.last_status().starts_with("NOT ready after"), "{}", gate.transcript());
    ns.ip(UP0);
    gate.expect_now_ready();
    ns.ip("link set vb0 down");
    gate.expect_lost();
    assert_eq!(gate.count("READY=1"), 1, "{}", gate.transcript());
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
}

#[test]
#[ignore = "needs a network namespace"]
fn a_wait_goes_on_and_a_check_tells_the_truth() {
    let ns = netns!().with_kernel_line(&["netready.open"]);
    let waits = ns.wait(&[&ns.gate(GATE), "--", "echo", "became it"]);
    assert_eq!(waits.expect_exit(), Exit::Code(0), "{}", waits.transcript());
    waits.expect_stderr(OPENED);
    assert_eq!(waits.stdout(), "became it");
    let waits = ns.wait(&["-i", "va0"]);
    assert_eq!(waits.expect_exit(), Exit::Code(0), "options are a gate too: {}", waits.transcript());
    let retries = ns.output(&["retry", "--gate", &ns.gate(GATE), "--", "echo", "it ran"]);
    assert_eq!((retries.code, retries.stdout.as_str()), (0, "it ran"), "{}", retries.stderr);
    let check = ns.check_gate(GATE);
    assert!(!check.ready());
    assert_eq!(check.json["kernel_command_line"], json!({ "open": true, "timeout": null }));
    let said = ns.output(&["check", &ns.gate(GATE)]);
    assert_eq!(said.code, 1);
    let note = "note: run and wait open this gate at once: netready.open on the kernel command line";
    assert!(said.stdout.contains(note), "{}", said.stdout);
}

#[test]
#[ignore = "needs a network namespace"]
fn only_the_gates_that_are_named_open() {
    let ns = netns!().with_kernel_line(&["netready.open=lan,podman"]);
    std::fs::create_dir("/etc/netready").unwrap();
    for name in ["lan", "nas"] {
        std::fs::write(format!("/etc/netready/{name}.toml"), GATE).unwrap();
    }
    ns.run(&["lan"]).expect_ready();
    let shut = ns.run(&["nas"]);
    shut.expect_stderr("(netready.open) does not open this gate; it names: lan, podman");
    shut.expect_waiting();
    shut.stays_unready();
    let check = ns.check(&["nas"]);
    assert!(check.json["kernel_command_line"].is_null(), "{check:?}");
    // A gate made of options has the name `options`, which is not in the list.
    let waits = ns.wait(&["-i", "va0", "-t", "100ms"]);
    assert_eq!(waits.expect_exit(), Exit::Code(1), "{}", waits.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn a_timeout_shortens_the_gates_own_and_what_follows_stays() {
    let ns = netns!().with_kernel_line(&["netready.timeout=300ms"]);
    let fails = ns.run_gate(&format!("timeout = \"infinity\"\n{GATE}"));
    fails.expect_told("Waiting (up to 300ms by netready.timeout)");
    assert_eq!(fails.expect_exit(), Exit::Code(1), "{}", fails.transcript());
    fails.expect_stderr("NOT ready after 300ms (netready.timeout of the kernel command line), given up");
    let opens = ns.run_gate(&format!("on-timeout = \"open\"\n{GATE}"));
    opens.expect_ready();
    opens.expect_stderr("NOT ready after 300ms (netready.timeout of the kernel command line), opened anyway");
    // netready.timeout does not lengthen a timeout.
    let waits = ns.wait(&["-i", "va0", "-t", "10ms"]);
    assert_eq!(waits.expect_exit(), Exit::Code(1));
    waits.expect_stderr("NOT ready after 10ms, given up");
    let check = ns.check_gate(GATE);
    assert_eq!(check.json["kernel_command_line"], json!({ "open": false, "timeout": "300ms" }));
}

#[test]
#[ignore = "needs a network namespace"]
fn words_that_are_not_understood_are_named_and_hold_nothing_back() {
    let ns = netns!().with_kernel_line(&["netready.opne", "netready.timeout=soon", "netready.open"]);
    let gate = ns.run_gate(GATE);
    gate.expect_ready();
    gate.expect_stderr(
        "netready does not know the word netready.opne and ignores it; did you mean netready.open?",
    );
    gate.expect_stderr("kernel command line: netready.timeout=soon is not a duration");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_reload_keeps_what_the_kernel_command_line_says() {
    let ns = netns!().with_kernel_line(&["netready.timeout=5s"]);
    let path = ns.gate(GATE);
    let gate = ns.run(&[&path]);
    gate.expect_status("Waiting (up to 5s by netready.timeout): va0");
    std::fs::write(&path, GATE.replace("va0", "va1")).unwrap();
    gate.signal(Signal::SIGHUP);
    gate.expect_status("Waiting (up to 5s by netready.timeout): va1");
    assert_eq!(gate.expect_exit(), Exit::Code(1));
}

/// An ordinary user can mount files in a namespace of his own. But no variable makes netready read another file.
#[test]
#[ignore = "needs a network namespace"]
fn no_variable_takes_the_place_of_the_kernel_command_line() {
    let ns = netns!().with_kernel_line(&["quiet"]);
    let other = ns.file("other", "netready.open\n");
    let gate = ns.command(&["run", &ns.gate(GATE)]).env("SYSTEMD_PROC_CMDLINE", "netready.open");
    let gate = gate.env("NETREADY_PROC_CMDLINE", &other).spawn();
    gate.expect_waiting();
    gate.stays_unready();
}
