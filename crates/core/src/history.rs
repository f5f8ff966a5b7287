//! The history of a gate: what happened, and when. One [`Event`] is one line of JSON.
//!
//! The journal, STATUS=, the record of a boot, `timeline`, `status` and `metrics` are printings of these events.
//! [`line`](fn@line) writes an event and [`read`](fn@read) reads one. A line looks like this:
//!
//! ```text
//! {"usec":5980123,"event":"link","link":"e0","ifindex":2,"state":"carrier","was":"no-carrier"}
//! ```
//!
//! `usec` is the time since boot in microseconds, suspend included (CLOCK_BOOTTIME). `event` is the kind. Fields that
//! are not known are left out. Fields and kinds are only ever added, so a reader passes over those that it does not
//! know. Texts are the words of others, unescaped and bounded in length: whoever prints one escapes it.

pub mod boots;
mod read;
mod recorder;
#[cfg(test)]
mod tests;
mod write;

use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::moment::Moment;

pub use read::read;
pub use recorder::Recorder;
pub(crate) use recorder::words as gate_words;
pub use write::line;

/// The longest text of an event, in octets. A longer one is cut, and ends with `…` then.
pub const LONGEST_TEXT: usize = 256;

/// How many octets of texts a [`Start`] carries. The clauses after that are only counted.
pub const LONGEST_START: usize = 4096;

/// One entry of the history: what happened, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was seen. Lines carry whole microseconds.
    pub at: Moment,
    /// The kind of the event, with its fields.
    pub what: What,
}

/// The kind of an event, with its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// `"start"`: netready began to keep a gate, or read another gate in its place.
    Start(Start),
    /// `"gate"`: the gate's state or its leading reason changed.
    Gate(GateChange),
    /// `"requirement"`: an item of a clause became met or unmet, or is unmet for another reason.
    Requirement(RequirementChange),
    /// `"link"`: a link came, went, or changed its state or its name.
    Link(LinkChange),
    /// `"address"`: an address came, went, or changed its state.
    Address(AddressChange),
    /// `"route"`: a wanted route came or went.
    Route(RouteChange),
    /// `"probe"`: a probe was answered, or failed.
    Probe(ProbeChange),
    /// `"dropped"`: so many events are missing here, because there were too many at once. Field `count`.
    Dropped(u64),
}

impl What {
    /// The kind, as it stands in the field `event`.
    pub fn kind(&self) -> &'static str {
        match self {
            What::Start(_) => "start",
            What::Gate(_) => "gate",
            What::Requirement(_) => "requirement",
            What::Link(_) => "link",
            What::Address(_) => "address",
            What::Route(_) => "route",
            What::Probe(_) => "probe",
            What::Dropped(_) => "dropped",
        }
    }
}

/// The gate that is kept from now on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// Field `gate`: its name.
    pub gate: String,
    /// Field `source`: where it was read.
    pub source: String,
    /// Field `reloaded`: it was read in another gate's place, while netready ran.
    pub reloaded: bool,
    /// Field `timeout_usec`. `None` is no timeout.
    pub timeout: Option<Duration>,
    /// Field `settle_usec`: how long everything must hold.
    pub settle: Duration,
    /// Field `clauses`: what it asks for.
    pub clauses: Vec<StartClause>,
    /// Field `more_clauses`: how many clauses are left out here.
    pub more_clauses: u64,
}

/// A clause of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartClause {
    /// Field `links`: the entries of its `interface` list; empty for a clause of the host.
    pub links: Vec<String>,
    /// Field `requirements`: its items, as in a gate file: `route default`, `address ip`.
    pub requirements: Vec<String>,
    /// Field `quorum`: `each`, `all`, or how many must be met.
    pub quorum: String,
    /// Field `grace_usec`: a clause with a grace is not required.
    pub grace: Option<Duration>,
}

/// How a gate stands from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateChange {
    /// The new state of the gate (JSON field `state`).
    pub state: GateWord,
    /// Field `by`: who opened it, or why it was given up.
    pub by: Option<By>,
    /// The fields `code`, `text` and `reason_link`: the leading reason why it is not ready.
    pub reason: Option<Cause>,
    /// Field `met_by`: what meets it, if it is ready.
    pub met_by: Option<String>,
}

