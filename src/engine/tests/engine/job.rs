//! A Job's controller, table by table: what it asks for after each fact, and what its status says.

use std::time::Duration;

use barepod_engine::job::{
    CodeOperator, ConditionKind, FailureAction, FailureMatch, FailureRule, JobBackoff, JobEvent, JobSpec, PodCondition,
    PodEnd, PodNumber, Reason, Replacement, Restarts, SuccessRule, Suspension,
};
use barepod_engine::time::WallTime;

use crate::job_play::{Play, indexed, spec};

/// R11.1, R11.14.
#[test]
fn as_many_as_are_wanted() {
    let (mut job, asked) = Play::new(spec(2, Some(3)));
    assert_eq!(asked, "+0 +1");
    job.goes(&[(1, "made 0", ""), (1, "ok 0", "+2"), (2, "ok 2", ""), (3, "ok 1", ""), (4, "ok 1", "")]);
    assert_eq!(job.is(), "0/0/3/0 Complete CompletionsReached");
    assert_eq!(job.job.status().completion_time, Some(WallTime::from_unix_nanos(3_000_000_000)));
    assert_eq!(job.next(), None);
    // A work queue: after one success no new ones, and the others end in peace.
    let (mut job, asked) = Play::new(spec(3, None));
    assert_eq!(asked, "+0 +1 +2");
    job.goes(&[(1, "ok 1", ""), (2, "fail 0", ""), (2, "tick", "")]);
    assert_eq!(job.is(), "1/0/1/1");
    job.goes(&[(99, "ok 2", "")]);
    assert_eq!(job.is(), "0/0/2/1 Complete CompletionsReached");
    // Fewer: those go that are the least loss, and count for nothing; a first pod isn't waited for.
    let (mut job, _) = Play::new(spec(4, Some(9)));
    job.goes(&[(1, "made 0", ""), (1, "made 1", ""), (1, "made 2", ""), (1, "ready 1", ""), (1, "restarts 0 1", "")]);
    job.goes(&[(2, "parallelism 1", "-3 -0 -2"), (3, "fail 3", ""), (3, "ok 0", ""), (3, "fail 2", "")]);
    assert_eq!(job.is(), "1/0/0/0");
    job.goes(&[(4, "parallelism 2", "+4"), (5, "parallelism 0", "-4 -1")]);
    let (job, asked) = Play::new(spec(1, Some(0)));
    assert_eq!((asked.as_str(), job.is().as_str()), ("", "0/0/0/0 Complete CompletionsReached"));
}

/// R11.8, R11.9, R11.12.
#[test]
fn failures_are_waited_for_and_counted() {
    let (mut job, _) = Play::new(spec(1, Some(2)));
    job.goes(&[(0, "fail 0", ""), (9, "tick", ""), (10, "tick", "+1"), (10, "fail 1", "")]);
    assert_eq!(job.next(), Some(30));
    job.goes(&[(29, "tick", ""), (30, "tick", "+2"), (31, "ok 2", "+3"), (40, "fail 3", ""), (50, "tick", "+4")]);
    // 10 s, 20 s, ... 5 min 20 s, and never above 6 min.
    let delays: Vec<u64> = (0..9).map(|row| JobBackoff::default().delay(row).as_secs()).collect();
    assert_eq!(delays, [0, 10, 20, 40, 80, 160, 320, 360, 360]);
    assert_eq!(JobBackoff::default().delay(u32::MAX).as_secs(), 360);
    // The failure above the limit ends it, and those that run.
    let (mut job, _) = Play::new(JobSpec { backoff_limit: 1, ..spec(2, Some(5)) });
    job.goes(&[(0, "fail 0", ""), (10, "tick", "+2"), (11, "fail 2", "-1")]);
    assert_eq!(job.is(), "0/1/0/2 FailureTarget BackoffLimitExceeded");
    job.goes(&[(12, "fail 1", "")]);
    assert_eq!(job.is(), "0/0/0/3 Failed BackoffLimitExceeded");
    let (mut job, _) = Play::new(JobSpec { backoff_limit: 0, ..spec(1, Some(1)) });
    job.goes(&[(5, "fail 0", "")]);
    assert_eq!(job.is(), "0/0/0/1 Failed BackoffLimitExceeded");
    // Restarts inside of pods.
    let on_failure = |limit| JobSpec { restarts: Restarts::OnFailure, backoff_limit: limit, ..spec(2, Some(2)) };
    let (mut job, _) = Play::new(on_failure(3));
    job.goes(&[(1, "restarts 0 2", ""), (2, "restarts 1 1", "-0 -1"), (3, "ok 0", ""), (3, "fail 1", "")]);
    assert_eq!(job.is(), "0/0/1/1 Failed BackoffLimitExceeded");
    let (mut job, _) = Play::new(on_failure(0));
    job.goes(&[(1, "restarts 1 1", "-0 -1")]);
    // What couldn't be made has failed nobody.
    let (mut job, _) = Play::new(spec(1, Some(1)));
    job.goes(&[(0, "refused 0", ""), (1, "tick", "+1"), (1, "refused 1", ""), (2, "tick", ""), (3, "tick", "+2")]);
    job.goes(&[(3, "made 2", ""), (4, "ok 2", "")]);
    assert_eq!(job.is(), "0/0/1/0 Complete CompletionsReached");
}

