//! The `http` probe: checks whether a server answers a request, and with which status. It sends one GET over HTTP/1.1
//! and reads only the head of the answer.
//!
//! hyper implements the protocol, on connections that this module makes. ureq would need less code, but it uses a
//! proxy only through CONNECT, which many proxies refuse for http:// URLs. Besides, its interface for own connections
//! (which zones, several addresses in parallel and exact reasons need) is not stable.

mod exchange;
mod proxy;

use std::borrow::Cow;

use http::response::Parts;
use http::{HeaderName, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::net::TcpStream;

use crate::clock;
use crate::config;
use crate::model::Answer;
use crate::probe::deadline::Deadline;
use crate::probe::tcp;
use crate::probe::tls;
use crate::requirement::{Request, Url};

use exchange::{exchange, meaning};
use proxy::Proxy;

/// The most redirections that are followed.
const REDIRECTS: usize = 5;

/// Makes one try of the `http` probe.
pub fn ask(request: &Request, deadline: Deadline) -> Answer {
    let mut url = request.url.clone();
    let mut seen = Vec::new();
    loop {
        let head = fetch(&url, deadline).map_err(|why| at(&url, &request.url, &why))?;
        let wanted = request.expect.contains(&head.status.as_u16());
        let next = redirection(&head).filter(|_| !wanted);
        let Some(next) = next else { return verdict(request, &url, &head) };
        let to = resolve(&url, &next)
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

/// Adds the URL to a reason or an answer if it is not the URL of the request.
fn at(url: &Url, asked: &Url, why: &str) -> String {
    if url == asked { why.to_owned() } else { format!("redirected to {url}: {why}") }
}

fn verdict(request: &Request, url: &Url, head: &Parts) -> Answer {
    let status = head.status.as_u16();
    let kind = field(head, header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
    if request.accepts(status) {
        return Ok(at(url, &request.url, &format!("status {status}{kind}")));
    }
    let retry = match field(head, header::RETRY_AFTER) {
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
    Err(at(url, &request.url, &format!("status {status}{}{retry}{expected}{kind}", meaning(head.status))))
}

/// The URL to which a redirection leads (RFC 3986, 5.2, without the removal of dots).
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

/// Sends one request, through a proxy if the environment names one, and returns the head of the answer.
fn fetch(url: &Url, deadline: Deadline) -> Result<Parts, String> {
    let proxy = Proxy::of(url, &|name| std::env::var(name).ok())?;
    let first = proxy.as_ref().map_or(&url.endpoint, |proxy| &proxy.endpoint);
    let by_proxy = |why: String| match &proxy {
        Some(proxy) => format!("proxy {}: {why}", proxy.endpoint),
        None => why,
    };
    let (stream, _) = tcp::connect(first, deadline).map_err(by_proxy)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        stream.set_nonblocking(true).map_err(|error| error.to_string())?;
        let mut stream = TcpStream::from_std(stream).map_err(|error| error.to_string())?;
        let host = &url.endpoint.host;
        let through = proxy.as_ref().filter(|_| !url.tls);
        if let (Some(proxy), true) = (&proxy, url.tls) {
            stream = within(deadline, proxy.tunnel(stream, &url.endpoint)).await.map_err(by_proxy)?;
        }
        let request = get(url, through)?;
        within(deadline, async {
            if !url.tls {
                return Ok(exchange(stream, request, host).await?.0);
            }
            let stream = tls::start(stream, host).await?;
            Ok(exchange(stream, request, host).await?.0)
        })
        .await
    })
}

/// Waits for a future until the deadline. After the deadline, returns an error that says so.
async fn within<T>(deadline: Deadline, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let mut timer = clock::Timer::new().map_err(|error| error.to_string())?;
    timer.set(Some(clock::now() + deadline.left())).map_err(|error| error.to_string())?;
    tokio::select! {
        done = work => done,
        // If the timer itself fails, the parent process still ends the try.
        _ = timer.fired() => Err(Deadline::text()),
    }
}

/// A GET request for this URL. Through a proxy without a tunnel, the request line has the whole URL (RFC 9112,
/// 3.2.2).
fn get(url: &Url, proxy: Option<&Proxy>) -> Result<http::Request<String>, String> {
    let target = proxy.map_or_else(|| url.path.clone(), |_| url.to_string());
    let mut request = http::Request::get(utf8_percent_encode(&target, NOT_IN_A_TARGET).to_string())
        .header(header::HOST, url.authority())
        .header(header::USER_AGENT, concat!("netready/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*");
    if let Some(credentials) = proxy.and_then(Proxy::credentials) {
        request = request.header(header::PROXY_AUTHORIZATION, credentials);
    }
    request.header(header::CONNECTION, "close").body(String::new()).map_err(|error| error.to_string())
}

/// Characters that may be in a URL of a gate file but not in a request (RFC 3986, 2).
const NOT_IN_A_TARGET: &AsciiSet = &CONTROLS.add(b'"').add(b'<').add(b'>').add(b'`');

/// The first value of a header field.
fn field(head: &Parts, name: HeaderName) -> Option<Cow<'_, str>> {
    head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
}

/// The target of a redirection. `None` if the answer is not one.
fn redirection(head: &Parts) -> Option<Cow<'_, str>> {
    matches!(head.status.as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| field(head, header::LOCATION))
        .flatten()
}

/// Parses what a server sends. Returns the answer of the probe, or the target of the redirection. `None` without a
/// runtime. For the fuzzer.
#[cfg(any(test, fuzzing))]
pub(crate) fn understand(
    server: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
) -> Option<Answer> {
    let url = config::parse_url("http://a.example/x").ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    let request = Request { url: url.clone(), expect: Default::default() };
    let head = runtime.block_on(exchange(server, get(&url, None).ok()?, "a.example")).map(|(head, _)| head);
    Some(head.and_then(|head| match redirection(&head) {
        Some(to) => resolve(&url, &to).map(|to| to.to_string()),
        None => verdict(&request, &url, &head),
    }))
}

#[cfg(test)]
mod tests;
