//! The planner alone: what it reads next after each thing that was found, or not.

use super::*;
use crate::model::PastaView;
use crate::testing::{gate, network};

const START: Moment = Moment::after_boot(Duration::from_secs(100));

fn at(millis: u64) -> Moment {
    START + Duration::from_millis(millis)
}

/// A planner, its gate, and the network that it keeps.
struct Bench {
    gate: Gate,
    network: Network,
    refresh: Refresh,
}

impl Bench {
    fn new(wants: &str) -> Bench {
        let gate = gate(wants);
        Bench { refresh: Refresh::new(&gate, START), gate, network: Network::default() }
    }

    fn next(&mut self, millis: u64) -> Option<Read> {
        self.refresh.next(&self.gate, &mut self.network, at(millis))
    }

    /// The read that is next, and what it finds.
    #[track_caller]
    fn finds(&mut self, millis: u64, found: Found) -> Read {
        let read = self.next(millis).expect("something to read");
        self.refresh.found(read.clone(), found, &mut self.network, at(millis), at(millis));
        read
    }

    /// The barrier is passed, and these links and addresses are there.
    fn with_links(wants: &str, kernel: &str) -> Bench {
        let mut bench = Bench::new(wants);
        assert_eq!(bench.finds(0, Found::Passed), Read::Barrier);
        let kernel = network(kernel);
        let (links, addresses) = (kernel.links().cloned().collect(), kernel.addresses().cloned().collect());
        assert_eq!(bench.finds(0, Found::Links(links, addresses)), Read::Links);
        bench
    }
}

const HOST: &str = "eth0: up; addr eth0 192.0.2.10/24; eth1: up";

fn route(text: &str) -> Route {
    network(&alloc::format!("{HOST}; route {text}")).routes.known.remove(0)
}

#[test]
fn a_read_that_failed_waits_and_begins_with_the_barrier_again() {
    let mut bench = Bench::new("route = \"default-ipv4\"");
    bench.finds(0, Found::Passed);
    for (failed, millis) in [(Found::Failed, 0), (Found::Interrupted, 100)] {
        assert_eq!(bench.finds(millis, failed), Read::Links);
        assert_eq!(bench.next(millis), None, "it is not read in a circle");
        assert!(bench.refresh.current(&bench.network).is_none());
        assert_eq!(bench.refresh.deadline(), Some(at(millis + 100)));
        bench.refresh.wake(at(millis + 100));
        assert_eq!(bench.finds(millis + 100, Found::Passed), Read::Barrier);
    }
}

/// The time of the first repetition had come, and was not used yet, when the second reading failed.
#[test]
fn links_that_could_not_be_read_are_not_forgotten_when_a_table_cannot_be_read_either() {
    let mut bench = Bench::new("route = \"default-ipv4\"");
    bench.finds(0, Found::Passed);
    assert_eq!(bench.finds(0, Found::Interrupted), Read::Links);
    // Routes are read meanwhile, because a message told of one.
    let told = Message::Route(route("default4 dev eth0"), crate::model::RouteChange::Added);
    bench.refresh.take_in(&told, &mut bench.network);
    assert_eq!(bench.finds(0, Found::Passed), Read::Barrier);
    bench.finds(0, Found::Route(None));
    let table = bench.next(0).expect("a table");
    bench.refresh.wake(at(100));
    bench.refresh.found(table, Found::Interrupted, &mut bench.network, at(0), at(100));
    assert_eq!(bench.next(100), None, "it is not read without a pause");
    bench.refresh.wake(at(200));
    assert_eq!(bench.finds(200, Found::Passed), Read::Barrier);
    assert_eq!(bench.next(200), Some(Read::Links));
}

#[test]
fn of_two_times_that_something_was_put_off_to_the_earlier_one_counts() {
    let mut bench = Bench::with_links("address = \"ipv4\"", HOST);
    bench.refresh.lost(Stale::ALL, at(0));
    bench.refresh.lost(Stale::ALL, at(1));
    assert_eq!(bench.refresh.deadline(), Some(at(10)));
    bench.finds(1, Found::Failed);
    assert_eq!(bench.refresh.deadline(), Some(at(10)));
}

#[test]
fn another_gate_begins_with_the_links() {
    let mut bench = Bench::with_links("route = \"10.0.0.0/8\" | route = \"198.51.100.0/24\"", HOST);
    assert!(matches!(bench.finds(0, Found::Route(None)), Read::Matching { .. }));
    bench.gate = gate("address = \"ipv4\"");
    bench.refresh.rewant(&bench.gate);
    assert_eq!(bench.next(0), Some(Read::Links));
}

