//! Single questions to the kernel, through rtnetlink on connections that are subscribed to nothing: what
//! way a packet would go, and the barrier.

#![allow(clippy::wildcard_enum_match_arm, reason = "the wire's vocabulary, at the wire")]

use std::io;
use std::net::IpAddr;

use futures_util::StreamExt;
use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, new_connection_with_strict_check};
use tracing::debug;

use crate::model::{Lookup, Route};
use crate::moment::Moment;
use crate::netlink::decode;
use crate::netlink::socket::QUESTION;

/// A connection for questions.
pub struct Questions {
    handle: Handle,
}

/// How a question failed.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The connection ended.
    #[error("the netlink connection ended")]
    Ended,
    /// There is none to be had.
    #[error("netlink connection")]
    Connect(#[from] io::Error),
}

/// The kernel's answer to a lookup.
pub enum Answer {
    /// A route.
    Found(RouteMessage),
    /// None, for this errno(3).
    None(i32),
    /// An answer that cannot be decoded.
    Unclear,
}

impl Questions {
    /// Connects; the connection is served by the runtime that this is called in. The kernel answers
    /// while the question is sent, so only questions that wait for no lock may go this way.
    ///
    /// # Errors
    /// Where netlink is not to be had.
    pub fn connect() -> Result<Questions, AskError> {
        let (connection, handle, _) = new_connection_with_strict_check()?;
        tokio::spawn(connection);
        Ok(Questions { handle })
    }

    /// Connects; the connection is served by a thread of its own. A question that has to wait for the
    /// kernel's RTNL lock, which a slow driver can hold for seconds, waits inside sendto(2): here it
    /// holds nobody else up.
    ///
    /// # Errors
    /// Where netlink, or a thread, is not to be had.
    pub fn connect_apart() -> Result<Questions, AskError> {
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
        let handle = handle.recv().map_err(|_| AskError::Ended)??;
        Ok(Questions { handle })
    }

    /// One whose connection is gone.
    #[cfg(test)]
    pub(super) fn ended() -> Questions {
        let (_, handle, _) = new_connection_with_strict_check().unwrap();
        Questions { handle }
    }

    /// Waits until the kernel has done what it has announced. RTM_NEWLINK, RTM_DELADDR and
    /// RTM_DELNEXTHOP are sent before the routes that they cost are flushed: a lookup right after them
    /// said yes wrongly in up to 95 % of tries. The question about one link waits for the RTNL lock, under
    /// which the flush is done; after it, a lookup was never wrong.
    ///
    /// # Errors
    /// Where the connection ended.
    pub async fn barrier(&mut self) -> Result<(), AskError> {
        const LOOPBACK_IFINDEX: u32 = 1;
        let mut message = LinkMessage::default();
        message.header.index = LOOPBACK_IFINDEX;
        message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        // Whatever the answer: that there is one is what was waited for.
        self.ask(RouteNetlinkMessage::GetLink(message)).await.map(drop)
    }

    /// The route that the kernel's tables give for an address (RTM_F_FIB_MATCH), as it stands there.
    ///
    /// # Errors
    /// Where the connection ended.
    pub async fn matching_route(&mut self, target: IpAddr, now: Moment) -> Result<Option<Route>, AskError> {
        // Without the second flag IPv4 calls every table main; IPv6 names it anyway and refuses the flag.
        let flags = match target {
            IpAddr::V4(_) => RouteFlags::FibMatch | RouteFlags::LookupTable,
            IpAddr::V6(_) => RouteFlags::FibMatch,
        };
        let Answer::Found(message) = self.route(target, flags).await? else { return Ok(None) };
        let Some(mut route) = decode::dumped_route(RouteNetlinkMessage::NewRoute(message), now) else {
            return Ok(None);
        };
        if route.hops.is_empty() && route.kind == crate::model::RouteKind::Unicast {
            // A nexthop object that the kernel does not spell out (net.ipv4.nexthop_compat_mode=0).
            if let Some(Lookup::Way { ifindex, gateway, .. }) = self.way(target).await? {
                let (dead, linkdown, onlink) = (false, false, false);
                route.hops.push(crate::model::NextHop { ifindex, gateway, dead, linkdown, onlink });
            }
        }
        Ok(Some(route))
    }

    /// The way that a connection there would take. `None` where the answer cannot be decoded.
    ///
    /// # Errors
    /// Where the connection ended.
    pub async fn way(&mut self, target: IpAddr) -> Result<Option<Lookup>, AskError> {
        Ok(match self.route(target, RouteFlags::empty()).await? {
            Answer::Found(message) => decode::lookup(&message),
            Answer::None(errno) => Some(Lookup::None(errno)),
            Answer::Unclear => None,
        })
    }

    async fn route(&mut self, target: IpAddr, flags: RouteFlags) -> Result<Answer, AskError> {
        let mut message = RouteMessage::default();
        (message.header.address_family, message.header.destination_prefix_length) = match target {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        message.header.flags = flags;
        message.attributes.push(RouteAttribute::Destination(target.into()));
        let answer = self.ask(RouteNetlinkMessage::GetRoute(message)).await?;
        Ok(match answer {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(message)) => Answer::Found(message),
            NetlinkPayload::Error(error) if error.raw_code() != 0 => {
                Answer::None(error.raw_code().saturating_neg())
            }
            // An acknowledgement: what it acknowledges could not be decoded.
            NetlinkPayload::Error(_) => Answer::Unclear,
            unexpected => {
                debug!("an unexpected answer to a lookup of {target}: {unexpected:?}");
                Answer::Unclear
            }
        })
    }

    async fn ask(
        &mut self,
        question: RouteNetlinkMessage,
    ) -> Result<NetlinkPayload<RouteNetlinkMessage>, AskError> {
        let mut header = NetlinkHeader::default();
        header.flags = QUESTION;
        let message = NetlinkMessage::new(header, NetlinkPayload::from(question));
        let mut answers = self.handle.request(message).map_err(|_| AskError::Ended)?;
        match answers.next().await {
            Some(answer) => Ok(answer.payload),
            None => Err(AskError::Ended),
        }
    }
}
