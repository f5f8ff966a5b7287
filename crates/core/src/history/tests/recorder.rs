//! Tables: what a recorder notes when the network, the verdict or the gate's state changes.

use core::time::Duration;

use crate::evaluate::evaluate;
use crate::gate_state::{Came, Phase};
use crate::history::*;
use crate::model::{Address, Link};
use crate::testing::{NOW, gate, network};

/// Returns the events when a complete read replaces the network `before` with `after`, and of the verdict after it.
fn changes(wanted: &str, before: &str, after: &str) -> Vec<What> {
    let (gate, before, after) = (gate(wanted), network(before), network(after));
    let verdict = evaluate(&gate, &before, NOW);
    let mut recorder = Recorder::new(&gate, NOW);
    recorder.judged(&verdict, &verdict, &before, NOW);
    recorder.take();
    let links: Vec<Link> = after.links().cloned().collect();
    let addresses: Vec<Address> = after.addresses().cloned().collect();
    recorder.read(&links, &addresses, &before, NOW);
    recorder.judged(&verdict, &evaluate(&gate, &after, NOW), &after, NOW);
    recorder.take().into_iter().map(|event| event.what).collect()
}

fn link_changes(wanted: &str, before: &str, after: &str) -> Vec<LinkChange> {
    let changes = changes(wanted, before, after).into_iter();
    changes.filter_map(|what| if let What::Link(change) = what { Some(change) } else { None }).collect()
}

/// Returns the metric and the new state of each route that changed.
fn route_changes(wanted: &str, before: &str, after: &str) -> Vec<(u32, RouteWord)> {
    let changes = changes(wanted, before, after).into_iter();
    changes
        .filter_map(
            |what| if let What::Route(change) = what { Some((change.metric, change.state)) } else { None },
        )
        .collect()
}

const ANY_ADDRESS: &str = "address='ip'";

#[test]
fn the_other_end_of_a_link_is_a_peer() {
    for (address, expected) in [
        ("192.0.2.10/24", None),
        ("192.0.2.10/32 peer 192.0.2.1", Some("192.0.2.1".parse().unwrap())),
        ("2001:db8::7/64", None),
        ("2001:db8::7/128 peer 2001:db8::1", Some("2001:db8::1".parse().unwrap())),
    ] {
        let changes = changes(ANY_ADDRESS, "eth0: up", &format!("eth0: up; addr eth0 {address}"));
        let peers: Vec<Option<IpAddr>> = changes
            .iter()
            .filter_map(|what| if let What::Address(change) = what { Some(change.peer) } else { None })
            .collect();
        assert_eq!(peers, [expected], "{address}");
    }
}

#[test]
fn each_state_of_a_link_has_its_word() {
    for (state, expected) in [
        ("down", LinkWord::Down),
        ("nocarrier", LinkWord::NoCarrier),
        ("lowerlayerdown", LinkWord::NoCarrier),
        ("starting", LinkWord::NoCarrier),
        ("losing", LinkWord::NoCarrier),
        ("dormant", LinkWord::Dormant),
        ("unknown", LinkWord::Carrier),
        ("up", LinkWord::Carrier),
    ] {
        let words: Vec<LinkWord> = link_changes(ANY_ADDRESS, "", &format!("eth0: {state}"))
            .iter()
            .map(|change| change.state)
            .collect();
        assert_eq!(words, [expected], "{state}");
    }
}

/// The kernel counts losses of carrier. A loss that the two states of the link already show is not a flap.
#[test]
fn losses_between_two_states_are_flaps() {
    for (before, after, expected) in [
        ("up", "up losses=1", Some(1)),
        ("up losses=4", "up losses=6", Some(2)),
        ("up", "nocarrier losses=1", Some(0)),
        ("up", "nocarrier losses=3", Some(2)),
        ("up", "dormant losses=2", Some(1)),
        ("up", "down", Some(0)),
        ("nocarrier", "up losses=1", Some(1)),
        ("nocarrier", "nocarrier losses=2", Some(2)),
        ("nocarrier", "down losses=1", Some(1)),
        ("up losses=3", "up", None),
        ("up losses=3", "up losses=3", None),
    ] {
        let flaps: Vec<u64> =
            link_changes(ANY_ADDRESS, &format!("eth0: {before}"), &format!("eth0: {after}"))
                .iter()
                .map(|change| change.flaps)
                .collect();
        assert_eq!(flaps, Vec::from_iter(expected), "{before} to {after}");
    }
}

