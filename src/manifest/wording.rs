//! What is said of a text as a whole: what it is called, that it is empty, that it holds too much.

use super::diagnostic::{Aim, Diagnostic};
use super::path::FieldPath;
use super::tree::{Node, place};

/// What a text is called in messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wording {
    /// `manifest`.
    pub noun: &'static str,
    /// What one document holds.
    pub second: &'static str,
    /// What to do with a second one.
    pub second_help: &'static str,
    /// What an empty one lacks.
    pub empty_help: &'static str,
}

/// Of a manifest.
pub(super) const MANIFEST: Wording = Wording {
    noun: "manifest",
    second: "a second Pod: here there can be only one",
    second_help: "put each Pod into a file of its own",
    empty_help: "it needs at least apiVersion: v1, kind: Pod, metadata.name and spec.containers",
};

/// Of a file beside a manifest.
pub(super) const CONFIG: Wording = Wording {
    noun: "config",
    second: "",
    second_help: "",
    empty_help: "it holds ConfigMaps and Secrets, separated by lines of ---",
};

/// What is said about a text that holds nothing.
pub(super) fn empty(wording: Wording) -> Diagnostic {
    Diagnostic::error(&FieldPath::root(), format!("the {} is empty", wording.noun)).help(wording.empty_help)
}

/// What is said about a document too many.
pub(super) fn second_document(text: &str, node: &Node, wording: Wording) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(&FieldPath::root(), wording.second).help(wording.second_help);
    diagnostic.location = Some(place(text, &node.locate(&FieldPath::root(), Aim::Value)));
    diagnostic
}