#[test]
fn where_a_more_specific_route_hides_the_prefix_the_next_address_is_asked_for() {
    let mut bench = Bench::with_links("route = \"10.0.0.0/8\"", HOST);
    let asked = |read: Read| {
        let Read::Matching { probes, .. } = read else { panic!("{read:?}") };
        probes.len()
    };
    let hides = || Found::Route(Some(route("10.0.0.0/24 via 192.0.2.1 dev eth0")));
    let all = asked(bench.finds(0, hides()));
    for left in (1..all).rev() {
        assert_eq!(asked(bench.finds(0, hides())), left);
    }
    // Then only the table can tell.
    assert!(matches!(bench.next(0), Some(Read::Table(_))));
}

/// The main table has a default route, but no lookup answers with it: the kernel finds no route at all, or policy rules
/// send every address that netready asks about to another table. Then netready asks about ordinary addresses, one by one,
/// until the answer is the default route or a route with a longer prefix.
#[test]
fn a_default_route_that_no_lookup_finds_is_asked_for_by_ordinary_addresses() {
    let table = |text: &str| {
        let routes = alloc::vec![route(text)];
        Found::Table(TableRoutes { family: Family::V4, id: TABLE_MAIN, routes, pasta: None, refuses: false })
    };
    const OURS: &str = "default4 via 192.0.2.1 dev eth0";
    const HALF: &str = "0.0.0.0/1 via 192.0.2.1 dev eth0";
    const DEAD_HALF: &str = "128.0.0.0/1 dev eth1 linkdown";
    const DEAD: &str = "default4 via 192.0.2.2 dev eth1 linkdown table 200";
    // What the ordinary addresses find ("" is nothing), and whether the gate is ready then.
    let rows: &[(&[&str], bool)] = &[
        (&["4.0.0.0/8 via 192.0.2.1 dev eth0"], true),
        (&[OURS], true),
        (&["", "4.0.0.0/8 via 192.0.2.1 dev eth0"], true),
        (&["", "", "", ""], false),
        (&[DEAD_HALF, DEAD_HALF, DEAD_HALF, DEAD_HALF], false),
        (&["", DEAD_HALF, "", ""], false),
        (&[DEAD, DEAD, DEAD, DEAD_HALF], false),
        (&[DEAD_HALF, DEAD_HALF, DEAD_HALF, HALF], true),
        (&[DEAD_HALF, DEAD_HALF, OURS], true),
        (&[DEAD_HALF, "78.0.0.0/8 dev eth1 linkdown"], true),
        (&["0.0.0.0/1 blackhole", "0.0.0.0/1 blackhole", "128.0.0.0/1 prohibit", ""], false),
    ];
    let misleading = "203.0.113.0/24 via 192.0.2.2 dev eth1 linkdown";
    for first in [&[""][..], &[misleading, DEAD, misleading]] {
        for (found, ready) in rows {
            let answer = |text: &str| Found::Route((!text.is_empty()).then(|| route(text)));
            let mut bench = Bench::with_links("route = \"default-ipv4\"", HOST);
            for text in first {
                assert!(matches!(bench.finds(0, answer(text)), Read::Matching { connects: true, .. }));
            }
            assert!(matches!(bench.finds(0, table(OURS)), Read::Table(_)), "{found:?}");
            for text in *found {
                assert!(matches!(bench.finds(0, answer(text)), Read::Ordinary { .. }), "{found:?}");
            }
            assert_eq!(bench.next(0), None, "{found:?}");
            assert_eq!(bench.refresh.take_judged().unwrap().ready(), *ready, "{found:?}");
        }
    }
    // Nobody asks if the table explains why there is no way, or if a clause names the link or another table.
    for (gate, known) in [
        ("route = \"default-ipv4\"", "default4 unreachable"),
        ("route = \"default-ipv4\"", "default4 via 192.0.2.1 dev eth0 dead"),
        ("route = \"default-ipv4\"", "default4 via 192.0.2.1 dev eth0 tos 16"),
        ("route = \"default-ipv4\"", "default4 via 192.0.2.1 dev eth0 expires 0"),
        ("interface = \"eth0\"\nroute = \"default-ipv4\"", "default4 via 192.0.2.1 dev eth0"),
    ] {
        let mut bench = Bench::with_links(gate, HOST);
        assert!(matches!(bench.finds(0, Found::Route(None)), Read::Matching { .. }));
        assert!(matches!(bench.finds(0, table(known)), Read::Table(_)));
        assert_eq!(bench.next(0), None, "{gate} {known}");
    }
}

