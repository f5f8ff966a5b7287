//! Questions to other hosts (probes), and the results of asking them.

use core::net::IpAddr;

use crate::requirement::Probe;

/// A question to another host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// A probe of a gate.
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

/// The answer that met a probe, or the reason why it failed.
pub type Answer = Result<String, String>;

/// The result of one try of a probe.
pub type Tried = Result<String, NoAnswer>;

/// Why a try of a probe did not get a good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// The probe was tried and failed, for this reason.
    Failed(String),
    /// The probe could not be tried, because netready-probe does not run here. This says nothing about the other
    /// host.
    NoProgram(String),
}
