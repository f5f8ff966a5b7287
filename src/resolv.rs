//! Reads resolv.conf: which nameservers it has, and when that changes (inotify(7)).

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::descriptor::{self, Descriptor};
use crate::files::{LARGEST, can_pass, read_bounded};
use crate::model::Nameservers;
use crate::moment::Moment;
use crate::probe::zone;

/// The file of resolver(5).
const PATH: &str = "/etc/resolv.conf";
/// The most links that are followed: the same number as in path_resolution(7).
const MAX_LINKS: u32 = 40;

/// The first delay before resolv.conf is read again after an error. With half of it, a host that has no free
/// descriptors would be asked for one too often. With double, a gate would open late after one failed read.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the delay doubles, up to 32 s. The error may last for years (fs.inotify.max_user_instances).
const DOUBLINGS: u32 = 5;

/// Reads resolv.conf when it changes. If it could not be read or watched, tries again later.
pub struct Follower {
    /// `None` if the kernel refused to make it.
    watch: Option<Watch>,
    /// The content at the last read.
    resolver: Resolver,
    /// The number of errors in a row.
    failures: u32,
    /// When to try again.
    again: Option<Moment>,
}

impl Follower {
    /// A follower that has read nothing yet. Call [`Follower::read`] at once.
    pub fn new() -> Follower {
        Follower { watch: None, resolver: Resolver::default(), failures: 0, again: None }
    }

    /// Reads the file. Also returns whether its content has changed, so that lookups of names may have other results
    /// now.
    pub fn read(&mut self, now: Moment) -> (Nameservers, bool) {
        let watched = self.watch();
        let text = read_bounded(Path::new(PATH), LARGEST);
        // inotify does not announce that an existing file can be read again, so try again later. It does announce
        // that a missing file appears.
        let read = text.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::NotFound);
        self.again = None;
        if watched && read {
            self.failures = 0;
        } else {
            self.again = Some(now + AGAIN * (1 << self.failures.min(DOUBLINGS)));
            self.failures = self.failures.saturating_add(1);
        }
        let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let resolver = text.as_deref().map(understood).unwrap_or_default();
        let news = resolver != self.resolver;
        self.resolver = resolver;
        (nameservers(text), news)
    }

    /// When [`Follower::read`] must be called even if no change was announced.
    pub fn deadline(&self) -> Option<Moment> {
        self.again
    }

    /// Waits for a change of the file or of the path to it. Call [`Follower::read`] afterwards.
    ///
    /// # Errors
    /// Fails if epoll(7) fails.
    pub async fn changed(&mut self) -> io::Result<()> {
        match &mut self.watch {
            Some(watch) => watch.changed().await,
            None => std::future::pending().await,
        }
    }

    /// Watches the path to the file. Returns false if a watch was refused that may be granted later.
    fn watch(&mut self) -> bool {
        match &mut self.watch {
            Some(watch) => watch.follow(),
            None => match Watch::new() {
                Ok(watch) => self.watch.insert(watch).is_whole,
                Err(error) => {
                    if self.failures == 0 {
                        tracing::warn!(
                            "changes of resolv.conf are seen late, because inotify is refused: {error}"
                        );
                    }
                    false
                }
            },
        }
    }
}

fn nameservers(text: io::Result<String>) -> Nameservers {
    match text {
        Ok(text) => first(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Nameservers::Unreadable("no such file".to_owned())
        }
        Err(error) => Nameservers::Unreadable(error.to_string()),
    }
}

/// The server in the first `nameserver` line, by the rules of resolv.conf(5).
pub(crate) fn first(text: &str) -> Nameservers {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        // The keyword must begin the line.
        let keyword = line.starts_with("nameserver").then(|| words.next())?;
        words.next().filter(|_| keyword == Some("nameserver"))
    });
    match servers.into_iter().next() {
        Some(server) => Nameservers::First(server.to_owned()),
        None => Nameservers::None,
    }
}

/// The settings of the resolver.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resolver {
    /// The nameservers, in their order.
    pub servers: Vec<Server>,
    /// The domains that are appended to names without a dot.
    pub search: Vec<String>,
}

/// A nameserver in resolv.conf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The server as resolv.conf has it.
    pub written: String,
    /// The address at which the server is asked, or why it cannot be asked.
    pub address: Result<SocketAddr, String>,
}

/// The settings in resolv.conf. Empty if the file cannot be read.
pub fn resolver() -> Resolver {
    read_bounded(Path::new(PATH), LARGEST)
        .map_or_else(|_| Resolver::default(), |bytes| understood(&String::from_utf8_lossy(&bytes)))
}

pub(crate) fn understood(text: &str) -> Resolver {
    /// The C library asks at most this many servers (MAXNS of resolv.h).
    const MOST: usize = 3;
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next().filter(|keyword| line.starts_with(keyword)) {
            Some("nameserver") if resolver.servers.len() < MOST => {
                resolver.servers.extend(words.next().and_then(server));
            }
            Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
            Some(_) | None => {}
        }
    }
    resolver
}

/// Parses an address, which may have the name of a link. `None` if the resolver would not accept it as an address.
fn server(text: &str) -> Option<Server> {
    const PORT: u16 = 53;
    let address = match text.split_once('%') {
        Some((address, zone)) => {
            let address = address.parse().ok()?;
            zone::scope(zone).map(|scope| SocketAddrV6::new(address, PORT, 0, scope).into())
        }
        None => match text.parse().ok()? {
            IpAddr::V6(address) if address.is_unicast_link_local() => {
                Err(format!("link-local, and no link is named; resolv.conf needs {address}%LINK"))
            }
            address @ (IpAddr::V4(_) | IpAddr::V6(_)) => Ok(SocketAddr::new(address, PORT)),
        },
    };
    Some(Server { written: text.to_owned(), address })
}

