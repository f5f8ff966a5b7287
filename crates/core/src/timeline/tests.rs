//! Timelines of boots, as tables.

use super::*;
use crate::evaluate::evaluate;
use crate::history::read;
use crate::report::{PastSentence, Sentence};
use crate::testing::{gate, network};

fn at(millis: u64) -> Moment {
    Moment::after_boot(Duration::from_millis(millis))
}

/// The wall clock of a host that started on 2026-11-26 at midnight.
fn utc(moment: Moment) -> (String, String) {
    let seconds = moment.since_boot().as_secs();
    let (day, rest) = (26 + seconds / 86_400, seconds % 86_400);
    (format!("2026-11-{day}"), format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60))
}

/// Reads events, one a line: milliseconds since boot, and the fields without `usec`.
fn events(lines: &str) -> Vec<Event> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let event = |line: &str| {
        let (millis, fields) = line.split_once(' ').unwrap();
        let usec = millis.parse::<u64>().unwrap() * 1000;
        read(&format!("{{\"usec\":{usec},{fields}}}")).unwrap_or_else(|| panic!("no event: {line}"))
    };
    lines.map(event).collect()
}

const BEGIN: &str = r#"
    3000 "event":"start","gate":"default","source":"built-in","timeout_usec":120000000,"settle_usec":0,"clauses":[]
    3000 "event":"link","link":"e0","ifindex":2,"state":"no-carrier"
    3000 "event":"requirement","clause":1,"requirement":"route default","state":"unmet","code":"no-route","text":"no default route"
    3000 "event":"gate","state":"waiting","code":"no-carrier","text":"e0 has no carrier","reason_link":"e0"
"#;
const CABLE: &str = r#"
    8900 "event":"link","link":"e0","ifindex":2,"state":"carrier","was":"no-carrier"
    8900 "event":"gate","state":"waiting","code":"no-route","text":"no default route"
    8970 "event":"address","link":"e0","ifindex":2,"address":"10.9.0.7/24","state":"usable"
"#;
const READY: &str = r#"
    8980 "event":"route","destination":"0.0.0.0/0","link":"e0","gateway":"10.9.0.1","table":254,"metric":100,"state":"added"
    8980 "event":"requirement","clause":1,"requirement":"route default","state":"met","met_by":"default via 10.9.0.1 dev e0"
    8980 "event":"gate","state":"ready","met_by":"default via 10.9.0.1 dev e0"
"#;
const LOSS: &str = r#"
    900000 "event":"link","link":"e0","ifindex":2,"state":"no-carrier","was":"carrier"
    900000 "event":"gate","state":"lost","code":"no-carrier","text":"e0 has no carrier","reason_link":"e0"
    903000 "event":"link","link":"e0","ifindex":2,"state":"carrier","was":"no-carrier"
    903000 "event":"gate","state":"ready","met_by":"default via 10.9.0.1 dev e0"
"#;

fn boot(parts: &[&str]) -> Timeline {
    Timeline::of(&events(&parts.concat()), None, &[]).unwrap()
}

/// Returns the lanes as short texts: the name, and for each stretch its milliseconds and its text.
fn told(timeline: &Timeline) -> Vec<String> {
    let millis = |moment: Moment| moment.since_boot().as_millis();
    let stretch = |stretch: &Stretch| {
        format!(" {}-{} {:?} {}", millis(stretch.from), millis(stretch.to), stretch.tone, stretch.text)
    };
    let lane = |lane: &Lane| {
        format!(
            "{:?} {}:{}",
            lane.kind,
            lane.name,
            lane.stretches.iter().map(stretch).collect::<Vec<_>>().join(";")
        )
    };
    timeline.lanes.iter().map(lane).collect()
}

