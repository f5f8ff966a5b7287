//! Watches the network between two attempts: whether the gate is open, and when something improves.
//!
//! In addition to the gate, it watches what any connection needs: an address, a default route and a name server.
//! These hold nothing back. When one of them arrives, the next attempt starts at once.

use std::time::Duration;

use crate::clock;
use crate::config::Places;
use crate::driver::{Driver, Failure, RunEnd, Setup, Silent};
use crate::kernel_line::Forced;
use crate::requirement::{
    AddressSpec, Clause, Destination, Family, Gate, Item, OnLoss, OnTimeout, RouteSpec, Subject, Table,
};
use crate::session::{Ended, Mode};

/// Watches the network.
pub(super) struct NetworkWatch(Driver<'static>);

impl NetworkWatch {
    /// Watches for this gate, or only for the general needs.
    ///
    /// # Errors
    /// Fails if the kernel's state cannot be observed.
    pub(super) fn open(gate: Option<&Gate>, receive_buffer: usize) -> Result<NetworkWatch, Failure> {
        let mut watched = hints();
        if let Some(gate) = gate {
            watched.clauses.extend(gate.clauses.iter().cloned());
        }
        let mode = Mode::Improvement;
        let setup =
            Setup { mode, gate: watched, began: clock::now(), receive_buffer, signals: None, earlier: None };
        Ok(NetworkWatch(Driver::new(setup)?))
    }

    /// Returns whether all requirements of the gate are met now. `better` does not report earlier improvements any
    /// more.
    ///
    /// # Errors
    /// Fails if the kernel's state cannot be observed.
    pub(super) async fn ready(&mut self) -> Result<bool, Failure> {
        self.0.look().await?;
        Ok(self.0.session().is_ready())
    }

    /// Waits until something improves. The future may be dropped and the function called again.
    ///
    /// # Errors
    /// Fails if the kernel's state cannot be observed.
    pub(super) async fn better(&mut self) -> Result<(), Failure> {
        loop {
            if let RunEnd::Ended(Ended::Better) = self.0.run(&mut Silent).await? {
                return Ok(());
            }
        }
    }
}

/// Makes a gate of what any connection needs. Each clause has a grace, so that none is required.
fn hints() -> Gate {
    let route =
        |family| Item::Route(RouteSpec { destination: Destination::DefaultOf(family), table: Table::MAIN });
    let address = |family| Item::Address(AddressSpec::Family(family));
    let items = Family::BOTH.map(route).into_iter().chain(Family::BOTH.map(address));
    let clause = |item| Clause {
        subject: Subject::Host { needed: 1 },
        items: vec![item],
        grace: Some(Duration::from_secs(1)),
        if_present: None,
        recheck: None,
    };
    Gate {
        name: "hints".to_owned(),
        source: "built-in".to_owned(),
        timeout: None,
        no_carrier_timeout: None,
        settle: Duration::ZERO,
        on_timeout: OnTimeout::Fail,
        on_loss: OnLoss::Report,
        forced: Forced::default(),
        clauses: items.chain([Item::Nameserver]).map(clause).collect(),
        places: Places::default(),
    }
}
