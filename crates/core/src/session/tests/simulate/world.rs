//! A simulated kernel, the real session, and the driver between them.

use alloc::collections::{BTreeMap, VecDeque};
use core::fmt;
use core::time::Duration;

use super::story::{Step, Story};
use super::truth::{Truth, WISHES, gate_of};
use crate::gate_state::Phase;
use crate::model::{Address, Link, Lookup, Message, NoAnswer, Question, Stale};
use crate::moment::Moment;
use crate::refresh::{Found, Read};
use crate::session::{Input, Mode, Next, Session};
use crate::testing::kernel::Kernel;
use crate::testing::operations::SETUP;

/// When stories begin.
const START: Moment = Moment::after_boot(Duration::from_secs(100));
/// No read is put off for longer: ten seconds after a table that took long to read, and the time for a retry.
const LONGEST_WAIT: Duration = Duration::from_millis(10_200);
/// For so long after the end of a route, the kernel may show it without an end.
const AROUND_EXPIRY: Duration = Duration::from_millis(100);
/// A read that failed is not repeated sooner than this if nothing happens. (It is after 100 ms.)
const PAUSE: Duration = Duration::from_millis(50);
/// If routes are read later than this before the end of one, netready must expect that the kernel shows no end.
const SHOWN: Duration = Duration::from_millis(30);
/// A probe that failed is tried again after this time.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How near to the end of a route the model looks.
const NEAR_END: Duration = Duration::from_millis(5);
/// An end is known to two ticks of the kernel.
const TICKS: Duration = Duration::from_millis(20);
/// So many inputs without a pause are no accident.
const TOO_MANY: u32 = 5000;

/// A read under way, and the parts of its answer that are there.
#[derive(Debug, Clone)]
struct Reading {
    read: Read,
    links: Option<Vec<Link>>,
    addresses: Option<Vec<Address>>,
}

/// When the end of a route was read.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Long enough before that moment to be right, and it was seen when this gate's routes were read last before.
    early: bool,
    /// So near to that moment, or after it, that the kernel may have shown no end.
    near: bool,
}

/// All that there is. Its text is its fingerprint, but for what is counted.
#[derive(Clone)]
pub struct World {
    kernel: Kernel,
    session: Session,
    next: Next,
    /// What the kernel announced, and netready has not taken.
    queue: VecDeque<Input>,
    reading: Option<Reading>,
    /// Another gate was loaded since that read began.
    outdated: bool,
    /// What it will find, if it will not find what is there.
    failure: Option<Found>,
    /// A read has failed, and nothing has happened since: before that moment nothing is to be read again.
    pause_until: Option<Moment>,
    /// The ends of routes when routes were read.
    ends_seen: BTreeMap<Moment, Seen>,
    truth: Truth,
    /// Tries of probes, and when each comes to its end.
    tries: BTreeMap<Question, Moment>,
    server: bool,
    /// When the session last did something because something had happened.
    active: Moment,
    /// What it does now, it does because of a timer.
    by_timer: bool,
    pub opened: bool,
    pub steps: u64,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.kernel, self.session, self.next)?;
        write!(f, "{:?} {:?} {:?}", self.queue, self.reading, self.failure)?;
        write!(f, "{:?} {:?} {:?} {}", self.truth, self.tries, self.active, self.by_timer)?;
        write!(f, "{:?} {:?}", self.pause_until, self.ends_seen)
    }
}

type Played = Result<(), String>;

impl World {
    pub fn new(story: &Story) -> World {
        let mut kernel = Kernel::new(START);
        kernel.do_all(if story.hardware { "link add va0 hardware" } else { "link add va0" });
        kernel.do_all("link add va1");
        for line in SETUP {
            kernel.do_all(line);
        }
        kernel.pass_until(START);
        kernel.finish();
        kernel.take_announced();
        let gate = gate_of(story.wish, story.settle);
        let mut truth = Truth::new(story.wish, story.settle, START);
        truth.look(&kernel, false);
        World {
            kernel,
            session: Session::new(Mode::Watch, gate, START),
            next: Next::Drain,
            queue: VecDeque::new(),
            reading: None,
            outdated: false,
            failure: None,
            pause_until: None,
            ends_seen: BTreeMap::new(),
            truth,
            tries: BTreeMap::new(),
            server: true,
            active: START,
            by_timer: false,
            opened: false,
            steps: 0,
        }
    }

