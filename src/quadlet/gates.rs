//! Which gate each unit waits for: its own, that of the unit it belongs to, or its manager's.

use std::collections::HashMap;

use super::Manager;
use super::settings::Choice;
use super::unit::{Kind, Unit};

/// What a unit waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gating {
    /// Nothing, without having said so: the system manager's way, or nothing to wait for.
    Nothing,
    /// Nothing, in so many words.
    Refused,
    /// The manager's own gate, without having said so.
    Unsaid,
    /// This gate, in so many words or in those of the unit that it belongs to.
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
    /// Of all units at once: some have the gate of another.
    pub fn of(manager: Manager, units: &'a [Unit]) -> Gates<'a> {
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

    /// What this one waits for.
    pub fn of_unit(&self, unit: &Unit) -> &Gating {
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
