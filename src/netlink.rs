//! Reading the kernel's network state, and keeping up with it.
//!
//! Subscribe, then dump: what changes meanwhile is announced. Events say what has become stale; it is
//! then read again. A verdict is worth something only when [`Observer::drain`] found nothing more and
//! [`Observer::stale`] says no.

mod ask;
mod budget;
pub mod decode;
mod filter;
mod socket;
mod tables;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tracing::{debug, warn};

use crate::clock;
use crate::evaluate::evaluate;
use crate::model::{Link, Message, Network, Question, Routes, Stale, Tried};
use crate::moment::Moment;
use crate::netlink::ask::{AskError, Questions};
use crate::netlink::budget::{Budget, Spacing};
use crate::netlink::decode::{Event, event, frames};
use crate::netlink::socket::{DumpError, DumpSocket, EventSocket, Received};
use crate::requirement::{Gate, TABLE_MAIN};
use crate::resolv::{self, Resolver};
use crate::wants::{Wants, probes};

/// The receive buffer that is asked for, in octets: the kernel's default holds 256 messages, a boot
/// with many containers sends more before a busy host's process runs again.
pub const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Messages taken in before others get a turn.
const BATCH: usize = 4096;

/// Why the kernel's state cannot be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The event socket.
    #[error("cannot subscribe to the kernel's network events")]
    Subscribe(#[source] io::Error),
    /// The event socket, later.
    #[error("cannot receive the kernel's network events")]
    Receive(#[source] io::Error),
    /// The socket for dumps.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// A list.
    #[error("cannot read the kernel's network state")]
    Dump(#[from] DumpError),
    /// A question.
    #[error("cannot ask the kernel for routes")]
    Ask(#[from] AskError),
}

/// What happens to the network while messages are taken in one by one.
pub enum Glimpse<'a> {
    /// This message is about to be taken in.
    Before(&'a Network, &'a Message),
    /// This message was taken in.
    After(&'a Network, &'a Message),
    /// Messages were lost, or could not be read.
    Lost,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Nothing more is there.
    Dry,
    /// More is there; others should have a turn.
    More,
}

/// Keeps up with the kernel's network state, as far as a gate wants it.
pub struct Observer {
    network: Network,
    wants: Wants,
    events: EventSocket,
    dumps: DumpSocket,
    lookups: Questions,
    /// Where questions are asked that wait for a lock, once somebody must be served meanwhile; until
    /// then, where all are asked.
    barrier: Option<Questions>,
    resolv: Option<resolv::Watch>,
    /// What resolv.conf said last.
    resolver: Resolver,
    stale: Stale,
    barrier_owed: Owed,
    budget: Budget,
    spacing: Spacing,
    /// When what is stale may be read again.
    owed_until: Option<Moment>,
    /// When the first of the routes that were read expires.
    expiry: Option<Moment>,
    /// When the one expired for which routes were read last.
    expired: Option<Moment>,
    undecodable: u64,
    /// The state could be read at least once.
    was_current: bool,
    /// Links that were found to have lost carrier meanwhile.
    flapped: Vec<u32>,
}

impl Observer {
    /// Subscribes to what this gate wants. Everything is stale until [`Observer::catch_up`].
    ///
    /// # Errors
    /// Where netlink is not to be had.
    pub fn open(gate: &Gate, receive_buffer: usize) -> Result<Observer, ObserveError> {
        let wants = Wants::of(gate);
        let events =
            EventSocket::open(&filter::program(&wants), receive_buffer).map_err(ObserveError::Subscribe)?;
        let mut observer = Observer {
            network: Network::default(),
            events,
            dumps: DumpSocket::open().map_err(ObserveError::Open)?,
            lookups: Questions::connect()?,
            barrier: None,
            resolv: None,
            resolver: Resolver::default(),
            wants,
            stale: Stale::ALL,
            // Something may have been announced before the subscription.
            barrier_owed: Owed::Always,
            budget: Budget::new(clock::now()),
            spacing: Spacing::default(),
            owed_until: None,
            expiry: None,
            expired: None,
            undecodable: 0,
            was_current: false,
            flapped: Vec::new(),
        };
        observer.watch_resolv();
        Ok(observer)
    }

    /// Looks for another gate from now on; everything is stale.
    ///
    /// # Errors
    /// setsockopt(2)'s.
    pub fn rewant(&mut self, gate: &Gate) -> Result<(), ObserveError> {
        self.wants = Wants::of(gate);
        self.events.set_filter(&filter::program(&self.wants)).map_err(ObserveError::Subscribe)?;
        self.stale = Stale::ALL;
        self.watch_resolv();
        Ok(())
    }

    fn watch_resolv(&mut self) {
        if !self.wants.nameserver {
            self.resolv = None;
            return;
        }
        if self.resolv.is_none() {
            match resolv::Watch::new() {
                Ok(watch) => self.resolv = Some(watch),
                Err(error) => warn!("changes of resolv.conf are not seen: inotify: {error}"),
            }
        }
        self.network.nameservers = resolv::read();
        self.resolver = resolv::resolver();
    }

    /// A catch-up was broken off: what it had read counts for nothing.
    pub fn distrust(&mut self) {
        self.stale = Stale::ALL;
        self.barrier_owed = Owed::Always;
    }

    /// From now on somebody must be served while the kernel keeps a question waiting.
    ///
    /// Not done from the start: the first look at the state has nobody to serve, and where the gate is
    /// ready at once, nothing is left to be asked.
    ///
    /// # Errors
    /// Where netlink, or a thread, is not to be had.
    pub fn ask_apart(&mut self) -> Result<(), ObserveError> {
        if self.barrier.is_none() {
            self.barrier = Some(Questions::connect_apart()?);
        }
        Ok(())
    }

    /// A verdict hangs on a table that was not read: it is read next.
    pub fn read_tables_next(&mut self) {
        self.stale = self.stale.or(Stale::ROUTES);
    }

    /// Everything is read again next, whatever was announced. The kernel tells of a link's carrier once
    /// a second at most: what came and went in between stands in a counter, and only reading shows it.
    pub fn read_all_next(&mut self) {
        self.stale = Stale::ALL;
    }

    /// The links that reading found to have lost carrier since the last time, even if it is back.
    pub fn take_flapped(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.flapped)
    }

    /// The state as it is known.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What became of a try of a probe.
    pub fn answered(&mut self, question: Question, answer: Tried) {
        self.network.answers.insert(question, answer);
    }

    /// Answers to what is asked no more are forgotten: asked again, it is tried again.
    pub fn forget_answers(&mut self, asked: &BTreeMap<Question, Option<Duration>>) {
        self.network.answers.retain(|question, _| asked.contains_key(question));
    }

    /// Whether something must be read again, and may be now.
    pub fn stale(&self) -> bool {
        self.stale.any()
    }

    /// When to look again though nothing happens: a re-read is owed, or a route expires.
    pub fn deadline(&self) -> Option<Moment> {
        self.owed_until.into_iter().chain(self.expiry).min()
    }

    /// Waits until there is something to drain, or to read in resolv.conf; whether that says something else now.
    ///
    /// # Errors
    /// epoll(7)'s.
    pub async fn changed(&mut self) -> Result<bool, ObserveError> {
        let readable = async |events: &mut EventSocket| events.readable().await.map(|()| false);
        let changed = match &mut self.resolv {
            None => readable(&mut self.events).await,
            Some(watch) => {
                tokio::select! {
                    readable = readable(&mut self.events) => readable,
                    changed = watch.changed() => {
                        self.network.nameservers = resolv::read();
                        let resolver = resolv::resolver();
                        let differs = resolver != self.resolver;
                        self.resolver = resolver;
                        changed.map(|()| differs)
                    }
                }
            }
        };
        changed.map_err(ObserveError::Receive)
    }

    /// Takes in all messages that are there, without waiting. `see` is shown each.
    ///
    /// # Errors
    /// Where the socket fails.
    pub fn drain(&mut self, see: &mut dyn FnMut(Glimpse<'_>)) -> Result<Drained, ObserveError> {
        let now = clock::now();
        if self.owed_until.is_some_and(|at| at <= now) {
            self.owed_until = None;
            self.stale = self.stale.or(self.spacing.take_owed());
        }
        if self.expiry.is_some_and(|at| at <= now) {
            // A router's next advertisement prolongs a route without a message: only reading tells.
            self.expired = self.expiry.take();
            self.stale = self.stale.or(Stale::ROUTES);
        }
        for _ in 0..BATCH {
            match self.events.receive().map_err(ObserveError::Receive)? {
                Received::Empty => return Ok(Drained::Dry),
                Received::Foreign => debug!("a message that the kernel did not send is ignored"),
                Received::Overrun => {
                    debug!("messages were lost: everything is read again");
                    self.lost(Stale::ALL, now, see);
                }
                Received::Datagram => self.take_in(now, see),
            }
        }
        Ok(Drained::More)
    }

    fn take_in(&mut self, now: Moment, see: &mut dyn FnMut(Glimpse<'_>)) {
        let mut undecodable = Stale::default();
        for frame in frames(self.events.datagram()) {
            let event = frame.map_or(Event::Undecodable(Stale::ALL), |frame| event(frame, now));
            match event {
                Event::Irrelevant => {}
                Event::Undecodable(stale) => undecodable = undecodable.or(stale),
                Event::Message(message) => {
                    see(Glimpse::Before(&self.network, &message));
                    self.barrier_owed = self.barrier_owed.max(announces_ahead(&self.network, &message));
                    self.stale = self.stale.or(self.network.apply(&message, &self.wants));
                    see(Glimpse::After(&self.network, &message));
                }
            }
        }
        if undecodable.any() {
            self.undecodable += 1;
            debug!("{} messages so far could not be decoded", self.undecodable);
            self.lost(undecodable, now, see);
        }
    }

    /// What was lost is read again: at once the first time, then ever less often.
    fn lost(&mut self, stale: Stale, now: Moment, see: &mut dyn FnMut(Glimpse<'_>)) {
        see(Glimpse::Lost);
        self.barrier_owed = Owed::Always;
        match self.spacing.next(stale, now) {
            None => self.stale = self.stale.or(stale),
            Some(at) => self.owed_until = Some(self.owed_until.map_or(at, |owed| owed.min(at))),
        }
    }

    /// Whether something was lost that is not read again yet: no verdict is to be trusted.
    pub fn owes(&self) -> bool {
        self.spacing.owes()
    }

    /// Reads again what is stale. Events that arrive meanwhile wait to be drained.
    ///
    /// # Errors
    /// Where the kernel's state cannot be had. Once it was had, what fails is tried again a little later:
    /// whoever waits for a gate waits out an error that passes.
    pub async fn catch_up(&mut self, gate: &Gate) -> Result<(), ObserveError> {
        match self.try_to_catch_up(gate).await {
            Ok(()) => {
                self.was_current = true;
                Ok(())
            }
            Err(error) if self.was_current => {
                warn!("{error}: trying again");
                self.lookups = Questions::connect()?;
                if self.barrier.take().is_some() {
                    self.ask_apart()?;
                }
                self.stale = Stale::default();
                self.barrier_owed = Owed::Always;
                self.put_off(Stale::ALL);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn try_to_catch_up(&mut self, gate: &Gate) -> Result<(), ObserveError> {
        // First, so that reading links, which takes the same lock, finds it free.
        if self.barrier_owed == Owed::Always {
            self.pass_barrier().await?;
        }
        if self.stale.links {
            self.stale.links = false;
            match tables::links(&mut self.dumps).await {
                Ok((links, addresses)) => {
                    self.flapped.extend(self.network.replace_links(links, addresses));
                }
                Err(DumpError::Interrupted) => {
                    self.put_off(Stale::ALL);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
            self.stale = self.stale.or(Stale { links: false, routes: true, lookups: true });
        }
        let stale = std::mem::take(&mut self.stale);
        let routes = stale.routes && self.wants.any_table();
        let lookups = stale.lookups && !self.wants.route_to.is_empty();
        if !routes && !lookups {
            return Ok(());
        }
        self.read(gate, routes, lookups).await?;
        if self.barrier_owed == Owed::BeforeNo && !evaluate(gate, &self.network, clock::now()).ready() {
            self.pass_barrier().await?;
            self.read(gate, routes, lookups).await?;
        }
        self.barrier_owed = Owed::Nothing;
        self.expect_expiry(clock::now());
        Ok(())
    }

    /// When to read again because a route ends. Around its end the kernel shows a route without any
    /// expiry for some milliseconds: one that is read then would seem to last for ever, so it is read
    /// once more a little later.
    fn expect_expiry(&mut self, now: Moment) {
        const AROUND: Duration = Duration::from_millis(50);
        const LATER: Duration = Duration::from_millis(30);
        let ends = self.expiry.or(self.expired);
        let around = ends.is_some_and(|at| now < at + AROUND && at < now + AROUND);
        let again = around.then_some(now + LATER);
        self.expired = ends.filter(|_| around);
        self.expiry = self.network.next_expiry(now).into_iter().chain(again).min();
    }

    async fn pass_barrier(&mut self) -> Result<(), ObserveError> {
        self.barrier.as_mut().unwrap_or(&mut self.lookups).barrier().await?;
        self.barrier_owed = Owed::Nothing;
        Ok(())
    }

    async fn read(&mut self, gate: &Gate, routes: bool, lookups: bool) -> Result<(), ObserveError> {
        if lookups {
            self.look_up().await?;
        }
        if routes {
            self.read_routes(gate).await?;
        }
        Ok(())
    }

    async fn look_up(&mut self) -> Result<(), ObserveError> {
        self.network.lookups.clear();
        for wanted in &self.wants.route_to {
            // If a link that it names is not there, the evaluation says so.
            let Some(asked) = self.network.asked(wanted) else { continue };
            if let Some(lookup) = self.lookups.way(asked, clock::now()).await? {
                self.network.lookups.insert(wanted.clone(), lookup);
            }
        }
        Ok(())
    }

    /// By lookups, which cost the same at any size of a table; then, where a "no" may come of what a
    /// lookup cannot say (a more specific route over the address, a route that refuses, policy rules, and
    /// what stands behind a route that is dead), by reading the table.
    async fn read_routes(&mut self, gate: &Gate) -> Result<(), ObserveError> {
        let mut routes = Routes::default();
        for (prefix, table) in &self.wants.routes {
            let Some(table) = self.network.table_id(table) else { continue };
            for probe in probes(prefix) {
                let now = clock::now();
                match self.lookups.matching_route(probe, now).await? {
                    Some(route) if route.destination == *prefix && route.table == table => {
                        routes.add(route.clone());
                        routes.chosen.insert((*prefix, table), route);
                        break;
                    }
                    Some(_) => {}
                    // Nothing leads there, and so nothing leads to the rest of the prefix by this table.
                    None => break,
                }
            }
        }
        self.network.routes = routes;
        self.read_tables(gate).await
    }

    async fn read_tables(&mut self, gate: &Gate) -> Result<(), ObserveError> {
        // A table that is read can make another one matter, each once.
        loop {
            let now = clock::now();
            let unread = evaluate(gate, &self.network, now).unread;
            let Some((family, table)) = unread.into_iter().next() else { return Ok(()) };
            if let Some(at) = self.budget.wait(now) {
                self.owed_until = Some(self.owed_until.map_or(at, |owed| owed.min(at)));
                self.spacing.owe(Stale::ROUTES);
                return Ok(());
            }
            let read = tables::read(&mut self.dumps, &self.wants, &self.network, family, table).await;
            self.budget.spent(clock::now() - now, clock::now());
            match read {
                Ok(read) => read.put_into(&mut self.network.routes),
                Err(DumpError::Interrupted) => {
                    self.put_off(Stale::ROUTES);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
            if self.wants.pasta && table == TABLE_MAIN {
                self.ask_for_gateway(family).await?;
            }
        }
    }

    /// Whether pasta's default route has its gateway on its link: an address's prefix or a route says so.
    async fn ask_for_gateway(&mut self, family: crate::requirement::Family) -> Result<(), ObserveError> {
        let Some(view) = self.network.routes.pasta.get_mut(&family) else { return Ok(()) };
        let hops = view.default.iter().flat_map(|route| &route.hops);
        let gateways: Vec<_> = hops.filter_map(|hop| Some((hop.gateway?, hop.ifindex))).collect();
        for (gateway, ifindex) in gateways {
            let route = self.lookups.matching_route(gateway, clock::now()).await?;
            let on_link = |route: crate::model::Route| {
                route.hops.iter().any(|hop| hop.ifindex == ifindex && hop.gateway.is_none())
            };
            view.gateway_on_link |= route.is_some_and(on_link);
        }
        Ok(())
    }

    fn put_off(&mut self, stale: Stale) {
        /// Under a storm that interrupts every dump there are events that bring us back; this is for the
        /// moment when it ends.
        const AGAIN: Duration = Duration::from_millis(100);
        self.spacing.owe(stale);
        self.owed_until = Some(clock::now() + AGAIN);
    }
}

/// Whether the barrier must be passed before routes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owed {
    /// What was announced was done before.
    Nothing,
    /// A link gained carrier: a route that is found live is live. One that is found dead may not have
    /// been told yet.
    BeforeNo,
    /// Something may be announced that is still to be done: a route that is found may be about to go.
    Always,
}

/// What a message makes owed. What adds something is sent after it: no lookup that follows misses it.
fn announces_ahead(network: &Network, message: &Message) -> Owed {
    match message {
        Message::Link(link) => {
            let carries = |link: &Link| link.admin_up() && link.lower_up() && link.running();
            // Nothing but carrier, gained: whatever else changes with it may cost routes.
            let gains = network.link(link.ifindex).is_some_and(|before| {
                let otherwise = Link { flags: link.flags, operstate: link.operstate, ..before.clone() };
                before.admin_up() && !carries(before) && carries(link) && otherwise == **link
            });
            if gains { Owed::BeforeNo } else { Owed::Always }
        }
        Message::LinkGone(_)
        | Message::AddressGone(_)
        | Message::Rule
        | Message::Nexthop
        | Message::IgnoreLinkdown => Owed::Always,
        Message::Address(_) | Message::Route(..) => Owed::Nothing,
    }
}

#[cfg(test)]
mod tests;
