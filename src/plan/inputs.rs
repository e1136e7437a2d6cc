//! What the config of one attempt of one container is made of.

use barepod_engine::event::CreateFailure;
use k8s_openapi::api::core::v1;
use oci_spec::runtime::{LinuxIdMapping, LinuxIdMappingBuilder};

use crate::manifest::Objects;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::facts::{IdRange, ImageFacts, NodeFacts, SandboxFacts};
use crate::plan::identity::PodContainer;
use crate::plan::sandbox::SandboxPlan;

/// All that a container's config depends on, whichever part of it is worked out.
pub(crate) struct Inputs<'a> {
    pub(crate) pod: &'a v1::Pod,
    pub(crate) container: PodContainer<'a>,
    pub(crate) objects: &'a Objects,
    pub(crate) sandbox_plan: &'a SandboxPlan,
    pub(crate) node: &'a NodeFacts,
    pub(crate) image: &'a ImageFacts,
    pub(crate) sandbox: &'a SandboxFacts,
}

impl<'a> Inputs<'a> {
    /// The pod's spec.
    pub(crate) fn spec(&self) -> &'a v1::PodSpec {
        self.container.pod
    }

    /// Something that can't be worked out from the manifest: `CreateContainerConfigError`.
    pub(crate) fn config_error(&self, field: impl Into<String>, cause: ConfigCause) -> ConfigError {
        self.error(CreateFailure::Config, field, cause)
    }

    /// Something about the bundle: `CreateContainerError`. The field is one of its config.json.
    pub(crate) fn create_error(&self, field: &str, cause: ConfigCause) -> ConfigError {
        self.error(CreateFailure::Create, format!("{}: {field}", self.image.id), cause)
    }

    /// Something that the manifest names and the runtime would not find or understand: `CreateContainerError`.
    pub(crate) fn manifest_error(&self, field: &str, cause: ConfigCause) -> ConfigError {
        self.error(CreateFailure::Create, field, cause)
    }

    fn error(&self, failure: CreateFailure, field: impl Into<String>, cause: ConfigCause) -> ConfigError {
        ConfigError { failure, container: self.container.name().to_owned(), field: field.into(), cause }
    }

    /// The container's own security context, or an empty one.
    pub(crate) fn context(&self) -> v1::SecurityContext {
        self.container.manifest.security_context.clone().unwrap_or_default()
    }

    /// The pod's security context, or an empty one.
    pub(crate) fn pod_context(&self) -> v1::PodSecurityContext {
        self.spec().security_context.clone().unwrap_or_default()
    }

    pub(crate) fn privileged(&self) -> bool {
        self.container.is_privileged()
    }

    /// How the pod's user namespace maps users, and groups alike; `None`: they are the host's.
    pub(crate) fn id_mappings(&self) -> Option<Vec<LinuxIdMapping>> {
        let IdRange { first, length } = self.sandbox.users.as_ref()?.ids;
        let mapping = LinuxIdMappingBuilder::default().container_id(0_u32).host_id(first).size(length).build();
        Some(vec![mapping.expect("three numbers make a mapping")])
    }
}
