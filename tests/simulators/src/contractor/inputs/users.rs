use serde::Deserialize;

use super::body::Input;

/// The shortest password, in characters.
const SHORTEST_PASSWORD: usize = 5;

/// `RegisterUserDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::contractor) struct NewUser {
    pub(in crate::contractor) user_name: String,
    pub(in crate::contractor) password: String,
}

impl Input for NewUser {
    fn is_valid(&self) -> bool {
        !self.user_name.is_empty() && self.password.chars().count() >= SHORTEST_PASSWORD
    }
}

/// `ChangePasswordDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::contractor) struct NewPassword {
    pub(in crate::contractor) new_password: String,
}

impl Input for NewPassword {
    fn is_valid(&self) -> bool {
        self.new_password.chars().count() >= SHORTEST_PASSWORD
    }
}

/// `SignInInputDTO`; the base64 forms are checked where they are decoded.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::contractor) struct SignIn {
    pub(in crate::contractor) user_name: String,
    pub(in crate::contractor) hashed_password: String,
    pub(in crate::contractor) salt: String,
}

impl Input for SignIn {
    fn is_valid(&self) -> bool {
        !self.hashed_password.is_empty() && (16..=32).contains(&self.salt.len())
    }
}
