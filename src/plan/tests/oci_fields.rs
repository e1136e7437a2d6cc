//! The fate of every field of an OCI runtime config (docs/oci.md), proven against the types.

use std::collections::BTreeMap;

use oci_spec::runtime::Spec;
use serde_json::{Value, json};

use super::{image, node, one, try_container};
use crate::plan::{CgroupVersion, NodeFacts};

use crate::type_walk::{self, Types};

fn types() -> Types {
    type_walk::types::<Spec>(|(of, _)| if of == "LinuxCapabilities" { "CAP_CHOWN" } else { "0" })
}

const BEGIN: &str = "<!-- fields -->\n";
const END: &str = "<!-- end of fields -->\n";

type Rows = BTreeMap<(&'static str, &'static str), &'static str>;

/// The page's rows: of fields, and of whole types; with their fates.
fn rows() -> (Rows, BTreeMap<&'static str, &'static str>) {
    let page = include_str!("../../../docs/oci.md");
    let (_, rest) = page.split_once(BEGIN).unwrap();
    let (table, _) = rest.split_once(END).unwrap();
    let (mut rows, mut whole) = (Rows::new(), BTreeMap::new());
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (name, fate) = (cells[0].trim_matches('`'), cells[1]);
        assert!(["honoured", "in part", "the pod's", "refused", "ignored"].contains(&fate), "{line}");
        match name.split_once('.') {
            Some((owner, field)) => assert!(rows.insert((owner, field), fate).is_none(), "{name} twice"),
            None => assert!(whole.insert(name, fate).is_none(), "{name} twice"),
        }
    }
    (rows, whole)
}

#[test]
fn every_field_of_a_config_has_a_row() {
    let (rows, whole) = rows();
    let types = types();
    assert!(types.len() > 50, "the walk must see the whole type: {}", types.len());
    let missing: Vec<String> = types
        .iter()
        .filter(|(name, _)| !whole.contains_key(*name))
        .flat_map(|(name, fields)| fields.keys().map(move |field| (*name, *field)))
        .filter(|row| !rows.contains_key(row))
        .map(|(name, field)| format!("{name}.{field}"))
        .collect();
    assert!(missing.is_empty(), "no row: {missing:?}");
    let known = |(name, field): &(&str, &str)| types.get(name).is_some_and(|fields| fields.contains_key(field));
    let extra: Vec<_> = rows.keys().filter(|row| !known(row)).collect();
    assert!(extra.is_empty(), "rows of nothing: {extra:?}");
    assert!(whole.keys().all(|name| types.contains_key(name)), "{whole:?}");
}

