//! Finds gate files: in the directories, with their drop-ins and masks, and the built-in gates.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::keys;
use super::{
    ConfigError, Environment, GateRequest, KnownLinks, NoLinks, Options, Part, Problem, in_place_of_state,
    is_glob, nearest, printable,
};
use crate::files;
use crate::overview::{GateSource, ListedGate, Listing, Origin};
use crate::platform::xdg;

/// The directories of gates for all users. The first one that has the file wins.
const DIRECTORIES: [(&str, Origin); 4] = [
    ("/etc/netready", Origin::System),
    ("/run/netready", Origin::Runtime),
    ("/usr/local/lib/netready", Origin::Local),
    ("/usr/lib/netready", Origin::Packaged),
];

/// The gates that are used if no directory has their file. The packages install the same texts in /usr/lib/netready.
const BUILT_IN: [(&str, &str); 2] = [
    ("default", include_str!("../../gates/default.toml")),
    ("podman", include_str!("../../gates/podman.toml")),
];

/// The texts that make up a gate: its file and the drop-ins.
#[derive(Debug)]
pub struct GateTexts {
    /// The name of the gate. If a file was named by its path, this is the file's name without suffix.
    pub name: String,
    /// The gate's own text first, then its drop-ins in the order in which they are applied.
    pub parts: Vec<Part>,
}

/// Why the texts of a gate cannot be read.
#[derive(Debug)]
pub struct FindError {
    /// The kind of the error.
    pub kind: FindErrorKind,
    /// All problems, those of the gate's own file first. Never empty.
    pub problems: Vec<Problem>,
}

/// The kinds of [`FindError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindErrorKind {
    /// No directory has a file for the gate, and it is not built in.
    Missing,
    /// The gate's file is a link to /dev/null.
    Masked,
    /// A file of the gate cannot be read.
    Unreadable,
}

impl FindError {
    fn new(kind: FindErrorKind, problem: Problem) -> FindError {
        FindError { kind, problems: vec![problem] }
    }
}

impl From<FindError> for ConfigError {
    fn from(error: FindError) -> ConfigError {
        ConfigError { problems: error.problems }
    }
}

/// Finds a gate by its name. A name with a slash is the path of a gate file.
///
/// # Errors
/// Fails if the gate does not exist, if it is masked, or if one of its files cannot be read.
pub fn find(
    gate: &str,
    options: &Options,
    environment: &Environment,
    links: &dyn KnownLinks,
) -> Result<GateTexts, FindError> {
    if gate.contains('/') {
        let path = Path::new(gate);
        let unreadable = |mut problem: Problem| {
            if let Some(meant) = meant_by_path(gate, links.command()).filter(|_| !path.exists()) {
                problem.message.push_str(&meant);
            }
            FindError::new(FindErrorKind::Unreadable, problem)
        };
        let part = read(path, path.to_owned()).map_err(unreadable)?;
        let name = path.file_stem().unwrap_or(path.as_os_str());
        return Ok(GateTexts { name: name.to_string_lossy().into_owned(), parts: vec![part] });
    }
    let directories = directories(environment);
    let main = match main_part(gate, environment, &directories) {
        Ok(Some(part)) => Ok(part),
        Ok(None) => {
            let message = unknown(gate, options, environment, &directories, links);
            let problem = Problem { origin: format!("gate {}", printable(gate)), line: None, message };
            return Err(FindError::new(FindErrorKind::Missing, problem));
        }
        Err(error) => Err(error),
    };
    let mut of_drop_ins = Vec::new();
    let drop_ins = drop_ins(gate, environment, &directories, &mut of_drop_ins);
    match main {
        Ok(main) if of_drop_ins.is_empty() => {
            Ok(GateTexts { name: gate.to_owned(), parts: std::iter::once(main).chain(drop_ins).collect() })
        }
        Ok(_) => Err(FindError { kind: FindErrorKind::Unreadable, problems: of_drop_ins }),
        Err(mut error) => {
            error.problems.extend(of_drop_ins);
            Err(error)
        }
    }
}

/// A directory of gates.
struct Directory {
    path: PathBuf,
    origin: Origin,
    /// Whether this is the user's own directory, which a sandbox may have made unreachable (`ProtectHome=`).
    own: bool,
}

/// The caller's own directory of gates if there is one, otherwise the system's first one.
pub fn first_directory(environment: &Environment) -> PathBuf {
    let first = directories(environment).into_iter().next();
    first.map_or_else(|| PathBuf::from("/"), |directory| directory.path)
}

fn directories(environment: &Environment) -> Vec<Directory> {
    let own = xdg::config_home(environment.config_home.clone(), environment.home.as_deref())
        // Gates in root's home directory must not change what the system waits for.
        .filter(|_| environment.is_user())
        .map(|config| Directory { path: config.join("netready"), origin: Origin::User, own: true });
    let shared = DIRECTORIES.iter().map(|(path, origin)| Directory {
        path: PathBuf::from(path),
        origin: *origin,
        own: false,
    });
    own.into_iter().chain(shared).collect()
}

