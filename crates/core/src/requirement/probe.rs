//! Probes: what is asked of others, and how it is written.

use core::fmt;
use core::net::IpAddr;

/// One question to somebody else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// The host's resolver finds addresses for this name.
    Dns(String),
    /// Somebody accepts a connection.
    Tcp(Endpoint),
    /// A server answers a request. (Boxed, because it is far larger than the others.)
    Http(Box<Request>),
    /// A host answers an echo request.
    Ping {
        /// Which.
        address: IpAddr,
        /// Of a link-local address: the link.
        zone: Option<String>,
    },
}

impl Probe {
    /// Whether a name has to be resolved for it.
    pub fn resolves(&self) -> bool {
        match self {
            Probe::Dns(_) => true,
            Probe::Tcp(endpoint) => endpoint.is_name(),
            Probe::Http(request) => request.url.endpoint.is_name(),
            Probe::Ping { .. } => false,
        }
    }
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// A name, or an address without brackets.
    pub host: String,
    /// Of a link-local address: the link.
    pub zone: Option<String>,
    /// Not 0.
    pub port: u16,
}

impl Endpoint {
    fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// The host as it is told to others: in brackets if it is an IPv6 address, and without its zone, which
    /// means something on this host alone (RFC 6874, 4).
    pub fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// An HTTP request, and which answers meet it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// These answers do; where it is empty, any below 500 but 429.
    pub expect: Vec<u16>,
}

impl Request {
    /// Whether an answer with this status meets it.
    pub fn accepts(&self, status: u16) -> bool {
        match self.expect.as_slice() {
            [] => status < 500 && status != 429,
            expected => expected.contains(&status),
        }
    }
}

/// An http or https URL: no user, no fragment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// https
    pub tls: bool,
    /// Whose server.
    pub endpoint: Endpoint,
    /// Path and query, from the first slash on.
    pub path: String,
}

impl Url {
    /// The scheme's port.
    pub fn default_port(tls: bool) -> u16 {
        if tls { 443 } else { 80 }
    }

    /// Host, and port where it is not the scheme's: as in the Host field.
    pub fn authority(&self) -> String {
        self.with_port(self.endpoint.bracketed())
    }

    /// The scheme and the authority, with the zone as RFC 6874 writes it.
    pub fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let host = match &self.endpoint.zone {
            Some(zone) => format!("[{}%25{}]", self.endpoint.host, Encoded(zone)),
            None => self.endpoint.bracketed(),
        };
        format!("{scheme}://{}", self.with_port(host))
    }

    fn with_port(&self, host: String) -> String {
        if self.endpoint.port == Url::default_port(self.tls) {
            host
        } else {
            format!("{host}:{}", self.endpoint.port)
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::Dns(name) => write!(f, "dns {name}"),
            Probe::Tcp(endpoint) => write!(f, "tcp {endpoint}"),
            Probe::Http(request) => {
                write!(f, "http {}", request.url)?;
                if request.expect.is_empty() {
                    return Ok(());
                }
                let codes: Vec<String> = request.expect.iter().map(ToString::to_string).collect();
                write!(f, " expect {}", codes.join(", "))
            }
            Probe::Ping { address, zone: None } => write!(f, "ping {address}"),
            Probe::Ping { address, zone: Some(zone) } => write!(f, "ping {address}%{zone}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "[{}%{zone}]:{}", self.host, self.port),
            None => write!(f, "{}:{}", self.bracketed(), self.port),
        }
    }
}

/// A link's name in a URL: what is not unreserved there is percent-encoded (RFC 3986, 2.3).
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in crate::ifname::bytes(self.0) {
            if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
                write!(f, "{}", char::from(octet))?;
            } else {
                write!(f, "%{octet:02X}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}
