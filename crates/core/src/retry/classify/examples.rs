//! At least one text for each row of the table, with its meaning. Each text was seen in a run or in a public
//! report; only names and numbers were changed.

use super::table::LIMITED;
use crate::retry::Retryability::{self, AtBootOnly, Later, Never};

pub(super) const EXAMPLES: &[(&str, Retryability, &str)] = &[
    // DNS. Go names the server that it asked; glibc and musl do not.
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org on 127.0.0.53:53: no such host",
        AtBootOnly,
        "DNS: no such host",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org: no such host",
        AtBootOnly,
        "DNS: no such host",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org: Name or service not known",
        AtBootOnly,
        "DNS: no such host",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org: Name does not resolve",
        AtBootOnly,
        "DNS: no such host",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org: No address associated with hostname",
        AtBootOnly,
        "DNS: no address",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": proxyconnect tcp: dial tcp: lookup proxy.example.org: no such host",
        AtBootOnly,
        "DNS: no such host",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org on 10.0.0.1:53: server misbehaving",
        Later,
        "DNS: the server fails",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org: Temporary failure in name resolution",
        Later,
        "DNS: temporary failure",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org: Try again",
        Later,
        "DNS: temporary failure",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org on 10.0.0.1:53: dial udp 10.0.0.1:53: connect: network is unreachable",
        Later,
        "DNS: server unreachable",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org on 10.0.0.1:53: dial tcp 10.0.0.1:53: connect: connection refused",
        Later,
        "DNS: server unreachable",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org on [::1]:53: read udp [::1]:40112->[::1]:53: read: connection refused",
        Later,
        "DNS: server does not answer",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org on 10.0.0.1:53: read udp 10.0.0.2:40112->10.0.0.1:53: i/o timeout",
        Later,
        "DNS: server does not answer",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org on 10.0.0.1:53: read tcp 10.0.0.2:40112->10.0.0.1:53: i/o timeout",
        Later,
        "DNS: server does not answer",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org: i/o timeout",
        Later,
        "DNS: timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup r.example.org on 10.0.0.1:53: cannot unmarshal DNS message",
        Later,
        "DNS lookup failed",
    ),
    // The connection to the registry.
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
        Later,
        "connection refused",
    ),
    (
        "pinging docker registry returned: Get https://r.example.org/v2/: dial tcp 198.51.100.7:443: getsockopt: connection refused",
        Later,
        "connection refused",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused",
        Later,
        "connection refused",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp 198.51.100.7:443: connect: network is unreachable",
        Later,
        "network unreachable",
    ),
    (
        "writing blob: storing blob to file \"/var/tmp/x/1\": happened during read: read tcp 10.9.0.2:40112->10.9.0.1:443: read: network is unreachable",
        Later,
        "network unreachable",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp [2001:db8::7]:443: connect: no route to host",
        Later,
        "no route to host",
    ),
    (
        "writing blob: storing blob to file \"/var/tmp/x/1\": happened during read: read tcp 10.9.0.2:40112->10.9.0.1:443: read: no route to host",
        Later,
        "no route to host",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp 10.9.0.1:6028: connect: connection reset by peer",
        Later,
        "connection reset",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": read tcp 127.0.0.1:40112->127.0.0.1:5000: read: connection reset by peer",
        Later,
        "connection reset",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": readLoopPeekFailLocked: read tcp 10.9.0.2:40112->10.9.0.1:6028: read: connection reset by peer",
        Later,
        "connection reset",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp 198.51.100.7:443: connect: network is down",
        Later,
        "cannot connect",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp 198.51.100.7:443: connect: operation not permitted",
        Later,
        "cannot connect",
    ),
    (
        "unable to connect to Podman socket: dial unix /run/podman/podman.sock: connect: permission denied",
        Never,
        "permission denied",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": write tcp 10.9.0.2:40112->10.9.0.1:443: write: broken pipe",
        Later,
        "connection broken",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": read tcp 10.9.0.2:40112->10.9.0.1:443: read: software caused connection abort",
        Later,
        "connection broken",
    ),
    (
        "writing blob: Patch https://r.example.org/v2/k/blobs/uploads/4211: use of closed network connection",
        Later,
        "connection broken",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": http: server closed idle connection",
        Later,
        "connection broken",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": write tcp 10.9.0.2:40112->10.9.0.1:443: write: operation not permitted",
        Later,
        "a firewall on this host forbids it",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": socks connect tcp 127.0.0.1:1080->r.example.org:443: unknown error host unreachable",
        Later,
        "the proxy cannot connect",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp 198.51.100.7:443: i/o timeout",
        Later,
        "timeout",
    ),
    (
        "writing blob: storing blob to file \"/var/tmp/x/2\": happened during read: read tcp 10.0.0.2:5000->10.0.0.1:443: read: connection timed out",
        Later,
        "timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp 198.51.100.7:443: operation timed out",
        Later,
        "timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": net/http: TLS handshake timeout",
        Later,
        "timeout of the TLS handshake",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": http2: timeout awaiting response headers",
        Later,
        "HTTP/2 connection broken",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": net/http: timeout awaiting response headers",
        Later,
        "timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": context deadline exceeded",
        Later,
        "timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
        Later,
        "timeout",
    ),
    (
        "copying system image from manifest list: writing blob: storing blob to file \"/var/tmp/x/1\": happened during read: unexpected EOF (after reconnecting, server did not process a Range: header, status 200)",
        Later,
        "cut off",
    ),
    (
        "writing blob: storing blob to file \"/var/tmp/x/1\": happened during read: (heuristic tuning data: total 1539072 @1119.429 ms, last retry 1026048 @2.190 ms, last progress @ 0.045 ms): unexpected EOF",
        Later,
        "cut off",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": EOF",
        Later,
        "connection closed",
    ),
    (
        "reading blob sha256:aa: Get \"https://cdn.example.org/x\": http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=\"\"",
        Later,
        "HTTP/2 connection broken",
    ),
    (
        "reading blob sha256:aa: fetching blob: stream error: stream ID 5; INTERNAL_ERROR",
        Later,
        "HTTP/2 stream broken",
    ),
    (
        "writing blob: storing blob to file \"/var/tmp/x/1\": happened during read: Digest did not match, expected sha256:aa, got sha256:bb",
        Later,
        "wrong content",
    ),
    ("Manifest does not match provided manifest digest sha256:5f57", Later, "wrong content"),
    // The registry's answer, by its status.
    (
        "pinging container registry r.example.org: StatusCode: 400, \"Client sent an HTTP request to an HTTPS server.\\n\"",
        AtBootOnly,
        "HTTP 400 (asked without TLS?)",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: received unexpected HTTP status: 408 Request Timeout",
        Later,
        "HTTP 408",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: received unexpected HTTP status: 425 Too Early",
        Later,
        "HTTP 425",
    ),
    (
        "failed to authorize: failed to fetch oauth token: unexpected status: 429 Too Many Requests",
        LIMITED,
        "rate limit (HTTP 429)",
    ),
    (
        "failed to solve: r:1: pulling from host r.example.org failed with status code [manifests 1]: 429 Too Many Requests",
        LIMITED,
        "rate limit (HTTP 429)",
    ),
    (
        "pinging container registry r.example.org: received unexpected HTTP status: 511 Network Authentication Required",
        AtBootOnly,
        "HTTP 511 (a captive portal?)",
    ),
    (
        "pinging container registry r.example.org: received unexpected HTTP status: 500 Internal Server Error",
        Later,
        "HTTP 500",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: received unexpected HTTP status: 503 Service Unavailable",
        Later,
        "HTTP 503",
    ),
    ("fetching blob: received unexpected HTTP status: 504 Gateway Timeout", Later, "HTTP 504"),
    (
        "pinging container registry r.example.org: received unexpected HTTP status: 520 <unknown>",
        Later,
        "HTTP 520",
    ),
    ("Requesting bearer token: invalid status code from registry 502 (Bad Gateway)", Later, "HTTP 502"),
    ("failed to read from destination repository img: 500 (Internal Server Error)", Later, "HTTP 500"),
    ("reading blob sha256:8e: Invalid status code returned when fetching blob 504", Later, "HTTP 504"),
    (
        "failed to copy: httpReadSeeker: failed open: unexpected status code https://r.example.org/v2/img/blobs/sha256:d17d: 502 Bad Gateway",
        Later,
        "HTTP 502",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: StatusCode: 302, \"<a href=\\\"https://login.example.net/\\\">Found</a>\"",
        AtBootOnly,
        "redirected (a captive portal?)",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: StatusCode: 404, \"<html>\\n<h1>503 Service Unavailable</h1>...\"",
        Never,
        "refused with HTTP 404",
    ),
    (
        "Requesting bearer token: received unexpected HTTP status: 403 Forbidden",
        Never,
        "refused with HTTP 403",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<title>404 Not Found</title>\"",
        Never,
        "refused with HTTP 404",
    ),
    (
        "unknown: failed to resolve reference \"r.example.org/img:1\": unexpected status from HEAD request to https://r.example.org/v2/img/manifests/1?ns=docker.io: 403 Forbidden",
        Never,
        "refused with HTTP 403",
    ),
    // A proxy that refuses to connect.
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Bad Gateway",
        Later,
        "the proxy answers: Bad Gateway",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Gateway Timeout",
        Later,
        "the proxy answers: Gateway Timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Service Unavailable",
        Later,
        "the proxy answers: Service Unavailable",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Internal Server Error",
        Later,
        "the proxy answers: Internal Server Error",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Request Timeout",
        Later,
        "the proxy answers: Request Timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Gateway Time-out",
        Later,
        "the proxy answers: Gateway Timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Too Many Requests",
        LIMITED,
        "rate limit",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Network Authentication Required",
        AtBootOnly,
        "login page (a captive portal?)",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Forbidden",
        Never,
        "the proxy answers: Forbidden",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Unauthorized",
        Never,
        "the proxy answers: Unauthorized",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Bad Request",
        Never,
        "the proxy answers: Bad Request",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Not Found",
        Never,
        "the proxy answers: Not Found",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Method Not Allowed",
        Never,
        "the proxy answers: Method Not Allowed",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": Proxy Authentication Required",
        Never,
        "the proxy wants a password",
    ),
    // The registry's answer, by its codes. The text after a code is the registry's own.
    (
        "reading manifest 1 in r.example.org/lib/img: toomanyrequests: You have reached your pull rate limit.",
        LIMITED,
        "rate limit",
    ),
    ("Requesting bearer token: too many requests to registry", LIMITED, "rate limit"),
    (
        "reading manifest 1 in r.example.org/lib/img: unknown: too many requests to upstream registry",
        LIMITED,
        "rate limit",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: authentication required",
        Never,
        "authentication required",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: unauthorized: The client does not have permission for manifest",
        Never,
        "not authorized: The client does not have permission for manifest",
    ),
    ("reading manifest 1 in r.example.org/lib/img: unauthorized", Never, "not authorized"),
    (
        "reading manifest 1 in r.example.org/lib/img: denied: Your authorization token has expired. Reauthenticate and try again.",
        Never,
        "access denied: Your authorization token has expired. Reauthenticate and try again.",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required",
        Never,
        "access denied: requested access to the resource is denied",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: requested access to the resource is denied",
        Never,
        "access denied",
    ),
    (
        "unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password",
        Never,
        "wrong user or password",
    ),
    (
        "Get https://1.dkr.ecr.us-east-1.amazonaws.com/v2/n/l/manifests/latest: no basic auth credentials",
        Never,
        "authentication required",
    ),
    (
        "pull access denied for x/y, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
        Never,
        "access denied",
    ),
    (
        "failed to copy: httpReadSeeker: failed open: server message: insufficient_scope: authorization failed",
        Never,
        "access denied",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: manifest unknown: The named manifest is not known to the registry.",
        Never,
        "no such manifest",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: name unknown: Repo not found",
        Never,
        "no such repository",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: repository name not known to registry",
        Never,
        "no such repository",
    ),
    ("reading manifest 1 in r.example.org/lib/img: name invalid", Never, "bad image name"),
    ("fetching blob: blob unknown to registry", Later, "blob not there yet"),
    ("unknown blob", Later, "blob not there yet"),
    (
        "reading manifest 1 in r.example.org/lib/img: unavailable: the registry is being upgraded",
        Later,
        "registry unavailable",
    ),
    ("reading manifest 1 in r.example.org/lib/img: service unavailable", Later, "registry unavailable"),
    (
        "reading manifest 1 in r.example.org/lib/img: unknown: http status code: 429, body: {\"errors\":[{\"code\":\"TOOMANYREQUESTS\"}]}",
        LIMITED,
        "rate limit",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: unknown: http status code: 502, body: ",
        Later,
        "the registry behind this one fails: unknown: http status code: 502, body:",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: unknown: repository hub/library/busybox not found",
        Never,
        "the registry refuses: unknown: repository hub/library/busybox not found",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: unknown: Not Found",
        Never,
        "the registry refuses: unknown: Not Found",
    ),
    (
        "reading manifest 1 in r.example.org/lib/img: manifest invalid: connection refused",
        Never,
        "the registry refuses: manifest invalid: connection refused",
    ),
    (
        "unknown: artifact hub/x@sha256:77dc not found",
        Never,
        "the registry refuses: unknown: artifact hub/x@sha256:77dc not found",
    ),
    (
        "failed to resolve reference \"r.example.org/img:1\": r.example.org/img:1: not found",
        Never,
        "not found",
    ),
    ("can't talk to a V1 container registry", Later, "the registry answers strangely"),
    // TLS.
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-06-01T00:00:00Z is before 2026-07-01T00:00:00Z",
        AtBootOnly,
        "certificate not valid now (the clock?)",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
        Never,
        "certificate not accepted",
    ),
    (
        "pinging docker registry returned: Get https://r.example.org/v2/: x509: certificate is valid for example.net, *.example.net, not r.example.org",
        Never,
        "certificate not accepted",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": http: server gave HTTP response to HTTPS client",
        Never,
        "no TLS at the other end",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": tls: first record does not look like a TLS handshake",
        Never,
        "no TLS at the other end",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": tls: oversized record received with length 20527",
        Never,
        "no TLS at the other end",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": tls: server selected unsupported protocol version 301",
        Never,
        "TLS refused: tls: server selected unsupported protocol version 301",
    ),
    (
        "parsing image configuration: Get \"https://cdn.example.org/sha256/aa/aabb\": remote error: tls: handshake failure",
        Later,
        "TLS handshake failed",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": remote error: tls: internal error",
        Later,
        "TLS fails at the other end",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": remote error: tls: unexpected message",
        Later,
        "TLS broken on the way",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": remote error: tls: bad record MAC",
        Later,
        "TLS broken on the way",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": remote error: tls: error decoding message",
        Later,
        "TLS broken on the way",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": remote error: tls: error decrypting message",
        Later,
        "TLS broken on the way",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": local error: tls: bad record MAC",
        Later,
        "TLS broken on the way",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": remote error: tls: bad certificate",
        Never,
        "TLS refused: remote error: tls: bad certificate",
    ),
    (
        "initializing image from source docker://r.example.org/lib/img:1: invalid character '<' looking for beginning of value",
        AtBootOnly,
        "HTML instead of JSON (a captive portal?)",
    ),
    (
        "Requesting bearer token: Get \"https://r.example.org/token\": invalid character 'T' looking for beginning of value",
        AtBootOnly,
        "no JSON in the answer (a captive portal?)",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"\\x15\\x03\\x01\"",
        AtBootOnly,
        "the server did not answer with HTTP",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": socks connect tcp proxy:1080->r.example.org:443: dial tcp: lookup proxy: no such host",
        AtBootOnly,
        "DNS: no such host",
    ),
    // The name or the platform of the image.
    (
        "pinging container registry localhost: Get \"https://localhost/v2/\": dial tcp [::1]:443: connect: connection refused",
        Never,
        "localhost/ is for images built here, and this one is not here",
    ),
    (
        "pinging docker registry localhost: Get \"https://localhost/v2/\": dial tcp [::1]:443: connect: connection refused",
        Never,
        "localhost/ is for images built here, and this one is not here",
    ),
    (
        "pinging docker registry returned: Get https://localhost/v2/: dial tcp [::1]:443: connect: connection refused",
        Never,
        "localhost/ is for images built here, and this one is not here",
    ),
    ("parsing reference \"Localhost/A\": repository name must be lowercase", Never, "bad image name"),
    ("repository name must be lowercase", Never, "bad image name"),
    ("invalid reference format", Never, "bad image name"),
    ("Invalid image name \"a/B:1\", unknown transport \"a/B\"", Never, "bad image name"),
    (
        "short-name \"x\" did not resolve to an alias and no unqualified-search registries are defined in \"/etc/containers/registries.conf\"",
        Never,
        "short name that is not resolved",
    ),
    (
        "choosing an image from manifest list docker://r.example.org/lib/img:1: no image found in manifest list for architecture arm64, variant \"v8\", OS linux",
        Never,
        "no image for this platform",
    ),
    (
        "no matching manifest for linux/arm/v8 in the manifest list entries",
        Never,
        "no image for this platform",
    ),
    (
        "failed to pull and unpack image: no match for platform in manifest sha256:aa",
        Never,
        "no image for this platform",
    ),
    ("unsupported schema version 2", Never, "not an image that can be used: unsupported schema version 2"),
    (
        "unsupported docker v2s2 media type: \"\"",
        Never,
        "not an image that can be used: unsupported docker v2s2 media type: \"\"",
    ),
    (
        "unsupported manifest media type and no default available: application/vnd.docker.distribution.manifest.v1+json",
        Never,
        "not an image that can be used: unsupported manifest media type and no default available: application/vnd.docker.distribution.manifest.v1+json",
    ),
    (
        "parsing image configuration: unsupported image-specific operation on artifact with type \"application/vnd.unknown.artifact\"",
        Never,
        "not an image that can be used: unsupported image-specific operation on artifact with type \"application/vnd.unknown.artifact\"",
    ),
    (
        "reference \"[overlay@/s+/r]localhost/none:latest\" does not resolve to an image ID",
        Never,
        "no such image on this host",
    ),
    ("lib/img:1: image not known", Never, "no such image on this host"),
    ("unknown flag: --retri", Never, "unknown option"),
    ("unknown shorthand flag: 'Q' in -Q", Never, "unknown option"),
    ("unrecognized command `podman pul`", Never, "unknown command"),
    // The configuration of this host.
    (
        "getting username and password: error getting credentials - err: exec: \"docker-credential-ecr-login\": executable file not found in $PATH, out: ``",
        Never,
        "credentials on this host: getting credentials - err: exec: \"docker-credential-ecr-login\": executable file not found in $PATH, out: ``",
    ),
    (
        "1 error occurred:\n\t* error getting credentials - err: fork/exec /opt/docker-credential-x: exec format error, out: ``\n\n",
        Never,
        "credentials on this host: getting credentials - err: fork/exec /opt/docker-credential-x: exec format error, out: ``",
    ),
    (
        "1 error occurred:\n\t* error getting credentials - err: docker-credential-gcloud resolves to executable in current directory (./docker-credential-gcloud), out: ``\n\n",
        Never,
        "credentials on this host: getting credentials - err: docker-credential-gcloud resolves to executable in current directory (./docker-credential-gcloud), out: ``",
    ),
    (
        "error getting credentials - err: exit status 1, out: `credentials not found in native keychain`",
        Never,
        "credentials on this host: getting credentials - err: exit status 1, out: `credentials not found in native keychain`",
    ),
    (
        "error getting credentials - err: exit status 1, out: `Post \"https://sts.example.org/\": dial tcp: lookup sts.example.org: no such host`",
        AtBootOnly,
        "DNS: no such host",
    ),
    (
        "getting username and password: reading JSON file \"/run/user/1000/containers/auth.json\": unmarshaling JSON at \"/run/user/1000/containers/auth.json\": unexpected end of JSON input",
        Never,
        "credentials on this host: reading JSON file \"/run/user/1000/containers/auth.json\": unmarshaling JSON at \"/run/user/1000/containers/auth.json\": unexpected end of JSON input",
    ),
    (
        "getting username and password: 1 error occurred",
        Never,
        "credentials on this host: getting username and password: 1 error occurred",
    ),
    (
        "credential file is not accessible: faccessat /etc/app/auth.json: no such file or directory",
        Never,
        "credentials on this host: credential file is not accessible: faccessat /etc/app/auth.json: no such file or directory",
    ),
    (
        "checking authfile: stat /etc/app/auth.json: no such file or directory",
        Never,
        "credentials on this host: checking authfile: stat /etc/app/auth.json: no such file or directory",
    ),
    (
        "loading registries configuration \"/etc/containers/registries.conf\": toml: line 1: expected '.' or '=', but got ':' instead",
        Never,
        "registries.conf on this host: loading registries configuration \"/etc/containers/registries.conf\": toml: line 1: expected '.' or '=', but got ':' instead",
    ),
    (
        "error getting default registries to try: Near line 9 (last key parsed ''): Bare keys cannot contain ':'.",
        Never,
        "registries.conf on this host: getting default registries to try: Near line 9 (last key parsed ''): Bare keys cannot contain ':'.",
    ),
    (
        "registry r.example.org is blocked in /etc/containers/registries.conf or /home/me/.config/containers/registries.conf",
        Never,
        "registry blocked",
    ),
    (
        "no policy.json file found at any of the following: \"/home/me/.config/containers/policy.json\", \"/etc/containers/policy.json\"",
        Never,
        "signature policy of this host: no policy.json file found at any of the following: \"/home/me/.config/containers/policy.json\", \"/etc/containers/policy.json\"",
    ),
    (
        "open /etc/containers/policy.json: no such file or directory",
        Never,
        "signature policy of this host: open /etc/containers/policy.json: no such file or directory",
    ),
    (
        "invalid policy in \"/etc/containers/policy.json\": unknown key \"defaults\"",
        Never,
        "signature policy of this host: invalid policy in \"/etc/containers/policy.json\": unknown key \"defaults\"",
    ),
    (
        "Source image rejected: A signature was required, but no signature exists",
        Never,
        "signature policy of this host: A signature was required, but no signature exists",
    ),
    (
        "Source image rejected: Running image docker://r.example.org/lib/img:1 is rejected by policy.",
        Never,
        "signature policy of this host: Source image rejected: Running image docker://r.example.org/lib/img:1 is rejected by policy.",
    ),
    (
        "A signature was required, but no signature exists",
        Never,
        "signature policy of this host: A signature was required, but no signature exists",
    ),
    (
        "current system boot ID differs from cached boot ID; an unhandled reboot has occurred. Please delete directories \"/tmp/run-1001/containers\" and \"/tmp/run-1001/libpod/tmp\" and re-run Podman",
        Never,
        "this host's set-up: current system boot ID differs from cached boot ID; an unhandled reboot has occurred. Please delete directories \"/tmp/run-1001/containers\" and \"/tmp/r…",
    ),
    (
        "writing blob: adding layer with blob \"sha256:55c2\": processing tar file(potentially insufficient UIDs or GIDs available in user namespace (requested 0:42 for /etc/shadow): Check /etc/subuid and /etc/subgid: lchown /etc/shadow: invalid argument): exit status 1",
        Never,
        "too few user IDs on this host: processing tar file(potentially insufficient UIDs or GIDs available in user namespace (requested 0:42 for /etc/shadow): Check /etc/subuid and /etc/sub…",
    ),
    (
        "adding layer with blob \"sha256:d72e\": Error processing tar file(exit status 1): there might not be enough IDs available in the namespace (requested 100:0 for /var/cache/apt): lchown /var/cache/apt: invalid argument",
        Never,
        "too few user IDs on this host: there might not be enough IDs available in the namespace (requested 100:0 for /var/cache/apt): lchown /var/cache/apt: invalid argument",
    ),
    (
        "cannot find UID/GID for user me: no subuid ranges found for user \"me\" in /etc/subuid - check rootless mode in man pages.",
        Never,
        "too few user IDs on this host: cannot find UID/GID for user me: no subuid ranges found for user \"me\" in /etc/subuid - check rootless mode in man pages.",
    ),
    (
        "no subuid ranges found for user \"me\" in /etc/subuid",
        Never,
        "too few user IDs on this host: no subuid ranges found for user \"me\" in /etc/subuid",
    ),
    (
        "no subgid ranges found for group \"me\" in /etc/subgid",
        Never,
        "too few user IDs on this host: no subgid ranges found for group \"me\" in /etc/subgid",
    ),
    (
        "adding layer with blob \"sha256:d72e\": lchown /opt/app: invalid argument",
        Never,
        "too few user IDs on this host: lchown /opt/app: invalid argument",
    ),
    (
        "cannot set up namespace using \"/usr/bin/newuidmap\": exit status 1",
        Never,
        "this host's set-up: cannot set up namespace using \"/usr/bin/newuidmap\": exit status 1",
    ),
    (
        "cannot setup namespace using newuidmap: exit status 1",
        Never,
        "this host's set-up: cannot setup namespace using newuidmap: exit status 1",
    ),
    (
        "XDG_RUNTIME_DIR directory \"/run/user/0\" is not owned by the current user",
        Never,
        "this host's set-up: XDG_RUNTIME_DIR directory \"/run/user/0\" is not owned by the current user",
    ),
    (
        "copying system image from manifest list: layers from manifest don't match image configuration",
        Never,
        "not an image that can be used: layers from manifest don't match image configuration",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\": processing tar file(unexpected EOF): exit status 1",
        Later,
        "cut off",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\": processing tar file(archive/tar: invalid tar header): exit status 1",
        Later,
        "wrong content",
    ),
    (
        "failed to register layer: Error processing tar file(exit status 1): archive/tar: invalid tar header",
        Later,
        "wrong content",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\": processing tar file(lsetxattr /usr/bin/ping: operation not supported): exit status 1",
        Never,
        "storage on this host: processing tar file(lsetxattr /usr/bin/ping: operation not supported): exit status 1",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\": processing tar file(write /usr/lib/x.pyc: no space left on device): exit status 1",
        Never,
        "no space left",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\": creating overlay mount to /var/lib/x/merged, mount_data=\"lowerdir=/var/lib/x/l\": using mount program /usr/bin/fuse-overlayfs: fuse: device not found, try 'modprobe fuse' first",
        Never,
        "storage on this host: creating overlay mount to /var/lib/x/merged, mount_data=\"lowerdir=/var/lib/x/l\": using mount program /usr/bin/fuse-overlayfs: fuse: device not found, …",
    ),
    (
        "command required for rootless mode with multiple IDs: exec: \"newuidmap\": executable file not found in $PATH",
        Never,
        "this host's set-up: command required for rootless mode with multiple IDs: exec: \"newuidmap\": executable file not found in $PATH",
    ),
    (
        "cannot find newuidmap: exec: \"newuidmap\": executable file not found in $PATH",
        Never,
        "this host's set-up: cannot find newuidmap: exec: \"newuidmap\": executable file not found in $PATH",
    ),
    (
        "cannot clone: Operation not permitted",
        Never,
        "this host's set-up: cannot clone: Operation not permitted",
    ),
    (
        "user namespaces are not enabled in /proc/sys/user/max_user_namespaces",
        Never,
        "this host's set-up: user namespaces are not enabled in /proc/sys/user/max_user_namespaces",
    ),
    (
        "toml: line 3 (last key \"engine.retry\"): incompatible types: TOML value has type string; destination has type integer",
        Never,
        "this host's set-up: toml: line 3 (last key \"engine.retry\"): incompatible types: TOML value has type string; destination has type integer",
    ),
    (
        "invalid internal status, try resetting the pause process with \"podman system migrate\": cannot re-exec process to join the existing user namespace",
        Never,
        "this host's set-up: invalid internal status, try resetting the pause process with \"podman system migrate\": cannot re-exec process to join the existing user namespace",
    ),
    (
        "default OCI runtime \"crun\" not found: invalid argument",
        Never,
        "this host's set-up: default OCI runtime \"crun\" not found: invalid argument",
    ),
    (
        "could not find a working conmon binary (configured options: [/usr/bin/conmon]): invalid argument",
        Never,
        "this host's set-up: could not find a working conmon binary (configured options: [/usr/bin/conmon]): invalid argument",
    ),
    (
        "parse \"http://[::1\": missing ']' in host",
        Never,
        "this host's set-up: parse \"http://[::1\": missing ']' in host",
    ),
    ("unsupported protocol scheme \"htp\"", Never, "this host's set-up: unsupported protocol scheme \"htp\""),
    (
        "getting username and password: 1 error occurred:\n\t* illegal base64 data at input byte 4\n\n",
        Never,
        "credentials on this host: getting username and password: 1 error occurred:",
    ),
    (
        "exec: \"pasta\": executable file not found in $PATH",
        Never,
        "a program cannot be run: exec: \"pasta\": executable file not found in $PATH",
    ),
    (
        "executable file `crun` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found",
        Never,
        "a program cannot be run: executable file `crun` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found",
    ),
    (
        "fork/exec /usr/bin/fuse-overlayfs: exec format error",
        Never,
        "a program cannot be run: fork/exec /usr/bin/fuse-overlayfs: exec format error",
    ),
    ("database configuration mismatch", Never, "storage on this host: database configuration mismatch"),
    (
        "database graph root \"/a\" does not match our graph root \"/b\"",
        Never,
        "storage on this host: database graph root \"/a\" does not match our graph root \"/b\"",
    ),
    (
        "'overlay' is not supported over overlayfs, a mount_program is required",
        Never,
        "storage on this host: 'overlay' is not supported over overlayfs, a mount_program is required",
    ),
    (
        "kernel does not support overlay fs: 'overlay' not found as a supported filesystem on this host",
        Never,
        "storage on this host: kernel does not support overlay fs: 'overlay' not found as a supported filesystem on this host",
    ),
    (
        "prerequisites for driver not satisfied (wrong filesystem?)",
        Never,
        "storage on this host: prerequisites for driver not satisfied (wrong filesystem?)",
    ),
    (
        "configure storage: the store cannot be used",
        Never,
        "storage on this host: configure storage: the store cannot be used",
    ),
    (
        "writing blob: storing blob to file \"/var/tmp/x/19\": write /var/tmp/x/19: no space left on device",
        Never,
        "no space left",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\": processing tar file(write /usr/local/lib/x.pyc: no space left on device): exit status 1",
        Never,
        "no space left",
    ),
    ("mkdir /home/me/.local/share/containers: disk quota exceeded", Never, "disk quota exceeded"),
    (
        "creating lock file directory: mkdir /var/lib/mycontainers/overlay-images: read-only file system",
        Never,
        "read-only file system",
    ),
    ("mkdir /var/lib/containers/storage: permission denied", Never, "permission denied"),
    (
        "Error processing tar file(exit status 1): operation not permitted\nadding layer with blob \"sha256:9931\"",
        Never,
        "operation not permitted",
    ),
    (
        "opening file \"/srv/none.tar\": open /srv/none.tar: no such file or directory",
        AtBootOnly,
        "a file is not there",
    ),
    ("beginning container create transaction: database is locked", Later, "another Podman is busy"),
    // Texts of more registries, of newer versions of Podman, and of more faults of a host.
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: lookup tcp/abc: unknown port",
        Never,
        "no such port",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp: address 99999: invalid port",
        Never,
        "no such port",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": dial tcp 198.51.100.7:443: connect: permission denied",
        Later,
        "a route or a firewall on this host forbids it",
    ),
    ("Requesting bearer token: unexpected end of JSON input", Later, "cut off"),
    (
        "getting username and password: 1 error occurred:\n\t* error getting credentials - err: exit status 1, out: `operation error ECR: GetAuthorizationToken, get credentials: operation error ec2imds: GetMetadata, request canceled, context deadline exceeded`",
        Later,
        "timeout",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": authenticationrequired",
        Never,
        "the proxy wants a password",
    ),
    ("unable to retrieve auth token: 401 unauthorized", Never, "wrong user or password"),
    (
        "Requesting bearer token: invalid character '<' looking for beginning of value",
        AtBootOnly,
        "HTML instead of JSON (a captive portal?)",
    ),
    (
        "Requesting bearer token: decoding bearer token (last URL \"https://r.example.org/token\", body start \"<html>\"): invalid character '<' looking for beginning of value",
        AtBootOnly,
        "HTML instead of JSON (a captive portal?)",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": stopped after 10 redirects",
        AtBootOnly,
        "redirected without end (a captive portal?)",
    ),
    (
        "reading blob sha256:aa: Error fetching blob: invalid status code from registry 404 (Not Found)",
        Later,
        "blob not there yet",
    ),
    ("reading blob sha256:aa: fetching blob: StatusCode: 404, \"\"", Later, "blob not there yet"),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": tls: server chose an unconfigured cipher suite",
        Never,
        "TLS refused: tls: server chose an unconfigured cipher suite",
    ),
    ("parsing reference \"docker://r.example.org/x:a b\": invalid tag format", Never, "bad image name"),
    ("invalid tag format", Never, "bad image name"),
    ("unsupported transport \"docker\" for looking up local images", Never, "bad image name"),
    (
        "unable to pull x/y:latest: image name provided is a short name and no search registries are defined in the registries config file.",
        Never,
        "short name that is not resolved",
    ),
    (
        "parsing image configuration: unsupported OCIv1 media type: \"application/x\"",
        Never,
        "not an image that can be used: unsupported OCIv1 media type: \"application/x\"",
    ),
    (
        "Unimplemented manifest MIME type \"application/vnd.docker.plugin.v1+json\"",
        Never,
        "not an image that can be used: Unimplemented manifest MIME type \"application/vnd.docker.plugin.v1+json\"",
    ),
    (
        "unable to find instance sha256:aa in OCI1Index",
        Never,
        "not an image that can be used: unable to find instance sha256:aa in OCI1Index",
    ),
    (
        "partial pull of blob sha256:aa: read zstd:chunked manifest: manifest too big",
        Never,
        "not an image that can be used: manifest too big",
    ),
    (
        "partial pull of blob sha256:aa: read zstd:chunked manifest: zstd:chunked manifest too big to process in memory (9 bytes compressed)",
        Never,
        "not an image that can be used: zstd:chunked manifest too big to process in memory (9 bytes compressed)",
    ),
    (
        "layer 2 (blob sha256:aa) does not match config's DiffID \"sha256:bb\"",
        Never,
        "not an image that can be used: layer 2 (blob sha256:aa) does not match config's DiffID \"sha256:bb\"",
    ),
    (
        "uncompressed digest of layer \"aa\" is \"sha256:aa\", config claims \"sha256:bb\"",
        Never,
        "not an image that can be used: uncompressed digest of layer \"aa\" is \"sha256:aa\", config claims \"sha256:bb\"",
    ),
    (
        "decrypting layer sha256:aa: missing private key needed for decryption",
        Never,
        "not an image that can be used: missing private key needed for decryption",
    ),
    (
        "initializing source docker-archive:/x.tar: loading tar component \"manifest.json\": file does not exist",
        Never,
        "not an image that can be used: loading tar component \"manifest.json\": file does not exist",
    ),
    (
        "initializing source oci:/srv/x: more than one image in oci, choose an image",
        Never,
        "not an image that can be used: more than one image in oci, choose an image",
    ),
    (
        "initializing source oci:/srv/x:1: no image matching reference \"1\" found",
        Never,
        "not an image that can be used: no image matching reference \"1\" found",
    ),
    (
        "initializing source oci:/srv/x:1: no descriptor found for reference \"1\"",
        Never,
        "not an image that can be used: no descriptor found for reference \"1\"",
    ),
    (
        "no registries found in registries.conf, a registry must be provided",
        Never,
        "registries.conf on this host: no registries found in registries.conf, a registry must be provided",
    ),
    (
        "Source image rejected: open /etc/pki/rpm-gpg/KEY: no such file or directory",
        Never,
        "signature policy of this host: Source image rejected: open /etc/pki/rpm-gpg/KEY: no such file or directory",
    ),
    (
        "Source image rejected: Get \"https://sigs.example.org/x@sha256=aa/signature-1\": dial tcp 198.51.100.7:443: connect: connection refused",
        Later,
        "connection refused",
    ),
    (
        "Source image rejected: reading signatures: Get \"https://sigs.example.org/x@sha256=aa/signature-1\": dial tcp: lookup sigs.example.org: no such host",
        AtBootOnly,
        "DNS: no such host",
    ),
    (
        "Source image rejected: reading manifest sha256-aa.sig in r.example.org/lib/img: received unexpected HTTP status: 502 Bad Gateway",
        Later,
        "HTTP 502",
    ),
    (
        "Source image rejected: Invalid GPG signature: gpgme.Signature{Summary:128}",
        Never,
        "signature policy of this host: Source image rejected: Invalid GPG signature: gpgme.Signature{Summary:128}",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\"/\"\"/\"sha256:bb\": unpacking failed (error: exit status 1; output: container ID 1000 cannot be mapped to a host ID)",
        Never,
        "too few user IDs on this host: container ID 1000 cannot be mapped to a host ID)",
    ),
    (
        "cannot re-exec process to join the existing user namespace",
        Never,
        "this host's set-up: cannot re-exec process to join the existing user namespace",
    ),
    (
        "missing key /c/a.key for client certificate /c/a.cert. Note that CA certificates should use the extension .crt",
        Never,
        "this host's set-up: missing key /c/a.key for client certificate /c/a.cert. Note that CA certificates should use the extension .crt",
    ),
    (
        "missing client certificate /c/a.cert for key /c/a.key",
        Never,
        "this host's set-up: missing client certificate /c/a.cert for key /c/a.key",
    ),
    (
        "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": net/http: invalid header field value for \"Authorization\"",
        Never,
        "this host's set-up: invalid header field value for \"Authorization\"",
    ),
    (
        "fork/exec /proc/self/exe: resource temporarily unavailable",
        Later,
        "this host is short of memory or processes",
    ),
    (
        "adding layer with blob \"sha256:aa\": fork/exec /proc/self/exe: cannot allocate memory",
        Later,
        "this host is short of memory or processes",
    ),
    (
        "configure storage: overlay: can't stat program \"/usr/bin/fuse-overlayfs\": stat /usr/bin/fuse-overlayfs: no such file or directory",
        Never,
        "storage on this host: overlay: can't stat program \"/usr/bin/fuse-overlayfs\": stat /usr/bin/fuse-overlayfs: no such file or directory",
    ),
    (
        "creating tables: attempt to write a readonly database",
        Never,
        "storage on this host: attempt to write a readonly database",
    ),
    (
        "retrieving database config: database disk image is malformed",
        Never,
        "storage on this host: database disk image is malformed",
    ),
    (
        "retrieving database config: file is not a database",
        Never,
        "storage on this host: file is not a database",
    ),
    (
        "allocating lock for new container: allocation failed; exceeded num_locks (2048)",
        Never,
        "storage on this host: allocation failed; exceeded num_locks (2048)",
    ),
    (
        "locating item named \"manifest\" for image with ID \"aa\" (consider removing the image to resolve the issue): file does not exist",
        Never,
        "storage on this host: locating item named \"manifest\" for image with ID \"aa\" (consider removing the image to resolve the issue): file does not exist",
    ),
    ("layer not known", Never, "storage on this host: layer not known"),
    ("beginning transaction: database or disk is full", Never, "no space left"),
    (
        "writing blob: adding layer with blob \"sha256:aa\": processing tar file(signal: killed): ",
        Later,
        "this host is short of memory or processes",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\"/\"\"/\"sha256:bb\": unpacking failed (error: signal: killed; output: )",
        Later,
        "this host is short of memory or processes",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\"/\"\"/\"sha256:bb\": unpacking failed (error: exit status 1; output: unexpected EOF)",
        Later,
        "cut off",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\"/\"\"/\"sha256:bb\": unpacking failed (error: exit status 1; output: write /usr/lib/x: no space left on device)",
        Never,
        "no space left",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\"/\"\"/\"sha256:bb\": unpacking failed (error: exit status 1; output: lsetxattr /usr/bin/ping: operation not supported)",
        Never,
        "storage on this host: unpacking failed (error: exit status 1; output: lsetxattr /usr/bin/ping: operation not supported)",
    ),
    (
        "writing blob: adding layer with blob \"sha256:aa\": error creating layer with ID \"bb\": invalid argument",
        Never,
        "storage on this host: creating layer with ID \"bb\": invalid argument",
    ),
    ("unsupported pull policy \"sometimes\"", Never, "unknown option"),
    (
        "open /etc/subuid: no such file or directory",
        Never,
        "too few user IDs on this host: open /etc/subuid: no such file or directory",
    ),
    (
        "open /etc/subgid: no such file or directory",
        Never,
        "too few user IDs on this host: open /etc/subgid: no such file or directory",
    ),
    (
        "loading X509 key pair: tls: private key does not match public key",
        Never,
        "this host's set-up: loading X509 key pair: tls: private key does not match public key",
    ),
];
