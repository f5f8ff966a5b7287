//! Tests of the search for gates, and of the errors if a gate is not found.

use std::time::Duration;

use super::*;
use crate::config::{FindErrorKind, KnownLinks, Options, find, listing};

fn timeout(seconds: u64) -> String {
    format!("timeout = {seconds}\n[[require]]\nroute = \"default\"\n")
}

/// A host with the links va0 and va1.
struct Made;

impl KnownLinks for Made {
    fn has(&self, name: &str) -> bool {
        self.names().iter().any(|known| known == name)
    }

    fn names(&self) -> Vec<String> {
        vec!["va0".to_owned(), "va1".to_owned()]
    }
}

/// The same host, and a user who typed `wait`.
struct Waiting;

impl KnownLinks for Waiting {
    fn command(&self) -> &str {
        "wait"
    }

    fn has(&self, name: &str) -> bool {
        Made.has(name)
    }

    fn names(&self) -> Vec<String> {
        Made.names()
    }
}

fn load_in(environment: &Environment, args: &str) -> Result<Loaded, String> {
    load(&typed(args), environment, &Made).map_err(|error| error.to_string())
}

#[test]
fn the_first_directory_that_has_the_file_wins() {
    let directories = [
        "home/u/.config/netready",
        "etc/netready",
        "run/netready",
        "usr/local/lib/netready",
        "usr/lib/netready",
    ];
    for first in 0..directories.len() {
        let paths: Vec<String> = directories[first..].iter().map(|d| format!("{d}/default.toml")).collect();
        let texts: Vec<String> = (0..paths.len()).map(|n| timeout(n as u64 + 1)).collect();
        let files: Vec<(&str, &str)> =
            paths.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
        let (_root, environment) = tree(&files);
        let gate = load_in(&environment, "").unwrap().gate;
        assert_eq!(gate.source, format!("/{}", paths[0]));
        assert_eq!(gate.timeout, Some(Duration::from_secs(1)));
    }
}

#[test]
fn the_listing_has_the_file_that_counts_first_and_then_those_that_it_hides() {
    let good = timeout(1);
    let (_root, environment) = tree(&[
        ("home/u/.config/netready/lab.toml", &good),
        ("usr/local/lib/netready/lab.toml", &good),
        ("etc/netready/default.toml", &good),
        ("usr/lib/netready/podman.toml", &good),
        ("run/netready/wrong.toml", "tiemout = 1"),
        ("etc/netready/off.toml", "->/dev/null"),
        ("usr/lib/netready/off.toml", &good),
        ("etc/netready/lab.toml.d/20.toml", "settle = 1"),
        ("usr/lib/netready/lab.toml.d/10.toml", "settle = 2"),
        ("usr/lib/netready/lab.toml.d/20.toml", "settle = 3"),
        ("run/netready/lab.toml.d/10.toml", "->/dev/null"),
        ("etc/netready/alone.toml.d/10.toml", "settle = 1"),
    ]);
    let listing = listing(&environment);
    assert_eq!(listing.unreadable, []);
    let lines = listing.gates.iter().map(|gate| {
        let origins: Vec<&str> = gate.sources.iter().map(|source| source.origin.as_str()).collect();
        let mask = if gate.sources.iter().any(|source| source.is_mask) { " mask" } else { "" };
        let drop_ins = gate.drop_ins.concat();
        format!("{}: {}{mask} {drop_ins} {} errors", gate.name, origins.join(" "), gate.errors.len())
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "alone:  /etc/netready/alone.toml.d/10.toml 1 errors",
            "default: system built-in  0 errors",
            "lab: user local /etc/netready/lab.toml.d/20.toml 0 errors",
            "off: system packaged mask  1 errors",
            "podman: packaged  0 errors",
            "wrong: runtime  1 errors",
        ]
    );
}

