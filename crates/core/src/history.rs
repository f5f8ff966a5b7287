//! The history of a gate: what happened, and when. One [`Event`] is one line of JSON.
//!
//! The journal, STATUS=, the record of a boot, `timeline`, `status` and `metrics` all show these events.
//! [`line`](fn@line) writes an event and [`read`](fn@read) reads one. A line looks like this:
//! [`line`](fn@line) writes an event and [`read`](fn@read) reads one. A line looks like this:
//!
//! ```text
//! {"usec":5980123,"event":"link","link":"e0","ifindex":2,"state":"carrier","was":"no-carrier"}
//! ```
//!
//! `usec` is the time since boot in microseconds, including suspend (CLOCK_BOOTTIME). `event` is the kind. Unknown
//! fields are left out. New versions only add fields and kinds, so a reader ignores those that it does not know.
//! Texts come from others; they are not escaped, and their length is limited. Escape a text before you print it.

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
use crate::verdict::ReasonCode;

pub use read::read;
pub use recorder::Recorder;
pub(crate) use recorder::words as gate_words;
pub use write::line;

/// The length of an event's longest text, in bytes. A longer text is cut and ends with `…`.
pub const LONGEST_TEXT: usize = 256;

/// How many bytes of texts a [`Start`] has. Further clauses are only counted.
pub const LONGEST_START: usize = 4096;

/// One entry of the history: what happened, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was seen. Lines have whole microseconds.
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
    /// `"dropped"`: this many events are missing here, because there were too many at once. Field `count`.
    Dropped(u64),
}

impl What {
    /// Returns the kind, as in the field `event`.
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

/// The gate that netready keeps from now on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// Field `gate`: the name of the gate.
    pub gate: String,
    /// Field `source`: the file that the gate was read from.
    pub source: String,
    /// Field `reloaded`: the gate replaced another gate while netready ran.
    pub reloaded: bool,
    /// Field `timeout_usec`. `None` means no timeout.
    pub timeout: Option<Duration>,
    /// Field `settle_usec`: how long all clauses must stay met before the gate opens.
    pub settle: Duration,
    /// Field `clauses`: the clauses of the gate.
    pub clauses: Vec<StartClause>,
    /// Field `more_clauses`: how many clauses are left out here.
    pub more_clauses: u64,
}

/// A clause of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartClause {
    /// Field `links`: the entries of its `interface` list; empty for a clause of the host.
    pub links: Vec<String>,
    /// Field `requirements`: the clause's items, written as in a gate file: `route default`, `address ip`.
    pub requirements: Vec<String>,
    /// Field `quorum`: `each`, `all`, or how many must be met.
    pub quorum: String,
    /// Field `grace_usec`: a clause with a grace is not required.
    pub grace: Option<Duration>,
}

/// The new state of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateChange {
    /// The new state of the gate (JSON field `state`).
    pub state: GateWord,
    /// Field `by`: what opened the gate, or why it gave up.
    pub by: Option<By>,
    /// The fields `code`, `text` and `reason_link`: the leading reason why the gate is not ready.
    pub reason: Option<Cause>,
    /// Field `met_by`: what meets the gate, if it is ready.
    pub met_by: Option<String>,
}

/// Why something is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Field `code`: the stable name of the reason.
    pub code: Code,
    /// Field `text`: the reason as a sentence, such as `e0 has no carrier`.
    pub text: String,
    /// Field `reason_link`: the link that causes it, if it is one link.
    pub link: Option<String>,
}

/// The stable name of a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A reason of this version.
    Known(ReasonCode),
    /// A reason that another version has written.
    Other(String),
}

impl Code {
    /// Reads a name.
    pub fn read(name: String) -> Code {
        match ReasonCode::read(&name) {
            Some(code) => Code::Known(code),
            None => Code::Other(name),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Code::Known(code) => code.as_str(),
            Code::Other(name) => name,
        }
    }
}

/// One item of a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementChange {
    /// Field `clause`: the clause's number in the gate, from 1, as in the JSON of a verdict.
    pub clause: u64,
    /// Field `requirement`: the item, as in a gate file: `route default`.
    pub requirement: String,
    /// Field `link`: the link that the item was checked for. `None` for an item of the host.
    pub link: Option<String>,
    /// The new state of the requirement (JSON field `state`).
    pub state: RequirementWord,
    /// Field `met_by`: what meets the item.
    pub met_by: Option<String>,
    /// The fields `code`, `text` and `reason_link`: why the item is unmet.
    pub reason: Option<Cause>,
}

/// A link. Its state follows the kernel's flags. By these flags a bridge can have carrier although none of its
/// ports has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// Field `link`: the present name of the link.
    pub link: String,
    /// Field `ifindex`: the number of the link, which a rename does not change.
    pub ifindex: u32,
    /// The new state of the link (JSON field `state`).
    pub state: LinkWord,
    /// Field `was`: the previous state. `None` for a link that appeared. It equals `state` for a rename, and for a
    /// carrier that was lost and came back in between.
    pub was: Option<LinkWord>,
    /// Field `flaps`: how often carrier was lost since the previous event, without a message for each loss.
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

