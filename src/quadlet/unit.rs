//! Which units Podman will generate: which files it takes, with which drop-ins, under which names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::Problem;
use crate::escape::escape;

use super::settings::{self, SECTION, Settings, problem};
use super::unit_file::{self, Location, UnitFile};
use super::{Directory, QuadletInput, Source, WAIT_UNIT};

/// Podman's kinds of unit files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `.artifact`: an OCI artifact to pull.
    Artifact,
    /// `.build`: an image to build.
    Build,
    /// `.container`: a container to run.
    Container,
    /// `.image`: an image to pull.
    Image,
    /// `.kube`: a Kubernetes YAML file to run.
    Kube,
    /// `.network`: a network to create.
    Network,
    /// `.pod`: a pod to run.
    Pod,
    /// `.volume`: a volume to create.
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

    /// The kind that a file name tells. `None` if it is not the name of a quadlet.
    pub fn of(file_name: &str) -> Option<Kind> {
        let (stem, extension) = file_name.rsplit_once('.')?;
        Kind::ALL.into_iter().find(|kind| kind.extension() == extension && !stem.is_empty())
    }

    /// The extension of its files, without the dot.
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

    /// Whether Podman makes no unit of a file without any key in its section. Pods, networks and volumes need
    /// no key.
    pub fn needs_keys(self) -> bool {
        match self {
            Kind::Network | Kind::Pod | Kind::Volume => false,
            Kind::Artifact | Kind::Build | Kind::Container | Kind::Image | Kind::Kube => true,
        }
    }

    /// Whether units of this kind need the network. `podman volume create` needs none, and `podman network create` only
    /// for the drivers in [`Unit::needs_network`]. The containers that use the volume or network wait for their gate.
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
    /// The kind, which the extension of the name tells.
    pub kind: Kind,
    /// The path of the quadlet, for messages.
    pub path: String,
    /// The name of the unit that Podman makes of the quadlet, such as `foo.service`.
    pub service: String,
    /// The name of a template's unit from Podman 5.7 on, where it is another one: `foo-image@.service`
    /// instead of `foo@-image.service`.
    pub service_since_5_7: Option<String>,
    /// The quadlet with its drop-ins read over it.
    pub file: UnitFile,
    /// What its section `[X-Netready]` says.
    pub settings: Settings,
}

/// The result of reading all quadlets.
#[derive(Debug, Default)]
pub struct Reading {
    /// Every unit that Podman will generate, as far as this can be told from here.
    pub units: Vec<Unit>,
    /// Paths of files of which Podman may make units that are missing here, or that differ from those here.
    pub not_understood: Vec<String>,
}

/// Reads all quadlets with their drop-ins.
pub fn read(input: &QuadletInput, problems: &mut Vec<Problem>) -> Reading {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut services: HashMap<String, String> = HashMap::new();
    let mut units = Vec::new();
    let mut not_understood = Vec::new();
    for directory in &input.directories {
        not_understood.extend(directory.unread.iter().cloned());
        for (name, source) in &directory.quadlets {
            let Some(kind) = Kind::of(name) else { continue };
            if seen.contains(name.as_str()) {
                continue;
            }
            let mut file = match unit_file::read(&source.path, &source.text) {
                Ok(file) => file,
                // In this case Podman takes the next file with this name.
                Err(refused) => {
                    problems.push(refusal(&refused, source));
                    not_understood.push(source.path.clone());
                    continue;
                }
            };
            seen.insert(name);
            for source in drop_ins_of(name, &input.directories) {
                match unit_file::read(&source.path, &source.text) {
                    Ok(drop_in) => file.read_over(drop_in),
                    Err(refused) => problems.push(refusal(&refused, source)),
                }
            }
            // A link to /dev/null does the same: it makes no unit, and hides the files with this name in
            // later folders.
            if kind.needs_keys() && !file.has_keys(kind.section()) {
                continue;
            }
            let service = match service(name, kind, &file) {
                Ok(service) => service,
                Err(message) => {
                    problems.push(Problem { origin: source.path.clone(), line: None, message });
                    not_understood.push(source.path.clone());
                    continue;
                }
            };
            // Somebody wrote a unit of this name. It may be a copy of Podman's, with the same dependencies.
            if input.taken.contains(&service) {
                not_understood.push(source.path.clone());
                continue;
            }
            if let Some(other) = services.insert(service.clone(), source.path.clone()) {
                let message = format!("{service} is made from {other} already");
                problems.push(Problem { origin: source.path.clone(), line: None, message });
                not_understood.push(source.path.clone());
                continue;
            }
            let settings = settings_of(kind, &file, problems);
            let path = source.path.clone();
            let service_since_5_7 = service_since_5_7(name, kind, &file);
            units.push(Unit { name: name.clone(), kind, path, service, service_since_5_7, file, settings });
        }
    }
    for unit in &mut units {
        // If another quadlet has this name in every version of Podman, it keeps the name.
        let taken = |name: &String| services.contains_key(name) || input.taken.contains(name);
        unit.service_since_5_7 = unit.service_since_5_7.take().filter(|name| !taken(name));
    }
    Reading { units, not_understood }
}

