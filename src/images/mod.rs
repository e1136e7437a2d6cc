//! OCI images: where they come from, and the store in which all pods of the box have them. Knows no pod.
//!
//! From the lowest submodule to the highest, with what each may use (tests/tidy/layers.rs):
//!
//! | submodule | makes | may use |
//! |---|---|---|
//! | `digest` | digests of contents, checked while these are read | |
pub mod digest;
