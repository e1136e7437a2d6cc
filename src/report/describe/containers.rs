//! One container: what it is, how it is, what it may use, what it sees.

use std::collections::BTreeMap;

use barepod_engine::spec::Kind;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::grace;
use super::{NONE, NOTHING, handlers, time};
use crate::plan::as_container;
use crate::report::page::{Field, Page, field};
use crate::store::read::has_ended;

/// An ephemeral container.
pub(super) fn describe_ephemeral(
    page: &mut Page,
    pod: &v1::Pod,
    container: &v1::EphemeralContainer,
    status: &v1::ContainerStatus,
) {
    describe(page, pod, &as_container(container), Kind::Ephemeral, status);
    let target = container.target_container_name.as_ref().filter(|name| !name.is_empty());
    page.fields(&target.map(|name| field(2, "Target", [name])).into_iter().collect::<Vec<_>>());
}

pub(super) fn describe(
    page: &mut Page,
    pod: &v1::Pod,
    container: &v1::Container,
    kind: Kind,
    status: &v1::ContainerStatus,
) {
    page.fields(&[field(1, &container.name, NOTHING)]);
    let mut fields = identity(container, kind, Some(status));
    words(container, &mut fields);
    if has_ended(pod) && waits(status) {
        fields.extend(not_run(status));
    } else {
        state("State", &status.state, &mut fields);
    }
    if status.last_state.as_ref().is_some_and(|last| last.terminated.is_some()) {
        state("Last State", &status.last_state, &mut fields);
    }
    fields.push(field(2, "Ready", [if status.ready { "True" } else { "False" }]));
    fields.push(field(2, "Restart Count", [status.restart_count.to_string()]));
    fields.extend(grace::used(pod, &container.name).map(|used| field(2, "Grace Used", [used])));
    // What is in force, where something is.
    let resources = status.resources.as_ref().or(container.resources.as_ref());
    wanted(container, resources, &mut fields);
    page.fields(&fields);
}

/// One that isn't there yet: of a template.
pub(super) fn describe_template(page: &mut Page, container: &v1::Container) {
    page.fields(&[field(1, &container.name, NOTHING)]);
    let kind = if container.restart_policy.as_deref() == Some("Always") { Kind::Sidecar } else { Kind::Main };
    let mut fields = identity(container, kind, None);
    words(container, &mut fields);
    wanted(container, container.resources.as_ref(), &mut fields);
    page.fields(&fields);
}

fn words(container: &v1::Container, fields: &mut Vec<Field>) {
    let words = |all: &Option<Vec<String>>| all.clone().unwrap_or_default();
    for (key, words) in [("Command", words(&container.command)), ("Args", words(&container.args))] {
        if !words.is_empty() {
            // A word may be a whole script: each of its lines is one here.
            fields.push(field(2, key, words.iter().flat_map(|word| word.split('\n'))));
        }
    }
}

/// What it may use, how it is looked after, and what it sees.
fn wanted(container: &v1::Container, resources: Option<&v1::ResourceRequirements>, fields: &mut Vec<Field>) {
    amounts("Limits", resources.and_then(|all| all.limits.as_ref()), fields);
    amounts("Requests", resources.and_then(|all| all.requests.as_ref()), fields);
    let probes = [
        ("Liveness", &container.liveness_probe),
        ("Readiness", &container.readiness_probe),
        ("Startup", &container.startup_probe),
    ];
    for (key, probe) in probes {
        fields.extend(probe.as_ref().map(|probe| field(2, key, [handlers::probe(probe)])));
    }
    if let Some(lifecycle) = &container.lifecycle {
        for (key, hook) in [("Post Start", &lifecycle.post_start), ("Pre Stop", &lifecycle.pre_stop)] {
            fields.extend(hook.as_ref().map(|hook| field(2, key, [handlers::hook(hook)])));
        }
    }
    environment(container, fields);
    mounts(container, fields);
}

fn identity(container: &v1::Container, kind: Kind, status: Option<&v1::ContainerStatus>) -> Vec<Field> {
    let text = |text: &str| if text.is_empty() { NONE.to_owned() } else { text.to_owned() };
    let mut fields = Vec::new();
    if let Some(policy) = &container.restart_policy {
        let sidecar = if kind == Kind::Sidecar { " (a sidecar)" } else { "" };
        fields.push(field(2, "Restart Policy", [format!("{policy}{sidecar}")]));
    }
    let id = status.map(|status| text(status.container_id.as_deref().unwrap_or_default()));
    fields.extend(id.map(|id| field(2, "Container ID", [id])));
    fields.push(field(2, "Image", [text(container.image.as_deref().unwrap_or_default())]));
    fields.extend(status.map(|status| field(2, "Image ID", [text(&status.image_id)])));
    let ports = container.ports.iter().flatten();
    let list = |number: fn(&v1::ContainerPort) -> i32| {
        let ports = ports.clone().map(|port| {
            let name = port.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            format!("{}/{}{name}", number(port), port.protocol.as_deref().unwrap_or("TCP"))
        });
        text(&ports.collect::<Vec<_>>().join(", "))
    };
    fields.push(field(2, "Ports", [list(|port| port.container_port)]));
    fields.push(field(2, "Host Ports", [list(|port| port.host_port.unwrap_or_default())]));
    fields
}

fn waits(status: &v1::ContainerStatus) -> bool {
    let state = status.state.as_ref();
    state.is_none_or(|state| state.running.is_none() && state.terminated.is_none())
}

