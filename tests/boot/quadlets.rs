//! Quadlets with `[X-Netready]`: gates of their own, required gates, and images that are present.

use crate::guest::{Entry, Guest, Prepared};
use crate::life::{TESTER, cable, comes_to, seconds};
use crate::registry::{NAME_SERVER, Names};
use crate::watch::now;

/// Boots a guest with a link e0 that nobody configures and that has no carrier. tester's service manager runs.
fn boot(change: impl Fn(&Prepared)) -> Guest {
    let prepared = Prepared::new(true);
    prepared.files.linger("tester");
    change(&prepared);
    prepared.networks.cable("e0");
    prepared.boot()
}

/// A container that is started at boot.
fn container(settings: &str) -> String {
    format!(
        "[Container]\nImage=localhost/busybox:latest\nExec=sleep infinity\nStopTimeout=1\n\
         [Install]\nWantedBy=default.target\n{settings}"
    )
}

/// A gate for a LAN that leads nowhere else.
const LAN: &str = "[[require]]\ninterface = \"e0\"\naddress = \"10.9.0.0/24\"\n";

fn address(guest: &Guest) {
    guest.networks().guest("link set e0 up; addr add 10.9.0.2/24 dev e0");
}

fn default_route(guest: &Guest) {
    guest.networks().guest("route add default via 10.9.0.1");
}

fn state(guest: &Guest, unit: &str) -> String {
    guest.property(TESTER, unit, "SubState")
}

fn status(guest: &Guest, unit: &str) -> String {
    guest.property(TESTER, unit, "StatusText")
}

