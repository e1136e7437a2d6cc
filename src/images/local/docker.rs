//! What `docker save` writes (docker-archive:): layers as plain tar archives, with manifest.json to say which. Newer ones have an
//! OCI image layout beside it, which isn't looked at: manifest.json is in all of them.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::LocalError;
use super::archive::Files;
use crate::images::compression::Decompressed;
use crate::images::digest::Digest;
use crate::images::document::{
    Config, Descriptor, Fetched, LARGEST_CONFIG, LARGEST_MANIFEST, Layer, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST,
};
use crate::images::origin::{Origin, OriginError};
use crate::images::reference::Reference;

/// One image of an archive.
#[derive(Debug)]
pub struct DockerArchive {
    files: Files,
    /// An OCI manifest that says the same.
    manifest: Vec<u8>,
    config: Vec<u8>,
    /// Names of the layers' files, by what the manifest calls them.
    layers: Vec<(Digest, String)>,
    /// Names that it has there.
    names: Vec<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

impl DockerArchive {
    /// Opens it; `name`: which of its images.
    ///
    /// # Errors
    /// Where there is no such image.
    pub fn open(path: &Path, name: Option<&str>) -> Result<Self, LocalError> {
        let files = Files::archive(path)?;
        let path = || path.to_owned();
        if !files.has("manifest.json") {
            return Err(files.no_image("manifest.json", "archive of docker save", ("index.json", "oci-archive:")));
        }
        let damaged = |cause: String| LocalError::Damaged { path: path(), cause };
        let items: Vec<Item> = serde_json::from_slice(&files.read("manifest.json", LARGEST_MANIFEST)?)
            .map_err(|cause| damaged(format!("manifest.json: {cause}")))?;
        let names: Vec<String> = items.iter().flat_map(|item| item.repo_tags.iter().flatten().cloned()).collect();
        let full = |name: &str| name.parse::<Reference>().ok();
        let is_named = |item: &Item, name: &str| {
            let wanted = full(name);
            item.repo_tags.iter().flatten().any(|tag| tag == name || wanted.is_some() && full(tag) == wanted)
        };
        let item = match name {
            Some(name) => {
                let found = items.iter().find(|item| is_named(item, name));
                found.ok_or_else(|| LocalError::NoSuchName { path: path(), name: name.to_owned(), names })?
            }
            None => match &items[..] {
                [] => return Err(LocalError::Empty { path: path() }),
                [one] => one,
                _ => return Err(LocalError::Several { path: path(), names }),
            },
        };
        let config = files.read(&item.config, LARGEST_CONFIG)?;
        let read = Config::read(&config).map_err(|cause| damaged(format!("{}: {cause}", item.config)))?;
        let paths = item.layers.clone().unwrap_or_default();
        let diff_ids = read.diff_ids();
        if diff_ids.len() != paths.len() {
            let (layers, ids) = (paths.len(), diff_ids.len());
            return Err(damaged(format!("manifest.json names {layers} layers, the image's config {ids}")));
        }
        let layers: Vec<_> = diff_ids.iter().cloned().zip(paths).collect();
        // Unpacked, so that each is what the config calls it.
        let layer = |(id, name): &(Digest, String)| {
            Ok(json!({"mediaType": OCI_LAYER, "digest": id, "size": files.size(name)?}))
        };
        let list = layers.iter().map(layer).collect::<Result<Vec<_>, LocalError>>()?;
        let config_is = Descriptor::of(OCI_CONFIG, &config);
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config_is, "layers": list});
        let names = item.repo_tags.clone().unwrap_or_default();
        Ok(Self { files, manifest: manifest.to_string().into_bytes(), config, layers, names })
    }
}

impl DockerArchive {
    /// Names that it has there.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl Origin for DockerArchive {
    fn top(&self) -> Result<Fetched, OriginError> {
        Ok(Fetched { bytes: self.manifest.clone(), media_type: Some(OCI_MANIFEST.to_owned()) })
    }

    fn document(&self, _: &Descriptor) -> Result<Vec<u8>, OriginError> {
        Ok(self.config.clone())
    }

    fn layer<'a>(&'a self, layer: &Layer) -> Result<Box<dyn Read + Send + 'a>, OriginError> {
        let found = self.layers.iter().find(|(id, _)| *id == layer.digest);
        let (_, name) = found.ok_or("it has no such layer")?;
        Ok(Box::new(Decompressed::new(self.files.open(name)?)?))
    }
}
