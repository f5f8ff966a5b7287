//! Podman's unit files ("quadlets") → drop-ins for the units that Podman generates from them. Pure.
//!
//! ```text
//! directories ─unit_file, unit, settings─▶ Units ─gates─▶ gate of each ─plan─▶ DropIn
//!                                                 └─pull─▶ ExecStartPre=
//! ```
//!
//! Generators run in parallel, so the output of Podman's generator cannot be read. Which units Podman will
//! make, and what they contain, is derived from the same files by the same rules (podman-systemd.unit(5)). A
//! setting with an error is ignored, and all others count. A file that Podman refuses makes no unit and gets
//! no drop-in.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::config::Problem;
use crate::escape::escape;

pub use crate::platform::systemd::Manager;

pub mod command_line;
mod gates;
mod heal;
mod network;
mod pull;
mod settings;
mod unit;
pub mod unit_file;

use command_line::Argument;
use gates::{Gates, Gating};
pub use heal::OwnUnit;
pub use network::{Attachment, attachments};
pub use settings::is_gate;
use settings::problem;
pub use unit::{Kind, Unit};

/// Every drop-in has this name.
pub const DROP_IN: &str = "50-netready.conf";

/// Podman's unit that every rootless quadlet is ordered after, from Podman 5.3 on.
pub const WAIT_UNIT: &str = "podman-user-wait-network-online.service";

impl Manager {
    /// The gate of this manager's `netready.service`.
    pub fn main_gate(self) -> &'static str {
        match self {
            Manager::System => "default",
            Manager::User => "podman",
        }
    }

    fn gate_unit(self, gate: &str) -> String {
        if gate == self.main_gate() {
            "netready.service".to_owned()
        } else {
            format!("netready@{gate}.service")
        }
    }
}

/// The state of Podman's wait unit in the unit path of the user's service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitUnit {
    /// The wait unit does not exist or is masked, so nothing waits for it.
    Absent,
    /// The wait unit exists, and netready's packaged drop-in makes it wait for the gate.
    Gated,
    /// The wait unit exists, and the administrator or the user has replaced netready's drop-in.
    Replaced,
}

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path of the file, for messages.
    pub path: String,
    /// The text of the file, unchanged.
    pub text: String,
}

/// One directory of Podman's search path, without its subdirectories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Quadlets by file name.
    pub quadlets: BTreeMap<String, Source>,
    /// Drop-ins by the name of their directory (`foo.container.d`), then by their own.
    pub drop_ins: BTreeMap<String, BTreeMap<String, Source>>,
    /// Paths that Podman may read and that were not read here, or not completely.
    pub unread: Vec<String>,
}

/// The files and facts that the drop-ins depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuadletInput {
    /// The service manager whose generator runs.
    pub manager: Manager,
    /// The state of Podman's wait unit. It does not matter to the system's service manager.
    pub wait_unit: WaitUnit,
    /// The path of the `netready` program, for the commands in drop-ins.
    pub netready: String,
    /// The directories of quadlets, in the order in which Podman searches them.
    pub directories: Vec<Directory>,
    /// Names of units that exist in folders above the generated ones. A unit of such a name is not the one
    /// that Podman makes.
    pub taken: BTreeSet<String>,
    /// Paths of unit files that are not quadlets and that name Podman's wait unit.
    pub waiting: Vec<String>,
}

/// A drop-in for a unit that Podman generates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// The name of the unit, such as `foo.service`.
    pub unit: String,
    /// The text of the drop-in.
    pub text: String,
}

impl DropIn {
    /// The path of the drop-in below the generator's output directory.
    pub fn path(&self) -> String {
        format!("{}.d/{DROP_IN}", self.unit)
    }
}

/// The files to write, and the problems of the files that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The drop-ins, ordered by the name of their unit.
    pub drop_ins: Vec<DropIn>,
    /// Units of netready's own that the drop-ins refer to, ordered by name.
    pub units: Vec<OwnUnit>,
    /// The problems, in the order in which the files were read.
    pub problems: Vec<Problem>,
}

