//! `retry`: runs a command again while its failure may pass. `pull` uses it with a command of its own.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::attempt::{self, AttemptEnd, AttemptError, AttemptOutcome, Bounds, Signals, Words};
use crate::chance::chance;
use crate::cli::live::Live;
use crate::cli::options::NamedGateOptions;
use crate::cli::{Error, Exit, Tuning, Volume, block_on, kernel_line, load_forced, whole_number};
use crate::clock::{self, Timer};
use crate::config::{DurationLimit, duration_text, parse_duration};
use crate::driver::{self, Driver, Setup};
use crate::moment::Moment;
use crate::requirement::Gate;
use crate::retry::classify::{Meaning, classify};
use crate::retry::{Attempts, Backoff, GiveUp, Limits, RetryDecision, Retryability};
use crate::session::{self, Mode};

mod speaker;
mod watch;

use speaker::{Failed, Speaker};
use watch::NetworkWatch;

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    again: AgainOptions,
    /// How to decide whether a failure is temporary
    #[arg(long, value_name = "HOW", default_value = "exit", help_heading = AGAIN, overrides_with = "classify")]
    classify: Classify,
    /// Run the command again only after these exit codes (1,75,…) [default: any except 0]
    #[arg(long, value_name = "CODES", value_parser = whole_number(0, u8::MAX), value_delimiter = ',', help_heading = AGAIN)]
    retry_on_exit: Vec<u8>,
    /// Never run the command again after these exit codes
    #[arg(long, value_name = "CODES", value_parser = whole_number(0, u8::MAX), value_delimiter = ',', help_heading = AGAIN)]
    fatal_exit: Vec<u8>,
    /// End an attempt that made no progress for this time: no output, nothing read or written
    #[arg(long, value_name = "DUR", value_parser = bound, default_value = "infinity", help_heading = AGAIN, overrides_with = "stall_timeout")]
    stall_timeout: Bound,
    #[command(flatten)]
    gate: NamedGateOptions,
    #[command(flatten)]
    volume: Volume,
    #[command(flatten)]
    tuning: Tuning,
    /// The command to run
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

// How often and how long, for retry and pull.
#[derive(Debug, Clone, Args)]
pub(super) struct AgainOptions {
    /// Run the command again at most N times
    #[arg(long, value_name = "N", value_parser = whole_number(0, u32::MAX), default_value_t = 8, help_heading = AGAIN, overrides_with = "retries")]
    retries: u32,
    /// Wait a random time, up to this limit, before the first retry; the limit doubles after each failure
    #[arg(long, value_name = "DUR", value_parser = delay, default_value = "2s", help_heading = AGAIN, overrides_with = "delay")]
    delay: Duration,
    /// Never wait longer than this before a retry
    #[arg(long, value_name = "DUR", value_parser = delay, default_value = "1min", help_heading = AGAIN, overrides_with = "max_delay")]
    max_delay: Duration,
    /// Give up this long after the first attempt began, and end a running attempt
    #[arg(long, value_name = "DUR", value_parser = bound, default_value = "1h", help_heading = AGAIN, overrides_with = "max_elapsed")]
    max_elapsed: Bound,
    /// End an attempt after this long
    #[arg(long, value_name = "DUR", value_parser = bound, default_value = "infinity", help_heading = AGAIN, overrides_with = "attempt_timeout")]
    attempt_timeout: Bound,
}

/// The heading of these options in the help.
pub(super) const AGAIN: &str = "How often and how long to try";

/// How to decide what a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Classify {
    /// By the text of Podman, skopeo or buildah on stderr.
    Oci,
    /// By the exit code.
    Exit,
}

/// A limit, or none. (This is not an Option, because clap would read that as an optional option.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound(pub(super) Option<Duration>);

pub(super) fn bound(text: &str) -> Result<Bound, String> {
    match parse_duration(text)? {
        DurationLimit::Infinite => Ok(Bound(None)),
        DurationLimit::Finite(Duration::ZERO) => {
            Err("must be more than 0; for no limit write \"infinity\"".to_owned())
        }
        DurationLimit::Finite(span) => Ok(Bound(Some(span))),
    }
}

fn delay(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        DurationLimit::Infinite => Err("must end".to_owned()),
        DurationLimit::Finite(span) => Ok(span),
    }
}

