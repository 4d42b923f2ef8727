use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use talon_sdk::config::Secret;

use crate::failure::{Failure, FailureKind, Sent};

/// What is shown to an upstream to be let in.
///
/// The secret is read anew for every request, so a rotated file is picked up without a restart.
/// What form the credentials have is private to this type: a connector builds them once and lends
/// them to its requests.
#[derive(Debug, Clone)]
pub struct Credentials {
    header: HeaderName,
    prefix: String,
    /// Of `Basic`.
    user: Option<String>,
    secret: Secret,
    setting: String,
}

impl Credentials {
    /// A secret in a header: `{header}: {prefix} {secret}`.
    ///
    /// The prefix (`Bearer`) is joined by one blank, unless it is empty or ends in a blank or a quote.
    /// `setting` is the key under which an operator finds the secret (`auth.external.token`); errors
    /// name it.
    pub fn header(
        header: HeaderName,
        prefix: &str,
        secret: Secret,
        setting: impl Into<String>,
    ) -> Credentials {
        let blank = !prefix.is_empty() && !prefix.ends_with([' ', '"', '\'']);
        let prefix = format!("{prefix}{}", if blank { " " } else { "" });
        Credentials { header, prefix, user: None, secret, setting: setting.into() }
    }

    /// A user and a password by HTTP Basic authentication, in UTF-8. `setting` is the key of the password.
    pub fn basic(user: &str, password: Secret, setting: impl Into<String>) -> Credentials {
        let of = Credentials::header(AUTHORIZATION, "Basic", password, setting);
        Credentials { user: Some(user.to_owned()), ..of }
    }

    /// The key under which an operator finds the secret.
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// The header to send now.
    pub(crate) fn current(&self, endpoint: &str) -> Result<(HeaderName, HeaderValue), Failure> {
        let failure = |why: &str| Failure {
            kind: FailureKind::Credentials,
            sent: Sent::No,
            reason: format!("`{endpoint}` was not sent: `{}` {why}", self.setting),
            is_headless: false,
        };
        let secret = self.secret.current();
        let secret = secret.expose_secret();
        if secret.is_empty() {
            return Err(failure("is empty"));
        }
        let encoded = self.user.as_ref().map(|user| STANDARD.encode(format!("{user}:{secret}")));
        let shown = encoded.as_deref().unwrap_or(secret);
        let mut value = HeaderValue::try_from(format!("{}{shown}", self.prefix)).map_err(|_| {
            failure("has a line break or another character that no header can have")
        })?;
        value.set_sensitive(true);
        Ok((self.header.clone(), value))
    }
}
