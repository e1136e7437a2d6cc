//! Paths of /proc and /sys that are kept from a container. The defaults are the kubelet's.

use crate::plan::facts::Scope;
use crate::plan::inputs::Inputs;

/// What the kubelet has hidden (securitycontext.go defaultMaskedPaths).
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What the kubelet has made read-only (defaultReadonlyPaths).
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// `procMount: Unmasked`, for containers that make containers (KEP-4265). The API has it in a user namespace only.
fn unmasked(inputs: &Inputs) -> bool {
    let apart = inputs.sandbox_plan.user == Scope::Pod
        || (inputs.node.users.is_some() && inputs.spec().host_users == Some(false));
    inputs.context().proc_mount.as_deref() == Some("Unmasked") && apart
}

/// Paths that are hidden. A privileged container sees all.
pub(crate) fn masked_paths(inputs: &Inputs) -> Vec<String> {
    if inputs.privileged() || unmasked(inputs) {
        return Vec::new();
    }
    let bundle = inputs.image.base.linux().as_ref().and_then(|linux| linux.masked_paths().clone());
    bundle.unwrap_or_else(|| MASKED.map(str::to_owned).to_vec())
}

/// Paths that are read-only. A privileged container writes to all.
pub(crate) fn read_only_paths(inputs: &Inputs) -> Vec<String> {
    if inputs.privileged() || unmasked(inputs) {
        return Vec::new();
    }
    let bundle = inputs.image.base.linux().as_ref().and_then(|linux| linux.readonly_paths().clone());
    bundle.unwrap_or_else(|| READ_ONLY.map(str::to_owned).to_vec())
}
