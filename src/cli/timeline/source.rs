//! Finds the events: those of this boot in the record, those of earlier boots in the journal.

use std::collections::BTreeMap;

use netready_core::journal::field;

use super::{Error, events, runs};
use crate::clock::BootClock;
use crate::doctor::programs::Programs;
use crate::escape::escape;
use crate::history::Event;
use crate::identity::Identity;
use crate::record::journalctl::{self, Boot, Found, JournalError};
use crate::record::{self, GateHistory, Scope};

/// Reads events for this user and this gate.
pub(super) struct Source {
    /// The name of the gate.
    pub gate: String,
    programs: Programs,
    /// Whether a user runs this command. The user's own gate then precedes the system's gate with the same name.
    user: bool,
}

/// The known events of a gate in one boot.
pub(super) struct Told {
    pub gate: String,
    pub scope: Scope,
    /// The name of the unit without `.service`. `None` if `run` was started by hand.
    pub unit: Option<String>,
    pub boot: Boot,
    /// The events of each run. No run is empty.
    pub runs: Vec<Vec<Event>>,
    pub clock: BootClock,
    /// Whether the last run is still running.
    pub lasts: bool,
    /// Sentences about what could not be read.
    pub notes: Vec<String>,
}

impl Source {
    pub fn from_process(gate: &str) -> Source {
        let identity = Identity::of_process();
        Source {
            gate: gate.to_owned(),
            programs: Programs::from_process(identity.runtime.as_deref()),
            user: identity.is_user(),
        }
    }

    /// Reads what is known of the gate in this boot, or in the boot that the user names.
    pub fn boot(&self, named: Option<&str>) -> Result<Told, Error> {
        let Some(named) = named.filter(|named| *named != "0") else { return self.of_boot(this_boot()) };
        let wanted = named.replace('-', "");
        let offset = named.parse::<i64>().ok();
        let boots = self.boots()?;
        let found =
            boots.into_iter().find(|boot| offset.map_or(boot.id == wanted, |offset| boot.offset == offset));
        let found = found.ok_or_else(|| {
            let named = escape(named);
            Error::NoHistory(format!(
                "the journal knows no boot {named}; {PERSISTENT}, see: journalctl --list-boots"
            ))
        })?;
        self.of_boot(found)
    }

    /// Returns the boots in the journal, and in any case this boot.
    pub fn boots(&self) -> Result<Vec<Boot>, Error> {
        let mut boots = match journalctl::boots(&self.programs) {
            Ok(boots) => boots,
            // The record does not need a journal.
            Err(JournalError::Ask(_) | JournalError::Failed(_)) => Vec::new(),
            Err(error @ JournalError::Hidden) => return Err(Error::NoHistory(error.to_string())),
        };
        if !boots.iter().any(|boot| boot.offset == 0) {
            boots.push(this_boot());
        }
        Ok(boots)
    }

    pub fn of_boot(&self, boot: Boot) -> Result<Told, Error> {
        if boot.offset == 0 {
            if let Some(told) = self.of_record(&boot) {
                return Ok(told);
            }
        }
        match self.of_journal(&boot) {
            Ok(Some(told)) => Ok(told),
            Ok(None) if boot.offset == 0 => Err(self.nothing("in this boot")),
            Ok(None) => Err(self.nothing(&format!("in boot {}", boot.offset))),
            // This boot need not have a journal.
            Err(JournalError::Ask(_) | JournalError::Failed(_)) if boot.offset == 0 => {
                Err(self.nothing("in this boot"))
            }
            Err(error @ JournalError::Hidden) if boot.offset == 0 => {
                let others = others();
                let text =
                    hint(&self.gate, "that this user may read", &others).unwrap_or_else(|| error.to_string());
                Err(Error::NoHistory(text))
            }
            Err(error) => Err(Error::NoHistory(error.to_string())),
        }
    }

