//! Questions to others (probes), and what became of them.

use core::net::IpAddr;

use crate::requirement::Probe;

/// What is asked of others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// As a gate has it.
    Probe(Probe),
    /// Does this gateway answer neighbour discovery?
    Neighbour {
        /// The address of the gateway.
        address: IpAddr,
        /// The number of its link.
        ifindex: u32,
        /// The name of that link, for reports.
        ifname: String,
    },
}

/// What met a probe, or why it failed.
pub type Answer = Result<String, String>;

/// What became of a try of a probe.
pub type Tried = Result<String, NoAnswer>;

/// Why a try of a probe has no good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// It was tried, and this is why it failed.
    Failed(String),
    /// It could not be tried, so this says nothing of whom it asks: netready-probe does not run here.
    NoProgram(String),
}
