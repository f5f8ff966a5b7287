//! What the network keeps of messages, and what they make stale.

pub(super) mod scale;

use super::{Lookup, Message, Network, RouteChange, Stale};
use crate::model::{Address, PastaView, Route};
use crate::moment::Moment;
use crate::requirement::{Family, RouteTo, Table};
use crate::testing::{IFF_LOWER_UP, IFF_RUNNING, IFF_UP, NOW, gate, network};
use crate::wants::Wants;

const HOST: &str = "x0: up; y0: up; addr x0 192.0.2.10/24; addr y0 198.51.100.10/24; \
                    route default4 via 192.0.2.1 dev x0 metric 100";

fn wants(text: &str) -> Wants {
    Wants::of(&gate(text))
}

fn link(network: &Network, name: &str) -> Message {
    Message::Link(Box::new(network.links().find(|link| link.ifname == name).unwrap().clone()))
}

/// A message that a link was set down.
fn down(network: &Network, name: &str) -> Message {
    let Message::Link(mut link) = link(network, name) else { unreachable!() };
    link.flags = 0;
    Message::Link(link)
}

fn number(network: &Network, name: &str) -> u32 {
    network.links().find(|link| link.ifname == name).unwrap().ifindex
}

fn address(network: &Network, text: &str) -> Address {
    network.addresses().find(|address| address.local.to_string() == text).unwrap().clone()
}

/// Makes a route from its text.
fn route(text: &str) -> Route {
    network(&format!("x0: up; y0: up; route {text}")).routes.known[0].clone()
}

const NOTHING: Stale = Stale { links: false, routes: false, lookups: false };
const ROUTES: Stale = Stale { links: false, routes: true, lookups: false };
const LOOKUPS: Stale = Stale { links: false, routes: false, lookups: true };

/// Each row: the routes that are known, and whether a new address of the family makes routes stale for a gate that wants its
/// default route.
#[test]
fn a_new_address_may_be_another_source() {
    for (routes, of_4, of_6) in [
        ("", false, false),
        ("route default4 via 192.0.2.1 dev x0", true, false),
        ("route default6 via fe80::1 dev x0", false, false),
        ("route default6 via fe80::1 dev x0 from 2001:db8::/56", false, true),
    ] {
        for (gate_text, local, stale) in [
            ("route='default-ipv4'", "192.0.2.11", of_4),
            ("route='default-ipv6'", "2001:db8::11", of_6),
            ("interface='x0'; route='default'", "192.0.2.11", false),
            ("route='default-ipv6'", "192.0.2.11", false),
        ] {
            let host = format!("x0: up; addr x0 192.0.2.10/24; {routes}");
            let mut before = network(&host);
            let new = network(&format!("{host}; addr x0 {local}/24"));
            let message = Message::Address(address(&new, local));
            assert_eq!(before.apply(&message, &wants(gate_text)).routes, stale, "{routes} {gate_text}");
        }
    }
}

