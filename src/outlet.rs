//! Writes to a descriptor in a thread of its own, so that netready never waits for its reader. [`crate::stderr`] says
//! why.

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

/// The number of queued bytes from which on another program's output has to wait. A pipe holds the same number
/// (pipe(7)).
const ROOM: usize = 64 * 1024;

/// The number of queued bytes from which on netready's own lines are dropped. At half of it, a burst of unmet
/// requirements beside a busy command would lose lines. Double would not help: nobody would have read those lines
/// either.
const MOST: usize = 256 * 1024;

/// The most bytes that are written at once. It is PIPE_BUF, so that a line is not mixed with lines of another
/// process.
const CHUNK: usize = 4096;

/// How long [`Outlet::finish`] waits in total, however slowly the reader reads.
pub const LONGEST: Duration = Duration::from_secs(5);

/// Erases the live line: goes to the first column, and clears to the end of the row.
const ERASE: &[u8] = b"\r\x1b[K";

/// A descriptor, the thread that writes to it, and what is to be written.
pub struct Outlet {
    /// The descriptor to which lines are written. `None` means stderr.
    descriptor: Option<OwnedFd>,
    state: Mutex<State>,
    /// Notified when there is something to write.
    work: Condvar,
    /// Notified after each write.
    done: Condvar,
    /// Notified after a write that made room; for [`Outlet::room`].
    less: Notify,
    lent: AtomicBool,
}

struct State {
    queue: VecDeque<u8>,
    /// Whether the thread is writing bytes that are no longer in the queue.
    writing: bool,
    /// The live line as it should be.
    live: Option<String>,
    /// The live line as the thread has last drawn it.
    drawn: Option<String>,
    /// Whether the last write ended with a line break.
    row_ended: bool,
    /// The number of bytes that were written, or could not be written.
    written: u64,
    /// The number of lines that were dropped since the last line was queued.
    dropped: u64,
    /// Whether the thread has been started.
    started: bool,
}

