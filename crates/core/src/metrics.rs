//! Writes the state of gates as Prometheus text: for `metrics`, and for the text file of `run`.

use core::fmt::Write;
use core::time::Duration;

use crate::escape::escape;
use crate::history::{Cause, GateWord};
use crate::moment::Moment;
use crate::overview::KeptGate;
use crate::snapshot::Snapshot;

/// A metric. Names, units and meanings do not change. New versions only add metrics and labels.
struct Metric {
    name: &'static str,
    /// One sentence. It is the same for all gates, because node_exporter refuses two texts for one metric.
    help: &'static str,
    kind: &'static str,
    /// Returns the samples of a gate. There are none if the gate has no value.
    samples: fn(&KeptGate, Duration) -> Vec<Sample>,
}

type Label = (&'static str, String);

/// A value, with its labels in addition to those of the gate.
struct Sample {
    labels: Vec<Label>,
    value: String,
}

const METRICS: [Metric; 8] = [
    Metric {
        name: "netready_gate_info",
        help: "Always 1. The labels say where the gate comes from, and which version of netready keeps it.",
        kind: "gauge",
        samples: |gate, _| {
            let labels =
                vec![("source", gate.snapshot.source.clone()), ("version", gate.snapshot.version.clone())];
            vec![Sample { labels, value: "1".to_owned() }]
        },
    },
    Metric {
        name: "netready_gate_ready",
        help: "1 if every requirement of the gate is met, else 0. It is 0 for a gate that opened without being ready.",
        kind: "gauge",
        samples: |gate, _| one(u8::from(gate.state() == GateWord::Ready).to_string()),
    },
    Metric {
        name: "netready_gate_state",
        help: "The state of the gate: 1 for the present one, 0 for the others.",
        kind: "gauge",
        samples: |gate, _| {
            let sample = |state: &GateWord| Sample {
                labels: vec![("state", state.as_str().to_owned())],
                value: u8::from(gate.state() == *state).to_string(),
            };
            GateWord::ALL.iter().map(sample).collect()
        },
    },
    Metric {
        name: "netready_gate_state_timestamp_seconds",
        help: "When the present state of the gate began, in seconds since 1970.",
        kind: "gauge",
        samples: |gate, boot| gate.since().map(|since| one(unix(boot, since))).unwrap_or_default(),
    },
    Metric {
        name: "netready_gate_start_time_seconds",
        help: "When netready began to keep the gate, in seconds since 1970.",
        kind: "gauge",
        samples: |gate, boot| one(unix(boot, gate.snapshot.started)),
    },
    Metric {
        name: "netready_gate_ready_duration_seconds",
        help: "How long it took from the start of netready until the gate was ready for the first time.",
        kind: "gauge",
        samples: |gate, _| {
            let after = gate.snapshot.ready_after;
            after.map(|after| one(format!("{:.6}", after.as_secs_f64()))).unwrap_or_default()
        },
    },
    Metric {
        name: "netready_gate_losses_total",
        help: "How often the gate was lost after it was ready, since the host started.",
        kind: "counter",
        samples: |gate, _| one(gate.snapshot.losses.to_string()),
    },
    Metric {
        name: "netready_gate_unmet_info",
        help: "Always 1. The labels are the code of the first reason why the gate is not ready, and the link at fault.",
        kind: "gauge",
        samples: |gate, _| {
            let sample = |reason: &Cause| Sample {
                labels: vec![
                    ("code", reason.code.as_str().to_owned()),
                    ("link", reason.link.clone().unwrap_or_default()),
                ],
                value: "1".to_owned(),
            };
            gate.reason().map(sample).into_iter().collect()
        },
    },
];

fn one(value: String) -> Vec<Sample> {
    vec![Sample { labels: Vec::new(), value }]
}

/// Writes the metrics of these gates. `boot` is the time from 1970 until the host started, by the present clock.
///
/// A gate can be kept twice, for example by a unit and by hand. Then the first one in `gates` counts.
pub fn metrics_text(gates: &[KeptGate], boot: Duration) -> String {
    let mut text = String::new();
    let is_first = |(at, gate): &(usize, &KeptGate)| {
        !gates.iter().take(*at).any(|other| gate_labels(other) == gate_labels(gate))
    };
    let gates: Vec<&KeptGate> = gates.iter().enumerate().filter(is_first).map(|(_, gate)| gate).collect();
    for Metric { name, help, kind, samples } in &METRICS {
        let samples = gates
            .iter()
            .copied()
            .flat_map(|gate| samples(gate, boot).into_iter().map(move |sample| (gate_labels(gate), sample)));
        let lines = samples.map(|(of_gate, Sample { labels, value })| {
            let all: Vec<String> = of_gate.into_iter().chain(labels).map(label).collect();
            format!("{name}{{{}}} {value}\n", all.join(","))
        });
        let lines: String = lines.collect();
        if !lines.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
    }
    text
}

/// Returns the labels that distinguish a gate from every other gate of the host.
fn gate_labels(gate: &KeptGate) -> Vec<Label> {
    let mut labels = vec![("gate", gate.snapshot.gate.clone())];
    match gate.user {
        Some(uid) => labels.extend([("scope", "user".to_owned()), ("uid", uid.to_string())]),
        None => labels.push(("scope", "system".to_owned())),
    }
    labels
}

/// Writes a label. The format requires escapes for backslash and quote. `escape` has replaced line breaks.
fn label((name, value): Label) -> String {
    let value = escape(&value).replace('\\', r"\\").replace('"', "\\\"");
    format!("{name}=\"{value}\"")
}

fn unix(boot: Duration, moment: Moment) -> String {
    format!("{:.3}", boot.saturating_add(moment.since_boot()).as_secs_f64())
}

/// Whether the text file must be written in this state of the gate. `last` is the state in the file.
///
/// The file is not written if only the time has changed.
pub fn is_due(last: Option<&Snapshot>, now: &Snapshot) -> bool {
    let code_and_link = |snapshot: &Snapshot| {
        snapshot.reason.as_ref().map(|reason| (reason.code.clone(), reason.link.clone()))
    };
    last.is_none_or(|last| {
        (last.state, last.since, last.ready_after, last.losses)
            != (now.state, now.since, now.ready_after, now.losses)
            || (&last.gate, &last.source) != (&now.gate, &now.source)
            || code_and_link(last) != code_and_link(now)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Code;
    use crate::overview::tests::{at, kept, nas};

    const BOOT: Duration = Duration::from_secs(1_700_000_000);

    #[test]
    fn every_metric_is_there_once_with_help_and_type() {
        let default = kept("default", "ready");
        let text = metrics_text(&[default, nas()], BOOT);
        let expected = r#"# HELP netready_gate_info Always 1. The labels say where the gate comes from, and which version of netready keeps it.
# TYPE netready_gate_info gauge
netready_gate_info{gate="default",scope="system",source="/etc/netready/default.toml",version="0.1.0"} 1
netready_gate_info{gate="nas",scope="user",uid="1000",source="/etc/netready/nas.toml",version="0.1.0"} 1
# HELP netready_gate_ready 1 if every requirement of the gate is met, else 0. It is 0 for a gate that opened without being ready.
# TYPE netready_gate_ready gauge
netready_gate_ready{gate="default",scope="system"} 1
netready_gate_ready{gate="nas",scope="user",uid="1000"} 0
"#;
        assert!(text.starts_with(expected), "{text}");
        for line in [
            r#"netready_gate_state{gate="default",scope="system",state="ready"} 1"#,
            r#"netready_gate_state{gate="default",scope="system",state="lost"} 0"#,
            r#"netready_gate_state{gate="nas",scope="user",uid="1000",state="waiting"} 1"#,
            r#"netready_gate_state_timestamp_seconds{gate="default",scope="system"} 1700000106.000"#,
            r#"netready_gate_start_time_seconds{gate="default",scope="system"} 1700000100.000"#,
            r#"netready_gate_ready_duration_seconds{gate="default",scope="system"} 5.980000"#,
            r#"netready_gate_losses_total{gate="default",scope="system"} 1"#,
            r#"netready_gate_unmet_info{gate="nas",scope="user",uid="1000",code="no-carrier",link="e0"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
        for absent in [
            r#"netready_gate_ready_duration_seconds{gate="nas""#,
            r#"netready_gate_unmet_info{gate="default""#,
        ] {
            assert!(!text.contains(absent), "{absent} is in:\n{text}");
        }
        assert_eq!(metrics_text(&[], BOOT), "");
        // A metric without samples has no heading.
        assert!(!metrics_text(&[nas()], BOOT).contains("ready_duration"));
    }

    /// Each metric's samples follow its own heading, and no heading comes twice.
    #[test]
    fn samples_are_grouped() {
        let text = metrics_text(&[kept("a", "ready"), kept("b", "lost"), nas()], BOOT);
        let mut seen = Vec::new();
        for line in text.lines() {
            let name = match line.strip_prefix("# HELP ") {
                Some(help) => {
                    let name = help.split(' ').next().unwrap();
                    assert!(!seen.contains(&name), "{name} comes twice");
                    seen.push(name);
                    name
                }
                None => line.trim_start_matches("# TYPE ").split(['{', ' ']).next().unwrap(),
            };
            assert_eq!(seen.last(), Some(&name), "{line}");
        }
        assert_eq!(seen.len(), METRICS.len());
    }

    #[test]
    fn labels_cannot_leave_their_quotes() {
        let text = metrics_text(&[kept("a\"} 1\n\\\u{1b}[2J\u{202e}", "ready")], BOOT);
        let expected = r#"netready_gate_ready{gate="a\"} 1\\x0a\\\\x1b[2J\\u{202e}",scope="system"} 1"#;
        assert!(text.lines().any(|line| line == expected), "{text}");
    }

    #[test]
    fn if_a_gate_is_kept_twice_the_first_counts() {
        let text = metrics_text(&[kept("a", "lost"), kept("a", "ready"), kept("b", "ready")], BOOT);
        assert_eq!(text, metrics_text(&[kept("a", "lost"), kept("b", "ready")], BOOT));
        let of_user = KeptGate { user: Some(0), ..kept("a", "ready") };
        let text = metrics_text(&[kept("a", "lost"), of_user], BOOT);
        assert!(text.contains("netready_gate_ready{gate=\"a\",scope=\"user\",uid=\"0\"} 1\n"), "{text}");
    }

    #[test]
    fn a_gate_whose_process_ended_is_not_ready() {
        let mut gate = kept("default", "ready");
        gate.running = false;
        let text = metrics_text(&[gate], BOOT);
        assert!(text.contains("netready_gate_ready{gate=\"default\",scope=\"system\"} 0\n"), "{text}");
        assert!(text.contains("state=\"stopped\"} 1\n"), "{text}");
        assert!(!text.contains("state_timestamp"), "nobody knows when it ended: {text}");
    }

    #[test]
    fn a_file_is_written_in_every_state_and_for_changes_only() {
        let ready = kept("default", "ready").snapshot;
        for state in GateWord::ALL {
            let now = kept("default", state.as_str()).snapshot;
            assert!(is_due(None, &now), "{}", state.as_str());
            assert_eq!(is_due(Some(&ready), &now), *state != GateWord::Ready, "{}", state.as_str());
        }
        let changed = |change: fn(&mut Snapshot)| {
            let mut now = ready.clone();
            change(&mut now);
            is_due(Some(&ready), &now)
        };
        assert!(!changed(|now| (now.at, now.what) = (at(900), "another route".to_owned())));
        assert!(changed(|now| now.since = at(7)));
        assert!(changed(|now| now.losses = 2));
        assert!(changed(|now| now.ready_after = None));
        assert!(changed(|now| now.source = "/run".to_owned()));
        let cause = |code: &str, link: Option<&str>, text: &str| {
            let mut lost = kept("default", "lost").snapshot;
            let link = link.map(str::to_owned);
            lost.reason = Some(Cause { code: Code::read(code.to_owned()), text: text.to_owned(), link });
            lost
        };
        let lost = cause("no-carrier", Some("e0"), "a");
        for (now, due) in [
            (cause("no-carrier", Some("e0"), "b"), false),
            (cause("absent", Some("e0"), "a"), true),
            (cause("no-carrier", None, "a"), true),
        ] {
            assert_eq!(is_due(Some(&lost), &now), due, "{now:?}");
        }
    }
}
