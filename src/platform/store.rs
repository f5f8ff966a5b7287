//! The files that systemd keeps for a unit between two of its processes (systemd.service(5),
//! FileDescriptorStoreMax=). [`Notifier::keep`](crate::notify::Notifier::keep) hands a file over.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

/// Whether the service manager keeps files for this unit, by the variable FDSTORE. systemd 254 and later set it; with
/// an earlier version the unit itself must set it.
pub fn is_there() -> bool {
    let most = std::env::var("FDSTORE").ok().and_then(|most| most.parse::<u32>().ok());
    most.is_some_and(|most| most > 0)
}

/// Takes the file that an earlier process of this unit handed over under this name (FDNAME=), opened for reading.
///
/// The variables count only if LISTEN_PID is this process. The file may have been deleted since then; an open file
/// can still be opened again by its number.
pub fn take(name: &str) -> Option<File> {
    let (number, _) = sd_notify::listen_fds_with_names().ok()?.find(|(_, found)| found == name)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{number}"));
    // The descriptor was inherited, so nothing in this process owns it. Left open, it would keep a deleted file in
    // memory.
    let _ = nix::unistd::close(number);
    file.ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))
}
