//! Podman's unit files ("quadlets") → drop-ins for the units that Podman generates from them. Pure.
//!
//! ```text
//! directories ─unit_file─▶ Unit ─settings─▶ Settings ─plan─▶ gate of each ─▶ DropIn
//!                                                └─pull─▶ ExecStartPre=
//! ```
//!
//! Generators run side by side, so Podman's output is not there to be read: which units there will be, and
//! what is in them, follows from the same files by the same rules (podman-systemd.unit(5)). A bad setting costs
//! itself and no more; a file that Podman refuses makes no unit and gets no drop-in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::Problem;

mod pull;
mod settings;
pub mod unit_file;
pub mod words;

pub use settings::SECTION;
use settings::{Choice, Settings, problem};
use unit_file::UnitFile;
use words::Word;

/// Every drop-in has this name.
pub const DROP_IN: &str = "50-netready.conf";

/// Podman's unit that every rootless quadlet is ordered after, from Podman 5.3 on.
pub const WAIT_UNIT: &str = "podman-user-wait-network-online.service";

/// Which service manager asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// The system's.
    System,
    /// A user's.
    User,
}

impl Manager {
    /// The gate of this manager's `netready.service`.
    fn main_gate(self) -> &'static str {
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

/// Podman's wait unit in the user unit path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitUnit {
    /// It is not there or masked: Podman orders nothing after it that would wait.
    Absent,
    /// It is there, and netready's packaged drop-in makes it wait for the gate.
    Gated,
    /// It is there, and the administrator or the user has replaced netready's drop-in.
    Replaced,
}

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// For complaints.
    pub path: String,
    /// As it stands there.
    pub text: String,
}

/// One directory of Podman's search path, without its subdirectories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Quadlets by file name.
    pub quadlets: BTreeMap<String, Source>,
    /// Drop-ins by the name of their directory (`foo.container.d`), then by their own.
    pub drop_ins: BTreeMap<String, BTreeMap<String, Source>>,
}

/// What the drop-ins depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Who asks.
    pub manager: Manager,
    /// Of no meaning in the system manager.
    pub wait_unit: WaitUnit,
    /// The program's path.
    pub netready: String,
    /// In the order in which Podman searches them.
    pub directories: Vec<Directory>,
    /// Units of these names stand above the generated ones, so theirs are not Podman's.
    pub taken: BTreeSet<String>,
}

/// One drop-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// `foo.service`
    pub unit: String,
    /// What to write.
    pub text: String,
}

impl DropIn {
    /// Below the generator's output directory.
    pub fn path(&self) -> String {
        format!("{}.d/{DROP_IN}", self.unit)
    }
}

/// What to write, and what is wrong with what was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// By unit.
    pub drop_ins: Vec<DropIn>,
    /// In the order in which the files were read.
    pub problems: Vec<Problem>,
}

/// Podman's kinds of unit files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `.artifact`
    Artifact,
    /// `.build`
    Build,
    /// `.container`
    Container,
    /// `.image`
    Image,
    /// `.kube`
    Kube,
    /// `.network`
    Network,
    /// `.pod`
    Pod,
    /// `.volume`
    Volume,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Artifact,
        Kind::Build,
        Kind::Container,
        Kind::Image,
        Kind::Kube,
        Kind::Network,
        Kind::Pod,
        Kind::Volume,
    ];

    /// Of the file's name; `None` where it is no quadlet's.
    pub fn of(file_name: &str) -> Option<Kind> {
        let (stem, extension) = file_name.rsplit_once('.')?;
        Kind::ALL.into_iter().find(|kind| kind.extension() == extension && !stem.is_empty())
    }

    fn extension(self) -> &'static str {
        match self {
            Kind::Artifact => "artifact",
            Kind::Build => "build",
            Kind::Container => "container",
            Kind::Image => "image",
            Kind::Kube => "kube",
            Kind::Network => "network",
            Kind::Pod => "pod",
            Kind::Volume => "volume",
        }
    }

    fn section(self) -> &'static str {
        match self {
            Kind::Artifact => "Artifact",
            Kind::Build => "Build",
            Kind::Container => "Container",
            Kind::Image => "Image",
            Kind::Kube => "Kube",
            Kind::Network => "Network",
            Kind::Pod => "Pod",
            Kind::Volume => "Volume",
        }
    }

    /// What Podman puts between the file's stem and `.service`.
    fn suffix(self) -> &'static str {
        match self {
            Kind::Container | Kind::Kube => "",
            Kind::Artifact => "-artifact",
            Kind::Build => "-build",
            Kind::Image => "-image",
            Kind::Network => "-network",
            Kind::Pod => "-pod",
            Kind::Volume => "-volume",
        }
    }

    /// `podman network create` and `podman volume create` touch no network, and the containers that need
    /// them would wait for their gate.
    fn needs_network(self) -> bool {
        match self {
            Kind::Network | Kind::Volume => false,
            Kind::Artifact | Kind::Build | Kind::Container | Kind::Image | Kind::Kube | Kind::Pod => true,
        }
    }
}

