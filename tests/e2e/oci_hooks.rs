//! The hooks of an OCI bundle (runtime-spec, config.md, "POSIX-platform Hooks"): when they run, what they are told, what
//! becomes of the container where they fail or never end.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, main, wait};

/// Makes the bundle `b`, whose rootfs is the case's and which has these hooks.
fn bundle(case: &Case, hooks: &Value) {
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    symlink(case.rootfs(), folder.join("rootfs")).unwrap();
    let config = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "hooks": hooks,
        "annotations": {"color": "blue"},
        "process": {"args": ["sh"], "env": ["PATH=/bin", "A=a"], "cwd": "/", "user": {"uid": 0, "gid": 0}}});
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

fn hook(path: &str, script: &str) -> Value {
    json!({"path": path, "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]})
}

fn container(script: &str) -> Value {
    main("main", script, json!({"image": "bundle:b"}))
}

/// R5.16: a startContainer hook that never ends hangs its container only, and its pod ends with its grace.
#[test]
fn a_start_that_hangs_ends_with_the_grace() {
    let Some(case) = Case::new("hook-hangs") else { return };
    bundle(&case, &json!({"startContainer": [hook("/bin/sh", "echo hook >> /t/log; exec sleep 1000")]}));
    let pod = case
        .pod()
        .spec(json!({"terminationGracePeriodSeconds": 1}))
        .sidecar("web", "serve web")
        .main("other", "serve other")
        .container(container("say main"));
    let mut run = case.start(&pod);
    case.wait_for("hook");
    case.wait_for("other up");
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
    assert!(case.said("other term") && case.said("web term") && !case.said("main"), "{:?}", case.trace());
    assert_eq!(case.ended("main"), (128, "StartError".into()));
}

/// A line of each hook: its kind, what the state on its stdin says, and whether the program has been executed.
fn telling(kind: &str, to: &str) -> String {
    format!(
        "s=$(cat); echo {kind} $(echo \"$s\" | grep -o '\"status\":\"[a-z]*\"' | cut -d'\"' -f4) >> {to}; echo \"$s\" > {to}.{kind}"
    )
}

/// runtime-spec 1.2, runtime.md, lifecycle: all six kinds, at their points, with the container's state on stdin.
#[test]
fn all_six_run_at_their_points() {
    let Some(case) = Case::new("hooks-six") else { return };
    let log = case.shared("log").display().to_string();
    let outside = |kind: &str| json!([hook("/bin/sh", &telling(kind, &log))]);
    let hooks = json!({"prestart": outside("prestart"), "createRuntime": outside("createRuntime"),
        "createContainer": outside("createContainer"), "poststart": outside("poststart"), "poststop": outside("poststop"),
        "startContainer": [hook("/bin/sh", &telling("startContainer", "/t/log"))]});
    bundle(&case, &hooks);
    // The program waits for its poststart hook: their order is not the container's.
    assert_eq!(case.run(&case.pod().container(container("echo $$ > /t/pid; hold log.poststart; say main"))), 0);
    let pid_inside: i64 = fs::read_to_string(case.shared("pid")).unwrap().trim().parse().unwrap();
    let names: Vec<String> = case.trace().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "main", "poststop"]
    );
    for (kind, status) in [
        ("prestart", "creating"),
        ("createRuntime", "creating"),
        ("createContainer", "creating"),
        ("startContainer", "created"),
        ("poststart", "running"),
        ("poststop", "stopped"),
    ] {
        assert!(case.said(&format!("{kind} {status}")), "{kind}: {:?}", case.trace());
    }
    let state = |kind: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(case.shared(&format!("log.{kind}"))).unwrap()).unwrap()
    };
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        let state = state(kind);
        assert_eq!(state["id"], json!(format!("{}_main_0", case.uid())), "{kind}");
        assert!(state["ociVersion"].as_str().unwrap().starts_with("1."), "{kind}");
        assert_eq!(state["annotations"]["color"], "blue", "{kind}");
        assert!(state["bundle"].as_str().unwrap().starts_with('/'), "{kind}");
    }
    // As the runtime sees it, and inside as the container does.
    for (kind, others) in [("prestart", "createRuntime"), ("createRuntime", "poststart")] {
        let pid = state(kind)["pid"].as_i64().unwrap();
        assert!(pid > 1 && state(others)["pid"] == pid, "{kind} {others}");
    }
    assert_eq!(state("createContainer")["pid"], pid_inside);
    assert_eq!(state("startContainer")["pid"], pid_inside);
    assert_eq!(state("poststop")["bundle"], json!(case.dir().join("b")));
}

