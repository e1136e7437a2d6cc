//! Seccomp profiles: which one a container gets, and that it is put on: its init, what is run in it, its hooks.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::harness::{Case, main, probe, wait, wait_for};

const MODE: &str = "say $(grep ^Seccomp: /proc/self/status | cut -f2)";

fn profile(kind: &str) -> Value {
    json!({"seccompProfile": {"type": kind}})
}

/// The container's before the pod's; the default where both are silent; none for a privileged one, as under the kubelet.
#[test]
fn which_profile_a_container_gets() {
    let privileged = json!({"privileged": true, "seccompProfile": {"type": "RuntimeDefault"}});
    let locked = json!({"allowPrivilegeEscalation": false, "runAsUser": 1000, "capabilities": {"drop": ["ALL"]}});
    let all = [
        ("seccomp-silent", json!({}), json!({}), &[][..], "2"),
        ("seccomp-stock", json!({}), json!({}), &["--seccomp-default=false"], "0"),
        ("seccomp-default", profile("RuntimeDefault"), json!({}), &["--seccomp-default=false"], "2"),
        ("seccomp-pod", json!({}), profile("RuntimeDefault"), &["--seccomp-default=false"], "2"),
        ("seccomp-none", profile("Unconfined"), profile("RuntimeDefault"), &[], "0"),
        ("seccomp-privileged", privileged, json!({}), &[], "0"),
        ("seccomp-locked", locked, json!({}), &[], "2"),
    ];
    for (name, container, pod, options, expected) in all {
        let Some(case) = Case::new(name) else { return };
        let manifest = case.pod().spec(json!({"securityContext": pod}));
        let manifest = manifest.container(main("main", MODE, json!({"securityContext": container})));
        assert_eq!(case.start_with(&manifest, options).end(), 0, "{name}");
        assert_eq!(case.trace(), [expected], "{name}");
    }
}

/// What the default profile forbids and allows, and that it depends on the container's capabilities.
#[test]
fn the_default_profile_forbids() {
    let script = "busybox unshare -U true 2>/dev/null || say no userns; mkdir /tmp/d && chmod 700 /tmp/d && say files; \
        mount -t tmpfs x /root 2>/dev/null && say mounted";
    let all = [
        ("seccomp-plain", json!({}), &["no userns", "files"][..]),
        ("seccomp-admin", json!({"capabilities": {"add": ["SYS_ADMIN"]}}), &["files", "mounted"]),
    ];
    for (name, context, expected) in all {
        let Some(case) = Case::new(name) else { return };
        let script = format!("{script}; true");
        assert_eq!(case.run(&case.pod().container(main("main", &script, json!({"securityContext": context})))), 0);
        let trace = case.trace();
        let found: Vec<&str> = trace.iter().map(String::as_str).filter(|line| expected.contains(line)).collect();
        assert_eq!(found, expected, "{name}: {trace:?}");
    }
}

fn no_mkdir() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95, "args": []}],
    })
}

fn localhost(name: &str) -> Value {
    json!({"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": name}}})
}

/// Localhost: a file below the root of profiles, for the container's own process and for what is run in it.
#[test]
fn a_profile_of_a_file() {
    let Some(case) = Case::new("seccomp-file") else { return };
    let root = case.dir().join("profiles");
    fs::create_dir_all(root.join("deep")).unwrap();
    fs::write(root.join("deep/no-mkdir.json"), no_mkdir().to_string()).unwrap();
    let tell = "mkdir /tmp/$0 2>&1 | sed 's/.*: //' >> /t/log";
    let mut more = localhost("deep/no-mkdir.json");
    more["startupProbe"] = probe(&tell.replace("$0", "probe"));
    let script = format!("{}; await Operation not supported; hold probed", tell.replace("$0", "main"));
    let pod = case.pod().container(main("main", &script, more));
    let mut run = case.start_with(&pod, &["--seccomp-profile-root", root.to_str().unwrap()]);
    wait("both to be refused", || case.times_said("Operation not supported") == 2);
    case.release("probed");
    assert_eq!(run.end(), 0);
}

