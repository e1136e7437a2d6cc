//! What is different between a pod that runs and a manifest that could take its place, field by field. Both have the API
//! server's defaults, so that a field that is only written out is no difference.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;
use serde_json::{Map, Value};

use crate::manifest::FieldPath;
use crate::manifest::quantity::Quantity;

/// A field that is not the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where the manifest has it; what it lacks, where the running pod has it.
    pub field: FieldPath,
    /// The container that it is a field of.
    pub container: Option<String>,
    /// What the pod runs with; `None`: it has no such field.
    pub old: Option<Value>,
    /// What the manifest says.
    pub new: Option<Value>,
}

/// Maps whose keys are anybody's.
const MAPS: [&str; 7] = ["annotations", "labels", "limits", "matchLabels", "nodeSelector", "overhead", "requests"];
/// What an item of a list is known by, in the order in which they are tried.
const KEYS: [&str; 5] = ["name", "mountPath", "devicePath", "containerPort", "key"];
/// Lists whose order means something though their items have names.
const ORDERED: [&str; 3] = ["containers", "env", "initContainers"];
/// Fields that hold a quantity: `1` and `1000m` are the same.
const QUANTITIES: [&str; 5] = ["divisor", "limits", "overhead", "requests", "sizeLimit"];

/// All differences in labels, annotations and spec, in the order of the fields' names. What the manifest leaves open for whoever
/// runs it (uid, node) is no difference.
#[must_use]
pub fn diff(running: &v1::Pod, wanted: &v1::Pod) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    let metadata = FieldPath::root().child("metadata");
    let uid = |pod: &v1::Pod| pod.metadata.uid.clone().map(Value::String);
    if wanted.metadata.uid.is_some() {
        found.compare(&metadata.child("uid"), None, uid(running).as_ref(), uid(wanted).as_ref(), Meaning::Text);
    }
    let maps = |pod: &v1::Pod| [pod.metadata.annotations.clone(), pod.metadata.labels.clone()].map(of_map);
    for (name, (old, new)) in ["annotations", "labels"].iter().zip(maps(running).iter().zip(&maps(wanted))) {
        found.compare(&metadata.child(name), None, Some(old), Some(new), Meaning::Text);
    }
    let mut spec = wanted.spec.clone();
    if let (Some(spec), Some(running)) = (&mut spec, &running.spec)
        && spec.node_name.is_none()
    {
        spec.node_name.clone_from(&running.node_name);
    }
    // They are added to a pod that runs, and no manifest has them.
    if let (Some(spec), Some(running)) = (&mut spec, &running.spec)
        && spec.ephemeral_containers.is_none()
    {
        spec.ephemeral_containers.clone_from(&running.ephemeral_containers);
    }
    let of = |spec: &Option<v1::PodSpec>| serde_json::to_value(spec).unwrap_or_default();
    found.compare(&FieldPath::root().child("spec"), None, Some(&of(&running.spec)), Some(&of(&spec)), Meaning::Text);
    found.0
}

fn of_map(map: Option<BTreeMap<String, String>>) -> Value {
    Value::Object(map.into_iter().flatten().map(|(key, value)| (key, Value::String(value))).collect())
}

/// What the texts below a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Text,
    Quantity,
}

struct Found(Vec<Difference>);

impl Found {
    fn compare(
        &mut self,
        field: &FieldPath,
        container: Option<&str>,
        old: Option<&Value>,
        new: Option<&Value>,
        meaning: Meaning,
    ) {
        let (old, new) = (old.filter(is_said), new.filter(is_said));
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => self.objects(field, container, old, new, meaning),
            (Some(Value::Array(old)), Some(Value::Array(new))) => self.lists(field, container, old, new, meaning),
            (old, new) if old == new || meaning == Meaning::Quantity && is_same_amount(old, new) => {}
            (old, new) => self.0.push(Difference {
                field: field.clone(),
                container: container.map(str::to_owned),
                old: old.cloned(),
                new: new.cloned(),
            }),
        }
    }

    fn objects(
        &mut self,
        field: &FieldPath,
        container: Option<&str>,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        meaning: Meaning,
    ) {
        let is_map = field.last().is_some_and(|name| MAPS.contains(&name));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let below = if is_map { field.key(name) } else { field.child(name) };
            let meaning = if QUANTITIES.contains(&name.as_str()) { Meaning::Quantity } else { meaning };
            self.compare(&below, container, old.get(name), new.get(name), meaning);
        }
    }

    fn lists(&mut self, field: &FieldPath, container: Option<&str>, old: &[Value], new: &[Value], meaning: Meaning) {
        let name = field.last().unwrap_or_default();
        let are_containers = matches!(name, "containers" | "initContainers" | "ephemeralContainers");
        let Some(key) = KEYS.iter().find(|key| names_each(key, old) && names_each(key, new)) else {
            // Commands, arguments: one thing, where no item is an object.
            if old.iter().chain(new).all(|one| !one.is_object()) {
                if old != new {
                    self.push(field, container, old, new);
                }
                return;
            }
            for index in 0..old.len().max(new.len()) {
                self.compare(&field.index(index), container, old.get(index), new.get(index), meaning);
            }
            return;
        };
        let of = |one: &Value| one.get(key).cloned().unwrap_or_default();
        for (index, item) in new.iter().enumerate() {
            let before = old.iter().find(|one| of(one) == of(item));
            let container = if are_containers { item["name"].as_str() } else { container };
            self.compare(&field.index(index), container, before, Some(item), meaning);
        }
        for (index, item) in old.iter().enumerate() {
            if !new.iter().any(|one| of(one) == of(item)) {
                let container = if are_containers { item["name"].as_str() } else { container };
                self.compare(&field.index(index), container, Some(item), None, meaning);
            }
        }
        let common = |list: &[Value], other: &[Value]| -> Vec<Value> {
            list.iter().map(of).filter(|name| other.iter().any(|one| of(one) == *name)).collect()
        };
        let (before, after) = (common(old, new), common(new, old));
        if ORDERED.contains(&name) && before != after {
            self.push(field, container, &before, &after);
        }
    }

    fn push(&mut self, field: &FieldPath, container: Option<&str>, old: &[Value], new: &[Value]) {
        self.0.push(Difference {
            field: field.clone(),
            container: container.map(str::to_owned),
            old: Some(Value::Array(old.to_vec())),
            new: Some(Value::Array(new.to_vec())),
        });
    }
}

