//! The refresh planner: what must be read from the kernel again, in which order, and when. Pure: the network
//! layer executes the plan one [`Read`] at a time and hands back what it [`Found`].
//!
//! ```text
//! something is stale ─▶ barrier, if one is due ─▶ links ─▶ route lookups ─▶ tables that the verdict needs ─▶ current
//! ```
//!
//! The planner is also the only source of [`Current`], without which nobody can judge a network.

use alloc::collections::{BTreeSet, VecDeque};
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::budget::{Budget, Spacing};
use crate::evaluate::evaluate;
use crate::model::{
    Address, Link, Lookup, Message, Network, Route, RouteKind, RouteQuery, Routes, Stale, TableRoutes,
};
use crate::moment::Moment;
use crate::requirement::{Family, Gate, RouteTo, TABLE_MAIN, Table};
use crate::verdict::Verdict;
use crate::wants::{SHORT, Wants, ordinary, probes};

/// One thing to read from the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A question that the kernel answers only when it has finished what it announced.
    Barrier,
    /// All links and all addresses. After the lists are read, the kernel must have finished adding the addresses that
    /// are in them: a barrier.
    Links,
    /// The way that a connection would take.
    Path {
        /// The gate's requirement, by which the answer is filed.
        wanted: RouteTo,
        /// The question for the kernel, in which links have numbers instead of names.
        asked: RouteQuery,
    },
    /// The route that the kernel's tables give for the first of these addresses, which stand for a prefix. If
    /// a more specific route hides the prefix from one address, the next address is asked about.
    Matching {
        /// The addresses that are left to be asked for.
        probes: VecDeque<IpAddr>,
        /// The destination prefix that the gate asks about.
        prefix: IpNet,
        /// The number of the routing table that the gate asks about.
        table: u32,
        /// Whether to ask as connect(2) does: the kernel selects a source address, and then looks the route up again with
        /// that address. So policy rules that match a source address take part.
        connects: bool,
    },
    /// The route that a connection to the first of these addresses takes. The addresses are spread over the internet, so
    /// the answers are true of ordinary traffic. netready asks this if the main table has a default route, but no lookup
    /// answered with it.
    Ordinary {
        /// The addresses that are left to be asked for.
        addresses: VecDeque<IpAddr>,
        /// The default prefix of their family.
        prefix: IpNet,
    },
    /// A routing table, as far as it is wanted.
    Table(ReadTable),
    /// The route to the gateway of the default route that pasta would take.
    Gateway {
        /// The family of the default route.
        family: Family,
        /// The gateway of the default route.
        gateway: IpAddr,
        /// The link that it leaves through.
        ifindex: u32,
    },
}

/// What to read of a routing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadTable {
    /// The family of its routes.
    pub family: Family,
    /// The number of the table (RTA_TABLE).
    pub id: u32,
    /// The destinations that are wanted of it.
    pub destinations: Vec<IpNet>,
    /// Whether what pasta would take is wanted too.
    pub pasta: bool,
}

/// What a [`Read`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The kernel has finished what it announced.
    Passed,
    /// All links and addresses.
    Links(Vec<Link>, Vec<Address>),
    /// The answer for a target; `None` where it cannot be decoded.
    Path(Option<Lookup>),
    /// The route for an address, if there is one.
    Route(Option<Route>),
    /// The routes of a table.
    Table(TableRoutes),
    /// The kernel changed the list while it was read (NLM_F_DUMP_INTR), again and again.
    Interrupted,
    /// It could not be read.
    Failed,
}

/// The proof that a network is current: everything that was announced has been taken in, and everything that
/// went stale by it has been read again.
#[derive(Debug, Clone, Copy)]
pub struct Current<'a>(&'a Network);

impl<'a> Current<'a> {
    /// Evaluates the gate against this network, which is current.
    pub fn judge(self, gate: &Gate, now: Moment) -> Verdict {
        evaluate(gate, self.0, now)
    }
}

/// Whether the barrier must be passed before routes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Barrier {
    /// No barrier is needed: the kernel had done everything before it announced it.
    NotNeeded,
    /// A link gained carrier or an IPv4 address. A route that is found live is live; one that is found dead may only
    /// not have been told yet.
    BeforeNo,
    /// Something may have been announced that the kernel has not done yet: a route that is found may be about
    /// to go.
    Always,
}