#[test]
fn links_that_the_gate_can_care_for_are_noted() {
    let named = "interface='x0'; carrier=true";
    for (wanted, link, expected) in [
        // The requirements of the host can be met on any link that leads out of it.
        (ANY_ADDRESS, "x0: up", true),
        (ANY_ADDRESS, "x0: up kind=bridge", true),
        (ANY_ADDRESS, "x0: unknown kind=wireguard", true),
        (ANY_ADDRESS, "x0: unknown kind=dummy", false),
        (ANY_ADDRESS, "x0: unknown kind=vxlan", false),
        (ANY_ADDRESS, "x0: unknown loopback", false),
        // A link that a clause names is noted whatever its kind is. Of the other links, the cards are noted.
        (named, "x0: up kind=bridge", true),
        (named, "x0: unknown kind=dummy", true),
        (named, "x0: unknown kind=vxlan", true),
        (named, "y0: up", true),
        (named, "y0: up kind=bridge", false),
        (named, "y0: unknown kind=vxlan", false),
        (named, "y0: unknown loopback", false),
    ] {
        assert_eq!(link_changes(wanted, "", link).len(), usize::from(expected), "{wanted}: {link}");
    }
}

#[test]
fn a_route_is_replaced_if_only_the_one_that_is_used_was_read() {
    use RouteWord::{Added, Gone, Replaced};
    let table: &[(&str, &[(u32, RouteWord)])] = &[
        ("unread4; route default4 dev eth0 metric 7", &[(0, Replaced), (7, Added)]),
        ("unread4", &[(0, Gone)]),
        ("unread4; route default4 dev eth0 metric 7 table 100", &[(0, Gone), (7, Added)]),
        ("unread4; route 10.0.0.0/8 dev eth0 metric 7", &[(0, Gone), (7, Added)]),
        // The whole table was read, so the old route is not in it any more.
        ("route default4 dev eth0 metric 7", &[(0, Gone), (7, Added)]),
        ("", &[(0, Gone)]),
        // Only another table, or the table of the other family, was read completely.
        ("unread4; read4 100; route default4 dev eth0 metric 7", &[(0, Replaced), (7, Added)]),
        ("route default4 dev eth0; route default4 dev eth0 metric 7", &[(7, Added)]),
        ("route default4 dev eth0", &[]),
    ];
    for (after, expected) in table {
        let before = "eth0: up; unread4; route default4 dev eth0";
        let told = route_changes("route='default-ipv4'", before, &format!("eth0: up; {after}"));
        assert_eq!(told, *expected, "{after}");
    }
}

/// A route is noted once for each of its next hops, even if it was read several times, and up to a limit.
#[test]
fn each_next_hop_is_noted_once() {
    let hops = |count: usize| {
        let hops = (1..=count).map(|hop| format!(" nexthop via 192.0.2.{hop} dev eth0"));
        format!("default4{}", hops.collect::<String>())
    };
    for (routes, expected) in [
        (format!("route {}", hops(1)), 1),
        (format!("route {}", hops(3)), 3),
        (format!("chosen {}", hops(3)), 3),
        (format!("chosen {}; pasta4 {}", hops(3), hops(3)), 3),
        ("route default4 unreachable".to_owned(), 1),
        (format!("route {}", hops(63)), 63),
        (format!("route {}", hops(64)), 64),
        (format!("route {}", hops(65)), 64),
        (format!("route {}", hops(100)), 64),
    ] {
        let told = route_changes("route='default-ipv4'", "eth0: up", &format!("eth0: up; {routes}"));
        assert_eq!(told.len(), expected, "{routes}");
    }
}

