//! `run --ready-fd N`: the readiness protocol of s6, dinit and OpenRC. The service manager opens a pipe for the
//! service. When the service is ready, it writes a newline to the pipe and closes it.
//!
//! Nothing here waits for the reader. If the pipe is full, the newline is written as soon as there is room: see
//! [`ReadyFd::poll_unsent`].

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::task::{Context, Poll};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::warn;

use crate::descriptor::{self, Descriptor};

/// The first descriptor that is not standard input, output or error.
const FIRST: RawFd = 3;

/// The pipe to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct ReadyFd(State);

#[derive(Debug, Default)]
enum State {
    /// There is no pipe, or the newline was written.
    #[default]
    Closed,
    /// The newline was not written yet.
    Open(File),
    /// The newline must be written, and the pipe has no room for it.
    Unsent(AsyncFd<Descriptor<File>>),
}

/// Why a descriptor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadyFdError {
    /// The descriptor is standard input, output or error.
    #[error(
        "--ready-fd {0}: 0, 1 and 2 are standard input, output and error; name a descriptor from 3 on that the \
         service manager opens"
    )]
    Standard(RawFd),
    /// The descriptor is not open: this process did not inherit it.
    #[error(
        "--ready-fd {0}: no such descriptor is open; the service manager must open it (s6: the file \
         notification-fd, dinit: ready-notification = pipefd:{0}, OpenRC: notify=fd:{0})"
    )]
    NotOpen(RawFd),
    /// The descriptor is open, but not for writing.
    #[error("--ready-fd {0}: this descriptor is not open for writing")]
    NotWritable(RawFd),
    /// A system call failed that should not.
    #[error("--ready-fd {0}")]
    Refused(RawFd, #[source] Errno),
}

impl ReadyFd {
    /// Takes over a descriptor that this process inherited. Programs that netready starts do not inherit it, because
    /// they would keep the pipe open.
    ///
    /// (Opening the descriptor again through /proc/self/fd would need no unsafe code. But that fails for sockets, and
    /// for a pipe of root if the service runs as another user. Besides, the inherited descriptor would stay open.)
    ///
    /// # Errors
    /// Fails if the descriptor cannot be used: see [`ReadyFdError`].
    ///
    /// # Safety
    /// Nothing in this process may own the descriptor with this number. This holds while the process has not opened
    /// anything: then only inherited descriptors are open.
    pub unsafe fn inherit(number: RawFd) -> Result<ReadyFd, ReadyFdError> {
        if number < FIRST {
            return Err(ReadyFdError::Standard(number));
        }
        // SAFETY: this call only reads flags, and accepts any number.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
        if flags < 0 {
            return Err(ReadyFdError::NotOpen(number));
        }
        let writable = matches!(flags & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR);
        if !writable || flags & libc::O_PATH != 0 {
            return Err(ReadyFdError::NotWritable(number));
        }
        // SAFETY: the descriptor is open, and the caller promises that nothing else owns it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
            .map_err(|errno| ReadyFdError::Refused(number, errno))?;
        Ok(ReadyFd(State::Open(File::from(descriptor))))
    }

    /// Writes the newline once and closes the descriptor. If the reader is gone, netready does not end: the reader no
    /// longer wants to know.
    pub fn ready(&mut self) {
        let State::Open(file) = std::mem::take(&mut self.0) else { return };
        match newline(&file) {
            Ok(true) => {}
            Ok(false) => match descriptor::watch(file, Interest::WRITABLE) {
                Ok(room) => self.0 = State::Unsent(room),
                Err(error) => complain(&error),
            },
            Err(error) => complain(&error),
        }
    }

    /// Ready when a newline that had to wait has been written. Pending while no newline waits.
    pub fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let State::Unsent(room) = &self.0 else { return Poll::Pending };
            let written = match room.poll_write_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(mut ready)) => {
                    ready.clear_ready();
                    // Try after clearing the readiness, so that room that appears now is not missed.
                    newline(&room.get_ref().0)
                }
                Poll::Ready(Err(error)) => Err(error),
            };
            match written {
                Ok(false) => continue,
                Ok(true) => {}
                Err(error) => complain(&error),
            }
            self.0 = State::Closed;
            return Poll::Ready(());
        }
    }
}

fn complain(error: &io::Error) {
    warn!("cannot tell the service manager (--ready-fd): {error}");
}

