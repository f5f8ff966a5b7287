//! `monitor`: what changed, and what that did to the verdict.

use super::super::{Changes, Tone, Turn, paint_none};
use super::judged;

const GATE: &str = "interface='va*'; carrier=true; address='ipv4' | address='ipv6'; grace='5s'";

/// Each step has a network, and the text that is printed for it.
#[track_caller]
fn prints(gate: &str, judgements: &[(&str, &str)]) {
    let mut changes = Changes::default();
    for (network, expected) in judgements {
        let (_, verdict) = judged(gate, network);
        let change = changes.take(&verdict);
        assert_eq!(changes.lines(&change, "T", paint_none), *expected, "{network}");
    }
}

#[test]
fn each_turn_follows_from_the_last_one() {
    let turns: &[(&[bool], &str)] = &[
        (&[false], "waiting"),
        (&[true], "ready"),
        (&[false, false], "still-waiting"),
        (&[false, false, false], "still-waiting"),
        (&[false, true], "now-ready"),
        (&[false, false, true], "now-ready"),
        (&[true, true], "still-ready"),
        (&[false, true, true], "still-ready"),
        (&[true, true, true], "still-ready"),
        (&[true, false, true, true], "still-ready"),
        (&[true, false], "lost"),
        (&[false, true, false], "lost"),
        (&[true, true, false], "lost"),
        (&[true, false, true, false], "lost"),
        (&[true, false, false], "still-lost"),
        (&[true, false, false, false], "still-lost"),
        (&[true, false, true], "ready-again"),
        (&[true, false, false, true], "ready-again"),
    ];
    for (readiness, word) in turns {
        let turn = readiness.iter().fold(None, |last, ready| Some(Turn::after(last, *ready))).unwrap();
        assert_eq!(turn.as_str(), *word, "{readiness:?}");
        assert!(turn.as_str().len() <= "still waiting".len(), "{turn:?} fits its column");
    }
}

#[test]
fn only_what_changed_is_printed_and_columns_stand_below_each_other() {
    prints(GATE, &[
        ("", "T  waiting        unmet   carrier       no link matches va*\n\
              T  waiting        wanted  address ipv6  no IPv6 address\n\
              T  waiting        NOT ready: no link matches va*\n"),
        ("va0: nocarrier", "T  still waiting  unmet   carrier       va0: no carrier\n\
                            T  still waiting  unmet   address ipv4  va0: no IPv4 address\n\
                            T  still waiting  NOT ready: va0 has no carrier; va0 has no IPv4 address\n"),
        ("va0: up", "T  still waiting  met     carrier       va0\n\
                     T  still waiting  NOT ready: va0 has no IPv4 address\n"),
        ("va0: up; addr va0 192.0.2.1/24", "T  now ready      met     address ipv4  192.0.2.1 on va0\n\
                                            T  now ready      Ready: va0; 192.0.2.1 on va0\n"),
        // The change does not concern the gate.
        ("va0: up; addr va0 192.0.2.1/24; eth9: up", ""),
        // The verdict stays, but what meets it changes, so it is printed again.
        ("va0: up; addr va0 192.0.2.1/24; addr va0 2001:db8::1/64",
         "T  still ready    met     address ipv6  2001:db8::1 on va0\n\
          T  still ready    Ready: va0; 192.0.2.1 on va0; 2001:db8::1 on va0\n"),
        ("", "T  lost           unmet   carrier       no link matches va*\n\
              T  lost           wanted  address ipv6  no IPv6 address\n\
              T  lost           gone    carrier       va0 is not matched any more\n\
              T  lost           gone    address ipv4  va0 is not matched any more\n\
              T  lost           NOT ready: no link matches va*\n"),
        ("va0: up; addr va0 192.0.2.1/24", "T  ready again    met     carrier       va0\n\
                                            T  ready again    met     address ipv4  192.0.2.1 on va0\n\
                                            T  ready again    Ready: va0; 192.0.2.1 on va0\n"),
    ]);
}

#[test]
fn a_new_warning_is_printed_once() {
    let failed = "x0: up; addr x0 2001:db8::10/64; addr x0 2001:db8::11/64 dadfailed";
    prints("address='ipv6'", &[
        ("x0: up; addr x0 2001:db8::10/64", "T  ready          met    address ipv6  2001:db8::10 on x0\n\
                                             T  ready          Ready: 2001:db8::10 on x0\n"),
        (failed, "T  still ready    warning  2001:db8::11 on x0 is dadfailed: another host has it\n"),
        (failed, ""),
    ]);
}

#[test]
fn json_names_the_rows_that_changed() {
    let mut changes = Changes::default();
    let mut rows = |network: &str| changes.take(&judged(GATE, network).1).rows;
    assert_eq!(rows("va0: nocarrier"), [0, 1, 2]);
    assert_eq!(rows("va0: up"), [0]);
    assert_eq!(rows("va0: up; addr va0 192.0.2.1/24"), [1]);
    assert!(rows("va0: up; addr va0 192.0.2.1/24").is_empty());
}

#[test]
fn names_are_escaped_and_wide_ones_measured() {
    let mut changes = Changes::default();
    let (_, verdict) = judged("route='default-ipv4'; table='網絡' | address='ipv6'", "");
    let change = changes.take(&verdict);
    let text = changes.lines(&change, "T", paint_none);
    // Widths are in columns. Each of the two characters takes two columns.
    assert!(text.starts_with("T  waiting        unmet  route default-ipv4 table 網絡  no "), "{text}");
    assert!(text.contains("\nT  waiting        unmet  address ipv6                   no "), "{text}");
    let (_, verdict) = judged("tcp='192.0.2.7:22'", "fails tcp 192.0.2.7:22 = \u{1b}[2J");
    let change = changes.take(&verdict);
    let text = changes.lines(&change, "T", paint_none);
    assert!(!text.contains('\u{1b}') && text.contains(r"\x1b[2J"), "{text}");
}

#[test]
fn colour_says_what_kind_of_line_it_is() {
    let mark = |tone, word: &str| {
        let mark = match tone {
            Tone::Good => '+',
            Tone::Bad => '-',
            Tone::Dim => '.',
        };
        format!("{mark}{word}")
    };
    let mut changes = Changes::default();
    let mut text = |network| {
        let change = changes.take(&judged("address='ipv4'", network).1);
        changes.lines(&change, "T", mark)
    };
    assert_eq!(text("x0: up"), ".T  -waiting        -unmet  address ipv4  no IPv4 address\n.T  -waiting        NOT ready: no IPv4 address\n");
    assert!(text("x0: up; addr x0 192.0.2.1/24").starts_with(".T  +now ready      +met    "));
    assert!(text("x0: up").starts_with(".T  -lost           -unmet  "));
}
