//! Bundles and containers that can't be had as they are.

use barepod_engine::event::CreateFailure;
use serde_json::json;

use super::*;

#[test]
fn what_a_bundle_would_ask_in_vain_is_refused() {
    for (field, value, part) in [
        ("/process/selinuxLabel", json!("x"), "process.selinuxLabel: SELinux"),
        ("/linux", json!({"mountLabel": "x"}), "linux.mountLabel: SELinux"),
        ("/linux", json!({"uidMappings": [{"hostID": 1, "containerID": 0, "size": 1}]}), "linux.uidMappings"),
        ("/linux", json!({"namespaces": [{"type": "user"}]}), "linux.namespaces: a user namespace"),
        ("/linux", json!({"timeOffsets": {"boottime": {"secs": 1}}}), "linux.timeOffsets"),
        ("/linux", json!({"netDevices": {"eth0": {}}}), "linux.netDevices"),
        ("/mounts", json!([{"destination": "x", "type": "tmpfs"}]), "mounts[0].destination: \"x\" is not an absolute"),
        (
            "/mounts",
            json!([{"destination": "/x", "type": "bind", "source": "/y", "options": ["bind", "idmap"]}]),
            "id-mapped",
        ),
        (
            "/mounts",
            json!([{"destination": "/x/../dev/", "type": "none", "source": "/y", "options": ["rbind", "ro"]}]),
            "mounts[0].destination: a folder of the host at /dev",
        ),
        (
            "/linux",
            json!({"resources": {"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "p"}]}}),
            "linux.resources.devices[1].type: \"p\"",
        ),
        (
            "/linux",
            json!({"resources": {"devices": [{"allow": true, "type": "c", "major": -2}]}}),
            "linux.resources.devices[0].major: -2",
        ),
        (
            "/linux",
            json!({"resources": {"devices": [{"allow": true, "type": "c", "access": "rx"}]}}),
            "linux.resources.devices[0].access: \"rx\"",
        ),
        ("/process/env", json!(["NOVALUE"]), "process.env[0]: \"NOVALUE\""),
        ("/process/cwd", json!("srv"), "process.cwd: \"srv\" is not an absolute path"),
    ] {
        let mut base = json!({"ociVersion": "1.0.2", "process": {"cwd": "/", "user": {}, "args": ["x"]}});
        let (parent, name) = field.rsplit_once('/').unwrap();
        base.pointer_mut(parent).unwrap()[name] = value;
        let error = refused(&one(json!({})), &image(base));
        assert_eq!(error.failure, CreateFailure::Create, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.to_string().starts_with("container \"c\": bundle:/m/b: "), "{error}");
    }
}

/// What libcontainer would ignore, fail on, or do to the host.
#[test]
fn bundles_that_ask_for_what_is_not_given_are_refused() {
    let v1 = NodeFacts { cgroups: CgroupVersion::V1, ..node() };
    let host =
        || v1_pod(json!({"hostNetwork": true, "hostIPC": true, "containers": [{"name": "c", "image": "bundle:b"}]}));
    for (pod, linux, message) in [
        (one(json!({})), json!({"rootfsPropagation": "rshared"}), "linux.rootfsPropagation: rshared"),
        (one(json!({})), json!({"resources": {"unified": {"memory.high": "1"}}}), "linux.resources.unified"),
        (host(), json!({"sysctl": {"net/ipv4/ip_forward": "1"}}), "linux.sysctl[net.ipv4.ip_forward]"),
        (host(), json!({"sysctl": {"kernel.shmmax": "1"}}), "linux.sysctl[kernel.shmmax]"),
    ] {
        let bundle = image(json!({"ociVersion": "1.0.2", "linux": linux,
            "process": {"cwd": "/", "user": {}, "args": ["x"]}}));
        let error = try_container(&pod, &bundle, &v1).unwrap_err();
        assert_eq!(error.failure, CreateFailure::Create);
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// libcontainer would replace the volume's ptmx: on the host, under hostPath: /dev.
#[test]
fn a_volume_at_dev_is_refused() {
    for path in ["/dev", "/dev/", "dev", "/x/../dev"] {
        let pod = one(json!({"volumeMounts": [{"name": "data", "mountPath": path}]}));
        let error = refused(&pod, &plain());
        assert_eq!(error.failure, CreateFailure::Config);
        assert!(error.to_string().contains("volumeMounts[0].mountPath: a volume at /dev"), "{error}");
    }
}

/// kubernetes #139168: bytes of a Secret that are no UTF-8 are no variable, whichever way they come; the container waits and
/// the message names the key, never what it holds.
#[test]
fn bytes_that_are_no_text_are_no_variable() {
    let mut objects = Objects::default();
    // 0xff 0xfe 0x00
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {good: Z29vZA==, raw: //4A}\n";
    crate::manifest::decode_objects("s.yaml", text.as_bytes(), &mut objects)
        .map_err(|report| report.to_string())
        .unwrap();
    for (container, field) in [
        (json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "raw"}}}]}), "env[0]"),
        (
            json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "raw", "optional": true}}}]}),
            "env[0]",
        ),
        (json!({"envFrom": [{"secretRef": {"name": "s"}}]}), "envFrom[0]"),
    ] {
        let pod = one(container);
        let plan = super::super::pod(&pod, &node(), &PodOptions { objects: objects.clone(), ..options() }).unwrap();
        let made = super::super::container(&pod, &plan, &node(), ContainerIndex(0), Attempt(0), &plain(), &sandbox());
        let error = made.unwrap_err();
        assert_eq!(error.failure, CreateFailure::Config);
        let said = error.to_string();
        assert!(said.contains(field) && said.contains("key raw holds no UTF-8 text"), "{said}");
    }
    let pod = one(json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "good"}}}]}));
    let plan = super::super::pod(&pod, &node(), &PodOptions { objects, ..options() }).unwrap();
    let made = super::super::container(&pod, &plan, &node(), ContainerIndex(0), Attempt(0), &plain(), &sandbox());
    assert!(env(&made.unwrap()).contains(&"A=good".to_owned()));
}
