//! A small process between netready and the command, so that nothing of the command is left when netready is
//! killed: the command's process group outlives a parent that dies by SIGKILL, and PR_SET_PDEATHSIG reaches
//! one process only.
//!
//! It is forked from netready and never becomes another program. It
//!
//! - passes on the signals that netready sends it, and tells netready when the command is stopped;
//! - ends the command's whole group if netready is gone, and gives the terminal back to netready's group, where a
//!   script may go on to read from it;
//! - removes the command's folder of temporary files, if it has one;
//! - ends as the command ended.
//!
//! It kills by the number of the command's process group only, and only as long as it has not waited for the
//! command: until then the kernel gives that number to nobody else. What left the group (setsid(2)) is a daemon by
//! its own wish, and stays: Podman's conmon and its pause process do so.

use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::attempt::temporary::{self, Handle};

/// Netready died (PR_SET_PDEATHSIG).
const ORPHANED: libc::c_int = libc::SIGUSR1;
/// Asks the guardian to kill the group.
pub(super) const KILL: libc::c_int = libc::SIGUSR2;
/// These end the command, and are passed on.
const ENDING: [libc::c_int; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];
/// These are passed on too.
const STOPPING: [libc::c_int; 2] = [libc::SIGTSTP, libc::SIGCONT];
/// How long an orphaned group has between SIGTERM and SIGKILL.
static LAST_SECONDS: libc::timespec = libc::timespec { tv_sec: 2, tv_nsec: 0 };

/// What a guardian is told of the command, and what it may touch.
pub(super) struct Charge {
    /// Where it writes [`Report`]s.
    pub(super) reports: RawFd,
    pub(super) terminal: Option<Lent>,
    pub(super) temporary: Option<Handle>,
}

/// The terminal of the session.
#[derive(Clone, Copy)]
pub(super) struct Lent {
    pub(super) descriptor: RawFd,
    /// The command gets it at once.
    pub(super) at_start: bool,
    /// Whose it is: netready's group.
    pub(super) owner: libc::pid_t,
    /// How it was set.
    pub(super) settings: Option<libc::termios>,
}

/// The command has started, or was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Report {
    /// Its process, and its group.
    pub(super) command: i32,
    /// By which signal it was stopped.
    pub(super) stopped: Option<i32>,
}

impl Report {
    pub(super) const LENGTH: usize = 8;

    fn encode(self) -> [u8; Report::LENGTH] {
        let [a, b, c, d] = self.command.to_ne_bytes();
        let [e, f, g, h] = self.stopped.unwrap_or(0).to_ne_bytes();
        [a, b, c, d, e, f, g, h]
    }

    pub(super) fn decode([a, b, c, d, e, f, g, h]: [u8; Report::LENGTH]) -> Report {
        let stopped = i32::from_ne_bytes([e, f, g, h]);
        let command = i32::from_ne_bytes([a, b, c, d]);
        Report { command, stopped: Some(stopped).filter(|signal| *signal != 0) }
    }
}

/// Puts a guardian before the command: the child that is spawned is the guardian, and the command is its.
pub(super) fn put_before(command: &mut Command, charge: Charge) {
    let parent = std::process::id();
    command.process_group(0);
    // SAFETY: between fork and exec the command's process calls nothing but system calls, and allocates nothing.
    unsafe { command.pre_exec(move || guard(parent, &charge)) };
}

/// Returns in the command's process, and never in the guardian's.
fn guard(parent: u32, charge: &Charge) -> io::Result<()> {
    // SAFETY: system calls on values of this function's own, after fork(2), which leaves this thread alone. The
    // command's process allocates nothing. The guardian's does to remove a folder; the C libraries see to it that
    // their allocator can be used in a child, whatever another thread was doing.
    unsafe {
        // All of them: a guardian is ended by its command's end only, and by SIGKILL.
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut mask);
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_BLOCK, &raw const mask, &raw mut before);
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
                if let Some(lent) = charge.terminal.filter(|lent| lent.at_start) {
                    libc::tcsetpgrp(lent.descriptor, libc::getpid());
                }
                libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
                Ok(())
            }
            command => {
                // In both processes: whoever comes first, the group is there before it is signalled.
                libc::setpgid(command, command);
                // Netready's handlers are not the guardian's.
                libc::signal(libc::SIGCHLD, libc::SIG_DFL);
                close_all_but(charge);
                watch(command, charge, &mask)
            }
        }
    }
}

/// The other descriptors are the command's: a pipe ends when the command closes it. The one that std waits on for a
/// failing exec is among them.
///
/// # Safety
/// In a process that uses no other descriptor.
unsafe fn close_all_but(charge: &Charge) {
    let temporary = charge.temporary.as_ref();
    let mut kept = [
        Some(charge.reports),
        charge.terminal.map(|lent| lent.descriptor),
        temporary.map(|handle| handle.above),
        temporary.map(|handle| handle.folder),
    ];
    kept.sort_unstable();
    let mut next: libc::c_uint = 0;
    for kept in kept.into_iter().flatten().filter_map(|kept| libc::c_uint::try_from(kept).ok()) {
        if let Some(last) = kept.checked_sub(1).filter(|last| *last >= next) {
            // SAFETY: the caller's.
            unsafe { close_range(next, last) };
        }
        next = kept + 1;
    }
    // SAFETY: the caller's.
    unsafe { close_range(next, libc::c_uint::MAX) };
}

