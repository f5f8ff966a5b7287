//! What a pull leaves behind when it is ended in the middle: Podman, skopeo and buildah keep the layers that
//! they fetch in a folder below /var/tmp (or $TMPDIR), and clear it away only where they end by themselves.
//! With a registry that stalls again and again each attempt would leave its part of the image, until the next
//! boot clears them away (tmpfiles.d) or the disk is full.
//!
//! A folder is known by a file in it that one of the command's processes has open, so that nobody else's is
//! ever touched; one that holds none at that moment stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// How the names of these folders begin.
const NAME: &str = "container_images_";

/// The folders in which these processes have a file open.
pub(super) fn held(processes: impl Iterator<Item = u32>) -> BTreeSet<PathBuf> {
    let descriptors = processes.flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten());
    let files = descriptors.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    let folders = files.filter_map(|file| file.parent().map(PathBuf::from));
    folders.filter(|folder| is_of_a_pull(folder)).collect()
}

fn is_of_a_pull(folder: &std::path::Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    folder.is_absolute() && name.is_some_and(|name| name.starts_with(NAME))
}

/// Removes them, now that the processes have ended.
pub(super) fn clear(folders: &BTreeSet<PathBuf>) {
    for folder in folders {
        // What cannot be removed is no reason to fail: the next boot removes it.
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_pull_is_known_by_its_open_file_and_nobody_elses_is_touched() {
        let place = tempfile::tempdir().unwrap();
        let [ours, idle, other] = ["container_images_storage1", "container_images_storage2", "elsewhere"]
            .map(|name| {
                let folder = place.path().join(name);
                fs::create_dir(&folder).unwrap();
                fs::write(folder.join("1"), "layer").unwrap();
                folder
            });
        let _open = [fs::File::open(ours.join("1")).unwrap(), fs::File::open(other.join("1")).unwrap()];
        let me = std::process::id();
        assert_eq!(held([me, me].into_iter()), BTreeSet::from([ours.clone()]));
        assert_eq!(held([u32::MAX].into_iter()), BTreeSet::new());
        clear(&BTreeSet::from([ours.clone(), place.path().join("container_images_gone")]));
        assert!(!ours.exists() && idle.exists() && other.exists());
    }
}
