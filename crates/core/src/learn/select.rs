//! Selects the links, routes and addresses of a host that a gate asks for, and says why it leaves out the
//! others.

use alloc::collections::BTreeSet;

use crate::evaluate::evaluate;
use crate::history::boots::{Late, LateWhat};
use crate::learn::{name, survey};
use crate::model::{Address, Link, Network, Route, RouteKind};
use crate::moment::Moment;
use crate::requirement::{
    Clause, Destination, Family, Gate, Item, LinkName, Links, Quorum, RouteSpec, Subject, TABLE_MAIN, Table,
};
use crate::verdict::{AddressRef, Evidence, Outcome, Reason, RouteRef};

/// Kinds of links that a daemon makes, usually after the network is up.
const OF_DAEMONS: [&str; 3] = ["tun", "wireguard", "ovpn"];
/// Tunnels that the kernel itself makes when it loads a module, by kind and name.
const OF_THE_KERNEL: [(&str, &str); 9] = [
    ("ipip", "tunl0"),
    ("gre", "gre0"),
    ("gretap", "gretap0"),
    ("erspan", "erspan0"),
    ("sit", "sit0"),
    ("ip6tnl", "ip6tnl0"),
    ("ip6gre", "ip6gre0"),
    ("vti", "ip_vti0"),
    ("vti6", "ip6_vti0"),
];
/// Kinds of links that count as network cards if the host has no card, as in a container.
const OF_CONTAINERS: [&str; 5] = ["veth", "macvlan", "macvtap", "ipvlan", "ipvtap"];

/// What a gate asks for, and what it does not.
pub struct Selection<'a> {
    /// The links that the gate asks for, those with default routes first.
    pub links: Vec<WantedLink<'a>>,
    /// What the gate does not ask for, and why, one line each.
    pub left_out: Vec<String>,
}

impl Selection<'_> {
    /// Removes a late family from what the links must have, so that a clause with a grace can wait for it. Returns
    /// `false` and removes nothing if no link has the family, or if no link has another family. In the second case
    /// the gate is ready by this family.
    pub fn set_apart(&mut self, late: &Late) -> bool {
        let family = late.family;
        let has = |wanted: &WantedLink<'_>| match late.what {
            LateWhat::Route => wanted.defaults.iter().any(|default| default.family == family),
            LateWhat::Address => wanted.addresses.contains(&family),
        };
        let has_other = |wanted: &WantedLink<'_>| match late.what {
            LateWhat::Route => wanted.defaults.iter().any(|default| default.family != family),
            LateWhat::Address => wanted.addresses.iter().any(|of| *of != family),
        };
        if !self.links.iter().any(has) || !self.links.iter().any(has_other) {
            return false;
        }
        for wanted in &mut self.links {
            wanted.defaults.retain(|default| default.family != family);
            wanted.addresses.remove(&family);
        }
        self.links.retain(|wanted| !wanted.defaults.is_empty() || !wanted.addresses.is_empty());
        true
    }
}

/// A link that the gate asks for.
pub struct WantedLink<'a> {
    /// The link as the kernel describes it now.
    pub link: &'a Link,
    /// The name by which the gate asks for it.
    pub name: LinkName,
    /// Default routes through it.
    pub defaults: Vec<DefaultRoute>,
    /// The families of which the gate asks for an address on the link.
    pub addresses: BTreeSet<Family>,
}

/// A default route of one family through a link.
pub struct DefaultRoute {
    /// The family of the route.
    pub family: Family,
    /// The route as the kernel has it. `None` if it is dead.
    pub route: Option<RouteRef>,
    /// The source address that the kernel uses, if it is on another link. A clause that names the link is not
    /// met then.
    pub source_elsewhere: Option<AddressRef>,
}

/// A link that the gate may ask for, before the other links are known.
struct Candidate<'a> {
    link: &'a Link,
    defaults: Vec<(Family, JudgedDefault)>,
    /// Default routes that work now, but only with the address of a link that may start after the network. One
    /// sentence for each.
    borrowing: Vec<String>,
}

