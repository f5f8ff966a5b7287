//! Records what the kernel announced in the guest's namespace, and when. netready is measured against this.
//!
//! It shares no code with netready, except the crate that decodes messages.

use std::net::IpAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags};
use netlink_packet_route::link::{LinkAttribute, LinkFlags};
use netlink_packet_route::route::RouteAttribute;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sched::{CloneFlags, setns};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::gettid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A link's carrier (IFF_RUNNING), and how often it was lost.
    Carrier(String, bool, u32),
    Gone(String),
    /// `true` if the address exists and is not tentative.
    Address(IpAddr, bool),
    /// A default route of the main table, with the index of its link. `true` if it was added.
    Default(Family, u32, bool),
}

#[derive(Debug, Clone)]
pub struct Event {
    /// Microseconds of the monotonic clock.
    pub at: u64,
    pub what: What,
}

/// What a case needs before its network is usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    Carrier(&'static str),
    Address(&'static str),
    /// Any address that begins with this text.
    AddressIn(&'static str),
    Default(Family),
}

pub fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    u64::try_from(Duration::from(now).as_micros()).unwrap()
}

/// Listens from before the boot until its events are read.
pub struct Watch {
    events: Arc<Mutex<Vec<Event>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub fn on(namespace: &str) -> Watch {
        let path = format!("/run/netns/{namespace}");
        let events = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (heard, told) = (events.clone(), stop.clone());
        let (ready, subscribed) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            // Only this thread is in that network namespace; the rest of the process stays in its own.
            setns(std::fs::File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
            socket.set_rx_buf_sz(4 << 20).unwrap();
            let timeout = nix::sys::time::TimeVal::new(0, 200_000);
            nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::ReceiveTimeout, &timeout)
                .unwrap();
            // The groups: links, IPv4 and IPv6 addresses, IPv4 and IPv6 routes.
            socket.bind(&SocketAddr::new(0, 0x1 | 0x10 | 0x100 | 0x40 | 0x400)).unwrap();
            // The thread's clock is the measure, so it must run first. Without chrt, the times are only less exact.
            let _ = Command::new("chrt").args(["--fifo", "--pid", "50", &gettid().to_string()]).output();
            ready.send(()).unwrap();
            let mut buffer = vec![0_u8; 1 << 16];
            while !told.load(Ordering::Relaxed) {
                let Ok(length) = socket.recv(&mut &mut buffer[..], 0) else { continue };
                let at = now();
                let mut events = heard.lock().unwrap();
                events.extend(decode(&buffer[..length]).into_iter().map(|what| Event { at, what }));
            }
        });
        subscribed.recv().unwrap();
        Watch { events, stop, thread: Some(thread) }
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn decode(mut bytes: &[u8]) -> Vec<What> {
    let mut said = Vec::new();
    while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
        let length = usize::try_from(message.header.length).unwrap().next_multiple_of(4);
        if let NetlinkPayload::InnerMessage(message) = message.payload {
            said.extend(meaning(message));
        }
        match bytes.get(length..) {
            Some(rest) if length > 0 && !rest.is_empty() => bytes = rest,
            _ => break,
        }
    }
    said
}

fn meaning(message: RouteNetlinkMessage) -> Option<What> {
    match message {
        RouteNetlinkMessage::NewLink(link) => {
            let name = link.attributes.iter().find_map(|a| match a {
                LinkAttribute::IfName(name) => Some(name.clone()),
                _ => None,
            })?;
            let carrier = LinkFlags::Up | LinkFlags::LowerUp | LinkFlags::Running;
            let lost = link.attributes.iter().find_map(|a| match a {
                LinkAttribute::CarrierDownCount(count) => Some(*count),
                _ => None,
            });
            Some(What::Carrier(name, link.header.flags.contains(carrier), lost.unwrap_or_default()))
        }
        RouteNetlinkMessage::DelLink(link) => link.attributes.iter().find_map(|a| match a {
            LinkAttribute::IfName(name) => Some(What::Gone(name.clone())),
            _ => None,
        }),
        RouteNetlinkMessage::NewAddress(address) | RouteNetlinkMessage::DelAddress(address)
            if address.header.prefix_len == 255 =>
        {
            None
        }
        RouteNetlinkMessage::NewAddress(address) => {
            let ip = ip_of(&address.attributes)?;
            let tentative = address.header.flags.contains(AddressHeaderFlags::Tentative)
                || address
                    .attributes
                    .iter()
                    .any(|a| matches!(a, AddressAttribute::Flags(flags) if flags.contains(AddressFlags::Tentative)));
            Some(What::Address(ip, !tentative))
        }
        RouteNetlinkMessage::DelAddress(address) => Some(What::Address(ip_of(&address.attributes)?, false)),
        RouteNetlinkMessage::NewRoute(route) => default(&route, true),
        RouteNetlinkMessage::DelRoute(route) => default(&route, false),
        _ => None,
    }
}

