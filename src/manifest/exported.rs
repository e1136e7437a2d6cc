//! A pod as a cluster gives it out (`kubectl get pod -o yaml`): what an admission controller of the cluster put into it and
//! nobody here can serve. What its fields mean here is told by their fates (`fields`).

use super::diagnostic::{Aim, Diagnostic};
use super::path::FieldPath;
use super::tree::{Mapping, Node, Value, place};

/// What the names of volumes begin with that the controller of service accounts adds to each pod, with a mount in each
/// container: the account's token, and how to get to the API server.
const TOKEN_VOLUMES: &str = "kube-api-access-";

/// Takes the volumes of service accounts out, with their mounts; a warning for each. A projection of tokens that somebody
/// wrote into a manifest isn't one of them.
pub(super) fn leave_tokens_out(pod: &mut Node, text: &str) -> Vec<Diagnostic> {
    let Some(spec) = map_of(pod).and_then(|pod| field(pod, "spec")).and_then(map_of) else { return Vec::new() };
    let volumes = field(spec, "volumes").and_then(items_of);
    let mut names = Vec::new();
    let mut warnings = Vec::new();
    for volume in volumes.iter().flat_map(|volumes| volumes.iter()) {
        if let Some(name) = text_at(volume, "name").filter(|name| name.starts_with(TOKEN_VOLUMES) && has_token(volume))
        {
            let field = FieldPath::root().child("spec.volumes");
            let said = format!("{name} is left out, with its mounts: there is no API server to issue tokens");
            let mut warning = Diagnostic::warning(&field, said);
            warning.location = Some(place(text, &volume.locate(&FieldPath::root().child("name"), Aim::Value)));
            warnings.push(warning);
            names.push(name.to_owned());
        }
    }
    let names_one = |node: &Node| text_at(node, "name").is_some_and(|name| names.iter().any(|known| known == name));
    if names.is_empty() {
        return warnings;
    }
    if let Some(volumes) = volumes {
        volumes.retain(|volume| !names_one(volume));
    }
    for list in ["initContainers", "containers"] {
        for container in field(spec, list).and_then(items_of).into_iter().flatten() {
            if let Some(mounts) =
                map_of(container).and_then(|container| field(container, "volumeMounts")).and_then(items_of)
            {
                mounts.retain(|mount| !names_one(mount));
            }
        }
    }
    warnings
}

fn has_token(volume: &Node) -> bool {
    let sources = volume.get("projected").and_then(|entry| entry.value.get("sources")).map(|entry| &entry.value.value);
    let Some(Value::Sequence(sources)) = sources else { return false };
    sources.iter().any(|source| source.get("serviceAccountToken").is_some())
}

fn text_at<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    match &node.get(key)?.value.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

fn map_of(node: &mut Node) -> Option<&mut Mapping> {
    match &mut node.value {
        Value::Mapping(mapping) => Some(mapping),
        Value::Scalar(_) | Value::Sequence(_) => None,
    }
}

fn items_of(node: &mut Node) -> Option<&mut Vec<Node>> {
    match &mut node.value {
        Value::Sequence(items) => Some(items),
        Value::Scalar(_) | Value::Mapping(_) => None,
    }
}

fn field<'m>(mapping: &'m mut Mapping, key: &str) -> Option<&'m mut Node> {
    mapping.entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
}
