//! The text as a tree: what YAML and JSON both are, each node with its place. Knows nothing of Pods.

use std::ops::Range;

use super::diagnostic::{Aim, Diagnostic, Location, MOST_DIAGNOSTICS};
use super::path::{FieldPath, PathStep};
use super::scalar::Scalar;

/// A value in the text.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// What it is.
    pub value: Value,
    /// Bytes of the text.
    pub span: Range<usize>,
}

/// The kinds of values.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Text, number, boolean or null.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values.
    Mapping(Mapping),
}

/// Keys and values, in the order of the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapping {
    /// Each key once.
    pub entries: Vec<Entry>,
    /// Keys that were given before: an error each.
    pub duplicates: Vec<Duplicate>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub key_span: Range<usize>,
    /// Its value.
    pub value: Node,
}

/// A key that was given again.
#[derive(Clone, Debug)]
pub(super) struct Duplicate {
    /// The key.
    pub key: String,
    /// Where it is given again.
    pub span: Range<usize>,
    /// Where it was given first.
    pub first: Range<usize>,
}

impl Mapping {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Node {
    /// How many nodes this is, with itself and everything in it.
    pub fn weight(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(scalar) => scalar.text.len() / 64,
            Value::Sequence(items) => items.iter().map(Node::weight).sum(),
            Value::Mapping(mapping) => mapping.entries.iter().map(|entry| entry.value.weight() + 1).sum::<usize>(),
        }
    }

    /// Forgets the keys that were given twice, anywhere below: what an alias copies was said already.
    pub fn forget_duplicates(&mut self) {
        match &mut self.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => items.iter_mut().for_each(Node::forget_duplicates),
            Value::Mapping(mapping) => {
                mapping.duplicates = Vec::new();
                mapping.entries.iter_mut().for_each(|entry| entry.value.forget_duplicates());
            }
        }
    }

    /// The entry of a key, where this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Mapping(mapping) => mapping.get(key),
            Value::Scalar(_) | Value::Sequence(_) => None,
        }
    }

    /// Whether it is null: as good as not there.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// Whether it says no more than that nothing is wanted: false, an empty text, an empty list, null.
    pub fn says_nothing(&self) -> bool {
        match &self.value {
            Value::Scalar(scalar) => scalar.is_null() || scalar.is_false() || scalar.text.is_empty(),
            Value::Sequence(items) => items.is_empty(),
            Value::Mapping(_) => false,
        }
    }

    /// Bytes to point at for the field, or for the innermost part of the path that is in the text.
    pub fn locate(&self, path: &FieldPath, aim: Aim) -> Range<usize> {
        let mut node = self;
        let mut key: Option<&Range<usize>> = None;
        let mut complete = true;
        for step in path.steps() {
            match (step, &node.value) {
                (PathStep::Name(name), Value::Mapping(mapping)) => match mapping.get(name) {
                    Some(entry) => (node, key) = (&entry.value, Some(&entry.key_span)),
                    None => complete = false,
                },
                (PathStep::Index(index), Value::Sequence(items)) => match items.get(index) {
                    Some(item) => (node, key) = (item, None),
                    None => complete = false,
                },
                (PathStep::Name(_) | PathStep::Index(_), _) => complete = false,
            }
            if !complete {
                break;
            }
        }
        let value_is_shown =
            complete && aim == Aim::Value && matches!(node.value, Value::Scalar(_)) && !node.span.is_empty();
        match (key, &node.value) {
            (Some(key), _) if !value_is_shown => key.clone(),
            (_, Value::Mapping(mapping)) => mapping.entries.first().map_or(node.span.clone(), |e| e.key_span.clone()),
            _ => node.span.clone(),
        }
    }

    /// An error for each key given twice, anywhere below.
    pub fn duplicates(&self, path: &mut FieldPath, text: &str, out: &mut Vec<Diagnostic>) {
        match &self.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push_index(index);
                    item.duplicates(path, text, out);
                    path.pop();
                }
            }
            Value::Mapping(mapping) => {
                for duplicate in mapping.duplicates.iter().take((MOST_DIAGNOSTICS + 1).saturating_sub(out.len())) {
                    let field = path.child(&duplicate.key);
                    let mut found = Diagnostic::error(&field, format!("duplicate field \"{field}\""))
                        .help(format!("it is given in line {} already", place(text, &duplicate.first).line));
                    found.location = Some(place(text, &duplicate.span));
                    out.push(found);
                }
                for entry in &mapping.entries {
                    path.push_field(&entry.key);
                    entry.value.duplicates(path, text, out);
                    path.pop();
                }
            }
        }
    }
}

/// The last place up to `at` where a character starts, or the text ends.
pub(super) fn boundary_before(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The first place from `at` on where a character starts, or the text ends.
pub(super) fn boundary_after(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// Line and column of a span, which is cut at the end of its first line.
pub(super) fn place(text: &str, span: &Range<usize>) -> Location {
    let start = boundary_before(text, span.start);
    let end = boundary_after(text, span.end.max(start));
    let end = text[start..end].find(['\n', '\r']).map_or(end, |at| start + at);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Location {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: text[line_start..start].chars().count() + 1,
        span: start..end,
    }
}
