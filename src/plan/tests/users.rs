//! Users, groups, capabilities, privileges.

use barepod_engine::event::CreateFailure;
use serde_json::json;

use super::*;

/// Uid, gid, groups.
fn ids(pod: Value, own: Value, base: &ImageFacts) -> (u32, u32, Vec<u32>) {
    let pod = v1_pod(json!({"securityContext": pod,
        "containers": [{"name": "c", "image": "bundle:b", "securityContext": own}]}));
    let plan = try_container(&pod, base, &node()).unwrap();
    let user = plan.spec.process().as_ref().unwrap().user().clone();
    (user.uid(), user.gid(), user.additional_gids().clone().unwrap())
}

/// The primary group always comes first, so that the list is never empty.
#[test]
fn users_and_groups_come_from_container_pod_and_image() {
    let bundle = image(json!({"ociVersion": "1.0.2",
        "process": {"cwd": "/", "args": ["x"], "user": {"uid": 1000, "gid": 5, "additionalGids": [6]}}}));
    let none = json!({});
    for (pod, own, base, expected) in [
        (none.clone(), none.clone(), &plain(), (0, 0, vec![0])),
        (none.clone(), none.clone(), &bundle, (1000, 5, vec![5, 6, 44, 46])),
        (json!({"runAsUser": 1000}), none.clone(), &plain(), (1000, 1001, vec![1001, 44, 46])),
        (json!({"runAsUser": 1}), json!({"runAsUser": 1000, "runAsGroup": 9}), &bundle, (1000, 9, vec![9, 44, 46])),
        (json!({"runAsUser": 4242}), none.clone(), &plain(), (4242, 0, vec![0])),
        (
            json!({"supplementalGroups": [4001, 44], "fsGroup": 4002, "runAsUser": 1000}),
            none.clone(),
            &plain(),
            (1000, 1001, vec![1001, 44, 46, 4001, 4002]),
        ),
        (
            json!({"supplementalGroupsPolicy": "Strict", "supplementalGroups": [4001], "runAsUser": 1000}),
            none.clone(),
            &plain(),
            (1000, 1001, vec![1001, 4001]),
        ),
    ] {
        assert_eq!(ids(pod.clone(), own.clone(), base), expected, "{pod} {own}");
    }
}

