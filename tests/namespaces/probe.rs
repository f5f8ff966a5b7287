//! Probes to servers of the tests, on addresses inside the namespace.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Elsewhere, Exit, Netns, Process, SOON, Signal, UP0};
use crate::netns;
use crate::oracle::keep_ipv6_quiet;

/// The loopback link, whose addresses are reachable without a route.
pub const LO: &str = "link set lo up";
/// An address, and a default route whose gateway does not exist.
const UPLINK: &str = "addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0";

/// Starts a server that handles each connection in a thread of its own. It ends with the test's process.
fn serve(address: &str, talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Receiver<()> {
    let listener = TcpListener::bind(address).unwrap();
    let talk = Arc::new(talk);
    let (tell, hear) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (talk, stream) = (Arc::clone(&talk), stream.unwrap());
            let _ = tell.send(());
            thread::spawn(move || talk(stream));
        }
    });
    hear
}

/// Starts a server that accepts connections and sends nothing.
pub fn silent(address: &str) -> Receiver<()> {
    serve(address, |mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Reads one request and answers it.
fn answer(mut stream: impl Read + Write, answer: impl Fn(&str) -> String) {
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while !said.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => said.extend(&buffer[..length]),
        }
    }
    let _ = stream.write_all(answer(&String::from_utf8_lossy(&said)).as_bytes());
    let _ = stream.flush();
}

pub fn http(address: &str, reply: impl Fn(&str) -> String + Send + Sync + 'static) -> Receiver<()> {
    let reply = Arc::new(reply);
    serve(address, move |stream| answer(stream, |request| reply(request)))
}

pub fn status(line: &'static str) -> impl Fn(&str) -> String {
    move |_| format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n")
}

