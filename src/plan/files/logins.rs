//! Logins for the registries that images are pulled from: the Secrets that `imagePullSecrets` names.

use std::path::PathBuf;

use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use crate::manifest::{Content, ObjectKind, Objects};

/// What opens registries. `Debug` tells no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logins {
    /// Of the pod, in its order.
    pub secrets: Vec<PullSecret>,
    /// A file of logins that somebody named, in the place of those that this box has. Absolute.
    pub auth_file: Option<PathBuf>,
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
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let named = names(pod).filter_map(|name| {
        let content = objects.get(ObjectKind::Secret, namespace, name)?.logins()?.clone();
        Some(PullSecret { name: name.to_owned(), content })
    });
    named.collect()
}

/// Those that aren't there.
#[must_use]
pub fn missing_pull_secrets<'a>(pod: &'a v1::Pod, objects: &Objects) -> Vec<&'a str> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    names(pod).filter(|name| objects.get(ObjectKind::Secret, namespace, name).is_none()).collect()
}

/// The API server takes one without a name, and the kubelet leaves it out.
fn names(pod: &v1::Pod) -> impl Iterator<Item = &str> {
    let all = pod.spec.iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten());
    all.map(|one| one.name.as_str()).filter(|name| !name.is_empty())
}