/// The event names at most three things that meet the gate, and says whether there are more.
#[test]
fn what_meets_a_gate_is_named_when_it_is_ready() {
    let ready = Phase::Ready { came: Came::First { after: Duration::ZERO } };
    for (phase, links, expected) in [
        (ready, "eth0: up", Some("eth0")),
        (ready, "eth0: up; eth1: up", Some("eth0; eth1")),
        (ready, "eth0: up; eth1: up; eth2: up", Some("eth0; eth1; eth2")),
        (ready, "eth0: up; eth1: up; eth2: up; eth3: up", Some("eth0; eth1; eth2; …")),
        (ready, "eth0: up; eth1: up; eth2: up; eth3: up; eth4: up", Some("eth0; eth1; eth2; …")),
        (Phase::Waiting, "eth0: up; eth1: nocarrier", None),
        (Phase::Settling { until: NOW }, "eth0: up", None),
    ] {
        let gate = gate("interface='eth*'; carrier=true; quorum='all'");
        let mut recorder = Recorder::new(&gate, NOW);
        recorder.take();
        recorder.observe(phase, &evaluate(&gate, &network(links), NOW), NOW);
        let told: Vec<Option<String>> = recorder
            .take()
            .into_iter()
            .filter_map(|event| if let What::Gate(change) = event.what { Some(change.met_by) } else { None })
            .collect();
        assert_eq!(told, [expected.map(str::to_owned)], "{phase:?}: {links}");
    }
}

#[test]
fn the_start_says_how_many_items_or_links_are_wanted() {
    for (wanted, expected) in [
        ("address=['ipv4', 'ipv6']", vec!["all"]),
        ("address=['ipv4', 'ipv6']; quorum='any'", vec!["1"]),
        ("address=['ipv4', 'ipv6', '10.0.0.0/8']; quorum=2", vec!["2"]),
        ("address='ipv4'; quorum='any'", vec!["all"]),
        ("interface=['eth0', 'eth1']; carrier=true", vec!["each"]),
        ("interface=['eth0', 'eth1']; carrier=true; quorum='any'", vec!["1"]),
        ("interface='eth*'; carrier=true; quorum='all'", vec!["all"]),
        ("interface='eth*'; carrier=true; quorum=2 | address='ipv4'", vec!["2", "all"]),
    ] {
        let events = Recorder::new(&gate(wanted), NOW).take();
        let [Event { what: What::Start(start), .. }] = &events[..] else { panic!("{wanted}: {events:?}") };
        let told: Vec<&str> = start.clauses.iter().map(|clause| clause.quorum.as_str()).collect();
        assert_eq!(told, expected, "{wanted}");
    }
}

/// Clauses are counted from 1.
#[test]
fn a_requirement_is_noted_with_the_number_of_its_clause() {
    let wanted = "address='ipv4' | route='default-ipv4' | route='default-ipv6'";
    let after = "eth0: up; addr eth0 192.0.2.10/24; route default4 dev eth0; route default6 dev eth0";
    let told: Vec<u64> = changes(wanted, "eth0: up", after)
        .into_iter()
        .filter_map(|what| if let What::Requirement(change) = what { Some(change.clause) } else { None })
        .collect();
    assert_eq!(told, [1, 2, 3]);
}

#[test]
fn what_meets_several_requirements_is_named_once() {
    let gate = gate("route=['default', 'default-ipv4']; nameserver=true");
    let mut recorder = Recorder::new(&gate, NOW);
    let mut host = network("eth0: up; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0");
    host.nameservers = crate::model::Nameservers::First("127.0.0.53".to_owned());
    let ready = Phase::Ready { came: Came::First { after: Duration::ZERO } };
    recorder.observe(ready, &evaluate(&gate, &host, NOW), NOW);
    let met_by = recorder
        .take()
        .into_iter()
        .find_map(|event| if let What::Gate(change) = event.what { change.met_by } else { None });
    assert_eq!(met_by.as_deref(), Some("default via 192.0.2.1 dev eth0; 127.0.0.53"));
}
