//! `check`: one evaluation, explained.

use std::fmt::Write;

use crate::cli::{CheckArgs, Error, Exit, block_on, load, paint, print};
use crate::clock;
use crate::doctor::waiters;
use crate::evaluate::evaluate;
use crate::netlink::{Drained, Observer};
use crate::record;
use crate::report::{table, verdict_json};
use crate::requirement::Gate;
use crate::verdict::Verdict;

/// Dumps are no snapshot: where anything that matters came meanwhile, it looks again, so often.
const LOOKS: u32 = 4;

pub(super) fn execute(args: CheckArgs) -> Result<Exit, Error> {
    crate::log::start(match args.output.volume.verbose {
        true => tracing::Level::DEBUG,
        false => tracing::Level::WARN,
    });
    let gate = load(&args.gate.request()?)?.gate;
    let (_, verdict) = block_on(look(&gate, args.tuning.receive_buffer))?;
    let ready = verdict.ready();
    if args.output.json {
        let object = serde_json::Value::from(verdict_json(&gate, &verdict, ready));
        print(&format!("{object}\n"))?;
    } else {
        let mut text = table(&gate, &verdict, ready, paint);
        for note in notes(&gate) {
            let _ = writeln!(text, "note: {note}");
        }
        print(&text)?;
    }
    Ok(if ready { Exit::Done } else { Exit::NotReady })
}

/// What the kernel's state is, and the gate's verdict.
pub(super) async fn look(gate: &Gate, receive_buffer: usize) -> Result<(Observer, Verdict), Error> {
    let mut observer = Observer::open(gate, receive_buffer)?;
    for _ in 0..LOOKS {
        observer.catch_up(gate).await?;
        while observer.drain(&mut |_| {})? == Drained::More {}
        let verdict = evaluate(gate, observer.network(), clock::now());
        if !verdict.unread.is_empty() {
            observer.read_tables_next();
        }
        if !observer.stale() {
            return Ok((observer, verdict));
        }
    }
    let verdict = evaluate(gate, observer.network(), clock::now());
    Ok((observer, verdict))
}

/// What the verdict of this gate does not say of the host.
fn notes(gate: &Gate) -> Vec<String> {
    let mut notes = Vec::new();
    if nix::unistd::geteuid().is_root() {
        notes.extend(waiters::still_wanted());
    }
    if let Some(kept) = record::of_service().filter(|kept| kept.gate != gate.name) {
        notes.push(format!("netready.service keeps another gate: {} ({})", kept.gate, kept.source));
    }
    notes
}
