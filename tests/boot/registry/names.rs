//! A name server that knows only the registry's domain, and fails as a test tells it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{DOMAIN, Lasts, ROUTER, Switch, inside};
use crate::guest::Networks;

/// What the name server does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// Nobody listens, and the host reports this (ICMP).
    Absent,
    /// The server listens and never answers.
    Silent,
    ServFail,
    NxDomain,
}

/// A name server. Dropping this ends it.
pub struct Names(Arc<Shared>);

struct Shared {
    switch: Switch<NameFault>,
    listening: AtomicBool,
    queries: AtomicUsize,
    ended: AtomicBool,
}

impl Names {
    /// Starts a name server at one of the LAN's addresses.
    pub fn on(networks: &Networks, address: &str) -> Names {
        let address: SocketAddr = format!("{address}:53").parse().unwrap();
        let shared = Arc::new(Shared {
            switch: Switch::new(),
            listening: AtomicBool::new(false),
            queries: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let thread = Arc::clone(&shared);
        inside(&networks.lan, || std::thread::spawn(move || thread.listen(address)));
        let names = Names(shared);
        names.settle(true);
        names
    }

    /// Starts a fault. It is active when this returns.
    pub fn fails(&self, fault: NameFault, lasts: Lasts) {
        self.0.switch.set(Some(fault), lasts);
        self.settle(fault != NameFault::Absent);
    }

    /// Ends all faults.
    pub fn heals(&self) {
        self.0.switch.set(None, Lasts::Forever);
        self.settle(true);
    }

    /// The number of queries that came.
    pub fn queries(&self) -> usize {
        self.0.queries.load(Ordering::Relaxed)
    }

    fn settle(&self, listening: bool) {
        while self.0.listening.load(Ordering::Acquire) != listening {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn listen(&self, address: SocketAddr) {
        let mut socket: Option<UdpSocket> = None;
        let mut query = [0; 1500];
        while !self.ended.load(Ordering::Relaxed) {
            if self.switch.now() == Some(NameFault::Absent) {
                socket = None;
                self.listening.store(false, Ordering::Release);
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            let socket = socket.get_or_insert_with(|| {
                let socket = UdpSocket::bind(address).unwrap();
                socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                socket
            });
            self.listening.store(true, Ordering::Release);
            let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
            self.queries.fetch_add(1, Ordering::Relaxed);
            if let Some(answer) = answer(&query[..length], self.switch.met()) {
                let _ = socket.send_to(&answer, from);
            }
        }
    }
}

const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;

fn answer(query: &[u8], fault: Option<NameFault>) -> Option<Vec<u8>> {
    let (name, end) = name(query)?;
    let question = query.get(12..end + 4)?;
    let a = question.ends_with(&[0, 1, 0, 1]);
    let ours = name == DOMAIN || name.ends_with(&format!(".{DOMAIN}"));
    let code = match fault {
        Some(NameFault::Absent | NameFault::Silent) => return None,
        Some(NameFault::ServFail) => SERVFAIL,
        Some(NameFault::NxDomain) => NXDOMAIN,
        None if !ours => NXDOMAIN,
        None => 0,
    };
    // The name has an IPv4 address and no other record.
    let address = code == 0 && a;
    // The header: an answer, with recursion desired and available.
    let mut answer = [&query[..2], &[0x81, 0x80 | code, 0, 1, 0, u8::from(address), 0, 0, 0, 0]].concat();
    answer.extend_from_slice(question);
    if address {
        // The record: the name of the question, type A, class IN, one second to live, four bytes.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend_from_slice(&ROUTER.parse::<std::net::Ipv4Addr>().unwrap().octets());
    }
    Some(answer)
}

/// The name in the question, in lower case, and the offset of its end.
fn name(query: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}
