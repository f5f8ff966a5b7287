//! Which of the routes to one destination the kernel takes. Measured on Linux 6.18 for both families
//! (`tests/namespaces/choice.rs`).

use ipnet::IpNet;

use crate::model::{NextHop, Route, RouteKind, Routes};
use crate::moment::Moment;
use crate::requirement::Family;

/// The routes of one table to one destination, for one source prefix or for all sources.
pub(super) struct Choice<'a> {
    /// The one that the kernel takes. None where it passes over all of them.
    pub taken: Option<&'a Route>,
    /// The others, in the kernel's order.
    pub others: Vec<&'a Route>,
}

/// What the kernel takes for a destination in a table. The first choice is for packets from anywhere; then
/// comes one for each source prefix that has routes of its own, which the kernel keeps apart.
pub(super) fn choices<'a>(
    routes: &'a Routes,
    destination: IpNet,
    table: u32,
    now: Moment,
) -> Vec<Choice<'a>> {
    let stands = |route: &&Route| route.destination == destination && route.table == table && counts(route);
    let candidates: Vec<&Route> = routes.known.iter().filter(stands).collect();
    let mut sources = vec![None];
    for route in &candidates {
        if !sources.contains(&route.source) {
            sources.push(route.source);
        }
    }
    let of = |source: Option<IpNet>| {
        let candidates: Vec<&Route> =
            candidates.iter().copied().filter(|route| route.source == source).collect();
        // A lookup asks for no source.
        let chosen = routes.chosen.get(&(destination, table)).filter(|_| source.is_none());
        let taken = chosen.or_else(|| taken(&candidates, now));
        let other = |route: &&Route| taken.is_none_or(|taken| !core::ptr::eq(taken, *route));
        Choice { taken, others: candidates.into_iter().filter(other).collect() }
    };
    sources.into_iter().map(of).collect()
}

/// A route for one TOS serves no ordinary traffic.
pub(super) fn counts(route: &Route) -> bool {
    route.tos == 0
}

/// The kernel's rule, as far as a table tells. (It also passes over an IPv6 gateway that lately did not
/// answer, which no table tells; a lookup does.)
///
/// IPv4: the first in the table's order, which is by metric.
///
/// IPv6: of those with the best metric, the one with the highest router preference. Where the kernel
/// passes over all of these: of all the others, whatever their metrics, the one with the highest router
/// preference.
fn taken<'a>(candidates: &[&'a Route], now: Moment) -> Option<&'a Route> {
    let live = || candidates.iter().copied().filter(|route| !passed_over(route, now));
    let family = candidates.first()?.family();
    if family == Family::V4 {
        return live().next();
    }
    let best = candidates.iter().map(|route| route.metric).min()?;
    most_preferred(live().filter(|route| route.metric == best)).or_else(|| most_preferred(live()))
}

/// The first of those that are preferred most.
fn most_preferred<'a>(routes: impl Iterator<Item = &'a Route>) -> Option<&'a Route> {
    routes.reduce(|first, next| if next.preference > first.preference { next } else { first })
}

/// Whether the kernel goes on to the next route: this one has expired, or each of its next hops is dead.
fn passed_over(route: &Route, now: Moment) -> bool {
    let dead = |hop: &NextHop| hop.dead;
    let no_hop = route.kind == RouteKind::Unicast && !route.hops.is_empty() && route.hops.iter().all(dead);
    route.expired(now) || no_hop
}
