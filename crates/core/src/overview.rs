//! What `status` and `list` print: the gates that a `run` keeps on this host, and the gates that a user can name.

mod list;

pub use list::{GateSource, ListedGate, Listing, Origin, list_json, list_table};

use core::fmt::Write;

use serde_json::{Value, json};

use crate::escape::escape;
use crate::history::{Cause, GateWord};
use crate::moment::Moment;
use crate::report::{About, Paint, Tone, Took};
use crate::snapshot::Snapshot;

/// A gate that a `run` keeps, or kept earlier in this boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGate {
    /// The state of the gate when the process last wrote it.
    pub snapshot: Snapshot,
    /// The user who runs the gate. `None` for a gate of the system.
    pub user: Option<u32>,
    /// The unit that keeps the gate, without `.service`. `None` if `run` was started by hand.
    pub unit: Option<String>,
    /// The process ID of the `run`.
    pub pid: u32,
    /// Whether the process is alive.
    pub running: bool,
}

/// A unit of the system that keeps a record which the caller may not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenUnit {
    /// The name of the unit, without `.service`.
    pub unit: String,
    /// What the service manager says about the unit. `None` if the service manager cannot be asked.
    pub says: Option<UnitState>,
}

/// What a service manager says about a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitState {
    /// ActiveState=, such as `active`.
    pub active: String,
    /// SubState=, such as `running`.
    pub sub: String,
    /// StatusText=: the last text that the unit sent as STATUS=.
    pub status_text: String,
}

/// The result of `status`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// The gates of this boot.
    pub gates: Vec<KeptGate>,
    /// The units that may keep further gates.
    pub hidden: Vec<HiddenUnit>,
    /// The gates that the user named. If there are none, the command is about every gate that is kept now.
    pub asked: Vec<String>,
}

/// The answer for all gates that the command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Every gate is ready.
    Ready,
    /// A gate is not ready, or nothing keeps it.
    NotReady,
    /// The caller may not see the state of a gate, and no other gate is known not to be ready.
    Unknown,
}

/// Writes a moment as a text, in local time or in RFC 3339.
pub type TimeText<'a> = &'a dyn Fn(Moment) -> String;

impl KeptGate {
    /// Returns the present state. A process that ended keeps no gate, but a gate that gave up has still given up.
    pub fn state(&self) -> GateWord {
        match self.snapshot.state {
            state if self.running => state,
            GateWord::GaveUp => GateWord::GaveUp,
            GateWord::Waiting
            | GateWord::Grace
            | GateWord::Settling
            | GateWord::Ready
            | GateWord::Opened
            | GateWord::Lost
            | GateWord::Stopped => GateWord::Stopped,
        }
    }

    /// Returns since when the gate is in this state. `None` if its process was killed, because then the time is
    /// unknown.
    pub fn since(&self) -> Option<Moment> {
        (self.state() == self.snapshot.state).then_some(self.snapshot.since)
    }

    /// Returns the first reason why the gate is not ready, if the reason is still valid.
    pub fn reason(&self) -> Option<&Cause> {
        self.snapshot.reason.as_ref().filter(|_| self.state() == self.snapshot.state)
    }

    /// Whether `status` shows the gate even if the user names no gate.
    pub fn is_current(&self) -> bool {
        self.state() != GateWord::Stopped
    }

    fn what(&self) -> &str {
        if self.state() == self.snapshot.state { &self.snapshot.what } else { "" }
    }

    /// Returns what meets the gate, or what is missing. For a gate that waits again after it gave up, the text also
    /// says when it gave up. The text is safe to print.
    fn text(&self, time: TimeText<'_>) -> String {
        let what = escape(self.what());
        let waits = matches!(self.state(), GateWord::Waiting | GateWord::Grace | GateWord::Settling);
        match self.snapshot.gave_up.filter(|_| waits) {
            Some(at) if what.is_empty() => format!("gave up at {}", time(at)),
            Some(at) => format!("gave up at {}; {what}", time(at)),
            None => what.into_owned(),
        }
    }

