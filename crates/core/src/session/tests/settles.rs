//! A settle counts only the time in which everything held without a break; and what is decided beside it.

use super::*;
use crate::model::{NoAnswer, Question, Tried};

fn settling(text: &str, seconds: u64) -> Gate {
    Gate { settle: Duration::from_secs(seconds), ..gate(text) }
}

/// What comes and goes within one drain of the socket: the verdicts before and after are the same.
#[test]
fn a_break_that_healed_within_one_drain_begins_the_settle_anew() {
    let deprecated = "eth0: up; addr eth0 192.0.2.10/24 deprecated; route default4 via 192.0.2.1 dev eth0";
    let flapped = "eth0: up losses=1; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0";
    let other = format!("{WORKS}; eth1: up");
    let refused = format!("{WORKS}; route 0.0.0.0/1 blackhole; route 128.0.0.0/1 blackhole");
    // (what, the gate, the state in between, the state afterwards, whether it is a break)
    let table: &[(&str, &str, &str, &str, bool)] = &[
        ("the address was deprecated for a moment", WANTS_ADDRESS, deprecated, WORKS, true),
        ("the address went and came", WANTS_ADDRESS, "eth0: up", WORKS, true),
        ("the link went and came", WANTS_ADDRESS, "", WORKS, true),
        ("the carrier went and came", WANTS_ADDRESS, NO_CARRIER, WORKS, true),
        ("the carrier's counter alone tells", WANTS_ADDRESS, flapped, flapped, true),
        ("two routes refused all traffic", WANTS_ROUTE, &refused, WORKS, true),
        ("another link came", WANTS_ADDRESS, &other, &other, false),
        ("nothing happened", WANTS_ADDRESS, WORKS, WORKS, false),
    ];
    for (what, wants, between, after, is_break) in table {
        let mut bench = Bench::looked(Mode::Watch, settling(wants, 10), WORKS);
        assert_eq!(bench.deadline(), Some(10_000), "{what}");
        bench.now = at(6000);
        bench.becomes(between);
        bench.becomes(after);
        bench.give(Input::Wake);
        let until = if *is_break { 16_000 } else { 10_000 };
        assert_eq!(bench.deadline(), Some(until), "{what}");
        bench.time(until.try_into().unwrap());
        assert_eq!(bench.opened, 1, "{what}");
    }
}

#[test]
fn a_loss_of_notifications_is_a_break() {
    let mut bench = Bench::looked(Mode::Watch, settling(WANTS_ROUTE, 10), WORKS);
    bench.now = at(6000);
    bench.announced.push_back(Input::Lost(Stale::ALL));
    bench.give(Input::Wake);
    assert_eq!(bench.deadline(), Some(16_000));
}

/// The kernel announces a carrier once a second at most; what came and went in between stands in a counter.
#[test]
fn at_the_end_of_a_settle_links_are_read_once_more() {
    let mut bench = Bench::looked(Mode::Watch, settling(WANTS_ROUTE, 10), WORKS);
    bench.reads.clear();
    bench.kernel =
        network("eth0: up losses=1; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0");
    bench.time(10_000);
    assert_eq!(bench.reads.first(), Some(&Read::Links));
    assert_eq!(bench.opened, 0);
    assert_eq!(bench.deadline(), Some(20_000));
    // So they are at the end of the next one.
    bench.kernel =
        network("eth0: up losses=2; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0");
    bench.time(20_000);
    assert_eq!((bench.opened, bench.deadline()), (0, Some(30_000)));
    bench.time(30_000);
    assert_eq!(bench.opened, 1);

    let mut bench = Bench::looked(Mode::Watch, settling(WANTS_ROUTE, 10), WORKS);
    bench.kernel = network("eth0: nocarrier losses=1; addr eth0 192.0.2.10/24");
    bench.time(10_000);
    assert_eq!((bench.opened, bench.phase()), (0, Phase::Waiting));
}

