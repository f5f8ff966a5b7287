//! Writes to a descriptor in a thread of its own, so that netready never waits for its reader. [`crate::stderr`] says
//! why.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use tokio::sync::Notify;

use crate::platform::worker::{Backlog, Worker};

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

/// A descriptor, and the thread that writes to it.
pub struct Outlet {
    stream: Stream,
    worker: Worker<Queue>,
    /// Notified after a write that made room; for [`Outlet::room`].
    less: Notify,
    lent: AtomicBool,
}

/// The descriptor that an outlet writes to.
pub enum Stream {
    /// The process's own stderr.
    Stderr,
    /// The process's own stdout.
    Stdout,
    /// A pipe of a test.
    #[cfg(test)]
    Pipe(std::os::fd::OwnedFd),
}

/// What is to be written.
struct Queue {
    bytes: VecDeque<u8>,
    /// The live line as it should be.
    live: Option<String>,
    /// The live line as the thread has last drawn it.
    drawn: Option<String>,
    /// Whether the last write ended with a line break.
    row_ended: bool,
    /// The number of lines that were dropped since the last line was queued.
    dropped: u64,
    /// The first error of a write. What was written then is lost.
    error: Option<Errno>,
}

impl Outlet {
    /// An outlet whose thread is not started yet.
    pub const fn new(stream: Stream) -> Outlet {
        let queue = Queue {
            bytes: VecDeque::new(),
            live: None,
            drawn: None,
            row_ended: true,
            dropped: 0,
            error: None,
        };
        let (less, lent) = (Notify::const_new(), AtomicBool::new(false));
        Outlet { stream, worker: Worker::new(queue), less, lent }
    }

    /// Writes netready's own text. If the queue is full, the text is dropped, and a line says so later.
    pub fn say(&'static self, text: &str) {
        if !self.add(text.as_bytes(), MOST) {
            self.worker.change(|queue| queue.dropped = queue.dropped.saturating_add(1));
        }
    }

    /// Writes netready's own text. If the queue is full, the text is dropped, and this returns false.
    pub fn offer(&'static self, text: &str) -> bool {
        self.add(text.as_bytes(), MOST)
    }

    /// Writes these bytes even if the queue is full. Wait for [`Outlet::room`] first, unless they are few.
    pub fn relay(&'static self, bytes: &[u8]) {
        self.add(bytes, usize::MAX);
    }

    /// Queues these bytes, unless more than `most` bytes would then be queued. Returns whether it did.
    fn add(&'static self, bytes: &[u8], most: usize) -> bool {
        if !self.start() {
            // The thread cannot be started. Write here instead, which may block.
            self.put(bytes);
            return true;
        }
        self.worker.change(|queue| {
            let fits = queue.bytes.len().saturating_add(bytes.len()) <= most;
            if fits {
                queue.tell_of_dropped();
                queue.bytes.extend(bytes);
            }
            fits
        })
    }

    /// Draws the live line, in place of the one before; `None` erases it.
    pub fn live(&'static self, line: Option<String>) {
        // Without the thread there is no live line, because it would be mixed with everything else that is written.
        if self.worker.look(|queue| queue.live != line) && self.start() {
            self.worker.change(|queue| queue.live = line);
        }
    }

    /// Whether there is a live line, or one is still to be erased.
    pub fn has_live(&self) -> bool {
        self.worker.look(|queue| queue.live.is_some() || queue.drawn.is_some())
    }

    /// Forgets the live line without erasing it.
    pub fn forget_live(&self) {
        self.worker.change(|queue| (queue.live, queue.drawn) = (None, None));
    }

    /// Notes whether netready has lent the terminal to its command.
    pub fn lend(&self, lent: bool) {
        self.lent.store(lent, Ordering::Relaxed);
    }

    /// Waits until another program's output can be queued.
    pub async fn room(&self) {
        while self.worker.look(|queue| queue.bytes.len() >= ROOM) {
            self.less.notified().await;
        }
    }

    /// Erases the live line and waits until everything is written. Returns false if it gave up: after `longest`, or
    /// because nothing was read for `patience`.
    pub fn finish(&self, patience: Duration, longest: Duration) -> bool {
        self.worker.change(|queue| {
            queue.tell_of_dropped();
            queue.live = None;
        });
        self.worker.finish(patience, longest)
    }

    /// Takes the first error since the last call. What was written then is lost.
    pub fn take_error(&self) -> Option<io::Error> {
        self.worker.change(|queue| queue.error.take()).map(io::Error::from)
    }

    fn start(&'static self) -> bool {
        let name = match self.stream {
            Stream::Stderr => "stderr",
            Stream::Stdout => "stdout",
            #[cfg(test)]
            Stream::Pipe(_) => "pipe",
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(64 * 1024);
        let mut stoppable = false;
        Worker::start(&self.worker, thread, move |chunk: Vec<u8>| {
            if stoppable == self.lent.load(Ordering::Relaxed) {
                stoppable = !stoppable;
                let output = SigSet::from(Signal::SIGTTOU);
                // An error cannot happen: the set is valid.
                let _ = if stoppable { output.thread_unblock() } else { output.thread_block() };
            }
            self.put(&chunk);
            if self.worker.look(|queue| queue.bytes.len() < ROOM) {
                self.less.notify_one();
            }
        })
    }

    /// Writes all bytes, however long that takes. Bytes that the kernel refuses (a closed pipe, a full disk) are
    /// lost.
    fn put(&self, mut bytes: &[u8]) {
        let (stderr, stdout) = (io::stderr(), io::stdout());
        let descriptor = match &self.stream {
            Stream::Stderr => stderr.as_fd(),
            Stream::Stdout => stdout.as_fd(),
            #[cfg(test)]
            Stream::Pipe(pipe) => pipe.as_fd(),
        };
        while !bytes.is_empty() {
            match nix::unistd::write(descriptor, bytes) {
                Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                // Another process has set O_NONBLOCK.
                Err(Errno::EAGAIN) => {
                    let mut ready = [PollFd::new(descriptor, PollFlags::POLLOUT)];
                    // The result does not matter: the next write reports an error.
                    let _ = poll(&mut ready, PollTimeout::NONE);
                }
                Err(error) => {
                    self.worker.change(|queue| *queue.error.get_or_insert(error));
                    return;
                }
            }
        }
    }
}

/// A job is at most [`CHUNK`] bytes, so that it is done soon if anybody reads.
impl Backlog for Queue {
    type Job = Vec<u8>;

