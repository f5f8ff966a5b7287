//! Links and their carrier.

use std::time::Duration;

use crate::harness::{DARK0, DARK1, Exit, UP0, UP1, Want, rows};
use crate::netns;

const CARRIER_VA0: &str = "interface = \"va0\"; carrier = true";

#[test]
#[ignore = "needs a network namespace"]
fn carrier_row_by_row() {
    let not = Want::Not;
    let row = |setup: &str| setup.to_owned();
    let table = [
        (row(UP0), CARRIER_VA0, Want::Ready),
        (row(""), CARRIER_VA0, not("absent", "va0")),
        (row(DARK0), CARRIER_VA0, not("no-carrier", "va0")),
        (row(DARK0), CARRIER_VA0, not("no-carrier", "no carrier (LOWERLAYERDOWN)")),
        (format!("{UP0}; link set va0 down"), CARRIER_VA0, not("admin-down", "va0")),
        (format!("{UP0}; link set va0 down"), CARRIER_VA0, not("admin-down", "administratively down")),
        // The gate does not name the other link, so its state does not matter.
        (format!("{DARK0}; {UP1}"), "interface = \"va1\"; carrier = true", Want::Ready),
        (format!("{UP0}; {DARK1}"), "interface = \"va1\"; carrier = true", not("no-carrier", "va1")),
        // A link with the operstate UNKNOWN has IFF_RUNNING.
        (
            row("link add vx0 type vxlan id 7 local 192.0.2.9 dstport 4789; link set vx0 up"),
            "interface = \"vx0\"; carrier = true",
            Want::Ready,
        ),
        (
            row("link add ifb7 type ifb; link set ifb7 up"),
            "interface = \"ifb7\"; carrier = true",
            Want::Ready,
        ),
        // Loopback is matched only by its name.
        (row("link set lo up"), "interface = \"lo\"; carrier = true", Want::Ready),
        (row("link set lo up"), "interface = \"*\"; carrier = true", not("absent", "")),
        (format!("link set lo up; {DARK0}"), "interface = \"va*\"; carrier = true", not("no-carrier", "va0")),
        // Macvlan and macvtap follow the link below them.
        (
            format!("{UP0}; link add mv0 link va0 type macvlan mode bridge; link set mv0 up"),
            "interface = \"mv0\"; carrier = true",
            Want::Ready,
        ),
        (
            format!(
                "{UP0}; link add mv0 link va0 type macvlan mode bridge; link set mv0 up; link set vb0 down"
            ),
            "interface = \"mv0\"; carrier = true",
            not("no-carrier", "mv0"),
        ),
        (
            format!("{UP0}; link add mt0 link va0 type macvtap; link set mt0 up"),
            "interface = \"mt0\"; carrier = true",
            Want::Ready,
        ),
        // A clause without items also requires an address of either family.
        (row(UP0), "interface = \"va0\"", not("no-address", "va0")),
        (format!("{UP0}; addr add 192.0.2.1/24 dev va0"), "interface = \"va0\"", Want::Ready),
        (format!("{UP0}; addr add 2001:db8::1/64 dev va0 nodad"), "interface = \"va0\"", Want::Ready),
        (format!("{DARK0}; addr add 192.0.2.1/24 dev va0"), "interface = \"va0\"", not("no-carrier", "va0")),
        // With carrier = false the clause does not require carrier.
        (
            format!("{DARK0}; addr add 192.0.2.1/24 dev va0"),
            "interface = \"va0\"; carrier = false; address = \"ipv4\"",
            Want::Ready,
        ),
        (
            format!("{DARK0}; addr add 192.0.2.1/24 dev va0"),
            "interface = \"va0\"; address = \"ipv4\"",
            not("no-carrier", "va0"),
        ),
        (
            "tuntap add dev tun0 mode tun; link set tun0 up; addr add 192.0.2.1/24 dev tun0".to_owned(),
            "interface = \"tun0\"; address = \"ipv4\"",
            not("no-carrier", "tun0"),
        ),
        (
            "tuntap add dev tun0 mode tun; link set tun0 up; addr add 192.0.2.1/24 dev tun0".to_owned(),
            "interface = \"tun0\"; carrier = false; address = \"ipv4\"",
            Want::Ready,
        ),
    ];
    rows(&table);
}

