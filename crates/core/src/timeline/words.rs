//! Describes events in sentences.

use crate::history::{
    AddressChange, AddressWord, By, Cause, GateChange, GateWord, LinkChange, LinkWord, ProbeChange,
    ProbeWord, RequirementChange, RequirementWord, RouteChange, RouteWord, Start, What,
};
use crate::report::Span;
use crate::requirement::TABLE_MAIN;

/// Describes an event as a sentence without its full stop. Texts of others in it are not escaped.
pub fn sentence(what: &What) -> String {
    match what {
        What::Start(start) => started(start),
        What::Gate(change) => gate(change),
        What::Requirement(change) => requirement(change),
        What::Link(change) => link(change),
        What::Address(change) => address(change),
        What::Route(change) => route(change),
        What::Probe(change) => probe(change),
        What::Dropped(1) => "1 event is missing here: there were too many at once".to_owned(),
        What::Dropped(count) => format!("{count} events are missing here: there were too many at once"),
    }
}

fn started(start: &Start) -> String {
    let Start { gate, source, .. } = start;
    if start.reloaded {
        return format!("gate {gate} is read again from {source}");
    }
    match start.timeout {
        Some(timeout) => format!("netready waits for gate {gate} ({source}), at most {}", Span(timeout)),
        None => format!("netready waits for gate {gate} ({source}), without a timeout"),
    }
}

fn gate(change: &GateChange) -> String {
    let why = || change.reason.as_ref().map(|cause| format!(": {}", cause.text)).unwrap_or_default();
    match change.state {
        GateWord::Waiting => format!("the gate waits{}", why()),
        GateWord::Grace => format!("the gate waits a little for what it does not require{}", why()),
        GateWord::Settling => "everything is met and must hold".to_owned(),
        GateWord::Ready => {
            let by = change.met_by.as_ref().map(|by| format!(": {by}")).unwrap_or_default();
            format!("the gate is ready{by}")
        }
        GateWord::Opened => format!("the gate opens without being ready{}{}", because(change.by), why()),
        GateWord::Lost => format!("the gate is lost{}", why()),
        GateWord::GaveUp => format!("the gate is given up{}{}", because(change.by), why()),
        GateWord::Stopped => "netready ends".to_owned(),
    }
}

/// Says in parentheses what opened a gate or why it gave up.
pub(super) fn because(by: Option<By>) -> &'static str {
    match by {
        Some(By::Timeout) => " (its timeout passed)",
        Some(By::NoCarrier) => " (no link that the gate asks for had carrier for no-carrier-timeout)",
        Some(By::Loss) => " (it was lost, and on-loss is fail)",
        Some(By::Request) => " (by SIGUSR1)",
        Some(By::Reload) => " (another gate was read while it was open)",
        Some(By::KernelLine) => " (by netready.open on the kernel command line)",
        None => "",
    }
}

/// Names an item, and the link that it is checked for.
pub(super) fn requirement_name(requirement: &str, link: Option<&str>) -> String {
    match link {
        Some(link) => format!("{requirement} of {link}"),
        None => requirement.to_owned(),
    }
}

fn requirement(change: &RequirementChange) -> String {
    let name = requirement_name(&change.requirement, change.link.as_deref());
    let state = requirement_state(change);
    match change.state {
        RequirementWord::Met | RequirementWord::Unmet => format!("{name} is {state}"),
        RequirementWord::NotPresent | RequirementWord::NotAsked | RequirementWord::NotNeeded => {
            format!("{name} {state}")
        }
    }
}

/// Describes the state of an item, without its name.
pub(super) fn requirement_state(change: &RequirementChange) -> String {
    let after = |text: Option<&str>| text.map(|text| format!(": {text}")).unwrap_or_default();
    match change.state {
        RequirementWord::Met => format!("met{}", after(change.met_by.as_deref())),
        RequirementWord::Unmet => {
            format!("unmet{}", after(change.reason.as_ref().map(|cause: &Cause| cause.text.as_str())))
        }
        RequirementWord::NotPresent => "does not count, because it is not there".to_owned(),
        RequirementWord::NotAsked => "is not asked, because probes are off".to_owned(),
        RequirementWord::NotNeeded => "is not needed".to_owned(),
    }
}

