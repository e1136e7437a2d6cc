//! What may change of a Job that has begun (R11.17).

use k8s_openapi::api::batch::v1 as batch;
use serde_json::{Map, Value};

use super::super::error::CliError;
use crate::manifest::FieldPath;
use crate::plan::Difference;

/// Fields of its spec, as the API server has them (pkg/apis/batch/validation, `ValidateJobSpecUpdate`).
const MAY_CHANGE: [&str; 7] = [
    "activeDeadlineSeconds",
    "backoffLimit",
    "maxFailedIndexes",
    "parallelism",
    "podReplacementPolicy",
    "suspend",
    "ttlSecondsAfterFinished",
];

/// Fields of its metadata that are only shown.
const SHOWN: [&str; 2] = ["annotations", "labels"];

/// Fields of the spec that are different and can't change; both Jobs have their defaults.
pub(in crate::cli) fn fixed(old: &Value, new: &Value) -> Vec<String> {
    let (old, new) = (&old["spec"], &new["spec"]);
    let none = Map::new();
    let [ours, theirs] = [old, new].map(|spec| spec.as_object().unwrap_or(&none));
    let mut names: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    let is_elastic = new["completionMode"] == "Indexed" && new["completions"] == new["parallelism"];
    let may = |name: &str| MAY_CHANGE.contains(&name) || (is_elastic && name == "completions");
    names.into_iter().filter(|name| old[*name] != new[*name] && !may(name)).cloned().collect()
}

/// The Job with all of another one that may change.
pub(in crate::cli) fn applied(old: &Value, new: &Value) -> Value {
    let mut job = old.clone();
    for (part, fields) in [("spec", &MAY_CHANGE[..]), ("spec", &["completions"]), ("metadata", &SHOWN)] {
        for field in fields {
            match new[part].get(field) {
                Some(value) => job[part][field] = value.clone(),
                None => _ = job[part].as_object_mut().and_then(|part| part.remove(*field)),
            }
        }
    }
    job
}

/// What of a Job is different from what is wanted.
pub(in crate::cli) fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let mut places: Vec<(&str, String)> = fixed(old, new).into_iter().map(|field| ("spec", field)).collect();
    places.extend(MAY_CHANGE.iter().chain(&["completions"]).map(|field| ("spec", (*field).to_owned())));
    places.extend(SHOWN.map(|field| ("metadata", field.to_owned())));
    places.sort();
    places.dedup();
    let difference = |(part, name): (&str, String)| {
        let [old, new] = [old, new].map(|job| job[part].get(&name).cloned());
        let field = FieldPath::root().child(part).child(&name);
        (old != new).then_some(Difference { field, container: None, old, new })
    };
    places.into_iter().filter_map(difference).collect()
}

/// The Job as it is written down.
pub(in crate::cli) fn value(job: &batch::Job) -> Result<Value, CliError> {
    serde_json::to_value(job).map_err(|error| CliError::Words(format!("the Job can't be written down: {error}")))
}

/// For messages, of what [`fixed`] has found.
pub(in crate::cli) fn listed(fields: &[String]) -> String {
    fields.iter().map(|field| format!("spec.{field}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_change() {
        let job = |spec: Value| json!({"metadata": {"name": "pi", "uid": "u", "labels": {"a": "b"}}, "spec": spec});
        let old = job(json!({"parallelism": 2, "completions": 2, "completionMode": "Indexed", "template": {"x": 1}}));
        for (spec, expected) in [
            (json!({"parallelism": 5, "completions": 2, "completionMode": "Indexed", "template": {"x": 1}}), ""),
            (json!({"parallelism": 5, "completions": 5, "completionMode": "Indexed", "template": {"x": 1}}), ""),
            (
                json!({"parallelism": 5, "completions": 4, "completionMode": "Indexed", "template": {"x": 1}}),
                "spec.completions",
            ),
            (
                json!({"parallelism": 3, "completions": 3, "completionMode": "NonIndexed", "template": {"x": 1}}),
                "spec.completionMode, spec.completions",
            ),
            (json!({"parallelism": 2, "completions": 2, "completionMode": "Indexed"}), "spec.template"),
        ] {
            assert_eq!(listed(&fixed(&old, &job(spec))), expected);
        }
        let changed =
            job(json!({"parallelism": 3, "completions": 4, "completionMode": "Indexed", "template": {"x": 1}}));
        let names: Vec<String> = differences(&old, &changed).iter().map(|one| one.field.to_string()).collect();
        assert_eq!(names, ["spec.completions", "spec.parallelism"]);
        assert_eq!(differences(&old, &old), []);
        let new = json!({"metadata": {"name": "pi", "uid": "v"}, "spec": {"parallelism": 1, "suspend": true, "completions": 2}});
        let applied = applied(&old, &new);
        assert_eq!(applied["metadata"], json!({"name": "pi", "uid": "u"}));
        let spec = json!({"parallelism": 1, "completions": 2, "suspend": true, "completionMode": "Indexed", "template": {"x": 1}});
        assert_eq!(applied["spec"], spec);
    }
}
