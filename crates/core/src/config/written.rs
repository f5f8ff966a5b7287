//! A gate as it was written. Each value is a text with its place. Nothing has been checked yet.
//!
//! Gate files, drop-ins and options all become these types. [`validate`](super::validate) reads only these types.

use alloc::collections::BTreeMap;

use super::Problem;
use super::keys::Key;
pub use super::places::Place;

/// One value of a key.
#[derive(Debug, Clone)]
pub struct Written {
    /// The text. A flag is `true` or `false`; a number has its decimal digits.
    pub value: String,
    /// The line of the gate file, or the option.
    pub place: Place,
    /// The key and value for messages, as in `address "fe80::"`. It is empty if the place names both already.
    pub name: String,
}

impl Written {
    /// Makes a problem about this value.
    pub fn problem(&self, message: impl AsRef<str>) -> Problem {
        let message = message.as_ref();
        self.place.problem(if self.name.is_empty() {
            message.to_owned()
        } else {
            format!("{} {message}", self.name)
        })
    }

    /// Whether the value is a flag that says `true`.
    pub fn is_true(&self) -> bool {
        self.value == "true"
    }
}

/// Keys with their values.
#[derive(Debug, Clone, Default)]
pub struct WrittenKeys {
    /// The values by the key's name. A key that was left out is not in the map.
    values: BTreeMap<&'static str, Vec<Written>>,
    /// Whether something was left out because it could not be read. Then a missing key must not be reported.
    pub incomplete: bool,
}

impl WrittenKeys {
    /// Returns the values of a key. The list is empty if the key was left out.
    pub fn all(&self, key: &Key) -> &[Written] {
        self.values.get(key.name).map_or(&[], Vec::as_slice)
    }

    /// Returns the value of a key that takes one value. For a list it is the first entry.
    pub fn one(&self, key: &Key) -> Option<&Written> {
        self.all(key).first()
    }

    /// Returns the place of each key that was written; for a list the place of its first entry.
    pub fn places(&self) -> BTreeMap<&'static str, Place> {
        let first = |values: &Vec<Written>| values.first().map(|written| written.place.clone());
        self.values.iter().filter_map(|(key, values)| Some((*key, first(values)?))).collect()
    }

    /// Whether a key was written.
    pub fn has(&self, key: &Key) -> bool {
        self.values.contains_key(key.name)
    }

    /// Sets the values of a key. A key without values counts as left out.
    pub fn set(&mut self, key: &'static Key, values: Vec<Written>) {
        if !values.is_empty() {
            self.values.insert(key.name, values);
        }
    }

    /// Appends a value to those of a key.
    pub fn add(&mut self, key: &'static Key, value: Written) {
        self.values.entry(key.name).or_default().push(value);
    }

    /// Merges other keys into these. A key that is in both gets the values of `over`.
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
    /// The clauses in the order of files and lines.
    pub clauses: Vec<WrittenClause>,
}

impl WrittenGate {
    /// Merges another gate into this one: its keys replace keys of this gate, and its clauses are added.
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
    /// The keys below that line.
    pub keys: WrittenKeys,
}

impl WrittenClause {
    /// Makes a clause without keys.
    pub fn at(place: Place) -> WrittenClause {
        WrittenClause { place, keys: WrittenKeys::default() }
    }
}
