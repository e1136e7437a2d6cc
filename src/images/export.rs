//! Writes images of the store where other tools read them: an OCI image layout, in a folder or in a tar archive.
//!
//! The store has layers unpacked. So each is packed again, as a plain tar archive: what it was packed as before nobody can tell, and
//! its digest is another one. The image's config and manifest are written anew with these digests; all else that they say stays.
//! Two exports of the same are equal byte for byte.

mod error;
mod layer;
mod target;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use serde_json::{Value, json};

pub use error::ExportError;
pub use target::Target;

use super::catalogue::Entry;
use super::digest::Digest;
use super::document::{Descriptor, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, REF_NAME};
use super::store::Store;
use error::failed;

impl Store {
    /// Writes an image there, under `name` where it has one.
    ///
    /// # Errors
    /// Where it is damaged, or can't be written. An archive is there whole then, as it was before, or not at all.
    pub fn export(&self, entry: &Entry, name: Option<&str>, target: &Target) -> Result<(), ExportError> {
        let _stays = self.turns.pulling().map_err(failed("flock", &self.dir))?;
        let summary = self.catalogue.summary(&entry.manifest)?;
        let (manifest, config) = (self.json(&entry.manifest, "manifest")?, self.json(&summary.config, "config")?);
        let mut to = target.open()?;
        let mut layers = Vec::new();
        for key in &summary.layers {
            let (digest, size) = to.blob(&mut |to| layer::write(&self.layers, key, to))?;
            layers.push(json!({"mediaType": OCI_LAYER, "digest": digest, "size": size}));
        }
        let config = with_layers(config, &layers).to_string().into_bytes();
        to.document(&config)?;
        let mut written = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": Descriptor::of(OCI_CONFIG, &config), "layers": layers,
        });
        if let Some(annotations) = manifest.get("annotations").filter(|all| !all.is_null()) {
            written["annotations"] = annotations.clone();
        }
        let written = written.to_string().into_bytes();
        to.document(&written)?;
        let mut named = Descriptor::of(OCI_MANIFEST, &written);
        named.annotations.extend(name.map(|name| (REF_NAME.to_owned(), name.to_owned())));
        to.finish(&named)
    }

    fn json(&self, digest: &Digest, what: &'static str) -> Result<Value, ExportError> {
        let bytes = self.catalogue.blob(digest)?.ok_or(ExportError::Document { what })?;
        // Otherwise a damaged one would get a digest by which it is whole.
        if Digest::by(digest.algorithm(), &bytes) != *digest {
            return Err(ExportError::Changed { what, digest: digest.clone() });
        }
        serde_json::from_slice(&bytes).map_err(|_| ExportError::Document { what })
    }
}

/// A config with the digests that its layers have now.
fn with_layers(mut config: Value, layers: &[Value]) -> Value {
    let digests: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    let before = config["rootfs"]["diff_ids"].as_array().map_or(0, Vec::len);
    config["rootfs"] = json!({"type": "layers", "diff_ids": digests});
    // Layers that nothing is seen of aren't in the store: its history has a step too many for some of them.
    if before != layers.len()
        && let Some(config) = config.as_object_mut()
    {
        config.remove("history");
    }
    config
}
