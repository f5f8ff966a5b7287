//! One run of a command: started, listened to, bounded, and ended with all that it started.
//!
//! Its output goes on as it comes. stdin and stdout are netready's own; stderr goes through netready, which
//! keeps its end, by a pipe, or by a pseudo-terminal where netready's stderr is a terminal. Whether anybody reads
//! that or not, limits and signals are served. It decides nothing about what a failure means.
//!
//! With a shell's job control netready and its command are one job: if the command is stopped (^Z), netready gives
//! the terminal back and stops too, and when it is continued (`fg`, `bg`), so is the command.

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
    /// Whether it may speak to the service manager itself.
    pub may_notify: bool,
    /// Whether what it says is for netready only.
    pub silent: bool,
    /// Where it gets a folder of temporary files of its own, which is removed after it.
    pub temporary: Option<&'a Above>,
}

/// What bounds one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// It is ended after nothing has moved for so long.
    pub stall: Option<Duration>,
    /// It is ended after so long.
    pub attempt: Option<Duration>,
    /// It is ended then.
    pub until: Option<Moment>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// By itself: its exit code, 128+n for a signal.
    Exited(u8),
    /// Nothing moved for so long.
    Stalled(Duration),
    /// It took too long.
    TookTooLong(Duration),
    /// The time for all runs was up.
    TimeUp,
    /// Netready was sent this signal, passed it on, and the command ended so.
    Signalled(i32, u8),
    /// It had the terminal, and was ended from there by this signal.
    Interrupted(i32),
}

/// A run that is over.
#[derive(Debug)]
pub struct AttemptOutcome {
    /// How the attempt ended.
    pub ended: AttemptEnd,
    /// The end of what it said on stderr.
    pub tail: String,
}

/// Why there was no run, or it cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// It is not there, or cannot be run.
    #[error("{program}")]
    Spawn {
        /// What was to be run, safe to print.
        program: String,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// Pipes, timers or terminals are not to be had.
    #[error("cannot follow the command")]
    Follow(#[from] io::Error),
}

/// Runs it once.
///
/// # Errors
/// See [`AttemptError`].
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
        // Before the command: no end of it is missed.
        Ok((run, mut ends)) => run.follow(words, bounds, signals, &mut ends).await,
        Err(error) => Err(error.into()),
    };
    // The guardian has done so, unless it was killed or never was.
    if let Some(Err(error)) = temporary.as_ref().map(Temporary::remove) {
        let path = temporary.as_ref().map(|temporary| temporary.path().as_os_str().as_encoded_bytes());
        let path = crate::escape::escape_bytes(path.unwrap_or_default());
        tracing::warn!("{path} could not be removed: {error}");
    }
    outcome
}

/// Starts the guardian, which starts the command; and listens for its end.
fn start(words: &Words<'_>, temporary: Option<&Temporary>) -> io::Result<(Run, events::Signals<()>)> {
    let mut terminal = Terminal::of_session();
    // From before the start, so that no end is missed.
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

/// The command and netready, as a shell's job.
struct Job {
    /// `None` where the session has none.
    terminal: Option<Terminal>,
    /// The command's process group, once the guardian has said it.
    command: Option<Pid>,
    /// Netready was asked to stop, and has passed that on.
    asked: bool,
}

/// What follows from a stop of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// The command is still running.
    GoesOn,
    /// It stays as it is until somebody continues it.
    Stays,
}

impl Job {
    /// The command was stopped. Then netready stops too, and returns once it is continued; or the command goes on
    /// because it lacked nothing but the terminal, or because nobody is there to continue it.
    fn command_stopped(&mut self, signal: i32) -> Stopped {
        let asked = std::mem::take(&mut self.asked);
        let Ok(signal) = Signal::try_from(signal) else { return Stopped::Stays };
        let for_terminal = matches!(signal, Signal::SIGTTIN | Signal::SIGTTOU);
        // Before the terminal is looked at: where background jobs may not write to it (`stty tostop`), this stops
        // netready, and the user may have continued it in the foreground meanwhile.
        stderr::before_a_stop();
        match (&mut self.terminal, self.command) {
            (Some(terminal), Some(command)) if for_terminal && terminal.in_foreground() => {
                return if terminal.lend(command) { Stopped::GoesOn } else { Stopped::Stays };
            }
            (Some(terminal), _) => terminal.take_back(),
            // Somebody has frozen the command alone, and will thaw it. The limits go on.
            (None, _) if !asked => return Stopped::Stays,
            (None, _) => {}
        }
        // SIGSTOP would stop netready also where no shell is there to continue it.
        let with = if signal == Signal::SIGSTOP { Signal::SIGTSTP } else { signal };
        let was_stopped = stop(if asked { Whom::Process } else { Whom::Job }, with);
        // If it was stopped, SIGCONT says what is next.
        if !was_stopped && signal == Signal::SIGTSTP {
            self.continued();
            return Stopped::GoesOn;
        }
        Stopped::Stays
    }

    /// Netready was continued, and the command is about to be.
    fn continued(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.continued(self.command);
        }
    }
}

/// A command that runs.
struct Run {
    /// The guardian before the command.
    child: Child,
    listener: Listener,
    /// `None` once the guardian is gone.
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
                // Until the guardian has reported, it would not pass them on.
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

    /// Does what follows from the guardian's report.
    fn heed(&mut self, report: Report, deadlines: &mut Deadlines) {
        match report {
            Report::Started(command) => self.job.command = Some(Pid::from_raw(command)),
            Report::NotStarted(errno) => self.not_started = Some(io::Error::from_raw_os_error(errno)),
            Report::Stopped(signal) => {
                let before = clock::now();
                // What the command said before it was stopped is shown before netready stops too.
                self.listener.rest();
                if self.job.command_stopped(signal) == Stopped::GoesOn {
                    self.send(Signal::SIGCONT);
                }
                deadlines.stopped_for(clock::now() - before);
            }
        }
    }

    /// The guardian has ended, and so has the command, for this reason if netready had one.
    fn end(
        mut self,
        words: &Words<'_>,
        status: ExitStatus,
        because: Option<AttemptEnd>,
    ) -> Result<AttemptOutcome, AttemptError> {
        // What it reported last may not have been read.
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

    /// Whether the command was active since the last look, so long ago.
    fn is_active(&mut self, span: Duration) -> bool {
        let heard = std::mem::take(&mut self.listener.heard);
        let drawn = if self.listener.terminal { heard } else { 0 };
        // A line that was said is activity, except on a terminal, where it may be a bar that is drawn anew.
        self.activity.look(self.child.id(), drawn, span) || (heard > 0 && !self.listener.terminal)
    }

    /// Sends the guardian a signal, which it acts upon or passes on.
    fn send(&self, signal: Signal) {
        // It was not waited for, so the number is still its own. Where it has just ended there is nothing to do.
        let _ = kill(child::pid(&self.child), signal);
    }
}

impl Drop for Run {
    /// Where the run cannot be followed any more.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.send(guardian::KILL);
            let _ = self.child.wait();
        }
    }
}

/// The guardian's next report; for ever, once it is gone.
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

/// A report, or `None` at the end of the pipe.
fn read_report(mut pipe: &File) -> io::Result<Option<Report>> {
    let mut report = [0; Report::LENGTH];
    let length = pipe.read(&mut report)?;
    Ok(if length == Report::LENGTH { Report::decode(report) } else { None })
}
