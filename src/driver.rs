//! The driver: the loop of every command. It owns the sockets, the clock, the timer, the signals and the probes. It
//! passes each event to the [`session`](crate::session) as an input, and carries out the answer. It decides
//! nothing.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use nix::sys::signal::Signal;

use crate::clock::{self, LocalTime, Timer};
use crate::config::ConfigError;
use crate::gate_state::{Came, Phase};
use crate::history;
use crate::model::Network;
use crate::moment::Moment;
use crate::netlink::{Notification, Notifications, ObserveError, Reader};
use crate::notify::NotifyError;
use crate::platform::signals::Signals;
use crate::probe::Prober;
use crate::refresh::Found;
use crate::report::{Earlier, Standing, status};
use crate::requirement::Gate;
use crate::resolv;
use crate::session::{Ended, Input, Mode, Next, Session, Step};
use crate::verdict::Verdict;

/// What reporters get to know of a gate at one moment.
pub struct View<'a> {
    /// The gate that is watched.
    pub gate: &'a Gate,
    /// The last evaluation of the gate.
    pub verdict: &'a Verdict,
    /// The phase that the gate is in.
    pub phase: Phase,
    /// When the phase ends if nothing changes. `None` if it does not end by itself.
    pub until: Option<Moment>,
    /// The status line.
    pub status: &'a str,
    /// How often the gate was lost since boot.
    pub losses: u64,
    /// The known state of the kernel.
    pub network: &'a Network,
}

