//! The harness of the tests: a network namespace, `ip` and netready in it, and everything that netready printed or
//! sent, in order and with times.
//!
//! A test always waits for something that arrives (a datagram, a line, an exit). Its deadline passes only if the
//! test fails.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
pub use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use crate::schema;
use tempfile::TempDir;

/// How long a test waits for an expected event. This is far more than any real latency, because two cores run the
/// whole suite at once, and a kernel in user mode (tests/uml.rs) needs several times as long for each system call.
/// It is less than the timeout of a gate that sets none.
pub const SOON: Duration = Duration::from_secs(80);
/// How long a test watches that nothing happens, if no event can show it. On a busy machine a wrong event may come
/// later, and then the test does not notice it. So this can hide an error, but it never reports one that is not there.
const A_WHILE: Duration = Duration::from_millis(150);

/// A pair of links with both ends up. `va0` is the near end.
pub const UP0: &str = "link add va0 type veth peer name vb0; link set vb0 up; link set va0 up";
pub const UP1: &str = "link add va1 type veth peer name vb1; link set vb1 up; link set va1 up";
pub const UP2: &str = "link add va2 type veth peer name vb2; link set vb2 up; link set va2 up";
/// The same pair with the far end down, so that the near end has no carrier.
pub const DARK0: &str = "link add va0 type veth peer name vb0; link set va0 up";
pub const DARK1: &str = "link add va1 type veth peer name vb1; link set va1 up";

/// `let ns = netns!();` gives a test its own network namespace. Such a test is `#[ignore = "needs a network
/// namespace"]`; .ci/test-runner runs it where namespaces are available.
#[macro_export]
macro_rules! netns {
    () => {
        $crate::harness::Netns::new()
    };
}

/// A network namespace. This thread and the processes that it starts are in it until the value is dropped.
pub struct Netns {
    scratch: TempDir,
    files: AtomicUsize,
    host: OwnedFd,
    host_mounts: Option<(OwnedFd, PathBuf)>,
}