#[test]
fn whose_own_directory_is_read() {
    let own = timeout(1);
    let other = timeout(2);
    let (_root, environment) =
        tree(&[("home/u/.config/netready/default.toml", &own), ("cfg/netready/default.toml", &other)]);
    let config_home = || Some(PathBuf::from("/cfg"));
    for (uid, user_manager, config_home, source) in [
        (1000, false, None, "/home/u/.config/netready/default.toml"),
        (1000, true, config_home(), "/cfg/netready/default.toml"),
        (0, false, None, "built-in"),
        (0, false, config_home(), "built-in"),
        (0, true, None, "/home/u/.config/netready/default.toml"),
    ] {
        let environment = Environment { uid, user_manager, config_home, ..environment.clone() };
        assert_eq!(load_in(&environment, "").unwrap().gate.source, source);
    }
    let environment = Environment { home: None, ..environment };
    assert_eq!(load_in(&environment, "").unwrap().gate.source, "built-in");
}

#[test]
fn drop_ins_are_read_over_the_gate() {
    let main = timeout(1);
    let (_root, environment) = tree(&[
        ("usr/lib/netready/nas.toml", &main),
        ("home/u/.config/netready/nas.toml.d/50-b.toml", "timeout = 7\n"),
        ("etc/netready/nas.toml.d/50-b.toml", "timeout = 100\n"),
        ("etc/netready/nas.toml.d/10-a.toml", "settle = 3\ntimeout = 5\n[[require]]\nnameserver = true"),
        ("run/netready/nas.toml.d/90-c.toml", "->/dev/null"),
        ("usr/lib/netready/nas.toml.d/90-c.toml", "timeout = 100\n"),
        ("usr/lib/netready/nas.toml.d/95.toml~", "timeout = 100\n"),
        ("usr/lib/netready/nas.toml.d/.95.toml", "timeout = 100\n"),
        ("etc/netready/default.toml.d/x.toml", "settle = 1\n"),
    ]);
    let loaded = load_in(&environment, "nas").unwrap();
    assert_eq!(loaded.gate.timeout, Some(Duration::from_secs(7)));
    assert_eq!(loaded.gate.settle, Duration::from_secs(3));
    assert_eq!(
        loaded.gate.clauses,
        [host(1, vec![route(Destination::Default)]), host(1, vec![Item::Nameserver])]
    );
    let origins: Vec<&str> = loaded.parts.iter().map(|part| part.origin.as_str()).collect();
    assert_eq!(
        origins,
        [
            "/usr/lib/netready/nas.toml",
            "/etc/netready/nas.toml.d/10-a.toml",
            "/home/u/.config/netready/nas.toml.d/50-b.toml"
        ]
    );
    assert_eq!(loaded.parts[2].text, "timeout = 7\n");
    // Drop-ins also apply to a built-in gate.
    let loaded = load_in(&environment, "-t 9s").unwrap();
    assert_eq!(loaded.gate.settle, Duration::from_secs(1));
    let origins: Vec<&str> = loaded.parts.iter().map(|part| part.origin.as_str()).collect();
    assert_eq!(origins, ["built-in", "/etc/netready/default.toml.d/x.toml", "command line"]);
    assert_eq!(loaded.parts[2].text, "timeout = \"9s\"\n");
}

#[test]
fn problems_of_all_files_are_reported_in_their_order() {
    let (_root, environment) = tree(&[
        ("etc/netready/nas.toml", "[[require]]\nroute = \"x\"\n"),
        ("etc/netready/nas.toml.d/a.toml", "[[require]]\naddress = \"x\"\ntimeout = 1\n"),
    ]);
    let error = load_in(&environment, "nas -t x").unwrap_err();
    assert_eq!(
        error,
        "/etc/netready/nas.toml:2: route \"x\" is not valid; write \"default\", \"default-ipv4\", \"default-ipv6\" or a prefix (192.0.2.0/24)\n\
         /etc/netready/nas.toml.d/a.toml:2: address \"x\" is not valid; write \"ip\", \"ipv4\", \"ipv6\", \"link-local-ipv4\", \"link-local-ipv6\", an address or a prefix (192.0.2.0/24)\n\
         /etc/netready/nas.toml.d/a.toml:3: timeout: it is a key of the gate: move it above the first [[require]] line\n\
         --timeout x is not a duration; write for example \"90s\", \"1min 30s\", \"500ms\" or \"infinity\""
    );
}

