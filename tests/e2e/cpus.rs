//! `run --cpu-manager static`: whole cpus for containers of Guaranteed pods, and everybody else kept off them.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Case, Manifest, Run, main, sidecar, wait, worker};

/// What this process may run on, lowest first; `None`, said aloud, where there is nothing to share out.
fn cpus() -> Option<Vec<u32>> {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse::<u32>().unwrap()..=last.parse().unwrap()
    };
    let all: Vec<u32> = list.trim().split(',').flat_map(range).collect();
    if all.len() < 2 {
        crate::skips::skip("needs two cpus");
        return None;
    }
    Some(all)
}

fn list(cpus: &[u32]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Says what it may run on.
const SAY: &str = "say $NAME $(grep Cpus_allowed_list /proc/self/status | cut -f2)";

fn shown(name: &str, rest: &str) -> String {
    format!("{}; {rest}", SAY.replace("$NAME", name))
}

/// Waits inside of a container until it may run on this many cpus.
fn until(count: usize) -> String {
    // Numbers of the mask's hexadecimal digits would be shorter to write and harder to read.
    format!(
        "until [ $(for r in $(grep Cpus_allowed_list /proc/self/status | cut -f2 | tr , ' '); \
         do seq $(echo $r | tr - ' ' | sed 's/^[0-9]*$/& &/'); done | wc -l) = {count} ]; do usleep 5000; done"
    )
}

fn guaranteed(cpu: &str) -> Value {
    let list = json!({"cpu": cpu, "memory": "64Mi"});
    json!({"resources": {"requests": list, "limits": list}})
}

/// A further pod below the case's root.
fn start<'a>(case: &'a Case, name: &str, pod: &Manifest, options: &[&str]) -> Run<'a> {
    let text =
        pod.text().replace(&format!("\"uid\": \"{}\"", case.uid()), &format!("\"uid\": \"{}-{name}\"", case.uid()));
    let image = format!("rootfs:{}", case.rootfs().display());
    let file = case.dir().join(format!("{name}.yaml"));
    fs::write(&file, text.replace("IMAGE", &image).replace("TRACE", &case.shared("").display().to_string())).unwrap();
    let mut command: Command = case.command(&["run", "-q", "--name", name]);
    command.args(options).arg(file);
    command.stdout(fs::File::create(case.dir().join(format!("{name}.out"))).unwrap());
    command.stderr(fs::File::create(case.dir().join(format!("{name}.err"))).unwrap());
    Run::of(case, &mut command)
}

fn status(case: &Case, name: &str) -> Value {
    let output = case.barepod(&["get", name, "-o", "json"]);
    serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()["status"].clone()
}

/// What an init had goes to a main; others are moved off at the start and back at the end; a pod that finds none left
/// fails as under the kubelet.
#[test]
fn whole_cpus_are_a_containers_own() {
    let Some(case) = Case::new("cpus") else { return };
    let Some(all) = cpus() else { return };
    let (own, others) = (all[all.len() - 1], &all[..all.len() - 1]);
    let reserved = list(others);
    let options = ["--cpu-manager", "static", "--reserved-cpus", &reserved];

    let everybody = format!("say shared; {}; say moved off; {}; say back", until(others.len()), until(all.len()));
    let mut shared = case.start(&case.pod().main("main", &everybody));
    case.wait_for("shared");

    let pod = case
        .pod()
        .init(main("init", &shown("init", "true"), guaranteed("1")))
        .container(main("own", &shown("own", "hold end"), guaranteed("1")))
        .container(main("part", &format!("{}; say part; hold end", until(others.len())), guaranteed("500m")));
    let mut run = start(&case, "pinned", &pod, &options);
    case.wait_for("moved off");
    case.wait_for("part");
    case.wait_for(&format!("init {own}"));
    case.wait_for(&format!("own {own}"));

    let mut late = start(&case, "late", &case.pod().main("late", &format!("{}; say late", until(others.len()))), &[]);
    assert_eq!(late.end(), 0);
    let mut none = start(&case, "none", &case.pod().container(main("own", "say never", guaranteed("1"))), &options);
    assert_eq!(none.end(), 1);
    let rejected = status(&case, "none");
    assert_eq!((&rejected["phase"], &rejected["reason"]), (&json!("Failed"), &json!("UnexpectedAdmissionError")));
    let why = "Pod was rejected: Allocate failed due to not enough cpus available to satisfy request: requested=1, \
               available=0, which is unexpected";
    assert_eq!(rejected["message"], why);
    let resize = case.barepod(&["resize", "pinned", "-c", "own", "--cpu", "2"]);
    let why = String::from_utf8(resize.stderr).unwrap();
    assert!(why.contains("CPU Manager static policy") || why.contains("enough capacity"), "{why}");

    case.release("end");
    assert_eq!(run.end(), 0);
    case.wait_for("back");
    assert_eq!(shared.end(), 0);
    assert!(!case.said("never"));
    for name in ["pinned", "late", "none"] {
        case.barepod(&["rm", "--force", name]);
    }
}

