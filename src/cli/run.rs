//! `run`: the daemon for Type=notify units.

use std::os::fd::AsFd;
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::{info, warn};

use crate::cli::{Error, Exit, RunArgs, block_on, kernel_line, load_forced};
use crate::clock::{self, LocalTime};
use crate::driver::{self, Driver, Failure, Reporter, Setup, View};
use crate::escape::escape;
use crate::gate_state::Phase;
use crate::history::boots::AfterReady;
use crate::history::{self, Code, GateWord};
use crate::journal::{self, Entry, Kind, Policy, Seen, Warnings};
use crate::moment::Moment;
use crate::notify::{Notifier, watchdog_interval};
use crate::ready_fd::ReadyFd;
use crate::record::{Past, Record, events};
use crate::report::{Earlier, Took};
use crate::requirement::{Gate, Item, RouteSpec};
use crate::session::Mode;
use crate::snapshot::Snapshot;
use crate::store;
use crate::textfile::TextFile;
use crate::verdict::{Outcome, Reason, ReasonCode, Verdict};

/// When to tell the user about a missing default route. A lease arrives earlier than this, and the user still reads
/// it.
const HINT_AFTER: Duration = Duration::from_secs(30);

/// The name (FDNAME=) under which the service manager keeps the file of events.
const EVENTS: &str = "netready-events";

pub(super) fn execute(args: RunArgs) -> Result<Exit, Error> {
    let ready_fd = match args.ready_fd {
        // SAFETY: this comes first. netready has only parsed the command line, which opens no descriptor.
        Some(number) => unsafe { ReadyFd::inherit(number) }?,
        None => ReadyFd::default(),
    };
    crate::log::start_beside_entries(args.volume.level());
    // Other service managers use --ready-fd. They do not keep files for a unit.
    let earlier = args.ready_fd.is_none().then(|| store::take(EVENTS)).flatten();
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
    let file = events::Writer::new(&gate.name, earlier);
    let past = file.past();
    // STATUS= and the timeline, which has microseconds, count from the same moment.
    let now = clock::now().in_micros();
    let mut snapshot = Snapshot::new(&gate, env!("CARGO_PKG_VERSION"), past.losses, past.gave_up, now);
    snapshot.last_gave_up = past.last_gave_up;
    snapshot.awaited_since = past.awaited_since.unwrap_or(now);
    let waited = now - snapshot.awaited_since;
    let mut manager = Manager {
        notifier,
        ready_fd,
        record,
        snapshot,
        textfile: args.textfile.as_deref().map(TextFile::new),
        gate: gate.clone(),
        status: String::new(),
        policy: Policy::default(),
        file,
        kept: !store::is_there(),
        after_ready: AfterReady::default(),
        unwritten: Unwritten::default(),
        warnings: Warnings::default(),
        hint: Some(now + HINT_AFTER),
        no_default_route: false,
        watchdog: watchdog_interval().map(|interval| (interval, now)),
    };
    let reload = || load_forced(&request, &line);
    let setup = Setup {
        mode: Mode::Watch,
        gate,
        began: now,
        receive_buffer: args.tuning.receive_buffer,
        signals: Some(&reload),
        earlier: past.gave_up.map(|at| Earlier { gave_up_at: LocalTime::of(at).text(), waited }),
    };
    let outcome = block_on(async {
        let mut driver = Driver::new(setup)?;
        driver.record(past.losses);
        Ok(driver.run(&mut manager).await?)
    })?;
    let exit = match outcome {
        // A watch ends only if the gate gave up or was lost.
        driver::RunEnd::Ended(_) => Exit::NotReady,
        driver::RunEnd::Signalled(signal, open) => {
            manager.notifier.stopping();
            manager.stop(clock::now());
            if open { Exit::Done } else { Exit::Signal(signal) }
        }
    };
    if let Some(file) = &manager.textfile {
        file.finish();
    }
    Ok(exit)
}