/// What is known about IPv6 routes that the kernel shows without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endless {
    /// They may end in a moment: in its last 10 ms, the kernel shows a route as if it never ended.
    Unsure,
    /// They are read once more at this moment.
    ReadAt(Moment),
    /// They were still there long after the first reading, so they have no end.
    Sure,
}

/// One pass of reading, from the first stale thing to a current network.
#[derive(Debug, Clone)]
struct Pass {
    routes: bool,
    lookups: bool,
    todo: VecDeque<Read>,
    /// A table was read: those that are still needed follow whatever they cost. Else two large tables, each of
    /// which uses the budget up, would never be known at the same time.
    in_tables: bool,
    /// Default routes of the main table that no lookup came to.
    unanswered: BTreeSet<IpNet>,
}

impl Pass {
    /// Returns a default route that is in the main table and has not expired, although no lookup came to it.
    fn contradiction(&mut self, network: &Network, now: Moment) -> Option<IpNet> {
        let stands = |prefix: &&IpNet| {
            let mut routes = network.routes.to(**prefix, TABLE_MAIN).iter();
            routes.any(|route| {
                let ordinary = route.kind == RouteKind::Unicast && route.tos == 0;
                ordinary && !route.expired(now) && route.hops.iter().any(|hop| !hop.dead)
            })
        };
        let prefix = self.unanswered.iter().find(stands).copied()?;
        self.unanswered.remove(&prefix);
        Some(prefix)
    }
}

/// Plans what to read.
#[derive(Debug, Clone)]
pub struct Refresh {
    wants: Wants,
    stale: Stale,
    barrier: Barrier,
    /// IPv4 addresses that bind(2) may refuse, because nothing that was announced since says that the kernel has finished
    /// adding them.
    unfinished: Unfinished,
    /// Links and addresses were read, and notifications that are older than that may still wait.
    may_hear_of_the_past: bool,
    /// The barrier must be passed though nothing is stale, because a verdict rests on that address.
    must_finish: bool,
    pass: Option<Pass>,
    budget: Budget,
    spacing: Spacing,
    /// When the reading that was put off is due.
    put_off_until: Option<Moment>,
    /// When the first of the routes that were read expires.
    expiry: Option<Moment>,
    /// When the last route expired, while the kernel may still show it without an expiry.
    expired: Option<Moment>,
    /// When to read again for that.
    again: Option<Moment>,
    endless: Endless,
    was_current: bool,
    /// Links that were found to have lost carrier since they were read before.
    flapped: Vec<u32>,
    /// The verdict by which the last pass ended.
    judged: Option<Verdict>,
}

impl Refresh {
    /// A planner for which everything is stale. Subscribe to the kernel's notifications first.
    pub fn new(gate: &Gate, now: Moment) -> Refresh {
        Refresh {
            wants: Wants::of(gate),
            stale: Stale::ALL,
            // Something may have been announced before the subscription.
            barrier: Barrier::Always,
            unfinished: Unfinished::default(),
            may_hear_of_the_past: false,
            must_finish: false,
            pass: None,
            budget: Budget::new(now),
            spacing: Spacing::default(),
            put_off_until: None,
            expiry: None,
            expired: None,
            again: None,
            endless: Endless::Unsure,
            was_current: false,
            flapped: Vec::new(),
            judged: None,
        }
    }

    /// Plans for another gate from now on: everything is stale.
    pub fn rewant(&mut self, gate: &Gate) {
        self.wants = Wants::of(gate);
        self.stale = Stale::ALL;
        self.pass = None;
        self.endless = Endless::Unsure;
    }

    /// What is worth reading.
    pub fn wants(&self) -> &Wants {
        &self.wants
    }

    /// Takes a notification in, and notes what it makes stale.
    pub fn take_in(&mut self, message: &Message, network: &mut Network) {
        self.barrier = self.barrier.max(barrier_for(message, network));
        self.unfinished.take_in(message, network);
        self.stale.links |= self.may_hear_of_the_past && ends_detection(message, network);
        let stale = network.apply(message, &self.wants);
        if stale.routes || stale.lookups {
            self.endless = Endless::Unsure;
        }
        self.stale = self.stale.or(stale);
        // After the message of an IPv4 address, the kernel makes next hops of its link usable that were dead (seen on
        // Linux 6.18). It announces nothing then.
        let may_revive = matches!(message, Message::Address(address) if address.local.is_ipv4());
        if may_revive && (self.pass.is_some() || self.stale.any()) {
            self.barrier = self.barrier.max(Barrier::BeforeNo);
        }
    }

