//! The session against a kernel made of values: what it reads, in which order, and what it then says.

#![allow(clippy::wildcard_enum_match_arm, reason = "whatever a test does not expect it does not tell apart")]

mod checks;
mod explore;
mod forced;
mod history;
mod orders;
mod random;
mod settles;
mod simulate;

use alloc::collections::VecDeque;
use core::time::Duration;

use super::{BATCH, Ended, Input, Mode, Next, Session, Step};
use crate::gate_state::{Came, Phase};
use crate::model::{
    Lookup, Message, Nameservers, Network, PastaView, Route, RouteChange, Stale, TableRoutes,
};
use crate::moment::Moment;
use crate::refresh::{Found, Read};
use crate::requirement::{Family, Gate, OnTimeout};
use crate::testing::{gate, network};

/// When the sessions of these tests begin: the same moment for which [`network`] makes routes.
const START: Moment = Moment::after_boot(Duration::from_secs(100));

/// This many milliseconds after the start.
fn at(millis: u64) -> Moment {
    START + Duration::from_millis(millis)
}

/// A host that works.
const WORKS: &str = "eth0: up; addr eth0 192.0.2.10/24; route default4 via 192.0.2.1 dev eth0";
/// The same host before its default route came.
const NO_ROUTE: &str = "eth0: up; addr eth0 192.0.2.10/24";
/// The same host before its cable was plugged in.
const NO_CARRIER: &str = "eth0: nocarrier; addr eth0 192.0.2.10/24";
const WANTS_ROUTE: &str = "route = \"default-ipv4\"";
const WANTS_ADDRESS: &str = "address = \"ipv4\"";

/// A session, a kernel, and the driver between them.
struct Bench {
    session: Session,
    kernel: Network,
    /// What the kernel announced and nobody has taken yet.
    announced: VecDeque<Input>,
    now: Moment,
    /// What was read, by the first word of it.
    reads: Vec<Read>,
    /// How often READY=1 was due.
    opened: u32,
    /// The last probes that were decided.
    probes: Option<super::Probes>,
    next: Next,
}

impl Bench {
    fn new(mode: Mode, gate: Gate, kernel: &str) -> Bench {
        Bench {
            session: Session::new(mode, gate, START),
            kernel: network(kernel),
            announced: VecDeque::new(),
            now: START,
            reads: Vec::new(),
            opened: 0,
            probes: None,
            next: Next::Drain,
        }
    }

    /// A session that has looked once.
    fn looked(mode: Mode, gate: Gate, kernel: &str) -> Bench {
        let mut bench = Bench::new(mode, gate, kernel);
        bench.run();
        bench
    }

    /// The kernel's state is another one; what changed is announced, but for IPv4 routes that go.
    fn becomes(&mut self, kernel: &str) {
        let kernel = network(kernel);
        self.announced.extend(changes(&self.kernel, &kernel).into_iter().map(Input::Message));
        self.kernel = kernel;
    }

    /// One input and its answer.
    fn step(&mut self, input: Input) -> Step {
        let step = self.session.step(input, self.now);
        self.opened += u32::from(step.open);
        if step.probes.is_some() {
            self.probes.clone_from(&step.probes);
        }
        self.next = step.next.clone();
        if step.judged {
            self.session.note(self.now);
        }
        step
    }

    /// Does what the session asks for until it sleeps or ends.
    fn run(&mut self) -> Next {
        for _ in 0..10_000 {
            let input = match self.next.clone() {
                Next::Drain => self.announced.pop_front().unwrap_or(Input::Dry),
                Next::Pause => Input::Wake,
                Next::Read(read) => {
                    self.reads.push(read.clone());
                    Input::Found(answer(&self.kernel, &read))
                }
                Next::Reading => panic!("nothing answers this read"),
                next @ (Next::Sleep | Next::End(_)) => return next,
            };
            self.step(input);
        }
        panic!("it never sleeps");
    }

    /// An input while it sleeps, and all that comes of it.
    fn give(&mut self, input: Input) -> Next {
        self.step(input);
        self.run()
    }

    /// The kernel's state becomes this; the session wakes and sleeps again.
    fn sees(&mut self, kernel: &str) -> Next {
        self.becomes(kernel);
        self.give(Input::Wake)
    }

    /// It is this many milliseconds after the start; the session wakes and sleeps again.
    fn time(&mut self, millis: u64) -> Next {
        self.now = at(millis);
        self.give(Input::Wake)
    }

