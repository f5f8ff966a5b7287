//! Descriptors that the event loop waits for: the one place that hands them to it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What owns a descriptor, with the trait that tokio asks for.
#[derive(Debug)]
pub struct Descriptor<T>(pub T);

impl<T: AsFd> AsRawFd for Descriptor<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Has the event loop wait for a descriptor. It must not block (O_NONBLOCK).
///
/// # Errors
/// epoll_ctl(2)'s.
pub fn watch<T: AsFd + 'static>(owner: T, interest: Interest) -> io::Result<AsyncFd<Descriptor<T>>> {
    // SAFETY: the owner keeps its descriptor open as long as it lives, and it lives as long as the AsyncFd.
    Ok(unsafe { AsyncFd::register_with_interest(Descriptor(owner), interest) }?)
}

/// The same for our end of a pipe or pseudo-terminal that is read; it does not block from now on.
///
/// # Errors
/// fcntl(2)'s and epoll_ctl(2)'s.
pub fn listen(descriptor: OwnedFd) -> io::Result<AsyncFd<Descriptor<File>>> {
    let flags = OFlag::from_bits_truncate(fcntl(&descriptor, FcntlArg::F_GETFL)?);
    fcntl(&descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    watch(File::from(descriptor), Interest::READABLE)
}
