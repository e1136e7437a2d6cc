//! Descriptors: what one document says of a content that lies elsewhere (OCI image spec, "Content Descriptors").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::DocumentError;
use super::tolerant::{is_default, nullable, texts};
use crate::images::digest::Digest;
use crate::images::platform::Platform;

/// Its annotation that says whose name it is (OCI image spec, "Pre-Defined Annotation Keys").
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What is said of a content. It is also written so, into an image layout's index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default, deserialize_with = "nullable")]
    pub media_type: String,
    pub digest: Digest,
    /// Bytes; negative ones are refused where a document is read.
    pub size: i64,
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub urls: Vec<String>,
    #[serde(default, deserialize_with = "texts", skip_serializing_if = "is_default")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Of bytes that are at hand.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len().try_into().unwrap_or(i64::MAX),
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
        }
    }

    /// Bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.size.try_into().unwrap_or_default()
    }

    /// `what`: whose this is, for the error.
    pub(super) fn check_size(&self, what: &str) -> Result<(), DocumentError> {
        if self.size < 0 {
            return Err(DocumentError::NegativeSize { what: what.to_owned(), size: self.size });
        }
        Ok(())
    }

    /// Whether these bytes are what it describes; `what`: for the error.
    ///
    /// # Errors
    /// Where length or digest are others.
    pub fn verify(&self, what: &str, bytes: &[u8]) -> Result<(), DocumentError> {
        let found = bytes.len() as u64;
        if found != self.length() {
            return Err(DocumentError::Length { what: what.to_owned(), found, wanted: self.length() });
        }
        let found = Digest::by(self.digest.algorithm(), bytes);
        if found != self.digest {
            return Err(DocumentError::Digest { what: what.to_owned(), found, wanted: self.digest.clone() });
        }
        Ok(())
    }
}
