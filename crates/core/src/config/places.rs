//! Records where the keys of a gate were written. Reports and `explain` name the line to change.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;

use super::Problem;
use super::keys::Key;
use crate::requirement::{Clause, Item};

/// The place where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A path, `built-in`, or an option with its value.
    pub origin: Arc<str>,
    /// The line in the file, from 1. `None` for an option.
    pub line: Option<usize>,
}

impl Place {
    /// Whether the place is on the command line. Advice must then name options instead of keys.
    pub fn is_option(&self) -> bool {
        self.line.is_none()
    }

    /// Whether the place is a line of a file that the user can open. The text of a built-in gate is in no file.
    pub fn is_in_a_file(&self) -> bool {
        self.line.is_some() && self.origin.contains('/')
    }

    /// Makes a problem at this place.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { origin: self.origin.to_string(), line: self.line, message: message.into() }
    }
}

/// Writes `/etc/netready/nas.toml:3`, or the option. The caller must escape the origin, because others chose it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        match self.line {
            Some(line) => write!(f, ":{line}"),
            None => Ok(()),
        }
    }
}

/// Where the keys of a gate were written.
///
/// All values compare as equal, so that two gates with the same requirements are equal wherever they are written.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The places of the gate's own keys.
    pub(super) keys: BTreeMap<&'static str, Place>,
    /// The places of the clauses, in the order of the gate's clauses. Empty for a gate that was not read from a
    /// text.
    pub(super) clauses: Vec<ClausePlaces>,
}

/// Where the keys of a clause were written.
#[derive(Debug, Clone)]
pub struct ClausePlaces {
    /// The first line of the clause, or the option.
    pub(super) first: Place,
    /// The place of each key, for a list the place of its first value.
    pub(super) keys: BTreeMap<&'static str, Place>,
    /// For each item of the clause, in the same order, the place that asks for it.
    pub(super) items: Vec<Place>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Places) -> bool {
        true
    }
}

impl Places {
    /// Returns where one of the gate's own keys was written; `None` if it was left out.
    pub fn of_key(&self, key: &Key) -> Option<&Place> {
        self.keys.get(key.name)
    }

    /// Returns where the clause with this index (from 0) begins.
    pub fn of_clause(&self, clause: usize) -> Option<&Place> {
        self.clauses.get(clause).map(|places| &places.first)
    }

    /// Returns where a key of the clause with this index (from 0) was written; `None` if it was left out.
    pub fn of_clause_key(&self, clause: usize, key: &Key) -> Option<&Place> {
        self.clauses.get(clause)?.keys.get(key.name)
    }

    /// Returns which place asks for the item of this clause. `index` is the clause's index, from 0.
    pub fn of_item(&self, index: usize, clause: &Clause, item: &Item) -> Option<&Place> {
        let position = clause.items.iter().position(|asked| asked == item)?;
        self.clauses.get(index)?.items.get(position)
    }
}
