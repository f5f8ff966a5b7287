//! The `ping` probe: checks whether a host answers an echo request. The socket needs no privilege (icmp(7),
//! ping_group_range).

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::model::Answer;
use crate::probe::deadline::Deadline;
use crate::probe::socket_error;
use crate::probe::zone;

/// The time between two requests, the same as in ping(8).
const AGAIN: Duration = Duration::from_secs(1);

/// Makes one try of the `ping` probe.
pub fn ask(address: IpAddr, zone: Option<&str>, deadline: Deadline) -> Answer {
    let scope = match zone {
        None => 0,
        Some(zone) => zone::scope(zone)?,
    };
    let echo = Echo::open(address, scope).map_err(|error| {
        if error.kind() == ErrorKind::PermissionDenied {
            "ping is not permitted for ordinary users here; allow it with: sysctl -w net.ipv4.ping_group_range=\"0 2147483647\""
                .to_owned()
        } else {
            socket_error::explain(&error)
        }
    })?;
    let mut sequence = 0;
    loop {
        sequence += 1;
        match echo.exchange(sequence, AGAIN.min(deadline.left())) {
            Ok(()) => return Ok("it answers".to_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if deadline.is_over() {
                    return Err("no answer".to_owned());
                }
            }
            Err(error) => return Err(socket_error::explain(&error)),
        }
    }
}

/// A socket for echo requests to one host.
pub struct Echo {
    socket: Socket,
    v6: bool,
}

impl Echo {
    /// Opens a socket that sends only to this address. `scope` is the number of the link if the address is
    /// link-local, and otherwise 0.
    pub fn open(address: IpAddr, scope: u32) -> io::Result<Echo> {
        let (domain, protocol, to) = match address {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, SocketAddr::new(address, 0)),
            IpAddr::V6(address) => {
                (Domain::IPV6, Protocol::ICMPV6, SocketAddrV6::new(address, 0, 0, scope).into())
            }
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
        socket.connect(&to.into())?;
        Ok(Echo { socket, v6: address.is_ipv6() })
    }

    /// Sends one request and waits for its answer, no longer than `within`. The kernel fills in the identifier and
    /// the checksum, and delivers only replies to requests of this socket.
    pub fn exchange(&self, sequence: u16, within: Duration) -> io::Result<()> {
        const REQUEST_V4: u8 = 8;
        const REQUEST_V6: u8 = 128;
        let [high, low] = sequence.to_be_bytes();
        let request = [if self.v6 { REQUEST_V6 } else { REQUEST_V4 }, 0, 0, 0, 0, 0, high, low];
        self.socket.set_read_timeout(Some(within))?;
        self.socket.send(&request)?;
        let mut reply = [MaybeUninit::uninit(); 64];
        self.socket.recv(&mut reply).map(|_| ())
    }
}
