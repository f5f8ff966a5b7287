//! Signals: what they do to this process, and those that it takes as events.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::Poll;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, kill, raise, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

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
pub fn action_of(signal: Signal) -> Action {
    // SAFETY: sigaction(2) with no new action only writes the old one, into a value of this function's own. All
    // zeros are a valid one.
    let old = unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        Errno::result(libc::sigaction(signal as libc::c_int, std::ptr::null(), &raw mut old)).map(|_| old)
    };
    match old.map(|old| old.sa_sigaction) {
        Ok(libc::SIG_IGN) => Action::Ignored,
        Ok(libc::SIG_DFL) | Err(_) => Action::Default,
        Ok(_) => Action::Caught,
    }
}

/// From now on a signal does what it does by default. The action that it had.
///
/// # Errors
/// sigaction(2)'s.
pub fn set_default(signal: Signal) -> nix::Result<SigAction> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action is no handler, which could be called at a wrong time.
    unsafe { sigaction(signal, &default) }
}

/// Signals as events: from now on none of these acts on this process by itself.
pub struct Signals<T>(Vec<(Listener, T)>);

impl<T: Copy> Signals<T> {
    /// The signals, and what each of them means.
    ///
    /// # Errors
    /// sigaction(2)'s.
    pub fn new(wanted: impl IntoIterator<Item = (Signal, T)>) -> io::Result<Signals<T>> {
        let listen = |(number, meaning)| Ok((signal(SignalKind::from_raw(number as libc::c_int))?, meaning));
        Ok(Signals(wanted.into_iter().map(listen).collect::<io::Result<_>>()?))
    }

    /// What the next one means. Of those that came meanwhile, the first of the list.
    pub async fn next(&mut self) -> T {
        poll_fn(|context| {
            let came = self
                .0
                .iter_mut()
                .find_map(|(listener, meaning)| listener.poll_recv(context).is_ready().then_some(*meaning));
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Signals that are held back from this thread, and read in turn. A process that has one thread gets none of them.
pub struct Blocked {
    before: SigSet,
    signals: SignalFd,
}

impl Blocked {
    /// Holds these back from now on.
    ///
    /// # Errors
    /// signalfd(2)'s.
    pub fn new(signals: &SigSet) -> io::Result<Blocked> {
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        match SignalFd::with_flags(signals, flags) {
            Ok(signals) => Ok(Blocked { before, signals }),
            Err(error) => {
                // It is the mask that was in force, so it can be set.
                let _ = before.thread_set_mask();
                Err(error.into())
            }
        }
    }

    /// Those that were blocked before.
    pub fn before(&self) -> SigSet {
        self.before
    }

    /// One that has come.
    ///
    /// # Errors
    /// read(2)'s.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        while let Some(info) = self.signals.read_signal()? {
            // A real-time signal has no name, and no meaning here.
            if let Some(signal) = i32::try_from(info.ssi_signo).ok().and_then(|it| Signal::try_from(it).ok())
            {
                return Ok(Some(signal));
            }
        }
        Ok(None)
    }
}

impl AsFd for Blocked {
    /// Readable while one has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// Whom a stop is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// This process.
    Process,
    /// Its process group: a shell's job stops as a whole, or the shell does not come back.
    Job,
}

/// Stops by this signal, as if it were not caught, and returns once this process is continued. False if it was not
/// stopped: in a group without a shell (an orphaned one) the kernel ignores such a signal.
pub fn stop(whom: Whom, signal: Signal) -> bool {
    if action_of(signal) == Action::Ignored {
        return false;
    }
    let continued = SigSet::from(Signal::SIGCONT);
    let Ok(before) = continued.thread_swap_mask(SigmaskHow::SIG_BLOCK) else { return false };
    // SIGSTOP's action is always the default one, and cannot be set.
    let caught = set_default(signal).ok();
    // Each returns once this process goes on; where it fails, nothing was stopped. While SIGCONT is blocked it
    // continues the process all the same, and then waits, which tells that the process was stopped.
    let _ = match whom {
        Whom::Process => raise(signal),
        Whom::Job => kill(Pid::from_raw(0), signal),
    };
    let stopped = is_pending(Signal::SIGCONT);
    if let Some(caught) = caught {
        // SAFETY: the action was in force before, so its handler is one that may be called.
        let _ = unsafe { sigaction(signal, &caught) };
    }
    // It is the mask that was in force, so it can be set.
    let _ = before.thread_set_mask();
    stopped
}

/// Whether a signal has come and is blocked.
fn is_pending(signal: Signal) -> bool {
    // SAFETY: sigpending(2) writes to a value of this function's own, of which all zeros are a valid one.
    unsafe {
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending) == 0
            && libc::sigismember(&raw const pending, signal as libc::c_int) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_blocked_and_came_is_pending() {
        // A thread of its own: its mask is nobody else's.
        let pending = std::thread::spawn(|| {
            SigSet::from(Signal::SIGURG).thread_block().unwrap();
            let before = is_pending(Signal::SIGURG);
            raise(Signal::SIGURG).unwrap();
            (before, is_pending(Signal::SIGURG))
        });
        assert_eq!(pending.join().unwrap(), (false, true));
    }

    #[test]
    fn an_action_is_told() {
        assert_eq!(action_of(Signal::SIGURG), Action::Default);
        assert_eq!(action_of(Signal::SIGPIPE), Action::Ignored, "Rust's runtime ignores it");
    }
}
