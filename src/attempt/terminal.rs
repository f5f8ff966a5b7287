//! The controlling terminal. netready lends it to its command, so that the command can ask questions, and the user
//! can interrupt and stop it from the keyboard, as without netready.

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
    /// The settings of the terminal before the command ran.
    settings: Option<Termios>,
    /// Whether stdin is this terminal, so that the command may read from it.
    interactive: bool,
    /// Whether the command has the terminal now.
    lent: bool,
    /// Whether the command has had the terminal at any time.
    was_lent: bool,
}

impl Terminal {
    /// Opens the terminal. Returns `None` if there is none, for example in a service.
    pub(super) fn of_session() -> Option<Terminal> {
        let flags = libc::O_NOCTTY | libc::O_CLOEXEC;
        let tty = OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/tty").ok()?;
        // This call fails if stdin is another terminal or no terminal.
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

    /// Whether netready's process group is in the foreground, so that it may read from the terminal.
    pub(super) fn in_foreground(&self) -> bool {
        tcgetpgrp(self.tty.as_fd()) == Ok(self.ours)
    }

    /// Whether the command gets the terminal when it starts. If so, the guardian gives it the terminal, because the
    /// command must have it before it reads.
    pub(super) fn lends_at_start(&mut self) -> bool {
        let lends = self.interactive && self.in_foreground();
        self.set_lent(lends);
        lends
    }

    pub(super) fn was_lent(&self) -> bool {
        self.was_lent
    }

    /// Gives the terminal to the command's group, if netready's group has it. Returns whether the command has it now.
    pub(super) fn lend(&mut self, command: Pid) -> bool {
        let lent = self.in_foreground() && self.set_foreground(command);
        self.set_lent(lent);
        lent
    }

    /// Acts on netready's continuation, in the foreground (`fg`) or in the background (`bg`).
    pub(super) fn continued(&mut self, command: Option<Pid>) {
        match command {
            Some(command) if self.in_foreground() => {
                if self.interactive || self.was_lent {
                    self.lend(command);
                }
            }
            // Not in the foreground: a shell has usually taken the terminal when it saw netready stop.
            command => {
                let lent = command.is_some() && tcgetpgrp(self.tty.as_fd()).ok() == command;
                self.set_lent(lent);
            }
        }
    }

    /// Takes the terminal back, if it is lent.
    pub(super) fn take_back(&mut self) {
        if self.lent {
            // An error means that the terminal is gone. Then there is nothing to take back.
            self.set_foreground(self.ours);
            self.set_lent(false);
        }
    }

    /// Restores the terminal's settings after the command was ended by force: it could not undo its own changes (the
    /// echo, for example).
    pub(super) fn reset(&self) {
        if let (true, Some(settings)) = (self.lent, &self.settings) {
            // An error means that the terminal is gone.
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

/// Changes the terminal while another group has it. Without blocking SIGTTOU, the change would stop netready.
fn as_background<T>(change: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let before = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let done = change();
    // An error cannot happen: this mask was in force before.
    let _ = before.thread_set_mask();
    done
}
