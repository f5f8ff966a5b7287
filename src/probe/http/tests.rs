use super::*;

fn head(text: &str) -> Result<Option<u16>, String> {
    Head::read(text.as_bytes()).map(|head| head.map(|head| head.status)).map_err(|error| error.to_string())
}

#[test]
fn heads() {
    let no_http = || Err("the answer is no HTTP".to_owned());
    let http2 = || Err("the answer is HTTP/2: the server does not speak HTTP/1.1".to_owned());
    for (text, read) in [
        ("", Ok(None)),
        ("HTT", Ok(None)),
        ("HTTP/1.1 200 OK\r\n", Ok(None)),
        ("HTTP/1.1 200 OK\r\n\r\n", Ok(Some(200))),
        ("HTTP/1.0 503\n\n", Ok(Some(503))),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\nbody", Ok(Some(404))),
        ("HTTP/1.1 103 Early\r\n\r\n", Ok(None)),
        ("HTTP/1.1 abc\r\n\r\n", no_http()),
        ("HTTP/1.1 99\r\n\r\n", no_http()),
        ("SSH-2.0-x\r\n", no_http()),
        ("\0\0\u{12}\u{4}\0\0\0\0\0", http2()),
        ("\0\0\u{8}\u{7}\0\0\0\0\0........", http2()),
        ("\0\0\u{12}", Ok(None)),
        ("\0\0\u{12}\u{9}\0\0\0\0\0", no_http()),
    ] {
        assert_eq!(head(text), read, "{text:?}");
    }
    let whole = "HTTP/1.1 429 Slow Down\r\nRetry-AFTER: 7 \r\nX\r\n\r\n";
    for length in 0..whole.len() {
        assert_eq!(head(&whole[..length]), Ok(None), "{length}");
    }
    let head = Head::read(whole.as_bytes()).unwrap().unwrap();
    assert_eq!(head.field("retry-after"), Some("7"));
}

#[test]
fn redirections() {
    for (from, to, url) in [
        ("http://a.example/x/y?q", "z", "http://a.example/x/z"),
        ("http://a.example/x/y?q", "/z", "http://a.example/z"),
        ("https://a.example:8443/", "/z:1", "https://a.example:8443/z:1"),
        ("https://a.example", "//b.example/z", "https://b.example/z"),
        ("http://a.example/x?q", "?r", "http://a.example/x?r"),
        ("http://a.example", "https://b.example:444", "https://b.example:444/"),
        // A server does not know what its client calls the link between them.
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
fn what_an_answer_says() {
    let url = config::parse_url("http://a.example").unwrap();
    let answer = |status, fields: &[(&str, &str)], expect: &[u16]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = Request { url: url.clone(), expect: expect.to_vec() };
        verdict(&request, &url, &Head { status, fields })
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
