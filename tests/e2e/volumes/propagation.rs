//! Mounts that are handed on between the host and containers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::MsFlags;
use serde_json::json;

use crate::harness::{Case, main, own_mounts};

/// A folder of the host's that is a mount of its own, shared or not; unmounted at the end.
struct Mounted(PathBuf);

impl Mounted {
    fn new(case: &Case, name: &str, propagation: MsFlags) -> Self {
        let folder = case.dir().join(name);
        fs::create_dir(&folder).unwrap();
        own_mounts();
        tmpfs(&folder);
        nix::mount::mount(None::<&str>, &folder, None::<&str>, propagation, None::<&str>).unwrap();
        Self(folder)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // With what is mounted below.
        let ended = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

fn tmpfs(folder: &Path) {
    nix::mount::mount(Some("x"), folder, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
}

/// HostToContainer: what the host mounts later is seen, in that mount alone; Bidirectional: the host sees what the
/// container mounts as well.
#[test]
fn later_mounts_are_handed_on_as_it_is_said() {
    let Some(case) = Case::new("propagation") else { return };
    let shared = Mounted::new(&case, "shared", MsFlags::MS_SHARED);
    for name in ["from-host", "from-container", "still-private"] {
        fs::create_dir(shared.0.join(name)).unwrap();
    }
    let volumes = json!({"volumes": [{"name": "v", "hostPath": {"path": shared.0}}]});
    let mounts = json!({"securityContext": {"privileged": true}, "volumeMounts": [
        {"name": "v", "mountPath": "/two", "mountPropagation": "Bidirectional"},
        {"name": "v", "mountPath": "/one", "mountPropagation": "HostToContainer"},
        {"name": "v", "mountPath": "/none"},
    ]});
    let script = "mount -t tmpfs x /two/from-container && mount -t tmpfs x /one/still-private && say mounted; \
        hold go; for m in two one none; do say $m $(grep -c \" /$m/\" /proc/self/mountinfo); done";
    let mut run = case.start(&case.pod().spec(volumes).container(main("main", script, mounts)));
    case.wait_for("mounted");
    let mine = || fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let is_mounted = |name: &str| mine().contains(&format!("{} ", shared.0.join(name).display()));
    assert!(is_mounted("from-container") && !is_mounted("still-private"), "{}", mine());
    let target = shared.0.join("from-host");
    tmpfs(&target);
    case.release("go");
    assert_eq!(run.end(), 0);
    // Of the container, of the host; in the second also the one that stayed there.
    assert_eq!(case.trace()[1..], ["two 2", "one 3", "none 0"]);
    drop(shared);
}

/// A bundle's mount with `slave` or `rslave` gets what is mounted later, one without doesn't.
#[test]
fn later_mounts_in_mounts_of_a_bundle() {
    for (option, count) in [("rslave", "1"), ("slave", "1"), ("rprivate", "0")] {
        let Some(case) = Case::new(&format!("bundle-{option}")) else { return };
        let shared = Mounted::new(&case, "shared", MsFlags::MS_SHARED);
        fs::create_dir(shared.0.join("late")).unwrap();
        let folder = case.dir().join("b");
        fs::create_dir(&folder).unwrap();
        symlink(case.rootfs(), folder.join("rootfs")).unwrap();
        let mounts = json!([{"destination": "/x", "type": "bind", "source": shared.0, "options": ["rbind", option]}]);
        let config = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "mounts": mounts,
            "process": {"args": ["sh"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let script = "say here; hold go; say $(grep -c ' /x/late ' /proc/self/mountinfo)";
        let mut run = case.start(&case.pod().container(main("main", script, json!({"image": "bundle:b"}))));
        case.wait_for("here");
        tmpfs(&shared.0.join("late"));
        case.release("go");
        assert_eq!(run.end(), 0);
        assert_eq!(case.trace(), ["here", count], "{option}");
        drop(shared);
    }
}

/// Bidirectional in a volume of the pod's own: another container sees it, the host doesn't, and it goes with the pod.
#[test]
fn containers_hand_mounts_to_each_other() {
    for (name, medium) in [("handed-disk", ""), ("handed-memory", "Memory")] {
        let Some(case) = Case::new(name) else { return };
        let volumes = json!({"volumes": [{"name": "v", "emptyDir": {"medium": medium}}]});
        let mounter = json!({"securityContext": {"privileged": true}, "volumeMounts": [
            {"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]});
        let user = json!({"volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "HostToContainer"}]});
        let other = json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]});
        let manifest = case
            .pod()
            .spec(volumes)
            .container(main("user", "say user; await mounted; say $(cat /v/m/f)", user))
            .container(main("other", "say other; await mounted; [ -e /v/m/f ] || say nothing", other))
            .container(main(
                "mounter",
                "await user; await other; mkdir /v/m; mount -t tmpfs x /v/m && echo handed > /v/m/f; say mounted; await handed",
                mounter,
            ));
        assert_eq!(case.run(&manifest), 0);
        assert!(case.said("handed") && case.said("nothing"), "{:?}", case.trace());
    }
}

/// What isn't shared by the host can't be by a container; the words are the ones that people search for.
#[test]
fn sharing_needs_a_shared_mount() {
    let Some(case) = Case::new("not-shared") else { return };
    let private = Mounted::new(&case, "private", MsFlags::MS_PRIVATE);
    let volumes = json!({"volumes": [{"name": "v", "hostPath": {"path": private.0}}]});
    let mounts = json!({"securityContext": {"privileged": true}, "volumeMounts": [
        {"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]});
    let mut run = case.start(&case.pod().spec(volumes).container(main("main", "true", mounts)));
    crate::harness::wait("the refusal", || {
        let state = case.container("main")["state"].clone();
        state["waiting"]["message"].as_str().is_some_and(|text| text.contains("but it is not a shared mount"))
    });
    run.signal(rustix::process::Signal::TERM);
    run.end();
    drop(run);
    drop(private);
}

/// A volume in one that hands mounts on would be mounted on the host for ever: there it is refused.
#[test]
fn no_volume_in_one_that_hands_mounts_on() {
    let Some(case) = Case::new("in-shared") else { return };
    let shared = Mounted::new(&case, "shared", MsFlags::MS_SHARED);
    let volumes = json!({"volumes": [{"name": "v", "hostPath": {"path": shared.0}}, {"name": "w", "emptyDir": {}}]});
    let mounts = json!({"securityContext": {"privileged": true}, "volumeMounts": [
        {"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}, {"name": "w", "mountPath": "/v/in"}]});
    let mut run = case.start(&case.pod().spec(volumes).container(main("main", "say ran", mounts)));
    run.wait_for_line("mount: /v/in: is in the volume at /v, which hands mounts on");
    run.signal(rustix::process::Signal::TERM);
    run.end();
    assert!(case.trace().is_empty());
    assert_eq!(fs::read_dir(&shared.0).unwrap().count(), 0);
    drop(run);
    drop(shared);
}
