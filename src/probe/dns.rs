//! The `dns` probe: whether the host's resolver finds a name, and if not, what each server answered.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, getaddrinfo};

use crate::chance::chance;
use crate::model::Answer;
use crate::probe::deadline::Deadline;
use crate::probe::socket_error;
use crate::probe::zone;
use crate::resolv::{self, Resolver};

/// The part of a try's time that is reserved for asking the servers directly, in case the resolver does not answer in
/// time.
const TO_EXPLAIN: Duration = Duration::from_millis(1500);

/// Makes one try of the `dns` probe.
pub fn ask(name: &str, deadline: Deadline) -> Answer {
    let mut addresses = resolve(name, deadline)?;
    // Servers rotate the addresses. Sort them so that the same answer is the same text.
    addresses.sort();
    let few: Vec<String> = addresses.iter().take(4).map(|address| shown(*address)).collect();
    Ok(few.join(", "))
}

/// The addresses of a name, as applications get them from getaddrinfo(3). A link-local address has its scope. The
/// port is 0.
pub fn resolve(name: &str, deadline: Deadline) -> Result<Vec<SocketAddr>, String> {
    let (tell, hear) = channel();
    let wanted = name.to_owned();
    thread::spawn(move || {
        // An error means that the lookup took too long and nobody waits for it any more.
        let _ = tell.send(addresses(&wanted));
    });
    match hear.recv_timeout(deadline.before(TO_EXPLAIN).left()) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(why)) => Err(explain(name, deadline)
            .unwrap_or_else(|| format!("{why}, though its name server has an address"))),
        Err(_) => {
            let why = explain(name, deadline.before(Duration::from_millis(100)));
            match hear.recv_timeout(Duration::ZERO) {
                Ok(Ok(addresses)) => Ok(addresses),
                Ok(Err(_)) | Err(_) => Err(why.unwrap_or_else(Deadline::text)),
            }
        }
    }
}

/// Calls getaddrinfo(3). An error is returned as the meaning of its code.
fn addresses(name: &str) -> Result<Vec<SocketAddr>, String> {
    // AI_ADDRCONFIG: return no IPv6 addresses if the host has none, and the same for IPv4.
    let hints =
        AddrInfoHints { socktype: libc::SOCK_STREAM, flags: libc::AI_ADDRCONFIG, ..AddrInfoHints::default() };
    let mut found = Vec::new();
    for entry in getaddrinfo(Some(name), None, Some(hints)).map_err(words_of)? {
        // Skip an entry of another family than IP: its address could not be used.
        found.extend(entry.map(|entry| entry.sockaddr).ok().filter(|address| !found.contains(address)));
    }
    if found.is_empty() { Err(NO_NAME.to_owned()) } else { Ok(found) }
}

const NO_NAME: &str = "no such name";

/// The meaning of an error code of getaddrinfo(3).
fn words_of(error: LookupError) -> String {
    match error.kind() {
        LookupErrorKind::Again => "temporary failure in name resolution".to_owned(),
        LookupErrorKind::NoName => NO_NAME.to_owned(),
        LookupErrorKind::NoData => "it has no address".to_owned(),
        LookupErrorKind::Fail => "the resolver failed".to_owned(),
        // For these, use the system's text.
        LookupErrorKind::System
        | LookupErrorKind::Badflags
        | LookupErrorKind::Family
        | LookupErrorKind::Socktype
        | LookupErrorKind::Service
        | LookupErrorKind::Memory
        | LookupErrorKind::Unknown
        | LookupErrorKind::IO => format!("the resolver failed: {}", io::Error::from(error)),
    }
}

/// Asks the servers of resolv.conf directly, and returns why the name was not found. `None` if a server knows the
/// name.
fn explain(name: &str, deadline: Deadline) -> Option<String> {
    let Resolver { servers, search } = resolv::resolver();
    if servers.is_empty() {
        return Some("no nameserver".to_owned());
    }
    let asked = match search.first() {
        Some(domain) if !name.contains('.') => format!("{name}.{domain}"),
        Some(_) | None => name.to_owned(),
    };
    let (tell, hear) = channel();
    for server in &servers {
        for kind in [TYPE_A, TYPE_AAAA] {
            let (tell, asked, server) = (tell.clone(), asked.clone(), server.clone());
            thread::spawn(move || {
                let reply = match &server.address {
                    Ok(address) => query(*address, &asked, kind, deadline),
                    Err(why) => Reply::Error(why.clone()),
                };
                // An error means that another answer was already enough.
                tell.send((server, reply))
            });
        }
    }
    drop(tell);
    let mut worst: Option<(u8, String)> = None;
    while let Ok((server, reply)) = hear.recv_timeout(deadline.left()) {
        let (weight, text) = match reply {
            Reply::Addresses => return None,
            Reply::Code(code) => (3, format!("{} from {}", rcode(code), server.written)),
            Reply::Nothing => (2, format!("no address from {}", server.written)),
            Reply::Error(why) => (1, format!("{}: {why}", server.written)),
            Reply::Silence => (0, String::new()),
        };
        if weight > 0 && worst.as_ref().is_none_or(|(known, _)| weight > *known) {
            worst = Some((weight, text));
        }
    }
    let silent = || {
        let servers: Vec<String> = servers.iter().map(|server| server.written.clone()).collect();
        format!("no answer from {}", servers.join(", "))
    };
    Some(worst.map_or_else(silent, |(_, text)| text))
}