/// The settle ends with the lifetime of the route, which was prolonged. Until the route is read again, the carrier may be
/// lost for a moment.
#[test]
fn links_are_read_again_if_a_gate_could_not_open_at_the_end_of_its_settle() {
    let host = |link: &str, end: u64| {
        format!("eth0: {link}; addr eth0 2001:db8::7/64; route default6 via fe80::1 dev eth0 expires {end}")
    };
    for (link, opened) in [("up", 1), ("up losses=1", 0)] {
        // START is 100 s after the boot.
        let mut bench =
            Bench::looked(Mode::Watch, settling("route = \"default-ipv6\"", 10), &host("up", 110));
        bench.kernel = network(&host("up", 999));
        bench.time(10_000);
        assert_eq!((bench.opened, bench.deadline()), (0, Some(10_030)), "{link}");
        bench.kernel = network(&host(link, 999));
        bench.time(10_030);
        while bench.opened == 0 && bench.deadline().is_some_and(|at| at < 10_200) {
            bench.time(bench.deadline().unwrap().try_into().unwrap());
        }
        assert_eq!(bench.opened, opened, "{link}");
    }
}

/// The gate moves from eth0 to eth1, or to eth1 and on to another address, within one drain. The kernel announces the loss
/// of a carrier after that, or never.
#[test]
fn every_link_that_a_settle_rests_on_must_keep_its_carrier() {
    let first = "eth0: up; addr eth0 192.0.2.10/24; eth1: up; addr eth1 198.51.100.10/24; eth2: up";
    let second = first.replace("192.0.2.10/24", "192.0.2.10/24 deprecated");
    let third = format!("{second}; addr eth0 192.0.2.11/24");
    let only_second = [second.as_str()];
    let through_second = [second.as_str(), third.as_str()];
    let table: &[(&[&str], &str, bool)] = &[
        (&only_second, "nothing", false),
        (&only_second, "eth0", true),
        (&only_second, "eth1", true),
        (&only_second, "eth2", false),
        (&through_second, "nothing", false),
        (&through_second, "eth0", true),
        (&through_second, "eth1", true),
        (&through_second, "eth2", false),
    ];
    for (states, flaps, is_break) in table {
        let moved = || {
            let mut bench = Bench::looked(Mode::Watch, settling(WANTS_ADDRESS, 10), first);
            bench.now = at(6000);
            states.iter().for_each(|state| bench.becomes(state));
            bench.give(Input::Wake);
            assert_eq!(bench.deadline(), Some(10_000), "{states:?}");
            bench
        };
        let flapped =
            states.last().unwrap().replace(&format!("{flaps}: up"), &format!("{flaps}: up losses=1"));
        let mut bench = moved();
        bench.now = at(6500);
        bench.sees(&flapped);
        let until = if *is_break { 16_500 } else { 10_000 };
        assert_eq!(bench.deadline(), Some(until), "{flaps}, announced: {states:?}");
        let mut bench = moved();
        bench.kernel = network(&flapped);
        bench.time(10_000);
        assert_eq!(bench.opened, u32::from(!is_break), "{flaps}, read: {states:?}");
        bench.time(20_000);
        assert_eq!(bench.opened, 1, "{flaps}, read: {states:?}");
    }
}

/// Each row: the gate, what happens 6 s and 7 s after the start, and when the settle ends that begins again by this. From
/// then on the gate rests on eth1 only.
#[test]
fn a_link_of_an_earlier_hold_counts_no_more() {
    let host = "eth0: up; addr eth0 192.0.2.10/24; eth1: up; addr eth1 198.51.100.10/24";
    let moved =
        host.replace("192.0.2.10/24", "192.0.2.10/24 deprecated").replace("eth0: up", "eth0: up losses=1");
    let first = format!("{host}; route default4 via 192.0.2.1 dev eth0");
    // The route went without an announcement.
    let without = host.replace("eth0: up", "eth0: up alt=lan0");
    let second = format!("{without}; route default4 via 198.51.100.1 dev eth1");
    for (what, wants, [first, at_6, at_7], until) in [
        ("after a break", WANTS_ADDRESS, [host, &moved, &moved], 16_000),
        ("after the gate was not ready", WANTS_ROUTE, [&first, &without, &second], 17_000),
    ] {
        let mut bench = Bench::looked(Mode::Watch, settling(wants, 10), first);
        for (millis, state) in [(6000, at_6), (7000, at_7)] {
            bench.now = at(millis);
            bench.sees(state);
        }
        assert_eq!(bench.deadline(), Some(until), "{what}");
        let flapped = at_7.replace("eth0: up", "eth0: up losses=2").replace("losses=2 losses=1", "losses=2");
        bench.now = at(8000);
        bench.sees(&flapped);
        assert_eq!(bench.deadline(), Some(until), "{what}: eth0 flaps");
        bench.now = at(9000);
        bench.sees(&flapped.replace("eth1: up", "eth1: up losses=1"));
        assert_eq!(bench.deadline(), Some(19_000), "{what}: eth1 flaps");
    }
}

