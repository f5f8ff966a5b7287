//! What was probably meant by a command line that names no command.

use std::ffi::OsString;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::{Cli, load};
use crate::config::{GateRequest, Options};
use crate::escape::escape;

/// What to say instead of clap's own words; `None` if these are better. Safe to print.
pub(super) fn advice(error: &clap::Error, words: &[OsString]) -> Option<String> {
    let is_unlike_any = error.get(ContextKind::SuggestedSubcommand).is_none();
    let text = if error.kind() == ErrorKind::InvalidSubcommand && is_unlike_any {
        let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
        of_word(word)
    } else if error.kind() == ErrorKind::UnknownArgument {
        of_options(words)?
    } else {
        return None;
    };
    Some(escape(&text).into_owned())
}

/// A word in the place of a command: a gate, a link, or something like one of these.
fn of_word(word: &str) -> String {
    let request = GateRequest { gate: Some(word.to_owned()), options: Options::default() };
    let problem = match load(&request) {
        Ok(_) => return format!("{word} is not a command, but a gate: netready check {word}"),
        Err(error) => error.problems.into_iter().next(),
    };
    // A gate that is there and wrong has its file as the origin.
    match problem.filter(|problem| problem.origin.starts_with("gate ")) {
        Some(problem) => format!("{word} is not a command, and as a gate: {}", problem.message),
        None => format!("{word} is not a command, but a gate with an error: netready check {word}"),
    }
}

/// Options of `check` without the command.
fn of_options(words: &[OsString]) -> Option<String> {
    let (program, options) = words.split_first()?;
    let first = options.first().filter(|word| word.as_encoded_bytes().starts_with(b"-"))?;
    let with_command =
        std::iter::once(program.clone()).chain(["check".into()]).chain(options.iter().cloned());
    Cli::try_parse_from(with_command).ok()?;
    let typed: Vec<_> = options.iter().map(|word| word.to_string_lossy()).collect();
    Some(format!("{} is an option of a command: netready check {}", first.to_string_lossy(), typed.join(" ")))
}
