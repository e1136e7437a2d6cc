//! `get` in other forms than its table, what waits for a field of a pod, and what goes on as pods change.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Output, Stdio};

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
    let of_file = |format: &str, file: &Path| format!("{format}={}", file.display());
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
    let ends = |child: &mut Child| wait("the end of `wait`", || child.try_wait().unwrap().is_some());
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

/// A command whose output goes to a file.
fn begin(case: &Case, args: &[&str], to: &Path) -> Child {
    case.command(args).stdout(File::create(to).unwrap()).stderr(Stdio::null()).spawn().unwrap()
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// `get --watch`: a line for each pod and each change, from before the first pod until nobody reads it.
#[test]
fn changes_as_they_come() {
    let Some(case) = Case::new("watched") else { return };
    let files = ["table", "phases", "only", "events", "what"].map(|name| case.dir().join(name));
    let read = |index: usize| fs::read_to_string(&files[index]).unwrap();
    let phase = "jsonpath={.metadata.name} {.status.phase}{\"\\n\"}";
    let table = begin(&case, &["get", "-w"], &files[0]);
    let phases = begin(&case, &["get", "pods", "--watch", "-o", phase], &files[1]);
    let what = "jsonpath={.type} {.object.metadata.name}{\"\\n\"}";
    let what = begin(&case, &["get", "-w", "--output-watch-events", "-o", what], &files[4]);
    let pod = case.pod().main("main", "say up; hold go");
    let mut run = case.start_with(&pod, &["-q"]);
    wait("a line of the pod as it runs", || read(0).contains("1/1") && read(1).contains("watched Running\n"));
    let only = begin(&case, &["get", "watched", "--watch-only", "-o", phase], &files[2]);
    let events = begin(&case, &["events", "watched", "-w"], &files[3]);
    wait("its events", || read(3).contains("Started"));
    wait("the first event", || read(4).starts_with("ADDED watched\n"));
    // It has looked before it waits in poll(2) or ppoll(2).
    let call = format!("/proc/{}/syscall", only.id());
    wait("the command that waits", || {
        let call = fs::read_to_string(&call).unwrap();
        call.starts_with("7 ") || call.starts_with("271 ")
    });
    assert_eq!(read(2), "");
    case.release("go");
    assert_eq!(run.end(), 0);
    wait("its end", || read(0).contains("Completed") && read(1).ends_with("watched Succeeded\n"));
    wait("its end, for who watches changes only", || read(2).ends_with("watched Succeeded\n"));
    assert!(case.barepod(&["rm", "watched"]).status.success());
    wait("a line of a pod that is gone", || read(4).ends_with("DELETED watched\n"));
    let lines = read(4);
    assert!(lines.contains("\nMODIFIED watched\n"), "{lines}");
    let unknown = |text: &str| text.lines().filter(|line| line.contains("Unknown")).count();
    assert_eq!(unknown(&read(0)), 0, "{}", read(0));
    // Another pod of that name is watched as well, and no file tells that its supervisor was killed.
    fs::remove_file(case.shared("go")).unwrap();
    let mut run = case.start_with(&pod, &["-q"]);
    wait("a line of the next pod", || read(1).matches("watched Running\n").count() >= 2);
    run.kill();
    wait("a line of a pod that nobody supervises", || unknown(&read(0)) > 0);
    let lines = read(0);
    assert!(lines.starts_with("NAME      READY   STATUS") && lines.matches("NAME").count() == 1, "{lines}");
    for child in [table, phases, only, events, what] {
        end(child);
    }
    let mut left = case.command(&["get", "-w"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(left.stdout.take());
    wait("the end of a command that nobody reads", || left.try_wait().unwrap().is_some());
    assert_eq!(left.wait().unwrap().code(), Some(0));
    assert!(case.barepod(&["rm", "--force", "watched"]).status.success());
    case.nothing_left();
}

/// Several pods by name or label; one that isn't there hides no other, and gives the exit code.
#[test]
fn several_pods() {
    let Some(case) = Case::new("several") else { return };
    let pod = case.pod().metadata(json!({"labels": {"app": "shop"}})).main("main", "true");
    assert_eq!(case.run(&pod), 0);
    for (args, code, shown, said) in [
        (&["describe", "several", "nobody"][..], 1, "Name:", "\"nobody\" not found"),
        (&["describe", "nobody", "several"], 1, "Name:", "\"nobody\" not found"),
        (&["describe", "-l", "app=shop"], 0, "Name:", ""),
        (&["describe", "-l", "app=none"], 0, "", "no pods found"),
        (&["events", "pod/several", "nobody"], 1, "REASON", "\"nobody\" not found"),
        (&["events", "-l", "app", "-o", "json"], 0, "\"reason\":\"Started\"", ""),
        (&["get", "--no-headers"], 0, "several   0/1   Completed", ""),
        (
            &["get", "--no-headers", "-o", "custom-columns=N:.metadata.name,P:.status.phase"],
            0,
            "several   Succeeded\n",
            "",
        ),
        (&["events", "several", "--no-headers"], 0, "Normal   Started", ""),
        (&["get", "nobody", "several", "--ignore-not-found", "-o", "name"], 0, "pod/several\n", ""),
        (&["get", "nobody", "--ignore-not-found", "-o", "json"], 0, "", ""),
        (&["get", "--output-watch-events"], 2, "", "--output-watch-events is for --watch"),
        (&["events", "-l", "app=none"], 0, "", "no pods found"),
        (&["events", "--no-headers"], 0, "several", ""),
        (&["describe", "pods", "-A"], 0, "Name:", ""),
        (&["events", "-w", "nobody"], 1, "", "\"nobody\" not found"),
        (&["get", "-w", "nobody"], 1, "", "\"nobody\" not found"),
        (&["describe", "several", "-l", "app"], 2, "", "named or chosen by --selector, not both"),
    ] {
        let output = case.barepod(args);
        let (printed, words) = (out(&output), err(&output));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {words}");
        assert!(printed.contains(shown) && printed.is_empty() == shown.is_empty(), "{args:?}: {printed}");
        assert!(words.contains(said) && words.is_empty() == said.is_empty(), "{args:?}: {words}");
    }
}
