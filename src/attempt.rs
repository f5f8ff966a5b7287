//! One run of a command: started, listened to, bounded, and ended with all that it started.
//!
//! Its output goes on as it comes. stdin and stdout are netready's own; stderr goes through netready, which
//! keeps its end, by a pipe, or by a pseudo-terminal where netready's stderr is a terminal. Whether anybody reads
//! that or not, limits and signals are served. It decides nothing about what a failure means.
//!
//! With a shell's job control netready and its command are one job: if the command is stopped (^Z), netready gives
//! the terminal back and stops too, and when it is continued (`fg`, `bg`), so is the command.

mod guardian;
mod motion;
mod signals;
mod temporary;
mod terminal;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::attempt::guardian::{Charge, Lent, Report};
use crate::attempt::motion::Motion;
use crate::attempt::signals::{Wake, Whom, stop};
use crate::attempt::temporary::Temporary;
use crate::attempt::terminal::Terminal;
use crate::clock::{self, Timer};
use crate::descriptor::{self, Descriptor};
use crate::moment::Moment;
use crate::stderr;

pub use signals::{Action, Signals, action_of};
pub use temporary::{Above, Refused};

/// As much of the end of stderr as is kept.
const TAIL: usize = 64 * 1024;

/// The least that is taken of stderr after the command's end: what a pipe holds, or a pseudo-terminal.
const REST: usize = 64 * 1024;

/// How long a command has to end after SIGTERM, before its group is killed.
const TO_END: Duration = Duration::from_secs(10);