/// Returns the child processes that the process has not waited for yet.
pub fn children(process: &Process) -> BTreeSet<i32> {
    let pid = process.pid();
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn exists(pid: i32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
#[ignore = "needs a network namespace"]
fn a_connection() {
    let ns = netns!();
    ns.ip(&format!("{LO}; {UP0}; addr add 192.0.2.1/24 dev va0"));
    let gate = ns.gate("[[require]]\ntcp = \"192.0.2.1:4000\"\n");
    ns.check(&[&gate]).assert_unready("probe-failed", "connection refused");
    let run = ns.run(&[&gate]);
    let wait = ns.wait(&["--tcp", "192.0.2.1:4000", "--", "true"]);
    assert_eq!(run.expect_status("refused"), "Waiting (up to 90s): tcp 192.0.2.1:4000: connection refused");
    wait.expect_stderr("tcp 192.0.2.1:4000: connection refused");
    // No event reports that the server has started. The probe is tried again.
    let _server = silent("192.0.2.1:4000");
    run.expect_ready();
    assert!(run.expect_now_ready().ends_with(": tcp 192.0.2.1:4000"), "{}", run.transcript());
    assert_eq!(wait.expect_exit(), Exit::Code(0));
    ns.check(&[&gate]).assert_ready();
    assert!(children(&run).is_empty(), "{:?}", children(&run));
    // There is no host, or no route to it.
    ns.check(&["--tcp", "198.51.100.7:80"]).assert_unready("probe-failed", "network is unreachable");
    ns.ip("route add unreachable 198.51.100.8");
    ns.check(&["--tcp", "198.51.100.8:80"]).assert_unready("probe-failed", "no route to host");
    // Both families work, and a name that needs no DNS.
    let _server = silent("[::1]:4001");
    ns.check(&["--tcp", "[::1]:4001"]).assert_ready();
    let _server = silent("127.0.0.1:4001");
    ns.check(&["--tcp", "localhost:4001"]).assert_ready();
}

/// The probe reaches a link-local server through the link that the zone names.
#[test]
#[ignore = "needs a network namespace"]
fn a_server_on_a_link() {
    let ns = netns!();
    ns.ip(&format!("{LO}; {UP0}; addr add fe80::a/64 dev va0 nodad; link set va0 alias x"));
    let url = "http://[fe80::a%25va0]:4000/";
    // The Host field has no zone, because the zone has no meaning for the server.
    let _server = http("[::]:4000", |request| {
        let fits = request.contains("\r\nHost: [fe80::a]:4000\r\n") && !request.contains('%');
        match (fits, request.starts_with("GET / ")) {
            (true, true) => "HTTP/1.1 302 x\r\nLocation: http://[fe80::a]:4000/y\r\n\r\n".to_owned(),
            (true, false) => "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
            (false, _) => "HTTP/1.1 500 bad\r\n\r\n".to_owned(),
        }
    });
    let number = ns.ip_json("link show va0")[0]["ifindex"].to_string();
    for options in [
        ["--tcp", "[fe80::a%va0]:4000"],
        ["--tcp", &format!("[fe80::a%{number}]:4000")],
        ["--http", url],
        ["--http", "http://[fe80::a%va0]:4000/"],
        ["--http", &format!("http://[fe80::a%25{number}]:4000/")],
    ] {
        ns.check(&options).assert_ready();
    }
    // No proxy is used for a server on this host's link.
    assert_eq!(
        ns.command(&["check", "--http", url]).env("HTTP_PROXY", "http://192.0.2.7:1").output().code,
        0
    );
    // With another link's zone, the address is not reachable.
    ns.ip("link add vc0 type veth peer name vd0; link set vd0 up; link set vc0 up");
    ns.check(&["--tcp", "[fe80::a%vc0]:4000"]).assert_unready("probe-failed", "");
    for options in [
        ["--tcp", "[fe80::a]:4000"],
        ["--http", "http://[fe80::a]:4000/"],
        ["--ping", "fe80::a"],
        ["--route-to", "fe80::a"],
    ] {
        let said = ns.output(&["check", options[0], options[1]]);
        assert_eq!(said.code, 2, "{options:?}");
        assert!(said.stderr.contains("Write for example fe80::a%eth0"), "{}", said.stderr);
    }
}

/// The link of a zone may come later, go, and come back as another link with that name.
#[test]
#[ignore = "needs a network namespace"]
fn the_link_of_a_zone_comes_later() {
    let ns = netns!();
    ns.ip(LO);
    let run = ns.run(&["--tcp", "[fe80::a%va0]:4000"]);
    run.expect_status("no link va0");
    let _server = silent("[::]:4000");
    ns.ip(&format!("{UP0}; addr add fe80::a/64 dev va0 nodad"));
    run.expect_ready();
    assert!(run.expect_now_ready().ends_with("tcp [fe80::a%va0]:4000"), "{}", run.transcript());
    let again = ns.run(&["--http", "http://[fe80::a%25vz0]:4000/"]);
    again.expect_status("no link vz0");
}

#[test]
#[ignore = "needs a network namespace"]
fn probes_wait_for_the_others() {
    let ns = netns!();
    // The end of a detection is a change of the network, which may begin a new try.
    keep_ipv6_quiet(&ns);
    ns.ip(&format!("{LO}; {UP0}"));
    let calls = silent("127.0.0.1:4000");
    let gate = ns.gate("[[require]]\nroute = \"default\"\n[[require]]\ntcp = \"127.0.0.1:4000\"\n");
    let check = ns.check(&[&gate]);
    check.assert_unready("no-route", "no default route").assert_unready("not-tried", "waits for the others");
    let run = ns.run(&[&gate]);
    assert_eq!(run.expect_waiting(), "Waiting (up to 90s): no default route");
    run.stays_unready();
    assert!(calls.try_recv().is_err(), "it was asked though the others are unmet");
    ns.ip(UPLINK);
    run.expect_ready();
    assert!(calls.recv_timeout(SOON).is_ok());
    // The probe stays met. It is tried again after another requirement was lost.
    run.stays_ready();
    ns.ip("addr add 192.0.2.3/24 dev va0");
    run.stays_ready();
    assert!(calls.try_recv().is_err(), "it was asked again after READY=1");
    ns.ip("route del default");
    run.expect_lost();
    assert!(calls.try_recv().is_err());
    ns.ip("route add default via 192.0.2.254 dev va0");
    run.expect_now_ready();
    assert!(calls.recv_timeout(SOON).is_ok());
}

#[test]
#[ignore = "needs a network namespace"]
fn the_option_no_probes_asks_nobody() {
    let ns = netns!();
    ns.ip(LO);
    let calls = silent("127.0.0.1:4000");
    let gate = ns.gate("[[require]]\naddress = \"127.0.0.1\"\ntcp = \"127.0.0.1:4000\"\n");
    let check = ns.check(&["--no-probes", &gate]);
    check.assert_ready();
    let probe = &check.json["requirements"][1];
    assert_eq!(probe["requirement"], "tcp 127.0.0.1:4000", "{:#}", check.json);
    assert_eq!(
        (&probe["met"], &probe["required"], &probe["code"]),
        (&false.into(), &false.into(), &"not-tried".into())
    );
    let text = ns.output(&["check", "--no-probes", &gate]);
    assert!(text.stdout.contains("skipped  tcp 127.0.0.1:4000  not tried, does not count"), "{text:?}");
    ns.check(&["--no-probes", "-4", "--tcp", "127.0.0.1:4000"]).assert_unready("no-address", "IPv4");
    assert!(calls.try_recv().is_err(), "it was asked");
    ns.check(&[&gate]).assert_ready();
    assert!(calls.recv_timeout(SOON).is_ok());
}

#[test]
#[ignore = "needs a network namespace"]
fn one_item_of_a_list_is_enough_if_the_quorum_says_so() {
    let ns = netns!();
    ns.ip(LO);
    let list = "tcp = [\"127.0.0.1:4000\", \"127.0.0.1:4001\"]\n";
    let any = ns.gate(&format!("[[require]]\n{list}quorum = \"any\"\n"));
    let all = ns.gate(&format!("[[require]]\n{list}"));
    ns.check(&[&any]).assert_unready("probe-failed", "refused");
    let run = ns.run(&[&any]);
    run.expect_status("127.0.0.1:4001: connection refused");
    let _server = silent("127.0.0.1:4001");
    run.expect_ready();
    ns.check(&[&any]).assert_ready();
    ns.check(&[&all]).assert_unready("probe-failed", "refused");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_grace_and_a_recheck() {
    let ns = netns!();
    ns.ip(LO);
    let gate = ns.gate(
        "[[require]]\naddress = \"127.0.0.1\"\n[[require]]\ntcp = \"127.0.0.1:4000\"\ngrace = \"300ms\"\n",
    );
    let run = ns.run(&[&gate]);
    run.expect_ready();
    assert!(run.expect_now_ready().contains("(without: tcp 127.0.0.1:4000)"), "{}", run.transcript());
    // The gate did not wait for the probe. The probe is tried again after a change of the network.
    let (listening, connections) =
        (TcpListener::bind("127.0.0.1:4000").unwrap(), Arc::new(AtomicUsize::new(0)));
    // An open gate tries it once after a change. On a busy machine that try may take too long, so change it again.
    ns.until("with it", || {
        ns.ip("addr replace 127.0.0.2/8 dev lo");
        thread::sleep(Duration::from_secs(1));
        let _ = ns.try_ip("addr del 127.0.0.2/8 dev lo");
        !run.last_status().contains("without")
    });
    // The probe is asked every second, until nobody answers any more.
    let recheck = ns.run(&[&ns.gate("[[require]]\ntcp = \"127.0.0.1:4000\"\nrecheck = \"1s\"\n")]);
    recheck.expect_ready();
    let counted = Arc::clone(&connections);
    let (again, seen) = channel();
    let acceptor = thread::spawn(move || {
        for _ in 0..4 {
            let _ = listening.accept();
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = again.send(());
        }
        // The listener is dropped, so further connections are refused.
    });
    while seen.recv_timeout(SOON).is_ok() {}
    acceptor.join().unwrap();
    // On a busy machine the gate may be lost earlier, because a try took too long.
    recheck.expect_status("connection refused");
    recheck.expect_lost();
    assert_eq!(connections.load(Ordering::Relaxed), 4);
    run.stays_ready();
    let _server = silent("127.0.0.1:4000");
    recheck.expect_now_ready();
}

/// Starts a name server. It answers each query with this response code and no record, or with one address.
pub fn name_server(address: &str, code: Option<u8>) -> Receiver<()> {
    let socket = UdpSocket::bind((address, 53)).unwrap();
    let (tell, hear) = channel();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let _ = tell.send(());
            let question = &query[12..length];
            let end = question.iter().position(|octet| *octet == 0).unwrap() + 5;
            let ipv4 = question[end - 3] == 1;
            let mut reply = query[..12 + end].to_vec();
            reply[2] = 0x81;
            reply[3] = 0x80 | code.unwrap_or(0);
            reply[6..12].fill(0);
            if code.is_none() && ipv4 {
                reply[7] = 1;
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 80]);
            }
            let _ = socket.send_to(&reply, from);
        }
    });
    hear
}