#[test]
fn the_way_to_ready_has_lanes_and_a_longest_stretch() {
    let timeline = boot(&[BEGIN, CABLE, READY]);
    assert_eq!(
        told(&timeline),
        [
            "Link e0: 3000-8900 Bad up without carrier; 8900-8980 Good up with carrier",
            "Address e0 10.9.0.7/24: 8970-8980 Good usable",
            "Requirement route default: 3000-8980 Bad unmet: no default route",
            "Gate gate default: 3000-8900 Bad waiting: e0 has no carrier; 8900-8980 Bad waiting: no default route",
        ],
        "what begins at the end has not lasted"
    );
    assert_eq!(timeline.outcome(), "ready after 5.98s");
    assert_eq!(timeline.longest().unwrap(), "The longest stretch, 5.90s of 5.98s: e0 had no carrier");
    assert_eq!(timeline.lost(&utc), None);
    assert_eq!((timeline.start, timeline.end, timeline.dropped), (at(3000), at(8980), 0));
    assert_eq!(timeline.begin.unwrap().timeout, Some(Duration::from_secs(120)));
    assert_eq!(
        one_line(&boot(&[BEGIN, CABLE, READY])),
        "ready after 5.98s: default via 10.9.0.1 dev e0; 5.90s of it: e0 had no carrier"
    );
}

/// A second run in the same boot, 3 s after the first one gave up.
const GAVE_UP: &str = r#"
    9000 "event":"gate","state":"gave-up","by":"timeout","code":"no-carrier","text":"e0 has no carrier"
"#;
const AGAIN: &str = r#"
    12000 "event":"start","gate":"default","source":"built-in","clauses":[]
    12010 "event":"gate","state":"waiting","code":"no-carrier","text":"e0 has no carrier","reason_link":"e0"
    13000 "event":"gate","state":"ready","met_by":"e0"
"#;

#[test]
fn a_boot_whose_runs_gave_up_is_told_from_the_first_one() {
    let ready = events(&[BEGIN, READY].concat());
    let gave_up = events(&[BEGIN, GAVE_UP].concat());
    let again = events(AGAIN);
    let whole = |runs: &[&Vec<Event>]| {
        let runs: Vec<Vec<Event>> = runs.iter().copied().cloned().collect();
        one_line(&Timeline::of(&with_given_up(&runs), None, &[]).unwrap())
    };
    for (runs, expected) in [
        (&[&again][..], "ready after 1.00s: e0; 1.00s of it: e0 had no carrier"),
        (&[&gave_up, &again], "ready after 10.00s (gave up once before): e0; 7.00s of it: e0 had no carrier"),
        (&[&ready, &again], "ready after 1.00s: e0; 1.00s of it: e0 had no carrier"),
        (
            &[&gave_up],
            "given up after 6.00s (its timeout passed): e0 has no carrier; 6.00s of it: e0 had no carrier",
        ),
    ] {
        assert_eq!(whole(runs), expected);
    }
    let twice = whole(&[&gave_up, &gave_up, &again]);
    assert!(twice.starts_with("ready after 10.00s (gave up 2 times before): e0; "), "{twice}");
    assert_eq!(with_given_up(&[]), []);
}

#[test]
fn a_route_that_is_dead_or_refuses_is_not_drawn_as_usable() {
    let route = |millis: u64, link: &str, state: &str| {
        let fields = r#""event":"route","destination":"0.0.0.0/0","table":254,"metric":0"#;
        format!("{millis} {fields}{link},\"state\":\"{state}\"\n")
    };
    let e0 = r#","link":"e0","gateway":"10.9.0.1""#;
    let all = [
        route(10, e0, "dead"),
        route(20, e0, "added"),
        route(30, e0, "dead"),
        route(40, e0, "gone"),
        route(40, "", "added"),
        route(50, "", "gone"),
    ];
    assert_eq!(
        told(&boot(&[&all.concat()])),
        [
            "Route default via 10.9.0.1 dev e0: 10-20 Bad there, but dead or without carrier; 20-30 Good there; \
             30-40 Bad there, but dead or without carrier",
            "Route default: 40-50 Bad refuses",
        ]
    );
}