/// What the quadlet says in netready's section. A unit that needs no network can say nothing there.
fn settings_of(kind: Kind, file: &UnitFile, problems: &mut Vec<Problem>) -> Settings {
    if needs_network(kind, file) {
        return settings::read(file, problems);
    }
    if let Some(header) = file.headers.iter().find(|header| &*header.name == SECTION) {
        let unless = match kind == Kind::Network {
            true => ", unless its Driver= is macvlan or ipvlan",
            false => "",
        };
        let message = format!("[{SECTION}]: a .{} file needs no network{unless}", kind.extension());
        problems.push(problem(&header.place, message));
    }
    Settings::default()
}

fn refusal(refused: &unit_file::RefusedLine, source: &Source) -> Problem {
    let why = match refused.place.line == 1 && source.text.starts_with('\u{feff}') {
        true => "it begins with a byte order mark; save it without one",
        false => "the line is not a section, a key=value or a comment",
    };
    problem(&refused.place, format!("Podman refuses this file: {why}"))
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
    if !can_have_a_drop_in(&service) {
        let service = escape(&service);
        return Err(format!("\"{service}\" is not a unit name that can have a drop-in, so it gets none"));
    }
    let service = format!("{service}.service");
    match belongs_to(&service) {
        Some(owner) => Err(format!(
            "{service} is the name of a unit of {owner}, which this one would replace; rename the file, or write ServiceName="
        )),
        None => Ok(service),
    }
}

/// Who has a unit of this name already. A generated unit takes precedence over a packaged one.
fn belongs_to(service: &str) -> Option<&'static str> {
    let of_gates = service == "netready.service" || service.starts_with("netready@");
    if of_gates || service.starts_with("netready-restart-") {
        return Some("netready");
    }
    (service == WAIT_UNIT).then_some("Podman")
}

/// Podman 5.7 puts what it adds to a template's name before the `@`, where systemd looks for a template's.
fn service_since_5_7(name: &str, kind: Kind, file: &UnitFile) -> Option<String> {
    let (stem, _) = name.rsplit_once('.')?;
    let template = stem.strip_suffix('@').filter(|_| !kind.suffix().is_empty())?;
    if file.word(kind.section(), "ServiceName").is_some() {
        return None;
    }
    let service = format!("{template}{}@", kind.suffix());
    can_have_a_drop_in(&service).then(|| format!("{service}.service"))
}

/// The longest name without `.service` whose drop-in's folder and helper have names that are short enough.
const LONGEST: usize = 240;

/// Whether a name is valid for a unit (systemd.unit(5)), is a plain file name, and is not a prefix of other
/// units' names.
fn can_have_a_drop_in(service: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    let prefix = service.split('@').next().unwrap_or_default();
    // systemd reads foo-.service.d/ for every unit whose name begins with foo-.
    let reaches_others = prefix.is_empty() || prefix.ends_with('-');
    !reaches_others && !service.starts_with('.') && service.len() <= LONGEST && service.chars().all(allowed)
}

/// `app@.service` of `app@x.service`, where both can have drop-ins of their own.
pub fn template_of(service: &str) -> Option<String> {
    let name = service.strip_suffix(".service").filter(|name| can_have_a_drop_in(name))?;
    let (template, _) = name.split_once('@').filter(|(_, instance)| !instance.is_empty())?;
    Some(format!("{template}@.service"))
}

/// `podman network create` refuses a macvlan or ipvlan whose parent link does not exist yet (`parent interface e0 does not
/// exist`). Podman makes the containers require the network's unit, so they do not start either.
fn needs_network(kind: Kind, file: &UnitFile) -> bool {
    let on_a_link = || matches!(file.word(kind.section(), "Driver"), Some("macvlan" | "ipvlan"));
    kind.needs_network() || (kind == Kind::Network && on_a_link())
}

impl Unit {
    /// Whether the unit needs the network when it starts: each kind that does, and networks on a link of the host.
    pub fn needs_network(&self) -> bool {
        needs_network(self.kind, &self.file)
    }

    /// The gate that its `Gate=` names.
    pub fn gate(&self) -> Option<&str> {
        match self.settings.gate.as_ref()? {
            settings::GateChoice::Named(gate) => Some(gate),
            settings::GateChoice::None => None,
        }
    }

    /// The names of its service: each name that some version of Podman gives it.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.service.as_str()).chain(self.service_since_5_7.as_deref())
    }

    /// Whether a line is about this unit only: it is in the quadlet, or in a drop-in that is named after the
    /// quadlet.
    pub fn is_own(&self, place: &Location) -> bool {
        let folder = place.file.rsplit('/').nth(1).and_then(|folder| folder.strip_suffix(".d"));
        *place.file == *self.path || folder == Some(self.name.as_str())
    }

    /// Whether the unit is ordered after Podman's wait unit (network-online.target in the system manager): by Podman,
    /// or by an `After=` of its own.
    pub fn ordered_by_podman(&self) -> bool {
        self.file.switch("Quadlet", "DefaultDependencies").unwrap_or(true) || self.is_after(WAIT_UNIT)
    }

    /// An empty `After=` does not clear the list, so every line counts (systemd.unit(5)).
    fn is_after(&self, other: &str) -> bool {
        let lines =
            self.file.entries.iter().filter(|entry| &*entry.section == "Unit" && entry.key == "After");
        lines.flat_map(|entry| entry.value.split_whitespace()).any(|name| name.trim_matches('"') == other)
    }
}
