//! Why a login can't be had.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why a login can't be had. `from`: the file or Secret that leads there. No secret is in a text.
#[derive(Debug, Error)]
pub enum CredentialsError {
    #[error("{path}: {cause}; it was to have logins for registries", path = .path.display())]
    Read { path: PathBuf, cause: io::Error },
    /// Where in it, but not what is there.
    #[error("{from}: line {line}, column {column}: it is no file of logins as docker login and podman login write it")]
    Json { from: String, line: usize, column: usize },
    #[error("{from}: auths: {key}: auth: USER:PASSWORD in base64 is wanted")]
    Auth { from: String, key: String },
    #[error("{from}: auths: {key}: a registrytoken alone is not supported; a password or an identitytoken is")]
    RegistryToken { from: String, key: String },
    #[error("{from}: {name:?} is no name of a credential helper")]
    HelperName { from: String, name: String },
    #[error("{from}: docker-credential-{name}: {cause}; it is to give the login of {server}")]
    HelperStart { from: String, name: String, server: String, cause: io::Error },
    #[error("{from}: docker-credential-{name}: no login of {server} came in {} seconds", .after.as_secs_f32())]
    HelperTime { from: String, name: String, server: String, after: Duration },
    #[error("{from}: docker-credential-{name}: asked for the login of {server}: {said}")]
    HelperFailed { from: String, name: String, server: String, said: String },
}