impl Netns {
    pub fn new() -> Netns {
        let host = namespace_of_this_thread("net");
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace, which needs root");
        let scratch = tempfile::Builder::new().prefix("nr").tempdir().unwrap();
        std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Netns { scratch, files: AtomicUsize::new(0), host, host_mounts: None }
    }

    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Gives the test its own `/etc` and `/run`, so that it can write `/etc/netready`, `/run/netready` and
    /// `/etc/resolv.conf`.
    pub fn with_private_etc(mut self) -> Netns {
        let before = namespace_of_this_thread("mnt");
        let cwd = std::env::current_dir().unwrap();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        self.host_mounts = Some((before, cwd));
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let kept: Vec<(PathBuf, Vec<u8>)> = ["passwd", "group", "nsswitch.conf", "ld.so.cache", "localtime"]
            .iter()
            .filter_map(|name| {
                Some((Path::new("/etc").join(name), std::fs::read(Path::new("/etc").join(name)).ok()?))
            })
            .collect();
        for dir in ["/etc", "/run"] {
            mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some("mode=0755")).unwrap();
        }
        for (path, bytes) in kept {
            std::fs::write(path, bytes).unwrap();
        }
        self
    }

    /// Gives the test its own kernel command line, and its own `/etc` and `/run`. The test may run in a container,
    /// so the arguments of PID 1 are the same words.
    pub fn with_kernel_line(self, words: &[&str]) -> Netns {
        let ns = self.with_private_etc();
        let none: Option<&str> = None;
        for (path, text) in
            [("/proc/cmdline", words.join(" ") + "\n"), ("/proc/1/cmdline", words.join("\0") + "\0")]
        {
            let file = ns.file("cmdline", &text);
            mount(Some(file.as_str()), path, none, MsFlags::MS_BIND, none).unwrap();
        }
        ns
    }

    /// Runs `ip` once for each command. Semicolons or line ends separate commands. `sysctl NAME=VALUE` is a command
    /// too.
    #[track_caller]
    pub fn ip(&self, commands: &str) {
        for command in commands.split([';', '\n']).map(str::trim).filter(|c| !c.is_empty()) {
            if let Some(setting) = command.strip_prefix("sysctl ") {
                let (name, value) = setting.split_once('=').unwrap();
                self.sysctl(name, value);
                continue;
            }
            let output = self.try_ip(command);
            assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
        }
        if commands.contains("link ") {
            self.linkwatch();
        }
    }

    /// Waits until the kernel has finished the changes of carrier. On a busy machine its worker comes late: a link then has
    /// LOWER_UP, but not yet the operstate UP and IFF_RUNNING.
    fn linkwatch(&self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        let unfinished = |line: &str| {
            line.contains("LOWER_UP") != line.contains(" state UP ") && !line.contains("DORMANT")
        };
        while Instant::now() < deadline {
            let links = self.try_ip("-o link show up type veth").stdout;
            if !String::from_utf8_lossy(&links).lines().any(unfinished) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn try_ip(&self, command: &str) -> Output {
        Command::new("ip").args(command.split_whitespace()).output().unwrap()
    }

    /// Runs many commands in one process, as fast as the kernel accepts them.
    #[track_caller]
    pub fn ip_batch(&self, commands: &str) {
        assert!(self.start_ip_batch(commands).wait().unwrap().success(), "ip -batch failed");
    }

    pub fn start_ip_batch(&self, commands: &str) -> Child {
        let file = self.file("batch", commands);
        let mut ip = Command::new("ip");
        ip.args(["-force", "-batch"]).arg(file).stdout(Stdio::null()).stderr(Stdio::inherit());
        ip.spawn().unwrap()
    }

    #[track_caller]
    pub fn ip_json(&self, arguments: &str) -> Vec<Value> {
        let output = self.try_ip(&format!("-j -d {arguments}"));
        // For a table that does not exist, ip prints only the beginning of a list.
        if output.stdout.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'[') {
            return Vec::new();
        }
        match serde_json::from_slice(&output.stdout) {
            Ok(Value::Array(rows)) => rows,
            other => panic!("ip -j {arguments}: {other:?}"),
        }
    }

    /// Sets a sysctl such as `net.ipv6.conf.va0.disable_ipv6` in this thread's namespace.
    #[track_caller]
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        std::fs::write(&path, value).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    pub fn file(&self, name: &str, content: &str) -> String {
        let n = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.scratch.path().join(format!("{name}{n}.toml"));
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Writes a gate file, and returns its path for use as GATE.
    pub fn gate(&self, toml: &str) -> String {
        self.file("gate", toml)
    }

    pub fn command(&self, arguments: &[&str]) -> Builder {
        let n = self.files.fetch_add(1, Ordering::Relaxed);
        // netready takes this folder for that of a unit because of its name. It would otherwise write to /run.
        let records = self.scratch.path().join(format!("records{n}/netready-record"));
        Builder::new(self.scratch.path(), records, arguments)
    }

    /// Starts `netready run …` with a notify socket of its own.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Process {
        self.command(&[&["run"], arguments].concat()).spawn()
    }

    #[track_caller]
    pub fn run_gate(&self, toml: &str) -> Process {
        self.run(&[&self.gate(toml)])
    }

    #[track_caller]
    pub fn wait(&self, arguments: &[&str]) -> Process {
        self.command(&[&["wait"], arguments].concat()).spawn()
    }

    #[track_caller]
    pub fn monitor(&self, arguments: &[&str]) -> Process {
        self.command(&[&["monitor"], arguments].concat()).spawn()
    }

    /// Runs `netready check -j …` to its end.
    #[track_caller]
    pub fn check(&self, arguments: &[&str]) -> Check {
        let output = self.output(&[&["check", "-j"], arguments].concat());
        let json = serde_json::from_str(&output.stdout)
            .unwrap_or_else(|e| panic!("check -j {arguments:?}: {e}: {output:?}"));
        schema::assert_valid(if output.code > 1 { "error" } else { "verdict" }, &json);
        Check { code: output.code, json }
    }

    #[track_caller]
    pub fn check_gate(&self, toml: &str) -> Check {
        self.check(&[&self.gate(toml)])
    }

    /// Runs any command of netready to its end.
    #[track_caller]
    pub fn output(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output()
    }

    /// Waits until `so` is true. It is for states that the kernel reaches by itself, without an event that the test
    /// sees.
    #[track_caller]
    pub fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let deadline = Instant::now() + SOON;
        while !so() {
            assert!(Instant::now() < deadline, "never came: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Some((mounts, cwd)) = &self.host_mounts {
            // This fails while this thread shares its working directory with a thread that it started and that has
            // not ended. A test's thread ends here anyway. Only with --test-threads=1 would the next test see these
            // mounts.
            if setns(mounts, CloneFlags::CLONE_NEWNS).is_ok() {
                let _ = std::env::set_current_dir(cwd);
            }
        }
        setns(&self.host, CloneFlags::CLONE_NEWNET).unwrap();
    }
}

