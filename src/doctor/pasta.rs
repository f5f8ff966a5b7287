//! Examines what pasta would choose now, and whether the gate requires the same.

use super::{DoctorReport, Finding, FindingCode, Host};
use crate::clock;
use crate::config::{self, GateRequest};
use crate::escape::shell_word;
use crate::evaluate::{evaluate, matching};
use crate::model::Network;
use crate::quadlet::{Manager, Unit};
use crate::report::next_step_of;
use crate::requirement::{Gate, Item, Subject};
use crate::verdict::{Outcome, PastaFault, Reason, Verdict, Warning};

/// Examines what pasta would choose if a container of the user started now.
pub fn look(host: &Host, quadlets: &[Unit], network: &Network, report: &mut DoctorReport) {
    let waiting: Vec<&Unit> = quadlets.iter().filter(|unit| unit.kind.needs_network()).collect();
    if waiting.is_empty() {
        return;
    }
    let Ok(gate) = config::parse("pasta", "built-in", "[[require]]\npasta = true\n") else { return };
    let verdict = evaluate(&gate, network, clock::now());
    if !verdict.unread.is_empty() {
        return report.unseen("what pasta would take", "the network kept changing");
    }
    report.findings.extend(fit(&verdict));
    report.notes.extend(offline(&verdict));
    let mut gates: Vec<&str> =
        waiting.iter().map(|unit| unit.gate().unwrap_or(Manager::User.main_gate())).collect();
    gates.sort_unstable();
    gates.dedup();
    for name in gates {
        let request = GateRequest { gate: Some(name.to_owned()), ..GateRequest::default() };
        // The errors of a gate are reported by the module `gates`.
        let Ok(loaded) = config::load(&request, &host.environment, &config::NoLinks) else { continue };
        report.findings.extend(another(&loaded.gate, &verdict, network));
    }
}

fn reason(verdict: &Verdict) -> Option<&Reason> {
    verdict.rows().find_map(|(_, row)| match &row.outcome {
        Outcome::Unmet(reason) => Some(reason),
        Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => None,
    })
}

fn fit(verdict: &Verdict) -> Vec<Finding> {
    let finding = |code, subject: &str, what: String| Finding {
        code,
        subject: format!("interface {subject}"),
        what,
        seen: "the main routing table, in the order in which pasta reads it".to_owned(),
        mend: vec![
            "ip route; ip -6 route    # pasta takes the first default route, or else the first route"
                .to_owned(),
            format!(
                "pasta_options = [\"-i\", \"NAME\"] in the [network] section of containers.conf names another link than {subject}"
            ),
        ],
    };
    let mut findings = Vec::new();
    if let Some(reason @ Reason::Pasta { route: Some(route), default, why }) = reason(verdict) {
        let mut unfit = finding(FindingCode::PastaUnfit, &route.ifname, reason.to_string());
        if *default && matches!(why, PastaFault::Carrier(_)) {
            // The routes are as they should be: the link is at fault, as with a cable that was pulled.
            if let (Some(step), Some(first)) = (next_step_of(reason, None), unfit.mend.first_mut()) {
                *first = format!(
                    "{step}; containers that have started keep their network until they are restarted"
                );
            }
        }
        findings.push(unfit);
    }
    for warning in &verdict.warnings {
        if let Warning::PastaMultipath(route) = warning {
            findings.push(finding(FindingCode::PastaMultipath, &route.ifname, warning.to_string()));
        }
    }
    findings
}

/// The note about a host that is offline. This is no fault: pasta starts in its local mode and recovers by itself,
/// except for DNS.
fn offline(verdict: &Verdict) -> Option<String> {
    let nothing = matches!(reason(verdict)?, Reason::Pasta { route: None, .. });
    nothing.then(|| {
        "this host has no network now; a container that starts now uses pasta's local mode".to_owned()
    })
}

