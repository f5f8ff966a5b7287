//! Fails one system call of a program and of the programs that it starts, through seccomp's user notification
//! (seccomp_unotify(2)).
//!
//! The kernel stops the caller of a chosen system call and asks this process, which lets the call go on, makes it fail
//! with an error, or lets it go on later. This works for programs of every kind, static ones too. One count runs over
//! the program and all its threads and children, so that "once" means once: strace(1) counts for each of them, and
//! would fail the same call of every new child.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::calls::{Descriptor, call};
use crate::short::Shorter;

/// What is done to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not executed, and fails with this errno(3).
    Error(i32),
    /// It is executed after this time.
    Delay(Duration),
    /// It moves fewer octets than it was asked to.
    Short,
}

/// Which calls are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// All are counted, and none fails.
    Count,
    /// The `nth` one of this number, from 0, gets the fault.
    Fail { number: i64, nth: usize, fault: Fault },
}

/// What was seen until the last process ended.
#[derive(Debug, Default)]
pub struct Seen {
    /// Each call of each number, by what it was about. With [`Watch::Fail`] it is not asked what.
    pub calls: BTreeMap<i64, Vec<Descriptor>>,
    /// The fault was reached.
    pub hit: bool,
}

/// The watch over a program.
pub struct Watcher {
    thread: JoinHandle<Seen>,
    /// Each process and thread that made a call.
    callers: Arc<Mutex<BTreeSet<u32>>>,
}

impl Watcher {
    /// What was seen, once no process of the program is left. After this time what is left is killed: the error is its
    /// command lines.
    pub fn end(self, within: Duration) -> (Seen, Result<(), String>) {
        let deadline = Instant::now() + within;
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut left = String::new();
        while !self.thread.is_finished() {
            for caller in self.callers.lock().unwrap().iter() {
                left += &kill_if_filtered(*caller);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let outcome = if left.is_empty() { Ok(()) } else { Err(format!("processes are left:{left}")) };
        (self.thread.join().unwrap(), outcome)
    }
}

/// Kills a process of the program, by a number that it had. Returns its command line. Only such a process has one more
/// filter of system calls than this one, which may have some of a container.
fn kill_if_filtered(caller: u32) -> String {
    let file = |name| std::fs::read_to_string(format!("/proc/{caller}/{name}")).unwrap_or_default();
    if filters(&file("status")) != filters(&std::fs::read_to_string("/proc/self/status").unwrap()) + 1 {
        return String::new();
    }
    let (line, waits_in) = (file("cmdline").replace('\0', " "), file("wchan"));
    let _ = kill(Pid::from_raw(i32::try_from(caller).unwrap()), Signal::SIGKILL);
    format!(" {line}in {waits_in};")
}

/// The number of filters in a text of proc_pid_status(5).
fn filters(status: &str) -> u32 {
    let filters = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"));
    filters.and_then(|filters| filters.trim().parse().ok()).unwrap_or_default()
}

/// Starts a program whose system calls are watched.
pub fn spawn(mut command: Command, watch: Watch) -> io::Result<(Child, Watcher)> {
    // Numbers that the thread below leaves here. It makes no system call for that: it is filtered by then, and nobody
    // answers for it until its listener is known.
    let listener = Arc::new(AtomicI32::new(-1));
    let thread = Arc::new(AtomicI32::new(0));
    let (to, own) = (Arc::clone(&listener), Arc::clone(&thread));
    // A filter is a thread's, and its children's: this thread ends when the child is started.
    let starter = std::thread::spawn(move || {
        own.store(nix::unistd::gettid().as_raw(), Ordering::Release);
        to.store(install(watch)?, Ordering::Release);
        command.spawn()
    });
    let number = loop {
        match listener.load(Ordering::Acquire) {
            -1 if starter.is_finished() => break None,
            -1 => std::hint::spin_loop(),
            number => break Some(number),
        }
    };
    let Some(number) = number else { return Err(starter.join().unwrap().unwrap_err()) };
    // SAFETY: seccomp(2) made the descriptor for the thread above, which left it to this one.
    let listener = unsafe { OwnedFd::from_raw_fd(number) };
    let starter_id = u32::try_from(thread.load(Ordering::Acquire)).unwrap();
    let callers = Arc::new(Mutex::new(BTreeSet::new()));
    let own = Arc::clone(&callers);
    let thread = std::thread::spawn(move || serve(&listener, starter_id, watch, &own));
    Ok((starter.join().unwrap()?, Watcher { thread, callers }))
}

/// Filters this thread, and returns the descriptor that its calls are announced on.
fn install(watch: Watch) -> io::Result<i32> {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let step = |code, jt, k: u32| libc::sock_filter { code, jt, jf: 0, k };
    let to_k = |number: i64| u32::try_from(number).unwrap();
    let notify = step(RETURN, 0, libc::SECCOMP_RET_USER_NOTIF);
    let filter = match watch {
        Watch::Count => vec![notify],
        Watch::Fail { number, .. } => vec![
            step(LOAD, 0, 0),
            step(JUMP_IF_EQUAL, 2, to_k(number)),
            step(JUMP_IF_EQUAL, 1, to_k(libc::SYS_execve)),
            step(RETURN, 0, libc::SECCOMP_RET_ALLOW),
            notify,
        ],
    };
    let program =
        libc::sock_fprog { len: u16::try_from(filter.len()).unwrap(), filter: filter.as_ptr().cast_mut() };
    // Without the second flag (Linux 5.19) a signal would have a delayed call begin anew.
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    // SAFETY: the program and its filter outlive the call, which concerns this thread alone.
    let made =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if made < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(made).unwrap()) }
}