/// # Safety
/// In a process that uses none of them.
unsafe fn close_range(first: libc::c_uint, last: libc::c_uint) {
    // SAFETY: the caller's.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) != 0 {
            for descriptor in first..=last.min(1024) {
                libc::close(RawFd::try_from(descriptor).unwrap_or(-1));
            }
        }
    }
}

/// Passes signals on until the command ends.
///
/// # Safety
/// In a process with one thread, which has blocked `mask` and whose child `command` leads a group.
unsafe fn watch(command: libc::pid_t, charge: &Charge, mask: &libc::sigset_t) -> ! {
    let mut orphaned = false;
    let mut ending = false;
    report(charge, Report { command, stopped: None });
    loop {
        // SAFETY: as above; the pointers are to values of this function's own, or null where that is allowed.
        unsafe {
            if let Some((code, status)) = changed(command, libc::WEXITED | libc::WNOWAIT) {
                // While it is not waited for, the group's number is its own. What a command leaves in its
                // group when it succeeds may be meant; what a failure leaves would run beside the next try.
                if ending || code != libc::CLD_EXITED || status != 0 {
                    libc::kill(-command, libc::SIGKILL);
                }
                if orphaned {
                    give_back(command, charge);
                }
                if let Some(Handle { above, folder, name }) = &charge.temporary {
                    remove(*above, name, *folder);
                }
                libc::_exit(if code == libc::CLD_EXITED { status } else { 128 + status });
            }
            if let Some((_, signal)) = changed(command, libc::WSTOPPED) {
                report(charge, Report { command, stopped: Some(signal) });
            }
            let limit = if orphaned { &raw const LAST_SECONDS } else { std::ptr::null() };
            let signal = libc::sigtimedwait(mask, std::ptr::null_mut(), limit);
            match signal {
                ORPHANED => {
                    orphaned = true;
                    ending = true;
                    give_back(command, charge);
                    libc::kill(-command, libc::SIGTERM);
                    libc::kill(-command, libc::SIGCONT);
                }
                KILL => {
                    libc::kill(-command, libc::SIGKILL);
                }
                -1 if orphaned && io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN) => {
                    libc::kill(-command, libc::SIGKILL);
                }
                signal if ENDING.contains(&signal) => {
                    ending = true;
                    libc::kill(-command, signal);
                    libc::kill(-command, libc::SIGCONT);
                }
                signal if STOPPING.contains(&signal) => {
                    libc::kill(-command, signal);
                }
                _ => {}
            }
        }
    }
}

/// What became of the command, if it is one of these changes: the code and the status of waitid(2).
///
/// # Safety
/// None: it writes to a value of its own.
unsafe fn changed(command: libc::pid_t, which: libc::c_int) -> Option<(libc::c_int, libc::c_int)> {
    let id = libc::id_t::try_from(command).ok()?;
    // SAFETY: as above.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let found = libc::waitid(libc::P_PID, id, &raw mut info, which | libc::WNOHANG) == 0;
        (found && info.si_pid() == command).then(|| (info.si_code, info.si_status()))
    }
}

/// Where netready is gone nobody reads it.
fn report(charge: &Charge, report: Report) {
    let octets = report.encode();
    // SAFETY: the octets are there for as long as it takes. The pipe holds thousands of reports.
    unsafe { libc::write(charge.reports, octets.as_ptr().cast(), octets.len()) };
}

/// Gives the terminal back to netready's group. Not if another group has taken it meanwhile: a shell does so when it
/// sees that its job is gone.
///
/// # Safety
/// SIGTTOU is blocked.
unsafe fn give_back(command: libc::pid_t, charge: &Charge) {
    let Some(lent) = charge.terminal else { return };
    // SAFETY: system calls on a descriptor that is kept open, and values of the caller's.
    unsafe {
        let group = libc::tcgetpgrp(lent.descriptor);
        // A command with job control of its own (a shell) may have given it to a group that is gone too.
        let taken = group != command && (group <= 0 || libc::kill(-group, 0) == 0 || !no_such_process());
        let nobody_left = libc::kill(-lent.owner, 0) != 0 && no_such_process();
        if taken || nobody_left {
            return;
        }
        libc::tcsetpgrp(lent.descriptor, lent.owner);
        if let Some(settings) = &lent.settings {
            libc::tcsetattr(lent.descriptor, libc::TCSANOW, settings);
        }
    }
}

fn no_such_process() -> bool {
    io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// What cannot be removed is told by netready, if it is still there.
///
/// # Safety
/// The descriptors are open.
unsafe fn remove(above: RawFd, name: &CString, folder: RawFd) {
    // SAFETY: the caller's.
    let [above, folder] = [above, folder].map(|descriptor| unsafe { BorrowedFd::borrow_raw(descriptor) });
    let _ = temporary::remove(above, name, folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_the_pipe() {
        for report in [
            Report { command: 4_194_303, stopped: None },
            Report { command: 1, stopped: Some(libc::SIGTSTP) },
        ] {
            assert_eq!(Report::decode(report.encode()), report);
        }
    }
}
