//! What the session notes: the way of links, addresses, routes, requirements, probes and the gate.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::history::{AddressWord, Event, GateWord, LinkWord, RouteWord, What, line, read};
use crate::model::{Address, Link};

impl Bench {
    fn recording(gate: Gate, kernel: &str) -> Bench {
        let mut bench = Bench::new(Mode::Watch, gate, kernel);
        bench.session.record();
        bench
    }

    fn events(&mut self) -> Vec<Event> {
        self.session.recorder.as_mut().unwrap().take()
    }

    /// The events, as short words with their milliseconds.
    fn told(&mut self) -> Vec<String> {
        let events = self.events();
        events
            .iter()
            .map(|event| format!("{} {}", (event.at - START).as_millis(), short(&event.what)))
            .collect()
    }
}

fn short(what: &What) -> String {
    match what {
        What::Start(start) => {
            format!("start {}{}", start.gate, if start.reloaded { " reloaded" } else { "" })
        }
        What::Gate(change) => {
            let why = change.reason.as_ref().map_or(String::new(), |cause| format!(": {}", cause.text));
            let by = change.met_by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
            format!("gate {}{by}{why}", change.state.as_str())
        }
        What::Requirement(change) => {
            let link = change.link.as_ref().map_or(String::new(), |link| format!(" of {link}"));
            let code =
                change.reason.as_ref().map_or(String::new(), |cause| format!(" {}", cause.code.as_str()));
            format!("{} {}{link} {}{code}", change.clause, change.requirement, change.state.as_str())
        }
        What::Link(change) => {
            let was = change.was.map_or("new", LinkWord::as_str);
            let flaps = if change.flaps > 0 { format!(" flaps {}", change.flaps) } else { String::new() };
            format!("link {} {} from {was}{flaps}", change.link, change.state.as_str())
        }
        What::Address(change) => {
            format!("address {} {} {}", change.link, change.address, change.state.as_str())
        }
        What::Route(change) => {
            let link = change.link.as_deref().unwrap_or("nowhere");
            format!("route {} {link} {} {}", change.destination, change.metric, change.state.as_str())
        }
        What::Probe(change) => format!("probe {} {}: {}", change.probe, change.state.as_str(), change.text),
        What::Dropped(count) => format!("dropped {count}"),
    }
}

/// A table is read between the two verdicts, as the link that came may have routes that nobody announced.
#[test]
fn what_is_missing_on_a_link_that_comes_up_at_once_is_noted() {
    let mut bench = Bench::recording(gate("interface='eth0'; route='default-ipv6'"), "");
    bench.run();
    bench.told();
    bench.sees("eth0: up");
    let told = bench.told();
    for expected in ["0 1 carrier of eth0 met", "0 1 route default-ipv6 of eth0 unmet no-route"] {
        assert!(told.iter().any(|line| line == expected), "{told:?}");
    }
}

#[test]
fn the_way_to_ready_is_noted_with_its_times() {
    let mut bench = Bench::recording(gate(WANTS_ROUTE), "eth0: nocarrier");
    bench.run();
    assert_eq!(
        bench.told(),
        [
            "0 start test",
            "0 link eth0 no-carrier from new",
            "0 1 route default-ipv4 unmet no-route",
            "0 gate waiting: eth0 has no carrier",
        ]
    );
    bench.now = at(5900);
    bench.sees("eth0: up");
    assert_eq!(
        bench.told(),
        ["5900 link eth0 carrier from no-carrier", "5900 gate waiting: no default IPv4 route"]
    );
    bench.now = at(5970);
    bench.sees("eth0: up; addr eth0 192.0.2.10/24");
    assert_eq!(bench.told(), ["5970 address eth0 192.0.2.10/24 usable"]);
    bench.now = at(5980);
    bench.sees(WORKS);
    assert_eq!(
        bench.told(),
        [
            "5980 route 0.0.0.0/0 eth0 0 added",
            "5980 1 route default-ipv4 met",
            "5980 gate ready by default via 192.0.2.1 dev eth0",
        ]
    );
    bench.now = at(9000);
    bench.sees("");
    assert_eq!(
        bench.told(),
        [
            "9000 address eth0 192.0.2.10/24 gone",
            "9000 link eth0 gone from carrier",
            "9000 route 0.0.0.0/0 if2 0 gone",
            "9000 1 route default-ipv4 unmet no-route",
            "9000 gate lost: no default IPv4 route",
        ]
    );
    bench.give(Input::Wake);
    assert_eq!(bench.told(), [""; 0], "nothing has changed");
    let events = bench.session.stop(at(9500));
    assert_eq!(events.iter().map(|event| short(&event.what)).collect::<Vec<_>>(), ["gate stopped"]);
    assert_eq!(bench.told(), [""; 0]);
}

