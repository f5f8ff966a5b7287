//! Netlink sockets of our own, where the crates' would lose data: the subscribed one, and the one for
//! requests. Flags, DONE codes, errors, foreign sequence numbers and the sender's port are all seen.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{SockFilter, SockRef};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::debug;

use crate::netlink::decode::{Frame, frames};
use crate::netlink::filter;

/// The kernel's largest datagram: a dump's is 32 KiB (unless VF information is asked for, which is not
/// done), a notification of a link with many altnames less. One that is larger is seen to be cut.
const DATAGRAM: usize = 64 * 1024;

/// RTNLGRP_* of linux/rtnetlink.h, as the bits of sockaddr_nl.
const GROUPS: u32 = group_bit(1) // RTNLGRP_LINK
    | group_bit(5) // RTNLGRP_IPV4_IFADDR
    | group_bit(7) // RTNLGRP_IPV4_ROUTE
    | group_bit(8) // RTNLGRP_IPV4_RULE
    | group_bit(9) // RTNLGRP_IPV6_IFADDR
    | group_bit(11) // RTNLGRP_IPV6_ROUTE
    | group_bit(19) // RTNLGRP_IPV6_RULE
    | group_bit(24) // RTNLGRP_IPV4_NETCONF
    | group_bit(25); // RTNLGRP_IPV6_NETCONF
/// Above 31: by membership only.
const RTNLGRP_NEXTHOP: u32 = 32;

const fn group_bit(group: u32) -> u32 {
    1 << (group - 1)
}

/// What a receive gave.
#[derive(Debug)]
pub enum Received {
    /// A message of the kernel's is in the buffer.
    Datagram,
    /// Messages were lost: the receive buffer was full, or a datagram was cut.
    Overrun,
    /// The message is not from the kernel, and must be ignored.
    Foreign,
    /// The socket has nothing to read now.
    Empty,
}

/// The socket that is subscribed to the kernel's notifications.
pub struct EventSocket {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

impl EventSocket {
    /// Subscribes. The filter is attached before: else unfiltered messages could slip in.
    ///
    /// # Errors
    /// Where netlink is not to be had: seccomp, another system's kernel.
    pub fn open(filter: &[SockFilter], receive_buffer: usize) -> io::Result<EventSocket> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        grow(&socket, receive_buffer);
        attach(&socket, filter)?;
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        // Absent before Linux 5.3, and so are nexthop objects.
        if let Err(error) = socket.add_membership(RTNLGRP_NEXTHOP) {
            debug!("nexthop objects are not announced: {error}");
        }
        Ok(EventSocket { socket: watched(socket)?, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Exchanges the filter; what was dropped until then must be read anew.
    ///
    /// # Errors
    /// setsockopt(2)'s.
    pub fn set_filter(&self, filter: &[SockFilter]) -> io::Result<()> {
        attach(self.socket.get_ref(), filter)
    }

    /// Waits until something can be received.
    ///
    /// # Errors
    /// epoll(7)'s.
    pub async fn readable(&self) -> io::Result<()> {
        // Cleared before the socket is read dry, so that what comes in between wakes again.
        self.socket.readable().await?.clear_ready();
        Ok(())
    }

    /// Receives the next datagram, without waiting.
    ///
    /// # Errors
    /// recvfrom(2)'s, but ENOBUFS.
    pub fn receive(&mut self) -> io::Result<Received> {
        receive(self.socket.get_ref(), &mut self.buffer)
    }

    #[cfg(test)]
    pub(super) fn descriptor(&self) -> &Socket {
        self.socket.get_ref()
    }

    /// The datagram that was received last.
    pub fn datagram(&self) -> &[u8] {
        &self.buffer
    }
}

/// Where the kernel has no room for a program (net.core.optmem_max), one that passes everything serves:
/// more is then sorted out here.
fn attach(socket: &Socket, program: &[SockFilter]) -> io::Result<()> {
    let socket = borrowed(socket);
    let socket = SockRef::from(&socket);
    match socket.attach_filter(program) {
        Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
            debug!("no room for a filter of {} instructions: all messages are received", program.len());
            socket.attach_filter(&filter::pass_everything())
        }
        done => done,
    }
}

fn watched(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: the socket owns its descriptor, and keeps it as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}

fn borrowed(socket: &Socket) -> BorrowedFd<'_> {
    // SAFETY: the socket owns the descriptor and outlives the borrow.
    unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) }
}

