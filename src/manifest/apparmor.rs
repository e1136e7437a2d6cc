//! AppArmor's annotations of before Kubernetes 1.30, which an API server still makes fields of (pkg/registry/core/pod,
//! applyAppArmorVersionSkew): `container.apparmor.security.beta.kubernetes.io/CONTAINER: localhost/PROFILE`.

use k8s_openapi::api::core::v1;

/// Begins the key; a container's name follows.
pub(super) const PREFIX: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The profile that an annotation's value means; `None`: it means none, or nothing at all.
pub(super) fn profile(value: &str) -> Option<v1::AppArmorProfile> {
    let (type_, localhost) = match value {
        "runtime/default" => ("RuntimeDefault", None),
        "unconfined" => ("Unconfined", None),
        other => ("Localhost", Some(other.strip_prefix("localhost/").filter(|name| !name.is_empty())?.to_owned())),
    };
    Some(v1::AppArmorProfile { type_: type_.to_owned(), localhost_profile: localhost })
}

/// What the annotations say becomes the containers' own field, where that says nothing.
pub(super) fn apply(pod: &mut v1::Pod) {
    let Some(spec) = &mut pod.spec else { return };
    for (key, value) in pod.metadata.annotations.iter().flatten() {
        let Some((name, profile)) = key.strip_prefix(PREFIX).zip(profile(value)) else { continue };
        let mut all = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
        if let Some(container) = all.find(|container| container.name == name) {
            container.security_context.get_or_insert_default().app_armor_profile.get_or_insert(profile);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_kubelets() {
        let named = |name: &str| Some(("Localhost".to_owned(), Some(name.to_owned())));
        for (value, expected) in [
            ("runtime/default", Some(("RuntimeDefault".to_owned(), None))),
            ("unconfined", Some(("Unconfined".to_owned(), None))),
            ("localhost/a/b", named("a/b")),
            ("localhost/", None),
            ("mine", None),
            ("", None),
        ] {
            let found = profile(value).map(|profile| (profile.type_, profile.localhost_profile));
            assert_eq!(found, expected, "{value}");
        }
    }
}
