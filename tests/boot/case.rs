//! The language of the cases. A case says which network manager configures the guest, what happens when, what the
//! network needs, and what becomes of a rootless container with a static IP, without netready and with it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::files::Files;
use crate::guest::{Entry, Guest, Networks, Prepared};
use crate::rootfs::{self, Release};
use crate::table::{self, Row};
use crate::watch::{Event, Family, Need, Watch, as_it_happened, now, usable};

/// The settle of the `podman` gate, in milliseconds.
const SETTLE: f64 = 1000.0;
/// How far READY=1 may be from the last needed event and the settle, in milliseconds: later, or earlier, because the
/// watcher may read the same event a moment after netready.
pub const PROMPT: f64 = 5.0;
/// How many boots there are if READY=1 is late in the first.
pub const ATTEMPTS: u32 = 8;

/// What becomes of the container, some seconds after the last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The container runs with every default route that came.
    Good,
    /// pasta failed, and the container's address stays reserved for ever.
    Lost,
    /// The container runs in pasta's local mode, because it started before there was any network.
    Local,
    /// The container runs with the IPv6 default route. For IPv4 it is in pasta's local mode, although an IPv4 default
    /// route came.
    LocalV4,
    /// The container runs without any default route.
    NoDefault,
    /// The container runs with the default route of only this family, although both came.
    Only(Family),
    /// The container does not run yet.
    Waiting,
    /// The container does not run, for another reason than above.
    Failed,
}

impl Outcome {
    pub fn text(self) -> &'static str {
        match self {
            Outcome::Good => "good",
            Outcome::Lost => "**lost: pasta fails, then its IP is taken for ever**",
            Outcome::Local => "local mode",
            Outcome::LocalV4 => "IPv6, and local mode for IPv4",
            Outcome::NoDefault => "no default route, for life",
            Outcome::Only(Family::V4) => "IPv4 only, for life",
            Outcome::Only(Family::V6) => "IPv6 only, for life",
            Outcome::Waiting => "still waits",
            Outcome::Failed => "failed",
        }
    }
}

pub type Act = Box<dyn Fn(&Networks, &mut Vec<Child>)>;

/// Switches the far end of a cable on or off.
pub fn carrier(link: &'static str, on: bool) -> Act {
    Box::new(move |networks, _| networks.lan(&format!("link set {link}p {}", if on { "up" } else { "down" })))
}

/// Plugs a link in, with its cable.
pub fn plug(link: &'static str) -> Act {
    Box::new(move |networks, _| {
        networks.cable(link);
        networks.lan(&format!("link set {link}p up"));
    })
}

/// Runs `ip` commands in the guest's namespace, as a network manager would.
pub fn guest(commands: &'static str) -> Act {
    Box::new(move |networks, _| networks.guest(commands))
}

/// Switches the carrier on and off every 250 ms, `times` times. The carrier is on at the end.
pub fn flap(link: &'static str, times: u32) -> Act {
    Box::new(move |networks, _| {
        for _ in 0..times {
            networks.lan(&format!("link set {link}p up"));
            std::thread::sleep(Duration::from_millis(20));
            networks.lan(&format!("link set {link}p down"));
            std::thread::sleep(Duration::from_millis(230));
        }
        networks.lan(&format!("link set {link}p up"));
    })
}

const RA: [&str; 3] =
    ["--dhcp-range=2001:db8:0::,ra-only,64,1h", "--enable-ra", "--ra-param=e0p,high,60,1800"];
const DHCP: [&str; 3] =
    ["--dhcp-range=10.9.0.2,10.9.0.2,1h", "--dhcp-option=option:router,10.9.0.1", "--dhcp-authoritative"];
/// Options for the same server with another address to lease.
const DHCP_OTHER: [&str; 3] = ["--dhcp-range=10.9.0.77,10.9.0.77,1h", DHCP[1], DHCP[2]];

/// Starts a router that advertises 2001:db8:0::/64.
pub fn router() -> Act {
    dnsmasq(RA.to_vec())
}

