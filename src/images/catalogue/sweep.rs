//! What nobody needs of the documents, and what goes with them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::{BLOBS, Catalogue, CatalogueError, LEASES, Lock, SUMMARIES, failed};
use crate::images::digest::Digest;
use crate::store;

impl Catalogue {
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
            // What is damaged in a store below comes anew into this one.
            if entry.read_only.is_some()
                && let Ok(summary) = self.summary(&entry.manifest)
            {
                layers.extend(summary.layers);
                documents.extend([entry.manifest.clone(), summary.config]);
            }
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
        let is_needed = |name: &OsString| documents.iter().any(|one| name == one.hex());
        let algorithms = ["sha256", "sha512"].map(|algorithm| self.dir.join(BLOBS).join(algorithm));
        for folder in algorithms.into_iter().chain([self.dir.join(SUMMARIES), self.dir.join(LEASES)]) {
            for name in names(&folder)?.iter().filter(|name| !is_needed(name)) {
                let path = folder.join(name);
                fs::remove_file(&path).map_err(failed("unlink", &path))?;
            }
        }
        Ok((layers, locks))
    }

    /// Manifests of all images, named or not. A pod may have a lease on one whose summary is gone.
    pub(super) fn known(&self) -> Result<BTreeSet<Digest>, CatalogueError> {
        let mut found = BTreeSet::new();
        for folder in [self.dir.join(SUMMARIES), self.dir.join(LEASES)] {
            // Manifests are named by SHA-256 here, whatever their source says.
            let digest = |name: OsString| format!("sha256:{}", name.to_str()?).parse::<Digest>().ok();
            found.extend(names(&folder)?.into_iter().filter_map(digest));
        }
        Ok(found)
    }
}

/// What is in a folder; nothing where there is none.
fn names(folder: &Path) -> Result<Vec<OsString>, CatalogueError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("read", folder))?,
    };
    entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(failed("read", folder))).collect()
}
