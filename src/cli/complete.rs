//! `complete`: returns what a shell offers for the word that the user is typing. The scripts in
//! `packaging/completions` call it.
//!
//! The first line of the answer is its kind. After `words`, the words follow, one a line. `files` tells the shell
//! to complete the name of a file. `command` tells it to complete the command after `--`. An empty answer offers
//! nothing. `complete` never prints to stderr.

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

/// The shell waits for the answer. If it takes longer than this, there is none. With half of this time, a busy host
/// with a thousand links could get none. With twice the time, users would think that the terminal hangs.
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

/// Ends this process after this time, even if it is still waiting for something.
fn end_after(longest: Duration) {
    std::thread::spawn(move || {
        // Nobody sends on this channel, so the call waits for the whole time.
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        let _ = receiver.recv_timeout(longest);
        std::process::exit(0);
    });
}

/// Writes the offer for the script of this shell. bash gets only words, and only the part of the word that it
/// replaces.
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