#[test]
fn a_run_that_continues_keeps_its_last_state() {
    let all = events(&[BEGIN, CABLE, READY].concat());
    let timeline = Timeline::of(&all, Some(at(20_000)), &[]).unwrap();
    assert_eq!(
        told(&timeline)[3..],
        [
            "Requirement route default: 3000-8980 Bad unmet: no default route; 8980-20000 Good met: default via 10.9.0.1 dev e0",
            "Gate gate default: 3000-8900 Bad waiting: e0 has no carrier; 8900-8980 Bad waiting: no default route; 8980-20000 Good ready: default via 10.9.0.1 dev e0",
        ]
    );
    assert_eq!(timeline.outcome(), "ready after 5.98s");
    assert_eq!(Timeline::of(&events(BEGIN), Some(at(5000)), &[]).unwrap().outcome(), "not ready after 2.00s");
    let stopped = events(&[BEGIN, CABLE, READY, r#"10000 "event":"gate","state":"stopped""#].concat());
    assert_eq!(Timeline::of(&stopped, Some(at(20_000)), &[]).unwrap().end, at(10_000));
    assert_eq!(Timeline::of(&all, Some(at(1)), &[]).unwrap().end, at(8980), "not before the last event");
    assert_eq!(Timeline::of(&[], Some(at(1)), &[]), None);
}

#[test]
fn the_way_ends_in_different_ways() {
    let gate = |state: &str| format!("9000 \"event\":\"gate\",\"state\":\"{state}\"");
    let timeout = r#","by":"timeout","code":"no-carrier","text":"e0 has no carrier","reason_link":"e0""#;
    for (last, outcome) in [
        (gate("ready"), "ready after 6.00s"),
        (gate("opened") + r#","by":"request""#, "opened after 6.00s without being ready (by SIGUSR1)"),
        (gate("gave-up") + timeout, "given up after 6.00s (its timeout passed)"),
        (gate("stopped"), "netready was ended after 6.00s, before the gate was ready"),
        (gate("lost"), "the events that tell how it opened are missing"),
        (gate("settling"), "not ready 6.00s after the start, and the record ends there"),
        (
            r#"9000 "event":"dropped","count":7"#.to_owned(),
            "not ready 6.00s after the start, and the record ends there",
        ),
    ] {
        let timeline = boot(&[BEGIN, &last]);
        assert_eq!(timeline.outcome(), outcome);
        assert_eq!(
            timeline.longest().unwrap(),
            "The longest stretch, 6.00s of 6.00s: e0 had no carrier",
            "{last}"
        );
    }
    assert_eq!(boot(&[BEGIN, r#"9000 "event":"dropped","count":7"#]).dropped, 7);
    assert_eq!(boot(&[BEGIN]).longest(), None, "nothing took time");
}

#[test]
fn the_times_of_a_reason_are_added_up_and_a_settle_counts() {
    let waits = |millis: u64, link: &str| {
        format!(
            "{millis} \"event\":\"gate\",\"state\":\"waiting\",\"code\":\"no-carrier\",\"text\":\"{link} has no carrier\",\"reason_link\":\"{link}\"\n"
        )
    };
    let steps = [waits(100, "a"), waits(130, "b"), waits(170, "a")].concat();
    let settles = r#"195 "event":"gate","state":"settling""#.to_owned() + "\n";
    let ready = |millis: u64| format!("{millis} \"event\":\"gate\",\"state\":\"ready\"");
    let short = boot(&[&steps, &settles, &ready(205)]);
    assert_eq!(short.longest().unwrap(), "The longest stretch, 55ms of 105ms: a had no carrier");
    let long = boot(&[&steps, &settles, &ready(400)]);
    assert_eq!(
        long.longest().unwrap(),
        "The longest stretch, 205ms of 300ms: everything was met and had to hold"
    );
}

#[test]
fn losses_are_listed_and_have_panels_of_their_own() {
    let timeline = boot(&[BEGIN, CABLE, READY, LOSS]);
    assert_eq!(
        timeline.losses,
        [Loss { from: at(900_000), to: Some(at(903_000)), why: Some("e0 has no carrier".to_owned()) }]
    );
    assert_eq!(
        timeline.lost(&utc).unwrap(),
        "Lost once afterwards, at 2026-11-26 00:15:00 (14min 57s after the start), for 3.00s: e0 has no carrier"
    );
    assert_eq!(timeline.longest().unwrap(), "The longest stretch, 5.90s of 5.98s: e0 had no carrier");
    let panels = timeline.panels();
    let spans: Vec<_> = panels.iter().map(|panel| (panel.from, panel.to, panel.title.as_str())).collect();
    assert_eq!(
        spans,
        [
            (at(3000), at(9578), "ready after 5.98s"),
            (at(899_700), at(903_000), "lost for 3.00s, 14min 57s after the start"),
        ]
    );
    assert_eq!(panels[1].zero, at(900_000));
    let many: String = (1..9).map(|n| LOSS.replace(" 90", &format!(" {n}90"))).collect();
    let timeline = boot(&[BEGIN, CABLE, READY, &many, r#"9000000 "event":"gate","state":"lost""#]);
    assert!(
        timeline.lost(&utc).unwrap().starts_with("Lost 9 times afterwards, last at 2026-11-26 02:30:00 "),
        "{:?}",
        timeline.lost(&utc)
    );
    assert!(timeline.lost(&utc).unwrap().ends_with(", and not ready since"));
    let titles: Vec<String> = timeline.panels().into_iter().map(|panel| panel.title).collect();
    assert_eq!(titles[1..], ["loss 7: lost for 3.00s", "loss 8: lost for 3.00s", "loss 9: lost"]);
    assert!(timeline.panels().windows(2).all(|pair| pair[0].to <= pair[1].from));
}

/// If a record was cut, or its beginning is missing, the timeline shows the rest.
#[test]
fn missing_events_are_tolerated() {
    let whole = events(&[BEGIN, CABLE, READY, LOSS].concat());
    for from in 0..whole.len() {
        for to in from + 1..=whole.len() {
            let timeline = Timeline::of(&whole[from..to], None, &[]).unwrap();
            assert_eq!(timeline.steps.len(), to - from);
            for lane in &timeline.lanes {
                assert!(lane.stretches.windows(2).all(|pair| pair[0].to <= pair[1].from), "{lane:?}");
                assert!(lane.stretches.iter().all(|stretch| stretch.from < stretch.to), "{lane:?}");
                let inside = |stretch: &Stretch| timeline.start <= stretch.from && stretch.to <= timeline.end;
                assert!(lane.stretches.iter().all(inside), "{lane:?}");
            }
            let panels = timeline.panels();
            assert!(panels.iter().all(|panel| panel.from < panel.to), "{panels:?}");
            assert!(panels.windows(2).all(|pair| pair[0].to <= pair[1].from), "{panels:?}");
            table(&timeline, &utc, 80, Glyphs::Ascii);
        }
    }
    let timeline = Timeline::of(&whole[4..], None, &[]).unwrap();
    assert_eq!((timeline.gate.as_str(), timeline.begin.as_ref(), timeline.start), ("", None, at(8900)));
}

#[test]
fn a_run_begins_with_a_start_that_is_no_reload() {
    let reload = BEGIN.replace("\"clauses\"", "\"reloaded\":true,\"clauses\"");
    let all = events(&[CABLE, BEGIN, CABLE, &reload, BEGIN].concat());
    let divided = runs(all);
    assert_eq!(divided.iter().map(Vec::len).collect::<Vec<_>>(), [3, 11, 4]);
    assert_eq!(runs(Vec::new()), [[]; 0]);
}

#[test]
fn units_that_waited_have_lanes() {
    let all = events(&[BEGIN, CABLE, READY].concat());
    let unit = |name: &str, started, active| Waiter { unit: name.to_owned(), started, active };
    let waiters = [unit("web.service", at(9000), Some(at(9400))), unit("db\n.service", at(9000), None)];
    let timeline = Timeline::of(&all, Some(at(20_000)), &waiters).unwrap();
    let told = told(&timeline);
    assert_eq!(
        told[told.len() - 2..],
        [
            "Unit web.service: 3000-9000 Bad waits for the gate; 9000-9400 Pending starts; 9400-20000 Good up, 400ms after its start",
            r"Unit db\x0a.service: 3000-9000 Bad waits for the gate; 9000-20000 Pending starts",
        ]
    );
    assert!(timeline.panels()[0].to > at(9400), "its start is seen");
}

#[test]
fn events_are_sentences() {
    for (fields, expected) in [
        (
            r#""event":"start","gate":"g","source":"/s","settle_usec":0,"clauses":[]"#,
            "netready waits for gate g (/s), without a timeout",
        ),
        (
            r#""event":"start","gate":"g","source":"/s","reloaded":true,"settle_usec":0,"clauses":[]"#,
            "gate g is read again from /s",
        ),
        (r#""event":"link","link":"e0","ifindex":2,"state":"down""#, "e0 is there, administratively down"),
        (
            r#""event":"link","link":"e0","ifindex":2,"state":"no-carrier","was":"down""#,
            "e0 is up without carrier",
        ),
        (r#""event":"link","link":"e0","ifindex":2,"state":"no-carrier","was":"carrier""#, "e0 lost carrier"),
        (r#""event":"link","link":"e0","ifindex":2,"state":"carrier","was":"no-carrier""#, "e0 has carrier"),
        (
            r#""event":"link","link":"e0","ifindex":2,"state":"carrier","was":"no-carrier","flaps":2"#,
            "e0 has carrier (carrier was lost 2 times in between)",
        ),
        (
            r#""event":"link","link":"e0","ifindex":2,"state":"carrier","was":"carrier","flaps":1"#,
            "e0 lost carrier and has it again (carrier was lost once in between)",
        ),
        (
            r#""event":"link","link":"lan","ifindex":2,"state":"carrier","was":"carrier""#,
            "lan is the new name of link 2",
        ),
        (r#""event":"link","link":"e0","ifindex":2,"state":"gone","was":"carrier""#, "e0 is gone"),
        (
            r#""event":"address","link":"e0","ifindex":2,"address":"2001:db8::7/64","state":"tentative""#,
            "e0 has address 2001:db8::7/64, still tentative",
        ),
        (
            r#""event":"address","link":"e0","ifindex":2,"address":"192.0.2.7/32","peer":"192.0.2.1","state":"usable""#,
            "e0 has address 192.0.2.7/32 peer 192.0.2.1",
        ),
        (
            r#""event":"address","link":"e0","ifindex":2,"address":"192.0.2.7/24","state":"gone""#,
            "e0 lost address 192.0.2.7/24",
        ),
        (
            r#""event":"route","destination":"::/0","link":"e0","gateway":"fe80::1","table":100,"metric":1024,"state":"added""#,
            "route default (IPv6) via fe80::1 dev e0 table 100 metric 1024 is there",
        ),
        (
            r#""event":"route","destination":"198.51.100.0/24","table":254,"metric":0,"state":"replaced""#,
            "route 198.51.100.0/24 is not used any more",
        ),
        (
            r#""event":"probe","probe":"tcp 192.0.2.1:443","state":"failed","text":"refused""#,
            "tcp 192.0.2.1:443 fails: refused",
        ),
        (
            r#""event":"requirement","clause":1,"requirement":"carrier","link":"e1","state":"not-needed""#,
            "carrier of e1 is not needed",
        ),
        (
            r#""event":"gate","state":"grace","text":"x","code":"no-route""#,
            "the gate waits a little for what it does not require: x",
        ),
        (
            r#""event":"gate","state":"gave-up","by":"no-carrier""#,
            "the gate is given up (no link that the gate asks for had carrier for no-carrier-timeout)",
        ),
        (r#""event":"gate","state":"stopped""#, "netready ends"),
        (r#""event":"dropped","count":1"#, "1 event is missing here: there were too many at once"),
    ] {
        let what = read(&format!("{{\"usec\":1,{fields}}}")).unwrap_or_else(|| panic!("{fields}")).what;
        assert_eq!(sentence(&what), expected);
    }
}

/// A recorded sentence in the past tense is the same as in STATUS=.
#[test]
fn a_recorded_reason_is_put_into_the_past() {
    for (wants, state) in [
        ("interface='x0'; carrier=true", "x0: nocarrier"),
        ("interface='x0'; carrier=true", "x0: down"),
        ("interface='is'; carrier=true", "is: down"),
        ("interface='has'; carrier=true", "has: nocarrier"),
        ("interface='x*'; carrier=true", ""),
        ("interface='x0'; address='ipv4'", "x0: up"),
        ("address='ipv6'", "x0: up; addr x0 2001:db8::7/64 tentative"),
        ("address='192.0.2.0/24'", "x0: nocarrier; addr x0 192.0.2.7/24"),
        ("route='default'", "x0: up"),
        ("route='default'", "x0: nocarrier; x1: down"),
        ("route='default-ipv4'", "x0: up; route default4 blackhole"),
        ("nameserver=true", "ns none"),
        ("interface='br0'; carrier=true", "br0: up kind=bridge"),
        ("tcp='192.0.2.7:22'", "fails tcp 192.0.2.7:22 = connection refused"),
    ] {
        let verdict = evaluate(&gate(wants), &network(state), at(0));
        let reason = verdict.leading().unwrap();
        assert_eq!(
            past(&Sentence(reason).to_string(), reason.link()),
            PastSentence(reason).to_string(),
            "{wants} {state}"
        );
    }
}

#[test]
fn the_table_fits_into_80_columns() {
    let timeline = Timeline::of(&events(&[BEGIN, CABLE, READY].concat()), Some(at(60_000)), &[]).unwrap();
    let expected = "\
time      since boot  since start           +  what happened
00:00:03      3.000s       0.000s              netready waits for gate default (built-in), at most 2min
00:00:03      3.000s       0.000s              e0 is there, up without carrier
00:00:03      3.000s       0.000s              route default is unmet: no default route
00:00:03      3.000s       0.000s              the gate waits: e0 has no carrier
00:00:08      8.900s       5.900s     +5.900s  e0 has carrier
00:00:08      8.900s       5.900s              the gate waits: no default route
00:00:08      8.970s       5.970s     +0.070s  e0 has address 10.9.0.7/24
00:00:08      8.980s       5.980s     +0.010s  route default via 10.9.0.1 dev e0 metric 100 is there
00:00:08      8.980s       5.980s              route default is met: default via 10.9.0.1 dev e0
00:00:08      8.980s       5.980s              the gate is ready: default via 10.9.0.1 dev e0

                               ready after 5.98s                           6.57s
e0                             ............................................#####
e0 10.9.0.7/24                                                             #####
default via 10.9.0.1 dev e0…                                                ####
route default                  .............................................####
gate default                   .............................................####

# usable, met or ready   . unusable, unmet or waiting
";
    assert_eq!(table(&timeline, &utc, 80, Glyphs::Ascii), expected);
}

#[test]
fn an_event_of_another_day_has_its_date() {
    const DAY: u64 = 86_400_000;
    let loss = format!(
        "{} \"event\":\"gate\",\"state\":\"lost\"\n{} \"event\":\"gate\",\"state\":\"ready\"\n",
        DAY + 8_047_000,
        DAY + 8_050_000
    );
    let text = table(&boot(&[BEGIN, CABLE, READY, &loss]), &utc, 80, Glyphs::Ascii);
    let lines: Vec<&str> = text.lines().skip_while(|line| *line != "2026-11-27").take(3).collect();
    assert_eq!(
        lines,
        [
            "2026-11-27",
            "02:14:07  94447.000s   94444.000s  +94438.020s  the gate is lost",
            "02:14:10  94450.000s   94447.000s     +3.000s  the gate is ready",
        ]
    );
    assert_eq!(text.matches("2026-11-2").count(), 1, "the caller prints the date of the start\n{text}");
}

#[test]
fn many_lanes_are_bounded_and_texts_of_others_are_safe() {
    let link = |number: u32| {
        format!(
            "1 \"event\":\"link\",\"link\":\"\\u001b[2J{number}\",\"ifindex\":{number},\"state\":\"down\"\n"
        )
    };
    let lines: String = (1..=45).map(link).collect();
    let timeline = Timeline::of(&events(&lines), Some(at(10)), &[]).unwrap();
    let text = table(&timeline, &utc, 80, Glyphs::Blocks);
    assert!(text.contains("and 37 more links\n"), "{text}");
    assert!(!text.contains('\u{1b}') && text.contains(r"\x1b[2J8 is there"), "{text}");
}

#[test]
fn texts_are_cut_at_their_columns() {
    for (text, most, expected) in [
        ("eth0", 4, "eth0"),
        ("eth01", 4, "eth…"),
        ("ネットワーク", 12, "ネットワーク"),
        ("ネットワーク", 11, "ネットワー…"),
        ("ネットワーク", 10, "ネットワ…"),
        ("abc", 0, "…"),
    ] {
        assert_eq!(cut(text, most), expected);
    }
}

#[test]
fn moments_have_a_place_in_a_panel() {
    let panel = Panel { from: at(1000), to: at(3000), zero: at(1000), title: String::new() };
    for (millis, place) in [(999, None), (1000, Some(0)), (2000, Some(50)), (3000, Some(100)), (3001, None)] {
        assert_eq!(panel.place(at(millis), 100), place, "{millis}");
    }
    for (from, to, part) in [
        (0, 1000, None),
        (0, 2000, Some((0, 50))),
        (2000, 9000, Some((50, 100))),
        (3000, 9000, None),
        (2000, 2000, None),
    ] {
        assert_eq!(panel.part(at(from), at(to), 100), part, "{from} {to}");
    }
}