/// A short loss of the card's carrier is counted on the card alone.
#[test]
fn the_carrier_below_a_vlan_or_a_bridge_counts() {
    let addr = "addr top 192.0.2.10/24";
    let vlan = format!("eth0: up; eth1: up; top: up kind=vlan on=eth0; {addr}");
    let bridge = format!("eth0: up master=top; eth1: up; top: up kind=bridge; {addr}");
    let deep =
        format!("eth0: up; port: up kind=vlan on=eth0 master=top; eth1: up; top: up kind=bridge; {addr}");
    let two = format!("eth0: up master=top; eth1: up master=top; top: up kind=bridge; {addr}");
    for (host, flaps, until) in [
        (&vlan, "eth0", 16_000),
        (&vlan, "eth1", 10_000),
        (&bridge, "eth0", 16_000),
        (&bridge, "eth1", 10_000),
        (&deep, "eth0", 16_000),
        (&two, "eth0", 10_000),
    ] {
        let flapped = host.replace(&format!("{flaps}: up"), &format!("{flaps}: up losses=1"));
        let mut bench = Bench::looked(Mode::Watch, settling(WANTS_ADDRESS, 10), host);
        bench.now = at(6000);
        bench.sees(&flapped);
        assert_eq!(bench.deadline(), Some(until), "{host}, {flaps}, announced");
        let mut bench = Bench::looked(Mode::Watch, settling(WANTS_ADDRESS, 10), host);
        bench.kernel = network(&flapped);
        bench.time(10_000);
        assert_eq!(bench.opened, u32::from(until == 10_000), "{host}, {flaps}, read");
    }
}

/// The session is not woken when the route ends. Another route came after that, or was there all the time, or the same one
/// was prolonged.
#[test]
fn a_route_that_ended_unseen_is_a_break() {
    let host = |route: &str| format!("eth0: up; addr eth0 2001:db8::7/64; route default6 {route}");
    // START is 100 s after the boot.
    let first = host("via fe80::1 dev eth0 expires 106");
    for (what, route, announced, millis, until) in [
        ("prolonged in time", "via fe80::1 dev eth0 expires 999", false, 6010, 10_000),
        ("prolonged, and read late", "via fe80::1 dev eth0 expires 999", false, 7000, 17_000),
        ("another router came", "via fe80::2 dev eth0 metric 9", true, 7000, 17_000),
        ("another router was there", "via fe80::2 dev eth0 metric 9", false, 7000, 10_000),
        (
            "another router was there or was prolonged",
            "via fe80::2 dev eth0 metric 9 expires 999",
            false,
            7000,
            17_000,
        ),
    ] {
        let mut bench = Bench::looked(Mode::Watch, settling("route = \"default-ipv6\"", 10), &first);
        assert_eq!(bench.deadline(), Some(6000), "{what}: the end of the route");
        if announced {
            bench.kernel = network("eth0: up; addr eth0 2001:db8::7/64");
            bench.becomes(&host(route));
        }
        bench.kernel = network(&host(route));
        bench.time(millis);
        let mut last = millis;
        // Around the end it is read again and again.
        while bench.deadline().is_some_and(|at| at < 8000) {
            last = u64::try_from(bench.deadline().unwrap()).unwrap();
            bench.time(last);
        }
        assert!(last < 7500, "{what}");
        assert_eq!(bench.deadline(), Some(until), "{what}");
    }
}

#[test]
fn another_choice_of_pasta_is_a_break() {
    let text = "pasta = true";
    let pasta = |link: &str, gateway: &str| {
        format!(
            "eth0: up; addr eth0 192.0.2.10/24; eth1: up; addr eth1 198.51.100.10/24; \
             route default4 via {gateway} dev {link}"
        )
    };
    let mut bench = Bench::looked(Mode::Watch, settling(text, 10), &pasta("eth0", "192.0.2.1"));
    assert_eq!(bench.deadline(), Some(10_000));
    bench.now = at(6000);
    bench.sees(&pasta("eth1", "198.51.100.1"));
    assert_eq!(bench.deadline(), Some(16_000));
}

