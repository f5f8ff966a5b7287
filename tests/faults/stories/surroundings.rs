//! Surroundings in which programs rarely run: a full disk, no descriptors, little memory, a stopped process, other clocks,
//! a namespace that is deleted, a service manager and a journal that do not read or are started anew.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;

use super::gates::{OF_A_DAY, Wrong, day, whole};
use crate::campaign::{End, Running, is_everything};
use crate::stage::{GATE, Manager, Stage};

/// A disk of so many pages, of which so many are free.
fn disk(folder: &Path, pages: usize, free: usize) {
    fs::create_dir_all(folder).unwrap();
    let options = format!("mode=0755,size={}", pages * 4096);
    mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).unwrap();
    fs::write(folder.join("filler"), vec![1; (pages - free) * 4096]).unwrap();
}

fn gone(folder: &Path) {
    nix::mount::umount(folder).unwrap();
}

fn with_limit(mut command: Command, resource: libc::__rlimit_resource_t, limit: u64) -> Command {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    let set = move || {
        // SAFETY: it is a system call on a value of the closure's own.
        match unsafe { libc::setrlimit(resource, &raw const limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec it calls nothing but setrlimit(2).
    unsafe { command.pre_exec(set) };
    command
}

/// The history is lost, as far as there is no room for it; the gate is not.
#[test]
#[ignore = "needs a network namespace"]
fn run_on_a_full_disk() {
    let stage = Stage::new();
    let record = stage.record();
    let events = (0..6).map(|free| {
        disk(&record, 32, free);
        let outcome = day(&stage, &mut |command| Running::start(command, stage.folder()), &[]);
        assert_eq!(outcome, Ok(End::Code(0)), "{free} pages are free");
        let events = whole(&record);
        gone(&record);
        events.unwrap_or_else(|broken| panic!("{free} pages are free: {broken}"))
    });
    let events: Vec<usize> = events.collect();
    assert!(events[0] == 0 && events[5] >= OF_A_DAY, "{events:?}");
}

/// With few descriptors or little memory to be had, a command does its work, or ends with an error: it does not hang, and
/// does not say that the network is ready when it is not.
#[test]
#[ignore = "needs a network namespace"]
fn with_few_descriptors_and_little_memory() {
    let stage = Stage::new();
    let step = if is_everything() { 1 } else { 7 };
    let descriptors = (3..48).step_by(step).map(|most| (libc::RLIMIT_NOFILE, most));
    let memory = (1..64).step_by(step).map(|mib| (libc::RLIMIT_AS, mib << 20));
    for (resource, limit) in descriptors.chain(memory) {
        let outcome = day(
            &stage,
            &mut |command| Running::start(with_limit(command, resource, limit), stage.folder()),
            &[],
        );
        assert_honest(outcome, &stage, &format!("run, {resource} of {limit}"));
        stage.down();
        let command = with_limit(stage.gated(&["check"]), resource, limit);
        let mut running = Running::start(command, stage.folder());
        assert_ne!(running.end().unwrap(), End::Code(0), "check, {resource} of {limit}");
    }
}

#[track_caller]
fn assert_honest(outcome: Result<End, Wrong>, stage: &Stage, what: &str) {
    let said = fs::read_to_string(stage.path("stderr")).unwrap();
    match outcome {
        Ok(End::Code(0 | 2 | 3 | 4)) => {}
        // The loader, or the kernel when it starts the program, or an allocation.
        Ok(End::Code(127) | End::Signal(libc::SIGKILL | libc::SIGSEGV | libc::SIGABRT)) => {}
        // Rust's own start without memory.
        Ok(End::Code(101)) if said.contains("alternative stack") => return,
        other => panic!("{what}: {other:?}: {said}"),
    }
    assert!(!said.contains("panicked") || said.contains("alternative stack"), "{what}: {said}");
}

/// Stopped in a storm, it knows the truth when it goes on: it has missed most of what was announced. `make faults` lets the
/// storm last for 30 seconds.
#[test]
#[ignore = "needs a network namespace"]
fn stopped_in_a_storm() {
    let stage = Stage::new();
    let time = Duration::from_secs(if is_everything() { 30 } else { 2 });
    for ready_at_the_end in [true, false] {
        stage.down();
        let mut manager = Manager::new(&stage);
        let mut command = stage.gated(&["run", "--receive-buffer=4096"]);
        command.env("NOTIFY_SOCKET", manager.path());
        let mut running = Running::start(command, stage.folder());
        assert!(running.until(|| manager.stands("Waiting")));
        running.signal(Signal::SIGSTOP);
        let storm: String = (0..500)
            .map(|n| format!("route add 10.{}.{}.0/24 dev lo\n", n / 250, n % 250))
            .chain((0..500).map(|n| format!("route del 10.{}.{}.0/24 dev lo\n", n / 250, n % 250)))
            .collect();
        let began = Instant::now();
        while began.elapsed() < time {
            stage.up();
            stage.ip(&storm);
            stage.down();
        }
        if ready_at_the_end {
            stage.up();
        }
        running.signal(Signal::SIGCONT);
        if ready_at_the_end {
            assert!(running.until(|| manager.is_ready()), "{:?}", manager.said);
        } else {
            running.until_within(Duration::from_millis(500), &mut || manager.is_ready());
            assert!(!manager.is_ready(), "READY=1 of the past: {:?}", manager.said);
            stage.up();
            assert!(running.until(|| manager.is_ready()), "{:?}", manager.said);
        }
    }
}

/// A host that has slept for ten years since its boot: CLOCK_BOOTTIME and CLOCK_MONOTONIC differ by that.
#[test]
#[ignore = "needs a network namespace"]
fn other_clocks() {
    let stage = Stage::new();
    for (boottime, monotonic) in [(315_360_000, 0), (0, 315_360_000), (1 << 31, 1 << 31)] as [(u64, u64); 3] {
        let start = |command: Command| {
            let mut unshare = Command::new("unshare");
            unshare
                .args(["--time", "--fork", "--kill-child", "--boottime", &format!("{boottime}")])
                .args(["--monotonic", &format!("{monotonic}"), "--"])
                .arg(command.get_program())
                .args(command.get_args())
                .env_clear()
                .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            Running::start(unshare, stage.folder())
        };
        stage.down();
        let mut waiting = start(stage.gated(&["wait", "--timeout=1s"]));
        assert_eq!(waiting.end(), Ok(End::Code(1)), "a timeout: {}", waiting.stderr());
        let mut manager = Manager::new(&stage);
        let mut command = stage.gated(&["run", "--settle=200ms"]);
        command.env("NOTIFY_SOCKET", manager.path());
        let mut running = start(command);
        assert!(running.until(|| manager.stands("Waiting")));
        stage.up();
        assert!(running.until(|| manager.is_ready()), "{:?}", manager.said);
        stage.down();
        assert!(running.until(|| manager.stands("NOT ready")), "{:?}", manager.said);
    }
}

/// A process keeps its namespace; what is in it may go.
#[test]
#[ignore = "needs a network namespace"]
fn the_namespace_and_its_links_are_deleted() {
    let stage = Stage::new();
    let name = format!("nrf{}", std::process::id());
    stage.ip(&format!(
        "netns add {name}\nlink add va1 type veth peer name vb1\nlink set vb1 up\nlink set va1 netns {name}"
    ));
    let inside = |lines: &str| {
        fs::write(stage.path("inside"), lines).unwrap();
        let mut ip = Command::new("ip");
        assert!(ip.args(["-n", &name, "-batch"]).arg(stage.path("inside")).status().unwrap().success());
    };
    fs::write(stage.path("gate.toml"), GATE.replace("va0", "va1")).unwrap();
    inside("addr add 192.0.2.2/24 dev va1\nlink set va1 up\nroute add default via 192.0.2.254");
    let mut manager = Manager::new(&stage);
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", &name, env!("CARGO_BIN_EXE_netready"), "run"])
        .arg(stage.path("gate.toml"));
    command.env("NOTIFY_SOCKET", manager.path()).env("RUNTIME_DIRECTORY", stage.record());
    let mut running = Running::start(command, stage.folder());
    assert!(running.until(|| manager.is_ready()), "{:?}", manager.said);
    stage.ip(&format!("netns del {name}\nlink del vb1"));
    assert!(running.until(|| manager.stands("NOT ready")), "{:?}", manager.said);
    assert_eq!(running.ended(), None);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end(), Ok(End::Code(0)));
}

/// Fills a socket's queue, until somebody reads.
fn fill(path: &Path) {
    let socket = UnixDatagram::unbound().unwrap();
    socket.set_nonblocking(true).unwrap();
    while socket.send_to(b"WATCHDOG=1\n", path).is_ok() {}
}

/// What waits to be sent to a service manager that does not read is sent when it reads, and is true then.
#[test]
#[ignore = "needs a network namespace"]
fn a_service_manager_that_does_not_read() {
    let stage = Stage::new();
    stage.down();
    let mut manager = Manager::new(&stage);
    fill(manager.path());
    let mut command = stage.gated(&["run"]);
    command.env("NOTIFY_SOCKET", manager.path());
    let mut running = Running::start(command, stage.folder());
    let stderr = stage.path("stderr");
    let says = |word: &str| fs::read_to_string(&stderr).unwrap().contains(word);
    assert!(running.until(|| says("Waiting")));
    stage.up();
    assert!(running.until(|| says("Ready after")));
    assert!(running.until(|| manager.is_ready() && manager.stands("Ready")), "{:?}", manager.said);
    fill(manager.path());
    stage.down();
    assert!(running.until(|| says("NOT ready")));
    assert!(running.until(|| manager.stands("NOT ready")), "{:?}", manager.said);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end(), Ok(End::Code(0)));
}

/// A service manager that is started anew has another socket at the same path. What waited for room in the old one, and
/// what comes later, arrives in the new one.
#[test]
#[ignore = "needs a network namespace"]
fn a_service_manager_that_is_started_anew() {
    let stage = Stage::new();
    for full in [false, true] {
        stage.down();
        let mut manager = Manager::new(&stage);
        let mut command = stage.gated(&["run"]);
        command.env("NOTIFY_SOCKET", manager.path());
        let mut running = Running::start(command, stage.folder());
        let stderr = stage.path("stderr");
        let says = |word: &str| fs::read_to_string(&stderr).unwrap().contains(word);
        assert!(running.until(|| manager.stands("Waiting")));
        if full {
            fill(manager.path());
            stage.up();
            assert!(running.until(|| says("Ready after")));
        }
        // The old one is read no more.
        manager = Manager::new(&stage);
        stage.up();
        assert!(
            running.until(|| manager.is_ready() && manager.stands("Ready")),
            "{full}: {:?}",
            manager.said
        );
        assert_eq!(manager.said.iter().filter(|line| *line == "READY=1").count(), 1, "{full}");
        // Nobody listens for a while.
        fs::remove_file(manager.path()).unwrap();
        stage.down();
        assert!(running.until(|| says("NOT ready")));
        manager = Manager::new(&stage);
        stage.up();
        assert!(running.until(|| manager.stands("Ready")), "{full}: {:?}", manager.said);
        running.signal(Signal::SIGTERM);
        assert_eq!(running.end(), Ok(End::Code(0)), "{full}");
        assert!(manager.listen().iter().any(|line| line == "STOPPING=1"), "{full}");
    }
}

/// stderr goes to a journal that is not there, or that does not read: READY=1 does not wait for it.
#[test]
#[ignore = "needs a network namespace"]
fn a_journal_that_is_away() {
    let stage = Stage::new();
    let socket = Path::new("/run/systemd/journal/socket");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    for is_there in [false, true] {
        let journal = is_there.then(|| {
            let journal = UnixDatagram::bind(socket).unwrap();
            fill(socket);
            journal
        });
        // By a shell: the variable names the file that stderr is.
        let mut start = |command: Command| {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"", "sh"])
                .arg(command.get_program())
                .args(command.get_args())
                .env_clear()
                .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            Running::start(shell, stage.folder())
        };
        assert_eq!(day(&stage, &mut start, &[]), Ok(End::Code(0)), "a journal: {is_there}");
        let said = fs::read_to_string(stage.path("stderr")).unwrap();
        assert!(said.contains("Ready after") && said.contains("NOT ready since"), "no entry is lost: {said}");
        drop(journal);
    }
}

