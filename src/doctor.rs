//! One look over a host: what would break at the next boot, and what this boot broke.
//!
//! ```text
//! Host ─reader▶ what is there ─judge▶ Finding ┐
//!                                              ├▶ DoctorReport ─format▶ text, JSON
//! what cannot be read ─────────────▶ Unseen    ┘
//! ```
//!
//! Each subject is a module with a judge, which is pure, and a reader, which is thin. Readers only read: a
//! look changes nothing on the host, and no program that it asks can hold it up. What cannot be looked at is
//! said and is no finding; a host that is well has none.

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
mod wait_unit;
pub mod waiters;

pub use format::{json, text};
pub use host::Host;

/// One thing that is wrong, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub code: FindingCode,
    /// What it is about: a gate, a unit, a quadlet, a container.
    pub subject: String,
    /// What is wrong with the subject, as the rest of a sentence that begins with it.
    pub what: String,
    /// How this was seen.
    pub seen: String,
    /// What to do about it, a line each: commands where there are some.
    pub mend: Vec<String>,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// What could not be examined.
    pub what: String,
    /// Why it could not be examined.
    pub because: String,
}

/// What one look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoctorReport {
    /// In the order in which the host was looked over.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
    /// What `--fix` can free.
    pub leaked: Vec<Lease>,
    /// Why nobody knows which addresses leaked, where that is so.
    pub leases_unknown: Option<String>,
    /// What is worth knowing and nothing is wrong with.
    pub notes: Vec<String>,
}

impl DoctorReport {
    fn unseen(&mut self, what: impl Into<String>, because: impl fmt::Display) {
        let unseen = Unseen { what: what.into(), because: because.to_string() };
        if !self.unseen.contains(&unseen) {
            self.unseen.push(unseen);
        }
    }

    /// Makes every text safe to print: most quote files, programs or names of others.
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

/// A file of configuration. What is no regular file, or larger than 1 MiB, is an error and is not waited for.
fn text_of(path: &Path) -> io::Result<String> {
    let bytes = files::read_bounded(path, files::LARGEST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

macro_rules! codes {
    ($($variant:ident $word:literal $why:literal)*) => {
        /// The kind of a finding. Codes do not change; there may be new ones.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FindingCode {
            $(#[doc = $why] $variant,)*
        }

        impl FindingCode {
            /// Every code, in the order of docs/doctor.md.
            pub const ALL: &[FindingCode] = &[$(FindingCode::$variant),*];

            /// The word for scripts.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(FindingCode::$variant => $word,)*
                }
            }

            /// What follows from findings of this kind if nothing is done.
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
        "netready ends with exit code 2 for this gate, and what waits for it is not held back."
    GateMissing "gate-missing"
        "The unit of a gate that is not there fails at once. What waits for it starts without it, or never with GateRequired=yes."
    GateImpossible "gate-impossible"
        "The gate gives up at its timeout at every boot, and holds everything up until then."
    GateGaveUp "gate-gave-up"
        "What only waits for this gate was let go, on a network that was not what it needs."
    GateUnitFailed "gate-unit-failed"
        "What waits for this gate starts without it."
    WaitOnlineNoManager "wait-online-no-manager"
        "It waits for links that nobody will configure, two minutes at each boot, and then fails."
    WaitOnlineSeveral "wait-online-several"
        "network-online.target waits for each of its waiters, and each of two managers waits for links of its own only."
    WaitOnlineBeside "wait-online-beside"
        "network-online.target waits for each of its waiters, so it comes when the slowest is content, or gives up."
    OnlineUnwanted "online-unwanted"
        "A target that nothing wants is never started, and what waits for it waits until its own timeout."
    LingerOff "linger-off"
        "Without linger systemd starts a user's manager at his first login, and his containers only then."
    OrderingDropped "ordering-dropped"
        "A user's manager knows no unit of the system's: it drops such an order without a word, and refuses a demand."
    InstallTarget "install-target"
        "A user's manager does not have that target, so nothing starts this unit at boot."
    WaitUnitUngated "wait-unit-ungated"
        "The containers start when the system's target is reached, which is too early on some hosts and never on others."
    DependenciesOff "dependencies-off"
        "It starts before the network is usable, or is not stopped in order; the wait of 90 s has another cause."
    QuadletRefused "quadlet-refused"
        "There is no unit at all: nothing starts, and nothing fails."
    QuadletDropped "quadlet-dropped"
        "Podman 5.0 and later makes no unit of any quadlet in a folder in which it cannot read one."
    DropInIgnored "drop-in-ignored"
        "Podman makes the unit without what the drop-in says."
    QuadletName "quadlet-name"
        "systemd has no unit of that name: it drops the order or the demand, and says so in the journal only."
    QuadletSetting "quadlet-setting"
        "A setting that netready cannot read does nothing."
    AddressTwice "address-twice"
        "The one that starts second fails: the address is taken."
    AddressOutside "address-outside"
        "The container does not start: no network hands that address out."
    PastaUnfit "pasta-unfit"
        "A container that starts now dies, or keeps this network for its whole life."
    PastaMultipath "pasta-multipath"
        "pasta copies no default route over several links: containers have none of this family, for their whole life."
    PastaOther "pasta-other"
        "The gate opens for one link, and the containers get another."
    ContainerLocal "container-local"
        "It stays in that mode until it is started again, and asks nameservers that are not the network's."
    ContainerNoDefault "container-no-default"
        "It reaches the host's own network and nothing beyond, until it is started again."
    ContainerOneFamily "container-one-family"
        "It never gets the other family, until it is started again."
    LeaseLeaked "lease-leaked"
        "No container gets that address until it is freed, and until the next boot nothing frees it."
    LeasesDamaged "leases-damaged"
        "No container on a bridge network starts: Podman can neither take an address nor give one back."
    LeaseIdle "lease-idle"
        "Its next start fails where it asks for that address, and takes one more where it asks for none."
}

/// Looks over one side of the host: the system's, or a user's.
pub fn look(host: &Host, network: &Network) -> DoctorReport {
    let mut report = DoctorReport::default();
    // What cannot be read there, Podman says better.
    let input = generator::input(&host.paths, &mut |_| {});
    let quadlets = quadlet::units(&input);
    gates::look(host, &quadlets, network, &mut report);
    gates::look_back(host, &mut report);
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
