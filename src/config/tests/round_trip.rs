//! Property tests: random gates are written as text and read back, and random texts never cause a panic.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::keys;
use crate::config::{Options, Places, gate_text, parse};
use crate::ifname::{Pattern, respell};
use crate::kernel_line::Forced;
use crate::requirement::{self, Endpoint, Gate, Gateway, OnLoss, OnTimeout, Presence, Probe, Url};

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(V4), Just(V6)]
}

fn net() -> impl Strategy<Value = ipnet::IpNet> {
    let v4 = (0x0100_0000..0xe000_0000_u32, 1..=32_u8)
        .prop_map(|(bits, length)| ipnet::IpNet::new(std::net::Ipv4Addr::from(bits).into(), length));
    let v6 = (1_u128 << 64..0xff_u128 << 120, 1..=128_u8)
        .prop_map(|(bits, length)| ipnet::IpNet::new(std::net::Ipv6Addr::from(bits).into(), length));
    prop_oneof![v4, v6].prop_map(|net| net.unwrap().trunc())
}

fn item_of_links() -> impl Strategy<Value = Item> {
    let spec = prop_oneof![
        Just(AddressSpec::Either),
        family().prop_map(AddressSpec::Family),
        family().prop_map(AddressSpec::LinkLocal),
        net().prop_map(AddressSpec::Prefix),
        net()
            .prop_filter("an address of a host", |net| !net.addr().is_unspecified())
            .prop_map(|net| AddressSpec::Exact(net.addr())),
    ];
    spec.prop_map(Item::Address)
}

fn host_address() -> impl Strategy<Value = std::net::IpAddr> {
    net().prop_map(|net| net.addr()).prop_filter("an address of a host that needs no zone", |address| {
        !address.is_unspecified() && !address.is_loopback() && !crate::model::link_local(*address)
    })
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let table = prop_oneof![
        Just(Table::MAIN),
        (1..=u32::MAX).prop_map(Table::Id),
        "[a-c]{1,15}".prop_map(Table::Vrf),
    ];
    let destination = prop_oneof![
        Just(Destination::Default),
        family().prop_map(Destination::DefaultOf),
        net().prop_map(Destination::Prefix),
    ];
    (
        prop::collection::vec(item_of_links(), 0..3),
        table,
        prop::collection::vec(destination, 0..3),
        prop::collection::vec(host_address(), 0..3),
        prop::option::of(host_address()),
        prop::option::of("[a-z0-9]{0,9}[a-z]"),
    )
        .prop_map(|(addresses, table, destinations, targets, from, zone)| {
            let vrf = match &table {
                Table::Vrf(name) => Some(name.clone()),
                Table::Id(_) => None,
            };
            let routes = destinations
                .into_iter()
                .map(|destination| Item::Route(RouteSpec { destination, table: table.clone() }));
            // A clause has one `from`, which must be of the same family as the targets.
            let of_family =
                |target: &std::net::IpAddr| from.is_none_or(|from| Family::of(from) == Family::of(*target));
            let zoned = zone.filter(|_| vrf.is_none() && from.is_none_or(|from| from.is_ipv6()));
            let zoned =
                zoned.map(|zone| RouteTo { zone: Some(zone), ..RouteTo::target("fe80::1".parse().unwrap()) });
            let targets = targets.into_iter().filter(of_family).map(RouteTo::target);
            let targets = targets.map(|wanted| RouteTo { vrf: vrf.clone(), ..wanted }).chain(zoned);
            let targets = targets.map(|wanted| Item::RouteTo(RouteTo { from, ..wanted }));
            let mut items = Vec::new();
            for item in addresses.into_iter().chain(routes).chain(targets) {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            items
        })
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1..100_000_u64).prop_map(Duration::from_secs),
        (1..1_000_000_000_u64).prop_map(Duration::from_micros),
    ]
}

fn link_name() -> impl Strategy<Value = LinkName> {
    prop_oneof![
        "[a-zA-Z0-9._@\"\\\\\u{e9}-]{1,20}".prop_map(|text| LinkName::Exact(respell(&text))),
        prop_oneof!["[a-z]{0,5}\\*", "[a-z]{0,5}\\?[a-z]?", "[a-z]{1,5}\\[!?[0-9]-[0-9]\\]"]
            .prop_map(|text| LinkName::Glob(Pattern::new(&text).unwrap())),
        prop::collection::vec(any::<u8>(), 6..=32).prop_map(LinkName::Mac),
    ]
}

