//! What of a pod that runs can be changed: what Kubernetes allows to be, and resources by a resize (KEP-1287).

use std::collections::BTreeMap;

use barepod_engine::spec::Kind;
use k8s_openapi::api::core::v1;
use serde_json::Value;

use super::diff::Difference;
use super::identity::init_kind;
use crate::manifest::FieldPath;

/// What is to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// All labels; `None`: they stay.
    pub labels: Option<BTreeMap<String, String>>,
    /// All annotations; `None`: they stay.
    pub annotations: Option<BTreeMap<String, String>>,
    /// `activeDeadlineSeconds`; `None`: as it is.
    pub active_deadline_seconds: Option<i64>,
    /// New images, by the name of the container.
    pub images: BTreeMap<String, String>,
    /// New resources, by the name of the container.
    pub resources: BTreeMap<String, ContainerResources>,
}

/// All requests and limits of a container, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ContainerResources {
    pub requests: BTreeMap<String, String>,
    pub limits: BTreeMap<String, String>,
}

/// A field that can't be changed, or not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Immutable {
    /// Which.
    pub field: FieldPath,
    /// The container that it is a field of.
    pub container: Option<String>,
    /// What could be, where something could.
    pub why: Option<&'static str>,
}

/// Annotations that are read when a pod begins.
const READ_AT_THE_START: [&str; 3] = [
    "barepod.dev/",
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
];

/// What has to be changed of a pod to make it the one of `wanted`, by the differences between the two.
///
/// # Errors
/// All fields that can't be changed while the pod runs.
pub fn changes(wanted: &v1::Pod, differences: &[Difference]) -> Result<Changes, Vec<Immutable>> {
    let mut changes = Changes::default();
    let mut immutable = Vec::new();
    for difference in differences {
        if let Err(why) = take_in(&mut changes, wanted, difference) {
            let Difference { field, container, .. } = difference.clone();
            immutable.push(Immutable { field, container, why });
        }
    }
    if immutable.is_empty() { Ok(changes) } else { Err(immutable) }
}

/// Whether `activeDeadlineSeconds` may become so (the API server's ValidatePodUpdate).
#[must_use]
pub fn may_be_deadline(old: Option<i64>, new: i64) -> bool {
    old.is_none_or(|old| new <= old)
}

fn take_in(changes: &mut Changes, wanted: &v1::Pod, difference: &Difference) -> Result<(), Option<&'static str>> {
    let Difference { field, container, old, new } = difference;
    let path = field.to_string();
    if path.starts_with("metadata.labels[") {
        changes.labels = Some(wanted.metadata.labels.clone().unwrap_or_default());
        return Ok(());
    }
    if path.starts_with("metadata.annotations[") {
        let key = field.last().unwrap_or_default();
        if READ_AT_THE_START.iter().any(|prefix| key.starts_with(prefix)) {
            return Err(Some("it is read when a pod begins"));
        }
        changes.annotations = Some(wanted.metadata.annotations.clone().unwrap_or_default());
        return Ok(());
    }
    if path == "spec.activeDeadlineSeconds" {
        let (old, new) = (old.as_ref().and_then(Value::as_i64), new.as_ref().and_then(Value::as_i64));
        changes.active_deadline_seconds = Some(match new {
            None => return Err(Some("it can't be taken away")),
            Some(new) if may_be_deadline(old, new) => new,
            Some(_) => return Err(Some("it can only become less")),
        });
        return Ok(());
    }
    if let Some((container, image)) = image(&path, container.as_deref(), new.as_ref()) {
        if runs_once(wanted, container) {
            return Err(Some("an init container runs once"));
        }
        changes.images.insert(container.to_owned(), image.to_owned());
        return Ok(());
    }
    let Some(container) = container.as_deref().filter(|_| is_of_resources(&path)) else { return Err(None) };
    if new.is_none() {
        return Err(Some("requests and limits can be changed, not taken away"));
    }
    changes.resources.insert(container.to_owned(), resources(wanted, container));
    Ok(())
}

/// The container and its new image, of `spec.containers[0].image`.
fn image<'a>(path: &str, container: Option<&'a str>, new: Option<&'a Value>) -> Option<(&'a str, &'a str)> {
    let rest = LISTS.iter().find_map(|list| path.strip_prefix(list)?.split_once("].")).map(|(_, rest)| rest);
    (rest == Some("image")).then_some((container?, new?.as_str()?))
}