/// Why something is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Field `code`: the stable name of the reason, as in [`ReasonCode`](crate::verdict::ReasonCode).
    pub code: String,
    /// Field `text`: the reason as a sentence, such as `e0 has no carrier`.
    pub text: String,
    /// Field `reason_link`: the link at fault, if it is one link.
    pub link: Option<String>,
}

/// One item of a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementChange {
    /// Field `clause`: the clause's number in the gate, from 1, as in the JSON of a verdict.
    pub clause: u64,
    /// Field `requirement`: the item, as in a gate file: `route default`.
    pub requirement: String,
    /// Field `link`: the link that it was checked for; none for the host.
    pub link: Option<String>,
    /// The new state of the requirement (JSON field `state`).
    pub state: RequirementWord,
    /// Field `met_by`: what meets it.
    pub met_by: Option<String>,
    /// The fields `code`, `text` and `reason_link`: why it is unmet.
    pub reason: Option<Cause>,
}

/// A link. Its state is that of the kernel's flags; a bridge can have carrier though none of its ports has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// Field `link`: its name now.
    pub link: String,
    /// Field `ifindex`: its number, which a rename does not change.
    pub ifindex: u32,
    /// The new state of the link (JSON field `state`).
    pub state: LinkWord,
    /// Field `was`: its state before; none for one that appeared. It is the same as `state` for a rename, and for a
    /// carrier that was lost in between.
    pub was: Option<LinkWord>,
    /// Field `flaps`: how often carrier was lost since the event before, without a message of each.
    pub flaps: u64,
}

/// An address of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    /// Field `link`: the name of its link.
    pub link: String,
    /// Field `ifindex`: the number of its link.
    pub ifindex: u32,
    /// Field `address`: the host's address and the length of its prefix: `192.0.2.7/24`.
    pub address: IpNet,
    /// Field `peer`: the other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// The new state of the address (JSON field `state`).
    pub state: AddressWord,
}

/// A route that the gate wants, by one of its next hops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteChange {
    /// Field `destination`: `0.0.0.0/0` and `::/0` are the default routes.
    pub destination: IpNet,
    /// Field `link`: the name of the link that it leaves by; none for a route that refuses.
    pub link: Option<String>,
    /// Field `gateway`: its router; none if the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// Field `table`: the number of its table.
    pub table: u32,
    /// The metric of the route (JSON field `metric`).
    pub metric: u32,
    /// What became of the route (JSON field `state`).
    pub state: RouteWord,
}

/// What became of a try of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeChange {
    /// Field `probe`: the question, as in a gate file: `tcp 192.0.2.1:443`.
    pub probe: String,
    /// The result of the probe (JSON field `state`).
    pub state: ProbeWord,
    /// Field `text`: the answer, or the failure.
    pub text: String,
}

/// Words that stand for the values of an enum.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// Every word, in the order of the definition.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word, as it stands in a line.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }

            /// The value that a word stands for.
            pub fn of(word: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// The state of a gate.
    GateWord {
        /// Something required is unmet.
        Waiting = "waiting",
        /// All that is required is met; a clause with a grace is waited for.
        Grace = "grace",
        /// Everything is met and must hold for a while.
        Settling = "settling",
        /// The gate is open, and every requirement is met.
        Ready = "ready",
        /// Open though it was not ready.
        Opened = "opened",
        /// Open, was ready, and is not any more.
        Lost = "lost",
        /// Given up: it stays shut.
        GaveUp = "gave-up",
        /// netready was told to end. Nothing is known of the gate from then on.
        Stopped = "stopped",
    }
}

words! {
    /// Who opened a gate that was not ready, why a gate was given up, or how it came to be ready.
    By {
        /// The timeout of the gate passed.
        Timeout = "timeout",
        /// No wanted link had carrier for `no-carrier-timeout`.
        NoCarrier = "no-carrier",
        /// It was lost, and `on-loss = "fail"`.
        Loss = "loss",
        /// Somebody asked for it (SIGUSR1).
        Request = "request",
        /// Another gate was read while it was open.
        Reload = "reload",
        /// The kernel command line said so (`netready.open`).
        KernelLine = "kernel-command-line",
    }
}

