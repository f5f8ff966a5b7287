//! What interrupts a verdict, even if it is repaired afterwards.

use crate::continuity::Continuity;
use crate::evaluate::evaluate;
use crate::model::{Message, RouteChange};
use crate::requirement::Family;
use crate::testing::{NOW, gate, network};

const HOST: &str = "x0: up losses=3; y0: up losses=3; addr x0 192.0.2.10/24; addr x0 192.0.2.11/24; addr y0 198.51.100.10/24; \
                    route default4 via 192.0.2.1 dev x0 metric 100; lookup 203.0.113.7 via 192.0.2.1 dev x0 src 192.0.2.10; \
                    pasta4 default4 via 192.0.2.1 dev x0 metric 100; ns 192.0.2.53";

/// A gate for each kind of evidence, all of it of x0.
const CARRIER: &str = "interface='x0'; carrier=true";
const ADDRESS: &str = "address='192.0.2.10'";
const ROUTE: &str = "route='default'";
const TARGET: &str = "route-to='203.0.113.7'";
const PASTA: &str = "pasta=true";
const SERVER: &str = "nameserver=true";
const ALL: [&str; 6] = [CARRIER, ADDRESS, ROUTE, TARGET, PASTA, SERVER];

/// Checks that the message interrupts exactly these gates.
#[track_caller]
fn interrupts(message: &Message, expected: &[&str]) {
    let before = network(HOST);
    for text in ALL {
        let verdict = evaluate(&gate(text), &before, NOW);
        assert!(verdict.ready(), "{text}: {verdict:?}");
        let mut continuity = Continuity::default();
        continuity.before(message, &before, &verdict);
        assert_eq!(continuity.take_broken(), expected.contains(&text), "{text}, {message:?}");
    }
}

fn link(name: &str, losses: u32) -> Message {
    let mut link = network(HOST).links().find(|link| link.ifname == name).unwrap().clone();
    link.carrier_down_count = losses;
    Message::Link(Box::new(link))
}

fn address(text: &str, gone: bool) -> Message {
    let found = network(HOST).addresses().find(|address| address.local.to_string() == text).unwrap().clone();
    if gone { Message::AddressGone(found) } else { Message::Address(found) }
}

fn route(text: &str, change: RouteChange) -> Message {
    Message::Route(network(&format!("x0: up; y0: up; route {text}")).routes.known[0].clone(), change)
}

#[test]
fn a_loss_of_carrier_that_was_counted() {
    interrupts(&link("x0", 4), &[CARRIER, ADDRESS, ROUTE, TARGET, PASTA]);
    interrupts(&link("x0", 3), &[]);
    interrupts(&link("y0", 4), &[]);
}

/// The link is set down and up again, or moved into a VRF and out. Its kept IPv6 addresses were tentative in
/// between, whatever a later read shows. IPv4 addresses do not change.
#[test]
fn a_link_that_makes_its_kept_addresses_tentative() {
    const KEPT: &str = "x0: up; y0: up; addr x0 2001:db8::7/64 permanent; addr x0 192.0.2.10/24 permanent; \
                        route default6 via fe80::1 dev x0";
    let before = network(KEPT);
    let known = |name: &str| before.links().find(|link| link.ifname == name).unwrap().clone();
    for (name, gate_text, expected) in [
        ("x0", "address='2001:db8::7'", true),
        ("x0", "interface='x0'; address='ipv6'", true),
        ("x0", "route='default-ipv6'", true),
        ("y0", "address='2001:db8::7'", false),
        ("x0", "interface='y0'; carrier=true", false),
    ] {
        let verdict = evaluate(&gate(gate_text), &before, NOW);
        assert!(verdict.ready(), "{gate_text}: {verdict:?}");
        let (mut down, mut moved) = (known(name), known(name));
        down.flags = 0;
        moved.master = Some(9);
        for changed in [down, moved] {
            let message = Message::Link(Box::new(changed));
            assert_eq!(verdict.interrupted_by(&message, &before), expected, "{gate_text}, {message:?}");
        }
        let same = Message::Link(Box::new(known(name)));
        assert!(!verdict.interrupted_by(&same, &before));
    }
}

