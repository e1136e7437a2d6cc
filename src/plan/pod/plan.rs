//! What is made once for a pod, as a value.

use std::path::PathBuf;

use barepod_engine::spec::{ContainerIndex, PodSpec};
use k8s_openapi::api::core::v1;

use crate::manifest::Objects;
use crate::plan::files::image::ImageSource;
use crate::plan::files::volumes::{VolumePlan, VolumeSource};
use crate::plan::identity::{self, PodContainer};
use crate::plan::resources::cgroup::CgroupPlan;
use crate::plan::resources::cpus::Exclusive;
use crate::plan::resources::memory_qos::MemoryQos;
use crate::plan::sandbox::SandboxPlan;
use crate::plan::security::SecurityOptions;

/// What to make once for the pod.
#[derive(Clone, Debug)]
pub struct PodPlan {
    /// For the engine.
    pub lifecycle: PodSpec,
    /// Namespaces and files all containers share.
    pub sandbox: SandboxPlan,
    /// The pod's cgroup.
    pub cgroup: CgroupPlan,
    /// The pod's volumes in the order of the manifest.
    pub volumes: Vec<VolumePlan>,
    /// ConfigMaps and Secrets that variables are taken of.
    pub objects: Objects,
    /// What `image:` names, of each container in the engine's order; see [`Self::image`].
    pub(super) images: Vec<ImageSource>,
    /// Those that were added while the pod ran, in the engine's order; see [`Self::container`].
    pub(super) ephemeral: Vec<Ephemeral>,
    /// Cpus that containers have for themselves. Allotted under a lock once it is known that the pod is run.
    pub cpus: Exclusive,
    /// What the command line says about security.
    pub security: SecurityOptions,
    /// What it says about memory.
    pub memory_qos: MemoryQos,
}

/// An ephemeral container.
#[derive(Clone, Debug)]
pub struct Ephemeral {
    /// It as a container.
    pub(super) container: v1::Container,
    /// The container whose processes it sees.
    pub(super) target: Option<String>,
}

impl PodPlan {
    /// The container of this number, as the manifest of this pod has it, or what was added to it.
    ///
    /// # Panics
    /// Where it is not one of the pod's: the engine, which gives the numbers, knows no others.
    #[must_use]
    pub fn container<'a>(&'a self, pod: &'a v1::Pod, index: ContainerIndex) -> PodContainer<'a> {
        match (self.place_of(index), &pod.spec) {
            (Some(place), Some(spec)) => identity::ephemeral(spec, &self.ephemeral[place].container, place),
            (Some(_) | None, _) => identity::pod_container(pod, index),
        }
    }

    /// The container whose processes an ephemeral one sees; `None`: no other's.
    #[must_use]
    pub fn target(&self, index: ContainerIndex) -> Option<&str> {
        self.ephemeral[self.place_of(index)?].target.as_deref()
    }

    /// Which of the ephemeral containers it is.
    fn place_of(&self, index: ContainerIndex) -> Option<usize> {
        usize::from(index.0).checked_sub(self.images.len() - self.ephemeral.len())
    }

    /// What the `image:` of a container names.
    ///
    /// # Panics
    /// Where `container` is not one of the pod's: the engine knows no others.
    #[must_use]
    pub fn image(&self, container: ContainerIndex) -> &ImageSource {
        &self.images[usize::from(container.0)]
    }

    /// What it names from now on.
    pub fn set_image(&mut self, container: ContainerIndex, image: ImageSource) {
        self.images[usize::from(container.0)] = image;
    }

    /// All images that it names: those of its containers, and those that its volumes show.
    pub fn images_mut(&mut self) -> impl Iterator<Item = &mut ImageSource> {
        let of_volumes = self.volumes.iter_mut().filter_map(|volume| match &mut volume.source {
            VolumeSource::Image { image } => Some(image),
            _ => None,
        });
        self.images.iter_mut().chain(of_volumes)
    }

    /// A container's cgroup, below the pod's.
    pub(crate) fn cgroup_of(&self, container: &str) -> PathBuf {
        self.cgroup.path.join(container)
    }

    /// Gives containers cpus for themselves. A pod that has some is not held back on them as a whole either.
    pub fn pin(&mut self, cpus: Exclusive) {
        if !cpus.is_empty() {
            self.cgroup.limits.cpu_quota = None;
        }
        self.cpus = cpus;
    }
}
