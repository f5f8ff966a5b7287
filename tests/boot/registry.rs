//! A real registry in the LAN with one image. Before it is a door, which fails as a test tells it, and so does the
//! name server.
//!
//! ```text
//! guest ── e0 ── e0p 10.9.0.1:PORT  door ──▶ 127.0.0.1:5000  docker-registry     (all in the LAN's namespace)
//!                    10.9.0.53:53   names
//! ```
//!
//! The registry is a package of the guest, so that this machine need not have it. Doors and name servers are threads
//! of the test, with sockets in the LAN's namespace.

mod door;
mod names;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use crate::guest::{Networks, run};
use crate::rootfs::{self, Release};

pub use door::{Door, Fault};
pub use names::{NameFault, Names};

/// The image in the registry, without the host and the port of the door.
pub const IMAGE: &str = "library/busybox:1";
/// Any name below this domain leads to the doors.
pub const DOMAIN: &str = "example.org";
/// The LAN's address on e0, at which the doors listen.
pub const ROUTER: &str = "10.9.0.1";
/// The address of the name server in the guest's resolv.conf.
pub const NAME_SERVER: &str = "10.9.0.53";
/// For a file in the guest's /etc/containers/registries.conf.d/: names below this one are used without TLS.
pub const WITHOUT_TLS: &str = "[[registry]]\nprefix = \"*.registry.example.org\"\ninsecure = true\n";

/// How long a fault lasts.
#[derive(Debug, Clone, Copy)]
pub enum Lasts {
    Forever,
    /// This long from now on.
    For(Duration),
    /// This long from the first request that meets the fault.
    FromFirst(Duration),
}

/// The current fault. It can be changed at any moment.
pub struct Switch<F>(Mutex<State<F>>);

struct State<F> {
    fault: Option<F>,
    lasts: Lasts,
    since: Option<Instant>,
}

impl<F: Copy> Switch<F> {
    fn new() -> Switch<F> {
        Switch(Mutex::new(State { fault: None, lasts: Lasts::Forever, since: None }))
    }

    fn state(&self) -> MutexGuard<'_, State<F>> {
        self.0.lock().unwrap()
    }

    fn set(&self, fault: Option<F>, lasts: Lasts) {
        let since = matches!(lasts, Lasts::For(_)).then(Instant::now);
        *self.state() = State { fault, lasts, since };
    }

    /// The fault for a request that comes now. Starts the time of a fault that begins with the first request.
    fn met(&self) -> Option<F> {
        let mut state = self.state();
        state.since.get_or_insert_with(Instant::now);
        state.now()
    }

    /// The current fault, without starting its time.
    fn now(&self) -> Option<F> {
        self.state().now()
    }
}

impl<F: Copy> State<F> {
    fn now(&self) -> Option<F> {
        let over = match self.lasts {
            Lasts::Forever => false,
            Lasts::For(span) | Lasts::FromFirst(span) => self.since.is_some_and(|at| at.elapsed() >= span),
        };
        self.fault.filter(|_| !over)
    }
}

/// Runs a function in a thread in the LAN's namespace. Sockets that it makes, and sockets of threads that it starts,
/// are in that namespace.
fn inside<T: Send>(lan: &str, what: impl FnOnce() -> T + Send) -> T {
    let namespace = fs::File::open(format!("/run/netns/{lan}")).unwrap();
    let thread = || {
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
        what()
    };
    std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
}

/// What is wrong with the certificate of a registry with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    SelfSigned,
    Expired,
    WrongName,
}

impl Certificate {
    /// The arguments for `openssl req -x509`.
    fn options(self) -> [&'static str; 4] {
        let alt_name = match self {
            Certificate::SelfSigned | Certificate::Expired => "subjectAltName=DNS:*.tls.example.org",
            Certificate::WrongName => "subjectAltName=DNS:elsewhere.example.net",
        };
        let end = if self == Certificate::Expired { "20200201000000Z" } else { "20991231000000Z" };
        ["-addext", alt_name, "-not_after", end]
    }
}

/// docker-registry in the LAN. Dropping this ends it.
pub struct Registry {
    lan: String,
    place: tempfile::TempDir,
    children: Mutex<Vec<Child>>,
}

impl Registry {
    /// Starts the registry. When this returns, it listens and has the image.
    pub fn start(networks: &Networks) -> Registry {
        let place = rootfs::scratch();
        fs::create_dir(place.path().join("storage")).unwrap();
        let registry = Registry { lan: networks.lan.clone(), place, children: Mutex::new(Vec::new()) };
        let upstream = registry.serve(5000, "");
        inside(&registry.lan, || put_image(upstream, &rootfs::base(Release::usual()).join("opt/image.tar")));
        registry
    }

    /// Opens a door on this port of the router, without a fault.
    pub fn door(&self, port: u16) -> Door {
        self.door_to(port, 5000)
    }

