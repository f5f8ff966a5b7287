//! Writes entries with fields to the journal (systemd's "Native Journal Protocol").
//!
//! netready has its own sender, because it runs in the gate's event loop and must never wait. The crates
//! systemd-journal-logger 2.2, libsystemd 0.7 and tracing-journald 0.3 all send on a blocking socket: while the
//! journal hangs, its queue is full, and READY=1 would wait for it. They also fix the path of the socket, so that no
//! test can take the place of the journal.
//!
//! No entry is lost without a trace. If the socket refuses an entry or has no room, the entry's text is written to
//! stderr as lines, which the service manager also passes to the journal. If stderr does not go to the journal, an
//! entry is only written as lines.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use tracing::{Level, debug, error, info, warn};

pub use netready_core::journal::{Entry, Kind, Policy, Priority, Seen, Warnings, field};

/// The journal's socket. With `LogNamespace=`, systemd mounts the socket of that namespace here.
const SOCKET: &str = "/run/systemd/journal/socket";

/// The value of SYSLOG_IDENTIFIER, the same as for the lines on stderr.
const IDENTIFIER: &str = "netready";

/// The facility LOG_DAEMON, the same as systemd sets for the lines on stderr of its units.
const DAEMON: &str = "3";

/// A connection to the socket of the systemd journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

/// The journal, if stderr goes to it.
pub fn of_process() -> Option<&'static Journal> {
    static JOURNAL: OnceLock<Option<Journal>> = OnceLock::new();
    let of_process = || crate::log::to_journal().then(|| Journal::at(Path::new(SOCKET)).ok()).flatten();
    JOURNAL.get_or_init(of_process).as_ref()
}

/// Writes an entry, if the log level allows it. This never waits. `events` are lines of the
/// [`history`](crate::history), which only the journal gets; the text may be empty.
pub fn write(entry: &Entry, events: &str) {
    if !is_logged(entry.priority) {
        return;
    }
    match of_process() {
        Some(journal) => {
            if journal.send(entry, events).is_err() {
                // The error is not reported: the lines arrive anyway, only without their fields.
                crate::stderr::say(&entry_lines(entry));
            }
        }
        None => entry.lines().for_each(|line| log(entry.priority, &line)),
    }
}

/// Sends an entry to the journal, if stderr goes there. If this returns false, the caller must report the entry
/// itself.
pub fn sent(entry: &Entry) -> bool {
    is_logged(entry.priority) && of_process().is_some_and(|journal| journal.send(entry, "").is_ok())
}

fn is_logged(priority: Priority) -> bool {
    match priority {
        Priority::Error => tracing::enabled!(Level::ERROR),
        Priority::Warning => tracing::enabled!(Level::WARN),
        Priority::Info => tracing::enabled!(Level::INFO),
        Priority::Debug => tracing::enabled!(Level::DEBUG),
    }
}

fn log(priority: Priority, line: &str) {
    match priority {
        Priority::Error => error!("{line}"),
        Priority::Warning => warn!("{line}"),
        Priority::Info => info!("{line}"),
        Priority::Debug => debug!("{line}"),
    }
}

