//! Starts child processes that must not outlive this process, and watches for their end.
//!
//! A child that may start other processes leads a process group of its own, so that the whole group can be killed by
//! its number. The number is safe to use only until the child was waited for: until then the kernel gives it to no
//! other process. So the end of the child is first detected without waiting for it ([`has_ended`]), then the group is
//! killed if needed, and only then the child is waited for.
//!
//! Three kinds of callers start children:
//!
//! - A caller that needs a program's output waits until the program ends: [`capture()`]. A guard ends the program if this
//!   process is killed.
//! - The guardian of a command (`attempt`) also needs job control, lends a terminal and passes signals on. It starts
//!   the command with [`start`] and detects its end with [`has_ended`].
//! - The probes are netready's own programs. They start no other programs, and the event loop waits for them:
//!   [`Single`].

mod capture;
mod guard;
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

/// Settings of a child that [`Command`] does not have.
pub struct Terms {
    /// The signals that are blocked in the child. A caller that blocks signals for itself gives the mask that it had
    /// before.
    pub blocked: SigSet,
    /// The terminal that the child's process group gets before the program runs.
    pub terminal: Option<OwnedFd>,
    /// Whether all processes of the group are killed when the calling thread ends. The child is then a guard, and the
    /// program is a child of the guard in the same group. The guard ends as the program does.
    pub guarded: bool,
}

/// How many descriptors are looked at if the kernel cannot change a range of them (before Linux 5.11).
const DESCRIPTORS: i32 = 1024;

/// Closes all descriptors from `first` on, or does with them what the flags of close_range(2) say. May be called between
/// fork and exec.
fn close_range(first: u32, flags: u32) {
    // SAFETY: the callers own no descriptor in the range, or end soon.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) };
    if done == 0 {
        return;
    }
    for descriptor in i32::try_from(first).unwrap_or_default()..DESCRIPTORS {
        // SAFETY: as above. The calls fail for a descriptor that is not open, which does no harm.
        unsafe {
            match flags {
                libc::CLOSE_RANGE_CLOEXEC => libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC),
                _ => libc::close(descriptor),
            }
        };
    }
}

/// Starts a child that leads a process group of its own. The kernel kills the child when the calling thread ends;
/// with a guard, the whole group is killed.
///
/// # Errors
/// Fails if [`Command::spawn`] fails.
pub fn start(command: &mut Command, terms: Terms) -> io::Result<Child> {
    let parent = std::process::id();
    command.process_group(0);
    let before_exec = move || {
        let parent = match terms.guarded {
            // SAFETY: this is between fork and exec.
            true => unsafe { guard::split(parent) }?,
            false => parent,
        };
        set_pdeathsig(Signal::SIGKILL)?;
        // The parent has ended before PR_SET_PDEATHSIG was set.
        if parent_id() != parent {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if let Some(terminal) = &terms.terminal {
            // An error means that another group has the terminal by now. The child is then a background job.
            let _ = tcsetpgrp(terminal, getpid());
        }
        Ok(terms.blocked.thread_set_mask()?)
    };
    // SAFETY: between fork and exec the closure makes system calls only. It allocates nothing and takes no lock.
    unsafe { command.pre_exec(before_exec) };
    command.spawn()
}

/// A child that starts no other processes. Dropping this kills the child and waits for it.
#[derive(Debug)]
pub struct Single(Child);

impl Single {
    /// Starts the child.
    ///
    /// # Errors
    /// Fails if [`Command::spawn`] fails.
    pub fn start(command: &mut Command) -> io::Result<Single> {
        Ok(Single(command.spawn()?))
    }

    /// The pipe of the child's stdout. `None` from the second call on.
    pub fn take_stdout(&mut self) -> Option<OwnedFd> {
        self.0.stdout.take().map(OwnedFd::from)
    }

    /// Kills the child, without waiting for its end.
    pub fn kill(&mut self) {
        // An error means that the child has just ended. Then there is nothing to kill.
        let _ = self.0.kill();
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        self.kill();
        let _ = self.0.wait();
    }
}

/// The process number of a child. If [`start`] started the child, this is also the number of its process group.
pub fn pid(child: &Child) -> Pid {
    // std made this unsigned number from a pid_t.
    Pid::from_raw(child.id() as libc::pid_t)
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// The child ended with exit code 0.
    Well,
    /// The child ended with another exit code, or a signal killed it.
    Badly,
}

/// Whether a child has ended, and how. The child stays a zombie, so that no other process or group can get its
/// number.
///
/// # Errors
/// Fails if waitid(2) fails.
pub fn has_ended(child: Pid) -> io::Result<Option<ChildEnd>> {
    match look_at(child, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
        Ok(WaitStatus::Exited(_, 0)) => Ok(Some(ChildEnd::Well)),
        Ok(WaitStatus::StillAlive) => Ok(None),
        // EINVAL: a real-time signal, which nix cannot name, ended the child.
        Ok(_) | Err(Errno::EINVAL) => Ok(Some(ChildEnd::Badly)),
        Err(error) => Err(error.into()),
    }
}

/// The signal that has stopped a child since the last call, if any.
pub fn was_stopped(child: Pid) -> Option<Signal> {
    match look_at(child, WaitPidFlag::WSTOPPED) {
        Ok(WaitStatus::Stopped(_, signal)) => Some(signal),
        Ok(_) | Err(_) => None,
    }
}

/// Asks what has become of a child, without waiting. An interrupted call is made again at once: the SIGCHLD that led to
/// it comes only once, so nothing else would make the caller look again.
fn look_at(child: Pid, flags: WaitPidFlag) -> nix::Result<WaitStatus> {
    loop {
        match waitid(Id::Pid(child), flags | WaitPidFlag::WNOHANG) {
            Err(Errno::EINTR) => {}
            looked => return looked,
        }
    }
}
