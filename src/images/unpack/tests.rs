#![allow(clippy::unwrap_used)]

mod good;
mod hostile;
mod random;
mod whiteouts;

use std::fs::{self, File};
use std::io::{BufReader, Cursor};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::images::archive::build::Tar;
use crate::images::record;

/// A folder for a layer, beside files that no layer may reach.
struct Fenced {
    dir: TempDir,
}

impl Fenced {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("outside/secret"), "secret").unwrap();
        Self { dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// An absolute path to what no layer may reach.
    fn outside(&self) -> String {
        self.dir.path().join("outside").display().to_string()
    }

    fn unpack(&self, tar: &[u8]) -> Result<Unpacked, UnpackError> {
        self.unpack_within(tar, &Limits { bytes: 64 << 20, ..Limits::default() })
    }

    /// Whatever comes of it, nothing outside has changed.
    fn unpack_within(&self, tar: &[u8], limits: &Limits) -> Result<Unpacked, UnpackError> {
        let root = File::open(self.root()).unwrap();
        let unpacked = unpack(tar, root.as_fd(), limits, notes());
        assert_eq!(fs::read(self.dir.path().join("outside/secret")).unwrap(), b"secret");
        let secret = fs::metadata(self.dir.path().join("outside/secret")).unwrap();
        assert_eq!((secret.nlink(), secret.mode() & 0o7777 & !0o022), (1, 0o644 & !0o022));
        let count = |path: PathBuf| fs::read_dir(path).unwrap().count();
        assert_eq!((count(self.dir.path().join("outside")), count(self.dir.path().to_owned())), (1, 2));
        unpacked
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// All that is there, but for the root.
    fn list(&self) -> Vec<String> {
        let entries = walkdir::WalkDir::new(self.root()).min_depth(1).sort_by_file_name().into_iter();
        entries.map(|one| one.unwrap().path().strip_prefix(self.root()).unwrap().display().to_string()).collect()
    }
}

/// Root in a container may not be able to have the notes of root's overlays.
fn notes() -> Notes {
    let dir = tempfile::tempdir().unwrap();
    let set = rustix::fs::setxattr(dir.path(), Notes::Trusted.opaque(), b"y", rustix::fs::XattrFlags::empty());
    if set.is_ok() { Notes::Trusted } else { Notes::User }
}

/// Whether files can be given to others: by root, unless in a user namespace with few ids.
fn gives_files() -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::chown(file.path(), Some(70_000), Some(80_000)).is_ok()
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 100];
    let length = rustix::fs::lgetxattr(path, name, &mut value[..]).ok()?;
    Some(value[..length].to_vec())
}

/// In what a tree is different from another one.
fn differences(tree: &Path, other: &Path) -> Vec<String> {
    let mut record = Cursor::new(Vec::new());
    record::write(File::open(other).unwrap().as_fd(), &record::Contents::default(), &mut record).unwrap();
    let record = record.into_inner();
    let differences = record::verify(File::open(tree).unwrap().as_fd(), BufReader::new(&record[..])).unwrap();
    differences.iter().map(ToString::to_string).collect()
}
