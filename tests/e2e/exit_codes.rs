//! What `barepod run` exits with (docs/exit-codes.md).

use serde_json::json;

use crate::harness::{Case, slow, worker};

/// 0 and the main's own code.
#[test]
fn the_mains_code() {
    for code in [0, 1, 3, 125, 255] {
        let Some(case) = Case::new(&format!("code-{code}")) else { return };
        let pod = case.pod().main("main", &format!("exit {code}"));
        assert_eq!(case.run(&pod), code);
        assert_eq!(case.ended("main").0, i64::from(code));
    }
}

/// R8.5: 128 + the signal.
#[test]
fn a_main_that_a_signal_ends() {
    let Some(case) = Case::new("signalled") else { return };
    // The first process of a pid namespace can't kill itself: another one there does it.
    let pod = case.pod().spec(json!({"shareProcessNamespace": true})).main("main", "kill -SEGV $$; hold ever");
    assert_eq!(case.run(&pod), 139);
    assert_eq!(case.ended("main"), (139, "Error".into()));
}

/// Of several mains that failed, the first in the manifest counts, not the first to fail.
#[test]
fn the_first_failed_main_in_the_manifest() {
    let Some(case) = Case::new("several") else { return };
    let pod = case.pod().main("good", "exit 0").main("slow", "await fast; exit 4").main("fast", "say fast; exit 6");
    assert_eq!(case.run(&pod), 4);
}

/// R5.11: sidecars' codes don't count.
#[test]
fn a_sidecars_code_does_not_count() {
    let Some(case) = Case::new("sidecar-code") else { return };
    let pod = case.pod().sidecar("web", "serve web 9").main("main", "await web up");
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.ended("web"), (9, "Error".into()));
    assert_eq!(case.phase(), "Succeeded");
}

/// Where no main failed: the failed init's.
#[test]
fn a_failed_inits_code() {
    let Some(case) = Case::new("init-code") else { return };
    let pod = case.pod().init(worker("init", "exit 12")).main("main", "say main");
    assert_eq!(case.run(&pod), 12);
    assert!(case.trace().is_empty());
}

/// R8.4: a program that isn't there is a StartError, 128.
#[test]
fn a_command_that_can_not_be_executed() {
    let Some(case) = Case::new("no-command") else { return };
    let pod = case.pod().container(json!({"name": "main", "image": "IMAGE", "command": ["/no/such"]}));
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 128);
    assert_eq!(case.ended("main"), (128, "StartError".into()));
    assert!(run.stderr().contains("/no/such"), "{}", run.stderr());
}

/// Exit code 2: nothing was started, nothing is left, not even a state folder.
#[test]
fn an_invalid_manifest() {
    let Some(case) = Case::new("invalid") else { return };
    let pod = case.pod().spec(json!({"restartPolicy": "Sometimes"})).main("main", "say main");
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 2);
    let stderr = run.stderr();
    assert!(stderr.contains("spec.restartPolicy") && stderr.contains("pod.yaml:"), "{stderr}");
    assert!(!case.root().exists());
}

/// A manifest that isn't there.
#[test]
fn a_missing_manifest() {
    let Some(case) = Case::new("missing") else { return };
    let output = case.barepod(&["run", "no-such.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such.yaml"));
}

/// A container whose program can't be started in a shared pid namespace: the kernel keeps the namespace's pid 1 until
/// that container's init is reaped, and the pod must not wait for the one without doing the other. It was a race.
#[test]
fn a_failed_start_in_a_shared_pid_namespace() {
    for _ in 0..4 {
        let Some(case) = Case::new("shared-start") else { return };
        let mut lost = worker("lost", "");
        lost["command"] = json!(["/bin/no-such-program"]);
        let pod = case.pod().spec(json!({"shareProcessNamespace": true}));
        assert_eq!(case.run(&pod.container(worker("other", "usleep 100000")).container(lost)), 128);
    }
}

/// What `--exit-code-file` holds.
fn written(case: &Case) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(case.dir().join("exit.json")).unwrap()).unwrap()
}

