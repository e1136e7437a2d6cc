//! Behaviour that Kubernetes' own tests hold of Jobs (test/e2e/apps/job.go, test/integration/job), with real pods. What waits for
//! back-off is in the engine's tests, in virtual time.

use serde_json::{Value, json};

use super::{ending, get, nothing_left, run, said, start};
use crate::harness::{Case, Manifest, wait};

/// Runs a Job of indexes that do what the script says, and gives what its run ended with, how it ended, and parts of its status.
fn ends(case: &Case, pod: &Manifest, spec: Value, fields: &[&str]) -> (Option<i32>, String, Vec<Value>) {
    let ran = run(case, pod, spec);
    let status = get(case)["status"].clone();
    let parts = fields.iter().map(|field| status[*field].clone()).collect();
    let ended = (ran.status.code(), ending(case), parts);
    nothing_left(case);
    ended
}

/// R11.13: "with successPolicy should succeeded when all indexes succeeded", and when those did that matter.
#[test]
fn success_policy() {
    let Some(case) = Case::new("enough") else { return };
    let script = "[ $JOB_COMPLETION_INDEX = 0 ] && { say leader; exit 0; }; trap 'say term; exit 0' TERM; say worker; while :; do sleep 99 & wait $!; done";
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed",
        "successPolicy": {"rules": [{"succeededIndexes": "0"}]}});
    let pod = case.pod().main("main", &format!("[ $JOB_COMPLETION_INDEX = 0 ] && await worker; {script}"));
    let (code, ending, parts) = ends(&case, &pod, spec, &["failed"]);
    assert_eq!((code, ending.as_str(), &parts[0]), (Some(0), "Complete/SuccessPolicy", &Value::Null));
}

/// R11.11: "should execute all indexes despite some failing when using backoffLimitPerIndex".
#[test]
fn all_indexes_are_executed() {
    let Some(case) = Case::new("parted") else { return };
    let script = "say part $JOB_COMPLETION_INDEX; exit $((JOB_COMPLETION_INDEX % 2))";
    let spec = json!({"completions": 4, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 0});
    let (code, ending, parts) = ends(
        &case,
        &case.pod().main("main", script),
        spec,
        &["completedIndexes", "failedIndexes", "succeeded", "failed"],
    );
    assert_eq!((code, ending.as_str()), (Some(1), "Failed/FailedIndexes"));
    assert_eq!(parts, [json!("0,2"), json!("1,3"), json!(2), json!(2)]);
    assert_eq!(case.trace().len(), 4);
}

/// R11.11: "should terminate job execution when the number of failed indexes exceeds maxFailedIndexes".
#[test]
fn too_many_failed_indexes() {
    let Some(case) = Case::new("given-up") else { return };
    let spec = json!({"completions": 9, "parallelism": 1, "completionMode": "Indexed", "backoffLimitPerIndex": 0, "maxFailedIndexes": 0});
    let (code, ending, parts) =
        ends(&case, &case.pod().main("main", "say part $JOB_COMPLETION_INDEX; exit 4"), spec, &["failedIndexes"]);
    assert_eq!((code, ending.as_str(), &parts[0]), (Some(4), "Failed/MaxFailedIndexesExceeded", &json!("0")));
    assert_eq!(case.trace(), ["part 0"]);
}

/// R11.10: "should mark indexes as failed when the FailIndex action is matched in podFailurePolicy".
#[test]
fn fail_index() {
    let Some(case) = Case::new("indexed") else { return };
    let policy = json!({"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}}]});
    let spec = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 3, "podFailurePolicy": policy});
    let script = "[ $JOB_COMPLETION_INDEX = 1 ] || exit 42";
    let (code, ending, parts) =
        ends(&case, &case.pod().main("main", script), spec, &["failedIndexes", "completedIndexes"]);
    assert_eq!((code, ending.as_str()), (Some(42), "Failed/FailedIndexes"));
    assert_eq!(parts, [json!("0"), json!("1")]);
}

