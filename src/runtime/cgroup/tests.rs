#![allow(clippy::unwrap_used)]

use super::*;

const HYBRID: &str = "30 1 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
const PURE: &str = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate";

#[test]
fn v2_tracks_wherever_it_is_mounted() {
    let cases = [
        (HYBRID, CgroupVersion::V1, "/sys/fs/cgroup/unified/barepod/p"),
        (PURE, CgroupVersion::V2, "/sys/fs/cgroup/barepod/p"),
        (HYBRID.rsplit_once('\n').unwrap().0, CgroupVersion::V1, "/sys/fs/cgroup/freezer/barepod/p"),
    ];
    for (text, version, tracking) in cases {
        let hierarchies = Hierarchies::parse(text).unwrap();
        assert_eq!(hierarchies.version(), version);
        assert_eq!(hierarchies.tracking(Path::new("/barepod/p")), Path::new(tracking));
    }
    assert!(Hierarchies::parse("30 1 0:26 / / rw - ext4 /dev/vda rw").is_none());
}

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

#[test]
fn named_hierarchies_are_left_alone() {
    let hierarchies = Hierarchies::parse(HYBRID).unwrap();
    assert!(!hierarchies.roots().any(|root| root.ends_with("systemd")));
}
