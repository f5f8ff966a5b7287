//! Writes gate files: for `cat` with options, and for `learn`.

use alloc::collections::BTreeMap;
use core::fmt::Write;
use core::time::Duration;

use super::duration;
use super::keys::{self, Key, ValueType};
use super::options::Options;
use crate::requirement::{Clause, Gate, Item, LinkName, Links, OnLoss, OnTimeout, Quorum, Subject};

/// Writes a whole gate file. Reading it gives the same gate.
///
/// A gate file has one `table` and one `from` for a whole clause. So all items of a clause must have the same ones.
pub fn gate(gate: &Gate) -> String {
    let mut out = String::new();
    for (key, value, is_default) in gate_values(gate) {
        if !is_default {
            pair(&mut out, key, &value);
        }
    }
    clauses(&mut out, &gate.clauses);
    out
}

/// Writes options as a drop-in of a gate: the keys that they replaced, and the clauses that they added.
/// `own_clauses` is how many clauses the gate has without the options.
pub fn drop_in(options: &Options, gate: &Gate, own_clauses: usize) -> String {
    let mut out = String::new();
    for (key, value, _) in gate_values(gate) {
        if !options.values(key).is_empty() {
            pair(&mut out, key, &value);
        }
    }
    clauses(&mut out, gate.clauses.get(own_clauses..).unwrap_or_default());
    out
}

/// Returns the gate's own keys with their values. The flag says whether the key may be left out, because the value
/// is the default.
fn gate_values(gate: &Gate) -> [(&'static Key, String, bool); 5] {
    let on_timeout = match gate.on_timeout {
        OnTimeout::Fail => "fail",
        OnTimeout::Open => "open",
    };
    let on_loss = match gate.on_loss {
        OnLoss::Report => "report",
        OnLoss::Fail => "fail",
    };
    [
        // Write the timeout even if it is the default: readers look for it first.
        (&keys::TIMEOUT, limit(gate.timeout), false),
        (&keys::NO_CARRIER_TIMEOUT, limit(gate.no_carrier_timeout), gate.no_carrier_timeout.is_none()),
        (&keys::SETTLE, quoted(&duration::text(gate.settle)), gate.settle.is_zero()),
        (&keys::ON_TIMEOUT, quoted(on_timeout), gate.on_timeout == OnTimeout::Fail),
        (&keys::ON_LOSS, quoted(on_loss), gate.on_loss == OnLoss::Report),
    ]
}

fn clauses(out: &mut String, clauses: &[Clause]) {
    for written in clauses {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&clause(written));
    }
}

/// Writes one clause as it stands in a gate file.
pub fn clause(clause: &Clause) -> String {
    let mut out = "[[require]]\n".to_owned();
    let has_carrier = clause.items.contains(&Item::Carrier);
    let implied = match &clause.subject {
        Subject::Host { needed } => {
            if *needed < clause.items.len() {
                pair(&mut out, &keys::QUORUM, &at_least(*needed));
            }
            false
        }
        Subject::Links(links) => {
            interface(&mut out, links);
            let asks_more = clause.items.len() > usize::from(has_carrier);
            if !has_carrier {
                pair(&mut out, &keys::CARRIER, "false");
            } else if !asks_more {
                pair(&mut out, &keys::CARRIER, "true");
            }
            links.implied
        }
    };
    if !implied {
        items(&mut out, &clause.items);
    }
    if let Some(recheck) = clause.recheck {
        pair(&mut out, &keys::RECHECK, &quoted(&duration::text(recheck)));
    }
    if clause.if_present.is_some() {
        pair(&mut out, &keys::IF_PRESENT, "true");
    }
    if let Some(grace) = clause.grace {
        pair(&mut out, &keys::GRACE, &quoted(&duration::text(grace)));
    }
    out
}

fn interface(out: &mut String, links: &Links) {
    let wanted = links.entries.iter().map(|name| match name {
        LinkName::Exact(name) => literally(name),
        LinkName::Glob(_) | LinkName::Mac(_) => name.to_string(),
    });
    let unwanted = links.exclude.iter().map(|pattern| format!("!{}", pattern.as_str()));
    pair(out, &keys::INTERFACE, &list(wanted.chain(unwanted)));
    match links.quorum {
        Quorum::Each => {}
        Quorum::AtLeast(number) => pair(out, &keys::QUORUM, &at_least(number)),
        Quorum::All => pair(out, &keys::QUORUM, "\"all\""),
    }
}

/// Writes the keys that ask for these items, in the order of the table of keys.
fn items(out: &mut String, items: &[Item]) {
    let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for item in items {
        let requirement = item.requirement();
        values.entry(requirement.key().name).or_default().push(requirement.value());
        for (key, refining) in requirement.refinements() {
            values.insert(key.name, refining);
        }
    }
    // The caller writes `carrier`, because a clause with links implies it.
    values.remove(keys::CARRIER.name);
    for key in keys::all() {
        let Some(values) = values.get(key.name) else { continue };
        let values: Vec<String> = values.iter().map(|value| toml_value(key, value)).collect();
        match values.as_slice() {
            [one] if key.takes != ValueType::Numbers => pair(out, key, one),
            _ => pair(out, key, &format!("[{}]", values.join(", "))),
        }
    }
}

fn toml_value(key: &Key, value: &str) -> String {
    let number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match key.takes {
        ValueType::Flag | ValueType::Numbers => value.to_owned(),
        ValueType::TextOrNumber if number => value.to_owned(),
        ValueType::TextOrNumber | ValueType::Duration | ValueType::Text | ValueType::Texts => quoted(value),
    }
}

fn pair(out: &mut String, key: &Key, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{} = {value}", key.name);
}

fn limit(span: Option<Duration>) -> String {
    quoted(&span.map_or("infinity".to_owned(), duration::text))
}

fn at_least(number: usize) -> String {
    if number == 1 { "\"any\"".to_owned() } else { number.to_string() }
}

/// Returns a name as an `interface` entry that matches only this name. The kernel allows `*`, `!` and `,` in names.
/// Written as `\xNN` they do not mean a pattern, an exclusion or a list.
fn literally(name: &str) -> String {
    let special = |(at, c): (usize, char)| match c {
        '*' | '?' | '[' | ',' => true,
        '!' => at == 0,
        _ => false,
    };
    let spelled = |(at, c): (usize, char)| match special((at, c)) {
        true => format!("\\x{:02x}", u32::from(c)),
        false => c.to_string(),
    };
    name.char_indices().map(spelled).collect()
}

fn list(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| quoted(&value)).collect();
    match values.as_slice() {
        [one] => one.clone(),
        _ => format!("[{}]", values.join(", ")),
    }
}

/// Returns a text as a TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