/// The cpus of a killed supervisor's pod are free as soon as somebody asks for them, and its processes gone by then. A
/// sidecar's cpus are not handed on.
#[test]
fn the_dead_keep_no_cpus() {
    let Some(case) = Case::new("cpus-killed") else { return };
    let Some(all) = cpus() else { return };
    let own = all[all.len() - 1];
    let reserved = list(&all[..all.len() - 1]);
    let options = ["--cpu-manager", "static", "--reserved-cpus", &reserved];
    let mut side = sidecar("side", "serve side");
    side["resources"] = guaranteed("1")["resources"].clone();
    let pod = case.pod().init(side).container(main("own", "true", guaranteed("1")));
    let mut two = start(&case, "two", &pod, &options);
    assert_eq!(two.end(), 1);
    assert_eq!(status(&case, "two")["reason"], "UnexpectedAdmissionError");

    let pinned = |word: &str| case.pod().container(main("own", &shown(word, "hold end"), guaranteed("1")));
    let mut first = start(&case, "first", &pinned("first"), &options);
    case.wait_for(&format!("first {own}"));
    first.kill();
    let mut second = start(&case, "second", &pinned("second"), &options);
    case.wait_for(&format!("second {own}"));
    wait("the killed pod's status", || status(&case, "first")["reason"] == "SupervisorLost");
    case.release("end");
    assert_eq!(second.end(), 0);
    for name in ["first", "second", "two"] {
        case.barepod(&["rm", "--force", name]);
    }
    // The case's own name, for the search that ends it.
    assert_eq!(case.run(&case.pod().container(worker("main", "true"))), 0);
}

/// A sandbox that can't be made keeps its pod's cpus: it is made anew, and its containers count on them.
#[test]
fn a_failed_sandbox_keeps_its_cpus() {
    let Some(case) = Case::new("cpus-sandbox") else { return };
    let Some(all) = cpus() else { return };
    let own = all[all.len() - 1];
    let reserved = list(&all[..all.len() - 1]);
    let options = ["--cpu-manager", "static", "--reserved-cpus", &reserved];
    let folder = case.shared("folder");
    let pinned = |word: &str| case.pod().container(main("own", &shown(word, "hold end"), guaranteed("1")));
    let waits = json!({"volumes": [{"name": "v", "hostPath": {"path": folder, "type": "Directory"}}]});
    let mut first = start(&case, "first", &pinned("first").spec(waits), &options);
    let events = || String::from_utf8(case.barepod(&["events", "first"]).stdout).unwrap();
    wait("a sandbox that failed", || events().contains("FailedMount"));
    let mut second = start(&case, "second", &pinned("second"), &options);
    assert_eq!(second.end(), 1);
    assert_eq!(status(&case, "second")["reason"], "UnexpectedAdmissionError");
    fs::create_dir(&folder).unwrap();
    case.wait_for(&format!("first {own}"));
    case.release("end");
    assert_eq!(first.end(), 0);
    let mut third = start(&case, "third", &pinned("third"), &options);
    case.wait_for(&format!("third {own}"));
    assert_eq!(third.end(), 0);
    for name in ["first", "second", "third"] {
        case.barepod(&["rm", "--force", name]);
    }
    // The case's own name, for the search that ends it.
    assert_eq!(case.run(&case.pod().container(worker("main", "true"))), 0);
}

/// As long as something of a pod is left, its cpus are: the next pod that wants some tries to remove it first.
#[test]
fn what_is_left_keeps_its_cpus() {
    let Some(case) = Case::new("cpus-left") else { return };
    let Some(all) = cpus() else { return };
    let own = all[all.len() - 1];
    let reserved = list(&all[..all.len() - 1]);
    let options = ["--cpu-manager", "static", "--reserved-cpus", &reserved];
    let mut more = guaranteed("1");
    more["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let with_volume = main("own", "echo x > /v/f; say made; hold go", more);
    let volumes = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
    let mut first = start(&case, "first", &case.pod().spec(volumes).container(with_volume), &options);
    case.wait_for("made");
    let data = walkdir::WalkDir::new(case.root().join("data"));
    let file = data.into_iter().flatten().find(|entry| entry.file_name() == "f").unwrap().into_path();
    let immutable =
        |how| Command::new("chattr").arg(how).arg(&file).output().is_ok_and(|output| output.status.success());
    let is_immutable = immutable("+i");
    case.release("go");
    let code = first.end();
    if is_immutable {
        assert_eq!(code, 125);
        let mut second =
            start(&case, "second", &case.pod().container(main("own", "say never", guaranteed("1"))), &options);
        assert_eq!(second.end(), 1);
        assert_eq!(status(&case, "second")["reason"], "UnexpectedAdmissionError");
        assert!(immutable("-i"));
    } else {
        crate::skips::skip("no file here can be made immutable");
    }
    let mut third =
        start(&case, "third", &case.pod().container(main("own", &shown("third", "true"), guaranteed("1"))), &options);
    case.wait_for(&format!("third {own}"));
    assert_eq!(third.end(), 0);
    assert!(!file.exists() && !case.said("never"));
    for name in ["first", "second", "third"] {
        case.barepod(&["rm", "--force", name]);
    }
    // The case's own name, for the search that ends it.
    assert_eq!(case.run(&case.pod().container(worker("main", "true"))), 0);
}
