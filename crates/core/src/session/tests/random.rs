//! Random sequences of inputs: whatever comes in whatever order, a gate opens only on a network that is current
//! and met, and the verdict at rest is the kernel's.

use proptest::prelude::*;

use super::*;
use crate::evaluate::evaluate;

/// States between which a host goes.
const STATES: [&str; 7] = [
    WORKS,
    NO_ROUTE,
    NO_CARRIER,
    "",
    "eth0: up; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0; eth1: up; addr eth1 198.51.100.10/24",
    "eth0: up; addr eth0 192.0.2.10/24; eth1: up; addr eth1 198.51.100.10/24; route default4 via 198.51.100.1 dev eth1",
    "eth0: up losses=2; addr eth0 192.0.2.10/24 deprecated; route default4 unreachable",
];

#[derive(Debug, Clone)]
enum Op {
    /// The kernel's state becomes this one.
    Become(usize),
    /// Its next notification is lost with all that wait.
    Lose,
    /// The session takes this many inputs.
    Advance(usize),
    /// Time passes.
    Pass(u64),
    /// A read is interrupted, if one is under way.
    Interrupt,
    /// Another gate is loaded.
    Reload(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..STATES.len()).prop_map(Op::Become),
        1 => Just(Op::Lose),
        6 => (1..8_usize).prop_map(Op::Advance),
        3 => (0..3000_u64).prop_map(Op::Pass),
        1 => Just(Op::Interrupt),
        1 => (0..GATES.len()).prop_map(Op::Reload),
    ]
}

const GATES: [&str; 3] =
    [WANTS_ROUTE, WANTS_ADDRESS, "interface = \"eth0\"; carrier = true; route = \"default-ipv4\""];

/// A gate that waits for ever, so that it opens at last if the kernel's state is ready.
fn settling(index: usize, settle: u64) -> Gate {
    Gate { settle: Duration::from_millis(settle), timeout: None, ..gate(GATES[index]) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_gate_opens_only_on_a_network_that_is_current_and_met(
        ops in proptest::collection::vec(op(), 1..60),
        first in 0..GATES.len(),
        settle in prop_oneof![Just(0_u64), 1..2000_u64],
    ) {
        let mut bench = Bench::new(Mode::Watch, settling(first, settle), WORKS);
        for op in ops {
            match op {
                Op::Become(state) => bench.becomes(STATES[state]),
                Op::Lose => {
                    bench.announced.clear();
                    bench.announced.push_back(Input::Lost(Stale::ALL));
                }
                Op::Pass(millis) => bench.now = bench.now + Duration::from_millis(millis),
                Op::Reload(index) => { bench.step(Input::Reload(settling(index, settle))); }
                Op::Interrupt => {
                    if let Next::Read(_) = bench.next {
                        bench.step(Input::Found(Found::Interrupted));
                    }
                }
                Op::Advance(inputs) => {
                    for _ in 0..inputs {
                        let input = match bench.next.clone() {
                            Next::Drain => bench.announced.pop_front().unwrap_or(Input::Dry),
                            Next::Read(read) => Input::Found(answer(&bench.kernel, &read)),
                            // A reload came while a read was under way: its answer is still to come.
                            Next::Reading => Input::Found(Found::Interrupted),
                            Next::Pause | Next::Sleep => Input::Wake,
                            Next::End(ended) => panic!("{ended:?}"),
                        };
                        let nothing_announced = bench.announced.is_empty();
                        let step = bench.step(input);
                        if step.open {
                            let truth = evaluate(bench.session.gate(), &bench.kernel, bench.now);
                            prop_assert!(nothing_announced && truth.ready(), "{truth:?}");
                        }
                    }
                }
            }
            prop_assert!(bench.opened <= 1);
        }
        // Left alone, it comes to the kernel's own verdict.
        for _ in 0..20 {
            if bench.next == Next::Reading {
                bench.step(Input::Found(Found::Interrupted));
            }
            bench.run();
            // A table that took long to read is read again only some seconds later.
            let later = bench.now + Duration::from_secs(2);
            bench.now = bench.session.deadline().map_or(later, |at| at.max(later));
            bench.give(Input::Wake);
        }
        let truth = evaluate(bench.session.gate(), &bench.kernel, bench.now);
        prop_assert_eq!(bench.session.verdict().ready(), truth.ready());
        prop_assert!(bench.session.is_open() || !truth.ready());
    }
}
