//! A gate file's TOML, walked by hand into a [`RawGate`], so that every problem has its line.
//!
//! Only shapes are judged here (which keys, which TOML types); what the texts mean is for
//! [`meaning`](super::meaning).

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use core::ops::Range;

use toml::de::{DeInteger, DeTable, DeValue};

use super::Problem;
use super::raw::{Place, RawClause, RawGate, Written};
use super::syntax;
use super::words::{self, Level};

/// Reads one file's text; what cannot be read is left out, and a problem.
pub fn read(origin: &str, text: &str, problems: &mut Vec<Problem>) -> RawGate {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        origin: Rc::from(origin),
        text,
        line_starts: line_starts(text),
        bad_lines: BTreeSet::new(),
        problems,
    };
    let structure_holds = reader.syntax_errors(&errors);
    if !structure_holds {
        return RawGate { incomplete: true, ..RawGate::default() };
    }
    reader.gate(document.get_ref())
}

struct Reader<'a> {
    origin: Rc<str>,
    text: &'a str,
    /// The offset of each line's first byte.
    line_starts: Vec<usize>,
    /// Lines that are not TOML; the parser guessed what stands in them.
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
    fn gate(&mut self, table: &DeTable<'_>) -> RawGate {
        let mut gate = RawGate { incomplete: !self.bad_lines.is_empty(), ..RawGate::default() };
        for entry in self.entries(table) {
            let read = match entry.key {
                "timeout" => self.duration(&entry, &mut gate.timeout),
                "no-carrier-timeout" => self.duration(&entry, &mut gate.no_carrier_timeout),
                "settle" => self.duration(&entry, &mut gate.settle),
                "on-timeout" => self.word(&entry, &mut gate.on_timeout),
                "on-loss" => self.word(&entry, &mut gate.on_loss),
                "require" => self.clauses(&entry, &mut gate.clauses),
                key => self.unknown(&entry.place, key, Level::Gate),
            };
            gate.incomplete |= read.is_none();
        }
        gate
    }

    fn clauses(&mut self, entry: &Entry<'_>, clauses: &mut Vec<RawClause>) -> Option<()> {
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
                        | DeValue::Array(_) => all = self.wrong_type(entry, "a table"),
                    }
                }
                all
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => self.wrong_type(entry, "a table"),
        }
    }

    fn clause(&mut self, place: Place, table: &DeTable<'_>) -> RawClause {
        let mut clause = RawClause::at(place);
        clause.incomplete = !self.bad_lines.is_empty();
        for entry in self.entries(table) {
            let read = match entry.key {
                "interface" => self.list(&entry, &mut clause.interface),
                "quorum" => self.word_or_number(&entry, &mut clause.quorum),
                "carrier" => self.boolean(&entry, &mut clause.carrier),
                "address" => self.list(&entry, &mut clause.address),
                "route" => self.list(&entry, &mut clause.route),
                "table" => self.word_or_number(&entry, &mut clause.table),
                "route-to" => self.list(&entry, &mut clause.route_to),
                "from" => self.word(&entry, &mut clause.from),
                "pasta" => self.boolean(&entry, &mut clause.pasta),
                "nameserver" => self.boolean(&entry, &mut clause.nameserver),
                "dns" => self.list(&entry, &mut clause.dns),
                "tcp" => self.list(&entry, &mut clause.tcp),
                "http" => self.list(&entry, &mut clause.http),
                "expect" => self.numbers(&entry, &mut clause.expect),
                "ping" => self.list(&entry, &mut clause.ping),
                "gateway" => self.list(&entry, &mut clause.gateway),
                "recheck" => self.duration(&entry, &mut clause.recheck),
                "if-present" => self.boolean(&entry, &mut clause.if_present),
                "grace" => self.duration(&entry, &mut clause.grace),
                key => self.unknown(&entry.place, key, Level::Clause),
            };
            clause.incomplete |= read.is_none();
        }
        clause
    }

    // Values. Each takes what it can into its slot; `None` says that something was left out.

    fn list(&mut self, entry: &Entry<'_>, slot: &mut Vec<Written<String>>) -> Option<()> {
        const WANTED: &str = "a text in quotes, or a list of them";
        match entry.value {
            DeValue::String(text) => {
                slot.push(written_text(entry.key, text, entry.place.clone()));
                Some(())
            }
            DeValue::Array(array) if array.is_empty() => {
                let message = format!(
                    "{}: the list is empty; write for example {}, or leave the key out",
                    entry.key,
                    words::example(entry.key).unwrap_or_default()
                );
                self.problem(&entry.place, message)
            }
            DeValue::Array(array) => {
                let mut all = Some(());
                for item in array {
                    match item.get_ref() {
                        DeValue::String(text) => {
                            let place = self.place(item.span());
                            slot.push(written_text(entry.key, text, place));
                        }
                        DeValue::Integer(_)
                        | DeValue::Float(_)
                        | DeValue::Boolean(_)
                        | DeValue::Datetime(_)
                        | DeValue::Array(_)
                        | DeValue::Table(_) => {
                            let inner = Entry {
                                key: entry.key,
                                value: item.get_ref(),
                                place: self.place(item.span()),
                                span: item.span(),
                            };
                            all = self.wrong_type(&inner, WANTED);
                        }
                    }
                }
                all
            }
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => self.wrong_type(entry, WANTED),
        }
    }

    /// One number or a list of them.
    fn numbers(&mut self, entry: &Entry<'_>, slot: &mut Vec<Written<String>>) -> Option<()> {
        let DeValue::Array(array) = entry.value else {
            let mut one = None;
            let read = self.text_or_integer(entry, &mut one, "a number, or a list of them");
            slot.extend(one);
            return read;
        };
        if array.is_empty() {
            let message = format!(
                "{}: the list is empty; write for example {}, or leave the key out",
                entry.key,
                words::example(entry.key).unwrap_or_default()
            );
            return self.problem(&entry.place, message);
        }
        let mut all = Some(());
        for item in array {
            let place = self.place(item.span());
            let inner = Entry { key: entry.key, value: item.get_ref(), place, span: item.span() };
            let mut one = None;
            let read = self.text_or_integer(&inner, &mut one, "a number, or a list of them");
            slot.extend(one);
            all = all.and(read);
        }
        all
    }

    fn duration(&mut self, entry: &Entry<'_>, slot: &mut Option<Written<String>>) -> Option<()> {
        self.text_or_integer(entry, slot, "a duration in quotes")
    }

    fn word_or_number(&mut self, entry: &Entry<'_>, slot: &mut Option<Written<String>>) -> Option<()> {
        self.text_or_integer(entry, slot, "a text in quotes, or a number")
    }

    fn text_or_integer(
        &mut self,
        entry: &Entry<'_>,
        slot: &mut Option<Written<String>>,
        wanted: &str,
    ) -> Option<()> {
        match entry.value {
            DeValue::String(text) => {
                *slot = Some(written_text(entry.key, text, entry.place.clone()));
                Some(())
            }
            DeValue::Integer(integer) => {
                let text = decimal(integer);
                *slot = Some(Written {
                    name: format!("{} {}", entry.key, words::shown(&text)),
                    value: text,
                    place: entry.place.clone(),
                });
                Some(())
            }
            DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => self.wrong_type(entry, wanted),
        }
    }

    fn word(&mut self, entry: &Entry<'_>, slot: &mut Option<Written<String>>) -> Option<()> {
        if let DeValue::String(text) = entry.value {
            *slot = Some(written_text(entry.key, text, entry.place.clone()));
            Some(())
        } else {
            self.wrong_type(entry, "a text in quotes")
        }
    }

    fn boolean(&mut self, entry: &Entry<'_>, slot: &mut Option<Written<bool>>) -> Option<()> {
        if let DeValue::Boolean(value) = entry.value {
            *slot = Some(Written {
                value: *value,
                place: entry.place.clone(),
                name: format!("{} = {value}", entry.key),
            });
            Some(())
        } else {
            self.wrong_type(entry, "true or false, without quotes")
        }
    }

    // Problems. Each answers `None`: nothing could be taken.

    fn problem(&mut self, place: &Place, message: String) -> Option<()> {
        self.problems.push(place.problem(message));
        None
    }

    fn unknown(&mut self, place: &Place, key: &str, level: Level) -> Option<()> {
        self.problem(place, words::unknown_key(key, level))
    }

    fn wrong_type(&mut self, entry: &Entry<'_>, wanted: &str) -> Option<()> {
        let message = format!(
            "{}: {} stands here, but it takes {wanted}: {}",
            entry.key,
            type_name(entry.value),
            words::example(entry.key).unwrap_or_default()
        );
        self.problem(&entry.place, message)
    }

    /// Reports what is not TOML; whether only values are at fault, so that the keys can be trusted.
    fn syntax_errors(&mut self, errors: &[toml::de::Error]) -> bool {
        let mut only_values = true;
        for error in errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            // What follows from the first error of a line is noise.
            if !self.bad_lines.insert(line) {
                continue;
            }
            let written = self.line_text(line);
            let message = match syntax::of_value(error.message(), written) {
                Some(advice) => advice,
                None => {
                    only_values = false;
                    syntax::of_structure(error.message(), written)
                }
            };
            let place = self.place_of_line(line);
            self.problems.push(place.problem(message));
        }
        only_values
    }

    // Places.

    /// A table's entries in the order of the file, without those on lines that are not TOML.
    fn entries<'t>(&self, table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
        let mut entries: Vec<Entry<'t>> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref(),
                value: value.get_ref(),
                place: self.place(key.span()),
                span: key.span().start..value.span().end,
            })
            .filter(|entry| entry.key == "require" || !self.is_bad(&entry.span))
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
        Place { origin: Rc::clone(&self.origin), line: Some(line) }
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

fn written_text(key: &str, text: &str, place: Place) -> Written<String> {
    Written { value: text.to_owned(), place, name: format!("{key} \"{}\"", words::shown(text)) }
}

/// An integer's digits in base ten, however it was written.
fn decimal(integer: &DeInteger<'_>) -> String {
    match i128::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) => number.to_string(),
        // Too long for any key here; whoever reads it as a number will say so.
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
