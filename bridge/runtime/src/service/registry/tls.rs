//! What a connection to the registry trusts and shows. Files are read again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use talon_sdk::config::Stamp;
use talon_sdk::unreadable;

use crate::bus::BusFault;

/// What is trusted and shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Tls {
    /// Authorities to trust besides the machine's.
    pub(super) ca: Option<PathBuf>,
    pub(super) shown: Option<Shown>,
}

/// A certificate that is shown. Both files are PEM.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// The certificate, followed by its chain.
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Which files they are.
pub(super) type Stamps = Vec<Stamp>;

impl Tls {
    pub(super) fn stamps(&self) -> Stamps {
        let shown = self.shown.iter().flat_map(|shown| [&shown.certificate, &shown.key]);
        self.ca.iter().chain(shown).map(Stamp::of).collect()
    }

    /// Reads the files, and for a secured connection the machine's authorities; blocks for a few
    /// milliseconds.
    ///
    /// # Errors
    /// [`BusFault::Misconfigured`] with the setting whose file is wrong; its content is not quoted.
    pub(super) fn client_config(&self, is_secured: bool) -> Result<ClientConfig, BusFault> {
        const CA: &str = "schema.registry.ssl.ca.location";
        const CERTIFICATE: &str = "schema.registry.ssl.certificate.location";
        const KEY: &str = "schema.registry.ssl.key.location";
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = self.ca.as_ref().map(|path| certificates(CA, path)).transpose()?;
        let roots = roots.unwrap_or_default();
        // The verifier does not say which of its roots it could not read.
        let mut readable = RootCertStore::empty();
        for root in &roots {
            readable.add(root.clone()).map_err(|_| {
                wrong(format!("the file of `{CA}` has a certificate that cannot be read"))
            })?;
        }
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|_| wrong("the TLS library has no protocol".to_owned()))?;
        let builder = if is_secured {
            let verifier = Verifier::new_with_extra_roots(roots, provider)
                .map_err(|_| wrong(format!("the machine has no CA certificates; set `{CA}`")))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            // Without TLS nothing is verified, so nothing needs to be trusted.
            builder.with_root_certificates(readable)
        };
        let mut config = match &self.shown {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let chain = certificates(CERTIFICATE, &shown.certificate)?;
                let key = PrivateKeyDer::from_pem_file(&shown.key)
                    .map_err(|error| bad_pem(KEY, &shown.key, "private key", &error))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|_| wrong(format!("`{KEY}` is not the key of `{CERTIFICATE}`")))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, BusFault> {
    let bad = |error: PemError| bad_pem(setting, path, "certificate", &error);
    let found = CertificateDer::pem_file_iter(path).map_err(bad)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(bad)?;
    if found.is_empty() { Err(bad(PemError::NoItemsFound)) } else { Ok(found) }
}

fn bad_pem(setting: &str, path: &Path, item: &str, error: &PemError) -> BusFault {
    wrong(match error {
        PemError::Io(error) => format!("`{setting}`: {}", unreadable(path, error.kind())),
        PemError::NoItemsFound => format!("the file of `{setting}` has no {item} in PEM form"),
        _ => format!("the file of `{setting}` is damaged PEM"),
    })
}

fn wrong(what: String) -> BusFault {
    BusFault::Misconfigured(what)
}
