//! `appArmorProfile`: which of the kernel's loaded profiles a container runs under. Profiles are the box's: loading one
//! takes AppArmor's own compiler. Where the kernel has none, asking for one is an error and going without is not.

use k8s_openapi::api::core::v1;

use super::context::{self, Place};
use crate::plan::error::PlanError;
use crate::plan::facts::{AppArmor, NodeFacts};
use crate::plan::identity::{self, PodContainer};
use crate::plan::inputs::Inputs;

/// What `RuntimeDefault` is called under containerd, and so here.
const DEFAULT: &str = "cri-containerd.apparmor.d";

fn asked<'a>(container: &PodContainer<'a>) -> Option<(Place, &'a v1::AppArmorProfile)> {
    context::asked(container, |own| own.app_armor_profile.as_ref(), |pods| pods.app_armor_profile.as_ref())
}

/// The name that the kernel knows it by; `None`: unconfined.
fn name(profile: &v1::AppArmorProfile) -> Option<&str> {
    match profile.type_.as_str() {
        "RuntimeDefault" => Some(DEFAULT),
        "Localhost" => profile.localhost_profile.as_deref().map(str::trim),
        _ => None,
    }
}

/// Finds what the box doesn't have. The kubelet doesn't run such a pod either.
pub(crate) fn check(spec: &v1::PodSpec, node: &NodeFacts, errors: &mut Vec<PlanError>) {
    for container in identity::containers(spec).filter(|one| !one.is_privileged()) {
        let Some((place, profile)) = asked(&container) else { continue };
        let Some(name) = name(profile) else { continue };
        let cause = match &node.apparmor {
            AppArmor::Off => {
                "AppArmor is not enabled on this box (/sys/module/apparmor/parameters/enabled); leave it out, or write \
                 type: Unconfined"
                    .to_owned()
            }
            AppArmor::On { loaded: Some(loaded) } if !loaded.iter().any(|one| one == name) => {
                format!("no profile {name:?} is loaded; load it with apparmor_parser")
            }
            AppArmor::On { .. } => continue,
        };
        let error = PlanError::Invalid {
            field: place.field(&container, "appArmorProfile"),
            value: profile.type_.clone(),
            cause,
        };
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
}

/// What the container runs under; without a word of the manifest's what the bundle says.
pub(crate) fn profile(inputs: &Inputs) -> Option<String> {
    if inputs.privileged() {
        return None;
    }
    match asked(&inputs.container) {
        Some((_, profile)) => name(profile).map(str::to_owned),
        // An empty name is none; libcontainer would look for it.
        None => inputs.image.base.process().as_ref()?.apparmor_profile().clone().filter(|name| !name.is_empty()),
    }
}
