//! Compares the quorum with a direct implementation of the manual's sentence.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::evaluate::evaluate;
use crate::testing::{NOW, network, try_gate};

const NAMES: [&str; 6] = ["x0", "x1", "x2", "y0", "y1", "z0"];
const ENTRIES: [&str; 10] = ["x0", "x1", "y0", "z0", "x*", "y*", "?1", "!x1", "!y*", "!?2"];

#[derive(Debug, Clone, Copy)]
struct Is {
    name: &'static str,
    carrier: bool,
    port: bool,
}

impl Is {
    fn like(self, pattern: &str) -> bool {
        let mut letters = self.name.chars();
        match pattern.strip_suffix('*') {
            Some(start) => self.name.starts_with(start),
            None => {
                pattern.len() == 2
                    && pattern
                        .chars()
                        .all(|wanted| letters.next().is_some_and(|is| wanted == '?' || wanted == is))
            }
        }
    }

    fn of(self, entry: &str, excluded: &[&str]) -> bool {
        let glob = entry.contains(['*', '?']);
        self.like(entry) && !(glob && self.port) && !excluded.iter().any(|pattern| self.like(pattern))
    }
}

fn met(links: &[Is], entries: &[&str], excluded: &[&str], quorum: &str) -> bool {
    let of =
        |entry: &str| -> Vec<Is> { links.iter().copied().filter(|link| link.of(entry, excluded)).collect() };
    let named: Vec<Is> =
        links.iter().copied().filter(|link| entries.iter().any(|entry| link.of(entry, excluded))).collect();
    let fit = named.iter().filter(|link| link.carrier).count();
    match quorum {
        "" => entries.iter().all(|entry| of(entry).iter().any(|link| link.carrier)),
        "'any'" => fit >= 1,
        "'all'" => entries.iter().all(|entry| !of(entry).is_empty()) && named.iter().all(|link| link.carrier),
        number => fit >= number.parse().unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_quorum_is_what_the_manual_says(
        names in subsequence(NAMES.to_vec(), 0..=6),
        states in vec((any::<bool>(), prop::bool::weighted(0.2)), 6),
        list in subsequence(ENTRIES.to_vec(), 1..=5),
        quorum in select(vec!["", "'any'", "1", "2", "3", "'all'"]),
    ) {
        let links: Vec<Is> = names.into_iter().zip(states).map(|(name, (carrier, port))| Is { name, carrier, port }).collect();
        let (excluded, entries): (Vec<&str>, Vec<&str>) = list.iter().partition(|entry| entry.starts_with('!'));
        let excluded: Vec<&str> = excluded.into_iter().map(|entry| &entry[1..]).collect();
        // A list that has only exclusions means all other links.
        prop_assume!(!entries.is_empty());
        let quoted: Vec<String> = list.iter().map(|entry| format!("'{entry}'")).collect();
        let quorum_text = if quorum.is_empty() { String::new() } else { format!("; quorum={quorum}") };
        let text = format!("interface=[{}]; carrier=true{quorum_text}", quoted.join(","));
        // The text is not a valid gate: the quorum cannot be reached, or a name is excluded again.
        let Ok(gate) = try_gate(&text) else { return Ok(()) };
        let links_text = links.iter().map(|link| {
            let (state, port) = (if link.carrier { "up" } else { "nocarrier" }, if link.port { "master=99 port=bond" } else { "" });
            format!("{}: {state} {port}", link.name)
        });
        let network = network(&links_text.collect::<Vec<_>>().join("; "));
        let verdict = evaluate(&gate, &network, NOW);
        prop_assert_eq!(verdict.clauses[0].met, met(&links, &entries, &excluded, quorum), "{}: {:?}", text, verdict);
    }
}
