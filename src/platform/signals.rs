//! Signals: what they do to this process, and how this process receives them as events.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, kill, raise, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::platform::descriptor::{self, Descriptor};

/// What a signal does to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The default action of the signal.
    Default,
    /// Nothing. Whoever started this process has set this (nohup(1), or a shell for a background job).
    Ignored,
    /// A handler is called.
    Caught,
}

/// What a signal does to this process now.
pub fn action_of(signal: Signal) -> Action {
    // SAFETY: without a new action, sigaction(2) only writes the old action into a variable of this function. All
    // zeros are a valid value of it.
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

/// Sets a signal to its default action. Returns the previous action.
///
/// # Errors
/// Fails if sigaction(2) fails.
pub fn set_default(signal: Signal) -> nix::Result<SigAction> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action is not a handler, so no handler can be called at a wrong time.
    unsafe { sigaction(signal, &default) }
}

/// How often each signal was received through the handler below.
static CAME: [AtomicU64; 65] = [const { AtomicU64::new(0) }; 65];

/// The eventfd that the handler writes to. Nobody reads it: each write wakes all tasks that wait for it to be
/// readable (EPOLLET), and it has room for 2⁶⁴ writes.
static WAKER: OnceLock<EventFd> = OnceLock::new();

/// The number of that eventfd, for the handler. -1 before it is made.
static WAKER_NUMBER: AtomicI32 = AtomicI32::new(-1);

/// The signal handler. It may interrupt any code, so it makes only one system call, and restores errno.
extern "C" fn caught(number: libc::c_int) {
    let errno = Errno::last_raw();
    if let Some(count) = usize::try_from(number).ok().and_then(|number| CAME.get(number)) {
        count.fetch_add(1, Ordering::SeqCst);
    }
    let one = 1_u64;
    // SAFETY: a signal handler may call write(2). It reads eight bytes of a variable of this function.
    unsafe { libc::write(WAKER_NUMBER.load(Ordering::SeqCst), (&raw const one).cast(), size_of::<u64>()) };
    Errno::set_raw(errno);
}

fn waker() -> io::Result<&'static EventFd> {
    if let Some(waker) = WAKER.get() {
        return Ok(waker);
    }
    let made = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let waker = WAKER.get_or_init(|| made);
    WAKER_NUMBER.store(waker.as_fd().as_raw_fd(), Ordering::SeqCst);
    Ok(waker)
}

fn count(signal: Signal) -> u64 {
    usize::try_from(signal as libc::c_int)
        .ok()
        .and_then(|number| CAME.get(number))
        .map_or(0, |count| count.load(Ordering::SeqCst))
}

/// Receives signals as events. Once this has been made, these signals have no effect on this process by themselves.
///
/// tokio's own listeners are not used. They pass a signal on through a socket pair, panic if the kernel refuses one,
/// and lose the signal if the kernel has no memory for its byte.
pub struct Signals<T> {
    wanted: Vec<Wanted<T>>,
    wake: AsyncFd<Descriptor<OwnedFd>>,
}

struct Wanted<T> {
    signal: Signal,
    meaning: T,
    /// The count of the signal when it was last reported.
    told: u64,
}

