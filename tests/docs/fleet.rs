//! docs/fleet.md and the examples for many hosts: what they name is there, and what they write is understood.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{fenced, gate_file, netready, read, root, stderr};

const EXAMPLES: [&str; 4] = ["ansible.yml", "cloud-init.yml", "netready.bu", "nixos.nix"];

fn example(name: &str) -> String {
    read(&format!("docs/examples/{name}"))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The texts that an example puts into a file: what is indented below a line that ends with `|` (YAML) or `''` (Nix).
fn written(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut texts = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !(line.ends_with(": |") || line.ends_with("= ''")) {
            continue;
        }
        let block =
            lines[at + 1..].iter().take_while(|below| below.is_empty() || indent(below) > indent(line));
        let block: Vec<&str> = block.copied().collect();
        let depth = block.first().map_or(0, |first| indent(first));
        let mut text = String::new();
        for line in block {
            text.push_str(line.get(depth..).unwrap_or_default());
            text.push('\n');
        }
        texts.push(text.trim_end().to_owned() + "\n");
    }
    texts
}

/// The example as a host gets it: with the address that the playbook has as its default.
fn gates(name: &str) -> Vec<String> {
    let gates = written(&example(name)).into_iter().filter(|text| text.starts_with("[[require]]"));
    gates.map(|text| text.replace("{{ netready_address }}", "10.9.0.2")).collect()
}

#[test]
fn the_gates_of_the_examples_are_understood_and_are_the_pages_gate() {
    let page = fenced(&read("docs/fleet.md"), "toml").concat();
    let (_, shown) = page.split_once('\n').unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in EXAMPLES {
        let gates = gates(name);
        assert_eq!(gates.len(), 1, "{name}: {gates:?}");
        for gate in gates {
            assert!(gate.starts_with(shown), "{name} writes another gate than docs/fleet.md: {gate}");
            let path = gate_file(&folder, &gate);
            let output = netready(&["cat", path.to_str().unwrap()]);
            assert!(output.status.success(), "{name}: {}", stderr(&output));
        }
    }
}

#[test]
fn the_drop_ins_of_the_examples_are_the_pages() {
    let page = fenced(&read("docs/fleet.md"), "ini").concat();
    let (_, shown) = page.split_once('\n').unwrap();
    for name in ["ansible.yml", "cloud-init.yml"] {
        assert!(
            written(&example(name)).iter().any(|text| text == shown),
            "{name} has not the page's drop-in"
        );
    }
    assert!(example("nixos.nix").contains("after = [ \"netready@web.service\" ];"));
}

#[test]
fn the_examples_name_packages_units_and_files_that_are_there() {
    let version = env!("CARGO_PKG_VERSION");
    for name in EXAMPLES {
        let text = example(name);
        assert!(
            text.contains(&format!("netready_{version}-1_amd64.deb"))
                || text.contains(&format!("netready-{version}-x86_64-linux.tar.gz"))
                || text.contains(&format!("netready-{version}/Cargo.lock")),
            "{name}: which version?"
        );
        for (at, _) in text.match_indices(".service") {
            let start =
                text[..at].rfind(|c: char| !(c.is_alphanumeric() || "@-".contains(c))).map_or(0, |at| at + 1);
            let unit = &text[start..at];
            if !unit.starts_with("netready") || unit == "netready-install" {
                continue;
            }
            let file = unit.split_once('@').map_or(unit.to_owned(), |(before, _)| format!("{before}@"));
            assert!(root().join(format!("systemd/system/{file}.service")).exists(), "{name}: {unit}.service");
        }
    }
}

/// Runs the playbook twice on this machine, with an /etc of its own, and then with an address that is none.
const PLAY: &str = r#"
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" overlay /etc
play() { ansible-playbook -i localhost, -c local --skip-tags package docs/examples/ansible.yml "$@"; }
play
play | grep -E '^localhost .*changed=0 .*failed=0 '
if play -e netready_address=nonsense; then exit 1; fi
echo "-- gate"
cat /etc/netready/web.toml
echo "-- drop-in"
cat /etc/systemd/system/nginx.service.d/netready.conf
"#;

#[test]
#[ignore = "needs root and ansible-playbook"]
fn the_playbook_writes_what_the_page_shows_and_refuses_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("bin");
    let etc = folder.path().join("etc");
    fs::create_dir(&programs).unwrap();
    fs::create_dir(&etc).unwrap();
    symlink(env!("CARGO_BIN_EXE_netready"), programs.join("netready")).unwrap();
    // The machine's own service manager hears nothing of it.
    let systemctl = programs.join("systemctl");
    // Another process writes it: while this one has a file open for writing, a child of another test may inherit the
    // descriptor, and then nobody can execute the file (ETXTBSY).
    let write = ["-c", "echo '#!/bin/sh' >\"$0\" && chmod 755 \"$0\""];
    assert!(Command::new("sh").args(write).arg(&systemctl).status().unwrap().success());
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", PLAY, "sh"])
        .arg(Path::new(&etc))
        .current_dir(root())
        .env("PATH", path)
        .env("ANSIBLE_LOCAL_TEMP", folder.path().join("ansible"))
        .env("ANSIBLE_LOCALHOST_WARNING", "0")
        .env("ANSIBLE_NOCOLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    let (_, written) = said.split_once("-- gate\n").unwrap();
    let (gate, drop_in) = written.split_once("-- drop-in\n").unwrap();
    let page = read("docs/fleet.md");
    assert!(page.contains(&format!("# /etc/netready/web.toml\n{gate}```")), "{gate}");
    assert!(page.contains(&format!("netready.conf\n{drop_in}```")), "{drop_in}");
}
