//! `pasta = true`: what pasta would copy is usable for the container. Also the built-in gate `podman`.

use std::time::Duration;

use crate::harness::{DARK0, UP0, UP1, Want, rows};
use crate::netns;

const ADDR0: &str = "addr add 192.0.2.1/24 dev va0";
const ADDR1: &str = "addr add 198.51.100.1/24 dev va1";
const DEFAULT0: &str = "route add default via 192.0.2.254 dev va0 metric 100";
const DEFAULT1: &str = "route add default via 198.51.100.254 dev va1 metric 200";
const V6: &str = "addr add 2001:db8::1/64 dev va0 nodad; -6 route add default via 2001:db8::fe dev va0";

#[test]
#[ignore = "needs a network namespace"]
fn pasta_row_by_row() {
    let not = Want::Not;
    let pasta = "pasta = true";
    let up = |more: &str| format!("{UP0}; {ADDR0}; {more}");
    let two = |more: &str| format!("{UP0}; {ADDR0}; {UP1}; {ADDR1}; {more}");
    let docker0 = "link add docker0 type bridge; addr add 172.17.0.1/16 dev docker0; link set docker0 up";
    rows(&[
        (up(DEFAULT0), pasta, Want::Ready),
        (String::new(), pasta, not("no-route", "")),
        (UP0.to_owned(), pasta, not("no-route", "")),
        (format!("{UP0}; addr add 169.254.1.1/16 dev va0"), pasta, not("no-route", "")),
        // There is an address but no default route. pasta would start, and the container would never get a default
        // route.
        (up(""), pasta, not("no-route", "va0")),
        // The routes are linkdown, so pasta would die.
        (
            format!("{DARK0}; {ADDR0}; {DEFAULT0}"),
            pasta,
            not("no-carrier", "pasta would take va0 (default metric 100), which has no carrier"),
        ),
        (format!("{DARK0}; {ADDR0}"), pasta, not("no-carrier|no-route", "va0")),
        // The first default route counts, not any of them.
        (
            two(&format!("{DEFAULT0}; {DEFAULT1}; link set vb0 down")),
            pasta,
            not("no-carrier", "pasta would take va0"),
        ),
        (two(&format!("{DEFAULT0}; {DEFAULT1}; link set vb1 down")), pasta, Want::Ready),
        // The IPv6 default route is live, but the IPv4 default route is linkdown. pasta would copy it and die.
        (
            format!("{UP0}; {V6}; {UP1}; {ADDR1}; {DEFAULT1}; link set vb1 down"),
            pasta,
            not("no-carrier", "pasta would take va1"),
        ),
        (format!("{UP0}; {V6}"), pasta, Want::Ready),
        // The uplink has only IPv6, and docker0 is idle.
        (format!("{docker0}; {UP0}; {V6}"), pasta, not("no-carrier", "docker0")),
        (format!("{docker0}; {UP0}; {ADDR0}; {DEFAULT0}"), pasta, Want::Ready),
        (docker0.to_owned(), pasta, not("no-carrier|no-route", "docker0")),
        // The link of the default route has no address of the family.
        (format!("{UP0}; route add default dev va0"), pasta, not("no-address", "va0")),
        (
            format!("{UP0}; addr add fe80::7/64 dev va0 nodad; -6 route add default via fe80::1 dev va0"),
            pasta,
            not("no-address", "va0"),
        ),
        // Default routes that are unreachable do not count.
        (up("route add unreachable default"), pasta, not("no-route", "")),
        // pasta does not read other tables.
        (up("route add default via 192.0.2.254 table 100"), pasta, not("no-route", "")),
        // The gateway is on the link by the flag onlink, or by a host route (Hetzner).
        (
            format!("{UP0}; addr add 192.0.2.1/32 dev va0; route add default via 203.0.113.1 dev va0 onlink"),
            pasta,
            Want::Ready,
        ),
        (
            format!(
                "{UP0}; addr add 192.0.2.1/32 dev va0; route add 203.0.113.1/32 dev va0; route add default via 203.0.113.1 dev va0"
            ),
            pasta,
            Want::Ready,
        ),
    ]);
}

#[test]
#[ignore = "needs a network namespace"]
fn the_choice_must_stay_the_same_during_the_settle() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDR0}; {UP1}; {ADDR1}; {DEFAULT1}"));
    let gate = ns.run_gate("settle = \"3s\"\n[[require]]\npasta = true\n");
    gate.expect_status("must hold");
    std::thread::sleep(Duration::from_millis(300));
    let again = std::time::Instant::now();
    // The requirement is still met without a break, but by another link.
    ns.ip(DEFAULT0);
    gate.expect_ready();
    assert!(again.elapsed() >= Duration::from_secs(3), "{:?}", again.elapsed());
}

#[test]
#[ignore = "needs a network namespace"]
fn a_multipath_default_is_met_with_a_warning() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDR0}; {UP1}; {ADDR1}"));
    ns.ip("route add default nexthop via 192.0.2.254 dev va0 nexthop via 198.51.100.254 dev va1");
    let gate = ns.gate("[[require]]\npasta = true\n");
    let said = ns.output(&["check", &gate]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("warning") && said.stdout.contains("next hops"), "no warning: {said:?}");
    let check = ns.check(&[&gate]);
    check.assert_ready();
    assert_eq!(check.json["warnings"].as_array().map(Vec::len), Some(1), "{:#}", check.json);
}

/// The states that follow each other during a boot, and what each of them means for pasta.
#[test]
#[ignore = "needs a network namespace"]
fn the_podman_gate_through_a_boot() {
    let ns = netns!().with_private_etc();
    std::fs::write("/etc/resolv.conf", "nameserver 192.0.2.53\n").unwrap();
    let gate = ns.run(&["podman"]);
    gate.expect_waiting();
    ns.ip(&format!("{DARK0}; {ADDR0}; {DEFAULT0}"));
    gate.expect_status_where("no carrier", |s| s.starts_with("Waiting (up to 5min)") && s.contains("va0"));
    gate.stays_unready();
    let carrier = std::time::Instant::now();
    ns.ip("link set vb0 up");
    gate.expect_ready();
    let after = carrier.elapsed();
    assert!(after >= Duration::from_secs(1), "the settle is one second: {after:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn the_podman_gate_waits_for_the_route_of_a_family_that_is_on_its_way() {
    let ns = netns!().with_private_etc();
    std::fs::write("/etc/resolv.conf", "nameserver 192.0.2.53\n").unwrap();
    ns.ip(&format!("{UP0}; {ADDR0}; {DEFAULT0}; addr add 2001:db8::1/64 dev va0 nodad"));
    let gate = ns.run(&["podman"]);
    gate.expect_status("IPv6");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!gate.is_ready(), "{}", gate.transcript());
    ns.ip("-6 route add default via 2001:db8::fe dev va0");
    gate.expect_ready();
    assert!(!gate.expect_now_ready().contains("without"));
}