/// The journal ends while a gate is kept: nobody reads stderr any more, which is a pipe here, and nobody listens at the
/// journal's socket. READY=1 comes all the same, and a journal that is started anew gets the entries from then on.
#[test]
#[ignore = "needs a network namespace"]
fn a_journal_that_is_started_anew() {
    let stage = Stage::new();
    stage.down();
    let socket = Path::new("/run/systemd/journal/socket");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listen = || {
        let _ = fs::remove_file(socket);
        let journal = UnixDatagram::bind(socket).unwrap();
        journal.set_nonblocking(true).unwrap();
        journal
    };
    let received = |journal: &UnixDatagram, word: &str| {
        let mut octets = [0; 65536];
        std::iter::from_fn(|| journal.recv(&mut octets).ok().map(|length| octets[..length].to_vec()))
            .any(|entry| String::from_utf8_lossy(&entry).contains(word))
    };
    let (reader, writer) = std::io::pipe().unwrap();
    let journal = listen();
    let mut manager = Manager::new(&stage);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"", "sh"])
        .args([env!("CARGO_BIN_EXE_netready"), "run"])
        .arg(stage.path("gate.toml"))
        .env("NOTIFY_SOCKET", manager.path())
        .env("RUNTIME_DIRECTORY", stage.record());
    let mut running = Running::start_with_stderr(shell, stage.folder(), writer.into());
    assert!(running.until(|| received(&journal, "Waiting")));
    drop((reader, journal));
    stage.up();
    assert!(running.until(|| manager.is_ready() && manager.stands("Ready")), "{:?}", manager.said);
    let journal = listen();
    stage.down();
    assert!(running.until(|| received(&journal, "NOT ready since")));
    stage.up();
    assert!(running.until(|| manager.stands("Ready")), "{:?}", manager.said);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end(), Ok(End::Code(0)));
}

