//! `barepod debug`: ephemeral containers, in pods whose others never notice.

use std::fs::{self, File};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::tcgetattr;
use serde_json::{Value, json};

use super::terminals::Terminal;
use super::{IDLE, finish, idle};
use crate::harness::user::Ids;
use crate::harness::{Case, main, wait, worker};

/// Runs until it is told to stop, and says so.
const STAYS: &str = "trap 'echo told; exit 7' TERM; echo up; while :; do sleep 999 & wait $!; done";

/// A `debug` command: of the case's pod and root file system, for a container of this name.
fn words(case: &Case, name: &str, options: &[&str], command: &[&str]) -> Vec<String> {
    let image = format!("rootfs:{}", case.rootfs().display());
    let head = ["debug", case.name(), "--image", &image, "-c", name];
    let tail = if command.is_empty() { &[][..] } else { &["--"] };
    [&head, options, tail, command].concat().into_iter().map(str::to_owned).collect()
}

/// The exit code, and what was printed.
#[track_caller]
fn debug(case: &Case, name: &str, options: &[&str], command: &[&str]) -> (Option<i32>, String, String) {
    let words = words(case, name, options, command);
    let output = case.barepod(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// One that nobody is attached to, and that runs.
#[track_caller]
fn stays(case: &Case, name: &str, options: &[&str]) {
    assert_eq!(debug(case, name, options, &["sh", "-c", STAYS]), (Some(0), String::new(), String::new()));
    wait("the container", || !state(case, name)["running"].is_null() && case.logs(name, &[]) == "up\n");
}

/// Of an ephemeral container.
fn status(case: &Case, name: &str) -> Value {
    let pod = case.get();
    let all = pod["status"]["ephemeralContainerStatuses"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["name"] == name).unwrap_or_default()
}

fn state(case: &Case, name: &str) -> Value {
    status(case, name)["state"].clone()
}

/// R8.11, R1.1: it is in the spec, the status and the events as Kubernetes has it, and counts for nothing of the pod.
#[test]
fn what_is_shown() {
    let Some(case) = Case::new("debug") else { return };
    let mut run = idle(&case);
    stays(&case, "eye", &["--target", "main", "--env", "A=b"]);
    let pod = case.get();
    let spec = &pod["spec"]["ephemeralContainers"][0];
    assert_eq!(
        (&spec["name"], &spec["targetContainerName"], &spec["env"], &spec["terminationMessagePolicy"]),
        (&json!("eye"), &json!("main"), &json!([{"name": "A", "value": "b"}]), &json!("File"))
    );
    assert_eq!(spec["securityContext"], json!({"capabilities": {"add": ["SYS_PTRACE"]}}));
    let shown = status(&case, "eye");
    assert_eq!((&shown["ready"], &shown["restartCount"], &shown["image"]), (&json!(false), &json!(0), &spec["image"]));
    assert_eq!(shown["started"], Value::Null);
    assert_eq!(case.condition("Ready")["status"], "True");
    let table = String::from_utf8(case.barepod(&["get"]).stdout).unwrap();
    assert!(table.contains(" 1/1 "), "{table}");
    for reason in ["Pulled", "Created", "Started"] {
        assert_eq!(case.messages_of("eye", reason).len(), 1, "{reason}");
    }
    let described = String::from_utf8(case.barepod(&["describe", case.name()]).stdout).unwrap();
    let part = described.split("Ephemeral Containers:").nth(1).unwrap();
    assert!(part.contains("eye:") && part.contains("Target:") && part.contains("Running"), "{described}");
    // As any other container for who gets into it.
    let output = case.barepod(&["exec", case.name(), "-c", "eye", "--", "sh", "-c", "echo $A"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "b\n");
    let note = String::from_utf8(case.barepod(&["exec", case.name(), "--", "true"]).stderr).unwrap();
    assert_eq!(note, "Defaulted container \"main\" out of: main, eye (ephem)\n");
    // It is no difference from the manifest, and can't be restarted.
    assert_eq!(case.barepod(&["diff", "-f", "pod.yaml"]).status.code(), Some(0));
    let refused = String::from_utf8(case.barepod(&["restart", case.name(), "-c", "eye"]).stderr).unwrap();
    assert!(refused.contains("an ephemeral container, which runs once"), "{refused}");
    assert_eq!(case.barepod(&["kill", case.name(), "-c", "eye", "-s", "TERM"]).status.code(), Some(0));
    wait("its end", || !state(&case, "eye")["terminated"].is_null());
    let ended = state(&case, "eye")["terminated"].clone();
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(7), &json!("Error")));
    assert_eq!(case.logs("eye", &[]), "up\ntold\n");
    assert_eq!((case.phase().as_str(), case.times_said("main up")), ("Running", 1));
    finish(&mut run);
    assert_eq!(case.ended("main").0, 0);
    case.nothing_left();
}

/// R1.1, R1.11: what a pod can't have, in the API server's words, and nothing comes of it.
#[test]
fn what_is_refused() {
    let Some(case) = Case::new("debug-refused") else { return };
    let mut run = case.start(
        &case.pod().main("main", "trap 'say told; hold go; exit 0' TERM; say main up; while :; do sleep 0.05; done"),
    );
    case.wait_for("main up");
    let told = |name: &str, options: &[&str]| {
        let (code, out, told) = debug(&case, name, options, &["true"]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{told}");
        told
    };
    assert!(told("main", &[]).contains("it has a container \"main\" already"));
    assert!(told("a", &["--target", "nobody"]).contains("spec.ephemeralContainers[0].targetContainerName: Not found"));
    assert!(told("A", &[]).contains("spec.ephemeralContainers[0].name: Invalid value: \"A\""));
    assert_eq!(case.get()["spec"]["ephemeralContainers"], Value::Null);
    let usage = case.barepod(&["debug", case.name(), "--image", "rootfs:x", "-t"]);
    assert_eq!(usage.status.code(), Some(2), "-t without -i");
    run.signal(Signal::TERM);
    case.wait_for("told");
    assert!(told("late", &[]).contains("it has ended, or is about to"));
    case.release("go");
    assert_eq!(run.end(), 0);
    assert!(told("late", &[]).contains("has ended; `barepod describe"));
    case.nothing_left();
}

/// `--target`: the processes of that container, and without it its own.
#[test]
fn whose_processes_it_sees() {
    let Some(case) = Case::new("debug-target") else { return };
    let mut run = idle(&case);
    let first = ["tr", "'\\0'", "' '", "<", "/proc/1/cmdline"].join(" ");
    let (code, own, _) = debug(&case, "own", &["-i"], &["sh", "-c", &format!("exec 3<&1; {first}; exit 4")]);
    assert!(code == Some(4) && !own.contains("main up"), "{own}");
    let (code, seen, told) =
        debug(&case, "eye", &["-i", "--target", "main"], &["sh", "-c", &format!("{first}; kill -0 1")]);
    assert!(code == Some(0) && seen.contains("say main up"), "{seen}: {told}");
    // R5.14: with the target its namespace ends.
    stays(&case, "guest", &["--target", "main"]);
    finish(&mut run);
    assert_eq!(case.ended("main").0, 0);
    assert!(!state(&case, "guest")["terminated"].is_null());
    case.nothing_left();
}

/// R2.9: beside an init that runs. A target that doesn't run yet is waited for.
#[test]
fn while_the_pod_initializes() {
    let Some(case) = Case::new("debug-init") else { return };
    let mut run = case.start(&case.pod().init(worker("init", "say init up; hold go")).main("main", IDLE));
    case.wait_for("init up");
    let (code, seen, _) = debug(&case, "eye", &["-i", "--target", "init"], &["sh", "-c", "cat /proc/1/cmdline"]);
    assert!(code == Some(0) && seen.contains("hold"), "{seen}");
    assert_eq!(debug(&case, "early", &["--target", "main"], &["true"]).0, Some(0));
    let message = || state(&case, "early")["waiting"]["message"].as_str().unwrap_or_default().to_owned();
    wait("the reason", || message().contains("container \"main\" isn't running"));
    assert_eq!(state(&case, "early")["waiting"]["reason"], "CreateContainerError");
    case.release("go");
    case.wait_for("main up");
    finish(&mut run);
    case.nothing_left();
}

/// A shell at a terminal of its own: our size and keys, its exit code, and our terminal as it was.
#[test]
fn a_shell_at_a_terminal() {
    let Some(case) = Case::new("debug-it") else { return };
    let mut run = idle(&case);
    let words = words(&case, "shell", &["-it"], &["sh", "-c", "stty size; PS1='now> ' exec sh"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut terminal = Terminal::of(&case, (33, 99), &words);
    let before = tcgetattr(&terminal.slave).unwrap();
    terminal.shows("33 99");
    terminal.shows("now> ");
    terminal.types("echo $((6*7)) $(tty)\n");
    terminal.shows("42 /dev/pts/0");
    terminal.types("sleep 771\n");
    wait("the program", || !case.processes("sleep 771").is_empty());
    terminal.types("\x03");
    terminal.shows("now> ");
    terminal.types("exit 5\n");
    terminal.shows("has ended (exit code 5)");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(5));
    let after = tcgetattr(&terminal.slave).unwrap();
    assert_eq!((after.local_modes, after.input_modes), (before.local_modes, before.input_modes));
    // Left by its keys it runs on, and is attached to as any other.
    let words = self::words(&case, "stays", &["-it"], &["sh", "-c", "echo up; read line; echo \"<$line>\""]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut terminal = Terminal::of(&case, (0, 0), &words);
    terminal.shows("up");
    terminal.types("\x10\x11");
    terminal.shows("left container \"stays\"");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    let mut again = Terminal::of(&case, (0, 0), &["attach", "-it", case.name(), "-c", "stays"]);
    again.types("hello\n");
    again.shows("<hello>");
    assert_eq!(again.child.wait().unwrap().code(), Some(0));
    finish(&mut run);
    case.nothing_left();
}

/// What it prints comes whole and on its own streams, from the first byte on; what can't be executed ends with 128.
#[test]
fn what_it_prints() {
    let Some(case) = Case::new("debug-prints") else { return };
    let mut run = idle(&case);
    let printed =
        debug(&case, "talks", &["--attach", "-q"], &["sh", "-c", "echo out; echo err >&2; seq 1 2000; exit 3"]);
    let numbers: String = (1..=2000).map(|number| format!("{number}\n")).collect();
    assert_eq!(printed, (Some(3), format!("out\n{numbers}"), "err\n".to_owned()));
    let (code, _, told) = debug(&case, "none", &["-i"], &["nosuch"]);
    assert!(code == Some(128) && told.contains("(exit code 128)"), "{told}");
    wait("its end", || state(&case, "none")["terminated"]["reason"] == "StartError");
    let named = case.barepod(&["debug", case.name(), "--image", &format!("rootfs:{}", case.rootfs().display())]);
    let told = String::from_utf8(named.stderr).unwrap();
    assert!(told.starts_with("Defaulting debug container name to debugger-"), "{told}");
    finish(&mut run);
    case.nothing_left();
}

/// R5.21: the pod's end is its end: it is told to stop with the mains, and the pod waits for it.
#[test]
fn the_pods_end() {
    let Some(case) = Case::new("debug-end") else { return };
    let mut run = case.start(&case.pod().main("main", "say main up; hold go; exit 3"));
    case.wait_for("main up");
    stays(&case, "eye", &[]);
    let words = words(&case, "second", &["--attach"], &["sh", "-c", STAYS]);
    let out = File::create(case.dir().join("out")).unwrap();
    let mut child: Child = case
        .command(&words.iter().map(String::as_str).collect::<Vec<_>>())
        .stdin(Stdio::null())
        .stdout(out)
        .spawn()
        .unwrap();
    let shown = || fs::read_to_string(case.dir().join("out")).unwrap();
    wait("what it prints", || shown() == "up\n");
    case.release("go");
    assert_eq!(run.end(), 3);
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert_eq!(shown(), "up\ntold\n");
    for name in ["eye", "second"] {
        assert_eq!(state(&case, name)["terminated"]["exitCode"], 7, "{name}");
        assert_eq!(case.logs(name, &[]), "up\ntold\n");
    }
    assert_eq!(case.phase(), "Failed");
    case.nothing_left();
}

/// R4.5: an image that isn't there keeps it waiting as in Kubernetes, and nobody else. Who waits for it is told why.
#[test]
fn an_image_that_is_missing() {
    let Some(case) = Case::new("debug-image") else { return };
    let pod = case.pod().main("main", IDLE);
    let mut run = case.start_with(&pod, &["--backoff-initial", "100ms", "--backoff-max", "200ms"]);
    case.wait_for("main up");
    let errors = case.dir().join("errors");
    let mut command = case.command(&["debug", case.name(), "--image", "rootfs:later", "-c", "eye", "-i", "--", "true"]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&errors).unwrap());
    let mut child = command.spawn().unwrap();
    let told = || fs::read_to_string(&errors).unwrap();
    wait("the reason", || told().contains("container \"eye\" isn't running: "));
    assert!(told().contains("/later: No such file") && told().contains("Ctrl-C ends this command"), "{}", told());
    wait("the back-off", || state(&case, "eye")["waiting"]["reason"] == "ImagePullBackOff");
    assert!(case.messages_of("eye", "Failed")[0].contains("later"), "{:?}", case.messages_of("eye", "Failed"));
    assert_eq!(case.condition("Ready")["status"], "True");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // Once it is there the container starts.
    std::os::unix::fs::symlink(case.rootfs(), case.dir().join("later")).unwrap();
    wait("its end", || state(&case, "eye")["terminated"]["exitCode"] == 0);
    finish(&mut run);
    case.nothing_left();
}

/// The supervisor dies by SIGKILL: what there is of it is found and removed as all else.
#[test]
fn a_killed_supervisor() {
    for command in ["stop", "rm"] {
        let Some(case) = Case::new("debug-killed") else { return };
        let pod = case.pod().container(main("main", IDLE, json!({})));
        let mut run = case.start(&pod);
        case.wait_for("main up");
        stays(&case, "eye", &[]);
        stays(&case, "guest", &["--target", "main"]);
        run.kill();
        assert!(!case.processes("echo told").is_empty(), "it outlives the supervisor");
        let args: &[&str] = if command == "rm" { &["rm", "--force", case.name()] } else { &["stop", case.name()] };
        assert!(case.barepod(args).status.success());
        if command == "stop" {
            assert_eq!(state(&case, "eye")["terminated"]["reason"], "ContainerStatusUnknown");
        }
        case.nothing_left();
    }
}

/// In pods whose users aren't the box's: the pod's own user namespace, and an ordinary user's pod.
#[test]
fn in_user_namespaces() {
    let sees = |case: &Case| {
        let script = "cat /proc/1/cmdline; id -u; cat /proc/self/uid_map";
        let (code, seen, told) = debug(case, "eye", &["-i", "--target", "main"], &["sh", "-c", script]);
        assert!(code == Some(0) && seen.contains("say main up"), "{seen}: {told}");
        let main = case.barepod(&["exec", case.name(), "-c", "main", "--", "cat", "/proc/self/uid_map"]).stdout;
        assert!(seen.ends_with(&format!("0\n{}", String::from_utf8(main).unwrap())), "{seen}");
    };
    if let Some(case) = Case::new("debug-userns") {
        let mut run = case.start(&case.pod().spec(json!({"hostUsers": false})).main("main", IDLE));
        case.wait_for("main up");
        sees(&case);
        finish(&mut run);
        case.nothing_left();
    }
    let Some(case) = Case::of_user("debug-user", Ids::Subordinate) else { return };
    let mut run = idle(&case);
    sees(&case);
    finish(&mut run);
    case.nothing_left();
}
