//! A small process between netready and the command, so that nothing of the command is left when netready is
//! killed: the command's process group outlives a parent that dies by SIGKILL, and PR_SET_PDEATHSIG reaches
//! one process only.
//!
//! It is forked from netready and never becomes another program. It passes on what netready is sent, kills
//! the whole group where netready is gone, clears away what a pull leaves, and ends as the command ended. What
//! left the group (setsid(2)) is a daemon by its own wish, and stays: Podman's conmon and its pause process do so.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::attempt::{litter, motion};

/// Netready died (PR_SET_PDEATHSIG).
const ORPHANED: libc::c_int = libc::SIGUSR1;
/// Asks the guardian to kill the group.
pub(super) const KILL: libc::c_int = libc::SIGUSR2;
/// What is passed on.
const PASSED_ON: [libc::c_int; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];
/// How long an orphaned group has between SIGTERM and SIGKILL.
static LAST_SECONDS: libc::timespec = libc::timespec { tv_sec: 2, tv_nsec: 0 };

/// Puts a guardian before the command: the child that is spawned is the guardian, and the command is its.
pub(super) fn put_before(command: &mut Command, foreground: bool) {
    let parent = std::process::id();
    command.process_group(0);
    // SAFETY: between fork and exec the command's process calls nothing but system calls, and allocates nothing.
    unsafe { command.pre_exec(move || guard(parent, foreground)) };
}

/// Returns in the command's process, and never in the guardian's.
fn guard(parent: u32, foreground: bool) -> io::Result<()> {
    // SAFETY: system calls on values of this function's own, after fork(2) in a process with one thread.
    unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut mask);
        for signal in PASSED_ON.into_iter().chain([ORPHANED, KILL, libc::SIGCHLD, libc::SIGTTOU]) {
            libc::sigaddset(&mut mask, signal);
        }
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_BLOCK, &mask, &mut before);
        libc::prctl(libc::PR_SET_PDEATHSIG, ORPHANED);
        if u32::try_from(libc::getppid()) != Ok(parent) {
            libc::_exit(125);
        }
        let guardian = libc::getpid();
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                libc::setpgid(0, 0);
                // The guardian itself may be killed.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                if libc::getppid() != guardian {
                    libc::_exit(125);
                }
                if foreground {
                    libc::tcsetpgrp(0, libc::getpid());
                }
                libc::sigprocmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
                Ok(())
            }
            command => {
                // In both processes: whoever comes first, the group is there before it is signalled.
                libc::setpgid(command, command);
                // The descriptors are the command's: a pipe ends when the command closes it. The one that
                // std waits on for a failing exec among them.
                if libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) != 0 {
                    for descriptor in 0..1024 {
                        libc::close(descriptor);
                    }
                }
                watch(command, &mask)
            }
        }
    }
}

/// Passes signals on until the command ends.
///
/// # Safety
/// In a process with one thread, which has blocked `mask` and whose child `command` leads a group.
unsafe fn watch(command: libc::pid_t, mask: &libc::sigset_t) -> ! {
    let mut orphaned = false;
    let mut ending = false;
    // Allocated after fork(2), which the C libraries see to.
    let mut litter = BTreeSet::new();
    let look = |litter: &mut BTreeSet<PathBuf>| {
        litter.extend(litter::held(motion::below(std::process::id())));
    };
    loop {
        // SAFETY: as above; the pointers are to values of this function's own, or null where that is allowed.
        unsafe {
            let mut ended: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            let id = libc::id_t::try_from(command).unwrap_or_default();
            if libc::waitid(libc::P_PID, id, &mut ended, flags) == 0 && ended.si_pid() == command {
                let (code, status) = (ended.si_code, ended.si_status());
                // While it is not waited for, the group's number is its own. What a command leaves in its
                // group when it succeeds may be meant; what a failure leaves would run beside the next try.
                if ending || code != libc::CLD_EXITED || status != 0 {
                    libc::kill(-command, libc::SIGKILL);
                }
                litter::clear(&litter);
                libc::_exit(if code == libc::CLD_EXITED { status } else { 128 + status });
            }
            let limit = if orphaned { &raw const LAST_SECONDS } else { std::ptr::null() };
            let signal = libc::sigtimedwait(mask, std::ptr::null_mut(), limit);
            match signal {
                ORPHANED => {
                    orphaned = true;
                    ending = true;
                    look(&mut litter);
                    libc::kill(-command, libc::SIGTERM);
                    libc::kill(-command, libc::SIGCONT);
                }
                KILL => {
                    look(&mut litter);
                    libc::kill(-command, libc::SIGKILL);
                }
                -1 if orphaned => {
                    libc::kill(-command, libc::SIGKILL);
                }
                signal if PASSED_ON.contains(&signal) => {
                    ending = true;
                    look(&mut litter);
                    libc::kill(-command, signal);
                    libc::kill(-command, libc::SIGCONT);
                }
                _ => {}
            }
        }
    }
}