    /// Plays a story to its end, and then leaves the session alone until nothing is left to be done.
    pub fn play(&mut self, steps: &[Step]) -> Played {
        for step in steps {
            self.play_step(step)?;
        }
        self.come_to_rest()
    }

    pub fn play_step(&mut self, step: &Step) -> Played {
        self.steps += 1;
        match step {
            Step::Operation(line) => {
                self.finish_work();
                // Many are refused in the state at hand.
                let _ = self.kernel.begin(line);
                self.work(1);
            }
            Step::Kernel(pieces) => self.work(*pieces),
            Step::Session(inputs) => {
                for _ in 0..*inputs {
                    if !self.take_input()? {
                        break;
                    }
                }
            }
            Step::Wake => {
                if self.may_be_woken() {
                    self.give(Input::Wake)?;
                }
            }
            Step::Pass(millis) => self.pass(Duration::from_millis(*millis)),
            Step::Quiet(millis) => {
                self.finish_work();
                self.keep_up(self.kernel.now() + Duration::from_millis(*millis))?;
            }
            Step::NearEnd(millis) => {
                let next = self.kernel.ends().filter(|end| *end > self.kernel.now()).min();
                let until =
                    next.map(|end| (end - self.kernel.now()).saturating_sub(Duration::from_millis(*millis)));
                self.pass(until.unwrap_or_default());
            }
            Step::Overrun(left) => {
                self.queue.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                self.queue.push_front(Input::Lost(Stale::ALL));
            }
            Step::Garble => {
                let front = self.queue.front_mut();
                if let Some(input @ Input::Message(_)) = front {
                    let of_route = matches!(input, Input::Message(Message::Route(..)));
                    *input = Input::Lost(if of_route { Stale::ROUTES } else { Stale::ALL });
                }
            }
            Step::Interrupt => self.failure = self.reading.as_ref().map(|_| Found::Interrupted),
            Step::Fail => {
                let waits = self.session.waits_out_errors();
                self.failure = self.reading.as_ref().filter(|_| waits).map(|_| Found::Failed);
            }
            Step::Reload(wish) => self.reload(usize::try_from(*wish).unwrap())?,
            Step::Server(answers) => self.server = *answers,
            Step::Answer => self.answer()?,
        }
        Ok(())
    }

    /// Somebody does something on the host from its beginning to its end, and the kernel's timers of now are over.
    pub fn host_does(&mut self, line: &str) {
        self.finish_work();
        let _ = self.kernel.begin(line);
        self.finish_work();
        self.pass(Duration::ZERO);
        self.finish_work();
    }

    pub fn kernel_is_busy(&self) -> bool {
        self.kernel.is_busy()
    }

    /// How many milliseconds it is until the session or the kernel has something to do, or a route is about to end.
    pub fn until_next_timer(&self) -> Option<u64> {
        let now = self.kernel.now();
        let ends =
            self.kernel.ends().flat_map(|end| [now + (end - now).saturating_sub(NEAR_END), end + NEAR_END]);
        let timers = [self.session.deadline(), self.kernel.next_timer(), ends.filter(|at| *at > now).min()];
        let next = timers.into_iter().flatten().min()?;
        let millis = (next - now).as_nanos().div_ceil(1_000_000);
        u64::try_from(millis).ok()
    }

    /// The driver serves signals and timers only then.
    fn may_be_woken(&self) -> bool {
        self.reading.is_some() || matches!(self.next, Next::Sleep | Next::Pause)
    }

