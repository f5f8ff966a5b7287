//! Single questions to the kernel: which way a packet would go, and the barrier.
//!
//! A lookup is answered while it is sent, so it goes over the socket for requests, without a task in between. The
//! barrier can wait for seconds; once somebody must be served meanwhile, it goes over a connection of the crate
//! rtnetlink, in a thread of its own.

#![allow(clippy::wildcard_enum_match_arm, reason = "the wire's vocabulary, at the wire")]

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};

use futures::StreamExt;
use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, new_connection_with_strict_check};
use socket2::{Domain, Protocol, Socket, Type};
use tracing::debug;

use crate::model::{Lookup, Route, RouteKind, RouteQuery};
use crate::moment::Moment;
use crate::netlink::decode;
use crate::netlink::nexthop::{self, Object};
use crate::netlink::socket::{QUESTION, Reply, RequestSocket};

/// How the barrier failed.
#[derive(Debug, thiserror::Error)]
pub enum BarrierError {
    /// The netlink connection ended before the answer came.
    #[error("the netlink connection ended")]
    Ended,
    /// There is none to be had.
    #[error("netlink connection")]
    Connect(#[from] io::Error),
}

/// Waits until the kernel has done what it has announced. RTM_NEWLINK, RTM_DELADDR and RTM_DELNEXTHOP are sent
/// before the routes that they cost are flushed: a lookup right after them said yes wrongly in up to 95 % of tries.
/// The question about one link waits for the RTNL lock, under which the flush is done; after it, a lookup was
/// never wrong.
fn barrier_question() -> RouteNetlinkMessage {
    const LOOPBACK_IFINDEX: u32 = 1;
    let mut message = LinkMessage::default();
    message.header.index = LOOPBACK_IFINDEX;
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    RouteNetlinkMessage::GetLink(message)
}

/// The barrier, in a thread of its own. A question that has to wait for the kernel's RTNL lock, which a slow
/// driver can hold for seconds, waits inside sendto(2): here it holds nobody else up.
pub struct Barrier {
    handle: Handle,
}

impl Barrier {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where netlink, or a thread, is not to be had.
    pub fn start() -> Result<Barrier, BarrierError> {
        let (ready, handle) = std::sync::mpsc::sync_channel(1);
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            let made = runtime.and_then(|runtime| {
                let entered = runtime.enter();
                let (connection, handle, _) = new_connection_with_strict_check()?;
                drop(entered);
                Ok((runtime, connection, handle))
            });
            match made {
                Ok((runtime, connection, handle)) => {
                    if ready.send(Ok(handle)).is_ok() {
                        runtime.block_on(connection);
                    }
                }
                // Nobody to tell is nobody to be served.
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        std::thread::Builder::new().name("barrier".to_owned()).stack_size(256 * 1024).spawn(serve)?;
        let handle = handle.recv().map_err(|_| BarrierError::Ended)??;
        Ok(Barrier { handle })
    }

    /// One whose connection is gone.
    #[cfg(test)]
    pub(super) fn ended() -> Barrier {
        let (_, handle, _) = new_connection_with_strict_check().unwrap();
        Barrier { handle }
    }

    /// Waits until the kernel has done what it has announced.
    ///
    /// # Errors
    /// Where the connection ended.
    pub async fn pass(&mut self) -> Result<(), BarrierError> {
        let mut header = NetlinkHeader::default();
        header.flags = QUESTION;
        let message = NetlinkMessage::new(header, NetlinkPayload::from(barrier_question()));
        let mut answers = self.handle.request(message).map_err(|_| BarrierError::Ended)?;
        // Whatever the answer: that there is one is what was waited for.
        answers.next().await.map(drop).ok_or(BarrierError::Ended)
    }
}

impl RequestSocket {
    /// [`Barrier::pass`], without a thread: nobody is served meanwhile.
    ///
    /// # Errors
    /// The socket's.
    pub async fn pass_barrier(&mut self) -> io::Result<()> {
        // Whatever the answer: that there is one is what was waited for.
        self.ask(barrier_question(), |_| Some(())).await.map(drop)
    }

