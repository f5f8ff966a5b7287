//! Reads lists by dumps: links and addresses, and routing tables if a lookup does not tell enough. Only what
//! is wanted is kept, so the memory that is used does not grow with a table.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::ControlFlow;

use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use tracing::warn;

use crate::clock;
use crate::model::{Address, Link, PastaView, TableRoutes};
use crate::moment::Moment;
use crate::netlink::decode::{
    Frame, dumped, dumped_address, dumped_link, dumped_route, link_of_entry, nexthop_object,
};
use crate::netlink::socket::{DumpError, DumpSink, RequestSocket};
use crate::refresh::ReadTable;
use crate::requirement::{Family, TABLE_MAIN};
use crate::wants::SHORT;

/// All links and addresses. An address that is added between the two lists is announced too.
pub async fn links(dumps: &mut RequestSocket) -> Result<(Vec<Link>, Vec<Address>), DumpError> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let mut links = List::new(dumped_link);
    dumps.dump("links", RouteNetlinkMessage::GetLink(message), &mut links).await?;
    let mut addresses = List::new(dumped_address);
    let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    dumps.dump("addresses", message, &mut addresses).await?;
    for line in links.undecodable("link").chain(addresses.undecodable("an address of link")) {
        warn!("{line}");
    }
    Ok((links.entries, addresses.entries))
}

struct List<T> {
    convert: fn(Frame<'_>) -> Option<T>,
    entries: Vec<T>,
    /// The numbers of their links.
    undecodable: BTreeSet<u32>,
}

impl<T> List<T> {
    fn new(convert: fn(Frame<'_>) -> Option<T>) -> List<T> {
        List { convert, entries: Vec::new(), undecodable: BTreeSet::new() }
    }

    fn undecodable(&self, what: &str) -> impl Iterator<Item = String> {
        self.undecodable.iter().map(move |ifindex| {
            format!("cannot decode what the kernel says of {what} number {ifindex}: it counts as absent")
        })
    }
}

impl<T> DumpSink for List<T> {
    fn begin(&mut self) {
        self.entries.clear();
        self.undecodable.clear();
    }

    fn see(&mut self, frame: Frame<'_>) -> ControlFlow<()> {
        match (self.convert)(frame) {
            Some(entry) => self.entries.push(entry),
            None => self.undecodable.extend(link_of_entry(frame)),
        }
        ControlFlow::Continue(())
    }
}

/// Reads one family's table.
pub async fn read(dumps: &mut RequestSocket, table: &ReadTable) -> Result<TableRoutes, DumpError> {
    let mut message = RouteMessage::default();
    message.header.address_family = match table.family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    message.attributes.push(RouteAttribute::Table(table.id));
    let mut sink = TableSink {
        table: TableRoutes {
            family: table.family,
            id: table.id,
            routes: Vec::new(),
            pasta: None,
            refuses: false,
        },
        objects: Vec::new(),
        wanted: &table.destinations,
        pasta: table.pasta,
        now: clock::now(),
    };
    dumps.dump("routes", RouteNetlinkMessage::GetRoute(message), &mut sink).await?;
    let TableSink { mut table, objects, .. } = sink;
    for (place, id) in objects {
        if let Some(route) = table.routes.get_mut(place) {
            dumps.spell_out(route, id).await?;
        }
    }
    Ok(table)
}

struct TableSink<'a> {
    table: TableRoutes,
    /// The routes that use a nexthop object, by their place in `table`, and the number of the object.
    objects: Vec<(usize, u32)>,
    wanted: &'a [ipnet::IpNet],
    pasta: bool,
    now: Moment,
}

impl TableSink<'_> {
    /// struct rtmsg of linux/rtnetlink.h: the prefix length stands in its second octet. Most entries
    /// of a large table are dropped by it, undecoded.
    fn may_matter(&self, frame: &Frame<'_>) -> bool {
        let Some(length) = frame.payload.get(1) else { return false };
        self.pasta_undecided() || self.wanted.iter().any(|prefix| prefix.prefix_len() == *length)
    }

    fn pasta_undecided(&self) -> bool {
        self.pasta && self.table.pasta.as_ref().is_none_or(|view| view.default.is_none())
    }

