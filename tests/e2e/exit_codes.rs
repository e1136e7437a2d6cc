//! What `barepod run` exits with (design.md, section 3).

use serde_json::json;

use crate::harness::{Case, worker};

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
