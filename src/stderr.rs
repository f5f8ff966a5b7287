//! stderr, written by a thread of its own: netready never waits for whoever reads it.
//!
//! stderr may be a pipe to a stopped pager, a full terminal, or the journal's socket while the journal hangs.
//! Limits, signals and READY=1 are served meanwhile. O_NONBLOCK would not do: it belongs to the open file, which
//! netready shares with its parent and its children.
//!
//! The queue is bounded. netready's own lines are dropped, and counted, when it is full; who passes on another
//! program's output waits for [`room`], so that the program is slowed down and nothing of it is lost.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use tokio::sync::Notify;

use crate::clock;

/// This many octets are taken from another program before it has to wait. A pipe holds as many (pipe(7)).
const ROOM: usize = 64 * 1024;

/// When so much waits to be written, netready's own lines are dropped. At half of it a burst of unmet requirements
/// beside a busy command would lose lines; at double, nobody would have read them either.
const MOST: usize = 256 * 1024;

/// What is written at once: PIPE_BUF, so that a line is not mixed with another process's.
const CHUNK: usize = 4096;

/// How long the rest may take at the end, however slowly it is read.
const LONGEST: Duration = Duration::from_secs(5);

static STDERR: Outlet = Outlet::new(None);

/// Writes netready's own words; they are dropped where too much waits already.
pub fn say(text: &str) {
    STDERR.say(text.as_bytes());
}

/// Passes on what another program wrote. Wait for [`room`] before.
pub fn relay(octets: &[u8]) {
    STDERR.push(octets, usize::MAX);
}

/// Waits until another program's output can be taken. It may be broken off at any time; one waits at a time.
pub async fn room() {
    STDERR.room().await;
}

/// Before the process ends, or becomes another: waits until all is written. It gives up after `patience` in which
/// nothing was read; false where it did.
pub fn finish(patience: Duration) -> bool {
    STDERR.finish(patience, LONGEST)
}

/// Before the process stops (^Z): waits until all is written, because the thread stops too. Half a second at most: at
/// half of it a busy machine would show some lines only when the job is continued; at double, a user whose pager does
/// not read would take ^Z for broken.
pub(crate) fn before_a_stop() {
    const PATIENCE: Duration = Duration::from_millis(500);
    // Where it gave up, the rest is written once the process goes on.
    STDERR.finish(PATIENCE, PATIENCE);
}

/// Says whether another process group has the terminal at the moment. Where the terminal stops background jobs that
/// write (`stty tostop`), netready is stopped like any job, but not while it lent the terminal to its own command.
pub(crate) fn terminal_is_lent(lent: bool) {
    STDERR.lent.store(lent, Ordering::Relaxed);
}

/// A writer of whole lines, for the log.
#[derive(Debug, Default)]
pub struct Lines;

