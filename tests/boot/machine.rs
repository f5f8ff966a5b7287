//! A virtual machine: qemu with a kernel of Debian, a virtio network card, and qemu's own DHCP server and router.
//!
//! ```text
//! test ──QMP─────────────▶ qemu: the card's cable, suspend, wake-up
//!      ──serial port──▶ a shell in the guest
//! ```
//!
//! qemu runs in a network namespace without links, so nothing that the guest sends leaves this machine.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::files::Files;
use crate::rootfs::{self, Release};

/// How long the guest may take to boot, or a command in it: an emulated processor on a busy machine is slow.
const LIMIT: Duration = Duration::from_secs(600);
/// How long the guest's shell has before it is asked again: the serial port loses what comes while nobody reads it.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Why virtual machines cannot be had here, if so. Builds the guest where there is none yet.
pub fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    if !cfg!(target_arch = "x86_64") {
        return Some("not x86-64".to_owned());
    }
    let programs = [
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("mkfs.ext4", "e2fsprogs"),
        ("mmdebstrap", "mmdebstrap"),
        ("unshare", "util-linux"),
        ("setpriv", "util-linux"),
        ("dpkg-deb", "dpkg"),
    ];
    rootfs::without(&programs).or_else(|| rootfs::made(Release::Machine).as_ref().err().cloned())
}

/// A machine that runs. It ends when it is dropped, or with the thread that started it.
pub struct Machine {
    qemu: Child,
    monitor: Peer,
    shell: Peer,
    asked: u32,
    /// What qemu has reported and nobody has waited for.
    events: Vec<String>,
    started: Instant,
    scratch: tempfile::TempDir,
}

impl Machine {
    /// Boots with netready's package and these files. The card's cable is out.
    pub fn boot(write: impl FnOnce(&Files)) -> Machine {
        let scratch = rootfs::scratch();
        let place = scratch.path();
        let files = Files { upper: place.join("upper"), home: place.join("upper/home") };
        fs::create_dir(&files.upper).unwrap();
        write(&files);
        image(&files.upper, &place.join("disk"));
        let mut qemu = start(place);
        let [monitor, shell] =
            ["monitor", "shell"].map(|name| Peer::connect(&place.join(name), &mut qemu, place));
        let mut machine =
            Machine { qemu, monitor, shell, asked: 0, events: Vec::new(), started: Instant::now(), scratch };
        machine.tell("qmp_capabilities", json!({}));
        machine.cable(false);
        machine.started = Instant::now();
        machine.tell("cont", json!({}));
        machine.answers();
        machine
    }

    /// Since qemu started the processor.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Puts the cable into the card, or pulls it out.
    pub fn cable(&mut self, plugged: bool) {
        self.tell("set_link", json!({ "name": "nic", "up": plugged }));
    }

    /// Suspends to RAM for so long, and changes something in the meantime.
    pub fn suspend(&mut self, length: Duration, meanwhile: impl FnOnce(&mut Machine)) {
        self.sh("systemctl suspend --no-block");
        self.event("SUSPEND");
        meanwhile(self);
        std::thread::sleep(length);
        self.tell("system_wakeup", json!({}));
        self.event("WAKEUP");
        self.answers();
    }

    /// A shell command of one line, as root in the guest: what it printed, whether or not it failed.
    #[track_caller]
    pub fn sh(&mut self, line: &str) -> String {
        assert!(!line.contains('\n'), "{line}");
        self.ask(line, LIMIT).unwrap_or_else(|| panic!("no answer to: {line}\n{}", self.console()))
    }

    /// Waits until the guest's shell answers.
    #[track_caller]
    fn answers(&mut self) {
        let since = Instant::now();
        while self.ask(":", ASK_AGAIN).is_none() {
            assert!(since.elapsed() < LIMIT, "the guest does not answer:\n{}", self.console());
        }
    }

    fn ask(&mut self, line: &str, limit: Duration) -> Option<String> {
        self.asked += 1;
        let end = format!("=== {} ", self.asked);
        self.shell.send(&format!("{} {line}", self.asked));
        let deadline = Instant::now() + limit;
        let mut said = Vec::new();
        loop {
            let line = self.shell.line(deadline)?;
            if line.starts_with(&end) {
                return Some(said.join("\n").trim_end().to_owned());
            }
            // The end of an earlier command, whose answer came too late.
            if line.starts_with("=== ") {
                said.clear();
            } else {
                said.push(line);
            }
        }
    }

    #[track_caller]
    fn tell(&mut self, command: &str, arguments: Value) {
        self.monitor.send(&json!({ "execute": command, "arguments": arguments }).to_string());
        loop {
            let answer = self.report();
            assert!(answer.get("error").is_none(), "{command}: {answer}");
            if answer.get("return").is_some() {
                return;
            }
        }
    }

