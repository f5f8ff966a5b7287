use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::sync::mpsc;

use nix::fcntl::{Flock, FlockArg};

use super::super::bolt::BucketEntry;
use super::*;

const LEAK: &[u8] = include_bytes!("../tests/leak.db");

/// A database in a folder of its own, as Podman keeps it.
struct Example(tempfile::TempDir, PathBuf);

impl Example {
    fn path(&self) -> &Path {
        &self.1
    }
}

fn database() -> Example {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ipam.db");
    std::fs::write(&path, LEAK).unwrap();
    Example(folder, path)
}

#[test]
fn written_under_the_lock() {
    let file = database();
    let (held, told) = (File::open(file.path()).unwrap(), mpsc::channel());
    let held = Flock::lock(held, FlockArg::LockExclusive).unwrap();
    assert_eq!(read(file.path()).unwrap().unwrap().root.entries.len(), 1, "reading needs no lock");
    let path = file.path().to_owned();
    let writer = std::thread::spawn(move || {
        write(&path, |root| {
            told.0.send(()).unwrap();
            root.entries.clear();
            true
        })
    });
    let early = told.1.recv_timeout(Duration::from_millis(100));
    assert!(early.is_err(), "somebody else has the lock");
    drop(held);
    writer.join().unwrap().unwrap();
    assert_eq!(read(file.path()).unwrap().unwrap().root.entries.len(), 0);
    let free = Flock::lock(File::open(file.path()).unwrap(), FlockArg::LockExclusiveNonblock);
    assert!(free.is_ok(), "the lock is given back");
}

#[test]
fn a_lock_that_is_kept() {
    let file = database();
    let _held = Flock::lock(File::open(file.path()).unwrap(), FlockArg::LockShared).unwrap();
    let wrong = write_within(2, file.path(), |_| panic!("it must not come to this")).unwrap_err();
    assert!(matches!(wrong, DatabaseError::Locked), "{wrong}");
    assert_eq!(std::fs::read(file.path()).unwrap(), LEAK);
}

#[test]
fn nothing_to_change() {
    let file = database();
    write(file.path(), |_| false).unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), LEAK);
}

#[test]
fn no_file_as_expected() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(read(&at("none")).unwrap().is_none());
    let elsewhere = database();
    std::os::unix::fs::symlink(elsewhere.path(), at("link")).unwrap();
    assert!(matches!(read(&at("link")), Err(DatabaseError::Io(_))));
    File::create(at("large")).unwrap().set_len(LARGEST + 1).unwrap();
    assert!(matches!(read(&at("large")), Err(DatabaseError::Size(_))));
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(read(&at("pipe")), Err(DatabaseError::Kind)));
    std::fs::create_dir(at("folder")).unwrap();
    assert!(matches!(read(&at("folder")), Err(DatabaseError::Kind)));
    File::create(at("empty")).unwrap();
    assert!(read(&at("empty")).unwrap().is_none());
    assert!(read(&at("no-folder/none")).unwrap().is_none());
}

/// A file that another user could exchange is neither trusted nor written to.
#[test]
fn what_another_user_can_write() {
    let file = database();
    let folder = file.0.path();
    for (mode, refused) in [(0o755, false), (0o700, false), (0o775, true), (0o757, true), (0o1777, true)] {
        std::fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
        for wrong in [read(file.path()).err(), write(file.path(), |_| false).err()] {
            assert_eq!(matches!(wrong, Some(DatabaseError::Exposed)), refused, "{mode:o}: {wrong:?}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn what_belongs_to_another_user() {
    let file = database();
    let folder = file.0.path();
    chown(file.path(), Some(1234), None).unwrap();
    assert!(matches!(read(file.path()), Err(DatabaseError::Foreign("it", 1234))));
    assert!(matches!(write(file.path(), |_| true), Err(DatabaseError::Foreign("it", 1234))));
    chown(file.path(), Some(0), None).unwrap();
    chown(folder, Some(1234), None).unwrap();
    assert!(matches!(write(file.path(), |_| true), Err(DatabaseError::Foreign("its folder", 1234))));
    assert_eq!(std::fs::read(file.path()).unwrap(), LEAK);
}

/// Although Podman writes all the time, a read shows the database at one moment: here two keys with the same value.
#[test]
fn copies_while_another_writes() {
    let file = database();
    let both = |value: u32| {
        move |root: &mut Bucket| {
            // The keys are at the two ends of the tree, so that a torn copy would have two different values.
            for name in [b"a", b"z"] {
                root.entries
                    .insert(name.to_vec(), BucketEntry::Value(value.to_string().repeat(2000).into_bytes()));
            }
            true
        }
    };
    write(file.path(), both(0)).unwrap();
    let path = file.path().to_owned();
    let writer = std::thread::spawn(move || {
        for value in 1..=200 {
            write(&path, both(value % 10)).unwrap();
        }
    });
    let mut seen = 0;
    while !writer.is_finished() || seen == 0 {
        match read(file.path()) {
            Ok(database) => {
                let entries = database.unwrap().root.entries;
                assert_eq!(entries[b"a".as_slice()], entries[b"z".as_slice()]);
                seen += 1;
            }
            // Without a pause between two writes, the reader may never get a copy.
            Err(error) => assert!(matches!(error, DatabaseError::Busy | DatabaseError::Damage(_)), "{error}"),
        }
    }
    writer.join().unwrap();
}
