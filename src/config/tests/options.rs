//! Tests of options: what they mean alone and together with a gate.

use std::time::Duration;

use super::*;
use crate::config::{Part, parse};

#[test]
fn options_alone_make_a_gate() {
    let default = || route(Destination::Default);
    for (args, meant) in [
        ("-i va0", vec![implied(of("va0", vec![Item::Carrier, EITHER]))]),
        ("-i va0 -a ipv4 -r default", vec![of("va0", vec![Item::Carrier, address(V4), default()])]),
        ("-a ipv4 -a ipv6", vec![host(2, vec![address(V4), address(V6)])]),
        ("-a ipv4 -a ipv6 --any", vec![host(1, vec![address(V4), address(V6)])]),
        ("-a ipv4 -a ipv6 --quorum 2", vec![host(2, vec![address(V4), address(V6)])]),
        (
            "-r default --table 254 --route-to 192.0.2.1",
            vec![host(2, vec![default(), Item::RouteTo(RouteTo::target("192.0.2.1".parse().unwrap()))])],
        ),
        ("--nameserver", vec![host(1, vec![Item::Nameserver])]),
        (
            "-i va0 --nameserver",
            vec![implied(of("va0", vec![Item::Carrier, EITHER])), host(1, vec![Item::Nameserver])],
        ),
        // -4 and -6 alone require the default route of the family.
        ("-4", vec![host(1, vec![default_of(V4)])]),
        ("-6", vec![host(1, vec![default_of(V6)])]),
        ("-6 -4", vec![host(2, vec![default_of(V4), default_of(V6)])]),
        ("-4 -6 --any", vec![host(1, vec![default_of(V4), default_of(V6)])]),
        (
            "-i va0 --route-to 192.0.2.1 --from 192.0.2.10 --table mgmt",
            vec![of(
                "va0",
                vec![
                    Item::Carrier,
                    Item::RouteTo(RouteTo {
                        from: Some("192.0.2.10".parse().unwrap()),
                        vrf: Some("mgmt".to_owned()),
                        ..RouteTo::target("192.0.2.1".parse().unwrap())
                    }),
                ],
            )],
        ),
        (
            "-4 --table 7",
            vec![host(
                1,
                vec![Item::Route(RouteSpec { destination: Destination::DefaultOf(V4), table: Table::Id(7) })],
            )],
        ),
        // With links, they require an address of the family.
        ("-4 -i va0", vec![of("va0", vec![Item::Carrier, address(V4)])]),
        ("-4 -6 -i va0", vec![of("va0", vec![Item::Carrier, address(V4), address(V6)])]),
        ("-4 -i va0 -r default", vec![of("va0", vec![Item::Carrier, address(V4), default_of(V4)])]),
        (
            "-4 -i va0 -a 192.0.2.7",
            vec![of(
                "va0",
                vec![
                    Item::Carrier,
                    Item::Address(AddressSpec::Exact("192.0.2.7".parse().unwrap())),
                    address(V4),
                ],
            )],
        ),
        // They limit each default route to the family.
        ("-4 -r default", vec![host(1, vec![default_of(V4)])]),
        (
            "-4 -6 -r default -r 10.0.0.0/8",
            vec![host(
                3,
                vec![
                    default_of(V4),
                    default_of(V6),
                    route(Destination::Prefix("10.0.0.0/8".parse().unwrap())),
                ],
            )],
        ),
        ("-4 -r default-ipv4", vec![host(1, vec![default_of(V4)])]),
        // With other requirements, they require an address of the family anywhere on the host.
        (
            "-4 -r 10.0.0.0/8",
            vec![host(2, vec![address(V4), route(Destination::Prefix("10.0.0.0/8".parse().unwrap()))])],
        ),
        ("-6 --nameserver", vec![host(1, vec![address(V6)]), host(1, vec![Item::Nameserver])]),
        (
            "-6 --route-to 2001:db8::1",
            vec![host(2, vec![address(V6), Item::RouteTo(RouteTo::target("2001:db8::1".parse().unwrap()))])],
        ),
    ] {
        let loaded = load_typed(args).unwrap_or_else(|error| panic!("{args}: {error}"));
        assert_eq!(loaded.gate.clauses, meant, "{args}");
        assert_eq!(loaded.gate.name, "options");
        assert_eq!(loaded.gate.source, "command line");
        assert_eq!(loaded.gate.timeout, Some(Duration::from_secs(90)));
        assert_eq!(loaded.gate.no_carrier_timeout, None);
        assert_eq!(parse("options", "command line", &loaded.parts[0].text), Ok(loaded.gate));
    }
}

