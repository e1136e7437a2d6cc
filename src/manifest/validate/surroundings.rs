//! What a container's rules have to know of its pod.

use k8s_openapi::api::core::v1;

use super::super::path::FieldPath;

/// What a container's rules have to know of its pod.
pub(super) struct Surroundings<'a> {
    /// The pod's spec.
    pub spec: &'a v1::PodSpec,
    /// Where the spec is.
    pub path: &'a FieldPath,
}

impl Surroundings<'_> {
    /// terminationGracePeriodSeconds or its default.
    pub fn grace(&self) -> i64 {
        self.spec.termination_grace_period_seconds.unwrap_or(30)
    }

    /// Inits and mains.
    pub fn containers(&self) -> impl Iterator<Item = &v1::Container> {
        self.spec.init_containers.iter().flatten().chain(&self.spec.containers)
    }
}