/// What would be left out in silence is refused by its field; docs/oci.md says the same.
#[test]
fn what_would_be_left_out_is_refused() {
    use crate::plan::CgroupVersion::{V1, V2};
    let hook = |more: serde_json::Value| json!({"hooks": {"poststop": [{"path": "/bin/true"}, more]}});
    let resources = |more: serde_json::Value| json!({"linux": {"resources": more}});
    let all = [
        (hook(json!({"path": "true"})), V2, "hooks.poststop[1].path"),
        (hook(json!({"path": "/true", "timeout": 0})), V2, "hooks.poststop[1].timeout"),
        (hook(json!({"path": "/true", "timeout": 1})), V2, ""),
        (
            json!({"process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "execCPUAffinity": {"initial": "0"}}}),
            V2,
            "process.execCPUAffinity",
        ),
        (json!({"process": {"user": {"uid": u32::MAX, "gid": 0}, "cwd": "/"}}), V2, "process.user.uid"),
        (json!({"process": {"user": {"uid": 0, "gid": u32::MAX}, "cwd": "/"}}), V2, "process.user.gid"),
        (
            json!({"process": {"user": {"uid": 0, "gid": 0, "additionalGids": [u32::MAX]}, "cwd": "/"}}),
            V2,
            "process.user.additionalGids",
        ),
        (
            json!({"linux": {"devices": [{"path": "/etc/x", "type": "c", "major": 1, "minor": 5}]}}),
            V1,
            "linux.devices[0].path",
        ),
        (json!({"linux": {"intelRdt": {"closID": "a"}}}), V1, "linux.intelRdt"),
        (json!({"linux": {"personality": {"domain": "LINUX", "flags": ["x"]}}}), V1, "linux.personality.flags"),
        (json!({"linux": {"personality": {"domain": "LINUX"}}}), V1, ""),
        (
            json!({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s"}}}),
            V1,
            "linux.seccomp.listenerPath",
        ),
        (resources(json!({"rdma": {"mlx": {"hcaHandles": 1}}})), V2, "linux.resources.rdma"),
        (resources(json!({"memory": {"disableOOMKiller": true}})), V1, "linux.resources.memory.disableOOMKiller"),
        (resources(json!({"memory": {"disableOOMKiller": false, "useHierarchy": true}})), V1, ""),
        (resources(json!({"memory": {"checkBeforeUpdate": true}})), V2, "linux.resources.memory.checkBeforeUpdate"),
        (resources(json!({"memory": {"kernel": 1}})), V2, "linux.resources.memory.kernel"),
        (resources(json!({"memory": {"kernelTCP": 1}})), V2, "linux.resources.memory.kernelTCP"),
        (resources(json!({"memory": {"swappiness": 1}})), V2, "linux.resources.memory.swappiness"),
        (resources(json!({"memory": {"swappiness": 1}})), V1, ""),
        (resources(json!({"blockIO": {"leafWeight": 10}})), V1, "linux.resources.blockIO.leafWeight"),
        (
            resources(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}})),
            V1,
            "linux.resources.blockIO.weightDevice",
        ),
        (resources(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}})), V2, ""),
        (resources(json!({"network": {"classID": 1}})), V2, "linux.resources.network"),
        (resources(json!({"network": {"classID": 1}})), V1, ""),
    ];
    for (mut config, cgroups, field) in all {
        config["ociVersion"] = json!("1.2.0");
        let spec: Spec = serde_json::from_value(config.clone()).unwrap();
        let refused =
            crate::plan::container::unsupported::first(&spec, cgroups).map(|(field, _, _)| field).unwrap_or_default();
        assert_eq!(refused, field, "{config}");
    }
}