impl Outlet {
    pub const fn new(descriptor: Option<OwnedFd>) -> Outlet {
        Outlet {
            descriptor,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                writing: false,
                live: None,
                drawn: None,
                row_ended: true,
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

    pub fn say(&'static self, octets: &[u8]) {
        self.push(octets, MOST);
    }

    pub fn push(&'static self, octets: &[u8], most: usize) {
        let mut state = self.lock();
        if state.queue.len().saturating_add(octets.len()) > most {
            state.dropped = state.dropped.saturating_add(1);
            return;
        }
        if !self.has_started(&mut state) {
            drop(state);
            // The thread cannot be started. Write here instead, which may block.
            self.put(octets);
            return;
        }
        state.tell_of_dropped();
        state.queue.extend(octets);
        self.work.notify_one();
    }

    pub fn live(&'static self, line: Option<String>) {
        let mut state = self.lock();
        // Without the thread there is no live line, because it would be mixed with everything else that is written.
        if state.live != line && self.has_started(&mut state) {
            state.live = line;
            self.work.notify_one();
        }
    }

    pub fn has_live(&self) -> bool {
        let state = self.lock();
        state.live.is_some() || state.drawn.is_some()
    }

    /// Forgets the live line without erasing it.
    pub fn forget_live(&self) {
        let mut state = self.lock();
        (state.live, state.drawn) = (None, None);
    }

    /// Notes whether netready has lent the terminal to its command.
    pub fn lend(&self, lent: bool) {
        self.lent.store(lent, Ordering::Relaxed);
    }

    fn has_started(&'static self, state: &mut State) -> bool {
        state.started = state.started || self.start();
        state.started
    }

    fn start(&'static self) -> bool {
        // Block all signals in the new thread, so that the main thread gets them.
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
        let thread = std::thread::Builder::new().name("stderr".to_owned()).stack_size(64 * 1024);
        let started = thread.spawn(|| self.serve()).is_ok();
        if let Ok(before) = before {
            // An error cannot happen: this mask was in force before.
            let _ = before.thread_set_mask();
        }
        started
    }

    fn serve(&self) {
        let mut chunk = Vec::new();
        let mut stoppable = false;
        loop {
            let mut state = self.lock();
            while state.is_idle() {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.take(&mut chunk);
            state.writing = true;
            drop(state);
            if stoppable == self.lent.load(Ordering::Relaxed) {
                stoppable = !stoppable;
                let output = SigSet::from(Signal::SIGTTOU);
                // An error cannot happen: the set is valid.
                let _ = if stoppable { output.thread_unblock() } else { output.thread_block() };
            }
            self.put(&chunk);
            let mut state = self.lock();
            state.writing = false;
            state.written = state.written.saturating_add(chunk.len() as u64);
            if state.queue.len() < ROOM {
                self.less.notify_one();
            }
            self.done.notify_all();
        }
    }

    /// Writes all bytes, however long that takes. Bytes that the kernel refuses (a closed pipe, a full disk) are
    /// lost.
    fn put(&self, mut octets: &[u8]) {
        let stderr = io::stderr();
        let descriptor = self.descriptor.as_ref().map_or(stderr.as_fd(), AsFd::as_fd);
        while !octets.is_empty() {
            match nix::unistd::write(descriptor, octets) {
                Ok(length) => octets = octets.get(length..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                // Another process has set O_NONBLOCK.
                Err(Errno::EAGAIN) => {
                    let mut ready = [PollFd::new(descriptor, PollFlags::POLLOUT)];
                    // The result does not matter: the next write reports an error.
                    let _ = poll(&mut ready, PollTimeout::NONE);
                }
                Err(_) => return,
            }
        }
    }

    pub async fn room(&self) {
        while self.lock().queue.len() >= ROOM {
            self.less.notified().await;
        }
    }

    pub fn finish(&self, patience: Duration, longest: Duration) -> bool {
        let mut state = self.lock();
        let end = clock::now() + longest;
        state.tell_of_dropped();
        state.live = None;
        self.work.notify_one();
        while state.writing || !state.is_idle() {
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
    /// Whether nothing is left to be written or drawn.
    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.live == self.drawn
    }

    /// Puts what is written next into `chunk`: from the queue if it has anything, otherwise the live line.
    fn take(&mut self, chunk: &mut Vec<u8>) {
        chunk.clear();
        if self.queue.is_empty() {
            if self.live.is_some() && self.drawn.is_none() && !self.row_ended {
                chunk.push(b'\n');
                self.row_ended = true;
            }
            chunk.extend(ERASE);
            chunk.extend(self.live.iter().flat_map(|line| line.as_bytes()));
            self.drawn.clone_from(&self.live);
            return;
        }
        if self.drawn.take().is_some() {
            chunk.extend(ERASE);
        }
        let length = self.queue.len().min(CHUNK);
        chunk.extend(self.queue.drain(..length));
        self.row_ended = chunk.last() == Some(&b'\n');
    }

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
    use std::os::fd::AsRawFd;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    /// How long a test waits for what must come.
    const SOON: Duration = Duration::from_secs(60);

    /// An outlet that writes into a pipe, and the other end of the pipe.
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
    fn lines_arrive_in_order() {
        for flags in [OFlag::empty(), OFlag::O_NONBLOCK] {
            let (outlet, reader) = outlet(flags);
            let said: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
            for part in said.chunks(777) {
                outlet.say(part);
            }
            assert!(!outlet.finish(SHORT, SOON), "the pipe is full, and nobody reads");
            assert_eq!(read(&reader, said.len()), said);
            assert!(outlet.finish(SOON, SOON));
        }
    }

    /// Writes until the pipe is full and the thread waits for the reader: it takes nothing more from the queue before
    /// somebody reads. Returns how many bytes were written or queued.
    fn fill(outlet: &'static Outlet, reader: &File) -> usize {
        let capacity = usize::try_from(fcntl(reader, FcntlArg::F_GETPIPE_SZ).unwrap()).unwrap();
        let length = capacity + 2 * CHUNK;
        outlet.push(&vec![b'.'; length], usize::MAX);
        let deadline = clock::now() + SOON;
        let waits = || {
            let state = outlet.lock();
            state.writing && state.written == capacity as u64
        };
        while !waits() {
            assert!(clock::now() < deadline, "the pipe does not become full");
            std::thread::yield_now();
        }
        length
    }

    #[test]
    fn writing_never_waits_for_the_reader_and_dropped_lines_are_counted() {
        let (outlet, reader) = outlet(OFlag::empty());
        let filled = fill(outlet, &reader);
        let line = [b'x'; 1000];
        // Far more than fits in the queue.
        for _ in 0..1000 {
            outlet.say(&line);
        }
        let held = outlet.lock().queue.len();
        assert!(held <= MOST, "{held}");
        let dropped = outlet.lock().dropped;
        assert!(dropped > 500, "{dropped}");
        let note = format!("netready: {dropped} lines are missing here: nobody read them in time\n");
        let rest = filled + (1000 - usize::try_from(dropped).unwrap()) * 1000;
        let read = std::thread::spawn(move || {
            read(&reader, rest);
            read(&reader, note.len()) == note.as_bytes()
        });
        assert!(outlet.finish(SOON, SOON));
        assert!(read.join().unwrap());
    }

    #[test]
    fn a_reader_that_is_gone_does_not_block() {
        let (outlet, reader) = outlet(OFlag::empty());
        drop(reader);
        outlet.say(b"nobody hears this");
        assert!(outlet.finish(SOON, SOON));
        outlet.push(&[0; 2 * MOST], usize::MAX);
        assert!(outlet.finish(SOON, SOON));
    }

    /// What a terminal of 40 columns shows after these bytes.
    fn screen(octets: &[u8]) -> String {
        let mut terminal = vt100::Parser::new(10.try_into().unwrap(), 40.try_into().unwrap(), 0);
        // A terminal turns a line feed into carriage return and line feed (ONLCR).
        terminal.process(String::from_utf8_lossy(octets).replace('\n', "\r\n").as_bytes());
        terminal.screen().contents()
    }

    /// Everything that was written until now.
    fn written(outlet: &'static Outlet, reader: &File) -> Vec<u8> {
        let deadline = clock::now() + SOON;
        while !outlet.lock().is_idle() || outlet.lock().writing {
            assert!(clock::now() < deadline, "it is not written");
            std::thread::yield_now();
        }
        let mut length: libc::c_int = 0;
        // SAFETY: the kernel only writes a number to this variable.
        assert_eq!(unsafe { libc::ioctl(reader.as_raw_fd(), libc::FIONREAD, &raw mut length) }, 0);
        read(reader, usize::try_from(length).unwrap())
    }

    #[test]
    fn the_live_line_stays_below_all_that_is_said() {
        let (outlet, reader) = outlet(OFlag::empty());
        let mut all = Vec::new();
        let mut shows = |expected: &str| {
            all.extend(written(outlet, &reader));
            assert_eq!(screen(&all), expected, "{:?}", String::from_utf8_lossy(&all));
        };
        outlet.live(Some("waiting 1s: long".to_owned()));
        shows("waiting 1s: long");
        outlet.live(Some("waiting 2s".to_owned()));
        shows("waiting 2s");
        outlet.say(b"warning\n");
        shows("warning\nwaiting 2s");
        // A row that another program has not ended is kept.
        outlet.push(b"half a row", usize::MAX);
        shows("warning\nhalf a row\nwaiting 2s");
        outlet.live(None);
        shows("warning\nhalf a row");
        outlet.live(Some("waiting 3s".to_owned()));
        shows("warning\nhalf a row\nwaiting 3s");
        assert!(outlet.finish(SOON, SOON));
        shows("warning\nhalf a row");
        outlet.say(b"Ready\n");
        shows("warning\nhalf a row\nReady");
    }

    /// A terminal that was stopped (^S) shows only the last live line when it continues.
    #[test]
    fn live_lines_do_not_wait_in_the_queue() {
        let (outlet, reader) = outlet(OFlag::empty());
        outlet.push(&[b'.'; 2 * ROOM], usize::MAX);
        assert!(!outlet.finish(SHORT, SOON), "the pipe is full");
        for second in 0..1000 {
            outlet.live(Some(format!("waiting {second}s")));
        }
        read(&reader, 2 * ROOM);
        assert_eq!(written(outlet, &reader), b"\n\r\x1b[Kwaiting 999s");
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
        // 64 KiB of this fit in the pipe.
        outlet.push(&[0; 4 * ROOM], usize::MAX);
        assert!(!outlet.finish(SHORT, SOON));
        let mut full: std::pin::Pin<&mut dyn Future<Output = ()>> = std::pin::pin!(outlet.room());
        assert!(!ready(&mut full));
        let reading = std::thread::spawn(move || read(&reader, 4 * ROOM));
        runtime.block_on(full);
        reading.join().unwrap();
    }
}