    /// IPv4 tables are listed by ascending destination: past 0.0.0.0 no default comes any more, and where
    /// nothing else is wanted the rest need not be read. (IPv6 defaults come last.)
    fn enough(&self, frame: &Frame<'_>) -> bool {
        let only_defaults = self.wanted.iter().all(|prefix| prefix.prefix_len() == 0);
        let chosen = self.table.pasta.as_ref().is_some_and(|view| view.taken().is_some());
        self.table.family == Family::V4
            && only_defaults
            && (!self.pasta || chosen)
            && past_zero(frame, self.table.id)
    }
}

impl DumpSink for TableSink<'_> {
    fn begin(&mut self) {
        self.table.routes.clear();
        self.objects.clear();
        self.table.pasta = self.pasta.then(PastaView::default);
        self.table.refuses = false;
    }

    fn see(&mut self, frame: Frame<'_>) -> ControlFlow<()> {
        self.table.refuses |= self.table.id == TABLE_MAIN && refuses_much(&frame);
        if self.may_matter(&frame) {
            let with_object = |message| {
                let object = nexthop_object(&message);
                dumped_route(message, self.now).map(|route| (route, object))
            };
            let route = dumped(frame, with_object);
            if let Some((route, object)) = route.filter(|(route, _)| route.table == self.table.id) {
                if let Some(view) = &mut self.table.pasta {
                    view.see(&route);
                }
                if self.wanted.contains(&route.destination) {
                    self.objects.extend(object.map(|id| (self.table.routes.len(), id)));
                    self.table.routes.push(route);
                }
            }
        }
        if self.enough(&frame) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Whether an entry of the main table refuses a large part of the internet, by struct rtmsg of linux/rtnetlink.h: the
/// prefix length, the table and the type of the route.
fn refuses_much(frame: &Frame<'_>) -> bool {
    let octet = |at: usize| frame.payload.get(at).copied().unwrap_or_default();
    let short = (1..=SHORT).contains(&octet(1)) && u32::from(octet(4)) == TABLE_MAIN;
    short
        && [libc::RTN_BLACKHOLE, libc::RTN_UNREACHABLE, libc::RTN_PROHIBIT, libc::RTN_THROW]
            .contains(&octet(7))
}

/// Whether an entry of an IPv4 table leads to a network above 0.0.0.0. The kernel writes RTA_TABLE first
/// and RTA_DST second (fib_dump_info); where they do not stand there, it is not known.
fn past_zero(frame: &Frame<'_>, table: u32) -> bool {
    const RTMSG: usize = 12;
    let attribute = |at: usize, kind: u16| {
        let header = frame.payload.get(at..at + 4)?;
        let (length, rest) = header.split_first_chunk::<2>()?;
        let found = u16::from_ne_bytes(*rest.first_chunk::<2>()?);
        let fits = u16::from_ne_bytes(*length) == 8 && found == kind;
        frame.payload.get(at + 4..at + 8)?.first_chunk::<4>().filter(|_| fits)
    };
    let of_table = attribute(RTMSG, libc::RTA_TABLE).is_some_and(|id| u32::from_ne_bytes(*id) == table);
    let destination = attribute(RTMSG + 8, libc::RTA_DST).map(|octets| IpAddr::from(*octets));
    of_table && destination.is_some_and(|destination| !destination.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that cannot be decoded is named by its number, and all other links count.
    #[test]
    fn what_cannot_be_decoded_is_told_by_its_number() {
        let frame = |payload| Frame { kind: libc::RTM_NEWLINK, flags: 0, sequence: 0, port: 0, payload };
        let mut header = [0; 16];
        header[4..8].copy_from_slice(&7_u32.to_ne_bytes());
        let broken = [&header[..], &[3, 0, 3, 0]].concat();
        header[4..8].copy_from_slice(&8_u32.to_ne_bytes());
        let sound = [&header[..], &[8, 0, 3, 0], b"eth0"].concat();
        let mut links = List::new(dumped_link);
        for payload in [&broken, &sound, &broken] {
            assert!(links.see(frame(payload)).is_continue());
        }
        assert_eq!(links.entries.iter().map(|link| link.ifindex).collect::<Vec<_>>(), [8]);
        assert_eq!(
            links.undecodable("link").collect::<Vec<_>>(),
            ["cannot decode what the kernel says of link number 7: it counts as absent"]
        );
        links.begin();
        assert_eq!(links.undecodable("link").count() + links.entries.len(), 0);
    }
}
