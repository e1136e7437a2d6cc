//! Fates of volumes and their mounts.

use super::Fate::{Honoured, Partly};
use super::{Fate, Table, refused};

/// A volume that a cluster's storage serves.
const CLUSTER: Fate =
    refused("volumes of a cluster's storage are not supported", "mount the storage on this box and use hostPath");

/// What to do where a cluster would issue something.
const SECRET: &str = "give it as a Secret with --config and project that";

/// See [`super::TABLES`].
pub(super) const TABLES: &[Table] = &[
    (
        "Volume",
        &[
            ("awsElasticBlockStore", CLUSTER),
            ("azureDisk", CLUSTER),
            ("azureFile", CLUSTER),
            ("cephfs", CLUSTER),
            ("cinder", CLUSTER),
            ("configMap", Honoured),
            ("csi", CLUSTER),
            ("downwardAPI", Honoured),
            ("emptyDir", Honoured),
            ("ephemeral", CLUSTER),
            ("fc", CLUSTER),
            ("flexVolume", CLUSTER),
            ("flocker", CLUSTER),
            ("gcePersistentDisk", CLUSTER),
            ("gitRepo", refused("gitRepo volumes are not supported", "clone in an init container into an emptyDir")),
            ("glusterfs", CLUSTER),
            ("hostPath", Honoured),
            ("image", Honoured),
            ("iscsi", CLUSTER),
            ("name", Honoured),
            ("nfs", CLUSTER),
            ("persistentVolumeClaim", Partly("a folder of this box, named by --volume CLAIM=PATH")),
            ("photonPersistentDisk", CLUSTER),
            ("portworxVolume", CLUSTER),
            ("projected", Honoured),
            ("quobyte", CLUSTER),
            ("rbd", CLUSTER),
            ("scaleIO", CLUSTER),
            ("secret", Honoured),
            ("storageos", CLUSTER),
            ("vsphereVolume", CLUSTER),
        ],
    ),
    ("EmptyDirVolumeSource", &[("medium", Honoured), ("mode", Honoured), ("sizeLimit", Honoured)]),
    (
        "ConfigMapVolumeSource",
        &[
            ("defaultMode", Honoured),
            ("defaultUser", Honoured),
            ("items", Honoured),
            ("name", Honoured),
            ("optional", Honoured),
        ],
    ),
    (
        "SecretVolumeSource",
        &[
            ("defaultMode", Honoured),
            ("defaultUser", Honoured),
            ("items", Honoured),
            ("optional", Honoured),
            ("secretName", Honoured),
        ],
    ),
    ("DownwardAPIVolumeSource", &[("defaultMode", Honoured), ("defaultUser", Honoured), ("items", Honoured)]),
    (
        "DownwardAPIVolumeFile",
        &[
            ("fieldRef", Honoured),
            ("mode", Honoured),
            ("path", Honoured),
            ("resourceFieldRef", Honoured),
            ("user", Honoured),
        ],
    ),
    ("KeyToPath", &[("key", Honoured), ("mode", Honoured), ("path", Honoured), ("user", Honoured)]),
    ("ProjectedVolumeSource", &[("defaultMode", Honoured), ("defaultUser", Honoured), ("sources", Honoured)]),
    (
        "VolumeProjection",
        &[
            ("clusterTrustBundle", refused("there is no API server to publish trust bundles", SECRET)),
            ("configMap", Honoured),
            ("downwardAPI", Honoured),
            ("podCertificate", refused("there is no API server to sign certificates", SECRET)),
            ("secret", Honoured),
            (
                "serviceAccountToken",
                refused(
                    "there is no API server to issue tokens (only the volumes that clusters add to exported pods, \
                     kube-api-access-*, are left out, with a warning)",
                    SECRET,
                ),
            ),
        ],
    ),
    ("ConfigMapProjection", &[("items", Honoured), ("name", Honoured), ("optional", Honoured)]),
    ("SecretProjection", &[("items", Honoured), ("name", Honoured), ("optional", Honoured)]),
    ("DownwardAPIProjection", &[("items", Honoured)]),
    ("PersistentVolumeClaimVolumeSource", &[("claimName", Honoured), ("readOnly", Honoured)]),
    (
        "ImageVolumeSource",
        &[
            ("pullPolicy", Partly("bundles and root file systems are not pulled: for them it changes nothing")),
            ("reference", Honoured),
        ],
    ),
    ("HostPathVolumeSource", &[("path", Honoured), ("type", Honoured)]),
    (
        "VolumeMount",
        &[
            ("bindMountOptions", Honoured),
            ("mountPath", Honoured),
            (
                "mountPropagation",
                Partly("Bidirectional neither with a subPath nor with hostUsers: false, and only as root"),
            ),
            ("name", Honoured),
            ("readOnly", Honoured),
            ("recursiveReadOnly", Partly("honoured from Linux 5.12 on; before, IfPossible fails like Enabled")),
            ("subPath", Honoured),
            ("subPathExpr", Honoured),
        ],
    ),
];
