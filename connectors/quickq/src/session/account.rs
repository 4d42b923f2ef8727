//! The login that all sockets share, and how far a refusal is believed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use md5::{Digest, Md5};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::grant::{Grant, Origin};
use crate::options::{Login, Password};

/// The account, and its session while there is one.
pub(crate) struct Account {
    login: Login,
    session: Mutex<Option<Grant>>,
    /// One login at a time.
    turn: tokio::sync::Mutex<()>,
    /// Number of the newest session: sockets of an older one end.
    newest: watch::Sender<u64>,
    /// Commands that a fresh login was refused, too.
    refused: Mutex<BTreeSet<String>>,
}

impl Account {
    pub(crate) fn new(login: Login) -> Account {
        Account {
            login,
            session: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            newest: watch::Sender::new(0),
            refused: Mutex::default(),
        }
    }

    /// Waits until nobody else logs in, and keeps others waiting.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The session that a login gave.
    pub(super) fn granted(&self, token: SecretString, echoes_id: bool) -> Grant {
        let number = *self.newest.borrow() + 1;
        Grant { number, token: Arc::new(token), echoes_id }
    }

    /// Uses a new session from now on: sockets of older ones end.
    pub(super) fn keep(&self, grant: Grant) {
        let number = grant.number;
        *self.session() = Some(grant);
        self.newest.send_replace(number);
    }

    /// What a login shows.
    pub(super) fn data(&self) -> Value {
        let Login { component, login, password, workplace } = &self.login;
        let mut data = json!({ "component": component, "login": login });
        if let Some(password) = password {
            data["password"] = match password {
                Password::Plain(secret) => hash(&secret.expose()).into(),
                Password::Md5(secret) => secret.expose().to_lowercase().into(),
            };
        }
        if let Some(workplace) = workplace {
            data["workplace"] = (*workplace).into();
        }
        data
    }

    /// The session, if there is one.
    pub(crate) fn grant(&self) -> Option<Grant> {
        self.session().clone()
    }

    /// Lets a session go; a newer one stays.
    pub(crate) fn forget(&self, number: u64) {
        let mut session = self.session();
        if session.as_ref().is_some_and(|grant| grant.number == number) {
            *session = None;
        }
    }

    /// Returns when a newer session took the place of what `current` gives.
    pub(crate) async fn superseded(&self, current: impl Fn() -> Option<u64>) {
        let mut newest = self.newest.subscribe();
        let is_older = |newest: &u64| current().is_some_and(|number| number < *newest);
        // The sender lives as long as the account.
        newest.wait_for(is_older).await.ok();
    }

    /// Whether a refusal is what the upstream means, and not a session that it has forgotten: it is, if
    /// a fresh login was refused the same, and it worked never before in that session.
    pub(crate) fn believes(&self, command: &str, origin: Origin, worked: bool) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if origin == Origin::Fresh && !worked {
            refused.insert(command.to_owned());
        }
        refused.contains(command)
    }

    /// Notes that a command works.
    pub(crate) fn works(&self, command: &str) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(command);
    }

    fn session(&self) -> MutexGuard<'_, Option<Grant>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lower-case hex of the MD5, as the protocol wants a password.
fn hash(password: &str) -> String {
    Md5::digest(password).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hashed_as_in_the_sample() {
        assert_eq!(hash("12345"), "827ccb0eea8a706c4c34a16891f84e7b");
    }

    #[test]
    fn a_refusal_is_believed_from_a_fresh_login_only() {
        let account = Account::new(Login {
            component: "workplace".to_owned(),
            login: "admin".to_owned(),
            password: None,
            workplace: None,
        });
        assert!(!account.believes("qBoardList", Origin::Resumed, false));
        assert!(!account.believes("qBoardList", Origin::Fresh, true), "it worked a moment ago");
        assert!(account.believes("qBoardList", Origin::Fresh, false));
        assert!(account.believes("qBoardList", Origin::Resumed, false), "known by now");
        account.works("qBoardList");
        assert!(!account.believes("qBoardList", Origin::Resumed, false));
    }
}
