//! What is made once for a pod, as a value.

use std::path::PathBuf;

use barepod_engine::spec::{ContainerIndex, PodSpec};

use crate::manifest::Objects;
use crate::plan::files::image::ImageSource;
use crate::plan::files::volumes::VolumePlan;
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
    /// Cpus that containers have for themselves. Allotted under a lock once it is known that the pod is run.
    pub cpus: Exclusive,
    /// What the command line says about security.
    pub security: SecurityOptions,
    /// What it says about memory.
    pub memory_qos: MemoryQos,
}

impl PodPlan {
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