/// A wanted link that had carrier, if only for a moment, begins `no-carrier-timeout` anew.
#[test]
fn a_carrier_of_a_moment_begins_the_time_without_carrier_anew() {
    let gate = |seconds| Gate { no_carrier_timeout: Some(Duration::from_secs(seconds)), ..gate(WANTS_ROUTE) };
    for (becomes, deadline) in
        [("eth0: up; addr eth0 192.0.2.10/24", 13_000), ("eth0: nocarrier; lo2: up loopback", 10_000)]
    {
        let mut bench = Bench::looked(Mode::Watch, gate(10), NO_CARRIER);
        assert_eq!(bench.deadline(), Some(10_000));
        bench.now = at(3000);
        bench.becomes(becomes);
        bench.becomes(NO_CARRIER);
        bench.give(Input::Wake);
        assert_eq!(bench.deadline(), Some(deadline), "{becomes}");
    }
}

fn question(text: &str) -> Question {
    Question::Probe(crate::config::parse_tcp(text).unwrap())
}

const SOMEBODY: &str = "192.0.2.7:22";

fn wants_probe() -> Gate {
    gate(&format!("{WANTS_ROUTE}; tcp = \"{SOMEBODY}\""))
}

fn no() -> Tried {
    Err(NoAnswer::Failed("no".to_owned()))
}

#[test]
fn probes_are_asked_when_everything_passive_is_met_and_their_answers_open_the_gate() {
    let mut bench = Bench::looked(Mode::Watch, wants_probe(), NO_ROUTE);
    assert!(bench.probes.as_ref().unwrap().questions.is_empty());
    bench.sees(WORKS);
    let probes = bench.probes.clone().unwrap();
    assert_eq!(probes.questions.keys().collect::<Vec<_>>(), [&question(SOMEBODY)]);
    assert!(probes.news && probes.repeat);
    bench.give(Input::Answer(question(SOMEBODY), no()));
    assert_eq!(bench.opened, 0);
    assert!(!bench.probes.as_ref().unwrap().news, "nothing changed since");
    bench.give(Input::Answer(question(SOMEBODY), Ok("it answers".to_owned())));
    assert_eq!(bench.opened, 1);
    assert!(!bench.probes.unwrap().repeat, "what fails once the gate is ready is not tried for ever");
}

/// While something passive is unmet nobody is asked, and what was answered before was asked of another network.
#[test]
fn an_answer_to_a_withdrawn_question_is_dropped() {
    let mut bench = Bench::looked(Mode::Watch, wants_probe(), WORKS);
    bench.give(Input::Answer(question(SOMEBODY), Ok("it answers".to_owned())));
    assert_eq!(bench.opened, 1);
    bench.sees(NO_CARRIER);
    bench.sees(WORKS);
    assert!(matches!(bench.phase(), Phase::Lost { .. }), "{:?}", bench.phase());
    assert!(bench.probes.clone().unwrap().repeat, "a lost gate asks again and again");
    bench.give(Input::Answer(question(SOMEBODY), Ok("it answers".to_owned())));
    assert!(matches!(bench.phase(), Phase::Ready { .. }));
}

#[test]
fn only_what_a_probe_may_depend_on_is_news() {
    let first = "eth0: up; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0";
    let lifetimes = "eth0: up alt=lan0; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0";
    let another = format!("{first}; eth1: up");
    for (becomes, news) in [(lifetimes, false), (another.as_str(), true)] {
        let mut bench = Bench::looked(Mode::Watch, wants_probe(), first);
        bench.give(Input::Answer(question(SOMEBODY), no()));
        bench.sees(becomes);
        assert_eq!(bench.probes.unwrap().news, news, "{becomes}");
    }
}

#[test]
fn another_resolver_is_news_and_the_same_one_is_not() {
    for news in [true, false] {
        let mut bench = Bench::looked(Mode::Watch, wants_probe(), WORKS);
        bench.give(Input::Nameservers { nameservers: Nameservers::None, news });
        assert_eq!(bench.probes.unwrap().news, news);
    }
}

#[test]
fn a_loss_of_notifications_is_news() {
    let mut bench = Bench::looked(Mode::Watch, wants_probe(), WORKS);
    bench.give(Input::Answer(question(SOMEBODY), no()));
    assert!(!bench.probes.as_ref().unwrap().news);
    bench.announced.push_back(Input::Lost(Stale::ALL));
    bench.give(Input::Wake);
    assert!(bench.probes.unwrap().news);
}
