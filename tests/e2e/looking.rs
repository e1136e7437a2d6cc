//! `get` in other forms than its table, and what waits for a field of a pod.

use std::fs;
use std::process::{Output, Stdio};

use serde_json::json;

use crate::harness::{Case, main, wait};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `-o jsonpath` and `-o custom-columns`, in kubectl's language; one pod is an object, several are a list.
#[test]
fn templates_and_columns() {
    let Some(case) = Case::new("looked-at") else { return };
    let labels = json!({"labels": {"app.kubernetes.io/name": "shop"}});
    let pod = case.pod().metadata(labels).main("one", "true").container(main("two", "exit 3", json!({})));
    assert_eq!(case.run(&pod), 3);
    let get = |args: &[&str]| case.barepod(&[&["get"], args].concat());
    let exits = "{range .status.containerStatuses[*]}{.name}={.state.terminated.exitCode}{\"\\n\"}{end}";
    let template = case.dir().join("template");
    fs::write(&template, format!("{exits}done\n")).unwrap();
    let columns = case.dir().join("columns");
    fs::write(&columns, "NAME PHASE\nmetadata.name .status.phase\n").unwrap();
    let of_file = |format: &str, file: &std::path::Path| format!("{format}={}", file.display());
    for (args, printed) in [
        (&["looked-at", "-o", "jsonpath={.status.phase}"][..], "Failed"),
        (&["looked-at", "-o", r"jsonpath={.metadata.labels.app\.kubernetes\.io/name}"], "shop"),
        (&["looked-at", "-o", "jsonpath={.spec.containers[*].name}{\"\\n\"}"], "one two\n"),
        (&["looked-at", "-o", &format!("jsonpath={exits}")], "one=0\ntwo=3\n"),
        (&["looked-at", "-o", &of_file("jsonpath-file", &template)], "one=0\ntwo=3\ndone\n"),
        (&["-o", "jsonpath={.kind} {.items[?(@.status.phase==\"Failed\")].metadata.name}"], "List looked-at"),
        (&["-l", "none", "-o", "jsonpath={.items[*].metadata.name}"], ""),
        (&["looked-at", "-o", "jsonpath-as-json={.spec.containers[*].name}"], "[\n    \"one\",\n    \"two\"\n]\n"),
        (&["looked-at", "-o", "jsonpath=[{.nothing}]"], "[]"),
        (
            &[
                "-o",
                "custom-columns=POD:.metadata.name,CODES:.status.containerStatuses[*].state.terminated.exitCode,X:x",
            ],
            "POD         CODES   X\nlooked-at   0,3     <none>\n",
        ),
        (&["looked-at", "-o", &of_file("custom-columns-file", &columns)], "NAME        PHASE\nlooked-at   Failed\n"),
    ] {
        let output = get(args);
        assert_eq!((out(&output).as_str(), output.status.code()), (printed, Some(0)), "{args:?}: {}", err(&output));
    }
    for (args, code, why) in [
        (
            &["looked-at", "-o", "jsonpath={.nothing}", "--allow-missing-template-keys=false"][..],
            1,
            "jsonpath {.nothing}: nothing is not found",
        ),
        (&["looked-at", "-o", "jsonpath={.spec.containers[2].name}"], 1, "index 2, length 2"),
        (&["looked-at", "-o", "jsonpath={.status.phase"], 2, "unclosed action, at column 2"),
        (&["looked-at", "-o", "custom-columns=NAME"], 2, "write it like NAME:.metadata.name"),
        (&["looked-at", "-o", "jsonpath-file=/nowhere"], 2, "can't read /nowhere"),
        (
            &["looked-at", "-o", &of_file("custom-columns-file", &template)],
            2,
            "a line with the names of the columns is needed",
        ),
    ] {
        let output = get(args);
        let said = err(&output);
        assert!(
            output.status.code() == Some(code) && said.contains(why) && out(&output).is_empty(),
            "{args:?}: {said}"
        );
    }
}

/// `wait --for=jsonpath`: until a field has a value, has any, or can't get it any more.
#[test]
fn for_a_field() {
    let Some(case) = Case::new("field") else { return };
    let begin = |what: &str| {
        let mut command = case.command(&["wait", "field", "--timeout=-1s", "--for", what]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut run = case.start(&case.pod().main("main", "say up; hold go; exit 3"));
    case.wait_for("up");
    let exit_code = ".status.containerStatuses[?(@.name==\"main\")].state.terminated.exitCode";
    let mut waiting: Vec<_> = [
        "jsonpath={.status.phase}=Running",
        &format!("jsonpath={{{exit_code}}}"),
        &format!("jsonpath={exit_code}=3"),
        &format!("jsonpath={exit_code}=4"),
        "jsonpath=.spec.containers=x",
    ]
    .map(begin)
    .into();
    let ends = |child: &mut std::process::Child| wait("the end of `wait`", || child.try_wait().unwrap().is_some());
    ends(&mut waiting[0]);
    case.release("go");
    assert_eq!(run.end(), 3);
    let met = "pod/field condition met\n";
    for (mut child, (code, said)) in waiting.drain(..).zip([
        (0, met),
        (0, met),
        (0, met),
        (1, "exitCode} is 3"),
        (1, "jsonpath leads to a nested object or list"),
    ]) {
        ends(&mut child);
        let output = child.wait_with_output().unwrap();
        let text = out(&output) + &err(&output);
        assert!(output.status.code() == Some(code) && text.contains(said), "{text}");
    }
}
