//! Reads proxies from environment variables, from the same ones as curl and Podman.

use std::net::IpAddr;

use base64::prelude::{BASE64_STANDARD, Engine};
use http::header;
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;

use crate::config;
use crate::probe::http::exchange::{exchange, meaning};
use crate::requirement::{Endpoint, Url};

/// An HTTP proxy that an environment variable names.
#[derive(Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The host and the port of the proxy.
    pub endpoint: Endpoint,
    /// `user:password`, percent-decoded.
    user: Option<Vec<u8>>,
}

impl Proxy {
    /// The proxy for a URL, if the environment names one.
    pub fn of(url: &Url, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Proxy>, String> {
        let named = |name: &str| {
            let set = variable(&name.to_ascii_lowercase()).or_else(|| variable(name));
            set.filter(|value| !value.is_empty())
        };
        let scheme = if url.tls { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        let Some(text) = named(scheme).or_else(|| named("ALL_PROXY")) else { return Ok(None) };
        if is_excepted(&url.endpoint, &named("NO_PROXY").unwrap_or_default()) {
            return Ok(None);
        }
        read(&text).map(Some).map_err(|why| format!("the proxy in {scheme} or ALL_PROXY {why}"))
    }

    /// The value of the field Proxy-Authorization.
    pub fn credentials(&self) -> Option<String> {
        self.user.as_ref().map(|user| format!("Basic {}", BASE64_STANDARD.encode(user)))
    }

    /// Asks the proxy, at the other end of this stream, for a connection to the endpoint.
    pub async fn tunnel(&self, stream: TcpStream, to: &Endpoint) -> Result<TcpStream, String> {
        let to = to.to_string();
        let mut request = http::Request::connect(to.as_str()).header(header::HOST, to.as_str());
        if let Some(credentials) = self.credentials() {
            request = request.header(header::PROXY_AUTHORIZATION, credentials);
        }
        let request = request.body(String::new()).map_err(|error| error.to_string())?;
        let (head, stream) = exchange(stream, request, &self.endpoint.host).await?;
        if head.status.is_success() {
            return Ok(stream);
        }
        Err(format!("status {}{} for CONNECT {to}", head.status.as_u16(), meaning(head.status)))
    }
}

fn read(text: &str) -> Result<Proxy, String> {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        // Do not print the rest: it may have a password.
        Some((scheme, _)) => {
            return Err(format!("is of a kind that is not supported ({scheme}://): use http://"));
        }
        None => text,
    };
    let (user, host) = match rest.rsplit_once('@') {
        Some((user, host)) => (Some(percent_decode_str(user).collect()), host),
        None => (None, rest),
    };
    let url = config::parse_url(&format!("http://{host}"))?;
    Ok(Proxy { endpoint: url.endpoint, user })
}

/// Whether NO_PROXY excludes a host. This host itself never needs a proxy. Neither does an address with a zone: the
/// zone is a link of this host, which a proxy does not know.
fn is_excepted(endpoint: &Endpoint, list: &str) -> bool {
    let host = endpoint.host.trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || endpoint.zone.is_some() || address.is_some_and(|address| address.is_loopback())
    {
        return true;
    }
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        let port = format!(":{}", endpoint.port);
        let entry = if entry.parse::<IpAddr>().is_ok() {
            entry.as_str()
        } else {
            entry.strip_suffix(&port).unwrap_or(&entry)
        };
        let domain = entry.trim_start_matches("*.").trim_start_matches('.');
        match address {
            _ if entry == "*" => true,
            Some(address) => {
                entry.trim_matches(['[', ']']).parse() == Ok(address)
                    || entry.parse::<IpNet>().is_ok_and(|net| net.contains(&address))
            }
            None => {
                !domain.is_empty()
                    && host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(url: &str, environment: &[(&str, &str)]) -> Result<Option<String>, String> {
        let url = config::parse_url(url).unwrap();
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Proxy::of(&url, &variable).map(|proxy| proxy.map(|proxy| proxy.endpoint.to_string()))
    }

    #[test]
    fn the_environment_names_a_proxy() {
        for (url, environment, proxy) in [
            ("http://a.example", &[][..], None),
            ("http://a.example", &[("HTTP_PROXY", "http://p.example:3128")][..], Some("p.example:3128")),
            (
                "http://a.example",
                &[("http_proxy", "p.example:3128"), ("HTTP_PROXY", "http://q:1")][..],
                Some("p.example:3128"),
            ),
            ("https://a.example", &[("HTTP_PROXY", "http://p.example:3128")][..], None),
            ("https://a.example", &[("HTTPS_PROXY", "http://p.example/")][..], Some("p.example:80")),
            (
                "https://a.example",
                &[("all_proxy", "http://[2001:db8::7]:8080")][..],
                Some("[2001:db8::7]:8080"),
            ),
            ("http://a.example", &[("http_proxy", "")][..], None),
            ("http://127.0.0.1", &[("HTTP_PROXY", "http://p:1")][..], None),
            ("http://localhost:8080", &[("HTTP_PROXY", "http://p:1")][..], None),
            ("http://[fe80::1%25eth0]", &[("HTTP_PROXY", "http://p:1")][..], None),
            (
                "http://a.example",
                &[("HTTP_PROXY", "http://[fe80::1%25eth0]:3128")][..],
                Some("[fe80::1%eth0]:3128"),
            ),
        ] {
            assert_eq!(chosen(url, environment), Ok(proxy.map(str::to_owned)), "{url} {environment:?}");
        }
        for kind in ["socks5://p:1080", "https://p:443"] {
            let said = chosen("http://a.example", &[("ALL_PROXY", kind)]).unwrap_err();
            assert!(said.contains("not supported"), "{said}");
        }
    }

    #[test]
    fn no_proxy_excludes_hosts() {
        let excepted = |host: &str, list: &str| {
            is_excepted(&Endpoint { host: host.to_owned(), zone: None, port: 443 }, list)
        };
        for (host, list, is) in [
            ("a.example.org", "example.org", true),
            ("a.example.org", ".example.org", true),
            ("a.example.org", "*.example.org", true),
            ("example.org", "EXAMPLE.org", true),
            ("badexample.org", "example.org", false),
            ("a.example.org", "x, a.example.org:443", true),
            ("a.example.org", "a.example.org:80", false),
            ("a.example.org", "*", true),
            ("192.0.2.7", "192.0.2.0/24", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "2.7", false),
            ("2001:db8::7", "2001:db8::/32", true),
            ("2001:db8::7", "[2001:db8::7]", true),
            ("a.example.org", "", false),
        ] {
            assert_eq!(excepted(host, list), is, "{host} {list}");
        }
    }

    #[test]
    fn credentials_are_decoded_from_the_url() {
        for (url, credentials) in [
            ("http://user:p%40ss@p.example:3128", Some("Basic dXNlcjpwQHNz")),
            // An @ in a password, not encoded.
            ("user:p@ss@p.example", Some("Basic dXNlcjpwQHNz")),
            // What is not a percent-encoding is taken literally: "4%zz%41%" is the password "4%zzA%".
            ("http://u:4%zz%41%@p.example", Some("Basic dTo0JXp6QSU=")),
            ("http://p.example", None),
        ] {
            assert_eq!(read(url).unwrap().credentials().as_deref(), credentials, "{url}");
        }
    }
}
