//! Puts the OCI config together: the bundle's as the base, the manifest over it, the sandbox over both.
//!
//! What a bundle may ask for and the container runtime would ignore in silence, or what would break the promise that
//! namespaces come from the pod, is refused in [`refused`](super::refused).

use std::path::PathBuf;

use oci_spec::runtime::{
    Linux, LinuxBuilder, LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Mount, Process, RootBuilder, Spec,
};

use crate::plan::container::plan::Streams;
use crate::plan::error::ConfigError;
use crate::plan::facts::{CgroupVersion, Scope};
use crate::plan::inputs::Inputs;
use crate::plan::pod::plan::PodPlan;
use crate::plan::resources::{self, qos};
use crate::plan::security::selinux::{self, Labels};
use crate::plan::security::users::Identity;
use crate::plan::security::{apparmor, capabilities, devices, paths, seccomp};

/// What goes over a bundle's own, as the other modules have worked it out.
pub(crate) struct Overrides {
    pub(crate) identity: Identity,
    pub(crate) env: Vec<String>,
    pub(crate) args: Vec<String>,
    pub(crate) cwd: PathBuf,
    /// Whether the root file system gets no upper layer.
    pub(crate) read_only: bool,
    pub(crate) mounts: Vec<Mount>,
}

/// The whole config. `root.path` is set by the helper.
pub(crate) fn assemble(inputs: &Inputs, plan: &PodPlan, over: Overrides) -> Result<Spec, ConfigError> {
    let mut spec = inputs.image.base.clone();
    let process = process(inputs, &over)?;
    spec.set_process(Some(process));
    let root = RootBuilder::default().path(inputs.image.rootfs.clone()).readonly(over.read_only).build();
    spec.set_root(Some(root.expect("a root has no field that must be given")));
    let devices = devices::devices(inputs, &over.mounts);
    spec.set_mounts(Some(over.mounts));
    // They belong to the sandbox's UTS namespace, which has them already.
    spec.set_hostname(None);
    spec.set_domainname(None);
    spec.set_solaris(None);
    spec.set_windows(None);
    spec.set_zos(None);
    let Labels { process, files } = selinux::labels(inputs);
    spec.process_mut().as_mut().map(|one| one.set_selinux_label(process));
    let mut linux = linux(inputs, plan);
    linux.set_mount_label(files);
    linux.set_devices(devices);
    linux.set_seccomp(seccomp::profile(inputs, plan.security.seccomp_default)?);
    spec.set_linux(Some(linux));
    Ok(spec)
}

fn process(inputs: &Inputs, over: &Overrides) -> Result<Process, ConfigError> {
    let mut process = inputs.image.base.process().clone().unwrap_or_else(bare_process);
    process
        .set_terminal(Some(Streams::of(inputs.container.manifest) == Streams::Terminal))
        .set_console_size(None)
        .set_command_line(None)
        .set_user(over.identity.user.clone())
        .set_args(Some(over.args.clone()))
        .set_env(Some(over.env.clone()))
        .set_cwd(over.cwd.clone())
        .set_capabilities(Some(capabilities::capabilities(inputs)?))
        .set_no_new_privileges(capabilities::no_new_privileges(inputs))
        .set_oom_score_adj(Some(qos::oom_score_adj(
            inputs.spec(),
            inputs.container.kind,
            inputs.container.manifest,
            inputs.node,
        )));
    process.set_apparmor_profile(apparmor::profile(inputs));
    Ok(process)
}

/// A process without oci-spec's own ideas of defaults (three capabilities, 1024 files).
fn bare_process() -> Process {
    let mut process = Process::default();
    process.set_rlimits(None).set_args(None).set_env(None).set_no_new_privileges(None).set_capabilities(None);
    process
}

fn linux(inputs: &Inputs, plan: &PodPlan) -> Linux {
    let mut linux = inputs.image.base.linux().clone().unwrap_or_else(bare_linux);
    let cgroup = plan.cgroup_of(inputs.container.name());
    let has_cgroup = inputs.node.cgroups != CgroupVersion::None;
    let resources = if has_cgroup {
        let mut resources = resources::oci::cgroup(inputs, &plan.cpus, plan.memory_qos, &plan.cgroup.huge_pages);
        resources.set_devices(Some(devices::device_rules(inputs)));
        Some(resources)
    } else {
        resources::oci::of_bundle(inputs)
    };
    let masked = paths::masked_paths(inputs);
    let read_only = paths::read_only_paths(inputs);
    linux
        .set_namespaces(Some(namespaces(inputs)))
        .set_cgroups_path(has_cgroup.then_some(cgroup))
        .set_resources(resources)
        .set_masked_paths(Some(masked))
        .set_readonly_paths(Some(read_only))
        .set_uid_mappings(inputs.id_mappings())
        .set_gid_mappings(inputs.id_mappings())
        .set_rootfs_propagation(Some(propagation(inputs)));
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
fn propagation(inputs: &Inputs) -> String {
    let asked = |word| {
        let mut mounts = inputs.container.manifest.volume_mounts.iter().flatten();
        mounts.any(|mount| mount.mount_propagation.as_deref() == Some(word))
    };
    if asked("Bidirectional") {
        return "shared".to_owned();
    }
    let slaves = |mount: &Mount| mount.options().iter().flatten().any(|option| option == "slave" || option == "rslave");
    if asked("HostToContainer") || inputs.image.base.mounts().iter().flatten().any(slaves) {
        return "slave".to_owned();
    }
    let bundle = inputs.image.base.linux().as_ref().and_then(|linux| linux.rootfs_propagation().clone());
    // libcontainer knows the words without their `r` only; it always means the whole tree.
    match bundle.as_deref() {
        Some("slave" | "rslave") => "slave".to_owned(),
        _ => "private".to_owned(),
    }
}

/// R10.8. Mount and cgroup namespaces are each container's own; a privileged one sees the host's cgroups, as in containerd.
fn namespaces(inputs: &Inputs) -> Vec<LinuxNamespace> {
    let of = |typ: LinuxNamespaceType, path: Option<&PathBuf>| {
        let mut namespace = LinuxNamespaceBuilder::default().typ(typ);
        if let Some(path) = path {
            namespace = namespace.path(path.clone());
        }
        namespace.build().expect("a namespace of a type is valid")
    };
    let mut all = vec![of(LinuxNamespaceType::Mount, None)];
    if !inputs.privileged() {
        all.push(of(LinuxNamespaceType::Cgroup, None));
    }
    let shared = [
        (LinuxNamespaceType::Network, &inputs.sandbox.network_namespace),
        (LinuxNamespaceType::Ipc, &inputs.sandbox.ipc_namespace),
        (LinuxNamespaceType::Uts, &inputs.sandbox.uts_namespace),
        (LinuxNamespaceType::User, &inputs.sandbox.users.as_ref().map(|users| users.namespace.clone())),
    ];
    all.extend(shared.iter().filter_map(|(typ, path)| path.as_ref().map(|path| of(*typ, Some(path)))));
    match inputs.sandbox_plan.pid {
        Scope::Host => {}
        // An ephemeral container may see another's processes (R10.8).
        Scope::Pod | Scope::Container => all.push(of(LinuxNamespaceType::Pid, inputs.sandbox.pid_namespace.as_ref())),
    }
    all
}
