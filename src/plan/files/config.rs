//! Volumes that are files: of ConfigMaps, of Secrets, of the pod's own fields, and several of these in one (R10.6).

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use crate::manifest::{Content, Object, ObjectKind, Objects};
use crate::plan::error::PlanError;
use crate::plan::facts::NodeFacts;
use crate::plan::process::downward;

/// Where nobody says otherwise.
const MODE: u32 = 0o644;

/// Whose a file is, and what may be done with it.
#[derive(Clone, Copy)]
struct Access {
    mode: u32,
    /// Of the container; `None`: root.
    user: Option<u32>,
}

impl Access {
    /// What a volume says of all its files.
    fn of_volume(mode: Option<i32>, user: Option<i64>) -> Self {
        Self { mode: MODE, user: None }.with(mode, user)
    }

    /// What is said of one of them.
    fn with(self, mode: Option<i32>, user: Option<i64>) -> Self {
        let mode = mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(self.mode);
        Self { mode, user: user.and_then(|user| u32::try_from(user).ok()).or(self.user) }
    }
}

/// What files can be made of.
pub(crate) struct Sources<'a> {
    pub(crate) pod: &'a v1::Pod,
    pub(crate) spec: &'a v1::PodSpec,
    pub(crate) node: &'a NodeFacts,
    pub(crate) objects: &'a Objects,
}

/// A reference to an object whose keys become files.
struct Keys<'a> {
    kind: ObjectKind,
    name: &'a str,
    items: Option<&'a Vec<v1::KeyToPath>>,
    optional: bool,
}

/// Files by path: a later source wins over an earlier one, as in the kubelet.
type Files = BTreeMap<String, FilePlan>;

/// The files of a volume; `None` for volumes that are something else.
pub(crate) fn files(field: &str, volume: &v1::Volume, from: &Sources<'_>) -> Option<Result<Vec<FilePlan>, PlanError>> {
    let mut files = Files::new();
    let made = if let Some(map) = &volume.config_map {
        let keys = Keys::config_map(&map.name, map.items.as_ref(), map.optional);
        from.keys(
            &format!("{field}.configMap"),
            &keys,
            Access::of_volume(map.default_mode, map.default_user),
            &mut files,
        )
    } else if let Some(secret) = &volume.secret {
        let name = secret.secret_name.as_deref().unwrap_or_default();
        let keys = Keys::secret(name, secret.items.as_ref(), secret.optional);
        from.keys(
            &format!("{field}.secret"),
            &keys,
            Access::of_volume(secret.default_mode, secret.default_user),
            &mut files,
        )
    } else if let Some(own) = &volume.downward_api {
        from.own(
            &format!("{field}.downwardAPI"),
            own.items.as_ref(),
            Access::of_volume(own.default_mode, own.default_user),
            &mut files,
        )
    } else if let Some(projected) = &volume.projected {
        from.projected(&format!("{field}.projected"), projected, &mut files)
    } else {
        return None;
    };
    Some(made.and_then(|()| {
        nested(field, &files)?;
        Ok(files.into_values().collect())
    }))
}

/// A file can't be a folder of another one.
fn nested(field: &str, files: &Files) -> Result<(), PlanError> {
    for path in files.keys() {
        let parents = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| &path[..at]);
        if let Some(parent) = parents.into_iter().find(|parent| files.contains_key(*parent)) {
            let cause = format!("{parent:?} is a file of the same volume");
            return Err(PlanError::Invalid { field: field.to_owned(), value: path.clone(), cause });
        }
    }
    Ok(())
}

impl<'a> Keys<'a> {
    fn config_map(name: &'a str, items: Option<&'a Vec<v1::KeyToPath>>, optional: Option<bool>) -> Self {
        Self { kind: ObjectKind::ConfigMap, name, items, optional: optional == Some(true) }
    }

    fn secret(name: &'a str, items: Option<&'a Vec<v1::KeyToPath>>, optional: Option<bool>) -> Self {
        Self { kind: ObjectKind::Secret, name, items, optional: optional == Some(true) }
    }
}