/// A default route that is usable, or why it is dead.
type JudgedDefault = Result<UsableDefault, Option<Box<Reason>>>;

struct UsableDefault {
    route: RouteRef,
    source: AddressRef,
    /// Whether a clause that names the link is met. If not, the source is on another link, and only a clause that
    /// names no link is met.
    of_link: bool,
}

/// Decides for each link of the network whether the gate asks for it.
pub fn select(network: &Network, now: Moment) -> Selection<'_> {
    let mut left_out = Vec::new();
    let has_card = network.links().any(card);
    let early = without_late_addresses(network, has_card);
    let mut candidates = Vec::new();
    for link in network.links().filter(|link| !link.loopback() && !made_by_the_kernel(link)) {
        match not_its_own(network, link, has_card) {
            Some(why) => left_out.push(format!("{}: {why}", link.ifname)),
            None => candidates.push(candidate(network, &early, link, now)),
        }
    }
    drop_dead_defaults(network, &mut candidates, &mut left_out);
    let routed = candidates.iter().any(|candidate| !candidate.defaults.is_empty());
    let mut links = Vec::new();
    for candidate in candidates {
        let borrowing = candidate.borrowing.clone();
        match wanted_link(network, candidate, routed) {
            Ok(link) => {
                links.push(link);
                left_out.extend(borrowing);
            }
            Err(why) => left_out.push(why),
        }
    }
    // The sort is stable, so the links are otherwise in the order of their numbers.
    links.sort_by_key(|link: &WantedLink<'_>| link.defaults.is_empty());
    for wanted in &links {
        let addresses = network.addresses_of(wanted.link.ifindex).filter(|address| address.global());
        left_out.extend(addresses.map(|address| unasked(wanted, address)));
    }
    Selection { links, left_out }
}

/// If the gate cannot ask for a link because the link is not the host's own, returns why.
fn not_its_own(network: &Network, link: &Link, has_card: bool) -> Option<String> {
    if let Some(master) = link.master.filter(|_| network.is_port(link)) {
        return Some(format!("a port of {}", network.ifname(master)));
    }
    let made = |what: &str| Some(format!("{what} (kind {})", link.kind));
    if network.leads_nowhere(link) {
        return made("no other host can be reached through it");
    }
    if of_a_daemon(link) {
        return made("made by software, which may start after the network");
    }
    let stands_for_a_card = !has_card && OF_CONTAINERS.contains(&link.kind.as_str());
    if has_default(network, link) || stands_for_a_card || grounded(network, link) {
        return None;
    }
    match link.kind.as_str() {
        "bridge" => made("made by software, no card is its port"),
        _ => made("made by software, no default route leads through it"),
    }
}

fn of_a_daemon(link: &Link) -> bool {
    link.is_tunnel() || OF_DAEMONS.contains(&link.kind.as_str())
}

fn made_by_the_kernel(link: &Link) -> bool {
    OF_THE_KERNEL.contains(&(link.kind.as_str(), link.ifname.as_str()))
}

/// Whether a link is a network card: a device that a driver found.
fn card(link: &Link) -> bool {
    link.kind.is_empty() && !link.loopback()
}

/// Whether a link is a card or is made of one: a bond, a vlan on a card, or a bridge with a card as a port.
fn grounded(network: &Network, link: &Link) -> bool {
    // Do not follow a link twice: according to the messages, links may form a ring.
    let mut seen = BTreeSet::new();
    let mut below = vec![link];
    while let Some(link) = below.pop() {
        if card(link) || matches!(link.kind.as_str(), "bond" | "team") {
            return true;
        }
        if !seen.insert(link.ifindex) {
            continue;
        }
        match link.kind.as_str() {
            "bridge" => below.extend(network.links().filter(|port| port.master == Some(link.ifindex))),
            "vlan" | "macsec" => below.extend(link.lower.and_then(|lower| network.link(lower))),
            _ => {}
        }
    }
    false
}

