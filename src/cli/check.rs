//! `check`: one evaluation, explained.

use std::fmt::Write;

use crate::cli::{CheckOnceArgs, Error, Exit, block_on, kernel_line, load_forced, paint, print};
use crate::config::duration_text;
use crate::doctor::waiters;
use crate::driver::{Driver, Setup, Silent};
use crate::escape::escape;
use crate::model::Network;
use crate::record;
use crate::report::{json_text, table, verdict_json};
use crate::requirement::Gate;
use crate::session::Mode;
use crate::verdict::Verdict;

pub(super) fn execute(args: CheckOnceArgs) -> Result<Exit, Error> {
    crate::log::start(match args.check.output.volume.verbose {
        true => tracing::Level::DEBUG,
        false => tracing::Level::WARN,
    });
    let gate = load_forced(&args.check.gate.request()?, &kernel_line())?;
    let (_, verdict) = block_on(look(&gate, args.check.tuning.receive_buffer, !args.no_probes))?;
    let ready = verdict.ready();
    if args.check.output.json {
        let object = verdict_json(&gate, &verdict, ready, if ready { "ready" } else { "waiting" });
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
) -> Result<(Network, Verdict), Error> {
    let (mode, gate) = (Mode::Once { probes }, gate.clone());
    let mut driver = Driver::new(Setup { mode, gate, receive_buffer, signals: None, gave_up_at: None })?;
    driver.run(&mut Silent).await?;
    let session = driver.session();
    Ok((session.network().clone(), session.verdict().clone()))
}

/// What the verdict of this gate does not say of the host.
fn notes(gate: &Gate) -> Vec<String> {
    let mut notes = Vec::new();
    if gate.forced.open {
        notes
            .push("run and wait open this gate at once: netready.open on the kernel command line".to_owned());
    }
    if let (true, Some(timeout)) = (gate.forced.bounded, gate.timeout) {
        let timeout = duration_text(timeout);
        notes.push(format!(
            "run and wait give this gate {timeout} at most: netready.timeout on the kernel command line"
        ));
    }
    if nix::unistd::geteuid().is_root() {
        notes.extend(waiters::still_wanted());
    }
    if let Some(kept) = record::of_service().filter(|kept| kept.gate != gate.name) {
        notes.push(format!("netready.service keeps another gate: {} ({})", kept.gate, kept.source));
    }
    notes
}
