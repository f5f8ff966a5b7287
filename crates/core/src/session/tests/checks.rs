//! The other modes: `wait` ends when the gate opens, `check` judges once, `retry` looks for what gets better.

use super::*;
use crate::model::Question;

#[test]
fn wait_ends_when_the_gate_opens_and_run_goes_on() {
    for (mode, next) in [
        (
            Mode::UntilOpen,
            Next::End(Ended::Opened(Phase::Ready { came: Came::First { after: Duration::ZERO } })),
        ),
        (Mode::Watch, Next::Sleep),
    ] {
        let mut bench = Bench::new(mode, gate(WANTS_ROUTE), WORKS);
        assert_eq!(bench.run(), next);
        assert_eq!(bench.opened, 1);
    }
}

/// The driver, the reporter and the account look at a session only after a step that says so.
#[test]
fn a_step_says_whether_there_is_a_new_verdict() {
    for mode in [
        Mode::Watch,
        Mode::UntilOpen,
        Mode::Once { probes: true },
        Mode::Once { probes: false },
        Mode::Improvement,
    ] {
        let mut bench = Bench::new(mode, gate(WANTS_ROUTE), NO_ROUTE);
        let steps = loop {
            let input = match bench.next.clone() {
                Next::Drain => Input::Dry,
                Next::Read(read) => Input::Found(answer(&bench.kernel, &read)),
                next => break next,
            };
            let step = bench.step(input);
            let last = matches!(step.next, Next::Sleep | Next::End(_));
            assert_eq!(step.judged, last, "{mode:?}: {step:?}");
        };
        assert!(matches!(steps, Next::Sleep | Next::End(Ended::Judged)), "{mode:?}: {steps:?}");
    }
}

#[test]
fn what_a_session_says_of_itself() {
    let wants = gate(WANTS_ROUTE);
    let mut bench = Bench::new(Mode::Watch, wants.clone(), NO_ROUTE);
    assert_eq!(bench.session.wants(), &crate::wants::Wants::of(&wants));
    assert!(!bench.session.is_current() && !bench.session.is_open());
    bench.run();
    assert!(bench.session.is_current() && !bench.session.is_open());
    bench.becomes(WORKS);
    bench.step(Input::Wake);
    bench.step(Input::Lost(Stale::ALL));
    assert!(!bench.session.is_current());
    bench.step(Input::Dry);
    assert!(matches!(bench.next, Next::Read(_)) && !bench.session.is_current());
    bench.run();
    assert!(bench.session.is_current() && bench.session.is_open());
}

#[test]
fn losses_are_counted_from_those_before_the_session() {
    let mut bench = Bench::new(Mode::Watch, gate(WANTS_ROUTE), WORKS);
    bench.session.remember_losses(2);
    bench.run();
    assert_eq!(bench.session.times().losses, 2);
    bench.sees(NO_CARRIER);
    assert_eq!(bench.session.times().losses, 3);
}

/// A `check`, or the network watch of `retry`, keeps no gate: no timeout ends it.
#[test]
fn only_a_gate_that_is_kept_has_a_timeout() {
    for (mode, ends) in [
        (Mode::Watch, true),
        (Mode::UntilOpen, true),
        (Mode::Once { probes: true }, false),
        (Mode::Improvement, false),
    ] {
        let impatient = Gate { timeout: Some(Duration::from_millis(5)), ..gate(WANTS_ROUTE) };
        let mut bench = Bench::new(mode, impatient, NO_ROUTE);
        assert_eq!(bench.session.phase_ends().is_some(), ends, "{mode:?}");
        bench.step(Input::Dry);
        bench.now = at(5);
        let step = bench.step(Input::Wake);
        assert_eq!(step.next == Next::End(Ended::GaveUp), ends, "{mode:?}: {step:?}");
    }
}

#[test]
fn ready_is_said_once() {
    let mut bench = Bench::looked(Mode::Watch, gate(WANTS_ROUTE), WORKS);
    bench.sees(NO_CARRIER);
    bench.sees(WORKS);
    bench.give(Input::Open);
    assert_eq!(bench.opened, 1);
    assert!(matches!(bench.phase(), Phase::Ready { .. }));
}