fn default_routes(network: &Network, family: Family) -> impl Iterator<Item = &Route> {
    network.routes.known.iter().filter(move |route| {
        route.destination == family.default_prefix()
            && route.table == TABLE_MAIN
            && route.kind == RouteKind::Unicast
            && route.tos == 0
    })
}

fn leaves_through(route: &Route, link: &Link) -> bool {
    route.hops.iter().any(|hop| hop.ifindex == link.ifindex)
}

fn has_default(network: &Network, link: &Link) -> bool {
    Family::BOTH
        .iter()
        .any(|family| default_routes(network, *family).any(|route| leaves_through(route, link)))
}

/// Returns the network as it may be during a boot when the gate must be ready: links that may start later have no
/// address. For example, docker0 has an address only while docker runs, and docker may wait for this gate.
fn without_late_addresses(network: &Network, has_card: bool) -> Network {
    let late = |link: &Link| {
        let own = !has_card
            || link.loopback()
            || link.leads_nowhere()
            || has_default(network, link)
            || grounded(network, link);
        of_a_daemon(link) || !own
    };
    let early = |address: &&Address| network.link(address.ifindex).is_none_or(|link| !late(link));
    let mut without = network.clone();
    let addresses = network.addresses().filter(early).cloned().collect();
    without.replace_links(network.links().cloned().collect(), addresses);
    without
}

/// Checks the default routes through a link. `early` is the network without the addresses that may arrive late.
fn candidate<'a>(network: &Network, early: &Network, link: &'a Link, now: Moment) -> Candidate<'a> {
    let mut candidate = Candidate { link, defaults: Vec::new(), borrowing: Vec::new() };
    for family in Family::BOTH {
        if !default_routes(network, family).any(|route| leaves_through(route, link)) {
            continue;
        }
        match (judged(early, link, family, now), judged(network, link, family, now)) {
            (Err(_), Ok(UsableDefault { route, source, .. })) => candidate.borrowing.push(format!(
                "{route} ({family}): the kernel sends from {source}, and {} may start after the network",
                source.ifname
            )),
            (judged, _) => candidate.defaults.push((family, judged)),
        }
    }
    candidate
}

/// Checks a family's default route through a link in the same way as a gate. First it checks for a clause that
/// names the link. If the link has no source address, it checks for a clause that names no link, because the host
/// may send from an address of another link.
fn judged(network: &Network, link: &Link, family: Family, now: Moment) -> JudgedDefault {
    let links = Links {
        entries: vec![LinkName::Exact(link.ifname.clone())],
        exclude: Vec::new(),
        quorum: Quorum::Each,
        implied: false,
    };
    match met_by(network, Subject::Links(links), family, now) {
        Ok((route, source)) => Ok(UsableDefault { route, source, of_link: true }),
        Err(Some(reason)) if matches!(*reason, Reason::NoSource { source: None, .. }) => {
            let of_host = met_by(network, Subject::Host { needed: 1 }, family, now);
            let through_it = of_host.ok().filter(|(route, _)| route.ifindex == link.ifindex);
            through_it
                .map(|(route, source)| UsableDefault { route, source, of_link: false })
                .ok_or(Some(reason))
        }
        Err(reason) => Err(reason),
    }
}

fn met_by(
    network: &Network,
    subject: Subject,
    family: Family,
    now: Moment,
) -> Result<(RouteRef, AddressRef), Option<Box<Reason>>> {
    let items = vec![default_of(family)];
    let clause = Clause { subject, items, grace: None, if_present: None, recheck: None };
    let verdict = evaluate(&Gate { clauses: vec![clause], ..survey() }, network, now);
    match verdict.rows().next().map(|(_, row)| &row.outcome) {
        Some(Outcome::Met(Evidence::Route { route, source })) => Ok((route.clone(), source.clone())),
        Some(Outcome::Unmet(reason)) => Err(Some(Box::new(reason.clone()))),
        Some(Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked) | None => Err(None),
    }
}

/// Makes the item `route = "default-ipv4"` or `route = "default-ipv6"`.
pub fn default_of(family: Family) -> Item {
    Item::Route(RouteSpec { destination: Destination::DefaultOf(family), table: Table::MAIN })
}