impl Directory {
    /// Whether an error only means that the file or the directory does not exist.
    fn is_absence(&self, error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            || (self.own && error.kind() == io::ErrorKind::PermissionDenied)
    }
}

fn main_part(
    gate: &str,
    environment: &Environment,
    directories: &[Directory],
) -> Result<Option<Part>, FindError> {
    let unreadable_file = |problem| FindError::new(FindErrorKind::Unreadable, problem);
    for directory in directories {
        let path = directory.path.join(format!("{gate}.toml"));
        let real = environment.at(&path);
        match fs::symlink_metadata(&real) {
            Err(error) if directory.is_absence(&error) => {}
            Err(error) => return Err(unreadable_file(unreadable(&path, &error))),
            Ok(_) if is_mask(&real) => {
                let masked = problem(&path, "this gate is masked: the file is a link to /dev/null");
                return Err(FindError::new(FindErrorKind::Masked, masked));
            }
            Ok(_) => return read(&path, real).map(Some).map_err(unreadable_file),
        }
    }
    let built_in = BUILT_IN.iter().find(|(name, _)| *name == gate);
    Ok(built_in.map(|(_, text)| Part { origin: "built-in".to_owned(), text: (*text).to_owned() }))
}

/// Reads `NAME.toml.d/*.toml` of all directories, sorted by file name. If several directories have a file of the same
/// name, the first directory's counts.
fn drop_ins(
    gate: &str,
    environment: &Environment,
    directories: &[Directory],
    problems: &mut Vec<Problem>,
) -> Vec<Part> {
    let mut parts = Vec::new();
    for path in drop_in_paths(gate, environment, directories, problems) {
        match read(&path, environment.at(&path)) {
            Ok(part) => parts.push(part),
            Err(problem) => problems.push(problem),
        }
    }
    parts
}

/// The paths of a gate's drop-ins that are not masked.
fn drop_in_paths(
    gate: &str,
    environment: &Environment,
    directories: &[Directory],
    problems: &mut Vec<Problem>,
) -> Vec<PathBuf> {
    let mut paths: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for directory in directories {
        let folder = directory.path.join(format!("{gate}.toml.d"));
        match gate_files(&environment.at(&folder)) {
            Ok(names) => {
                for name in names {
                    let path = folder.join(&name);
                    paths.entry(name).or_insert(path);
                }
            }
            Err(error) if directory.is_absence(&error) => {}
            Err(error) => problems.push(unreadable(&folder, &error)),
        }
    }
    paths.into_values().filter(|path| !is_mask(&environment.at(path))).collect()
}

/// All gates that can be named, and the files of each.
pub fn listing(environment: &Environment) -> Listing {
    let directories = directories(environment);
    let unreadable = directories.iter().filter_map(|directory| {
        let error = gate_files(&environment.at(&directory.path)).err()?;
        let told = (directory.path.display().to_string(), error.to_string());
        (!directory.is_absence(&error)).then_some(told)
    });
    let gates = names(environment).into_iter().map(|name| {
        let request = GateRequest { gate: Some(name.clone()), ..GateRequest::default() };
        let loaded = super::load(&request, environment, &NoLinks);
        let errors = loaded.err().map(|error| error.problems).unwrap_or_default();
        // Errors are dropped here, because `load` has reported them already.
        let drop_ins = drop_in_paths(&name, environment, &directories, &mut Vec::new());
        ListedGate {
            sources: sources(&name, environment, &directories),
            drop_ins: drop_ins.iter().map(|path| path.display().to_string()).collect(),
            errors: errors.iter().map(ToString::to_string).collect(),
            name,
        }
    });
    Listing { gates: gates.collect(), unreadable: unreadable.collect() }
}

/// All files of a gate, the one that counts first. The built-in text is the same as the packaged file, so it is
/// listed only if that file does not exist.
fn sources(gate: &str, environment: &Environment, directories: &[Directory]) -> Vec<GateSource> {
    let files = directories.iter().filter_map(|directory| {
        let path = directory.path.join(format!("{gate}.toml"));
        let real = environment.at(&path);
        let is_absent = fs::symlink_metadata(&real).is_err_and(|error| directory.is_absence(&error));
        let source = || GateSource {
            origin: directory.origin,
            path: Some(path.display().to_string()),
            is_mask: is_mask(&real),
        };
        (!is_absent).then(source)
    });
    let mut sources: Vec<GateSource> = files.collect();
    let is_packaged = sources.iter().any(|source| source.origin == Origin::Packaged);
    if BUILT_IN.iter().any(|(name, _)| *name == gate) && !is_packaged {
        sources.push(GateSource { origin: Origin::BuiltIn, path: None, is_mask: false });
    }
    sources
}

/// The names of the `*.toml` files in a directory, except hidden files, which editors make.
fn gate_files(real: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(real)? {
        let name = entry?.file_name();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if !is_hidden && Path::new(&name).extension() == Some("toml".as_ref()) {
            names.push(name);
        }
    }
    Ok(names)
}

fn is_mask(real: &Path) -> bool {
    fs::canonicalize(real).is_ok_and(|target| target == Path::new("/dev/null"))
}

