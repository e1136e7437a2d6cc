//! Fates of the object itself and its metadata.

use super::Fate::{Honoured, Skipped, Warned};
use super::Table;

/// See [`super::TABLES`].
pub(super) const TABLES: &[Table] = &[
    (
        "Pod",
        &[
            ("apiVersion", Honoured),
            ("kind", Honoured),
            ("metadata", Honoured),
            ("spec", Honoured),
            ("status", Skipped("barepod writes the status of what it runs")),
        ],
    ),
    (
        "ObjectMeta",
        &[
            ("annotations", Honoured),
            ("creationTimestamp", Warned("barepod notes when it made the pod")),
            ("deletionGracePeriodSeconds", Warned("barepod stop --grace-period sets it")),
            ("deletionTimestamp", Warned("barepod stop sets it")),
            ("finalizers", Warned("there are no controllers that could take them away")),
            ("generateName", Honoured),
            ("generation", Warned("a manifest here has no history")),
            ("labels", Honoured),
            ("managedFields", Skipped("a manifest here has one owner")),
            ("name", Honoured),
            ("namespace", Honoured),
            ("ownerReferences", Warned("there are no other objects")),
            ("resourceVersion", Warned("a manifest here has no history")),
            ("selfLink", Warned("there is no API server")),
            ("uid", Honoured),
        ],
    ),
];
