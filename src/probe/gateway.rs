//! The `gateway` probe: checks whether a gateway answers neighbour discovery (ARP, RFC 4861). It needs no privilege.
//! It sends ordinary packets to the gateway, so the kernel must find the gateway's link-layer address.
//!
//! If the gateway's entry in the neighbour table is STALE, that proves nothing, and the kernel verifies the entry
//! only after delay_first_probe_time (5 s). Before that, an answer of the gateway itself is the proof: an echo reply,
//! or an ICMP error that says that a port is closed.

#![allow(clippy::wildcard_enum_match_arm, reason = "the kernel's states are others', and may grow")]

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr as NetlinkAddr, protocols::NETLINK_ROUTE};
use socket2::{Domain, Protocol, Type};

use crate::model::Answer;
use crate::probe::deadline::Deadline;
use crate::probe::ping::Echo;
use crate::probe::socket_error;

/// The multicast group of neighbour notifications: RTNLGRP_NEIGH of linux/rtnetlink.h.
const NEIGHBOURS: u32 = 3;
/// The sequence number of this program's request. Notifications have the number 0.
const QUESTION: u32 = 1;
/// The discard port (RFC 863). A server on this port drops what it gets.
const DISCARD: u16 = 9;

/// Makes one try of the `gateway` probe.
pub fn ask(address: IpAddr, ifindex: u32, deadline: Deadline) -> Answer {
    let entry = Entry::watch(address, ifindex).map_err(|error| format!("cannot be watched: {error}"))?;
    let (tell, hear) = channel();
    let provoked = provoke(address, ifindex, &tell, deadline);
    thread::spawn(move || {
        // An error means that another answer came first.
        let _ = tell.send(entry.judge());
    });
    match hear.recv_timeout(deadline.left()) {
        Ok(answer) => answer,
        Err(_) => match provoked {
            Ok(()) => Err("does not answer".to_owned()),
            Err(error) => Err(format!("cannot be asked: {}", socket_error::explain(&error))),
        },
    }
}

/// Sends packets to the gateway, and reports each answer through `tell`.
fn provoke(address: IpAddr, ifindex: u32, tell: &Sender<Answer>, deadline: Deadline) -> io::Result<()> {
    let (domain, to) = match address {
        IpAddr::V4(_) => (Domain::IPV4, SocketAddr::new(address, DISCARD)),
        IpAddr::V6(address) => {
            let scope = if address.is_unicast_link_local() { ifindex } else { 0 };
            (Domain::IPV6, SocketAddrV6::new(address, DISCARD, 0, scope).into())
        }
    };
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    // Use only the link that the route names. Before Linux 5.7 only root may bind to a device, so an error is
    // ignored.
    let _ = nix::net::if_::if_indextoname(ifindex).map(|name| socket.bind_device(Some(name.as_bytes())));
    socket.connect(&to.into())?;
    socket.set_read_timeout(Some(deadline.left()))?;
    socket.send(&[])?;
    let told = tell.clone();
    thread::spawn(move || {
        let mut reply = [std::mem::MaybeUninit::uninit(); 16];
        let refused =
            socket.recv(&mut reply).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
        if refused {
            // An error means that another answer came first.
            let _ = told.send(Ok("its port is closed".to_owned()));
        }
    });
    let scope = if to.is_ipv6() { ifindex } else { 0 };
    // If echo requests are not permitted, the other ways must be enough.
    if let Ok(echo) = Echo::open(address, scope) {
        let told = tell.clone();
        thread::spawn(move || {
            let mut sequence = 0;
            while !deadline.is_over() && sequence < u16::MAX {
                sequence += 1;
                if echo.exchange(sequence, Duration::from_secs(1).min(deadline.left())).is_ok() {
                    let _ = told.send(Ok("it answers".to_owned()));
                }
            }
        });
    }
    Ok(())
}

/// The gateway's entry in the neighbour table.
struct Entry {
    socket: Socket,
    address: IpAddr,
    ifindex: u32,
}

