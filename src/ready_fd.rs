//! `run --ready-fd N`: the readiness protocol of s6, dinit and OpenRC. The service manager opens a pipe for the
//! service; the service writes a newline to it when it is ready, and closes it.
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

/// Whom to tell, if anybody.
#[derive(Debug, Default)]
pub struct ReadyFd(State);

#[derive(Debug, Default)]
enum State {
    /// Nobody is to be told, or everything was said.
    #[default]
    Closed,
    /// The newline is still to come.
    Open(File),
    /// The newline is due, and there is no room for it.
    Unsent(AsyncFd<Descriptor<File>>),
}

/// Why a descriptor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadyFdError {
    /// The program itself uses it.
    #[error(
        "--ready-fd {0}: 0, 1 and 2 are standard input, output and error; name a descriptor from 3 on that the \
         service manager opens"
    )]
    Standard(RawFd),
    /// It was not inherited.
    #[error(
        "--ready-fd {0}: no such descriptor is open; the service manager must open it (s6: the file \
         notification-fd, dinit: ready-notification = pipefd:{0}, OpenRC: notify=fd:{0})"
    )]
    NotOpen(RawFd),
    /// It is open, but nothing can be written to it.
    #[error("--ready-fd {0}: this descriptor is not open for writing")]
    NotWritable(RawFd),
    /// The kernel refuses what should work.
    #[error("--ready-fd {0}")]
    Refused(RawFd, #[source] Errno),
}

impl ReadyFd {
    /// Takes over a descriptor that this process was started with. Programs that netready starts do not inherit it:
    /// they would keep the pipe open.
    ///
    /// (Opening it anew by /proc/self/fd would need no unsafe code. But it fails for sockets, and for a pipe of root's
    /// where the service runs as another user, and the inherited descriptor would stay open.)
    ///
    /// # Errors
    /// See [`ReadyFdError`].
    ///
    /// # Safety
    /// Nothing in this process owns a descriptor of this number. That is so as long as this process has opened
    /// nothing: then only inherited descriptors are open.
    pub unsafe fn inherit(number: RawFd) -> Result<ReadyFd, ReadyFdError> {
        if number < FIRST {
            return Err(ReadyFdError::Standard(number));
        }
        // SAFETY: it only asks, and takes any number.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
        if flags < 0 {
            return Err(ReadyFdError::NotOpen(number));
        }
        let writable = matches!(flags & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR);
        if !writable || flags & libc::O_PATH != 0 {
            return Err(ReadyFdError::NotWritable(number));
        }
        // SAFETY: it is open, and by the contract of this function nobody else owns it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
            .map_err(|errno| ReadyFdError::Refused(number, errno))?;
        Ok(ReadyFd(State::Open(File::from(descriptor))))
    }

    /// Writes the newline and closes the descriptor, once. A reader that is gone is no reason to end: it asked for
    /// news, and does not want them any more.
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

    /// Ready once a newline that there was no room for has been written; never where nothing waits to be written.
    pub fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let State::Unsent(room) = &self.0 else { return Poll::Pending };
            let written = match room.poll_write_ready(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(mut ready)) => {
                    ready.clear_ready();
                    // It is tried after that, so that room that comes now is not missed.
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

/// Whether there was room for the newline. O_NONBLOCK is not set for that: the flag would hold for everybody who shares
/// the pipe's end. One octet does not block where poll(2) sees room, and nobody else is to write there.
fn newline(mut file: &File) -> io::Result<bool> {
    let mut asked = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    loop {
        match poll(&mut asked, PollTimeout::ZERO) {
            Ok(0) => return Ok(false),
            // Also where the reader is gone: writing says how.
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

    use super::*;

    /// What a service manager makes: it keeps the first, the service gets the second.
    fn pipe() -> (File, OwnedFd) {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        (File::from(reader), writer)
    }

    /// As in a process that was started with it.
    fn inherited(descriptor: OwnedFd) -> ReadyFd {
        // SAFETY: its owner gave it away.
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
        // Reading ends only because the other end is closed.
        assert_eq!(read(reader), "\n");
        let (near, far) = UnixStream::pair().unwrap();
        inherited(far.into()).ready();
        assert_eq!(read(near), "\n", "a socket is as good");
        let (reader, writer) = pipe();
        drop(inherited(writer));
        assert_eq!(read(reader), "", "nothing is said of a gate that did not open");
    }

    #[test]
    fn children_do_not_inherit_it() {
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
            // SAFETY: each of them is refused, so none gets a second owner.
            let error = unsafe { ReadyFd::inherit(number) }.unwrap_err().to_string();
            assert!(error.starts_with(&said), "{error}");
        }
        drop(writer);
    }

    #[test]
    fn a_full_pipe_is_not_waited_for_and_written_to_later() {
        let (reader, writer) = pipe();
        // A pipe's buffer is at most this long where nobody has asked for more.
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
    fn a_reader_that_is_gone_ends_nothing() {
        let (reader, writer) = pipe();
        let mut ready = inherited(writer);
        drop(reader);
        ready.ready();
        assert!(matches!(ready.0, State::Closed));
    }
}
