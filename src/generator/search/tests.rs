use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// Makes files (`a/x.container`), folders (`a/`) and links (`a/l -> TARGET`, relative to the link's folder).
fn tree(entries: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in entries {
        let (path, target) = entry.split_once(" -> ").map_or((*entry, None), |(path, to)| (path, Some(to)));
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match target {
            Some(target) => symlink(target, path).unwrap(),
            None if entry.ends_with('/') => fs::create_dir_all(path).unwrap(),
            None => fs::write(path, *entry).unwrap(),
        }
    }
    folder
}

/// Returns the texts of the quadlets in Podman's order, then the paths that were not read; and the complaints. The
/// path of the test's folder is removed from all of them.
fn search(folder: &tempfile::TempDir, starts: &[&str], limits: Limits) -> (Vec<String>, Vec<String>) {
    let starts =
        starts.iter().map(|start| Start { path: folder.path().join(start), leaves_out: LeavesOut::Nothing });
    let mut complaints = Vec::new();
    let mut complain = |message: &str| complaints.push(message.to_owned());
    let directories = Search::new(starts.collect(), limits, &mut complain).run();
    let prefix = format!("{}/", folder.path().canonicalize().unwrap().display());
    let mut found = Vec::new();
    for directory in directories {
        found.extend(directory.quadlets.into_values().map(|source| source.text));
        for (name, drop_ins) in directory.drop_ins {
            found.extend(drop_ins.into_keys().map(|file| format!("{name}: {file}")));
        }
        found.extend(directory.unread.iter().map(|path| format!("unread: {}", path.replace(&prefix, ""))));
    }
    (found, complaints.iter().map(|complaint| complaint.replace(&prefix, "")).collect())
}

#[test]
fn every_folder_is_read_once_and_in_podmans_order() {
    let none: &[&str] = &[];
    for (entries, starts, found) in [
        (&["q/b.container", "q/a.container"][..], &["q"][..], &["q/a.container", "q/b.container"][..]),
        (
            &["q/z.pod", "q/a/x.pod", "q/a/a/y.pod", "q/b/w.pod"],
            &["q"],
            &["q/z.pod", "q/a/x.pod", "q/a/a/y.pod", "q/b/w.pod"],
        ),
        (&["q/notes.txt", "q/x.containers", "q/container", "q/a/"], &["q"], none),
        // The first folder may be a link. One that does not exist is skipped.
        (&["real/x.pod", "q -> real"], &["q", "nowhere"], &["real/x.pod"]),
        (&["q/a.pod", "r/a.pod"], &["r", "q", "r"], &["r/a.pod", "q/a.pod"]),
        // A folder with two names is visited at the name that comes first.
        (&["q/b.pod", "q/z/x.pod", "q/m/y.pod", "q/a -> z"], &["q"], &["q/b.pod", "q/z/x.pod", "q/m/y.pod"]),
        // Links out of the folder, also in two steps.
        (
            &["q/a -> ../out", "out/x.pod", "out/b -> ../far", "far/y.pod", "q/c -> ../far"],
            &["q"],
            &["out/x.pod", "far/y.pod"],
        ),
        // Loops of links.
        (&["q/x.pod", "q/a/again -> ..", "q/a/self -> .", "q/a/y.pod"], &["q"], &["q/x.pod", "q/a/y.pod"]),
        (&["q/a -> b", "q/b -> a", "q/x.pod"], &["q"], &["q/x.pod"]),
        (&["q/a -> ../r", "r/b -> ../q", "r/x.pod"], &["q"], &["r/x.pod"]),
        // A link that leads nowhere, and one to a file.
        (&["q/a -> nowhere", "q/b -> x.pod", "q/x.pod"], &["q"], &["q/x.pod"]),
        // Folders of drop-ins have no quadlets, even if a link leads to them.
        (&["q/etc.d/x.pod", "q/etc -> etc.d", "q/.d/y.pod", "q/x.container.d/z.pod"], &["q"], none),
        (&["q/.git/x.pod"], &["q"], &["q/.git/x.pod"]),
        (
            &[
                "q/x.container.d/a.conf",
                "q/x.container.d/b.txt",
                "q/container.d/c.conf",
                "q/pod.d -> ../pod.d",
                "pod.d/d.conf",
                "q/other.d/e.conf",
            ],
            &["q"],
            &["container.d: c.conf", "pod.d: d.conf", "x.container.d: a.conf"],
        ),
    ] {
        let folder = tree(entries);
        // A link to a folder of drop-ins counts as a folder of drop-ins, not as a folder of quadlets.
        let (seen, complaints) = search(&folder, starts, LIMITS);
        let expected: Vec<&str> = found.to_vec();
        assert_eq!(
            (seen, complaints),
            (expected.iter().map(|f| (*f).to_owned()).collect(), vec![]),
            "{entries:?}"
        );
    }
}

