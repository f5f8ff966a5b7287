//! Descriptors: handed to the event loop, and to a program that this one starts.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
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

/// A copy that every program inherits that this process starts while the copy is there. Nothing else may be started
/// meanwhile.
///
/// # Errors
/// dup(2)'s.
pub fn inheritable(descriptor: impl AsFd) -> io::Result<OwnedFd> {
    Ok(nix::unistd::dup(descriptor)?)
}

/// Takes a descriptor that this process inherited, by the number that its parent named. No other program inherits it.
///
/// # Errors
/// Where there is no such descriptor.
///
/// # Safety
/// Nothing else in this process owns the descriptor of that number.
pub unsafe fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number <= libc::STDERR_FILENO {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: fcntl(2) says whether the number is an open descriptor, and only then it gets an owner; the caller says
    // that it is the only one.
    unsafe {
        fcntl(BorrowedFd::borrow_raw(number), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(number))
    }
}
