//! The service manager's notification protocol (sd_notify(3)).

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

use crate::requirement::Gate;

/// Whom to tell, if anybody.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<OsString>,
    failed: bool,
}

/// The socket that NOTIFY_SOCKET names cannot be written to.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell the service manager: NOTIFY_SOCKET={socket}")]
pub struct NotifyError {
    socket: String,
    #[source]
    source: io::Error,
}

impl Notifier {
    /// From NOTIFY_SOCKET.
    pub fn from_env() -> Notifier {
        Notifier {
            socket: std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            failed: false,
        }
    }

    /// Nobody.
    pub fn silent() -> Notifier {
        Notifier { socket: None, failed: false }
    }

    /// STATUS=, for `systemctl status`.
    pub fn status(&mut self, status: &str) {
        self.tell(&[NotifyState::Status(status)]);
    }

    /// READY=1, with the status that goes with it.
    ///
    /// # Errors
    /// Where it did not arrive: the unit will not become active.
    pub fn ready(&mut self, status: &str) -> Result<(), NotifyError> {
        self.try_tell(&[NotifyState::Ready, NotifyState::Status(status)])
    }

    /// EXTEND_TIMEOUT_USEC=, once, so that TimeoutStartSec= never cuts the gate's own time short.
    ///
    /// # Errors
    /// Where nobody is at the other end.
    pub fn extend(&mut self, gate: &Gate) -> Result<(), NotifyError> {
        let text = format!("EXTEND_TIMEOUT_USEC={}", longest(gate));
        self.try_tell(&[NotifyState::Custom(&text)])
    }

    /// EXTEND_TIMEOUT_USEC=, for so long from now on, and a little more; `None`: without end.
    pub fn extend_by(&mut self, bound: Option<Duration>) {
        let micros = bound.map_or(FOR_EVER, |bound| micros(bound.saturating_add(A_LITTLE)));
        self.tell(&[NotifyState::Custom(&format!("EXTEND_TIMEOUT_USEC={micros}"))]);
    }

    /// WATCHDOG=1
    pub fn watchdog(&mut self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// RELOADING=1, and READY=1, which ends the reload and says nothing about the gate.
    pub fn reloaded(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => warn!("CLOCK_MONOTONIC: {error}"),
        }
        self.tell(&[NotifyState::Ready]);
    }

    /// STOPPING=1
    pub fn stopping(&mut self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// What nothing depends on. A manager that is gone is complained of once.
    fn tell(&mut self, states: &[NotifyState<'_>]) {
        if let Err(error) = self.try_tell(states) {
            if !std::mem::replace(&mut self.failed, true) {
                warn!("{error}: {}", error.source);
            }
        }
    }

    fn try_tell(&self, states: &[NotifyState<'_>]) -> Result<(), NotifyError> {
        let Some(socket) = &self.socket else { return Ok(()) };
        sd_notify::notify(states)
            .map_err(|source| NotifyError { socket: socket.to_string_lossy().into_owned(), source })
    }
}

/// How often WATCHDOG=1 is due: at half the interval that the manager asks for.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|interval| interval / 2)
}

/// UINT64_MAX is systemd's "infinity" and is refused here; one less is as good.
const FOR_EVER: u64 = u64::MAX - 1;
const A_LITTLE: Duration = Duration::from_secs(5);

/// The longest that a gate can take to open or give up, in microseconds; and a little more.
fn longest(gate: &Gate) -> u64 {
    let Some(timeout) = gate.timeout else { return FOR_EVER };
    let graces = gate.clauses.iter().filter_map(|clause| clause.grace);
    micros(graces.chain([gate.settle, A_LITTLE]).fold(timeout, |sum, duration| sum.saturating_add(duration)))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(FOR_EVER).min(FOR_EVER)
}
