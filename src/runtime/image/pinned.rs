//! Which names of images say exactly what they stand for: those with a digest.

use super::ImageError;
use crate::images::reference::Reference;
use crate::images::remote::full_name;
use crate::images::store::{Place, Store};
use crate::plan::{ImageSource, Stored};

/// A name in a registry without a digest: it may be another image tomorrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpinned {
    /// The name with the digest of what the store has under it.
    there: Option<String>,
    /// The name as it was given.
    name: String,
}

impl Unpinned {
    /// What is wrong with it.
    pub const WHY: &'static str = "it has no digest, and --require-digest asks for one";

    /// What to do.
    #[must_use]
    pub fn help(&self) -> String {
        match &self.there {
            Some(there) => format!("what this box has now under that name is {there}"),
            None => format!(
                "write NAME@sha256:DIGEST; `barepod image pull {0}` and `barepod image inspect {0}` tell which the name has now",
                self.name
            ),
        }
    }
}

/// What a name lacks that is to have a digest; `None`: it has one, or names no image in a registry: files and folders are what the box has.
/// `store`: where images are.
///
/// # Errors
/// Where it is no name.
pub fn unpinned(source: &ImageSource, store: &Place) -> Result<Option<Unpinned>, ImageError> {
    let ImageSource::Stored(Stored::Registry(name)) = source else { return Ok(None) };
    let whole: Reference = full_name(name).map_err(|cause| ImageError::Name { image: name.clone(), cause })?;
    if whole.digest().is_some() {
        return Ok(None);
    }
    // Where the store can't be read nothing is known.
    let entry = Store::of(store).catalogue.find(&whole.to_string()).ok().flatten();
    let there = entry.map(|entry| whole.at(entry.source).to_string());
    Ok(Some(Unpinned { there, name: name.clone() }))
}
