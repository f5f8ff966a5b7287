//! In which order things happen: nothing is judged before everything announced was taken in and read again.

use super::*;
use crate::evaluate::tests::once::evaluated_in;

fn kinds(reads: &[Read]) -> Vec<&'static str> {
    let kind = |read: &Read| match read {
        Read::Barrier => "barrier",
        Read::Links => "links",
        Read::Path { .. } => "way",
        Read::Matching { .. } => "matching",
        Read::Ordinary { .. } => "ordinary",
        Read::Table(_) => "table",
        Read::Gateway { .. } => "gateway",
    };
    reads.iter().map(kind).collect()
}

#[test]
fn the_first_look_passes_the_barrier_reads_links_and_asks_for_routes() {
    let bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), WORKS);
    assert_eq!(kinds(&bench.reads), ["barrier", "links", "matching"]);
    assert_eq!(bench.opened, 1);
    // What the lookup took is the kernel's choice, whatever a table lists before it.
    let chosen: Vec<_> = bench.session.network().routes.chosen.values().collect();
    assert_eq!(chosen, bench.kernel.routes.known.iter().collect::<Vec<_>>());
}

#[test]
fn what_was_read_is_judged_once() {
    let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), NO_ROUTE);
    let evaluated = evaluated_in(|| drop(bench.sees(WORKS)));
    assert_eq!((evaluated.len(), bench.opened), (1, 1));
}

/// The verdict by which reading ended knows nothing of what is announced after it.
#[test]
fn what_is_announced_after_reading_counts() {
    let mut bench = Bench::new(Mode::Watch, gate(WANTS_ADDRESS), WORKS);
    bench.step(Input::Dry);
    while let Next::Read(read) = bench.next.clone() {
        bench.step(Input::Found(answer(&bench.kernel, &read)));
    }
    assert_eq!(bench.next, Next::Drain);
    bench.becomes(NO_CARRIER);
    bench.run();
    assert_eq!((bench.opened, bench.phase()), (0, Phase::Waiting));
}

#[test]
fn a_no_is_believed_only_after_the_table_was_read() {
    let bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), NO_ROUTE);
    assert_eq!(kinds(&bench.reads), ["barrier", "links", "matching", "table"]);
    assert_eq!(bench.opened, 0);
    assert_eq!(bench.phase(), Phase::Waiting);
}

/// The kernel passes over an IPv6 router that does not answer, and only a lookup tells. The table, which is read
/// for the link without carrier, would say that the route of better metric is taken.
#[test]
fn the_table_does_not_overrule_the_lookup() {
    const LIVE: &str = "eth0: up; eth1: nocarrier; addr eth0 2001:db8::10/64; addr eth1 2001:db8:1::10/64; \
                        route default6 via 2001:db8::1 dev eth0 metric 100";
    let wants = || gate("route = \"default-ipv6\"");
    let chosen = format!("{LIVE}; chosen default6 via 2001:db8:1::1 dev eth1 metric 600 linkdown");
    let mut bench = Bench::looked(Mode::Watch, wants(), &chosen);
    assert_eq!(kinds(&bench.reads), ["barrier", "links", "matching", "table"]);
    assert_eq!(bench.opened, 0, "no packet leaves by eth0");
    bench.sees(LIVE);
    assert_eq!(bench.opened, 1, "what the last lookup took is forgotten");
}

/// A way that a lookup found and routes of tables go stale each by itself.
#[test]
fn only_what_went_stale_is_read_again() {
    let host = format!("{WORKS}; lookup 198.51.100.7 via 192.0.2.1 dev eth0 src 192.0.2.10");
    let address = format!("{host}; addr eth0 192.0.2.11/24");
    let route = format!("{host}; chosen default4 via 192.0.2.1 dev eth0 metric 9");
    let elsewhere = format!("{host}; route 10.0.0.0/8 via 192.0.2.1 dev eth0");
    for (what, wants, becomes, reads) in [
        (
            "a connection may have another source",
            "route = \"default-ipv4\"",
            &address,
            &["way", "matching"][..],
        ),
        (
            "a new address changes no route",
            "interface = \"eth0\"\nroute = \"default-ipv4\"",
            &address,
            &["way"],
        ),
        ("a route to the target", "route = \"default-ipv4\"", &route, &["way", "matching"]),
        ("a route to elsewhere", "route = \"10.0.0.0/8\"", &elsewhere, &["matching"]),
    ] {
        let wants = gate(&format!("{wants} | route-to = \"198.51.100.7\""));
        let mut bench = Bench::looked(Mode::Watch, wants, &host);
        bench.reads.clear();
        bench.sees(becomes);
        assert_eq!(kinds(&bench.reads), *reads, "{what}");
    }
}