fn runs_once(pod: &v1::Pod, container: &str) -> bool {
    let inits = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    inits.filter(|one| init_kind(one) == Kind::Init).any(|one| one.name == container)
}

/// Where containers are.
const LISTS: [&str; 2] = ["spec.containers[", "spec.initContainers["];

/// `spec.containers[0].resources`, and requests and limits of it.
fn is_of_resources(path: &str) -> bool {
    let rest = LISTS.iter().find_map(|list| path.strip_prefix(list)?.split_once("]."));
    let Some(rest) = rest.and_then(|(_, rest)| rest.strip_prefix("resources")) else { return false };
    rest.is_empty() || rest.starts_with(".limits") || rest.starts_with(".requests")
}

fn resources(wanted: &v1::Pod, container: &str) -> ContainerResources {
    let spec = wanted.spec.iter();
    let mut all = spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    let resources = all.find(|one| one.name == container).and_then(|one| one.resources.clone()).unwrap_or_default();
    let text = |list: Option<BTreeMap<String, _>>| {
        let list: BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity> = list.unwrap_or_default();
        list.into_iter().map(|(name, amount)| (name, amount.0)).collect()
    };
    ContainerResources { requests: text(resources.requests), limits: text(resources.limits) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::diff::diff;
    use super::*;

    fn of(change: impl FnOnce(&mut Value)) -> Result<Changes, Vec<String>> {
        let running = json!({
            "metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {
                "activeDeadlineSeconds": 60,
                "containers": [{"name": "main", "image": "rootfs:/a", "resources": {"requests": {"cpu": "1"}}}]
            }
        });
        let mut wanted = running.clone();
        change(&mut wanted);
        let pod = |value: Value| serde_json::from_value::<v1::Pod>(value).unwrap();
        let wanted = pod(wanted);
        let words = |one: Immutable| format!("{} {}", one.field, one.why.unwrap_or("no"));
        changes(&wanted, &diff(&pod(running), &wanted)).map_err(|all| all.into_iter().map(words).collect())
    }

    #[test]
    fn what_can_be_changed() {
        assert_eq!(of(|_| {}), Ok(Changes::default()));
        let changes = of(|pod| {
            pod["metadata"]["labels"] = json!({"tier": "front"});
            pod["metadata"]["annotations"] = json!({"note": "new"});
            pod["spec"]["activeDeadlineSeconds"] = json!(30);
            pod["spec"]["containers"][0]["image"] = json!("rootfs:/b");
            pod["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "2"}, "limits": {"cpu": "3"}});
        })
        .unwrap();
        let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert_eq!(changes.labels, Some(map("tier", "front")));
        assert_eq!(changes.annotations, Some(map("note", "new")));
        assert_eq!(changes.active_deadline_seconds, Some(30));
        assert_eq!(changes.images, map("main", "rootfs:/b"));
        let resources = ContainerResources { requests: map("cpu", "2"), limits: map("cpu", "3") };
        assert_eq!(changes.resources, BTreeMap::from([("main".to_owned(), resources)]));
    }

    #[test]
    fn what_can_not() {
        let refused = of(|pod| {
            pod["metadata"]["annotations"] = json!({"barepod.dev/sidecar-grace-seconds": "3"});
            pod["spec"]["activeDeadlineSeconds"] = json!(61);
            pod["spec"]["containers"][0]["command"] = json!(["true"]);
            pod["spec"]["containers"][0]["resources"] = json!({"claims": [{"name": "gpu"}]});
            pod["spec"]["hostNetwork"] = json!(true);
        });
        let taken_away = "requests and limits can be changed, not taken away";
        assert_eq!(
            refused.unwrap_err(),
            [
                "metadata.annotations[barepod.dev/sidecar-grace-seconds] it is read when a pod begins".to_owned(),
                "spec.activeDeadlineSeconds it can only become less".to_owned(),
                "spec.containers[0].command no".to_owned(),
                "spec.containers[0].resources.claims no".to_owned(),
                format!("spec.containers[0].resources.requests {taken_away}"),
                "spec.hostNetwork no".to_owned(),
            ]
        );
        let none = of(|pod| _ = pod["spec"].as_object_mut().unwrap().remove("activeDeadlineSeconds"));
        assert_eq!(none, Err(vec!["spec.activeDeadlineSeconds it can't be taken away".to_owned()]));
        assert!(may_be_deadline(None, 5) && may_be_deadline(Some(5), 5) && !may_be_deadline(Some(5), 6));
    }
}