/// In a pod that has ended nothing is waited for any more: what the container last waited for is why it doesn't run.
fn not_run(status: &v1::ContainerStatus) -> Vec<Field> {
    let ran = status.last_state.as_ref().is_some_and(|last| last.terminated.is_some());
    let head = if ran { "Not started again: the pod ended before" } else { "Never started: the pod ended before" };
    let waiting = status.state.as_ref().and_then(|state| state.waiting.clone()).unwrap_or_default();
    let mut fields = vec![field(2, "State", [head])];
    if let Some(message) = waiting.message.filter(|message| !message.is_empty()) {
        fields.push(field(3, "Waited For", waiting.reason));
        fields.push(field(3, "Message", message.lines()));
    }
    fields
}

fn state(key: &str, state: &Option<v1::ContainerState>, fields: &mut Vec<Field>) {
    let state = state.clone().unwrap_or_default();
    let more = |key: &str, value: Option<String>| {
        value.filter(|value| !value.is_empty()).map(|value| field(3, key, value.lines()))
    };
    let (head, details) = if let Some(running) = state.running {
        ("Running", vec![more("Started", running.started_at.as_ref().map(time))])
    } else if let Some(ended) = state.terminated {
        let signal = ended.signal.filter(|signal| *signal != 0);
        let details = vec![
            more("Reason", ended.reason),
            more("Message", ended.message),
            more("Exit Code", Some(ended.exit_code.to_string())),
            more("Signal", signal.map(|signal| signal.to_string())),
            more("Started", ended.started_at.as_ref().map(time)),
            more("Finished", ended.finished_at.as_ref().map(time)),
        ];
        ("Terminated", details)
    } else {
        let waiting = state.waiting.unwrap_or_default();
        ("Waiting", vec![more("Reason", waiting.reason), more("Message", waiting.message)])
    };
    fields.push(field(2, key, [head]));
    fields.extend(details.into_iter().flatten());
}

fn amounts(key: &str, list: Option<&BTreeMap<String, Quantity>>, fields: &mut Vec<Field>) {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return };
    fields.push(field(2, key, NOTHING));
    fields.extend(list.iter().map(|(name, amount)| field(3, name, [&amount.0])));
}

fn optional(optional: Option<bool>) -> &'static str {
    if optional == Some(true) { "  Optional: true" } else { "" }
}

fn environment(container: &v1::Container, fields: &mut Vec<Field>) {
    let from: Vec<String> = container.env_from.iter().flatten().map(source).collect();
    if !from.is_empty() {
        fields.push(field(2, "Environment From", from));
    }
    let variables = container.env.as_deref().unwrap_or_default();
    if variables.is_empty() {
        return fields.push(field(2, "Environment", [NONE]));
    }
    fields.push(field(2, "Environment", NOTHING));
    for variable in variables {
        let value = match &variable.value_from {
            None => variable.value.clone().unwrap_or_default(),
            Some(from) => reference(from),
        };
        fields.push(field(3, &variable.name, [value]));
    }
}

/// An entry of `envFrom`.
fn source(from: &v1::EnvFromSource) -> String {
    let prefix = from.prefix.as_ref().filter(|prefix| !prefix.is_empty());
    let prefix = prefix.map(|prefix| format!("  with prefix {prefix}")).unwrap_or_default();
    match (&from.config_map_ref, &from.secret_ref) {
        (Some(one), _) => format!("ConfigMap {}{prefix}{}", one.name, optional(one.optional)),
        (None, Some(one)) => format!("Secret {}{prefix}{}", one.name, optional(one.optional)),
        (None, None) => NONE.to_owned(),
    }
}

/// Where a value comes from; the values of secrets are nobody's to see here.
fn reference(from: &v1::EnvVarSource) -> String {
    if let Some(one) = &from.field_ref {
        format!("({}:{})", one.api_version.as_deref().unwrap_or("v1"), one.field_path)
    } else if let Some(one) = &from.resource_field_ref {
        let of = one.container_name.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        format!("({}{of})", one.resource)
    } else if let Some(one) = &from.config_map_key_ref {
        format!("<key {} of ConfigMap {}>{}", one.key, one.name, optional(one.optional))
    } else if let Some(one) = &from.secret_key_ref {
        format!("<key {} of Secret {}>{}", one.key, one.name, optional(one.optional))
    } else if let Some(one) = &from.file_key_ref {
        format!("<key {} of file {} in volume {}>", one.key, one.path, one.volume_name)
    } else {
        NONE.to_owned()
    }
}

fn mounts(container: &v1::Container, fields: &mut Vec<Field>) {
    let lines = container.volume_mounts.iter().flatten().map(|mount| {
        let mut how = vec![if mount.read_only == Some(true) { "ro" } else { "rw" }.to_owned()];
        let paths = [&mount.sub_path, &mount.sub_path_expr].into_iter().flatten().filter(|path| !path.is_empty());
        how.extend(paths.map(|path| format!("path=\"{path}\"")));
        let words = [&mount.mount_propagation, &mount.recursive_read_only];
        let plain = |word: &&String| !matches!(word.as_str(), "None" | "Disabled" | "");
        how.extend(words.into_iter().flatten().filter(plain).cloned());
        format!("{} from {} ({})", mount.mount_path, mount.name, how.join(","))
    });
    let lines: Vec<String> = lines.collect();
    fields.push(field(2, "Mounts", if lines.is_empty() { vec![NONE.to_owned()] } else { lines }));
}
