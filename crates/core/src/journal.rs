//! The journal of a gate: which entries `run` writes, and when.

mod policy;

use alloc::borrow::Cow;
use core::fmt;

use crate::escape::escape;
use crate::moment::Moment;

pub use policy::{Policy, Seen, Warnings};

/// One entry. Its texts are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What kind of entry it is. Each kind has a MESSAGE_ID of its own.
    pub kind: Kind,
    /// How severe the entry is.
    pub priority: Priority,
    /// The text of the entry, for MESSAGE=. It is one line.
    pub message: String,
    /// Further lines of the message: what is missing, one requirement a line.
    pub details: Vec<String>,
    /// NETREADY_GATE=: the gate's name. Empty if the entry is not about a gate.
    pub gate: String,
    /// NETREADY_CODE=: the code of the leading reason, if something is unmet.
    pub code: Option<&'static str>,
    /// NETREADY_LINK=: the link that the leading reason is about, if it is one link.
    pub link: Option<String>,
    /// NETREADY_USEC=: the time since boot at which it was seen.
    pub at: Moment,
}

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The gate begins to wait.
    Waiting,
    /// The leading reason changed while the gate waits or is lost.
    Reason,
    /// The gate opened, and is ready.
    Ready,
    /// The gate opened, although it is not ready.
    Opened,
    /// The gate was ready, and is not ready any more.
    Lost,
    /// The gate is ready again.
    Again,
    /// The gate gave up.
    GaveUp,
    /// The gate file was read again.
    Reloaded,
    /// netready found a fault that does not keep any requirement from being met.
    Warning,
    /// A pull failed and will be tried again.
    PullRetry,
    /// An address family arrived after the gate was ready.
    Late,
    /// netready was told to end while the gate waited.
    Stopped,
}

impl Kind {
    /// Every kind, for the catalog and the tests that check it.
    pub const ALL: [Kind; 12] = [
        Kind::Waiting,
        Kind::Reason,
        Kind::Ready,
        Kind::Opened,
        Kind::Lost,
        Kind::Again,
        Kind::GaveUp,
        Kind::Reloaded,
        Kind::Warning,
        Kind::PullRetry,
        Kind::Late,
        Kind::Stopped,
    ];

    /// Returns the word, as in NETREADY_EVENT=.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Waiting => "waiting",
            Kind::Reason => "reason-changed",
            Kind::Ready => "ready",
            Kind::Opened => "opened",
            Kind::Lost => "lost",
            Kind::Again => "ready-again",
            Kind::GaveUp => "gave-up",
            Kind::Reloaded => "reloaded",
            Kind::Warning => "warning",
            Kind::PullRetry => "pull-retry",
            Kind::Late => "late",
            Kind::Stopped => "stopped",
        }
    }

    /// Returns the value of MESSAGE_ID=, which never changes. The values were made with `systemd-id128 new`.
    pub fn message_id(self) -> &'static str {
        match self {
            Kind::Waiting => "91bfd495930244c0af96df9ede95499a",
            Kind::Reason => "4ea36ef91be445f79b730881b5145f14",
            Kind::Ready => "ef82cb0f4d5245de9c640a77583eb6c7",
            Kind::Opened => "ac5c787db10c47ae8c8cf8565e6b1902",
            Kind::Lost => "ed8be7372f6b415aae923b8e7bfa881b",
            Kind::Again => "cab142364d2b4a059f3c8c4083b42e84",
            Kind::GaveUp => "974e138fbb7b43779a6399bcde6a8a7a",
            Kind::Reloaded => "4e6f43d251db487faf17f691c77ebfd7",
            Kind::Warning => "98c9903ab53e4ba388e60b52d7a74883",
            Kind::PullRetry => "67188fe6fa184c4fb34c9f7ac88667da",
            Kind::Late => "d87cf41cef5248fe8a14ec94ed5c515e",
            Kind::Stopped => "eed29a03b7d941a6827e6daa51647017",
        }
    }

    /// Finds the kind with this MESSAGE_ID.
    pub fn of_message_id(id: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.message_id() == id)
    }

    /// Returns the priority of entries of this kind.
    pub fn priority(self) -> Priority {
        match self {
            Kind::GaveUp => Priority::Error,
            Kind::Lost | Kind::Opened | Kind::Warning | Kind::PullRetry => Priority::Warning,
            Kind::Waiting
            | Kind::Reason
            | Kind::Ready
            | Kind::Again
            | Kind::Reloaded
            | Kind::Late
            | Kind::Stopped => Priority::Info,
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
    /// LOG_ERR of syslog(3), the number 3.
    Error,
    /// LOG_WARNING of syslog(3), the number 4.
    Warning,
    /// LOG_INFO of syslog(3), the number 6.
    Info,
    /// LOG_DEBUG of syslog(3), the number 7.
    Debug,
}

impl Priority {
    /// Returns the number, as in PRIORITY=.
    pub fn number(self) -> u8 {
        match self {
            Priority::Error => 3,
            Priority::Warning => 4,
            Priority::Info => 6,
            Priority::Debug => 7,
        }
    }
}

impl Entry {
    /// Returns the message and its details, one to a line.
    pub fn lines(&self) -> impl Iterator<Item = Cow<'_, str>> {
        core::iter::once(&self.message).chain(&self.details).map(|line| escape(line))
    }

    /// Returns the names and the values of the entry's fields. It leaves out the fields that all lines of the
    /// program have ([`field::IDENTIFIER`], [`field::FACILITY`]) and [`field::EVENTS`]. Only MESSAGE can have
    /// several lines.
    pub fn fields(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let mut message = Cow::Borrowed("");
        for (index, line) in self.lines().enumerate() {
            match index {
                0 => message = line,
                _ => {
                    message.to_mut().push('\n');
                    message.to_mut().push_str(&line);
                }
            }
        }
        let mut fields = vec![
            (field::MESSAGE, message),
            (field::PRIORITY, self.priority.number().to_string().into()),
            (field::MESSAGE_ID, self.kind.message_id().into()),
            (field::EVENT, self.kind.as_str().into()),
            (field::USEC, self.at.since_boot().as_micros().to_string().into()),
        ];
        if !self.gate.is_empty() {
            fields.push((field::GATE, escape(&self.gate)));
        }
        fields.extend(self.code.map(|code| (field::CODE, code.into())));
        fields.extend(self.link.iter().map(|link| (field::LINK, escape(link))));
        fields
    }
}

