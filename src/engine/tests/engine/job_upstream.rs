//! Kubernetes' own table of tests (pkg/controller/job/job_controller_test.go), restated for one box: how many pods a Job has and when it
//! ends. Names are upstream's. Left out is what only a cluster has: expectations and finalizers, errors of the API server, pods that
//! a Job adopts or that nobody made with an index, feature gates.

use std::time::Duration;

use barepod_engine::job::{JobSpec, Restarts, Suspension};

use crate::job_play::{Case, Play, hold, indexed, spec};

/// R11.1, R11.14. `TestControllerSyncJob`.
#[test]
fn sync_job() {
    let cases: &[Case<'_>] = &[
        ("job start", spec(2, Some(5)), "+0 +1", &[], "2/0/0/0"),
        ("WQ job start", spec(2, None), "+0 +1", &[], "2/0/0/0"),
        ("pending pods", spec(2, Some(5)), "+0 +1", &[(1, "tick", "")], "2/0/0/0"),
        (
            "correct # of pods",
            spec(3, Some(5)),
            "+0 +1 +2",
            &[(1, "made 0", ""), (1, "ready 0", ""), (1, "made 1", ""), (1, "ready 1", ""), (1, "made 2", "")],
            "3/0/0/0",
        ),
        ("too few active pods", spec(2, Some(5)), "+0 +1", &[(1, "ok 0", "+2")], "2/0/1/0"),
        ("too few active pods with a dynamic job", spec(1, None), "+0", &[(1, "parallelism 2", "+1")], "2/0/0/0"),
        (
            "too few active pods and active back-off",
            spec(1, Some(1)),
            "+0",
            &[(5, "fail 0", ""), (14, "tick", "")],
            "0/0/0/1",
        ),
        (
            "too few active pods and no back-offs",
            spec(1, Some(1)),
            "+0",
            &[(5, "fail 0", ""), (15, "tick", "+1")],
            "1/0/0/1",
        ),
        ("too many active pods", spec(3, Some(5)), "+0 +1 +2", &[(1, "parallelism 2", "-2")], "2/1/0/0"),
        (
            "failed + succeed pods: reset backoff delay",
            spec(3, Some(5)),
            "+0 +1 +2",
            &[(1, "fail 0", ""), (1, "ok 1", "+3 +4")],
            "3/0/1/1",
        ),
        ("new failed pod", spec(2, Some(5)), "+0 +1", &[(1, "fail 0", ""), (11, "tick", "+2")], "2/0/0/1"),
        (
            "job finish",
            spec(2, Some(5)),
            "+0 +1",
            &[(1, "ok 0", "+2"), (1, "ok 1", "+3"), (1, "ok 2", "+4"), (1, "ok 3", ""), (1, "ok 4", "")],
            "0/0/5/0 Complete CompletionsReached",
        ),
        ("WQ job finishing", spec(2, None), "+0 +1", &[(1, "ok 0", "")], "1/0/1/0"),
        (
            "WQ job all finished",
            spec(2, None),
            "+0 +1",
            &[(1, "ok 0", ""), (1, "ok 1", "")],
            "0/0/2/0 Complete CompletionsReached",
        ),
        (
            "WQ job all finished despite one failure",
            spec(2, None),
            "+0 +1",
            &[(1, "ok 0", ""), (1, "fail 1", "")],
            "0/0/1/1 Complete CompletionsReached",
        ),
        (
            "more active pods than parallelism",
            spec(10, Some(50)),
            "+0 +1 +2 +3 +4 +5 +6 +7 +8 +9",
            &[(1, "parallelism 2", "-9 -8 -7 -6 -5 -4 -3 -2")],
            "2/8/0/0",
        ),
        ("status change", spec(2, Some(5)), "+0 +1", &[(1, "ok 0", "+2"), (1, "ok 1", "+3")], "2/0/2/0"),
        (
            "too many job failures",
            JobSpec { backoff_limit: 0, ..spec(2, Some(5)) },
            "+0 +1",
            &[(1, "fail 0", "-1"), (2, "fail 1", "")],
            "0/0/0/2 Failed BackoffLimitExceeded",
        ),
        (
            "count ready pods when job fails",
            JobSpec { backoff_limit: 0, ..spec(3, Some(3)) },
            "+0 +1 +2",
            &[(1, "ready 0", ""), (1, "ready 1", ""), (1, "fail 2", "-0 -1")],
            "0/2/0/1 FailureTarget BackoffLimitExceeded",
        ),
    ];
    hold(cases);
    // Ready pods are those that stay: "count ready pods when too many active pods", "count ready pods when suspending".
    for (told, ready) in [("parallelism 2", 2), ("suspend", 0)] {
        let (mut job, _) = Play::new(spec(3, Some(5)));
        for pod in 0..3 {
            job.goes(&[(1, &format!("made {pod}"), ""), (1, &format!("ready {pod}"), "")]);
        }
        job.at(2, told);
        assert_eq!(job.job.status().ready, ready, "{told}");
    }
}

