//! The controlling terminal, which netready lends to its command, so that the command can ask questions and be
//! interrupted and stopped from the keyboard, as without netready.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

use crate::stderr;

/// The terminal of netready's session.
pub(super) struct Terminal {
    tty: File,
    /// Netready's process group.
    ours: Pid,
    /// How it was set before the command ran.
    settings: Option<Termios>,
    /// stdin is this terminal, so the command may read from it.
    interactive: bool,
    /// The command has it.
    lent: bool,
    /// The command had it at any time.
    was_lent: bool,
}

impl Terminal {
    /// `None` if there is none: in a service, for example.
    pub(super) fn of_session() -> Option<Terminal> {
        let flags = libc::O_NOCTTY | libc::O_CLOEXEC;
        let tty = OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/tty").ok()?;
        // For any other terminal, and anything else, it fails.
        let interactive = tcgetpgrp(io::stdin()).is_ok();
        let settings = tcgetattr(&tty).ok();
        Some(Terminal { tty, ours: getpgrp(), settings, interactive, lent: false, was_lent: false })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.tty.as_fd()
    }

    pub(super) fn ours(&self) -> Pid {
        self.ours
    }

    /// Whether netready's job is the one that reads from it.
    pub(super) fn in_foreground(&self) -> bool {
        tcgetpgrp(self.tty.as_fd()) == Ok(self.ours)
    }

    /// Whether the command is to have it from its start on. Then the guardian gives it to the command, which must
    /// have it before it reads.
    pub(super) fn lends_at_start(&mut self) -> bool {
        let lends = self.interactive && self.in_foreground();
        self.set_lent(lends);
        lends
    }

    pub(super) fn was_lent(&self) -> bool {
        self.was_lent
    }

    /// Gives it to the command's group, if it is netready's to give.
    pub(super) fn lend(&mut self, command: Pid) -> bool {
        let lent = self.in_foreground() && self.set_foreground(command);
        self.set_lent(lent);
        lent
    }

    /// Netready was stopped, and goes on: in the foreground (`fg`) or not (`bg`).
    pub(super) fn continued(&mut self, command: Option<Pid>) {
        match command {
            Some(command) if self.in_foreground() => {
                if self.interactive || self.was_lent {
                    self.lend(command);
                }
            }
            // A shell that saw netready stop has taken it.
            command => {
                let lent = command.is_some() && tcgetpgrp(self.tty.as_fd()).ok() == command;
                self.set_lent(lent);
            }
        }
    }

    /// Takes it back, if it is lent.
    pub(super) fn take_back(&mut self) {
        if self.lent {
            // Where the terminal is gone there is nothing to take back.
            self.set_foreground(self.ours);
            self.set_lent(false);
        }
    }

    /// The command was ended by force: it could not set right what it had changed (the echo, for example).
    pub(super) fn reset(&self) {
        if let (true, Some(settings)) = (self.lent, &self.settings) {
            // As above.
            let _ = as_background(|| tcsetattr(&self.tty, SetArg::TCSANOW, settings));
        }
    }

    fn set_foreground(&self, group: Pid) -> bool {
        as_background(|| tcsetpgrp(self.tty.as_fd(), group)).is_ok()
    }

    fn set_lent(&mut self, lent: bool) {
        self.lent = lent;
        self.was_lent |= lent;
        stderr::terminal_is_lent(lent);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// Changes the terminal while another group has it: who does so is stopped, unless SIGTTOU is blocked.
fn as_background<T>(change: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let before = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let done = change();
    // It is the mask that was in force, so it can be.
    let _ = before.thread_set_mask();
    done
}
