//! Explains in whole sentences what a gate waits for, how long, and what happens then: `explain`.
//!
//! Each sentence ends with the key that it comes from, and with the line of the gate file or the option that sets
//! the key. A key that was left out is named too if its default has an effect.

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::config::keys::{self, Key, Level, Role};
use crate::config::{Place, alternatives};
use crate::escape::escape_lines;
use crate::report::Span;
use crate::requirement::{
    Clause, Gate, Item, LinkName, Links, OnLoss, OnTimeout, Presence, Quorum, Subject, Whom,
};

/// A unit that waits for a gate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiter {
    /// The unit's name.
    pub unit: String,
    /// Where the unit file names the gate: a path, with a line if it is a file.
    pub place: String,
}

/// The units that are known to wait for a gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiters {
    /// The units that the text names.
    pub units: Vec<Waiter>,
    /// How many more units wait for the gate.
    pub more: usize,
}

/// Returns the explanation. It is escaped, so it is safe to print.
pub fn explain(gate: &Gate, waiters: &Waiters) -> String {
    let mut text = format!("Gate {} ({})\n", gate.name, gate.source);
    section(&mut text, "What it waits for", &[clauses_lead(gate)]);
    for (number, clause) in gate.clauses.iter().enumerate() {
        let place = gate.places.of_clause(number).map_or(String::new(), |place| format!(" ({place})"));
        text.push_str(&format!("\n  Clause {}{place}:\n", number + 1));
        lines(&mut text, &of_clause(gate, number, clause));
    }
    section(&mut text, "How long it waits", &how_long(gate));
    section(&mut text, "What happens then", &what_then(gate));
    section(&mut text, "Who waits for it", &who_waits(waiters));
    escape_lines(&text).into_owned()
}

fn section(text: &mut String, heading: &str, sentences: &[String]) {
    text.push_str(&format!("\n{heading}:\n"));
    lines(text, sentences);
}

fn lines(text: &mut String, sentences: &[String]) {
    for sentence in sentences {
        text.push_str(&format!("  - {sentence}\n"));
    }
}

fn clauses_lead(gate: &Gate) -> String {
    let required = gate.clauses.iter().filter(|clause| clause.grace.is_none()).count();
    match (gate.clauses.len(), required) {
        (1, 1) => "The gate opens when its one clause is met.".to_owned(),
        (1, _) => {
            "The gate waits for its one clause for a limited time, and then opens without it.".to_owned()
        }
        (all, required) if all == required => {
            format!("The gate opens when all of its {all} clauses are met at the same time.")
        }
        (all, 0) => {
            format!(
                "The gate waits for its {all} clauses for a limited time, and then opens without those that are not met."
            )
        }
        _ => {
            let (graced, required): (Vec<_>, Vec<_>) =
                gate.clauses.iter().zip(1_usize..).partition(|(clause, _)| clause.grace.is_some());
            let required = numbered("clause", &required);
            let graced = numbered("clause", &graced);
            format!("The gate needs {required}. It also waits for {graced}, but only for a limited time.")
        }
    }
}

