//! What error texts mean, one row each.
//!
//! To teach netready a new text, add a row here and an example to `examples.rs`. If the reason is new too, add
//! it to the table in `docs/registry.md`. Tests fail until all three agree.
//!
//! An error text is a chain of links, from the outside in: `initializing source X: pinging container registry H:
//! Get "URL": dial tcp A: connect: connection refused`. The leftmost link that a row fits decides, because what
//! stands further right was said by somebody further away: by a name server, or by the registry. If several
//! rows fit the same link, the first of them decides. Upper and lower case are the same. What stands in
//! quotes, in JSON or in markup fits no row.

use crate::retry::Again::{self, AtBootOnly, Later, Never};

use Place::{Answer, Begins, Code, Is, Lookup, Otherwise, Phrase, Status, Within};

/// Where a sign has to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the beginning of a link. It may reach into the links after it.
    Begins,
    /// It is the whole link.
    Is,
    /// Anywhere in a link.
    Within,
    /// As Begins, but only where no link of the whole text fits another row.
    Otherwise,
    /// As Begins, after a link `lookup NAME`: the failure of a DNS lookup.
    Lookup,
    /// The HTTP status that a link names. An `x` stands for any digit.
    Status,
    /// It is the whole link after a request: the words of a proxy's status line.
    Phrase,
    /// It is the whole link, an error code. The words after it are the registry's.
    Code,
    /// As Begins, where Podman quotes the registry's answer.
    Answer,
}

/// The other side counts requests.
pub(super) const LIMITED: Again = Again::Limited(None);

/// A place, the sign that has to stand there, what it says about another attempt, and a short reason.
///
/// After a reason that ends with a colon, the text's own words are shown. `{status}` is the HTTP status.
#[derive(Debug)]
pub(super) struct Row(pub(super) Place, pub(super) &'static str, pub(super) Again, pub(super) &'static str);

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
const NO_PLATFORM: &str = "no image for this platform";
const NO_IMAGE: &str = "not an image that can be used:";
const LOCAL: &str = "localhost/ is for images built here, and this one is not here";
const SETUP: &str = "this host's set-up:";
const CREDENTIALS: &str = "credentials on this host:";
const REGISTRIES: &str = "registries.conf on this host:";
const POLICY: &str = "signature policy of this host:";
const IDS: &str = "too few user IDs on this host:";
const STORAGE: &str = "storage on this host:";

