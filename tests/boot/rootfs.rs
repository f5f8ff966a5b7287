//! The guest's files: Debian from mmdebstrap, which is built once and kept, and the package in a layer over it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};

/// A release of Debian that the tests boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Debian 12 without Podman, because its Podman has no quadlets.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// The release that will be Debian 14.
    Forky,
    /// Debian 13 with a kernel, for a virtual machine, and without Podman.
    Machine,
}

impl Release {
    const ALL: [Release; 4] = [Release::Bookworm, Release::Trixie, Release::Forky, Release::Machine];

    /// The release of a case that names none: the one in `NETREADY_BOOT_SUITE`, or else Debian 13.
    pub fn usual() -> Release {
        let Ok(named) = std::env::var("NETREADY_BOOT_SUITE") else { return Release::Trixie };
        let boots = Release::ALL.into_iter().filter(|release| *release != Release::Machine);
        let release = boots.into_iter().find(|release| release.name() == named);
        release.unwrap_or_else(|| panic!("NETREADY_BOOT_SUITE={named}: no release that the tests know"))
    }

    pub fn name(self) -> &'static str {
        match self {
            Release::Bookworm => "bookworm",
            Release::Trixie => "trixie",
            Release::Forky => "forky",
            Release::Machine => "machine",
        }
    }

    /// What Debian calls it.
    fn suite(self) -> &'static str {
        match self {
            Release::Machine => Release::Trixie.name(),
            Release::Bookworm | Release::Trixie | Release::Forky => self.name(),
        }
    }

    /// The packages of the guest. The cache's key is made from this list and the recipe.
    fn packages(self) -> String {
        match self {
            Release::Bookworm => [SYSTEM, &["ifupdown"]].concat().join(","),
            Release::Trixie | Release::Forky => [SYSTEM, PODMAN, SURROUNDINGS].concat().join(","),
            Release::Machine => [SYSTEM, &["linux-image-cloud-amd64"]].concat().join(","),
        }
    }

    /// The script that runs in the finished root as `/`. It makes users and enables nothing. If the release has
    /// Podman, it also makes an image for each user and a quadlet for all.
    fn recipe(self) -> String {
        match self {
            Release::Bookworm => [USERS, HOST].concat(),
            Release::Trixie | Release::Forky => [USERS, IMAGES, HOST, QUADLET].concat(),
            Release::Machine => [HOST, MACHINE].concat(),
        }
    }
}

const SYSTEM: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "systemd-resolved",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    "iproute2",
    "kmod",
    "udev",
    "procps",
    "ca-certificates",
];

/// Rootless Podman.
const PODMAN: &[&str] =
    &["podman", "passt", "netavark", "aardvark-dns", "nftables", "uidmap", "crun", "busybox-static"];

const SURROUNDINGS: &[&str] = &[
    // The network managers, and the servers that answer them.
    "network-manager",
    "ifupdown",
    "dnsmasq-base",
    // The registry, and another program that pulls.
    "docker-registry",
    "skopeo",
];

const USERS: &str = r"set -e
for user in tester second; do useradd --create-home --shell /bin/sh $user; done
";

const IMAGES: &str = r#"mkdir -p /opt/image/bin
cp /bin/busybox /opt/image/bin/
for applet in sh sleep ip cat; do ln -s busybox /opt/image/bin/$applet; done
tar -C /opt/image -cf /opt/image.tar .
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
for user in tester second; do
    mkdir -m 700 /tmp/$user
    chown $user /tmp/$user
    runuser -u $user -- env HOME=/home/$user XDG_RUNTIME_DIR=/tmp/$user \
        podman --cgroup-manager=cgroupfs import -q /opt/image.tar localhost/busybox:latest 2>/dev/null
    # It holds the paths of this moment.
    rm -rf /home/$user/.local/share/containers/storage/db.sql /home/$user/.cache
done
# The hierarchy may be a hybrid one, which has no pids controller.
printf '[containers]\npids_limit = 0\n' >/etc/containers/containers.conf
"#;

