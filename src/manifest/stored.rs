//! What barepod has written of the API's types itself, as JSON (`pod.json`, requests of its own commands), read again. By the walk
//! that reads manifests: a second reader of all types of a Pod, serde_json's, would be a third of a MiB of the binary.

use serde::Deserialize;
use serde::de::Error as _;

use super::de;
use super::scalar::{Meaning, Scalar};
use super::tree::{Entry, Mapping, Node, Value};

/// Reads JSON that was valid when it was written. Fields that this version doesn't know are left out, as serde does by itself: a
/// newer one may have written them.
///
/// # Errors
/// It isn't JSON, or something in it has another type than its field.
pub fn from_json<T: Deserialize<'static> + Default>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    let read = de::from_own(&node(serde_json::from_slice(bytes)?));
    match read.found.first() {
        None => Ok(read.value),
        Some(first) => Err(serde_json::Error::custom(format!("{}: {}", first.field, first.message))),
    }
}

/// A tree without places: nobody is shown a line of a text that no person has written.
fn node(value: serde_json::Value) -> Node {
    let scalar = |meaning, text: String| Value::Scalar(Scalar { text, meaning });
    let value = match value {
        serde_json::Value::Null => scalar(Meaning::Null, String::new()),
        serde_json::Value::Bool(value) => scalar(Meaning::Bool(value), value.to_string()),
        serde_json::Value::Number(number) => match number.as_i128() {
            Some(whole) => scalar(Meaning::Integer(whole), number.to_string()),
            None => scalar(Meaning::Fraction, number.to_string()),
        },
        serde_json::Value::String(text) => scalar(Meaning::Text, text),
        serde_json::Value::Array(items) => Value::Sequence(items.into_iter().map(node).collect()),
        serde_json::Value::Object(entries) => {
            let entry = |(key, value)| Entry { key, key_span: 0..0, value: node(value) };
            Value::Mapping(Mapping { entries: entries.into_iter().map(entry).collect(), duplicates: Vec::new() })
        }
    };
    Node { value, span: 0..0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use k8s_openapi::api::core::v1;
    use serde_json::json;

    use super::*;

    /// All that a Pod can have, by serde_json and by this: the same.
    #[test]
    fn a_pod_is_what_serde_json_reads() {
        let text = serde_json::to_vec(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web", "labels": {"a": "1", "yes": "no"}, "creationTimestamp": "2026-11-23T12:00:00Z"},
            "spec": {
                "terminationGracePeriodSeconds": 5, "hostNetwork": false,
                "containers": [{
                    "name": "main", "image": "nginx:1.27", "command": ["sh", "-c", "echo \u{e4}"], "env": [{"name": "E", "value": ""}],
                    "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}},
                    "ports": [{"containerPort": 80}],
                    "livenessProbe": {"httpGet": {"port": "web", "path": "/"}},
                    "readinessProbe": {"tcpSocket": {"port": 80}},
                }],
                "volumes": [{"name": "v", "emptyDir": {}}, {"name": "p", "projected": {"sources": [{"secret": {"name": "s"}}]}}],
            },
            "status": {
                "phase": "Running", "startTime": "2026-11-23T12:00:00.5Z",
                "containerStatuses": [{
                    "name": "main", "image": "nginx:1.27", "imageID": "x", "ready": true, "restartCount": 3,
                    "state": {"running": {"startedAt": "2026-11-23T12:00:01Z"}},
                    "lastState": {"terminated": {"exitCode": 1, "message": "half a line\u{0} and the rest"}},
                }],
            },
        }))
        .unwrap();
        assert_eq!(from_json::<v1::Pod>(&text).unwrap(), serde_json::from_slice::<v1::Pod>(&text).unwrap());
    }

    #[test]
    fn what_a_newer_version_has_written_is_left_out() {
        let pod: v1::Pod = from_json(
            br#"{"apiVersion":"v1","kind":"Pod","new":{"a":[1.5]},"metadata":{"name":"p"},"spec":{"containers":[],"nodeName":"n"}}"#,
        )
        .unwrap();
        assert_eq!((pod.metadata.name.as_deref(), pod.spec.unwrap().node_name.as_deref()), (Some("p"), Some("n")));
    }

    #[test]
    fn what_is_torn_or_of_another_type_is_an_error() {
        let error = |text: &str| from_json::<v1::Pod>(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error(r#"{"apiVersion":"v1","#), "EOF while parsing a value at line 1 column 19");
        assert_eq!(
            error(r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":7}}"#),
            "metadata.name: Invalid value: 7: must be a string"
        );
    }
}
