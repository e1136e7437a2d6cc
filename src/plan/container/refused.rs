//! What a container asks for and would silently not get: refused by field.

use oci_spec::runtime::{
    Linux, LinuxDeviceCgroup, LinuxDeviceType, LinuxIdMapping, LinuxNamespace, LinuxNamespaceType,
};

use super::unsupported;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::facts::{CgroupVersion, Scope, SeLinux};
use crate::plan::inputs::Inputs;
use crate::plan::sandbox::sysctls::{dotted, is_of_ipc};

/// Refuses what would silently not happen.
pub(crate) fn refuse(inputs: &Inputs) -> Result<(), ConfigError> {
    let base = &inputs.image.base;
    let refuse = |field: &str, value: &str, advice: &'static str| {
        Err(inputs.create_error(field, ConfigCause::Unsupported { value: value.to_owned(), advice }))
    };
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if let Some(process) = base.process()
        && filled(process.selinux_label())
        && inputs.node.selinux == SeLinux::Off
    {
        return refuse("process.selinuxLabel", "SELinux, which is not enabled on this box,", "take the label out");
    }
    if let Some((field, value, advice)) = unsupported::first(base, inputs.node.cgroups) {
        return refuse(&field, &value, advice);
    }
    if let Some(linux) = base.linux() {
        if filled(linux.mount_label()) && inputs.node.selinux == SeLinux::Off {
            return refuse("linux.mountLabel", "SELinux, which is not enabled on this box,", "take the label out");
        }
        let mapped = |list: &Option<Vec<LinuxIdMapping>>| list.as_ref().is_some_and(|list| !list.is_empty());
        if mapped(linux.uid_mappings()) || mapped(linux.gid_mappings()) {
            let advice = "namespaces come from the pod; take uidMappings and gidMappings out";
            return refuse("linux.uidMappings", "a user namespace", advice);
        }
        let user = |namespace: &LinuxNamespace| namespace.typ() == LinuxNamespaceType::User;
        if linux.namespaces().iter().flatten().any(user) {
            return refuse("linux.namespaces", "a user namespace", "namespaces come from the pod; take it out");
        }
        if linux.time_offsets().as_ref().is_some_and(|offsets| !offsets.is_empty()) {
            return refuse("linux.timeOffsets", "a time namespace", "namespaces come from the pod; take it out");
        }
        // Shared would hand the container's mounts on to the host.
        let propagation = linux.rootfs_propagation().as_deref().unwrap_or_default();
        if !matches!(propagation, "" | "private" | "rprivate" | "slave" | "rslave") {
            return refuse("linux.rootfsPropagation", propagation, "write \"private\" or \"slave\"");
        }
        let resources = linux.resources().as_ref();
        let unified = resources.and_then(|resources| resources.unified().as_ref()).is_some_and(|all| !all.is_empty());
        if unified && inputs.node.cgroups == CgroupVersion::V1 {
            return refuse(
                "linux.resources.unified",
                "a setting of cgroup v2",
                "this box has cgroup v1; use its fields",
            );
        }
        for (at, rule) in
            resources.and_then(|all| all.devices().as_ref()).iter().flat_map(|list| list.iter()).enumerate()
        {
            if let Some((field, value, advice)) = unknown_device(rule) {
                return refuse(&format!("linux.resources.devices[{at}].{field}"), &value, advice);
            }
        }
        if let Some(name) = hosts_sysctl(inputs, linux) {
            let advice = "the pod uses that namespace of the host; take it out, or set it on the host";
            return refuse(&format!("linux.sysctl[{name}]"), "setting it on the host", advice);
        }
        if linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
            return refuse("linux.netDevices", "moving network devices", "the network is the pod's; take it out");
        }
    }
    if base.vm().is_some() {
        return refuse("vm", "a virtual machine", "containers share the host's kernel here; take it out");
    }
    Ok(())
}

/// What of a device rule no device and no access can match: field, value, what to write.
fn unknown_device(rule: &LinuxDeviceCgroup) -> Option<(&'static str, String, &'static str)> {
    if rule.typ() == Some(LinuxDeviceType::P) {
        return Some(("type", "\"p\"".to_owned(), "FIFOs are no devices; write \"a\", \"b\" or \"c\""));
    }
    for (field, number) in [("major", rule.major()), ("minor", rule.minor())] {
        // As in runc, -1 is a way to say "all".
        if let Some(number) = number.filter(|number| !(-1..=i64::from(i32::MAX)).contains(number)) {
            return Some((field, number.to_string(), "device numbers are 0 to 2147483647, or -1 for all"));
        }
    }
    let access = rule.access().as_deref().unwrap_or("rwm");
    let unknown = access.is_empty() || access.chars().any(|letter| !"rwm".contains(letter));
    unknown.then(|| ("access", format!("{access:?}"), "write some of \"rwm\""))
}

/// A sysctl of the bundle that would be set in a namespace of the host's.
fn hosts_sysctl(inputs: &Inputs, linux: &Linux) -> Option<String> {
    const UTS: [&str; 2] = ["kernel.hostname", "kernel.domainname"];
    let sandbox = &inputs.sandbox_plan;
    let names = linux.sysctl().iter().flatten().map(|(name, _)| dotted(name));
    let of_host = |name: &String| {
        let network = name.starts_with("net.") || UTS.contains(&name.as_str());
        (network && sandbox.network == Scope::Host) || (is_of_ipc(name) && sandbox.ipc == Scope::Host)
    };
    names.filter(of_host).min()
}