#[test]
fn a_message_makes_stale_what_it_may_have_removed() {
    let before = network(HOST);
    let default = wants("route='default-ipv4'");
    let target = wants("route-to='203.0.113.7'");
    let nothing = wants("address='ipv4'");
    let gone = Message::AddressGone(address(&before, "192.0.2.10"));
    let gone_elsewhere = Message::AddressGone(address(&before, "198.51.100.10"));
    let new = |local: &str| {
        let local = local.parse().unwrap();
        Message::Address(Address { local, remote: local, ..address(&before, "192.0.2.10") })
    };
    let told = |text: &str, change| Message::Route(route(text), change);
    for (message, of_default, of_target) in [
        // A known route leaves through this link.
        (link(&before, "x0"), ROUTES, LOOKUPS),
        // No known route leaves through this link. But it may have a route that the kernel skipped until now.
        (link(&before, "y0"), ROUTES, LOOKUPS),
        (down(&before, "y0"), NOTHING, LOOKUPS),
        (down(&before, "x0"), ROUTES, LOOKUPS),
        (Message::LinkGone(number(&before, "x0")), ROUTES, LOOKUPS),
        (Message::LinkGone(number(&before, "y0")), NOTHING, LOOKUPS),
        (gone, ROUTES, LOOKUPS),
        // A connection may have another source address than before, and a policy rule may be for that source.
        (gone_elsewhere, ROUTES, LOOKUPS),
        (new("192.0.2.11"), ROUTES, LOOKUPS),
        // A lease that is renewed changes nothing. IPv6 selects the route before the source.
        (Message::Address(address(&before, "192.0.2.10")), NOTHING, LOOKUPS),
        (new("2001:db8::11"), NOTHING, LOOKUPS),
        (Message::Rule(Family::V4), ROUTES, LOOKUPS),
        (Message::Nexthop(7), ROUTES, LOOKUPS),
        (Message::NexthopGone(7), ROUTES, LOOKUPS),
        (Message::IgnoreLinkdown(None), ROUTES, LOOKUPS),
        (told("default4 dev y0", RouteChange::Added), ROUTES, LOOKUPS),
        (told("default4 dev y0 table 77", RouteChange::Gone), ROUTES, LOOKUPS),
        // A route to a wanted destination matters even if it refuses or is for one TOS only.
        (told("default4 unreachable", RouteChange::Added), ROUTES, LOOKUPS),
        (told("default4 blackhole metric 4294967295", RouteChange::Gone), ROUTES, LOOKUPS),
        (told("default4 dev y0 tos 16", RouteChange::Added), ROUTES, LOOKUPS),
        (told("203.0.113.0/24 dev y0", RouteChange::Gone), NOTHING, LOOKUPS),
        (told("10.0.0.0/8 dev x0", RouteChange::Replaced), NOTHING, NOTHING),
        (told("default6 dev x0", RouteChange::Gone), NOTHING, NOTHING),
    ] {
        assert_eq!(before.clone().apply(&message, &default), of_default, "{message:?}");
        assert_eq!(before.clone().apply(&message, &target), of_target, "{message:?}");
        assert_eq!(before.clone().apply(&message, &nothing), NOTHING, "{message:?}");
    }
}

/// If the kernel keeps IPv6 addresses, it makes them tentative without a message. So they are read again when the
/// link's admin state or its master changes.
#[test]
fn kept_addresses_are_read_again() {
    use crate::model::Link;
    const STATIC: &str = "addr x0 2001:db8::7/64 permanent";
    let down = |link: &mut Link| link.flags = 0;
    let moved = |link: &mut Link| link.master = Some(3);
    let renamed = |link: &mut Link| link.ifname = "lan0".to_owned();
    let carrierless = |link: &mut Link| link.flags &= 1;
    type Change = fn(&mut Link);
    let cases: &[(&str, Change, bool)] = &[
        (STATIC, down, true),
        (STATIC, moved, true),
        (STATIC, renamed, false),
        (STATIC, carrierless, false),
        // ULAs are kept too. One of several addresses is enough.
        ("addr x0 fd00::7/64 permanent", down, true),
        (
            "addr x0 192.0.2.10/24 permanent; addr x0 fe80::7/64 link permanent; addr x0 fd00::7/64 permanent",
            down,
            true,
        ),
        // The kernel announces the removal of addresses that it does not keep. A tentative address does not count
        // anyway.
        ("addr x0 2001:db8::7/64", down, false),
        ("addr x0 fe80::7/64 link permanent", down, false),
        ("addr x0 192.0.2.10/24 permanent", down, false),
        ("addr x0 2001:db8::7/64 permanent tentative", down, false),
        ("addr y0 2001:db8::7/64 permanent", down, false),
    ];
    for (addresses, change, stale) in cases {
        let mut network = network(&format!("x0: up; y0: up; vrf0: up kind=vrf; {addresses}"));
        let Message::Link(mut changed) = link(&network, "x0") else { panic!("a link") };
        let before = changed.clone();
        change(&mut changed);
        let nothing = wants("address='ipv6'");
        assert_eq!(network.apply(&Message::Link(changed), &nothing).links, *stale, "{addresses}");
        // The change back makes them stale again, because no later message reports what happened in between.
        assert_eq!(network.apply(&Message::Link(before), &nothing).links, *stale, "{addresses}, back");
    }
    // A link that was unknown has no known addresses.
    let mut network = network("x0: up");
    let Message::Link(mut new) = link(&network, "x0") else { panic!("a link") };
    new.ifindex = 9;
    assert!(!network.apply(&Message::Link(new), &wants("address='ipv6'")).links);
}

