//! runtime
pub mod image;
