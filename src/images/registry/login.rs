//! Who somebody is to a registry.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Who somebody is to a registry.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Login {
    Password {
        user: String,
        password: String,
    },
    /// What `docker login` got in exchange for a password; it is exchanged for short-lived tokens.
    IdentityToken(String),
}

impl Login {
    /// Value of the header `Authorization` (RFC 7617), where there is a password.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Self::IdentityToken(_) => None,
        }
    }
}

/// Secrets belong into no message.
impl fmt::Debug for Login {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(to, "Password({user:?})"),
            Self::IdentityToken(_) => write!(to, "IdentityToken"),
        }
    }
}
