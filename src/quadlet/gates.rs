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
    by_name: HashMap<&'a str, Wish>,
}

/// What a unit waits for, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    gating: Gating,
    /// Whether all units that use this one have `GateRequired=yes`. If this one started while the gate is shut and failed,
    /// systemd would not start them at all, because they require it.
    users_require: bool,
}

impl<'a> Gates<'a> {
    /// Decides about all units together, because some inherit the gate of another one.
    pub fn of(manager: Manager, units: &'a [Unit]) -> Gates<'a> {
        let by_name: HashMap<&str, &Unit> = units.iter().map(|unit| (unit.name.as_str(), unit)).collect();
        let users = users(units);
        let of = |unit: &Unit| {
            let alone = |gating| Wish { gating, users_require: false };
            if let Some(gating) = said(unit) {
                return alone(gating);
            }
            if !unit.ordered_by_podman() || !unit.needs_network() || pull::is_local(unit) {
                return alone(Gating::Nothing);
            }
            let (inherited, users_require) = match unit.kind {
                Kind::Container => (pod(unit, &by_name).and_then(said), false),
                Kind::Artifact | Kind::Image | Kind::Build | Kind::Network => {
                    let mut found = Vec::new();
                    wishes_of_users(unit, &users, &by_name, &mut HashSet::new(), &mut found);
                    one(&found)
                }
                Kind::Kube | Kind::Pod | Kind::Volume => (None, false),
            };
            match (inherited, manager) {
                (Some(gating), _) => Wish { gating, users_require },
                (None, Manager::User) => Wish { gating: Gating::Unsaid, users_require },
                (None, Manager::System) => alone(Gating::Nothing),
            }
        };
        Gates { by_name: units.iter().map(|unit| (unit.name.as_str(), of(unit))).collect() }
    }

    /// What a unit waits for.
    pub fn of_unit(&self, unit: &Unit) -> &Gating {
        self.by_name.get(unit.name.as_str()).map_or(&Gating::Nothing, |wish| &wish.gating)
    }

    /// Whether a unit waits for its gate however long that takes, because all units that use it do.
    pub fn is_required_by_users(&self, unit: &Unit) -> bool {
        self.by_name.get(unit.name.as_str()).is_some_and(|wish| wish.users_require)
    }
}

fn said(unit: &Unit) -> Option<Gating> {
    match unit.settings.gate.as_ref()? {
        GateChoice::None => Some(Gating::Refused),
        GateChoice::Named(gate) => Some(Gating::Named(gate.clone())),
    }
}

/// The pod of a container. It is the network of its members, and starts before them.
fn pod<'a>(unit: &Unit, by_name: &HashMap<&str, &'a Unit>) -> Option<&'a Unit> {
    by_name.get(unit.file.word("Container", "Pod")?).copied()
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
    // `lan.network:ip=10.89.7.5` has options behind the name.
    let networks = || {
        let networks = unit.file.every(section, "Network").into_iter();
        networks.map(|network| network.split(':').next().unwrap_or_default().trim_matches('"').to_owned())
    };
    match unit.kind {
        Kind::Container => {
            image().into_iter().chain(volumes()).chain(mounts(&unit.file)).chain(networks()).collect()
        }
        Kind::Build | Kind::Pod => volumes().chain(networks()).collect(),
        Kind::Kube => networks().collect(),
        Kind::Volume if unit.file.word(section, "Driver") == Some("image") => image().into_iter().collect(),
        Kind::Artifact | Kind::Image | Kind::Network | Kind::Volume => Vec::new(),
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

/// What the users of a unit wait for, and whether they require it. If a user is a volume or a build, its own users
/// decide.
fn wishes_of_users<'a>(
    unit: &'a Unit,
    users: &HashMap<String, Vec<&'a Unit>>,
    by_name: &HashMap<&str, &Unit>,
    seen: &mut HashSet<&'a str>,
    found: &mut Vec<(Option<Gating>, bool)>,
) {
    for user in users.get(&unit.name).into_iter().flatten() {
        if !seen.insert(user.name.as_str()) {
            continue;
        }
        let required = user.settings.requires_its_gate();
        match (said(user), user.kind) {
            (Some(gating), _) => found.push((Some(gating), required)),
            (None, Kind::Container) => {
                let pod = pod(user, by_name);
                let required = required || pod.is_some_and(|pod| pod.settings.requires_its_gate());
                found.push((pod.and_then(said), required));
            }
            (None, Kind::Kube | Kind::Pod) => found.push((None, required)),
            (None, Kind::Artifact | Kind::Build | Kind::Image | Kind::Network | Kind::Volume) => {
                wishes_of_users(user, users, by_name, seen, found);
            }
        }
    }
}

/// The gate that all of them have, and whether all of them have one gate and require it.
fn one(found: &[(Option<Gating>, bool)]) -> (Option<Gating>, bool) {
    let Some(((first, _), others)) = found.split_first() else { return (None, false) };
    if !others.iter().all(|(other, _)| other == first) {
        return (None, false);
    }
    (first.clone(), found.iter().all(|(_, required)| *required))
}
