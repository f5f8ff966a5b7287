//! `metrics`: prints the state of the gates for Prometheus.

use tracing::warn;

use crate::cli::{Error, Exit, print};
use crate::clock;
use crate::metrics::metrics_text;
use crate::overview::KeptGate;
use crate::record::kept::kept;

pub(super) fn execute() -> Result<Exit, Error> {
    crate::log::start(tracing::Level::WARN);
    let kept = kept();
    for unit in &kept.hidden {
        warn!("{unit}.service: run as root to see its gate");
    }
    let gates: Vec<KeptGate> = kept.gates.into_iter().filter(KeptGate::is_current).collect();
    // A comment, which Prometheus ignores: an empty answer would not say whether something is wrong.
    let none = if gates.is_empty() { "# no netready keeps a gate here now\n" } else { "" };
    print(&format!("{none}{}", metrics_text(&gates, clock::boot_time())))?;
    Ok(Exit::Done)
}
