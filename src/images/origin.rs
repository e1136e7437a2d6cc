//! Where an image comes from: what pulls it asks for its documents and layers, whatever it is.

use std::error::Error;
use std::io::Read;

use super::document::{Descriptor, Layer};

/// A failure of the place that an image comes from, in its own words.
pub type OriginError = Box<dyn Error + Send + Sync>;

/// A document as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub bytes: Vec<u8>,
    /// The media type that came with it, where one did.
    pub media_type: Option<String>,
}

/// A place that has one image. Several threads ask at the same time.
pub trait Origin: Sync {
    /// What the name stands for: an index or a manifest. Where the name has a digest, it has been compared.
    ///
    /// # Errors
    /// Where it can't be had.
    fn top(&self) -> Result<Fetched, OriginError>;

    /// A document that another one describes. It is compared by who asks.
    ///
    /// # Errors
    /// Where it can't be had.
    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OriginError>;

    /// A layer as it is packed there. It is compared by who asks.
    ///
    /// # Errors
    /// Where it can't be had.
    fn layer<'a>(&'a self, layer: &Layer) -> Result<Box<dyn Read + Send + 'a>, OriginError>;
}
