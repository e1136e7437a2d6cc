//! Where a walk through a tree is and what it has found: values that couldn't be read, keys that no field has, fates of
//! fields.

use serde::de;

use super::super::diagnostic::{Diagnostic, MOST_DIAGNOSTICS};
use super::super::fields::{self, Fate};
use super::super::path::FieldPath;
use super::super::tree::Entry;
use super::super::words::nearest;

/// Where the walk is and what it found.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) path: FieldPath,
    pub(super) found: Vec<Diagnostic>,
    pub(super) broken: Vec<FieldPath>,
    /// Of a tree that barepod has written itself: only types are looked at.
    pub(super) own: bool,
    /// Above 0 below a field whose fate was told already.
    pub(super) quiet: usize,
}

impl Walk {
    /// Reports a value that couldn't be read.
    pub(super) fn fail(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() {
            self.broken.push(diagnostic.field.clone());
            self.found.push(diagnostic);
        }
    }

    /// Whether enough was said.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() > MOST_DIAGNOSTICS
    }

    /// Reports a key that no field has.
    pub(super) fn unknown(&mut self, key: &str, fields: &[&'static str]) {
        if self.own || self.is_full() {
            return;
        }
        let field = self.path.child(key);
        let diagnostic = Diagnostic::error(&field, format!("unknown field \"{field}\"")).at_key();
        let diagnostic = match nearest(key, fields) {
            Some(known) => {
                // What was meant is given, if misspelt: that it is missing needn't be said.
                self.broken.push(self.path.child(known));
                diagnostic.help(format!("did you mean {known}?"))
            }
            None if fields.len() <= 16 => diagnostic.help(format!("known here: {}", fields.join(", "))),
            None => diagnostic.help("there is no field of this name here: docs/fields.md lists all"),
        };
        self.fail(diagnostic);
    }

    /// Tells the fate of a field of the struct `name` where it isn't simply honoured.
    pub(super) fn tell_fate(&mut self, name: &str, entry: &Entry) -> Reported {
        if self.own || self.quiet > 0 || self.is_full() || entry.value.says_nothing() {
            return Reported::Nothing;
        }
        let field = self.path.child(&entry.key);
        match fields::fate(name, &entry.key) {
            None | Some(Fate::Honoured | Fate::Partly(_)) => Reported::Nothing,
            Some(Fate::Refused { why, help }) => {
                self.found.push(Diagnostic::forbidden(&field, why).help(*help));
                Reported::Fate
            }
            Some(Fate::Warned(why)) => {
                self.found.push(Diagnostic::no_effect(&field, format!("{} has no effect: {why}", entry.key)));
                Reported::Fate
            }
            Some(Fate::Skipped(why)) => {
                self.found.push(Diagnostic::no_effect(&field, format!("{} is not read: {why}", entry.key)));
                Reported::Skip
            }
        }
    }
}

/// Whether a field's fate was told, so that those of the fields in it needn't be.
#[derive(PartialEq, Eq)]
pub(super) enum Reported {
    Nothing,
    Fate,
    Skip,
}

/// The error that ends a walk: what a type refused although it got what it had asked for.
#[derive(Debug)]
pub(super) struct Stop(pub(super) String);

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: std::fmt::Display>(message: T) -> Stop {
        Stop(message.to_string())
    }
}
