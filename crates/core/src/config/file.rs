//! Reads a gate file's TOML into a [`WrittenGate`], in which every value has its line.
//!
//! Only names of keys and types of values are checked here, against the [table of keys](super::keys).
//! [`validate`](super::validate) checks the values.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::ops::Range;

use toml::de::{DeInteger, DeTable, DeValue};

use super::Problem;
use super::keys::{self, Key, Level, ValueType};
use super::suggest::{self, REQUIRE, REQUIRE_EXAMPLE};
use super::toml_errors;
use super::written::{Place, Written, WrittenClause, WrittenGate, WrittenKeys};

/// Reads one file's text. What cannot be read is left out of the result and reported as a problem.
pub fn read(origin: &str, text: &str, problems: &mut Vec<Problem>) -> WrittenGate {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        origin: Arc::from(origin),
        text,
        line_starts: line_starts(text),
        bad_lines: BTreeSet::new(),
        problems,
    };
    let structure_holds = reader.syntax_errors(&errors);
    if !structure_holds {
        let mut gate = WrittenGate::default();
        gate.keys.incomplete = true;
        return gate;
    }
    reader.gate(document.get_ref())
}

struct Reader<'a> {
    origin: Arc<str>,
    text: &'a str,
    /// The offset of each line's first byte.
    line_starts: Vec<usize>,
    /// The lines that are not valid TOML. The parser has only guessed their content.
    bad_lines: BTreeSet<usize>,
    problems: &'a mut Vec<Problem>,
}

/// A key with its value.
struct Entry<'a> {
    key: &'a str,
    value: &'a DeValue<'a>,
    place: Place,
    span: Range<usize>,
}

