//! `seLinuxOptions`: the labels of a container's process and files. The policy is the box's, and so are the names that
//! it has for containers. Where SELinux isn't enabled
//! none are put on, as on any such node, with a warning; where it is and the policy doesn't know containers, asking for
//! labels is an error and going without is not; without a word of
//! the manifest's or the bundle's none is put on, as containerd does unless it is told otherwise (`enable_selinux`).

use k8s_openapi::api::core::v1;

use super::context::{self, Place};
use crate::plan::error::PlanError;
use crate::plan::facts::{ContainerContexts, NodeFacts, SeLinux};
use crate::plan::identity::{self, PodContainer};
use crate::plan::inputs::Inputs;

/// Categories of a level that nobody chose: two of these many tell pods from each other, as with any container runtime.
const CATEGORIES: u64 = 1024;

/// What a container is labelled with. Each is `user:role:type:level`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Of its processes.
    pub(crate) process: Option<String>,
    /// Of its root file system and of the volumes that were made for the pod.
    pub(crate) files: Option<String>,
}

/// The container's own options, else the pod's, as a whole.
fn asked<'a>(container: &PodContainer<'a>) -> Option<(Place, &'a v1::SELinuxOptions)> {
    context::asked(container, |own| own.se_linux_options.as_ref(), |pods| pods.se_linux_options.as_ref())
}

/// Finds what the box doesn't have. A container that ran without the label would run without what its author relies on.
pub(crate) fn check(spec: &v1::PodSpec, node: &NodeFacts, errors: &mut Vec<PlanError>) {
    for container in identity::containers(spec) {
        let Some((place, options)) = asked(&container) else { continue };
        let cause = match &node.selinux {
            SeLinux::On { containers: None } => {
                "the policy of this box doesn't say how containers are labelled (lxc_contexts, below /etc/selinux); \
                 install what brings it: Debian's selinux-policy-default, container-selinux elsewhere"
            }
            SeLinux::Off | SeLinux::On { containers: Some(_) } => continue,
        };
        let field = place.field(&container, "seLinuxOptions");
        let error = PlanError::Invalid { field, value: words(options), cause: cause.to_owned() };
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
}

/// Fields with labels that nobody puts on, as this box has no SELinux: a node's runtime leaves them out there.
#[must_use]
pub fn unlabelled(pod: &v1::Pod, node: &NodeFacts) -> Vec<String> {
    let mut fields = Vec::new();
    if node.selinux != SeLinux::Off {
        return fields;
    }
    for container in pod.spec.iter().flat_map(identity::containers) {
        let field = asked(&container).map(|(place, _)| place.field(&container, "seLinuxOptions"));
        fields.extend(field.filter(|field| !fields.contains(field)));
    }
    fields
}

fn words(options: &v1::SELinuxOptions) -> String {
    let parts = [&options.user, &options.role, &options.type_, &options.level];
    parts.map(|part| part.as_deref().unwrap_or_default()).join(":")
}

/// The manifest's over the bundle's. Privileged containers have what the supervisor has.
pub(crate) fn labels(inputs: &Inputs) -> Labels {
    if inputs.privileged() {
        return Labels::default();
    }
    let SeLinux::On { containers } = &inputs.node.selinux else { return Labels::default() };
    if let (Some((_, options)), Some(contexts)) = (asked(&inputs.container), containers) {
        return of_options(options, contexts, inputs.pod.metadata.uid.as_deref().unwrap_or_default());
    }
    let given = |label: Option<&String>| label.filter(|label| !label.is_empty()).cloned();
    let base = &inputs.image.base;
    Labels {
        process: given(base.process().as_ref().and_then(|process| process.selinux_label().as_ref())),
        files: given(base.linux().as_ref().and_then(|linux| linux.mount_label().as_ref())),
    }
}

/// As container runtimes read them: files have the user and the level of the process, and a type of their own.
fn of_options(options: &v1::SELinuxOptions, contexts: &ContainerContexts, uid: &str) -> Labels {
    let given = |part: &Option<String>| part.clone().filter(|part| !part.is_empty());
    let mut process = Context::parse(&contexts.process);
    let mut files = Context::parse(&contexts.files);
    if let Some(user) = given(&options.user) {
        files.user.clone_from(&user);
        process.user = user;
    }
    if let Some(role) = given(&options.role) {
        process.role = role;
    }
    if let Some(kind) = given(&options.type_) {
        process.kind = kind;
    }
    // A policy without levels has none to give.
    if process.level.is_some() {
        let level = given(&options.level).or_else(|| process.level.as_deref().map(|level| own_level(level, uid)));
        files.level.clone_from(&level);
        process.level = level;
    }
    Labels { process: Some(process.to_string()), files: Some(files.to_string()) }
}

/// The policy's lowest sensitivity with two categories that are always the same for one pod, and for hardly two pods.
fn own_level(level: &str, uid: &str) -> String {
    let sensitivity = level.split([':', '-']).next().unwrap_or_default();
    // FNV-1a: nothing secret, and the same in every version of this program.
    let hash = uid
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let first = hash % CATEGORIES;
    let second = (first + 1 + (hash >> 32) % (CATEGORIES - 1)) % CATEGORIES;
    format!("{sensitivity}:c{},c{}", first.min(second), first.max(second))
}

/// A security context (selinux(8)): `user:role:type`, and `:level` where the policy has levels.
struct Context {
    user: String,
    role: String,
    kind: String,
    level: Option<String>,
}

impl Context {
    fn parse(text: &str) -> Self {
        let mut parts = text.splitn(4, ':').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (user, role, kind) = (next(), next(), next());
        Self { user, role, kind, level: parts.next() }
    }
}

impl std::fmt::Display for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { user, role, kind, level } = self;
        write!(f, "{user}:{role}:{kind}")?;
        level.as_ref().map_or(Ok(()), |level| write!(f, ":{level}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_its_own_has_two_categories() {
        for uid in ["", "u-1", "0b0c3d5e-5d2f-4e1c-9c55-0a4f6a7b8c9d"] {
            let level = own_level("s0-s0:c0.c1023", uid);
            let (first, second) = level.strip_prefix("s0:c").and_then(|rest| rest.split_once(",c")).expect("two");
            let number = |text: &str| text.parse::<u64>().expect("a number");
            assert!(number(first) < number(second) && number(second) < CATEGORIES, "{level}");
            assert_eq!(level, own_level("s0", uid));
        }
        assert_ne!(own_level("s0", "a"), own_level("s0", "b"));
    }
}
