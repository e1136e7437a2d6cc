//! Texts with one Pod, texts with none, and what is found out about a Pod later. For several texts see `reading`.

use super::diagnostic::Diagnostic;
use super::documents::{self, Document};
use super::kinds::wrong_kind;
use super::path::FieldPath;
use super::report::Report;
use super::settle::{decode_documents, without_secrets};
use super::words::printable;
use super::{Beside, Finding, Manifest, Objects, Reading, Text, Wrong, exported, objects, parse, read_all, wording};

/// Decodes and checks a manifest of one Pod: `bytes` is YAML or JSON, `name` what the text is called in messages. ConfigMaps and
/// Secrets may be further documents of it. What the Pod refers to outside is not looked for: see [`decode_beside`].
///
/// Nothing is defaulted: see [`super::apply_defaults`].
///
/// # Errors
/// Everything that is wrong with the text, in order of position, with the warnings between.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Manifest, Report> {
    decode_one(name, bytes, &Reading::default())
}

/// As [`decode`], and what the Pod refers to (ConfigMaps, Secrets, claims) must be in the text or in `beside`.
///
/// # Errors
/// As [`decode`], and `Not found` for each reference that leads nowhere and isn't optional.
pub fn decode_beside(name: &str, bytes: &[u8], beside: &Beside) -> Result<Manifest, Report> {
    let (objects, claims) = (Some(&beside.objects), Some(&beside.claims));
    decode_one(name, bytes, &Reading { objects, claims, ..Reading::default() })
}

fn decode_one(name: &str, bytes: &[u8], reading: &Reading<'_>) -> Result<Manifest, Report> {
    let text = Text { name: name.to_owned(), bytes: bytes.to_vec() };
    let mut all = read_all(std::slice::from_ref(&text), reading).map_err(|mut reports| reports.remove(0))?;
    if let Some(second) = all.pods.get(1) {
        let wording = wording::MANIFEST;
        let said = Diagnostic::error(&FieldPath::root(), wording.second).help(wording.second_help);
        let report = |found| refuse_in(&text, second.document, found);
        return Err(report(vec![said]).expect_err("there is an error"));
    }
    let pod = all.pods.remove(0).pod;
    Ok(Manifest { pod, objects: all.objects, warnings: all.warnings.remove(0) })
}

/// Decodes a file of ConfigMaps and Secrets into `objects`; gives a report of what has no effect in it, if anything.
///
/// # Errors
/// Everything that is wrong with the text, an object that there is already included.
pub fn decode_objects(name: &str, bytes: &[u8], into: &mut Objects) -> Result<Option<Report>, Report> {
    let trees = |text: &str| match documents::of(parse::parse_all(text, wording::CONFIG)?) {
        trees if trees.is_empty() => Err(wording::empty(wording::CONFIG)),
        trees => Ok(trees),
    };
    let (text, diagnostics) = decode_documents(name, bytes, wording::CONFIG, trees, |text, documents| {
        let read = |document: &Document| match objects::kind_of(&document.tree) {
            Some(kind) => objects::read(kind, &document.tree, into),
            None => wrong_kind(&document.tree, &["ConfigMap", "Secret"]),
        };
        let found = documents.iter().map(read).collect();
        (without_secrets(text, documents), found)
    })?;
    Ok((!diagnostics.is_empty()).then(|| Report { name: name.to_owned(), text, diagnostics }))
}

/// Says of a Pod that has been decoded (`document` of the text's) what was found out about it later, as [`decode`] says what is wrong
/// with it.
///
/// # Errors
/// All findings, in order of position; `Ok`: there are none.
pub fn refuse(text: &Text, document: usize, findings: &[Finding]) -> Result<(), Report> {
    // Nothing is parsed once more for nothing.
    if findings.is_empty() { Ok(()) } else { refuse_in(text, document, findings.iter().map(said).collect()) }
}

fn refuse_in(text: &Text, document: usize, diagnostics: Vec<Diagnostic>) -> Result<(), Report> {
    let documents = |text: &str| {
        let mut documents = documents::of(parse::parse_all(text, wording::MANIFEST)?);
        // As when it was decoded: nobody reads what was left out, and items are counted without what is left out of the Pod.
        documents.iter_mut().for_each(|document| document.tree.forget_duplicates());
        if let Some(pod) = documents.get_mut(document) {
            exported::leave_tokens_out(&mut pod.tree, text);
        }
        Ok(documents)
    };
    let (_, warnings) = decode_documents(&text.name, &text.bytes, wording::MANIFEST, documents, |_, _| {
        let mut found = vec![Vec::new(); document];
        found.push(diagnostics);
        ((), found)
    })?;
    debug_assert!(warnings.is_empty(), "there are errors or nothing: {warnings:?}");
    Ok(())
}

fn said(finding: &Finding) -> Diagnostic {
    let field = &finding.field;
    let diagnostic = match &finding.wrong {
        Wrong::Absent { value } => Diagnostic::not_found(field, value),
        Wrong::Unusable { value, why } => Diagnostic::invalid(field, value.as_str(), printable(why)),
        Wrong::Missing { why } => Diagnostic::required(field, &printable(why)),
    };
    match &finding.help {
        Some(help) => diagnostic.help(printable(help)),
        None => diagnostic,
    }
}