#[test]
#[ignore = "needs a network namespace"]
fn names() {
    let ns = netns!();
    let ns = ns.with_private_etc();
    std::fs::write("/etc/nsswitch.conf", "hosts: files dns\n").unwrap();
    ns.ip(&format!("{LO}; {UP0}; addr add 192.0.2.1/24 dev va0"));
    let resolv = |text: &str| std::fs::write("/etc/resolv.conf", text).unwrap();
    let check = || ns.check(&["--dns", "registry.example.org"]);
    let _good = name_server("127.0.0.10", None);
    let _bad = name_server("127.0.0.11", Some(2));
    let _unknown = name_server("127.0.0.12", Some(3));
    let _refusing = name_server("127.0.0.13", Some(5));
    let _mute = UdpSocket::bind("127.0.0.14:53").unwrap();
    for (server, reason) in [
        ("127.0.0.11", "SERVFAIL from 127.0.0.11"),
        ("127.0.0.12", "NXDOMAIN from 127.0.0.12"),
        ("127.0.0.13", "REFUSED from 127.0.0.13"),
        ("127.0.0.14", "no answer from 127.0.0.14"),
        ("127.0.0.15", "127.0.0.15: connection refused"),
    ] {
        resolv(&format!("nameserver {server}\n"));
        check().assert_unready("probe-failed", reason);
    }
    resolv("nameserver 127.0.0.12\n");
    ns.check(&["--tcp", "nas.example.org:22"])
        .assert_unready("probe-failed", "dns nas.example.org: NXDOMAIN from 127.0.0.12");
    resolv("# nothing\n");
    check().assert_unready("probe-failed", "no nameserver");
    let run = ns.run(&["--dns", "registry.example.org"]);
    run.expect_status("Waiting (up to 90s): dns registry.example.org: no nameserver");
    // After a change of resolv.conf, the probe is tried again.
    resolv("nameserver 127.0.0.10\n");
    run.expect_ready();
    let ready = check();
    ready.assert_ready();
    assert_eq!(ready.json["requirements"][0]["reason"], "192.0.2.80", "{:#}", ready.json);
}

