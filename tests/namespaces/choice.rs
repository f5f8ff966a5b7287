//! Which of several routes the kernel selects. Each case also makes a real connection to a host in another
//! namespace, which refuses it. The gate must be ready exactly if the connection reaches that host.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::harness::{Elsewhere, Netns, SOON, UP0, UP1, Want, rows};
use crate::netns;

/// The other host's addresses. Two links lead to it, and it has a gateway's address on each of them.
const HOST4: &str = "203.0.113.9:1";
const HOST6: &str = "[2001:db8:9::9]:1";
const LIVE4: &str = "route add default via 198.51.100.254 dev va1 metric 600";
const LIVE6: &str = "-6 route add default via 2001:db8:1::fe dev va1 metric 600";
const FRONT4: &str = "route add default via 192.0.2.254 dev va0 metric 100";
const FRONT6: &str = "-6 route add default via 2001:db8::fe dev va0 metric 100";

fn world(ns: &Netns) -> Elsewhere {
    let far = Elsewhere::new();
    let pid = far.pid();
    ns.ip(&format!(
        "link set lo up; link add va0 type veth peer name vb0 netns {pid}; link add va1 type veth peer name vb1 netns {pid}; \
         link set va0 up; link set va1 up; addr add 192.0.2.1/24 dev va0; addr add 198.51.100.1/24 dev va1; \
         addr add 2001:db8::1/64 dev va0 nodad; addr add 2001:db8:1::1/64 dev va1 nodad"
    ));
    far.ip(
        "link set vb0 up; link set vb1 up; addr add 203.0.113.9/32 dev lo; addr add 2001:db8:9::9/128 dev lo; \
         addr add 192.0.2.254/24 dev vb0; addr add 198.51.100.254/24 dev vb1; \
         addr add 2001:db8::fe/64 dev vb0 nodad; addr add 2001:db8:1::fe/64 dev vb1 nodad",
    );
    far
}

/// Whether a connection reaches the host. With `hoped`, an answer is expected and the function waits longer.
fn connects(host: &str, hoped: bool) -> bool {
    let host: SocketAddr = host.parse().unwrap();
    match TcpStream::connect_timeout(&host, if hoped { SOON } else { Duration::from_millis(400) }) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
    }
}

