//! Containers whose image cannot be pulled when they start, with `PullRetry=` and without it.

use crate::documents;
use crate::files::Files;
use crate::guest::{Guest, Prepared};
use crate::life::{TESTER, seconds};
use crate::registry::{
    Certificate, Fault, IMAGE, Lasts, NAME_SERVER, NameFault, Names, ROUTER, Registry, WITHOUT_TLS,
};
use crate::stacks::bare;

const REGISTRIES: &str = "/etc/containers/registries.conf.d/50-test.conf";
/// The ports of the doors.
const DOWN: u16 = 6001;
const NAMED: u16 = 6002;
const SLOW: u16 = 6003;
const TLS: u16 = 6004;

/// Tells Podman the location of an image in a document: an address, so that no name is looked up.
fn location(image: &str, port: u16) -> String {
    let (name, _) = IMAGE.split_once(':').unwrap();
    format!("[[registry]]\nprefix = \"{image}\"\nlocation = \"{ROUTER}:{port}/{name}\"\ninsecure = true\n")
}

/// A quadlet without its section `[X-Netready]`.
fn bare_of(quadlet: &str) -> String {
    let (before, section) = quadlet.split_once("[X-Netready]\n").unwrap();
    let rest = section.find("\n[").map_or("", |at| &section[at..]);
    format!("{before}{rest}")
}

fn link(guest: &Guest) {
    guest.networks().lan("link set e0p up");
    guest.networks().guest("link set e0 up; addr add 10.9.0.2/24 dev e0; route add default via 10.9.0.1");
}

