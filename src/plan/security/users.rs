//! Who a container runs as: user, groups, home directory.

use std::collections::BTreeSet;

use oci_spec::runtime::{User, UserBuilder};

use super::accounts;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::facts::{IdRange, NodeFacts, Scope};
use crate::plan::identity;
use crate::plan::inputs::Inputs;

/// Who a container runs as.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: User,
    /// Its home directory in the image, else `/`.
    pub(crate) home: String,
}

/// A user or group id as Kubernetes takes it.
pub(crate) fn id(number: i64) -> Option<u32> {
    i32::try_from(number).ok().and_then(|number| u32::try_from(number).ok())
}

/// Users and groups: the container's, else the pod's, else the bundle's, else root.
pub(crate) fn identity(inputs: &Inputs) -> Result<Identity, ConfigError> {
    let (own, pod) = (inputs.context(), inputs.pod_context());
    let number = |field: &str, value: i64| {
        id(value).ok_or_else(|| inputs.config_error(format!("securityContext.{field}"), ConfigCause::Id { value }))
    };
    let base = inputs.image.base.process().as_ref().map(|process| process.user().clone()).unwrap_or_default();
    let asked = own.run_as_user.or(pod.run_as_user).map(|value| number("runAsUser", value)).transpose()?;
    let (uid, base_gid) = match (asked, inputs.image.user.as_str()) {
        (Some(asked), _) => (asked, base.gid()),
        (None, "") => (base.uid(), base.gid()),
        (None, user) => accounts::ids(user, &inputs.image.passwd, &inputs.image.group).map_err(|why| {
            inputs.create_error("process.user", ConfigCause::NoUser { why: format!("{user:?}: {why}") })
        })?,
    };
    run_as_non_root(inputs, asked, uid)?;
    let account = accounts::account(&inputs.image.passwd, |one| one.uid == uid);
    let group = own.run_as_group.or(pod.run_as_group).map(|value| number("runAsGroup", value)).transpose()?;
    let gid = match (group, asked) {
        (Some(group), _) => group,
        // A user of the manifest's brings its primary group from the image; the bundle's group was for the bundle's user.
        (None, Some(_)) => account.as_ref().map_or(0, |account| account.gid),
        (None, None) => base_gid,
    };
    // The primary group comes first, as in containerd. It also keeps the list from being empty, which libcontainer would
    // take for "leave the caller's groups as they are".
    let mut groups = vec![gid];
    let strict = pod.supplemental_groups_policy.as_deref() == Some("Strict");
    if !strict {
        if asked.is_none() {
            groups.extend(base.additional_gids().iter().flatten());
        }
        if let Some(account) = &account {
            groups.extend(accounts::memberships(&inputs.image.group, account.name));
        }
    }
    for value in pod.supplemental_groups.iter().flatten() {
        groups.push(number("supplementalGroups", *value)?);
    }
    if let Some(value) = pod.fs_group {
        groups.push(number("fsGroup", value)?);
    }
    let mut seen = BTreeSet::new();
    groups.retain(|group| seen.insert(*group));
    if inputs.sandbox_plan.user == Scope::Pod
        && let Some(id) = [uid].iter().chain(&groups).find(|id| **id >= IdRange::LENGTH)
    {
        return Err(inputs.config_error("securityContext", ConfigCause::Unmapped { id: *id }));
    }
    if let Some(ids) = &inputs.node.users {
        let groups = if ids.keeps_groups { &groups[..1] } else { &groups[..] };
        let missing = groups.iter().find(|id| !ids.has_group(**id)).copied();
        if let Some(id) = Some(uid).filter(|id| !ids.has_user(*id)).or(missing) {
            return Err(inputs.config_error("securityContext", ConfigCause::NotMapped { id }));
        }
    }
    let groups = settable_groups(inputs.node, groups);
    let mut user = UserBuilder::default().uid(uid).gid(gid).additional_gids(groups);
    if let Some(umask) = base.umask() {
        user = user.umask(umask);
    }
    let home = account.map(|account| account.home).filter(|home| !home.is_empty()).unwrap_or("/").to_owned();
    Ok(Identity { user: user.build().expect("a user has no field that must be given"), home })
}

/// The kubelet's verifyRunAsNonRoot.
fn run_as_non_root(inputs: &Inputs, asked: Option<u32>, uid: u32) -> Result<(), ConfigError> {
    let wanted = inputs.context().run_as_non_root.or(inputs.pod_context().run_as_non_root);
    // A name may mean root after all, says the kubelet.
    let user = inputs.image.user.split(':').next().unwrap_or_default();
    let named = (asked.is_none() && !user.is_empty() && user.parse::<u32>().is_err()).then_some(user);
    if wanted != Some(true) || uid != 0 && named.is_none() {
        return Ok(());
    }
    let pod = identity::full_name(inputs.pod);
    let container = inputs.container.name().to_owned();
    let cause = match (asked, named) {
        (Some(_), _) => ConfigCause::RootUser { pod, container },
        (None, Some(user)) => {
            ConfigCause::NamedUser { user: user.to_owned(), of: format!("pod: {pod:?}, container: {container}") }
        }
        (None, None) => ConfigCause::RootImage { pod, container },
    };
    Err(inputs.config_error("securityContext.runAsNonRoot", cause))
}

/// A container's groups as they can be set here.
fn settable_groups(node: &NodeFacts, groups: Vec<u32>) -> Vec<u32> {
    match &node.users {
        // There is one, and the manifest asks for no other: what remains are the image's.
        Some(ids) if ids.keeps_groups => Vec::new(),
        _ => groups,
    }
}
