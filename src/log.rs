//! Writes log lines to stderr. For the journal, each line has its priority (sd-daemon(3)); for a terminal, it is short.
//!
//! netready has a subscriber of its own. It has no spans and no filters, it ignores all fields except the message, and
//! it writes one line for each event. tracing-subscriber would need more code for this, and 33,000 instructions to make
//! its registry of spans.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::escape::escape;
use crate::journal::{self, Priority};

/// Begins to log to stderr the events of this level and of more severe ones.
pub fn start(level: Level) {
    begin(level, if to_journal() { journal::say_on_stderr } else { say });
}

/// Does the same as [`start`] for `run`. If stderr goes to the journal, the lines go to the journal's own socket, so that
/// they keep their order with the entries, which go there too. A program that passes on the output of another program
/// must not call this, because its own lines would lose their order with that output.
pub fn start_beside_entries(level: Level) {
    match journal::of_process() {
        Some(_) => begin(level, journal::say),
        None => start(level),
    }
}

fn begin(level: Level, say: fn(Priority, &str)) {
    // It fails where a test has set one already; that one serves.
    let _ = tracing::subscriber::set_global_default(Lines { level, say });
}

/// Whether stderr is the stream that the service manager connected to the journal (systemd.exec(5)).
pub(crate) fn to_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = nix::sys::stat::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

/// Writes lines for a terminal, or for anything else that is not the journal.
fn say(priority: Priority, line: &str) {
    let kind = match priority {
        Priority::Error => "error: ",
        Priority::Warning => "warning: ",
        Priority::Info => "",
        Priority::Debug => "debug: ",
    };
    crate::stderr::say(&format!("netready: {kind}{line}\n"));
}

/// Writes each event as one line.
struct Lines {
    level: Level,
    say: fn(Priority, &str),
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.into())
    }

    fn event(&self, event: &Event<'_>) {
        let priority = match *event.metadata().level() {
            Level::ERROR => Priority::Error,
            Level::WARN => Priority::Warning,
            Level::INFO => Priority::Info,
            _ => Priority::Debug,
        };
        let mut message = Message(String::new());
        event.record(&mut message);
        // One event is one line, whatever others' text in it says.
        (self.say)(priority, &escape(&message.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The text of an event; netready's have no other fields.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
