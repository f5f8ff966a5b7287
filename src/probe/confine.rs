//! Gives up the rights that a probe does not need, before the probe reads what others send (landlock(7)).
//!
//! A probe then can read only what name lookups and the trust store need. It can write no file, execute nothing, open
//! no device for ioctl(2), listen on no TCP port, and send no signal to other processes. So an attacker who takes
//! over a probe cannot open the gate of its parent by SIGUSR1.
//!
//! The kernel may support only a part of this, or nothing. The probe then runs with the rights that it has, because a
//! gate that stays closed would do more harm.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};

use crate::files::{LARGEST, read_bounded};
use crate::model::Question;
use crate::requirement::Probe;

const NSSWITCH: &str = "/etc/nsswitch.conf";

/// What the C library and its modules read for any lookup, in addition to the paths from [`modules`]. A folder stands
/// for everything below it. In /etc only single files are listed, because /etc also has keys that only root may read.
const READ: &[&str] = &[
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    NSSWITCH,
    // Programs and libraries. The C library loads its modules when the first name is looked up.
    "/gnu/store",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/usr",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/sys/devices/system/cpu",
];

/// The folders to which the links in some distributions' trust stores lead.
const TRUST: &[&str] = &["/etc/ca-certificates/extracted", "/etc/pki/ca-trust", "/var/lib/ca-certificates"];

/// Gives up all rights that a question does not need, for this thread and the threads that it starts. Returns how
/// much of that the kernel supports.
///
/// # Errors
/// Fails if landlock_restrict_self(2) or a call before it fails. Then no right was given up, except perhaps the right
/// to gain new privileges.
pub fn confine(question: &Question) -> Result<RulesetStatus, RulesetError> {
    let nsswitch = read_bounded(Path::new(NSSWITCH), LARGEST).unwrap_or_default();
    // http:// may redirect to https://.
    let trust = matches!(question, Question::Probe(Probe::Http(_)));
    let paths = readable(&String::from_utf8_lossy(&nsswitch), trust);
    // EXECUTE is not needed: mmap(2) of a library needs only the right to read it.
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(paths, read))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// The paths that a probe may read. With `trust`, these include the trust store.
fn readable(nsswitch: &str, trust: bool) -> BTreeSet<PathBuf> {
    let Some(modules) = modules(nsswitch) else { return BTreeSet::from([PathBuf::from("/")]) };
    let mut paths: BTreeSet<PathBuf> = READ.iter().copied().chain(modules).map(PathBuf::from).collect();
    paths.extend(volatile(Path::new("/etc/resolv.conf")));
    // gethostbyname(3) reads this file.
    paths.extend(std::env::var_os("HOSTALIASES").map(PathBuf::from));
    if trust {
        paths.extend(TRUST.iter().map(PathBuf::from));
        let store = openssl_probe::probe();
        paths.extend(store.cert_file);
        // Two folders may be the same one: Debian has a link from /usr/lib/ssl.
        let folders = store.cert_dir.iter().filter_map(|folder| folder.canonicalize().ok());
        for folder in folders.collect::<BTreeSet<PathBuf>>() {
            paths.extend(links(&folder));
            paths.insert(folder);
        }
    }
    paths
}

/// The paths that the modules for hosts in nsswitch.conf(5) read. `None` if it names a module that is not known here:
/// such a module may read anything.
fn modules(nsswitch: &str) -> Option<Vec<&'static str>> {
    let mut paths = Vec::new();
    for line in nsswitch.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some(modules) = line.trim_start().strip_prefix("hosts:") else { continue };
        // An action, such as `[!UNAVAIL=return]`, is not the name of a module.
        let modules =
            modules.split('[').flat_map(|part| part.rsplit(']').next()).flat_map(str::split_whitespace);
        for module in modules {
            paths.extend_from_slice(match module {
                "files" | "dns" | "myhostname" | "resolve" => &[],
                "db" => &["/var/db"],
                "libvirt" | "libvirt_guest" => &["/var/lib/libvirt/dnsmasq"],
                "mymachines" => &["/run/systemd/machines"],
                "sss" => &["/var/lib/sss"],
                mdns if mdns.starts_with("mdns") => &["/etc/mdns.allow"],
                _ => return None,
            });
        }
    }
    Some(paths)
}

/// The folder of the file to which a symbolic link leads, if that folder is below /run. There a program can replace
/// the file at any time, so the probe must be able to read the folder and not only the file.
fn volatile(file: &Path) -> Option<PathBuf> {
    let real = file.canonicalize().ok()?;
    real.parent()
        .filter(|folder| folder.starts_with("/run/") && *folder != Path::new("/run"))
        .map(Path::to_owned)
}

