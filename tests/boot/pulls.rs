//! Pulls from a registry that fails, with real Podman in the guest.

mod faults;
mod killed;
mod rows;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use crate::guest::{Guest, Prepared};
use crate::registry::{NAME_SERVER, Names, Registry, WITHOUT_TLS};
use crate::stacks::bare;

/// A guest with a working network, and the registry from which it pulls.
struct Site {
    // The fields are dropped in this order.
    guest: Guest,
    registry: Registry,
    _names: Names,
}

impl Site {
    fn boot() -> Site {
        let prepared = Prepared::new(true);
        (bare().write)(&prepared.files);
        prepared.files.write("/etc/containers/registries.conf.d/50-test.conf", WITHOUT_TLS);
        // The processes that pull have no session.
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
        assert!(guest.soon(up), "{}", guest.console());
        guest.networks().guest("link set e0 up; addr add 10.9.0.2/24 dev e0; route add default via 10.9.0.1");
        Site { guest, registry, _names: names }
    }
}

/// A user who pulls: tester, with a home and a runtime directory for this puller only, so that several pullers do not
/// share a storage.
struct Puller<'a> {
    guest: &'a Guest,
    place: String,
    /// Options of unshare(1) for the programs that this puller starts.
    namespaces: String,
    name_server: Option<String>,
}

struct Pulled {
    code: i32,
    seconds: f64,
    stdout: String,
    stderr: String,
}

impl<'a> Puller<'a> {
    fn new(guest: &'a Guest, name: &str) -> Puller<'a> {
        let place = format!("/home/tester/{name}");
        let said = guest.sh(&format!(
            "mkdir -p {place}/run && chmod 700 {place}/run && chown -R tester: {place} && echo fine"
        ));
        assert_eq!(said, "fine\n");
        Puller { guest, place, namespaces: String::new(), name_server: None }
    }

    /// Makes the puller see this many seconds since boot.
    fn up_for(&mut self, seconds: i64) {
        let up = self.guest.sh("cut -d. -f1 /proc/uptime");
        let offset = seconds - up.trim().parse::<i64>().unwrap();
        self.namespaces += &format!(" --time --boottime {offset}");
    }

    fn run(&self, command: &str) -> Pulled {
        self.run_heard(command, |_| ())
    }

    /// Runs a command. `hear` gets each line of stderr as it comes.
    fn run_heard(&self, command: &str, mut hear: impl FnMut(&str)) -> Pulled {
        let place = &self.place;
        // Many pullers run at once, and the boots beside them are measured in milliseconds, so run with low priority.
        let (namespaces, resolv_conf) = match &self.name_server {
            None => (self.namespaces.clone(), String::new()),
            Some(server) => (
                format!("{} --mount --propagation slave", self.namespaces),
                format!(
                    "echo nameserver {server} >{place}/resolv.conf; mount --bind {place}/resolv.conf /etc/resolv.conf; "
                ),
            ),
        };
        let script = format!(
            "exec nice unshare {namespaces} sh -c '{resolv_conf}cd {place} && exec runuser -u tester -- \
             env HOME={place} XDG_RUNTIME_DIR={place}/run {command}'"
        );
        let began = Instant::now();
        let mut command = self.guest.command(&script);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = String::new();
        // stdout gets less than fits in a pipe.
        for line in BufReader::new(child.stderr.take().unwrap()).split(b'\n') {
            let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
            hear(&line);
            stderr += &(line + "\n");
        }
        let output = child.wait_with_output().unwrap();
        Pulled {
            code: output.status.code().unwrap_or(-1),
            seconds: began.elapsed().as_secs_f64(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr,
        }
    }
}