/// Reports to the service manager, the journal, and the readers of the record.
struct Manager {
    notifier: Notifier,
    ready_fd: ReadyFd,
    record: Record,
    /// The state of the gate for the readers of the record.
    snapshot: Snapshot,
    textfile: Option<TextFile>,
    gate: Gate,
    /// The last text of STATUS=.
    status: String,
    policy: Policy,
    /// The events of this boot.
    file: events::Writer,
    /// Whether that file is settled: the service manager keeps it for the next `run`, or cannot.
    kept: bool,
    /// Watches for families that arrive after the gate was ready for the first time.
    after_ready: AfterReady,
    /// The events since the last entry.
    unwritten: Unwritten,
    warnings: Warnings,
    /// When to report that there is no default route.
    hint: Option<Moment>,
    no_default_route: bool,
    /// The interval of the watchdog, and when it must be notified next.
    watchdog: Option<(Duration, Moment)>,
}

impl Reporter for Manager {
    fn changed(&mut self, view: &View<'_>, now: Moment) -> Result<(), Failure> {
        if self.status != view.status {
            view.status.clone_into(&mut self.status);
            self.notifier.status(view.status);
        }
        self.no_default_route = view.phase == Phase::Waiting && misses_default_route(view.verdict);
        self.snapshot.see(view.gate, view.verdict, view.phase, view.losses, now);
        let View { gate, verdict, phase, status, .. } = *view;
        let entry = self.policy.see(Seen { gate, verdict, phase, status }, now);
        self.write(entry);
        self.keep();
        self.warnings.see(&verdict.warnings);
        self.warn(now);
        Ok(())
    }

    fn happened(&mut self, lines: &str) {
        self.file.append(lines);
        self.unwritten.add(lines);
        self.came_late(lines);
    }

    fn opened(&mut self) -> Result<(), Failure> {
        self.notifier.ready()?;
        self.ready_fd.ready();
        self.hint = None;
        Ok(())
    }

    fn reloaded(&mut self, gate: &Gate, open: bool) {
        self.gate = gate.clone();
        self.policy.reload();
        let message = format!("the gate was read again: {} ({})", gate.name, gate.source);
        self.note(Kind::Reloaded, message, clock::now());
        if open {
            self.notifier.reloaded();
            // READY=1 changes the state of the unit. STATUS= must show the state of the gate again.
            self.notifier.status(&self.status);
        } else if let Err(error) = self.notifier.extend(gate) {
            warn!("{error}");
        }
    }

