//! Which images may be used: policy.json (containers-policy.json(5)), as podman, skopeo and CRI-O read it, and signatures of cosign
//! by keys. All of it is verified here, without asking anybody but the registry for the signatures.
//!
//! A box without such a file accepts everything, as docker and containerd do. What a requirement needs that isn't known here
//! (GPG, certificates, transparency logs, keys that can't be read) refuses the images that it is about, and no others.
//!
//! What was proven when an image was pulled is remembered with its name ([`Proof`]), so that a box that is offline can start it, and
//! a policy that has become stricter is heeded by images that were there before.

mod bundle;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod changed;
mod check;
mod error;
mod file;
mod identity;
mod key;
mod policy;
mod requirement;
mod simple;
mod strict;
mod subject;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests;

pub use check::Proof;
pub use error::TrustError;
pub use policy::{Policy, files};
pub use requirement::Rules;
pub use subject::Subject;