/// Decides which drop-ins and units to write for the quadlets.
pub fn plan(input: &QuadletInput) -> Plan {
    let mut problems = Vec::new();
    let unit::Reading { units, not_understood } = unit::read(input, &mut problems);
    let gates = Gates::of(input.manager, &units);
    let takes_over = takes_over(input, &units, &gates, &not_understood, &mut problems);
    let mut own: BTreeMap<String, OwnUnit> = BTreeMap::new();
    let mut drop_ins: Vec<DropIn> = Vec::new();
    for unit in &units {
        let gating = gates.of_unit(unit);
        let healed = healed_gate(input.manager, unit, gating, &mut problems);
        let required = required_gate(input.manager, unit, &gates, &mut problems);
        let parts = Parts::of(input, unit, gating, takes_over, required, &mut problems);
        for service in unit.services() {
            let helper = healed.and_then(|gate| {
                let helper = heal::helper(service)?;
                let units = heal::units(input, &helper, service, gate);
                own.extend(units.into_iter().map(|unit| (unit.name.clone(), unit)));
                Some(heal::lines(&helper, gate))
            });
            let text = parts.text(unit, helper.as_deref());
            drop_ins.extend(text.map(|text| DropIn { unit: service.to_owned(), text }));
        }
    }
    if takes_over {
        drop_ins.push(DropIn { unit: WAIT_UNIT.to_owned(), text: WAITS_FOR_NOTHING.to_owned() });
    }
    drop_ins.extend(shields(input, &units, &drop_ins));
    drop_ins.sort_by(|a, b| a.unit.cmp(&b.unit));
    // A drop-in for all containers is read once for each container, so its problems are found several times.
    let mut said = HashSet::new();
    problems.retain(|problem| said.insert(problem.clone()));
    Plan { drop_ins, units: own.into_values().collect(), problems }
}

/// Makes empty drop-ins. systemd also reads the drop-ins of `app@.service` for `app@x.service`, and so for
/// `app@-volume.service`, which Podman before 5.7 makes of `app@.volume`. A unit without a drop-in of its own
/// gets one of the same name that changes nothing, so that its template's does not apply.
fn shields(input: &QuadletInput, units: &[Unit], written: &[DropIn]) -> Vec<DropIn> {
    let written: HashSet<&str> = written.iter().map(|drop_in| drop_in.unit.as_str()).collect();
    let made = units.iter().flat_map(Unit::services);
    let names: BTreeSet<&str> = made.chain(input.taken.iter().map(String::as_str)).collect();
    let shield = |name: &str| {
        let template = unit::template_of(name)?;
        let text =
            format!("# Made by netready-generator: the settings of {template} do not apply to this unit.\n");
        let reached = written.contains(template.as_str()) && !written.contains(name);
        reached.then(|| DropIn { unit: name.to_owned(), text })
    };
    names.into_iter().filter_map(shield).collect()
}

/// Every unit that Podman will make of these files.
pub fn units(input: &QuadletInput) -> Vec<Unit> {
    unit::read(input, &mut Vec::new()).units
}

/// Whether Podman's wait unit must wait for nothing, because a quadlet that Podman orders after it has
/// another gate. Then only the drop-ins hold quadlets back, so no drop-in may be missing: a quadlet that was
/// not understood would start without any gate, which is worse than without netready. The same is true of a
/// unit that is not a quadlet and that somebody ordered after the wait unit. In these cases the wait unit is
/// left as it is, and a problem says so.
fn takes_over(
    input: &QuadletInput,
    units: &[Unit],
    gates: &Gates,
    not_understood: &[String],
    problems: &mut Vec<Problem>,
) -> bool {
    let main_gate = input.manager.main_gate();
    let wanted = input.manager == Manager::User
        && input.wait_unit == WaitUnit::Gated
        && units.iter().any(|unit| unit.ordered_by_podman() && gates.of_unit(unit).is_other_than(main_gate));
    let unsure = not_understood
        .first()
        .map(|path| (path, "netready cannot tell which unit Podman makes of this file"));
    let waiting = input.waiting.first().map(|path| (path, "this unit names Podman's wait unit"));
    let Some((path, why)) = unsure.or(waiting).filter(|_| wanted) else { return wanted };
    let message = format!(
        "{why}, so {WAIT_UNIT} is left as it is, and quadlets with a gate of their own wait for {main_gate} as well"
    );
    problems.push(Problem { origin: path.clone(), line: None, message });
    false
}

