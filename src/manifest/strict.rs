//! Texts that are no manifests (a simulation's script), decoded as strictly and complained about in the same way.

use serde::Deserialize;

use super::diagnostic::Diagnostic;
use super::report::Report;
use super::settle::decode_text;
use super::wording::Wording;
use super::{FieldPath, de};

/// What a text is called, and what one that is empty should hold.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// `script`.
    pub noun: &'static str,
    /// What to write into an empty one.
    pub empty: &'static str,
}

/// Something that a value's type allows and its meaning doesn't.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which field.
    pub field: FieldPath,
    /// One line: `Invalid value: "soon": not a duration`.
    pub message: String,
    /// What to do, one line; empty where that is plain.
    pub help: String,
}

/// Decodes a text: unknown and duplicate keys and wrong types are errors, all of them at once. Structs must be
/// `#[serde(default)]`, and their enums strings that `check` looks at, so that the walk can go on after an error.
///
/// # Errors
/// Everything that is wrong with the text, `check`'s faults among it, in order of position. What `check` says about
/// fields that could not be read is left out.
pub fn decode_strictly<T: Deserialize<'static> + Default>(
    name: &str,
    bytes: &[u8],
    kind: Kind,
    check: impl FnOnce(&T) -> Vec<Fault>,
) -> Result<T, Report> {
    let wording = Wording {
        noun: kind.noun,
        second: "a second document: there can be only one",
        second_help: "put each into a file of its own",
        empty_help: kind.empty,
    };
    let (value, _) = decode_text(name, bytes, wording, |tree| {
        let read = de::from_tree::<T>(tree);
        let mut found = read.found;
        for fault in check(&read.value) {
            if !read.broken.iter().any(|broken| broken.holds(&fault.field) || fault.field.holds(broken)) {
                let diagnostic = Diagnostic::error(&fault.field, fault.message);
                found.push(if fault.help.is_empty() { diagnostic } else { diagnostic.help(fault.help) });
            }
        }
        (read.value, found)
    })?;
    Ok(value)
}

/// The word of `known` nearest to `given`, where it is near enough to be what was meant.
pub fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    super::words::nearest(given, known)
}