/// Drops a dead default route if the family has a live one. If a family has only dead ones, the host does not work
/// now, so the gate asks for them and is refused. There is one exception: a router may advertise itself but no
/// prefix. Then IPv6 never has a source address. Such a route is dropped if the other family has a live default
/// route.
fn drop_dead_defaults(network: &Network, candidates: &mut [Candidate<'_>], left_out: &mut Vec<String>) {
    let live = |family: Option<Family>| {
        candidates
            .iter()
            .flat_map(|candidate| &candidate.defaults)
            .any(|(of, judged)| judged.is_ok() && family.is_none_or(|family| family == *of))
    };
    let any_is_live = live(None);
    let live: Vec<Family> = Family::BOTH.into_iter().filter(|family| live(Some(*family))).collect();
    for candidate in candidates {
        let on_its_way = |family| {
            let mut addresses = network.addresses_of(candidate.link.ifindex);
            addresses.any(|address| {
                let unusable = address.tentative() || address.dadfailed();
                Family::of(address.local) == family && address.global() && unusable
            })
        };
        candidate.defaults.retain(|(family, judged)| {
            let Err(reason) = judged else { return true };
            let sourceless =
                matches!(reason.as_deref(), Some(Reason::NoSource { .. })) && !on_its_way(*family);
            let drop = live.contains(family) || (any_is_live && sourceless);
            if let (true, Some(reason)) = (drop, reason) {
                left_out.push(format!("{reason} ({family})"));
            }
            !drop
        });
    }
}

/// Returns what the gate asks of a link. The error says why it asks for nothing.
fn wanted_link<'a>(
    network: &Network,
    candidate: Candidate<'a>,
    routed: bool,
) -> Result<WantedLink<'a>, String> {
    let Candidate { link, defaults, borrowing } = candidate;
    let ifname = &link.ifname;
    if let (Err(why), true) = (network.carrier(link), defaults.is_empty()) {
        return Err(Reason::Carrier { ifname: ifname.clone(), why }.to_string());
    }
    let addresses: Vec<&Address> = network
        .addresses_of(link.ifindex)
        .filter(|address| address.global() && !address.temporary() && !address.deprecated())
        .collect();
    let wanted = addresses.iter().filter(|address| {
        let family = Family::of(address.local);
        // On a host without any default route, a leased address is all that the gate can ask for.
        address.permanent() || !routed || defaults.iter().any(|(of, _)| *of == family)
    });
    let wanted: BTreeSet<Family> = wanted.map(|address| Family::of(address.local)).collect();
    if wanted.is_empty() && defaults.is_empty() {
        let why = match (borrowing.is_empty(), addresses.is_empty()) {
            (false, _) => &borrowing.join("; "),
            (true, true) => "no address",
            (true, false) => "its address is leased, and no default route leads through it",
        };
        return Err(format!("{ifname}: {why}"));
    }
    let name = name::lasting(network, link);
    let defaults = defaults.into_iter().map(|(family, judged)| {
        let (route, source_elsewhere) = match judged {
            Ok(UsableDefault { route, source, of_link }) => (Some(route), (!of_link).then_some(source)),
            Err(_) => (None, None),
        };
        DefaultRoute { family, route, source_elsewhere }
    });
    let defaults = defaults.collect();
    Ok(WantedLink { link, name, defaults, addresses: wanted })
}

/// Returns why the gate does not ask for this exact address. It asks for addresses by their family.
fn unasked(wanted: &WantedLink<'_>, address: &Address) -> String {
    let (local, ifname) = (address.local, &wanted.link.ifname);
    let family = Family::of(local);
    let why = if address.temporary() {
        "temporary (privacy), so the next one will differ".to_owned()
    } else if !wanted.addresses.contains(&family) {
        format!("no default route of {family} leads through {ifname}, and it is leased")
    } else if address.permanent() {
        format!("static; if a service binds it, require address = \"{local}\"")
    } else {
        "leased, so the next one may differ".to_owned()
    };
    format!("{local} on {ifname}: {why}")
}
