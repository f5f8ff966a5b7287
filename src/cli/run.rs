//! `run`: the daemon for Type=notify units.

use std::mem::{Discriminant, discriminant};
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::{error, info, warn};

use crate::cli::{Error, Exit, RunArgs, block_on, kernel_line, load_forced};
use crate::clock::{self, LocalTime};
use crate::driver::{self, Driver, Failure, Reporter, Setup, View};
use crate::escape::escape;
use crate::gate_state::Phase;
use crate::moment::Moment;
use crate::notify::{Notifier, watchdog_interval};
use crate::ready_fd::ReadyFd;
use crate::record::{Past, Record};
use crate::report::unmet_lines;
use crate::requirement::{Gate, Item, RouteSpec};
use crate::session::Mode;
use crate::verdict::{Outcome, Reason, ReasonCode, Verdict, Warning};

/// When a host without a default route is told so: long enough for a lease, short enough to be read.
const HINT_AFTER: Duration = Duration::from_secs(30);

pub(super) fn execute(args: RunArgs) -> Result<Exit, Error> {
    let ready_fd = match args.ready_fd {
        // SAFETY: this comes first. The command line was parsed, and nothing was opened for that.
        Some(number) => unsafe { ReadyFd::inherit(number) }?,
        None => ReadyFd::default(),
    };
    crate::log::start_beside_entries(args.volume.level());
    let request = args.gate.request()?;
    let line = kernel_line();
    let gate = load_forced(&request, &line)?;
    if let Some(names) = line.opens_others(&gate) {
        let names = escape(&names);
        info!("the kernel command line (netready.open) does not open this gate; it names: {names}");
    }
    let mut notifier = Notifier::from_env();
    notifier.extend(&gate)?;
    let record = Record::of(&gate.name);
    let past = record.past();
    let now = clock::now();
    let mut manager = Manager {
        notifier,
        ready_fd,
        record,
        past,
        status: String::new(),
        logged: None,
        warned: Vec::new(),
        hint: Some(now + HINT_AFTER),
        no_default_route: false,
        watchdog: watchdog_interval().map(|interval| (interval, now)),
    };
    let setup = Setup {
        mode: Mode::Watch,
        gate,
        receive_buffer: args.tuning.receive_buffer,
        signals: Some(&|| load_forced(&request, &line)),
        gave_up_at: past.gave_up.map(|at| LocalTime::of(at).text()),
    };
    let outcome = block_on(async { Ok(Driver::new(setup)?.run(&mut manager).await?) })?;
    Ok(match outcome {
        // Watching ends only where the gate was given up, or lost.
        driver::RunEnd::Ended(_) => Exit::NotReady,
        driver::RunEnd::Signalled(signal, open) => {
            manager.notifier.stopping();
            if open { Exit::Done } else { Exit::Signal(signal) }
        }
    })
}

/// Speaks to the service manager, the journal, and whoever reads the record.
struct Manager {
    notifier: Notifier,
    ready_fd: ReadyFd,
    record: Record,
    past: Past,
    /// What STATUS= says.
    status: String,
    /// What the journal was told last.
    logged: Option<Discriminant<Phase>>,
    warned: Vec<Warning>,
    /// When to say that there is no default route.
    hint: Option<Moment>,
    no_default_route: bool,
    /// How often the watchdog is to be fed, and when next.
    watchdog: Option<(Duration, Moment)>,
}

impl Reporter for Manager {
    fn changed(&mut self, view: &View<'_>, _: Moment) -> Result<(), Failure> {
        if self.status != view.status {
            view.status.clone_into(&mut self.status);
            self.notifier.status(view.status);
        }
        self.no_default_route = view.phase == Phase::Waiting && misses_default_route(view.verdict);
        for warning in &view.verdict.warnings {
            if !self.warned.contains(warning) {
                warn!("{warning}");
                self.warned.push(warning.clone());
            }
        }
        self.log(view);
        Ok(())
    }

    fn opened(&mut self, view: &View<'_>) -> Result<(), Failure> {
        view.status.clone_into(&mut self.status);
        self.hint = None;
        self.notifier.ready(view.status)?;
        self.ready_fd.ready();
        Ok(())
    }

    fn reloaded(&mut self, gate: &Gate, open: bool) {
        info!("the gate was read again: {} ({})", gate.name, gate.source);
        self.logged = None;
        if open {
            self.notifier.reloaded();
            // What READY=1 says of the unit's state, STATUS= says of the gate's.
            self.notifier.status(&self.status);
        } else if let Err(error) = self.notifier.extend(gate) {
            warn!("{error}");
        }
    }

    fn tick(&mut self, now: Moment) {
        if self.hint.is_some_and(|at| at <= now) {
            self.hint = None;
            if self.no_default_route {
                info!("no default route; if that is meant: netready learn --write");
            }
        }
        if let Some((interval, next)) = &mut self.watchdog {
            if *next <= now {
                *next = now + *interval;
                self.notifier.watchdog();
            }
        }
    }

    fn deadline(&self) -> Option<Moment> {
        let watchdog = self.watchdog.map(|(_, next)| next);
        self.hint.into_iter().chain(watchdog).min()
    }

    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.ready_fd.poll_unsent(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.notifier.poll_unsent(context).map_err(Failure::from)
    }
}

impl Manager {
    /// One line for each change of the verdict, not for each event.
    fn log(&mut self, view: &View<'_>) {
        let phase = discriminant(&view.phase);
        let of_waiting = match view.phase {
            // Steps on the way, and back again with every flap: STATUS= shows them.
            Phase::Grace { .. } | Phase::Settling { .. } => true,
            Phase::Waiting => self.logged.is_some_and(|logged| logged == phase),
            Phase::Ready { .. } | Phase::Opened { .. } | Phase::Lost { .. } | Phase::GaveUp { .. } => {
                self.logged == Some(phase)
            }
        };
        if of_waiting {
            return;
        }
        self.logged = Some(phase);
        match view.phase {
            Phase::GaveUp { .. } => {
                self.past.gave_up = Some(clock::now());
                error!("{}", view.status);
                for line in unmet_lines(view.verdict) {
                    error!("{line}");
                }
            }
            Phase::Lost { .. } | Phase::Opened { .. } => {
                warn!("{}", view.status);
                if let Phase::Opened { .. } = view.phase {
                    for line in unmet_lines(view.verdict) {
                        warn!("{line}");
                    }
                }
            }
            Phase::Ready { .. } => {
                self.past.gave_up = None;
                info!("{}", view.status);
            }
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } => info!("{}", view.status),
        }
        let (gate, source) = (&view.gate.name, &view.gate.source);
        self.record.write(gate, source, view.phase, view.status, self.past);
    }
}

/// Whether the lack of a default route is what holds the gate shut.
fn misses_default_route(verdict: &Verdict) -> bool {
    verdict.rows().any(|(clause, row)| {
        let wants_default = |spec: &RouteSpec| spec.destination.prefixes().any(|p| p.prefix_len() == 0);
        let default = row.item == Item::Pasta
            || matches!(&row.item, Item::Route(spec) if wants_default(spec));
        let none = matches!(&row.outcome, Outcome::Unmet(reason @ (Reason::NoRoute { .. } | Reason::Pasta { .. }))
            if reason.code() == ReasonCode::NoRoute);
        clause.grace.is_none() && default && none
    })
}
