//! Reads gate files, drop-ins and options, and writes gate files.
//!
//! ```text
//!            keys: the table of keys and options, which all of these modules use
//! gate file, drop-ins ─file─▶ ┐
//!                             ├ WrittenGate ─validate─▶ Gate ─write─▶ gate file
//! options ─────────options─▶  ┘
//! ```
//!
//! A command collects every problem, with its file and line or its option, before it waits for anything. The
//! shell finds the files and reads their bytes.

use core::fmt;

use crate::escape::escape;
use crate::requirement::Gate;

mod duration;
mod file;
mod interface;
pub(crate) mod items;
pub mod keys;
mod options;
mod places;
pub(crate) mod probes;
mod suggest;
mod toml_errors;
mod validate;
mod write;
mod written;
mod zones;

pub use duration::{DurationLimit, parse as parse_duration, text as duration_text};
pub use interface::is_glob;
pub use options::Options;
pub use places::{Place, Places};
pub use probes::{
    dns as parse_dns, http as parse_http, ping as parse_ping, tcp as parse_tcp, url as parse_url,
    url_from as parse_url_from,
};
pub use suggest::{alternatives, in_place_of_state, nearest, shown as printable};
pub use write::{clause as clause_text, gate as gate_text};

/// The origin in problems about options.
const COMMAND_LINE: &str = "command line";

/// A gate, and what it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The gate that the texts mean.
    pub gate: Gate,
    /// The texts, in the order in which they were read.
    pub parts: Vec<Part>,
}

/// One text that a gate is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where the text comes from: a path, `built-in` or `command line`.
    pub origin: String,
    /// The text of the file. For options it is the gate file that is equivalent to them.
    pub text: String,
}

/// One mistake in a gate file or an option.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// Where the mistake is: a path, or an option with its value.
    pub origin: String,
    /// The line in the file, from 1. `None` if the origin is an option.
    pub line: Option<usize>,
    /// The description of the mistake, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Other people name gates and write their files. Escape their texts, so that a problem stays on one line.
        f.write_str(&escape(&self.origin))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        // The message about an option is the rest of a sentence that begins with the option.
        let is_option = self.line.is_none() && self.origin.starts_with('-');
        let separator = if is_option { "" } else { ":" };
        write!(f, "{separator} {}", escape(&self.message))
    }
}

/// Every reason why there is no gate, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct ConfigError {
    /// The problems in the order of files and lines. The list is never empty.
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

/// Reads one text as a whole gate file. `name` is the name of the gate, `origin` the path for messages.
pub fn parse(name: &str, origin: &str, text: &str) -> Result<Gate, ConfigError> {
    let mut problems = Vec::new();
    let written = file::read(origin, text, &mut problems);
    validate::gate(name, origin, &written, problems).map_err(|mut problems| {
        problems.sort_by_key(|problem| problem.line);
        ConfigError { problems }
    })
}

/// Makes a gate from options alone.
///
/// # Errors
/// Fails if an option has a problem. The error lists every problem.
pub fn of_options(options: &Options) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let written = options::read(options, &mut problems);
    let gate = validate::gate("options", COMMAND_LINE, &written, problems)
        .map_err(|problems| ConfigError { problems })?;
    let part = Part { origin: COMMAND_LINE.to_owned(), text: write::gate(&gate) };
    Ok(Loaded { gate, parts: vec![part] })
}

/// Makes a gate from its texts and from options. The gate file is the first of the texts; its drop-ins follow in
/// the order in which they are read. Options come after all texts.
///
/// # Errors
/// Fails if a text or an option has a problem. The error lists every problem.
pub fn of_texts(name: &str, mut parts: Vec<Part>, options: &Options) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let mut written = written::WrittenGate::default();
    for part in &parts {
        written.read_over(file::read(&part.origin, &part.text, &mut problems));
    }
    let added = options::read(options, &mut problems);
    let written_clauses = written.clauses.len();
    written.read_over(added);
    let source = parts.first().map_or("", |part| part.origin.as_str());
    let gate = validate::gate(name, source, &written, problems).map_err(|mut problems| {
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
