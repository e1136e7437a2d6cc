//! What `logs`, `describe` and `events` show of a Job.

use serde_json::{Value, json};

use super::{nothing_left, run, said};
use crate::harness::Case;

/// As kubectl: of one of its pods, or of all, each line with its pod's name.
#[test]
fn logs_of_a_job() {
    let Some(case) = Case::new("talks") else { return };
    let none = case.barepod(&["logs", "job/talks"]);
    assert!(said(&none).contains("jobs \"talks\" not found"), "{}", said(&none));
    let spec = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed"});
    let ran = run(&case, &case.pod().main("main", "echo part $JOB_COMPLETION_INDEX"), spec);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let one = case.barepod(&["logs", "job/talks"]);
    let note = String::from_utf8_lossy(&one.stderr).into_owned();
    assert!(note.starts_with("Found 2 pods, using pod/talks-"), "{note}");
    assert_eq!(String::from_utf8_lossy(&one.stdout).lines().count(), 1, "{}", said(&one));
    let all = case.barepod(&["logs", "job/talks", "--all-pods", "-n", "default"]);
    let mut lines: Vec<String> = String::from_utf8_lossy(&all.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    for (index, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("[pod/talks-{index}-")), "{line}");
        assert!(line.ends_with(&format!("/main] part {index}")), "{line}");
    }
    assert_eq!(lines.len(), 2, "{}", said(&all));
    nothing_left(&case);
    let none = case.barepod(&["logs", "job/talks"]);
    assert!(said(&none).contains("not found"), "{}", said(&none));
}

/// R11.16: kubectl's fields, and what happened to the Job itself.
#[test]
fn a_job_is_described() {
    let Some(case) = Case::new("told") else { return };
    let ran = run(&case, &case.pod().main("main", "exit 3"), json!({"backoffLimit": 0, "completions": 2}));
    assert_eq!(ran.status.code(), Some(3), "{}", said(&ran));
    let page = said(&case.barepod(&["describe", "job/told"]));
    for line in [
        "Completions:       2",
        "Completion Mode:   NonIndexed",
        "Pods Statuses:     0 Active (0 Ready) / 0 Succeeded / 1 Failed",
        "Process:           ended, as the job has",
        "Pod Template:",
        "  Warning  BackoffLimitExceeded",
    ] {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_there = |one: &str| one.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(&line);
        assert!(page.lines().any(is_there), "{line:?} isn't in\n{page}");
    }
    let reasons = |of: &str| -> Vec<(String, String)> {
        let shown = case.barepod(&["events", of, "-o", "json"]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        events.map(|event| (word(&event["reason"]), word(&event["involvedObject"]["kind"]))).collect()
    };
    let expected = ["SuccessfulCreate", "BackoffLimitExceeded"].map(|reason| (reason.to_owned(), "Job".to_owned()));
    assert_eq!(reasons("job/told"), expected);
    // Another Job of the name has nothing of that.
    let ran = run(&case, &case.pod().main("main", "true"), json!({}));
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let table = said(&case.barepod(&["events", "jobs"]));
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    assert_eq!(words[0][1..], ["TYPE", "REASON", "JOB", "MESSAGE"], "{table}");
    assert_eq!(words[1][..3], ["Normal", "SuccessfulCreate", "told"], "{table}");
    assert_eq!(words[2], ["Normal", "Completed", "told", "Job", "completed"], "{table}");
    assert_eq!(words.len(), 3, "{table}");
    nothing_left(&case);
}
