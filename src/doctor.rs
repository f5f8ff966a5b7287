//! Examines a host once: what would break at the next boot, and what this boot broke.
//!
//! ```text
//! Host ─reader▶ what is there ─judge▶ Finding ┐
//!                                              ├▶ DoctorReport ─format▶ text, JSON
//! what cannot be read ─────────────▶ Unseen    ┘
//! ```
//!
//! Each subject is a module of its own. Its reader collects facts, and its judge, which is pure, turns them into
//! findings. Readers change nothing on the host, and wait only a limited time for a program. What cannot be examined
//! is reported apart from the findings. A healthy host has no findings.

use std::fmt;
use std::io;
use std::path::Path;

use crate::escape::escape;
use crate::files;
use crate::generator;
use crate::ipam::Lease;
use crate::model::Network;
use crate::quadlet::{self, Manager};

mod addresses;
pub mod boots;
mod containers;
mod format;
mod gates;
mod host;
pub mod leases;
mod pasta;
pub mod programs;
mod quadlets;
mod unit_files;
mod units;
pub mod users;
mod wait_unit;
pub mod waiters;

pub use format::{json, text};
pub use host::Host;

/// Something that is wrong now, or will be wrong at the next boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of the finding.
    pub code: FindingCode,
    /// The gate, unit, quadlet or container that the finding is about.
    pub subject: String,
    /// What is wrong with the subject, as the rest of a sentence that begins with it.
    pub what: String,
    /// How this was seen.
    pub seen: String,
    /// What to do about it, one step a line. A step is a command if there is one.
    pub mend: Vec<String>,
}

/// Something that could not be examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// What could not be examined.
    pub what: String,
    /// Why it could not be examined.
    pub because: String,
}

/// The result of examining one side of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoctorReport {
    /// The findings, in the order in which the subjects were examined.
    pub findings: Vec<Finding>,
    /// What could not be examined.
    pub unseen: Vec<Unseen>,
    /// The leases that `--fix` can free.
    pub leaked: Vec<Lease>,
    /// Why it is not known which addresses leaked. `None` if it is known.
    pub leases_unknown: Option<String>,
    /// Facts that are worth knowing, although nothing is wrong.
    pub notes: Vec<String>,
    /// Whether this side was not examined, because the caller asked only for others.
    pub left_out: bool,
}

impl DoctorReport {
    pub(crate) fn unseen(&mut self, what: impl Into<String>, because: impl fmt::Display) {
        let unseen = Unseen { what: what.into(), because: because.to_string() };
        if !self.unseen.contains(&unseen) {
            self.unseen.push(unseen);
        }
    }

    /// Escapes all texts for printing, because most of them quote files, programs or names of others.
    fn escape(&mut self) {
        let safe = |text: &mut String| *text = escape(text).into_owned();
        for finding in &mut self.findings {
            let Finding { code: _, subject, what, seen, mend } = finding;
            [subject, what, seen].into_iter().chain(mend).for_each(safe);
        }
        for Unseen { what, because } in &mut self.unseen {
            [what, because].into_iter().for_each(safe);
        }
        self.notes.iter_mut().chain(&mut self.leases_unknown).for_each(safe);
    }
}

/// Reads a configuration file. Fails if the file is not regular, or is larger than 1 MiB. A FIFO does not block.
fn text_of(path: &Path) -> io::Result<String> {
    let bytes = files::read_bounded(path, files::LARGEST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

macro_rules! codes {
    ($($variant:ident $word:literal $why:literal $([$($text:literal),+])?)*) => {
        /// The kinds of findings. The codes never change; later versions may add some.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FindingCode {
            $(#[doc = $why] $variant,)*
        }

        impl FindingCode {
            /// Every code, in the order of docs/doctor.md.
            pub const ALL: &[FindingCode] = &[$(FindingCode::$variant),*];

            /// The word for this kind, for scripts.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(FindingCode::$variant => $word,)*
                }
            }

            /// The kind with this word.
            pub fn of(word: &str) -> Option<FindingCode> {
                FindingCode::ALL.iter().copied().find(|code| code.as_str() == word)
            }

            /// The error messages of other programs to which findings of this kind lead, as people search for them.
            /// `…` stands for the parts that differ.
            pub fn error_texts(self) -> &'static [&'static str] {
                match self {
                    $(FindingCode::$variant => &[$($($text),+)?],)*
                }
            }

            /// The consequence of findings of this kind if nothing is done about them.
            pub fn why(self) -> &'static str {
                match self {
                    $(FindingCode::$variant => $why,)*
                }
            }
        }
    };
}

