//! A small process between netready and the command, so that nothing of the command is left when netready is
//! killed: the command's process group outlives a parent that dies by SIGKILL, and PR_SET_PDEATHSIG reaches
//! one process only.
//!
//! It is the program that netready runs in, started once more under a name of its own. It
//!
//! - starts the command in a process group of its own;
//! - passes on the signals that netready sends it, and tells netready when the command is stopped;
//! - ends the command's whole group if netready is gone, and gives the terminal back to netready's group, where a
//!   script may go on to read from it;
//! - removes the command's folder of temporary files, if it has one;
//! - ends as the command ended.
//!
//! It kills by the number of the command's process group only, and only as long as it has not waited for the
//! command: until then the kernel gives that number to nobody else. What left the group (setsid(2)) is a daemon by
//! its own wish, and stays: Podman's conmon and its pause process do so.

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

/// What the guardian ends with where it cannot do what it is there for.
const FAILED: u8 = 125;

/// Starts a guardian, which starts the command.
pub(super) struct Start<'a> {
    /// What it is to run.
    pub(super) words: &'a Words<'a>,
    /// Where it writes [`Report`]s.
    pub(super) reports: OwnedFd,
    /// The terminal of the session, and whether the command gets it at its start.
    pub(super) terminal: Option<(&'a Terminal, bool)>,
    pub(super) temporary: Option<&'a Temporary>,
}

impl Start<'_> {
    /// `rest`: what else of the guardian's command is set, which the command inherits.
    pub(super) fn spawn(&self, rest: impl FnOnce(&mut Command)) -> io::Result<Child> {
        let path = own_program()?;
        let mut passed = Vec::new();
        let orders = self.orders(&mut passed)?;
        let mut command = Command::new(&path);
        command.arg0(NAME).args(orders.to_words());
        command.arg(self.words.program).args(self.words.arguments);
        // Not in netready's group: what the terminal sends to that one is not for the guardian.
        command.process_group(0);
        rest(&mut command);
        let started = command.spawn().map_err(|error| sibling::does_not_run(&path, &error));
        drop(passed);
        started
    }

    /// `passed`: gets the descriptors that the orders name.
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

/// This very program, also if another version was installed meanwhile.
fn own_program() -> io::Result<PathBuf> {
    let this = Path::new("/proc/self/exe");
    // No /proc here, as in a bare chroot.
    if this.exists() { Ok(this.to_owned()) } else { sibling::path(sibling::TOOLS) }
}

/// Is the guardian, if this process was started as one.
pub fn main() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    if words.next().is_none_or(|name| name != NAME) {
        return None;
    }
    // Nobody is there to be told why not; netready sees it by the exit code.
    Some(guard(words).unwrap_or(ExitCode::from(FAILED)))
}

fn guard(mut words: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    // All of them: a guardian is ended by its command's end only, and by SIGKILL.
    let signals = Blocked::new(&SigSet::all())?;
    let orders = Orders::from_words(&mut words).ok_or(io::ErrorKind::InvalidInput)?;
    let reports = File::from(orders::inherited(orders.reports)?);
    let temporary = orders.temporary.as_ref().map(Folder::open).transpose()?;
    let terminal = orders.terminal.as_ref().map(Lent::open).transpose()?;
    set_pdeathsig(watch::ORPHANED)?;
    if parent_id() != orders.netready {
        // Netready was killed before this process knew that it would have to be told.
        watch::remove(temporary.as_ref());
        return Err(io::ErrorKind::NotFound.into());
    }
    // ps(1) would call it "exe", for the path that it was started by. It is a name, and no more.
    let _ = set_name(c"netready-guard");
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(words);
    let at_start = orders.terminal.as_ref().is_some_and(|lent| lent.at_start);
    let foreground = terminal.as_ref().filter(|_| at_start).map(watch::Terminal::share).transpose()?;
    let nothing = pipe2(OFlag::O_CLOEXEC)?;
    let terms = child::Terms { blocked: signals.before(), terminal: foreground };
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

/// They are the command's: a pipe ends when the command closes it. The guardian gets a pipe to nobody in their place, for
/// not every chroot has a /dev/null.
fn let_go_of_standard_streams((read, write): (OwnedFd, OwnedFd)) {
    // dup2(2) fails for a descriptor that is not open, and these are.
    let _ = dup2_stdin(&read);
    let _ = dup2_stdout(&write);
    let _ = dup2_stderr(&write);
}
