//! `top`: what pods and containers use, by what the kernel counts.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::user::Ids;
use crate::harness::{Case, main, wait};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn top(case: &Case, options: &[&str]) -> Output {
    case.barepod(&[&["top", "--interval", "300ms"], options].concat())
}

/// Of the container of this name, in the output of `-o json`.
fn container<'a>(top: &'a Value, name: &str) -> &'a Value {
    top["pods"][0]["containers"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()
}

/// One container works, one has filled memory, one sleeps: each is said to do so, against its limits.
#[test]
fn what_containers_use() {
    let Some(case) = Case::new("top") else { return };
    let resources = json!({"resources": {"limits": {"cpu": "200m", "memory": "64Mi"}}});
    let hog = "dd if=/dev/zero of=/dev/shm/hog bs=1M count=24 2>/dev/null; say full; hold end";
    let pod = case
        .pod()
        .container(main("busy", "say busy; until [ -e /t/end ]; do :; done", resources.clone()))
        .container(main("hog", hog, resources))
        .main("idle", "hold end");
    let mut run = case.start(&pod);
    run.wait_for_line("idle started");
    case.wait_for("full");
    case.wait_for("busy");
    // However loaded the box is, it works at some time.
    wait("work", || {
        let output = top(&case, &["top", "-o", "json"]);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success() && value["intervalSeconds"].as_f64().unwrap() >= 0.3, "{value}");
        let [busy, hog, idle] = ["busy", "hog", "idle"].map(|name| container(&value, name));
        let number = |one: &Value, key: &str| one[key].as_f64().unwrap_or_else(|| panic!("{key}: {value}"));
        assert_eq!((&busy["cpuLimitMillicores"], &busy["ended"]), (&json!(200), &json!(false)));
        assert!(number(hog, "memoryWorkingSetBytes") >= f64::from(24 << 20), "{value}");
        assert_eq!((&hog["memoryLimitBytes"], &idle["memoryLimitBytes"]), (&json!(64 << 20), &Value::Null));
        assert!(number(&value["pods"][0], "memoryWorkingSetBytes") >= number(hog, "memoryWorkingSetBytes"), "{value}");
        assert!(number(idle, "pids") >= 1.0 && number(idle, "cpuSeconds") > 0.0, "{value}");
        number(busy, "cpuMillicores") > number(idle, "cpuMillicores")
            && number(&value["pods"][0], "cpuMillicores") > 0.0
    });
    let table = text(&top(&case, &[]).stdout);
    let line = table.strip_prefix("NAME   CPU(cores)   MEMORY(bytes)\ntop    ").unwrap_or_else(|| panic!("{table}"));
    assert!(line.contains("m ") && line.ends_with("Mi\n"), "{table}");
    let table = text(&top(&case, &["pod/top", "--containers", "--no-headers", "--sort-by", "memory"]).stdout);
    assert!(table.lines().count() == 3 && table.starts_with("top   hog "), "{table}");
    let wide = text(&top(&case, &["-o", "wide", "--containers"]).stdout);
    let hog = wide.lines().find(|line| line.contains(" hog ")).unwrap();
    assert!(hog.contains("200m (") && hog.contains("64Mi ("), "{wide}");
    case.release("end");
    assert_eq!(run.end(), 0);

    let ended = top(&case, &["top"]);
    let told = text(&ended.stderr);
    assert!(ended.status.code() == Some(1) && told.contains("has ended (Succeeded) and uses nothing"), "{told}");
    let nothing = top(&case, &[]);
    assert!(nothing.status.success() && nothing.stdout.is_empty(), "{}", text(&nothing.stdout));
    assert!(text(&nothing.stderr).contains("nothing runs"));
    let absent = top(&case, &["nobody"]);
    assert!(absent.status.code() == Some(1) && text(&absent.stderr).contains("\"nobody\" not found"));
    case.nothing_left();
}

/// Without a supervisor the kernel counts on, and it is said that nobody looks after the pod.
#[test]
fn a_pod_whose_supervisor_is_gone() {
    let Some(case) = Case::new("top-lost") else { return };
    let mut run = case.start(&case.pod().main("main", "say up; hold never"));
    case.wait_for("up");
    run.kill();
    let output = top(&case, &["top-lost", "--containers", "--no-headers"]);
    let (table, told) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success() && table.starts_with("top-lost   main   ") && table.contains("m "),
        "{table}{told}"
    );
    assert!(
        told.contains("the supervisor of pod \"default/top-lost\" is gone; `barepod rm default/top-lost`"),
        "{told}"
    );
    assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
    case.nothing_left();
}

