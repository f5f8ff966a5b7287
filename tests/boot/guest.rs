//! One boot: an overlay, two network namespaces with a cable between them, and systemd as PID 1 of the guest.
//!
//! All mounts are in a mount namespace that ends with the guest. Only the two network namespaces and a folder must be
//! cleaned up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::files::Files;
use crate::rootfs::{self, Release};
use crate::watch::now;

/// Starts nspawn as PID 1 of a PID namespace, so that its guest ends with it. The guest has its own cgroup and only
/// cgroup2, so that guests do not affect each other.
const START: &str = r#"set -e
echo 0 >"$CGROUP/cgroup.procs"
exec unshare --mount --cgroup --pid --fork --kill-child --mount-proc sh -c '
set -e
mount -t overlay overlay -o "$OVERLAY" "$PLACE/root"
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec systemd-nspawn --quiet --boot --directory="$PLACE/root" --machine="$MACHINE" --register=no --keep-unit \
    --settings=no --link-journal=no --resolv-conf=off --timezone=off --console=pipe \
    --bind=/dev/net/tun --bind=/dev/fuse --bind="$PLACE/home:/home" --capability=all \
    --system-call-filter="$SYSTEM_CALLS" $KERNEL_LINE
'
"#;

/// How long a test waits for what must come: three guests, and perhaps a compiler, share two processors.
const SOON: Duration = Duration::from_secs(240);

/// The two network namespaces. Dropping this removes them.
pub struct Networks {
    pub guest: String,
    pub lan: String,
    /// When each change of the LAN was done, in microseconds of the monotonic clock.
    changes: Mutex<Vec<u64>>,
}

impl Networks {
    fn new() -> Networks {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("nrboot-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let networks = Networks {
            guest: format!("{name}-guest"),
            lan: format!("{name}-lan"),
            changes: Mutex::default(),
        };
        for name in [&networks.guest, &networks.lan] {
            run(Command::new("ip").args(["netns", "add", name]));
        }
        // Make the LAN a router: networkd drops the routes of a neighbour that says in its advertisements that it is
        // not one.
        networks.lan("link set lo up; sysctl net.ipv6.conf.all.forwarding=1");
        networks
    }

    /// Runs `ip` commands in the guest's namespace, separated by `;`. `sysctl NAME=VALUE` works too.
    #[track_caller]
    pub fn guest(&self, commands: &str) {
        ip(&self.guest, commands);
    }

    #[track_caller]
    pub fn lan(&self, commands: &str) {
        ip(&self.lan, commands);
        self.changes.lock().unwrap().push(now());
    }

    /// When each change of the LAN was done, in microseconds of the monotonic clock.
    pub fn changes(&self) -> Vec<u64> {
        self.changes.lock().unwrap().clone()
    }