/// R11.1: "more active pods than remaining completions". Pods above what is missing go.
#[test]
fn fewer_are_missing_than_run() {
    let (mut job, _) = Play::new(spec(2, Some(4)));
    job.goes(&[(1, "ok 0", "+2"), (1, "parallelism 3", "+3"), (2, "ok 1", "")]);
    assert_eq!(job.is(), "2/0/2/0", "two run, two are missing");
}

/// R11.4. `TestControllerSyncJob`: suspending and resuming.
#[test]
fn suspended_and_resumed() {
    let suspended = || JobSpec { suspension: Suspension::Suspended, ..spec(2, Some(4)) };
    hold(&[
        (
            "suspending a job with satisfied expectations",
            spec(2, Some(4)),
            "+0 +1",
            &[(1, "suspend", "-0 -1")],
            "0/2/0/0 Suspended JobSuspended",
        ),
        ("resuming a suspended job", suspended(), "", &[(1, "resume", "+0 +1")], "2/0/0/0 Suspended JobResumed"),
        (
            "pods of a suspended job count for nothing, whatever they end with",
            spec(2, Some(4)),
            "+0 +1",
            &[(1, "suspend", "-0 -1"), (2, "fail 0", ""), (2, "ok 1", "")],
            "0/0/0/0 Suspended JobSuspended",
        ),
    ]);
    let (job, _) = Play::new(suspended());
    assert_eq!(job.job.status().start_time, None);
}

/// R11.3. `TestSyncJobPastDeadline`, `TestPastDeadlineJobFinished`, `TestSingleJobFailedCondition`.
#[test]
fn past_deadline() {
    let limited = |seconds, base: JobSpec| JobSpec { active_deadline: Some(Duration::from_secs(seconds)), ..base };
    hold(&[
        (
            "activeDeadlineSeconds less than single pod execution",
            limited(10, spec(1, Some(1))),
            "+0",
            &[(10, "tick", "-0"), (11, "fail 0", "")],
            "0/0/0/1 Failed DeadlineExceeded",
        ),
        (
            "activeDeadlineSeconds bigger than single pod execution",
            limited(10, spec(1, Some(2))),
            "+0",
            &[(5, "ok 0", "+1"), (10, "tick", "-1"), (11, "fail 1", "")],
            "0/0/1/1 Failed DeadlineExceeded",
        ),
        (
            "activeDeadlineSeconds times-out before any pod starts",
            limited(10, spec(1, Some(1))),
            "+0",
            &[(9, "refused 0", ""), (10, "tick", "")],
            "0/0/0/0 Failed DeadlineExceeded",
        ),
        (
            "activeDeadlineSeconds with backofflimit reach",
            limited(1, JobSpec { backoff_limit: 0, ..spec(1, Some(1)) }),
            "+0",
            &[(10, "fail 0", "")],
            "0/0/0/1 Failed BackoffLimitExceeded",
        ),
        (
            "activeDeadlineSeconds is not triggered when Job is suspended",
            limited(10, JobSpec { suspension: Suspension::Suspended, ..spec(1, Some(2)) }),
            "",
            &[(15, "tick", "")],
            "0/0/0/0 Suspended JobSuspended",
        ),
    ]);
    let (mut job, _) = Play::new(limited(1, spec(1, Some(1))));
    assert_eq!(job.next(), Some(1), "not before");
    job.goes(&[(1, "tick", "-0"), (2, "fail 0", ""), (3, "tick", "")]);
    let kinds: Vec<String> = job.job.status().conditions.iter().map(|one| format!("{:?}", one.kind)).collect();
    assert_eq!(kinds, ["FailureTarget", "Failed"], "each once");
}

