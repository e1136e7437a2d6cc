//! Jobs with real pods: what `run` ends with, what is shown of them, what outlives whom, and that nothing stays behind.

mod applied;
mod of_user;
mod shown;
mod upstream;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Case, Manifest, wait};

/// Writes a Job of the pod's spec.
fn job(case: &Case, pod: &Manifest, spec: Value) -> String {
    let pod: Value = serde_json::from_str(&pod.text()).unwrap();
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": case.name(), "uid": case.uid()},
        "spec": {"template": {"spec": pod["spec"]}}
    });
    for (field, value) in spec.as_object().unwrap() {
        job["spec"][field] = value.clone();
    }
    case.write(&job.to_string()).display().to_string()
}

/// Runs it to its end in the foreground.
fn run(case: &Case, pod: &Manifest, spec: Value) -> Output {
    let file = job(case, pod, spec);
    case.command(&["run", &file]).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn start(case: &Case, file: &str) -> Child {
    let log = fs::File::create(case.dir().join("run.log")).unwrap();
    case.command(&["run", file]).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// The Job as `get -o json` has it.
fn get(case: &Case) -> Value {
    let shown = case.barepod(&["get", "job", case.name(), "-o", "json"]);
    serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{}", said(&shown)))
}

/// `Complete/CompletionsReached` and the like.
fn ending(case: &Case) -> String {
    let job = get(case);
    let last = job["status"]["conditions"].as_array().unwrap().last().unwrap();
    format!("{}/{}", last["type"].as_str().unwrap(), last["reason"].as_str().unwrap())
}

/// Forgets it; then there is nothing of it.
fn nothing_left(case: &Case) {
    let removed = case.barepod(&["rm", "--force", &format!("job/{}", case.name())]);
    assert!(removed.status.success(), "{}", said(&removed));
    let left = case.left_behind();
    assert!(left.is_empty(), "rm left behind:\n  {}", left.join("\n  "));
    let none = case.barepod(&["get", "jobs"]);
    assert!(said(&none).contains("no jobs found"), "{}", said(&none));
}

/// R11.1, R11.14.
#[test]
fn a_job_is_complete_when_its_pods_have_succeeded() {
    let Some(case) = Case::new("done") else { return };
    let ran = run(&case, &case.pod().main("main", "say one"), json!({"completions": 3, "parallelism": 2}));
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    assert_eq!(case.times_said("one"), 3);
    assert_eq!(
        (ending(&case).as_str(), &get(&case)["status"]["succeeded"]),
        ("Complete/CompletionsReached", &json!(3))
    );
    let table = said(&case.barepod(&["get", "jobs"]));
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], ["done", "Complete", "3/3"], "{table}");
    let waited = case.barepod(&["wait", "--for=condition=complete", "job/done"]);
    assert_eq!(String::from_utf8_lossy(&waited.stdout), "job.batch/done condition met\n");
    let never = case.barepod(&["wait", "--for=condition=failed", "job/done"]);
    assert!(said(&never).contains("can't come true any more: it has finished"), "{}", said(&never));
    nothing_left(&case);
}

/// R11.2: sidecars never keep a Job from completing.
#[test]
fn sidecars_end_with_the_mains() {
    let Some(case) = Case::new("helped") else { return };
    let pod = case.pod().sidecar("web", "serve web").main("main", "await web up; say main");
    let ran = run(&case, &pod, json!({}));
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    assert_eq!(case.times_said("main"), 1);
    nothing_left(&case);
}

/// R11.5.
#[test]
fn each_index_has_its_pod() {
    let Some(case) = Case::new("parts") else { return };
    let script = "say \"$JOB_COMPLETION_INDEX on $(cat /proc/sys/kernel/hostname)\"";
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"});
    let ran = run(&case, &case.pod().main("main", script), spec);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let mut trace = case.trace();
    trace.sort();
    assert_eq!(trace, ["0 on parts-0", "1 on parts-1", "2 on parts-2"]);
    assert_eq!(get(&case)["status"]["completedIndexes"], "0-2");
    let pods = case.barepod(&["get", "-l", "batch.kubernetes.io/job-name=parts", "-o", "name"]);
    let pods = String::from_utf8_lossy(&pods.stdout).into_owned();
    assert_eq!(pods.lines().filter(|name| name.starts_with("pod/parts-")).count(), 3, "{pods}");
    nothing_left(&case);
}

