//! What an evaluation returns: an outcome, together with what it needs and what it warns of.
//!
//! An evaluation changes nothing. Whoever drops an outcome drops its needs and warnings with it.

use alloc::collections::BTreeSet;

use crate::model::Question;
use crate::requirement::{Family, Item};
use crate::verdict::{Outcome, Reason, Row, Warning};

/// What must be found out before an outcome is final.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Needs {
    /// Routing tables that were not read and could turn the "no" into a "yes".
    pub unread: BTreeSet<(Family, u32)>,
    /// Questions that probes must ask. Questions are asked only if all clauses agree to it: see
    /// [`Evaluated`].
    pub questions: BTreeSet<Question>,
}

impl Needs {
    pub fn extend(&mut self, mut other: Needs) {
        self.unread.append(&mut other.unread);
        self.questions.append(&mut other.questions);
    }
}

/// An outcome (or a row, or several rows) with its needs and warnings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judged<T = Outcome> {
    pub outcome: T,
    pub needs: Needs,
    pub warnings: Vec<Warning>,
}

impl<T> Judged<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Judged<U> {
        Judged { outcome: change(self.outcome), needs: self.needs, warnings: self.warnings }
    }
}

/// A result that needs nothing and warns of nothing.
impl<T> From<T> for Judged<T> {
    fn from(outcome: T) -> Judged<T> {
        Judged { outcome, needs: Needs::default(), warnings: Vec::new() }
    }
}

/// An unmet outcome without needs.
impl From<Reason> for Judged {
    fn from(reason: Reason) -> Judged {
        Judged::from(Outcome::Unmet(reason))
    }
}

impl Judged<Vec<Row>> {
    pub fn push(&mut self, row: Judged<Row>) {
        self.outcome.push(row.outcome);
        self.needs.extend(row.needs);
        self.warnings.extend(row.warnings);
    }

    pub fn append(&mut self, rows: &Judged<Vec<Row>>) {
        self.outcome.extend(rows.outcome.iter().cloned());
        self.needs.extend(rows.needs.clone());
        self.warnings.extend(rows.warnings.iter().cloned());
    }
}

impl FromIterator<Judged<Row>> for Judged<Vec<Row>> {
    fn from_iter<I: IntoIterator<Item = Judged<Row>>>(rows: I) -> Judged<Vec<Row>> {
        let rows = rows.into_iter();
        let mut all = Judged::from(Vec::with_capacity(rows.size_hint().0));
        for row in rows {
            all.push(row);
        }
        all
    }
}

/// Both results that an item or a clause may have.
///
/// Probes ask their questions only while nothing else holds the gate back. That is known once all clauses
/// are evaluated, so an evaluation returns the result for either case.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluated<T = Outcome> {
    /// The result if probes may ask, by the answers that are known.
    pub asked: Judged<T>,
    /// The result while probes must wait. It has no questions. `None` if it is the same.
    pub waiting: Option<Judged<T>>,
}

impl Evaluated {
    /// Makes the row of this outcome.
    pub fn row(self, item: &Item) -> Evaluated<Row> {
        let row = |outcome| Row { item: item.clone(), link: None, outcome };
        Evaluated { asked: self.asked.map(row), waiting: self.waiting.map(|judged| judged.map(row)) }
    }
}

impl<T> Evaluated<T> {
    /// The result while probes must wait.
    pub fn while_waiting(self) -> Judged<T> {
        self.waiting.unwrap_or(self.asked)
    }
}

/// A result that does not depend on probes.
impl<T> From<Judged<T>> for Evaluated<T> {
    fn from(judged: Judged<T>) -> Evaluated<T> {
        Evaluated { asked: judged, waiting: None }
    }
}
