//! What a box can say of memory: whether swap can be limited, and how much a cgroup uses.

use std::fs;
use std::path::Path;

use super::{Hierarchies, V1_SWAP, V2_SWAP};
use crate::plan::{Bytes, CgroupVersion};

impl Hierarchies {
    /// Whether swap can be limited in cgroups below this one. The kernel's own root has no file that tells (v2).
    pub(crate) fn limits_swap(&self, parent: &Path) -> bool {
        let Some(folder) = self.controller_folder("memory", parent) else { return false };
        let file = if self.version == CgroupVersion::V2 { V2_SWAP } else { V1_SWAP };
        let below = super::children(&folder).unwrap_or_default();
        let mut near = std::iter::once(folder.clone()).chain(below);
        if near.any(|folder| folder.join(file).exists()) {
            return true;
        }
        let is_off = |text: String| text.split_whitespace().any(|word| word == "swapaccount=0");
        self.version == CgroupVersion::V2
            && !folder.join("cgroup.type").exists()
            && Path::new("/proc/swaps").exists()
            && !fs::read_to_string("/proc/cmdline").is_ok_and(is_off)
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