/// Starts a router with a DHCP server for IPv4, in place of a router that ran before.
pub fn router_with_dhcp() -> Act {
    dnsmasq([RA, DHCP].concat())
}

/// Starts a router with a DHCP server that leases another address.
pub fn router_with_other_dhcp() -> Act {
    dnsmasq([RA, DHCP_OTHER].concat())
}

fn dnsmasq(options: Vec<&'static str>) -> Act {
    Box::new(move |networks, children| {
        for mut before in children.drain(..) {
            let _ = before.kill();
            let _ = before.wait();
        }
        // Use dnsmasq from the guest's files, so that this machine need not have it.
        let child = Command::new("ip")
            .args(["netns", "exec", &networks.lan, "chroot"])
            .arg(rootfs::base(Release::usual()))
            .args([
                "/usr/sbin/dnsmasq",
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--user=root",
                "--port=0",
            ])
            .args(["--leasefile-ro", "--pid-file", "--interface=e0p", "--bind-dynamic", "--no-ping"])
            .args(&options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        children.push(child);
    })
}

/// The network manager that configures the guest's network.
pub struct Stack {
    pub name: &'static str,
    pub networkd: bool,
    pub write: Box<dyn Fn(&Files)>,
}

pub struct Case {
    name: &'static str,
    release: Release,
    stack: Stack,
    cables: Vec<&'static str>,
    events: Vec<(f64, Act)>,
    needs: Vec<Need>,
    files: Vec<(&'static str, &'static str)>,
    without: Option<Outcome>,
    with: Outcome,
    settle: f64,
    linger: Vec<&'static str>,
    patience: f64,
    gives_up: Option<f64>,
    reload: Option<f64>,
    finds: Option<&'static [&'static str]>,
    system: bool,
}

pub fn case(name: &'static str, stack: Stack) -> Case {
    Case {
        name,
        release: Release::usual(),
        stack,
        cables: vec!["e0"],
        events: Vec::new(),
        needs: vec![Need::Carrier("e0"), Need::Address("10.9.0.2"), Need::Default(Family::V4)],
        files: Vec::new(),
        without: None,
        with: Outcome::Good,
        settle: SETTLE,
        linger: vec!["tester"],
        patience: 240.0,
        gives_up: None,
        reload: None,
        finds: None,
        system: false,
    }
}

impl Case {
    /// Sets the release of Debian that is booted (default: the usual one).
    pub fn on(mut self, release: Release) -> Case {
        self.release = release;
        self
    }

    /// Sets the links that exist when the guest boots, without carrier (default: `e0`).
    pub fn cables(mut self, cables: &[&'static str]) -> Case {
        self.cables = cables.to_vec();
        self
    }

    /// Adds an event, in seconds after the start of the boot.
    pub fn at(mut self, seconds: f64, act: Act) -> Case {
        self.events.push((seconds, act));
        self
    }

    /// Sets what must exist before the network is usable (default: e0's carrier, 10.9.0.2, an IPv4 default route).
    pub fn needs(mut self, needs: &[Need]) -> Case {
        self.needs = needs.to_vec();
        self
    }

    /// Adds a gate file to the guest, for the boot with netready only.
    pub fn gate(mut self, path: &'static str, text: &'static str) -> Case {
        self.files.push((path, text));
        self
    }

    /// Sets the expected outcome without netready. If this is not called, there is no boot without netready.
    pub fn without(mut self, outcome: Outcome) -> Case {
        self.without = Some(outcome);
        self
    }

    /// Sets the expected outcome with netready (default: good).
    pub fn with(mut self, outcome: Outcome) -> Case {
        self.with = outcome;
        self
    }

    /// Sets the gate's settle in milliseconds, if it is not the built-in one.
    pub fn settle(mut self, milliseconds: f64) -> Case {
        self.settle = milliseconds;
        self
    }

    /// Expects the gate to give up this many seconds after its start. Then the container starts, with this outcome.
    pub fn gives_up(mut self, seconds: f64, outcome: Outcome) -> Case {
        self.gives_up = Some(seconds);
        self.patience = seconds + 240.0;
        self.with = outcome;
        self
    }

    /// Makes the service managers read their units again this many seconds after the start of the boot, as the installation
    /// of a package does.
    pub fn reload(mut self, seconds: f64) -> Case {
        self.reload = Some(seconds);
        self
    }

    /// Sets what `netready doctor` finds in the end (default: nothing, if the outcome is good).
    pub fn finds(mut self, codes: &'static [&'static str]) -> Case {
        self.finds = Some(codes);
        self
    }