/// An ordinary user's pod has no cgroup where none is delegated: then nothing is known, which is no nothing.
#[test]
fn a_pod_without_cgroups() {
    let Some(case) = Case::of_user("top-user", Ids::Subordinate) else { return };
    let mut run = case.start(&case.pod().main("main", "say up; hold end"));
    case.wait_for("up");
    let named = top(&case, &["top-user"]);
    let told = text(&named.stderr);
    assert!(named.status.code() == Some(1) && told.contains("it has no cgroup, so that nobody counts"), "{told}");
    let all = top(&case, &["--no-headers"]);
    let words: Vec<String> = text(&all.stdout).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["top-user", "<unknown>", "<unknown>"], "{}", text(&all.stderr));
    assert!(text(&all.stderr).contains("pod default/top-user: it has no cgroup"), "{}", text(&all.stderr));
    case.release("end");
    assert_eq!(run.end(), 0, "{}", run.stderr());
    case.nothing_left();
}

#[track_caller]
fn end(mut child: Child) -> Option<i32> {
    wait("the end of `top`", || child.try_wait().unwrap().is_some());
    child.wait().unwrap().code()
}

/// One measurement follows the other until the pod has ended, or nobody reads any more.
#[test]
fn watched_to_its_end() {
    let Some(case) = Case::new("top-watched") else { return };
    let mut run = case.start(&case.pod().main("main", "say up; hold end"));
    case.wait_for("up");
    let watch = |options: &[&str]| case.command(&[&["top", "-w", "--interval", "100ms"], options].concat());
    let to = case.dir().join("to");
    let begun = watch(&["top-watched", "-o", "json"]).stdout(File::create(&to).unwrap()).stderr(Stdio::piped()).spawn();
    let begun = begun.unwrap();
    wait("two measurements", || fs::read_to_string(&to).unwrap().lines().count() >= 2);
    let tables = case.dir().join("tables");
    let other = watch(&[]).stdout(File::create(&tables).unwrap()).spawn().unwrap();
    let is_second = |text: String| text.split("\n\n").filter(|table| table.contains("top-watched")).count() >= 2;
    wait("two tables", || is_second(fs::read_to_string(&tables).unwrap()));
    drop(Killed(other));
    let mut left = watch(&[]).stdout(Stdio::piped()).spawn().unwrap();
    drop(left.stdout.take());
    assert_eq!(end(left), Some(0));
    case.release("end");
    assert_eq!(run.end(), 0);
    let output = begun.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert!(output.status.success() && told.contains("has ended (Succeeded)"), "{told}");
    for line in fs::read_to_string(&to).unwrap().lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["pods"][0]["name"], "top-watched", "{line}");
    }
    case.nothing_left();
}

/// A child that is ended.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// On a terminal a table takes the place of the one before, and Ctrl-C leaves nothing to be put back.
#[test]
fn redrawn_on_a_terminal() {
    let Some(case) = Case::new("top-drawn") else { return };
    let mut run = case.start(&case.pod().main("main", "say up; hold end"));
    case.wait_for("up");
    let pty = nix::pty::openpty(None, None).unwrap();
    let inner = case.command(&["top", "--watch", "--interval", "100ms"]);
    let mut command = Command::new("setsid");
    command.arg("-c").arg(inner.get_program()).args(inner.get_args()).current_dir(case.dir());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    let terminal = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut child = command.stdin(terminal()).stdout(terminal()).stderr(terminal()).spawn().unwrap();
    // The command holds the terminal open.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(pty.slave);
    let mut master = File::from(pty.master);
    let (mut seen, mut part) = (String::new(), [0; 4096]);
    // Two lines up, to the first column, and all below is gone.
    while seen.matches("\x1b[2F\x1b[JNAME").count() < 2 {
        let count = master.read(&mut part).unwrap();
        seen += &text(&part[..count]);
    }
    assert!(seen.starts_with("NAME ") && !seen.contains("\x1b[?"), "{seen:?}");
    master.write_all(b"\x03").unwrap();
    wait("the end of `top`", || child.try_wait().unwrap().is_some());
    case.release("end");
    assert_eq!(run.end(), 0);
    case.nothing_left();
}
