//! Reads the section `[X-Netready]` of a quadlet. A line with an error is reported, and all other lines
//! count.

use std::time::Duration;

use crate::config::{DurationLimit, Problem, parse_duration};

use super::unit_file::{Assignment, Location, UnitFile};

/// The name of the section that netready reads in a quadlet.
pub const SECTION: &str = "X-Netready";

const GATE: &str = "Gate";
const GATE_REQUIRED: &str = "GateRequired";
const PULL_RETRY: &str = "PullRetry";
const PULL_RETRY_DELAY: &str = "PullRetryDelay";
const PULL_RETRY_MAX_DELAY: &str = "PullRetryMaxDelay";
const RESTART_WHEN_READY: &str = "RestartWhenReady";
const KEYS: [&str; 6] =
    [GATE, GATE_REQUIRED, RESTART_WHEN_READY, PULL_RETRY, PULL_RETRY_DELAY, PULL_RETRY_MAX_DELAY];

/// A unit's name has 255 bytes; this leaves room for `netready@` and `.service`.
const LONGEST_GATE: usize = 200;

/// The gate that a quadlet names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateChoice {
    /// `Gate=none`: the unit waits for no gate.
    None,
    /// `Gate=NAME`: the unit waits for this gate.
    Named(String),
}

/// What a quadlet says in its section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The valid value of `Gate=`, if there is one.
    pub gate: Option<GateChoice>,
    /// Whether the last `Gate=` is not a valid name of a gate, so that it is not known which gate is meant.
    pub gate_is_unknown: bool,
    /// Where `GateRequired=yes` is written, if it is.
    pub required: Option<Location>,
    /// Where `RestartWhenReady=yes` is written, if it is.
    pub restart: Option<Location>,
    /// `PullRetry=`; 0 leaves the pull to Podman.
    pub retries: Option<u32>,
    /// `PullRetryDelay=`: the longest delay before the first retry.
    pub delay: Option<Duration>,
    /// `PullRetryMaxDelay=`: the longest delay before any retry.
    pub max_delay: Option<Duration>,
    /// Where the first key is written that asks netready to pull.
    pub pull: Option<Location>,
}

/// Makes a problem about a line.
pub fn problem(place: &Location, message: impl Into<String>) -> Problem {
    Problem { origin: place.file.to_string(), line: Some(place.line), message: message.into() }
}

/// Reads the settings of the section, and adds to `problems` what is wrong with it.
pub fn read(unit: &UnitFile, problems: &mut Vec<Problem>) -> Settings {
    for header in &unit.headers {
        let near = ["x-netready", "netready", "x-net-ready"];
        if &*header.name != SECTION && near.iter().any(|near| header.name.eq_ignore_ascii_case(near)) {
            let message = format!("[{}]: unknown section; write [{SECTION}]", header.name);
            problems.push(problem(&header.place, message));
        }
    }
    let mut settings = Settings::default();
    for entry in unit.entries.iter().filter(|entry| &*entry.section == SECTION) {
        if let Err(message) = settings.take(entry) {
            problems.push(problem(&entry.place, message));
        }
    }
    let too_short = settings.max_delay.zip(settings.delay).is_some_and(|(longest, first)| longest < first);
    if too_short {
        if let Some(entry) = unit.last(SECTION, PULL_RETRY_MAX_DELAY) {
            let message = format!(
                "{PULL_RETRY_MAX_DELAY}: is less than {PULL_RETRY_DELAY}=; write both or leave it out"
            );
            problems.push(problem(&entry.place, message));
        }
        settings.max_delay = None;
    }
    settings
}

impl Settings {
    /// Whether the unit must not start while its gate is shut, and it is known which gate that is.
    pub fn requires_its_gate(&self) -> bool {
        self.required.is_some() && !self.gate_is_unknown
    }

    /// An empty value takes back what was said before, as everywhere in unit files.
    fn take(&mut self, entry: &Assignment) -> Result<(), String> {
        let value = entry.value.as_str();
        let given = !value.is_empty();
        match entry.key.as_str() {
            GATE => {
                self.gate_is_unknown = true;
                self.gate = if given { Some(gate(value)?) } else { None };
                self.gate_is_unknown = false;
            }
            GATE_REQUIRED => {
                let required = given && switch(&entry.key, value)?;
                self.required = required.then(|| entry.place.clone());
            }
            RESTART_WHEN_READY => {
                let restart = given && switch(&entry.key, value)?;
                self.restart = restart.then(|| entry.place.clone());
            }
            PULL_RETRY => self.retries = if given { Some(count(value)?) } else { None },
            PULL_RETRY_DELAY => self.delay = if given { Some(delay(&entry.key, value)?) } else { None },
            PULL_RETRY_MAX_DELAY => {
                self.max_delay = if given { Some(delay(&entry.key, value)?) } else { None };
            }
            key => return Err(unknown(key)),
        }
        if entry.key.starts_with(PULL_RETRY) && given {
            self.pull.get_or_insert_with(|| entry.place.clone());
        }
        if self.retries.is_none() && self.delay.is_none() && self.max_delay.is_none() {
            self.pull = None;
        }
        Ok(())
    }
}

fn gate(value: &str) -> Result<GateChoice, String> {
    if value == "none" {
        return Ok(GateChoice::None);
    }
    if let Some(name) = value.strip_suffix(".toml").filter(|name| is_gate(name)) {
        return Err(format!("{GATE}: write the name of a gate without .toml: {GATE}={name}"));
    }
    if value.contains('/') {
        return Err(format!(
            "{GATE}: takes a gate's name, not a file: {GATE}=uplink is /etc/netready/uplink.toml"
        ));
    }
    if !is_gate(value) {
        return Err(format!(
            "{GATE}: {value:?} is not a gate's name; a name has letters, digits, '-', '_', '.' and ':', as in {GATE}=uplink; or write none"
        ));
    }
    Ok(GateChoice::Named(value.to_owned()))
}

/// The characters that stand in a unit's name as they are, so that the unit's `%i` is the gate.
pub fn is_gate(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !name.is_empty()
        && name.len() <= LONGEST_GATE
        && !name.starts_with(['-', '.'])
        && name.chars().all(allowed)
}

fn switch(key: &str, value: &str) -> Result<bool, String> {
    let is = |words: [&str; 5]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(["1", "yes", "y", "true", "on"]) {
        Ok(true)
    } else if is(["0", "no", "n", "false", "off"]) {
        Ok(false)
    } else {
        Err(format!("{key}: takes yes or no, not {value:?}"))
    }
}

fn count(value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("{PULL_RETRY}: takes a number, as in {PULL_RETRY}=8, not {value:?}"))
}

fn delay(key: &str, value: &str) -> Result<Duration, String> {
    match parse_duration(value) {
        Ok(DurationLimit::Finite(span)) if !span.is_zero() => Ok(span),
        Ok(DurationLimit::Finite(_) | DurationLimit::Infinite) | Err(_) => {
            Err(format!("{key}: takes a duration, as in {key}=2s, not {value:?}"))
        }
    }
}

fn unknown(key: &str) -> String {
    // At three, Gate would stand for every short word.
    let near = KEYS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&key.to_lowercase(), &known.to_lowercase()), known))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    match near {
        Some((_, known)) => format!("{key}: unknown key; write {known}"),
        None => format!("{key}: unknown key; the keys of [{SECTION}] are {}", KEYS.join(", ")),
    }
}
