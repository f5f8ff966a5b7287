//! Whether a server answers a request, and with which status. HTTP/1.1, one GET, and no more of the answer
//! than its head.

mod proxy;

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::config;
use crate::model::Answer;
use crate::probe::tcp;
use crate::probe::tls;
use crate::probe::trying::Deadline;
use crate::requirement::{Request, Url};

use proxy::Proxy;

/// As many redirections as are followed.
const REDIRECTS: usize = 5;
/// As much as the head of an answer may be.
const LONGEST: usize = 64 * 1024;

pub fn ask(request: &Request, deadline: Deadline) -> Answer {
    let mut url = request.url.clone();
    let mut seen = Vec::new();
    loop {
        let head = fetch(&url, deadline).map_err(|why| at(&url, &request.url, &why))?;
        let wanted = request.expect.contains(&head.status);
        let next = head.redirection().filter(|_| !wanted);
        let Some(next) = next else { return verdict(request, &url, &head) };
        let to = resolve(&url, next)
            .map_err(|why| at(&url, &request.url, &format!("redirection to {next:?}, which {why}")))?;
        seen.push(url);
        if seen.contains(&to) {
            return Err(format!(
                "redirection loop: {} leads back to {to}",
                seen.last().map_or(String::new(), Url::to_string)
            ));
        }
        if seen.len() > REDIRECTS {
            return Err(format!("more than {REDIRECTS} redirections, the last to {to}"));
        }
        url = to;
    }
}

/// A reason, and of which URL where it is not the one that was asked for.
fn at(url: &Url, asked: &Url, why: &str) -> String {
    if url == asked { why.to_owned() } else { format!("redirected to {url}: {why}") }
}

fn verdict(request: &Request, url: &Url, head: &Head) -> Answer {
    let status = head.status;
    let kind = head.field("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
    if request.accepts(status) {
        return Ok(at(url, &request.url, &format!("status {status}{kind}")));
    }
    let retry = match head.field("retry-after") {
        Some(after) if matches!(status, 429 | 503) => {
            format!(", Retry-After: {}", after.chars().take(40).collect::<String>())
        }
        Some(_) | None => String::new(),
    };
    let expected: Vec<String> = request.expect.iter().map(ToString::to_string).collect();
    let expected = match expected.as_slice() {
        [] => String::new(),
        codes => format!(", expected {}", codes.join(" or ")),
    };
    Err(at(url, &request.url, &format!("status {status}{}{retry}{expected}{kind}", meaning(status))))
}

/// The commoner ones, in the words of RFC 9110.
fn meaning(status: u16) -> &'static str {
    match status {
        401 => " unauthorized",
        403 => " forbidden",
        404 => " not found",
        407 => " proxy authentication required",
        429 => " too many requests",
        500 => " internal server error",
        502 => " bad gateway",
        503 => " service unavailable",
        504 => " gateway timeout",
        _ => "",
    }
}

/// Where a redirection leads (RFC 3986, 5.2, without the removal of dots).
fn resolve(from: &Url, to: &str) -> Result<Url, String> {
    let scheme = if from.tls { "https" } else { "http" };
    let origin = from.origin();
    let folder =
        from.path.split('?').next().unwrap_or_default().rsplit_once('/').map_or("", |(folder, _)| folder);
    let to = to.trim();
    let absolute = match to {
        _ if to.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':')) => to.to_owned(),
        _ if to.starts_with("//") => format!("{scheme}:{to}"),
        _ if to.starts_with('/') => format!("{origin}{to}"),
        _ if to.starts_with('?') => {
            format!("{origin}{}{to}", from.path.split('?').next().unwrap_or_default())
        }
        _ => format!("{origin}{folder}/{to}"),
    };
    config::parse_url_from(&absolute, from.endpoint.zone.as_deref())
}

