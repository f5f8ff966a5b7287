//! Continuity: was a hold interrupted? A settle counts only the time in which the gate's requirements held
//! without a break, and this is the only place that says what a break is.
//!
//! Levels alone cannot tell: what went and came back between two verdicts leaves both of them met.

use crate::model::{Message, Network};
use crate::verdict::Verdict;

/// Collects breaks between two verdicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Continuity {
    broken: bool,
}

impl Continuity {
    /// Sees a notification before it is taken in: does it take away, replace or interrupt something that the
    /// last verdict rests on, whatever heals it afterwards?
    pub fn before(&mut self, message: &Message, network: &Network, last: &Verdict) {
        self.broken = self.broken || last.interrupted_by(message, network);
    }

    /// Sees what the gate would be judged as right after a notification: is a clause unmet that was met?
    pub fn after(&mut self, last: &Verdict, judge: impl FnOnce() -> Verdict) {
        self.broken = self.broken || loses_a_clause(last, &judge());
    }

    /// Notifications were lost: what they told is not known.
    pub fn lost(&mut self) {
        self.broken = true;
    }

    /// Sees a new verdict in the place of the last: did a link that the last one rests on lose its carrier
    /// between two readings (`flapped`), or would pasta choose another route now?
    pub fn judged(&mut self, last: &Verdict, new: &Verdict, flapped: &[u32]) {
        self.broken = self.broken
            || flapped.iter().any(|link| last.rests_on_link(*link))
            || last.pasta_choice() != new.pasta_choice();
    }

    /// Whether there was a break since the last call.
    pub fn take_broken(&mut self) -> bool {
        core::mem::take(&mut self.broken)
    }
}

fn loses_a_clause(before: &Verdict, after: &Verdict) -> bool {
    before.clauses.iter().zip(&after.clauses).any(|(before, after)| before.met && !after.met)
}
