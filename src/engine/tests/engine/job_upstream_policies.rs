//! Of the same tests those about policies: what a failure means, and when enough has succeeded (see `job_upstream`).

use barepod_engine::job::{
    CodeOperator, FailureAction, FailureMatch, FailureRule, JobEvent, JobSpec, PodCondition, PodEnd, PodNumber,
    Replacement, SuccessRule,
};

use crate::job_play::{Case, Play, hold, indexed, spec};

fn codes(action: FailureAction, container: Option<&str>, operator: CodeOperator, values: &[i32]) -> FailureRule {
    let container = container.map(str::to_owned);
    FailureRule { action, on: FailureMatch::ExitCodes { container, operator, values: values.to_vec() } }
}

fn disrupted(status: &str) -> PodCondition {
    PodCondition { kind: "DisruptionTarget".to_owned(), status: status.to_owned() }
}

fn on_disruption(action: FailureAction) -> FailureRule {
    FailureRule { action, on: FailureMatch::Conditions(vec![disrupted("True")]) }
}

/// As the API server has it where there is a podFailurePolicy.
fn with(rules: Vec<FailureRule>, base: JobSpec) -> JobSpec {
    JobSpec { failure_rules: rules, replacement: Replacement::Failed, ..base }
}

/// R11.10. `TestSyncJobWithJobPodFailurePolicy`: after the first pod has failed so.
#[test]
fn pod_failure_policy() {
    use CodeOperator::{In, NotIn};
    use FailureAction::{Count, FailJob, Ignore};
    let both = |container: Option<&str>| {
        vec![codes(Ignore, container, In, &[1, 2, 3]), codes(FailJob, container, In, &[5, 6, 7])]
    };
    let fails = "0/1/0/1 FailureTarget PodFailurePolicy";
    for (name, rules, exits, conditions, is) in [
        (
            "default handling if the container matching the exit codes does not match the containerName restriction",
            both(Some("main")),
            &[("monitoring", 5), ("main", 42)][..],
            &[][..],
            "1/0/0/1",
        ),
        ("fail job based on OnExitCodes", both(None), &[("main", 5)], &[], fails),
        (
            "fail job based on OnExitCodes with NotIn operator",
            vec![codes(FailJob, None, NotIn, &[5, 6, 7])],
            &[("main", 42)],
            &[],
            fails,
        ),
        (
            "default handling job based on OnExitCodes with NotIn operator",
            vec![codes(FailJob, None, NotIn, &[5, 6, 7])],
            &[("main", 5)],
            &[],
            "1/0/0/1",
        ),
        ("fail job based on OnExitCodes for InitContainer", both(None), &[("main", 143), ("init", 5)], &[], fails),
        (
            "ignore pod failure; both rules are matching, the first is executed only",
            both(None),
            &[("container1", 2), ("container2", 6)],
            &[],
            "1/0/0/0",
        ),
        ("ignore pod failure based on OnExitCodes", both(None), &[("main", 1)], &[], "1/0/0/0"),
        ("default job based on OnExitCodes", both(None), &[("main", 10)], &[], "1/0/0/1"),
        (
            "count pod failure based on OnExitCodes; both rules are matching, the first is executed only",
            vec![codes(Count, None, In, &[1, 2]), codes(Ignore, None, In, &[2, 3])],
            &[("main", 2)],
            &[],
            "1/0/0/1",
        ),
        (
            "count pod failure based on OnPodConditions; both rules are matching, the first is executed only",
            vec![on_disruption(Count), on_disruption(Ignore)],
            &[("main", 1)],
            &["True"],
            "1/0/0/1",
        ),
        (
            "ignore pod failure based on OnPodConditions",
            vec![on_disruption(Ignore)],
            &[("main", 1)],
            &["True"],
            "1/0/0/0",
        ),
        ("a condition that is False is none", vec![on_disruption(Ignore)], &[("main", 1)], &["False"], "1/0/0/1"),
        ("fail job based on OnPodConditions", vec![on_disruption(FailJob)], &[("main", 1)], &["True"], fails),
    ] {
        for base in [spec(2, Some(2)), indexed(2, 2)] {
            let (mut job, _) = Play::new(with(rules.clone(), base));
            let exits = exits.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect();
            let conditions = conditions.iter().map(|status| disrupted(status)).collect();
            job.tell(JobEvent::Ended(PodNumber(0), PodEnd::Failed { exits, conditions }));
            assert_eq!(job.is(), is, "{name}");
        }
    }
    let cases: &[Case<'_>] = &[
        (
            "fail job with multiple pods",
            with(both(None), spec(2, Some(5))),
            "+0 +1",
            &[(1, "exit 0 5", "-1"), (2, "exit 1 6", "")],
            "0/0/0/2 Failed PodFailurePolicy",
        ),
        (
            "ignored failures delay pod recreation",
            with(both(None), spec(1, Some(1))),
            "+0",
            &[(0, "exit 0 1", ""), (9, "tick", ""), (10, "tick", "+1")],
            "1/0/0/0",
        ),
        (
            "terminating Pod not considered failed when PodFailurePolicy is used",
            with(both(None), spec(1, Some(1))),
            "+0",
            &[(0, "leave 0", "")],
            "0/1/0/0",
        ),
        (
            "and what it ends with is judged",
            with(both(None), spec(1, Some(1))),
            "+0",
            &[(0, "leave 0", ""), (1, "exit 0 5", "")],
            "0/0/0/1 Failed PodFailurePolicy",
        ),
    ];
    hold(cases);
}

