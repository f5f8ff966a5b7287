//! The time that one try of a probe has.

use std::time::{Duration, Instant};

use crate::model::Question;
use crate::probe::schedule::{LIMIT, limit};

/// A try says by itself what it waited for, before it is ended.
const MARGIN: Duration = Duration::from_millis(300);

/// How much time there is.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    #[allow(clippy::disallowed_methods, reason = "its own process; suspended, it is ended by its parent")]
    pub fn of(question: &Question) -> Deadline {
        Deadline(Instant::now() + (limit(question) - MARGIN))
    }

    /// What is left of it; at least a moment, because zero means for ever to sockets.
    #[allow(clippy::disallowed_methods, reason = "as above")]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// Whether nothing is left.
    pub fn is_over(self) -> bool {
        self.left() <= Duration::from_millis(1)
    }

    /// One that is this much earlier.
    pub fn before(self, span: Duration) -> Deadline {
        Deadline(self.0.checked_sub(span).unwrap_or(self.0))
    }

    /// As said when it is over.
    pub fn text() -> String {
        format!("timed out after {}", crate::report::Span(LIMIT))
    }
}