/// Writes the newline if there is room, and returns whether it did. O_NONBLOCK is not set for this, because the flag
/// would apply to every process that shares this end of the pipe. A single byte does not block if poll(2) reports
/// room and nobody else writes there.
fn newline(mut file: &File) -> io::Result<bool> {
    let mut asked = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    loop {
        match poll(&mut asked, PollTimeout::ZERO) {
            Ok(0) => return Ok(false),
            // poll(2) also returns this if the reader is gone; then the write reports the error.
            Ok(_) => return file.write_all(b"\n").map(|()| true),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read;
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::net::UnixStream;

    use nix::fcntl::OFlag;

    use super::*;

    /// A pipe as a service manager makes it: the manager keeps the first end, and the service gets the second. A child
    /// of another test does not inherit it: the pipe would stay open for as long as that child runs.
    fn pipe() -> (File, OwnedFd) {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        (File::from(reader), writer)
    }

    /// The state of a process that inherited this descriptor.
    fn inherited(descriptor: OwnedFd) -> ReadyFd {
        // SAFETY: the owner has given the descriptor away.
        unsafe { ReadyFd::inherit(descriptor.into_raw_fd()) }.unwrap()
    }

    fn read(mut reader: impl Read) -> String {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_newline_is_written_once_and_the_descriptor_is_closed() {
        let (reader, writer) = pipe();
        let mut ready = inherited(writer);
        ready.ready();
        ready.ready();
        // Reading ends only if the other end is closed.
        assert_eq!(read(reader), "\n");
        let (near, far) = UnixStream::pair().unwrap();
        inherited(far.into()).ready();
        assert_eq!(read(near), "\n", "a socket is as good");
        let (reader, writer) = pipe();
        drop(inherited(writer));
        assert_eq!(read(reader), "", "nothing is said of a gate that did not open");
    }

    #[test]
    fn children_do_not_inherit_the_descriptor() {
        let (_reader, writer) = pipe();
        fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let ReadyFd(State::Open(file)) = inherited(writer) else { panic!("it is open") };
        let flags = FdFlag::from_bits_truncate(fcntl(&file, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
    }

    #[test]
    fn a_descriptor_that_cannot_be_used_is_refused() {
        let (reader, writer) = pipe();
        let place = File::options().read(true).open("/").unwrap();
        let (reads, folder) = (reader.as_raw_fd(), place.as_raw_fd());
        for (number, said) in [
            (-1, "--ready-fd -1: 0, 1 and 2 are standard input".to_owned()),
            (0, "--ready-fd 0: 0, 1 and 2 are standard input".to_owned()),
            (2, "--ready-fd 2: 0, 1 and 2 are standard input".to_owned()),
            (1_000_000, "--ready-fd 1000000: no such descriptor is open".to_owned()),
            (RawFd::MAX, format!("--ready-fd {}: no such descriptor is open", RawFd::MAX)),
            (reads, format!("--ready-fd {reads}: this descriptor is not open for writing")),
            (folder, format!("--ready-fd {folder}: this descriptor is not open for writing")),
        ] {
            // SAFETY: each number is refused, so no descriptor gets a second owner.
            let error = unsafe { ReadyFd::inherit(number) }.unwrap_err().to_string();
            assert!(error.starts_with(&said), "{error}");
        }
        drop(writer);
    }

    #[test]
    fn a_full_pipe_does_not_block_and_gets_the_newline_later() {
        let (reader, writer) = pipe();
        // Make the pipe's buffer as small as a page, so that it is full after 4096 bytes.
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        (&File::from(writer.try_clone().unwrap())).write_all(&[b'x'; 4096]).unwrap();
        let mut ready = inherited(writer);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            ready.ready();
            let waits = poll_fn(|context| Poll::Ready(ready.poll_unsent(context).is_pending())).await;
            assert!(waits, "there is no room");
            let mut octets = [0; 4096];
            (&reader).read_exact(&mut octets).unwrap();
            poll_fn(|context| ready.poll_unsent(context)).await;
        });
        assert_eq!(read(reader), "\n");
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error() {
        let (reader, writer) = pipe();
        let mut ready = inherited(writer);
        drop(reader);
        ready.ready();
        assert!(matches!(ready.0, State::Closed));
    }
}