/// R11.6, R11.13. `TestSyncJobWithJobSuccessPolicy`, `TestMatchSuccessPolicy`.
#[test]
fn success_policy() {
    let rule = |indexes: Option<&[(u32, u32)]>, count| SuccessRule { indexes: indexes.map(<[_]>::to_vec), count };
    let with = |rules: Vec<SuccessRule>, base: JobSpec| JobSpec { success_rules: rules, ..base };
    hold(&[
        (
            "job without successPolicy; job doesn't have SuccessCriteriaMet",
            indexed(3, 3),
            "+0#0 +1#1 +2#2",
            &[(1, "ok 1", "")],
            "2/0/1/0",
        ),
        (
            "indexed job with successPolicy with succeededIndexes; meets",
            with(vec![rule(Some(&[(1, 1)]), None)], indexed(3, 3)),
            "+0#0 +1#1 +2#2",
            &[(1, "fail 0", ""), (2, "ok 1", "-2"), (3, "fail 2", "")],
            "0/0/1/1 Complete SuccessPolicy",
        ),
        (
            "with succeededIndexes; doesn't meet as some indexes fail",
            with(vec![rule(Some(&[(0, 1)]), None)], indexed(3, 3)),
            "+0#0 +1#1 +2#2",
            &[(1, "fail 0", ""), (2, "ok 1", "+3#0")],
            "2/0/1/1",
        ),
        (
            "with succeededCount; meets, and running pods are deleted",
            with(vec![rule(None, Some(2))], indexed(4, 4)),
            "+0#0 +1#1 +2#2 +3#3",
            &[(1, "ok 3", ""), (2, "ok 0", "-1 -2")],
            "0/2/2/0 SuccessCriteriaMet SuccessPolicy",
        ),
        (
            "with succeededIndexes and succeededCount; only those indexes count",
            with(vec![rule(Some(&[(2, 3)]), Some(1))], indexed(4, 4)),
            "+0#0 +1#1 +2#2 +3#3",
            &[(1, "ok 0", ""), (1, "ok 1", ""), (2, "ok 3", "-2")],
            "0/1/3/0 SuccessCriteriaMet SuccessPolicy",
        ),
        (
            "a later rule matches",
            with(vec![rule(Some(&[(0, 0)]), None), rule(None, Some(2))], indexed(3, 3)),
            "+0#0 +1#1 +2#2",
            &[(1, "ok 1", ""), (2, "ok 2", "-0")],
            "0/1/2/0 SuccessCriteriaMet SuccessPolicy",
        ),
        (
            "job meets to backoffLimit before the successPolicy: it fails",
            with(vec![rule(Some(&[(0, 1)]), None)], JobSpec { backoff_limit: 0, ..indexed(2, 2) }),
            "+0#0 +1#1",
            &[(1, "ok 0", ""), (2, "fail 1", "")],
            "0/0/1/1 Failed BackoffLimitExceeded",
        ),
        (
            "job with FailureTarget stays so, though the successPolicy is met later",
            with(vec![rule(Some(&[(1, 1)]), None)], JobSpec { backoff_limit: 0, ..indexed(2, 2) }),
            "+0#0 +1#1",
            &[(1, "fail 0", "-1"), (2, "ok 1", "")],
            "0/0/1/1 Failed BackoffLimitExceeded",
        ),
        (
            "job with SuccessCriteriaMet stays so, though more fail later than backoffLimit",
            with(vec![rule(Some(&[(1, 1)]), None)], JobSpec { backoff_limit: 0, ..indexed(3, 3) }),
            "+0#0 +1#1 +2#2",
            &[(1, "ok 1", "-0 -2"), (2, "fail 0", ""), (2, "fail 2", "")],
            "0/0/1/0 Complete SuccessPolicy",
        ),
        (
            "job meets to successPolicy and backoffLimitPerIndex",
            with(
                vec![rule(Some(&[(1, 1)]), None)],
                JobSpec { backoff_limit_per_index: Some(0), backoff_limit: u32::MAX, ..indexed(2, 3) },
            ),
            "+0#0 +1#1",
            &[(1, "fail 0", "+2#2"), (2, "ok 1", "-2"), (3, "ok 2", "")],
            "0/0/2/1 Complete SuccessPolicy",
        ),
    ]);
}