#[test]
#[ignore = "needs a network namespace"]
fn ready_at_the_first_evaluation() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n");
    gate.expect_ready();
    gate.expect_status_where("Ready after …", |status| status.starts_with("Ready after "));
    // If an evaluation preceded this one, its status would be "Waiting".
    assert_eq!(gate.statuses().len(), 1, "{}", gate.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn a_link_that_appears_later() {
    let ns = netns!();
    let gate = ns.run_gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n");
    gate.expect_status("va0");
    ns.ip(DARK0);
    gate.expect_status("carrier");
    gate.stays_unready();
    ns.ip("link set vb0 up");
    gate.expect_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn states_are_told_as_they_come() {
    let ns = netns!();
    let gate = ns.run(&["-i", "va0", "-t", "infinity"]);
    gate.expect_waiting();
    ns.ip("link add va0 type veth peer name vb0");
    gate.expect_status_where("va0 administratively down", |s| {
        s.contains("va0") && s.contains("administratively down")
    });
    ns.ip("link set va0 up");
    gate.expect_status("va0 has no carrier");
    ns.ip("link set vb0 up");
    gate.expect_status_where("an address is missing", |s| !s.contains("carrier") && s.contains("va0"));
    assert!(!gate.is_ready());
    ns.ip("addr add 192.0.2.1/24 dev va0");
    gate.expect_ready();
    ns.ip("link set vb0 down");
    let lost = gate.expect_lost();
    assert!(lost.contains("va0 has no carrier") && lost.contains("(was ready for "), "{lost}");
    ns.ip("link set vb0 up");
    gate.expect_now_ready();
    ns.ip("link del va0");
    let lost = gate.expect_lost();
    assert!(lost.contains("va0"), "{lost}");
    assert_eq!(gate.count("READY=1"), 1, "{}", gate.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn no_carrier_timeout_ends_the_wait_earlier() {
    let ns = netns!();
    ns.ip(&format!("{DARK0}; {DARK1}"));
    let gate = ns.run_gate(
        "timeout = \"60s\"\nno-carrier-timeout = \"1s\"\n[[require]]\ninterface = [\"va0\", \"va1\"]\nquorum = \"any\"\n",
    );
    assert_eq!(gate.expect_exit(), Exit::Code(1));
    let after = gate.exited_after();
    assert!(after >= Duration::from_secs(1) && after < Duration::from_secs(60), "{after:?}");
    assert!(gate.stderr().contains("carrier"), "{}", gate.transcript());
    assert!(!gate.is_ready());
}

#[test]
#[ignore = "needs a network namespace"]
fn no_carrier_timeout_counts_only_while_no_wanted_link_has_carrier() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DARK1}"));
    // va1 has no carrier, but va0 has. So the gate's own timeout counts.
    let gate = ns.run_gate(
        "timeout = \"1500ms\"\nno-carrier-timeout = \"300ms\"\n[[require]]\ninterface = [\"va0\", \"va1\"]\ncarrier = true\n",
    );
    assert_eq!(gate.expect_exit(), Exit::Code(1));
    assert!(gate.exited_after() >= Duration::from_millis(1500), "{}", gate.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn a_macvlan_follows_its_parent() {
    let ns = netns!();
    ns.ip(UP0);
    ns.ip("link add mv0 link va0 type macvlan mode bridge; link set mv0 up");
    let gate = ns.run_gate("[[require]]\ninterface = \"mv0\"\ncarrier = true\n");
    gate.expect_ready();
    ns.ip("link set vb0 down");
    gate.expect_lost();
    ns.ip("link set vb0 up");
    gate.expect_now_ready();
    ns.ip("link set va0 down");
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_dormant_link_is_not_usable() {
    let ns = netns!();
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0; link set dev va0 mode dormant; link set vb0 down");
    ns.until("carrier lost", || ns.ip_json("link show va0")[0]["operstate"] == "LOWERLAYERDOWN");
    ns.ip("link set vb0 up");
    ns.until("operstate DORMANT", || ns.ip_json("link show va0")[0]["operstate"] == "DORMANT");
    ns.check(&["-i", "va0"]).assert_unready("dormant", "dormant");
    let gate = ns.run(&["-i", "va0"]);
    gate.expect_status("dormant");
    gate.stays_unready();
    ns.ip("link set dev va0 state up");
    gate.expect_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_flapping_link_must_settle() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate("settle = \"3s\"\n[[require]]\ninterface = \"va0\"\ncarrier = true\n");
    gate.expect_status("must hold for");
    let mut last_up = std::time::Instant::now();
    for _ in 0..20 {
        ns.ip("link set vb0 down");
        last_up = std::time::Instant::now();
        ns.ip("link set vb0 up");
    }
    gate.expect_ready();
    let ready = gate.notifications().iter().find(|(_, line)| line == "READY=1").unwrap().0;
    assert!(ready - last_up >= Duration::from_secs(3), "{:?} after the last flap", ready - last_up);
}

#[test]
#[ignore = "needs a network namespace"]
fn a_flapping_link_without_settle_is_judged_by_its_last_state() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n");
    gate.expect_ready();
    let flaps = "link set vb0 down\nlink set vb0 up\n".repeat(20);
    ns.ip_batch(&format!("{flaps}link set vb0 down\n"));
    gate.expect_lost();
    ns.ip_batch(&flaps);
    gate.expect_now_ready();
    gate.stays_ready();
    // netready prints at most one line for each change of the verdict.
    let verdicts = gate.statuses().len();
    let lines = gate.stderr_lines().len();
    assert!(lines <= verdicts + 2, "{lines} lines for {verdicts} statuses\n{}", gate.transcript());
}

/// The kernel takes alternative names until they fill 64 KiB. The message about such a link is longer than that.
#[test]
#[ignore = "needs a network namespace"]
fn a_link_with_very_many_names_is_seen() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let run = ns.run(&["-i", "va0", "-a", "192.0.2.2"]);
    run.expect_status("192.0.2.2");
    let name = |number: u32| format!("link property add dev va0 altname n{number:03}{}", "a".repeat(120));
    let names: Vec<String> = (0..494).map(name).collect();
    ns.ip(&names.join("; "));
    ns.check(&["-i", "va0", "-a", "ipv4"]).assert_ready();
    ns.ip("addr add 192.0.2.2/24 dev va0");
    run.expect_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_link_moved_to_another_namespace_is_gone() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n");
    gate.expect_ready();
    let elsewhere = crate::harness::Elsewhere::new();
    ns.ip(&format!("link set va0 netns {}", elsewhere.pid()));
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_peer_in_another_namespace_is_no_lower_link() {
    let ns = netns!();
    let elsewhere = crate::harness::Elsewhere::new();
    ns.ip(UP0);
    ns.ip(&format!("link set vb0 netns {}", elsewhere.pid()));
    elsewhere.ip("link set vb0 up");
    let gate = ns.run_gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n");
    gate.expect_ready();
    elsewhere.ip("link set vb0 down");
    gate.expect_lost();
    ns.check_gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n").assert_unready("no-carrier", "va0");
}
