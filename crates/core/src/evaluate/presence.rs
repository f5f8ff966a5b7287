//! `if-present`: whether a clause counts now.

use crate::evaluate::Judge;
use crate::evaluate::choice;
use crate::evaluate::judged::Needs;
use crate::model::{Route, RouteKind};
use crate::requirement::{Clause, Family, Presence, Subject, TABLE_MAIN};

impl Judge<'_> {
    /// `None` if the clause counts. Otherwise the tables that could show that it counts after all.
    pub(super) fn left_out(&self, clause: &Clause) -> Option<Needs> {
        match (clause.if_present, &clause.subject) {
            (None, _) => None,
            (Some(Presence::Link), Subject::Links(links)) => {
                self.matching(links).next().is_none().then(Needs::default)
            }
            // The configuration does not make such a clause. If in doubt, a clause counts.
            (Some(Presence::Link), Subject::Host { .. }) => None,
            (Some(Presence::Family(family)), _) => self.family_absent(family),
        }
    }

    /// A family is present if a default route of the family stands, or if a link with a default route of
    /// either family has an address of the family with global scope. Tentative addresses count, because the
    /// family is on its way. Default routes through loopback and dummy links do not count.
    ///
    /// A family is absent if a default route that refuses hides the family's usable one, or if policy rules refuse all
    /// its traffic. Somebody blocks the family then (leak guards of VPNs do that), and no table can change it.
    fn family_absent(&self, family: Family) -> Option<Needs> {
        if self.blocked(family) || self.network.routes.unreached.contains(&family.default_prefix()) {
            return Some(Needs::default());
        }
        let present = self
            .network
            .routes
            .known
            .iter()
            .filter(|route| route.table == TABLE_MAIN && route.destination.prefix_len() == 0)
            .filter(|route| route.kind == RouteKind::Unicast && choice::counts(route))
            .any(|route| self.shows_family(route, family));
        let tables = || Family::BOTH.into_iter().flat_map(|family| self.not_read(family, TABLE_MAIN));
        (!present).then(|| Needs { unread: tables().collect(), ..Needs::default() })
    }

    /// Whether a default route is of the family, or leaves through a link with an address of the family.
    fn shows_family(&self, route: &Route, family: Family) -> bool {
        let addressed = |ifindex| {
            let mut addresses = self.network.addresses_of(ifindex);
            addresses.any(|address| Family::of(address.local) == family && address.global())
        };
        route
            .hops
            .iter()
            .map(|hop| hop.ifindex)
            .filter(|ifindex| {
                !self.network.link(*ifindex).is_some_and(|link| self.network.leads_nowhere(link))
            })
            .any(|ifindex| route.family() == family || addressed(ifindex))
    }

    /// Whether the kernel selects a default route of this family that refuses, although a usable one stands.
    fn blocked(&self, family: Family) -> bool {
        let choices = choice::choices(&self.network.routes, family.default_prefix(), TABLE_MAIN, self.now);
        choices.first().is_some_and(|choice| {
            choice.taken.is_some_and(|taken| taken.kind != RouteKind::Unicast)
                && choice.others.iter().any(|other| other.kind == RouteKind::Unicast)
        })
    }
}
