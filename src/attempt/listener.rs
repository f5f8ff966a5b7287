//! What a command says on stderr: passed on as it comes, and the end of it kept.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};
use tokio::io::unix::AsyncFd;

use crate::descriptor::{self, Descriptor};
use crate::stderr;

/// As much of the end of stderr as is kept.
const TAIL: usize = 64 * 1024;

/// The least that is taken of stderr after the command's end: what a pipe holds, or a pseudo-terminal.
const REST: usize = 64 * 1024;

/// Our end of the command's stderr.
pub(super) struct Listener {
    /// `None` once it is closed.
    ours: Option<AsyncFd<Descriptor<File>>>,
    tail: VecDeque<u8>,
    /// Octets since the last look.
    pub(super) heard: u64,
    pub(super) terminal: bool,
    silent: bool,
}

impl Listener {
    pub(super) fn new(silent: bool) -> io::Result<(Listener, OwnedFd)> {
        let terminal = !silent && io::stderr().is_terminal();
        let (ours, theirs) = if terminal { pseudo_terminal()? } else { pipe()? };
        let ours = descriptor::listen(ours)?;
        Ok((Listener { ours: Some(ours), tail: VecDeque::new(), heard: 0, terminal, silent }, theirs))
    }

    /// Passes on what is there, once what came before it was read; for ever, once nothing can come any more.
    pub(super) async fn listen(&mut self) -> io::Result<()> {
        let Some(ours) = &self.ours else { return std::future::pending().await };
        if !self.silent {
            stderr::room().await;
        }
        let mut ready = ours.readable().await?;
        let mut buffer = [0; 8192];
        match ready.try_io(|inner| (&inner.get_ref().0).read(&mut buffer)) {
            Ok(Ok(length)) => self.take(buffer.get(..length).unwrap_or_default()),
            // A pseudo-terminal that nobody has open any more.
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

    /// What is there, now that the command has ended, and no more: what it left running may go on writing for ever.
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

    /// How much is there to be read; a pseudo-terminal may have more.
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

/// A pipe of which no program inherits an end by chance.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// One as wide as ours, whose output is changed by ours alone.
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