#[test]
fn a_link_that_goes() {
    let number = network(HOST).links().find(|link| link.ifname == "x0").unwrap().ifindex;
    interrupts(&Message::LinkGone(number), &[CARRIER, ADDRESS, ROUTE, TARGET, PASTA]);
    interrupts(&Message::LinkGone(number + 1), &[]);
}

#[test]
fn an_address_that_goes() {
    interrupts(&address("192.0.2.10", true), &[ADDRESS, ROUTE, TARGET]);
    interrupts(&address("198.51.100.10", true), &[]);
    let Message::AddressGone(other) = address("192.0.2.11", true) else { panic!() };
    // All addresses of its subnet go with the primary one, or cannot be used for a moment (promote_secondaries).
    interrupts(&Message::AddressGone(other.clone()), &[ADDRESS, ROUTE, TARGET]);
    const IFA_F_SECONDARY: u32 = 1;
    interrupts(&Message::AddressGone(crate::model::Address { flags: IFA_F_SECONDARY, ..other.clone() }), &[]);
    // For the kernel this is another subnet.
    interrupts(&Message::AddressGone(crate::model::Address { prefix_len: 25, ..other }), &[]);
    // A renewal.
    interrupts(&address("192.0.2.10", false), &[]);
}

#[test]
fn a_route_that_goes_or_is_replaced() {
    for change in [RouteChange::Gone, RouteChange::Replaced] {
        interrupts(&route("default4 via 192.0.2.1 dev x0 metric 100", change), &[ROUTE, TARGET, PASTA]);
        // The route has another gateway. For the kernel it is the same route.
        interrupts(&route("default4 via 192.0.2.2 dev x0 metric 100", change), &[ROUTE, TARGET, PASTA]);
        interrupts(&route("203.0.113.0/24 dev x0", change), &[TARGET]);
        interrupts(&route("203.0.112.0/24 dev x0", change), &[]);
    }
    // The route is added although it was known. The kernel had removed it without a message (`ip nexthop del`).
    interrupts(&route("default4 via 192.0.2.1 dev x0 metric 100", RouteChange::Added), &[ROUTE, PASTA]);
    interrupts(&route("default4 via 192.0.2.1 dev x0 metric 100", RouteChange::Appended), &[]);
    // A route with another metric is a different route. It, or what it replaced, may have been the target's way.
    let other = "default4 via 198.51.100.1 dev y0 metric 200";
    interrupts(&route(other, RouteChange::Gone), &[TARGET]);
    interrupts(&route(other, RouteChange::Replaced), &[TARGET]);
    // The same route leaves through another link now.
    interrupts(
        &route("default4 via 198.51.100.1 dev y0 metric 100", RouteChange::Replaced),
        &[ROUTE, TARGET, PASTA],
    );
}

/// While the better route existed, no packet used the route behind it.
#[test]
fn a_better_route_that_came_or_went() {
    for change in [RouteChange::Added, RouteChange::Replaced, RouteChange::Gone] {
        for kind in ["unreachable", "blackhole", "prohibit", "throw"] {
            let message = route(&format!("default4 {kind} metric 99"), change);
            interrupts(&message, &[ROUTE, TARGET]);
        }
        interrupts(&route("default4 via 198.51.100.1 dev y0 metric 1 linkdown", change), &[ROUTE, TARGET]);
        interrupts(&route("default4 unreachable metric 101", change), &[TARGET]);
        interrupts(&route("default4 unreachable metric 1 tos 16", change), &[TARGET]);
        let target = if change == RouteChange::Added { &[][..] } else { &[TARGET] };
        // One that came may lead somewhere, which is seen when the routes are read again.
        let before = if change == RouteChange::Added { &[][..] } else { &[ROUTE, TARGET] };
        interrupts(&route("default4 via 198.51.100.1 dev y0 metric 1", change), before);
        interrupts(&route("default4 via 198.51.100.1 dev y0 metric 100 tos 16", change), target);
        // It may go with its nexthop object, without a message.
        let mut with_target = vec![ROUTE];
        with_target.extend(target);
        interrupts(&route("default4 via 198.51.100.1 dev y0 metric 1 nhid 8", change), &with_target);
    }
}

