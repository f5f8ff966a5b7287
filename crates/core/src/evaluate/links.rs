//! Clauses that name links: which links they name, how many must satisfy the clause, and which rows are shown.

use crate::evaluate::Judge;
use crate::evaluate::judged::Judged;
use crate::ifname::Pattern;
use crate::model::Link;
use crate::requirement::{Clause, Item, LinkName, Links, Quorum, Subject};
use crate::verdict::{Outcome, Reason, Row, Tally};

/// The kinds of bridge ports that lead to guests. Any other port of a bridge leads out of the host and counts
/// as an uplink. (Ports of a bond or team do not count, because the bond or team itself does.)
const GUEST_PORTS: [&str; 2] = ["veth", "tun"];

/// How many links a reason names.
const NAMED: usize = 3;

/// A link that the clause names, with a row for each item.
struct Candidate<'a> {
    link: &'a Link,
    judged: Judged<Vec<Row>>,
}

impl Candidate<'_> {
    fn satisfies(&self) -> bool {
        self.unmet() == 0
    }

    fn unmet(&self) -> usize {
        self.judged.outcome.iter().filter(|row| !row.outcome.holds()).count()
    }
}

impl<'a> Judge<'a> {
    /// Whether one entry of a list names a link. A pattern that begins with a wildcard, such as `*`, does not
    /// match dummy links, because it means the host's links in general.
    pub(super) fn matches(&self, links: &Links, entry: &LinkName, link: &Link) -> bool {
        let excluded = links.exclude.iter().any(|pattern| named_like(link, pattern));
        !excluded
            && match entry {
                LinkName::Exact(name) => link.named(name),
                LinkName::Glob(pattern) => {
                    let unmeant = link.loopback() || (link.leads_nowhere() && !pattern.begins_with_a_name());
                    !unmeant && !self.network.is_port(link) && named_like(link, pattern)
                }
                LinkName::Mac(octets) => {
                    link.hardware_address == *octets && !link.stacked() && !link.is_master()
                }
            }
    }

