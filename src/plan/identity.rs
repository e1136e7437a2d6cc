//! Which containers a pod has. A manifest's two lists of containers are walked here alone, and a container is found by its
//! number here alone; everybody else gets a [`PodContainer`].

use barepod_engine::spec::{ContainerIndex, Kind};
use k8s_openapi::api::core::v1;

use crate::manifest::FieldPath;

/// A container as the manifest of its pod has it.
#[derive(Clone, Copy, Debug)]
pub struct PodContainer<'a> {
    /// The engine's number of it: all entries of `initContainers` come first, then all of `containers`, then ephemeral ones.
    pub index: ContainerIndex,
    /// Init container, sidecar or main container.
    pub kind: Kind,
    /// What the manifest says of it.
    pub manifest: &'a v1::Container,
    /// What the manifest says of the pod.
    pub pod: &'a v1::PodSpec,
    /// The list of the manifest that it is in, and its place there.
    list: &'static str,
    place: usize,
}

impl<'a> PodContainer<'a> {
    /// `name`, which no other container of the pod has.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.manifest.name
    }

    /// Where the manifest has it: `spec.initContainers[0]`.
    #[must_use]
    pub fn field(&self) -> FieldPath {
        FieldPath::root().child("spec").child(self.list).index(self.place)
    }

    /// Whether it gets all of the box's devices, and nothing is kept from it.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.manifest.security_context.as_ref().and_then(|context| context.privileged) == Some(true)
    }
}

/// All containers that a pod has from its beginning on, in the engine's order; ephemeral ones are in its plan.
pub(crate) fn containers(pod: &v1::PodSpec) -> impl Iterator<Item = PodContainer<'_>> {
    let inits = pod.init_containers.iter().flatten().enumerate();
    let inits = inits.map(|(place, one)| ("initContainers", place, init_kind(one), one));
    let mains = pod.containers.iter().enumerate().map(|(place, one)| ("containers", place, Kind::Main, one));
    inits.chain(mains).enumerate().map(move |(at, (list, place, kind, manifest))| {
        // The engine has no higher numbers.
        let index = ContainerIndex(u16::try_from(at).unwrap_or(u16::MAX));
        PodContainer { index, kind, manifest, pod, list, place }
    })
}

/// The container of this number.
///
/// # Panics
/// Where it is not one of the pod's: the engine, which gives the numbers, knows no others.
#[must_use]
pub fn pod_container(pod: &v1::Pod, index: ContainerIndex) -> PodContainer<'_> {
    let spec = pod.spec.as_ref().expect("plan::pod refused a pod without a spec");
    let found = containers(spec).nth(index.0.into());
    found.expect("the engine's containers are those of the pod, in the same order")
}

/// An ephemeral container: `manifest` is it as a container, and `place` how many there are before it.
pub(crate) fn ephemeral<'a>(pod: &'a v1::PodSpec, manifest: &'a v1::Container, place: usize) -> PodContainer<'a> {
    let index = ContainerIndex(u16::try_from(containers(pod).count() + place).unwrap_or(u16::MAX));
    PodContainer { index, kind: Kind::Ephemeral, manifest, pod, list: "ephemeralContainers", place }
}

/// The container of this number, to be changed.
pub fn container_mut(spec: &mut v1::PodSpec, index: ContainerIndex) -> Option<&mut v1::Container> {
    spec.init_containers.iter_mut().flatten().chain(&mut spec.containers).nth(index.0.into())
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