/// Reads a file. `path` is its name in messages; `real` is where it is.
fn read(path: &Path, real: PathBuf) -> Result<Part, Problem> {
    let bytes = files::read_bounded(&real, files::LARGEST).map_err(|error| unreadable(path, &error))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Part { origin: path.display().to_string(), text }),
        Err(error) => {
            let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
            Err(Problem { line: Some(line), ..problem(path, "is not UTF-8") })
        }
    }
}

fn problem(path: &Path, message: &str) -> Problem {
    Problem { origin: path.display().to_string(), line: None, message: message.to_owned() }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    problem(path, &format!("cannot be read: {error}"))
}

/// The end of an error for a path that does not exist: what the user may have meant, if that can be recognized.
fn meant_by_path(word: &str, command: &str) -> Option<String> {
    let option = match word {
        _ if word.starts_with("http://") || word.starts_with("https://") => "--http",
        _ if word.parse::<ipnet::IpNet>().is_ok() => "--address",
        _ => return None,
    };
    Some(format!("; did you mean: netready {command} {option} {}", printable(word)))
}

/// The gate of one of netready's own units, whose name may lack `.service`. `None` for any other word.
fn gate_of_unit(word: &str) -> Option<&str> {
    let unit = word.strip_suffix(".service").unwrap_or(word);
    match unit.strip_prefix("netready@") {
        Some(gate) => Some(gate).filter(|gate| !gate.is_empty()),
        None => (unit == "netready").then_some("default"),
    }
}

/// The error for a gate that does not exist. In most cases the user meant something else.
fn unknown(
    gate: &str,
    options: &Options,
    environment: &Environment,
    directories: &[Directory],
    links: &dyn KnownLinks,
) -> String {
    let shown = printable(gate);
    if gate.is_empty() {
        return "a gate needs a name".to_owned();
    }
    let command = match options.as_typed() {
        typed if typed.is_empty() => format!("netready {}", links.command()),
        typed => format!("netready {} {typed}", links.command()),
    };
    if gate.parse::<IpAddr>().is_ok() {
        return format!("{shown} is an address: {command} -a {shown}");
    }
    if let Some(name) = gate_of_unit(gate) {
        return format!("{shown} is a unit; write its gate: {command} {}", printable(name));
    }
    if let Some(link) = options.values(&keys::INTERFACE).last().filter(|_| links.has(gate)) {
        return format!(
            "{shown} is a link; quote a glob (-i 'NAME*'), or name each link: -i {} -i {shown}",
            printable(link)
        );
    }
    if links.has(gate) {
        return format!("{shown} is a link: {command} -i {shown}");
    }
    if gate.starts_with("mac:") {
        return format!("{shown} is a hardware address: {command} -i {shown}");
    }
    if let Some((link, state)) = gate.split_once(':') {
        let state = state.split(':').next().unwrap_or_default();
        if let Some(form) = in_place_of_state(link, state, true) {
            return format!("{shown} is a link and a state: {command} {form}");
        }
        if links.has(link) {
            return format!("{link} is a link: {command} -i {link}");
        }
    }
    if is_glob(gate) || gate.starts_with('!') {
        return format!("{shown} is a glob: {command} -i '{shown}'");
    }
    let known = known_gates(environment, directories);
    if let Some(stem) = gate.strip_suffix(".toml") {
        return if known.iter().any(|name| name == stem) {
            format!("write the name of a gate without .toml: {stem}")
        } else {
            format!("there is no such gate; to name a file, write a slash: ./{shown}")
        };
    }
    let looked_in: Vec<String> =
        directories.iter().map(|directory| directory.path.display().to_string()).collect();
    let link_names = links.names();
    let near_gate = nearest(gate, known.iter().map(String::as_str));
    let near_link = nearest(gate, link_names.iter().map(String::as_str));
    let near = match (near_gate, near_link) {
        (Some(near), _) => format!("; did you mean {near}?"),
        (None, Some(near)) => format!("; did you mean the link: {command} -i {}?", printable(near)),
        (None, None) => "; to see every gate: netready list".to_owned(),
    };
    format!("there is no {shown}.toml in {}{near}", looked_in.join(", "))
}

/// All gates that have a file or drop-ins in a directory of gates, and the built-in ones.
pub fn names(environment: &Environment) -> BTreeSet<String> {
    let directories = directories(environment);
    let mut names: BTreeSet<String> = known_gates(environment, &directories).into_iter().collect();
    for directory in &directories {
        let Ok(entries) = fs::read_dir(environment.at(&directory.path)) else { continue };
        names.extend(entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_suffix(".toml.d").map(str::to_owned)
        }));
    }
    names
}

fn known_gates(environment: &Environment, directories: &[Directory]) -> Vec<String> {
    let mut known: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    for directory in directories {
        // An error is ignored: the names are only used for advice.
        let names = gate_files(&environment.at(&directory.path)).unwrap_or_default();
        known.extend(names.iter().filter_map(|name| {
            let stem = Path::new(name).file_stem()?;
            Some(stem.to_str()?.to_owned())
        }));
    }
    known
}
