//! A door: a proxy before the registry, with one request per connection, which fails as a test tells it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::{Lasts, Switch};

/// A blob of more than this many bytes is the layer.
const SMALL: usize = 64 * 1024;

/// What the door does instead of passing a request on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens.
    Refused,
    /// The connection is accepted and reset.
    Reset,
    /// The connection is accepted, and no answer comes.
    Stall,
    /// The answer has this status, for the same requests as in real registries: 403 and 404 for the manifest, others
    /// for any request.
    Status(u16),
    /// The same, with a Retry-After of this many seconds.
    RetryAfter(u16, u32),
    /// The answer is 200 with a login page, for any request.
    Html,
    /// The layer ends in the middle.
    Cut,
    /// The layer stops in the middle, and the connection stays open.
    StallInLayer,
    /// The layer comes at this many bytes in a second.
    Slow(u32),
}

/// A door. Dropping this closes it.
pub struct Door(Arc<Shared>);

struct Shared {
    behind: SocketAddr,
    switch: Switch<Fault>,
    listening: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    open: Mutex<Vec<Arc<TcpStream>>>,
    ended: AtomicBool,
}

/// A request that came, and what the door did with it.
#[derive(Debug, Clone)]
pub struct Request {
    pub at: Instant,
    /// The request line, such as `GET /v2/`.
    pub line: String,
    /// The fault that the request met. `None` if it was passed on.
    pub fault: Option<Fault>,
}

impl Door {
    /// Opens a door, in a thread in the LAN's namespace.
    pub(super) fn open(address: SocketAddr, behind: SocketAddr) -> Door {
        let shared = Arc::new(Shared {
            behind,
            switch: Switch::new(),
            listening: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            requests: Mutex::new(Vec::new()),
            open: Mutex::new(Vec::new()),
            ended: AtomicBool::new(false),
        });
        let thread = Arc::clone(&shared);
        std::thread::spawn(move || thread.listen(address));
        let door = Door(shared);
        door.settle(true);
        door
    }

    /// Starts a fault. It is active when this returns.
    pub fn fails(&self, fault: Fault, lasts: Lasts) {
        self.0.switch.set(Some(fault), lasts);
        self.settle(fault != Fault::Refused);
    }

    /// Ends all faults.
    pub fn heals(&self) {
        self.0.switch.set(None, Lasts::Forever);
        self.settle(true);
    }

    /// The number of accepted connections.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// The HTTP requests that came.
    pub fn requests(&self) -> Vec<Request> {
        self.0.requests.lock().unwrap().clone()
    }

