use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A temporary folder in a new place, beside a folder that must survive.
fn made() -> (tempfile::TempDir, Temporary) {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("container_images_backup")).unwrap();
    fs::write(place.path().join("container_images_backup/precious"), "x").unwrap();
    let above = Above::at(place.path(), Uid::effective()).unwrap();
    let temporary = Temporary::new(&above).unwrap();
    (place, temporary)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_folder_is_removed_with_its_content_and_nothing_else() {
    let (place, temporary) = made();
    let mode = fs::metadata(temporary.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    let inner = temporary.path().join("container_images_storage1/a/b");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("layer"), "x").unwrap();
    symlink(place.path().join("container_images_backup"), inner.join("link")).unwrap();
    symlink(place.path().join("container_images_backup"), temporary.path().join("link")).unwrap();
    fs::hard_link(place.path().join("container_images_backup/precious"), inner.join("hard")).unwrap();
    nix::unistd::mkfifo(&temporary.path().join("fifo"), Mode::S_IRWXU).unwrap();
    temporary.remove().unwrap();
    assert_eq!(names(place.path()), ["container_images_backup"]);
    assert_eq!(fs::read_to_string(place.path().join("container_images_backup/precious")).unwrap(), "x");
    // It is no error if the folder is already gone.
    temporary.remove().unwrap();
}

#[test]
fn each_folder_has_a_name_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let above = Above::at(place.path(), Uid::effective()).unwrap();
    let all: Vec<Temporary> = (0..20).map(|_| Temporary::new(&above).unwrap()).collect();
    assert_eq!(names(place.path()).len(), 20);
    for one in all {
        one.remove().unwrap();
    }
    assert_eq!(names(place.path()).len(), 0);
}

/// While the folder is in use, somebody puts something else in its place.
#[test]
fn nothing_is_removed_by_a_name_that_leads_elsewhere() {
    for in_its_place in ["nothing", "link", "folder"] {
        let (place, temporary) = made();
        fs::write(temporary.path().join("layer"), "x").unwrap();
        let moved = place.path().join("moved");
        fs::rename(temporary.path(), &moved).unwrap();
        let victim = place.path().join("container_images_backup");
        match in_its_place {
            "link" => symlink(&victim, temporary.path()).unwrap(),
            "folder" => fs::create_dir(temporary.path()).unwrap(),
            _ => {}
        }
        temporary.remove().unwrap_err();
        assert_eq!(names(&victim), ["precious"], "{in_its_place}");
        assert_eq!(names(&moved), ["layer"], "{in_its_place}");
        if in_its_place == "folder" {
            assert!(temporary.path().is_dir());
        }
    }
}

/// A symbolic link is in the place of a folder inside the temporary folder. Only the owner could put it there, but
/// still it must not be followed.
#[test]
fn no_symbolic_link_is_opened() {
    let (place, temporary) = made();
    symlink(place.path().join("container_images_backup"), temporary.path().join("link")).unwrap();
    open(temporary.folder.as_fd(), c"link").unwrap_err();
    open(temporary.folder.as_fd(), c"..").unwrap_err();
}

#[test]
#[ignore = "needs a mount namespace"]
fn no_mount_point_is_entered() {
    let mounts = std::thread::spawn(|| {
        use nix::mount::{MsFlags, mount};
        // The new mount namespace is for this thread only.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let (place, temporary) = made();
        let victim = place.path().join("container_images_backup");
        // Another mount of the same file system (with the same device number), another file system, and a file.
        let [bound, other, file] = ["bound", "other", "file"].map(|name| temporary.path().join(name));
        fs::create_dir(&bound).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(&file, "").unwrap();
        fs::write(temporary.path().join("layer"), "x").unwrap();
        mount(Some(&victim), &bound, none, MsFlags::MS_BIND, none).unwrap();
        mount(Some("none"), &other, Some("tmpfs"), MsFlags::empty(), none).unwrap();
        fs::write(other.join("precious"), "x").unwrap();
        mount(Some(&victim.join("precious")), &file, none, MsFlags::MS_BIND, none).unwrap();
        temporary.remove().unwrap_err();
        assert_eq!(names(&victim), ["precious"]);
        assert_eq!(names(&bound), ["precious"]);
        assert_eq!(names(&other), ["precious"]);
        assert_eq!(names(temporary.path()), ["bound", "file", "other"], "the rest is removed");
        for mounted in [&bound, &other, &file] {
            nix::mount::umount(mounted.as_path()).unwrap();
        }
        temporary.remove().unwrap();
    });
    mounts.join().unwrap();
}

