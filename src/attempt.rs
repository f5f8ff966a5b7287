//! Runs a command once: starts it, passes its output on, enforces its limits, and ends it together with all the
//! processes that it started.
//!
//! The command has netready's own stdin and stdout. Its stderr goes through netready: through a pipe, or through a
//! pseudo-terminal if netready's stderr is a terminal. netready passes each part of it on at once, and keeps the end
//! of it. netready enforces limits and handles signals even if nobody reads its stderr. This module does not decide
//! what a failure means.
//!
//! In a shell with job control, netready and its command are one job. If the command is stopped (^Z), netready takes
//! the terminal back and stops too. When netready is continued (`fg`, `bg`), it continues the command.

mod activity;
mod deadlines;
mod guardian;
mod listener;
mod signals;
mod temporary;
mod terminal;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;

use crate::attempt::activity::Activity;
use crate::attempt::deadlines::Deadlines;
use crate::attempt::guardian::Report;
use crate::attempt::listener::Listener;
use crate::attempt::signals::Wake;
use crate::attempt::temporary::Temporary;
use crate::attempt::terminal::Terminal;
use crate::clock::{self, Timer};
use crate::descriptor::{self, Descriptor};
use crate::moment::Moment;
use crate::platform::child;
use crate::platform::signals::{self as events, Whom, stop};
use crate::stderr;

pub use guardian::main as guardian;
pub use signals::Signals;
pub use temporary::{Above, Refused};

/// The command to run: a program and its arguments.
#[derive(Debug)]
pub struct Words<'a> {
    /// The program, searched for in PATH.
    pub program: &'a OsString,
    /// The arguments of the program.
    pub arguments: &'a [OsString],
    /// Whether the command may talk to the service manager. If not, it does not get NOTIFY_SOCKET.
    pub may_notify: bool,
    /// Whether only netready gets the command's output: its stdout is dropped, and its stderr is not passed on.
    pub silent: bool,
    /// The folder below which the command gets its own folder of temporary files (TMPDIR). netready removes that
    /// folder after the command. `None` if the command gets no folder of its own.
    pub temporary: Option<&'a Above>,
}

/// The limits of one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// netready ends the command after it was inactive for this long.
    pub stall: Option<Duration>,
    /// netready ends the command after this long.
    pub attempt: Option<Duration>,
    /// netready ends the command at this moment.
    pub until: Option<Moment>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The command ended by itself, with this exit code; 128+n if signal n killed it.
    Exited(u8),
    /// netready ended the command because it was inactive for this long.
    Stalled(Duration),
    /// netready ended the command because it took longer than this limit.
    TookTooLong(Duration),
    /// netready ended the command because the time for all runs was up.
    TimeUp,
    /// netready got this signal and passed it on, and the command ended with this exit code.
    Signalled(i32, u8),
    /// The command had the terminal, and the user interrupted it from there with this signal.
    Interrupted(i32),
}

/// A run that is over.
#[derive(Debug)]
pub struct AttemptOutcome {
    /// How the attempt ended.
    pub ended: AttemptEnd,
    /// The end of what the command wrote to stderr.
    pub tail: String,
}

/// Why the command was not started, or why netready cannot follow it.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The program does not exist or cannot be run.
    #[error("{program}")]
    Spawn {
        /// The program, escaped for printing.
        program: String,
        /// The error of the system call.
        #[source]
        source: io::Error,
    },
    /// A pipe, a timer, the terminal or another descriptor cannot be opened or used.
    #[error("cannot follow the command")]
    Follow(#[from] io::Error),
}

/// Runs the command once.
///
/// # Errors
/// Fails if the command cannot be started or followed: see [`AttemptError`].
pub async fn run(
    words: &Words<'_>,
    bounds: Bounds,
    signals: &mut Signals,
) -> Result<AttemptOutcome, AttemptError> {
    let temporary = words.temporary.and_then(|above| {
        let made = Temporary::new(above);
        made.inspect_err(|error| tracing::warn!("cannot make a folder for the temporary files: {error}")).ok()
    });
    let outcome = match start(words, temporary.as_ref()) {
        // `start` listened for SIGCHLD before it started the command, so `ends` misses no end of it.
        Ok((run, mut ends)) => run.follow(words, bounds, signals, &mut ends).await,
        Err(error) => Err(error.into()),
    };
    // The guardian has usually removed the folder. It has not if it was killed or could not be started.
    if let Some(Err(error)) = temporary.as_ref().map(Temporary::remove) {
        let path = temporary.as_ref().map(|temporary| temporary.path().as_os_str().as_encoded_bytes());
        let path = crate::escape::escape_bytes(path.unwrap_or_default());
        tracing::warn!("{path} could not be removed: {error}");
    }
    outcome
}

