//! `restart`: containers that are stopped and started again by hand.

use serde_json::json;

use crate::harness::{Case, main, merge, probe, sidecar, wait, worker};

/// The exit code and what was said, on both streams, but for what a slow box alone makes it say.
fn restart(case: &Case, options: &[&str]) -> (Option<i32>, String) {
    let (code, said) = restart_in_full(case, options);
    (code, said.split_inclusive('\n').filter(|line| !line.starts_with("waiting for ")).collect())
}

fn restart_in_full(case: &Case, options: &[&str]) -> (Option<i32>, String) {
    let output = case.barepod(&[&["restart"], options].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

/// Says that it is up, and that it was told to stop, which is its end.
const TELLS: &str = "trap 'say NAME down; exit 0' TERM; say NAME up; while :; do sleep 999 & wait $!; done";

/// The pod that all of these are about.
fn told(case: &Case, name: &str) -> String {
    format!("container {name} of pod default/{} restarted\n", case.name())
}

/// R3.9: mains first and sidecars last, and up again in their order; what is done stays done. Counted, and no back-off.
#[test]
fn a_pod_restarts_in_order() {
    let Some(case) = Case::new("restart-order") else { return };
    let of = |name: &str| TELLS.replace("NAME", name);
    // A sidecar that is started is one that has said so.
    let side = |name: &str| {
        let mut started = probe("test -e /started");
        merge(&mut started, &json!({"failureThreshold": 600}));
        let script = of(name).replace(&format!("say {name} up"), &format!("say {name} up; touch /started"));
        let mut one = sidecar(name, &script);
        merge(&mut one, &json!({"startupProbe": started}));
        one
    };
    let pod = case.pod().init(worker("init", "say init ran")).init(side("first")).init(side("second"));
    let pod = pod.container(main("main", &of("main"), json!({})));
    let mut run = case.start_with(&pod, &["--backoff-initial", "10m", "--backoff-max", "10m"]);
    case.wait_for("main up");
    run.wait_for_line("main started");
    let mut expected: Vec<&str> = vec!["init ran", "first up", "second up", "main up"];
    for round in 1..=2 {
        let (code, said) = restart(&case, &["restart-order"]);
        let all = ["first", "second", "main"].map(|name| told(&case, name)).concat();
        assert_eq!((code, said), (Some(0), all));
        // Its instance runs when the command has ended, and says so in its time.
        wait("the new instance", || case.times_said("main up") == round + 1);
        expected.extend(["main down", "second down", "first down", "first up", "second up", "main up"]);
    }
    assert_eq!(case.trace(), expected);
    for name in ["first", "second", "main"] {
        assert_eq!(case.container(name)["restartCount"], 2, "{name}");
    }
    assert_eq!(case.container("init")["restartCount"], 0);
    assert_eq!(case.messages("BackOff"), [""; 0]);
    assert_eq!(case.messages("RestartRequested").len(), 1, "equal events are one");
    assert!(case.barepod(&["stop", "restart-order"]).status.success());
    assert_eq!(run.end(), 0);
    case.nothing_left();
}

/// One alone, whatever its policy; what has ended for good comes back, and with it the error says what has ended at once.
#[test]
fn one_container_restarts() {
    let Some(case) = Case::new("restart-one") else { return };
    let once = "[ -e /kept/ran ] && { say again; exit 4; }; touch /kept/ran; say once";
    let mounted = main("once", once, json!({"volumeMounts": [{"name": "kept", "mountPath": "/kept"}]}));
    let pod = case.pod().spec(json!({"volumes": [{"name": "kept", "emptyDir": {}}]}));
    let pod = pod.container(mounted).container(main("main", &TELLS.replace("NAME", "main"), json!({})));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    wait("its end", || case.ended("once") == (0, "Completed".to_owned()));
    run.wait_for_line("main started");
    assert_eq!(restart(&case, &["restart-one", "-c", "main"]), (Some(0), told(&case, "main")));
    wait("the new instance", || case.times_said("main up") == 2);
    assert_eq!(case.container("main")["restartCount"], 1);
    assert_eq!(case.container("once")["restartCount"], 0);
    assert_eq!(restart(&case, &["restart-one", "-c", "once"]).0.map(|code| code <= 1), Some(true));
    wait("its second end", || case.ended("once") == (4, "Error".to_owned()));
    assert!(case.said("again"));
    assert_eq!(case.container("once")["restartCount"], 1);
    for (options, words) in [
        (
            &["restart-one", "-c", "mian"][..],
            "container \"mian\" is not in pod \"default/restart-one\"; it has: once, main",
        ),
        (&["nobody"], "\"nobody\" not found"),
    ] {
        let (code, said) = restart(&case, options);
        assert!(code == Some(1) && said.contains(words), "{options:?}: {said}");
    }
    assert!(case.barepod(&["stop", "restart-one"]).status.success());
    assert_eq!(run.end(), 4);
    let (code, said) = restart(&case, &["restart-one"]);
    assert!(code == Some(1) && said.contains("it has ended; `barepod run -d /"), "{said}");
    case.nothing_left();
}

/// Before the init containers are done there is nothing to restart.
#[test]
fn nothing_restarts_before_it_has_begun() {
    let Some(case) = Case::new("restart-init") else { return };
    let pod = case.pod().init(worker("init", "say init up; hold init")).main("main", "say main up");
    let mut run = case.start(&pod);
    case.wait_for("init up");
    for options in [&["restart-init"][..], &["restart-init", "-c", "main"], &["restart-init", "-c", "init"]] {
        let (code, said) = restart(&case, options);
        assert!(code == Some(1) && said.contains("its init containers aren't done"), "{options:?}: {said}");
    }
    case.release("init");
    assert_eq!(run.end(), 0);
    assert_eq!(case.trace(), ["init up", "main up"]);
    case.nothing_left();
}

/// A container that lets its grace period pass keeps nobody in the dark.
#[test]
fn who_has_to_wait_is_told_for_whom() {
    let Some(case) = Case::new("restart-slowly") else { return };
    let deaf = main("main", "trap '' TERM; say main up; while :; do sleep 999; done", json!({}));
    let mut run = case.start(&case.pod().container(deaf));
    case.wait_for("main up");
    let (code, said) = restart_in_full(&case, &["restart-slowly", "--grace-period", "2"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("waiting for main of pod default/restart-slowly to end and start again"), "{said}");
    assert!(case.barepod(&["rm", "--force", "restart-slowly"]).status.success());
    run.end();
    case.nothing_left();
}
