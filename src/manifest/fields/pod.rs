//! Fates of the pod's own fields.

use super::Fate::{Honoured, Partly, Warned};
use super::{Table, refused};

/// See [`super::TABLES`].
pub(super) const TABLES: &[Table] = &[
    (
        "PodSpec",
        &[
            ("activeDeadlineSeconds", Honoured),
            ("affinity", Warned("there is one box and no scheduler")),
            ("automountServiceAccountToken", Warned("there is no API server to have an account with")),
            ("containers", Honoured),
            ("dnsConfig", Honoured),
            (
                "dnsPolicy",
                Partly(
                    "Default and None are honoured; ClusterFirst and ClusterFirstWithHostNet mean Default here, \
                     with a warning where they are written out",
                ),
            ),
            ("enableServiceLinks", Partly("there are no services, so both values give what false gives")),
            ("ephemeralContainers", refused("cannot be set on create", "`barepod debug` adds one to a pod that runs")),
            ("evictionResponders", Warned("there is no eviction API")),
            ("hostAliases", Honoured),
            ("hostIPC", Honoured),
            ("hostNetwork", Honoured),
            ("hostPID", Partly("only as root (docs/rootless.md)")),
            ("hostUsers", Honoured),
            ("hostname", Honoured),
            ("hostnameOverride", Honoured),
            ("imagePullSecrets", Honoured),
            ("initContainers", Honoured),
            ("nodeName", Warned("the pod runs on this box, whatever its name")),
            ("nodeSelector", Warned("there is one box and no scheduler")),
            ("os", Partly("linux; windows is refused")),
            ("overhead", Honoured),
            ("preemptionPolicy", Warned("there is one box and no scheduler")),
            ("priority", Warned("there is one box and no scheduler")),
            ("priorityClassName", Warned("there is one box and no scheduler")),
            ("readinessGates", Honoured),
            (
                "resourceClaims",
                refused("dynamic resource allocation is not supported", "leave it out; there are no resource drivers"),
            ),
            ("resources", Partly("cpu, memory and hugepages-SIZE; see ResourceRequirements")),
            ("restartPolicy", Honoured),
            (
                "runtimeClassName",
                refused(
                    "runtime classes are not supported: the pod would run with less isolation than it asks for",
                    "leave it out to run with Linux namespaces and cgroups",
                ),
            ),
            ("schedulerName", Warned("there is one box and no scheduler")),
            ("schedulingGates", refused("nothing would ever open the gates", "leave them out once the pod is to run")),
            ("schedulingGroup", Warned("there is one box and no scheduler")),
            ("securityContext", Honoured),
            ("serviceAccount", Warned("there is no API server to have an account with")),
            ("serviceAccountName", Warned("there is no API server to have an account with; fieldRef can read it")),
            ("setHostnameAsFQDN", Honoured),
            ("shareProcessNamespace", Honoured),
            ("subdomain", Honoured),
            ("terminationGracePeriodSeconds", Honoured),
            ("tolerations", Warned("there is one box and no scheduler")),
            ("topologySpreadConstraints", Warned("there is one box and no scheduler")),
            ("volumes", Honoured),
        ],
    ),
    ("HostAlias", &[("hostnames", Honoured), ("ip", Honoured)]),
    ("LocalObjectReference", &[("name", Honoured)]),
    ("PodDNSConfig", &[("nameservers", Honoured), ("options", Honoured), ("searches", Honoured)]),
    ("PodDNSConfigOption", &[("name", Honoured), ("value", Honoured)]),
    ("PodOS", &[("name", Honoured)]),
    ("PodReadinessGate", &[("conditionType", Honoured)]),
    (
        "ResourceRequirements",
        &[
            (
                "claims",
                refused("dynamic resource allocation is not supported", "leave it out; there are no resource drivers"),
            ),
            (
                "limits",
                Partly(
                    "cpu, memory, hugepages-SIZE, ephemeral-storage (of containers); of extended resources the box has none: a warning",
                ),
            ),
            (
                "requests",
                Partly(
                    "cpu, memory, hugepages-SIZE, ephemeral-storage (of containers); of extended resources the box has none: a warning",
                ),
            ),
        ],
    ),
];
