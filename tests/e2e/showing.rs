//! What is shown of pods, and in which order; and how long their ends are waited for.

use std::process::Output;

use serde_json::json;

use crate::harness::Case;

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A command's exit code, what it prints and what it says.
type Expected<'a> = (&'a [&'a str], i32, &'a str, &'a str);

#[track_caller]
fn check(case: &Case, (args, code, shown, said): Expected<'_>) {
    let output = case.barepod(args);
    let (printed, words) = (out(&output), err(&output));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {words}");
    assert!(printed.contains(shown) && printed.is_empty() == shown.is_empty(), "{args:?}: {printed}");
    assert!(words.contains(said) && words.is_empty() == said.is_empty(), "{args:?}: {words}");
}

/// The options of `get`, `describe`, `events` and `wait` that say what is shown.
#[test]
fn of_pods_that_have_ended() {
    let Some(case) = Case::new("shown-10") else { return };
    for (name, tier, exit) in [("shown-10", "front", 0), ("shown-9", "back", 4)] {
        let pod = case.pod().metadata(json!({"name": name, "labels": {"app": "shop", "example.com/tier": tier}}));
        assert_eq!(case.run(&pod.main("main", &format!("exit {exit}"))), exit);
    }
    let names = "jsonpath={.items[*].metadata.name}";
    let code = ".status.containerStatuses[0].state.terminated.exitCode";
    for expected in [
        (&["get", "--sort-by", "{.metadata.name}", "-o", names][..], 0, "shown-9 shown-10", ""),
        (&["get", "--sort-by", code, "-o", names], 0, "shown-10 shown-9", ""),
        (&["get", "--sort-by", ".metadata.name", "-o", "name"], 0, "pod/shown-9\npod/shown-10\n", ""),
        (&["get", "--sort-by", ".spec.none"], 1, "", "no pod has such a field"),
        (&["get", "--sort-by", ".spec"], 1, "", "which has no order"),
        (&["get", "shown-9", "--show-labels", "--no-headers"], 0, "   app=shop,example.com/tier=back\n", ""),
        (&["get", "shown-10", "-L", "app,example.com/tier"], 0, "   APP    TIER\n", ""),
        (&["get", "shown-10", "-L", "app,example.com/tier"], 0, "   shop   front\n", ""),
        (&["get", "shown-10", "--show-kind"], 0, "\npod/shown-10 ", ""),
        (&["get", "--show-labels", "-o", "json"], 2, "", "are for the table"),
        (&["describe", "shown-9"], 0, "\nEvents:", ""),
        (&["events", "--for", "pod/shown-9", "--types", "normal", "--no-headers"], 0, "Started", ""),
        (&["events", "--types", "Warning"], 0, "LAST SEEN", ""),
        (&["wait", "shown-9", "--for=phase=Failed", "-o", "name"], 0, "pod/shown-9\n", ""),
        (&["wait", "shown-9", "--for=phase=Failed", "-o", "jsonpath={.status.phase}"], 0, "Failed", ""),
        (&["wait", "shown-9", "--for=phase=Failed", "-o", "wide"], 2, "", "`barepod get` has tables"),
        (&["wait", "nobody", "--for=delete", "-o", "json"], 0, "", ""),
        (&["stop", "nobody", "--ignore-not-found"], 0, "", ""),
        (&["rm", "nobody", "shown-9", "--ignore-not-found"], 0, "", "pod default/shown-9 removed"),
    ] {
        check(&case, expected);
    }
    let events = out(&case.barepod(&["events", "--types", "Warning"]));
    assert!(!events.contains("Normal"), "{events}");
    let page = out(&case.barepod(&["describe", "shown-10", "--show-events=false"]));
    assert!(page.starts_with("Name:") && !page.contains("Events:"), "{page}");
    check(&case, (&["rm", "shown-10"], 0, "", "removed"));
    case.nothing_left();
}

/// `stop` that doesn't wait, or not for ever; what is asked for stays so.
#[test]
fn ends_that_are_not_waited_for() {
    let Some(case) = Case::new("unwaited") else { return };
    let script =
        |word: &str| format!("trap 'say {word} told' TERM; say {word} up; while :; do sleep 1000 & wait $!; done");
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 300})).main("main", &script("first"));
    let mut run = case.start_with(&pod.sidecar("helper", "serve helper"), &["-q"]);
    case.wait_for("first up");
    case.wait_for("helper up");
    // Nothing but the program's own words.
    let quiet = case.barepod(&["exec", "-q", "unwaited", "--", "echo", "hello"]);
    assert_eq!((out(&quiet), err(&quiet)), ("hello\n".to_owned(), String::new()));
    check(&case, (&["top", "--sum", "--no-headers", "--interval", "100ms"], 0, "________", ""));
    check(&case, (&["top", "--sum", "-o", "json"], 2, "", "--sum is a line of the table"));
    check(&case, (&["stop", "unwaited", "--wait=false"], 0, "", "pod default/unwaited is being stopped\n"));
    case.wait_for("first told");
    let late = case.barepod(&["stop", "unwaited", "--timeout", "100ms"]);
    assert_eq!(late.status.code(), Some(1), "{}", err(&late));
    assert!(err(&late).contains("hasn't ended within --timeout"), "{}", err(&late));
    // In the place of five minutes it has a second now.
    let now = case.barepod(&["stop", "unwaited", "--now"]);
    assert!(now.status.success() && err(&now).contains("pod default/unwaited stopped"), "{}", err(&now));
    assert_ne!(run.end(), 125);
    check(&case, (&["rm", "unwaited"], 0, "", "removed"));
    case.nothing_left();
}
