use super::*;
use proptest::prelude::*;

const PING: &str = "pinging container registry localhost:5000: ";
const MANIFEST: &str = "reading manifest 1 in localhost:5000/lib/img: ";

/// As Podman 5.4.2 and as 5.8.6 put the same failure, and skopeo.
fn as_printed(tail: &str) -> [String; 3] {
    let reference = "docker://localhost:5000/lib/img:1";
    [
        format!(
            "Trying to pull localhost:5000/lib/img:1...\nError: initializing source {reference}: {tail}\n"
        ),
        format!("Error: unable to copy from source {reference}: initializing source {reference}: {tail}\n"),
        format!(
            "time=\"2026-06-01T08:15:30Z\" level=fatal msg=\"initializing source {reference}: {}\"\n",
            tail.replace('\\', "\\\\").replace('"', "\\\"")
        ),
    ]
}

/// Each was seen (Podman 4.3.1, 5.4.2, 5.8.6), but for names and numbers.
fn recorded() -> Vec<(String, Again, &'static str)> {
    let ping = |tail: &str| format!("{PING}Get \"https://localhost:5000/v2/\": {tail}");
    let manifest = |tail: &str| format!("{MANIFEST}{tail}");
    let raw = str::to_owned;
    vec![
        (ping("dial tcp 127.0.0.1:5000: connect: connection refused"), Later, "connection refused"),
        (ping("dial tcp 198.51.100.7:443: connect: network is unreachable"), Later, "network unreachable"),
        (ping("dial tcp 198.51.100.7:443: connect: no route to host"), Later, "no route to host"),
        (ping("dial tcp 198.51.100.7:443: i/o timeout"), Later, "timeout"),
        (ping("EOF"), Later, "connection closed"),
        (
            ping("read tcp 127.0.0.1:40112->127.0.0.1:5000: read: connection reset by peer"),
            Later,
            "connection reset",
        ),
        (ping("dial tcp 10.9.0.1:6028: connect: connection reset by peer"), Later, "connection reset"),
        (
            ping("write tcp 10.9.0.2:40112->10.9.0.1:6028: write: connection reset by peer"),
            Later,
            "connection reset",
        ),
        (
            ping(
                "readLoopPeekFailLocked: read tcp 10.9.0.2:40112->10.9.0.1:6028: read: connection reset by peer",
            ),
            Later,
            "connection reset",
        ),
        (ping("net/http: TLS handshake timeout"), Later, "timeout of the TLS handshake"),
        (
            raw(
                "copying system image from manifest list: writing blob: storing blob to file \"/var/tmp/storage1/1\": happened during read: unexpected EOF (after reconnecting, server did not process a Range: header, status 200)",
            ),
            Later,
            "cut off",
        ),
        (
            raw(
                "writing blob: storing blob to file \"/var/tmp/container_images_storage1/1\": happened during read: (heuristic tuning data: total 1539072 @1119.429 ms, last retry 1026048 @2.190 ms, last progress @ 0.045 ms): unexpected EOF",
            ),
            Later,
            "cut off",
        ),
        (
            raw(
                "writing blob: storing blob to file \"/var/tmp/x\": happened during read: Digest did not match, expected sha256:aa, got sha256:bb",
            ),
            Later,
            "wrong content",
        ),
        (format!("{PING}received unexpected HTTP status: 500 Internal Server Error"), Later, "HTTP 500"),
        (format!("{PING}received unexpected HTTP status: 501 Not Implemented"), Later, "HTTP 501"),
        (format!("{PING}received unexpected HTTP status: 502 Bad Gateway"), Later, "HTTP 502"),
        (manifest("received unexpected HTTP status: 503 Service Unavailable"), Later, "HTTP 503"),
        (raw("fetching blob: received unexpected HTTP status: 504 Gateway Timeout"), Later, "HTTP 504"),
        (format!("{PING}received unexpected HTTP status: 520 <unknown>"), Later, "HTTP 5xx"),
        (
            manifest(
                "Requesting bearer token: invalid status code from registry 500 (Internal Server Error)",
            ),
            Later,
            "HTTP 5xx",
        ),
        (
            manifest("Requesting bearer token: received unexpected HTTP status: 500 Internal Server Error"),
            Later,
            "HTTP 500",
        ),
        (
            manifest("Requesting bearer token: invalid status code from registry 403 (Forbidden)"),
            Never,
            "the registry refuses",
        ),
        (
            manifest("Requesting bearer token: received unexpected HTTP status: 403 Forbidden"),
            Never,
            "the registry refuses",
        ),
        (
            manifest(
                "unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password",
            ),
            Never,
            "wrong user or password",
        ),
        (manifest("too many requests to registry"), LIMITED, "rate limit"),
        (manifest("toomanyrequests: You have reached your pull rate limit."), LIMITED, "rate limit"),
        (manifest("authentication required"), Never, "authentication required"),
        (manifest("unauthorized"), Never, "not authorized"),
        (manifest("requested access to the resource is denied"), Never, "access denied"),
        (
            manifest("StatusCode: 403, \"<html>\\n<h1>503 Service Unavailable</h1>\""),
            Never,
            "the registry refuses",
        ),
        (manifest("StatusCode: 404, \"<html>...\""), Never, "the registry refuses"),
        (
            format!("{PING}StatusCode: 400, \"Client sent an HTTP request to an HTTPS server.\\n\""),
            AtBootOnly,
            "HTTP 400 (asked without TLS?)",
        ),
        (
            format!("{PING}invalid status code from registry 502 (Bad Gateway)"), // 4.3.1
            Later,
            "HTTP 5xx",
        ),
        (manifest("denied"), Never, "access denied"), // 4.3.1
        (manifest("manifest unknown"), Never, "no such manifest"),
        (manifest("repository name not known to registry"), Never, "no such repository"),
        (raw("fetching blob: blob unknown to registry"), Later, "blob not there yet"),
        (
            ping("tls: failed to verify certificate: x509: certificate signed by unknown authority"),
            Never,
            "certificate not accepted",
        ),
        (ping("x509: certificate signed by unknown authority"), Never, "certificate not accepted"),
        (
            ping(
                "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-06-01T00:00:00Z is after 2025-01-01T00:00:00Z",
            ),
            AtBootOnly,
            "certificate not valid now (the clock?)",
        ),
        (
            ping(
                "tls: failed to verify certificate: x509: certificate is not valid for any names, but wanted to match localhost",
            ),
            Never,
            "certificate not accepted",
        ),
        (
            ping(
                "tls: failed to verify certificate: x509: certificate is valid for elsewhere.example.net, not a.tls.example.org",
            ),
            Never,
            "certificate not accepted",
        ),
        (ping("tls: first record does not look like a TLS handshake"), Never, "no TLS at the other end"),
        (ping("http: server gave HTTP response to HTTPS client"), Never, "no TLS at the other end"),
        (
            raw(
                "initializing image from source docker://localhost:5000/lib/img:1: invalid character '<' looking for beginning of value",
            ),
            AtBootOnly,
            "HTML instead of JSON (a captive portal?)",
        ),
        (ping("dial tcp: lookup quay.io on 127.0.0.53:53: no such host"), AtBootOnly, "DNS: no such host"),
        (ping("dial tcp: lookup quay.io: no such host"), AtBootOnly, "DNS: no such host"),
        (ping("dial tcp: lookup quay.io on 10.0.0.1:53: server misbehaving"), Later, "DNS: the server fails"),
        (
            ping("dial tcp: lookup quay.io: Temporary failure in name resolution"),
            Later,
            "DNS: temporary failure",
        ),
        (
            ping(
                "dial tcp: lookup quay.io on 10.0.0.1:53: read udp 10.0.0.2:40112->10.0.0.1:53: i/o timeout",
            ),
            Later,
            "DNS: server does not answer",
        ),
        (
            ping(
                "dial tcp: lookup quay.io on [::1]:53: read udp [::1]:40112->[::1]:53: read: connection refused",
            ),
            Later,
            "DNS: server does not answer",
        ),
        (
            ping(
                "dial tcp: lookup quay.io on 10.0.0.1:53: dial udp 10.0.0.1:53: connect: network is unreachable",
            ),
            Later,
            "DNS: server unreachable",
        ),
        (
            raw("parsing reference \"Localhost/A\": repository name must be lowercase"),
            Never,
            "bad image name",
        ),
        (
            raw(
                "short-name \"x\" did not resolve to an alias and no unqualified-search registries are defined in \"/etc/containers/registries.conf\"",
            ),
            Never,
            "short name that is not resolved",
        ),
    ]
}

