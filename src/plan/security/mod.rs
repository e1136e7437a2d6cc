//! Who a container runs as and what it may do: users and groups, capabilities, privileges, paths and devices kept from
//! it. The defaults are containerd's and the kubelet's.
pub(crate) mod apparmor;
pub(crate) mod devices;
pub(crate) mod rootless;
pub(crate) mod seccomp;
pub(crate) mod selinux;

use std::collections::BTreeSet;
use std::str::FromStr;

use k8s_openapi::api::core::v1;
use oci_spec::runtime::{
    Capabilities, Capability, LinuxCapabilities, LinuxCapabilitiesBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder,
    LinuxDeviceType, User, UserBuilder,
};

use crate::plan::container::Ask;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::types::{IdRange, Scope, Supplementary};

/// Whose security context says something.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Container,
    Pod,
}

impl Place {
    /// The path of a field of that context; `container` is the container's.
    pub(crate) fn field(self, container: &str, name: &str) -> String {
        let of = match self {
            Self::Container => container,
            Self::Pod => "spec",
        };
        format!("{of}.securityContext.{name}")
    }
}

/// What the container's own context says of something, else the pod's.
pub(crate) fn asked<'a, T>(
    spec: &'a v1::PodSpec,
    container: &'a v1::Container,
    own: impl Fn(&'a v1::SecurityContext) -> Option<&'a T>,
    pods: impl Fn(&'a v1::PodSecurityContext) -> Option<&'a T>,
) -> Option<(Place, &'a T)> {
    let of_container = container.security_context.as_ref().and_then(own).map(|said| (Place::Container, said));
    of_container.or_else(|| spec.security_context.as_ref().and_then(pods).map(|said| (Place::Pod, said)))
}

/// containerd's default set: mask 00000000a80425fb.
const CAPABILITIES: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
];

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

/// Who a container runs as.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: User,
    /// Its home directory in the image, else `/`.
    pub(crate) home: String,
}

/// A user or group id as Kubernetes takes it.
pub(crate) fn id(number: i64) -> Option<u32> {
    i32::try_from(number).ok().and_then(|number| u32::try_from(number).ok())
}

/// A line of /etc/passwd: name, uid, gid, home.
struct Account<'a> {
    name: &'a str,
    gid: u32,
    home: &'a str,
}

/// The first account of this uid (passwd(5)). Lines that make no sense are skipped: they are the image's.
fn account(passwd: &str, uid: u32) -> Option<Account<'_>> {
    passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, number, gid, _, home, ..] = fields[..] else { return None };
        (number.parse() == Ok(uid)).then_some(())?;
        Some(Account { name, gid: gid.parse().ok()?, home })
    })
}

/// Groups of group(5) that name the user as a member.
fn memberships(group: &str, user: &str) -> Vec<u32> {
    let of = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let [_, _, gid, members, ..] = fields[..] else { return None };
        members.split(',').any(|member| member.trim() == user).then(|| gid.parse().ok()).flatten()
    };
    group.lines().filter_map(of).collect()
}

