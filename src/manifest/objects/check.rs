//! The API server's rules for ConfigMaps and Secrets (pkg/apis/core/validation). No value is ever shown.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::tree::{Node, Value};
use super::super::validate;
use super::{Content, LOGINS, Object};

/// What one object may hold in all.
const MOST_BYTES: usize = 1024 * 1024;

/// What a Secret of a type has to have: one of the keys of each list.
const TYPES: &[(&str, &[&[&str]])] = &[
    ("kubernetes.io/basic-auth", &[&["username", "password"]]),
    (LOGINS[0].0, &[&[LOGINS[0].1]]),
    (LOGINS[1].0, &[&[LOGINS[1].1]]),
    ("kubernetes.io/ssh-auth", &[&["ssh-privatekey"]]),
    ("kubernetes.io/tls", &[&["tls.crt"], &["tls.key"]]),
];

/// `apiVersion: v1`.
pub(super) fn api_version(tree: &Node) -> Vec<Diagnostic> {
    let field = FieldPath::root().child("apiVersion");
    match tree.get("apiVersion").map(|entry| &entry.value.value) {
        Some(Value::Scalar(scalar)) if scalar.text == "v1" => Vec::new(),
        Some(Value::Scalar(scalar)) if !scalar.is_null() => {
            vec![Diagnostic::unsupported(&field, &scalar.text, &["v1"])]
        }
        // The wrong type is told by whoever reads it.
        Some(Value::Sequence(_) | Value::Mapping(_)) => Vec::new(),
        Some(Value::Scalar(_)) | None => vec![Diagnostic::required(&field, "").help("write apiVersion: v1")],
    }
}

/// Keys with texts.
pub(super) fn plain(
    field: &str,
    texts: BTreeMap<String, String>,
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Content> {
    keys(field, texts.keys(), found);
    texts.into_iter().map(|(key, text)| (key, Content(text.into_bytes()))).collect()
}

/// Keys with base64.
pub(super) fn encoded(
    field: &str,
    texts: BTreeMap<String, String>,
    found: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Content> {
    keys(field, texts.keys(), found);
    let mut all = BTreeMap::new();
    for (key, text) in texts {
        if let Some(content) = decoded(&text) {
            all.insert(key, content);
        } else {
            let path = FieldPath::root().child(field).key(&key);
            let help = match field {
                "data" => "encode it (base64 -w0), or write it as it is under stringData",
                _ => "encode it (base64 -w0)",
            };
            found.push(Diagnostic::error(&path, "Invalid value: not base64").at_key().help(help));
            all.insert(key, Content::default());
        }
    }
    all
}

fn keys<'a>(field: &str, keys: impl Iterator<Item = &'a String>, found: &mut Vec<Diagnostic>) {
    for key in keys {
        let path = FieldPath::root().child(field).key(key);
        for detail in validate::config_key(key) {
            found.push(Diagnostic::invalid(&path, key, detail).at_key());
        }
    }
}

/// What a Secret's type asks for.
pub(super) fn secret_type(object: &Object, found: &mut Vec<Diagnostic>) {
    let field = FieldPath::root().child("data");
    let lists = TYPES.iter().find(|(name, _)| object.secret_type == *name).map_or(&[][..], |(_, lists)| lists);
    for list in lists.iter().filter(|list| !list.iter().any(|key| object.data.contains_key(*key))) {
        let detail = format!("a Secret of this type has {}", list.join(" or "));
        found.push(Diagnostic::required(&field, &detail));
    }
    // serde's own words may have a part of what is there.
    if let Some(logins) = object.logins()
        && let Err(cause) = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(&logins.0)
    {
        let (line, column) = (cause.line(), cause.column());
        let message = format!("Invalid value: its line {line}, column {column} isn't that of a JSON object of logins");
        let help = "docker login and podman login write such a file (~/.docker/config.json, auth.json)";
        found.push(Diagnostic::error(&field, message).at_key().help(help));
    }
}

/// What holds for both kinds.
pub(super) fn object(object: &Object, found: &mut Vec<Diagnostic>) {
    let root = FieldPath::root();
    for key in object.binary.keys().filter(|key| object.data.contains_key(*key)) {
        let path = root.child("binaryData").key(key);
        found.push(Diagnostic::invalid(&path, key, "duplicate of key present in data").at_key());
    }
    let size: usize = object.files().map(|(_, content)| content.0.len()).sum();
    if size > MOST_BYTES {
        let message = format!("Too long: it holds {size} bytes, at most {MOST_BYTES} are allowed");
        found.push(Diagnostic::error(&root.child("data"), message).at_key());
    }
}

/// Base64 as the API takes it: line breaks don't count.
fn decoded(text: &str) -> Option<Content> {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = ByteString::deserialize(StrDeserializer::<ValueError>::new(&text)).ok()?;
    Some(Content(bytes.0))
}
