//! A soak test: netready keeps gates for a long time, while links, addresses, routes, rules, probes, reloads and
//! restarts change at random. After each step the oracle asks the kernel, and each gate must agree with it. Memory
//! and descriptors must not grow, and the CPU time per event must not change.
//!
//! `cargo test` runs a fixed number of operations, `make soak MINUTES=10` as many as there is time for.
//! `NETREADY_SOAK_SEED=…` selects the operations. `NETREADY_SOAK_PROGRAM=…` is another build of netready, with its other programs in the same folder.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Exit, Netns, Process, SOON, Signal};
use crate::netns;
use crate::oracle::{
    GATES, Gate, Oracle, Random, SETUP, keep_ipv6_quiet, number, operation, state, try_operation,
};

/// How many steps there are between two calm states, in which memory and descriptors are compared.
const STEPS: usize = 20;
/// How long a gate may disagree with the kernel, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(30);
/// The same for a gate with a probe. netready waits up to 10 s before it tries a refused probe again.
const PROBE_BOUND: Duration = Duration::from_secs(80);
/// How much the allocated memory of a process may grow in the second half of a long soak.
const GROWTH_KIB: u64 = 300;
/// Shorter soaks do not check memory and CPU time, because the first rounds fill the caches of the allocator and
/// the kernel.
const JUDGED: Duration = Duration::from_secs(60);

/// How many rounds of [`STEPS`] `cargo test` makes. A test that ran for a time would try other operations on each machine.
const ROUNDS: usize = 2;

/// How long a soak is.
#[derive(Clone, Copy)]
enum Length {
    Rounds(usize),
    Time(Duration),
}

impl Length {
    fn goes_on(self, rounds: usize, time: Duration) -> bool {
        match self {
            Length::Rounds(number) => rounds < number,
            Length::Time(length) => time < length,
        }
    }
}

const SERVER: &str = "127.0.0.1:4000";

/// Returns to the state that [`SETUP`] makes, whatever was done.
const TEAR_DOWN: &str = "link del br0; link del mv0; link del va0; link del va1; link del lan0; link del vb0; \
                         link del vb1; link del va7; link del vx0; rule del pref 99; rule del pref 100; nexthop flush; \
                         -4 route flush table main; -6 route flush table main; -4 route flush table 100; \
                         -6 route flush table 100; addr del 203.0.113.99/32 dev lo; \
                         sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=0; \
                         sysctl net.ipv4.conf.default.ignore_routes_with_linkdown=0; \
                         sysctl net.ipv6.conf.all.ignore_routes_with_linkdown=0; \
                         sysctl net.ipv6.conf.default.ignore_routes_with_linkdown=0";

/// The resources that a process uses.
struct Usage {
    resident_kib: u64,
    /// The part of it that the process has allocated. The rest are pages of the program's file, which depend on the
    /// machine's load.
    allocated_kib: u64,
    /// The target of each open descriptor, as /proc/PID/fd names it.
    descriptors: Vec<String>,
    cpu: Duration,
    /// The number of events of the soak until then.
    events: usize,
}

impl Usage {
    fn of(pid: i32, events: usize) -> Usage {
        // This file is exact, unlike VmRSS of /proc/PID/status.
        let memory = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let kib = |name: &str| {
            let line = memory.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        let ticks = |n: usize| after_name.split_whitespace().nth(n).unwrap().parse::<u64>().unwrap();
        Usage {
            resident_kib: kib("Rss:"),
            allocated_kib: kib("Anonymous:"),
            descriptors: descriptors(pid),
            // utime and stime are in USER_HZ, which is 100 on every architecture for which netready is built.
            cpu: Duration::from_millis((ticks(11) + ticks(12)) * 10),
            events,
        }
    }
}

fn descriptors(pid: i32) -> Vec<String> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    // A descriptor that was closed at this moment has no link any more.
    links.filter_map(|link| Some(std::fs::read_link(link.ok()?.path()).ok()?.display().to_string())).collect()
}

/// A gate and the process that keeps it.
struct Kept {
    name: &'static str,
    /// `None` means the gate `default`, which is not reloaded with another one.
    path: Option<String>,
    calm: Vec<Gate>,
    clauses: Vec<Gate>,
    probe: bool,
    process: Process,
    status: String,
    ready: usize,
    reloading: usize,
    samples: Vec<Usage>,
}

impl Kept {
    fn start(ns: &Netns, name: &'static str, path: Option<String>, calm: Vec<Gate>, probe: bool) -> Kept {
        if let Some(path) = &path {
            std::fs::write(path, gate_file(&calm, probe)).unwrap();
        }
        let process = spawn(ns, path.as_deref());
        let clauses = calm.clone();
        let (status, samples) = (String::new(), Vec::new());
        Kept { name, path, calm, clauses, probe, process, status, ready: 0, reloading: 0, samples }
    }

