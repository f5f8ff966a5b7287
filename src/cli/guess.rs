//! Finds what the user probably meant by a command line that names no command.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use crate::cli::{Cli, LinksOfHost, load};
use crate::config::{self, Environment, FindError, FindErrorKind, GateRequest, Options};
use crate::escape::{escape, shell_word};

/// Returns a better message than clap's. `None` if clap's message is better. The text is safe to print.
pub(super) fn advice(error: &clap::Error, words: &[OsString]) -> Option<String> {
    let is_unlike_any = !suggests_a_shown_command(error);
    let text = if error.kind() == ErrorKind::InvalidSubcommand && is_unlike_any {
        let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
        of_word(word)
    } else if error.kind() == ErrorKind::UnknownArgument {
        command_without_dashes(words).or_else(|| of_options(words))?
    } else {
        return None;
    };
    Some(escape(&text).into_owned())
}

/// Whether clap suggests a command that the help shows.
fn suggests_a_shown_command(error: &clap::Error) -> bool {
    let near: &[String] = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(near)) => near,
        Some(ContextValue::String(near)) => std::slice::from_ref(near),
        Some(_) | None => return false,
    };
    let definition = Cli::command();
    let is_shown = |name: &String| {
        let mut commands = definition.get_subcommands();
        commands.any(|command| command.get_name() == name && !command.is_hide_set())
    };
    !near.is_empty() && near.iter().all(is_shown)
}

/// Explains a word in the place of a command. The word may be a gate or a link, or similar to one.
fn of_word(word: &str) -> String {
    let request = GateRequest { gate: Some(word.to_owned()), options: Options::default() };
    if load(&request).is_ok() {
        return format!("{word} is not a command, but a gate: netready check {word}");
    }
    if word == "open" {
        return "open is not a command; to open a gate that is shut: systemctl kill -s USR1 netready.service"
            .to_owned();
    }
    match config::find(word, &request.options, &Environment::from_process(), &LinksOfHost) {
        Err(FindError { kind: FindErrorKind::Missing, problems }) => {
            let message = problems.into_iter().next().map(|problem| problem.message).unwrap_or_default();
            format!("{word} is neither a command nor a gate: {message}")
        }
        Ok(_) | Err(_) => format!("{word} is not a command, but a gate with an error: netready check {word}"),
    }
}

/// Explains a `retry` whose command does not stand after `--`.
fn command_without_dashes(words: &[OsString]) -> Option<String> {
    words.get(1).filter(|word| *word == "retry")?;
    // The options of retry come first. So the command begins at the last word before which -- is accepted.
    let (before, command) = (2..words.len()).rev().find_map(|at| {
        let (before, command) = words.split_at(at);
        let is_option = command.first()?.as_encoded_bytes().starts_with(b"-");
        let dashed = before.iter().cloned().chain(["--".into()]).chain(command.iter().cloned());
        (!is_option && Cli::try_parse_from(dashed).is_ok()).then_some((before, command))
    })?;
    let options = before.get(1..).unwrap_or_default();
    Some(format!("write -- before the command: netready {} -- {}", as_typed(options), as_typed(command)))
}

/// Returns the words as a command line that a person may copy into a shell.
fn as_typed(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| shell_word(&word.to_string_lossy()).into_owned()).collect();
    words.join(" ")
}

/// Explains options of `check` that were typed without the command.
fn of_options(words: &[OsString]) -> Option<String> {
    let (program, options) = words.split_first()?;
    // The options of a command may precede it by mistake.
    let is_command =
        |word: &OsString| Cli::command().get_subcommands().any(|command| word == command.get_name());
    if let Some(at) = options.iter().position(is_command).filter(|at| *at > 0) {
        let (before, from) = options.split_at(at);
        let (command, after) = from.split_first()?;
        let ordered = [std::slice::from_ref(command), before, after].concat();
        Cli::try_parse_from(std::iter::once(program).chain(&ordered)).ok()?;
        return Some(format!("options follow the command: netready {}", as_typed(&ordered)));
    }
    let first = options.first().filter(|word| word.as_encoded_bytes().starts_with(b"-"))?;
    let with_command =
        std::iter::once(program.clone()).chain(["check".into()]).chain(options.iter().cloned());
    Cli::try_parse_from(with_command).ok()?;
    let first = first.to_string_lossy();
    Some(format!("{first} is an option of a command: netready check {}", as_typed(options)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        advice(&Cli::try_parse_from(&words).unwrap_err(), &words)
    }

    #[test]
    fn a_hidden_command_is_never_suggested() {
        assert_eq!(
            said("netready open").as_deref(),
            Some(
                "open is not a command; to open a gate that is shut: systemctl kill -s USR1 netready.service"
            )
        );
        let near_hidden = said("netready complet").unwrap();
        let begins = "complet is neither a command nor a gate: there is no complet.toml in ";
        assert!(near_hidden.starts_with(begins), "{near_hidden}");
        assert_eq!(said("netready chek"), None, "clap suggests check");
        assert_eq!(
            said("netready -i x0").as_deref(),
            Some("-i is an option of a command: netready check -i x0")
        );
        assert_eq!(
            said("netready -q check web").as_deref(),
            Some("options follow the command: netready check -q web")
        );
        assert_eq!(said("netready --nonsense check"), None, "no command has it");
    }

    #[test]
    fn a_retry_without_dashes_is_answered_with_them() {
        for (typed, meant) in [
            ("netready retry echo hi", Some("netready retry -- echo hi")),
            ("netready retry echo -n hi", Some("netready retry -- echo -n hi")),
            ("netready retry --retries 3 echo hi", Some("netready retry --retries 3 -- echo hi")),
            ("netready retry --nonsense echo hi", None),
            ("netready retry --nonsense", None),
            ("netready retry ls *.toml", Some("netready retry -- ls '*.toml'")),
        ] {
            let meant = meant.map(|line| format!("write -- before the command: {line}"));
            assert_eq!(said(typed), meant, "{typed}");
        }
    }
}
