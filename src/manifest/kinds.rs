//! What becomes of each kind of object that stands beside Pods in a text: taken, left out or refused.
//!
//! Left out is what means nothing on one box: it makes no Pod and changes none. Refused is what would have a Pod behave otherwise
//! than it does here.

use super::diagnostic::Diagnostic;
use super::documents::text_of;
use super::objects::{self, ObjectKind};
use super::path::FieldPath;
use super::tree::{Node, Value};
use super::words::nearest;

/// What a document is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A Pod, or what is to be refused as none.
    Pod,
    /// A Job.
    Job,
    /// A ConfigMap or a Secret.
    Object(ObjectKind),
    /// It means nothing here; what it is called.
    Nothing(String),
}

/// Kinds of the API groups without a dot in their names (v1, apps, policy ...) that mean nothing on one box. Those of the groups
/// with a dot all do, but [`CHANGES_PODS`].
const MEANINGLESS: &[&str] = &[
    "Service",
    "ServiceAccount",
    "Namespace",
    "Ingress",
    "NetworkPolicy",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "PodSecurityPolicy",
    "Endpoints",
    "Event",
    "Node",
    "Binding",
    "ComponentStatus",
    "ControllerRevision",
    "Eviction",
];

/// Kinds that change pods as a cluster takes them, or on the way there.
const CHANGES_PODS: &[(&str, &str)] = &[
    ("LimitRange", "it gives containers requests and limits; write them into the Pod"),
    ("MutatingWebhookConfiguration", "a webhook may change pods; write what it would into the Pod"),
    ("MutatingAdmissionPolicy", "it may change pods; write what it would into the Pod"),
    ("MutatingAdmissionPolicyBinding", "it may change pods; write what they get by it into the Pod"),
    ("PodPreset", "it adds to pods; write that into the Pod"),
    ("Kustomization", "`kubectl kustomize DIR | barepod run -` runs what comes of it"),
];

/// What a document is taken for.
pub(super) fn use_of(tree: &Node) -> Use {
    if let Some(kind) = objects::kind_of(tree) {
        return Use::Object(kind);
    }
    let (Some(kind), Some(version)) = (text_of(tree, "kind"), text_of(tree, "apiVersion")) else { return Use::Pod };
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let is_refused = kind == "Pod" || CHANGES_PODS.iter().any(|(name, _)| *name == kind);
    let has_dot = group.contains('.');
    if is_refused || !(has_dot || MEANINGLESS.contains(&kind)) {
        return Use::Pod;
    }
    // As kubectl names what other groups may have, too.
    let is_own = !has_dot || group.ends_with(".k8s.io");
    let kind = if is_own { kind.to_owned() } else { format!("{kind}.{group}") };
    Use::Nothing(name_of(tree).map_or(kind.clone(), |name| format!("{kind} {name}")))
}

/// Of a Namespace, and not of what another group calls so.
pub(super) fn name_of_namespace(tree: &Node) -> Option<&str> {
    let is_one = text_of(tree, "kind") == Some("Namespace") && text_of(tree, "apiVersion") == Some("v1");
    name_of(tree).filter(|_| is_one)
}

fn name_of(tree: &Node) -> Option<&str> {
    text_of(&tree.get("metadata")?.value, "name")
}

/// What a document that is left out says of pods all the same.
pub(super) fn said_of_pods(tree: &Node) -> Vec<Diagnostic> {
    let pulls = tree.get("imagePullSecrets").filter(|entry| !entry.value.says_nothing());
    match (text_of(tree, "kind"), pulls) {
        (Some("ServiceAccount"), Some(_)) => {
            let field = FieldPath::root().child("imagePullSecrets");
            let said = "pods get no logins from a ServiceAccount here";
            vec![Diagnostic::warning(&field, said).help("write them to the Pod's own spec.imagePullSecrets")]
        }
        _ => Vec::new(),
    }
}

/// The refusal of what would be left out.
pub(super) fn refused(tree: &Node) -> Diagnostic {
    let kind = text_of(tree, "kind").unwrap_or_default();
    let said = format!("means nothing on one box: {kind}");
    Diagnostic::forbidden(&FieldPath::root().child("kind"), said).help("leave it out, or don't ask for --strict")
}