/// A file that isn't there or makes no sense: CreateContainerError that says why, as under containerd.
#[test]
fn a_profile_that_can_not_be_had() {
    let all = [
        ("seccomp-missing", None, "No such file"),
        ("seccomp-broken", Some("{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscals\": []}"), "unknown field `syscals`"),
        ("seccomp-notify", Some("{\"defaultAction\": \"SCMP_ACT_NOTIFY\"}"), "SCMP_ACT_NOTIFY is not supported"),
    ];
    for (name, text, expected) in all {
        let Some(case) = Case::new(name) else { return };
        let root = case.root().join("seccomp");
        fs::create_dir_all(&root).unwrap();
        if let Some(text) = text {
            fs::write(root.join("p.json"), text).unwrap();
        }
        let mut run = case.start(&case.pod().container(main("main", "say main", localhost("p.json"))));
        let message = wait_for("CreateContainerError", || {
            let waiting = &case.container("main")["state"]["waiting"];
            (waiting["reason"] == "CreateContainerError").then(|| waiting["message"].as_str().unwrap().to_owned())
        });
        assert!(message.contains(expected), "{message}");
        run.signal(rustix::process::Signal::TERM);
        run.end();
        assert!(case.trace().is_empty());
        // Ours, not the pod's.
        fs::remove_dir_all(root).unwrap();
    }
}

/// A bundle's own profile holds where the manifest is silent, and its startContainer hooks are under it.
#[test]
fn a_bundles_profile_and_hooks() {
    let Some(case) = Case::new("seccomp-bundle") else { return };
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    symlink(case.rootfs(), folder.join("rootfs")).unwrap();
    let tell = "grep -E '^(Seccomp|CapEff):' /proc/self/status | cut -f2 | while read -r it; do say hook $it; done";
    let config = json!({
        "ociVersion": "1.0.2", "root": {"path": "rootfs"},
        "process": {
            "args": ["sh", "-c", format!("{MODE}; mkdir /tmp/x 2>/dev/null || say no mkdir")], "env": ["PATH=/bin"],
            "cwd": "/", "user": {"uid": 0, "gid": 0},
        },
        "hooks": {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", tell], "env": ["PATH=/bin"]}]},
        "linux": {"seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
        }},
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut container = main("main", "", json!({"securityContext": {"capabilities": {"drop": ["ALL"]}}}));
    container.as_object_mut().unwrap().remove("command");
    container["image"] = json!("bundle:b");
    assert_eq!(case.run(&case.pod().container(container)), 0);
    assert_eq!(case.trace(), ["hook 0000000000000000", "hook 2", "2", "no mkdir"]);
}

/// Sysctls beyond the safe ones need to be allowed, and be the pod's own.
#[test]
fn sysctls() {
    let sysctl = |name: &str| json!({"securityContext": {"sysctls": [{"name": name, "value": "77"}]}});
    let all = [
        ("sysctl-unsafe", "kernel.msgmni", &[][..], "allow it with --allowed-unsafe-sysctls kernel.msgmni"),
        ("sysctl-host", "vm.swappiness", &["--allowed-unsafe-sysctls", "kernel.msg*"], "it is not namespaced"),
    ];
    for (name, sysctl_name, options, expected) in all {
        let Some(case) = Case::new(name) else { return };
        let pod = case.pod().spec(sysctl(sysctl_name)).container(main("main", "say main", json!({})));
        let mut run = case.start_with(&pod, options);
        assert_eq!(run.end(), 2);
        assert!(run.stderr().contains(expected), "{}", run.stderr());
    }
    let Some(case) = Case::new("sysctl-allowed") else { return };
    let read = "say $(cat /proc/sys/kernel/msgmni)";
    let pod = case.pod().spec(sysctl("kernel.msgmni")).container(main("main", read, json!({})));
    assert_eq!(case.start_with(&pod, &["--allowed-unsafe-sysctls", "net.core.somaxconn,kernel.msg*"]).end(), 0);
    assert_eq!(case.trace(), ["77"]);
    let Some(case) = Case::new("sysctl-flag") else { return };
    let mut run = case.start_with(&pod, &["--allowed-unsafe-sysctls", "vm.*"]);
    assert_eq!(run.end(), 2);
}
