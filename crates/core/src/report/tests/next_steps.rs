//! What to do next about a reason, and which line asks for it.

use super::super::{Details, paint_none, table, unmet_with_advice, verdict_json};
use crate::config::parse;
use crate::evaluate::evaluate;
use crate::testing::{self, NOW};

/// One case a line: the gate, the network, and the text below the unmet row.
#[test]
fn each_reason_has_the_step_that_helps() {
    for (gate, network, said) in [
        ("interface='va0'; carrier=true", "va0: down", Some("next: ip link set va0 up")),
        (
            "interface='va0'; carrier=true",
            "va0: nocarrier",
            Some("next: check what va0 is connected to: a cable, a switch port, an access point or a peer"),
        ),
        ("interface='eht0'; carrier=true", "eth0: up", Some("next: did you mean the link eth0?")),
        ("interface='wan'; carrier=true", "eth0: up", Some("next: ip -br link")),
        ("interface='et*'; carrier=true", "va0: up", Some("next: ip -br link")),
        (
            "route-to='198.51.100.7'; from='192.0.2.1'",
            "va0: up; addr va0 192.0.2.1/24; lookup 198.51.100.7 of 192.0.2.1 errno 101",
            Some("next: ip route get 198.51.100.7 from 192.0.2.1"),
        ),
        ("route='default'", "va0: up", None),
        (
            "route='default-ipv4'",
            "va0: up; addr va0 192.0.2.1/24; route default4 dev va0; unreached4",
            Some("next: ip rule"),
        ),
        (
            "route='default-ipv6'",
            "va0: up; addr va0 2001:db8::1/64; route default6 dev va0; unreached6",
            Some("next: ip -6 rule"),
        ),
        (
            "route='default-ipv4'",
            "va0: up; addr va0 192.0.2.1/24; route default4 dev va0; refusing4; unreached4",
            Some("next: ip route"),
        ),
        (
            "route='default-ipv6'",
            "va0: up; addr va0 2001:db8::1/64; route default6 dev va0; refusing6; unreached6",
            Some("next: ip -6 route"),
        ),
        (
            "route='default-ipv6'",
            "va0: up; addr va0 2001:db8::1/64; route default6 dev va0 from 2001:db8::/48; unreached6",
            Some("next: ip -6 route; ip -6 address; ip -6 rule"),
        ),
        ("address='192.0.2.9'", "va0: up", None),
        (
            "address='2001:db8::1'",
            "va0: up; addr va0 2001:db8::1/64 dadfailed",
            Some("next: another host has 2001:db8::1: give one of the two another address"),
        ),
        ("address='2001:db8::1'", "va0: up; addr va0 2001:db8::1/64 tentative", None),
        (
            "nameserver=true",
            "va0: up; ns none",
            Some("next: write a nameserver line to /etc/resolv.conf, or start the service that writes it"),
        ),
    ] {
        let gate = testing::gate(gate);
        let network = testing::network(network);
        let verdict = evaluate(&gate, &network, NOW);
        let details = Details { network: Some(&network), every_place: false };
        let text = table(&gate, &verdict, verdict.ready(), details, paint_none);
        let below = text.lines().nth(2).map(str::trim_start);
        assert_eq!(below, said, "{text}");
    }
}

/// A user pastes the command into a shell, and others choose the names of links.
#[test]
fn no_command_has_a_name_that_a_shell_would_run() {
    for name in ["$(reboot)", "`id`", "-all", "a|b", "a&b", "a>b", "a'b"] {
        let network = testing::network(&format!("{name}: down mac=02:00:00:00:00:01"));
        let gate = testing::gate("interface='mac:02:00:00:00:00:01'; carrier=true");
        let verdict = evaluate(&gate, &network, NOW);
        let text = table(&gate, &verdict, false, Details::default(), paint_none);
        assert!(text.contains("administratively down") && !text.contains("next:"), "{text}");
    }
}

const FILE: &str = "\
timeout = \"5s\"
[[require]]
interface = \"va0\"
address = [
  \"192.0.2.1\",
  \"192.0.2.2\",
]
[[require]]
route = \"default\"
";

#[test]
fn each_row_names_the_line_that_asks_for_it() {
    let network = testing::network("va0: up; addr va0 192.0.2.1/24");
    let gate = parse("nas", "/etc/netready/nas.toml", FILE).unwrap();
    let verdict = evaluate(&gate, &network, NOW);
    let lines = |every_place| {
        let details = Details { network: Some(&network), every_place };
        let text = table(&gate, &verdict, false, details, paint_none);
        let words = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        words.collect::<Vec<_>>()
    };
    assert_eq!(
        lines(false),
        [
            "met carrier va0",
            "met address 192.0.2.1 192.0.2.1 on va0",
            "unmet address 192.0.2.2 va0: no address 192.0.2.2",
            "asked for in /etc/netready/nas.toml:6",
            "unmet route default no default route",
            "asked for in /etc/netready/nas.toml:9",
        ]
    );
    assert_eq!(lines(true)[1], "asked for in /etc/netready/nas.toml:3");
    assert_eq!(lines(true)[3], "asked for in /etc/netready/nas.toml:5");
    let json = verdict_json(&gate, &verdict, false, "waiting", Some(&network));
    let rows = json["requirements"].as_array().unwrap();
    let places: Vec<_> = rows.iter().map(|row| row["place"].as_str().unwrap_or_default()).collect();
    let file = |line| format!("/etc/netready/nas.toml:{line}");
    assert_eq!(places, [file(3), file(5), file(6), file(9)]);
    assert!(rows.iter().all(|row| row["next"].is_null()));
    assert_eq!(
        unmet_with_advice(&gate, &verdict, Some(&network)),
        [
            "unmet  address 192.0.2.2  va0: no address 192.0.2.2",
            "       asked for in /etc/netready/nas.toml:6",
            "unmet  route default  no default route",
            "       asked for in /etc/netready/nas.toml:9",
        ]
    );
}

/// The text of a built-in gate is in no file, and a user who typed an option knows it.
#[test]
fn places_that_cannot_be_opened_are_not_named() {
    let network = testing::network("va0: up");
    let built_in = parse("default", "built-in", "[[require]]\nroute = \"default\"\n").unwrap();
    let typed = crate::config::of_options(&testing::options("-r 10.0.0.0/8")).unwrap().gate;
    for (gate, verbose) in [(built_in, "asked for in built-in:2"), (typed, "asked for by --route 10.0.0.0/8")]
    {
        let verdict = evaluate(&gate, &network, NOW);
        let text = |every_place| {
            let details = Details { network: None, every_place };
            table(&gate, &verdict, false, details, paint_none)
        };
        assert!(!text(false).contains("asked for"), "{}", text(false));
        assert!(text(true).contains(verbose), "{}", text(true));
    }
}
