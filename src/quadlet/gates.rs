//! Which gate each unit waits for: its own, that of the unit it belongs to, or its manager's.

use std::collections::{HashMap, HashSet};

use super::settings::GateChoice;
use super::unit::{Kind, Unit};
use super::unit_file::UnitFile;
use super::{Manager, command_line, pull};

/// What a unit waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gating {
    /// The unit does not name a gate, and waits for none: so in the system's service manager, and for units
    /// that need no network.
    Nothing,
    /// The unit says that it waits for no gate (`Gate=none`).
    Refused,
    /// The unit does not name a gate, and waits for the main gate of its service manager.
    Unsaid,
    /// The unit, or the unit that it belongs to, names this gate.
    Named(String),
}

impl Gating {
    /// Whether a unit ordered after this manager's gate would wait for what it should not.
    pub fn is_other_than(&self, gate: &str) -> bool {
        match self {
            Gating::Nothing | Gating::Unsaid => false,
            Gating::Refused => true,
            Gating::Named(name) => name != gate,
        }
    }
}

/// The gate of each unit by the quadlet's file name.
pub struct Gates<'a> {
    by_name: HashMap<&'a str, Gating>,
}

impl<'a> Gates<'a> {
    /// Decides about all units together, because some inherit the gate of another one.
    pub fn of(manager: Manager, units: &'a [Unit]) -> Gates<'a> {
        let by_name: HashMap<&str, &Unit> = units.iter().map(|unit| (unit.name.as_str(), unit)).collect();
        let users = users(units);
        let of = |unit: &Unit| {
            if let Some(gating) = said(unit) {
                return gating;
            }
            if !unit.ordered_by_podman() || !unit.kind.needs_network() || pull::is_local(unit) {
                return Gating::Nothing;
            }
            let inherited = match unit.kind {
                Kind::Container => of_pod(unit, &by_name),
                Kind::Artifact | Kind::Image | Kind::Build => {
                    let mut gatings = Vec::new();
                    gatings_of_users(unit, &users, &by_name, &mut HashSet::new(), &mut gatings);
                    one(&gatings)
                }
                Kind::Kube | Kind::Network | Kind::Pod | Kind::Volume => None,
            };
            match (inherited, manager) {
                (Some(gating), _) => gating,
                (None, Manager::User) => Gating::Unsaid,
                (None, Manager::System) => Gating::Nothing,
            }
        };
        Gates { by_name: units.iter().map(|unit| (unit.name.as_str(), of(unit))).collect() }
    }

    /// What a unit waits for.
    pub fn of_unit(&self, unit: &Unit) -> &Gating {
        self.by_name.get(unit.name.as_str()).unwrap_or(&Gating::Nothing)
    }
}

fn said(unit: &Unit) -> Option<Gating> {
    match unit.settings.gate.as_ref()? {
        GateChoice::None => Some(Gating::Refused),
        GateChoice::Named(gate) => Some(Gating::Named(gate.clone())),
    }
}

/// A pod is the network of its members, and starts before them.
fn of_pod(unit: &Unit, by_name: &HashMap<&str, &Unit>) -> Option<Gating> {
    said(by_name.get(unit.file.word("Container", "Pod")?)?)
}

/// For the name of each quadlet, the units that name it.
fn users(units: &[Unit]) -> HashMap<String, Vec<&Unit>> {
    let mut users: HashMap<String, Vec<&Unit>> = HashMap::new();
    for unit in units {
        for name in needs(unit) {
            users.entry(name).or_default().push(unit);
        }
    }
    users
}

/// The quadlets that a unit is made of. Podman makes the unit require theirs.
fn needs(unit: &Unit) -> Vec<String> {
    let section = unit.kind.section();
    let image = || unit.file.word(section, "Image").map(str::to_owned);
    let volumes = || {
        let volumes = unit.file.every(section, "Volume").into_iter();
        volumes.map(|volume| volume.split(':').next().unwrap_or_default().trim_matches('"').to_owned())
    };
    match unit.kind {
        Kind::Container => image().into_iter().chain(volumes()).chain(mounts(&unit.file)).collect(),
        Kind::Build | Kind::Pod => volumes().collect(),
        Kind::Volume if unit.file.word(section, "Driver") == Some("image") => image().into_iter().collect(),
        Kind::Artifact | Kind::Image | Kind::Kube | Kind::Network | Kind::Volume => Vec::new(),
    }
}

/// The sources that `Mount=` names, as in `type=image,source=x.image,destination=/x`; `src=` is the same as
/// `source=`.
fn mounts(file: &UnitFile) -> Vec<String> {
    let words = file.every("Container", "Mount").into_iter().filter_map(command_line::split).flatten();
    let sources = words.flat_map(|mount| {
        let options = mount.split(',').map(|option| option.trim().trim_matches('"').to_owned());
        options.collect::<Vec<_>>()
    });
    sources
        .filter_map(|option| {
            let (key, value) = option.split_once('=')?;
            (key == "source" || key == "src").then(|| value.to_owned())
        })
        .collect()
}

/// What the users of a unit wait for. If a user is a volume or a build, its own users decide.
fn gatings_of_users<'a>(
    unit: &'a Unit,
    users: &HashMap<String, Vec<&'a Unit>>,
    by_name: &HashMap<&str, &Unit>,
    seen: &mut HashSet<&'a str>,
    gatings: &mut Vec<Option<Gating>>,
) {
    for user in users.get(&unit.name).into_iter().flatten() {
        if !seen.insert(user.name.as_str()) {
            continue;
        }
        match (said(user), user.kind) {
            (Some(gating), _) => gatings.push(Some(gating)),
            (None, Kind::Container) => gatings.push(of_pod(user, by_name)),
            (None, Kind::Kube | Kind::Pod) => gatings.push(None),
            (None, Kind::Artifact | Kind::Build | Kind::Image | Kind::Network | Kind::Volume) => {
                gatings_of_users(user, users, by_name, seen, gatings);
            }
        }
    }
}

fn one(gatings: &[Option<Gating>]) -> Option<Gating> {
    let (first, others) = gatings.split_first()?;
    if others.iter().all(|other| other == first) { first.clone() } else { None }
}
