//! SELinux (`seLinuxOptions`): in the VM that `scripts/vm-test selinux` starts; elsewhere that there is none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::mount::MsFlags;
use rustix::fs::XattrFlags;
use serde_json::{Value, json};

use crate::harness::hostile::over;
use crate::harness::{Case, main};

const FOLDER: &str = "/sys/fs/selinux";
const FILES: &str = "system_u:object_r:container_file_t:s0";

fn has_selinux() -> bool {
    fs::read_to_string("/proc/filesystems").unwrap_or_default().contains("selinuxfs")
}

/// Loads the policy of tests/fixtures/selinux.sh into this kernel, which then enforces it to its end. False where the
/// kernel hasn't got SELinux; also where a policy is there already, as it is somebody's.
fn enforced() -> bool {
    let context = fs::read_to_string("/proc/self/attr/current").unwrap_or_default();
    if !has_selinux() || context.trim_end_matches('\0') != "kernel" || Path::new("/etc/selinux").exists() {
        crate::skips::skip("no kernel with SELinux and without a policy (scripts/vm-test selinux)");
        return false;
    }
    nix::mount::mount(Some("selinuxfs"), FOLDER, Some("selinuxfs"), MsFlags::empty(), None::<&str>).unwrap();
    let policy: &[u8] = include_bytes!("../fixtures/selinux.bin");
    fs::write(Path::new(FOLDER).join("load"), policy).unwrap();
    fs::write(Path::new(FOLDER).join("enforce"), "1").unwrap();
    fs::create_dir_all("/etc/selinux/test/contexts").unwrap();
    fs::write("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=test\n").unwrap();
    let contexts = format!("process = \"system_u:system_r:container_t:s0\"\nfile = \"{FILES}\"\n");
    fs::write("/etc/selinux/test/contexts/lxc_contexts", contexts).unwrap();
    true
}

/// As an owner of a box does who lends files to containers.
fn lend(path: &Path) {
    rustix::fs::setxattr(path, "security.selinux", FILES.as_bytes(), XattrFlags::empty()).unwrap();
}

/// What containers say is a file of the host's.
fn lend_trace(case: &Case) {
    let folder = case.dir().join("trace");
    lend(&folder);
    fs::read_dir(folder).unwrap().for_each(|entry| lend(&entry.unwrap().path()));
}

fn options(more: Value) -> Value {
    json!({"securityContext": {"seLinuxOptions": more}})
}

/// One test, as the policy is the whole kernel's: containers and what is executed in them have the label, can write to
/// what was made for them, and not to what is the host's, nor to what another level has.
#[test]
fn labels_hold_for_all_that_runs_in_the_container() {
    if !rustix::process::geteuid().is_root() {
        return crate::skips::skip("loading a policy needs root");
    }
    if !enforced() {
        return;
    }
    labels_are_put_on();
    levels_keep_pods_apart();
    a_bundles_labels_count();
    a_label_that_the_policy_lacks_is_said();
}

fn labels_are_put_on() {
    let Some(case) = Case::new("selinux") else { return };
    lend_trace(&case);
    let hosts = case.dir().join("hosts");
    fs::create_dir(&hosts).unwrap();
    fs::write(hosts.join("file"), "").unwrap();
    let places = "/root-file /dev/shm/x /v/x /m/x /etc/hosts /dev/termination-log /h/file";
    let tell = |who: &str| {
        format!(
            "say {who} $(tr -d '\\0' < /proc/self/attr/current); \
             for at in {places}; do (: >> $at) 2>/dev/null && say {who} wrote $at; done; \
             (: > /dev/mqueue/{who}) 2>/dev/null; [ -e /dev/mqueue/{who} ] && say {who} made a queue; say {who} over"
        )
    };
    let mounts =
        json!([{"name": "v", "mountPath": "/v"}, {"name": "m", "mountPath": "/m"}, {"name": "h", "mountPath": "/h"}]);
    let with = |mut more: Value| {
        more["volumeMounts"] = mounts.clone();
        more
    };
    let hook = json!({"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", tell("hook")]}}}});
    let privileged = json!({"securityContext": {"privileged": true}});
    let manifest = case
        .pod()
        .spec(json!({"securityContext": {"seLinuxOptions": {"level": "s0:c1,c2"}}, "volumes": [
            {"name": "v", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory"}},
            {"name": "h", "hostPath": {"path": hosts}},
        ]}))
        .container(main("main", &format!("{}; await hook over", tell("main")), with(hook)))
        .container(main("free", &tell("free"), with(privileged)));
    assert_eq!(case.run(&manifest), 0, "{:?}", case.trace());
    for who in ["main", "hook"] {
        assert!(case.said(&format!("{who} made a queue")), "{:?}", case.trace());
        assert!(case.said(&format!("{who} system_u:system_r:container_t:s0:c1,c2")), "{:?}", case.trace());
        for place in places.split(' ') {
            let wrote = case.said(&format!("{who} wrote {place}"));
            assert_eq!(wrote, place != "/h/file", "{who} {place}: {:?}", case.trace());
        }
    }
    assert!(case.said("free system_u:system_r:kernel_t:s0-s0:c0.c1023"), "{:?}", case.trace());
    assert!(case.said("free wrote /h/file"), "{:?}", case.trace());
}