fn serve(listener: &OwnedFd, starter: u32, watch: Watch, callers: &Mutex<BTreeSet<u32>>) -> Seen {
    let mut seen = Seen::default();
    // Before its first execve(2) a child is still the test.
    let mut running = false;
    while let Some(asked) = next(listener) {
        let number = i64::from(asked.data.nr);
        let mut errno = 0;
        if asked.pid != starter && running {
            callers.lock().unwrap().insert(asked.pid);
            let calls = seen.calls.entry(number).or_default();
            let this = calls.len();
            calls.push(match watch {
                Watch::Count => Descriptor::of(asked.pid, &asked.data),
                Watch::Fail { .. } => Descriptor::NONE,
            });
            match watch {
                Watch::Fail { number: aimed, nth, fault } if aimed == number && nth == this => {
                    // Threads take turns as they like: it may be a call about something else than the one that was counted.
                    let about = Descriptor::of(asked.pid, &asked.data);
                    match fault {
                        Fault::Error(error) if call(number).is_some_and(|it| it.can_be(error, about)) => {
                            seen.hit = true;
                            errno = error;
                            if number == libc::SYS_close {
                                close(listener, &asked);
                            }
                        }
                        Fault::Error(_) => {}
                        Fault::Delay(time) => {
                            seen.hit = true;
                            std::thread::sleep(time);
                        }
                        Fault::Short if call(number).is_some_and(|it| it.can_be_short(about)) => {
                            if let Some(shorter) = Shorter::of(&asked) {
                                seen.hit = true;
                                let listener = listener.try_clone().unwrap();
                                // A call that waits must not keep the others waiting.
                                std::thread::spawn(move || shorter.execute(&listener, asked.id));
                                continue;
                            }
                        }
                        Fault::Short => {}
                    }
                }
                Watch::Fail { .. } | Watch::Count => {}
            }
        } else if asked.pid != starter && number == libc::SYS_execve {
            running = true;
        }
        answer(listener, asked.id, if errno == 0 { Answer::GoOn } else { Answer::Error(errno) });
    }
    seen
}

/// The next call. `None` once no filtered process is left.
fn next(listener: &OwnedFd) -> Option<libc::seccomp_notif> {
    loop {
        let mut ready = [PollFd::new(std::os::fd::AsFd::as_fd(listener), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::NONE).is_err() {
            continue;
        }
        if !ready[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN)) {
            return None;
        }
        // SAFETY: the kernel wants zeros there, and writes a notification.
        let (got, asked) = unsafe {
            let mut asked: libc::seccomp_notif = std::mem::zeroed();
            (libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked), asked)
        };
        // Otherwise the caller was killed meanwhile.
        if got == 0 {
            return Some(asked);
        }
    }
}

/// Linux closes a descriptor even if close(2) fails, so another file takes its place.
fn close(listener: &OwnedFd, asked: &libc::seccomp_notif) {
    let null = std::fs::File::open("/dev/null").unwrap();
    let mut add = libc::seccomp_notif_addfd {
        id: asked.id,
        flags: libc::SECCOMP_ADDFD_FLAG_SETFD as u32,
        srcfd: null.as_raw_fd() as u32,
        newfd: asked.data.args[0] as u32,
        newfd_flags: libc::O_CLOEXEC as u32,
    };
    // SAFETY: the kernel reads the request. If the caller was killed meanwhile it refuses, which is no loss.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut add) };
}

/// What the caller gets for its call.
pub enum Answer {
    /// What the kernel makes of it.
    GoOn,
    /// The kernel does not execute it. This is its result.
    Value(i64),
    /// The kernel does not execute it. This is its errno(3).
    Error(i32),
}

/// Answers a call. Whether its caller still waits for that.
pub fn answer(listener: &OwnedFd, id: u64, answer: Answer) -> bool {
    let (val, error, flags) = match answer {
        Answer::GoOn => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Value(value) => (value, 0, 0),
        Answer::Error(errno) => (0, -errno, 0),
    };
    let mut answer = libc::seccomp_notif_resp { id, val, error, flags };
    // SAFETY: the kernel reads the answer. If the caller was killed meanwhile it refuses the answer, which is no loss.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) == 0 }
}

/// Whether the caller of a call still waits for its answer.
pub fn waits(listener: &OwnedFd, id: u64) -> bool {
    // SAFETY: the kernel reads the number.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0 }
}
