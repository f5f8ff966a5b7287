//! STATUS=: one line, always true, that begins with `Waiting`, `Ready` or `NOT ready`.

use core::time::Duration;

use super::super::{Span, status, summary};
use super::{NOW, judged, millis, standing};
use crate::gate_state::{Came, GaveUp, OpenedBy, Phase};
use crate::kernel_line::Forced;
use crate::requirement::Gate;
use crate::report::Standing;

const UP: &str = "enp1s0: up; addr enp1s0 192.0.2.10/24; route default4 via 192.0.2.1 dev enp1s0";
const DARK: &str = "enp1s0: nocarrier";

#[track_caller]
fn says(phase: Phase, gate_text: &str, network_text: &str, expected: &str) {
    let (gate, verdict) = judged(gate_text, network_text);
    assert_eq!(status(&gate, &verdict, standing(phase)), expected);
}

const READY: Phase = Phase::Ready { came: Came::First { after: millis_(4211) } };

const fn millis_(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn waiting_says_what_is_missing_and_how_long() {
    let gate = "interface='enp1s0'; carrier=true | route='default-ipv4'";
    says(Phase::Waiting, gate, DARK, "Waiting (up to 90s): enp1s0 has no carrier; no default IPv4 route");
    let (mut gate, verdict) = judged(gate, DARK);
    gate.timeout = None;
    assert_eq!(status(&gate, &verdict, standing(Phase::Waiting)), "Waiting: enp1s0 has no carrier; no default IPv4 route");
    let before = Standing { gave_up_at: Some("08:14:00"), ..standing(Phase::Waiting) };
    assert_eq!(status(&gate, &verdict, before), "Waiting (gave up at 08:14:00): enp1s0 has no carrier; no default IPv4 route");
}

#[test]
fn settling_says_how_long_without_counting_down() {
    let (mut gate, verdict) = judged("route='default-ipv4'", UP);
    gate.settle = Duration::from_secs(1);
    for until in [NOW, NOW + gate.settle] {
        let line = status(&gate, &verdict, standing(Phase::Settling { until }));
        assert_eq!(line, "Waiting (up to 90s): all met, must hold for 1s more", "no timer is needed to keep it true");
    }
}

#[test]
fn grace_says_what_is_waited_for() {
    let gate = "route='default-ipv4' | route='default-ipv6'; grace='10s'";
    says(
        Phase::Grace { until: NOW },
        gate,
        UP,
        "Waiting (up to 90s): all that is required is met, waiting a little for: no default IPv6 route",
    );
}

/// What meets the gate after a loss, or by another gate file, need not be what met it the first time.
#[test]
fn ready_says_since_when() {
    let came = |came| Phase::Ready { came };
    for (came, begin) in [
        (came(Came::First { after: millis(4211) }), "Ready after 4.211s"),
        (came(Came::Again { since: NOW }), "Ready again since 08:15:30"),
        (came(Came::Reloaded { since: NOW }), "Ready since 08:15:30 by the gate as reloaded"),
    ] {
        says(came, "route='default-ipv4'", UP, &format!("{begin}: default via 192.0.2.1 dev enp1s0"));
        says(
            came,
            "route='default-ipv4' | route='default-ipv6'; grace='10s'",
            UP,
            &format!("{begin}: default via 192.0.2.1 dev enp1s0 (without: IPv6 default route)"),
        );
    }
}

#[test]
fn ready_says_by_what_and_without_what() {
    says(READY, "route='default-ipv4'", UP, "Ready after 4.211s: default via 192.0.2.1 dev enp1s0");
    says(
        Phase::Ready { came: Came::First { after: millis(14_300) } },
        "route='default-ipv4' | route='default-ipv6'; grace='10s'",
        UP,
        "Ready after 14.3s: default via 192.0.2.1 dev enp1s0 (without: IPv6 default route)",
    );
    says(
        READY,
        "route='default-ipv4' | interface='wg0'; grace='1s' | address='ipv6'; grace='1s' | nameserver=true; grace='1s'",
        &format!("{UP}; ns none"),
        "Ready after 4.211s: default via 192.0.2.1 dev enp1s0 (without: carrier of wg0, IPv6 address, nameserver)",
    );
    says(READY, "interface='wg0'; if-present=true", "", "Ready after 4.211s: nothing more is waited for");
    says(
        READY,
        "interface='enp1s0'; address='ipv4'; route='default' | address='ipv4' | nameserver=true",
        &format!("{UP}; ns 192.0.2.53"),
        "Ready after 4.211s: enp1s0; 192.0.2.10 on enp1s0; default via 192.0.2.1 dev enp1s0; and 1 more",
    );
}

#[test]
fn lost_says_since_when() {
    let phase = Phase::Lost { since: NOW };
    says(phase, "interface='enp1s0'; carrier=true", DARK, "NOT ready since 08:15:30: enp1s0 has no carrier (was ready)");
}

#[test]
fn opened_says_that_it_is_not_ready_all_the_same() {
    let opened = |by| Phase::Opened { after: millis(90_003), by };
    let gate = "route='default'";
    says(opened(OpenedBy::Timeout(GaveUp::Timeout)), gate, "", "NOT ready after 90s, opened all the same: no default route");
    says(opened(OpenedBy::Request), gate, "", "NOT ready after 90.003s, opened by hand: no default route");
    says(opened(OpenedBy::KernelLine), gate, "", "NOT ready after 90.003s, opened by the kernel command line (netready.open): no default route");
    says(opened(OpenedBy::Reload), gate, "", "NOT ready by the gate as reloaded: no default route");
    let (mut gate, verdict) = judged(gate, "");
    gate.no_carrier_timeout = Some(Duration::from_secs(15));
    let line = status(&gate, &verdict, standing(opened(OpenedBy::Timeout(GaveUp::NoCarrier))));
    assert_eq!(line, "NOT ready after 15s without carrier, opened all the same: no default route");
}

#[test]
fn given_up_says_after_what() {
    let gave_up = |why| Phase::GaveUp { after: millis(90_003), why };
    says(gave_up(GaveUp::Timeout), "route='default'", "", "NOT ready after 90s, given up: no default route");
    says(gave_up(GaveUp::Lost), "route='default'", "", "NOT ready since 08:15:30, ending: no default route");
}

#[test]
fn a_timeout_of_the_kernel_command_line_is_named() {
    let (gate, verdict) = judged("route='default'", "");
    let gate = Gate { forced: Forced { open: false, bounded: true }, ..gate };
    let says = |phase, said: &str| assert_eq!(status(&gate, &verdict, standing(phase)), said);
    let after = millis(90_003);
    says(Phase::Waiting, "Waiting (up to 90s by netready.timeout): no default route");
    says(
        Phase::GaveUp { after, why: GaveUp::Timeout },
        "NOT ready after 90s (netready.timeout of the kernel command line), given up: no default route",
    );
    says(
        Phase::Opened { after, by: OpenedBy::Timeout(GaveUp::Timeout) },
        "NOT ready after 90s (netready.timeout of the kernel command line), opened all the same: no default route",
    );
}

#[test]
fn at_most_three_reasons_are_named() {
    let links = |count: usize| {
        let clauses: Vec<String> = (0..count).map(|at| format!("interface='x{at}'; carrier=true")).collect();
        clauses.join(" | ")
    };
    says(Phase::Waiting, &links(1), "", "Waiting (up to 90s): x0: no such link");
    says(Phase::Waiting, &links(3), "", "Waiting (up to 90s): x0: no such link; x1: no such link; x2: no such link");
    says(Phase::Waiting, &links(4), "", "Waiting (up to 90s): x0: no such link; x1: no such link; x2: no such link; and 1 more");
    says(Phase::Waiting, &links(7), "", "Waiting (up to 90s): x0: no such link; x1: no such link; x2: no such link; and 4 more");
}

#[test]
fn one_cause_is_said_once() {
    says(
        Phase::Waiting,
        "interface='enp1s0'; route='default-ipv4' | interface='enp1s0'; carrier=true",
        &format!("{DARK}; addr enp1s0 192.0.2.10/24; route default4 via 192.0.2.1 dev enp1s0"),
        "Waiting (up to 90s): enp1s0 has no carrier",
    );
}

#[test]
fn what_has_a_grace_is_not_said_while_something_is_required() {
    let gate = "route='default-ipv6'; grace='5s' | route='default-ipv4'";
    says(Phase::Waiting, gate, "", "Waiting (up to 90s): no default IPv4 route");
}

#[test]
fn a_table_that_is_being_read_is_said() {
    let (gate, verdict) = judged("route='default-ipv6'; if-present=true", "unread4; unread6");
    assert_eq!(status(&gate, &verdict, standing(Phase::Waiting)), "Waiting (up to 90s): routing tables are being read");
}

/// A gate that is shut for an unread table only must not lay the blame on a clause that holds nothing back.
#[test]
fn an_unread_table_is_not_blamed_on_a_clause_with_a_grace() {
    let (gate, verdict) = judged("nameserver=true; grace='5s' | route='default-ipv6'; if-present=true", "ns none; unread4; unread6");
    assert!(!verdict.ready());
    assert_eq!(status(&gate, &verdict, standing(Phase::Waiting)), "Waiting (up to 90s): routing tables are being read");
}

#[test]
fn every_phase_begins_with_one_of_three_words() {
    let (after, since, until) = (millis(1), NOW, NOW);
    let gave_up = [GaveUp::Timeout, GaveUp::NoCarrier, GaveUp::Lost];
    let mut phases = vec![
        (Phase::Waiting, "Waiting"),
        (Phase::Grace { until }, "Waiting"),
        (Phase::Settling { until }, "Waiting"),
        (Phase::Ready { came: Came::First { after } }, "Ready"),
        (Phase::Ready { came: Came::Again { since } }, "Ready"),
        (Phase::Ready { came: Came::Reloaded { since } }, "Ready"),
        (Phase::Lost { since }, "NOT ready"),
        (Phase::Opened { after, by: OpenedBy::Request }, "NOT ready"),
        (Phase::Opened { after, by: OpenedBy::KernelLine }, "NOT ready"),
        (Phase::Opened { after, by: OpenedBy::Reload }, "NOT ready"),
    ];
    for why in gave_up {
        phases.push((Phase::GaveUp { after, why }, "NOT ready"));
        phases.push((Phase::Opened { after, by: OpenedBy::Timeout(why) }, "NOT ready"));
    }
    for network in [UP, DARK, ""] {
        for (phase, word) in &phases {
            let (gate, verdict) = judged("route='default' | nameserver=true; grace='1s'", network);
            let line = status(&gate, &verdict, standing(*phase));
            assert!(line.starts_with(word), "{phase:?}: {line}");
            assert!(!line.contains('\n'), "one line");
        }
    }
}

#[test]
fn a_summary_is_the_line_without_the_time() {
    assert_eq!(summary(&judged("route='default'", "").1), "no default route");
    assert_eq!(summary(&judged("route='default'", UP).1), "default via 192.0.2.1 dev enp1s0");
}

#[test]
fn spans_are_written_as_systemd_does() {
    for (millis, text) in [
        (0, "0ms"),
        (5, "5ms"),
        (999, "999ms"),
        (1000, "1s"),
        (1500, "1.5s"),
        (4211, "4.211s"),
        (14_300, "14.3s"),
        (90_000, "90s"),
        (119_000, "119s"),
        (119_050, "119.05s"),
        (120_000, "2min"),
        (120_900, "2min"),
        (150_000, "2min 30s"),
        (300_000, "5min"),
        (3_600_000, "1h"),
        (3_601_000, "1h 1s"),
        (86_400_000 + 3_660_000, "25h 1min"),
    ] {
        assert_eq!(Span(super::millis(millis)).to_string(), text);
    }
}

#[test]
fn probes_say_what_they_waited_for() {
    const GATE: &str = "route='default-ipv4' | dns='registry.example.org'; tcp='10.10.0.5:3260' | gateway='ipv4'";
    // What waits for the others is not what is missing.
    says(Phase::Waiting, GATE, DARK, "Waiting (up to 90s): no default IPv4 route");
    says(
        Phase::Waiting,
        GATE,
        &format!("{UP}; fails dns registry.example.org = SERVFAIL from 10.0.0.1; fails gateway 192.0.2.1 enp1s0 = does not answer"),
        "Waiting (up to 90s): dns registry.example.org: SERVFAIL from 10.0.0.1; tcp 10.10.0.5:3260: no answer yet; gateway 192.0.2.1 on enp1s0 does not answer",
    );
    says(
        READY,
        GATE,
        &format!("{UP}; says dns registry.example.org = 192.0.2.80; says tcp 10.10.0.5:3260 = here; says gateway 192.0.2.1 enp1s0"),
        "Ready after 4.211s: default via 192.0.2.1 dev enp1s0; dns registry.example.org; tcp 10.10.0.5:3260",
    );
    says(
        READY,
        "route='default-ipv4' | tcp='10.10.0.5:3260'; grace='1s'",
        &format!("{UP}; fails tcp 10.10.0.5:3260 = connection refused"),
        "Ready after 4.211s: default via 192.0.2.1 dev enp1s0 (without: tcp 10.10.0.5:3260)",
    );
}