/// One request, by way of a proxy where the environment names one.
fn fetch(url: &Url, deadline: Deadline) -> Result<Head, String> {
    let proxy = Proxy::of(url, &|name| std::env::var(name).ok())?;
    let first = proxy.as_ref().map_or(&url.endpoint, |proxy| &proxy.endpoint);
    let by_proxy = |why: String| match &proxy {
        Some(proxy) => format!("proxy {}: {why}", proxy.endpoint),
        None => why,
    };
    let (stream, _) = tcp::connect(first, deadline).map_err(by_proxy)?;
    let mut wire = Wire { stream, deadline };
    let (target, credentials) = match &proxy {
        Some(proxy) if url.tls => {
            proxy.tunnel(&mut wire, &url.endpoint).map_err(by_proxy)?;
            (url.path.clone(), None)
        }
        Some(proxy) => (url.to_string(), proxy.credentials()),
        None => (url.path.clone(), None),
    };
    let credentials = credentials.map_or(String::new(), |credentials| format!("{credentials}\r\n"));
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: netready/{}\r\nAccept: */*\r\n{credentials}Connection: close\r\n\r\n",
        url.authority(),
        env!("CARGO_PKG_VERSION"),
    );
    if !url.tls {
        return talk(&mut wire, request.as_bytes()).map_err(|error| error.to_string());
    }
    let mut secure = tls::start(wire, &url.endpoint.host)?;
    talk(&mut secure, request.as_bytes()).map_err(|error| match error {
        TalkError::Wire(error) => tls::explain(&error, &url.endpoint.host),
        other @ (TalkError::Closed | TalkError::Http2 | TalkError::NoHttp) => other.to_string(),
    })
}

/// A connection with a time by which all is said.
pub struct Wire {
    stream: TcpStream,
    deadline: Deadline,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.left()))?;
        self.stream.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.left()))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum TalkError {
    #[error("{}", tcp::explain(.0))]
    Wire(#[from] io::Error),
    #[error("the connection was closed without an answer")]
    Closed,
    #[error("the answer is HTTP/2: the server does not speak HTTP/1.1")]
    Http2,
    #[error("the answer is no HTTP")]
    NoHttp,
}

/// Sends a request and reads the head of its answer.
fn talk(wire: &mut (impl Read + Write), request: &[u8]) -> Result<Head, TalkError> {
    wire.write_all(request)?;
    wire.flush()?;
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(head) = Head::read(&said)? {
            return Ok(head);
        }
        if said.len() > LONGEST {
            return Err(TalkError::NoHttp);
        }
        let length = match wire.read(&mut buffer) {
            Ok(0) if said.is_empty() => return Err(TalkError::Closed),
            Ok(0) => return Err(TalkError::NoHttp),
            Ok(length) => length,
            // Closed without TLS's own farewell.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(TalkError::Closed),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        said.extend(buffer.get(..length).unwrap_or_default());
    }
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Names in lower case.
    fields: Vec<(String, String)>,
}

impl Head {
    /// The first that is no interim answer (1xx); `None`: it is not all there.
    fn read(mut said: &[u8]) -> Result<Option<Head>, TalkError> {
        loop {
            const HTTP: &[u8] = b"HTTP/1.";
            let start = said.get(..HTTP.len()).unwrap_or(said);
            if !HTTP.starts_with(start) {
                return Err(match said {
                    // A frame of type SETTINGS or GOAWAY on stream 0 (RFC 9113, 4.1).
                    [_, _, _, 4 | 7, _, 0, 0, 0, 0, ..] => TalkError::Http2,
                    _ if said.len() < 9 && said.first() == Some(&0) => return Ok(None),
                    _ => TalkError::NoHttp,
                });
            }
            let ends = |end: &[u8]| {
                said.windows(end.len()).position(|window| window == end).map(|at| at + end.len())
            };
            let Some(end) = [ends(b"\r\n\r\n"), ends(b"\n\n")].into_iter().flatten().min() else {
                return Ok(None);
            };
            let (head, rest) = said.split_at_checked(end).unwrap_or((said, &[]));
            let head = Head::parse(&String::from_utf8_lossy(head)).ok_or(TalkError::NoHttp)?;
            if head.status >= 200 || head.status == 101 {
                return Ok(Some(head));
            }
            said = rest;
        }
    }

    fn parse(text: &str) -> Option<Head> {
        let mut lines = text.lines();
        let status =
            lines.next()?.split(' ').nth(1)?.parse().ok().filter(|status| (100..600).contains(status))?;
        let fields = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        });
        Some(Head { status, fields: fields.collect() })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Where it leads instead.
    fn redirection(&self) -> Option<&str> {
        matches!(self.status, 301 | 302 | 303 | 307 | 308).then(|| self.field("location")).flatten()
    }
}

#[cfg(test)]
mod tests;