/// The drop-in for Podman's wait unit. Podman orders every quadlet after that unit, and a drop-in cannot
/// remove an After=.
const WAITS_FOR_NOTHING: &str = "\
# Made by netready-generator: a quadlet names a gate of its own, so this unit, which Podman orders every
# quadlet after, waits for nothing; each quadlet is ordered after its own gate instead.

[Service]
ExecStart=
ExecStart=/bin/sh -c :
";

/// The contents of a unit's drop-in, which is written for each name of the unit.
struct Parts {
    /// The unit of the gate that the unit is ordered after.
    after: Option<String>,
    timeout: bool,
    commands: Vec<String>,
}

impl Parts {
    fn of(
        input: &QuadletInput,
        unit: &Unit,
        gating: &Gating,
        takes_over: bool,
        required: Option<&str>,
        problems: &mut Vec<Problem>,
    ) -> Parts {
        let gate = match gating {
            Gating::Nothing | Gating::Refused => None,
            Gating::Unsaid => Some(input.manager.main_gate()),
            Gating::Named(gate) => Some(gate.as_str()),
        };
        let by_wait_unit = input.manager == Manager::User && unit.ordered_by_podman();
        let ordered_after = gate.filter(|gate| match (by_wait_unit, input.wait_unit, gating) {
            (true, WaitUnit::Gated, _) => takes_over || *gate != input.manager.main_gate(),
            (true, WaitUnit::Replaced, Gating::Unsaid) => false,
            (true, WaitUnit::Absent | WaitUnit::Replaced, _) | (false, _, _) => true,
        });
        let mut commands: Vec<Vec<Argument>> = Vec::new();
        if let Some(gate) = required {
            // The gate's own no-carrier-timeout must not end the wait either.
            let words = ["wait", gate, "--timeout", "infinity", "--no-carrier-timeout", "infinity"];
            commands.push(words.map(Argument::plain).to_vec());
        }
        commands.extend(pull::command(unit, &unit.settings, gate, problems));
        let line = |command: Vec<Argument>| {
            let line: Vec<Argument> =
                std::iter::once(Argument::plain(&*input.netready)).chain(command).collect();
            command_line::line(&line)
        };
        Parts {
            after: ordered_after.map(|gate| input.manager.gate_unit(gate)),
            timeout: required.is_some() && needs_no_limit(unit) && !has_a_limit(unit),
            commands: commands.into_iter().map(line).collect(),
        }
    }

    fn text(&self, unit: &Unit, helper: Option<&str>) -> Option<String> {
        let mut text = String::new();
        if self.after.is_some() || helper.is_some() {
            text.push_str("\n[Unit]\n");
        }
        if let Some(gate) = &self.after {
            text.push_str(&format!("Wants={gate}\nAfter={gate}\n"));
        }
        if let Some(helper) = helper {
            text.push_str(helper);
        }
        if !self.commands.is_empty() {
            text.push_str("\n[Service]\n");
            if self.timeout {
                text.push_str("TimeoutStartSec=infinity\n");
            }
            // Without it, systemd ignores EXTEND_TIMEOUT_USEC= and STATUS= of these commands, and ends a
            // start that waits longer than TimeoutStartSec=.
            if !notifies(unit) {
                text.push_str("NotifyAccess=all\n");
            }
        }
        for command in &self.commands {
            text.push_str(&format!("ExecStartPre={command}\n"));
        }
        (!text.is_empty())
            .then(|| format!("# Made by netready-generator from {}\n{text}", escape(&unit.path)))
    }
}