/// The text of an address, with the name of its link if it has a scope.
fn shown(address: SocketAddr) -> String {
    match address {
        SocketAddr::V6(address) if address.scope_id() != 0 => {
            let scope = address.scope_id();
            format!("{}%{}", address.ip(), zone::name(scope).unwrap_or_else(|| scope.to_string()))
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => address.ip().to_string(),
    }
}

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

enum Reply {
    Addresses,
    /// The server answered NOERROR without a record.
    Nothing,
    /// A response code other than NOERROR (RFC 1035, 4.1.1).
    Code(u8),
    Error(String),
    Silence,
}

/// Asks one server one question. Only the header of the reply is read (RFC 1035, 4.1.1).
fn query(server: SocketAddr, name: &str, kind: u16, deadline: Deadline) -> Reply {
    let number = (chance() * 65536.0) as u16;
    let Some(message) = message(number, name, kind) else { return Reply::Silence };
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = match UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(server).map(|()| socket)) {
        Ok(socket) => socket,
        Err(error) => return Reply::Error(socket_error::explain(&error)),
    };
    let mut reply = [0; 512];
    // Send it twice, because a packet may be lost.
    for _ in 0..2 {
        let wait = (deadline.left() / 2).max(Duration::from_millis(1));
        let sent = socket.set_read_timeout(Some(wait)).and_then(|()| socket.send(&message));
        match sent.and_then(|_| socket.recv(&mut reply)) {
            Ok(length) => match header(reply.get(..length).unwrap_or_default(), number) {
                Some((0, 0)) => return Reply::Nothing,
                Some((0, _)) => return Reply::Addresses,
                Some((code, _)) => return Reply::Code(code),
                None => {}
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Reply::Error(socket_error::explain(&error)),
        }
    }
    Reply::Silence
}

/// The bytes of a standard query with recursion desired. `None` if the name has an empty label or one that is too
/// long.
fn message(number: u16, name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(name.len() + 18);
    message.extend(number.to_be_bytes());
    // Flags: recursion desired (RD). Then: one question.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        message.push(u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    // The class IN.
    message.extend([0, 1]);
    Some(message)
}

/// Parses bytes from a server as an answer to a query. The first two bytes are taken as the query's number. For the
/// fuzzer.
#[cfg(any(test, fuzzing))]
pub(crate) fn understand(octets: &[u8]) {
    let number = octets.first_chunk().map_or(0, |number| u16::from_be_bytes(*number));
    if let Some((code, _)) = header(octets, number) {
        let _ = rcode(code);
    }
    let _ = message(number, &String::from_utf8_lossy(octets), TYPE_A);
}

/// The response code and the number of answers in a reply. `None` if it is not a reply to the query with this
/// number.
fn header(reply: &[u8], number: u16) -> Option<(u8, u16)> {
    match reply {
        [n0, n1, flags, code, _, _, a0, a1, _, _, _, _, ..]
            if u16::from_be_bytes([*n0, *n1]) == number && flags & 0x80 != 0 =>
        {
            Some((code & 0x0f, u16::from_be_bytes([*a0, *a1])))
        }
        _ => None,
    }
}

/// The name of a response code (RFC 1035, 4.1.1; RFC 2136).
fn rcode(code: u8) -> String {
    let known = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    known.get(usize::from(code)).map_or_else(|| format!("RCODE {code}"), |known| (*known).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_code_of_the_resolver_has_its_own_text() {
        for (code, words) in [
            (libc::EAI_AGAIN, "temporary failure in name resolution"),
            (libc::EAI_NONAME, "no such name"),
            (libc::EAI_NODATA, "it has no address"),
            (libc::EAI_FAIL, "the resolver failed"),
        ] {
            assert_eq!(words_of(LookupError::new(code)), words);
        }
        let said = words_of(LookupError::new(libc::EAI_MEMORY)).to_lowercase();
        assert!(said.starts_with("the resolver failed: ") && said.contains("memory"), "{said}");
    }

    #[test]
    fn names_that_need_no_server_are_resolved() {
        let found = addresses("localhost").unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 0), "{found:?}");
        // Keep the scope that getaddrinfo(3) reads from the text.
        let scoped: SocketAddr = "[fe80::1%1]:0".parse().unwrap();
        assert_eq!(addresses("fe80::1%lo"), Ok(vec![scoped]));
        assert_eq!(
            addresses("127.0.0.1"),
            Ok(vec!["127.0.0.1:0".parse().unwrap()]),
            "once, not once a protocol"
        );
        assert!(addresses("a\0b").is_err());
    }

    #[test]
    fn a_query_has_the_bytes_of_the_rfc() {
        let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03nas\x07example\x03org\0\0\x1c\0\x01";
        assert_eq!(message(0x1234, "nas.example.org", TYPE_AAAA).as_deref(), Some(&expected[..]));
        assert_eq!(message(1, "a.example.org.", TYPE_A), message(1, "a.example.org", TYPE_A));
        assert_eq!(message(1, "a..b", TYPE_A), None);
        assert_eq!(message(1, &"x".repeat(64), TYPE_A), None);
    }

    #[test]
    fn a_reply_is_recognized_by_its_header() {
        let reply = b"\x12\x34\x81\x82\0\x01\0\x07\0\0\0\0";
        assert_eq!(header(reply, 0x1234), Some((2, 7)));
        assert_eq!(header(reply, 0x1235), None);
        assert_eq!(header(b"\x12\x34\x01\x82\0\x01\0\x07\0\0\0\0", 0x1234), None, "a query");
        for length in 0..reply.len() {
            assert_eq!(header(&reply[..length], 0x1234), None, "{length}");
        }
        assert_eq!(
            ["NOERROR", "SERVFAIL", "NXDOMAIN", "REFUSED", "RCODE 9"],
            [0, 2, 3, 5, 9].map(rcode).each_ref().map(String::as_str)
        );
    }
}