/// A program selects no source for a route of another table, or through one link, so policy rules by source do not matter.
#[test]
fn only_a_default_route_of_the_host_is_asked_for_as_a_connection_does() {
    for (gate, connects) in [
        ("route = \"default-ipv4\"", true),
        ("route = \"default-ipv4\"\ntable = 100", false),
        ("route = \"10.0.0.0/8\"", false),
        ("interface = \"eth0\"\nroute = \"default-ipv4\"", false),
    ] {
        let mut bench = Bench::with_links(gate, HOST);
        let Some(Read::Matching { connects: asked, .. }) = bench.next(0) else { panic!("{gate}") };
        assert_eq!(asked, connects, "{gate}");
    }
}

#[test]
fn an_answer_that_cannot_be_decoded_leaves_no_older_one() {
    let mut bench = Bench::with_links("route-to = \"203.0.113.7\"", HOST);
    let unreachable = Lookup::None(libc::ENETUNREACH);
    assert!(matches!(bench.finds(0, Found::Path(Some(unreachable))), Read::Path { .. }));
    assert_eq!(bench.network.lookups.len(), 1);
    bench.refresh.read_all();
    let kernel = network(HOST);
    let (links, addresses) = (kernel.links().cloned().collect(), kernel.addresses().cloned().collect());
    while bench.next(0) == Some(Read::Barrier) {
        bench.finds(0, Found::Passed);
    }
    bench.finds(0, Found::Links(links, addresses));
    bench.finds(0, Found::Path(None));
    assert_eq!(bench.network.lookups.len(), 0);
}

/// pasta wants to reach the gateway of its default route on the route's own link.
#[test]
fn a_gateway_is_on_its_link_if_its_route_leads_there_without_another_gateway() {
    for (found, on_link) in [
        (Some("192.0.2.0/24 dev eth0"), true),
        (Some("192.0.2.0/24 dev eth1"), false),
        (Some("192.0.2.0/24 via 192.0.2.9 dev eth0"), false),
        (None, false),
    ] {
        let mut bench = Bench::with_links("pasta = true", HOST);
        let default = route("default4 via 192.0.2.1 dev eth0");
        let ifindex = default.hops[0].ifindex;
        let gateway: IpAddr = [192, 0, 2, 1].into();
        bench
            .network
            .routes
            .pasta
            .insert(Family::V4, PastaView { default: Some(default), ..PastaView::default() });
        let read = Read::Gateway { family: Family::V4, gateway, ifindex };
        bench.refresh.found(read, Found::Route(found.map(route)), &mut bench.network, at(0), at(0));
        assert_eq!(bench.network.routes.pasta[&Family::V4].gateway_on_link, on_link, "{found:?}");
    }
}

#[test]
fn a_table_that_pasta_uses_is_followed_by_the_route_to_each_gateway() {
    let mut bench = Bench::with_links("pasta = true", HOST);
    let default =
        route("default4 nexthop via 192.0.2.1 dev eth0 nexthop dev eth1 nexthop via 192.0.2.2 dev eth1");
    let [eth0, _, eth1] = [0, 1, 2].map(|hop| default.hops[hop].ifindex);
    let Some(Read::Table(read)) = bench.next(0) else { panic!() };
    let view = PastaView { default: Some(default), ..PastaView::default() };
    let found = |pasta| {
        Found::Table(TableRoutes {
            family: Family::V4,
            id: TABLE_MAIN,
            routes: Vec::new(),
            pasta,
            refuses: false,
        })
    };
    assert_eq!((read.family, read.id), (Family::V4, TABLE_MAIN));
    bench.refresh.found(Read::Table(read), found(Some(view)), &mut bench.network, at(0), at(0));
    let gateway =
        |last, ifindex| Read::Gateway { family: Family::V4, gateway: [192, 0, 2, last].into(), ifindex };
    assert_eq!(bench.finds(0, Found::Route(None)), gateway(2, eth1));
    assert_eq!(bench.finds(0, Found::Route(None)), gateway(1, eth0));
}

/// Of each table only the destinations that the gate asks about are kept, and what pasta takes of the main one.
#[test]
fn what_is_read_of_a_table() {
    let bench = Bench::with_links(
        "route = [\"default\", \"10.0.0.0/8\"] | route = \"10.1.0.0/16\"; table = 100 | pasta = true",
        HOST,
    );
    for (family, id, destinations, pasta) in [
        (Family::V4, TABLE_MAIN, &["0.0.0.0/0", "10.0.0.0/8"][..], true),
        (Family::V6, TABLE_MAIN, &["::/0"], true),
        (Family::V4, 100, &["10.1.0.0/16"], false),
        (Family::V6, 100, &[], false),
    ] {
        let destinations = destinations.iter().map(|prefix| prefix.parse().unwrap()).collect();
        let expected = ReadTable { family, id, destinations, pasta };
        assert_eq!(bench.refresh.table(family, id, &bench.network), expected);
    }
    let bench = Bench::with_links("route = \"default\"", HOST);
    assert!(!bench.refresh.table(Family::V4, TABLE_MAIN, &bench.network).pasta);
}