    fn title(&self) -> String {
        let of_user = if self.user.is_some() { " (user)" } else { "" };
        format!("{}{of_user}", escape(&self.snapshot.gate))
    }
}

impl HiddenUnit {
    /// Whether the unit keeps this gate by its name. (A drop-in of the unit could change this.)
    fn keeps(&self, gate: &str) -> bool {
        match self.unit.strip_prefix("netready@") {
            Some(instance) => instance == gate,
            None => self.unit == "netready" && gate == "default",
        }
    }
}

impl Overview {
    /// Returns the gates that the command is about.
    pub fn shown(&self) -> impl Iterator<Item = &KeptGate> {
        self.gates.iter().filter(|gate| match self.asked.is_empty() {
            true => gate.is_current(),
            false => self.asked.contains(&gate.snapshot.gate),
        })
    }

    /// Returns the hidden units that the command is about.
    fn shown_hidden(&self) -> impl Iterator<Item = &HiddenUnit> {
        let is_asked = |unit: &&HiddenUnit| self.asked.iter().any(|gate| unit.keeps(gate));
        self.hidden.iter().filter(move |unit| self.asked.is_empty() || is_asked(unit))
    }

    /// Returns the names of gates that the user named and that nothing keeps.
    fn missing(&self) -> Vec<&str> {
        let is_kept = |name: &&String| self.gates.iter().any(|gate| gate.snapshot.gate == **name);
        let is_hidden = |name: &&String| self.hidden.iter().any(|unit| unit.keeps(name));
        let asked = self.asked.iter().filter(|name| !is_kept(name) && !is_hidden(name));
        asked.map(String::as_str).collect()
    }

    /// Returns whether all gates that the command is about are ready.
    pub fn answer(&self) -> Answer {
        let mut shown = self.shown().peekable();
        let nothing = shown.peek().is_none() && self.shown_hidden().next().is_none();
        if nothing || !self.missing().is_empty() || shown.any(|gate| gate.state() != GateWord::Ready) {
            Answer::NotReady
        } else if self.shown_hidden().next().is_some() {
            Answer::Unknown
        } else {
            Answer::Ready
        }
    }
}

/// What `status` says if nothing keeps a gate.
const NOTHING_KEPT: &str = "no netready keeps a gate here now: a gate is kept while `netready run` runs, as in \
                            netready.service; to look at a gate once: netready check\n";

const HEADINGS: [&str; 6] = ["GATE", "STATE", "SINCE", "TOOK", "LOSSES", "BY WHAT, OR WHAT IS MISSING"];

/// Writes a table with a line for each gate, followed by notes.
pub fn status_table(overview: &Overview, now: Moment, time: TimeText<'_>, paint: Paint) -> String {
    let mut rows: Vec<([String; 6], Tone)> = Vec::new();
    for gate in overview.shown() {
        let state = gate.state();
        let tone = match state {
            GateWord::Ready => Tone::Good,
            GateWord::Opened | GateWord::Lost | GateWord::GaveUp => Tone::Bad,
            GateWord::Waiting | GateWord::Grace | GateWord::Settling | GateWord::Stopped => Tone::Dim,
        };
        let since = gate.since().map(|since| format!("{} ({})", time(since), About(now - since)));
        let dash = || "-".to_owned();
        let row = [
            gate.title(),
            state.as_str().to_owned(),
            since.unwrap_or_else(dash),
            gate.snapshot.ready_after.map_or_else(dash, |after| Took(after).to_string()),
            gate.snapshot.losses.to_string(),
            gate.text(time),
        ];
        rows.push((row, tone));
    }
    let mut text = if rows.is_empty() { String::new() } else { columns(&HEADINGS, &rows, paint) };
    for gate in overview.missing() {
        let gate = escape(gate);
        let _ = writeln!(
            text,
            "{gate}: no netready keeps this gate in this boot; to look at it once: netready check {gate}"
        );
    }
    if rows.is_empty() && overview.asked.is_empty() && overview.hidden.is_empty() {
        text.push_str(NOTHING_KEPT);
    }
    for unit in overview.shown_hidden() {
        let said = match &unit.says {
            Some(says) if says.status_text.is_empty() => {
                format!(" ({}, {})", escape(&says.active), escape(&says.sub))
            }
            Some(says) => {
                format!(" ({}, {}): {}", escape(&says.active), escape(&says.sub), escape(&says.status_text))
            }
            None => String::new(),
        };
        let _ = writeln!(text, "{}.service{said}; run as root to see its gate", escape(&unit.unit));
    }
    let stopped = overview.gates.iter().filter(|gate| overview.asked.is_empty() && !gate.is_current());
    let stopped: Vec<String> = stopped.map(KeptGate::title).collect();
    if !stopped.is_empty() {
        let _ = writeln!(text, "stopped earlier in this boot: {}", stopped.join(", "));
    }
    text
}