/// Each drop-in is whole, or is not there and is complained of.
#[test]
#[ignore = "needs a network namespace"]
fn generator_on_a_full_disk() {
    let stage = Stage::new();
    let quadlets = stage.path("home/.config/containers/systemd");
    fs::create_dir_all(&quadlets).unwrap();
    for n in 0..8 {
        // Longer than a page.
        let pull =
            format!("[Container]\nImage=r.example/{}:{n}\n[X-Netready]\nPullRetry=3\n", "x".repeat(200));
        let arguments = format!("[Container]\nPodmanArgs={}\n", "y".repeat(5000));
        fs::write(quadlets.join(format!("app{n}.container")), pull + &arguments).unwrap();
    }
    let normal = stage.path("normal");
    for free in 0..8 {
        disk(&normal, 32, free);
        let mut command = Command::new(env!("CARGO_BIN_EXE_netready-generator"));
        command
            .arg(&normal)
            .env_clear()
            .env("SYSTEMD_SCOPE", "user")
            .env("HOME", stage.path("home"))
            .env("SYSTEMD_UNIT_PATH", &normal);
        let mut running = Running::start(command, stage.folder());
        assert_eq!(running.end(), Ok(End::Code(0)));
        let mut written = 0;
        for folder in
            fs::read_dir(&normal).unwrap().map(|entry| entry.unwrap().path()).filter(|it| it.is_dir())
        {
            for file in fs::read_dir(folder).unwrap() {
                let text = fs::read_to_string(file.unwrap().path()).unwrap();
                assert!(text.starts_with("# Made by") && text.ends_with('\n'), "{free} free: {text:?}");
                written += 1;
            }
        }
        assert!(written == 8 || running.stderr().contains("No space left"), "{written} of 8");
        gone(&normal);
    }
}