/// The source of the route is on another link, so the loss of that address does not make the route stale.
#[test]
fn a_table_that_a_verdict_needs_is_read_though_no_route_went_stale() {
    let route = "eth0: up; route default4 via fe80::1 dev eth0";
    let mut bench =
        Bench::looked(Mode::Watch, gate(WANTS_ROUTE), &format!("{route}; addr lo 203.0.113.10/32"));
    assert_eq!((bench.opened, kinds(&bench.reads)), (1, vec!["barrier", "links", "matching"]));
    bench.reads.clear();
    bench.sees(route);
    assert!(kinds(&bench.reads).contains(&"table"), "{:?}", bench.reads);
    assert_eq!(bench.phase(), Phase::Lost { since: START });
}

#[test]
fn what_needs_no_reading_is_judged_at_once() {
    let mut bench = Bench::looked(Mode::Watch, gate("address = \"ipv6\""), "eth0: up");
    bench.reads.clear();
    bench.sees("eth0: up; addr eth0 2001:db8::10/64");
    assert_eq!(kinds(&bench.reads), [""; 0]);
    assert_eq!(bench.opened, 1);
}

/// The kernel announces an IPv4 address before bind(2) takes it.
#[test]
fn an_ipv4_address_counts_after_the_barrier_or_after_a_later_message() {
    let (host, both) = ("eth0: up", "eth0: up; addr eth0 192.0.2.10/24; addr eth0 2001:db8::10/64");
    let other = network("eth0: up; route default4 via 192.0.2.1 dev eth0");
    let route = || Input::Message(Message::Route(other.routes.known[0].clone(), RouteChange::Added));
    let link = || Input::Message(Message::Link(Box::new(other.links().next().unwrap().clone())));
    for (what, wants, then, reads) in [
        ("it is the last message", WANTS_ADDRESS, None, &["barrier"][..]),
        ("the gate rests on another address", "address = \"ipv6\"", None, &[]),
        ("an IPv4 route follows", WANTS_ADDRESS, Some(route()), &[]),
        ("a link's message follows", WANTS_ADDRESS, Some(link()), &[]),
        (
            "a rule's message follows",
            WANTS_ADDRESS,
            Some(Input::Message(Message::Rule(Family::V4))),
            &["barrier"],
        ),
    ] {
        let mut bench = Bench::looked(Mode::Watch, gate(wants), host);
        bench.reads.clear();
        bench.becomes(both);
        bench.announced.extend(then);
        bench.give(Input::Wake);
        assert_eq!(kinds(&bench.reads), *reads, "{what}");
        assert_eq!(bench.opened, 1, "{what}");
    }
}

/// The kernel announces that a link lost its last address before it flushes the default route.
#[test]
fn what_is_announced_ahead_waits_for_the_barrier() {
    let another_route = format!("{WORKS}; route default4 via 192.0.2.2 dev eth0 metric 9");
    let another_address = format!("{WORKS}; addr eth0 192.0.2.11/24");
    let table: &[(&str, &str, &[&str])] = &[
        ("a link goes down", NO_CARRIER, &["barrier", "matching", "table"]),
        ("the address goes", "eth0: up", &["barrier", "matching", "table"]),
        ("the link goes", "", &["barrier", "matching", "table"]),
        ("a route comes", &another_route, &["matching"]),
        ("an address comes, which may be another source", &another_address, &["matching"]),
    ];
    for (what, becomes, reads) in table {
        let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), WORKS);
        bench.reads.clear();
        bench.sees(becomes);
        assert_eq!(kinds(&bench.reads), *reads, "{what}");
    }
}