/// One quadlet with its drop-ins.
#[derive(Debug)]
struct Unit {
    name: String,
    kind: Kind,
    path: String,
    /// `foo.service`
    service: String,
    file: UnitFile,
    settings: Settings,
}

/// What a unit waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Gating {
    /// Nothing, without having said so: the system manager's way, or nothing to wait for.
    Nothing,
    /// Nothing, in so many words.
    Refused,
    /// The manager's own gate, without having said so.
    Unsaid,
    /// This gate, in so many words or in those of the unit that it belongs to.
    Named(String),
}

/// Makes the drop-ins.
pub fn plan(input: &Input) -> Plan {
    let mut problems = Vec::new();
    let units = units(input, &mut problems);
    let gates = Gates::of(input.manager, &units);
    let takes_over = input.manager == Manager::User
        && input.wait_unit == WaitUnit::Gated
        && units.iter().any(|unit| {
            unit.ordered_by_podman() && gates.of_unit(unit).is_other_than(input.manager.main_gate())
        });
    let mut drop_ins: Vec<DropIn> = units
        .iter()
        .filter_map(|unit| drop_in(input, unit, gates.of_unit(unit), takes_over, &mut problems))
        .collect();
    if takes_over {
        drop_ins.push(DropIn { unit: WAIT_UNIT.to_owned(), text: WAITS_FOR_NOTHING.to_owned() });
    }
    drop_ins.sort_by(|a, b| a.unit.cmp(&b.unit));
    Plan { drop_ins, problems }
}

/// Podman orders every quadlet after its wait unit, and an After= cannot be taken back.
const WAITS_FOR_NOTHING: &str = "\
# Made by netready-generator: a quadlet names a gate of its own, so this unit, which Podman orders every
# quadlet after, waits for nothing; each quadlet is ordered after its own gate instead.

[Service]
ExecStart=
ExecStart=/bin/sh -c :
";

fn units(input: &Input, problems: &mut Vec<Problem>) -> Vec<Unit> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut services: HashMap<String, String> = HashMap::new();
    let mut units = Vec::new();
    for directory in &input.directories {
        for (name, source) in &directory.quadlets {
            let Some(kind) = Kind::of(name) else { continue };
            if seen.contains(name.as_str()) {
                continue;
            }
            let mut file = match unit_file::read(&source.path, &source.text) {
                Ok(file) => file,
                // Podman takes the next file of this name then.
                Err(refused) => {
                    problems.push(refusal(&refused));
                    continue;
                }
            };
            seen.insert(name);
            // A link to /dev/null: no unit, and none of the directories below.
            if file.entries.is_empty() {
                continue;
            }
            for source in drop_ins_of(name, &input.directories) {
                match unit_file::read(&source.path, &source.text) {
                    Ok(drop_in) => file.read_over(drop_in),
                    Err(refused) => problems.push(refusal(&refused)),
                }
            }
            let service = match service(name, kind, &file) {
                Ok(service) => service,
                Err(message) => {
                    problems.push(Problem { origin: source.path.clone(), line: None, message });
                    continue;
                }
            };
            if input.taken.contains(&service) {
                continue;
            }
            if let Some(other) = services.insert(service.clone(), source.path.clone()) {
                let message = format!("{service} is made from {other} already");
                problems.push(Problem { origin: source.path.clone(), line: None, message });
                continue;
            }
            let settings = if kind.needs_network() {
                settings::read(&file, problems)
            } else {
                if let Some(header) = file.headers.iter().find(|header| &*header.name == SECTION) {
                    let message = format!("[{SECTION}]: a .{} file needs no network", kind.extension());
                    problems.push(problem(&header.place, message));
                }
                Settings::default()
            };
            let path = source.path.clone();
            units.push(Unit { name: name.clone(), kind, path, service, file, settings });
        }
    }
    units
}

