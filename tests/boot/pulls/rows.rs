//! The faults, and the expected result of each.

use crate::registry::{Certificate, Fault, IMAGE, NameFault};

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wrong {
    AtTheDoor(Fault),
    WithNames(NameFault),
    WithCertificate(Certificate),
    /// The request itself is wrong.
    Asked,
}

/// The expected result of `netready pull`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    /// The image is pulled, after more than one attempt.
    Comes,
    /// The image is pulled, although Podman may not need help.
    ComesByItself,
    /// The pull ends with Podman's exit code, after one attempt.
    Final,
    /// The pull ends with exit code 124, after the maximum number of attempts.
    Ended,
}

/// The expected result of plain `podman pull`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Fails,
    /// The pull still runs when the observation ends.
    Hangs,
    /// Either result is possible: it depends on seconds.
    Any,
}

#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) fault: &'static str,
    pub(super) wrong: Wrong,
    /// How long the fault lasts, in seconds. `None` means for ever.
    pub(super) lasts: Option<u64>,
    pub(super) plain: Plain,
    pub(super) ours: Ours,
    /// The reason that netready must give.
    pub(super) why: &'static str,
    /// The image, without host and port.
    pub(super) image: &'static str,
    /// The seconds since boot that the puller sees.
    pub(super) up_for: Option<i64>,
    /// Options for netready.
    pub(super) options: &'static str,
    /// Options for podman pull.
    pub(super) arguments: &'static str,
    pub(super) skopeo: bool,
    /// The shortest and the longest delay before the next attempt, in seconds. netready chooses the delays, so the
    /// load of the machine does not change them.
    pub(super) next: (f64, f64),
}

const THIRTY: Option<u64> = Some(30);
/// Seconds since boot: some errors count as temporary only during the first ten minutes.
const YOUNG: i64 = 60;
const OLD: i64 = 3600;

fn passes(fault: &'static str, wrong: Wrong, why: &'static str) -> Row {
    Row {
        fault,
        wrong,
        lasts: THIRTY,
        plain: Plain::Fails,
        ours: Ours::Comes,
        why,
        image: IMAGE,
        up_for: None,
        options: "",
        arguments: "",
        skopeo: false,
        next: (0.0, 8.0),
    }
}

fn stays(fault: &'static str, wrong: Wrong, why: &'static str) -> Row {
    Row { lasts: None, ours: Ours::Final, ..passes(fault, wrong, why) }
}

pub(super) fn rows() -> Vec<Row> {
    use Wrong::{Asked, AtTheDoor, WithCertificate, WithNames};
    let door = |fault| AtTheDoor(fault);
    let limited = "rate limit";
    vec![
        passes("connection refused", door(Fault::Refused), "connection refused"),
        passes("name server absent", WithNames(NameFault::Absent), "DNS: server does not answer"),
        Row {
            plain: Plain::Any,
            ours: Ours::ComesByItself,
            ..passes("name server silent", WithNames(NameFault::Silent), "DNS: server does not answer")
        },
        passes("SERVFAIL", WithNames(NameFault::ServFail), "DNS: the server fails"),
        Row {
            up_for: Some(YOUNG),
            ..passes("NXDOMAIN, just booted", WithNames(NameFault::NxDomain), "DNS: no such host")
        },
        passes("HTTP 500", door(Fault::Status(500)), "HTTP 500"),
        passes("HTTP 502", door(Fault::Status(502)), "HTTP 502"),
        passes("HTTP 503", door(Fault::Status(503)), "HTTP 503"),
        passes("HTTP 503, Retry-After: 5", door(Fault::RetryAfter(503, 5)), "HTTP 503"),
        Row {
            skopeo: true,
            ..passes(
                "HTTP 502, skopeo by `netready retry --classify oci`",
                door(Fault::Status(502)),
                "HTTP 502",
            )
        },
        Row {
            plain: Plain::Any,
            ours: Ours::ComesByItself,
            ..passes("HTTP 429", door(Fault::Status(429)), limited)
        },
        Row {
            plain: Plain::Any,
            ours: Ours::ComesByItself,
            ..passes("HTTP 429, Retry-After: 10", door(Fault::RetryAfter(429, 10)), limited)
        },
        Row {
            lasts: Some(45),
            arguments: "--retry 0",
            // After a rate limit, netready waits longer.
            next: (29.5, 60.0),
            ..passes("HTTP 429 for 45 s, `--retry 0`", door(Fault::Status(429)), limited)
        },
        Row {
            options: "--global-arg --log-level=debug",
            arguments: "--retry 0",
            // The delay that the registry asked for, plus a tenth, plus --delay.
            next: (2.5, 7.3),
            ..passes(
                "HTTP 429, Retry-After: 3, `--retry 0`, debug log",
                door(Fault::RetryAfter(429, 3)),
                limited,
            )
        },
        passes("connection reset", door(Fault::Reset), "connection reset"),
        passes("layer cut off", door(Fault::Cut), "cut off"),
        Row {
            plain: Plain::Hangs,
            options: "--stall-timeout 3s",
            ..passes("never answered, `--stall-timeout 3s`", door(Fault::Stall), "nothing moved for 3s")
        },
        Row {
            plain: Plain::Hangs,
            ..passes("the same, `--stall-timeout` as it is", door(Fault::Stall), "nothing moved for 1min")
        },
        Row {
            plain: Plain::Hangs,
            options: "--stall-timeout 3s",
            ..passes(
                "layer stands still, `--stall-timeout 3s`",
                door(Fault::StallInLayer),
                "nothing moved for 3s",
            )
        },
        Row {
            plain: Plain::Hangs,
            options: "--stall-timeout 3s --retries 1",
            ours: Ours::Ended,
            ..stays(
                "never answered, for good, `--stall-timeout 3s --retries 1`",
                door(Fault::Stall),
                "nothing moved for 3s",
            )
        },
        Row {
            up_for: Some(YOUNG),
            ..passes("HTML page, just booted", door(Fault::Html), "HTML instead of JSON (a captive portal?)")
        },
        Row {
            up_for: Some(OLD),
            ..stays(
                "HTML page for good, up for an hour",
                door(Fault::Html),
                "HTML instead of JSON (a captive portal?)",
            )
        },
        Row {
            up_for: Some(OLD),
            ..stays("NXDOMAIN for good, up for an hour", WithNames(NameFault::NxDomain), "DNS: no such host")
        },
        stays("HTTP 401", door(Fault::Status(401)), "authentication required"),
        stays("HTTP 403", door(Fault::Status(403)), "access denied"),
        stays("HTTP 404", door(Fault::Status(404)), "no such manifest"),
        Row { image: "library/busybox:none", ..stays("no such tag", Asked, "no such manifest") },
        Row { image: "library/Busybox:1", ..stays("bad name", Asked, "bad image name") },
        Row {
            arguments: "--tls-verify=true",
            ..stays("plain text on a TLS port", Asked, "no TLS at the other end")
        },
        stays(
            "self-signed certificate",
            WithCertificate(Certificate::SelfSigned),
            "certificate not accepted",
        ),
        stays(
            "certificate of another name",
            WithCertificate(Certificate::WrongName),
            "certificate not accepted",
        ),
        Row {
            up_for: Some(OLD),
            ..stays(
                "certificate expired, up for an hour",
                WithCertificate(Certificate::Expired),
                "certificate not valid now (the clock?)",
            )
        },
    ]
}
