//! `monitor`: prints changes as they happen.

use std::io::Write;

use crate::cli::{CheckArgs, Error, Exit, block_on, load, paint};
use crate::clock::{self, LocalTime};
use crate::driver::{self, Driver, Failure, Reporter, Setup, View};
use crate::kernel_line::Forced;
use crate::moment::Moment;
use crate::report::{Change, Changes, json_text, state_word, verdict_json};
use crate::requirement::{Gate, OnLoss};
use crate::session::Mode;

pub(super) fn execute(args: CheckArgs) -> Result<Exit, Error> {
    crate::log::start(args.output.volume.level());
    let gate = timeless(load(&args.gate.request()?)?.gate);
    let mut printer = Printer { json: args.output.json, changes: Changes::default() };
    let receive_buffer = args.tuning.receive_buffer;
    let setup =
        Setup { mode: Mode::Watch, gate, began: clock::now(), receive_buffer, signals: None, earlier: None };
    Ok(match block_on(async { Ok(Driver::new(setup)?.run(&mut printer).await?) })? {
        driver::RunEnd::Ended(_) => Exit::Done,
        driver::RunEnd::Signalled(signal, _) => Exit::Signal(signal),
    })
}

/// Removes settle, timeouts and forced opening from a gate. Only commands that wait use them.
fn timeless(gate: Gate) -> Gate {
    Gate {
        timeout: None,
        no_carrier_timeout: None,
        settle: std::time::Duration::ZERO,
        on_loss: OnLoss::Report,
        forced: Forced::default(),
        ..gate
    }
}

struct Printer {
    json: bool,
    changes: Changes,
}

impl Reporter for Printer {
    fn changed(&mut self, view: &View<'_>, now: Moment) -> Result<(), Failure> {
        let change = self.changes.take(view.verdict);
        let text = match self.json {
            true => json_line(view, &change, now),
            false => self.changes.lines(&change, &LocalTime::of(now).with_date(), paint),
        };
        // Write without colour if stdout is not a terminal or if NO_COLOR is set.
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Closed)
    }
}

/// Writes the object of `check`, with the time and with what changed.
fn json_line(view: &View<'_>, change: &Change, now: Moment) -> String {
    let mut object = verdict_json(
        view.gate,
        view.verdict,
        view.verdict.ready(),
        state_word(view.phase),
        Some(view.network),
    );
    let local = LocalTime::of(now);
    object.insert("time".to_owned(), local.with_milliseconds().into());
    object.insert("timestamp".to_owned(), local.rfc3339().into());
    object.insert("since-boot".to_owned(), seconds(now).into());
    object.insert("change".to_owned(), change.turn.as_str().into());
    object.insert("changed".to_owned(), change.rows.as_slice().into());
    format!("{}\n", json_text(&object.into()))
}

/// Returns the seconds since boot, in microsecond resolution.
fn seconds(moment: Moment) -> f64 {
    let micros =
        std::time::Duration::from_micros(u64::try_from(moment.since_boot().as_micros()).unwrap_or(u64::MAX));
    micros.as_secs_f64()
}
