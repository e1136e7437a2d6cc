//! Images in files of this box: OCI image layouts, archives of them, and what `docker save` writes (containers-transports(5)).

mod archive;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod changed;
mod docker;
mod given;
mod layout;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use docker::DockerArchive;
pub use given::{Given, given, split};
pub use layout::Layout;

/// Why an image in files can't be had.
#[derive(Debug, Error)]
pub enum LocalError {
    #[error("{call} {}: {cause}", .path.display())]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    #[error("{}: there is no {missing} in it: it is no {kind}{}", .path.display(), reads(.reader))]
    NoImage {
        path: PathBuf,
        missing: &'static str,
        kind: &'static str,
        /// The transport that reads what it looks like.
        reader: Option<&'static str>,
    },
    #[error("{}: it is no tar archive: {why}", .path.display())]
    NoArchive { path: PathBuf, why: &'static str },
    #[error("{}: the archive is cut off after {bytes} bytes: {what}; copy it again", .path.display())]
    Cut { path: PathBuf, bytes: u64, what: String },
    #[error("{}: it is compressed; unpack it first (gunzip, unzstd)", .path.display())]
    Compressed { path: PathBuf },
    #[error("{}: it is damaged: {cause}", .path.display())]
    Damaged { path: PathBuf, cause: String },
    #[error("{}: it has no {name:?}{}", .path.display(), has(.names))]
    NoSuchName { path: PathBuf, name: String, names: Vec<String> },
    #[error("{}: it has several images; name one of them behind a colon{}", .path.display(), has(.names))]
    Several { path: PathBuf, names: Vec<String> },
    #[error("{}: it has no image", .path.display())]
    Empty { path: PathBuf },
    #[error("{}: {name} is not in it", .path.display())]
    Missing { path: PathBuf, name: String },
}

/// What to do, for errors.
fn reads(reader: &Option<&str>) -> String {
    reader.map_or_else(String::new, |reader| format!("; {reader} reads it"))
}

/// What names there are, for errors.
fn has(names: &[String]) -> String {
    if names.is_empty() {
        "; none of its images has a name".to_owned()
    } else {
        format!("; it has {}", names.join(", "))
    }
}
