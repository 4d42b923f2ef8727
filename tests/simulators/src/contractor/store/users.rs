use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::contractor::model::UserDto;
use crate::contractor::password::password_hash;
use crate::contractor::reply::{Refusal, Reply};
use crate::contractor::scheme::Scheme;
use crate::contractor::settings::Settings;

/// The users and their tokens.
#[derive(Debug)]
pub(in crate::contractor) struct Users {
    users: BTreeMap<i64, User>,
    tokens: HashMap<String, Token>,
    random: ChaCha8Rng,
    /// How far the time of tokens is ahead of the machine's.
    ahead: Duration,
}

#[derive(Debug)]
struct User {
    name: String,
    is_locked: bool,
    password_hash: [u8; 32],
    salts: HashSet<Vec<u8>>,
    last_salt: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Token {
    user: i64,
    scheme: Scheme,
    ends: Option<Instant>,
}

/// Why a sign-in is refused; the numbers are its `errorCode`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::contractor) enum SignInRefusal {
    WrongNameOrPassword = 1,
    SaltUsedBefore = 2,
    Locked = 5,
}

impl Users {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut users = Self {
            users: BTreeMap::new(),
            tokens: HashMap::new(),
            random: ChaCha8Rng::seed_from_u64(settings.seed ^ 0x746f_6b65_6e73),
            ahead: Duration::ZERO,
        };
        for user in &settings.users {
            users.add(user.name.clone(), &user.password);
        }
        users
    }

    pub(in crate::contractor) fn ids(&self) -> Vec<i64> {
        self.users.keys().copied().collect()
    }

    pub(super) fn exists(&self, id: i64) -> bool {
        self.users.contains_key(&id)
    }

    pub(in crate::contractor) fn dto(&self, id: i64) -> Option<UserDto> {
        let name = self.users.get(&id)?.name.clone();
        Some(UserDto { id, name })
    }

    /// The model `User`, with the hash of the password and the last salt.
    pub(super) fn internal(&self, id: i64) -> Value {
        self.users.get(&id).map_or(Value::Null, |user| {
            json!({
                "id": id,
                "name": user.name,
                "isLocked": user.is_locked,
                "passwordHash": STANDARD.encode(user.password_hash),
                "saltLastUsed": user.last_salt.as_ref().map(|salt| STANDARD.encode(salt)),
            })
        })
    }

    /// The user and the scheme of a token that has not expired, of a user who is not locked.
    pub(in crate::contractor) fn who(&self, token: &str) -> Option<(i64, Scheme)> {
        let found = self.tokens.get(token)?;
        let lives = found.ends.is_none_or(|ends| ends > self.now());
        let is_locked = self.users.get(&found.user).is_none_or(|user| user.is_locked);
        (lives && !is_locked).then_some((found.user, found.scheme))
    }

    /// Checks `hash` = SHA-256(password hash ‖ salt) and remembers the salt when it is right.
    pub(in crate::contractor) fn sign_in(
        &mut self,
        name: &str,
        hash: &[u8],
        salt: &[u8],
    ) -> Result<i64, SignInRefusal> {
        let mut users = self.users.iter_mut();
        let (id, user) =
            users.find(|(_, user)| user.name == name).ok_or(SignInRefusal::WrongNameOrPassword)?;
        if user.is_locked {
            return Err(SignInRefusal::Locked);
        }
        if user.salts.contains(salt) {
            return Err(SignInRefusal::SaltUsedBefore);
        }
        let right = Sha256::new().chain_update(user.password_hash).chain_update(salt);
        if right.finalize().as_slice() != hash {
            return Err(SignInRefusal::WrongNameOrPassword);
        }
        user.salts.insert(salt.to_vec());
        user.last_salt = Some(salt.to_vec());
        Ok(*id)
    }

    /// `AccessServiceTokensDTO` with two new tokens.
    pub(in crate::contractor) fn issue(&mut self, user: i64, settings: &Settings) -> Value {
        let access = self.token(user, Scheme::User, settings.access_lifetime_ms);
        let service = self.token(user, Scheme::Service, settings.service_lifetime_ms);
        json!({ "access": access, "service": service })
    }

    pub(in crate::contractor) fn revoke(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    /// Ends the tokens of a scheme at once.
    pub(in crate::contractor) fn expire(&mut self, scheme: Scheme) {
        self.tokens.retain(|_, token| token.scheme != scheme);
    }

    /// Moves the time of tokens forward.
    pub(in crate::contractor) fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }

    /// `POST /user/register`
    pub(in crate::contractor) fn register(
        &mut self,
        name: String,
        password: &str,
    ) -> Result<Reply, Refusal> {
        if self.users.values().any(|user| user.name == name) {
            return Err(Refusal::empty(409));
        }
        let id = self.add(name, password);
        Ok(Reply::wrote(id, &json!({ "id": id })))
    }

    /// `POST /user/{id}/changePassword`. Code 4 of the document (wrong current password) cannot
    /// happen: the body has no current password.
    pub(in crate::contractor) fn change_password(
        &mut self,
        id: i64,
        password: &str,
    ) -> Result<Reply, Refusal> {
        let user = self.users.get_mut(&id).ok_or(Refusal::empty(404))?;
        if user.is_locked {
            return Err(Refusal::listed(401, 3));
        }
        user.password_hash = password_hash(password);
        Ok(Reply::done(id))
    }

    /// `POST /user/{id}/lock`: the user's tokens stop working.
    pub(in crate::contractor) fn lock(&mut self, id: i64) -> Result<Reply, Refusal> {
        let user = self.users.get_mut(&id).ok_or(Refusal::error(404, 1))?;
        let mut reply = Reply::plain(id);
        reply.effect = reply.effect.filter(|_| !user.is_locked);
        user.is_locked = true;
        Ok(reply)
    }

    /// A seeded UUID of version 4.
    pub(super) fn new_uuid(&mut self) -> String {
        let bits = (u128::from(self.random.next_u64()) << 64) | u128::from(self.random.next_u64());
        let bits = (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
        let hex = format!("{bits:032x}");
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    fn add(&mut self, name: String, password: &str) -> i64 {
        let id = self.users.last_key_value().map_or(1, |(last, _)| last + 1);
        let user = User {
            name,
            is_locked: false,
            password_hash: password_hash(password),
            salts: HashSet::new(),
            last_salt: None,
        };
        self.users.insert(id, user);
        id
    }

    fn token(&mut self, user: i64, scheme: Scheme, lifetime_ms: Option<u64>) -> Value {
        let text = self.new_uuid().replace('-', "");
        let ends = lifetime_ms.map(|ms| self.now() + Duration::from_millis(ms));
        self.tokens.insert(text.clone(), Token { user, scheme, ends });
        json!({ "token": text, "expiresIn": lifetime_ms })
    }

    fn now(&self) -> Instant {
        Instant::now() + self.ahead
    }
}
