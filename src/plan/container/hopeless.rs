//! What no retry can mend: what a container's config lacks or asks for by manifest and image alone, neither of which
//! changes while the pod runs. It is said before anything is made. What the kubelet itself finds out and shows as a
//! container that waits (`runAsNonRoot` and an image of root's, a key that a ConfigMap lacks) is not among it.

use barepod_engine::spec::ContainerIndex;
use k8s_openapi::api::core::v1;

use super::{impossible, refused};
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::facts::{ImageFacts, NodeFacts, SandboxFacts};
use crate::plan::files::bundle_mounts;
use crate::plan::identity;
use crate::plan::inputs::Inputs;
use crate::plan::pod::plan::PodPlan;
use crate::plan::process::command::{command, cwd};
use crate::plan::process::env;

/// Something that no retry can mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hopeless {
    /// Neither the manifest nor the image says what to run.
    NoCommand,
    /// Something else.
    Config(ConfigError),
}

/// What is wrong with a container whose image is this; nothing is looked up that only a sandbox knows.
///
/// # Panics
/// Where `container` is not one of the pod's.
#[must_use]
pub fn hopeless(
    pod: &v1::Pod,
    plan: &PodPlan,
    node: &NodeFacts,
    container: ContainerIndex,
    image: &ImageFacts,
) -> Option<Hopeless> {
    let one = identity::pod_container(pod, container);
    // One that isn't there yet.
    let sandbox = SandboxFacts::default();
    let inputs = Inputs {
        pod,
        container: one,
        objects: &plan.objects,
        sandbox_plan: &plan.sandbox,
        node,
        image,
        sandbox: &sandbox,
    };
    match unmendable(&inputs, plan).err()? {
        ConfigError { cause: ConfigCause::NoCommand, .. } => Some(Hopeless::NoCommand),
        error => Some(Hopeless::Config(error)),
    }
}

/// What of a container's config is wrong whatever sandbox, environment and files it comes to have.
fn unmendable(inputs: &Inputs, plan: &PodPlan) -> Result<(), ConfigError> {
    refused::refuse(inputs)?;
    impossible::refuse(inputs, plan)?;
    bundle_mounts::refuse(inputs)?;
    env::of_image(inputs)?;
    command(inputs, &env::plain_values(inputs)?)?;
    cwd(inputs).map(|_| ())
}
