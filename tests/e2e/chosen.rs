//! Pods that a command is given by their labels, by manifests, or all of them.

use std::fs::{self, File};
use std::process::{Output, Stdio};

use serde_json::json;

use crate::harness::{Case, Run, wait};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command of kubectl's can be given: labels and `--all`, for commands that show, wait and end. Of pods that aren't named
/// those are meant that it can be about.
#[test]
fn by_labels_and_all() {
    let Some(case) = Case::new("chosen") else { return };
    let manifest = |name: &str, app: &str, script: &str| {
        let metadata = json!({"name": name, "labels": {"app": app}});
        let path = case.dir().join(format!("{name}.yaml"));
        fs::copy(case.write(&case.pod().metadata(metadata).main("main", script).text()), &path).unwrap();
        path
    };
    let serve = |word: &str| {
        let traps = format!("trap 'say {word} down; exit 0' TERM; trap 'say {word} hung' HUP");
        format!("{traps}; say {word} up; while :; do sleep 1000 & wait $!; done")
    };
    let web = manifest("chosen", "web", &serve("web"));
    let db = manifest("db", "db", &serve("db"));
    let over = manifest("over", "web", "true");
    assert_eq!(Run::start(&case, &over, &["-q"]).end(), 0);
    let events = case.dir().join("events");
    let mut watch = case.command(&["events", "-w", "-l", "app=web", "--no-headers"]);
    let mut watch = watch.stdout(File::create(&events).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let mut runs = [&web, &db].map(|file| Run::start(&case, file, &["-q"]));
    case.wait_for("web up");
    case.wait_for("db up");
    // Of a pod that came later, and of none with other labels.
    let has = |words: [&str; 2]| {
        let text = fs::read_to_string(&events).unwrap();
        text.lines().any(|line| words.iter().all(|word| line.split_whitespace().any(|one| one == *word)))
    };
    wait("the events of the pod that came later", || has(["Started", "chosen"]));
    assert!(has(["Started", "over"]) && !has(["Started", "db"]));
    watch.kill().unwrap();
    watch.wait().unwrap();
    let sent = case.barepod(&["kill", "-l", "app=web", "-s", "HUP"]);
    assert_eq!(out(&sent), "container main of pod default/chosen was sent SIGHUP\n", "{}", err(&sent));
    case.wait_for("web hung");
    let web = web.display().to_string();
    for (args, code, shown, said) in [
        (&["get", "-f", &web, "-o", "jsonpath={.metadata.name} {.kind}"][..], 0, "chosen Pod", ""),
        (
            &["get", "pods", "-f", &web, "-w", "--watch-only", "-l", "app"],
            2,
            "",
            "given by --filename or chosen by --selector",
        ),
        (&["describe", "-f", &web], 0, "Name:", ""),
        (&["events", "-f", &web, "--no-headers"], 0, "Started", ""),
        (&["kill", "-l", "app=none"], 0, "", "no pods found"),
        (&["wait", "pods", "-l", "app=db", "--for=phase=Running"], 0, "pod/db condition met\n", ""),
        (&["wait", "-l", "app=none", "--for=phase=Running"], 1, "", "no matching resources found"),
        (&["wait", "-l", "app=none", "--for=delete"], 0, "", "no pods found"),
        (&["rm", "-l", "app=db"], 1, "", "pod \"default/db\" is running"),
        (&["stop", "pods", "-l", "app=web"], 0, "", "pod default/chosen stopped"),
        (&["rm", "pods", "-l", "app=web"], 0, "", "pod default/chosen removed"),
        (&["get", "-o", "name"], 0, "pod/db\n", ""),
        (&["stop", "--all", "-n", "ops"], 0, "", "no pods found"),
        (&["stop", "--all"], 0, "", "pod default/db stopped"),
        (&["wait", "--all", "--for=phase=Succeeded"], 0, "pod/db condition met\n", ""),
        (&["rm", "--all"], 0, "", "pod default/db removed"),
        (&["get"], 0, "", "no pods found"),
    ] {
        let output = case.barepod(args);
        let (printed, words) = (out(&output), err(&output));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {words}");
        assert!(printed.contains(shown) && printed.is_empty() == shown.is_empty(), "{args:?}: {printed}");
        assert!(words.contains(said), "{args:?}: {words}");
        // Nothing is done with, or said of, the pod that has ended, until it is forgotten.
        assert!(!words.contains("over") || args[0] == "rm", "{args:?}: {words}");
    }
    assert!(case.said("web down") && case.said("db down") && !case.said("db hung"), "{:?}", case.trace());
    assert_eq!(runs.each_mut().map(Run::end), [0, 0]);
    case.nothing_left();
}
