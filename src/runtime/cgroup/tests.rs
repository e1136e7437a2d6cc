//! Cgroups that can't be looked into.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::plan::CgroupVersion;

/// A cgroup that can't be looked into is not an empty one.
#[test]
fn members_that_cant_be_read_are_no_none() {
    let root = tempfile::tempdir().unwrap();
    let hierarchies = Hierarchies { version: CgroupVersion::V2, v1: Vec::new(), unified: Some(root.path().to_owned()) };
    let (pod, below) = (root.path().join("p"), root.path().join("p/below"));
    assert_eq!(hierarchies.members(Path::new("/p")).unwrap(), [0; 0], "it has gone");
    fs::create_dir_all(&below).unwrap();
    fs::write(pod.join("cgroup.procs"), "7\n").unwrap();
    fs::write(below.join("cgroup.procs"), "9\n").unwrap();
    assert_eq!(hierarchies.members(Path::new("/p")).unwrap(), [7, 9]);
    fs::remove_file(below.join("cgroup.procs")).unwrap();
    fs::create_dir(below.join("cgroup.procs")).unwrap();
    assert!(hierarchies.members(Path::new("/p")).is_err());
    assert!(hierarchies.end(Path::new("/p"), Duration::ZERO).is_err());
}
