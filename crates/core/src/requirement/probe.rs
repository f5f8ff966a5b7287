//! `dns`, `tcp`, `http` with `expect`, and `ping`: another host answers.

use core::fmt;
use core::net::IpAddr;

use crate::config::{alternatives, probes};
use crate::evaluate::Judge;
use crate::evaluate::judged::Evaluated;
use crate::requirement::key::{AskedOf, CommandLineOption, Heading, Key, Offers, Role, ValueType};
use crate::requirement::kind::{Requirement, Shown, Whom, with_zone};
use crate::requirement::{Family, Item};
use crate::wants::Wants;

/// The key `dns`: the host's resolver finds a name.
pub static DNS: Key = Key {
    name: "dns",
    role: Role::Asks { of: AskedOf::Others, read: |text, _| probes::dns(text).map(Item::Probe) },
    takes: ValueType::Texts,
    example: "dns = \"registry.example.org\"",
    other_names: &["resolve"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "dns",
        short: None,
        offers: Offers::NOTHING,
        value_name: Some("NAME"),
        heading: Heading::Probes,
        help: "Require that this host's resolver finds this name",
        details: "",
    }),
};

/// The key `tcp`: a port accepts a connection.
pub static TCP: Key = Key {
    name: "tcp",
    role: Role::Asks { of: AskedOf::Others, read: |text, _| probes::tcp(text).map(Item::Probe) },
    takes: ValueType::Texts,
    example: "tcp = \"192.0.2.7:443\"",
    other_names: &["port"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "tcp",
        short: None,
        offers: Offers::NOTHING,
        value_name: Some("HOST:PORT"),
        heading: Heading::Probes,
        help: "Require that this port accepts a connection; a link-local address needs its link: [fe80::7%eth0]:22",
        details: "",
    }),
};

/// The key `http`: a server answers a request.
pub static HTTP: Key = Key {
    name: "http",
    role: Role::Asks {
        of: AskedOf::Others,
        read: |text, refined| probes::http(text, &refined.expect).map(Item::Probe),
    },
    takes: ValueType::Texts,
    example: "http = \"https://registry.example.org/v2/\"",
    other_names: &["url", "https"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "http",
        short: None,
        offers: Offers::NOTHING,
        value_name: Some("URL"),
        heading: Heading::Probes,
        help: "Require that a server answers with a status below 500 other than 429; https uses the host's trust store",
        details: "",
    }),
};

/// The key `expect`: the statuses that `http` accepts.
pub static EXPECT: Key = Key {
    name: "expect",
    role: Role::Refines {
        refined: |key| key.name == "http",
        alone: "sets the statuses that http accepts, but there is no http",
    },
    takes: ValueType::Numbers,
    example: "expect = [200, 401]",
    other_names: &["status"],
    shorthands: &[],
    option: None,
};

/// The key `ping`: a host answers an echo request.
pub static PING: Key = Key {
    name: "ping",
    role: Role::Asks { of: AskedOf::Others, read: |text, _| probes::ping(text).map(Item::Probe) },
    takes: ValueType::Texts,
    example: "ping = \"192.0.2.1\"",
    other_names: &[],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "ping",
        short: None,
        offers: Offers::NOTHING,
        value_name: Some("ADDR"),
        heading: Heading::Probes,
        help: "Require that ADDR answers a ping; this needs no privileges",
        details: "",
    }),
};

/// One question to another host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// The host's resolver finds addresses for this name.
    Dns(String),
    /// The host accepts a TCP connection at this port.
    Tcp(Endpoint),
    /// A server answers an HTTP request. (The value is boxed because it is much larger than the others.)
    Http(Box<Request>),
    /// A host answers an echo request.
    Ping {
        /// The address that must answer.
        address: IpAddr,
        /// The link of a link-local address. `None` for other addresses.
        zone: Option<String>,
    },
}

