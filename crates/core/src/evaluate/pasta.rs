//! What pasta would copy into a container.
//!
//! pasta reads the main table once, when the first container starts. For each family it selects one link and
//! copies the link's addresses and routes. It selects the link of the first default route or, if there is no
//! default route, the link of the first other route.
//!
//! If the host is half-configured at that moment, the container stays so for its whole life. If a route of the
//! link is flagged `linkdown`, the kernel refuses the copy and pasta dies.

use crate::evaluate::Judge;
use crate::evaluate::judged::{Judged, Needs};
use crate::model::{NextHop, PastaView, Route, link_local};
use crate::requirement::{AddressSpec, Family, TABLE_MAIN};
use crate::verdict::{Dead, Evidence, Outcome, PastaFault, Reason, RouteRef, Warning};

impl Judge<'_> {
    /// Met if each selected link has carrier, and if the route of at least one family is fit. A route is fit if
    /// it is a default route, its link has an address, and its gateway is on the link. Whether the selection
    /// stays the same is checked during the settle time.
    ///
    /// | IPv4           | IPv6                | result |
    /// |----------------|---------------------|--------|
    /// | no carrier     | any                 | unmet: pasta would die |
    /// | any            | no carrier          | unmet: pasta would die |
    /// | fit            | fit, unfit, nothing | met |
    /// | unfit, nothing | fit                 | met |
    /// | unfit          | unfit, nothing      | unmet, for the fault of IPv4 |
    /// | nothing        | unfit               | unmet, for the fault of IPv6 |
    /// | nothing        | nothing             | unmet: no route |
    pub(crate) fn pasta(&self) -> Judged {
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
        // pasta copies the routes of one link, so that link must have carrier. It does not copy a route over
        // several links, so there one link with carrier is enough, as it is for the host.
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
        let leads_out = |hop: &NextHop| {
            !self.network.link(hop.ifindex).is_some_and(|link| self.network.leads_nowhere(link))
        };
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

/// pasta drops a multipath route whose next hops leave through several links.
fn leaves_through_several(route: &Route) -> bool {
    let mut hops = route.hops.iter().map(|hop| hop.ifindex);
    let first = hops.next();
    hops.any(|ifindex| Some(ifindex) != first)
}
