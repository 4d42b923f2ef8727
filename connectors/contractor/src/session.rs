//! A user's session: signing in, and renewing before it ends (`contractor-personal-area.txt`,
//! sections User and SignInInputDTO).

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use talon_http::{
    Client, Credentials, HeaderName, HeaderValue, Lane, Method, Reply, Request, Sent, fault_of,
    read_json_body,
};
use talon_sdk::Fault;
use talon_sdk::config::Secret;
use talon_sdk::spelling::read;
use tokio::sync::Mutex;
use tokio::time::Instant;

const SIGN_IN: &str = "POST /user/signin";
const RENEW: &str = "POST /user/token";
/// A token is renewed a tenth of its life before its end, and at most this long.
const MARGIN_MAX: Duration = Duration::from_secs(60);
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
    form: TokenForm,
    http: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Counts the tokens, so that of several commands that were refused only one renews.
    generation: u64,
    access: Option<Token>,
    service: Option<Token>,
    refusal: Option<Refusal>,
}

struct Token {
    credentials: Credentials,
    /// When it is renewed; `None` for one that never ends.
    good_until: Option<Instant>,
}

struct Refusal {
    at: Instant,
    password_hash: [u8; 32],
    fault: Fault,
}

/// What is shown with one request.
pub(crate) struct Access {
    pub(crate) credentials: Credentials,
    generation: u64,
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
        Session { account, form, http, state: Mutex::default() }
    }

    /// A token that is good now; signs in or renews where there is none.
    ///
    /// # Errors
    /// Nothing was done in the user's name: [`Fault::Misconfigured`] where the user is refused.
    pub(crate) async fn access(&self) -> Result<Access, Fault> {
        let mut state = self.state.lock().await;
        match &state.access {
            Some(token) if token.is_good() => Ok(token.access(state.generation)),
            _ => self.renew(&mut state).await,
        }
    }

    /// Another token than one that was refused.
    ///
    /// # Errors
    /// As [`Session::access`].
    pub(crate) async fn other_than(&self, refused: &Access) -> Result<Access, Fault> {
        let mut state = self.state.lock().await;
        match &state.access {
            Some(token) if state.generation != refused.generation => {
                Ok(token.access(state.generation))
            }
            _ => self.renew(&mut state).await,
        }
    }

    async fn renew(&self, state: &mut State) -> Result<Access, Fault> {
        state.access = None;
        // Taken away before it is used: it may work once only, and the reply may be lost.
        if let Some(service) = state.service.take().filter(Token::is_good) {
            let asked = Instant::now();
            let request = self.request(RENEW, ["user", "token"]).credentials(&service.credentials);
            match self.http.send(request).await {
                Ok(reply) if reply.is_success() => return self.keep(state, RENEW, reply, asked),
                Ok(reply) if matches!(reply.status, 401 | 403) => {}
                Ok(reply) => return Err(self.fault(RENEW, &reply)),
                Err(failure) => {
                    if failure.sent == Sent::No {
                        state.service = Some(service);
                    }
                    return Err(failure.fault());
                }
            }
        }
        self.sign_in(state).await
    }

    async fn sign_in(&self, state: &mut State) -> Result<Access, Fault> {
        let password_hash: [u8; 32] =
            Sha256::digest(self.account.password.expose().as_bytes()).into();
        if let Some(refusal) = &state.refusal
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
            let request = self
                .request(SIGN_IN, ["user", "signin"])
                .body(body.to_string(), HeaderValue::from_static("application/json"));
            let reply = self.http.send(request).await?;
            if reply.is_success() {
                state.refusal = None;
                return self.keep(state, SIGN_IN, reply, asked);
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
            state.refusal = Some(refusal);
            return Err(fault);
        }
        Err(Fault::unavailable(format!("`{SIGN_IN}`: two salts were refused as used before")))
    }

    fn request(&self, endpoint: &'static str, path: [&str; 2]) -> Request<'_> {
        let mut request = Request::new(Method::POST, endpoint, path).lane(Lane::Command);
        request.headers.insert("accept", HeaderValue::from_static("application/json"));
        request
    }

    fn fault(&self, endpoint: &'static str, reply: &Reply) -> Fault {
        fault_of(endpoint, reply, Some(&self.account.password_setting)).unwrap_or_else(|| {
            Fault::Internal { reason: format!("`{endpoint}`: a success is taken as a fault") }
        })
    }

    fn keep(
        &self,
        state: &mut State,
        endpoint: &'static str,
        reply: Reply,
        asked: Instant,
    ) -> Result<Access, Fault> {
        let body = read_json_body(endpoint, reply)?.as_it_came();
        let tokens: TokensDto = serde_json::from_slice(&body).map_err(|_| {
            Fault::unavailable(format!("`{endpoint}` was answered without the two tokens"))
        })?;
        let token = |dto: TokenDto, prefix: &str| Token {
            credentials: Credentials::header(
                self.form.header.clone(),
                prefix,
                Secret::fixed(&dto.token),
                &self.account.password_setting,
            ),
            good_until: good_until(asked, dto.expires_in),
        };
        let access = token(tokens.access, &self.form.access_prefix);
        state.generation += 1;
        let given = access.access(state.generation);
        state.access = Some(access);
        state.service = Some(token(tokens.service, &self.form.service_prefix));
        Ok(given)
    }
}

impl Token {
    fn is_good(&self) -> bool {
        self.good_until.is_none_or(|until| Instant::now() < until)
    }

    fn access(&self, generation: u64) -> Access {
        Access { credentials: self.credentials.clone(), generation }
    }
}

/// Counted from before the token was asked for; an end that no clock reaches is none.
fn good_until(asked: Instant, expires_in_ms: Option<i64>) -> Option<Instant> {
    let life = Duration::from_millis(u64::try_from(expires_in_ms?).unwrap_or(0));
    asked.checked_add(life - (life / 10).min(MARGIN_MAX))
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

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_before_its_end_and_null_never_ends() {
        let now = Instant::now();
        let after = |ms| good_until(now, Some(ms)).map(|until| until - now);
        assert_eq!(after(10_000), Some(Duration::from_secs(9)));
        assert_eq!(after(3_600_000), Some(Duration::from_secs(3540)));
        assert_eq!((after(0), after(-5)), (Some(Duration::ZERO), Some(Duration::ZERO)));
        assert_eq!(good_until(now, None), None);
        // Beyond what a clock reaches or not: it only must not panic.
        assert!(good_until(now, Some(i64::MAX)).is_none_or(|until| until > now));
    }
}
