//! The pages in docs/, tried: their files are written where they say, the links that they speak of are made, and what
//! netready prints is compared with what the page shows.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::Netns;
use crate::netns;

/// What is said of a gate that a package has installed.
const PACKAGED: &str = "asked for in /usr/lib/netready/";
/// A cable from `e0` to `e0p`, both ends up.
const CABLE: &str = "link add e0 type veth peer name e0p; link set e0p up; link set e0 up";
/// Two cards.
const CARDS: &str = "link add ens5 type veth peer name p5; link set p5 up; link set ens5 up
    link add ens6 type veth peer name p6; link set p6 up; link set ens6 up
    addr add 10.0.0.20/24 dev ens5; route add default via 10.0.0.1";

/// A page, and how far its commands were tried.
struct Page {
    path: &'static str,
    shown: Vec<(String, String)>,
}

/// The blocks between fences: language and text.
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

    /// Writes the gate files that the page shows. It begins each with its path.
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
            // With the line that names the path, so that the lines have the numbers that the page shows.
            fs::write(path, block).unwrap();
            written += 1;
        }
        assert!(written > 0, "{} shows no gate file", self.path);
        self
    }

    /// The next command of the page prints what the page shows.
    #[track_caller]
    fn goes_on(&mut self, ns: &Netns) {
        assert!(!self.shown.is_empty(), "{} shows no more commands", self.path);
        let (command, shown) = self.shown.remove(0);
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        // As an ordinary user would: root's is the system's side only.
        let said = ns.command(&words).unprivileged().env("HOME", home(ns).to_str().unwrap()).output();
        // check explains on stdout, and learn says on stderr what the file that it wrote means.
        let stderr = if words[0] == "learn" { said.stderr.as_str() } else { "" };
        let printed = format!("{}\n{stderr}", said.stdout.trim_end())
            // The packaged file, which a build in a checkout has built in.
            .replace(
                "(built-in)",
                &format!("(/usr/lib/netready/{}.toml)", words.get(1).unwrap_or(&"default")),
            )
            // Of a veth, the kernel says that the link below it is down. Of a card, it does not.
            .replace(" (LOWERLAYERDOWN)", "")
            .replace(home(ns).to_str().unwrap(), "/home/me");
        // Here no package is installed whose gate it could replace, or in whose gate something is asked for.
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

    /// Every command was tried.
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

/// e0 loses its cable, and the kernel has said so.
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
    // pasta takes IPv6 from a link only once its link-local address is there.
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
    // Duplicate address detection that does not end while the test looks.
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
    // As a WireGuard link does, it has carrier once it is up.
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
    // This drop-in is of another paragraph.
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

/// Each page that shows what `check` prints is tried above.
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
