//! Puts the OCI config together: the bundle's as the base, the manifest over it, the sandbox over both.
//!
//! What a bundle may ask for and the container runtime would ignore in silence, or what would break the promise that
//! namespaces come from the pod, is refused in [`refuse_unsupported`].

use std::collections::HashMap;
use std::path::PathBuf;

use oci_spec::runtime::{
    Linux, LinuxBuilder, LinuxCpu, LinuxDeviceCgroup, LinuxDeviceType, LinuxIdMapping, LinuxMemory, LinuxNamespace,
    LinuxNamespaceBuilder, LinuxNamespaceType, LinuxResources, Mount, Process, RootBuilder, Spec,
};

use super::{Ask, unsupported};
use crate::plan::container;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::resources::{self, huge_pages};
use crate::plan::security::selinux::{self, Labels};
use crate::plan::security::{self, Identity, apparmor, devices, seccomp};
use crate::plan::types::{CgroupVersion, MemoryProtection, RootAccess, Scope, SeLinux};

/// What the other modules have worked out.
pub(crate) struct Parts {
    pub(crate) identity: Identity,
    pub(crate) env: Vec<String>,
    pub(crate) args: Vec<String>,
    pub(crate) cwd: PathBuf,
    pub(crate) root: RootAccess,
    pub(crate) mounts: Vec<Mount>,
}

