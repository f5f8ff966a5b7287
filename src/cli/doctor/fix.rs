//! `doctor --fix`: says what it will do, asks, does it, and says what it did.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::cli::{Error, print};
use crate::doctor::{DoctorReport, Host, leases};
use crate::escape::escape;
use crate::ipam::{self, HeldAddress, Podman};

/// Frees the addresses for a script. It does so only with `--yes`.
pub(super) fn without_asking(
    host: &Host,
    report: &DoctorReport,
    yes: bool,
) -> Result<Vec<HeldAddress>, Error> {
    if !yes {
        return Err(Error::NobodyToAsk);
    }
    seen(report)?;
    free(host, report)
}

/// Frees the addresses for a person. It asks first, unless `--yes` was given.
pub(super) fn after_asking(host: &Host, report: &DoctorReport, yes: bool) -> Result<Vec<HeldAddress>, Error> {
    seen(report)?;
    if report.leaked.is_empty() {
        print("--fix has nothing to free\n")?;
        return Ok(Vec::new());
    }
    print(&format!("\n{}", leases::plan(&report.leaked)))?;
    if !yes && !consent()? {
        print("Nothing was changed.\n")?;
        return Ok(Vec::new());
    }
    let freed = free(host, report)?;
    for held in &freed {
        print(&format!("Freed {} of network {}\n", held.address, escape(&held.network)))?;
    }
    let kept = report.leaked.len() - freed.len();
    if kept > 0 {
        print(&format!("Not freed, because they changed in the meantime: {kept}\n"))?;
    }
    Ok(freed)
}

/// Fails if leases could not be examined. Then "nothing to free" would be a wrong answer.
fn seen(report: &DoctorReport) -> Result<(), Error> {
    match &report.leases_unknown {
        Some(because) => Err(Error::Unseen(because.clone())),
        None => Ok(()),
    }
}

fn free(host: &Host, report: &DoctorReport) -> Result<Vec<HeldAddress>, Error> {
    match Podman::find(&host.programs) {
        Some(podman) if !report.leaked.is_empty() => Ok(ipam::free(&podman, &report.leaked)?),
        _ => Ok(Vec::new()),
    }
}

/// Asks the question. The answer must come from a terminal, because the next line of a pipe may not be an answer.
fn consent() -> Result<bool, Error> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::NobodyToAsk);
    }
    let mut answer = String::new();
    let asked =
        io::stderr().write_all(b"Free them? [y/N] ").and_then(|()| stdin.lock().read_line(&mut answer));
    Ok(asked.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}
