//! Makes the manual pages of the commands: a page in `man/`, with the lists that follow from the command line's
//! definition in the place of its comments `OPTIONS` and `COMMANDS`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::{Arg, Command};

/// The line that is replaced by the options of the page's command.
const OPTIONS: &str = ".\\\" OPTIONS\n";
/// The line that is replaced by the list of all commands.
const COMMANDS: &str = ".\\\" COMMANDS\n";

/// No line of text is longer, as mdoc(7) wishes.
const WIDTH: usize = 80;

/// The name of each page's file and its text, from the pages in this folder.
///
/// # Errors
///
/// If a command has no page, or its page has no place for the list.
pub fn pages(definition: &Command, folder: &Path) -> Result<Vec<(String, String)>, String> {
    let read = |name: &str, place: &str, list: &str| {
        let path = folder.join(name);
        let page = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        match page.matches(place).count() {
            1 => Ok((name.to_owned(), page.replace(place, list))),
            _ => Err(format!("{}: there is not one line {place}", path.display())),
        }
    };
    let mut pages = vec![read("netready.1", COMMANDS, &commands(definition))?];
    for command in listed(definition) {
        pages.push(read(&format!("netready-{}.1", command.get_name()), OPTIONS, &options(command))?);
    }
    Ok(pages)
}

/// The commands that a user is shown.
pub fn listed(definition: &Command) -> impl Iterator<Item = &Command> {
    definition.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

fn commands(definition: &Command) -> String {
    let mut text = ".Bl -tag -width Ds\n".to_owned();
    for command in listed(definition) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        // Writing to a String does not fail.
        let _ = writeln!(text, ".It Xr netready-{} 1", command.get_name());
        text.push_str(&paragraph(&about));
    }
    text + ".El\n"
}

fn options(command: &Command) -> String {
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
    let mut headings: Vec<&str> = Vec::new();
    for heading in shown().filter_map(Arg::get_help_heading) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    let list = |heading: Option<&str>| -> String {
        let items: String = shown().filter(|arg| arg.get_help_heading() == heading).map(item).collect();
        format!(".Bl -tag -width Ds\n{items}.El\n")
    };
    let mut text = format!(".Sh OPTIONS\n{}", list(None));
    for heading in headings {
        let _ = write!(text, ".Ss {heading}\n{}", list(Some(heading)));
    }
    text
}

/// An option as an item of a list: its names, its value, its help, its values and its default.
fn item(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("Fl {short}"));
    let long = arg.get_long().map(|long| format!("Fl -{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let takes_value = arg.get_action().takes_values();
    let value = arg.get_value_names().filter(|_| takes_value).and_then(|names| names.first());
    let value = value.map_or(String::new(), |name| format!(" Ar {name}"));
    let mut text = format!(".It {}{value}\n", names.join(" , "));

    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = match arg.get_long() {
        // clap's own text speaks of its two forms.
        Some("help") => "Print help".to_owned(),
        _ => help,
    };
    let paragraphs: Vec<String> = help.split("\n\n").map(paragraph).collect();
    text.push_str(&paragraphs.join(".Pp\n"));

    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        text.push_str(&paragraph(&format!("Default: {}", defaults.join(" "))));
    }
    let values = arg.get_possible_values().into_iter().filter(|value| takes_value && !value.is_hide_set());
    let values: Vec<_> = values.collect();
    if values.iter().any(|value| value.get_help().is_some()) {
        text.push_str(".Bl -tag -width Ds\n");
        for value in values {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = write!(text, ".It Cm {}\n{}", value.get_name(), paragraph(&help));
        }
        text.push_str(".El\n");
    }
    text
}

/// A help text as sentences, each on lines of its own: `Text [default: this]` becomes `Text.` and `Default: this.`
fn paragraph(help: &str) -> String {
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let default = help.strip_suffix(']').and_then(|rest| rest.split_once(" [default: "));
    let help = default.map_or(help.clone(), |(before, default)| {
        format!("{}. Default: {default}", before.trim_end_matches('.'))
    });
    let end = if help.ends_with(['.', '?', '!']) || help.is_empty() { "" } else { "." };
    let mut text = String::new();
    let mut line = String::new();
    for word in format!("{help}{end}").split(' ') {
        let ended = line.ends_with(". ") && word.starts_with(|c: char| c.is_uppercase() || c == '`');
        if ended || roff(&format!("{line}{word}")).trim_end().len() > WIDTH {
            text.push_str(&roff(line.trim_end()));
            line.clear();
        }
        line.push_str(word);
        line.push(' ');
    }
    text + &roff(line.trim_end())
}

/// A line of text as roff writes it, so that every character is shown as it is.
fn roff(line: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\\' => text.push_str("\\e"),
            '\'' => text.push_str("\\(aq"),
            // A word as it is typed.
            '`' => {
                text.push_str(if quoted { "\\(cq" } else { "\\(oq" });
                quoted = !quoted;
            }
            '^' => text.push_str("\\(ha"),
            '~' => text.push_str("\\(ti"),
            character if character.is_ascii() => text.push(character),
            // Writing to a String does not fail.
            character => drop(write!(text, "\\[u{:04X}]", u32::from(character))),
        }
    }
    // At the start of a line it would be a request.
    let guard = if text.starts_with('.') { "\\&" } else { "" };
    format!("{guard}{text}\n")
}