/// A policy rule may lead packets to a default route of another table, and a route of a short prefix is more specific than
/// the default route. Two of the latter take all packets.
#[test]
fn a_route_that_the_kernel_takes_before_the_default_route() {
    for (place, gates) in [
        ("default4 {} table 77", &[ROUTE, TARGET][..]),
        ("0.0.0.0/1 {}", &[ROUTE]),
        ("0.0.0.0/1 {} table 77", &[ROUTE]),
        ("202.0.0.0/7 {}", &[ROUTE, TARGET]),
        // Prefixes of this length are not all of the internet.
        ("202.0.0.0/8 {}", &[]),
        ("default4 {} table 77 tos 16", &[TARGET]),
        // Only packets of the VRF come to them.
        ("default4 {} table 66", &[TARGET]),
        ("0.0.0.0/1 {} table 66", &[]),
        ("default6 {} table 77", &[]),
        ("2000::/3 {}", &[]),
    ] {
        let gates: Vec<&str> = gates.to_vec();
        let routed = |way: &str, change| route(&place.replace("{}", way), change);
        let before = network(&format!("{HOST}; vrf66: up kind=vrf vrf=66"));
        for text in ALL {
            let verdict = evaluate(&gate(text), &before, NOW);
            let interrupts = |message: &Message| verdict.interrupted_by(message, &before);
            let counts = gates.contains(&text);
            for way in ["blackhole", "via 198.51.100.1 dev y0 linkdown"] {
                for change in [RouteChange::Added, RouteChange::Replaced, RouteChange::Gone] {
                    assert_eq!(
                        interrupts(&routed(way, change)),
                        counts,
                        "{text}, {place}, {way}, {change:?}"
                    );
                }
            }
            // One that leads somewhere may go with its link, without a message.
            let live = routed("via 198.51.100.1 dev y0", RouteChange::Added);
            assert!(!interrupts(&live), "{text}, {place}");
            let mut continuity = Continuity::default();
            continuity.before(&live, &before, &verdict);
            continuity.before(&link("y0", 4), &before, &verdict);
            assert_eq!(continuity.take_broken(), counts, "{text}, {place}, with its link");
        }
    }
}

/// Which packets of its family it concerned is not known. It may have kept all packets from the default route of the main table.
#[test]
fn a_rule_that_changed() {
    interrupts(&Message::Rule(Family::V4), &[ROUTE, TARGET]);
    // It concerned no packet of the other family.
    interrupts(&Message::Rule(Family::V6), &[]);
    let before = network(
        "x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::7/64; route 10.0.0.0/8 dev x0; route default4 dev x0 table 77; \
         route default6 via fe80::1 dev x0; lookup 2001:db8:7::7 via fe80::1 dev x0 src 2001:db8::7",
    );
    for (gate_text, by_4, by_6) in [
        ("route='10.0.0.0/8'", false, false),
        ("route='default-ipv4'; table=77", false, false),
        ("route='default-ipv6'", false, true),
        ("route='default'", false, true),
        ("route-to='2001:db8:7::7'", false, true),
    ] {
        let verdict = evaluate(&gate(gate_text), &before, NOW);
        assert!(verdict.ready(), "{gate_text}");
        for (family, interrupts) in [(Family::V4, by_4), (Family::V6, by_6)] {
            let interrupted = verdict.interrupted_by(&Message::Rule(family), &before);
            assert_eq!(interrupted, interrupts, "{gate_text} {family:?}");
        }
    }
}