impl Sources<'_> {
    /// Files of an object's keys: all, or those that `items` names.
    fn keys(&self, field: &str, keys: &Keys<'_>, default: Access, files: &mut Files) -> Result<(), PlanError> {
        let namespace = self.pod.metadata.namespace.as_deref().unwrap_or("default");
        let empty = Object::default();
        let object = match self.objects.get(keys.kind, namespace, keys.name) {
            Some(object) => object,
            None if keys.optional => &empty,
            None => {
                let cause = format!("there is no such {}; give it by --config FILE", keys.kind.name());
                return Err(PlanError::Invalid { field: field.to_owned(), value: keys.name.to_owned(), cause });
            }
        };
        let Some(items) = keys.items.filter(|items| !items.is_empty()) else {
            for (key, content) in object.files() {
                put(files, key, default, content.clone());
            }
            return Ok(());
        };
        for (at, item) in items.iter().enumerate() {
            match object.get(&item.key) {
                Some(content) => put(files, &item.path, default.with(item.mode, item.user), content.clone()),
                None if keys.optional => {}
                None => {
                    let (field, value) = (format!("{field}.items[{at}].key"), item.key.clone());
                    let cause = format!("the {} {} has no such key", keys.kind.name(), keys.name);
                    return Err(PlanError::Invalid { field, value, cause });
                }
            }
        }
        Ok(())
    }

    /// Files of the pod's own fields.
    fn own(
        &self,
        field: &str,
        items: Option<&Vec<v1::DownwardAPIVolumeFile>>,
        default: Access,
        files: &mut Files,
    ) -> Result<(), PlanError> {
        for (at, item) in items.into_iter().flatten().enumerate() {
            let invalid = |rest: &str, value: &str, cause: String| {
                let field = format!("{field}.items[{at}].{rest}");
                PlanError::Invalid { field, value: value.to_owned(), cause }
            };
            let text = if let Some(from) = &item.field_ref {
                downward::metadata_field(&self.pod.metadata, &from.field_path).ok_or_else(|| {
                    let cause = "a file can hold metadata.name, .namespace, .uid, .labels and .annotations".to_owned();
                    invalid("fieldRef.fieldPath", &from.field_path, cause)
                })?
            } else if let Some(from) = &item.resource_field_ref {
                downward::resource(self.spec, self.node, None, from)
                    .map_err(|cause| invalid("resourceFieldRef", &from.resource, cause.to_string()))?
            } else {
                return Err(invalid("fieldRef", "", "one of fieldRef and resourceFieldRef is required".to_owned()));
            };
            put(files, &item.path, default.with(item.mode, item.user), Content(text.into_bytes()));
        }
        Ok(())
    }

    fn projected(
        &self,
        field: &str,
        projected: &v1::ProjectedVolumeSource,
        files: &mut Files,
    ) -> Result<(), PlanError> {
        let default = Access::of_volume(projected.default_mode, projected.default_user);
        for (at, one) in projected.sources.iter().flatten().enumerate() {
            let field = |rest: &str| format!("{field}.sources[{at}].{rest}");
            if let Some(map) = &one.config_map {
                let keys = Keys::config_map(&map.name, map.items.as_ref(), map.optional);
                self.keys(&field("configMap"), &keys, default, files)?;
            } else if let Some(secret) = &one.secret {
                let keys = Keys::secret(&secret.name, secret.items.as_ref(), secret.optional);
                self.keys(&field("secret"), &keys, default, files)?;
            } else if let Some(own) = &one.downward_api {
                self.own(&field("downwardAPI"), own.items.as_ref(), default, files)?;
            } else {
                let advice = "configMap, secret and downwardAPI are";
                let value = "a projection".to_owned();
                return Err(PlanError::Unsupported { field: field(""), value, advice });
            }
        }
        Ok(())
    }
}

/// Paths are what the check of the manifest left: relative, without `..`. `.` and double slashes mean nothing.
fn put(files: &mut Files, path: &str, access: Access, content: Content) {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let path = parts.join("/");
    files.insert(path.clone(), FilePlan { path: path.into(), mode: access.mode, user: access.user, content });
}

/// A file of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlan {
    /// Relative to the volume, without `..`; its first part doesn't begin with `..`.
    pub path: PathBuf,
    /// Permission bits, before fsGroup's.
    pub mode: u32,
    /// Whose it is in the container; `None`: root's.
    pub user: Option<u32>,
    /// What is in it.
    pub content: Content,
}