/// Writes a program that the test or netready will run, in another process. If this process wrote the file, a process
/// that another test starts at this moment would inherit the descriptor, and the program could not be run during that
/// time (ETXTBSY).
#[track_caller]
pub fn write_program(path: &Path, text: &str) {
    let write = ["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""];
    assert!(Command::new("sh").args(write).arg(path).arg(text).status().unwrap().success());
}

/// Copies a program that the test will run. Another process does it, for the same reason.
#[track_caller]
pub fn copy_program(built: &Path, to: &Path) {
    assert!(Command::new("cp").args([built, to]).status().unwrap().success());
}

fn namespace_of_this_thread(kind: &str) -> OwnedFd {
    std::fs::File::open(format!("/proc/thread-self/ns/{kind}")).unwrap().into()
}

/// Changes without an end: one `ip` gets lines until this value is dropped, as fast as the kernel accepts them.
pub struct Storm {
    ip: Child,
    feeder: Option<std::thread::JoinHandle<()>>,
}

impl Storm {
    /// Starts the storm in this thread's namespace. `lines` makes the lines of one number after the other.
    pub fn start(lines: impl Fn(u32) -> String + Send + 'static) -> Storm {
        let mut ip = Command::new("ip");
        ip.args(["-force", "-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut ip = ip.spawn().unwrap();
        let mut stdin = ip.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || {
            // Writing fails when `ip` is killed.
            let mut numbers = 0..;
            while numbers.next().is_some_and(|n| stdin.write_all(lines(n).as_bytes()).is_ok()) {}
        });
        Storm { ip, feeder: Some(feeder) }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        let _ = self.ip.kill();
        let _ = self.ip.wait();
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

/// A second namespace without a name. It exists as long as a process is in it.
pub struct Elsewhere {
    child: Child,
}

impl Elsewhere {
    pub fn new() -> Elsewhere {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up; echo; exec sleep 600"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Elsewhere { child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs `ip` once for all commands, which semicolons separate.
    #[track_caller]
    pub fn ip(&self, commands: &str) {
        let mut ip = Command::new("nsenter")
            .args(["--target", &self.pid().to_string(), "--net", "ip", "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        ip.stdin.take().unwrap().write_all(commands.replace(';', "\n").as_bytes()).unwrap();
        assert!(ip.wait().unwrap().success(), "elsewhere: ip {commands}");
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process with the name and the user of a user's service manager, so that netready takes it for one.
pub struct UserManager {
    child: Child,
}

impl UserManager {
    /// Starts a manager of the test's own user.
    pub fn new(ns: &Netns) -> UserManager {
        UserManager::started(ns, Command::new(UserManager::program(ns)))
    }

    /// Starts a manager of another user.
    pub fn of_nobody(ns: &Netns) -> UserManager {
        let mut setpriv = Command::new("setpriv");
        setpriv
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(UserManager::program(ns));
        UserManager::started(ns, setpriv)
    }

    /// Returns a link to a program. A process has the name of the link by which it was started.
    fn program(ns: &Netns) -> PathBuf {
        let path = ns.scratch().join("systemd");
        if !path.exists() {
            std::os::unix::fs::symlink("/usr/bin/sleep", &path).unwrap();
        }
        path
    }

    fn started(ns: &Netns, mut command: Command) -> UserManager {
        let child = command.arg("600").stdin(Stdio::null()).spawn().unwrap();
        let comm = format!("/proc/{}/comm", child.id());
        ns.until("systemd", || std::fs::read_to_string(&comm).is_ok_and(|name| name == "systemd\n"));
        UserManager { child }
    }

    /// Returns the process ID for MANAGERPID.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for UserManager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The result of `check --json`.
#[derive(Debug)]
pub struct Check {
    pub code: i32,
    pub json: Value,
}

impl Check {
    #[track_caller]
    pub fn ready(&self) -> bool {
        let ready = self.json["ready"].as_bool().unwrap_or_else(|| panic!("no `ready`: {self:?}"));
        assert_eq!(self.code, i32::from(!ready), "exit code and `ready` differ: {self:?}");
        ready
    }

    /// Returns the requirements that are not met.
    pub fn unmet(&self) -> impl Iterator<Item = &Value> {
        self.json["requirements"].as_array().expect("requirements").iter().filter(|r| r["met"] == false)
    }

    #[track_caller]
    pub fn assert_ready(&self) -> &Check {
        assert!(self.ready(), "{:#}", self.json);
        self
    }

    /// Checks that the verdict is "not ready", that an unmet requirement has this code, and that a reason contains
    /// the fragment.
    #[track_caller]
    pub fn assert_unready(&self, code: &str, fragment: &str) -> &Check {
        assert!(!self.ready(), "ready, but {code} was expected: {:#}", self.json);
        let codes: Vec<&str> = self.unmet().filter_map(|r| r["code"].as_str()).collect();
        // `|` separates codes where the manual does not say which of two reasons is named.
        assert!(
            code.split('|').any(|code| codes.contains(&code)),
            "no unmet requirement with code {code}: {:#}",
            self.json
        );
        let told = self.unmet().any(|r| r["reason"].as_str().is_some_and(|text| text.contains(fragment)));
        assert!(told, "no reason says `{fragment}`: {:#}", self.json);
        self
    }

    pub fn text(&self) -> String {
        self.json.to_string()
    }
}

/// The output of a command that has ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

#[derive(Debug, Clone)]
pub enum Event {
    Datagram(String),
    Out(String),
    Err(String),
    OutEnd,
    ErrEnd,
    Exit(Exit),
    /// The harness itself sent to the notify socket. Everything that was sent before has been read.
    Mark(usize),
}

#[derive(Default)]
struct Log {
    events: Mutex<Vec<(Instant, Event)>>,
    changed: Condvar,
}

impl Log {
    fn push(&self, event: Event) {
        self.events.lock().unwrap().push((Instant::now(), event));
        self.changed.notify_all();
    }

    fn wait<T>(&self, within: Duration, mut find: impl FnMut(&[(Instant, Event)]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut events = self.events.lock().unwrap();
        loop {
            if let Some(found) = find(&events) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            events = self.changed.wait_timeout(events, left).unwrap().0;
        }
    }
}

/// A number far above the descriptors that starting a process uses.
pub const INHERITED: i32 = 200;

/// The user who runs netready.
enum User {
    Root,
    Nobody,
}

pub struct Builder {
    scratch: PathBuf,
    /// The folder for the record of this process. No other process uses it.
    records: PathBuf,
    arguments: Vec<String>,
    env: Vec<(String, String)>,
    notify: bool,
    closed_stdout: bool,
    user: User,
    no_netlink: bool,
    bare_env: bool,
    inherited: Option<OwnedFd>,
    traced: Option<PathBuf>,
    program: Option<PathBuf>,
}

impl Builder {
    fn new(scratch: &Path, records: PathBuf, arguments: &[&str]) -> Builder {
        Builder {
            scratch: scratch.to_owned(),
            records,
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
            env: Vec::new(),
            notify: true,
            closed_stdout: false,
            user: User::Root,
            no_netlink: false,
            bare_env: false,
            inherited: None,
            traced: None,
            program: None,
        }
    }

    pub fn env(mut self, name: &str, value: &str) -> Builder {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Keeps the record in /run, as a `run` by hand does. The test must have its own /run
    /// ([`Netns::with_private_etc`]).
    pub fn by_hand(self) -> Builder {
        self.env("RUNTIME_DIRECTORY", "")
    }

    pub fn without_notify_socket(mut self) -> Builder {
        self.notify = false;
        self
    }

    pub fn closed_stdout(mut self) -> Builder {
        self.closed_stdout = true;
        self
    }

    /// Runs netready with uid 65534, without groups, capabilities and environment.
    pub fn unprivileged(mut self) -> Builder {
        self.user = User::Nobody;
        self.bare_env = true;
        self
    }

    /// Passes this descriptor to netready as number [`INHERITED`].
    pub fn inherits(mut self, descriptor: OwnedFd) -> Builder {
        self.inherited = Some(descriptor);
        self
    }

    /// Runs netready under strace(1), which writes the system calls of netready and its children to this file.
    /// netready is told that its stderr goes to the journal.
    pub fn traced(mut self, file: &Path) -> Builder {
        self.traced = Some(file.to_owned());
        self
    }

    /// Runs another build of netready, with its other programs in the same folder.
    pub fn program(mut self, program: &str) -> Builder {
        self.program = Some(program.into());
        self
    }

    /// Makes socket(AF_NETLINK) fail, as in a sandbox that does not allow it.
    pub fn without_netlink(mut self) -> Builder {
        self.no_netlink = true;
        self
    }

    fn command(&self) -> Command {
        let binary = self.program.as_deref().unwrap_or(Path::new(env!("CARGO_BIN_EXE_netready")));
        let mut command = match self.user {
            User::Root => match &self.traced {
                None => Command::new(binary),
                Some(file) => {
                    // With -D, strace is a child of netready instead of its parent.
                    let trace = "export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
                        file=$1; shift; exec strace -D -f -q -o \"$file\" \"$@\"";
                    let mut command = Command::new("sh");
                    command.args(["-c", trace, "sh"]).arg(file).arg(binary);
                    command
                }
            },
            User::Nobody => {
                // Other users may not enter the build directory, so run a copy.
                let copy = self.scratch.join("netready");
                if !copy.exists() {
                    copy_program(binary, &copy);
                    for (name, built) in [
                        ("netready-probe", env!("CARGO_BIN_EXE_netready-probe")),
                        ("netready-tools", env!("CARGO_BIN_EXE_netready-tools")),
                    ] {
                        copy_program(Path::new(built), &self.scratch.join(name));
                    }
                }
                let mut setpriv = Command::new("setpriv");
                setpriv
                    .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"])
                    .args(["--inh-caps=-all", "--no-new-privs", "--"])
                    .arg(copy);
                setpriv
            }
        };
        command.args(&self.arguments).env_clear();
        if self.bare_env {
            // setpriv needs PATH; netready does not use it.
            command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        } else {
            std::fs::create_dir_all(&self.records).unwrap();
            command
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .env("HOME", self.scratch.join("home"))
                .env("RUNTIME_DIRECTORY", &self.records)
                .env("RUST_BACKTRACE", "1");
        }
        command.envs(self.env.iter().map(|(n, v)| (n, v)));
        // SAFETY: between fork and exec this makes only system calls.
        unsafe { command.pre_exec(hear_signals) };
        if let Some(inherited) = &self.inherited {
            let number = inherited.as_raw_fd();
            let inherit = move || {
                // SAFETY: no descriptor in the child has this number.
                let made = unsafe { libc::dup2(number, INHERITED) };
                if made < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
            };
            // SAFETY: between fork and exec only dup2(2) is called.
            unsafe { command.pre_exec(inherit) };
        }
        if self.no_netlink {
            // SAFETY: between fork and exec only prctl(2) is called, with memory that was allocated before.
            unsafe { command.pre_exec(forbid_netlink) };
        }
        command
    }

    #[track_caller]
    pub fn output(self) -> Said {
        let process = self.without_notify_socket().spawn();
        let exit = process.expect_exit();
        let Exit::Code(code) = exit else { panic!("died: {exit:?}\n{}", process.transcript()) };
        Said { code, stdout: process.stdout(), stderr: process.stderr() }
    }

    #[track_caller]
    pub fn spawn(self) -> Process {
        let log = Arc::new(Log::default());
        let mut command = self.command();
        let notify_path = tempfile::Builder::new().prefix("n").tempdir_in(&self.scratch).unwrap();
        std::fs::set_permissions(notify_path.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = notify_path.path().join("s");
        let socket = UnixDatagram::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        if self.notify {
            command.env("NOTIFY_SOCKET", &path);
        }
        command.stdin(Stdio::null());
        command.stderr(Stdio::piped());
        if self.closed_stdout {
            // write(2) to this socket gives EPIPE, as for a pipe without a reader.
            let (reader, writer) = UnixStream::pair().unwrap();
            drop(reader);
            command.stdout(OwnedFd::from(writer));
        } else {
            command.stdout(Stdio::piped());
        }
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{:?}: {e}", self.arguments));
        drop(command);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        spawn_reader(child.stderr.take().unwrap(), &log, Event::Err, Event::ErrEnd);
        match child.stdout.take() {
            Some(stdout) => spawn_reader(stdout, &log, Event::Out, Event::OutEnd),
            None => log.push(Event::OutEnd),
        }
        spawn_datagram_reader(socket, &log);
        let reaped = Arc::new(Mutex::new(false));
        spawn_waiter(child, &log, &reaped);
        Process {
            arguments: self.arguments,
            log,
            pid,
            started,
            reaped,
            notify: path,
            marks: AtomicUsize::new(0),
            _notify_dir: notify_path,
        }
    }
}

fn spawn_reader(stream: impl Read + Send + 'static, log: &Arc<Log>, line: fn(String) -> Event, end: Event) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
            log.push(line(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()));
            bytes.clear();
        }
        log.push(end);
    });
}

fn spawn_datagram_reader(socket: UnixDatagram, log: &Arc<Log>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 8192];
        while let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            match text.strip_prefix("harness mark ") {
                Some("end") => return,
                Some(n) => log.push(Event::Mark(n.parse().unwrap())),
                None => log.push(Event::Datagram(text)),
            }
        }
    });
}

fn spawn_waiter(mut child: Child, log: &Arc<Log>, reaped: &Arc<Mutex<bool>>) {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let (log, reaped) = (Arc::clone(log), Arc::clone(reaped));
    std::thread::spawn(move || {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        // Wait without reaping, and reap under the lock that guards every kill. So no signal goes to a process that
        // got the same number later.
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        let mut reaped = reaped.lock().unwrap();
        let status = child.wait().unwrap();
        *reaped = true;
        log.push(Event::Exit(match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap()),
        }));
    });
}

/// A netready that was started, and everything that it has printed and sent so far.
pub struct Process {
    arguments: Vec<String>,
    log: Arc<Log>,
    pid: Pid,
    started: Instant,
    reaped: Arc<Mutex<bool>>,
    notify: PathBuf,
    marks: AtomicUsize,
    _notify_dir: TempDir,
}

impl Process {
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    pub fn notify_socket(&self) -> &Path {
        &self.notify
    }

    pub fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap();
        assert!(!*reaped, "has ended already: {}", self.transcript());
        nix::sys::signal::kill(self.pid, signal).unwrap();
    }

    pub fn has_exited(&self) -> bool {
        self.events().iter().any(|(_, event)| matches!(event, Event::Exit(_)))
    }

    pub fn events(&self) -> Vec<(Instant, Event)> {
        self.log.events.lock().unwrap().clone()
    }

    /// Waits until everything that netready has sent to the notify socket so far has been read.
    fn catch_up(&self) {
        let n = self.marks.fetch_add(1, Ordering::Relaxed);
        self.say_to_reader(&n.to_string());
        self.log
            .wait(SOON, |events| {
                events.iter().any(|(_, e)| matches!(e, Event::Mark(m) if *m == n)).then_some(())
            })
            .expect("the harness's own mark");
    }

    fn say_to_reader(&self, word: &str) {
        let _ =
            UnixDatagram::unbound().unwrap().send_to(format!("harness mark {word}").as_bytes(), &self.notify);
    }

    /// Returns the `NAME=VALUE` assignments that were sent so far, in order.
    pub fn notifications(&self) -> Vec<(Instant, String)> {
        self.catch_up();
        notifications(&self.events())
    }

    /// Returns the assignments that came since the last call, in order. The harness then forgets everything that
    /// netready has printed and sent, except a panic, so that a long test does not use more and more memory.
    pub fn take_notifications(&self) -> Vec<String> {
        self.catch_up();
        let mut events = self.log.events.lock().unwrap();
        let taken = notifications(&events).into_iter().map(|(_, line)| line).collect();
        events.retain(|(_, event)| match event {
            Event::Datagram(_) | Event::Out(_) | Event::Mark(_) => false,
            Event::Err(line) => line.contains("panicked at"),
            Event::OutEnd | Event::ErrEnd | Event::Exit(_) => true,
        });
        taken
    }

    fn values(&self, name: &str) -> Vec<(Instant, String)> {
        let named = |(at, line): &(Instant, String)| {
            let (n, value) = line.split_once('=')?;
            (n == name).then(|| (*at, value.to_owned()))
        };
        self.notifications().iter().filter_map(named).collect()
    }

    pub fn statuses(&self) -> Vec<String> {
        self.values("STATUS").into_iter().map(|(_, text)| text).collect()
    }

    pub fn last_status(&self) -> String {
        self.statuses().pop().unwrap_or_default()
    }

    pub fn all(&self, name: &str) -> Vec<(Instant, String)> {
        self.values(name)
    }

    pub fn count(&self, assignment: &str) -> usize {
        self.notifications().iter().filter(|(_, line)| line == assignment).count()
    }

    pub fn is_ready(&self) -> bool {
        self.count("READY=1") > 0
    }

    /// Waits for an assignment such as `READY=1`. Returns how long after the start it came.
    #[track_caller]
    pub fn expect(&self, assignment: &str) -> Duration {
        let found = self.log.wait(SOON, |events| {
            notifications(events).into_iter().find(|(_, line)| line == assignment).map(|(at, _)| at)
        });
        match found {
            Some(at) => at - self.started,
            None => panic!("{assignment} never came\n{}", self.transcript()),
        }
    }

    #[track_caller]
    pub fn expect_ready(&self) -> Duration {
        let after = self.expect("READY=1");
        assert_eq!(self.count("READY=1"), 1, "{}", self.transcript());
        after
    }

    /// Waits until `such` is true for the last STATUS=.
    #[track_caller]
    pub fn expect_status_where(&self, what: &str, mut such: impl FnMut(&str) -> bool) -> String {
        let found = self.log.wait(SOON, |events| {
            let last = notifications(events)
                .into_iter()
                .filter_map(|(_, l)| Some(l.strip_prefix("STATUS=")?.to_owned()))
                .next_back()?;
            such(&last).then_some(last)
        });
        found.unwrap_or_else(|| panic!("last STATUS= is not: {what}\n{}", self.transcript()))
    }

    #[track_caller]
    pub fn expect_status(&self, fragment: &str) -> String {
        self.expect_status_where(fragment, |status| status.contains(fragment))
    }

    /// Waits for a STATUS= that contains the fragment, and returns the latest one. Others may have followed it. It is
    /// for states that pass by themselves, perhaps before a busy machine looks.
    #[track_caller]
    pub fn expect_told(&self, fragment: &str) -> String {
        self.expect_told_where(fragment, |status| status.contains(fragment))
    }

    #[track_caller]
    fn expect_told_where(&self, what: &str, such: impl Fn(&str) -> bool) -> String {
        let found = self.log.wait(SOON, |events| {
            let told = notifications(events).into_iter().rev();
            told.filter_map(|(_, l)| Some(l.strip_prefix("STATUS=")?.to_owned())).find(|status| such(status))
        });
        found.unwrap_or_else(|| panic!("STATUS= never was: {what}\n{}", self.transcript()))
    }

    /// Waits until the last STATUS= begins with `Ready`.
    #[track_caller]
    pub fn expect_now_ready(&self) -> String {
        self.expect_status_where("Ready…", |status| status.starts_with("Ready"))
    }

    /// Waits until the last STATUS= begins with `NOT ready`.
    #[track_caller]
    pub fn expect_lost(&self) -> String {
        self.expect_status_where("NOT ready…", |status| status.starts_with("NOT ready"))
    }

    /// Waits for a STATUS= that begins with `Waiting`, and returns the latest one. A gate with a short timeout may have
    /// given up since.
    #[track_caller]
    pub fn expect_waiting(&self) -> String {
        self.expect_told_where("Waiting…", |status| status.starts_with("Waiting"))
    }

    /// Checks that READY=1 was not sent, and is not sent in the next moment. It is for an event that must change
    /// nothing.
    #[track_caller]
    pub fn stays_unready(&self) {
        std::thread::sleep(A_WHILE);
        assert!(!self.is_ready(), "READY=1 too early\n{}", self.transcript());
        assert!(!self.has_exited(), "ended\n{}", self.transcript());
    }

    /// Waits until the last STATUS= begins with `Ready`, and checks that this stays so.
    #[track_caller]
    pub fn stays_ready(&self) {
        self.expect_now_ready();
        std::thread::sleep(A_WHILE);
        assert!(self.last_status().starts_with("Ready"), "{}", self.transcript());
        assert!(!self.has_exited(), "ended\n{}", self.transcript());
    }

    /// Waits until the last STATUS= begins with `NOT ready`, and checks that this stays so.
    #[track_caller]
    pub fn stays_lost(&self) {
        self.expect_lost();
        std::thread::sleep(A_WHILE);
        assert!(self.last_status().starts_with("NOT ready"), "{}", self.transcript());
    }

    #[track_caller]
    pub fn expect_exit(&self) -> Exit {
        let exit = self.log.wait(SOON, |events| {
            events.iter().find_map(|(_, e)| if let Event::Exit(exit) = e { Some(*exit) } else { None })
        });
        let Some(exit) = exit else { panic!("goes on running\n{}", self.transcript()) };
        self.log.wait(SOON, |events| {
            let ends = events.iter().filter(|(_, e)| matches!(e, Event::OutEnd | Event::ErrEnd)).count();
            (ends == 2).then_some(())
        });
        exit
    }

    pub fn exited_after(&self) -> Duration {
        let at = self.events().iter().find_map(|(at, e)| matches!(e, Event::Exit(_)).then_some(*at));
        at.expect("has not ended") - self.started
    }

    pub fn stderr_lines(&self) -> Vec<String> {
        self.events()
            .into_iter()
            .filter_map(|(_, e)| if let Event::Err(line) = e { Some(line) } else { None })
            .collect()
    }

    pub fn stdout_lines(&self) -> Vec<String> {
        self.events()
            .into_iter()
            .filter_map(|(_, e)| if let Event::Out(line) = e { Some(line) } else { None })
            .collect()
    }

    pub fn stderr(&self) -> String {
        self.stderr_lines().join("\n")
    }

    pub fn stdout(&self) -> String {
        self.stdout_lines().join("\n")
    }

    /// Waits for a line on stderr that contains the fragment.
    #[track_caller]
    pub fn expect_stderr(&self, fragment: &str) -> String {
        let found = self.log.wait(SOON, |events| {
            events.iter().find_map(|(_, e)| match e {
                Event::Err(line) if line.contains(fragment) => Some(line.clone()),
                _ => None,
            })
        });
        found.unwrap_or_else(|| panic!("stderr never said `{fragment}`\n{}", self.transcript()))
    }

    /// Waits for a line on stdout for which `such` is true.
    #[track_caller]
    pub fn expect_stdout_where(&self, what: &str, mut such: impl FnMut(&str) -> bool) -> String {
        let found = self.log.wait(SOON, |events| {
            events.iter().find_map(|(_, e)| match e {
                Event::Out(line) if such(line) => Some(line.clone()),
                _ => None,
            })
        });
        found.unwrap_or_else(|| panic!("stdout never said: {what}\n{}", self.transcript()))
    }

    pub fn transcript(&self) -> String {
        let mut text = format!("netready {}\n", self.arguments.join(" "));
        for (at, event) in self.events() {
            let after = (at - self.started).as_secs_f64();
            let _ = writeln!(text, "  {after:8.3}  {event:?}");
        }
        text
    }

    fn kill(&self) {
        let reaped = self.reaped.lock().unwrap();
        if !*reaped {
            let _ = nix::sys::signal::kill(self.pid, Signal::SIGKILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let ended = self.log.wait(SOON, |events| {
            let exit = events.iter().any(|(_, e)| matches!(e, Event::Exit(_)));
            let stderr = events.iter().any(|(_, e)| matches!(e, Event::ErrEnd));
            (exit && stderr).then_some(())
        });
        self.say_to_reader("end");
        if std::thread::panicking() {
            return;
        }
        assert!(ended.is_some(), "outlived its kill\n{}", self.transcript());
        assert!(!self.stderr().contains("panicked at"), "it panicked\n{}", self.transcript());
    }
}

fn notifications(events: &[(Instant, Event)]) -> Vec<(Instant, String)> {
    let mut assignments = Vec::new();
    for (at, event) in events {
        if let Event::Datagram(text) = event {
            assignments.extend(text.lines().map(|line| (*at, line.to_owned())));
        }
    }
    assignments
}

/// The expected result of a row of [`rows`].
pub enum Want {
    /// `check` says ready, and so does a `run` that saw the setup happen.
    Ready,
    /// Both say not ready. An unmet requirement has this code, and a reason contains this fragment.
    Not(&'static str, &'static str),
}

/// Tests each row in a namespace of its own. A row has the setup, the gate (options, or a clause in TOML with `; `
/// between its keys) and the expected result. One `run` watches the setup, another starts after it, and `check`
/// runs at the end. All must give the same result.
#[track_caller]
pub fn rows<S: AsRef<str>>(table: &[(S, &str, Want)]) {
    let mut failed = String::new();
    for (setup, options, want) in table {
        let setup = setup.as_ref();
        let ns = netns!();
        let row = format!("[{setup}] wants [{options}]");
        let gate;
        let options: Vec<&str> = if options.contains(" = ") {
            gate = ns.gate(&format!("[[require]]\n{}\n", options.replace("; ", "\n")));
            vec![&gate]
        } else {
            options.split_whitespace().collect()
        };
        let verdict =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| row_agrees(&ns, setup, &options, want)));
        if let Err(panic) = verdict {
            let text = panic.downcast_ref::<String>().map_or("(no text)", String::as_str);
            let _ = writeln!(failed, "* {row}\n{text}\n");
        }
    }
    assert!(failed.is_empty(), "rows that failed:\n{failed}");
}

fn row_agrees(ns: &Netns, setup: &str, options: &[&str], want: &Want) {
    let witness = ns.run(&[options, &["-t", "infinity"]].concat());
    witness.expect_waiting();
    ns.ip(setup);
    let late = ns.run(&[options, &["-t", "infinity"]].concat());
    let settled = |process: &Process| {
        process.expect_status_where("in agreement with check", |status| match want {
            Want::Ready => status.starts_with("Ready"),
            Want::Not(..) => status.starts_with("Waiting") || status.starts_with("NOT ready"),
        });
    };
    match want {
        Want::Ready => {
            settled(&late);
            settled(&witness);
            ns.check(options).assert_ready();
        }
        Want::Not(code, fragment) => {
            ns.check(options).assert_unready(code, fragment);
            settled(&late);
            settled(&witness);
            assert!(!late.is_ready(), "READY=1 too early\n{}", late.transcript());
        }
    }
}

/// A tun link. The link has carrier while this value exists. Unless it was made to stay, the link exists as long
/// too.
pub struct Tun {
    device: std::fs::File,
}

impl Tun {
    pub fn open(name: &str) -> Tun {
        const TUNSETIFF: u64 = 0x4004_54ca;
        const IFF_TUN_NO_PI: i16 = 0x0001 | 0x1000;
        let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").unwrap();
        let mut request = [0_u8; 40];
        request[..name.len()].copy_from_slice(name.as_bytes());
        request[16..18].copy_from_slice(&IFF_TUN_NO_PI.to_ne_bytes());
        // SAFETY: TUNSETIFF reads a struct ifreq of 40 bytes. The array has this size.
        let result = unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, request.as_mut_ptr()) };
        assert_eq!(result, 0, "TUNSETIFF: {}", std::io::Error::last_os_error());
        Tun { device }
    }

    pub fn close(self) {
        drop(self.device);
    }
}

/// Restores the default action of the signals that tests send. A background job of a shell inherits them as
/// ignored.
pub fn hear_signals() -> std::io::Result<()> {
    use nix::sys::signal::{SigHandler, signal};
    for heard in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        // SAFETY: the default action is not a handler function.
        unsafe { signal(heard, SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// Makes socket(AF_NETLINK, …) fail with EAFNOSUPPORT for this process and for the program that it becomes.
fn forbid_netlink() -> std::io::Result<()> {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let socket = u32::try_from(libc::SYS_socket).unwrap();
    let filter = [
        libc::sock_filter { code: LOAD, jt: 0, jf: 0, k: 0 },
        libc::sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 3, k: socket },
        libc::sock_filter { code: LOAD, jt: 0, jf: 0, k: 16 },
        libc::sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: libc::AF_NETLINK as u32 },
        libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: ERRNO | libc::EAFNOSUPPORT as u32 },
        libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: ALLOW },
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program and its filter outlive the calls. Both calls affect only this process.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, 2, &raw const program) == 0
    };
    if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