/// The first look is written at once. While a gate waits, events are written a second after the first of them, and at
/// once when it opens.
#[test]
fn events_are_due_a_second_later_or_with_the_next_state() {
    let mut bench = Bench::recording(gate(WANTS_ROUTE), "eth0: nocarrier");
    bench.run();
    assert_eq!(bench.session.take_events(at(0)).len(), 4);
    assert_eq!(bench.deadline(), Some(90_000), "nothing is left to be written");
    bench.now = at(200);
    bench.sees("eth0: up");
    assert_eq!(bench.session.take_events(at(200)), []);
    assert_eq!(bench.deadline(), Some(1200));
    bench.time(1199);
    assert_eq!(bench.session.take_events(at(1199)), []);
    bench.time(1200);
    assert_eq!(bench.session.take_events(at(1200)).len(), 2);
    assert_eq!(bench.deadline(), Some(90_000));
    bench.now = at(2000);
    bench.sees(WORKS);
    assert_eq!(bench.session.take_events(at(2000)).len(), 4, "at once, with READY=1");
    assert_eq!(bench.deadline(), None);
    bench.now = at(3000);
    bench.sees("");
    assert_eq!(bench.session.take_events(at(3000)).len(), 5, "at once, as nobody waits");
    assert_eq!(bench.deadline(), None);
}

/// What was announced while notifications were lost is seen in the full read that follows.
#[test]
fn what_only_a_full_read_shows_is_noted() {
    let mut bench = Bench::recording(
        gate("interface='eth*'; address='ip'"),
        "eth0: up; addr eth0 192.0.2.10/24 tentative; eth1: up",
    );
    bench.run();
    bench.events();
    bench.now = at(100);
    bench.kernel = network("eth0: up losses=2; addr eth0 192.0.2.10/24; addr eth0 2001:db8::7/64 dadfailed");
    bench.give(Input::Lost(Stale::ALL));
    assert_eq!(
        bench.told(),
        [
            "100 link eth1 gone from carrier",
            "100 link eth0 carrier from carrier flaps 2",
            "100 address eth0 192.0.2.10/24 usable",
            "100 address eth0 2001:db8::7/64 duplicate",
            "100 1 address ip of eth0 met",
            "100 gate ready by eth0; 192.0.2.10 on eth0",
        ]
    );
}

#[test]
fn of_other_links_nothing_is_noted() {
    let mut bench = Bench::recording(
        gate("interface='eth0'; carrier=true"),
        "eth0: up; wg0: up kind=wireguard; v0: up kind=veth",
    );
    bench.run();
    bench.events();
    bench.now = at(1);
    bench.sees("eth0: up; wg0: nocarrier kind=wireguard; v0: up kind=veth; addr v0 192.0.2.1/24; eth1: up");
    assert_eq!(
        bench.told(),
        ["1 link eth1 carrier from new"],
        "a card may be a part of a link that is named"
    );
}

/// The kernel keeps the routes of a link without carrier.
#[test]
fn a_route_whose_link_loses_carrier_is_dead_until_it_is_back() {
    let mut bench = Bench::recording(gate("route='default-ipv4'"), WORKS);
    bench.run();
    bench.events();
    for (second, links, expected) in [
        (1, WORKS.replace("eth0: up", "eth0: nocarrier"), "route 0.0.0.0/0 eth0 0 dead"),
        (2, WORKS.to_owned(), "route 0.0.0.0/0 eth0 0 added"),
        (3, format!("{WORKS} dead"), "route 0.0.0.0/0 eth0 0 dead"),
    ] {
        bench.now = at(second);
        bench.sees(&links);
        let told = bench.told();
        assert!(told.contains(&format!("{second} {expected}")), "{told:?}");
    }
}

#[test]
fn a_route_that_the_kernel_does_not_use_any_more_is_replaced() {
    let mut bench = Bench::recording(gate("route='default-ipv4'"), WORKS);
    bench.run();
    bench.events();
    bench.now = at(1);
    let two =
        "route default4 via 192.0.2.1 dev eth0 metric 100; route default4 via 192.0.2.2 dev eth0 metric 50";
    bench.sees(&format!("{NO_ROUTE}; {two}"));
    let told = bench.told();
    assert_eq!(
        told[..2],
        ["1 route 0.0.0.0/0 eth0 0 replaced", "1 route 0.0.0.0/0 eth0 50 added"],
        "{told:?}"
    );
}

