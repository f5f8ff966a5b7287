//! Other services that hold network-online.target back: netready does not disable them.

use std::collections::BTreeSet;
use std::path::Path;

/// systemd.unit(5)
const UNIT_FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Where netready.service is wanted by network-online.target: each other waiter that is too, and how to
/// disable it.
pub(super) fn still_wanted() -> Vec<String> {
    let wanted = wanted(&UNIT_FOLDERS.map(Path::new));
    if !wanted.contains("netready.service") {
        return Vec::new();
    }
    let others = wanted.iter().filter(|name| name.contains("wait-online"));
    others
        .map(|name| format!("network-online.target waits for {name} too: systemctl disable {name}"))
        .collect()
}

fn wanted(folders: &[&Path]) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for folder in folders {
        let Ok(links) = std::fs::read_dir(folder.join("network-online.target.wants")) else { continue };
        for link in links.flatten() {
            let name = link.file_name().to_string_lossy().into_owned();
            let null = |path: &Path| path.canonicalize().is_ok_and(|path| path == Path::new("/dev/null"));
            let masked = folders.iter().any(|folder| null(&folder.join(&name))) || null(&link.path());
            if !masked {
                wanted.insert(name);
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn wanted_units_but_the_masked() {
        let root = tempfile::tempdir().unwrap();
        let (etc, usr) = (root.path().join("etc"), root.path().join("usr"));
        let wants = etc.join("network-online.target.wants");
        std::fs::create_dir_all(&wants).unwrap();
        std::fs::create_dir_all(&usr).unwrap();
        for name in ["netready.service", "a-wait-online.service", "b-wait-online.service"] {
            std::fs::write(usr.join(name), "").unwrap();
            symlink(usr.join(name), wants.join(name)).unwrap();
        }
        symlink("/dev/null", etc.join("b-wait-online.service")).unwrap();
        let expected = ["a-wait-online.service", "netready.service"].map(str::to_owned);
        assert_eq!(wanted(&[&etc, &usr]), BTreeSet::from(expected));
    }
}
