//! The signals that end, stop and continue netready, taken as events.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal does to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// What it does by default.
    Default,
    /// Nothing: whoever started this process wants it so (nohup(1), a shell's background jobs).
    Ignored,
    /// A handler is called.
    Caught,
}

/// What a signal does now.
pub fn action_of(signal: i32) -> Action {
    // SAFETY: sigaction(2) with no new action only writes the old one, which is this function's own.
    let handler = unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &raw mut old) != 0 {
            return Action::Default;
        }
        old.sa_sigaction
    };
    match handler {
        libc::SIG_DFL => Action::Default,
        libc::SIG_IGN => Action::Ignored,
        _ => Action::Caught,
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// To end by this signal.
    End(i32),
    /// To stop: ^Z, or kill -TSTP.
    Stop,
    /// Netready was stopped, and goes on.
    Continue,
}

/// From now on none of them acts on this process by itself.
pub struct Signals(Vec<(Stream, Wake)>);

impl Signals {
    /// All but those that are ignored, which stay so. SIGTERM is always heard: it is how services are stopped.
    ///
    /// # Errors
    /// sigaction(2)'s.
    pub fn new() -> io::Result<Signals> {
        let wanted = [
            (libc::SIGTERM, Wake::End(libc::SIGTERM)),
            (libc::SIGINT, Wake::End(libc::SIGINT)),
            (libc::SIGHUP, Wake::End(libc::SIGHUP)),
            (libc::SIGQUIT, Wake::End(libc::SIGQUIT)),
            (libc::SIGTSTP, Wake::Stop),
            (libc::SIGCONT, Wake::Continue),
        ];
        let heard = wanted
            .into_iter()
            .filter(|(number, _)| *number == libc::SIGTERM || action_of(*number) != Action::Ignored);
        let streams = heard.map(|(number, wake)| Ok((signal(SignalKind::from_raw(number))?, wake)));
        Ok(Signals(streams.collect::<io::Result<_>>()?))
    }

    /// The next one.
    pub async fn next(&mut self) -> Wake {
        poll_fn(|context| {
            let mut heard = self.0.iter_mut().filter_map(|(stream, wake)| match stream.poll_recv(context) {
                Poll::Ready(_) => Some(*wake),
                Poll::Pending => None,
            });
            heard.next().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The next one that ends netready, while it runs no command: it stops and continues like any program.
    pub async fn end(&mut self) -> i32 {
        loop {
            match self.next().await {
                Wake::End(signal) => return signal,
                Wake::Stop => {
                    crate::stderr::before_a_stop();
                    stop(Whom::Netready, Signal::SIGTSTP);
                }
                Wake::Continue => {}
            }
        }
    }
}

/// Whom a stop is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// This process.
    Netready,
    /// Its process group: a shell's job stops as a whole, or the shell does not come back.
    Job,
}

/// Stops by this signal, as if it were not caught, and returns once netready is continued. False if it was not
/// stopped: in a group without a shell (an orphaned one) the kernel ignores such a signal.
pub(super) fn stop(whom: Whom, signal: Signal) -> bool {
    let number = signal as libc::c_int;
    if action_of(number) == Action::Ignored {
        return false;
    }
    let continued = SigSet::from(Signal::SIGCONT);
    let Ok(before) = continued.thread_swap_mask(SigmaskHow::SIG_BLOCK) else { return false };
    // SAFETY: the default action is no handler that could be called at the wrong time, and the action that was in
    // force, of whoever installed it, is in force again afterwards.
    let stopped = unsafe {
        let mut default: libc::sigaction = std::mem::zeroed();
        let mut old: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        let set = libc::sigaction(number, &raw const default, &raw mut old) == 0;
        // It returns once this process goes on. While SIGCONT is blocked it continues the process all the same,
        // and then waits, which tells that the process was stopped.
        match whom {
            Whom::Netready => libc::raise(number),
            Whom::Job => libc::kill(0, number),
        };
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending);
        if set {
            libc::sigaction(number, &raw const old, std::ptr::null_mut());
        }
        libc::sigismember(&raw const pending, libc::SIGCONT) == 1
    };
    // It is the mask that was in force, so it can be.
    let _ = before.thread_set_mask();
    stopped
}
