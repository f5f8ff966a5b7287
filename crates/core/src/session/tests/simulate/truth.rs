//! What is true of each gate, by the kernel's own state. Nothing of the evaluation is used.

use core::time::Duration;

use ipnet::IpNet;

use crate::gate_state::Phase;
use crate::moment::Moment;
use crate::requirement::{Family, Gate, TABLE_MAIN};
use crate::testing::{gate, kernel::Kernel};

/// A gate, and when it is met.
pub struct Wish {
    pub text: &'static str,
    /// Whether all that is required holds. The second argument: a carrier that linkwatch has not told of counts as
    /// before.
    pub holds: fn(&Kernel, bool) -> bool,
    /// Whether the clause with a grace of two seconds holds, where there is one.
    pub optional: Option<fn(&Kernel, bool) -> bool>,
    /// It asks a server.
    pub probe: bool,
}

/// The grace of the clauses in [`WISHES`] that have one.
pub const GRACE: Duration = Duration::from_secs(2);

/// While a route ends, netready waits for so long until it believes what it reads.
const AROUND_EXPIRY: Duration = Duration::from_millis(130);

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn default4(kernel: &Kernel, told: bool) -> bool {
    kernel.routes(Family::V4.default_prefix(), TABLE_MAIN, told)
}

fn default6(kernel: &Kernel, told: bool) -> bool {
    kernel.routes(Family::V6.default_prefix(), TABLE_MAIN, told)
}

const fn wish(text: &'static str, holds: fn(&Kernel, bool) -> bool) -> Wish {
    Wish { text, holds, optional: None, probe: false }
}

pub static WISHES: &[Wish] = &[
    wish("route = 'default-ipv4'", default4),
    wish("route = 'default-ipv6'", default6),
    wish("route = 'default'", |k, told| default4(k, told) || default6(k, told)),
    wish("address = 'ipv4'", |k, told| k.has_address(Family::V4, told)),
    wish("address = 'ipv6'", |k, told| k.has_address(Family::V6, told)),
    wish("address = '192.0.2.7'", |k, _| k.binds("192.0.2.7".parse().unwrap())),
    wish("address = '2001:db8::7'", |k, _| k.binds("2001:db8::7".parse().unwrap())),
    wish("route-to = '203.0.113.7'", |k, told| k.connects("203.0.113.7".parse().unwrap(), told)),
    wish("route-to = '2001:db8:7::7'", |k, told| k.connects("2001:db8:7::7".parse().unwrap(), told)),
    wish("route = '203.0.113.0/24'", |k, told| k.routes(net("203.0.113.0/24"), TABLE_MAIN, told)),
    wish("route = 'default-ipv4'; table = 100", |k, told| k.routes(Family::V4.default_prefix(), 100, told)),
    wish("interface = 'va0'; carrier = true", |k, told| k.carries("va0", told)),
    wish("interface = 'va1'; carrier = true; if-present = true", |k, told| {
        k.ifindex("va1").is_none() || k.carries("va1", told)
    }),
    wish("interface = 'va0'; carrier = true; route = 'default-ipv4'", |k, told| {
        k.carries("va0", told) && k.link_routes("va0", Family::V4.default_prefix(), told)
    }),
    wish("route = 'default-ipv4' | route-to = '203.0.113.7'", |k, told| {
        default4(k, told) && k.connects("203.0.113.7".parse().unwrap(), told)
    }),
    Wish {
        text: "route = 'default-ipv4' | route = 'default-ipv6'; grace = '2s'",
        holds: default4,
        optional: Some(default6),
        probe: false,
    },
    Wish {
        text: "route = 'default-ipv4' | tcp = '203.0.113.7:443'",
        holds: default4,
        optional: None,
        probe: true,
    },
];

/// The gate of a wish, with these times.
pub fn gate_of(wish: usize, settle: Duration) -> Gate {
    Gate { settle, timeout: None, ..gate(WISHES[wish].text) }
}

