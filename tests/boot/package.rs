//! The Debian package: its content, and what its installation and removal change.

use std::collections::BTreeSet;
use std::process::Command;

use crate::guest::run;
use crate::rootfs::{self, Release};

fn contents() -> BTreeSet<String> {
    let listed = run(Command::new("dpkg-deb").arg("--contents").arg(rootfs::package()));
    listed
        .lines()
        .filter_map(|line| Some(line.split_once("./")?.1.to_owned()))
        .filter(|path| !path.ends_with('/'))
        .collect()
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_package_has_what_it_must_and_no_configuration() {
    crate::enter();
    let contents = contents();
    for path in [
        "usr/bin/netready",
        "usr/libexec/netready-probe",
        "usr/libexec/netready-tools",
        "usr/lib/systemd/system-generators/netready-generator",
        "usr/lib/systemd/user-generators/netready-generator",
        "usr/lib/systemd/system/netready.service",
        "usr/lib/systemd/system/netready@.service",
        "usr/lib/systemd/user/netready.service",
        "usr/lib/systemd/user/netready@.service",
        "usr/lib/systemd/user/podman-user-wait-network-online.service.d/50-netready.conf",
        "usr/lib/systemd/user/podman-restart.service.d/50-netready.conf",
        "usr/lib/systemd/user/podman-kube@.service.d/50-netready.conf",
        "usr/lib/systemd/user/podman-auto-update.service.d/50-netready.conf",
        "usr/lib/systemd/catalog/netready.catalog",
        "usr/lib/netready/default.toml",
        "usr/lib/netready/podman.toml",
        "usr/share/doc/netready/examples/default.toml",
        "usr/share/man/man1/netready.1.gz",
        "usr/share/man/man5/netready.toml.5.gz",
        "usr/share/man/man7/netready-quadlet.7.gz",
        "usr/share/man/man8/netready-generator.8.gz",
        "usr/share/bash-completion/completions/netready",
    ] {
        assert!(contents.contains(path), "{path} is missing of {contents:#?}");
    }
    let elsewhere: Vec<&String> = contents.iter().filter(|path| !path.starts_with("usr/")).collect();
    assert!(elsewhere.is_empty(), "the administrator's, not the package's: {elsewhere:?}");
    let control = tempfile::tempdir().unwrap();
    run(Command::new("dpkg-deb").arg("--control").arg(rootfs::package()).arg(control.path()));
    for script in ["preinst", "postinst", "prerm", "postrm"] {
        let text = std::fs::read_to_string(control.path().join(script)).unwrap_or_default();
        for never in [" enable", " start ", "restart", "deb-systemd-invoke"] {
            let commands = text.lines().filter(|line| !line.trim_start().starts_with('#'));
            assert!(!commands.clone().any(|line| line.contains(never)), "{script}: {never}");
        }
    }
}

/// The package is installed in a root that is not booted, as in the build of an image.
#[test]
#[ignore = "boots take minutes: make boot"]
fn installing_enables_nothing_and_removing_leaves_nothing() {
    crate::enter();
    let scratch = rootfs::scratch();
    let upper = scratch.path().join("upper");
    std::fs::create_dir(&upper).unwrap();
    std::fs::copy(rootfs::package(), upper.join("netready.deb")).unwrap();
    let names = "find / -xdev -iname '*netready*' ! -path /netready.deb ! -path '/var/lib/dpkg/*' ! -path '/var/log/*'";
    let said = rootfs::in_overlay(
        Release::usual(),
        &upper,
        &format!(
            "set -e
             dpkg -i /netready.deb >/dev/null
             netready --version
             echo -- enabled; find /etc/systemd -name '*netready*'
             systemctl enable netready.service 2>/dev/null
             dpkg -i /netready.deb >/dev/null
             echo -- kept; find /etc/systemd -name '*netready*'
             dpkg -r netready >/dev/null
             echo -- left; {names}
             dpkg -P netready >/dev/null 2>&1 || true
             echo -- purged; {names}"
        ),
    );
    let sections: Vec<&str> = said.split("-- ").map(str::trim).collect();
    assert!(sections[0].starts_with("netready 0."), "{said}");
    let link = "/etc/systemd/system/network-online.target.wants/netready.service";
    assert_eq!(sections[1..], ["enabled", &format!("kept\n{link}"), "left", "purged"], "{said}");
}

/// The content of the packages is listed twice, for two tools. Neither list may lack a unit.
#[test]
#[ignore = "boots take minutes: make boot"]
fn every_unit_drop_in_and_gate_is_in_both_packages() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for tool in ["deb", "generate-rpm"] {
        let (_, section) = manifest.split_once(&format!("\n[package.metadata.{tool}]")).unwrap();
        let section = section.split("\n[").next().unwrap();
        let sources: Vec<glob::Pattern> = section
            .split('"')
            .filter(|quoted| quoted.contains('/'))
            .filter_map(|quoted| glob::Pattern::new(quoted).ok())
            .collect();
        let mut found = 0;
        for files in [
            "systemd/*/*.service",
            "systemd/*/*.d/*.conf",
            "gates/*.toml",
            "docs/*.md",
            "docs/*.svg",
            "docs/how-to/*.md",
        ] {
            for path in glob::glob(root.join(files).to_str().unwrap()).unwrap() {
                let path = path.unwrap();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                assert!(sources.iter().any(|source| source.matches(name)), "{tool}: {name} is not packaged");
                found += 1;
            }
        }
        assert!(found >= 10, "only {found} files were found");
    }
}
