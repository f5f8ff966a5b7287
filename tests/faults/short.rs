//! Short reads and writes: the test moves fewer octets on the caller's behalf, and the caller is told so many.
//!
//! A filter cannot change a call's arguments, so the call is not executed. This process has a copy of the caller's
//! descriptor (pidfd_getfd(2)), which shares its offset, and /proc/PID/mem.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use libc::{SYS_pread64, SYS_pwrite64, SYS_read, SYS_readv, SYS_recvfrom, SYS_sendto, SYS_write, SYS_writev};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::campaign::LONGEST;
use crate::interposer::{Answer, Fault, Watch, answer, spawn, waits};

/// A read gets this many octets: no header and no number is whole.
const READ: usize = 1;
/// Only so much of a call's octets is looked at.
const MOST: usize = 1 << 20;

/// A call that is to be shortened.
pub struct Shorter {
    call: libc::seccomp_data,
    descriptor: OwnedFd,
    memory: File,
    /// Where its octets are, or are to be.
    parts: Vec<(u64, usize)>,
}

impl Shorter {
    /// `None` where fewer octets are not fewer: the call is about one octet, or about none. Also where the caller is gone.
    pub fn of(asked: &libc::seccomp_notif) -> Option<Shorter> {
        let call = asked.data;
        let memory = File::options().read(true).write(true).open(format!("/proc/{}/mem", asked.pid)).ok()?;
        let vectors = [SYS_readv, SYS_writev].contains(&i64::from(call.nr));
        let parts = if vectors {
            vector(&memory, call.args[1], call.args[2])?
        } else {
            vec![(call.args[1], usize::try_from(call.args[2]).ok()?)]
        };
        let total: usize = parts.iter().map(|(_, length)| *length).sum();
        if !(2..=MOST).contains(&total) {
            return None;
        }
        let number = i32::try_from(call.args[0]).ok()?;
        Some(Shorter { call, descriptor: copy(asked.pid, number)?, memory, parts })
    }

    /// Executes the call as soon as it need not wait, and answers.
    pub fn execute(&self, listener: &OwnedFd, id: u64) {
        let reads = [SYS_read, SYS_readv, SYS_pread64, SYS_recvfrom].contains(&i64::from(self.call.nr));
        let wanted = if reads { PollFlags::POLLIN } else { PollFlags::POLLOUT };
        // Not for ever: a caller that was killed has closed its descriptors, and this copy must not outlive them.
        while !self.never_waits() {
            let mut ready = [PollFd::new(self.descriptor.as_fd(), wanted)];
            if poll(&mut ready, PollTimeout::from(20_u8)).is_ok_and(|ready| ready > 0) {
                break;
            }
            if !waits(listener, id) {
                return;
            }
        }
        let moved = if reads { self.read() } else { self.write() };
        let moved = moved.map_or_else(
            |error| Answer::Error(error.raw_os_error().unwrap_or(libc::EIO)),
            |length| Answer::Value(i64::try_from(length).unwrap()),
        );
        answer(listener, id, moved);
    }

    fn never_waits(&self) -> bool {
        // SAFETY: fcntl(2) of a descriptor that is open.
        let flags = unsafe { libc::fcntl(self.descriptor.as_raw_fd(), libc::F_GETFL) };
        let sockets = [SYS_recvfrom, SYS_sendto].contains(&i64::from(self.call.nr));
        flags & libc::O_NONBLOCK != 0 || (sockets && self.call.args[3] & libc::MSG_DONTWAIT as u64 != 0)
    }