/// R11.9.
#[test]
fn pods_that_cannot_be_made() {
    // Of one try all are refused by the same thing: that is one refusal.
    let (mut job, asked) = Play::new(spec(3, Some(3)));
    assert_eq!(asked, "+0 +1 +2");
    job.goes(&[(0, "refused 0", ""), (0, "refused 1", ""), (0, "refused 2", "")]);
    assert_eq!((job.is().as_str(), job.next()), ("0/0/0/0", Some(1)));
    job.goes(&[(1, "tick", "+3 +4 +5"), (1, "refused 3", ""), (1, "refused 4", ""), (1, "refused 5", "")]);
    assert_eq!(job.next(), Some(3));
    // What is said of pods that aren't there, or were made, changes nothing.
    job.goes(&[(1, "made 5", ""), (1, "made 9", ""), (1, "refused 9", ""), (2, "tick", "")]);
    assert_eq!(job.next(), Some(3));
    job.goes(&[(3, "tick", "+6 +7 +8"), (3, "made 6", ""), (4, "refused 6", "")]);
    assert_eq!((job.is().as_str(), job.next()), ("3/0/0/0", None));
    // After one that could be made the row begins anew.
    job.goes(&[(5, "refused 7", ""), (6, "tick", "+9")]);
}

/// R11.3, R11.4, R11.6, R11.15.
#[test]
fn time_runs_out_and_stands_still() {
    let limited = JobSpec { active_deadline: Some(Duration::from_secs(60)), ..spec(1, Some(1)) };
    let (mut job, _) = Play::new(JobSpec { ttl_after_finished: Some(Duration::from_secs(5)), ..limited.clone() });
    assert_eq!(job.next(), Some(60));
    job.goes(&[(59, "tick", ""), (60, "tick", "-0")]);
    assert_eq!((job.is().as_str(), job.next()), ("0/1/0/0 FailureTarget DeadlineExceeded", None));
    // It was on its way out, and has succeeded all the same: that changes no decision.
    job.goes(&[(61, "ok 0", "")]);
    assert_eq!((job.is().as_str(), job.next()), ("0/0/1/0 Failed DeadlineExceeded", Some(66)));
    job.goes(&[(66, "tick", "forget"), (67, "tick", "")]);
    assert_eq!(job.next(), None);
    let (mut job, asked) = Play::new(JobSpec { suspension: Suspension::Suspended, ..limited });
    assert_eq!((asked.as_str(), job.next()), ("", None));
    assert_eq!((job.is().as_str(), job.job.status().start_time), ("0/0/0/0 Suspended JobSuspended", None));
    job.goes(&[(100, "tick", ""), (200, "resume", "+0")]);
    assert_eq!((job.is().as_str(), job.next()), ("1/0/0/0 Suspended JobResumed", Some(260)));
    job.goes(&[(210, "suspend", "-0"), (211, "fail 0", ""), (300, "tick", ""), (400, "resume", "+1")]);
    assert_eq!((job.is().as_str(), job.next()), ("1/0/0/0 Suspended JobResumed", Some(460)));
    // Both at once: a failure comes first.
    job.goes(&[(460, "ok 1", "")]);
    assert_eq!(job.is(), "0/0/1/0 Failed DeadlineExceeded");
}