    /// Notifications were lost that may have told of this. It is read again: at once the first time, then at
    /// growing distances.
    pub fn lost(&mut self, stale: Stale, now: Moment) {
        self.barrier = Barrier::Always;
        self.endless = Endless::Unsure;
        match self.spacing.next(stale, now) {
            None => self.stale = self.stale.or(stale),
            Some(at) => self.put_off_until(at),
        }
    }

    /// Takes a verdict in that depends on tables that were not read, and plans to read them.
    pub fn read_tables(&mut self) {
        self.stale = self.stale.or(Stale::ROUTES);
    }

    /// No more notifications wait: the next one is newer than all that was read.
    pub fn drained(&mut self) {
        self.may_hear_of_the_past = false;
    }

    /// Takes a verdict in. Returns whether the barrier must be passed before the verdict counts: it rests on an IPv4
    /// address that bind(2) may still refuse.
    pub fn must_finish(&mut self, verdict: &Verdict) -> bool {
        self.must_finish = self.unfinished.addresses().any(|address| verdict.rests_on_address(*address));
        if self.must_finish {
            self.barrier = Barrier::Always;
        }
        self.must_finish
    }

    /// Everything is read again, whatever was announced. The kernel tells of a link's carrier once a second at
    /// most. What came and went in between stands in a counter, which only reading shows.
    pub fn read_all(&mut self) {
        self.stale = Stale::ALL;
    }

    /// What time makes stale: what was put off is due, or a route has expired. (A router's next advertisement
    /// prolongs a route without a message.)
    pub fn wake(&mut self, now: Moment) {
        if self.put_off_until.is_some_and(|at| at <= now) {
            self.put_off_until = None;
            self.stale = self.stale.or(self.spacing.take_owed());
        }
        if self.expiry.is_some_and(|at| at <= now) {
            self.expired = self.expiry.take();
            self.endless = Endless::Unsure;
            self.stale = self.stale.or(Stale::ROUTES);
        }
        if self.again.is_some_and(|at| at <= now) {
            self.again = None;
            self.stale = self.stale.or(Stale::ROUTES);
        }
        if matches!(self.endless, Endless::ReadAt(at) if at <= now) {
            self.endless = Endless::Sure;
            self.stale = self.stale.or(Stale::ROUTES);
        }
    }

    /// Whether routes were read so near to the end of one that the kernel may have shown it without an end. They are
    /// read again soon.
    pub fn is_near_expiry(&self) -> bool {
        self.again.is_some()
    }

    /// When to wake though nothing happens.
    pub fn deadline(&self) -> Option<Moment> {
        let endless = if let Endless::ReadAt(at) = self.endless { Some(at) } else { None };
        [self.put_off_until, self.expiry, self.again, endless].into_iter().flatten().min()
    }

    /// Whether something that was lost has not been read again yet.
    pub fn is_behind(&self) -> bool {
        self.spacing.owes()
    }

    /// Whether everything was read at least once. From then on an error of reading is waited out.
    pub fn was_current(&self) -> bool {
        self.was_current
    }

