//! What a TLS connection trusts and shows, for HTTP and for other protocols. A connection is made with
//! what the files are then.

use std::path::Path;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use talon_sdk::Fault;
use talon_sdk::unreadable;

use crate::following::Following;
use crate::{ClientCertificate, Tls};

/// What a connection trusts and shows. Reads the files that the configuration names, and where the
/// connection is secured the machine's authorities; blocks for a few milliseconds. The files are read again
/// when they have changed and a connection is made.
///
/// # Errors
/// [`Fault::Misconfigured`] with the key of the file that is wrong; its content is not quoted.
pub fn client_config(config: &Tls, is_secured: bool) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| Fault::Internal { reason: "the TLS library has no protocol".to_owned() })?;
    let builder = if is_secured {
        let (ca, with) = (config.ca_file.clone(), provider.clone());
        let files = ca.iter().cloned().collect();
        let trusted = Following::new(files, move || verifier(ca.as_deref(), with.clone()))?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Trusted(trusted)))
    } else {
        // Without TLS nothing is verified, so nothing needs to be trusted; only that the file is one.
        builder.with_root_certificates(readable(config.ca_file.as_deref())?.0)
    };
    Ok(match &config.client_certificate {
        None => builder.with_no_client_auth(),
        Some(shown) => {
            let files = vec![shown.certificate_file.clone(), shown.key_file.clone()];
            let shown = shown.clone();
            let shown = Following::new(files, move || certified(&shown, &provider))?;
            builder.with_client_cert_resolver(Arc::new(Shown(shown)))
        }
    })
}

/// The authorities of a file, if there is one.
fn readable(ca: Option<&Path>) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Fault> {
    let roots = ca.map(|path| certificates("upstream.ca.file", path)).transpose()?;
    let roots = roots.unwrap_or_default();
    // The verifier does not say which of its roots it could not read.
    let mut readable = RootCertStore::empty();
    for root in &roots {
        readable.add(root.clone()).map_err(|_| {
            misconfigured("the file of `upstream.ca.file` has a certificate that cannot be read")
        })?;
    }
    Ok((readable, roots))
}

fn verifier(ca: Option<&Path>, provider: Arc<CryptoProvider>) -> Result<Verifier, Fault> {
    let (_, roots) = readable(ca)?;
    Verifier::new_with_extra_roots(roots, provider)
        .map_err(|_| misconfigured("the machine has no CA certificates; set `upstream.ca.file`"))
}

fn certified(files: &ClientCertificate, provider: &CryptoProvider) -> Result<CertifiedKey, Fault> {
    let chain = certificates("upstream.client.certificate.file", &files.certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(&files.key_file).map_err(|error| {
        bad_pem("upstream.client.key.file", &files.key_file, "private key", &error)
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|_| {
        misconfigured(
            "`upstream.client.key.file` is not the key of `upstream.client.certificate.file`",
        )
    })
}

/// The certificate that is shown.
#[derive(Debug)]
struct Shown(Following<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The authorities that are trusted.
#[derive(Debug)]
struct Trusted(Following<Verifier>);

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = self.0.current();
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.current().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.current().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.current().supported_verify_schemes()
    }
}

/// What a TLS error means, without the names in certificates.
pub fn explain(error: &rustls::Error) -> String {
    use CertificateError as Bad;
    let what = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => {
                "the upstream's certificate is signed by an authority that is not trusted; \
                 put that authority's certificate into `upstream.ca.file`"
            }
            Bad::Expired | Bad::ExpiredContext { .. } => "the upstream's certificate has expired",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the upstream's certificate is not valid yet; is the clock right?"
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "the upstream's certificate is for another host than `upstream.url` names"
            }
            Bad::Revoked => "the upstream's certificate is revoked",
            Bad::BadSignature => {
                "the upstream's certificate is not signed by the authority that it names; see \
                 `upstream.ca.file`"
            }
            _ => "the upstream's certificate is not valid",
        },
        rustls::Error::AlertReceived(alert) => {
            return format!(
                "the upstream refused the TLS session with the alert `{alert:?}`; if it wants a \
                 certificate, see `upstream.client.certificate.file`"
            );
        }
        rustls::Error::InvalidMessage(_) => {
            "the upstream does not speak TLS on that port; see `upstream.url`"
        }
        rustls::Error::PeerIncompatible(_) => {
            "the upstream has no version or cipher of TLS that is safe"
        }
        _ => "the TLS session failed",
    };
    what.to_owned()
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let bad = |error: PemError| bad_pem(setting, path, "certificate", &error);
    let found = CertificateDer::pem_file_iter(path).map_err(bad)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(bad)?;
    if found.is_empty() { Err(bad(PemError::NoItemsFound)) } else { Ok(found) }
}

fn bad_pem(setting: &str, path: &Path, item: &str, error: &PemError) -> Fault {
    misconfigured(&match error {
        PemError::Io(error) => format!("`{setting}`: {}", unreadable(path, error.kind())),
        PemError::NoItemsFound => format!("the file of `{setting}` has no {item} in PEM form"),
        _ => format!("the file of `{setting}` is damaged PEM"),
    })
}

fn misconfigured(reason: &str) -> Fault {
    Fault::Misconfigured { reason: reason.to_owned() }
}
