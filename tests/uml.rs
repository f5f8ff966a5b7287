//! Runs the tests of `namespaces` that need link kinds which this machine's kernel may lack (its module
//! `kinds`) in a kernel that has them: Debian's user-mode-linux, an ordinary process. It boots in about three
//! seconds, and needs neither root nor an image: its root is this machine's own, read-only, and what tests
//! write is in its memory.
//!
//! ```text
//! this program ─▶ linux.uml ─▶ this program again, as the first process of the guest ─▶ namespaces kinds::
//!      ◀──────────────── the guest's console: what the tests said, and how they ended ─────────┘
//! ```
//!
//! Where it cannot run, its tests are reported as ignored; where `CI` is set, that is a failure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The module of `namespaces` that runs here; its tests are `#[ignore]`d elsewhere.
const MODULE: &str = "kinds::";
/// The variable by which the guest's first process knows what it is, and where its plan stands.
const PLAN: &str = "NETREADY_UML_PLAN";
/// What the guest's console says around the tests' output.
const BEGIN: &str = "=== begin";
const END: &str = "=== end ";
/// The whole module takes less than a minute. A guest that hangs is killed.
const LIMIT: Duration = Duration::from_secs(600);
/// Tests mostly wait.
const AT_ONCE: &str = "--test-threads=2";

/// What the tests need, and what that needs.
const MODULES: [&str; 24] = [
    "ipv6",
    "veth",
    "bridge",
    "tun",
    "8021q",
    "bonding",
    "team",
    "team_mode_activebackup",
    "vrf",
    "macvlan",
    "macvtap",
    "ipvlan",
    "ipvtap",
    "macsec",
    "dummy",
    "ifb",
    "vxlan",
    "geneve",
    "ip_gre",
    "ip6_gre",
    "ipip",
    "sit",
    "ip6_tunnel",
    "ip_vti",
];

fn main() -> ExitCode {
    if let (1, Ok(plan)) = (std::process::id(), env::var(PLAN)) {
        guest::run(Path::new(&plan));
    }
    let filters: Vec<String> = env::args().skip(1).collect();
    if filters.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    match run(&filters) {
        Ok(code) => code,
        Err(why) if env::var_os("CI").is_some() => {
            println!("test {MODULE} ... FAILED: cannot run in CI: {why}");
            ExitCode::FAILURE
        }
        Err(why) => {
            println!("test {MODULE} ... ignored, {why}");
            ExitCode::SUCCESS
        }
    }
}

/// The code of the tests' end; the error says why they cannot run here.
fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let kernel = Kernel::find()?;
    let program = namespaces()?;
    let tests = chosen(&program, arguments);
    if tests.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let scratch = tempfile::Builder::new().prefix("uml").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let plan = scratch.path().join("plan");
    let mut lines = vec![kernel.modules.display().to_string(), program.display().to_string()];
    lines.extend(["--ignored", "--exact", AT_ONCE].map(str::to_owned));
    lines.extend(tests);
    fs::write(&plan, lines.join("\n")).unwrap();
    let lines = boot(&kernel, scratch.path(), &plan);
    let end =
        lines.iter().find_map(|line| line.strip_prefix(END)).and_then(|code| code.trim().parse::<i32>().ok());
    match end {
        Some(0) => Ok(ExitCode::SUCCESS),
        Some(code) => {
            if !lines.iter().any(|line| line.starts_with(BEGIN)) {
                lines.iter().for_each(|line| println!("{line}"));
            }
            println!("the tests in user-mode-linux ended with {code}");
            Ok(ExitCode::FAILURE)
        }
        None if lines.iter().any(|line| line.starts_with(BEGIN)) => {
            println!("user-mode-linux ended, or hung, before its tests did");
            Ok(ExitCode::FAILURE)
        }
        None => Err(format!("user-mode-linux does not start: {}", lines.join(" | "))),
    }
}

/// A kernel that is a program, and its modules.
struct Kernel {
    program: PathBuf,
    modules: PathBuf,
}

impl Kernel {
    /// As it is installed, or as `.ci/prepare` unpacked it.
    fn find() -> Result<Kernel, String> {
        let unpacked = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("uml");
        let found = [Path::new("/"), &unpacked].into_iter().find_map(|root| {
            let program = root.join("usr/bin/linux.uml");
            let versions = fs::read_dir(root.join("usr/lib/uml/modules")).ok()?;
            let mut versions = versions.filter_map(|entry| Some(entry.ok()?.path()));
            let modules = versions.find(|path| path.join("modules.dep").is_file())?;
            program.is_file().then_some(Kernel { program, modules })
        });
        found.ok_or_else(|| "user-mode-linux is missing: .ci/prepare downloads it".to_owned())
    }
}

