//! STATUS=: one line that is always up to date, and that begins with `Waiting`, `Ready` or `NOT ready`.

use core::time::Duration;

use super::super::{About, PastSentence, Span, Took, status, summary};
use super::{NOW, judged, millis, standing};
use crate::account::{Stretch, Times};
use crate::gate_state::{Came, GaveUp, OpenedBy, Phase};
use crate::kernel_line::Forced;
use crate::requirement::Gate;
use crate::report::{Earlier, Standing};

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
    let earlier = gave_up_before();
    let before = Standing { earlier: Some(&earlier), ..standing(Phase::Waiting) };
    assert_eq!(status(&gate, &verdict, before), "Waiting (gave up at 08:14:00): enp1s0 has no carrier; no default IPv4 route");
}

/// An earlier run, 95 s before this one, that gave up.
fn gave_up_before() -> Earlier {
    Earlier { gave_up_at: "08:14:00".to_owned(), waited: millis(95_000) }
}

#[test]
fn after_a_run_that_gave_up_the_time_counts_from_its_start() {
    let reason = judged("interface='enp1s0'; carrier=true", DARK).1.leading().unwrap().clone();
    let reason = Stretch::Reason(reason);
    let (gate, verdict) = judged("interface='enp1s0'; carrier=true", UP);
    let times = Times { longest: Some((&reason, millis(4000))), ..Times::default() };
    let earlier = gave_up_before();
    let standing = |phase| Standing { earlier: Some(&earlier), times, ..standing(phase) };
    assert_eq!(status(&gate, &verdict, standing(READY)), "Ready after 99.21s (gave up at 08:14:00): enp1s0");
    let opened = |by| Phase::Opened { after: millis(4211), by };
    let (gate, verdict) = judged("interface='enp1s0'; carrier=true", DARK);
    for (by, expected) in [
        (OpenedBy::Request, "NOT ready after 99.21s, opened by hand: enp1s0 has no carrier"),
        (OpenedBy::KernelLine, "NOT ready after 99.21s, opened by the kernel command line (netready.open): enp1s0 has no carrier"),
    ] {
        assert_eq!(status(&gate, &verdict, standing(opened(by))), expected);
    }
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
fn the_line_of_a_grace_names_the_wanted_clause() {
    let gate = "route='default-ipv4' | route='default-ipv6'; grace='10s'";
    says(
        Phase::Grace { until: NOW },
        gate,
        UP,
        "Waiting (up to 90s): everything required is met; waiting a little longer for: no default IPv6 route",
    );
}

/// After a loss or with another gate file, something else may meet the gate than the first time.
#[test]
fn ready_says_since_when() {
    let came = |came| Phase::Ready { came };
    for (came, begin) in [
        (came(Came::First { after: millis(4211) }), "Ready after 4.21s"),
        (came(Came::Again { since: NOW }), "Ready again since 08:15:30 (lost for 0ms; 0 losses since boot)"),
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

/// Checks what the line says about the times of an account.
#[track_caller]
fn says_of_times(phase: Phase, times: Times<'_>, network: &str, expected: &str) {
    let (gate, verdict) = judged("interface='enp1s0'; carrier=true", network);
    assert_eq!(status(&gate, &verdict, Standing { times, ..standing(phase) }), expected);
}

#[test]
fn ready_says_what_took_longest() {
    let reason = judged("interface='enp1s0'; carrier=true", DARK).1.leading().unwrap().clone();
    let reason = Stretch::Reason(reason);
    let ready = Phase::Ready { came: Came::First { after: millis(5981) } };
    for (stretch, millis, expected) in [
        (&reason, 5904, "Ready after 5.98s (5.90s of it: enp1s0 had no carrier): enp1s0"),
        (&reason, 1000, "Ready after 5.98s (1.00s of it: enp1s0 had no carrier): enp1s0"),
        (&reason, 999, "Ready after 5.98s: enp1s0"),
        (&Stretch::Settle, 5000, "Ready after 5.98s (5.00s of it: all met, had to hold): enp1s0"),
    ] {
        let times = Times { longest: Some((stretch, millis_(millis))), ..Times::default() };
        says_of_times(ready, times, UP, expected);
    }
}

#[test]
fn a_loss_says_how_long_it_was_ready_and_a_return_how_long_it_was_lost() {
    let lost = Phase::Lost { since: NOW };
    let again = Phase::Ready { came: Came::Again { since: NOW } };
    let held = Some(Duration::from_secs(3 * 3600 + 12 * 60 + 59));
    let times = Times { held, ..Times::default() };
    says_of_times(lost, times, DARK, "NOT ready since 08:15:30: enp1s0 has no carrier (was ready for 3h 12min)");
    for (losses, expected) in [(1, "1 loss"), (2, "2 losses")] {
        let times = Times { lost_for: millis(1234), losses, ..times };
        says_of_times(again, times, UP, &format!("Ready again since 08:15:30 (lost for 1s; {expected} since boot): enp1s0"));
    }
}

#[test]
fn ready_says_by_what_and_without_what() {
    says(READY, "route='default-ipv4'", UP, "Ready after 4.21s: default via 192.0.2.1 dev enp1s0");
    says(
        Phase::Ready { came: Came::First { after: millis(14_300) } },
        "route='default-ipv4' | route='default-ipv6'; grace='10s'",
        UP,
        "Ready after 14.30s: default via 192.0.2.1 dev enp1s0 (without: IPv6 default route)",
    );
    says(
        READY,
        "route='default-ipv4' | interface='wg0'; grace='1s' | address='ipv6'; grace='1s' | nameserver=true; grace='1s'",
        &format!("{UP}; ns none"),
        "Ready after 4.21s: default via 192.0.2.1 dev enp1s0 (without: carrier of wg0, IPv6 address, nameserver)",
    );
    says(READY, "interface='wg0'; if-present=true", "", "Ready after 4.21s: nothing more is waited for");
    says(
        READY,
        "interface='enp1s0'; address='ipv4'; route='default' | address='ipv4' | nameserver=true",
        &format!("{UP}; ns 192.0.2.53"),
        "Ready after 4.21s: enp1s0; 192.0.2.10 on enp1s0; default via 192.0.2.1 dev enp1s0; and 1 more",
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
    says(opened(OpenedBy::Timeout(GaveUp::Timeout)), gate, "", "NOT ready after 90s, opened anyway: no default route");
    says(opened(OpenedBy::Request), gate, "", "NOT ready after 90.00s, opened by hand: no default route");
    says(opened(OpenedBy::KernelLine), gate, "", "NOT ready after 90.00s, opened by the kernel command line (netready.open): no default route");
    says(opened(OpenedBy::Reload), gate, "", "NOT ready by the gate as reloaded: no default route");
    let (mut gate, verdict) = judged(gate, "");
    gate.no_carrier_timeout = Some(Duration::from_secs(15));
    let line = status(&gate, &verdict, standing(opened(OpenedBy::Timeout(GaveUp::NoCarrier))));
    assert_eq!(line, "NOT ready after 15s without carrier, opened anyway: no default route");
}

#[test]
fn the_line_of_a_gate_that_gave_up_says_after_what() {
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
        "NOT ready after 90s (netready.timeout of the kernel command line), opened anyway: no default route",
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
fn links_are_counted_where_several_are_needed() {
    let links = |dark: usize, of: usize| {
        let links: Vec<String> = (0..of).map(|at| format!("e{at}: {}", if at < dark { "nocarrier" } else { "up" })).collect();
        links.join("; ")
    };
    let table: &[(&str, &str, &str)] = &[
        ("interface=['e0','e1']; carrier=true", &links(1, 2), "1 of 2 links; missing: e0: no carrier"),
        ("interface=['e0','e1']; address='ipv4'", &links(1, 2), "0 of 2 links; missing: e0: no carrier, e1: no IPv4 address"),
        ("interface=['e0','e9']; carrier=true", &links(0, 2), "1 of 2 links; missing: e9: no such link"),
        ("interface='e*'; quorum=2; carrier=true", &links(1, 2), "1 of 2 links; missing: e0: no carrier"),
        ("interface='e*'; quorum=2; carrier=true", &links(0, 1), "1 of 2 links; missing: only 1 of 2 links are there"),
        ("interface='e*'; quorum=2; carrier=true", &links(59, 60), "1 of 2 links; missing: e0: no carrier, e1: no carrier, e2: no carrier and 56 more"),
        ("interface='e*'; quorum='all'; carrier=true", &links(60, 60), "0 of 60 links; missing: e0: no carrier, e1: no carrier, e2: no carrier and 57 more"),
        ("interface='e*'; quorum='any'; carrier=true", &links(60, 60), "none of 60 links; missing: e0: no carrier, e1: no carrier, e2: no carrier and 57 more"),
        ("interface='e*'; quorum='any'; carrier=true", &links(2, 2), "e0 has no carrier; e1 has no carrier"),
        ("interface='e0'; carrier=true", &links(1, 2), "e0 has no carrier"),
        ("interface=['e0','e1']; carrier=true; route-to='198.51.100.7'", &links(0, 2), "no route to 198.51.100.7: Network is unreachable"),
        ("interface=['e0','e1']; carrier=true | interface='e0'; carrier=true", &links(1, 2), "1 of 2 links; missing: e0: no carrier; e0 has no carrier"),
    ];
    for (gate, network, expected) in table {
        let network = format!("{network}; lookup 198.51.100.7 errno 101");
        says(Phase::Waiting, gate, &network, &format!("Waiting (up to 90s): {expected}"));
    }
}

/// If no link has carrier, this is the root cause of everything that a link could provide.
#[test]
fn no_uplink_is_the_root_cause_of_what_the_host_lacks() {
    let table: &[(&str, &str, &str)] = &[
        ("route='default'", "e0: nocarrier", "e0 has no carrier; no default route"),
        ("route='default'", "e0: down", "e0 is administratively down; no default route"),
        ("route='default'", "e0: nocarrier; e1: down", "no link has carrier (e0, e1); no default route"),
        ("route='default'", "e0: down; e1: down; e2: down; e3: down; e4: down", "no link has carrier (e0, e1, e2 and 2 more); no default route"),
        ("address='ipv4'", "e0: nocarrier", "e0 has no carrier; no IPv4 address"),
        ("pasta=true", "e0: nocarrier", "e0 has no carrier; no default route for pasta to take"),
        ("route-to='198.51.100.7'", "e0: nocarrier; lookup 198.51.100.7 errno 101", "e0 has no carrier; no route to 198.51.100.7: Network is unreachable"),
        // One link carries traffic, so it may still provide the route.
        ("route='default'", "e0: nocarrier; e1: up", "no default route"),
        ("route='default'", "", "no default route"),
        ("route='default'", "d0: nocarrier kind=dummy", "no default route"),
        // An uplink would not provide these.
        ("address='192.0.2.7'", "e0: nocarrier", "no address 192.0.2.7"),
        ("nameserver=true", "e0: nocarrier; ns none", "resolv.conf names no nameserver"),
        ("interface='e1'; route='default'", "e0: nocarrier", "e1: no such link"),
    ];
    for (gate, network, expected) in table {
        says(Phase::Waiting, gate, network, &format!("Waiting (up to 90s): {expected}"));
        let verdict = judged(gate, network).1;
        let leading = verdict.leading().unwrap();
        assert_eq!(crate::report::Sentence(leading).to_string(), expected.split("; ").next().unwrap());
    }
}

#[test]
fn a_cause_is_named_once() {
    says(
        Phase::Waiting,
        "interface='enp1s0'; route='default-ipv4' | interface='enp1s0'; carrier=true",
        &format!("{DARK}; addr enp1s0 192.0.2.10/24; route default4 via 192.0.2.1 dev enp1s0"),
        "Waiting (up to 90s): enp1s0 has no carrier",
    );
}

#[test]
fn the_line_omits_clauses_with_a_grace_while_a_required_one_is_unmet() {
    let gate = "route='default-ipv6'; grace='5s' | route='default-ipv4'";
    says(Phase::Waiting, gate, "", "Waiting (up to 90s): no default IPv4 route");
}

#[test]
fn the_line_says_that_a_table_is_being_read() {
    let (gate, verdict) = judged("route='default-ipv6'; if-present=true", "unread4; unread6");
    assert_eq!(status(&gate, &verdict, standing(Phase::Waiting)), "Waiting (up to 90s): routing tables are being read");
}

/// A gate is shut only because of an unread table. The line must not name a clause that does not hold the gate
/// back.
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
fn seconds_are_written_in_hundredths() {
    for (millis, text) in [(0, "0ms"), (999, "999ms"), (1000, "1.00s"), (5909, "5.90s"), (119_999, "119.99s"), (120_000, "2min")] {
        assert_eq!(Took(super::millis(millis)).to_string(), text);
    }
}

#[test]
fn a_long_time_is_written_roughly() {
    for (seconds, text) in [
        (0, "0ms"),
        (1, "1s"),
        (119, "119s"),
        (750, "12min 30s"),
        (3599, "59min 59s"),
        (3600, "1h"),
        (11_579, "3h 12min"),
        (86_399, "23h 59min"),
        (86_400, "1d"),
        (187_300, "2d 4h"),
    ] {
        assert_eq!(About(Duration::from_secs(seconds)).to_string(), text);
    }
    assert_eq!(About(millis(1999)).to_string(), "1s");
}

#[test]
fn a_reason_that_is_over_is_in_the_past_tense() {
    let table: &[(&str, &str, &str)] = &[
        ("interface='x0'; carrier=true", "x0: nocarrier", "x0 had no carrier"),
        ("interface='x0'; carrier=true", "x0: down", "x0 was administratively down"),
        ("interface='x0'; carrier=true", "", "there was no link x0"),
        ("interface='x*'; carrier=true", "", "no link matched x*"),
        ("interface='x0'; address='ipv4'", "x0: up", "x0 had no IPv4 address"),
        ("interface='x0'; address='ipv6'", "x0: up noipv6", "IPv6 was disabled on x0"),
        ("address='ipv6'", "x0: up; addr x0 2001:db8::7/64 tentative", "2001:db8::7 on x0 was tentative"),
        ("address='192.0.2.0/24'", "x0: nocarrier; addr x0 192.0.2.7/24", "192.0.2.7 was on x0, which had no carrier"),
        ("route='default'", "x0: up", "no default route"),
        ("route='default'", "x0: nocarrier; x1: down", "no link had carrier (x0, x1)"),
        ("route='default-ipv4'", "x0: up; route default4 blackhole", "the default IPv4 route was a blackhole"),
        ("nameserver=true", "ns none", "resolv.conf named no nameserver"),
        ("interface='br0'; carrier=true", "br0: up kind=bridge", "br0 had no carrier: bridge br0 had no port with carrier"),
        ("tcp='192.0.2.7:22'", "fails tcp 192.0.2.7:22 = connection refused", "tcp 192.0.2.7:22: connection refused"),
    ];
    for (gate, network, expected) in table {
        let verdict = judged(gate, network).1;
        assert_eq!(PastSentence(verdict.leading().unwrap()).to_string(), *expected, "{gate}");
    }
}

#[test]
fn probes_say_what_they_waited_for() {
    const GATE: &str = "route='default-ipv4' | dns='registry.example.org'; tcp='10.10.0.5:3260' | gateway='ipv4'";
    // Probes that wait for other requirements are not named as missing.
    says(Phase::Waiting, GATE, DARK, "Waiting (up to 90s): enp1s0 has no carrier; no default IPv4 route");
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
        "Ready after 4.21s: default via 192.0.2.1 dev enp1s0; dns registry.example.org; tcp 10.10.0.5:3260",
    );
    says(
        READY,
        "route='default-ipv4' | tcp='10.10.0.5:3260'; grace='1s'",
        &format!("{UP}; fails tcp 10.10.0.5:3260 = connection refused"),
        "Ready after 4.21s: default via 192.0.2.1 dev enp1s0 (without: tcp 10.10.0.5:3260)",
    );
}
