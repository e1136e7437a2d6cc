//! v1 Pod + facts -> what to make.
mod types;
pub use types::*;