#[test]
fn every_recorded_text() {
    for (tail, again, why) in recorded() {
        for text in as_printed(&tail) {
            assert_eq!(classify(&text), Meaning { again, why: why.to_owned() }, "{text}");
        }
    }
}

#[test]
fn of_podmans_own_retries_the_last_error_counts() {
    let text = "time=\"2026-06-01T08:15:30Z\" level=warning msg=\"Failed, retrying in 1s ... (1/1). Error: initializing source docker://h/a:1: pinging container registry h: Get \\\"https://h/v2/\\\": dial tcp 10.0.0.1:443: connect: connection refused\"\n\
        Error: initializing source docker://h/a:1: reading manifest 1 in h/a: manifest unknown\n";
    assert_eq!(classify(text).again, Never);
}

#[test]
fn what_a_registry_writes_itself_is_not_believed() {
    for (tail, again) in [
        ("toomanyrequests: manifest unknown: denied: connection refused", LIMITED),
        ("received unexpected HTTP status: 502 Bad Gateway: {\"errors\":[{\"code\":\"DENIED\"}]}", Later),
        ("manifest unknown: {\"detail\": \": connect: connection refused\"}", Never),
        ("manifest unknown: : connect: connection refused", Never),
        ("StatusCode: 502, \"<html>: manifest unknown", Later),
    ] {
        assert_eq!(classify(&format!("Error: {MANIFEST}{tail}\n")).again, again, "{tail}");
    }
    // A repository may have any name.
    let text =
        format!("Error: initializing source docker://h/denied/x509:eof: {PING}Get \"https://h/v2/\": EOF\n");
    assert_eq!(classify(&text).again, Later);
}

