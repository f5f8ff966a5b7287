//! Random networks and gates: checks what must be true of every verdict.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;

use super::check_invariants;
use crate::testing::{NOW, gate, network, try_gate};
use crate::evaluate::evaluate;
use crate::model::Network;
use crate::requirement::TABLE_MAIN;

const LINKS: [&str; 5] = ["x0", "x1", "br0", "wg0", "lan0"];
const STATES: [&str; 6] = ["up", "unknown", "nocarrier", "down", "dormant", "lowerlayerdown"];
const MORE: [&str; 9] = ["", "", "kind=bridge", "kind=vlan on=br0", "kind=bond", "kind=dummy", "master=br0", "kind=vrf vrf=100", "mac=none"];
const ADDRESSES: [&str; 9] = [
    "192.0.2.10/24", "192.0.2.11/24", "169.254.1.1/16", "203.0.113.10/32 peer 203.0.113.1",
    "2001:db8::10/64", "2001:db8::11/64 tentative", "2001:db8::12/64 dadfailed", "2001:db8::13/64 deprecated",
    "fe80::10/64 link",
];
const ROUTES: [&str; 11] = [
    "default4 via 192.0.2.1", "default4", "default6 via fe80::1", "default6 via fe80::1 expires 99",
    "10.0.0.0/8 via 192.0.2.1", "default4 src 192.0.2.10", "default6 from 2001:db8::/64", "default4 table 100",
    "default4 tos 16", "default6 pref high", "default6 pref low via fe80::2",
];
const HOPS: [&str; 5] = ["", "dead", "linkdown", "dead linkdown", "metric 100"];
const EXTRAS: [&str; 15] = [
    "route default6 blackhole dev lo metric 7", "route 10.0.0.0/8 throw", "route default4 prohibit metric 4294967295",
    "unread4", "unread6", "read4 100", "route default4 unreachable", "ns 192.0.2.53", "ns none", "pasta4", "pasta6",
    "lookup 198.51.100.7 errno 101", "says tcp 192.0.2.7:22", "fails tcp 192.0.2.7:23", "says dns a.example",
];

/// Kinds of default routes that may follow each other in a table.
const IN_A_ROW: [&str; 12] = [
    "live", "live", "dark linkdown", "dark dead linkdown", "live dead", "bare", "here",
    "unreachable", "blackhole", "throw", "live tos 16", "live expires 99",
];

pub(super) fn a_network() -> impl Strategy<Value = String> {
    let links = subsequence(LINKS.to_vec(), 0..=LINKS.len());
    let links = links.prop_flat_map(|names| {
        let details = vec((select(&STATES[..]), select(&MORE[..])), names.len());
        (Just(names), details)
    });
    links.prop_flat_map(|(names, details)| {
        let text: Vec<String> = names
            .iter()
            .zip(details)
            .map(|(name, (state, more))| {
                // A text must not name a link that does not exist.
                let more = if more.contains("br0") && !names.contains(&"br0") { "" } else { more };
                format!("{name}: {state} {more}")
            })
            .collect();
        let mut on = names;
        on.push("lo");
        let dev = || select(on.clone());
        let addresses = vec((dev(), select(&ADDRESSES[..])).prop_map(|(dev, a)| format!("addr {dev} {a}")), 0..5);
        let route = (dev(), select(&ROUTES[..]), select(&HOPS[..])).prop_map(|(dev, r, hop)| format!("{r} dev {dev} {hop}"));
        let routes = vec(route.clone().prop_map(|r| format!("route {r}")), 0..4);
        let pasta = vec(route.prop_map(|r| match r.contains(':') || r.contains("default6") {
            true => format!("pasta6 {r}"),
            false => format!("pasta4 {r}"),
        }), 0..3);
        let lookups = vec((dev(), select(vec!["192.0.2.10", "2001:db8::11", "fe80::10"])).prop_map(|(dev, src)| {
            format!("lookup 198.51.100.7 via 192.0.2.1 dev {dev} src {src}")
        }), 0..2);
        let extras = subsequence(EXTRAS.to_vec(), 0..5);
        (Just(text), addresses, routes, pasta, lookups, extras).prop_map(|(text, addresses, routes, pasta, lookups, extras)| {
            let extras = extras.into_iter().map(str::to_owned);
            text.into_iter().chain(extras).chain(addresses).chain(routes).chain(pasta).chain(lookups).collect::<Vec<_>>().join("; ")
        })
    })
}

const NAMES: [&str; 8] = ["x0", "x1", "br0", "lan0", "x*", "*", "!x1", "mac:02:00:00:00:00:02"];
const ITEMS: [&str; 9] = [
    "address='ipv4'", "address='ip'", "address='2001:db8::/32'", "address='192.0.2.10'",
    "route='default'", "route='default-ipv4'", "route='10.0.0.0/8'", "route-to='198.51.100.7'", "route=['default-ipv4','default-ipv6']",
];
const QUORUMS: [&str; 5] = ["", "", "; quorum='any'", "; quorum=2", "; quorum='all'"];
const OTHERS: [&str; 6] = ["", "", "", "; carrier=true", "; carrier=false", "; table=100"];
const HOST_ITEMS: [&str; 7] = ["pasta=true", "nameserver=true", "dns='a.example'", "gateway='any'",
    "tcp=['192.0.2.7:22','192.0.2.7:23']", "tcp=['192.0.2.7:22','192.0.2.7:23']; quorum=1; recheck='9s'", "address=['192.0.2.10','192.0.2.11']; quorum=1"];

fn of_links(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let list = subsequence(names.to_vec(), 1..=3);
    (list, select(&ITEMS[..]), select(&QUORUMS[..]), select(&OTHERS[..])).prop_map(|(names, item, quorum, other)| {
        let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        format!("interface=[{}]; {item}{quorum}{other}", names.join(","))
    })
}

