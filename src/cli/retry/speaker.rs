//! Messages of `retry` and `pull`.

use std::rc::Rc;
use std::time::Duration;

use crate::attempt::Bounds;
use crate::cli::live::Live;
use crate::cli::retry::Finished;
use crate::clock::{self, LocalTime};
use crate::driver::{Failure, Reporter, View};
use crate::gate_state::Phase;
use crate::journal::{self, Entry, Kind};
use crate::moment::Moment;
use crate::notify::Notifier;
use crate::report::{LiveLine, unmet_lines};
use crate::requirement::Gate;
use crate::retry::classify::Meaning;
use crate::retry::{Attempts, GiveUp};
use crate::stderr;

/// Prints messages to stderr, and reports to the service manager of the unit that it runs in.
pub(super) struct Speaker {
    notifier: Notifier,
    quiet: bool,
    /// The image of a `pull`. `None` for `retry`.
    image: Option<String>,
    /// The live line. `None` if there is none.
    live: Option<Rc<Live>>,
    /// When the first attempt began.
    began: Option<Moment>,
    /// When the wait for the gate began.
    waits: Moment,
    /// When the time for all attempts ends.
    until: Option<Moment>,
    /// The last status of the gate that was printed.
    said: String,
}

impl Speaker {
    pub(super) fn new(quiet: bool, image: Option<&str>) -> Speaker {
        Speaker {
            notifier: Notifier::from_env(),
            quiet,
            image: image.map(str::to_owned),
            live: (!quiet).then(Live::on_terminal).flatten().map(Rc::new),
            began: None,
            waits: clock::now(),
            until: None,
            said: String::new(),
        }
    }

    pub(super) fn say(&self, line: &str) {
        stderr::say(&format!("netready: {line}\n"));
    }

    /// Returns the live line, which says what netready waits for between two attempts.
    pub(super) fn live(&self) -> Option<Rc<Live>> {
        self.live.clone()
    }

    /// A wait for this gate begins. `until` is when it ends at the latest.
    pub(super) fn waits_for(&mut self, gate: &Gate, until: Option<Moment>) {
        (self.waits, self.until) = (clock::now(), until);
        // The command runs inside another unit. It must not fail because of that unit's notifications.
        if let Err(error) = self.notifier.extend(gate) {
            tracing::debug!("{error}");
            self.notifier = Notifier::silent();
        }
    }

    /// The wait ended before the gate opened. If only the live line has shown what was missing, print it now.
    pub(super) fn waited_in_vain(&self) {
        if self.live.is_some() && !self.said.is_empty() {
            self.say(&self.said);
        }
    }

    pub(super) fn begins(&mut self, course: &Attempts, before: Option<&str>, bounds: &Bounds, now: Moment) {
        self.began = self.began.or(Some(now));
        let left = bounds.until.map(|until| until - now);
        let bound = [left, bounds.attempt].into_iter().flatten().min();
        // Add the time that it takes to end the attempt.
        self.notifier.extend_by(bound.map(|bound| bound.saturating_add(Duration::from_secs(15))));
        let attempt = of(course.attempt(), course.last_attempt());
        let before = before.map(|why| format!(" (before it: {why})")).unwrap_or_default();
        self.notifier.status(&format!("Attempt {attempt}{before}"));
    }

    /// The attempts have ended. From now on netready must not set the status of the unit.
    pub(super) fn ended(&mut self, finished: Finished) {
        if finished == Finished::Done {
            self.notifier.status("");
        }
    }

    pub(super) fn failed(&mut self, failed: &Failed) {
        let now = clock::now();
        self.notifier.extend_by(Some(failed.until - now));
        let next = LocalTime::of(failed.until).text();
        self.notifier.status(&sentence(&format!("{}; next at {next}", failed.line())));
        if !self.quiet {
            let line = format!("{}; next in {}", failed.line(), rounded(failed.until - now));
            let sent =
                self.image.as_ref().is_some_and(|image| journal::sent(&entry(image, &line, failed, now)));
            if !sent {
                self.say(&line);
            }
        }
        if let Some(live) = &self.live {
            let next = of(failed.attempt + 1, failed.last);
            let began = self.began.unwrap_or(now);
            live.show(LiveLine::of_pause(&next, &failed.meaning.why, began, failed.until));
        }
    }

    pub(super) fn gave_up(&mut self, attempts: u32, why: GiveUp, meaning: &Meaning) {
        let plural = if attempts == 1 { "" } else { "s" };
        let why = match why {
            GiveUp::Final => "waiting does not help",
            GiveUp::NoMoreRetries => "no more retries",
            GiveUp::TimeUp => "no more time",
        };
        let line = format!("given up after {attempts} attempt{plural}, {why}: {}", meaning.why);
        self.notifier.status(&sentence(&line));
        self.say(&line);
    }
}

/// Makes the journal entry about a pull that is tried again.
fn entry(image: &str, line: &str, failed: &Failed, at: Moment) -> Entry {
    Entry {
        kind: Kind::PullRetry,
        priority: Kind::PullRetry.priority(),
        message: format!("pull of {image}: {line}"),
        details: Vec::new(),
        gate: String::new(),
        code: Some(failed.meaning.again.as_str()),
        link: None,
        at,
    }
}

/// A failure after which another attempt follows.
pub(super) struct Failed {
    pub(super) attempt: u32,
    pub(super) last: Option<u32>,
    pub(super) meaning: Meaning,
    /// When the next attempt begins.
    pub(super) until: Moment,
}

impl Failed {
    fn line(&self) -> String {
        format!("attempt {} failed: {}", of(self.attempt, self.last), self.meaning.why)
    }
}

fn of(attempt: u32, last: Option<u32>) -> String {
    last.map_or(attempt.to_string(), |last| format!("{attempt} of {last}"))
}

/// Makes the first letter a capital, as in every status.
fn sentence(line: &str) -> String {
    let mut line = line.to_owned();
    if let Some(first) = line.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    line
}

/// Rounds to a tenth of a second.
fn rounded(delay: Duration) -> String {
    format!("{:.1}s", delay.as_secs_f64())
}

impl Reporter for Speaker {
    fn changed(&mut self, view: &View<'_>, _: Moment) -> Result<(), Failure> {
        if let Some(live) = &self.live {
            live.show_gate(view, self.waits, view.until.into_iter().chain(self.until).min());
        }
        if self.said == view.status {
            return Ok(());
        }
        let silent_so_far = self.said.is_empty();
        view.status.clone_into(&mut self.said);
        self.notifier.status(view.status);
        let (say, unmet) = match view.phase {
            Phase::Waiting | Phase::Grace { .. } | Phase::Settling { .. } => {
                (!self.quiet && self.live.is_none(), false)
            }
            // Do not report that the gate was already ready.
            Phase::Ready { .. } => (!self.quiet && !silent_so_far, false),
            Phase::Opened { .. } | Phase::GaveUp { .. } | Phase::Lost { .. } => (true, true),
        };
        if say {
            self.say(view.status);
        }
        if unmet {
            for line in unmet_lines(view.verdict) {
                self.say(&format!("  {line}"));
            }
        }
        Ok(())
    }

    fn opened(&mut self) -> Result<(), Failure> {
        // The next wait prints its status again.
        self.said.clear();
        Ok(())
    }

    fn reloaded(&mut self, _: &Gate, _: bool) {}

    fn tick(&mut self, _: Moment) {}

    fn deadline(&self) -> Option<Moment> {
        None
    }
}