/// Writes `clause 1`, or `clauses 1, 2 and 4`.
fn numbered(noun: &str, clauses: &[(&Clause, usize)]) -> String {
    let numbers: Vec<String> = clauses.iter().map(|(_, number)| number.to_string()).collect();
    match numbers.split_last() {
        Some((last, [])) => format!("{noun} {last}"),
        Some((last, others)) => format!("{noun}s {} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Collects the sentences about one clause.
struct Sentences<'a> {
    gate: &'a Gate,
    number: usize,
    said: Vec<String>,
    /// The keys that a sentence so far names.
    named: BTreeSet<&'static str>,
}

impl Sentences<'_> {
    fn say(&mut self, sentence: &str, keys: &[&'static Key]) {
        let places = keys.iter().filter_map(|key| Some((*key, self.place(key)?.to_string())));
        let places: Vec<String> = places.map(|(key, place)| format!("{}, {place}", key.name)).collect();
        self.say_with(sentence, keys, &places.join("; "));
    }

    fn say_with(&mut self, sentence: &str, keys: &[&'static Key], place: &str) {
        self.named.extend(keys.iter().map(|key| key.name));
        self.said.push(match place.is_empty() {
            true => format!("{sentence}."),
            false => format!("{sentence}. ({place})"),
        });
    }

    fn place(&self, key: &Key) -> Option<&Place> {
        self.gate.places.of_clause_key(self.number, key)
    }
}

fn of_clause(gate: &Gate, number: usize, clause: &Clause) -> Vec<String> {
    let mut sentences = Sentences { gate, number, said: Vec::new(), named: BTreeSet::new() };
    let whom = match &clause.subject {
        Subject::Links(links) => {
            sentences.say(
                &format!("All of the following must hold for {}", of_links(links)),
                &[&keys::INTERFACE, &keys::QUORUM],
            );
            Whom::Link
        }
        Subject::Host { needed } => {
            if *needed < clause.items.len() {
                let least = format!("At least {needed} of the following {} must hold", clause.items.len());
                sentences.say(&least, &[&keys::QUORUM]);
            }
            Whom::Host
        }
    };
    for item in &clause.items {
        of_item(&mut sentences, clause, item, whom);
    }
    when_it_counts(&mut sentences, clause);
    // Report a key whose value changes nothing, such as `pasta = false`.
    for key in keys::of_level(Level::Clause) {
        if !sentences.named.contains(key.name) && sentences.place(key).is_some() {
            sentences.say("This value changes nothing", &[key]);
        }
    }
    sentences.said
}

fn of_item(sentences: &mut Sentences<'_>, clause: &Clause, item: &Item, whom: Whom) {
    let requirement = item.requirement();
    let own = requirement.key();
    let refining = keys::all().filter(|key| match key.role {
        Role::Refines { refined, .. } => refined(own) && key.name != keys::RECHECK.name,
        Role::Gate | Role::Clause | Role::Asks { .. } => false,
    });
    let refining: Vec<&'static Key> = refining.filter(|key| sentences.place(key).is_some()).collect();
    let mut named = vec![own];
    named.extend(&refining);
    let place = sentences.gate.places.of_item(sentences.number, clause, item);
    // If the item has no key of its own, naming the links has implied it: then cite the `interface` key.
    let key = if sentences.place(own).is_some() { own } else { &keys::INTERFACE };
    let mut places: Vec<String> = place.map(|place| format!("{}, {place}", key.name)).into_iter().collect();
    places.extend(refining.iter().filter_map(|key| Some(format!("{}, {}", key.name, sentences.place(key)?))));
    sentences.say_with(&capital(&requirement.sentence(whom)), &named, &places.join("; "));
}

fn when_it_counts(sentences: &mut Sentences<'_>, clause: &Clause) {
    if clause.items.iter().any(Item::is_active) {
        let again = match clause.recheck {
            Some(pause) => format!("After an answer, netready asks again every {}", Span(pause)),
            None => "After the gate has opened, netready does not ask again".to_owned(),
        };
        sentences.say(&again, &[&keys::RECHECK]);
    }
    match clause.if_present {
        Some(Presence::Link) => {
            sentences.say("The clause counts only while there is such a link", &[&keys::IF_PRESENT]);
        }
        Some(Presence::Family(family)) => {
            let text = format!("The clause counts only while this host has {family}");
            sentences.say(&text, &[&keys::IF_PRESENT]);
        }
        None => {}
    }
    if let Some(grace) = clause.grace {
        let text = format!(
            "Once every clause without a grace is met, the gate waits for this one for {} at most, and then opens \
             without it",
            Span(grace)
        );
        sentences.say(&text, &[&keys::GRACE]);
    }
    let carrier = sentences.place(&keys::CARRIER).is_some() && !clause.items.contains(&Item::Carrier);
    if carrier {
        sentences.say("Carrier is not asked for", &[&keys::CARRIER]);
    }
}

/// Describes the links of a clause, and how many of them are enough.
fn of_links(links: &Links) -> String {
    let names: Vec<String> = links.entries.iter().map(|name| link_words(name, links.quorum)).collect();
    let names = match (names.as_slice(), links.quorum) {
        ([one], Quorum::Each | Quorum::All) => one.clone(),
        ([most @ .., last], Quorum::Each | Quorum::All) => format!("{} and {last}", most.join(", ")),
        (names, Quorum::AtLeast(1)) => format!("one of these links: {}", alternatives(names)),
        (names, Quorum::AtLeast(number)) => format!("at least {number} of these links: {}", names.join(", ")),
        ([], Quorum::Each | Quorum::All) => String::new(),
    };
    let out: Vec<String> = links.exclude.iter().map(|pattern| pattern.as_str().to_owned()).collect();
    match out.is_empty() {
        true => names,
        false => format!("{names}; links that match {} are excluded", alternatives(&out)),
    }
}

fn link_words(name: &LinkName, quorum: Quorum) -> String {
    match (name, quorum) {
        (LinkName::Exact(name), _) => format!("the link {name}"),
        (LinkName::Mac(_), _) => format!("the link with the hardware address {name}"),
        (LinkName::Glob(pattern), Quorum::Each) => format!("one link that matches {}", pattern.as_str()),
        (LinkName::Glob(pattern), Quorum::All) => format!("every link that matches {}", pattern.as_str()),
        (LinkName::Glob(pattern), Quorum::AtLeast(_)) => format!("links that match {}", pattern.as_str()),
    }
}

// Sentences about the gate's own keys.

fn how_long(gate: &Gate) -> Vec<String> {
    let mut said = vec![match gate.timeout {
        Some(timeout) => of_gate(gate, &format!("It gives up after {}", Span(timeout)), &keys::TIMEOUT),
        None => of_gate(gate, "It never gives up", &keys::TIMEOUT),
    }];
    match gate.no_carrier_timeout {
        Some(timeout) => said.push(of_gate(
            gate,
            &format!(
                "If no link that it asks for has had carrier by then, it gives up after {}",
                Span(timeout)
            ),
            &keys::NO_CARRIER_TIMEOUT,
        )),
        None if gate.places.of_key(&keys::NO_CARRIER_TIMEOUT).is_some() => {
            let text = "It does not give up earlier if no link has carrier";
            said.push(of_gate(gate, text, &keys::NO_CARRIER_TIMEOUT));
        }
        None => {}
    }
    said.push(match gate.settle {
        Duration::ZERO => of_gate(gate, "It opens at the moment when everything holds", &keys::SETTLE),
        settle => of_gate(
            gate,
            &format!("It opens when everything has held for {} without interruption", Span(settle)),
            &keys::SETTLE,
        ),
    });
    if gate.forced.open {
        said.push(
            "In this boot run and wait open it at once. (netready.open, kernel command line)".to_owned(),
        );
    }
    if gate.forced.bounded {
        said.push(
            "In this boot the timeout is shorter than written. (netready.timeout, kernel command line)"
                .to_owned(),
        );
    }
    said
}

fn what_then(gate: &Gate) -> Vec<String> {
    let gives_up = match gate.on_timeout {
        OnTimeout::Fail => {
            "When it gives up, run and wait end with exit code 1. systemd then starts the units that only want the \
             gate (Wants=), and not those that require it (Requires=, BindsTo=). It also starts run again, which goes on \
             waiting"
        }
        OnTimeout::Open => {
            "When it gives up, run sends READY=1 anyway, and wait ends with exit code 0. The status says what is \
             missing"
        }
    };
    let lost = match (gate.on_loss, gate.settle) {
        (OnLoss::Report, _) => {
            "If something is lost after READY=1, run says so in its status and in the journal, and goes on watching"
                .to_owned()
        }
        (OnLoss::Fail, Duration::ZERO) => "If something is lost after READY=1, run ends with exit code 1".to_owned(),
        (OnLoss::Fail, settle) => format!(
            "If something is lost after READY=1 and is still lost after {}, run ends with exit code 1",
            Span(settle)
        ),
    };
    vec![of_gate(gate, gives_up, &keys::ON_TIMEOUT), of_gate(gate, &lost, &keys::ON_LOSS)]
}

/// Returns a sentence about one of the gate's own keys.
fn of_gate(gate: &Gate, sentence: &str, key: &Key) -> String {
    match gate.places.of_key(key) {
        Some(place) => format!("{sentence}. ({}, {place})", key.name),
        None => format!("{sentence}. ({}, the default)", key.name),
    }
}

fn who_waits(waiters: &Waiters) -> Vec<String> {
    if waiters.units.is_empty() {
        return vec!["No unit file that this user can read names it.".to_owned()];
    }
    let units = waiters.units.iter().map(|waiter| format!("{} ({})", waiter.unit, waiter.place));
    let more = (waiters.more > 0).then(|| format!("{} more", waiters.more));
    units.chain(more).collect()
}

fn capital(sentence: &str) -> String {
    let mut characters = sentence.chars();
    match characters.next() {
        // Keep the case of a host name or a URL.
        Some(first) if !sentence.split(' ').next().is_some_and(|word| word.contains(['.', ':'])) => {
            first.to_uppercase().chain(characters).collect()
        }
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests;
