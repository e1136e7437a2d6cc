//! Commands, environment, mounts; and the configs as a whole.

use barepod_engine::event::CreateFailure;
use serde_json::{Value, json};

use super::*;

fn snapshot(name: &str, pod: &v1::Pod, image: &ImageFacts, node: &NodeFacts) {
    let plan = try_container(pod, image, node).unwrap();
    let rest = json!({"sub_paths": plan.sub_paths, "files": plan.files, "spec": readable(&plan.spec)});
    insta::assert_json_snapshot!(name, rest);
}

#[test]
fn configs_are_as_they_were() {
    let v1 = NodeFacts { cgroups: CgroupVersion::V1, cgroup_parent: "/delegated".into(), ..node() };
    snapshot("smallest", &one(json!({})), &plain(), &node());
    snapshot("smallest_v1", &one(json!({})), &plain(), &v1);
    let limits = json!({"resources": {"requests": {"cpu": "250m"}, "limits": {"cpu": "1", "memory": "64Mi"}}});
    snapshot("limits", &one(limits.clone()), &plain(), &node());
    snapshot("limits_v1", &one(limits), &plain(), &v1);
    snapshot("privileged", &one(json!({"securityContext": {"privileged": true}})), &plain(), &node());
    let locked = json!({"securityContext": {"runAsUser": 1000, "readOnlyRootFilesystem": true,
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}});
    snapshot("locked_down", &one(locked), &plain(), &node());
    let mounts = json!({"volumeMounts": [
        {"name": "data", "mountPath": "/data/deep/er", "subPath": "a/b"},
        {"name": "data", "mountPath": "/data", "readOnly": true, "mountPropagation": "HostToContainer"},
        {"name": "data", "mountPath": "/dev/shm/"}, {"name": "data", "mountPath": "/etc/hosts", "subPath": "hosts"}]});
    snapshot("volumes", &one(mounts), &plain(), &node());
    let host = v1_pod(json!({"hostNetwork": true, "hostPID": true, "hostIPC": true,
        "containers": [{"name": "c", "image": "bundle:b"}]}));
    snapshot("host", &host, &plain(), &node());
    let shared = v1_pod(json!({"shareProcessNamespace": true, "containers": [{"name": "c", "image": "bundle:b"}]}));
    snapshot("shared_pids", &shared, &plain(), &node());
    let rootfs = ImageFacts { base: serde_json::from_value(json!({"ociVersion": "1.2.0"})).unwrap(), ..plain() };
    snapshot("rootfs", &one(json!({"command": ["sh"]})), &rootfs, &node());
    snapshot("rich_bundle", &one(json!({})), &rich(), &node());
    let over = json!({"command": ["/own"], "workingDir": "/w", "env": [{"name": "A", "value": "mine"}],
        "resources": {"limits": {"memory": "1Mi"}}, "securityContext": {"runAsUser": 1000, "privileged": false}});
    snapshot("rich_bundle_overridden", &one(over), &rich(), &node());
}

/// A bundle that says much: what it says stays but for namespaces, cgroup, host name and the sandbox's mounts.
fn rich() -> ImageFacts {
    image(json!({
        "ociVersion": "1.0.2",
        "hostname": "its-own",
        "root": {"path": "rootfs", "readonly": true},
        "annotations": {"a": "b"},
        "process": {
            "cwd": "/srv", "args": ["/bin/app"], "env": ["A=1", "HOME=/h", "PATH=/bin"],
            "user": {"uid": 7, "gid": 8, "umask": 18, "additionalGids": [9]},
            "noNewPrivileges": true, "oomScoreAdj": 5,
            "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 10, "soft": 9}],
        },
        "hooks": {"createRuntime": [{"path": "/bin/true"}]},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm"},
            {"destination": "/etc/hosts", "type": "bind", "source": "/m/b/hosts", "options": ["rbind"]},
            {"destination": "/cache", "type": "tmpfs", "options": ["size=1m"]},
        ],
        "linux": {
            "namespaces": [{"type": "network"}, {"type": "pid", "path": "/proc/1/ns/pid"}], "cgroupsPath": "its/own",
            "maskedPaths": ["/proc/kcore"], "readonlyPaths": [],
            "resources": {"pids": {"limit": 50}, "cpu": {"shares": 77}, "memory": {"limit": 4096, "swap": 8192},
                "devices": [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]},
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
        },
    }))
}

