//! The time limit of one try of a probe.

use std::time::{Duration, Instant};

use crate::model::Question;
use crate::probe::schedule::{LIMIT, limit};

/// A try ends by itself this much earlier than its parent would kill it, so that it can still report what it waited
/// for.
const MARGIN: Duration = Duration::from_millis(300);

/// The moment at which a try must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    #[allow(clippy::disallowed_methods, reason = "its own process; suspended, it is ended by its parent")]
    pub fn of(question: &Question) -> Deadline {
        Deadline(Instant::now() + (limit(question) - MARGIN))
    }

    /// The time that is left. At least 1 ms, because a socket treats a timeout of zero as no timeout.
    #[allow(clippy::disallowed_methods, reason = "as above")]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// Whether no time is left.
    pub fn is_over(self) -> bool {
        self.left() <= Duration::from_millis(1)
    }

    /// A deadline that is earlier by this span.
    pub fn before(self, span: Duration) -> Deadline {
        Deadline(self.0.checked_sub(span).unwrap_or(self.0))
    }

    /// The reason of a try that ran out of time.
    pub fn text() -> String {
        format!("timed out after {}", crate::report::Span(LIMIT))
    }
}
