//! Quadlets and their drop-ins, read as Podman reads them.
//!
//! Podman does not read unit files as systemd does. It trims lines, joins a continued line without a space,
//! and refuses the whole file if one line is not a section, a key or a comment. A refused file makes no unit,
//! so it does not count as a quadlet here either.

use std::rc::Rc;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The path of the file.
    pub file: Rc<str>,
    /// The number of the line, from 1.
    pub line: usize,
}

/// One `key=value` of a unit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The name of its section, without brackets.
    pub section: Rc<str>,
    /// The key, without the spaces around it.
    pub key: String,
    /// The value, with continued lines joined and quotes kept.
    pub value: String,
    /// The first of the lines that make up the assignment.
    pub place: Location,
}

/// The header of a section, such as `[Container]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name of the section, without brackets.
    pub name: Rc<str>,
    /// The line that it is in.
    pub place: Location,
}

/// One file, or a quadlet with its drop-ins read over it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitFile {
    /// In the order in which they were read.
    pub entries: Vec<Assignment>,
    /// In the order in which they were read.
    pub headers: Vec<Header>,
}

/// The first line that makes Podman refuse a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// The line that it is in.
    pub place: Location,
}

/// Reads one file as Podman does. The error names the first line for which Podman refuses the file.
pub fn read(path: &str, text: &str) -> Result<UnitFile, RefusedLine> {
    let file: Rc<str> = Rc::from(path);
    let mut unit = UnitFile::default();
    let mut section: Option<Rc<str>> = None;
    let mut joined: Option<(usize, String)> = None;
    let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (first, mut whole) = joined.take().unwrap_or((index + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(continued) if lines.peek().is_some() => {
                whole.push_str(continued);
                joined = Some((first, whole));
                continue;
            }
            Some(last) => whole.push_str(last),
            None => whole.push_str(line),
        }
        // A backslash alone in the last line.
        if whole.is_empty() {
            continue;
        }
        let place = Location { file: Rc::clone(&file), line: first };
        if let Some(name) = header(&whole) {
            let name: Rc<str> = Rc::from(name);
            unit.headers.push(Header { name: Rc::clone(&name), place });
            section = Some(name);
            continue;
        }
        match (whole.split_once('='), &section) {
            (Some((key, value)), Some(section)) if !key.trim().is_empty() => unit.entries.push(Assignment {
                section: Rc::clone(section),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                place,
            }),
            (Some(_) | None, Some(_) | None) => return Err(RefusedLine { place }),
        }
    }
    Ok(unit)
}

fn header(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    let valid = !name.is_empty() && !name.contains(|c: char| c == '[' || c.is_control());
    (valid && rest.trim().is_empty()).then_some(name)
}

impl UnitFile {
    /// Reads a drop-in over this.
    pub fn read_over(&mut self, drop_in: UnitFile) {
        self.entries.extend(drop_in.entries);
        self.headers.extend(drop_in.headers);
    }

    /// Whether the section has at least one assignment.
    pub fn has_keys(&self, section: &str) -> bool {
        self.entries.iter().any(|entry| &*entry.section == section)
    }

    fn all_of(&self, section: &str, key: &str) -> Vec<&Assignment> {
        let is_wanted = |entry: &&Assignment| &*entry.section == section && entry.key == key;
        self.entries.iter().filter(is_wanted).collect()
    }

    /// The last assignment to a key.
    pub fn last(&self, section: &str, key: &str) -> Option<&Assignment> {
        self.entries.iter().rev().find(|entry| &*entry.section == section && entry.key == key)
    }

    /// The last value of a key, without quotes around the whole value. `None` if it is empty.
    pub fn word(&self, section: &str, key: &str) -> Option<&str> {
        let value = self.last(section, key)?.value.as_str();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        (!value.is_empty()).then_some(value)
    }

    /// Every value of a key since the last empty one.
    pub fn every(&self, section: &str, key: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for entry in self.all_of(section, key) {
            if entry.value.is_empty() {
                values.clear();
            } else {
                values.push(entry.value.as_str());
            }
        }
        values
    }

    /// The last value of a switch, as Podman reads it: true for 1, yes, true and on, and false for everything
    /// else.
    pub fn switch(&self, section: &str, key: &str) -> Option<bool> {
        let value = &self.last(section, key)?.value;
        Some(["1", "yes", "true", "on"].iter().any(|yes| value.eq_ignore_ascii_case(yes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match read("f", text) {
            Ok(unit) => unit
                .entries
                .iter()
                .map(|e| format!("{}:[{}]{}={}", e.place.line, e.section, e.key, e.value))
                .collect::<Vec<_>>()
                .join(" | "),
            Err(refused) => format!("refused at {}", refused.place.line),
        }
    }

    /// One line a case.
    #[test]
    fn reads_what_podman_reads() {
        for (text, said) in [
            ("", ""),
            ("# only\n; comments\n", ""),
            ("[A]\nk=v\n", "2:[A]k=v"),
            ("[A]\n  k = v w  \n", "2:[A]k=v w"),
            ("[A]  \nk=v", "2:[A]k=v"),
            ("[A]\nk=a=b", "2:[A]k=a=b"),
            ("[A]\nk=", "2:[A]k="),
            ("[A]\nk=a\nk=b\n[B]\nk=c\n[A]\nk=d", "2:[A]k=a | 3:[A]k=b | 5:[B]k=c | 7:[A]k=d"),
            // Comments and empty lines do not end a continued line.
            ("[A]\nk=a \\\n# no\n\n  b \\\n c\nl=m", "2:[A]k=a b c | 7:[A]l=m"),
            ("[A]\nk=a\\\nb", "2:[A]k=ab"),
            ("[A]\nk=a\\", "2:[A]k=a"),
            ("[A]\nk=a\n\\", "2:[A]k=a"),
            ("[A]\n\\\n# no\n\\\nk=a\n\\\n", "2:[A]k=a"),
            ("[A]\r\nk=v\r\n", "2:[A]k=v"),
            ("k=v", "refused at 1"),
            ("[A]\nno key", "refused at 2"),
            ("[A]\n=v", "refused at 2"),
            ("[A\nk=v", "refused at 1"),
            ("[]\nk=v", "refused at 1"),
            ("[A] x\nk=v", "refused at 1"),
        ] {
            assert_eq!(shown(text), said, "{text:?}");
        }
    }

    #[test]
    fn an_empty_value_clears_a_list() {
        let unit = read("f", "[A]\nk=a\nk=\nk=b\nk=c\ns=On\nt=x\nq=\"a b\"").unwrap();
        assert_eq!(unit.every("A", "k"), ["b", "c"]);
        assert_eq!(unit.switch("A", "s"), Some(true));
        assert_eq!(unit.switch("A", "t"), Some(false));
        assert_eq!(unit.switch("A", "none"), None);
        assert_eq!(unit.word("A", "q"), Some("a b"));
    }
}