/// The lines that a unit of tester has written since a moment.
fn lines(journal: &[Entry], unit: &str, since: u64) -> String {
    let unit = format!("user:{unit}");
    let said = journal.iter().filter(|entry| entry.unit == unit && entry.at > since);
    said.map(|entry| format!("{}\n", entry.message)).collect()
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_gate_of_its_own_without_a_default_route() {
    crate::enter();
    let guest = boot(|prepared| {
        prepared.files.write("/etc/netready/lan.toml", LAN);
        prepared.files.quadlet("app.container", &container("[X-Netready]\nGate=lan\n"));
    });
    comes_to(&guest, "netready@lan.service", "start");
    comes_to(&guest, "netready.service", "start");
    assert_eq!([state(&guest, "app.service"), state(&guest, "seed.service")], ["dead", "dead"]);

    address(&guest);
    cable(&guest, true);
    comes_to(&guest, "app.service", "running");
    assert_eq!([state(&guest, "netready.service"), state(&guest, "seed.service")], ["start", "dead"]);
    let waiting = status(&guest, "netready.service");
    assert!(waiting.starts_with("Waiting (up to 5min") && waiting.contains("default"), "{waiting}");

    default_route(&guest);
    comes_to(&guest, "seed.service", "running");
    for unit in ["app.service", "seed.service"] {
        assert_eq!(guest.property(TESTER, unit, "NRestarts"), "0", "{unit}");
    }
    let [lan, app, podman, seed] = ["netready@lan", "app", "netready", "seed"]
        .map(|unit| guest.active_at(TESTER, &format!("{unit}.service")));
    assert!(lan < app && app < podman && podman < seed, "{lan:?} {app:?} {podman:?} {seed:?}");
}

/// A pod without a key is a unit too. Because of the gate of another quadlet, Podman's wait unit waits for nothing,
/// so the pod needs its own order.
#[test]
#[ignore = "boots take minutes: make boot"]
fn a_pod_without_a_key_beside_a_gate_of_its_own() {
    crate::enter();
    const WANTED: &str = "[Install]\nWantedBy=default.target\n";
    // A pod needs an image that keeps running by itself. The pod cannot set it here, because that would be a key.
    const POD_IMAGE: &str = "[engine]\ninfra_image = \"localhost/pause:latest\"\n";
    let mut guest = boot(|prepared| {
        prepared.files.write("/etc/containers/containers.conf.d/50-pod.conf", POD_IMAGE);
        prepared.files.write("/etc/netready/lan.toml", LAN);
        prepared.files.quadlet("web.pod", "[Pod]\n");
        prepared.files.quadlet("empty.pod", "");
        prepared.files.quadlet("member.container", &container("[Container]\nPod=web.pod\n"));
        // This gate gives up at once, so that the pod begins to start and waits by itself.
        let late = "timeout = \"2s\"\n[[require]]\nroute = \"default-ipv4\"\n";
        prepared.files.write("/etc/netready/late.toml", late);
        let required = "[X-Netready]\nGate=late\nGateRequired=yes\n[Service]\nTimeoutStartSec=12s\n";
        prepared.files.quadlet("required.pod", &format!("{required}{WANTED}"));
        prepared.files.quadlet("app.container", &container("[X-Netready]\nGate=lan\n"));
    });
    let up = |guest: &Guest| guest.property(None, "user@1000.service", "ActiveState") == "active";
    assert!(guest.soon(up), "{}", guest.console());
    let import =
        r#"podman import -q --change 'CMD ["sleep","infinity"]' /opt/image.tar localhost/pause:latest"#;
    let said = guest.sh_as("tester", &format!("{import} && echo fine"));
    assert!(said.ends_with("fine\n"), "{said}");
    guest.reboot();

    comes_to(&guest, "netready@lan.service", "start");
    comes_to(&guest, "netready.service", "start");
    comes_to(&guest, "required-pod.service", "start-pre");
    guest.sh_as("tester", "systemctl --user start --no-block empty-pod.service");
    let waiting = ["web-pod.service", "empty-pod.service", "member.service"];
    assert_eq!(waiting.map(|unit| state(&guest, unit)), ["dead"; 3]);

    address(&guest);
    cable(&guest, true);
    comes_to(&guest, "app.service", "running");
    // Wait longer than the TimeoutStartSec= of the required pod.
    std::thread::sleep(seconds(14));
    assert_eq!(waiting.map(|unit| state(&guest, unit)), ["dead"; 3]);
    assert_eq!(state(&guest, "required-pod.service"), "start-pre");

    default_route(&guest);
    for unit in ["web-pod.service", "empty-pod.service", "member.service", "required-pod.service"] {
        comes_to(&guest, unit, "running");
        assert_eq!(guest.property(TESTER, unit, "NRestarts"), "0", "{unit}");
    }
    let [app, podman, web, member] = ["app", "netready", "web-pod", "member"]
        .map(|unit| guest.active_at(TESTER, &format!("{unit}.service")));
    assert!(app < podman && podman < web && web < member, "{app:?} {podman:?} {web:?} {member:?}");
}

/// Podman makes a one-shot without `NotifyAccess=`. Without that setting, TimeoutStartSec= would end the wait.
#[test]
#[ignore = "boots take minutes: make boot"]
fn a_one_shot_outwaits_its_timeout() {
    crate::enter();
    let guest = boot(|prepared| {
        // This gate gives up at once, so that the units begin to start and wait by themselves.
        prepared.files.write("/etc/netready/lan.toml", &format!("timeout = \"2s\"\n{LAN}"));
        let settings = "[X-Netready]\nGate=lan\nGateRequired=yes\nPullRetry=2\n\
                        [Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=12s\n";
        let job = container(settings).replace("Exec=sleep infinity", "Exec=sh -c \"echo the job is done\"");
        prepared.files.quadlet("job.container", &job);
        let settings = settings.replace("RemainAfterExit=yes\n", "");
        let image = format!("[Image]\nImage=localhost/busybox:latest\n{settings}");
        prepared.files.quadlet("base.image", &format!("{image}[Install]\nWantedBy=default.target\n"));
    });
    for unit in ["job.service", "base-image.service"] {
        comes_to(&guest, unit, "start-pre");
    }
    std::thread::sleep(seconds(14));
    for unit in ["job.service", "base-image.service"] {
        assert_eq!(state(&guest, unit), "start-pre");
        let waiting = status(&guest, unit);
        assert!(waiting.starts_with("Waiting") && waiting.contains("e0"), "{unit}: {waiting}");
    }
    address(&guest);
    cable(&guest, true);
    comes_to(&guest, "job.service", "exited");
    let journal = guest.off();
    assert!(lines(&journal, "job.service", 0).contains("the job is done"));
    assert!(!journal.iter().any(|entry| entry.message.contains("timed out")), "nothing was cut short");
}

/// What a gate that gives up means for a quadlet that wants it, and for one that requires it.
#[test]
#[ignore = "boots take minutes: make boot"]
fn a_required_gate_that_gives_up() {
    crate::enter();
    let guest = boot(|prepared| {
        prepared.files.write("/etc/netready/lan.toml", &format!("timeout = \"2s\"\n{LAN}"));
        let gate = "[X-Netready]\nGate=lan\n";
        prepared.files.quadlet("wants.container", &container(gate));
        let required = format!("{gate}GateRequired=yes\n[Service]\nTimeoutStartSec=12s\n");
        prepared.files.quadlet("requires.container", &container(&required));
    });
    comes_to(&guest, "wants.service", "running");
    let wants = guest.active_at(TESTER, "wants.service");
    comes_to(&guest, "requires.service", "start-pre");
    // Wait longer than its TimeoutStartSec=, and than a second round of the gate.
    std::thread::sleep(seconds(14));
    assert_eq!(state(&guest, "requires.service"), "start-pre");
    let waiting = status(&guest, "requires.service");
    assert!(waiting.starts_with("Waiting") && waiting.contains("e0"), "{waiting}");

    address(&guest);
    cable(&guest, true);
    comes_to(&guest, "requires.service", "running");
    let container = guest.property(TESTER, "requires.service", "MainPID");
    assert_eq!(status(&guest, "requires.service"), "", "what was waited for is no news now");

    // If the gate is lost, nothing is ended. A restart waits for the gate again.
    cable(&guest, false);
    let lost = |guest: &Guest| status(guest, "netready@lan.service").starts_with("NOT ready");
    assert!(guest.soon(lost), "{}", status(&guest, "netready@lan.service"));
    assert_eq!(guest.property(TESTER, "requires.service", "MainPID"), container);
    guest.sh_as("tester", "systemctl --user restart --no-block requires.service");
    comes_to(&guest, "requires.service", "start-pre");
    cable(&guest, true);
    comes_to(&guest, "requires.service", "running");
    assert_ne!(guest.property(TESTER, "requires.service", "MainPID"), container);
    assert_eq!(guest.property(TESTER, "requires.service", "NRestarts"), "0");

    let given_up = guest
        .off()
        .into_iter()
        .find(|entry| entry.unit == "user:netready@lan.service" && entry.message.contains("given up"));
    // The journal may take the entry a moment later, and the gate has given up two seconds after its start.
    let before = given_up.is_some_and(|given_up| wants.is_some_and(|wants| given_up.at < wants + 1_000_000));
    assert!(before, "the gate gave up, then it started");
}

/// The image is present and there is no registry: the result is the same with `PullRetry=` and without it.
#[test]
#[ignore = "boots take minutes: make boot"]
fn an_image_that_is_here_and_no_network_ever() {
    crate::enter();
    const SECONDS: &str = "no-carrier-timeout = \"5s\"\n[[require]]\npasta = true\n";
    let mut guest = boot(|prepared| {
        prepared.files.write("/etc/netready/podman.toml", SECONDS);
        for (name, settings) in [
            ("plain", ""),
            ("here", "[X-Netready]\nPullRetry=8\n"),
            ("newer-plain", "[Container]\nPull=newer\n"),
            ("newer", "[Container]\nPull=newer\n[X-Netready]\nPullRetry=8\n"),
            ("ungated", "[X-Netready]\nGate=none\nPullRetry=8\n"),
        ] {
            let text = container(settings).replace("localhost/busybox", "registry.example.org/app");
            prepared.files.quadlet(&format!("{name}.container"), &text);
        }
    });
    let up = |guest: &Guest| guest.property(None, "user@1000.service", "ActiveState") == "active";
    assert!(guest.soon(up), "{}", guest.console());
    guest.sh_as("tester", "podman tag localhost/busybox:latest registry.example.org/app:latest");
    guest.reboot();
    let rebooted = now();

    for name in ["plain", "here", "newer-plain", "newer", "ungated"] {
        comes_to(&guest, &format!("{name}.service"), "running");
        assert_eq!(guest.property(TESTER, &format!("{name}.service"), "NRestarts"), "0");
    }
    let begun = guest.property(TESTER, "ungated.service", "InactiveExitTimestampMonotonic");

    // With a network, the registry's name is not looked up either.
    let names = Names::on(guest.networks(), NAME_SERVER);
    cable(&guest, true);
    address(&guest);
    default_route(&guest);
    guest.sh_as("tester", "podman kill systemd-here");
    guest.comes_to("tester", "here.service", "failed");
    guest.sh_as("tester", "systemctl --user start here.service");
    comes_to(&guest, "here.service", "running");
    assert_eq!(names.queries(), 0);
    guest.sh_as("tester", "podman pull --retry 0 registry.example.org/app:latest");
    assert_ne!(names.queries(), 0, "it would have been heard");

    let journal = guest.off();
    for name in ["plain", "here", "ungated"] {
        let said = lines(&journal, &format!("{name}.service"), rebooted);
        assert!(!said.contains("Trying to pull") && !said.contains("netready"), "{name}: {said}");
    }
    let given_up = |entry: &&Entry| {
        entry.at > rebooted && entry.unit == "user:netready.service" && entry.message.contains("given up")
    };
    let given_up = journal.iter().find(given_up).unwrap().at;
    assert!(begun.parse::<u64>().unwrap() < given_up, "no gate, nothing to wait for");
    // The gate has given up by now, and the unit does not wait for it again.
    let newer = lines(&journal, "newer.service", rebooted);
    assert!(
        newer.contains("the gate is shut") && newer.contains("using the one that is on this host"),
        "{newer}"
    );
    assert!(!newer.contains("Waiting"), "{newer}");
}
