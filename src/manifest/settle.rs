//! The way from bytes to a checked value: text, tree, types, rules. Each stage runs as far as the ones before let it, so
//! that a file's errors come in one go, each with its place.

use super::diagnostic::{Diagnostic, MOST_DIAGNOSTICS, Part, Severity};
use super::documents::Document;
use super::path::FieldPath;
use super::report::Report;
use super::tree::{Node, place};
use super::wording::Wording;
use super::{objects, parse, text};

/// Text to a value by way of a tree; what `read` finds gets its place, and duplicate keys are found here.
pub(super) fn decode_text<T>(
    name: &str,
    bytes: &[u8],
    wording: Wording,
    read: impl FnOnce(&Node) -> (T, Vec<Diagnostic>),
) -> Result<(T, Vec<Diagnostic>), Report> {
    let one = |text: &str| Ok(vec![Document { tree: parse::parse(text, wording)?, part: Part::default() }]);
    decode_documents(name, bytes, wording, one, |_, documents| {
        let (value, found) = read(&documents[0].tree);
        (value, vec![found])
    })
}

/// As [`decode_text`], of several documents: `read` gives what it finds for each of them, then what has its place
/// already.
pub(super) fn decode_documents<T>(
    name: &str,
    bytes: &[u8],
    wording: Wording,
    parse: impl FnOnce(&str) -> Result<Vec<Document>, Diagnostic>,
    read: impl FnOnce(&str, &[Document]) -> (T, Vec<Vec<Diagnostic>>),
) -> Result<(T, Vec<Diagnostic>), Report> {
    let report = |text: &str, diagnostics| Report { name: name.to_owned(), text: text.to_owned(), diagnostics };
    let text = text::text_of(bytes, wording).map_err(|failed| report(&failed.0, vec![failed.1]))?;
    let text = &*text;
    let documents = parse(text).map_err(|diagnostic| report(text, vec![diagnostic]))?;
    let (value, found) = read(text, &documents);
    match settled(text, &documents, found) {
        diagnostics if has_errors(&diagnostics) => Err(report(&without_secrets(text, &documents), diagnostics)),
        diagnostics => Ok((value, diagnostics)),
    }
}

/// What was found in each document, each with its place, with the keys that are given twice, in order of position.
pub(super) fn settled(text: &str, documents: &[Document], found: Vec<Vec<Diagnostic>>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (at, mut found) in found.into_iter().enumerate() {
        let document = documents.get(at);
        for diagnostic in &mut found {
            if let Some(Document { tree, .. }) = document.filter(|_| diagnostic.location.is_none()) {
                diagnostic.location = Some(place(text, &tree.locate(&diagnostic.field, diagnostic.aim)));
            }
        }
        if let Some(document) = document {
            document.tree.duplicates(&mut FieldPath::root(), text, &mut found);
            for diagnostic in &mut found {
                diagnostic.part = document.part;
            }
        }
        diagnostics.append(&mut found);
    }
    diagnostics.sort_by_key(|d| d.location.as_ref().map_or(0, |location| location.span.start));
    if diagnostics.len() > MOST_DIAGNOSTICS {
        let rest = diagnostics.split_off(MOST_DIAGNOSTICS);
        let said = if has_errors(&rest) {
            Diagnostic::error(&FieldPath::root(), "too many errors: the rest is not shown")
        } else {
            Diagnostic::warning(&FieldPath::root(), "too many warnings: the rest is not shown")
        };
        diagnostics.push(said);
    }
    diagnostics
}

pub(super) fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// The text for reports, with stars for what its Secrets hold.
pub(super) fn without_secrets(text: &str, documents: &[Document]) -> String {
    objects::without_secrets(text, documents.iter().map(|document| &document.tree))
}