/// As far as is allowed: without CAP_NET_ADMIN up to net.core.rmem_max.
fn grow(socket: &Socket, size: usize) {
    let socket = borrowed(socket);
    if let Err(error) = setsockopt(&socket, sockopt::RcvBufForce, &size) {
        debug!("SO_RCVBUFFORCE refused ({error}), the receive buffer stays within net.core.rmem_max");
        if let Err(error) = setsockopt(&socket, sockopt::RcvBuf, &size) {
            debug!("SO_RCVBUF refused ({error})");
        }
    }
}

fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<Received> {
    buffer.clear();
    match socket.recv_from(buffer, libc::MSG_DONTWAIT | libc::MSG_TRUNC) {
        Ok((_, sender)) if sender.port_number() != 0 => {
            buffer.clear();
            Ok(Received::Foreign)
        }
        // With MSG_TRUNC the true length is returned. The alternative names of one link alone can fill 64 KiB. The next
        // such message finds room.
        Ok((length, _)) if length > buffer.len() => {
            buffer.clear();
            buffer.reserve_exact(length);
            Ok(Received::Overrun)
        }
        Ok(_) => Ok(Received::Datagram),
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN) => Ok(Received::Empty),
            Some(libc::ENOBUFS) => Ok(Received::Overrun),
            Some(libc::EINTR) => receive(socket, buffer),
            Some(_) | None => Err(error),
        },
    }
}

/// The socket for requests. It is subscribed to nothing: on a subscribed socket, a full buffer refuses a
/// dump, and notifications with the same sequence number pass for its end.
pub struct RequestSocket {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
    port: u32,
    sequence: u32,
    /// A dump was left before its end.
    left: bool,
}