const CHECK: Mode = Mode::Once { probes: true };

#[test]
fn a_check_judges_once_and_never_opens_anything() {
    for (kernel, ready) in [(WORKS, true), (NO_ROUTE, false)] {
        let mut bench =
            Bench::new(CHECK, Gate { settle: Duration::from_secs(9), ..gate(WANTS_ROUTE) }, kernel);
        assert_eq!(bench.run(), Next::End(Ended::Judged), "a settle is for those who wait");
        assert_eq!((bench.session.verdict().ready(), bench.opened), (ready, 0));
    }
}

#[test]
fn a_check_whose_network_changes_while_it_reads_looks_again_but_not_for_ever() {
    let mut bench = Bench::new(CHECK, gate(WANTS_ROUTE), NO_ROUTE);
    let mut looks = 0;
    let next = loop {
        let input = match bench.next.clone() {
            Next::Drain => bench.announced.pop_front().unwrap_or(Input::Dry),
            Next::Read(Read::Matching { .. }) => {
                looks += 1;
                // Each time that routes are read, the route comes or goes.
                bench.becomes(if looks % 2 == 0 { NO_ROUTE } else { WORKS });
                Input::Found(Found::Route(None))
            }
            Next::Read(read) => Input::Found(answer(&bench.kernel, &read)),
            next => break next,
        };
        bench.step(input);
    };
    assert_eq!(next, Next::End(Ended::Judged));
    assert_eq!(looks, 4);
}

/// Reading a large table uses up the time that is allowed for reading tables; then a look waits for its turn.
#[test]
fn a_check_waits_for_its_turn_to_read_a_table() {
    let mut bench = Bench::new(CHECK, gate("route = \"default-ipv4\" | route = \"default-ipv6\""), NO_ROUTE);
    let mut waited = Duration::ZERO;
    let next = loop {
        let input = match bench.next.clone() {
            Next::Drain => bench.announced.pop_front().unwrap_or(Input::Dry),
            Next::Read(read @ Read::Table(_)) => {
                if bench.reads.is_empty() {
                    // What is read now is out of date at once.
                    let route = format!("{NO_ROUTE}; route default4 via 192.0.2.1 dev eth0 linkdown");
                    bench.becomes(&route);
                }
                bench.reads.push(read.clone());
                bench.now = bench.now + Duration::from_millis(500);
                Input::Found(answer(&bench.kernel, &read))
            }
            Next::Read(read) => Input::Found(answer(&bench.kernel, &read)),
            Next::Sleep => {
                let turn = bench.session.deadline().unwrap();
                waited = turn - bench.now;
                bench.now = turn;
                Input::Wake
            }
            next => break next,
        };
        bench.step(input);
    };
    assert_eq!(next, Next::End(Ended::Judged));
    assert!(waited > Duration::from_secs(5), "{waited:?}: a tenth of the time");
    assert_eq!(bench.reads.len(), 4, "both tables, twice");
    assert!(bench.session.verdict().unread.is_empty());
}

#[test]
fn a_check_tries_each_probe_once_and_looks_again_afterwards() {
    let text = format!("{WANTS_ROUTE}; tcp = \"192.0.2.7:22\"");
    let question = || Question::Probe(crate::config::parse_tcp("192.0.2.7:22").unwrap());
    let mut bench = Bench::new(CHECK, gate(&text), WORKS);
    assert_eq!(bench.run(), Next::Sleep);
    let probes = bench.probes.clone().unwrap();
    assert_eq!((probes.questions.len(), probes.news, probes.repeat), (1, false, false));
    // What was asked of others took its time: the network is another one by now.
    bench.becomes(NO_CARRIER);
    assert_eq!(bench.give(Input::Answer(question(), Ok("it answers".to_owned()))), Next::End(Ended::Judged));
    assert!(!bench.session.verdict().ready());

    let mut bench = Bench::new(Mode::Once { probes: false }, gate(&text), WORKS);
    assert_eq!(bench.run(), Next::End(Ended::Judged), "--no-probes");
    assert!(bench.session.verdict().ready());
    assert!(bench.probes.unwrap().questions.is_empty());
}

