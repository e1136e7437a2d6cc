//! Whether huge pages can be limited (the hugetlb controller).

use std::fs;
use std::path::Path;

use super::{Hierarchies, below};
use crate::plan::CgroupVersion;

impl Hierarchies {
    /// Whether cgroups made below `parent` can have such limits.
    pub(crate) fn limits_huge_pages(&self, parent: &Path) -> bool {
        match (self.version, &self.unified) {
            (CgroupVersion::V1, _) => self.v1_mount("hugetlb").is_some(),
            (CgroupVersion::V2, Some(root)) => {
                let list = fs::read_to_string(below(root, parent).join("cgroup.controllers")).unwrap_or_default();
                list.split_whitespace().any(|name| name == "hugetlb")
            }
            (CgroupVersion::V2, None) | (CgroupVersion::None, _) => false,
        }
    }
}
