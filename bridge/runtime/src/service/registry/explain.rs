//! Why there is no answer.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::CertificateError as Bad;
use talon_http::dial::DialError;

use crate::bus::BusFault;

/// What an error of the HTTP library means. Its text is left behind.
pub(super) fn explain(error: &reqwest::Error) -> BusFault {
    if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return BusFault::Misconfigured(of_tls(tls));
    }
    if let Some(proxy) = causes(error).find_map(talon_http::dial::of_proxy) {
        let words = proxy.to_string().replace("upstream.", "schema.registry.");
        return match proxy {
            DialError::Misconfigured(_) => BusFault::Misconfigured(words),
            DialError::Unreachable(_) => {
                BusFault::Unavailable(format!("the schema registry cannot be reached: {words}"))
            }
        };
    }
    let io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
    let what = if error.is_timeout() {
        "does not answer in time".to_owned()
    } else if error.is_dns() {
        "cannot be reached: its host cannot be resolved".to_owned()
    } else if let Some(io) = io.filter(|io| io.kind() != ErrorKind::Other) {
        format!("cannot be reached: {}", io.kind())
    } else {
        "cannot be reached, or does not speak HTTP there".to_owned()
    };
    BusFault::Unavailable(format!("the schema registry {what}"))
}

/// What a TLS error means, without the names in certificates.
fn of_tls(error: &rustls::Error) -> String {
    let what = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => {
                "the schema registry's certificate is signed by an authority that is not trusted; put that authority's certificate into `schema.registry.ssl.ca.location`"
            }
            Bad::Expired | Bad::ExpiredContext { .. } => {
                "the schema registry's certificate has expired"
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the schema registry's certificate is not valid yet; is the clock right?"
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "the schema registry's certificate is for another host than `schema.registry.url` names"
            }
            Bad::Revoked => "the schema registry's certificate is revoked",
            Bad::BadSignature => {
                "the schema registry's certificate is not signed by the authority that it names; see `schema.registry.ssl.ca.location`"
            }
            _ => "the schema registry's certificate is not valid",
        },
        rustls::Error::AlertReceived(alert) => {
            return format!(
                "the schema registry refused the TLS session with the alert `{alert:?}`; if it wants a certificate, see `schema.registry.ssl.certificate.location`"
            );
        }
        rustls::Error::InvalidMessage(_) => {
            "the schema registry does not speak TLS on that port; see `schema.registry.url`"
        }
        rustls::Error::PeerIncompatible(_) => {
            "the schema registry has no version or cipher of TLS that is safe"
        }
        _ => "the TLS session with the schema registry failed",
    };
    what.to_owned()
}

/// An error and what lies below it. An `io::Error` hides its own content from `source`.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| {
        let error = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(content) => Some(content as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}
