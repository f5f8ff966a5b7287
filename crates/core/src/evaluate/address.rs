//! Addresses: which ones meet an `address` item, and why others do not.

use core::net::IpAddr;

use crate::evaluate::Judge;
use crate::evaluate::judged::{Judged, Needs};
use crate::model::{Address, Link, link_local};
use crate::requirement::{AddressSpec, Family};
use crate::verdict::{AddressRef, Evidence, Outcome, Reason, Unusable, Warning};

impl AddressSpec {
    /// Whether this is a wanted address. It may be unusable.
    pub(super) fn covers(self, address: &Address) -> bool {
        match self {
            AddressSpec::Either => address.global(),
            AddressSpec::Family(family) => self.of_family(address, family) && address.global(),
            AddressSpec::LinkLocal(family) => self.of_family(address, family) && link_local(address.local),
            AddressSpec::Exact(exact) => address.local == exact,
            AddressSpec::Prefix(net) => net.contains(&address.local),
        }
    }

    fn of_family(self, address: &Address, family: Family) -> bool {
        Family::of(address.local) == family
    }

    fn family(self) -> Option<Family> {
        match self {
            AddressSpec::Either => None,
            AddressSpec::Family(family) | AddressSpec::LinkLocal(family) => Some(family),
            AddressSpec::Exact(address) => Some(Family::of(address)),
            AddressSpec::Prefix(net) => Some(Family::of(net.addr())),
        }
    }
}

/// What keeps an address from being used. `carrier` says whether its link has carrier.
pub(super) fn fault(spec: AddressSpec, address: &Address, carrier: bool) -> Option<Unusable> {
    if address.dadfailed() {
        Some(Unusable::DadFailed)
    } else if address.tentative() {
        Some(if carrier { Unusable::Tentative } else { Unusable::TentativeNoCarrier })
    } else if address.deprecated() && !matches!(spec, AddressSpec::Exact(_)) {
        Some(Unusable::Deprecated)
    } else {
        None
    }
}

/// Whether packets can be sent from an address now. The carrier of its link does not matter here.
pub(super) fn usable(spec: AddressSpec, address: &Address) -> bool {
    fault(spec, address, true).is_none()
}

/// Whether the kernel selects an address as the source of packets if it finds no better one. It then also takes a
/// deprecated one (RFC 6724, rule 3).
///
/// It takes no IPv4 address of site scope for packets through a router (inet_select_addr; seen on Linux 6.18: they leave
/// from 0.0.0.0).
pub(super) fn can_be_source(address: &Address) -> bool {
    usable(AddressSpec::Exact(address.local), address) && !(address.local.is_ipv4() && address.of_site())
}

impl<'a> Judge<'a> {
    pub(crate) fn address_of(&self, link: &'a Link, spec: AddressSpec) -> Judged {
        let network = self.network;
        let carrier = network.carrier(link).is_ok();
        let found = network.addresses_of(link.ifindex).filter(|address| self.covers(spec, address));
        let found = found.map(|address| (address, fault(spec, address, carrier)));
        self.address(spec, Some(link), found)
    }

    /// An address on any link. An exact address counts on every link, because bind(2) accepts it.
    ///
    /// An address of a family or prefix counts only on a link that has carrier and leads out of this host.
    /// docker0 has an address but no carrier before its first container starts. Loopback and dummy links lead
    /// nowhere. What comes in through a port of a bridge, bond or team is received by that one.
    pub(crate) fn address_anywhere(&self, spec: AddressSpec) -> Judged {
        let network = self.network;
        let exact = matches!(spec, AddressSpec::Exact(_));
        let found = network.addresses().filter(|address| self.covers(spec, address)).filter_map(|address| {
            let link = network.link(address.ifindex);
            if !exact && link.is_none_or(|link| network.is_port(link) || network.leads_nowhere(link)) {
                return None;
            }
            let carrier = link.is_some_and(|link| network.carrier(link).is_ok());
            let no_carrier = (!exact && !carrier).then_some(Unusable::NoCarrier);
            Some((address, fault(spec, address, carrier).or(no_carrier)))
        });
        self.address(spec, None, found)
    }

    /// Whether this is a wanted address, or makes it one of this host's. It may be unusable.
    pub(super) fn covers(&self, spec: AddressSpec, address: &Address) -> bool {
        let of_loopback = |wanted| {
            let link = self.network.link(address.ifindex);
            address.owns(wanted) && link.is_some_and(|link| link.loopback() && link.admin_up())
        };
        spec.covers(address) || matches!(spec, AddressSpec::Exact(wanted) if of_loopback(wanted))
    }

