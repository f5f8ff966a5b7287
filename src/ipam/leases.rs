//! What netavark's database contains, and what it means together with Podman's list of containers. Pure.
//!
//! ```text
//! bucket NETWORK
//!   bucket "ids":     container ID → JSON list of its addresses
//!   bucket SUBNET:    address, 4 or 16 bytes → container ID;  "lastIP" → address
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::bolt::{Bucket, BucketEntry};

const IDS: &[u8] = b"ids";
const LAST: &[u8] = b"lastIP";

/// An address that the database holds for a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldAddress {
    /// Podman's name of the network.
    pub network: String,
    /// The address that no other container gets meanwhile.
    pub address: IpAddr,
    /// The ID of the container, as the tool that took the address gave it.
    pub container: String,
}

/// An address that is held, with the state of its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The address and the container that it is held for.
    pub held: HeldAddress,
    /// The container's name, where it exists.
    pub name: Option<String>,
    /// Whether it is used.
    pub state: LeaseState,
}

/// The state of the container that an address is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// The container exists, and may be connected to the network.
    InUse,
    /// Podman does not know the container, but something else may use it: a build, or a Podman with another
    /// storage.
    Elsewhere,
    /// The container exists and is not connected to the network. Its next start may fail because of its own
    /// lease.
    Idle,
    /// The container does not exist, so nothing frees the address.
    Leaked,
}

/// A container that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The first name of the container; empty if it has none.
    pub name: String,
    /// `podman ps`'s word for its state.
    pub state: String,
}

/// The database has another layout than netavark's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the layout of netavark's database: {0}")]
pub struct LayoutError(String);

fn layout<T>(what: &str, key: &[u8]) -> Result<T, LayoutError> {
    Err(LayoutError(format!("{what} \"{}\"", key.escape_ascii())))
}

/// All addresses that the database holds, in order.
///
/// # Errors Where the database has something that netavark does not write.
pub fn held(root: &Bucket) -> Result<BTreeSet<HeldAddress>, LayoutError> {
    let mut all = BTreeSet::new();
    for (key, entry) in &root.entries {
        let (BucketEntry::Bucket(network), Ok(name)) = (entry, std::str::from_utf8(key)) else {
            return layout("no network:", key);
        };
        for (key, entry) in &network.entries {
            let BucketEntry::Bucket(bucket) = entry else {
                return layout("no bucket:", key);
            };
            let subnet = std::str::from_utf8(key).ok().and_then(|text| text.parse::<IpNet>().ok());
            let entries = match subnet {
                _ if key == IDS => by_container(bucket)?,
                Some(_) => by_address(bucket)?,
                None => return layout("no subnet:", key),
            };
            let held = |(address, container)| HeldAddress { network: name.to_owned(), address, container };
            all.extend(entries.into_iter().map(held));
        }
    }
    Ok(all)
}

fn by_container(ids: &Bucket) -> Result<Vec<(IpAddr, String)>, LayoutError> {
    let mut all = Vec::new();
    for (key, entry) in &ids.entries {
        let Some((container, addresses)) = container(key).zip(addresses(entry)) else {
            return layout("no container with its addresses:", key);
        };
        all.extend(addresses.into_iter().map(|address| (address, container.clone())));
    }
    Ok(all)
}

fn by_address(subnet: &Bucket) -> Result<Vec<(IpAddr, String)>, LayoutError> {
    let mut all = Vec::new();
    for (key, entry) in subnet.entries.iter().filter(|(key, _)| key.as_slice() != LAST) {
        let BucketEntry::Value(value) = entry else {
            return layout("a bucket among addresses:", key);
        };
        let Some(lease) = address(key).zip(container(value)) else {
            return layout("no address with its container:", key);
        };
        all.push(lease);
    }
    Ok(all)
}

fn container(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(*bytes.first_chunk::<4>()?)),
        16 => Some(IpAddr::from(*bytes.first_chunk::<16>()?).to_canonical()),
        _ => None,
    }
}

