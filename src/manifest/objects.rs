//! ConfigMaps and Secrets given beside a Pod: further documents of its manifest, or files of their own. Decoded as
//! strictly as the Pod. What they hold is never printed: neither in errors nor by `Debug`.

mod check;
mod read;

pub(super) use read::{kind_of, read, without_secrets};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of a key. `Debug` tells only how many.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content(pub Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ObjectKind {
    ConfigMap,
    Secret,
}

impl ObjectKind {
    /// `ConfigMap`, `Secret`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// A ConfigMap or a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// A ConfigMap's `data`; a Secret's `data` and `stringData`.
    pub data: BTreeMap<String, Content>,
    /// A ConfigMap's `binaryData`: files of volumes, but no variables.
    pub binary: BTreeMap<String, Content>,
    /// A Secret's `type`.
    #[serde(default, rename = "type")]
    pub secret_type: String,
}

/// The types of Secrets that have logins for registries, with the key of these.
pub(super) const LOGINS: [(&str, &str); 2] =
    [("kubernetes.io/dockercfg", ".dockercfg"), ("kubernetes.io/dockerconfigjson", ".dockerconfigjson")];

impl Object {
    /// What a key holds, as a file.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Content> {
        self.data.get(key).or_else(|| self.binary.get(key))
    }

    /// What a Secret of one of the types for it says of logins for registries; `None`: it is of another type. As with the kubelet,
    /// what other types have under these keys isn't looked at.
    #[must_use]
    pub fn logins(&self) -> Option<&Content> {
        let (_, key) = LOGINS.iter().find(|(of, _)| self.secret_type == *of)?;
        self.data.get(*key)
    }

    /// All keys with what they hold, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.data.iter().chain(&self.binary).map(|(key, content)| (key.as_str(), content))
    }
}

/// One as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    kind: ObjectKind,
    /// `None`: that of whichever pod asks.
    namespace: Option<String>,
    name: String,
    object: Object,
    /// What is in it can't be changed any more.
    immutable: bool,
}

/// All that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects(Vec<Found>);

impl Objects {
    /// Whether none was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one that a pod of this namespace means by `name`.
    #[must_use]
    pub fn get(&self, kind: ObjectKind, namespace: &str, name: &str) -> Option<&Object> {
        self.visible(kind, Some(namespace)).find(|found| found.name == name).map(|found| &found.object)
    }

    /// These, with those of `new` in the place of the ones of their names, as a pod of this namespace sees them; `None`: nothing is
    /// different.
    ///
    /// # Errors
    /// The first that can't be changed.
    pub fn updated(&self, new: &Objects, namespace: &str) -> Result<Option<Objects>, String> {
        let place = |one: &Found| one.namespace.clone().unwrap_or_else(|| namespace.to_owned());
        let mut all = self.clone();
        for one in &new.0 {
            let is_it = |old: &&mut Found| (old.kind, &old.name, place(old)) == (one.kind, &one.name, place(one));
            match all.0.iter_mut().find(is_it) {
                None => all.0.push(one.clone()),
                Some(old) if old.immutable && old.object != one.object => {
                    let kind = one.kind.name();
                    return Err(format!("{kind} {}: field is immutable when `immutable` is set", one.name));
                }
                Some(old) if old.immutable || old == one => {}
                Some(old) => *old = one.clone(),
            }
        }
        Ok((all != *self).then_some(all))
    }

    /// The names that a pod of this namespace may use.
    pub fn names(&self, kind: ObjectKind, namespace: &str) -> impl Iterator<Item = &str> {
        self.visible(kind, Some(namespace)).map(|found| found.name.as_str())
    }

    /// An object without a namespace is in that of the pod, as `kubectl apply` puts both into the same.
    fn visible(&self, kind: ObjectKind, namespace: Option<&str>) -> impl Iterator<Item = &Found> {
        self.0.iter().filter(move |found| {
            let other = found.namespace.as_deref();
            found.kind == kind && (other.is_none() || namespace.is_none() || other == namespace)
        })
    }
}

#[cfg(test)]
mod tests;
