//! What keeps the box from being described, and the reading of files that need not be there.

use std::path::{Path, PathBuf};

use crate::runtime::cgroup::CgroupError;
use crate::runtime::files;

/// Why the box can't be described.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NodeError {
    #[error("read {path}: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{path}: no line {line}")]
    Missing { path: PathBuf, line: &'static str },
    #[error("read this process' capabilities: {0}")]
    Capabilities(#[from] caps::errors::CapsError),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error(
        "openat2: {cause}: without this system call no link in an image can be followed safely. Linux has it since 5.6; a \
         seccomp filter may forbid it, such as that of a unit with `RestrictSUIDSGID=yes` or `DynamicUser=yes`: leave these out \
         (docs/systemd.md)"
    )]
    NoOpenat2 { cause: std::io::Error },
    #[error("look up the box's addresses (getifaddrs): {cause}")]
    Addresses { cause: std::io::Error },
}

/// The text of a file; empty where there is none, as on a kernel without what it tells of.
pub(super) fn text_or_empty(path: &Path) -> Result<String, NodeError> {
    let text = files::read_if_there(path).map_err(|cause| NodeError::Read { path: path.to_owned(), cause })?;
    Ok(text.unwrap_or_default())
}
