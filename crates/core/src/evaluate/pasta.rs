//! What pasta would take. It reads the main table once, when the first container starts, and copies one
//! link's addresses and routes per family: the first default route's link, or, without a default, the
//! first other route's. A half-configured host is copied for the container's whole life, and a route
//! flagged `linkdown` is refused when it is copied, which kills it.

use crate::evaluate::Judge;
use crate::evaluate::judged::{Judged, Needs};
use crate::model::{Link, NextHop, PastaView, Route, link_local};
use crate::requirement::{AddressSpec, Family, TABLE_MAIN};
use crate::verdict::{Dead, Evidence, Outcome, PastaFault, Reason, RouteRef, Warning};

impl Judge<'_> {
    /// Met when (a) each link taken has carrier, and (b) at least one family's is fit: a default route
    /// whose link has an address and whose gateway is on the link. (c), that the choice stays the same,
    /// is the settle's business.
    ///
    /// | taken IPv4     | taken IPv6     | verdict |
    /// |----------------|----------------|---------|
    /// | no carrier     | any            | unmet: it would die |
    /// | any            | no carrier     | unmet: it would die |
    /// | fit            | fit, unfit, nothing | met |
    /// | unfit, nothing | fit            | met     |
    /// | unfit          | unfit, nothing | unmet: for the reason of the first that is taken |
    pub(super) fn pasta(&self) -> Judged {
        let mut taken = Vec::new();
        let mut fit = false;
        let mut fault = None;
        let mut needs = Needs::default();
        let mut warnings = Vec::new();
        for family in Family::BOTH {
            let Some(view) = self.network.routes.pasta.get(&family) else {
                needs.unread.insert((family, TABLE_MAIN));
                continue;
            };
            let Some(route) = view.taken() else { continue };
            let refs: Vec<RouteRef> = route.hops.iter().map(|hop| self.route_ref(route, hop)).collect();
            match self.pasta_family(family, view, route) {
                Ok(()) => fit = true,
                Err(why) => {
                    let route = refs.first().cloned();
                    let default = view.default.is_some();
                    let dies = matches!(why, PastaFault::Carrier(_) | PastaFault::Linkdown);
                    let reason = Reason::Pasta { route, default, why };
                    if dies {
                        return Judged { outcome: Outcome::Unmet(reason), needs, warnings };
                    }
                    fault.get_or_insert(reason);
                }
            }
            if view.default.is_some() && leaves_through_several(route) {
                warnings.extend(refs.first().cloned().map(Warning::PastaMultipath));
            }
            taken.extend(refs);
        }
        let nothing = Reason::Pasta { route: None, default: false, why: PastaFault::Nothing };
        let outcome = match fit {
            true => Outcome::Met(Evidence::Pasta(taken)),
            false => Outcome::Unmet(fault.unwrap_or(nothing)),
        };
        Judged { outcome, needs, warnings }
    }

    fn pasta_family(&self, family: Family, view: &PastaView, route: &Route) -> Result<(), PastaFault> {
        let carries = |hop: &&NextHop| self.link_carries(hop.ifindex).is_ok();
        // One link's routes are copied, so that link must carry; several links' are not copied at all,
        // so one that carries is what the host itself needs.
        let dark = match leaves_through_several(route) {
            true if route.hops.iter().any(|hop| carries(&hop)) => None,
            true | false => route.hops.iter().find(|hop| !carries(hop)),
        };
        if let Some(Err(Dead::Link(why))) = dark.map(|hop| self.link_carries(hop.ifindex)) {
            return Err(PastaFault::Carrier(why));
        }
        if !leaves_through_several(route) && route.hops.iter().any(|hop| hop.linkdown) {
            return Err(PastaFault::Linkdown);
        }
        if view.default.is_none() {
            return Err(PastaFault::NoDefault);
        }
        let leads_out = |hop: &NextHop| !self.network.link(hop.ifindex).is_some_and(Link::leads_nowhere);
        if !route.hops.iter().any(leads_out) {
            return Err(PastaFault::LeadsNowhere);
        }
        let live = |hop: &&NextHop| carries(hop) && !hop.dead && !hop.linkdown;
        let Some(hop) = route.hops.iter().find(live).filter(|_| !route.expired(self.now)) else {
            return Err(PastaFault::Dead);
        };
        if self.usable_on(hop.ifindex, AddressSpec::Family(family)).is_none() {
            return Err(PastaFault::NoAddress);
        }
        let on_link = match hop.gateway {
            None => true,
            Some(gateway) => {
                let mut prefixes = self.network.addresses_of(hop.ifindex).filter_map(|a| a.on_link());
                hop.onlink
                    || view.gateway_on_link
                    || link_local(gateway)
                    || prefixes.any(|prefix| prefix.contains(&gateway))
            }
        };
        if on_link { Ok(()) } else { Err(PastaFault::GatewayOffLink) }
    }
}

/// pasta takes a multipath route only where all of its next hops leave through one link.
fn leaves_through_several(route: &Route) -> bool {
    let mut hops = route.hops.iter().map(|hop| hop.ifindex);
    let first = hops.next();
    hops.any(|ifindex| Some(ifindex) != first)
}