    /// Enables the system's gate `default`, which is before network-online.target, and measures that gate.
    pub fn system_gate(mut self) -> Case {
        self.system = true;
        self.settle = 0.0;
        self
    }

    pub fn linger(mut self, users: &[&'static str]) -> Case {
        self.linger = users.to_vec();
        self
    }

    /// Boots without and with netready, adds the row to the table, and asserts the outcomes.
    #[track_caller]
    pub fn run(&self) {
        crate::enter();
        let stack = match self.release == Release::usual() {
            true => self.stack.name.to_owned(),
            false => format!("{}, {}", self.release.name(), self.stack.name),
        };
        let mut row = Row::new(self.name, &stack);
        let mut wrong = String::new();
        if let Some(expected) = self.without {
            let seen = self.boot(false);
            row.without(&seen);
            if seen.outcome != expected {
                let _ = writeln!(wrong, "without netready: {:?}, expected {expected:?}", seen.outcome);
            }
            seen.keep(&format!("{stack} {}", self.name), "without");
        }
        // Guests share two cores, so one boot may be slow because of the machine. READY=1 that is too early is an error in
        // every boot. READY=1 that is too late is an error only if it is late in each attempt.
        for attempt in 1..=ATTEMPTS {
            let seen = self.boot(true);
            row.with(&seen, attempt);
            seen.keep(&format!("{stack} {}", self.name), "with");
            let mut found = self.wrong_with(&seen);
            let late = seen.late(self.settle).filter(|late| *late > PROMPT && self.with == Outcome::Good);
            if found.is_empty() && late.is_some() && attempt < ATTEMPTS {
                continue;
            }
            if let Some(late) = late {
                let _ =
                    writeln!(found, "READY=1 came late in each of {attempt} boots: {late} ms in the last");
            }
            wrong += &found;
            break;
        }
        table::add(row);
        assert!(wrong.is_empty(), "{}:\n{wrong}\njournals: {}", self.name, table::folder().display());
    }

    fn wrong_with(&self, seen: &Seen) -> String {
        let mut wrong = String::new();
        if seen.outcome != self.with {
            let _ = writeln!(wrong, "with netready: {:?}, expected {:?}", seen.outcome, self.with);
        }
        if let Some(seconds) = self.gives_up {
            wrong += &seen.wrong_giving_up(seconds);
        }
        let well = self.with == Outcome::Good && self.gives_up.is_none();
        if let Some(codes) = self.finds.or(well.then_some(&[])) {
            wrong += &wrong_findings(&seen.doctor, codes);
        }
        if self.with != Outcome::Good || self.gives_up.is_some() {
            return wrong;
        }
        for user in &seen.users {
            if user.restarts != 0 {
                let _ = writeln!(wrong, "{}: the container was restarted {} times", user.name, user.restarts);
            }
        }
        for line in seen.complaints() {
            let _ = writeln!(wrong, "in the journal: {line}");
        }
        if self.system && seen.online < seen.netready {
            let _ = writeln!(
                wrong,
                "network-online.target {:?} before netready {:?}",
                seen.online, seen.netready
            );
        }
        match seen.since_it_happened(self.settle) {
            None => {
                let _ =
                    writeln!(wrong, "READY=1 before the network was usable, or never: {:?}", seen.netready);
            }
            // The watcher may read the same event a moment later than netready.
            Some(late) if late < -PROMPT => {
                let _ = writeln!(wrong, "READY=1 came {} ms too early", -late);
            }
            Some(_) => {}
        }
        wrong
    }

    fn boot(&self, with_netready: bool) -> Seen {
        let prepared = Prepared::of(self.release, with_netready);
        (self.stack.write)(&prepared.files);
        for user in &self.linger {
            prepared.files.linger(user);
        }
        if with_netready {
            for (path, text) in &self.files {
                prepared.files.write(path, text);
            }
            if self.system {
                prepared.files.enable("netready.service", "network-online.target");
            }
            // The same gate without its settle. Like the others, it is measured by when the program ends.
            peer(&prepared.files, "netready", "/usr/bin/netready wait podman --settle 0s --timeout infinity");
        } else {
            peers(&prepared.files, self.stack.networkd);
        }
        for cable in &self.cables {
            prepared.networks.cable(cable);
        }
        let watch = Watch::on(&prepared.networks.guest);
        let guest = prepared.boot();
        let mut children = Vec::new();
        // On a busy machine the guest boots slower than the plan says. An event that comes too early would show nothing,
        // so what it is about is waited for, and the rest of the plan is put off. The harm that a late network does to a
        // container is visible only if the container was started before.
        let expected = if with_netready { Some(self.with) } else { self.without };
        let harmed = expected != Some(Outcome::Good);
        let mut put_off = Duration::ZERO;
        let mut begun = false;
        for (index, (at, act)) in self.events.iter().enumerate() {
            let planned = Duration::from_secs_f64(*at);
            guest.sleep_until(planned + put_off);
            if *at > 0.0 {
                if with_netready && !begun && !self.waits(&guest) {
                    guest.soon(|guest| self.waits(guest));
                    // Let what this has started come to rest before the moment that is measured.
                    guest.sleep_until(guest.age() + Duration::from_secs(1));
                }
                begun = true;
                if harmed && index + 1 == self.events.len() {
                    guest.soon(|guest| self.tried(guest));
                }
                put_off = guest.age().saturating_sub(planned);
            }
            act(guest.networks(), &mut children);
        }
        if let Some(at) = self.reload {
            guest.sleep_until(Duration::from_secs_f64(at));
            let said = guest.sh("systemctl daemon-reload");
            let of_users = self.linger.iter().map(|user| guest.sh_as(user, "systemctl --user daemon-reload"));
            assert_eq!(of_users.fold(said, |said, more| said + &more), "");
        }
        let last = guest.age();
        if with_netready {
            let running = |guest: &Guest| {
                self.linger
                    .iter()
                    .all(|user| guest.property(Some(user), "seed.service", "SubState") == "running")
            };
            // Do nothing in the guest at the moment that is measured.
            guest.sleep_until(last + Duration::from_millis(2500));
            guest.wait_for(last + Duration::from_secs_f64(self.patience), running);
            guest.sleep_until(guest.age() + Duration::from_millis(500));
        } else {
            // Wait long enough for two more attempts of the container.
            guest.sleep_until(last + Duration::from_secs(5));
            let _ = match self.without {
                Some(Outcome::Lost) => guest.soon(|guest| self.restarts(guest) > 1),
                _ => guest.soon(|guest| self.runs(guest)),
            };
        }
        let seen = self.look(guest, &watch, with_netready);
        for mut child in children {
            let _ = child.kill();
            let _ = child.wait();
        }
        seen
    }

    fn restarts(&self, guest: &Guest) -> u32 {
        guest.property(Some(self.linger[0]), "seed.service", "NRestarts").parse().unwrap_or_default()
    }

    /// Whether the measured gate has begun to wait.
    fn waits(&self, guest: &Guest) -> bool {
        let whose = (!self.system).then_some(self.linger[0]);
        !guest.property(whose, "netready.service", "StatusText").is_empty()
    }

    fn runs(&self, guest: &Guest) -> bool {
        guest.property(Some(self.linger[0]), "seed.service", "SubState") == "running"
    }

    /// Whether the container was started once, with any result.
    fn tried(&self, guest: &Guest) -> bool {
        let state = guest.property(Some(self.linger[0]), "seed.service", "SubState");
        matches!(state.as_str(), "running" | "auto-restart" | "failed") || self.restarts(guest) > 0
    }

    fn look(&self, guest: Guest, watch: &Watch, with_netready: bool) -> Seen {
        let user = self.linger[0];
        let users: Vec<User> = self.linger.iter().map(|name| User::of(&guest, name)).collect();
        let whose = (!self.system).then_some(user);
        let netready = with_netready.then(|| guest.active_at(whose, "netready.service")).flatten();
        // Between two runs, the status is empty.
        let mut status = String::new();
        guest.wait_for(guest.age() + Duration::from_secs(u64::from(with_netready) * 60), |guest| {
            status = guest.property(whose, "netready.service", "StatusText");
            !status.is_empty()
        });
        let online = guest.active_at(None, "network-online.target");
        let peer = |unit: &str| guest.active_at(None, unit);
        let bare = peer("peer-netready.service");
        let (networkd, sysfs) = (peer("peer-networkd.service"), peer("peer-sysfs.service"));
        let podman = guest.active_at(Some(user), "podman-user-wait-network-online.service");
        let version = guest.sh(
            "dpkg-query -W -f '${Package} ${Version}; ' systemd podman passt network-manager ifupdown; uname -sr",
        );
        let doctor = match with_netready {
            true => std::iter::once(None)
                .chain(self.linger.iter().copied().map(Some))
                .map(|who| doctor(&guest, who, "--json"))
                .collect(),
            false => Vec::new(),
        };
        let end = now();
        let changes = guest.networks().changes();
        let journal = guest.off();
        let events = watch.events();
        // A need that is met in the end counts from when it was met for good, so a READY=1 before that is too early.
        // A need that was lost again counts from when it was met at READY=1. The watcher may hear of an event a
        // moment later.
        let ready = netready.map_or(end, |at| at + PROMPT as u64 * 1000);
        let met = |events: &[Event]| {
            usable(events, &self.needs, end).or_else(|| usable(events, &self.needs, ready))
        };
        let earliest = met(&as_it_happened(&events, &changes));
        let usable = met(&events);
        let lost = |text: &str| journal.iter().any(|entry| entry.message.contains(text));
        let mut outcome = users[0].outcome(&self.needs);
        if lost("pasta failed with exit code")
            && lost("is already allocated to container ID")
            && users[0].started.is_none()
        {
            outcome = Outcome::Lost;
        }
        if let Some(odd) = users.iter().find(|user| user.outcome(&self.needs) == Outcome::Waiting) {
            if outcome == Outcome::Good {
                outcome = odd.outcome(&self.needs);
            }
        }
        let mut events_text = String::new();
        for event in &events {
            let _ = writeln!(events_text, "{:>12} {:?}", event.at, event.what);
        }
        Seen {
            outcome,
            users,
            usable,
            earliest,
            netready,
            bare,
            online,
            status,
            doctor,
            networkd,
            podman,
            sysfs,
            journal,
            events_text,
            version,
        }
    }
}

/// The output of `netready doctor` for a user; `None` is root.
pub fn doctor(guest: &Guest, who: Option<&str>, options: &str) -> String {
    let command = format!("timeout 100 netready doctor {options}; echo \"exit code $?\"");
    match who {
        None => guest.sh(&command),
        Some(user) => guest.sh_as(user, &command),
    }
}

/// The codes and the subjects of the findings.
#[track_caller]
pub fn findings(said: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(said.lines().next().unwrap_or_default()).unwrap_or_default();
    let findings = report["findings"].as_array().unwrap_or_else(|| panic!("no report: {said}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings.iter().map(|finding| (text(&finding["code"]), text(&finding["subject"]))).collect()
}

/// What doctor could not examine, except what a user may not see: the system's side, and other users.
fn unseen(said: &str) -> Vec<Value> {
    let report: Value = serde_json::from_str(said.lines().next().unwrap_or_default()).unwrap_or_default();
    let all = report["not_looked_at"].as_array().unwrap_or_else(|| panic!("no report: {said}"));
    let for_root = |unseen: &&Value| {
        report["side"] == "user" && unseen["because"] == "only root can: sudo netready doctor"
    };
    all.iter().filter(|unseen| !for_root(unseen)).cloned().collect()
}

/// Says what is wrong if the findings have other codes than expected, or if something was not examined.
fn wrong_findings(said: &[String], expected: &[&str]) -> String {
    let found: BTreeSet<String> = said.iter().flat_map(|said| findings(said)).map(|(code, _)| code).collect();
    let expected: BTreeSet<String> = expected.iter().map(|code| (*code).to_owned()).collect();
    let all_seen = said.iter().all(|said| unseen(said).is_empty());
    match found == expected && all_seen {
        true => String::new(),
        false => format!("doctor found {found:?}, expected {expected:?}: {}\n", said.join("")),
    }
}

/// Adds a unit that waits for the network. The unit is active when its command has ended.
pub fn peer(files: &Files, name: &str, command: &str) {
    files.write(
        &format!("/etc/systemd/system/peer-{name}.service"),
        &format!(
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=infinity\nTimeoutStopSec=1s\n\
             ExecStart={command}\n"
        ),
    );
    files.enable(&format!("peer-{name}.service"), "multi-user.target");
}

/// The loop that people put before a unit: it checks once a second whether a link is up.
pub const SYSFS_LOOP: &str =
    "/bin/sh -c 'until [ \"$$(cat /sys/class/net/e0/operstate)\" = up ]; do sleep 1; done'";

/// Adds units for other ways to wait for the network, in the same boot.
fn peers(files: &Files, networkd: bool) {
    if networkd {
        peer(files, "networkd", "/usr/lib/systemd/systemd-networkd-wait-online");
    }
    peer(files, "sysfs", SYSFS_LOOP);
}

/// A user's container.
pub struct User {
    name: &'static str,
    state: String,
    pub started: Option<u64>,
    restarts: u32,
    network: String,
}

impl User {
    fn of(guest: &Guest, name: &'static str) -> User {
        let property = |property: &str| guest.property(Some(name), "seed.service", property);
        let state = property("SubState");
        let running = state == "running";
        let network = if running {
            guest.sh_as(name, "podman unshare --rootless-netns sh -c 'ip -o address; ip -o -4 route; echo; ip -o -6 route' 2>&1")
        } else {
            String::new()
        };
        User {
            name,
            started: running.then(|| guest.active_at(Some(name), "seed.service")).flatten(),
            restarts: property("NRestarts").parse().unwrap_or_default(),
            state,
            network,
        }
    }

    fn outcome(&self, needs: &[Need]) -> Outcome {
        if self.started.is_none() {
            return match self.state.as_str() {
                "dead" | "start-pre" => Outcome::Waiting,
                _ => Outcome::Failed,
            };
        }
        let (v4, v6) = self.network.split_once("\n\n").unwrap_or((&self.network, ""));
        let has = |routes: &str| routes.lines().any(|line| line.starts_with("default"));
        let wanted = |family| needs.contains(&Need::Default(family));
        // In local mode, pasta has a default route that leads only to pasta. pasta of 2026 can have this for one
        // family.
        let local = self.network.contains("169.254.2.1/");
        match (has(v4) && !local, has(v6)) {
            (v4, v6) if (v4 || !wanted(Family::V4)) && (v6 || !wanted(Family::V6)) => Outcome::Good,
            (true, _) if wanted(Family::V4) => Outcome::Only(Family::V4),
            (_, true) if wanted(Family::V6) && local => Outcome::LocalV4,
            (_, true) if wanted(Family::V6) => Outcome::Only(Family::V6),
            _ if local => Outcome::Local,
            _ => Outcome::NoDefault,
        }
    }
}

/// The results of one boot. Times are microseconds of the monotonic clock.
pub struct Seen {
    pub outcome: Outcome,
    pub users: Vec<User>,
    /// When the kernel had announced the last event that was needed.
    pub usable: Option<u64>,
    /// When that event had happened: a short loss of carrier is announced later.
    earliest: Option<u64>,
    pub netready: Option<u64>,
    /// When `netready wait` without the settle has ended.
    pub bare: Option<u64>,
    online: Option<u64>,
    pub status: String,
    /// The output of `netready doctor --json` for root and for each user.
    doctor: Vec<String>,
    pub networkd: Option<u64>,
    pub podman: Option<u64>,
    pub sysfs: Option<u64>,
    pub journal: Vec<Entry>,
    events_text: String,
    pub version: String,
}

impl Seen {
    /// Milliseconds from the usable network to a moment.
    pub fn after_usable(&self, at: Option<u64>) -> Option<f64> {
        let (at, usable) = (at?, self.usable?);
        Some((at as f64 - usable as f64) / 1000.0)
    }

    /// Milliseconds from when the last needed event had happened, and the settle, to READY=1.
    fn since_it_happened(&self, settle: f64) -> Option<f64> {
        let (ready, earliest) = (self.netready?, self.earliest?);
        Some((ready as f64 - earliest as f64) / 1000.0 - settle)
    }

    /// Milliseconds from the last needed event, as it was announced, and the settle to READY=1.
    pub fn late(&self, settle: f64) -> Option<f64> {
        Some(self.after_usable(self.netready)? - settle)
    }

    /// Lines of the journal that a good boot does not have.
    fn complaints(&self) -> Vec<String> {
        let bad =
            ["pasta failed", "IPAM error", "Couldn't set", "ordering cycle", "Bad unit file", "local mode"];
        let bad = |entry: &&Entry| bad.iter().any(|text| entry.message.contains(text));
        self.journal.iter().filter(bad).map(|entry| format!("{}: {}", entry.who, entry.message)).collect()
    }

    /// Says what is wrong unless the journal says what was missing, at the time when the gate had to give up, and
    /// nothing waits any longer.
    fn wrong_giving_up(&self, seconds: f64) -> String {
        let mut wrong = String::new();
        let said = |start: &str| {
            let gate =
                |entry: &&Entry| entry.unit == "user:netready.service" && entry.message.contains(start);
            self.journal.iter().find(gate)
        };
        let (Some(waiting), Some(given_up)) = (said("Waiting (up to"), said("given up")) else {
            return "the journal does not say that the gate gave up\n".to_owned();
        };
        let after = |at: u64| (at as f64 - waiting.at as f64) / 1e6;
        if (after(given_up.at) - seconds).abs() > 2.0 {
            let _ = writeln!(
                wrong,
                "given up after {:.1} s, not {seconds}: {}",
                after(given_up.at),
                given_up.message
            );
        }
        match self.users[0].started {
            Some(started) if after(started) > seconds + 15.0 => {
                let _ =
                    writeln!(wrong, "the container was held back for {:.1} s, not {seconds}", after(started));
            }
            _ => {}
        }
        let hint = "no default route; if this host should have none: netready learn --write";
        if seconds > 30.0 && said(hint).is_none() {
            let _ = writeln!(wrong, "the journal does not say: {hint}");
        }
        // The run that gave up has the status "given up"; the next run has "gave up at".
        if !["given up", "gave up at"].iter().any(|said| self.status.contains(said)) {
            let _ = writeln!(wrong, "the unit's status is {:?}", self.status);
        }
        wrong
    }

    /// Writes the boot's journal, the kernel's events and the container's network to a file, for later inspection.
    fn keep(&self, case: &str, kind: &str) {
        let name: String = case.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let mut text = format!(
            "{:?}, usable {:?}, netready {:?}: {}\n",
            self.outcome, self.usable, self.netready, self.status
        );
        for user in &self.users {
            let _ = writeln!(
                text,
                "{}: {} {:?} restarts {}\n{}",
                user.name, user.state, user.started, user.restarts, user.network
            );
        }
        let _ = writeln!(text, "doctor:\n{}kernel:\n{}journal:", self.doctor.concat(), self.events_text);
        for entry in &self.journal {
            let _ = writeln!(text, "{:>12} {} {}: {}", entry.at, entry.unit, entry.who, entry.message);
        }
        fs::write(Path::new(&table::folder()).join(format!("{name}.{kind}.log")), text).unwrap();
    }
}
