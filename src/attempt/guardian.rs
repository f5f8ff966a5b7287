//! The guardian: a small process between netready and the command. It ends the command's processes if netready is
//! killed. Otherwise they would stay: a process group survives when its parent dies by SIGKILL, and PR_SET_PDEATHSIG
//! signals only one process.
//!
//! The guardian is the same program as netready, started once more under another name. It
//!
//! - starts the command in a process group of its own;
//! - passes on the signals that netready sends, and tells netready when the command is stopped;
//! - ends the command's whole group if netready is gone, and gives the terminal back to netready's group, where a
//!   script may want to read from it;
//! - removes the command's folder of temporary files, if it has one;
//! - ends with the command's exit code.
//!
//! The guardian kills only the command's process group, and only before it has waited for the command: until then the
//! kernel gives the group's number to nobody else. A process that has left the group (setsid(2)) is a daemon by
//! intention, and stays. Podman's conmon and its pause process do this.

mod orders;
mod watch;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};

use nix::fcntl::OFlag;
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::signal::SigSet;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, pipe2};

use crate::attempt::Words;
use crate::attempt::temporary::Temporary;
use crate::attempt::terminal::Terminal;
use crate::platform::signals::Blocked;
use crate::platform::{child, descriptor, sibling};

pub(super) use orders::Report;
use orders::{Folder, Lent, Orders};
pub(super) use watch::KILL;

/// The name by which the program is started as a guardian (`argv[0]`).
const NAME: &str = "netready-guardian";

/// The guardian's exit code if it fails, or cannot start the command.
const FAILED: u8 = 125;

/// What a guardian needs. It starts the command.
pub(super) struct Start<'a> {
    /// The command.
    pub(super) words: &'a Words<'a>,
    /// The pipe to which the guardian writes [`Report`]s.
    pub(super) reports: OwnedFd,
    /// The terminal of the session, and whether the command gets it when it starts.
    pub(super) terminal: Option<(&'a Terminal, bool)>,
    pub(super) temporary: Option<&'a Temporary>,
}

impl Start<'_> {
    /// Starts the guardian. `rest` sets what the command inherits from the guardian: stderr, stdout, environment.
    pub(super) fn spawn(&self, rest: impl FnOnce(&mut Command)) -> io::Result<Child> {
        let path = own_program()?;
        let mut passed = Vec::new();
        let orders = self.orders(&mut passed)?;
        let mut command = Command::new(&path);
        command.arg0(NAME).args(orders.to_words());
        command.arg(self.words.program).args(self.words.arguments);
        // The guardian leaves netready's group: signals that the terminal sends to that group are not for the
        // guardian.
        command.process_group(0);
        rest(&mut command);
        let started = command.spawn().map_err(|error| sibling::does_not_run(&path, &error));
        drop(passed);
        started
    }

    /// Makes the orders. Puts into `passed` the descriptors that the orders name; they must stay open until the
    /// start.
    fn orders(&self, passed: &mut Vec<OwnedFd>) -> io::Result<Orders> {
        let mut pass = |descriptor: BorrowedFd<'_>| {
            let copy = descriptor::inheritable(descriptor)?;
            let number = copy.as_raw_fd();
            passed.push(copy);
            io::Result::Ok(number)
        };
        Ok(Orders {
            netready: std::process::id(),
            reports: pass(self.reports.as_fd())?,
            terminal: match self.terminal {
                Some((terminal, at_start)) => {
                    let owner = terminal.ours().as_raw();
                    Some(Lent { descriptor: pass(terminal.descriptor())?, owner, at_start })
                }
                None => None,
            },
            temporary: match self.temporary.map(Temporary::place) {
                Some((above, name, folder)) => {
                    Some(Folder { above: pass(above)?, folder: pass(folder)?, name: name.to_owned() })
                }
                None => None,
            },
        })
    }
}

/// The path of this program. It leads to this version even if another one was installed meanwhile.
fn own_program() -> io::Result<PathBuf> {
    let this = Path::new("/proc/self/exe");
    // If /proc is missing, as in a bare chroot, use the installed program.
    if this.exists() { Ok(this.to_owned()) } else { sibling::path(sibling::TOOLS) }
}

/// Runs the guardian and returns its exit code, if this process was started as one. Otherwise returns `None`.
pub fn main() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    if words.next().is_none_or(|name| name != NAME) {
        return None;
    }
    // A guardian has nobody to report an error to. netready sees the exit code.
    Some(guard(words).unwrap_or(ExitCode::from(FAILED)))
}

fn guard(mut words: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    // Block all signals: only the command's end and SIGKILL may end a guardian.
    let signals = Blocked::new(&SigSet::all())?;
    let orders = Orders::from_words(&mut words).ok_or(io::ErrorKind::InvalidInput)?;
    let reports = File::from(orders::inherited(orders.reports)?);
    let temporary = orders.temporary.as_ref().map(Folder::open).transpose()?;
    let terminal = orders.terminal.as_ref().map(Lent::open).transpose()?;
    set_pdeathsig(watch::ORPHANED)?;
    if parent_id() != orders.netready {
        // netready was killed before this process had asked the kernel for a signal at that event.
        watch::remove(temporary.as_ref());
        return Err(io::ErrorKind::NotFound.into());
    }
    // Otherwise ps(1) would show "exe", from the path /proc/self/exe. An error does not matter: it is only a name.
    let _ = set_name(c"netready-guard");
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(words);
    let at_start = orders.terminal.as_ref().is_some_and(|lent| lent.at_start);
    let foreground = terminal.as_ref().filter(|_| at_start).map(watch::Terminal::share).transpose()?;
    let nothing = pipe2(OFlag::O_CLOEXEC)?;
    let terms = child::Terms { blocked: signals.before(), terminal: foreground, guarded: false };
    let command = match child::start(&mut command, terms) {
        Ok(command) => command,
        Err(error) => {
            Report::NotStarted(error.raw_os_error().unwrap_or(libc::EINVAL)).write(&reports);
            return Err(error);
        }
    };
    let group = child::pid(&command);
    let_go_of_standard_streams(nothing);
    Report::Started(group.as_raw()).write(&reports);
    watch::Watch { command, group, signals, reports, terminal, temporary }.until_the_end()
}

/// Replaces the guardian's standard streams with a pipe that nobody else has. The streams belong to the command: a
/// pipe must end when the command closes it. /dev/null is not used, because some chroots do not have it.
fn let_go_of_standard_streams((read, write): (OwnedFd, OwnedFd)) {
    // dup2(2) fails only if the first descriptor is not open. These descriptors are open.
    let _ = dup2_stdin(&read);
    let _ = dup2_stdout(&write);
    let _ = dup2_stderr(&write);
}