#[test]
fn a_name_with_a_slash_is_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("storage.toml");
    fs::write(&path, timeout(3)).unwrap();
    fs::create_dir(directory.path().join("storage.toml.d")).unwrap();
    fs::write(directory.path().join("storage.toml.d/a.toml"), "timeout = 4").unwrap();
    let path = path.to_str().unwrap();
    let loaded = load_typed(path).unwrap();
    assert_eq!((loaded.gate.name.as_str(), loaded.gate.source.as_str()), ("storage", path));
    assert_eq!(loaded.gate.timeout, Some(Duration::from_secs(3)));
    assert_eq!(loaded.parts.len(), 1);
}

#[test]
fn unreadable_files_are_named() {
    let (root, environment) = tree(&[
        ("etc/netready/dir.toml/x", ""),
        ("etc/netready/gone.toml", "->/nonexistent/file"),
        ("etc/netready/masked.toml", "->/dev/null"),
        ("etc/netready/default.toml.d/dir.toml/x", ""),
        ("etc/netready/podman.toml.d", ""),
        ("etc/netready/loop.toml", "->loop.toml"),
        ("etc/netready/to-fifo.toml", "->fifo.toml"),
        ("etc/netready/piped.toml", &timeout(1)),
        ("etc/netready/piped.toml.d/a.toml", ""),
        ("etc/netready/large.toml", &"#".repeat((1 << 20) + 1)),
    ]);
    fs::write(root.path().join("etc/netready/latin.toml"), b"# a\n# \xe9\n").unwrap();
    for fifo in ["fifo.toml", "piped.toml.d/fifo.toml"] {
        let path = root.path().join("etc/netready").join(fifo);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    }
    for (args, said) in [
        ("dir", "/etc/netready/dir.toml: cannot be read: Is a directory (os error 21)"),
        ("gone", "/etc/netready/gone.toml: cannot be read: No such file or directory (os error 2)"),
        ("masked", "/etc/netready/masked.toml: this gate is masked: the file is a link to /dev/null"),
        ("loop", "/etc/netready/loop.toml: cannot be read: Too many levels of symbolic links (os error 40)"),
        ("latin", "/etc/netready/latin.toml:2: is not UTF-8"),
        ("default", "/etc/netready/default.toml.d/dir.toml: cannot be read: Is a directory (os error 21)"),
        ("./nonexistent.toml", "./nonexistent.toml: cannot be read: No such file or directory (os error 2)"),
        ("/", "/: cannot be read: Is a directory (os error 21)"),
        ("/dev/zero", "/dev/zero: cannot be read: it is a device, not a regular file"),
        ("/dev/null", "/dev/null: cannot be read: it is a device, not a regular file"),
        ("fifo", "/etc/netready/fifo.toml: cannot be read: it is a FIFO, not a regular file"),
        ("to-fifo", "/etc/netready/to-fifo.toml: cannot be read: it is a FIFO, not a regular file"),
        ("piped", "/etc/netready/piped.toml.d/fifo.toml: cannot be read: it is a FIFO, not a regular file"),
        ("large", "/etc/netready/large.toml: cannot be read: it is larger than 1 MiB"),
    ] {
        assert_eq!(load_in(&environment, args).unwrap_err(), said, "{args}");
    }
    use FindErrorKind::{Masked, Missing, Unreadable};
    for (gate, kind) in [
        ("dir", Unreadable),
        ("gone", Unreadable),
        ("latin", Unreadable),
        ("masked", Masked),
        ("loop", Unreadable),
        ("default", Unreadable),
        ("piped", Unreadable),
        ("./nonexistent.toml", Unreadable),
        ("nonexistent", Missing),
    ] {
        let error = find(gate, &Options::default(), &environment, &NoLinks).unwrap_err();
        assert_eq!(error.kind, kind, "{gate}");
        assert!(!error.problems.is_empty(), "{gate}");
    }
    // A file in the place of a folder of drop-ins is ignored.
    assert!(load_in(&environment, "podman").is_ok());
}

