//! The live line on a terminal. It says what netready waits for, for how long, and how much time is left. netready
//! rewrites it in place once a second. [`LiveLine`] makes its text, and [`crate::stderr`] draws it.

use std::cell::RefCell;
use std::io::{self, IsTerminal};

use nix::sys::signal::Signal;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::sync::Notify;

use crate::clock::{self, Timer};
use crate::driver::View;
use crate::gate_state::Phase;
use crate::moment::Moment;
use crate::platform::signals::Signals;
use crate::report::LiveLine;
use crate::stderr;

/// The width for a terminal that does not report one (a serial console), in columns.
const USUAL_WIDTH: usize = 80;

/// The live line of this process.
pub(super) struct Live {
    line: RefCell<Option<LiveLine>>,
    /// Notified when the line was replaced or removed.
    changed: Notify,
}

impl Live {
    /// Returns `None` if there must be no live line. This is so if stderr is not a terminal, if the terminal cannot
    /// erase, or if another job uses it. It is also so if stdout is a pipe, because its reader may write to the
    /// same terminal at any time. A terminal that is not the one of this session does not count, because nobody may
    /// be watching it.
    pub(super) fn on_terminal() -> Option<Live> {
        let erases = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let ours = io::stderr().is_terminal() && erases && in_foreground() && !stdout_is_pipe();
        ours.then(|| Live { line: RefCell::new(None), changed: Notify::new() })
    }

    /// Shows this line instead of the previous one.
    pub(super) fn show(&self, line: LiveLine) {
        *self.line.borrow_mut() = Some(line);
        self.draw();
        self.changed.notify_one();
    }

    /// Shows what a gate waits for, since when and until when. It removes the line if the gate does not wait any
    /// more.
    pub(super) fn show_gate(&self, view: &View<'_>, since: Moment, until: Option<Moment>) {
        match view.phase {
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } => {
                self.show(LiveLine::of_gate(view.verdict, view.phase, since, until));
            }
            Phase::Ready { .. } | Phase::Opened { .. } | Phase::Lost { .. } | Phase::GaveUp { .. } => {
                self.clear();
            }
        }
    }

    /// Removes the line until the next one is shown.
    fn clear(&self) {
        *self.line.borrow_mut() = None;
        stderr::live(None);
        self.changed.notify_one();
    }

    /// Does the work, and keeps the line up to date in the meantime. It removes the line afterwards.
    ///
    /// # Errors
    /// Fails if the kernel gives no timer or no signal descriptor.
    pub(super) async fn during<T>(live: Option<&Live>, work: impl Future<Output = T>) -> io::Result<T> {
        let Some(live) = live else { return Ok(work.await) };
        let done = tokio::select! {
            done = work => done,
            error = live.keep() => return Err(error),
        };
        *live.line.borrow_mut() = None;
        stderr::end_live();
        Ok(done)
    }

    /// Draws the line whenever its text changes, the width of the terminal changes, or the process continues after
    /// a stop. It returns only with an error.
    async fn keep(&self) -> io::Error {
        let all = || Ok((Timer::new()?, Signals::new([(Signal::SIGWINCH, ()), (Signal::SIGCONT, ())])?));
        let (mut timer, mut signals) = match all() {
            Ok(all) => all,
            Err(error) => return error,
        };
        loop {
            let due = self.line.borrow().as_ref().map(|line| line.due(clock::now()));
            if let Err(error) = timer.set(due) {
                return error;
            }
            tokio::select! {
                fired = timer.fired() => if let Err(error) = fired { return error },
                () = signals.next() => {}
                () = self.changed.notified() => continue,
            }
            self.draw();
        }
    }

    fn draw(&self) {
        if !in_foreground() {
            stderr::forget_live();
            return;
        }
        let line = self.line.borrow();
        stderr::live(line.as_ref().map(|line| line.text(clock::now(), columns())));
    }
}

/// Whether stderr is the terminal of this session, and this process belongs to the job in its foreground.
fn in_foreground() -> bool {
    tcgetpgrp(io::stderr()) == Ok(getpgrp())
}

fn stdout_is_pipe() -> bool {
    let kind = fstat(io::stdout()).map(|stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT);
    kind == Ok(SFlag::S_IFIFO)
}

fn columns() -> usize {
    let columns = stderr::window().map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { USUAL_WIDTH } else { columns }
}