/// An empty list says as much as none.
fn is_said(value: &&Value) -> bool {
    !value.is_null() && !value.as_array().is_some_and(Vec::is_empty)
}

/// Whether each item has such a field, and each another.
fn names_each(key: &str, list: &[Value]) -> bool {
    let names: Option<Vec<String>> = list.iter().map(|one| Some(one.as_object()?.get(key)?.to_string())).collect();
    names.is_some_and(|names| names.iter().collect::<BTreeSet<_>>().len() == names.len())
}

fn is_same_amount(old: Option<&Value>, new: Option<&Value>) -> bool {
    let amount = |value: Option<&Value>| Quantity::parse(value?.as_str()?).ok();
    matches!((amount(old), amount(new)), (Some(old), Some(new)) if old == new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::apply_defaults;

    fn pod(value: Value) -> v1::Pod {
        let mut pod: v1::Pod = serde_json::from_value(value).unwrap();
        apply_defaults(&mut pod);
        pod
    }

    fn web() -> Value {
        json!({
            "metadata": {"name": "web", "labels": {"app": "web", "tier/x.y": "back"}},
            "spec": {
                "initContainers": [{"name": "proxy", "image": "rootfs:/p", "restartPolicy": "Always"}],
                "containers": [{
                    "name": "main", "image": "rootfs:/a", "command": ["sh", "-c", "true"],
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}]
                }],
                "volumes": [{"name": "v", "emptyDir": {}}]
            }
        })
    }

    /// One line for each: where, of which container, before and after.
    fn told(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut running = pod(web());
        running.metadata.uid = Some("u-1".to_owned());
        running.spec.as_mut().unwrap().node_name = Some("box".to_owned());
        let mut wanted = web();
        change(&mut wanted);
        let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let line = |one: &Difference| {
            let of = one.container.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
            format!("{}{of}: {} > {}", one.field, text(&one.old), text(&one.new))
        };
        diff(&running, &pod(wanted)).iter().map(line).collect()
    }

    #[test]
    fn what_is_the_same() {
        assert_eq!(told(|_| {}), [""; 0]);
        assert_eq!(
            told(|pod| {
                // Written out, or in other words.
                pod["spec"]["restartPolicy"] = json!("Always");
                pod["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1000m");
                pod["spec"]["containers"][0]["resources"]["requests"] = json!({"memory": "65536Ki"});
                pod["spec"]["containers"][0]["args"] = json!([]);
                pod["metadata"]["annotations"] = json!({});
            }),
            [""; 0]
        );
    }

    #[test]
    fn what_is_different() {
        let told = told(|pod| {
            pod["metadata"]["labels"] = json!({"app": "web", "tier/x.y": "front"});
            pod["metadata"]["annotations"] = json!({"note": "new"});
            pod["metadata"]["uid"] = json!("u-2");
            pod["spec"]["activeDeadlineSeconds"] = json!(60);
            let main = &mut pod["spec"]["containers"][0];
            main["image"] = json!("rootfs:/b");
            main["command"] = json!(["sh", "-c", "false"]);
            main["env"] = json!([{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]);
            main["resources"]["limits"]["memory"] = json!("128Mi");
            main["volumeMounts"] = json!([]);
            pod["spec"]["volumes"] = json!([{"name": "w", "emptyDir": {}}]);
        });
        assert_eq!(
            told,
            [
                "metadata.uid: \"u-1\" > \"u-2\"",
                "metadata.annotations[note]: - > \"new\"",
                "metadata.labels[tier/x.y]: \"back\" > \"front\"",
                "spec.activeDeadlineSeconds: - > 60",
                "spec.containers[0].command of main: [\"sh\",\"-c\",\"true\"] > [\"sh\",\"-c\",\"false\"]",
                "spec.containers[0].env[1].value of main: \"1\" > \"3\"",
                "spec.containers[0].env of main: [\"A\",\"B\"] > [\"B\",\"A\"]",
                "spec.containers[0].image of main: \"rootfs:/a\" > \"rootfs:/b\"",
                "spec.containers[0].resources.limits[memory] of main: \"64Mi\" > \"128Mi\"",
                "spec.containers[0].resources.requests[memory] of main: \"64Mi\" > \"128Mi\"",
                "spec.containers[0].volumeMounts of main: [{\"mountPath\":\"/v\",\"name\":\"v\"}] > -",
                "spec.volumes[0]: - > {\"emptyDir\":{},\"name\":\"w\"}",
                "spec.volumes[0]: {\"emptyDir\":{},\"name\":\"v\"} > -",
            ]
        );
    }

    /// Known by their names, wherever they stand.
    #[test]
    fn containers_that_come_and_go() {
        let told = told(|pod| {
            let main = pod["spec"]["containers"][0].clone();
            pod["spec"]["containers"] = json!([{"name": "new", "image": "rootfs:/n"}, main]);
            pod["spec"]["initContainers"] = json!([]);
        });
        let places: Vec<&str> = told.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(places, ["spec.containers[0] of new", "spec.initContainers"]);
    }
}