fn clause_of_links() -> impl Strategy<Value = Clause> {
    let entries = prop::collection::vec(link_name(), 1..4).prop_map(|mut entries| {
        let mut seen = Vec::new();
        entries.retain(|entry| {
            let new = !seen.contains(entry);
            seen.push(entry.clone());
            new
        });
        entries
    });
    let exclude = prop_oneof![
        Just(Vec::new()),
        // An exclusion in upper case never excludes an entry of this clause.
        "DOCKER[A-Z]{0,3}\\*".prop_map(|text| vec![Pattern::new(&text).unwrap()]),
    ];
    let quorum = prop_oneof![Just(Quorum::Each), Just(Quorum::AtLeast(1)), Just(Quorum::All)];
    (entries, exclude, quorum, items(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(entries, exclude, quorum, mut items, carrier, implied, if_present)| {
            let nothing_else = items.is_empty();
            if nothing_else && implied {
                items.push(EITHER);
            }
            if carrier || nothing_else {
                items.insert(0, Item::Carrier);
            }
            Clause {
                subject: Subject::Links(Links { entries, exclude, quorum, implied: nothing_else && implied }),
                items,
                grace: None,
                if_present: if_present.then_some(Presence::Link),
                recheck: None,
            }
        },
    )
}

fn expect() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(100..600_u16, 0..3)
}

fn probe() -> impl Strategy<Value = Item> {
    let host = prop_oneof![
        "[a-z][a-z0-9-]{0,9}(\\.[a-z]{1,9}){0,2}\\.?",
        host_address().prop_map(|address| address.to_string())
    ]
    .prop_map(|host| (host, None));
    let zoned = "[a-z0-9@%#.\\\\-]{0,14}[a-z]"
        .prop_map(|zone| crate::ifname::respell(&zone))
        .prop_map(|zone| ("fe80::1".to_owned(), Some(zone)));
    let endpoint =
        || {
            (prop_oneof![host.clone(), zoned.clone()], 1..=u16::MAX)
                .prop_map(|((host, zone), port)| Endpoint { host, zone, port })
        };
    let url = (any::<bool>(), endpoint(), "/[a-z0-9/?&=%._-]{0,12}").prop_map(|(tls, endpoint, path)| Url {
        tls,
        endpoint,
        path,
    });
    prop_oneof![
        "[a-z][a-z0-9_-]{0,9}(\\.[a-z]{1,9}){0,2}\\.?".prop_map(|name| Item::Probe(Probe::Dns(name))),
        endpoint().prop_map(|endpoint| Item::Probe(Probe::Tcp(endpoint))),
        url.prop_map(|url| Item::Probe(Probe::Http(Box::new(requirement::Request { url, expect: vec![] })))),
        host_address().prop_map(|address| Item::Probe(Probe::Ping { address, zone: None })),
        "[a-z]{1,9}".prop_map(|zone| Item::Probe(Probe::Ping {
            address: "fe80::1".parse().unwrap(),
            zone: Some(zone),
        })),
        prop::option::of(family()).prop_map(|family| Item::Gateway(Gateway(family))),
    ]
}

