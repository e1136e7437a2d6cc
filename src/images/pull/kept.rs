//! Documents of an image that is in the store, as if they came from somewhere.

use std::io::Read;

use crate::images::catalogue::Catalogue;
use crate::images::digest::Digest;
use crate::images::document::{Descriptor, Fetched, Layer};
use crate::images::origin::{Origin, OriginError};

/// What was pulled once.
pub(super) struct Kept<'a> {
    pub catalogue: &'a Catalogue,
    /// What the name stood for.
    pub source: &'a Digest,
}

impl Kept<'_> {
    fn get(&self, digest: &Digest) -> Result<Vec<u8>, OriginError> {
        let found = self.catalogue.blob(digest)?;
        found.ok_or_else(|| format!("{digest} is not in the store").into())
    }
}

impl Origin for Kept<'_> {
    fn top(&self) -> Result<Fetched, OriginError> {
        Ok(Fetched { bytes: self.get(self.source)?, media_type: None })
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OriginError> {
        self.get(&descriptor.digest)
    }

    fn layer<'a>(&'a self, layer: &Layer) -> Result<Box<dyn Read + Send + 'a>, OriginError> {
        Err(format!("{}: the store keeps no packed layers", layer.digest).into())
    }
}
