//! Which containers a pod has.

use barepod_engine::spec::Kind;
use k8s_openapi::api::core::v1;

use crate::manifest::FieldPath;

/// All entries of `initContainers`, then all of `containers`, with their field paths: the engine's order of containers.
pub(crate) fn containers(spec: &v1::PodSpec) -> impl Iterator<Item = (String, Kind, &v1::Container)> {
    let inits = spec.init_containers.iter().flatten().enumerate();
    let mains = spec.containers.iter().enumerate();
    inits
        .map(|(at, container)| (format!("spec.initContainers[{at}]"), init_kind(container), container))
        .chain(mains.map(|(at, container)| (format!("spec.containers[{at}]"), Kind::Main, container)))
}

/// As [`containers`], with paths that can be looked up in a manifest's text.
pub(crate) fn containers_at(spec: &v1::PodSpec) -> impl Iterator<Item = (FieldPath, &v1::Container)> {
    let list = |name: &str| FieldPath::root().child("spec").child(name);
    let (inits, mains) = (list("initContainers"), list("containers"));
    let inits = spec.init_containers.iter().flatten().enumerate().map(move |(at, one)| (inits.index(at), one));
    let mains = spec.containers.iter().enumerate().map(move |(at, one)| (mains.index(at), one));
    inits.chain(mains)
}

/// KEP-753: `restartPolicy: Always` makes an entry of `initContainers` a sidecar.
#[must_use]
pub fn init_kind(container: &v1::Container) -> Kind {
    match container.restart_policy.as_deref() {
        Some("Always") => Kind::Sidecar,
        _ => Kind::Init,
    }
}

/// `name_namespace(uid)`, as the kubelet names a pod in messages.
pub(crate) fn full_name(pod: &v1::Pod) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    format!("{}_{namespace}({})", text(&pod.metadata.name), text(&pod.metadata.uid))
}
