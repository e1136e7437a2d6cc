//! Security contexts: the container's own, and the pod's for what that doesn't say.

use k8s_openapi::api::core::v1;

use crate::plan::identity::PodContainer;

/// Whose security context says something.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Container,
    Pod,
}

impl Place {
    /// The path of a field of that context, as `container` comes by it.
    pub(crate) fn field(self, container: &PodContainer<'_>, name: &str) -> String {
        match self {
            Self::Container => format!("{}.securityContext.{name}", container.field()),
            Self::Pod => format!("spec.securityContext.{name}"),
        }
    }
}

/// What the container's own context says of something, else the pod's.
pub(crate) fn asked<'a, T>(
    container: &PodContainer<'a>,
    own: impl Fn(&'a v1::SecurityContext) -> Option<&'a T>,
    pods: impl Fn(&'a v1::PodSecurityContext) -> Option<&'a T>,
) -> Option<(Place, &'a T)> {
    let of_container = container.manifest.security_context.as_ref().and_then(own).map(|said| (Place::Container, said));
    of_container.or_else(|| container.pod.security_context.as_ref().and_then(pods).map(|said| (Place::Pod, said)))
}