#[test]
fn a_requirement_that_is_not_needed_any_more_is_said() {
    let mut bench = Bench::recording(gate("route='default'"), NO_ROUTE);
    bench.run();
    assert!(bench.told().contains(&"0 1 route default unmet no-route".to_owned()));
    let either = "interface='eth*'; quorum='any'; carrier=true";
    let mut bench = Bench::recording(gate(either), "eth0: nocarrier; eth1: nocarrier");
    bench.run();
    bench.events();
    bench.sees("eth0: nocarrier; eth1: up");
    let told = bench.told();
    assert!(told.contains(&"0 1 carrier of eth0 not-needed".to_owned()), "{told:?}");
    assert!(told.contains(&"0 1 carrier of eth1 met".to_owned()), "{told:?}");
}

#[test]
fn probes_are_noted_when_their_result_changes() {
    let mut bench = Bench::recording(gate("tcp='192.0.2.7:22'"), WORKS);
    bench.run();
    bench.events();
    let question = bench.session.verdict().questions.keys().next().unwrap().clone();
    let mut told = Vec::new();
    for tried in [
        Err(crate::model::NoAnswer::Failed("refused".to_owned())),
        Err(crate::model::NoAnswer::Failed("refused".to_owned())),
        Ok("in 3 ms".to_owned()),
        Ok("in 4 ms".to_owned()),
    ] {
        bench.give(Input::Answer(question.clone(), tried));
        told.extend(bench.told().into_iter().filter(|line| line.contains(" probe ")));
    }
    assert_eq!(
        told,
        ["0 probe tcp 192.0.2.7:22 failed: refused", "0 probe tcp 192.0.2.7:22 answered: in 3 ms"]
    );
}

#[test]
fn another_gate_begins_anew() {
    let mut bench = Bench::recording(gate(WANTS_ROUTE), WORKS);
    bench.run();
    bench.events();
    bench.give(Input::Reload(gate(WANTS_ADDRESS)));
    assert_eq!(
        bench.told(),
        ["0 start test reloaded", "0 1 address ipv4 met", "0 gate ready by 192.0.2.10 on eth0"]
    );
}

/// What told of the link was lost, and is read again later.
#[test]
fn an_address_that_is_announced_before_its_link_is_noted() {
    const ADDRESS: &str = "0 address eth0 192.0.2.10/24 usable";
    for read in [true, false] {
        let mut bench = Bench::recording(gate("interface='eth*'; address='ip'"), "");
        bench.run();
        bench.told();
        let there = network("eth0: up; addr eth0 192.0.2.10/24");
        let address = there.addresses().find(|address| !address.local.is_loopback()).unwrap().clone();
        bench.step(Input::Message(Message::Address(address)));
        assert_eq!(bench.told(), [""; 0]);
        match read {
            true => {
                bench.becomes("eth0: up; addr eth0 192.0.2.10/24");
                bench.announced.clear();
                bench.announced.push_back(Input::Lost(Stale::ALL));
                bench.give(Input::Wake);
            }
            false => {
                drop(bench.step(Input::Message(Message::Link(Box::new(there.link(2).unwrap().clone())))))
            }
        }
        let told = bench.told();
        assert_eq!(told.iter().filter(|line| *line == ADDRESS).count(), 1, "{read}: {told:?}");
    }
}

/// A storm is bounded, and its first and its last notes are kept.
#[test]
fn of_a_storm_the_beginning_and_the_end_are_kept() {
    let mut bench = Bench::recording(gate(WANTS_ROUTE), NO_ROUTE);
    bench.run();
    bench.events();
    let link = |state: &str| network(state).link(2).unwrap().clone();
    let [up, dark] = ["eth0: up", "eth0: nocarrier"].map(link);
    for turn in 0..1000 {
        bench.now = at(turn);
        let link = if turn % 2 == 0 { &dark } else { &up };
        bench.step(Input::Message(Message::Link(Box::new(link.clone()))));
    }
    let told = bench.told();
    assert_eq!(told.len(), 257);
    assert_eq!(told[0], "0 link eth0 no-carrier from carrier");
    assert_eq!(told[128], "871 dropped 744");
    assert_eq!(told[256], "999 link eth0 carrier from no-carrier");
    let route = network(WORKS).routes.known[0].clone();
    for _ in 0..100_000 {
        bench.step(Input::Message(Message::Route(route.clone(), RouteChange::Added)));
    }
    assert_eq!(bench.told(), [""; 0], "routes are compared at the verdict only");
}

/// The state of links and addresses, as events tell it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Replay {
    links: BTreeMap<u32, (String, LinkWord)>,
    addresses: BTreeMap<(u32, IpAddr, Option<u8>), (IpNet, AddressWord)>,
    routes: Vec<(IpNet, Option<String>, u32)>,
    gate: Option<GateWord>,
}