/// Hooks get what they are given and no more: stdin, stdout and stderr, their `args` from the name on, their `env`.
#[test]
fn hooks_get_nothing_else() {
    let Some(case) = Case::new("hooks-given") else { return };
    let all = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    let hook = |kind: &str| {
        let log = if kind == "startContainer" { "/t/log".into() } else { case.shared("log").display().to_string() };
        // The last descriptor is `ls`'s own, of the folder.
        let script = format!("cat > /dev/null; echo {kind} $0 $1 $A $(ls /proc/self/fd) >> {log}");
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script, "name", "one"], "env": ["PATH=/bin:/usr/bin", "A=b"]}])
    };
    let hooks: serde_json::Map<String, Value> = all.iter().map(|kind| ((*kind).to_owned(), hook(kind))).collect();
    bundle(&case, &hooks.into());
    assert_eq!(case.run(&case.pod().container(container("hold log; sleep 1"))), 0);
    for kind in all {
        assert!(case.said(&format!("{kind} name one b 0 1 2 3")), "{kind}: {:?}", case.trace());
    }
}

/// A hook that leaves its stdin alone is none that fails, however long the state is; and the program has SIGPIPE's default.
#[test]
fn hooks_that_do_not_read() {
    let Some(case) = Case::new("hooks-deaf") else { return };
    let deaf = || json!([hook("/bin/sh", "exit 0")]);
    let hooks: serde_json::Map<String, Value> =
        ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
            .map(|kind| (kind.to_owned(), deaf()))
            .into_iter()
            .collect();
    bundle(&case, &hooks.into());
    let path = case.dir().join("b/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // More than a pipe holds.
    config["annotations"] = json!({"long": "x".repeat(200_000)});
    fs::write(&path, config.to_string()).unwrap();
    let script = "say $(grep SigIgn /proc/self/status)";
    assert_eq!(case.run(&case.pod().container(container(script))), 0);
    // The shell ignores SIGQUIT for what it runs in the background.
    let ignored = case.trace()[0].rsplit(' ').next().map(|mask| u64::from_str_radix(mask, 16).unwrap()).unwrap();
    assert_eq!(ignored & (1 << (Signal::PIPE.as_raw() - 1)), 0, "{:?}", case.trace());
}

/// What fails before the program runs keeps it from running; poststart ends it (runtime-spec 1.2.1); poststop is a
/// warning, and the others of it run.
#[test]
fn a_hook_that_fails() {
    for (kind, place) in [
        ("prestart", "CreateContainerError"),
        ("createRuntime", "CreateContainerError"),
        ("createContainer", "CreateContainerError"),
        ("startContainer", "StartError"),
        ("poststart", "StartError"),
        ("poststop", "Completed"),
    ] {
        let Some(case) = Case::new(&format!("fails-{}", kind.to_lowercase())) else { return };
        let log = case.shared("log").display().to_string();
        let after = hook("/bin/sh", &format!("echo after >> {log}"));
        let mut hooks = json!({kind: [hook("/bin/sh", "exit 3"), after]});
        if kind != "poststop" {
            hooks["poststop"] = json!([hook("/bin/sh", &format!("echo undone >> {log}"))]);
        }
        bundle(&case, &hooks);
        let script = if kind == "poststop" { "say main" } else { "exec sleep 1000" };
        let mut run = case.start(&case.pod().container(container(script)));
        wait(&format!("{kind}: {place}"), || {
            let state = case.container("main")["state"].clone();
            [&state["waiting"], &state["terminated"]].iter().any(|state| state["reason"] == place)
        });
        if kind != "poststop" {
            case.wait_for("undone");
        }
        if !run.has_ended() {
            run.signal(Signal::TERM);
        }
        run.end();
        assert_eq!(case.said("after"), kind == "poststop", "{kind}: {:?}", case.trace());
        assert!(run.stderr().contains(&format!("hooks.{kind}[0] (/bin/sh): exit status: 3")), "{}", run.stderr());
    }
}

/// A hook's timeout is kept, in seconds, and one without ends with its pod: nobody else waits for it.
#[test]
fn a_hook_that_hangs() {
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        let Some(case) = Case::new(&format!("late-{}", kind.to_lowercase())) else { return };
        let mut late = hook("/bin/sh", "exec sleep 1000");
        late["timeout"] = json!(1);
        bundle(&case, &json!({kind: [late]}));
        let script = if kind == "poststop" { "say main" } else { "exec sleep 1000" };
        let mut run = case.start(&case.pod().container(container(script)).main("other", "serve other"));
        // A main that can't be made holds up those behind it (R2.4) no longer than it is tried.
        case.wait_for("other up");
        wait("the hook's end", || match kind {
            "poststop" => true,
            "prestart" | "createRuntime" | "createContainer" => {
                case.container("main")["state"]["waiting"]["reason"] == "CreateContainerError"
            }
            _ => case.container("main")["state"]["terminated"]["reason"] == "StartError",
        });
        let said = format!("hooks.{kind}[0] (/bin/sh): didn't end within its timeout of 1 s");
        wait(&said, || run.stderr().contains(&said));
        run.signal(Signal::TERM);
        run.end();
    }
}