    fn read(&self) -> io::Result<usize> {
        let mut octets = [0; READ];
        let (number, at) = (self.descriptor.as_raw_fd(), octets.as_mut_ptr().cast());
        // SAFETY: the kernel writes at most READ octets.
        let length = unsafe {
            match (i64::from(self.call.nr), self.call.args[3]) {
                (call, at_offset) if call == SYS_pread64 => libc::pread(number, at, READ, at_offset as i64),
                (call, flags) if call == SYS_recvfrom => libc::recv(number, at, READ, flags as i32),
                _ => libc::read(number, at, READ),
            }
        };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        let first = self.parts.iter().find(|(_, length)| *length > 0);
        let (address, _) = first.ok_or_else(|| io::Error::from_raw_os_error(libc::EFAULT))?;
        self.memory.write_all_at(&octets[..length], *address)?;
        Ok(length)
    }

    /// Half of the octets are written.
    fn write(&self) -> io::Result<usize> {
        let mut octets = Vec::new();
        for (address, length) in &self.parts {
            let mut part = vec![0; *length];
            self.memory.read_exact_at(&mut part, *address)?;
            octets.extend(part);
        }
        octets.truncate(octets.len() / 2);
        let (number, at, length) = (self.descriptor.as_raw_fd(), octets.as_ptr().cast(), octets.len());
        // SAFETY: the octets outlive the call. Rust ignores SIGPIPE.
        let written = unsafe {
            match (i64::from(self.call.nr), self.call.args[3]) {
                (call, at_offset) if call == SYS_pwrite64 => {
                    libc::pwrite(number, at, length, at_offset as i64)
                }
                (call, flags) if call == SYS_sendto => libc::send(number, at, length, flags as i32),
                _ => libc::write(number, at, length),
            }
        };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }
}

/// The addresses and lengths of an array of iovec (readv(2)).
fn vector(memory: &File, address: u64, count: u64) -> Option<Vec<(u64, usize)>> {
    let count = usize::try_from(count).ok().filter(|count| *count <= 1024)?;
    let mut octets = vec![0; count * 16];
    memory.read_exact_at(&mut octets, address).ok()?;
    let number = |octets: &[u8]| u64::from_ne_bytes(octets.try_into().unwrap());
    let parts = octets.chunks_exact(16);
    parts.map(|part| Some((number(&part[..8]), usize::try_from(number(&part[8..])).ok()?))).collect()
}

/// A copy of a descriptor of a process, or of its thread.
fn copy(pid: u32, number: i32) -> Option<OwnedFd> {
    // SAFETY: these calls take numbers only, and the descriptors that they make are nobody else's.
    unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, pid, libc::O_EXCL) as i32;
        if process < 0 {
            return None;
        }
        let process = OwnedFd::from_raw_fd(process);
        let copy = libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) as i32;
        (copy >= 0).then(|| OwnedFd::from_raw_fd(copy))
    }
}

/// dd(1) reads a file at once, and says how many octets it got. It writes again what was not written.
#[test]
#[ignore = "needs a network namespace"]
fn a_call_is_shortened_and_no_octet_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::write(&from, "abcdefgh").unwrap();
    let copied = |number: i64, nth: usize| {
        let mut dd = std::process::Command::new("dd");
        dd.args(["bs=8", "count=1", "status=none"]);
        dd.arg(format!("if={}", from.display())).arg(format!("of={}", to.display()));
        let watch = Watch::Fail { number, nth, fault: Fault::Short };
        let (mut child, watcher) = spawn(dd, watch).unwrap();
        assert!(child.wait().unwrap().success());
        (watcher.end(LONGEST).0.hit, std::fs::read_to_string(&to).unwrap())
    };
    // The first reads are the loader's, which reads on. The last is dd's.
    let reads: Vec<_> = (0..32).map(|nth| copied(SYS_read, nth)).take_while(|(hit, _)| *hit).collect();
    assert!(reads.len() > 1, "{reads:?}");
    let (last, others) = reads.split_last().unwrap();
    assert_eq!(last.1, "a");
    assert!(others.iter().all(|(_, text)| text == "abcdefgh"), "{others:?}");
    assert_eq!(copied(SYS_write, 0), (true, "abcdefgh".to_owned()));
}
