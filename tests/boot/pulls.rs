//! Pulls from a registry that fails: plain `podman pull` and `netready pull`, side by side in one guest.

use std::time::{Duration, Instant};

use crate::guest::{Guest, Prepared};
use crate::registry::{IMAGE, NAME_SERVER, Names, Registry, WITHOUT_TLS};
use crate::stacks::bare;

/// A guest whose network is there, and what it pulls from.
struct Site {
    // Dropped in this order.
    guest: Guest,
    registry: Registry,
    _names: Names,
}

impl Site {
    fn boot() -> Site {
        let prepared = Prepared::new(true);
        (bare().write)(&prepared.files);
        prepared.files.write("/etc/containers/registries.conf.d/50-test.conf", WITHOUT_TLS);
        // There is no session for them.
        prepared.files.write(
            "/etc/containers/containers.conf.d/50-test.conf",
            "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n",
        );
        prepared.networks.cable("e0");
        prepared.networks.lan("link set e0p up");
        let registry = Registry::start(&prepared.networks);
        let names = Names::on(&prepared.networks, NAME_SERVER);
        let guest = prepared.boot();
        let up = |guest: &Guest| guest.property(None, "multi-user.target", "ActiveState") == "active";
        assert!(guest.wait_for(Duration::from_secs(60), up), "{}", guest.console());
        guest.networks().guest("link set e0 up; addr add 10.9.0.2/24 dev e0; route add default via 10.9.0.1");
        Site { guest, registry, _names: names }
    }
}

/// Somebody who pulls: tester, with a home and a runtime directory of its own.
struct Puller<'a> {
    guest: &'a Guest,
    name: String,
    /// Options of unshare(1) for what is started.
    namespaces: String,
    resolv_conf: Option<String>,
}

struct Pulled {
    code: i32,
    seconds: f64,
    stderr: String,
}

impl<'a> Puller<'a> {
    fn new(guest: &'a Guest, name: &str) -> Puller<'a> {
        let place = format!("/home/tester/{name}");
        let said = guest.sh(&format!(
            "mkdir -p {place}/run && chmod 700 {place}/run && chown -R tester: {place} && echo fine"
        ));
        assert_eq!(said, "fine\n");
        Puller { guest, name: name.to_owned(), namespaces: String::new(), resolv_conf: None }
    }

    fn script(&self, command: &str) -> String {
        let place = format!("/home/tester/{}", self.name);
        let resolv_conf = self.resolv_conf.as_ref().map_or(String::new(), |server| {
            format!("echo nameserver {server} >{place}/resolv.conf; mount --bind {place}/resolv.conf /etc/resolv.conf; ")
        });
        format!(
            "exec unshare --mount {} sh -c '{resolv_conf}cd {place} && exec runuser -u tester -- \
             env HOME={place} XDG_RUNTIME_DIR={place}/run {command}'",
            self.namespaces
        )
    }

    fn run(&self, command: &str) -> Pulled {
        let began = Instant::now();
        let output = self.guest.output(&self.script(command));
        Pulled {
            code: output.status.code().unwrap_or(-1),
            seconds: began.elapsed().as_secs_f64(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

#[test]
fn the_registry_has_the_image() {
    if !crate::enter() {
        return;
    }
    let site = Site::boot();
    let door = site.registry.door(6000);
    let image = format!("a.registry.example.org:6000/{IMAGE}");
    let puller = Puller::new(&site.guest, "a");
    let pulled = puller.run(&format!("podman pull {image}"));
    assert_eq!(pulled.code, 0, "{}", pulled.stderr);
    let asked = door.requests().into_iter().filter(|request| request.line.contains("/manifests/"));
    assert_eq!(asked.count(), 1);
}