/// R11.12, R11.10: the exit code is the first failed pod's.
#[test]
fn a_job_fails_with_the_code_of_its_first_failed_pod() {
    let Some(case) = Case::new("bad") else { return };
    let ran = run(&case, &case.pod().main("main", "say one; exit 7"), json!({"backoffLimit": 0}));
    assert_eq!((ran.status.code(), ending(&case).as_str()), (Some(7), "Failed/BackoffLimitExceeded"), "{}", said(&ran));
    // Its next run begins anew.
    let policy = json!({"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]});
    let ran = run(&case, &case.pod().main("main", "say two; exit 42"), json!({"podFailurePolicy": policy}));
    assert_eq!((ran.status.code(), ending(&case).as_str()), (Some(42), "Failed/PodFailurePolicy"), "{}", said(&ran));
    assert_eq!((case.times_said("one"), case.times_said("two")), (1, 1));
    nothing_left(&case);
}

/// OnFailure: the pod's containers are restarted, and no other pod is made.
#[test]
fn containers_of_a_pod_are_restarted() {
    let Some(case) = Case::new("again") else { return };
    let script = "say try; [ -e /t/tried ] || { : > /t/tried; exit 3; }";
    let pod = case.pod().main("main", script).spec(json!({"restartPolicy": "OnFailure"}));
    let ran = run(&case, &pod, json!({}));
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    assert_eq!((case.times_said("try"), &get(&case)["status"]["failed"]), (2, &Value::Null));
    nothing_left(&case);
}

/// R11.3.
#[test]
fn a_job_ends_at_its_deadline() {
    let Some(case) = Case::new("late") else { return };
    let ran = run(&case, &case.pod().main("main", "hold never"), json!({"activeDeadlineSeconds": 1}));
    assert_ne!(ran.status.code(), Some(0), "{}", said(&ran));
    assert_eq!(ending(&case), "Failed/DeadlineExceeded");
    nothing_left(&case);
}

/// What its process is killed by, its pods aren't; the next run goes on with them.
#[test]
fn a_killed_job_goes_on() {
    let Some(case) = Case::new("killed") else { return };
    let pod = case.pod().main("main", "say begun; hold go; say ended");
    let file = job(&case, &pod, json!({"completions": 2, "parallelism": 2}));
    let mut first = start(&case, &file);
    wait("both pods", || case.times_said("begun") == 2);
    first.kill().unwrap();
    assert_eq!(first.wait().unwrap().signal(), Some(9));
    let left = case.barepod(&["get", "jobs"]);
    assert!(said(&left).contains("no process runs job default/killed"), "{}", said(&left));
    let refused = case.barepod(&["rm", "job/killed"]);
    assert!(!refused.status.success(), "its pods run: {}", said(&refused));
    case.release("go");
    let second = case.command(&["run", &file]).output().unwrap();
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert_eq!((case.times_said("begun"), case.times_said("ended")), (2, 2));
    nothing_left(&case);
}

/// Ctrl-C ends the pods with their grace, and counts them for nothing: the next run makes others.
#[test]
fn a_job_that_is_stopped_goes_on_later() {
    let Some(case) = Case::new("stopped") else { return };
    let pod = case.pod().main("main", "[ -e /t/go ] && { say ended; exit 0; }; trap 'say term; exit 0' TERM; say begun; while :; do sleep 99 & wait $!; done");
    let file = job(&case, &pod, json!({}));
    let mut child = start(&case, &file);
    case.wait_for("begun");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!((case.times_said("term"), get(&case)["status"]["succeeded"].clone()), (1, Value::Null));
    case.release("go");
    let second = case.command(&["run", &file]).output().unwrap();
    assert_eq!((second.status.code(), case.times_said("ended")), (Some(0), 1), "{}", said(&second));
    nothing_left(&case);
}

/// In the background: one process for one Job, which `stop` ends.
#[test]
fn a_job_in_the_background() {
    let Some(case) = Case::new("behind") else { return };
    let pod = case.pod().main("main", "trap 'say term; exit 1' TERM; say begun; while :; do sleep 99 & wait $!; done");
    let file = job(&case, &pod, json!({}));
    let started = case.command(&["run", "-d", &file]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&started.stdout), "job/default/behind\n", "{}", said(&started));
    // Who hears of it can look at it.
    assert_eq!(get(&case)["metadata"]["name"], "behind");
    case.wait_for("begun");
    let refused = case.barepod(&["rm", "job/behind"]);
    assert!(said(&refused).contains("job default/behind is running"), "{}", said(&refused));
    let stopped = case.barepod(&["stop", "job/behind"]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    assert_eq!((case.times_said("term"), get(&case)["status"]["failed"].clone()), (1, Value::Null));
    nothing_left(&case);
}

/// R11.15.
#[test]
fn a_job_in_the_background_is_forgotten() {
    let Some(case) = Case::new("gone") else { return };
    let file = job(&case, &case.pod().main("main", "say done"), json!({"ttlSecondsAfterFinished": 0}));
    let started = case.command(&["run", "-d", &file]).output().unwrap();
    assert!(started.status.success(), "{}", said(&started));
    case.wait_for("done");
    wait("its removal", || fs::read_dir(case.root().join("jobs")).unwrap().count() == 0);
    // Its own process ends after that.
    wait("the end of all that is the Job's", || case.left_behind().is_empty());
}

#[test]
fn what_a_job_cannot_have() {
    let Some(case) = Case::new("odd") else { return };
    let file = job(&case, &case.pod().main("main", "say never"), json!({}));
    for (options, words) in [
        (&["--timeout", "1s"][..], "spec.activeDeadlineSeconds limits a Job's time"),
        (&["--rm"], "spec.ttlSecondsAfterFinished"),
    ] {
        let refused = case.command(&["run", &file]).args(options).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(said(&refused).contains(words), "{}", said(&refused));
    }
    let simulated = case.barepod(&["simulate", &file]);
    assert!(said(&simulated).contains("this is a Job, which `barepod run` runs"), "{}", said(&simulated));
    assert!(case.trace().is_empty());
}
