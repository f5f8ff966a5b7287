//! SIGHUP: another gate, before and after READY=1.

use std::time::Duration;

use crate::harness::{DARK1, Exit, Process, Signal, UP0};
use crate::netns;

const VA0: &str = "[[require]]\ninterface = \"va0\"\ncarrier = true\n";
const VA1: &str = "[[require]]\ninterface = \"va1\"\ncarrier = true\n";

fn sent(gate: &Process) -> Vec<String> {
    gate.notifications().into_iter().map(|(_, line)| line).collect()
}

#[test]
#[ignore = "needs a network namespace"]
fn before_ready_it_swaps_the_gate_and_says_nothing_of_it() {
    let ns = netns!();
    ns.ip(UP0);
    let path = ns.gate(VA1);
    let gate = ns.run(&[&path]);
    gate.expect_status("va1");
    std::fs::write(&path, "timeout = \"50s\"\n[[require]]\ninterface = \"va7\"\ncarrier = true\n").unwrap();
    gate.signal(Signal::SIGHUP);
    gate.expect_status_where("the new gate's", |s| {
        s.starts_with("Waiting (up to 50s)") && s.contains("va7") && !s.contains("va1")
    });
    assert!(!sent(&gate).iter().any(|l| l == "READY=1" || l == "RELOADING=1"), "{}", gate.transcript());
    std::fs::write(&path, VA0).unwrap();
    gate.signal(Signal::SIGHUP);
    gate.expect_ready();
    assert_eq!(gate.count("RELOADING=1"), 0, "{}", gate.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn after_ready_it_ends_the_reload_at_once() {
    let ns = netns!();
    ns.ip(UP0);
    let path = ns.gate(VA0);
    let gate = ns.run(&[&path]);
    gate.expect_ready();
    // The new gate is shut. netready still sends READY=1, because this ends the reload. STATUS= says that it is not
    // ready.
    std::fs::write(&path, VA1).unwrap();
    let before: u128 = monotonic_usec();
    gate.signal(Signal::SIGHUP);
    gate.expect_status_where("the new gate is not ready", |s| !s.starts_with("Ready") && s.contains("va1"));
    ns.until("READY=1 again", || gate.count("READY=1") == 2);
    let lines = sent(&gate);
    let reloading = lines.iter().position(|l| l == "RELOADING=1").expect("RELOADING=1");
    let ready = lines.iter().rposition(|l| l == "READY=1").unwrap();
    assert!(reloading < ready, "{}", gate.transcript());
    let stamp = gate.all("MONOTONIC_USEC");
    assert_eq!(stamp.len(), 1, "{}", gate.transcript());
    let stamp: u128 = stamp[0].1.parse().unwrap();
    assert!(stamp >= before && stamp <= monotonic_usec(), "{before} <= {stamp}");
    ns.ip("link add va1 type veth peer name vb1; link set vb1 up; link set va1 up");
    gate.expect_now_ready();
    assert_eq!(gate.count("READY=1"), 2, "{}", gate.transcript());
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
}

fn monotonic_usec() -> u128 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid, writable timespec.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) }, 0);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap()).as_micros()
}