impl Replay {
    fn see(&mut self, event: &Event) {
        match &event.what {
            What::Link(change) if change.state == LinkWord::Gone => {
                let known = self.links.remove(&change.ifindex);
                assert_eq!(known.map(|(_, state)| state), change.was);
            }
            What::Link(change) => {
                let known = self.links.insert(change.ifindex, (change.link.clone(), change.state));
                assert_eq!(known.map(|(_, state)| state), change.was);
            }
            What::Address(change) => {
                let rest = change.address.addr().is_ipv4().then(|| change.address.prefix_len());
                let key = (change.ifindex, change.address.addr(), rest);
                match change.state {
                    AddressWord::Gone => assert!(self.addresses.remove(&key).is_some()),
                    state => drop(self.addresses.insert(key, (change.address, state))),
                }
            }
            What::Route(change) => {
                let key = (change.destination, change.link.clone(), change.metric);
                match change.state {
                    RouteWord::Added | RouteWord::Dead if self.routes.contains(&key) => {}
                    RouteWord::Added | RouteWord::Dead => self.routes.push(key),
                    RouteWord::Replaced | RouteWord::Gone => {
                        let at = self.routes.iter().position(|known| known.0 == key.0 && known.2 == key.2);
                        self.routes.remove(at.expect("a route that was added"));
                    }
                }
            }
            What::Gate(change) => self.gate = Some(change.state),
            What::Start(_) | What::Requirement(_) | What::Probe(_) | What::Dropped(_) => {}
        }
    }
}

fn state_of(link: &Link) -> LinkWord {
    match (link.admin_up(), link.lower_up() && link.running()) {
        (false, _) => LinkWord::Down,
        (true, false) => LinkWord::NoCarrier,
        (true, true) => LinkWord::Carrier,
    }
}

fn state_of_address(address: &Address) -> AddressWord {
    match (address.dadfailed(), address.tentative(), address.deprecated()) {
        (true, _, _) => AddressWord::Duplicate,
        (false, true, _) => AddressWord::Tentative,
        (false, false, true) => AddressWord::Deprecated,
        (false, false, false) => AddressWord::Usable,
    }
}

/// States between which a host goes.
const STATES: [&str; 7] = [
    WORKS,
    NO_ROUTE,
    NO_CARRIER,
    "",
    "eth0: up; addr eth0 192.0.2.10/24 deprecated; addr eth0 2001:db8::7/64 tentative; eth1: down",
    "eth0: up losses=3; addr eth0 192.0.2.10/25; eth1: up; addr eth1 2001:db8::7/64; route default4 via 198.51.100.1 dev eth1",
    "lan0: up; addr lan0 192.0.2.10/24 dadfailed; eth1: nocarrier; addr eth1 2001:db8::7/80",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, and however much of it is lost, the events add up to the network that is known.
    #[test]
    fn events_add_up_to_the_state(
        ops in proptest::collection::vec((0..STATES.len(), any::<bool>(), any::<bool>(), 0..3000_u64), 1..30),
        wanted in 0..2_usize,
    ) {
        let mut bench = Bench::recording(gate([WANTS_ROUTE, "interface='eth*'; address='ip'"][wanted]), STATES[0]);
        bench.run();
        let mut events = bench.events();
        for (state, lost, take, millis) in ops {
            bench.becomes(STATES[state]);
            if lost {
                bench.announced.clear();
                bench.announced.push_back(Input::Lost(Stale::ALL));
            }
            bench.now = bench.now + Duration::from_millis(millis);
            bench.give(Input::Wake);
            if take {
                events.extend(bench.events());
            }
        }
        // What was lost is read at growing distances.
        for _ in 0..4 {
            bench.now = bench.now + Duration::from_secs(100);
            bench.give(Input::Wake);
        }
        events.extend(bench.events());
        prop_assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at));
        let mut replay = Replay::default();
        for event in &events {
            replay.see(&read(&line(event)).unwrap());
        }
        let network = bench.session.network();
        // All are cards, so all are watched.
        let links = network.links().filter(|link| !link.loopback());
        let addresses = network.addresses().filter(|address| !address.local.is_loopback());
        prop_assert_eq!(replay.links, links.map(|link| (link.ifindex, (link.ifname.clone(), state_of(link)))).collect());
        let net = |address: &Address| IpNet::new(address.local, address.prefix_len).unwrap();
        let rest = |address: &Address| address.local.is_ipv4().then_some(address.prefix_len);
        prop_assert_eq!(
            replay.addresses,
            addresses
                .map(|address| ((address.ifindex, address.local, rest(address)), (net(address), state_of_address(address))))
                .collect()
        );
        prop_assert_eq!(replay.routes.len(), network.routes.all().count().min(usize::from(wanted == 0)));
        let ready = bench.session.verdict().ready();
        prop_assert_eq!(replay.gate == Some(GateWord::Ready), ready);
    }
}