/// Reports to others: the service manager, a user at a terminal, or a script.
pub trait Reporter {
    /// The verdict or its texts changed.
    ///
    /// # Errors
    /// Fails if nobody is left to read the report.
    fn changed(&mut self, view: &View<'_>, now: Moment) -> Result<(), Failure>;

    /// The gate opens. The driver calls this before it makes texts; then it calls `changed`.
    ///
    /// # Errors
    /// Fails if the opening could not be reported and this matters.
    fn opened(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Lines of the [`history`]. If they are about the opening, READY=1 was sent before.
    fn happened(&mut self, _lines: &str) {}

    /// Another gate has replaced this gate.
    fn reloaded(&mut self, _gate: &Gate, _open: bool) {}

    /// Time has passed. The reporter does what is due.
    fn tick(&mut self, _now: Moment) {}

    /// Returns when `tick` must be called next.
    fn deadline(&self) -> Option<Moment> {
        None
    }

    /// Becomes ready after something was sent that had to wait because the receiver had no room.
    ///
    /// # Errors
    /// Fails if it cannot be sent any more and this matters.
    fn poll_unsent(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Pending
    }
}

/// A reporter that reports nothing, for callers that ask the driver themselves.
pub struct Silent;

impl Reporter for Silent {
    fn changed(&mut self, _: &View<'_>, _: Moment) -> Result<(), Failure> {
        Ok(())
    }
}

/// How a run of the driver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// The session ended.
    Ended(Ended),
    /// A signal ended the run. The values are its number and whether the gate was open.
    Signalled(i32, bool),
}

/// Why the driver failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The kernel's state cannot be observed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The service manager cannot be told.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// Nobody reads stdout any more.
    #[error("stdout")]
    Closed(#[source] io::Error),
    /// The kernel gives no timer or no signal descriptor.
    #[error("cannot wait for events")]
    Events(#[source] io::Error),
}

/// A function that reads the gate again.
pub type Reload<'a> = &'a dyn Fn() -> Result<Gate, ConfigError>;

/// What a driver starts with.
pub struct Setup<'a> {
    /// The command that the session serves.
    pub mode: Mode,
    /// The gate to watch.
    pub gate: Gate,
    /// When the gate begins to be waited for. Its timeouts, STATUS= and the history count from this moment.
    pub began: Moment,
    /// The size of the event socket's receive buffer, in bytes.
    pub receive_buffer: usize,
    /// Reads the gate again for SIGHUP. `None` means that the driver does not handle signals, so that they have
    /// their default effect.
    pub signals: Option<Reload<'a>>,
    /// What earlier `run`s of this boot came to, if the last one gave up.
    pub earlier: Option<Earlier>,
}

/// Owns the sockets, the clock and the signals of one session. The module says how it works.
pub struct Driver<'a> {
    session: Session,
    next: Next,
    notifications: Notifications,
    reader: Reader,
    /// Follows resolv.conf, if the gate depends on it.
    resolv: Option<resolv::Follower>,
    prober: Prober,
    timer: Timer,
    signals: Option<(Signals<Asked>, Reload<'a>)>,
    said: Said,
}

impl<'a> Driver<'a> {
    /// Subscribes to what the gate needs. It reads nothing yet.
    ///
    /// # Errors
    /// Fails with one of [`Failure`].
    pub fn new(setup: Setup<'a>) -> Result<Driver<'a>, Failure> {
        let session = Session::new(setup.mode, setup.gate, setup.began);
        let mut driver = Driver {
            next: Next::Drain,
            notifications: Notifications::subscribe(session.wants(), setup.receive_buffer)?,
            reader: Reader::connect()?,
            resolv: None,
            prober: Prober::default(),
            timer: Timer::new().map_err(Failure::Events)?,
            signals: setup
                .signals
                .map(|reload| Ok((listen_to_signals()?, reload)))
                .transpose()
                .map_err(Failure::Events)?,
            said: Said { earlier: setup.earlier, ..Said::default() },
            session,
        };
        driver.follow_resolv();
        Ok(driver)
    }

    /// Reports events to the reporter from now on. `losses` is how often the gate was lost earlier in this boot.
    pub fn record(&mut self, losses: u64) {
        self.session.remember_losses(losses);
        self.session.record();
    }

    /// Runs the session to its end. The future may be dropped; another call then continues.
    ///
    /// # Errors
    /// Fails with one of [`Failure`].
    pub async fn run(&mut self, reporter: &mut dyn Reporter) -> Result<RunEnd, Failure> {
        loop {
            if let Some(outcome) = self.advance(reporter).await? {
                return Ok(outcome);
            }
        }
    }

    /// Runs the session until it can only wait.
    ///
    /// # Errors
    /// Fails with one of [`Failure`].
    pub async fn look(&mut self) -> Result<(), Failure> {
        if self.next == Next::Sleep {
            self.next = Next::Drain;
        }
        loop {
            let ended = self.advance(&mut Silent).await?;
            if ended.is_some() || self.next == Next::Sleep {
                return Ok(());
            }
        }
    }

    /// Returns the session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the known state of the network.
    #[cfg(test)]
    pub fn network(&self) -> &crate::model::Network {
        self.session.network()
    }

    /// Takes one input, and carries out the answer to it.
    async fn advance(&mut self, reporter: &mut dyn Reporter) -> Result<Option<RunEnd>, Failure> {
        let input = match self.event(reporter).await? {
            Event::Input(input) => input,
            Event::Reloaded(Ok(gate)) => Input::Reload(gate),
            Event::Reloaded(Err(error)) => {
                for problem in error.problems {
                    tracing::error!("the gate is kept as it was: {problem}");
                }
                Input::Wake
            }
            Event::End(signal) => {
                let events = self.session.stop(clock::now());
                tell(reporter, &events);
                return Ok(Some(RunEnd::Signalled(signal, self.session.is_open())));
            }
        };
        let reloaded = matches!(input, Input::Reload(_));
        let now = clock::now();
        let step = self.session.step(input, now);
        if reloaded {
            self.notifications.want(self.session.wants())?;
            self.follow_resolv();
            reporter.reloaded(self.session.gate(), self.session.is_open());
        }
        self.say(reporter, &step, now)?;
        if let Some(probes) = &step.probes {
            self.prober.follow(&probes.questions, probes.news, probes.repeat, now);
        }
        if let Next::End(ended) = step.next {
            self.next = Next::Drain;
            return Ok(Some(RunEnd::Ended(ended)));
        }
        self.next = step.next;
        Ok(None)
    }

    /// Returns the next event from the source that the session waits for.
    async fn event(&mut self, reporter: &mut dyn Reporter) -> Result<Event, Failure> {
        match std::mem::replace(&mut self.next, Next::Reading) {
            Next::Drain => {
                self.next = Next::Drain;
                return Ok(Event::Input(match self.notifications.take()? {
                    Notification::Message(message) => Input::Message(message),
                    Notification::Lost(stale) => Input::Lost(stale),
                    Notification::Dry => Input::Dry,
                }));
            }
            Next::Read(read) => {
                self.reader.begin(read);
                // The kernel answers a single question while it is being sent. Take that answer before anything else.
                if let Some(found) = self.reader.found().now_or_never() {
                    return Ok(Event::Input(self.found(found)?));
                }
            }
            next @ (Next::Pause | Next::Reading | Next::Sleep | Next::End(_)) => self.next = next,
        }
        let now = clock::now();
        reporter.tick(now);
        self.prober.tick(now);
        if let Some(resolv) = self.resolv.as_mut().filter(|it| it.deadline().is_some_and(|at| at <= now)) {
            let (nameservers, news) = resolv.read(now);
            return Ok(Event::Input(Input::Nameservers { nameservers, news }));
        }
        if self.next == Next::Sleep {
            self.reader.prepare()?;
        }
        // Everything that was due was done. If it could not be done, it waits for another event, so ignore past
        // deadlines.
        let resolv = self.resolv.as_ref().and_then(resolv::Follower::deadline);
        let others = [reporter.deadline(), self.prober.deadline(), resolv];
        let others = others.into_iter().flatten().filter(|at| *at > now);
        let deadline = others.chain(self.session.deadline()).min();
        self.timer.set(deadline).map_err(Failure::Events)?;
        Ok(tokio::select! {
            biased;
            event = signalled(&mut self.signals) => event,
            fired = self.timer.fired() => {
                fired.map_err(Failure::Events)?;
                Event::Input(Input::Wake)
            }
            sent = poll_fn(|context| reporter.poll_unsent(context)) => {
                sent?;
                Event::Input(Input::Wake)
            }
            found = self.reader.found() => Event::Input(self.found(found)?),
            readable = self.notifications.readable(), if self.next == Next::Sleep => {
                readable?;
                Event::Input(Input::Wake)
            }
            (question, answer) = self.prober.answer() => Event::Input(Input::Answer(question, answer)),
            changed = changed(&mut self.resolv) => {
                let (nameservers, news) = changed.map_err(Failure::Events)?.read(clock::now());
                Event::Input(Input::Nameservers { nameservers, news })
            }
            () = tokio::task::yield_now(), if self.next == Next::Pause => Event::Input(Input::Wake),
        })
    }

    fn found(&mut self, found: Result<Found, ObserveError>) -> Result<Input, Failure> {
        match found {
            Ok(found) => Ok(Input::Found(found)),
            Err(error) if self.session.waits_out_errors() => {
                tracing::warn!("{error}: trying again");
                self.reader.reconnect()?;
                Ok(Input::Found(Found::Failed))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn follow_resolv(&mut self) {
        if !self.session.wants().nameserver {
            self.resolv = None;
            return;
        }
        let (nameservers, news) = self.resolv.get_or_insert_with(resolv::Follower::new).read(clock::now());
        self.session.learn_nameservers(nameservers, news);
    }

    /// Reports what changed. READY=1 comes first.
    fn say(&mut self, reporter: &mut dyn Reporter, step: &Step, now: Moment) -> Result<(), Failure> {
        if !step.judged {
            return Ok(());
        }
        if step.open {
            reporter.opened()?;
        }
        self.session.note(now);
        let line = self.said.line(&self.session);
        let events = self.session.take_events(now);
        tell(reporter, &events);
        if self.said.is_new(&line, self.session.verdict()) {
            reporter.changed(&view(&self.session, &line), now)?;
        }
        self.said.status = line;
        Ok(())
    }
}

fn view<'a>(session: &'a Session, status: &'a str) -> View<'a> {
    View {
        gate: session.gate(),
        verdict: session.verdict(),
        phase: session.phase(),
        until: session.phase_ends(),
        status,
        losses: session.times().losses,
        network: session.network(),
    }
}

fn tell(reporter: &mut dyn Reporter, events: &[history::Event]) {
    if !events.is_empty() {
        reporter.happened(&events.iter().map(history::line).collect::<String>());
    }
}

/// An event outside the session.
enum Event {
    Input(Input),
    /// SIGHUP came, and the gate was read again.
    Reloaded(Result<Gate, ConfigError>),
    /// A signal came that ends netready.
    End(i32),
}

/// Waits until resolv.conf may have changed.
async fn changed(resolv: &mut Option<resolv::Follower>) -> io::Result<&mut resolv::Follower> {
    match resolv {
        Some(follower) => {
            follower.changed().await?;
            Ok(follower)
        }
        None => std::future::pending().await,
    }
}

/// The last report, so that the driver does not repeat it.
#[derive(Default)]
struct Said {
    status: String,
    verdict: Option<Verdict>,
    /// The moment of the last loss or return, and its local time.
    since: Option<(Moment, LocalTime)>,
    earlier: Option<Earlier>,
}

impl Said {
    fn line(&mut self, session: &Session) -> String {
        let (phase, times) = (session.phase(), session.times());
        if let Phase::Lost { since }
        | Phase::Ready { came: Came::Again { since } | Came::Reloaded { since } } = phase
        {
            if self.since.as_ref().is_none_or(|(known, _)| *known != since) {
                self.since = Some((since, LocalTime::of(since)));
            }
        }
        let since = self.since.as_ref().map(|(_, time)| time.text()).unwrap_or_default();
        let standing = Standing { phase, since: &since, times, earlier: self.earlier.as_ref() };
        status(session.gate(), session.verdict(), standing)
    }

    /// Whether this differs from the last report.
    fn is_new(&mut self, line: &str, verdict: &Verdict) -> bool {
        let new = self.status != line || self.verdict.as_ref() != Some(verdict);
        if new {
            self.verdict = Some(verdict.clone());
        }
        new
    }
}

/// What a signal asks netready to do.
#[derive(Debug, Clone, Copy)]
enum Asked {
    /// End because of this signal.
    End(Signal),
    /// Read the gate again.
    Reload,
    /// Open the gate.
    Open,
}

fn listen_to_signals() -> io::Result<Signals<Asked>> {
    Signals::new([
        (Signal::SIGTERM, Asked::End(Signal::SIGTERM)),
        (Signal::SIGINT, Asked::End(Signal::SIGINT)),
        (Signal::SIGHUP, Asked::Reload),
        (Signal::SIGUSR1, Asked::Open),
    ])
}

async fn signalled(signals: &mut Option<(Signals<Asked>, Reload<'_>)>) -> Event {
    let Some((signals, reload)) = signals else { return std::future::pending().await };
    match signals.next().await {
        Asked::End(signal) => Event::End(signal as i32),
        Asked::Reload => Event::Reloaded(reload()),
        Asked::Open => Event::Input(Input::Open),
    }
}

#[cfg(test)]
mod tests;