impl<T: Copy> Signals<T> {
    /// Listens for these signals. Each has a meaning, which [`Signals::next`] returns.
    ///
    /// # Errors
    /// Fails if eventfd(2), dup(2), epoll_ctl(2) or sigaction(2) fails.
    pub fn new(wanted: impl IntoIterator<Item = (Signal, T)>) -> io::Result<Signals<T>> {
        let wake = descriptor::watch(waker()?.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
        let handler = SigAction::new(SigHandler::Handler(caught), SaFlags::SA_RESTART, SigSet::empty());
        let listen = |(signal, meaning)| {
            let told = count(signal);
            // SAFETY: the handler may interrupt any code.
            unsafe { sigaction(signal, &handler) }?;
            Ok(Wanted { signal, meaning, told })
        };
        Ok(Signals { wanted: wanted.into_iter().map(listen).collect::<io::Result<_>>()?, wake })
    }

    /// Waits for the next signal and returns its meaning. If several signals have come, the first one in the list
    /// counts.
    pub async fn next(&mut self) -> T {
        loop {
            for wanted in &mut self.wanted {
                let came = count(wanted.signal);
                if came != wanted.told {
                    wanted.told = came;
                    return wanted.meaning;
                }
            }
            // A signal that comes after the check above makes the eventfd readable again.
            match self.wake.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                // The event loop is being shut down, and nothing waits any more.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

/// Blocks signals in this thread, so that they can be read one by one. In a process with only one thread, these
/// signals then have no effect by themselves.
pub struct Blocked {
    before: SigSet,
    signals: SignalFd,
}

impl Blocked {
    /// Blocks these signals from now on.
    ///
    /// # Errors
    /// Fails if signalfd(2) fails.
    pub fn new(signals: &SigSet) -> io::Result<Blocked> {
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        match SignalFd::with_flags(signals, flags) {
            Ok(signals) => Ok(Blocked { before, signals }),
            Err(error) => {
                // An error cannot happen: this mask was in force before.
                let _ = before.thread_set_mask();
                Err(error.into())
            }
        }
    }

    /// The signals that were blocked before.
    pub fn before(&self) -> SigSet {
        self.before
    }

    /// The next signal that was received, if any.
    ///
    /// # Errors
    /// Fails if read(2) fails.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        while let Some(info) = self.signals.read_signal()? {
            // A real-time signal has no name in nix and no meaning for netready.
            if let Some(signal) = i32::try_from(info.ssi_signo).ok().and_then(|it| Signal::try_from(it).ok())
            {
                return Ok(Some(signal));
            }
        }
        Ok(None)
    }
}

impl AsFd for Blocked {
    /// The descriptor is readable while a signal can be read.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// What a stop is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// Only this process.
    Process,
    /// The whole process group of this process. A shell takes control back only when the whole job has stopped.
    Job,
}

/// Stops by this signal, as if the signal were not caught, and returns once this process is continued. Returns false
/// if the process was not stopped: the kernel ignores such a signal in a group without a shell (an orphaned group).
pub fn stop(whom: Whom, signal: Signal) -> bool {
    if action_of(signal) == Action::Ignored {
        return false;
    }
    let continued = SigSet::from(Signal::SIGCONT);
    let Ok(before) = continued.thread_swap_mask(SigmaskHow::SIG_BLOCK) else { return false };
    // The action of SIGSTOP is always the default one, and setting it fails.
    let caught = set_default(signal).ok();
    // The call returns once this process was continued. If the call fails, nothing was stopped. SIGCONT continues the
    // process even while it is blocked, and then stays pending, which shows that the process was stopped.
    let _ = match whom {
        Whom::Process => raise(signal),
        Whom::Job => kill(Pid::from_raw(0), signal),
    };
    let stopped = is_pending(Signal::SIGCONT);
    if let Some(caught) = caught {
        // SAFETY: this action was in force before, so its handler may be called.
        let _ = unsafe { sigaction(signal, &caught) };
    }
    // An error cannot happen: this mask was in force before.
    let _ = before.thread_set_mask();
    stopped
}

/// Whether a signal was received while it is blocked.
fn is_pending(signal: Signal) -> bool {
    // SAFETY: sigpending(2) writes to a variable of this function. All zeros are a valid value of it.
    unsafe {
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending) == 0
            && libc::sigismember(&raw const pending, signal as libc::c_int) == 1
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_signal_that_is_blocked_and_came_is_pending() {
        // Use a new thread: nothing else depends on its mask.
        let pending = std::thread::spawn(|| {
            SigSet::from(Signal::SIGURG).thread_block().unwrap();
            let before = is_pending(Signal::SIGURG);
            raise(Signal::SIGURG).unwrap();
            (before, is_pending(Signal::SIGURG))
        });
        assert_eq!(pending.join().unwrap(), (false, true));
    }

    /// Each listener gets a signal once, however often the signal came, and gets no signal that came before it
    /// listened.
    #[test]
    fn signals_are_events() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _entered = runtime.enter();
        let listen = || Signals::new([(Signal::SIGURG, 'u'), (Signal::SIGWINCH, 'w')]).unwrap();
        let mut early = listen();
        raise(Signal::SIGWINCH).unwrap();
        raise(Signal::SIGWINCH).unwrap();
        let mut late = listen();
        raise(Signal::SIGURG).unwrap();
        runtime.block_on(async {
            assert_eq!((early.next().await, early.next().await), ('u', 'w'), "in the list's order");
            assert_eq!(late.next().await, 'u');
            for listener in [&mut early, &mut late] {
                assert!(listener.next().now_or_never().is_none(), "there are no more");
            }
            let later = std::thread::spawn(|| raise(Signal::SIGWINCH).unwrap());
            assert_eq!((early.next().await, late.next().await), ('w', 'w'), "one that comes while they wait");
            later.join().unwrap();
        });
        assert_eq!(action_of(Signal::SIGWINCH), Action::Caught);
    }

    #[test]
    fn the_action_of_a_signal_is_found() {
        // Another test of this process listens to SIGURG.
        assert_eq!(action_of(Signal::SIGVTALRM), Action::Default);
        assert_eq!(action_of(Signal::SIGPIPE), Action::Ignored, "Rust's runtime ignores it");
    }
}