fn refusal(refused: &unit_file::Refused) -> Problem {
    problem(&refused.place, "Podman refuses this file: the line is no section, no key=value and no comment")
}

/// The drop-ins of a quadlet, in the order in which they are read: by name; of the same name, the one of the
/// directory that is the most special, then of the first directory.
fn drop_ins_of<'a>(name: &str, directories: &'a [Directory]) -> Vec<&'a Source> {
    let mut found: BTreeMap<&str, &Source> = BTreeMap::new();
    for folder in drop_in_folders(name) {
        for directory in directories {
            for (name, source) in directory.drop_ins.get(&folder).into_iter().flatten() {
                found.entry(name).or_insert(source);
            }
        }
    }
    found.into_values().collect()
}

/// `a-b@c.container`: `a-b@c.container.d`, `a-b@.container.d`, `a-@.container.d`, `a-.container.d`, `container.d`.
fn drop_in_folders(name: &str) -> Vec<String> {
    let Some((stem, extension)) = name.rsplit_once('.') else { return Vec::new() };
    let (base, instance) = match stem.split_once('@') {
        Some((base, instance)) => (base, Some(instance)),
        None => (stem, None),
    };
    let mut folders = vec![format!("{name}.d")];
    if instance.is_some_and(|instance| !instance.is_empty()) {
        folders.push(format!("{base}@.{extension}.d"));
    }
    for (at, _) in base.rmatch_indices('-') {
        let truncated = base.get(..=at).unwrap_or_default();
        if instance.is_some() {
            folders.push(format!("{truncated}@.{extension}.d"));
        }
        folders.push(format!("{truncated}.{extension}.d"));
    }
    folders.push(format!("{extension}.d"));
    folders
}

fn service(name: &str, kind: Kind, file: &UnitFile) -> Result<String, String> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let service = match file.word(kind.section(), "ServiceName") {
        Some(service) => service.to_owned(),
        None => format!("{stem}{}", kind.suffix()),
    };
    let prefix = service.split('@').next().unwrap_or_default();
    // systemd reads foo-.service.d/ for every unit whose name begins with foo-.
    let reaches_others = prefix.is_empty() || prefix.ends_with('-');
    if reaches_others || service.contains('/') || service.starts_with('.') || service.len() > 240 {
        return Err(format!(
            "{service:?} is no unit's name that can have a drop-in of its own; it gets none"
        ));
    }
    Ok(format!("{service}.service"))
}

impl Unit {
    /// Whether Podman orders the unit after its wait unit (network-online.target in the system manager).
    fn ordered_by_podman(&self) -> bool {
        self.file.switch("Quadlet", "DefaultDependencies").unwrap_or(true)
    }
}

impl Gating {
    fn is_other_than(&self, gate: &str) -> bool {
        match self {
            Gating::Nothing | Gating::Unsaid => false,
            Gating::Refused => true,
            Gating::Named(name) => name != gate,
        }
    }
}

/// The gate of each unit by the quadlet's file name.
struct Gates<'a> {
    by_name: HashMap<&'a str, Gating>,
}

