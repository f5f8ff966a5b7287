//! `wait`: blocks until a gate is ready. It is for scripts and ExecStartPre=.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::task::{Context, Poll};

use crate::attempt::Signals;
use crate::cli::live::Live;
use crate::cli::{Error, Exit, PATIENCE, WaitArgs, block_on, kernel_line, last_words, load_forced};
use crate::clock;
use crate::config::{Environment, names};
use crate::driver::{Driver, Failure, Reporter, RunEnd, Setup, View};
use crate::escape::{escape, escape_bytes};
use crate::gate_state::Phase;
use crate::moment::Moment;
use crate::notify::Notifier;
use crate::report::{json_text, state_word, unmet_with_advice, verdict_json};
use crate::session::{Ended, Mode};
use crate::stderr;
use crate::stdout;

pub(super) fn execute(args: WaitArgs) -> Result<Exit, Error> {
    // The lines of `wait` are on stderr already, so the log has only what the user asks for.
    crate::log::start(match args.output.volume.verbose {
        true => tracing::Level::DEBUG,
        false => tracing::Level::WARN,
    });
    let is_gate = |name: &str| names(&Environment::from_process()).contains(name);
    let gate = load_forced(&args.gate.request_before_command(is_gate)?, &kernel_line())?;
    let mut notifier = Notifier::from_env();
    // `wait` runs inside another unit. It must not fail because of that unit's notifications.
    if let Err(error) = notifier.extend(&gate) {
        tracing::debug!("{error}");
        notifier = Notifier::silent();
    }
    let (json, quiet) = (args.output.json, args.output.volume.quiet);
    // With --json there is no live line, because JSON may appear on the same terminal.
    let live = (!quiet && !json).then(Live::on_terminal).flatten();
    let began = clock::now();
    let mut terminal = Terminal { notifier, json, quiet, live: live.as_ref(), began, said: String::new() };
    let receive_buffer = args.tuning.receive_buffer;
    let setup = Setup { mode: Mode::UntilOpen, gate, began, receive_buffer, signals: None, earlier: None };
    let outcome = block_on(async {
        let mut driver = Driver::new(setup)?;
        Ok(match &live {
            None => driver.run(&mut terminal).await?,
            Some(live) => until_signalled(live, &mut driver, &mut terminal).await?,
        })
    })?;
    Ok(match outcome {
        RunEnd::Ended(Ended::Opened(_)) => {
            // From now on netready must not set the status of the unit.
            terminal.notifier.status("");
            become_command(&args.command)
        }
        RunEnd::Ended(_) => Exit::NotReady,
        RunEnd::Signalled(signal, _) => Exit::Signal(signal),
    })
}

/// Waits as the driver does, but removes the live line before a signal ends or stops this process.
async fn until_signalled(
    live: &Live,
    driver: &mut Driver<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<RunEnd, Failure> {
    let mut signals = Signals::new().map_err(Failure::Events)?;
    let waited = Live::during(Some(live), async {
        tokio::select! {
            outcome = driver.run(terminal) => Ok(outcome),
            signal = signals.end() => Err(signal),
        }
    });
    waited.await.map_err(Failure::Events)?.unwrap_or_else(|signal| {
        // The live line is gone, so print what netready waited for.
        if !terminal.said.is_empty() {
            stderr::say(&format!("netready: {}\n", terminal.said));
        }
        Ok(RunEnd::Signalled(signal, false))
    })
}

/// Prints to the terminal, and reports to the service manager of the unit that it runs in.
struct Terminal<'a> {
    notifier: Notifier,
    json: bool,
    quiet: bool,
    /// The live line, which replaces a line for each change.
    live: Option<&'a Live>,
    /// When the wait began.
    began: Moment,
    said: String,
}

impl Reporter for Terminal<'_> {
    fn deadline(&self) -> Option<Moment> {
        self.notifier.deadline()
    }

    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.notifier.poll_unsent(context).map_err(Failure::from)
    }

    fn changed(&mut self, view: &View<'_>, _: Moment) -> Result<(), Failure> {
        if self.json {
            // If stdout cannot be written, go on waiting: this is the purpose of the command.
            self.json = !stdout::failed();
        }
        if self.json {
            let line = json_line(view);
            match view.phase {
                // Each line has the whole state. If a line was dropped, the next one tells what it said.
                Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } => drop(stdout::offer(&line)),
                Phase::Ready { .. } | Phase::Opened { .. } | Phase::GaveUp { .. } | Phase::Lost { .. } => {
                    stdout::say_last(&line);
                }
            }
        }
        if let Some(live) = self.live {
            live.show_gate(view, self.began, view.until);
        }
        if self.said == view.status {
            return Ok(());
        }
        view.status.clone_into(&mut self.said);
        self.notifier.status(view.status);
        let mut lines = vec![view.status.to_owned()];
        let quiet = match view.phase {
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } => {
                self.quiet || self.live.is_some()
            }
            Phase::Ready { .. } => false,
            Phase::Opened { .. } | Phase::GaveUp { .. } | Phase::Lost { .. } => {
                lines.extend(
                    unmet_with_advice(view.gate, view.verdict, Some(view.network))
                        .into_iter()
                        .map(|line| format!("  {line}")),
                );
                false
            }
        };
        if !quiet {
            let warnings = view
                .verdict
                .warnings
                .iter()
                .map(|warning| format!("warning: {}", escape(&warning.to_string())));
            lines.extend(warnings);
            for line in lines {
                stderr::say(&format!("netready: {line}\n"));
            }
        }
        Ok(())
    }
}

/// The line of JSON about this state.
fn json_line(view: &View<'_>) -> String {
    let open = matches!(view.phase, Phase::Ready { .. } | Phase::Opened { .. });
    let ready = open && view.verdict.ready();
    let mut object = verdict_json(view.gate, view.verdict, ready, state_word(view.phase), Some(view.network));
    object.insert("status".to_owned(), view.status.into());
    format!("{}\n", json_text(&object.into()))
}

fn become_command(words: &[OsString]) -> Exit {
    let Some((program, arguments)) = words.split_first() else { return Exit::Done };
    // The threads that write to stdout and stderr end with this program, so let them finish.
    last_words(PATIENCE);
    let error = Command::new(program).args(arguments).exec();
    stderr::say(&format!("netready: error: {}: {error}\n", escape_bytes(program.as_bytes())));
    // Use the exit codes of a shell: 127 if the program does not exist, 126 if it cannot be run.
    Exit::Code(if error.kind() == ErrorKind::NotFound { 127 } else { 126 })
}