/// R11.12. `TestJobBackoffForOnFailure`, `TestJobBackoffOnRestartPolicyNever`.
#[test]
fn backoff_limits() {
    let on_failure = |limit, base: JobSpec| JobSpec { restarts: Restarts::OnFailure, backoff_limit: limit, ..base };
    let never = |limit, base: JobSpec| JobSpec { backoff_limit: limit, ..base };
    hold(&[
        (
            "backoffLimit 0 should have 1 pod active",
            on_failure(0, spec(1, Some(1))),
            "+0",
            &[(1, "restarts 0 0", "")],
            "1/0/0/0",
        ),
        (
            "backoffLimit 1 with restartCount 0 should have 1 pod active",
            on_failure(1, spec(1, Some(1))),
            "+0",
            &[(1, "restarts 0 0", "")],
            "1/0/0/0",
        ),
        (
            "backoffLimit 1 with restartCount 1 should have 0 pod active",
            on_failure(1, spec(1, Some(1))),
            "+0",
            &[(1, "restarts 0 1", "-0"), (2, "fail 0", "")],
            "0/0/0/1 Failed BackoffLimitExceeded",
        ),
        (
            "too many job failures with podRunning - multiple pods",
            on_failure(5, spec(2, Some(5))),
            "+0 +1",
            &[(1, "restarts 0 2", ""), (1, "restarts 1 3", "-0 -1"), (2, "fail 0", ""), (2, "fail 1", "")],
            "0/0/0/2 Failed BackoffLimitExceeded",
        ),
        (
            "not enough failures",
            on_failure(5, spec(2, Some(5))),
            "+0 +1",
            &[(1, "restarts 0 2", ""), (1, "restarts 1 1", "")],
            "2/0/0/0",
        ),
        (
            "not enough failures with backoffLimit 1 - single pod",
            never(1, spec(1, Some(1))),
            "+0",
            &[(0, "fail 0", ""), (10, "tick", "+1")],
            "1/0/0/1",
        ),
        (
            "too many failures with backoffLimit 1 - single pod",
            never(1, spec(1, Some(1))),
            "+0",
            &[(0, "fail 0", ""), (10, "tick", "+1"), (11, "fail 1", "")],
            "0/0/0/2 Failed BackoffLimitExceeded",
        ),
        (
            "not enough failures with backoffLimit 6 - multiple pods",
            never(6, spec(7, Some(7))),
            "+0 +1 +2 +3 +4 +5 +6",
            &[
                (0, "fail 0", ""),
                (0, "fail 1", ""),
                (0, "fail 2", ""),
                (0, "fail 3", ""),
                (0, "fail 4", ""),
                (0, "fail 5", ""),
            ],
            "1/0/0/6",
        ),
        (
            "too many failures with backoffLimit 6 - multiple pods",
            never(6, spec(8, Some(8))),
            "+0 +1 +2 +3 +4 +5 +6 +7",
            &[
                (0, "fail 0", ""),
                (0, "fail 1", ""),
                (0, "fail 2", ""),
                (0, "fail 3", ""),
                (0, "fail 4", ""),
                (0, "fail 5", ""),
                (0, "fail 6", "-7"),
                (1, "fail 7", ""),
            ],
            "0/0/0/8 Failed BackoffLimitExceeded",
        ),
    ]);
}

/// R11.8. `TestGetRemainingBackoffTime`, `TestUpdateBackoffRecord`, `TestFinishedJobBackoff`: by failures after the last success.
#[test]
fn remaining_backoff() {
    for (name, facts, next) in [
        ("no failures", &[][..], None),
        ("one failure", &[(100, "fail 0", "")], Some(110)),
        ("two failures", &[(100, "fail 0", ""), (110, "tick", "+1"), (112, "fail 1", "")], Some(132)),
        (
            "failures of one moment are a row of their own each",
            &[(0, "parallelism 2", "+1"), (5, "fail 0", ""), (5, "fail 1", "")],
            Some(25),
        ),
        ("a success ends the row", &[(100, "fail 0", ""), (110, "tick", "+1"), (111, "ok 1", "+2")], None),
        (
            "remaining backoff is counted from the last failure",
            &[(0, "parallelism 2", "+1"), (5, "fail 0", ""), (9, "fail 1", "")],
            Some(29),
        ),
    ] {
        let (mut job, _) = Play::new(spec(1, Some(9)));
        job.goes(facts);
        assert_eq!(job.next(), next, "{name}");
    }
    let (mut job, _) = Play::new(indexed(1, 1));
    job.goes(&[(3, "ok 0", "")]);
    assert_eq!(
        (job.next(), job.is().as_str()),
        (None, "0/0/1/0 Complete CompletionsReached"),
        "a finished job waits for nothing"
    );
}