/// What to run.
#[derive(Debug)]
pub struct Words<'a> {
    /// The program, searched for in PATH.
    pub program: &'a OsString,
    /// Its arguments.
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
pub enum Ended {
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
pub struct Outcome {
    /// How.
    pub ended: Ended,
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
pub async fn run(words: &Words<'_>, bounds: Bounds, signals: &mut Signals) -> Result<Outcome, AttemptError> {
    let temporary = words.temporary.and_then(|above| {
        let made = Temporary::new(above);
        made.inspect_err(|error| tracing::warn!("no folder for its temporary files can be made: {error}"))
            .ok()
    });
    let mut terminal = Terminal::of_session();
    // Before the command: no end of it is missed.
    let mut ends = signal(SignalKind::child())?;
    let (listener, theirs) = Listener::new(words.silent)?;
    let (reports, to_reports) = pipe()?;
    let reports = Some(descriptor::listen(reports)?);
    let charge = Charge {
        reports: to_reports.as_raw_fd(),
        terminal: terminal.as_mut().map(|terminal| Lent {
            descriptor: terminal.descriptor(),
            at_start: terminal.lends_at_start(),
            owner: terminal.ours().as_raw(),
            settings: terminal.settings(),
        }),
        temporary: temporary.as_ref().map(Temporary::handle),
    };
    let child = spawn(words, theirs, charge, temporary.as_ref());
    drop(to_reports);
    let outcome = match child {
        Ok(child) => {
            let job = Job { terminal, command: None, asked: false };
            let run = Run { child, listener, reports, bounds, motion: Motion::default(), job };
            run.follow(signals, &mut ends).await
        }
        Err(error) => Err(error),
    };
    // The guardian has done so, unless it was killed or never was.
    if let Some(Err(error)) = temporary.as_ref().map(Temporary::remove) {
        let path = temporary.as_ref().map(|temporary| temporary.path().as_os_str().as_encoded_bytes());
        let path = crate::escape::escape_bytes(path.unwrap_or_default());
        tracing::warn!("{path} could not be removed: {error}");
    }
    outcome
}

fn spawn(
    words: &Words<'_>,
    stderr: OwnedFd,
    charge: Charge,
    temporary: Option<&Temporary>,
) -> Result<Child, AttemptError> {
    let mut command = Command::new(words.program);
    command.args(words.arguments).stderr(Stdio::from(stderr));
    if words.silent {
        command.stdout(Stdio::null());
    }
    if !words.may_notify {
        command.env_remove("NOTIFY_SOCKET");
    }
    if let Some(temporary) = temporary {
        command.env("TMPDIR", temporary.path());
    }
    guardian::put_before(&mut command, charge);
    command.spawn().map_err(|source| AttemptError::Spawn {
        program: crate::escape::escape_bytes(words.program.as_encoded_bytes()).into_owned(),
        source,
    })
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
    /// It goes on.
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
        let was_stopped = stop(if asked { Whom::Netready } else { Whom::Job }, with);
        // Else SIGCONT says what is next.
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
    reports: Option<AsyncFd<Descriptor<std::fs::File>>>,
    bounds: Bounds,
    motion: Motion,
    job: Job,
}

impl Run {
    async fn follow(mut self, signals: &mut Signals, ends: &mut Stream) -> Result<Outcome, AttemptError> {
        let started = clock::now();
        let mut timer = Timer::new()?;
        let mut too_long = self.bounds.attempt.map(|limit| (started + limit, Ended::TookTooLong(limit)));
        let time_up = self.bounds.until.map(|until| (until, Ended::TimeUp));
        let look_every = self.bounds.stall.map(|stall| (stall / 4).min(Duration::from_secs(5)));
        let mut moved_at = started;
        let mut looked_at = started;
        let mut look_at = look_every.map(|every| started + every);
        let mut kill_at: Option<Moment> = None;
        // Why it is being ended, where it is.
        let mut because: Option<Ended> = None;
        loop {
            if let Some(status) = self.child.try_wait()? {
                let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(125);
                let code = u8::try_from(code).unwrap_or(125);
                self.listener.rest();
                let had_terminal = self.job.terminal.as_ref().is_some_and(Terminal::was_lent);
                if let Some(terminal) = self.job.terminal.as_ref().filter(|_| because.is_some() || code > 128)
                {
                    terminal.reset();
                }
                let ended = match because {
                    None if had_terminal && matches!(code, 130 | 131) => {
                        Ended::Interrupted(i32::from(code) - 128)
                    }
                    None => Ended::Exited(code),
                    Some(Ended::Signalled(signal, _)) => Ended::Signalled(signal, code),
                    Some(other) => other,
                };
                return Ok(Outcome { ended, tail: self.listener.tail() });
            }
            let now = clock::now();
            if kill_at.is_some_and(|at| at <= now) {
                self.send(guardian::KILL);
                kill_at = None;
            }
            if because.is_none() {
                if look_at.is_some_and(|at| at <= now) {
                    if self.moved(now - looked_at) {
                        moved_at = now;
                    }
                    looked_at = now;
                    look_at = look_every.map(|every| now + every);
                }
                let stalled = self.bounds.stall.map(|stall| (moved_at + stall, Ended::Stalled(stall)));
                let due = [too_long, time_up, stalled].into_iter().flatten().find(|(at, _)| *at <= now);
                if let Some((_, why)) = due {
                    because = Some(why);
                    look_at = None;
                    kill_at = Some(now + TO_END);
                    self.send(libc::SIGTERM);
                }
            }
            let bounds = [too_long.map(|(at, _)| at), time_up.map(|(at, _)| at)];
            let pending = bounds.into_iter().flatten().filter(|_| because.is_none());
            timer.set(pending.chain(look_at).chain(kill_at).min())?;
            tokio::select! {
                _ = ends.recv() => {}
                fired = timer.fired() => fired?,
                wake = signals.next() => match wake {
                    Wake::End(signal) => {
                        because = Some(Ended::Signalled(signal, 0));
                        kill_at = kill_at.or(Some(clock::now() + TO_END));
                        self.send(signal);
                    }
                    Wake::Stop => {
                        self.job.asked = true;
                        self.send(libc::SIGTSTP);
                    }
                    Wake::Continue => {
                        self.job.asked = false;
                        self.job.continued();
                        self.send(libc::SIGCONT);
                    }
                },
                report = next_report(&mut self.reports) => {
                    let report = report?;
                    self.job.command = Some(Pid::from_raw(report.command));
                    if let Some(signal) = report.stopped {
                        let before = clock::now();
                        // What it said before it was stopped is shown before netready stops too.
                        self.listener.rest();
                        if self.job.command_stopped(signal) == Stopped::GoesOn {
                            self.send(libc::SIGCONT);
                        }
                        // An attempt that is stopped takes no time, and nothing can move in it.
                        let stopped = clock::now() - before;
                        moved_at = moved_at + stopped;
                        looked_at = looked_at + stopped;
                        too_long = too_long.map(|(at, why)| (at + stopped, why));
                    }
                }
                heard = self.listener.listen() => heard?,
            }
        }
    }