/// Waits until the kernel has flagged the routes. Its linkwatch notices a change of carrier up to a second later.
fn until_flagged(ns: &Netns) {
    ns.until("the links' states", || {
        ns.ip_json("link show").iter().all(|link| {
            let carrier = link["flags"].as_array().unwrap().iter().any(|flag| flag == "LOWER_UP");
            let name = link["ifname"].as_str().unwrap();
            !name.starts_with("va") || carrier == (link["operstate"] == "UP")
        })
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn a_default_counts_where_a_connection_gets_through() {
    let dark = "far link set vb0 down";
    let both = |four: &str, six: &str| format!("{four}; {LIVE4}; {six}; {LIVE6}");
    let refusing = |kind: &str| {
        both(&format!("route add {kind} default metric 1"), &format!("-6 route add {kind} default metric 1"))
    };
    // The setup, and whether a connection is then possible over IPv4 and over IPv6.
    let cases: &[(String, bool, bool)] = &[
        (both("", ""), true, true),
        (both(FRONT4, FRONT6), true, true),
        // Routes that refuse precede the live route.
        (refusing("blackhole"), false, false),
        (refusing("unreachable"), false, false),
        (refusing("prohibit"), false, false),
        (refusing("throw"), false, false),
        (
            both(
                "route add unreachable default metric 4294967295",
                "-6 route add unreachable default metric 4294967294",
            ),
            true,
            true,
        ),
        // A dead route precedes the live route.
        (format!("{}; {dark}", both(FRONT4, FRONT6)), false, false),
        (
            format!(
                "sysctl net.ipv4.conf.va0.ignore_routes_with_linkdown=1; {}; {dark}",
                both(FRONT4, FRONT6)
            ),
            true,
            false,
        ),
        (
            format!(
                "{}; {dark}; sysctl net.ipv6.conf.va0.ignore_routes_with_linkdown=1",
                both(FRONT4, FRONT6)
            ),
            false,
            true,
        ),
        (
            format!(
                "{}; {dark}; sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1; \
                 sysctl net.ipv6.conf.all.ignore_routes_with_linkdown=1",
                both(FRONT4, FRONT6)
            ),
            true,
            true,
        ),
        // The setting is on the other link.
        (
            format!(
                "{}; {dark}; sysctl net.ipv4.conf.va1.ignore_routes_with_linkdown=1; \
                 sysctl net.ipv6.conf.va1.ignore_routes_with_linkdown=1",
                both(FRONT4, FRONT6)
            ),
            false,
            false,
        ),
        // The kernel skips the dead route, so the refusing route behind it is next.
        (
            format!(
                "{}; {dark}; sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1; \
                 sysctl net.ipv6.conf.all.ignore_routes_with_linkdown=1; \
                 route add prohibit default metric 200; -6 route add prohibit default metric 200",
                both(FRONT4, FRONT6)
            ),
            false,
            false,
        ),
        // If the kernel skips a route, IPv6 selects the next one by its router preference (RFC 4191).
        (
            format!(
                "{FRONT6}; {LIVE6} pref high; -6 route add prohibit default metric 200; {dark}; \
                 sysctl net.ipv6.conf.all.ignore_routes_with_linkdown=1"
            ),
            false,
            true,
        ),
        (format!("-6 route add prohibit default metric 200; {LIVE6} pref high"), false, false),
        // The dead route is behind the live one.
        (format!("{FRONT4}; {FRONT6}; far link set vb1 down; {LIVE4}; {LIVE6}"), true, true),
        // Of two routes with the same metric, the first one counts.
        (
            format!("{FRONT4}; route append default via 198.51.100.254 dev va1 metric 100; {dark}"),
            false,
            false,
        ),
        (
            format!(
                "{FRONT4}; route append default via 198.51.100.254 dev va1 metric 100; far link set vb1 down"
            ),
            true,
            false,
        ),
        // The route is for one TOS only.
        ("route add default via 198.51.100.254 tos 0x10".to_owned(), false, false),
        (format!("{FRONT4} tos 0x10; {LIVE4}; {dark}"), true, false),
        ("route add blackhole default tos 0x10; ".to_owned() + LIVE4, true, false),
        // The route leads into this host.
        ("route add default dev lo".to_owned(), false, false),
        ("-6 route add default dev lo".to_owned(), false, false),
        (both("route add default dev lo metric 1", "-6 route add default dev lo metric 1"), false, false),
        // The host has a delegated prefix: the source address is on the other link.
        (
            "addr flush dev va0 scope global; -6 route add default via 2001:db8::fe dev va0 onlink"
                .to_owned(),
            false,
            true,
        ),
        // A source-specific default route stands next to one that refuses.
        (
            "addr flush dev va0 scope global; -6 route add unreachable default metric 1; \
             -6 route add default from 2001:db8:1::/64 via 2001:db8:1::fe dev va1"
                .to_owned(),
            false,
            true,
        ),
    ];
    for (done, four, six) in cases {
        let ns = netns!();
        let far = world(&ns);
        let watch4 = ns.run(&["-4", "-t", "infinity"]);
        let watch6 = ns.run(&["-6", "-t", "infinity"]);
        watch4.expect_waiting();
        for command in done.split(';').map(str::trim).filter(|command| !command.is_empty()) {
            match command.strip_prefix("far ") {
                Some(command) => far.ip(command),
                None => ns.ip(command),
            }
        }
        until_flagged(&ns);
        for (option, through, watch) in [("-4", *four, &watch4), ("-6", *six, &watch6)] {
            let check = ns.check(&[option]);
            assert_eq!(check.ready(), through, "{option} after [{done}]: {:#}", check.json);
            watch.expect_status_where("what a connection says", |status| {
                status.starts_with("Ready") == through
            });
        }
        // Connections come last: of several routes with the same metric, the kernel then leaves out one whose gateway has
        // not answered.
        for (host, through) in [(HOST4, *four), (HOST6, *six)] {
            assert_eq!(connects(host, through), through, "a connection to {host} after [{done}]");
        }
    }
}

/// The live route stays, and the route that hides it comes and goes.
#[test]
#[ignore = "needs a network namespace"]
fn what_hides_a_default_comes_and_goes() {
    let ns = netns!();
    let far = world(&ns);
    ns.ip(&format!("{LIVE4}; {LIVE6}"));
    let gates = [ns.run(&["-4"]), ns.run(&["-6"])];
    let of_link =
        [ns.run(&["-i", "va1", "-4", "-r", "default"]), ns.run(&["-i", "va1", "-6", "-r", "default"])];
    for gate in gates.iter().chain(&of_link) {
        gate.expect_ready();
    }
    let lost = || gates.iter().map(|gate| gate.expect_lost()).collect::<Vec<String>>();
    let ready = || gates.iter().for_each(|gate| drop(gate.expect_now_ready()));
    for kind in ["unreachable", "blackhole", "prohibit", "throw"] {
        ns.ip(&format!("route add {kind} default metric 5; -6 route add {kind} default metric 5"));
        for status in lost() {
            assert!(status.contains(&format!("the {kind} default")), "{status}");
            assert!(status.contains("dev va1 metric 600 is not used"), "{status}");
        }
        ns.ip(&format!("route del {kind} default metric 5; -6 route del {kind} default metric 5"));
        ready();
    }
    far.ip("link set vb0 down");
    until_flagged(&ns);
    ns.ip(&format!("{FRONT4}; {FRONT6}"));
    for status in lost() {
        assert!(status.contains("va0 has no carrier"), "{status}");
        assert!(status.contains("(ignore_routes_with_linkdown=0)"), "{status}");
    }
    for of in ["va0", "all"] {
        for family in ["ipv4", "ipv6"] {
            ns.sysctl(&format!("net.{family}.conf.{of}.ignore_routes_with_linkdown"), "1");
        }
        ready();
        for family in ["ipv4", "ipv6"] {
            ns.sysctl(&format!("net.{family}.conf.{of}.ignore_routes_with_linkdown"), "0");
        }
        lost();
    }
    far.ip("link set vb0 up");
    ready();
    for gate in &of_link {
        assert!(gate.statuses().iter().all(|status| status.starts_with("Ready")), "{}", gate.transcript());
    }
}

/// The dead default route that hides another one expires. The kernel does not announce this, and uses the other
/// one.
#[test]
#[ignore = "needs a network namespace"]
fn what_hides_a_default_expires() {
    let ns = netns!();
    let far = world(&ns);
    far.ip("link set vb0 down");
    until_flagged(&ns);
    ns.ip(&format!("{LIVE6}; {FRONT6} expires 5"));
    let gate = ns.run(&["-6"]);
    assert!(gate.expect_waiting().contains("va0 has no carrier"));
    gate.expect_ready();
    assert!(connects(HOST6, true));
}

#[test]
#[ignore = "needs a network namespace"]
fn a_dead_next_hop_beside_a_live_one_is_a_warning() {
    let ns = netns!();
    let far = world(&ns);
    far.ip("link set vb0 down");
    until_flagged(&ns);
    ns.ip("route add default nexthop via 192.0.2.254 dev va0 nexthop via 198.51.100.254 dev va1");
    ns.ip("-6 route add default nexthop via 2001:db8::fe dev va0 nexthop via 2001:db8:1::fe dev va1");
    for (option, gateway) in [("-4", "192.0.2.254"), ("-6", "2001:db8::fe")] {
        let warning = |end: &str| {
            let check = ns.check(&[option]);
            check.assert_ready();
            let text = check.json["warnings"].to_string();
            let start = format!(
                "default via {gateway} dev va0, one of several next hops, is dead: va0 has no carrier"
            );
            assert!(text.contains(&start) && text.contains(end), "{text}");
        };
        warning("a part of the connections is still sent there");
        let family = if option == "-4" { "ipv4" } else { "ipv6" };
        ns.sysctl(&format!("net.{family}.conf.va0.ignore_routes_with_linkdown"), "1");
        warning("the kernel passes it over");
    }
    far.ip("link set vb0 up");
    ns.until("no warning", || ns.check(&["-4"]).json["warnings"].as_array().unwrap().is_empty());
}

/// Rules, or routes that a rule leads to, that keep packets from the live default route of the main table. Each is tried
/// against connect(2).
#[test]
#[ignore = "needs a network namespace"]
fn a_default_counts_only_if_packets_come_to_it() {
    let kept = |rest: &str| (rest.to_owned(), false);
    let used = |rest: &str| (rest.to_owned(), true);
    let cases = [
        used("rule add pref 50 to 203.0.113.0/25 lookup 200"),
        kept("rule add pref 50 prohibit"),
        kept("rule add pref 50 blackhole"),
        kept("rule add pref 50 unreachable"),
        used("rule add pref 50 prohibit; rule del pref 50"),
        used("rule add pref 40000 prohibit"),
        kept("rule add pref 40000 prohibit; rule add pref 50 goto 40000"),
        kept("rule del lookup main"),
        kept("route add unreachable default table 200; rule add pref 50 not fwmark 51820 lookup 200"),
        used("route add unreachable default table 200; rule add pref 50 fwmark 51820 lookup 200"),
        kept("route add blackhole 0.0.0.0/1; route add blackhole 128.0.0.0/1"),
        // Lists of bogons are not all of the internet.
        used(
            "route add blackhole 203.0.113.0/29; route add blackhole 198.51.100.64/28; route add blackhole 240.0.0.0/4",
        ),
        // The default route of another table is dead, and then it is not.
        kept(
            "route add default via 192.0.2.254 dev va0 table 200; rule add pref 50 lookup 200; far link set vb0 down",
        ),
        used("route add default via 192.0.2.254 dev va0 table 200; rule add pref 50 lookup 200"),
        // Only the addresses that netready asks for are led to the dead route.
        used(
            "route add default via 192.0.2.254 dev va0 table 200; rule add pref 50 to 203.0.113.0/29 lookup 200; \
             rule add pref 51 to 240.0.0.0/4 lookup 200; far link set vb0 down",
        ),
        // All packets take more specific routes.
        kept(
            "route add 0.0.0.0/1 via 192.0.2.254; route add 128.0.0.0/1 via 192.0.2.254; far link set vb0 down",
        ),
        used("route add 0.0.0.0/1 via 192.0.2.254; route add 128.0.0.0/1 via 192.0.2.254"),
        used(
            "route add 0.0.0.0/1 via 192.0.2.254; route add 128.0.0.0/1 via 192.0.2.254; far link set vb0 down; \
             sysctl net.ipv4.conf.va0.ignore_routes_with_linkdown=1",
        ),
        kept(
            "tuntap add tun0 mode tun; link set tun0 up; addr add 10.9.0.1/24 dev tun0; \
             route add 0.0.0.0/1 dev tun0; route add 128.0.0.0/1 dev tun0",
        ),
        // A connection selects its source, and then asks again for the route.
        kept("rule add pref 50 from 198.51.100.1 prohibit"),
        used("rule add pref 50 from 192.0.2.1 prohibit"),
        kept(
            "route add default via 192.0.2.254 table 200; rule add pref 50 from 198.51.100.1 lookup 200; far link set vb0 down",
        ),
        used("route add default via 192.0.2.254 table 200; rule add pref 50 from 198.51.100.1 lookup 200"),
        used(
            "rule add pref 50 from 198.51.100.1 prohibit; addr del 198.51.100.1/24 dev va1; \
             addr add 198.51.100.2/24 dev va1; route add default via 198.51.100.254 dev va1",
        ),
        // The bridge receives the answers.
        kept("link add br0 type bridge; link set br0 up; link set va1 master br0"),
        used("link add br0 type bridge; link set va1 master br0; link set va1 nomaster"),
        // No packet is sent from such an address.
        kept(
            "addr flush dev va0; addr del 198.51.100.1/24 dev va1; addr add 198.51.100.1/24 dev va1 scope site; \
             route add default via 198.51.100.254 dev va1",
        ),
    ];
    for (setup, expected) in cases {
        let ns = netns!();
        let far = world(&ns);
        ns.ip(LIVE4);
        let run = ns.run(&["-r", "default-ipv4"]);
        run.expect_ready();
        for operation in setup.split("; ") {
            match operation.strip_prefix("far ") {
                Some(operation) => far.ip(operation),
                None => ns.ip(operation),
            };
        }
        until_flagged(&ns);
        match expected {
            true => drop(run.expect_now_ready()),
            false => drop(run.expect_lost()),
        }
        assert_eq!(ns.check(&["-r", "default-ipv4"]).ready(), expected, "{setup}");
        assert_eq!(connects("203.0.113.9:1", expected), expected, "{setup}: connect(2)");
    }
}

/// An IPv6 connection selects its source before the kernel refuses it. A rule may lead only this source to the main table.
#[test]
#[ignore = "needs a network namespace"]
fn an_ipv6_default_counts_if_only_a_rule_by_source_leads_to_it() {
    let ns = netns!();
    let _far = world(&ns);
    ns.ip("-6 route add default via 2001:db8::fe dev va0");
    let run = ns.run(&["-r", "default-ipv6"]);
    run.expect_ready();
    ns.ip("-6 rule add pref 50 from 2001:db8::/32 lookup main");
    ns.ip("-6 rule add pref 60 unreachable");
    assert!(connects("[2001:db8:9::9]:1", true));
    run.expect_now_ready();
    assert!(ns.check(&["-r", "default-ipv6"]).ready());
    ns.ip("-6 rule del pref 50");
    assert!(!connects("[2001:db8:9::9]:1", false));
    run.expect_lost();
}

/// Each row: what is done, in steps, and whether a connection gets through after each step. The gate must say the same, to
/// those who watch and to those who ask.
#[test]
#[ignore = "needs a network namespace"]
fn an_ipv6_default_counts_only_if_packets_come_to_it() {
    let dead_front = "-6 route add default via fe80::fe dev va0; far link set vb0 down";
    let for_one_source = "-6 route add default from 2001:db8:1::/64 via 2001:db8:1::fe dev va1";
    let cases: &[&[(&str, bool)]] = &[
        &[
            (LIVE6, true),
            ("-6 route add 2000::/3 via 2001:db8::fe dev va0; far link set vb0 down", false),
            ("sysctl net.ipv6.conf.va0.ignore_routes_with_linkdown=1", true),
        ],
        &[
            (LIVE6, true),
            ("-6 route add unreachable 2000::/3", false),
            ("-6 route del unreachable 2000::/3", true),
        ],
        // The kernel selects the address of va0, which comes first.
        &[
            (for_one_source, false),
            ("addr change 2001:db8::1/64 dev va0 nodad valid_lft 900 preferred_lft 0", true),
            ("addr change 2001:db8::1/64 dev va0 nodad valid_lft 900 preferred_lft 900", false),
            ("addr del 2001:db8::1/64 dev va0", true),
        ],
        // Both sources have a route, and that of the selected one is dead.
        &[
            (for_one_source, false),
            ("-6 route add default from 2001:db8::/64 via 2001:db8::fe dev va0", true),
            ("far link set vb0 down", false),
            ("link set va0 down", true),
        ],
        // The kernel prefers a dead route that has no source prefix.
        &[("addr del 2001:db8::1/64 dev va0", false), (for_one_source, true), (dead_front, false)],
    ];
    for case in cases {
        let ns = netns!();
        let far = world(&ns);
        let run = ns.run(&["-6"]);
        let mut done = String::new();
        for (step, through) in *case {
            for operation in step.split("; ") {
                match operation.strip_prefix("far ") {
                    Some(operation) => far.ip(operation),
                    None => ns.ip(operation),
                };
            }
            until_flagged(&ns);
            done = format!("{done}; {step}");
            run.expect_status_where("what a connection says", |status| {
                status.starts_with("Ready") == *through
            });
            let check = ns.check(&["-6"]);
            assert_eq!(check.ready(), *through, "after [{done}]: {:#}", check.json);
            assert_eq!(connects(HOST6, *through), *through, "a connection after [{done}]");
        }
    }
}

/// If no rule leads to a table, only the table itself can be read.
#[test]
#[ignore = "needs a network namespace"]
fn tables_that_no_lookup_reaches_row_by_row() {
    let not = Want::Not;
    let setup = |more: &str| {
        format!(
            "{UP0}; {UP1}; addr add 192.0.2.1/24 dev va0; addr add 198.51.100.1/24 dev va1; \
             addr add 2001:db8::1/64 dev va0 nodad; addr add 2001:db8:1::1/64 dev va1 nodad; {more}"
        )
    };
    const FRONT: &str = "route add default via 192.0.2.254 dev va0 metric 10 table 100; \
                         -6 route add default via 2001:db8::fe dev va0 metric 10 table 100";
    const LIVE: &str = "route add default via 198.51.100.254 dev va1 metric 20 table 100; \
                        -6 route add default via 2001:db8:1::fe dev va1 metric 20 table 100";
    const V4: &str = "-r default-ipv4 --table 100";
    const V6: &str = "-r default-ipv6 --table 100";
    const IGNORE: &str = "sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1; sysctl net.ipv6.conf.va0.ignore_routes_with_linkdown=1";
    rows(&[
        (setup(&format!("{FRONT}; {LIVE}")), V4, Want::Ready),
        // The kernel names only the number of a nexthop object, or of a group of them.
        (
            setup(
                "sysctl net.ipv4.nexthop_compat_mode=0; nexthop add id 1 via 192.0.2.254 dev va0; \
                   nexthop add id 2 via 198.51.100.254 dev va1; nexthop add id 9 group 1/2; route add default nhid 9 table 100",
            ),
            V4,
            Want::Ready,
        ),
        (
            setup(
                "sysctl net.ipv4.nexthop_compat_mode=0; nexthop add id 1 via 2001:db8::fe dev va0; -6 route add default nhid 1 table 100",
            ),
            V6,
            Want::Ready,
        ),
        (
            setup(
                "sysctl net.ipv4.nexthop_compat_mode=0; link set lo up; nexthop add id 1 blackhole; route add default nhid 1 table 100",
            ),
            V4,
            not("no-route", "blackhole"),
        ),
        (
            setup(&format!("{FRONT}; {LIVE}; link set vb0 down")),
            V4,
            not("route-hidden", "va0 has no carrier"),
        ),
        (
            setup(&format!("{FRONT}; {LIVE}; link set vb0 down")),
            V6,
            not("route-hidden", "va0 has no carrier"),
        ),
        (setup(&format!("{FRONT}; {LIVE}; link set vb0 down; {IGNORE}")), V4, Want::Ready),
        (setup(&format!("{FRONT}; {LIVE}; link set vb0 down; {IGNORE}")), V6, Want::Ready),
        (
            setup(&format!("{LIVE}; route add throw default metric 1 table 100")),
            V4,
            not("route-hidden", "throw"),
        ),
        (
            setup(&format!("{LIVE}; -6 route add throw default metric 1 table 100")),
            V6,
            not("route-hidden", "throw"),
        ),
        (setup(&format!("{LIVE}; route add unreachable default metric 99 table 100")), V4, Want::Ready),
        (setup("route add default via 192.0.2.254 dev va0 tos 8 table 100"), V4, not("no-route", "")),
        // A rule leads to the table. The result is the same.
        (
            setup(&format!(
                "{LIVE}; route add throw default metric 1 table 100; rule add pref 99 lookup 100"
            )),
            V4,
            not("route-hidden", "throw"),
        ),
        (setup(&format!("{FRONT}; {LIVE}; rule add pref 99 lookup 100; link set vb1 down")), V4, Want::Ready),
        // Another table has a route for what this table refuses. The requirement is about this table.
        (
            setup(
                "route add throw default metric 1; route add default via 192.0.2.254 metric 2; \
                 route add default via 198.51.100.254 table 100; rule add pref 40000 lookup 100",
            ),
            "-4",
            not("route-hidden", "throw"),
        ),
        // The same holds for the route to a prefix.
        (
            setup("route add blackhole 10.0.0.0/8 metric 1; route add 10.0.0.0/8 via 192.0.2.254 metric 2"),
            "-r 10.0.0.0/8",
            not("route-hidden", "the blackhole route to 10.0.0.0/8 of metric 1"),
        ),
        (
            setup("route add blackhole 10.0.0.0/8 metric 1; route add 10.0.0.0/8 via 192.0.2.254 metric 2"),
            "-i va0 -r 10.0.0.0/8",
            Want::Ready,
        ),
        // More specific routes hide every address of the prefix from lookups, so the table must be read.
        (
            setup(
                "route add unreachable default metric 1; route add default via 192.0.2.254 metric 2; \
                 route add 0.0.0.0/1 dev va0; route add 128.0.0.0/1 dev va0",
            ),
            "-4",
            not("route-hidden", ""),
        ),
    ]);
}