impl Probe {
    /// Whether the probe needs to resolve a name.
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
    /// The link of a link-local address. `None` for other hosts.
    pub zone: Option<String>,
    /// The TCP port, which is not 0.
    pub port: u16,
}

impl Endpoint {
    fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// Returns the host in the form for other hosts: in brackets if it is an IPv6 address, and without its zone,
    /// because a zone has a meaning only on this host (RFC 6874, 4).
    pub fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

/// An HTTP request, and the statuses that meet it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// The address of the server and the path, as a URL.
    pub url: Url,
    /// The accepted statuses. An empty list means every status below 500 except 429.
    pub expect: Vec<u16>,
}

impl Request {
    /// Whether a response with this status meets the request.
    pub fn accepts(&self, status: u16) -> bool {
        match self.expect.as_slice() {
            [] => status < 500 && status != 429,
            expected => expected.contains(&status),
        }
    }
}

/// An http or https URL without a user and without a fragment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// Whether the scheme is https.
    pub tls: bool,
    /// The host and the port of the server.
    pub endpoint: Endpoint,
    /// The path and the query, from the first slash on.
    pub path: String,
}

impl Url {
    /// The port of the scheme: 443 for https, 80 for http.
    pub fn default_port(tls: bool) -> u16 {
        if tls { 443 } else { 80 }
    }

    /// Returns the host, with the port if it is not the default of the scheme. The Host field has this form.
    pub fn authority(&self) -> String {
        self.with_port(self.endpoint.bracketed())
    }

    /// Returns the scheme and the authority, with the zone in the form of RFC 6874.
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
        Shown(self).fmt(f)
    }
}

impl Requirement for Probe {
    fn key(&self) -> &'static Key {
        match self {
            Probe::Dns(_) => &DNS,
            Probe::Tcp(_) => &TCP,
            Probe::Http(_) => &HTTP,
            Probe::Ping { .. } => &PING,
        }
    }

    fn sentence(&self, _: Whom) -> String {
        let value = self.value();
        match self {
            Probe::Dns(_) => format!("this host's resolver finds {value}"),
            Probe::Tcp(_) => format!("{value} accepts a TCP connection"),
            Probe::Ping { .. } => format!("{value} answers a ping"),
            Probe::Http(request) => {
                let expected: Vec<String> = request.expect.iter().map(ToString::to_string).collect();
                match expected.is_empty() {
                    true => format!("{value} answers with a status below 500 other than 429"),
                    false => format!("{value} answers with the status {}", alternatives(&expected)),
                }
            }
        }
    }

    fn value(&self) -> String {
        match self {
            Probe::Dns(name) => name.clone(),
            Probe::Tcp(endpoint) => endpoint.to_string(),
            Probe::Http(request) => request.url.to_string(),
            Probe::Ping { address, zone } => with_zone(*address, zone.as_deref()),
        }
    }

    fn refinements(&self) -> Vec<(&'static Key, Vec<String>)> {
        match self {
            Probe::Http(request) if !request.expect.is_empty() => {
                vec![(&EXPECT, request.expect.iter().map(ToString::to_string).collect())]
            }
            Probe::Http(_) | Probe::Dns(_) | Probe::Tcp(_) | Probe::Ping { .. } => Vec::new(),
        }
    }

    fn family(&self) -> Option<Family> {
        match self {
            Probe::Ping { address, .. } => Some(Family::of(*address)),
            Probe::Dns(_) | Probe::Tcp(_) | Probe::Http(_) => None,
        }
    }

    /// When resolv.conf changes, the probes that resolve a name are tried again.
    fn add_wants(&self, _: bool, wants: &mut Wants) {
        wants.nameserver |= self.resolves();
    }

    fn of_host(&self, judge: &Judge<'_>) -> Evaluated {
        judge.probe(self)
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

/// Writes a link's name for a URL: all characters except the unreserved ones are percent-encoded (RFC 3986, 2.3).
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
