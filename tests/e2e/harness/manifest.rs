//! Manifests, put together in code.

use serde_json::{Map, Value, json};

/// A pod's manifest.
#[derive(Clone)]
pub struct Manifest(Value);

/// A container that runs `script` by a shell and sees the trace folder as /t. The script reaches the shell as it is:
/// nothing in it is expanded by the pod (R10.2), as `$` is doubled.
pub fn worker(name: &str, script: &str) -> Value {
    json!({
        "name": name, "image": "IMAGE", "command": ["sh", "-c", script.replace('$', "$$")],
        "volumeMounts": [{"name": "t", "mountPath": "/t"}]
    })
}

/// [`worker`], as a sidecar.
pub fn sidecar(name: &str, script: &str) -> Value {
    merged(worker(name, script), json!({"restartPolicy": "Always"}))
}

/// [`worker`] with more fields; lists are joined.
pub fn main(name: &str, script: &str, more: Value) -> Value {
    merged(worker(name, script), more)
}

/// A probe's timeout, in seconds, where the test isn't about timeouts: an emulated machine may take longer than the one
/// second that is the default.
pub const PATIENT: u32 = 30;

/// A probe that runs `script` by a shell every second, and whose every result counts.
pub fn probe(script: &str) -> Value {
    let command = ["sh", "-c", &script.replace('$', "$$")];
    json!({"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": PATIENT})
}

/// A hook that runs `script` by a shell. Nothing is expanded in it (R7.4).
pub fn hook(script: &str) -> Value {
    json!({"exec": {"command": ["sh", "-c", script]}})
}

impl Manifest {
    /// A pod with the trace folder as volume, restartPolicy Never and a short grace period.
    pub fn new(name: &str, uid: &str) -> Self {
        Self(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "uid": uid},
            "spec": {
                "restartPolicy": "Never", "terminationGracePeriodSeconds": 10,
                "volumes": [{"name": "t", "hostPath": {"path": "TRACE", "type": "Directory"}}],
                "initContainers": [], "containers": []
            }
        }))
    }

    /// Adds an init container or a sidecar.
    pub fn init(self, container: Value) -> Self {
        self.push("initContainers", container)
    }

    /// Adds a sidecar that runs `script`.
    pub fn sidecar(self, name: &str, script: &str) -> Self {
        self.init(sidecar(name, script))
    }

    /// Adds a main container that runs `script`.
    pub fn main(self, name: &str, script: &str) -> Self {
        self.container(worker(name, script))
    }

    /// Adds a main container.
    pub fn container(self, container: Value) -> Self {
        self.push("containers", container)
    }

    /// Merges into the spec; lists are joined.
    pub fn spec(mut self, more: Value) -> Self {
        let spec = self.0["spec"].take();
        self.0["spec"] = merged(spec, more);
        self
    }

    /// Merges into the metadata.
    pub fn metadata(mut self, more: Value) -> Self {
        let metadata = self.0["metadata"].take();
        self.0["metadata"] = merged(metadata, more);
        self
    }

    /// The manifest as text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap()
    }

    fn push(mut self, list: &str, container: Value) -> Self {
        self.0["spec"][list].as_array_mut().unwrap().push(container);
        self
    }
}

fn merged(old: Value, new: Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => Value::Object(merged_maps(old, new)),
        (Value::Array(mut old), Value::Array(new)) => {
            old.extend(new);
            Value::Array(old)
        }
        (_, new) => new,
    }
}

fn merged_maps(mut old: Map<String, Value>, new: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in new {
        // A command replaces a command.
        let value = match old.remove(&key) {
            Some(before) if key != "command" => merged(before, value),
            _ => value,
        };
        old.insert(key, value);
    }
    old
}
