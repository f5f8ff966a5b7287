//! The names of this host at present: gates, links and addresses.

use crate::cli::{block_on, check};
use crate::config::{self, Environment};
use crate::learn::survey;
use crate::model::Network;
use crate::netlink::RECEIVE_BUFFER;

use super::offer::{Candidate, HostNames};

/// Reads each kind of names only when it is needed. Names that cannot be read are not offered.
#[derive(Debug, Default)]
pub(super) struct Host(());

impl HostNames for Host {
    fn gates(&self) -> Vec<Candidate> {
        let listing = config::listing(&Environment::from_process());
        let gates = listing.gates.into_iter().map(|gate| {
            let source = gate.sources.into_iter().next().and_then(|source| source.path);
            Candidate::new(gate.name, source.unwrap_or_else(|| "built-in".to_owned()))
        });
        gates.collect()
    }

    fn links(&self) -> Vec<Candidate> {
        let Some(network) = network() else { return Vec::new() };
        let links = network.links().flat_map(|link| {
            let about = if link.kind.is_empty() { "link".to_owned() } else { link.kind.clone() };
            let altnames = link.altnames.iter();
            let altnames = altnames.map(|name| Candidate::new(name, format!("altname of {}", link.ifname)));
            std::iter::once(Candidate::new(&link.ifname, about)).chain(altnames).collect::<Vec<_>>()
        });
        links.collect()
    }

    fn addresses(&self) -> Vec<Candidate> {
        let Some(network) = network() else { return Vec::new() };
        let addresses = network.addresses().filter(|address| !address.local.is_loopback());
        let addresses = addresses.filter_map(|address| {
            let link = network.link(address.ifindex)?;
            Some(Candidate::new(address.local.to_string(), format!("on {}", link.ifname)))
        });
        addresses.collect()
    }

    fn vrfs(&self) -> Vec<Candidate> {
        let Some(network) = network() else { return Vec::new() };
        let vrfs = network.links().filter(|link| link.kind == "vrf");
        vrfs.map(|link| Candidate::new(&link.ifname, "VRF")).collect()
    }
}

fn network() -> Option<Network> {
    let (network, _) = block_on(check::look(&survey(), RECEIVE_BUFFER, false)).ok()?;
    Some(network)
}
