//! What the rules have found, and what they may look at.

use std::collections::BTreeSet;

use super::super::diagnostic::{Diagnostic, MOST_DIAGNOSTICS};
use super::super::objects::Objects;
use super::super::path::FieldPath;

/// What a pod can refer to.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// ConfigMaps and Secrets.
    pub objects: &'a Objects,
    /// PersistentVolumeClaims with a place on this box.
    pub claims: &'a BTreeSet<String>,
}

/// What the rules found so far.
pub struct Check<'a> {
    pub found: Vec<Diagnostic>,
    pub broken: &'a [FieldPath],
    /// The pod's, or its default.
    pub namespace: &'a str,
    /// `None`: references are not followed.
    pub known: Option<Known<'a>>,
}

impl Check<'_> {
    /// Notes a finding, unless it is about a field that couldn't be read.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() && !self.is_broken(&diagnostic.field) {
            self.found.push(diagnostic);
        }
    }

    /// Whether enough was found: what costs time to say needn't be worked out any more.
    pub fn is_full(&self) -> bool {
        self.found.len() > MOST_DIAGNOSTICS
    }

    /// Notes findings about one value.
    pub fn invalid(&mut self, field: &FieldPath, value: &str, details: &[String]) {
        for detail in details {
            self.report(Diagnostic::invalid(field, value, detail));
        }
    }

    /// Whether the field, or what it is in, isn't what was meant.
    pub fn is_broken(&self, field: &FieldPath) -> bool {
        self.broken.iter().any(|broken| broken.holds(field))
    }

    /// Whether something in the field isn't what was meant, so that what is missing in it may be there.
    pub fn is_uncertain(&self, field: &FieldPath) -> bool {
        self.broken.iter().any(|broken| broken.holds(field) || field.holds(broken))
    }

    /// `Unsupported value`, where a text is none of a list; an absent or empty text is fine.
    pub fn one_of(&mut self, field: &FieldPath, value: Option<&String>, supported: &[&str]) {
        if let Some(value) = value
            && !supported.contains(&value.as_str())
        {
            self.report(Diagnostic::unsupported(field, value, supported));
        }
    }

    /// `Invalid value: -1: must be greater than or equal to 0`.
    pub fn not_negative(&mut self, field: &FieldPath, value: Option<i64>) {
        if let Some(value) = value.filter(|value| *value < 0) {
            self.report(Diagnostic::invalid(field, value, "must be greater than or equal to 0"));
        }
    }
}

/// The items of a list that may be absent, each with its path.
pub fn each<'a, T>(list: Option<&'a Vec<T>>, path: &'a FieldPath) -> impl Iterator<Item = (FieldPath, &'a T)> {
    list.into_iter().flatten().enumerate().map(|(index, item)| (path.index(index), item))
}
