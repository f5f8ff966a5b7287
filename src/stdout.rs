//! Writes to stdout in a thread of its own, for a command that must not wait for the reader of stdout because it has a
//! timeout to keep. Other commands write to stdout themselves.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::outlet::{LONGEST, Outlet, Stream};

static STDOUT: Outlet = Outlet::new(Stream::Stdout);

/// Whether a write has failed.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Writes this text. If too much is queued because nobody reads, the text is dropped, and this returns false.
pub fn offer(text: &str) -> bool {
    STDOUT.offer(text)
}

/// Writes this text, however much is queued. Use this for the last text only.
pub fn say_last(text: &str) {
    STDOUT.relay(text.as_bytes());
}

/// Waits until everything is written. Gives up if nothing was read for `patience`. Returns false if it gave up.
pub fn finish(patience: Duration) -> bool {
    STDOUT.finish(patience, LONGEST)
}

/// Whether a write has failed. The first call after that says so on stderr, unless the reader has closed the pipe: such
/// a reader has read all that it wants.
pub fn failed() -> bool {
    let Some(error) = take_error() else { return FAILED.load(Ordering::Relaxed) };
    if !FAILED.swap(true, Ordering::Relaxed) && error.kind() != io::ErrorKind::BrokenPipe {
        tracing::error!("stdout: {error}; no more JSON is printed");
    }
    true
}

/// Takes the first error of a write since the last call. The text of that write is lost.
pub fn take_error() -> Option<io::Error> {
    STDOUT.take_error()
}