/// Refuses what would silently not happen.
pub(crate) fn refuse_unsupported(ask: &Ask) -> Result<(), ConfigError> {
    let base = &ask.image.base;
    let refuse = |field: &str, value: &str, advice: &'static str| {
        Err(ask.create(field, ConfigCause::Unsupported { value: value.to_owned(), advice }))
    };
    let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if let Some(process) = base.process()
        && filled(process.selinux_label())
        && ask.node.selinux == SeLinux::Off
    {
        return refuse("process.selinuxLabel", "SELinux, which is not enabled on this box,", "take the label out");
    }
    if let Some((field, value, advice)) = unsupported::first(base, ask.node.cgroups) {
        return refuse(&field, &value, advice);
    }
    if let Some(linux) = base.linux() {
        if filled(linux.mount_label()) && ask.node.selinux == SeLinux::Off {
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
        if unified && ask.node.cgroups == CgroupVersion::V1 {
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
        if let Some(name) = hosts_sysctl(ask, linux) {
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
    refuse_of_manifest(ask)
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
fn hosts_sysctl(ask: &Ask, linux: &Linux) -> Option<String> {
    const IPC: [&str; 4] = ["kernel.sem", "kernel.shm", "kernel.msg", "fs.mqueue."];
    const UTS: [&str; 2] = ["kernel.hostname", "kernel.domainname"];
    let sandbox = &ask.plan.sandbox;
    let names = linux.sysctl().iter().flatten().map(|(name, _)| name.replace('/', "."));
    let of_host = |name: &String| {
        let network = name.starts_with("net.") || UTS.contains(&name.as_str());
        let ipc = IPC.iter().any(|prefix| name.starts_with(prefix));
        (network && sandbox.network == Scope::Host) || (ipc && sandbox.ipc == Scope::Host)
    };
    names.filter(of_host).min()
}

/// The manifest room refuses these first; here nothing depends on that.
fn refuse_of_manifest(ask: &Ask) -> Result<(), ConfigError> {
    let refuse = |field: &str, value: &str, advice: &'static str| {
        Err(ask.config(field, ConfigCause::Unsupported { value: value.to_owned(), advice }))
    };
    if ask.container.tty == Some(true) {
        return refuse("tty", "a terminal", "leave it out");
    }
    Ok(())
}

/// The whole config. `root.path` is set by the helper.
pub(crate) fn assemble(ask: &Ask, parts: Parts) -> Result<Spec, ConfigError> {
    let mut spec = ask.image.base.clone();
    let process = process(ask, &parts)?;
    spec.set_process(Some(process));
    let readonly = parts.root == RootAccess::ReadOnly;
    let root = RootBuilder::default().path(ask.image.rootfs.clone()).readonly(readonly).build();
    spec.set_root(Some(root.expect("a root has no field that must be given")));
    let devices = devices::devices(ask, &parts.mounts);
    spec.set_mounts(Some(parts.mounts));
    // They belong to the sandbox's UTS namespace, which has them already.
    spec.set_hostname(None);
    spec.set_domainname(None);
    spec.set_solaris(None);
    spec.set_windows(None);
    spec.set_zos(None);
    let Labels { process, files } = selinux::labels(ask);
    spec.process_mut().as_mut().map(|one| one.set_selinux_label(process));
    let mut linux = linux(ask);
    linux.set_mount_label(files);
    linux.set_devices(devices);
    linux.set_seccomp(seccomp::profile(ask)?);
    spec.set_linux(Some(linux));
    Ok(spec)
}

fn process(ask: &Ask, parts: &Parts) -> Result<Process, ConfigError> {
    let mut process = ask.image.base.process().clone().unwrap_or_else(bare_process);
    process
        .set_terminal(Some(false))
        .set_console_size(None)
        .set_command_line(None)
        .set_user(parts.identity.user.clone())
        .set_args(Some(parts.args.clone()))
        .set_env(Some(parts.env.clone()))
        .set_cwd(parts.cwd.clone())
        .set_capabilities(Some(security::capabilities(ask)?))
        .set_no_new_privileges(security::no_new_privileges(ask))
        .set_oom_score_adj(Some(resources::oom_score_adj(ask.spec, ask.kind, ask.container, ask.node)));
    process.set_apparmor_profile(apparmor::profile(ask));
    Ok(process)
}

/// A process without oci-spec's own ideas of defaults (three capabilities, 1024 files).
fn bare_process() -> Process {
    let mut process = Process::default();
    process.set_rlimits(None).set_args(None).set_env(None).set_no_new_privileges(None).set_capabilities(None);
    process
}

fn linux(ask: &Ask) -> Linux {
    let mut linux = ask.image.base.linux().clone().unwrap_or_else(bare_linux);
    let cgroup = container::cgroup(ask.plan, &ask.container.name);
    let has_cgroup = ask.node.cgroups != CgroupVersion::None;
    let masked = security::masked_paths(ask);
    let read_only = security::read_only_paths(ask);
    linux
        .set_namespaces(Some(namespaces(ask)))
        .set_cgroups_path(has_cgroup.then_some(cgroup))
        .set_resources(if has_cgroup { Some(cgroup_resources(ask)) } else { bundles_limits(ask) })
        .set_masked_paths(Some(masked))
        .set_readonly_paths(Some(read_only))
        .set_uid_mappings(container::id_mappings(ask))
        .set_gid_mappings(container::id_mappings(ask))
        .set_rootfs_propagation(Some(propagation(ask)));
    linux
}

fn bare_linux() -> Linux {
    LinuxBuilder::default()
        .build()
        .map(|mut linux| {
            linux.set_resources(None).set_namespaces(None).set_masked_paths(None).set_readonly_paths(None);
            linux
        })
        .expect("the Linux section has no field that must be given")
}

/// As wide as the widest of the volumes' propagations: the helper narrows the others' (`runtime::container`).
fn propagation(ask: &Ask) -> String {
    let asked = |word| {
        let mut mounts = ask.container.volume_mounts.iter().flatten();
        mounts.any(|mount| mount.mount_propagation.as_deref() == Some(word))
    };
    if asked("Bidirectional") {
        return "shared".to_owned();
    }
    let slaves = |mount: &Mount| mount.options().iter().flatten().any(|option| option == "slave" || option == "rslave");
    if asked("HostToContainer") || ask.image.base.mounts().iter().flatten().any(slaves) {
        return "slave".to_owned();
    }
    let bundle = ask.image.base.linux().as_ref().and_then(|linux| linux.rootfs_propagation().clone());
    // libcontainer knows the words without their `r` only; it always means the whole tree.
    match bundle.as_deref() {
        Some("slave" | "rslave") => "slave".to_owned(),
        _ => "private".to_owned(),
    }
}

/// R10.8. Mount and cgroup namespaces are each container's own; a privileged one sees the host's cgroups, as in containerd.
fn namespaces(ask: &Ask) -> Vec<LinuxNamespace> {
    let of = |typ: LinuxNamespaceType, path: Option<&PathBuf>| {
        let mut namespace = LinuxNamespaceBuilder::default().typ(typ);
        if let Some(path) = path {
            namespace = namespace.path(path.clone());
        }
        namespace.build().expect("a namespace of a type is valid")
    };
    let mut all = vec![of(LinuxNamespaceType::Mount, None)];
    if !ask.privileged() {
        all.push(of(LinuxNamespaceType::Cgroup, None));
    }
    let shared = [
        (LinuxNamespaceType::Network, &ask.sandbox.network_namespace),
        (LinuxNamespaceType::Ipc, &ask.sandbox.ipc_namespace),
        (LinuxNamespaceType::Uts, &ask.sandbox.uts_namespace),
        (LinuxNamespaceType::User, &ask.sandbox.users.as_ref().map(|users| users.namespace.clone())),
    ];
    all.extend(shared.iter().filter_map(|(typ, path)| path.as_ref().map(|path| of(*typ, Some(path)))));
    match ask.plan.sandbox.pid {
        Scope::Host => {}
        Scope::Pod => all.push(of(LinuxNamespaceType::Pid, ask.sandbox.pid_namespace.as_ref())),
        Scope::Container => all.push(of(LinuxNamespaceType::Pid, None)),
    }
    all
}

/// What a bundle limits, where there are no cgroups for it: to be said, as it can't be seen before.
fn bundles_limits(ask: &Ask) -> Option<LinuxResources> {
    let mut limits = ask.image.base.linux().as_ref()?.resources().clone()?;
    limits.set_devices(None);
    let mut none = LinuxResources::default();
    none.set_devices(None);
    (limits != none).then_some(limits)
}

/// R9.3, R9.5: the manifest's over the bundle's, field by field.
fn cgroup_resources(ask: &Ask) -> LinuxResources {
    let bundle = ask.image.base.linux().as_ref().and_then(|linux| linux.resources().clone());
    let mut all = bundle.unwrap_or_default();
    let (requests, limits) = (resources::requests(ask.container), resources::limits(ask.container));
    let mut cpu: LinuxCpu = all.cpu().clone().unwrap_or_default();
    let asked = requests.cpu.map(resources::shares);
    cpu.set_shares(asked.or(cpu.shares()).or(Some(resources::shares(resources::MilliCpu(0)))));
    // Who has cpus for itself is not held back on them (the kubelet's DisableCPUQuotaWithExclusiveCPUs).
    let exclusive = ask.plan.cpus.get(&ask.container.name);
    if exclusive.is_some() {
        cpu.set_quota(None).set_period(None);
    } else if let Some(limit) = limits.cpu {
        cpu.set_quota(Some(resources::quota(limit))).set_period(Some(resources::CPU_PERIOD));
    }
    if let Some(cpus) = exclusive.or(ask.sandbox.shared_cpus.as_ref()) {
        cpu.set_cpus(Some(cpus.to_string()));
    }
    all.set_cpu(Some(cpu));
    if let Some(limit) = limits.memory {
        let mut memory: LinuxMemory = (*all.memory()).unwrap_or_default();
        // The bundle's other numbers were made for its own limit: swap below the new one would be an error.
        memory.set_limit(Some(resources::signed(limit))).set_swap(None).set_reservation(None);
        all.set_memory(Some(memory));
    }
    let protection = ask.plan.memory_qos.of_container(ask.spec, ask.container, resources::Bytes(ask.node.memory));
    // A bundle may have said how much swap there is to be beside its own limit.
    let says_swap = all.memory().as_ref().is_some_and(|memory| memory.swap().is_some());
    if let (CgroupVersion::V1, false, Some(swap), Some(memory)) =
        (ask.node.cgroups, says_swap, protection.swap, all.memory_mut())
        && let Some(limit) = memory.limit().filter(|limit| *limit > 0)
        && swap < i64::MAX
    {
        memory.set_swap(Some(limit.saturating_add(swap)));
    }
    let huge = huge_pages::container_limits(ask, all.hugepage_limits().clone());
    all.set_hugepage_limits(huge);
    if ask.node.cgroups == CgroupVersion::V2 {
        let mut unified: HashMap<String, String> = all.unified().clone().unwrap_or_default();
        unified.entry("memory.oom.group".to_owned()).or_insert_with(|| "1".to_owned());
        let protection = MemoryProtection { swap: protection.swap.filter(|_| !says_swap), ..protection };
        for (file, text) in protection.files() {
            unified.entry(file.to_owned()).or_insert(text);
        }
        all.set_unified(Some(unified));
    } else {
        // There is no such thing on v1, and libcontainer would say nothing.
        all.set_unified(None);
    }
    all.set_devices(Some(security::device_rules(ask)));
    all
}