codes! {
    GateInvalid "gate-invalid"
        "netready ends with exit code 2 for this gate, so units that are ordered after it start without waiting."
    GateMissing "gate-missing"
        "The unit of a gate that does not exist fails at once. Units that wait for it start without it, or never if they have GateRequired=yes."
    GateImpossible "gate-impossible"
        "The gate can never become ready. Units that wait for it are delayed until its timeout at every boot."
    GateGaveUp "gate-gave-up"
        "Units that wait for this gate have started on a network that lacked what they need."
    GateGaveUpBefore "gate-gave-up-before"
        "The cause can come back. Units that wait for this gate then start late, on a network that lacks what they need."
    FamilyLate "family-late"
        "Services that start when the gate opens start without that family. A rootless container does not get it until it is started again."
    LinkFlaps "link-flaps"
        "Each loss of carrier can take addresses and routes away, and a container that starts in such a moment fails."
    PullRetried "pull-retried"
        "The container starts late at each such boot. It does not start if all retries fail."
    GateUnitFailed "gate-unit-failed"
        "Units that wait for this gate start without it."
    WaitOnlineNoManager "wait-online-no-manager"
        "The service waits for links that nobody configures, for two minutes at each boot, and then fails."
        ["Timeout occurred while waiting for network connectivity."]
    WaitOnlineSeveral "wait-online-several"
        "network-online.target waits for all of these services, and each network manager waits for its own links only."
    WaitOnlineBeside "wait-online-beside"
        "network-online.target waits for all of these services, so it is reached when the slowest one is done or gives up."
    OnlineUnwanted "online-unwanted"
        "systemd never starts a target that no unit wants, so what waits for this target waits until its own timeout."
    LingerOff "linger-off"
        "Without linger, systemd starts a user's service manager, and the user's containers, only at the first login."
    OrderingDropped "ordering-dropped"
        "A user's service manager does not know the system's units. It silently ignores an After= that names one, and refuses to start a unit whose Requires= names one."
    InstallTarget "install-target"
        "A user's service manager does not have that target, so nothing starts this unit at boot."
    WaitUnitUngated "wait-unit-ungated"
        "The containers wait for the system's network-online.target. Some hosts reach it too early, and others never reach it."
        ["podman-user-wait-network-online.service: start operation timed out. Terminating."]
    DependenciesOff "dependencies-off"
        "The unit starts before the network is usable, or is not stopped in order. The wait of 90 s has another cause."
    QuadletRefused "quadlet-refused"
        "Podman makes no unit of it, so nothing starts, and nothing is reported as failed."
        ["Failed to start ….service: Unit ….service not found."]
    QuadletDropped "quadlet-dropped"
        "If Podman 5.0 or later cannot read one quadlet, it makes no unit of any quadlet in the same folder."
        ["Failed to start ….service: Unit ….service not found."]
    DropInIgnored "drop-in-ignored"
        "Podman makes the unit without the settings of the drop-in."
    QuadletName "quadlet-name"
        "systemd has no unit of that name, so the dependency has no effect, and only the journal says so."
    QuadletSetting "quadlet-setting"
        "netready ignores a setting that it cannot read."
    AddressTwice "address-twice"
        "The container that starts second fails, because the address is in use."
        ["IPAM error: requested ip address … is already allocated to container ID …"]
    AddressOutside "address-outside"
        "The container does not start, because no network hands out that address."
        ["requested static ip … not in any subnet on network …"]
    PastaUnfit "pasta-unfit"
        "A container that starts now fails, or keeps this network until it is started again."
        [
            "Couldn't set IPv4 route(s) in guest: Invalid argument",
            "Couldn't set IPv4 route(s) in guest: Network is unreachable"
        ]
    PastaMultipath "pasta-multipath"
        "pasta does not copy a default route over several links, so containers get no default route of this family."
    PastaOther "pasta-other"
        "The gate opens for one link, but the containers use another."
    ContainerLocal "container-local"
        "The container stays in that mode until it is started again, and does not use the network's name servers."
    ContainerNoDefault "container-no-default"
        "The container reaches the host's own network, and nothing beyond it, until it is started again."
        ["Network is unreachable"]
    ContainerOneFamily "container-one-family"
        "The container does not get the other address family until it is started again."
    LeaseLeaked "lease-leaked"
        "No container gets that address until it is freed, and nothing frees it before the next boot."
        ["IPAM error: requested ip address … is already allocated to container ID …"]
    LeasesDamaged "leases-damaged"
        "No container on a bridge network starts, because Podman can neither take an address nor give one back."
        ["IPAM error: failed to open database …/ipam.db: invalid database"]
    LeaseIdle "lease-idle"
        "The next start of the container fails if it asks for that address. If it asks for no address, it takes a second one."
        ["IPAM error: requested ip address … is already allocated to container ID …"]
}

