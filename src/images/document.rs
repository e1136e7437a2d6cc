//! What describes an image: indexes, manifests and configs, of the OCI and of Docker (schema 2), read from bytes that nobody
//! vouches for. What can't be a container's file system is refused with words.
//!
//! The types are ours: those of oci-spec stumble over what is out there (null for an empty list, a command that is one
//! string), and keep a digest that nobody has looked at.

mod config;
mod descriptor;
mod error;
mod index;
mod layer;
mod limits;
mod manifest;
mod media;
mod tolerant;

pub use config::{Config, History, Process};
pub use descriptor::{Descriptor, REF_NAME};
pub use error::DocumentError;
pub use index::Index;
pub use layer::{Layer, Packing};
pub use limits::{LARGEST_CONFIG, LARGEST_MANIFEST, MOST_LAYERS};
pub use manifest::Manifest;
pub use media::{ACCEPTED, Kind, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST};

/// A document as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub bytes: Vec<u8>,
    /// The media type that came with it, where one did.
    pub media_type: Option<String>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one is held at a time")]
pub enum Document {
    /// Several images, of which the platform chooses one.
    Index(Index),
    /// One image.
    Manifest(Manifest),
}

impl Document {
    /// Reads an index or a manifest; `said`: the media type that came with it, where one did.
    ///
    /// # Errors
    /// Where it is neither, or no container can be made of it.
    pub fn read(bytes: &[u8], said: Option<&str>) -> Result<Self, DocumentError> {
        match Kind::of(bytes, said)? {
            Kind::Index => Index::read(bytes).map(Self::Index),
            Kind::Manifest => Manifest::read(bytes).map(Self::Manifest),
        }
    }
}

#[cfg(test)]
mod tests;