/// Errors of a text that is of none of these kinds at all: then there is no use in naming all fields that they don't have.
pub(super) fn wrong_kind(tree: &Node, kinds: &[&str]) -> Vec<Diagnostic> {
    let root = FieldPath::root();
    if !matches!(tree.value, Value::Mapping(_)) {
        return vec![
            Diagnostic::error(&root, "a manifest is a map")
                .help(format!("it starts with apiVersion: v1 and kind: {}", kinds[0])),
        ];
    }
    if let Some(entry) = tree.get("kind")
        && let Value::Scalar(scalar) = &entry.value.value
        && !kinds.contains(&scalar.text.as_str())
        && let Some(help) = way_out(&scalar.text)
    {
        return vec![Diagnostic::unsupported(&root.child("kind"), &scalar.text, kinds).help(help)];
    }
    [("apiVersion", &["v1"][..]), ("kind", kinds)]
        .into_iter()
        .filter_map(|(key, wanted)| {
            let field = root.child(key);
            let mut help = format!("write {key}: {}", wanted.join(" or "));
            match tree.get(key).map(|entry| &entry.value.value) {
                Some(Value::Scalar(scalar)) if wanted.contains(&scalar.text.as_str()) => None,
                Some(Value::Scalar(scalar)) if !scalar.is_null() => {
                    if let Some(near) = (key == "kind").then(|| nearest_kind(&scalar.text, wanted)).flatten() {
                        help = format!("did you mean {near}?");
                    }
                    Some(Diagnostic::unsupported(&field, &scalar.text, wanted).help(help))
                }
                Some(Value::Sequence(_) | Value::Mapping(_)) => {
                    Some(Diagnostic::error(&field, "Invalid type: must be a string").at_key().help(help))
                }
                Some(Value::Scalar(_)) | None => Some(Diagnostic::required(&field, "").help(help)),
            }
        })
        .collect()
}

/// Kinds that make Pods.
const WORKLOADS: &[&str] =
    &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "PodTemplate"];

/// The kind that was likely meant.
fn nearest_kind<'a>(given: &str, wanted: &[&'a str]) -> Option<&'a str> {
    let others = ["Pod", "ConfigMap", "Secret", "List"].iter().chain(WORKLOADS).chain(MEANINGLESS);
    let known: Vec<&str> = wanted.iter().chain(others).copied().collect();
    nearest(given, &known).filter(|near| *near != given)
}

/// Of a kind that is another one of Kubernetes': what to do instead. Then its apiVersion is no fault of its own.
fn way_out(kind: &str) -> Option<String> {
    let article = if kind.starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" };
    let template = match kind {
        "Job" => {
            return Some(
                "this is a Job, which `barepod run` runs; here a Pod is needed: take what is below its spec.template, and \
                 write apiVersion: v1, kind: Pod and a metadata.name to it"
                    .to_owned(),
            );
        }
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" => "spec.template",
        "CronJob" => "spec.jobTemplate.spec.template",
        "PodTemplate" => "template",
        "ConfigMap" | "Secret" => {
            return Some(format!(
                "this is a {kind}, which Pods refer to: give the Pod's manifest too, or this file with --config"
            ));
        }
        "List" | "PodList" => return Some("this is a list without its items".to_owned()),
        "Role"
        | "RoleBinding"
        | "ClusterRole"
        | "ClusterRoleBinding"
        | "CustomResourceDefinition"
        | "StorageClass"
        | "PriorityClass" => return Some(only_a_cluster(article, kind)),
        _ if MEANINGLESS.contains(&kind) => return Some(only_a_cluster(article, kind)),
        _ => {
            let (_, why) = CHANGES_PODS.iter().find(|(name, _)| *name == kind)?;
            return Some(format!("this is {article} {kind}: {why}"));
        }
    };
    Some(format!(
        "this is {article} {kind}: barepod runs the Pod it would make; take what is below its {template}, and write \
         apiVersion: v1, kind: Pod and a metadata.name to it"
    ))
}

fn only_a_cluster(article: &str, kind: &str) -> String {
    format!("this is {article} {kind}, which only a cluster has a use for; barepod runs Pods")
}
