//! `apply` of Jobs, and several at once.

use std::fs;

use serde_json::{Value, json};

use super::{get, job, nothing_left, said};
use crate::harness::{Case, Manifest, wait};

/// `apply -f` of the Job, with this spec.
fn apply(case: &Case, pod: &Manifest, spec: Value) -> (bool, String) {
    let file = job(case, pod, spec);
    let applied = case.command(&["apply", "-f", &file]).output().unwrap();
    (applied.status.success(), said(&applied))
}

fn active(case: &Case) -> u64 {
    get(case)["status"]["active"].as_u64().unwrap_or_default()
}

/// R11.17: it begins in the background, and its process is told what changes.
#[test]
fn apply_changes_a_job_that_runs() {
    let Some(case) = Case::new("changing") else { return };
    let script = "trap 'exit 1' TERM; say begun; until [ -e /t/go ]; do sleep 0.1; done; say ended";
    let pod = case.pod().main("main", script);
    let spec = |parallelism: u32, completions: u32, suspend: bool| json!({"parallelism": parallelism, "completions": completions, "suspend": suspend});
    assert_eq!(apply(&case, &pod, spec(1, 4, false)), (true, "job.batch/changing created\n".to_owned()));
    case.wait_for("begun");
    assert_eq!(apply(&case, &pod, spec(1, 4, false)), (true, "job.batch/changing unchanged\n".to_owned()));
    assert_eq!(apply(&case, &pod, spec(3, 4, false)), (true, "job.batch/changing configured\n".to_owned()));
    wait("three pods", || case.times_said("begun") == 3);
    let (is_good, words) = apply(&case, &pod, spec(3, 9, false));
    assert!(!is_good && words.contains("this can't be changed: spec.completions"), "{words}");
    let file = job(&case, &pod, spec(1, 4, true));
    let shown = case.command(&["apply", "--dry-run=client", "-f", &file]).output().unwrap();
    let expected =
        "job.batch/changing configured (dry run)\nspec.parallelism\n  - 3\n  + 1\nspec.suspend\n  - false\n  + true\n";
    assert_eq!(said(&shown), expected);
    assert_eq!(apply(&case, &pod, spec(3, 4, true)), (true, "job.batch/changing configured\n".to_owned()));
    wait("the end of its pods", || get(&case)["status"]["terminating"] == 0 && active(&case) == 0);
    assert_eq!(get(&case)["spec"]["suspend"], true);
    case.release("go");
    assert_eq!(apply(&case, &pod, spec(2, 4, false)), (true, "job.batch/changing configured\n".to_owned()));
    let waited = case.barepod(&["wait", "--for=condition=complete", "job/changing"]);
    assert!(waited.status.success(), "{}", said(&waited));
    assert_eq!((case.times_said("ended"), get(&case)["status"]["failed"].clone()), (4, Value::Null));
    wait("the end of its process", || {
        case.barepod(&["describe", "job/changing"]).stdout.windows(5).any(|part| part == b"ended")
    });
    assert_eq!(apply(&case, &pod, spec(2, 4, false)), (true, "job.batch/changing unchanged\n".to_owned()));
    assert_eq!(case.times_said("ended"), 4);
    let events = said(&case.barepod(&["events", "job/changing"]));
    for word in ["Suspended", "Resumed", "SuccessfulDelete", "Completed"] {
        assert!(events.contains(word), "{word}: {events}");
    }
    nothing_left(&case);
}

/// R11.17: one that nobody runs is gone on with.
#[test]
fn apply_goes_on_with_a_job() {
    let Some(case) = Case::new("resumed") else { return };
    let pod = case.pod().main("main", "say begun; hold go; say ended");
    assert!(apply(&case, &pod, json!({})).0);
    case.wait_for("begun");
    let stopped = case.barepod(&["stop", "job/resumed"]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    assert_eq!(apply(&case, &pod, json!({})), (true, "job.batch/resumed configured\n".to_owned()));
    wait("a second pod", || case.times_said("begun") == 2);
    case.release("go");
    let waited = case.barepod(&["wait", "--for=condition=complete", "job/resumed"]);
    assert!(waited.status.success(), "{}", said(&waited));
    nothing_left(&case);
}

/// All or none, as with several Pods.
#[test]
fn jobs_beside_a_pod() {
    let Some(case) = Case::new("both") else { return };
    let pod: Value = serde_json::from_str(&case.pod().main("main", "say of-pod").text()).unwrap();
    let of_job = |name: &str, script: &str| {
        let pod: Value = serde_json::from_str(&case.pod().main("main", script).text()).unwrap();
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {"spec": pod["spec"]}}})
    };
    let (one, two) = (of_job("one", "say of-one"), of_job("two", "say of-two"));
    let mut bad = two.clone();
    bad["spec"]["template"]["spec"]["containers"][0]["image"] = "rootfs:/nowhere".into();
    let file = |jobs: [&Value; 2]| {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [jobs[0], pod, jobs[1]]});
        case.write(&list.to_string()).display().to_string()
    };
    let ran = case.command(&["run", "-d", &file([&one, &bad])]).output().unwrap();
    assert!(!ran.status.success() && said(&ran).contains("/nowhere"), "{}", said(&ran));
    assert!(!case.root().join("jobs").exists(), "{}", said(&ran));
    let ran = case.command(&["run", &file([&one, &two])]).output().unwrap();
    assert!(
        said(&ran).contains("1 Pod (default/both), 2 Jobs (default/one, default/two): `barepod run -d`"),
        "{}",
        said(&ran)
    );
    let ran = case.command(&["run", "-d", &file([&one, &two])]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        "default/both\njob/default/one\njob/default/two\n",
        "{}",
        said(&ran)
    );
    for name in ["job/one", "job/two"] {
        let waited = case.barepod(&["wait", "--for=condition=complete", name]);
        assert!(waited.status.success(), "{}", said(&waited));
    }
    let mut trace = case.trace();
    trace.sort();
    wait("the pod", || case.said("of-pod"));
    assert_eq!(trace.iter().filter(|line| *line != "of-pod").collect::<Vec<_>>(), ["of-one", "of-two"]);
    let removed = case.barepod(&["rm", "--force", "job/one", "job/two"]);
    assert!(removed.status.success(), "{}", said(&removed));
    assert_eq!(fs::read_dir(case.root().join("jobs")).unwrap().count(), 0);
    let removed = case.barepod(&["rm", "--force", "both"]);
    assert!(removed.status.success(), "{}", said(&removed));
    wait("the end of all", || case.left_behind().is_empty());
}