impl io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        STDERR.say(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Outlet {
    /// Where lines are written. `None` means stderr.
    descriptor: Option<OwnedFd>,
    state: Mutex<State>,
    /// Something waits to be written.
    work: Condvar,
    /// Notified after each write.
    done: Condvar,
    /// The same, for [`room`].
    less: Notify,
    lent: AtomicBool,
}

struct State {
    queue: VecDeque<u8>,
    /// Octets are being written that are not in the queue any more.
    writing: bool,
    /// Octets, of all that were written or failed.
    written: u64,
    /// Lines, since one was taken last.
    dropped: u64,
    /// Whether the thread that writes has been started.
    started: bool,
}

impl Outlet {
    const fn new(descriptor: Option<OwnedFd>) -> Outlet {
        Outlet {
            descriptor,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                writing: false,
                written: 0,
                dropped: 0,
                started: false,
            }),
            work: Condvar::new(),
            done: Condvar::new(),
            less: Notify::const_new(),
            lent: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&'static self, octets: &[u8]) {
        self.push(octets, MOST);
    }

    fn push(&'static self, octets: &[u8], most: usize) {
        let mut state = self.lock();
        if state.queue.len().saturating_add(octets.len()) > most {
            state.dropped = state.dropped.saturating_add(1);
            return;
        }
        if !state.started {
            state.started = self.start();
            if !state.started {
                drop(state);
                // No thread is to be had: then it is written here, and may wait.
                self.put(octets);
                return;
            }
        }
        state.tell_of_dropped();
        state.queue.extend(octets);
        self.work.notify_one();
    }

    fn start(&'static self) -> bool {
        // Signals are the main thread's; this one must not be the one that a signal interrupts.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
        let thread = std::thread::Builder::new().name("stderr".to_owned()).stack_size(64 * 1024);
        let started = thread.spawn(|| self.serve()).is_ok();
        if let Ok(before) = before {
            // It is the mask that was in force, so it can be.
            let _ = before.thread_set_mask();
        }
        started
    }

    fn serve(&self) {
        let mut chunk = [0; CHUNK];
        let mut stoppable = false;
        loop {
            let mut state = self.lock();
            while state.queue.is_empty() {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let length = state.queue.len().min(CHUNK);
            for (to, from) in chunk.iter_mut().zip(state.queue.drain(..length)) {
                *to = from;
            }
            state.writing = true;
            drop(state);
            if stoppable == self.lent.load(Ordering::Relaxed) {
                stoppable = !stoppable;
                let output = SigSet::from(Signal::SIGTTOU);
                // It fails for no valid set.
                let _ = if stoppable { output.thread_unblock() } else { output.thread_block() };
            }
            self.put(chunk.get(..length).unwrap_or_default());
            let mut state = self.lock();
            state.writing = false;
            state.written = state.written.saturating_add(length as u64);
            if state.queue.len() < ROOM {
                self.less.notify_one();
            }
            self.done.notify_all();
        }
    }

    /// Writes it, however long that takes. What is refused (a closed pipe, a full disk) is lost.
    fn put(&self, mut octets: &[u8]) {
        let stderr = io::stderr();
        let descriptor = self.descriptor.as_ref().map_or(stderr.as_fd(), AsFd::as_fd);
        while !octets.is_empty() {
            match nix::unistd::write(descriptor, octets) {
                Ok(length) => octets = octets.get(length..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                // Somebody else has made it non-blocking.
                Err(Errno::EAGAIN) => {
                    let mut ready = [PollFd::new(descriptor, PollFlags::POLLOUT)];
                    // Whatever ends it, writing says what is the matter.
                    let _ = poll(&mut ready, PollTimeout::NONE);
                }
                Err(_) => return,
            }
        }
    }

    async fn room(&self) {
        while self.lock().queue.len() >= ROOM {
            self.less.notified().await;
        }
    }

    fn finish(&self, patience: Duration, longest: Duration) -> bool {
        let mut state = self.lock();
        let end = clock::now() + longest;
        state.tell_of_dropped();
        self.work.notify_one();
        while state.writing || !state.queue.is_empty() {
            let before = state.written;
            let (next, timeout) =
                self.done.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if clock::now() >= end || (timeout.timed_out() && state.written == before) {
                return false;
            }
        }
        true
    }
}

impl State {
    fn tell_of_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let line = format!("netready: {dropped} lines are missing here: nobody read them in time\n");
            self.queue.extend(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    /// An outlet into a pipe, and the pipe's other end.
    fn outlet(flags: OFlag) -> (&'static Outlet, File) {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_WRONLY | flags)).unwrap();
        (Box::leak(Box::new(Outlet::new(Some(writer)))), reader.into())
    }

    fn read(mut from: &File, length: usize) -> Vec<u8> {
        let mut octets = vec![0; length];
        from.read_exact(&mut octets).unwrap();
        octets
    }

    #[test]
    fn what_is_said_arrives_in_order() {
        for flags in [OFlag::empty(), OFlag::O_NONBLOCK] {
            let (outlet, reader) = outlet(flags);
            let said: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
            for part in said.chunks(777) {
                outlet.say(part);
            }
            assert!(!outlet.finish(SHORT, LONGEST), "the pipe is full, and nobody reads");
            assert_eq!(read(&reader, said.len()), said);
            assert!(outlet.finish(LONGEST, LONGEST));
        }
    }

    #[test]
    fn nobody_waits_for_the_reader_and_what_is_dropped_is_counted() {
        let (outlet, reader) = outlet(OFlag::empty());
        let line = [b'x'; 1000];
        // Far more than the pipe and the queue hold.
        for _ in 0..1000 {
            outlet.say(&line);
        }
        let held = outlet.lock().queue.len();
        assert!(held <= MOST, "{held}");
        let dropped = outlet.lock().dropped;
        assert!(dropped > 500, "{dropped}");
        let note = format!("netready: {dropped} lines are missing here: nobody read them in time\n");
        let rest = (1000 - usize::try_from(dropped).unwrap()) * 1000;
        let read = std::thread::spawn(move || {
            read(&reader, rest);
            read(&reader, note.len()) == note.as_bytes()
        });
        assert!(outlet.finish(LONGEST, LONGEST));
        assert!(read.join().unwrap());
    }

    #[test]
    fn a_reader_that_is_gone_holds_nothing_up() {
        let (outlet, reader) = outlet(OFlag::empty());
        drop(reader);
        outlet.say(b"nobody hears this");
        assert!(outlet.finish(LONGEST, LONGEST));
        outlet.push(&[0; 2 * MOST], usize::MAX);
        assert!(outlet.finish(LONGEST, LONGEST));
    }

    #[test]
    fn a_program_whose_output_is_passed_on_waits_for_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (outlet, reader) = outlet(OFlag::empty());
        let ready = |future: &mut std::pin::Pin<&mut dyn Future<Output = ()>>| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            future.as_mut().poll(&mut context).is_ready()
        };
        let mut before: std::pin::Pin<&mut dyn Future<Output = ()>> = std::pin::pin!(outlet.room());
        assert!(ready(&mut before));
        // The pipe holds 64 KiB of it.
        outlet.push(&[0; 4 * ROOM], usize::MAX);
        assert!(!outlet.finish(SHORT, LONGEST));
        let mut full: std::pin::Pin<&mut dyn Future<Output = ()>> = std::pin::pin!(outlet.room());
        assert!(!ready(&mut full));
        let reading = std::thread::spawn(move || read(&reader, 4 * ROOM));
        runtime.block_on(full);
        reading.join().unwrap();
    }
}