impl Reader<'_> {
    fn gate(&mut self, table: &DeTable<'_>) -> WrittenGate {
        let mut gate = WrittenGate::default();
        gate.keys.incomplete = !self.bad_lines.is_empty();
        for entry in self.entries(table) {
            let read = match entry.key {
                REQUIRE => self.clauses(&entry, &mut gate.clauses),
                _ => self.entry(&entry, Level::Gate, &mut gate.keys),
            };
            gate.keys.incomplete |= read.is_none();
        }
        gate
    }

    fn clauses(&mut self, entry: &Entry<'_>, clauses: &mut Vec<WrittenClause>) -> Option<()> {
        match entry.value {
            DeValue::Table(table) => {
                let clause = self.clause(entry.place.clone(), table);
                clauses.push(clause);
                Some(())
            }
            DeValue::Array(array) => {
                let mut all = Some(());
                for item in array {
                    match item.get_ref() {
                        DeValue::Table(table) => {
                            let clause = self.clause(self.place(item.span()), table);
                            clauses.push(clause);
                        }
                        DeValue::String(_)
                        | DeValue::Integer(_)
                        | DeValue::Float(_)
                        | DeValue::Boolean(_)
                        | DeValue::Datetime(_)
                        | DeValue::Array(_) => all = self.no_table(entry),
                    }
                }
                all
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => self.no_table(entry),
        }
    }

    fn clause(&mut self, place: Place, table: &DeTable<'_>) -> WrittenClause {
        let mut clause = WrittenClause::at(place);
        clause.keys.incomplete = !self.bad_lines.is_empty();
        for entry in self.entries(table) {
            let read = self.entry(&entry, Level::Clause, &mut clause.keys);
            clause.keys.incomplete |= read.is_none();
        }
        clause
    }

    // Reading of values. `None` says that something was left out.

    /// Reads a key with those of its values that are valid.
    fn entry(&mut self, entry: &Entry<'_>, level: Level, keys: &mut WrittenKeys) -> Option<()> {
        let Some(key) = keys::find(entry.key, level) else {
            return self.problem(&entry.place, suggest::unknown_key(entry.key, level));
        };
        match entry.value {
            DeValue::Array(array) if key.takes.is_list() && array.is_empty() => {
                let message = format!(
                    "{}: the list is empty; write for example {}, or leave the key out",
                    key.name, key.example
                );
                self.problem(&entry.place, message)
            }
            DeValue::Array(array) if key.takes.is_list() => {
                let mut all = Some(());
                for item in array {
                    match self.value(key, item.get_ref(), self.place(item.span())) {
                        Some(value) => keys.add(key, value),
                        None => all = None,
                    }
                }
                all
            }
            DeValue::Array(_)
            | DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => {
                let value = self.value(key, entry.value, entry.place.clone())?;
                keys.add(key, value);
                Some(())
            }
        }
    }

    /// Reads one value, or one entry of a list.
    fn value(&mut self, key: &Key, value: &DeValue<'_>, place: Place) -> Option<Written> {
        let (name, value) = match value {
            DeValue::String(text) if key.takes != ValueType::Flag => {
                (format!("{} \"{}\"", key.name, suggest::shown(text)), text.to_string())
            }
            DeValue::Integer(integer) if key.takes.takes_integers() => {
                let text = decimal(integer);
                (format!("{} {}", key.name, suggest::shown(&text)), text)
            }
            DeValue::Boolean(value) if key.takes == ValueType::Flag => {
                (format!("{} = {value}", key.name), value.to_string())
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.wrong_type(&place, key.name, value, key.takes.wanted(), key.example);
                return None;
            }
        };
        Some(Written { value, place, name })
    }

    // Reporting of problems. Each function returns `None`, because there is no value.

    fn problem(&mut self, place: &Place, message: String) -> Option<()> {
        self.problems.push(place.problem(message));
        None
    }

    fn no_table(&mut self, entry: &Entry<'_>) -> Option<()> {
        self.wrong_type(&entry.place, REQUIRE, entry.value, "a table", REQUIRE_EXAMPLE)
    }

    fn wrong_type(
        &mut self,
        place: &Place,
        key: &str,
        value: &DeValue<'_>,
        wanted: &str,
        example: &str,
    ) -> Option<()> {
        let stands = type_name(value);
        self.problem(place, format!("{key}: {stands} is given, but this key needs {wanted}: {example}"))
    }

    /// Reports what is not valid TOML. Returns whether only values are wrong, so that the keys can be trusted.
    fn syntax_errors(&mut self, errors: &[toml::de::Error]) -> bool {
        let mut only_values = true;
        for error in errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            // Further errors in the same line are consequences of the first one.
            if !self.bad_lines.insert(line) {
                continue;
            }
            let written = self.line_text(line);
            let message = match toml_errors::of_value(error.message(), written) {
                Some(advice) => advice,
                None => {
                    only_values = false;
                    toml_errors::of_structure(error.message(), written)
                }
            };
            let place = self.place_of_line(line);
            self.problems.push(place.problem(message));
        }
        only_values
    }

    // Places in the file.

    /// A table's entries in the order of the file, without those on lines that are not valid TOML.
    fn entries<'t>(&self, table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
        let mut entries: Vec<Entry<'t>> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref(),
                value: value.get_ref(),
                place: self.place(key.span()),
                span: key.span().start..value.span().end,
            })
            .filter(|entry| entry.key == REQUIRE || !self.is_bad(&entry.span))
            .collect();
        entries.sort_by_key(|entry| entry.span.start);
        entries
    }

    fn is_bad(&self, span: &Range<usize>) -> bool {
        let lines = self.line(span.start)..=self.line(span.end.max(span.start));
        self.bad_lines.range(lines).next().is_some()
    }

    fn place(&self, span: Range<usize>) -> Place {
        self.place_of_line(self.line(span.start))
    }

    fn place_of_line(&self, line: usize) -> Place {
        Place { origin: Arc::clone(&self.origin), line: Some(line) }
    }

    fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    fn line_text(&self, line: usize) -> &str {
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        self.text[start..].lines().next().unwrap_or_default()
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
    core::iter::once(0).chain(after_newlines).collect()
}

/// An integer's digits in base ten, in whichever base it was written.
fn decimal(integer: &DeInteger<'_>) -> String {
    match i128::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) => number.to_string(),
        // The number is too long for any key here. The function that reads it as a number reports this.
        Err(_) => integer.to_string(),
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