pub(super) fn execute(args: RetryArgs) -> Result<Exit, Error> {
    let Some((program, arguments)) = args.command.split_first() else { return Ok(Exit::Done) };
    let judge =
        Judge { classify: args.classify, retry_on_exit: args.retry_on_exit, fatal_exit: args.fatal_exit };
    let words = Words { program, arguments, may_notify: true, silent: false, temporary: None };
    let setting =
        Setting::new(&args.again, args.stall_timeout, judge, &args.gate, &args.volume, &args.tuning)?;
    block_on(async {
        let mut signals = Signals::new().map_err(AttemptError::from)?;
        Ok(setting.pursue(&words, &mut signals).await?.exit())
    })
}

/// Decides what a failure means, by the options.
pub(super) struct Judge {
    pub(super) classify: Classify,
    pub(super) retry_on_exit: Vec<u8>,
    pub(super) fatal_exit: Vec<u8>,
}

impl Judge {
    fn judge(&self, code: u8, tail: &str) -> Meaning {
        let by_code = |again| Meaning { again, why: format!("exit code {code}") };
        if self.fatal_exit.contains(&code) {
            return by_code(Retryability::Never);
        }
        if self.retry_on_exit.contains(&code) {
            return by_code(Retryability::Later);
        }
        match self.classify {
            Classify::Oci => match classify(tail) {
                // The command printed nothing.
                Meaning { again, why } if why.is_empty() => Meaning { again, ..by_code(again) },
                meaning => meaning,
            },
            Classify::Exit if self.retry_on_exit.is_empty() => by_code(Retryability::Later),
            Classify::Exit => by_code(Retryability::Never),
        }
    }
}

/// How the attempts ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finished {
    /// The command succeeded.
    Done,
    /// netready gave up. The value is its exit code.
    GaveUp(u8),
    /// The gate never opened.
    Shut,
    /// A signal ended the command or netready.
    Signalled(i32),
}

impl Finished {
    pub(super) fn exit(self) -> Exit {
        match self {
            Finished::Done => Exit::Done,
            Finished::GaveUp(code) => Exit::Code(code),
            Finished::Shut => Exit::NotReady,
            Finished::Signalled(signal) => Exit::Signal(signal),
        }
    }
}

/// The exit code if netready ended the last attempt, or if the time was over.
const ENDED: u8 = 124;

/// Returns the message of a `pull` whose tool is not on this host.
fn no_tool(program: &str) -> String {
    let place = if program.contains('/') { "does not exist" } else { "is not installed, or is not in PATH" };
    format!("error: {program} {place}; install it, or name podman or skopeo with --tool")
}

/// All options and the gate, without the command.
pub(super) struct Setting {
    backoff: Backoff,
    limits: Limits,
    stall: Option<Duration>,
    attempt: Option<Duration>,
    judge: Judge,
    gate: Option<Gate>,
    /// Whether to wait for a gate that is shut.
    waits: bool,
    receive_buffer: usize,
    quiet: bool,
    /// The image of a `pull`. `None` for `retry`.
    image: Option<String>,
}

impl Setting {
    pub(super) fn new(
        again: &AgainOptions,
        stall: Bound,
        judge: Judge,
        gate: &NamedGateOptions,
        volume: &Volume,
        tuning: &Tuning,
    ) -> Result<Setting, Error> {
        crate::log::start(match volume.verbose {
            true => tracing::Level::DEBUG,
            false => tracing::Level::WARN,
        });
        Ok(Setting {
            backoff: Backoff { base: again.delay, cap: again.max_delay.max(again.delay) },
            limits: Limits { retries: Some(again.retries), max_elapsed: again.max_elapsed.0 },
            stall: stall.0,
            attempt: again.attempt_timeout.0,
            judge,
            gate: gate.request().map(|request| load_forced(&request, &kernel_line())).transpose()?,
            waits: true,
            receive_buffer: tuning.receive_buffer,
            quiet: volume.quiet,
            image: None,
        })
    }

    /// Makes this the setting of a pull. The journal then gets an entry for each further attempt.
    pub(super) fn pulls(mut self, image: &str) -> Setting {
        self.image = Some(image.to_owned());
        self
    }

    /// Gives up if the gate is shut, instead of waiting.
    pub(super) fn gate_must_be_open(&mut self) {
        self.waits = false;
    }