    fn settle(&self, listening: bool) {
        while self.0.listening.load(Ordering::Acquire) != listening {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
        // Otherwise connections that stall would keep the namespace.
        for stream in self.0.open.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn listen(self: Arc<Self>, address: SocketAddr) {
        let mut listener: Option<TcpListener> = None;
        while !self.ended.load(Ordering::Relaxed) {
            if self.switch.now() == Some(Fault::Refused) {
                listener = None;
                self.listening.store(false, Ordering::Release);
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            let listener = listener.get_or_insert_with(|| {
                let listener = TcpListener::bind(address).unwrap();
                // The timeout also applies to accept(2).
                SockRef::from(&listener).set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                listener
            });
            self.listening.store(true, Ordering::Release);
            if let Ok((client, _)) = listener.accept() {
                // The accepted socket has inherited the timeout.
                client.set_read_timeout(None).unwrap();
                self.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(&self);
                std::thread::spawn(move || {
                    let client = Arc::new(client);
                    shared.open.lock().unwrap().push(Arc::clone(&client));
                    // An error here is the fault itself, or the client has disconnected.
                    let _ = shared.serve(&client);
                    shared.open.lock().unwrap().retain(|other| !Arc::ptr_eq(other, &client));
                });
            }
        }
    }

    /// Serves one connection. When this returns, the connection is closed or reset.
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        if self.switch.met() == Some(Fault::Reset) {
            return reset(client);
        }
        let mut first = [0];
        client.peek(&mut first)?;
        // The connection begins with a TLS handshake. Pass it on in any case: a registry without TLS reports the
        // error itself.
        if first == [0x16] {
            return match self.switch.now() {
                Some(Fault::Stall) => stall(client),
                _ => self.relay_unread(client),
            };
        }
        let head = head(client)?;
        let path = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let fault = self.switch.met().filter(|fault| fault.touches(&path));
        self.note(&head, fault);
        let mut writer = client;
        match fault {
            None => self.pass(client, &head, None),
            Some(fault @ (Fault::Cut | Fault::StallInLayer | Fault::Slow(_))) => {
                self.pass(client, &head, Some(fault))
            }
            Some(Fault::Status(status)) => writer.write_all(answer(status, None).as_bytes()),
            Some(Fault::RetryAfter(status, seconds)) => {
                writer.write_all(answer(status, Some(seconds)).as_bytes())
            }
            Some(Fault::Html) => writer.write_all(PAGE.as_bytes()),
            // The fault began while the request came.
            Some(Fault::Reset | Fault::Refused) => reset(client),
            Some(Fault::Stall) => stall(client),
        }
    }

    fn note(&self, head: &str, fault: Option<Fault>) {
        let line = head.lines().next().unwrap_or_default();
        let line = line.trim_end_matches(" HTTP/1.1").to_owned();
        self.requests.lock().unwrap().push(Request { at: Instant::now(), line, fault });
    }

    /// Passes the request on, and the answer back, whose body may have a fault.
    fn pass(&self, mut client: &TcpStream, request: &str, fault: Option<Fault>) -> io::Result<()> {
        let mut behind = TcpStream::connect(self.behind)?;
        let (line, headers) = request.split_once("\r\n").unwrap_or((request, "\r\n"));
        write!(behind, "{line}\r\nConnection: close\r\n{headers}")?;
        let answered = head(&behind)?;
        client.write_all(answered.as_bytes())?;
        let length = answered.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        let fault = fault.filter(|_| length > SMALL && !request.starts_with("HEAD "));
        let mut sent = 0;
        let mut buffer = vec![0; 8192];
        loop {
            match fault {
                Some(Fault::Cut) if sent >= length / 2 => return Ok(()),
                Some(Fault::StallInLayer) if sent >= length / 2 => return stall(client),
                _ => {}
            }
            let read = behind.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            client.write_all(&buffer[..read])?;
            sent += read;
            if let Some(Fault::Slow(rate)) = fault {
                std::thread::sleep(Duration::from_secs_f64(read as f64 / f64::from(rate)));
            }
        }
    }

    /// Passes bytes on in both directions.
    fn relay_unread(&self, mut client: &TcpStream) -> io::Result<()> {
        let mut behind = TcpStream::connect(self.behind)?;
        let (mut from, mut to) = (client.try_clone()?, behind.try_clone()?);
        let there = std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut behind, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = there.join();
        Ok(())
    }
}

impl Fault {
    fn touches(self, path: &str) -> bool {
        match self {
            Fault::Status(403 | 404) | Fault::RetryAfter(403 | 404, _) => path.contains("/manifests/"),
            Fault::Cut | Fault::StallInLayer | Fault::Slow(_) => path.contains("/blobs/"),
            Fault::Refused
            | Fault::Reset
            | Fault::Stall
            | Fault::Status(_)
            | Fault::RetryAfter(..)
            | Fault::Html => true,
        }
    }
}

/// Reads up to the empty line, and includes it.
fn head(mut stream: &TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet)?;
        head.push(octet[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Closes the connection with RST instead of FIN.
fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Waits until the other side disconnects.
fn stall(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(|_| ())
}

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n\
                    <html><body><h1>Please sign in to the WiFi</h1></body></html>";

/// An error answer as registries and the proxies before them send it.
fn answer(status: u16, retry_after: Option<u32>) -> String {
    let coded = |code: &str, message: &str| {
        format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"{message}\",\"detail\":{{}}}}]}}\n")
    };
    let (text, kind, body) = match status {
        401 => ("Unauthorized", "application/json", coded("UNAUTHORIZED", "authentication required")),
        403 => {
            ("Forbidden", "application/json", coded("DENIED", "requested access to the resource is denied"))
        }
        404 => ("Not Found", "application/json", coded("MANIFEST_UNKNOWN", "manifest unknown")),
        429 => (
            "Too Many Requests",
            "application/json",
            coded("TOOMANYREQUESTS", "You have reached your pull rate limit."),
        ),
        500 => ("Internal Server Error", "text/html", "<h1>500</h1>\n".to_owned()),
        502 => ("Bad Gateway", "text/html", "<h1>502</h1>\n".to_owned()),
        503 => ("Service Unavailable", "text/html", "<h1>503</h1>\n".to_owned()),
        other => panic!("no text for {other}"),
    };
    let mut head =
        format!("HTTP/1.1 {status} {text}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
    if status == 401 {
        head += "WWW-Authenticate: Basic realm=\"registry\"\r\n";
    }
    if let Some(seconds) = retry_after {
        head += &format!("Retry-After: {seconds}\r\n");
    }
    format!("{head}Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n{body}")
}