/// A route that the gate wants, with one of its next hops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteChange {
    /// Field `destination`: `0.0.0.0/0` and `::/0` are the default routes.
    pub destination: IpNet,
    /// Field `link`: the name of the link of the next hop. `None` for a route that refuses.
    pub link: Option<String>,
    /// Field `gateway`: the router. `None` if the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// Field `table`: the number of its table.
    pub table: u32,
    /// The metric of the route (JSON field `metric`).
    pub metric: u32,
    /// The new state of the route (JSON field `state`).
    pub state: RouteWord,
}

/// The result of one try of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeChange {
    /// Field `probe`: the question, as in a gate file: `tcp 192.0.2.1:443`.
    pub probe: String,
    /// The result of the probe (JSON field `state`).
    pub state: ProbeWord,
    /// Field `text`: the answer, or the failure.
    pub text: String,
}

/// Defines an enum whose values have fixed words.
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

            /// Returns the word, as it stands in a line.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }

            /// Returns the value that a word stands for.
            pub fn of(word: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// The state of a gate.
    GateWord {
        /// A required clause is unmet.
        Waiting = "waiting",
        /// All required clauses are met. The gate waits for a clause with a grace.
        Grace = "grace",
        /// All clauses are met and must stay met until the settle ends.
        Settling = "settling",
        /// The gate is open, and every requirement is met.
        Ready = "ready",
        /// The gate is open, although it was not ready.
        Opened = "opened",
        /// The gate is open. It was ready, and is not ready any more.
        Lost = "lost",
        /// The gate gave up and stays shut.
        GaveUp = "gave-up",
        /// netready was told to end. The state of the gate after that is unknown.
        Stopped = "stopped",
    }
}

words! {
    /// What opened a gate that was not ready, why a gate gave up, or how it became ready.
    By {
        /// The timeout of the gate passed.
        Timeout = "timeout",
        /// No wanted link had carrier for `no-carrier-timeout`.
        NoCarrier = "no-carrier",
        /// The gate was lost, and it has `on-loss = "fail"`.
        Loss = "loss",
        /// An administrator asked for it (SIGUSR1).
        Request = "request",
        /// Another gate file was read while the gate was open.
        Reload = "reload",
        /// The kernel command line opened the gate (`netready.open`).
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
        /// The link or family of the item does not exist, so the item does not count (`if-present`).
        NotPresent = "not-present",
        /// The item is a probe, and probes are switched off.
        NotAsked = "not-asked",
        /// Other items meet the clause, or the link that the item was checked for is gone.
        NotNeeded = "not-needed",
    }
}

words! {
    /// The state of a link.
    LinkWord {
        /// The link exists and is administratively down.
        Down = "down",
        /// The link is up and has no carrier.
        NoCarrier = "no-carrier",
        /// The link is up and has carrier, but waits for something such as 802.1X.
        Dormant = "dormant",
        /// The link is up and has carrier.
        Carrier = "carrier",
        /// The link does not exist any more.
        Gone = "gone",
    }
}

words! {
    /// The state of an address.
    AddressWord {
        /// Duplicate address detection has not finished.
        Tentative = "tentative",
        /// Another host has the address.
        Duplicate = "duplicate",
        /// The preferred lifetime of the address is over.
        Deprecated = "deprecated",
        /// The address can be used, as far as its flags say.
        Usable = "usable",
        /// The address does not exist any more.
        Gone = "gone",
    }
}

words! {
    /// The state of a route.
    RouteWord {
        /// The route is there, and usable as far as its next hop tells.
        Added = "added",
        /// The route is there, but its next hop is dead or its link has no carrier.
        Dead = "dead",
        /// The kernel uses another route for the same destination now.
        Replaced = "replaced",
        /// The route does not exist any more.
        Gone = "gone",
    }
}

words! {
    /// The result of one try of a probe.
    ProbeWord {
        /// The other host answered the probe.
        Answered = "answered",
        /// The probe was not answered, or it could not be tried.
        Failed = "failed",
    }
}

impl Event {
    /// Returns the event as a line can have it: whole microseconds, and texts and lists cut to their limits.
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
                // Count one more byte for each text, so that empty texts are limited too.
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
        if let Code::Other(name) = code {
            bound(name);
        }
        bound(text);
        link.iter_mut().for_each(bound);
    }
}

/// Cuts a text to [`LONGEST_TEXT`] bytes, at the end of a character.
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

/// Rounds down to whole microseconds, and limits the value to what a line can have.
fn micros(duration: Duration) -> Duration {
    Duration::from_micros(usec(duration))
}

fn usec(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