    /// The network, if it is current. Call it when no more notifications are there.
    pub fn current<'a>(&self, network: &'a Network) -> Option<Current<'a>> {
        let current = self.pass.is_none() && !self.stale.any() && !self.is_behind();
        current.then_some(Current(network))
    }

    /// The network as far as it is known, for a `check` that has looked often enough: where it changes faster
    /// than it can be read, there is no better answer.
    pub fn as_it_is<'a>(&self, network: &'a Network) -> Current<'a> {
        Current(network)
    }

    /// The links that reading found to have lost carrier since the last call, even if it is back.
    pub fn take_flapped(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.flapped)
    }

    /// The verdict by which the last pass ended, once. It counts as long as the network has not changed since.
    pub fn take_judged(&mut self) -> Option<Verdict> {
        self.judged.take()
    }

    /// What to read next. `None` if nothing is left. Call [`Refresh::found`] with the result before asking
    /// for the next one.
    pub fn next(&mut self, gate: &Gate, network: &mut Network, now: Moment) -> Option<Read> {
        loop {
            let needed = self.pass.is_some() || self.stale.any() || self.must_finish;
            if self.barrier == Barrier::Always && needed {
                // First, so that reading links, which takes the same lock in the kernel, finds it free.
                return Some(Read::Barrier);
            }
            if self.pass.is_none() && self.stale.links {
                return Some(Read::Links);
            }
            let Some(pass) = &mut self.pass else {
                self.begin_pass(network)?;
                continue;
            };
            if let Some(read) = pass.todo.pop_front() {
                return Some(read);
            }
            if let Some(prefix) = pass.contradiction(network, now) {
                let addresses = ordinary(Family::of(prefix.addr())).into();
                return Some(Read::Ordinary { addresses, prefix });
            }
            let verdict = evaluate(gate, network, now);
            if let Some((family, id)) = verdict.unread.iter().next().filter(|_| pass.routes) {
                if let Some(at) = self.budget.wait(now).filter(|_| !pass.in_tables) {
                    self.put_off(Stale::ROUTES, at);
                    return None;
                }
                pass.in_tables = true;
                return Some(Read::Table(self.table(*family, *id, network)));
            }
            if self.barrier == Barrier::BeforeNo && !verdict.ready() {
                self.barrier = Barrier::Always;
                self.stale =
                    self.stale.or(Stale { links: false, routes: pass.routes, lookups: pass.lookups });
                self.pass = None;
                continue;
            }
            self.barrier = Barrier::NotNeeded;
            self.pass = None;
            self.was_current = true;
            self.judged = Some(verdict);
            self.expect_expiry(network, now);
        }
    }

    /// Fills in what can be asked by lookups, which cost the same at any size of a table; tables are read only
    /// where a "no" may come of what a lookup cannot say.
    fn begin_pass(&mut self, network: &mut Network) -> Option<()> {
        if !self.stale.any() {
            return None;
        }
        let stale = core::mem::take(&mut self.stale);
        let mut pass = Pass {
            routes: stale.routes && self.wants.any_table(),
            lookups: stale.lookups && !self.wants.route_to.is_empty(),
            todo: VecDeque::with_capacity(self.wants.route_to.len() + self.wants.routes.len()),
            in_tables: false,
            unanswered: BTreeSet::new(),
        };
        if pass.lookups {
            network.lookups.clear();
            // If a link that it names is not there, the evaluation says so.
            let ways = self.wants.route_to.iter().filter_map(|wanted| {
                Some(Read::Path { wanted: wanted.clone(), asked: network.route_query(wanted)? })
            });
            pass.todo.extend(ways);
        }
        if pass.routes {
            network.routes = Routes::default();
            for (prefix, table) in &self.wants.routes {
                let Some(table) = network.table_id(table) else { continue };
                let connects = self.wants.is_default(prefix, table);
                let probes = probes(prefix).into();
                pass.todo.push_back(Read::Matching { probes, prefix: *prefix, table, connects });
            }
        }
        self.pass = Some(pass);
        Some(())
    }

    /// Takes in what a read found. `began`: when it was begun.
    pub fn found(&mut self, read: Read, found: Found, network: &mut Network, began: Moment, now: Moment) {
        match (read, found) {
            (Read::Barrier, Found::Passed) => {
                self.barrier = Barrier::NotNeeded;
                self.unfinished = Unfinished::default();
                self.must_finish = false;
            }
            (Read::Links, Found::Links(links, addresses)) => {
                self.flapped.extend(network.replace_links(links, addresses));
                self.stale = Stale { links: false, ..Stale::ALL };
                self.may_hear_of_the_past = true;
            }
            (Read::Path { wanted, .. }, Found::Path(lookup)) => {
                if let Some(lookup) = lookup {
                    network.lookups.insert(wanted, lookup);
                }
            }
            (Read::Matching { mut probes, prefix, table, connects }, Found::Route(route)) => match route {
                Some(route) if route.destination == prefix && route.table == table => {
                    network.routes.add(route.clone());
                    network.routes.choose(route);
                }
                // A more specific route, or another table, hides the prefix from this address.
                Some(_) if probes.len() > 1 => {
                    probes.pop_front();
                    self.ask_next(Read::Matching { probes, prefix, table, connects });
                }
                // Nothing leads there, and in general nothing leads to the rest of the prefix by this table then. Or all
                // addresses are led elsewhere. Nobody sends packets to them, so that tells nothing about ordinary traffic.
                Some(_) | None => {
                    let is_default = self.wants.is_default(&prefix, table);
                    if let Some(pass) = self.pass.as_mut().filter(|_| is_default) {
                        pass.unanswered.insert(prefix);
                    }
                }
            },
            (Read::Ordinary { mut addresses, prefix }, Found::Route(route)) => {
                addresses.pop_front();
                let routes = &mut network.routes;
                match route {
                    Some(route) if route.destination.prefix_len() > SHORT => {
                        // Only this part of the internet is led elsewhere, and changes of such routes are not followed.
                        routes.preferred.remove(&prefix);
                    }
                    Some(route)
                        if route.destination == prefix
                            && route.table == TABLE_MAIN
                            && route.source.is_none() =>
                    {
                        routes.choose(route);
                    }
                    found => {
                        // IPv6 names a route that refuses.
                        let leads = |route: &Route| route.kind == RouteKind::Unicast;
                        found.into_iter().filter(leads).for_each(|route| routes.prefer(prefix, route));
                        if !addresses.is_empty() {
                            self.ask_next(Read::Ordinary { addresses, prefix });
                        } else if !routes.preferred.contains_key(&prefix) {
                            routes.unreached.insert(prefix);
                        }
                    }
                }
            }
            (Read::Table(table), Found::Table(routes)) => {
                self.budget.spent(now - began, now);
                routes.put_into(&mut network.routes);
                if table.pasta {
                    self.ask_for_gateways(table.family, network);
                }
            }
            (Read::Gateway { family, ifindex, .. }, Found::Route(route)) => {
                let on_link = |route: Route| {
                    route.hops.iter().any(|hop| hop.ifindex == ifindex && hop.gateway.is_none())
                };
                if let Some(view) = network.routes.pasta.get_mut(&family) {
                    view.gateway_on_link |= route.is_some_and(on_link);
                }
            }
            // Under a storm that interrupts every dump there are events that bring us back; the delay is for
            // the moment when it ends.
            (read, _) => {
                let stale = if matches!(read, Read::Table(..)) { Stale::ROUTES } else { Stale::ALL };
                self.barrier = self.barrier.max(Barrier::Always);
                // What else is stale waits too, or a failure would be followed by a read without a pause.
                self.put_off(stale.or(self.stale), now + AGAIN);
            }
        }
    }

    fn table(&self, family: Family, id: u32, network: &Network) -> ReadTable {
        let of_table = |(prefix, table): &&(IpNet, Table)| {
            Family::of(prefix.addr()) == family && network.table_id(table) == Some(id)
        };
        let destinations = self.wants.routes.iter().filter(of_table).map(|(prefix, _)| *prefix).collect();
        ReadTable { family, id, destinations, pasta: self.wants.pasta && id == TABLE_MAIN }
    }

    fn ask_next(&mut self, read: Read) {
        if let Some(pass) = &mut self.pass {
            pass.todo.push_front(read);
        }
    }

    /// Whether pasta's default route has its gateway on its link: an address's prefix or a route says so.
    fn ask_for_gateways(&mut self, family: Family, network: &Network) {
        let view = network.routes.pasta.get(&family);
        let hops = view.and_then(|view| view.default.as_ref()).into_iter().flat_map(|route| &route.hops);
        let gateways = hops.filter_map(|hop| Some((hop.gateway?, hop.ifindex)));
        for (gateway, ifindex) in gateways {
            self.ask_next(Read::Gateway { family, gateway, ifindex });
        }
    }

    /// What is stale besides is not put off.
    fn put_off(&mut self, stale: Stale, at: Moment) {
        self.pass = None;
        self.stale = self.stale.without(stale);
        // The next verdict says whether it still must.
        self.must_finish = false;
        self.spacing.owe(stale);
        self.put_off_until(at);
    }

    fn put_off_until(&mut self, at: Moment) {
        self.put_off_until = Some(self.put_off_until.map_or(at, |earlier| earlier.min(at)));
    }

    /// When to read again because a route ends. Around its end the kernel shows a route without any expiry for
    /// some milliseconds. One that is read then would seem to last for ever, so it is read again a little later.
    fn expect_expiry(&mut self, network: &Network, now: Moment) {
        let around = |end: &Moment| now < *end + AROUND && *end < now + AROUND;
        let end = [self.expired, self.expiry].into_iter().flatten().find(around);
        self.expired = end;
        self.again = end.map(|_| now + LATER);
        self.expiry = network.next_expiry(now);
        // No gate waits for this: the route can be used at this moment.
        if self.endless == Endless::Unsure && network.has_endless_route() {
            self.endless = Endless::ReadAt(now + LATER);
        }
    }
}

