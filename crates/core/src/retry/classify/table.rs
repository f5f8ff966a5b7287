//! The meaning of error texts, one row each.
//!
//! To teach netready a new text, add a row here and an example to `examples.txt`. If the reason is new too, add
//! it to the table in `docs/pull-errors.md`. Tests fail until all three agree.
//!
//! An error text is a chain of links, from the outside in: `initializing source X: pinging container registry H:
//! The leftmost link that matches a row decides, because a text further right comes from a program further away,
//! such as a name server or the registry. If several rows match the same link, the first row decides. Upper and
//! lower case are the same. Text in quotes, in JSON or in markup matches no row.

use crate::retry::Retryability::{self, AtBootOnly, Later, Never};

use Position::{Answer, Begins, Code, Helper, Is, Lookup, Otherwise, Phrase, Status, Within};

/// The position that a sign must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// The sign is at the beginning of a link. It may reach into the following links. In a sign, `…: ` stands for
    /// the rest of its link, and `…` before other text stands for any text of the same link.
    Begins,
    /// The sign is the whole link.
    Is,
    /// The sign is anywhere in a link.
    Within,
    /// As for `Begins`, but only if no link of the whole text matches another row.
    Otherwise,
    /// As for `Begins`, but after a link `lookup NAME`: the failure of a DNS lookup.
    Lookup,
    /// The HTTP status that a link names. An `x` stands for any digit.
    Status,
    /// The sign is the whole link after a request: the text of a proxy's status line. Some proxies add words in
    /// parentheses.
    Phrase,
    /// The sign is the whole link and is an error code. The text after it comes from the registry.
    Code,
    /// As for `Begins`, but where Podman quotes the registry's answer.
    Answer,
    /// The sign is anywhere in what a credential helper wrote. It decides only if no link of the whole text matches
    /// another row, except the rows of `Otherwise`.
    Helper,
}

/// The server limits the rate of requests.
pub(super) const LIMITED: Retryability = Retryability::Limited(None);

/// A row: the position, the sign that must be there, what it says about another attempt, and a short reason.
///
/// If a reason ends with a colon, the text's own words follow it. `{status}` becomes the HTTP status.
#[derive(Debug)]
pub(super) struct Rule(
    pub(super) Position,
    pub(super) &'static str,
    pub(super) Retryability,
    pub(super) &'static str,
);

const DNS_SILENT: &str = "DNS: server does not answer";
const DNS_UNREACHABLE: &str = "DNS: server unreachable";
const NO_SUCH_HOST: &str = "DNS: no such host";
const BROKEN: &str = "connection broken";
const TLS_BROKEN: &str = "TLS broken on the way";
const NO_TLS: &str = "no TLS at the other end";
const DENIED: &str = "access denied";
const NO_REPOSITORY: &str = "no such repository";
const NO_BLOB: &str = "blob not there yet";
const BAD_NAME: &str = "bad image name";
const NO_PORT: &str = "no such port";
const CUT_OFF: &str = "cut off";
const DAMAGED: &str = "wrong content";
const REFUSED: &str = "connection refused";
const UNREACHABLE: &str = "network unreachable";
const NO_ROUTE: &str = "no route to host";
const RESET: &str = "connection reset";
const CANNOT_CONNECT: &str = "cannot connect";
const TIMEOUT: &str = "timeout";
const DNS_TEMPORARY: &str = "DNS: temporary failure";
const SHORT_NAME: &str = "short name that is not resolved";
const PASSWORD: &str = "the proxy wants a password";
const BUSY: &str = "this host is short of memory or processes";
const NO_PLATFORM: &str = "no image for this platform";
const NO_IMAGE: &str = "not an image that can be used:";
const LOCAL: &str = "localhost/ is for images built here, and this one is not here";
const SETUP: &str = "this host's set-up:";
const CREDENTIALS: &str = "credentials on this host:";
const REGISTRIES: &str = "registries.conf on this host:";
const POLICY: &str = "signature policy of this host:";
const IDS: &str = "too few user IDs on this host:";
const STORAGE: &str = "storage on this host:";

