//! Tests of the pages in docs/. The tests write the files of a page to the paths that it names and make its links.
//! They compare the output of netready with the output in the page.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::Netns;
use crate::netns;

/// The text that netready prints about a gate from a package.
const PACKAGED: &str = "asked for in /usr/lib/netready/";
/// A cable from `e0` to `e0p`, with both ends up.
const CABLE: &str = "link add e0 type veth peer name e0p; link set e0p up; link set e0 up";
/// Two cards.
const CARDS: &str = "link add ens5 type veth peer name p5; link set p5 up; link set ens5 up
    link add ens6 type veth peer name p6; link set p6 up; link set ens6 up
    addr add 10.0.0.20/24 dev ens5; route add default via 10.0.0.1";

/// A page with its remaining commands.
struct Page {
    path: &'static str,
    shown: Vec<(String, String)>,
}

/// Returns the blocks between fences: the language and the text.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

impl Page {
    fn open(path: &'static str) -> Page {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(path)).unwrap();
        let consoles = blocks(&text).into_iter().filter(|(language, _)| *language == "console");
        let mut shown = Vec::new();
        for (_, block) in consoles {
            for command in format!("\n{block}").split("\n$ ").skip(1) {
                let (command, output) = command.split_once('\n').unwrap_or((command, ""));
                if ["netready check", "netready learn"].iter().any(|start| command.starts_with(start)) {
                    shown.push((command.to_owned(), output.trim_end().to_owned()));
                }
            }
        }
        Page { path, shown }
    }

    /// Writes the gate files that the page shows. The first line of each names its path.
    fn with_its_files(self, ns: &Netns) -> Page {
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(self.path)).unwrap();
        let gates = blocks(&text).into_iter().filter(|(language, _)| *language == "toml");
        let mut written = 0;
        for (_, block) in gates {
            let Some((path, _)) = block.strip_prefix("# ").and_then(|rest| rest.split_once('\n')) else {
                continue;
            };
            let path = match path.strip_prefix("~/") {
                Some(rest) => home(ns).join(rest),
                None => PathBuf::from(path),
            };
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // Keep the line that names the path, so that line numbers are those that the page shows.
            fs::write(path, block).unwrap();
            written += 1;
        }
        assert!(written > 0, "{} shows no gate file", self.path);
        self
    }

    /// Runs the next command of the page, and checks that it prints what the page shows.
    #[track_caller]
    fn goes_on(&mut self, ns: &Netns) {
        assert!(!self.shown.is_empty(), "{} shows no more commands", self.path);
        let (command, shown) = self.shown.remove(0);
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        // Run as an ordinary user, because for root the command is only about the system's side.
        let said = ns.command(&words).unprivileged().env("HOME", home(ns).to_str().unwrap()).output();
        // `check` explains on stdout. `learn` explains on stderr what the file that it wrote means.
        let stderr = if words[0] == "learn" { said.stderr.as_str() } else { "" };
        let printed = format!("{}\n{stderr}", said.stdout.trim_end())
            // The page shows the packaged file. In a checkout the same gate is built in.
            .replace(
                "(built-in)",
                &format!("(/usr/lib/netready/{}.toml)", words.get(1).unwrap_or(&"default")),
            )
            // For a veth, the kernel says that the link below it is down. For a card, it does not.
            .replace(" (LOWERLAYERDOWN)", "")
            .replace(home(ns).to_str().unwrap(), "/home/me");
        // In the test no package is installed, so remove the texts about its gates.
        let without_package = |line: &str| match line.split_once(PACKAGED) {
            Some((before, _)) if before.trim().is_empty() => None,
            Some((before, _)) => Some(before.trim_end_matches(" (").to_owned()),
            None => Some(line.to_owned()),
        };
        let shown = shown.lines().filter(|line| !line.contains("this file replaces"));
        let shown: Vec<String> = shown.filter_map(without_package).collect();
        let shown = shown.join("\n");
        assert_eq!(printed.trim_end(), shown, "{}: {command}\n{}", self.path, said.stderr);
    }

    /// Checks that every command was run.
    #[track_caller]
    fn ends(self) {
        assert!(self.shown.is_empty(), "{}: not tried: {:#?}", self.path, self.shown);
    }
}

fn home(ns: &Netns) -> PathBuf {
    ns.scratch().join("home")
}

fn host() -> Netns {
    let ns = netns!().with_private_etc();
    fs::write("/etc/resolv.conf", "nameserver 10.9.0.53\n").unwrap();
    ns.ip("link set lo up");
    ns
}

/// The address and the default route of most pages.
const STATIC: &str = "addr add 10.9.0.2/24 dev e0; route add default via 10.9.0.1";

/// Takes the cable of e0 away, and waits until the kernel reports it.
fn pull_the_cable(ns: &Netns) {
    ns.ip("link set e0p down");
    ns.until("no carrier", || ns.ip_json("link show e0")[0]["flags"].to_string().contains("NO-CARRIER"));
}

