//! What a pod can't have where barepod isn't the box's root, or has no cgroups: found before anything is made, and said
//! field by field (docs/rootless.md).

use k8s_openapi::api::core::v1;

use super::users;
use crate::plan::error::{MORE_IDS, PlanError};
use crate::plan::facts::{NamespaceIds, NodeFacts, Scope};
use crate::plan::identity;

/// Finds what the manifest asks for and nobody here can give.
pub(crate) fn check(spec: &v1::PodSpec, node: &NodeFacts, errors: &mut Vec<PlanError>) {
    if spec.host_pid == Some(true) && node.processes == Scope::Pod {
        let cause =
            "without root and without cgroups a pod's processes are held together by a pid namespace, from which \
                     the host's can't be seen; leave it out, or run barepod as root"
                .to_owned();
        errors.push(PlanError::Invalid { field: "spec.hostPID".to_owned(), value: "true".to_owned(), cause });
    }
    if let Some(ids) = &node.users {
        check_ids(spec, ids, errors);
    }
}

fn check_ids(spec: &v1::PodSpec, ids: &NamespaceIds, errors: &mut Vec<PlanError>) {
    let mut require = |field: String, value: Option<i64>, has: &dyn Fn(u32) -> bool| {
        // What is no id at all others say.
        if let Some(id) = value.and_then(users::id)
            && !has(id)
        {
            errors.push(PlanError::Invalid { field, value: id.to_string(), cause: MORE_IDS.to_owned() });
        }
    };
    let (user, group) = (|id| ids.has_user(id), |id| ids.has_group(id));
    // Where groups can't be set all have the one that there is, and no others.
    if let Some(pod) = &spec.security_context {
        let of = |name: &str| format!("spec.securityContext.{name}");
        require(of("runAsUser"), pod.run_as_user, &user);
        require(of("runAsGroup"), pod.run_as_group, &group);
        require(of("fsGroup"), pod.fs_group, &group);
        for (at, value) in pod.supplemental_groups.iter().flatten().enumerate() {
            require(of(&format!("supplementalGroups[{at}]")), Some(*value), &group);
        }
    }
    for container in identity::containers(spec) {
        let field = container.field();
        let Some(own) = &container.manifest.security_context else { continue };
        require(format!("{field}.securityContext.runAsUser"), own.run_as_user, &user);
        require(format!("{field}.securityContext.runAsGroup"), own.run_as_group, &group);
    }
}
