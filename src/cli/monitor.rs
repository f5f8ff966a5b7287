//! `monitor`: prints what changes, as it comes.

use std::io::{self, Write};

use crate::cli::{CheckArgs, Error, Exit, block_on, load};
use crate::clock;
use crate::driver::{self, Driver, Failure, Reporter, Setup, View};
use crate::kernel_line::Forced;
use crate::moment::Moment;
use crate::report::{item, json_text, outcome, state_word, summary, verdict_json};
use crate::requirement::{Gate, OnLoss};
use crate::session::Mode;
use crate::verdict::Outcome;

pub(super) fn execute(args: CheckArgs) -> Result<Exit, Error> {
    crate::log::start(args.output.volume.level());
    let gate = timeless(load(&args.gate.request()?)?.gate);
    let mut printer = Printer { json: args.output.json, lines: Vec::new(), verdict: None };
    let receive_buffer = args.tuning.receive_buffer;
    let setup = Setup { mode: Mode::Watch, gate, receive_buffer, signals: None, gave_up_at: None };
    Ok(match block_on(async { Ok(Driver::new(setup)?.run(&mut printer).await?) })? {
        driver::RunEnd::Ended(_) => Exit::Done,
        driver::RunEnd::Signalled(signal, _) => Exit::Signal(signal),
    })
}

/// Settle, timeouts and what opens a gate without it are for those who wait.
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
    /// The requirements, as printed last.
    lines: Vec<String>,
    /// The verdict, as printed last.
    verdict: Option<String>,
}

impl Reporter for Printer {
    fn changed(&mut self, view: &View<'_>, _: Moment) -> Result<(), Failure> {
        let time = clock::timestamp();
        let ready = view.verdict.ready();
        if self.json {
            let mut object = verdict_json(view.gate, view.verdict, ready, state_word(view.phase));
            object.insert("time".to_owned(), time.into());
            let mut stdout = io::stdout().lock();
            return writeln!(stdout, "{}", json_text(&object.into())).map_err(Failure::Closed);
        }
        let rows = view.verdict.rows();
        let lines: Vec<String> = rows
            .map(|(_, row)| {
                let word = match row.outcome {
                    Outcome::Met(_) => "met",
                    Outcome::Unmet(_) => "unmet",
                    Outcome::NotPresent => "absent",
                    Outcome::NotAsked => "skipped",
                };
                format!("  {word:5}  {}  {}", item(row), outcome(row))
            })
            .collect();
        let verdict = match ready {
            true => format!("Ready: {}", summary(view.verdict)),
            false => format!("NOT ready: {}", summary(view.verdict)),
        };
        let mut stdout = io::stdout().lock();
        let new = lines.iter().filter(|line| !self.lines.contains(line));
        let said = self.verdict.as_ref() == Some(&verdict);
        let verdict_line = std::iter::once(&verdict).filter(|_| !said);
        for line in new.chain(verdict_line) {
            writeln!(stdout, "{time} {line}").map_err(Failure::Closed)?;
        }
        self.lines = lines;
        self.verdict = Some(verdict);
        Ok(())
    }
}
