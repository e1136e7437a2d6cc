//! The rules.
use k8s_openapi::api::core::v1;

use super::diagnostic::Diagnostic;
use super::path::FieldPath;

/// All.
pub(super) fn validate(_pod: &v1::Pod, _broken: &[FieldPath]) -> Vec<Diagnostic> {
    Vec::new()
}