    fn reload(&mut self, clauses: Vec<Gate>) {
        self.write(clauses);
        self.process.signal(Signal::SIGHUP);
    }

    fn write(&mut self, clauses: Vec<Gate>) {
        if let Some(path) = &self.path {
            std::fs::write(path, gate_file(&clauses, self.probe)).unwrap();
            self.clauses = clauses;
        }
    }

    /// Ends the process and starts another one for the gate.
    fn restart(&mut self, ns: &Netns, clauses: Vec<Gate>) {
        self.process.signal(Signal::SIGTERM);
        let exit = self.process.expect_exit();
        // Before READY=1, the process ends by the signal itself.
        assert!(matches!(exit, Exit::Code(0) | Exit::Signal(15)), "{exit:?}\n{}", self.process.transcript());
        self.write(clauses);
        self.process = spawn(ns, self.path.as_deref());
        (self.ready, self.reloading) = (0, 0);
        self.status.clear();
    }

    /// Returns what is wrong with the messages so far. The text is empty if nothing is wrong.
    fn wrong(&mut self, oracle: &Oracle, server: bool) -> String {
        for line in self.process.take_notifications() {
            match line.split_once('=') {
                Some(("STATUS", text)) => text.clone_into(&mut self.status),
                Some(("READY", _)) => self.ready += 1,
                Some(("RELOADING", _)) => self.reloading += 1,
                _ => {}
            }
        }
        assert!(!self.process.has_exited(), "{} ended\n{}", self.name, self.process.transcript());
        let truth = self.clauses.iter().all(|(_, truth)| truth(oracle)) && (server || !self.probe);
        let clauses = texts(&self.clauses);
        let mut wrong = String::new();
        if self.status.starts_with("Ready") != truth {
            let _ = writeln!(
                wrong,
                "{} {clauses:?}: the oracle says {truth}, STATUS= is {}",
                self.name, self.status
            );
        }
        // netready sends READY=1 at the first opening, and at the end of each later reload.
        let opened = usize::from(self.ready > 0);
        if self.ready != opened + self.reloading || (truth && opened == 0) {
            let _ = writeln!(
                wrong,
                "{} {clauses:?}: {} × READY=1, {} × RELOADING=1, the oracle says {truth}",
                self.name, self.ready, self.reloading
            );
        }
        wrong
    }

    /// Takes a sample in the calm state. The number of descriptors must be the same as at first. (While a probe
    /// runs there is one more.)
    fn sample(&mut self, ns: &Netns, events: usize) {
        let pid = self.process.pid();
        match self.samples.first() {
            Some(first) => {
                let deadline = Instant::now() + SOON;
                while descriptors(pid).len() > first.descriptors.len() && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(10));
                }
                let (before, now) = (&first.descriptors, descriptors(pid));
                assert!(
                    now.len() <= before.len(),
                    "{}: {} descriptors in this state at first, now {}: {before:?} {now:?}",
                    self.name,
                    before.len(),
                    now.len()
                );
            }
            None => ns.until("no probe is tried", || crate::probe::children(&self.process).is_empty()),
        }
        self.samples.push(Usage::of(pid, events));
    }
}

fn spawn(ns: &Netns, path: Option<&str>) -> Process {
    let command = ns.command(&["run", path.unwrap_or("default")]).by_hand();
    let process = match std::env::var("NETREADY_SOAK_PROGRAM") {
        Ok(program) => command.program(&program).spawn(),
        Err(_) => command.spawn(),
    };
    // Before the first status, SIGHUP would end the process.
    process.expect_status_where("anything", |_| true);
    process
}

fn gate_file(clauses: &[Gate], probe: bool) -> String {
    let mut text = "timeout = \"infinity\"\n".to_owned();
    for (clause, _) in clauses {
        let _ = writeln!(text, "[[require]]\n{clause}");
    }
    if probe {
        let _ = writeln!(text, "[[require]]\ntcp = \"{SERVER}\"\nrecheck = \"1s\"");
    }
    text
}

fn texts(clauses: &[Gate]) -> Vec<&'static str> {
    clauses.iter().map(|(clause, _)| *clause).collect()
}

fn clause(text: &str) -> Gate {
    *GATES.iter().find(|(clause, _)| *clause == text).expect("a gate of the oracle's")
}

fn random_clauses(random: &mut Random) -> Vec<Gate> {
    let first = random.below(GATES.len());
    let second = (first + 1 + random.below(GATES.len() - 1)) % GATES.len();
    [first, second][..=random.below(2)].iter().map(|n| GATES[*n]).collect()
}