    /// The route that the kernel's tables give for an address (RTM_F_FIB_MATCH), as it stands there.
    ///
    /// # Errors
    /// The socket's.
    pub async fn matching_route(&mut self, target: IpAddr, now: Moment) -> io::Result<Option<Route>> {
        self.matching(&RouteQuery::target(target), now).await
    }

    /// The route of a connection from no address in particular. The kernel asks twice, as in [`RequestSocket::path`], so
    /// that policy rules by source count.
    ///
    /// # Errors
    /// The socket's.
    pub async fn connecting_route(&mut self, target: IpAddr, now: Moment) -> io::Result<Option<Route>> {
        let asked = RouteQuery::target(target);
        let from = match target {
            // The route that matches does not name the source that the kernel selects.
            IpAddr::V4(_) => match self.lookup(&asked).await? {
                Some(Lookup::Path { source, .. }) => source,
                Some(Lookup::None(_)) => return Ok(None),
                Some(Lookup::Broadcast) | None => None,
            },
            IpAddr::V6(v6) => {
                if let Some(found) = self.matching(&asked, now).await? {
                    return Ok(Some(found));
                }
                match selected_source(v6, None) {
                    Selected::Source(from) => Some(from),
                    Selected::Refused(_) | Selected::None => return Ok(None),
                }
            }
        };
        self.matching(&RouteQuery { from, ..asked }, now).await
    }

    async fn matching(&mut self, asked: &RouteQuery, now: Moment) -> io::Result<Option<Route>> {
        // Without the second flag IPv4 calls every table main; IPv6 names it anyway and refuses the flag.
        let flags = match asked.target {
            IpAddr::V4(_) => RouteFlags::FibMatch | RouteFlags::LookupTable,
            IpAddr::V6(_) => RouteFlags::FibMatch,
        };
        let Reply::Message(message) = self.route(asked, flags).await? else { return Ok(None) };
        let object = decode::nexthop_object(&message);
        let Some(mut route) = decode::dumped_route(message, now) else { return Ok(None) };
        if let Some(id) = object {
            self.spell_out(&mut route, id).await?;
        }
        Ok(Some(route))
    }

    /// Adds the next hops of the nexthop object with this number to a route, if the kernel has not named them
    /// (net.ipv4.nexthop_compat_mode=0).
    ///
    /// # Errors
    /// The socket's.
    pub async fn spell_out(&mut self, route: &mut Route, id: u32) -> io::Result<()> {
        if !route.hops.is_empty() || route.kind != RouteKind::Unicast {
            return Ok(());
        }
        let members = match self.nexthop(id).await? {
            Some(Object::Group(members)) => members,
            Some(Object::Hop(hop)) => {
                route.hops.push(hop);
                return Ok(());
            }
            // It is gone, and so is the route.
            None => return Ok(()),
        };
        for member in members {
            // A group has no groups in it.
            if let Some(Object::Hop(hop)) = self.nexthop(member).await? {
                route.hops.push(hop);
            }
        }
        Ok(())
    }

    async fn nexthop(&mut self, id: u32) -> io::Result<Option<Object>> {
        match self.ask_in_octets(&mut nexthop::question(id), nexthop::object).await? {
            Reply::Message(object) => Ok(Some(object)),
            Reply::Refused(_) | Reply::Undecodable => Ok(None),
        }
    }

    /// The way that connect(2) would take. `None` where the answer cannot be decoded.
    ///
    /// The kernel asks itself twice for a program that has bound no address (seen in Linux 6.1 and 6.18):
    /// IPv4 asks again for the source that the first answer names, so that policy rules by source count
    /// (ip_route_connect); IPv6 selects a source and asks again if the first answer is a refusal, so that
    /// source-specific routes count (ip6_dst_lookup_tail).
    ///
    /// # Errors
    /// The socket's.
    pub async fn path(&mut self, asked: RouteQuery, now: Moment) -> io::Result<Option<Lookup>> {
        let first = self.lookup(&asked).await?;
        let source = match (&first, asked.target) {
            _ if asked.from.is_some() => None,
            (Some(Lookup::Path { source, .. }), IpAddr::V4(_)) => *source,
            (Some(Lookup::None(_)), IpAddr::V6(target)) => match selected_source(target, asked.oif) {
                Selected::Source(source) => Some(source),
                Selected::Refused(errno) => return Ok(Some(Lookup::None(errno))),
                Selected::None => None,
            },
            (None, _)
            | (Some(Lookup::Path { .. }), IpAddr::V6(_))
            | (Some(Lookup::Broadcast), _)
            | (Some(Lookup::None(_)), IpAddr::V4(_)) => None,
        };
        let (mut lookup, asked) = match source {
            Some(source) => {
                let again = RouteQuery { from: Some(source), ..asked };
                (self.lookup(&again).await?, again)
            }
            None => (first, asked),
        };
        // An IPv6 lookup does not say when its route ends; the route does.
        if let (Some(Lookup::Path { expires, .. }), IpAddr::V6(_)) = (&mut lookup, asked.target) {
            *expires = self.matching(&asked, now).await?.and_then(|route| route.expires);
        }
        Ok(lookup)
    }