/// The routes of a nexthop object go without a message. A lookup does not tell which route it used.
#[test]
fn a_nexthop_object_that_went_or_changed() {
    interrupts(&Message::NexthopGone(7), &[TARGET]);
    interrupts(&Message::Nexthop(7), &[]);
    let before = network(&HOST.replace("metric 100", "metric 100 nhid 7"));
    for (message, gates) in [
        (Message::NexthopGone(7), &[ROUTE, TARGET, PASTA][..]),
        (Message::NexthopGone(8), &[TARGET]),
        (Message::Nexthop(7), &[ROUTE, PASTA]),
        (Message::Nexthop(8), &[]),
    ] {
        for text in ALL {
            let verdict = evaluate(&gate(text), &before, NOW);
            assert_eq!(
                verdict.interrupted_by(&message, &before),
                gates.contains(&text),
                "{text}, {message:?}"
            );
        }
    }
}

#[test]
fn the_kernel_took_dead_routes_or_did_not() {
    let link = network(HOST).links().find(|link| link.ifname == "y0").unwrap().ifindex;
    for link in [None, Some(link)] {
        interrupts(&Message::IgnoreLinkdown(link), &[ROUTE, TARGET]);
    }
}

#[test]
fn messages_that_interrupt_nothing() {
    // A new link sends this too.
    interrupts(&Message::IgnoreLinkdown(Some(77)), &[]);
}

/// Until the next verdict, the kernel may use the new route. If its link stops carrying traffic, the route goes without a
/// message.
#[test]
fn a_better_route_that_goes_with_its_link() {
    let before = network(HOST);
    let number = before.links().find(|link| link.ifname == "y0").unwrap().ifindex;
    let mut down = before.link(number).unwrap().clone();
    down.flags = 0;
    let ends = [link("y0", 4), Message::Link(Box::new(down)), Message::LinkGone(number)];
    for (added, expected) in [
        ("default4 via 198.51.100.1 dev y0 metric 99", &[ROUTE, TARGET, PASTA][..]),
        ("default4 via 198.51.100.1 dev y0 metric 101", &[TARGET]),
        ("203.0.113.0/24 via 198.51.100.1 dev y0", &[TARGET]),
        ("203.0.112.0/24 via 198.51.100.1 dev y0", &[]),
        ("default4 via 192.0.2.1 dev x0 metric 99", &[]),
    ] {
        for (text, end) in ALL.into_iter().flat_map(|text| ends.iter().map(move |end| (text, end))) {
            let verdict = evaluate(&gate(text), &before, NOW);
            let mut continuity = Continuity::default();
            continuity.before(&route(added, RouteChange::Added), &before, &verdict);
            assert!(!continuity.is_broken(&verdict, &before, NOW), "{text}, {added}");
            continuity.before(end, &before, &verdict);
            assert_eq!(continuity.take_broken(), expected.contains(&text), "{text}, {added}, {end:?}");
        }
    }
}

/// The kernel may use routes again that lead out of a link that comes up. The next verdict shows it.
#[test]
fn a_link_that_is_up_for_a_moment() {
    let (down, up) =
        (network(&format!("{HOST}; z0: nocarrier losses=3")), network(&format!("{HOST}; z0: up losses=3")));
    let known = up.links().find(|link| link.ifname == "z0").unwrap().clone();
    let lost = Message::Link(Box::new(crate::model::Link { carrier_down_count: 4, ..known.clone() }));
    let comes = Message::Link(Box::new(known));
    for text in ALL {
        let verdict = evaluate(&gate(text), &down, NOW);
        let mut continuity = Continuity::default();
        continuity.before(&comes, &down, &verdict);
        continuity.before(&lost, &up, &verdict);
        assert_eq!(continuity.take_broken(), [ROUTE, TARGET, PASTA].contains(&text), "{text}");
        continuity.before(&comes, &down, &verdict);
        continuity.judged(&verdict, &verdict, &up, &[], NOW);
        continuity.before(&lost, &up, &verdict);
        assert!(!continuity.take_broken(), "{text}, with a verdict in between");
    }
}

