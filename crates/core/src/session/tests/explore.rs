//! Model checking: every interleaving of a few events on a small world, exhaustively.
//!
//! The world is a [simulated kernel](crate::testing::kernel) and the real session. In each state, each event that can
//! happen next is tried: the session takes its next input, the kernel does the next piece of its work, somebody on the
//! host does the next operation of the scenario, messages are lost, a read is interrupted, time passes up to the next
//! deadline. States that were seen already are not followed again. `make model` goes deeper than `cargo test`.
//!
//! The search is done by hand and not by the crate stateright: a state is a whole session, which has no `Hash`, and its
//! text serves as its fingerprint.

use alloc::collections::{BTreeSet, VecDeque};
use core::fmt::Write as _;
use core::hash::{Hash as _, Hasher as _};
use std::hash::DefaultHasher;

use super::simulate::{Step, Story, World};

/// A small world: how it begins, what somebody does in this order, and what else may happen.
struct Scenario {
    name: &'static str,
    /// The first line of a [`Story`].
    head: &'static str,
    /// So many of the operations are done before the session begins.
    done: usize,
    /// The session has then kept up for so many milliseconds. `None` if it has not begun.
    kept_up: Option<u64>,
    operations: &'static [&'static str],
    /// How often each of these may happen: messages lost, a read interrupted, a wake-up, a pass of time.
    faults: [u8; 4],
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the default route comes, and its link goes down and up",
        head: "gate 0, settle 0 ms, va0 is a veth",
        done: 1,
        kept_up: None,
        operations: &["-4 route add default via 192.0.2.254 dev va0", "link set va0 down", "link set va0 up"],
        faults: [1, 1, 1, 1],
    },
    Scenario {
        name: "the last address goes, and comes back with its route",
        head: "gate 0, settle 0 ms, va0 is a veth",
        done: 1,
        kept_up: None,
        operations: &[
            "-4 route add default via 192.0.2.254 dev va0",
            "addr del 192.0.2.1/24 dev va0",
            "addr add 192.0.2.1/24 dev va0",
        ],
        faults: [1, 0, 1, 1],
    },
    Scenario {
        name: "an address comes, goes and comes",
        head: "gate 5, settle 0 ms, va0 is a veth",
        done: 0,
        kept_up: None,
        operations: &[
            "addr add 192.0.2.7/32 dev va0",
            "addr del 192.0.2.7/32 dev va0",
            "addr add 192.0.2.7/32 dev va1",
        ],
        faults: [1, 1, 1, 1],
    },
    Scenario {
        name: "the carrier of a card goes and comes during a settle",
        head: "gate 0, settle 700 ms, va0 is a card",
        done: 0,
        kept_up: None,
        operations: &["-4 route add default via 192.0.2.254 dev va0", "cable va0 out", "cable va0 in"],
        faults: [1, 0, 1, 3],
    },
    Scenario {
        name: "a nexthop object goes with the route that is made of it",
        head: "gate 0, settle 0 ms, va0 is a veth",
        done: 2,
        kept_up: None,
        operations: &[
            "nexthop replace id 7 via 192.0.2.254 dev va0",
            "-4 route replace default nhid 7",
            "nexthop del id 7",
        ],
        faults: [1, 1, 0, 1],
    },
    Scenario {
        name: "a rule sends a target elsewhere and back",
        head: "gate 7, settle 0 ms, va0 is a veth",
        done: 1,
        kept_up: Some(0),
        operations: &[
            "-4 route add default via 192.0.2.254 dev va0",
            "rule add pref 99 to 203.0.113.0/24 unreachable",
            "rule del pref 99 to 203.0.113.0/24 unreachable",
        ],
        faults: [1, 1, 1, 1],
    },
    Scenario {
        name: "a dead route stands before a live one, and the kernel is told to skip it",
        head: "gate 0, settle 0 ms, va0 is a veth",
        done: 3,
        kept_up: Some(0),
        operations: &[
            "-4 route add default via 192.0.2.254 dev va0",
            "cable va0 out",
            "-4 route add default via 198.51.100.254 dev va1 metric 10",
            "sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1",
        ],
        faults: [1, 0, 0, 1],
    },
    Scenario {
        name: "kept IPv6 addresses are detected again",
        head: "gate 6, settle 0 ms, va0 is a veth",
        done: 2,
        kept_up: Some(1600),
        operations: &[
            "sysctl net.ipv6.conf.va0.keep_addr_on_down=1",
            "addr add 2001:db8::7/64 dev va0",
            "link set va0 down",
            "link set va0 up",
        ],
        faults: [1, 0, 0, 3],
    },
    Scenario {
        name: "kept IPv6 addresses are detected again during a settle",
        head: "gate 6, settle 3000 ms, va0 is a veth",
        done: 2,
        kept_up: Some(1600),
        operations: &[
            "sysctl net.ipv6.conf.va0.keep_addr_on_down=1",
            "addr add 2001:db8::7/64 dev va0",
            "link set va0 down",
            "link set va0 up",
        ],
        faults: [0, 0, 0, 3],
    },
    Scenario {
        name: "the carrier of a card goes and comes at the end of a settle, and nobody tells",
        head: "gate 0, settle 700 ms, va0 is a card",
        done: 1,
        kept_up: Some(600),
        operations: &["-4 route add default via 192.0.2.254 dev va0", "cable va0 out", "cable va0 in"],
        faults: [0, 1, 1, 2],
    },
    Scenario {
        name: "a route is added to a card whose carrier is gone, which nobody has told yet",
        head: "gate 0, settle 0 ms, va0 is a card",
        done: 0,
        kept_up: Some(0),
        operations: &["cable va0 out", "-4 route add default via 192.0.2.254 dev va0", "cable va0 in"],
        faults: [1, 0, 1, 1],
    },
    Scenario {
        name: "a route ends while a rule comes",
        head: "gate 1, settle 0 ms, va0 is a veth",
        done: 1,
        kept_up: Some(0),
        operations: &[
            "-6 route add default via fe80::9 dev va0 expires 2",
            "rule add pref 99 to 203.0.113.0/24 unreachable",
        ],
        faults: [1, 0, 1, 3],
    },
    Scenario {
        name: "a route ends at the end of a settle",
        head: "gate 1, settle 2003 ms, va0 is a veth",
        done: 1,
        kept_up: Some(0),
        operations: &[
            "-6 route add default via fe80::9 dev va0 expires 2",
            "rule add pref 99 to 203.0.113.0/24 unreachable",
        ],
        faults: [0, 1, 1, 4],
    },
    Scenario {
        name: "an address is deprecated for a moment during a settle",
        head: "gate 3, settle 700 ms, va0 is a veth",
        done: 1,
        kept_up: Some(0),
        operations: &[
            "addr del 198.51.100.1/24 dev va1",
            "addr change 192.0.2.1/24 dev va0 valid_lft 900 preferred_lft 0",
            "addr change 192.0.2.1/24 dev va0 valid_lft 900 preferred_lft 800",
        ],
        faults: [1, 0, 0, 2],
    },
    Scenario {
        name: "a target has no route for a moment during a settle",
        head: "gate 7, settle 700 ms, va0 is a veth",
        done: 1,
        kept_up: Some(0),
        operations: &[
            "-4 route add default via 192.0.2.254 dev va0",
            "-4 route del default",
            "-4 route add default via 192.0.2.254 dev va0",
        ],
        faults: [0, 0, 0, 2],
    },
    Scenario {
        name: "a rule refuses a target for a moment during a settle",
        head: "gate 7, settle 700 ms, va0 is a veth",
        done: 1,
        kept_up: Some(0),
        operations: &[
            "-4 route add default via 192.0.2.254 dev va0",
            "rule add pref 99 to 203.0.113.0/24 unreachable",
            "rule del pref 99 to 203.0.113.0/24 unreachable",
        ],
        faults: [0, 0, 0, 2],
    },
    Scenario {
        name: "a nexthop object goes and comes with its route during a settle",
        head: "gate 7, settle 700 ms, va0 is a veth",
        done: 2,
        kept_up: Some(0),
        operations: &[
            "nexthop replace id 7 via 192.0.2.254 dev va0",
            "-4 route replace default nhid 7",
            "nexthop del id 7",
            "nexthop replace id 7 via 192.0.2.254 dev va0",
            "-4 route replace default nhid 7",
        ],
        faults: [0, 0, 0, 2],
    },
    Scenario {
        name: "the kernel takes a dead route for a moment during a settle",
        head: "gate 0, settle 700 ms, va0 is a veth",
        done: 4,
        kept_up: Some(0),
        operations: &[
            "-4 route add default via 192.0.2.254 dev va0",
            "cable va0 out",
            "-4 route add default via 198.51.100.254 dev va1 metric 10",
            "sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1",
            "sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=0",
            "sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1",
        ],
        faults: [0, 0, 0, 2],
    },
    Scenario {
        name: "a link that comes back brings a route back, whose source is on another link",
        head: "gate 0, settle 0 ms, va0 is a veth",
        done: 5,
        kept_up: Some(0),
        operations: &[
            "sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1",
            "addr del 192.0.2.1/24 dev va0",
            "-4 route add default dev va0",
            "cable va0 out",
            "-4 route add default via 198.51.100.254 dev va1 metric 10",
            "cable va0 in",
            "cable va0 out",
        ],
        faults: [0, 0, 1, 1],
    },
    Scenario {
        name: "a connection gets the address that it can leave from",
        head: "gate 8, settle 0 ms, va0 is a veth",
        done: 2,
        kept_up: Some(0),
        operations: &[
            "addr del 2001:db8::1/64 dev va0",
            "-6 route add 2001:db8:7::/48 via fe80::9 dev va1",
            "addr add 2001:db8:1::1/64 dev va1 nodad",
            "addr del 2001:db8:1::1/64 dev va1",
        ],
        faults: [1, 0, 0, 1],
    },
    Scenario {
        name: "another gate is loaded while the first one is read for",
        head: "gate 0, settle 0 ms, va0 is a veth",
        done: 0,
        kept_up: None,
        operations: &[
            "-4 route add default via 192.0.2.254 dev va0",
            "-- gate 5 is loaded",
            "link set va0 down",
        ],
        faults: [1, 1, 1, 1],
    },
];