/// A look that was cut short before probes were tried is no reason to cut the one after them short.
#[test]
fn after_its_probes_a_check_may_look_as_often_again() {
    let text = format!("{WANTS_ROUTE}; tcp = \"192.0.2.7:22\"");
    let another = format!("{WORKS}; route default4 via 192.0.2.2 dev eth0 metric 9");
    let mut bench = Bench::new(CHECK, gate(&text), WORKS);
    let mut looks = 0;
    while bench.next != Next::Sleep {
        let input = match bench.next.clone() {
            Next::Drain => bench.announced.pop_front().unwrap_or(Input::Dry),
            Next::Read(read) => {
                let found = answer(&bench.kernel, &read);
                if let Read::Matching { .. } = read {
                    looks += 1;
                    bench.becomes(if looks % 2 == 0 { WORKS } else { &another });
                }
                Input::Found(found)
            }
            next => panic!("{next:?}"),
        };
        bench.step(input);
    }
    assert_eq!(looks, 4);
    // The address by which the gateway was reached goes, and the route with it.
    bench.announced.clear();
    bench.becomes("eth0: up; addr eth0 192.0.2.11/24");
    let question = Question::Probe(crate::config::parse_tcp("192.0.2.7:22").unwrap());
    bench.give(Input::Answer(question, Ok("it answers".to_owned())));
    assert!(!bench.session.verdict().ready());
}

#[test]
fn retry_sees_what_gets_better_and_nothing_else() {
    let text = format!("{WANTS_ROUTE} | address = \"ipv6\" | nameserver = true | tcp = \"192.0.2.7:22\"");
    let with_address = format!("{NO_ROUTE}; addr eth0 2001:db8::7/64");
    let server = |state: &str, server: &str| format!("{state}; ns {server}");
    // (before, after, whether it is better)
    let table = [
        (NO_ROUTE.to_owned(), WORKS.to_owned(), true),
        (NO_ROUTE.to_owned(), with_address, true),
        (NO_ROUTE.to_owned(), NO_ROUTE.to_owned(), false),
        (WORKS.to_owned(), NO_ROUTE.to_owned(), false),
        (WORKS.to_owned(), NO_CARRIER.to_owned(), false),
        (server(NO_ROUTE, "none"), server(NO_ROUTE, "192.0.2.53"), true),
        (server(NO_ROUTE, "192.0.2.53"), server(NO_ROUTE, "192.0.2.54"), true),
        (server(NO_ROUTE, "192.0.2.53"), server(NO_ROUTE, "none"), false),
        (server(NO_ROUTE, "192.0.2.53"), server(NO_ROUTE, "192.0.2.53"), false),
    ];
    for (before, after, better) in table {
        let mut bench = Bench::new(Mode::Improvement, gate(&text), &before);
        let nameservers =
            |kernel: &Network| Input::Nameservers { nameservers: kernel.nameservers.clone(), news: false };
        bench.step(nameservers(&bench.kernel));
        assert_eq!(bench.run(), Next::Sleep, "the first look is no improvement: {before}");
        bench.becomes(&after);
        let next = bench.give(nameservers(&bench.kernel));
        assert_eq!(next == Next::End(Ended::Better), better, "{before} -> {after}");
        // It is told once.
        assert_eq!(bench.give(Input::Wake), Next::Sleep, "{before} -> {after}");
        assert!(bench.probes.is_none(), "no probe is tried between two attempts");
    }
}

#[test]
fn between_two_attempts_a_probe_does_not_keep_the_gate_shut() {
    let text = format!("{WANTS_ROUTE}; tcp = \"192.0.2.7:22\"");
    let bench = Bench::looked(Mode::Improvement, gate(&text), WORKS);
    assert!(bench.session.is_ready());
    let bench = Bench::looked(Mode::Improvement, gate(&text), NO_ROUTE);
    assert!(!bench.session.is_ready());
    let bench = Bench::new(Mode::Improvement, gate("address = \"ipv4\"; grace = \"1s\""), WORKS);
    assert!(!bench.session.is_ready(), "nothing was read yet");
}