    fn tick(&mut self, now: Moment) {
        let entry = self.policy.tick(now);
        self.write(entry);
        self.warn(now);
        if self.hint.is_some_and(|at| at <= now) {
            self.hint = None;
            if self.no_default_route {
                info!("no default route; if this host should have none: netready learn --write");
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
        self.hint
            .into_iter()
            .chain(watchdog)
            .chain(self.policy.deadline())
            .chain(self.warnings.deadline())
            .chain(self.notifier.deadline())
            .min()
    }

    fn poll_unsent(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.ready_fd.poll_unsent(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.notifier.poll_unsent(context).map_err(Failure::from)
    }
}

impl Manager {
    /// Writes an entry about the state of the gate, and updates the record for later readers.
    fn write(&mut self, entry: Option<Entry>) {
        let Some(entry) = entry else { return };
        journal::write(&entry, &self.unwritten.take(entry.at));
        if let Some(file) = &mut self.textfile {
            file.keep(&self.snapshot);
        }
        if entry.kind == Kind::Reason {
            // The record is not written while the gate waits. STATUS= and the events have the reason.
            return;
        }
        self.record.write(&self.snapshot, &self.status);
    }

    /// Notes that netready was told to end.
    fn stop(&mut self, now: Moment) {
        let waits = matches!(self.snapshot.state, GateWord::Waiting | GateWord::Grace | GateWord::Settling);
        if waits {
            self.note_stop(now);
        }
        self.snapshot.stop(now);
        if let Some(file) = &mut self.textfile {
            file.keep(&self.snapshot);
        }
    }

    /// Writes an entry about a gate that was not ready yet: without it, a later boot would not know for how long this
    /// one waited.
    fn note_stop(&mut self, now: Moment) {
        let waited = Took(now - self.snapshot.awaited_since);
        let message = format!("NOT ready when stopped after {waited}: {}", self.snapshot.what);
        let mut entry = self.about(Kind::Stopped, message, now);
        if let Some(reason) = &self.snapshot.reason {
            entry.code = match reason.code {
                Code::Known(code) => Some(code.as_str()),
                // Only another version has other codes, and this snapshot was made here.
                Code::Other(_) => None,
            };
            entry.link.clone_from(&reason.link);
        }
        journal::write(&entry, &self.unwritten.take(now));
    }

    /// Keeps the history for later processes, because the unit may start another `run` in this boot. Nothing is
    /// kept before READY=1 was sent or the gate gave up.
    fn keep(&mut self) {
        match self.snapshot.state {
            GateWord::Waiting | GateWord::Grace | GateWord::Settling => return,
            GateWord::Ready | GateWord::Opened | GateWord::Lost | GateWord::GaveUp | GateWord::Stopped => {}
        }
        let Snapshot { gave_up, last_gave_up, awaited_since, ready_after, losses, .. } = self.snapshot;
        let awaited_since = gave_up.filter(|_| ready_after.is_none()).map(|_| awaited_since);
        self.file.remember(Past { gave_up, last_gave_up, awaited_since, losses });
        if self.kept {
            return;
        }
        if let Some(file) = self.file.reader() {
            self.kept = self.notifier.keep(EVENTS, file.as_fd());
        }
    }

    /// Writes an entry about a family that arrived after the gate was ready. It includes the events, so that later
    /// boots can learn from them.
    fn came_late(&mut self, lines: &str) {
        if self.after_ready.is_done() || journal::of_process().is_none() {
            return;
        }
        let events: Vec<history::Event> = lines.lines().filter_map(history::read).collect();
        for event in &events {
            let Some(message) = self.after_ready.see(event) else { continue };
            let unwritten = self.unwritten.take(event.at);
            journal::write(&self.about(Kind::Late, message, event.at), &unwritten);
        }
    }

    /// Writes the warnings that are due.
    fn warn(&mut self, now: Moment) {
        while let Some(warning) = self.warnings.next(now) {
            self.note(Kind::Warning, warning.to_string(), now);
        }
    }

    /// Writes an entry of another kind.
    fn note(&self, kind: Kind, message: String, now: Moment) {
        journal::write(&self.about(kind, message, now), "");
    }

    fn about(&self, kind: Kind, message: String, at: Moment) -> Entry {
        Entry {
            kind,
            priority: kind.priority(),
            message,
            details: Vec::new(),
            gate: self.gate.name.clone(),
            code: None,
            link: None,
            at,
        }
    }
}

/// Events that are not in the journal yet. The next entry takes them along.
#[derive(Debug, Default)]
struct Unwritten {
    lines: String,
    /// How many events were left out because the next entry came so late.
    dropped: u64,
}

impl Unwritten {
    /// The most bytes of events that are kept. Usual waits need far less. With half as much, a host with many links
    /// would lose some events. A gate that is never lost while its links come and go would keep twice as much for
    /// ever.
    const MOST: usize = 32 << 10;

    fn add(&mut self, lines: &str) {
        if journal::of_process().is_none() {
            return;
        }
        for line in lines.split_inclusive('\n') {
            if self.dropped > 0 || self.lines.len() + line.len() > Self::MOST {
                self.dropped += 1;
            } else {
                self.lines.push_str(line);
            }
        }
    }

    fn take(&mut self, now: Moment) -> String {
        let Unwritten { mut lines, dropped } = std::mem::take(self);
        if dropped > 0 {
            lines
                .push_str(&history::line(&history::Event { at: now, what: history::What::Dropped(dropped) }));
        }
        lines
    }
}

/// Whether a missing default route holds the gate shut.
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