impl Entry {
    /// Subscribes to notifications, and then requests the current entry.
    fn watch(address: IpAddr, ifindex: u32) -> io::Result<Entry> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&NetlinkAddr::new(0, 0))?;
        socket.add_membership(NEIGHBOURS)?;
        let mut question = NeighbourMessage::default();
        question.header.ifindex = ifindex;
        let (family, destination) = match address {
            IpAddr::V4(address) => (AddressFamily::Inet, NeighbourAddress::Inet(address)),
            IpAddr::V6(address) => (AddressFamily::Inet6, NeighbourAddress::Inet6(address)),
        };
        question.header.family = family;
        question.attributes.push(NeighbourAttribute::Destination(destination));
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetNeighbour(question));
        message.header.flags = NLM_F_REQUEST;
        message.header.sequence_number = QUESTION;
        message.finalize();
        let mut octets = vec![0; message.buffer_len()];
        message.serialize(&mut octets);
        socket.send_to(&octets, &NetlinkAddr::new(0, 0), 0)?;
        Ok(Entry { socket, address, ifindex })
    }

    /// Waits until the entry shows whether the gateway answers.
    fn judge(&self) -> Answer {
        loop {
            let heard = self.heard().map_err(|error| format!("cannot be watched: {error}"))?;
            for (state, is_answer) in heard {
                match state {
                    NeighbourState::Reachable | NeighbourState::Permanent | NeighbourState::Noarp => {
                        return Ok("it answers".to_owned());
                    }
                    // FAILED in the answer to the request is older than this try, so it does not count. A good state
                    // does.
                    NeighbourState::Failed if !is_answer => return Err("does not answer".to_owned()),
                    // The kernel is still working on it, or the state is unknown to this version.
                    _ => {}
                }
            }
        }
    }

    /// Reads the next datagram and returns what it says of the entry. A datagram that the kernel did not send is
    /// ignored: another process can send anything to this socket.
    fn heard(&self) -> io::Result<Vec<(NeighbourState, bool)>> {
        let (octets, sender) = self.socket.recv_from_full()?;
        Ok(if sender.port_number() == 0 { self.states(&octets) } else { Vec::new() })
    }

    /// The states of the entry in a datagram. The second value says whether the message answers this program's
    /// request.
    fn states(&self, mut octets: &[u8]) -> Vec<(NeighbourState, bool)> {
        let mut states = Vec::new();
        while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(octets) {
            let length = usize::try_from(message.header.length).unwrap_or(usize::MAX).next_multiple_of(4);
            if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(entry)) = message.payload {
                if entry.header.ifindex == self.ifindex && entry.attributes.iter().any(|one| self.is(one)) {
                    states.push((entry.header.state, message.header.sequence_number == QUESTION));
                }
            }
            match octets.get(length..) {
                Some(rest) if length > 0 => octets = rest,
                Some(_) | None => break,
            }
        }
        states
    }

    fn is(&self, attribute: &NeighbourAttribute) -> bool {
        match (attribute, self.address) {
            (NeighbourAttribute::Destination(NeighbourAddress::Inet(known)), IpAddr::V4(address)) => {
                *known == address
            }
            (NeighbourAttribute::Destination(NeighbourAddress::Inet6(known)), IpAddr::V6(address)) => {
                *known == address
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message that says that an address on a link has this state.
    fn says(address: IpAddr, ifindex: u32, state: NeighbourState) -> Vec<u8> {
        let mut entry = NeighbourMessage::default();
        entry.header.ifindex = ifindex;
        entry.header.state = state;
        let IpAddr::V4(ipv4) = address else { panic!("{address}") };
        entry.header.family = AddressFamily::Inet;
        entry.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet(ipv4)));
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(entry));
        message.finalize();
        let mut octets = vec![0; message.buffer_len()];
        message.serialize(&mut octets);
        octets
    }

    #[test]
    fn only_messages_of_the_kernel_count() {
        let address: IpAddr = "192.0.2.254".parse().unwrap();
        let entry = Entry::watch(address, 1).unwrap();
        let mut port = NetlinkAddr::new(0, 0);
        entry.socket.get_address(&mut port).unwrap();
        let mut other = Socket::new(NETLINK_ROUTE).unwrap();
        other.bind_auto().unwrap();
        let forged = [
            NeighbourState::Reachable,
            NeighbourState::Permanent,
            NeighbourState::Noarp,
            NeighbourState::Failed,
        ]
        .map(|state| says(address, 1, state));
        for octets in &forged {
            // The message would count if the kernel had sent it.
            assert_eq!(entry.states(octets).len(), 1);
            if other.send_to(octets, &port, 0).is_err() {
                // Without CAP_NET_ADMIN nobody can send such a message, so there is nothing to test.
                return;
            }
        }
        entry.socket.set_non_blocking(true).unwrap();
        let mut datagrams = 0;
        while let Ok(heard) = entry.heard() {
            datagrams += 1;
            assert!(heard.is_empty(), "{heard:?} of a process");
        }
        assert!(datagrams > forged.len(), "the kernel's answer, and what was forged: {datagrams}");
    }
}