    #[track_caller]
    fn event(&mut self, name: &str) {
        while !self.events.iter().any(|event| event == name) {
            self.report();
        }
        self.events.retain(|event| event != name);
    }

    /// The next thing that qemu says. Events are also kept.
    #[track_caller]
    fn report(&mut self) -> Value {
        let line = self.monitor.line(Instant::now() + LIMIT);
        let line = line.unwrap_or_else(|| panic!("qemu says no more:\n{}", self.console()));
        let report: Value = serde_json::from_str(&line).unwrap();
        self.events.extend(report["event"].as_str().map(str::to_owned));
        report
    }

    /// The end of the kernel's and systemd's messages.
    fn console(&self) -> String {
        console(self.scratch.path())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.qemu);
    }
}

fn end(qemu: &mut Child) {
    let _ = qemu.kill();
    let _ = qemu.wait();
}

fn console(place: &Path) -> String {
    let read =
        |name: &str| String::from_utf8_lossy(&fs::read(place.join(name)).unwrap_or_default()).into_owned();
    let text = [read("errors"), read("console")].concat();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Writes the base, the package and the files of `upper` into an image of a file system.
#[track_caller]
fn image(upper: &Path, image: &Path) {
    let lower = format!(
        "{}:{}:{}",
        upper.display(),
        rootfs::installed(Release::Machine).display(),
        rootfs::base(Release::Machine).display()
    );
    // Only read, so it needs no layer of its own.
    let script = "mount -t overlay overlay -o \"lowerdir=$1\" /mnt && PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -d /mnt \"$2\" 800M";
    let made = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", &lower])
        .arg(image)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(made.status.success(), "no image: {}", String::from_utf8_lossy(&made.stderr));
}

/// qemu, with the processor stopped. It emulates the processor also where there is KVM, because a nested KVM may refuse an
/// instruction (seen here), and the guest then hangs.
/// The kernel has drivers for NVMe and ext4 built in, so it needs no initramfs.
fn start(place: &Path) -> Child {
    let boot = rootfs::base(Release::Machine).join("boot");
    let mut files = fs::read_dir(boot).unwrap().map(|entry| entry.unwrap().path());
    let kernel =
        files.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("vmlinuz-")).unwrap();
    let at = |name: &str| place.join(name).display().to_string();
    Command::new("unshare")
        .args(["--net", "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"])
        .args(["-machine", "pc", "-accel", "tcg", "-cpu", "qemu64,-svm", "-m", "512"])
        .args(["-display", "none", "-nodefaults", "-no-reboot", "-S"])
        .arg("-kernel")
        .arg(kernel)
        .args(["-append", "root=/dev/nvme0n1 rw console=ttyS0 mitigations=off TERM=dumb systemd.log_color=0"])
        .args(["-drive", &format!("if=none,id=disk,format=raw,cache=unsafe,file={}", at("disk"))])
        .args(["-device", "nvme,serial=disk,drive=disk"])
        .args(["-netdev", "user,id=lan,ipv6-prefix=2001:db8::,ipv6-prefixlen=64"])
        .args(["-device", "virtio-net-pci,netdev=lan,id=nic,romfile=,addr=3"])
        .args(["-serial", &format!("file:{}", at("console"))])
        .args(["-chardev", &format!("socket,id=shell,path={},server=on,wait=off", at("shell"))])
        .args(["-serial", "chardev:shell"])
        .args(["-qmp", &format!("unix:{},server=on,wait=off", at("monitor"))])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(place.join("errors")).unwrap())
        .spawn()
        .unwrap()
}

/// A socket on which lines go both ways.
struct Peer {
    stream: UnixStream,
    lines: Receiver<String>,
}

impl Peer {
    /// qemu makes its sockets a moment after its start.
    #[track_caller]
    fn connect(socket: &Path, qemu: &mut Child, place: &Path) -> Peer {
        let since = Instant::now();
        let stream = loop {
            if let Ok(stream) = UnixStream::connect(socket) {
                break stream;
            }
            if since.elapsed() > Duration::from_secs(60) || qemu.try_wait().unwrap().is_some() {
                end(qemu);
                panic!("qemu does not start:\n{}", console(place));
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let (send, lines) = mpsc::channel();
        let read = BufReader::new(stream.try_clone().unwrap());
        std::thread::spawn(move || {
            for line in read.split(b'\n').map_while(Result::ok) {
                if send.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                    break;
                }
            }
        });
        Peer { stream, lines }
    }

    fn send(&mut self, line: &str) {
        // If qemu has ended, the missing answer says so.
        let _ = self.stream.write_all(format!("{line}\n").as_bytes());
    }

    fn line(&self, deadline: Instant) -> Option<String> {
        self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }
}
