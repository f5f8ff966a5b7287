//! Says whether a hold was interrupted. A settle counts only the time in which the gate's requirements held without
//! a break. Only this module decides what a break is.
//!
//! Comparing two verdicts is not enough: something that went and came back between them leaves both of them met.

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::model::{Message, Network};
use crate::moment::Moment;
use crate::verdict::Verdict;

/// How exactly the end of a route is known. The kernel counts in ticks, and netready is woken a little late.
const ABOUT: Duration = Duration::from_millis(50);
/// If netready looks at a route later than this after the end of the route, it was not woken in time. At half of this, it
/// would not have looked for the last time around the end (see [`refresh`](crate::refresh)).
const LATE: Duration = Duration::from_millis(100);

/// Collects the breaks between two verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Continuity {
    broken: bool,
    /// Every link that a verdict of this hold has rested on, whether the verdict counted or not. The kernel announces a
    /// loss of carrier up to a second later. Until then, the gate may have moved to another link.
    links: BTreeSet<u32>,
    /// When the first of the routes ends that the last verdict rests on, as it was read then.
    ends: Option<Moment>,
}

impl Continuity {
    /// Looks at a notification before it is applied to the network. It is a break if it removes, replaces or
    /// interrupts something that the last verdict rests on, even if a later notification restores it.
    pub fn before(&mut self, message: &Message, network: &Network, last: &Verdict) {
        self.rests_on(last);
        self.broken = self.broken
            || last.interrupted_by(message, network)
            || self.links.iter().any(|held| network.loses_carrier(*held, message));
    }

    /// Looks at the verdict right after a notification. It is a break if a clause is unmet that was met.
    pub fn after(&mut self, last: &Verdict, judge: impl FnOnce() -> Verdict) {
        if !self.broken {
            let new = judge();
            self.rests_on(&new);
            self.broken = loses_a_clause(last, &new);
        }
    }

    /// Notes the links that a verdict rests on. From now on it is a break if one of them loses its carrier.
    fn rests_on(&mut self, verdict: &Verdict) {
        self.links.extend(verdict.links());
    }

    /// Notifications were lost. Their content is unknown, so this is a break.
    pub fn lost(&mut self) {
        self.broken = true;
    }

    /// Compares a new verdict with the last one. It is a break if a link that the hold has rested on lost its carrier
    /// between two readings (`flapped`), if a route that the last verdict rests on has ended, or if pasta would select
    /// another route now.
    pub fn judged(&mut self, last: &Verdict, new: &Verdict, flapped: &[u32], now: Moment) {
        self.rests_on(last);
        self.broken = self.broken
            || flapped.iter().any(|link| self.links.contains(link))
            || self.has_ended(last, new, now)
            || last.pasta_choice() != new.pasta_choice();
    }

    /// Whether a route that the last verdict rests on has ended. A router may have prolonged it: then it is there
    /// although its end has passed. But if netready looks late, the route may have ended before it was prolonged.
    fn has_ended(&self, last: &Verdict, new: &Verdict, now: Moment) -> bool {
        self.ends.is_some_and(|end| end + LATE <= now || (end <= now + ABOUT && !last.has_routes_of(new)))
    }

    /// Notes when the first of the routes ends that the new verdict rests on. `unsure`: the kernel may show a route
    /// that ends as if it never ended.
    pub fn expect(&mut self, end: Option<Moment>, unsure: bool) {
        self.ends = end.or(self.ends.filter(|_| unsure));
    }

    /// Whether there was a break since the last call of this function. Another hold begins then.
    pub fn take_broken(&mut self) -> bool {
        if self.broken {
            self.links.clear();
        }
        core::mem::take(&mut self.broken)
    }

    /// There was no hold: no link counts.
    pub fn release(&mut self) {
        self.links.clear();
    }
}

fn loses_a_clause(before: &Verdict, after: &Verdict) -> bool {
    before.clauses.iter().zip(&after.clauses).any(|(before, after)| before.met && !after.met)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluate;
    use crate::requirement::Family;
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
        continuity.before(&Message::Rule(Family::V4), &network(GOOD), &good);
        continuity.judged(&good, &good, &[], Moment::default());
        assert!(continuity.take_broken());
    }

    /// Each row: the route at first, the route that is found later, when that is (the first one ends at 1000 ms), and
    /// whether it is a break.
    #[test]
    fn the_end_of_a_route_is_a_break_unless_the_route_was_prolonged() {
        let by = |gateway: &str| {
            let route = alloc::format!("route default6 via {gateway} dev eth0");
            verdict(
                "route = \"default-ipv6\"",
                &alloc::format!("eth0: up; addr eth0 2001:db8::7/64; {route}"),
            )
        };
        let (first, other) = (by("fe80::1"), by("fe80::2"));
        let at = |millis| Moment::after_boot(Duration::from_millis(millis));
        for (end, new, now, is_break) in [
            (Some(at(1000)), &first, 900, false),
            (Some(at(1000)), &first, 1000, false),
            (Some(at(1000)), &first, 1099, false),
            (Some(at(1000)), &first, 1100, true),
            (Some(at(1000)), &other, 900, false),
            (Some(at(1000)), &other, 950, true),
            (Some(at(1000)), &other, 1000, true),
            (None, &other, 1000, false),
        ] {
            let mut continuity = Continuity { ends: end, ..Continuity::default() };
            continuity.judged(&first, new, &[], at(now));
            assert_eq!(continuity.take_broken(), is_break, "{end:?} {now} {new:?}");
        }
    }

    /// Each row: the end that was known, the end that is read now, whether the kernel may not show it, and the end that
    /// counts.
    #[test]
    fn an_end_that_the_kernel_may_not_show_is_remembered() {
        let second = |second| Some(Moment::after_boot(Duration::from_secs(second)));
        for (known, read, unsure, counts) in [
            (None, second(1), false, second(1)),
            (second(1), second(9), false, second(9)),
            (second(1), second(9), true, second(9)),
            (second(1), None, false, None),
            (second(1), None, true, second(1)),
        ] {
            let mut continuity = Continuity { ends: known, ..Continuity::default() };
            continuity.expect(read, unsure);
            assert_eq!(continuity.ends, counts, "{known:?} {read:?} {unsure}");
        }
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
            continuity.judged(last, new, &flapped, Moment::default());
            assert_eq!(continuity.take_broken(), is_break, "{flapped:?} {new:?}");
        }
    }
}
