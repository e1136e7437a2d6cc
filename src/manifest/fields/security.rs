//! Fates of the security contexts.

use super::Fate::{Honoured, Partly};
use super::{Fate, Table, refused};

const APPARMOR: Fate = Partly(
    "of profiles that are loaded; RuntimeDefault is cri-containerd.apparmor.d; if the manifest names none, none is used",
);
const SELINUX: Fate = Partly(
    "where the kernel has SELinux and a policy that says how containers are labelled; a box without SELinux puts none on, with a warning",
);
const WINDOWS: Fate = refused("Windows is not supported", "leave it out");

/// See [`super::TABLES`].
pub(super) const TABLES: &[Table] = &[
    (
        "PodSecurityContext",
        &[
            ("appArmorProfile", APPARMOR),
            ("fsGroup", Honoured),
            (
                "fsGroupChangePolicy",
                Partly(
                    "of persistentVolumeClaims; emptyDir volumes get their group when they are made, hostPath volumes never do",
                ),
            ),
            ("runAsGroup", Honoured),
            ("runAsNonRoot", Honoured),
            ("runAsUser", Honoured),
            (
                "seLinuxChangePolicy",
                Partly("all volumes are relabelled, also with MountOption, which none of them can have"),
            ),
            ("seLinuxOptions", SELINUX),
            ("seccompProfile", Honoured),
            ("supplementalGroups", Honoured),
            ("supplementalGroupsPolicy", Honoured),
            (
                "sysctls",
                Partly(
                    "those that the kubelet takes for safe, and namespaced ones that --allowed-unsafe-sysctls names",
                ),
            ),
            ("windowsOptions", WINDOWS),
        ],
    ),
    (
        "SecurityContext",
        &[
            ("allowPrivilegeEscalation", Honoured),
            ("appArmorProfile", APPARMOR),
            ("capabilities", Honoured),
            ("privileged", Honoured),
            ("procMount", Honoured),
            ("readOnlyRootFilesystem", Honoured),
            ("runAsGroup", Honoured),
            ("runAsNonRoot", Honoured),
            ("runAsUser", Honoured),
            ("seLinuxOptions", SELINUX),
            ("seccompProfile", Honoured),
            ("windowsOptions", WINDOWS),
        ],
    ),
    ("AppArmorProfile", &[("localhostProfile", Honoured), ("type", Honoured)]),
    ("Capabilities", &[("add", Honoured), ("drop", Honoured)]),
    ("SELinuxOptions", &[("level", Honoured), ("role", Honoured), ("type", Honoured), ("user", Honoured)]),
    ("SeccompProfile", &[("localhostProfile", Honoured), ("type", Honoured)]),
    ("Sysctl", &[("name", Honoured), ("value", Honoured)]),
];
