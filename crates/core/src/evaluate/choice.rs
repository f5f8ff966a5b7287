//! Which one of several routes to a destination the kernel selects. The rules were measured on Linux 6.18 for
//! both families (`tests/namespaces/choice.rs`).

use ipnet::IpNet;

use crate::model::{NextHop, Route, RouteKind, Routes};
use crate::moment::Moment;
use crate::requirement::Family;

/// The routes of one table to one destination, for one source prefix or for all sources.
pub(super) struct Choice<'a> {
    /// The route that the kernel selects. `None` if it skips all of them.
    pub taken: Option<&'a Route>,
    /// All other routes, in the kernel's order.
    pub others: Vec<&'a Route>,
}

/// What the kernel selects for a destination in a table. The first choice is for packets with any source. IPv6
/// routes for one source prefix are apart from those, so one more choice follows for each such prefix.
pub(super) fn choices<'a>(
    routes: &'a Routes,
    destination: IpNet,
    table: u32,
    now: Moment,
) -> Vec<Choice<'a>> {
    let candidates: Vec<&Route> =
        routes.to(destination, table).iter().filter(|route| counts(route)).collect();
    let mut sources = vec![None];
    for route in &candidates {
        if !sources.contains(&route.source) {
            sources.push(route.source);
        }
    }
    let of = |source: Option<IpNet>| {
        let candidates: Vec<&Route> =
            candidates.iter().copied().filter(|route| route.source == source).collect();
        // The lookup was made without a source, so it tells only about the routes for any source.
        let chosen = routes.chosen.get(&(destination, table)).filter(|_| source.is_none());
        let taken = chosen.or_else(|| taken(&candidates, now));
        let other = |route: &&Route| taken.is_none_or(|taken| !core::ptr::eq(taken, *route));
        Choice { taken, others: candidates.into_iter().filter(other).collect() }
    };
    sources.into_iter().map(of).collect()
}

/// Whether ordinary traffic can use the route. A route for one TOS does not count.
pub(super) fn counts(route: &Route) -> bool {
    route.tos == 0
}

/// Selects a route by the kernel's rule.
///
/// IPv4: the kernel selects the first route of the table, whose order is by metric.
///
/// IPv6: of the routes with the best metric, the kernel selects the one with the highest router preference. If
/// it skips all of these, it selects the one with the highest router preference of all other routes, whatever
/// their metrics.
///
/// The kernel also skips an IPv6 gateway that did not answer lately. A table does not show that, only a lookup
/// does.
fn taken<'a>(candidates: &[&'a Route], now: Moment) -> Option<&'a Route> {
    let live = || candidates.iter().copied().filter(|route| !passed_over(route, now));
    let family = candidates.first()?.family();
    if family == Family::V4 {
        return live().next();
    }
    let best = candidates.iter().map(|route| route.metric).min()?;
    most_preferred(live().filter(|route| route.metric == best)).or_else(|| most_preferred(live()))
}

/// The first of the routes with the highest router preference.
fn most_preferred<'a>(routes: impl Iterator<Item = &'a Route>) -> Option<&'a Route> {
    routes.reduce(|first, next| if next.preference > first.preference { next } else { first })
}

/// Whether the kernel skips the route, because it has expired or because all its next hops are dead.
fn passed_over(route: &Route, now: Moment) -> bool {
    let dead = |hop: &NextHop| hop.dead;
    let no_hop = route.kind == RouteKind::Unicast && !route.hops.is_empty() && route.hops.iter().all(dead);
    route.expired(now) || no_hop
}
