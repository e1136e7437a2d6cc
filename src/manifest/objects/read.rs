//! Documents of ConfigMaps and Secrets to what they hold.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::tree::{Node, Value};
use super::super::{de, validate};
use super::{Found, Object, ObjectKind, Objects, check};

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
    immutable: Option<bool>,
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
    immutable: Option<bool>,
}

/// Which kind a document is of; `None`: neither.
pub(in crate::manifest) fn kind_of(tree: &Node) -> Option<ObjectKind> {
    match &tree.get("kind")?.value.value {
        Value::Scalar(scalar) if scalar.text == "ConfigMap" => Some(ObjectKind::ConfigMap),
        Value::Scalar(scalar) if scalar.text == "Secret" => Some(ObjectKind::Secret),
        _ => None,
    }
}

/// Reads a document of this kind into `all`, and says what is wrong with it.
pub(in crate::manifest) fn read(kind: ObjectKind, tree: &Node, all: &mut Objects) -> Vec<Diagnostic> {
    let mut found = check::api_version(tree);
    let (metadata, object, immutable, broken) = match kind {
        ObjectKind::ConfigMap => {
            let mut read = de::from_tree::<ConfigMapText>(tree);
            found.append(&mut read.found);
            let text = read.value;
            let object = Object {
                data: check::plain("data", text.data.unwrap_or_default(), &mut found),
                binary: check::encoded("binaryData", text.binary_data.unwrap_or_default(), &mut found),
                secret_type: String::new(),
            };
            (text.metadata, object, text.immutable == Some(true), read.broken)
        }
        ObjectKind::Secret => {
            let mut read = de::from_tree::<SecretText>(tree);
            read.found.iter_mut().for_each(say_no_secret);
            found.append(&mut read.found);
            let text = read.value;
            let mut data = check::encoded("data", text.data.unwrap_or_default(), &mut found);
            // As the API server merges them.
            data.extend(check::plain("stringData", text.string_data.unwrap_or_default(), &mut found));
            let secret_type = text.kind_of_secret.unwrap_or_default();
            let object = Object { data, binary: BTreeMap::new(), secret_type };
            check::secret_type(&object, &mut found);
            (text.metadata, object, text.immutable == Some(true), read.broken)
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
    all.0.push(Found { kind, namespace, name, object, immutable });
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
pub(in crate::manifest) fn without_secrets<'n>(text: &str, trees: impl Iterator<Item = &'n Node>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for tree in trees.filter(|tree| kind_of(tree) == Some(ObjectKind::Secret)) {
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
