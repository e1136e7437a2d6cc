//! Whether huge pages can be limited (the hugetlb controller).

use std::path::Path;

use super::{CgroupError, Hierarchies, text};
use crate::plan::CgroupVersion;

const CONTROLLER: &str = "hugetlb";

impl Hierarchies {
    /// Whether cgroups made below `parent` can have such limits.
    ///
    /// # Errors
    /// Where the controllers of `parent` can't be read.
    pub(crate) fn limits_huge_pages(&self, parent: &Path) -> Result<bool, CgroupError> {
        let Some(folder) = self.controller_folder(CONTROLLER, parent) else { return Ok(false) };
        if self.version == CgroupVersion::V1 {
            return Ok(true);
        }
        let list = text(&folder.join("cgroup.controllers"))?.unwrap_or_default();
        Ok(list.split_whitespace().any(|name| name == CONTROLLER))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    /// Limits that can't be looked for aren't refused for that.
    #[test]
    fn what_a_box_limits_is_read_or_unknown() {
        let root = tempfile::tempdir().unwrap();
        let unified = Some(root.path().to_owned());
        let hierarchies = Hierarchies { version: CgroupVersion::V2, v1: Vec::new(), unified };
        let limits = || hierarchies.limits_huge_pages(Path::new("/"));
        let list = root.path().join("cgroup.controllers");
        assert!(!limits().unwrap());
        for (text, expected) in [("cpu memory", false), ("cpu hugetlb pids", true)] {
            fs::write(&list, text).unwrap();
            assert_eq!(limits().unwrap(), expected);
        }
        fs::remove_file(&list).unwrap();
        fs::create_dir(&list).unwrap();
        assert!(limits().is_err());
        let v1 = vec![(vec![CONTROLLER.to_owned()], root.path().to_owned())];
        assert!(
            Hierarchies { version: CgroupVersion::V1, v1, unified: None }.limits_huge_pages(Path::new("/")).unwrap()
        );
    }
}