/// All known error texts.
pub(super) static RULES: &[Rule] = &[
    // DNS. A failed lookup can contain the texts of a refused connection and of an unreachable network too. There
    // they are about the name server. Go's resolver names the server that it asked; glibc's and musl's do not.
    Rule(Lookup, "no such host", AtBootOnly, NO_SUCH_HOST),
    Rule(Lookup, "Name or service not known", AtBootOnly, NO_SUCH_HOST),
    Rule(Lookup, "Name does not resolve", AtBootOnly, NO_SUCH_HOST),
    Rule(Lookup, "No address associated with hostname", AtBootOnly, "DNS: no address"),
    Rule(Lookup, "server misbehaving", Later, "DNS: the server fails"),
    Rule(Lookup, "Temporary failure in name resolution", Later, DNS_TEMPORARY),
    Rule(Lookup, "Try again", Later, DNS_TEMPORARY),
    // `lookup tcp/NAME` looks up the number of a port.
    Rule(Lookup, "unknown port", Never, NO_PORT),
    Rule(Lookup, "dial udp ", Later, DNS_UNREACHABLE),
    Rule(Lookup, "dial tcp ", Later, DNS_UNREACHABLE),
    Rule(Lookup, "read udp ", Later, DNS_SILENT),
    Rule(Lookup, "read tcp ", Later, DNS_SILENT),
    Rule(Lookup, "i/o timeout", Later, "DNS: timeout"),
    Rule(Lookup, "", Later, "DNS lookup failed"),
    // `localhost/NAME` without a port is the name of an image that was built on this host. There is no such
    // registry.
    Rule(Begins, "pinging container registry localhost: Get ", Never, LOCAL),
    Rule(Begins, "pinging docker registry localhost: Get ", Never, LOCAL),
    Rule(Begins, "Get https://localhost/v2/: ", Never, LOCAL),
    // The connection to the registry or to a proxy.
    Rule(Begins, "connect: connection refused", Later, REFUSED),
    Rule(Begins, "connect: network is unreachable", Later, UNREACHABLE),
    Rule(Begins, "connect: no route to host", Later, NO_ROUTE),
    Rule(Begins, "connect: connection reset by peer", Later, RESET),
    // A route of the kind `prohibit` causes this: a VPN's, for example, until the VPN is up. A socket of this host
    // has permissions of its own.
    Rule(Begins, "dial unix …: connect: permission denied", Never, "permission denied"),
    Rule(Begins, "connect: permission denied", Later, "a route or a firewall on this host forbids it"),
    Rule(Begins, "connect: ", Later, CANNOT_CONNECT),
    Rule(Begins, "connection refused", Later, REFUSED),
    Rule(Begins, "network is unreachable", Later, UNREACHABLE),
    Rule(Begins, "no route to host", Later, NO_ROUTE),
    Rule(Begins, "connection reset by peer", Later, RESET),
    Rule(Begins, "broken pipe", Later, BROKEN),
    Rule(Begins, "software caused connection abort", Later, BROKEN),
    Rule(Begins, "invalid port", Never, NO_PORT),
    Rule(Begins, "missing port in address", Never, SETUP),
    Rule(Begins, "too many colons in address", Never, SETUP),
    Rule(Begins, "use of closed network connection", Later, BROKEN),
    Rule(Begins, "http: server closed idle connection", Later, BROKEN),
    Rule(Begins, "write: operation not permitted", Later, "a firewall on this host forbids it"),
    Rule(Begins, "username/password authentication failed", Never, PASSWORD),
    Rule(Begins, "no acceptable authentication methods", Never, PASSWORD),
    Rule(Otherwise, "socks connect ", Later, "the proxy cannot connect"),
    Rule(Begins, "i/o timeout", Later, TIMEOUT),
    Rule(Begins, "connection timed out", Later, TIMEOUT),
    Rule(Begins, "operation timed out", Later, TIMEOUT),
    Rule(Begins, "TLS handshake timeout", Later, "timeout of the TLS handshake"),
    Rule(Begins, "timeout awaiting response headers", Later, TIMEOUT),
    Rule(Within, "context deadline exceeded", Later, TIMEOUT),
    Rule(Within, "(Client.Timeout ", Later, TIMEOUT),
    Rule(Begins, "unexpected EOF", Later, CUT_OFF),
    Rule(Begins, "unexpected end of JSON input", Later, CUT_OFF),
    Rule(Is, "EOF", Later, "connection closed"),
    Rule(Begins, "http2: ", Later, "HTTP/2 connection broken"),
    Rule(Begins, "stream error: ", Later, "HTTP/2 stream broken"),
    // The body of an answer was damaged on the way.
    Rule(Begins, "invalid byte in chunk length", Later, BROKEN),
    Rule(Begins, "malformed chunked encoding", Later, BROKEN),
    Rule(Begins, "chunked line too long", Later, BROKEN),
    Rule(Begins, "too much chunked encoding", Later, BROKEN),
    Rule(Begins, "gzip: invalid ", Later, DAMAGED),
    Rule(Begins, "flate: corrupt input ", Later, DAMAGED),
    // The zstd format.
    Rule(Begins, "invalid input: ", Later, DAMAGED),
    Rule(Begins, "CRC check failed", Later, DAMAGED),
    Rule(Begins, "Digest did not match", Later, DAMAGED),
    Rule(Begins, "Manifest does not match provided manifest digest", Later, DAMAGED),
    // The registry's answer. With TLSVerify=false, Podman repeats the request without TLS after TLS failed, and
    // reports only the second answer.
    Rule(Begins, "StatusCode: 400, ", AtBootOnly, "HTTP 400 (asked without TLS?)"),
    // The manifest named this blob, so it comes.
    Rule(Begins, "fetching blob: invalid status code from registry 404 ", Later, NO_BLOB),
    Rule(Begins, "fetching blob: StatusCode: 404, ", Later, NO_BLOB),
    Rule(Begins, "fetching partial blob: StatusCode: 404, ", Later, NO_BLOB),
    Rule(Status, "408", Later, "HTTP 408"),
    Rule(Status, "425", Later, "HTTP 425"),
    Rule(Status, "429", LIMITED, "rate limit (HTTP 429)"),
    Rule(Status, "511", AtBootOnly, "HTTP 511 (a captive portal?)"),
    Rule(Status, "5xx", Later, "HTTP {status}"),
    Rule(Status, "3xx", AtBootOnly, "redirected (a captive portal?)"),
    Rule(Status, "4xx", Never, "refused with HTTP {status}"),
    // If a proxy refuses a connection, only the text of its status line is quoted.
    Rule(Phrase, "Bad Gateway", Later, "the proxy answers: Bad Gateway"),
    Rule(Phrase, "Gateway Timeout", Later, "the proxy answers: Gateway Timeout"),
    Rule(Phrase, "Gateway Time-out", Later, "the proxy answers: Gateway Timeout"),
    Rule(Phrase, "Service Unavailable", Later, "the proxy answers: Service Unavailable"),
    Rule(Phrase, "Internal Server Error", Later, "the proxy answers: Internal Server Error"),
    Rule(Phrase, "Request Timeout", Later, "the proxy answers: Request Timeout"),
    Rule(Phrase, "Too Many Requests", LIMITED, "rate limit"),
    Rule(Phrase, "Network Authentication Required", AtBootOnly, "login page (a captive portal?)"),
    Rule(Phrase, "Forbidden", Never, "the proxy answers: Forbidden"),
    Rule(Phrase, "Proxy Authentication Required", Never, PASSWORD),
    Rule(Phrase, "authenticationrequired", Never, PASSWORD),
    Rule(Phrase, "Unauthorized", Never, "the proxy answers: Unauthorized"),
    Rule(Phrase, "Bad Request", Never, "the proxy answers: Bad Request"),
    Rule(Phrase, "Not Found", Never, "the proxy answers: Not Found"),
    Rule(Phrase, "Method Not Allowed", Never, "the proxy answers: Method Not Allowed"),
    // The registry's answer in JSON: an error code of the distribution specification, or the default text of the
    // code. The text after the code is the registry's own, so it is shown but decides nothing.
    Rule(Begins, "toomanyrequests", LIMITED, "rate limit"),
    Rule(Begins, "too many requests", LIMITED, "rate limit"),
    // Harbor forwards the rate limit of the registry that it caches.
    Rule(Begins, "unknown: too many requests", LIMITED, "rate limit"),
    Rule(Begins, "authentication required", Never, "authentication required"),
    Rule(Code, "unauthorized", Never, "not authorized:"),
    Rule(Code, "denied", Never, "access denied:"),
    Rule(Begins, "requested access to the resource is denied", Never, DENIED),
    Rule(Begins, "unable to retrieve auth token: invalid username/password", Never, "wrong user or password"),
    Rule(Begins, "unable to retrieve auth token: 401 unauthorized", Never, "wrong user or password"),
    Rule(Begins, "no basic auth credentials", Never, "authentication required"),
    Rule(Begins, "pull access denied", Never, DENIED),
    Rule(Begins, "insufficient_scope", Never, DENIED),
    Rule(Begins, "manifest unknown", Never, "no such manifest"),
    Rule(Begins, "name unknown", Never, NO_REPOSITORY),
    Rule(Begins, "repository name not known to registry", Never, NO_REPOSITORY),
    Rule(Code, "name invalid", Never, BAD_NAME),
    // While someone pushes to a registry, or behind a cache, the manifest may exist before the blob.
    Rule(Begins, "blob unknown", Later, NO_BLOB),
    Rule(Is, "unknown blob", Later, NO_BLOB),
    // Something else answers instead of the registry, such as a captive portal.
    Rule(
        Begins,
        "invalid character '<' looking for beginning of value",
        AtBootOnly,
        "HTML instead of JSON (a captive portal?)",
    ),
    Rule(Within, " looking for beginning of value", AtBootOnly, "no JSON in the answer (a captive portal?)"),
    Rule(Begins, "malformed HTTP ", AtBootOnly, "the server did not answer with HTTP"),
    Rule(Begins, "stopped after 10 redirects", AtBootOnly, "redirected without end (a captive portal?)"),
    Rule(Answer, "unavailable", Later, "registry unavailable"),
    Rule(Answer, "service unavailable", Later, "registry unavailable"),
    // Harbor quotes the status of the registry that it caches.
    Rule(Answer, "unknown: http status code: 429", LIMITED, "rate limit"),
    Rule(Answer, "unknown: http status code: 5", Later, "the registry behind this one fails:"),
    // Podman looks for codes only in answers with a status from 400 to 499. So any other code is a refusal too.
    Rule(Answer, "", Never, "the registry refuses:"),
    Rule(Is, "not found", Never, "not found"),
    Rule(Otherwise, "unknown: ", Never, "the registry refuses:"),
    // Podman falls back to version 1 of the protocol if a registry does not answer as version 2 requires.
    Rule(Begins, "can't talk to a V1 container registry", Later, "the registry answers strangely"),
    // TLS.
    Rule(
        Begins,
        "x509: certificate has expired or is not yet valid",
        AtBootOnly,
        "certificate not valid now (the clock?)",
    ),
    Rule(Begins, "x509: ", Never, "certificate not accepted"),
    Rule(Begins, "http: server gave HTTP response to HTTPS client", Never, NO_TLS),
    Rule(Begins, "tls: first record does not look like a TLS handshake", Never, NO_TLS),
    Rule(Begins, "tls: oversized record received", Never, NO_TLS),
    Rule(Begins, "tls: no supported versions ", Never, "TLS refused:"),
    Rule(Begins, "tls: server", Never, "TLS refused:"),
    Rule(Begins, "remote error: tls: handshake failure", Later, "TLS handshake failed"),
    Rule(Begins, "remote error: tls: internal error", Later, "TLS fails at the other end"),
    Rule(Begins, "remote error: tls: close notify", Later, TLS_BROKEN),
    Rule(Begins, "remote error: tls: unexpected message", Later, TLS_BROKEN),
    Rule(Begins, "remote error: tls: bad record MAC", Later, TLS_BROKEN),
    Rule(Begins, "remote error: tls: error decoding message", Later, TLS_BROKEN),
    Rule(Begins, "remote error: tls: error decrypting message", Later, TLS_BROKEN),
    Rule(Begins, "remote error: tls: ", Never, "TLS refused:"),
    Rule(Begins, "local error: tls: ", Later, TLS_BROKEN),
    // The name or the platform of the image.
    Rule(Begins, "parsing reference ", Never, BAD_NAME),
    Rule(Begins, "invalid reference format", Never, BAD_NAME),
    Rule(Begins, "repository name must be lowercase", Never, BAD_NAME),
    Rule(Begins, "Invalid image name", Never, BAD_NAME),
    Rule(Is, "invalid tag format", Never, BAD_NAME),
    Rule(Begins, "unsupported transport ", Never, BAD_NAME),
    Rule(Within, " is not a named reference", Never, BAD_NAME),
    Rule(Begins, "docker: image reference ", Never, BAD_NAME),
    Rule(Begins, "invalid repository name ", Never, BAD_NAME),
    Rule(Begins, "pull policy is always but image has been referred to by ID", Never, BAD_NAME),
    Rule(Begins, "short-name ", Never, SHORT_NAME),
    Rule(Begins, "image name provided is a short name ", Never, SHORT_NAME),
    Rule(Begins, "no image found in ", Never, NO_PLATFORM),
    Rule(Begins, "no matching manifest for ", Never, NO_PLATFORM),
    Rule(Begins, "no match for platform in manifest", Never, NO_PLATFORM),
    Rule(Begins, "unsupported schema version ", Never, NO_IMAGE),
    Rule(Begins, "unsupported docker v2s2 media type", Never, NO_IMAGE),
    Rule(Begins, "unsupported manifest ", Never, NO_IMAGE),
    Rule(Begins, "unsupported image-specific operation", Never, NO_IMAGE),
    Rule(Begins, "layers from manifest don't match image configuration", Never, NO_IMAGE),
    Rule(Begins, "unsupported OCIv1 media type", Never, NO_IMAGE),
    Rule(Begins, "Unimplemented manifest ", Never, NO_IMAGE),
    Rule(Begins, "unable to find instance ", Never, NO_IMAGE),
    Rule(Begins, "manifest too big", Never, NO_IMAGE),
    Rule(Within, "manifest too big to process in memory", Never, NO_IMAGE),
    Rule(Within, "does not match config's DiffID", Never, NO_IMAGE),
    Rule(Within, "config claims ", Never, NO_IMAGE),
    // The layers of the image are encrypted.
    Rule(Within, "missing private key needed for decryption", Never, NO_IMAGE),
    // An archive on this host.
    Rule(Begins, "loading tar component ", Never, NO_IMAGE),
    Rule(Begins, "more than one image in oci", Never, NO_IMAGE),
    Rule(Begins, "no image matching reference ", Never, NO_IMAGE),
    Rule(Begins, "no descriptor found for reference ", Never, NO_IMAGE),
    Rule(Within, "does not resolve to an image ID", Never, "no such image on this host"),
    Rule(Is, "image not known", Never, "no such image on this host"),
    Rule(Is, "tag not known", Never, "no such image on this host"),
    // The configuration of this host. Waiting does not correct it.
    Rule(Begins, "getting credentials - err: signal: ", Later, BUSY),
    Rule(Begins, "getting credentials - err: exec: ", Never, CREDENTIALS),
    Rule(Begins, "getting credentials - err: fork/exec ", Never, CREDENTIALS),
    Rule(Begins, "getting credentials - err: docker-credential-", Never, CREDENTIALS),
    Rule(Begins, "reading JSON file ", Never, CREDENTIALS),
    Rule(Begins, "credential file is not accessible", Never, CREDENTIALS),
    Rule(Begins, "checking authfile", Never, CREDENTIALS),
    Rule(Begins, "non-empty identity token found", Never, CREDENTIALS),
    Rule(Begins, "cannot use the multiple credential sources", Never, CREDENTIALS),
    // A credential helper may need the network itself. It may be written in any language, so the words of libc, of
    // curl, of Node.js and of AWS's tools count wherever they are in its output.
    Rule(Helper, "Temporary failure in name resolution", Later, DNS_TEMPORARY),
    Rule(Helper, "EAI_AGAIN", Later, DNS_TEMPORARY),
    Rule(Helper, "Name or service not known", AtBootOnly, NO_SUCH_HOST),
    Rule(Helper, "Could not resolve host", AtBootOnly, NO_SUCH_HOST),
    Rule(Helper, "ENOTFOUND", AtBootOnly, NO_SUCH_HOST),
    Rule(Helper, "Network is unreachable", Later, UNREACHABLE),
    Rule(Helper, "ENETUNREACH", Later, UNREACHABLE),
    Rule(Helper, "No route to host", Later, NO_ROUTE),
    Rule(Helper, "Connection refused", Later, REFUSED),
    Rule(Helper, "ECONNREFUSED", Later, REFUSED),
    Rule(Helper, "Connection reset", Later, RESET),
    Rule(Helper, "timed out", Later, TIMEOUT),
    Rule(Helper, "ETIMEDOUT", Later, TIMEOUT),
    Rule(Helper, "Could not connect to the endpoint URL", Later, CANNOT_CONNECT),
    Rule(Helper, "Max retries exceeded", Later, CANNOT_CONNECT),
    Rule(Helper, "502 Bad Gateway", Later, "HTTP 502"),
    Rule(Helper, "503 Service Unavailable", Later, "HTTP 503"),
    Rule(Otherwise, "getting username and password", Never, CREDENTIALS),
    Rule(Otherwise, "getting credentials - err", Never, CREDENTIALS),
    Rule(Begins, "loading registries configuration", Never, REGISTRIES),
    Rule(Begins, "getting default registries", Never, REGISTRIES),
    Rule(Begins, "no registries found in registries.conf", Never, REGISTRIES),
    Rule(Begins, "toml: ", Never, SETUP),
    Rule(Begins, "parsing alias ", Never, REGISTRIES),
    Rule(Begins, "invalid short-name mode", Never, REGISTRIES),
    Rule(Within, " is blocked in ", Never, "registry blocked"),
    Rule(Within, " denied by policy", Never, "registry blocked"),
    Rule(Begins, "no policy.json file found", Never, POLICY),
    Rule(Begins, "open …/policy.json", Never, POLICY),
    Rule(Begins, "invalid policy in ", Never, POLICY),
    // Podman may read a signature from a server. Then that server's error follows.
    Rule(Begins, "Source image rejected: open ", Never, POLICY),
    Rule(Otherwise, "Source image rejected", Never, POLICY),
    Rule(Begins, "A signature was required", Never, POLICY),
    Rule(Begins, "current system boot ID differs from cached boot ID", Never, SETUP),
    Rule(Begins, "XDG_RUNTIME_DIR ", Never, SETUP),
    Rule(Within, "potentially insufficient UIDs or GIDs", Never, IDS),
    Rule(Within, "not be enough IDs available", Never, IDS),
    Rule(Within, "cannot be mapped to a host ID", Never, IDS),
    Rule(Begins, "cannot find UID/GID for user", Never, IDS),
    Rule(Begins, "no subuid ranges found", Never, IDS),
    Rule(Begins, "no subgid ranges found", Never, IDS),
    Rule(Begins, "open /etc/subuid", Never, IDS),
    Rule(Begins, "open /etc/subgid", Never, IDS),
    Rule(Begins, "lchown ", Never, IDS),
    Rule(Begins, "cannot set up namespace using ", Never, SETUP),
    Rule(Begins, "cannot setup namespace using ", Never, SETUP),
    Rule(Begins, "command required for rootless mode", Never, SETUP),
    Rule(Begins, "cannot find newuidmap", Never, SETUP),
    Rule(Begins, "cannot clone: ", Never, SETUP),
    Rule(Begins, "cannot re-exec process", Never, SETUP),
    // The certificate of this host for a registry.
    Rule(Begins, "loading X509 key pair", Never, SETUP),
    Rule(Within, " for client certificate ", Never, SETUP),
    Rule(Within, "missing client certificate ", Never, SETUP),
    Rule(Begins, "can't require tls verification on an insecured registry", Never, SETUP),
    Rule(Begins, "failed to parse containers.conf ", Never, SETUP),
    Rule(Begins, "invalid header field value ", Never, SETUP),
    Rule(Begins, "user namespaces are not enabled", Never, SETUP),
    Rule(Begins, "invalid internal status, try resetting the pause process", Never, SETUP),
    Rule(Begins, "default OCI runtime ", Never, SETUP),
    Rule(Begins, "could not find a working conmon binary", Never, SETUP),
    Rule(Begins, "parse \"", Never, SETUP),
    Rule(Begins, "unsupported protocol scheme", Never, SETUP),
    Rule(Begins, "exec: ", Never, "a program cannot be run:"),
    Rule(Begins, "fork/exec …: resource temporarily unavailable", Later, BUSY),
    Rule(Begins, "fork/exec …: cannot allocate memory", Later, BUSY),
    Rule(Begins, "fork/exec …: too many open files", Later, BUSY),
    // While the program is replaced by a newer version.
    Rule(Begins, "fork/exec …: text file busy", Later, "a program is being replaced"),
    Rule(Begins, "fork/exec ", Never, "a program cannot be run:"),
    Rule(Begins, "executable file ", Never, "a program cannot be run:"),
    Rule(Begins, "cannot allocate memory", Later, BUSY),
    Rule(Begins, "too many open files", Later, BUSY),
    Rule(Begins, "database configuration mismatch", Never, STORAGE),
    Rule(Within, "does not match our ", Never, STORAGE),
    Rule(Within, " is not supported over ", Never, STORAGE),
    Rule(Begins, "kernel does not support overlay fs", Never, STORAGE),
    Rule(Begins, "prerequisites for driver not satisfied", Never, STORAGE),
    Rule(Begins, "overlay: can't stat ", Never, STORAGE),
    Rule(Begins, "attempt to write a readonly database", Never, STORAGE),
    Rule(Begins, "database disk image is malformed", Never, STORAGE),
    Rule(Begins, "file is not a database", Never, STORAGE),
    Rule(Begins, "allocation failed; exceeded num_locks", Never, STORAGE),
    Rule(Within, "(consider removing the image to resolve the issue)", Never, STORAGE),
    Rule(Is, "layer not known", Never, STORAGE),
    Rule(Begins, "database or disk is full", Never, "no space left"),
    Rule(Begins, "no space left on device", Never, "no space left"),
    Rule(Begins, "disk quota exceeded", Never, "disk quota exceeded"),
    Rule(Begins, "read-only file system", Never, "read-only file system"),
    Rule(Begins, "permission denied", Never, "permission denied"),
    Rule(Begins, "operation not permitted", Never, "operation not permitted"),
    Rule(Otherwise, "configure storage", Never, STORAGE),
    // A layer cannot be unpacked. Podman unpacks a layer while it downloads it, so a layer that was damaged or cut
    // off during the download fails here too. For every other text, the storage of this host is the cause.
    Rule(Begins, "processing tar file(signal: killed", Later, BUSY),
    Rule(Begins, "unpacking failed (error: signal: killed", Later, BUSY),
    Rule(Begins, "invalid tar header", Later, DAMAGED),
    Rule(Otherwise, "processing tar file", Never, STORAGE),
    Rule(Otherwise, "unpacking failed (error: exit status ", Never, STORAGE),
    Rule(Otherwise, "creating layer with ID ", Never, STORAGE),
    Rule(Otherwise, "creating overlay mount to ", Never, STORAGE),
    Rule(Begins, "no such file or directory", AtBootOnly, "a file is not there"),
    Rule(Begins, "database is locked", Later, "another Podman is busy"),
    Rule(Begins, "unsupported pull policy ", Never, "unknown option"),
    Rule(Begins, "unknown flag: ", Never, "unknown option"),
    Rule(Begins, "unknown shorthand flag: ", Never, "unknown option"),
    Rule(Begins, "unrecognized command ", Never, "unknown command"),
];