    fn phase(&self) -> Phase {
        self.session.phase()
    }

    /// The session's deadline, in milliseconds after the start.
    fn deadline(&self) -> Option<u128> {
        self.session.deadline().map(|at| (at - START).as_millis())
    }
}

/// What the kernel answers.
fn answer(kernel: &Network, read: &Read) -> Found {
    let best = |wanted: &dyn Fn(&&Route) -> bool| {
        kernel.routes.known.iter().filter(wanted).min_by_key(|route| route.metric).cloned()
    };
    match read {
        Read::Barrier => Found::Passed,
        Read::Links => Found::Links(kernel.links().cloned().collect(), kernel.addresses().cloned().collect()),
        Read::Path { wanted, .. } => {
            Found::Path(Some(kernel.lookups.get(wanted).cloned().unwrap_or(Lookup::None(libc::ENETUNREACH))))
        }
        Read::Matching { prefix, .. } | Read::Ordinary { prefix, .. }
            if kernel.routes.unreached.contains(prefix) =>
        {
            Found::Route(None)
        }
        Read::Ordinary { prefix, .. } => Found::Route(best(&|route| route.destination == *prefix)),
        Read::Matching { prefix, table, .. } => {
            let chosen = kernel.routes.chosen.get(&(*prefix, *table)).cloned();
            Found::Route(
                chosen.or_else(|| best(&|route| route.destination == *prefix && route.table == *table)),
            )
        }
        Read::Gateway { ifindex, .. } => {
            let on_link = kernel.routes.known.iter().find(|route| route.hops[0].ifindex == *ifindex).cloned();
            Found::Route(on_link.map(|mut route| {
                route.hops[0].gateway = None;
                route
            }))
        }
        Read::Table(table) => Found::Table(TableRoutes {
            family: table.family,
            id: table.id,
            routes: kernel
                .routes
                .known
                .iter()
                .filter(|route| route.family() == table.family && route.table == table.id)
                .filter(|route| table.destinations.contains(&route.destination))
                .cloned()
                .collect(),
            refuses: false,
            pasta: table.pasta.then(|| {
                let mut view = PastaView::default();
                kernel.routes.known.iter().filter(|route| route.family() == table.family).for_each(|route| {
                    view.see(route);
                });
                view
            }),
        }),
    }
}

/// What the kernel announces on the way from one state to another. An IPv4 route that goes with its link or its
/// address is not announced.
fn changes(old: &Network, new: &Network) -> Vec<Message> {
    let gone = old.links().filter(|link| new.link(link.ifindex).is_none());
    let mut messages: Vec<Message> = gone.map(|link| Message::LinkGone(link.ifindex)).collect();
    let changed = new.links().filter(|link| old.link(link.ifindex) != Some(link));
    messages.extend(changed.map(|link| Message::Link(Box::new(link.clone()))));
    let lost = old.addresses().filter(|old| new.addresses().all(|new| new.local != old.local));
    messages.extend(lost.map(|address| Message::AddressGone(address.clone())));
    let came = new.addresses().filter(|new| old.addresses().all(|old| old != *new));
    messages.extend(came.map(|address| Message::Address(address.clone())));
    let came = new.routes.known.iter().filter(|route| !old.routes.known.contains(route));
    messages.extend(came.map(|route| Message::Route(route.clone(), RouteChange::Added)));
    let gone = old.routes.known.iter().filter(|route| !new.routes.known.contains(route));
    // What tells of the link or of an address of it tells of the route too.
    let told_of = |ifindex: u32| {
        messages.iter().any(|message| match message {
            Message::Link(link) => link.ifindex == ifindex,
            Message::LinkGone(gone) => *gone == ifindex,
            Message::AddressGone(address) => address.ifindex == ifindex,
            Message::Address(_)
            | Message::Route(..)
            | Message::Rule(_)
            | Message::Nexthop(_)
            | Message::NexthopGone(_)
            | Message::IgnoreLinkdown(_) => false,
        })
    };
    let announced: Vec<&Route> = gone
        .filter(|route| route.family() == Family::V6 || !route.hops.iter().any(|hop| told_of(hop.ifindex)))
        .collect();
    messages.extend(announced.into_iter().map(|route| Message::Route(route.clone(), RouteChange::Gone)));
    messages
}