#[test]
fn a_link_to_a_folder_that_contains_the_search_path_is_not_followed() {
    for target in ["/", "..", "../..", "../q/../.."] {
        let folder = tree(&["h/q/x.pod", "h/other.pod", "h/q/sub/"]);
        symlink(target, folder.path().join("h/q/up")).unwrap();
        let (found, complaints) = search(&folder, &["h/q"], LIMITS);
        assert_eq!(found, ["h/q/x.pod", "unread: h/q/up"], "{target}");
        assert!(complaints.len() == 1 && complaints[0].starts_with("h/q/up: leads to "), "{complaints:?}");
    }
}

#[test]
fn files_that_cannot_be_read_are_reported() {
    let folder = tree(&[
        "q/good.pod",
        "q/folder.container/inside.pod",
        "q/dangling.container -> nowhere",
        "q/loop.container -> loop.container",
        "q/zero.container -> /dev/zero",
        "q/masked.container -> /dev/null",
        "q/.container",
        "q/good.pod.d/ok.conf",
        "q/good.pod.d/folder.conf/",
    ]);
    let q = folder.path().join("q");
    nix::unistd::mkfifo(&q.join("pipe.container"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    nix::unistd::mkfifo(&q.join("good.pod.d/pipe.conf"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    fs::write(q.join("large.container"), vec![b'#'; (1 << 20) + 1]).unwrap();
    fs::write(q.join("largest.container"), vec![b'\n'; 1 << 20]).unwrap();
    fs::write(q.join("latin.container"), b"# B\xfcro\n").unwrap();
    fs::write(q.join(OsStr::from_bytes(b"B\xfcro.container")), "").unwrap();
    fs::write(q.join(OsStr::from_bytes(b"B\xfcro.txt")), "").unwrap();
    let (found, complaints) = search(&folder, &["q"], LIMITS);
    let mut unread: Vec<&str> = found.iter().filter_map(|found| found.strip_prefix("unread: ")).collect();
    unread.sort_unstable();
    assert_eq!(
        unread,
        [
            "q/.container",
            r"q/B\xfcro.container",
            "q/dangling.container",
            "q/folder.container",
            "q/good.pod.d/folder.conf",
            "q/good.pod.d/pipe.conf",
            "q/large.container",
            "q/latin.container",
            "q/loop.container",
            "q/pipe.container",
            "q/zero.container",
        ]
    );
    for quadlet in ["q/good.pod", "q/folder.container/inside.pod", "", "# B\u{fffd}ro\n"] {
        assert!(found.iter().any(|found| found == quadlet), "{quadlet}: {found:?}");
    }
    // Podman accepts bytes that are not UTF-8, so there is no complaint about them.
    assert_eq!(complaints.len(), unread.len() - 1, "{complaints:?}");
    for complaint in [
        "q/pipe.container: is not a file",
        "q/large.container: is larger than 1024 KiB",
        r"q/B\xfcro.container: its name",
    ] {
        assert!(complaints.iter().any(|said| said.starts_with(complaint)), "{complaint}: {complaints:?}");
    }
}

/// Data of containers beside quadlets often belongs to another user. Podman skips such folders.
#[test]
fn a_folder_that_this_user_may_not_read_is_not_reported() {
    let folder = tree(&["q/data/x.pod", "q/good.pod"]);
    fs::set_permissions(folder.path().join("q/data"), fs::Permissions::from_mode(0o000)).unwrap();
    let (found, complaints) = search(&folder, &["q"], LIMITS);
    // Root may read the folder, so only the first result is checked.
    assert_eq!(found.first().map(String::as_str), Some("q/good.pod"));
    assert_eq!(complaints, Vec::<String>::new());
    fs::set_permissions(folder.path().join("q/data"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// Which limit ends the search, and what was found before: folders that lie deepest or behind links are missing.
#[test]
fn the_search_has_limits() {
    let mut entries: Vec<String> = (0..50).map(|n| format!("q/a/data/{n}/x/y/")).collect();
    entries.extend(["q/b/c/x.pod", "q/z.pod", "q/0 -> ../out", "out/o.pod"].map(str::to_owned));
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let folder = tree(&entries);
    for (limits, found, ended) in [
        (LIMITS, &["q/z.pod", "out/o.pod", "q/b/c/x.pod"][..], None),
        // The folders are: q, a, b, data, c, 3 * 50, the link, out.
        (Limits { folders: 157, ..LIMITS }, &["q/z.pod", "out/o.pod", "q/b/c/x.pod"], None),
        (Limits { folders: 156, ..LIMITS }, &["q/z.pod", "q/b/c/x.pod"], Some("folders and links")),
        (Limits { folders: 10, ..LIMITS }, &["q/z.pod", "q/b/c/x.pod"], Some("folders and links")),
        (Limits { folders: 1, ..LIMITS }, &["q/z.pod"], Some("folders and links")),
        (Limits { entries: 12, ..LIMITS }, &["q/z.pod", "q/b/c/x.pod"], Some("too many files")),
    ] {
        let (seen, complaints) = search(&folder, &["q"], limits);
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        let missing = ended.map(|_| "unread: q".to_owned()).unwrap_or_default();
        let expected: Vec<&str> = found.iter().copied().chain(ended.map(|_| missing.as_str())).collect();
        assert_eq!(seen, expected, "{limits:?}");
        assert_eq!(complaints.len(), usize::from(ended.is_some()), "{complaints:?}");
        assert!(ended.is_none_or(|why| complaints[0].contains(why)), "{complaints:?}");
    }
}

#[test]
fn quadlets_of_too_much_text_are_not_kept() {
    let folder = tree(&["q/a.pod", "q/b/b.pod", "q/b/c/c.pod"]);
    let (found, complaints) = search(&folder, &["q"], Limits { text: 18, ..LIMITS });
    assert_eq!(found, ["q/a.pod", "q/b/b.pod", "unread: q/b/c/c.pod"]);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
}

#[test]
fn folders_of_single_users_are_left_out_like_podman_does() {
    let users = LeavesOut::SingleUsers("/u".into());
    let below = LeavesOut::Below(["/u".into(), "/v/w".into()]);
    for (leaves_out, folder, left_out) in [
        (&users, "/u", false),
        (&users, "/u/1000", true),
        (&users, "/u/1000/x", true),
        (&users, "/u/all", false),
        (&users, "/u/1000x", false),
        (&users, "/elsewhere/1000", false),
        (&below, "/u", true),
        (&below, "/u/x", true),
        (&below, "/v", false),
        (&below, "/v/w/1000", true),
        (&LeavesOut::Nothing, "/u/1000", false),
    ] {
        assert_eq!(leaves_out.folder(Path::new(folder)), left_out, "{folder}");
    }
}
