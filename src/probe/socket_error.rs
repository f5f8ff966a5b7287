//! Errors of sockets, as reasons of a probe.

use std::io::{self, ErrorKind};

use crate::probe::deadline::Deadline;

/// Says in the kernel's words why an operation on a socket failed. A timeout of the socket is the end of the
/// try's time.
pub fn explain(error: &io::Error) -> String {
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::TimedOut | ErrorKind::WouldBlock, _) => Deadline::text(),
        (_, Some(errno)) => nix::errno::Errno::from_raw(errno).desc().to_lowercase(),
        (ErrorKind::UnexpectedEof, None) => "the connection was closed".to_owned(),
        (_, None) => error.to_string(),
    }
}