/// A state: the world, and what may still happen.
#[derive(Clone)]
struct State {
    world: World,
    next_operation: usize,
    faults: [u8; 4],
}

impl State {
    /// What can happen next. Not all of it changes something.
    fn events(&self, scenario: &Scenario) -> Vec<Step> {
        let operation = scenario.operations.get(self.next_operation).map(|line| line.parse().unwrap());
        let [overruns, interrupts, wakes, passes] = self.faults.map(|left| left > 0);
        let kernel = self.world.kernel_is_busy().then_some(Step::Kernel(1));
        let time = self.world.until_next_timer().filter(|_| passes).map(Step::Pass);
        let others = [
            operation.filter(|_| !self.world.kernel_is_busy()),
            kernel,
            overruns.then_some(Step::Overrun(0)),
            interrupts.then_some(Step::Interrupt),
            wakes.then_some(Step::Wake),
            time,
        ];
        core::iter::once(Step::Session(1)).chain(others.into_iter().flatten()).collect()
    }

    fn after(&self, step: &Step) -> Result<State, String> {
        let mut state = self.clone();
        let used = match step {
            Step::Overrun(_) => Some(0),
            Step::Interrupt => Some(1),
            Step::Wake => Some(2),
            Step::Pass(_) => Some(3),
            _ => None,
        };
        if let Some(used) = used {
            state.faults[used] -= 1;
        }
        state.next_operation += usize::from(matches!(step, Step::Operation(_) | Step::Reload(_)));
        state.world.play_step(step)?;
        Ok(state)
    }

