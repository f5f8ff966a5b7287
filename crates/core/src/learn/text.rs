//! The text of a learned gate file.

use core::fmt::Write;
use core::time::Duration;

use crate::config::clause_text;
use crate::history::boots::Late;
use crate::learn::name::counted;
use crate::learn::select::{DefaultRoute, Selection, WantedLink, default_of};
use crate::learn::{Containers, LearnRequest};
use crate::model::{Nameservers, Network};
use crate::requirement::{AddressSpec, Clause, Family, Item, LinkName, Links, Quorum, Subject};

const HOST: &str = "\
timeout            = \"90s\"  # then give up: the boot goes on, and systemctl status says what was missing
no-carrier-timeout = \"30s\"  # give up earlier if none of these links has had carrier
";

const CONTAINERS: &str = "\
timeout            = \"5min\"  # wait long, because a half-configured network does lasting harm to containers
no-carrier-timeout = \"90s\"   # a host that is wholly offline may start the containers
settle             = \"1s\"    # pasta dies if carrier is lost again while switch ports negotiate
";

/// How long containers wait for a nameserver after everything else is met. The built-in gate uses the same time.
const GRACE: Duration = Duration::from_secs(10);

/// Writes the gate file that asks for the selected links. Its comments say what was left out.
pub fn file(
    request: LearnRequest<'_>,
    selection: &Selection<'_>,
    late: &[&Late],
    network: &Network,
) -> String {
    let mut out = String::new();
    let gate = request.gate;
    comment(&mut out, &format!("Gate {gate}: what `netready learn` found on this host."));
    comment(
        &mut out,
        "Edit it as you like; netready.toml(5) describes every key. Add grace = \"10s\" to a clause if",
    );
    comment(
        &mut out,
        "what it asks for may come late. Delete a clause if what it asks for is not always there.",
    );
    comment(&mut out, &format!("To see its state now: netready check {gate}"));
    if let Some(containers) = request.containers {
        about(&mut out, containers);
    }
    out.push('\n');
    out.push_str(if request.containers.is_some() { CONTAINERS } else { HOST });
    for wanted in &selection.links {
        out.push('\n');
        of_link(&mut out, wanted, &selection.links);
        for default in &wanted.defaults {
            of_the_host(&mut out, wanted, default);
        }
    }
    for late in late {
        came_late(&mut out, late);
    }
    if let Some(containers) = request.containers {
        pasta(&mut out, containers, selection);
    }
    if let Nameservers::First(server) = &network.nameservers {
        out.push('\n');
        comment(&mut out, &format!("resolv.conf names {server}."));
        let grace = request.containers.map(|_| GRACE);
        out.push_str(&clause_text(&of_host(Item::Nameserver, grace)));
    }
    if !selection.left_out.is_empty() {
        out.push('\n');
        comment(&mut out, "Not asked for:");
        for line in &selection.left_out {
            comment(&mut out, &format!("  {line}"));
        }
    }
    out
}

fn about(out: &mut String, containers: &Containers) {
    let with_static_ip = &containers.with_static_ip;
    if !with_static_ip.is_empty() {
        let list = with_static_ip.join(", ");
        comment(
            out,
            &format!("These have an IP= of their own, which they lose for good if pasta fails: {list}."),
        );
    }
}

fn of_link(out: &mut String, wanted: &WantedLink<'_>, all: &[WantedLink<'_>]) {
    let ifname = &wanted.link.ifname;
    match &wanted.name {
        LinkName::Exact(name) if name == ifname => {}
        LinkName::Exact(_) | LinkName::Glob(_) | LinkName::Mac(_) => {
            comment(
                out,
                &format!("Its name is {ifname} now, but the kernel may give that name to another card."),
            );
        }
    }
    if let (LinkName::Exact(name), "") = (&wanted.name, wanted.link.kind.as_str()) {
        if counted(name) {
            let why = "the kernel may give this name to another card, and this card has no lasting name";
            comment(out, &format!("{ifname}: {why}."));
        }
    }
    for default in &wanted.defaults {
        if let Some(route) = &default.route {
            let metric = if route.metric == 0 { String::new() } else { format!(" metric {}", route.metric) };
            comment(out, &format!("{route}{metric}"));
        }
    }
    for family in Family::BOTH {
        let has = |wanted: &&WantedLink<'_>| wanted.defaults.iter().any(|default| default.family == family);
        let others: Vec<&str> = all.iter().filter(has).map(|wanted| wanted.link.ifname.as_str()).collect();
        if has(&wanted) && others.len() > 1 {
            let list = others.join(", ");
            comment(
                out,
                &format!(
                    "{family} has default routes through {list}. If one of these links is enough, write"
                ),
            );
            comment(out, "one clause that has all of them as its interface, and quorum = \"any\".");
        }
    }
    if wanted.defaults.is_empty() {
        comment(out, &format!("{ifname}: no default route leads through it."));
    }
    let addresses = wanted.addresses.iter().map(|family| Item::Address(AddressSpec::Family(*family)));
    let of_link = wanted.defaults.iter().filter(|default| default.source_elsewhere.is_none());
    let routes = of_link.map(|default| default_of(default.family));
    let links = Links {
        entries: vec![wanted.name.clone()],
        exclude: Vec::new(),
        quorum: Quorum::Each,
        implied: false,
    };
    let items = core::iter::once(Item::Carrier).chain(addresses).chain(routes).collect();
    out.push_str(&clause_text(&Clause {
        subject: Subject::Links(links),
        items,
        grace: None,
        if_present: None,
        recheck: None,
    }));
}

/// Writes a clause for a default route whose source address is on another link, as on a router with a delegated
/// prefix. Only a clause without links can ask for this route.
fn of_the_host(out: &mut String, wanted: &WantedLink<'_>, default: &DefaultRoute) {
    if let Some(source) = &default.source_elsewhere {
        out.push('\n');
        let (family, ifname) = (default.family, &wanted.link.ifname);
        comment(
            out,
            &format!(
                "{ifname} has no {family} address to send from. The kernel uses {source}, so this clause"
            ),
        );
        comment(out, "names no link.");
        out.push_str(&clause_text(&of_host(default_of(family), None)));
    }
}

/// Writes a clause for a family that arrived after the gate was ready in each of the last boots.
fn came_late(out: &mut String, late: &Late) {
    out.push('\n');
    let Late { family, boots, most, .. } = late;
    let most = most.as_secs_f64();
    comment(
        out,
        &format!("At each of the last {boots} boots, {family} came after everything else, {most:.1}s"),
    );
    comment(out, "later at most. So this clause waits for it, but only for a limited time.");
    out.push_str(&late.clause_text());
}

fn pasta(out: &mut String, containers: &Containers, selection: &Selection<'_>) {
    out.push('\n');
    let routed = selection.links.iter().any(|wanted| !wanted.defaults.is_empty());
    if !containers.need_pasta() {
        comment(out, "There is no pasta = true, because the containers use the host's network, or none.");
    } else if routed {
        comment(out, "For each address family, the link that pasta would take is usable.");
        out.push_str(&clause_text(&of_host(Item::Pasta, None)));
    } else {
        comment(out, "There is no pasta = true: it asks for a default route, and no link above has one.");
    }
}

fn of_host(item: Item, grace: Option<Duration>) -> Clause {
    Clause { subject: Subject::Host { needed: 1 }, items: vec![item], grace, if_present: None, recheck: None }
}

/// Writes a comment line. Names and servers come from elsewhere and TOML forbids control characters, so they become
/// `?`.
fn comment(out: &mut String, line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# {}", line.trim_end());
}
