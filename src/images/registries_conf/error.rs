//! What is wrong with a registries.conf, or what it says no to.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::images::reference::NoReference;

/// What is wrong with a registries.conf, or what it says no to.
#[derive(Debug, Error)]
pub enum RegistriesError {
    #[error("{path}: {cause}", path = .path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("{path}: there is no such file, and CONTAINERS_REGISTRIES_CONF names it", path = .path.display())]
    Absent { path: PathBuf },
    #[error("{path}:{line}:{column}: {cause}", path = .path.display())]
    Toml { path: PathBuf, line: usize, column: usize, cause: String },
    #[error("{path}:{line}: {fault}", path = .path.display())]
    Value { path: PathBuf, line: usize, fault: Fault },
    #[error("{path}: location {location:?}: {cause}", path = .path.display())]
    Location { path: PathBuf, location: String, cause: NoReference },
    #[error("{name}: {path} blocks {prefix}", path = .path.display())]
    Blocked { name: String, prefix: String, path: PathBuf },
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("{key} must be {wanted}")]
    Kind { key: &'static str, wanted: &'static str },
    #[error(
        "[registries.search], [registries.insecure] and [registries.block] are version 1 of this file; write [[registry]]"
    )]
    Version1,
    #[error("[[registry]] needs a location or a prefix")]
    Nameless,
    #[error("prefix {0:?}: HOST[:PORT][/PATH] or *.DOMAIN is wanted, without tag or digest")]
    Prefix(String),
    #[error("location {0:?}: HOST[:PORT][/PATH] is wanted, without a scheme")]
    Location(String),
    #[error("pull-from-mirror {0:?}: all, digest-only or tag-only is wanted")]
    When(String),
    #[error("mirror-by-digest-only and pull-from-mirror contradict each other; leave the first out")]
    TwoTimes,
    #[error("alias {name:?}: {full:?} is no name with a registry, or has a tag or digest")]
    Alias { name: String, full: String },
}
