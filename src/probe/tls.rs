//! TLS by the host's trust store, and what is wrong with a certificate, in words.

#![allow(clippy::wildcard_enum_match_arm, reason = "rustls' errors are its own, and will grow")]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    RootCertStore, SignatureScheme, StreamOwned,
};

use crate::probe::http::Wire;

/// What is spoken. A server that has HTTP/2 only says so then.
const HTTP_1: &[u8] = b"http/1.1";

/// Shakes hands with the server of that name, on a connection that is there.
pub fn start(mut wire: Wire, host: &str) -> Result<StreamOwned<ClientConnection, Wire>, String> {
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => {
            ServerName::try_from(host.trim_end_matches('.').to_owned()).map_err(|error| error.to_string())?
        }
    };
    let mut connection = config().and_then(|config| {
        ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())
    })?;
    while connection.is_handshaking() {
        connection.complete_io(&mut wire).map_err(|error| explain(&error, host))?;
    }
    Ok(StreamOwned::new(connection, wire))
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

/// Verifies as rustls does, and says of a certificate that is refused whether it is self-signed.
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
                Error::General(SELF_SIGNED.to_owned())
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

const SELF_SIGNED: &str = "the certificate is self-signed";

/// Whether issuer and subject are the same (RFC 5280, 4.1).
fn is_self_issued(certificate: &[u8]) -> bool {
    names(certificate).is_some_and(|(issuer, subject)| issuer == subject)
}

fn names(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(certificate)?;
    let (_, fields, _) = element(certificate)?;
    let (tag, _, after) = element(fields)?;
    // The version may be left out; then the serial number was first.
    let fields = if tag == VERSION { element(after)?.2 } else { after };
    let (_, _, fields) = element(fields)?;
    let (_, issuer, fields) = element(fields)?;
    let (_, _, fields) = element(fields)?;
    let (_, subject, _) = element(fields)?;
    Some((issuer, subject))
}

/// The first element of some DER: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let add = |length: usize, octet: &u8| length.checked_mul(256)?.checked_add(usize::from(*octet));
            (octets.iter().try_fold(0, add)?, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// What went wrong between us and the server of that name.
pub fn explain(error: &io::Error, host: &str) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection was closed during the TLS handshake".to_owned(),
            _ => super::tcp::explain(error),
        };
    };
    match tls {
        Error::InvalidCertificate(why) => format!("the certificate {}", fault(why, host)),
        Error::General(text) => text.clone(),
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol => {
            "the server does not speak HTTP/1.1 (HTTP/2 only?)".to_owned()
        }
        Error::InvalidMessage(_) => "the server does not speak TLS".to_owned(),
        other => format!("TLS: {other}"),
    }
}

fn fault(why: &CertificateError, host: &str) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet: is this host's clock right?".to_owned()
        }
        CertificateError::UnknownIssuer => "is of an issuer that this host does not trust".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("is not for {host}")
        }
        CertificateError::BadSignature => "is not signed by its issuer".to_owned(),
        CertificateError::Revoked => "is revoked".to_owned(),
        other => format!("is not valid: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_and_subject() {
        let named = |name: &str| {
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params
        };
        let key = || rcgen::KeyPair::generate().unwrap();
        let own = named("a").self_signed(&key()).unwrap();
        assert!(is_self_issued(own.der()));
        let issuer = rcgen::Issuer::new(named("authority"), key());
        let signed = named("a").signed_by(&key(), &issuer).unwrap();
        assert!(!is_self_issued(signed.der()));
        for length in 0..own.der().len() {
            // No part of it is taken for a whole one, nor panics.
            assert!(!is_self_issued(&own.der()[..length]), "{length}");
        }
    }

    #[test]
    fn der() {
        for (octets, read) in [
            (&b"\x30\x02ab"[..], Some((0x30, &b"ab"[..], &b""[..]))),
            (b"\x30\x01ab", Some((0x30, b"a", b"b"))),
            (b"\x30\x81\x02abc", Some((0x30, b"ab", b"c"))),
            (b"\x30\x82\x00\x01a", Some((0x30, b"a", b""))),
            (b"\x30\x03ab", None),
            (b"\x30\x82\x01", None),
            (b"\x30\x89\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\x30", None),
        ] {
            assert_eq!(element(octets), read, "{octets:?}");
        }
    }
}
