//! The other commands, while a pod runs and after.

mod runs;

use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Case, wait, worker};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `get` as a table and as the object; the status is true at every moment.
#[test]
fn get() {
    let Some(case) = Case::new("get") else { return };
    let pod = case
        .pod()
        .metadata(json!({"labels": {"app": "shop"}}))
        .sidecar("web", "serve web")
        .init(worker("init", "hold init; say init"))
        .main("main", "await web up; say main; hold main; exit 4");
    let mut run = case.start(&pod);
    run.wait_for_line("init started");
    wait("Init:1/2", || out(&case.barepod(&["get"])).contains("Init:1/2"));
    assert_eq!(case.phase(), "Pending");
    case.release("init");
    case.wait_for("main");
    wait("Running", || case.phase() == "Running" && !case.container("main")["state"]["running"].is_null());
    let status = case.get()["status"].clone();
    let conditions: Vec<(&str, &str)> = status["conditions"].as_array().unwrap().iter().map(condition).collect();
    for kind in ["PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"] {
        assert!(conditions.contains(&(kind, "True")), "{kind}: {conditions:?}");
    }
    assert!(out(&case.barepod(&["get", "default/get"])).contains("2/2"), "READY counts sidecars (R8.9)");
    case.release("main");
    assert_eq!(run.end(), 4);
    let table = out(&case.barepod(&["get"]));
    assert!(table.contains("0/2") && table.contains("Error"), "{table}");
    assert_eq!(case.get()["kind"], "Pod");
    let list: Value = serde_json::from_slice(&case.barepod(&["get", "-o", "json"]).stdout).unwrap();
    assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&json!("List"), 1));
    assert!(out(&case.barepod(&["get", "get", "-o", "yaml"])).contains("kind: Pod"));
    assert_eq!(out(&case.barepod(&["get", "-l", "app in (shop),!old", "-o", "name"])), "pod/get\n");
    let none = case.barepod(&["get", "-l", "app!=shop", "-o", "name"]);
    assert_eq!((out(&none).as_str(), none.status.code()), ("", Some(0)), "{}", err(&none));
    let some = case.barepod(&["get", "pods", "get", "nobody", "-o", "name"]);
    assert_eq!((out(&some).as_str(), some.status.code()), ("pod/get\n", Some(1)));
    assert!(err(&some).contains("\"nobody\" not found"), "{}", err(&some));
}

fn condition(condition: &Value) -> (&str, &str) {
    (condition["type"].as_str().unwrap(), condition["status"].as_str().unwrap())
}

