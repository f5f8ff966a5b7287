//! Reads the options of the [table of keys](super::keys) into the same types as gate files.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::keys::{
    self, ADDRESS, ANY, AskedOf, CommandLineOption, IPV4, IPV6, Key, Level, QUORUM, ROUTE, TABLE,
};
use super::written::{Place, Written, WrittenClause, WrittenGate};
use super::{COMMAND_LINE, Problem, suggest};
use crate::requirement::Family;

/// The options that the user typed, each value still a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The values by the long name of the option. An option that was not typed is not in the map.
    values: BTreeMap<&'static str, Vec<String>>,
}

impl Options {
    /// Sets the values of an option, which are `["true"]` for a flag. An option without values counts as not typed.
    pub fn set(&mut self, option: &'static CommandLineOption, values: Vec<String>) {
        if !values.is_empty() {
            self.values.insert(option.long, values);
        }
    }

    /// Returns the values of a key's own option. The list is empty if the option was not typed.
    pub fn values(&self, key: &Key) -> &[String] {
        let values = key.option.as_ref().and_then(|option| self.values.get(option.long));
        values.map_or(&[], Vec::as_slice)
    }

    /// Whether the options require something. The gate's own keys do not: they only change times.
    pub fn require_something(&self) -> bool {
        self.typed().any(|(key, _)| key.level() == Level::Clause)
    }

    /// Returns the options as the user can type them again, without a space at either end. A value that a shell
    /// would change is in quotation marks.
    pub fn as_typed(&self) -> String {
        let values = |option: &CommandLineOption| self.values.get(option.long).cloned().unwrap_or_default();
        let words = self.typed().flat_map(|(_, option)| {
            let name = option.short.map_or_else(|| option.typed(), |short| format!("-{short}"));
            let word = move |value: String| match option.value_name {
                Some(_) => format!("{name} {}", quoted(&value)),
                None => name.clone(),
            };
            values(option).into_iter().map(word)
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn typed(&self) -> impl Iterator<Item = (&'static Key, &'static CommandLineOption)> {
        keys::options().filter(|(_, option)| self.has(option))
    }

    fn has(&self, option: &CommandLineOption) -> bool {
        self.values.contains_key(option.long)
    }

    /// Whether `-4` and `-6` stand alone, so that they require the default routes of their families. Options for
    /// the table and for the quorum of these routes may stand beside them.
    fn are_families_alone(&self) -> bool {
        let beside = [&IPV4, &IPV6, &ANY].map(|option| option.long);
        self.typed().all(|(key, option)| {
            beside.contains(&option.long)
                || [TABLE.name, QUORUM.name].contains(&key.name)
                || key.level() == Level::Gate
        })
    }

    fn families(&self) -> impl Iterator<Item = Family> {
        let flags = [(&IPV4, Family::V4), (&IPV6, Family::V6)];
        flags.into_iter().filter_map(|(flag, family)| self.has(flag).then_some(family))
    }
}

/// Makes a gate from the options: its own keys, a clause for links or for the host, a clause for each flag about
/// the host, and a clause for probes.
pub fn read(options: &Options, problems: &mut Vec<Problem>) -> WrittenGate {
    let mut gate = WrittenGate::default();
    // `main` asks links or the host; `apart` has a clause for each flag about the host; `others` has the probes.
    let mut main = WrittenClause::at(place(COMMAND_LINE));
    let mut apart = Vec::new();
    let mut others = WrittenClause::at(place(COMMAND_LINE));
    let (mut has_main, mut has_others) = (false, false);
    for (key, option) in options.typed() {
        let values = options.values(key).iter().map(|value| written(option, value)).collect();
        let is_shorthand = key.option.as_ref().is_none_or(|own| own.long != option.long);
        match (key.level(), key.asks()) {
            (Level::Gate, _) => gate.keys.set(key, values),
            (Level::Clause, Some(AskedOf::Host { .. })) => {
                let mut clause = WrittenClause::at(place(&option.typed()));
                clause.keys.set(key, values);
                apart.push(clause);
            }
            (Level::Clause, Some(AskedOf::Others)) => {
                others.keys.set(key, values);
                has_others = true;
            }
            (Level::Clause, Some(AskedOf::Links | AskedOf::Any) | None) => {
                has_main = true;
                if !is_shorthand {
                    main.keys.set(key, values);
                }
            }
        }
    }
    if has_main {
        any_is_enough(options, &mut main, problems);
        need_families(options, &mut main);
        gate.clauses.push(main);
    }
    gate.clauses.extend(apart);
    if has_others {
        gate.clauses.push(others);
    }
    gate
}

/// Applies `--any` to the clause. Reports a problem if `--quorum` was typed too.
fn any_is_enough(options: &Options, clause: &mut WrittenClause, problems: &mut Vec<Problem>) {
    if !options.has(&ANY) {
        return;
    }
    let any = written_by(&ANY.typed(), "any");
    if let Some(quorum) = clause.keys.one(&QUORUM) {
        let origin = &quorum.place.origin;
        problems.push(any.problem(format!("and {origin} exclude each other: --any is --quorum 1")));
    }
    clause.keys.set(&QUORUM, vec![any]);
}

/// Adds what `-4` and `-6` require. This depends on the other options.
fn need_families(options: &Options, clause: &mut WrittenClause) {
    let alone = options.are_families_alone();
    let families: Vec<Family> = options.families().collect();
    let mut routes = clause.keys.all(&ROUTE).to_vec();
    if !families.is_empty() {
        // Beside families, a `default` means the default route of each of these families.
        let each = |route: Written| -> Vec<Written> {
            if route.value != "default" {
                return vec![route];
            }
            let defaults = families.iter().map(|family| default_of(*family).to_owned());
            defaults.map(|value| Written { value, ..route.clone() }).collect()
        };
        routes = routes.into_iter().flat_map(each).collect();
    }
    for family in families {
        let (flag, address) = match family {
            Family::V4 => ("-4", "ipv4"),
            Family::V6 => ("-6", "ipv6"),
        };
        let has_default = routes.iter().any(|route| route.value == default_of(family));
        if alone {
            routes.push(written_by(flag, default_of(family)));
        } else if clause.keys.has(&keys::INTERFACE) || !has_default {
            clause.keys.add(&ADDRESS, written_by(flag, address));
        }
    }
    clause.keys.set(&ROUTE, routes);
}

/// Returns a word in a form that a shell reads unchanged.
fn quoted(value: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.,:/@%+=".contains(&octet);
    let shown = suggest::shown(value);
    match !value.is_empty() && value.bytes().all(plain) {
        true => shown,
        false => format!("'{}'", shown.replace('\'', "'\\''")),
    }
}

fn default_of(family: Family) -> &'static str {
    match family {
        Family::V4 => "default-ipv4",
        Family::V6 => "default-ipv6",
    }
}

fn place(origin: &str) -> Place {
    Place { origin: Arc::from(origin), line: None }
}

/// Makes the value of an option. Its place names the option and the value, so a message needs no further name.
fn written(option: &CommandLineOption, value: &str) -> Written {
    match option.value_name {
        Some(_) => Written {
            value: value.to_owned(),
            place: place(&format!("{} {}", option.typed(), suggest::shown(value))),
            name: String::new(),
        },
        None => written_by(&option.typed(), value),
    }
}

/// Makes the value that a flag stands for.
fn written_by(flag: &str, value: &str) -> Written {
    Written { value: value.to_owned(), place: place(flag), name: String::new() }
}
