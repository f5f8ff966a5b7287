//! The journal of a gate: which entries `run` writes, and when.

use core::fmt;

use crate::moment::Moment;

/// One entry. Its texts are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What kind of entry it is. Each kind has a MESSAGE_ID of its own.
    pub kind: Kind,
    /// How much it matters.
    pub priority: Priority,
    /// MESSAGE=, one line.
    pub message: String,
    /// Further lines: what is missing, one requirement a line. They belong to the message.
    pub details: Vec<String>,
    /// NETREADY_GATE=: the gate's name.
    pub gate: String,
    /// NETREADY_CODE=: the code of the leading reason, if something is unmet.
    pub code: Option<&'static str>,
    /// NETREADY_LINK=: the link that the leading reason is about, if it is one link.
    pub link: Option<String>,
    /// NETREADY_USEC=: when it was seen, as the time since boot.
    pub at: Moment,
}

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It begins to wait.
    Waiting,
    /// The leading reason changed while it waits, or while it is lost.
    Reason,
    /// The gate opened, and is ready.
    Ready,
    /// The gate opened though it is not ready.
    Opened,
    /// It was ready, and is not any more.
    Lost,
    /// It is ready again.
    Again,
    /// It was given up.
    GaveUp,
}

impl Kind {
    /// Every kind, for the catalog and the tests that check it.
    pub const ALL: [Kind; 7] =
        [Kind::Waiting, Kind::Reason, Kind::Ready, Kind::Opened, Kind::Lost, Kind::Again, Kind::GaveUp];

    /// The word, as in NETREADY_EVENT=.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Waiting => "waiting",
            Kind::Reason => "reason",
            Kind::Ready => "ready",
            Kind::Opened => "opened",
            Kind::Lost => "lost",
            Kind::Again => "ready-again",
            Kind::GaveUp => "gave-up",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The priority of an entry, as in syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// LOG_ERR, 3
    Error,
    /// LOG_WARNING, 4
    Warning,
    /// LOG_INFO, 6
    Info,
}

impl Priority {
    /// The number, as in PRIORITY=.
    pub fn number(self) -> u8 {
        match self {
            Priority::Error => 3,
            Priority::Warning => 4,
            Priority::Info => 6,
        }
    }
}