/// R11.11. `TestSyncJobWithJobBackoffLimitPerIndex`.
#[test]
fn backoff_limit_per_index() {
    use CodeOperator::In;
    let base = |limit, base: JobSpec| JobSpec { backoff_limit_per_index: Some(limit), backoff_limit: u32::MAX, ..base };
    let ruled = |action| with(vec![codes(action, None, In, &[3])], base(1, indexed(2, 2)));
    hold(&[
        (
            "successful job after a single failure within index",
            base(1, indexed(2, 2)),
            "+0#0 +1#1",
            &[(0, "fail 0", ""), (10, "tick", "+2#0"), (11, "ok 2", ""), (11, "ok 1", "")],
            "0/0/2/1 Complete CompletionsReached",
        ),
        (
            "single failed pod, the replacement pod creation is delayed",
            base(1, indexed(2, 2)),
            "+0#0 +1#1",
            &[(0, "fail 0", ""), (9, "tick", "")],
            "1/0/0/1",
        ),
        (
            "single failed index due to exceeding the backoff limit per index; the job continues",
            base(1, indexed(2, 2)),
            "+0#0 +1#1",
            &[(0, "fail 0", ""), (10, "tick", "+2#0"), (11, "fail 2", ""), (99, "tick", "")],
            "1/0/0/2",
        ),
        (
            "single failed index due to FailIndex action; the job continues",
            ruled(FailureAction::FailIndex),
            "+0#0 +1#1",
            &[(0, "exit 0 3", ""), (99, "tick", "")],
            "1/0/0/1",
        ),
        (
            "job failed index due to FailJob action",
            ruled(FailureAction::FailJob),
            "+0#0 +1#1",
            &[(0, "exit 0 3", "-1"), (1, "fail 1", "")],
            "0/0/0/2 Failed PodFailurePolicy",
        ),
        (
            "job pod failure ignored due to matching Ignore action",
            ruled(FailureAction::Ignore),
            "+0#0 +1#1",
            &[(0, "exit 0 3", ""), (10, "tick", "+2#0"), (10, "exit 2 3", ""), (30, "tick", "+3#0")],
            "2/0/0/0",
        ),
        (
            "job failed due to exceeding backoffLimit before backoffLimitPerIndex",
            JobSpec { backoff_limit: 1, ..base(1, indexed(2, 2)) },
            "+0#0 +1#1",
            &[(0, "fail 0", ""), (0, "fail 1", "")],
            "0/0/0/2 Failed BackoffLimitExceeded",
        ),
        (
            "job failed due to failed indexes",
            base(0, indexed(2, 2)),
            "+0#0 +1#1",
            &[(0, "fail 0", ""), (1, "ok 1", "")],
            "0/0/1/1 Failed FailedIndexes",
        ),
        (
            "job failed due to exceeding max failed indexes",
            JobSpec { max_failed_indexes: Some(1), ..base(0, indexed(3, 4)) },
            "+0#0 +1#1 +2#2",
            &[(0, "fail 0", "+3#3"), (1, "fail 1", "-2 -3")],
            "0/2/0/2 FailureTarget MaxFailedIndexesExceeded",
        ),
    ]);
}
