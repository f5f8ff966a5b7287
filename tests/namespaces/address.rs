//! Addresses: which addresses count, and duplicate address detection.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use crate::harness::{DARK0, Elsewhere, UP0, UP1, Want, rows};
use crate::netns;

#[test]
#[ignore = "needs a network namespace"]
fn addresses_on_a_link_row_by_row() {
    let not = Want::Not;
    let up = |more: &str| format!("{UP0}; {more}");
    rows(&[
        (up("addr add 192.0.2.1/24 dev va0"), "-i va0 -a ipv4", Want::Ready),
        (up("addr add 192.0.2.1/24 dev va0"), "-i va0 -a ip", Want::Ready),
        (up("addr add 192.0.2.1/24 dev va0"), "-i va0 -a ipv6", not("no-address", "va0")),
        (up("addr add 192.0.2.1/24 dev va0"), "-i va0 -4", Want::Ready),
        (up("addr add 192.0.2.1/24 dev va0"), "-i va0 -6", not("no-address", "va0")),
        (up("addr add 2001:db8::1/64 dev va0 nodad"), "-i va0 -a ipv6", Want::Ready),
        (up("addr add 2001:db8::1/64 dev va0 nodad"), "-i va0 -a ip", Want::Ready),
        (up("addr add 2001:db8::1/64 dev va0 nodad"), "-i va0 -a ipv4", not("no-address", "va0")),
        (up("addr add fd00::1/64 dev va0 nodad"), "-i va0 -a ipv6", Want::Ready),
        // Link-local addresses are recognised by their prefix, because the kernel gives 169.254/16 global scope.
        (up(""), "-i va0 -a ipv6", not("no-address|tentative", "va0")),
        (up("addr add fe80::7/64 dev va0 nodad"), "-i va0 -a link-local-ipv6", Want::Ready),
        (up("addr add fe80::7/64 dev va0 nodad"), "-i va0 -a ipv6", not("no-address", "va0")),
        (up("addr add 169.254.1.1/16 dev va0"), "-i va0 -a ipv4", not("no-address", "va0")),
        (up("addr add 169.254.1.1/16 dev va0"), "-i va0 -a link-local-ipv4", Want::Ready),
        (up("addr add 192.0.2.1/24 dev va0"), "-i va0 -a link-local-ipv4", not("no-address", "va0")),
        (up("addr add 169.254.1.1/16 dev va0; addr add 192.0.2.1/24 dev va0"), "-i va0 -a ipv4", Want::Ready),
        // Scopes of addresses.
        (up("addr add 192.0.2.1/24 dev va0 scope host"), "-i va0 -a ipv4", not("no-address", "va0")),
        (up("addr add 192.0.2.1/24 dev va0 scope link"), "-i va0 -a ipv4", not("no-address", "va0")),
        (up("addr add 192.0.2.1/24 dev va0 scope site"), "-i va0 -a ipv4", Want::Ready),
        (up("addr add 127.5.0.1/16 dev va0"), "-i va0 -a ipv4", not("no-address", "va0")),
        // Exact addresses and prefixes distinguish addresses within one subnet.
        (up("addr add 192.0.2.8/24 dev va0"), "-i va0 -a 192.0.2.7", not("no-address", "192.0.2.7")),
        (up("addr add 192.0.2.7/24 dev va0"), "-i va0 -a 192.0.2.7", Want::Ready),
        (up("addr add 192.0.2.8/24 dev va0"), "-i va0 -a 192.0.2.0/29", not("no-address", "192.0.2.0/29")),
        (up("addr add 192.0.2.7/24 dev va0"), "-i va0 -a 192.0.2.0/29", Want::Ready),
        (up("addr add 2001:db8:1::1/64 dev va0 nodad"), "-i va0 -a 2001:db8::/48", not("no-address", "2001:db8::/48")),
        (up("addr add 2001:db8:0:9::1/64 dev va0 nodad"), "-i va0 -a 2001:db8::/48", Want::Ready),
        // A peer address is not an address of this host.
        (up("addr add 192.0.2.1 peer 192.0.2.7 dev va0"), "-i va0 -a 192.0.2.7", not("no-address", "192.0.2.7")),
        (up("addr add 192.0.2.1 peer 192.0.2.7 dev va0"), "-i va0 -a 192.0.2.1", Want::Ready),
        // The address is on another link.
        (format!("{UP0}; {UP1}; addr add 192.0.2.7/24 dev va1"), "-i va0 -a 192.0.2.7", not("no-address", "va0")),
        // A deprecated address counts only for a requirement that names it exactly.
        (up("addr add 192.0.2.1/24 dev va0 valid_lft 300 preferred_lft 0"), "-i va0 -a ipv4", not("deprecated", "192.0.2.1")),
        (up("addr add 192.0.2.1/24 dev va0 valid_lft 300 preferred_lft 0"), "-i va0 -a 192.0.2.0/24", not("deprecated", "192.0.2.1")),
        (up("addr add 192.0.2.1/24 dev va0 valid_lft 300 preferred_lft 0"), "-i va0 -a 192.0.2.1", Want::Ready),
        (up("addr add 2001:db8::1/64 dev va0 nodad valid_lft 300 preferred_lft 0"), "-i va0 -a ipv6", not("deprecated", "2001:db8::1")),
        (up("addr add 2001:db8::1/64 dev va0 nodad valid_lft 300 preferred_lft 0"), "-i va0 -a 2001:db8::1", Want::Ready),
        // Without carrier, an IPv6 address stays tentative for ever.
        (
            format!("{DARK0}; addr add 2001:db8::1/64 dev va0"),
            "interface = \"va0\"; carrier = false; address = \"ipv6\"",
            not("tentative", "2001:db8::1"),
        ),
        (
            format!("{UP0}; sysctl net.ipv6.conf.va0.disable_ipv6=1; addr add 192.0.2.1/24 dev va0"),
            "-i va0 -a ipv4 -a ipv6",
            not("no-address", "IPv6 disabled on va0"),
        ),
        // With optimistic duplicate address detection, an address is usable while detection runs.
        (
            "sysctl net.ipv6.conf.default.optimistic_dad=1; sysctl net.ipv6.conf.all.optimistic_dad=1; \
             sysctl net.ipv6.conf.default.use_optimistic=1; sysctl net.ipv6.conf.all.use_optimistic=1; sysctl net.ipv6.conf.default.dad_transmits=100; link add va0 type veth peer name vb0; link set vb0 up; \
             link set va0 up; addr add 2001:db8::1/64 dev va0 optimistic"
                .to_owned(),
            "-i va0 -a ipv6",
            Want::Ready,
        ),
    ]);
}

