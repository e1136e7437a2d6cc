//! What is said about a field of a manifest, in Kubernetes' own phrases (apimachinery's field errors).

use std::fmt;
use std::num::NonZeroU16;
use std::ops::Range;

use super::path::FieldPath;
use super::words::{Shown, nearest};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The manifest can't be run.
    Error,
    /// It runs, but something in it doesn't do all that it says.
    Warning,
    /// It runs, and the field means nothing on one box.
    NoEffect,
}

/// Which part of a field in the text a diagnostic points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Its key.
    Key,
    /// Its value.
    Value,
}

/// A place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Bytes of the text, within one line.
    pub span: Range<usize>,
}

/// One of several documents of a text, or of a list's items: `document 2, items[0]`. Small, as every diagnostic has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// From 1; `None`: there is one document.
    pub document: Option<NonZeroU16>,
    /// Behind the item, from 1; `None`: it is no list's.
    pub after_item: Option<NonZeroU16>,
}

impl Part {
    /// The document at this place of several; those behind the 65535th share its number.
    pub fn document(at: usize) -> Self {
        Self { document: number(at), after_item: None }
    }

    /// An item of a list; of lists in lists that of the outer one.
    pub fn item(self, at: usize) -> Self {
        Self { after_item: self.after_item.or(number(at)), ..self }
    }

    /// Whether there is nothing to tell apart.
    pub fn is_all(self) -> bool {
        self == Self::default()
    }
}

fn number(at: usize) -> Option<NonZeroU16> {
    NonZeroU16::new(u16::try_from(at).unwrap_or(u16::MAX).saturating_add(1))
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(document) = self.document {
            write!(f, "document {document}")?;
        }
        match (self.document, self.after_item) {
            (_, None) => Ok(()),
            (Some(_), Some(item)) => write!(f, ", items[{}]", item.get() - 1),
            (None, Some(item)) => write!(f, "items[{}]", item.get() - 1),
        }
    }
}

/// One thing to say about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One line, in the API server's words where it has some: `Unsupported value: "x": supported values: "y"`.
    pub message: String,
    /// The field; the root for the text as a whole.
    pub field: FieldPath,
    /// Where the field, or what should hold it, is in the text.
    pub location: Option<Location>,
    /// What to do, one line.
    pub help: Option<String>,
    /// Which part of its text it is about.
    pub(super) part: Part,
    /// What to point at once the field is looked up in the text.
    pub(super) aim: Aim,
}

/// No more is said about one text than this; the rest is likely to be of the same kind.
pub(super) const MOST_DIAGNOSTICS: usize = 100;

impl Diagnostic {
    /// An error with free words.
    pub(super) fn error(field: &FieldPath, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            field: field.clone(),
            location: None,
            help: None,
            part: Part::default(),
            aim: Aim::Value,
        }
    }

    /// A warning with free words, about the field's presence.
    pub(super) fn warning(field: &FieldPath, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, aim: Aim::Key, ..Diagnostic::error(field, message) }
    }

    /// Of a field that means nothing here.
    pub(super) fn no_effect(field: &FieldPath, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::NoEffect, ..Diagnostic::warning(field, message) }
    }

    /// `Required value`, with what exactly is required where that isn't plain.
    pub(super) fn required(field: &FieldPath, detail: &str) -> Diagnostic {
        let message = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Diagnostic { aim: Aim::Key, ..Diagnostic::error(field, message) }
    }

    /// `Invalid value: "x": detail`.
    pub(super) fn invalid(field: &FieldPath, value: impl Shown, detail: impl fmt::Display) -> Diagnostic {
        Diagnostic::error(field, format!("Invalid value: {}: {detail}", value.shown()))
    }

    /// `Unsupported value: "x": supported values: "a", "b"`.
    pub(super) fn unsupported(field: &FieldPath, value: &str, supported: &[&str]) -> Diagnostic {
        let list: Vec<String> = supported.iter().map(Shown::shown).collect();
        Diagnostic::error(field, format!("Unsupported value: {}: supported values: {}", value.shown(), list.join(", ")))
            .help_from_nearest(value, supported)
    }

    /// `Duplicate value: "x"`.
    pub(super) fn duplicate(field: &FieldPath, value: impl Shown) -> Diagnostic {
        Diagnostic::error(field, format!("Duplicate value: {}", value.shown()))
    }

    /// `Not found: "x"`.
    pub(super) fn not_found(field: &FieldPath, value: &str) -> Diagnostic {
        Diagnostic::error(field, format!("Not found: {}", value.shown()))
    }

    /// `Forbidden: detail`.
    pub(super) fn forbidden(field: &FieldPath, detail: impl fmt::Display) -> Diagnostic {
        Diagnostic { aim: Aim::Key, ..Diagnostic::error(field, format!("Forbidden: {detail}")) }
    }

    /// `Too many: 21: must have at most 20 items`.
    pub(super) fn too_many(field: &FieldPath, count: usize, most: usize) -> Diagnostic {
        let message = format!("Too many: {count}: must have at most {most} items");
        Diagnostic { aim: Aim::Key, ..Diagnostic::error(field, message) }
    }

    /// Adds what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Points at the key instead of the value.
    pub(super) fn at_key(mut self) -> Diagnostic {
        self.aim = Aim::Key;
        self
    }

    /// Suggests the known word nearest to `given`, if one is near.
    fn help_from_nearest(self, given: &str, known: &[&str]) -> Diagnostic {
        match nearest(given, known) {
            Some(word) => self.help(format!("did you mean {}?", word.shown())),
            None => self,
        }
    }
}
