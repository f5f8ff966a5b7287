//! The live line on a terminal: it says what is waited for, for how long, and what time is left, and is rewritten in
//! place once a second. What it says is made in [`LiveLine`]; where it is drawn is [`crate::stderr`].

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

/// The width of a terminal that does not know it (a serial console).
const USUAL_WIDTH: usize = 80;

/// The live line of this process.
pub(super) struct Live {
    line: RefCell<Option<LiveLine>>,
    /// Another line is shown, or none.
    changed: Notify,
}

impl Live {
    /// `None` where there is to be no live line: stderr is no terminal, or one that cannot erase, or one that another
    /// job is using, or stdout is a pipe, whose reader may write to the same terminal at any time. A terminal that is
    /// not this session's counts as none: nobody may be watching it.
    pub(super) fn on_terminal() -> Option<Live> {
        let erases = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let ours = io::stderr().is_terminal() && erases && in_foreground() && !stdout_is_pipe();
        ours.then(|| Live { line: RefCell::new(None), changed: Notify::new() })
    }

    /// Shows this line, in the place of another one.
    pub(super) fn show(&self, line: LiveLine) {
        *self.line.borrow_mut() = Some(line);
        self.draw();
        self.changed.notify_one();
    }

    /// Shows what a gate waits for, since and until when; no line if it does not wait any more.
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

    /// Shows no line until there is another one.
    fn clear(&self) {
        *self.line.borrow_mut() = None;
        stderr::live(None);
        self.changed.notify_one();
    }

    /// Does this work, and keeps the line true meanwhile. Then there is no line any more.
    ///
    /// # Errors
    /// Where timers or signals are not to be had.
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

    /// Draws the line whenever it says something else, the terminal has another width, or the process goes on after a
    /// stop. It returns only if it cannot go on.
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

/// Whether stderr is the terminal of this session, and this process is of the job that uses it.
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