/// The names of the fields. `docs/log-pipeline.md` documents them.
pub mod field {
    /// The text of the entry, for people.
    pub const MESSAGE: &str = "MESSAGE";
    /// How severe the entry is, as a number of syslog(3).
    pub const PRIORITY: &str = "PRIORITY";
    /// The kind, as a number that no other program uses.
    pub const MESSAGE_ID: &str = "MESSAGE_ID";
    /// The name of the program that wrote the entry.
    pub const IDENTIFIER: &str = "SYSLOG_IDENTIFIER";
    /// The facility as a number of syslog(3), for programs that sort by it.
    pub const FACILITY: &str = "SYSLOG_FACILITY";
    /// The name of the gate that the entry is about.
    pub const GATE: &str = "NETREADY_GATE";
    /// The kind, as a word.
    pub const EVENT: &str = "NETREADY_EVENT";
    /// The code of the leading reason.
    pub const CODE: &str = "NETREADY_CODE";
    /// The link that the leading reason is about.
    pub const LINK: &str = "NETREADY_LINK";
    /// The time since boot in microseconds, including suspend.
    pub const USEC: &str = "NETREADY_USEC";
    /// The events since the previous entry, one to a line ([`history`](crate::history)), so that a later boot can
    /// read them.
    pub const EVENTS: &str = "NETREADY_EVENTS";

    /// Every field that netready writes.
    pub const ALL: [&str; 11] =
        [MESSAGE, PRIORITY, MESSAGE_ID, IDENTIFIER, FACILITY, GATE, EVENT, CODE, LINK, USEC, EVENTS];
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use core::time::Duration;

    use super::*;

    #[test]
    fn words_and_message_ids_are_distinct_and_found_again() {
        let words: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let ids: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.message_id()).collect();
        assert_eq!((words.len(), ids.len()), (Kind::ALL.len(), Kind::ALL.len()));
        for kind in Kind::ALL {
            let id = kind.message_id();
            assert_eq!(Kind::of_message_id(id), Some(kind));
            assert!(
                id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
                "{id}"
            );
        }
        assert_eq!(Kind::of_message_id(""), None);
    }

    #[test]
    fn entries_that_need_attention_are_warnings_or_errors() {
        for (kind, priority) in [
            (Kind::Waiting, 6),
            (Kind::Reason, 6),
            (Kind::Ready, 6),
            (Kind::Opened, 4),
            (Kind::Lost, 4),
            (Kind::Again, 6),
            (Kind::GaveUp, 3),
            (Kind::Reloaded, 6),
            (Kind::Warning, 4),
            (Kind::PullRetry, 4),
            (Kind::Late, 6),
            (Kind::Stopped, 6),
        ] {
            assert_eq!(kind.priority().number(), priority, "{kind:?}");
        }
    }

    #[test]
    fn fields_have_only_what_is_known_and_nothing_unsafe() {
        let mut entry = Entry {
            kind: Kind::Lost,
            priority: Priority::Warning,
            message: "NOT ready: e0\x1b[2J".to_owned(),
            details: Vec::new(),
            gate: "default\nMESSAGE=forged".to_owned(),
            code: None,
            link: None,
            at: Moment::after_boot(Duration::from_micros(5_980_123)),
        };
        let fields = |entry: &Entry| -> Vec<String> {
            entry.fields().iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let least = [
            r"MESSAGE=NOT ready: e0\x1b[2J",
            "PRIORITY=4",
            "MESSAGE_ID=ed8be7372f6b415aae923b8e7bfa881b",
            "NETREADY_EVENT=lost",
            "NETREADY_USEC=5980123",
            r"NETREADY_GATE=default\x0aMESSAGE=forged",
        ];
        assert_eq!(fields(&entry), least);
        entry.details = vec!["  a\nb".to_owned(), "  c".to_owned()];
        entry.code = Some("no-carrier");
        entry.link = Some("e0\0".to_owned());
        assert_eq!(fields(&entry)[0], "MESSAGE=NOT ready: e0\\x1b[2J\n  a\\x0ab\n  c");
        assert_eq!(fields(&entry)[1..6], least[1..]);
        assert_eq!(fields(&entry)[6..], ["NETREADY_CODE=no-carrier", r"NETREADY_LINK=e0\x00"]);
        let of_no_gate = Entry { gate: String::new(), ..entry.clone() };
        assert!(
            !fields(&of_no_gate).iter().any(|field| field.starts_with("NETREADY_GATE")),
            "{of_no_gate:?}"
        );
        let mut names: Vec<&str> = entry.fields().iter().map(|(name, _)| *name).collect();
        names.extend([field::IDENTIFIER, field::FACILITY, field::EVENTS]);
        assert_eq!(BTreeSet::from_iter(names), BTreeSet::from(field::ALL));
    }
}