/// Returns many changes, as fast as one `ip` can make them.
fn burst(random: &mut Random) -> String {
    let of = |times: usize, line: &dyn Fn(usize) -> String| (0..times).map(line).collect::<String>();
    match random.below(4) {
        0 => of(30, &|_| "link set vb0 down\nlink set vb0 up\n".to_owned()),
        1 => {
            of(100, &|n| format!("route replace 10.9.{n}.0/24 dev va0\n")) + "route flush root 10.9.0.0/16\n"
        }
        2 => of(40, &|n| format!("addr add 10.8.{n}.1/24 dev va1\naddr del 10.8.{n}.1/24 dev va1\n")),
        _ => of(5, &|_| {
            "link add vx0 type veth peer name vy0\nlink set vy0 up\nlink set vx0 up\nlink del vx0\n"
                .to_owned()
        }),
    }
}

struct Soak {
    seed: u64,
    random: Random,
    kept: Vec<Kept>,
    server: Option<TcpListener>,
    /// The operations since the last calm state.
    done: Vec<String>,
    events: usize,
    steps: usize,
    slowest: Duration,
    /// The last field, because the processes must end before the thread leaves the namespace.
    ns: Netns,
}

impl Soak {
    fn start(seed: u64) -> Soak {
        // Use an own /run, in which no other test's process writes the events of a gate with the same name.
        let ns = netns!().with_private_etc();
        keep_ipv6_quiet(&ns);
        let mut soak = Soak {
            seed,
            random: Random::new(seed),
            kept: Vec::new(),
            server: None,
            done: Vec::new(),
            events: 0,
            steps: 0,
            slowest: Duration::ZERO,
            ns,
        };
        soak.calm_network();
        let file = |clauses: &[&str]| clauses.iter().map(|text| clause(text)).collect::<Vec<Gate>>();
        let address = file(&["interface = \"va0\"", "address = \"192.0.2.7\""]);
        let route = file(&["route = \"default-ipv4\"\ntable = 100", "route-to = \"203.0.113.7\""]);
        for (name, calm, probe) in [
            ("default", file(&["route = \"default\""]), false),
            ("address", address, false),
            ("route", route, false),
            ("reloaded", file(&["address = \"ipv4\""]), false),
            ("probe", file(&["address = \"ipv4\""]), true),
            ("restarted", file(&["route = \"default-ipv4\""]), false),
        ] {
            let path = (name != "default").then(|| soak.ns.gate(""));
            soak.kept.push(Kept::start(&soak.ns, name, path, calm, probe));
        }
        soak
    }

    fn try_commands(&mut self, commands: &str) {
        self.events += try_operation(&self.ns, commands);
        self.done.push(commands.to_owned());
    }

    fn calm_network(&mut self) {
        self.try_commands(TEAR_DOWN);
        self.try_commands(SETUP);
        self.try_commands(
            "addr add 192.0.2.7/24 dev va0; route add default via 192.0.2.254 dev va0; \
             route add default via 192.0.2.254 dev va0 table 100",
        );
        self.server.get_or_insert_with(|| TcpListener::bind(SERVER).unwrap());
    }

    /// Returns to the state in which every gate is ready and netready has the same data each time.
    fn calm(&mut self) {
        self.calm_network();
        for kept in &mut self.kept {
            kept.reload(kept.calm.clone());
            self.events += 1;
        }
        self.settle();
        for kept in &mut self.kept {
            assert!(kept.status.starts_with("Ready"), "{} in the calm state: {}", kept.name, kept.status);
            kept.sample(&self.ns, self.events);
        }
        self.done.clear();
    }

