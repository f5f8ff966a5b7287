//! Gate files, drop-ins and options: as written → as meant, once.
//!
//! ```text
//! gate file, drop-ins ─file─▶ ┐
//!                             ├ raw gate ─meaning─▶ Gate        lookup finds the files,
//! options ─────────options─▶  ┘                                 write makes a file of a Gate
//! ```
//!
//! Nothing else in netready reads a text that a user wrote. Every problem is collected, with its file
//! and line or its option, before anything is waited for. No environment is read here but in
//! [`Environment::from_process`], and the network is not looked at: what exists is asked through a
//! function that the caller passes, and only to word an error.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::escape::escape;
use crate::identity::Identity;
use crate::requirement::Gate;

mod duration;
mod file;
mod items;
mod links;
mod lookup;
mod meaning;
mod options;
mod probes;
mod raw;
mod save;
mod syntax;
mod words;
mod write;
mod zones;

pub use duration::{Span, parse as parse_duration, text as duration_text};
pub use lookup::names;
pub use options::Options;
pub use probes::{
    dns as parse_dns, http as parse_http, ping as parse_ping, tcp as parse_tcp, url as parse_url,
    url_from as parse_url_from,
};
pub use save::{SaveError, save};
pub use write::{clause as clause_text, gate as gate_text};

/// The source of what options make.
const COMMAND_LINE: &str = "command line";

/// What a caller asks for: a gate, changed or made by options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// A gate's name, or with a slash in it a file.
    pub gate: Option<String>,
    /// Added to the gate; a gate of their own where none is named.
    pub options: Options,
}

/// What the search for gate files depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Who asks.
    pub uid: u32,
    /// `$HOME`
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`
    pub config_home: Option<PathBuf>,
    /// Whether this user's own service manager started this process.
    pub user_manager: bool,
    /// The directories are looked for below this one; `/` but in tests.
    pub root: PathBuf,
}

impl Environment {
    /// What this process was started with.
    pub fn from_process() -> Environment {
        let identity = Identity::of_process();
        // The XDG base directory specification: a path that is not absolute is to be ignored.
        let directory = |name: &str| {
            let path = std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
            path.filter(|path| identity.may_use(path))
        };
        Environment {
            uid: identity.uid,
            home: directory("HOME"),
            config_home: directory("XDG_CONFIG_HOME"),
            user_manager: identity.user_manager,
            root: PathBuf::from("/"),
        }
    }

    /// Whether it is a user's side of the host; else it is the system's.
    pub fn is_user(&self) -> bool {
        self.uid != 0 || self.user_manager
    }

    /// Where a path of the host's is.
    pub(crate) fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// A gate, and what it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The gate as meant.
    pub gate: Gate,
    /// As written, in the order in which it was read.
    pub parts: Vec<Part>,
}

/// One text that a gate is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// A path, `built-in` or `command line`.
    pub origin: String,
    /// What stands there; of options, the gate file that they mean.
    pub text: String,
}

/// One thing that is wrong with a gate file or an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A path, or an option with its value.
    pub origin: String,
    /// The line in the file, from 1.
    pub line: Option<usize>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Gates are named, and their files written, by others; a problem is one line.
        f.write_str(&escape(&self.origin))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", escape(&self.message))
    }
}

/// Why there is no gate: everything that is wrong, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct ConfigError {
    /// In the order of files and lines; never empty.
    pub problems: Vec<Problem>,
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> ConfigError {
        ConfigError { problems: vec![problem] }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// Finds, reads and understands what is asked for.
///
/// `link_exists` is asked only where the gate does not, to tell somebody who named a link.
pub fn load(
    request: &Request,
    environment: &Environment,
    link_exists: &dyn Fn(&str) -> bool,
) -> Result<Loaded, ConfigError> {
    match &request.gate {
        None if request.options.require_something() => of_options(&request.options),
        gate => {
            let name = gate.as_deref().unwrap_or("default");
            let found = lookup::find(name, &request.options, environment, link_exists)
                .map_err(|problems| ConfigError { problems })?;
            of_files(found, &request.options)
        }
    }
}

/// Understands one text as a whole gate file.
pub fn parse(name: &str, origin: &str, text: &str) -> Result<Gate, ConfigError> {
    let mut problems = Vec::new();
    let raw = file::read(origin, text, &mut problems);
    meaning::gate(name, origin, &raw, problems).map_err(|mut problems| {
        problems.sort_by_key(|problem| problem.line);
        ConfigError { problems }
    })
}

/// The file that a caller's own gate of this name is read from: the first place that is looked at.
pub fn own_file(gate: &str, environment: &Environment) -> PathBuf {
    lookup::first_directory(environment).join(format!("{gate}.toml"))
}

fn of_options(options: &Options) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let raw = options::read(options, &mut problems);
    let gate = meaning::gate("options", COMMAND_LINE, &raw, problems)
        .map_err(|problems| ConfigError { problems })?;
    let part = Part { origin: COMMAND_LINE.to_owned(), text: write::gate(&gate) };
    Ok(Loaded { gate, parts: vec![part] })
}

fn of_files(found: lookup::Found, options: &Options) -> Result<Loaded, ConfigError> {
    let lookup::Found { name, mut parts } = found;
    let mut problems = Vec::new();
    let mut raw = raw::RawGate::default();
    for part in &parts {
        raw.read_over(file::read(&part.origin, &part.text, &mut problems));
    }
    let added = options::read(options, &mut problems);
    let written_clauses = raw.clauses.len();
    raw.read_over(added);
    let source = parts.first().map_or("", |part| part.origin.as_str());
    let gate = meaning::gate(&name, source, &raw, problems).map_err(|mut problems| {
        let part_of = |problem: &Problem| {
            let mut origins = parts.iter().map(|part| &part.origin);
            origins.position(|origin| *origin == problem.origin).unwrap_or(parts.len())
        };
        problems.sort_by_key(|problem| (part_of(problem), problem.line));
        ConfigError { problems }
    })?;
    let text = write::drop_in(options, &gate, written_clauses);
    if !text.is_empty() {
        parts.push(Part { origin: COMMAND_LINE.to_owned(), text });
    }
    Ok(Loaded { gate, parts })
}

#[cfg(test)]
mod tests;
