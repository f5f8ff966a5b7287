//! Tests of gate files: what they mean, and the errors of invalid ones.

use std::time::Duration;

use super::*;
use crate::config::parse;
use crate::requirement::{Gate, OnLoss, OnTimeout, Presence};

fn gate(text: &str) -> Gate {
    parse("g", "g", text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// The only clause of a gate file with these lines.
fn clause(lines: &str) -> Clause {
    let mut gate = gate(&format!("[[require]]\n{lines}"));
    assert_eq!(gate.clauses.len(), 1);
    gate.clauses.remove(0)
}

fn errors(text: &str) -> String {
    match parse("g", "g", text) {
        Ok(gate) => panic!("{text}\nmeans {gate:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_gate_with_every_key() {
    let gate = gate(
        "timeout = \"2min\"\nno-carrier-timeout = 15\nsettle = \"500ms\"\non-timeout = \"open\"\n\
         on-loss = \"fail\"\n[[require]]\nroute = \"default\"\n",
    );
    assert_eq!(gate.timeout, Some(Duration::from_secs(120)));
    assert_eq!(gate.no_carrier_timeout, Some(Duration::from_secs(15)));
    assert_eq!(gate.settle, Duration::from_millis(500));
    assert_eq!(gate.on_timeout, OnTimeout::Open);
    assert_eq!(gate.on_loss, OnLoss::Fail);
}

#[test]
fn a_gate_with_no_key() {
    let gate = gate("[require]\nroute = \"default\"\n");
    assert_eq!(gate.timeout, Some(Duration::from_secs(90)));
    assert_eq!(gate.no_carrier_timeout, None);
    assert_eq!(gate.settle, Duration::ZERO);
    assert_eq!(gate.on_timeout, OnTimeout::Fail);
    assert_eq!(gate.on_loss, OnLoss::Report);
    assert_eq!(gate.clauses, [host(1, vec![route(Destination::Default)])]);
}

#[test]
fn limits_may_be_infinite() {
    let gate = gate(
        "timeout = \"infinity\"\nno-carrier-timeout = \"infinity\"\nsettle = \"1h\"\nrequire = [{ route = \"default\" }]\n",
    );
    assert_eq!((gate.timeout, gate.no_carrier_timeout), (None, None));
}

#[test]
fn clauses_have_the_meaning_of_their_keys() {
    let prefix = |text: &str| text.parse().unwrap();
    for (lines, meant) in [
        ("interface = \"va0\"", implied(of("va0", vec![Item::Carrier, EITHER]))),
        ("interface = \"va0\"\ncarrier = true", of("va0", vec![Item::Carrier])),
        ("interface = \"va0\"\naddress = \"ip\"", of("va0", vec![Item::Carrier, EITHER])),
        ("interface = \"va0\"\naddress = \"ip\"\ncarrier = true", of("va0", vec![Item::Carrier, EITHER])),
        ("interface = \"va0\"\naddress = \"ip\"\ncarrier = false", of("va0", vec![EITHER])),
        (
            "interface = \"va0\"\npasta = false\nnameserver = false\nif-present = false",
            implied(of("va0", vec![Item::Carrier, EITHER])),
        ),
        (
            "interface = \"va0\"\nif-present = true\ngrace = \"5s\"",
            Clause {
                if_present: Some(Presence::Link),
                grace: Some(Duration::from_secs(5)),
                ..implied(of("va0", vec![Item::Carrier, EITHER]))
            },
        ),
        (
            "route-to = \"192.0.2.1\"\nroute = \"default-ipv6\"\naddress = [\"ipv4\", \"ipv4\"]\ninterface = \"va0\"",
            of(
                "va0",
                vec![
                    Item::Carrier,
                    address(V4),
                    default_of(V6),
                    Item::RouteTo(RouteTo::target(prefix("192.0.2.1"))),
                ],
            ),
        ),
        (
            "route = [\"10.0.0.0/8\", \"default\"]\ntable = 100",
            host(
                2,
                vec![
                    Item::Route(RouteSpec {
                        destination: Destination::Prefix("10.0.0.0/8".parse().unwrap()),
                        table: Table::Id(100),
                    }),
                    Item::Route(RouteSpec { destination: Destination::Default, table: Table::Id(100) }),
                ],
            ),
        ),
        (
            "route = \"default\"\ntable = \"vrf-blue\"",
            host(
                1,
                vec![Item::Route(RouteSpec {
                    destination: Destination::Default,
                    table: Table::Vrf("vrf-blue".to_owned()),
                })],
            ),
        ),
        ("pasta = true\nnameserver = true", host(2, vec![Item::Pasta, Item::Nameserver])),
        ("address = [\"ipv4\", \"ipv6\"]", host(2, vec![address(V4), address(V6)])),
        ("address = [\"ipv4\", \"ipv6\"]\nquorum = \"any\"", host(1, vec![address(V4), address(V6)])),
        ("address = [\"ipv4\", \"ipv6\"]\nquorum = \"all\"", host(2, vec![address(V4), address(V6)])),
        (
            "address = [\"ipv4\", \"ipv6\", \"ip\"]\nquorum = 2",
            host(2, vec![address(V4), address(V6), EITHER]),
        ),
        (
            "address = [\"ipv4\", \"ipv6\", \"ip\"]\nquorum = \"2\"",
            host(2, vec![address(V4), address(V6), EITHER]),
        ),
        (
            "route = \"default-ipv6\"\nif-present = true\ngrace = 0",
            Clause {
                if_present: Some(Presence::Family(V6)),
                grace: Some(Duration::ZERO),
                ..host(1, vec![default_of(V6)])
            },
        ),
        (
            "address = \"link-local-ipv4\"\nroute = \"10.0.0.0/8\"\nroute-to = \"192.0.2.1\"\nif-present = true",
            Clause {
                if_present: Some(Presence::Family(V4)),
                ..host(
                    3,
                    vec![
                        Item::Address(AddressSpec::LinkLocal(V4)),
                        route(Destination::Prefix("10.0.0.0/8".parse().unwrap())),
                        Item::RouteTo(RouteTo::target(prefix("192.0.2.1"))),
                    ],
                )
            },
        ),
    ] {
        assert_eq!(clause(lines), meant, "{lines}");
    }
}

#[test]
fn bad_gates_are_explained() {
    const OK: &str = "[[require]]\nroute = \"default\"\n";
    for (text, said) in [
        (
            "",
            "g: the gate is empty: write at least one [[require]], for example with route = \"default\" below it",
        ),
        (
            "require = []",
            "g: the gate is empty: write at least one [[require]], for example with route = \"default\" below it",
        ),
        (
            "timeout = \"soon\"",
            "g: the gate is empty: write at least one [[require]], for example with route = \"default\" below it\n\
                 g:1: timeout \"soon\" is not a duration; write for example \"90s\", \"1min 30s\", \"500ms\" or \"infinity\"",
        ),
        (
            "require = \"default\"",
            "g:1: require: a text is given, but this key needs a table: [[require]] with the clause's keys in the lines below it",
        ),
        (
            "require = [\"default\"]",
            "g:1: require: a list is given, but this key needs a table: [[require]] with the clause's keys in the lines below it",
        ),
        (
            "timeout = 0\nno-carrier-timeout = \"0s\"\nsettle = \"infinity\"\n[[require]]\nroute = \"default\"",
            "g:1: timeout 0 is too short; for no limit write \"infinity\", and to look once use netready check\n\
                 g:2: no-carrier-timeout \"0s\" is too short; for no limit write \"infinity\", and to look once use netready check\n\
                 g:3: settle \"infinity\" never ends; only a timeout can be infinity",
        ),
        (
            "timeout = -5\n[[require]]\nroute = \"default\"",
            "g:1: timeout -5 is not a duration; write for example \"90s\", \"1min 30s\", \"500ms\" or \"infinity\"",
        ),
        (
            "timeout = inf\n[[require]]\nroute = \"default\"",
            "g:1: timeout: a decimal number is given, but this key needs a duration in quotes: timeout = \"90s\"",
        ),
        (
            "timeout = \"1s\"\nsettle = \"2s\"\n[[require]]\nroute = \"default\"",
            "g:2: settle \"2s\" is longer than the timeout (1s): this gate could never open",
        ),
        (
            "settle = \"91s\"\n[[require]]\nroute = \"default\"",
            "g:1: settle \"91s\" is longer than the timeout (90s): this gate could never open",
        ),
        (
            "on-timeout = \"opne\"\non-loss = true\n[[require]]\nroute = \"default\"",
            "g:1: on-timeout \"opne\" is not valid; did you mean \"open\"?\n\
                 g:2: on-loss: true or false is given, but this key needs a text in quotes: on-loss = \"fail\"",
        ),
        (
            "timeout = [1]\n[[require]]\nroute = \"default\"",
            "g:1: timeout: a list is given, but this key needs a duration in quotes: timeout = \"90s\"",
        ),
        ("route = \"default\"", "g:1: route: it belongs below a [[require]] line"),
        (
            "[[require]]\nroute = \"default\"\ntimeout = \"9s\"",
            "g:3: timeout: it is a key of the gate: move it above the first [[require]] line",
        ),
        (
            "[[require]]\nroute = \"default\"\n[[require]]\ndns = \"192.0.2.1\"",
            "g:4: dns \"192.0.2.1\" is an address, and needs no DNS; write a name, or use tcp, ping or route-to",
        ),
        (
            "[gate]\ntimeout = 1",
            "g:1: gate: unknown key; the keys here are timeout, no-carrier-timeout, settle, on-timeout, on-loss and [[require]]",
        ),
        (
            &format!("a.b = 1\n{OK}"),
            "g:1: a: unknown key; the keys here are timeout, no-carrier-timeout, settle, on-timeout, on-loss and [[require]]",
        ),
    ] {
        assert_eq!(errors(text), said, "{text}");
    }
}

#[test]
fn bad_clauses_are_explained() {
    const NOTHING: &str = "g:1: this requirement asks for nothing; write what must be there, for example route = \"default\" or interface = \"eth0\"";
    const PRESENCE: &str = "if-present = true needs something that can be absent: an interface list, or addresses and routes of one family (\"ipv6\", \"default-ipv6\", 2001:db8::/32)";
    for (lines, said) in [
        ("", NOTHING),
        ("pasta = false", NOTHING),
        ("nameserver = false\ngrace = \"5s\"", NOTHING),
        ("carrier = true", "g:2: carrier = true is about links: name them with interface"),
        (
            "carrier = false\nroute = \"default\"",
            "g:2: carrier = false is about links: name them with interface",
        ),
        (
            "interface = \"va0\"\ncarrier = false",
            "g:3: carrier = false leaves nothing to ask for: write what the links need (address = \"ip\", route = \"default\"), or carrier = true",
        ),
        (
            "interface = \"va0\"\npasta = true",
            "g:3: pasta = true asks about what pasta takes, which belongs to no link: write it in a [[require]] of its own, without interface",
        ),
        (
            "interface = \"va0\"\nnameserver = true",
            "g:3: nameserver = true asks about what resolv.conf names, which belongs to no link: write it in a [[require]] of its own, without interface",
        ),
        (
            "interface = []",
            "g:2: interface: the list is empty; write for example interface = [\"enp*\", \"lan0\"], or leave the key out",
        ),
        (
            "route = \"default\"\naddress = []",
            "g:3: address: the list is empty; write for example address = [\"ipv4\", \"2001:db8::/32\"], or leave the key out",
        ),
        (
            "interface = 7",
            "g:2: interface: a number is given, but this key needs a text in quotes, or a list of them: interface = [\"enp*\", \"lan0\"]",
        ),
        (
            "interface = [\n  \"va0\",\n  7\n]",
            "g:4: interface: a number is given, but this key needs a text in quotes, or a list of them: interface = [\"enp*\", \"lan0\"]",
        ),
        (
            "pasta = \"true\"",
            "g:2: pasta: a text is given, but this key needs true or false, without quotes: pasta = true",
        ),
        (
            "quorum = 1.5\ninterface = \"va0\"",
            "g:2: quorum: a decimal number is given, but this key needs a text in quotes, or a number: quorum = \"any\" or quorum = 2",
        ),
        (
            "interface = [\"va0\", \"va1\"]\nquorum = 3",
            "g:3: quorum 3 can never be reached: interface names 2 links",
        ),
        (
            "interface = \"va0\"\nquorum = 0",
            "g:3: quorum 0 asks for nothing; the smallest quorum is 1 (or \"any\")",
        ),
        (
            "interface = \"va0\"\nquorum = -1",
            "g:3: quorum -1 asks for nothing; the smallest quorum is 1 (or \"any\")",
        ),
        (
            "interface = [\"docker0\", \"!docker*\"]",
            "g:2: interface \"docker0\" is excluded by \"!docker*\" in the same list",
        ),
        (
            "interface = \"eth0, eth1\"",
            "g:2: interface \"eth0, eth1\" has a comma in it; name each link by itself: [\"eth0\", \"eth1\"]",
        ),
        (
            "interface = \"eth0:routable\"",
            "g:2: interface \"eth0:routable\" names a link and a state; write interface = \"eth0\" and route = \"default\"",
        ),
        ("address = \"ipv4\"\nquorum = 2", "g:3: quorum 2 can never be reached: the list has one entry"),
        (
            "address = [\"ipv4\", \"ipv4\"]\nquorum = 2",
            "g:3: quorum 2 can never be reached: the list has one entry",
        ),
        (
            "address = \"ipv4\"\nroute = \"default\"\nquorum = \"any\"",
            "g:4: quorum \"any\" counts links, or the entries of a list: name the links with interface, or ask for one list and nothing else",
        ),
        (
            "address = \"ipv4\"\npasta = true\nquorum = \"any\"",
            "g:4: quorum \"any\" counts links, or the entries of a list: name the links with interface, or ask for one list and nothing else",
        ),
        (
            "pasta = true\nquorum = \"any\"",
            "g:3: quorum \"any\" counts links, or the entries of a list: name the links with interface, or ask for one list and nothing else",
        ),
        (
            "route-to = \"192.0.2.1\"\ntable = 7",
            "g:3: table 7 sets the table of routes, but there is no route; with route-to, the policy rules choose the table, and only the name of a VRF can be given",
        ),
        (
            "address = \"ipv4\"\nfrom = \"192.0.2.10\"",
            "g:3: from \"192.0.2.10\" sets the source address of route-to, but there is no route-to",
        ),
        (
            "route-to = [\"192.0.2.1\", \"2001:db8::1\"]\nfrom = \"192.0.2.10\"",
            "g:2: route-to \"2001:db8::1\" is IPv6, but from 192.0.2.10 is IPv4",
        ),
        (
            "route-to = \"192.0.2.1\"\nfrom = \"169.254.1.1\"",
            "g:2: route-to \"192.0.2.1\" is not link-local, but from 169.254.1.1 is: no answer would come back",
        ),
        (
            "route-to = \"192.0.2.1\"\nfrom = \"127.0.0.1\"",
            "g:2: route-to \"192.0.2.1\" is not loopback, but from 127.0.0.1 is: nothing of it leaves this host",
        ),
        (
            "route-to = \"fe80::1%va0\"\nfrom = \"fe80::2%va0\"",
            "g:3: from \"fe80::2%va0\" has a zone; leave it out here, the addresses of route-to have it",
        ),
        (
            "route-to = \"192.0.2.1\"\nfrom = \"192.0.2.0/24\"",
            "g:3: from \"192.0.2.0/24\" is a prefix; write one address, for example 192.0.2.0",
        ),
        (
            "route-to = \"192.0.2.1\"\nfrom = \"va0\"",
            "g:3: from \"va0\" is not an address; write an address of this host, for example 192.0.2.10",
        ),
        (
            "route-to = \"192.0.2.1\"\nfrom = \"0.0.0.0\"",
            "g:3: from \"0.0.0.0\" is the unspecified address: no host has it",
        ),
        (
            "route-to = \"192.0.2.1\"\nfrom = [\"192.0.2.2\"]",
            "g:3: from: a list is given, but this key needs a text in quotes: from = \"192.0.2.10\"",
        ),
        (
            "route-to = \"fe80::1\"",
            "g:2: route-to \"fe80::1\" is link-local: on which link? Write for example fe80::1%eth0",
        ),
        (
            "interface = \"va0\"\nroute-to = \"fe80::1\"",
            "g:3: route-to \"fe80::1\" is link-local: on which link? Write for example fe80::1%eth0",
        ),
        (
            "route-to = \"2001:db8::1%va0\"",
            "g:2: route-to \"2001:db8::1%va0\" has a zone, which only link-local addresses have",
        ),
        (
            "route-to = \"fe80::1%va0\"\ntable = \"mgmt\"",
            "g:2: route-to \"fe80::1%va0\" has a zone, which names the link, so it cannot be combined with the table of mgmt; move it to a [[require]] of its own",
        ),
        ("address = \"ipv4\"\ntable = 7", "g:3: table 7 sets the table of routes, but there is no route"),
        (
            "route = \"default\"\ntable = 0",
            "g:3: table 0 is not a table; tables have numbers from 1 to 4294967295",
        ),
        (
            "route = \"default\"\ngrace = \"infinity\"",
            "g:3: grace \"infinity\" never ends; only a timeout can be infinity",
        ),
        ("route = \"default\"\nif-present = true", &format!("g:3: {PRESENCE}")),
        ("route = \"default-ipv6\"\naddress = \"ipv4\"\nif-present = true", &format!("g:4: {PRESENCE}")),
        ("nameserver = true\nif-present = true", &format!("g:3: {PRESENCE}")),
        ("route = \"default\"\nadress = \"ip\"", "g:3: adress: unknown key; write address"),
        (
            "[require.sub]\na = 1",
            "g:2: sub: unknown key; the keys here are interface, quorum, carrier, address, route, table, route-to, from, pasta, nameserver, dns, tcp, http, expect, ping, gateway, recheck, if-present, grace",
        ),
        // All problems are reported, in the order of the file. A key whose value is invalid is not also reported as
        // missing.
        (
            "address = [\"192.0.2.7/24\", \"ipv5\"]\nroute = \"defualt\"\nquorum = 3\ngrace = \"x\"",
            "g:2: address \"192.0.2.7/24\" has bits set after its /24; write 192.0.2.0/24 for the prefix, or 192.0.2.7 for this one address\n\
                 g:2: address \"ipv5\" is not valid; did you mean \"ipv4\"?\n\
                 g:3: route \"defualt\" is not valid; did you mean \"default\"?\n\
                 g:5: grace \"x\" is not a duration; write for example \"90s\", \"1min 30s\", \"500ms\" or \"infinity\"",
        ),
        (
            "interface = 7\ncarrier = true",
            "g:2: interface: a number is given, but this key needs a text in quotes, or a list of them: interface = [\"enp*\", \"lan0\"]",
        ),
    ] {
        assert_eq!(errors(&format!("[[require]]\n{lines}")), said, "{lines}");
    }
}

#[test]
fn the_built_in_gates_have_the_promised_requirements() {
    let default = gate(include_str!("../../../gates/default.toml"));
    assert_eq!(default.timeout, Some(Duration::from_secs(90)));
    assert_eq!(default.no_carrier_timeout, Some(Duration::from_secs(30)));
    assert_eq!(default.settle, Duration::ZERO);
    assert_eq!(default.clauses, [host(1, vec![route(Destination::Default)])]);

    let podman = gate(include_str!("../../../gates/podman.toml"));
    assert_eq!(podman.timeout, Some(Duration::from_secs(300)));
    assert_eq!(podman.no_carrier_timeout, Some(Duration::from_secs(90)));
    assert_eq!(podman.settle, Duration::from_secs(1));
    let grace = Some(Duration::from_secs(10));
    assert_eq!(
        podman.clauses,
        [
            host(1, vec![Item::Pasta]),
            Clause { grace, ..host(1, vec![default_of(V4)]) },
            Clause { grace, if_present: Some(Presence::Family(V6)), ..host(1, vec![default_of(V6)]) },
            Clause { grace, ..host(1, vec![Item::Nameserver]) },
        ]
    );
}