const HOST: &str = r#"# A case enables what it needs. No first boot, which would enable everything.
rm -rf /etc/systemd/system/*.wants /etc/systemd/user/*.wants /etc/network/interfaces /etc/resolv.conf
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
echo 'nameserver 10.9.0.53' >/etc/resolv.conf
echo guest >/etc/hostname
mkdir -p /etc/systemd/journald.conf.d /etc/systemd/system/sysinit.target.wants /var/log/journal
printf '[Journal]\nStorage=persistent\nRateLimitBurst=0\nSyncIntervalSec=1s\n' >/etc/systemd/journald.conf.d/test.conf
# crun mounts a proc and a sysfs of its own, which the kernel allows where an unmasked one can be seen.
cat >/etc/systemd/system/unmasked.service <<'UNIT'
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mkdir -p /run/unmasked/proc /run/unmasked/sys; mount -t proc proc /run/unmasked/proc; mount -t sysfs sysfs /run/unmasked/sys'
UNIT
ln -s /etc/systemd/system/unmasked.service /etc/systemd/system/sysinit.target.wants/
"#;

const QUADLET: &str = r#"# Every user's container, with a static IP; nobody edits it.
mkdir -p /etc/containers/systemd/users
cat >/etc/containers/systemd/users/seed.network <<'UNIT'
[Network]
Subnet=172.21.0.0/24
UNIT
cat >/etc/containers/systemd/users/seed.container <<'UNIT'
[Container]
Image=localhost/busybox:latest
ContainerName=seed
Network=seed.network
IP=172.21.0.2
Exec=sleep infinity
[Unit]
StartLimitIntervalSec=0
[Service]
Restart=on-failure
RestartSec=1s
[Install]
WantedBy=default.target
UNIT
"#;

const MACHINE: &str = r#"# A shell for the test on the second serial port. A line is a number and a script; the number comes back
# after what the script printed, with the exit code.
cat >/etc/systemd/system/shell.service <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh -c 'stty raw -echo; while read -r n line; do (eval "$line") </dev/null 2>&1; printf "\\n=== %%s %%s\\n" "$n" "$?"; done'
StandardInput=tty
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
UNIT
ln -s /etc/systemd/system/shell.service /etc/systemd/system/sysinit.target.wants/
# What the cases do not need, and what takes long on an emulated processor.
cd /etc/systemd/system
rm sysinit.target.wants/unmasked.service
for unit in dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount kmod-static-nodes.service modprobe@.service \
    systemd-modules-load.service systemd-pstore.service ldconfig.service systemd-hwdb-update.service \
    systemd-journal-catalog-update.service getty.target timers.target
do ln -s /dev/null $unit; done
"#;

/// Makes a folder the `/` of a mount namespace, with an overlay over it if there is one, and runs the script from
/// stdin.
const INSIDE: &str = r#"set -e
test -z "$2" || mount -t overlay overlay -o "$2" "$1"
mount --bind "$1" "$1"
mount --make-private "$1"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/tmp"
cd "$1"
pivot_root . mnt
cd /
umount -l /mnt
exec /bin/sh
"#;

/// Why this machine cannot boot guests. `None` if it can. Builds the guest if it does not exist yet.
pub fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let programs = [
        ("mmdebstrap", "mmdebstrap"),
        ("systemd-nspawn", "systemd-container"),
        ("journalctl", "systemd"),
        ("ip", "iproute2"),
        ("unshare", "util-linux"),
        ("dpkg-deb", "dpkg"),
    ];
    if let Some(why) = without(&programs) {
        return Some(why);
    }
    for device in ["/dev/net/tun", "/dev/fuse"] {
        if !Path::new(device).exists() {
            return Some(format!("{device} is missing"));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if !mounts.lines().any(|line| line.split(' ').nth(2) == Some("cgroup2")) {
        return Some("no cgroup2 is mounted".to_owned());
    }
    let namespaces = Command::new("unshare")
        .args([
            "--mount", "--net", "--pid", "--cgroup", "--fork", "mount", "-t", "cgroup2", "cgroup2", "/mnt",
        ])
        .output();
    match namespaces {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            return Some(format!("no namespaces: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Err(error) => return Some(format!("no namespaces: {error}")),
    }
    made(Release::usual()).as_ref().err().cloned()
}

/// The first of these programs that this machine lacks, each with its package.
pub fn without(programs: &[(&str, &str)]) -> Option<String> {
    let lacks = |program: &str| {
        let found = Command::new("sh")
            .args(["-c", &format!("PATH=$PATH:/usr/sbin:/sbin command -v {program}")])
            .stdout(Stdio::null())
            .status();
        !found.is_ok_and(|status| status.success())
    };
    let (program, package) = programs.iter().find(|(program, _)| lacks(program))?;
    Some(format!("{program} is missing (package {package})"))
}

/// The mirror of Debian that this machine uses.
fn mirror() -> Option<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)", "Created-By: Packages"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("Debian|Debian|")).map(str::to_owned)
}

fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .unwrap_or_else(|| PathBuf::from("/var/cache"));
    base.join("netready-boot")
}

/// A folder for one boot's files, on a real file system: an overlay's upper layer and a user's container storage
/// cannot be on an overlay.
pub fn scratch() -> tempfile::TempDir {
    let folder = cache().join("boots");
    fs::create_dir_all(&folder).unwrap();
    let scratch =
        tempfile::Builder::new().prefix(&format!("boot-{}-", std::process::id())).tempdir_in(folder).unwrap();
    // Programs of other users must be able to pass through it.
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    scratch
}

/// The root file system without netready.
pub fn base(release: Release) -> &'static Path {
    made(release).as_ref().unwrap()
}

/// The root file system, which is built if this machine does not have it yet.
pub fn made(release: Release) -> &'static Result<PathBuf, String> {
    static BASES: [OnceLock<Result<PathBuf, String>>; Release::ALL.len()] =
        [const { OnceLock::new() }; Release::ALL.len()];
    BASES[release as usize].get_or_init(|| {
        let folder = cache();
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let made_of = [release.packages(), release.recipe()].concat();
        let root = folder.join(format!("{}-{:016x}", release.name(), key(&made_of)));
        // The lock is for this release only, so that another release can be built at the same time.
        let lock = fs::File::create(folder.join(format!("lock-{}", release.name()))).unwrap();
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error.to_string())?;
        if !root.exists() {
            build(release, &root)?;
        }
        Ok(root)
    })
}

/// The hash FNV-1a. It is the same in each build of this suite, unlike the hash of the standard library.
fn key(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn build(release: Release, root: &Path) -> Result<(), String> {
    let mirror = mirror().ok_or("apt's configuration names no mirror of Debian")?;
    let _ = writeln!(std::io::stderr(), "building {} (once, a minute or two)", root.display());
    let unfinished = root.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    let made = Command::new("mmdebstrap")
        .args(["--variant=minbase", "--mode=root", "--quiet"])
        .arg(format!("--include={}", release.packages()))
        .arg(release.suite())
        .arg(&unfinished)
        .arg(source(release, &mirror))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("mmdebstrap: {error}"))?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("E: ")).collect();
        return Err(format!("no guest, mmdebstrap failed: {}", errors.join("; ")));
    }
    run_inside(&unfinished, "", &release.recipe());
    fs::rename(&unfinished, root).unwrap();
    Ok(())
}

/// Where the guest's packages come from. If a release is newer than this machine, this machine's keyring does not
/// have its keys, and its lists may be older than allowed. So neither is checked: the guest is thrown away, and its
/// only network is a cable to this machine.
fn source(release: Release, mirror: &str) -> String {
    match release {
        Release::Bookworm | Release::Trixie | Release::Machine => mirror.to_owned(),
        Release::Forky => format!("deb [trusted=yes check-valid-until=no] {mirror} {} main", release.name()),
    }
}

#[track_caller]
fn run_inside(root: &Path, overlay: &str, script: &str) -> String {
    let mut child = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, "sh"])
        .arg(root)
        .arg(overlay)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "in {}: {}\n{said}", root.display(), output.status);
    said
}

/// Runs a script with an overlay over the base as `/`, without booting it. The changed files are left in `upper`.
#[track_caller]
pub fn in_overlay(release: Release, upper: &Path, script: &str) -> String {
    let place = tempfile::tempdir_in(upper.parent().unwrap()).unwrap();
    let [work, root] = ["work", "root"].map(|name| place.path().join(name));
    fs::create_dir(&work).unwrap();
    fs::create_dir(&root).unwrap();
    let overlay = format!(
        "lowerdir={},upperdir={},workdir={}",
        base(release).display(),
        upper.display(),
        work.display()
    );
    run_inside(&root, &overlay, script)
}

/// The package: the one that `NETREADY_DEB` names, or else what `make deb` builds now.
pub fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        if let Some(given) = std::env::var_os("NETREADY_DEB") {
            let given = PathBuf::from(given);
            assert!(given.is_file(), "NETREADY_DEB={}: no such file", given.display());
            return given;
        }
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let mut make = Command::new("make");
        make.arg("deb").current_dir(checkout).stdin(Stdio::null());
        // Cargo describes this package to its tests. The build script of ring depends on these variables, so with them
        // everything that uses it would be compiled again, and once more by the next `make build`.
        for (name, _) in std::env::vars_os() {
            let of_cargo = |start: &str| name.to_string_lossy().starts_with(start);
            if of_cargo("CARGO_PKG_") || of_cargo("CARGO_MANIFEST_") {
                make.env_remove(name);
            }
        }
        let made = make.output().unwrap();
        assert!(made.status.success(), "make deb: {}", String::from_utf8_lossy(&made.stderr));
        let start = format!("netready_{}-1_", env!("CARGO_PKG_VERSION"));
        let folder = fs::read_dir(checkout.join(target).join("debian")).unwrap();
        let mut debs = folder.map(|entry| entry.unwrap().path());
        let deb = debs.find(|path| path.file_name().unwrap().to_string_lossy().starts_with(&start));
        deb.unwrap_or_else(|| panic!("make deb left no {start}*.deb"))
    })
}

/// The layer that installing the package adds to the base.
pub fn installed(release: Release) -> &'static Path {
    static LAYERS: [OnceLock<PathBuf>; Release::ALL.len()] = [const { OnceLock::new() }; Release::ALL.len()];
    LAYERS[release as usize].get_or_init(|| {
        let folder = cache().join("boots").join(format!("package-{}-{}", std::process::id(), release.name()));
        let upper = folder.join("upper");
        fs::create_dir_all(&upper).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(package(), upper.join("netready.deb")).unwrap();
        in_overlay(release, &upper, "dpkg -i /netready.deb && rm /netready.deb");
        upper
    })
}

/// Removes what processes that are gone have left: their folders and network namespaces.
pub fn sweep() {
    let gone = |pid: &str| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists();
    for entry in fs::read_dir(cache().join("boots")).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.split('-').nth(1).is_some_and(gone) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.strip_prefix("nrboot-").and_then(|rest| rest.split('-').next()).is_some_and(gone) {
            let _ = Command::new("ip").args(["netns", "delete", &name]).status();
        }
    }
}
