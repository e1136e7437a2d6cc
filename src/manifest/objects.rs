//! ConfigMaps and Secrets given beside a Pod: further documents of its manifest, or files of their own. Decoded as
//! strictly as the Pod. What they hold is never printed: neither in errors nor by `Debug`.

mod check;

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::diagnostic::Diagnostic;
use super::path::FieldPath;
use super::tree::{Node, Value};
use super::{de, validate};

/// Bytes of a key. `Debug` tells only how many.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content(pub Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// A ConfigMap's `data`; a Secret's `data` and `stringData`.
    pub data: BTreeMap<String, Content>,
    /// A ConfigMap's `binaryData`: files of volumes, but no variables.
    pub binary: BTreeMap<String, Content>,
}

impl Object {
    /// What a key holds, as a file.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Content> {
        self.data.get(key).or_else(|| self.binary.get(key))
    }

    /// All keys with what they hold, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.data.iter().chain(&self.binary).map(|(key, content)| (key.as_str(), content))
    }
}

/// One as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    kind: ObjectKind,
    /// `None`: that of whichever pod asks.
    namespace: Option<String>,
    name: String,
    object: Object,
}

/// All that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects(Vec<Found>);

impl Objects {
    /// The one that a pod of this namespace means by `name`.
    #[must_use]
    pub fn get(&self, kind: ObjectKind, namespace: &str, name: &str) -> Option<&Object> {
        self.visible(kind, Some(namespace)).find(|found| found.name == name).map(|found| &found.object)
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

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", rename = "ConfigMap")]
struct ConfigMapText {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: ObjectMeta,
    data: Option<BTreeMap<String, String>>,
    binary_data: Option<BTreeMap<String, String>>,
    #[serde(rename = "immutable")]
    _immutable: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", rename = "Secret")]
struct SecretText {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: ObjectMeta,
    #[serde(rename = "type")]
    kind_of_secret: Option<String>,
    data: Option<BTreeMap<String, String>>,
    string_data: Option<BTreeMap<String, String>>,
    #[serde(rename = "immutable")]
    _immutable: Option<bool>,
}

/// Which kind a document is of; `None`: neither.
pub(super) fn kind_of(tree: &Node) -> Option<ObjectKind> {
    match &tree.get("kind")?.value.value {
        Value::Scalar(scalar) if scalar.text == "ConfigMap" => Some(ObjectKind::ConfigMap),
        Value::Scalar(scalar) if scalar.text == "Secret" => Some(ObjectKind::Secret),
        _ => None,
    }
}

/// Reads a document of this kind into `all`, and says what is wrong with it.
pub(super) fn read(kind: ObjectKind, tree: &Node, all: &mut Objects) -> Vec<Diagnostic> {
    let mut found = check::api_version(tree);
    let (metadata, object, broken) = match kind {
        ObjectKind::ConfigMap => {
            let mut read = de::from_tree::<ConfigMapText>(tree);
            found.append(&mut read.found);
            let text = read.value;
            let object = Object {
                data: check::plain("data", text.data.unwrap_or_default(), &mut found),
                binary: check::encoded("binaryData", text.binary_data.unwrap_or_default(), &mut found),
            };
            (text.metadata, object, read.broken)
        }
        ObjectKind::Secret => {
            let mut read = de::from_tree::<SecretText>(tree);
            read.found.iter_mut().for_each(say_no_secret);
            found.append(&mut read.found);
            let text = read.value;
            let mut data = check::encoded("data", text.data.unwrap_or_default(), &mut found);
            // As the API server merges them.
            data.extend(check::plain("stringData", text.string_data.unwrap_or_default(), &mut found));
            let object = Object { data, binary: BTreeMap::new() };
            check::secret_type(text.kind_of_secret.as_deref(), &object, &mut found);
            (text.metadata, object, read.broken)
        }
    };
    check::object(&object, &mut found);
    let root = FieldPath::root();
    found.extend(validate::object_names(&metadata, &root.child("metadata"), &broken));
    let (namespace, name) = (metadata.namespace.filter(|name| !name.is_empty()), metadata.name.unwrap_or_default());
    if all.visible(kind, namespace.as_deref()).any(|other| other.name == name) && !name.is_empty() {
        let field = root.child("metadata").child("name");
        let help = format!("there is a {} of that name already, in this file or another one", kind.name());
        found.push(Diagnostic::duplicate(&field, name.as_str()).help(help));
    }
    all.0.push(Found { kind, namespace, name, object });
    found
}

/// Where a Secret has what is secret.
const SECRET_FIELDS: [&str; 2] = ["data", "stringData"];

/// A value of the wrong type is a secret all the same.
fn say_no_secret(diagnostic: &mut Diagnostic) {
    let is_below = |field: &&str| {
        let field = FieldPath::root().child(field);
        field.holds(&diagnostic.field) && field != diagnostic.field
    };
    if SECRET_FIELDS.iter().any(is_below) {
        diagnostic.message = "Invalid value: must be a string".to_owned();
        diagnostic.help = Some("put the value into quotes".to_owned());
    }
}

/// The text of these documents with stars for what Secrets hold, for reports that show lines of it.
pub(super) fn without_secrets(text: &str, trees: &[Node]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for tree in trees.iter().filter(|tree| kind_of(tree) == Some(ObjectKind::Secret)) {
        for entry in SECRET_FIELDS.iter().filter_map(|field| tree.get(field)) {
            hide(&entry.value, &mut bytes);
        }
    }
    // Whole values are replaced, so no character is cut in two.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Puts stars over all values below; keys are no secrets.
fn hide(node: &Node, bytes: &mut [u8]) {
    match &node.value {
        Value::Scalar(_) => {
            for byte in bytes.get_mut(node.span.clone()).into_iter().flatten().filter(|byte| **byte != b'\n') {
                *byte = b'*';
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| hide(item, bytes)),
        Value::Mapping(mapping) => {
            for entry in &mapping.entries {
                hide(&entry.value, bytes);
            }
        }
    }
}

/// Base64 as the API takes it: line breaks don't count.
fn decoded(text: &str) -> Option<Content> {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = ByteString::deserialize(StrDeserializer::<ValueError>::new(&text)).ok()?;
    Some(Content(bytes.0))
}

#[cfg(test)]
mod tests;