/// Starts the guardian, which starts the command, and listens for its end.
fn start(words: &Words<'_>, temporary: Option<&Temporary>) -> io::Result<(Run, events::Signals<()>)> {
    let mut terminal = Terminal::of_session();
    // Listen before the start, so that the end of the guardian is not missed.
    let ends = events::Signals::new([(Signal::SIGCHLD, ())])?;
    let (listener, theirs) = Listener::new(words.silent)?;
    let (reports, to_reports) = listener::pipe()?;
    let reports = Some(descriptor::listen(reports)?);
    let at_start = terminal.as_mut().is_some_and(Terminal::lends_at_start);
    let start = guardian::Start {
        words,
        reports: to_reports,
        terminal: terminal.as_ref().map(|terminal| (terminal, at_start)),
        temporary,
    };
    let child = start.spawn(|command| {
        command.stderr(theirs);
        if words.silent {
            command.stdout(Stdio::null());
        }
        if !words.may_notify {
            command.env_remove("NOTIFY_SOCKET");
        }
        if let Some(temporary) = temporary {
            command.env("TMPDIR", temporary.path());
        }
    })?;
    let job = Job { terminal, command: None, asked: false };
    Ok((Run { child, listener, reports, activity: Activity::default(), job, not_started: None }, ends))
}

/// The command and netready, as one job of a shell.
struct Job {
    /// `None` if the session has no terminal.
    terminal: Option<Terminal>,
    /// The command's process group, once the guardian has reported it.
    command: Option<Pid>,
    /// Somebody asked netready to stop, and netready has passed that on to the command.
    asked: bool,
}

/// What follows after the command was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// The command must be continued.
    GoesOn,
    /// The command stays stopped until somebody continues it.
    Stays,
}

impl Job {
    /// Acts on a stop of the command. netready then stops too, and this returns once netready is continued. The
    /// command goes on at once in two cases: it lacked only the terminal, which it now gets; or nobody is there to
    /// continue it.
    fn command_stopped(&mut self, signal: i32) -> Stopped {
        let asked = std::mem::take(&mut self.asked);
        let Ok(signal) = Signal::try_from(signal) else { return Stopped::Stays };
        let for_terminal = matches!(signal, Signal::SIGTTIN | Signal::SIGTTOU);
        // Do this before looking at who has the terminal. If background jobs may not write to the terminal (`stty
        // tostop`), this stops netready, and meanwhile the user may continue netready in the foreground.
        stderr::before_a_stop();
        match (&mut self.terminal, self.command) {
            (Some(terminal), Some(command)) if for_terminal && terminal.in_foreground() => {
                return if terminal.lend(command) { Stopped::GoesOn } else { Stopped::Stays };
            }
            (Some(terminal), _) => terminal.take_back(),
            // Somebody has stopped the command alone, and will continue it. Its limits still apply.
            (None, _) if !asked => return Stopped::Stays,
            (None, _) => {}
        }
        // SIGSTOP would stop netready even if no shell is there to continue it.
        let with = if signal == Signal::SIGSTOP { Signal::SIGTSTP } else { signal };
        let was_stopped = stop(if asked { Whom::Process } else { Whom::Job }, with);
        // If netready was stopped, the SIGCONT that continued it decides what happens next.
        if !was_stopped && signal == Signal::SIGTSTP {
            self.continued();
            return Stopped::GoesOn;
        }
        Stopped::Stays
    }

    /// Acts on netready's continuation, before the command is continued.
    fn continued(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.continued(self.command);
        }
    }
}

/// A running command.
struct Run {
    /// The guardian, which is the parent of the command.
    child: Child,
    listener: Listener,
    /// The pipe of the guardian's reports. `None` once the guardian has closed it.
    reports: Option<AsyncFd<Descriptor<File>>>,
    activity: Activity,
    job: Job,
    /// Why the guardian could not start the command.
    not_started: Option<io::Error>,
}

impl Run {
    async fn follow(
        mut self,
        words: &Words<'_>,
        bounds: Bounds,
        signals: &mut Signals,
        ends: &mut events::Signals<()>,
    ) -> Result<AttemptOutcome, AttemptError> {
        let mut timer = Timer::new()?;
        let mut deadlines = Deadlines::new(bounds, clock::now());
        loop {
            if let Some(status) = self.child.try_wait()? {
                return self.end(words, status, deadlines.because());
            }
            let now = clock::now();
            if deadlines.kill(now) {
                self.send(guardian::KILL);
            }
            if deadlines.look(now).is_some_and(|span| self.is_active(span)) {
                deadlines.active(now);
            }
            if deadlines.expire(now) {
                self.send(Signal::SIGTERM);
            }
            timer.set(deadlines.next())?;
            tokio::select! {
                () = ends.next() => {}
                fired = timer.fired() => fired?,
                // Until the guardian has reported the start, it would not pass signals on.
                wake = signals.next(), if self.job.command.is_some() => self.wake(wake, &mut deadlines),
                report = next_report(&mut self.reports) => self.heed(report?, &mut deadlines),
                heard = self.listener.listen() => heard?,
            }
        }
    }

