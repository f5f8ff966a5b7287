//! A gate as it was written: each value is a text that knows its place. Nothing is checked yet.
//!
//! Gate files, drop-ins and options all become these types, and [`validate`](super::validate) reads nothing else.

use alloc::collections::BTreeMap;

use super::Problem;
use super::keys::Key;
pub use super::places::Place;

/// One value of a key.
#[derive(Debug, Clone)]
pub struct Written {
    /// The text; of a flag `true` or `false`, of a number its decimal digits.
    pub value: String,
    /// The line of the gate file, or the option.
    pub place: Place,
    /// Key and value for messages, as in `address "fe80::"`. It is empty if the place says both already.
    pub name: String,
}

impl Written {
    /// A problem with this value.
    pub fn problem(&self, message: impl AsRef<str>) -> Problem {
        let message = message.as_ref();
        self.place.problem(if self.name.is_empty() {
            message.to_owned()
        } else {
            format!("{} {message}", self.name)
        })
    }

    /// Whether it is a flag that says `true`.
    pub fn is_true(&self) -> bool {
        self.value == "true"
    }
}

/// Keys with their values.
#[derive(Debug, Clone, Default)]
pub struct WrittenKeys {
    /// By the key's name; a key that was left out is not in here.
    values: BTreeMap<&'static str, Vec<Written>>,
    /// Something was left out because it could not be read, so what is missing proves nothing.
    pub incomplete: bool,
}

impl WrittenKeys {
    /// The values of a key; empty if it was left out.
    pub fn all(&self, key: &Key) -> &[Written] {
        self.values.get(key.name).map_or(&[], Vec::as_slice)
    }

    /// The value of a key that takes one; of a list its first entry.
    pub fn one(&self, key: &Key) -> Option<&Written> {
        self.all(key).first()
    }

    /// The place of each key that was written; of a list that of its first entry.
    pub fn places(&self) -> BTreeMap<&'static str, Place> {
        let first = |values: &Vec<Written>| values.first().map(|written| written.place.clone());
        self.values.iter().filter_map(|(key, values)| Some((*key, first(values)?))).collect()
    }

    /// Whether a key was written.
    pub fn has(&self, key: &Key) -> bool {
        self.values.contains_key(key.name)
    }

    /// Gives a key its values; without values it counts as left out.
    pub fn set(&mut self, key: &'static Key, values: Vec<Written>) {
        if !values.is_empty() {
            self.values.insert(key.name, values);
        }
    }

    /// Appends a value to those of a key.
    pub fn add(&mut self, key: &'static Key, value: Written) {
        self.values.entry(key.name).or_default().push(value);
    }

    /// Reads other keys over these: a key that is in both gets the other's values.
    pub fn read_over(&mut self, over: WrittenKeys) {
        self.values.extend(over.values);
        self.incomplete |= over.incomplete;
    }
}

/// A whole gate, or a drop-in of one.
#[derive(Debug, Clone, Default)]
pub struct WrittenGate {
    /// The keys above the first `[[require]]`.
    pub keys: WrittenKeys,
    /// In the order of files and lines.
    pub clauses: Vec<WrittenClause>,
}

impl WrittenGate {
    /// Reads another over this one: its keys replace, its clauses are added.
    pub fn read_over(&mut self, over: WrittenGate) {
        self.keys.read_over(over.keys);
        self.clauses.extend(over.clauses);
    }
}

/// A clause as it was written, before its values are checked.
#[derive(Debug, Clone)]
pub struct WrittenClause {
    /// The first line of the clause.
    pub place: Place,
    /// The keys below it.
    pub keys: WrittenKeys,
}

impl WrittenClause {
    /// A clause without keys.
    pub fn at(place: Place) -> WrittenClause {
        WrittenClause { place, keys: WrittenKeys::default() }
    }
}
