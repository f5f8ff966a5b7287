//! Turns errors of sockets into reasons of a probe.

use std::io::{self, ErrorKind};

use crate::probe::deadline::Deadline;

/// The kernel's text for the error of a socket. If the socket timed out, the try's time is over.
pub fn explain(error: &io::Error) -> String {
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::TimedOut | ErrorKind::WouldBlock, _) => Deadline::text(),
        (_, Some(errno)) => nix::errno::Errno::from_raw(errno).desc().to_lowercase(),
        (ErrorKind::UnexpectedEof, None) => "the connection was closed".to_owned(),
        (_, None) => error.to_string(),
    }
}
