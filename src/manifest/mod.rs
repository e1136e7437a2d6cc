//! Turns text into a checked `v1::Pod`: decodes YAML and JSON strictly, applies the API server's rules, and says what becomes of
//! fields that one box can't honour. All errors of a file are reported at once, each with file, line, column, field path and what
//! to do.
//!
//! This module opens no file, doesn't look at the box, and fills in no default by itself: whoever wants the API server's
//! defaults calls [`apply_defaults`].
//!
//! Start reading at [`read_all`]: texts of Pods and of what stands beside them (`reading`, `documents`, `kinds`). `parse` turns text into a tree that knows its places in the text (`tree`, `scalar`). `de` turns the
//! tree into a Pod, and reports the fields that `fields` refuses or warns of. `validate` checks the Pod against the rules.

mod apparmor;
mod de;
mod decode;
mod defaults;
mod diagnostic;
mod documents;
mod ephemeral;
mod exported;
mod fields;
mod generate;
mod image;
mod job;
mod kinds;
mod objects;
mod parse;
mod path;
pub mod quantity;
mod reading;
mod render;
mod report;
mod scalar;
mod selector;
mod settle;
mod stored;
mod strict;
mod template;
mod text;
mod tree;
mod validate;
mod wording;
mod words;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1;

pub use decode::{decode, decode_beside, decode_objects, refuse};
pub use defaults::{apply_defaults, apply_ephemeral_defaults};
pub use generate::generate_name;
pub use image::{FileKind, ImageName, NoImageName};
pub use job::apply_job_defaults;
pub use stored::from_json;
pub use template::{indexes, pod_of, template};

/// One line about all fields that mean nothing here; `None`: there are none.
#[must_use]
pub fn without_effect(name: &str, warnings: &[Diagnostic]) -> Option<String> {
    let fields = warnings.iter().filter(|warning| warning.severity == Severity::NoEffect);
    let mut fields: Vec<String> = fields.map(|warning| warning.field.to_string()).collect();
    // Of several Pods.
    let mut seen = BTreeSet::new();
    fields.retain(|field| seen.insert(field.clone()));
    let (what, why) = match fields.len() {
        0 => return None,
        1 => ("this field has", "why"),
        _ => ("these fields have", "why each"),
    };
    let name = words::escaped(name);
    Some(format!("{name}: {what} no effect on one box: {} (run --verbose says {why})", fields.join(", ")))
}

/// The text of a manifest's bytes, as far as it can be shown: what places in it are places of.
#[must_use]
pub fn shown_text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    text::lossy(bytes)
}

/// Whether a pod may be called `name`.
///
/// # Errors
/// The API server's words for each rule that it breaks.
pub fn check_name(name: &str) -> Result<(), String> {
    let broken = validate::pod_name(name);
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
}

/// Whether a pod that runs may have this ephemeral container as well, by the API server's rules (R1.11). What has no effect is no
/// fault.
///
/// # Errors
/// What is wrong with it, each with its field.
pub fn check_ephemeral(new: &v1::EphemeralContainer, pod: &v1::Pod) -> Result<(), Vec<String>> {
    let found = validate::of_ephemeral(new, pod);
    let faults = found.iter().filter(|one| one.severity == Severity::Error);
    let faults: Vec<String> = faults.map(|one| format!("{}: {}", one.field, one.message)).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
pub use diagnostic::{Diagnostic, Location, Severity};
pub use ephemeral::as_container;
pub use fields::{Below, Explained, Explanation, explain};
pub use objects::{Content, Object, ObjectKind, Objects};
pub use path::FieldPath;
pub use reading::{Described, DescribedJob, Jobs, Manifests, Meaningless, Reading, Text, WithoutPods, read_all};
pub use render::{Colour, render};
pub use report::Report;
pub use selector::Selector;
pub use strict::{Fault, Kind, decode_strictly, nearest};
pub use text::MOST_BYTES;

/// What a Pod may refer to outside of its manifest.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// ConfigMaps and Secrets.
    pub objects: Objects,
    /// PersistentVolumeClaims that have a place on this box.
    pub claims: BTreeSet<String>,
}

/// What is wrong with a manifest and was found out by whoever may look at the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub field: FieldPath,
    /// What.
    pub wrong: Wrong,
    /// What to do, unless that is said already.
    pub help: Option<String>,
}

/// See [`Finding`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The field names something that isn't there.
    Absent {
        /// What is written there.
        value: String,
    },
    /// The field names something that is no good.
    Unusable {
        /// What is written there.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// The field is missing.
    Missing {
        /// Why it has to be there.
        why: String,
    },
}

/// A Pod that passed every check.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// As written: nothing is defaulted.
    pub pod: v1::Pod,
    /// The ConfigMaps and Secrets of its text, and those that were given beside it.
    pub objects: Objects,
    /// What has no effect here, in order of position.
    pub warnings: Vec<Diagnostic>,
}

#[cfg(test)]
mod tests;