fn clause_of_the_host() -> impl Strategy<Value = Clause> {
    let with_extras = (items(), any::<bool>()).prop_map(|(mut items, pasta)| {
        if pasta || items.is_empty() {
            items.extend([Item::Pasta, Item::Nameserver]);
        }
        let needed = items.len();
        host(needed, items)
    });
    let with_quorum = (2..5_usize, 1..5_usize).prop_map(|(targets, needed)| {
        let target = |n| Item::RouteTo(RouteTo::target(std::net::Ipv4Addr::new(192, 0, 2, n).into()));
        host(needed.min(targets), (1..=targets as u8).map(target).collect())
    });
    let present = family().prop_map(|family| Clause {
        if_present: Some(Presence::Family(family)),
        ..host(2, vec![address(family), default_of(family)])
    });
    let probes = (prop::collection::vec(probe(), 1..4), expect(), prop::option::of(1..100_u64)).prop_map(
        |(probes, expect, recheck)| {
            let mut items = Vec::new();
            for item in probes {
                let mut item = item;
                if let Item::Probe(Probe::Http(request)) = &mut item {
                    // A clause has one `expect` for all its probes.
                    request.expect.clone_from(&expect);
                }
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            // Sort the items as a gate read from a file has them: in the order of the keys.
            let asks = |item: &Item, key: &keys::Key| item.to_string().split(' ').next() == Some(key.name);
            items.sort_by_key(|item| keys::all().position(|key| asks(item, key)));
            Clause { recheck: recheck.map(Duration::from_secs), ..host(items.len(), items) }
        },
    );
    prop_oneof![with_extras, with_quorum, present, probes]
}

fn any_gate() -> impl Strategy<Value = Gate> {
    let clause = (prop_oneof![clause_of_links(), clause_of_the_host()], prop::option::of(span()))
        .prop_map(|(clause, grace)| Clause { grace, ..clause });
    (
        prop::option::of(span()),
        prop::option::of(span()),
        any::<[bool; 3]>(),
        prop::collection::vec(clause, 1..4),
    )
        .prop_map(|(timeout, no_carrier_timeout, [open, fail, settle], clauses)| Gate {
            name: "g".to_owned(),
            source: "g".to_owned(),
            timeout,
            no_carrier_timeout,
            settle: timeout.filter(|_| settle).unwrap_or_default(),
            on_timeout: if open { OnTimeout::Open } else { OnTimeout::Fail },
            on_loss: if fail { OnLoss::Fail } else { OnLoss::Report },
            forced: Forced::default(),
            clauses,
            places: Places::default(),
        })
}

/// A text that resembles a gate file, made of its words in any order, so that some texts get past the TOML parser.
fn nearly_a_gate() -> impl Strategy<Value = String> {
    let names = |level| -> Vec<&str> { keys::of_level(level).map(|key| key.name).collect() };
    let word = prop_oneof![
        prop::sample::select(names(keys::Level::Gate)),
        prop::sample::select(names(keys::Level::Clause)),
        prop::sample::select(
            &[
                "=",
                "=",
                "=",
                "\n",
                "\n",
                "\n",
                "[[require]]\n",
                "[require]\n",
                "require",
                "[",
                "]",
                "{",
                "}",
                ",",
                ".",
                "\"",
                "'",
                "#",
                "true",
                "0",
                "-1",
                "1.5",
                "inf",
                "90s",
                "\"ip\"",
                "\"90s\"",
                "\"va*\"",
                "\"!va0\"",
                "\"10.0.0.1/8\"",
                "\"mac:\"",
                "\"eth0:routable\"",
                "\"\"\"",
                "\\u0000",
                "é",
                "\u{feff}",
                "\r\n",
                "=\"\"\n",
            ][..]
        ),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn a_gate_that_was_written_is_read_back_unchanged(gate in any_gate()) {
        let text = gate_text(&gate);
        prop_assert_eq!(parse("g", "g", &text), Ok(gate), "{}", text);
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        let (root, environment) = tree(&[("etc/netready/x", "")]);
        fs::write(root.path().join("etc/netready/default.toml"), &bytes).unwrap();
        let _ = load(&GateRequest::default(), &environment, &NoLinks);
    }

    #[test]
    fn no_text_panics(text in nearly_a_gate()) {
        if let Err(error) = parse("g", "g", &text) {
            prop_assert!(!error.problems.is_empty());
            // A problem is one line and has no control characters, which could change the terminal.
            for problem in &error.problems {
                prop_assert!(!problem.message.contains(char::is_control), "{:?}", problem);
            }
        }
    }

    #[test]
    fn no_option_panics(value in any::<String>(), typed in any::<u32>(), gate in any::<bool>()) {
        let mut options = Options::default();
        for (at, (_, option)) in keys::options().enumerate() {
            if typed >> at & 1 == 1 {
                options.set(option, vec![option.value_name.map_or("true", |_| &value).to_owned()]);
            }
        }
        let gate = gate.then(|| value.clone());
        let _ = load(&GateRequest { gate, options }, &nowhere(), &NoLinks);
    }
}
