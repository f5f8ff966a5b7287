//! Writes to stderr in a thread of its own, so that netready never waits for the reader of stderr.
//!
//! stderr may be a pipe to a stopped pager, a stopped terminal, or the journal's socket while the journal hangs.
//! Meanwhile netready still enforces limits, handles signals and sends READY=1. O_NONBLOCK cannot be used for this:
//! the flag belongs to the open file, which netready shares with its parent and its children.
//!
//! On a terminal there may be one live line, which is rewritten in place and never queued. The thread draws it when
//! nothing else is to be written, and erases it before it writes anything else. A progress library would draw by
//! itself, would so wait for the reader, and would have to erase its line for each line of the log.
//!
//! The queue is bounded. If it is full, netready's own lines are dropped and counted. Code that passes on another
//! program's output waits for [`room`] instead, so that the program is slowed down and nothing of its output is lost.

use std::io;
use std::time::Duration;

use crate::outlet::{LONGEST, Outlet, Stream};

static STDERR: Outlet = Outlet::new(Stream::Stderr);

/// Writes netready's own text. It is dropped if the queue is full.
pub fn say(text: &str) {
    STDERR.say(text);
}

/// Passes on what another program wrote. Wait for [`room`] first.
pub fn relay(bytes: &[u8]) {
    STDERR.relay(bytes);
}

/// Waits until another program's output can be queued. The future may be dropped at any time. Only one task may wait
/// at a time.
pub async fn room() {
    STDERR.room().await;
}

/// Draws the live line, in place of the one before; `None` erases it. The line must not be wider than the terminal
/// that stderr is, and must be safe to print. Until [`finish`], it stays below everything else that is written.
pub fn live(line: Option<String>) {
    STDERR.live(line);
}

/// Erases the live line and returns once that is done. Call this before another program writes to the terminal.
pub fn end_live() {
    if STDERR.has_live() {
        STDERR.finish(FOR_A_TERMINAL, FOR_A_TERMINAL);
    }
}

/// Forgets the live line without erasing it: another job has the terminal now and has written over the line.
pub fn forget_live() {
    STDERR.forget_live();
}

/// The size of the terminal that stderr is. `None` if stderr is not a terminal.
pub fn window() -> Option<libc::winsize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    Some(libc::winsize {
        ws_row: size.ws_row,
        ws_col: size.ws_col,
        ws_xpixel: size.ws_xpixel,
        ws_ypixel: size.ws_ypixel,
    })
}

/// Erases the live line and waits until everything is written. Call this before the process ends or executes another
/// program. Gives up if nothing was read for `patience`. Returns false if it gave up.
pub fn finish(patience: Duration) -> bool {
    STDERR.finish(patience, LONGEST)
}

/// How long a terminal may take to show what was written. At half of it, a busy machine would show some lines only
/// after a stopped job is continued. At double, a user whose pager does not read would believe that ^Z does not work.
const FOR_A_TERMINAL: Duration = Duration::from_millis(500);

/// Waits until everything is written. Call this before the process stops (^Z), because the thread stops too.
pub(crate) fn before_a_stop() {
    // If it gave up, the thread writes the rest once the process is continued.
    STDERR.finish(FOR_A_TERMINAL, FOR_A_TERMINAL);
}

/// Notes whether netready has lent the terminal to its command. If the terminal stops background jobs that write
/// (`stty tostop`), netready is stopped like any job, except while it has lent the terminal.
pub(crate) fn terminal_is_lent(lent: bool) {
    STDERR.lend(lent);
}
