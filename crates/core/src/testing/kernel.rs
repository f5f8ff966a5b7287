//! A simulated kernel: links, addresses, routes, rules and nexthop objects, with Linux's rules of life. It has no
//! threads and no clock, so that a test decides what happens between any two steps of its work.
//!
//! An operation is a line in the words of ip(8), such as `link set va0 down`. The kernel does not do it at once:
//! [`Kernel::begin`] takes the RTNL lock and lists the [`Work`], and [`Kernel::advance`] does one piece of it. Between
//! two pieces, a lookup sees what is done so far. So "announced before it is done" is a place between two pieces.
//!
//! Every rule was measured or read in Linux 6.18. `src/netlink/tests/simulated.rs` of the crate netready runs the same
//! operations in a network namespace and compares the announcements, the tables and the answers.
//!
//! Left out: bridges, VRFs and other kinds of links, router advertisements, neighbours, and IPv6 multipath routes.

mod answers;
mod fib;
mod parse;
mod work;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

pub use fib::ENETUNREACH;
pub use work::Work;

use crate::model::{Address, Link, Message, NextHop, Operstate, Route};
use crate::moment::Moment;
use crate::requirement::Family;
use crate::testing::{IFF_LOOPBACK, IFF_LOWER_UP, IFF_RUNNING, IFF_UP};

/// How long duplicate address detection takes. (The kernel adds up to a second by chance.)
const DETECTION: Duration = Duration::from_millis(1500);
/// The kernel tells of the carrier of a real card once in this time at most (linkwatch).
const LINKWATCH: Duration = Duration::from_secs(1);
/// How long an IPv6 route stays in its table after it expired.
const GARBAGE: Duration = Duration::from_secs(30);

const IFA_F_SECONDARY: u32 = 0x01;
const IFA_F_NODAD: u32 = 0x02;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_PERMANENT: u32 = 0x80;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_HOST: u8 = 254;

const TABLE_LOCAL: u32 = 255;

/// A network device.
#[derive(Debug, Clone)]
struct Device {
    ifindex: u32,
    ifname: String,
    loopback: bool,
    admin_up: bool,
    /// The other end is up.
    cable: bool,
    carrier: bool,
    /// The operational state, which linkwatch sets.
    operstate: Operstate,
    carrier_down_count: u32,
    /// A real card. The carrier of other links is told at once.
    hardware: bool,
    /// When linkwatch last told of this link.
    told: Option<Moment>,
    /// Linkwatch has something to tell.
    watched: bool,
    /// Linkwatch told that carrier was lost.
    told_down: bool,
    /// Since when it is ready for IPv6: it was seen up with carrier.
    ipv6_ready: bool,
    /// net.ipv6.conf.LINK.keep_addr_on_down
    keeps_addresses: bool,
    /// net.ipv4.conf.LINK.promote_secondaries
    promotes: bool,
}

/// A route in a table.
#[derive(Debug, Clone)]
struct Entry {
    route: Route,
}

/// A policy rule.
#[derive(Debug, Clone, PartialEq)]
struct Rule {
    preference: u32,
    to: IpNet,
    /// The table that is looked up. `None` if the rule refuses (`unreachable`).
    table: Option<u32>,
}

/// What happens at a time.
#[derive(Debug, Clone, PartialEq)]
enum Timer {
    Linkwatch(u32),
    Detected(u32, IpAddr),
    Collect,
}

/// The kernel could not do an operation. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// The simulated kernel. The description of the module tells how it works.
#[derive(Debug, Clone)]
pub struct Kernel {
    now: Moment,
    devices: BTreeMap<u32, Device>,
    last_ifindex: u32,
    /// In the order in which they came.
    addresses: Vec<Address>,
    /// Of all tables, in the kernel's order within each destination.
    entries: Vec<Entry>,
    nexthops: BTreeMap<u32, NextHop>,
    rules: Vec<Rule>,
    /// The links with ignore_routes_with_linkdown; `None` is `all`.
    ignores_linkdown: BTreeSet<(Family, Option<u32>)>,
    /// Addresses that somebody else on the network has.
    taken: BTreeSet<IpAddr>,
    work: VecDeque<Work>,
    timers: Vec<(Moment, Timer)>,
    announced: Vec<Message>,
}

impl Kernel {
    /// A kernel with a loopback link that is up.
    pub fn new(now: Moment) -> Kernel {
        let mut kernel = Kernel {
            now,
            devices: BTreeMap::new(),
            last_ifindex: 0,
            addresses: Vec::new(),
            entries: Vec::new(),
            nexthops: BTreeMap::new(),
            rules: Vec::new(),
            ignores_linkdown: BTreeSet::new(),
            taken: BTreeSet::new(),
            work: VecDeque::new(),
            timers: Vec::new(),
            announced: Vec::new(),
        };
        kernel.add_device("lo", None, false);
        let lo = kernel.devices.get_mut(&1).unwrap();
        (lo.loopback, lo.carrier, lo.cable, lo.admin_up, lo.ipv6_ready) = (true, true, true, true, true);
        lo.operstate = Operstate::Unknown;
        kernel.do_all("addr add 127.0.0.1/8 dev lo");
        kernel.do_all("addr add ::1/128 dev lo");
        kernel.announced.clear();
        kernel
    }

