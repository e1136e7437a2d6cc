//! Manifests: one image, its config and its layers.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config::Config;
use super::descriptor::Descriptor;
use super::error::DocumentError;
use super::layer::Layer;
use super::limits::{self, LARGEST_CONFIG, LARGEST_MANIFEST, MOST_LAYERS};
use super::media::OCI_CONFIG;
use super::tolerant::{nullable, texts};
use crate::images::platform::{LINUX, Platform};

/// Media types of an image's config. The last four are what old registries and clients made of Docker's (docker/distribution
/// issue 1621).
const CONFIGS: [&str; 6] = [
    OCI_CONFIG,
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "application/json",
    "text/html",
    "",
];

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    config: Descriptor,
    layers: Vec<Layer>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    #[serde(default, deserialize_with = "nullable")]
    artifact_type: String,
    config: Descriptor,
    #[serde(default, deserialize_with = "nullable")]
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "texts")]
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads one whose kind is known; [`Document::read`](super::Document::read) finds it out.
    ///
    /// # Errors
    /// Where it can't be read, or no container can be made of it.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        const WHAT: &str = "manifest";
        limits::check(WHAT, bytes, LARGEST_MANIFEST)?;
        let text: Text = serde_json::from_slice(bytes).map_err(|cause| DocumentError::Json { what: WHAT, cause })?;
        if !CONFIGS.contains(&text.config.media_type.as_str()) {
            let kind = Some(text.artifact_type).filter(|kind| !kind.is_empty());
            return Err(DocumentError::Artifact(kind.unwrap_or(text.config.media_type)));
        }
        text.config.check_size("the image's config")?;
        let size = text.config.length();
        if size > LARGEST_CONFIG {
            return Err(DocumentError::Size { what: "image's config", size, limit: LARGEST_CONFIG });
        }
        let count = text.layers.len();
        if count > MOST_LAYERS {
            return Err(DocumentError::Layers { count, limit: MOST_LAYERS });
        }
        let numbered = text.layers.into_iter().zip(1..);
        let layers =
            numbered.map(|(descriptor, number)| Layer::of(descriptor, number)).collect::<Result<Vec<_>, _>>()?;
        let sum = layers.iter().try_fold(0_u64, |sum, layer| sum.checked_add(layer.size));
        sum.filter(|sum| i64::try_from(*sum).is_ok()).ok_or(DocumentError::Sum)?;
        Ok(Self { config: text.config, layers, annotations: text.annotations })
    }

    /// Where its config is.
    #[must_use]
    pub fn config(&self) -> &Descriptor {
        &self.config
    }

    /// From the lowest to the highest.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    #[must_use]
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// Bytes of all its layers, packed; one that is there twice counts twice.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// Whether a config belongs to it and can be run on a platform.
    ///
    /// # Errors
    /// Where they don't belong together, or it is made for another platform. A config that names none passes, as it did with
    /// Docker.
    pub fn check(&self, config: &Config, wanted: &Platform) -> Result<(), DocumentError> {
        let (layers, diff_ids) = (self.layers.len(), config.diff_ids().len());
        if layers != diff_ids {
            return Err(DocumentError::DiffIds { layers, diff_ids });
        }
        let mut found = config.platform();
        if found.os.is_empty() {
            found.os = LINUX.to_owned();
        }
        let is_named = !found.architecture.is_empty();
        if found.os != wanted.os || is_named && wanted.rank(&found).is_none() {
            return Err(DocumentError::OtherPlatform { found: found.to_string(), wanted: wanted.to_string() });
        }
        Ok(())
    }
}
