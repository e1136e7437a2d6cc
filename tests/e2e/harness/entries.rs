//! All entries of a tree with everything that an image says of them, to compare trees by.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use barepod::images::digest::Digest;

/// What a tree has under each path.
pub type Entries = BTreeMap<PathBuf, Found>;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub mode: u32,
    pub owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub time: (i64, i64),
    pub device: u64,
    /// Target of a symbolic link, digest of a file.
    pub content: String,
    pub attributes: BTreeMap<OsString, Vec<u8>>,
    /// The first path of this file, which others share.
    pub same_as: PathBuf,
}

/// Everything below a folder, and the folder itself under the empty path; without what `hidden` has, as mounts.
pub fn entries(root: &Path, hidden: &BTreeSet<PathBuf>) -> Entries {
    let mut found = Entries::new();
    let mut firsts = BTreeMap::new();
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| !hidden.contains(entry.path().strip_prefix(root).unwrap())) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap().to_owned();
        let data = entry.path().symlink_metadata().unwrap();
        let kind = data.file_type();
        let content = if kind.is_symlink() {
            format!("{:?}", fs::read_link(entry.path()).unwrap())
        } else if kind.is_file() {
            format!("{} bytes, {}", data.len(), Digest::of(&fs::read(entry.path()).unwrap()))
        } else {
            String::new()
        };
        let is_device = kind.is_char_device() || kind.is_block_device();
        let same_as = if kind.is_dir() {
            path.clone()
        } else {
            firsts.entry((data.dev(), data.ino())).or_insert_with(|| path.clone()).clone()
        };
        let one = Found {
            mode: data.mode(),
            owner: (data.uid(), data.gid()),
            time: (data.mtime(), data.mtime_nsec()),
            device: if is_device { data.rdev() } else { 0 },
            content,
            attributes: attributes(entry.path()),
            same_as,
        };
        found.insert(path, one);
    }
    found
}

fn attributes(path: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let mut names = vec![0; 65536];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap();
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = vec![0; 65536];
        let length = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
        value.truncate(length);
        value
    };
    names.map(|name| (OsString::from_vec(name.to_vec()), value(name))).collect()
}

/// Fails where two trees differ; tells the first twenty entries that do.
#[track_caller]
pub fn assert_equal(what: &str, left: (&str, &Entries), right: (&str, &Entries)) {
    let paths: BTreeSet<&PathBuf> = left.1.keys().chain(right.1.keys()).collect();
    let one = |(name, entries): (&str, &Entries), path: &PathBuf| match entries.get(path) {
        Some(found) => format!("\n    {name}: {found:?}"),
        None => format!("\n    {name}: nothing"),
    };
    let differ: Vec<String> = paths
        .into_iter()
        .filter(|path| left.1.get(*path) != right.1.get(*path))
        .map(|path| {
            format!(
                "  {:?}{}{}",
                path.as_os_str().as_bytes().escape_ascii().to_string(),
                one(left, path),
                one(right, path)
            )
        })
        .collect();
    assert!(differ.is_empty(), "{what}: {} differ:\n{}", differ.len(), differ[..differ.len().min(20)].join("\n"));
}
