//! What becomes of the file with all names once it is damaged.

use std::path::PathBuf;

use super::index::{COPY, INDEX, Index, found, has_name, index, read, write};
use super::{Catalogue, CatalogueError};
use crate::images::document::{Descriptor, REF_NAME};
use crate::store;

/// What was found in the place of [`INDEX`], for who wants to look at it.
const DAMAGED: &str = "index.damaged.json";

/// A file of names that is whole again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// How many images it names.
    pub names: usize,
    /// Whether these are all that there were.
    pub is_all: bool,
    /// Where the damaged one is now; `None`: it was missing.
    pub damaged: Option<PathBuf>,
}

impl Catalogue {
    /// Writes the file with all names anew where it is damaged: as it was written last, else with those names that can still be
    /// read in it. `None`: it is whole.
    ///
    /// # Errors
    /// Where it can't be read or written.
    pub fn mend_index(&self) -> Result<Option<Mended>, CatalogueError> {
        let is_damaged = || matches!(index(&self.dir), Err(CatalogueError::Index { .. }));
        // Nothing is made where nothing is damaged.
        if !is_damaged() {
            return Ok(None);
        }
        let _lock = self.lock()?;
        if !is_damaged() {
            return Ok(None);
        }
        let text = found(&self.dir.join(INDEX))?;
        let copy = read(&self.dir.join(COPY)).ok().and_then(|bytes| serde_json::from_slice::<Index>(&bytes).ok());
        let damaged = text.as_ref().map(|_| self.dir.join(DAMAGED));
        let is_all = copy.is_some();
        let mended = copy.unwrap_or_else(|| Index::with(text.as_deref().map(readable).unwrap_or_default()));
        if let Some(text) = &text {
            store::atomic::replace_bytes_synced(&self.dir, DAMAGED, text)?;
        }
        write(&self.dir, &mended)?;
        Ok(Some(Mended { names: mended.manifests.len(), is_all, damaged }))
    }
}

/// The images up to the first that can't be read.
fn readable(text: &[u8]) -> Vec<Descriptor> {
    const LIST: &[u8] = b"\"manifests\"";
    let Some(begin) = text.windows(LIST.len()).position(|part| part == LIST) else { return Vec::new() };
    let mut rest = after(&text[begin + LIST.len()..], b":[");
    let mut images: Vec<Descriptor> = Vec::new();
    loop {
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter();
        let Some(Ok(image)) = values.next() else { return images };
        let image: Descriptor = image;
        rest = after(&rest[values.byte_offset()..], b",");
        let name = image.annotations.get(REF_NAME);
        if name.is_some_and(|name| !images.iter().any(|one| has_name(one, name))) {
            images.push(image);
        }
    }
}

/// What follows these marks, with whatever white space is between them.
fn after<'t>(text: &'t [u8], marks: &[u8]) -> &'t [u8] {
    let marks = text.iter().take_while(|byte| byte.is_ascii_whitespace() || marks.contains(byte)).count();
    &text[marks..]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Naming, Stay};
    use super::*;
    use crate::images::digest::Digest;
    use crate::images::document::OCI_INDEX;

    fn catalogue_of(names: &[&str]) -> (tempfile::TempDir, Catalogue) {
        let dir = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::at(dir.path());
        let lock = catalogue.lock().unwrap();
        for name in names {
            let manifest = Descriptor::of(OCI_INDEX, name.as_bytes());
            let summary = super::super::Summary::new(Digest::of(b"config"), Vec::new(), 0, Default::default());
            let naming =
                Naming { name, manifest: &manifest, source: &manifest.digest, proofs: &[], stay: Stay::AsBefore };
            catalogue.name(&lock, &naming, &summary).unwrap();
        }
        drop(lock);
        (dir, catalogue)
    }

    fn names(catalogue: &Catalogue) -> Vec<String> {
        catalogue.list().unwrap().into_iter().map(|entry| entry.name).collect()
    }

    /// Whatever becomes of the file, no name is lost; who reads it is told what to do.
    #[test]
    fn a_damaged_file_of_names_comes_from_its_copy() {
        let (_dir, catalogue) = catalogue_of(&["one", "two"]);
        let path = catalogue.dir.join(INDEX);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(catalogue.mend_index().unwrap(), None);
        for damaged in [None, Some(&b""[..]), Some(&whole[..whole.len() / 2]), Some(b"[]"), Some(b"\xff\xff")] {
            match damaged {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let error = catalogue.list().unwrap_err().to_string();
            assert!(error.contains("`barepod image repair` writes it anew"), "{error}");
            assert!(catalogue.forget(&catalogue.lock().unwrap(), "one").is_err(), "nothing is written over it");
            let mended = catalogue.mend_index().unwrap().unwrap();
            assert_eq!((mended.names, mended.is_all), (2, true));
            assert_eq!(mended.damaged.map(|path| std::fs::read(path).unwrap()).as_deref(), damaged);
            assert_eq!(names(&catalogue), ["one", "two"]);
        }
    }

    /// Without a copy: of a store that an older barepod has written.
    #[test]
    fn names_that_can_be_read_stay() {
        let (_dir, catalogue) = catalogue_of(&["one", "two", "three"]);
        let path = catalogue.dir.join(INDEX);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            std::fs::remove_file(catalogue.dir.join(COPY)).unwrap();
            let mended = catalogue.mend_index().unwrap().unwrap();
            let found = names(&catalogue);
            assert_eq!((mended.names, mended.is_all), (found.len(), false));
            assert!(
                ["one", "three", "two"].iter().filter(|name| found.contains(&(**name).to_owned())).count()
                    == found.len()
            );
            let ends = whole[..length].windows(2).filter(|pair| pair == b"}}").count();
            assert_eq!(found.len(), ends, "{}", String::from_utf8_lossy(&whole[..length]));
        }
    }

    /// A store that nobody changes is left as it is, and so is its owner told.
    #[test]
    fn of_a_store_below_another_way_out_is_told() {
        let (below, catalogue) = catalogue_of(&["one"]);
        std::fs::write(catalogue.dir.join(INDEX), "{").unwrap();
        let own = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::over(own.path(), &[below.path().to_owned()]);
        let error = catalogue.list().unwrap_err().to_string();
        assert!(error.contains("put a whole copy of it there"), "{error}");
        assert_eq!(catalogue.mend_index().unwrap(), None);
    }
}