/// The test program `namespaces`, which stands beside this one: the newest of that name. `cargo test` builds all
/// test programs before it runs any.
fn namespaces() -> Result<PathBuf, String> {
    let own = env::current_exe().unwrap();
    let beside = fs::read_dir(own.parent().unwrap()).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let programs = beside.filter(|path| {
        let hash =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("namespaces-"));
        hash.is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    programs
        .max_by_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
        .ok_or_else(|| "the test program namespaces is not built: make uml".to_owned())
}

/// The tests of the module that the command line wants: all, or those with one of its words in their names.
fn chosen(program: &Path, arguments: &[String]) -> Vec<String> {
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let listed =
        Command::new(program).args(["--list", "--format=terse", "--ignored", MODULE]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    let wanted = |name: &&str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    names.filter(wanted).map(str::to_owned).collect()
}

/// Boots, and prints what the tests say as they say it; all that came of the console.
fn boot(kernel: &Kernel, scratch: &Path, plan: &Path) -> Vec<String> {
    let mut guest = Command::new(&kernel.program);
    guest
        .args(["mem=512M", "quiet", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"])
        .args(["con=null", "con0=null,fd:1", "con1=null", "ssl=null"])
        .arg(format!("uml_dir={}", scratch.display()))
        .arg(format!("init={}", env::current_exe().unwrap().display()))
        .arg(format!("{PLAN}={}", plan.display()))
        // Its memory is a file there.
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    let mut guest = guest.spawn().unwrap();
    let console = BufReader::new(guest.stdout.take().unwrap());
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in console.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if send.send(line).is_err() {
                break;
            }
        }
    });
    let mut said: Vec<String> = Vec::new();
    let mut inside = false;
    // With each line the limit begins anew: libtest reports what runs for a minute.
    while let Ok(line) = lines.recv_timeout(LIMIT) {
        inside = (inside || line.starts_with(BEGIN)) && !line.starts_with(END);
        if inside && !line.starts_with(BEGIN) {
            println!("{line}");
        }
        let ended = line.starts_with(END);
        said.push(line);
        if ended {
            break;
        }
    }
    std::io::stdout().flush().unwrap();
    // Its threads are processes of its group, which is this program's own child.
    let group = nix::unistd::Pid::from_raw(i32::try_from(guest.id()).unwrap());
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    let _ = guest.wait();
    said
}

/// What runs inside.
mod guest {
    use std::ffi::CString;
    use std::fs::{self, File};
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::Command;

    use nix::errno::Errno;
    use nix::kmod::{ModuleInitFlags, finit_module};
    use nix::mount::{MsFlags, mount};
    use nix::sys::reboot::{RebootMode, reboot};

    use super::{BEGIN, END, MODULES};

    /// The first process: prepares what an init does, runs the tests, ends the machine.
    pub fn run(plan: &Path) -> ! {
        // A panic here would be the kernel's; the marker is then missing outside.
        let code = std::panic::catch_unwind(|| tests(plan)).unwrap_or(101);
        println!("{END}{code}");
        let _ = reboot(RebootMode::RB_POWER_OFF);
        std::process::exit(code)
    }

    fn tests(plan: &Path) -> i32 {
        for (kind, target) in
            [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/run"), ("tmpfs", "/tmp")]
        {
            // Where the plan stands must stay visible.
            if !plan.starts_with(target) {
                let none: Option<&str> = None;
                let mounted = mount(Some(kind), target, Some(kind), MsFlags::empty(), none);
                // The kernel mounts /dev itself.
                assert!(matches!(mounted, Ok(()) | Err(Errno::EBUSY)), "{target}: {mounted:?}");
            }
        }
        let plan = fs::read_to_string(plan).unwrap();
        let mut plan = plan.lines();
        let (modules, program) = (plan.next().unwrap(), plan.next().unwrap());
        load(Path::new(modules));
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).env("PATH", PATH).status();
        assert!(up.unwrap().success());
        println!("{BEGIN}");
        let mut tests = Command::new(program);
        tests.args(plan).env_clear().env("PATH", PATH).env("HOME", "/run").env("TMPDIR", "/run");
        // What cannot run here cannot run anywhere.
        let ended = tests.env("CI", "1").env("NO_COLOR", "1").current_dir("/run").status().unwrap();
        ended.code().unwrap_or_else(|| 128 + ended.signal().unwrap_or(0))
    }

    const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// Loads the modules that are wanted, each after those that it needs. `modules.dep` has a line for each:
    /// its path, a colon, and the paths of all that it needs, the deepest last.
    fn load(modules: &Path) {
        let dependencies = fs::read_to_string(modules.join("modules.dep")).unwrap();
        let named = |path: &str, name: &str| path.ends_with(&format!("/{name}.ko"));
        for name in MODULES {
            let mut lines = dependencies.lines().filter_map(|line| line.split_once(':'));
            // One that is not there is built in.
            let Some((path, needs)) = lines.find(|(path, _)| named(path, name)) else { continue };
            for path in needs.split_whitespace().rev().chain([path]) {
                let file = File::open(modules.join(path)).unwrap();
                let loaded = finit_module(file, &CString::default(), ModuleInitFlags::empty());
                assert!(matches!(loaded, Ok(()) | Err(Errno::EEXIST)), "{path}: {loaded:?}");
            }
        }
    }
}
