//! Tokens that are signed in for: one sign-in at a time, renewed before the end, and once more where one is
//! refused.

use std::future::Future;
use std::time::Duration;

use talon_sdk::Fault;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::order::NoReply;
use crate::{Client, Credentials, Reply, Request};

/// A token is renewed a tenth of its life before its end, and at most this long.
const MARGIN_MAX: Duration = Duration::from_secs(60);

/// How an upstream gives tokens.
pub trait SignIn: Send {
    /// Gets a new one: by signing in, or by renewing what it kept of the last time.
    fn sign_in(&mut self) -> impl Future<Output = Result<Token, Fault>> + Send;
}

/// A token, as it is shown.
pub struct Token {
    credentials: Credentials,
    /// When it is renewed; `None` for one that never ends.
    good_until: Option<Instant>,
}

impl Token {
    /// A token that was asked for then, and lives so long; `None` is for ever.
    pub fn new(credentials: Credentials, asked: Instant, life: Option<Duration>) -> Token {
        // An end that no clock reaches is none.
        let good_until =
            life.and_then(|life| asked.checked_add(life - (life / 10).min(MARGIN_MAX)));
        Token { credentials, good_until }
    }

    /// What is shown.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Whether it need not be renewed yet.
    pub fn is_good(&self) -> bool {
        self.good_until.is_none_or(|until| Instant::now() < until)
    }
}

/// The session of one account. Any number of requests use it at once; one of them signs in.
pub struct Login<S> {
    state: Mutex<State<S>>,
}

struct State<S> {
    sign_in: S,
    /// Counts the tokens, so that of several requests that were refused only one renews.
    generation: u64,
    token: Option<Token>,
}

/// What is shown with one request.
pub struct Access {
    /// The token.
    pub credentials: Credentials,
    generation: u64,
}

impl<S: SignIn> Login<S> {
    /// A session that has not begun.
    pub fn new(sign_in: S) -> Login<S> {
        Login { state: Mutex::new(State { sign_in, generation: 0, token: None }) }
    }

    /// A token that is good now; signs in or renews where there is none.
    ///
    /// # Errors
    /// There is none.
    pub async fn access(&self) -> Result<Access, Fault> {
        self.get(|_, token| token.is_good()).await
    }

    /// Another token than one that was refused.
    ///
    /// # Errors
    /// As [`Login::access`].
    pub async fn other_than(&self, refused: &Access) -> Result<Access, Fault> {
        self.get(|generation, _| generation != refused.generation).await
    }

    async fn get(&self, will_do: impl Fn(u64, &Token) -> bool) -> Result<Access, Fault> {
        let mut state = self.state.lock().await;
        let state = &mut *state;
        let kept = state.token.take().filter(|token| will_do(state.generation, token));
        let token = match kept {
            Some(token) => token,
            None => {
                let token = state.sign_in.sign_in().await?;
                state.generation += 1;
                token
            }
        };
        let credentials = token.credentials.clone();
        state.token = Some(token);
        Ok(Access { credentials, generation: state.generation })
    }

    /// Sends a request with a token, and once more with another where `is_refused` says that it was refused.
    ///
    /// # Errors
    /// There is no reply.
    pub async fn send(
        &self,
        http: &Client,
        request: impl Fn() -> Request<'static>,
        is_refused: impl Fn(&Reply) -> bool,
    ) -> Result<Reply, NoReply> {
        let access = self.access().await.map_err(NoReply::Unsent)?;
        let reply = http.send(request().credentials(&access.credentials)).await;
        let reply = reply.map_err(NoReply::Failure)?;
        if !is_refused(&reply) {
            return Ok(reply);
        }
        let access = self.other_than(&access).await.map_err(NoReply::Unsent)?;
        http.send(request().credentials(&access.credentials)).await.map_err(NoReply::Failure)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use reqwest::header::AUTHORIZATION;
    use talon_sdk::config::Secret;

    use super::*;

    /// Counts, and says how long tokens live.
    struct Counting(Arc<AtomicU64>, Option<Duration>);

    impl SignIn for Counting {
        async fn sign_in(&mut self) -> Result<Token, Fault> {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            let secret = Secret::fixed(&number.to_string());
            let credentials = Credentials::header(AUTHORIZATION, "Bearer", secret, "auth.password");
            Ok(Token::new(credentials, Instant::now(), self.1))
        }
    }

    fn login(life: Option<Duration>) -> (Login<Counting>, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        (Login::new(Counting(count.clone(), life)), count)
    }

    #[tokio::test(start_paused = true)]
    async fn many_sign_in_once_and_of_many_that_are_refused_one_renews() {
        let (login, count) = login(None);
        let (a, b) = tokio::join!(login.access(), login.access());
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!(count.load(Ordering::Relaxed), 1);
        let (c, _) = tokio::join!(login.other_than(&a), login.other_than(&b));
        assert_eq!(count.load(Ordering::Relaxed), 2);
        login.other_than(&c.unwrap()).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_before_its_end_and_one_without_an_end_never() {
        for (life, again) in [(Some(10_000), 9_000), (Some(3_600_000), 3_540_000), (Some(0), 0)] {
            let (login, count) = login(life.map(Duration::from_millis));
            login.access().await.unwrap();
            tokio::time::sleep(Duration::from_millis(again)).await;
            login.access().await.unwrap();
            assert_eq!(count.load(Ordering::Relaxed), 2, "{life:?}");
        }
        for life in [None, Some(Duration::MAX)] {
            let (login, count) = login(life);
            login.access().await.unwrap();
            tokio::time::sleep(Duration::from_secs(86_400 * 365)).await;
            login.access().await.unwrap();
            assert_eq!(count.load(Ordering::Relaxed), 1);
        }
    }
}
