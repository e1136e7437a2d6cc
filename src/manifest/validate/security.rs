//! Rules for security contexts (R1.10).

use std::collections::HashSet;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::super::apparmor;
use super::super::diagnostic::Diagnostic;
use super::super::path::FieldPath;
use super::super::words::nearest;
use super::check::{Check, each};
use super::names;
use super::surroundings::Surroundings;

/// Users and groups of a container.
const MOST_ID: i64 = i32::MAX as i64;

/// Linux' capabilities (capabilities(7), kernel 6.18), without `CAP_`.
const CAPABILITIES: &[&str] = &[
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// Checks the pod's security context.
pub(super) fn of_pod(spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    let Some(context) = &spec.security_context else {
        return;
    };
    let path = path.child("securityContext");
    for (field, id) in
        [("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group), ("fsGroup", context.fs_group)]
    {
        self::id(id, &path.child(field), check);
    }
    for (path, group) in each(context.supplemental_groups.as_ref(), &path.child("supplementalGroups")) {
        id(Some(*group), &path, check);
    }
    let policies = ["Merge", "Strict"];
    check.one_of(&path.child("supplementalGroupsPolicy"), context.supplemental_groups_policy.as_ref(), &policies);
    let policies = ["Always", "OnRootMismatch"];
    check.one_of(&path.child("fsGroupChangePolicy"), context.fs_group_change_policy.as_ref(), &policies);
    let policies = ["MountOption", "Recursive"];
    check.one_of(&path.child("seLinuxChangePolicy"), context.se_linux_change_policy.as_ref(), &policies);
    profiles(context.seccomp_profile.as_ref(), context.app_armor_profile.as_ref(), &path, check);
    sysctls(context, spec, &path.child("sysctls"), check);
}

/// Checks a container's security context.
pub(super) fn of_container(container: &v1::Container, pod: &Surroundings<'_>, path: &FieldPath, check: &mut Check<'_>) {
    let Some(context) = &container.security_context else {
        return;
    };
    let path = path.child("securityContext");
    for (field, id) in [("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)] {
        self::id(id, &path.child(field), check);
    }
    profiles(context.seccomp_profile.as_ref(), context.app_armor_profile.as_ref(), &path, check);
    check.one_of(&path.child("procMount"), context.proc_mount.as_ref(), &["Default", "Unmasked"]);
    if context.proc_mount.as_deref() == Some("Unmasked") && pod.spec.host_users != Some(false) {
        let detail = "`hostUsers` must be false to use `Unmasked`";
        check.report(Diagnostic::invalid(&path.child("procMount"), "Unmasked", detail));
    }
    capabilities(context, &path.child("capabilities"), check);
    escalation(context, &path.child("allowPrivilegeEscalation"), check);
}

fn id(id: Option<i64>, field: &FieldPath, check: &mut Check<'_>) {
    if let Some(id) = id.filter(|id| !(0..=MOST_ID).contains(id)) {
        let detail = format!("must be between 0 and {MOST_ID}, inclusive");
        check.report(Diagnostic::invalid(field, id, detail));
    }
}

/// The profiles of a security context.
fn profiles(
    seccomp: Option<&v1::SeccompProfile>,
    apparmor: Option<&v1::AppArmorProfile>,
    path: &FieldPath,
    check: &mut Check<'_>,
) {
    if let Some(one) = seccomp {
        let path = path.child("seccompProfile");
        profile("seccomp", &one.type_, one.localhost_profile.as_deref(), &path, check);
    }
    if let Some(one) = apparmor {
        let path = path.child("appArmorProfile");
        profile("AppArmor", &one.type_, one.localhost_profile.as_deref(), &path, check);
    }
}

/// A seccomp or AppArmor profile.
fn profile(kind: &str, given: &str, localhost: Option<&str>, path: &FieldPath, check: &mut Check<'_>) {
    let field = path.child("type");
    let types = ["Localhost", "RuntimeDefault", "Unconfined"];
    if given.is_empty() {
        check.report(Diagnostic::required(&field, &format!("type is required when {kind}Profile is set")));
    } else if !types.contains(&given) {
        check.report(Diagnostic::unsupported(&field, given, &types));
    }
    let field = path.child("localhostProfile");
    match (given, localhost) {
        ("Localhost", None | Some("")) => {
            check.report(Diagnostic::required(&field, &format!("must be set when {kind} type is Localhost")));
        }
        ("Localhost", Some(file)) => check.invalid(&field, file, &names::local_path(file)),
        (_, Some(file)) => {
            let detail = format!("can only be set when {kind} type is Localhost");
            check.report(Diagnostic::invalid(&field, file, detail));
        }
        (_, None) => {}
    }
}

/// AppArmor's annotations: of containers that there are, with values that mean something (ValidateAppArmorPodAnnotations).
pub(super) fn apparmor_annotations(meta: &ObjectMeta, spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    for (key, value) in meta.annotations.iter().flatten() {
        let Some(name) = key.strip_prefix(apparmor::PREFIX) else { continue };
        let path = path.key(key);
        let mut all = spec.init_containers.iter().flatten().chain(&spec.containers);
        let Some(container) = all.find(|container| container.name == name) else {
            check.report(Diagnostic::invalid(&path, name, "container not found"));
            continue;
        };
        let said = apparmor::profile(value);
        if said.is_none() && !value.is_empty() {
            let diagnostic = Diagnostic::invalid(&path, value, "invalid AppArmor profile name");
            check.report(diagnostic.help("there are runtime/default, unconfined and localhost/NAME"));
        }
        let own = container.security_context.as_ref().and_then(|context| context.app_armor_profile.as_ref());
        if said.is_some() && own.is_some() && own != said.as_ref() {
            let text = "has no effect: the container's securityContext.appArmorProfile says something else";
            check.report(Diagnostic::warning(&path, text));
        }
    }
}

/// A capability's name as the kernel has it, without `CAP_`: containerd takes them in any case.
fn bare(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    upper.strip_prefix("CAP_").map_or(upper.clone(), str::to_owned)
}

/// Capabilities go by their names without or with `CAP_`; `ALL` is all of them.
fn capabilities(context: &v1::SecurityContext, path: &FieldPath, check: &mut Check<'_>) {
    let Some(given) = &context.capabilities else {
        return;
    };
    for (list, field) in [(&given.add, "add"), (&given.drop, "drop")] {
        for (path, name) in each(list.as_ref(), &path.child(field)) {
            let bare = bare(name);
            // `CAP_ALL` is none.
            if !name.eq_ignore_ascii_case("ALL") && !CAPABILITIES.contains(&bare.as_str()) {
                let diagnostic = Diagnostic::invalid(&path, name, "is not a capability of Linux");
                check.report(match nearest(&bare, CAPABILITIES) {
                    Some(near) => diagnostic.help(format!("did you mean {near}?")),
                    None => diagnostic.help("capabilities(7) lists them; here they go without CAP_, such as NET_ADMIN"),
                });
            }
        }
    }
}

/// allowPrivilegeEscalation: false against what grants everything anyway.
fn escalation(context: &v1::SecurityContext, field: &FieldPath, check: &mut Check<'_>) {
    if context.allow_privilege_escalation != Some(false) {
        return;
    }
    if context.privileged == Some(true) {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        check.report(Diagnostic::invalid(field, false, detail));
    }
    let added = context.capabilities.as_ref().and_then(|capabilities| capabilities.add.as_ref());
    if added.is_some_and(|added| added.iter().any(|name| bare(name) == "SYS_ADMIN")) {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        check.report(Diagnostic::invalid(field, false, detail));
    }
}

/// Kernel parameters: well named, each once, and in a namespace that is the pod's own.
fn sysctls(context: &v1::PodSecurityContext, spec: &v1::PodSpec, path: &FieldPath, check: &mut Check<'_>) {
    let mut seen = HashSet::new();
    for (path, sysctl) in each(context.sysctls.as_ref(), path) {
        let field = path.child("name");
        if sysctl.name.is_empty() {
            check.report(Diagnostic::required(&field, ""));
            continue;
        }
        check.invalid(&field, &sysctl.name, &names::sysctl(&sysctl.name));
        let name = dotted(&sysctl.name);
        for (host, set, prefixes) in [
            ("hostNetwork", spec.host_network, &["net."][..]),
            ("hostIPC", spec.host_ipc, &["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."][..]),
        ] {
            if set == Some(true) && prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                let detail = format!("may not be specified when '{host}' is true");
                check.report(Diagnostic::invalid(&field, &sysctl.name, detail));
            }
        }
        if seen.contains(&name) {
            check.report(Diagnostic::duplicate(&field, &sysctl.name));
        }
        seen.insert(name);
    }
}

/// A sysctl's name with dots between its parts: where slashes come first, dots are part of the parts.
pub(super) fn dotted(name: &str) -> String {
    match name.find(['.', '/']).map(|at| name.as_bytes()[at]) {
        Some(b'/') => name
            .chars()
            .map(|c| {
                if c == '/' {
                    '.'
                } else if c == '.' {
                    '/'
                } else {
                    c
                }
            })
            .collect(),
        _ => name.to_owned(),
    }
}