#[test]
fn a_link_that_a_multipath_hop_or_pasta_s_choice_leaves_through_matters() {
    let mut multipath = network("x0: up; y0: up; route default4 nexthop dev y0 nexthop dev x0");
    let message = link(&multipath, "x0");
    assert_eq!(multipath.apply(&message, &wants("route='default'")), ROUTES);
    let mut pasta = network("x0: up; y0: up; pasta4 10.0.0.0/8 dev x0");
    let (chosen, other) = (link(&pasta, "x0"), link(&pasta, "y0"));
    assert_eq!(pasta.apply(&chosen, &wants("pasta=true")), ROUTES);
    assert_eq!(pasta.apply(&other, &wants("pasta=true")), NOTHING);
}

/// The kernel takes a dead next hop again once its link has an IPv4 address again, and announces the address only.
#[test]
fn an_address_brings_a_dead_next_hop_back() {
    let with = |hops: &str| {
        network(&format!("x0: up; y0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::7/64; {hops}"))
    };
    for (hops, local, expected) in [
        ("route default4 nexthop dev y0 nexthop dev x0 dead", "192.0.2.10", ROUTES),
        ("route default4 nexthop dev y0 nexthop dev x0 dead", "2001:db8::7", NOTHING),
        ("route default4 nexthop dev y0 dead nexthop dev x0", "192.0.2.10", NOTHING),
        ("route default4 nexthop dev y0 nexthop dev x0", "192.0.2.10", NOTHING),
    ] {
        let mut network = with(hops);
        let message = Message::Address(address(&network, local));
        assert_eq!(network.apply(&message, &wants("route='default'")), expected, "{hops}, {local}");
    }
}

/// A clause that names a link asks whether the link has a route. It does not matter which route the kernel selects.
#[test]
fn a_link_that_becomes_usable_matters_if_the_kernel_s_choice_does() {
    let before = network(HOST);
    for (gate, expected) in [
        ("route='default-ipv4'", ROUTES),
        ("route='10.0.0.0/8'", ROUTES),
        ("gateway='any'", ROUTES),
        ("interface='x0'; route='default-ipv4'", NOTHING),
    ] {
        assert_eq!(before.clone().apply(&link(&before, "y0"), &wants(gate)), expected, "{gate}");
    }
    // The kernel announces the flags one after the other, so either may be the last one.
    for (flags, expected) in [
        (IFF_UP | IFF_LOWER_UP, ROUTES),
        (IFF_UP | IFF_RUNNING, ROUTES),
        (IFF_UP, NOTHING),
        (IFF_LOWER_UP | IFF_RUNNING, NOTHING),
    ] {
        let Message::Link(mut changed) = link(&before, "y0") else { unreachable!() };
        changed.flags = flags;
        let stale = before.clone().apply(&Message::Link(changed), &wants("route='default-ipv4'"));
        assert_eq!(stale, expected, "{flags:#x}");
    }
    let mut dark = network("x0: up; y0: nocarrier; route default4 dev x0");
    let message = link(&dark, "y0");
    assert_eq!(dark.apply(&message, &wants("route='default'")), NOTHING, "it brings nothing back");
}

#[test]
fn a_chosen_route_counts_as_a_known_route() {
    let mut chosen = network("x0: up; y0: up; chosen default6 dev y0 expires 300");
    chosen.routes.known.clear();
    assert!(chosen.next_expiry(NOW).is_some());
    let message = down(&chosen, "y0");
    assert_eq!(chosen.apply(&message, &wants("route='default'")), ROUTES);
}

