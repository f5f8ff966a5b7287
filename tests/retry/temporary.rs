//! Tests of which files `pull` and `retry` remove, and which not.

use std::path::Path;

use super::*;

/// A stand-in that keeps a layer as Podman does, writes where it is, and never ends.
const KEEPS: &str = "mkdir $TMPDIR/container_images_storage1; exec 7>$TMPDIR/container_images_storage1/1\n\
    echo $TMPDIR >temporaries; exec sleep";

fn content(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn what_a_pull_had_is_removed_however_it_ends_and_nothing_else() {
    for (how, code) in
        [("exit 0", Some(0)), ("exit 125", Some(125)), ("hangs", Some(124)), ("term", None), ("kill", None)]
    {
        let word = word(&format!("57721566{}", how.len()));
        let last = if how.starts_with("exit") { how.to_owned() } else { format!("exec sleep {word}") };
        let stage = Stage::new(&KEEPS.replace("exec sleep", &last));
        let others = stage.temporary().join("container_images_backup");
        fs::create_dir(&others).unwrap();
        fs::write(others.join("precious"), "x").unwrap();
        // The stand-in must have written where its folder is before the limit ends it.
        let limit = if how == "hangs" { "--attempt-timeout 5s" } else { "" };
        let mut child =
            stage.pull(&format!("--gate none --retries 0 {limit}")).stderr(Stdio::null()).spawn().unwrap();
        let own = until("the pull", || {
            fs::read_to_string(stage.path("temporaries")).ok().filter(|text| text.ends_with('\n'))
        });
        let own = PathBuf::from(own.trim());
        assert_eq!(own.parent(), Some(stage.temporary().as_path()), "{how}");
        match how {
            "term" => kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap(),
            "kill" => child.kill().unwrap(),
            _ => {}
        }
        assert_eq!(child.wait().unwrap().code(), code, "{how}");
        // The guardian outlives a netready that is killed, and removes the folder.
        until("its removal", || (!own.exists()).then_some(()));
        assert_eq!(content(&stage.temporary()), ["container_images_backup"], "{how}");
        assert_eq!(content(&others), ["precious"], "{how}");
        until("the end of all", || (running(&word) == 0).then_some(()));
    }
}

#[test]
fn retry_removes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("container_images_storage1");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("1"), "precious").unwrap();
    let mut command = shell(
        "--gate none --retries 0",
        "echo $TMPDIR >seen.new; mv seen.new seen; exec tail -f container_images_storage1/1",
    );
    command.current_dir(place.path()).env("TMPDIR", place.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    until("the attempt", || place.path().join("seen").exists().then_some(()));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(fs::read_to_string(folder.join("1")).unwrap(), "precious");
    let seen = fs::read_to_string(place.path().join("seen")).unwrap();
    assert_eq!(seen.trim(), place.path().to_str().unwrap());
}

/// A pull that cannot get a folder of its own runs anyway, and leaves its files as Podman does.
#[test]
fn without_a_safe_place_the_pull_goes_on_as_podman_would() {
    let stage = Stage::new("echo \"$TMPDIR\" >temporaries");
    let open = stage.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    for (tmpdir, said) in [
        (open.to_str().unwrap(), "other users can write to"),
        ("/nonexistent/folder", "/nonexistent/folder: No such file or directory"),
        ("/proc/self/environ", "/proc/self/environ: "),
    ] {
        let mut command = stage.pull("--gate none --retries 0 --policy always");
        command.env("TMPDIR", tmpdir);
        let stderr = ends(command, 0);
        assert!(stderr.contains(said) && stderr.contains("its temporary files stay"), "{stderr}");
        assert_eq!(fs::read_to_string(stage.path("temporaries")).unwrap().trim(), tmpdir);
    }
    // A relative path has the same meaning for netready and for the tool.
    let mut command = stage.pull("--gate none --retries 0 --policy always");
    command.env("TMPDIR", "temporary").current_dir(stage.0.path());
    let stderr = ends(command, 0);
    assert_eq!(stderr, "");
    let seen = fs::read_to_string(stage.path("temporaries")).unwrap();
    assert!(seen.starts_with(stage.temporary().to_str().unwrap()), "{seen}");
    assert!(content(&stage.temporary()).is_empty());
}

/// TMPDIR would also move Podman's folder of run-time files, so this user gets no folder.
#[test]
#[ignore = "needs root"]
fn a_user_without_a_runtime_directory_keeps_the_tmpdir_of_the_caller() {
    const NOBODY: u32 = 65534;
    let stage = Stage::new("echo \"$TMPDIR\" >temporaries");
    let temporary = stage.temporary();
    for path in [stage.0.path(), &temporary] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Other users may not be able to read the build's folder. Another process copies, as in `Stage::script`.
    for name in ["netready", "netready-tools"] {
        let built = std::path::Path::new(env!("CARGO_BIN_EXE_netready")).with_file_name(name);
        assert!(Command::new("cp").arg(built).arg(stage.path(name)).status().unwrap().success());
    }
    for (runtime, own) in [(None, false), (Some(stage.0.path()), true)] {
        let mut command = Command::new(stage.path("netready"));
        command.args("pull --gate none --retries 0 --policy always r.example/a:1 --tool".split_whitespace());
        command.arg(stage.path("podman")).uid(NOBODY).gid(NOBODY).stdin(Stdio::null());
        command.env("TMPDIR", &temporary).env_remove("NOTIFY_SOCKET").env_remove("XDG_RUNTIME_DIR");
        command.envs(runtime.map(|folder| ("XDG_RUNTIME_DIR", folder)));
        let stderr = ends(command, 0);
        assert_eq!(stderr.contains("no runtime directory"), !own, "{stderr}");
        let seen = fs::read_to_string(stage.path("temporaries")).unwrap();
        assert_eq!(*temporary != *Path::new(seen.trim()), own, "{seen}");
    }
    assert!(content(&temporary).is_empty());
}
