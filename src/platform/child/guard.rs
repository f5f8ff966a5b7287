//! A process between netready and a program. It ends all processes of the program if netready is killed by SIGKILL:
//! the kernel then signals only netready's child, and not what that child has started.
//!
//! The guardian of `retry` does the same, but is a program of its own, because it also lends a terminal, passes signals
//! on and removes files. This guard does nothing else, so it needs no program: it is a copy of netready that only waits.
//! So it also works as a user who may not read netready's programs.

use std::io;
use std::os::unix::process::parent_id;

use nix::errno::Errno;
use nix::sys::prctl::{set_dumpable, set_name, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal, killpg, raise};
use nix::unistd::{ForkResult, Pid, fork, getpid};

use super::close_range;
use crate::platform::signals::set_default;

/// The kernel sends this signal when netready has died (PR_SET_PDEATHSIG).
const ORPHANED: Signal = Signal::SIGUSR1;

/// The exit code of a guard that cannot watch its program.
const FAILED: i32 = 125;

/// Splits this process, which must lead a process group. This process becomes the guard and never returns. The call
/// returns in a new process, in which the program is to run, with all signals blocked. The value is the guard's number.
///
/// # Errors
/// Fails if sigaction(2), sigprocmask(2) or fork(2) fails.
///
/// # Safety
/// Call this only between fork and exec.
pub(super) unsafe fn split(netready: u32) -> io::Result<u32> {
    // If the caller ignores SIGCHLD, the guard would not learn that the program has ended.
    set_default(Signal::SIGCHLD)?;
    // All signals wait until the guard looks at them.
    SigSet::all().thread_block()?;
    let guard = std::process::id();
    // SAFETY: this process has one thread, and neither process allocates or takes a lock before exec or exit.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(guard),
        ForkResult::Parent { child } => watch(child, netready),
    }
}

/// Waits until the program ends, and then ends in the same way. Ends the group if netready has died.
fn watch(program: Pid, netready: u32) -> ! {
    // A pipe must end when the program closes it.
    close_range(0, 0);
    // ps(1) shows this name. An error does not matter.
    let _ = set_name(c"netready-guard");
    if set_pdeathsig(ORPHANED).is_err() || parent_id() != netready {
        end_group();
    }
    loop {
        let mut status = 0;
        // SAFETY: waitpid(2) only writes to this variable.
        match Errno::result(unsafe { libc::waitpid(program.as_raw(), &raw mut status, libc::WNOHANG) }) {
            Ok(0) => {}
            // The SIGCHLD of the program's end may have been taken, so only a call can tell.
            Err(Errno::EINTR) => continue,
            Ok(_) if libc::WIFSIGNALED(status) => die_of(libc::WTERMSIG(status)),
            Ok(_) => exit(libc::WEXITSTATUS(status)),
            Err(_) => exit(FAILED),
        }
        // SIGCHLD and any other signal: look at the program again.
        if let Ok(ORPHANED) = SigSet::all().wait() {
            end_group();
        }
    }
}

/// Kills this process's group, with this process. The program was not waited for, or this process still leads the group,
/// so no other group can have its number.
fn end_group() -> ! {
    let _ = killpg(getpid(), Signal::SIGKILL);
    exit(FAILED)
}

/// Ends this process by the signal that has killed the program. A real-time signal, which has no name, becomes the exit
/// code that a shell would use.
fn die_of(signal: i32) -> ! {
    // The program has left a core, if one was wanted.
    let _ = set_dumpable(false);
    if let Ok(signal) = Signal::try_from(signal) {
        let _ = set_default(signal);
        let _ = SigSet::from(signal).thread_unblock();
        let _ = raise(signal);
    }
    exit(128 + signal)
}

/// Ends this process without running anything that netready has registered for its own end.
fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) does nothing but end the process.
    unsafe { libc::_exit(code) }
}