fn ip_of(attributes: &[AddressAttribute]) -> Option<IpAddr> {
    let local = attributes.iter().find_map(|a| match a {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    local.or_else(|| {
        attributes.iter().find_map(|a| match a {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        })
    })
}

fn default(route: &netlink_packet_route::route::RouteMessage, added: bool) -> Option<What> {
    use netlink_packet_route::AddressFamily;
    use netlink_packet_route::route::{RouteHeader, RouteType};
    let family = match route.header.address_family {
        AddressFamily::Inet => Family::V4,
        AddressFamily::Inet6 => Family::V6,
        _ => return None,
    };
    let header = &route.header;
    if header.destination_prefix_length != 0
        || header.table != RouteHeader::RT_TABLE_MAIN
        || header.kind != RouteType::Unicast
    {
        return None;
    }
    let oif = route.attributes.iter().find_map(|a| match a {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })?;
    Some(What::Default(family, oif, added))
}

/// The same events, but a carrier that was lost and came back between two messages of its link has the time of the last
/// change of the LAN between them. The kernel announces a carrier at most once a second, but netready may read the link
/// before the announcement.
pub fn as_it_happened(events: &[Event], changes: &[u64]) -> Vec<Event> {
    let mut events = events.to_vec();
    for at in 1..events.len() {
        let (before, rest) = events.split_at_mut(at);
        let What::Carrier(name, true, lost) = &rest[0].what else { continue };
        let last = before
            .iter()
            .rev()
            .find(|event| matches!(&event.what, What::Carrier(found, ..) if found == name));
        let Some(Event { at: since, what: What::Carrier(_, true, losses) }) = last else { continue };
        let between = changes.iter().filter(|change| (*since..rest[0].at).contains(*change)).max();
        if let Some(change) = between.filter(|_| losses != lost) {
            rest[0].at = *change;
        }
    }
    events
}

#[test]
fn a_flap_counts_from_the_change_of_the_lan_and_not_from_its_announcement() {
    let carrier = |at, running, lost| Event { at, what: What::Carrier("e0".to_owned(), running, lost) };
    let other = Event { at: 25, what: What::Carrier("e1".to_owned(), true, 9) };
    for (second, changes, expected) in [
        // The counter rose. Only changes between the two messages can be the reason.
        (carrier(30, true, 2), vec![5, 12, 20, 31], 20),
        (carrier(30, true, 2), vec![5, 31], 30),
        // A message about something else, or one that itself tells of the loss.
        (carrier(30, true, 1), vec![20], 30),
        (carrier(30, false, 2), vec![20], 30),
    ] {
        let events = [carrier(10, true, 1), other.clone(), second];
        let found: Vec<u64> = as_it_happened(&events, &changes).iter().map(|event| event.at).collect();
        assert_eq!(found, [10, 25, expected], "{changes:?}");
    }
    let came = [carrier(10, false, 1), carrier(30, true, 1)];
    assert_eq!(as_it_happened(&came, &[20])[1].at, 30, "it was announced when it came");
}

/// When the last of these needs was met, judged by the events up to `until`. `None` if one of them was not met.
///
/// A need counts from when it was met for good. A carrier that was lost and came back between two messages (the
/// kernel announces a link's carrier at most once a second) counts from the message whose counter shows the loss.
pub fn usable(events: &[Event], needs: &[Need], until: u64) -> Option<u64> {
    let events: Vec<&Event> = events.iter().filter(|event| event.at <= until).collect();
    let mut last = 0;
    for need in needs {
        let mut met = None;
        let mut losses = 0;
        for event in &events {
            match (need, &event.what) {
                (Need::Carrier(name), What::Carrier(found, running, lost)) if name == found => {
                    let since = if *lost == losses { met.unwrap_or(event.at) } else { event.at };
                    met = running.then_some(since);
                    losses = *lost;
                }
                (Need::Carrier(name), What::Gone(found)) if name == found => met = None,
                (Need::Address(ip), What::Address(found, usable)) if *ip == found.to_string() => {
                    met = usable.then(|| met.unwrap_or(event.at));
                }
                (Need::AddressIn(start), What::Address(found, usable))
                    if found.to_string().starts_with(start) =>
                {
                    met = usable.then(|| met.unwrap_or(event.at));
                }
                (Need::Default(family), What::Default(found, _, added)) if family == found => {
                    met = added.then(|| met.unwrap_or(event.at));
                }
                _ => {}
            }
        }
        last = last.max(met?);
    }
    Some(last)
}