#[test]
#[ignore = "needs a network namespace"]
fn a_bad_file_keeps_the_old_gate() {
    let ns = netns!();
    let path = ns.gate(VA0);
    let gate = ns.run(&[&path]);
    gate.expect_waiting();
    let bad = [
        "[[require]]\ninterfac = \"va1\"\n",
        "timeout = \"0\"\n[[require]]\ninterface = \"va1\"\n",
        "not toml at all [",
        "",
    ];
    for (n, text) in bad.iter().enumerate() {
        std::fs::write(&path, text).unwrap();
        gate.signal(Signal::SIGHUP);
        ns.until("says so", || gate.stderr_lines().iter().filter(|l| l.contains(&path)).count() > n);
        gate.stays_unready();
    }
    ns.ip(UP0);
    gate.expect_ready();
    // After READY=1 the same holds: the reload ends, and the old gate stays.
    gate.signal(Signal::SIGHUP);
    ns.until("says so", || gate.stderr_lines().iter().filter(|l| l.contains(&path)).count() > bad.len());
    let lines = sent(&gate);
    if lines.iter().any(|l| l == "RELOADING=1") {
        ns.until("the reload ends", || gate.count("READY=1") == 2);
    }
    ns.ip("link set vb0 down");
    assert!(gate.expect_lost().contains("va0"));
    std::fs::remove_file(&path).unwrap();
    gate.signal(Signal::SIGHUP);
    ns.until("says so", || gate.stderr_lines().iter().filter(|l| l.contains(&path)).count() > bad.len() + 1);
    ns.ip("link set vb0 up");
    gate.expect_now_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn on_loss_applies_once_the_new_gate_has_been_ready() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DARK1}"));
    let path = ns.gate(VA0);
    let gate = ns.run(&[&path]);
    gate.expect_ready();
    std::fs::write(&path, format!("on-loss = \"fail\"\n{VA1}")).unwrap();
    gate.signal(Signal::SIGHUP);
    gate.expect_status("va1");
    std::thread::sleep(Duration::from_millis(150));
    assert!(!gate.has_exited(), "the new gate was never ready\n{}", gate.transcript());
    ns.ip("link set vb1 up");
    gate.expect_now_ready();
    ns.ip("link set vb1 down");
    assert_eq!(gate.expect_exit(), Exit::Code(1), "{}", gate.transcript());
}

/// The new gate needs messages that the old gate's filter dropped. Earlier changes must count too.
#[test]
#[ignore = "needs a network namespace"]
fn a_new_gate_knows_what_the_old_one_did_not_look_at() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let path = ns.gate(VA0);
    let gate = ns.run(&[&path]);
    gate.expect_ready();
    ns.ip("route add 203.0.113.0/24 via 192.0.2.254; route add default via 192.0.2.254 table 100; nexthop add id 7 via 192.0.2.254 dev va0");
    for (clause, lose, regain) in [
        (
            "route = \"203.0.113.0/24\"",
            "route del 203.0.113.0/24",
            "route add 203.0.113.0/24 via 192.0.2.253",
        ),
        (
            "route = \"default-ipv4\"\ntable = 100",
            "route flush table 100",
            "route add default via 192.0.2.254 table 100",
        ),
        (
            "route-to = \"203.0.113.7\"",
            "route add blackhole 203.0.113.0/28",
            "route del blackhole 203.0.113.0/28",
        ),
        (
            "address = \"192.0.2.1\"",
            "addr add 192.0.2.2/24 dev va0; addr del 192.0.2.1/24 dev va0",
            "addr add 192.0.2.1/24 dev va0",
        ),
    ] {
        std::fs::write(&path, format!("[[require]]\n{clause}\n")).unwrap();
        let reloads = gate.count("RELOADING=1");
        gate.signal(Signal::SIGHUP);
        ns.until("reloaded", || gate.count("RELOADING=1") == reloads + 1);
        gate.stays_ready();
        ns.ip(lose);
        gate.expect_lost();
        ns.ip(regain);
        gate.expect_now_ready();
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn many_hangups_at_once() {
    let ns = netns!();
    let path = ns.gate(VA0);
    let gate = ns.run(&[&path]);
    gate.expect_waiting();
    for _ in 0..50 {
        gate.signal(Signal::SIGHUP);
    }
    ns.ip(UP0);
    gate.expect_ready();
    for _ in 0..50 {
        gate.signal(Signal::SIGHUP);
    }
    ns.ip("link set vb0 down");
    gate.expect_lost();
    // Each reload that began has ended.
    ns.until("balance", || gate.count("READY=1") == 1 + gate.count("RELOADING=1"));
}