#[test]
fn a_carrier_that_came_needs_the_barrier_only_before_a_no() {
    let linkdown = "eth0: nocarrier; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0 linkdown";
    let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), linkdown);
    bench.reads.clear();
    bench.sees(WORKS);
    assert_eq!(kinds(&bench.reads), ["matching"]);
    assert_eq!(bench.opened, 1);

    let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), linkdown);
    bench.reads.clear();
    // The link has carrier, and its route still is as it was without.
    bench.sees("eth0: up; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0 linkdown");
    assert_eq!(kinds(&bench.reads), ["matching", "table", "barrier", "matching", "table"]);
    assert_eq!(bench.opened, 0);
}

#[test]
fn notifications_that_came_during_a_read_are_taken_in_before_the_verdict() {
    let mut bench = Bench::new(Mode::Watch, gate(WANTS_ROUTE), WORKS);
    while !matches!(bench.next, Next::Read(Read::Matching { .. })) {
        let input = match &bench.next {
            Next::Read(read) => Input::Found(answer(&bench.kernel, read)),
            _ => Input::Dry,
        };
        bench.step(input);
    }
    // The default route was found; then the link lost carrier, and the route with it.
    let Next::Read(read) = bench.next.clone() else { panic!("{:?}", bench.next) };
    let found = answer(&bench.kernel, &read);
    bench.becomes(NO_CARRIER);
    bench.give(Input::Found(found));
    assert_eq!(bench.opened, 0, "it was gone before the gate was judged");
}

#[test]
fn while_a_read_is_under_way_timeouts_and_requests_are_served_and_nothing_is_judged() {
    let with_timeout =
        |on_timeout| Gate { timeout: Some(Duration::from_secs(2)), on_timeout, ..gate(WANTS_ROUTE) };
    for (gate, input, next, opened) in [
        (with_timeout(OnTimeout::Fail), Input::Wake, Next::End(Ended::GaveUp), 0),
        (with_timeout(OnTimeout::Open), Input::Wake, Next::Reading, 1),
        (gate(WANTS_ROUTE), Input::Open, Next::Reading, 1),
        (gate(WANTS_ROUTE), Input::Wake, Next::Reading, 0),
    ] {
        let mut bench = Bench::new(Mode::Watch, gate, WORKS);
        bench.step(Input::Dry);
        assert_eq!(bench.next, Next::Read(Read::Barrier));
        bench.now = at(2000);
        assert_eq!(bench.step(input).next, next);
        assert_eq!(bench.opened, opened);
        if next == Next::Reading {
            // The read that was under way goes on to its end.
            bench.give(Input::Found(Found::Passed));
            assert_eq!(bench.opened, 1);
        }
    }
}

#[test]
fn an_overdue_deadline_is_looked_at_again_while_the_kernel_keeps_a_read_waiting() {
    let settling = Gate { settle: Duration::from_secs(5), ..gate(WANTS_ROUTE) };
    let mut bench = Bench::looked(Mode::Watch, settling, WORKS);
    assert_eq!(bench.deadline(), Some(5000));
    bench.becomes(NO_CARRIER);
    bench.now = at(6000);
    bench.step(Input::Wake);
    while bench.next == Next::Drain {
        let input = bench.announced.pop_front().unwrap_or(Input::Dry);
        bench.step(input);
    }
    assert_eq!(bench.next, Next::Read(Read::Barrier));
    assert_eq!(bench.deadline(), Some(6100));
}

#[test]
fn what_was_read_for_the_old_gate_is_dropped_when_another_is_loaded() {
    let mut bench = Bench::new(Mode::Watch, gate(WANTS_ROUTE), WORKS);
    bench.step(Input::Dry);
    bench.step(Input::Found(Found::Passed));
    assert_eq!(bench.next, Next::Read(Read::Links));
    // While links are read, another gate is loaded, and the link goes without carrier.
    let stale = answer(&bench.kernel, &Read::Links);
    assert_eq!(bench.step(Input::Reload(gate(WANTS_ADDRESS))).next, Next::Reading);
    bench.becomes(NO_CARRIER);
    bench.announced.clear();
    bench.give(Input::Found(stale));
    assert_eq!(bench.opened, 0, "links were read anew");
    assert_eq!(bench.session.gate(), &gate(WANTS_ADDRESS));
}

