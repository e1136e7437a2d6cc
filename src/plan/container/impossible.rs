//! Values of a bundle's config.json that no kernel takes, or not from this process. The kernel would say so each time that the
//! container is made; here they are known before.

use std::collections::BTreeSet;
use std::path::Path;

use oci_spec::runtime::{
    Capabilities, LinuxDevice, LinuxHugepageLimit, LinuxResources, LinuxSchedulerPolicy, LinuxSeccompAction,
    PosixRlimit, Process, Scheduler,
};

use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::facts::{AppArmor, CgroupVersion, Scope};
use crate::plan::inputs::Inputs;
use crate::plan::pod::plan::PodPlan;
use crate::plan::resources;
use crate::plan::sandbox::sysctls::{dotted, is_of_ipc};
use crate::plan::security::{apparmor, capabilities, seccomp};

/// Field, what it says, what would be taken.
type Impossible = (String, String, String);

/// The kernel's PID_MAX_LIMIT on 64 bits (include/linux/threads.h).
const MOST_PIDS: i64 = 4 << 20;

/// What the container runtime makes in each /dev (runtime-spec, config-linux.md, "Default Devices"): name, major, minor.
const DEVICES: [(&str, i64, i64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// What each /dev has mounted or linked.
const TAKEN: [&str; 9] = ["pts", "shm", "mqueue", "ptmx", "console", "fd", "stdin", "stdout", "stderr"];

/// Refuses the first of them.
pub(crate) fn refuse(inputs: &Inputs, plan: &PodPlan) -> Result<(), ConfigError> {
    let capabilities = capabilities::capabilities(inputs)?;
    let base = &inputs.image.base;
    let found = base
        .process()
        .as_ref()
        .and_then(|process| of_process(inputs, process))
        .or_else(|| of_capabilities(inputs, &capabilities))
        .or_else(|| of_apparmor(inputs))
        .or_else(|| base.linux().as_ref().and_then(|linux| linux.devices().as_ref()).and_then(|all| of_devices(all)))
        .or_else(|| of_sysctls(inputs))
        .or_else(|| of_seccomp(inputs))
        .or_else(|| of_resources(inputs, plan));
    match found {
        None => Ok(()),
        Some((field, value, why)) => Err(inputs.create_error(&field, ConfigCause::Impossible { value, why })),
    }
}

fn impossible(field: impl Into<String>, value: impl ToString, why: impl Into<String>) -> Option<Impossible> {
    Some((field.into(), value.to_string(), why.into()))
}

fn of_process(inputs: &Inputs, process: &Process) -> Option<Impossible> {
    let limits = process.rlimits().iter().flatten().enumerate();
    let mut seen = BTreeSet::new();
    let of_limits = limits.map(|(at, limit)| (at, limit, seen.insert(limit.typ().to_string())));
    of_limits
        .filter_map(|(at, limit, is_first)| of_limit(inputs, at, limit, is_first))
        .next()
        .or_else(|| process.scheduler().as_ref().and_then(of_scheduler))
        .or_else(|| {
            let priority = process.io_priority().as_ref()?.priority();
            let why = "priorities of input and output are 0 (the highest) to 7";
            impossible("process.ioPriority.priority", priority, why).filter(|_| !(0..=7).contains(&priority))
        })
}

fn of_limit(inputs: &Inputs, at: usize, limit: &PosixRlimit, is_first: bool) -> Option<Impossible> {
    let field = |rest: &str| format!("process.rlimits[{at}]{rest}");
    let kind = limit.typ();
    if !is_first {
        return impossible(field(".type"), kind, "this limit is set twice; leave one");
    }
    if limit.soft() > limit.hard() {
        let why = format!("the soft limit of {kind} is above its hard limit, {}", limit.hard());
        return impossible(field(".soft"), limit.soft(), why);
    }
    let (_, most) =
        inputs.node.hard_limits.iter().find(|(name, _)| *name == kind).filter(|one| one.1 < limit.hard())?;
    let why = format!(
        "barepod may give {kind} up to {most} here; ask for less, or raise the limit that it is started with (ulimit -H, \
         LimitNOFILE= of a unit; CAP_SYS_RESOURCE goes beyond it, but for the box's fs.nr_open)"
    );
    impossible(field(".hard"), limit.hard(), why)
}

/// sched_setattr(2)
fn of_scheduler(scheduler: &Scheduler) -> Option<Impossible> {
    use LinuxSchedulerPolicy::{SchedBatch, SchedDeadline, SchedFifo, SchedIso, SchedOther, SchedRr};
    let (policy, priority) = (*scheduler.policy(), scheduler.priority().unwrap_or(0));
    let field = |name: &str| format!("process.scheduler.{name}");
    let nice = scheduler.nice().unwrap_or(0);
    match policy {
        SchedIso => impossible(field("policy"), policy, "Linux has no such policy"),
        SchedFifo | SchedRr if !(1..=99).contains(&priority) => {
            impossible(field("priority"), priority, format!("{policy} has priorities 1 to 99"))
        }
        SchedFifo | SchedRr => None,
        _ if priority != 0 => impossible(field("priority"), priority, "only SCHED_FIFO and SCHED_RR have priorities"),
        SchedOther | SchedBatch if !(-20..=19).contains(&nice) => {
            impossible(field("nice"), nice, "it must be between -20 and 19")
        }
        SchedDeadline => None,
        _ => {
            let times =
                [("runtime", scheduler.runtime()), ("deadline", scheduler.deadline()), ("period", scheduler.period())];
            let (name, time) =
                times.into_iter().find_map(|(name, time)| Some((name, time.filter(|one| one != &0)?)))?;
            impossible(field(name), time, "only SCHED_DEADLINE has times")
        }
    }
}

/// capabilities(7), "Programmatically adjusting capability sets": what capset(2) and prctl(2) refuse.
fn of_capabilities(inputs: &Inputs, sets: &oci_spec::runtime::LinuxCapabilities) -> Option<Impossible> {
    let none = Capabilities::new();
    let set = |set: &Option<Capabilities>| set.clone().unwrap_or_else(|| none.clone());
    let (bounding, permitted) = (set(sets.bounding()), set(sets.permitted()));
    let (inheritable, ambient) = (set(sets.inheritable()), set(sets.ambient()));
    // The first process of a user namespace has all there.
    let is_held = |name: &str| {
        inputs.sandbox_plan.user == Scope::Pod
            || inputs.node.capabilities.iter().any(|one| one.strip_prefix("CAP_") == Some(name))
    };
    let beyond = |one: &Capabilities, other: &Capabilities| {
        let mut all: Vec<String> = one.difference(other).map(ToString::to_string).collect();
        all.sort();
        all.into_iter().next()
    };
    let first = |of: &str, name: Option<String>, why: &str| {
        name.and_then(|name| impossible(format!("process.capabilities.{of}"), format!("\"CAP_{name}\""), why))
    };
    let mut names: Vec<String> = permitted.iter().map(ToString::to_string).collect();
    names.sort();
    let why = "barepod may not hand it on; run it with that capability, or take it out";
    first("permitted", names.into_iter().find(|name| !is_held(name)), why)
        .or_else(|| first("effective", beyond(&set(sets.effective()), &permitted), "permitted hasn't got it"))
        .or_else(|| first("inheritable", beyond(&inheritable, &bounding), "bounding hasn't got it"))
        .or_else(|| first("ambient", beyond(&ambient, &permitted), "permitted hasn't got it"))
        .or_else(|| first("ambient", beyond(&ambient, &inheritable), "inheritable hasn't got it"))
}

/// The manifest's was looked at with the pod; whether a profile is loaded may change.
fn of_apparmor(inputs: &Inputs) -> Option<Impossible> {
    let profile = apparmor::profile(inputs).filter(|_| inputs.node.apparmor == AppArmor::Off)?;
    let why = "AppArmor is not enabled on this box (/sys/module/apparmor/parameters/enabled); take it out, or write \
               securityContext.appArmorProfile.type: Unconfined";
    impossible("process.apparmorProfile", format!("{profile:?}"), why)
}

fn of_devices(devices: &[LinuxDevice]) -> Option<Impossible> {
    let mut seen = BTreeSet::new();
    for (at, device) in devices.iter().enumerate() {
        let path = device.path();
        let field = |rest: &str| format!("linux.devices[{at}].{rest}");
        let value = format!("{path:?}");
        if !seen.insert(path) {
            return impossible(field("path"), value, "there is another device of this path; leave one");
        }
        let Some(name) = path.strip_prefix("/dev").ok().and_then(Path::to_str) else { continue };
        if TAKEN.contains(&name) {
            return impossible(field("path"), value, "each container has something else there; write another path");
        }
        let own = DEVICES.iter().find(|(own, ..)| *own == name);
        if let Some((_, major, minor)) = own.filter(|own| (own.1, own.2) != (device.major(), device.minor())) {
            let value = format!("{}:{}", device.major(), device.minor());
            let why = format!(
                "/dev/{name} is the device {major}:{minor} in each container; write these numbers, or leave it out"
            );
            return impossible(field("major"), value, why);
        }
    }
    None
}

/// The runtime-spec leaves those that count for the whole box to the runtime: as in runc, they are not to be set.
fn of_sysctls(inputs: &Inputs) -> Option<Impossible> {
    let linux = inputs.image.base.linux().as_ref()?;
    let mut names: Vec<String> = linux.sysctl().iter().flatten().map(|(name, _)| dotted(name)).collect();
    names.sort();
    let is_box = |name: &String| {
        let is_users = name.starts_with("user.") && inputs.sandbox_plan.user == Scope::Pod;
        let is_spaces = name.starts_with("net.") || name == "kernel.domainname";
        !is_of_ipc(name) && !is_users && !is_spaces
    };
    let name = names.into_iter().find(is_box)?;
    let why = match name.as_str() {
        "kernel.hostname" => "the pod's name or spec.hostname says it; take it out",
        _ => "it counts for the whole box, not for a container; take it out, or set it on the box",
    };
    impossible("linux.sysctl", format!("{name:?}"), why)
}

/// seccomp(2): what can't be compiled.
fn of_seccomp(inputs: &Inputs) -> Option<Impossible> {
    // The manifest's goes over it.
    let manifests = seccomp::asked(&inputs.container).is_some() || inputs.privileged();
    let profile = inputs.image.base.linux().as_ref()?.seccomp().as_ref().filter(|_| !manifests)?;
    let notify = |action: LinuxSeccompAction| action == LinuxSeccompAction::ScmpActNotify;
    let why = "nobody could answer for the container; write \"SCMP_ACT_ERRNO\"";
    if notify(profile.default_action()) {
        return impossible("linux.seccomp.defaultAction", "\"SCMP_ACT_NOTIFY\"", why);
    }
    profile.syscalls().iter().flatten().enumerate().find_map(|(at, call)| {
        let field = format!("linux.seccomp.syscalls[{at}]");
        if notify(call.action()) {
            return impossible(format!("{field}.action"), "\"SCMP_ACT_NOTIFY\"", why);
        }
        let mut arguments = call.args().iter().flatten().enumerate();
        let (number, argument) = arguments.find(|(_, one)| one.index() > 5)?;
        let why = "a system call's arguments count from 0 to 5";
        impossible(format!("{field}.args[{number}].index"), argument.index(), why)
    })
}

fn of_resources(inputs: &Inputs, plan: &PodPlan) -> Option<Impossible> {
    if inputs.node.cgroups == CgroupVersion::None {
        return None;
    }
    let all = resources::oci::cgroup(inputs, &plan.cpus, plan.memory_qos, &plan.cgroup.huge_pages);
    of_cpu(&all).or_else(|| of_memory(&all)).or_else(|| of_page_sizes(inputs)).or_else(|| {
        let limit = all.pids().as_ref().map_or(0, |pids| pids.limit());
        if limit > MOST_PIDS {
            return impossible("linux.resources.pids.limit", limit, format!("a kernel has {MOST_PIDS} ids at most"));
        }
        let first = all.hugepage_limits().as_ref()?.first().filter(|_| !inputs.node.limits_huge_pages)?;
        let why = "this box has no cgroups that limit huge pages (hugetlb); take it out";
        impossible("linux.resources.hugepageLimits[0]", format!("{:?}", first.page_size()), why)
    })
}

/// kernel/sched/core.c, tg_set_cfs_bandwidth: a millisecond at least, periods of a second at most.
fn of_cpu(all: &LinuxResources) -> Option<Impossible> {
    let cpu = all.cpu().as_ref()?;
    let field = |name: &str| format!("linux.resources.cpu.{name}");
    let (quota, period) = (cpu.quota().unwrap_or(0), cpu.period().unwrap_or(0));
    let (idle, burst) = (cpu.idle().unwrap_or(0), cpu.burst().unwrap_or(0));
    if (1..1000).contains(&quota) {
        return impossible(field("quota"), quota, "microseconds, 1000 at least, or -1 for no limit");
    }
    if period != 0 && !(1000..=1_000_000).contains(&period) {
        return impossible(field("period"), period, "microseconds, 1000 to 1000000");
    }
    if !(0..=1).contains(&idle) {
        return impossible(field("idle"), idle, "0 or 1");
    }
    if quota > 0 && burst > quota.unsigned_abs() {
        return impossible(field("burst"), burst, format!("no more than the quota, {quota}"));
    }
    None
}

/// memory_cgroup(7)'s files: memory with swap is never less than memory.
fn of_memory(all: &LinuxResources) -> Option<Impossible> {
    let memory = all.memory().as_ref()?;
    let field = |name: &str| format!("linux.resources.memory.{name}");
    let (limit, swap) = (memory.limit().unwrap_or(0), memory.swap().unwrap_or(0));
    for (name, bytes) in [("limit", limit), ("reservation", memory.reservation().unwrap_or(0)), ("swap", swap)] {
        if bytes < -1 {
            return impossible(field(name), bytes, "bytes, or -1 for no limit");
        }
    }
    if swap > 0 && limit <= 0 {
        return impossible(
            field("swap"),
            swap,
            "it is memory and swap together, and needs a limit of memory beside it",
        );
    }
    if swap > 0 && swap < limit {
        return impossible(field("swap"), swap, format!("it is memory and swap together: no less than limit, {limit}"));
    }
    let swappiness = memory.swappiness().unwrap_or(0);
    if swappiness > 100 {
        return impossible(field("swappiness"), swappiness, "0 to 100");
    }
    None
}

/// The bundle's own: the manifest's are sizes that the box has, and take the place of these only.
fn of_page_sizes(inputs: &Inputs) -> Option<Impossible> {
    let limits = inputs.image.base.linux().as_ref()?.resources().as_ref()?.hugepage_limits().as_ref()?;
    let mut sizes = limits.iter().map(LinuxHugepageLimit::page_size).enumerate();
    let (at, size) = sizes.find(|(_, size)| !is_page_size(size))?;
    let field = format!("linux.resources.hugepageLimits[{at}].pageSize");
    impossible(field, format!("{size:?}"), "it is no size of pages; write it as 2MB or 1GB")
}

/// Whether it can be a part of a file's name, as in hugetlb.2MB.max (runtime-spec, config-linux.md, "Huge page limits").
fn is_page_size(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    number.parse::<u64>().is_ok_and(u64::is_power_of_two) && unit.bytes().all(|one| one.is_ascii_alphabetic())
}
