//! Log lines: for the journal with their priorities (sd-daemon(3)), for a terminal short.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::escape::escape;

/// Begins to log to stderr what is of this level or graver.
pub fn start(level: Level) {
    let format = if to_journal() { Format::Journal } else { Format::Terminal };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| crate::stderr::Lines)
        .event_format(format)
        .finish();
    // It fails where a test has set one already; that one serves.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The same for `run`, whose lines go to the journal's own socket, if stderr goes to the journal. So they stay in one
/// order with its entries, which go there too. A program that passes on another's output must not do that: its own
/// lines would no longer stand in order with that output.
pub fn start_beside_entries(level: Level) {
    if crate::journal::of_process().is_none() {
        return start(level);
    }
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(crate::journal::Lines)
        .event_format(Format::Bare)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Whether stderr is the stream that the service manager connected to the journal (systemd.exec(5)).
pub(crate) fn to_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = nix::sys::stat::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

enum Format {
    Journal,
    Terminal,
    /// Only the text: the priority is a field.
    Bare,
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        match self {
            // <syslog priority>, which the journal takes off.
            Format::Journal => out.write_str(match level {
                Level::ERROR => "<3>",
                Level::WARN => "<4>",
                Level::INFO => "<6>",
                _ => "<7>",
            })?,
            Format::Terminal => out.write_str(match level {
                Level::ERROR => "netready: error: ",
                Level::WARN => "netready: warning: ",
                Level::INFO => "netready: ",
                _ => "netready: debug: ",
            })?,
            Format::Bare => {}
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        // One event is one line, whatever others' text in it says.
        writeln!(out, "{}", escape(&message.0))
    }
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
