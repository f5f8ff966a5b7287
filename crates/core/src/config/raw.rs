//! A gate as written: texts with their places, not yet understood.
//!
//! Gate files, drop-ins and options all become these; [`meaning`](super::meaning) reads nothing else.

use alloc::rc::Rc;

use super::Problem;

/// Where something was written.
#[derive(Debug, Clone)]
pub struct Place {
    /// A file, or an option with its value.
    pub origin: Rc<str>,
    /// The line in the file; options have none.
    pub line: Option<usize>,
}

impl Place {
    /// Whether it was written on the command line, where advice must speak of options.
    pub fn is_option(&self) -> bool {
        self.line.is_none()
    }

    /// A problem with what stands there.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { origin: self.origin.to_string(), line: self.line, message: message.into() }
    }
}

/// A value with its place, and its name for messages.
#[derive(Debug, Clone)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
    /// Key and value, as in `address "fe80::"`; empty where the place says it already.
    pub name: String,
}

impl<T> Written<T> {
    /// A problem with this value.
    pub fn problem(&self, message: impl AsRef<str>) -> Problem {
        let message = message.as_ref();
        self.place.problem(if self.name.is_empty() {
            message.to_owned()
        } else {
            format!("{} {message}", self.name)
        })
    }
}

/// The keys above the first `[[require]]`, and the clauses.
#[derive(Debug, Clone, Default)]
pub struct RawGate {
    /// `timeout`
    pub timeout: Option<Written<String>>,
    /// `no-carrier-timeout`
    pub no_carrier_timeout: Option<Written<String>>,
    /// `settle`
    pub settle: Option<Written<String>>,
    /// `on-timeout`
    pub on_timeout: Option<Written<String>>,
    /// `on-loss`
    pub on_loss: Option<Written<String>>,
    /// In the order of files and lines.
    pub clauses: Vec<RawClause>,
    /// Something was left out because it could not be read, so what is missing proves nothing.
    pub incomplete: bool,
}

impl RawGate {
    /// Reads another over this one: its keys replace, its clauses are added.
    pub fn read_over(&mut self, over: RawGate) {
        fn replace<T>(under: &mut Option<T>, over: Option<T>) {
            if over.is_some() {
                *under = over;
            }
        }
        replace(&mut self.timeout, over.timeout);
        replace(&mut self.no_carrier_timeout, over.no_carrier_timeout);
        replace(&mut self.settle, over.settle);
        replace(&mut self.on_timeout, over.on_timeout);
        replace(&mut self.on_loss, over.on_loss);
        self.clauses.extend(over.clauses);
        self.incomplete |= over.incomplete;
    }
}

/// One `[[require]]`.
#[derive(Debug, Clone)]
pub struct RawClause {
    /// Its first line.
    pub place: Place,
    /// `interface`; empty where it was left out, as in the other lists.
    pub interface: Vec<Written<String>>,
    /// `quorum`
    pub quorum: Option<Written<String>>,
    /// `carrier`
    pub carrier: Option<Written<bool>>,
    /// `address`
    pub address: Vec<Written<String>>,
    /// `route`
    pub route: Vec<Written<String>>,
    /// `table`
    pub table: Option<Written<String>>,
    /// `route-to`
    pub route_to: Vec<Written<String>>,
    /// `from`
    pub from: Option<Written<String>>,
    /// `pasta`
    pub pasta: Option<Written<bool>>,
    /// `nameserver`
    pub nameserver: Option<Written<bool>>,
    /// `dns`
    pub dns: Vec<Written<String>>,
    /// `tcp`
    pub tcp: Vec<Written<String>>,
    /// `http`
    pub http: Vec<Written<String>>,
    /// `expect`
    pub expect: Vec<Written<String>>,
    /// `ping`
    pub ping: Vec<Written<String>>,
    /// `gateway`
    pub gateway: Vec<Written<String>>,
    /// `recheck`
    pub recheck: Option<Written<String>>,
    /// `if-present`
    pub if_present: Option<Written<bool>>,
    /// `grace`
    pub grace: Option<Written<String>>,
    /// As in [`RawGate::incomplete`].
    pub incomplete: bool,
}

impl RawClause {
    /// A clause without keys.
    pub fn at(place: Place) -> RawClause {
        RawClause {
            place,
            interface: Vec::new(),
            quorum: None,
            carrier: None,
            address: Vec::new(),
            route: Vec::new(),
            table: None,
            route_to: Vec::new(),
            from: None,
            pasta: None,
            nameserver: None,
            dns: Vec::new(),
            tcp: Vec::new(),
            http: Vec::new(),
            expect: Vec::new(),
            ping: Vec::new(),
            gateway: Vec::new(),
            recheck: None,
            if_present: None,
            grace: None,
            incomplete: false,
        }
    }
}