/// The value of a container's entry.
fn addresses(entry: &BucketEntry) -> Option<Vec<IpAddr>> {
    let BucketEntry::Value(json) = entry else { return None };
    let texts: serde_json::Value = serde_json::from_slice(json).ok()?;
    texts.as_array()?.iter().map(|text| Some(text.as_str()?.parse::<IpAddr>().ok()?.to_canonical())).collect()
}

/// Removes exactly these addresses, and returns those that were still there. `lastIP` and buckets that become
/// empty stay, because Podman needs the buckets of a network when it stops a container.
pub fn without(root: &mut Bucket, leaked: &BTreeSet<HeldAddress>) -> BTreeSet<HeldAddress> {
    let there = held(root).unwrap_or_default();
    let freed: BTreeSet<HeldAddress> = leaked.intersection(&there).cloned().collect();
    for (key, entry) in &mut root.entries {
        let (BucketEntry::Bucket(network), Ok(name)) = (entry, std::str::from_utf8(key)) else { continue };
        let mut wanted = BTreeMap::<&str, BTreeSet<IpAddr>>::new();
        for held in freed.iter().filter(|held| held.network == name) {
            wanted.entry(&held.container).or_default().insert(held.address);
        }
        let is = |container: &[u8], address: IpAddr| {
            std::str::from_utf8(container)
                .ok()
                .and_then(|id| wanted.get(id))
                .is_some_and(|of| of.contains(&address))
        };
        for (key, entry) in &mut network.entries {
            let BucketEntry::Bucket(bucket) = entry else { continue };
            if key == IDS {
                bucket.entries.retain(|id, entry| shorten(entry, |address| is(id, address)));
            } else {
                bucket.entries.retain(|key, entry| match (key.as_slice(), address(key), &entry) {
                    (LAST, _, _) => true,
                    (_, Some(address), BucketEntry::Value(id)) => !is(id, address),
                    _ => true,
                });
            }
        }
    }
    freed
}

/// Removes addresses from the list of a container. Returns false if none is left.
fn shorten(entry: &mut BucketEntry, is: impl Fn(IpAddr) -> bool) -> bool {
    let Some(all) = addresses(entry) else { return true };
    let left: Vec<String> = all.iter().filter(|address| !is(**address)).map(IpAddr::to_string).collect();
    if left.len() < all.len() && !left.is_empty() {
        *entry = BucketEntry::Value(serde_json::Value::from(left.clone()).to_string().into_bytes());
    }
    left.len() == all.len() || !left.is_empty()
}

/// Tells the state of each address's container. `running` says whether a process runs for the ID of a
/// container.
pub fn judge(
    held: BTreeSet<HeldAddress>,
    containers: &BTreeMap<String, Container>,
    running: impl Fn(&str) -> bool,
) -> Vec<Lease> {
    let judged = |held: HeldAddress| {
        let container = containers.get(&held.container);
        let state = match container.map(|container| container.state.as_str()) {
            // Only in these states is the container certainly not connected. Any other state counts as in
            // use.
            Some("created" | "configured" | "exited") if !running(&held.container) => LeaseState::Idle,
            Some(_) => LeaseState::InUse,
            None if !is_podmans(&held.container) || running(&held.container) => LeaseState::Elsewhere,
            None => LeaseState::Leaked,
        };
        Lease { name: container.map(|container| container.name.clone()), held, state }
    };
    held.into_iter().map(judged).collect()
}

/// Whether an ID is one that Podman gives: 64 hexadecimal digits. The container of a build has another name,
/// and is in no list.
fn is_podmans(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Combines two looks: a lease is idle or leaked only if both looks say so. A starting container holds its
/// address for a moment before it runs.
pub fn lasting(first: &[Lease], second: Vec<Lease>) -> Vec<Lease> {
    let lasts = |mut lease: Lease| {
        if matches!(lease.state, LeaseState::Idle | LeaseState::Leaked) && !first.contains(&lease) {
            lease.state = LeaseState::InUse;
        }
        lease
    };
    second.into_iter().map(lasts).collect()
}
