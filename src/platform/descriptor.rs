//! Hands descriptors to the event loop, and to programs that this process starts.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The owner of a descriptor, with the trait that tokio requires.
#[derive(Debug)]
pub struct Descriptor<T>(pub T);

impl<T: AsFd> AsRawFd for Descriptor<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Registers a descriptor with the event loop. The descriptor must be in non-blocking mode (O_NONBLOCK).
///
/// # Errors
/// Fails if epoll_ctl(2) fails.
pub fn watch<T: AsFd + 'static>(owner: T, interest: Interest) -> io::Result<AsyncFd<Descriptor<T>>> {
    // SAFETY: the owner keeps its descriptor open while it lives, and it lives as long as the AsyncFd.
    Ok(unsafe { AsyncFd::register_with_interest(Descriptor(owner), interest) }?)
}

/// Registers the reading end of a pipe or a pseudo-terminal with the event loop, and sets it to non-blocking mode.
///
/// # Errors
/// Fails if fcntl(2) or epoll_ctl(2) fails.
pub fn listen(descriptor: OwnedFd) -> io::Result<AsyncFd<Descriptor<File>>> {
    let flags = OFlag::from_bits_truncate(fcntl(&descriptor, FcntlArg::F_GETFL)?);
    fcntl(&descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    watch(File::from(descriptor), Interest::READABLE)
}

/// Copies a descriptor so that programs inherit it. While the copy is open, the caller must start only the program
/// that is meant to inherit it.
///
/// # Errors
/// Fails if dup(2) fails.
pub fn inheritable(descriptor: impl AsFd) -> io::Result<OwnedFd> {
    Ok(nix::unistd::dup(descriptor)?)
}

/// Takes a descriptor that this process inherited. The parent has given its number. Programs that this process starts
/// do not inherit it.
///
/// # Errors
/// Fails if the number is not an open descriptor, or is one of the standard streams.
///
/// # Safety
/// Nothing else in this process may own the descriptor with this number.
pub unsafe fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number <= libc::STDERR_FILENO {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: fcntl(2) fails if the number is not an open descriptor, and then nothing gets to own it. The caller
    // promises that nothing else owns it.
    unsafe {
        fcntl(BorrowedFd::borrow_raw(number), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(number))
    }
}
