//! Fates of a Job's fields; those of its template are a Pod's.

use super::Fate::{Honoured, Partly, Skipped, Warned};
use super::{Table, refused};

/// See [`super::TABLES`].
pub(super) const TABLES: &[Table] = &[
    (
        "Job",
        &[
            ("apiVersion", Honoured),
            ("kind", Honoured),
            ("metadata", Honoured),
            ("spec", Honoured),
            ("status", Skipped("barepod makes the status itself")),
        ],
    ),
    (
        "JobSpec",
        &[
            ("activeDeadlineSeconds", Honoured),
            ("backoffLimit", Honoured),
            ("backoffLimitPerIndex", Honoured),
            ("completionMode", Honoured),
            ("completions", Honoured),
            (
                "managedBy",
                refused("no other controller would run the Job", "leave it out, and barepod is the Job's controller"),
            ),
            (
                "manualSelector",
                refused("a Job has the pods that it makes, and takes no others", "leave it and spec.selector out"),
            ),
            ("maxFailedIndexes", Honoured),
            ("parallelism", Honoured),
            ("podFailurePolicy", Honoured),
            ("podReplacementPolicy", Honoured),
            ("scheduling", Warned("there is one box and no scheduler")),
            ("selector", Warned("a Job knows the pods that it makes")),
            ("successPolicy", Honoured),
            ("suspend", Honoured),
            ("template", Honoured),
            ("ttlSecondsAfterFinished", Partly("of a Job in the background (run -d); one in the foreground is kept")),
        ],
    ),
    ("PodTemplateSpec", &[("metadata", Honoured), ("spec", Honoured)]),
    ("PodFailurePolicy", &[("rules", Honoured)]),
    ("PodFailurePolicyRule", &[("action", Honoured), ("onExitCodes", Honoured), ("onPodConditions", Honoured)]),
    (
        "PodFailurePolicyOnExitCodesRequirement",
        &[("containerName", Honoured), ("operator", Honoured), ("values", Honoured)],
    ),
    ("PodFailurePolicyOnPodConditionsPattern", &[("status", Honoured), ("type", Honoured)]),
    ("SuccessPolicy", &[("rules", Honoured)]),
    ("SuccessPolicyRule", &[("succeededCount", Honoured), ("succeededIndexes", Honoured)]),
];