/// The targets of the links in a folder that are neither in the folder nor below /usr. A link is fully resolved only
/// if its direct target is elsewhere, because Debian's trust store has three hundred links.
fn links(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let links = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    let leads_out = |link: &Path| {
        let target = link.read_link().ok()?;
        let is_near = target.starts_with("/usr") || target.components().count() == 1;
        if is_near { None } else { link.canonicalize().ok() }
    };
    links.filter_map(|link| leads_out(&link.path())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::net::{TcpListener, ToSocketAddrs};
    use std::process::{Command, Stdio};

    use nix::errno::Errno;
    use nix::sys::signal::kill;
    use nix::unistd::getppid;

    use super::*;
    use crate::config;

    #[test]
    fn the_modules_in_nsswitch_decide_what_may_be_read() {
        let none: &[&str] = &[];
        for (text, expected) in [
            ("", Some(none)),
            ("hosts: files dns\nnetworks: odd\n", Some(none)),
            ("passwd: odd\n# hosts: odd\nhosts:files mymachines # odd\n", Some(&["/run/systemd/machines"])),
            ("hosts: files mdns4_minimal [NOTFOUND=return] dns", Some(&["/etc/mdns.allow"])),
            (
                "hosts: sss [!UNAVAIL=return UNAVAIL=continue] resolve[NOTFOUND=return]dns",
                Some(&["/var/lib/sss"]),
            ),
            ("hosts: files wins dns", None),
            ("hosts: files\nhosts: odd", None),
        ] {
            assert_eq!(modules(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(readable("hosts: wins", true), BTreeSet::from([PathBuf::from("/")]));
        let known = readable("hosts: files dns", true);
        assert!(known.contains(Path::new("/etc/hosts")), "{known:?}");
        assert!(
            known.is_superset(&readable("hosts: files dns", false)) && known.contains(Path::new(TRUST[0]))
        );
        for never in ["/", "/etc", "/home", "/root", "/run", "/var", "/proc", "/tmp"] {
            assert!(!known.contains(Path::new(never)), "{never}");
        }
    }

    #[test]
    fn links_that_lead_out_of_a_trust_store_are_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let scratch = scratch.path().canonicalize().unwrap();
        let store = scratch.join("certs");
        fs::create_dir(&store).unwrap();
        for name in ["certs/own.pem", "other.pem"] {
            fs::write(scratch.join(name), "").unwrap();
        }
        for (name, target) in
            [("a", "own.pem"), ("b", "../other.pem"), ("c", "/usr/bin/env"), ("d", "/nowhere")]
        {
            std::os::unix::fs::symlink(target, store.join(name)).unwrap();
        }
        assert_eq!(links(&store), [scratch.join("other.pem")]);
        assert_eq!(volatile(&store.join("b")), None);
    }

    /// Landlock restricts only this thread, so the other threads of the tests keep their rights.
    #[test]
    #[ignore = "needs landlock"]
    fn a_confined_probe_has_only_the_rights_that_it_needs() {
        let scratch = tempfile::tempdir().unwrap();
        let other = scratch.path().join("other");
        fs::write(&other, "").unwrap();
        let refused = |error: std::io::Error| error.raw_os_error() == Some(libc::EACCES);
        let confined = move || {
            let question = config::parse_http("https://example.org/", &[]).unwrap();
            assert_ne!(confine(&Question::Probe(question)).unwrap(), RulesetStatus::NotEnforced);
            // Files that the probe does not need cannot be read.
            assert!(refused(File::open(&other).unwrap_err()));
            assert!(refused(File::open("/proc/self/environ").unwrap_err()));
            assert!(refused(fs::read_dir("/etc").unwrap_err()));
            // Nothing can be written or executed.
            assert!(refused(fs::write(other.with_file_name("new"), "").unwrap_err()));
            assert!(refused(File::options().append(true).open(&other).unwrap_err()));
            assert!(refused(fs::remove_file(&other).unwrap_err()));
            let run = Command::new("/bin/true").stdin(Stdio::null()).status();
            assert!(refused(run.unwrap_err()));
            assert_eq!(kill(getppid(), None), Err(Errno::EPERM), "a signal");
            assert!(refused(TcpListener::bind("127.0.0.1:0").unwrap_err()));
            let status = fs::read_to_string("/proc/thread-self/status");
            assert!(refused(status.unwrap_err()));
            assert_eq!(nix::sys::prctl::get_no_new_privs(), Ok(true));
            // What a question needs still works.
            assert!(("localhost", 0).to_socket_addrs().unwrap().next().is_some());
            assert!(!rustls_native_certs::load_native_certs().certs.is_empty());
        };
        std::thread::spawn(confined).join().unwrap();
    }
}
