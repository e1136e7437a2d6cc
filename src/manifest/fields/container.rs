//! Fates of a container's fields, of init containers, sidecars and mains alike.

use super::Fate::{Honoured, Partly};
use super::{Table, later};

/// See [`super::TABLES`].
pub(super) const TABLES: &[Table] = &[
    (
        "Container",
        &[
            ("args", Honoured),
            ("command", Honoured),
            ("env", Honoured),
            ("envFrom", Honoured),
            (
                "image",
                Partly(
                    "names of images in registries, docker://, oci:, oci-archive:, docker-archive:, bundle: and rootfs:; the last two must be there when the pod starts unless they are in a hostPath or claim of the pod (docs/images.md)",
                ),
            ),
            (
                "imagePullPolicy",
                Partly("bundles and root file systems are not pulled; of images in files the default is Always"),
            ),
            ("lifecycle", Honoured),
            ("livenessProbe", Honoured),
            ("name", Honoured),
            ("ports", Partly("checked; a port's name can be used by probes, nothing is opened or forwarded by it")),
            ("readinessProbe", Honoured),
            ("resizePolicy", Honoured),
            ("resources", Honoured),
            ("restartPolicy", Honoured),
            ("restartPolicyRules", Honoured),
            ("securityContext", Honoured),
            ("startupProbe", Honoured),
            ("stdin", Honoured),
            ("stdinOnce", Honoured),
            ("terminationMessagePath", Honoured),
            ("terminationMessagePolicy", Honoured),
            ("tty", Honoured),
            ("volumeDevices", later("block devices as volumes are not supported yet")),
            ("volumeMounts", Honoured),
            ("workingDir", Honoured),
        ],
    ),
    (
        "ContainerPort",
        &[
            ("containerPort", Honoured),
            ("hostIP", later("forwarding ports of the host is not supported yet")),
            ("hostPort", Partly("equal to containerPort under hostNetwork; forwarding ports is not supported yet")),
            ("name", Honoured),
            ("protocol", Honoured),
        ],
    ),
    ("ContainerResizePolicy", &[("resourceName", Honoured), ("restartPolicy", Honoured)]),
    ("ContainerRestartRule", &[("action", Honoured), ("exitCodes", Honoured)]),
    ("ContainerRestartRuleOnExitCodes", &[("operator", Honoured), ("values", Honoured)]),
    ("EnvVar", &[("name", Honoured), ("value", Honoured), ("valueFrom", Honoured)]),
    (
        "EnvVarSource",
        &[
            ("configMapKeyRef", Honoured),
            ("fieldRef", Honoured),
            ("fileKeyRef", Honoured),
            ("resourceFieldRef", Honoured),
            ("secretKeyRef", Honoured),
        ],
    ),
    ("ConfigMapKeySelector", &[("key", Honoured), ("name", Honoured), ("optional", Honoured)]),
    ("FileKeySelector", &[("key", Honoured), ("optional", Honoured), ("path", Honoured), ("volumeName", Honoured)]),
    ("SecretKeySelector", &[("key", Honoured), ("name", Honoured), ("optional", Honoured)]),
    ("EnvFromSource", &[("configMapRef", Honoured), ("prefix", Honoured), ("secretRef", Honoured)]),
    ("ConfigMapEnvSource", &[("name", Honoured), ("optional", Honoured)]),
    ("SecretEnvSource", &[("name", Honoured), ("optional", Honoured)]),
    ("ObjectFieldSelector", &[("apiVersion", Honoured), ("fieldPath", Honoured)]),
    ("ResourceFieldSelector", &[("containerName", Honoured), ("divisor", Honoured), ("resource", Honoured)]),
];
