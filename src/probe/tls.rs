//! TLS with the host's trust store, and the texts for errors of certificates.

#![allow(clippy::wildcard_enum_match_arm, reason = "rustls' errors are its own, and will grow")]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use webpki::EndEntityCert;

/// The only protocol that is offered by ALPN, so that a server that speaks only HTTP/2 reports this.
const HTTP_1: &[u8] = b"http/1.1";

/// Does the TLS handshake with the server `host` on an open connection.
pub async fn start(stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, String> {
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => {
            ServerName::try_from(host.trim_end_matches('.').to_owned()).map_err(|error| error.to_string())?
        }
    };
    let connector = TlsConnector::from(Arc::new(config()?));
    connector.connect(name, stream).await.map_err(|error| explain(&error, host))
}

fn config() -> Result<ClientConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or(String::new(), |error| format!(": {error}"));
        return Err(format!("this host has no trust store (package ca-certificates){why}"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| error.to_string())?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Named(verifier)))
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_1.to_vec()];
    Ok(config)
}

/// Verifies certificates as rustls does, but distinguishes a self-signed certificate from one of an unknown issuer.
///
/// rustls has no error for a self-signed certificate, and shows a refused certificate only to its verifier. So this
/// verifier passes each call to rustls' own verifier, and only changes the reason of a refusal.
#[derive(Debug)]
struct Named(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp, now);
        verified.map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
                if is_self_issued(end_entity) =>
            {
                CertificateError::Other(OtherError(Arc::new(SelfSigned))).into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The error for a certificate whose issuer and subject are the same.
#[derive(Debug, thiserror::Error)]
#[error("self-signed certificate")]
struct SelfSigned;

fn is_self_issued(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}

/// The reason why a connection with the server `host` failed.
pub fn explain(error: &io::Error, host: &str) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection was closed during the TLS handshake".to_owned(),
            _ => crate::probe::socket_error::explain(error),
        };
    };
    match tls {
        Error::InvalidCertificate(why) => format!("the certificate {}", fault(why, host)),
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol => {
            "the server does not speak HTTP/1.1 (HTTP/2 only?)".to_owned()
        }
        Error::InvalidMessage(_) => "the server does not speak TLS".to_owned(),
        other => format!("TLS: {other}"),
    }
}

/// What is wrong with the certificate of a host, as the end of a sentence that begins with "the certificate".
fn fault(why: &CertificateError, host: &str) -> String {
    match why {
        CertificateError::Expired => "has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("has expired (valid until {})", date(*not_after))
        }
        CertificateError::NotValidYet => NOT_YET.to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("{NOT_YET} (valid from {})", date(*not_before))
        }
        CertificateError::UnknownIssuer => "is of an issuer that this host does not trust".to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            let names: Vec<&str> = presented.iter().take(MOST_NAMES).map(|name| bare(name)).collect();
            let more = if presented.len() > MOST_NAMES { " and others" } else { "" };
            format!("is not for {host}, but for {}{more}", names.join(", "))
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("is not for {host}")
        }
        CertificateError::BadSignature => "is not signed by its issuer".to_owned(),
        CertificateError::Revoked => "is revoked".to_owned(),
        CertificateError::Other(OtherError(other)) if other.is::<SelfSigned>() => "is self-signed".to_owned(),
        CertificateError::Other(OtherError(other)) => match other.downcast_ref() {
            Some(webpki::Error::UnsupportedCertVersion) => "is not of X.509 version 3".to_owned(),
            _ => format!("is not valid: {other}"),
        },
        other => format!("is not valid: {other}"),
    }
}

const NOT_YET: &str = "is not valid yet: is this host's clock right?";

/// The most names of a certificate that a reason lists.
const MOST_NAMES: usize = 3;

/// A certificate's name without what webpki writes around it: `DnsName("a.example")` becomes `a.example`.
fn bare(name: &str) -> &str {
    let inner = ["DnsName(", "IpAddress("].iter().find_map(|kind| name.strip_prefix(kind)?.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

/// The date in UTC, as in `2030-12-31`.
fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("second {seconds}"), |time| time.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn named(name: &str) -> rcgen::CertificateParams {
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    }

    #[test]
    fn a_certificate_is_self_issued_if_issuer_and_subject_are_the_same() {
        let key = || rcgen::KeyPair::generate().unwrap();
        let own = named("a").self_signed(&key()).unwrap();
        assert!(is_self_issued(own.der()));
        let issuer = rcgen::Issuer::new(named("authority"), key());
        let signed = named("a").signed_by(&key(), &issuer).unwrap();
        assert!(!is_self_issued(signed.der()));
        for length in 0..own.der().len() {
            // A part of a certificate is not accepted as a whole one.
            assert!(!is_self_issued(&own.der()[..length].into()), "{length}");
        }
    }

    #[test]
    fn each_fault_of_a_certificate_has_its_own_text() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * 86400));
        let names = |names: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("x.example").unwrap(),
            presented: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let other = |error: webpki::Error| CertificateError::Other(OtherError(Arc::new(error)));
        for (why, words) in [
            (CertificateError::Expired, "has expired"),
            (
                CertificateError::ExpiredContext { time: at(9), not_after: at(1) },
                "has expired (valid until 1970-01-02)",
            ),
            (
                CertificateError::NotValidYetContext { time: at(1), not_before: at(31) },
                "is not valid yet: is this host's clock right? (valid from 1970-02-01)",
            ),
            (CertificateError::UnknownIssuer, "is of an issuer that this host does not trust"),
            (names(&[]), "is not for x"),
            (names(&["DnsName(\"*.b.example\")"]), "is not for x, but for *.b.example"),
            (
                names(&["IpAddress(192.0.2.1)", "DnsName(\"b\")", "DirectoryName", "DnsName(\"c\")"]),
                "is not for x, but for 192.0.2.1, b, DirectoryName and others",
            ),
            (CertificateError::BadSignature, "is not signed by its issuer"),
            (CertificateError::Revoked, "is revoked"),
            (CertificateError::Other(OtherError(Arc::new(SelfSigned))), "is self-signed"),
            (other(webpki::Error::UnsupportedCertVersion), "is not of X.509 version 3"),
            (other(webpki::Error::CaUsedAsEndEntity), "is not valid: CaUsedAsEndEntity"),
        ] {
            assert_eq!(fault(&why, "x"), words, "{why:?}");
        }
    }
}