    /// Nothing is left to be written or drawn.
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.live == self.drawn
    }

    /// Takes the first bytes. If there are none, draws the live line.
    fn take(&mut self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let mut chunk = Vec::new();
        if self.bytes.is_empty() {
            if self.live.is_some() && self.drawn.is_none() && !self.row_ended {
                chunk.push(b'\n');
                self.row_ended = true;
            }
            chunk.extend(ERASE);
            chunk.extend(self.live.iter().flat_map(|line| line.as_bytes()));
            self.drawn.clone_from(&self.live);
            return Some(chunk);
        }
        if self.drawn.take().is_some() {
            chunk.extend(ERASE);
        }
        let length = self.bytes.len().min(CHUNK);
        chunk.extend(self.bytes.drain(..length));
        self.row_ended = chunk.last() == Some(&b'\n');
        Some(chunk)
    }
}

impl Queue {
    fn tell_of_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let line = format!("netready: {dropped} lines are missing here: nobody read them in time\n");
            self.bytes.extend(line.as_bytes());
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
    use crate::clock;

    const SHORT: Duration = Duration::from_millis(100);
    /// How long a test waits for what must come.
    const SOON: Duration = Duration::from_secs(60);

    /// An outlet that writes into a pipe, and the other end of the pipe.
    fn outlet(flags: OFlag) -> (&'static Outlet, File) {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_WRONLY | flags)).unwrap();
        (Box::leak(Box::new(Outlet::new(Stream::Pipe(writer)))), reader.into())
    }

    fn read(mut from: &File, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn lines_arrive_in_order() {
        for flags in [OFlag::empty(), OFlag::O_NONBLOCK] {
            let (outlet, reader) = outlet(flags);
            let said: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
            for part in said.chunks(777) {
                outlet.relay(part);
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
        outlet.relay(&vec![b'.'; length]);
        let deadline = clock::now() + SOON;
        while outlet.worker.look(|queue| queue.bytes.len()) > CHUNK {
            assert!(clock::now() < deadline, "the pipe does not become full");
            std::thread::yield_now();
        }
        length
    }

    #[test]
    fn writing_never_waits_for_the_reader_and_dropped_lines_are_counted() {
        let (outlet, reader) = outlet(OFlag::empty());
        let line = "x".repeat(1000);
        let filled = fill(outlet, &reader);
        // Far more than fits in the queue.
        for _ in 0..1000 {
            outlet.say(&line);
        }
        let held = outlet.worker.look(|queue| queue.bytes.len());
        assert!(held <= MOST, "{held}");
        let dropped = outlet.worker.look(|queue| queue.dropped);
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
        outlet.say("nobody hears this");
        assert!(outlet.finish(SOON, SOON));
        outlet.relay(&[0; 2 * MOST]);
        assert!(outlet.finish(SOON, SOON));
        let error = outlet.take_error().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::BrokenPipe));
        assert!(outlet.take_error().is_none());
    }

    /// What a terminal of 40 columns shows after these bytes.
    fn screen(bytes: &[u8]) -> String {
        let mut terminal = vt100::Parser::new(10.try_into().unwrap(), 40.try_into().unwrap(), 0);
        // A terminal turns a line feed into carriage return and line feed (ONLCR).
        terminal.process(String::from_utf8_lossy(bytes).replace('\n', "\r\n").as_bytes());
        terminal.screen().contents()
    }

    /// Everything that was written until now.
    fn written(outlet: &'static Outlet, reader: &File) -> Vec<u8> {
        let deadline = clock::now() + SOON;
        while !outlet.worker.is_idle() {
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
        outlet.say("warning\n");
        shows("warning\nwaiting 2s");
        // A row that another program has not ended is kept.
        outlet.relay(b"half a row");
        shows("warning\nhalf a row\nwaiting 2s");
        outlet.live(None);
        shows("warning\nhalf a row");
        outlet.live(Some("waiting 3s".to_owned()));
        shows("warning\nhalf a row\nwaiting 3s");
        assert!(outlet.finish(SOON, SOON));
        shows("warning\nhalf a row");
        outlet.say("Ready\n");
        shows("warning\nhalf a row\nReady");
    }

    /// A terminal that was stopped (^S) shows only the last live line when it continues.
    #[test]
    fn live_lines_do_not_wait_in_the_queue() {
        let (outlet, reader) = outlet(OFlag::empty());
        outlet.relay(&[b'.'; 2 * ROOM]);
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
        outlet.relay(&[0; 4 * ROOM]);
        assert!(!outlet.finish(SHORT, SOON));
        let mut full: std::pin::Pin<&mut dyn Future<Output = ()>> = std::pin::pin!(outlet.room());
        assert!(!ready(&mut full));
        let reading = std::thread::spawn(move || read(&reader, 4 * ROOM));
        runtime.block_on(full);
        reading.join().unwrap();
    }
}