    /// Opens a door to the same registry with TLS, for names below `tls.example.org`. The door cannot read the
    /// encrypted data, so only faults of connections are possible. Nobody trusts the certificate, which is signed by
    /// itself.
    pub fn door_with_tls(&self, port: u16, certificate: Certificate) -> Door {
        let behind = port + 10_000;
        let name = format!("{certificate:?}-{port}");
        let inside = |file: &str| format!("/mnt/{name}.{file}");
        let mut openssl = self.in_guest_files();
        openssl
            .args(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-subj", "/CN=registry", "-not_before", "20200101000000Z"])
            .args(certificate.options())
            .args(["-keyout", &inside("key"), "-out", &inside("crt")]);
        run(&mut openssl);
        let tls = format!("  tls:\n    certificate: {}\n    key: {}\n", inside("crt"), inside("key"));
        self.serve(behind, &tls);
        self.door_to(port, behind)
    }

    fn door_to(&self, port: u16, behind: u16) -> Door {
        let address = format!("{ROUTER}:{port}").parse().unwrap();
        inside(&self.lan, || Door::open(address, ([127, 0, 0, 1], behind).into()))
    }

    /// Starts another docker-registry over the same storage.
    fn serve(&self, port: u16, tls: &str) -> SocketAddr {
        let name = format!("{port}.yml");
        let config = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    \
             rootdirectory: /mnt/storage\nhttp:\n  addr: 127.0.0.1:{port}\n{tls}"
        );
        fs::write(self.place.path().join(&name), config).unwrap();
        let log = fs::File::create(self.place.path().join(format!("{port}.log"))).unwrap();
        let mut command = self.in_guest_files();
        command.args(["docker-registry", "serve", &format!("/mnt/{name}")]);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.children.lock().unwrap().push(command.spawn().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + Duration::from_secs(240);
        while inside(&self.lan, || TcpStream::connect(address)).is_err() {
            let log = || fs::read_to_string(self.place.path().join(format!("{port}.log"))).unwrap();
            assert!(Instant::now() < deadline, "no registry on {address}: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        address
    }

    /// A command of the guest, in the LAN, with this registry's folder on /mnt. It dies with the thread that starts
    /// it.
    fn in_guest_files(&self) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "ip", "netns", "exec", &self.lan, "sh", "-c"])
            .arg("mount --bind \"$1\" \"$2/mnt\" && base=$2 && shift 2 && exec chroot \"$base\" \"$@\"")
            .arg("sh")
            .args([self.place.path(), rootfs::base(Release::usual())]);
        command
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for child in self.children.get_mut().unwrap() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Uploads an image of one layer, as the distribution specification says: two blobs, then the manifest.
fn put_image(registry: SocketAddr, layer: &Path) {
    let sum = run(Command::new("sha256sum").arg(layer));
    let layer_digest = format!("sha256:{}", sum.split_whitespace().next().unwrap());
    let layer = fs::read(layer).unwrap();
    let config = format!(
        "{{\"architecture\":\"{}\",\"os\":\"linux\",\"config\":{{\"Cmd\":[\"/bin/sleep\",\"infinity\"]}},\
         \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"{layer_digest}\"]}}}}",
        if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config"), &config).unwrap();
    let sum = run(Command::new("sha256sum").arg(folder.path().join("config")));
    let config_digest = format!("sha256:{}", sum.split_whitespace().next().unwrap());
    let (name, tag) = IMAGE.split_once(':').unwrap();
    for (digest, blob) in [(&layer_digest, &layer[..]), (&config_digest, config.as_bytes())] {
        let started = ask(registry, &format!("POST /v2/{name}/blobs/uploads/"), "", &[]);
        let place = started
            .lines()
            .find_map(|line| line.strip_prefix("Location: "))
            .unwrap_or_else(|| panic!("no upload: {started}"));
        let place = place.trim().split_once(&format!("{registry}")).map_or(place.trim(), |(_, path)| path);
        let said = ask(registry, &format!("PUT {place}&digest={digest}"), "application/octet-stream", blob);
        assert!(said.starts_with("HTTP/1.1 201 "), "{said}");
    }
    let oci = "application/vnd.oci.image";
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{oci}.manifest.v1+json\",\
         \"config\":{{\"mediaType\":\"{oci}.config.v1+json\",\"digest\":\"{config_digest}\",\"size\":{}}},\
         \"layers\":[{{\"mediaType\":\"{oci}.layer.v1.tar\",\"digest\":\"{layer_digest}\",\"size\":{}}}]}}",
        config.len(),
        layer.len()
    );
    let put = format!("PUT /v2/{name}/manifests/{tag}");
    let said = ask(registry, &put, &format!("{oci}.manifest.v1+json"), manifest.as_bytes());
    assert!(said.starts_with("HTTP/1.1 201 "), "{said}");
}

/// Makes one HTTP request and returns the answer.
fn ask(registry: SocketAddr, request: &str, kind: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(registry).unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {registry}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
