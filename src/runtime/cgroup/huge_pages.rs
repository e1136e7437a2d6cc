//! Limits of huge pages (the hugetlb controller): of what is used, and of what is reserved, since without the second a
//! process learns of the first by SIGBUS only.

use std::fs;
use std::io;
use std::path::Path;

use super::{CgroupError, Hierarchies, below, error};
use crate::plan::Bytes;
use crate::plan::huge_pages::kernels_name;
use crate::plan::{CgroupVersion, HugePageLimit};

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

    /// Sets them. A limit of nothing needs no controller: where none was handed down there is nothing to rule out.
    pub(super) fn limit_huge_pages(&self, cgroup: &Path, limits: &[HugePageLimit]) -> Result<(), CgroupError> {
        let (folder, file) = match self.version {
            CgroupVersion::V1 => (self.v1_mount("hugetlb").map(|root| below(root, cgroup)), "limit_in_bytes"),
            CgroupVersion::V2 => (self.unified.as_ref().map(|root| below(root, cgroup)), "max"),
            CgroupVersion::None => (None, ""),
        };
        for HugePageLimit { page, limit } in limits {
            let size = kernels_name(*page);
            let missing = || CgroupError::MissingController { what: "hugetlb", path: cgroup.to_owned() };
            let Some(folder) = &folder else { return Err(missing()) };
            let used = folder.join(format!("hugetlb.{size}.{file}"));
            match fs::write(&used, limit.0.to_string()) {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::NotFound && *limit == Bytes(0) => continue,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(missing()),
                Err(cause) => return Err(error("write", &used)(cause)),
            }
            // Since Linux 5.7.
            let reserved = folder.join(format!("hugetlb.{size}.rsvd.{file}"));
            match fs::write(&reserved, limit.0.to_string()) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(error("write", &reserved)(cause)),
                _ => {}
            }
        }
        Ok(())
    }
}
