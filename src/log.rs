//! Log lines: for the journal with their priorities (sd-daemon(3)), for a terminal short.
//!
//! The subscriber is netready's own: there are no spans, no fields but the message and no filters, and each event is one
//! line. tracing-subscriber needs more code to be told so, and 33,000 instructions to make its registry of spans.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::escape::escape;
use crate::journal::{self, Priority};

/// Begins to log to stderr what is of this level or graver.
pub fn start(level: Level) {
    begin(level, if to_journal() { journal::say_on_stderr } else { say });
}

/// The same for `run`, whose lines go to the journal's own socket, if stderr goes to the journal. So they stay in one
/// order with its entries, which go there too. A program that passes on another's output must not do that: its own
/// lines would no longer stand in order with that output.
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

/// For a terminal, or whatever else stderr is.
fn say(priority: Priority, line: &str) {
    let kind = match priority {
        Priority::Error => "error: ",
        Priority::Warning => "warning: ",
        Priority::Info => "",
        Priority::Debug => "debug: ",
    };
    crate::stderr::say(&format!("netready: {kind}{line}\n"));
}

/// Says each event as a line.
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