/// R10.1
#[test]
fn commands_and_args_follow_the_table() {
    for (fields, expected) in [
        (json!({}), vec!["/bin/app", "-x"]),
        (json!({"command": ["c"]}), vec!["c"]),
        (json!({"command": ["c"], "args": []}), vec!["c"]),
        (json!({"command": ["c"], "args": ["a"]}), vec!["c", "a"]),
        (json!({"args": ["a"]}), vec!["/bin/app", "a"]),
        (json!({"command": [], "args": []}), vec!["/bin/app", "-x"]),
    ] {
        assert_eq!(args(&contained(&one(fields.clone()))), expected, "{fields}");
    }
    let empty = image(json!({"ociVersion": "1.0.2", "process": {"cwd": "/", "user": {}, "args": []}}));
    let error = refused(&one(json!({})), &empty);
    assert_eq!(error.failure, CreateFailure::Create);
    insta::assert_snapshot!(error, @r#"container "c": bundle:/m/b: process.args: no command specified; give the container a command, or the bundle's config.json process.args"#);
    // What the manifest says makes up for it.
    let plan = try_container(&one(json!({"command": ["x"]})), &empty, &node()).unwrap();
    assert_eq!(args(&plan), ["x"]);
}

/// R10.2
#[test]
fn references_see_what_the_manifest_defined_before() {
    let plan = contained(&one(json!({
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(C)"}, {"name": "C", "value": "$$(A)"},
            {"name": "A", "value": "2"}, {"name": "P", "value": "$(PATH)"}],
        "command": ["$(A)", "$(B)", "$$$$", "$(HOSTNAME)"], "args": ["$(C)", "$(NOPE)"],
    })));
    assert_eq!(args(&plan), ["2", "1-$(C)", "$$", "$(HOSTNAME)", "$(A)", "$(NOPE)"]);
    assert!(env(&plan).contains(&"P=$(PATH)".to_owned()), "{:?}", env(&plan));
    assert_eq!(env(&plan).iter().filter(|entry| entry.starts_with("A=")).collect::<Vec<_>>(), ["A=2"]);
}

/// R10.3
#[test]
fn hostname_path_and_home_are_always_set() {
    let bundle = image(json!({"ociVersion": "1.0.2",
        "process": {"cwd": "/", "user": {}, "args": ["x"], "env": ["PATH=/bin", "A=image"]}}));
    let own = one(json!({"env": [{"name": "A", "value": "own"}], "securityContext": {"runAsUser": 1000}}));
    let plan = try_container(&own, &bundle, &node()).unwrap();
    assert_eq!(env(&plan), ["HOSTNAME=web", "PATH=/bin", "A=own", "HOME=/home/web"]);
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(env(&contained(&one(json!({})))), ["HOSTNAME=web", path, "HOME=/root"]);
    let stranger = one(json!({"securityContext": {"runAsUser": 4242}}));
    assert!(env(&contained(&stranger)).contains(&"HOME=/".to_owned()));
}