/// Users and groups: the container's, else the pod's, else the bundle's, else root.
pub(crate) fn identity(ask: &Ask) -> Result<Identity, ConfigError> {
    let (own, pod) = (ask.context(), ask.pod_context());
    let number = |field: &str, value: i64| {
        id(value).ok_or_else(|| ask.config(format!("securityContext.{field}"), ConfigCause::Id { value }))
    };
    let base = ask.image.base.process().as_ref().map(|process| process.user().clone()).unwrap_or_default();
    let asked = own.run_as_user.or(pod.run_as_user).map(|value| number("runAsUser", value)).transpose()?;
    let uid = asked.unwrap_or(base.uid());
    run_as_non_root(ask, asked, uid)?;
    let account = account(&ask.image.passwd, uid);
    let group = own.run_as_group.or(pod.run_as_group).map(|value| number("runAsGroup", value)).transpose()?;
    let gid = match (group, asked) {
        (Some(group), _) => group,
        // A user of the manifest's brings its primary group from the image; the bundle's group was for the bundle's user.
        (None, Some(_)) => account.as_ref().map_or(0, |account| account.gid),
        (None, None) => base.gid(),
    };
    // The primary group comes first, as in containerd. It also keeps the list from being empty, which libcontainer would
    // take for "leave the caller's groups as they are".
    let mut groups = vec![gid];
    let strict = pod.supplemental_groups_policy.as_deref() == Some("Strict");
    if !strict {
        if asked.is_none() {
            groups.extend(base.additional_gids().iter().flatten());
        }
        if let Some(account) = &account {
            groups.extend(memberships(&ask.image.group, account.name));
        }
    }
    for value in pod.supplemental_groups.iter().flatten() {
        groups.push(number("supplementalGroups", *value)?);
    }
    if let Some(value) = pod.fs_group {
        groups.push(number("fsGroup", value)?);
    }
    let mut seen = BTreeSet::new();
    groups.retain(|group| seen.insert(*group));
    if ask.plan.sandbox.user == Scope::Pod
        && let Some(id) = [uid].iter().chain(&groups).find(|id| **id >= IdRange::LENGTH)
    {
        return Err(ask.config("securityContext", ConfigCause::Unmapped { id: *id }));
    }
    if let Some(ids) = &ask.node.users {
        let groups = if ids.supplementary == Supplementary::Kept { &groups[..1] } else { &groups[..] };
        let missing = groups.iter().find(|id| !ids.has_group(**id)).copied();
        if let Some(id) = Some(uid).filter(|id| !ids.has_user(*id)).or(missing) {
            return Err(ask.config("securityContext", ConfigCause::NotMapped { id }));
        }
    }
    let groups = rootless::groups(ask.node, groups);
    let mut user = UserBuilder::default().uid(uid).gid(gid).additional_gids(groups);
    if let Some(umask) = base.umask() {
        user = user.umask(umask);
    }
    let home = account.map(|account| account.home).filter(|home| !home.is_empty()).unwrap_or("/").to_owned();
    Ok(Identity { user: user.build().expect("a user has no field that must be given"), home })
}

/// The kubelet's verifyRunAsNonRoot.
fn run_as_non_root(ask: &Ask, asked: Option<u32>, uid: u32) -> Result<(), ConfigError> {
    let wanted = ask.context().run_as_non_root.or(ask.pod_context().run_as_non_root);
    if wanted != Some(true) || uid != 0 {
        return Ok(());
    }
    let life = &ask.plan.lifecycle;
    let pod = format!("{}_{}({})", life.name, life.namespace, life.uid);
    let container = ask.container.name.clone();
    let cause = match asked {
        Some(_) => ConfigCause::RootUser { pod, container },
        None => ConfigCause::RootImage { pod, container },
    };
    Err(ask.config("securityContext.runAsNonRoot", cause))
}

/// The capability sets: the bundle's own where the manifest adds and drops nothing; else its bounding set, or the
/// default, with what is added and dropped. Inheritable and ambient are empty, and said to be: left out they would be
/// the caller's.
pub(crate) fn capabilities(ask: &Ask) -> Result<LinuxCapabilities, ConfigError> {
    let bundle = ask.image.base.process().as_ref().and_then(|process| process.capabilities().clone());
    let asked = ask.context().capabilities.unwrap_or_default();
    let (add, drop) = (asked.add.unwrap_or_default(), asked.drop.unwrap_or_default());
    let mine: Capabilities =
        ask.node.capabilities.iter().filter_map(|name| Capability::from_str(name.strip_prefix("CAP_")?).ok()).collect();
    if ask.privileged() {
        return Ok(sets(mine));
    }
    if add.is_empty()
        && drop.is_empty()
        && let Some(bundle) = bundle
    {
        let kept = |set: &Option<Capabilities>| set.clone().unwrap_or_default();
        return Ok(LinuxCapabilitiesBuilder::default()
            .bounding(kept(bundle.bounding()))
            .effective(kept(bundle.effective()))
            .permitted(kept(bundle.permitted()))
            .inheritable(kept(bundle.inheritable()))
            .ambient(kept(bundle.ambient()))
            .build()
            .expect("capability sets have no field that must be given"));
    }
    let mut set: Capabilities = match bundle {
        Some(bundle) => bundle.bounding().clone().unwrap_or_default(),
        // What this process doesn't have it can't give; nobody asked for these by name.
        None => CAPABILITIES.into_iter().filter(|one| mine.contains(one)).collect(),
    };
    // `ALL` first, then names, additions before drops, as containerd has it.
    let all = |list: &[String]| list.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    if all(&add) {
        set.clone_from(&mine);
    }
    if all(&drop) {
        set.clear();
    }
    let named = |list: &[String], field: &str| -> Result<Vec<Capability>, ConfigError> {
        let names = list.iter().filter(|name| !name.eq_ignore_ascii_case("ALL"));
        names
            .map(|name| {
                capability(name).ok_or_else(|| {
                    let cause = ConfigCause::Capability { name: name.clone() };
                    ask.config(format!("securityContext.capabilities.{field}"), cause)
                })
            })
            .collect()
    };
    for one in named(&add, "add")? {
        if !mine.contains(&one) {
            let cause = ConfigCause::CapabilityNotHeld { name: format!("CAP_{one}") };
            return Err(ask.config("securityContext.capabilities.add", cause));
        }
        set.insert(one);
    }
    for one in named(&drop, "drop")? {
        set.remove(&one);
    }
    Ok(sets(set))
}

