//! Logins for the registries that images are pulled from: the Secrets that `imagePullSecrets` names.

use std::path::PathBuf;

use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use crate::manifest::{Content, Object, ObjectKind, Objects};

/// What opens registries. `Debug` tells no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logins {
    /// Of the pod, in its order.
    pub secrets: Vec<PullSecret>,
    /// A file of logins that somebody named, in the place of those that this box has. Absolute.
    pub auth_file: Option<PathBuf>,
}

/// Files of the box that somebody named for what is pulled, each in the place of those that the box has. Absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullFiles {
    /// Logins for registries.
    pub auth_file: Option<PathBuf>,
    /// What is trusted (containers-policy.json(5)). It counts for what is in the store as well.
    pub signature_policy: Option<PathBuf>,
}

impl PullFiles {
    /// These, and what they leave open from others.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        let one = |own: &Option<PathBuf>, other: &Option<PathBuf>| own.as_ref().or(other.as_ref()).cloned();
        Self {
            auth_file: one(&self.auth_file, &others.auth_file),
            signature_policy: one(&self.signature_policy, &others.signature_policy),
        }
    }
}

/// A Secret of the type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullSecret {
    /// Its name.
    pub name: String,
    /// What it says.
    pub content: Content,
}

/// The Secrets of a pod's `imagePullSecrets` that have logins. As with the kubelet what isn't there, and what is of another type, is left
/// out: an image may need no login.
#[must_use]
pub fn pull_secrets(pod: &v1::Pod, objects: &Objects) -> Vec<PullSecret> {
    let content = |secret: Option<&Object>| Some(secret?.logins()?.clone());
    let named = secrets(pod, objects)
        .filter_map(|(name, secret)| Some(PullSecret { name: name.to_owned(), content: content(secret)? }));
    named.collect()
}

/// Those that aren't there.
#[must_use]
pub fn missing_pull_secrets<'a>(pod: &'a v1::Pod, objects: &Objects) -> Vec<&'a str> {
    secrets(pod, objects).filter(|(_, secret)| secret.is_none()).map(|(name, _)| name).collect()
}

/// Those that are named, and what is there of them. The API server takes one without a name, and the kubelet leaves it out.
fn secrets<'a, 'o>(pod: &'a v1::Pod, objects: &'o Objects) -> impl Iterator<Item = (&'a str, Option<&'o Object>)> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let all = pod.spec.iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten());
    let names = all.map(|one| one.name.as_str()).filter(|name| !name.is_empty());
    names.map(move |name| (name, objects.get(ObjectKind::Secret, namespace, name)))
}
