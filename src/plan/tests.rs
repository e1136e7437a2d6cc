#![allow(clippy::unwrap_used)]
//! Whole plans: tables per rule, and snapshots of the OCI configs that libcontainer gets to read.

mod configs;
mod cpus;
mod ephemeral;
mod huge_pages;
mod images;
mod impossible;
mod memory_qos;
mod names;
mod oci_fields;
mod refused_configs;
mod resize;
mod rootless;
mod shares;
mod users;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use barepod_engine::spec::{Attempt, Backoff, ContainerIndex};
use k8s_openapi::api::core::v1;
use oci_spec::runtime::{PosixRlimitType, Spec};
use serde_json::{Value, json};

use super::memory_qos::MemoryQos;
use super::*;
use crate::manifest::Objects;

/// containerd's default set and two more.
const CAPABILITIES: [&str; 16] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
    "NET_ADMIN",
    "SYS_ADMIN",
];

fn node() -> NodeFacts {
    NodeFacts {
        hostname: "box".to_owned(),
        cgroups: CgroupVersion::V2,
        cgroup_obstacle: None,
        cgroup_parent: PathBuf::from("/"),
        users: None,
        processes: Scope::Host,
        memory: 8 << 30,
        swap: Some(4 << 30),
        storage: 100 << 30,
        huge_pages: [(Bytes(2 << 20), 512), (Bytes(1 << 30), 2)].into(),
        limits_huge_pages: true,
        cpus: 4,
        capabilities: CAPABILITIES.map(|name| format!("CAP_{name}")).to_vec(),
        hard_limits: vec![(PosixRlimitType::RlimitNofile, 1 << 20)],
        can_lower_oom_score: true,
        resolv_conf: "# dhcp\nsearch lan old.lan\nnameserver 192.0.2.1\noptions ndots:1 rotate\n".to_owned(),
        hosts: "127.0.0.1 localhost\n192.0.2.7 box\n".to_owned(),
        host_ips: vec!["192.0.2.7".to_owned(), "2001:db8::7".to_owned()],
        kernel: (6, 1),
        apparmor: AppArmor::Off,
        selinux: SeLinux::Off,
    }
}

fn options() -> PodOptions {
    let times = (Duration::from_secs(10), Duration::from_secs(300), Duration::from_secs(600));
    let backoff = Backoff { initial: times.0, max: times.1, reset_after: times.2 };
    PodOptions {
        manifest_dir: PathBuf::from("/m"),
        backoff,
        security: security(),
        objects: Objects::default(),
        claims: BTreeMap::new(),
        memory_qos: MemoryQos::default(),
        uplink: Uplink::None,
        cgroup_name: "podu-1".to_owned(),
    }
}

/// Without the default seccomp profile: what it is has tests of its own, and nobody reads 440 names in a snapshot.
fn security() -> SecurityOptions {
    SecurityOptions { seccomp_default: SeccompDefault::Unconfined, ..SecurityOptions::default() }
}

/// A pod called `web` in namespace `apps` with this spec.
fn v1_pod(spec: Value) -> v1::Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "web", "namespace": "apps", "uid": "u-1", "labels": {"tier": "front"},
            "annotations": {"note": "hello"}},
        "spec": spec,
    }))
    .unwrap()
}

/// A pod of one container `c`, made of these fields.
fn one(mut container: Value) -> v1::Pod {
    container["name"] = json!("c");
    container["image"] = json!("bundle:b");
    v1_pod(json!({"containers": [container]}))
}

fn image(base: Value) -> ImageFacts {
    ImageFacts {
        id: "bundle:/m/b".to_owned(),
        rootfs: PathBuf::from("/m/b/rootfs"),
        below: Vec::new(),
        volumes: Vec::new(),
        bundle: PathBuf::from("/m/b"),
        entrypoint: 1,
        user: String::new(),
        base: serde_json::from_value(base).unwrap(),
        passwd: "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\nbad line\n".to_owned(),
        group: "root:x:0:\nvideo:x:44:web,other\naudio:x:29:other\nplug:x:46:web\n".to_owned(),
        stop_signal: None,
    }
}

/// The least a bundle can say.
fn plain() -> ImageFacts {
    image(json!({"ociVersion": "1.0.2", "process": {"cwd": "/srv", "user": {}, "args": ["/bin/app", "-x"]}}))
}

fn sandbox() -> SandboxFacts {
    let run = |name: &str| PathBuf::from("/run/pod").join(name);
    SandboxFacts {
        shared_cpus: None,
        network_namespace: Some(run("net")),
        ipc_namespace: Some(run("ipc")),
        uts_namespace: Some(run("uts")),
        pid_namespace: None,
        users: None,
        shm: run("shm"),
        hosts: run("hosts"),
        hostname: run("hostname"),
        resolv_conf: run("resolv.conf"),
        volumes: [("data".to_owned(), run("volumes/data"))].into(),
        images: [("shown".to_owned(), vec![PathBuf::from("/layers/2"), PathBuf::from("/layers/1")])].into(),
        pod_ips: vec!["127.0.0.1".to_owned()],
        seccomp_profile: None,
        env_files: std::collections::BTreeMap::new(),
        mounts: MountNamespaces::default(),
        devices: Vec::new(),
        attempt_dir: run("c/0"),
    }
}

fn planned(pod: &v1::Pod) -> PodPlan {
    super::pod(pod, &node(), &options()).unwrap()
}

fn try_container(pod: &v1::Pod, image: &ImageFacts, node: &NodeFacts) -> Result<ContainerPlan, ConfigError> {
    let plan = super::pod(pod, node, &options()).unwrap();
    super::container(pod, &plan, node, ContainerIndex(0), Attempt(0), image, &sandbox())
}

fn contained(pod: &v1::Pod) -> ContainerPlan {
    try_container(pod, &plain(), &node()).unwrap()
}

fn refused(pod: &v1::Pod, image: &ImageFacts) -> ConfigError {
    try_container(pod, image, &node()).unwrap_err()
}

/// Environment of the container's process.
fn env(plan: &ContainerPlan) -> Vec<String> {
    plan.spec.process().as_ref().unwrap().env().clone().unwrap()
}

fn args(plan: &ContainerPlan) -> Vec<String> {
    plan.spec.process().as_ref().unwrap().args().clone().unwrap()
}

/// The config as JSON with the unordered capability sets in order.
fn readable(spec: &Spec) -> Value {
    let mut value = serde_json::to_value(spec).unwrap();
    if let Some(sets) = value.pointer_mut("/process/capabilities").and_then(Value::as_object_mut) {
        for set in sets.values_mut() {
            set.as_array_mut().unwrap().sort_by_key(ToString::to_string);
        }
    }
    value
}
