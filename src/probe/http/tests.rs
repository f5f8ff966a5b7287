use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use super::*;

/// Parses an answer that the server sends in two parts. Also returns the request that the server got. With `early`,
/// the server sends before it has got the request.
fn answer(bytes: &[u8], split: usize, early: bool) -> (Result<Parts, String>, String) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    if early {
        theirs.write_all(bytes).unwrap();
    }
    let url = config::parse_url("http://a.example/x?<y>").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                let length = theirs.read(&mut buffer).unwrap();
                assert!(length > 0, "closed before the whole request: {request:?}");
                request.extend(&buffer[..length]);
            }
            if !early {
                theirs.write_all(&bytes[..split]).unwrap();
                let _ = theirs.write_all(&bytes[split..]);
            }
            String::from_utf8(request).unwrap()
        });
        let head = runtime.block_on(async {
            let stream = tokio::net::UnixStream::from_std(ours).unwrap();
            if early && !bytes.is_empty() {
                // From now on a read returns the bytes at once, as it may after a TLS handshake.
                stream.readable().await.unwrap();
            }
            exchange(stream, get(&url, None).unwrap(), "a.example").await.map(|(head, _)| head)
        });
        (head, server.join().unwrap())
    })
}

#[test]
fn heads_of_answers_are_read() {
    const NO_HTTP: Result<u16, &str> = Err("the server did not answer with HTTP");
    const HTTP2: Result<u16, &str> = Err("the answer is HTTP/2: the server does not speak HTTP/1.1");
    const BROKEN: Result<u16, &str> = Err("the connection was closed in the middle of the answer");
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(1000));
    for (text, status) in [
        ("", Err("the connection was closed without an answer")),
        ("HTT", BROKEN),
        ("HTTP/1.1 200 OK\r\n", BROKEN),
        ("HTTP/1.1 103 Early\r\n\r\n", BROKEN),
        ("HTTP/1.1 200 OK\r\n\r\n", Ok(200)),
        ("HTTP/1.0 503\n\n", Ok(503)),
        ("HTTP/1.1 204 x\r\nConnection: keep-alive\r\n\r\n", Ok(204)),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Ok(101)),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\nbody", Ok(404)),
        ("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Ok(200)),
        (&many, Ok(200)),
        (&long, NO_HTTP),
        ("HTTP/1.1 abc\r\n\r\n", NO_HTTP),
        ("HTTP/1.1 99\r\n\r\n", NO_HTTP),
        ("SSH-2.0-x\r\n", NO_HTTP),
        ("<html>", NO_HTTP),
        ("\0\0\u{12}\u{4}\0\0\0\0\0", HTTP2),
        ("\0\0\u{8}\u{7}\0\0\0\0\0........", HTTP2),
        ("\0\0\u{12}", HTTP2),
        ("\0\0\u{12}\u{9}\0\0\0\0\0", NO_HTTP),
    ] {
        for (split, early) in [(0, false), (text.len() / 2, false), (0, true)] {
            let (head, request) = answer(text.as_bytes(), split, early);
            let read = head.as_ref().map(|head| head.status.as_u16()).map_err(String::as_str);
            assert_eq!(read, status, "{text:?} {split} {early}");
            let version = env!("CARGO_PKG_VERSION");
            assert_eq!(
                request,
                format!(
                    "GET /x?%3Cy%3E HTTP/1.1\r\nHost: a.example\r\nUser-Agent: netready/{version}\r\n\
                     Accept: */*\r\nConnection: close\r\n\r\n"
                )
            );
        }
    }
}

#[test]
fn fields_of_answers_are_read() {
    let said = b"HTTP/1.1 302 Found\r\nRetry-AFTER: 7 \r\nX\r\nLocation: /\xff\r\nLocation: /b\r\n\r\n";
    for split in 0..said.len() {
        let (head, _) = answer(said, split, false);
        let head = head.unwrap();
        assert_eq!(field(&head, header::RETRY_AFTER).as_deref(), Some("7"), "{split}");
        assert_eq!(field(&head, header::CONTENT_TYPE), None);
        assert_eq!(redirection(&head).as_deref(), Some("/\u{fffd}"));
    }
    let (head, _) = answer(b"HTTP/1.1 200 OK\r\nLocation: /b\r\n\r\n", 0, false);
    assert_eq!(redirection(&head.unwrap()), None);
}

#[test]
fn redirections_are_resolved() {
    for (from, to, url) in [
        ("http://a.example/x/y?q", "z", "http://a.example/x/z"),
        ("http://a.example/x/y?q", "/z", "http://a.example/z"),
        ("https://a.example:8443/", "/z:1", "https://a.example:8443/z:1"),
        ("https://a.example", "//b.example/z", "https://b.example/z"),
        ("http://a.example/x?q", "?r", "http://a.example/x?r"),
        ("http://a.example", "https://b.example:444", "https://b.example:444/"),
        // A server does not know the client's name of the link between them, so the zone is kept.
        ("http://[fe80::1%25eth0]/x", "/y", "http://[fe80::1%25eth0]/y"),
        ("http://[fe80::1%25eth0]:8080/x", "y", "http://[fe80::1%25eth0]:8080/y"),
        ("http://[fe80::1%25eth0]/x", "?r", "http://[fe80::1%25eth0]/x?r"),
        ("http://[fe80::1%25eth0]/x", "http://[fe80::1]/y", "http://[fe80::1%25eth0]/y"),
        ("http://[fe80::1%25eth0]/x", "//[fe80::2]/y", "http://[fe80::2%25eth0]/y"),
        ("http://[fe80::1%25eth0]/x", "http://a.example/y", "http://a.example/y"),
    ] {
        let from = config::parse_url(from).unwrap();
        assert_eq!(resolve(&from, to).map(|url| url.to_string()), Ok(url.to_owned()), "{to}");
    }
    let from = config::parse_url("http://a.example").unwrap();
    assert!(resolve(&from, "javascript:alert(1)").is_err());
    assert!(resolve(&from, "ftp://a.example").is_err());
}

#[test]
fn an_answer_has_its_text() {
    let url = config::parse_url("http://a.example").unwrap();
    let answer = |status, fields: &[(&str, &str)], expect: &[u16]| {
        let mut head = http::Response::builder().status(status);
        for (name, value) in fields {
            head = head.header(*name, *value);
        }
        let request = Request { url: url.clone(), expect: expect.to_vec() };
        verdict(&request, &url, &head.body(()).unwrap().into_parts().0)
    };
    let ok = |text: &str| Ok(text.to_owned());
    let bad = |text: &str| Err(text.to_owned());
    assert_eq!(answer(200, &[("content-type", "text/html; charset=x")], &[]), ok("status 200 (text/html)"));
    assert_eq!(answer(401, &[], &[]), ok("status 401"));
    assert_eq!(
        answer(429, &[("retry-after", "30")], &[]),
        bad("status 429 too many requests, Retry-After: 30")
    );
    assert_eq!(answer(503, &[], &[]), bad("status 503 service unavailable"));
    assert_eq!(answer(401, &[], &[200, 204]), bad("status 401 unauthorized, expected 200 or 204"));
    assert_eq!(answer(503, &[], &[503]), ok("status 503"));
}