fn link(change: &LinkChange) -> String {
    let name = &change.link;
    let news = match (change.was, change.state) {
        (None, state) => format!("{name} is there, {}", link_state(state)),
        (Some(_), LinkWord::Gone) => format!("{name} is gone"),
        (Some(was), state) if was == state && change.flaps > 0 => {
            format!("{name} lost carrier and has it again")
        }
        (Some(was), state) if was == state => format!("{name} is the new name of link {}", change.ifindex),
        (Some(LinkWord::Carrier), LinkWord::NoCarrier) => format!("{name} lost carrier"),
        (Some(_), LinkWord::Carrier) => format!("{name} has carrier"),
        (Some(_), state) => format!("{name} is {}", link_state(state)),
    };
    match change.flaps {
        0 => news,
        1 => format!("{news} (carrier was lost once in between)"),
        times => format!("{news} (carrier was lost {times} times in between)"),
    }
}

pub(super) fn link_state(state: LinkWord) -> &'static str {
    match state {
        LinkWord::Down => "administratively down",
        LinkWord::NoCarrier => "up without carrier",
        LinkWord::Dormant => "dormant (it waits for something such as 802.1X)",
        LinkWord::Carrier => "up with carrier",
        LinkWord::Gone => "gone",
    }
}

fn address(change: &AddressChange) -> String {
    let (link, address) = (&change.link, change.address);
    let peer = change.peer.map(|peer| format!(" peer {peer}")).unwrap_or_default();
    match change.state {
        AddressWord::Usable => format!("{link} has address {address}{peer}"),
        AddressWord::Tentative => format!("{link} has address {address}{peer}, still tentative"),
        AddressWord::Duplicate => format!("{link} cannot use {address}{peer}: another host has it"),
        AddressWord::Deprecated => format!("{link} has address {address}{peer}, deprecated"),
        AddressWord::Gone => format!("{link} lost address {address}{peer}"),
    }
}

pub(super) fn address_state(state: AddressWord) -> &'static str {
    match state {
        AddressWord::Usable => "usable",
        AddressWord::Tentative => "tentative",
        AddressWord::Duplicate => "another host has it",
        AddressWord::Deprecated => "deprecated",
        AddressWord::Gone => "gone",
    }
}

/// Names a route as ip(8) does.
pub(super) fn route_name(change: &RouteChange) -> String {
    let mut name = match (change.destination.prefix_len(), change.destination.addr().is_ipv4()) {
        (0, true) => "default".to_owned(),
        (0, false) => "default (IPv6)".to_owned(),
        _ => change.destination.to_string(),
    };
    let mut add = |word: &str, value: String| {
        name.push_str(word);
        name.push_str(&value);
    };
    if let Some(gateway) = change.gateway {
        add(" via ", gateway.to_string());
    }
    if let Some(link) = &change.link {
        add(" dev ", link.clone());
    }
    if change.table != TABLE_MAIN {
        add(" table ", change.table.to_string());
    }
    if change.metric != 0 {
        add(" metric ", change.metric.to_string());
    }
    name
}

fn route(change: &RouteChange) -> String {
    let name = route_name(change);
    match change.state {
        RouteWord::Added => format!("route {name} is there"),
        RouteWord::Dead => {
            format!("route {name} is there, but its next hop is dead or its link has no carrier")
        }
        RouteWord::Replaced => format!("route {name} is not used any more"),
        RouteWord::Gone => format!("route {name} is gone"),
    }
}

fn probe(change: &ProbeChange) -> String {
    match change.state {
        ProbeWord::Answered => format!("{} is answered: {}", change.probe, change.text),
        ProbeWord::Failed => format!("{} fails: {}", change.probe, change.text),
    }
}

/// Puts the reason of an event into the past tense: `e0 has no carrier` becomes `e0 had no carrier`.
///
/// Events have only the present tense. The verbs are those of the reasons in [`report`](crate::report). A link's
/// name may be equal to such a verb, so its name is not changed.
pub fn past(text: &str, link: Option<&str>) -> String {
    let mut link = link;
    let words = text.split(' ').enumerate().map(|(index, word)| {
        // Skip the first word and the first occurrence of the link's name.
        if link.take_if(|link| *link == word).is_some() || index == 0 {
            return word;
        }
        match word {
            "has" => "had",
            "is" => "was",
            "are" => "were",
            "matches" => "matched",
            "names" => "named",
            "cannot" => "could not",
            _ => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