#[test]
fn one_mirror_that_may_yet_answer_is_enough() {
    let gone = "reading manifest 1 in m1:5000/a: manifest unknown";
    let refused = "pinging container registry m2: Get \"https://m2/v2/\": dial tcp [::1]:443: connect: connection refused";
    let limited = "reading manifest 1 in m3/a: toomanyrequests: slow down";
    for (first, second, own, again) in [
        (gone, gone, gone, Never),
        (refused, gone, gone, Later),
        (gone, refused, gone, Later),
        (gone, gone, refused, Later),
        (gone, limited, gone, LIMITED),
        (gone, limited, refused, Later),
    ] {
        let text = format!(
            "Error: initializing source docker://h/a:1: (Mirrors also failed: [m1:5000/a:1: {first}]\n[m2/a:1: {second}]): h/a:1: {own}\n"
        );
        assert_eq!(classify(&text).again, again, "{text}");
    }
}

#[test]
fn colours_and_progress_bars_do_not_hide_it() {
    let text = "Copying blob 1a2b [====>---] 1.0MiB\r\u{1b}[1A\u{1b}[JCopying blob 1a2b [=====>--] 2.0MiB\r\u{1b}[31mError: reading manifest 1 in h/a: manifest unknown\u{1b}[0m\r\n";
    assert_eq!(classify(text).again, Never);
}

#[test]
fn a_wait_that_was_told_is_known_with_debug_output_only() {
    let text = "time=\"x\" level=debug msg=\"Too many requests to https://h/v2/: sleeping for 42.000000 seconds before next attempt\"\n\
        Error: reading manifest 1 in h/a: toomanyrequests: slow down\n";
    assert_eq!(classify(text).again, Again::Limited(Some(Duration::from_secs(42))));
}

#[test]
fn an_unknown_text_can_pass_and_its_end_is_shown() {
    assert_eq!(
        classify("something\nError: the moon is full\n"),
        Meaning { again: Later, why: "the moon is full".to_owned() }
    );
    assert_eq!(classify(""), Meaning { again: Later, why: String::new() });
    assert!(classify(&"x".repeat(1000)).why.chars().count() <= 121);
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "\\PC*", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        classify(&text);
        classify(&format!("Error: (Mirrors also failed: [{text}"));
        classify(&String::from_utf8_lossy(&bytes));
    }
}
