//! The text of a file of logins: docker's config.json, podman's auth.json, a Secret's, and the older .dockercfg.

use std::collections::BTreeMap;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::error::CredentialsError;
use super::key::{self, Rank};
use crate::images::registry::Login;

/// With or without the `=` at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    #[serde(default)]
    auths: Option<BTreeMap<String, Entry>>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    identitytoken: Option<String>,
    #[serde(default)]
    registrytoken: Option<String>,
}

/// Without the secrets.
impl std::fmt::Debug for Config {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&String> = self.auths.iter().flat_map(BTreeMap::keys).collect();
        to.debug_struct("Config").field("auths", &keys).finish_non_exhaustive()
    }
}

impl Config {
    /// `from`: where it is from, for errors.
    pub fn read(bytes: &[u8], from: &str) -> Result<Self, CredentialsError> {
        // serde_json's own words may have a part of what is there.
        let wrong = |cause: &serde_json::Error| CredentialsError::Json {
            from: from.to_owned(),
            line: cause.line(),
            column: cause.column(),
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let config: Self = serde_json::from_slice(bytes).map_err(|cause| wrong(&cause))?;
        if config.auths.is_some() || config.cred_helpers.is_some() || config.creds_store.is_some() {
            return Ok(config);
        }
        // .dockercfg is what stands below `auths` today. Other keys of a config.json are no logins.
        let all: BTreeMap<String, serde_json::Value> = serde_json::from_slice(bytes).map_err(|cause| wrong(&cause))?;
        let entries = all.into_iter().filter_map(|(key, value)| Some((key, serde_json::from_value(value).ok()?)));
        Ok(Self { auths: Some(entries.collect()), ..Self::default() })
    }

    /// The name of the program that keeps the login of a registry.
    pub fn helper(&self, registry: &str, repository: &str) -> Option<&str> {
        best(self.cred_helpers.as_ref()?, registry, repository).into_iter().next().map(|(_, _, name)| name.as_str())
    }

    /// The name of the program that keeps all logins.
    pub fn store(&self) -> Option<&str> {
        self.creds_store.as_deref().filter(|name| !name.is_empty())
    }

    /// The logins that stand in it themselves, the best first.
    pub fn logins(&self, registry: &str, repository: &str, from: &str) -> Result<Vec<Login>, CredentialsError> {
        Ok(self.ranked(registry, repository, from)?.into_iter().map(|(_, login)| login).collect())
    }

    /// The same, with how well each suits.
    pub fn ranked(&self, registry: &str, repository: &str, from: &str) -> Result<Vec<(Rank, Login)>, CredentialsError> {
        let Some(auths) = &self.auths else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for (rank, key, entry) in best(auths, registry, repository) {
            all.extend(entry.login(key, from)?.map(|login| (rank, login)));
        }
        Ok(all)
    }

    /// Whether each of these logins can be read.
    pub fn check(&self, from: &str) -> Result<(), CredentialsError> {
        let mut all = self.auths.iter().flatten();
        all.try_for_each(|(key, entry)| entry.login(key, from).map(|_| ()))
    }
}

/// The entries that suit a repository, the most specific first.
fn best<'a, T>(all: &'a BTreeMap<String, T>, registry: &str, repository: &str) -> Vec<(Rank, &'a String, &'a T)> {
    let ranked = all.iter().filter_map(|(key, value)| Some((key::rank(key, registry, repository)?, key, value)));
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_by_key(|(rank, ..)| std::cmp::Reverse(*rank));
    ranked
}

impl Entry {
    /// `None`: it is empty, as docker leaves it where a program keeps the login.
    fn login(&self, key: &str, from: &str) -> Result<Option<Login>, CredentialsError> {
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = set(&self.identitytoken) {
            return Ok(Some(Login::IdentityToken(token)));
        }
        if let Some(auth) = set(&self.auth) {
            let (user, password) =
                decode(&auth).ok_or_else(|| CredentialsError::Auth { from: from.to_owned(), key: key.to_owned() })?;
            return Ok(Some(Login::Password { user, password }));
        }
        if let (Some(user), password) = (set(&self.username), set(&self.password)) {
            return Ok(Some(Login::Password { user, password: password.unwrap_or_default() }));
        }
        match &self.registrytoken {
            Some(token) if !token.is_empty() => {
                Err(CredentialsError::RegistryToken { from: from.to_owned(), key: key.to_owned() })
            }
            _ => Ok(None),
        }
    }
}

/// USER:PASSWORD
fn decode(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    // Some of docker's clients have written NULs behind it.
    Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}
