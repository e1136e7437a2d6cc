//! Why an image isn't trusted.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::images::origin::OriginError;

/// Why a signature by a certificate is none here.
pub(super) const KEYLESS: &str =
    "a keyless signature (by a certificate), which is not supported; sign with a key (cosign sign --key)";
/// Why an image isn't trusted. The text names the policy's file, and where in it is what was not met.
#[derive(Debug, Error)]
pub enum TrustError {
    #[error("policy {}: {cause}", .path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("policy {}: {place}: {fault}", .path.display())]
    Policy { path: PathBuf, place: String, fault: String },
    #[error("policy {}: {place} rejects it", .path.display())]
    Rejected { path: PathBuf, place: String },
    #[error("policy {}: {place} wants a signature, and images in files have none that are looked at", .path.display())]
    NoRegistry { path: PathBuf, place: String },
    #[error("policy {}: {place} wants a signature: {}", .path.display(), .faults.join("; "))]
    Unsigned { path: PathBuf, place: String, faults: Vec<String> },
    /// What came from the registry instead of a signature.
    #[error("its signatures: {0}")]
    Origin(OriginError),
}