#[test]
fn what_a_notification_makes_of_the_barrier() {
    let link = |text: &str| {
        let link = network(text).links().find(|link| link.ifname == "eth0").unwrap().clone();
        Message::Link(alloc::boxed::Box::new(link))
    };
    for (before, after, barrier) in [
        ("eth0: nocarrier", "eth0: up", Barrier::BeforeNo),
        ("eth0: up", "eth0: nocarrier", Barrier::Always),
        ("eth0: up", "eth0: up", Barrier::Always),
        ("eth0: down", "eth0: up", Barrier::Always),
        ("eth0: starting", "eth0: up", Barrier::BeforeNo),
        ("eth0: nocarrier", "eth0: starting", Barrier::Always),
        ("eth0: nocarrier", "eth0: losing", Barrier::Always),
        ("", "eth0: up", Barrier::Always),
        // Something else changed with the carrier.
        ("eth0: nocarrier", "eth0: up alt=lan0", Barrier::Always),
    ] {
        assert_eq!(barrier_for(&link(after), &network(before)), barrier, "{before} -> {after}");
    }
    let host = network(HOST);
    let address = host.addresses().next().unwrap().clone();
    assert_eq!(barrier_for(&Message::Address(address.clone()), &host), Barrier::NotNeeded);
    assert_eq!(barrier_for(&Message::AddressGone(address), &host), Barrier::Always);
    assert_eq!(barrier_for(&Message::LinkGone(2), &host), Barrier::Always);
    for message in [
        Message::Rule(Family::V4),
        Message::Nexthop(7),
        Message::NexthopGone(7),
        Message::IgnoreLinkdown(None),
    ] {
        assert_eq!(barrier_for(&message, &host), Barrier::Always, "{message:?}");
    }
}

/// The message that this address of a network came.
fn address(text: &str, local: &str) -> Message {
    let network = network(text);
    let address = network.addresses().find(|it| it.local.to_string() == local).unwrap();
    Message::Address(address.clone())
}

/// An IPv4 address makes dead next hops of its link usable only after it was announced. So a "no" that was read after the
/// message counts only behind the barrier.
#[test]
fn a_dead_next_hop_is_read_again_behind_the_barrier_when_its_link_gets_an_address() {
    let multipath = "default4 nexthop via 192.0.2.1 dev eth0 dead nexthop dev eth1 dead linkdown";
    let table = |routes: &str| {
        Found::Table(TableRoutes {
            family: Family::V4,
            id: TABLE_MAIN,
            routes: alloc::vec![route(routes)],
            pasta: None,
            refuses: false,
        })
    };
    let mut bench = Bench::with_links("route = \"default-ipv4\"", HOST);
    bench.finds(0, Found::Route(None));
    assert!(matches!(bench.finds(0, table(multipath)), Read::Table(_)));
    assert_eq!(bench.next(0), None);

    bench.refresh.take_in(&address(HOST, "192.0.2.10"), &mut bench.network);
    assert!(matches!(bench.finds(0, Found::Route(None)), Read::Matching { .. }));
    assert!(matches!(bench.finds(0, table(multipath)), Read::Table(_)));
    assert_eq!(bench.finds(0, Found::Passed), Read::Barrier);
    assert!(matches!(
        bench.finds(0, Found::Route(Some(route("default4 via 192.0.2.1 dev eth0")))),
        Read::Matching { .. }
    ));
    assert_eq!(bench.next(0), None);
    assert!(bench.refresh.take_judged().unwrap().ready());
}

/// It may come while routes are read.
#[test]
fn an_ipv4_address_that_comes_while_routes_are_read_needs_the_barrier_before_a_no() {
    for (text, local, barrier) in
        [(HOST, "192.0.2.10", true), ("eth0: up; addr eth0 2001:db8::7/64", "2001:db8::7", false)]
    {
        let mut bench = Bench::with_links("route = \"default-ipv4\"", text);
        assert!(matches!(bench.next(0), Some(Read::Matching { .. })));
        bench.refresh.take_in(&address(text, local), &mut bench.network);
        let nothing = TableRoutes {
            family: Family::V4,
            id: TABLE_MAIN,
            routes: Vec::new(),
            pasta: None,
            refuses: false,
        };
        bench.finds(0, Found::Table(nothing));
        assert_eq!(bench.next(0) == Some(Read::Barrier), barrier, "{local}");
    }
}
