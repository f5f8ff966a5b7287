//! The end of a command: the last lines, and the exit code or signal.

use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::cli::Exit;
use crate::clock;
use crate::escape::escape_lines;
use crate::platform::signals;
use crate::report::{error_json, json_text};
use crate::stderr;
use crate::stdout;

/// How long netready waits at its end for somebody to read what it said.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// The same where a signal ends it.
const LESS_PATIENCE: Duration = Duration::from_millis(300);

pub(super) fn leave(exit: Exit) -> ExitCode {
    last_words(if let Exit::Signal(_) = exit { LESS_PATIENCE } else { PATIENCE });
    match exit {
        Exit::Done => ExitCode::SUCCESS,
        Exit::NotReady => ExitCode::from(1),
        Exit::Code(code) => ExitCode::from(code),
        Exit::Signal(signal) => {
            die_of(signal);
            // Not reached, unless the signal is blocked: then as a shell would put it.
            ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
        }
    }
}

/// Waits until what was said is written. A signal that comes meanwhile ends the process as if it had not been caught.
pub(super) fn last_words(patience: Duration) {
    let_signals_end();
    let began = clock::now();
    stdout::finish(patience);
    stdout::failed();
    // Both threads write at the same time, so stderr had the time in which stdout was waited for.
    stderr::finish(patience.saturating_sub(clock::now() - began).max(LESS_PATIENCE));
}

/// Lets signals end this process at once.
fn let_signals_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        if signals::action_of(signal) == signals::Action::Caught {
            // A signal whose action cannot be set is not lost: it is still caught.
            let _ = signals::set_default(signal);
        }
    }
}

fn die_of(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    if signals::set_default(signal).is_ok() {
        // Where it fails, the caller ends with the code that says the same.
        let _ = nix::sys::signal::raise(signal);
    }
}

pub(super) fn complain(error: &str, json: bool) {
    let_signals_end();
    if json {
        stdout::say_last(&format!("{}\n", json_text(&error_json(error))));
        if stdout::finish(PATIENCE) && stdout::take_error().is_none() {
            return;
        }
    }
    // Where nobody can be told, the exit code still says it.
    for line in escape_lines(error).lines() {
        stderr::say(&format!("netready: error: {line}\n"));
    }
    stderr::finish(PATIENCE);
}
