//! Field paths as the API server writes them: `spec.initContainers[1].restartPolicy`, `metadata.labels[app]`.

use std::fmt;

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// A field of a struct, or a key of a map: both are keys of a mapping in the text.
    Field(String),
    /// A key of a map, written in brackets.
    Key(String),
    /// An item of a list.
    Index(usize),
}

/// Where in the Pod a thing is. The empty path is the whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldPath(Vec<Step>);

impl FieldPath {
    /// The whole document.
    #[must_use]
    pub fn root() -> FieldPath {
        FieldPath::default()
    }

    /// The path of a field of what this path names; `name` may hold several steps, separated by dots.
    #[must_use]
    pub fn child(&self, name: &str) -> FieldPath {
        let mut path = self.clone();
        path.0.extend(name.split('.').map(|step| Step::Field(step.to_owned())));
        path
    }

    /// The path of an item of the list this path names.
    #[must_use]
    pub fn index(&self, index: usize) -> FieldPath {
        let mut path = self.clone();
        path.0.push(Step::Index(index));
        path
    }

    /// The path of an entry of the map this path names.
    #[must_use]
    pub fn key(&self, key: &str) -> FieldPath {
        let mut path = self.clone();
        path.0.push(Step::Key(key.to_owned()));
        path
    }

    /// The path of what `inner` names in what this path names.
    #[must_use]
    pub fn join(&self, inner: &FieldPath) -> FieldPath {
        FieldPath(self.0.iter().chain(&inner.0).cloned().collect())
    }

    /// `inner`, where this is its way to something in what `self` names.
    #[must_use]
    pub(super) fn inner(&self, whole: &FieldPath) -> Option<FieldPath> {
        self.holds(whole).then(|| FieldPath(whole.0[self.0.len()..].to_vec()))
    }

    /// The path of what this path's last step is in.
    #[must_use]
    pub fn parent(&self) -> FieldPath {
        FieldPath(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// The last step's name where it is a field or a key.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        match self.0.last()? {
            Step::Field(name) | Step::Key(name) => Some(name),
            Step::Index(_) => None,
        }
    }

    /// Whether this path names `other` or something that `other` is part of.
    #[must_use]
    pub fn holds(&self, other: &FieldPath) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.same_place(b))
    }

    /// The steps in order, for walking a tree.
    pub(super) fn steps(&self) -> impl Iterator<Item = PathStep<'_>> {
        self.0.iter().map(|step| match step {
            Step::Field(name) | Step::Key(name) => PathStep::Name(name),
            Step::Index(index) => PathStep::Index(*index),
        })
    }

    /// Adds a step in place; undone by [`FieldPath::pop`].
    pub(super) fn push_field(&mut self, name: &str) {
        self.0.push(Step::Field(name.to_owned()));
    }

    /// Adds a step in place; undone by [`FieldPath::pop`].
    pub(super) fn push_key(&mut self, key: &str) {
        self.0.push(Step::Key(key.to_owned()));
    }

    /// Adds a step in place; undone by [`FieldPath::pop`].
    pub(super) fn push_index(&mut self, index: usize) {
        self.0.push(Step::Index(index));
    }

    /// Takes the last step away.
    pub(super) fn pop(&mut self) {
        self.0.pop();
    }
}

/// A step as a tree of text knows it.
pub(super) enum PathStep<'a> {
    /// A key of a mapping.
    Name(&'a str),
    /// An item of a sequence.
    Index(usize),
}

impl Step {
    /// Equal but for how the key is written.
    fn same_place(&self, other: &Step) -> bool {
        match (self, other) {
            (Step::Index(a), Step::Index(b)) => a == b,
            (Step::Field(a) | Step::Key(a), Step::Field(b) | Step::Key(b)) => a == b,
            (Step::Index(_), _) | (_, Step::Index(_)) => false,
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if position == 0 => write!(f, "{}", super::words::escaped(name))?,
                Step::Field(name) => write!(f, ".{}", super::words::escaped(name))?,
                Step::Key(key) => write!(f, "[{}]", super::words::escaped(key))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_the_api_server_writes_them() {
        let container = FieldPath::root().child("spec.initContainers").index(1);
        assert_eq!(container.child("restartPolicy").to_string(), "spec.initContainers[1].restartPolicy");
        assert_eq!(FieldPath::root().child("metadata.labels").key("app.io/x").to_string(), "metadata.labels[app.io/x]");
        assert_eq!(FieldPath::root().to_string(), "");
        assert_eq!(container.child("image").parent(), container);
        assert_eq!(FieldPath::root().parent(), FieldPath::root());
    }

    #[test]
    fn a_path_holds_itself_and_what_is_below() {
        let volumes = FieldPath::root().child("spec.volumes");
        assert!(volumes.holds(&volumes));
        assert!(volumes.holds(&volumes.index(0).child("name")));
        assert!(!volumes.index(0).holds(&volumes));
        assert!(volumes.child("a").holds(&volumes.key("a")));
    }
}