#[test]
fn after_a_loss_nothing_is_believed_until_everything_was_read_again() {
    let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), NO_ROUTE);
    bench.reads.clear();
    // The first loss is read again at once, the next one a little later.
    bench.announced.push_back(Input::Lost(Stale::ALL));
    bench.give(Input::Wake);
    assert_eq!(kinds(&bench.reads), ["barrier", "links", "matching", "table"]);
    bench.reads.clear();
    bench.becomes(WORKS);
    bench.announced.push_back(Input::Lost(Stale::ALL));
    bench.now = at(3);
    bench.give(Input::Wake);
    assert_eq!(bench.opened, 0, "something was lost that may say otherwise");
    assert_eq!(bench.deadline(), Some(10));
    bench.time(10);
    assert_eq!(bench.opened, 1);
}

#[test]
fn a_timeout_is_served_while_a_loss_waits_to_be_read_again() {
    let impatient = Gate { timeout: Some(Duration::from_millis(5)), ..gate(WANTS_ROUTE) };
    let mut bench = Bench::looked(Mode::Watch, impatient, NO_ROUTE);
    for _ in 0..2 {
        bench.announced.push_back(Input::Lost(Stale::ALL));
        bench.give(Input::Wake);
    }
    assert_eq!(bench.time(5), Next::End(Ended::GaveUp));
}

#[test]
fn a_storm_is_paused_for_timers_and_signals() {
    let impatient = Gate { timeout: Some(Duration::from_secs(1)), ..gate(WANTS_ROUTE) };
    let mut bench = Bench::looked(Mode::Watch, impatient, NO_ROUTE);
    let address = bench.kernel.addresses().next().unwrap().clone();
    bench.step(Input::Wake);
    let mut pauses = 0;
    for _ in 0..3 * BATCH {
        let step = bench.step(Input::Message(Message::Address(address.clone())));
        pauses += u32::from(step.next == Next::Pause);
    }
    assert_eq!(pauses, 3);
    bench.now = at(1000);
    for _ in 1..BATCH {
        assert_eq!(bench.step(Input::Message(Message::Address(address.clone()))).next, Next::Drain);
    }
    let step = bench.step(Input::Message(Message::Address(address)));
    assert_eq!(step.next, Next::End(Ended::GaveUp), "the storm does not hold the timeout up");
}

#[test]
fn an_expired_route_is_read_again() {
    let addresses = "eth0: up; addr eth0 2001:db8::7/64; addr eth0 fe80::7/64 link";
    let expiring =
        |seconds: u32| format!("{addresses}; route default6 via fe80::1 dev eth0 expires {seconds}");
    let mut bench = Bench::looked(Mode::Watch, gate("route = \"default-ipv6\""), &expiring(103));
    assert_eq!(bench.opened, 1);
    assert_eq!(bench.deadline(), Some(3000));
    // A router's next advertisement prolongs the route without a message.
    bench.kernel = network(&expiring(200));
    bench.time(3000);
    assert_eq!(bench.phase(), Phase::Ready { came: Came::First { after: Duration::ZERO } });
    // Around the end the kernel shows no expiry at all, so it is read again a little later; and then no more.
    assert_eq!(bench.deadline(), Some(3030));
    bench.time(3030);
    assert_eq!(bench.deadline(), Some(3060));
    bench.time(3060);
    assert_eq!(bench.deadline(), Some(100_000));
    bench.kernel = network(addresses);
    bench.time(100_000);
    assert_eq!(bench.phase(), Phase::Lost { since: at(100_000) });
}

