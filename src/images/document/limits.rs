//! How much of an image's description is read.

use super::error::DocumentError;

/// The most that a manifest or an index may have, as registries have it too.
pub const LARGEST_MANIFEST: u64 = 4 << 20;
/// The most that an image's config may have: long histories are in it.
pub const LARGEST_CONFIG: u64 = 8 << 20;
/// The most layers that an image may have: the kernel stacks 500 in an overlay.
pub const MOST_LAYERS: usize = 500;

pub fn check(what: &'static str, bytes: &[u8], limit: u64) -> Result<(), DocumentError> {
    let size = bytes.len() as u64;
    if size > limit { Err(DocumentError::Size { what, size, limit }) } else { Ok(()) }
}
