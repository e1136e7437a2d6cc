//! Where cosign puts signatures beside an image: under a tag that names the digest, or as bundles that refer to it. What is here is only
//! fetched; nobody has verified it.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::Remote;
use crate::images::digest::Digest;
use crate::images::document::{OCI_INDEX, OCI_MANIFEST};
use crate::images::origin::{OriginError, Scheme, Signature};
use crate::images::registry::RegistryError;

const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// What the types of bundles of all versions begin with.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
/// Bytes of a signature, and how many are looked at.
const LARGEST: u64 = 1 << 20;
const MOST: usize = 50;

/// As much of a manifest or an index as is needed.
#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    layers: Vec<Part>,
    #[serde(default)]
    manifests: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: Option<String>,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Remote {
    pub(super) fn find_signatures(&self, of: &Digest, scheme: Scheme) -> Result<Vec<Signature>, OriginError> {
        match scheme {
            Scheme::Tag => self.under_the_tag(of),
            Scheme::Referrers => self.referrers(of),
        }
    }

    fn under_the_tag(&self, of: &Digest) -> Result<Vec<Signature>, OriginError> {
        let Some(found) = self.listing(&format!("{}.sig", tag(of)), &[OCI_MANIFEST])? else { return Ok(Vec::new()) };
        let mut signatures = Vec::new();
        for layer in found.layers.into_iter().filter(|layer| layer.media_type == SIMPLE).take(MOST) {
            let annotations = layer.annotations.clone().unwrap_or_default();
            let Some(signature) = annotations.get(SIGNATURE) else { continue };
            let has_certificate = annotations.contains_key(CERTIFICATE);
            signatures.push(Signature::Simple {
                payload: self.content(&layer)?,
                signature: signature.clone(),
                has_certificate,
            });
        }
        Ok(signatures)
    }

    /// By the registry's own list, or where it has none by the tag that stands for it.
    fn referrers(&self, of: &Digest) -> Result<Vec<Signature>, OriginError> {
        let list = match absent(self.client.referrers(self.repository()?, of))? {
            Some(bytes) => Some(serde_json::from_slice(&bytes)?),
            None => self.listing(&tag(of), &[OCI_INDEX])?,
        };
        let Listing { manifests, .. } = list.unwrap_or(Listing { layers: Vec::new(), manifests: Vec::new() });
        let mut signatures = Vec::new();
        let is_bundle = |kind: &str| kind.starts_with(BUNDLE);
        for one in manifests.iter().filter(|one| one.artifact_type.as_deref().is_none_or(is_bundle)).take(MOST) {
            let Some(found) = self.listing(&one.digest.to_string(), &[OCI_MANIFEST])? else { continue };
            for layer in found.layers.iter().filter(|layer| is_bundle(&layer.media_type)).take(1) {
                signatures.push(Signature::Bundle(self.content(layer)?));
            }
        }
        Ok(signatures)
    }

    /// A manifest or an index; `None`: the registry has none of this name.
    fn listing(&self, name: &str, accept: &[&str]) -> Result<Option<Listing>, OriginError> {
        let found = absent(self.client.manifest(self.repository()?, name, accept))?;
        Ok(found.map(|found| serde_json::from_slice(&found.bytes)).transpose()?)
    }

    fn content(&self, part: &Part) -> Result<Vec<u8>, OriginError> {
        if part.size > LARGEST {
            return Err(format!("{} has {} bytes; a signature has at most {LARGEST}", part.digest, part.size).into());
        }
        let mut bytes = Vec::new();
        let blob = self.client.blob(self.repository()?, &part.digest, part.size)?;
        blob.verified(part.digest.clone()).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// `sha256-HEX`.
fn tag(of: &Digest) -> String {
    format!("{}-{}", of.algorithm().name(), of.hex())
}

/// `None` where the registry is there and doesn't have it.
fn absent<T>(found: Result<T, RegistryError>) -> Result<Option<T>, RegistryError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}