impl<'a> Gates<'a> {
    fn of(manager: Manager, units: &'a [Unit]) -> Gates<'a> {
        let by_name: HashMap<&str, &Unit> = units.iter().map(|unit| (unit.name.as_str(), unit)).collect();
        // What uses an image needs it first, so an image without a gate of its own has its users' gate.
        let mut users: HashMap<&str, Vec<Option<Gating>>> = HashMap::new();
        for unit in units.iter().filter(|unit| unit.kind == Kind::Container) {
            if let Some(image) = unit.file.word("Container", "Image") {
                users.entry(image).or_default().push(said(unit).or_else(|| of_pod(unit, &by_name)));
            }
        }
        let of = |unit: &Unit| {
            if let Some(gating) = said(unit) {
                return gating;
            }
            if !unit.ordered_by_podman() || !unit.kind.needs_network() {
                return Gating::Nothing;
            }
            let inherited = match unit.kind {
                Kind::Container => of_pod(unit, &by_name),
                Kind::Image | Kind::Build => users.get(unit.name.as_str()).and_then(|users| one(users)),
                Kind::Artifact | Kind::Kube | Kind::Network | Kind::Pod | Kind::Volume => None,
            };
            match (inherited, manager) {
                (Some(gating), _) => gating,
                (None, Manager::User) => Gating::Unsaid,
                (None, Manager::System) => Gating::Nothing,
            }
        };
        Gates { by_name: units.iter().map(|unit| (unit.name.as_str(), of(unit))).collect() }
    }

    fn of_unit(&self, unit: &Unit) -> &Gating {
        self.by_name.get(unit.name.as_str()).unwrap_or(&Gating::Nothing)
    }
}

fn said(unit: &Unit) -> Option<Gating> {
    match unit.settings.gate.as_ref()? {
        Choice::None => Some(Gating::Refused),
        Choice::Named(gate) => Some(Gating::Named(gate.clone())),
    }
}

/// A pod is the network of its members, and starts before them.
fn of_pod(unit: &Unit, by_name: &HashMap<&str, &Unit>) -> Option<Gating> {
    said(by_name.get(unit.file.word("Container", "Pod")?)?)
}

fn one(gatings: &[Option<Gating>]) -> Option<Gating> {
    let (first, others) = gatings.split_first()?;
    if others.iter().all(|other| other == first) { first.clone() } else { None }
}

fn drop_in(
    input: &Input,
    unit: &Unit,
    gating: &Gating,
    takes_over: bool,
    problems: &mut Vec<Problem>,
) -> Option<DropIn> {
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
    let required = required_gate(input.manager, unit, gating, problems);
    let pull = pull::command(unit, &unit.settings, gate, problems);

    let mut text = String::new();
    if let Some(gate) = ordered_after {
        let gate = input.manager.gate_unit(gate);
        text.push_str(&format!("\n[Unit]\nWants={gate}\nAfter={gate}\n"));
    }
    let mut commands: Vec<Vec<Word>> = Vec::new();
    if let Some(gate) = required {
        // A gate's own no-carrier-timeout would end the wait too.
        let words = ["wait", gate, "--timeout", "infinity", "--no-carrier-timeout", "infinity"];
        commands.push(words.map(Word::plain).to_vec());
    }
    commands.extend(pull);
    if !commands.is_empty() {
        text.push_str("\n[Service]\n");
    }
    // Podman makes a pod's unit Type=forking, which takes no EXTEND_TIMEOUT_USEC from a command.
    if required.is_some() && unit.kind == Kind::Pod && unit.file.last("Service", "TimeoutStartSec").is_none()
    {
        text.push_str("TimeoutStartSec=infinity\n");
    }
    for command in commands {
        let line: Vec<Word> = std::iter::once(Word::plain(&*input.netready)).chain(command).collect();
        text.push_str(&format!("ExecStartPre={}\n", words::line(&line)));
    }
    if text.is_empty() {
        return None;
    }
    let text = format!("# Made by netready-generator from {}\n{text}", unit.path.escape_debug());
    Some(DropIn { unit: unit.service.clone(), text })
}

fn required_gate<'a>(
    manager: Manager,
    unit: &Unit,
    gating: &'a Gating,
    problems: &mut Vec<Problem>,
) -> Option<&'a str> {
    let place = unit.settings.required.as_ref()?;
    match gating {
        Gating::Named(gate) => Some(gate),
        Gating::Unsaid => Some(manager.main_gate()),
        Gating::Refused | Gating::Nothing => {
            let message =
                format!("GateRequired: there is no gate to require; write Gate={}", manager.main_gate());
            problems.push(problem(place, message));
            None
        }
    }
}

#[cfg(test)]
mod tests;
