//! `route-to` with sources, zones and policy rules for sources. The results are compared with connect(2) of a UDP
//! socket, which sends nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use crate::harness::{DARK0, Netns, UP0, UP1};
use crate::netns;

const FAR4: &str = "203.0.113.7";
const FAR6: &str = "2001:db8:9::1";
const A0: &str = "addr add 2001:db8:a::10/64 dev va0 nodad";
const B0: &str = "addr add 2001:db8:b::10/64 dev va0 nodad";
/// As OpenWrt's netifd installs it: a route only for the addresses that this provider gave.
const FROM_A: &str = "-6 route add default from 2001:db8:a::/48 via fe80::1 dev va0";
const FROM_B1: &str = "-6 route add default from 2001:db8:b::/48 via fe80::1 dev va1";

/// Returns the source address of a connection to the target, or the error. The socket binds `from` first, if it is
/// given.
fn connect(target: &str, from: Option<&str>) -> std::io::Result<IpAddr> {
    let target: IpAddr = target.parse().unwrap();
    let any: IpAddr =
        if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((from.map_or(any, |from| from.parse().unwrap()), 0))?;
    socket.connect((target, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// Checks that `check` agrees with connect(2), and that its reason contains this text.
#[track_caller]
fn agrees(ns: &Netns, target: &str, from: Option<&str>, text: &str) {
    let mut options = vec!["--route-to", target];
    options.extend(from.into_iter().flat_map(|from| ["--from", from]));
    let check = ns.check(&options);
    let connected = connect(target, from);
    assert_eq!(check.ready(), connected.is_ok(), "{connected:?}\n{}", check.text());
    assert!(check.text().contains(text), "{text:?} is expected in\n{}", check.text());
    if let Ok(source) = connected {
        assert!(check.text().contains(&format!(" src {source}")), "{source}\n{}", check.text());
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn route_to_says_what_connect_says() {
    let by_source = "rule add pref 90 from 192.0.2.10 lookup 100";
    let four = format!(
        "{UP0}; {UP1}; addr add 192.0.2.10/24 dev va0; addr add 198.51.100.10/24 dev va1; route add default via 192.0.2.254"
    );
    let four = |more: &str| format!("{four}; {more}");
    let six = |more: &str| format!("{UP0}; {UP1}; {more}");
    for (setup, target, from, text) in [
        // Only source-specific IPv6 default routes exist. A lookup without a source is refused, but a connection
        // works.
        (six(&format!("{A0}; {FROM_A}")), FAR6, None, "dev va0 src 2001:db8:a::10"),
        (six(&format!("{B0}; {FROM_A}")), FAR6, None, "no route to 2001:db8:9::1"),
        (six(FROM_A), FAR6, None, "no route to 2001:db8:9::1"),
        // The kernel tries only the source that it selects, which is the one nearer to the target.
        (six(&format!("{A0}; {B0}; {FROM_A}")), "2001:db8:b:9::1", None, "no route to"),
        (six(&format!("{A0}; {B0}; {FROM_A}")), "2001:db8:a:9::1", None, "src 2001:db8:a::10"),
        (
            six(&format!("{A0}; {B0}; {FROM_A}; {FROM_B1}")),
            "2001:db8:b:9::1",
            None,
            "dev va1 src 2001:db8:b::10",
        ),
        // The kernel prefers other sources to a deprecated one, but uses it if there is no other.
        (six(&format!("{FROM_A}; {A0} preferred_lft 0")), FAR6, None, "src 2001:db8:a::10"),
        // The source stays tentative, because its link has no carrier.
        (format!("{DARK0}; addr add 2001:db8:a::10/64 dev va0; {FROM_A}"), FAR6, None, "no route to"),
        // The route is behind a route that refuses. This does not hide it from a connection.
        (
            six(&format!("{A0}; {FROM_A}; -6 route add unreachable default metric 5000")),
            FAR6,
            None,
            "src 2001:db8:a::10",
        ),
        // A source-specific route refuses.
        (
            six(&format!("{A0}; -6 route add blackhole default from 2001:db8:a::/48")),
            FAR6,
            None,
            "a blackhole route or rule refuses traffic to 2001:db8:9::1",
        ),
        (six(&format!("{A0}; {B0}; {FROM_A}")), FAR6, Some("2001:db8:a::10"), "dev va0 src 2001:db8:a::10"),
        (
            six(&format!("{A0}; {B0}; {FROM_A}")),
            FAR6,
            Some("2001:db8:b::10"),
            "no route to 2001:db8:9::1 from 2001:db8:b::10",
        ),
        (six(&format!("{A0}; {FROM_A}")), FAR6, Some("2001:db8:a::99"), "no address 2001:db8:a::99"),
        // For IPv4, the kernel looks up the route again with the source that the first lookup gave.
        (four(""), FAR4, None, "via 192.0.2.254 dev va0 src 192.0.2.10"),
        (four("rule add pref 90 from 192.0.2.10 blackhole"), FAR4, None, "a blackhole route or rule refuses"),
        (four("rule add pref 90 from 192.0.2.10 prohibit"), FAR4, None, "a prohibit route or rule refuses"),
        (
            four(&format!("{by_source}; route add default via 198.51.100.254 table 100")),
            FAR4,
            None,
            "via 198.51.100.254 dev va1 src 192.0.2.10",
        ),
        (
            four(&format!("{by_source}; route add unreachable default table 100")),
            FAR4,
            None,
            "an unreachable route or rule refuses",
        ),
        (four(""), FAR4, Some("198.51.100.10"), "via 192.0.2.254 dev va0 src 198.51.100.10"),
        (
            four(
                "rule add pref 90 from 198.51.100.10 lookup 100; route add default via 198.51.100.254 table 100",
            ),
            FAR4,
            Some("198.51.100.10"),
            "via 198.51.100.254 dev va1 src 198.51.100.10",
        ),
        (
            four("rule add pref 90 from 198.51.100.0/24 prohibit"),
            FAR4,
            Some("198.51.100.10"),
            "a prohibit route or rule refuses",
        ),
        (four(""), FAR4, Some("198.51.100.99"), "no address 198.51.100.99"),
        (four("link set lo up; addr add 198.18.0.1/32 dev lo"), FAR4, Some("198.18.0.1"), "src 198.18.0.1"),
        // The target is this host itself.
        (four("link set lo up"), "127.0.0.1", None, "src 127.0.0.1"),
        (four("link set lo up"), "192.0.2.10", Some("198.51.100.10"), "src 198.51.100.10"),
        // Each kind of refusing route has its own text.
        (
            four("route add blackhole 203.0.113.0/24"),
            FAR4,
            None,
            "a blackhole route or rule refuses traffic to 203.0.113.7",
        ),
        (
            four("route add prohibit 203.0.113.7"),
            FAR4,
            None,
            "a prohibit route or rule refuses traffic to 203.0.113.7",
        ),
        (
            four("route add unreachable 203.0.113.7"),
            FAR4,
            None,
            "an unreachable route or rule refuses traffic to 203.0.113.7",
        ),
        (four("route add throw 203.0.113.0/24"), FAR4, None, "no route to 203.0.113.7: "),
        (
            six(&format!("{A0}; -6 route add blackhole default")),
            FAR6,
            None,
            "a blackhole route or rule refuses traffic to 2001:db8:9::1",
        ),
        (
            six(&format!("{A0}; -6 route add prohibit default")),
            FAR6,
            None,
            "a prohibit route or rule refuses",
        ),
        (
            six(&format!("{A0}; -6 route add unreachable default")),
            FAR6,
            None,
            "an unreachable route or rule refuses",
        ),
    ] {
        let ns = netns!();
        ns.ip(&setup);
        eprintln!("{setup}: {target} from {from:?}");
        agrees(&ns, target, from, text);
    }
}

/// The second card answers from its own address once its table and the rule for its address exist.
#[test]
#[ignore = "needs a network namespace"]
fn the_rules_of_a_second_card() {
    let ns = netns!();
    ns.ip(&format!(
        "{UP0}; {UP1}; addr add 10.0.1.90/24 dev va0; route add default via 10.0.1.1 dev va0 metric 512; addr add 10.0.10.193/24 dev va1"
    ));
    let run = ns.run(&["-i", "va1", "--route-to", FAR4, "--from", "10.0.10.193"]);
    run.expect_status("not through va1");
    ns.ip("rule add pref 90 from 10.0.10.193 lookup 10001");
    run.stays_unready();
    ns.ip("route add default via 10.0.10.1 dev va1 table 10001");
    run.expect_ready();
    for (loss, back) in [
        ("rule del pref 90", "rule add pref 90 from 10.0.10.193 lookup 10001"),
        ("route del default table 10001", "route add default via 10.0.10.1 dev va1 table 10001"),
        (
            "addr del 10.0.10.193/24 dev va1",
            "addr add 10.0.10.193/24 dev va1; route replace default via 10.0.10.1 dev va1 table 10001",
        ),
        ("rule add pref 80 from 10.0.10.193 blackhole", "rule del pref 80"),
        ("link set vb1 down", "link set vb1 up"),
        ("link set va1 down", "link set va1 up; route replace default via 10.0.10.1 dev va1 table 10001"),
    ] {
        ns.ip(loss);
        run.expect_lost();
        ns.ip(back);
        run.expect_now_ready();
    }
    ns.ip("addr del 10.0.10.193/24 dev va1");
    run.expect_status("no address 10.0.10.193");
}

/// A source-specific default route and its address arrive in either order, and go again.
#[test]
#[ignore = "needs a network namespace"]
fn a_source_specific_default_comes_and_goes() {
    let ns = netns!();
    ns.ip(UP0);
    let run = ns.run(&["--route-to", FAR6]);
    let bound = ns.run(&["--route-to", FAR6, "--from", "2001:db8:a::10"]);
    let address = "addr add 2001:db8:a::10/64 dev va0 nodad";
    run.expect_waiting();
    bound.expect_status("no address 2001:db8:a::10");
    ns.ip(FROM_A);
    run.stays_unready();
    ns.ip(address);
    run.expect_ready();
    bound.expect_ready();
    for (loss, back) in [
        ("addr del 2001:db8:a::10/64 dev va0", address),
        ("-6 route del default from 2001:db8:a::/48 dev va0", FROM_A),
        ("link set vb0 down", "link set vb0 up"),
        ("-6 rule add pref 90 from 2001:db8:a::/48 prohibit", "-6 rule del pref 90"),
    ] {
        ns.ip(loss);
        run.expect_lost();
        bound.expect_lost();
        ns.ip(back);
        run.expect_now_ready();
        bound.expect_now_ready();
    }
    ns.ip("-6 route del default from 2001:db8:a::/48 dev va0");
    run.expect_lost();
    bound.expect_lost();
    // The route has a limited lifetime, as from a router advertisement.
    ns.ip("-6 route add default from 2001:db8:a::/48 via fe80::1 dev va0 proto ra expires 5");
    run.expect_now_ready();
    bound.expect_now_ready();
    let ready = std::time::Instant::now();
    run.expect_lost();
    bound.expect_lost();
    // The kernel's garbage collector, which would announce it, runs twice a minute.
    assert!(ready.elapsed() < Duration::from_secs(20), "lost {:?} after", ready.elapsed());
    agrees(&ns, FAR6, None, "");
}

/// A link-local target is on the link that its zone names.
#[test]
#[ignore = "needs a network namespace"]
fn a_zone_names_the_link() {
    let ns = netns!();
    let run = ns.run(&["--route-to", "fe80::9%va1"]);
    run.expect_status("va1: no such link");
    ns.ip(&format!("{UP0}; addr add fe80::a/64 dev va0 nodad"));
    run.stays_unready();
    ns.ip(&format!("{UP1}; addr add fe80::b/64 dev va1 nodad"));
    run.expect_ready();
    let number = ns.ip_json("link show va1")[0]["ifindex"].to_string();
    ns.check(&["--route-to", &format!("fe80::9%{number}")]).assert_ready();
    ns.check(&["-i", "va0", "--route-to", "fe80::9%va1"]).assert_unready("wrong-link", "va1");
    ns.check(&["--route-to", "fe80::9%va1", "--from", "fe80::b"]).assert_ready();
    ns.check(&["--route-to", "fe80::9%va1", "--from", "fe80::a"])
        .assert_unready("no-address", "va1: no address fe80::a");
    ns.ip("link set va1 down; link set va1 name other; link set other up");
    run.expect_status("va1: no such link");
    for (options, said) in [
        (&["--route-to", "fe80::9"][..], "Write for example fe80::9%eth0"),
        (&["--route-to", "192.0.2.7%va0"], "has a zone, which only link-local addresses have"),
        (&["-r", "default", "--from", "192.0.2.7"], "there is no route-to"),
        (&["--route-to", FAR4, "--from", "2001:db8::1"], "from 2001:db8::1 is IPv6"),
        (&["--route-to", FAR4, "--table", "100"], "only the name of a VRF can be given"),
    ] {
        let output = ns.output(&[&["check"], options].concat());
        assert_eq!(output.code, 2, "{options:?}");
        assert!(output.stderr.contains(said), "{options:?}: {}", output.stderr);
    }
    // This kernel may have no VRFs. A link with this name is not a VRF.
    ns.check(&["--route-to", FAR4, "--table", "va0"]).assert_unready("absent", "no VRF va0");
}

/// connect(2) accepts a route through lo, but nobody ever answers. Such a route reaches only this host.
#[test]
#[ignore = "needs a network namespace"]
fn a_default_route_through_lo_reaches_nobody_else() {
    let ns = netns!();
    ns.ip(&format!(
        "link set lo up; {UP0}; addr add 192.0.2.10/24 dev va0; addr add 2001:db8::10/64 dev va0 nodad"
    ));
    ns.ip("route add default dev lo; -6 route add default dev lo");
    for (target, itself) in [(FAR4, "192.0.2.10"), (FAR6, "2001:db8::10")] {
        connect(target, None).expect("the kernel takes it");
        ns.check(&["--route-to", target]).assert_unready("route-dead", "does not leave this host");
        for own in [itself, "127.0.0.1", "::1"] {
            ns.check(&["--route-to", own]).assert_ready();
        }
    }
    let run = ns.run(&["--route-to", FAR4]);
    run.expect_waiting();
    ns.ip("route replace default via 192.0.2.1");
    run.expect_ready();
    ns.ip("route replace default dev lo");
    run.expect_lost();
}
