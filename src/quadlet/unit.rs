//! Which units Podman will generate: which files it takes, with which drop-ins, under which names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::Problem;

use super::settings::{self, SECTION, Settings, problem};
use super::unit_file::{self, UnitFile};
use super::{Directory, Input, Source};

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

    /// Without its dot.
    pub fn extension(self) -> &'static str {
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

    /// The section that Podman reads.
    pub fn section(self) -> &'static str {
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
    pub fn needs_network(self) -> bool {
        match self {
            Kind::Network | Kind::Volume => false,
            Kind::Artifact | Kind::Build | Kind::Container | Kind::Image | Kind::Kube | Kind::Pod => true,
        }
    }
}

/// One quadlet with its drop-ins.
#[derive(Debug)]
pub struct Unit {
    /// The quadlet's file name.
    pub name: String,
    /// Of its name.
    pub kind: Kind,
    /// Of the quadlet, for complaints.
    pub path: String,
    /// `foo.service`
    pub service: String,
    /// With its drop-ins.
    pub file: UnitFile,
    /// Of its section.
    pub settings: Settings,
}

/// Every unit that Podman will generate, as far as this can be told from here.
pub fn units(input: &Input, problems: &mut Vec<Problem>) -> Vec<Unit> {
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
pub(super) fn drop_in_folders(name: &str) -> Vec<String> {
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
    /// The gate that it names.
    pub fn gate(&self) -> Option<&str> {
        match self.settings.gate.as_ref()? {
            settings::Choice::Named(gate) => Some(gate),
            settings::Choice::None => None,
        }
    }

    /// Whether Podman orders the unit after its wait unit (network-online.target in the system manager).
    pub fn ordered_by_podman(&self) -> bool {
        self.file.switch("Quadlet", "DefaultDependencies").unwrap_or(true)
    }
}