#[test]
#[ignore = "needs a network namespace"]
fn addresses_of_the_host_row_by_row() {
    let not = Want::Not;
    rows(&[
        (format!("{UP0}; addr add 192.0.2.1/24 dev va0"), "-a ipv4", Want::Ready),
        (format!("{DARK0}; addr add 192.0.2.1/24 dev va0"), "-a ipv4", not("no-address|no-carrier", "")),
        (
            format!("{DARK0}; addr add 192.0.2.1/24 dev va0"),
            "-a 192.0.2.0/24",
            not("no-address|no-carrier", "192.0.2."),
        ),
        (format!("{DARK0}; addr add 192.0.2.1/24 dev va0"), "-a 192.0.2.1", Want::Ready),
        (
            "link set lo up; addr add 192.0.2.1/32 dev lo".to_owned(),
            "-a ipv4",
            not("no-address|no-carrier", ""),
        ),
        ("link set lo up; addr add 192.0.2.1/32 dev lo".to_owned(), "-a 192.0.2.1", Want::Ready),
        ("link set lo up".to_owned(), "-a 127.0.0.1", Want::Ready),
        // bind(2) accepts each address in the prefix of an IPv4 address on a loopback link.
        ("link set lo up".to_owned(), "-a 127.0.0.53", Want::Ready),
        ("link set lo up; addr add 198.51.100.0/24 dev lo".to_owned(), "-a 198.51.100.77", Want::Ready),
        (format!("{UP0}; addr add 198.51.100.1/24 dev va0"), "-a 198.51.100.77", not("no-address", "")),
        (
            format!(
                "{UP0}; addr add 239.1.1.1/32 dev va0 autojoin; addr add ff05::77/128 dev va0 autojoin nodad"
            ),
            "-a ip",
            not("no-address", ""),
        ),
        ("link set lo up".to_owned(), "-a ::1", Want::Ready),
        // Each item is evaluated by itself, so two links may together meet the clause.
        (
            format!("{UP0}; {UP1}; addr add 192.0.2.1/24 dev va0; addr add 2001:db8::1/64 dev va1 nodad"),
            "-a ipv4 -a ipv6",
            Want::Ready,
        ),
        (
            format!("{UP0}; {UP1}; addr add 192.0.2.1/24 dev va0; addr add 2001:db8::1/64 dev va1 nodad"),
            "-i va0 -a ipv4 -a ipv6",
            not("no-address", "va0"),
        ),
    ]);
}

