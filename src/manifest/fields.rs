//! The fate of every field of the Pod API, and of a Job's: honoured, refused or accepted with a warning. The tables in here are the
//! one place that decides it; `docs/fields.md` is made from them, and a test walks k8s-openapi's types to prove that
//! no field has been forgotten. To start honouring a field, change its row (and then do what it says).
//!
//! A fate goes by the field's type (`Container`) and name (`tty`). Fields of a type that is reached only through
//! refused or warned fields share the fate of what they are in and have no row.

mod container;
mod explain;
mod handlers;
mod job;
mod metadata;
mod pod;
mod security;
mod volume;

pub use explain::{Below, Explained, Explanation, explain};

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It does what Kubernetes says it does.
    Honoured,
    /// Honoured, but not for all values: what the exceptions are. `validate::supported` refuses them.
    Partly(&'static str),
    /// An error, because the pod would behave otherwise than it says.
    Refused {
        /// What isn't there.
        why: &'static str,
        /// What to do instead.
        help: &'static str,
    },
    /// Accepted with a warning: it has no meaning on one box.
    Warned(&'static str),
    /// Like `Warned`, and what it holds isn't even decoded: it is the API server's own.
    Skipped(&'static str),
}

impl Fate {
    /// In a word, and why; empty where that is plain.
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Honoured => ("honoured", String::new()),
            Self::Partly(note) => ("in part", (*note).to_owned()),
            Self::Refused { why, help } => ("refused", format!("{why}; {help}")),
            Self::Warned(why) | Self::Skipped(why) => ("warning", (*why).to_owned()),
        }
    }
}

/// A type's fields, in the order of the API.
type Table = (&'static str, &'static [(&'static str, Fate)]);

/// All tables, in the order of the documentation.
const TABLES: &[&[Table]] = &[
    metadata::TABLES,
    pod::TABLES,
    container::TABLES,
    handlers::TABLES,
    volume::TABLES,
    security::TABLES,
    job::TABLES,
];

/// A refused field that will come.
const fn later(why: &'static str) -> Fate {
    Fate::Refused { why, help: "leave it out for now; docs/fields.md lists what works" }
}

/// A refused field with something to do instead.
const fn refused(why: &'static str, help: &'static str) -> Fate {
    Fate::Refused { why, help }
}

/// The fate of a field of a type; `None` where it shares that of what it is in.
pub(super) fn fate(type_name: &str, field: &str) -> Option<&'static Fate> {
    let (_, fields) = TABLES.iter().copied().flatten().find(|(name, _)| *name == type_name)?;
    fields.iter().find(|(name, _)| *name == field).map(|(_, fate)| fate)
}

#[cfg(test)]
mod tests;