/// R11.4, R11.6: of a Job whose end is decided it isn't said any more whether it is suspended.
#[test]
fn one_that_ends_is_not_suspended() {
    let (mut job, _) = Play::new(JobSpec { backoff_limit: 0, ..spec(2, Some(2)) });
    job.goes(&[(1, "fail 0", "-1"), (2, "suspend", "")]);
    assert_eq!(job.is(), "0/1/0/1 FailureTarget BackoffLimitExceeded");
    job.goes(&[(3, "fail 1", "")]);
    assert_eq!((job.is().as_str(), job.job.status().conditions.len()), ("0/0/0/2 Failed BackoffLimitExceeded", 2));
    // One that wants nothing ends without having been suspended or started.
    let (mut job, _) = Play::new(JobSpec { suspension: Suspension::Suspended, ..spec(1, Some(0)) });
    assert_eq!((job.is().as_str(), job.at(1, "resume").as_str()), ("0/0/0/0 Complete CompletionsReached", ""));
    assert_eq!((job.job.status().conditions.len(), job.job.status().start_time), (2, None));
}

/// R11.5, R11.11.
#[test]
fn indexes() {
    let (mut job, asked) = Play::new(indexed(3, 5));
    assert_eq!(asked, "+0#0 +1#1 +2#2");
    job.goes(&[(1, "ok 1", "+3#3"), (2, "fail 0", ""), (3, "ok 2", "+4#0 +5#4")]);
    assert_eq!(job.job.status().completed_indexes, "1,2");
    job.goes(&[(13, "ok 3", ""), (13, "ok 5", ""), (14, "ok 4", "")]);
    assert_eq!(job.job.status().completed_indexes, "0-4");
    assert_eq!(job.is(), "0/0/5/1 Complete CompletionsReached");
    // So many that one look at each index for each pod and each pod beside it would take minutes.
    let (mut job, asked) = Play::new(indexed(1_000, 10_000));
    assert_eq!(asked, (0..1_000).map(|at| format!("+{at}#{at}")).collect::<Vec<_>>().join(" "));
    assert_eq!(job.at(1, "ok 999"), "+1000#1000");
    // Each index waits for its own failures, and the others don't.
    let per_index = JobSpec { backoff_limit_per_index: Some(1), backoff_limit: u32::MAX, ..indexed(2, 4) };
    let (mut job, _) = Play::new(per_index.clone());
    job.goes(&[(0, "fail 0", "+2#2"), (1, "ok 1", "+3#3"), (2, "ok 2", ""), (10, "tick", "+4#0"), (11, "fail 4", "")]);
    assert_eq!(job.job.status().failed_indexes.as_deref(), Some("0"));
    job.goes(&[(12, "ok 3", "")]);
    assert_eq!(job.is(), "0/0/3/2 Failed FailedIndexes");
    let (mut job, _) =
        Play::new(JobSpec { max_failed_indexes: Some(1), backoff_limit_per_index: Some(0), ..per_index });
    job.goes(&[(0, "fail 0", "+2#2"), (1, "fail 1", "-2"), (2, "fail 2", "")]);
    assert_eq!(job.is(), "0/0/0/3 Failed MaxFailedIndexesExceeded");
}

/// R11.7.
#[test]
fn pods_that_somebody_else_deletes() {
    let (mut job, _) = Play::new(spec(1, Some(1)));
    job.goes(&[(0, "leave 0", ""), (10, "tick", "+1"), (11, "ok 0", "")]);
    assert_eq!(job.is(), "1/0/0/1");
    let (mut job, _) = Play::new(JobSpec { replacement: Replacement::Failed, ..spec(1, Some(2)) });
    job.goes(&[(0, "leave 0", ""), (10, "tick", "")]);
    assert_eq!((job.is().as_str(), job.next()), ("0/1/0/0", None));
    job.goes(&[(11, "ok 0", "+1"), (12, "leave 1", ""), (13, "fail 1", ""), (23, "tick", "+2")]);
    assert_eq!(job.is(), "1/0/1/1");
    // Nor beside one that was taken back.
    job.goes(&[(24, "suspend", "-2"), (25, "resume", ""), (26, "fail 2", "+3")]);
    assert_eq!(job.is(), "1/0/1/1 Suspended JobResumed");
}

