//! Lines of events: their text, that reading gives back what was written, and what a reader ignores.

mod lines;
mod recorder;

use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Texts of others, with any length and any characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,20}",
        1 => any::<String>(),
        1 => vec(select(vec!["e", "ü", "…", "🦀", "\n", "\u{202e}"]), 240..300).prop_map(|parts| parts.concat()),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    (text(), text(), option::of(text())).prop_map(|(code, text, link)| Cause {
        code: Code::read(code),
        text,
        link,
    })
}

fn duration() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_nanos)
}

fn net() -> impl Strategy<Value = IpNet> {
    (any::<IpAddr>(), 0..=32_u8).prop_map(|(address, length)| IpNet::new(address, length).unwrap())
}

fn word<T: Copy + core::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all)
}

fn clause() -> impl Strategy<Value = StartClause> {
    (vec(text(), 0..4), vec(text(), 0..4), text(), option::of(duration()))
        .prop_map(|(links, requirements, quorum, grace)| StartClause { links, requirements, quorum, grace })
}

fn start() -> impl Strategy<Value = Start> {
    let clauses = prop_oneof![9 => vec(clause(), 0..4), 1 => vec(clause(), 20..40)];
    (text(), text(), any::<bool>(), option::of(duration()), duration(), clauses).prop_map(
        |(gate, source, reloaded, timeout, settle, clauses)| Start {
            gate,
            source,
            reloaded,
            timeout,
            settle,
            clauses,
            more_clauses: 0,
        },
    )
}

fn what() -> impl Strategy<Value = What> {
    let gate = (word(GateWord::ALL), option::of(word(By::ALL)), option::of(cause()), option::of(text()))
        .prop_map(|(state, by, reason, met_by)| What::Gate(GateChange { state, by, reason, met_by }));
    let requirement = (
        any::<u64>(),
        text(),
        option::of(text()),
        word(RequirementWord::ALL),
        option::of(text()),
        option::of(cause()),
    )
        .prop_map(|(clause, requirement, link, state, met_by, reason)| {
            What::Requirement(RequirementChange { clause, requirement, link, state, met_by, reason })
        });
    let link = (text(), any::<u32>(), word(LinkWord::ALL), option::of(word(LinkWord::ALL)), any::<u64>())
        .prop_map(|(link, ifindex, state, was, flaps)| {
            What::Link(LinkChange { link, ifindex, state, was, flaps })
        });
    let address = (text(), any::<u32>(), net(), option::of(any::<IpAddr>()), word(AddressWord::ALL))
        .prop_map(|(link, ifindex, address, peer, state)| {
            What::Address(AddressChange { link, ifindex, address, peer, state })
        });
    let route = (
        net(),
        option::of(text()),
        option::of(any::<IpAddr>()),
        any::<u32>(),
        any::<u32>(),
        word(RouteWord::ALL),
    )
        .prop_map(|(destination, link, gateway, table, metric, state)| {
            What::Route(RouteChange { destination, link, gateway, table, metric, state })
        });
    let probe = (text(), word(ProbeWord::ALL), text())
        .prop_map(|(probe, state, text)| What::Probe(ProbeChange { probe, state, text }));
    prop_oneof![
        start().prop_map(What::Start),
        gate,
        requirement,
        link,
        address,
        route,
        probe,
        any::<u64>().prop_map(What::Dropped),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    (duration(), what()).prop_map(|(at, what)| Event { at: Moment::after_boot(at), what })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn an_event_survives_its_line(event in event()) {
        let line = line(&event);
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(line.ends_with('\n'));
        prop_assert!(line.len() < 64 << 10, "{} octets", line.len());
        prop_assert!(!line.trim_end().chars().any(crate::escape::is_unsafe));
        prop_assert_eq!(read(&line), Some(event.bounded()));
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_event(event in event(), at in any::<prop::sample::Index>()) {
        let line = line(&event);
        let mut end = at.index(line.len() - 1);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert_eq!(read(&line[..end]), None);
    }

    #[test]
    fn other_text_is_no_event(line in text()) {
        prop_assert_eq!(read(&line), None);
    }
}