    /// Whether anything moved since the last look, so long ago.
    fn moved(&mut self, span: Duration) -> bool {
        let heard = std::mem::take(&mut self.listener.heard);
        let drawn = if self.listener.terminal { heard } else { 0 };
        // A line that was said is one, where it is not a terminal's bar.
        self.motion.moved(self.child.id(), drawn, span) || (heard > 0 && !self.listener.terminal)
    }

    /// Sends the guardian a signal, which it acts upon or passes on.
    fn send(&self, signal: i32) {
        let Ok(signal) = Signal::try_from(signal) else { return };
        let Ok(pid) = i32::try_from(self.child.id()) else { return };
        // It was not waited for, so the number is still its own. Where it has just ended there is nothing to do.
        let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
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

/// Our end of the command's stderr.
struct Listener {
    /// `None` once it is closed.
    ours: Option<AsyncFd<Descriptor<std::fs::File>>>,
    tail: VecDeque<u8>,
    /// Octets since the last look.
    heard: u64,
    terminal: bool,
    silent: bool,
}

impl Listener {
    fn new(silent: bool) -> io::Result<(Listener, OwnedFd)> {
        let terminal = !silent && io::stderr().is_terminal();
        let (ours, theirs) = if terminal { pseudo_terminal()? } else { pipe()? };
        let ours = descriptor::listen(ours)?;
        Ok((Listener { ours: Some(ours), tail: VecDeque::new(), heard: 0, terminal, silent }, theirs))
    }

    /// Passes on what is there, once what came before it was read; for ever, once nothing can come any more.
    async fn listen(&mut self) -> io::Result<()> {
        let Some(ours) = &self.ours else { return std::future::pending().await };
        if !self.silent {
            stderr::room().await;
        }
        let mut ready = ours.readable().await?;
        let mut buffer = [0; 8192];
        match ready.try_io(|inner| (&inner.get_ref().0).read(&mut buffer)) {
            Ok(Ok(length)) => self.take(buffer.get(..length).unwrap_or_default()),
            // A pseudo-terminal that nobody has open any more.
            Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => self.take(&[]),
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }

    fn take(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            self.ours = None;
            return;
        }
        if !self.silent {
            stderr::relay(octets);
        }
        self.heard = self.heard.saturating_add(octets.len() as u64);
        self.tail.extend(octets);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    /// What is there, now that the command has ended, and no more: what it left running may go on writing for ever.
    fn rest(&mut self) {
        let mut buffer = [0; 8192];
        let mut left = self.waiting().max(REST);
        while let (Some(ours), true) = (&self.ours, left > 0) {
            match (&ours.get_ref().0).read(&mut buffer) {
                Ok(length) => {
                    left = left.saturating_sub(length);
                    self.take(buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// How much is there to be read; a pseudo-terminal may have more.
    fn waiting(&self) -> usize {
        let Some(ours) = &self.ours else { return 0 };
        let mut length: libc::c_int = 0;
        // SAFETY: the kernel writes a number there, and nothing else.
        let known = unsafe { libc::ioctl(ours.as_raw_fd(), libc::FIONREAD, &raw mut length) } == 0;
        if known { usize::try_from(length).unwrap_or_default() } else { 0 }
    }

    fn tail(&self) -> String {
        let (a, b) = self.tail.as_slices();
        String::from_utf8_lossy(&[a, b].concat()).into_owned()
    }
}

/// The guardian's next report; for ever, once it is gone.
async fn next_report(reports: &mut Option<AsyncFd<Descriptor<std::fs::File>>>) -> io::Result<Report> {
    loop {
        let Some(pipe) = reports else { return std::future::pending().await };
        let mut ready = pipe.readable().await?;
        let mut report = [0; Report::LENGTH];
        // Each is written, and read, as a whole: it is shorter than PIPE_BUF.
        match ready.try_io(|pipe| (&pipe.get_ref().0).read(&mut report)) {
            Ok(Ok(Report::LENGTH)) => return Ok(Report::decode(report)),
            Ok(Ok(_)) => *reports = None,
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// One as wide as ours, whose output is changed by ours alone.
fn pseudo_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = nix::pty::openpty(stderr::window().as_ref(), None)?;
    for end in [&pair.master, &pair.slave] {
        fcntl(end, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    }
    let mut settings = tcgetattr(&pair.slave)?;
    settings.output_flags.remove(OutputFlags::OPOST);
    tcsetattr(&pair.slave, SetArg::TCSANOW, &settings)?;
    Ok((pair.master, pair.slave))
}