#[test]
fn options_change_a_gate() {
    let gate = load_typed("-t infinity --settle 2s").unwrap().gate;
    assert_eq!((gate.name.as_str(), gate.source.as_str()), ("default", "built-in"));
    assert_eq!((gate.timeout, gate.settle), (None, Duration::from_secs(2)));
    assert_eq!(gate.clauses.len(), 1);

    let loaded = load_typed("podman -4 --nameserver --no-carrier-timeout 7").unwrap();
    assert_eq!(loaded.gate.no_carrier_timeout, Some(Duration::from_secs(7)));
    assert_eq!(loaded.gate.timeout, Some(Duration::from_secs(300)));
    assert_eq!(loaded.gate.clauses.len(), 6);
    assert_eq!(
        loaded.parts[1],
        Part {
            origin: "command line".to_owned(),
            text: "no-carrier-timeout = \"7s\"\n\n[[require]]\naddress = \"ipv4\"\n\n[[require]]\nnameserver = true\n".to_owned()
        }
    );
    assert_eq!(load_typed("podman").unwrap().parts.len(), 1);
}

#[test]
fn bad_options_are_explained() {
    for (args, said) in [
        (
            "-a 10.0.0.1/24 -r defualt",
            "--address 10.0.0.1/24 has bits set after its /24; write 10.0.0.0/24 for the prefix, or 10.0.0.1 for this one address\n--route defualt is not valid; did you mean \"default\"?",
        ),
        (
            "-i eth0,eth1",
            "--interface eth0,eth1 has a comma in it; name each link by itself: -i eth0 -i eth1",
        ),
        ("-i eth0:routable", "--interface eth0:routable names a link and a state; write -i eth0 -r default"),
        (
            "-i eth0:degraded",
            "--interface eth0:degraded names a link and a state; write -i eth0 -a link-local-ipv6",
        ),
        (
            "-t 0 -4",
            "--timeout 0 is too short; for no limit write \"infinity\", and to look once use netready check",
        ),
        (
            "-t 5x",
            "--timeout 5x is not a duration; write for example \"90s\", \"1min 30s\", \"500ms\" or \"infinity\"",
        ),
        ("-t 1s --settle 2s -4", "--settle 2s is longer than the timeout (1s): this gate could never open"),
        (
            "--any",
            "--any counts links, or the entries of a list: name the links with interface, or ask for one list and nothing else",
        ),
        ("-i va0 --any --quorum 1", "--any and --quorum 1 exclude each other: --any is --quorum 1"),
        ("-i va0 --quorum 2", "--quorum 2 can never be reached: interface names one link"),
        (
            "--from 192.0.2.10",
            "--from 192.0.2.10 sets the source address of route-to, but there is no route-to",
        ),
        (
            "-4 --from 192.0.2.10",
            "--from 192.0.2.10 sets the source address of route-to, but there is no route-to",
        ),
        ("--table 7", "--table 7 sets the table of routes, but there is no route"),
        (
            "podman --route-to example.org",
            "--route-to example.org is not an address; names are not looked up here, write for example 198.51.100.7",
        ),
    ] {
        assert_eq!(load_typed(args), Err(said.to_owned()), "{args}");
    }
}