/// R10.4
#[test]
fn fields_of_the_pod_and_resources_can_be_had() {
    let field = |path: &str| json!({"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let resource = |resource: &str, divisor: &str| json!({"name": "X", "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": divisor}}});
    for (var, expected) in [
        (field("metadata.name"), "web"),
        (field("metadata.namespace"), "apps"),
        (field("metadata.uid"), "u-1"),
        (field("metadata.labels['tier']"), "front"),
        (field("metadata.labels['none']"), ""),
        (field("metadata.annotations['note']"), "hello"),
        (field("spec.nodeName"), "box"),
        (field("spec.serviceAccountName"), "default"),
        (field("status.podIP"), "127.0.0.1"),
        (field("status.podIPs"), "127.0.0.1"),
        (field("status.hostIP"), "192.0.2.7"),
        (field("status.hostIPs"), "192.0.2.7,2001:db8::7"),
        (resource("limits.cpu", "0"), "2"),
        (resource("limits.cpu", "1m"), "1500"),
        (resource("limits.memory", "1Mi"), "64"),
        (resource("limits.memory", ""), "67108864"),
        (resource("requests.cpu", "1"), "1"),
        (resource("requests.memory", "1Gi"), "1"),
        (resource("limits.hugepages-2Mi", "1Mi"), "6"),
        (resource("requests.hugepages-2Mi", ""), "6291456"),
        (resource("limits.hugepages-1Gi", "1"), "0"),
        (resource("limits.ephemeral-storage", "1Mi"), "2048"),
        (resource("requests.ephemeral-storage", "1Gi"), "1"),
    ] {
        let plan = contained(&one(json!({"env": [var.clone()],
            "resources": {"limits": {"cpu": "1500m", "memory": "64Mi", "hugepages-2Mi": "6Mi", "ephemeral-storage": "2Gi"},
                "requests": {"cpu": "100m", "ephemeral-storage": "1"}}})));
        assert!(env(&plan).contains(&format!("X={expected}")), "{var}: {:?}", env(&plan));
    }
    // No limit: the node's.
    let bare = one(json!({"env": [resource("limits.cpu", "1"), {"name": "Y", "value": "$(X)"}]}));
    assert!(env(&contained(&bare)).contains(&"Y=4".to_owned()));
    let bare = |name: &str, unit: &str| env(&contained(&one(json!({"env": [resource(name, unit)]}))));
    assert!(bare("limits.ephemeral-storage", "1Gi").contains(&"X=100".to_owned()));
    assert!(bare("requests.ephemeral-storage", "1").contains(&"X=0".to_owned()));
    for (var, part) in [
        (field("status.phase"), "unsupported fieldPath: \"status.phase\""),
        (resource("limits.storage", "1"), "unsupported resource: \"limits.storage\""),
        (
            json!({"name": "X", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}),
            "ConfigMap \"m\" not found",
        ),
    ] {
        let error = refused(&one(json!({"env": [var]})), &plain());
        assert_eq!(error.failure, CreateFailure::Config);
        assert!(error.to_string().contains(part), "{error}");
    }
    let optional = json!({"name": "X", "valueFrom": {"secretKeyRef": {"name": "m", "key": "k", "optional": true}}});
    assert!(!env(&contained(&one(json!({"env": [optional]})))).iter().any(|entry| entry.starts_with("X=")));
}

#[test]
fn sub_paths_are_relative_and_stay_below() {
    let with = |mount: Value| {
        let mut mount = mount;
        mount["name"] = json!("data");
        mount["mountPath"] = json!("/x");
        one(
            json!({"env": [{"name": "D", "value": "day"}, {"name": "R", "value": "/tmp"}, {"name": "UP", "value": ".."}],
            "volumeMounts": [mount]}),
        )
    };
    for (mount, expected) in [
        (json!({"subPath": "a/b"}), Some("a/b")),
        (json!({"subPathExpr": "logs/$(D)"}), Some("logs/day")),
        (json!({"subPathExpr": "$$(D)"}), Some("$(D)")),
        (json!({"subPath": ""}), None),
    ] {
        let plan = contained(&with(mount.clone()));
        let found = plan.sub_paths.first().map(|sub| sub.path.to_str().unwrap());
        assert_eq!(found, expected, "{mount}");
        if let Some(sub) = plan.sub_paths.first() {
            let mount = &plan.spec.mounts().as_ref().unwrap()[sub.mount];
            assert_eq!(mount.destination().to_str(), Some("/x"));
        }
    }
    for (mount, part) in [
        (json!({"subPathExpr": "$(R)"}), "subPathExpr: \"/tmp\" must not be an absolute path"),
        (json!({"subPathExpr": "a/$(UP)"}), "must not contain '..'"),
        (json!({"subPath": "a/../b"}), "must not contain '..'"),
        (json!({"subPathExpr": "$(NOPE)"}), "missing value for \"$(NOPE)\""),
        (json!({"mountPropagation": "Bidirectional", "subPath": "a"}), "Bidirectional with a subPath is not supported"),
    ] {
        let error = refused(&with(mount), &plain());
        assert_eq!(error.failure, CreateFailure::Config);
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// R3.8: attempts differ in id; R8.7: each has its own termination log.
#[test]
fn attempts_have_ids_of_their_own() {
    let pod = one(json!({"terminationMessagePath": "/dev/termination-log"}));
    let plan = planned(&pod);
    let of = |attempt| {
        super::super::container(&pod, &plan, &node(), ContainerIndex(0), Attempt(attempt), &plain(), &sandbox())
            .unwrap()
    };
    assert_eq!((of(0).id.as_str(), of(3).id.as_str()), ("u-1_c_0", "u-1_c_3"));
    assert_eq!(of(0).files, [(PathBuf::from("/run/pod/c/0/termination-log"), 0o666)]);
}

/// libcontainer knows `slave` and `private` only.
#[test]
fn propagation_is_said_in_words_that_libcontainer_knows() {
    for (said, expected) in [("rslave", "slave"), ("slave", "slave"), ("rprivate", "private"), ("", "private")] {
        let bundle = image(json!({"ociVersion": "1.0.2", "linux": {"rootfsPropagation": said},
            "process": {"cwd": "/", "user": {}, "args": ["x"]}}));
        let plan = try_container(&one(json!({})), &bundle, &node()).unwrap();
        let linux = plan.spec.linux().as_ref().unwrap();
        assert_eq!(linux.rootfs_propagation().as_deref(), Some(expected), "{said}");
    }
}

/// `hostUsers: false` (KEP-127): the namespace, and the host's files with the container's ids; what is the pod's is so
/// already.
#[test]
fn a_user_namespace_maps_the_hosts_files() {
    let pod = v1_pod(json!({"hostUsers": false,
        "volumes": [{"name": "data", "hostPath": {"path": "/srv"}}, {"name": "own", "emptyDir": {}}],
        "containers": [{"name": "c", "image": "bundle:b", "volumeMounts": [
            {"name": "data", "mountPath": "/data"}, {"name": "own", "mountPath": "/own"}]}]}));
    let mut plan = super::super::pod(&pod, &node(), &options()).unwrap();
    let ids = IdRange { first: 131_072, length: IdRange::LENGTH };
    plan.sandbox.ids = Some(ids);
    let users = UserFacts { namespace: "/run/pod/user".into(), ids };
    let mut facts = SandboxFacts { users: Some(users), ..sandbox() };
    facts.volumes.insert("own".to_owned(), "/run/pod/volumes/own".into());
    let bundle = image(json!({"ociVersion": "1.0.2", "process": {"cwd": "/", "user": {}, "args": ["x"]}, "mounts": [
        {"destination": "/bundles", "type": "bind", "source": "/opt", "options": ["rbind"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]}));
    let made = container(&pod, &plan, &node(), ContainerIndex(0), Attempt(0), &bundle, &facts).unwrap();
    let mapped = made.spec.mounts().iter().flatten().filter(|mount| mount.uid_mappings().is_some());
    let paths: Vec<_> = mapped.map(|mount| mount.destination().display().to_string()).collect();
    assert_eq!(paths, ["/data", "/bundles"]);
    let linux = made.spec.linux().as_ref().unwrap();
    let mapping = linux.uid_mappings().as_ref().unwrap()[0];
    assert_eq!((mapping.container_id(), mapping.host_id(), mapping.size()), (0, 131_072, 65536));
    let namespaces = linux.namespaces().as_ref().unwrap();
    assert!(namespaces.iter().any(|one| one.path().as_deref() == Some(std::path::Path::new("/run/pod/user"))));
    // The kubelet's words for it are the runtime's: no such id.
    let outside = image(json!({"ociVersion": "1.0.2", "process": {"cwd": "/", "user": {"uid": 65536}, "args": ["x"]}}));
    let error = container(&pod, &plan, &node(), ContainerIndex(0), Attempt(0), &outside, &facts).unwrap_err();
    assert!(error.to_string().contains("65536 is not in the pod's user namespace"), "{error}");
}
