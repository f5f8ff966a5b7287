//! `learn`: makes a gate file from a working network. The gate requires what the network has now, as far as it will
//! have it after a reboot. The module is pure.
//!
//! ```text
//! Network ─select─▶ links to ask for ─text─▶ gate file ─config─▶ Gate ─evaluate─▶ ready now, or refused
//!            └──▶ what is left out, and why (comments)
//! ```
//!
//! The gate does not ask for what changes at a boot: leased and temporary addresses, and names that the
//! kernel counts up. It does not ask for links that software makes either: bridges of containers, veths, and
//! tunnels of daemons.

use crate::config::{self, ConfigError};
use crate::evaluate::evaluate;
use crate::history::boots::Late;
use crate::kernel_line::Forced;
use crate::model::Network;
use crate::moment::Moment;
use crate::requirement::{
    Clause, Destination, Family, Gate, Item, OnLoss, OnTimeout, RouteSpec, Subject, Table,
};
use crate::verdict::Verdict;

mod name;
mod select;
mod text;

/// What kind of gate to learn.
#[derive(Debug, Clone, Copy)]
pub struct LearnRequest<'a> {
    /// The name of the gate, which the file's comments mention.
    pub gate: &'a str,
    /// The path that the file will have, for messages.
    pub source: &'a str,
    /// The rootless containers that wait for the gate, if there are any.
    pub containers: Option<&'a Containers>,
    /// What arrived late in each of the last boots of this gate.
    pub late: &'a [Late],
}

/// The quadlets that wait for a gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containers {
    /// The quadlets whose network is made by pasta.
    pub by_pasta: Vec<String>,
    /// The quadlets that use the host's network, or none.
    pub without_pasta: Vec<String>,
    /// The quadlets with an address of their own (`IP=`). They lose it for good if pasta fails.
    pub with_static_ip: Vec<String>,
}

impl Containers {
    /// Whether the containers need pasta. They do if nothing is known about them.
    fn need_pasta(&self) -> bool {
        !self.by_pasta.is_empty() || self.without_pasta.is_empty()
    }
}

/// A gate that is ready on the network that it was learned from.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// The text of the gate file, with comments.
    pub text: String,
    /// The gate that `text` describes.
    pub gate: Gate,
}

/// Why no gate can be learned now.
#[derive(Debug)]
pub enum Refusal {
    /// No link has anything that a gate could ask for. Each line names a link and what it lacks.
    Nothing(Vec<String>),
    /// The gate is not ready on this network: something that the host has does not work now.
    NotReady(Box<Gate>, Verdict),
    /// The generated gate file is not valid, which is a bug of this module.
    Unreadable(ConfigError),
}

/// Makes a gate that asks for everything that must be read before a gate can be learned.
pub fn survey() -> Gate {
    let route =
        |family| Item::Route(RouteSpec { destination: Destination::DefaultOf(family), table: Table::MAIN });
    let [v4, v6] = Family::BOTH.map(route);
    // The check for pasta uses the main tables of both families, so both are read.
    let items = vec![v4, v6, Item::Pasta, Item::Nameserver];
    let clause = Clause {
        subject: Subject::Host { needed: items.len() },
        items,
        grace: None,
        if_present: None,
        recheck: None,
    };
    Gate {
        name: "survey".to_owned(),
        source: String::new(),
        timeout: None,
        no_carrier_timeout: None,
        settle: core::time::Duration::ZERO,
        on_timeout: OnTimeout::Fail,
        on_loss: OnLoss::Report,
        forced: Forced::default(),
        clauses: vec![clause],
        places: config::Places::default(),
    }
}

/// Learns a gate that is ready on this network.
///
/// # Errors
/// Fails if the host has nothing that a gate could ask for, or if something that it has does not work now.
pub fn learn(request: LearnRequest<'_>, network: &Network, now: Moment) -> Result<Learned, Refusal> {
    let mut selection = select::select(network, now);
    if selection.links.is_empty() {
        return Err(Refusal::Nothing(selection.left_out));
    }
    let late: Vec<&Late> = request.late.iter().filter(|late| selection.set_apart(late)).collect();
    let text = text::file(request, &selection, &late, network);
    let gate = config::parse(request.gate, request.source, &text).map_err(Refusal::Unreadable)?;
    let verdict = evaluate(&gate, network, now);
    match verdict.ready() {
        true => Ok(Learned { text, gate }),
        false => Err(Refusal::NotReady(Box::new(gate), verdict)),
    }
}

#[cfg(test)]
mod tests;