    /// Does what a signal to netready asks for.
    fn wake(&mut self, wake: Wake, deadlines: &mut Deadlines) {
        match wake {
            Wake::End(signal) => {
                deadlines.signalled(signal as i32, clock::now());
                self.send(signal);
            }
            Wake::Stop => {
                self.job.asked = true;
                self.send(Signal::SIGTSTP);
            }
            Wake::Continue => {
                self.job.asked = false;
                self.job.continued();
                self.send(Signal::SIGCONT);
            }
        }
    }

    /// Acts on a report of the guardian.
    fn heed(&mut self, report: Report, deadlines: &mut Deadlines) {
        match report {
            Report::Started(command) => self.job.command = Some(Pid::from_raw(command)),
            Report::NotStarted(errno) => self.not_started = Some(io::Error::from_raw_os_error(errno)),
            Report::Stopped(signal) => {
                let before = clock::now();
                // Show what the command wrote before it was stopped, before netready stops too.
                self.listener.rest();
                if self.job.command_stopped(signal) == Stopped::GoesOn {
                    self.send(Signal::SIGCONT);
                }
                deadlines.stopped_for(clock::now() - before);
            }
        }
    }

    /// Makes the outcome of the run. The guardian and the command have ended. `because` says why netready ended the
    /// command, if it did.
    fn end(
        mut self,
        words: &Words<'_>,
        status: ExitStatus,
        because: Option<AttemptEnd>,
    ) -> Result<AttemptOutcome, AttemptError> {
        // The last report may still be in the pipe.
        while let Some(pipe) = &self.reports {
            match read_report(&pipe.get_ref().0) {
                Ok(Some(Report::NotStarted(errno))) => {
                    self.not_started = Some(io::Error::from_raw_os_error(errno));
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        if let Some(source) = self.not_started.take() {
            let program = crate::escape::escape_bytes(words.program.as_encoded_bytes()).into_owned();
            return Err(AttemptError::Spawn { program, source });
        }
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(125);
        let code = u8::try_from(code).unwrap_or(125);
        self.listener.rest();
        let had_terminal = self.job.terminal.as_ref().is_some_and(Terminal::was_lent);
        if let Some(terminal) = self.job.terminal.as_ref().filter(|_| because.is_some() || code > 128) {
            terminal.reset();
        }
        let ended = match because {
            None if had_terminal && matches!(code, 130 | 131) => {
                AttemptEnd::Interrupted(i32::from(code) - 128)
            }
            None => AttemptEnd::Exited(code),
            Some(AttemptEnd::Signalled(signal, _)) => AttemptEnd::Signalled(signal, code),
            Some(other) => other,
        };
        Ok(AttemptOutcome { ended, tail: self.listener.tail() })
    }

    /// Whether the command was active since the last look, which was `span` ago.
    fn is_active(&mut self, span: Duration) -> bool {
        let heard = std::mem::take(&mut self.listener.heard);
        let drawn = if self.listener.terminal { heard } else { 0 };
        // Output on stderr is activity. Output on a terminal does not count: it may be a progress bar that is
        // redrawn.
        self.activity.look(self.child.id(), drawn, span) || (heard > 0 && !self.listener.terminal)
    }

    /// Sends the guardian a signal. The guardian acts on it or passes it on to the command.
    fn send(&self, signal: Signal) {
        // The guardian was not waited for, so no other process can have its number. If it has just ended, there is
        // nothing to do.
        let _ = kill(child::pid(&self.child), signal);
    }
}

impl Drop for Run {
    /// Kills the command if the run cannot be followed any more, because of an error.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.send(guardian::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Waits for the guardian's next report. Never returns once the guardian has closed the pipe.
async fn next_report(reports: &mut Option<AsyncFd<Descriptor<File>>>) -> io::Result<Report> {
    loop {
        let Some(pipe) = reports else { return std::future::pending().await };
        match pipe.readable().await?.try_io(|pipe| read_report(&pipe.get_ref().0)) {
            Ok(Ok(Some(report))) => return Ok(report),
            Ok(Ok(None)) => *reports = None,
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
    }
}

/// Reads a report. Returns `None` at the end of the pipe.
fn read_report(mut pipe: &File) -> io::Result<Option<Report>> {
    let mut report = [0; Report::LENGTH];
    let length = pipe.read(&mut report)?;
    Ok(if length == Report::LENGTH { Report::decode(report) } else { None })
}