/// Each row: what was known, what a list has, and what there was all the time, as far as netready can know.
#[test]
fn what_two_lists_have_in_common() {
    for (known, listed, gate_text, met) in [
        ("x0: up; addr x0 192.0.2.10/24", "x0: up; addr x0 192.0.2.10/24", ADDRESS, true),
        ("x0: up; addr x0 192.0.2.10/24", "x0: up; addr x0 192.0.2.11/24", "address='ipv4'", false),
        (
            "x0: up; addr x0 2001:db8::7/64",
            "x0: up; addr x0 2001:db8::7/64 deprecated",
            "address='ipv6'",
            false,
        ),
        (
            "x0: up; addr x0 2001:db8::7/64 tentative",
            "x0: up; addr x0 2001:db8::7/64",
            "address='ipv6'",
            false,
        ),
        ("x0: up; y0: nocarrier", "x0: nocarrier; y0: up", "interface='x0'; carrier=true", false),
        ("x0: up; y0: nocarrier", "x0: nocarrier; y0: up", "interface='y0'; carrier=true", false),
        ("x0: up; y0: nocarrier", "x0: up; y0: up", "interface='x0'; carrier=true", true),
        ("x0: up", "x0: up; y0: up", "interface='y0'; carrier=true", false),
    ] {
        let (known, listed) = (network(known), network(listed));
        let links: Vec<_> = listed.links().cloned().collect();
        let addresses: Vec<_> = listed.addresses().cloned().collect();
        let between = known.in_between(&links, &addresses);
        assert_eq!(evaluate(&gate(gate_text), &between, NOW).ready(), met, "{known:?} {listed:?}");
        let before = evaluate(&gate(gate_text), &known, NOW);
        assert_eq!(before.is_touched(&known, &between), before.ready() && !met, "{known:?} {listed:?}");
    }
}

/// Each row: the routes that are known, and the second in which the verdict's route ends, seen from second 2.
#[test]
fn when_the_routes_end_that_a_verdict_rests_on() {
    const HERE: &str = "x0: up; addr x0 2001:db8::7/64; addr x0 192.0.2.7/24";
    let second = |second| crate::moment::Moment::after_boot(core::time::Duration::from_secs(second));
    for (gate_text, routes, ends) in [
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 expires 8", Some(8)),
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0", None),
        (
            "route='default-ipv4'",
            "route default4 via 192.0.2.1 dev x0; route default6 via fe80::1 dev x0 expires 8",
            None,
        ),
        // Two routers.
        (
            "interface='x0'; route='default-ipv6'",
            "route default6 via fe80::1 dev x0 expires 8; route default6 via fe80::2 dev x0 expires 5",
            Some(8),
        ),
        // One of them has ended.
        (
            "interface='x0'; route='default-ipv6'",
            "route default6 via fe80::1 dev x0 expires 1; route default6 via fe80::2 dev x0 expires 5",
            Some(5),
        ),
        (
            "route-to='2001:db8:7::7'",
            "lookup 2001:db8:7::7 via fe80::1 dev x0 src 2001:db8::7 expires 8",
            Some(8),
        ),
        ("route-to='2001:db8:7::7'", "lookup 2001:db8:7::7 via fe80::1 dev x0 src 2001:db8::7", None),
        ("address='ipv6'", "route default6 via fe80::1 dev x0 expires 8", None),
    ] {
        let host = network(&format!("{HERE}; {routes}"));
        let verdict = evaluate(&gate(gate_text), &host, second(2));
        assert!(verdict.ready(), "{gate_text} {routes}: {verdict:?}");
        let found: Vec<_> = verdict.ends(&host, second(2)).into_values().collect();
        assert_eq!(found, ends.map(second).into_iter().collect::<Vec<_>>(), "{gate_text} {routes}");
    }
}

/// Only met requirements have evidence, so nothing interrupts an unmet one.
#[test]
fn a_verdict_that_rests_on_nothing() {
    let before = network("x0: nocarrier losses=3");
    let verdict = evaluate(&gate("interface='x0'; carrier=true"), &before, NOW);
    let mut flapped = before.links().find(|link| link.ifname == "x0").unwrap().clone();
    flapped.carrier_down_count = 9;
    let mut continuity = Continuity::default();
    continuity.before(&Message::Link(Box::new(flapped)), &before, &verdict);
    assert!(!continuity.take_broken());
}
