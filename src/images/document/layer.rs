//! Layers, as a manifest names them.

use super::descriptor::Descriptor;
use super::error::DocumentError;
use super::media::OCI_LAYER;
use crate::images::digest::Digest;

/// How a layer's tar archive is packed, by its media type. Some lie: what unpacks it looks at the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A layer in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Of the packed layer: what a registry is asked for.
    pub digest: Digest,
    /// Bytes, packed.
    pub size: u64,
    pub media_type: String,
    pub packing: Packing,
    /// Where it may be had beside the registry; layers that may not be handed on are only there.
    pub urls: Vec<String>,
}

/// Media types of layers without what says how they are packed; those that may not be handed on come second.
const OCI: [&str; 2] = [OCI_LAYER, "application/vnd.oci.image.layer.nondistributable.v1.tar"];
const DOCKER: [&str; 2] =
    ["application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"];

fn packing(media_type: &str) -> Option<Packing> {
    let rest = |known: [&str; 2]| known.iter().find_map(|base| media_type.strip_prefix(base));
    let suffix = rest(OCI).or_else(|| rest(DOCKER))?;
    match suffix {
        "" => Some(Packing::Plain),
        "+gzip" | ".gzip" => Some(Packing::Gzip),
        "+zstd" | ".zstd" => Some(Packing::Zstd),
        _ => None,
    }
}

impl Layer {
    /// `number`: from 1 on, the lowest is the first.
    pub(super) fn of(descriptor: Descriptor, number: usize) -> Result<Self, DocumentError> {
        descriptor.check_size(&format!("layer {number}"))?;
        let size = descriptor.length();
        let Descriptor { media_type, digest, urls, .. } = descriptor;
        if media_type.ends_with("+encrypted") {
            return Err(DocumentError::Encrypted { number, media_type });
        }
        match packing(&media_type) {
            Some(packing) => Ok(Self { digest, size, media_type, packing, urls }),
            None => Err(DocumentError::LayerKind { number, media_type }),
        }
    }
}