/// Without a level each pod has one of its own. The policy forbids writing to a level that isn't dominated.
fn levels_keep_pods_apart() {
    let Some(case) = Case::new("selinux-level") else { return };
    lend_trace(&case);
    let others = case.dir().join("others");
    fs::write(&others, "").unwrap();
    let label = "system_u:object_r:container_file_t:s0:c0.c1023";
    rustix::fs::setxattr(&others, "security.selinux", label.as_bytes(), XattrFlags::empty()).unwrap();
    let script = "say I am $(tr -d '\\0' < /proc/self/attr/current); (echo x > /o) 2>/dev/null && say wrote; true";
    let mut more = options(json!({"type": "container_t"}));
    more["volumeMounts"] = json!([{"name": "o", "mountPath": "/o"}]);
    let volumes = json!({"volumes": [{"name": "o", "hostPath": {"path": others, "type": "File"}}]});
    assert_eq!(case.run(&case.pod().spec(volumes).container(main("main", script, more))), 0);
    let trace = case.trace();
    let own = |line: &String| line.contains("I am system_u:system_r:container_t:s0:c") && line.contains(",c");
    assert!(trace.iter().any(own), "{trace:?}");
    assert!(!case.said("wrote"), "{trace:?}");
}

/// process.selinuxLabel and linux.mountLabel, without a word of the manifest's.
fn a_bundles_labels_count() {
    let Some(case) = Case::new("selinux-bundle") else { return };
    lend_trace(&case);
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    symlink(case.rootfs(), folder.join("rootfs")).unwrap();
    let config = json!({
        "ociVersion": "1.2.0", "root": {"path": "rootfs"},
        "process": {
            "args": ["sh"], "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0},
            "selinuxLabel": "system_u:system_r:container_t:s0:c7",
        },
        "linux": {"mountLabel": "system_u:object_r:container_file_t:s0:c7", "maskedPaths": []},
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let script = "say $(tr -d '\\0' < /proc/self/attr/current); echo x > /root-file && say wrote; [ $(keys) -gt 0 ] && say keyring";
    // The policy lets containers see keys of their own label only: the hook its own and the main's.
    let keys = "keys() { grep -c '_ses' /proc/keys; }";
    let hook = json!({"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", format!("{keys}; say hook $(keys) keyring; say hooked")]}}},
        "image": "bundle:b"});
    let container = main("main", &format!("{keys}; await hooked; {script}"), hook);
    assert_eq!(case.run(&case.pod().container(container)), 0, "{:?}", case.trace());
    assert_eq!(case.trace(), ["hook 2 keyring", "hooked", "system_u:system_r:container_t:s0:c7", "wrote", "keyring"]);
}

fn a_label_that_the_policy_lacks_is_said() {
    let Some(case) = Case::new("selinux-unknown") else { return };
    let manifest = case.pod().container(main("main", "true", options(json!({"type": "nobody_t"}))));
    let mut run = case.start(&manifest);
    over(&case, &mut run);
    let said = format!("{}{:?}", run.stderr(), case.events());
    assert!(said.contains("SELinux label system_u:system_r:nobody_t:s0:c"), "{said}");
    assert!(said.contains("Invalid argument"), "{said}");
}

/// A box without SELinux puts no labels on, as any node without, and says so.
#[test]
fn labels_without_selinux_are_left_out() {
    if has_selinux() {
        return crate::skips::skip("this kernel has SELinux");
    }
    let Some(case) = Case::new("selinux-none") else { return };
    let mut run = case.start(&case.pod().container(main("main", "true", options(json!({"level": "s0:c1"})))));
    assert_eq!(run.end(), 0);
    let said = "SELinux is not enabled on this box, so that no labels are put on: \
                spec.containers[0].securityContext.seLinuxOptions\n";
    assert!(run.stderr().contains(said), "{}", run.stderr());
}
