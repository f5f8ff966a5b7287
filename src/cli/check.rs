//! `check`: evaluates a gate once and explains the result.

use std::fmt::Write;
use std::time::Duration;

use crate::attempt::Signals;
use crate::cli::live::Live;
use crate::cli::{CheckOnceArgs, Error, Exit, block_on, kernel_line, load_forced, paint, print};
use crate::clock::{self, Timer};
use crate::config::duration_text;
use crate::doctor::waiters;
use crate::driver::{Driver, Failure, Reporter, Setup, Silent, View};
use crate::escape::escape;
use crate::model::Network;
use crate::moment::Moment;
use crate::record;
use crate::report::{Details, LiveLine, json_text, table, verdict_json};
use crate::requirement::Gate;
use crate::session::Mode;
use crate::verdict::Verdict;

/// After this time, a user at a terminal is told what `check` waits for. With half of it, the line would appear for
/// a moment for probes of distant hosts. With twice as much, users would wonder whether `check` hangs.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn execute(args: CheckOnceArgs) -> Result<Exit, Error> {
    // -v adds to the table. It does not change the log.
    crate::log::start(match args.quiet {
        true => tracing::Level::ERROR,
        false => tracing::Level::WARN,
    });
    let request = args.gate.request()?;
    let gate = load_forced(&request, &kernel_line())?;
    let live = (!args.quiet).then(Live::on_terminal).flatten();
    let looked = look_and_tell(&gate, args.tuning.receive_buffer, !args.no_probes, live.as_ref());
    let (network, verdict) = block_on(looked)?;
    let ready = verdict.ready();
    if args.json {
        let state = if ready { "ready" } else { "waiting" };
        let object = verdict_json(&gate, &verdict, ready, state, Some(&network));
        print(&format!("{}\n", json_text(&object.into())))?;
    } else if !args.quiet {
        let details = Details { network: Some(&network), every_place: args.verbose };
        let mut text = table(&gate, &verdict, ready, details, paint);
        for note in notes(&gate, request.gate.is_some()) {
            let _ = writeln!(text, "note: {}", escape(&note));
        }
        print(&text)?;
    }
    Ok(if ready { Exit::Done } else { Exit::NotReady })
}

/// Reads the kernel's state, and evaluates the gate. With `probes`, each probe is tried once.
pub(super) async fn look(
    gate: &Gate,
    receive_buffer: usize,
    probes: bool,
) -> Result<(Network, Verdict), Error> {
    look_and_tell(gate, receive_buffer, probes, None).await
}

/// Does the same. If it takes longer than [`PATIENCE`], a live line says what `check` waits for.
async fn look_and_tell(
    gate: &Gate,
    receive_buffer: usize,
    probes: bool,
    live: Option<&Live>,
) -> Result<(Network, Verdict), Error> {
    let (mode, gate) = (Mode::Once { probes }, gate.clone());
    let began = clock::now();
    let mut driver = Driver::new(Setup { mode, gate, began, receive_buffer, signals: None, earlier: None })?;
    match live {
        None => drop(driver.run(&mut Silent).await?),
        Some(live) => tell(live, &mut driver).await?,
    }
    let session = driver.session();
    Ok((session.network().clone(), session.verdict().clone()))
}

async fn tell(live: &Live, driver: &mut Driver<'_>) -> Result<(), Error> {
    let began = clock::now();
    let mut timer = Timer::new().map_err(Failure::Events)?;
    timer.set(Some(began + PATIENCE)).map_err(Failure::Events)?;
    let mut silent = Silent;
    tokio::select! {
        judged = driver.run(&mut silent) => {
            judged?;
            return Ok(());
        }
        fired = timer.fired() => fired.map_err(Failure::Events)?,
    }
    let mut signals = Signals::new().map_err(Failure::Events)?;
    live.show(LiveLine::of_check(driver.session().verdict(), began));
    let mut asking = Asking { live, began };
    let judged = Live::during(Some(live), async {
        tokio::select! {
            judged = driver.run(&mut asking) => Ok(judged?),
            signal = signals.end() => Err(Error::Signalled(signal)),
        }
    });
    judged.await.map_err(Failure::Events)?.map(drop)
}

/// Shows which answers are missing.
struct Asking<'a> {
    live: &'a Live,
    began: Moment,
}

impl Reporter for Asking<'_> {
    fn changed(&mut self, view: &View<'_>, _: Moment) -> Result<(), Failure> {
        self.live.show(LiveLine::of_check(view.verdict, self.began));
        Ok(())
    }
}

/// Returns facts about the gate that its verdict does not say. `named` means that the user has named this gate.
fn notes(gate: &Gate, named: bool) -> Vec<String> {
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
    let kept = if named { None } else { record::of_service() };
    if let Some(kept) = kept.filter(|kept| kept.gate != gate.name) {
        notes.push(format!("netready.service keeps another gate: {} ({})", kept.gate, kept.source));
    }
    notes
}
