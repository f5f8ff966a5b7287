//! The service manager's notification protocol (sd_notify(3)).
//!
//! The crate sd-notify formats the messages. Its own sending would block while the service manager does not read, so
//! this module sends them. A message for which the socket has no room is kept until there is room, and a message for
//! which the kernel has no memory is sent again later. See [`Notifier::poll_unsent`].

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use sd_notify::NotifyState;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::{debug, warn};

use crate::clock;
use crate::descriptor::{self, Descriptor};
use crate::escape::{escape, escape_bytes};
use crate::moment::Moment;
use crate::requirement::Gate;

/// The connection to the service manager, if there is one.
#[derive(Debug)]
pub struct Notifier {
    channel: Option<Channel>,
    /// Whether an error was already reported.
    failed: bool,
}

/// The error of a socket in NOTIFY_SOCKET to which messages cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell the service manager: NOTIFY_SOCKET={socket}")]
pub struct NotifyError {
    socket: String,
    #[source]
    source: io::Error,
}

impl Notifier {
    /// A notifier for the service manager in NOTIFY_SOCKET. It sends nothing if the variable is not set.
    pub fn from_env() -> Notifier {
        Notifier::to(std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()))
    }

    /// A notifier that sends nothing.
    pub fn silent() -> Notifier {
        Notifier::to(None)
    }

    fn to(socket: Option<OsString>) -> Notifier {
        Notifier { channel: socket.map(Channel::new), failed: false }
    }

    /// Sends STATUS=, which `systemctl status` shows.
    pub fn status(&mut self, status: &str) {
        self.tell(Kind::Status, &[NotifyState::Status(&one_line(status))]);
    }

    /// Sends READY=1 alone. The status is sent after it, because making its text takes time.
    ///
    /// # Errors
    /// Fails if READY=1 cannot arrive, so that the unit will not become active. A socket without room is not an
    /// error.
    pub fn ready(&mut self) -> Result<(), NotifyError> {
        self.try_tell(Kind::Ready, &[NotifyState::Ready])
    }

    /// Sends EXTEND_TIMEOUT_USEC= once, so that TimeoutStartSec= never ends the service before the gate's own
    /// timeout.
    ///
    /// # Errors
    /// Fails if nobody listens at the socket.
    pub fn extend(&mut self, gate: &Gate) -> Result<(), NotifyError> {
        self.try_tell(Kind::Extend, &[NotifyState::Custom(&extend(longest(gate)))])
    }

    /// Sends EXTEND_TIMEOUT_USEC= with `bound` from now on, plus a few seconds. `None` means without limit.
    pub fn extend_by(&mut self, bound: Option<Duration>) {
        let micros = bound.map_or(FOR_EVER, |bound| micros(bound.saturating_add(A_LITTLE)));
        self.tell(Kind::Extend, &[NotifyState::Custom(&extend(micros))]);
    }

    /// Sends WATCHDOG=1, which tells the service manager that netready is alive.
    pub fn watchdog(&mut self) {
        self.tell(Kind::Watchdog, &[NotifyState::Watchdog]);
    }

    /// Sends RELOADING=1 and then READY=1, which ends the reload. This READY=1 says nothing about the gate.
    pub fn reloaded(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(Kind::Reloading, &[NotifyState::Reloading, now]),
            Err(error) => warn!("cannot tell the service manager about the reload: {error}"),
        }
        self.tell(Kind::Ready, &[NotifyState::Ready]);
    }

    /// Sends STOPPING=1, which tells the service manager that netready is ending.
    pub fn stopping(&mut self) {
        self.tell(Kind::Stopping, &[NotifyState::Stopping]);
    }

    /// Sends FDSTORE=1: asks the service manager to keep a file for the next process of the unit, in place of the
    /// file that it kept under this name. Returns whether the request was sent. It is not sent while another message
    /// waits, or if the socket has no room.
    pub fn keep(&mut self, name: &str, file: BorrowedFd<'_>) -> bool {
        let Some(channel) = &mut self.channel else { return false };
        let sent = channel.send_file(name, file);
        if let Err(error) = &sent {
            debug!("the service manager does not keep {name}: {error}");
        }
        sent.is_ok()
    }

    /// Ready when a message that had to wait has been sent. Pending while no message waits.
    ///
    /// # Errors
    /// Fails if READY=1 was waiting and can no longer arrive.
    pub fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<Result<(), NotifyError>> {
        let Some(channel) = &mut self.channel else { return Poll::Pending };
        let matters = channel.unsent.iter().any(|(kind, _)| *kind == Kind::Ready);
        match channel.poll_unsent(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(source)) => {
                let error = channel.error(source);
                channel.rest();
                if matters {
                    return Poll::Ready(Err(error));
                }
                self.complain(&error);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// When a message is sent again for which the kernel had no memory. Call [`Notifier::poll_unsent`] then.
    pub fn deadline(&self) -> Option<Moment> {
        self.channel.as_ref().and_then(|channel| channel.again)
    }

    /// Sends a message on which nothing depends. An error is reported once.
    fn tell(&mut self, kind: Kind, message: &[NotifyState<'_>]) {
        if let Err(error) = self.try_tell(kind, message) {
            self.complain(&error);
        }
    }

    fn complain(&mut self, error: &NotifyError) {
        if !std::mem::replace(&mut self.failed, true) {
            warn!("{error}: {}", error.source);
        }
    }

    fn try_tell(&mut self, kind: Kind, message: &[NotifyState<'_>]) -> Result<(), NotifyError> {
        let Some(channel) = &mut self.channel else { return Ok(()) };
        channel.send(kind, message).map_err(|source| channel.error(source))
    }
}

/// The kinds of messages. At most one message of each kind waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Extend,
    Ready,
    Status,
    Watchdog,
    Reloading,
    Stopping,
}

/// The socket of the service manager.
#[derive(Debug)]
struct Channel {
    name: OsString,
    /// An unconnected socket, so that each message is sent to the name anew: another socket may have the name by
    /// then.
    loose: Option<UnixDatagram>,
    /// A connected socket, while a message waits: poll(2) reports room only on a connected socket.
    socket: Option<UnixDatagram>,
    /// The messages that wait to be sent, in their order.
    unsent: VecDeque<(Kind, String)>,
    /// Reports when there is room. It exists only while a message waits.
    room: Option<AsyncFd<Descriptor<UnixDatagram>>>,
    /// When to try again, because the kernel had no memory for a waiting message.
    again: Option<Moment>,
}

impl Channel {
    fn new(name: OsString) -> Channel {
        Channel { name, loose: None, socket: None, unsent: VecDeque::new(), room: None, again: None }
    }

    fn error(&self, source: io::Error) -> NotifyError {
        NotifyError { socket: escape_bytes(self.name.as_bytes()).into_owned(), source }
    }

    /// Sends a message, or keeps it until there is room. It replaces a waiting message of the same kind.
    fn send(&mut self, kind: Kind, message: &[NotifyState<'_>]) -> io::Result<()> {
        let lines: String = message.iter().map(|state| format!("{state}\n")).collect();
        if self.unsent.is_empty() {
            match self.send_at_once(lines.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.socket = None,
                Err(error) if lacks_memory(&error) => self.again = Some(clock::now() + AGAIN),
                done => return done,
            }
        }
        self.unsent.retain(|(known, _)| *known != kind);
        self.unsent.push_back((kind, lines));
        if self.again.is_some() {
            return Ok(());
        }
        let sent = self.send_unsent();
        if sent.is_err() {
            self.unsent.retain(|(known, _)| *known != kind);
        }
        sent
    }

    fn send_at_once(&mut self, message: &[u8]) -> io::Result<()> {
        let address = address(&self.name)?;
        let socket = match self.loose.take() {
            Some(socket) => socket,
            None => unconnected()?,
        };
        let socket = self.loose.insert(socket);
        loop {
            match socket.send_to_addr(message, &address) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => return sent.map(drop),
            }
        }
    }

    fn send_file(&self, name: &str, file: BorrowedFd<'_>) -> io::Result<()> {
        if !self.unsent.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let socket = connected(&self.name)?;
        // The service manager keeps as many files as FileDescriptorStoreMax= allows: one. So remove the old one
        // first.
        socket.send(format!("FDSTOREREMOVE=1\nFDNAME={name}\n").as_bytes())?;
        let message = format!("FDSTORE=1\nFDNAME={name}\n");
        let files = [file.as_raw_fd()];
        let control = [ControlMessage::ScmRights(&files)];
        let iov = [IoSlice::new(message.as_bytes())];
        sendmsg::<()>(socket.as_raw_fd(), &iov, &control, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// Sends waiting messages while there is room.
    fn send_unsent(&mut self) -> io::Result<()> {
        while let Some((_, message)) = self.unsent.front() {
            let message = message.as_bytes();
            let sent = match &self.socket {
                Some(socket) => socket.send(message),
                None => Err(ErrorKind::NotConnected.into()),
            };
            // The service manager may have opened its socket anew.
            let sent = match sent {
                Err(error) if is_gone(&error) => {
                    self.room = None;
                    self.socket.insert(connected(&self.name)?).send(message)
                }
                sent => sent,
            };
            match sent {
                Ok(_) => {
                    self.unsent.pop_front();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if lacks_memory(&error) => {
                    self.again = Some(clock::now() + AGAIN);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.rest();
        Ok(())
    }

    /// Nothing waits to be sent any more.
    fn rest(&mut self) {
        self.unsent.clear();
        (self.room, self.socket) = (None, None);
    }

    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.unsent.len();
        while !self.unsent.is_empty() {
            if let Some(again) = self.again {
                if again > clock::now() {
                    return Poll::Pending;
                }
                self.again = None;
                self.send_unsent()?;
                if self.unsent.len() < before {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            if self.room.is_none() {
                self.room = self.socket.as_ref().map(watched).transpose()?;
            }
            let Some(room) = &self.room else { return Poll::Pending };
            match room.poll_write_ready(context)? {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(mut ready) => ready.clear_ready(),
            }
            // Try after clearing the readiness, so that room that appears now is not missed.
            self.send_unsent()?;
            if self.unsent.len() < before {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }
}

/// How long to wait for memory. At half of it, a host without memory would be asked too often. At double, READY=1
/// would be late.
const AGAIN: Duration = Duration::from_millis(250);

/// Whether the kernel had no memory for a message: ENOBUFS or ENOMEM, for example in a cgroup at its limit.
fn lacks_memory(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

fn is_gone(error: &io::Error) -> bool {
    let kinds = [ErrorKind::NotConnected, ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset];
    kinds.contains(&error.kind())
}

fn watched(socket: &UnixDatagram) -> io::Result<AsyncFd<Descriptor<UnixDatagram>>> {
    descriptor::watch(socket.try_clone()?, Interest::WRITABLE)
}

fn unconnected() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn connected(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = unconnected()?;
    socket.connect_addr(&address(name)?)?;
    Ok(socket)
}

/// Parses NOTIFY_SOCKET: a path, or @ and the name of an abstract socket (unix(7)).
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name),
        [b'@', name @ ..] if !name.is_empty() => SocketAddr::from_abstract_name(name),
        _ => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "only a path, or @NAME for an abstract socket, is supported",
        )),
    }
}

/// A status as one line of limited length. It must not have a line break, because a text of others could continue
/// with READY=1.
fn one_line(status: &str) -> String {
    /// The most bytes of a status. systemd drops a datagram of more than 4096 bytes completely.
    const LONGEST: usize = 3000;
    let mut line = escape(status).into_owned();
    if line.len() > LONGEST {
        let whole = line.char_indices().map(|(index, _)| index).take_while(|index| *index <= LONGEST);
        line.truncate(whole.last().unwrap_or_default());
        line.push('…');
    }
    line
}

/// sd-notify's own function has a 32-bit number, which is at most 71 minutes.
fn extend(micros: u64) -> String {
    format!("EXTEND_TIMEOUT_USEC={micros}")
}

/// How often WATCHDOG=1 is sent: at half the interval that the manager sets (sd_watchdog_enabled(3)). `None` without
/// a watchdog.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().and_then(feeding)
}

fn feeding(interval: Duration) -> Option<Duration> {
    /// The shortest interval between two messages. WatchdogSec= is some seconds in practice, and no message would
    /// arrive in time for a much shorter one. At half of this value, the messages would cost 20 wake-ups a second. At
    /// double, WatchdogSec=200ms would be missed.
    const SHORTEST: Duration = Duration::from_millis(100);
    // Zero is not an interval. The maximum is systemd's "infinity".
    let none = [Duration::ZERO, Duration::from_micros(u64::MAX)];
    (!none.contains(&interval)).then(|| (interval / 2).max(SHORTEST))
}

/// systemd refuses UINT64_MAX, its "infinity", in this message. This is the next lower value.
const FOR_EVER: u64 = u64::MAX - 1;
const A_LITTLE: Duration = Duration::from_secs(5);

/// The longest time that a gate can take to open or give up, plus a few seconds; in microseconds.
fn longest(gate: &Gate) -> u64 {
    let Some(timeout) = gate.timeout else { return FOR_EVER };
    let graces = gate.clauses.iter().filter_map(|clause| clause.grace);
    micros(graces.chain([gate.settle, A_LITTLE]).fold(timeout, |sum, duration| sum.saturating_add(duration)))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(FOR_EVER).min(FOR_EVER)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::future::poll_fn;
    use std::io::{IoSliceMut, Write};
    use std::os::fd::{AsFd, FromRawFd, RawFd};
    use std::os::unix::fs::FileExt;

    use nix::sys::socket::{ControlMessageOwned, recvmsg};

    use super::*;

    /// A service manager that reads only when the test asks it to.
    struct Manager {
        socket: UnixDatagram,
        notifier: Notifier,
    }

    impl Manager {
        fn new(name: &str) -> Manager {
            let name = format!("@netready-test-{}-{name}", std::process::id());
            let socket = UnixDatagram::bind_addr(&address(OsStr::new(&name)).unwrap()).unwrap();
            socket.set_nonblocking(true).unwrap();
            Manager { socket, notifier: Notifier::to(Some(name.into())) }
        }

        fn receive(&self) -> Option<String> {
            let mut octets = [0; 8192];
            let length = self.socket.recv(&mut octets).ok()?;
            Some(String::from_utf8(octets[..length].to_vec()).unwrap())
        }

        fn receive_all(&self) -> Vec<String> {
            std::iter::from_fn(|| self.receive()).collect()
        }

        /// Sends messages until there is no room left.
        fn fill(&mut self) {
            while self.notifier.channel.as_ref().unwrap().unsent.is_empty() {
                self.notifier.watchdog();
            }
        }

        fn unsent(&self) -> Vec<Kind> {
            self.notifier.channel.as_ref().unwrap().unsent.iter().map(|(kind, _)| *kind).collect()
        }
    }

    #[test]
    fn waiting_messages_are_sent_in_order_and_only_the_latest_of_each_kind() {
        let mut manager = Manager::new("full");
        manager.fill();
        let notifier = &mut manager.notifier;
        notifier.status("one");
        notifier.extend_by(None);
        notifier.ready().unwrap();
        notifier.status("three");
        for number in 0..1000 {
            notifier.status(&format!("four {number}"));
            notifier.watchdog();
        }
        assert_eq!(manager.unsent(), [Kind::Extend, Kind::Ready, Kind::Status, Kind::Watchdog]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let received = runtime.block_on(async {
            let Manager { socket, notifier } = &mut manager;
            let unsent = poll_fn(|context| Poll::Ready(notifier.poll_unsent(context).is_pending())).await;
            assert!(unsent, "there is no room");
            let mut octets = [0; 8192];
            let mut received = Vec::new();
            // A service manager that hung reads again, and netready sends whenever there is room.
            while !notifier.channel.as_ref().unwrap().unsent.is_empty() {
                while let Ok(length) = socket.recv(&mut octets) {
                    received.push(String::from_utf8(octets[..length].to_vec()).unwrap());
                }
                poll_fn(|context| notifier.poll_unsent(context)).await.unwrap();
            }
            received
        });
        let mut received = received;
        received.extend(manager.receive_all());
        let tail: Vec<&str> =
            received.iter().map(String::as_str).filter(|said| *said != "WATCHDOG=1\n").collect();
        let forever = format!("EXTEND_TIMEOUT_USEC={FOR_EVER}\n");
        assert_eq!(tail, [forever.as_str(), "READY=1\n", "STATUS=four 999\n"]);
        // No message waits any more, so no descriptor is left of the waiting, and the next message is sent at once.
        let channel = manager.notifier.channel.as_ref().unwrap();
        assert!(channel.socket.is_none() && channel.room.is_none());
        manager.notifier.status("five");
        assert_eq!(manager.receive_all(), ["STATUS=five\n"]);
    }

    /// The next message, and the file that came with it.
    fn receive_with_file(socket: &UnixDatagram) -> Option<(String, Option<File>)> {
        let mut octets = [0; 8192];
        let mut control = nix::cmsg_space!([RawFd; 4]);
        let mut iov = [IoSliceMut::new(&mut octets)];
        let message =
            recvmsg::<()>(socket.as_raw_fd(), &mut iov, Some(&mut control), MsgFlags::empty()).ok()?;
        let files = message.cmsgs().unwrap().flat_map(|control| {
            let ControlMessageOwned::ScmRights(files) = control else { return Vec::new() };
            files
        });
        // SAFETY: the kernel made these descriptors for this message, and nothing else knows of them.
        let file = files.map(|number| unsafe { File::from_raw_fd(number) }).last();
        let length = message.bytes;
        Some((String::from_utf8(octets[..length].to_vec()).unwrap(), file))
    }

    #[test]
    fn a_file_replaces_an_earlier_one_and_is_not_sent_if_there_is_no_room() {
        let mut manager = Manager::new("file");
        let mut file = tempfile::tempfile().unwrap();
        manager.notifier.ready().unwrap();
        assert!(manager.notifier.keep("events", file.as_fd()));
        file.write_all(b"later").unwrap();
        let mut received = std::iter::from_fn(|| receive_with_file(&manager.socket));
        let mut next = || received.next().unwrap();
        assert_eq!(next().0, "READY=1\n");
        assert_eq!(next().0, "FDSTOREREMOVE=1\nFDNAME=events\n");
        let (message, kept) = next();
        assert_eq!(message, "FDSTORE=1\nFDNAME=events\n");
        let mut octets = [0; 8];
        assert_eq!(kept.unwrap().read_at(&mut octets, 0).unwrap(), 5, "it is the same file");
        // READY=1 waits because there is no room, so the file is not sent.
        manager.fill();
        manager.notifier.ready().unwrap();
        assert!(!manager.notifier.keep("events", file.as_fd()));
        assert!(!manager.receive_all().iter().any(|said| said.contains("FDSTORE")));
        assert!(!Notifier::silent().keep("events", file.as_fd()), "nobody keeps it");
    }

    #[test]
    fn a_reload_that_waits_stays_a_reload() {
        let mut manager = Manager::new("reload");
        manager.fill();
        manager.notifier.ready().unwrap();
        manager.notifier.reloaded();
        manager.notifier.reloaded();
        assert_eq!(manager.unsent(), [Kind::Watchdog, Kind::Reloading, Kind::Ready]);
        manager.notifier.stopping();
        assert_eq!(manager.unsent().last(), Some(&Kind::Stopping));
    }

    /// Waits until nobody has the socket. A program that another test is starting right now shares it until it executes
    /// its program.
    fn wait_until_gone(name: &OsStr) {
        let address = address(name).unwrap();
        while UnixDatagram::unbound().unwrap().connect_addr(&address).is_ok() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_other_end_may_be_opened_anew_or_be_gone() {
        let mut manager = Manager::new("anew");
        manager.notifier.status("one");
        assert_eq!(manager.receive_all(), ["STATUS=one\n"]);
        let name = manager.notifier.channel.as_ref().unwrap().name.clone();
        manager.socket = UnixDatagram::unbound().unwrap();
        wait_until_gone(&name);
        assert!(manager.notifier.ready().is_err());
        manager.socket = UnixDatagram::bind_addr(&address(&name).unwrap()).unwrap();
        manager.socket.set_nonblocking(true).unwrap();
        manager.notifier.ready().unwrap();
        assert_eq!(manager.receive_all(), ["READY=1\n"]);
        // The socket disappears while a message waits.
        manager.fill();
        manager.notifier.ready().unwrap();
        manager.socket = UnixDatagram::unbound().unwrap();
        wait_until_gone(&name);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let unsent = runtime.block_on(poll_fn(|context| manager.notifier.poll_unsent(context)));
        assert!(unsent.is_err(), "READY=1 did not arrive");
        assert!(manager.unsent().is_empty());
    }

    #[test]
    fn sockets_are_paths_or_abstract() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut notifier = Notifier::to(Some(path.into()));
        notifier.status("by path");
        let mut octets = [0; 64];
        let length = socket.recv(&mut octets).unwrap();
        assert_eq!(&octets[..length], b"STATUS=by path\n");
        for (name, error) in [
            ("relative", "only a path, or @NAME for an abstract socket, is supported"),
            ("@", "only a path, or @NAME for an abstract socket, is supported"),
            ("vsock:2:1234", "only a path, or @NAME for an abstract socket, is supported"),
            ("/nonexistent/s", "No such file or directory (os error 2)"),
            ("@netready-nobody-is-here", "Connection refused (os error 111)"),
        ] {
            let said = Notifier::to(Some(name.into())).ready().unwrap_err();
            assert_eq!(said.source.to_string(), error, "{name}");
        }
        let said = Notifier::to(Some("a\nb\x1b".into())).ready().unwrap_err().to_string();
        assert!(said.ends_with(r"NOTIFY_SOCKET=a\x0ab\x1b"), "{said}");
    }

    #[test]
    fn a_status_is_one_line_and_fits_into_a_datagram() {
        for (status, line) in [
            ("Ready: x", "Ready: x"),
            ("", ""),
            ("Waiting: a\nREADY=1", r"Waiting: a\x0aREADY=1"),
            ("a\r\0b\u{2028}c", r"a\x0d\x00b\u{2028}c"),
        ] {
            assert_eq!(one_line(status), line);
        }
        for status in ["x".repeat(5000), "ü".repeat(5000), "\n".repeat(5000)] {
            let line = one_line(&status);
            assert!(line.len() < 3100 && line.ends_with('…'), "{}", line.len());
        }
    }

    #[test]
    fn watchdog_messages_are_sent_at_half_the_interval_but_not_too_often() {
        for (interval, fed) in [
            (30_000_000, Some(15_000)),
            (200_000, Some(100)),
            (10, Some(100)),
            (1, Some(100)),
            (0, None),
            (u64::MAX, None),
        ] {
            let interval = Duration::from_micros(interval);
            assert_eq!(feeding(interval), fed.map(Duration::from_millis), "{interval:?}");
        }
    }
}