#[test]
#[ignore = "needs a network namespace"]
fn the_readme_and_the_quick_start() {
    let ns = host();
    ns.ip(&format!("{CABLE}; {STATIC}"));
    let mut readme = Page::open("../README.md");
    readme.goes_on(&ns);
    readme.ends();
    let mut page = Page::open("quick-start.md");
    page.goes_on(&ns);
    pull_the_cable(&ns);
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_static_ip() {
    let ns = host();
    ns.ip(&format!("{CABLE}; {STATIC}"));
    pull_the_cable(&ns);
    let mut page = Page::open("how-to/static-ip.md");
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn dual_stack() {
    let ns = host();
    ns.ip(&format!("{CABLE}; {STATIC}"));
    let mut page = Page::open("how-to/dual-stack.md").with_its_files(&ns);
    page.goes_on(&ns);
    ns.ip("addr add 2001:db8::2/64 dev e0 nodad; route add default via fe80::1 dev e0");
    page.goes_on(&ns);
    // pasta copies IPv6 from a link only after its link-local address exists.
    ns.until("the gate", || ns.check(&["podman"]).ready());
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn the_address_of_a_service() {
    let ns = host();
    ns.ip(CABLE);
    let mut page = Page::open("how-to/service-address.md").with_its_files(&ns);
    page.goes_on(&ns);
    ns.ip("addr add 10.9.0.2/24 dev e0");
    page.goes_on(&ns);
    // Duplicate address detection does not end while the test runs.
    ns.ip("sysctl net.ipv6.conf.e0.dad_transmits=100; addr add 2001:db8::2/64 dev e0");
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_vpn() {
    let ns = host();
    ns.ip("link add eth0 type veth peer name p; link set p up; link set eth0 up
        addr add 192.0.2.10/24 dev eth0; route add default via 192.0.2.1");
    let mut page = Page::open("how-to/vpn.md").with_its_files(&ns);
    page.goes_on(&ns);
    // Like a WireGuard link, this link has carrier when it is up.
    ns.ip("link add wg0 type veth peer name far; link set far up; link set wg0 up
        addr add 10.8.0.2/32 dev wg0; route add 10.8.0.0/24 dev wg0");
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_second_card() {
    let ns = host();
    ns.ip(CARDS);
    ns.ip("addr add 10.0.10.193/24 dev ens6; route add default via 10.0.10.1 dev ens6 table 10001");
    let mut page = Page::open("how-to/second-card.md").with_its_files(&ns);
    page.goes_on(&ns);
    ns.ip("rule add from 10.0.10.193 lookup 10001");
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_mount() {
    let ns = host();
    let mut page = Page::open("how-to/mounts.md").with_its_files(&ns);
    page.goes_on(&ns);
    ns.ip(
        "link add e0 type veth peer name e0p; link set e0p up; link set e0 up; addr add 10.9.0.1/24 dev e0",
    );
    page.goes_on(&ns);
    let server = std::net::TcpListener::bind("10.9.0.1:2049").unwrap();
    page.goes_on(&ns);
    drop(server);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn k3s() {
    let ns = host();
    ns.ip(CARDS);
    let mut page = Page::open("how-to/k3s.md").with_its_files(&ns);
    page.goes_on(&ns);
    ns.ip("addr add 10.0.10.193/24 dev ens6");
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn docker() {
    let ns = host();
    ns.ip(CABLE);
    let mut page = Page::open("how-to/docker.md").with_its_files(&ns);
    // This drop-in belongs to another paragraph.
    fs::remove_dir_all("/etc/netready/docker.toml.d").unwrap();
    page.goes_on(&ns);
    ns.ip("addr add 10.9.0.2/24 dev e0");
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn instead_of_another_wait_service() {
    let ns = host();
    ns.ip(CABLE);
    let mut page = Page::open("how-to/replace-wait-online.md");
    page.goes_on(&ns);
    ns.ip(STATIC);
    page.goes_on(&ns);
    page.ends();
}

#[test]
#[ignore = "needs a network namespace"]
fn no_default_route() {
    let ns = host();
    ns.ip(&format!("{CABLE}; addr add 10.9.0.2/24 dev e0"));
    let mut page = Page::open("how-to/no-default-route.md");
    fs::create_dir(home(&ns)).unwrap();
    std::os::unix::fs::chown(home(&ns), Some(65534), Some(65534)).unwrap();
    page.goes_on(&ns);
    fs::remove_dir_all(home(&ns)).unwrap();
    page.goes_on(&ns);
    let mut page = page.with_its_files(&ns);
    page.goes_on(&ns);
    page.ends();
}

/// The tests above cover each page that shows the output of `check`.
#[test]
fn every_page_is_tried() {
    let tried = include_str!("pages.rs");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/how-to")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/how-to").join(&name))
            .unwrap();
        let shows = text.contains("$ netready check");
        assert!(!shows || tried.contains(&format!("open(\"how-to/{name}\")")), "{name} is not tried");
    }
}
