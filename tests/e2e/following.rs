//! `logs --follow`: what a container prints, as it prints it.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::json;

use crate::harness::{Case, Run, patience, wait, wait_until};

/// How much is written: by so many attempts so many lines, each with so many more bytes.
struct Size {
    attempts: usize,
    lines: usize,
    pad: usize,
}

impl Size {
    /// A rotation (10 MiB) or more in each attempt, and never as many as take away what wasn't shown yet. With
    /// $BAREPOD_FOLLOWED=all a million lines over twenty rotations and five restarts.
    fn of_this_run() -> Self {
        match std::env::var("BAREPOD_FOLLOWED").as_deref() {
            Ok("all") => Self { attempts: 6, lines: 167_000, pad: 200 },
            _ => Self { attempts: 3, lines: 22_000, pad: 500 },
        }
    }
}

/// Its exit code.
#[track_caller]
fn end(mut child: Child) -> Option<i32> {
    wait("the end of `logs`", || child.try_wait().unwrap().is_some());
    child.wait().unwrap().code()
}

/// Over restarts and rotations each line comes once and in its order, until the pod has ended.
#[test]
fn each_line_once_over_restarts_and_rotations() {
    let Some(case) = Case::new("followed") else { return };
    let Size { attempts, lines, pad } = Size::of_this_run();
    let script = format!(
        "n=$(($(cat /t/n 2>/dev/null || echo 0) + 1)); echo $n > /t/n; echo begin $n; say up $n; hold go$n; \
         pad=$(head -c {pad} /dev/zero | tr '\\0' x); yes \"$n $pad\" | head -n {lines} | cat -n; printf 'no end'; \
         [ $n = {attempts} ]"
    );
    let pod = case.pod().spec(json!({"restartPolicy": "OnFailure"})).main("main", &script);
    let mut run = case.start_with(&pod, &["-q", "--backoff-initial", "300ms", "--backoff-max", "300ms"]);
    case.wait_for("up 1");
    let to = case.dir().join("to");
    let follow = case.command(&["logs", "-f", case.name()]).stdout(File::create(&to).unwrap()).spawn().unwrap();
    for attempt in 1..=attempts {
        // What was shown: files of an attempt go with the second one behind it, read or not.
        let begins = format!("begin {attempt}\n");
        let is_shown = || fs::read(&to).unwrap().ends_with(begins.as_bytes());
        assert!(wait_until(Instant::now() + patience() * 10, is_shown), "attempt {attempt} is never shown");
        case.release(&format!("go{attempt}"));
    }
    assert!(wait_until(Instant::now() + patience() * 10, || run.has_ended()), "it never ends");
    assert_eq!(run.end(), 0);
    assert_eq!(end(follow), Some(0));
    let mut expected = String::new();
    let pad = "x".repeat(pad);
    for attempt in 1..=attempts {
        expected += &format!("begin {attempt}\n");
        for number in 1..=lines {
            expected += &format!("{number:6}\t{attempt} {pad}\n");
        }
        // What isn't ended by the container is where another attempt follows.
        expected += if attempt < attempts { "no end\n" } else { "no end" };
    }
    let found = fs::read_to_string(&to).unwrap();
    let differs = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    assert!(found == expected, "{} bytes of {}, first in line {differs:?}", found.len(), expected.len());
    // Of a pod that has ended it shows what there is.
    assert_eq!(case.logs("main", &["-f", "--tail", "1"]), "no end");
    case.nothing_left();
}