    /// The links that may connect the host to a network: all but those that software makes. A veth counts only if
    /// there is nothing else. In a container it is the uplink, but on a host it leads to a container.
    pub(crate) fn uplinks(&self) -> Vec<&'a Link> {
        let mut uplinks: Vec<&Link> = self.possible_uplinks().collect();
        if uplinks.iter().any(|link| !is_veth(link)) {
            uplinks.retain(|link| !is_veth(link));
        }
        uplinks
    }

    /// Whether one of the [uplinks](Self::uplinks) has carrier. The search ends at the first one.
    pub(super) fn uplink_carries(&self) -> bool {
        let carries = |link: &&Link| self.network.carrier(link).is_ok();
        self.possible_uplinks().any(|link| !is_veth(link) && carries(&link))
            || (self.possible_uplinks().all(is_veth) && self.possible_uplinks().any(|link| carries(&link)))
    }

    /// Returns the links that are uplinks, and each veth that may be one.
    fn possible_uplinks(&self) -> impl Iterator<Item = &'a Link> {
        let network = self.network;
        network.links().filter(|link| {
            let bridged = link.master.and_then(|master| network.link(master));
            let bridged = bridged.is_some_and(|master| master.kind == "bridge");
            let cabled = bridged && !GUEST_PORTS.contains(&link.kind.as_str());
            !network.leads_nowhere(link)
                && !link.is_tunnel()
                && link.kind != "bridge"
                && (cabled || !network.is_port(link))
                && !link.hardware_address.is_empty()
        })
    }

    /// Returns why no uplink can carry traffic. `None` if one can, or if there are no uplinks.
    pub(super) fn no_uplink(&self) -> Option<Reason> {
        if self.uplink_carries() {
            return None;
        }
        let mut faults = Vec::new();
        for link in self.uplinks() {
            faults.push((&link.ifname, self.network.carrier(link).err()?));
        }
        if let [(ifname, why)] = faults.as_slice() {
            return Some(Reason::Carrier { ifname: (*ifname).clone(), why: why.clone() });
        }
        let links: Vec<String> = faults.iter().take(NAMED).map(|(ifname, _)| (*ifname).clone()).collect();
        let more = faults.len() - links.len();
        (!links.is_empty()).then_some(Reason::NoUplink { links, more })
    }

    /// All rows of a clause that names links. A lookup (`route-to`) is one row of the whole clause: a target
    /// has one way, and it must leave through one of the links that satisfy the rest of the clause.
    pub(super) fn links(&self, links: &Links, items: &[Item]) -> Judged<Vec<Row>> {
        let (of_clause, of_link): (Vec<&Item>, Vec<&Item>) =
            items.iter().partition(|item| matches!(item, Item::RouteTo(_)));
        let candidates: Vec<Candidate<'a>> =
            self.matching(links).map(|link| self.candidate(links, &of_link, link)).collect();
        let mut judged = match links.quorum {
            Quorum::Each => self.each(links, items, &candidates, false),
            Quorum::All => self.each(links, items, &candidates, true),
            Quorum::AtLeast(needed) => at_least(links, items, &candidates, needed),
        };
        let enough = judged.outcome.iter().all(|row| row.outcome.holds());
        if !enough {
            // Any of the links may still satisfy the clause, also those that have no row.
            for candidate in &candidates {
                judged.needs.extend(candidate.judged.needs.clone());
            }
        }
        // If the links are not enough, their rows say so. Do not say it again for the lookup.
        let fit = candidates.iter().filter(|candidate| !enough || candidate.satisfies());
        let fit: Vec<&Link> = fit.map(|candidate| candidate.link).collect();
        for item in of_clause {
            if let Item::RouteTo(wanted) = item {
                let lookup = self.route_to(wanted, Some((links, &fit)));
                judged.push(lookup.map(|outcome| Row { item: item.clone(), link: None, outcome }));
            }
        }
        judged
    }

    /// The links that a clause names and does not exclude, in the order of their numbers.
    pub(super) fn matching<'b>(&'b self, links: &'b Links) -> impl Iterator<Item = &'a Link> + 'b {
        let wanted = |link: &&Link| links.entries.iter().any(|entry| self.matches(links, entry, link));
        self.network.links().filter(wanted)
    }

    fn candidate(&self, links: &Links, items: &[&Item], link: &'a Link) -> Candidate<'a> {
        let carrier_alone = links.implied && self.network.is_port(link);
        let asked = items.iter().filter(|item| !carrier_alone || matches!(item, Item::Carrier));
        let row = |item: &Item, outcome| Row { item: item.clone(), link: Some(link.ifname.clone()), outcome };
        let judged = asked.map(|item| self.link_item(item, link).map(|outcome| row(item, outcome))).collect();
        Candidate { link, judged }
    }

    fn link_item(&self, item: &Item, link: &'a Link) -> Judged {
        #[cfg(test)]
        crate::evaluate::tests::once::count(item, Some(link.ifindex));
        item.requirement().of_link(self, link)
    }

    /// The rows of one link for each entry. With `every`, the rows of each link that a pattern matches.
    fn each(
        &self,
        links: &Links,
        items: &[Item],
        candidates: &[Candidate<'_>],
        every: bool,
    ) -> Judged<Vec<Row>> {
        let mut rows = Judged::from(Vec::new());
        let mut shown: Vec<u32> = Vec::new();
        for entry in &links.entries {
            let mut matched: Vec<&Candidate<'_>> =
                candidates.iter().filter(|c| self.matches(links, entry, c.link)).collect();
            // The link with the fewest unmet items stands for a pattern. Of several, the first one does.
            matched.sort_by_key(|candidate| candidate.unmet());
            if matched.is_empty() {
                rows.outcome.extend(absent(entry, items));
            }
            let wanted = if every { matched.len() } else { 1 };
            for candidate in matched.into_iter().take(wanted) {
                if !shown.contains(&candidate.link.ifindex) {
                    shown.push(candidate.link.ifindex);
                    rows.append(&candidate.judged);
                }
            }
        }
        rows
    }
}

/// The links that satisfy the clause, if they are enough. Otherwise also what the others lack.
fn at_least(links: &Links, items: &[Item], candidates: &[Candidate<'_>], needed: usize) -> Judged<Vec<Row>> {
    let (mut fit, mut others): (Vec<&Candidate<'_>>, Vec<&Candidate<'_>>) =
        candidates.iter().partition(|candidate| candidate.satisfies());
    if fit.len() >= needed {
        fit.truncate(needed);
        return rows_of(&fit);
    }
    others.sort_by_key(|candidate| candidate.unmet());
    let mut rows = rows_of(&[fit, others].concat());
    for entry in &links.entries {
        let here = |candidate: &Candidate<'_>| match entry {
            LinkName::Exact(name) => candidate.link.named(name),
            LinkName::Mac(octets) => candidate.link.hardware_address == *octets,
            LinkName::Glob(pattern) => named_like(candidate.link, pattern),
        };
        if !candidates.iter().any(here) {
            rows.outcome.extend(absent(entry, items));
        }
    }
    // The links that exist all satisfy the clause, but there are too few of them.
    if rows.outcome.iter().all(|row| row.outcome.holds()) {
        rows.outcome.extend(items.first().map(|item| Row {
            item: item.clone(),
            link: None,
            outcome: Outcome::Unmet(Reason::TooFew { there: candidates.len(), needed }),
        }));
    }
    rows
}

/// How many links satisfy a clause that names links, by its rows.
pub(super) fn tally(clause: &Clause, rows: &[Row]) -> Option<Tally> {
    let Subject::Links(links) = &clause.subject else { return None };
    if rows.iter().any(|row| row.outcome == Outcome::NotPresent) {
        return None;
    }
    let mut tally = Tally { met: 0, needed: 0, of: 0 };
    // The rows of one link are neighbours. The row of a lookup belongs to no link.
    let of_link = |row: &&Row| !matches!(row.item, Item::RouteTo(_));
    let rows: Vec<&Row> = rows.iter().filter(of_link).collect();
    let same_link = |a: &&Row, b: &&Row| a.link.is_some() && a.link == b.link;
    for rows in rows.chunk_by(same_link) {
        tally.of += 1;
        tally.met += usize::from(rows.iter().all(|row| matches!(row.outcome, Outcome::Met(_))));
    }
    tally.needed = match links.quorum {
        Quorum::AtLeast(needed) => needed,
        Quorum::Each | Quorum::All => tally.of,
    };
    Some(tally)
}

fn rows_of(candidates: &[&Candidate<'_>]) -> Judged<Vec<Row>> {
    let mut rows = Judged::from(Vec::new());
    for candidate in candidates {
        rows.append(&candidate.judged);
    }
    rows
}

fn absent(entry: &LinkName, items: &[Item]) -> Option<Row> {
    let name = entry.to_string();
    let link = match entry {
        LinkName::Exact(name) => Some(name.clone()),
        LinkName::Glob(_) | LinkName::Mac(_) => None,
    };
    let absent =
        |item: &Item| Row { item: item.clone(), link, outcome: Outcome::Unmet(Reason::Absent { name }) };
    items.first().map(absent)
}

/// Whether an entry of the list is a name, a pattern or the hardware address of this link. (A pattern may still not
/// match it, for example because it is a port.)
pub(super) fn is_named(links: &Links, link: &Link) -> bool {
    let names = |entry: &LinkName| match entry {
        LinkName::Exact(name) => link.named(name),
        LinkName::Glob(pattern) => !link.loopback() && named_like(link, pattern),
        LinkName::Mac(octets) => link.hardware_address == *octets,
    };
    links.entries.iter().any(names) && !links.exclude.iter().any(|pattern| named_like(link, pattern))
}

fn is_veth(link: &Link) -> bool {
    link.kind == "veth"
}

fn named_like(link: &Link, pattern: &Pattern) -> bool {
    pattern.matches(&link.ifname) || link.altnames.iter().any(|altname| pattern.matches(altname))
}