/// All that is known.
pub(super) static ROWS: &[Row] = &[
    // DNS. The texts of a refused connection and of an unreachable network stand in a failed lookup too, and
    // mean the name server there. Go's resolver names the server that it asked; glibc's and musl's do not.
    Row(Lookup, "no such host", AtBootOnly, NO_SUCH_HOST),
    Row(Lookup, "Name or service not known", AtBootOnly, NO_SUCH_HOST),
    Row(Lookup, "Name does not resolve", AtBootOnly, NO_SUCH_HOST),
    Row(Lookup, "No address associated with hostname", AtBootOnly, "DNS: no address"),
    Row(Lookup, "server misbehaving", Later, "DNS: the server fails"),
    Row(Lookup, "Temporary failure in name resolution", Later, "DNS: temporary failure"),
    Row(Lookup, "Try again", Later, "DNS: temporary failure"),
    Row(Lookup, "dial udp ", Later, DNS_UNREACHABLE),
    Row(Lookup, "dial tcp ", Later, DNS_UNREACHABLE),
    Row(Lookup, "read udp ", Later, DNS_SILENT),
    Row(Lookup, "read tcp ", Later, DNS_SILENT),
    Row(Lookup, "i/o timeout", Later, "DNS: timeout"),
    Row(Lookup, "", Later, "DNS lookup failed"),
    // `localhost/NAME` without a port is the name of an image that was built here. No registry is behind it.
    Row(Begins, "pinging container registry localhost: Get ", Never, LOCAL),
    Row(Begins, "pinging docker registry localhost: Get ", Never, LOCAL),
    Row(Begins, "Get https://localhost/v2/: ", Never, LOCAL),
    // The way to the registry, or to a proxy.
    Row(Begins, "connect: connection refused", Later, "connection refused"),
    Row(Begins, "connect: network is unreachable", Later, "network unreachable"),
    Row(Begins, "connect: no route to host", Later, "no route to host"),
    Row(Begins, "connect: connection reset by peer", Later, "connection reset"),
    Row(Begins, "connect: permission denied", Never, "permission denied"),
    Row(Begins, "connect: ", Later, "cannot connect"),
    Row(Begins, "connection refused", Later, "connection refused"),
    Row(Begins, "network is unreachable", Later, "network unreachable"),
    Row(Begins, "no route to host", Later, "no route to host"),
    Row(Begins, "connection reset by peer", Later, "connection reset"),
    Row(Begins, "broken pipe", Later, BROKEN),
    Row(Begins, "software caused connection abort", Later, BROKEN),
    Row(Begins, "use of closed network connection", Later, BROKEN),
    Row(Begins, "http: server closed idle connection", Later, BROKEN),
    Row(Begins, "write: operation not permitted", Later, "a firewall on this host forbids it"),
    Row(Otherwise, "socks connect ", Later, "the proxy cannot connect"),
    Row(Begins, "i/o timeout", Later, "timeout"),
    Row(Begins, "connection timed out", Later, "timeout"),
    Row(Begins, "operation timed out", Later, "timeout"),
    Row(Begins, "TLS handshake timeout", Later, "timeout of the TLS handshake"),
    Row(Begins, "timeout awaiting response headers", Later, "timeout"),
    Row(Begins, "context deadline exceeded", Later, "timeout"),
    Row(Within, "(Client.Timeout ", Later, "timeout"),
    Row(Begins, "unexpected EOF", Later, "cut off"),
    Row(Is, "EOF", Later, "connection closed"),
    Row(Begins, "http2: ", Later, "HTTP/2 connection broken"),
    Row(Begins, "stream error: ", Later, "HTTP/2 stream broken"),
    Row(Begins, "Digest did not match", Later, "wrong content"),
    Row(Begins, "Manifest does not match provided manifest digest", Later, "wrong content"),
    // The registry's answer. Where Podman is told TLSVerify=false, it asks without TLS after TLS failed, and
    // tells of the second answer only.
    Row(Begins, "StatusCode: 400, ", AtBootOnly, "HTTP 400 (asked without TLS?)"),
    Row(Status, "408", Later, "HTTP 408"),
    Row(Status, "425", Later, "HTTP 425"),
    Row(Status, "429", LIMITED, "rate limit (HTTP 429)"),
    Row(Status, "511", AtBootOnly, "HTTP 511 (a captive portal?)"),
    Row(Status, "5xx", Later, "HTTP {status}"),
    Row(Status, "3xx", AtBootOnly, "redirected (a captive portal?)"),
    Row(Status, "4xx", Never, "refused with HTTP {status}"),
    // A proxy that refuses a connection is quoted by the words of its status line alone.
    Row(Phrase, "Bad Gateway", Later, "the proxy answers: Bad Gateway"),
    Row(Phrase, "Gateway Timeout", Later, "the proxy answers: Gateway Timeout"),
    Row(Phrase, "Gateway Time-out", Later, "the proxy answers: Gateway Timeout"),
    Row(Phrase, "Service Unavailable", Later, "the proxy answers: Service Unavailable"),
    Row(Phrase, "Internal Server Error", Later, "the proxy answers: Internal Server Error"),
    Row(Phrase, "Request Timeout", Later, "the proxy answers: Request Timeout"),
    Row(Phrase, "Too Many Requests", LIMITED, "rate limit"),
    Row(Phrase, "Network Authentication Required", AtBootOnly, "login page (a captive portal?)"),
    Row(Phrase, "Forbidden", Never, "the proxy answers: Forbidden"),
    Row(Phrase, "Proxy Authentication Required", Never, "the proxy wants a password"),
    Row(Phrase, "Unauthorized", Never, "the proxy answers: Unauthorized"),
    Row(Phrase, "Bad Request", Never, "the proxy answers: Bad Request"),
    Row(Phrase, "Not Found", Never, "the proxy answers: Not Found"),
    Row(Phrase, "Method Not Allowed", Never, "the proxy answers: Method Not Allowed"),
    // The registry's answer in JSON: an error code of the distribution specification, or that code's default
    // words. What follows the code is the registry's own text, so it is shown and decides nothing.
    Row(Begins, "toomanyrequests", LIMITED, "rate limit"),
    Row(Begins, "too many requests", LIMITED, "rate limit"),
    // Harbor passes on the limit of the registry that it caches.
    Row(Begins, "unknown: too many requests", LIMITED, "rate limit"),
    Row(Begins, "authentication required", Never, "authentication required"),
    Row(Code, "unauthorized", Never, "not authorized:"),
    Row(Code, "denied", Never, "access denied:"),
    Row(Begins, "requested access to the resource is denied", Never, DENIED),
    Row(Begins, "unable to retrieve auth token: invalid username/password", Never, "wrong user or password"),
    Row(Begins, "no basic auth credentials", Never, "authentication required"),
    Row(Begins, "pull access denied", Never, DENIED),
    Row(Begins, "insufficient_scope", Never, DENIED),
    Row(Begins, "manifest unknown", Never, "no such manifest"),
    Row(Begins, "name unknown", Never, NO_REPOSITORY),
    Row(Begins, "repository name not known to registry", Never, NO_REPOSITORY),
    Row(Code, "name invalid", Never, BAD_NAME),
    // A registry that is being written to, or a cache in front of it, has the manifest before the blob.
    Row(Begins, "blob unknown", Later, NO_BLOB),
    Row(Is, "unknown blob", Later, NO_BLOB),
    Row(Answer, "unavailable", Later, "registry unavailable"),
    Row(Answer, "service unavailable", Later, "registry unavailable"),
    // Harbor quotes the status of the registry that it caches.
    Row(Answer, "unknown: http status code: 429", LIMITED, "rate limit"),
    Row(Answer, "unknown: http status code: 5", Later, "the registry behind this one fails:"),
    // Podman looks for codes only in answers with the status 400 to 499. So any other code refuses as well.
    Row(Answer, "", Never, "the registry refuses:"),
    Row(Is, "not found", Never, "not found"),
    Row(Otherwise, "unknown: ", Never, "the registry refuses:"),
    // Podman turns to version 1 of the protocol when a registry does not answer as version 2 does.
    Row(Begins, "can't talk to a V1 container registry", Later, "the registry answers strangely"),
    // TLS.
    Row(
        Begins,
        "x509: certificate has expired or is not yet valid",
        AtBootOnly,
        "certificate not valid now (the clock?)",
    ),
    Row(Begins, "x509: ", Never, "certificate not accepted"),
    Row(Begins, "http: server gave HTTP response to HTTPS client", Never, NO_TLS),
    Row(Begins, "tls: first record does not look like a TLS handshake", Never, NO_TLS),
    Row(Begins, "tls: oversized record received", Never, NO_TLS),
    Row(Begins, "tls: server selected unsupported protocol version", Never, "TLS refused:"),
    Row(Begins, "remote error: tls: handshake failure", Later, "TLS handshake failed"),
    Row(Begins, "remote error: tls: internal error", Later, "TLS fails at the other end"),
    Row(Begins, "remote error: tls: unexpected message", Later, TLS_BROKEN),
    Row(Begins, "remote error: tls: bad record MAC", Later, TLS_BROKEN),
    Row(Begins, "remote error: tls: error decoding message", Later, TLS_BROKEN),
    Row(Begins, "remote error: tls: error decrypting message", Later, TLS_BROKEN),
    Row(Begins, "remote error: tls: ", Never, "TLS refused:"),
    Row(Begins, "local error: tls: ", Later, TLS_BROKEN),
    // Something else answers in the registry's place.
    Row(
        Begins,
        "invalid character '<' looking for beginning of value",
        AtBootOnly,
        "HTML instead of JSON (a captive portal?)",
    ),
    Row(Within, " looking for beginning of value", AtBootOnly, "no JSON in the answer (a captive portal?)"),
    Row(Begins, "malformed HTTP ", AtBootOnly, "the answer is not HTTP"),
    // What is asked for.
    Row(Begins, "parsing reference ", Never, BAD_NAME),
    Row(Begins, "invalid reference format", Never, BAD_NAME),
    Row(Begins, "repository name must be lowercase", Never, BAD_NAME),
    Row(Begins, "Invalid image name", Never, BAD_NAME),
    Row(Begins, "short-name ", Never, "short name that is not resolved"),
    Row(Begins, "no image found in ", Never, NO_PLATFORM),
    Row(Begins, "no matching manifest for ", Never, NO_PLATFORM),
    Row(Begins, "no match for platform in manifest", Never, NO_PLATFORM),
    Row(Begins, "unsupported schema version ", Never, NO_IMAGE),
    Row(Begins, "unsupported docker v2s2 media type", Never, NO_IMAGE),
    Row(Begins, "unsupported manifest ", Never, NO_IMAGE),
    Row(Begins, "unsupported image-specific operation", Never, NO_IMAGE),
    Row(Begins, "layers from manifest don't match image configuration", Never, NO_IMAGE),
    Row(Within, "does not resolve to an image ID", Never, "no such image on this host"),
    Row(Is, "image not known", Never, "no such image on this host"),
    // What the host has set up itself. Nothing of it passes by waiting.
    Row(Begins, "getting credentials - err: exec: ", Never, CREDENTIALS),
    Row(Begins, "getting credentials - err: fork/exec ", Never, CREDENTIALS),
    Row(Begins, "getting credentials - err: docker-credential-", Never, CREDENTIALS),
    Row(Begins, "reading JSON file ", Never, CREDENTIALS),
    Row(Begins, "credential file is not accessible", Never, CREDENTIALS),
    Row(Begins, "checking authfile", Never, CREDENTIALS),
    // A credential helper can need the network itself, and then it is quoted here.
    Row(Otherwise, "getting username and password", Never, CREDENTIALS),
    Row(Otherwise, "getting credentials - err", Never, CREDENTIALS),
    Row(Begins, "loading registries configuration", Never, REGISTRIES),
    Row(Begins, "getting default registries", Never, REGISTRIES),
    Row(Begins, "toml: ", Never, SETUP),
    Row(Within, " is blocked in ", Never, "registry blocked"),
    Row(Begins, "no policy.json file found", Never, POLICY),
    Row(Within, "/policy.json", Never, POLICY),
    Row(Begins, "invalid policy in ", Never, POLICY),
    Row(Begins, "Source image rejected", Never, POLICY),
    Row(Begins, "A signature was required", Never, POLICY),
    Row(Begins, "current system boot ID differs from cached boot ID", Never, SETUP),
    Row(Begins, "XDG_RUNTIME_DIR ", Never, SETUP),
    Row(Within, "potentially insufficient UIDs or GIDs", Never, IDS),
    Row(Within, "not be enough IDs available", Never, IDS),
    Row(Begins, "cannot find UID/GID for user", Never, IDS),
    Row(Begins, "no subuid ranges found", Never, IDS),
    Row(Begins, "no subgid ranges found", Never, IDS),
    Row(Begins, "lchown ", Never, IDS),
    Row(Begins, "cannot set up namespace using ", Never, SETUP),
    Row(Begins, "cannot setup namespace using ", Never, SETUP),
    Row(Begins, "command required for rootless mode", Never, SETUP),
    Row(Begins, "cannot find newuidmap", Never, SETUP),
    Row(Begins, "cannot clone: ", Never, SETUP),
    Row(Begins, "user namespaces are not enabled", Never, SETUP),
    Row(Begins, "invalid internal status, try resetting the pause process", Never, SETUP),
    Row(Begins, "default OCI runtime ", Never, SETUP),
    Row(Begins, "could not find a working conmon binary", Never, SETUP),
    Row(Begins, "parse \"", Never, SETUP),
    Row(Begins, "unsupported protocol scheme", Never, SETUP),
    Row(Begins, "exec: ", Never, "a program cannot be run:"),
    Row(Begins, "fork/exec ", Never, "a program cannot be run:"),
    Row(Begins, "executable file ", Never, "a program cannot be run:"),
    Row(Begins, "database configuration mismatch", Never, STORAGE),
    Row(Within, "does not match our ", Never, STORAGE),
    Row(Within, " is not supported over ", Never, STORAGE),
    Row(Begins, "kernel does not support overlay fs", Never, STORAGE),
    Row(Begins, "prerequisites for driver not satisfied", Never, STORAGE),
    Row(Begins, "no space left on device", Never, "no space left"),
    Row(Begins, "disk quota exceeded", Never, "disk quota exceeded"),
    Row(Begins, "read-only file system", Never, "read-only file system"),
    Row(Begins, "permission denied", Never, "permission denied"),
    Row(Begins, "operation not permitted", Never, "operation not permitted"),
    Row(Otherwise, "configure storage", Never, STORAGE),
    // A layer that cannot be unpacked. Podman unpacks while it downloads, so a layer that was damaged or cut off on
    // the way fails here as well; everything else is refused by the storage below.
    Row(Begins, "processing tar file(unexpected EOF)", Later, "cut off"),
    Row(Begins, "invalid tar header", Later, "wrong content"),
    Row(Otherwise, "processing tar file", Never, STORAGE),
    Row(Otherwise, "creating overlay mount to ", Never, STORAGE),
    Row(Begins, "no such file or directory", AtBootOnly, "a file is not there"),
    Row(Begins, "database is locked", Later, "another Podman is busy"),
    Row(Begins, "unknown flag: ", Never, "unknown option"),
    Row(Begins, "unknown shorthand flag: ", Never, "unknown option"),
    Row(Begins, "unrecognized command ", Never, "unknown command"),
];