    /// Makes the error that nothing is known. It names the gates that have a record, and says what is needed.
    pub fn nothing(&self, when: &str) -> Error {
        let others = others();
        let mut text = match hint(&self.gate, when, &others) {
            Some(text) => text,
            None => format!("nothing is recorded of gate {} {when}", escape(&self.gate)),
        };
        let hidden = record::histories(None).hidden;
        if !hidden.is_empty() {
            text.push_str(&format!("; this user may not read the record of {}", hidden.join(", ")));
        }
        text.push_str("; a gate is recorded while `netready run` keeps it, as netready.service does");
        if when != "in this boot" {
            text.push_str(&format!("; {PERSISTENT}"));
        }
        Error::NoHistory(text)
    }

    fn of_record(&self, boot: &Boot) -> Option<Told> {
        let mut found = record::histories(Some(&self.gate)).gates;
        found.retain(|history| history.runs.iter().any(|run| !run.lines.is_empty()));
        let wanted = if self.user { Scope::User } else { Scope::System };
        let rank = |history: &GateHistory| {
            (history.scope == wanted, history.runs.last().map(|run| run.header.since))
        };
        let history = found.into_iter().max_by_key(rank)?;
        let lasts = history.runs.last().is_some_and(|run| record::runs(run.header.pid));
        let runs: Vec<Vec<Event>> = history
            .runs
            .iter()
            .map(|run| events(run.lines.iter().map(String::as_str)))
            .filter(|events| !events.is_empty())
            .collect();
        let mut notes = Vec::new();
        if history.truncated {
            notes.push("events between the first and the latest ones are not kept".to_owned());
        }
        (!runs.is_empty()).then(|| Told {
            gate: history.gate,
            scope: history.scope,
            unit: history.unit,
            boot: boot.clone(),
            runs,
            clock: BootClock::of_this_boot(),
            lasts,
            notes,
        })
    }

    fn of_journal(&self, boot: &Boot) -> Result<Option<Told>, JournalError> {
        let found = journalctl::entries(&self.programs, boot, Some(&self.gate))?;
        let mut notes = Vec::new();
        if found.cut {
            notes.push("the journal has more entries than are read; the last ones are missing".to_owned());
        }
        if found.own_only {
            notes.push(JournalError::Hidden.to_string());
        }
        Ok(self.of_entries(boot, found.entries, notes))
    }

    /// Reads the entries of the gate's last unit. For a user, the user's own unit precedes the system's.
    fn of_entries(&self, boot: &Boot, entries: Vec<Found>, notes: Vec<String>) -> Option<Told> {
        let mut units: BTreeMap<(bool, Option<String>), Vec<Found>> = BTreeMap::new();
        for entry in entries {
            units.entry((entry.of_user, entry.unit.clone())).or_default().push(entry);
        }
        let rank = |((of_user, _), entries): &(_, Vec<Found>)| {
            (*of_user == self.user, entries.last().map(|entry| entry.realtime_usec))
        };
        let ((of_user, unit), entries) = units.into_iter().max_by_key(rank)?;
        let lines = entries.iter().filter_map(|entry| entry.get(field::EVENTS));
        let runs = runs(events(lines.flat_map(str::lines)));
        // A host without a battery for its clock sets it in the middle of the boot. The last entry has the right time.
        let last = entries.iter().rev().find_map(|entry| Some((entry.at?, entry.realtime_usec)))?;
        let unit = unit.map(|unit| unit.strip_suffix(".service").unwrap_or(&unit).to_owned());
        (!runs.is_empty()).then(|| Told {
            gate: self.gate.clone(),
            scope: if of_user { Scope::User } else { Scope::System },
            unit,
            boot: boot.clone(),
            runs,
            clock: BootClock::by(last.0, last.1),
            lasts: false,
            notes,
        })
    }
}

/// What is needed for the history of earlier boots.
const PERSISTENT: &str = "earlier boots need a journal on disk (mkdir -p /var/log/journal, then reboot)";

