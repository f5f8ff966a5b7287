//! The `tcp` probe: checks whether a host accepts a connection, on any of the addresses of its name.

use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::model::Answer;
use crate::probe::deadline::Deadline;
use crate::probe::dns;
use crate::probe::socket_error;
use crate::probe::zone;
use crate::requirement::Endpoint;

/// The time after which the next address is tried in parallel (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The most addresses of a name that are tried.
const MOST: usize = 8;

/// Makes one try of the `tcp` probe.
pub fn ask(endpoint: &Endpoint, deadline: Deadline) -> Answer {
    let (_, address) = connect(endpoint, deadline)?;
    // With a zone, show the endpoint as it was written: the socket knows the zone as a number only.
    Ok(if endpoint.zone.is_some() { endpoint.to_string() } else { address.to_string() })
}

/// Connects to the address of the endpoint that accepts a connection first. An error is the reason of the failed
/// probe.
pub fn connect(endpoint: &Endpoint, deadline: Deadline) -> Result<(TcpStream, SocketAddr), String> {
    let addresses: Vec<SocketAddr> = match endpoint.host.parse() {
        Ok(IpAddr::V6(address)) => {
            let scope = endpoint.zone.as_deref().map_or(Ok(0), zone::scope)?;
            vec![SocketAddrV6::new(address, 0, 0, scope).into()]
        }
        Ok(address @ IpAddr::V4(_)) => vec![SocketAddr::new(address, 0)],
        Err(_) => {
            dns::resolve(&endpoint.host, deadline).map_err(|why| format!("dns {}: {why}", endpoint.host))?
        }
    };
    let (tell, hear) = channel();
    let mut waiting = addresses.iter().take(MOST).map(|address| {
        let mut address = *address;
        address.set_port(endpoint.port);
        address
    });
    let mut running = 0_usize;
    let mut failure = None;
    loop {
        if let Some(address) = waiting.next() {
            let tell = tell.clone();
            running += 1;
            thread::spawn(move || {
                // An error means that another address was faster.
                let _ = tell.send((address, TcpStream::connect_timeout(&address, deadline.left())));
            });
        } else if running == 0 {
            return Err(failure.unwrap_or_else(|| "it has no address".to_owned()));
        }
        let patience = if waiting.len() > 0 { HEAD_START.min(deadline.left()) } else { deadline.left() };
        match hear.recv_timeout(patience) {
            Ok((address, Ok(stream))) => return Ok((stream, address)),
            Ok((address, Err(error))) => {
                running -= 1;
                let why = socket_error::explain(&error);
                // If there are several addresses, the reason names the one that failed.
                failure = Some(if addresses.len() > 1 { format!("{}: {why}", address.ip()) } else { why });
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) if deadline.is_over() => {
                return Err(Deadline::text());
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}
