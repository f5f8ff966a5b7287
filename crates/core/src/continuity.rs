//! Says whether a hold was interrupted. A settle counts only the time in which the gate's requirements held without
//! a break. Only this module decides what a break is.
//!
//! Comparing two verdicts is not enough: something that went and came back between them leaves both of them met.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::model::{Message, Network};
use crate::moment::Moment;
use crate::verdict::{RouteRef, Verdict};

/// How exactly the end of a route is known. The kernel counts in ticks, and netready is woken a little late.
const ABOUT: Duration = Duration::from_millis(50);
/// If netready looks at a route later than this after the end of the route, it was not woken in time. At half of this, it
/// would not have looked for the last time around the end (see [`refresh`](crate::refresh)).
const LATE: Duration = Duration::from_millis(100);

/// Collects the breaks between two verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Continuity {
    broken: bool,
    /// Every link that this hold has rested on, or may have rested on: a verdict rested on it, whether the verdict counted
    /// or not, or a new route leads out of it that the kernel may have taken until netready read again. The kernel announces
    /// a loss of carrier up to a second later, and a route that goes with its link not at all.
    links: BTreeSet<u32>,
    /// The links that came up since the last verdict that counted. The kernel may have returned to a route that leads out of
    /// one of them, and it does not announce that. The next verdict shows it.
    back: BTreeSet<u32>,
    /// Something was announced since the last verdict that counted.
    told: bool,
    /// The routes with a lifetime that the last verdict rests on, and when each of them ends, as it was read then.
    ends: BTreeMap<RouteRef, Moment>,
    /// The IPv6 routes that the last verdict rests on and whose end the kernel may not have shown.
    unsure: BTreeSet<RouteRef>,
}

impl Continuity {
    /// Looks at a notification before it is applied to the network. It is a break if it removes, replaces or
    /// interrupts something that the last verdict rests on, or a link that the hold may have rested on, even if a later
    /// notification restores it.
    pub fn before(&mut self, message: &Message, network: &Network, last: &Verdict) {
        self.told = true;
        self.rests_on(last);
        self.links.extend(last.links_of_a_better_route(message, network));
        self.back.extend(network.may_bring_back(message).filter(|_| last.rests_on_routes()));
        self.broken = self.broken
            || last.interrupted_by(message, network)
            || self.links.union(&self.back).any(|held| network.stops_carrying(*held, message));
    }

    /// Looks at the verdict right after a notification, or between two lists of links and addresses. It is a break if a
    /// clause is unmet that was met.
    pub fn after(&mut self, last: &Verdict, judge: impl FnOnce() -> Verdict) {
        if !self.broken {
            let new = judge();
            self.rests_on(&new);
            self.broken = loses_a_clause(last, &new);
        }
    }

    /// Notes the links that a verdict rests on. From now on it is a break if one of them cannot carry traffic for a moment.
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
    pub fn judged(&mut self, last: &Verdict, new: &Verdict, network: &Network, flapped: &[u32], now: Moment) {
        self.rests_on(last);
        self.back.clear();
        self.broken = self.is_broken(new, network, now)
            || flapped.iter().any(|link| self.links.contains(link))
            || last.pasta_choice() != new.pasta_choice();
        self.told = false;
    }

    /// Whether the requirements may have been unmet between the end of a route that the last verdict rests on and the new
    /// verdict. A router can prolong a route without an announcement. Then the route is there although its end has passed.
    /// But if netready looks late, the route may have ended before it was prolonged.
    fn is_gap(&self, route: &RouteRef, end: Moment, new: &Verdict, network: &Network, now: Moment) -> bool {
        let late = end + LATE <= now;
        if new.rests_on_route(route) {
            return late;
        }
        // If nothing was announced, what the new verdict rests on was there when the route ended, unless it is a route that
        // had ended too and was prolonged.
        end <= now + ABOUT && (self.told || (late && !new.ends(network, now).is_empty()))
    }

    /// Notes the links that ordinary traffic takes instead of those of the new verdict, and when the routes end that the
    /// verdict rests on. `unsure`: the kernel may show a route that ends as if it never ended. Then the end that was read
    /// before counts, as long as the verdict rests on that route. If none was read before, the route may end at any moment.
    pub fn expect(&mut self, new: &Verdict, network: &Network, unsure: bool, now: Moment) {
        let known = core::mem::take(&mut self.ends);
        let known = known.into_iter().filter(|(route, _)| unsure && new.rests_on_route(route));
        self.ends = known.chain(new.ends(network, now)).collect();
        let may_end = |route: &&RouteRef| {
            unsure && route.destination.addr().is_ipv6() && !self.ends.contains_key(*route)
        };
        self.unsure = new.routes().filter(may_end).cloned().collect();
        self.links.extend(new.links_taken_instead(network));
    }

    /// Whether a notification was a break, or a route has ended that the last verdict rests on, or may have.
    pub fn is_broken(&self, new: &Verdict, network: &Network, now: Moment) -> bool {
        self.broken
            || self.ends.iter().any(|(route, end)| self.is_gap(route, *end, new, network, now))
            || (self.told && self.unsure.iter().any(|route| !new.rests_on_route(route)))
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
        self.back.clear();
        self.told = false;
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
    use crate::verdict::Evidence;

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
        continuity.judged(&good, &good, &network(GOOD), &[], Moment::default());
        assert!(continuity.take_broken());
    }