/// The finding about a gate that names links but not the one that pasta chooses.
fn another(gate: &Gate, verdict: &Verdict, network: &Network) -> Option<Finding> {
    let taken = verdict.pasta_choice()?;
    // With pasta = true, the gate accepts any usable choice of pasta.
    if gate.clauses.iter().any(|clause| clause.items.contains(&Item::Pasta)) {
        return None;
    }
    let mut named = Vec::new();
    for clause in gate.clauses.iter().filter(|clause| clause.grace.is_none()) {
        if let Subject::Links(links) = &clause.subject {
            named.extend(matching(links, network));
        }
    }
    let first = taken.first()?;
    let among = taken.iter().any(|route| named.iter().any(|link| link.ifindex == route.ifindex));
    if named.is_empty() || among {
        return None;
    }
    let names: Vec<&str> = named.iter().map(|link| link.ifname.as_str()).collect();
    Some(Finding {
        code: FindingCode::PastaOther,
        subject: format!("gate {}", gate.name),
        what: format!("asks for {}, and pasta takes {}", names.join(", "), first.ifname),
        seen: format!("{}; the main routing table", gate.source),
        mend: vec![
            format!(
                "netready cat {}    # name {}, or write pasta = true",
                shell_word(&gate.name),
                first.ifname
            ),
            format!(
                "or pasta_options = [\"-i\", \"{}\"] in the [network] section of containers.conf",
                names.first().unwrap_or(&"")
            ),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use netready_core::testing::{NOW, gate, network};

    const UP: &str = "docker0: nocarrier kind=bridge; addr docker0 172.17.0.1/16; e0: up; addr e0 192.0.2.10/24; e1: up; addr e1 198.51.100.10/24";
    const E0: &str = "pasta6; pasta4 default4 via 192.0.2.1 dev e0";

    /// The routes of a link whose cable was pulled are right; those that lead to docker0 are not.
    #[test]
    fn a_pulled_cable_is_not_mended_by_other_routes() {
        for (routes, first) in [
            (
                "pasta6; pasta4 default4 via 192.0.2.1 dev e0 linkdown",
                "check what e0 is connected to: a cable, a switch port, an access point or a peer; \
                 containers that have started keep their network until they are restarted",
            ),
            (
                "pasta6; pasta4 172.17.0.0/16 dev docker0 linkdown",
                "ip route; ip -6 route    # pasta takes the first default route, or else the first route",
            ),
        ] {
            let network = network(&format!("{}; {routes}", UP.replace("e0: up", "e0: nocarrier")));
            let findings = fit(&evaluate(&gate("pasta=true"), &network, NOW));
            let mend: Vec<&str> =
                findings.iter().filter_map(|finding| Some(finding.mend.first()?.as_str())).collect();
            assert_eq!(mend, [first], "{routes}");
        }
    }

    /// Each row: the routes, a gate, and the findings and notes.
    #[test]
    fn choices_of_pasta_have_their_findings() {
        for (routes, gate_text, expected) in [
            (E0, "pasta=true", ""),
            (E0, "interface=\"e0\"", ""),
            (E0, "interface=[\"e0\",\"e1\"]", ""),
            (E0, "route=\"default\"", ""),
            (E0, "interface=\"e1\"", "pasta-other gate test: asks for e1, and pasta takes e0"),
            // The gate also requires a link for storage, together with what pasta chooses.
            (E0, "interface=\"e1\"|pasta=true", ""),
            (
                "pasta4; pasta6",
                "pasta=true",
                "note this host has no network now; a container that starts now uses pasta's local mode",
            ),
            (
                "pasta6; pasta4 172.17.0.0/16 dev docker0 linkdown",
                "pasta=true",
                "pasta-unfit interface docker0: pasta would take docker0 (172.17.0.0/16, as there is no default route), which has no carrier",
            ),
            ("pasta6; pasta4 192.0.2.0/24 dev e0", "pasta=true", "pasta-unfit interface e0: "),
        ] {
            let network = network(&format!("{UP}; {routes}"));
            let pasta = gate("pasta=true");
            let verdict = evaluate(&pasta, &network, NOW);
            let another = another(&gate(gate_text), &verdict, &network);
            let findings = fit(&verdict).into_iter().chain(another);
            let found: Vec<String> = findings
                .map(|f| format!("{} {}: {}", f.code.as_str(), f.subject, f.what))
                .chain(offline(&verdict).map(|note| format!("note {note}")))
                .collect();
            let found = found.join(" | ");
            let begins = !expected.is_empty() && expected.ends_with(": ");
            assert!(
                found == expected || (begins && found.starts_with(expected)),
                "{routes}, {gate_text}: {found}"
            );
        }
    }
}
