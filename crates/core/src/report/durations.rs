//! Durations in words.

use core::fmt::{self, Display};
use core::time::Duration;

use super::joined;

/// Writes a span of time as systemd does, with a useful resolution: `4.211s`, `90s`, `5min`. From two minutes on it
/// has the form `1min 30s`.
pub struct Span(pub Duration);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let millis = self.0.subsec_millis();
        match (seconds, millis) {
            (0, millis) => write!(f, "{millis}ms"),
            (seconds, 0) if seconds < 120 => write!(f, "{seconds}s"),
            (seconds, millis) if seconds < 120 => {
                let decimals = format!("{millis:03}");
                write!(f, "{seconds}.{}s", decimals.trim_end_matches('0'))
            }
            (seconds, _) => {
                let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
                let parts = [(hours, "h"), (minutes, "min"), (seconds, "s")];
                let parts = parts.into_iter().filter(|(count, _)| *count > 0);
                let parts: Vec<String> = parts.map(|(count, unit)| format!("{count}{unit}")).collect();
                joined(f, &parts, " ")
            }
        }
    }
}

/// Writes how long something took, so that it can be compared with a part of it: `5.98s`, `5.90s`, `123ms`. From
/// two minutes on it has the form of [`Span`].
pub struct Took(pub Duration);

impl Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            1..120 => write!(f, "{}.{:02}s", self.0.as_secs(), self.0.subsec_millis() / 10),
            _ => Span(self.0).fmt(f),
        }
    }
}

/// Writes roughly how long something lasted: `1s`, `12min 30s`, `3h 12min`, `2d 4h`.
pub struct About(pub Duration);

impl Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let seconds = self.0.as_secs();
        let fine = match seconds {
            0 => return Span(self.0).fmt(f),
            DAY.. => {
                let hours = seconds % DAY / HOUR;
                write!(f, "{}d", seconds / DAY)?;
                return if hours > 0 { write!(f, " {hours}h") } else { Ok(()) };
            }
            HOUR.. => seconds - seconds % MINUTE,
            1..HOUR => seconds,
        };
        Span(Duration::from_secs(fine)).fmt(f)
    }
}