/// When reading that failed or was interrupted is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// How near to a route's end its expiry is not to be believed.
const AROUND: Duration = Duration::from_millis(50);
/// When it is read again then.
const LATER: Duration = Duration::from_millis(30);

/// What a notification makes of the barrier. What adds something is sent after it was done: no lookup that
/// follows misses it.
fn barrier_for(message: &Message, network: &Network) -> Barrier {
    match message {
        Message::Link(link) => {
            let carries = |link: &Link| link.admin_up() && link.lower_up() && link.running();
            // Nothing but carrier, gained: whatever else changes with it may cost routes.
            let gains = network.link(link.ifindex).is_some_and(|before| {
                let otherwise = Link { flags: link.flags, operstate: link.operstate, ..before.clone() };
                before.admin_up() && !carries(before) && carries(link) && otherwise == **link
            });
            if gains { Barrier::BeforeNo } else { Barrier::Always }
        }
        Message::LinkGone(_)
        | Message::AddressGone(_)
        | Message::Rule(_)
        | Message::Nexthop(_)
        | Message::NexthopGone(_)
        | Message::IgnoreLinkdown(_) => Barrier::Always,
        Message::Address(_) | Message::Route(..) => Barrier::NotNeeded,
    }
}

/// Whether a message says that an address can be used which was read as tentative. If the message is older than the
/// reading, it is wrong: where addresses are kept, the kernel makes them tentative again without a message.
fn ends_detection(message: &Message, network: &Network) -> bool {
    let Message::Address(address) = message else { return false };
    !address.tentative() && network.address(address).is_some_and(Address::tentative)
}

