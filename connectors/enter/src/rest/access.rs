//! Tokens: of the hall's administrator, of the operator of each workplace, of who books
//! (`enter-rest.txt`: `queue/admin/login`, `operation/identify`, `booking/login`).
//!
//! Credentials stand in the path, percent-encoded whatever they are. Names in errors, logs and metrics are
//! those of the document's templates, so neither they nor a token leave the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use talon_http::login::{Login, SignIn, Token};
use talon_http::order::{NoReply, Order};
use talon_http::{Client, Credentials, HeaderName, Lane, Reply, fault_of, read_json_body};
use talon_sdk::config::Secret;
use talon_sdk::{Fault, Permit};
use tokio::time::Instant;

/// How long refused credentials are not tried again, so that wrong ones do not lock the account.
const REFUSAL_LASTS: Duration = Duration::from_secs(60);

/// The longest token that is taken for one, in bytes.
const LONGEST_TOKEN: usize = 4096;

/// How tokens are shown, which the document leaves open.
#[derive(Debug, Clone)]
pub(crate) struct TokenForm {
    pub(crate) header: HeaderName,
    pub(crate) prefix: String,
}

/// Who signs in.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// The row of the document's table, and what fills it before the secret ones.
    pub(crate) endpoint: &'static str,
    pub(crate) place: Option<String>,
    /// Login and password, or the identity of who books.
    pub(crate) secrets: Vec<Secret>,
    /// The key under which an operator finds the last of them.
    pub(crate) setting: String,
}

/// The session of an account. Any number of requests use it at once; one of them signs in.
pub(crate) struct Session {
    login: Login<SigningIn>,
    setting: String,
    may_be_in: AtomicBool,
    stand_in: StandIn,
}

/// Login and password of who works in the account's place since a command said so. Known to this process
/// alone: another one begins with the account.
type StandIn = Arc<Mutex<Option<Vec<Secret>>>>;

fn locked(stand_in: &StandIn) -> MutexGuard<'_, Option<Vec<Secret>>> {
    stand_in.lock().unwrap_or_else(PoisonError::into_inner)
}

struct SigningIn {
    http: Client,
    account: Account,
    form: TokenForm,
    stand_in: StandIn,
    refusal: Option<(Instant, Vec<String>, Fault)>,
}

impl Session {
    pub(crate) fn new(http: Client, account: Account, form: TokenForm) -> Session {
        let setting = account.setting.clone();
        let stand_in = StandIn::default();
        let (instead, refusal) = (stand_in.clone(), None);
        let login = Login::new(SigningIn { http, account, form, stand_in: instead, refusal });
        Session { login, setting, may_be_in: AtomicBool::new(false), stand_in }
    }

    /// Signs in as somebody else from now on, where a token is needed anew.
    pub(crate) fn replace(&self, login: &Secret, password: &Secret) {
        *locked(&self.stand_in) = Some(vec![login.clone(), password.clone()]);
    }

    /// The key under which an operator finds the credentials.
    pub(crate) fn setting(&self) -> &str {
        &self.setting
    }

    /// Asks with a token, and once more with another where it is refused.
    pub(crate) async fn ask(
        &self,
        http: &Client,
        order: &Order,
        lane: Lane,
    ) -> Result<Reply, NoReply> {
        let request = || order.request().lane(lane);
        let reply = self.login.send(http, request, |reply| reply.status == 401).await?;
        self.may_be_in.store(reply.status != 401, Ordering::Relaxed);
        Ok(reply)
    }

    /// Sends what changes something, once.
    ///
    /// Where the token is refused, the next request has another; this one is not sent again. Somebody may
    /// have taken the workplace over, and then what was looked at before does not hold any more.
    pub(crate) async fn change(
        &self,
        http: &Client,
        order: &Order,
        permit: &Permit,
    ) -> Result<Reply, NoReply> {
        let access = self.login.access().await.map_err(NoReply::Unsent)?;
        let request = order.request().lane(Lane::Command).permit(permit);
        let reply = http.send(request.credentials(&access.credentials)).await;
        let reply = reply.map_err(NoReply::Failure)?;
        if reply.status == 401 {
            self.login.other_than(&access).await.map_err(NoReply::Unsent)?;
        }
        self.may_be_in.store(true, Ordering::Relaxed);
        Ok(reply)
    }

    /// Ends the session, if it may have begun.
    pub(crate) async fn leave(&self, http: &Client, order: &Order) {
        if !self.may_be_in.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Ok(access) = self.login.access().await {
            let request = order.request().credentials(&access.credentials);
            // Where it cannot be ended, it ends by itself.
            if let Err(failure) = http.send(request).await {
                tracing::debug!(%failure, "a session was not ended");
            }
        }
    }
}

impl SignIn for SigningIn {
    async fn sign_in(&mut self) -> Result<Token, Fault> {
        let Account { endpoint, place, secrets, setting } = &self.account;
        let stand_in = locked(&self.stand_in).clone();
        let is_replaced = stand_in.is_some();
        let secrets = stand_in.as_ref().unwrap_or(secrets);
        let secrets: Vec<String> = secrets.iter().map(Secret::expose).collect();
        if let Some((at, refused, fault)) = &self.refusal
            && *refused == secrets
            && at.elapsed() < REFUSAL_LASTS
        {
            return Err(fault.clone());
        }
        if secrets.iter().any(String::is_empty) {
            let reason = format!("`{endpoint}` was not sent: `{setting}` or its login is empty");
            return Err(Fault::Misconfigured { reason });
        }
        let values: Vec<&str> =
            place.iter().map(String::as_str).chain(secrets.iter().map(String::as_str)).collect();
        let asked = Instant::now();
        let reply = self.http.send(Order::new(endpoint, &values).request()).await?;
        if let Some(fault) = fault_of(endpoint, &reply, Some(setting)) {
            if matches!(reply.status, 401 | 403) {
                if is_replaced {
                    // The account goes on.
                    *locked(&self.stand_in) = None;
                }
                self.refusal = Some((asked, secrets, fault.clone()));
            }
            return Err(fault);
        }
        self.refusal = None;
        let body = read_json_body(endpoint, reply)?.as_it_came();
        let token = token_of(&body).ok_or_else(|| {
            Fault::unavailable(format!("`{endpoint}` was answered without a token"))
        })?;
        let (header, secret) = (self.form.header.clone(), Secret::fixed(&token));
        let credentials = Credentials::header(header, &self.form.prefix, secret, setting);
        // The document says nothing of a token's life: it is good until it is refused.
        Ok(Token::new(credentials, asked, None))
    }
}

/// The token of a reply: a JSON string, as the document says, or the text itself.
fn token_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let token = match text.starts_with('"') {
        true => serde_json::from_str(text).ok()?,
        false => text.to_owned(),
    };
    let is_token = !token.is_empty()
        && token.len() <= LONGEST_TOKEN
        && token != "null"
        && token.chars().all(|char| !char.is_whitespace() && !char.is_control())
        && !token.starts_with(['<', '{', '[', '"']);
    is_token.then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_in_quotes_or_not_and_what_is_none_is_refused() {
        for body in ["\"a-b=\"", " \"a-b=\"\r\n", "a-b=", "\"\\u0061-b=\""] {
            assert_eq!(token_of(body.as_bytes()).as_deref(), Some("a-b="), "{body}");
        }
        for body in ["", "\"\"", "null", "{}", "[]", "<html>", "\"a b\"", "\"a", "a b", "\"\\\"a\""]
        {
            assert_eq!(token_of(body.as_bytes()), None, "{body}");
        }
    }
}
