//! Each item is evaluated once, and a dropped row takes its needs and warnings with it.

use core::cell::RefCell;

use proptest::prelude::*;

use super::property::{a_gate, a_network};
use crate::testing::{NOW, gate, network, try_gate};
use crate::evaluate::evaluate;
use crate::model::Network;
use crate::requirement::{Gate, Item};

/// An item, and the link that it was evaluated for.
pub(crate) type Asked = (Item, Option<u32>);

thread_local! {
    /// `Some` while a test of this module counts evaluations.
    static EVALUATED: RefCell<Option<Vec<Asked>>> = const { RefCell::new(None) };
}

/// The evaluation calls this for each item.
pub(in crate::evaluate) fn count(item: &Item, link: Option<u32>) {
    EVALUATED.with_borrow_mut(|evaluated| evaluated.iter_mut().for_each(|all| all.push((item.clone(), link))));
}

fn evaluated(gate: &Gate, network: &Network) -> Vec<Asked> {
    evaluated_in(|| drop(evaluate(gate, network, NOW)))
}

/// Returns the items that are evaluated while `run` runs.
pub(crate) fn evaluated_in(run: impl FnOnce()) -> Vec<Asked> {
    EVALUATED.set(Some(Vec::new()));
    run();
    EVALUATED.take().unwrap()
}

#[test]
fn an_item_is_evaluated_once() {
    const UP: &str = "x0: up; addr x0 192.0.2.10/24; route default4 via 192.0.2.1 dev x0";
    for (gate_text, network_text, times) in [
        ("route='default'", UP, 1),
        // One address is enough, so the row of the other one is dropped.
        ("address=['192.0.2.10','192.0.2.11']; quorum=1", UP, 2),
        // Two entries name the same link. Its carrier and its route are evaluated once.
        ("interface=['x*','x0']; route='default'", UP, 2),
        // Probes must wait. This is known only after all four items were evaluated.
        ("tcp=['a:1','b:2']; quorum=1 | gateway='any' | address='192.0.2.99'", "says tcp a:1", 4),
    ] {
        let evaluated = evaluated(&gate(gate_text), &network(network_text));
        assert_eq!(evaluated.len(), times, "{gate_text}: {evaluated:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_item_of_a_random_gate_is_evaluated_once(gate_text in a_gate(), network_text in a_network()) {
        let Ok(gate) = try_gate(&gate_text) else { return Ok(()) };
        let evaluated = evaluated(&gate, &network(&network_text));
        let times = |of: &Asked| evaluated.iter().filter(|asked| *asked == of).count();
        let named = |of: &Item| gate.clauses.iter().flat_map(|clause| &clause.items).filter(|item| *item == of).count();
        let again: Vec<&Asked> = evaluated.iter().filter(|asked| times(asked) > named(&asked.0)).collect();
        prop_assert!(again.is_empty(), "{} / {}: {:?}", gate_text, network_text, again);
    }
}

#[test]
fn a_dropped_row_takes_its_needs_and_warnings_with_it() {
    const BOTH: &str = "x0: up; x1: up; addr x0 2001:db8::1/64; addr x1 2001:db8::2/64; \
                        addr x0 2001:db8::8/64 dadfailed; addr x1 2001:db8::9/64 dadfailed";
    const GATEWAYS: &str = "x0: up; x1: nocarrier; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; \
                            route default4 nexthop via 192.0.2.1 dev x0 nexthop via 192.0.2.2 dev x1; \
                            route default6 via 2001:db8::1 dev x0";
    let unread = format!("{GATEWAYS}; unread4; unread6");
    for (gate_text, network_text, expected) in [
        // Both links satisfy the clause. With a quorum of 1, only one of them counts.
        ("interface=['x0','x1']; address='ipv6'", BOTH, (0, 0, 2)),
        ("interface=['x0','x1']; address='ipv6'; quorum=1", BOTH, (0, 0, 1)),
        ("interface='x*'; address='ipv6'", BOTH, (0, 0, 1)),
        // The second item's table could meet the item, but the first item is enough.
        ("route=['default-ipv4','10.0.0.0/8']", unread.as_str(), (1, 0, 1)),
        ("route=['10.0.0.0/8','default-ipv4']; quorum=1", unread.as_str(), (0, 0, 1)),
        // Too few items are met, so all of them count.
        ("route=['10.0.0.0/8','2001:db8:9::/48']; quorum=1", unread.as_str(), (2, 0, 0)),
        ("interface=['x0','x1']; quorum=2; route='10.0.0.0/8'; carrier=false", unread.as_str(), (1, 0, 0)),
        // The gateways of both families: one that answers is enough.
        ("gateway='any'", GATEWAYS, (0, 2, 1)),
        ("gateway='any'", &format!("{GATEWAYS}; says gateway 2001:db8::1 x0"), (0, 1, 0)),
        ("gateway='any'", &format!("{GATEWAYS}; says gateway 192.0.2.1 x0"), (0, 1, 1)),
        // Probes that must wait have no questions.
        ("gateway='any'; address='192.0.2.99'", GATEWAYS, (0, 0, 1)),
        ("tcp=['a:1','b:2']; quorum=1", "says tcp a:1", (0, 1, 0)),
        ("tcp=['a:1','b:2']; quorum=1 | address='192.0.2.99'", "says tcp a:1", (0, 0, 0)),
    ] {
        let verdict = evaluate(&gate(gate_text), &network(network_text), NOW);
        let found = (verdict.unread.len(), verdict.questions.len(), verdict.warnings.len());
        assert_eq!(found, expected, "unread, questions, warnings of {gate_text}: {verdict:?}");
    }
}

/// A link without a row may still satisfy the clause, so what it needs must be read.
#[test]
fn a_link_without_a_row_keeps_its_needs_while_the_clause_is_unmet() {
    const REST: &str = "unread4; addr x0 2001:db8::1/64; addr x1 192.0.2.11/24; route 10.0.0.0/8 dev x1";
    let gate = gate("interface='x*'; address='ipv6'; route='10.0.0.0/8'");
    // x0 lacks the route, which an unread table may have. x1 lacks the address. The first link's row stands for
    // both.
    for (links, row) in [("x0: up; x1: up", "x0 wrong-link + unread IPv4 254"), ("x1: up; x0: up", "x1 no-address + unread IPv4 254")] {
        let verdict = evaluate(&gate, &network(&format!("{links}; {REST}")), NOW);
        assert_eq!(super::outcome(&verdict, false), row);
    }
}

/// Warnings that several clauses share are given once.
#[test]
fn a_warning_is_given_once() {
    let network = network("x0: up; addr x0 2001:db8::1/64; addr x0 2001:db8::8/64 dadfailed");
    let verdict = evaluate(&gate("address='ipv6' | interface='x0'; address='ipv6'"), &network, NOW);
    assert_eq!(verdict.warnings.len(), 1);
}