    /// Does an operation from its beginning to its end. A refusal is ignored, as a script ignores it.
    pub fn do_all(&mut self, line: &str) {
        let _ = self.begin(line);
        self.finish();
    }

    /// Begins an operation, once the work in hand is done.
    ///
    /// # Errors
    /// Where the kernel refuses it.
    pub fn begin(&mut self, line: &str) -> Result<(), Refused> {
        self.finish();
        let work = self.plan(line)?;
        self.work.extend(work);
        Ok(())
    }

    /// Whether somebody holds the RTNL lock.
    pub fn is_busy(&self) -> bool {
        !self.work.is_empty()
    }

    /// Does the next piece of the work in hand.
    pub fn advance(&mut self) {
        if let Some(work) = self.work.pop_front() {
            self.work_on(work);
        }
    }

    /// Does all of the work in hand.
    pub fn finish(&mut self) {
        while self.is_busy() {
            self.advance();
        }
    }

    /// When the next timer of the kernel is due.
    pub fn next_timer(&self) -> Option<Moment> {
        self.timers.iter().map(|(at, _)| *at).min()
    }

    /// Lets time pass up to this moment, or to the next timer before it. What a timer does waits for the RTNL lock.
    pub fn pass_until(&mut self, until: Moment) {
        let due = self.next_timer().filter(|at| *at <= until);
        self.now = self.now.max(due.unwrap_or(until));
        let now = self.now;
        let (due, later) = core::mem::take(&mut self.timers).into_iter().partition(|(at, _)| *at <= now);
        self.timers = later;
        let mut due: Vec<(Moment, Timer)> = due;
        due.sort_by_key(|(at, _)| *at);
        for (_, timer) in due {
            self.work.push_back(match timer {
                Timer::Linkwatch(ifindex) => Work::Linkwatch(ifindex),
                Timer::Detected(ifindex, address) => Work::Detected(ifindex, address),
                Timer::Collect => Work::Collect,
            });
        }
    }

    /// The time, which only [`pass_until`](Kernel::pass_until) changes.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// What was announced since the last call.
    pub fn take_announced(&mut self) -> Vec<Message> {
        core::mem::take(&mut self.announced)
    }

    fn add_device(&mut self, ifname: &str, ifindex: Option<u32>, hardware: bool) -> u32 {
        self.last_ifindex = self.last_ifindex.max(ifindex.unwrap_or(self.last_ifindex + 1));
        let ifindex = ifindex.unwrap_or(self.last_ifindex);
        let device = Device {
            ifindex,
            ifname: ifname.to_owned(),
            loopback: false,
            admin_up: false,
            cable: true,
            carrier: false,
            operstate: Operstate::Down,
            carrier_down_count: 0,
            hardware,
            told: None,
            watched: false,
            told_down: true,
            ipv6_ready: false,
            keeps_addresses: false,
            promotes: false,
        };
        self.devices.insert(ifindex, device);
        ifindex
    }

    fn device(&self, ifname: &str) -> Result<&Device, Refused> {
        self.devices.values().find(|device| device.ifname == ifname).ok_or(Refused)
    }

    fn device_mut(&mut self, ifindex: u32) -> Option<&mut Device> {
        self.devices.get_mut(&ifindex)
    }

    /// The carrier of a link changes, and linkwatch has something to tell.
    fn set_carrier(&mut self, ifindex: u32, carrier: bool) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(&ifindex).filter(|device| device.carrier != carrier) else {
            return;
        };
        device.carrier = carrier;
        device.carrier_down_count += u32::from(!carrier);
        if core::mem::replace(&mut device.watched, true) {
            return;
        }
        // A link that was told to have lost carrier has no queue, so its return is told at once.
        let urgent = !device.hardware || (carrier && device.told_down);
        let earliest = device.told.map_or(now, |told| told + LINKWATCH);
        let at = if urgent { now } else { earliest.max(now) };
        self.timers.push((at, Timer::Linkwatch(ifindex)));
    }
}

impl Device {
    fn link(&self) -> Link {
        let operstate = if self.admin_up { self.operstate } else { Operstate::Down };
        let running = self.admin_up && matches!(operstate, Operstate::Up | Operstate::Unknown);
        let flag = |on: bool, flag: u32| if on { flag } else { 0 };
        Link {
            ifindex: self.ifindex,
            ifname: self.ifname.clone(),
            flags: flag(self.admin_up, IFF_UP)
                | flag(self.admin_up && self.carrier, IFF_LOWER_UP)
                | flag(running, IFF_RUNNING)
                | flag(self.loopback, IFF_LOOPBACK),
            operstate,
            kind: if self.loopback { String::new() } else { "veth".to_owned() },
            carrier_down_count: self.carrier_down_count,
            ..Link::default()
        }
    }
}
