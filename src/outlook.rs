//! The network between two attempts: whether the gate is open, and the moment when something got better.
//!
//! Besides the gate it looks at what any connection needs, of either family: an address, a default route, a
//! name server. They hold nothing back, and one that comes is a reason to try at once.

use crate::clock::{self, Timer};
use crate::config;
use crate::daemon::Failure;
use crate::evaluate::evaluate;
use crate::model::Nameservers;
use crate::netlink::{Drained, Observer};
use crate::requirement::Gate;
use crate::verdict::Verdict;

/// Each with a grace, so that none is required.
const HINTS: &str = r#"
[[require]]
route = "default-ipv4"
grace = "1s"
[[require]]
route = "default-ipv6"
grace = "1s"
[[require]]
address = "ipv4"
grace = "1s"
[[require]]
address = "ipv6"
grace = "1s"
[[require]]
nameserver = true
grace = "1s"
"#;

/// Watches the network.
pub struct Outlook {
    gate: Gate,
    observer: Observer,
    timer: Timer,
    last: Option<Seen>,
    /// Something was being read when the watching was broken off.
    reading: bool,
}

/// What was seen last.
struct Seen {
    verdict: Verdict,
    nameservers: Nameservers,
}

impl Outlook {
    /// Of this gate, or of no gate at all.
    ///
    /// # Errors
    /// Where the kernel's state cannot be observed.
    pub fn open(gate: Option<&Gate>, receive_buffer: usize) -> Result<Outlook, Failure> {
        let mut watched = config::parse("hints", "built-in", HINTS).map_err(Failure::Hints)?;
        if let Some(gate) = gate {
            watched.clauses.extend(gate.clauses.iter().cloned());
        }
        let observer = Observer::open(&watched, receive_buffer)?;
        let timer = Timer::new().map_err(Failure::Events)?;
        Ok(Outlook { gate: watched, observer, timer, last: None, reading: false })
    }

    /// Whether all that the gate requires is met now.
    ///
    /// # Errors
    /// Where the kernel's state cannot be observed.
    pub async fn ready(&mut self) -> Result<bool, Failure> {
        self.look().await?;
        Ok(self.last.as_ref().is_some_and(|seen| seen.verdict.ready()))
    }

    /// Waits until something is there that was not. It may be broken off at any time.
    ///
    /// # Errors
    /// Where the kernel's state cannot be observed.
    pub async fn better(&mut self) -> Result<(), Failure> {
        loop {
            if self.look().await? {
                return Ok(());
            }
            self.timer.set(self.observer.deadline()).map_err(Failure::Events)?;
            tokio::select! {
                changed = self.observer.changed() => { changed?; }
                fired = self.timer.fired() => fired.map_err(Failure::Events)?,
            }
        }
    }

    /// Reads what is stale; whether it is better than it was at the last look.
    async fn look(&mut self) -> Result<bool, Failure> {
        if std::mem::take(&mut self.reading) {
            self.observer.distrust();
        }
        loop {
            while self.observer.drain(&mut |_| {})? == Drained::More {
                tokio::task::yield_now().await;
            }
            if self.observer.stale() {
                self.reading = true;
                self.observer.catch_up(&self.gate).await?;
                self.reading = false;
                continue;
            }
            if self.observer.owes() {
                return Ok(false);
            }
            let network = self.observer.network();
            // Probes were met when the gate opened, and stay so until something passive is lost.
            let verdict = evaluate(&self.gate, network, clock::now()).without_probes();
            let nameservers = network.nameservers.clone();
            if !verdict.unread.is_empty() {
                self.observer.read_tables_next();
                continue;
            }
            let now = Seen { verdict, nameservers };
            let better = self.last.as_ref().is_some_and(|before| now.better_than(before));
            self.last = Some(now);
            return Ok(better);
        }
    }
}

impl Seen {
    fn better_than(&self, before: &Seen) -> bool {
        let mut clauses = before.verdict.clauses.iter().zip(&self.verdict.clauses);
        let server = matches!(self.nameservers, Nameservers::First(_));
        clauses.any(|(before, now)| !before.met && now.met)
            || (server && self.nameservers != before.nameservers)
    }
}
