//! Podman's database of addresses: damaged ones, and power cuts while one is written.

use std::collections::BTreeSet;

use super::Choices;
use crate::ipam::bolt::{self, Database};
use crate::ipam::leases;

/// Podman 5.4.2's: six containers on two networks, and one lease that leaked at boot.
const NETWORKS: &[u8] = include_bytes!("../ipam/tests/networks.db");

/// The first octet says how a database is made of the rest: the octets themselves, or the recorded one with changes.
pub fn ipam(data: &[u8]) {
    let mut choices = Choices(data);
    let mode = choices.octet();
    let database = if mode % 4 == 0 {
        choices.0.to_vec()
    } else {
        let mut changed = NETWORKS.to_vec();
        // Few changes: with many nothing is left to be read.
        for _ in 0..choices.octet() % 8 {
            let (at, octet) = (choices.below(changed.len()), choices.octet());
            changed[at] ^= octet;
        }
        if mode % 4 == 1 {
            bolt::set_checksums(&mut changed);
        }
        changed
    };
    let Ok(read) = Database::parse(&database) else { return };
    let Ok(held) = leases::held(&read.root) else { return };
    let freed: BTreeSet<_> = held.iter().filter(|_| choices.octet() % 2 == 0).cloned().collect();
    let mut root = read.root.clone();
    let gone = leases::without(&mut root, &freed);
    assert!(gone.is_subset(&freed), "{gone:?} is more than {freed:?}");
    let Ok(commit) = bolt::commit(&database, &read, &root) else { return };
    let after = Database::parse(&commit.applied(&database)).unwrap();
    assert_eq!(after.root, root);
    let left = leases::held(&after.root).unwrap();
    assert_eq!(left, held.difference(&gone).cloned().collect(), "nothing else is freed");
    // The power goes: of the pages any are written, one of them in part; the meta page comes after all of them.
    let mut cut = database.clone();
    for (at, octets) in &commit.pages {
        match choices.octet() % 3 {
            0 => put(&mut cut, *at, octets),
            1 => put(&mut cut, *at, &octets[..choices.below(octets.len() + 1)]),
            _ => {}
        }
    }
    assert_eq!(Database::parse(&cut).unwrap().root, read.root, "the old one until the meta page is written");
    let (at, octets) = &commit.meta;
    let mut torn = commit.applied(&database);
    let place = usize::try_from(*at).unwrap();
    let kept = choices.below(octets.len() + 1);
    let end = (place + octets.len()).min(database.len());
    torn[place + kept..end].copy_from_slice(&database[place + kept..end]);
    let root_now = Database::parse(&torn).unwrap().root;
    assert!(root_now == read.root || root_now == root, "neither the old nor the new one");
}

fn put(database: &mut Vec<u8>, at: u64, octets: &[u8]) {
    let at = usize::try_from(at).unwrap();
    if database.len() < at + octets.len() {
        database.resize(at + octets.len(), 0);
    }
    database[at..at + octets.len()].copy_from_slice(octets);
}
