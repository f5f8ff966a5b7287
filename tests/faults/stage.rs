//! A world of this test's own: a network namespace with a pair of links, `/etc` and `/run` on a tmpfs, and a scratch
//! folder.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

use crate::campaign::LONGEST;

/// What a gate file needs to be ready: see [`Stage::up`].
pub const GATE: &str = "timeout = \"infinity\"\n[[require]]\ninterface = \"va0\"\naddress = \"ipv4\"\n\
    [[require]]\nroute = \"default\"\nnameserver = true\n";

pub struct Stage(TempDir);

impl Stage {
    /// The thread of the calling test stays in the namespaces until its end, which is the test's.
    pub fn new() -> Stage {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("namespaces, which need root");
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let kept = ["passwd", "group", "nsswitch.conf", "ld.so.cache", "localtime"]
            .map(|name| (format!("/etc/{name}"), fs::read(format!("/etc/{name}")).ok()));
        for folder in ["/etc", "/run"] {
            mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some("mode=0755")).unwrap();
        }
        for (path, content) in kept {
            if let Some(content) = content {
                fs::write(path, content).unwrap();
            }
        }
        fs::write("/etc/resolv.conf", "nameserver 192.0.2.53\n").unwrap();
        let stage = Stage(tempfile::Builder::new().prefix("nrf").tempdir().unwrap());
        fs::write(stage.path("gate.toml"), GATE).unwrap();
        stage.ip("link set lo up\nlink add va0 type veth peer name vb0\nlink set vb0 up\naddr add 192.0.2.1/24 dev va0");
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The folder of a unit's record. netready recognizes it by its name.
    pub fn record(&self) -> PathBuf {
        self.path("netready-record")
    }

    /// Lines for `ip -batch`, which returns what they print.
    #[track_caller]
    pub fn ip(&self, lines: &str) -> String {
        fs::write(self.path("batch"), lines).unwrap();
        let done = Command::new("ip").args(["-force", "-batch"]).arg(self.path("batch")).output().unwrap();
        assert!(done.status.success(), "ip -batch: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// From now on [`GATE`] is met. The kernel takes note of a carrier a moment after the link is set up, and on a busy
    /// machine the moment is long.
    pub fn up(&self) {
        self.ip("link set va0 up\nroute replace default via 192.0.2.254 dev va0");
        let deadline = Instant::now() + LONGEST;
        while !self.ip("link show dev va0").contains("state UP") {
            assert!(Instant::now() < deadline, "va0 has no carrier");
        }
    }

    /// From now on [`GATE`] is not met: neither by the address's link nor by a route.
    pub fn down(&self) {
        self.ip("link set va0 down");
    }

    pub fn netready(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netready"));
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.path("home"))
            .env("RUNTIME_DIRECTORY", self.record());
        command
    }

    /// With [`GATE`].
    pub fn gated(&self, words: &[&str]) -> Command {
        let mut command = self.netready(words);
        command.arg(self.path("gate.toml"));
        command
    }
}

/// Makes a folder that is empty.
pub fn anew(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
}

/// A service manager's end of NOTIFY_SOCKET, and what was said to it.
pub struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    pub said: Vec<String>,
}

impl Manager {
    pub fn new(stage: &Stage) -> Manager {
        let path = stage.path("notify");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Manager { socket, path, said: Vec::new() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes in what was said by now.
    pub fn listen(&mut self) -> &[String] {
        let mut octets = [0; 8192];
        while let Ok(length) = self.socket.recv(&mut octets) {
            let text = String::from_utf8_lossy(&octets[..length]).into_owned();
            self.said.extend(text.lines().map(str::to_owned));
        }
        &self.said
    }

    pub fn is_ready(&mut self) -> bool {
        self.listen().iter().any(|line| line == "READY=1")
    }

    /// The last STATUS= begins so.
    pub fn stands(&mut self, word: &str) -> bool {
        let last = self.listen().iter().rev().find_map(|line| line.strip_prefix("STATUS="));
        last.is_some_and(|status| status.starts_with(word))
    }
}

/// How long something that a fault may have silenced is waited for.
pub const A_MOMENT: Duration = Duration::from_millis(300);
