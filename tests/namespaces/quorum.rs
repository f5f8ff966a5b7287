//! Several links in one clause: every entry, any, a number, all. Also globs, exclusions, grace and if-present.

use std::time::Duration;

use crate::harness::{DARK0, DARK1, UP0, UP1, UP2, Want, rows};
use crate::netns;

const ALL_DARK: &str = "link add va0 type veth peer name vb0; link set va0 up; \
                        link add va1 type veth peer name vb1; link set va1 up; \
                        link add va2 type veth peer name vb2; link set va2 up";

#[test]
#[ignore = "needs a network namespace"]
fn quorums_row_by_row() {
    let not = Want::Not;
    let some = format!("{UP0}; {DARK1}");
    rows(&[
        // Every entry counts. A name needs its link.
        (some.clone(), r#"interface = ["va0", "va1"]; carrier = true"#, not("no-carrier", "va1")),
        (format!("{UP0}; {UP1}"), r#"interface = ["va0", "va1"]; carrier = true"#, Want::Ready),
        (UP0.to_owned(), r#"interface = ["va0", "va1"]; carrier = true"#, not("absent", "va1")),
        // A glob needs at least one of its links.
        (some.clone(), r#"interface = "va*"; carrier = true"#, Want::Ready),
        (format!("{DARK0}; {DARK1}"), r#"interface = "va*"; carrier = true"#, not("no-carrier", "")),
        (some.clone(), r#"interface = ["va*", "va1"]; carrier = true"#, not("no-carrier", "va1")),
        (some.clone(), r#"interface = ["va0", "en*"]; carrier = true"#, not("absent", "en*")),
        (some.clone(), r#"interface = ["va?", "v[a]0"]; carrier = true"#, Want::Ready),
        // "any": one link is enough.
        (some.clone(), r#"interface = ["va0", "va1"]; quorum = "any"; carrier = true"#, Want::Ready),
        (
            some.clone(),
            r#"interface = ["va1", "va7"]; quorum = "any"; carrier = true"#,
            not("no-carrier|absent", "va"),
        ),
        (some.clone(), r#"interface = ["en*", "va0"]; quorum = "any"; carrier = true"#, Want::Ready),
        // A number of links. A link that is named twice counts once.
        (
            format!("{some}; {UP2}"),
            r#"interface = ["va0", "va1", "va2"]; quorum = 2; carrier = true"#,
            Want::Ready,
        ),
        (
            some.clone(),
            r#"interface = ["va0", "va1", "va2"]; quorum = 2; carrier = true"#,
            not("no-carrier", "va1"),
        ),
        (some.clone(), r#"interface = ["va0", "va*"]; quorum = 2; carrier = true"#, not("no-carrier", "va1")),
        (
            some.clone(),
            r#"interface = ["va0", "va0", "va1"]; quorum = 2; carrier = true"#,
            not("no-carrier", "va1"),
        ),
        (format!("{UP0}; {UP1}"), r#"interface = "va*"; quorum = 2; carrier = true"#, Want::Ready),
        (UP0.to_owned(), r#"interface = "va*"; quorum = 2; carrier = true"#, not("absent|no-carrier", "")),
        // "all": every entry, and every link that a glob matches.
        (some.clone(), r#"interface = "va*"; quorum = "all"; carrier = true"#, not("no-carrier", "va1")),
        (format!("{UP0}; {UP1}"), r#"interface = "va*"; quorum = "all"; carrier = true"#, Want::Ready),
        (
            UP0.to_owned(),
            r#"interface = ["va*", "va7"]; quorum = "all"; carrier = true"#,
            not("absent", "va7"),
        ),
        (UP0.to_owned(), r#"interface = "en*"; quorum = "all"; carrier = true"#, not("absent", "en*")),
        // Exclusions.
        (some.clone(), r#"interface = ["va*", "!va1"]; quorum = "all"; carrier = true"#, Want::Ready),
        (some.clone(), r#"interface = ["va*", "!va0"]; carrier = true"#, not("no-carrier", "va1")),
        (UP0.to_owned(), r#"interface = ["va*", "!v*0"]; carrier = true"#, not("absent", "va*")),
        (
            format!("{UP0}; {DARK1}; link set vb1 down"),
            r#"interface = ["*", "!vb*", "!va1"]; quorum = "all"; carrier = true"#,
            Want::Ready,
        ),
        // One link must have every item.
        (
            format!("{UP0}; {UP1}; addr add 192.0.2.1/24 dev va0; addr add 2001:db8::1/64 dev va1 nodad"),
            r#"interface = ["va0", "va1"]; quorum = "any"; address = ["ipv4", "ipv6"]"#,
            not("no-address", "va"),
        ),
        (
            format!("{UP0}; {UP1}; addr add 192.0.2.1/24 dev va1; addr add 2001:db8::1/64 dev va1 nodad"),
            r#"interface = ["va0", "va1"]; quorum = "any"; address = ["ipv4", "ipv6"]"#,
            Want::Ready,
        ),
        // In a clause about the host, the quorum counts the entries of its only list.
        (
            format!("{UP0}; addr add 192.0.2.1/24 dev va0"),
            r#"address = ["ipv6", "ipv4"]; quorum = "any""#,
            Want::Ready,
        ),
        (
            format!("{UP0}; addr add 192.0.2.1/24 dev va0"),
            r#"address = ["ipv6", "ipv4"]"#,
            not("no-address", "IPv6"),
        ),
        (
            format!(
                "{UP0}; addr add 192.0.2.1/24 dev va0; route add 203.0.113.0/24 dev va0; route add 198.18.0.0/15 dev va0"
            ),
            r#"route = ["203.0.113.0/24", "198.18.0.0/15", "default"]; quorum = 2"#,
            Want::Ready,
        ),
        (
            format!("{UP0}; addr add 192.0.2.1/24 dev va0; route add 203.0.113.0/24 dev va0"),
            r#"route = ["203.0.113.0/24", "198.18.0.0/15", "default"]; quorum = 2"#,
            not("no-route", ""),
        ),
        // The same with options.
        (some.clone(), "-i va0 -i va1 --any -a link-local-ipv4", not("no-address|no-carrier", "va")),
        (format!("{some}; addr add 192.0.2.1/24 dev va0"), "-i va0 -i va1 --any", Want::Ready),
        (format!("{some}; addr add 192.0.2.1/24 dev va0"), "-i va0 -i va1 --quorum 1", Want::Ready),
        (
            format!("{some}; addr add 192.0.2.1/24 dev va0"),
            "-i va0 -i va1 --quorum 2",
            not("no-carrier", "va1"),
        ),
        (format!("{some}; addr add 192.0.2.1/24 dev va0"), "-i va0 -i va1", not("no-carrier", "va1")),
        // if-present: a clause with interfaces counts only while a link matches.
        (
            format!("{UP0}; addr add 192.0.2.1/24 dev va0"),
            r#"interface = "va0"; carrier = true"#,
            Want::Ready,
        ),
    ]);
}

#[test]
#[ignore = "needs a network namespace"]
fn any_names_the_one_that_is_ready() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DARK1}"));
    let gate = "[[require]]\ninterface = [\"va1\", \"va0\"]\nquorum = \"any\"\ncarrier = true\n";
    let run = ns.run_gate(gate);
    run.expect_ready();
    let status = run.expect_now_ready();
    assert!(status.contains("va0"), "{status}");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_link_that_is_not_wanted_is_not_mentioned() {
    let ns = netns!();
    ns.ip(&format!("{DARK0}; {UP1}; addr add 192.0.2.1/24 dev va1"));
    let gate = ns.run(&["-i", "va1", "-v"]);
    gate.expect_ready();
    assert!(!gate.statuses().concat().contains("va0"), "{}", gate.transcript());
    assert!(!ns.check(&["-i", "va1"]).text().contains("va0"));
}

#[test]
#[ignore = "needs a network namespace"]
fn two_of_three_at_the_second() {
    let ns = netns!();
    ns.ip(ALL_DARK);
    let gate =
        ns.run_gate("[[require]]\ninterface = [\"va0\", \"va1\", \"va2\"]\nquorum = 2\ncarrier = true\n");
    gate.expect_waiting();
    ns.ip("link set vb2 up");
    gate.stays_unready();
    ns.ip("link set vb0 up");
    gate.expect_ready();
    ns.ip("link set vb1 up");
    ns.ip("link set vb2 down");
    gate.stays_ready();
    ns.ip("link set vb1 down");
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn all_waits_for_the_second() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DARK1}"));
    let gate = ns.run_gate("[[require]]\ninterface = [\"va0\", \"va1\"]\nquorum = \"all\"\ncarrier = true\n");
    gate.expect_status("1 of 2 links; missing: va1: no carrier");
    gate.stays_unready();
    ns.ip("link set vb1 up");
    gate.expect_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_third_match_appears_without_carrier() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {UP1}"));
    let each = ns.run_gate("[[require]]\ninterface = \"va*\"\ncarrier = true\n");
    let all = ns.run_gate("[[require]]\ninterface = \"va*\"\ncarrier = true\nquorum = \"all\"\n");
    each.expect_ready();
    all.expect_ready();
    ns.ip("link add va2 type veth peer name vb2; link set va2 up");
    let lost = all.expect_lost();
    assert!(lost.contains("va2"), "{lost}");
    each.stays_ready();
    ns.ip("link del va2");
    all.expect_now_ready();
    ns.ip("link set vb0 down; link set vb1 down");
    each.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn grace_on_an_absent_link() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let gate = ns.run_gate(
        "[[require]]\ninterface = \"va0\"\n[[require]]\ninterface = \"va9\"\ncarrier = true\ngrace = \"700ms\"\n",
    );
    let status = gate.expect_waiting();
    assert!(status.contains("va9"), "{status}");
    let after = gate.expect_ready();
    assert!(after >= Duration::from_millis(700), "{after:?}");
    let status = gate.expect_now_ready();
    assert!(status.contains("without") && status.contains("va9"), "{status}");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_clause_that_is_met_within_its_grace_ends_the_grace() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0; {DARK1}"));
    let gate = ns.run_gate(
        "[[require]]\ninterface = \"va0\"\n[[require]]\ninterface = \"va1\"\ncarrier = true\ngrace = \"60s\"\n",
    );
    gate.expect_status("va1");
    gate.stays_unready();
    ns.ip("link set vb1 up");
    gate.expect_ready();
    assert!(!gate.expect_now_ready().contains("without"));
}

#[test]
#[ignore = "needs a network namespace"]
fn a_grace_begins_again_when_the_rest_was_lost() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let gate = ns.run_gate(
        "[[require]]\ninterface = \"va0\"\n[[require]]\ninterface = \"va9\"\ncarrier = true\ngrace = \"3s\"\n",
    );
    gate.expect_waiting();
    std::thread::sleep(Duration::from_millis(300));
    ns.ip("link set vb0 down");
    gate.expect_status("va0 has no carrier");
    let again = std::time::Instant::now();
    ns.ip("link set vb0 up");
    gate.expect_ready();
    assert!(again.elapsed() >= Duration::from_secs(3), "{:?}", again.elapsed());
}

#[test]
#[ignore = "needs a network namespace"]
fn if_present_counts_while_it_is_there() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let toml = "[[require]]\ninterface = \"va0\"\n[[require]]\ninterface = \"va1\"\ncarrier = true\nif-present = true\n";
    let gate = ns.run_gate(toml);
    gate.expect_ready();
    ns.ip(DARK1);
    let lost = gate.expect_lost();
    assert!(lost.contains("va1"), "{lost}");
    ns.check_gate(toml).assert_unready("no-carrier", "va1");
    ns.ip("link set vb1 up");
    gate.expect_now_ready();
    ns.ip("link set vb1 down");
    gate.expect_lost();
    ns.ip("link del va1");
    gate.expect_now_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn if_present_of_a_family() {
    let toml =
        "[[require]]\nroute = \"default-ipv4\"\n[[require]]\nroute = \"default-ipv6\"\nif-present = true\n";
    let base = format!("{UP0}; addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0");
    for (setup, ready) in [
        // The host has only link-local IPv6 addresses, so the family is not present.
        ("", true),
        // The link with a default route has a global address, tentative or not.
        ("addr add 2001:db8::1/64 dev va0 nodad", false),
        ("sysctl net.ipv6.conf.va0.dad_transmits=200; addr add 2001:db8::1/64 dev va0", false),
        // There is a default route without a source address.
        ("-6 route add default via fe80::1 dev va0", false),
        ("addr add 2001:db8::1/64 dev va0 nodad; -6 route add default via fe80::1 dev va0", true),
        // The address is on another link, so the family is not present.
        (
            "link add va1 type veth peer name vb1; link set vb1 up; link set va1 up; addr add 2001:db8:1::1/64 dev va1 nodad",
            true,
        ),
    ] {
        let ns = netns!();
        ns.ip(&base);
        ns.ip(setup);
        let check = ns.check_gate(toml);
        assert_eq!(check.ready(), ready, "{setup}: {:#}", check.json);
    }
    let ns = netns!();
    ns.ip(&base);
    let gate = ns.run_gate(toml);
    gate.expect_ready();
    ns.ip("addr add 2001:db8::1/64 dev va0 nodad");
    gate.expect_lost();
    ns.ip("-6 route add default via fe80::1 dev va0");
    gate.expect_now_ready();
}