    async fn lookup(&mut self, asked: &RouteQuery) -> io::Result<Option<Lookup>> {
        let mut lookup = match self.route(asked, RouteFlags::empty()).await? {
            Reply::Message(RouteNetlinkMessage::NewRoute(message)) => decode::lookup(&message),
            Reply::Refused(errno) => Some(Lookup::None(errno)),
            Reply::Message(_) | Reply::Undecodable => {
                debug!("the answer to a lookup of {} cannot be decoded", asked.target);
                None
            }
        };
        // The kernel does not repeat the source that it was asked for.
        if let (Some(Lookup::Path { source, .. }), Some(from)) = (&mut lookup, asked.from) {
            *source = Some(from);
        }
        Ok(lookup)
    }

    async fn route(
        &mut self,
        asked: &RouteQuery,
        flags: RouteFlags,
    ) -> io::Result<Reply<RouteNetlinkMessage>> {
        let mut message = RouteMessage::default();
        let target = asked.target;
        let (family, bits) = match target {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        message.header.address_family = family;
        message.header.destination_prefix_length = bits;
        message.header.flags = flags;
        message.attributes.push(RouteAttribute::Destination(target.into()));
        if let Some(from) = asked.from {
            message.header.source_prefix_length = bits;
            message.attributes.push(RouteAttribute::Source(from.into()));
        }
        message.attributes.extend(asked.oif.map(RouteAttribute::Oif));
        // Policy rules can be for one protocol. Without this, IPv4 answers as for UDP.
        message.attributes.push(RouteAttribute::IpProto(libc::IPPROTO_TCP as u8));
        self.ask(RouteNetlinkMessage::GetRoute(message), decode::decoded).await
    }
}

/// What the kernel makes of a connection from no address in particular.
enum Selected {
    /// It selects this address (RFC 6724), and finds a way from it.
    Source(IpAddr),
    /// It refuses the way from the address that it selects, with this errno(3).
    Refused(i32),
    /// There is no address to select, or it cannot be asked.
    None,
}

/// The address that the kernel selects for a connection there. Only connect(2) tells it where there is no
/// way without a source; for UDP it sends nothing.
fn selected_source(target: Ipv6Addr, oif: Option<u32>) -> Selected {
    /// RFC 863: whoever listens there listens to nobody.
    const DISCARD: u16 = 9;
    let link_local = target.is_unicast_link_local();
    let scope = oif.filter(|_| link_local).unwrap_or(0);
    // Without CAP_NET_RAW a socket can be bound to a device since Linux 5.7.
    let opened = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).and_then(|socket| {
        if let Some(device) = oif.filter(|_| !link_local) {
            let name = nix::net::if_::if_indextoname(device)?;
            // nix 0.31 gives an empty name for a device that is gone, which would bind to no device.
            if name.is_empty() {
                return Err(io::ErrorKind::NotFound.into());
            }
            socket.bind_device(Some(name.as_bytes()))?;
        }
        Ok(socket)
    });
    let Ok(socket) = opened else { return Selected::None };
    if let Err(error) = socket.connect(&SocketAddrV6::new(target, DISCARD, 0, scope).into()) {
        let errno = error.raw_os_error().filter(|errno| *errno != libc::EADDRNOTAVAIL);
        return errno.map_or(Selected::None, Selected::Refused);
    }
    let source = socket.local_addr().ok().and_then(|address| address.as_socket());
    source.map_or(Selected::None, |source| Selected::Source(source.ip()))
}