#[test]
#[ignore = "needs a network namespace"]
fn what_a_server_answers() {
    let ns = netns!();
    ns.ip(LO);
    let _ok = http("127.0.0.1:4200", |_| {
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html>sign in</html>".to_owned()
    });
    let _limited =
        http("127.0.0.1:4429", |_| "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\n\r\n".to_owned());
    let _unavailable = http("127.0.0.1:4503", status("503 Service Unavailable"));
    let _unauthorized = http("127.0.0.1:4401", status("401 Unauthorized"));
    let _around = http("127.0.0.1:4302", |request| {
        let to = if request.starts_with("GET /a ") { "/b" } else { "/a" };
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n")
    });
    let _ever_on = http("127.0.0.1:4307", |request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        format!("HTTP/1.1 307 On\r\nLocation: {path}x\r\n\r\n")
    });
    let _elsewhere = http("127.0.0.1:4301", |_| {
        "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:4503/\r\n\r\n".to_owned()
    });
    let _http2 = serve("127.0.0.1:4002", |mut stream| {
        let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        let _ = stream.read(&mut [0; 512]);
    });
    let _ssh = serve("127.0.0.1:4022", |mut stream| drop(stream.write_all(b"SSH-2.0-test\r\n")));
    let _hasty = serve("127.0.0.1:4023", |mut stream| {
        let _ = stream.read(&mut [0; 512]);
    });
    for (port, reason) in [
        (4429, "status 429 too many requests, Retry-After: 30"),
        (4503, "status 503 service unavailable"),
        (4302, "redirection loop: http://127.0.0.1:4302/b leads back to http://127.0.0.1:4302/a"),
        (4307, "more than 5 redirections, the last to http://127.0.0.1:4307/"),
        (4301, "redirected to http://127.0.0.1:4503/: status 503 service unavailable"),
        (4002, "the answer is HTTP/2: the server does not speak HTTP/1.1"),
        (4022, "the server did not answer with HTTP"),
        (4023, "the connection was closed without an answer"),
        (4999, "connection refused"),
    ] {
        let path = if port == 4302 { "/a" } else { "/" };
        ns.check(&["--http", &format!("http://127.0.0.1:{port}{path}")])
            .assert_unready("probe-failed", reason);
    }
    ns.check(&["--http", "https://127.0.0.1:4022/"])
        .assert_unready("probe-failed", "the server does not speak TLS");
    // An HTML page is a valid answer. The reason mentions its type.
    let page = ns.check(&["--http", "http://127.0.0.1:4200/"]);
    page.assert_ready();
    assert_eq!(page.json["requirements"][0]["reason"], "status 200 (text/html)", "{:#}", page.json);
    ns.check(&["--http", "http://127.0.0.1:4401/"]).assert_ready();
    let expect = |port: u16, codes: &str| {
        ns.check_gate(&format!("[[require]]\nhttp = \"http://127.0.0.1:{port}/\"\nexpect = {codes}\n"))
    };
    expect(4401, "[200, 401]").assert_ready();
    expect(4401, "200").assert_unready("probe-failed", "status 401 unauthorized, expected 200");
    expect(4503, "[503]").assert_ready();
    expect(4302, "302").assert_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn by_way_of_a_proxy() {
    let ns = netns!();
    ns.ip(LO);
    let proxy = |request: &str| {
        let expected = request.starts_with("GET http://registry.example.org/v2/ HTTP/1.1\r\n")
            && request.contains("\r\nHost: registry.example.org\r\n")
            && request.contains("\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n");
        let refused = request.starts_with("CONNECT registry.example.org:443 HTTP/1.1\r\n");
        let status = if expected {
            204
        } else if refused {
            407
        } else {
            500
        };
        format!("HTTP/1.1 {status} x\r\n\r\n")
    };
    let _proxy = http("127.0.0.1:3128", proxy);
    let check = |url: &str, name: &str, value: &str| {
        let command = ns.command(&["check", "--http", url]);
        command.env(name, value).output().stdout
    };
    let said = check("http://registry.example.org/v2/", "http_proxy", "http://user:pass@127.0.0.1:3128");
    assert!(said.contains("met    http http://registry.example.org/v2/  status 204"), "{said}");
    let said = check("https://registry.example.org/v2/", "ALL_PROXY", "127.0.0.1:3128");
    assert!(said.contains("proxy 127.0.0.1:3128: status 407"), "{said}");
    let said = check("https://registry.example.org/v2/", "HTTPS_PROXY", "socks5://127.0.0.1:3128");
    assert!(said.contains("not supported"), "{said}");
    let said = check("http://registry.example.org/v2/", "http_proxy", "127.0.0.1:3129");
    assert!(said.contains("proxy 127.0.0.1:3129: connection refused"), "{said}");
}

