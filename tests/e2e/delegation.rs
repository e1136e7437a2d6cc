//! Cgroups that are delegated to who runs barepod, as systemd does it (cgroup v2; docs/rootless.md): used where they can
//! be, and where not the pod runs without, and it is said why.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::harness::user::{Ids, UID};
use crate::harness::{Case, main};

const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup of the test's own, below which is one that belongs to the user.
struct Delegated {
    outer: PathBuf,
    cgroup: PathBuf,
}

impl Delegated {
    /// With these controllers.
    fn make(name: &str, controllers: &[&str]) -> Option<Self> {
        let root = Path::new(ROOT);
        if !root.join("cgroup.controllers").exists() {
            crate::skips::skip("delegating a cgroup needs pure cgroup v2");
            return None;
        }
        let words: Vec<String> = controllers.iter().map(|name| format!("+{name}")).collect();
        let outer = root.join(name);
        fs::write(root.join("cgroup.subtree_control"), words.join(" ")).unwrap();
        fs::create_dir(&outer).unwrap();
        fs::write(outer.join("cgroup.subtree_control"), words.join(" ")).unwrap();
        let cgroup = outer.join("user");
        fs::create_dir(&cgroup).unwrap();
        chown(&cgroup, Some(UID), Some(UID)).unwrap();
        for file in ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
            chown(cgroup.join(file), Some(UID), Some(UID)).unwrap();
        }
        // Without systemd's mark (trusted.delegate, user.delegate): its user manager sets none up to version 252.
        Some(Self { outer, cgroup })
    }

    /// Another process in it.
    fn inhabit(&self) -> Inhabitant {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let inhabitant = Inhabitant(child);
        fs::write(self.cgroup.join("cgroup.procs"), inhabitant.0.id().to_string()).unwrap();
        inhabitant
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.cgroup.join("supervisor"));
        fs::remove_dir(&self.cgroup).unwrap();
        fs::remove_dir(&self.outer).unwrap();
    }
}

struct Inhabitant(Child);

impl Drop for Inhabitant {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn limited() -> Value {
    json!({"resources": {"limits": {"memory": "32Mi"}}})
}

/// Limits hold, and nobody is warned.
#[test]
fn delegated_cgroups_enforce_limits() {
    let Some(delegated) = Delegated::make("e2e-delegated", &["memory", "pids", "cpu"]) else { return };
    let Some(mut case) = Case::of_user("user-delegated", Ids::Subordinate) else { return };
    case.delegate(&delegated.cgroup);
    let hog = "say $(cat /sys/fs/cgroup/memory.max); x=x; while :; do x=$x$x; done";
    let mut run = case.start(&case.pod().container(main("hog", hog, limited())));
    assert_eq!(run.end(), 137, "{}", run.stderr());
    assert_eq!(case.trace(), [(32 << 20).to_string()]);
    assert_eq!(case.ended("hog"), (137, "OOMKilled".to_owned()));
    assert!(!run.stderr().contains("warning"), "{}", run.stderr());
    drop(run);
    case.nothing_left();
}

/// The kernel lets no cgroup hand controllers down that has processes in it, and those of others (the shell that barepod
/// was started from) stay where they are: the pod runs without limits, which is said once.
#[test]
fn who_shares_its_cgroup_has_no_limits() {
    let Some(delegated) = Delegated::make("e2e-shared", &["memory", "pids", "cpu"]) else { return };
    let _other = delegated.inhabit();
    let Some(mut case) = Case::of_user("user-shared", Ids::Subordinate) else { return };
    case.delegate(&delegated.cgroup);
    let mut run = case.start(&case.pod().container(main("main", "say ran", limited())));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert!(case.said("ran"));
    let text = run.stderr();
    let told: Vec<&str> = text.lines().filter(|line| line.contains("warning:")).collect();
    assert_eq!(told.len(), 1, "{text}");
    for part in ["resources.limits.memory of container \"main\"", "\"/e2e-shared/user\"", "holds other processes"] {
        assert!(told[0].contains(part), "{text}");
    }
    assert!(!delegated.cgroup.join("supervisor").exists(), "nothing was made of it");
}

/// Older systemds delegate memory and pids alone.
#[test]
fn who_lacks_a_controller_has_no_limits() {
    let Some(delegated) = Delegated::make("e2e-lacking", &["memory", "pids"]) else { return };
    let Some(mut case) = Case::of_user("user-lacking", Ids::Subordinate) else { return };
    case.delegate(&delegated.cgroup);
    let mut run = case.start(&case.pod().container(main("main", "say ran", limited())));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert!(case.said("ran"));
    let text = run.stderr();
    assert_eq!(text.matches("warning:").count(), 1, "{text}");
    assert!(text.contains("\"/e2e-lacking/user\", has no controller cpu"), "{text}");
    // A scope that isn't delegated lacks it, too.
    assert!(text.contains("`systemd-run --user --scope -p Delegate=yes barepod run ...`"), "{text}");
}

/// The box's root in a container of its own kind: a cgroup namespace whose root is a cgroup like any other.
#[test]
fn root_in_a_container_uses_a_cgroup_of_its_own_alone() {
    let Some(delegated) = Delegated::make("e2e-container", &["memory", "pids", "cpu"]) else { return };
    let Some(mut case) = Case::new("container-root") else { return };
    let script = "echo $$ > $0/cgroup.procs && exec unshare --cgroup --mount bash -c \
        'umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$@\"' in \"$@\"";
    case.within(&["bash", "-c", script, &delegated.cgroup.display().to_string()]);
    let pod = case.pod().container(main("main", "say $(cat /sys/fs/cgroup/memory.max)", limited()));
    {
        let _other = delegated.inhabit();
        let mut run = case.start(&pod);
        assert_eq!(run.end(), 125, "{}", run.stderr());
        let text = run.stderr();
        assert!(text.contains("the one to use, \"/\", holds other processes"), "{text}");
        assert!(case.trace().is_empty());
    }
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert_eq!(case.trace(), [(32 << 20).to_string()]);
    drop(run);
    case.within(&[]);
    case.nothing_left();
}

/// Root of a container that an ordinary user runs, whose cgroup is a delegated one.
#[test]
fn root_in_a_users_container_has_limits() {
    let Some(delegated) = Delegated::make("e2e-inside", &["memory", "pids", "cpu"]) else { return };
    let Some(mut case) = Case::of_user("inside-delegated", Ids::Subordinate) else { return };
    case.delegate(&delegated.cgroup);
    // Not on itself: the kernel refuses a file system there twice.
    let script = "mount -t tmpfs none /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$@\"";
    case.within(&[
        "unshare",
        "--user",
        "--map-root-user",
        "--map-auto",
        "--cgroup",
        "--mount",
        "bash",
        "-c",
        script,
        "in",
    ]);
    let pod = case.pod().container(main("main", "say $(cat /sys/fs/cgroup/memory.max)", limited()));
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert_eq!(case.trace(), [(32 << 20).to_string()]);
    assert!(!run.stderr().contains("warning"), "{}", run.stderr());
    drop(run);
    case.nothing_left();
}
