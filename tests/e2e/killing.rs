//! `kill`: a signal to the first process of containers.

use serde_json::json;

use crate::harness::{Case, main, wait};

/// The exit code and what was said, on both streams.
fn kill(case: &Case, options: &[&str]) -> (Option<i32>, String) {
    let output = case.barepod(&[&["kill"], options].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

/// Says each signal that it gets; SIGTERM is its end.
const TELLS: &str = "trap 'say NAME usr1' USR1; trap 'say NAME term; exit 3' TERM; say NAME up; \
                     while :; do sleep 999 & wait $!; done";

/// Without a container all main ones are meant, and no sidecar. The exit is one as any other.
#[test]
fn signals_to_containers() {
    let Some(case) = Case::new("kill-signals") else { return };
    let of = |name: &str| TELLS.replace("NAME", name);
    let pod = case.pod().sidecar("side", &of("side")).main("one", &of("one")).main("two", &of("two"));
    let mut run = case.start(&pod);
    for name in ["side", "one", "two"] {
        case.wait_for(&format!("{name} up"));
    }
    run.wait_for_line("two started");
    run.wait_for_line("one started");
    let sent = |name: &str, signal: &str| format!("container {name} of pod default/kill-signals was sent {signal}\n");
    let both = format!("{}{}", sent("one", "SIGUSR1"), sent("two", "SIGUSR1"));
    assert_eq!(kill(&case, &["pod/kill-signals", "-s", "usr1"]), (Some(0), both));
    case.wait_for("one usr1");
    case.wait_for("two usr1");
    assert!(!case.said("side usr1"));
    let side = kill(&case, &["kill-signals", "-c", "side", "--signal", "10"]);
    assert_eq!(side, (Some(0), sent("side", "SIGUSR1")));
    case.wait_for("side usr1");
    // Told by the events as soon as the command has ended.
    let told = |name: &str| format!("Container {name} was sent SIGUSR1 by barepod kill");
    assert_eq!(case.messages("SignalSent"), [told("one"), told("two"), told("side")]);
    assert_eq!(kill(&case, &["kill-signals", "-s", "SIGTERM", "-c", "one"]), (Some(0), sent("one", "SIGTERM")));
    wait("its end", || case.ended("one") == (3, "Error".to_owned()));
    let (code, told) = kill(&case, &["kill-signals", "-c", "one"]);
    assert!(code == Some(1) && told.contains("container \"one\" has ended (exit code 3, "), "{told}");
    // Of several those are meant that run.
    let file = case.write(&pod.text()).display().to_string();
    assert_eq!(kill(&case, &["-f", &file]), (Some(0), sent("two", "SIGKILL")));
    assert_eq!(run.end(), 3);
    assert_eq!(case.ended("two"), (137, "Error".to_owned()));
    let (code, told) = kill(&case, &["kill-signals"]);
    assert!(code == Some(1) && told.contains("container \"one\" has ended (exit code 3, "), "{told}");
    case.nothing_left();
}

/// A container that is killed is restarted as its policy says; while it waits for that there is nobody to be sent anything.
#[test]
fn a_killed_container_is_restarted() {
    let Some(case) = Case::new("kill-restart") else { return };
    let pod = case.pod().spec(json!({"restartPolicy": "Always"}));
    let pod = pod.container(main("main", "say up; exec sleep 999", json!({})));
    let run = case.start_with(&pod, &["--backoff-initial", "1ms", "--backoff-max", "10m"]);
    case.wait_for("up");
    run.wait_for_line("main started");
    assert_eq!(kill(&case, &["kill-restart"]).0, Some(0));
    wait("its restart", || case.times_said("up") == 2 && case.container("main")["restartCount"] == 1);
    wait("its second instance", || case.container("main")["started"] == true);
    let last = &case.container("main")["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["signal"]), (&json!(137), &json!(9)), "{last}");
    assert!(case.barepod(&["stop", "kill-restart", "--grace-period", "0"]).status.success());
    drop(run);
    case.nothing_left();
}

/// What can't be done says why, and what can.
#[test]
fn refusals() {
    let Some(case) = Case::new("kill-refused") else { return };
    let pod = case.pod().spec(json!({"restartPolicy": "Always"}));
    let pod =
        pod.main("loops", "exit 4").main("main", "say up; hold never").init(crate::harness::worker("init", "true"));
    let mut run = case.start_with(&pod, &["--backoff-initial", "10m", "--backoff-max", "10m"]);
    case.wait_for("up");
    wait("the back-off", || case.container("loops")["state"]["waiting"]["reason"] == "CrashLoopBackOff");
    for (options, code, words) in [
        (
            &["kill-refused", "-c", "mian"][..],
            1,
            "container \"mian\" is not in pod \"default/kill-refused\"; it has: init, loops, main",
        ),
        (&["kill-refused", "-c", "loops"], 1, "container \"loops\" isn't running: CrashLoopBackOff"),
        (&["kill-refused", "-c", "init"], 1, "container \"init\" has ended (exit code 0"),
        (&["kill-refused", "-s", "TREM"], 2, "did you mean TERM?"),
        (&["kill-refused", "-s", "65"], 2, "no signal \"65\""),
        (&["nobody"], 1, "\"nobody\" not found"),
    ] {
        let (got, told) = kill(&case, options);
        assert!(got == Some(code) && told.contains(words), "{options:?}: {told}");
    }
    run.kill();
    let (code, told) = kill(&case, &["kill-refused"]);
    assert!(code == Some(1) && told.contains("is gone; `barepod rm default/kill-refused`"), "{told}");
    assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
    case.nothing_left();
}