#[test]
fn the_error_for_an_unknown_gate_says_what_was_probably_meant() {
    let text = timeout(1);
    let (_root, environment) = tree(&[("run/netready/storage.toml", &text)]);
    for (args, said) in [
        (
            "storge",
            "gate storge: there is no storge.toml in /home/u/.config/netready, /etc/netready, /run/netready, /usr/local/lib/netready, /usr/lib/netready; did you mean storage?",
        ),
        (
            "pod-man",
            "gate pod-man: there is no pod-man.toml in /home/u/.config/netready, /etc/netready, /run/netready, /usr/local/lib/netready, /usr/lib/netready; did you mean podman?",
        ),
        (
            "xyz",
            "gate xyz: there is no xyz.toml in /home/u/.config/netready, /etc/netready, /run/netready, /usr/local/lib/netready, /usr/lib/netready; to see every gate: netready list",
        ),
        ("va0", "gate va0: va0 is a link: netready check -i va0"),
        (
            "-i va0 va1",
            "gate va1: va1 is a link; quote a glob (-i 'NAME*'), or name each link: -i va0 -i va1",
        ),
        (
            "eth0:routable",
            "gate eth0:routable: eth0:routable is a link and a state: netready check -i eth0 -r default",
        ),
        (
            "eth0:carrier:routable",
            "gate eth0:carrier:routable: eth0:carrier:routable is a link and a state: netready check -i eth0",
        ),
        (
            "va9",
            "gate va9: there is no va9.toml in /home/u/.config/netready, /etc/netready, /run/netready, /usr/local/lib/netready, /usr/lib/netready; did you mean the link: netready check -i va0?",
        ),
        ("va0:up", "gate va0:up: va0 is a link: netready check -i va0"),
        (
            "mac:52:54:00:12:34:56",
            "gate mac:52:54:00:12:34:56: mac:52:54:00:12:34:56 is a hardware address: netready check -i mac:52:54:00:12:34:56",
        ),
        ("10.9.0.2", "gate 10.9.0.2: 10.9.0.2 is an address: netready check -a 10.9.0.2"),
        ("2001:db8::1", "gate 2001:db8::1: 2001:db8::1 is an address: netready check -a 2001:db8::1"),
        ("netready@web", "gate netready@web: netready@web is a unit; write its gate: netready check web"),
        (
            "netready@web.service",
            "gate netready@web.service: netready@web.service is a unit; write its gate: netready check web",
        ),
        (
            "netready.service",
            "gate netready.service: netready.service is a unit; write its gate: netready check default",
        ),
        (
            "http://example.org/",
            "http://example.org/: cannot be read: No such file or directory (os error 2); did you mean: netready check --http http://example.org/",
        ),
        (
            "10.9.0.0/24",
            "10.9.0.0/24: cannot be read: No such file or directory (os error 2); did you mean: netready check --address 10.9.0.0/24",
        ),
        ("-a va0", "--address va0 is the name of a link; write -i va0"),
        ("-r va1 storage", "--route va1 is the name of a link; write -i va1"),
        ("en*", "gate en*: en* is a glob: netready check -i 'en*'"),
        ("storage.toml", "gate storage.toml: write the name of a gate without .toml: storage"),
        ("other.toml", "gate other.toml: there is no such gate; to name a file, write a slash: ./other.toml"),
    ] {
        assert_eq!(load_in(&environment, args).unwrap_err(), said, "{args}");
    }
    for (args, said) in [
        ("va0", "gate va0: va0 is a link: netready wait -i va0"),
        ("-a ipv4 va0", "gate va0: va0 is a link: netready wait -a ipv4 -i va0"),
        (
            "-i va* -t 5s 10.9.0.2",
            "gate 10.9.0.2: 10.9.0.2 is an address: netready wait -i 'va*' -t 5s -a 10.9.0.2",
        ),
    ] {
        assert_eq!(load(&typed(args), &environment, &Waiting).unwrap_err().to_string(), said, "{args}");
    }
    let request = GateRequest { gate: Some(String::new()), options: Options::default() };
    assert_eq!(load(&request, &environment, &NoLinks).unwrap_err().to_string(), "gate : a gate needs a name");
}