#[test]
fn root_is_refused_where_it_is_not_wanted() {
    let error = refused(&one(json!({"securityContext": {"runAsNonRoot": true}})), &plain());
    assert_eq!(error.failure, CreateFailure::Config);
    insta::assert_snapshot!(error, @r#"container "c": securityContext.runAsNonRoot: container has runAsNonRoot and image will run as root (pod: "web_apps(u-1)", container: c); set runAsUser"#);
    let error = refused(&one(json!({"securityContext": {"runAsNonRoot": true, "runAsUser": 0}})), &plain());
    insta::assert_snapshot!(error, @r#"container "c": securityContext.runAsNonRoot: container's runAsUser breaks non-root policy (pod: "web_apps(u-1)", container: c); use another user than 0"#);
    contained(&one(json!({"securityContext": {"runAsNonRoot": true, "runAsUser": 1}})));
    let error = refused(&one(json!({"securityContext": {"runAsUser": -1}})), &plain());
    assert!(error.to_string().contains("runAsUser: -1 is no user or group id"), "{error}");
}

/// Bits of the effective set, as /proc/self/status shows it.
fn mask(security: Value, node: &NodeFacts) -> u64 {
    let plan = try_container(&one(json!({"securityContext": security})), &plain(), node).unwrap();
    let sets = plan.spec.process().as_ref().unwrap().capabilities().clone().unwrap();
    assert_eq!(sets.effective(), sets.bounding());
    assert_eq!(sets.effective(), sets.permitted());
    assert!(sets.inheritable().as_ref().unwrap().is_empty() && sets.ambient().as_ref().unwrap().is_empty());
    let names = [
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
    ];
    let bit = |name: String| 1 << names.iter().position(|known| *known == name).unwrap();
    sets.effective().iter().flatten().map(|one| bit(one.to_string())).sum()
}

#[test]
fn capabilities_are_containerds() {
    const DEFAULT: u64 = 0xa804_25fb;
    let v1 = NodeFacts { cgroups: CgroupVersion::V1, ..node() };
    for (security, expected) in [
        (json!({}), DEFAULT),
        (json!({"capabilities": {"drop": ["ALL"]}}), 0),
        (json!({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}), 1 << 10),
        (json!({"capabilities": {"add": ["CAP_SYS_ADMIN"], "drop": ["kill"]}}), (DEFAULT | 1 << 21) & !(1 << 5)),
        (json!({"capabilities": {"add": ["ALL"], "drop": ["KILL"]}}), (DEFAULT | 1 << 12 | 1 << 21) & !(1 << 5)),
        (json!({"capabilities": {"add": ["ALL"]}}), DEFAULT | 1 << 12 | 1 << 21),
    ] {
        assert_eq!(mask(security.clone(), &v1), expected, "{security}");
        assert_eq!(mask(security.clone(), &node()), expected, "{security}");
    }
    assert_eq!(mask(json!({"privileged": true}), &node()), DEFAULT | 1 << 12 | 1 << 21);
}

#[test]
fn capabilities_that_cannot_be_given_are_refused() {
    let v1 = NodeFacts { cgroups: CgroupVersion::V1, ..node() };
    for (name, message) in [
        ("FLY", "securityContext.capabilities.add: unknown capability \"FLY\""),
        ("SYS_BOOT", "securityContext.capabilities.add: barepod may not hand on CAP_SYS_BOOT"),
    ] {
        let pod = one(json!({"securityContext": {"capabilities": {"add": [name]}}}));
        let error = try_container(&pod, &plain(), &v1).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let poor = NodeFacts { capabilities: vec!["CAP_KILL".to_owned()], ..v1 };
    assert_eq!(mask(json!({}), &poor), 1 << 5);
}

/// `false` is never said: with a seccomp filter libcontainer would fail to create the container.
#[test]
fn no_new_privileges_is_true_or_left_out() {
    let base = |value: bool| {
        image(json!({"ociVersion": "1.0.2",
            "process": {"cwd": "/", "user": {}, "args": ["x"], "noNewPrivileges": value}}))
    };
    for (own, bundle, expected) in [
        (json!({}), plain(), None),
        (json!({"allowPrivilegeEscalation": false}), plain(), Some(true)),
        (json!({"allowPrivilegeEscalation": true}), base(true), None),
        (json!({}), base(true), Some(true)),
        (json!({}), base(false), None),
        (json!({"privileged": true}), base(true), None),
    ] {
        let plan = try_container(&one(json!({"securityContext": own})), &bundle, &node()).unwrap();
        assert_eq!(plan.spec.process().as_ref().unwrap().no_new_privileges(), expected, "{own}");
    }
}

/// A profile that the box has is put on; one that it hasn't is an error before anything is made.
#[test]
fn apparmor_profiles_are_the_boxs() {
    let pod = |pods: Value, own: Value| {
        v1_pod(json!({"securityContext": {"appArmorProfile": pods},
            "containers": [{"name": "c", "image": "bundle:b", "securityContext": own}]}))
    };
    let local = |name: &str| json!({"type": "Localhost", "localhostProfile": name});
    let has = NodeFacts {
        apparmor: AppArmor::On { loaded: Some(vec!["mine".into(), "cri-containerd.apparmor.d".into()]) },
        ..node()
    };
    let bundle = image(json!({"ociVersion": "1.0.2",
        "process": {"cwd": "/", "args": ["x"], "user": {}, "apparmorProfile": "bundles"}}));
    for (pods, own, expected) in [
        (json!(null), json!({}), Some("bundles")),
        (local("mine"), json!({}), Some("mine")),
        (local("mine"), json!({"appArmorProfile": {"type": "Unconfined"}}), None),
        (local("other"), json!({"appArmorProfile": {"type": "RuntimeDefault"}}), Some("cri-containerd.apparmor.d")),
        (local("other"), json!({"privileged": true}), None),
    ] {
        let plan = try_container(&pod(pods, own), &bundle, &has).unwrap();
        assert_eq!(plan.spec.process().as_ref().unwrap().apparmor_profile().as_deref(), expected);
    }
    // The annotations of before 1.30, which go before the pod's field and behind the container's.
    let annotated = |own: Value| {
        let key = "container.apparmor.security.beta.kubernetes.io/c";
        let mut pod = pod(local("other"), own);
        pod.metadata.annotations = Some([(key.to_owned(), "localhost/mine".to_owned())].into());
        crate::manifest::apply_defaults(&mut pod);
        pod
    };
    for (own, expected) in [(json!({}), Some("mine")), (json!({"appArmorProfile": {"type": "Unconfined"}}), None)] {
        let plan = try_container(&annotated(own), &bundle, &has).unwrap();
        assert_eq!(plan.spec.process().as_ref().unwrap().apparmor_profile().as_deref(), expected);
    }
    for (node, pods, part) in [
        (node(), json!({"type": "RuntimeDefault"}), "AppArmor is not enabled on this box"),
        (has, local("other"), "no profile \"other\" is loaded"),
    ] {
        let errors = super::super::pod(&pod(pods, json!({})), &node, &options()).unwrap_err();
        let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(text.len() == 1 && text[0].contains(part), "{text:?}");
        assert!(text[0].starts_with("spec.securityContext.appArmorProfile: "), "{text:?}");
    }
}

/// The container's options as a whole before the pod's, those before the bundle's labels; what is left out is the
/// policy's, but for the level, which is the pod's own.
#[test]
fn selinux_labels_are_the_policys_with_what_was_asked_for() {
    let pod = |pods: Value, own: Value| {
        v1_pod(json!({"securityContext": {"seLinuxOptions": pods},
            "containers": [{"name": "c", "image": "bundle:b", "securityContext": own}]}))
    };
    let contexts = ContainerContexts {
        process: "system_u:system_r:container_t:s0".into(),
        files: "system_u:object_r:container_file_t:s0".into(),
    };
    let on = |containers| NodeFacts { selinux: SeLinux::On { containers }, ..node() };
    let has = on(Some(contexts));
    let bundle = image(json!({"ociVersion": "1.0.2", "linux": {"mountLabel": "files"},
        "process": {"cwd": "/", "args": ["x"], "user": {}, "selinuxLabel": "process"}}));
    let level = json!({"level": "s0:c1,c2"});
    let all = json!({"user": "u", "role": "r", "type": "t", "level": "s1"});
    for (pods, own, expected) in [
        (json!(null), json!({}), Some(("process", "files"))),
        (level.clone(), json!({"privileged": true}), None),
        (
            level.clone(),
            json!({}),
            Some(("system_u:system_r:container_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2")),
        ),
        (level.clone(), json!({"seLinuxOptions": all}), Some(("u:r:t:s1", "u:object_r:container_file_t:s1"))),
        (
            level.clone(),
            json!({"seLinuxOptions": {"type": "t"}}),
            Some(("system_u:system_r:t:s0:c75,c578", "system_u:object_r:container_file_t:s0:c75,c578")),
        ),
    ] {
        let plan = try_container(&pod(pods, own), &bundle, &has).unwrap();
        let process = plan.spec.process().as_ref().unwrap().selinux_label().as_deref();
        let files = plan.spec.linux().as_ref().unwrap().mount_label().as_deref();
        assert_eq!(process.zip(files), expected);
        assert_eq!(process.is_some(), files.is_some());
    }
    let asks = pod(level.clone(), json!({}));
    let errors = super::super::pod(&asks, &on(None), &options()).unwrap_err();
    let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(text.len() == 1 && text[0].contains("lxc_contexts"), "{text:?}");
    assert!(text[0].starts_with("spec.securityContext.seLinuxOptions: invalid value: \":::s0:c1,c2\""), "{text:?}");
    // A box without SELinux labels nothing, as any node without, and that is told once.
    assert!(super::super::pod(&asks, &node(), &options()).is_ok());
    assert_eq!(unlabelled(&asks, &node()), ["spec.securityContext.seLinuxOptions"]);
    assert!(unlabelled(&asks, &on(None)).is_empty());
}
