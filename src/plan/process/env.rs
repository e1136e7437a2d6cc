//! A container's environment (R10.2 to R10.4).

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{env_file, expansion};
use crate::manifest::quantity::{HUGE_PAGES, Quantity};
use crate::manifest::{Content, Object, ObjectKind};
use crate::plan::container::Ask;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::lifecycle;
use crate::plan::resources::{self, huge_pages, storage};
use crate::plan::security::Identity;
use crate::plan::types::{NodeFacts, Scope};

/// What containerd sets where nobody says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables in the order in which they were first set.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    all: Vec<Variable>,
    /// Where they are in `all`.
    places: HashMap<String, usize>,
    /// What execve would have to take for all of them, in bytes.
    size: usize,
}

#[derive(Debug)]
struct Variable {
    name: String,
    value: String,
    from: From,
}

/// Who has set a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// The image, or we.
    Elsewhere,
    /// Only those are seen by `$(NAME)`.
    Manifest,
}

impl Environment {
    fn set(&mut self, name: &str, value: String, from: From) {
        self.size += value.len();
        match self.places.get(name) {
            Some(&at) => {
                self.size -= self.all[at].value.len();
                self.all[at] = Variable { name: name.to_owned(), value, from };
            }
            None => {
                self.size += name.len() + expansion::EACH;
                self.places.insert(name.to_owned(), self.all.len());
                self.all.push(Variable { name: name.to_owned(), value, from });
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// What the manifest sets it to.
    pub(crate) fn own(&self, name: &str) -> Option<String> {
        let variable = &self.all[*self.places.get(name)?];
        (variable.from == From::Manifest).then(|| variable.value.clone())
    }

    /// `NAME=value`, as the OCI has it.
    pub(crate) fn list(&self) -> Vec<String> {
        self.all.iter().map(|Variable { name, value, .. }| format!("{name}={value}")).collect()
    }

    /// What execve would have to take for it, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

/// HOSTNAME, the image's variables, the manifest's; then PATH and HOME where still missing: libcontainer needs the one
/// and would ask getpwuid for the other.
pub(crate) fn environment(ask: &Ask, identity: &Identity) -> Result<Environment, ConfigError> {
    let mut env = Environment::default();
    env.set("HOSTNAME", ask.plan.sandbox.hostname.clone(), From::Elsewhere);
    for entry in ask.image.base.process().iter().flat_map(|process| process.env().iter().flatten()) {
        match entry.split_once('=') {
            Some((name, value)) if !name.is_empty() => env.set(name, value.to_owned(), From::Elsewhere),
            _ => {
                let advice = "an entry is NAME=value; mend the bundle's config.json";
                return Err(ask.create("process.env", ConfigCause::Unsupported { value: format!("{entry:?}"), advice }));
            }
        }
    }
    for (at, from) in ask.container.env_from.iter().flatten().enumerate() {
        all_keys(ask, at, from, &mut env)?;
    }
    for (at, var) in ask.container.env.iter().flatten().enumerate() {
        let Some(value) = value(ask, at, var, &env)? else { continue };
        env.set(&var.name, value, From::Manifest);
        fits(ask, &env)?;
    }
    if !env.has("PATH") {
        env.set("PATH", PATH.to_owned(), From::Elsewhere);
    }
    if !env.has("HOME") {
        env.set("HOME", identity.home.clone(), From::Elsewhere);
    }
    fits(ask, &env)?;
    match env.all.iter().find(|one| one.name.contains('\0') || one.value.contains('\0')) {
        // Its value may be a secret.
        Some(Variable { name, .. }) => Err(ask.config("env", ConfigCause::Nul { value: name.clone() })),
        None => Ok(env),
    }
}

/// What can never be executed need not be put together first.
fn fits(ask: &Ask, env: &Environment) -> Result<(), ConfigError> {
    if env.size <= expansion::ALL { Ok(()) } else { Err(ask.manifest("env", ConfigCause::AllTooLong)) }
}

/// What the manifest's plain values come to, whatever the others turn out to be.
pub(crate) fn plain_values(ask: &Ask) -> Result<Environment, ConfigError> {
    let mut env = Environment::default();
    for (at, var) in ask.container.env.iter().flatten().enumerate() {
        if var.value_from.is_none() {
            env.set(&var.name, plain(ask, at, var, &env)?, From::Manifest);
            fits(ask, &env)?;
        }
    }
    Ok(env)
}

/// A value that stands in the manifest.
fn plain(ask: &Ask, at: usize, var: &v1::EnvVar, env: &Environment) -> Result<String, ConfigError> {
    let text = var.value.as_deref().unwrap_or_default();
    let most = expansion::STRING.saturating_sub(var.name.len() + 1);
    expansion::expand(text, most, |name| env.own(name))
        .map_err(|_| ask.manifest(&format!("env[{at}] ({})", var.name), ConfigCause::TooLong))
}

/// The value of one variable; `None`: it is optional and not there.
fn value(ask: &Ask, at: usize, var: &v1::EnvVar, env: &Environment) -> Result<Option<String>, ConfigError> {
    let field = |rest: &str| format!("env[{at}].valueFrom.{rest}");
    let Some(from) = &var.value_from else {
        return plain(ask, at, var, env).map(Some);
    };
    if let Some(from) = &from.field_ref {
        return match pod_field(ask, &from.field_path) {
            Some(value) => Ok(Some(value)),
            None => {
                let cause = ConfigCause::FieldPath { path: from.field_path.clone() };
                Err(ask.config(field("fieldRef.fieldPath"), cause))
            }
        };
    }
    if let Some(from) = &from.resource_field_ref {
        return resource(ask.spec, ask.node, Some(ask.container), from)
            .map(Some)
            .map_err(|cause| ask.config(field("resourceFieldRef"), cause));
    }
    let (name, kind, object, key, optional) = match from {
        v1::EnvVarSource { config_map_key_ref: Some(from), .. } => {
            ("configMapKeyRef", ObjectKind::ConfigMap, &from.name, &from.key, from.optional)
        }
        v1::EnvVarSource { secret_key_ref: Some(from), .. } => {
            ("secretKeyRef", ObjectKind::Secret, &from.name, &from.key, from.optional)
        }
        v1::EnvVarSource { file_key_ref: Some(from), .. } => {
            return env_file::value(ask, from).map_err(|cause| ask.config(field("fileKeyRef"), cause));
        }
        // Validation has seen that there is one.
        _ => return Ok(None),
    };
    let Some(found) = object_of(ask, kind, object, optional).map_err(|cause| ask.config(field(name), cause))? else {
        return Ok(None);
    };
    match found.data.get(key) {
        Some(content) => text(content, key).map(Some).map_err(|cause| ask.config(field(name), cause)),
        None if optional == Some(true) => Ok(None),
        None => {
            let (kind, object, key) = (kind.name(), object.clone(), key.clone());
            Err(ask.config(field(name), ConfigCause::NoSuchKey { kind, object, key }))
        }
    }
}

/// R10.3: all keys of an object, before `env`, which may replace them and refer to them.
fn all_keys(ask: &Ask, at: usize, from: &v1::EnvFromSource, env: &mut Environment) -> Result<(), ConfigError> {
    let (kind, name, optional) = match from {
        v1::EnvFromSource { config_map_ref: Some(from), .. } => (ObjectKind::ConfigMap, &from.name, from.optional),
        v1::EnvFromSource { secret_ref: Some(from), .. } => (ObjectKind::Secret, &from.name, from.optional),
        _ => return Ok(()),
    };
    let failed = |cause| ask.config(format!("envFrom[{at}]"), cause);
    let Some(found) = object_of(ask, kind, name, optional).map_err(failed)? else { return Ok(()) };
    for (key, content) in &found.data {
        let value = text(content, key).map_err(failed)?;
        let name = format!("{}{key}", from.prefix.as_deref().unwrap_or_default());
        env.set(&name, value, From::Manifest);
    }
    Ok(())
}

/// `None`: it is optional and not there.
fn object_of<'a>(
    ask: &Ask<'a>,
    kind: ObjectKind,
    name: &str,
    optional: Option<bool>,
) -> Result<Option<&'a Object>, ConfigCause> {
    let namespace = ask.pod.metadata.namespace.as_deref().unwrap_or("default");
    match ask.plan.objects.get(kind, namespace, name) {
        None if optional != Some(true) => Err(ConfigCause::NoSuchObject { kind: kind.name(), name: name.to_owned() }),
        found => Ok(found),
    }
}

fn text(content: &Content, key: &str) -> Result<String, ConfigCause> {
    String::from_utf8(content.0.clone()).map_err(|_| ConfigCause::NoText { key: key.to_owned() })
}

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
fn pod_field(ask: &Ask, path: &str) -> Option<String> {
    // A variable holds no whole map.
    if !matches!(path, "metadata.labels" | "metadata.annotations")
        && let Some(value) = metadata_field(&ask.pod.metadata, path)
    {
        return Some(value);
    }
    let host_network = ask.plan.sandbox.network == Scope::Host;
    let ips = if host_network && ask.sandbox.pod_ips.is_empty() { &ask.node.host_ips } else { &ask.sandbox.pod_ips };
    Some(match path {
        "spec.nodeName" => ask.node.hostname.clone(),
        "spec.serviceAccountName" => ask.spec.service_account_name.clone().unwrap_or_else(|| "default".to_owned()),
        "status.hostIP" => ask.node.host_ips.first().cloned().unwrap_or_default(),
        "status.hostIPs" => ask.node.host_ips.join(","),
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
        (name, _) => lifecycle::containers(spec)
            .map(|(_, _, container)| container)
            .find(|container| container.name == name)
            .ok_or_else(|| ConfigCause::NoSuchContainer { name: name.to_owned() })?,
    };
    let divisor = divisor(from.divisor.as_ref())?;
    let (requests, limits) = (resources::requests(container), resources::limits(container));
    let (amount, unit) = match from.resource.as_str() {
        "limits.cpu" => {
            (limits.cpu.map_or(u64::from(node.cpus) * 1000, |cpu| cpu.0), resources::natural(divisor.milli()))
        }
        "requests.cpu" => (requests.cpu.map_or(0, |cpu| cpu.0), resources::natural(divisor.milli())),
        "limits.memory" => (limits.memory.map_or(node.memory, |memory| memory.0), resources::natural(divisor.units())),
        "requests.memory" => (requests.memory.map_or(0, |memory| memory.0), resources::natural(divisor.units())),
        "limits.ephemeral-storage" => {
            // As of cpu and memory, none and zero are the same.
            let limit = storage::of(container).1.filter(|limit| *limit > 0);
            (limit.unwrap_or(node.storage), resources::natural(divisor.units()))
        }
        "requests.ephemeral-storage" => {
            let (request, limit) = storage::of(container);
            (request.or(limit).unwrap_or(0), resources::natural(divisor.units()))
        }
        other => match other.strip_prefix("limits.").or_else(|| other.strip_prefix("requests.")) {
            Some(name) if name.starts_with(HUGE_PAGES) => {
                (huge_pages::of(container, name).unwrap_or(0), resources::natural(divisor.units()))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A bundle may have 200,000 variables: each is found at once among the others, which stay in their order.
    #[test]
    fn many_variables_are_no_search() {
        let began = std::time::Instant::now();
        let mut env = Environment::default();
        for round in ["first", "second"] {
            for number in 0..200_000 {
                env.set(&format!("VARIABLE_{number}"), round.to_owned(), From::Manifest);
            }
        }
        let list = env.list();
        assert_eq!((list.len(), &*list[0], &*list[199_999]), (200_000, "VARIABLE_0=second", "VARIABLE_199999=second"));
        assert_eq!(env.size(), list.iter().map(|one| one.len() - 1 + expansion::EACH).sum::<usize>());
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }
}
