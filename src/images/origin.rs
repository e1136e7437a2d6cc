//! Where an image comes from: what pulls it asks for its documents and layers, whatever it is.

use std::error::Error;
use std::io::Read;

use super::digest::Digest;
use super::document::{Descriptor, Fetched, Layer};

/// A failure of the place that an image comes from, in its own words.
pub type OriginError = Box<dyn Error + Send + Sync>;

/// A signature that lies beside an image, as it came: nobody has verified it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// A text, and in base64 who has signed it.
    Simple { payload: Vec<u8>, signature: String, has_certificate: bool },
    /// A Sigstore bundle.
    Bundle(Vec<u8>),
}

/// How signatures are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Under a tag that names the digest.
    Tag,
    /// By what refers to the digest (OCI distribution spec, "Listing Referrers").
    Referrers,
}

/// A place that has one image. Several threads ask at the same time.
pub trait Origin: Sync {
    /// The digest of what the name stands for, where that can be told for less than the content costs; `None`: it can't.
    ///
    /// # Errors
    /// Where the content can't be had either.
    fn digest(&self) -> Result<Option<Digest>, OriginError> {
        Ok(None)
    }

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

    /// Signatures of the manifest or index of this digest. Only registries have some.
    ///
    /// # Errors
    /// Where they can't be had, though there may be some.
    fn signatures(&self, _of: &Digest, _scheme: Scheme) -> Result<Vec<Signature>, OriginError> {
        Ok(Vec::new())
    }
}
