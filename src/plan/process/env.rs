//! A container's environment (R10.2 to R10.4).

use std::collections::HashMap;

use k8s_openapi::api::core::v1;

use super::{downward, env_file, expansion};
use crate::manifest::{Content, Object, ObjectKind};
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::inputs::Inputs;

/// What containerd sets where nobody says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Likewise, where there is a terminal.
const TERM: &str = "xterm";

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
    set_by: SetBy,
}

/// Who has set a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SetBy {
    /// The image, or we.
    Elsewhere,
    /// Only those are seen by `$(NAME)`.
    Manifest,
}

impl Environment {
    fn set(&mut self, name: &str, value: String, set_by: SetBy) {
        self.size += value.len();
        match self.places.get(name) {
            Some(&at) => {
                self.size -= self.all[at].value.len();
                self.all[at] = Variable { name: name.to_owned(), value, set_by };
            }
            None => {
                self.size += name.len() + expansion::EACH;
                self.places.insert(name.to_owned(), self.all.len());
                self.all.push(Variable { name: name.to_owned(), value, set_by });
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// What the manifest sets it to.
    pub(crate) fn own(&self, name: &str) -> Option<String> {
        let variable = &self.all[*self.places.get(name)?];
        (variable.set_by == SetBy::Manifest).then(|| variable.value.clone())
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

/// HOSTNAME, the image's variables, the manifest's; then PATH, HOME and a terminal's TERM where still missing: libcontainer
/// needs the first and would ask getpwuid for the second.
pub(crate) fn environment(inputs: &Inputs, home: &str) -> Result<Environment, ConfigError> {
    let mut env = Environment::default();
    env.set("HOSTNAME", inputs.sandbox_plan.hostname.clone(), SetBy::Elsewhere);
    for (name, value) in of_image(inputs)? {
        env.set(name, value.to_owned(), SetBy::Elsewhere);
    }
    for (at, from) in inputs.container.manifest.env_from.iter().flatten().enumerate() {
        all_keys(inputs, at, from, &mut env)?;
    }
    for (at, var) in inputs.container.manifest.env.iter().flatten().enumerate() {
        let Some(value) = value(inputs, at, var, &env)? else { continue };
        env.set(&var.name, value, SetBy::Manifest);
        fits(inputs, &env)?;
    }
    if !env.has("PATH") {
        env.set("PATH", PATH.to_owned(), SetBy::Elsewhere);
    }
    if inputs.container.manifest.tty == Some(true) && !env.has("TERM") {
        env.set("TERM", TERM.to_owned(), SetBy::Elsewhere);
    }
    if !env.has("HOME") {
        env.set("HOME", home.to_owned(), SetBy::Elsewhere);
    }
    fits(inputs, &env)?;
    match env.all.iter().find(|one| one.name.contains('\0') || one.value.contains('\0')) {
        // Its value may be a secret.
        Some(Variable { name, .. }) => Err(inputs.config_error("env", ConfigCause::Nul { value: name.clone() })),
        None => Ok(env),
    }
}

/// The image's variables.
pub(crate) fn of_image<'a>(inputs: &Inputs<'a>) -> Result<Vec<(&'a str, &'a str)>, ConfigError> {
    let entries = inputs.image.base.process().iter().flat_map(|process| process.env().iter().flatten());
    entries
        .enumerate()
        .map(|(at, entry)| {
            let refuse = |cause| Err(inputs.create_error(&format!("process.env[{at}]"), cause));
            match entry.split_once('=') {
                // Its value may be a secret.
                Some((name, value)) if name.contains('\0') || value.contains('\0') => {
                    refuse(ConfigCause::Nul { value: name.to_owned() })
                }
                Some((name, value)) if !name.is_empty() => Ok((name, value)),
                _ => {
                    let advice = "an entry is NAME=value; mend the bundle's config.json";
                    refuse(ConfigCause::Unsupported { value: format!("{entry:?}"), advice })
                }
            }
        })
        .collect()
}

/// What can never be executed need not be put together first.
fn fits(inputs: &Inputs, env: &Environment) -> Result<(), ConfigError> {
    if env.size <= expansion::ALL { Ok(()) } else { Err(inputs.manifest_error("env", ConfigCause::AllTooLong)) }
}

/// What the manifest's plain values come to, whatever the others turn out to be.
pub(crate) fn plain_values(inputs: &Inputs) -> Result<Environment, ConfigError> {
    let mut env = Environment::default();
    for (at, var) in inputs.container.manifest.env.iter().flatten().enumerate() {
        if var.value_from.is_none() {
            env.set(&var.name, plain(inputs, at, var, &env)?, SetBy::Manifest);
            fits(inputs, &env)?;
        }
    }
    Ok(env)
}

/// A value that stands in the manifest.
fn plain(inputs: &Inputs, at: usize, var: &v1::EnvVar, env: &Environment) -> Result<String, ConfigError> {
    let text = var.value.as_deref().unwrap_or_default();
    let most = expansion::STRING.saturating_sub(var.name.len() + 1);
    expansion::expand(text, most, |name| env.own(name))
        .map_err(|_| inputs.manifest_error(&format!("env[{at}] ({})", var.name), ConfigCause::TooLong))
}

/// The value of one variable; `None`: it is optional and not there.
fn value(inputs: &Inputs, at: usize, var: &v1::EnvVar, env: &Environment) -> Result<Option<String>, ConfigError> {
    let field = |rest: &str| format!("env[{at}].valueFrom.{rest}");
    let Some(from) = &var.value_from else {
        return plain(inputs, at, var, env).map(Some);
    };
    if let Some(from) = &from.field_ref {
        return match downward::pod_field(inputs, &from.field_path) {
            Some(value) => Ok(Some(value)),
            None => {
                let cause = ConfigCause::FieldPath { path: from.field_path.clone() };
                Err(inputs.config_error(field("fieldRef.fieldPath"), cause))
            }
        };
    }
    if let Some(from) = &from.resource_field_ref {
        return downward::resource(inputs.spec(), inputs.node, Some(inputs.container.manifest), from)
            .map(Some)
            .map_err(|cause| inputs.config_error(field("resourceFieldRef"), cause));
    }
    let (name, kind, object, key, optional) = match from {
        v1::EnvVarSource { config_map_key_ref: Some(from), .. } => {
            ("configMapKeyRef", ObjectKind::ConfigMap, &from.name, &from.key, from.optional)
        }
        v1::EnvVarSource { secret_key_ref: Some(from), .. } => {
            ("secretKeyRef", ObjectKind::Secret, &from.name, &from.key, from.optional)
        }
        v1::EnvVarSource { file_key_ref: Some(from), .. } => {
            return env_file::value(inputs, from).map_err(|cause| inputs.config_error(field("fileKeyRef"), cause));
        }
        // Validation has seen that there is one.
        _ => return Ok(None),
    };
    let Some(found) =
        object_of(inputs, kind, object, optional).map_err(|cause| inputs.config_error(field(name), cause))?
    else {
        return Ok(None);
    };
    match found.data.get(key) {
        Some(content) => text(content, key).map(Some).map_err(|cause| inputs.config_error(field(name), cause)),
        None if optional == Some(true) => Ok(None),
        None => {
            let (kind, object, key) = (kind.name(), object.clone(), key.clone());
            Err(inputs.config_error(field(name), ConfigCause::NoSuchKey { kind, object, key }))
        }
    }
}

/// R10.3: all keys of an object, before `env`, which may replace them and refer to them.
fn all_keys(inputs: &Inputs, at: usize, from: &v1::EnvFromSource, env: &mut Environment) -> Result<(), ConfigError> {
    let (kind, name, optional) = match from {
        v1::EnvFromSource { config_map_ref: Some(from), .. } => (ObjectKind::ConfigMap, &from.name, from.optional),
        v1::EnvFromSource { secret_ref: Some(from), .. } => (ObjectKind::Secret, &from.name, from.optional),
        _ => return Ok(()),
    };
    let failed = |cause| inputs.config_error(format!("envFrom[{at}]"), cause);
    let Some(found) = object_of(inputs, kind, name, optional).map_err(failed)? else { return Ok(()) };
    for (key, content) in &found.data {
        let value = text(content, key).map_err(failed)?;
        let name = format!("{}{key}", from.prefix.as_deref().unwrap_or_default());
        env.set(&name, value, SetBy::Manifest);
    }
    Ok(())
}

/// `None`: it is optional and not there.
fn object_of<'a>(
    inputs: &Inputs<'a>,
    kind: ObjectKind,
    name: &str,
    optional: Option<bool>,
) -> Result<Option<&'a Object>, ConfigCause> {
    let namespace = inputs.pod.metadata.namespace.as_deref().unwrap_or("default");
    match inputs.objects.get(kind, namespace, name) {
        None if optional != Some(true) => Err(ConfigCause::NoSuchObject { kind: kind.name(), name: name.to_owned() }),
        found => Ok(found),
    }
}

fn text(content: &Content, key: &str) -> Result<String, ConfigCause> {
    String::from_utf8(content.0.clone()).map_err(|_| ConfigCause::NoText { key: key.to_owned() })
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
                env.set(&format!("VARIABLE_{number}"), round.to_owned(), SetBy::Manifest);
            }
        }
        let list = env.list();
        assert_eq!((list.len(), &*list[0], &*list[199_999]), (200_000, "VARIABLE_0=second", "VARIABLE_199999=second"));
        assert_eq!(env.size(), list.iter().map(|one| one.len() - 1 + expansion::EACH).sum::<usize>());
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }
}
