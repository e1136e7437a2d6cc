//! Logins for registries: from a pod's Secrets, from files as podman and docker write them (containers-auth.json(5), docker's
//! config.json), and from programs that keep them (`docker-credential-NAME`).
//!
//! As with the kubelet, those of Secrets come first, and a key may have `*` in the labels of its host. What is more specific
//! counts first: `registry.example/team/app` before `registry.example/team` before `registry.example`.

mod config;
mod error;
mod helper;
mod key;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::registry::Login;
use config::Config;
pub use error::CredentialsError;
use helper::Helper;

/// So long a program may take to give a login.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where logins are looked for.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Of Secrets, with their names.
    secrets: Vec<(String, Config)>,
    files: Vec<File>,
    /// Where programs are looked for (`PATH`).
    path: Option<OsString>,
    patience: Duration,
}

#[derive(Clone, Debug)]
struct File {
    path: PathBuf,
    /// Somebody named it: it must be there.
    is_named: bool,
}

impl Credentials {
    /// Those of this box. `auth_file`, or else `$REGISTRY_AUTH_FILE`, stands for all other files.
    #[must_use]
    pub fn new(auth_file: Option<&Path>, environment: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| environment(name).filter(|text| !text.is_empty());
        let named = auth_file.map(Path::to_owned).or_else(|| set("REGISTRY_AUTH_FILE").map(PathBuf::from));
        let below = |name: &str, rest: &str| set(name).map(|folder| PathBuf::from(folder).join(rest));
        let files = match named {
            Some(path) => vec![File { path, is_named: true }],
            None => {
                let user = rustix::process::getuid().as_raw();
                let runtime = below("XDG_RUNTIME_DIR", "containers/auth.json")
                    .unwrap_or_else(|| format!("/run/containers/{user}/auth.json").into());
                let config = below("XDG_CONFIG_HOME", "containers/auth.json")
                    .or_else(|| below("HOME", ".config/containers/auth.json"));
                let docker = below("DOCKER_CONFIG", "config.json").or_else(|| below("HOME", ".docker/config.json"));
                let all = [Some(runtime), config, docker, below("HOME", ".dockercfg")];
                all.into_iter().flatten().map(|path| File { path, is_named: false }).collect()
            }
        };
        let path = set("PATH").map(OsString::from);
        Self { secrets: Vec::new(), files, path, patience: PATIENCE }
    }

    /// With what a Secret of the type `kubernetes.io/dockerconfigjson` (`.dockerconfigjson`) or `kubernetes.io/dockercfg`
    /// (`.dockercfg`) has.
    ///
    /// # Errors
    /// Where it is no such text.
    pub fn add_secret(&mut self, name: &str, bytes: &[u8]) -> Result<(), CredentialsError> {
        let config = Config::read(bytes, &format!("Secret {name}"))?;
        self.secrets.push((name.to_owned(), config));
        Ok(())
    }

    /// The logins that may open a repository, the best first; `registry`: HOST[:PORT]. None: it is asked as anybody.
    ///
    /// # Errors
    /// Where a file can't be read, or a program doesn't answer. That a program has none is no error.
    pub fn find(&self, registry: &str, repository: &str) -> Result<Vec<Login>, CredentialsError> {
        // As in the kubelet's keyring all Secrets are one: what is more specific counts first, whichever has it, then which is named
        // first. What a Secret says is not run.
        let mut of_secrets = Vec::new();
        for (name, config) in &self.secrets {
            of_secrets.extend(config.ranked(registry, repository, &format!("Secret {name}"))?);
        }
        of_secrets.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        let mut all: Vec<Login> = of_secrets.into_iter().map(|(_, login)| login).collect();
        for file in &self.files {
            let Some(bytes) = file.read()? else { continue };
            let from = file.path.display().to_string();
            let config = Config::read(&bytes, &from)?;
            // One for this registry counts instead of the one for all.
            if let Some(name) = config.helper(registry, repository).or(config.store()) {
                all.extend(self.ask(name, registry, &from)?);
            }
            all.extend(config.logins(registry, repository, &from)?);
        }
        let mut seen = HashSet::new();
        all.retain(|login| seen.insert(login.clone()));
        Ok(all)
    }

    /// Whether what Secrets and a file that somebody named say can be read, whichever registry it is for.
    ///
    /// # Errors
    /// What is wrong with the first that can't be.
    pub fn check(&self) -> Result<(), CredentialsError> {
        for (name, config) in &self.secrets {
            config.check(&format!("Secret {name}"))?;
        }
        for file in self.files.iter().filter(|file| file.is_named) {
            let from = file.path.display().to_string();
            Config::read(&file.read()?.unwrap_or_default(), &from)?.check(&from)?;
        }
        Ok(())
    }

    fn ask(&self, name: &str, registry: &str, from: &str) -> Result<Option<Login>, CredentialsError> {
        Helper { name, path: self.path.as_deref(), patience: self.patience }.get(key::of_helper(registry), from)
    }
}

impl File {
    fn read(&self) -> Result<Option<Vec<u8>>, CredentialsError> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && !self.is_named => Ok(None),
            Err(cause) => Err(CredentialsError::Read { path: self.path.clone(), cause }),
        }
    }
}

#[cfg(test)]
mod tests;
