//! Kernel parameters of a pod: which it may set, and which containerd sets.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;

use crate::plan::error::PlanError;
use crate::plan::facts::NodeFacts;

/// Those that the kubelet takes for safe: namespaced, and no harm to other pods or the node.
const SAFE: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// What begins so is in the pod's IPC or network namespace; all else is the host's and can't be allowed.
const NAMESPACED: [&str; 5] = ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "net."];

/// Those of an IPC namespace (ipc_namespaces(7)) that containers may set, as in runc; with them all of `fs.mqueue.`.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Whether a sysctl, by its dotted name, is one of those.
pub(crate) fn is_of_ipc(name: &str) -> bool {
    IPC.contains(&name) || name.starts_with("fs.mqueue.")
}

/// One of `--allowed-unsafe-sysctls`: a name, or the beginning of names with a `*` behind it. As in the kubelet it must
/// be of a kind that is namespaced.
pub fn sysctl_pattern(text: &str) -> Result<String, String> {
    let name = dotted(text.trim());
    let beginning = name.strip_suffix('*').unwrap_or(&name);
    if beginning.contains('*') {
        return Err("a * may stand at the end only".to_owned());
    }
    if !NAMESPACED.iter().any(|prefix| beginning.starts_with(prefix)) {
        return Err(format!(
            "not namespaced, so that it would be set on the host; those are: {}*",
            NAMESPACED.join("*, ")
        ));
    }
    Ok(name)
}

/// The pod's sysctls, and in a network namespace of its own what containerd 2 sets there: low ports and ping for all.
pub(crate) fn sysctls(
    spec: &v1::PodSpec,
    node: &NodeFacts,
    allowed_unsafe: &[String],
    errors: &mut Vec<PlanError>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    if spec.host_network != Some(true) {
        all.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
        all.insert("net.ipv4.ping_group_range".to_owned(), format!("0 {}", last_group(node)));
    }
    let own = spec.security_context.iter().flat_map(|context| context.sysctls.iter().flatten());
    for (at, sysctl) in own.enumerate() {
        let name = dotted(&sysctl.name);
        if let Some(cause) = refusal(&name, allowed_unsafe) {
            let field = format!("spec.securityContext.sysctls[{at}].name");
            errors.push(PlanError::Invalid { field, value: sysctl.name.clone(), cause });
        }
        all.insert(name, sysctl.value.clone());
    }
    all
}

/// The last of the groups that there are; the kernel refuses others.
fn last_group(node: &NodeFacts) -> u32 {
    const LAST: u32 = i32::MAX.cast_unsigned();
    let ends = node.users.iter().flat_map(|ids| &ids.groups).map(|range| range.first.saturating_add(range.length) - 1);
    ends.max().unwrap_or(LAST).min(LAST)
}

fn refusal(name: &str, allowed_unsafe: &[String]) -> Option<String> {
    let allowed = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    };
    if SAFE.contains(&name) || allowed_unsafe.iter().any(allowed) {
        return None;
    }
    if !NAMESPACED.iter().any(|prefix| name.starts_with(prefix)) {
        return Some("it is not namespaced: set it on the host".to_owned());
    }
    Some(format!(
        "not one that the kubelet takes for safe; allow it with --allowed-unsafe-sysctls {name}, or use one of {}",
        SAFE.join(", ")
    ))
}

/// Names with dots. A name whose first separator is `/` has the two swapped (sysctl.d(5)): `net/ipv4/conf/eth0.1/x`.
pub(crate) fn dotted(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name.as_bytes()[at] == b'/' => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Safe ones always, unsafe ones by the flag, the host's never.
    #[test]
    fn which_sysctls_a_pod_may_set() {
        let allowed = ["kernel.msg*", "net/core/somaxconn"].map(|text| sysctl_pattern(text).unwrap());
        let cases = [
            ("net.ipv4.tcp_syncookies", None),
            ("kernel.msgmax", None),
            ("net.core.somaxconn", None),
            ("net.core.other", Some("--allowed-unsafe-sysctls net.core.other")),
            ("kernel.sem", Some("--allowed-unsafe-sysctls")),
            ("vm.swappiness", Some("not namespaced")),
        ];
        for (name, expected) in cases {
            match (refusal(name, &allowed), expected) {
                (None, None) => {}
                (Some(found), Some(expected)) => assert!(found.contains(expected), "{name}: {found}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }

    #[test]
    fn patterns() {
        for good in ["kernel.shm*", "net.*", "fs.mqueue.msg_max", "kernel.sem"] {
            assert_eq!(sysctl_pattern(good), Ok(good.to_owned()));
        }
        for bad in ["*", "vm.*", "kernel.*", "net.*.x", ""] {
            assert!(sysctl_pattern(bad).is_err(), "{bad}");
        }
    }
}