/// Watches the file and the folders on the path to it, including those to which links lead. If a folder is missing,
/// watches the first folder above it that exists.
struct Watch {
    inotify: AsyncFd<Descriptor<Inotify>>,
    watched: BTreeSet<PathBuf>,
    /// Whether no watch was refused that may be granted later.
    is_whole: bool,
}

impl Watch {
    /// Starts to watch. Read the file afterwards.
    ///
    /// # Errors
    /// Fails if inotify_init(2) fails, for example with EMFILE.
    fn new() -> io::Result<Watch> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let inotify = descriptor::watch(inotify, Interest::READABLE)?;
        let mut watch = Watch { inotify, watched: BTreeSet::new(), is_whole: true };
        watch.follow();
        Ok(watch)
    }

    /// Waits for a change of the file or of the path to it. Call [`Watch::follow`] afterwards.
    ///
    /// # Errors
    /// Fails if epoll(7) fails.
    async fn changed(&mut self) -> io::Result<()> {
        self.inotify.readable().await?.clear_ready();
        // The events are dropped: after any of them, a link may lead elsewhere.
        while self.inotify.get_ref().0.read_events().is_ok_and(|events| !events.is_empty()) {}
        self.watched.clear();
        Ok(())
    }

    /// Adds a watch for each folder on the path. Returns false if a watch was refused that may be granted later.
    /// Watches of former paths stay; each can cost one extra read of the file.
    fn follow(&mut self) -> bool {
        // A watch on a folder reports that the file in it is created, removed, renamed or written. Adding the same
        // folder twice gives the same watch.
        let events = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MODIFY;
        self.is_whole = true;
        for folder in folders(Path::new(PATH)) {
            if !self.watched.contains(&folder) && self.add(&folder, events) {
                self.watched.insert(folder);
            }
        }
        // If something is bind-mounted over the file, it changes without an event in its folder.
        self.add(Path::new(PATH), AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MODIFY);
        self.is_whole
    }

    fn add(&mut self, path: &Path, events: AddWatchFlags) -> bool {
        let Err(errno) = self.inotify.get_ref().0.add_watch(path, events) else { return true };
        let error = io::Error::from(errno);
        tracing::debug!("{} is not watched: {error}", path.display());
        self.is_whole &= !can_pass(&error);
        false
    }
}

/// The folders on the path to a file, including those to which links lead. If a folder is missing, the first folder
/// above it that exists stands for it.
fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let above = path.ancestors().skip(1);
        let mut existing = above.filter(|folder| folder.is_dir());
        let Some(folder) = existing.next() else { break };
        folders.push(folder.to_owned());
        match std::fs::read_link(&path) {
            Ok(target) => path = folder.join(target),
            Err(_) => break,
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_nameserver_line_counts() {
        let server = |text: &str| Nameservers::First(text.to_owned());
        let cases: &[(&str, Nameservers)] = &[
            ("", Nameservers::None),
            ("search example.org\n", Nameservers::None),
            ("# nameserver 192.0.2.1\n", Nameservers::None),
            ("nameserver\n", Nameservers::None),
            ("nameservers 192.0.2.1\n", Nameservers::None),
            (" nameserver 192.0.2.1\n", Nameservers::None),
            ("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", server("192.0.2.1")),
            ("options edns0\nnameserver\t2001:db8::1", server("2001:db8::1")),
        ];
        for (text, expected) in cases {
            assert_eq!(first(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn all_settings_of_a_resolver_are_read() {
        let text = "nameserver 192.0.2.1\nsearch a.example b.example\nnameserver fe80::1%lo\n\
                    nameserver x\n nameserver 192.0.2.2\nnameserver 2001:db8::1\nnameserver 192.0.2.4\n";
        let Resolver { servers, search } = understood(text);
        let servers: Vec<String> =
            servers.iter().map(|server| server.address.clone().unwrap().to_string()).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[fe80::1%1]:53", "[2001:db8::1]:53"]);
        assert_eq!(search, ["a.example", "b.example"]);
        assert_eq!(understood("search a\ndomain b\n").search, ["b"]);
        assert_eq!(understood(""), Resolver::default());
    }

    #[test]
    fn a_link_local_server_needs_its_link() {
        for (text, why) in [
            ("fe80::1", "link-local, and no link is named; resolv.conf needs fe80::1%LINK"),
            ("fe80::1%no-such-link", "no link no-such-link"),
        ] {
            let said = server(text).unwrap();
            assert_eq!((said.written.as_str(), said.address), (text, Err(why.to_owned())));
        }
    }

    #[test]
    fn the_way_to_a_file_is_followed_through_links() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("etc")).unwrap();
        std::os::unix::fs::symlink("../run/resolve/stub.conf", root.join("etc/resolv.conf")).unwrap();
        let way = folders(&root.join("etc/resolv.conf"));
        // run/resolve and run do not exist yet, but etc/.. does.
        assert_eq!(way, [root.join("etc"), root.join("etc/..")]);
        std::fs::create_dir_all(root.join("run/resolve")).unwrap();
        let way = folders(&root.join("etc/resolv.conf"));
        assert_eq!(way, [root.join("etc"), root.join("etc/../run/resolve")]);
    }
}
