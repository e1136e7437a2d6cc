//! What a bundle's config may ask for and the container runtime would leave out in silence, or can't undo: refused by
//! field. docs/oci.md has a row for each.

use oci_spec::runtime::{Hooks, Linux, LinuxCpu, LinuxDevice, LinuxResources, Process, Spec};

use crate::plan::facts::CgroupVersion;

/// Field, value, what to do.
pub(crate) type Refusal = (String, String, &'static str);

/// The first of them.
pub(crate) fn first(base: &Spec, cgroups: CgroupVersion) -> Option<Refusal> {
    let linux = base.linux().as_ref();
    bad_hook(base.hooks().as_ref())
        .or_else(|| base.process().as_ref().and_then(of_process))
        .or_else(|| linux.and_then(of_linux))
        .or_else(|| linux.and_then(|linux| linux.resources().as_ref()).and_then(|all| of_resources(all, cgroups)))
}

fn refusal(field: &str, value: &str, advice: &'static str) -> Option<Refusal> {
    Some((field.to_owned(), value.to_owned(), advice))
}

fn of_process(process: &Process) -> Option<Refusal> {
    // To setresuid(2) it means "as before": root.
    const NOBODY: &str = "4294967295";
    let user = process.user();
    let ids = [("uid", user.uid()), ("gid", user.gid())];
    if let Some((field, _)) = ids.into_iter().find(|(_, id)| *id == u32::MAX) {
        return refusal(&format!("process.user.{field}"), NOBODY, "the kernel has no user of this id; write another");
    }
    if user.additional_gids().iter().flatten().any(|id| *id == u32::MAX) {
        return refusal("process.user.additionalGids", NOBODY, "the kernel has no group of this id; write another");
    }
    // libcontainer says it only where it could also remove the container's cgroup at once.
    if let Some(umask) = user.umask().filter(|umask| *umask > 0o777) {
        return refusal("process.user.umask", &umask.to_string(), "a umask is at most 511 (octal 777); write another");
    }
    if process.exec_cpu_affinity().is_some() {
        let advice = "probes, hooks and exec run on the container's cpus; take it out";
        return refusal("process.execCPUAffinity", "cpus for what is run beside the program", advice);
    }
    None
}

fn of_linux(linux: &Linux) -> Option<Refusal> {
    if linux.intel_rdt().is_some() {
        // libcontainer's group would be left behind: only its own delete command removes it.
        return refusal(
            "linux.intelRdt",
            "a resctrl group",
            "nobody would remove it at the container's end; take it out",
        );
    }
    let flags = linux.personality().as_ref().and_then(|personality| personality.flags().as_ref());
    if let Some(flag) = flags.and_then(|flags| flags.first()) {
        return refusal("linux.personality.flags", flag, "the OCI defines none; take it out");
    }
    let outside = |device: &LinuxDevice| !device.path().starts_with("/dev");
    if let Some((at, device)) = linux.devices().iter().flatten().enumerate().find(|(_, device)| outside(device)) {
        let value = format!("{:?}", device.path());
        return refusal(&format!("linux.devices[{at}].path"), &value, "devices are made below /dev; write such a path");
    }
    let seccomp = linux.seccomp().as_ref();
    if seccomp.and_then(|seccomp| seccomp.listener_path().as_ref()).is_some_and(|path| !path.as_os_str().is_empty()) {
        let advice = "nobody could answer for the container; take it out";
        return refusal("linux.seccomp.listenerPath", "notifications", advice);
    }
    None
}

fn of_resources(all: &LinuxResources, cgroups: CgroupVersion) -> Option<Refusal> {
    const V1_ONLY: &str = "this box has cgroup v2, which has no such setting; take it out";
    const UNSUPPORTED: &str = "the container runtime can't set it; take it out";
    let v2 = cgroups == CgroupVersion::V2;
    if all.rdma().as_ref().is_some_and(|rdma| !rdma.is_empty()) {
        return refusal("linux.resources.rdma", "limits of RDMA devices", UNSUPPORTED);
    }
    if let Some(memory) = all.memory() {
        let (field, advice) = if memory.disable_oom_killer() == Some(true) {
            ("disableOOMKiller", "a container without memory would hang for ever; take it out")
        } else if memory.check_before_update() == Some(true) {
            ("checkBeforeUpdate", UNSUPPORTED)
        } else if v2 && memory.kernel().is_some() {
            ("kernel", V1_ONLY)
        } else if v2 && memory.kernel_tcp().is_some() {
            ("kernelTCP", V1_ONLY)
        } else if v2 && memory.swappiness().is_some() {
            ("swappiness", V1_ONLY)
        } else {
            ("", "")
        };
        if !field.is_empty() {
            return refusal(&format!("linux.resources.memory.{field}"), "a setting of memory", advice);
        }
    }
    let realtime = |cpu: &LinuxCpu| cpu.realtime_runtime().is_some() || cpu.realtime_period().is_some();
    if v2 && all.cpu().as_ref().is_some_and(realtime) {
        return refusal("linux.resources.cpu.realtimeRuntime", "time for real-time tasks", V1_ONLY);
    }
    if let Some(io) = all.block_io() {
        let devices = io.weight_device().iter().flatten();
        let leaf = io.leaf_weight().is_some() || devices.clone().any(|device| device.leaf_weight().is_some());
        if leaf {
            let advice = "kernels since 5.0 have no leaf weights; take it out";
            return refusal("linux.resources.blockIO.leafWeight", "a leaf weight", advice);
        }
        if !v2 && devices.count() > 0 {
            return refusal("linux.resources.blockIO.weightDevice", "a device's weight", UNSUPPORTED);
        }
    }
    let network = all.network().as_ref();
    let network = network
        .is_some_and(|one| one.class_id().is_some() || one.priorities().as_ref().is_some_and(|list| !list.is_empty()));
    if v2 && network {
        return refusal("linux.resources.network", "a class or priorities", V1_ONLY);
    }
    None
}

/// What can't be run as a hook: field, value, what to write.
fn bad_hook(hooks: Option<&Hooks>) -> Option<(String, String, &'static str)> {
    let hooks = hooks?;
    #[allow(deprecated)]
    let lists = [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ];
    let all = lists.iter().flat_map(|(name, list)| list.iter().flatten().enumerate().map(move |one| (name, one)));
    for (name, (at, hook)) in all {
        let field = |rest: &str| format!("hooks.{name}[{at}].{rest}");
        if !hook.path().is_absolute() {
            return Some((field("path"), format!("{:?}", hook.path()), "it must begin with a slash"));
        }
        if let Some(timeout) = hook.timeout().filter(|timeout| *timeout <= 0) {
            return Some((field("timeout"), timeout.to_string(), "seconds, more than 0; leave it out for no timeout"));
        }
    }
    None
}
