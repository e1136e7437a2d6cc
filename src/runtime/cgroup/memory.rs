//! What a box can say of memory: whether swap can be limited, and how much a cgroup uses.

use std::fs;
use std::path::Path;

use super::parent::is_box_root;
use super::{CgroupError, Hierarchies, V1_SWAP, V2_SWAP, children, has_file, text};
use crate::plan::{Bytes, CgroupVersion};

impl Hierarchies {
    /// Whether swap can be limited in cgroups below this one. The kernel's own root has no file that tells (v2).
    ///
    /// # Errors
    /// Where that can't be seen.
    pub(crate) fn limits_swap(&self, parent: &Path) -> Result<bool, CgroupError> {
        let Some(folder) = self.controller_folder("memory", parent) else { return Ok(false) };
        let file = if self.version == CgroupVersion::V2 { V2_SWAP } else { V1_SWAP };
        for near in std::iter::once(folder.clone()).chain(children(&folder)?) {
            if has_file(&near.join(file))? {
                return Ok(true);
            }
        }
        if self.version != CgroupVersion::V2 || !is_box_root(&folder)? || !has_file(Path::new("/proc/swaps"))? {
            return Ok(false);
        }
        let line = text(Path::new("/proc/cmdline"))?.unwrap_or_default();
        Ok(!line.split_whitespace().any(|word| word == "swapaccount=0"))
    }

    /// Memory that a cgroup uses now, page cache included; `None` where nobody counts it.
    pub(crate) fn memory_usage(&self, cgroup: &Path) -> Option<Bytes> {
        let file = match self.version {
            CgroupVersion::V1 => "memory.usage_in_bytes",
            CgroupVersion::V2 => "memory.current",
            CgroupVersion::None => return None,
        };
        let path = self.controller_folder("memory", cgroup)?.join(file);
        fs::read_to_string(path).ok()?.trim().parse().ok().map(Bytes)
    }
}
