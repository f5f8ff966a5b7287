//! Probes: when they may ask, what they ask, and what the answers mean.

use core::time::Duration;

use super::table;
use crate::testing::{NOW, gate, network};
use crate::evaluate::evaluate;

const UP: &str = "x0: up; addr x0 192.0.2.10/24; route default4 via 192.0.2.1 dev x0";

#[test]
fn an_answer_meets_and_a_failure_does_not() {
    table(&[
        ("tcp='192.0.2.7:22'", "", "not-tried"),
        ("tcp='192.0.2.7:22'", "says tcp 192.0.2.7:22 = here", "met by here"),
        ("tcp='192.0.2.7:22'", "fails tcp 192.0.2.7:22", "probe-failed"),
        ("tcp='192.0.2.7:22'", "says tcp 192.0.2.7:23", "not-tried"),
        ("dns='a.example'; ping='192.0.2.7'", "says dns a.example = 192.0.2.80; says ping 192.0.2.7 = yes", "met by 192.0.2.80; yes"),
        ("http='http://a.example'; ping='192.0.2.7'", "says http http://a.example; fails ping 192.0.2.7", "probe-failed"),
        ("tcp=['a:1','b:2']", "says tcp a:1", "not-tried"),
        ("tcp=['a:1','b:2']; quorum='any'", "says tcp a:1", "met"),
        ("tcp=['a:1','b:2','c:3']; quorum=2", "says tcp a:1; fails tcp b:2", "probe-failed, not-tried"),
    ]);
}

/// Earlier answers do not count while a requirement that is not a probe is unmet.
#[test]
fn probes_wait_for_all_other_required_items() {
    const ANSWERED: &str = "says tcp a:1 = here";
    table(&[
        ("route='default' | tcp='a:1'", &format!("{UP}; {ANSWERED}"), "met | met"),
        ("route='default' | tcp='a:1'", ANSWERED, "no-route | not-tried"),
        ("route='default'; tcp='a:1'", ANSWERED, "no-route, not-tried"),
        ("tcp='a:1' | interface='x9'", ANSWERED, "not-tried | x9 absent"),
        ("route='default' | tcp='a:1'", &format!("unread4; unread6; {ANSWERED}"), "no-route | not-tried + unread IPv4 254 + unread IPv6 254"),
        // Probes do not wait for a clause with a grace, nor for a clause that does not count.
        ("route='default'; grace='5s' | tcp='a:1'", ANSWERED, "no-route | met"),
        ("interface='x9'; if-present=true | tcp='a:1'", ANSWERED, "not-present | met"),
        ("route='default' | tcp='a:1'; grace='5s'", ANSWERED, "no-route | not-tried"),
        // Probes do not wait for an item that the quorum does not need.
        ("address=['192.0.2.10','192.0.2.11']; quorum='any' | tcp='a:1'", &format!("{UP}; {ANSWERED}"), "met | met"),
        // A probe that fails does not hold back other probes.
        ("tcp='a:1' | tcp='b:2'", &format!("fails tcp b:2; {ANSWERED}"), "met | probe-failed"),
    ]);
}