/// R11.10: "should allow to use the pod failure policy on exit code to fail job early", by the container that is named.
#[test]
fn fail_job_by_a_container() {
    let Some(case) = Case::new("named") else { return };
    let rule =
        json!({"action": "FailJob", "onExitCodes": {"containerName": "other", "operator": "NotIn", "values": [1]}});
    let pod = case.pod().main("main", "exit 1").main("other", "exit 7");
    let (code, ending, parts) = ends(&case, &pod, json!({"podFailurePolicy": {"rules": [rule]}}), &["failed"]);
    assert_eq!((code, ending.as_str(), &parts[0]), (Some(1), "Failed/PodFailurePolicy", &json!(1)));
}

/// R11.2: an init container that fails fails the pod, and the Job with it.
#[test]
fn an_init_fails_a_job() {
    let Some(case) = Case::new("unprepared") else { return };
    let pod = case.pod().init(crate::harness::worker("prepare", "exit 9")).main("main", "say never");
    let (code, ending, _) = ends(&case, &pod, json!({"backoffLimit": 0}), &[]);
    assert_eq!((code, ending.as_str(), case.trace().len()), (Some(9), "Failed/BackoffLimitExceeded", 0));
}

/// R11.1: a work queue is complete when one pod has succeeded and the others have ended, as they like.
#[test]
fn a_work_queue() {
    let Some(case) = Case::new("queue") else { return };
    let script = "mkdir /t/first 2>/dev/null && { say first; exit 0; }; await first; say others; exit 5";
    let pod = case.pod().main("main", script);
    let (code, ending, parts) = ends(&case, &pod, json!({"parallelism": 3}), &["succeeded", "failed"]);
    assert_eq!((code, ending.as_str()), (Some(0), "Complete/CompletionsReached"));
    assert_eq!(parts, [json!(1), json!(2)]);
}

/// R11.4, R11.3: "should not create pods when created in suspend state", nor count their time.
#[test]
fn created_suspended() {
    let Some(case) = Case::new("asleep") else { return };
    let pod = case.pod().main("main", "say woken");
    let spec = |suspend: bool| json!({"suspend": suspend, "activeDeadlineSeconds": 100});
    let file = super::job(&case, &pod, spec(true));
    let mut child = start(&case, &file);
    wait("the condition", || said(&case.barepod(&["get", "jobs"])).contains("Suspended"));
    let job = get(&case);
    assert_eq!(
        (&job["status"]["startTime"], &job["status"]["conditions"][0]["reason"]),
        (&Value::Null, &json!("JobSuspended"))
    );
    let file = super::job(&case, &pod, spec(false));
    let applied = case.command(&["apply", "-f", &file]).output().unwrap();
    assert!(applied.status.success(), "{}", said(&applied));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!((case.times_said("woken"), ending(&case).as_str()), (1, "Complete/CompletionsReached"));
    nothing_left(&case);
}

/// R11.7: "should replace the pod only when it has failed", if somebody else deletes it.
#[test]
fn a_pod_that_is_stopped() {
    let Some(case) = Case::new("lost-one") else { return };
    let script = "say begun; trap 'say term; exit 0' TERM; while :; do sleep 99 & wait $!; done";
    let file = super::job(&case, &case.pod().main("main", script), json!({"podReplacementPolicy": "Failed"}));
    let mut child = start(&case, &file);
    case.wait_for("begun");
    let pods = case.barepod(&["get", "-l", "job-name=lost-one", "-o", "name"]);
    let pod = String::from_utf8_lossy(&pods.stdout).trim().to_owned();
    let stopped = case.barepod(&["stop", &pod]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    // It ended well on its way out: that is a success.
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(
        (case.trace(), ending(&case).as_str()),
        (vec!["begun".to_owned(), "term".to_owned()], "Complete/CompletionsReached")
    );
    nothing_left(&case);
}

/// R11.12: with OnFailure a restart counts as a failure does.
#[test]
fn too_many_restarts() {
    let Some(case) = Case::new("restless") else { return };
    let pod = case.pod().main("main", "say try; exit 3").spec(json!({"restartPolicy": "OnFailure"}));
    let (code, ending, parts) = ends(&case, &pod, json!({"backoffLimit": 1}), &["succeeded"]);
    assert_ne!(code, Some(0));
    assert_eq!((ending.as_str(), &parts[0]), ("Failed/BackoffLimitExceeded", &Value::Null));
}