/// Writes columns. Each column but the last is as wide as its longest text. The second one has the colour.
fn columns<const N: usize>(headings: &[&str; N], rows: &[([String; N], Tone)], paint: Paint) -> String {
    let width = |text: &str| text.chars().count();
    let widest = |at: usize| {
        let cells = rows.iter().filter_map(|(row, _)| row.get(at)).map(|cell| width(cell));
        cells.chain(headings.get(at).map(|heading| width(heading))).max().unwrap_or(0)
    };
    let mut text = String::new();
    let mut line = |cells: [&str; N], tone: Option<Tone>| {
        let mut line = String::new();
        for (at, cell) in cells.into_iter().enumerate() {
            let pad = " ".repeat(widest(at).saturating_sub(width(cell)) + 2);
            let cell = tone.filter(|_| at == 1).map_or_else(|| cell.to_owned(), |tone| paint(tone, cell));
            line.push_str(&cell);
            if at + 1 < N {
                line.push_str(&pad);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(*headings, None);
    for (row, tone) in rows {
        line(core::array::from_fn(|at| row.get(at).map_or("", String::as_str)), Some(*tone));
    }
    text
}

/// Makes the object that `docs/schema/status.json` describes. `time` writes RFC 3339.
pub fn status_json(overview: &Overview, time: TimeText<'_>) -> Value {
    let moment = |moment: Moment| json!({ "timestamp": time(moment), "since-boot": seconds(moment) });
    let gates = overview.shown().map(|gate| {
        let Snapshot {
            gate: name, source, version, started, ready_after, losses, gave_up, last_gave_up, ..
        } = &gate.snapshot;
        json!({
            "gate": name,
            "source": source,
            "scope": if gate.user.is_some() { "user" } else { "system" },
            "uid": gate.user,
            "unit": gate.unit.as_ref().map(|unit| format!("{unit}.service")),
            "pid": if gate.running { Some(gate.pid) } else { None },
            "version": version,
            "state": gate.state().as_str(),
            "ready": gate.state() == GateWord::Ready,
            "since": gate.since().map(moment),
            "started": moment(*started),
            "gave-up": gave_up.map(moment),
            "last-gave-up": last_gave_up.map(moment),
            "ready-after": ready_after.map(|after| after.as_secs_f64()),
            "losses": losses,
            "what": gate.what(),
            "code": gate.reason().map(|reason| reason.code.as_str()),
            "link": gate.reason().and_then(|reason| reason.link.as_ref()),
        })
    });
    let hidden = overview.shown_hidden().map(|unit| {
        let says = unit.says.as_ref();
        json!({
            "unit": format!("{}.service", unit.unit),
            "active-state": says.map(|says| &says.active),
            "sub-state": says.map(|says| &says.sub),
            "status-text": says.map(|says| &says.status_text),
        })
    });
    json!({
        "gates": gates.collect::<Vec<_>>(),
        "hidden": hidden.collect::<Vec<_>>(),
        "not-kept": overview.missing(),
    })
}

fn seconds(moment: Moment) -> f64 {
    moment.since_boot().as_secs_f64()
}

#[cfg(test)]
pub(crate) mod tests;
