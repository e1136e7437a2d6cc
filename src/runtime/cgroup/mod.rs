//! The pod's cgroup on every hierarchy of this box, and what can be done to a cgroup as a whole: limit, kill, watch,
//! remove. Containers' own cgroups are made and limited here too ([`container`]); on v2 libcontainer puts them in.
//!
//! Limits of all of them go one way: [`settings`] says which files, [`write`] writes them.
//!
//! One hierarchy *tracks*: each process of a pod is in it from birth, so that killing and emptiness are exact. That is
//! v2 wherever it is mounted, also on hybrid boxes, where no controller lives in it; on pure v1 it is `freezer`, where
//! a helper that is still there counts towards no limit.

mod container;
mod counters;
mod cpuset;
mod devices;
mod hierarchies;
mod huge_pages;
mod members;
mod memory;
mod parent;
mod pod;
mod protection;
mod remove;
mod settings;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use container::{Access, View};
pub use hierarchies::Hierarchies;
pub use pod::PodCgroup;
pub(crate) use remove::remove_folder;
pub(crate) use write::ProcessLimit;

/// What went wrong with a cgroup.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CgroupError {
    #[error("{call} {path}: {cause}")]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    #[error("no cgroup hierarchy with memory, cpu and pids controllers is mounted")]
    NoControllers,
    #[error("{field}: {cause}")]
    Resource { field: String, cause: String },
    #[error("the cgroup at {path} has no {what} controller")]
    MissingController { what: &'static str, path: PathBuf },
    #[error(
        "device rules: {call} the program for cgroup {path}: {cause}; it needs CAP_BPF and CAP_NET_ADMIN and a kernel with CONFIG_CGROUP_BPF, unless the container is privileged"
    )]
    DeviceRules { call: &'static str, path: PathBuf, cause: io::Error },
    #[error(
        "device rules: no cgroup hierarchy can hold the container to them; mount cgroup2 or the devices controller, or make it privileged"
    )]
    NoDeviceRules,
    #[error("processes in cgroup {path} are still there {waited:?} after SIGKILL: {pids:?}")]
    StillPopulated { path: PathBuf, waited: Duration, pids: Vec<i32> },
}

fn error(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    move |cause| CgroupError::Io { call, path: path.to_owned(), cause }
}

/// Name of the cgroup that all pods are in.
const PODS: &str = "barepod";

fn below(root: &Path, cgroup: &Path) -> PathBuf {
    root.join(cgroup.strip_prefix("/").unwrap_or(cgroup))
}

/// The cgroups in one; none where it has gone.
fn children(folder: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let entries = match fs::read_dir(folder) {
        Err(cause) if has_gone(&cause) => return Ok(Vec::new()),
        entries => entries.map_err(error("read", folder))?,
    };
    let mut children = Vec::new();
    for entry in entries {
        match entry.and_then(|entry| Ok((entry.file_type()?, entry.path()))) {
            Ok((kind, path)) if kind.is_dir() => children.push(path),
            Ok(_) => {}
            Err(cause) if has_gone(&cause) => {}
            Err(cause) => return Err(error("read", folder)(cause)),
        }
    }
    Ok(children)
}

/// The pids in a `cgroup.procs`; none where its cgroup has gone.
fn processes(file: &Path) -> Result<Vec<i32>, CgroupError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(cause) if has_gone(&cause) => Ok(Vec::new()),
        // Of a threaded cgroup: its processes are in the list of the domain above it (Documentation/admin-guide/cgroup-v2.rst).
        Err(cause) if cause.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Vec::new()),
        Err(cause) => Err(error("read", file)(cause)),
    }
}

/// What a file of a cgroup says; `None`: the cgroup has no such file, or has gone.
fn text(file: &Path) -> Result<Option<String>, CgroupError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if has_gone(&cause) => Ok(None),
        Err(cause) => Err(error("read", file)(cause)),
    }
}

/// Whether a cgroup has such a file.
fn has_file(file: &Path) -> Result<bool, CgroupError> {
    file.try_exists().map_err(error("stat", file))
}

/// Whether it is sure that nothing is there.
fn is_absent(path: &Path) -> bool {
    path.try_exists().is_ok_and(|exists| !exists)
}

/// What the kernel says of a cgroup that was removed before it was opened, or after that.
fn has_gone(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound || cause.raw_os_error() == Some(libc::ENODEV)
}

/// v1's limit of memory and swap together.
const V1_SWAP: &str = "memory.memsw.limit_in_bytes";

/// v2's limit of swap.
const V2_SWAP: &str = "memory.swap.max";
