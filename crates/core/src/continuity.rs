//! Says whether a hold was interrupted. A settle counts only the time in which the gate's requirements held without
//! a break. Only this module decides what a break is.
//!
//! Comparing two verdicts is not enough: something that went and came back between them leaves both of them met.

use crate::model::{Message, Network};
use crate::verdict::Verdict;

/// Collects the breaks between two verdicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Continuity {
    broken: bool,
}

impl Continuity {
    /// Looks at a notification before it is applied to the network. It is a break if it removes, replaces or
    /// interrupts something that the last verdict rests on, even if a later notification restores it.
    pub fn before(&mut self, message: &Message, network: &Network, last: &Verdict) {
        self.broken = self.broken || last.interrupted_by(message, network);
    }

    /// Looks at the verdict right after a notification. It is a break if a clause is unmet that was met.
    pub fn after(&mut self, last: &Verdict, judge: impl FnOnce() -> Verdict) {
        self.broken = self.broken || loses_a_clause(last, &judge());
    }

    /// Notifications were lost. Their content is unknown, so this is a break.
    pub fn lost(&mut self) {
        self.broken = true;
    }

    /// Compares a new verdict with the last one. It is a break if a link that the last one rests on lost its
    /// carrier between two readings (`flapped`), or if pasta would select another route now.
    pub fn judged(&mut self, last: &Verdict, new: &Verdict, flapped: &[u32]) {
        self.broken = self.broken
            || flapped.iter().any(|link| last.rests_on_link(*link))
            || last.pasta_choice() != new.pasta_choice();
    }

    /// Whether there was a break since the last call of this function.
    pub fn take_broken(&mut self) -> bool {
        core::mem::take(&mut self.broken)
    }
}

fn loses_a_clause(before: &Verdict, after: &Verdict) -> bool {
    before.clauses.iter().zip(&after.clauses).any(|(before, after)| before.met && !after.met)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluate;
    use crate::moment::Moment;
    use crate::testing::{gate, network};

    fn verdict(gate_text: &str, host: &str) -> Verdict {
        evaluate(&gate(gate_text), &network(host), Moment::default())
    }

    const ADDRESS: &str = "address = \"ipv4\"";
    const GOOD: &str = "eth0: up; addr eth0 192.0.2.10/24";

    /// Each row: the host before, the host after, and whether the change is a break.
    #[test]
    fn a_clause_that_was_met_and_is_not_is_a_break() {
        for (before, after, is_break) in [
            (GOOD, "eth0: up", true),
            (GOOD, GOOD, false),
            ("eth0: up", GOOD, false),
            ("eth0: up", "eth0: up", false),
        ] {
            let mut continuity = Continuity::default();
            continuity.after(&verdict(ADDRESS, before), || verdict(ADDRESS, after));
            assert_eq!(continuity.take_broken(), is_break, "{before} -> {after}");
            assert!(!continuity.take_broken(), "a break is told once");
        }
    }

    #[test]
    fn a_break_stays_until_it_is_taken() {
        let good = verdict(ADDRESS, GOOD);
        let mut continuity = Continuity::default();
        continuity.lost();
        continuity.after(&good, || good.clone());
        continuity.before(&Message::Rule, &network(GOOD), &good);
        continuity.judged(&good, &good, &[]);
        assert!(continuity.take_broken());
    }

    #[test]
    fn between_two_verdicts_a_lost_carrier_or_another_choice_of_pasta_is_a_break() {
        let by = |link: &str, gateway: &str| {
            let way = alloc::format!("pasta6; pasta4 default4 via {gateway} dev {link}; gateway4");
            verdict("pasta = true", &alloc::format!("{GOOD}; eth1: up; addr eth1 198.51.100.10/24; {way}"))
        };
        let (first, second) = (by("eth0", "192.0.2.1"), by("eth1", "198.51.100.1"));
        let link = |name: &str| {
            let host = network(&alloc::format!("{GOOD}; eth1: up"));
            host.links().find(|link| link.ifname == name).unwrap().ifindex
        };
        let good = verdict(ADDRESS, GOOD);
        for (last, new, flapped, is_break) in [
            (&good, &good, alloc::vec![], false),
            (&good, &good, alloc::vec![link("eth0")], true),
            (&good, &good, alloc::vec![link("eth1")], false),
            (&first, &first, alloc::vec![], false),
            (&first, &second, alloc::vec![], true),
        ] {
            let mut continuity = Continuity::default();
            continuity.judged(last, new, &flapped);
            assert_eq!(continuity.take_broken(), is_break, "{flapped:?} {new:?}");
        }
    }
}
