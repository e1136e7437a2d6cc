//! What FILE can be: folders, lists, standard input; several Pods, and what stands beside them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Case, Manifest, Run, main, wait};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Writes a text into a file, with this case's image and trace in it.
fn write(case: &Case, file: &Path, text: &str) {
    fs::copy(case.write(text), file).unwrap();
}

/// A second pod of the case's.
fn second(case: &Case, name: &str) -> Manifest {
    Manifest::new(name, &case.uid().replace("-4000-8000-", "-4001-8000-"))
}

/// All of them start, or none; each command with `-f` means all, and a second `apply` does nothing.
#[test]
fn a_folder_of_several_pods() {
    let Some(case) = Case::new("folder") else { return };
    let dir = case.dir().join("manifests");
    fs::create_dir_all(dir.join("below")).unwrap();
    let reads = json!({"env": [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "mode"}}}]});
    let one = case.pod().container(main("main", "say one $MODE; exec sleep 999", reads));
    let two = second(&case, "folder-two").main("main", "say two; exec sleep 999");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": []}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMapList", "items": [
        {"metadata": {"name": "web"}, "data": {"mode": "fast"}}]});
    write(&case, &dir.join("a.yaml"), &format!("{service}\n---\n{}", one.text()));
    write(&case, &dir.join("b.json"), &map.to_string());
    let listed =
        |pod: &Manifest| format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{}]}}", pod.text());
    fs::write(dir.join("notes.txt"), "not: [yaml").unwrap();
    let folder = dir.to_str().unwrap();

    // One of the images isn't there, and that is seen first.
    let absent = second(&case, "folder-two").container(main("main", "true", json!({"image": "rootfs:/gone"})));
    write(&case, &dir.join("c.yml"), &listed(&absent));
    let refused = case.barepod(&["run", "-d", folder]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("c.yml:") && said(&refused).contains("(items[0])"), "{}", said(&refused));
    write(&case, &dir.join("c.yml"), &listed(&two));
    for (options, why) in [
        (&["run"][..], "there are 2 Pods (default/folder, default/folder-two): `barepod run -d` runs them in the"),
        (&["run", "-d", "--name", "x"], "--name x: 2 Pods"),
        (&["run", "-d", "--strict"], "Forbidden: means nothing on one box: Service"),
        (&["run", "-d", "--exit-code-file", "exit.json"], "--exit-code-file is for one pod"),
        (&["simulate"], "takes one Pod, and there are 2"),
    ] {
        let refused = case.barepod(&[options, &[folder]].concat());
        assert!(refused.status.code() == Some(2) && said(&refused).contains(why), "{options:?} {}", said(&refused));
    }
    assert_eq!(said(&case.barepod(&["get"])), "no pods found\n");

    let started = case.barepod(&["run", "-d", "--wait=Ready", folder]);
    assert_eq!(out(&started), "default/folder\ndefault/folder-two\n", "{}", said(&started));
    assert_eq!(started.status.code(), Some(0), "{}", said(&started));
    assert!(said(&started).contains("left out, as one box has no use for it: Service web\n"), "{}", said(&started));
    case.wait_for("one fast");
    case.wait_for("two");
    let names = case.barepod(&["get", "-o", "name", "-f", folder]);
    assert_eq!(out(&names), "pod/folder\npod/folder-two\n", "{}", said(&names));
    assert_eq!(case.barepod(&["diff", "-f", folder]).status.code(), Some(0));
    // One is there already: the other one is begun all the same.
    assert!(case.barepod(&["rm", "--force", "folder-two"]).status.success());
    let again = case.barepod(&["run", "-d", folder]);
    assert_eq!((again.status.code(), out(&again).as_str()), (Some(125), "default/folder-two\n"), "{}", said(&again));
    wait("the second run", || case.times_said("two") == 2);
    assert!(case.barepod(&["rm", "--force", "folder-two"]).status.success());
    let applied = case.barepod(&["apply", "-f", folder]);
    assert_eq!(
        (applied.status.code(), out(&applied).as_str()),
        (Some(0), "pod/folder unchanged\npod/folder-two created\n"),
        "{}",
        said(&applied)
    );
    wait("the third run", || case.times_said("two") == 3);
    let applied = case.barepod(&["apply", "-f", folder]);
    assert_eq!(out(&applied), "pod/folder unchanged\npod/folder-two unchanged\n", "{}", said(&applied));

    // Those of folders below are meant where that is said.
    fs::rename(dir.join("c.yml"), dir.join("below/c.yml")).unwrap();
    let names = case.barepod(&["get", "-o", "name", "-f", folder]);
    assert_eq!(out(&names), "pod/folder\n", "{}", said(&names));
    let stopped = case.barepod(&["stop", "-R", "-f", folder]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    assert!(case.barepod(&["rm", "-R", "--filename", folder]).status.success());
    assert_eq!(said(&case.barepod(&["get"])), "no pods found\n");
    case.nothing_left();
}

