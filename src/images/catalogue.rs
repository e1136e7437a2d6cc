//! Which images the store has: names, and the documents behind them, as an OCI image layout (OCI image spec, "Image Layout") that
//! other tools can look at. Layers are elsewhere (`layers`), unpacked.
//!
//! An image is there from the moment on that `index.json` names it: all that it needs was synced before. Whoever changes that
//! file has the catalogue's lock; readers need none.

mod error;
mod leases;
mod summary;
mod uses;

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::document::{Config, Descriptor, OCI_INDEX, REF_NAME};
use super::trust::Proof;
use crate::store;
pub use error::CatalogueError;
pub use leases::Lease;
pub use summary::Summary;

const LAYOUT: &str = "oci-layout";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs";
/// What is known of images beside their documents; not a part of the layout.
const SUMMARIES: &str = "summaries";
/// Of each image a file that pods which use it have locked (`leases`).
const LEASES: &str = "leases";
/// The index that the image was chosen from.
const CHOSEN_FROM: &str = "dev.barepod.image.index";
/// What was proven of its signatures when it was pulled, as JSON.
const PROOFS: &str = "dev.barepod.image.signatures";
/// Somebody has asked for it by hand: it doesn't go by itself. Any text says so.
const KEPT: &str = "dev.barepod.image.kept";
/// Bytes of a document that is read back: the largest that is ever written, and of the index with all names.
const LARGEST: u64 = 64 << 20;

/// The catalogue of a store.
#[derive(Clone, Debug)]
pub struct Catalogue {
    dir: PathBuf,
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// By which it was asked for.
    pub name: String,
    /// Its manifest; the name of its summary too.
    pub manifest: Digest,
    /// What the name stands for at its source: the manifest, or the index that this was chosen from.
    pub source: Digest,
    /// What was proven of its signatures when it was pulled.
    pub proofs: Vec<Proof>,
    /// Whether somebody has brought it by hand: nothing but an order removes it then.
    pub is_kept: bool,
    /// What describes its manifest, with all of this.
    pub(super) descriptor: Descriptor,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

/// Keeps others from changing the catalogue for as long as it lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holds the lock")] File);

impl Catalogue {
    /// Below the store's folder. Nothing is made until something is written.
    #[must_use]
    pub fn at(store: &Path) -> Self {
        Self { dir: store.join("layout") }
    }

    /// The image of this name; `None`: it isn't there.
    ///
    /// # Errors
    /// Where that can't be read.
    pub fn find(&self, name: &str) -> Result<Option<Entry>, CatalogueError> {
        Ok(self.list()?.into_iter().find(|entry| entry.name == name))
    }

    /// All images, by their names.
    ///
    /// # Errors
    /// Where they can't be read.
    pub fn list(&self) -> Result<Vec<Entry>, CatalogueError> {
        let entry = |descriptor: Descriptor| {
            let name = descriptor.annotations.get(REF_NAME)?.clone();
            let chosen = descriptor.annotations.get(CHOSEN_FROM).and_then(|text| text.parse().ok());
            let source = chosen.unwrap_or_else(|| descriptor.digest.clone());
            let proofs = descriptor.annotations.get(PROOFS).and_then(|text| serde_json::from_str(text).ok());
            let (manifest, proofs) = (descriptor.digest.clone(), proofs.unwrap_or_default());
            let is_kept = descriptor.annotations.contains_key(KEPT);
            Some(Entry { name, manifest, source, proofs, is_kept, descriptor })
        };
        let mut entries: Vec<Entry> = self.index()?.manifests.into_iter().filter_map(entry).collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    /// What is known of an image.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn summary(&self, manifest: &Digest) -> Result<Summary, CatalogueError> {
        let path = self.summary_path(manifest);
        let bytes = read(&path)?;
        let summary: Summary = serde_json::from_slice(&bytes).map_err(json(&path))?;
        match summary.unknown_version() {
            None => Ok(summary),
            Some(found) => Err(CatalogueError::Version { path, found }),
        }
    }

