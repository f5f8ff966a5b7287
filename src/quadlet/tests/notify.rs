//! `NotifyAccess=all`: without it, systemd does not hear that a wait or a pull before the start goes on.

use super::*;

/// The drop-in's lines for the service, with a required gate and with a pull.
fn lines(name: &str, text: &str, settings: &str) -> Vec<String> {
    let text = format!("{text}\n[X-Netready]\nGate=g\n{settings}\n");
    let plan = plan(&input(Manager::System, WaitUnit::Absent, &[(name, &text)]));
    let text = plan.drop_ins.into_iter().next().map(|drop_in| drop_in.text).unwrap_or_default();
    let service = text.split_once("[Service]\n").map(|(_, service)| service.to_owned()).unwrap_or_default();
    service.lines().map(|line| line.split(" --").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn units_that_wait_or_pull_before_their_start_are_heard() {
    const WAIT: &str = "ExecStartPre=/usr/bin/netready wait g";
    const PULL: &str = "ExecStartPre=/usr/bin/netready pull";
    const ALL: &str = "NotifyAccess=all";
    const UNLIMITED: &str = "TimeoutStartSec=infinity";
    let container = |service: &str| format!("{APP}[Service]\n{service}");
    for (name, text, settings, lines_said) in [
        // Podman writes it itself, whatever the quadlet says.
        ("a.container", container(""), "GateRequired=yes", &[UNLIMITED, WAIT][..]),
        ("a.container", container("Type=notify\nNotifyAccess=none"), "PullRetry=2", &[PULL]),
        ("k.kube", "[Kube]\nYaml=k.yml\n".to_owned(), "GateRequired=yes", &[UNLIMITED, WAIT]),
        // systemd starts it again after a timeout, or not.
        ("a.container", container("Restart=always"), "GateRequired=yes", &[WAIT]),
        ("a.container", container("Restart=on-failure"), "GateRequired=yes", &[WAIT]),
        ("a.container", container("Restart=on-abnormal"), "GateRequired=yes", &[WAIT]),
        ("a.container", container("Restart=on-success"), "GateRequired=yes", &[UNLIMITED, WAIT]),
        ("a.container", container("TimeoutStartSec=900"), "GateRequired=yes", &[WAIT]),
        // Not of one-shots.
        (
            "a.container",
            container("Type=oneshot\nTimeoutStartSec=900"),
            "GateRequired=yes\nPullRetry=8",
            &[ALL, WAIT, PULL],
        ),
        ("a.container", container("Type=oneshot"), "PullRetry=8", &[ALL, PULL]),
        ("a.container", container("Type=oneshot\nNotifyAccess=main"), "GateRequired=yes", &[ALL, WAIT]),
        (
            "k.kube",
            "[Kube]\nYaml=k.yml\n[Service]\nType=oneshot\n".to_owned(),
            "GateRequired=yes",
            &[ALL, WAIT],
        ),
        // The other kinds are one-shots, or fork.
        (
            "b.build",
            "[Build]\nImageTag=i\n[Service]\nTimeoutStartSec=60".to_owned(),
            "GateRequired=yes",
            &[ALL, WAIT],
        ),
        ("i.image", "[Image]\nImage=r/i\n".to_owned(), "GateRequired=yes", &[ALL, WAIT]),
        (
            "i.image",
            "[Image]\nImage=r/i\n[Service]\nNotifyAccess=none".to_owned(),
            "PullRetry=1",
            &[ALL, PULL],
        ),
        ("a.artifact", "[Artifact]\nArtifact=r/a\n".to_owned(), "GateRequired=yes", &[ALL, WAIT]),
        ("p.pod", "[Pod]\n[Service]\nTimeoutStartSec=5min\n".to_owned(), "GateRequired=yes", &[ALL, WAIT]),
        // Nothing runs before the start, so nothing is to be heard.
        ("a.container", container("Type=oneshot"), "", &[]),
        ("i.image", "[Image]\nImage=r/i\n".to_owned(), "PullRetry=0", &[]),
    ] {
        assert_eq!(lines(name, &text, settings), lines_said, "{name}: {text}{settings}");
    }
}