/// In its last 10 ms, the kernel shows an IPv6 route as if it had no end. The gate opens, because the route can be used,
/// and the route is read once more.
#[test]
fn an_ipv6_route_without_an_end_is_read_once_more() {
    let host = "eth0: up; addr eth0 2001:db8::7/64";
    let endless = format!("{host}; route default6 via fe80::1 dev eth0");
    let mut bench = Bench::looked(Mode::Watch, gate("route = \"default-ipv6\""), &endless);
    assert_eq!((bench.opened, bench.deadline()), (1, Some(30)));
    bench.time(30);
    assert!(matches!(bench.phase(), Phase::Ready { .. }));
    assert_eq!(bench.deadline(), None, "it has no end");
    // After news it may be another route.
    bench.sees(&format!("{host}; route default6 via fe80::2 dev eth0 metric 9"));
    assert_eq!(bench.deadline(), Some(60));
    bench.kernel = network(host);
    bench.time(60);
    assert_eq!(bench.phase(), Phase::Lost { since: at(60) });
    let bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), WORKS);
    assert_eq!((bench.opened, bench.deadline()), (1, None), "IPv4 routes do not end");
}

/// Just at its end the kernel shows a route without an end.
#[test]
fn a_gate_does_not_open_by_a_route_that_ends_now() {
    let addresses = "eth0: up; addr eth0 2001:db8::7/64";
    let expiring =
        |seconds: u32| format!("{addresses}; route default6 via fe80::1 dev eth0 expires {seconds}");
    for (then, opened) in [(addresses.to_owned(), 0), (expiring(200), 1)] {
        let settling = Gate { settle: Duration::from_millis(2990), ..gate("route = \"default-ipv6\"") };
        let mut bench = Bench::looked(Mode::Watch, settling, &expiring(103));
        bench.time(2990);
        assert_eq!(bench.opened, 0);
        bench.kernel = network(&then);
        for millis in [3020, 3050, 3080] {
            bench.time(millis);
        }
        assert_eq!(bench.opened, opened, "{then}");
    }
}

/// How near to its end a route is read decides whether its expiry is believed.
#[test]
fn a_route_is_read_again_if_it_was_read_less_than_50_ms_before_or_after_its_end() {
    let host = |seconds: u32| {
        format!("eth0: up; addr eth0 2001:db8::7/64; route default6 via fe80::1 dev eth0 expires {seconds}")
    };
    for (read, deadline) in
        [(2949, 3000), (2950, 3000), (2951, 2981), (3000, 3030), (3049, 3079), (3050, 100_000)]
    {
        let mut bench = Bench::looked(Mode::Watch, gate("route = \"default-ipv6\""), &host(103));
        if read >= 3000 {
            bench.kernel = network(&host(200));
        }
        bench.now = at(read);
        bench.give(Input::Wake);
        bench.announced.push_back(Input::Lost(Stale::ALL));
        bench.give(Input::Wake);
        assert_eq!(bench.deadline(), Some(deadline), "{read}");
    }
}

#[test]
fn an_error_of_reading_is_waited_out_once_the_network_was_current() {
    let mut bench = Bench::new(Mode::Watch, gate(WANTS_ROUTE), WORKS);
    bench.step(Input::Dry);
    assert!(!bench.session.waits_out_errors());
    let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), NO_ROUTE);
    assert!(bench.session.waits_out_errors());
    bench.becomes(WORKS);
    bench.step(Input::Wake);
    while bench.next == Next::Drain {
        let input = bench.announced.pop_front().unwrap_or(Input::Dry);
        bench.step(input);
    }
    bench.give(Input::Found(Found::Failed));
    assert_eq!((bench.opened, bench.deadline()), (0, Some(100)));
    bench.time(100);
    assert_eq!(bench.opened, 1);
}

/// The timer is set a little later than the step that needs it.
#[test]
fn a_deadline_that_passes_right_after_a_step_is_not_missed() {
    let impatient = Gate { timeout: Some(Duration::from_millis(1)), ..gate(WANTS_ROUTE) };
    let mut bench = Bench::looked(Mode::Watch, impatient, NO_ROUTE);
    bench.now = at(5);
    assert_eq!(bench.deadline(), Some(1));
    assert_eq!(bench.time(5), Next::End(Ended::GaveUp));
}