/// What was true up to now.
#[derive(Debug, Clone)]
pub struct Truth {
    pub wish: usize,
    pub settle: Duration,
    /// Whether the requirements hold by the kernel's state, and by what it has told of carrier.
    pub holds: bool,
    pub told: bool,
    /// When the requirements last held in neither of the two ways.
    pub last_false: Option<Moment>,
    /// When they last held in only one of the two ways.
    pub last_flap: Option<Moment>,
    /// They ceased to hold, and the kernel is still about to announce why.
    pub unannounced: bool,
    /// When links were last read.
    pub links_read: Option<Moment>,
    /// When this gate was loaded.
    pub began: Moment,
    /// Whether the clause with a grace holds.
    pub optional: bool,
}

impl Truth {
    pub fn new(wish: usize, settle: Duration, began: Moment) -> Truth {
        Truth {
            wish,
            settle,
            holds: false,
            told: false,
            last_false: None,
            last_flap: None,
            unannounced: false,
            links_read: None,
            began,
            optional: true,
        }
    }

    /// Looks at the kernel after a piece of its work, or after time has passed. `announced`: it announced something.
    pub fn look(&mut self, kernel: &Kernel, announced: bool) {
        let wish = &WISHES[self.wish];
        let (holds, told) = ((wish.holds)(kernel, false), (wish.holds)(kernel, true));
        let ceased = (self.holds || self.told) && !holds && !told;
        let still = self.unannounced && !holds && !told;
        self.unannounced = (ceased || still) && !announced && kernel.is_busy();
        self.holds = holds;
        self.told = told;
        let now = kernel.now();
        if !holds && !told && !self.unannounced {
            self.last_false = Some(now);
        } else if !holds {
            self.last_flap = Some(now);
        }
        let optional = wish.optional.is_none_or(|holds| holds(kernel, false) || holds(kernel, true));
        self.optional = optional || (self.optional && !announced && kernel.is_busy());
    }

    /// READY=1 is due. Why it is a lie, if it is one. `settled`: when the settle ended, if there was one.
    pub fn objection(&self, now: Moment, settled: Option<Moment>) -> Option<String> {
        if !self.holds && !self.told && !self.unannounced {
            return Some("READY=1 while a requirement does not hold".to_owned());
        }
        // What is let go after its grace does not begin the settle anew.
        if self.last_false.is_some_and(|at| now < at + self.settle) {
            return Some("READY=1 before the settle was over".to_owned());
        }
        // A requirement that went and came back between two looks does not prolong the grace.
        if !self.optional && now < self.began + GRACE {
            return Some("READY=1 before the grace was over".to_owned());
        }
        // Links are to be read at the end of the settle.
        let seen = |at: &Moment| {
            self.links_read.is_some_and(|read| *at < read) || settled.is_some_and(|settled| *at < settled)
        };
        if self.last_flap.filter(seen).is_some_and(|at| now < at + self.settle) {
            return Some("READY=1 though carrier was lost during the settle".to_owned());
        }
        None
    }

    /// The session rests, and nothing is left to be told. What is wrong, if anything is. `active`: when it last had
    /// an input other than a timer.
    pub fn at_rest(&self, ready: bool, phase: Phase, active: Moment) -> Option<String> {
        let wish = &WISHES[self.wish];
        if self.holds != self.told || self.unannounced {
            return None;
        }
        if ready != self.holds && (!wish.probe || ready) {
            return Some(format!("at rest, the verdict is {ready}, and the truth is {}", self.holds));
        }
        // The settle begins when the grace is over.
        let grace = if wish.optional.is_some() { GRACE } else { Duration::ZERO };
        match phase {
            Phase::Waiting if ready => {
                Some("at rest, the gate waits although the verdict is ready".to_owned())
            }
            Phase::Settling { until } if until > active + grace + self.settle + AROUND_EXPIRY => {
                Some("the settle began anew although nothing happened".to_owned())
            }
            Phase::Grace { until } if until > active + GRACE + AROUND_EXPIRY => {
                Some("the grace began anew although nothing happened".to_owned())
            }
            Phase::Waiting
            | Phase::Settling { .. }
            | Phase::Grace { .. }
            | Phase::Ready { .. }
            | Phase::Opened { .. }
            | Phase::Lost { .. }
            | Phase::GaveUp { .. } => None,
        }
    }
}
