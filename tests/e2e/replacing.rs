//! `run --replace`: a pod in the place of the one that runs under its name.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Case, Manifest, wait};

fn run(case: &Case, pod: &Manifest, options: &[&str]) -> (Option<i32>, String) {
    let file = case.write(&pod.text());
    let Output { status, stdout, stderr } =
        case.command(&[&["run", "-d"], options].concat()).arg(file).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout) + &text(stderr))
}

/// Runs until it is told to stop, and takes notice of that.
fn script(name: &str) -> String {
    format!("trap 'say {name} down; exit 0' TERM; say {name} up; while :; do sleep 999 & wait $!; done")
}

fn uid(case: &Case) -> Value {
    case.get()["metadata"]["uid"].clone()
}

/// The old one has its end in order before the new one begins; a manifest that is no good stops nothing.
#[test]
fn a_pod_in_the_place_of_another() {
    let Some(case) = Case::new("replace") else { return };
    let old = case.pod().sidecar("side", &script("side")).main("main", &script("old"));
    // There is none yet: a run as any other.
    assert_eq!(run(&case, &old, &["--replace"]), (Some(0), "default/replace\n".to_owned()));
    case.wait_for("old up");
    wait("the sidecar", || case.container("side")["started"] == true);
    let began = case.get()["status"]["startTime"].clone();
    let named = run(&case, &old, &[]);
    assert!(named.0 == Some(125) && named.1.contains("run"), "{named:?}");
    // Neither what it says nor what it lacks ends the one that runs.
    let wrong = [
        (case.pod().main("main", "true").spec(json!({"restartPolicy": "Sometimes"})), 2),
        (case.pod().main("main", "true").spec(json!({"volumes": [{"name": "c", "configMap": {"name": "none"}}]})), 2),
    ];
    for (pod, code) in wrong {
        let (got, said) = run(&case, &pod, &["--replace"]);
        assert!(got == Some(code) && !said.contains("stopping"), "{said}");
    }
    assert_eq!(case.get()["status"]["startTime"], began);
    assert!(!case.said("old down"));
    let new = case.pod().main("main", &script("new"));
    let (code, said) = run(&case, &new, &["--replace"]);
    assert!(code == Some(0) && said.contains("stopping pod default/replace to replace it"), "{said}");
    assert!(said.contains("default/replace\n"), "{said}");
    case.wait_for("new up");
    assert_eq!(case.trace().last().map(String::as_str), Some("new up"));
    let down: Vec<String> = case.trace().into_iter().filter(|line| line.ends_with("down")).collect();
    assert_eq!(down, ["old down", "side down"]);
    assert_eq!(case.container("side"), Value::Null, "that was the other pod's");
    assert!(case.barepod(&["stop", "replace"]).status.success());
    // One that has ended is in nobody's way.
    let before = case.times_said("new up");
    assert_eq!(run(&case, &new, &["--replace"]).0, Some(0));
    wait("the third", || case.times_said("new up") == before + 1);
    assert!(uid(&case).is_string());
    assert!(case.barepod(&["stop", "replace"]).status.success());
    case.nothing_left();
}