/// Reading a table is spaced out by the time that it takes. A random sequence had a read of eight seconds, and the
/// gate gave up before it read again.
#[test]
fn a_table_that_took_long_to_read_is_read_again_before_the_timeout() {
    let mut bench = Bench::new(Mode::Watch, gate(WANTS_ROUTE), "");
    while !matches!(bench.next, Next::Read(Read::Table(_))) {
        let input = match bench.next.clone() {
            Next::Read(read) => Input::Found(answer(&bench.kernel, &read)),
            _ => bench.announced.pop_front().unwrap_or(Input::Dry),
        };
        bench.step(input);
    }
    let Next::Read(read) = bench.next.clone() else { panic!("{:?}", bench.next) };
    let found = answer(&bench.kernel, &read);
    // The host was suspended while the table was read.
    bench.now = at(8228);
    bench.becomes("eth0: up losses=2; addr eth0 192.0.2.10/24 deprecated; route default4 unreachable");
    bench.give(Input::Found(found));
    bench.becomes(WORKS);
    bench.give(Input::Wake);
    assert_eq!((bench.opened, bench.deadline()), (0, Some(8228 + 9500)));
    bench.time(8228 + 9500);
    assert_eq!(bench.opened, 1);
}

/// Else the loop would wake without end for what it cannot do.
#[test]
fn a_deadline_that_cannot_be_served_yet_is_no_deadline() {
    let settling = Gate { settle: Duration::from_millis(5), ..gate(WANTS_ROUTE) };
    let mut bench = Bench::looked(Mode::Watch, settling, WORKS);
    assert_eq!(bench.deadline(), Some(5));
    bench.announced.extend([Input::Lost(Stale::ALL), Input::Lost(Stale::ALL)]);
    bench.time(5);
    assert_eq!((bench.opened, bench.deadline()), (0, Some(15)), "only the second reading is waited for");
}

#[test]
fn the_verdict_is_the_new_gate_s_as_soon_as_it_is_loaded() {
    let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), WORKS);
    bench.step(Input::Reload(gate("address = \"ipv4\" | address = \"ipv6\"")));
    assert_eq!(bench.session.verdict().clauses.len(), bench.session.gate().clauses.len());
}

/// Changes that come one by one without end, each after the socket was read dry, do not hold up timers and signals.
#[test]
fn only_a_wait_begins_the_count_to_the_next_pause_anew() {
    for (waits, last) in [(true, Next::Drain), (false, Next::Pause)] {
        let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), NO_ROUTE);
        let address = bench.kernel.addresses().next().unwrap().clone();
        for count in 1..=BATCH {
            if waits {
                bench.step(Input::Wake);
            }
            let step = bench.step(Input::Message(Message::Address(address.clone())));
            assert_eq!(step.next, if count < BATCH { Next::Drain } else { last.clone() });
            bench.step(Input::Dry);
        }
    }
}

/// A table that is not read yet is no reason for a `check` to look for ever.
#[test]
fn a_check_that_has_looked_enough_says_what_was_not_read() {
    let mut bench = Bench::new(Mode::Once { probes: false }, gate(WANTS_ROUTE), NO_ROUTE);
    let (mut looks, mut steps) = (0, 0);
    let next = loop {
        steps += 1;
        assert!(steps < 1000, "it never ends");
        let input = match bench.next.clone() {
            Next::Drain => Input::Dry,
            // The dump is interrupted each time.
            Next::Read(Read::Table(_)) => {
                looks += 1;
                Input::Found(Found::Interrupted)
            }
            Next::Read(read) => Input::Found(answer(&bench.kernel, &read)),
            Next::Sleep => {
                bench.now = bench.session.deadline().unwrap();
                Input::Wake
            }
            next => break next,
        };
        bench.step(input);
    };
    assert_eq!((next, looks), (Next::End(Ended::Judged), 4));
    assert!(!bench.session.verdict().unread.is_empty());
    assert!(!bench.session.verdict().ready());
}