    /// An image's config.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn config(&self, digest: &Digest) -> Result<Config, CatalogueError> {
        let path = self.blob_path(digest);
        Config::read(&read(&path)?).map_err(|cause| CatalogueError::Document { path, cause })
    }

    /// The bytes of a document; `None`: it isn't there.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, CatalogueError> {
        match read(&self.blob_path(digest)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(CatalogueError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until nobody else changes the catalogue.
    ///
    /// # Errors
    /// Where the folder can't be made or locked.
    pub fn lock(&self) -> Result<Lock, CatalogueError> {
        for folder in [self.dir.clone(), self.dir.join(BLOBS).join("sha256"), self.dir.join(SUMMARIES)] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.map_err(failed("mkdir", &folder))?;
        }
        let folder = File::open(&self.dir).map_err(failed("open", &self.dir))?;
        folder.lock().map_err(failed("flock", &self.dir))?;
        Ok(Lock(folder))
    }

    /// Writes a document down, on disk once this returns.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn keep(&self, _: &Lock, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), CatalogueError> {
        let path = self.blob_path(&descriptor.digest);
        let folder = path.parent().unwrap_or(&self.dir).to_owned();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("mkdir", &folder))?;
        if read(&path).is_ok_and(|there| descriptor.verify("document", &there).is_ok()) {
            return Ok(());
        }
        store::atomic::replace_bytes_synced(&folder, descriptor.digest.hex(), bytes)?;
        Ok(())
    }

    /// Gives an image its name, once all of it is there. What had that name before keeps its documents until [`Self::sweep`].
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn name(
        &self,
        _: &Lock,
        name: &str,
        manifest: &Descriptor,
        source: &Digest,
        proofs: &[Proof],
        summary: &Summary,
    ) -> Result<Entry, CatalogueError> {
        if self.summary(&manifest.digest).ok().as_ref() != Some(summary) {
            store::atomic::replace_synced(&self.dir.join(SUMMARIES), manifest.digest.hex(), summary)?;
        }
        let mut index = self.index()?;
        let is_it = |one: &Descriptor| one.annotations.get(REF_NAME).is_some_and(|there| there == name);
        let is_kept = index.manifests.iter().any(|one| is_it(one) && one.annotations.contains_key(KEPT));
        index.manifests.retain(|one| !is_it(one));
        let mut named = manifest.clone();
        named.annotations.insert(REF_NAME.to_owned(), name.to_owned());
        if is_kept {
            named.annotations.insert(KEPT.to_owned(), String::new());
        }
        if *source != manifest.digest {
            named.annotations.insert(CHOSEN_FROM.to_owned(), source.to_string());
        }
        if !proofs.is_empty() {
            let text = serde_json::to_string(proofs).expect("digests and names are text");
            named.annotations.insert(PROOFS.to_owned(), text);
        }
        index.manifests.push(named.clone());
        self.write(&index)?;
        let (name, manifest, source) = (name.to_owned(), manifest.digest.clone(), source.clone());
        Ok(Entry { name, manifest, source, proofs: proofs.to_vec(), is_kept, descriptor: named })
    }

    /// Keeps an image from going by itself, for as long as it has this name.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn keep_for_good(&self, _: &Lock, name: &str) -> Result<(), CatalogueError> {
        let mut index = self.index()?;
        let is_it = |one: &&mut Descriptor| one.annotations.get(REF_NAME).is_some_and(|there| there == name);
        match index.manifests.iter_mut().find(is_it) {
            Some(one) if one.annotations.insert(KEPT.to_owned(), String::new()).is_none() => self.write(&index),
            _ => Ok(()),
        }
    }

    /// Takes a name away; `false`: there is none.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn forget(&self, _: &Lock, name: &str) -> Result<bool, CatalogueError> {
        let mut index = self.index()?;
        let before = index.manifests.len();
        index.manifests.retain(|one| one.annotations.get(REF_NAME).is_none_or(|there| there != name));
        if index.manifests.len() == before {
            return Ok(false);
        }
        self.write(&index)?;
        Ok(true)
    }

    /// Removes documents that no name and no pod leads to. Gives the layers that images still need, and locks that keep others
    /// from using what is gone until its layers are gone too.
    ///
    /// # Errors
    /// The first that couldn't be read or removed.
    pub fn sweep(&self, _: &Lock) -> Result<(Vec<Digest>, Vec<Lock>), CatalogueError> {
        let (mut documents, mut layers, mut locks) = (Vec::new(), Vec::new(), Vec::new());
        // Of an index whose writer died; others' halves are names that nobody needs.
        store::atomic::forget_halves(&self.dir)?;
        let mut named: Vec<Digest> = Vec::new();
        for entry in self.list()? {
            named.extend([entry.manifest.clone(), entry.source.clone()]);
            documents.push(entry.source);
        }
        for manifest in self.known()? {
            let lock = if named.contains(&manifest) { None } else { self.unleased(&manifest) };
            if lock.is_none() {
                let summary = self.summary(&manifest)?;
                layers.extend(summary.layers);
                documents.extend([manifest, summary.config]);
            }
            locks.extend(lock);
        }
        let is_needed = |name: &std::ffi::OsStr| documents.iter().any(|one| name == one.hex());
        let algorithms = ["sha256", "sha512"].map(|algorithm| self.dir.join(BLOBS).join(algorithm));
        for folder in algorithms.into_iter().chain([self.dir.join(SUMMARIES), self.dir.join(LEASES)]) {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries.map_err(failed("read", &folder))?,
            };
            for entry in entries {
                let entry = entry.map_err(failed("read", &folder))?;
                if !is_needed(&entry.file_name()) {
                    fs::remove_file(entry.path()).map_err(failed("unlink", &entry.path()))?;
                }
            }
        }
        Ok((layers, locks))
    }

    /// Manifests of all images, named or not. A pod may have a lease on one whose summary is gone.
    fn known(&self) -> Result<BTreeSet<Digest>, CatalogueError> {
        let mut found = BTreeSet::new();
        for folder in [self.dir.join(SUMMARIES), self.dir.join(LEASES)] {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries.map_err(failed("read", &folder))?,
            };
            for entry in entries {
                let name = entry.map_err(failed("read", &folder))?.file_name();
                // Manifests are named by SHA-256 here, whatever their source says.
                found.extend(name.to_str().and_then(|hex| format!("sha256:{hex}").parse::<Digest>().ok()));
            }
        }
        Ok(found)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(BLOBS).join(digest.algorithm().name()).join(digest.hex())
    }

    fn index(&self) -> Result<Index, CatalogueError> {
        let path = self.dir.join(INDEX);
        let media_type = OCI_INDEX.to_owned();
        match read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(json(&path)),
            Err(CatalogueError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
                Ok(Index { schema_version: 2, media_type, manifests: Vec::new() })
            }
            Err(error) => Err(error),
        }
    }

    fn write(&self, index: &Index) -> Result<(), CatalogueError> {
        if !self.dir.join(LAYOUT).exists() {
            store::atomic::replace_synced(&self.dir, LAYOUT, &serde_json::json!({"imageLayoutVersion": "1.0.0"}))?;
        }
        Ok(store::atomic::replace_synced(&self.dir, INDEX, index)?)
    }
}

fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CatalogueError {
    let path = path.to_owned();
    move |cause| CatalogueError::Io { call, path, cause }
}

fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> CatalogueError {
    let path = path.to_owned();
    move |cause| CatalogueError::Json { path, cause }
}

fn read(path: &Path) -> Result<Vec<u8>, CatalogueError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, LARGEST), &mut bytes).map_err(failed("read", path))?;
    Ok(bytes)
}