/// A certificate authority of the test.
pub struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: rcgen::Issuer::new(params, key), pem }
    }
}

/// Starts a TLS server whose certificate is for this name and valid in these years.
pub fn tls(address: &str, name: &str, years: (i32, i32), by: Option<&Authority>, alpn: &str) -> Receiver<()> {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = match by {
        Some(authority) => params.signed_by(&key, &authority.issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let config = Arc::new(config);
    serve(address, move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        answer(rustls::StreamOwned::new(connection, stream), status("204 No Content"));
    })
}

#[test]
#[ignore = "needs a network namespace"]
fn certificates() {
    let ns = netns!();
    ns.ip(LO);
    let (ours, others) = (Authority::new("ours"), Authority::new("others'"));
    let now = (2020, 2100);
    let _good = tls("127.0.0.1:4443", "127.0.0.1", now, Some(&ours), "http/1.1");
    let _expired = tls("127.0.0.1:4444", "127.0.0.1", (2020, 2021), Some(&ours), "http/1.1");
    let _early = tls("127.0.0.1:4445", "127.0.0.1", (2099, 2100), Some(&ours), "http/1.1");
    let _wrong = tls("127.0.0.1:4446", "b.example", now, Some(&ours), "http/1.1");
    let _foreign = tls("127.0.0.1:4447", "127.0.0.1", now, Some(&others), "http/1.1");
    let _self_signed = tls("127.0.0.1:4448", "127.0.0.1", now, None, "http/1.1");
    let _http2 = tls("127.0.0.1:4449", "127.0.0.1", now, Some(&ours), "h2");
    let store = ns.file("roots", &ours.pem);
    let check = |port: u16, store: &str| {
        let url = format!("https://127.0.0.1:{port}/");
        ns.command(&["check", "--http", &url]).env("SSL_CERT_FILE", store).output()
    };
    let good = check(4443, &store);
    assert!(good.code == 0 && good.stdout.contains("status 204"), "{good:?}");
    for (port, reason) in [
        (4444, "the certificate has expired"),
        (4445, "the certificate is not valid yet: is this host's clock right?"),
        (4446, "the certificate is not for 127.0.0.1"),
        (4447, "the certificate is of an issuer that this host does not trust"),
        (4448, "the certificate is self-signed"),
        (4449, "the server does not speak HTTP/1.1 (HTTP/2 only?)"),
    ] {
        let said = check(port, &store);
        assert!(said.code == 1 && said.stdout.contains(reason), "{reason}: {said:?}");
    }
    let said = check(4443, "/nonexistent");
    assert!(said.stdout.contains("no trust store"), "{said:?}");
}

/// Starts a proxy that connects every tunnel to this address, and reports only that it did.
fn tunnels(address: &str, to: &'static str) -> Receiver<()> {
    serve(address, move |mut stream| {
        let mut request = Vec::new();
        let mut octet = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|length| length == 1) {
            request.extend(octet);
        }
        let Ok(mut server) = TcpStream::connect(to) else { return };
        let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
        let (mut back, mut onward) = (stream.try_clone().unwrap(), server.try_clone().unwrap());
        let backwards = thread::spawn(move || std::io::copy(&mut server, &mut back));
        let _ = std::io::copy(&mut stream, &mut onward);
        let _ = onward.shutdown(std::net::Shutdown::Both);
        let _ = backwards.join();
    })
}

