//! Security contexts: the container's own, and the pod's for what that doesn't say.

use k8s_openapi::api::core::v1;

/// Whose security context says something.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Container,
    Pod,
}

impl Place {
    /// The path of a field of that context; `container` is the container's.
    pub(crate) fn field(self, container: &str, name: &str) -> String {
        let of = match self {
            Self::Container => container,
            Self::Pod => "spec",
        };
        format!("{of}.securityContext.{name}")
    }
}

/// What the container's own context says of something, else the pod's.
pub(crate) fn asked<'a, T>(
    spec: &'a v1::PodSpec,
    container: &'a v1::Container,
    own: impl Fn(&'a v1::SecurityContext) -> Option<&'a T>,
    pods: impl Fn(&'a v1::PodSecurityContext) -> Option<&'a T>,
) -> Option<(Place, &'a T)> {
    let of_container = container.security_context.as_ref().and_then(own).map(|said| (Place::Container, said));
    of_container.or_else(|| spec.security_context.as_ref().and_then(pods).map(|said| (Place::Pod, said)))
}