#[test]
fn a_folder_that_is_too_deep_stays_and_is_an_error() {
    let (_place, temporary) = made();
    let mut folder = temporary.path().to_owned();
    for _ in 0..=DEEPEST {
        folder.push("d");
    }
    fs::create_dir_all(folder.join("e")).unwrap();
    temporary.remove().unwrap_err();
    assert!(temporary.path().exists());
}

#[test]
fn only_a_folder_in_which_nobody_else_can_swap_names_is_used() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("t");
    fs::create_dir(&path).unwrap();
    let user = Uid::effective();
    for (mode, used) in [
        (0o700, true),
        (0o755, true),
        (0o1777, true),
        (0o1733, true),
        (0o777, false),
        (0o770, false),
        (0o703, false),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let found = Above::at(&path, user);
        assert_eq!(found.is_ok(), used, "{mode:o}");
        assert!(used || matches!(found, Err(Refused::Open(_))), "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    // The folder belongs to another user. A folder of root is trusted by every user.
    let other = Uid::from_raw(user.as_raw() + 1);
    match user.is_root() {
        true => {
            assert!(Above::at(&path, other).is_ok());
            std::os::unix::fs::chown(&path, Some(other.as_raw()), None).unwrap();
            assert!(matches!(Above::at(&path, user), Err(Refused::Owner(_))));
            // The sticky bit does not help: the folder's owner may rename what is in it.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).unwrap();
            assert!(matches!(Above::at(&path, user), Err(Refused::Owner(_))));
        }
        false => assert!(matches!(Above::at(&path, other), Err(Refused::Owner(_)))),
    }
    assert!(matches!(Above::at(&place.path().join("none"), user), Err(Refused::Io { .. })));
    fs::write(place.path().join("file"), "").unwrap();
    assert!(matches!(Above::at(&place.path().join("file"), user), Err(Refused::Io { .. })));
}

#[test]
fn a_name_may_have_any_bytes() {
    let place = tempfile::tempdir().unwrap();
    let strange = place.path().join(OsStr::from_bytes(b"a b\n\xff\"$("));
    fs::create_dir(&strange).unwrap();
    let temporary = Temporary::new(&Above::at(&strange, Uid::effective()).unwrap()).unwrap();
    assert!(temporary.path().starts_with(&strange));
    temporary.remove().unwrap();
    assert_eq!(fs::read_dir(&strange).unwrap().count(), 0);
}

#[test]
fn what_containers_conf_says_is_not_overridden() {
    let place = tempfile::tempdir().unwrap();
    for (text, says) in [
        ("", false),
        ("[engine]\nretry = 5\n", false),
        ("[engine]\n#image_copy_tmp_dir = \"/var/tmp\"\n", false),
        ("[engine]\n  # image_copy_tmp_dir = \"/var/tmp\"\n", false),
        ("[engine]\nimage_copy_tmp_dir = \"storage\"\n", true),
        ("[engine]\n  image_copy_tmp_dir=\"/big\"\n", true),
        ("[engine]\nenv = [\"A=1\", \"TMPDIR=/big\"]\n", true),
        ("[engine]\nenv = [\n  \"TMPDIR=/big\",\n]\n", true),
    ] {
        let file = place.path().join("containers.conf");
        fs::write(&file, text).unwrap();
        assert_eq!(configures(&file), says, "{text}");
    }
    let pipe = place.path().join("pipe");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    for path in [pipe, place.path().join("none"), place.path().to_owned()] {
        assert!(!configures(&path));
    }
    fs::create_dir_all(place.path().join("containers/containers.conf.d")).unwrap();
    fs::write(place.path().join("containers/containers.conf.d/50.conf"), "").unwrap();
    let home = place.path().as_os_str().to_owned();
    let files = configurations(&|name: &str| (name == "XDG_CONFIG_HOME").then(|| home.clone()));
    let own = place.path().join("containers");
    for expected in [
        own.join("containers.conf"),
        own.join("containers.conf.d/50.conf"),
        PathBuf::from("/etc/containers/containers.conf"),
        PathBuf::from("/usr/share/containers/containers.conf"),
    ] {
        assert!(files.contains(&expected), "{files:?}");
    }
}