/// What a pod that runs refers to came with it: `apply` looks for it only where the pod is new.
#[test]
fn one_that_runs_beside_a_new_one() {
    let Some(case) = Case::new("beside") else { return };
    let [a, b, config] = ["a.yaml", "b.yaml", "config.yaml"].map(|name| case.dir().join(name));
    let reads = json!({"env": [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "mode"}}}]});
    let reader = |pod: Manifest, script: &str| pod.container(main("main", script, reads.clone())).text();
    write(&case, &a, &reader(case.pod(), "say one $MODE; exec sleep 999"));
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"mode": "fast"}});
    fs::write(&config, map.to_string()).unwrap();
    let [a, b, config] = [&a, &b, &config].map(|path| path.to_str().unwrap());
    let started = case.barepod(&["run", "-d", "--wait=Ready", a, "--config", config]);
    assert!(started.status.success(), "{}", said(&started));
    case.wait_for("one fast");
    // The new one has it from nowhere.
    write(&case, Path::new(b), &reader(second(&case, "beside-two"), "say two; exec sleep 999"));
    let refused = case.barepod(&["apply", "-f", a, "-f", b]);
    let why = said(&refused);
    assert_eq!(refused.status.code(), Some(2), "{why}");
    assert!(
        why.matches("Not found: \"web\"").count() == 1 && why.contains("b.yaml:") && !why.contains("a.yaml"),
        "{why}"
    );
    write(&case, Path::new(b), &second(&case, "beside-two").main("main", "say two; exec sleep 999").text());
    let applied = case.barepod(&["apply", "-f", a, "-f", b]);
    assert_eq!(out(&applied), "pod/beside unchanged\npod/beside-two created\n", "{}", said(&applied));
    assert_eq!(applied.status.code(), Some(0), "{}", said(&applied));
    case.wait_for("two");
    assert!(case.barepod(&["stop", "-f", a, "-f", b]).status.success());
    assert!(case.barepod(&["rm", "--filename", a, "--filename", b]).status.success());
    case.nothing_left();
}

/// `kubectl kustomize | barepod run -`: the Pod among other objects, in the foreground; it is read once.
#[test]
fn a_list_on_standard_input() {
    let Some(case) = Case::new("listed") else { return };
    let pod = case.pod().main("main", "say main; exit 7");
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader"}});
    let list = format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{role}, {}]}}", pod.text());
    let text = fs::read(case.write(&list)).unwrap();
    let give = |args: &[&str]| {
        let mut command = case.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&text).unwrap();
        child.wait_with_output().unwrap()
    };
    let ran = give(&["run", "-"]);
    assert_eq!(ran.status.code(), Some(7), "{}", said(&ran));
    assert!(said(&ran).contains("no use for it: Role reader\n"), "{}", said(&ran));
    assert_eq!(case.trace(), ["main"]);
    assert!(case.barepod(&["rm", "listed"]).status.success());
    // Also one that isn't there yet: what is read is kept.
    let applied = give(&["apply", "-f", "-"]);
    assert_eq!(
        (applied.status.code(), out(&applied).as_str()),
        (Some(0), "pod/listed created\n"),
        "{}",
        said(&applied)
    );
    wait("its end", || case.phase() == "Failed");
    case.nothing_left();
}

/// Ctrl-C while one of several begins ends that one and begins no other; what runs already is told of.
#[test]
fn a_signal_while_one_of_several_begins() {
    let Some(case) = Case::new("halted") else { return };
    let volumes =
        json!({"volumes": [{"name": "v", "hostPath": {"path": case.dir().join("late"), "type": "Directory"}}]});
    let third = Manifest::new("halted-three", &case.uid().replace("-4000-8000-", "-4002-8000-"));
    let pods = [
        case.pod().main("main", "say one; exec sleep 999"),
        second(&case, "halted-two").spec(volumes).main("main", "say two"),
        third.main("main", "say three"),
    ];
    let text = pods.map(|pod| pod.text()).join("\n---\n");
    let mut run = Run::start(&case, &case.write(&text), &["-d"]);
    run.wait_for_line("is not a directory");
    run.signal(Signal::INT);
    assert_ne!(run.end(), 0, "{}", run.stderr());
    let said = run.stderr();
    assert!(said.contains("note: a signal came, and these were not begun: default/halted-three\n"), "{said}");
    assert!(said.contains("note: these run on: default/halted; `barepod stop` ends them\n"), "{said}");
    case.wait_for("one");
    assert_eq!(case.barepod(&["get", "halted-three"]).status.code(), Some(1));
    assert!(case.barepod(&["rm", "--force", "halted", "halted-two"]).status.success());
    drop(run);
    case.nothing_left();
}