#[test]
#[ignore = "needs a network namespace"]
fn tls_through_a_tunnel() {
    let ns = netns!();
    ns.ip(LO);
    let ours = Authority::new("ours");
    let _server = tls("127.0.0.1:4443", "registry.example.org", (2020, 2100), Some(&ours), "http/1.1");
    let _proxy = tunnels("127.0.0.1:3128", "127.0.0.1:4443");
    let store = ns.file("roots", &ours.pem);
    let check = |url: &str, store: &str| {
        let command = ns.command(&["check", "--http", url]);
        command.env("HTTPS_PROXY", "127.0.0.1:3128").env("SSL_CERT_FILE", store).output()
    };
    let good = check("https://registry.example.org/v2/", &store);
    assert!(good.code == 0 && good.stdout.contains("status 204"), "{good:?}");
    // The certificate is the server's, so the message does not blame the proxy.
    let said = check("https://other.example.org/", &store).stdout;
    let why = "the certificate is not for other.example.org, but for registry.example.org";
    assert!(said.contains(why) && !said.contains("proxy 127"), "{said}");
}

/// Makes another host at the far end of the link, with the gateway's addresses.
pub fn neighbour(ns: &Netns) -> Elsewhere {
    let other = Elsewhere::new();
    ns.ip(&format!("{LO}; {UP0}; link set vb0 netns {}", other.pid()));
    other.ip("link set vb0 up; addr add 192.0.2.254/24 dev vb0; addr add 2001:db8::fe/64 dev vb0 nodad");
    ns.ip("addr add 192.0.2.1/24 dev va0; addr add 2001:db8::1/64 dev va0 nodad");
    other
}