/// R11.10.
#[test]
fn what_a_failure_means() {
    let rule = |action, on| FailureRule { action, on };
    let codes = |container: Option<&str>, operator, values: &[i32]| FailureMatch::ExitCodes {
        container: container.map(str::to_owned),
        operator,
        values: values.to_vec(),
    };
    let disruption = PodCondition { kind: "DisruptionTarget".to_owned(), status: "True".to_owned() };
    let rules = vec![
        rule(FailureAction::Ignore, FailureMatch::Conditions(vec![disruption.clone()])),
        rule(FailureAction::FailJob, codes(Some("main"), CodeOperator::In, &[42])),
        rule(FailureAction::Count, codes(None, CodeOperator::In, &[43])),
        rule(FailureAction::FailIndex, codes(Some("main"), CodeOperator::NotIn, &[1, 42])),
    ];
    let job_of = |rules: &Vec<FailureRule>| JobSpec {
        failure_rules: rules.clone(),
        replacement: Replacement::Failed,
        backoff_limit_per_index: Some(1),
        ..indexed(2, 3)
    };
    let fails = |exits: &[(&str, i32)], conditions: &[PodCondition]| {
        let (mut job, _) = Play::new(job_of(&rules));
        let exits = exits.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect();
        job.tell(JobEvent::Ended(PodNumber(0), PodEnd::Failed { exits, conditions: conditions.to_vec() }));
        format!("{} {}", job.is(), job.job.status().failed_indexes.unwrap_or_default())
    };
    assert_eq!(fails(&[("main", 42)], &[]), "0/1/0/1 FailureTarget PodFailurePolicy ");
    assert_eq!(fails(&[("main", 42)], std::slice::from_ref(&disruption)), "2/0/0/0 ");
    let no_disruption = PodCondition { status: "False".to_owned(), ..disruption };
    assert_eq!(fails(&[("main", 1)], &[no_disruption]), "2/0/0/1 ");
    assert_eq!(fails(&[("main", 0), ("helper", 42)], &[]), "2/0/0/1 ", "of another container, and 0 is no failure");
    assert_eq!(fails(&[("main", 0), ("helper", 43)], &[]), "2/0/0/1 ");
    assert_eq!(fails(&[("main", 7)], &[]), "2/0/0/1 0");
    // Ignored ones count towards no limit, and are waited for all the same.
    let (mut job, _) = Play::new(job_of(&vec![rule(FailureAction::Ignore, codes(None, CodeOperator::In, &[9]))]));
    job.goes(&[
        (0, "exit 0 9", "+2#2"),
        (1, "ok 2", ""),
        (10, "tick", "+3#0"),
        (10, "exit 3 9", ""),
        (30, "tick", "+4#0"),
    ]);
    assert_eq!(job.is(), "2/0/1/0");
}

/// R11.13.
#[test]
fn enough_have_succeeded() {
    let with = |indexes: Option<Vec<(u32, u32)>>, count| JobSpec {
        success_rules: vec![SuccessRule { indexes, count }],
        ..indexed(3, 5)
    };
    let (mut job, _) = Play::new(with(Some(vec![(0, 1), (4, 4)]), Some(2)));
    job.goes(&[(1, "ok 2", "+3#3"), (2, "ok 0", "+4#4"), (3, "ok 4", "-1 -3")]);
    assert_eq!(job.is(), "0/2/3/0 SuccessCriteriaMet SuccessPolicy");
    job.goes(&[(4, "fail 1", ""), (5, "ok 3", "")]);
    assert_eq!(job.is(), "0/0/4/0 Complete SuccessPolicy");
    assert_eq!(job.job.status().completed_indexes, "0,2-4");
    let (mut job, _) = Play::new(with(Some(vec![(1, 2)]), None));
    job.goes(&[(1, "ok 1", "+3#3"), (2, "ok 2", "-0 -3")]);
    let (mut job, _) = Play::new(with(None, Some(1)));
    job.goes(&[(1, "ok 2", "-0 -1")]);
    let all = job.job.status().conditions;
    assert_eq!(
        all.iter().map(|one| (one.kind, one.reason)).collect::<Vec<_>>(),
        [(ConditionKind::SuccessCriteriaMet, Reason::SuccessPolicy)]
    );
}
