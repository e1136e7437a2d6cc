//! The way from bytes to a checked Pod: text, tree, types, rules. Each stage runs as far as the ones before let it, so
//! that a file's errors come in one go.

use k8s_openapi::api::core::v1;

use super::diagnostic::{Diagnostic, MOST_DIAGNOSTICS, Report, Severity};
use super::parse::Wording;
use super::path::FieldPath;
use super::tree::{Node, Value, place};
use super::{Manifest, de, parse, validate};

/// Decodes and checks a manifest: `bytes` is YAML or JSON, `name` what the text is called in messages.
///
/// Nothing is defaulted: see [`super::apply_defaults`].
///
/// # Errors
/// Everything that is wrong with the text, in order of position, with the warnings between.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Manifest, Report> {
    let (pod, warnings) = decode_text(name, bytes, parse::MANIFEST, |tree| match wrong_kind(tree) {
        wrong if wrong.is_empty() => checked(tree),
        wrong => (v1::Pod::default(), wrong),
    })?;
    Ok(Manifest { pod, warnings })
}

/// Text to a value by way of a tree; what `read` finds gets its place, and duplicate keys are found here.
pub(super) fn decode_text<T>(
    name: &str,
    bytes: &[u8],
    wording: Wording,
    read: impl FnOnce(&Node) -> (T, Vec<Diagnostic>),
) -> Result<(T, Vec<Diagnostic>), Report> {
    let report = |text: &str, diagnostics| Report { name: name.to_owned(), text: text.to_owned(), diagnostics };
    let text = parse::text_of(bytes, wording).map_err(|failed| report(&failed.0, vec![failed.1]))?;
    let tree = parse::parse(text, wording).map_err(|diagnostic| report(text, vec![diagnostic]))?;
    let (value, mut diagnostics) = read(&tree);
    for diagnostic in &mut diagnostics {
        diagnostic.location = Some(place(text, &tree.locate(&diagnostic.field, diagnostic.aim)));
    }
    let mut duplicates = Vec::new();
    tree.duplicates(&mut FieldPath::root(), text, &mut duplicates);
    diagnostics.append(&mut duplicates);
    diagnostics.sort_by_key(|d| d.location.as_ref().map_or(0, |location| location.span.start));
    if diagnostics.len() > MOST_DIAGNOSTICS {
        let rest = diagnostics.split_off(MOST_DIAGNOSTICS);
        if rest.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) {
            diagnostics.push(Diagnostic::warning(&FieldPath::root(), "too many warnings: the rest is not shown"));
        } else {
            diagnostics.push(Diagnostic::error(&FieldPath::root(), "too many errors: the rest is not shown"));
        }
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(report(text, diagnostics));
    }
    Ok((value, diagnostics))
}

/// Errors of a text that isn't a v1 Pod at all: then there is no use in naming all fields that a Pod doesn't have.
fn wrong_kind(tree: &Node) -> Vec<Diagnostic> {
    let root = FieldPath::root();
    if !matches!(tree.value, Value::Mapping(_)) {
        return vec![
            Diagnostic::error(&root, "a manifest is a map").help("it starts with apiVersion: v1 and kind: Pod"),
        ];
    }
    [("apiVersion", "v1"), ("kind", "Pod")]
        .into_iter()
        .filter_map(|(key, wanted)| {
            let field = root.child(key);
            let help = format!("write {key}: {wanted}");
            match tree.get(key).map(|entry| &entry.value.value) {
                Some(Value::Scalar(scalar)) if scalar.text == wanted => None,
                Some(Value::Scalar(scalar)) if !scalar.is_null() => {
                    Some(Diagnostic::unsupported(&field, &scalar.text, &[wanted]).help(help))
                }
                Some(Value::Sequence(_) | Value::Mapping(_)) => {
                    Some(Diagnostic::error(&field, "Invalid type: must be a string").at_key().help(help))
                }
                Some(Value::Scalar(_)) | None => Some(Diagnostic::required(&field, "").help(help)),
            }
        })
        .collect()
}

/// The Pod, and what is wrong with it. Rules say nothing about what could not be read.
fn checked(tree: &Node) -> (v1::Pod, Vec<Diagnostic>) {
    let read = de::from_tree::<v1::Pod>(tree);
    let mut diagnostics = read.found;
    diagnostics.extend(validate::validate(&read.value, &read.broken));
    (read.value, diagnostics)
}
