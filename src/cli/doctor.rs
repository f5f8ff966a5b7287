//! `doctor`: examines this host once, or only the side of this user.

use clap::Args;

use crate::cli::{Error, Exit, Tuning, block_on, check, paint, print};
use crate::config;
use crate::doctor::users::UserSide;
use crate::doctor::{self, DoctorReport, Finding, FindingCode, Host, Side, json, text};
use crate::ipam::HeldAddress;
use crate::model::Network;
use crate::quadlet::Manager;
use crate::report::json_text;

mod fix;

/// A gate that needs all of the kernel's state that the checks of `doctor` use.
const ALL: &str = "[[require]]\npasta = true\n[[require]]\nroute = [\"default-ipv4\", \"default-ipv6\"]\n";

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// List the leaked addresses, ask, and free them
    #[arg(long)]
    fix: bool,
    /// With --fix: free the addresses without asking
    #[arg(long, requires = "fix")]
    yes: bool,
    /// Examine only this side of the host
    #[arg(long, value_name = "SIDE", default_value = "all", overrides_with = "side")]
    side: Side,
    /// Print one JSON object on stdout
    #[arg(short, long)]
    pub(super) json: bool,
    /// Print only one line for each finding
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    tuning: Tuning,
}

pub(super) fn execute(args: &DoctorArgs) -> Result<Exit, Error> {
    crate::log::start(tracing::Level::WARN);
    let host = Host::from_process();
    if args.side == Side::System && host.manager == Manager::User {
        return Err(Error::NotRoot);
    }
    let (report, users) = doctor::look_at_sides(&host, args.side, || observe(args.tuning.receive_buffer))?;
    // With --json there is one object. It includes the freed addresses, and nobody is asked.
    if args.json {
        let freed = if args.fix { Some(fix::without_asking(&host, &report, args.yes)?) } else { None };
        print(&format!("{}\n", json_text(&json(&report, &users, host.manager, freed.as_deref()))))?;
        return Ok(exit(&report, &users, freed.as_deref().unwrap_or_default()));
    }
    print(&text(&report, &users, host.manager, args.quiet, paint))?;
    let freed = if args.fix { fix::after_asking(&host, &report, args.yes)? } else { Vec::new() };
    Ok(exit(&report, &users, &freed))
}

/// Returns the exit code. Findings that `--fix` has mended do not count.
fn exit(report: &DoctorReport, users: &[UserSide], freed: &[HeldAddress]) -> Exit {
    let mended = !report.leaked.is_empty() && report.leaked.iter().all(|lease| freed.contains(&lease.held));
    let left = |finding: &&Finding| !(mended && finding.code == FindingCode::LeaseLeaked);
    let of_users = users.iter().any(|side| !side.report.findings.is_empty());
    if of_users || report.findings.iter().any(|finding| left(&finding)) { Exit::NotReady } else { Exit::Done }
}

fn observe(receive_buffer: usize) -> Result<Network, Error> {
    let gate = config::parse("doctor", "built-in", ALL)?;
    Ok(block_on(check::look(&gate, receive_buffer, false))?.0)
}