#[test]
#[ignore = "needs a network namespace"]
fn a_gate_waits_for_dad() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run(&["-i", "va0", "-a", "ipv6"]);
    gate.expect_waiting();
    ns.ip(&format!("{SLOW_DAD}; addr add 2001:db8::1/64 dev va0"));
    gate.expect_status("2001:db8::1 on va0 is tentative");
    assert!(!gate.is_ready());
    gate.expect_ready();
    let flags = &ns.ip_json("-6 addr show dev va0 to 2001:db8::1")[0]["addr_info"][0];
    assert_ne!(flags["tentative"], true, "{flags}");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_duplicate_is_named_and_the_wait_goes_on() {
    let ns = netns!();
    let elsewhere = Elsewhere::new();
    ns.ip("link add va0 type veth peer name vb0");
    ns.ip(&format!("link set vb0 netns {}", elsewhere.pid()));
    elsewhere.ip("link set vb0 up; addr add 2001:db8::7/64 dev vb0 nodad");
    ns.ip("link set va0 up");
    let gate = ns.run(&["-i", "va0", "-a", "ipv6"]);
    let exact = ns.run(&["-a", "2001:db8::7"]);
    gate.expect_waiting();
    ns.ip("addr add 2001:db8::7/64 dev va0");
    for gate in [&gate, &exact] {
        gate.expect_status_where("dadfailed", |s| s.contains("2001:db8::7") && s.contains("dadfailed"));
    }
    ns.check(&["-i", "va0", "-a", "ipv6"]).assert_unready("dadfailed", "2001:db8::7");
    gate.stays_unready();
    // Another address is enough for the family. The failed one causes a warning.
    ns.ip("addr add 2001:db8::8/64 dev va0 nodad");
    gate.expect_ready();
    exact.stays_unready();
    let said = ns.output(&["check", "-i", "va0", "-a", "ipv6"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!((said.stdout + &said.stderr).contains("2001:db8::7"), "no warning of the duplicate");
    // The other host gives up the address, and it is added here again.
    elsewhere.ip("addr del 2001:db8::7/64 dev vb0");
    ns.ip("addr del 2001:db8::7/64 dev va0; addr add 2001:db8::7/64 dev va0");
    exact.expect_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn an_optimistic_address_is_usable_and_can_be_bound() {
    let ns = netns!();
    ns.ip("sysctl net.ipv6.conf.all.optimistic_dad=1; sysctl net.ipv6.conf.default.optimistic_dad=1");
    ns.ip("sysctl net.ipv6.conf.default.dad_transmits=100; link set lo up");
    // Without use_optimistic, the kernel announces an optimistic address only when detection has finished.
    ns.ip("sysctl net.ipv6.conf.all.use_optimistic=1; sysctl net.ipv6.conf.default.use_optimistic=1");
    ns.ip(UP0);
    let optimistic = ns.run(&["-a", "2001:db8::7"]);
    optimistic.expect_waiting();
    ns.ip("addr add 2001:db8::7/64 dev va0 optimistic");
    optimistic.expect_ready();
    let address = ns.ip_json("-6 addr show dev va0 to 2001:db8::7");
    let flags = &address[0]["addr_info"][0];
    assert!(
        flags["tentative"] == true || flags["optimistic"] == true,
        "the kernel was done too soon: {flags}"
    );
    TcpListener::bind("[2001:db8::7]:0").expect("an optimistic address can be bound");
    // For comparison: a tentative address that is not optimistic can neither be bound nor meet the gate.
    ns.ip("sysctl net.ipv6.conf.va0.optimistic_dad=0; sysctl net.ipv6.conf.all.optimistic_dad=0");
    ns.ip("sysctl net.ipv6.conf.va0.dad_transmits=100; addr add 2001:db8::8/64 dev va0");
    UdpSocket::bind("[2001:db8::8]:0").expect_err("a tentative address cannot be bound");
    ns.check(&["-a", "2001:db8::8"]).assert_unready("tentative", "2001:db8::8");
}

#[test]
#[ignore = "needs a network namespace"]
fn both_families_come_in_either_order() {
    for (first, second) in [
        ("addr add 2001:db8::1/64 dev va0 nodad", "addr add 192.0.2.1/24 dev va0"),
        ("addr add 192.0.2.1/24 dev va0", "addr add 2001:db8::1/64 dev va0 nodad"),
    ] {
        let ns = netns!();
        ns.ip(UP0);
        let both = ns.run(&["-i", "va0", "-a", "ipv4", "-a", "ipv6"]);
        let either = ns.run(&["-i", "va0", "-a", "ip"]);
        both.expect_waiting();
        either.expect_waiting();
        ns.ip(first);
        either.expect_ready();
        both.stays_unready();
        ns.ip(second);
        both.expect_ready();
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn a_family_with_grace_is_not_waited_for_for_ever() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(
        "[[require]]\ninterface = \"va0\"\naddress = \"ipv4\"\n[[require]]\ninterface = \"va0\"\naddress = \"ipv6\"\ngrace = \"1s\"\n",
    );
    gate.expect_waiting();
    gate.stays_unready();
    let before = std::time::Instant::now();
    ns.ip("addr add 192.0.2.1/24 dev va0");
    gate.expect_ready();
    let after = before.elapsed();
    assert!(after >= Duration::from_secs(1), "the grace counts from when everything else was met: {after:?}");
    let status = gate.expect_now_ready();
    assert!(status.contains("without") && status.contains("IPv6"), "{status}");
    // The address arrives at last, and the status is up to date again.
    ns.ip("addr add 2001:db8::1/64 dev va0 nodad");
    gate.expect_status_where("nothing missing", |s| s.starts_with("Ready") && !s.contains("without"));
}

#[test]
#[ignore = "needs a network namespace"]
fn a_lease_that_runs_out() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run(&["-i", "va0", "-a", "ipv4"]);
    gate.expect_waiting();
    ns.ip("addr add 192.0.2.1/24 dev va0 valid_lft 4 preferred_lft 4");
    gate.expect_ready();
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_renewed_lease_is_no_news() {
    let ns = netns!();
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0 valid_lft 600 preferred_lft 600");
    let gate = ns.run(&["-i", "va0", "-a", "ipv4"]);
    gate.expect_ready();
    gate.expect_stderr("Ready after");
    let (statuses, lines) = (gate.statuses(), gate.stderr_lines());
    for _ in 0..5 {
        ns.ip("addr replace 192.0.2.1/24 dev va0 valid_lft 600 preferred_lft 600");
    }
    gate.stays_ready();
    assert_eq!(gate.statuses(), statuses);
    assert_eq!(gate.stderr_lines(), lines);
}

#[test]
#[ignore = "needs a network namespace"]
fn one_of_two_addresses_goes() {
    let ns = netns!();
    ns.ip(UP0);
    ns.ip("sysctl net.ipv4.conf.all.promote_secondaries=1; sysctl net.ipv4.conf.va0.promote_secondaries=1");
    ns.ip("addr add 192.0.2.1/24 dev va0; addr add 192.0.2.2/24 dev va0; addr add 192.0.2.3/24 dev va0");
    let gate = ns.run(&["-i", "va0", "-a", "ipv4"]);
    gate.expect_ready();
    ns.ip("addr del 192.0.2.2/24 dev va0");
    gate.stays_ready();
    ns.ip("addr del 192.0.2.1/24 dev va0");
    gate.stays_ready();
    ns.ip("addr del 192.0.2.3/24 dev va0");
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn without_promotion_the_secondaries_go_too() {
    let ns = netns!();
    ns.ip(UP0);
    ns.ip("sysctl net.ipv4.conf.all.promote_secondaries=0; sysctl net.ipv4.conf.va0.promote_secondaries=0");
    ns.ip("addr add 192.0.2.1/24 dev va0; addr add 192.0.2.2/24 dev va0");
    let gate = ns.run(&["-i", "va0", "-a", "ipv4"]);
    gate.expect_ready();
    ns.ip("addr del 192.0.2.1/24 dev va0");
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn admin_down_keeps_the_ipv4_address_and_loses_the_gate() {
    let ns = netns!();
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0");
    let (link, host) = (ns.run(&["-i", "va0", "-a", "ipv4"]), ns.run(&["-a", "ipv4"]));
    link.expect_ready();
    host.expect_ready();
    ns.ip("link set va0 down");
    assert_eq!(ns.ip_json("-4 addr show dev va0")[0]["addr_info"][0]["local"], "192.0.2.1");
    link.expect_lost();
    host.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn an_exact_address_follows_its_link_host_wide() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DARK1}", DARK1 = crate::harness::DARK1));
    let gate = ns.run(&["-a", "192.0.2.7"]);
    gate.expect_waiting();
    ns.ip("addr add 192.0.2.8/24 dev va0");
    gate.stays_unready();
    ns.ip("addr add 192.0.2.7/32 dev va1");
    gate.expect_ready();
    ns.ip("addr add 192.0.2.7/32 dev va0; addr del 192.0.2.7/32 dev va1");
    gate.stays_ready();
    ns.ip("addr del 192.0.2.7/32 dev va0");
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn many_addresses_cost_few_evaluations() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run(&["-i", "va0", "-a", "198.51.100.7"]);
    gate.expect_waiting();
    let adds: String = (1..=200).map(|n| format!("addr add 192.0.2.{n}/32 dev va0\n")).collect();
    ns.ip_batch(&adds);
    ns.ip("addr add 198.51.100.7/32 dev va0");
    gate.expect_ready();
    assert!(gate.statuses().len() < 10, "{}", gate.transcript());
}

/// A link that keeps its static IPv6 address when it is set down, and another link with IPv4.
fn kept() -> String {
    format!(
        "{UP0}; {UP1}; sysctl net.ipv6.conf.va0.keep_addr_on_down=1; addr add 2001:db8::7/64 dev va0
         addr add 192.0.2.10/24 dev va1"
    )
}

/// From now on, duplicate address detection takes five seconds, so that a busy machine does not miss it.
const SLOW_DAD: &str = "sysctl net.ipv6.conf.va0.dad_transmits=5";

/// No message says that a kept address is tentative. bind(2) refuses it, so the gate must not count it either.
#[test]
#[ignore = "needs a network namespace"]
fn a_kept_address_is_tentative_until_detection_is_done() {
    let ns = netns!();
    ns.ip(&kept());
    let bindable = || UdpSocket::bind("[2001:db8::7]:0").is_ok();
    ns.until("the address is usable", bindable);
    ns.ip(SLOW_DAD);
    let alone = ns.run(&["-a", "2001:db8::7"]);
    let first_read = ns.run(&["-a", "2001:db8::7", "-r", "default-ipv4"]);
    alone.expect_ready();
    first_read.expect_waiting();
    ns.ip("link set va0 down; link set va0 up; route add default via 192.0.2.1 dev va1");
    assert!(!bindable(), "the kernel keeps it usable");
    alone.expect_lost();
    first_read.stays_unready();
    alone.expect_now_ready();
    first_read.expect_ready();
    assert!(bindable());
}

/// The link goes down and up again while netready does not read. The gate sees each change when it is announced.
#[test]
#[ignore = "needs a network namespace"]
fn a_kept_address_whose_link_comes_and_goes_at_once() {
    let ns = netns!();
    ns.ip(&kept());
    let bindable = || UdpSocket::bind("[2001:db8::7]:0").is_ok();
    ns.until("the address is usable", bindable);
    ns.ip(SLOW_DAD);
    let family = ns.run(&["-i", "va0", "-a", "ipv6"]);
    let exact = ns.run(&["-a", "2001:db8::7"]);
    for _ in 0..2 {
        family.expect_now_ready();
        exact.expect_now_ready();
        ns.ip_batch("link set va0 down\nlink set va0 up\nlink set va0 down\nlink set va0 up\n");
        family.expect_lost();
        exact.expect_lost();
    }
    family.expect_now_ready();
    assert!(bindable());
    // The link stays down. The address still exists, but cannot be bound.
    ns.ip("link set va0 down");
    let told = exact.expect_lost();
    assert!(told.contains("tentative"), "{told}");
    ns.check(&["-a", "2001:db8::7"]).assert_unready("tentative", "2001:db8::7");
}

/// Without duplicate address detection a kept address stays usable. Without the setting it is removed.
#[test]
#[ignore = "needs a network namespace"]
fn addresses_that_are_not_made_tentative() {
    let ns = netns!();
    ns.ip(&kept());
    ns.ip("addr add 2001:db8::8/64 dev va0 nodad");
    let nodad = ns.run(&["-a", "2001:db8::8"]);
    nodad.expect_ready();
    ns.ip("link set va0 down");
    let bound = UdpSocket::bind("[2001:db8::8]:0").is_ok();
    assert_eq!(ns.check(&["-a", "2001:db8::8"]).ready(), bound);
    ns.ip("link set va0 up");
    nodad.expect_now_ready();
    ns.ip("sysctl net.ipv6.conf.va0.keep_addr_on_down=0; link set va0 down");
    assert!(nodad.expect_lost().contains("no address 2001:db8::8"));
}