    fn reload(&mut self, wish: usize) -> Played {
        if !self.may_be_woken() || self.opened {
            return Ok(());
        }
        self.truth = Truth { links_read: None, ..Truth::new(wish, self.truth.settle, self.kernel.now()) };
        self.truth.last_false = Some(self.kernel.now());
        self.truth.look(&self.kernel, false);
        self.outdated = self.reading.is_some();
        self.ends_seen.values_mut().for_each(|seen| seen.early = false);
        self.give(Input::Reload(gate_of(wish, self.truth.settle)))
    }

    /// The kernel does some of its work.
    fn work(&mut self, pieces: u64) {
        for _ in 0..pieces {
            self.steps += 1;
            self.kernel.advance();
            self.hear();
        }
    }

    fn finish_work(&mut self) {
        while self.kernel.is_busy() {
            self.work(1);
        }
    }

    /// Puts what was announced into the queue, as the filter of the socket lets it pass.
    fn hear(&mut self) {
        let announced = self.kernel.take_announced();
        self.truth.look(&self.kernel, !announced.is_empty());
        let wants = self.session.wants();
        for message in announced {
            let passes = match &message {
                Message::Route(route, _) => {
                    wants.destination(&route.destination)
                        || wants.route_to.iter().any(|wanted| route.destination.contains(&wanted.target))
                }
                _ => true,
            };
            if passes {
                self.queue.push_back(Input::Message(message));
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.kernel.now() + time;
        loop {
            self.kernel.pass_until(until);
            self.hear();
            if self.kernel.now() >= until {
                break;
            }
        }
    }

    /// The session gets its next input. `false` if there is none.
    fn take_input(&mut self) -> Result<bool, String> {
        let now = self.kernel.now();
        let input = match self.next.clone() {
            Next::Drain => self.queue.pop_front().unwrap_or(Input::Dry),
            Next::Pause => Input::Wake,
            Next::Read(read) => {
                if self.pause_until.is_some_and(|until| now < until) {
                    return Err("a read that failed is repeated without a pause".to_owned());
                }
                self.reading = Some(Reading { read, links: None, addresses: None });
                self.outdated = false;
                self.next = Next::Reading;
                return Ok(true);
            }
            Next::Reading => match self.read() {
                Some(found) => Input::Found(found),
                // A part of the answer is there, or nothing comes before the lock is free.
                None => return Ok(false),
            },
            Next::Sleep => {
                if self.queue.is_empty() && self.session.deadline().is_none_or(|at| at > now) {
                    self.look_at_rest()?;
                    return Ok(false);
                }
                Input::Wake
            }
            Next::End(ended) => return Err(format!("the session ended: {ended:?}")),
        };
        self.give(input)?;
        Ok(true)
    }

    /// Goes on with the read under way. `None` if it waits for the lock, or is not at its end.
    fn read(&mut self) -> Option<Found> {
        let mut reading = self.reading.take()?;
        // The list of addresses is read without the lock.
        let locks = match reading.read {
            Read::Links => reading.links.is_none() || reading.addresses.is_some(),
            Read::Barrier => true,
            _ => false,
        };
        if locks && self.kernel.is_busy() {
            self.reading = Some(reading);
            return None;
        }
        if let Some(failure) = self.failure.take() {
            // A single question is not interrupted.
            let dump = matches!(reading.read, Read::Links | Read::Table(_));
            return Some(if dump { failure } else { Found::Failed })
                .filter(|_| dump || self.session.waits_out_errors())
                .or_else(|| Some(self.kernel.answer(&reading.read)));
        }
        match (&reading.read, reading.links.take(), reading.addresses.take()) {
            (Read::Links, Some(links), Some(addresses)) => return Some(Found::Links(links, addresses)),
            (Read::Links, Some(links), None) => {
                reading.links = Some(links);
                reading.addresses = Some(self.kernel.addresses());
            }
            (Read::Links, None, _) => {
                self.truth.links_read = Some(self.kernel.now());
                reading.links = Some(self.kernel.links());
            }
            (read, ..) => return Some(self.kernel.answer(read)),
        }
        self.reading = Some(reading);
        None
    }

    fn give(&mut self, input: Input) -> Played {
        self.steps += 1;
        let now = self.kernel.now();
        let happened = match input {
            Input::Wake | Input::Dry | Input::Found(_) => false,
            Input::Message(_)
            | Input::Lost(_)
            | Input::Answer(..)
            | Input::Nameservers { .. }
            | Input::Reload(_)
            | Input::Open => true,
        };
        if let Input::Found(found) = &input {
            self.see_ends(found);
        }
        let failed = matches!(input, Input::Found(Found::Failed | Found::Interrupted));
        // A read that was put off is done late; that it is done within its bound is looked at apart.
        let woken_by_timer = self.next == Next::Sleep && self.queue.is_empty() && self.session.is_current();
        self.by_timer = !happened && (self.by_timer || woken_by_timer);
        if !self.by_timer {
            self.active = now;
        }
        let before = self.session.phase();
        let settling = if let Phase::Settling { until } = before { Some(until) } else { None };
        let step = self.session.step(input, now);
        if step.judged {
            self.session.note(now);
        }
        self.next = step.next;
        if matches!(before, Phase::Grace { .. }) && matches!(self.session.phase(), Phase::Settling { .. }) {
            // The timer of the grace may have been late.
            self.active = now;
        }
        if happened || self.outdated {
            self.pause_until = None;
        } else if failed {
            // What was put off before may be due sooner.
            let due = self.session.deadline().filter(|at| *at > now);
            self.pause_until = Some(due.map_or(now + PAUSE, |due| due.min(now + PAUSE)));
        }
        if let Some(probes) = step.probes {
            self.follow(probes);
        }
        if step.open {
            if core::mem::replace(&mut self.opened, true) {
                return Err("READY=1 was said twice".to_owned());
            }
            if let Some(why) = self.truth.objection(now, settling).filter(|_| !self.just_expired()) {
                return Err(why);
            }
        }
        self.look_at_rest()
    }

    /// When the routes end that matter to the gate. Only IPv6 routes end.
    fn ends(&self) -> impl Iterator<Item = Moment> + use<> {
        let asked =
            ["ipv6", "2001:", "'default'"].iter().any(|word| WISHES[self.truth.wish].text.contains(word));
        let ends: Vec<Moment> = if asked { self.kernel.ends().collect() } else { Vec::new() };
        ends.into_iter()
    }

    /// Routes were read. Around its end, the kernel shows a route without an end.
    fn see_ends(&mut self, found: &Found) {
        let shown: Vec<Moment> = match found {
            Found::Path(Some(Lookup::Path { expires, .. })) => expires.iter().copied().collect(),
            Found::Route(Some(route)) => route.expires.iter().copied().collect(),
            Found::Table(table) => table.routes.iter().filter_map(|route| route.expires).collect(),
            Found::Path(_) | Found::Route(_) => Vec::new(),
            Found::Passed | Found::Links(..) | Found::Interrupted | Found::Failed => return,
        };
        let now = self.kernel.now();
        self.ends_seen.retain(|end, _| now <= *end + LONGEST_WAIT);
        for end in self.ends() {
            let seen = self.ends_seen.entry(end).or_default();
            if end <= now + SHOWN {
                seen.near = true;
            } else {
                seen.early = shown.iter().any(|shown| end <= *shown && *shown <= end + SHOWN);
            }
        }
    }

    /// Whether a route ends or was to end about now.
    fn expires_now(&self) -> bool {
        let now = self.kernel.now();
        let about = |end: Moment| now <= end + AROUND_EXPIRY && end <= now + AROUND_EXPIRY;
        self.ends_seen.keys().any(|end| about(*end)) || self.ends().any(about)
    }

    /// Whether a route has ended and netready could not know that it would, or so lately that by the kernel's count of
    /// ticks it lasts. The latter is no excuse if netready has read the route again since.
    fn just_expired(&self) -> bool {
        let now = self.kernel.now();
        self.ends().filter(|end| *end <= now).any(|end| {
            let seen = self.ends_seen.get(&end).copied().unwrap_or_default();
            !seen.early || (now <= end + TICKS && !seen.near)
        })
    }

    fn look_at_rest(&self) -> Played {
        let now = self.kernel.now();
        let told = self.queue.is_empty() && !self.kernel.is_busy() && !self.kernel.is_to_tell_of_carrier();
        if self.next != Next::Sleep || !told || self.expires_now() {
            return Ok(());
        }
        let deadline = self.session.deadline();
        if !self.session.is_current() {
            return match deadline {
                Some(at) if at <= now + LONGEST_WAIT => Ok(()),
                _ => Err("something is not read, and nothing will wake the session for it".to_owned()),
            };
        }
        let (ready, phase) = (self.session.is_ready(), self.session.phase());
        // Nobody announces the end of a route, and it may begin the settle anew.
        let ended = self.ends().filter(|end| *end <= now).max();
        let active = ended.map_or(self.active, |end| self.active.max(end));
        self.truth.at_rest(ready, phase, active).map_or(Ok(()), Err)
    }

    fn follow(&mut self, probes: crate::session::Probes) {
        let now = self.kernel.now();
        self.tries.retain(|question, _| probes.questions.contains_key(question));
        for question in probes.questions.into_keys() {
            let after = match self.session.network().answers.get(&question) {
                None => Duration::ZERO,
                Some(Err(_)) if probes.news => Duration::ZERO,
                Some(Err(_)) if probes.repeat => TRY_AGAIN,
                Some(_) => continue,
            };
            let at = self.tries.entry(question).or_insert(now + after);
            *at = (*at).min(now + after);
        }
    }

    fn answer(&mut self) -> Played {
        if !self.may_be_woken() {
            return Ok(());
        }
        let Some((question, _)) = self.tries.pop_first() else { return Ok(()) };
        let reached = self.server && self.kernel.connects([203, 0, 113, 7].into(), false);
        let answer =
            if reached { Ok("connected".to_owned()) } else { Err(NoAnswer::Failed("no answer".to_owned())) };
        self.give(Input::Answer(question, answer))
    }

    /// Until then nothing happens on the host but what its timers do, and netready is always woken in time.
    fn keep_up(&mut self, until: Moment) -> Played {
        let mut inputs = 0;
        loop {
            while self.take_input()? {
                inputs += 1;
                if inputs > TOO_MANY {
                    return Err("the session never rests".to_owned());
                }
            }
            if self.reading.is_some() {
                self.finish_work();
                continue;
            }
            let now = self.kernel.now();
            let answer = self.tries.values().min().copied();
            if answer.is_some_and(|at| at <= now) {
                self.answer()?;
                continue;
            }
            // After the end of a route, netready must have seen it although nobody tells.
            let seen = self.kernel.ends().map(|end| end + AROUND_EXPIRY + TICKS).filter(|at| *at > now).min();
            let timers = [self.session.deadline(), self.kernel.next_timer(), answer, seen];
            let Some(next) = timers.into_iter().flatten().min().filter(|at| *at <= until) else { break };
            self.pass(next - now);
            self.finish_work();
        }
        self.pass(until - self.kernel.now());
        Ok(())
    }

    /// Nothing more happens on the host. The session must come to the truth by itself.
    pub fn come_to_rest(&mut self) -> Played {
        self.finish_work();
        self.server = true;
        self.keep_up(self.kernel.now() + Duration::from_secs(60))?;
        let answers = !WISHES[self.truth.wish].probe || self.kernel.connects([203, 0, 113, 7].into(), false);
        let never_lost = !matches!(self.session.phase(), Phase::Lost { .. });
        if answers && self.truth.holds && !self.opened && never_lost {
            return Err("the gate never opens although it is met".to_owned());
        }
        self.look_at_rest()
    }
}
