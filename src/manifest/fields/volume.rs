//! Fates of volumes and their mounts.

use super::Fate::{Honoured, Partly};
use super::{Fate, Table, later, refused};

/// A volume that a cluster's storage serves.
const CLUSTER: Fate =
    refused("volumes of a cluster's storage are not supported", "mount the storage on this box and use hostPath");

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
            ("configMap", later("configMap volumes are not supported yet")),
            ("csi", CLUSTER),
            ("downwardAPI", later("downwardAPI volumes are not supported yet")),
            ("emptyDir", Honoured),
            ("ephemeral", CLUSTER),
            ("fc", CLUSTER),
            ("flexVolume", CLUSTER),
            ("flocker", CLUSTER),
            ("gcePersistentDisk", CLUSTER),
            ("gitRepo", refused("gitRepo volumes are not supported", "clone in an init container into an emptyDir")),
            ("glusterfs", CLUSTER),
            ("hostPath", Honoured),
            ("image", later("image volumes are not supported yet")),
            ("iscsi", CLUSTER),
            ("name", Honoured),
            ("nfs", CLUSTER),
            ("persistentVolumeClaim", later("persistentVolumeClaim volumes are not supported yet")),
            ("photonPersistentDisk", CLUSTER),
            ("portworxVolume", CLUSTER),
            ("projected", later("projected volumes are not supported yet")),
            ("quobyte", CLUSTER),
            ("rbd", CLUSTER),
            ("scaleIO", CLUSTER),
            ("secret", later("secret volumes are not supported yet")),
            ("storageos", CLUSTER),
            ("vsphereVolume", CLUSTER),
        ],
    ),
    (
        "EmptyDirVolumeSource",
        &[
            ("medium", Partly("the default and Memory; HugePages are not supported yet")),
            ("mode", later("a mode of an emptyDir is not supported yet: it is 0777")),
            (
                "sizeLimit",
                Partly("the size of the tmpfs under medium Memory; on disk nothing enforces it, with a warning"),
            ),
        ],
    ),
    ("HostPathVolumeSource", &[("path", Honoured), ("type", Honoured)]),
    (
        "VolumeMount",
        &[
            ("bindMountOptions", later("options of bind mounts are not supported yet")),
            ("mountPath", Honoured),
            ("mountPropagation", Partly("None and HostToContainer; Bidirectional is not supported yet")),
            ("name", Honoured),
            ("readOnly", Honoured),
            ("recursiveReadOnly", Partly("Disabled is honoured; IfPossible and Enabled are not supported yet")),
            ("subPath", Honoured),
            ("subPathExpr", Honoured),
        ],
    ),
];
