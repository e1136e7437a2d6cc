#![allow(clippy::unwrap_used)]
//! Jobs in texts: what is taken, and the API server's refusals.

use super::super::template::indexes;
use super::super::{Jobs, Reading, Text, read_all};
use super::*;

const POD: &str = "{restartPolicy: Never, containers: [{name: main, image: \"rootfs:r\"}]}";

fn read(spec: &str) -> Result<batch::Job, String> {
    let text = format!("apiVersion: batch/v1\nkind: Job\nmetadata: {{name: pi}}\nspec: {spec}\n");
    let text = Text { name: "job.yaml".to_owned(), bytes: text.into_bytes() };
    let reading = Reading { jobs: Jobs::Taken, ..Reading::default() };
    let said = |reports: Vec<super::super::Report>| reports.iter().map(ToString::to_string).collect::<String>();
    read_all(&[text], &reading).map(|mut all| all.jobs.remove(0).job).map_err(said)
}

fn with(fields: &str) -> Result<batch::Job, String> {
    read(&format!("{{{fields} template: {{spec: {POD}}}}}"))
}

#[test]
fn what_the_api_server_refuses() {
    for (fields, said) in [
        ("parallelism: -1,", "spec.parallelism"),
        ("completionMode: Sorted,", "Unsupported value: \"Sorted\": supported values: \"NonIndexed\", \"Indexed\""),
        ("completionMode: Indexed,", "Required value: when completion mode is Indexed"),
        ("backoffLimitPerIndex: 1,", "requires indexed completion mode"),
        ("maxFailedIndexes: 1, completionMode: Indexed, completions: 3,", "when maxFailedIndexes is specified"),
        (
            "maxFailedIndexes: 4, backoffLimitPerIndex: 0, completionMode: Indexed, completions: 3,",
            "must be less than or equal to completions",
        ),
        ("podReplacementPolicy: Always,", "supported values: \"Failed\", \"TerminatingOrFailed\""),
        ("manualSelector: true,", "a Job has the pods that it makes"),
        ("managedBy: example.com/x,", "no other controller would run the Job"),
        ("podFailurePolicy: {rules: [{action: FailJob}]},", "one of OnExitCodes and OnPodConditions is required"),
        (
            "podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [1]}}]},",
            "requires the backoffLimitPerIndex to be set",
        ),
        (
            "podFailurePolicy: {rules: [{action: Count, onExitCodes: {operator: In, values: [0]}}]},",
            "must not be 0 for the In operator",
        ),
        (
            "podFailurePolicy: {rules: [{action: Count, onExitCodes: {operator: NotIn, values: [3, 2]}}]},",
            "must be ordered",
        ),
        (
            "podFailurePolicy: {rules: [{action: Count, onExitCodes: {operator: In, values: [2], containerName: x}}]},",
            "must be one of the container or initContainer names in the pod template",
        ),
        ("successPolicy: {rules: [{succeededCount: 1}]},", "requires indexed completion mode"),
        (
            "completionMode: Indexed, completions: 3, successPolicy: {rules: [{succeededIndexes: \"0-3\"}]},",
            "too large index: \"3\"",
        ),
        (
            "completionMode: Indexed, completions: 3, successPolicy: {rules: [{succeededIndexes: \"0,2\", succeededCount: 3}]},",
            "must be less than or equal to 2",
        ),
        ("complections: 3,", "did you mean completions?"),
    ] {
        let why = with(fields).expect_err(fields);
        assert!(why.contains(said), "{fields}\n{why}");
    }
    for (pod, said) in [
        ("{containers: [{name: main, image: \"rootfs:r\"}]}", "valid values: \"OnFailure\", \"Never\""),
        ("{restartPolicy: Always, containers: [{name: main, image: \"rootfs:r\"}]}", "Unsupported value: \"Always\""),
        (
            "{restartPolicy: Never, containers: [{name: main, imge: x}]}",
            "unknown field \"spec.template.spec.containers[0].imge\"",
        ),
        ("{restartPolicy: Never, containers: []}", "spec.template.spec.containers"),
        ("{restartPolicy: Never, containers: [{name: A, image: x}]}", "spec.template.spec.containers[0].name"),
    ] {
        let why = read(&format!("{{template: {{spec: {pod}}}}}")).expect_err(pod);
        assert!(why.contains(said), "{pod}\n{why}");
    }
}

#[test]
fn defaults_are_the_api_servers() {
    let defaulted = |fields: &str| {
        let mut job = with(fields).unwrap();
        apply_job_defaults(&mut job);
        job.spec.unwrap()
    };
    let plain = defaulted("");
    assert_eq!((plain.completions, plain.parallelism, plain.backoff_limit), (Some(1), Some(1), Some(6)));
    assert_eq!(plain.pod_replacement_policy.as_deref(), Some("TerminatingOrFailed"));
    assert_eq!(plain.template.spec.unwrap().termination_grace_period_seconds, Some(30));
    // A queue of work: one success ends it.
    assert_eq!(defaulted("parallelism: 3,").completions, None);
    let per_index = defaulted("completionMode: Indexed, completions: 3, backoffLimitPerIndex: 1,");
    assert_eq!((per_index.backoff_limit, per_index.parallelism), (Some(i32::MAX), Some(1)));
}

#[test]
fn where_jobs_are_not_taken_they_are_refused() {
    let text =
        format!("apiVersion: batch/v1\nkind: Job\nmetadata: {{name: pi}}\nspec: {{template: {{spec: {POD}}}}}\n");
    let text = Text { name: "job.yaml".to_owned(), bytes: text.into_bytes() };
    let why = read_all(&[text], &Reading::default()).unwrap_err()[0].to_string();
    assert!(why.contains("this is a Job, which `barepod run` runs"), "{why}");
}

#[test]
fn indexes_as_people_write_them() {
    for (text, expected) in [("0", vec![(0, 0)]), ("0-2,4", vec![(0, 2), (4, 4)])] {
        assert_eq!(indexes(text, 5), Ok(expected), "{text}");
    }
    for text in ["", "5", "a", "2-1", "1,1", "1-", "3,0"] {
        assert!(indexes(text, 5).is_err(), "{text}");
    }
}

#[test]
fn jobs_of_other_groups_are_left_out() {
    let texts = ["batch.volcano.sh/v1alpha1", "batch/v1"].map(|version| {
        let spec = format!("{{template: {{spec: {POD}}}}}");
        let text = format!("apiVersion: {version}\nkind: Job\nmetadata: {{name: pi}}\nspec: {spec}\n");
        Text { name: format!("{version}.yaml"), bytes: text.into_bytes() }
    });
    let all = read_all(&texts, &Reading { jobs: Jobs::Taken, ..Reading::default() }).unwrap();
    assert_eq!((all.jobs.len(), all.left_out), (1, vec!["Job.batch.volcano.sh pi".to_owned()]));
}
