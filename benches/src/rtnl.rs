//! The bench's own way to change the network: a raw rtnetlink socket and hand-made messages.
//!
//! By hand, so that an event costs one `send` (no fork of `ip`, no crate that the program under test uses to
//! read), and so that a hundred thousand changes go out in a few large datagrams.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

const HEADER: usize = 16;
/// From linux/veth.h; libc does not have it.
const VETH_INFO_PEER: u16 = 1;
/// Messages per datagram: well below the 208 KiB that a socket's default send buffer takes.
const BATCH: usize = 1_000;

/// One rtnetlink request.
pub struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: libc::c_int, fixed_part: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        // Flags are an int in libc and 16 bits on the wire.
        let flags = (libc::NLM_F_REQUEST | flags) as u16;
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(fixed_part);
        Self(bytes)
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        append_attribute(&mut self.0, kind, value);
        self
    }

    /// Completes the header; called when the message is sent.
    fn finish(&mut self, sequence: u32, acknowledge: bool) -> &[u8] {
        let length = self.0.len() as u32;
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        if acknowledge {
            let flags = u16::from_ne_bytes([self.0[6], self.0[7]]) | libc::NLM_F_ACK as u16;
            self.0[6..8].copy_from_slice(&flags.to_ne_bytes());
        }
        &self.0
    }
}

fn append_attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = (4 + value.len()) as u16;
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn link_header(ifindex: u32, flags: libc::c_int, change: libc::c_int) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

/// A veth pair with chosen ifindexes, so that nobody needs to ask for them. The far end goes to another
/// namespace.
pub fn new_veth_pair(near: (&str, u32), far: (&str, u32), far_namespace: BorrowedFd<'_>) -> Message {
    let mut peer = link_header(far.1, 0, 0).to_vec();
    append_attribute(&mut peer, libc::IFLA_IFNAME, far.0.as_bytes());
    append_attribute(&mut peer, libc::IFLA_NET_NS_FD, &far_namespace.as_raw_fd().to_ne_bytes());
    let mut data = Vec::new();
    append_attribute(&mut data, VETH_INFO_PEER, &peer);
    let mut info = Vec::new();
    append_attribute(&mut info, libc::IFLA_INFO_KIND, b"veth");
    append_attribute(&mut info, libc::IFLA_INFO_DATA, &data);
    Message::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &link_header(near.1, 0, 0))
        .attribute(libc::IFLA_IFNAME, near.0.as_bytes())
        .attribute(libc::IFLA_LINKINFO, &info)
}

pub fn set_link(ifindex: u32, up: bool) -> Message {
    let flags = if up { libc::IFF_UP } else { 0 };
    Message::new(libc::RTM_NEWLINK, 0, &link_header(ifindex, flags, libc::IFF_UP))
}

pub fn new_address(ifindex: u32, address: Ipv4Addr, prefix_length: u8) -> Message {
    address_message(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, ifindex, address, prefix_length)
}

pub fn delete_address(ifindex: u32, address: Ipv4Addr, prefix_length: u8) -> Message {
    address_message(libc::RTM_DELADDR, 0, ifindex, address, prefix_length)
}

fn address_message(
    kind: u16,
    flags: libc::c_int,
    ifindex: u32,
    address: Ipv4Addr,
    prefix_length: u8,
) -> Message {
    let mut header = [libc::AF_INET as u8, prefix_length, 0, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    Message::new(kind, flags, &header).attribute(libc::IFA_LOCAL, &address.octets())
}

/// An IPv4 route of the main table.
#[derive(Clone, Copy)]
pub struct Route {
    pub destination: Ipv4Addr,
    pub prefix_length: u8,
    pub gateway: Ipv4Addr,
    pub ifindex: u32,
}

impl Route {
    pub fn add(self) -> Message {
        self.message(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
    }

    pub fn delete(self) -> Message {
        self.message(libc::RTM_DELROUTE, 0)
    }

    fn message(self, kind: u16, flags: libc::c_int) -> Message {
        let header = [
            libc::AF_INET as u8,
            self.prefix_length,
            0,
            0,
            libc::RT_TABLE_MAIN,
            libc::RTPROT_STATIC,
            libc::RT_SCOPE_UNIVERSE,
            libc::RTN_UNICAST,
            0,
            0,
            0,
            0,
        ];
        let mut message = Message::new(kind, flags, &header);
        if self.prefix_length > 0 {
            message = message.attribute(libc::RTA_DST, &self.destination.octets());
        }
        message
            .attribute(libc::RTA_GATEWAY, &self.gateway.octets())
            .attribute(libc::RTA_OIF, &self.ifindex.to_ne_bytes())
    }
}

/// A socket in the namespace in which it was opened.
pub struct Rtnl {
    socket: Socket,
    sequence: u32,
}

impl Rtnl {
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Makes one change and returns when the kernel has made it.
    pub fn change(&mut self, mut message: Message) -> io::Result<()> {
        self.sequence += 1;
        self.socket.send(message.finish(self.sequence, true), 0)?;
        self.wait_for_acknowledgement()
    }

    /// Makes many changes, in datagrams of [`BATCH`] messages of which only the last is acknowledged. An
    /// error of any of them is an error.
    pub fn change_all(&mut self, messages: impl IntoIterator<Item = Message>) -> io::Result<()> {
        let mut messages = messages.into_iter().peekable();
        let mut datagram = Vec::with_capacity(BATCH * 64);
        while messages.peek().is_some() {
            datagram.clear();
            for index in 0..BATCH {
                let Some(mut message) = messages.next() else { break };
                let last = index + 1 == BATCH || messages.peek().is_none();
                self.sequence += 1;
                datagram.extend_from_slice(message.finish(self.sequence, last));
            }
            self.socket.send(&datagram, 0)?;
            self.wait_for_acknowledgement()?;
        }
        Ok(())
    }

    /// Admin up, operational and with carrier.
    pub fn link_is_up(&mut self, ifindex: u32) -> io::Result<bool> {
        const UP: libc::c_int = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_LOWER_UP;
        self.sequence += 1;
        let mut question = Message::new(libc::RTM_GETLINK, 0, &link_header(ifindex, 0, 0));
        self.socket.send(question.finish(self.sequence, false), 0)?;
        let (answer, _) = self.socket.recv_from_full()?;
        if kind(&answer) != libc::RTM_NEWLINK {
            return Err(kernel_error(&answer));
        }
        Ok(integer(&answer, HEADER + 8) & UP == UP)
    }

    fn wait_for_acknowledgement(&self) -> io::Result<()> {
        loop {
            let (answer, _) = self.socket.recv_from_full()?;
            if integer(&answer, HEADER) != 0 {
                return Err(kernel_error(&answer));
            }
            if integer(&answer, 8) as u32 == self.sequence {
                return Ok(());
            }
        }
    }
}

fn kind(answer: &[u8]) -> u16 {
    u16::from_ne_bytes([answer[4], answer[5]])
}

fn integer(answer: &[u8], at: usize) -> libc::c_int {
    libc::c_int::from_ne_bytes([answer[at], answer[at + 1], answer[at + 2], answer[at + 3]])
}

/// The negative errno that an NLMSG_ERROR carries.
fn kernel_error(answer: &[u8]) -> io::Error {
    io::Error::from_raw_os_error(-integer(answer, HEADER))
}
