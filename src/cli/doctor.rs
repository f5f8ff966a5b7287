//! `doctor`: one look over this host, or this user's side of it.

use clap::Args;

use crate::cli::{Error, Exit, Tuning, block_on, check, paint, print};
use crate::config;
use crate::doctor::{self, Report, Scene, json, text};
use crate::model::Network;

/// What has to be read of the kernel's state for any of the judges.
const ALL: &str = "[[require]]\npasta = true\n[[require]]\nroute = [\"default-ipv4\", \"default-ipv6\"]\n";

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Free what can be freed safely, after saying what and asking
    #[arg(long)]
    fix: bool,
    /// With --fix: do not ask
    #[arg(long, requires = "fix")]
    yes: bool,
    /// One JSON object on stdout
    #[arg(short, long)]
    pub(super) json: bool,
    /// One line for each finding, no more
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    tuning: Tuning,
}

pub(super) fn execute(args: &DoctorArgs) -> Result<Exit, Error> {
    crate::log::start(tracing::Level::WARN);
    let scene = Scene::from_process();
    let network = observe(args.tuning.receive_buffer)?;
    let report = doctor::look(&scene, &network);
    if args.json {
        print(&format!("{}\n", json(&report, scene.manager)))?;
    } else {
        print(&text(&report, scene.manager, args.quiet, paint))?;
    }
    if args.fix {
        fix(&report, args.yes);
    }
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::NotReady })
}

fn observe(receive_buffer: usize) -> Result<Network, Error> {
    let gate = config::parse("doctor", "built-in", ALL)?;
    let (observer, _) = block_on(check::look(&gate, receive_buffer))?;
    Ok(observer.network().clone())
}

/// Mends what can be mended safely while everything runs.
fn fix(_report: &Report, _yes: bool) {
    tracing::warn!("nothing here is mended by --fix; each finding says what mends it");
}
