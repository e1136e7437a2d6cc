//! Repositories: places in a registry, with what is needed to get in.

use super::login::Login;
use crate::images::reference::{DOCKER_HUB, Reference};

/// Where Docker Hub's registry is.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TLS, with a certificate that this box trusts.
    Verified,
    /// TLS with any certificate, or HTTP in clear text where the registry speaks no TLS: `insecure = true` of
    /// containers-registries.conf(5).
    Insecure,
}

/// A repository, as it is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// HOST or HOST:PORT.
    pub registry: String,
    /// `library/nginx`
    pub path: String,
    pub transport: Transport,
    /// `None`: as anybody.
    pub login: Option<Login>,
}

impl Repository {
    /// The one that a name leads to, asked as anybody.
    #[must_use]
    pub fn of(reference: &Reference) -> Self {
        Self {
            registry: reference.registry().to_owned(),
            path: reference.repository().to_owned(),
            transport: Transport::Verified,
            login: None,
        }
    }

    /// For people, and for scopes of tokens.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// Host, with its port where it isn't the usual one.
    pub(super) fn host(&self) -> &str {
        if self.registry == DOCKER_HUB { DOCKER_HUB_HOST } else { &self.registry }
    }
}
