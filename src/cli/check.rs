//! `check`: one evaluation, explained.

use std::fmt::Write;

use crate::cli::{CheckOnceArgs, Error, Exit, block_on, load, paint, print};
use crate::clock::{self, Timer};
use crate::daemon::Failure;
use crate::doctor::waiters;
use crate::escape::escape;
use crate::evaluate::evaluate;
use crate::netlink::{Drained, Observer};
use crate::probe::Prober;
use crate::record;
use crate::report::{json_text, table, verdict_json};
use crate::requirement::Gate;
use crate::verdict::Verdict;

/// Dumps are no snapshot: where anything that matters came meanwhile, it looks again, so often.
const LOOKS: u32 = 4;

pub(super) fn execute(args: CheckOnceArgs) -> Result<Exit, Error> {
    crate::log::start(match args.check.output.volume.verbose {
        true => tracing::Level::DEBUG,
        false => tracing::Level::WARN,
    });
    let gate = load(&args.check.gate.request()?)?.gate;
    let (_, verdict) = block_on(look(&gate, args.check.tuning.receive_buffer, !args.no_probes))?;
    let ready = verdict.ready();
    if args.check.output.json {
        let object = verdict_json(&gate, &verdict, ready);
        print(&format!("{}\n", json_text(&object.into())))?;
    } else {
        let mut text = table(&gate, &verdict, ready, paint);
        for note in notes(&gate) {
            let _ = writeln!(text, "note: {}", escape(&note));
        }
        print(&text)?;
    }
    Ok(if ready { Exit::Done } else { Exit::NotReady })
}

/// What the kernel's state is, and the gate's verdict; `probes`: each is tried once.
pub(super) async fn look(
    gate: &Gate,
    receive_buffer: usize,
    probes: bool,
) -> Result<(Observer, Verdict), Error> {
    let mut observer = Observer::open(gate, receive_buffer)?;
    let verdict = settled(gate, &mut observer).await?;
    if !probes {
        return Ok((observer, verdict.without_probes()));
    }
    if verdict.questions.is_empty() {
        return Ok((observer, verdict));
    }
    ask(&verdict, &mut observer).await?;
    // What was asked of others took its time.
    let verdict = settled(gate, &mut observer).await?;
    Ok((observer, verdict))
}

/// Tries each probe once.
async fn ask(verdict: &Verdict, observer: &mut Observer) -> Result<(), Error> {
    let mut prober = Prober::default();
    let mut timer = Timer::new().map_err(Failure::Events)?;
    loop {
        let now = clock::now();
        prober.follow(&verdict.questions, false, false, now);
        prober.tick(now);
        if prober.is_at_rest() {
            return Ok(());
        }
        timer.set(prober.deadline()).map_err(Failure::Events)?;
        tokio::select! {
            (question, answer) = prober.answer() => observer.answered(question, answer),
            fired = timer.fired() => fired.map_err(Failure::Events)?,
        }
    }
}

async fn settled(gate: &Gate, observer: &mut Observer) -> Result<Verdict, Error> {
    for _ in 0..LOOKS {
        observer.catch_up(gate).await?;
        while observer.drain(&mut |_| {})? == Drained::More {}
        let verdict = evaluate(gate, observer.network(), clock::now());
        if !verdict.unread.is_empty() {
            // On a busy machine reading one table may use up the time that is allowed for all.
            if observer.owes() {
                let mut timer = Timer::new().map_err(Failure::Events)?;
                timer.set(observer.deadline()).map_err(Failure::Events)?;
                timer.fired().await.map_err(Failure::Events)?;
            }
            observer.read_tables_next();
        }
        if !observer.stale() {
            return Ok(verdict);
        }
    }
    Ok(evaluate(gate, observer.network(), clock::now()))
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