    fn step(&mut self) {
        self.steps += 1;
        match self.random.below(24) {
            0..=2 => {
                let commands = burst(&mut self.random);
                self.events += commands.lines().count();
                let first = commands.lines().next().unwrap_or_default();
                self.done.push(format!("a burst of {} lines: {first} …", commands.lines().count()));
                let mut ip = Command::new("ip")
                    .args(["-force", "-batch", "-"])
                    .stdin(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                ip.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
                // The kernel refuses many of these commands, because a link is missing.
                let _ = ip.wait().unwrap();
            }
            3..=6 => {
                let reloaded = ["reloaded", "probe", "default"][self.random.below(3)];
                let clauses = random_clauses(&mut self.random);
                self.done.push(format!("reload {reloaded} {:?}", texts(&clauses)));
                self.events += 1;
                self.kept(reloaded).reload(clauses);
            }
            7 => {
                let clauses = random_clauses(&mut self.random);
                self.done.push(format!("restart {:?}", texts(&clauses)));
                self.events += 1;
                let restarted = self.kept.iter_mut().find(|kept| kept.name == "restarted").unwrap();
                restarted.restart(&self.ns, clauses);
            }
            8 => {
                self.done.push("the server ends or starts".to_owned());
                self.events += 1;
                self.server = match self.server.take() {
                    Some(_) => None,
                    None => Some(TcpListener::bind(SERVER).unwrap()),
                };
            }
            _ => {
                for _ in 0..=self.random.below(4) {
                    let commands = operation(&mut self.random);
                    self.try_commands(&commands);
                }
            }
        }
        self.settle();
    }

    fn kept(&mut self, name: &str) -> &mut Kept {
        self.kept.iter_mut().find(|kept| kept.name == name).unwrap()
    }

    /// Waits until every gate agrees with the kernel.
    fn settle(&mut self) {
        let began = Instant::now();
        for looks in 1.. {
            // Accept the connections, so that the server's queue never fills.
            if let Some(server) = &self.server {
                server.set_nonblocking(true).unwrap();
                while server.accept().is_ok() {}
            }
            let oracle = Oracle::read(&self.ns);
            let mut wrong = oracle.disagrees_with_the_kernel();
            let mut bound = if wrong.is_empty() { PROBE_BOUND } else { BOUND };
            for kept in &mut self.kept {
                let told = kept.wrong(&oracle, self.server.is_some());
                if !told.is_empty() && !kept.probe {
                    bound = BOUND;
                }
                wrong += &told;
            }
            if wrong.is_empty() {
                break;
            }
            if began.elapsed() > bound && looks > 20 {
                panic!(
                    "NETREADY_SOAK_SEED={}, step {}, {} s without agreement; since the last calm state:\n  {}\n{wrong}\n{}",
                    self.seed,
                    self.steps,
                    bound.as_secs(),
                    self.done.join("\n  "),
                    state(&self.ns)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.slowest = self.slowest.max(began.elapsed());
    }

    /// Makes so many rounds of operations, or as many as there is time for.
    fn soak(&mut self, length: Length) {
        // Do not measure the first rounds: descriptors that netready opens at their first use stay open.
        for _ in 0..2 {
            self.calm();
            for _ in 0..STEPS / 4 {
                self.step();
            }
        }
        for kept in &mut self.kept {
            kept.samples.clear();
        }
        self.calm();
        let began = Instant::now();
        let mut rounds = 0;
        while length.goes_on(rounds, began.elapsed()) {
            rounds += 1;
            for _ in 0..STEPS {
                self.step();
            }
            self.calm();
        }
        println!(
            "seed {}: {} s, {} steps, {} events, slowest agreement {} ms",
            self.seed,
            began.elapsed().as_secs(),
            self.steps,
            self.events,
            self.slowest.as_millis()
        );
        let wrong: String = self.kept.iter().map(|kept| judge(kept, began.elapsed() >= JUDGED)).collect();
        assert!(wrong.is_empty(), "NETREADY_SOAK_SEED={}\n{wrong}", self.seed);
    }
}

/// Prints the resources that the process used, and returns what is wrong with them.
fn judge(kept: &Kept, judged: bool) -> String {
    let [first, middle, last] = [0, kept.samples.len() / 2, kept.samples.len() - 1].map(|n| &kept.samples[n]);
    let per_event = |from: &Usage, to: &Usage| {
        let events = u32::try_from(to.events - from.events).unwrap().max(1);
        to.cpu.saturating_sub(from.cpu) / events
    };
    let (early, late) = (per_event(first, middle), per_event(middle, last));
    print!(
        "{:>9}: resident {} {} {} KiB, allocated {} {} {} KiB, descriptors {} {}",
        kept.name,
        first.resident_kib,
        middle.resident_kib,
        last.resident_kib,
        first.allocated_kib,
        middle.allocated_kib,
        last.allocated_kib,
        first.descriptors.len(),
        last.descriptors.len(),
    );
    // The samples of this gate come from several processes.
    if kept.name == "restarted" {
        println!();
        return String::new();
    }
    println!(", CPU an event {early:.0?} {late:.0?}");
    let mut wrong = String::new();
    let grown = last.allocated_kib.saturating_sub(middle.allocated_kib);
    if judged && grown > GROWTH_KIB {
        let _ = writeln!(wrong, "{} grew by {grown} KiB in the second half", kept.name);
    }
    if judged && late > early * 2 + Duration::from_micros(20) {
        let _ = writeln!(wrong, "{}: the CPU time of an event was {early:?}, and then {late:?}", kept.name);
    }
    wrong
}

#[test]
#[ignore = "needs a network namespace"]
fn gates_kept_for_long() {
    let length = match number("NETREADY_SOAK_SECONDS") {
        Some(seconds) => Length::Time(Duration::from_secs(seconds)),
        None => Length::Rounds(ROUNDS),
    };
    let seed = number("NETREADY_SOAK_SEED").unwrap_or(1);
    Soak::start(seed).soak(length);
}
