//! The fate of every field of an OCI runtime config (docs/oci.md), proven against the types.

use std::collections::BTreeMap;

use oci_spec::runtime::Spec;

use crate::type_walk::{self, Types};

fn types() -> Types {
    type_walk::types::<Spec>(|(of, _)| if of == "LinuxCapabilities" { "CAP_CHOWN" } else { "0" })
}

const BEGIN: &str = "<!-- fields -->\n";
const END: &str = "<!-- end of fields -->\n";

#[test]
fn every_field_of_a_config_has_a_row() {
    let page = include_str!("../../../docs/oci.md");
    let (_, rest) = page.split_once(BEGIN).unwrap();
    let (table, _) = rest.split_once(END).unwrap();
    let mut rows: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut whole: Vec<&str> = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (name, fate) = (cells[0].trim_matches('`'), cells[1]);
        assert!(["honoured", "in part", "the pod's", "refused", "ignored"].contains(&fate), "{line}");
        match name.split_once('.') {
            Some((owner, field)) => assert!(rows.insert((owner, field), fate).is_none(), "{name} twice"),
            None => whole.push(name),
        }
    }
    let types = types();
    assert!(types.len() > 50, "the walk must see the whole type: {}", types.len());
    let missing: Vec<String> = types
        .iter()
        .filter(|(name, _)| !whole.contains(name))
        .flat_map(|(name, fields)| fields.keys().map(move |field| (*name, *field)))
        .filter(|row| !rows.contains_key(row))
        .map(|(name, field)| format!("{name}.{field}"))
        .collect();
    assert!(missing.is_empty(), "no row: {missing:?}");
    let known = |(name, field): &(&str, &str)| types.get(name).is_some_and(|fields| fields.contains_key(field));
    let extra: Vec<_> = rows.keys().filter(|row| !known(row)).collect();
    assert!(extra.is_empty(), "rows of nothing: {extra:?}");
    assert!(whole.iter().all(|name| types.contains_key(name)), "{whole:?}");
}

/// What would be left out in silence is refused by its field; docs/oci.md says the same.
#[test]
fn what_would_be_left_out_is_refused() {
    use crate::plan::types::CgroupVersion::{V1, V2};
    use serde_json::json;
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
        let refused = crate::plan::unsupported::first(&spec, cgroups).map(|(field, _, _)| field).unwrap_or_default();
        assert_eq!(refused, field, "{config}");
    }
}
