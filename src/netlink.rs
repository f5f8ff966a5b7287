//! Reads the kernel's network state: the notifications that it sends, and what a plan asks for.
//!
//! Nothing is decided here. [`refresh`](crate::refresh) plans what to read, and [`Reader`] executes it one
//! [`Read`] at a time. [`Notifications`] hands on what the kernel announces, losses included.

mod ask;
pub mod decode;
pub(crate) mod filter;
mod nexthop;
mod socket;
mod tables;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use tracing::debug;

use crate::clock;
use crate::model::{Message, Stale};
use crate::moment::Moment;
use crate::netlink::ask::{Barrier, BarrierError};
use crate::netlink::decode::{Event, event, frames};
use crate::netlink::socket::{DumpError, EventSocket, Received, RequestSocket};
use crate::refresh::{Found, Read};
use crate::wants::Wants;

/// The size of the receive buffer that is asked for, in octets. The kernel's default holds 256 messages, and
/// on a busy host a boot with many containers sends more before this process runs again.
pub const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Why the kernel's state cannot be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The socket for notifications cannot be opened.
    #[error("cannot subscribe to the kernel's network events")]
    Subscribe(#[source] io::Error),
    /// The event socket, later.
    #[error("cannot receive the kernel's network events")]
    Receive(#[source] io::Error),
    /// The socket for requests.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// The kernel did not answer a dump of links, addresses or routes.
    #[error("cannot read the kernel's network state")]
    Dump(#[from] DumpError),
    /// A single question failed.
    #[error("cannot ask the kernel for routes")]
    Ask(#[source] io::Error),
    /// The request that waits for the kernel to finish its work failed.
    #[error("cannot ask the kernel for a link")]
    Barrier(#[from] BarrierError),
}

/// What the kernel announced.
#[derive(Debug, PartialEq)]
pub enum Notification {
    /// The kernel announced this change.
    Message(Message),
    /// A message was lost or could not be decoded. It may have announced a change of this.
    Lost(Stale),
    /// There are no more notifications now.
    Dry,
}

/// The kernel's notifications, as far as a gate wants them.
pub struct Notifications {
    socket: EventSocket,
    /// What the last datagram held and was not handed on yet.
    pending: VecDeque<Notification>,
    undecodable: u64,
}

impl Notifications {
    /// Subscribes. Only then may the present state be read: what changes meanwhile is announced.
    ///
    /// # Errors
    /// Where netlink is not to be had.
    pub fn subscribe(wants: &Wants, receive_buffer: usize) -> Result<Notifications, ObserveError> {
        let filter = filter::program(wants);
        let socket = EventSocket::open(&filter, receive_buffer).map_err(ObserveError::Subscribe)?;
        // Room for what one datagram holds in most cases, so that the first event need not wait for it.
        Ok(Notifications { socket, pending: VecDeque::with_capacity(4), undecodable: 0 })
    }

    /// Subscribes to what another gate wants. What was announced until then must be read anew.
    ///
    /// # Errors
    /// setsockopt(2)'s.
    pub fn want(&mut self, wants: &Wants) -> Result<(), ObserveError> {
        self.socket.set_filter(&filter::program(wants)).map_err(ObserveError::Subscribe)
    }

    /// Waits until something can be taken.
    ///
    /// # Errors
    /// epoll(7)'s.
    pub async fn readable(&self) -> Result<(), ObserveError> {
        self.socket.readable().await.map_err(ObserveError::Receive)
    }

    /// Takes the next notification, without waiting.
    ///
    /// # Errors
    /// Where the socket fails.
    pub fn take(&mut self) -> Result<Notification, ObserveError> {
        loop {
            if let Some(notification) = self.pending.pop_front() {
                return Ok(notification);
            }
            match self.socket.receive().map_err(ObserveError::Receive)? {
                Received::Empty => return Ok(Notification::Dry),
                Received::Foreign => debug!("a message that the kernel did not send is ignored"),
                Received::Overrun => {
                    debug!("messages were lost: everything is read again");
                    return Ok(Notification::Lost(Stale::ALL));
                }
                Received::Datagram => self.unpack(clock::now()),
            }
        }
    }

    fn unpack(&mut self, now: Moment) {
        let mut undecodable = Stale::default();
        for frame in frames(self.socket.datagram()) {
            match frame.map_or(Event::Undecodable(Stale::ALL), |frame| event(frame, now)) {
                Event::Irrelevant => {}
                Event::Undecodable(stale) => undecodable = undecodable.or(stale),
                Event::Message(message) => self.pending.push_back(Notification::Message(message)),
            }
        }
        if undecodable.any() {
            self.undecodable += 1;
            debug!("{} messages so far could not be decoded", self.undecodable);
            self.pending.push_back(Notification::Lost(undecodable));
        }
    }
}

/// Executes what a plan asks for.
pub struct Reader {
    sockets: Option<Sockets>,
    busy: Option<Busy>,
}

/// A read under way; it gives the sockets back.
type Busy = Pin<Box<dyn Future<Output = (Sockets, Result<Found, ObserveError>)>>>;

struct Sockets {
    requests: RequestSocket,
    /// Once somebody must be served while the kernel keeps a question waiting.
    barrier: Option<Barrier>,
}

impl Reader {
    /// Connects.
    ///
    /// # Errors
    /// Where netlink is not to be had.
    pub fn connect() -> Result<Reader, ObserveError> {
        let requests = RequestSocket::open().map_err(ObserveError::Open)?;
        Ok(Reader { sockets: Some(Sockets { requests, barrier: None }), busy: None })
    }

    /// Begins to read. One thing at a time: a read that is under way goes on.
    pub fn begin(&mut self, read: Read) {
        if let Some(mut sockets) = self.sockets.take() {
            self.busy = Some(Box::pin(async move {
                let found = sockets.execute(read).await;
                (sockets, found)
            }));
        }
    }

    /// What the read under way has found; never, where none is. It may be dropped and called again.
    ///
    /// # Errors
    /// Where the kernel's state cannot be had.
    pub async fn found(&mut self) -> Result<Found, ObserveError> {
        let Some(busy) = &mut self.busy else { return std::future::pending().await };
        let (sockets, found) = busy.as_mut().await;
        self.busy = None;
        self.sockets = Some(sockets);
        found
    }

    /// Makes its connections anew after an error.
    ///
    /// # Errors
    /// Where netlink is not to be had.
    pub fn reconnect(&mut self) -> Result<(), ObserveError> {
        let Some(sockets) = &mut self.sockets else { return Ok(()) };
        sockets.requests = RequestSocket::open().map_err(ObserveError::Open)?;
        if sockets.barrier.take().is_some() {
            sockets.barrier = Some(Barrier::start()?);
        }
        Ok(())
    }

    /// Whether the next question needs a new socket first.
    #[cfg(test)]
    pub(crate) fn needs_a_socket(&self) -> bool {
        self.sockets.as_ref().unwrap().requests.is_left()
    }

    /// Ends its connections for questions, as an error would.
    #[cfg(test)]
    pub(crate) fn end_connections(&mut self) {
        let sockets = self.sockets.as_mut().unwrap();
        sockets.requests.end();
        sockets.barrier = sockets.barrier.take().map(|_| Barrier::ended());
    }

    /// Prepares for a wait: makes a new socket if the next question needs one, so that no event has to wait for it, and
    /// starts the thread for the barrier.
    ///
    /// From the first wait on, others must be served while the kernel keeps a question waiting. Before it there is nobody
    /// to serve, and if the gate is ready at once, nothing is left to be asked.
    ///
    /// # Errors
    /// Where netlink, or a thread, is not to be had.
    pub fn prepare(&mut self) -> Result<(), ObserveError> {
        let Some(sockets) = &mut self.sockets else { return Ok(()) };
        if let Err(error) = sockets.requests.renew_if_left() {
            debug!("no new netlink socket yet: {error}");
        }
        if sockets.barrier.is_none() {
            sockets.barrier = Some(Barrier::start()?);
        }
        Ok(())
    }
}

impl Sockets {
    async fn pass_barrier(&mut self) -> Result<(), ObserveError> {
        match &mut self.barrier {
            Some(barrier) => Ok(barrier.pass().await?),
            None => self.requests.pass_barrier().await.map_err(ObserveError::Ask),
        }
    }

    async fn execute(&mut self, read: Read) -> Result<Found, ObserveError> {
        let (requests, now) = (&mut self.requests, clock::now());
        let found = match read {
            Read::Barrier => {
                self.pass_barrier().await?;
                return Ok(Found::Passed);
            }
            Read::Links => match tables::links(requests).await {
                Ok((links, addresses)) => {
                    // An IPv4 address is in the list before bind(2) accepts it, and before it is announced.
                    self.pass_barrier().await?;
                    Ok(Found::Links(links, addresses))
                }
                Err(error) => Err(error),
            },
            Read::Path { asked, .. } => {
                Ok(Found::Path(requests.path(asked, now).await.map_err(ObserveError::Ask)?))
            }
            Read::Matching { probes, connects, .. } => Ok(Found::Route(match probes.front() {
                Some(probe @ IpAddr::V4(_)) if connects => {
                    requests.connecting_route(*probe, now).await.map_err(ObserveError::Ask)?
                }
                Some(probe) => requests.matching_route(*probe, now).await.map_err(ObserveError::Ask)?,
                None => None,
            })),
            Read::Ordinary { addresses, .. } => Ok(Found::Route(match addresses.front() {
                Some(address) => requests.connecting_route(*address, now).await.map_err(ObserveError::Ask)?,
                None => None,
            })),
            Read::Gateway { gateway, .. } => {
                Ok(Found::Route(requests.matching_route(gateway, now).await.map_err(ObserveError::Ask)?))
            }
            Read::Table(table) => tables::read(requests, &table).await.map(Found::Table),
        };
        match found {
            Ok(found) => Ok(found),
            Err(DumpError::Interrupted) => Ok(Found::Interrupted),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