/// R5.16: a poststart hook without a timeout, and with one that ignores signals, ends with the grace.
#[test]
fn a_poststart_that_hangs_ends_with_the_grace() {
    let Some(case) = Case::new("poststart-hangs") else { return };
    let log = case.shared("log").display().to_string();
    bundle(
        &case,
        &json!({"poststart": [hook("/bin/sh", &format!("trap '' TERM; echo hook >> {log}; sleep 1000; true"))]}),
    );
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 1}));
    let mut run = case.start(&pod.container(container("say main; exec sleep 1000")));
    case.wait_for("hook");
    case.wait_for("main");
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
    assert_eq!(case.ended("main"), (128, "StartError".into()));
}

/// R5.16: hooks without a timeout that never end, ignore signals and have left a child in a session of its own, end with
/// their pod, whichever way that ends; others go on until then. The end of each case looks for what is left.
#[test]
fn hooks_that_never_end() {
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"] {
        for way in ["stop", "term", "kill"] {
            let Some(case) = Case::new(&format!("{way}-{}", kind.to_lowercase())) else { return };
            let log = if kind == "startContainer" { "/t/log".into() } else { case.shared("log").display().to_string() };
            let script = format!("trap '' TERM INT HUP; setsid sleep 1000 & echo hook >> {log}; sleep 1000; true");
            let mut hangs = hook("/bin/sh", &script);
            hangs["env"] = json!(["PATH=/bin:/usr/bin", format!("BAREPOD_E2E={}", case.uid())]);
            bundle(&case, &json!({kind: [hangs]}));
            let pod = case
                .pod()
                .spec(json!({"terminationGracePeriodSeconds": 1}))
                .sidecar("web", "serve web")
                .main("other", "serve other")
                .container(container("exec sleep 1000"));
            let mut run = case.start(&pod);
            case.wait_for("hook");
            case.wait_for("other up");
            assert!(case.processes("sleep 1000").len() >= 2, "{kind} {way}");
            match way {
                "stop" => assert!(case.barepod(&["stop", case.name()]).status.success()),
                "term" => run.signal(Signal::TERM),
                _ => {
                    run.kill();
                    assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
                }
            }
            if way != "kill" {
                assert_ne!(run.end(), 0, "{kind} {way}");
                assert!(case.said("other term") && case.said("web term"), "{kind} {way}: {:?}", case.trace());
            }
            wait(&format!("{kind} {way}: the end of all"), || case.processes("sleep 1000").is_empty());
        }
    }
}

/// A poststop hook without a timeout has ten seconds, as its container is gone and nobody else could end it; what it has
/// left running ends with the pod.
#[test]
fn a_poststop_that_never_ends() {
    let Some(case) = Case::new("poststop-hangs") else { return };
    let log = case.shared("log").display().to_string();
    let script = format!("trap '' TERM; setsid sleep 1000 & echo hook >> {log}; sleep 1000; true");
    bundle(&case, &json!({"poststop": [hook("/bin/sh", &script), hook("/bin/sh", &format!("echo second >> {log}"))]}));
    let mut run = case.start(&case.pod().container(container("say main")));
    assert_eq!(run.end(), 0);
    assert_eq!(case.trace(), ["main", "hook", "second"]);
    assert!(
        run.stderr().contains("hooks.poststop[0] (/bin/sh): didn't end within its timeout of 10 s"),
        "{}",
        run.stderr()
    );
    assert!(case.processes("sleep 1000").is_empty());
}

/// What can't be run is refused by its field.
#[test]
fn hooks_that_can_not_be() {
    for (name, bad, field) in [
        ("hook-relative", json!({"poststop": [{"path": "sh"}]}), "hooks.poststop[0].path"),
        ("hook-timeout", json!({"prestart": [{"path": "/bin/sh", "timeout": 0}]}), "hooks.prestart[0].timeout"),
    ] {
        let Some(case) = Case::new(name) else { return };
        bundle(&case, &bad);
        let mut run = case.start(&case.pod().container(container("say main")));
        run.wait_for_line(field);
        run.signal(Signal::TERM);
        run.end();
        assert!(case.trace().is_empty());
    }
}
