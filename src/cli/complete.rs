//! `complete`: what a shell offers for the word that is being typed. The scripts in `packaging/completions` call it.
//!
//! The first line of the answer says what kind it is: `words`, and below it the words; `files`, if the shell is to
//! complete the name of a file; `command`, if it is to complete a command of its own that stands after `--`. An answer
//! without a line offers nothing. Nothing is ever said on stderr.

mod host;
mod offer;
mod words;

use std::ffi::OsString;
use std::fmt::Write;
use std::time::Duration;

use clap::{Args, CommandFactory, ValueEnum};

use crate::cli::{Cli, Error, Exit, print};
use crate::escape::escape;
use offer::Offer;
use words::Typed;

/// A shell waits for the answer, so after this long there is none. At half of it, a busy host with a thousand links
/// could get none; at double, people would think that the terminal hangs.
const LONGEST: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct CompleteArgs {
    /// Whose script asks
    shell: Shell,
    /// bash: the part of the word that readline replaces, and the line up to the cursor; else the words up to the cursor
    #[arg(last = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn execute(args: &CompleteArgs) -> Result<Exit, Error> {
    end_after(LONGEST);
    let words: Vec<String> = args.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let typed = match (args.shell, words.as_slice()) {
        (Shell::Bash, [replaced, line]) => Typed::of_line(line, replaced),
        (Shell::Bash, _) => None,
        (Shell::Zsh | Shell::Fish, words) => Typed::of_words(words),
    };
    let Some(typed) = typed else { return Ok(Exit::Done) };
    let mut definition = Cli::command();
    definition.build();
    let offer = offer::offer(&typed.words, &typed.current, &definition, &host::Host::default());
    print(&answer(&offer, &typed, args.shell))?;
    Ok(Exit::Done)
}

/// Ends this process by then, whatever it waits for.
fn end_after(longest: Duration) {
    std::thread::spawn(move || {
        // Nobody sends anything.
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        let _ = receiver.recv_timeout(longest);
        std::process::exit(0);
    });
}

/// The offer as the script of this shell reads it. bash shows words alone, and replaces the end of the word only.
fn answer(offer: &Offer, typed: &Typed, shell: Shell) -> String {
    let candidates = match offer {
        Offer::Files => return "files\n".to_owned(),
        Offer::Command => return "command\n".to_owned(),
        Offer::Words(candidates) => candidates,
    };
    let mut text = "words\n".to_owned();
    for candidate in candidates.iter().filter(|candidate| candidate.word.starts_with(&typed.current)) {
        let Some(word) = candidate.word.get(typed.kept..) else { continue };
        // Writing to a String cannot fail.
        let _ = match shell {
            Shell::Bash => writeln!(text, "{word}"),
            Shell::Zsh | Shell::Fish if candidate.about.is_empty() => writeln!(text, "{word}"),
            Shell::Zsh | Shell::Fish => writeln!(text, "{word}\t{}", escape(&candidate.about)),
        };
    }
    text
}
