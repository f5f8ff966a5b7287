//! One look over a host: what would break at the next boot, and what this boot broke.
//!
//! ```text
//! Scene ─reader▶ what stands there ─judge▶ Finding ┐
//!                                                  ├▶ Report ─say▶ text, JSON
//! what cannot be read ─────────────────▶ Unseen    ┘
//! ```
//!
//! Each subject is a module with a judge, which is pure, and a reader, which is thin. Readers only read: a
//! look changes nothing on the host, and no program that it asks can hold it up. What cannot be looked at is
//! said and is no finding; a host that is well has none.

use std::fmt;

use crate::model::Network;
use crate::quadlet::Manager;

mod gates;
pub mod programs;
mod say;
mod scene;
pub mod waiters;

pub use say::{json, text};
pub use scene::Scene;

/// One thing that is wrong, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// What it is about: a gate, a unit, a quadlet, a container.
    pub subject: String,
    /// What is wrong.
    pub what: String,
    /// How this was seen.
    pub seen: String,
    /// What to do about it, a line each: commands where there are some.
    pub mend: Vec<String>,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// What.
    pub what: String,
    /// Why not.
    pub because: String,
}

/// What one look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which the host was looked over.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
    /// What is worth knowing and nothing is wrong with.
    pub notes: Vec<String>,
}

impl Report {
    fn unseen(&mut self, what: impl Into<String>, because: impl fmt::Display) {
        let unseen = Unseen { what: what.into(), because: because.to_string() };
        if !self.unseen.contains(&unseen) {
            self.unseen.push(unseen);
        }
    }
}

macro_rules! codes {
    ($($variant:ident $word:literal $why:literal)*) => {
        /// The kind of a finding. Codes do not change; there may be new ones.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $why] $variant,)*
        }

        impl Code {
            /// Every code, in the order of docs/doctor.md.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The word for scripts.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => $word,)*
                }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self {
                    $(Code::$variant => $why,)*
                }
            }
        }
    };
}

codes! {
    GateInvalid "gate-invalid"
        "netready ends with exit code 2 for this gate, and what waits for it is not held back."
    WaitOnlineNoManager "wait-online-no-manager"
        "It waits for links that nobody will configure, two minutes at each boot, and then fails."
    WaitOnlineSeveral "wait-online-several"
        "network-online.target waits for each of its waiters, and each of two managers waits for links of its own only."
    WaitOnlineBeside "wait-online-beside"
        "network-online.target waits for each of its waiters, so it comes when the slowest is content, or gives up."
}

/// Looks over one side of the host: the system's, or a user's.
pub fn look(scene: &Scene, network: &Network) -> Report {
    let mut report = Report::default();
    gates::look(scene, network, &mut report);
    if scene.manager == Manager::System {
        waiters::look(scene, &mut report);
    }
    report
}