/// Returns the gates that have a record in this boot.
fn others() -> Vec<String> {
    let mut names: Vec<String> = record::histories(None).gates.into_iter().map(|found| found.gate).collect();
    names.sort();
    names.dedup();
    names
}

/// Makes the message about a gate without a record. It names the gates that have one in this boot. `None` if no gate
/// has one. `what` completes the first sentence.
fn hint(gate: &str, what: &str, others: &[String]) -> Option<String> {
    let first = escape(others.first()?);
    let names: Vec<_> = others.iter().map(|name| escape(name)).collect();
    Some(format!(
        "nothing is recorded of gate {} {what}; this boot has a record of: {}; try: netready timeline {first}",
        escape(gate),
        names.join(", ")
    ))
}

fn this_boot() -> Boot {
    Boot { offset: 0, id: record::boot_id().unwrap_or_default().replace('-', "") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use netready_core::journal::Kind;

    use super::*;
    use crate::moment::Moment;

    fn entry(unit: &str, of_user: bool, second: u64, events: &str) -> Found {
        let fields = BTreeMap::from([(field::EVENTS, events.to_owned())]);
        Found {
            kind: Kind::Reason,
            realtime_usec: 1_795_718_388_000_000 + second * 1_000_000,
            monotonic: Duration::from_secs(second),
            at: Some(Moment::after_boot(Duration::from_secs(second))),
            unit: Some(unit.to_owned()),
            of_user,
            fields,
        }
    }

    fn source(user: bool) -> Source {
        Source { gate: "g".to_owned(), programs: Programs::from_process(None), user }
    }

    const START: &str = r#"{"usec":1,"event":"start","gate":"g","source":"/s","settle_usec":0,"clauses":[]}"#;
    const DROPPED: &str = r#"{"usec":2,"event":"dropped","count":1}"#;

    #[test]
    fn a_user_who_may_not_read_the_journal_learns_the_gates_with_a_record() {
        let what = "that this user may read";
        assert_eq!(hint("default", what, &[]), None);
        assert_eq!(
            hint("default", what, &["podman".to_owned(), "x\n".to_owned()]).as_deref(),
            Some(
                "nothing is recorded of gate default that this user may read; this boot has a record of: podman, \
                 x\\x0a; try: netready timeline podman"
            )
        );
    }

    #[test]
    fn entries_of_a_boot_are_divided_into_runs() {
        let boot = Boot { offset: -1, id: "1".to_owned() };
        let entries = vec![
            entry("netready.service", false, 1, &format!("{START}\n{DROPPED}\nno event\n")),
            entry("netready.service", false, 2, DROPPED),
            entry("netready.service", true, 3, START),
            entry("netready.service", false, 4, &format!("{START}\n")),
        ];
        for (user, lengths, scope) in [(false, vec![3, 1], Scope::System), (true, vec![1], Scope::User)] {
            let told = source(user).of_entries(&boot, entries.clone(), Vec::new()).unwrap();
            assert_eq!(told.runs.iter().map(Vec::len).collect::<Vec<_>>(), lengths);
            assert_eq!((told.scope, told.unit.as_deref()), (scope, Some("netready")));
            assert_eq!(told.clock.usec(Moment::default()), 1_795_718_388_000_000);
        }
        let unset = Found { realtime_usec: 7_000_000, ..entry("netready.service", false, 1, START) };
        let entries = vec![unset, entry("netready.service", false, 4, DROPPED)];
        let told = source(false).of_entries(&boot, entries, Vec::new()).unwrap();
        assert_eq!(told.clock.usec(Moment::default()), 1_795_718_388_000_000, "the clock was set later");
        let without = vec![entry("netready.service", false, 1, "")];
        assert!(source(false).of_entries(&boot, without, Vec::new()).is_none(), "no events, so no timeline");
        assert!(source(false).of_entries(&boot, Vec::new(), Vec::new()).is_none());
    }
}