/// Who no longer reads ends it; whose pod's supervisor is killed waits for nobody; what it doesn't do it says.
#[test]
fn its_end() {
    let Some(case) = Case::new("followed-end") else { return };
    let script = "i=0; say up; while :; do echo line $i; i=$((i + 1)); sleep 0.1; done";
    let mut run = case.start_with(&case.pod().main("main", script), &["-q"]);
    case.wait_for("up");
    let follow = |options: &[&str]| {
        let mut command = case.command(&[&["logs", "--follow", case.name()], options].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut left = follow(&[]);
    drop(left.stdout.take());
    assert_eq!(end(left), Some(0));
    assert_eq!(end(follow(&["--limit-bytes", "8"])), Some(0));
    let refused =
        [(&["--previous"][..], "cannot be used with"), (&["--max-log-requests", "0"], "1 logs would be followed")];
    for (options, words) in refused {
        let output = follow(options).wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(words), "{said}");
    }
    let to = case.dir().join("to");
    let last = case.command(&["logs", "-f", case.name()]).stdout(File::create(&to).unwrap()).spawn().unwrap();
    wait("a line", || fs::read_to_string(&to).unwrap().contains("line 0\n"));
    run.kill();
    assert_eq!(end(last), Some(0));
    assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
    case.nothing_left();
}

/// Several containers of several pods at once, also those that haven't started yet: each line is whole, it is said whose it is, and
/// those of one container come once and in their order, over a restart.
#[test]
fn several_at_once() {
    let Some(case) = Case::new("followed-all") else { return };
    let script = |name: &str| {
        format!(
            "n=$(($(cat /t/{name} 2>/dev/null || echo 0) + 1)); echo $n > /t/{name}; i=0; \
             while [ $i -lt 300 ]; do echo {name} $n $i; i=$((i + 1)); done; printf \"{name} $n end\"; [ $n = 2 ]"
        )
    };
    let labels = json!({"labels": {"app": "shop"}});
    let pod = case.pod().metadata(labels.clone()).spec(json!({"restartPolicy": "OnFailure"}));
    let pod = pod.init(crate::harness::worker("first", "echo from first; say up; hold go"));
    let pod = pod.main("a", &script("a")).main("b", &script("b"));
    let backoff = ["-q", "--backoff-initial", "300ms", "--backoff-max", "300ms"];
    let mut run = case.start_with(&pod, &backoff);
    // It has read its manifest.
    case.wait_for("up");
    let other = case
        .pod()
        .metadata(labels)
        .metadata(json!({"name": "other"}))
        .main("main", "echo of another; say other up; hold go");
    let mut other = Run::start(&case, &case.write(&other.text()), &["-q"]);
    case.wait_for("other up");
    let files = ["out", "err"].map(|name| case.dir().join(name));
    let open = |index: usize| File::create(&files[index]).unwrap();
    let options = ["-l", "app=shop", "--all-containers", "--prefix"];
    let too_many = case.barepod(&[&["logs", "-f", "--max-log-requests", "3"], &options[..]].concat());
    let said = String::from_utf8_lossy(&too_many.stderr).into_owned();
    assert!(too_many.status.code() == Some(2) && said.contains("--max-log-requests 4 allows it"), "{said}");
    let mut follow = case.command(&[&["logs", "-f"], &options[..]].concat());
    let follow = follow.stdout(open(0)).stderr(open(1)).spawn().unwrap();
    let waits_for = |name: &str| format!("note: container \"{name}\" of pod default/followed-all has not started yet");
    wait("those that haven't started", || {
        let said = fs::read_to_string(&files[1]).unwrap();
        said.contains(&waits_for("a")) && said.contains(&waits_for("b"))
    });
    case.release("go");
    assert_eq!((run.end(), other.end()), (0, 0));
    assert_eq!(end(follow), Some(0));
    let found = fs::read_to_string(&files[0]).unwrap();
    let of = |pod: &str, container: &str| -> Vec<&str> {
        let prefix = format!("[pod/{pod}/{container}] ");
        found.lines().filter_map(|line| line.strip_prefix(&prefix)).collect()
    };
    for name in ["a", "b"] {
        let attempt = |n: i32| (0..300).map(move |i| format!("{name} {n} {i}")).chain([format!("{name} {n} end")]);
        assert_eq!(of("followed-all", name), attempt(1).chain(attempt(2)).collect::<Vec<_>>());
    }
    assert_eq!((of("followed-all", "first"), of("other", "main")), (vec!["from first"], vec!["of another"]));
    assert!(found.lines().all(|line| line.starts_with("[pod/")), "{found}");
    // Without --follow: one log after the other, of each its last ten lines; what can't be shown hides no other.
    let logs = |options: &[&str]| {
        let output = case.barepod(&[&["logs", "pods", "-l", "app=shop"], options].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text, String::from_utf8(output.stderr).unwrap())
    };
    let (code, text, _) = logs(&[]);
    let last: Vec<String> = (291..300).map(|i| format!("a 2 {i}\n")).collect();
    assert_eq!((code, text), (Some(0), format!("{}a 2 end\nof another\n", last.concat())));
    let (code, text, said) = logs(&["-c", "b", "--tail", "1"]);
    assert!(
        code == Some(1) && text == "b 2 end" && said.contains("error: container \"b\" is not in pod"),
        "{text} {said}"
    );
    let (code, _, said) = logs(&["-c", "b", "--ignore-errors"]);
    assert!(code == Some(0) && said.contains("note: container \"b\" is not in pod"), "{said}");
    assert!(case.barepod(&["rm", "other"]).status.success());
    case.nothing_left();
}