    /// Adds a cable from the guest's link `eN` to the LAN, where the router is 10.9.N.1. The far end, `eNp`, is down,
    /// so there is no carrier.
    #[track_caller]
    pub fn cable(&self, name: &str) {
        let n = name.trim_start_matches('e');
        self.lan(&format!("link add {name}p type veth peer name {name} netns {}", self.guest));
        // With two link-local addresses, the router would be two routers for a guest that hears it from both.
        self.lan(&format!("link set {name}p addrgenmode none"));
        self.lan(&format!("addr add 10.9.{n}.1/24 dev {name}p; addr add 10.9.{n}.53/24 dev {name}p"));
        self.lan(&format!(
            "addr add 2001:db8:{n}::1/64 dev {name}p nodad; addr add fe80::1/64 dev {name}p nodad"
        ));
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in [&self.guest, &self.lan] {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

#[track_caller]
fn ip(namespace: &str, commands: &str) {
    for command in commands.split(';').map(str::trim).filter(|command| !command.is_empty()) {
        match command.strip_prefix("sysctl ") {
            Some(setting) => {
                let (name, value) = setting.split_once('=').unwrap();
                let path = format!("/proc/sys/{}", name.replace('.', "/"));
                let net = format!("--net=/run/netns/{namespace}");
                run(Command::new("nsenter").args([&net, "sh", "-c", &format!("echo {value} >{path}")]));
            }
            None => {
                run(Command::new("ip").args(["-n", namespace]).args(command.split_whitespace()));
            }
        }
    }
}

#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}

/// A guest before its boot: files and cables can be added.
pub struct Prepared {
    pub files: Files,
    pub networks: Networks,
    /// Arguments of the guest's PID 1, which stand for its kernel command line.
    pub kernel_line: String,
    /// The system calls that nspawn allows beside its own list.
    pub system_calls: &'static str,
    layers: Vec<PathBuf>,
    scratch: tempfile::TempDir,
    cgroup: Cgroup,
}

impl Prepared {
    pub fn new(with_netready: bool) -> Prepared {
        Prepared::of(Release::usual(), with_netready)
    }

    pub fn of(release: Release, with_netready: bool) -> Prepared {
        let scratch = rootfs::scratch();
        let place = scratch.path();
        for name in ["upper", "work", "root"] {
            fs::create_dir(place.join(name)).unwrap();
            fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        run(Command::new("cp").arg("-a").arg(rootfs::base(release).join("home")).arg(place.join("home")));
        let mut layers = vec![rootfs::base(release).to_owned()];
        if with_netready {
            layers.insert(0, rootfs::installed(release).to_owned());
        }
        Prepared {
            files: Files { upper: place.join("upper"), home: place.join("home") },
            networks: Networks::new(),
            kernel_line: String::new(),
            system_calls: "@keyring",
            layers,
            cgroup: Cgroup::new(place),
            scratch,
        }
    }

    pub fn boot(self) -> Guest {
        // A placeholder, which is replaced at once.
        let nobody = Command::new("true").spawn().unwrap();
        let mut guest = Guest { prepared: self, child: nobody, leader: 0, started: Instant::now() };
        guest.end();
        guest.start();
        guest
    }
}

/// A cgroup of the unified hierarchy for one guest. Dropping this removes it.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(place: &Path) -> Cgroup {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let root = mounts.find(|fields| fields[2] == "cgroup2").expect("no cgroup2 is mounted")[1];
        let cgroup =
            Path::new(root).join(format!("netready-{}", place.file_name().unwrap().to_string_lossy()));
        fs::create_dir(&cgroup).unwrap();
        Cgroup(cgroup)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Remove the deepest cgroups first. The kernel needs a moment until the last process is gone.
        for _ in 0..50 {
            let _ = Command::new("find")
                .arg(&self.0)
                .args(["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"])
                .stderr(Stdio::null())
                .status();
            if !self.0.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A guest that runs, or that has run.
pub struct Guest {
    pub prepared: Prepared,
    child: Child,
    leader: u32,
    started: Instant,
}

impl Guest {
    fn start(&mut self) {
        let prepared = &self.prepared;
        let place = prepared.scratch.path();
        let layers: Vec<String> = prepared.layers.iter().map(|layer| layer.display().to_string()).collect();
        let overlay = format!(
            "lowerdir={},upperdir={},workdir={}",
            layers.join(":"),
            place.join("upper").display(),
            place.join("work").display()
        );
        let console = fs::File::create(place.join("console")).unwrap();
        self.started = Instant::now();
        // `ip netns exec` cannot be used, because it would mount another /sys.
        self.child = Command::new("nsenter")
            .args([&format!("--net=/run/netns/{}", prepared.networks.guest), "sh", "-c", START])
            .env("OVERLAY", overlay)
            .env("PLACE", place)
            .env("MACHINE", place.file_name().unwrap())
            .env("CGROUP", &prepared.cgroup.0)
            .env("KERNEL_LINE", &prepared.kernel_line)
            .env("SYSTEM_CALLS", prepared.system_calls)
            .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network")
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .spawn()
            .unwrap();
        self.leader = self.find_leader();
    }

    pub fn networks(&self) -> &Networks {
        &self.prepared.networks
    }

    /// Sleeps until this long after the start of the boot.
    pub fn sleep_until(&self, at: Duration) {
        std::thread::sleep(at.saturating_sub(self.started.elapsed()));
    }

    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.prepared.scratch.path().join("console")).unwrap()).into_owned()
    }

    /// Finds the guest's PID 1 among the descendants of the started process.
    fn find_leader(&mut self) -> u32 {
        let deadline = Instant::now() + SOON;
        loop {
            let mut pids = vec![self.child.id()];
            while let Some(pid) = pids.pop() {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                let nested = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
                if nested.split_whitespace().count() == 3 && status.starts_with("Name:\tsystemd\n") {
                    return pid;
                }
                let children =
                    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
                pids.extend(children.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "no boot ({ended:?}):\n{}", self.console());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command
            // Without its cgroup namespace, `podman info` looks for a cgroup that does not exist.
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"])
            .args(["--target", &self.leader.to_string()])
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    /// Runs a shell command as root in the guest. Returns its output, whether or not it failed.
    pub fn sh(&self, script: &str) -> String {
        let output = self.enter().args(["sh", "-c", script]).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// The same as a `Command`, for callers that need the exit code, or the output while it runs.
    pub fn command(&self, script: &str) -> Command {
        let mut command = self.enter();
        command.args(["sh", "-c", script]);
        command
    }

    /// Runs a shell command as one of the guest's users, who can reach their service manager.
    pub fn sh_as(&self, user: &str, script: &str) -> String {
        let output = self
            .enter()
            .args(["runuser", "-u", user, "--", "sh", "-c"])
            .arg(format!("cd; export HOME=/home/{user} XDG_RUNTIME_DIR=/run/user/$(id -u)\n{script}"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// One property of a unit; empty if the unit does not exist. Without `user`, it is a unit of the system.
    pub fn property(&self, user: Option<&str>, unit: &str, property: &str) -> String {
        let said = match user {
            None => self.sh(&format!("systemctl show --value -p {property} {unit} 2>/dev/null")),
            Some(user) => {
                self.sh_as(user, &format!("systemctl --user show --value -p {property} {unit} 2>/dev/null"))
            }
        };
        said.trim().to_owned()
    }

    /// When a unit became active, in microseconds of the monotonic clock, which the guest shares with this machine.
    pub fn active_at(&self, user: Option<&str>, unit: &str) -> Option<u64> {
        self.property(user, unit, "ActiveEnterTimestampMonotonic").parse().ok().filter(|at| *at > 0)
    }

    /// Waits until something is so that must come. This fails by returning `false` after a time that no machine needs,
    /// however busy it is.
    pub fn soon(&self, what: impl FnMut(&Guest) -> bool) -> bool {
        self.wait_for(self.age() + SOON, what)
    }

    /// Waits until something is so, or until this long after the start of the boot.
    pub fn wait_for(&self, deadline: Duration, mut what: impl FnMut(&Guest) -> bool) -> bool {
        loop {
            if what(self) {
                return true;
            }
            if self.age() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Waits until a user's unit is in this state.
    #[track_caller]
    pub fn comes_to(&self, user: &str, unit: &str, state: &str) {
        let came = self.soon(|guest| guest.property(Some(user), unit, "SubState") == state);
        let found = self.property(Some(user), unit, "SubState");
        // Leave out the lines about sessions of this test.
        let journal = || {
            let of_unit = format!("_SYSTEMD_USER_UNIT={unit} + USER_UNIT={unit}");
            self.sh(&format!(
                "journalctl --no-pager {of_unit} | tail -n 40; journalctl --no-pager | grep -v runuser | tail -n 60"
            ))
        };
        assert!(came, "{unit} is {found}, not {state}\n{}", journal());
    }

    /// Reads the journal of this boot. The guest is killed, not powered off: the case has everything that it needs.
    pub fn off(mut self) -> Vec<Entry> {
        self.sh("journalctl --sync");
        let journal = journal(&self.prepared.files.upper);
        self.end();
        journal
    }

    /// Boots again with the same files, as after `systemctl reboot`. The cables stay.
    pub fn reboot(&mut self) {
        self.reboot_after(|_| ());
    }

    /// Like `reboot`, but changes the network while nothing runs.
    pub fn reboot_after(&mut self, between: impl FnOnce(&Networks)) {
        // SIGRTMIN+4 makes systemd power off.
        run(Command::new("kill").args(["-s", "RTMIN+4", &self.leader.to_string()]));
        let deadline = Instant::now() + SOON;
        while self.child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.end();
        between(&self.prepared.networks);
        self.start();
    }

    fn end(&mut self) {
        // This kills unshare, and its child dies with it. The child is PID 1 of the namespace, so everything in the
        // namespace dies.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.end();
    }
}

/// An entry of the guest's journal.
#[derive(Clone)]
pub struct Entry {
    /// Microseconds of the monotonic clock.
    pub at: u64,
    /// The unit that wrote the entry; with `user:` before it if it is a user's unit.
    pub unit: String,
    pub who: String,
    pub message: String,
}

fn journal(upper: &Path) -> Vec<Entry> {
    let output = Command::new("journalctl")
        .arg("--directory")
        .arg(upper.join("var/log/journal"))
        .args([
            "--output=json",
            "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|value| Entry {
            at: field(&value, "__MONOTONIC_TIMESTAMP").parse().unwrap_or_default(),
            unit: match value["_SYSTEMD_USER_UNIT"].as_str() {
                Some(unit) => format!("user:{unit}"),
                None => field(&value, "_SYSTEMD_UNIT"),
            },
            who: format!("{}[{}]", field(&value, "SYSLOG_IDENTIFIER"), field(&value, "_PID")),
            message: match &value["MESSAGE"] {
                Value::Array(bytes) => {
                    let bytes: Vec<u8> =
                        bytes.iter().filter_map(|b| u8::try_from(b.as_u64()?).ok()).collect();
                    String::from_utf8_lossy(&bytes).into_owned()
                }
                other => other.as_str().unwrap_or_default().to_owned(),
            },
        })
        .collect()
}