/// Whether a limit of the start would end a wait for good. The unit of a pod sends no notification, so nothing extends the
/// limit. For other units netready does, but systemd forgets that at a daemon-reload, and ends a start that has waited
/// longer than the limit. If systemd then starts the unit again, it waits again. A one-shot has no limit unless it says so.
fn needs_no_limit(unit: &Unit) -> bool {
    let service = |key| unit.file.word("Service", key).unwrap_or_default();
    match unit.kind {
        Kind::Pod => true,
        Kind::Container | Kind::Kube => {
            service("Type") != "oneshot"
                && !matches!(service("Restart"), "always" | "on-failure" | "on-abnormal")
        }
        Kind::Artifact | Kind::Build | Kind::Image | Kind::Network | Kind::Volume => false,
    }
}

/// Whether the quadlet limits the time of its start itself. `TimeoutSec=` stands for `TimeoutStartSec=` and
/// `TimeoutStopSec=`. systemd ignores an empty value.
fn has_a_limit(unit: &Unit) -> bool {
    let keys = ["TimeoutStartSec", "TimeoutSec"];
    unit.file.entries.iter().any(|entry| {
        &*entry.section == "Service" && keys.contains(&entry.key.as_str()) && !entry.value.is_empty()
    })
}

/// Whether Podman itself writes `NotifyAccess=all`: for containers and kube files, unless they have another
/// `Type=` than notify.
fn notifies(unit: &Unit) -> bool {
    match unit.kind {
        Kind::Container | Kind::Kube => unit.file.word("Service", "Type").is_none_or(|kind| kind == "notify"),
        Kind::Artifact | Kind::Build | Kind::Image | Kind::Network | Kind::Pod | Kind::Volume => false,
    }
}

/// The gate that must be open before the unit starts: because the unit says so (`GateRequired=yes`), or all units that use
/// it.
fn required_gate<'a>(
    manager: Manager,
    unit: &Unit,
    gates: &'a Gates,
    problems: &mut Vec<Problem>,
) -> Option<&'a str> {
    let gate = match gates.of_unit(unit) {
        Gating::Named(gate) => Some(gate.as_str()),
        Gating::Unsaid => Some(manager.main_gate()),
        Gating::Refused | Gating::Nothing => None,
    };
    let Some(place) = &unit.settings.required else {
        return gate.filter(|_| gates.is_required_by_users(unit));
    };
    if unit.settings.gate_is_unknown {
        // Do not wait for another gate than the one that was meant: it may never open.
        let message = "GateRequired: ignored, because the value of Gate= is not a gate's name";
        problems.push(problem(place, message));
        return None;
    }
    if gate.is_none() {
        let message =
            format!("GateRequired: there is no gate to require; write Gate={}", manager.main_gate());
        problems.push(problem(place, message));
    }
    gate
}

/// The gate that restarts a unit when it opens, if the unit asks for it (`RestartWhenReady=yes`).
fn healed_gate<'a>(
    manager: Manager,
    unit: &Unit,
    gating: &'a Gating,
    problems: &mut Vec<Problem>,
) -> Option<&'a str> {
    let place = unit.settings.restart.as_ref()?;
    let in_a_pod = unit.kind == Kind::Container && unit.file.word("Container", "Pod").is_some();
    let refusal = match (unit.kind, gating) {
        _ if in_a_pod => "the pod has the network; write this setting into the .pod file".to_owned(),
        (Kind::Artifact | Kind::Build | Kind::Image | Kind::Network | Kind::Volume, _) => {
            format!("a .{} file has no container to restart", unit.kind.extension())
        }
        (Kind::Container | Kind::Kube | Kind::Pod, Gating::Nothing | Gating::Refused) => {
            format!("there is no gate to wait for; write Gate={}", manager.main_gate())
        }
        // With GateRequired=yes the unit starts only when the gate is open, so there is nothing to restart.
        _ if unit.settings.required.is_some() => return None,
        (Kind::Container | Kind::Kube | Kind::Pod, Gating::Named(gate)) => return Some(gate),
        (Kind::Container | Kind::Kube | Kind::Pod, Gating::Unsaid) => return Some(manager.main_gate()),
    };
    // A drop-in for all units of a kind need not fit each of them, so do not complain about those.
    if unit.is_own(place) {
        problems.push(problem(place, format!("RestartWhenReady: {refusal}")));
    }
    None
}

#[cfg(test)]
mod tests;