/// Writes the other files of a guest with a registry: no user has an image, and root's storage is where an overlay is
/// possible.
fn prepare(files: &Files) {
    (bare().write)(files);
    for user in ["tester", "second"] {
        files.linger(user);
        files.without_images(user);
    }
    files.write(
        "/etc/systemd/system/var-lib-containers.mount",
        "[Mount]\nWhat=tmpfs\nWhere=/var/lib/containers\nType=tmpfs\n",
    );
    files.enable("var-lib-containers.mount", "local-fs.target");
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn images_that_cannot_be_had_at_first() {
    crate::enter();
    let prepared = Prepared::new(true);
    let files = &prepared.files;
    prepare(files);
    files.write(
        REGISTRIES,
        &[
            WITHOUT_TLS,
            &location("registry.example.org/web", DOWN),
            &location("registry.example.org/slow", SLOW),
            &location("registry.example.org/gone", NAMED).replace("library/", "nobody/"),
        ]
        .concat(),
    );
    // The quadlet of the document, with shorter delays.
    let web = documents::file("registry.md", "~/.config/containers/systemd/web.container")
        .replace("PullRetry=8\n", "PullRetry=200\nPullRetryMaxDelay=5s\n");
    let named = web.replace("registry.example.org/web:1", &format!("a.registry.example.org:{NAMED}/{IMAGE}"));
    for (name, quadlet) in [("web", &web), ("named", &named)] {
        files.quadlet(&format!("{name}.container"), quadlet);
        files.quadlet(&format!("{name}-bare.container"), &bare_of(quadlet));
    }
    // docs/registry.md shows this line to users whose hosts do not have the generator.
    let line = "ExecStartPre=/usr/bin/netready pull --gate podman registry.example.org/web:1";
    documents::says("registry.md", line);
    files.quadlet(
        "line.container",
        &format!("{}[Service]\n{line} --retries 200 --max-delay 5s\n", bare_of(&web)),
    );
    // An image that never exists.
    let gone = web.replace("/web:1", "/gone:1");
    files.quadlet("gone.container", &gone);
    files.quadlet("gone-bare.container", &bare_of(&gone));
    files.quadlet("again.container", &format!("{gone}[Service]\nRestart=on-failure\nRestartSec=1h\n"));
    // Podman's own pull of the image follows netready's.
    files.quadlet(
        "tls.image",
        &format!(
            "[Image]\nImage=a.tls.example.org:{TLS}/{IMAGE}\nTLSVerify=false\n\
             [X-Netready]\nPullRetry=200\nPullRetryMaxDelay=5s\n"
        ),
    );
    files.quadlet("tls.container", "[Container]\nImage=tls.image\n[Install]\nWantedBy=default.target\n");
    // Only the pull is tested here; rootful.rs starts containers of root.
    let of_system = "[Image]\nImage=registry.example.org/web:1\n\
                     [X-Netready]\nPullRetry=200\nPullRetryMaxDelay=5s\n[Install]\nWantedBy=multi-user.target\n";
    files.write("/etc/containers/systemd/web.image", of_system);
    // Quadlets of another user, who has no layer of these images yet.
    let slow = web.replace("/web:1", "/slow:1") + "[Service]\nTimeoutStartSec=15s\n";
    let slow_image = "[Image]\nImage=registry.example.org/slow:1\n[X-Netready]\nPullRetry=8\n\
                      [Service]\nTimeoutStartSec=15s\n[Install]\nWantedBy=default.target\n";
    for (name, quadlet) in [("slow.container", slow.as_str()), ("slow.image", slow_image)] {
        let folder = "/home/second/.config/containers/systemd";
        files.write(&format!("{folder}/{name}"), quadlet);
        files.write(&format!("{folder}/{}", name.replace('.', "-bare.")), &bare_of(quadlet));
    }
    prepared.networks.cable("e0");
    let registry = Registry::start(&prepared.networks);
    let (down, _named) = (registry.door(DOWN), registry.door(NAMED));
    let _tls = registry.door_with_tls(TLS, Certificate::SelfSigned);
    let slow = registry.door(SLOW);
    let names = Names::on(&prepared.networks, NAME_SERVER);
    down.fails(Fault::Status(503), Lasts::Forever);
    names.fails(NameFault::Absent, Lasts::Forever);
    slow.fails(Fault::Slow(60_000), Lasts::Forever);

    let guest = prepared.boot();
    guest.comes_to("tester", "netready.service", "start");
    link(&guest);
    let linked = guest.age();

    // The same quadlets without the section `[X-Netready]`.
    for unit in ["web-bare.service", "named-bare.service", "gone-bare.service"] {
        guest.comes_to("tester", unit, "failed");
    }
    guest.comes_to("second", "slow-bare-image.service", "failed");
    assert_eq!(guest.property(Some("second"), "slow-bare-image.service", "Result"), "timeout");

    // An error that does not pass ends the pull after one attempt, and the container is not started.
    guest.comes_to("tester", "gone.service", "failed");
    let status = guest.property(TESTER, "gone.service", "StatusText");
    assert!(status.starts_with("Given up after 1 attempt, waiting does not help: "), "{status}");
    assert_eq!(guest.property(TESTER, "gone.service", "ExecMainStartTimestamp"), "");
    guest.comes_to("tester", "again.service", "auto-restart");

    // The status of the units that continue, as systemctl status shows it.
    for (whose, unit, why) in [
        (TESTER, "web.service", "HTTP 503"),
        (None, "web-image.service", "HTTP 503"),
        (TESTER, "named.service", "DNS"),
        (TESTER, "tls-image.service", "DNS"),
    ] {
        let told = |guest: &Guest| {
            let status = guest.property(whose, unit, "StatusText");
            status.starts_with("Attempt ") && status.contains(why)
        };
        assert!(guest.soon(told), "{}", guest.property(whose, unit, "StatusText"));
        assert_eq!(guest.property(whose, unit, "SubState"), "start-pre", "{unit}");
    }

    guest.sleep_until(linked + seconds(10));
    names.heals();
    guest.comes_to("tester", "tls-image.service", "exited");
    for unit in ["named.service", "tls.service"] {
        guest.comes_to("tester", unit, "running");
    }
    guest.sleep_until(linked + seconds(20));
    down.heals();
    for unit in ["web.service", "line.service"] {
        guest.comes_to("tester", unit, "running");
    }
    let pulled = |guest: &Guest| guest.property(None, "web-image.service", "SubState") == "exited";
    assert!(guest.soon(pulled), "{}", guest.sh("journalctl --no-pager -n 80"));
    guest.comes_to("second", "slow.service", "running");
    // Podman itself extends the timeout by five minutes, if the unit lets the service manager accept its messages.
    guest.comes_to("second", "slow-bare.service", "running");
    guest.comes_to("second", "slow-image.service", "exited");
    for (user, unit) in [
        ("tester", "web.service"),
        ("tester", "named.service"),
        ("tester", "tls.service"),
        ("second", "slow.service"),
    ] {
        assert_eq!(guest.property(Some(user), unit, "NRestarts"), "0", "{unit}");
        assert_eq!(guest.property(Some(user), unit, "StatusText"), "", "{unit}");
    }
    // Nobody starts these units again.
    for unit in ["web-bare.service", "named-bare.service"] {
        assert_eq!(guest.property(TESTER, unit, "Result"), "exit-code", "{unit}");
        assert_eq!(guest.property(TESTER, unit, "SubState"), "failed", "{unit}");
    }
}

/// Uses the document's quadlet, gate and network. Checks that the generator makes what the document shows, and what
/// happens when the network comes late.
#[test]
#[ignore = "boots take minutes: make boot"]
fn the_quadlet_of_the_document() {
    crate::enter();
    const DOCUMENT: &str = "quadlets.md";
    let prepared = Prepared::new(true);
    prepare(&prepared.files);
    prepared.files.write(REGISTRIES, &location("registry.example.org/app", DOWN));
    for path in [
        "~/.config/containers/systemd/app.container",
        "~/.config/containers/systemd/lan.network",
        "~/.config/netready/uplink.toml",
    ] {
        documents::write(&prepared.files, DOCUMENT, path);
    }
    prepared.networks.cable("e0");
    let registry = Registry::start(&prepared.networks);
    let door = registry.door(DOWN);
    let guest = prepared.boot();
    guest.comes_to("tester", "app.service", "dead");
    guest.comes_to("tester", "netready@uplink.service", "start");
    let dry_run = "/usr/lib/systemd/user-generators/netready-generator --dry-run --user";
    let said = guest.sh_as("tester", dry_run);
    assert_eq!(said.replace("/home/tester", "/home/me"), documents::printed(DOCUMENT, dry_run));

    assert!(door.requests().is_empty());
    link(&guest);
    guest.comes_to("tester", "app.service", "running");
    let requests = door.requests();
    let manifests = requests.iter().filter(|request| request.line.contains("/manifests/"));
    assert_eq!(manifests.count(), 1, "one pull, netready's: {requests:?}");
    let ip = guest.sh_as(
        "tester",
        "podman inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' systemd-app",
    );
    assert_eq!(ip, "10.89.7.5\n");
    assert_eq!(guest.property(TESTER, "app.service", "NRestarts"), "0");

    // The image is present now, so the registry is not asked.
    guest.sh_as("tester", "podman kill systemd-app");
    guest.comes_to("tester", "app.service", "failed");
    guest.sh_as("tester", "systemctl --user start app.service");
    guest.comes_to("tester", "app.service", "running");
    assert_eq!(door.requests().len(), requests.len());
}
