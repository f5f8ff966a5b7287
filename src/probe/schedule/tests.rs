//! Tests of each step in the life of a probe. Time and randomness are arguments.

use std::time::Duration;

use super::*;
use crate::config;

const MS: Duration = Duration::from_millis(1);

fn at(ms: u32) -> Moment {
    Moment::after_boot(MS * (1_000_000 + ms))
}

fn question(name: &str) -> Question {
    Question::Probe(config::parse_dns(name).unwrap())
}

fn asked(names: &[&str]) -> BTreeMap<Question, Option<Duration>> {
    names.iter().map(|name| (question(name), None)).collect()
}

/// A schedule of one probe whose first try has begun at 0.
fn begun() -> (Schedule, Question) {
    let mut schedule = Schedule::default();
    assert!(schedule.follow(&asked(&["a"]), true, at(0)).is_empty());
    assert_eq!(schedule.deadline(), Some(at(0)));
    assert_eq!(schedule.begin(at(0)), [question("a")]);
    (schedule, question("a"))
}

#[test]
fn a_failed_probe_is_tried_again_with_backoff() {
    let (mut schedule, a) = begun();
    let mut now = at(10);
    for most in [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000] {
        schedule.ended(&a, false, true, now, 0.5);
        let next = now + MS * most / 2;
        assert_eq!(schedule.deadline(), Some(next));
        assert!(schedule.begin(next.min(now)).is_empty() || most == 0);
        assert_eq!(schedule.begin(next), [question("a")]);
        now = next + MS * 10;
    }
}

#[test]
fn a_met_probe_is_not_tried_again() {
    let (mut schedule, a) = begun();
    assert!(!schedule.is_at_rest());
    schedule.ended(&a, true, true, at(10), 0.5);
    assert!(schedule.is_at_rest());
    assert_eq!(schedule.deadline(), None);
    // A change of the network does not start a try either.
    assert!(schedule.news(at(20)).is_empty());
    assert_eq!(schedule.deadline(), None);
    assert!(schedule.begin(at(30)).is_empty());
}

#[test]
fn a_met_probe_with_recheck_is_tried_again() {
    let (mut schedule, a) = begun();
    let asked = BTreeMap::from([(a.clone(), Some(MS * 30_000))]);
    schedule.follow(&asked, true, at(5));
    schedule.ended(&a, true, false, at(10), 0.5);
    assert!(schedule.is_at_rest());
    assert_eq!(schedule.deadline(), Some(at(30_010)));
    assert_eq!(schedule.begin(at(30_010)), [question("a")]);
    schedule.ended(&a, false, false, at(30_020), 0.5);
    assert_eq!(schedule.deadline(), None, "nothing is repeated while the gate is ready");
    schedule.follow(&asked, true, at(30_021));
    assert_eq!(schedule.deadline(), Some(at(30_260)), "and at once when it is not");
}

#[test]
fn after_a_change_of_the_network_a_failed_probe_is_tried_at_once() {
    // The network changes while the probe waits for its next try.
    let (mut schedule, a) = begun();
    for failures in 0..6 {
        schedule.ended(&a, false, true, at(failures), 1.0);
        schedule.begin(at(10_000 * (failures + 1)));
    }
    schedule.ended(&a, false, true, at(70_000), 1.0);
    assert!(schedule.news(at(71_000)).is_empty());
    assert_eq!(schedule.begin(at(71_000)), [question("a")]);
    schedule.ended(&a, false, true, at(71_010), 1.0);
    assert_eq!(schedule.deadline(), Some(at(71_260)), "the backoff begins anew");
    // The least time between two tries is kept.
    schedule.news(at(71_020));
    assert_eq!(schedule.deadline(), Some(at(71_250)));
}

#[test]
fn a_try_is_cut_short_once() {
    let (mut schedule, a) = begun();
    assert!(schedule.news(at(100)).is_empty(), "it has only just begun");
    assert_eq!(schedule.news(at(300)), [question("a")]);
    assert_eq!(schedule.begin(at(300)), [question("a")]);
    assert!(schedule.news(at(900)).is_empty(), "the next one is not");
    // This failure may come from the network before the change, so the probe is tried again at once.
    schedule.ended(&a, false, true, at(1000), 1.0);
    assert_eq!(schedule.deadline(), Some(at(1000)));
    assert_eq!(schedule.begin(at(1000)), [question("a")]);
    assert_eq!(schedule.news(at(1300)), [question("a")], "after one that ended, again");
}

#[test]
fn a_try_has_a_time_limit() {
    let (schedule, a) = begun();
    assert_eq!(schedule.deadline(), Some(at(5000)));
    assert!(schedule.overdue(at(4999)).is_empty());
    assert_eq!(schedule.overdue(at(5000)), [a]);
}

#[test]
fn a_question_that_is_no_longer_asked_is_dropped() {
    let (mut schedule, a) = begun();
    assert_eq!(schedule.follow(&asked(&["b"]), true, at(10)), [question("a")]);
    // The end of the dropped try changes nothing.
    schedule.ended(&a, true, true, at(11), 0.5);
    assert_eq!(schedule.begin(at(12)), [question("b")]);
    schedule.ended(&question("b"), true, true, at(13), 0.5);
    assert!(schedule.follow(&BTreeMap::new(), true, at(14)).is_empty(), "it does not run");
    // If the question is asked again, it is tried again.
    schedule.follow(&asked(&["b"]), true, at(15));
    assert_eq!(schedule.begin(at(15)), [question("b")]);
}

#[test]
fn only_some_tries_run_at_once_and_each_probe_gets_its_turn() {
    let names: Vec<String> = (0..AT_ONCE + 2).map(|n| format!("n{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut schedule = Schedule::default();
    schedule.follow(&asked(&names), true, at(0));
    let first = schedule.begin(at(0));
    assert_eq!(first.len(), AT_ONCE);
    assert!(schedule.begin(at(1)).is_empty());
    for question in &first {
        schedule.ended(question, false, true, at(2), 0.0);
    }
    // Probes that were never tried come first.
    let second = schedule.begin(at(3));
    assert_eq!(second.len(), AT_ONCE);
    for name in names.iter().filter(|name| !first.contains(&question(name))) {
        assert!(second[..2].contains(&question(name)));
    }
}

#[test]
fn a_failed_probe_is_not_repeated_while_the_gate_is_ready() {
    let (mut schedule, a) = begun();
    schedule.ended(&a, false, true, at(10), 1.0);
    schedule.follow(&asked(&["a"]), false, at(20));
    assert_eq!(schedule.deadline(), None);
    schedule.news(at(1000));
    assert_eq!(schedule.begin(at(1000)), [question("a")], "but the network changed");
    schedule.ended(&a, false, false, at(1010), 1.0);
    assert_eq!(schedule.deadline(), None);
    schedule.follow(&asked(&["a"]), true, at(2000));
    assert_eq!(schedule.deadline(), Some(at(2000)));
}