/// `events`: what happened, in order, as objects and as a table; the same after the end.
#[test]
fn events() {
    let Some(case) = Case::new("events") else { return };
    let pod = case.pod().init(worker("init", "true")).sidecar("web", "serve web").main("main", "await web up; hold go");
    let mut run = case.start(&pod);
    case.wait_for("web up");
    let of = |reason: &str| {
        let events = case.events();
        let of_reason = events.iter().filter(|event| event["reason"] == reason);
        of_reason.map(|event| event["container"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    wait("main has started", || of("Started").len() == 3);
    case.release("go");
    assert_eq!(run.end(), 0);
    assert_eq!(of("Started"), ["init", "web", "main"]);
    assert_eq!(of("Created"), ["init", "web", "main"]);
    assert_eq!(of("Killing"), ["web"]);
    let event = case.events().into_iter().next().unwrap();
    for key in ["time", "type", "reason", "message", "count", "firstTimestamp", "lastTimestamp", "source"] {
        assert!(!event[key].is_null(), "{key}: {event}");
    }
    let of_web = case.events().into_iter().find(|event| event["container"] == "web").unwrap();
    assert_eq!(of_web["involvedObject"]["fieldPath"], "spec.initContainers{web}");
    assert_eq!(of_web["involvedObject"]["uid"], case.uid());
    let list: Value = serde_saphyr::from_str(&out(&case.barepod(&["events", "events", "-o", "yaml"]))).unwrap();
    assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&json!("EventList"), case.events().len()));
    let table = out(&case.barepod(&["events", "events"]));
    assert!(table.contains("Started") && table.lines().next().unwrap().contains("REASON"), "{table}");
}

/// `logs` while a container runs and after; `-c` may be left out for the first main.
#[test]
fn logs() {
    let Some(case) = Case::new("logs") else { return };
    let pod = case
        .pod()
        .sidecar("web", "echo web; exec serve web")
        .main("main", "echo one; await web up; say up; hold go; echo two");
    let mut run = case.start(&pod);
    case.wait_for("up");
    wait("the first line", || case.logs("main", &[]) == "one\n");
    case.release("go");
    assert_eq!(run.end(), 0);
    assert_eq!(out(&case.barepod(&["logs", "logs"])), "one\ntwo\n");
    assert_eq!(case.logs("web", &[]), "web\n");
    let stamped = case.logs("main", &["--timestamps"]);
    assert!(
        stamped.lines().all(|line| line.split(' ').next().unwrap().parse::<jiff::Timestamp>().is_ok()),
        "{stamped}"
    );
    assert!(err(&case.barepod(&["logs", "logs", "-c", "nobody"])).contains("web, main"));
    assert_eq!(case.barepod(&["logs", "logs", "--previous"]).status.code(), Some(1));
    let all = case.barepod(&["logs", "logs", "--all-containers", "--prefix"]);
    let lines = "[pod/logs/web] web\n[pod/logs/main] one\n[pod/logs/main] two\n";
    assert_eq!((out(&all).as_str(), err(&all).as_str()), (lines, ""));
    assert_eq!(out(&case.barepod(&["logs", "logs", "main", "--limit-bytes", "5"])), "one\nt");
    let second = stamped.lines().nth(1).and_then(|line| line.split(' ').next()).unwrap();
    assert_eq!(case.logs("main", &["--since-time", second]), "two\n");
    let both = case.barepod(&["logs", "logs", "main", "--all-containers"]);
    assert_eq!(both.status.code(), Some(2), "{}", err(&both));
}

/// `stop` waits for the end and says what became of the pod; of an ended pod it is no error.
#[test]
fn stop() {
    let Some(case) = Case::new("stop") else { return };
    let mut run = case.start(&case.pod().main("main", "exec serve main"));
    case.wait_for("main up");
    let stopped = case.barepod(&["stop", "stop"]);
    assert!(stopped.status.success() && err(&stopped).contains("Succeeded"), "{}", err(&stopped));
    assert_eq!(case.phase(), "Succeeded");
    assert_eq!(run.end(), 0);
    let again = case.barepod(&["stop", "stop"]);
    assert!(again.status.success() && err(&again).contains("has ended already"), "{}", err(&again));
}

/// `rm`: refused while the pod runs; forgets it when it has ended; `--force` ends it.
#[test]
fn rm() {
    let Some(case) = Case::new("rm") else { return };
    let mut run = case.start(&case.pod().main("main", "exec defy main"));
    case.wait_for("main up");
    let refused = case.barepod(&["rm", "rm"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("is running; stop it first"), "{}", err(&refused));
    assert!(!run.has_ended());
    let forced = case.barepod(&["rm", "--force", "rm"]);
    assert!(forced.status.success(), "{}", err(&forced));
    assert_eq!(run.end(), 137);
    assert_eq!(case.barepod(&["get", "rm"]).status.code(), Some(1));
    assert!(err(&case.barepod(&["rm", "rm"])).contains("not found"));
}

/// Several pods at once, by name and by manifest: each error is told, and keeps nothing from the others.
#[test]
fn several_pods() {
    let Some(case) = Case::new("several") else { return };
    let file = case
        .write(&case.pod().main("main", "trap 'say term; hold both' TERM; say up; while :; do sleep 0.1; done").text());
    let file = file.to_str().unwrap();
    for name in ["several", "other"] {
        let output = case.barepod(&["run", "-d", "--name", name, file]);
        assert!(output.status.success(), "{}", err(&output));
    }
    wait("both", || case.times_said("up") == 2);
    let stop = case.command(&["stop", "nobody", "other", "-f", file]).stderr(Stdio::piped()).spawn().unwrap();
    // Neither waits for the other's end.
    wait("both are told", || case.times_said("term") == 2);
    case.release("both");
    let stop = stop.wait_with_output().unwrap();
    let told = err(&stop);
    assert_eq!(stop.status.code(), Some(1), "{told}");
    for words in ["pods \"nobody\" not found", "default/several stopped", "default/other stopped"] {
        assert!(told.contains(words), "{told}");
    }
    let rm = case.barepod(&["rm", "nobody", "other", "--filename", file]);
    let told = err(&rm);
    assert_eq!(rm.status.code(), Some(1), "{told}");
    for words in ["pods \"nobody\" not found", "default/several removed", "default/other removed"] {
        assert!(told.contains(words), "{told}");
    }
    case.nothing_left();
}

/// Names that aren't there, and nothing to show.
#[test]
fn unknown_pods() {
    let Some(case) = Case::new("unknown") else { return };
    for command in ["get", "describe", "events", "logs", "stop", "rm"] {
        let output = case.barepod(&[command, "nobody"]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(err(&output).contains("\"nobody\" not found"), "{command}: {}", err(&output));
    }
    let none = case.barepod(&["get"]);
    assert!(none.status.success() && out(&none).is_empty() && err(&none).contains("no pods found"));
}

/// All errors of a manifest at once, each with its place; fields that do nothing here only warn.
#[test]
fn diagnostics() {
    let Some(case) = Case::new("diagnostics") else { return };
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: diagnostics}\nspec:\n  restartPolcy: Never\n  containers:\n  - {name: B_B, image: IMAGE, ports: [{containerPort: 99999}]}\n";
    case.write(text);
    let output = case.barepod(&["run", "pod.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let text = err(&output);
    for part in ["pod.yaml:5:3", "restartPolicy", "B_B", "99999", "spec.containers[0].ports[0].containerPort"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let pod = case.pod().spec(json!({"priorityClassName": "high"})).main("main", "say main");
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 0);
    assert!(run.stderr().contains("priorityClassName"), "{}", run.stderr());
}

/// As kubectl users' fingers have it, on a real pod; and where pods are kept, by the environment.
#[test]
fn words_of_others() {
    let Some(case) = Case::new("words") else { return };
    assert_eq!(case.run(&case.pod().main("main", "echo hello")), 0);
    for args in
        [&["get", "pods"][..], &["ps"], &["get", "pods", "-n", "default"], &["get", "pod", "words"], &["ls", "-A"]]
    {
        let output = case.barepod(args);
        assert!(out(&output).contains("words"), "{args:?}: {}", err(&output));
    }
    // All were asked for: the namespace is a column, as in a cluster, however many there are.
    for args in [&["get", "-A"][..], &["get", "-A", "--no-headers"]] {
        let text = out(&case.barepod(args));
        assert!(text.lines().last().is_some_and(|line| line.starts_with("default ")), "{args:?}: {text}");
    }
    assert_eq!(out(&case.barepod(&["get", "-n", "other"])), "");
    assert_eq!(out(&case.barepod(&["logs", "pod/words", "main"])), "hello\n");
    let deleted = case.barepod(&["delete", "pod", "words"]);
    assert_eq!(deleted.status.code(), Some(2));
    assert!(err(&deleted).contains("`barepod rm words`"), "{}", err(&deleted));
    let mut command = case.command_at(&[], &["get", "words"]);
    let by_environment = command.env("BAREPOD_ROOT", case.root()).output().unwrap();
    assert!(out(&by_environment).contains("words"), "{}", err(&by_environment));
    let removed = case.barepod(&["rm", "-f", "pod", "words"]);
    assert!(removed.status.success(), "{}", err(&removed));
}

/// A pod whose own network is a loopback says so where somebody wants in; once.
#[test]
fn a_loopback_is_said() {
    let Some(case) = Case::new("loopback") else { return };
    let mut web = worker("web", "say web; hold go");
    web["ports"] = json!([{"containerPort": 8080}]);
    let mut run = case.start(&case.pod().container(web));
    case.wait_for("web");
    wait("Running", || case.phase() == "Running");
    let described = out(&case.barepod(&["describe", "loopback"]));
    assert!(described.contains("loopback only"), "{described}");
    case.release("go");
    assert_eq!(run.end(), 0);
    let said = run.stderr().lines().filter(|line| line.contains("its port 8080 can't be reached")).count();
    assert_eq!(said, 1, "{}", run.stderr());
}

/// Each command's help has an example, completions and pages are made of the same arguments.
#[test]
fn help_completion_and_pages() {
    let Some(case) = Case::new("help") else { return };
    for command in ["run", "get", "describe", "events", "logs", "stop", "resize", "rm", "simulate", "completion"] {
        let help = out(&case.barepod(&[command, "--help"]));
        assert!(help.contains("Examples:") && help.contains(&format!("barepod {command}")), "{help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&case.barepod(&["completion", shell]));
        assert!(script.contains("exit-code-file"), "{shell}: {script}");
    }
    let pages = case.dir().join("pages");
    assert!(case.barepod(&["man", "--dir", &pages.display().to_string()]).status.success());
    let page = std::fs::read_to_string(pages.join("barepod-run.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("barepod\\-run") && page.contains("fail\\-fast"), "{page}");
    assert!(pages.join("barepod.1").exists());
}

/// `scripts/install` puts everything in place below DESTDIR and PREFIX, and takes all of it away again.
#[test]
fn install_and_uninstall() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/install");
    if !std::path::Path::new(script).exists() {
        crate::skips::skip("the scripts are not here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let install = |args: &[&str]| {
        let mut command = std::process::Command::new(script);
        command.args(args).env("DESTDIR", dir.path()).env("PREFIX", "/usr").env("BINARY", crate::harness::binary());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
    };
    let files = || {
        let files = walkdir::WalkDir::new(dir.path()).into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file());
        files.map(|entry| entry.path().strip_prefix(dir.path()).unwrap().display().to_string()).collect::<Vec<_>>()
    };
    // Once more over what is there.
    install(&[]);
    install(&[]);
    let there = files();
    for file in [
        "usr/bin/barepod",
        "usr/share/man/man1/barepod.1",
        "usr/share/man/man1/barepod-run.1",
        "usr/share/bash-completion/completions/barepod",
        "usr/share/zsh/site-functions/_barepod",
        "usr/share/fish/vendor_completions.d/barepod.fish",
    ] {
        assert!(there.iter().any(|one| one == file), "{file} in {there:?}");
    }
    install(&["--uninstall"]);
    assert_eq!(files(), [""; 0]);
}
