//! The live line on terminals of different widths.

use core::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::super::LiveLine;
use super::{NOW, judged, millis};
use crate::gate_state::{Came, Phase};
use crate::moment::Moment;

const GATE: &str = "interface='enp1s0'; carrier=true | route='default-ipv4' | address='ipv6'; grace='5s' | nameserver=true";
const DARK: &str = "enp1s0: nocarrier; ns none";

fn after(millis: u64) -> Moment {
    NOW + Duration::from_millis(millis)
}

fn of_gate(gate: &str, network: &str, phase: Phase, until: Option<Moment>) -> LiveLine {
    LiveLine::of_gate(&judged(gate, network).1, phase, NOW, until)
}

#[test]
fn each_width_shows_as_many_reasons_as_fit() {
    let line = of_gate(GATE, DARK, Phase::Waiting, Some(after(90_000)));
    let table: &[(usize, &str)] = &[
        (120, "netready: waiting 12s (78s left): enp1s0 has no carrier; no default IPv4 route; resolv.conf names no nameserver"),
        (110, "netready: waiting 12s (78s left): enp1s0 has no carrier; no default IPv4 route; and 1 more"),
        (80, "netready: waiting 12s (78s left): enp1s0 has no carrier; and 2 more"),
        (60, "netready: waiting 12s (78s left): enp1s0 has no carrier"),
        (40, "waiting 12s (78s left): enp1s0 has n…"),
        (20, "waiting 12s (78s…"),
        (4, "…"),
        (3, ""),
        (0, ""),
    ];
    for (columns, expected) in table {
        assert_eq!(line.text(after(12_000), *columns), *expected, "{columns} columns");
    }
}

#[test]
fn no_width_is_exceeded() {
    let gates = [GATE, "route='default'; table='網絡' | address='ipv6'", "route-to='198.51.100.7'"];
    for gate in gates {
        let line = of_gate(gate, DARK, Phase::Waiting, Some(after(90_000)));
        for columns in 0..200 {
            let text = line.text(after(12_000), columns);
            assert!(text.width() <= columns.saturating_sub(3), "{columns} columns: {text}");
        }
    }
}

#[test]
fn wide_characters_take_two_columns_and_combining_ones_stay_with_theirs() {
    let pause = |why: &str, columns| LiveLine::of_pause("2", why, NOW, after(1000)).text(NOW, columns);
    assert_eq!(pause("網絡網絡網絡", 28), "attempt 2 in 1s: 網絡網…");
    assert_eq!(pause("網絡網絡網絡", 29), "attempt 2 in 1s: 網絡網絡…");
    assert_eq!(pause("網絡網絡網絡", 30), "attempt 2 in 1s: 網絡網絡…");
    assert_eq!(pause("網絡網絡網絡", 32), "attempt 2 in 1s: 網絡網絡網絡");
    assert_eq!(pause("abce\u{301}fghi", 26), "attempt 2 in 1s: abce\u{301}f…");
}

#[test]
fn text_of_others_is_escaped() {
    let line = LiveLine::of_pause("2", "\u{1b}[2J\r\n\u{202e}x", NOW, after(1000));
    assert_eq!(line.text(NOW, 80), r"netready: attempt 2 in 1s (0s so far): \x1b[2J\x0d\x0a\u{202e}x");
}

#[test]
fn the_times_are_whole_seconds() {
    let line = of_gate(GATE, DARK, Phase::Waiting, Some(after(90_000)));
    let table: &[(u64, &str)] = &[
        (0, "waiting 0s (90s left)"),
        (1, "waiting 0s (90s left)"),
        (999, "waiting 0s (90s left)"),
        (1000, "waiting 1s (89s left)"),
        (89_999, "waiting 89s (1s left)"),
        (90_000, "waiting 90s (0s left)"),
        // The gate is evaluated at its timeout, which may take a moment.
        (200_000, "waiting 3min 20s (0s left)"),
    ];
    for (millis, expected) in table {
        let text = line.text(after(*millis), 80);
        assert!(text.starts_with(&format!("netready: {expected}: ")), "{millis}: {text}");
    }
    let endless = of_gate(GATE, DARK, Phase::Waiting, None);
    assert!(endless.text(after(3_723_000), 80).starts_with("netready: waiting 1h 2min 3s: enp1s0"));
}

#[test]
fn each_phase_says_what_it_waits_for() {
    let up = "enp1s0: up; addr enp1s0 192.0.2.10/24; route default4 via 192.0.2.1 dev enp1s0; ns 192.0.2.53";
    let until = Some(after(5000));
    let table = [
        (Phase::Grace { until: after(5000) }, up, "netready: waiting 2s (3s left): wanted: no IPv6 address"),
        (Phase::Settling { until: after(5000) }, up, "netready: waiting 2s (3s left): all met, must hold"),
        (Phase::Waiting, "unread4; unread6", "netready: waiting 2s (3s left): enp1s0: no such link; no default IPv4 route; not read yet"),
    ];
    for (phase, network, expected) in table {
        assert_eq!(of_gate(GATE, network, phase, until).text(after(2000), 100), expected);
    }
}

#[test]
fn a_pause_says_which_attempt_is_next() {
    let line = LiveLine::of_pause("2 of 9", "exit code 1", NOW, after(3500));
    assert_eq!(line.text(after(1000), 80), "netready: attempt 2 of 9 in 3s (1s so far): exit code 1");
    assert_eq!(line.text(after(3500), 80), "netready: attempt 2 of 9 in 0s (3s so far): exit code 1");
}

#[test]
fn check_says_who_has_not_answered() {
    let gate = "tcp='192.0.2.7:22' | dns='example.org'";
    let line = |network: &str| LiveLine::of_check(&judged(gate, network).1, NOW).text(after(1000), 100);
    assert_eq!(line(""), "netready: waiting 1s for an answer: tcp 192.0.2.7:22; dns example.org");
    assert_eq!(line("says dns example.org = 192.0.2.1"), "netready: waiting 1s for an answer: tcp 192.0.2.7:22");
    // This line is shown before the first verdict, and while routing tables are read.
    let passive = LiveLine::of_check(&judged("route='default'", "unread4").1, NOW);
    assert_eq!(passive.text(after(1000), 80), "netready: waiting 1s: the kernel's state is being read");
}

/// The figures in the line stay correct until the line is written again, even in the middle of a second.
#[test]
fn it_is_due_when_a_figure_changes() {
    let endless = of_gate(GATE, DARK, Phase::Waiting, None);
    let bounded = of_gate(GATE, DARK, Phase::Waiting, Some(after(2500)));
    let table: &[(&LiveLine, u64, u64)] = &[
        (&endless, 0, 1000),
        (&endless, 1, 1000),
        (&endless, 1999, 2000),
        (&endless, 2000, 3000),
        (&bounded, 0, 500),
        (&bounded, 500, 1500),
        (&bounded, 2000, 2500),
        // After the end, the line changes with the elapsed time.
        (&bounded, 2500, 3000),
    ];
    for (line, now, due) in table {
        assert_eq!(line.due(after(*now)), after(*due), "at {now}");
    }
}

#[test]
fn a_gate_that_is_open_needs_no_line_but_has_one() {
    let came = Phase::Ready { came: Came::First { after: millis(1) } };
    assert!(of_gate("address='ip'", "x0: up; addr x0 192.0.2.1/24", came, None).text(NOW, 80).ends_with("all met"));
}
