//! Of the same tests those about indexes and about pods that somebody else deletes (see `job_upstream`).

use barepod_engine::job::{JobSpec, Replacement};

use crate::job_play::{Play, hold, indexed, spec};

/// R11.5. `TestControllerSyncJob`: Indexed Jobs.
#[test]
fn indexed_jobs() {
    hold(&[
        ("indexed job start", indexed(2, 5), "+0#0 +1#1", &[], "2/0/0/0"),
        (
            "indexed job completed",
            indexed(3, 3),
            "+0#0 +1#1 +2#2",
            &[(0, "ok 0", ""), (0, "fail 1", ""), (0, "ok 2", "+3#1"), (11, "ok 3", "")],
            "0/0/3/1 Complete CompletionsReached",
        ),
        (
            "indexed job failed",
            JobSpec { backoff_limit: 0, ..indexed(3, 3) },
            "+0#0 +1#1 +2#2",
            &[(0, "ok 0", ""), (1, "fail 1", "-2"), (2, "fail 2", "")],
            "0/0/1/2 Failed BackoffLimitExceeded",
        ),
        (
            "count terminating pods when indexed job fails",
            JobSpec { backoff_limit: 0, ..indexed(3, 3) },
            "+0#0 +1#1 +2#2",
            &[(0, "ok 0", ""), (1, "fail 1", "-2")],
            "0/1/1/1 FailureTarget BackoffLimitExceeded",
        ),
        (
            "indexed job some failed pods",
            indexed(3, 4),
            "+0#0 +1#1 +2#2",
            &[(0, "fail 0", ""), (0, "fail 2", ""), (20, "tick", "+3#0 +4#2")],
            "3/0/0/2",
        ),
    ]);
    // "indexed job some running and completed pods": the lowest that are free are next.
    let (mut job, _) = Play::new(indexed(10, 20));
    for pod in [2, 4, 5, 7, 8, 9] {
        job.at(1, &format!("ok {pod}"));
    }
    assert_eq!(job.job.status().completed_indexes, "2,4,5,7-9");
    job.goes(&[(2, "parallelism 8", "-15 -14"), (3, "parallelism 10", "+16#14 +17#15")]);
    // "indexed job repeated completed index": of each one success counts.
    let (mut job, _) = Play::new(indexed(2, 3));
    job.goes(&[(1, "leave 1", ""), (11, "tick", "+2#1"), (12, "ok 0", "+3#2"), (12, "ok 1", ""), (13, "ok 2", "")]);
    assert_eq!((job.job.status().completed_indexes.as_str(), job.job.status().succeeded), ("0,1", 2));
}

/// R11.7. `TestControllerSyncJob`: podReplacementPolicy, and pods that are on their way out.
#[test]
fn replacement_of_pods() {
    let replaced = |replacement, base: JobSpec| JobSpec { replacement, ..base };
    hold(&[
        (
            "WQ job: recreate pods when failed",
            replaced(Replacement::Failed, spec(1, None)),
            "+0",
            &[(0, "leave 0", ""), (99, "tick", "")],
            "0/1/0/0",
        ),
        (
            "WQ job: recreate pods when terminating or failed",
            replaced(Replacement::TerminatingOrFailed, spec(1, None)),
            "+0",
            &[(0, "leave 0", ""), (10, "tick", "+1")],
            "1/1/0/1",
        ),
        (
            "WQ job: turn on PodReplacementPolicy but not set PodReplacementPolicy",
            spec(1, Some(1)),
            "+0",
            &[(0, "fail 0", ""), (10, "tick", "+1"), (11, "leave 1", ""), (31, "tick", "+2")],
            "1/1/0/2",
        ),
        (
            "more terminating pods than parallelism",
            replaced(Replacement::Failed, spec(4, Some(9))),
            "+0 +1 +2 +3",
            &[(0, "leave 0", ""), (0, "leave 1", ""), (0, "leave 2", ""), (1, "parallelism 1", "")],
            "1/3/0/0",
        ),
        (
            "indexed job with some pods deleted, podReplacementPolicy Failed",
            replaced(Replacement::Failed, indexed(2, 5)),
            "+0#0 +1#1",
            &[(0, "leave 1", ""), (1, "ok 0", "+2#2"), (2, "tick", "")],
            "1/1/1/0",
        ),
        (
            "indexed job with some pods deleted, podReplacementPolicy TerminatingOrFailed",
            indexed(2, 5),
            "+0#0 +1#1",
            &[(0, "leave 1", ""), (1, "ok 0", "+2#1 +3#2")],
            "2/1/1/1",
        ),
        (
            "too many active pods; PodReplacementPolicy enabled",
            replaced(Replacement::Failed, spec(3, Some(5))),
            "+0 +1 +2",
            &[(1, "parallelism 2", "-2"), (2, "parallelism 3", ""), (3, "fail 2", "+3")],
            "3/0/0/0",
        ),
        (
            "a terminating pod that succeeds has succeeded (TestSyncJobWithJobPodReplacementPolicy)",
            replaced(Replacement::Failed, spec(1, Some(1))),
            "+0",
            &[(0, "leave 0", ""), (1, "ok 0", "")],
            "0/0/1/0 Complete CompletionsReached",
        ),
        (
            "pod is terminating; JobSuccessCriteriaMet, but JobComplete condition is delayed",
            spec(1, Some(1)),
            "+0",
            &[(0, "leave 0", ""), (10, "tick", "+1"), (11, "ok 1", "")],
            "0/1/1/1 SuccessCriteriaMet CompletionsReached",
        ),
        (
            "pod is terminating; JobFailureTarget, but JobFailed condition is delayed",
            JobSpec { backoff_limit: 0, ..spec(1, Some(1)) },
            "+0",
            &[(0, "leave 0", "")],
            "0/1/0/1 FailureTarget BackoffLimitExceeded",
        ),
    ]);
}
