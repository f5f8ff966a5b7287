//! The stable names of reasons.

/// The stable names of reasons, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "as_str says it, the manual explains it")]
pub enum ReasonCode {
    Absent,
    AdminDown,
    NoCarrier,
    Dormant,
    NoAddress,
    Tentative,
    DadFailed,
    Deprecated,
    NoRoute,
    RouteDead,
    RouteHidden,
    NoSource,
    WrongLink,
    Unreachable,
    NoNameserver,
    NotPresent,
    NotRead,
    ProbeFailed,
    ProbeProgram,
    NotTried,
}

impl ReasonCode {
    /// Every code, for the manual and the tests that check it.
    pub const ALL: [ReasonCode; 20] = [
        ReasonCode::Absent,
        ReasonCode::AdminDown,
        ReasonCode::NoCarrier,
        ReasonCode::Dormant,
        ReasonCode::NoAddress,
        ReasonCode::Tentative,
        ReasonCode::DadFailed,
        ReasonCode::Deprecated,
        ReasonCode::NoRoute,
        ReasonCode::RouteDead,
        ReasonCode::RouteHidden,
        ReasonCode::NoSource,
        ReasonCode::WrongLink,
        ReasonCode::Unreachable,
        ReasonCode::NoNameserver,
        ReasonCode::NotPresent,
        ReasonCode::NotRead,
        ReasonCode::ProbeFailed,
        ReasonCode::ProbeProgram,
        ReasonCode::NotTried,
    ];

    /// Reads a code.
    pub fn read(word: &str) -> Option<ReasonCode> {
        ReasonCode::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// The code as it stands in JSON and in the manual.
    pub fn as_str(self) -> &'static str {
        match self {
            ReasonCode::Absent => "absent",
            ReasonCode::AdminDown => "admin-down",
            ReasonCode::NoCarrier => "no-carrier",
            ReasonCode::Dormant => "dormant",
            ReasonCode::NoAddress => "no-address",
            ReasonCode::Tentative => "tentative",
            ReasonCode::DadFailed => "dadfailed",
            ReasonCode::Deprecated => "deprecated",
            ReasonCode::NoRoute => "no-route",
            ReasonCode::RouteDead => "route-dead",
            ReasonCode::RouteHidden => "route-hidden",
            ReasonCode::NoSource => "no-source",
            ReasonCode::WrongLink => "wrong-link",
            ReasonCode::Unreachable => "unreachable",
            ReasonCode::NoNameserver => "no-nameserver",
            ReasonCode::NotPresent => "not-present",
            ReasonCode::NotRead => "not-read",
            ReasonCode::ProbeFailed => "probe-failed",
            ReasonCode::ProbeProgram => "probe-program",
            ReasonCode::NotTried => "not-tried",
        }
    }
}
