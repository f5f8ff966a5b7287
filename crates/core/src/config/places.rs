//! Where the keys of a gate were written: for reports and for `explain`, which name the line to change.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt;

use super::Problem;
use super::keys::Key;
use crate::requirement::{Clause, Item};

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A file, `built-in`, or an option with its value.
    pub origin: Arc<str>,
    /// The line in the file; `None` for an option.
    pub line: Option<usize>,
}

impl Place {
    /// Whether it was written on the command line, so that advice must name options and not keys.
    pub fn is_option(&self) -> bool {
        self.line.is_none()
    }

    /// Whether it is a line of a file that can be opened. The text of a built-in gate is in no file.
    pub fn is_in_a_file(&self) -> bool {
        self.line.is_some() && self.origin.contains('/')
    }

    /// A problem with what stands there.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { origin: self.origin.to_string(), line: self.line, message: message.into() }
    }
}

/// `/etc/netready/nas.toml:3`, or the option. The origin is text of others.
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
/// All values are equal: two gates that ask for the same are the same gate, wherever they are written.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The gate's own keys.
    pub(super) keys: BTreeMap<&'static str, Place>,
    /// In the order of the gate's clauses; empty for a gate that nobody wrote.
    pub(super) clauses: Vec<ClausePlaces>,
}

/// Where the keys of a clause were written.
#[derive(Debug, Clone)]
pub struct ClausePlaces {
    /// Its first line, or the option.
    pub(super) first: Place,
    /// The first value of each key.
    pub(super) keys: BTreeMap<&'static str, Place>,
    /// Of each item of the clause, in the same order: what asks for it.
    pub(super) items: Vec<Place>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Places) -> bool {
        true
    }
}

impl Places {
    /// Where one of the gate's own keys was written; `None` if it was left out.
    pub fn of_key(&self, key: &Key) -> Option<&Place> {
        self.keys.get(key.name)
    }

    /// Where the clause of this number, from 0, begins.
    pub fn of_clause(&self, clause: usize) -> Option<&Place> {
        self.clauses.get(clause).map(|places| &places.first)
    }

    /// Where a key of the clause of this number, from 0, was written; `None` if it was left out.
    pub fn of_clause_key(&self, clause: usize, key: &Key) -> Option<&Place> {
        self.clauses.get(clause)?.keys.get(key.name)
    }

    /// Where the item of this clause is asked for. `index` is the clause's number, from 0.
    pub fn of_item(&self, index: usize, clause: &Clause, item: &Item) -> Option<&Place> {
        let position = clause.items.iter().position(|asked| asked == item)?;
        self.clauses.get(index)?.items.get(position)
    }
}
