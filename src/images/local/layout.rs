//! OCI image layouts, as a folder or in an archive (OCI image spec, "Image Layout").

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::LocalError;
use super::archive::Files;
use crate::images::digest::Digest;
use crate::images::document::{Descriptor, Document, Fetched, LARGEST_MANIFEST, Layer, OCI_INDEX, REF_NAME};
use crate::images::origin::{Origin, OriginError};

/// Whose name it is; and as containerd writes it.
const NAMES: [&str; 2] = [REF_NAME, "io.containerd.image.name"];

/// One image of a layout.
#[derive(Debug)]
pub struct Layout {
    files: Files,
    top: Descriptor,
}

impl Layout {
    /// In a folder; `name`: which of its images.
    ///
    /// # Errors
    /// Where there is no such image.
    pub fn folder(path: &Path, name: Option<&str>) -> Result<Self, LocalError> {
        let failed = |cause| LocalError::Io { call: "open", path: path.to_owned(), cause };
        match fs::metadata(path).map_err(failed)?.is_dir() {
            true => Self::choose(Files::Folder(path.to_owned()), name),
            false => Err(failed(io::Error::other("it is a file, and a folder is wanted"))),
        }
    }

    /// In a tar archive.
    ///
    /// # Errors
    /// Where there is no such image.
    pub fn archive(path: &Path, name: Option<&str>) -> Result<Self, LocalError> {
        Self::choose(Files::archive(path)?, name)
    }

    /// In a folder, or in a tar archive: the one that this digest names, whatever the names in it stand for.
    ///
    /// # Errors
    /// Where that can't be read.
    pub fn at(path: &Path, digest: &Digest) -> Result<Self, LocalError> {
        let files = if path.is_dir() { Files::Folder(path.to_owned()) } else { Files::archive(path)? };
        let bytes = files.read(&Self::name(digest), LARGEST_MANIFEST)?;
        let top = Descriptor { digest: digest.clone(), ..Descriptor::of("", &bytes) };
        Ok(Self { files, top })
    }

    fn choose(files: Files, name: Option<&str>) -> Result<Self, LocalError> {
        let path = || files.path().to_owned();
        if !files.has("index.json") {
            return Err(files.no_image("index.json", "OCI image layout", ("manifest.json", "docker-archive:")));
        }
        let bytes = files.read("index.json", LARGEST_MANIFEST)?;
        let read = Document::read(&bytes, Some(OCI_INDEX));
        let index = match read {
            Ok(Document::Index(index)) => index,
            Ok(Document::Manifest(_)) => {
                return Err(LocalError::Damaged { path: path(), cause: "index.json is no index".to_owned() });
            }
            Err(cause) => return Err(LocalError::Damaged { path: path(), cause: format!("index.json: {cause}") }),
        };
        let all = index.manifests();
        let named = |one: &Descriptor, name: &str| {
            NAMES.iter().any(|key| one.annotations.get(*key).is_some_and(|there| there == name))
        };
        let mut names: Vec<String> =
            all.iter().filter_map(|one| NAMES.iter().find_map(|key| one.annotations.get(*key)).cloned()).collect();
        names.sort_unstable();
        names.dedup();
        let chosen = match name {
            Some(name) => {
                let found = all.iter().find(|one| named(one, name) || one.digest.to_string() == name);
                found.ok_or_else(|| LocalError::NoSuchName { path: path(), name: name.to_owned(), names })?
            }
            None => match all {
                [] => return Err(LocalError::Empty { path: path() }),
                [one, rest @ ..] if rest.iter().all(|other| other.digest == one.digest) => one,
                _ => return Err(LocalError::Several { path: path(), names }),
            },
        };
        let top = chosen.clone();
        Ok(Self { files, top })
    }

    /// Names that it has there, whole ones first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        NAMES.iter().rev().filter_map(|key| self.top.annotations.get(*key)).cloned().collect()
    }

    fn name(digest: &Digest) -> String {
        format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
    }
}

impl Origin for Layout {
    fn top(&self) -> Result<Fetched, OriginError> {
        let bytes = self.document(&self.top)?;
        self.top.verify("index.json's image", &bytes)?;
        let media_type = Some(self.top.media_type.clone()).filter(|media_type| !media_type.is_empty());
        Ok(Fetched { bytes, media_type })
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OriginError> {
        Ok(self.files.read(&Self::name(&descriptor.digest), descriptor.length())?)
    }

    fn layer<'a>(&'a self, layer: &Layer) -> Result<Box<dyn Read + Send + 'a>, OriginError> {
        Ok(self.files.open(&Self::name(&layer.digest))?)
    }
}
