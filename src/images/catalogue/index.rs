//! The file with all names, `index.json` of the layout.
//!
//! Beside it is a copy that no other tool knows. A half file costs no name, for as long as one of the two is whole.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::CatalogueError;
use crate::images::document::{Descriptor, OCI_INDEX, REF_NAME};
use crate::store;

const LAYOUT: &str = "oci-layout";
pub(super) const INDEX: &str = "index.json";
/// What was written into [`INDEX`] last.
pub(super) const COPY: &str = "index.copy.json";

/// Bytes of a document that is read back: the largest that is ever written, and of the index with all names.
const LARGEST: u64 = 64 << 20;

/// All images with their names.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
}

impl Index {
    pub(super) fn with(manifests: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: OCI_INDEX.to_owned(), manifests }
    }
}

/// Replaces the names of the store whose layout this is; for who keeps others from that.
pub(super) fn write(dir: &Path, index: &Index) -> Result<(), CatalogueError> {
    if !dir.join(LAYOUT).exists() {
        store::atomic::replace_synced(dir, LAYOUT, &serde_json::json!({"imageLayoutVersion": "1.0.0"}))?;
    }
    store::atomic::replace_synced(dir, INDEX, index)?;
    // Not synced: it counts only where the other one is damaged. One that isn't written is none: an older one lacks names.
    if store::atomic::replace(dir, COPY, index).is_err() {
        let _ = fs::remove_file(dir.join(COPY));
    }
    Ok(())
}

/// The names of the store whose layout this is.
pub(super) fn index(dir: &Path) -> Result<Index, CatalogueError> {
    index_of(dir, None)
}

/// The names of the layout of a store, which may be one below.
pub(super) fn index_of(dir: &Path, below: Option<&Path>) -> Result<Index, CatalogueError> {
    let path = dir.join(INDEX);
    let damaged = |cause: String| CatalogueError::Index {
        path: path.clone(),
        cause,
        help: match below {
            None => "`barepod image repair` writes it anew, and costs no image",
            Some(_) => "this store is never changed: put a whole copy of it there, or leave it out of --image-store-ro",
        },
    };
    match found(&path)? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|cause| damaged(cause.to_string())),
        // It is written before its copy.
        None if dir.join(COPY).exists() => Err(damaged("it is missing".to_owned())),
        None => Ok(Index::with(Vec::new())),
    }
}

/// What a file has; `None`: there is none.
pub(super) fn found(path: &Path) -> Result<Option<Vec<u8>>, CatalogueError> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(CatalogueError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an image has this name.
pub(super) fn has_name(image: &Descriptor, name: &str) -> bool {
    image.annotations.get(REF_NAME).is_some_and(|there| there == name)
}

/// A call on a file that has failed.
pub(super) fn failed(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CatalogueError {
    let path = path.to_owned();
    move |cause| CatalogueError::Io { call, path, cause }
}

/// What a file has.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CatalogueError> {
    let file = File::open(path).map_err(failed("open", path))?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, LARGEST), &mut bytes).map_err(failed("read", path))?;
    Ok(bytes)
}