/// IPv4 addresses that the kernel has announced, or has in its list, and may not have finished adding.
#[derive(Debug, Clone, Default)]
struct Unfinished {
    /// A new address. RTM_NEWADDR is sent before the local route of the address is there, and until then bind(2) refuses
    /// the address (seen on Linux 6.18: in 79 % of tries right after the message).
    added: Option<IpAddr>,
    /// The secondary addresses of a primary address that is gone: see [`Network::secondaries_of`].
    promoted: Vec<IpAddr>,
}

impl Unfinished {
    /// Takes in a notification, before it is applied to the network. The next message that is sent under the same lock
    /// says that the kernel has finished. For a new address, a message about an IPv4 route says so too. (Messages about
    /// IPv6 routes are sent without that lock.)
    fn take_in(&mut self, message: &Message, network: &Network) {
        match message {
            // It may be known already, from a dump.
            Message::Address(address) if address.local.is_ipv4() => self.added = Some(address.local),
            Message::Link(_) | Message::LinkGone(_) => *self = Unfinished::default(),
            Message::AddressGone(gone) => {
                *self = Unfinished { added: None, promoted: network.secondaries_of(gone).collect() };
            }
            // While secondary addresses are added again, a route is announced for each of them.
            Message::Route(route, _) if route.family() == Family::V4 => self.added = None,
            Message::Address(_)
            | Message::Route(..)
            | Message::Rule(_)
            | Message::Nexthop(_)
            | Message::NexthopGone(_)
            | Message::IgnoreLinkdown(_) => {}
        }
    }

    fn addresses(&self) -> impl Iterator<Item = &IpAddr> {
        self.added.iter().chain(&self.promoted)
    }
}

#[cfg(test)]
mod tests;