/// Types, a config that has their fields, and what is said of it.
fn refusals() -> Vec<(&'static [&'static str], Value, CgroupVersion, &'static str)> {
    use CgroupVersion::{V1, V2};
    let process = |more: Value| json!({ "process": more });
    let linux = |more: Value| json!({ "linux": more });
    let resources = |more: Value| json!({"linux": {"resources": more}});
    let memory = |more: Value| resources(json!({ "memory": more }));
    let bind = |more: Value| {
        let mut mount = json!({"destination": "/x", "type": "bind", "source": "/y"});
        mount.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"mounts": [mount]})
    };
    let ids = || json!([{"hostID": 1, "containerID": 0, "size": 1}]);
    vec![
        (
            &["Spec", "VM", "VMHypervisor", "VMImage", "VMKernel"],
            json!({"vm": {"kernel": {"path": "/k"}}}),
            V2,
            "vm: a virtual",
        ),
        (&["Spec"], bind(json!({"destination": "/dev"})), V2, "mounts[0].destination: a folder of the host at /dev"),
        (&["Mount"], bind(json!({"uidMappings": ids()})), V2, "mounts[0].uidMappings"),
        (&["Mount"], bind(json!({"gidMappings": ids()})), V2, "mounts[0].uidMappings"),
        (&["Mount"], bind(json!({"options": ["rshared"]})), V2, "mounts[0].options: \"rshared\""),
        (&["Mount"], bind(json!({"options": ["tmpcopyup"]})), V2, "mounts[0].options: \"tmpcopyup\" at "),
        (&["Process"], process(json!({"selinuxLabel": "x"})), V2, "process.selinuxLabel"),
        (
            &["Process", "ExecCPUAffinity"],
            process(json!({"execCPUAffinity": {"initial": "0", "final": "0"}})),
            V2,
            "process.execCPUAffinity",
        ),
        (&["Linux", "LinuxIdMapping"], linux(json!({"uidMappings": ids()})), V2, "linux.uidMappings"),
        (&["Linux", "LinuxIdMapping"], linux(json!({"gidMappings": ids()})), V2, "linux.uidMappings"),
        (
            &["Linux", "LinuxTimeOffset"],
            linux(json!({"timeOffsets": {"boottime": {"secs": 1, "nanosecs": 1}}})),
            V2,
            "linux.timeOffsets",
        ),
        (&["Linux", "LinuxNetDevice"], linux(json!({"netDevices": {"eth0": {"name": "e"}}})), V2, "linux.netDevices"),
        (&["Linux"], linux(json!({"mountLabel": "x"})), V2, "linux.mountLabel"),
        (
            &["Linux", "LinuxIntelRdt"],
            linux(json!({"intelRdt": {"closID": "x", "schemata": ["L3:0=f"], "l3CacheSchema": "L3:0=f",
                "memBwSchema": "MB:0=20", "enableCmt": true, "enableMbm": true, "enableMonitoring": true}})),
            V2,
            "linux.intelRdt",
        ),
        (&["Linux"], linux(json!({"rootfsPropagation": "shared"})), V2, "linux.rootfsPropagation: shared"),
        (&["Linux"], linux(json!({"rootfsPropagation": "unbindable"})), V2, "linux.rootfsPropagation: unbindable"),
        (
            &["LinuxDevice"],
            linux(json!({"devices": [{"path": "/x", "type": "c", "major": 1, "minor": 5}]})),
            V2,
            "linux.devices[0].path",
        ),
        (
            &["LinuxPersonality"],
            linux(json!({"personality": {"domain": "LINUX", "flags": ["x"]}})),
            V2,
            "linux.personality.flags",
        ),
        (
            &["LinuxSeccomp"],
            linux(json!({"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s"}})),
            V2,
            "linux.seccomp.listenerPath",
        ),
        (
            &["LinuxResources", "LinuxRdma"],
            resources(json!({"rdma": {"mlx": {"hcaHandles": 1, "hcaObjects": 1}}})),
            V2,
            "linux.resources.rdma",
        ),
        (&["LinuxResources"], resources(json!({"unified": {"memory.high": "1"}})), V1, "linux.resources.unified"),
        (&["LinuxMemory"], memory(json!({"disableOOMKiller": true})), V1, "linux.resources.memory.disableOOMKiller"),
        (&["LinuxMemory"], memory(json!({"checkBeforeUpdate": true})), V1, "linux.resources.memory.checkBeforeUpdate"),
        (&["LinuxMemory"], memory(json!({"kernel": 1})), V2, "linux.resources.memory.kernel"),
        (&["LinuxMemory"], memory(json!({"kernelTCP": 1})), V2, "linux.resources.memory.kernelTCP"),
        (&["LinuxMemory"], memory(json!({"swappiness": 1})), V2, "linux.resources.memory.swappiness"),
        (&["LinuxCpu"], resources(json!({"cpu": {"realtimeRuntime": 1}})), V2, "linux.resources.cpu.realtimeRuntime"),
        (&["LinuxCpu"], resources(json!({"cpu": {"realtimePeriod": 1}})), V2, "linux.resources.cpu.realtimeRuntime"),
        (
            &["LinuxBlockIo"],
            resources(json!({"blockIO": {"leafWeight": 10}})),
            V2,
            "linux.resources.blockIO.leafWeight",
        ),
        (
            &["LinuxWeightDevice"],
            resources(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 10}]}})),
            V2,
            "linux.resources.blockIO.leafWeight",
        ),
        (
            &["LinuxResources", "LinuxBlockIo", "LinuxWeightDevice"],
            resources(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}})),
            V1,
            "linux.resources.blockIO.weightDevice",
        ),
        (
            &["LinuxResources", "LinuxNetwork"],
            resources(json!({"network": {"classID": 1}})),
            V2,
            "linux.resources.network",
        ),
        (
            &["LinuxNetwork", "LinuxInterfacePriority"],
            resources(json!({"network": {"priorities": [{"name": "lo", "priority": 1}]}})),
            V2,
            "linux.resources.network",
        ),
    ]
}

