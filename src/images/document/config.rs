//! Configs: what an image says of the containers that are made of it (OCI image spec, "Image Configuration").

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::error::DocumentError;
use super::limits::{self, LARGEST_CONFIG};
use super::tolerant::{nullable, set, texts, words};
use crate::images::digest::Digest;
use crate::images::platform::Platform;

/// An image's config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Config {
    #[serde(default, deserialize_with = "nullable")]
    created: String,
    #[serde(default, deserialize_with = "nullable")]
    author: String,
    #[serde(default, deserialize_with = "nullable")]
    architecture: String,
    #[serde(default, deserialize_with = "nullable")]
    os: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default, deserialize_with = "nullable", rename = "config")]
    process: Process,
    #[serde(default, deserialize_with = "nullable")]
    rootfs: RootFs,
    #[serde(default, deserialize_with = "nullable")]
    history: Vec<History>,
}

/// What its containers run, where a pod doesn't say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Process {
    #[serde(default, deserialize_with = "words")]
    pub entrypoint: Vec<String>,
    #[serde(default, deserialize_with = "words")]
    pub cmd: Vec<String>,
    /// NAME=VALUE each.
    #[serde(default, deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// USER[:GROUP], as names or numbers; empty: root.
    #[serde(default, deserialize_with = "nullable")]
    pub user: String,
    /// Empty: /.
    #[serde(default, deserialize_with = "nullable")]
    pub working_dir: String,
    /// Empty: SIGTERM.
    #[serde(default, deserialize_with = "nullable")]
    pub stop_signal: String,
    /// Paths in the container.
    #[serde(default, deserialize_with = "set")]
    pub volumes: Vec<String>,
    /// PORT/PROTOCOL each.
    #[serde(default, deserialize_with = "set")]
    pub exposed_ports: Vec<String>,
    #[serde(default, deserialize_with = "texts")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct RootFs {
    #[serde(default, deserialize_with = "nullable", rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "nullable")]
    diff_ids: Vec<Digest>,
}

/// One step by which it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct History {
    #[serde(default, deserialize_with = "nullable")]
    created: String,
    #[serde(default, deserialize_with = "nullable")]
    pub created_by: String,
    #[serde(default, deserialize_with = "nullable")]
    pub author: String,
    #[serde(default, deserialize_with = "nullable")]
    pub comment: String,
    /// It made no layer.
    #[serde(default, deserialize_with = "nullable")]
    pub empty_layer: bool,
}

impl Config {
    /// # Errors
    /// Where it can't be read.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        const WHAT: &str = "image's config";
        limits::check(WHAT, bytes, LARGEST_CONFIG)?;
        let config: Self = serde_json::from_slice(bytes).map_err(|cause| DocumentError::Json { what: WHAT, cause })?;
        match config.rootfs.kind.as_str() {
            "layers" | "" => Ok(config),
            other => Err(DocumentError::RootFs(other.to_owned())),
        }
    }

    /// Digests of its layers' tar archives, unpacked, from the lowest to the highest.
    #[must_use]
    pub fn diff_ids(&self) -> &[Digest] {
        &self.rootfs.diff_ids
    }

    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// From the first to the last.
    #[must_use]
    pub fn history(&self) -> &[History] {
        &self.history
    }

    /// `None`: it doesn't say when, or nothing that is a time.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        time(&self.created)
    }

    #[must_use]
    pub fn author(&self) -> &str {
        &self.author
    }

    /// What it is made for. Old ones leave it out.
    #[must_use]
    pub fn platform(&self) -> Platform {
        let variant = self.variant.clone().filter(|variant| !variant.is_empty());
        Platform { os: self.os.clone(), architecture: self.architecture.clone(), variant }
    }
}

impl History {
    /// `None`: it doesn't say when, or nothing that is a time.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        time(&self.created)
    }
}

/// Go's zero time, in the year 1, and what lies before 1970 say nothing.
fn time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().filter(|time| *time >= Timestamp::UNIX_EPOCH)
}
