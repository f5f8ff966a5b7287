//! Reading the kernel command line. What its words mean is in [`kernel_line`](crate::kernel_line).
//!
//! In a container /proc/cmdline is the host's and says nothing about the container. There the arguments of PID 1
//! are read in its place, as systemd does it.
//!
//! No environment variable leads elsewhere: the command line speaks for the administrator of the host, and
//! an environment may come from another user. Tests mount a file over the one in /proc.

use std::io;
use std::path::Path;

use crate::config::Problem;
use crate::files::read_bounded;
use crate::kernel_line::KernelLine;

/// The kernel keeps at most a few KiB of its own. PID 1 may have longer arguments.
const LONGEST: u64 = 1 << 20;

/// Files that container managers make, all in folders of root's. systemd goes by the same.
const OF_CONTAINERS: [&str; 4] =
    ["run/host/container-manager", "run/systemd/container", "run/.containerenv", ".dockerenv"];

/// What the administrator of this host, or of this container, says to every gate; and what of it is not understood.
///
/// A command line that cannot be read says nothing: without /proc, and in a container whose PID 1 is hidden from the
/// caller (`ProtectProc=`).
pub fn read() -> (KernelLine, Vec<Problem>) {
    read_below(Path::new("/"))
}

/// The same below another root.
fn read_below(root: &Path) -> (KernelLine, Vec<Problem>) {
    let of_pid_1 = is_container(root);
    let path = root.join(if of_pid_1 { "proc/1/cmdline" } else { "proc/cmdline" });
    match read_bounded(&path, LONGEST) {
        Ok(bytes) if of_pid_1 => {
            KernelLine::of_words(bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy))
        }
        Ok(bytes) => KernelLine::of_text(&String::from_utf8_lossy(&bytes)),
        Err(error) => {
            tracing::debug!("the kernel command line is not known: {}: {error}", path.display());
            (KernelLine::default(), Vec::new())
        }
    }
}

fn is_container(root: &Path) -> bool {
    // Container managers that leave no file set the variable `container` of PID 1, which only root can read.
    let of_pid_1 = |environ: io::Result<Vec<u8>>| {
        environ.is_ok_and(|text| {
            text.split(|byte| *byte == 0)
                .any(|set| set.strip_prefix(b"container=").is_some_and(|name| !name.is_empty()))
        })
    };
    OF_CONTAINERS.iter().any(|path| root.join(path).symlink_metadata().is_ok())
        || of_pid_1(read_bounded(&root.join("proc/1/environ"), LONGEST))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A host with these files.
    fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const HOST: (&str, &str) = ("proc/cmdline", "ro quiet netready.open=host\n");
    const PID_1: (&str, &str) = ("proc/1/cmdline", "/sbin/init\0netready.open=a b\0");

    #[test]
    fn a_host_reads_the_kernels_and_a_container_the_arguments_of_its_pid_1() {
        let text = |text: &str| KernelLine::of_text(text).0;
        let (host_says, container_says) = (text("netready.open=host"), text("netready.open=\"a b\""));
        for (more, said) in [
            (&[][..], &host_says),
            (&[("proc/1/environ", "HOME=/\0TERM=linux\0xcontainer=1\0container=\0")], &host_says),
            (&[("proc/1/environ", "HOME=/\0container=lxc\0")], &container_says),
            (&[("run/systemd/container", "systemd-nspawn")], &container_says),
            (&[("run/host/container-manager", "podman")], &container_says),
            (&[("run/.containerenv", "")], &container_says),
            (&[(".dockerenv", "")], &container_says),
        ] {
            let root = host(&[&[HOST, PID_1], more].concat());
            assert_eq!(read_below(root.path()), (said.clone(), Vec::new()), "{more:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let nothing = (KernelLine::default(), Vec::new());
        assert_eq!(read_below(host(&[]).path()), nothing, "no /proc");
        let root = host(&[HOST, (".dockerenv", "")]);
        assert_eq!(read_below(root.path()), nothing, "PID 1 is hidden: the host's does not count");
        let root = host(&[("proc/cmdline", "")]);
        fs::write(root.path().join("proc/cmdline"), b"\xff\xfe netready.open").unwrap();
        assert_eq!(read_below(root.path()).0, KernelLine::of_text("netready.open").0);
    }
}
