//! Child processes: how one is started that must not outlive this process, and how it is looked after.
//!
//! A child that may start others leads a process group of its own, so that all of it can be ended by that group's
//! number. The number is safe to use only until the child was waited for: until then the kernel gives it to
//! nobody else. So its end is looked for without waiting for it ([`has_ended`]), its group is killed if need be,
//! and only then it is waited for.
//!
//! Three kinds of callers start children:
//!
//! - Who wants to know what a program says waits for it meanwhile: [`capture()`].
//! - The guardian of a command (`attempt`) has needs of its own: job control, a terminal that it lends, signals that it
//!   passes on. It starts the command with [`start`], and looks for its end with [`has_ended`].
//! - The probes are programs of ours that start no others, and the event loop waits for them: [`Single`].

mod capture;
mod other_user;

pub use capture::{Captured, Output, capture};
pub use other_user::OtherUser;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Child, Command};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpid, tcsetpgrp};

/// What a child is started with, besides what [`Command`] knows.
pub struct Terms {
    /// The signals that are blocked in it. A caller that blocks signals for itself gives those it was started with.
    pub blocked: SigSet,
    /// The terminal that its process group gets before it runs.
    pub terminal: Option<OwnedFd>,
}

/// Starts a child that leads a process group of its own, and that the kernel kills when the calling thread ends.
///
/// # Errors
/// As [`Command::spawn`].
pub fn start(command: &mut Command, terms: Terms) -> io::Result<Child> {
    let parent = std::process::id();
    command.process_group(0);
    let before_exec = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        // The parent ended before the kernel was told.
        if parent_id() != parent {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if let Some(terminal) = &terms.terminal {
            // Where it fails the terminal is another group's by now, and the child is a background job.
            let _ = tcsetpgrp(terminal, getpid());
        }
        Ok(terms.blocked.thread_set_mask()?)
    };
    // SAFETY: between fork and exec the closure makes system calls only. It allocates nothing and takes no lock.
    unsafe { command.pre_exec(before_exec) };
    command.spawn()
}

/// A child that starts no others. It is killed, and waited for, when this is dropped.
#[derive(Debug)]
pub struct Single(Child);

impl Single {
    /// Starts it.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub fn start(command: &mut Command) -> io::Result<Single> {
        Ok(Single(command.spawn()?))
    }

    /// What it says on stdout; once.
    pub fn take_stdout(&mut self) -> Option<OwnedFd> {
        self.0.stdout.take().map(OwnedFd::from)
    }

    /// Kills it, without waiting for it.
    pub fn kill(&mut self) {
        // Where it has just ended there is nothing to kill.
        let _ = self.0.kill();
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        self.kill();
        let _ = self.0.wait();
    }
}

/// The number of a child, and of its process group if [`start`] started it.
pub fn pid(child: &Child) -> Pid {
    // std made the unsigned number of a pid_t.
    Pid::from_raw(child.id() as libc::pid_t)
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// With exit code 0.
    Well,
    /// With another exit code, or by a signal.
    Badly,
}

/// Whether a child has ended. It stays a zombie, so that its number and its group's stay its own.
///
/// # Errors
/// waitid(2)'s.
pub fn has_ended(child: Pid) -> io::Result<Option<ChildEnd>> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(child), flags) {
        Ok(WaitStatus::Exited(_, 0)) => Ok(Some(ChildEnd::Well)),
        Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => Ok(None),
        // EINVAL: by a real-time signal, which nix cannot name.
        Ok(_) | Err(Errno::EINVAL) => Ok(Some(ChildEnd::Badly)),
        Err(error) => Err(error.into()),
    }
}

/// The signal by which a child was stopped since the last call.
pub fn was_stopped(child: Pid) -> Option<Signal> {
    match waitid(Id::Pid(child), WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG) {
        Ok(WaitStatus::Stopped(_, signal)) => Some(signal),
        Ok(_) | Err(_) => None,
    }
}