#[test]
#[ignore = "needs a network namespace"]
fn echo() {
    let ns = netns!();
    let other = neighbour(&ns);
    // systemd allows ping for everybody; the kernel's own default allows it for nobody.
    ns.sysctl("net.ipv4.ping_group_range", "1 0");
    ns.check(&["--ping", "192.0.2.254"]).assert_unready("probe-failed", "net.ipv4.ping_group_range");
    ns.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    ns.check(&["--ping", "192.0.2.254", "--ping", "2001:db8::fe"]).assert_ready();
    let said = ns.command(&["check", "-j", "--ping", "192.0.2.254"]).unprivileged().output();
    assert_eq!(said.code, 0, "{said:?}");
    // No host has the first address, so the kernel reports an error. A host has the second address, but does not
    // answer.
    ns.check(&["--ping", "192.0.2.253"]).assert_unready("probe-failed", "no");
    other.ip("route add blackhole 192.0.2.1");
    ns.check(&["--ping", "192.0.2.254"]).assert_unready("probe-failed", "no answer");
    let run = ns.run(&["--ping", "192.0.2.254"]);
    run.expect_status("no answer");
    other.ip("route del blackhole 192.0.2.1");
    run.expect_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn the_gateway() {
    let ns = netns!();
    let other = neighbour(&ns);
    let gate = |family: &str| ns.gate(&format!("[[require]]\ngateway = \"{family}\"\n"));
    ns.check(&[&gate("any")]).assert_unready("no-route", "no default route");
    // No host has the address of this gateway.
    ns.ip("route add default via 192.0.2.253 dev va0");
    ns.check(&[&gate("ipv4")]).assert_unready("probe-failed", "gateway 192.0.2.253 on va0 does not answer");
    ns.check(&[&gate("ipv6")]).assert_unready("no-route", "IPv6");
    let run = ns.run(&[&gate("ipv4")]);
    run.expect_status("Waiting (up to 90s): gateway 192.0.2.253 on va0 does not answer");
    other.ip("addr add 192.0.2.253/24 dev vb0");
    run.expect_ready();
    ns.check(&[&gate("any")]).assert_ready();
    // Another gateway needs another answer.
    ns.ip("route replace default via 192.0.2.252 dev va0");
    run.expect_lost();
    run.expect_status("gateway 192.0.2.252 on va0 does not answer");
    ns.ip("route replace default via 192.0.2.254 dev va0; neigh flush dev va0");
    run.expect_now_ready();
    // The IPv6 gateway may be a link-local address, as in router advertisements.
    ns.ip("-6 route add default via 2001:db8::fe dev va0");
    ns.check(&[&gate("ipv6")]).assert_ready();
    let said = ns.command(&["check", &gate("any")]).unprivileged().output();
    assert_eq!(said.code, 0, "{said:?}");
    ns.ip("route replace default dev va0");
    ns.check(&[&gate("ipv4")]).assert_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn an_entry_that_is_stale_proves_nothing() {
    let ns = netns!();
    let other = neighbour(&ns);
    ns.ip("route add default via 192.0.2.254 dev va0; neigh replace 192.0.2.254 dev va0 lladdr 02:00:5e:00:00:99 nud stale");
    // The host with that hardware address is gone. The host that has the address now answers after the kernel asks
    // again.
    let run = ns.run(&["--gateway", "ipv4"]);
    run.stays_unready();
    other.ip("link set vb0 down");
    run.stays_unready();
}

#[test]
#[ignore = "needs a network namespace"]
fn ten_that_hang_leave_nothing_and_hold_nothing_up() {
    let ns = netns!();
    // The end of a detection is a change of the network, which may begin new tries.
    keep_ipv6_quiet(&ns);
    ns.ip(&format!("{LO}; {UP0}; {UPLINK}"));
    let calls = silent("127.0.0.1:4000");
    let urls: Vec<String> = (0..10).map(|n| format!("\"http://127.0.0.1:4000/{n}\"")).collect();
    let clause = format!("[[require]]\nroute = \"default\"\nhttp = [{}]\n", urls.join(", "));
    let gate = ns.gate(&clause);
    let run = ns.run(&[&gate]);
    for _ in 0..10 {
        calls.recv_timeout(SOON).expect("ten are tried side by side");
    }
    // A try hangs for five seconds. On a busy machine some may have ended before the last one began.
    ns.until("ten hang", || children(&run).len() == 10);
    let hanging = children(&run);
    // netready handles an event while the probes hang, and ends the probes that are not needed any more.
    ns.ip("route del default");
    run.expect_status_where("the event", |status| status.ends_with(": no default route"));
    ns.until("no try is left", || !hanging.iter().any(|pid| exists(*pid)));
    ns.until("no try begins", || children(&run).is_empty());
    // The probes also end when the gate ends, however it ends.
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        ns.ip("route replace default via 192.0.2.254 dev va0");
        let run = ns.run(&[&gate]);
        ns.until("ten hang", || children(&run).len() == 10);
        let hanging = children(&run);
        run.signal(signal);
        run.expect_exit();
        ns.until("no try is left", || !hanging.iter().any(|pid| exists(*pid)));
    }
    // netready has one process and one thread, and no socket in addition to those that it had before the first
    // probe.
    ns.until("they hang again", || children(&run).len() == 10);
    let pid = run.pid();
    assert_eq!(std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count(), threads(&ns));
}

/// Returns the number of threads of a `run` without probes.
fn threads(ns: &Netns) -> usize {
    let run = ns.run(&["--route-to", "198.51.100.7", "-a", "198.51.100.7"]);
    run.expect_waiting();
    run.stays_unready();
    std::fs::read_dir(format!("/proc/{}/task", run.pid())).unwrap().count()
}

#[test]
#[ignore = "needs a network namespace"]
fn a_try_is_bounded_and_named() {
    let ns = netns!();
    ns.ip(LO);
    let _calls = silent("127.0.0.1:4000");
    let run = ns.run(&["--http", "http://127.0.0.1:4000/"]);
    run.expect_status("Waiting (up to 90s): http http://127.0.0.1:4000/: timed out after 5s");
    let limit = ns.run(&["--http", "http://127.0.0.1:4000/", "-t", "300ms"]);
    assert_eq!(limit.expect_exit(), Exit::Code(1));
    assert!(limit.stderr().contains("http http://127.0.0.1:4000/: no answer yet"), "{}", limit.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn a_change_of_the_network_begins_a_new_try() {
    // A try that hangs ends by itself after five seconds. A busy machine may need several attempts to change the network
    // before that.
    for _ in 0..20 {
        let ns = netns!();
        ns.ip(LO);
        let calls = silent("127.0.0.1:4000");
        let began = Instant::now();
        let run = ns.run(&["--http", "http://127.0.0.1:4000/"]);
        calls.recv_timeout(SOON).unwrap();
        let first = children(&run);
        // There are at least 250 ms between two tries.
        thread::sleep(Duration::from_millis(300));
        ns.ip("addr add 127.0.0.2/8 dev lo");
        calls.recv_timeout(SOON).unwrap();
        ns.until("the first one is gone", || !first.iter().any(|pid| exists(*pid)));
        let timed_out = run.statuses().iter().any(|status| status.contains("timed out"));
        if began.elapsed() < Duration::from_secs(5) {
            assert!(!timed_out, "{}", run.transcript());
            return;
        }
    }
    panic!("this machine is too slow for two tries in five seconds");
}

#[test]
#[ignore = "needs a network namespace"]
fn monitor_and_reload() {
    let ns = netns!();
    ns.ip(LO);
    let path = ns.gate("[[require]]\ntcp = \"127.0.0.1:4000\"\n");
    let monitor = ns.monitor(&[&path]);
    monitor.expect_stdout_where("refused", |line| {
        line.contains("unmet  tcp 127.0.0.1:4000  connection refused")
    });
    let run = ns.run(&[&path]);
    run.expect_status("connection refused");
    let _server = silent("127.0.0.1:4001");
    std::fs::write(&path, "[[require]]\ntcp = \"127.0.0.1:4001\"\n").unwrap();
    run.signal(Signal::SIGHUP);
    run.expect_ready();
    let _server = silent("127.0.0.1:4000");
    monitor.expect_stdout_where("met", |line| line.contains("Ready: tcp 127.0.0.1:4000"));
}

/// `retry` makes no attempt while the gate is shut. `wait -- COMMAND` leaves no process behind.
#[test]
#[ignore = "needs a network namespace"]
fn retry_and_wait_for_a_probe() {
    let ns = netns!();
    ns.ip(LO);
    let (mark, other) = (ns.scratch().join("attempted"), ns.scratch().join("became"));
    let retry = ["retry", "--tcp", "127.0.0.1:4000", "--", "touch", mark.to_str().unwrap()];
    let wait = ["wait", "--tcp", "127.0.0.1:4000", "--", "touch", other.to_str().unwrap()];
    let both = [&retry, &wait].map(|words| ns.command(&words[..]).spawn());
    for process in &both {
        process.expect_stderr("tcp 127.0.0.1:4000: connection refused");
    }
    assert!(!mark.exists() && !other.exists());
    let _server = silent("127.0.0.1:4000");
    for process in &both {
        assert_eq!(process.expect_exit(), Exit::Code(0), "{}", process.transcript());
    }
    assert!(mark.exists() && other.exists());
}