/// `NET_ADMIN` or `CAP_NET_ADMIN`.
fn capability(name: &str) -> Option<Capability> {
    let upper = name.to_ascii_uppercase();
    Capability::from_str(upper.strip_prefix("CAP_").unwrap_or(&upper)).ok()
}

fn sets(set: Capabilities) -> LinuxCapabilities {
    LinuxCapabilitiesBuilder::default()
        .bounding(set.clone())
        .effective(set.clone())
        .permitted(set)
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()
        .expect("capability sets have no field that must be given")
}

/// Whether no_new_privs is to be set. Never `Some(false)`: with seccomp and no CAP_SYS_ADMIN libcontainer would fail.
pub(crate) fn no_new_privileges(ask: &Ask) -> Option<bool> {
    let bundle = ask.image.base.process().as_ref().and_then(|process| process.no_new_privileges());
    let wanted = match ask.context().allow_privilege_escalation {
        _ if ask.privileged() => false,
        Some(allowed) => !allowed,
        None => bundle == Some(true),
    };
    wanted.then_some(true)
}

/// `procMount: Unmasked`, for containers that make containers (KEP-4265). The API has it in a user namespace only.
fn unmasked(ask: &Ask) -> bool {
    let apart = ask.plan.sandbox.user == Scope::Pod || (ask.node.users.is_some() && ask.spec.host_users == Some(false));
    ask.context().proc_mount.as_deref() == Some("Unmasked") && apart
}

/// Paths that are hidden. A privileged container sees all.
pub(crate) fn masked_paths(ask: &Ask) -> Vec<String> {
    if ask.privileged() || unmasked(ask) {
        return Vec::new();
    }
    let bundle = ask.image.base.linux().as_ref().and_then(|linux| linux.masked_paths().clone());
    bundle.unwrap_or_else(|| MASKED.map(str::to_owned).to_vec())
}

/// Paths that are read-only. A privileged container writes to all.
pub(crate) fn read_only_paths(ask: &Ask) -> Vec<String> {
    if ask.privileged() || unmasked(ask) {
        return Vec::new();
    }
    let bundle = ask.image.base.linux().as_ref().and_then(|linux| linux.readonly_paths().clone());
    bundle.unwrap_or_else(|| READ_ONLY.map(str::to_owned).to_vec())
}

/// Rules of the device cgroup: nothing, then what containerd allows everywhere; then what the bundle asks for.
/// The runtime adds the devices that every container has.
pub(crate) fn device_rules(ask: &Ask) -> Vec<LinuxDeviceCgroup> {
    let rule = |allow: bool, typ: Option<LinuxDeviceType>, numbers: (Option<i64>, Option<i64>), access: &str| {
        let mut rule = LinuxDeviceCgroupBuilder::default().allow(allow).access(access);
        if let Some(typ) = typ {
            rule = rule.typ(typ);
        }
        if let Some(major) = numbers.0 {
            rule = rule.major(major);
        }
        if let Some(minor) = numbers.1 {
            rule = rule.minor(minor);
        }
        rule.build().expect("a device rule has no field that must be given")
    };
    if ask.privileged() {
        return vec![rule(true, None, (None, None), "rwm")];
    }
    let mut rules = vec![rule(false, None, (None, None), "rwm")];
    let linux = ask.image.base.linux().as_ref();
    // The bundle's own list starts with a deny, too; an allow-all in it is the bundle author's wish.
    rules.extend(
        linux
            .and_then(|linux| linux.resources().as_ref())
            .iter()
            .flat_map(|all| all.devices().iter().flatten())
            .cloned(),
    );
    rules.extend(linux.iter().flat_map(|linux| linux.devices().iter().flatten()).map(LinuxDeviceCgroup::from));
    rules
}