words! {
    /// The state of an item of a clause.
    RequirementWord {
        /// The requirement is met.
        Met = "met",
        /// The requirement is not met.
        Unmet = "unmet",
        /// What it speaks of is not there, so it does not count (`if-present`).
        NotPresent = "not-present",
        /// It is a probe, and probes are switched off.
        NotAsked = "not-asked",
        /// Others meet the clause, or what it was checked for is gone.
        NotNeeded = "not-needed",
    }
}

words! {
    /// The state of a link.
    LinkWord {
        /// It is there, and administratively down.
        Down = "down",
        /// The link is up and has no carrier.
        NoCarrier = "no-carrier",
        /// Up with carrier, and waits for something such as 802.1X.
        Dormant = "dormant",
        /// The link is up and has carrier.
        Carrier = "carrier",
        /// Not there any more.
        Gone = "gone",
    }
}

words! {
    /// The state of an address.
    AddressWord {
        /// Duplicate address detection is not done.
        Tentative = "tentative",
        /// Another host has the address.
        Duplicate = "duplicate",
        /// Its preferred lifetime is over.
        Deprecated = "deprecated",
        /// It can be used, as far as its flags tell.
        Usable = "usable",
        /// Not there any more.
        Gone = "gone",
    }
}

words! {
    /// The state of a route.
    RouteWord {
        /// The route was added.
        Added = "added",
        /// The kernel uses another route for the same destination now.
        Replaced = "replaced",
        /// Not there any more.
        Gone = "gone",
    }
}

words! {
    /// What became of a try of a probe.
    ProbeWord {
        /// The other host answered the probe.
        Answered = "answered",
        /// It was not, or could not be tried.
        Failed = "failed",
    }
}

impl Event {
    /// The event as a line carries it: whole microseconds, texts and lists cut to their bounds.
    #[must_use]
    pub fn bounded(mut self) -> Event {
        self.at = Moment::after_boot(micros(self.at.since_boot()));
        match &mut self.what {
            What::Start(start) => start.bound(),
            What::Gate(change) => {
                bound_cause(&mut change.reason);
                change.met_by.iter_mut().for_each(bound);
            }
            What::Requirement(change) => {
                bound(&mut change.requirement);
                change.link.iter_mut().for_each(bound);
                change.met_by.iter_mut().for_each(bound);
                bound_cause(&mut change.reason);
            }
            What::Link(change) => bound(&mut change.link),
            What::Address(change) => bound(&mut change.link),
            What::Route(change) => change.link.iter_mut().for_each(bound),
            What::Probe(change) => {
                bound(&mut change.probe);
                bound(&mut change.text);
            }
            What::Dropped(_) => {}
        }
        self
    }
}

impl Start {
    fn bound(&mut self) {
        bound(&mut self.gate);
        bound(&mut self.source);
        self.timeout = self.timeout.map(micros);
        self.settle = micros(self.settle);
        let mut room = LONGEST_START;
        let mut kept = 0;
        for clause in &mut self.clauses {
            clause.grace = clause.grace.map(micros);
            let StartClause { links, requirements, quorum, grace: _ } = clause;
            let mut length = 0;
            for text in links.iter_mut().chain(requirements).chain([quorum]) {
                bound(text);
                // An empty text costs something too.
                length += text.len() + 1;
            }
            let Some(left) = room.checked_sub(length) else { break };
            room = left;
            kept += 1;
        }
        let more = self.clauses.len() - kept;
        self.clauses.truncate(kept);
        self.more_clauses = self.more_clauses.saturating_add(more as u64);
    }
}

fn bound_cause(cause: &mut Option<Cause>) {
    if let Some(Cause { code, text, link }) = cause {
        bound(code);
        bound(text);
        link.iter_mut().for_each(bound);
    }
}

/// Cuts a text to [`LONGEST_TEXT`], at the end of a character.
fn bound(text: &mut String) {
    const CUT: char = '…';
    if text.len() <= LONGEST_TEXT {
        return;
    }
    let mut end = LONGEST_TEXT - CUT.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push(CUT);
}

/// Whole microseconds, as many as a line can carry.
fn micros(duration: Duration) -> Duration {
    Duration::from_micros(usec(duration))
}

fn usec(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