#[test]
fn a_link_may_be_the_vrf_that_a_table_is_named_by() {
    let mut vrf = network("vrf0: up kind=vrf vrf=100");
    let message = link(&vrf, "vrf0");
    let wants = wants("interface='x0'; route='default'; table='vrf0'");
    assert_eq!(vrf.apply(&message, &wants), NOTHING, "nothing new");
    vrf.apply(&Message::LinkGone(number(&vrf, "vrf0")), &wants);
    assert_eq!(vrf.table_id(&Table::Vrf("vrf0".to_owned())), None);
    assert_eq!(vrf.apply(&message, &wants), ROUTES);
    assert_eq!(vrf.table_id(&Table::Vrf("vrf0".to_owned())), Some(100));
    assert_eq!(vrf.table_id(&Table::Id(7)), Some(7));
}

#[test]
fn a_link_that_goes_takes_its_addresses_and_no_others() {
    let mut network =
        network("x0: up; y0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; addr y0 192.0.2.10/24");
    let (x0, y0) = (number(&network, "x0"), number(&network, "y0"));
    network.apply(&Message::LinkGone(x0), &Wants::default());
    assert_eq!(network.addresses_of(x0).count(), 0);
    assert_eq!(network.addresses_of(y0).count(), 1);
    assert_eq!(network.addresses().count(), 3, "and lo's two");
    assert_eq!(network.ifname(x0), format!("if{x0}"));
}

#[test]
fn an_ipv4_address_with_another_prefix_or_peer_is_another_and_an_ipv6_one_is_not() {
    let count = |text: &str| network(text).addresses().count() - 2;
    assert_eq!(count("x0: up; addr x0 192.0.2.10/24; addr x0 192.0.2.10/25"), 2);
    assert_eq!(
        count("x0: up; addr x0 192.0.2.10/32 peer 192.0.2.1; addr x0 192.0.2.10/32 peer 192.0.2.2"),
        2
    );
    assert_eq!(
        count("x0: up; addr x0 192.0.2.10/24; addr x0 192.0.2.10/24 deprecated"),
        1,
        "renewed in place"
    );
    assert_eq!(count("x0: up; addr x0 2001:db8::10/64 tentative; addr x0 2001:db8::10/64"), 1);
    assert_eq!(
        count("x0: up; addr x0 2001:db8::10/128 peer 2001:db8::1; addr x0 2001:db8::10/128 peer 2001:db8::2"),
        1
    );
    assert_eq!(count("x0: up; y0: up; addr x0 fe80::10/64; addr y0 fe80::10/64"), 2);
    let renewed = network("x0: up; addr x0 2001:db8::10/64 tentative; addr x0 2001:db8::10/64");
    assert!(!address(&renewed, "2001:db8::10").tentative(), "the last word counts");
}

#[test]
fn a_rename_keeps_the_link_and_its_number_may_be_another_s() {
    let mut network = network("x0: up; addr x0 192.0.2.10/24");
    let Message::Link(mut renamed) = link(&network, "x0") else { unreachable!() };
    renamed.ifname = "lan0".to_owned();
    network.apply(&Message::Link(renamed.clone()), &Wants::default());
    assert_eq!(network.links().filter(|link| link.ifname != "lo").count(), 1);
    assert_eq!(network.addresses_of(renamed.ifindex).count(), 1);
    network.apply(&Message::LinkGone(renamed.ifindex), &Wants::default());
    network.apply(&Message::Link(renamed.clone()), &Wants::default());
    assert_eq!(network.addresses_of(renamed.ifindex).count(), 0, "another device with its number");
}

#[test]
fn the_next_expiry_is_the_first_that_is_to_come() {
    let at = |seconds| Some(Moment::after_boot(core::time::Duration::from_secs(seconds)));
    let next = |text: &str| network(&format!("x0: up; {text}")).next_expiry(NOW);
    assert_eq!(next("route default6 dev x0"), None);
    assert_eq!(next("route default6 dev x0 expires 300"), at(300));
    assert_eq!(
        next("route default6 dev x0 expires 100; route default6 dev x0 expires 101 metric 5"),
        at(101)
    );
    assert_eq!(next("pasta6 default6 dev x0 expires 200; route default6 dev x0 expires 300"), at(200));
    assert_eq!(next("lookup 2001:db8::1 dev x0 expires 150; route default6 dev x0 expires 300"), at(150));
    let mut network = network("");
    network.lookups.insert(RouteTo::target("192.0.2.1".parse().unwrap()), Lookup::None(101));
    assert_eq!(network.next_expiry(NOW), None);
}

