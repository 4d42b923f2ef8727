//! A user's session: signing in, and renewing before it ends (`contractor-personal-area.txt`,
//! sections User and SignInInputDTO).

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use talon_http::login::{Login, SignIn, Token};
use talon_http::{
    Client, Credentials, HeaderName, HeaderValue, Lane, Method, Reply, Request, Sent, fault_of,
    read_json_body,
};
use talon_sdk::Fault;
use talon_sdk::config::Secret;
use talon_sdk::spelling::read;
use tokio::time::Instant;

const SIGN_IN: &str = "POST /user/signin";
const RENEW: &str = "POST /user/token";
/// How long a refused password is not tried again, so that a wrong one does not lock the user.
const REFUSAL_LASTS: Duration = Duration::from_secs(60);

/// A user of the upstream, as configured.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: Secret,
    /// Keys under which an operator finds the two.
    pub(crate) name_setting: String,
    pub(crate) password_setting: String,
}

/// How tokens are shown, which the document leaves open.
#[derive(Clone)]
pub(crate) struct TokenForm {
    pub(crate) header: HeaderName,
    pub(crate) access_prefix: String,
    pub(crate) service_prefix: String,
}

/// One user's session. Any number of commands use it at once; one of them signs in.
pub(crate) struct Session {
    pub(crate) account: Account,
    pub(crate) login: Login<User>,
}

/// A user, and what is kept of the last time that one signed in.
pub(crate) struct User {
    account: Account,
    form: TokenForm,
    http: Client,
    service: Option<Token>,
    refusal: Option<Refusal>,
}

struct Refusal {
    at: Instant,
    password_hash: [u8; 32],
    fault: Fault,
}

#[derive(Deserialize)]
struct TokensDto {
    access: TokenDto,
    service: TokenDto,
}

#[derive(Deserialize)]
struct TokenDto {
    token: String,
    /// Milliseconds; null never ends.
    #[serde(rename = "expiresIn")]
    expires_in: Option<i64>,
}

#[derive(Deserialize)]
struct ErrorDto {
    #[serde(rename = "errorCode")]
    code: i64,
}

/// The `errorCode` of a refusal, where it has one.
pub(crate) fn error_code(reply: &Reply) -> Option<i64> {
    read::<ErrorDto>(&reply.body).ok().map(|error| error.code)
}

/// `hashedPassword`: base64(SHA-256(SHA-256(password in UTF-8) ‖ salt)).
fn hashed(password_hash: &[u8], salt: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::new().chain_update(password_hash).chain_update(salt).finalize())
}

impl Session {
    pub(crate) fn new(http: Client, account: Account, form: TokenForm) -> Session {
        let user = User { account: account.clone(), form, http, service: None, refusal: None };
        Session { account, login: Login::new(user) }
    }
}

impl SignIn for User {
    /// Renews with the service token, or signs in. [`Fault::Misconfigured`] where the user is refused.
    async fn sign_in(&mut self) -> Result<Token, Fault> {
        // Taken away before it is used: it may work once only, and the reply may be lost.
        if let Some(service) = self.service.take().filter(Token::is_good) {
            let asked = Instant::now();
            let request = request(RENEW, ["user", "token"]).credentials(service.credentials());
            match self.http.send(request).await {
                Ok(reply) if reply.is_success() => return self.keep(RENEW, reply, asked),
                Ok(reply) if matches!(reply.status, 401 | 403) => {}
                Ok(reply) => return Err(self.fault(RENEW, &reply)),
                Err(failure) => {
                    if failure.sent == Sent::No {
                        self.service = Some(service);
                    }
                    return Err(failure.fault());
                }
            }
        }
        self.with_password().await
    }
}

impl User {
    async fn with_password(&mut self) -> Result<Token, Fault> {
        let password_hash: [u8; 32] =
            Sha256::digest(self.account.password.expose().as_bytes()).into();
        if let Some(refusal) = &self.refusal
            && refusal.password_hash == password_hash
            && refusal.at.elapsed() < REFUSAL_LASTS
        {
            return Err(refusal.fault.clone());
        }
        // A second salt where the first was used before, which only chance could bring about.
        for _ in 0..2 {
            let salt: [u8; 16] = rand::random();
            let body = json!({
                "userName": self.account.name,
                "hashedPassword": hashed(&password_hash, &salt),
                "salt": BASE64_STANDARD.encode(salt),
            });
            let asked = Instant::now();
            let request = request(SIGN_IN, ["user", "signin"])
                .body(body.to_string(), HeaderValue::from_static("application/json"));
            let reply = self.http.send(request).await?;
            if reply.is_success() {
                self.refusal = None;
                return self.keep(SIGN_IN, reply, asked);
            }
            let account = &self.account;
            let reason = match (reply.status, error_code(&reply)) {
                (401, Some(2)) => continue,
                (401, Some(5)) => {
                    format!("`{SIGN_IN}`: the user of `{}` is locked", account.name_setting)
                }
                (401 | 403, _) => format!(
                    "`{SIGN_IN}`: wrong user name or password; see `{}` and `{}`",
                    account.name_setting, account.password_setting
                ),
                _ => return Err(self.fault(SIGN_IN, &reply)),
            };
            let fault = Fault::Misconfigured { reason };
            let refusal = Refusal { at: Instant::now(), password_hash, fault: fault.clone() };
            self.refusal = Some(refusal);
            return Err(fault);
        }
        Err(Fault::unavailable(format!("`{SIGN_IN}`: two salts were refused as used before")))
    }

    fn fault(&self, endpoint: &'static str, reply: &Reply) -> Fault {
        fault_of(endpoint, reply, Some(&self.account.password_setting)).unwrap_or_else(|| {
            Fault::Internal { reason: format!("`{endpoint}`: a success is taken as a fault") }
        })
    }

    fn keep(
        &mut self,
        endpoint: &'static str,
        reply: Reply,
        asked: Instant,
    ) -> Result<Token, Fault> {
        let body = read_json_body(endpoint, reply)?.as_it_came();
        let tokens: TokensDto = serde_json::from_slice(&body).map_err(|_| {
            Fault::unavailable(format!("`{endpoint}` was answered without the two tokens"))
        })?;
        let token = |dto: TokenDto, prefix: &str| {
            let secret = Secret::fixed(&dto.token);
            let (header, setting) = (self.form.header.clone(), &self.account.password_setting);
            let life = dto.expires_in.map(|ms| u64::try_from(ms).unwrap_or(0));
            let credentials = Credentials::header(header, prefix, secret, setting);
            Token::new(credentials, asked, life.map(Duration::from_millis))
        };
        let access = token(tokens.access, &self.form.access_prefix);
        self.service = Some(token(tokens.service, &self.form.service_prefix));
        Ok(access)
    }
}

fn request(endpoint: &'static str, path: [&str; 2]) -> Request<'static> {
    let mut request = Request::new(Method::POST, endpoint, path).lane(Lane::Command);
    request.headers.insert("accept", HeaderValue::from_static("application/json"));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hashed_as_in_the_test_vector() {
        let salt: Vec<u8> = (0..16).collect();
        let password = Sha256::digest("pässword-Ж1".as_bytes());
        assert_eq!(BASE64_STANDARD.encode(&salt), "AAECAwQFBgcICQoLDA0ODw==");
        assert_eq!(hashed(&password, &salt), "bXQK6Nnrx1aaHK56ZhW50hksSmZ/aBRiR0Vf0ZhG2W8=");
    }
}