impl Journal {
    /// A connection to the journal that listens at this path.
    ///
    /// # Errors
    /// Fails if socket(2) fails. Whether somebody listens is checked with each entry, because the journal may be
    /// restarted.
    pub fn at(path: &Path) -> io::Result<Journal> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Journal { socket, path: path.to_owned() })
    }

    /// Sends an entry together with events, at once or not at all.
    ///
    /// # Errors
    /// Fails if nobody listens, if there is no room ([`ErrorKind::WouldBlock`]), or if sending is not allowed.
    pub fn send(&self, entry: &Entry, events: &str) -> io::Result<()> {
        self.send_octets(&octets(entry, events))
    }

    fn send_octets(&self, octets: &[u8]) -> io::Result<()> {
        loop {
            match self.socket.send_to(octets, &self.path) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => return self.send_file(octets),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends an entry that is too large for a datagram, as a sealed file in memory, which nobody can change.
    fn send_file(&self, octets: &[u8]) -> io::Result<()> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let mut file = std::fs::File::from(memfd_create(c"netready-journal", flags)?);
        file.write_all(octets)?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
        let files = [file.as_raw_fd()];
        let message = [ControlMessage::ScmRights(&files)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let to = UnixAddr::new(&self.path)?;
        sendmsg(self.socket.as_raw_fd(), &[], &message, flags, Some(&to))?;
        Ok(())
    }
}

/// The bytes of an entry in the native protocol.
fn octets(entry: &Entry, events: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(512 + events.len());
    for (name, value) in entry.fields() {
        push(&mut octets, name, &value);
    }
    let events = events.trim_end();
    if !events.is_empty() {
        push(&mut octets, field::EVENTS, events);
    }
    push_common(&mut octets);
    octets
}

/// The bytes of a log line in the native protocol.
fn line_octets(priority: Priority, line: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(line.len() + 96);
    push(&mut octets, field::MESSAGE, line);
    push(&mut octets, field::PRIORITY, &priority.number().to_string());
    push_common(&mut octets);
    octets
}

fn push_common(octets: &mut Vec<u8>) {
    push(octets, field::IDENTIFIER, IDENTIFIER);
    push(octets, field::FACILITY, DAEMON);
}

/// Appends a field: `NAME=VALUE` and a line break. A value of several lines has its length before it instead of the
/// =.
fn push(octets: &mut Vec<u8>, name: &str, value: &str) {
    octets.extend(name.as_bytes());
    if value.contains('\n') {
        octets.push(b'\n');
        octets.extend((value.len() as u64).to_le_bytes());
    } else {
        octets.push(b'=');
    }
    octets.extend(value.as_bytes());
    octets.push(b'\n');
}

/// The lines of an entry for a stderr that goes to the journal (sd-daemon(3)).
fn entry_lines(entry: &Entry) -> String {
    entry.lines().map(|line| line_on_stderr(entry.priority, &line)).collect()
}

fn line_on_stderr(priority: Priority, line: &str) -> String {
    format!("<{}>{line}\n", priority.number())
}

/// Sends a log line to the journal's own socket, or writes it to stderr if that fails.
pub fn say(priority: Priority, line: &str) {
    match of_process() {
        Some(journal) if journal.send_octets(&line_octets(priority, line)).is_ok() => {}
        Some(_) | None => say_on_stderr(priority, line),
    }
}

/// Writes a log line to a stderr that goes to the journal.
pub fn say_on_stderr(priority: Priority, line: &str) {
    crate::stderr::say(&line_on_stderr(priority, line));
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{ControlMessageOwned, recvmsg};
    use std::collections::BTreeMap;
    use std::io::{IoSliceMut, Read, Seek};
    use std::os::fd::{FromRawFd, OwnedFd};

    use super::*;
    use crate::moment::Moment;

    /// A journal that reads only when the test asks it to.
    struct Other {
        socket: UnixDatagram,
        journal: Journal,
        _folder: tempfile::TempDir,
    }

    impl Other {
        fn new() -> Other {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("socket");
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_nonblocking(true).unwrap();
            Other { socket, journal: Journal::at(&path).unwrap(), _folder: folder }
        }

        /// The bytes of the next entry, and whether it came as a file.
        fn receive(&self) -> Option<(Vec<u8>, bool)> {
            let mut octets = vec![0; 1 << 20];
            let mut space = nix::cmsg_space!([std::os::fd::RawFd; 1]);
            let mut slices = [IoSliceMut::new(&mut octets)];
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
            let received =
                recvmsg::<()>(self.socket.as_raw_fd(), &mut slices, Some(&mut space), flags).ok()?;
            let file = received.cmsgs().unwrap().find_map(|message| {
                let ControlMessageOwned::ScmRights(files) = message else { return None };
                files.first().copied()
            });
            let length = received.bytes;
            let Some(file) = file else {
                octets.truncate(length);
                return Some((octets, false));
            };
            // SAFETY: the kernel has just made this descriptor for this process, and nothing else knows of it.
            let mut file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(file) });
            assert!(file.write(b"x").is_err(), "it is sealed");
            file.rewind().unwrap();
            let mut octets = Vec::new();
            file.read_to_end(&mut octets).unwrap();
            Some((octets, true))
        }
    }

    /// Parses an entry as the journal does.
    fn parse(octets: &[u8]) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        let mut rest = octets;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
            let head = String::from_utf8(rest[..end].to_vec()).unwrap();
            rest = &rest[end + 1..];
            let (name, value) = match head.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => {
                    let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
                    let value = String::from_utf8(rest[8..8 + length].to_vec()).unwrap();
                    assert_eq!(rest[8 + length], b'\n');
                    rest = &rest[9 + length..];
                    (head, value)
                }
            };
            assert_eq!(fields.insert(name, value), None);
        }
        fields
    }

    fn entry(message: &str) -> Entry {
        Entry {
            kind: Kind::Lost,
            priority: Priority::Warning,
            message: message.to_owned(),
            details: vec!["  carrier: e0: no carrier".to_owned()],
            gate: "default".to_owned(),
            code: None,
            link: None,
            at: Moment::default(),
        }
    }

    fn pairs(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_entry_arrives_with_its_fields_and_a_line_with_its_priority() {
        let other = Other::new();
        other.journal.send(&entry("NOT ready"), "").unwrap();
        other.journal.send_octets(&line_octets(Priority::Warning, "a=b")).unwrap();
        let (first, file) = other.receive().unwrap();
        assert!(!file);
        let common = [("SYSLOG_IDENTIFIER", "netready"), ("SYSLOG_FACILITY", "3"), ("PRIORITY", "4")];
        let mut expected = pairs(&common);
        let line = expected.clone();
        expected.extend(pairs(&[
            ("MESSAGE", "NOT ready\n  carrier: e0: no carrier"),
            ("MESSAGE_ID", "ed8be7372f6b415aae923b8e7bfa881b"),
            ("NETREADY_EVENT", "lost"),
            ("NETREADY_GATE", "default"),
            ("NETREADY_USEC", "0"),
        ]));
        assert_eq!(parse(&first), expected);
        let mut expected = line;
        expected.extend(pairs(&[("MESSAGE", "a=b")]));
        assert_eq!(parse(&other.receive().unwrap().0), expected);
    }

    #[test]
    fn an_entry_that_is_too_large_for_a_datagram_arrives_as_a_file() {
        let other = Other::new();
        let events = "x".repeat(400 << 10);
        other.journal.send(&entry("m"), &events).unwrap();
        let (octets, file) = other.receive().unwrap();
        assert!(file);
        assert_eq!(parse(&octets)["NETREADY_EVENTS"].len(), 400 << 10);
    }

    /// This test would never end if the socket could block.
    #[test]
    fn a_journal_without_room_or_without_a_reader_is_an_error_at_once() {
        let other = Other::new();
        let octets = octets(&entry("m"), "{}\n");
        let sent = (0..100_000).take_while(|_| other.journal.send_octets(&octets).is_ok()).count();
        assert!((1..100_000).contains(&sent), "{sent}");
        let full = |length: usize| other.journal.send_octets(&vec![b'x'; length]).unwrap_err().kind();
        assert_eq!(full(10), ErrorKind::WouldBlock);
        // Sending a file fails too.
        assert_eq!(other.journal.send_file(&octets).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(std::iter::from_fn(|| other.receive()).count(), sent);
        other.journal.send_octets(&octets).unwrap();
        // The journal is restarted, at the same path.
        let Other { socket, journal, _folder: folder } = other;
        drop(socket);
        // If another test starts a program just now, that process shares the socket until it executes the program. So
        // entries may still be queued, until there is no room.
        let mut errors = std::iter::repeat_with(|| journal.send_octets(&octets)).filter_map(Result::err);
        let refused = errors.find(|error| error.kind() != ErrorKind::WouldBlock).unwrap();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        std::fs::remove_file(&journal.path).unwrap();
        assert_eq!(journal.send_octets(&octets).unwrap_err().kind(), ErrorKind::NotFound);
        let socket = UnixDatagram::bind(&journal.path).unwrap();
        let other = Other { socket, journal, _folder: folder };
        other.journal.send_octets(&octets).unwrap();
        assert!(other.receive().is_some());
    }

    #[test]
    fn an_entry_goes_to_stderr_line_by_line() {
        let expected = "<4>a\\x1b\n<4>  carrier: e0: no carrier\n";
        assert_eq!(entry_lines(&entry("a\x1b")), expected);
        assert_eq!(line_on_stderr(Priority::Debug, "a"), "<7>a\n");
    }
}