/// Whether an object somewhere in it has the key.
fn has_key(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(all) => all.contains_key(key) || all.values().any(|one| has_key(one, key)),
        Value::Array(all) => all.iter().any(|one| has_key(one, key)),
        _ => false,
    }
}

/// Each row that is refused, at least in part, is: by the whole way from a bundle to a container's config.
#[test]
fn each_refused_row_is_refused() {
    // What the manifest's go over, what depends on the pod's namespaces (`configs`), and what the compiler of seccomp
    // filters and the kernel refuse (the e2e test `oci_fields`).
    const ELSEWHERE: [(&str, &str); 3] =
        [("Process", "capabilities"), ("Linux", "sysctl"), ("LinuxSeccomp", "syscalls")];
    let refusals = refusals();
    for (types, more, cgroups, part) in &refusals {
        let mut base =
            json!({"ociVersion": "1.2.0", "process": {"cwd": "/", "user": {"uid": 0, "gid": 0}, "args": ["x"]}});
        for (key, value) in more.as_object().unwrap() {
            match base.get_mut(key).and_then(Value::as_object_mut) {
                Some(object) => object.extend(value.as_object().unwrap().clone()),
                None => base[key] = value.clone(),
            }
        }
        let node = NodeFacts { cgroups: *cgroups, ..node() };
        let error = try_container(&one(json!({})), &image(base), &node).unwrap_err().to_string();
        assert!(error.contains(part), "{types:?}: {error}");
    }
    let (rows, whole) = rows();
    let tried = |of: &str, field: &str| {
        refusals.iter().any(|(types, config, ..)| types.contains(&of) && (field.is_empty() || has_key(config, field)))
    };
    for ((of, field), fate) in &rows {
        let said = *fate == "refused" || (*fate == "in part" && *of != "LinuxCapabilities");
        assert!(!said || ELSEWHERE.contains(&(*of, *field)) || tried(of, field), "no config tries {of}.{field}");
    }
    for (of, fate) in &whole {
        assert!(*fate != "refused" || tried(of, ""), "no config tries {of}");
    }
}

/// Each row that counts is in a bundle that an end-to-end test makes: those read the fields back from inside.
#[test]
fn each_row_that_counts_is_tried() {
    const TESTS: [&str; 10] = [
        include_str!("../../../tests/e2e/apparmor.rs"),
        include_str!("../../../tests/e2e/attacks_files.rs"),
        include_str!("../../../tests/e2e/bad_bundles.rs"),
        include_str!("../../../tests/e2e/bundles.rs"),
        include_str!("../../../tests/e2e/bundles/file_systems.rs"),
        include_str!("../../../tests/e2e/oci_config.rs"),
        include_str!("../../../tests/e2e/oci_fields/rows.rs"),
        include_str!("../../../tests/e2e/oci_hooks.rs"),
        include_str!("../../../tests/e2e/seccomp.rs"),
        include_str!("../../../tests/e2e/selinux.rs"),
    ];
    // A profile that forbids most calls is long: `runtime::seccomp`'s tests have it. No test machine has SELinux: `users`
    // sees that labels are handed on.
    const ELSEWHERE: [(&str, &str); 3] =
        [("LinuxSeccomp", "defaultErrnoRet"), ("Process", "selinuxLabel"), ("Linux", "mountLabel")];
    let (rows, _) = rows();
    let untried: Vec<String> = rows
        .iter()
        .filter(|(_, fate)| ["honoured", "in part", "the pod's"].contains(fate))
        .filter(|(row, _)| !ELSEWHERE.contains(row))
        .filter(|((_, field), _)| !TESTS.iter().any(|text| text.contains(&format!("\"{field}\""))))
        .map(|((of, field), _)| format!("{of}.{field}"))
        .collect();
    assert_eq!(untried, Vec::<String>::new());
}
