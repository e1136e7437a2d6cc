//! What is made for one attempt of one container, once its image and the sandbox's addresses are known.

pub(crate) mod hopeless;
mod impossible;
mod oci;
pub(crate) mod plan;
mod refused;
pub(crate) mod unsupported;

use barepod_engine::spec::{Attempt, ContainerIndex};
use k8s_openapi::api::core::v1;

use self::plan::{ContainerPlan, Label, Streams};
use crate::plan::error::ConfigError;
use crate::plan::facts::{ImageFacts, NodeFacts, SandboxFacts};
use crate::plan::files::mounts;
use crate::plan::inputs::Inputs;
use crate::plan::pod::plan::PodPlan;
use crate::plan::process::command::{command, cwd};
use crate::plan::process::env;
use crate::plan::security::users;

/// What an attempt is called, before what it needs is known.
///
/// # Panics
/// As [`container`].
pub fn label(plan: &PodPlan, container: ContainerIndex, attempt: Attempt) -> Label {
    let of_engine = plan.lifecycle.containers.get(usize::from(container.0));
    let name = &of_engine.expect("the engine's containers are those of the pod").name;
    let id = format!("{}_{name}_{}", plan.lifecycle.uid, attempt.0);
    Label { name: name.clone(), id, cgroup: plan.cgroup_of(name) }
}

/// Plans one attempt of one container. Same arguments, same plan.
///
/// # Panics
/// Where `container` is not one of the pod's: the engine knows no others.
#[allow(clippy::too_many_arguments)]
pub fn container(
    pod: &v1::Pod,
    pod_plan: &PodPlan,
    node: &NodeFacts,
    container: ContainerIndex,
    attempt: Attempt,
    image: &ImageFacts,
    sandbox: &SandboxFacts,
) -> Result<ContainerPlan, ConfigError> {
    let one = pod_plan.container(pod, container);
    let inputs = Inputs {
        pod,
        container: one,
        objects: &pod_plan.objects,
        sandbox_plan: &pod_plan.sandbox,
        node,
        image,
        sandbox,
    };
    refused::refuse(&inputs)?;
    impossible::refuse(&inputs, pod_plan)?;
    let identity = users::identity(&inputs)?;
    let env = env::environment(&inputs, &identity.home)?;
    let args = command(&inputs, &env)?;
    let planned = mounts::mounts(&inputs, &pod_plan.volumes, &env)?;
    let of_image = || image.base.root().as_ref().and_then(|root| root.readonly());
    let read_only = inputs.context().read_only_root_filesystem.or_else(of_image) == Some(true);
    let spec = oci::assemble(
        &inputs,
        pod_plan,
        oci::Overrides { identity, env: env.list(), args, cwd: cwd(&inputs)?, read_only, mounts: planned.mounts },
    )?;
    let Label { name, id, .. } = label(pod_plan, container, attempt);
    Ok(ContainerPlan {
        container,
        name,
        attempt,
        id,
        bundle: image.bundle.clone(),
        rootfs: image.rootfs.clone(),
        below: image.below.clone(),
        spec,
        sub_paths: planned.sub_paths,
        images: planned.images,
        data: planned.data,
        shared: planned.shared,
        private: planned.private,
        config_volumes: planned.config_volumes,
        files: planned.files,
        termination_log: mounts::termination_log(&inputs),
        rights: node.rights(),
        streams: Streams::of(one.manifest),
    })
}