#[test]
fn the_gateway_is_that_of_the_default_route() {
    const BOTH: &str = "x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; route default4 via 192.0.2.1 dev x0; route default6 via 2001:db8::1 dev x0";
    const ANSWERS_4: &str = "says gateway 192.0.2.1 x0";
    const FAILS_6: &str = "fails gateway 2001:db8::1 x0";
    table(&[
        ("gateway='ipv4'", "", "no-route"),
        ("gateway='any'", "", "no-route"),
        ("gateway='ipv4'", "unread4", "no-route + unread IPv4 254"),
        ("gateway='ipv4'", UP, "not-tried"),
        ("gateway='ipv4'", &format!("{UP}; {ANSWERS_4}"), "met by default via 192.0.2.1 dev x0"),
        ("gateway='ipv4'", &format!("{UP}; fails gateway 192.0.2.1 x0"), "probe-failed"),
        ("gateway='ipv6'", &format!("{UP}; {ANSWERS_4}"), "no-route"),
        ("gateway='any'", &format!("{UP}; unread6; {ANSWERS_4}"), "met"),
        ("gateway='any'", &format!("{UP}; unread6"), "not-tried"),
        ("gateway='any'", &format!("{BOTH}; {FAILS_6}; {ANSWERS_4}"), "met by default via 192.0.2.1 dev x0"),
        ("gateway='any'", &format!("{BOTH}; {FAILS_6}"), "probe-failed"),
        ("gateway=['ipv4','ipv6']", &format!("{BOTH}; {FAILS_6}; {ANSWERS_4}"), "probe-failed"),
        ("gateway=['ipv4','ipv6']; quorum='any'", &format!("{UP}; {ANSWERS_4}"), "met"),
        ("gateway=['ipv4','ipv6']; quorum='any'", UP, "not-tried, no-route"),
        // The route has no gateway, so there is nobody to ask.
        ("gateway='ipv4'", "x0: up; addr x0 192.0.2.10/24; route default4 dev x0", "met"),
        // The answer of another gateway does not count.
        ("gateway='ipv4'", &format!("{UP}; says gateway 192.0.2.2 x0"), "not-tried"),
        // A missing default route does not depend on a probe, so the other probes wait for it.
        ("gateway='ipv4' | tcp='a:1'", "says tcp a:1", "no-route | not-tried"),
        ("gateway='ipv4' | tcp='a:1'", &format!("{UP}; says tcp a:1"), "not-tried | met"),
    ]);
}

#[test]
fn the_questions_of_a_verdict() {
    for (gate_text, network_text, expected) in [
        ("tcp='a:1'; recheck='30s' | dns='b'", "", &["dns b", "tcp a:1 30s"][..]),
        // Two clauses ask the same question. It is asked once, with the shorter recheck of both.
        ("tcp='a:1'; recheck='30s' | tcp='a:1'; recheck='9s' | tcp='a:1'", "", &["tcp a:1 9s"]),
        ("tcp='a:1' | route='default'", "", &[]),
        ("tcp='a:1'; grace='5s'", "", &["tcp a:1"]),
        // A probe that is met is still asked, so that its answer is kept up to date.
        ("tcp='a:1'", "says tcp a:1", &["tcp a:1"]),
        // One answer is enough, so the other host is not asked.
        ("tcp=['a:1','b:2']; quorum='any'", "says tcp b:2", &["tcp b:2"]),
        ("gateway='any'", "x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; route default4 via 192.0.2.1 dev x0; route default6 via 2001:db8::1 dev x0; says gateway 2001:db8::1 x0", &["gateway 2001:db8::1 x0"]),
    ] {
        let verdict = evaluate(&gate(gate_text), &network(network_text), NOW);
        let mut asked: Vec<String> = verdict
            .questions
            .iter()
            .map(|(question, recheck)| {
                let question = match question {
                    crate::model::Question::Probe(probe) => probe.to_string(),
                    crate::model::Question::Neighbour { address, ifname, .. } => format!("gateway {address} {ifname}"),
                };
                recheck.map_or(question.clone(), |pause: Duration| format!("{question} {pause:?}"))
            })
            .collect();
        asked.sort();
        assert_eq!(asked, expected, "{gate_text}");
    }
}

#[test]
fn without_probes_the_rest_decides() {
    for (gate_text, network_text, ready) in [
        ("tcp='a:1'", "", true),
        ("tcp='a:1'", "fails tcp a:1", true),
        ("route='default'; tcp='a:1'", "", false),
        ("route='default'; tcp='a:1'", UP, true),
        ("gateway='ipv4'", "", true),
    ] {
        let verdict = evaluate(&gate(gate_text), &network(network_text), NOW).without_probes();
        assert_eq!(verdict.ready(), ready, "{gate_text}");
    }
}
