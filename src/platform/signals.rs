//! Signals: what they do to this process, and those that it takes as events.

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

/// How often each signal came that has the handler below.
static CAME: [AtomicU64; 65] = [const { AtomicU64::new(0) }; 65];

/// What the handler writes to. Nobody reads it: each write wakes all who wait for it to be readable (EPOLLET), and it has
/// room for 2⁶⁴ of them.
static WAKER: OnceLock<EventFd> = OnceLock::new();

/// The same by its number, for the handler; -1 is none.
static WAKER_NUMBER: AtomicI32 = AtomicI32::new(-1);

/// The handler. It may interrupt anything, so it makes one system call, and leaves errno as it was.
extern "C" fn caught(number: libc::c_int) {
    let errno = Errno::last_raw();
    if let Some(count) = usize::try_from(number).ok().and_then(|number| CAME.get(number)) {
        count.fetch_add(1, Ordering::SeqCst);
    }
    let one = 1_u64;
    // SAFETY: write(2) may be called here, and reads the eight octets of a value of this function's own.
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

/// Signals as events: from now on none of these acts on this process by itself.
///
/// tokio's own listeners pass a signal on through a socket pair. They panic where the kernel refuses one, and lose the
/// signal where it has no memory for the octet.
pub struct Signals<T> {
    wanted: Vec<Wanted<T>>,
    wake: AsyncFd<Descriptor<OwnedFd>>,
}

struct Wanted<T> {
    signal: Signal,
    meaning: T,
    /// How often it had come when it was told of last.
    told: u64,
}

impl<T: Copy> Signals<T> {
    /// The signals, and what each of them means.
    ///
    /// # Errors
    /// eventfd(2)'s, dup(2)'s, epoll_ctl(2)'s and sigaction(2)'s.
    pub fn new(wanted: impl IntoIterator<Item = (Signal, T)>) -> io::Result<Signals<T>> {
        let wake = descriptor::watch(waker()?.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
        let handler = SigAction::new(SigHandler::Handler(caught), SaFlags::SA_RESTART, SigSet::empty());
        let listen = |(signal, meaning)| {
            let told = count(signal);
            // SAFETY: the handler may interrupt anything.
            unsafe { sigaction(signal, &handler) }?;
            Ok(Wanted { signal, meaning, told })
        };
        Ok(Signals { wanted: wanted.into_iter().map(listen).collect::<io::Result<_>>()?, wake })
    }

    /// What the next one means. Of those that came meanwhile, the first of the list.
    pub async fn next(&mut self) -> T {
        loop {
            for wanted in &mut self.wanted {
                let came = count(wanted.signal);
                if came != wanted.told {
                    wanted.told = came;
                    return wanted.meaning;
                }
            }
            // What comes after the look above makes it ready again.
            match self.wake.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                // The event loop is being shut down, and nobody waits any more.
                Err(_) => std::future::pending().await,
            }
        }
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
    use futures::FutureExt;

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

    /// Each listener hears a signal once, however often it came, and none that came before it listened.
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
    fn an_action_is_told() {
        assert_eq!(action_of(Signal::SIGURG), Action::Default);
        assert_eq!(action_of(Signal::SIGPIPE), Action::Ignored, "Rust's runtime ignores it");
    }
}