    /// Runs the command until it succeeds or until another attempt makes no sense.
    pub(super) async fn pursue(&self, words: &Words<'_>, signals: &mut Signals) -> Result<Finished, Error> {
        let mut speaker = Speaker::new(self.quiet, self.image.as_deref());
        let mut network = match NetworkWatch::open(self.gate.as_ref(), self.receive_buffer) {
            Ok(network) => Some(network),
            // Without a gate the watch is not necessary.
            Err(error) if self.gate.is_none() => {
                tracing::debug!("netready cannot see changes of the network: {error}");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let mut course: Option<Attempts> = None;
        // The exit code of the last attempt, and its failure in words.
        let mut last: Option<u8> = None;
        let mut before: Option<String> = None;
        loop {
            if let (Some(gate), Some(network)) = (&self.gate, &mut network) {
                let open = network.ready().await?;
                if !open && !self.waits {
                    speaker.say("the gate is shut");
                    return Ok(last.map_or(Finished::Shut, Finished::GaveUp));
                }
                // Wait for the gate before the first attempt, with its settle and its graces. Later wait only if it
                // has shut.
                if course.is_none() || !open {
                    let until = course.as_ref().and_then(Attempts::deadline);
                    match wait_for(gate, self.receive_buffer, until, &mut speaker, signals).await? {
                        Opening::Open => {}
                        Opening::Shut => return Ok(last.map_or(Finished::Shut, Finished::GaveUp)),
                        Opening::TimeUp => return Ok(Finished::GaveUp(ENDED)),
                        Opening::Signalled(signal) => return Ok(Finished::Signalled(signal)),
                    }
                }
            }
            if let Some(network) = &mut network {
                // An improvement during the attempt is news, because it was not there when the attempt began.
                // Forget earlier ones.
                network.ready().await?;
            }
            let now = clock::now();
            let course = course.get_or_insert_with(|| Attempts::new(self.backoff, self.limits, now));
            let bounds = Bounds { stall: self.stall, attempt: self.attempt, until: course.deadline() };
            speaker.begins(course, before.as_deref(), &bounds, now);
            let outcome = match attempt::run(words, bounds, signals).await {
                Ok(outcome) => outcome,
                Err(AttemptError::Spawn { program, source }) => {
                    // Use the exit codes of a shell: 127 if the program does not exist, 126 if it cannot be run.
                    let found = source.kind() != ErrorKind::NotFound;
                    speaker.say(&match found || self.image.is_none() {
                        true => format!("error: {program}: {source}"),
                        false => no_tool(&program),
                    });
                    return Ok(Finished::GaveUp(if found { 126 } else { 127 }));
                }
                Err(error @ AttemptError::Follow(_)) => return Err(error.into()),
            };
            let (code, meaning) = match self.meaning(&outcome) {
                Ok(failed) => failed,
                Err(finished) => {
                    speaker.ended(finished);
                    return Ok(finished);
                }
            };
            last = Some(code);
            let attempt = course.attempt();
            let now = clock::now();
            match course.failed(meaning.again, now, chance()) {
                RetryDecision::GiveUp(why) => {
                    speaker.gave_up(attempt, why, &meaning);
                    return Ok(Finished::GaveUp(if why == GiveUp::TimeUp { ENDED } else { code }));
                }
                RetryDecision::After(delay) => {
                    before = Some(meaning.why.clone());
                    let failure =
                        Failed { attempt, last: course.last_attempt(), meaning, until: now + delay };
                    if let Some(signal) = pause(&failure, &mut network, &mut speaker, signals).await? {
                        return Ok(Finished::Signalled(signal));
                    }
                }
            }
        }
    }

    /// Returns the exit code of a failed attempt and what the failure means. If no further attempt is needed,
    /// returns how the attempts ended.
    fn meaning(&self, outcome: &AttemptOutcome) -> Result<(u8, Meaning), Finished> {
        let ended = |why: String| Ok((ENDED, Meaning { again: Retryability::Later, why }));
        match outcome.ended {
            AttemptEnd::Exited(0) | AttemptEnd::Signalled(_, 0) => Err(Finished::Done),
            AttemptEnd::Exited(code) => Ok((code, self.judge.judge(code, &outcome.tail))),
            AttemptEnd::Stalled(limit) => ended(format!("nothing moved for {}", duration_text(limit))),
            AttemptEnd::TookTooLong(limit) => ended(format!("it took longer than {}", duration_text(limit))),
            AttemptEnd::TimeUp => ended("the time was up".to_owned()),
            AttemptEnd::Signalled(signal, _) | AttemptEnd::Interrupted(signal) => {
                Err(Finished::Signalled(signal))
            }
        }
    }
}

/// Waits until the next attempt. Returns the signal if one ended the wait.
async fn pause(
    failed: &Failed,
    network: &mut Option<NetworkWatch>,
    speaker: &mut Speaker,
    signals: &mut Signals,
) -> Result<Option<i32>, Error> {
    let mut timer = Timer::new().map_err(AttemptError::from)?;
    // A change of the network does not end a rate limit.
    let watched = match failed.meaning.again {
        Retryability::Limited(_) => None,
        Retryability::Later | Retryability::AtBootOnly | Retryability::Never => network.as_mut(),
    };
    speaker.failed(failed);
    let mut better = std::pin::pin!(async {
        match watched {
            Some(network) => network.better().await,
            None => std::future::pending().await,
        }
    });
    timer.set(Some(failed.until)).map_err(AttemptError::from)?;
    let live = speaker.live();
    let ended = Live::during(live.as_deref(), async {
        tokio::select! {
            // A signal comes first: it may come at the moment at which the delay ends, or netready may have been
            // stopped meanwhile. No attempt may start after it.
            biased;
            signal = signals.end() => Ok(Pause::Signalled(signal)),
            fired = timer.fired() => fired.map(|()| Pause::Over).map_err(|error| AttemptError::from(error).into()),
            changed = &mut better => changed.map(|()| Pause::Better).map_err(Error::from),
        }
    });
    match ended.await.map_err(AttemptError::from)?? {
        Pause::Over => Ok(None),
        Pause::Signalled(signal) => Ok(Some(signal)),
        Pause::Better => {
            speaker.say("the network has improved: trying again now");
            Ok(None)
        }
    }
}

/// How a pause ended.
enum Pause {
    /// The delay is over.
    Over,
    /// A signal ended netready.
    Signalled(i32),
    /// The network changed for the better.
    Better,
}

enum Opening {
    Open,
    Shut,
    TimeUp,
    Signalled(i32),
}

/// Waits for the gate until `until` at the latest.
async fn wait_for(
    gate: &Gate,
    receive_buffer: usize,
    until: Option<Moment>,
    speaker: &mut Speaker,
    signals: &mut Signals,
) -> Result<Opening, Error> {
    speaker.waits_for(gate, until);
    let live = speaker.live();
    let gate = gate.clone();
    let setup = Setup {
        mode: Mode::UntilOpen,
        gate,
        began: clock::now(),
        receive_buffer,
        signals: None,
        earlier: None,
    };
    let mut driver = Driver::new(setup)?;
    let mut timer = Timer::new().map_err(AttemptError::from)?;
    timer.set(until).map_err(AttemptError::from)?;
    let time_up = async {
        match until {
            Some(_) => timer.fired().await,
            None => std::future::pending().await,
        }
    };
    let opening = Live::during(live.as_deref(), async {
        tokio::select! {
            // As in `pause`: no attempt may start after a signal, or when the time is up.
            biased;
            signal = signals.end() => Ok(Opening::Signalled(signal)),
            fired = time_up => {
                fired.map_err(AttemptError::from)?;
                Ok(Opening::TimeUp)
            }
            outcome = driver.run(speaker) => Ok::<_, Error>(match outcome? {
                driver::RunEnd::Ended(session::Ended::Opened(_)) => Opening::Open,
                driver::RunEnd::Ended(_) => Opening::Shut,
                driver::RunEnd::Signalled(signal, _) => Opening::Signalled(signal),
            }),
        }
    });
    let opening = opening.await.map_err(AttemptError::from)??;
    if let Opening::TimeUp | Opening::Signalled(_) = opening {
        speaker.waited_in_vain();
    }
    Ok(opening)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_without_its_tool_says_what_to_do() {
        for (program, said) in [
            (
                "podman",
                "error: podman is not installed, or is not in PATH; install it, or name podman or skopeo with --tool",
            ),
            (
                "/opt/podman",
                "error: /opt/podman does not exist; install it, or name podman or skopeo with --tool",
            ),
        ] {
            assert_eq!(no_tool(program), said);
        }
    }
}