    /// Each row: whether the end of the first route was known (it is at 1000 ms), whether something was announced since, the
    /// route that is found later, when that is, and whether it is a break.
    #[test]
    fn the_end_of_a_route_is_a_break_unless_it_was_prolonged_or_another_route_was_there() {
        let first = by("fe80::1", "").0;
        let (other, ending) = (by("fe80::2", ""), by("fe80::2", "expires 9"));
        let prolonged = by("fe80::1", "expires 9");
        let at = |millis| Moment::after_boot(Duration::from_millis(millis));
        for (known, told, (new, host), now, is_break) in [
            (true, false, &prolonged, 900, false),
            (true, false, &prolonged, 1000, false),
            (true, false, &prolonged, 1099, false),
            (true, false, &prolonged, 1100, true),
            (true, true, &other, 900, false),
            (true, true, &other, 950, true),
            (true, true, &other, 1000, true),
            (true, true, &other, 1100, true),
            (false, true, &other, 1000, false),
            // The other route was there all the time. If it has an end, it may have been prolonged meanwhile.
            (true, false, &other, 1000, false),
            (true, false, &other, 1100, false),
            (true, false, &ending, 1099, false),
            (true, false, &ending, 1100, true),
        ] {
            let ends = known.then(|| (route_of(&first), at(1000))).into_iter().collect();
            let mut continuity = Continuity { ends, told, ..Continuity::default() };
            continuity.judged(&first, new, host, &[], at(now));
            assert_eq!(continuity.take_broken(), is_break, "{known} {told} {now} {new:?}");
        }
    }

    fn by(gateway: &str, end: &str) -> (Verdict, Network) {
        let host = network(&alloc::format!(
            "eth0: up; addr eth0 2001:db8::7/64; route default6 via {gateway} dev eth0 {end}"
        ));
        (evaluate(&gate("route = \"default-ipv6\""), &host, Moment::default()), host)
    }

    fn route_of(verdict: &Verdict) -> RouteRef {
        match verdict.evidence().next() {
            Some(Evidence::Route { route, .. }) => route.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Each row: the end of the route via fe80::1 that was known, the route that the gate rests on now, its end as it is
    /// read now, whether the kernel may not show it, and the end that counts.
    #[test]
    fn an_end_that_the_kernel_may_not_show_is_remembered_while_its_route_counts() {
        let second = |second| Some(Moment::after_boot(Duration::from_secs(second)));
        for (known, gateway, read, unsure, counts) in [
            (None, "fe80::1", "expires 1", false, second(1)),
            (second(1), "fe80::1", "expires 9", false, second(9)),
            (second(1), "fe80::1", "expires 9", true, second(9)),
            (second(1), "fe80::1", "", false, None),
            (second(1), "fe80::1", "", true, second(1)),
            (second(1), "fe80::2", "", true, None),
            (second(1), "fe80::2", "expires 9", true, second(9)),
        ] {
            let ends = known.map(|end| (route_of(&by("fe80::1", "").0), end)).into_iter().collect();
            let mut continuity = Continuity { ends, ..Continuity::default() };
            let (verdict, host) = by(gateway, read);
            continuity.expect(&verdict, &host, unsure, Moment::default());
            let expected: Vec<Moment> = counts.into_iter().collect();
            let found: Vec<Moment> = continuity.ends.values().copied().collect();
            assert_eq!(found, expected, "{known:?} {gateway} {read:?} {unsure}");
        }
    }

    /// The default route through eth0 is there, but ordinary traffic takes a route of a short prefix through eth1.
    #[test]
    fn a_link_that_ordinary_traffic_takes_instead_counts() {
        let host = network(
            "eth0: up; addr eth0 192.0.2.10/24; eth1: up; eth2: up; route default4 via 192.0.2.1 dev eth0; \
             preferred 0.0.0.0/1 via 192.0.2.1 dev eth1",
        );
        let number = |name: &str| host.links().find(|link| link.ifname == name).unwrap().ifindex;
        for (gate_text, name, is_break) in [
            ("route = \"default\"", "eth0", true),
            ("route = \"default\"", "eth1", true),
            ("route = \"default\"", "eth2", false),
            ("address = \"192.0.2.10\"", "eth1", false),
        ] {
            let good = evaluate(&gate(gate_text), &host, Moment::default());
            assert!(good.ready(), "{gate_text}");
            let mut continuity = Continuity::default();
            continuity.expect(&good, &host, false, Moment::default());
            continuity.judged(&good, &good, &host, &[number(name)], Moment::default());
            assert_eq!(continuity.take_broken(), is_break, "{gate_text} {name}");
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
            continuity.judged(last, new, &network(GOOD), &flapped, Moment::default());
            assert_eq!(continuity.take_broken(), is_break, "{flapped:?} {new:?}");
        }
    }
}
