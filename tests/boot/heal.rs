//! `RestartWhenReady=yes`: containers that started on an incomplete network after the gate gave up are restarted when
//! the network is ready.

use std::time::Duration;

use crate::guest::{Guest, Prepared};
use crate::stacks::bare;

/// The built-in gate with seconds in place of its minutes.
const GATE: &str =
    "timeout = \"6s\"\nno-carrier-timeout = \"4s\"\nsettle = \"1s\"\n[[require]]\npasta = true\n";
/// Two more containers on the network of the container that every user has.
const MORE: [&str; 2] = ["other", "gone"];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[track_caller]
fn soon(guest: &Guest, what: &str, so: impl FnMut(&Guest) -> bool) {
    assert!(guest.soon(so), "never: {what}\n{}", guest.sh("journalctl --no-pager -b -n 120"));
}

fn state(guest: &Guest, user: &str, unit: &str) -> String {
    guest.property(Some(user), unit, "SubState")
}

fn run_of(guest: &Guest, user: &str, unit: &str) -> String {
    guest.property(Some(user), unit, "InvocationID")
}

fn default_route(guest: &Guest, user: &str) -> bool {
    let routes = guest.sh_as(user, "podman unshare --rootless-netns ip -4 route");
    assert!(routes.contains("172.21.0.0/24"), "{user}'s containers have no network: {routes}");
    routes.contains("default via")
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_container_that_started_too_early_is_restarted_once() {
    crate::enter();
    let prepared = Prepared::new(true);
    (bare().write)(&prepared.files);
    prepared.files.write("/etc/netready/podman.toml", GATE);
    for user in ["tester", "second"] {
        prepared.files.linger(user);
    }
    // One user sets the key for all containers; the other user does not.
    let own = "/home/tester/.config/containers/systemd";
    for (n, name) in MORE.iter().enumerate() {
        let quadlet = format!(
            "[Container]\nImage=localhost/busybox:latest\nContainerName={name}\nNetwork=seed.network\n\
             IP=172.21.0.{}\nStopTimeout=1\nExec=sleep infinity\n[Install]\nWantedBy=default.target\n",
            n + 3
        );
        prepared.files.write(&format!("{own}/{name}.container"), &quadlet);
    }
    // This container takes longer to stop. If another container started again meanwhile, it would get the old
    // namespace.
    prepared.files.write(&format!("{own}/seed.container.d/slow.conf"), "[Container]\nStopTimeout=4\n");
    prepared
        .files
        .write(&format!("{own}/container.d/50-netready.conf"), "[X-Netready]\nRestartWhenReady=yes\n");
    prepared.networks.cable("e0");
    prepared.networks.lan("link set e0p up");
    prepared.networks.guest("link set e0 up; addr add 10.9.0.2/24 dev e0");
    let guest = prepared.boot();

    // The gate gives up, and the containers start without a default route.
    let all = [("tester", "seed"), ("tester", "other"), ("tester", "gone"), ("second", "seed")];
    soon(&guest, "all containers run", |guest| {
        all.iter().all(|(user, name)| state(guest, user, &format!("{name}.service")) == "running")
    });
    guest.sh_as("tester", "systemctl --user stop gone.service");
    let units = [("tester", "seed.service"), ("tester", "other.service"), ("second", "seed.service")];
    let before = units.map(|(user, unit)| run_of(&guest, user, unit));
    assert!(!default_route(&guest, "tester") && !default_route(&guest, "second"));
    soon(&guest, "the helpers run", |guest| {
        ["seed", "other"]
            .iter()
            .all(|name| state(guest, "tester", &format!("netready-restart-{name}.service")) == "running")
    });

    guest.networks().guest("route add default via 10.9.0.1");
    soon(&guest, "both containers were restarted", |guest| {
        units[..2].iter().zip(&before).all(|((user, unit), before)| {
            state(guest, user, unit) == "running" && run_of(guest, user, unit) != *before
        })
    });
    // All containers were stopped before the first one started again.
    let moment = |unit: &str, property: &str| -> u64 {
        guest.property(Some("tester"), unit, property).parse().unwrap()
    };
    let stopped =
        ["seed.service", "other.service"].map(|unit| moment(unit, "InactiveEnterTimestampMonotonic"));
    let started =
        ["seed.service", "other.service"].map(|unit| moment(unit, "InactiveExitTimestampMonotonic"));
    assert!(stopped.iter().max() <= started.iter().min(), "stopped {stopped:?}, started {started:?}");
    assert!(default_route(&guest, "tester"), "{}", guest.sh("journalctl --no-pager -b -n 120"));
    let healed = units.map(|(user, unit)| run_of(&guest, user, unit));
    assert_eq!(healed[2], before[2], "who did not ask for it keeps what he has");
    assert!(!default_route(&guest, "second"), "without a restart it stays broken");
    // The container's shell ignores SIGTERM, so the unit ends as "failed".
    let stopped = state(&guest, "tester", "gone.service");
    assert!(["dead", "failed"].contains(&stopped.as_str()), "what was stopped by hand stays so: {stopped}");
    for (user, unit) in units {
        assert_eq!(guest.property(Some(user), unit, "NRestarts"), "0", "{user} {unit}");
    }

    // A container that starts after READY is not restarted, and neither is one that was restarted before, even if the
    // gate is lost and ready again.
    guest.sh_as("tester", "systemctl --user start gone.service");
    assert_eq!(state(&guest, "tester", "gone.service"), "running");
    let late = run_of(&guest, "tester", "gone.service");
    let status = |guest: &Guest| guest.property(Some("tester"), "netready.service", "StatusText");
    soon(&guest, "the gate is ready", |guest| status(guest).starts_with("Ready"));
    guest.networks().guest("route del default");
    soon(&guest, "the gate was lost", |guest| status(guest).starts_with("NOT ready"));
    guest.networks().guest("route add default via 10.9.0.1");
    soon(&guest, "the gate is ready again", |guest| status(guest).starts_with("Ready"));
    guest.sleep_until(guest.age() + seconds(3));
    for ((user, unit), healed) in units.iter().zip(&healed) {
        assert_eq!(run_of(&guest, user, unit), *healed, "{user} {unit} was restarted again");
    }
    assert_eq!(run_of(&guest, "tester", "gone.service"), late, "it started after READY");
    for name in ["seed", "other", "gone"] {
        let helper = format!("netready-restart-{name}.service");
        assert_eq!(state(&guest, "tester", &helper), "dead", "{helper}");
        assert_eq!(guest.property(Some("tester"), &helper, "ActiveState"), "inactive", "{helper}");
    }
}
