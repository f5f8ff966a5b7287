//! The main loop of the guardian: it waits for signals and for the end of the command.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitCode};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, tcgetpgrp, tcsetpgrp};

use crate::attempt::guardian::orders::Report;
use crate::attempt::temporary;
use crate::clock;
use crate::moment::Moment;
use crate::platform::child::{self, ChildEnd};
use crate::platform::signals::Blocked;

/// The kernel sends this signal when netready has died (PR_SET_PDEATHSIG).
pub(super) const ORPHANED: Signal = Signal::SIGUSR1;
/// netready sends this signal to make the guardian kill the command's group.
pub(in crate::attempt) const KILL: Signal = Signal::SIGUSR2;
/// How long an orphaned group has between SIGTERM and SIGKILL.
const LAST_SECONDS: Duration = Duration::from_secs(2);

/// The command's folder of temporary files: the descriptor of the folder above it, its name there, and its own
/// descriptor.
pub(super) type Temporary = (OwnedFd, CString, OwnedFd);

/// The terminal of the session, which may be lent to the command.
pub(super) struct Terminal {
    tty: File,
    /// Netready's process group.
    owner: Pid,
    /// The settings of the terminal before the command ran.
    settings: Option<Termios>,
}

impl Terminal {
    /// Remembers the terminal's settings. Call this before the command runs.
    pub(super) fn new(tty: File, owner: i32) -> Terminal {
        let settings = tcgetattr(&tty).ok();
        Terminal { tty, owner: Pid::from_raw(owner), settings }
    }

    /// Opens another descriptor of the terminal.
    pub(super) fn share(&self) -> io::Result<OwnedFd> {
        self.tty.as_fd().try_clone_to_owned()
    }

    /// Gives the terminal back to netready's group, unless another group has taken it meanwhile: a shell takes it
    /// when it sees that its job is gone. The guardian is not stopped for this call, because SIGTTOU is blocked.
    fn give_back(&self, command: Pid) {
        let taken = match tcgetpgrp(&self.tty) {
            Ok(group) if group == command => false,
            // A command with job control of its own (a shell) may have given the terminal to a group that is gone
            // too.
            Ok(group) if group.as_raw() > 0 => !is_gone(group),
            Ok(_) | Err(_) => true,
        };
        if taken || is_gone(self.owner) {
            return;
        }
        // An error means that the terminal is gone. Then there is nothing to give back.
        let _ = tcsetpgrp(&self.tty, self.owner);
        if let Some(settings) = &self.settings {
            let _ = tcsetattr(&self.tty, SetArg::TCSANOW, settings);
        }
    }
}

/// Removes the command's folder of temporary files, if it has one. An error is not reported here: netready, if it
/// still runs, tries again and reports it.
pub(super) fn remove(temporary: Option<&Temporary>) {
    if let Some((above, name, folder)) = temporary {
        let _ = temporary::remove(above.as_fd(), name, folder.as_fd());
    }
}

fn is_gone(group: Pid) -> bool {
    killpg(group, None) == Err(Errno::ESRCH)
}

/// A guardian whose command runs. All signals are blocked.
pub(super) struct Watch {
    pub(super) command: Child,
    /// The command's process group.
    pub(super) group: Pid,
    /// All signals. They stay blocked, so that a late signal does not change the guardian's exit code.
    pub(super) signals: Blocked,
    pub(super) reports: File,
    pub(super) terminal: Option<Terminal>,
    pub(super) temporary: Option<Temporary>,
}

impl Watch {
    /// Runs until the command ends, and returns the command's exit code.
    pub(super) fn until_the_end(mut self) -> io::Result<ExitCode> {
        let orphaned = self.pass_signals_on();
        if orphaned.is_err() {
            // A command that cannot be watched any more must not go on running.
            self.send(Signal::SIGKILL);
        }
        self.end(orphaned?)
    }

    /// Passes signals on until the command ends. Returns whether netready has died meanwhile.
    fn pass_signals_on(&mut self) -> io::Result<bool> {
        // Somebody asked for the command's end, so nothing of its group may stay.
        let mut ending = false;
        // netready is gone. `kill_at` says when the command is killed for that.
        let mut orphaned = false;
        let mut kill_at: Option<Moment> = None;
        loop {
            if let Some(how) = child::has_ended(self.group)? {
                // If the command succeeded, processes that it left in its group may be wanted. If it failed, they
                // would run beside the next attempt.
                if ending || how == ChildEnd::Badly {
                    self.send(Signal::SIGKILL);
                }
                return Ok(orphaned);
            }
            if let Some(signal) = child::was_stopped(self.group) {
                Report::Stopped(signal as i32).write(&self.reports);
            }
            if kill_at.is_some_and(|at| at <= clock::now()) {
                self.send(Signal::SIGKILL);
                kill_at = None;
            }
            match self.next_signal(kill_at)? {
                Some(ORPHANED) => {
                    (orphaned, ending) = (true, true);
                    kill_at = Some(clock::now() + LAST_SECONDS);
                    self.give_terminal_back();
                    self.send(Signal::SIGTERM);
                    self.send(Signal::SIGCONT);
                }
                Some(KILL) => self.send(Signal::SIGKILL),
                Some(signal @ (Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP | Signal::SIGQUIT)) => {
                    ending = true;
                    self.send(signal);
                    self.send(Signal::SIGCONT);
                }
                Some(signal @ (Signal::SIGTSTP | Signal::SIGCONT)) => self.send(signal),
                // Another signal, for example SIGCHLD: the loop looks at the command again.
                Some(_) | None => {}
            }
        }
    }

    /// Cleans up after the end of the command, waits for it, and returns its exit code.
    fn end(mut self, orphaned: bool) -> io::Result<ExitCode> {
        if orphaned {
            self.give_terminal_back();
        }
        remove(self.temporary.as_ref());
        let status = self.command.wait()?;
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or_default();
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(super::FAILED)))
    }

    /// Waits for the next signal. Returns `None` if none came until `until`, and sometimes earlier.
    fn next_signal(&self, until: Option<Moment>) -> io::Result<Option<Signal>> {
        if let Some(signal) = self.signals.next()? {
            return Ok(Some(signal));
        }
        let left = until.map(|until| until - clock::now());
        let limit =
            left.map_or(PollTimeout::NONE, |left| PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        match poll(&mut [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)], limit) {
            Err(Errno::EINTR) | Ok(0) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(_) => self.signals.next(),
        }
    }

    /// Sends a signal to the command's group. The command was not waited for, so no other group can have its number.
    fn send(&self, signal: Signal) {
        let _ = killpg(self.group, signal);
    }

    fn give_terminal_back(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.give_back(self.group);
        }
    }
}