/// A container's 2 and 125, and barepod's: told apart by `--exit-code-file`, which is there whoever ended the run.
#[test]
fn whose_code_it_is() {
    let Some(case) = Case::new("whose") else { return };
    let path = case.dir().join("exit.json").display().to_string();
    let option = ["--exit-code-file", path.as_str()];
    for code in [0, 2, 125] {
        assert_eq!(case.start_with(&case.pod().main("main", &format!("exit {code}")), &option).end(), code);
        let written = written(&case);
        assert_eq!(written["exitCode"], code);
        let source = if code == 0 { "pod" } else { "container" };
        assert_eq!((&written["source"], &written["pod"]), (&json!(source), &json!("default/whose")));
        assert_eq!(written["container"], if code == 0 { json!(null) } else { json!("main") });
    }
    let bad = case.pod().spec(json!({"restartPolicy": "Sometimes"})).main("main", "say main");
    assert_eq!(case.start_with(&bad, &option).end(), 2);
    assert_eq!((&written(&case)["exitCode"], &written(&case)["source"]), (&json!(2), &json!("barepod")));
    let running = case.pod().main("main", "say main; hold go");
    let mut run = case.start(&running);
    case.wait_for("main");
    let second = case.barepod(&["run", "--exit-code-file", &path, "pod.yaml"]);
    assert_eq!(second.status.code(), Some(125));
    assert_eq!((&written(&case)["exitCode"], &written(&case)["source"]), (&json!(125), &json!("barepod")));
    case.release("go");
    assert_eq!(run.end(), 0);
    // A command line that isn't understood leaves no file of an earlier run that could be taken for its own.
    assert_eq!(case.barepod(&["run", "--exit-code-file", &path, "--bogus", "pod.yaml"]).status.code(), Some(2));
    assert_eq!((&written(&case)["exitCode"], &written(&case)["source"]), (&json!(2), &json!("barepod")));
    let nowhere = case.barepod(&["run", "--exit-code-file", "no/such/folder/exit.json", "pod.yaml"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

/// `--timeout`: graceful deletion, 124, and who was waited for.
#[test]
fn a_timeout() {
    let Some(case) = Case::new("timeout") else { return };
    let path = case.dir().join("exit.json").display().to_string();
    let pod = case.pod().main("main", "serve main");
    // Long enough for the main to start, also on an emulated machine.
    let timeout = if slow() { "20s" } else { "1s" };
    let mut run = case.start_with(&pod, &["--timeout", timeout, "--exit-code-file", &path]);
    assert_eq!(run.end(), 124);
    let last = run.stderr().lines().last().unwrap().to_owned();
    let want = format!(
        "default/timeout Failed: TimedOut: Pod was not done after {timeout} (--timeout): it waited for container main to exit"
    );
    assert_eq!(last, want);
    assert_eq!(written(&case)["source"], "timeout");
    assert_eq!(case.get()["status"]["reason"], "TimedOut");
}

/// `--fail-fast`: what a kubelet shows as waiting ends the pod, and so does a main that failed for good.
#[test]
fn failing_fast() {
    let Some(case) = Case::new("fail-fast") else { return };
    let mut root = worker("root", "say root");
    root["securityContext"] = json!({"runAsNonRoot": true, "runAsUser": 0});
    let pod = case.pod().spec(json!({"restartPolicy": "Always"})).sidecar("web", "serve web").container(root);
    let mut run = case.start_with(&pod, &["--fail-fast"]);
    assert_eq!(run.end(), 1);
    assert!(run.stderr().contains("container root can't be started: CreateContainerConfigError"), "{}", run.stderr());
    let pod = case.pod().main("slow", "serve slow").main("main", "await slow up; exit 7");
    let mut run = case.start_with(&pod, &["--fail-fast"]);
    assert_eq!(run.end(), 7);
    assert_eq!(case.ended("slow").0, 0);
    let last = run.stderr().lines().last().unwrap().to_owned();
    assert!(last.starts_with("default/fail-fast Failed: FailFast: ") && last.contains("main exited 7"), "{last}");
}
