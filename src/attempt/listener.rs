//! Reads a command's stderr: passes it on at once, and keeps the end of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;

use crate::descriptor::{self, Descriptor};
use crate::stderr;

/// How many bytes of the end of stderr are kept.
const TAIL: usize = 64 * 1024;

/// The least number of bytes that is read from stderr after the command's end, if they are there. A pipe or a
/// pseudo-terminal holds no more than this by default.
const REST: usize = 64 * 1024;

/// netready's end of the command's stderr.
pub(super) struct Listener {
    /// `None` once the other end is closed.
    ours: Option<AsyncFd<Descriptor<File>>>,
    tail: VecDeque<u8>,
    /// Bytes read since the last look at the command's activity.
    pub(super) heard: u64,
    /// Whether the command's stderr is a pseudo-terminal.
    pub(super) terminal: bool,
    /// Whether the output is only kept, and not passed on.
    silent: bool,
}

impl Listener {
    pub(super) fn new(silent: bool) -> io::Result<(Listener, OwnedFd)> {
        let terminal = !silent && io::stderr().is_terminal();
        let (ours, theirs) = if terminal { pseudo_terminal()? } else { pipe()? };
        let ours = descriptor::listen(ours)?;
        Ok((Listener { ours: Some(ours), tail: VecDeque::new(), heard: 0, terminal, silent }, theirs))
    }

    /// Waits for output of the command and passes it on. Before that, waits until netready's queue for stderr has room.
    /// Never returns once the command's stderr is closed.
    pub(super) async fn listen(&mut self) -> io::Result<()> {
        let Some(ours) = &self.ours else { return std::future::pending().await };
        if !self.silent {
            stderr::room().await;
        }
        let mut ready = ours.readable().await?;
        let mut buffer = [0; 8192];
        match ready.try_io(|inner| (&inner.get_ref().0).read(&mut buffer)) {
            Ok(Ok(length)) => self.take(buffer.get(..length).unwrap_or_default()),
            // EIO means that no process has the pseudo-terminal open any more.
            Ok(Err(error)) if error.raw_os_error() == Some(libc::EIO) => self.take(&[]),
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }

    fn take(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            self.ours = None;
            return;
        }
        if !self.silent {
            stderr::relay(octets);
        }
        self.heard = self.heard.saturating_add(octets.len() as u64);
        self.tail.extend(octets);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    /// Passes on what is there after the command has ended, and no more: a process that the command left running may
    /// go on writing for ever.
    pub(super) fn rest(&mut self) {
        let mut buffer = [0; 8192];
        let mut left = self.waiting().max(REST);
        while let (Some(ours), true) = (&self.ours, left > 0) {
            match (&ours.get_ref().0).read(&mut buffer) {
                Ok(length) => {
                    left = left.saturating_sub(length);
                    self.take(buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// How many bytes can be read now. A pseudo-terminal may have more.
    fn waiting(&self) -> usize {
        let Some(ours) = &self.ours else { return 0 };
        let length = rustix::io::ioctl_fionread(&ours.get_ref().0).unwrap_or_default();
        usize::try_from(length).unwrap_or(usize::MAX)
    }

    pub(super) fn tail(&self) -> String {
        let (a, b) = self.tail.as_slices();
        String::from_utf8_lossy(&[a, b].concat()).into_owned()
    }
}

/// Opens a pipe whose ends no other program inherits by accident.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// Opens a pseudo-terminal of the same size as netready's terminal. It does not change the output (no OPOST): the
/// real terminal does that.
fn pseudo_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = nix::pty::openpty(stderr::window().as_ref(), None)?;
    for end in [&pair.master, &pair.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    let mut settings = tcgetattr(&pair.slave)?;
    settings.output_flags.remove(OutputFlags::OPOST);
    tcsetattr(&pair.slave, SetArg::TCSANOW, &settings)?;
    Ok((pair.master, pair.slave))
}