    /// Selects from `found`: the addresses that the item covers, each with what keeps it from being used.
    fn address(
        &self,
        spec: AddressSpec,
        link: Option<&Link>,
        found: impl Iterator<Item = (&'a Address, Option<Unusable>)>,
    ) -> Judged {
        let mut met: Option<&Address> = None;
        let mut worst: Option<(Unusable, &Address)> = None;
        for (address, fault) in found {
            match fault {
                None => {
                    met.get_or_insert(address);
                    if !self.network.has_duplicates() {
                        // An address is met and there are no duplicates to warn of, so the rest need not be read.
                        break;
                    }
                }
                // Report the fault that somebody must mend: a failed DAD is worse than one that still runs.
                Some(fault) if worst.is_none_or(|(known, _)| fault > known) => worst = Some((fault, address)),
                Some(_) => {}
            }
        }
        if let Some(address) = met {
            let failed = worst.filter(|(why, _)| *why == Unusable::DadFailed);
            let warnings = failed.map(|(_, failed)| Warning::DadFailed(self.address_ref(failed)));
            return Judged {
                outcome: Outcome::Met(Evidence::Address(self.held(spec, address))),
                needs: Needs::default(),
                warnings: warnings.into_iter().collect(),
            };
        }
        let reason = match worst {
            Some((why, address)) => Reason::Unusable { address: self.held(spec, address), why },
            None => Reason::NoAddress {
                spec,
                ifname: link.map(|link| link.ifname.clone()),
                link_local: self.only_link_local(spec, link),
                disabled: link.is_some_and(|link| link.ipv6_disabled) && spec.family() == Some(Family::V6),
            },
        };
        reason.into()
    }

    /// Returns a link-local address if the host or the link has no other addresses of the wanted family. Returns
    /// `None` if one exact address is wanted, because a link-local address does not explain its absence.
    fn only_link_local(&self, spec: AddressSpec, link: Option<&Link>) -> Option<IpAddr> {
        if matches!(spec, AddressSpec::Exact(_)) {
            return None;
        }
        let wanted = |address: &&Address| {
            link.is_none_or(|link| link.ifindex == address.ifindex)
                && spec.family().is_none_or(|family| family == Family::of(address.local))
                && !address.local.is_loopback()
        };
        let mut addresses = self.network.addresses().filter(wanted).map(|address| address.local);
        let first = addresses.next()?;
        (link_local(first) && addresses.all(link_local)).then_some(first)
    }

    pub(super) fn address_ref(&self, address: &Address) -> AddressRef {
        AddressRef {
            address: address.local,
            ifindex: address.ifindex,
            ifname: self.network.ifname(address.ifindex),
        }
    }

    /// Returns the address that a wanted one is met by. A wanted address may only be in the prefix of `address`.
    pub(super) fn held(&self, spec: AddressSpec, address: &Address) -> AddressRef {
        let held = self.address_ref(address);
        match spec {
            AddressSpec::Exact(wanted) => AddressRef { address: wanted, ..held },
            AddressSpec::Either
            | AddressSpec::Family(_)
            | AddressSpec::LinkLocal(_)
            | AddressSpec::Prefix(_) => held,
        }
    }

    /// Finds this exact address, on any link, if it is usable.
    pub(super) fn usable_exact(&self, wanted: IpAddr) -> Option<AddressRef> {
        let spec = AddressSpec::Exact(wanted);
        let mut addresses = self.network.addresses();
        addresses
            .find(|address| self.covers(spec, address) && usable(spec, address))
            .map(|address| self.held(spec, address))
    }

    /// Finds a usable address on this link.
    pub(super) fn usable_on(&self, ifindex: u32, spec: AddressSpec) -> Option<AddressRef> {
        let mut addresses = self.network.addresses_of(ifindex);
        addresses
            .find(|address| spec.covers(address) && usable(spec, address))
            .map(|address| self.address_ref(address))
    }

    /// Finds an address that packets can be sent from on this link. A deprecated one is taken only if there is no
    /// other.
    pub(super) fn source_on(&self, ifindex: u32, spec: AddressSpec) -> Option<AddressRef> {
        let addresses = || {
            let addresses = self.network.addresses_of(ifindex);
            addresses.filter(move |address| spec.covers(address) && can_be_source(address))
        };
        let preferred = addresses().find(|address| usable(spec, address));
        preferred.or_else(|| addresses().next()).map(|address| self.address_ref(address))
    }
}
