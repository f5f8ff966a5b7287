//! Gate files, drop-ins and options: as written → as meant, once.
//!
//! ```text
//! gate file, drop-ins ─file─▶ ┐
//!                             ├ raw gate ─meaning─▶ Gate ─write─▶ gate file
//! options ─────────options─▶  ┘
//! ```
//!
//! Nothing else in netready reads a text that a user wrote. Every problem is collected, with its file
//! and line or its option, before anything is waited for. Finding and reading the files is the shell's part.

use core::fmt;

use crate::escape::escape;
use crate::requirement::Gate;

mod duration;
mod file;
mod items;
mod links;
mod meaning;
mod options;
mod probes;
mod raw;
mod syntax;
mod words;
mod write;
mod zones;

pub use duration::{Span, parse as parse_duration, text as duration_text};
pub use links::is_glob;
pub use options::Options;
pub use probes::{
    dns as parse_dns, http as parse_http, ping as parse_ping, tcp as parse_tcp, url as parse_url,
    url_from as parse_url_from,
};
pub use words::{CLAUSE_KEYS, GATE_KEYS, in_place_of_state, nearest, shown as printable};
pub use write::{clause as clause_text, gate as gate_text};

/// The source of what options make.
const COMMAND_LINE: &str = "command line";

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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// Understands one text as a whole gate file.
pub fn parse(name: &str, origin: &str, text: &str) -> Result<Gate, ConfigError> {
    let mut problems = Vec::new();
    let raw = file::read(origin, text, &mut problems);
    meaning::gate(name, origin, &raw, problems).map_err(|mut problems| {
        problems.sort_by_key(|problem| problem.line);
        ConfigError { problems }
    })
}

/// Understands options that make a gate of their own.
///
/// # Errors
/// Everything that is wrong with them.
pub fn of_options(options: &Options) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let raw = options::read(options, &mut problems);
    let gate = meaning::gate("options", COMMAND_LINE, &raw, problems)
        .map_err(|problems| ConfigError { problems })?;
    let part = Part { origin: COMMAND_LINE.to_owned(), text: write::gate(&gate) };
    Ok(Loaded { gate, parts: vec![part] })
}

/// Understands a gate's texts, the gate file first and its drop-ins in the order in which they are read over it,
/// and the options that are added.
///
/// # Errors
/// Everything that is wrong with them.
pub fn of_texts(name: &str, mut parts: Vec<Part>, options: &Options) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let mut raw = raw::RawGate::default();
    for part in &parts {
        raw.read_over(file::read(&part.origin, &part.text, &mut problems));
    }
    let added = options::read(options, &mut problems);
    let written_clauses = raw.clauses.len();
    raw.read_over(added);
    let source = parts.first().map_or("", |part| part.origin.as_str());
    let gate = meaning::gate(name, source, &raw, problems).map_err(|mut problems| {
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