#[test]
fn pasta_sees_the_first_default_and_else_the_first_other_route() {
    let taken = |routes: &[&str]| {
        let mut view = PastaView::default();
        let decided: Vec<bool> = routes.iter().map(|text| view.see(&route(text))).collect();
        (view.taken().map(|route| (route.destination.to_string(), route.metric)), decided.last().copied())
    };
    let is = |text: &str, metric, decided| (Some((text.to_owned(), metric)), Some(decided));
    assert_eq!(taken(&["default4 dev x0 metric 9", "default4 dev y0 metric 5"]), is("0.0.0.0/0", 9, true));
    assert_eq!(
        taken(&["10.0.0.0/8 dev x0 metric 1", "10.1.0.0/16 dev y0 metric 2"]),
        is("10.0.0.0/8", 1, false)
    );
    assert_eq!(taken(&["10.0.0.0/8 dev x0", "default4 dev x0 metric 3"]), is("0.0.0.0/0", 3, true));
    for skipped in [
        "default4 unreachable",
        "169.254.0.0/16 dev x0",
        "fe80::/64 dev x0",
        "127.0.0.0/8 dev lo",
        "default4 dev lo",
        "default4 dev x0 table 77",
    ] {
        assert_eq!(taken(&[skipped]), (None, Some(false)), "{skipped}");
    }
}

#[test]
fn a_route_is_known_once() {
    let once =
        network("x0: up; route default4 dev x0; route default4 dev x0; route default4 dev x0 metric 1");
    assert_eq!(once.routes.known.len(), 2);
    assert_eq!(once.routes.known[0].family(), Family::V4);
}

#[test]
fn duplicate_addresses_are_counted_as_they_come_and_go() {
    const SOUND: &str = "x0: up; addr x0 2001:db8::1/64";
    const FAILED: &str = "x0: up; addr x0 2001:db8::1/64 dadfailed; addr x0 2001:db8::2/64";
    let wants = wants("address='ipv6'");
    let mut kept = network(SOUND);
    let of = |host: &str| address(&network(host), "2001:db8::1");
    for (message, has_duplicates) in [
        (Message::Address(of(FAILED)), true),
        (Message::Address(of(FAILED)), true),
        (Message::Address(of(SOUND)), false),
        (Message::Address(of(FAILED)), true),
        (Message::AddressGone(of(FAILED)), false),
        (Message::AddressGone(of(FAILED)), false),
        (Message::Address(of(FAILED)), true),
        (Message::LinkGone(number(&kept, "x0")), false),
    ] {
        kept.apply(&message, &wants);
        assert_eq!(kept.has_duplicates(), has_duplicates, "{message:?}");
    }
    for (host, has_duplicates) in [(FAILED, true), (FAILED, true), (SOUND, false)] {
        let read = network(host);
        kept.replace_links(read.links().cloned().collect(), read.addresses().cloned().collect());
        assert_eq!(kept.has_duplicates(), has_duplicates, "{host}");
    }
}

/// In any order of arrival, routes are sorted by destination and table. Equal ones stay in the order of arrival.
#[test]
fn routes_are_found_by_destination_and_table() {
    let texts = [
        "10.2.0.0/16 dev x0",
        "default4 via 192.0.2.1 dev x0 metric 9",
        "10.1.0.0/16 dev x0 table 100",
        "10.1.0.0/16 dev y0",
        "default4 via 192.0.2.1 dev x0 metric 5",
        "10.1.0.0/16 dev x0",
    ];
    let mut routes = crate::model::Routes::default();
    for text in texts.iter().chain(&texts) {
        routes.add(route(text));
    }
    assert_eq!(routes.known.len(), texts.len());
    for (like, expected) in [(1, vec![1, 4]), (3, vec![3, 5]), (2, vec![2]), (0, vec![0])] {
        let expected: Vec<Route> = expected.into_iter().map(|place: usize| route(texts[place])).collect();
        let wanted = route(texts[like]);
        assert_eq!(routes.to(wanted.destination, wanted.table), expected, "{}", texts[like]);
    }
    assert!(routes.to("10.3.0.0/16".parse().unwrap(), 254).is_empty());
}
