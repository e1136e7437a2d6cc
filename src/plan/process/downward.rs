//! The downward API: fields and resources of the pod as text, for variables and files (R10.4).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::manifest::quantity::{HUGE_PAGES, Quantity};
use crate::plan::error::ConfigCause;
use crate::plan::facts::NodeFacts;
use crate::plan::identity;
use crate::plan::inputs::Inputs;
use crate::plan::resources::{amounts, huge_pages, storage};

/// The fields that are known before there is a sandbox; `None`: not one of them. A label or annotation that isn't there
/// is empty, as in the kubelet; all of them are for files only.
pub(crate) fn metadata_field(meta: &ObjectMeta, path: &str) -> Option<String> {
    if let Some((map, key)) = subscript(path) {
        let map = match map {
            "metadata.labels" => &meta.labels,
            "metadata.annotations" => &meta.annotations,
            _ => return None,
        };
        return Some(map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default());
    }
    Some(match path {
        "metadata.name" => meta.name.clone().unwrap_or_default(),
        "metadata.namespace" => meta.namespace.clone().unwrap_or_default(),
        "metadata.uid" => meta.uid.clone().unwrap_or_default(),
        "metadata.labels" => lines(meta.labels.as_ref()),
        "metadata.annotations" => lines(meta.annotations.as_ref()),
        _ => return None,
    })
}

/// `key="value"`, one a line, sorted, as the kubelet writes maps into files.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> = map.into_iter().flatten().map(|(key, value)| format!("{key}={}", quoted(value))).collect();
    lines.join("\n")
}

/// A text as Go's `%q` has it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// R10.4; `None`: not a field that can be had.
pub(super) fn pod_field(inputs: &Inputs, path: &str) -> Option<String> {
    // A variable holds no whole map.
    if !matches!(path, "metadata.labels" | "metadata.annotations")
        && let Some(value) = metadata_field(&inputs.pod.metadata, path)
    {
        return Some(value);
    }
    let ips = &inputs.sandbox.pod_ips;
    Some(match path {
        "spec.nodeName" => inputs.node.hostname.clone(),
        "spec.serviceAccountName" => inputs.spec().service_account_name.clone().unwrap_or_else(|| "default".to_owned()),
        "status.hostIP" => inputs.node.host_ips.first().cloned().unwrap_or_default(),
        "status.hostIPs" => inputs.node.host_ips.join(","),
        "status.podIP" => ips.first().cloned().unwrap_or_default(),
        "status.podIPs" => ips.join(","),
        _ => return None,
    })
}

/// `map['key']`
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, key) = path.split_once("['")?;
    Some((map, key.strip_suffix("']")?))
}

/// R10.4: limits and requests, rounded up to the divisor; a limit that isn't set is the node's capacity.
pub(crate) fn resource(
    spec: &v1::PodSpec,
    node: &NodeFacts,
    own: Option<&v1::Container>,
    from: &v1::ResourceFieldSelector,
) -> Result<String, ConfigCause> {
    let container = match (from.container_name.as_deref().unwrap_or_default(), own) {
        ("", Some(own)) => own,
        (name, _) => identity::containers(spec)
            .map(|one| one.manifest)
            .find(|container| container.name == name)
            .ok_or_else(|| ConfigCause::NoSuchContainer { name: name.to_owned() })?,
    };
    let divisor = divisor(from.divisor.as_ref())?;
    let (requests, limits) = (amounts::requests(container), amounts::limits(container));
    let (amount, unit) = match from.resource.as_str() {
        "limits.cpu" => {
            (limits.cpu.map_or(u64::from(node.cpus) * 1000, |cpu| cpu.0), amounts::natural(divisor.milli()))
        }
        "requests.cpu" => (requests.cpu.map_or(0, |cpu| cpu.0), amounts::natural(divisor.milli())),
        "limits.memory" => (limits.memory.map_or(node.memory, |memory| memory.0), amounts::natural(divisor.units())),
        "requests.memory" => (requests.memory.map_or(0, |memory| memory.0), amounts::natural(divisor.units())),
        "limits.ephemeral-storage" => {
            // As of cpu and memory, none and zero are the same.
            let limit = storage::of(container).1.filter(|limit| *limit > 0);
            (limit.unwrap_or(node.storage), amounts::natural(divisor.units()))
        }
        "requests.ephemeral-storage" => {
            let (request, limit) = storage::of(container);
            (request.or(limit).unwrap_or(0), amounts::natural(divisor.units()))
        }
        other => match other.strip_prefix("limits.").or_else(|| other.strip_prefix("requests.")) {
            Some(name) if name.starts_with(HUGE_PAGES) => {
                (huge_pages::of(container, name).unwrap_or(0), amounts::natural(divisor.units()))
            }
            _ => return Err(ConfigCause::Resource { resource: other.to_owned() }),
        },
    };
    Ok(amount.div_ceil(unit.max(1)).to_string())
}

/// Absent or zero is one.
fn divisor(text: Option<&Text>) -> Result<Quantity, ConfigCause> {
    let one = Quantity::parse("1").unwrap_or_default();
    let Some(text) = text.filter(|text| !text.0.is_empty()) else { return Ok(one) };
    let quantity = Quantity::parse(&text.0)
        .ok()
        .filter(|quantity| *quantity >= Quantity::default())
        .ok_or_else(|| ConfigCause::Quantity { value: text.0.clone(), cause: "1, 1m, 1k, 1Mi and the like are" })?;
    Ok(if quantity == Quantity::default() { one } else { quantity })
}
