//! Logins for registries and what says which images are trusted, looked at before anything is made: what can't be read would be
//! tried again for ever.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;

use super::error::CliError;
use crate::manifest::{FieldPath, Finding, Objects, Wrong};
use crate::plan::{self, Logins, PullFiles};
use crate::runtime::image::{check_logins, policy};

/// `--auth-file` and `--signature-policy`, as absolute paths: whoever reads them later is in another folder.
pub(super) fn pull_files(auth: Option<&Path>, signature_policy: Option<&Path>) -> Result<PullFiles, CliError> {
    Ok(PullFiles { auth_file: auth_file(auth)?, signature_policy: signature_policy.map(policy_file).transpose()? })
}

fn policy_file(given: &Path) -> Result<PathBuf, CliError> {
    let path = std::path::absolute(given).map_err(|source| CliError::Read { path: given.to_owned(), source })?;
    policy(Some(&path)).map_err(|why| CliError::Words(format!("--signature-policy: {why}")))?;
    Ok(path)
}

/// `--auth-file`, as an absolute path: whoever reads it later is in another folder.
pub(super) fn auth_file(given: Option<&Path>) -> Result<Option<PathBuf>, CliError> {
    let Some(path) = given else { return Ok(None) };
    let path = std::path::absolute(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    let logins = Logins { auth_file: Some(path), ..Logins::default() };
    check_logins(&logins).map_err(|why| CliError::Words(format!("--auth-file: {why}")))?;
    Ok(logins.auth_file)
}

/// The Secrets of `imagePullSecrets` that can't be read.
pub(super) fn findings(pod: &v1::Pod, objects: &Objects) -> Vec<Finding> {
    let list = FieldPath::root().child("spec.imagePullSecrets");
    let named: Vec<&str> =
        pod.spec.iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten()).map(|one| &*one.name).collect();
    let one = |secret: plan::PullSecret| {
        let (value, at) = (secret.name.clone(), named.iter().position(|name| *name == secret.name)?);
        let why = check_logins(&Logins { secrets: vec![secret], ..Logins::default() }).err()?;
        Some(Finding {
            field: list.index(at).child("name"),
            wrong: Wrong::Unusable { value, why },
            help: Some("kubectl create secret docker-registry makes one".to_owned()),
        })
    };
    plan::pull_secrets(pod, objects).into_iter().filter_map(one).collect()
}