/// How a dump failed.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The network changed meanwhile (NLM_F_DUMP_INTR), again and again.
    #[error("the network changes faster than it can be read")]
    Interrupted,
    /// The kernel refused the dump. The text names what was asked for.
    #[error("the kernel refused to list its {0}")]
    Refused(&'static str, #[source] io::Error),
    /// The socket cannot be opened, written or read.
    #[error("netlink socket")]
    Socket(#[from] io::Error),
}

/// How often an interrupted dump is tried. While many changes come, each try may be interrupted; the state is
/// read again anyway when their messages are read.
const TRIES: u32 = 8;

enum Tried {
    Whole,
    Again,
    Failed(io::Error),
}

/// The kernel's answer to a question.
#[derive(Debug)]
pub enum Reply<T> {
    /// A message that could be decoded.
    Message(T),
    /// A refusal, with this errno(3).
    Refused(i32),
    /// A message that cannot be decoded.
    Undecodable,
}

impl RequestSocket {
    /// Opens it, with strict checking of requests, which makes the kernel honour their filters.
    ///
    /// # Errors
    /// Where netlink is not to be had.
    pub fn open() -> io::Result<RequestSocket> {
        let (socket, port) = request_socket()?;
        // The sequence begins anywhere but where others do.
        let sequence = std::process::id().wrapping_mul(0x9e37_79b9);
        Ok(RequestSocket { socket, buffer: Vec::with_capacity(DATAGRAM), port, sequence, left: false })
    }

    /// Asks for a list and reads it message by message. `begin` is called before each try, because an
    /// interrupted try does not count. `see` may break off; the rest of the list is then not read.
    ///
    /// # Errors
    /// See [`DumpError`]; a table that is not there is an empty one.
    pub async fn dump(
        &mut self,
        what: &'static str,
        request: RouteNetlinkMessage,
        sink: &mut dyn DumpSink,
    ) -> Result<(), DumpError> {
        let mut request = octets(NLM_F_REQUEST | NLM_F_DUMP, request);
        for _ in 0..TRIES {
            sink.begin();
            match self.try_dump(&mut request, sink).await? {
                Tried::Whole => return Ok(()),
                Tried::Again => {}
                Tried::Failed(error) => return Err(DumpError::Refused(what, error)),
            }
        }
        Err(DumpError::Interrupted)
    }

    /// Asks a question that one message answers, and reads the answer. The kernel answers while the question is sent,
    /// so nothing is waited for; a question that needs the RTNL lock waits for it inside sendto(2).
    ///
    /// # Errors
    /// sendto(2)'s and recvfrom(2)'s. ENOBUFS: the answer was lost again and again.
    pub async fn ask<T>(
        &mut self,
        question: RouteNetlinkMessage,
        read: fn(Frame<'_>) -> Option<T>,
    ) -> io::Result<Reply<T>> {
        self.ask_in_octets(&mut octets(NLM_F_REQUEST, question), read).await
    }

    /// [`ask`](RequestSocket::ask), for a question that netlink-packet-route does not know.
    ///
    /// # Errors
    /// As for `ask`.
    pub async fn ask_in_octets<T>(
        &mut self,
        question: &mut [u8],
        read: fn(Frame<'_>) -> Option<T>,
    ) -> io::Result<Reply<T>> {
        for _ in 0..TRIES {
            self.renew_if_left()?;
            self.send(question)?;
            if let Some(answer) = self.answer(read).await? {
                return Ok(answer);
            }
        }
        Err(io::Error::from_raw_os_error(libc::ENOBUFS))
    }

    /// The answer to the last request. `None`: it was lost.
    async fn answer<T>(&mut self, read: fn(Frame<'_>) -> Option<T>) -> io::Result<Option<Reply<T>>> {
        loop {
            match receive(self.socket.get_ref(), &mut self.buffer)? {
                Received::Datagram => {}
                Received::Foreign => continue,
                Received::Overrun => return Ok(None),
                Received::Empty => {
                    self.socket.readable().await?.clear_ready();
                    continue;
                }
            }
            for frame in frames(&self.buffer) {
                let Ok(frame) = frame else { return Ok(Some(Reply::Undecodable)) };
                if frame.sequence == self.sequence && frame.port == self.port {
                    return Ok(Some(match i32::from(frame.kind) {
                        libc::NLMSG_ERROR => Reply::Refused(code(&frame)),
                        _ => read(frame).map_or(Reply::Undecodable, Reply::Message),
                    }));
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn descriptor(&self) -> &Socket {
        self.socket.get_ref()
    }

    #[cfg(test)]
    pub(super) fn is_left(&self) -> bool {
        self.left
    }

    /// Has every request from now on fail.
    #[cfg(test)]
    pub(super) fn end(&mut self) {
        let nobody = Socket::new(netlink_sys::constants::NETLINK_USERSOCK).unwrap();
        self.socket = watched(nobody).unwrap();
    }

    /// Replaces the socket if a dump was left before its end, because the rest of that dump is still to come on it. The
    /// next request does this. Call it earlier if there is time, because it takes eight system calls.
    ///
    /// # Errors
    /// Where netlink is not to be had. The next request tries again.
    pub fn renew_if_left(&mut self) -> io::Result<()> {
        if self.left {
            (self.socket, self.port) = request_socket()?;
            self.left = false;
        }
        Ok(())
    }

    async fn try_dump(&mut self, request: &mut [u8], sink: &mut dyn DumpSink) -> io::Result<Tried> {
        self.renew_if_left()?;
        self.left = true;
        self.send(request)?;
        let mut interrupted = false;
        loop {
            match receive(self.socket.get_ref(), &mut self.buffer)? {
                Received::Datagram => {}
                Received::Foreign => continue,
                Received::Overrun => return Ok(Tried::Again),
                Received::Empty => {
                    self.socket.readable().await?.clear_ready();
                    continue;
                }
            }
            // A large table keeps us busy for a quarter of a second: signals and timers get their turn.
            tokio::task::yield_now().await;
            let mut enough = false;
            for frame in frames(&self.buffer) {
                let Ok(frame) = frame else { return Ok(Tried::Again) };
                if frame.sequence != self.sequence || frame.port != self.port {
                    continue;
                }
                interrupted |= frame.flags & libc::NLM_F_DUMP_INTR as u16 != 0;
                match i32::from(frame.kind) {
                    libc::NLMSG_DONE => {
                        self.left = false;
                        return Ok(match code(&frame) {
                            0 | libc::ENOENT if interrupted => Tried::Again,
                            0 | libc::ENOENT => Tried::Whole,
                            errno => failed(errno),
                        });
                    }
                    libc::NLMSG_ERROR => {
                        self.left = false;
                        return Ok(match code(&frame) {
                            libc::ENOENT => Tried::Whole,
                            errno => failed(errno),
                        });
                    }
                    _ => {
                        if sink.see(frame).is_break() && !interrupted {
                            enough = true;
                            break;
                        }
                    }
                }
            }
            if enough {
                self.left = !self.ends_soon();
                return Ok(Tried::Whole);
            }
        }
    }

    /// Whether the dump ends in this datagram or in the next one. So a table of up to some hundred routes leaves the
    /// socket clean; a new socket would cost the next request eight system calls.
    fn ends_soon(&mut self) -> bool {
        self.holds_end()
            || matches!(receive(self.socket.get_ref(), &mut self.buffer), Ok(Received::Datagram))
                && self.holds_end()
    }

    fn holds_end(&self) -> bool {
        frames(&self.buffer).flatten().any(|frame| {
            frame.sequence == self.sequence
                && frame.port == self.port
                && i32::from(frame.kind) == libc::NLMSG_DONE
        })
    }

    /// Sends a request under the next sequence number.
    fn send(&mut self, request: &mut [u8]) -> io::Result<()> {
        /// The place of nlmsg_seq in struct nlmsghdr (linux/netlink.h).
        const SEQUENCE: std::ops::Range<usize> = 8..12;
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(place) = request.get_mut(SEQUENCE) {
            place.copy_from_slice(&self.sequence.to_ne_bytes());
        }
        // The kernel takes a request while it is sent: there is no queue that could be full.
        self.socket.get_ref().send(request, 0).map(drop)
    }
}

/// Takes in the entries of a dump.
pub trait DumpSink {
    /// A try begins. Forget all entries of the try before.
    fn begin(&mut self);
    /// Takes in an entry. Returns Break if the rest is not needed.
    fn see(&mut self, frame: Frame<'_>) -> ControlFlow<()>;
}

fn request_socket() -> io::Result<(AsyncFd<Socket>, u32)> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.set_non_blocking(true)?;
    // Absent before Linux 4.20: then filters are ignored, and what comes is filtered here too.
    if let Err(error) = socket.set_netlink_get_strict_chk(true) {
        debug!("NETLINK_GET_STRICT_CHK refused: {error}");
    }
    let port = socket.bind_auto()?.port_number();
    Ok((watched(socket)?, port))
}

/// The octets of a request, which has no sequence number yet.
fn octets(flags: u16, request: RouteNetlinkMessage) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    serialize(header, request)
}

/// The octets of a request, as they are sent to the kernel.
pub(super) fn serialize(header: NetlinkHeader, request: RouteNetlinkMessage) -> Vec<u8> {
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
    message.finalize();
    let mut bytes = vec![0; message.header.length as usize];
    message.serialize(&mut bytes);
    bytes
}

/// The errno of DONE and ERROR, which begin with it, negated.
fn code(frame: &Frame<'_>) -> i32 {
    match frame.payload.first_chunk::<4>() {
        Some(octets) => i32::from_ne_bytes(*octets).saturating_neg(),
        None => 0,
    }
}

fn failed(errno: i32) -> Tried {
    match errno {
        libc::ENOBUFS | libc::EBUSY | libc::EINTR | libc::EAGAIN => Tried::Again,
        errno => Tried::Failed(io::Error::from_raw_os_error(errno)),
    }
}

/// Flags of the barrier's question. The crate rtnetlink cannot tell that an answer is undecodable, but the
/// acknowledgement after it still ends the wait.
pub(super) const QUESTION: u16 = NLM_F_REQUEST | NLM_F_ACK;