/// The sides that are examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Side {
    /// As root, the system's side and that of each user who has linger; as another user, this user's side
    #[default]
    All,
    /// Only the system's side; for root
    System,
    /// As root, the side of each user who has linger; as another user, this user's side
    Users,
}

/// Examines the sides that this caller may examine. `network` is called only if it is needed.
///
/// # Errors
/// Fails if `network` fails.
pub fn look_at_sides<E>(
    host: &Host,
    side: Side,
    network: impl FnOnce() -> Result<Network, E>,
) -> Result<(DoctorReport, Vec<users::UserSide>), E> {
    if host.manager == Manager::User {
        let mut report = look(host, &network()?);
        if side == Side::All {
            let because = "only root can: sudo netready doctor";
            report.unseen("the system's side of this host", because);
            report.unseen("other users' sides", because);
        }
        return Ok((report, Vec::new()));
    }
    let mut report = match side {
        Side::All | Side::System => look(host, &network()?),
        Side::Users => DoctorReport { left_out: true, ..DoctorReport::default() },
    };
    let users = match side {
        Side::All | Side::Users => users::look(&mut report),
        Side::System => Vec::new(),
    };
    report.escape();
    Ok((report, users))
}

/// Examines one side of the host: the system's, or a user's.
pub fn look(host: &Host, network: &Network) -> DoctorReport {
    let mut report = DoctorReport::default();
    // Complaints are dropped here, because Podman's own generator explains better which files it cannot read.
    let input = generator::input(&host.paths, &mut |_| {});
    let quadlets = quadlet::units(&input);
    gates::look(host, &quadlets, network, &mut report);
    gates::look_back(host, &mut report);
    boots::look(host, &mut report);
    match host.manager {
        Manager::System => waiters::look(host, &mut report),
        Manager::User => {
            units::look(host, &quadlets, &mut report);
            wait_unit::look(host, &quadlets, &mut report);
            pasta::look(host, &quadlets, network, &mut report);
            containers::look(host, network, &mut report);
        }
    }
    quadlets::look(host, &input, &quadlets, &mut report);
    addresses::look(host, &quadlets, &mut report);
    leases::look(host, &mut report);
    report.escape();
    report
}

/// The units of quadlets by name, for tests.
#[cfg(test)]
fn quadlets_of(files: &[(&str, &str)]) -> Vec<quadlet::Unit> {
    quadlet::units(&input_of(files))
}

/// Quadlets by name in a folder `/q`, for tests.
#[cfg(test)]
fn input_of(files: &[(&str, &str)]) -> quadlet::QuadletInput {
    let source =
        |name: &str, text: &str| quadlet::Source { path: format!("/q/{name}"), text: text.to_owned() };
    let quadlets = files.iter().map(|(name, text)| ((*name).to_owned(), source(name, text)));
    let directory = quadlet::Directory { quadlets: quadlets.collect(), ..quadlet::Directory::default() };
    quadlet::QuadletInput {
        manager: Manager::User,
        wait_unit: quadlet::WaitUnit::Gated,
        netready: String::new(),
        directories: vec![directory],
        taken: std::collections::BTreeSet::new(),
        waiting: Vec::new(),
    }
}