    fn fingerprint(&self) -> u64 {
        struct Hashing(DefaultHasher);
        impl core::fmt::Write for Hashing {
            fn write_str(&mut self, text: &str) -> core::fmt::Result {
                self.0.write(text.as_bytes());
                Ok(())
            }
        }
        let mut hashing = Hashing(DefaultHasher::new());
        let _ = write!(hashing, "{:?}", self.world);
        (self.next_operation, self.faults).hash(&mut hashing.0);
        hashing.0.finish()
    }
}

/// What a search came to.
#[derive(Debug, Default)]
struct Explored {
    states: usize,
    transitions: usize,
    depth: usize,
    complete: bool,
}

/// Follows every interleaving up to so many states, breadth first. Each state must also come to the truth if it is
/// left alone (every `rests`-th is tried).
fn explore(scenario: &Scenario, most: usize, rests: usize) -> Explored {
    let story: Story = scenario.head.parse().unwrap();
    let mut world = World::new(&story);
    for line in &scenario.operations[..scenario.done] {
        world.host_does(line);
    }
    if let Some(millis) = scenario.kept_up {
        world.play_step(&Step::Quiet(millis)).unwrap();
    }
    let first = State { world, next_operation: scenario.done, faults: scenario.faults };
    let mut seen = BTreeSet::from([first.fingerprint()]);
    // The steps that led to each state, as the number of the state before and the step.
    let mut way: Vec<(usize, Step)> = vec![(0, Step::Wake)];
    let mut todo = VecDeque::from([(0_usize, 0_usize, first)]);
    let mut explored = Explored { states: 1, complete: true, ..Explored::default() };
    let fail = |way: &[(usize, Step)], at: usize, last: Option<&Step>, why: &str| {
        let mut steps: Vec<String> = last.iter().map(ToString::to_string).collect();
        let mut at = at;
        while at != 0 {
            steps.push(way[at].1.to_string());
            at = way[at].0;
        }
        steps.reverse();
        panic!("{}: {why}\n\n{}\n{}\n", scenario.name, scenario.head, steps.join("\n"));
    };
    while let Some((number, depth, state)) = todo.pop_front() {
        explored.depth = explored.depth.max(depth);
        if number % rests == 0 {
            if let Err(why) = state.world.clone().come_to_rest() {
                fail(&way, number, None, &why);
            }
        }
        for step in state.events(scenario) {
            explored.transitions += 1;
            match state.after(&step) {
                Err(why) => fail(&way, number, Some(&step), &why),
                Ok(next) if seen.insert(next.fingerprint()) => {
                    if explored.states >= most {
                        explored.complete = false;
                        continue;
                    }
                    explored.states += 1;
                    way.push((number, step));
                    todo.push_back((way.len() - 1, depth + 1, next));
                }
                Ok(_) => {}
            }
        }
    }
    explored
}

#[test]
fn every_interleaving_of_a_few_events() {
    for scenario in SCENARIOS {
        let explored = explore(scenario, 700, 7);
        assert!(explored.depth >= 7, "{}: {explored:?}", scenario.name);
    }
}

/// `make model`
#[test]
#[allow(clippy::disallowed_methods, reason = "whoever runs it says how many states it follows")]
#[ignore = "takes minutes; follows as many states as NETREADY_MODEL_STATES says"]
fn every_interleaving_of_more_events() {
    let most = std::env::var("NETREADY_MODEL_STATES").ok().and_then(|text| text.parse().ok());
    for scenario in SCENARIOS {
        let explored = explore(scenario, most.unwrap_or(1_000_000), 5);
        println!("{}: {explored:?}", scenario.name);
    }
}