/// A clause that must be met for the gate to be ready.
fn a_clause() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => of_links(&NAMES),
        2 => select(&ITEMS[..]).prop_map(str::to_owned),
        1 => select(&HOST_ITEMS[..]).prop_map(str::to_owned),
    ]
}

/// Adds clauses with a grace or with if-present.
pub(super) fn a_gate() -> impl Strategy<Value = String> {
    let softened = (a_clause(), select(vec!["", "; grace='5s'", "; if-present=true", "; if-present=true; grace='1s'"]));
    (a_clause(), vec(softened.prop_map(|(clause, soft)| clause + soft), 0..3)).prop_map(|(first, others)| {
        core::iter::once(first).chain(others).collect::<Vec<_>>().join(" | ")
    })
}

fn unrelated() -> impl Strategy<Value = String> {
    (select(&STATES[..]), select(vec!["", "kind=veth", "kind=bridge", "kind=wireguard mac=none", "alt=else0"]))
        .prop_map(|(state, more)| format!("zz9: {state} {more}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn met_is_what_the_rows_say_and_nothing_panics(gate_text in a_gate(), network_text in a_network()) {
        // Not every combination is a valid gate, for example carrier=false without another item.
        let Ok(gate) = try_gate(&gate_text) else { return Ok(()) };
        let network = network(&network_text);
        let verdict = evaluate(&gate, &network, NOW);
        check_invariants(&gate, &network, &verdict);
        prop_assert_eq!(&verdict, &evaluate(&gate, &network, NOW), "the same gives the same");
        let required_unmet = verdict.clauses.iter().any(|clause| !clause.met && clause.grace.is_none());
        prop_assert_eq!(verdict.ready(), !required_unmet && verdict.unread.is_empty());
    }

    #[test]
    fn an_empty_network_makes_no_gate_ready(gate_text in a_gate()) {
        let Ok(gate) = try_gate(&gate_text) else { return Ok(()) };
        let mut read = Network::default();
        read.routes = network("").routes;
        for nothing in [Network::default(), read] {
            let verdict = evaluate(&gate, &nothing, NOW);
            prop_assert!(!verdict.clauses[0].met, "{gate_text}");
            prop_assert!(!verdict.ready() && !verdict.carrier);
        }
    }

    #[test]
    fn an_unrelated_link_changes_nothing_for_plain_names(
        clause in of_links(&["x0", "x1", "br0", "lan0"]), network_text in a_network(), link in unrelated(),
    ) {
        let Ok(gate) = try_gate(&clause) else { return Ok(()) };
        let before = evaluate(&gate, &network(&network_text), NOW);
        let after = evaluate(&gate, &network(&format!("{network_text}; {link}")), NOW);
        prop_assert_eq!(before, after);
    }

    /// Compares with a direct implementation of the rule: the first route that the kernel does not skip must be
    /// live. If the clause names a link, any live route of that link is enough.
    #[test]
    fn host_wide_the_first_route_that_is_not_passed_over_must_be_live(
        kinds in vec(select(&IN_A_ROW[..]), 0..6), four in any::<bool>(),
    ) {
        let family = if four { 4 } else { 6 };
        // Only IPv4 routes have a TOS, and only IPv6 routes expire.
        let kinds = kinds.into_iter().filter(|kind| four || *kind != "live tos 16");
        let kinds: Vec<&str> = kinds.filter(|kind| !four || *kind != "live expires 99").collect();
        let routes: Vec<String> = kinds.iter().enumerate().map(|(at, kind)| {
            let kind = kind.replace("live", "dev x0").replace("dark", "dev x1").replace("bare", "dev y0").replace("here", "dev lo");
            format!("route default{family} {kind} metric {at}")
        }).collect();
        let text = format!(
            "x0: up; x1: nocarrier; y0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; addr lo 203.0.113.1/32 host; {}",
            routes.join("; "),
        );
        // A route may have its source on another link.
        let live = |kind: &str| kind == "live" || kind == "bare";
        let passed_over = |kind: &str| kind.contains("dead") || kind.contains("tos") || kind.contains("expires");
        let first = kinds.iter().find(|kind| !passed_over(kind));
        let met = |gate_text: &str| evaluate(&gate(gate_text), &network(&text), NOW).clauses[0].met;
        prop_assert_eq!(met(&format!("route='default-ipv{family}'")), first.is_some_and(|kind| live(kind)), "{}", text);
        prop_assert_eq!(met(&format!("interface='x0'; route='default-ipv{family}'")), kinds.contains(&"live"), "{}", text);
    }

    #[test]
    fn reading_a_table_never_makes_it_unread(gate_text in a_gate(), network_text in a_network()) {
        let Ok(gate) = try_gate(&gate_text) else { return Ok(()) };
        let mut network = network(&network_text);
        // Read tables as the session does: read each table that the verdict asks for, until it asks for none.
        for _ in 0..16 {
            let unread = evaluate(&gate, &network, NOW).unread;
            let Some((family, table)) = unread.into_iter().next() else { return Ok(()) };
            prop_assert!(network.routes.complete.insert((family, table)), "it was read already");
            if table == TABLE_MAIN {
                network.routes.pasta.entry(family).or_default();
            }
        }
        prop_assert!(false, "reading never ends");
    }
}

#[test]
fn most_random_clauses_are_gates() {
    // With too few valid gates, the properties above would test little.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut made = 0;
    for _ in 0..200 {
        let text = a_gate().new_tree(&mut runner).unwrap().current();
        made += usize::from(try_gate(&text).is_ok());
    }
    assert!(made > 80, "{made} of 200");
    assert_eq!(gate("interface='x0'").clauses.len(), 1);
}
